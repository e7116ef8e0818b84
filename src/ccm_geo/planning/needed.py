"""Which rules need work that averts nothing by itself, and which rules shut a hazard out."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ._priced import few
from .engine.solve import Solution
from .listing import Floats, Ints, Listing, Mask, leads_on, measured_in, of_one
from .model import Completion, Family, Model, Pairs
from .rules.donors import Donors
from .rules.promises import LockOut

Words = npt.NDArray[np.object_]
_SLACK = 1e-9  # share of a limit: rounding of sums, nothing more
_SHOWN = 3  # names of rules in one reason


def needed_by(model: Model, found: Solution, benefit: Floats) -> Words:
    """Name for hazards whose planned work averts nothing what that work is for; ``""`` for all others.

    A rule needs it where the plan would break the rule without it, where it counts towards a floor that
    has a price, where its path must lead there (a promise), or where it completes a group.
    """
    listing = model.listing
    idle = np.zeros(len(listing.hazard_ids), bool)
    idle[listing.hazard[found.taken]] = True
    idle &= benefit <= 0
    text = np.full(len(idle), "", dtype=object)
    if not idle.any():
        return text
    named: list[list[str]] = [[] for _ in idle]
    for family, prices in model.by_family(found.prices):
        _count_for(family, found.taken & idle[listing.hazard], listing, found.taken, prices, named)
    for mark in model.marks:
        for hazard in np.flatnonzero(mark.must & idle).tolist():
            named[hazard].append(model.rules[mark.rule].title)
    for completion in model.completions:
        _completed(completion, listing, found.taken, idle, named)
    for pairs in model.pairs:
        for hazard in _beside(pairs, listing, found.taken, idle):
            named[hazard].append(model.rules[pairs.rule].title)
    for hazard in np.flatnonzero(idle).tolist():
        names = list(dict.fromkeys(named[hazard]))
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        text[hazard] = (
            f" by itself; it counts for {', '.join(names[:_SHOWN])}{more}"
            if names
            else ", and no rule needs it: it is done with what the rest leaves over"
        )
    return text


def _count_for(
    family: Family, work: Mask, listing: Listing, taken: Mask, prices: Floats, named: list[list[str]]
) -> None:
    """Add the rows of a family that would break without a hazard's work, or pay for it."""
    rows = np.flatnonzero(work & (family.key >= 0))
    shape = (len(named), family.pattern.shape[0])
    uses = sparse.csr_array((family.coef[rows], (listing.hazard[rows], family.key[rows])), shape=shape)
    brings = sparse.coo_array(uses @ family.pattern)
    hazard, row = brings.coords
    use = family.use(taken)[row]
    without = use - brings.data
    low, high = family.lower[row], family.upper[row]
    room = _SLACK * np.maximum(1.0, np.abs(use))
    paid = np.isfinite(low) & (prices[row] != 0) & (brings.data > 0)
    for h, r in zip(
        *(v[paid | (without < low - room) | (without > high + room)] for v in (hazard, row)), strict=True
    ):
        named[h].append(family.labels[r])


def _completed(
    completion: Completion, listing: Listing, taken: Mask, idle: Mask, named: list[list[str]]
) -> None:
    """Add the groups that are complete in the plan and bring something."""
    released = np.zeros(len(idle), bool)
    released[listing.hazard[taken & (listing.src != listing.dst) & ~leads_on(listing)]] = True
    group = completion.group
    open_ = np.unique(group[(group >= 0) & ~released])
    worth = completion.worth.max(axis=1, initial=0.0) > 0
    for hazard in np.flatnonzero(idle & released & (group >= 0)).tolist():
        if worth[group[hazard]] and group[hazard] not in open_:
            named[hazard].append(completion.labels[group[hazard]])


def _beside(pairs: Pairs, listing: Listing, taken: Mask, idle: Mask) -> list[int]:
    """List the idle hazards that are worked on in one year with a neighbor, where that is worth something."""
    rows = np.flatnonzero(taken & pairs.works)
    years = np.searchsorted(listing.years, listing.year[rows])
    busy = np.zeros((len(idle), len(listing.years)), bool)
    busy[listing.hazard[rows], years] = True
    a, b = pairs.ends[pairs.worth > 0].T
    met = (busy[a] & busy[b]).any(axis=1)
    there = np.unique(np.concatenate([a[met], b[met]]))
    return [int(h) for h in there if idle[h]]


def shut_out_by(model: Model, asked: Mask, wanted: Mask, too_large: Mask) -> Words:
    """Name for hazards without a way the rules that take the wanted options away, as far as that is known."""
    listing = model.listing
    text = np.full(len(asked), "", dtype=object)
    wanted = wanted & asked[listing.hazard]
    if not wanted.any():
        return text
    named: list[list[str]] = [[] for _ in asked]
    for number, rule in enumerate(model.rules):
        forbidden = rule.compiled(listing, number).forbidden if isinstance(rule, (LockOut, Donors)) else None
        if forbidden is not None:
            for hazard in np.unique(listing.hazard[wanted & forbidden]).tolist():
                named[hazard].append(rule.title)
    small = np.zeros(len(asked), bool)
    small[listing.hazard[wanted & ~too_large]] = True
    for hazard in np.flatnonzero(asked).tolist():
        if named[hazard]:
            text[hazard] = f": {', '.join(named[hazard][:_SHOWN])}"
    large = wanted & too_large & ~small[listing.hazard]
    for hazard, told in _too_much(model, np.flatnonzero(large)):
        text[hazard] = text[hazard] or f": {told}"
    return text


def _too_much(model: Model, options: Ints) -> Iterator[tuple[int, str]]:
    """Say for each hazard what the option nearest to its limits takes, and what the limit allows."""
    listing = model.listing
    share, place, row = (np.full(len(options), fill) for fill in (0.0, -1, -1))
    for number, family in enumerate(model.families):
        part, of = _part_of_limit(family, options)
        worse = part > share
        share[worse], place[worse], row[worse] = part[worse], number, of[worse]
    order = np.lexsort((share, listing.hazard[options]))
    first = np.unique(listing.hazard[options][order], return_index=True)[1]
    for k in order[first][place[order[first]] >= 0].tolist():
        family, option = model.families[place[k]], options[k]
        if not family.column:  # a rule between areas, without an amount
            yield int(listing.hazard[option]), model.rules[family.rule].title
            continue
        frame, limit = listing.frame, float(family.upper[row[k]])
        what = str(frame["activity" if "activity" in frame else "option_id"].iloc[option])
        takes = few(float(family.coef[option] * family.pattern[family.key[option], row[k]]))
        told = f"{what} takes {takes} {measured_in(family.column)} at least, {family.labels[row[k]]} has "
        yield int(listing.hazard[option]), told + (few(limit) if limit > 0 else "none")


def no_room_for(model: Model, found: Solution, path: Mask, asked: Mask) -> Words:
    """Name for hazards what breaks if the plan takes their path in place of its own; ``""``: nothing.

    Of several rows the one that is exceeded by the largest part of what the path takes; shares come last.
    """
    listing, text = model.listing, np.full(len(asked), "", dtype=object)
    worst = np.zeros(len(asked))
    change = np.flatnonzero(asked[listing.hazard] & (path != found.taken))
    sign = np.where(path[change], 1.0, -1.0)
    for family in sorted(model.families, key=lambda f: f.shares is not None):
        if family.shares is not None:
            worst[text != ""] = np.inf
        held = family.key[change] >= 0
        rows, signs = change[held], sign[held]
        shape = (len(asked), family.pattern.shape[0])
        uses = sparse.csr_array(
            (signs * family.coef[rows], (listing.hazard[rows], family.key[rows])), shape=shape
        )
        more = sparse.coo_array(uses @ family.pattern)
        hazard, row = more.coords
        use = family.use(found.taken)[row]
        room = _SLACK * np.maximum(1.0, np.abs(use))
        over = np.maximum(use + more.data - family.upper[row], family.lower[row] - use - more.data) - room
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.where(over > 0, over / np.abs(more.data), 0.0)
        for k in np.lexsort((part, hazard)).tolist():
            if part[k] > worst[hazard[k]]:
                worst[hazard[k]] = part[k]
                text[hazard[k]] = _no_room(family, row[k], use[k], more.data[k])
    return text


def _no_room(family: Family, row: int, use: float, more: float) -> str:
    """Say what a limit has left and what would be taken of it, or, without an amount, which rule breaks."""
    if not family.column or family.shares is not None or not np.isfinite(family.upper[row]):
        return f"with it {family.labels[row]} would not be kept"
    left = max(float(family.upper[row]) - use, 0.0)
    unit = measured_in(family.column)
    has = f"{few(left)} {of_one(unit) if few(left) == '1' else unit}" if left > 0 else f"no {unit}"
    return f"{family.labels[row]} has {has} left, and that takes {few(more)}"


def beyond_amounts(model: Model, options: Ints) -> Mask:
    """Say which options are by themselves more than the money or the teams that a limit allows."""
    out = np.zeros(len(options), bool)
    for family in model.families:
        if family.column:
            out |= _part_of_limit(family, options)[0] > 1 + _SLACK
    return out


def _part_of_limit(family: Family, options: Ints) -> tuple[Floats, Ints]:
    """Give the share that each option takes of its tightest row to which everything adds, and that row."""
    entries = family.pattern.tocoo()
    key, row = entries.coords
    adds = np.asarray(family.pattern.min(axis=0).todense()).ravel() >= 0
    kept = (entries.data > 0) & adds[row] & np.isfinite(family.upper[row])
    key, row, room = key[kept], row[kept], family.upper[row[kept]] / entries.data[kept]
    order = np.lexsort((-room, key))  # the last one written to a key is its tightest row
    most, of = np.full(family.pattern.shape[0], np.inf), np.full(family.pattern.shape[0], -1)
    most[key[order]], of[key[order]] = np.maximum(room[order], 1e-300), row[order]
    own = np.maximum(family.key[options], 0)
    held = (family.key[options] >= 0) & (family.coef[options] > 0)
    return np.where(held, family.coef[options] / most[own], 0.0), np.where(held, of[own], -1)
