"""Looks over options and rules before solving and says what seems odd, in one line of advice each."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ccm_geo.errors import PlanError
from ccm_geo.schemas import Note

from .listing import Listing
from .promises import LockIn, LockOut
from .rules import Budget

_MAGNITUDE = 1e9  # largest over smallest number beyond which one of them is likely in another unit


def looked_over(listing: Listing, rules: Sequence[Any]) -> list[Note]:
    """Find silly input.

    Raises
    ------
    PlanError
        If something is both locked in and locked out, or if no money can be spent at all.
    """
    notes = [*_odd_numbers(listing)]
    for rule in rules:
        if isinstance(rule, Budget):
            notes += _odd_money(listing, rule)
    _require_no_contradiction(rules)
    return notes


def _advice(text: str) -> Note:
    return Note("plan", "advice", text)


def _odd_numbers(listing: Listing) -> list[Note]:
    notes = []
    benefit = listing.benefit
    for name in ("benefit", "cost_usd"):
        if name not in listing.frame:
            continue
        values = listing.frame[name].to_numpy(dtype=float)
        size = np.abs(values[values != 0])
        if len(size) and size.max() > _MAGNITUDE * np.median(size):
            row = listing.frame["option_id"].iloc[int(np.abs(values).argmax())]
            notes.append(
                _advice(
                    f"{name} of {row!r} is {size.max():g}, the middle one {np.median(size):g}: check the unit"
                )
            )
    if (benefit < 0).any():
        notes.append(
            _advice(f"{int((benefit < 0).sum()):,} options do harm (benefit below 0); none helps by itself")
        )
    if len(benefit) >= 20 and np.array_equal(np.sort(benefit), np.arange(1, len(benefit) + 1)):
        notes.append(
            _advice(
                "benefit runs from 1 to the number of options: it looks like a rank, and ranks do not add up"
            )
        )
    if not (benefit > 0).any():
        notes.append(
            _advice("no option has a benefit above 0; the best plan does nothing that is not locked in")
        )
    return notes


def _odd_money(listing: Listing, rule: Budget) -> list[Note]:
    amounts = list(rule.amount.values()) if isinstance(rule.amount, dict) else [rule.amount]
    money = float(sum(amounts))  # type: ignore[arg-type]
    if money == 0:
        return [_advice(f"{rule.title}: there is no money; only what costs nothing can be planned")]
    if rule.of not in listing.frame:
        return []
    cost = listing.frame[rule.of].to_numpy(dtype=float)
    notes = []
    dearest = float(np.bincount(listing.hazard, weights=cost).sum())
    if rule.where is None and money > dearest:
        notes.append(
            _advice(f"{rule.title}: {money:,.0f} exceeds all that options cost ({dearest:,.0f}); no limit")
        )
    paid = cost[cost > 0]
    if len(paid) and max(amounts) < paid.min():  # type: ignore[type-var]
        notes.append(
            _advice(f"{rule.title}: no year's money pays for the cheapest option ({paid.min():,.2f})")
        )
    return notes


def _require_no_contradiction(rules: Sequence[Any]) -> None:
    ins = [r for r in rules if isinstance(r, LockIn)]
    outs = [r for r in rules if isinstance(r, LockOut)]
    for yes in ins:
        for no in outs:
            both = [h for h in yes.hazards if h in set(no.hazards)]
            covers = all(getattr(no, n) in (None, getattr(yes, n)) for n in ("activity", "year"))
            if both and covers:
                raise PlanError(
                    f"{len(both)} hazards are both locked in and locked out, first {both[0]!r}",
                    conflict=[yes.title, no.title],
                    cures=[f"take {both[0]!r} out of one of the two"],
                )
