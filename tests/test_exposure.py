"""Who is near a hazard: by hand, against drawn buffers, and the laws that the measures keep."""

import itertools

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine
from pyproj import CRS, Geod
from shapely import LineString, Point, box

from ccm_geo import space
from ccm_geo.errors import CRSError, DataError
from ccm_geo.exposure import (
    accidents_near,
    facilities_near,
    people_in,
    people_near,
    people_reached,
    population_cells,
)
from ccm_geo.schemas import PopulationRaster, notes_of

UTM = CRS.from_epsg(32648)
LONLAT = CRS.from_epsg(4326)
NORTH_UP = Affine(100, 0, 500_000, 0, -100, 2_000_000)


def raster(path, values, *, transform=NORTH_UP, crs=UTM, nodata=None, unit="people"):
    values = np.atleast_2d(values)
    height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=1, dtype=values.dtype, crs=crs,
        transform=transform, nodata=nodata,
    ) as out:  # fmt: skip
        out.write(values, 1)
    return PopulationRaster(
        path=str(path), crs=crs, transform=transform, width=width, height=height, nodata=nodata, unit=unit
    )


def hazards(*shapes, crs=UTM, index=None):
    names = [f"H{k}" for k in range(len(shapes))]
    return gpd.GeoDataFrame({"hazard_id": names}, geometry=list(shapes), crs=crs, index=index)


def at(left, top, right, bottom):
    """A box in columns and rows of the north-up raster of 100 m cells."""
    return box(500_000 + 100 * left, 2_000_000 - 100 * bottom, 500_000 + 100 * right, 2_000_000 - 100 * top)


def texts(measure):
    return [note.text for note in notes_of(measure)]


@pytest.fixture
def ones(tmp_path):
    """One person per hectare on 10 km x 10 km."""
    return raster(tmp_path / "ones.tif", np.ones((100, 100), dtype="float32"))


@pytest.fixture
def town(tmp_path):
    rng = np.random.default_rng(1)
    return raster(tmp_path / "town.tif", rng.gamma(0.3, 30, (100, 100)).astype("float32"))


def some_hazards(rng, count=40, size=100):
    """Stars of 50 to 1,500 m across, some far from round."""
    shapes = []
    for _ in range(count):
        angle = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(4, 60)))
        radius = np.exp(rng.uniform(np.log(25), np.log(750))) * rng.uniform(0.2, 1, len(angle))
        x, y = rng.uniform(0, 100 * size, 2)
        ring = np.column_stack([x + radius * np.cos(angle), y - 100 * size + radius * np.sin(angle)])
        shapes.append(shapely.make_valid(shapely.Polygon(ring + np.array([500_000, 2_000_000]))))
    return hazards(*shapes)


def test_people_inside_are_those_of_the_covered_cells(ones):
    assert people_near(hazards(at(10, 10, 12, 13.5)), ones, within_m=0).tolist() == pytest.approx([7])


def test_people_within_a_distance_of_a_square(ones):
    """200 m x 200 m and 1 km round it: square, four strips, and a whole circle in quarters."""
    land = 0.2**2 + 4 * 0.2 * 1 + np.pi
    on_the_map = land * 100  # people per km2; UTM is 0.04 % too short at its central meridian
    found = people_near(hazards(at(48, 48, 50, 50)), ones)
    assert found.name == "people_near"
    assert found.tolist() == pytest.approx([on_the_map], rel=2e-3)


@pytest.mark.parametrize("within_m", [50, 400, 1_000, 3_000])
def test_land_within_a_distance_of_a_point_is_a_circle(ones, within_m):
    middle = Point(505_000, 1_995_000)
    found = people_near(hazards(middle), ones, within_m=within_m)[0]
    scale = 0.9996**2  # of the map: what is 1 km long on the ground is shorter on it
    assert found == pytest.approx(np.pi * within_m**2 / 1e4 * scale, rel=2e-3)


@pytest.mark.parametrize("within_m", [100, 500, 1_000, 4_000])
def test_sums_within_a_distance_keep_the_error_budget_against_fine_buffers(town, within_m):
    areas = some_hazards(np.random.default_rng(2), 60)
    found = people_near(areas, town, within_m=within_m)
    fine = people_near(areas, town, within_m=within_m, exact=True)
    error = ((found - fine).abs() / fine)[fine > 1]
    assert error.median() < 0.005
    assert error.quantile(0.95) < 0.02


def test_exact_is_the_sum_under_a_drawn_buffer(town):
    areas = some_hazards(np.random.default_rng(3), 10)
    drawn = space.project(areas, space.study_crs(areas)).buffer(700, quad_segs=128)
    assert people_near(areas, town, within_m=700, exact=True).tolist() == pytest.approx(
        people_in(drawn, town)
    )


@pytest.mark.parametrize("within_m", [0, 1_000])
def test_hole_is_not_inside_but_may_be_near(ones, within_m):
    ring = at(20, 20, 80, 80).difference(at(21, 21, 79, 79))
    found = people_near(hazards(ring), ones, within_m=within_m)[0]
    hole = {0: 58**2, 1_000: (58 - 20) ** 2}[within_m]
    outer = {0: 3_600, 1_000: 3_600 + 4 * 60 * 10 + np.pi * 100}[within_m]
    assert found == pytest.approx(outer - hole, rel=2e-3)


def test_inside_of_a_large_area_counts_also_far_from_its_outline(ones):
    large = at(10, 10, 90, 90)
    assert people_near(hazards(large), ones, within_m=100)[0] == pytest.approx(
        80**2 + 4 * 80 + np.pi, rel=1e-3
    )


def test_line_and_point_hazards_have_people_near_them_but_none_inside(ones):
    shapes = [LineString([(502_000, 1_995_000), (503_000, 1_995_000)]), Point(505_000, 1_995_000)]
    assert people_near(hazards(*shapes), ones, within_m=0).tolist() == [0, 0]
    near = people_near(hazards(*shapes), ones, within_m=100)
    assert near.tolist() == pytest.approx([20 + np.pi, np.pi], rel=2e-3)


def test_area_larger_than_a_plane_is_measured_in_tiles(tmp_path):
    wide = raster(
        tmp_path / "wide.tif",
        np.ones((10, 1_000), dtype="float32"),
        transform=Affine(100, 0, 450_000, 0, -100, 2_000_000),
    )
    belt = box(455_000, 1_999_400, 545_000, 1_999_600)  # 90 km x 200 m
    found = people_near(hazards(belt, at(0, 4, 2, 6)), wide, within_m=200)
    assert found.tolist() == pytest.approx([900 * 6 + np.pi * 4, 4 + 16 + np.pi * 4], rel=2e-3)
    fine = people_near(hazards(belt), wide, within_m=200, exact=True)
    assert found[0] == pytest.approx(fine[0], rel=1e-3)
    assert people_reached(hazards(belt, belt), wide, within_m=200) == pytest.approx(found[0], rel=1e-3)


@pytest.mark.parametrize("within_m", [300, 1_000])
def test_raster_in_degrees_or_rotated_gives_true_distances(tmp_path, within_m):
    """The circle is drawn on the ellipsoid, far north, in a raster of degrees that is turned as well."""
    lat = 55.0
    transform = Affine.translation(20.0, lat + 0.1) @ Affine.rotation(25) @ Affine.scale(1 / 1200, -1 / 1200)
    tilted = raster(tmp_path / "t.tif", np.ones((400, 400), dtype="float32"), transform=transform, crs=LONLAT)
    place = transform @ (200, 200)
    spot = Point(place)
    found = people_near(hazards(spot, crs=LONLAT), tilted, within_m=within_m)[0]
    ring = Geod(ellps="WGS84").fwd(*([v] * 720 for v in place), np.arange(0, 360, 0.5), [within_m] * 720)
    circle = gpd.GeoSeries([shapely.Polygon(np.column_stack(ring[:2]))], crs=LONLAT)
    assert found == pytest.approx(people_in(circle, tilted)[0], rel=2e-3)


@pytest.mark.parametrize("within_m", [0, 700])
@pytest.mark.parametrize(
    "flip", [Affine(1, 0, 0, 0, -1, 100), Affine(-1, 0, 100, 0, 1, 0), Affine(0, 1, 0, 1, 0, 0)]
)
def test_rasters_stored_upside_down_mirrored_or_on_their_side_count_the_same(tmp_path, town, flip, within_m):
    with rasterio.open(town.path) as file:
        values = file.read(1)
    col, row = np.meshgrid(np.arange(100) + 0.5, np.arange(100) + 0.5)
    c, r = (
        np.floor(v).astype(int)
        for v in (flip.a * col + flip.b * row + flip.c, flip.d * col + flip.e * row + flip.f)
    )
    turned = raster(tmp_path / "turned.tif", values[r, c], transform=NORTH_UP @ flip)
    areas = some_hazards(np.random.default_rng(11), 20)
    np.testing.assert_allclose(
        people_near(areas, turned, within_m=within_m),
        people_near(areas, town, within_m=within_m),
        rtol=5e-3,
        atol=1e-6,
    )


def test_density_is_multiplied_with_the_true_area_of_cells(tmp_path):
    """One person per km2 in cells of half a degree: as many people as the geodesic area has km2."""
    transform = Affine(0.5, 0, 10, 0, -0.5, 62)
    density = raster(
        tmp_path / "d.tif",
        np.ones((4, 4), dtype="float32"),
        transform=transform,
        crs=LONLAT,
        unit="people_per_km2",
    )
    cell = box(10.5, 61, 11, 61.5)
    along = shapely.segmentize(cell, 0.001)
    area_m2, _ = Geod(ellps="WGS84").geometry_area_perimeter(along)
    assert people_in(gpd.GeoSeries([cell], crs=LONLAT), density) == pytest.approx(
        [abs(area_m2) / 1e6], rel=1e-6
    )


@pytest.mark.parametrize(("crs", "transform"), [
    (CRS.from_epsg(3857), Affine(5_000, 0, 1_100_000, 0, -5_000, 8_700_000)),
    (UTM, Affine.translation(500_000, 6_800_000) @ Affine.rotation(20) @ Affine.scale(5_000, -5_000)),
    (LONLAT, Affine.translation(10, 61.5) @ Affine.rotation(20) @ Affine.scale(0.05, -0.05)),
])  # fmt: skip
def test_density_counts_land_also_in_stretched_and_turned_maps(tmp_path, crs, transform):
    density = raster(
        tmp_path / "m.tif",
        np.full((80, 90), 2, dtype="float32"),
        transform=transform,
        crs=crs,
        unit="people_per_km2",
    )
    corners = [transform @ p for p in ((20, 20), (60, 20), (60, 70), (20, 70))]
    layer = gpd.GeoSeries([shapely.Polygon(corners)], crs=crs).segmentize(transform.a / 20)
    km2 = abs(Geod(ellps="WGS84").geometry_area_perimeter(layer.to_crs(4326)[0])[0]) / 1e6
    assert people_in(layer, density) == pytest.approx([2 * km2], rel=2e-5)


def test_points_count_wholly_or_not_at_all():
    village = gpd.GeoDataFrame(
        {"people": [80, 300, np.nan, 7]},
        geometry=[Point(500_000, 2_000_000), Point(501_101, 2_000_000), Point(500_000, 2_000_000), None],
        crs=UTM,
    )
    field = hazards(box(499_900, 1_999_900, 500_100, 2_000_100))
    assert people_near(field, village, within_m=0).tolist() == [80]
    assert people_near(field, village, within_m=1_000).tolist() == [80]
    assert people_near(field, village, within_m=1_002).tolist() == [380]


def test_polygons_with_people_count_by_share_of_area():
    district = gpd.GeoDataFrame(
        {"people": [1_000]}, geometry=[box(500_000, 1_990_000, 510_000, 2_000_000)], crs=UTM
    )
    half = hazards(box(505_000, 1_980_000, 520_000, 2_010_000))
    assert people_near(half, district, within_m=0).tolist() == pytest.approx([500], rel=1e-3)
    near = people_near(hazards(Point(505_000, 1_995_000)), district)
    assert near.tolist() == pytest.approx([np.pi * 10], rel=3e-3)


def test_table_of_points_and_polygons_reaches_everyone_once():
    places = gpd.GeoDataFrame(
        {"people": [10, 100, 1_000]},
        geometry=[
            Point(500_000, 2_000_000),
            Point(520_000, 2_000_000),
            box(499_000, 1_999_000, 501_000, 2_001_000),
        ],
        crs=UTM,
    )
    twice = hazards(box(499_000, 1_999_000, 500_500, 2_001_000), box(499_500, 1_999_000, 501_000, 2_001_000))
    assert people_near(twice, places, within_m=0).tolist() == pytest.approx([760, 760], rel=1e-3)
    assert people_reached(twice, places, within_m=0) == pytest.approx(1_010, rel=1e-3)


@pytest.mark.parametrize("within_m", [0, 60, 1_000])
def test_reached_counts_everyone_once(town, within_m):
    areas = some_hazards(np.random.default_rng(4), 80)
    drawn = (
        areas.geometry if within_m == 0 else space.project(areas, space.study_crs(areas)).buffer(within_m, 64)
    )
    union = gpd.GeoSeries([shapely.union_all(drawn.to_numpy())], crs=drawn.crs)
    once = people_reached(areas, town, within_m=within_m)
    assert once == pytest.approx(people_in(union, town)[0], rel=2e-3)
    assert once <= people_near(areas, town, within_m=within_m).sum() * (1 + 1e-6)
    whole = people_in(gpd.GeoSeries([at(0, 0, 100, 100)], crs=UTM), town)[0]
    assert once <= whole * (1 + 1e-9)


@pytest.mark.parametrize("within_m", [0, 500])
def test_reached_adds_up_over_sets_that_lie_apart(town, within_m):
    areas = some_hazards(np.random.default_rng(5), 60)
    west = areas[areas.geometry.bounds.maxx < 504_000]
    east = areas[areas.geometry.bounds.minx > 506_000]
    both = pd.concat([west, east])
    parts = [people_reached(part, town, within_m=within_m) for part in (west, east)]
    assert people_reached(both, town, within_m=within_m) == pytest.approx(sum(parts), rel=1e-9)


@pytest.mark.parametrize("within_m", [0, 500])
def test_hazards_that_lie_twice_in_the_table_reach_nobody_new(town, within_m):
    areas = some_hazards(np.random.default_rng(6), 20)
    again = pd.concat([areas, areas], ignore_index=True)
    once = people_reached(areas, town, within_m=within_m)
    assert people_reached(again, town, within_m=within_m) == pytest.approx(once, rel=1e-9)


def test_wider_reach_never_counts_fewer(town):
    areas = some_hazards(np.random.default_rng(7), 40)
    counts = [people_near(areas, town, within_m=w) for w in (0, 10, 100, 500, 2_000, 5_000)]
    for near, far in itertools.pairwise(counts):
        assert (far >= near * (1 - 1e-4)).all()


@pytest.mark.parametrize("within_m", [0, 800])
def test_longitude_or_utm_gives_the_same_people(town, within_m):
    areas = some_hazards(np.random.default_rng(8), 40)
    utm = people_near(areas, town, within_m=within_m)
    degrees = people_near(areas.to_crs(4326), town, within_m=within_m)
    np.testing.assert_allclose(degrees, utm, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("within_m", [0, 800])
def test_each_hazard_alone_counts_as_in_the_table_and_in_any_order(town, within_m):
    areas = some_hazards(np.random.default_rng(9), 12)
    whole = people_near(areas, town, within_m=within_m)
    alone = pd.concat([people_near(areas.iloc[[k]], town, within_m=within_m) for k in range(12)])
    np.testing.assert_allclose(alone, whole, rtol=1e-12)
    turned = people_near(areas.iloc[::-1], town, within_m=within_m)
    assert turned.index.tolist() == list(range(11, -1, -1))
    np.testing.assert_allclose(turned.sort_index(), whole, rtol=1e-12)


def test_any_index_is_kept_and_inputs_are_unchanged(ones):
    areas = hazards(at(1, 1, 2, 2), None, at(3, 3, 4, 4), index=["c", "a", "b"])
    before = areas.copy()
    for within_m in (0, 500):
        assert people_near(areas, ones, within_m=within_m).index.tolist() == ["c", "a", "b"]
    assert areas.equals(before)
    assert "notes" not in areas.attrs


def test_hazard_without_geometry_is_unknown_and_noted(ones):
    found = people_near(hazards(at(1, 1, 2, 2), None, shapely.Polygon()), ones, within_m=0)
    assert found.tolist() == pytest.approx([1, np.nan, np.nan], nan_ok=True)
    assert texts(found) == ["2 hazards without geometry (H1, H2): not measured"]


@pytest.mark.parametrize("within_m", [0, 100])
def test_hazards_outside_the_raster_are_unknown_and_partly_outside_noted(ones, within_m):
    areas = hazards(at(-30, 5, -20, 6), at(-1, 5, 1, 6), at(50, 50, 51, 51))
    found = people_near(areas, ones, within_m=within_m)
    assert np.isnan(found[0])
    assert found[1] > 0
    assert texts(found) == [
        "1 hazard wholly outside the population raster (H0): people unknown",
        "1 hazard partly outside the population raster (H1): the known part counted",
    ]
    assert np.isnan(people_reached(areas.iloc[[0]], ones, within_m=within_m))


@pytest.mark.parametrize("within_m", [0, 100])
def test_hazard_over_cells_without_data_has_nobody_and_a_note(tmp_path, within_m):
    values = np.ones((50, 50), dtype="float32")
    values[:, :25] = -1
    half = raster(tmp_path / "half.tif", values, nodata=-1)
    found = people_near(hazards(at(5, 5, 6, 6), at(40, 5, 41, 6)), half, within_m=within_m)
    assert (found[0], found[1] > 0) == (0, True)
    assert texts(found) == ["1 hazard over cells without a value (H0): no population data, counted as 0"]


def test_negative_cells_count_nothing_and_are_counted(tmp_path):
    values = np.ones((10, 10), dtype="float32")
    values[0, :4] = -5
    found = people_near(hazards(at(0, 0, 10, 10)), raster(tmp_path / "n.tif", values), within_m=0)
    assert found.tolist() == pytest.approx([96])
    assert texts(found) == ["4 cells below 0 (4 % of those read): counted as no people"]


def test_invalid_outline_is_measured_after_repair_and_noted(ones):
    bow = shapely.Polygon(
        [(501_000, 1_999_000), (501_200, 1_998_800), (501_200, 1_999_000), (501_000, 1_998_800)]
    )
    found = people_near(hazards(bow), ones, within_m=0)
    assert found.tolist() == pytest.approx([2])
    assert texts(found) == ["1 hazard with an invalid outline (H0): measured after repair"]


def test_sliver_of_no_area_has_nobody_inside_and_no_note(ones):
    sliver = shapely.Polygon([(501_000, 1_999_000), (501_200, 1_999_000), (501_000, 1_999_000)])
    assert people_near(hazards(shapely.make_valid(sliver)), ones, within_m=0).tolist() == [0]


def test_no_hazards_give_no_rows_and_reach_nobody(ones):
    nobody = hazards()
    assert len(people_near(nobody, ones)) == 0
    assert people_reached(nobody, ones) == 0
    assert people_reached(hazards(None), ones) == 0


def test_layers_that_lie_apart_are_an_error_with_both_extents(ones):
    with pytest.raises(
        CRSError, match=r"hazards and population raster do not overlap: .*longitude 10.00 to 10.10"
    ):
        people_near(hazards(box(10, 10, 10.1, 10.1), crs=LONLAT), ones)


def test_layer_without_crs_is_an_error(ones):
    with pytest.raises(CRSError, match=r"hazards: .*crs="):
        people_near(hazards(at(0, 0, 1, 1), crs=None), ones)


@pytest.mark.parametrize("within_m", [-1, np.nan])
def test_distance_below_zero_is_refused(ones, within_m):
    for measure in (people_near, people_reached):
        with pytest.raises(DataError, match="within_m must be 0"):
            measure(hazards(at(0, 0, 1, 1)), ones, within_m=within_m)


def test_population_table_must_have_people_and_none_below_zero():
    field = hazards(at(0, 0, 1, 1))
    place = gpd.GeoDataFrame({"pop": [1]}, geometry=[Point(500_000, 2_000_000)], crs=UTM)
    with pytest.raises(DataError, match="no column 'people'"):
        people_near(field, place)
    with pytest.raises(DataError, match="1 rows have fewer than 0 people"):
        people_near(field, place.rename(columns={"pop": "people"}).assign(people=-3))
    with pytest.raises(DataError, match="a table with geometry is needed, not str"):
        people_near(field, "worldpop.tif")


def accidents(*points, crs=UTM):
    return gpd.GeoDataFrame({"accident_id": range(len(points))}, geometry=list(points), crs=crs)


def test_accident_counts_for_every_hazard_it_is_near():
    fields = hazards(at(0, 0, 2, 2), at(5, 0, 7, 2), at(200, 0, 202, 2), None)
    seen = accidents(Point(500_300, 1_999_900), Point(500_050, 1_999_950), Point(560_000, 1_999_950), None)
    found = accidents_near(fields, seen, within_m=250)
    assert found.tolist() == pytest.approx([2, 1, 0, np.nan], nan_ok=True)
    assert texts(found) == [
        "1 hazard without geometry (H3): not measured",
        "1 accident without a place: near no hazard",
        "1 accident of 4 near no hazard (within 250 m)",
    ]


def test_accident_on_the_outline_is_inside():
    assert accidents_near(hazards(at(0, 0, 2, 2)), accidents(Point(500_000, 1_999_900)), within_m=0)[0] == 1


def test_no_accidents_are_zero_not_unknown():
    assert accidents_near(hazards(at(0, 0, 2, 2)), accidents()).tolist() == [0]


def test_accidents_agree_with_measuring_every_pair():
    rng = np.random.default_rng(10)
    fields = some_hazards(rng, 30)
    seen = accidents(*shapely.points(rng.uniform([500_000, 1_990_000], [510_000, 2_000_000], (200, 2))))
    metric = space.study_crs(fields)
    far = shapely.distance(
        space.project(fields, metric).to_numpy()[:, None], space.project(seen, metric).to_numpy()[None]
    )
    for within_m in (0, 300, 1_000):
        assert (
            accidents_near(fields, seen, within_m=within_m).tolist() == (far <= within_m).sum(axis=1).tolist()
        )


def test_facilities_of_a_kind_are_counted():
    found = gpd.GeoDataFrame(
        {"kind": ["school", "clinic", "clinic"]},
        geometry=[Point(500_000, 2_000_000), Point(501_000, 2_000_000), Point(509_000, 2_000_000)],
        crs=UTM,
    )
    field = hazards(at(0, 0, 2, 2))
    assert facilities_near(field, found).tolist() == [2]
    assert facilities_near(field, found, kind="clinic").tolist() == [1]
    assert facilities_near(field, found, kind=["clinic", "school"], within_m=10_000).tolist() == [3]
    with pytest.raises(DataError, match=r"none is of kind hospital; there are: clinic, school"):
        facilities_near(field, found, kind="hospital")


@pytest.mark.parametrize("cell_m", [100, 730, 5_000, 1e6])
def test_blocks_keep_the_sum_and_the_middle_of_the_people(town, cell_m):
    cells = population_cells(town, cell_m=cell_m)
    with rasterio.open(town.path) as file:
        values = file.read(1).astype(float)
    rows, cols = np.indices(values.shape) + 0.5
    middle = [np.average(cols, weights=values), np.average(rows, weights=values)]
    assert cells["people"].sum() == pytest.approx(values.sum(), rel=1e-12)
    assert np.average(cells.geometry.x, weights=cells["people"]) == pytest.approx(500_000 + 100 * middle[0])
    assert np.average(cells.geometry.y, weights=cells["people"]) == pytest.approx(2_000_000 - 100 * middle[1])
    assert cells.crs == town.crs


def test_blocks_of_a_table_keep_the_sum_and_lie_between_its_places():
    place = [Point(500_010, 2_000_010), Point(500_030, 2_000_010), Point(540_000, 2_000_000), None]
    table = gpd.GeoDataFrame({"people": [30, 10, 5, 1]}, geometry=place, crs=UTM)
    cells = population_cells(table, cell_m=2_000)
    assert sorted(cells["people"]) == [5, 40]
    first = cells[cells["people"] == 40].geometry.iloc[0]
    assert (first.x, first.y) == pytest.approx((500_015, 2_000_010), abs=0.01)
    with pytest.raises(DataError, match="cell_m must be a positive number"):
        population_cells(table, cell_m=0)


@pytest.mark.shared
def test_accidents_inside_the_suspect_areas_of_bosnia(shared_data):
    folder = shared_data / "bih-mines-west"
    suspect = gpd.read_file(folder / "suspect_areas_simplyfied.geojson")
    seen = gpd.read_file(folder / "incidents.geojson")
    union = gpd.GeoSeries(
        [shapely.union_all(shapely.make_valid(suspect.geometry.dropna().to_numpy()))], crs=4326
    )
    assert accidents_near(union, seen, within_m=0).tolist() == [75]
    per_area = accidents_near(suspect, seen, within_m=0)
    assert any(t == "379 accidents of 454 near no hazard (within 0 m)" for t in texts(per_area))
    assert int(per_area.isna().sum()) == 1_254


@pytest.mark.shared
def test_people_of_aruba_are_all_reached_from_everywhere(shared_data):
    with rasterio.open(shared_data / "population-rasters" / "abw_ppp_2020_UNadj_constrained.tif") as file:
        aruba = PopulationRaster(
            path=file.name, crs=LONLAT, transform=file.transform, width=file.width, height=file.height,
            nodata=file.nodata,
        )  # fmt: skip
    left, bottom, right, top = aruba.bounds
    spots = hazards(
        *shapely.points(np.random.default_rng(0).uniform([left, bottom], [right, top], (50, 2))), crs=LONLAT
    )
    assert people_reached(spots, aruba, within_m=40_000) == pytest.approx(106_766, rel=1e-6)
    assert population_cells(aruba)["people"].sum() == pytest.approx(106_766, rel=1e-6)


def test_places_without_a_number_make_the_people_unknown_not_zero():
    spots = [
        shapely.Point(500_050, 2_000_050),
        shapely.Point(500_060, 2_000_050),
        shapely.Point(520_050, 2_000_050),
    ]
    places = gpd.GeoDataFrame({"people": [np.nan, 30.0, np.nan]}, geometry=spots, crs=32648)
    corners = (500_000, 520_000, 540_000)
    fields = gpd.GeoSeries([shapely.box(x, 2_000_000, x + 100, 2_000_100) for x in corners], crs=32648)
    near = people_near(fields, places, within_m=0)
    assert near.fillna(-1).tolist() == [30, -1, 0]
    assert [note.affected for note in near.attrs["notes"]] == [1, 1]
    assert people_in(fields, places)[0] == 30
