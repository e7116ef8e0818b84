"""Why each hazard is in the plan or not, for all of them at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from .engine.arcs import Arcs
from .engine.prices import Rows, values_at, walk
from .engine.solve import Solution
from .listing import Floats, Ints, Listing, Mask, activities_of, by_hazard, money_of
from .model import Model

_NO_OPTION = "not in the plan: the rules leave it no option that averts anything"
_NO_HARM = (
    "not in the plan: the data show nobody within reach and no accident, so no option averts anything that "
    "they can show; that does not make it safe"
)
_COLUMNS = ["chosen", "activities", "first_year", "last_year", "reason", "price_gap"]


def reasons_of(model: Model, found: Solution) -> pd.DataFrame:
    """Tell for every hazard what is planned, or what its best chance was and what would bring it in.

    Returns
    -------
    pandas.DataFrame
        Indexed by hazard_id: chosen, activities, first_year, last_year, reason, and price_gap: by how much
        the best path falls short of paying its way at the plan's prices, in units of benefit; 0 where chosen.
    """
    listing = model.listing
    count = len(listing.hazard_ids)
    chosen = np.zeros(count, bool)
    chosen[listing.hazard[found.taken]] = True
    chance = _Chances.of(model, found, chosen)
    shown = np.where(chosen[listing.hazard], found.taken, chance.taken)
    words = activities_of(listing, shown)
    cost, benefit = (by_hazard(listing, shown, v) for v in (money_of(listing), listing.benefit))
    planned, unit = (
        words.where(chosen, ""),
        "accidents" if "activity" in listing.frame else "units of benefit",
    )
    text = np.where(
        chosen,
        _in_words(listing, planned, cost, benefit, unit),
        _out_words(words, cost, benefit, chance, unit, useless=_useless(listing)),
    )
    first, last = (years.where(chosen & ("year" in listing.frame)) for years in _years(listing, found.taken))
    return pd.DataFrame(
        {
            "chosen": chosen,
            "activities": planned.to_numpy(),
            "first_year": first.array,
            "last_year": last.array,
            "reason": text,
            "price_gap": np.where(chosen, 0.0, chance.loss),
        },
        index=pd.Index(listing.hazard_ids, name="hazard_id"),
    )[_COLUMNS]


@dataclass(frozen=True, kw_only=True)
class _Chances:
    """For each hazard left out: the path that came nearest to entering."""

    taken: Mask
    loss: Floats
    cost_factor: Floats
    more_money: Floats

    @classmethod
    def of(cls, model: Model, found: Solution, chosen: Mask) -> "_Chances":
        listing = model.listing
        loss = np.where((listing.benefit > 0) & ~chosen[listing.hazard], found.loss, np.inf)
        nearest = _nearest(listing, loss)
        taken = _through(model, found, nearest)
        gap = np.full(len(listing.hazard_ids), np.inf)
        has = nearest >= 0
        gap[has] = loss[nearest[has]]
        benefit = by_hazard(listing, taken, listing.benefit)
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.where(has, benefit / (benefit + gap), np.nan)
        cost = np.where(has, by_hazard(listing, taken, money_of(listing)), 0.0)
        order = np.argsort(-np.where(has, factor, -1.0), kind="stable")
        more = np.empty(len(cost))
        more[order] = np.cumsum(cost[order])
        return cls(taken=taken, loss=gap, cost_factor=factor, more_money=more)


def _nearest(listing: Listing, loss: Floats) -> Ints:
    """Row of the option with the smallest loss of each hazard; -1 where there is none."""
    order = np.lexsort((-listing.benefit, loss, listing.hazard))
    best = order[listing.first[:-1]]
    return np.where(np.isfinite(loss[best]), best, -1)


def _through(model: Model, found: Solution, nearest: Ints) -> Mask:
    """Take each hazard's best path at the plan's prices that leads through one option."""
    arcs, rows = Arcs.of(model), Rows.of(model)
    value = values_at(arcs, rows, found.prices)
    wanted = np.zeros(len(model.allowed), bool)
    wanted[nearest[nearest >= 0]] = True
    pull = 1.0 + 2.0 * np.bincount(arcs.hazard, weights=np.abs(value), minlength=len(arcs.start))
    value = np.where(wanted[arcs.origin], value + pull[arcs.hazard], value)
    taken, _, _ = walk(arcs, value, rows.pattern.shape[0])
    whole = np.zeros(len(model.allowed), bool)
    whole[arcs.origin[taken]] = True
    return whole & (nearest >= 0)[model.listing.hazard]


def _years(listing: Listing, which: Mask) -> tuple[pd.Series, pd.Series]:
    """First and last year of each hazard's chosen options; years without a meaning where it has none."""
    count = len(listing.hazard_ids)
    first, last = np.full(count, 9_999), np.zeros(count, np.int64)
    np.minimum.at(first, listing.hazard[which], listing.year[which])
    np.maximum.at(last, listing.hazard[which], listing.year[which])
    return pd.Series(first, dtype="Int64"), pd.Series(last, dtype="Int64")


def _in_words(
    listing: Listing, planned: pd.Series, cost: Floats, benefit: Floats, unit: str
) -> npt.NDArray[np.object_]:
    money = (
        _money(cost) if "cost_usd" in listing.frame else np.full(len(cost), "no stated cost", dtype=object)
    )
    head = "in the plan: " + planned.to_numpy(dtype=object)
    return head + " for " + money + "; averts " + _few(benefit) + f" {unit}"


def _out_words(
    words: pd.Series, cost: Floats, benefit: Floats, chance: _Chances, unit: str, *, useless: Mask
) -> npt.NDArray[np.object_]:
    spent = benefit + chance.loss
    text = "not in the plan: its best chance (" + words.to_numpy(dtype=object) + ") would avert "
    text = text + _few(benefit) + f" {unit} for " + _money(cost)
    text = text + "; what it uses averts about " + _few(np.where(np.isfinite(spent), spent, 0)) + " elsewhere"
    near = chance.loss <= 1e-9 * np.maximum(np.abs(benefit), 1e-300)
    cure = "; it would come in if its cost fell below about " + _money(
        cost * np.nan_to_num(chance.cost_factor)
    )
    cure = cure + " or if there were about " + _money(chance.more_money) + " more"
    tie = np.full(len(cost), "; it lies on the edge: it would come in with a little more money", dtype=object)
    text = text + np.where(near, tie, cure)
    nothing = np.where(useless, _NO_HARM, _NO_OPTION).astype(object)
    return np.where(np.isfinite(chance.loss), text, nothing)


def _useless(listing: Listing) -> Mask:
    """Say where no option averts anything, whatever the rules."""
    best = np.zeros(len(listing.hazard_ids))
    np.maximum.at(best, listing.hazard, listing.benefit)
    return best <= 0


def _money(values: Floats) -> npt.NDArray[np.object_]:
    return np.array([f"{v:,.0f} USD" for v in values], dtype=object)


def _few(values: Floats) -> npt.NDArray[np.object_]:
    return np.array([f"{v:.2g}" if abs(v) < 100 else f"{v:,.0f}" for v in values], dtype=object)
