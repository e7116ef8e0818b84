"""Time the planner on invented hazards, beside HiGHS on the same matrix in the same run.

python benchmarks/planning.py --hazards 20000 --runs 3 --highs 20
python benchmarks/planning.py --hazards 20000 --rules all --money 0.2
python benchmarks/planning.py --hazards 1000 10000 100000 --rules all --money 0.2 --runs 1

With --rules all there are yearly budgets, team-months by 18 provinces and year, floors of 3 % by province,
survey of SHA before clearance within the path, and a bonus for each community of 8 hazards that is completed,
worth the harm expected there. --money is the share of what it would cost to release every hazard; the
default of 1 % makes single hazards large beside a year's money.
"""

import argparse
import resource
import statistics
import time

import numpy as np
import pandas as pd

from ccm_geo.planning import ACTIVITIES, Budget, Capacity, Complete, Share, list_options, prioritize
from ccm_geo.planning.engine import matrix
from ccm_geo.planning.engine.arcs import Arcs
from ccm_geo.planning.engine.prices import Rows
from ccm_geo.planning.listing import Listing
from ccm_geo.planning.model import build


def invented(count, seed=1):
    """Hazards of 1 to 400 ha in 18 provinces, with harm over five years."""
    rng = np.random.default_rng(seed)
    facts = pd.DataFrame(
        {
            "hazard_id": [f"HA-{i:06d}" for i in range(count)],
            "hazard_class": rng.choice(["SHA", "CHA"], count, p=[0.6, 0.4]),
            "ordnance": rng.choice(["cluster", "ap_mine", "at_mine", "uxo"], count, p=[0.6, 0.2, 0.05, 0.15]),
            "area_m2": np.exp(rng.uniform(np.log(1e4), np.log(4e6), count)).round(),
            "adm1": [f"P{p:02d}" for p in rng.integers(0, 18, count)],
        }
    )
    place = np.argsort(np.argsort(facts.adm1.to_numpy(), kind="stable"), kind="stable")
    facts["community"] = [f"C{i // 8:05d}" for i in place]
    people = rng.lognormal(5, 1.5, count)
    base = people * 2.4e-4 * np.where(facts.hazard_class == "CHA", 0.3, 0.05)
    years = np.arange(2027, 2032)
    harm = pd.DataFrame(
        {
            "hazard_id": np.repeat(facts.hazard_id.to_numpy(), len(years)),
            "year": np.tile(years, count),
            "harm": (base[:, None] * np.exp(rng.normal(0, 0.1, (count, len(years))))).ravel(),
            "people": np.repeat(people, len(years)),
        }
    )
    return facts, harm


def ruled(options, facts, harm, which, share):
    """Money for `share` of what releasing everything costs, and what else the rules ask for."""
    release = options[options["state_to"].astype(str) == "released"].groupby("hazard_id", observed=True)
    cost, months = (float(release[c].min().sum()) * share for c in ("cost_usd", "team_months"))
    money = dict(zip(range(2027, 2032), np.array([0.27, 0.20, 0.20, 0.17, 0.16]) * cost, strict=True))
    rules = [Budget(money), Share("adm1", at_least=0.03)]
    if which == "all":
        total = facts["hazard_id"].map(harm.groupby("hazard_id")["harm"].sum())
        bonus = total.groupby(facts["community"]).sum().to_dict()
        rules += [Capacity(months / 90), Complete("community", bonus=bonus)]
    return rules


def timed(function, runs):
    """Return the last result and the seconds of each run."""
    seconds, result = [], None
    for _ in range(runs):
        begin = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - begin)
    return result, seconds


def main():
    """Print medians."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--hazards", type=int, nargs="+", default=[20_000], help="one or several counts")
    ask.add_argument("--runs", type=int, default=3)
    ask.add_argument("--rules", choices=["few", "all"], default="few")
    ask.add_argument("--money", type=float, default=0.01, help="share of what releasing everything costs")
    ask.add_argument("--gap", type=float, default=5e-4)
    ask.add_argument("--seconds", type=float, default=60)
    ask.add_argument(
        "--highs",
        type=float,
        default=0.0,
        help="solve the same matrix with HiGHS alone, so many times as long",
    )
    a = ask.parse_args()
    facts, harm = invented(200)
    options = list_options(facts, ACTIVITIES, harm, keep=["community"])
    for which in ("few", "all"):  # compiled code is loaded before the clock runs
        prioritize(options, ruled(options, facts, harm, which, a.money), gap=1e-2)
    for count in a.hazards:
        measure(a, *invented(count))
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


def measure(a, facts, harm):
    """Plan for one country and print how long it took."""
    options, seconds = timed(lambda: list_options(facts, ACTIVITIES, harm, keep=["community"]), a.runs)
    rules = ruled(options, facts, harm, a.rules, a.money)
    print(f"{len(facts):,} hazards, {len(options):,} options listed in {statistics.median(seconds):.2f} s")
    plan, seconds = timed(lambda: prioritize(options, rules, gap=a.gap, seconds=a.seconds), a.runs)
    median = statistics.median(seconds)
    print(f"  prioritize: gap {plan.gap:.4%}, {median:.2f} s, {len(plan.table):,} rows, {plan.benefit:,.5g}")
    if a.rules == "few":
        print(f"  ranked list: loses {plan.against_ranking().lost_share:.1%}")
    if a.highs:
        model = build(Listing.of(options), rules)
        whole = matrix.compiled(Arcs.of(model), Rows.of(model))
        begin = time.perf_counter()
        found = matrix.optimize(whole, gap=a.gap, seconds=a.highs * median)
        took = time.perf_counter() - begin
        reached = 0.0 if found.values is None else float(whole.benefit @ found.values)  # noqa: PD011 - no pandas
        gap = 1 - reached / min(found.bound, plan.bound)
        print(f"  HiGHS alone: gap {gap:.4%}, {took:.2f} s, {took / median:.1f} times")


if __name__ == "__main__":
    main()
