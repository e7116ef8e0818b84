"""District totals spread over rasters and settlements, and measured there."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine
from exactextract import exact_extract
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Point, box

from ccm_geo import space
from ccm_geo.demography import split_people
from ccm_geo.demography._cells import covered, outline
from ccm_geo.errors import CRSError, DataError
from ccm_geo.exposure import people_in, people_near, people_reached
from ccm_geo.io import read_admin, read_population
from ccm_geo.schemas import PopulationRaster, notes_of

UTM = "EPSG:32648"
CORNER = Affine(100, 0, 500_000, 0, -100, 2_000_000)


def raster(path, cells, transform=CORNER, crs=UTM, nodata=-99_999.0, **said):
    values = np.asarray(cells, dtype="float32")
    height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=1, dtype="float32",
        crs=crs, transform=transform, nodata=nodata,
    ) as file:  # fmt: skip
        file.write(values, 1)
    return read_population(path, **said)


def cells_of(layer):
    with rasterio.open(layer.path) as file:
        return file.read(layer.band, masked=True).filled(np.nan).astype(float)


def districts(areas, crs=UTM, **columns):
    return gpd.GeoDataFrame(columns, geometry=areas, crs=crs)


def cell_box(left, top, right, bottom):
    """Give an area by columns and rows of the raster at CORNER."""
    return box(500_000 + 100 * left, 2_000_000 - 100 * bottom, 500_000 + 100 * right, 2_000_000 - 100 * top)


def texts(found):
    return [note.text for note in notes_of(found)]


def random_areas(rng, count, spread=40):
    """Stars that overlap, cut cells and reach beyond the raster."""
    found = []
    for _ in range(count):
        angle = np.sort(rng.uniform(0, 2 * np.pi, 25))
        far = rng.uniform(2, 14, 25)
        middle = rng.uniform(0, spread, 2)
        found.append(
            shapely.make_valid(
                shapely.Polygon(np.column_stack([far * np.cos(angle), far * np.sin(angle)]) + middle)
            )
        )
    return found


def test_shares_of_cells_are_those_of_cutting_every_cell():
    rng = np.random.default_rng(3)
    hole = box(0.25, 0.5, 9.5, 9.75).difference(box(2, 2.5, 4.25, 7))
    col, row = np.meshgrid(np.arange(40), np.arange(40))
    grid = shapely.box(col, row, col + 1, row + 1)
    for shape in [*random_areas(rng, 8), hole, shapely.MultiPolygon([box(-3, 1, 1.5, 2), box(38, 3, 99, 4)])]:
        found = np.zeros((40, 40))
        for first in range(0, 40, 7):  # strips that cut the area
            block = covered(outline(shape, lambda xy: xy), first, min(7, 40 - first), 40)
            if block is not None:
                found[first : first + 7][block.rows, block.cols] += block.share
        assert found == pytest.approx(shapely.area(shapely.intersection(shape, grid)), abs=1e-9)


def test_people_go_where_the_weights_are(tmp_path):
    weights = raster(tmp_path / "w.tif", [[1, 3, 0, 2], [0, 0, 4, 4]])
    two = districts([cell_box(0, 0, 2, 2), cell_box(2, 0, 4, 2)], people=[80.0, 50.0])
    split = split_people(two, weights, path=tmp_path / "out.tif")
    assert isinstance(split, PopulationRaster)
    assert cells_of(split).tolist() == [[20, 60, 0, 10], [0, 0, 20, 20]]
    assert (split.unit, split.transform, split.crs) == ("people", weights.transform, weights.crs)
    assert people_in(two.geometry, split).tolist() == pytest.approx([80, 50])
    assert texts(split) == []
    with rasterio.open(split.path) as file:
        assert file.profile["tiled"]
        assert file.compression.name == "deflate"
        assert file.descriptions == ("people",)


def test_a_cell_cut_by_a_border_takes_from_both_sides_by_area(tmp_path):
    weights = raster(tmp_path / "w.tif", [[1, 1, 1]])
    two = districts([cell_box(0, 0, 1.25, 1), cell_box(1.25, 0, 3, 1)], people=[50.0, 70.0], name=["A", "B"])
    split = split_people(two, weights, path=tmp_path / "out.tif")
    # A gives 40 + 10, B gives 30 + 40: the cell between holds 40 people, of whom nothing tells the side
    assert cells_of(split)[0].tolist() == pytest.approx([40, 40, 40])
    # measured again, A has 40 + 40 / 4 = 50 and B 40 * 3 / 4 + 40 = 70
    assert people_in(two.geometry, split).tolist() == pytest.approx([50, 70])


def test_notes_say_how_far_a_measured_district_is_from_its_total(tmp_path):
    weights = raster(tmp_path / "w.tif", [[1, 1]])
    two = districts([cell_box(0, 0, 0.5, 1), cell_box(0.5, 0, 2, 1)], people=[100.0, 30.0], name=["A", "B"])
    split = split_people(two, weights, path=tmp_path / "out.tif")
    assert cells_of(split)[0].tolist() == pytest.approx([110, 20])
    # half of the first cell's 110 lies in A: 55 of 100, and 75 of B's 30
    assert people_in(two.geometry, split).tolist() == pytest.approx([55, 75])
    (text,) = texts(split)
    assert "from their totals by 90 people in sum (69.23%), A most, by 45 of 100" in text


@given(seed=st.integers(0, 10_000), turned=st.booleans())
@settings(max_examples=12, deadline=None)
def test_law_every_district_gives_its_total_and_the_whole_is_their_sum(tmp_path_factory, seed, turned):
    rng = np.random.default_rng(seed)
    folder = tmp_path_factory.mktemp("law")
    angle = Affine.rotation(25) if turned else Affine.identity()
    transform = CORNER @ angle
    weights = raster(folder / "w.tif", rng.gamma(0.3, 2, (40, 40)), transform=transform)
    shapes = shapely.transform(random_areas(rng, 4), lambda xy: np.column_stack(transform @ xy.T))
    table = districts(shapes, people=rng.uniform(1, 1e6, 4))
    whole = cells_of(split_people(table, weights, path=folder / "all.tif"))
    parts = [
        np.nan_to_num(cells_of(split_people(table.iloc[[k]], weights, path=folder / "one.tif")))
        for k in range(4)
    ]
    for part, people in zip(parts, table["people"], strict=True):
        assert part.sum() == pytest.approx(people, rel=1e-6)
    assert np.nansum(whole) == pytest.approx(table["people"].sum(), rel=1e-6)
    assert np.nan_to_num(whole) == pytest.approx(sum(parts), rel=1e-5, abs=1e-3)


def test_measured_totals_agree_with_exactextract_where_borders_follow_cells(tmp_path):
    rng = np.random.default_rng(1)
    weights = raster(
        tmp_path / "w.tif", rng.gamma(0.3, 2, (600, 700)), transform=Affine(0.001, 0, 102, 0, -0.001, 18),
        crs="EPSG:4326",
    )  # fmt: skip
    col, row = np.meshgrid(np.arange(0, 700, 100), np.arange(0, 600, 150))
    left, top = 102 + col.ravel() / 1_000, 18 - row.ravel() / 1_000
    table = districts(shapely.box(left, top - 0.15, left + 0.1, top), crs="EPSG:4326")
    table["people"] = rng.uniform(10, 1e5, len(table))
    split = split_people(table, weights, path=tmp_path / "out.tif")
    told = exact_extract(split.path, table, "sum", output="pandas")["sum"]
    assert told.to_numpy() == pytest.approx(table["people"].to_numpy(), rel=1e-6)
    assert people_in(table.geometry, split) == pytest.approx(table["people"].to_numpy(), rel=1e-6)


def test_strips_give_what_the_whole_gives(tmp_path, monkeypatch):
    rng = np.random.default_rng(2)
    weights = raster(tmp_path / "w.tif", rng.gamma(0.3, 2, (700, 40)))
    table = districts([cell_box(1.5, 0.5, 30, 650), cell_box(30, 10, 50, 699.5)], people=[1e5, 2e5])
    whole = cells_of(split_people(table, weights, path=tmp_path / "a.tif"))
    monkeypatch.setattr("ccm_geo.demography._grids._STRIP_CELLS", 1)
    assert cells_of(split_people(table, weights, path=tmp_path / "b.tif")) == pytest.approx(
        whole, nan_ok=True
    )


def test_a_district_of_nobody_is_zero_and_needs_no_note(tmp_path):
    weights = raster(tmp_path / "w.tif", [[0, 5, 2]])
    three = districts([cell_box(k, 0, k + 1, 1) for k in range(3)], people=[0, 0, 7])
    split = split_people(three, weights, path=tmp_path / "out.tif")
    assert cells_of(split).tolist() == [[0, 0, 7]]
    assert texts(split) == []


def test_districts_in_another_crs_and_rows_in_another_order_change_nothing(tmp_path):
    weights = raster(tmp_path / "w.tif", [[1, 3, 0, 2], [0, 0, 4, 4]])
    two = districts([cell_box(0, 0, 2, 2), cell_box(2, 0, 4, 2)], people=[80.0, 50.0])
    before = two.copy(deep=True)
    here = cells_of(split_people(two, weights, path=tmp_path / "a.tif"))
    moved = districts(space.to_lonlat(two), crs="EPSG:4326", people=two["people"]).iloc[::-1]
    assert cells_of(split_people(moved, weights, path=tmp_path / "b.tif")) == pytest.approx(here, abs=1e-4)
    pd.testing.assert_frame_equal(two, before)


def test_densities_weigh_by_the_size_of_cells_and_bare_districts_by_land(tmp_path):
    transform = Affine(10, 0, 0, 0, -10, 60)  # cells of ten degrees: the southern are larger
    cells = np.full((6, 1), 5.0)
    density = raster(tmp_path / "d.tif", cells, transform=transform, crs="EPSG:4326", unit="people_per_km2")
    bare = raster(tmp_path / "z.tif", cells * 0, transform=transform, crs="EPSG:4326")
    one = districts([box(0, 0, 10, 60)], crs="EPSG:4326", people=[1_000.0], name=["Nowhere"])
    land = space.cell_areas_m2(bare.crs, transform, (0, 0, 6, 1))
    by_density = split_people(one, density, path=tmp_path / "a.tif")
    evenly = split_people(one, bare, path=tmp_path / "b.tif")
    for split in (by_density, evenly):
        assert cells_of(split) == pytest.approx(1_000 * land / land.sum(), rel=1e-6)
    assert "1 district (Nowhere) with 1,000 people: no weight inside: spread evenly over the land" in texts(
        evenly
    )


def test_a_bare_district_can_stay_unknown(tmp_path):
    weights = raster(tmp_path / "w.tif", [[0, 0, 1]])
    two = districts([cell_box(0, 0, 2, 1), cell_box(2, 0, 3, 1)], people=[80.0, 50.0])
    split = split_people(two, weights, path=tmp_path / "out.tif", without_weight="unknown")
    assert np.isnan(cells_of(split)[0, :2]).all()
    assert cells_of(split)[0, 2] == 50
    assert "1 district (0) with 80 people: no weight inside: left unknown, not in the result" in texts(split)


def test_unknown_totals_and_cells_without_weight_stay_unknown_and_negative_weights_count_as_none(tmp_path):
    weights = raster(tmp_path / "w.tif", [[1, -99_999, -2, 3, 1]])
    two = districts([cell_box(0, 0, 4, 1), cell_box(4, 0, 5, 1)], people=[80.0, None], name=["A", "B"])
    split = split_people(two, weights, path=tmp_path / "out.tif")
    assert cells_of(split)[0].tolist() == pytest.approx([20, np.nan, 0, 60, np.nan], nan_ok=True)
    assert texts(split) == [
        "1 district (B) with 0 people: the number of people is blank: it stays unknown",
        "1 cell with a weight below 0: counted as no weight",
    ]


def test_what_lies_beside_the_raster_is_told(tmp_path):
    weights = raster(tmp_path / "w.tif", [[1, 1]])
    areas = [cell_box(1, 0, 4, 1), cell_box(5, 0, 6, 1), None, cell_box(0, 0, 2, 1)]
    table = districts(areas, people=[80.0, 30.0, 7.0, 10.0], name=["Edge", "Far", "Lost", "Both"])
    split = split_people(table, weights, path=tmp_path / "out.tif")
    assert cells_of(split)[0].tolist() == [5, 85]
    assert [text.split(";")[0] for text in texts(split)[:4]] == [
        "1 district (Lost) with 7 people: not an area: its people are not in the result",
        "1 district (Far) with 30 people: outside the raster: these people are not in the result",
        "1 district (Edge) with 80 people: partly outside the raster: all are spread over the part inside",
        "districts overlap in 1 cell: the people of each are counted there",
    ]


def test_women_and_men_become_bands_that_measures_take(tmp_path):
    weights = raster(tmp_path / "w.tif", [[1, 3]])
    one = districts([cell_box(0, 0, 2, 1)], women=[40.0], men=["1 200"])
    split = split_people(one, weights, columns=["women", "men"], path=tmp_path / "out.tif")
    assert list(split) == ["women", "men"]
    assert cells_of(split["women"])[0].tolist() == [10, 30]
    assert cells_of(split["men"])[0].tolist() == [300, 900]
    assert people_in(one.geometry, split["men"]).tolist() == [1_200]


def test_faults_are_named_all_at_once(tmp_path):
    weights = raster(tmp_path / "w.tif", [[1, 3]])
    one = districts([cell_box(0, 0, 2, 1)] * 2, people=[-4.0, 5], men=["many", "3"])
    with pytest.raises(DataError) as caught:
        split_people(one, weights, columns=["people", "men", "girls"], path=tmp_path / "out.tif")
    assert caught.value.failures == (
        "row 1, people is below 0; correct it",
        "row 1, men is not a number; correct it, or leave it blank where it is unknown",
        "there is no column 'girls' of people; the columns are 'people', 'men'",
    )
    good = one.assign(people=1.0)
    with pytest.raises(DataError, match="name the GeoTIFF to write with path="):
        split_people(good, weights)
    with pytest.raises(DataError, match=r"path= names 'out\.csv'; a GeoTIFF is written"):
        split_people(good, weights, path=tmp_path / "out.csv")
    with pytest.raises(DataError, match=r"path= names 'w\.tif', over which people are spread"):
        split_people(good, weights, path=tmp_path / "w.tif")
    with pytest.raises(DataError, match="blank='zero' is unknown; it is 'unknown' or 'median'"):
        split_people(good, weights, path=tmp_path / "out.tif", blank="zero")
    with pytest.raises(DataError, match="districts: a table with geometry is needed, not DataFrame"):
        split_people(pd.DataFrame(good), weights, path=tmp_path / "out.tif")
    with pytest.raises(CRSError, match="districts and population do not overlap"):
        split_people(good.set_crs("EPSG:32638", allow_override=True), weights, path=tmp_path / "out.tif")
    assert not (tmp_path / "out.tif").exists()


def test_a_failed_split_leaves_the_old_file(tmp_path):
    weights = raster(tmp_path / "w.tif", [[1, 3]])
    one = districts([cell_box(0, 0, 2, 1)], people=[4.0])
    (tmp_path / "out.tif").write_text("old")
    (tmp_path / "w.tif").write_text("broken")
    with pytest.raises(OSError, match="the raster cannot be opened"):
        split_people(one, weights, path=tmp_path / "out.tif")
    assert (tmp_path / "out.tif").read_text() == "old"


VILLAGES = gpd.GeoDataFrame(
    {"name": list("abcdef"), "people": [10, 30, None, 100, None, 5]},
    geometry=[Point(1, 1), Point(2, 1), Point(3, 1), Point(11, 1), Point(31, 1), Point(99, 1)],
    crs="EPSG:4326",
    index=list("uvwxyz"),
)
PROVINCES = gpd.GeoDataFrame(
    {"name": ["West", "East", "Blank", "Far"], "people": [120.0, 50, 60, 8], "women": [60.0, 20, 30, 4]},
    geometry=[box(0, 0, 10, 2), box(10, 0, 20, 2), box(30, 0, 40, 2), box(40, 0, 50, 2)],
    crs="EPSG:4326",
)


def test_settlements_share_the_people_of_their_district_and_blank_ones_count_as_the_median():
    split = split_people(PROVINCES, VILLAGES, columns=["people", "women"], blank="median")
    villages = split.loc[list("uvwxyz")]
    # West: weights 10, 30 and the median 20; Blank knows none: all its people go to its only village
    assert villages["people"].tolist() == pytest.approx([20, 60, 40, 50, 60, np.nan], nan_ok=True)
    assert villages["women"].tolist() == pytest.approx([10, 30, 20, 20, 30, np.nan], nan_ok=True)
    assert villages["split_assumed"].tolist() == [False, False, True, False, True, False]
    assert villages["split_weight"].tolist() == [10, 30, 20, 100, 20, 5]
    assert split.loc["district 3", ["people", "women", "name"]].tolist() == [8, 4, "Far"]
    assert split["people"].sum() == PROVINCES["people"].sum()
    assert split["women"].sum() == PROVINCES["women"].sum()
    assert texts(split) == [
        "1 district (Far) with 8 people: no weight inside: spread evenly over the land, as an area",
        "1 settlement in no district: people unknown",
        "2 settlements of blank weight, taken as the median of the district (else of all): 100 people",
    ]
    assert people_in(PROVINCES.geometry, split) == pytest.approx(PROVINCES["people"].to_numpy())
    assert not any(text.endswith(".") for text in texts(split))


def test_blank_settlements_and_bare_districts_can_stay_unknown():
    split = split_people(PROVINCES, VILLAGES, without_weight="unknown")
    assert split.index.tolist() == list("uvwxyz")
    assert split["people"].tolist() == pytest.approx([30, 90, np.nan, 50, np.nan, np.nan], nan_ok=True)
    assert not split["split_assumed"].any()
    assert texts(split) == [
        "2 districts (Blank, Far) with 68 people: no weight inside: left unknown, not in the result",
        "1 settlement in no district: people unknown",
        "2 settlements of blank weight: people unknown, the others share the whole total",
    ]


def test_unknown_totals_leave_settlements_unknown_and_the_rest_as_it_is():
    blank = PROVINCES.assign(people=[None, 50, 60, 8])
    split = split_people(blank, VILLAGES, blank="median", without_weight="unknown")
    assert split["people"].tolist() == pytest.approx([np.nan] * 3 + [50, 60, np.nan], nan_ok=True)
    assert split["name"].tolist() == VILLAGES["name"].tolist()


def test_settlements_as_areas_numbered_rows_and_another_weight_column():
    areas = VILLAGES.reset_index(drop=True).iloc[:4]
    areas = areas.set_geometry(shapely.buffer(areas.geometry.to_numpy(), 0.1)).assign(houses=[1, 1, 2, 5])
    split = split_people(PROVINCES, areas, weight="houses")
    assert split["people"].tolist() == [30, 30, 60, 50, 60, 8]
    assert split.index.tolist() == list(range(6))
    assert split.geom_type.tolist() == ["Polygon"] * 6
    with pytest.raises(DataError, match="path= is where a raster is written"):
        split_people(PROVINCES, areas, path="x.tif")


def by_sex(layer, columns):
    return {name: layer.assign(people=layer[name]) for name in columns}


def test_settlements_with_women_girls_boys_and_men_are_measured_in_one_call():
    read = read_population(
        pd.DataFrame(
            {
                "lon": [102.0, 102.1, 102.105], "lat": [18.0, 18.0, 18.0], "people": [100, 50, 9],
                "women": ["30", "20", "3"], "Girls": ["20", "5", ""], "boys": ["20", "5", "n/a"],
                "men": ["30", "20", "2"],
            }
        )
    )  # fmt: skip
    layers = by_sex(read, ["women", "girls", "boys", "men"])
    areas = districts([box(101.999, 17.999, 102.001, 18.001), box(102.099, 17.999, 102.101, 18.001)], 4326)
    found = people_near(areas, layers, within_m=1_000)
    assert list(found) == ["women_near", "girls_near", "boys_near", "men_near"]
    assert found.to_numpy().tolist() == [[30, 20, 20, 30], [23, 5, 5, 22]]
    assert any("some have no number of people" in text for text in texts(found))
    assert people_near(areas, read, within_m=1_000).tolist() == [100, 59]


def test_district_totals_by_sex_reach_the_measure_over_settlements_and_over_a_raster(tmp_path):
    weights = raster(tmp_path / "w.tif", np.ones((40, 40)))
    one = districts([cell_box(0, 0, 40, 40)], women=[800.0], men=[1_600.0])
    areas = districts([cell_box(10, 10, 14, 14)])
    rasters = split_people(one, weights, columns=["women", "men"], path=tmp_path / "out.tif")
    by_raster = people_near(areas, rasters, within_m=0)
    assert by_raster.loc[0].tolist() == pytest.approx([8, 16])  # 16 of 1,600 cells
    spots = districts([cell_box(12, 12, 12.01, 12.01).centroid, cell_box(30, 30, 30.01, 30.01).centroid])
    villages = split_people(one, spots.assign(people=[3, 1]), columns=["women", "men"])
    by_table = people_near(areas, by_sex(villages, ["women", "men"]), within_m=0)
    assert by_table.loc[0].tolist() == [600, 1_200]


def test_points_areas_and_tables_with_lon_and_lat_count_alike_as_population():
    square = box(102.0, 18.0, 102.001, 18.001)
    hazard = districts([box(101.99, 17.99, 102.01, 18.01)], 4326)
    point = read_population(pd.DataFrame({"lon": [102.0005], "lat": [18.0005], "population": ["1 200"]}))
    area = read_population(districts([square], 4326, population=["1 200"]))
    for people in (point, area):
        assert people_near(hazard, people, within_m=500).tolist() == pytest.approx([1_200])
        assert people_reached(hazard, people, within_m=500) == pytest.approx(1_200)


@pytest.mark.parametrize("blank", ["unknown", "median"])
def test_every_district_of_many_settlements_keeps_its_total(blank):
    rng = np.random.default_rng(5)
    many = gpd.GeoDataFrame(
        {"people": np.where(rng.random(2_000) < 0.3, np.nan, rng.gamma(1, 500, 2_000))},
        geometry=shapely.points(rng.uniform(0, 20, (2_000, 2)) * [1, 0.1]), crs="EPSG:4326",
    )  # fmt: skip
    joined = split_people(PROVINCES.iloc[:2], many, blank=blank).sjoin(PROVINCES[["name", "geometry"]])
    assert joined.groupby("name")["people"].sum().to_dict() == pytest.approx({"West": 120, "East": 50})


@pytest.mark.shared
def test_people_of_madagascar_spread_again_over_their_own_raster(shared_data, tmp_path):
    people = read_population(shared_data / "population-rasters" / "mdg_population.tif")
    left, bottom, right, top = people.bounds
    edges = np.linspace(left, right, 5)
    strips = gpd.GeoDataFrame(geometry=shapely.box(edges[:-1], bottom, edges[1:], top), crs=people.crs)
    strips["people"] = people_in(strips.geometry, people)
    split = split_people(strips, people, path=tmp_path / "mdg.tif")
    assert np.nansum(cells_of(split)) == pytest.approx(strips["people"].sum(), rel=1e-6)
    assert strips["people"].sum() == pytest.approx(23_764_992, rel=1e-5)
    assert people_in(strips.geometry, split) == pytest.approx(strips["people"].to_numpy(), rel=1e-3)


@pytest.mark.shared
def test_oblast_totals_over_the_settlements_of_kharkiv(shared_data):
    villages = read_population(shared_data / "ukr-kharkiv-settlements" / "kharkiv_settlements_points.geojson")
    oblasts = read_admin(shared_data / "ukr-oblast" / "oblast.geojson")
    inside = oblasts[oblasts.intersects(villages.geometry.union_all())].assign(people=1_000_000.0)
    split = split_people(inside, villages)
    assert split["people"].sum() == pytest.approx(1_000_000 * len(inside))
    assert split.index[: len(villages)].equals(villages.index)
