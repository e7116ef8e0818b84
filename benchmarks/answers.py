"""Time the answers to what is asked of a plan, beside the plan itself in the same run.

python benchmarks/answers.py --hazards 20000 --runs 3 --curve
"""

import argparse
import resource
import statistics

import numpy as np
from planning import invented, timed

from ccm_geo.planning import ACTIVITIES, Budget, Share, list_options, prioritize
from ccm_geo.planning.answers.curve import priority_curve
from ccm_geo.planning.answers.stakes import importance

MONEY = {2027: 20e6, 2028: 15e6, 2029: 15e6, 2030: 12e6, 2031: 12e6}  # for 20,000 hazards


def main():
    """Print medians and ratios."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--hazards", type=int, default=20_000)
    ask.add_argument("--runs", type=int, default=3)
    ask.add_argument("--gap", type=float, default=5e-4)
    ask.add_argument("--seconds", type=float, default=60)
    ask.add_argument("--curve", action="store_true", help="time the priority curve of eight budgets as well")
    a = ask.parse_args()
    few, harm = invented(50)
    rules = [Budget(1e5), Share("adm1", at_least=0.01)]
    small = prioritize(list_options(few, ACTIVITIES, harm), rules, gap=0.5)
    importance(small)  # compiled code is loaded before the clock runs
    facts, harm = invented(a.hazards)
    options = list_options(facts, ACTIVITIES, harm)
    money = {y: m * a.hazards / 20_000 for y, m in MONEY.items()}
    rules = [Budget(money), Share("adm1", at_least=0.03)]
    plan, seconds = timed(lambda: prioritize(options, rules, gap=a.gap, seconds=a.seconds), a.runs)
    one = statistics.median(seconds)
    print(f"plan: {len(options):,} options, gap {plan.gap:.4%}, {one:.2f} s")
    worth, seconds = timed(lambda: importance(plan), a.runs)
    took, table = statistics.median(seconds), worth.table
    inside = table[table["in_plan"]]
    width = (inside["loss_high"] - inside["loss_low"]) / plan.benefit
    print(
        f"importance: {len(table):,} hazards in {took:.2f} s = {took / one:.2f} plans, "
        f"{len(table) / took:,.0f} a second; interval {np.median(width):.4%} of the benefit in the median, "
        f"{int((inside['loss_low'] > 0).sum()):,} of {len(inside):,} planned hazards proven to matter"
    )
    if a.curve:
        curve, seconds = timed(lambda: priority_curve(options, rules, gap=a.gap, seconds=8 * a.seconds), 1)
        print(
            f"curve of {len(curve.table)} budgets: {seconds[0]:.1f} s = {seconds[0] / one:.2f} plans, "
            f"widest gap {curve.table['gap'].max():.4%}"
        )
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
