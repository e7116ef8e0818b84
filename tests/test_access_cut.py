"""Roads that hazards cut: hand-worked cases, and brute force as oracle for every gain."""

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, Point, box

from ccm_geo.access import (
    cut_roads,
    detour,
    joint_gain,
    release_gain,
    road_graph,
    routes_cut,
    travel_time,
    trips_between,
    trips_to,
)
from ccm_geo.errors import CRSError, DataError
from ccm_geo.io import read_hazards

LAEA = "+proj=laea +lat_0=18 +lon_0=105 +datum=WGS84 +units=m"
WALK = 60 / 3_000  # minutes a metre off the road
NEAR = {"offroad_max_m": 10}  # nobody walks: only roads count


def roads(*lines, **columns):
    columns.setdefault("speed_kmh", [60] * len(lines))
    return gpd.GeoDataFrame(columns, geometry=[LineString(line) for line in lines], crs=LAEA)


def hazards(*shapes, **columns):
    columns = {"hazard_id": list("ABCDEFGH")[: len(shapes)], "status": "open"} | columns
    return gpd.GeoDataFrame(columns, geometry=list(shapes), crs=LAEA)


def villages(*xy, people=None):
    spots = [None if p is None else Point(p) for p in xy]
    return gpd.GeoDataFrame({"people": people or [100] * len(xy)}, geometry=spots, crs=LAEA)


def clinics(*xy):
    return gpd.GeoDataFrame({"kind": ["clinic"] * len(xy)}, geometry=[Point(p) for p in xy], crs=LAEA)


def across(x, y=0, half=100):
    """An area of 200 m by 200 m around a place."""
    return box(x - half, y - half, x + half, y + half)


def about(value, rel=1e-4):
    return pytest.approx(value, rel=rel, abs=1e-6, nan_ok=True)


def texts(table):
    return [note.text for note in table.attrs["notes"]]


MAIN = [(0, 0), (9_000, 0)]
ROUND = [(9_000, 0), (9_000, 6_000), (0, 6_000), (0, 0)]  # 21 km


def test_road_inside_an_open_area_is_cut_and_measured():
    table = routes_cut(hazards(across(3_000), across(3_100)), roads(MAIN))
    assert table["road_km_cut"].tolist() == about([0.2, 0.2])
    assert table["road_km_alone"].tolist() == about([0.1, 0.1])
    assert table["roads_cut"].tolist() == [1, 1]


@pytest.mark.parametrize(("within_m", "km"), [(0, 0), (49, 0), (100, 0.2 + 2 * 0.0866)])
def test_reach_is_measured_from_the_outline(within_m, km):
    beside = box(3_000, 50, 3_200, 90)
    assert routes_cut(hazards(beside), roads(MAIN), within_m=within_m)["road_km_cut"].tolist() == about(
        [km], rel=3e-3
    )


def test_only_open_areas_cut_and_unknown_status_counts_as_open():
    areas = hazards(
        *[across(1_000 * k) for k in range(1, 6)], status=["open", "closed", "handed_over", None, "open"]
    )
    areas.loc[4, "geometry"] = None
    table = routes_cut(areas, roads(MAIN))
    assert table["road_km_cut"].tolist() == about([0.2, 0, 0, 0.2, np.nan])
    assert "1 hazards without status: they count as open and cut roads" in texts(table)
    assert "1 hazards without geometry: what they cut is unknown" in texts(table)


def test_areas_without_a_status_column_all_cut():
    table = routes_cut(hazards(across(1_000)).drop(columns="status"), roads(MAIN))
    assert table["road_km_cut"].tolist() == about([0.2])
    assert "hazards have no column status: all of them count as open and cut roads" in texts(table)


def test_areas_that_cut_nothing_are_told():
    table = routes_cut(hazards(across(1_000, 5_000)), roads(MAIN))
    assert table.to_numpy().tolist() == [[0, 0, 0]]
    assert "no road runs within 0 m of an open hazard: nothing is cut" in texts(table)


def test_invalid_outline_is_mended_before_it_cuts():
    bow = shapely.Polygon([(1_000, -50), (1_400, 50), (1_400, -50), (1_000, 50)])
    table = routes_cut(hazards(bow), roads([(0, 20), (9_000, 20)]))
    assert table["road_km_cut"].tolist() == about([0.24])
    assert "1 hazards with an invalid outline: roads looked at after repair" in texts(table)


def test_ring_road_is_cut_over_its_own_start():
    ring = [(0, 0), (4_000, 0), (4_000, 4_000), (0, 4_000), (0, 0)]
    found = cut_roads(hazards(across(0)), roads(ring))
    assert found.by_hazard()["road_km_cut"].tolist() == about([0.2])
    assert found.passable().edges["length_m"].sum() == about(15_800)


def test_stretches_name_all_their_hazards():
    lines = cut_roads(hazards(across(3_000), across(3_100)), roads(MAIN)).stretches()
    assert lines["km"].tolist() == about([0.1, 0.1, 0.1])
    assert lines.length.tolist() == about([100, 100, 100])
    assert lines["hazard_id"].tolist() == ["A", "A; B", "B"]
    assert lines["hazards"].tolist() == [1, 2, 1]


def test_detour_is_the_long_way_round_minus_the_short_one():
    cut = cut_roads(hazards(across(4_000)), roads(MAIN, ROUND))
    table = detour(trips_to(villages((9_000, 0)), clinics((0, 0)), cut, **NEAR))
    assert table.loc[0, ["open_min", "cut_min", "detour_min"]].tolist() == about([9, 21, 12])
    assert table.loc[0, "state"] == "reached"


def test_states_tell_who_is_cut_off_delayed_and_never_had_a_way():
    far = [(30_000, 0), (31_000, 0)]
    cut = cut_roads(
        hazards(across(4_000), across(-1_000)),
        roads(MAIN, ROUND, [(0, 0), (-2_000, 0)], far, speed_kmh=[6] * 4),
    )
    people = villages((9_000, 0), (-2_000, 0), (31_000, 0), (0, 6_000), None, people=[7, 20, 1, 4, 9])
    table = detour(trips_to(people, clinics((0, 0)), cut, **NEAR), delayed_min=60)
    assert table["state"].tolist() == ["delayed", "cut off", "no way", "reached", "unknown"]
    assert table["detour_min"].tolist() == about([120, np.nan, np.nan, 0, np.nan])
    assert "1 of 5 places with 20 people are cut off by open hazards" in texts(table)
    assert "1 of 5 places with 7 people need 60 minutes more or longer because of open hazards" in texts(
        table
    )
    assert "1 of 5 places with 1 people have no way even with all roads open" in texts(table)


def test_release_brings_people_back_or_saves_them_time():
    cut = cut_roads(
        hazards(across(4_000), across(-1_000), across(0, 9_000)), roads(MAIN, ROUND, [(0, 0), (-2_000, 0)])
    )
    trips = trips_to(villages((9_000, 0), (-2_000, 0), people=[10, 30]), clinics((0, 0)), cut, **NEAR)
    gain = release_gain(trips)
    assert gain["people_reconnected"].tolist() == [0, 30, 0]
    assert gain["places_reconnected"].tolist() == [0, 1, 0]
    assert gain["person_min_saved"].tolist() == about([120, 0, 0])
    assert gain["people_sooner"].tolist() == [10, 0, 0]


def test_two_areas_on_one_road_bring_nothing_alone_and_all_together():
    trips = trips_to(
        villages((9_000, 0)),
        clinics((0, 0)),
        cut_roads(hazards(across(2_000), across(5_000)), roads(MAIN)),
        **NEAR,
    )
    assert release_gain(trips)["people_reconnected"].tolist() == [0, 0]
    assert joint_gain(trips, ["A", "B"])["people_reconnected"] == 100
    assert release_gain(trips, released=["A"])["people_reconnected"].tolist() == [0, 100]


def test_two_areas_on_parallel_roads_bring_twice_alone_what_they_bring_together():
    cut = cut_roads(hazards(across(4_000), across(4_000, 6_000)), roads(MAIN, ROUND))
    trips = trips_to(villages((9_000, 0)), clinics((0, 0)), cut, **NEAR)
    assert release_gain(trips)["people_reconnected"].tolist() == [100, 100]
    assert joint_gain(trips, ["A", "B"])["people_reconnected"] == 100


def test_area_in_two_parts_frees_a_village_and_shortens_the_way_through_it():
    both = shapely.union(across(2_000), across(5_000))
    cut = cut_roads(hazards(both), roads(MAIN, ROUND))
    trips = trips_to(villages((9_000, 0), (3_500, 0), people=[10, 4]), clinics((0, 0)), cut, **NEAR)
    assert release_gain(trips).loc[0].tolist() == about([4, 1, 120, 10])


def test_each_of_many_doors_alone_opens_the_whole_enclave():
    ladder = [[(0, y), (9_000, y)] for y in range(0, 6_000, 1_000)]
    ends = [[(x, y) for y in range(0, 6_000, 1_000)] for x in (0, 9_000)]
    doors = [across(4_000, y) for y in range(0, 6_000, 1_000)]
    cut = cut_roads(hazards(*doors), roads(*ladder, *ends))
    people = villages(*[(x, y) for x in (5_000, 8_000) for y in range(0, 6_000, 1_000)])
    gain = release_gain(trips_to(people, clinics((0, 0)), cut, **NEAR))
    assert gain["people_reconnected"].tolist() == [1_200] * 6
    assert gain["places_reconnected"].tolist() == [12] * 6
    assert gain["person_min_saved"].tolist() == [0] * 6


def test_stretch_under_two_areas_stays_closed_when_one_is_released():
    cut = cut_roads(hazards(across(4_000), across(4_050)), roads(MAIN))
    trips = trips_to(villages((9_000, 0)), clinics((0, 0)), cut, **NEAR)
    assert release_gain(trips)["people_reconnected"].tolist() == [0, 0]
    assert detour(trips, released=["A", "B"])["state"].tolist() == ["reached"]


def test_one_way_road_opens_only_its_own_way():
    cut = cut_roads(hazards(across(4_000)), roads(MAIN, oneway=[True]))
    there, back = (0, 0), (9_000, 0)
    with_it = trips_to(villages(there), clinics(back), cut, **NEAR)
    against = trips_to(villages(back), clinics(there), cut, **NEAR)
    assert release_gain(with_it)["people_reconnected"].tolist() == [100]
    assert release_gain(against)["people_reconnected"].tolist() == [0]
    assert detour(against)["state"].tolist() == ["no way"]


def test_village_beyond_the_cut_is_off_and_one_before_it_is_not():
    cut = cut_roads(hazards(across(4_000)), roads(MAIN))
    table = detour(trips_to(villages((4_200, 0), (3_800, 0)), clinics((0, 0)), cut, **NEAR))
    assert table["state"].tolist() == ["cut off", "reached"]
    assert table["open_min"].tolist() == about([4.2, 3.8])


def test_village_inside_an_area_walks_out_to_the_open_road():
    cut = cut_roads(hazards(across(4_000)), roads(MAIN))
    table = detour(trips_to(villages((3_950, 0)), clinics((0, 0)), cut, offroad_max_m=500))
    assert table["open_min"].tolist() == about([3.95])
    assert table["cut_min"].tolist() == about([50 * WALK + 3.9])


def test_walk_all_the_way_is_closed_by_an_area_across_it():
    line = roads([(0, 0), (0, 90_000), (2_000, 90_000), (2_000, 0)])
    village, clinic = villages((2_000, 0)), clinics((0, 0))
    free, barred = (
        detour(trips_to(village, clinic, cut_roads(hazards(area), line), offroad_max_m=3_000))
        for area in (across(1_000, 5_000), across(1_000))
    )
    assert free["cut_min"].tolist() == about([2_000 * WALK])
    assert (barred["open_min"].tolist(), barred["cut_min"].tolist()) == (about([40]), about([182]))


def test_walk_round_a_cut_does_not_lead_through_the_area():
    cut = cut_roads(hazards(box(3_500, -2_000, 4_500, 2_000)), roads(MAIN))
    table = detour(trips_to(villages((4_600, 0)), clinics((0, 0)), cut, offroad_max_m=2_000))
    assert table["state"].tolist() == ["cut off"]


def test_own_way_through_an_area_is_taken_as_in_use_and_said():
    trips = trips_to(
        villages((3_000, 500)),
        clinics((0, 0)),
        cut_roads(hazards(across(3_000, 250)), roads(MAIN)),
        offroad_max_m=600,
    )
    table = detour(trips)
    assert table["cut_min"].tolist() == about([500 * WALK + 3])
    assert any("taken as in use today, not as safe" in text for text in texts(table))


def test_trips_between_pairs_go_each_to_its_own_target():
    cut = cut_roads(hazards(across(4_000)), roads(MAIN, ROUND))
    starts, ends = villages((9_000, 0), (9_000, 0), (0, 0)), clinics((0, 0), (9_000, 6_000), (0, 0))
    trips = trips_between(starts, ends, cut, **NEAR)
    table = detour(trips)
    assert table["cut_min"].tolist() == about([21, 6, 0])
    assert release_gain(trips)["person_min_saved"].tolist() == about([1_200])
    assert joint_gain(trips, "A")["person_min_saved"] == about(1_200)
    with pytest.raises(DataError, match="targets: 1 for 3 places"):
        trips_between(starts, ends.iloc[:1], cut)


def test_passable_roads_serve_travel_time():
    cut = cut_roads(hazards(across(4_000)), roads(MAIN, ROUND))
    village, clinic = villages((9_000, 0)), clinics((0, 0))
    assert travel_time(village, clinic, cut.passable(), **NEAR).tolist() == about([21])
    assert travel_time(village, clinic, cut.passable(released=["A"]), **NEAR).tolist() == about([9])


def test_all_roads_cut_is_an_error_for_travel_and_all_cut_off_for_trips():
    cut = cut_roads(hazards(box(-1e4, -1e4, 2e4, 2e4)), roads(MAIN))
    with pytest.raises(DataError, match=r"hazards cut every road and none is left; is within_m too large\?"):
        cut.passable()
    trips = trips_to(villages((9_000, 0)), clinics((0, 0)), cut, **NEAR)
    assert detour(trips)["state"].tolist() == ["cut off"]
    assert release_gain(trips)["people_reconnected"].tolist() == [100]


def test_no_areas_at_all_cut_nothing():
    none = hazards(across(0)).iloc[:0]
    trips = trips_to(villages((9_000, 0)), clinics((0, 0)), cut_roads(none, roads(MAIN)), **NEAR)
    assert detour(trips)["detour_min"].tolist() == [0]
    assert release_gain(trips).empty


def test_facility_in_the_sea_is_named():
    cut = cut_roads(hazards(across(4_000)), roads(MAIN))
    trips = trips_to(villages((9_000, 0)), clinics((0, 0), (0, 40_000)), cut)
    found = next(n for n in trips.notes if n.table == "facilities")
    assert found.text == "1 of 2 facilities lie more than 10000 m from any road: reached on foot only"
    assert found.rows == ("2",)


def test_faults_are_told_with_their_cure():
    line, area, village, clinic = roads(MAIN), hazards(across(4_000)), villages((9_000, 0)), clinics((0, 0))
    cut = cut_roads(area, line)
    trips = trips_to(village, clinic, cut, **NEAR)
    with pytest.raises(CRSError, match=r"hazards: .*crs="):
        cut_roads(area.set_crs(None, allow_override=True), line)
    with pytest.raises(CRSError, match=r"roads: .*crs="):
        cut_roads(area, line.set_crs(None, allow_override=True))
    with pytest.raises(CRSError, match="hazards and roads do not overlap"):
        cut_roads(area.set_geometry(area.translate(2e6, 0)), line)
    with pytest.raises(
        DataError, match=r"within_m must be 0 \(the area itself\) or a number of metres, not -1"
    ):
        cut_roads(area, line, within_m=-1)
    with pytest.raises(DataError, match="released: 1 ids are not among the hazards: 'Z'"):
        detour(trips, released=["A", "Z"])
    with pytest.raises(DataError, match="places: no column people, so gains cannot be counted"):
        release_gain(trips_to(village.geometry, clinic, cut))
    with pytest.raises(DataError, match="people must be a number from 0"):
        trips_to(village.assign(people=-1), clinic, cut)
    with pytest.raises(DataError, match=r"say first what hazards cut, with cut_roads\(hazards, roads\)"):
        trips_to(village, clinic, road_graph(line))
    with pytest.raises(DataError, match="none is of kind hospital; there are: clinic"):
        trips_to(village, clinic, cut, kind="hospital")


def test_unknown_people_are_not_counted_and_said():
    cut = cut_roads(hazards(across(4_000)), roads(MAIN))
    trips = trips_to(villages((9_000, 0), (8_000, 0), people=[np.nan, 5]), clinics((0, 0)), cut, **NEAR)
    assert release_gain(trips)["people_reconnected"].tolist() == [5]
    assert release_gain(trips)["places_reconnected"].tolist() == [2]
    assert any(text.startswith("1 places without a number of people") for text in texts(detour(trips)))


def test_index_stays_and_inputs_are_unchanged():
    line, area, village, clinic = roads(MAIN), hazards(across(4_000)), villages((9_000, 0)), clinics((0, 0))
    area.index, village.index = ["h"], ["v"]
    before = [table.copy() for table in (line, area, village, clinic)]
    trips = trips_to(village, clinic, cut_roads(area, line))
    assert detour(trips).index.tolist() == ["v"]
    assert release_gain(trips).index.tolist() == ["h"]
    assert routes_cut(area, line).index.tolist() == ["h"]
    for table, old in zip((line, area, village, clinic), before, strict=True):
        assert table.equals(old)


def world(seed, towns=14, count=6):
    """Towns, roads between some of them, and areas; everyone lives in a town and nobody walks."""
    rng = np.random.default_rng(seed)
    town = rng.uniform(-30_000, 30_000, (towns, 2))
    pair = np.unique(np.sort(rng.integers(0, towns, (3 * towns, 2)), axis=1), axis=0)
    pair = pair[pair[:, 0] != pair[:, 1]]
    line = roads(*town[pair], speed_kmh=rng.uniform(10, 80, len(pair)), oneway=rng.random(len(pair)) < 0.2)
    spot, half = rng.uniform(-25_000, 25_000, (count, 2)), rng.uniform(500, 9_000, count)
    area = hazards(*[across(x, y, h) for (x, y), h in zip(spot, half, strict=True)])
    return town, pair, line, area, rng.integers(0, 50, towns)


def by_networkx(town, pair, line, area, goals, released):
    """Minutes from every town over the roads that no other area touches, without splitting any road."""
    still = area[~area["hazard_id"].isin(released)]
    shut = line.geometry.intersects(still.union_all()) if len(still) else np.zeros(len(line), dtype=bool)
    net = nx.MultiDiGraph()
    net.add_nodes_from(range(len(town)))
    km = line.length / 1_000
    for k, (a, b) in enumerate(pair.tolist()):
        if not shut[k]:
            minutes = km[k] / line["speed_kmh"][k] * 60
            net.add_edge(b, a, minutes=minutes)  # searched backwards, from the goals
            if not line["oneway"][k]:
                net.add_edge(a, b, minutes=minutes)
    found = nx.multi_source_dijkstra_path_length(net, set(goals), weight="minutes")
    return np.array([found.get(k, np.inf) for k in range(len(town))])


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), reach=st.sampled_from([0, 300]))
def test_every_gain_equals_a_run_by_brute_force(seed, reach):
    town, pair, line, area, people = world(seed)
    goals = [0, 1]
    drawn = area.set_geometry(area.buffer(reach, quad_segs=16)) if reach else area
    trips = trips_to(
        villages(*town, people=people.tolist()), clinics(*town[goals]),
        cut_roads(area, road_graph(line, snap_m=0), within_m=reach), offroad_max_m=1e-3,
    )  # fmt: skip
    now = by_networkx(town, pair, line, drawn, goals, [])
    np.testing.assert_allclose(detour(trips)["cut_min"].fillna(np.inf), now, rtol=1e-4, atol=1e-3)
    gain = release_gain(trips)
    for row, name in enumerate(area["hazard_id"]):
        then = by_networkx(town, pair, line, drawn, goals, [name])
        back, had = np.isinf(now) & np.isfinite(then), np.isfinite(now)
        saved = np.where(had, now, 0) - np.where(had, then, 0)
        saved[saved < 1e-4] = 0  # rounding
        expected = [people[back].sum(), back.sum(), (people * saved).sum(), people[saved > 0].sum()]
        np.testing.assert_allclose(gain.iloc[row], expected, rtol=1e-4, atol=0.5)
        np.testing.assert_allclose(joint_gain(trips, name), gain.iloc[row], rtol=1e-9, atol=1e-9)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_gains_with_walks_equal_a_run_for_each(seed):
    town, _, line, area, people = world(seed)
    rng = np.random.default_rng(seed)
    spots = villages(*(town + rng.normal(0, 1_500, town.shape)), people=people.tolist())
    trips = trips_to(spots, clinics(*town[:2] + 300), cut_roads(area, line), offroad_max_m=4_000)
    gain = release_gain(trips, released=["B"])
    for name, row in zip(area["hazard_id"], gain.to_numpy(), strict=True):
        np.testing.assert_allclose(row, joint_gain(trips, [name], released=["B"]), rtol=1e-9, atol=1e-9)
    assert gain.loc[1].sum() == 0


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_more_land_released_never_makes_a_trip_longer(seed):
    town, _, line, area, people = world(seed)
    trips = trips_to(villages(*town, people=people.tolist()), clinics(town[0]), cut_roads(area, line))
    before = detour(trips)["cut_min"].fillna(np.inf)
    for k in range(1, len(area) + 1):
        after = detour(trips, released=area["hazard_id"][:k])["cut_min"].fillna(np.inf)
        assert (after <= before + 1e-9).all()
        before = after
    np.testing.assert_allclose(before, detour(trips)["open_min"].fillna(np.inf), rtol=1e-12)


def test_open_minutes_are_at_most_those_of_travel_time():
    town, _, line, area, _ = world(5)
    graph = road_graph(line)
    spots, goals = villages(*(town + 400)), clinics(*town[:2])
    plain = travel_time(spots, goals, graph)
    free = detour(trips_to(spots, goals, cut_roads(area.iloc[:0], graph)))["open_min"]
    np.testing.assert_allclose(free, plain, rtol=1e-4)
    assert (detour(trips_to(spots, goals, cut_roads(area, graph)))["open_min"] <= plain * (1 + 1e-4)).all()


def test_order_of_areas_and_degrees_or_metres_do_not_matter():
    town, _, line, area, people = world(6)
    spots, goals = villages(*town, people=people.tolist()), clinics(*town[:2])
    gain = release_gain(trips_to(spots, goals, cut_roads(area, line), **NEAR))
    turned = area.iloc[::-1]
    again = release_gain(trips_to(spots, goals, cut_roads(turned, line), **NEAR))
    pd.testing.assert_frame_equal(again.loc[area.index], gain)
    moved = cut_roads(area.to_crs(4326), line.to_crs(4326))
    degrees = release_gain(trips_to(spots.to_crs(4326), goals.to_crs(4326), moved, **NEAR))
    np.testing.assert_allclose(degrees, gain, rtol=1e-3, atol=0.5)


@pytest.mark.shared
def test_cut_kilometres_of_a_real_country_equal_those_of_its_union(shared_data):
    file = shared_data / "bih-mines-west" / "suspect_areas_simplyfied.geojson"
    area = read_hazards(file, assume={"hazard_class": "SHA", "status": "open"})
    west, south, east, north = area.to_crs(32633).total_bounds
    lines = [LineString([(x, south), (x, north)]) for x in np.arange(west, east, 3_000)]
    line = gpd.GeoDataFrame({"speed_kmh": [30] * len(lines)}, geometry=lines, crs=32633)
    cut = cut_roads(area, line)
    land = area.geometry.to_crs(cut.graph.crs).make_valid().union_all(method="unary")
    expected = shapely.length(shapely.intersection(cut.graph.edges.geometry.to_numpy(), land)).sum() / 1_000
    assert cut.stretches()["km"].sum() == pytest.approx(expected, rel=1e-6)
    assert cut.by_hazard()["road_km_cut"].sum() >= expected * (1 - 1e-6)
