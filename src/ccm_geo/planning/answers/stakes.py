"""How much is lost if a hazard is left alone: an interval for every hazard at once, exact on request."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numba
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from ccm_geo.errors import DataError
from ccm_geo.planning._given import require_search
from ccm_geo.planning._priced import SAME, Priced, few
from ccm_geo.planning.bonuses import bonus_of, counted_in, has_bonuses, told_apart
from ccm_geo.planning.engine.prices import Rows, losses, values_at, walk
from ccm_geo.planning.engine.solve import Solution, solve
from ccm_geo.planning.listing import Floats, Ints, Listing, Mask, by_hazard
from ccm_geo.planning.rules.promises import named_hazards

if TYPE_CHECKING:
    from ccm_geo.planning.plan import Plan

A: TypeAlias = npt.NDArray[Any]
_CANDIDATES = 600  # hazards left out, nearest to their price, that freed money is offered to
_HELPERS = 20  # and of those that help with a floor, so many for each floor
_SHOWN = 8
_PROMISED = "a rule asks for work on it"
_NEEDED = "no plan was found that keeps the rules without it"


@dataclass(frozen=True, kw_only=True, repr=False)
class Importance:
    """What each hazard is worth to the best plan: how much less is averted if nothing may be done on it.

    Parameters
    ----------
    table
        One row per hazard, most important first, indexed by hazard_id: in_plan; loss (best estimate, at
        the plan's prices), loss_low and loss_high (what is proven), all in `benefit_unit`; share (loss
        as a share of the plan's benefit); exact (whether low and high are the same number); said.
    benefit
        What the plan brings: what it averts, and its bonuses.
    gap
        Share by which another plan may be better; no interval is narrower than what it leaves open.
    benefit_unit
        Unit of benefit and losses.
    bonus
        What of the benefit is bonuses; None where no rule gives any. Losses count them in.
    """

    table: pd.DataFrame = field(repr=False)
    benefit: float
    gap: float
    benefit_unit: str
    bonus: float | None = None

    def of(self, hazard_id: str) -> str:
        """Say what one hazard is worth.

        Raises
        ------
        DataError
            If it has no options.
        """
        if hazard_id not in self.table.index:
            raise DataError(
                f"importance: hazard {hazard_id!r} has no options; it may be closed, misspelled, without harm"
            )
        row = self.table.loc[hazard_id]
        if np.isinf(row["loss"]):
            return f"{hazard_id}: {row['said']}"
        there = "" if row["in_plan"] else " (it is not in the plan)"
        unit = counted_in(self.benefit_unit, bonuses=self.bonus is not None)
        told = f"{hazard_id}: leaving it alone loses {few(row['loss'])} {unit}{there}"
        if row["exact"]:
            return f"{told}, exactly"
        low, high = few(row["loss_low"]), few(row["loss_high"])
        return f"{told}; proven: at least {low}" + (
            f", at most {high}" if np.isfinite(row["loss_high"]) else ""
        )

    def __str__(self) -> str:
        top = self.table[self.table["in_plan"]].head(_SHOWN)
        proven = int((self.table["loss_low"] > 0).sum())
        bonus = self.bonus or 0.0
        brings = told_apart(self.benefit - bonus, bonus, self.benefit_unit)
        head = (
            f"Importance of {len(self.table):,} hazards: what the best plan loses if nothing may be done on "
            f"one of them. The plan brings {brings} (gap {self.gap:.3%}); "
            f"{proven:,} hazards are proven to matter."
        )
        return "\n".join([head, *(f"  {self.of(str(h))}" for h in top.index)])

    def __repr__(self) -> str:
        return f"<Importance of {len(self.table):,} hazards>"

    def _repr_html_(self) -> str:
        return str(self.table.head(20).to_html(escape=True, float_format=lambda v: f"{v:,.4g}"))


def importance(
    plan: "Plan", *, exact: bool | str | Iterable[str] = False, seconds: float = 60.0
) -> Importance:
    """Say for every hazard how much less could be averted if nothing were done on it.

    That is not what work on the hazard averts: the money goes elsewhere when it is left alone. A hazard
    that many others could stand in for matters little, whatever its harm.

    Parameters
    ----------
    plan
        A plan from `prioritize`; the smaller its gap, the narrower the intervals.
    exact
        Plan again without a hazard, to the end: for the hazards named, or, with True, for all in the plan.
    seconds
        When to stop planning again; hazards that were not reached keep their intervals.

    Returns
    -------
    Importance

    Raises
    ------
    DataError
        If `exact` names a hazard that has no options.

    Notes
    -----
    With :math:`L` the bound at the plan's prices and :math:`v_h` the value of the hazard's best path at these
    prices, no plan without h averts more than :math:`L - v_h`; so the loss is at least the plan's benefit
    less that. Of hazards that bring a bonus together, :math:`v_h` is what their group is worth less what
    the others are worth without the bonus. The plan without h, with what h frees offered to hazards left
    out (those nearest to their price first, within all rules), is a plan without h; so the loss is at most
    the plan's bound less what that one averts. Where everything that h uses only takes from limits, the loss
    is also at most what the best path of h averts. Both ends are proven; `loss` itself, :math:`v_h` held
    within the interval, is an estimate.

    Examples
    --------
    >>> from ccm_geo.planning import Budget, prioritize
    >>> options = pd.DataFrame({"hazard_id": list("abc"), "cost_usd": [1, 1, 1], "benefit": [5.0, 3.0, 2.0]})
    >>> worth = importance(prioritize(options, [Budget(2)]), exact=True)
    >>> worth.table["loss"].to_dict()
    {'a': 3.0, 'b': 1.0, 'c': 0.0}
    """
    require_search("importance", seconds=seconds)
    priced = Priced.of(plan)
    low, high, guess = _from_prices(priced)
    promised = priced.arcs.must > 0
    low[promised] = high[promised] = np.inf
    said = np.where(promised, _PROMISED, "").astype(object)
    if exact is not False:
        asked = _asked(exact, priced)
        _again_without(priced, [h for h in asked if not promised[h]], (low, high, said), seconds)
    high = np.maximum(high, low)
    guess = np.clip(np.where(promised, np.inf, guess), low, high)
    same = high <= low + 1e-7 * abs(plan.benefit)
    share = guess / plan.benefit if plan.benefit > 0 else np.full(len(guess), np.nan)
    table = pd.DataFrame(
        {
            "in_plan": priced.chosen,
            "loss": guess,
            "loss_low": low,
            "loss_high": high,
            "share": share,
            "exact": same | promised,
            "said": said,
        },
        index=pd.Index(priced.listing.hazard_ids, name="hazard_id"),
    )
    order = np.lexsort((-high, -low, -guess))
    return Importance(
        table=table.iloc[order],
        benefit=plan.benefit,
        gap=plan.gap,
        benefit_unit=plan.benefit_unit,
        bonus=bonus_of(plan) if has_bonuses(plan.rules) else None,
    )


def _from_prices(priced: Priced) -> tuple[Floats, Floats, Floats]:
    """Least and greatest loss of every hazard, and what it is about."""
    value = values_without(priced)
    low = np.maximum(priced.benefit - np.minimum(priced.bound, priced.found.bound - value), 0.0)
    rounding = 2 * SAME * abs(priced.benefit)  # of the sums in bound and benefit
    low[low <= rounding] = 0.0
    high = np.full(len(value), max(priced.bound - priced.benefit, 0.0))
    inside = priced.chosen & (priced.arcs.must == 0)
    high[inside] = priced.bound - _benefit_without(priced, np.nonzero(inside)[0])
    high = np.minimum(high, _most_of(priced))
    high[high <= rounding] = 0.0
    return low, np.maximum(high, 0.0), np.maximum(value, 0.0)


def values_without(priced: Priced) -> Floats:
    """By how much the bound at the plan's prices falls if a hazard is left alone, shape ``(hazards,)``."""
    arcs, rows = priced.arcs, priced.rows
    value = values_at(arcs, rows, priced.found.prices)
    _, best, _ = walk(priced.arcs.each_alone(), value, rows.pattern.shape[0])
    without_bonus = np.bincount(arcs.blocks.of, weights=best, minlength=len(priced.found.gain))
    together = priced.found.gain - without_bonus
    return np.where(arcs.must > 0, np.inf, best + together[arcs.blocks.of])


def _benefit_without(priced: Priced, hazards: Ints) -> Floats:
    """Benefit of a plan without each of these hazards; -inf where none was found in passing."""
    listing = priced.listing
    out = np.full(len(hazards), -np.inf)
    cand = _candidates(priced)
    offers = _hazards_of(listing, cand, priced)
    priced = _as_paid(priced)
    shift, gains = _uses(priced, priced.taken), by_hazard(listing, priced.taken, listing.benefit)
    offered = _uses(priced, cand)[offers]
    worth = by_hazard(listing, cand, listing.benefit)[offers]
    offered = sparse.csr_array(offered)
    use = priced.use(priced.taken)
    gained = np.empty(len(hazards))
    own = sparse.csr_array(shift[hazards])
    fits = np.empty(len(hazards), bool)
    _refill(
        own.indptr, own.indices, own.data, offered.indptr, offered.indices, offered.data, worth,
        use, priced.rows.lower, priced.rows.upper, priced.rows.room, gained, fits,
    )  # fmt: skip
    gains += _bonus_of(priced, priced.taken)
    out[fits] = priced.benefit - gains[hazards][fits] + gained[fits]
    return out


def _as_paid(priced: Priced) -> Priced:
    """Put use by key in place of rows that are not all laid out: at most as much as the plan uses."""
    if not priced.model.hides:
        return priced
    families = []
    for family in priced.model.families:
        use = family.by_key(priced.taken)
        every = sparse.csr_array(sparse.identity(len(use)))
        labels, none = ("",) * len(use), np.full(len(use), -np.inf)
        narrow = replace(family, labels=labels, pattern=every, lower=none, upper=use, hidden=None)
        families.append(family if family.hidden is None else narrow)
    model = replace(priced.model, families=tuple(families))
    return replace(priced, model=model, rows=Rows.of(model))


def _bonus_of(priced: Priced, taken: Mask | None) -> Floats:
    """Say what each hazard brings together with others in a plan, or, without a plan, at most."""
    arcs, model = priced.arcs, priced.model
    out = np.zeros(len(arcs.start))
    mine = None if taken is None else taken[arcs.origin]
    for completion in model.completions:
        most = completion.worth.max(axis=1, initial=0.0)
        brought = most if mine is None else completion.brought(arcs.done(mine))
        out += np.where(completion.group >= 0, brought[completion.group], 0.0)
    for pairs in model.pairs:
        brought = pairs.worth * arcs.years if mine is None else arcs.worked(pairs, mine).sum(axis=1)
        for side in (0, 1):
            out += np.bincount(pairs.ends[:, side], weights=brought, minlength=len(out))
    return out


def _uses(priced: Priced, taken: Mask) -> sparse.csr_array:
    """Add up what each hazard's chosen options take of each row, shape ``(hazards, rows)``."""
    listing = priced.listing
    at = np.nonzero(taken)[0]
    blocks = []
    for family in priced.model.families:
        held = at[family.key[at] >= 0]
        shape = (len(listing.hazard_ids), family.pattern.shape[0])
        keys = sparse.coo_array((family.coef[held], (listing.hazard[held], family.key[held])), shape=shape)
        blocks.append(sparse.csr_array(keys) @ family.pattern)
    if not blocks:
        return sparse.csr_array((len(listing.hazard_ids), 0))
    return sparse.csr_array(sparse.hstack(blocks))


def _candidates(priced: Priced) -> Mask:
    """Best paths, at the prices, of hazards left out that come near to paying their way."""
    arcs, rows, listing = priced.arcs, priced.rows, priced.listing
    loss = np.where(
        priced.chosen[arcs.hazard] | (arcs.benefit <= 0), np.inf, losses(arcs, rows, priced.found)
    )
    order = np.lexsort((loss, arcs.hazard))
    has = arcs.first[:-1] < arcs.first[1:]
    nearest = order[arcs.first[:-1][has]]
    nearest = nearest[np.isfinite(loss[nearest])]
    wanted = np.zeros(len(loss), bool)
    wanted[nearest] = True
    value = values_at(arcs, rows, priced.found.prices)
    pull = 1.0 + 2.0 * np.bincount(arcs.hazard, weights=np.abs(value), minlength=len(arcs.start))
    taken, _, _ = walk(
        priced.arcs.each_alone(), value + np.where(wanted, pull[arcs.hazard], 0.0), rows.pattern.shape[0]
    )
    taken &= np.isin(arcs.hazard, arcs.hazard[nearest])
    whole = np.zeros(len(listing.benefit), bool)
    whole[arcs.origin[taken]] = True
    return whole


def _hazards_of(listing: Listing, cand: Mask, priced: Priced) -> Ints:
    """Hazards of the candidate paths, nearest to their price first: the nearest, and helpers of floors."""
    arcs = priced.arcs
    value = values_at(arcs, priced.rows, priced.found.prices)
    whole = np.zeros(len(listing.benefit))
    whole[arcs.origin] = value
    short = by_hazard(listing, cand, whole)
    there = np.unique(listing.hazard[cand])
    there = there[np.argsort(-short[there], kind="stable")]
    kept = set(there[:_CANDIDATES].tolist())
    floors = np.nonzero(np.isfinite(priced.rows.lower))[0]
    if len(floors) and len(there) > _CANDIDATES:
        uses = sparse.csc_array(_uses(priced, cand)[there][:, floors])
        for r in range(len(floors)):
            column = slice(uses.indptr[r], uses.indptr[r + 1])
            helping = uses.indices[column][uses.data[column] > 0]
            kept.update(there[np.sort(helping)[:_HELPERS]].tolist())
    return np.array([h for h in there.tolist() if h in kept], dtype=np.int64)


@numba.njit(cache=True)
def _refill(  # noqa: PLR0913, PLR0917 - one loop nest for the compiler
    own_first: A, own_row: A, own_use: A, first: A, row: A, use: A, worth: A,
    total: A, lower: A, upper: A, room: A, gained: A, fits: A,
) -> None:  # fmt: skip
    """Take each hazard's use away, then add candidates in their order as long as no row gets worse."""
    now = np.empty(len(total))
    for i in range(len(gained)):
        now[:] = total
        for k in range(own_first[i], own_first[i + 1]):
            now[own_row[k]] -= own_use[k]
        gained[i] = 0.0
        for c in range(len(worth)):
            fine = True
            for k in range(first[c], first[c + 1]):
                r = row[k]
                before = max(now[r] - upper[r], 0.0) + max(lower[r] - now[r], 0.0)
                after = now[r] + use[k]
                after = max(after - upper[r], 0.0) + max(lower[r] - after, 0.0)
                if after > before and after > room[r]:
                    fine = False
                    break
            if fine:
                gained[i] += worth[c]
                for k in range(first[c], first[c + 1]):
                    now[row[k]] += use[k]
        fits[i] = True
        for r in range(len(total)):
            if now[r] > upper[r] + room[r] or now[r] < lower[r] - room[r]:
                fits[i] = False


def _most_of(priced: Priced) -> Floats:
    """Most that a hazard brings to any best plan, where dropping it breaks no rule; else inf.

    In a plan as good as this one every option's loss at the prices is at most the distance from the bound.
    """
    near = losses(priced.arcs, priced.rows, priced.found) <= (
        priced.found.bound - priced.benefit + SAME * abs(priced.benefit)
    )
    hopeful = priced.arcs.each_alone().keep(near)
    _, most, _ = walk(hopeful, hopeful.benefit, priced.rows.pattern.shape[0])
    return np.where(_droppable(priced), np.maximum(most, 0.0) + _bonus_of(priced, None), np.inf)


def _droppable(priced: Priced) -> Mask:
    """Say of which hazards no option helps to keep a rule, so that any plan may drop them."""
    listing = priced.listing
    out = priced.arcs.must == 0
    for family in priced.model.families:
        sign = np.sign(family.pattern.toarray())
        ups, downs = np.isfinite(family.upper), np.isfinite(family.lower)
        helps = ((sign < 0) & ups).any(axis=1) | ((sign > 0) & downs).any(axis=1)
        held = (family.key >= 0) & (family.coef != 0)
        out[listing.hazard[held & helps[np.maximum(family.key, 0)]]] = False
    return out


def _asked(exact: bool | str | Iterable[str], priced: Priced) -> list[int]:  # noqa: FBT001 - as in importance
    if exact is True:
        return [int(h) for h in np.nonzero(priced.chosen)[0]]
    if not isinstance(exact, Iterable):
        raise DataError(f"importance: exact is True, a hazard or a list of hazards, not {exact!r}")
    wanted = [exact] if isinstance(exact, str) else list(exact)
    return named_hazards(priced.listing, wanted, "importance").tolist()


def _again_without(
    priced: Priced, hazards: list[int], ends: tuple[Floats, Floats, npt.NDArray[np.object_]], seconds: float
) -> None:
    """Narrow the intervals of some hazards by planning again without them."""
    low, high, said = ends
    until = time.monotonic() + seconds
    best, bound = priced.benefit, priced.bound
    if bound - best > SAME * abs(best):
        whole = solve(priced.model, gap=0.0, seconds=max(seconds / 3, 0.1))
        if whole is not None:
            best, bound = max(best, whole.benefit), min(bound, whole.bound)
    for h in hazards:
        left = until - time.monotonic()
        if left <= 0:
            return
        found = without(priced, [h], gap=0.0, seconds=left)
        if found is None:
            said[h] = _NEEDED
            continue
        low[h] = max(low[h], best - found.bound)
        high[h] = min(high[h], bound - found.benefit)
        if high[h] - low[h] <= SAME * abs(best):
            low[h] = high[h] = max(best - found.benefit, 0.0)


def without(priced: Priced, hazards: list[int], *, gap: float, seconds: float) -> Solution | None:
    """Plan again with nothing on these hazards."""
    shut = np.isin(priced.listing.hazard, hazards)
    return solve(replace(priced.model, allowed=priced.model.allowed & ~shut), gap=gap, seconds=seconds)
