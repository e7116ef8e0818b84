"""Where no plan keeps all rules: which are in conflict, and the smallest change that helps."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from ccm_geo.errors import PlanError

from . import matrix
from .arcs import Arcs
from .listing import Floats, Listing
from .model import Model, build
from .prices import Rows, lowest_bound, nothing_below
from .rules import Budget


def explain(listing: Listing, rules: Sequence[Any], *, seconds: float) -> PlanError:
    """Return the error to raise: the smallest set of rules in conflict, and cures.

    A rule is left out of the set where the others are still in conflict without it (deletion filter). A
    cure keeps every rule but one and loosens the limits of that one as little as possible.
    """
    until = time.monotonic() + max(seconds, 5)
    core = list(rules)
    for rule in sorted(rules, key=lambda r: not hasattr(r, "at_least")):  # without shares the rest is small
        rest = [r for r in core if r is not rule]
        if _impossible(listing, rest, until):
            core = rest
    if len(core) == len(rules) and not _impossible(listing, core, until + 5):
        return PlanError(
            f"no plan was found in {seconds:g} seconds, and none was ruled out",
            cures=["give more seconds=", "drop or loosen one of the rules"],
        )
    cures = [cure for rule in core for cure in _cures(listing, core, rule, until)]
    cures += [f"drop {rule.title}" for rule in core if not _has_limits(listing, rule)] if not cures else []
    return PlanError("no plan keeps all rules at once", conflict=[_spoken(r) for r in core], cures=cures)


def _spoken(rule: Any) -> str:
    if isinstance(rule, Budget):
        amount = rule.amount
        money = (
            ", ".join(f"{y}: {a:,.2f}" for y, a in amount.items())
            if isinstance(amount, dict)
            else f"{amount:,.2f}"
        )
        return f"{rule.title} ({money})"
    return str(rule.title)


def _impossible(listing: Listing, rules: Sequence[Any], until: float) -> bool:
    """Say whether it is proven that no plan keeps these rules."""
    model = build(listing, rules)
    arcs, rows = _bound_to_act(model), Rows.of(model)
    priced = lowest_bound(Arcs.of(model), rows, seconds=max(until - time.monotonic(), 1.0) / 4)
    if not np.isfinite(priced.best).all() or priced.bound < nothing_below(Arcs.of(model)):
        return True
    whole = replace(matrix.compiled(arcs, rows), benefit=np.zeros(0))
    whole = replace(whole, benefit=np.zeros(whole.rows.shape[1]))
    return matrix.optimize(whole, gap=1.0, seconds=until - time.monotonic()).infeasible


def _bound_to_act(model: Model) -> Arcs:
    """Leave out the hazards on which doing nothing breaks no rule and helps with none.

    Where no row asks for more of something (a floor, something first), only hazards with a promise must act.
    """
    arcs = Arcs.of(model)
    acting = arcs.must > 0
    for family in model.families:
        if np.isfinite(family.lower).any() or (family.shares is not None):
            return arcs
        helps = np.asarray((family.pattern < 0).sum(axis=1)).ravel() > 0
        acting[model.listing.hazard[(family.key >= 0) & helps[np.maximum(family.key, 0)]]] = True
    return arcs.keep(acting[arcs.hazard])


def _has_limits(listing: Listing, rule: Any) -> bool:
    return bool(build(listing, [rule]).families)


def _cures(listing: Listing, rules: Sequence[Any], rule: Any, until: float) -> list[str]:
    """Loosen one rule's limits, paying for each unit, and read off what had to give."""
    model = build(listing, rules)
    number = next(i for i, r in enumerate(rules) if r is rule)
    family_of = np.concatenate([np.full(len(f.labels), f.rule) for f in model.families] or [np.zeros(0)])
    soft = np.nonzero(family_of == number)[0]
    if not len(soft):
        return []
    arcs, rows = _bound_to_act(model), Rows.of(model)
    hard = matrix.compiled(arcs, rows)
    give = sparse.csr_array(
        (np.where(np.isfinite(rows.upper[soft]), -1.0, 1.0), (soft, np.arange(len(soft)))),
        shape=(hard.rows.shape[0], len(soft)),
    )
    width = hard.rows.shape[1]
    pay = np.concatenate([np.zeros(width), -hard.scale[soft]])
    elastic = replace(
        hard,
        benefit=pay,
        rows=sparse.csr_array(sparse.hstack([hard.rows, give])),
        binary=np.concatenate([hard.binary, np.zeros(len(soft), bool)]),
        positive=np.arange(width + len(soft)) >= width,
    )
    found = matrix.optimize(elastic, gap=1e-6, seconds=until - time.monotonic())
    if found.taken is None or found.values is None:
        return []
    return _read_off(model, rule, soft, found.values[width:] * hard.scale[soft], arcs, found.taken)


def _read_off(model: Any, rule: Any, soft: Any, given: Floats, arcs: Arcs, taken: Any) -> list[str]:
    labels = np.array([label for f in model.families for label in f.labels])
    upper = np.concatenate([f.upper for f in model.families])
    if isinstance(rule, Budget):
        need = [
            f"{labels[r]} of {np.ceil(100 * (upper[r] + g) - 1e-4) / 100:,.2f} in place of {upper[r]:,.2f}"
            for r, g in zip(soft, given, strict=True)
            if g > 1e-6
        ]
        return [" and ".join(need)] if need else []
    whole = {id(f): f for f in model.families if f.shares is not None}
    lines = []
    chosen = np.zeros(len(model.listing.benefit), bool)
    chosen[arcs.origin[taken]] = True
    for r, g in zip(soft, given, strict=True):
        if g <= 1e-6:
            continue
        family, place = _family_at(model, r)
        if id(family) in whole and family.shares is not None:
            total = float(family.coef[chosen & (family.key >= 0)].sum())
            floor = np.isinf(family.upper[place])
            now = family.shares[place]
            then = now - g / total if floor else now + g / total
            word = "at_least" if floor else "at_most"
            lines.append(f"{labels[r]} with {word} {max(then, 0):.4g} in place of {now:.4g}")
        else:
            lines.append(f"{labels[r]} loosened by {g:g}")
    return [" and ".join(lines)] if lines else []


def _family_at(model: Any, row: int) -> tuple[Any, int]:
    for family in model.families:
        if row < len(family.labels):
            return family, row
        row -= len(family.labels)
    raise IndexError(row)
