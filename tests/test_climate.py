"""Zones, drift downstream and months without access: by hand, and by what must always hold."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from shapely import LineString, Point, box

from ccm_geo import climate, space
from ccm_geo.errors import CRSError, DataError, SourceError
from ccm_geo.planning import Capacity

UTM = "EPSG:32648"
X, Y = 500_000.0, 2_000_000.0  # upper left corner of the rasters


@pytest.fixture
def raster(tmp_path):
    """Write an array (or a stack) as a raster of square cells."""

    def write(values, *, cell=100.0, crs=UTM, nodata=None, name="zone.tif", corner=(X, Y)):
        values = np.asarray(values)
        stack = values[None] if values.ndim == 2 else values
        path = tmp_path / name
        shape = dict(zip(("count", "height", "width"), stack.shape, strict=True))
        place = rasterio.Affine(cell, 0, corner[0], 0, -cell, corner[1])
        with rasterio.open(
            path, "w", driver="GTiff", crs=crs, transform=place, dtype=stack.dtype, nodata=nodata, **shape
        ) as file:
            file.write(stack)
        return path

    return write


def cell_box(row, col, high=1, wide=1, cell=100.0):
    return box(X + col * cell, Y - (row + high) * cell, X + (col + wide) * cell, Y - row * cell)


def areas(*shapes, **columns):
    columns.setdefault("hazard_id", [f"h{k}" for k in range(len(shapes))])
    return gpd.GeoDataFrame(columns, geometry=list(shapes), crs=UTM)


def test_share_is_the_covered_area_in_the_zone(raster):
    depth = raster(np.array([[0, 0.2, 1.5], [0, 0, 3.0]], dtype="float32"))
    fields = areas(
        cell_box(0, 1, 1, 2), cell_box(0, 0, 2, 3), cell_box(0, 0), box(X + 150, Y - 50, X + 250, Y)
    )
    assert climate.share_in_zone(fields, depth, at_least=0.5).tolist() == pytest.approx([0.5, 1 / 3, 0, 0.5])


def test_classes_name_the_cells_in_the_zone(raster):
    kinds = raster(np.array([[1, 2, 3, 4]], dtype="uint8"))
    field = areas(cell_box(0, 0, 1, 4))
    assert climate.share_in_zone(field, kinds, classes=[2, 4]).tolist() == pytest.approx([0.5])


def test_blank_cells_are_unknown_unless_the_map_says_that_they_are_dry(raster):
    depth = raster(np.array([[-9999, 2.0, -9999]], dtype="float32"), nodata=-9999)
    fields = areas(cell_box(0, 0, 1, 2), cell_box(0, 2), None)
    unknown = climate.share_in_zone(fields, depth, at_least=0.5)
    assert unknown.tolist() == pytest.approx([1, np.nan, np.nan], nan_ok=True)
    said = [note.text for note in unknown.attrs["notes"]]
    assert said[0] == "2 hazards (h1, h2): no value of the zone raster is known"
    assert said[1].startswith("1 hazard (h0): the zone raster knows a part of the area only")
    dry = climate.share_in_zone(fields, depth, at_least=0.5, blank="outside")
    assert dry.tolist() == pytest.approx([0.5, 0, np.nan], nan_ok=True)


def test_shares_of_a_zone_and_of_what_is_not_in_it_add_up_to_one(raster):
    rng = np.random.default_rng(1)
    kinds = raster(rng.integers(0, 3, (40, 50)).astype("uint8"))
    spots = np.column_stack([X + rng.uniform(300, 4_700, 60), Y - rng.uniform(300, 3_700, 60)])
    fields = areas(*shapely.buffer(shapely.points(spots), rng.uniform(20, 250, 60)))
    shares = [climate.share_in_zone(fields, kinds, classes=[k]) for k in range(3)]
    assert sum(shares).tolist() == pytest.approx([1] * 60)
    assert climate.share_in_zone(fields, kinds, at_least=0).tolist() == pytest.approx([1] * 60)


def test_share_agrees_with_cells_cut_by_hand(raster):
    rng = np.random.default_rng(2)
    values = rng.random((20, 20)).astype("float32")
    depth = raster(values)
    fields = areas(*[Point(X + 1_000, Y - 1_000).buffer(r, quad_segs=5) for r in (30, 170, 640)])
    cells = np.array([[cell_box(r, c) for c in range(20)] for r in range(20)])
    expected = [
        shapely.area(shapely.intersection(cells, f))[values >= 0.6].sum() / f.area for f in fields.geometry
    ]
    assert climate.share_in_zone(fields, depth, at_least=0.6).tolist() == pytest.approx(expected, abs=1e-6)


def test_degrees_or_metres_give_the_same_share(raster):
    rng = np.random.default_rng(3)
    path = raster(
        (rng.random((60, 60)) > 0.5).astype("uint8"), cell=0.001, crs="EPSG:4326", corner=(105.0, 18.0)
    )
    fields = gpd.GeoDataFrame(
        geometry=shapely.buffer(
            shapely.points(rng.uniform([105.01, 17.95], [105.05, 17.99], (20, 2))), 0.004
        ),
        crs=4326,
    )
    moved = climate.share_in_zone(fields.to_crs(UTM), path, classes=[1])
    np.testing.assert_allclose(climate.share_in_zone(fields, path, classes=[1]), moved, atol=2e-4)


def test_rows_stay_and_inputs_are_unchanged(raster):
    zone = raster(np.ones((3, 3), dtype="uint8"))
    fields = areas(cell_box(0, 0), cell_box(2, 2)).set_index(pd.Index(["b", "a"]))
    before = fields.copy()
    assert climate.share_in_zone(fields, zone, classes=[1]).index.tolist() == ["b", "a"]
    assert fields.equals(before)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        ({}, "say which cells are in it"),
        ({"at_least": 1, "classes": [1]}, "say which cells are in it"),
        ({"classes": []}, "classes= is empty"),
        ({"at_least": float("nan")}, "at_least must be a number"),
        ({"at_least": 1, "blank": "dry"}, "'unknown' or 'outside'"),
        ({"at_least": 1, "band": 2}, "zone: zone.tif has 1 bands, band=2"),
    ],
)
def test_unclear_zones_are_refused(raster, ask, says):
    zone = raster(np.ones((3, 3), dtype="uint8"))
    with pytest.raises(DataError, match=says):
        climate.share_in_zone(areas(cell_box(0, 0)), zone, **ask)


def test_raster_without_a_crs_is_refused_with_the_cure(raster):
    bare = raster(np.ones((3, 3), dtype="uint8"), crs=None)
    with pytest.raises(CRSError, match=r"^zone: zone.tif has no coordinate reference system; .*crs="):
        climate.share_in_zone(areas(cell_box(0, 0)), bare, classes=[1])
    assert climate.share_in_zone(areas(cell_box(0, 0)), bare, classes=[1], crs=UTM).tolist() == [1]


def test_zone_that_does_not_overlap_is_refused_with_both_extents(raster):
    zone = raster(np.ones((3, 3), dtype="uint8"))
    with pytest.raises(CRSError, match=r"hazards and zone do not overlap: .*longitude"):
        climate.share_in_zone(areas(box(X + 5_000, Y, X + 6_000, Y + 100)), zone, classes=[1])


def test_absent_zone_file_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"^zone: there is no file 'none.tif'"):
        climate.share_in_zone(areas(cell_box(0, 0)), tmp_path / "none.tif", classes=[1])


# months


def test_months_of_a_table_go_by_region_and_unknown_stays_unknown():
    fields = areas(*[cell_box(0, k) for k in range(4)], adm1=["P01", "P02", "P03", None])
    blocked = climate.months_blocked(fields, {"P01": 4, "P02": [12, 1, 2, 2]})
    assert blocked.tolist() == pytest.approx([4, 3, np.nan, np.nan], nan_ok=True)
    assert blocked.attrs["notes"][0].text == "2 hazards in regions without months (P03)"


def test_months_of_a_raster_are_the_mean_over_the_land(raster):
    months = raster(np.array([[0, 6, 255]], dtype="uint8"), nodata=255)
    fields = areas(cell_box(0, 0, 1, 2), cell_box(0, 1), cell_box(0, 2))
    assert climate.months_blocked(fields, months).tolist() == pytest.approx([3, 6, np.nan], nan_ok=True)


def test_twelve_layers_are_counted_month_by_month(raster):
    stack = np.zeros((12, 1, 2), dtype="uint8")
    stack[5:8, 0, 0] = 1  # June to August, the western cell
    path = raster(stack)
    fields = areas(cell_box(0, 0), cell_box(0, 1), cell_box(0, 0, 1, 2))
    assert climate.months_blocked(fields, path, classes=[1]).tolist() == pytest.approx([3, 0, 1.5])
    by_month = climate.blocked_by_month(fields, path, classes=[1])
    assert by_month.loc[2].tolist() == pytest.approx([0] * 5 + [0.5] * 3 + [0] * 4)
    files = [raster(layer, name=f"{k}.tif") for k, layer in enumerate(stack)]
    assert climate.months_blocked(fields, files, at_least=1).tolist() == pytest.approx([3, 0, 1.5])


@pytest.mark.parametrize(
    ("table", "says"), [({"P01": 13}, "13 is not from 0 to 12"), ({"P01": [0, 5]}, "not all from 1 to 12")]
)
def test_months_out_of_the_year_are_refused(table, says):
    with pytest.raises(DataError, match=says):
        climate.months_blocked(areas(cell_box(0, 0), adm1=["P01"]), table)


def test_raster_that_holds_no_months_is_refused(raster):
    with pytest.raises(DataError, match="outside 0 to 12"):
        climate.months_blocked(areas(cell_box(0, 0)), raster(np.full((2, 2), 300, dtype="int16")))


def test_eleven_months_are_refused(raster):
    path = raster(np.ones((2, 2), dtype="uint8"))
    with pytest.raises(DataError, match="twelve rasters are needed, January first, not 11"):
        climate.months_blocked(areas(cell_box(0, 0)), [path] * 11, classes=[1])


def test_workable_months_weigh_hazards_by_their_area():
    fields = areas(cell_box(0, 0, 1, 3), cell_box(0, 5), cell_box(2, 0), adm1=["P01", "P01", "P02"])
    season = climate.workable_months(fields, pd.Series([4.0, 8.0, 0.0]))
    assert season == pytest.approx({"P01": 7.0, "P02": 12.0}, abs=1e-4)


def test_workable_months_are_what_capacity_takes():
    fields = areas(cell_box(0, 0), cell_box(0, 5), adm1=["P01", "P02"])
    season = climate.workable_months(fields, climate.months_blocked(fields, {"P01": 4, "P02": 0}))
    rule = Capacity({"P01": 24, "P02": 12}, season=season)
    assert rule.limit("P01", 24) == 16
    assert rule.limit("P02", 12) == 12


def test_region_of_unknown_months_must_be_decided_by_the_planner():
    fields = areas(cell_box(0, 0), cell_box(0, 5), adm1=["P01", "P02"])
    blocked = pd.Series([3.0, np.nan])
    with pytest.raises(DataError, match=r"nothing is known of P02; .*unknown_blocked="):
        climate.workable_months(fields, blocked)
    assert climate.workable_months(fields, blocked, unknown_blocked=6) == {"P01": 9.0, "P02": 6.0}
    with pytest.raises(DataError, match="P02 can be worked in no month"):
        climate.workable_months(fields, blocked, unknown_blocked=12)


def test_months_of_another_table_are_refused():
    fields = areas(cell_box(0, 0), adm1=["P01"])
    with pytest.raises(DataError, match="another index"):
        climate.workable_months(fields, pd.Series([3.0], index=[7]))
    with pytest.raises(DataError, match="no column 'adm2'"):
        climate.workable_months(fields, pd.Series([3.0]), by="adm2")


# drift


def eastward(raster, code, wide=30, name="flow.tif"):
    """Every cell drains east; the last into nothing."""
    flow = np.full((5, wide), code, dtype="uint8")
    return raster(flow, cell=1_000.0, name=name)


def at_km(column, row=2):
    """A small hazard in the middle of a cell of one kilometre."""
    return Point(X + (column + 0.5) * 1_000, Y - (row + 0.5) * 1_000).buffer(100)


@pytest.mark.parametrize(("coding", "code"), [("esri", 1), ("taudem", 1), ("grass", 8), ("pcraster", 6)])
def test_drift_follows_the_flow_up_to_the_distance(raster, coding, code):
    paths = climate.drift_paths(areas(at_km(3)), eastward(raster, code), max_m=7_500, coding=coding)
    assert len(paths) == 7
    assert paths["to_m"].max() == pytest.approx(7_000, rel=1e-3)
    homes = gpd.GeoSeries([at_km(k).centroid for k in (2, 3, 6, 10, 11)], crs=UTM)
    again = climate.resurvey_downstream(homes, paths, beside_m=300)
    assert again["resurvey"].tolist() == [False, True, True, True, False]
    assert again["downstream_m"].tolist() == pytest.approx(
        [np.nan, 0, 3_000, 7_000, np.nan], nan_ok=True, rel=1e-3
    )
    assert again["from_hazard"].tolist() == [None, "h0", "h0", "h0", None]


E, NE, N, NW, W, SW, S, SE = (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1)


@pytest.mark.parametrize(
    ("coding", "around"),
    [
        ("esri", {1: E, 2: SE, 4: S, 8: SW, 16: W, 32: NW, 64: N, 128: NE}),
        ("taudem", {1: E, 2: NE, 3: N, 4: NW, 5: W, 6: SW, 7: S, 8: SE}),
        ("grass", {1: NE, 2: N, 3: NW, 4: W, 5: SW, 6: S, 7: SE, 8: E}),
        ("pcraster", {7: NW, 8: N, 9: NE, 4: W, 6: E, 1: SW, 2: S, 3: SE}),
    ],
)
def test_each_number_leads_its_own_way(raster, coding, around):
    for code, (down, right) in around.items():
        flow = np.zeros((3, 3), dtype="uint8")
        flow[1, 1] = code
        path = raster(flow, cell=1_000.0, name=f"{coding}{code}.tif")
        line = climate.drift_paths(areas(at_km(1, 1)), path, coding=coding).geometry.iloc[0]
        (x0, y0), (x1, y1) = line.coords
        assert (round((x1 - x0) / 1_000), round((y0 - y1) / 1_000)) == (right, down)


def test_a_way_across_corners_is_longer(raster):
    flow = np.zeros((4, 4), dtype="uint8")
    np.fill_diagonal(flow, 2)
    paths = climate.drift_paths(areas(at_km(0, 0)), raster(flow, cell=1_000.0), coding="esri")
    assert paths["to_m"].max() == pytest.approx(3_000 * 2**0.5, rel=1e-3)


def test_nearest_hazard_upstream_is_named(raster):
    paths = climate.drift_paths(areas(at_km(3), at_km(8)), eastward(raster, 1), coding="esri")
    home = gpd.GeoSeries([at_km(6).centroid, at_km(12).centroid], crs=UTM)
    again = climate.resurvey_downstream(home, paths, beside_m=300)
    assert again["from_hazard"].tolist() == ["h0", "h1"]
    assert again["downstream_m"].tolist() == pytest.approx([3_000, 4_000], rel=1e-3)


def test_flow_in_a_ring_ends(raster):
    ring = raster(np.array([[1, 4], [64, 16]], dtype="uint8"), cell=1_000.0)
    paths = climate.drift_paths(areas(at_km(0, 0)), ring, coding="esri", max_m=50_000)
    assert len(paths) == 4


def test_random_flow_agrees_with_a_walk_cell_by_cell(raster):
    rng = np.random.default_rng(4)
    codes = np.array([1, 2, 4, 8, 16, 32, 64, 128])
    flow = rng.choice(codes, (25, 25)).astype("uint8")
    path = raster(flow, cell=1_000.0)
    spots = [(3, 4), (12, 20), (19, 7), (13, 13)]
    paths = climate.drift_paths(areas(*[at_km(c, r) for r, c in spots]), path, coding="esri", max_m=9_000)
    steps = {
        1: (0, 1),
        2: (1, 1),
        4: (1, 0),
        8: (1, -1),
        16: (0, -1),
        32: (-1, -1),
        64: (-1, 0),
        128: (-1, 1),
    }
    best = {}
    for r, c in spots:
        far, here = 0.0, (r, c)
        while far < best.get(here, np.inf):
            best[here] = far
            dr, dc = steps[int(flow[here])]
            far += 1_000 * np.hypot(dr, dc) / 0.9996
            here = (here[0] + dr, here[1] + dc)
            if far > 9_000 or not (0 <= here[0] < 25 and 0 <= here[1] < 25):
                break
    ends = paths.to_crs(UTM)
    reached = {}
    for line, start in zip(ends.geometry, ends["from_m"], strict=True):
        x, y = line.coords[0]
        reached[int((Y - y) // 1_000), int((x - X) // 1_000)] = start
    for cell, far in reached.items():
        assert far == pytest.approx(best[cell], rel=1e-3, abs=1)
    assert {cell for cell in best if best[cell] == 0} <= set(reached)


def river(*lines):
    return gpd.GeoDataFrame(geometry=[LineString(line) for line in lines], crs=UTM)


def test_rivers_carry_downstream_and_past_where_they_meet():
    side, main = [(X, Y + 3_000), (X, Y)], [(X - 5_000, Y), (X, Y), (X + 20_000, Y)]
    field = areas(Point(X + 50, Y + 2_000).buffer(10))
    paths = climate.drift_paths(field, river(side, main), max_m=10_000, beside_m=100)
    homes = gpd.GeoSeries([Point(X, Y + 2_500), Point(X, Y + 1_000), Point(X - 2_000, Y), Point(X + 5_000, Y),
                           Point(X + 9_000, Y)], crs=UTM)  # fmt: skip
    again = climate.resurvey_downstream(homes, paths, beside_m=100)
    assert again["resurvey"].tolist() == [False, True, False, True, False]
    assert again["downstream_m"].tolist() == pytest.approx(
        [np.nan, 1_000, np.nan, 7_000, np.nan], rel=2e-3, nan_ok=True
    )
    assert paths["to_m"].max() == pytest.approx(10_000, rel=1e-6)


def test_hazard_away_from_any_river_is_noted_as_unknown():
    field = areas(Point(X, Y).buffer(10), Point(X, Y + 9_000).buffer(10))
    paths = climate.drift_paths(field, river([(X, Y), (X + 9_000, Y)]), beside_m=100)
    assert [n.text for n in paths.attrs["notes"]][1].startswith("1 of 2 flooded hazards have no water")


def test_places_without_geometry_are_neither_flagged_nor_cleared():
    paths = climate.drift_paths(areas(Point(X, Y).buffer(10)), river([(X, Y), (X + 9_000, Y)]), beside_m=100)
    again = climate.resurvey_downstream(gpd.GeoSeries([None, Point(X, Y)], crs=UTM), paths, beside_m=0)
    assert again["resurvey"].isna().tolist() == [True, False]


def test_land_to_survey_again_holds_the_flagged_places(raster):
    paths = climate.drift_paths(areas(at_km(3), at_km(8)), eastward(raster, 1), coding="esri", max_m=9_000)
    land = climate.drift_land(paths, beside_m=400, band_m=2_000)
    assert (land["to_m"] >= land["from_m"]).all()
    rng = np.random.default_rng(6)
    homes = gpd.GeoSeries(
        shapely.points(
            np.column_stack([X + rng.uniform(0, 30_000, 200), Y - rng.uniform(1_500, 3_500, 200)])
        ),
        crs=UTM,
    )
    flagged = climate.resurvey_downstream(homes, paths, beside_m=400)["resurvey"].to_numpy(dtype=bool)
    inner = climate.resurvey_downstream(homes, paths, beside_m=395)["resurvey"].to_numpy(dtype=bool)
    metric = space.study_crs(paths)
    held = space.project(homes, metric).within(space.project(land, metric).union_all()).to_numpy()
    assert (inner <= held).all()
    assert (held <= flagged).all()


def test_nothing_that_drift_says_can_be_read_as_safe(raster):
    paths = climate.drift_paths(areas(at_km(3)), eastward(raster, 1), coding="esri")
    land = climate.drift_land(paths, beside_m=400)
    again = climate.resurvey_downstream(areas(at_km(4)), paths, beside_m=400)
    for table in (land, again):
        assert any("not known to be free of explosive ordnance" in n.text for n in table.attrs["notes"])
    assert climate.DRIFT_MAX.value == 14_000
    assert "2014" in climate.DRIFT_MAX.source


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        ({}, "say how the raster names directions with coding="),
        ({"coding": "arrows"}, "coding 'arrows' is unknown"),
        ({"coding": "esri", "max_m": 0}, "max_m must be a positive number"),
    ],
)
def test_unclear_drift_is_refused(raster, ask, says):
    with pytest.raises(DataError, match=says):
        climate.drift_paths(areas(at_km(3)), eastward(raster, 1), **ask)


def test_flow_that_leads_nowhere_is_refused(raster):
    with pytest.raises(DataError, match="no water leads from any"):
        climate.drift_paths(areas(at_km(3)), eastward(raster, 0), coding="esri")


def test_flow_apart_from_the_hazards_is_refused(raster):
    with pytest.raises(CRSError, match="hazards and flow do not overlap"):
        climate.drift_paths(areas(box(X - 9_000, Y, X - 8_000, Y + 100)), eastward(raster, 1), coding="esri")


def test_rivers_need_a_width():
    with pytest.raises(DataError, match="rivers: say with beside_m="):
        climate.drift_paths(areas(Point(X, Y).buffer(10)), river([(X, Y), (X + 9_000, Y)]))


@pytest.mark.shared
def test_share_of_real_suspect_areas_agrees_with_cells_counted_apart(shared_data, raster):
    suspect = gpd.read_file(shared_data / "bih-mines-west" / "suspect_areas_simplyfied.geojson")
    sound = suspect.is_valid & ~suspect.is_empty & (shapely.area(suspect.geometry.to_numpy()) > 0)
    fields = suspect[sound].iloc[:300].reset_index(drop=True)
    west, south, east, north = fields.total_bounds
    rng = np.random.default_rng(7)
    cell = 0.002
    shape = int((north - south) / cell) + 2, int((east - west) / cell) + 2
    values = (rng.random(shape) > 0.5).astype("uint8")
    zone = raster(values, cell=cell, crs="EPSG:4326", corner=(west, north))
    found = climate.share_in_zone(fields, zone, classes=[1])
    for k in range(0, 300, 30):
        left, low, right, high = fields.geometry[k].bounds
        total = inside = 0.0
        for r in range(int((north - high) / cell), int((north - low) / cell) + 1):
            for c in range(int((left - west) / cell), int((right - west) / cell) + 1):
                square = box(west + c * cell, north - (r + 1) * cell, west + (c + 1) * cell, north - r * cell)
                part = shapely.intersection(fields.geometry[k], square).area
                total += part
                inside += part * values[r, c]
        assert found[k] == pytest.approx(inside / total, abs=1e-3)
