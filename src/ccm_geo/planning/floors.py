"""What floors hold back: a share of the whole that one region cannot take keeps the whole plan small.

A floor is a share of all that a plan spends. Where a region can take no more than X under the other rules
(its teams, grants that may not pay there, hazards that are locked out), a plan that keeps its floor s spends
at most X / s everywhere together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, sparse

from ccm_geo.schemas import Note

from ._priced import few
from .engine.arcs import Arcs
from .engine.prices import Rows, lowest_bound, plain, richest_use, walk
from .engine.solve import Solution, solve
from .listing import Floats, Ints, Listing, Mask, matching, measured_in
from .model import Family, Model, build
from .rules.limits import Capacity, Rule, listed
from .rules.shares import Share, amounts_of

_SIZABLE = 0.05  # share of what could be spent that is worth a word
_TIGHT = 0.02  # share of a floor by which the plan may exceed it and still stand on it
_TRIES, _SECONDS = 40, 2.0  # of the search for the most that a region can take
_NOTHING = 1e-6  # share of the best option's benefit below which a bound says that nothing can be averted
_LINEAR_UP_TO = 25_000  # options; a linear program of so many takes a second or so


@dataclass(frozen=True, kw_only=True)
class _Floor:
    """One region's floor: its share, the most it can take, and the rules that limit that."""

    region: str
    share: float
    most: float
    limits: tuple[str, ...]
    teams: bool


def held_back(model: Model, found: Solution) -> list[Note]:
    """Say where a floor that a region cannot follow keeps the whole plan from what could be spent."""
    notes = []
    for family, prices in model.by_family(found.prices):
        rule = model.rules[family.rule]
        if not isinstance(rule, Share) or family.shares is None or np.isinf(family.lower).all():
            continue
        counted = family.key >= 0
        whole = float(family.coef[counted & found.taken].sum())
        use = family.use(found.taken)
        tight = (family.shares > 0) & ((prices != 0) | (use <= _TIGHT * family.shares * whole))
        could = _spendable(model, rule)
        if not tight.any() or whole >= (1 - _SIZABLE) * could:
            continue
        bare = build(model.listing, [r for r in model.rules if not isinstance(r, Share)])
        could = min(could, _most(bare, np.where(counted, family.coef, 0.0))[0])
        floors = [_floor(model, bare, family, row) for row in np.flatnonzero(tight).tolist()]
        lowest = min(floors, key=lambda f: f.most / f.share)
        if lowest.most / lowest.share < (1 - _SIZABLE) * could:
            notes.append(_told(rule, lowest, could))
    return notes


def _spendable(model: Model, rule: Share) -> float:
    """Bound what a sensible plan takes in all: what there is, and what is worth doing if nothing is short."""
    listing = model.listing
    amount = amounts_of(listing, rule.of, rule.title)
    counted = np.where(matching(listing.frame, rule.where, rule.title), amount, 0.0)
    worth = float(richest_use(listing, counted, amount).sum())
    return min([worth, *(other.spendable(rule.of) for other in model.rules)])


def _most(model: Model, amount: Floats) -> tuple[float, Floats]:
    """Bound what any plan can take of an amount, with the prices of the rows that limit it.

    Large tables are asked by prices, for which many hazards are nearly smooth; small ones by a linear
    program: parts of options, of no hazard more than its richest path.
    """
    model = replace(model, listing=replace(model.listing, benefit=amount), completions=(), pairs=())
    rows, at = Rows.of(model), np.flatnonzero(model.allowed & (amount > 0))
    if len(at) > _LINEAR_UP_TO:
        best = lowest_bound(Arcs.of(model), rows, most_tries=_TRIES, seconds=_SECONDS)
        return max(best.bound, 0.0), best.prices
    if not len(at):
        return 0.0, np.zeros(len(rows.lower))
    _, richest, _ = walk(Arcs.of(plain(model.listing, model.allowed)), amount[model.allowed], 1)
    own, hazard = np.unique(model.listing.hazard[at], return_inverse=True)
    each = sparse.csr_array((amount[at], (hazard, np.arange(len(at)))), shape=(len(own), len(at)))
    limits = [
        np.flatnonzero(np.isfinite(f.upper) & (f.pattern.min(axis=0).toarray().ravel() >= 0))
        for f in model.families
    ]
    uses = [_use(f, at)[r] for f, r in zip(model.families, limits, strict=True)]
    upper = np.concatenate([richest[own], *(f.upper[r] for f, r in zip(model.families, limits, strict=True))])
    found = optimize.linprog(
        -amount[at] / amount[at].max(), A_ub=sparse.vstack([each, *uses]), b_ub=upper, bounds=(0, 1)
    )
    if not found.success:
        return float(richest.sum()), np.zeros(len(rows.lower))
    prices = np.zeros(len(rows.lower))
    starts = np.cumsum([0, *(len(f.labels) for f in model.families)])
    places = np.concatenate([np.zeros(0, np.int64), *(s + r for s, r in zip(starts, limits, strict=False))])
    prices[places] = -found.ineqlin.marginals[len(own) :]
    return -float(found.fun) * float(amount[at].max()), prices


def _use(family: Family, options: Ints) -> sparse.csr_array:
    """Say what some options take of each row of a family, shape ``(rows, options)``."""
    held = family.key[options] >= 0
    key, count = np.where(held, family.key[options], 0), len(options)
    entries = np.where(held, family.coef[options], 0.0), (key, np.arange(count))
    by_key = sparse.csr_array(entries, shape=(family.pattern.shape[0], count))
    return sparse.csr_array(family.pattern.T @ by_key)


def _floor(model: Model, bare: Model, family: Family, row: int) -> _Floor:
    """Look what a region can take at most, and which rules stand in the way of more."""
    rule = model.rules[family.rule]
    region = list(rule.at_least)[row]
    own = (family.key >= 0) & (model.listing.frame[rule.column] == region).to_numpy()
    most, prices = _most(bare, np.where(own, family.coef, 0.0))
    binds = [bare.rules[f.rule] for f, p in bare.by_family(prices) if (p > 0).any()]
    shut = [r for n, r in enumerate(bare.rules) if _shuts(r, n, bare.listing, own & (family.coef > 0))]
    limits = tuple(dict.fromkeys(r.title for r in (*binds, *shut)))
    teams = any(isinstance(r, Capacity) for r in binds)
    return _Floor(region=region, share=float(family.shares[row]), most=most, limits=limits, teams=teams)  # type: ignore[index]


def _shuts(rule: Rule, number: int, listing: Listing, own: Mask) -> bool:
    """Say whether a rule forbids any of a region's own options."""
    forbidden = rule.compiled(listing, number).forbidden
    return forbidden is not None and bool((forbidden & own).any())


def _told(rule: Share, floor: _Floor, could: float) -> Note:
    of, region = measured_in("area_m2" if rule.of == "area" else rule.of), floor.region
    under = f" ({listed(floor.limits)})" if floor.limits else ""
    raised = "raise the teams there" if floor.teams else "let more be done there"
    enough = (
        f"lower the floor to about {np.floor(1e4 * floor.most / could) / 1e4:.2%}"
        if floor.most
        else "drop the floor"
    )
    whole = floor.most / floor.share
    text = (
        f"{rule.title}: {region} can take {few(floor.most)} {of} at most{under}, and that must be "
        f"{floor.share:.2%} of the whole: the whole plan is held to {few(whole)} {of} at most, where the "
        f"other rules allow up to {few(could)}; {enough}, or {raised}"
    )
    return Note("plan", "advice", text)


def stopped(listing: Listing, rules: Sequence[Rule], found: Solution, seconds: float) -> list[Note]:
    """Say where it is floors that leave a plan empty: of nothing, every part is nothing, and is kept."""
    others = [rule for rule in rules if not isinstance(rule, Share)]
    if len(others) == len(rules):
        return []
    if found.bound > _NOTHING * float(np.abs(listing.benefit).max(initial=0.0)):
        text = (
            f"no plan but one that does nothing was found in {seconds:g} seconds, and none was ruled out: up "
            f"to {few(found.bound)} could be averted; give more seconds=, or lower the shares"
        )
        return [Note("plan", "advice", text)]
    free = solve(build(listing, others), gap=0.01, seconds=seconds)
    if free is None or free.benefit <= 0:
        return []
    floors = listed(sorted({rule.title for rule in rules if isinstance(rule, Share)}))
    text = (
        f"nothing is planned because of {floors}: no work keeps these shares, as where they ask for work "
        f"the other rules allow none; without them {free.benefit:.3g} could be averted. Lower the shares, or "
        "allow work there"
    )
    return [Note("plan", "advice", text)]
