"""Roads as a graph and the minutes over it: by hand, and against networkx."""

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely import LineString, MultiLineString, Point

from ccm_geo import space
from ccm_geo.access import RoadGraph, minutes_between, road_graph, travel_time
from ccm_geo.assumptions import Assumption
from ccm_geo.errors import CRSError, DataError

LAEA = "+proj=laea +lon_0=105 +lat_0=18 +datum=WGS84 +units=m"  # centred where the test roads lie
WALK = 60 / 3_000  # minutes a metre at 3 km/h


def table(*lines, **columns):
    columns.setdefault("speed_kmh", [60.0] * len(lines))
    return gpd.GeoDataFrame(columns, geometry=list(lines), crs=LAEA)


def places(*xy):
    return gpd.GeoSeries([None if p is None else Point(p) for p in xy], crs=LAEA)


def clinics(*xy, kind="clinic"):
    return gpd.GeoDataFrame({"kind": [kind] * len(xy)}, geometry=[Point(p) for p in xy], crs=LAEA)


def about(minutes):
    return pytest.approx(minutes, rel=1e-5, nan_ok=True)


def test_a_kilometre_at_sixty_takes_a_minute():
    graph = road_graph(table(LineString([(0, 0), (3_000, 0)])))
    assert graph.edges["minutes"].tolist() == about([3])
    assert graph.matrix.toarray() == about(np.array([[0, 3], [3, 0]]))


def test_lines_are_cut_where_another_line_ends_on_a_vertex():
    graph = road_graph(
        table(LineString([(0, 0), (1_000, 0), (2_000, 0)]), LineString([(1_000, 0), (1_000, 500)]))
    )
    assert len(graph.nodes) == 4
    assert sorted(graph.edges["road"]) == [0, 0, 1]


def test_vertices_between_are_no_nodes_but_their_length_counts():
    graph = road_graph(table(LineString([(0, 0), (300, 400), (600, 0)])))
    assert (len(graph.nodes), graph.edges["length_m"].tolist()) == (2, about([1_000]))


def test_lines_that_cross_without_a_vertex_do_not_join():
    graph = road_graph(table(LineString([(0, -500), (0, 500)]), LineString([(-500, 0), (500, 0)])))
    assert len(graph.nodes) == 4
    assert graph.notes[-1].text.startswith(
        "the roads fall in 2 pieces that do not meet, the largest with 50 %"
    )


def test_lines_that_cross_at_a_shared_vertex_join():
    graph = road_graph(
        table(LineString([(0, -500), (0, 0), (0, 500)]), LineString([(-500, 0), (0, 0), (500, 0)]))
    )
    assert (len(graph.nodes), len(graph.edges), graph.notes) == (5, 4, ())


@pytest.mark.parametrize(("snap_m", "pieces"), [(0, 2), (0.5, 2), (1, 1)])
def test_ends_a_little_apart_join_within_the_tolerance(snap_m, pieces):
    graph = road_graph(
        table(LineString([(0, 0), (100, 0)]), LineString([(100.8, 0), (200, 0)])), snap_m=snap_m
    )
    assert graph.piece.max() + 1 == pieces


def test_close_vertices_of_one_line_stay_apart():
    graph = road_graph(table(LineString([(0, 0), (3, 0), (6, 0), (9, 0)])), snap_m=4)
    assert graph.edges["length_m"].sum() == pytest.approx(9, abs=3.1)


def test_one_way_road_leads_only_along_the_line():
    graph = road_graph(table(LineString([(0, 0), (3_000, 0)]), oneway=[True]))
    both = minutes_between(places((0, 0), (3_000, 0)), places((0, 0), (3_000, 0)), graph, offroad_max_m=100)
    assert both == about(np.array([[0, 3], [np.inf, 0]]))


def test_quicker_of_two_parallel_roads_counts():
    slow, fast = LineString([(0, 0), (3_000, 0)]), LineString([(0, 0), (1_500, 1), (3_000, 0)])
    graph = road_graph(table(slow, fast, speed_kmh=[30, 60]))
    assert graph.matrix.toarray().max() == about(3)


def test_speed_comes_from_the_row_then_the_class_then_a_placeholder():
    line = [LineString([(0, k), (1_000, k)]) for k in range(4)]
    graph = road_graph(
        table(*line, speed_kmh=[10, np.nan, 0, None], road_class=["primary", "primary", "track", "goat"]),
        speeds={"track": 6},
        snap_m=0,
    )
    assert graph.edges["minutes"].tolist() == about([6, 1, 10, 3])
    texts = [n.text for n in graph.notes]
    assert texts[0].startswith(
        "1 roads without speed: a placeholder by class (primary 60 km/h); give speeds=. No source found"
    )
    assert texts[1].startswith("1 roads without speed and known class: 20 km/h, a placeholder; give speeds=")


def test_rows_without_a_line_are_left_out_and_noted():
    lines = [MultiLineString([[(0, 0), (1, 0)], [(1, 0), (2, 0)]]), None, Point(0, 0), LineString()]
    graph = road_graph(table(*lines), snap_m=0)
    assert len(graph.edges) == 2
    assert [n.text for n in graph.notes] == ["3 of 4 roads without a line: left out"]


def test_layer_without_any_line_is_refused():
    with pytest.raises(DataError, match="no line in it"):
        road_graph(table(Point(0, 0)))


def test_layer_without_a_crs_is_refused():
    with pytest.raises(CRSError, match=r"roads: .*crs="):
        road_graph(gpd.GeoDataFrame({"speed_kmh": [1]}, geometry=[LineString([(0, 0), (1, 1)])]))


@pytest.mark.parametrize("bad", [{"snap_m": -1}, {"speeds": {"track": 0}}])
def test_numbers_below_zero_are_refused(bad):
    with pytest.raises(DataError, match="positive"):
        road_graph(table(LineString([(0, 0), (1, 0)])), **bad)


def test_trip_walks_to_the_road_drives_and_walks_from_it():
    road = table(LineString([(0, 0), (5_000, 0)]))
    minutes = travel_time(places((1_000, 300)), clinics((4_000, -150)), road)
    assert minutes.name == "travel_min"
    assert minutes.tolist() == about([300 * WALK + 3 + 150 * WALK])


def test_nearest_facility_is_nearest_in_time():
    road = table(LineString([(0, 0), (1_000, 0)]), LineString([(0, 0), (-5_000, 0)]), speed_kmh=[6, 60])
    minutes = travel_time(places((0, 0)), clinics((1_000, 0), (-5_000, 0)), road, offroad_max_m=500)
    assert minutes.tolist() == about([5])


def test_short_way_on_foot_beats_a_long_way_round():
    road = table(LineString([(0, 0), (5_000, 0), (5_000, 5_000), (0, 5_000), (0, 200)]), speed_kmh=[10])
    assert travel_time(places((0, 0)), clinics((0, 200)), road).tolist() == about([200 * WALK])


def test_two_places_on_the_same_stretch_pass_no_node():
    road = table(LineString([(0, 0), (10_000, 0)]))
    assert travel_time(places((4_000, 0)), clinics((7_000, 0)), road).tolist() == about([3])


def test_place_starts_on_a_road_that_leads_to_a_facility():
    road = table(LineString([(0, 0), (6_000, 0)]), LineString([(0, 900), (6_000, 900)]))
    minutes = travel_time(places((0, 600)), clinics((6_000, 0)), road, offroad_max_m=1_000)
    assert minutes.tolist() == about([600 * WALK + 6])


def test_place_without_a_way_is_unknown_and_noted():
    road = table(LineString([(0, 0), (1_000, 0)]), LineString([(40_000, 0), (41_000, 0)]))
    minutes = travel_time(places((0, 0), (40_000, 0), None), clinics((1_000, 0)), road)
    assert minutes.tolist() == about([1, np.nan, np.nan])
    texts = [n.text for n in minutes.attrs["notes"]]
    assert "1 of 3 places have no way to a facility (a road within 10000 m that leads there)" in texts
    assert "1 places without geometry: no travel time" in texts


def test_facility_far_from_any_road_is_noted():
    road = table(LineString([(0, 0), (1_000, 0)]))
    minutes = travel_time(places((0, 0)), clinics((0, 30_000)), road)
    assert np.isnan(minutes).all()
    assert any(
        "1 of 1 facilities lie more than 10000 m from any road" in n.text for n in minutes.attrs["notes"]
    )


def test_kind_chooses_and_unknown_kinds_are_named():
    road = table(LineString([(0, 0), (2_000, 0)]))
    both = pd.concat([clinics((1_000, 0)), clinics((2_000, 0), kind="hospital")])
    assert travel_time(places((0, 0)), both, road, kind="hospital").tolist() == about([2])
    assert travel_time(places((0, 0)), both, road, kind=["hospital", "clinic"]).tolist() == about([1])
    with pytest.raises(DataError, match=r"none is of kind prosthetics; there are: clinic, hospital"):
        travel_time(places((0, 0)), both, road, kind="prosthetics")


def test_layers_apart_are_refused_with_both_extents():
    road = table(LineString([(0, 0), (2_000, 0)]))
    with pytest.raises(CRSError, match=r"places and roads do not overlap: .*longitude"):
        travel_time(gpd.GeoSeries([Point(10, 10)], crs=4326), clinics((0, 0)), road)


@pytest.mark.parametrize("bad", [{"offroad_kmh": 0}, {"offroad_max_m": -1}])
def test_speeds_and_reach_must_be_positive(bad):
    with pytest.raises(DataError, match="positive"):
        travel_time(places((0, 0)), clinics((0, 0)), table(LineString([(0, 0), (1, 0)])), **bad)


def random_roads(rng, count=120):
    """Roads between random towns: some one-way, some slow, many meeting."""
    town = rng.uniform(-40_000, 40_000, (count, 2))
    pair = np.unique(np.sort(rng.integers(0, count, (3 * count, 2)), axis=1), axis=0)
    pair = pair[pair[:, 0] != pair[:, 1]]
    return table(
        *shapely.linestrings(town[pair]),
        speed_kmh=rng.uniform(10, 80, len(pair)),
        oneway=rng.random(len(pair)) < 0.2,
    )


def as_networkx(graph):
    net = nx.DiGraph()
    for row in graph.edges.itertuples():
        keep_quickest(net, row.from_node, row.to_node, row.minutes)
        keep_quickest(net, row.to_node, row.from_node, row.back_minutes)
    return net


def keep_quickest(net, tail, head, minutes):
    if np.isfinite(minutes) and minutes < net.get_edge_data(tail, head, {"minutes": np.inf})["minutes"]:
        net.add_edge(tail, head, minutes=minutes)


def part(share, minutes):
    return 0 if share < 1e-9 else share * minutes


def put_in(net, graph, name, point, reach):
    """Join a point to the ends of its nearest road; where it meets that road, and how far off."""
    near = graph.edges.distance(point)
    edge, off = graph.edges.loc[near.idxmin()], near.min()
    share = edge.geometry.project(point, normalized=True)
    if off <= reach:
        keep_quickest(net, "s" + name, edge.from_node, part(share, edge.back_minutes) + off * WALK)
        keep_quickest(net, "s" + name, edge.to_node, part(1 - share, edge.minutes) + off * WALK)
        keep_quickest(net, edge.from_node, "g" + name, part(share, edge.minutes) + off * WALK)
        keep_quickest(net, edge.to_node, "g" + name, part(1 - share, edge.back_minutes) + off * WALK)
    return near.idxmin(), share, off


def by_networkx(graph, start, goal, reach):
    """Minutes from every start to every goal by putting all of them into a networkx graph."""
    net = as_networkx(graph)
    a, b = (list(space.project(layer, graph.crs)) for layer in (start, goal))
    on_a = [put_in(net, graph, f"a{k}", point, reach) for k, point in enumerate(a)]
    on_b = [put_in(net, graph, f"b{k}", point, reach) for k, point in enumerate(b)]
    result = np.full((len(a), len(b)), np.inf)
    for i, j in np.ndindex(*result.shape):
        ends = f"sa{i}", f"gb{j}"
        found = [a[i].distance(b[j]) * WALK] if a[i].distance(b[j]) <= reach else []
        if all(end in net for end in ends) and nx.has_path(net, *ends):
            found.append(nx.shortest_path_length(net, *ends, weight="minutes"))
        if on_a[i][0] == on_b[j][0] and max(on_a[i][2], on_b[j][2]) <= reach:
            edge, ahead = graph.edges.loc[on_a[i][0]], on_b[j][1] - on_a[i][1]
            drive = part(abs(ahead), edge.minutes if ahead >= 0 else edge.back_minutes)
            found.append(drive + (on_a[i][2] + on_b[j][2]) * WALK)
        result[i, j] = min(found, default=np.inf)
    return result


@pytest.mark.parametrize("seed", range(3))
def test_random_trips_agree_with_networkx(seed):
    rng = np.random.default_rng(seed)
    graph = road_graph(random_roads(rng))
    start, goal = (places(*rng.uniform(-42_000, 42_000, (n, 2))) for n in (40, 12))
    expected = by_networkx(graph, start, goal, 4_000)
    found = minutes_between(start, goal, graph, limit_min=1e6, offroad_max_m=4_000)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    limited = minutes_between(start, goal, graph, limit_min=60, offroad_max_m=4_000)
    np.testing.assert_allclose(limited, np.where(expected <= 60, expected, np.inf), rtol=1e-9)


def test_travel_time_is_the_smallest_of_minutes_between():
    rng = np.random.default_rng(11)
    graph = road_graph(random_roads(rng).assign(oneway=False))  # one piece: every road leads everywhere
    start, goal = (places(*rng.uniform(-42_000, 42_000, (n, 2))) for n in (40, 12))
    every = minutes_between(start, goal, graph, limit_min=1e6, offroad_max_m=4_000).min(axis=1)
    nearest = travel_time(start, goal, graph, offroad_max_m=4_000)
    np.testing.assert_allclose(nearest.fillna(np.inf), every, rtol=1e-9)


def test_longitude_or_metres_give_the_same_minutes():
    rng = np.random.default_rng(12)
    roads, start = random_roads(rng), places(*rng.uniform(-40_000, 40_000, (30, 2)))
    goal = clinics(*rng.uniform(-40_000, 40_000, (5, 2)))
    metres = travel_time(start, goal, roads)
    degrees = travel_time(start.to_crs(4326), goal.to_crs(4326), roads.to_crs(4326))
    np.testing.assert_allclose(degrees, metres, rtol=1e-6)


def test_rows_and_index_stay_and_inputs_are_unchanged():
    road, start, goal = (
        table(LineString([(0, 0), (2_000, 0)])),
        places((0, 0), (2_000, 0)),
        clinics((1_000, 0)),
    )
    start.index = ["b", "a"]
    before = [layer.copy() for layer in (road, start, goal)]
    assert travel_time(start, goal, road).index.tolist() == ["b", "a"]
    for layer, old in zip((road, start, goal), before, strict=True):
        assert layer.equals(old)


def test_area_starts_inside_it():
    road = table(LineString([(0, 0), (3_000, 0)]))
    field = gpd.GeoSeries([shapely.box(900, 0, 1_100, 200)], crs=LAEA)
    assert travel_time(field, clinics((3_000, 0)), road).tolist() == about([100 * WALK + 2])


def test_more_roads_never_make_a_trip_longer():
    rng = np.random.default_rng(13)
    roads = random_roads(rng).assign(oneway=False)
    town = [
        r.coords[0] for r in roads.geometry[:100]
    ]  # on the roads, so that no trip begins or ends elsewhere
    start, goal = places(*town[:90]), places(*town[90:])
    few = travel_time(start, goal, road_graph(roads.iloc[:100])).fillna(np.inf)
    assert (travel_time(start, goal, road_graph(roads)).fillna(np.inf) <= few + 1e-9).all()


def test_networkx_and_back_gives_the_same_minutes():
    rng = np.random.default_rng(14)
    graph = road_graph(random_roads(rng))
    again = RoadGraph.from_networkx(graph.to_networkx())
    start, goal = (places(*rng.uniform(-40_000, 40_000, (n, 2))) for n in (20, 5))
    np.testing.assert_allclose(travel_time(start, goal, again), travel_time(start, goal, graph), rtol=1e-5)


@pytest.mark.parametrize(
    "edge",
    [
        {"minutes": 2.0},
        {"travel_time": 120.0},
        {"length": 2_000.0, "speed_kph": 60},
        {"length": 1e3, "speed_kmh": 30},
    ],
)
def test_graphs_of_others_are_read_with_their_own_names(edge):
    net = nx.MultiDiGraph(crs="EPSG:4326")
    net.add_node("a", x=105.0, y=18.0)
    net.add_node("b", x=105.02, y=18.0)
    net.add_edge("a", "b", **edge)
    graph = RoadGraph.from_networkx(net)
    assert graph.matrix.toarray() == pytest.approx(np.array([[0, 2], [0, 0]]))


def test_graph_without_minutes_or_crs_is_refused():
    net = nx.Graph(crs="EPSG:4326")
    net.add_edge(1, 2)
    nx.set_node_attributes(net, {1: 105.0, 2: 105.1}, "x")
    nx.set_node_attributes(net, 18.0, "y")
    with pytest.raises(DataError, match="do not say how long they take"):
        RoadGraph.from_networkx(net)
    net.graph.clear()
    with pytest.raises(CRSError, match="crs="):
        RoadGraph.from_networkx(net)


def test_place_at_the_end_of_a_one_way_road_may_take_another_road():
    road = table(LineString([(3_000, 0), (0, 0)]), LineString([(0, 0), (0, 3_000)]), oneway=[True, False])
    assert travel_time(places((0, 0)), clinics((0, 3_000)), road, offroad_max_m=500).tolist() == about([3])


def test_side_road_on_the_middle_of_a_road_without_a_vertex_joins_there():
    main, sides = (
        LineString([(0, 0), (9_000, 0)]),
        ([(3_000, 0), (3_000, 900)], [(6_000, 0.6), (6_000, -900)]),
    )
    graph = road_graph(table(main, *map(LineString, sides)))
    assert (len(graph.edges), graph.piece.max()) == (5, 0)
    text = "2 roads end on the middle of another road (within 1 m): joined there"
    assert [(n.kind, n.text, n.rows) for n in graph.notes] == [("repaired", text, ("2", "3"))]
    minutes = minutes_between(places((3_000, 900)), places((6_000, -900)), graph, offroad_max_m=10)
    assert minutes == about(np.array([[0.9 + 3 + 0.9006]]))


def test_side_road_joins_a_long_straight_road_given_in_degrees():
    main = LineString([(105, 18), (105.6, 18.4)])  # 78 km; in metres it bends by dozens of metres
    side = LineString([main.interpolate(0.4, normalized=True), (105.5, 18)])
    roads = gpd.GeoDataFrame({"speed_kmh": [60, 60]}, geometry=[main, side], crs=4326)
    graph = road_graph(roads)
    assert (len(graph.edges), graph.piece.max()) == (3, 0)


def test_side_road_that_stops_just_short_stays_apart_and_is_named():
    lines = LineString([(0, 0), (9_000, 0)]), LineString([(3_000, 4), (3_000, 900)])
    apart, met = road_graph(table(*lines)), road_graph(table(*lines), snap_m=5)
    assert (apart.piece.max(), met.piece.max()) == (1, 0)
    assert apart.notes[0].text.startswith("1 ends of roads stop between 1 and 10 m short of another road")
    assert apart.notes[0].rows == ("2",)


def test_roads_that_end_on_each_other_join_once():
    lines = LineString([(0, 0), (5_000, 0)]), LineString([(5_000, 0), (5_000, 3_000)])
    assert road_graph(table(*lines)).notes == ()


def test_speeds_bring_their_source_into_the_notes():
    said = Assumption(value=30, unit="km/h", source="Ministry of Transport, 2026")
    graph = road_graph(
        table(LineString([(0, 0), (3_000, 0)]), speed_kmh=[None], road_class=["track"]),
        speeds={"track": said},
    )
    assert graph.edges["minutes"].tolist() == about([6])
    assert (
        graph.notes[0].text == "1 roads without speed: by class (track 30 km/h). Ministry of Transport, 2026"
    )


def test_walking_speed_and_reach_stand_in_the_notes():
    road = table(LineString([(0, 0), (1_000, 0)]))
    texts = [n.text for n in travel_time(places((0, 0)), clinics((0, 0)), road).attrs["notes"]]
    assert any(text.startswith("walking off the road at 3 km/h: Tobler's hiking function") for text in texts)
    assert "people walk up to 10000 m to a road: a placeholder; give offroad_max_m=" in texts
    own = travel_time(places((0, 0)), clinics((0, 0)), road, offroad_kmh=4, offroad_max_m=50)
    assert own.attrs["notes"] == ()


def osmnx_like():
    """As OSMnx gives it: seconds, metres, both directions of a two-way road, lists where it merged ways."""
    net = nx.MultiDiGraph(crs="EPSG:4326")
    for name, lon in ((11, 105.0), (12, 105.02), (13, 105.04)):
        net.add_node(name, x=lon, y=18.0)
    net.add_edge(11, 12, key=0, length=2_000.0, travel_time=120.0, oneway=False, highway="primary")
    net.add_edge(12, 11, key=0, length=2_000.0, travel_time=120.0, oneway=False, highway="primary")
    net.add_edge(
        12, 13, key=0, length=2_000.0, speed_kph=["40", "60"], oneway=True, highway=["track", "path"]
    )
    return net


def test_graph_of_osmnx_is_taken_at_the_door():
    graph = road_graph(osmnx_like())
    expected = [[0, 2, 0], [2, 0, 3], [0, 0, 0]]
    assert graph.matrix.toarray() == pytest.approx(np.array(expected))
    assert graph.edges["back_minutes"].tolist() == [2, np.inf]
    start, goal = (gpd.GeoSeries([Point(lon, 18)], crs=4326) for lon in (105.0, 105.04))
    assert travel_time(start, goal, osmnx_like(), offroad_max_m=50).tolist() == about([5])
    assert travel_time(goal, start, osmnx_like(), offroad_max_m=50).isna().all()


def test_graph_with_lengths_and_classes_only_gets_placeholder_speeds():
    net = osmnx_like()
    for _, _, edge in net.edges(data=True):
        edge.pop("travel_time", None)
        edge.pop("speed_kph", None)
    graph = road_graph(net, speeds={"track": 12})
    assert graph.edges["minutes"].tolist() == about([2, 10])
    assert any("a placeholder by class (primary 60 km/h)" in n.text for n in graph.notes)


def test_lines_of_an_undirected_graph_are_turned_along_their_edge():
    net = nx.Graph(crs="EPSG:4326")
    net.add_node(1, x=105.0, y=18.0)
    net.add_node(2, x=105.02, y=18.0)
    net.add_edge(1, 2, minutes=10.0, oneway=True, geometry=LineString([(105.02, 18), (105, 18)]))
    graph = road_graph(net)
    assert graph.notes[0].text.startswith("1 one-way edges in an undirected graph")
    near, goal = (gpd.GeoSeries([Point(lon, 18)], crs=4326) for lon in (105.002, 105.0))
    assert travel_time(near, goal, graph, offroad_max_m=50).tolist() == pytest.approx([1], rel=1e-3)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda net: net.remove_edges_from(list(net.edges)), "the graph has no edge"),
        (lambda net: net.add_node(99), "1 nodes of the graph have no place"),
        (lambda net: net.add_edge(11, 13, travel_time=-5.0), "1 edges of the graph do not say how long"),
    ],
)
def test_graphs_that_cannot_be_used_are_refused(spoil, message):
    net = osmnx_like()
    spoil(net)
    with pytest.raises(DataError, match=message):
        road_graph(net)


def test_minutes_between_are_the_same_from_either_side():
    rng = np.random.default_rng(21)
    graph = road_graph(random_roads(rng))
    few, many = (places(*rng.uniform(-40_000, 40_000, (n, 2))) for n in (3, 30))
    options = {"limit_min": 1e6, "offroad_max_m": 4_000}
    wide, tall = minutes_between(few, many, graph, **options), minutes_between(many, few, graph, **options)
    for k in range(3):
        alone = minutes_between(few.iloc[[k]], many, graph, **options)
        np.testing.assert_allclose(wide[[k]], alone, rtol=1e-12)
        back = np.hstack(
            [minutes_between(many.iloc[[j]], few.iloc[[k]], graph, **options).T for j in range(5)]
        )
        np.testing.assert_allclose(tall[:5, [k]].T, back, rtol=1e-12)
