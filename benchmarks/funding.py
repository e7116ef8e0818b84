"""Time plans under uncertain money, beside HiGHS on all scenarios as one matrix in the same run.

python benchmarks/funding.py --hazards 1000 --scenarios 10 --runs 3 --money 1e6
"""

import argparse
import resource
import statistics
import time

import numpy as np
from planning import invented

from ccm_geo.planning import ACTIVITIES, After, Budget, BudgetCut, Funding, Share, list_options, plan_under
from ccm_geo.planning.engine.matrix import optimize
from ccm_geo.planning.listing import Listing
from ccm_geo.planning.model import build
from ccm_geo.planning.money.extensive import columns, whole_matrix
from ccm_geo.planning.money.futures import Aim, Futures

SURVEY_FIRST = After({"activity": ["nts", "ts"]}, {"activity": "clearance"}, within="hazard_id")


def scenarios(money, count):
    """Cuts of nothing to nine tenths of the money, equally likely; they come in the second year."""
    base = Budget({2027: money, 2028: 0.75 * money, 2029: 0.75 * money})
    cuts = {f"minus {s / count:.0%}": (1 / count, BudgetCut(s / count, since=2028)) for s in range(1, count)}
    return Funding.around(base, cuts, known_from=2028)


def main():
    """Print medians."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--hazards", type=int, default=1_000)
    ask.add_argument("--scenarios", type=int, default=10)
    ask.add_argument("--runs", type=int, default=3)
    ask.add_argument("--money", type=float, default=1e6, help="USD in the first year")
    ask.add_argument("--gap", type=float, default=5e-3)
    ask.add_argument("--seconds", type=float, default=60)
    ask.add_argument("--floors", action="store_true", help="every province gets 3 %% of the money")
    ask.add_argument("--survey", action="store_true", help="survey before clearance")
    ask.add_argument("--highs", action="store_true", help="solve all scenarios as one matrix, twice as long")
    a = ask.parse_args()
    facts, harm = invented(a.hazards)
    options = list_options(facts, ACTIVITIES, harm, years=[2027, 2028, 2029])
    funding = scenarios(a.money, a.scenarios)
    rules = [Share("adm1", at_least=0.03)] * a.floors + [SURVEY_FIRST] * a.survey
    few = options[options["hazard_id"].isin(facts["hazard_id"].head(150))]
    plan_under(few, funding, seconds=2)  # compiled code is loaded before the clock runs
    gaps, seconds, plan = [], [], None
    for _ in range(a.runs):
        begin = time.perf_counter()
        plan = plan_under(options, funding, rules, gap=a.gap, seconds=a.seconds)
        seconds.append(time.perf_counter() - begin)
        gaps.append(plan.gap)
        print(f"  gap {plan.gap:.3%}, {seconds[-1]:.1f} s, {plan.objective:.5g} of at most {plan.bound:.5g}")
    print(f"{len(options):,} options, {a.scenarios} scenarios")
    print(f"plan_under: gap {statistics.median(gaps):.3%}, {statistics.median(seconds):.1f} s (medians)")
    print(plan)
    if a.highs:
        listing = Listing.of(options)
        models = [build(listing, (*funding.money(n), *rules)) for n in funding.names]
        futures = Futures.of(models, funding.known_from)
        aim = Aim(chance=np.array(list(funding.probabilities.values())), worst=0.0, alpha=0.2)
        matrix, _ = whole_matrix(futures, aim)
        begin = time.perf_counter()
        found = optimize(matrix, gap=a.gap, seconds=2 * statistics.median(seconds))
        took = time.perf_counter() - begin
        reached = float(matrix.benefit @ found.values) if found.values is not None else 0.0
        gap = 1 - reached / min(found.bound, plan.bound)
        print(f"HiGHS, {columns(futures):,} columns: gap {gap:.3%}, {took:.1f} s")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
