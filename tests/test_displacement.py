import math
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine
from pyproj import CRS

from ccm_geo.access import road_graph
from ccm_geo.assumptions import FIRST_YEAR_SHARE, Assumption
from ccm_geo.displacement import GRAVITY, arrivals_near
from ccm_geo.errors import CRSError, DataError
from ccm_geo.schemas import PopulationRaster

UTM = CRS.from_epsg(32648)
X, Y = 500_000.0, 2_000_000.0
EXACT = {"within_m": 0, "first_year_share": 1.0}


def _box(left, bottom, right, top):
    return shapely.box(X + left, Y + bottom, X + right, Y + top)


def _hazards(*shapes, index=None):
    ids = [f"H{i}" for i in range(len(shapes))]
    return gpd.GeoDataFrame({"hazard_id": ids}, geometry=list(shapes), crs=UTM, index=index)


def _places(*rows):
    """Villages as (x, y, people)."""
    return gpd.GeoDataFrame(
        {"people": [float(n) for _, _, n in rows]},
        geometry=[shapely.Point(X + x, Y + y) for x, y, _ in rows],
        crs=UTM,
    )


def _moves(*rows):
    """One dict each; what is not given is an idp row of 1,000 people who all want to return."""
    base = {"group": "idp", "people": 1_000.0, "intend_return_share": 1.0, "geometry": None, "origin": None}
    table = pd.DataFrame([{**base, **row} for row in rows], columns=[*base])
    return gpd.GeoDataFrame(table, geometry="geometry", crs=UTM)


def _raster(folder, grid, cell=100.0):
    path = folder / "people.tif"
    grid = np.asarray(grid, dtype=np.float32)
    move = Affine(cell, 0, X, 0, -cell, Y + cell * grid.shape[0])
    with rasterio.open(
        path, "w", driver="GTiff", width=grid.shape[1], height=grid.shape[0], count=1, dtype="float32",
        crs=UTM.to_wkt(), transform=move, nodata=-1,
    ) as out:  # fmt: skip
        out.write(grid, 1)
    return PopulationRaster(
        path=str(path), crs=UTM, transform=move, width=grid.shape[1], height=grid.shape[0], nodata=-1
    )


def _texts(series):
    return " | ".join(note.text for note in series.attrs["notes"])


DISTRICT = _box(0, 0, 10_000, 10_000)


def test_people_return_to_where_people_live_in_their_district():
    hazards = _hazards(_box(900, 900, 1_100, 1_100), _box(7_900, 7_900, 8_100, 8_100))
    people = _places((1_000, 1_000, 300), (8_000, 8_000, 100), (50_000, 0, 10_000))
    moves = _moves({"people": 2_000, "intend_return_share": 0.4, "origin": DISTRICT})
    arrivals = arrivals_near(hazards, moves, people, within_m=0, first_year_share=0.5)
    # 2000 x 0.4 x 0.5 = 400 people; 300 and 100 of the district's 400 residents live in the hazards
    assert arrivals.tolist() == pytest.approx([300.0, 100.0])
    assert arrivals.name == "arrivals"


def test_first_year_share_is_that_of_kosovo_where_not_given():
    people, hazards = _places((1_000, 1_000, 300)), _hazards(DISTRICT)
    arrivals = arrivals_near(hazards, _moves({"origin": DISTRICT}), people)
    assert arrivals.tolist() == pytest.approx([1_000 * 438 / 569])
    assert "first_year_share is 0.77: Stand-in: 438 of 569 casualties" in _texts(arrivals)


def test_reach_extends_the_hazard():
    hazards, people = (
        _hazards(_box(1_500, 900, 1_600, 1_100)),
        _places((1_000, 1_000, 40), (9_000, 9_000, 60)),
    )
    moves = _moves({"origin": DISTRICT})
    assert arrivals_near(hazards, moves, people, within_m=499, first_year_share=1).tolist() == [0.0]
    assert arrivals_near(hazards, moves, people, within_m=501, first_year_share=1).tolist() == [400.0]


def test_hazard_over_a_border_gets_its_part_from_either_side():
    hazards = _hazards(_box(9_000, 0, 11_000, 1_000))
    people = _places((9_500, 500, 10), (1_000, 1_000, 90), (10_500, 500, 30), (15_000, 5_000, 30))
    moves = _moves(
        {"people": 500, "origin": DISTRICT}, {"people": 80, "origin": _box(10_000, 0, 20_000, 10_000)}
    )
    # 500 x 10 / 100 + 80 x 30 / 60
    assert arrivals_near(hazards, moves, people, **EXACT).tolist() == pytest.approx([90.0])


def test_hazards_that_tile_a_district_share_out_everyone(tmp_path):
    rng = np.random.default_rng(1)
    people = _raster(tmp_path, rng.gamma(0.5, 4, (110, 105)))
    wild = shapely.Polygon(
        [(X + 130, Y + 77), (X + 9_400, Y + 850), (X + 8_800, Y + 9_300), (X + 900, Y + 8_100)]
    )
    cuts = np.linspace(-50, 10_050, 14)
    tiles = [_box(a, b, c, d) for a, c in zip(cuts, cuts[1:]) for b, d in zip(cuts, cuts[1:])]  # noqa: B905, RUF007
    arrivals = arrivals_near(_hazards(*tiles), _moves({"people": 5_000, "origin": wild}), people, **EXACT)
    assert arrivals.sum() == pytest.approx(5_000, rel=1e-6)


def test_hazard_that_covers_a_district_gets_all_of_it(tmp_path):
    people = _raster(tmp_path, np.random.default_rng(2).gamma(0.5, 4, (100, 100)))
    origin = _box(1_234, 2_345, 7_891, 8_765)
    arrivals = arrivals_near(
        _hazards(_box(0, 0, 10_000, 10_000)), _moves({"origin": origin}), people, **EXACT
    )
    assert arrivals.tolist() == pytest.approx([1_000.0], rel=1e-6)


def test_raster_and_its_cells_as_points_agree(tmp_path):
    grid = np.random.default_rng(3).gamma(0.5, 4, (60, 60))
    raster = _raster(tmp_path, grid)
    rows, cols = np.mgrid[0:60, 0:60]
    points = _places(
        *zip(
            cols.ravel() * 100 + 50, 5_950 - rows.ravel() * 100, grid.astype(np.float32).ravel(), strict=True
        )
    )
    hazards = _hazards(_box(200, 200, 900, 700), _box(3_000, 100, 5_000, 4_000))  # along the edges of cells
    moves = _moves({"origin": _box(0, 0, 4_000, 6_000)})
    both = [arrivals_near(hazards, moves, layer, **EXACT) for layer in (raster, points)]
    assert both[0].tolist() == pytest.approx(both[1].tolist(), rel=1e-4)


def test_twice_the_people_bring_twice_the_arrivals():
    hazards, people = _hazards(_box(0, 0, 2_000, 2_000)), _places((1_000, 1_000, 3), (8_000, 1_000, 4))
    rows = [{"origin": DISTRICT}, {"geometry": shapely.Point(X + 20_000, Y)}]
    once = arrivals_near(hazards, _moves(*rows), people, **EXACT)
    twice = arrivals_near(hazards, _moves(*({**row, "people": 2_000} for row in rows)), people, **EXACT)
    assert twice.tolist() == pytest.approx([2 * v for v in once])


def test_rows_of_one_district_add_up():
    hazards, people = _hazards(_box(0, 0, 2_000, 2_000)), _places((1_000, 1_000, 3), (8_000, 1_000, 4))
    split = _moves(
        {"people": 300, "origin": DISTRICT}, {"people": 400, "group": "refugee", "origin": DISTRICT}
    )
    whole = _moves({"people": 700, "origin": DISTRICT})
    both = [arrivals_near(hazards, moves, people, **EXACT).tolist() for moves in (split, whole)]
    assert both[0] == pytest.approx([300.0])
    assert both[1] == pytest.approx([300.0])


def test_hazard_outside_all_districts_of_origin_gets_nobody_not_nan():
    hazards, people = _hazards(_box(30_000, 0, 31_000, 500)), _places((1_000, 1_000, 3), (30_100, 100, 9))
    assert arrivals_near(hazards, _moves({"origin": DISTRICT}), people).tolist() == [0.0]


def test_district_where_nobody_lives_is_spread_by_area_and_said():
    hazards, people = _hazards(_box(0, 0, 5_000, 2_000)), _places((50_000, 50_000, 10), (20_000, 0, 5))
    arrivals = arrivals_near(hazards, _moves({"people": 300, "origin": DISTRICT}), people, **EXACT)
    # 5 x 2 of 10 x 10 km
    assert arrivals.tolist() == pytest.approx([30.0], rel=1e-6)
    assert "nobody in 1 districts of origin: 300 people coming home were spread by area" in _texts(arrivals)


def test_returnees_are_home_already():
    hazards, people = _hazards(DISTRICT), _places((1_000, 1_000, 3))
    moves = _moves({"origin": DISTRICT}, {"group": "returnee", "people": 5_555, "origin": DISTRICT})
    arrivals = arrivals_near(hazards, moves, people, **EXACT)
    assert arrivals.tolist() == pytest.approx([1_000.0])
    assert "5,555 returnees are home already" in _texts(arrivals)


def test_blank_number_of_people_is_left_out_and_said():
    hazards, people = _hazards(DISTRICT), _places((1_000, 1_000, 3))
    moves = _moves({"origin": DISTRICT}, {"people": np.nan, "origin": DISTRICT})
    arrivals = arrivals_near(hazards, moves, people, **EXACT)
    assert arrivals.tolist() == pytest.approx([1_000.0])
    note = next(n for n in arrivals.attrs["notes"] if "not counted as zero" in n.text)
    assert (note.kind, note.affected, note.rows) == ("unknown", 1, ("2",))


def test_missing_share_needs_an_answer_and_gets_no_default():
    hazards, people = _hazards(DISTRICT), _places((1_000, 1_000, 3))
    moves = _moves({"origin": DISTRICT, "intend_return_share": np.nan}, {"origin": DISTRICT})
    with pytest.raises(DataError, match=r"1 of 2 rows .* no intend_return_share: say which share") as caught:
        arrivals_near(hazards, moves, people)
    assert caught.value.failures == ("row 1, intend_return_share is empty",)
    arrivals = arrivals_near(hazards, moves, people, return_share=0.25, **EXACT)
    assert arrivals.tolist() == pytest.approx([1_250.0])  # what people said is used where they were asked
    assert "return_share 0.25 was used" in _texts(arrivals)
    with pytest.raises(DataError, match="2 of 2 rows"):
        arrivals_near(hazards, moves.drop(columns="intend_return_share"), people)


def test_share_of_zero_is_an_answer():
    hazards, people = _hazards(DISTRICT), _places((1_000, 1_000, 3))
    arrivals = arrivals_near(hazards, _moves({"origin": DISTRICT, "intend_return_share": 0.0}), people)
    assert arrivals.tolist() == [0.0]
    assert "Nobody is expected to come home" in _texts(arrivals)


def test_no_displaced_people_mean_no_arrivals_and_a_note():
    hazards, people = _hazards(DISTRICT), _places((1_000, 1_000, 3))
    arrivals = arrivals_near(hazards, _moves({"origin": DISTRICT}).iloc[:0], people)
    assert arrivals.tolist() == [0.0]
    assert "arrivals are 0" in _texts(arrivals)


def test_people_of_unknown_origin_spread_by_gravity_in_straight_lines():
    hazards = _hazards(_box(9_900, -100, 10_100, 100), _box(29_900, -100, 30_100, 100))
    people = _places((10_000, 0, 200), (30_000, 0, 800))
    moves = _moves({"geometry": shapely.Point(X, Y)})
    arrivals = arrivals_near(hazards, moves, people, **EXACT)
    # at 30 km/h 10 km take 20 minutes, 30 km take 60: 200 exp(-20/60) against 800 exp(-60/60)
    pull = [200 * math.exp(-1 / 3), 800 * math.exp(-1)]
    assert arrivals.tolist() == pytest.approx([1_000 * p / sum(pull) for p in pull], rel=1e-3)
    assert "by gravity in straight lines" in _texts(arrivals)
    assert "decay_min 60 minutes" in _texts(arrivals)


def test_reach_around_everyone_gets_everyone_of_unknown_origin():
    rng = np.random.default_rng(4)
    people = _places(*((x, y, n) for x, y, n in rng.uniform(0, 40_000, (300, 3))))
    moves = _moves(
        {"geometry": shapely.Point(X, Y)}, {"geometry": shapely.Point(X + 39_000, Y), "people": 60}
    )
    arrivals = arrivals_near(_hazards(_box(-1_000, -1_000, 41_000, 41_000)), moves, people, **EXACT)
    assert arrivals.tolist() == pytest.approx([1_060.0])


def test_nobody_is_expected_beyond_the_limit():
    hazards, people = _hazards(_box(0, 0, 1_000, 1_000)), _places((500, 500, 10))
    moves = _moves({"geometry": shapely.Point(X + 60_500, Y)})  # 60 km: 120 minutes
    near = replace(GRAVITY, limit_min=Assumption(value=119, unit="minutes", source="test"))
    far = replace(GRAVITY, limit_min=Assumption(value=121, unit="minutes", source="test"))
    lost = arrivals_near(hazards, moves, people, gravity=near, **EXACT)
    assert lost.tolist() == [0.0]
    assert "1,000 found no place" in _texts(lost)
    assert arrivals_near(hazards, moves, people, gravity=far, **EXACT).tolist() == pytest.approx([1_000.0])


def test_roads_decide_where_people_go():
    # two villages equally far; the road leads to the second only
    hazards = _hazards(_box(-20_100, -100, -19_900, 100), _box(19_900, -100, 20_100, 100))
    people = _places((-20_000, 0, 100), (20_000, 0, 100))
    line = shapely.LineString([(X, Y), (X + 20_000, Y)])
    roads = gpd.GeoDataFrame({"speed_kmh": [60.0]}, geometry=[line], crs=UTM)
    moves = _moves({"geometry": shapely.Point(X, Y)})
    straight = arrivals_near(hazards, moves, people, **EXACT)
    assert straight.tolist() == pytest.approx([500.0, 500.0], rel=1e-3)
    for given in (roads, road_graph(roads)):
        by_road = arrivals_near(hazards, moves, people, roads=given, **EXACT)
        assert by_road.tolist() == pytest.approx([0.0, 1_000.0])
        assert "by gravity over the roads" in _texts(by_road)
        assert "straight_kmh" not in _texts(by_road)


def test_people_abroad_whose_origin_is_unknown_find_no_place():
    hazards, people = _hazards(DISTRICT), _places((1_000, 1_000, 3))
    roads = gpd.GeoDataFrame(
        {"speed_kmh": [60.0]}, geometry=[shapely.LineString([(X, Y), (X + 5_000, Y)])], crs=UTM
    )
    moves = _moves({"geometry": shapely.Point(X - 200_000, Y), "group": "refugee"})
    for given in (None, roads):
        arrivals = arrivals_near(hazards, moves, people, roads=given)
        assert arrivals.tolist() == [0.0]
        assert "found no place" in _texts(arrivals)


def test_row_without_origin_and_site_is_said_to_find_no_place():
    hazards, people = _hazards(DISTRICT), _places((1_000, 1_000, 3))
    arrivals = arrivals_near(hazards, _moves({}, {"people": 500, "origin": DISTRICT}), people, **EXACT)
    assert arrivals.tolist() == pytest.approx([500.0])
    assert "500 to districts of origin, 0 by gravity; 1,000 found no place" in _texts(arrivals)


def test_sites_without_a_column_of_origins_go_by_gravity():
    hazards, people = _hazards(DISTRICT), _places((1_000, 1_000, 3))
    moves = _moves({"geometry": shapely.Point(X, Y)}).drop(columns="origin")
    assert arrivals_near(hazards, moves, people, **EXACT).tolist() == pytest.approx([1_000.0])


def test_lonlat_and_metric_input_agree():
    hazards = _hazards(_box(900, 900, 1_100, 1_100), _box(9_000, 0, 11_000, 1_000))
    people = _places((1_000, 1_000, 300), (9_500, 500, 100), (2_000, 8_000, 50))
    moves = _moves({"origin": DISTRICT}, {"geometry": shapely.Point(X, Y)})
    plain = arrivals_near(hazards, moves, people)
    origin = gpd.GeoSeries(moves["origin"].tolist(), crs=UTM).to_crs(4326)
    turned = moves.to_crs(4326).assign(origin=origin.to_numpy())
    degrees = arrivals_near(hazards.to_crs(4326), turned, people.to_crs(4326))
    assert degrees.tolist() == pytest.approx(plain.tolist(), rel=1e-3)


def test_order_of_rows_does_not_matter_and_the_index_stays():
    hazards = _hazards(_box(900, 900, 1_100, 1_100), _box(9_000, 0, 11_000, 1_000), index=["b", "a"])
    people = _places((1_000, 1_000, 300), (9_500, 500, 100))
    moves = _moves(
        {"origin": DISTRICT}, {"geometry": shapely.Point(X, Y)}, {"group": "refugee", "origin": DISTRICT}
    )
    before = moves.copy()
    arrivals = arrivals_near(hazards, moves, people)
    turned = arrivals_near(hazards.iloc[::-1], moves.iloc[::-1], people.iloc[::-1])
    pd.testing.assert_series_equal(arrivals, turned.loc[["b", "a"]], rtol=1e-12)
    assert arrivals.index.tolist() == ["b", "a"]
    pd.testing.assert_frame_equal(pd.DataFrame(moves), pd.DataFrame(before))


def test_hazard_without_geometry_is_unknown():
    hazards, people = _hazards(DISTRICT, None, shapely.Polygon()), _places((1_000, 1_000, 3))
    moves = _moves({"origin": DISTRICT}, {"geometry": shapely.Point(X, Y)})
    arrivals = arrivals_near(hazards, moves, people, **EXACT)
    assert arrivals.tolist() == pytest.approx([2_000.0, np.nan, np.nan], nan_ok=True)


def test_hazard_outside_the_population_layer_is_unknown_not_zero(tmp_path):
    people = _raster(tmp_path, np.ones((50, 50)))
    hazards = _hazards(_box(100, 100, 200, 200), _box(8_000, 8_000, 8_100, 8_100))
    arrivals = arrivals_near(hazards, _moves({"origin": DISTRICT}), people, **EXACT)
    assert arrivals.tolist() == pytest.approx([1_000 / 2_500, np.nan], nan_ok=True)
    assert "Arrivals are unknown: the hazard lies outside the population layer" in _texts(arrivals)


def test_invalid_outline_is_measured_after_repair():
    bow = shapely.Polygon([(X, Y), (X + 2_000, Y + 2_000), (X + 2_000, Y), (X, Y + 2_000)])
    arrivals = arrivals_near(
        _hazards(bow), _moves({"origin": DISTRICT}), _places((100, 1_000, 1), (9_000, 1, 3)), **EXACT
    )
    assert arrivals.tolist() == pytest.approx([250.0])


def test_impossible_rows_are_told_at_once():
    moves = _moves(
        {"group": "host"},
        {"people": -4.0},
        {"intend_return_share": 40.0},
        {"people": np.inf},
        {"origin": DISTRICT},
    )
    with pytest.raises(DataError) as caught:
        arrivals_near(_hazards(DISTRICT), moves, _places((1_000, 1_000, 3)))
    assert caught.value.failures == (
        "row 1, group host: use idp, refugee, returnee; map others with values=",
        "row 2, people -4.0: give a number of people from 0, or leave it empty",
        "row 4, people inf: give a number of people from 0, or leave it empty",
        "row 3, intend_return_share 40.0: give a share from 0 to 1, so 40 % is 0.4",
    )


def test_text_in_a_column_of_numbers_is_refused():
    moves = _moves({"origin": DISTRICT}).astype({"people": object}).assign(people="many")
    with pytest.raises(DataError, match="the column people holds text"):
        arrivals_near(_hazards(DISTRICT), moves, _places((1_000, 1_000, 3)))


@pytest.mark.parametrize(
    ("option", "value"),
    [("within_m", -1), ("return_share", 1.2), ("first_year_share", 0), ("first_year_share", math.nan)],
)
def test_options_out_of_range_are_refused(option, value):
    with pytest.raises(DataError, match=f"{option}: {value}; give a"):
        arrivals_near(_hazards(DISTRICT), _moves({}), _places((1, 1, 3)), **{option: value})


def test_absent_columns_and_plain_tables_are_refused():
    with pytest.raises(DataError, match="no column group; name it with rename="):
        arrivals_near(_hazards(DISTRICT), _moves({}).drop(columns="group"), _places((1, 1, 3)))
    with pytest.raises(DataError, match="read it with read_displacement"):
        arrivals_near(_hazards(DISTRICT), pd.DataFrame({"people": [1]}), _places((1, 1, 3)))


def test_layers_without_crs_are_refused():
    bare = gpd.GeoDataFrame(_hazards(DISTRICT).drop(columns="geometry"), geometry=[DISTRICT])
    with pytest.raises(CRSError, match="hazards: the layer has no coordinate reference system"):
        arrivals_near(bare, _moves({"origin": DISTRICT}), _places((1, 1, 3)))


def test_gravity_numbers_out_of_range_are_refused():
    with pytest.raises(DataError, match="decay_min: 0; give a number above 0"):
        replace(GRAVITY, decay_min=Assumption(value=0, unit="minutes", source="test"))


def test_default_share_of_the_first_year_is_a_placeholder_with_a_source():
    assert FIRST_YEAR_SHARE.placeholder
    assert "Kosovo" in FIRST_YEAR_SHARE.source


def test_five_thousand_hazards_and_a_hundred_districts_take_seconds(tmp_path):
    rng = np.random.default_rng(5)
    people = _raster(tmp_path, rng.gamma(0.3, 4, (1_000, 1_000)))
    corner = rng.uniform(0, 99_000, (5_000, 2))
    hazards = _hazards(*(_box(x, y, x + 300, y + 300) for x, y in corner))
    districts = [
        _box(x, y, x + 10_000, y + 10_000)
        for x in range(0, 100_000, 10_000)
        for y in range(0, 100_000, 10_000)
    ]
    moves = _moves(*({"origin": district} for district in districts))
    arrivals = arrivals_near(hazards, moves, people)
    assert (arrivals > 0).all()
