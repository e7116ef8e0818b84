"""Time of travel over roads and of roads that hazards cut, as ratios against the usual tools in one run.

    python benchmarks/access.py [--side 500] [--hazards 20000] [--runs 3]
    python benchmarks/access.py --growth        # how time grows with nodes and hazards
    python benchmarks/access.py --wall          # the worst case: every area alone would open half the country

Makes a net of side x side crossings with 96 % of the links between neighbours, 300 facilities and 15,000
villages. networkx and scipy get the same graph, ready in memory. Seconds are medians of the runs, after one
run to warm up. Every part is timed alternately with its peer, so that a busy machine slows both.
"""

import argparse
import statistics
import time

import geopandas as gpd
import networkx as nx
import numpy as np
import shapely
from scipy.sparse.csgraph import dijkstra

from ccm_geo.access import cut_roads, detour, joint_gain, release_gain, road_graph, travel_time, trips_to
from ccm_geo.access._search import to_goals

LAEA = "+proj=laea +lat_0=18 +lon_0=105 +datum=WGS84 +units=m"
STEP_M = 1_000


def country(side, facilities, villages, hazards, seed=0):
    """Make crossings with uneven roads, places beside them, and areas, some of them on a road."""
    rng = np.random.default_rng(seed)
    number = np.arange(side * side).reshape(side, side)
    pair = np.vstack([
        np.column_stack([number[:, :-1].ravel(), number[:, 1:].ravel()]),
        np.column_stack([number[:-1].ravel(), number[1:].ravel()]),
    ])  # fmt: skip
    pair = pair[rng.random(len(pair)) < 0.962]
    xy = np.column_stack(np.divmod(number.ravel(), side)) * STEP_M + rng.uniform(-300, 300, (side * side, 2))
    table = {"speed_kmh": rng.choice([15, 40, 60], len(pair), p=[0.6, 0.3, 0.1])}
    roads = gpd.GeoDataFrame(table, geometry=shapely.linestrings(xy[pair]), crs=LAEA)
    wide = side * STEP_M

    def dots(count):
        return shapely.points(rng.uniform(0, wide, (count, 2)))

    def points(count, **columns):
        return gpd.GeoDataFrame(columns, geometry=dots(count), crs=LAEA)

    area = gpd.GeoDataFrame(
        {"hazard_id": [f"H{k}" for k in range(hazards)], "status": "open"},
        geometry=shapely.buffer(dots(hazards), rng.uniform(50, 400, hazards)), crs=LAEA,
    )  # fmt: skip
    return roads, points(facilities), points(villages, people=rng.integers(10, 2_000, villages)), area


def timed(runs, **works):
    """Time several works in turn, after one round to warm up; medians and last results."""
    taken, found = {name: [] for name in works}, {}
    for run in range(runs + 1):
        for name, work in works.items():
            start = time.perf_counter()
            found[name] = work()
            if run:
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}, found


def once(name, work):
    start = time.perf_counter()
    found = work()
    print(f"{name:62} {time.perf_counter() - start:8.2f} s")
    return found


def as_networkx(matrix):
    net = nx.DiGraph()
    rows = matrix.tocoo()
    net.add_weighted_edges_from(zip(*(c.tolist() for c in (*rows.coords, rows.data)), strict=True), "minutes")
    return net


def travel(graph, facilities, villages, runs):
    xy = shapely.get_coordinates(facilities.to_crs(graph.crs).geometry)
    goals = shapely.STRtree(shapely.points(graph.nodes)).nearest(shapely.points(xy))
    matrix, net, zero = graph.matrix, as_networkx(graph.matrix), np.zeros(len(goals))
    sources = set(goals.tolist())
    seconds, found = timed(
        runs,
        search=lambda: to_goals(graph.links, None, goals, zero),
        whole=lambda: travel_time(villages, facilities, graph),
        scipy=lambda: dijkstra(matrix, indices=goals, min_only=True),
        networkx=lambda: nx.multi_source_dijkstra_path_length(net, sources, weight="minutes"),
    )
    np.testing.assert_allclose(found["search"], found["scipy"])
    by_nx = np.array([found["networkx"].get(k, np.inf) for k in range(len(graph.nodes))])
    np.testing.assert_allclose(found["search"], by_nx)
    for name, said in (
        ("search", "minutes of all nodes"),
        ("whole", f"travel_time of {len(villages)} villages"),
    ):
        print(
            f"{said:62} {seconds[name]:8.3f} s; networkx {seconds['networkx']:.2f} s = "
            f"{seconds['networkx'] / seconds[name]:.0f} x; of scipy's {seconds['scipy']:.3f} s "
            f"{seconds[name] / seconds['scipy']:.2f} x"
        )


def cuts(graph, facilities, villages, hazards):
    start = time.perf_counter()
    cut = once(f"roads cut by {len(hazards)} hazards", lambda: cut_roads(hazards, graph))
    once("... km of road by hazard", cut.by_hazard)
    trips = once("trips, with walks", lambda: trips_to(villages, facilities, cut))
    once("detour of every village", lambda: detour(trips))
    gain = once("gain of releasing each hazard alone", lambda: release_gain(trips))
    print(f"{'all of it':62} {time.perf_counter() - start:8.2f} s")
    best = hazards["hazard_id"][gain["person_min_saved"].nlargest(100).index]
    once("gain of releasing 100 together", lambda: joint_gain(trips, best))
    few = gain.index[gain["person_min_saved"] > 0][:20]
    for row in few:
        alone = joint_gain(trips, hazards["hazard_id"][row])
        np.testing.assert_allclose(alone, gain.loc[row], rtol=1e-6, atol=1e-3)
    print(
        f"   {(gain.sum(axis=1) > 0).sum()} hazards bring something alone; {len(few)} checked by a whole run"
    )
    print(f"   {detour(trips)['state'].value_counts().to_dict()}")


def wall(side, villages):
    """Cut every link across the middle by an area of its own, with one facility on one side."""
    roads, _, places, _ = country(side, 1, villages, 0)
    middle = side // 2 * STEP_M + STEP_M / 2
    ends = shapely.get_coordinates(roads.geometry).reshape(-1, 2, 2)[:, :, 0]
    over = roads.geometry[(ends.min(axis=1) < middle) & (ends.max(axis=1) > middle)]
    spots = over.interpolate(0.5, normalized=True)
    ids = [f"H{k}" for k in range(len(spots))]
    areas = gpd.GeoDataFrame({"hazard_id": ids}, geometry=spots.buffer(20).to_numpy(), crs=LAEA)
    clinic = gpd.GeoSeries(shapely.points([[STEP_M, STEP_M]]), crs=LAEA)
    trips = trips_to(places, clinic, cut_roads(areas, road_graph(roads)), offroad_max_m=300)
    release_gain(trips)
    gain = once(
        f"gain of {len(areas)} areas that each open half of {side**2} nodes", lambda: release_gain(trips)
    )
    print(f"   people reconnected by one: {gain['people_reconnected'].median():,.0f}")


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--side", type=int, default=500)
    ask.add_argument("--hazards", type=int, default=20_000)
    ask.add_argument("--facilities", type=int, default=300)
    ask.add_argument("--runs", type=int, default=3)
    ask.add_argument("--growth", action="store_true")
    ask.add_argument("--wall", action="store_true")
    a = ask.parse_args()
    if a.wall:
        wall(a.side, 15_000)
        return
    sizes = (
        [(125, 1_250), (250, 5_000), (500, 20_000), (1_000, 80_000)] if a.growth else [(a.side, a.hazards)]
    )
    for side, count in sizes:
        roads, facilities, villages, hazards = country(side, a.facilities, 15_000, count)
        graph = once(f"graph of {len(roads)} roads", lambda roads=roads: road_graph(roads))
        print(f"   {len(graph.nodes)} nodes, {len(graph.edges)} edges, {len(facilities)} facilities")
        if not a.growth:
            travel(graph, facilities, villages, a.runs)
        else:
            once("travel_time", lambda: travel_time(villages, facilities, graph))  # noqa: B023 - called at once
            once("travel_time again", lambda: travel_time(villages, facilities, graph))  # noqa: B023 - at once
        cuts(graph, facilities, villages, hazards)


if __name__ == "__main__":
    main()
