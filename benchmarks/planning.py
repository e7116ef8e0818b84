"""Time the planner on invented hazards, beside HiGHS on the same matrix in the same run.

python benchmarks/planning.py --hazards 20000 --runs 3 --highs
"""

import argparse
import resource
import statistics
import time

import numpy as np
import pandas as pd

from ccm_geo.planning import ACTIVITIES, Budget, Share, list_options, matrix, prioritize
from ccm_geo.planning.arcs import Arcs
from ccm_geo.planning.listing import Listing
from ccm_geo.planning.model import build
from ccm_geo.planning.prices import Rows


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
    ask.add_argument("--hazards", type=int, default=20_000)
    ask.add_argument("--runs", type=int, default=3)
    ask.add_argument("--gap", type=float, default=5e-4)
    ask.add_argument("--seconds", type=float, default=60)
    ask.add_argument(
        "--highs", action="store_true", help="solve the same matrix with HiGHS alone, ten times as long"
    )
    a = ask.parse_args()
    facts, harm = invented(a.hazards)
    share = a.hazards / 20_000
    money = {y: m * share for y, m in {2027: 20e6, 2028: 15e6, 2029: 15e6, 2030: 12e6, 2031: 12e6}.items()}
    rules = [Budget(money), Share("adm1", at_least=0.03)]
    few = facts.head(50)
    prioritize(
        list_options(few, ACTIVITIES, harm[harm.hazard_id.isin(few.hazard_id)]), [], gap=0.5
    )  # compiled code is loaded before the clock runs
    options, seconds = timed(lambda: list_options(facts, ACTIVITIES, harm), a.runs)
    print(f"list_options: {len(options):,} options, {statistics.median(seconds):.2f} s")
    plan, seconds = timed(lambda: prioritize(options, rules, gap=a.gap, seconds=a.seconds), a.runs)
    median = statistics.median(seconds)
    print(f"prioritize: gap {plan.gap:.4%}, {median:.2f} s, {len(plan.table):,} rows, {plan.benefit:,.5g}")
    comparison = plan.against_ranking()
    print(f"ranked list: loses {comparison.lost_share:.1%}")
    if a.highs:
        model = build(Listing.of(options), rules)
        whole = matrix.compiled(Arcs.of(model), Rows.of(model))
        begin = time.perf_counter()
        found = matrix.optimize(whole, gap=a.gap, seconds=10 * median)
        took = time.perf_counter() - begin
        reached = float(whole.benefit[whole.binary][found.taken].sum()) if found.taken is not None else 0.0
        gap = 1 - reached / min(found.bound, plan.bound)
        print(f"HiGHS alone: gap {gap:.4%}, {took:.2f} s, {took / median:.1f} times")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
