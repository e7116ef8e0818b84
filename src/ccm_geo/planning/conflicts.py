"""Where no plan keeps all rules: which are in conflict, and the smallest change that helps."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from ccm_geo.errors import PlanError

from .engine import matrix
from .engine.arcs import Arcs
from .engine.flows import with_flows
from .engine.opening import opened_bound, whole
from .engine.prices import Rows, nothing_below
from .engine.solve import solve
from .listing import Floats, Listing, Mask
from .model import Family, Model, build

_MATRIX_UP_TO = 12_000  # options; beyond, HiGHS overruns its time
_NEAR_ENOUGH = 5e-3  # share within which a cure for a large case is told
_MOST_TIMES = 1e4
_TRIES, _CLOSE = 150, 1e-6  # of the search for prices
_EARLIER = 0.1  # by how much less work in the last year counts: prices are found badly where all years tie


def explain(listing: Listing, rules: Sequence[Any], *, seconds: float) -> PlanError:
    """Return the error to raise: the smallest set of rules in conflict, and cures.

    A rule is left out of the set where the others are still in conflict without it (deletion filter). A
    cure keeps every rule but one and loosens the limits of that one as little as possible. Where more rules
    clash than these, no such cure may help against all; then one for this clash is told, and that it is.
    """
    patience = max(seconds, 5)
    core = list(rules)
    for rule in sorted(rules, key=lambda r: not hasattr(r, "at_least")):  # without shares the rest is small
        rest = [r for r in core if r is not rule]
        if _impossible(listing, rest, patience):
            core = rest
    if len(core) == len(rules) and not _impossible(listing, core, patience):
        return PlanError(
            f"no plan was found in {seconds:g} seconds, and none was ruled out",
            cures=["give more seconds=", "drop or loosen one of the rules"],
        )
    cures = [cure for n in range(len(core)) if (cure := _whole_cure(listing, rules, core, n, patience))]
    cures = cures or [f"drop {rule.title}{_told_part(rules, core)}" for rule in core]
    return PlanError("no plan keeps all rules at once", conflict=[r.spoken for r in core], cures=cures)


def _whole_cure(
    listing: Listing, rules: Sequence[Any], core: Sequence[Any], number: int, seconds: float
) -> str:
    """Loosen one rule of a clash until a plan keeps all rules, or, where that is not enough, this clash."""
    if len(core) == len(rules):
        return _cure(listing, core, number, seconds)
    place = next(i for i, rule in enumerate(rules) if rule is core[number])
    if cure := _cure(listing, rules, place, seconds):
        return cure
    own = _cure(listing, core, number, seconds)
    return own and f"{own}{_told_part(rules, core)}"


def _told_part(rules: Sequence[Any], core: Sequence[Any]) -> str:
    return " (for this clash; more may remain)" if len(core) < len(rules) else ""


def _impossible(listing: Listing, rules: Sequence[Any], seconds: float) -> bool:
    """Say whether it is proven that no plan keeps these rules: by prices, where small also by a matrix."""
    model, until = _bare(listing, rules), time.monotonic() + 1.5 * seconds
    arcs, every = _bound_to_act(model), Arcs.of(model)
    model, _, priced = opened_bound(model, every, most_tries=_TRIES, close=_CLOSE, seconds=seconds / 2)
    if not np.isfinite(priced.best).all() or priced.bound < nothing_below(every):
        return True
    while len(arcs.benefit) <= _MATRIX_UP_TO and time.monotonic() < until:
        laid = with_flows(matrix.compiled(arcs, Rows.of(model)), arcs, model)
        laid = replace(laid, benefit=np.zeros(laid.rows.shape[1]))
        found = matrix.optimize(laid, gap=1.0, seconds=seconds)
        if found.infeasible or found.taken is None:
            return found.infeasible
        wider = model.opened(whole(arcs, found.taken[: len(arcs.benefit)], len(model.allowed)))
        if wider is None or wider.rows == model.rows:
            return False
        model = wider
    return False


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
    model = build(listing, rules)
    sooner = replace(listing, benefit=_sooner(listing, listing.benefit))
    return replace(model, listing=sooner, completions=(), pairs=())


def _sooner(listing: Listing, values: Floats) -> Floats:
    """Let work in later years count a little less."""
    years = listing.year - listing.year.min()
    counted: Floats = values * (1 - _EARLIER * years / max(years.max(), 1))
    return counted


def _cure(listing: Listing, rules: Sequence[Any], number: int, seconds: float) -> str:
    """Loosen one rule's limits, paying for each unit, and read off what had to give; "" where none helps."""
    model = _bare(listing, rules)
    own = [f for f in model.families if f.rule == number]
    if not own:
        return ""
    arcs = _bound_to_act(model)
    if len(arcs.benefit) <= _MATRIX_UP_TO:
        return _cheapest_cure(model, number, arcs, seconds)
    if len(own) == 1 and np.isfinite(own[0].lower).all() and len(own[0].labels) == 1:
        return _reached(model, number, seconds)
    return _in_proportion(model, number, seconds) if np.isfinite(own[0].upper).all() else ""


def _reached(model: Model, number: int, seconds: float) -> str:
    """Forget one goal, look for a plan that comes as near to it as it can, and read off how near that is."""
    (own,) = (f for f in model.families if f.rule == number)
    early = _sooner(model.listing, own.coef)
    listing = replace(model.listing, benefit=np.where(own.key >= 0, early, 0.0))
    others = tuple(f for f in model.families if f.rule != number)
    found = solve(replace(model, listing=listing, families=others), gap=_NEAR_ENOUGH, seconds=seconds)
    if found is None:
        return ""
    return f"about {model.rules[number].cure([own], own.lower - own.use(found.taken), found.taken)}"


def _in_proportion(model: Model, number: int, seconds: float) -> str:
    """Raise all limits of one rule by one factor until there is a plan, hardly more than prices ask for."""
    until = time.monotonic() + seconds
    low, high = 1.0, 2.0
    while not _opens(model, number, high, until):
        low, high = high, 4 * high
        if high > _MOST_TIMES or time.monotonic() > until:
            return ""
    while high - low > _NEAR_ENOUGH * high and time.monotonic() < until:
        middle = (low + high) / 2
        low, high = (low, middle) if _opens(model, number, middle, until) else (middle, high)
    while solve(_widened(model, number, high), gap=0.5, seconds=max(seconds / 4, 1.0)) is None:
        high *= 1.1
        if time.monotonic() > until + seconds:
            return ""
    own = [f for f in model.families if f.rule == number]
    now = _standing(model, number)
    nothing = np.zeros(len(model.listing.benefit), bool)
    return f"about {model.rules[number].cure(own, (high - 1) * now, nothing)}"


def _standing(model: Model, number: int) -> Floats:
    """Say at what the knobs of a rule stand."""
    own = [f for f in model.families if f.rule == number]
    if own[0].hidden is not None:
        return own[0].hidden.amounts
    knobs = model.rules[number].knobs(own, model.listing)
    return np.asarray(np.linalg.lstsq(knobs.toarray(), np.concatenate([f.upper for f in own]), rcond=None)[0])


def _widened(model: Model, number: int, times: float) -> Model:
    """Multiply all limits of a rule."""

    def wide(family: Family) -> Family:
        hidden = family.hidden and family.hidden.eased((times - 1) * family.hidden.amounts)
        return replace(family, upper=times * family.upper, hidden=hidden)

    return replace(model, families=tuple(wide(f) if f.rule == number else f for f in model.families))


def _opens(model: Model, number: int, times: float, until: float) -> bool:
    """Say whether some multiple of a rule's limits is not proven to leave no plan."""
    wider = _widened(model, number, times)
    arcs, seconds = Arcs.of(wider), max(until - time.monotonic(), 1.0) / 3
    _, _, found = opened_bound(wider, arcs, most_tries=_TRIES, close=_CLOSE, seconds=seconds)
    return bool(np.isfinite(found.best).all() and found.bound >= nothing_below(arcs))


def _cheapest_cure(model: Model, number: int, arcs: Arcs, seconds: float) -> str:
    """Loosen one rule by as little as makes a plan possible; rows come to light as plans break them."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        given, taken = _least_given(model, number, arcs, until - time.monotonic())
        if given is None or taken is None:
            return ""
        wider = _eased(model, number, given).opened(taken)
        own = [f for f in model.families if f.rule == number]
        if wider is None or wider.rows == model.rows:
            return "" if wider else str(model.rules[number].cure(own, given, taken))
        model = _laid_like(model, wider, number)
    return ""


def _eased(model: Model, number: int, given: Floats) -> Model:
    """Turn the knobs of a rule for the rows that are not laid out."""
    families = tuple(
        replace(f, hidden=f.hidden.eased(given)) if f.rule == number and f.hidden is not None else f
        for f in model.families
    )
    return replace(model, families=families)


def _laid_like(model: Model, wider: Model, number: int) -> Model:
    """Lay out the rows of a wider model, those of the rule whose knobs were turned with its own limits."""
    families = tuple(
        old.hidden.laid_like(old, new.hidden)
        if old.rule == number and old.hidden is not None and new.hidden is not None
        else new
        for old, new in zip(model.families, wider.families, strict=True)
    )
    return replace(model, families=families)


def _least_given(
    model: Model, number: int, arcs: Arcs, seconds: float
) -> tuple[Floats, Mask] | tuple[None, None]:
    """Solve the matrix in which one rule's limits are soft and every unit beyond them costs one."""
    rule, own, rows = model.rules[number], [f for f in model.families if f.rule == number], Rows.of(model)
    hard = matrix.compiled(arcs, rows)
    soft = np.nonzero(np.concatenate([np.full(len(f.labels), f.rule) for f in model.families]) == number)[0]
    knobs = sparse.csc_array(rule.knobs(own, model.listing))
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
    found = matrix.optimize(elastic, gap=1e-6, seconds=seconds)
    if found.taken is None or found.values is None:
        return None, None
    taken = whole(arcs, found.taken[: len(arcs.benefit)], len(model.allowed))
    return found.values[width:] * unit, taken


def _unit(knobs: sparse.csc_array, knob: int, scale: Floats) -> float:
    """Count a knob in the unit of the first row that it moves."""
    rows = knobs.indices[knobs.indptr[knob] : knobs.indptr[knob + 1]]
    return float(scale[rows[0]]) if len(rows) else 1.0
