"""Who is far from help and where to stop: by hand, by brute force, and by what must always hold."""

from dataclasses import FrozenInstanceError, replace
from itertools import combinations, pairwise

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csc_array
from shapely import LineString, Point, box

from ccm_geo import choose_stops, map_outreach, road_graph, service_reach, site_outreach
from ccm_geo.access import cut_roads
from ccm_geo.errors import CRSError, DataError
from ccm_geo.outreach import LIMITS_MIN
from ccm_geo.outreach._bound import lowered
from ccm_geo.outreach._exact import best_stops
from ccm_geo.outreach._gains import Task, dominated

LAEA = "+proj=laea +lon_0=105 +lat_0=18 +datum=WGS84 +units=m"


def about(number):
    return pytest.approx(number, rel=1e-4, nan_ok=True)


def town(*xy, **columns):
    return gpd.GeoDataFrame(columns, geometry=[None if p is None else Point(p) for p in xy], crs=LAEA)


def straight(*xs, kmh=60.0):
    """Roads along y = 0 between these places; a kilometre is a minute."""
    lines = [LineString([(a, 0), (b, 0)]) for a, b in pairwise(xs)]
    return gpd.GeoDataFrame({"speed_kmh": [kmh] * len(lines)}, geometry=lines, crs=LAEA)


# the known case: San Francisco, 205 tracts, 16 stores


@pytest.fixture(scope="module")
def san_francisco(shared_cases):
    folder = shared_cases / "spopt_sf"
    trips = pd.read_csv(
        folder / "SF_network_distance_candidateStore_16_censusTract_205_new.csv",
        dtype={"DestinationName": str},
    )
    people = pd.read_csv(folder / "SF_demand_205_centroid_uniform_weight.csv", dtype={"NAME": str})
    metres = trips.pivot_table(index="DestinationName", columns="name", values="distance")
    return metres, people.set_index("NAME")["POP2000"].reindex(metres.index)


@pytest.mark.shared
def test_san_francisco_most_people_covered(san_francisco):
    metres, people = san_francisco
    best = choose_stops(metres, goal="coverage", weights=people, within=5_000, sites=4, gap=0)
    assert (best.value, best.bound, best.gap) == (875_247, 875_247, 0)
    assert people.sum() == 955_113
    apart = int((best.places["reach"] == "beyond").sum())
    assert apart == 21
    assert 100 * (1 - apart / len(metres)) == pytest.approx(89.75609756)


@pytest.mark.shared
def test_san_francisco_most_tracts_covered_is_that_of_all_1820_sets(san_francisco):
    metres, _ = san_francisco
    inside = (metres <= 5_000).to_numpy()
    most = max(inside[:, list(four)].any(axis=1).sum() for four in combinations(range(16), 4))
    best = choose_stops(metres, goal="coverage", within=5_000, sites=4, gap=0)
    assert (best.value, best.gap) == (most, 0)


@pytest.mark.shared
def test_san_francisco_shortest_mean_trip(san_francisco):
    metres, people = san_francisco
    best = choose_stops(metres, goal="travel", weights=people, sites=4, gap=0, unit="metres")
    assert best.value == pytest.approx(2982.1268579890657, rel=1e-12)
    assert best.gap == 0


# by brute force


def random_case(seed, places=30, stops=9):
    rng = np.random.default_rng(seed)
    home, stop = rng.uniform(0, 100, (places, 2)), rng.uniform(0, 100, (stops, 2))
    minutes = np.hypot(*(home[:, None] - stop[None]).transpose(2, 0, 1))
    minutes[rng.random(minutes.shape) < 0.15] = np.inf
    weight = np.floor(rng.lognormal(4, 1.5, places))
    cost = np.floor(rng.uniform(1, 9, stops)) * 1_000
    return minutes, weight, cost


def every_set(stops, most):
    for size in range(most + 1):
        yield from (list(some) for some in combinations(range(stops), size))


@pytest.mark.parametrize("seed", range(6))
def test_coverage_is_the_best_of_all_sets(seed):
    minutes, weight, cost = random_case(seed)
    for limits, allowed in (
        ({"sites": 3}, lambda some: len(some) <= 3),
        ({"budget_usd": 14_000}, lambda some: cost[some].sum() <= 14_000),
        ({"sites": 3, "budget_usd": 11_000}, lambda some: len(some) <= 3 and cost[some].sum() <= 11_000),
    ):
        best = choose_stops(
            minutes, goal="coverage", weights=weight, cost_usd=cost, within=25, gap=0, **limits
        )
        worth = max(
            weight[(minutes[:, some] <= 25).any(axis=1)].sum() for some in every_set(9, 9) if allowed(some)
        )
        assert (best.value, best.bound) == (worth, worth)
        assert allowed(best.sites.index.tolist())


@pytest.mark.parametrize("seed", range(6))
def test_least_travel_is_the_best_of_all_sets(seed):
    minutes, weight, cost = random_case(seed)
    there = np.isfinite(minutes).any(axis=1)
    for limits, allowed in (
        ({"sites": 3}, lambda some: len(some) <= 3),
        ({"budget_usd": 14_000}, lambda some: cost[some].sum() <= 14_000),
    ):
        best = choose_stops(
            minutes, goal="travel", weights=weight, cost_usd=cost, beyond=150, gap=0, **limits
        )
        mean = min(
            (weight * np.minimum(minutes[:, some].min(axis=1, initial=np.inf), 150))[there].sum()
            for some in every_set(9, 9)
            if allowed(some)
        ) / weight[there].sum()  # fmt: skip
        assert best.value == about(mean)
        assert best.gap <= 1e-9


@pytest.mark.parametrize("seed", range(6))
def test_existing_and_fixed_stops_are_kept(seed):
    minutes, weight, cost = random_case(seed)
    best = choose_stops(
        minutes, goal="coverage", weights=weight, cost_usd=cost, within=25, budget_usd=16_000, existing=[0],
        must=[1], gap=0,
    )  # fmt: skip
    worth = max(
        weight[(minutes[:, [0, *some]] <= 25).any(axis=1)].sum()
        for some in every_set(9, 9)
        if 1 in some and 0 not in some and cost[some].sum() <= 16_000
    )
    assert best.value == worth
    assert 1 in best.sites.index
    assert 0 not in best.sites.index
    assert best.people["within before"] == weight[minutes[:, 0] <= 25].sum()


@pytest.mark.parametrize("seed", range(4))
def test_prices_bound_every_set_and_settle_only_what_is_settled(seed):
    minutes, weight, cost = random_case(seed, places=40, stops=10)
    for budget, most in ((np.inf, 3), (15_000.0, 10), (15_000.0, 4)):
        task = Task(
            gains=csc_array(weight[:, None] * np.maximum(60 - minutes, 0)),
            cost=cost,
            budget=budget,
            most=most,
        )
        bound = lowered(task, seconds=0.4, near=lambda _: 0.0)
        worth = {}
        for some in every_set(10, most):
            chosen = np.zeros(10, dtype=bool)
            chosen[some] = True
            if task.allows(chosen):
                worth[tuple(some)] = task.worth(chosen)
        assert bound.value >= max(worth.values()) * (1 - 1e-12)
        assert bound.worth <= max(worth.values()) * (1 + 1e-12)
        always, never = bound.settled(task)
        for some, value in worth.items():
            if value >= task.better_than(bound.worth):
                assert set(np.flatnonzero(always)) <= set(some)
                assert not set(np.flatnonzero(never)) & set(some)


def test_stop_that_another_beats_is_left_out():
    gains = np.array([[1, 1, 0, 1], [1, 1, 0, 0], [0, 1, 0, 0]], dtype=float) * [[5], [7], [2]]
    task = Task(gains=csc_array(gains), cost=np.array([1.0, 1.0, 1.0, 0.5]), budget=2.0, most=4)
    assert dominated(task).tolist() == [True, False, True, False]


@pytest.mark.parametrize("goal", ["coverage", "travel"])
def test_larger_case_is_proven_and_agrees_with_the_plain_matrix(goal):
    rng = np.random.default_rng(3)
    home = rng.uniform(0, 100, (300, 2))
    stop = home[:40]
    minutes = np.hypot(*(home[:, None] - stop[None]).transpose(2, 0, 1))
    weight = np.floor(rng.lognormal(4, 1, 300))
    best = choose_stops(minutes, goal=goal, weights=weight, within=12, sites=6, gap=0)
    gains = weight[:, None] * ((minutes <= 12) if goal == "coverage" else minutes.max() - minutes)
    plain = naive(gains, 6)
    if goal == "coverage":
        assert best.value == about(plain)
    else:
        assert best.value * weight.sum() == about(weight.sum() * minutes.max() - plain)
    assert best.gap <= 1e-9


def naive(gains, most):
    """Solve the textbook formulation with scipy's copy of HiGHS: an oracle that shares no code."""
    from scipy.optimize import LinearConstraint, milp  # noqa: PLC0415 - only here
    from scipy.sparse import coo_array, hstack, vstack  # noqa: PLC0415

    place, stop = np.nonzero(gains)
    count = len(place)
    once = coo_array((np.ones(count), (place, np.arange(count))), shape=(gains.shape[0], count))
    opened = coo_array((np.ones(count), (np.arange(count), np.arange(count))), shape=(count, count))
    by_stop = coo_array((-np.ones(count), (np.arange(count), stop)), shape=(count, gains.shape[1]))
    none = coo_array((gains.shape[0], gains.shape[1]))
    rows = vstack([hstack([none, once]), hstack([by_stop, opened]),
                   hstack([coo_array(np.ones((1, gains.shape[1]))), coo_array((1, count))])])  # fmt: skip
    upper = np.concatenate([np.ones(gains.shape[0]), np.zeros(count), [most]])
    value = np.concatenate([np.zeros(gains.shape[1]), gains[place, stop]])
    whole = np.concatenate([np.ones(gains.shape[1]), np.zeros(count)])
    found = milp(
        -value, constraints=LinearConstraint(rows.tocsr(), -np.inf, upper), bounds=(0, 1), integrality=whole
    )
    return -found.fun


def test_same_question_twice_gives_the_same_answer():
    minutes, weight, cost = random_case(5, places=200, stops=40)
    ask = {"goal": "coverage", "weights": weight, "cost_usd": cost, "within": 20, "budget_usd": 20_000}
    first, again = (choose_stops(minutes, **ask) for _ in range(2))
    pd.testing.assert_frame_equal(first.sites, again.sites)
    assert (first.value, first.bound) == (again.value, again.bound)


def test_more_money_never_reaches_fewer():
    minutes, weight, cost = random_case(6, places=80, stops=15)
    reached = [
        choose_stops(
            minutes, goal="coverage", weights=weight, cost_usd=cost, within=20, budget_usd=b, gap=0
        ).value
        for b in (4_000, 9_000, 15_000, 30_000)
    ]
    assert reached == sorted(reached)


def test_order_of_places_and_stops_does_not_matter():
    minutes, weight, _ = random_case(7, places=60, stops=12)
    table = pd.DataFrame(minutes)
    people = pd.Series(weight)
    turned = table.sample(frac=1, random_state=1).sample(frac=1, axis=1, random_state=2)
    ask = {"goal": "coverage", "within": 25, "sites": 4, "gap": 0}
    plain, other = choose_stops(table, weights=people, **ask), choose_stops(turned, weights=people, **ask)
    assert plain.value == other.value


def test_time_that_runs_out_leaves_an_honest_gap():
    rng = np.random.default_rng(8)
    gains = csc_array(rng.random((400, 120)) * (rng.random((400, 120)) < 0.3))
    task = Task(gains=gains, cost=np.ones(120), budget=np.inf, most=12)
    found = best_stops(task, gap=0.0, seconds=0.01)
    assert found.bound >= found.worth == task.worth(found.chosen)
    assert task.allows(found.chosen)


# what the answer says


def test_assignment_says_where_each_place_goes():
    minutes = pd.DataFrame({"N": [10, 90, np.nan, 70], "S": [80, 20, np.inf, 65]}, index=list("abcd"))
    best = choose_stops(minutes, goal="coverage", weights=[300, 500, 40, 7], within=60, sites=2)
    assert best.places["stop"].fillna("none").tolist() == ["N", "S", "none", "S"]
    assert best.places["reach"].tolist() == ["within", "within", "unknown", "beyond"]
    assert best.places["cost"].tolist() == about([10, 20, np.nan, 65])
    assert best.people.to_dict() == {"within": 800, "beyond": 7, "unknown": 40, "within before": 0}
    assert best.sites["adds"].tolist() == [500, 300]
    assert best.sites["people"].tolist() == [500, 300]


def test_unknown_numbers_stay_unknown():
    best = choose_stops([[10.0], [20.0]], goal="coverage", weights=[np.nan, 5], within=60, sites=1)
    assert best.value == 5
    assert best.notes[0].text == "1 of 2 places have no number of people: they are unknown, not empty"
    assert "Beware: 1 of 2 places have no number of people" in str(best)


def test_story_of_travel_tells_the_mean_and_what_unreached_trips_count():
    minutes = pd.DataFrame({"A": [10, np.inf], "B": [np.inf, 30]})
    best = choose_stops(minutes, goal="travel", weights=[100, 300], sites=1, gap=0)
    assert best.value == about((100 * 10 + 300 * 30) / 400)
    assert "a trip that leads to no chosen stop counts 30 minutes" in str(best)
    assert "The trip to the nearest stop takes 25 minutes on average." in str(best)


def test_story_never_calls_anything_safe():
    best = choose_stops([[10.0], [np.inf]], goal="coverage", weights=[5, 5], within=60, sites=1)
    assert "safe" not in str(best).lower()
    assert repr(best) == "<Outreach coverage: 1 stops, 5, gap 0.000%>"


def test_result_cannot_be_changed():
    best = choose_stops([[10.0]], goal="coverage", within=60, sites=1)
    with pytest.raises(FrozenInstanceError):
        best.value = 3


def test_gap_is_told_where_one_is_left():
    best = choose_stops([[10.0]], goal="coverage", weights=[99], within=60, sites=1)
    open_to_better = replace(best, bound=100.0)
    assert open_to_better.gap == about(0.01)
    assert "better by more than 1.00% (proven)" in str(open_to_better)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        ({}, "say how many stops there may be with sites="),
        ({"sites": 0}, "sites=0: give a whole number"),
        ({"sites": 1.5}, "sites=1.5: give a whole number"),
        ({"budget_usd": -1}, "give an amount above 0"),
        ({"budget_usd": 5}, "a budget needs cost_usd"),
        (
            {"budget_usd": 5, "cost_usd": [10, 20]},
            "a budget of 5 USD pays for no candidate: the cheapest costs 10",
        ),
        ({"budget_usd": 5, "cost_usd": [np.nan, np.nan]}, "none has a known cost_usd"),
        ({"budget_usd": 50, "cost_usd": [10, -2]}, "1 have a cost_usd below 0"),
        ({"budget_usd": 15, "cost_usd": [10, 20], "must": [1]}, "the stops of must= cost 20 USD"),
        ({"sites": 1, "must": [0, 1]}, "must= names 2 stops, sites= allows 1"),
        ({"sites": 1, "must": ["Oz"]}, "there is none labeled 'Oz'"),
        ({"sites": 1, "within": None}, "coverage needs a limit"),
        ({"sites": 1, "within": 5}, r"no place is within 5 minutes of any candidate \(the nearest: 10\)"),
        ({"sites": 1, "within": -5}, "must be above 0"),
        ({"sites": 1, "goal": "fame"}, "goal 'fame' is unknown"),
        ({"sites": 1, "goal": "travel", "beyond": -1.0}, "beyond must be above 0"),
        ({"sites": 1, "weights": [1, 2, 3]}, "3 numbers for 2 places"),
        ({"sites": 1, "weights": [1, -2]}, "1 numbers are below 0"),
        ({"sites": 1, "weights": pd.Series([1, 2], index=[5, 6])}, "index is not that of the places"),
    ],
)
def test_what_cannot_be_meant_is_refused(ask, says):
    with pytest.raises(DataError, match=says):
        choose_stops([[10.0, 20.0], [30.0, 40.0]], **{"goal": "coverage", "within": 60, **ask})


def test_candidates_that_reach_nobody_are_refused_or_noted():
    with pytest.raises(DataError, match="no candidate has a way to any place"):
        choose_stops([[np.inf], [np.nan]], goal="coverage", within=60, sites=1)
    best = choose_stops([[10.0, np.inf]], goal="coverage", within=60, sites=1)
    assert "1 of 2 candidates have no way to any place" in [n.text for n in best.notes]


def test_candidates_that_bring_nothing_new_are_not_chosen():
    best = choose_stops([[10.0, 5.0]], goal="coverage", within=60, sites=1, existing=[1])
    assert best.sites.empty
    assert "no candidate brings more than what is there already" in str(best)


# over roads


def test_stops_are_chosen_over_roads():
    roads = straight(0, 30_000, 60_000, 90_000)
    homes = town((0, 0), (30_000, 0), (60_000, 0), (90_000, 0), people=[10, 20, 30, np.nan])
    spots = town((30_000, 0), (60_000, 0), (300_000, 0), name=["Mid", "East", "Sea"], cost_usd=[500, 900, 10])
    best = site_outreach(homes, spots, roads, within_min=40, budget_usd=600, name="name")
    assert best.sites["name"].tolist() == ["Mid"]
    assert best.value == 60
    assert best.cost_usd == 500
    assert best.sites.crs == homes.crs
    assert best.places.geometry.equals(homes.geometry)
    assert "1. Mid: adds 60 people within reach" in str(best)
    texts = [n.text for n in best.notes]
    assert "1 of 3 candidates have no way to any place" in texts
    assert "1 of 4 places have no number of people: they are unknown, not empty" in texts


def test_existing_facilities_serve_already():
    roads = straight(0, 30_000, 60_000, 90_000)
    homes = town((0, 0), (30_000, 0), (60_000, 0), (90_000, 0), people=[10, 20, 30, 40])
    there = town((0, 0), kind=["clinic"]).set_index(pd.Index([0]))
    best = site_outreach(homes, homes, roads, within_min=35, sites=1, existing=there)
    assert best.people["within before"] == 30
    assert best.value == 100
    assert best.sites.index.tolist() in ([2], [3])
    assert best.places["stop"].tolist()[0] == "existing 0"


def test_survivors_are_counted_in_place_of_people():
    roads = straight(0, 30_000, 60_000)
    homes = town((0, 0), (60_000, 0), people=[1_000, 10], survivors=[0, 9])
    assert site_outreach(
        homes, homes, roads, within_min=20, sites=1, who="survivors"
    ).sites.index.tolist() == [1]


def test_survivors_are_not_in_a_raster():
    from ccm_geo.schemas import PopulationRaster  # noqa: PLC0415

    cells = PopulationRaster(path="none.tif", crs=None, transform=None, width=1, height=1)
    with pytest.raises(DataError, match="a raster holds people, not survivors"):
        site_outreach(cells, town((0, 0)), straight(0, 1), within_min=20, sites=1, who="survivors")


def test_layers_without_crs_or_apart_are_refused():
    roads, homes = straight(0, 1_000), town((0, 0), people=[5])
    with pytest.raises(CRSError, match=r"crs="):
        site_outreach(homes.set_crs(None, allow_override=True), homes, roads, within_min=20, sites=1)
    far = gpd.GeoDataFrame(geometry=[Point(10, 10)], crs=4326)
    with pytest.raises(CRSError, match="do not overlap"):
        site_outreach(homes, far, roads, within_min=20, sites=1)


# reach of services


def clinics(*xy, kind="surgery"):
    return town(*xy, kind=[kind] * len(xy))


def test_reach_is_counted_by_kind_and_limit():
    roads = straight(0, 50_000, 100_000, 300_000)
    homes = town((0, 0), (50_000, 0), (100_000, 0), (300_000, 0), people=[1, 20, 300, 4_000])
    both = pd.concat([clinics((0, 0)), clinics((300_000, 0), kind="prosthetics")], ignore_index=True)
    told = service_reach(homes, both, roads).set_index(["kind", "minutes"])
    assert LIMITS_MIN == (60, 120, 240)
    assert told.loc["surgery", "within"].tolist() == [21, 321, 321]
    assert told.loc["prosthetics", "within"].tolist() == [4_000, 4_000, 4_300]
    assert (told[["within", "beyond", "cut_off", "unknown"]].sum(axis=1) == told["total"]).all()
    assert (told["total"] == 4_321).all()


def test_no_way_is_unknown_and_unknown_people_are_counted_as_places():
    roads = pd.concat([straight(0, 10_000), straight(100_000, 110_000)], ignore_index=True)
    homes = town((0, 0), (110_000, 0), None, (5_000, 0), people=[1, 20, 300, np.nan])
    told = service_reach(homes, clinics((10_000, 0)), roads, limits_min=[60])
    assert told[["within", "beyond", "unknown", "places_uncounted"]].to_numpy().tolist() == [[1, 0, 320, 1]]
    texts = [n.text for n in told.attrs["notes"]]
    assert "1 of 4 places have no number of people: they are unknown, not empty" in texts
    assert any(t.startswith("surgery, roads open: ") for t in texts)


def test_cut_roads_stand_beside_open_ones():
    whole = straight(0, 20_000, 40_000, 80_000)
    homes = town((20_000, 0), (40_000, 0), (80_000, 0), people=[1, 20, 300])
    told = service_reach(homes, clinics((0, 0)), whole, cut=road_graph(whole.iloc[[0, 2]]), limits_min=[60])
    by_roads = told.set_index("roads")[["within", "beyond", "cut_off", "unknown"]]
    assert by_roads.loc["open"].tolist() == [21, 300, 0, 0]
    assert by_roads.loc["cut"].tolist() == [1, 0, 320, 0]


def test_roads_cut_by_hazards_stand_beside_open_ones():
    whole = straight(0, 20_000, 40_000, 80_000)
    homes = town((20_000, 0), (40_000, 0), (80_000, 0), people=[1, 20, 300])
    field = gpd.GeoDataFrame(
        {"hazard_id": ["A"], "status": ["open"]}, geometry=[box(29_000, -9_000, 31_000, 9_000)], crs=LAEA
    )
    roads = cut_roads(field, whole)
    told = service_reach(homes, clinics((0, 0)), roads, limits_min=[60]).set_index("roads")
    assert told.loc["open", ["within", "beyond", "cut_off"]].tolist() == [21, 300, 0]
    assert told.loc["cut", ["within", "beyond", "cut_off"]].tolist() == [1, 0, 320]
    with pytest.raises(DataError, match="leave cut= out"):
        service_reach(homes, clinics((0, 0)), roads, cut=whole)
    assert site_outreach(homes, homes, roads, within_min=45, sites=1).value == 320
    told = site_outreach(homes, homes, roads, within_min=60, sites=1, existing=clinics((0, 0)))
    assert told.people["within before"] == 1
    assert site_outreach(homes, homes, whole, within_min=45, sites=1).value == 321


def test_fewer_roads_never_bring_more_people_within_reach():
    rng = np.random.default_rng(9)
    towns = rng.uniform(-40_000, 40_000, (60, 2))
    pairs = np.unique(np.sort(rng.integers(0, 60, (150, 2)), axis=1), axis=0)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    roads = gpd.GeoDataFrame(
        {"speed_kmh": [40.0] * len(pairs)}, geometry=[LineString(towns[p]) for p in pairs], crs=LAEA
    )
    homes = town(*towns, people=np.floor(rng.lognormal(5, 1, 60)))
    told = service_reach(homes, clinics(*towns[:2]), roads, cut=roads.iloc[::2], limits_min=[30, 60, 120])
    by_roads = told.pivot_table(index="minutes", columns="roads", values="within")
    assert (by_roads["cut"] <= by_roads["open"]).all()
    assert (told["total"] == homes["people"].sum()).all()


def test_districts_of_a_column_or_of_polygons_add_up_to_the_whole():
    roads = straight(0, 50_000, 100_000)
    homes = town((0, 0), (50_000, 0), (100_000, 0), people=[1, 20, 300], adm2=["D1", "D2", None])
    whole = service_reach(homes, clinics((0, 0)), roads, limits_min=[60])
    named = service_reach(homes, clinics((0, 0)), roads, limits_min=[60], by="adm2")
    assert named["adm2"].tolist()[:2] == ["D1", "D2"]
    assert pd.isna(named["adm2"][2])
    columns = ["within", "beyond", "unknown", "total"]
    assert named[columns].sum().tolist() == whole[columns].iloc[0].tolist()
    drawn = gpd.GeoDataFrame({"code": ["X"]}, geometry=[box(-1, -1, 60_000, 1)], crs=LAEA)
    by_land = service_reach(homes, clinics((0, 0)), roads, limits_min=[60], by="code", admin=drawn)
    assert by_land["total"].tolist() == [21, 300]


def test_survivors_stand_beside_people_and_nothing_else_of_them_is_read():
    roads = straight(0, 50_000, 100_000)
    homes = town((0, 0), (100_000, 0), people=[100, 200])
    survivors = town((0, 0), (100_000, 0), survivors=[2, 7], victim_name=["A", "B"])
    told = service_reach(homes, clinics((0, 0)), roads, survivors=survivors, limits_min=[60])
    assert told.set_index("who")["beyond"].to_dict() == {"people": 200, "survivors": 7}
    assert "victim_name" not in told
    by_district = service_reach(
        homes.assign(adm2="D"), clinics((0, 0)), roads, survivors=survivors.assign(adm2="D"), limits_min=[60],
        by="adm2",
    )  # fmt: skip
    assert any("people may be recognized" in n.text for n in by_district.attrs["notes"])


def test_teams_of_risk_education_are_a_kind_like_others():
    roads = straight(0, 50_000)
    told = service_reach(town((0, 0), people=[9]), clinics((50_000, 0), kind="eore"), roads, kinds="eore")
    assert told["within"].tolist() == [9, 9, 9]


def test_facility_in_the_sea_is_noted():
    roads = straight(0, 50_000)
    told = service_reach(town((0, 0), people=[9]), clinics((25_000, 40_000)), roads, limits_min=[60])
    assert told[["within", "unknown"]].to_numpy().tolist() == [[0, 9]]
    assert any("surgery, roads open: 1 of 1 facilities lie more than" in n.text for n in told.attrs["notes"])


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        ({"kinds": "dentist"}, "none is of kind dentist; there are: surgery"),
        ({"limits_min": []}, "minutes above 0"),
        ({"limits_min": [60, -1]}, "minutes above 0"),
        ({"by": "adm9"}, "there is no column 'adm9'"),
    ],
)
def test_reach_that_cannot_be_meant_is_refused(ask, says):
    with pytest.raises(DataError, match=says):
        service_reach(town((0, 0), people=[9]), clinics((0, 0)), straight(0, 1_000), **ask)


def test_facilities_without_kinds_are_refused():
    homes, roads = town((0, 0), people=[9]), straight(0, 1_000)
    with pytest.raises(DataError, match="no column 'kind'"):
        service_reach(homes, town((0, 0)), roads)
    with pytest.raises(DataError, match="'kind' is blank everywhere"):
        service_reach(homes, clinics((0, 0), kind=None), roads)


def test_map_shows_texts_as_text_and_asks_for_nothing():
    roads = straight(0, 30_000, 60_000)
    attack = "<img src=x onerror=alert(1)> {{7*7}} 50{% of `a` ${x}"
    homes = town((0, 0), (60_000, 0), (300_000, 0), people=[1_000, 10, np.nan], name=[attack, None, "Far"])
    best = site_outreach(
        homes, homes.iloc[:2], roads, within_min=20, sites=1, name="name", existing=clinics((60_000, 0))
    )
    chart = map_outreach(best, title=attack, roads=roads, hazards=homes, existing=clinics((60_000, 0)))
    page = chart.get_root().render()
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "49 50" not in page.split('<aside class="stops-box">')[1].split("</aside>")[0]
    assert "no way known: not known how far" in page
    assert "blank land is not safe land" in page
    with pytest.raises(DataError, match="the places have no geometry"):
        map_outreach(choose_stops([[10.0]], goal="coverage", within=60, sites=1))


def test_inputs_are_unchanged():
    roads, homes, there = straight(0, 50_000), town((0, 0), people=[9]), clinics((0, 0))
    before = [t.copy() for t in (roads, homes, there)]
    service_reach(homes, there, roads)
    site_outreach(homes, homes, roads, within_min=20, sites=1)
    for table, old in zip((roads, homes, there), before, strict=True):
        assert table.equals(old)
