"""Why each hazard is in the plan or not, and why work stops where it does, for all of them at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from .engine.solve import Solution
from .listing import Floats, Listing, Mask, activities_of, by_hazard, leads_on, measured_in, money_of, of_one
from .model import Model
from .needed import needed_by, no_room_for, shut_out_by
from .ways import Ways, nearest_ways

Words = npt.NDArray[np.object_]
_NO_OPTION = "not in the plan: the rules leave it no option that averts anything"
_NO_HARM = (
    "not in the plan: the data show nobody within reach and no accident, so no option averts anything that "
    "they can show; that does not make it safe"
)
_NO_PEOPLE = (
    "no option was offered for it: the people near are not known, so no harm can be expected from the data; "
    "that does not make it safe"
)
_NO_AREA = "no option was offered for it: its area is not known"
_NEAR_BEST = "the plan is near the best, within its gap, and not the best"
_NOT_OFFERED = "no option was offered for it; see the notes on the data (in the workbook: Data problems)"
_FINISHED = {
    "closed": "closed in the record: nothing is planned for it",
    "handed_over": "handed over in the record: nothing is planned for it",
}
_UNITS = {
    "accidents averted": "accidents",
    "relative": "units of relative harm",
    "benefit": "units of benefit",
}
_EDGE = 1e-3  # share of a benefit; prices are no sharper, and in words it is nothing
_COLUMNS = ["chosen", "activities", "first_year", "last_year", "reason", "price_gap"]


def reasons_of(
    model: Model, found: Solution, *, counted: str = "accidents averted", later: str = ""
) -> pd.DataFrame:
    """Tell for every hazard what is planned, or what its best chance was and what would bring it in.

    Where the plan leaves a hazard on its way, the reason says what the rest would cost and avert.

    Parameters
    ----------
    model, found
        What was planned from, and the plan.
    counted
        Unit of benefit, as in ``plan.benefit_unit``.
    later
        For what a hazard is left out that would fit and pay (a later goal); ``""``: for nothing.

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
    arrived = _arrived(listing, found.taken)
    ways = nearest_ways(model, found, arrived.under_way)
    words, nearest = (
        activities_of(listing, found.taken),
        activities_of(listing, ways.path).to_numpy(dtype=object),
    )
    unit = _UNITS.get(counted, counted)
    cost, benefit = (by_hazard(listing, found.taken, v) for v in (money_of(listing), listing.benefit))
    inside = _in_words(listing, words, cost, benefit, unit) + needed_by(model, found, benefit)
    more = {
        "averts": ways.benefit - benefit,
        "costs": ways.cost - cost,
        "uses": ways.uses - ways.planned,
    }
    closing = (listing.src != listing.dst) & ~leads_on(listing)
    barred = shut_out_by(model, arrived.under_way & ~ways.there, closing, ways.too_large)
    worth = np.where(
        arrived.under_way, _worth(more["averts"], more["uses"]), ~chosen & (ways.gap <= _tiny(ways.benefit))
    )
    edge = _edge_words(model, found, ways, worth & ways.there & (more["averts"] > 0), later)
    rest = np.where(
        arrived.under_way,
        _rest_words(arrived, ways, more, nearest, barred, unit, edge, priced="cost_usd" in listing.frame),
        "",
    )
    text = np.where(chosen, inside + rest, _out_words(model, ways, nearest, unit, chosen, edge))
    first, last = (years.where(chosen & ("year" in listing.frame)) for years in _years(listing, found.taken))
    return pd.DataFrame(
        {
            "chosen": chosen,
            "activities": words.to_numpy(),
            "first_year": first.array,
            "last_year": last.array,
            "reason": text,
            "price_gap": np.where(chosen, 0.0, ways.gap),
        },
        index=pd.Index(listing.hazard_ids, name="hazard_id"),
    )[_COLUMNS]


def without_option(facts: pd.DataFrame) -> "pd.Series[str]":
    """Say why no option was offered for a hazard, as far as the facts show it.

    Meant for the hazards that `reasons_of` does not name; for all others the words mean nothing.

    Parameters
    ----------
    facts
        Hazards; ``status``, ``people_near``, ``accidents_near``, ``area_m2`` and ``area_recorded_m2`` are
        used where there.

    Returns
    -------
    pandas.Series
        Words on the index of facts.

    Examples
    --------
    >>> facts = pd.DataFrame({"status": ["closed", "open"], "people_near": [5, 5], "area_m2": [1.0, None]})
    >>> without_option(facts).tolist()
    ['closed in the record: nothing is planned for it', 'no option was offered for it: its area is not known']
    """
    status = facts["status"] if "status" in facts else pd.Series("", index=facts.index)
    told = status.astype(str).map(_FINISHED)
    areas = [_number(facts, name) for name in ("area_m2", "area_recorded_m2") if name in facts]
    measured = np.logical_or.reduce([area > 0 for area in areas]) if areas else np.ones(len(facts), bool)
    people = "people_near" in facts
    unseen = people & np.isnan(_number(facts, "people_near")) & ~(_number(facts, "accidents_near") > 0)
    open_ = np.select([~measured, unseen], [_NO_AREA, _NO_PEOPLE], _NOT_OFFERED)
    return told.where(told.notna(), open_)


def _number(facts: pd.DataFrame, name: str) -> Floats:
    if name not in facts:
        return np.full(len(facts), np.nan)
    return pd.to_numeric(facts[name]).to_numpy(dtype=float, na_value=np.nan)


@dataclass(frozen=True, kw_only=True)
class _Arrived:
    """Where the plan leaves each hazard: whether land release could go on, and the state's name."""

    under_way: Mask
    state: Words


def _arrived(listing: Listing, taken: Mask) -> _Arrived:
    """Look up the state after each hazard's last chosen option."""
    count = len(listing.hazard_ids)
    state, under_way = np.full(count, "", dtype=object), np.zeros(count, bool)
    if "state_to" not in listing.frame:
        return _Arrived(under_way=under_way, state=state)
    rows = np.nonzero(taken)[0]
    rows = rows[np.argsort(listing.dst[rows], kind="stable")]
    state[listing.hazard[rows]] = listing.frame["state_to"].astype("str").to_numpy(dtype=object)[rows]
    under_way[listing.hazard[rows]] = leads_on(listing)[rows]
    return _Arrived(under_way=under_way, state=state)


def _years(listing: Listing, which: Mask) -> tuple[pd.Series, pd.Series]:
    """First and last year of each hazard's chosen options; years without a meaning where it has none."""
    count = len(listing.hazard_ids)
    first, last = np.full(count, 9_999), np.zeros(count, np.int64)
    np.minimum.at(first, listing.hazard[which], listing.year[which])
    np.maximum.at(last, listing.hazard[which], listing.year[which])
    return pd.Series(first, dtype="Int64"), pd.Series(last, dtype="Int64")


def _in_words(listing: Listing, planned: pd.Series, cost: Floats, benefit: Floats, unit: str) -> Words:
    head = "in the plan: " + planned.to_numpy(dtype=object)
    return np.asarray(head + " for " + _stated(listing, cost) + "; averts " + _few(benefit) + f" {unit}")


def _tiny(values: Floats) -> Floats:
    """Say below what an amount is nothing beside others."""
    return _EDGE * np.maximum(np.abs(values), 1e-300)


def _worth(averts: Floats, uses: Floats) -> Mask:
    """Say where something averts what its money and teams avert elsewhere, or hardly less."""
    return np.asarray(averts - uses > -_EDGE * np.maximum(np.abs(averts), np.abs(uses)))


def _edge_words(model: Model, found: Solution, ways: Ways, worth: Mask, later: str) -> Words:
    """Say of ways that are worth what they use why the plan does not take them."""
    text = np.full(len(worth), "; it lies on the edge: it is worth as much as other work", dtype=object)
    if not worth.any():
        return text
    breaks = no_room_for(model, found, ways.path, worth)
    for hazard in np.flatnonzero(worth).tolist():
        if breaks[hazard]:
            text[hazard] = f"; it is worth what it uses, but {breaks[hazard]}"
        elif not model.hides:
            text[hazard] = f"; it would fit and pay: {f'it is left out for {later}' if later else _NEAR_BEST}"
    return text


def _rest_words(
    arrived: _Arrived,
    ways: Ways,
    more: dict[str, Floats],
    words: Words,
    barred: Words,
    unit: str,
    edge: Words,
    *,
    priced: bool,
) -> Words:
    """Say why land release stops where it does: what the rest would bring, and what it would take."""
    stays = "; it stays " + arrived.state
    text = stays + ": the best way to have it " + ways.end + " (" + words + ") would "
    averts = "avert " + _few(np.abs(more["averts"]))
    averts = averts + np.where(more["averts"] >= 0, f" {unit} more", f" {unit} less").astype(object)
    text = text + np.where(_none(more["averts"]), "avert no more", averts).astype(object)
    costs = " for " + _money(np.abs(more["costs"]))
    costs = costs + np.where(more["costs"] >= 0, " more", " less").astype(object)
    text = text + (costs if priced else "")
    elsewhere = "; what that uses averts about " + _few(np.maximum(more["uses"], 0.0)) + " elsewhere"
    edge = np.where(_none(more["averts"]), "", edge).astype(object)
    text = text + np.where(_worth(more["averts"], more["uses"]), edge, elsewhere)
    never = stays + ": the rules leave no way to its last state in these years" + barred
    return np.where(ways.there, text, never)


def _out_words(model: Model, ways: Ways, words: Words, unit: str, chosen: Mask, edge: Words) -> Words:
    text = "not in the plan: its best chance (" + words + ") would avert "
    text = text + _few(ways.benefit) + f" {unit} for " + _stated(model.listing, ways.cost)
    text = text + "; what it uses averts about " + _few(ways.uses) + " elsewhere"
    near = ways.gap <= _tiny(ways.benefit)
    text = text + np.where(near, edge, _cures(model, ways, chosen))
    useless = _useless(model.listing)
    shut = ~chosen & ~useless & ~ways.there
    why = shut_out_by(model, shut, model.listing.benefit > 0, ways.too_large)
    barred = np.where(shut, _NO_OPTION + why, _NO_HARM)
    return np.where(ways.there, text, barred)


def _cures(model: Model, ways: Ways, chosen: Mask) -> Words:
    """Say what is short, and below what cost, or what use of teams, a hazard would be worth it.

    How much more money would bring it in is not said: more money goes to better work elsewhere first, and
    prices fall as it does. `priority_curve` and `nested_order` plan for it.
    """
    cure = np.full(len(chosen), "", dtype=object)
    for place in np.unique(ways.short[ways.there & ~chosen]):
        which = ways.short == place
        if place >= 0:
            cure[which] = _cure(model, int(place), ways)[which]
    return cure


def _cure(model: Model, place: int, ways: Ways) -> Words:
    """Say the same where one limit is the shortest."""
    family = model.families[place]
    title, fits = model.rules[family.rule].title, np.isfinite(ways.fits_at)
    part = np.nan_to_num(ways.fits_at)
    if family.column == "cost_usd":
        against = f"what stands against it is {title}" if family.shares is not None else f"{title} is short"
        fits &= part * ways.cost >= 1
        lower = "; it would be worth its money if its cost fell below about " + _money(part * ways.cost)
        return np.asarray(f"; {against}" + np.where(fits, lower, "").astype(object))
    if family.shares is not None:
        return np.full(len(fits), f"; what stands against it is {title}", dtype=object)
    text = f"; {title} is short: it takes " + _counted(ways.takes, measured_in(family.column))
    lower = " and would be worth it below about " + _few(part * ways.takes)
    return np.asarray(text + np.where(fits, lower, "").astype(object))


def _counted(values: Floats, unit: str) -> Words:
    """Write amounts with their unit, of one team-month in the singular."""
    words = _few(values)
    return np.asarray(words + np.where(words == "1", f" {of_one(unit)}", f" {unit}").astype(object))


def _useless(listing: Listing) -> Mask:
    """Say where no option averts anything, whatever the rules."""
    best = np.zeros(len(listing.hazard_ids))
    np.maximum.at(best, listing.hazard, listing.benefit)
    return best <= 0


def _none(values: Floats) -> Mask:
    """Say which amounts are nothing but rounding."""
    return np.abs(values) < 1e-12


def _stated(listing: Listing, cost: Floats) -> Words:
    """Write costs, where the options have any."""
    if "cost_usd" in listing.frame:
        return _money(cost)
    return np.full(len(cost), "no stated cost", dtype=object)


def _money(values: Floats) -> Words:
    return np.array([f"{v:,.0f} USD" for v in values], dtype=object)


def _few(values: Floats) -> Words:
    return np.array([f"{v:.2g}" if abs(v) < 100 else f"{v:,.0f}" for v in values], dtype=object)
