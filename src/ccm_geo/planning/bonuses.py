"""Accidents averted and bonuses told apart in words: a bonus is what a rule adds, and averts nothing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ._priced import SAME, few
from .rules.compact import Compact
from .rules.complete import Complete

if TYPE_CHECKING:
    from .plan import Plan


def has_bonuses(rules: Sequence[Any]) -> bool:
    """Say whether any of the rules gives bonuses, so that benefit is more than what is averted."""
    return any(isinstance(rule, (Complete, Compact)) for rule in rules)


def bonus_of(plan: "Plan") -> float:
    """Add up what hazards bring together, by the plan's rules."""
    return float(plan.bonuses["bonus"].sum())


def spoken(unit: str) -> str:
    """Name the unit of benefit in a sentence: ``relative`` alone says nothing.

    Examples
    --------
    >>> spoken("relative"), spoken("accidents averted")
    ('units of relative harm averted', 'accidents averted')
    """
    return "units of relative harm averted" if unit == "relative" else unit


def counted_in(unit: str, *, bonuses: bool) -> str:
    """Name the unit of a number that may include bonuses.

    Examples
    --------
    >>> counted_in("accidents averted", bonuses=True)
    'accidents averted and bonuses'
    """
    return f"{spoken(unit)} and bonuses" if bonuses else spoken(unit)


def told_apart(averted: float, bonus: float, unit: str, *, digits: int = 3) -> str:
    """Say how much is averted, and how much is bonuses.

    Examples
    --------
    >>> told_apart(1.11, 0.3, "accidents averted")
    '1.41 in all: 1.11 accidents averted and 0.3 of bonuses'
    >>> told_apart(1.15, 0.0, "accidents averted")
    '1.15 accidents averted'
    """
    if abs(bonus) <= SAME * abs(averted):
        return f"{few(averted, digits)} {spoken(unit)}"
    whole, own, more = (few(v, digits) for v in (averted + bonus, averted, bonus))
    return f"{whole} in all: {own} {spoken(unit)} and {more} of bonuses"
