"""Cuts a planning problem in two: the shared years by themselves, and what is left after them."""

from dataclasses import replace

import numpy as np
from scipy import sparse

from ccm_geo.planning.engine.arcs import Arcs
from ccm_geo.planning.listing import Floats, Listing, Mask
from ccm_geo.planning.model import Completion, Family, Marks, Model

from .futures import Futures, Reply


def rest_of(model: Model, shared: Mask, taken: Mask) -> tuple[Model, Mask]:
    """Return later options from the states reached, with what is left of all limits, and which rows remain.

    Parameters
    ----------
    model
        One scenario.
    shared, taken
        Of each row of its listing: whether it is decided now, and whether it is taken.
    """
    listing, later = model.listing, ~shared & model.allowed
    parts = [_less(family, taken, later) for family in model.families]
    rest = part_of(listing, later, taken, listing.benefit)
    done = _done(model, taken)
    narrow = replace(
        model,
        listing=rest,
        families=tuple(family for family, _ in parts if len(family.labels)),
        marks=tuple(_marks_left(mark, listing, later, taken) for mark in model.marks),
        allowed=np.ones(int(later.sum()), bool),
        completions=tuple(_completion_left(c, done, listing, rest) for c in model.completions),
        pairs=tuple(replace(p, works=p.works[later]) for p in model.pairs),
    )
    kept = np.concatenate([k for _, k in parts]) if parts else np.zeros(0, bool)
    return narrow, kept


def part_of(listing: Listing, keep: Mask, taken: Mask, benefit: Floats) -> Listing:
    """Keep some options, with hazards in the states that `taken` ones lead to; no hazard is dropped."""
    state = listing.start.copy()
    steps = np.nonzero(taken & (listing.src != listing.dst))[0]
    state[listing.hazard[steps]] = listing.dst[steps]  # options stand in the order of time: the last counts
    sizes = np.bincount(listing.hazard[keep], minlength=len(listing.start))
    return replace(
        listing,
        frame=listing.frame[keep].reset_index(drop=True),
        first=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        start=state,
        benefit=benefit[keep],
        **{name: getattr(listing, name)[keep] for name in ("hazard", "year", "src", "dst", "row")},
    )


def _less(family: Family, taken: Mask, later: Mask) -> tuple[Family, Mask]:
    """Take off what is used already; rows without later options are settled and go."""
    held = (family.key >= 0) & later & (family.coef != 0)
    live = np.bincount(family.key[held], minlength=family.pattern.shape[0]) > 0
    kept = np.asarray(abs(family.pattern).T @ live.astype(float)) > 0
    spent = family.by_key(taken)
    used = family.pattern.T @ spent
    out = replace(
        family,
        labels=tuple(label for label, k in zip(family.labels, kept, strict=True) if k),
        key=family.key[later],
        coef=family.coef[later],
        pattern=sparse.csr_array(family.pattern[:, np.nonzero(kept)[0]]),
        lower=(family.lower - used)[kept],
        upper=(family.upper - used)[kept],
        shares=None if family.shares is None else family.shares[kept],
        hidden=None if family.hidden is None else family.hidden.less(spent, kept),
    )
    return out, kept


def _marks_left(mark: Marks, listing: Listing, later: Mask, taken: Mask) -> Marks:
    done = np.zeros(len(listing.start), bool)
    done[listing.hazard[mark.sets & taken]] = True
    asks, must = mark.asks & later & ~done[listing.hazard], mark.must & ~done
    open_ = must.copy()
    open_[listing.hazard[asks]] = True
    sets = mark.sets & open_[listing.hazard]
    return replace(mark, sets=sets[later], asks=asks[later], must=must)


def _done(model: Model, taken: Mask) -> Mask:
    """Say which hazards are done after the options taken."""
    arcs = Arcs.of(replace(model, allowed=np.ones(len(taken), bool)))
    out: Mask = arcs.done(taken) < arcs.years
    return out


def _completion_left(completion: Completion, done: Mask, listing: Listing, rest: Listing) -> Completion:
    """Ask only for what is not done yet; a group that is complete has brought its bonus."""
    group = np.where(done, -1, completion.group)
    if not len(rest.year):
        return replace(completion, group=np.full(len(group), -1), worth=completion.worth[:, :1] * 0)
    begin = int(rest.year.min() - listing.year.min())
    years = int(rest.year.max() - rest.year.min()) + 1
    return replace(completion, group=group, worth=completion.worth[:, begin : begin + years])


def first_of(futures: Futures, reply: Reply, settled: Mask) -> Model:
    """Return the shared years alone: options priced with what their states are worth afterwards.

    Only rows that later years cannot change remain; the others are paid for at their prices.

    Parameters
    ----------
    futures, reply
        Options and rules, and what hazards do at good prices.
    settled
        Hazards that keep to what they do at these prices.
    """
    arcs, model = futures.arcs, futures.models[0]
    worth = _priced_ahead(futures, reply)
    kept = futures.shared & futures.able[0] & (~settled[arcs.hazard] | reply.taken[-1])
    keep = futures.whole(kept)
    value = np.zeros(len(keep))
    value[arcs.origin] = worth
    far = 1.0 + 4 * float(np.abs(worth[kept]).sum())
    value[arcs.origin[settled[arcs.hazard] & reply.taken[-1]]] += far
    families = [f for z in range(len(futures.models)) for f in _tight(futures, z, keep)]
    nothing = np.zeros(len(keep), bool)
    return replace(
        model,
        listing=part_of(model.listing, keep, nothing, value),
        families=tuple(families),
        marks=tuple(_first_marks(mark, model, keep) for mark in model.marks),
        allowed=np.ones(int(keep.sum()), bool),
        completions=(),
        pairs=(),
    )


def _priced_ahead(futures: Futures, reply: Reply) -> Floats:
    """Add to what arcs bring the change in what their state is worth, less what they use of later limits."""
    arcs, spread = futures.arcs, futures.spread(reply.prices)
    paid = np.zeros(futures.keys)
    for z, row in enumerate(futures.rows):
        later = np.nonzero(~_early(futures, z))[0]
        paid += sparse.csr_array(row.pattern[:, later]) @ spread[z, later]
    paid[-1] = 0.0
    worth = reply.weight @ reply.most
    for key, coef in zip(arcs.keys, arcs.coefs, strict=True):
        worth = worth - coef * paid[key]
    fine = np.isfinite(reply.onward)
    far = 1.0 + 4 * (np.abs(worth).max(initial=0.0) + np.abs(reply.onward[fine]).max(initial=0.0))
    onward = np.where(fine, reply.onward, -far)
    return np.asarray(worth + onward[arcs.hazard, arcs.dst] - onward[arcs.hazard, arcs.src])


def _early(futures: Futures, scene: int) -> Mask:
    """Say which rows of a scenario nothing can use any more after the shared years."""
    arcs, rows = futures.arcs, futures.rows[scene]
    live = np.zeros(futures.keys)
    for key, coef in zip(arcs.keys, arcs.coefs, strict=True):
        live[key[~futures.shared & futures.able[scene] & (coef != 0)]] = 1.0
    live[-1] = 0.0
    out: Mask = futures.once | (np.asarray(abs(rows.pattern).T @ live) == 0)
    return out


def _tight(futures: Futures, scene: int, keep: Mask) -> list[Family]:
    """Return the rows that bind shared years alone; those that all scenarios have in common once."""
    early, rows, out, at = _early(futures, scene), futures.rows[scene], [], 0
    if scene:
        early = early & ~futures.once
    for family in futures.models[scene].families:
        span = slice(at, at + len(family.labels))
        at = span.stop
        which = np.nonzero(early[span])[0]
        if len(which):
            narrow = replace(
                family,
                labels=tuple(family.labels[i] for i in which),
                key=family.key[keep],
                coef=family.coef[keep],
                pattern=sparse.csr_array(family.pattern[:, which]),
                lower=rows.lower[span][which],
                upper=rows.upper[span][which],
                shares=None if family.shares is None else family.shares[which],
                hidden=None,  # what later years cannot change any more; the rest is looked at with them
            )
            out.append(narrow)
    return out


def _first_marks(mark: Marks, model: Model, keep: Mask) -> Marks:
    """Keep marks to the shared years; a hazard must have one by then only if nothing later can set it."""
    listing, can = model.listing, np.zeros(len(mark.must), bool)
    can[listing.hazard[mark.sets & ~keep & model.allowed]] = True
    must, asks = mark.must & ~can, mark.asks & keep
    open_ = must.copy()
    open_[listing.hazard[asks]] = True
    sets = mark.sets & open_[listing.hazard]
    return replace(mark, sets=sets[keep], asks=asks[keep], must=must)
