"""Several distances, rasters, groups and executors in one call: the same as one by one, and the laws."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine
from pyproj import CRS
from shapely import Point, box

from ccm_geo.errors import CRSError, DataError, SourceError
from ccm_geo.exposure import people_first_reached, people_in, people_near, people_reached, tiles
from ccm_geo.io import read_population
from ccm_geo.schemas import PopulationRaster, notes_of

UTM = CRS.from_epsg(32648)
LONLAT = CRS.from_epsg(4326)
NORTH_UP = Affine(100, 0, 500_000, 0, -100, 2_000_000)
BANDS = (0, 100, 500, 1_000)


def raster(path, *values, transform=NORTH_UP, crs=UTM, nodata=None, unit="people", **profile):
    """Write a file of one band or several; give one raster, or a list of them by band."""
    height, width = values[0].shape
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=len(values), dtype=values[0].dtype,
        crs=crs, transform=transform, nodata=nodata, **profile,
    ) as out:  # fmt: skip
        out.write(np.stack(values))
    found = [
        PopulationRaster(
            path=str(path), crs=crs, transform=transform, width=width, height=height, nodata=nodata,
            unit=unit, band=k + 1,
        )
        for k in range(len(values))
    ]  # fmt: skip
    return found if len(found) > 1 else found[0]


def at(left, top, right, bottom):
    """A box in columns and rows of the north-up raster of 100 m cells."""
    return box(500_000 + 100 * left, 2_000_000 - 100 * bottom, 500_000 + 100 * right, 2_000_000 - 100 * top)


def hazards(*shapes, crs=UTM, **columns):
    names = [f"H{k}" for k in range(len(shapes))]
    return gpd.GeoDataFrame({"hazard_id": names, **columns}, geometry=list(shapes), crs=crs)


def some_hazards(seed, count=30):
    """Stars of 50 to 1,500 m across on 10 km x 10 km, each in one of four districts and years, or none."""
    rng = np.random.default_rng(seed)
    shapes = []
    for _ in range(count):
        angle = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(4, 40)))
        radius = np.exp(rng.uniform(np.log(25), np.log(750))) * rng.uniform(0.2, 1, len(angle))
        x, y = rng.uniform(0, 10_000, 2)
        ring = np.column_stack([x + radius * np.cos(angle), y - 10_000 + radius * np.sin(angle)])
        shapes.append(shapely.make_valid(shapely.Polygon(ring + np.array([500_000, 2_000_000]))))
    return hazards(
        *shapes, adm1=rng.choice(["A", "B", "C"], count), year=rng.choice([2027, 2028, 2029, np.nan], count)
    )


def texts(measure):
    return [note.text for note in notes_of(measure)]


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """Women, girls and men on the same cells, in files of different blocks, with holes in one of them."""
    rng, folder = np.random.default_rng(1), tmp_path_factory.mktemp("crowd")
    values = rng.gamma(0.3, 30, (3, 100, 100)).astype("float32")
    values[1][rng.random((100, 100)) < 0.1] = -99
    return {
        "women": raster(folder / "women.tif", values[0], tiled=True, blockxsize=16, blockysize=32),
        "girls": raster(folder / "girls.tif", values[1], nodata=-99, blockysize=3),
        "men": raster(folder / "men.tif", values[2].astype("float64")),
    }


def test_bands_are_those_of_single_calls_and_add_up(crowd):
    areas, people = some_hazards(2), crowd["women"]
    bands = people_near(areas, people, within_m=BANDS)
    assert bands.columns.tolist() == [
        "people_inside", "people_0_100m", "people_100_500m", "people_500_1000m",
    ]  # fmt: skip
    assert bands.index.equals(areas.index)
    for k, within_m in enumerate(BANDS):
        single = people_near(areas, people, within_m=within_m)
        np.testing.assert_allclose(bands.iloc[:, : k + 1].sum(axis=1), single, rtol=1e-12, atol=1e-9)
    assert (bands >= 0).all(axis=None)


def test_innermost_band_without_zero_holds_those_inside(crowd):
    areas = some_hazards(3, 5)
    bands = people_near(areas, crowd["women"], within_m=[250, 2_500])
    assert bands.columns.tolist() == ["people_within_250m", "people_250_2500m"]
    pd.testing.assert_series_equal(
        bands["people_within_250m"],
        people_near(areas, crowd["women"], within_m=250),
        check_names=False,
    )
    assert people_near(areas, crowd["women"], within_m=[250]).columns.tolist() == ["people_within_250m"]


def test_several_rasters_give_each_what_it_gives_alone(crowd):
    areas = some_hazards(4)
    near = people_near(areas, crowd)
    assert near.columns.tolist() == ["women_near", "girls_near", "men_near"]
    both = people_near(areas, crowd, within_m=(0, 700))
    assert both.columns.tolist()[:3] == ["women_inside", "women_0_700m", "girls_inside"]
    for name, people in crowd.items():
        np.testing.assert_allclose(near[f"{name}_near"], people_near(areas, people), rtol=1e-12)
        inside = people_near(areas, people, within_m=0)
        np.testing.assert_allclose(both[f"{name}_inside"], inside, rtol=1e-12)
        whole = both[[f"{name}_inside", f"{name}_0_700m"]].sum(axis=1)
        np.testing.assert_allclose(whole, people_near(areas, people, within_m=700), rtol=1e-12)


@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_bands_of_one_file_are_told_apart(tmp_path, interleave):
    values = [np.full((20, 20), k, dtype="float32") for k in (1, 10, 100)]
    one, ten, hundred = raster(tmp_path / "bands.tif", *values, interleave=interleave)
    found = people_near(hazards(at(2, 2, 4, 4)), {"c": hundred, "a": one, "b": ten}, within_m=0)
    assert found.iloc[0].tolist() == pytest.approx([400, 4, 40])
    with rasterio.open(one.path) as file:
        assert file.count == 3
    assert read_population(one.path, band=3).band == 3


LAYOUTS = [
    ("degrees", LONLAT, Affine(1 / 1200, 0, 105, 0, -1 / 1200, 18.1), {}),
    ("turned", UTM, Affine.translation(500_000, 2_000_000) @ Affine.rotation(33) @ Affine.scale(90, -90), {}),
    ("upside down", UTM, Affine(100, 0, 500_000, 0, 100, 1_990_000), {}),
    ("blocks", UTM, NORTH_UP, {"tiled": True, "blockxsize": 32, "blockysize": 16, "compress": "deflate"}),
    ("stripes", UTM, NORTH_UP, {"blockysize": 100, "compress": "lzw"}),
]


@pytest.mark.parametrize("unit", ["people", "people_per_km2"])
@pytest.mark.parametrize(
    ("crs", "transform", "profile"), [one[1:] for one in LAYOUTS], ids=[one[0] for one in LAYOUTS]
)
def test_any_layout_gives_several_rasters_and_distances_what_each_gives_alone(
    tmp_path, monkeypatch, crs, transform, profile, unit
):
    rng = np.random.default_rng(5)
    values = rng.gamma(0.3, 30, (2, 100, 120)).astype("float32")
    values[1][rng.random((100, 120)) < 0.2] = np.nan
    names = ("w", "m")
    files = [tmp_path / f"{name}.tif" for name in names]
    people = {
        name: raster(file, grid, crs=crs, transform=transform, unit=unit, **profile)
        for name, file, grid in zip(names, files, values, strict=True)
    }
    middle = Point(transform @ (60, 50))
    spots = gpd.GeoSeries([middle] * 8, crs=crs).to_crs(UTM)
    moved = [
        shapely.affinity.translate(spot.buffer(rng.uniform(50, 900), 3), *rng.uniform(-4e3, 4e3, 2))
        for spot in spots
    ]
    areas = hazards(*moved, by=list("AABBCCAB"))
    one = {name: people_near(areas, layer, within_m=600) for name, layer in people.items()}
    monkeypatch.setattr(tiles, "TILE_BYTES", 100_000)
    bands = people_near(areas, people, within_m=(0, 600))
    reached = people_reached(areas, people, within_m=600, by="by")
    for name, layer in people.items():
        whole = bands[[f"{name}_inside", f"{name}_0_600m"]].sum(axis=1)
        np.testing.assert_allclose(whole, one[name], rtol=1e-12)
        for label, group in areas.groupby("by"):
            alone = people_reached(group, layer, within_m=600)
            assert reached.loc[label, f"{name}_reached"] == pytest.approx(alone, rel=1e-9)


def test_rasters_of_different_grids_are_refused_by_name(crowd, tmp_path):
    shifted = raster(
        tmp_path / "s.tif", np.ones((100, 100), "float32"), transform=NORTH_UP @ Affine.translation(0.5, 0)
    )
    with pytest.raises(DataError, match=r"cells of raster 'boys' .*are not those of 'women' .*gdalwarp"):
        people_near(some_hazards(1, 2), {**crowd, "boys": shifted})


def test_mappings_must_hold_something_and_of_one_kind(crowd):
    place = gpd.GeoDataFrame({"people": [1]}, geometry=[Point(500_000, 2_000_000)], crs=UTM)
    areas = some_hazards(1, 2)
    with pytest.raises(DataError, match="the mapping is empty"):
        people_near(areas, {})
    with pytest.raises(DataError, match="rasters and tables are mixed"):
        people_near(areas, {"women": crowd["women"], "men": place})


@pytest.mark.parametrize("within_m", [(500, 100), (100, 100), ()])
def test_distances_must_rise(crowd, within_m):
    with pytest.raises(DataError, match="distances must rise"):
        people_near(some_hazards(1, 2), crowd["women"], within_m=within_m)


@pytest.mark.parametrize("within_m", [(0, -1), (0, np.nan), np.inf, ("far",)])
def test_distances_must_be_numbers_of_metres(crowd, within_m):
    for measure in (people_near, people_reached):
        with pytest.raises(DataError, match="within_m must be 0"):
            measure(some_hazards(1, 2), crowd["women"], within_m=within_m)


def test_hazard_beside_the_raster_has_unknown_people_inside_and_known_ones_near(tmp_path):
    ones = raster(tmp_path / "ones.tif", np.ones((50, 50), dtype="float32"))
    bands = people_near(hazards(at(-4, 10, -2, 12), None, at(5, 5, 6, 6)), ones, within_m=(0, 1_000))
    assert bands.isna().to_numpy().tolist() == [[True, False], [True, True], [False, False]]
    single = people_near(hazards(at(-4, 10, -2, 12)), ones)
    assert bands.loc[0].sum() == pytest.approx(single[0])
    assert texts(bands) == [
        "1 hazard without geometry (H1): not measured",
        "1 hazard wholly outside the population raster within 0 m (H0): people unknown",
        "2 hazards partly outside the population raster within 1000 m (H0, H2): the known part counted",
    ]


def test_notes_name_the_raster_where_rasters_differ(tmp_path):
    full, half = np.ones((2, 50, 50), dtype="float32")
    half[:, :25], half[0, 30] = -9, -1
    people = {
        "women": raster(tmp_path / "w.tif", full, nodata=-9),
        "men": raster(tmp_path / "m.tif", half, nodata=-9),
    }
    found = people_near(hazards(at(5, 5, 6, 6), at(29, 0, 31, 2)), people, within_m=0)
    assert texts(found) == [
        "1 hazard over cells 'men' without a value (H0): no population data, counted as 0",
        "1 cell of 'men' below 0 (0.04 % of those read): counted as no people",
    ]


def test_raster_of_nothing_but_nodata_is_named_as_such(tmp_path):
    void = raster(tmp_path / "void.tif", np.full((30, 30), -9, dtype="float32"), nodata=-9)
    near = people_near(hazards(at(5, 5, 6, 6)), void, within_m=0)
    assert near.tolist() == [0]
    assert texts(near)[-1].startswith("none of the 900 cells read has a value: nobody is counted; check the")


def test_raster_without_crs_is_refused_with_the_cure(tmp_path):
    bare = PopulationRaster(path=str(tmp_path / "b.tif"), crs=None, transform=NORTH_UP, width=9, height=9)
    with pytest.raises(CRSError, match=r"the raster 'people' has no coordinate reference system.*crs="):
        people_near(hazards(at(5, 5, 6, 6)), bare)


def test_each_group_counts_everyone_once(crowd):
    areas, people = some_hazards(6, 40), crowd["women"]
    for within_m in (0, 500):
        by = people_reached(areas, people, within_m=within_m, by="adm1")
        assert (by.name, by.index.tolist(), by.index.name) == ("people_reached", ["A", "B", "C"], "adm1")
        for label, group in areas.groupby("adm1"):
            assert by[label] == pytest.approx(people_reached(group, people, within_m=within_m), rel=1e-9)
        once = people_reached(areas, people, within_m=within_m)
        everyone = people_in(gpd.GeoSeries([at(0, 0, 100, 100)], crs=UTM), people)[0]
        assert by.max() <= once <= min(by.sum(), everyone) * (1 + 1e-9)


def test_groups_that_lie_apart_add_up_to_everyone_once(crowd):
    areas = some_hazards(7, 60)
    bounds = areas.geometry.bounds
    areas = areas[(bounds.maxx < 504_000) | (bounds.minx > 506_000)]
    side = np.where(areas.geometry.bounds.maxx < 505_000, "west", "east")
    for within_m in (0, 500):
        by = people_reached(areas, crowd["women"], within_m=within_m, by=side)
        assert by.index.tolist() == ["east", "west"]
        assert by.sum() == pytest.approx(people_reached(areas, crowd["women"], within_m=within_m), rel=1e-9)


def test_record_on_two_map_sheets_counts_once_in_its_group(crowd):
    areas = some_hazards(8, 10)
    again = pd.concat([areas, areas.iloc[:5]], ignore_index=True)
    for within_m in (0, 400):
        once, twice = (people_reached(a, crowd["men"], within_m=within_m, by="adm1") for a in (areas, again))
        np.testing.assert_allclose(twice, once, rtol=1e-9)


def test_reached_in_bands_and_layers_is_a_series_and_by_group_a_table(crowd):
    areas, pair = some_hazards(9, 15), {name: crowd[name] for name in ("women", "men")}
    bands = people_reached(areas, pair, within_m=(0, 300, 900))
    assert bands.index.tolist()[:4] == ["women_inside", "women_0_300m", "women_300_900m", "men_inside"]
    assert bands.iloc[:3].sum() == pytest.approx(people_reached(areas, pair["women"], within_m=900))
    assert bands.iloc[3:5].sum() == pytest.approx(people_reached(areas, pair["men"], within_m=300))
    named = people_reached(areas, pair)
    assert named.index.tolist() == ["women_reached", "men_reached"]
    table = people_reached(areas, pair, within_m=(0, 300, 900), by="adm1")
    assert table.columns.tolist() == bands.index.tolist()
    for label, group in areas.groupby("adm1"):
        np.testing.assert_allclose(
            table.loc[label], people_reached(group, pair, within_m=(0, 300, 900)), rtol=1e-6, atol=1e-6
        )


def test_hazards_without_a_label_are_in_no_group_and_noted(crowd):
    areas = some_hazards(10, 12)
    by = people_reached(areas, crowd["women"], by="year")
    assert by.index.tolist() == [2027, 2028, 2029]
    none = areas["year"].isna()
    assert any(t.startswith(f"{none.sum()} hazards without year (H") for t in texts(by))
    nobody = people_reached(areas, crowd["women"], by=[None] * 12)
    assert len(nobody) == 0


def test_group_without_geometry_reaches_nobody_and_one_outside_is_unknown(crowd):
    areas = hazards(None, at(-90, 5, -80, 6), at(5, 5, 6, 6), kind=["none", "out", "in"])
    for within_m in (0, 100):
        by = people_reached(areas, crowd["women"], within_m=within_m, by="kind")
        assert by.index.tolist() == ["in", "none", "out"]
        assert by["in"] > 0
        assert by["none"] == 0
        assert np.isnan(by["out"])


def test_labels_come_as_a_column_a_list_or_a_series_on_the_index(crowd):
    areas = some_hazards(11, 8).set_index(pd.Index(list("hgfedcba")))
    by = people_reached(areas, crowd["women"], by="adm1")
    for labels in (areas["adm1"].tolist(), areas["adm1"].to_numpy(), areas["adm1"].iloc[::-1]):
        assert people_reached(areas, crowd["women"], by=labels).tolist() == by.tolist()
    order = pd.Categorical(areas["adm1"], categories=["C", "X", "B", "A"], ordered=True)
    assert people_reached(areas, crowd["women"], by=pd.Series(order, areas.index)).index.tolist() == [
        "C", "B", "A",
    ]  # fmt: skip


def test_labels_that_do_not_fit_are_refused(crowd):
    areas = some_hazards(11, 3)
    with pytest.raises(DataError, match="there is no column 'adm9'"):
        people_reached(areas, crowd["women"], by="adm9")
    with pytest.raises(DataError, match="by: 2 labels for 3 hazards"):
        people_reached(areas, crowd["women"], by=[1, 2])
    with pytest.raises(DataError, match="not on the index of the hazards"):
        people_reached(areas, crowd["women"], by=pd.Series([1, 2, 3], index=["x", "y", "z"]))


@pytest.mark.parametrize("within_m", [0, 500, (0, 500)])
def test_first_reached_is_what_each_year_adds(crowd, within_m):
    areas = some_hazards(12, 60)
    first = people_first_reached(areas, crowd["women"], by="year", within_m=within_m)
    before = 0
    for year in first.index:
        until = people_reached(areas[areas["year"] <= year], crowd["women"], within_m=within_m)
        np.testing.assert_allclose(first.loc[year], until - before, rtol=1e-6, atol=1e-6)
        before = until
    assert first.to_numpy().sum() == pytest.approx(np.sum(before), rel=1e-9)
    assert (first.to_numpy() >= -1e-9).all()


def test_someone_near_two_areas_counts_in_the_first_year_alone(tmp_path):
    ones = raster(tmp_path / "ones.tif", np.ones((40, 40), dtype="float32"))
    areas = hazards(at(0, 0, 10, 10), at(5, 0, 15, 10), at(0, 0, 15, 10), year=[2028, 2027, 2029])
    assert people_first_reached(areas, ones, by="year", within_m=0).tolist() == pytest.approx([100, 50, 0])
    assert people_reached(areas, ones, by="year", within_m=0).tolist() == pytest.approx([100, 100, 150])


def test_tables_of_places_answer_bands_layers_and_groups():
    spot = [Point(500_000, 2_000_000), Point(500_400, 2_000_000), Point(503_000, 2_000_000)]
    women = gpd.GeoDataFrame({"people": [1, 10, 100]}, geometry=spot, crs=UTM)
    district = gpd.GeoDataFrame({"people": [400]}, geometry=[box(5e5, 19.9e5, 5.02e5, 20.1e5)], crs=UTM)
    areas = hazards(
        box(499_900, 1_999_900, 500_100, 2_000_100), box(500_300, 1_999_900, 500_350, 2_000_100),
        year=[2028, 2027],
    )  # fmt: skip
    bands = people_near(areas, women, within_m=(0, 60, 500))
    assert bands.to_numpy().tolist() == [[1, 0, 10], [0, 10, 1]]
    assert people_reached(areas, women, within_m=(0, 60, 500)).tolist() == [1, 10, 0]
    assert people_reached(areas, women, within_m=500, by="year").to_dict() == {2027: 11, 2028: 11}
    assert people_first_reached(areas, women, within_m=500, by="year").to_dict() == {2027: 11, 2028: 0}
    both = people_near(areas, {"women": women, "all": district}, within_m=0)
    assert both["all_near"].tolist() == pytest.approx([400 * 2e4 / 4e7, 400 * 1e4 / 4e7], rel=1e-3)
    first = people_first_reached(pd.concat([areas, areas]), district, within_m=500, by="year")
    whole = people_reached(areas, district, within_m=500)
    assert first.sum() == pytest.approx(whole, rel=1e-9)
    assert first[2027] == pytest.approx(people_reached(areas.iloc[[1]], district, within_m=500), rel=1e-9)


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.fixture(scope="module")
def dask():
    try:
        import distributed  # noqa: PLC0415 - an optional extra
    except ImportError:
        (pytest.fail if os.environ.get("CCM_GEO_REQUIRE_ALL") == "1" else pytest.skip)("Dask is not here")
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client.get_executor()


@pytest.fixture(scope="module")
def threads():
    with ThreadPoolExecutor(3) as pool:
        yield pool


@pytest.fixture(scope="module")
def serial():
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.mark.parametrize("kind", ["serial", "threads", "processes", "dask"])
def test_any_executor_and_any_tiles_give_the_same_people(crowd, kind, request, monkeypatch):
    """One tile, or some dozens of them here, in other processes, or on a cluster: to 1e-12."""
    areas = some_hazards(13, 25)
    asked = {"within_m": (0, 300, 900)}
    near = people_near(areas, crowd, **asked)
    reached = people_reached(areas, crowd, by="adm1", **asked)
    monkeypatch.setattr(tiles, "TILE_BYTES", 60_000)
    executor = request.getfixturevalue(kind)
    # bands are differences, so each is the same to 1e-12 of the whole
    whole = near.sum().sum()
    np.testing.assert_allclose(
        people_near(areas, crowd, executor=executor, **asked), near, rtol=1e-12, atol=1e-12 * whole
    )
    np.testing.assert_allclose(
        people_reached(areas, crowd, by="adm1", executor=executor, **asked),
        reached,
        rtol=1e-12,
        atol=1e-12 * whole,
    )
    first = {"by": "year", "within_m": 900}
    np.testing.assert_allclose(
        people_first_reached(areas, crowd["men"], executor=executor, **first),
        people_first_reached(areas, crowd["men"], **first),
        rtol=1e-12,
    )


def test_tasks_carry_where_to_read_and_not_the_cells(crowd):
    import pickle  # noqa: PLC0415 - what executors do

    seen = []

    class Watching(ThreadPoolExecutor):
        def submit(self, function, task):
            seen.append(len(pickle.dumps(task)))
            return super().submit(function, pickle.loads(pickle.dumps(task)))  # noqa: S301 - our own

    areas = some_hazards(14, 3)
    with Watching(1) as pool:
        found = people_near(areas, crowd, within_m=0, executor=pool)
    assert found.equals(people_near(areas, crowd, within_m=0))
    assert max(seen) < 8_000  # one raster's cells are 40,000 bytes


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_file_that_has_gone_is_a_source_error_from_anywhere(tmp_path, kind, request):
    ones = raster(tmp_path / "ones.tif", np.ones((9, 9), dtype="float32"))
    gone = PopulationRaster(**{**vars(ones), "path": str(tmp_path / "gone.tif")})
    with pytest.raises(SourceError, match="cannot be opened"):
        people_near(hazards(at(1, 1, 2, 2)), {"a": ones, "b": gone}, executor=request.getfixturevalue(kind))


@pytest.mark.shared
@pytest.mark.parametrize("name", ["abw_ppp_2020_UNadj_constrained.tif", "mdg_population.tif"])
def test_bands_of_a_real_raster_give_their_own_sums(shared_data, tmp_path, name):
    with rasterio.open(shared_data / "population-rasters" / name) as file:
        values = file.read(1)
        profile = {**file.profile, "count": 3, "dtype": "float32", "compress": "deflate"}
        full = np.where(file.read_masks(1) > 0, values, np.nan)
    shares = [full, full * np.float32(0.26), full * np.float32(0.24)]
    with rasterio.open(tmp_path / "bands.tif", "w", **profile) as out:
        out.write(np.where(np.isnan(shares), profile["nodata"], shares).astype("float32"))
    people = {
        group: read_population(tmp_path / "bands.tif", band=k)
        for k, group in enumerate(("all", "women", "girls"), start=1)
    }
    everywhere = box(*people["all"].bounds).buffer(0.1)
    west, _, east, _ = everywhere.bounds
    halves = [
        everywhere & box(west, -90, (west + east) / 2, 90),
        everywhere & box((west + east) / 2, -90, east, 90),
    ]
    areas = hazards(*halves, everywhere, crs=LONLAT, part=["west", "east", "west"])
    near = people_near(areas, people, within_m=0)
    for band, (group, grid) in enumerate(zip(people, shares, strict=True)):
        own = np.nansum(grid.astype("float32"), dtype=float)
        column = near[f"{group}_near"]
        assert column.tolist()[2] == pytest.approx(own, rel=1e-9)
        assert column[:2].sum() == pytest.approx(own, rel=1e-9)
        assert people_reached(areas, people, within_m=0).iloc[band] == pytest.approx(own, rel=1e-9)


SETTLEMENTS = [
    "city", "town", "village", "hamlet", "suburb", "isolated_dwelling", "locality", "neighbourhood",
]  # fmt: skip


@pytest.mark.shared
def test_known_places_near_the_suspect_areas_of_bosnia_are_those_of_plain_distances(shared_data):
    """Against shapely's distance from every place to every area whose box is near, in another projection."""
    source = (shared_data / "osm-sqlite-points" / "bosnia-herzegovina.sqlite.zip", "NODE")
    places = read_population(source, where={"TAG": "place", "VALUE": SETTLEMENTS})
    suspect = gpd.read_file(shared_data / "bih-mines-west" / "suspect_areas_simplyfied.geojson")

    outlines = shapely.make_valid(suspect.geometry.dropna().to_numpy())
    area = gpd.GeoSeries(outlines[~shapely.is_empty(outlines)], crs=4326).to_crs(32633).to_numpy()
    spot = places.geometry.to_crs(32633).to_numpy()
    box_of, xy = shapely.bounds(area).T[:, None], shapely.get_coordinates(spot).T[:, :, None]
    gap = np.hypot(
        np.maximum(np.maximum(box_of[0] - xy[0], xy[0] - box_of[2]), 0),
        np.maximum(np.maximum(box_of[1] - xy[1], xy[1] - box_of[3]), 0),
    )
    place, near = np.nonzero(gap <= 3_000)
    away = np.full(len(spot), np.inf)
    np.minimum.at(away, place, shapely.distance(spot[place], area[near]))

    distances = (500, 1_000, 3_000)
    known = [(int((away <= d).sum()), float(places["people"][away <= d].sum())) for d in distances]
    assert known == [(237, 30_129), (528, 51_686), (1_586, 138_228)]
    counted = people_reached(suspect, places.assign(people=1.0), within_m=distances)
    people = people_reached(suspect, places, within_m=distances)
    assert list(zip(counted.cumsum(), people.cumsum(), strict=True)) == known
    assert people_reached(suspect, places, within_m=500) == 30_129
