"""Small worlds for the planning tests, and the best of all their plans, found by trying every one."""

import functools
import itertools
import math

import numpy as np
import pandas as pd

from ccm_geo.planning import Budget
from ccm_geo.planning.listing import Listing
from ccm_geo.planning.model import build

YEARS = (2027, 2028)


def small_world(seed, hazards=4):
    """Hazards with survey, clearance (from before and after survey) and risk education, two years."""
    rng = np.random.default_rng(seed)
    rows = []
    for h in range(hazards):
        harm = rng.uniform(0.1, 1.0, len(YEARS)).round(3)
        area, region = rng.uniform(1, 10), "north" if h % 2 else "south"
        for t, year in enumerate(YEARS):
            onward = harm[t:].sum()
            own = [
                ("nts", "suspected", "confirmed", 1.0, 0.05 * onward),
                ("clearance", "suspected", "released", area, onward),
                ("clearance", "confirmed", "released", 0.5 * area, 0.95 * onward),
                ("eore", "suspected", "suspected", 0.4, 0.1 * harm[t]),
            ]
            rows.extend(
                {
                    "option_id": f"H{h}:{activity}:{year}:{begin}",
                    "hazard_id": f"H{h}",
                    "activity": activity,
                    "year": year,
                    "state_from": begin,
                    "state_to": end,
                    "cost_usd": round(cost, 2),
                    "benefit": benefit,
                    "adm1": region,
                }
                for activity, begin, end, cost, benefit in own
            )
    return pd.DataFrame(rows)


def paths_of(rows):
    """Every set of a hazard's options that is a path; found by trying all of them."""
    records = rows.to_dict("records")
    subsets = (s for size in range(5) for s in itertools.combinations(range(len(records)), size))
    return [rows.index[list(s)] for s in subsets if _is_path([records[i] for i in s])]


def _is_path(rows):
    state = "suspected"
    for year in YEARS:
        now = [r for r in rows if r["year"] == year]
        moves = [r for r in now if r["state_from"] != r["state_to"]]
        order = sorted(moves, key=lambda r: ("suspected", "confirmed", "released").index(r["state_from"]))
        for row in order:
            if row["state_from"] != state:
                return False
            state = row["state_to"]
        rest = [r for r in now if r["state_from"] == r["state_to"]]
        if len(rest) > 1 or any(r["state_from"] != state for r in rest):
            return False
    return True


def best_by_brute_force(options, rules, *, most_bonus=0.0):
    """Benefit of the best plan that breaks no rule, trying every combination of paths; -inf where none.

    From the most valuable combination down; what overdraws a budget is set aside with plain sums first.
    `most_bonus` is more than hazards can bring together.
    """
    rules = build(Listing.of(options), rules).rules
    paths = [paths_of(rows) for _, rows in options.groupby("hazard_id", sort=False)]
    year, cost = options["year"].to_numpy(), options["cost_usd"].to_numpy()
    columns = [options["benefit"].to_numpy(), *(np.where(year == y, cost, 0.0) for y in YEARS)]
    value, *spent = (
        functools.reduce(
            lambda a, b: np.add.outer(a, b).ravel(), [np.array([c[p].sum() for p in ps]) for ps in paths]
        )
        for c in columns
    )
    fits = np.ones(len(value), bool)
    for rule in rules:
        if isinstance(rule, Budget):
            for y, used in zip(YEARS, spent, strict=True):
                fits &= used <= rule.amount[y] + 1e-6
    sizes = [len(p) for p in paths]
    best = -math.inf
    for i in np.argsort(-value, kind="stable"):
        if value[i] + most_bonus <= best:
            break
        if fits[i]:
            pick = [ps[k] for ps, k in zip(paths, np.unravel_index(i, sizes), strict=True)]
            chosen = options.loc[[row for p in pick for row in p]]
            if not any(rule.faults(chosen, options) for rule in rules):
                bonus = sum(b for rule in rules for b in rule.bonuses(chosen, options).values())
                best = max(best, value[i] + bonus)
    return best
