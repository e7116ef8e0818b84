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
    cures = [cure for n in range(len(core)) if (cure := _cure(listing, core, n, until))]
    cures = cures or [f"drop {rule.title}" for rule in core]
    return PlanError("no plan keeps all rules at once", conflict=[r.spoken for r in core], cures=cures)


def _impossible(listing: Listing, rules: Sequence[Any], until: float) -> bool:
    """Say whether it is proven that no plan keeps these rules."""
    model = _bare(listing, rules)
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


def _bare(listing: Listing, rules: Sequence[Any]) -> Model:
    """Lay the rules over the options without what they bring: only what they ask for can clash."""
    return replace(build(listing, rules), completions=(), pairs=())


def _cure(listing: Listing, rules: Sequence[Any], number: int, until: float) -> str:
    """Loosen one rule's limits, paying for each unit, and read off what had to give; "" where none helps."""
    model = _bare(listing, rules)
    rule, own = model.rules[number], [f for f in model.families if f.rule == number]
    if not own:
        return ""
    arcs, rows = _bound_to_act(model), Rows.of(model)
    hard = matrix.compiled(arcs, rows)
    soft = np.nonzero(np.concatenate([np.full(len(f.labels), f.rule) for f in model.families]) == number)[0]
    knobs = sparse.csc_array(rule.knobs(own, listing))
    count, width = knobs.shape[1], hard.rows.shape[1]
    unit = np.array([_unit(knobs, k, hard.scale[soft]) for k in range(count)])
    relaxes = np.where(np.isfinite(rows.upper[soft]), -1.0, 1.0) / hard.scale[soft]
    give = sparse.coo_array(sparse.diags_array(relaxes) @ knobs @ sparse.diags_array(unit))
    at = (soft[give.row], give.col)
    rest = sparse.csr_array((give.data, at), shape=(hard.rows.shape[0], count))
    elastic = replace(
        hard,
        benefit=np.concatenate([np.zeros(width), -unit]),
        rows=sparse.csr_array(sparse.hstack([hard.rows, rest])),
        binary=np.concatenate([hard.binary, np.zeros(count, bool)]),
        positive=np.arange(width + count) >= width,
    )
    found = matrix.optimize(elastic, gap=1e-6, seconds=until - time.monotonic())
    if found.taken is None or found.values is None:
        return ""
    taken = np.zeros(len(model.listing.benefit), bool)
    taken[arcs.origin[found.taken[: len(arcs.benefit)]]] = True
    return str(rule.cure(own, found.values[width:] * unit, taken))


def _unit(knobs: sparse.csc_array, knob: int, scale: Floats) -> float:
    """Count a knob in the unit of the first row that it moves."""
    rows = knobs.indices[knobs.indptr[knob] : knobs.indptr[knob + 1]]
    return float(scale[rows[0]]) if len(rows) else 1.0
