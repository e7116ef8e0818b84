"""Best stops: time and proof against plain HiGHS on the textbook formulation, in one run.

    python benchmarks/outreach.py [--seconds 60] [--runs 3] [--large] [--plain-seconds 120]

Invented places around towns, candidates among them, people by a lognormal law. The plain formulation has a
column for every pair of a place and a stop that serves it (coverage: one for every place), as textbooks
write it, and goes to HiGHS as it is: one thread, the same gap and limit of time.
"""

import argparse
import statistics
import time

import highspy
import numpy as np
from scipy.sparse import coo_array, csr_array, hstack, vstack

from ccm_geo import choose_stops

CASES = (
    # places, stops, chosen, limit in minutes (None: least travel)
    (500, 100, 5, 12.0),
    (2_000, 300, 10, 8.0),
    (5_000, 500, 20, 6.0),
    (5_000, 1_000, 40, 4.0),
    (500, 100, 5, None),
    (2_000, 200, 10, None),
    (5_000, 500, 20, None),
)
LARGE = ((20_000, 1_000, 50, 5.0), (50_000, 1_000, 50, 4.0), (15_000, 1_000, 50, None))


def world(places, stops, seed=0):
    """Minutes from places around 40 towns to candidates among them, people, and what a stop costs."""
    rng = np.random.default_rng(seed)
    towns = rng.uniform(0, 100, (40, 2))
    home = np.clip(towns[rng.integers(0, 40, places)] + rng.normal(0, 6, (places, 2)), 0, 100)
    stop = home[rng.choice(places, stops, replace=False)]
    people = np.floor(rng.lognormal(5, 1.2, places))
    minutes = np.hypot(home[:, :1] - stop[:, 0], home[:, 1:] - stop[:, 1])
    return minutes, people, np.round(rng.uniform(500, 3_000, stops), -1)


def coverage_rows(minutes, people, limit):
    """A column per stop and per place: a place is covered if a stop within the limit is chosen."""
    inside = csr_array(minutes <= limit).astype(float)
    count = len(people)
    rows = hstack([-inside, coo_array((np.ones(count), (np.arange(count),) * 2), shape=(count, count))])
    return csr_array(rows), np.zeros(count), np.concatenate([np.zeros(minutes.shape[1]), people])


def travel_rows(minutes, people):
    """A column per stop and per pair: each place goes to one stop, which must be chosen."""
    places, stops = minutes.shape
    pairs = places * stops
    place, stop = np.divmod(np.arange(pairs), stops)
    once = coo_array((np.ones(pairs), (place, np.arange(pairs))), shape=(places, pairs))
    chosen = coo_array((-np.ones(pairs), (np.arange(pairs), stop)), shape=(pairs, stops))
    goes = coo_array((np.ones(pairs), (np.arange(pairs),) * 2), shape=(pairs, pairs))
    rows = vstack([hstack([coo_array((places, stops)), once]), hstack([chosen, goes])])
    upper = np.concatenate([np.ones(places), np.zeros(pairs)])
    gain = (people[:, None] * (minutes.max() - minutes)).ravel()
    return csr_array(rows), upper, np.concatenate([np.zeros(stops), gain])


def plain(minutes, people, limit, most, *, budget, cost, gap, seconds):
    """Solve the textbook formulation; give the goal, the bound and the seconds, building included."""
    start = time.perf_counter()
    rows, upper, value = coverage_rows(minutes, people, limit) if limit else travel_rows(minutes, people)
    stops = minutes.shape[1]
    weights, right = (cost / cost.max(), budget / cost.max()) if budget else (np.ones(stops), most)
    last = np.concatenate([weights, np.zeros(rows.shape[1] - stops)])
    rows, upper = csr_array(vstack([rows, csr_array(last[None])])), np.append(upper, right)
    solver = highspy.Highs()
    for name, setting in (
        ("output_flag", False),
        ("threads", 1),
        ("time_limit", seconds),
        ("mip_rel_gap", gap),
    ):
        solver.setOptionValue(name, setting)
    lp = highspy.HighsLp()
    size = 1e4 / value.max()
    lp.num_col_, lp.num_row_ = rows.shape[1], rows.shape[0]
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = -value * size, np.zeros(len(value)), np.ones(len(value))
    lp.row_lower_, lp.row_upper_ = np.full(len(upper), -highspy.kHighsInf), upper
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = rows.indptr.astype(np.int32), rows.indices.astype(np.int32)
    lp.a_matrix_.value_ = rows.data
    kinds = highspy.HighsVarType
    lp.integrality_ = [kinds.kInteger] * stops + [kinds.kContinuous] * (len(value) - stops)
    solver.passModel(lp)
    solver.run()
    info = solver.getInfo()
    worth, bound = -info.objective_function_value / size, -info.mip_dual_bound / size
    if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        worth = np.nan
    if limit is None:
        total, mass = people.sum() * minutes.max(), people.sum()
        worth, bound = (total - worth) / mass, (total - bound) / mass
    return worth, bound, time.perf_counter() - start


def ours(minutes, people, limit, most, *, budget, cost, gap, seconds):
    goal = "coverage" if limit else "travel"
    ask = {"sites": most} if budget is None else {"budget_usd": budget, "cost_usd": cost}
    start = time.perf_counter()
    best = choose_stops(minutes, goal=goal, weights=people, within=limit, gap=gap, seconds=seconds, **ask)
    return best, time.perf_counter() - start


def told(worth, bound):
    far = abs(worth - bound) / max(abs(worth), abs(bound))
    return (
        f"{worth:14,.2f} {far:9.4%}" if np.isfinite(worth) and np.isfinite(far) else f"{'none':>14} {'':>9}"
    )


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seconds", type=float, default=60)
    ask.add_argument("--plain-seconds", type=float, default=120)
    ask.add_argument("--runs", type=int, default=3)
    ask.add_argument("--gap", type=float, default=1e-4)
    ask.add_argument("--large", action="store_true", help="larger cases, without the plain formulation")
    ask.add_argument("--only", choices=["coverage", "travel"])
    a = ask.parse_args()
    choose_stops(np.ones((3, 2)), goal="coverage", within=1, sites=1)  # compiles
    ours(*world(300, 80)[:2], 12.0, 3, budget=None, cost=None, gap=0, seconds=5)
    head = f"{'goal':>14} {'gap':>9}"
    print(f"{'places x stops, limits':34} {'seconds':>8} {head}   {'HiGHS s':>8} {head}")
    for places, stops, most, limit in LARGE if a.large else CASES:
        if a.only and a.only != ("coverage" if limit else "travel"):
            continue
        minutes, people, cost = world(places, stops)
        for budget in (None, most * 1_500.0):
            limits = {"budget": budget, "cost": cost, "gap": a.gap}
            runs = [ours(minutes, people, limit, most, seconds=a.seconds, **limits) for _ in range(a.runs)]
            best, seconds = runs[0][0], statistics.median(t for _, t in runs)
            name = f"{places} x {stops}, {'cover' if limit else 'travel'}, "
            name += f"{most} stops" if budget is None else f"{budget:,.0f} USD"
            line = f"{name:34} {seconds:8.2f} {told(best.value, best.bound)}"
            if not a.large:
                worth, bound, peer = plain(minutes, people, limit, most, seconds=a.plain_seconds, **limits)
                line += f"   {peer:8.2f} {told(worth, bound)}   {peer / seconds:6.1f} x"
            print(line, flush=True)


if __name__ == "__main__":
    main()
