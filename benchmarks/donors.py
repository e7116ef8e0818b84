"""Time plans paid by many donors whose purposes overlap, beside one budget of the same money in the same run.

python benchmarks/donors.py --hazards 20000 --grants 8 --runs 3

Grants go by year over five years, every other one carried over, every fifth one amount for all years; they
name up to 13 of 18 provinces, some of them clearance only, every fourth one anything.
"""

import argparse
import statistics
import time

import numpy as np
from planning import invented, timed

from ccm_geo.planning import ACTIVITIES, Budget, Donors, Grant, list_options, prioritize

YEARS = range(2027, 2032)
PARTS = np.array([0.27, 0.20, 0.20, 0.17, 0.16])


def drawn(count, money, seed):
    """Share the money out among grants for several purposes."""
    rng = np.random.default_rng(seed)
    provinces = [f"P{p:02d}" for p in range(18)]
    share = rng.uniform(0.5, 1.5, count)
    share /= share.sum()
    grants = []
    for g in range(count):
        low, high = ((3, 9), (8, 14))[g % 4 == 1]
        where = {"adm1": sorted(rng.choice(provinces, rng.integers(low, high), replace=False).tolist())}
        if g % 4 == 2:
            where["activity"] = ["clearance", "bac"]
        amounts = np.round(PARTS * money * share[g], 2).tolist()
        once = g % 5 == 4
        grants.append(
            Grant(
                f"Grant {g + 1}",
                float(round(sum(amounts), 2)) if once else dict(zip(YEARS, amounts, strict=True)),
                where=None if g % 4 == 3 else where,
                carry_over=g % 2 == 0 and not once,
            )
        )
    return grants


def main():
    """Print medians."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--hazards", type=int, default=20_000)
    ask.add_argument("--grants", type=int, default=8)
    ask.add_argument("--runs", type=int, default=3)
    ask.add_argument("--money", type=float, default=0.2, help="share of what releasing everything costs")
    ask.add_argument("--gap", type=float, default=1e-3)
    ask.add_argument("--seconds", type=float, default=60)
    ask.add_argument("--seed", type=int, default=0)
    a = ask.parse_args()
    facts, harm = invented(a.hazards)
    options = list_options(facts, ACTIVITIES, harm)
    release = options[options["state_to"].astype(str) == "released"].groupby("hazard_id", observed=True)
    money = float(release["cost_usd"].min().sum()) * a.money
    budget = Budget(dict(zip(YEARS, np.round(PARTS * money, 2).tolist(), strict=True)), carry_over=True)
    donors = Donors(*drawn(a.grants, money, a.seed))
    few = options[options["hazard_id"].isin(facts["hazard_id"].head(100))]
    for rule in (budget, donors):  # compiled code is loaded before the clock runs
        prioritize(few, [rule], gap=0.5)
    medians = []
    for name, rule in (("one budget", budget), (f"{a.grants} grants", donors)):
        plan, seconds = timed(lambda: prioritize(options, [rule], gap=a.gap, seconds=a.seconds), a.runs)  # noqa: B023 - called at once
        medians.append(statistics.median(seconds))
        told = f"gap {plan.gap:.4%}, {medians[-1]:.2f} s, {len(plan.use)} limits laid out"
        print(f"{name}: {told}, {plan.benefit:,.5g} of at most {plan.bound:,.5g}")
        begin = time.perf_counter()
        wrong = rule.faults(plan.table, options)
        print(f"  {len(wrong)} faults, checked in {time.perf_counter() - begin:.2f} s")
    print(f"{medians[1] / medians[0]:.1f} times")


if __name__ == "__main__":
    main()
