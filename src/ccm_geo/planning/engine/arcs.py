"""The options still in play as flat arrays for the engines, and which hazards decide together."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ccm_geo.planning.listing import Floats, Ints, Mask, last_states
from ccm_geo.planning.model import Completion, Model, Pairs


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """Hazards that decide together, because of what they bring when all of them are done.

    One completion can lead: its groups are the blocks. Every other hazard is a block of its own. What
    other completions and pairs of hazards bring is shared out over options (`Arcs.most`), which can only
    promise too much: bounds stay bounds.

    Parameters
    ----------
    of
        Block of each hazard, shape ``(hazards,)``.
    first, members
        Hazards of block b: ``members[first[b] : first[b + 1]]``.
    bonus
        What a block brings if its last hazard is done in that year, shape ``(blocks, years)``.
    others
        Completions that do not lead.
    leading
        The completion that leads, if any.
    pairs
        Pairs of hazards that bring something together.
    """

    of: Ints
    first: Ints
    members: Ints
    bonus: Floats
    leading: Completion | None = None
    others: tuple[Completion, ...] = ()
    pairs: tuple[Pairs, ...] = ()

    @classmethod
    def alone(cls, hazards: int, years: int) -> "Blocks":
        """Let every hazard decide for itself."""
        every = np.arange(hazards)
        return cls(of=every, first=np.arange(hazards + 1), members=every, bonus=np.zeros((hazards, years)))

    @classmethod
    def of_model(cls, model: Model, years: int) -> "Blocks":
        """Let the completion that brings most lead."""
        hazards = len(model.listing.hazard_ids)
        order = sorted(model.completions, key=lambda c: -float(c.worth.max(axis=1, initial=0.0).sum()))
        if not order:
            return replace(cls.alone(hazards, years), pairs=model.pairs)
        lead = order[0]
        alone = lead.group < 0
        block = lead.group.copy()
        block[alone] = len(lead.labels) + np.arange(alone.sum())
        count = len(lead.labels) + int(alone.sum())
        return cls(
            of=block,
            first=np.concatenate([[0], np.cumsum(np.bincount(block, minlength=count))]).astype(np.int64),
            members=np.argsort(block, kind="stable").astype(np.int64),
            bonus=np.concatenate([lead.worth, np.zeros((int(alone.sum()), years))]),
            leading=lead,
            others=tuple(order[1:]),
            pairs=model.pairs,
        )

    @property
    def free(self) -> bool:
        """Whether hazards bring nothing together."""
        return self.leading is None and not self.pairs


@dataclass(frozen=True, kw_only=True)
class Arcs:
    """The options still in play, as flat arrays for the path engine.

    `keys` and `coefs` have shape ``(families, arcs)``; keys run through all families and the last one
    stands for "none". `origin` is each arc's row in the listing. `most` is an option's benefit and what it
    may bring with other hazards at most, apart from the leading completion of `blocks`. `ends` are the
    states in which a hazard is done, as bits.
    """

    first: Ints
    start: npt.NDArray[np.int8]
    low: npt.NDArray[np.int8]
    marks: npt.NDArray[np.uint8]
    must: npt.NDArray[np.uint8]
    hazard: Ints
    year: npt.NDArray[np.int16]
    src: npt.NDArray[np.int8]
    dst: npt.NDArray[np.int8]
    sets: npt.NDArray[np.uint8]
    asks: npt.NDArray[np.uint8]
    benefit: Floats
    keys: npt.NDArray[np.int32]
    coefs: Floats
    origin: Ints = field(repr=False)
    most: Floats = field(repr=False)
    ends: npt.NDArray[np.uint64] = field(repr=False)
    blocks: Blocks = field(repr=False)

    @classmethod
    def of(cls, model: Model) -> "Arcs":
        """Take the options that the rules allow."""
        listing = model.listing
        sets, asks, marks, must = _bits(model)
        keys, coefs = _flat_keys(model)
        years = int(listing.year.max() - listing.year.min()) + 1
        blocks, ends = Blocks.of_model(model, years), last_states(listing)
        arcs = cls(
            first=listing.first,
            start=listing.start,
            low=listing.start,
            marks=marks,
            must=must,
            hazard=listing.hazard,
            year=(listing.year - listing.year.min()).astype(np.int16),
            src=listing.src,
            dst=listing.dst,
            sets=sets,
            asks=asks,
            benefit=listing.benefit,
            keys=keys,
            coefs=coefs,
            origin=np.arange(len(listing.benefit)),
            most=listing.benefit,
            ends=ends,
            blocks=blocks,
        )
        if blocks.others or blocks.pairs:
            arcs = replace(arcs, most=arcs.benefit + _shared_out(arcs))
        return arcs if model.allowed.all() else arcs.keep(model.allowed)

    def keep(self, which: Mask) -> "Arcs":
        """Drop the other arcs; hazards stay, if need be without any."""
        sizes = np.bincount(self.hazard[which], minlength=len(self.start))
        per_arc = ("hazard", "year", "src", "dst", "sets", "asks", "benefit", "origin", "most")
        return replace(
            self,
            first=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            keys=np.ascontiguousarray(self.keys[:, which]),
            coefs=np.ascontiguousarray(self.coefs[:, which]),
            **{name: getattr(self, name)[which] for name in per_arc},
        )

    def arcs_of(self, block: int) -> Ints:
        """List the arcs of a block's hazards, hazard by hazard."""
        blocks = self.blocks
        mine = blocks.members[blocks.first[block] : blocks.first[block + 1]]
        return np.concatenate([np.arange(self.first[h], self.first[h + 1]) for h in mine])

    def of_block(self, block: int, value: Floats) -> "Arcs":
        """Keep one block, numbered anew, with other values for its arcs, in the order of `arcs_of`."""
        blocks, arc = self.blocks, self.arcs_of(block)
        mine = blocks.members[blocks.first[block] : blocks.first[block + 1]]
        sizes = self.first[mine + 1] - self.first[mine]
        lead, alone = blocks.leading, Blocks.alone(len(mine), self.years)
        if lead is not None and block < len(lead.labels):
            none = np.zeros(len(mine), np.int64)
            lead = replace(lead, labels=lead.labels[block : block + 1], group=none, worth=lead.worth[[block]])
            first, bonus = np.array([0, len(mine)]), blocks.bonus[[block]]
            alone = replace(alone, of=none, first=first, bonus=bonus, leading=lead)
        per_arc = ("year", "src", "dst", "sets", "asks", "origin")
        per_hazard = ("start", "low", "marks", "must", "ends")
        return replace(
            self,
            first=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            hazard=np.repeat(np.arange(len(mine)), sizes),
            keys=np.ascontiguousarray(self.keys[:, arc]),
            coefs=np.ascontiguousarray(self.coefs[:, arc]),
            benefit=value,
            most=value,
            blocks=alone,
            **{name: getattr(self, name)[arc] for name in per_arc},
            **{name: getattr(self, name)[mine] for name in per_hazard},
        )

    def each_alone(self) -> "Arcs":
        """Let every hazard decide for itself, whatever hazards bring together."""
        return replace(self, blocks=Blocks.alone(len(self.start), self.years))

    @cached_property
    def noise(self) -> Ints:
        """A random number for each arc: those of a block's arcs, put together, tell its choices apart."""
        return np.random.default_rng(0).integers(1, 2**62, len(self.benefit), dtype=np.int64)

    def fulfills(self, taken: Mask) -> bool:
        """Say whether every hazard that must take certain options takes them."""
        if not self.must.any():
            return True
        done = np.zeros_like(self.must)
        np.bitwise_or.at(done, self.hazard[taken], self.sets[taken])
        return not (self.must & ~done).any()

    @cached_property
    def final(self) -> Mask:
        """Say which arcs bring their hazard to a state in which it is done."""
        ends: Mask = (self.ends[self.hazard] >> self.dst.astype(np.uint64)) & np.uint64(1) == 1
        return ends & (self.src != self.dst)

    @property
    def years(self) -> int:
        """How many years the listing runs through."""
        return self.blocks.bonus.shape[1]

    def done(self, taken: Mask) -> Ints:
        """Year from 0 in which each hazard is done; the number of years where it never is."""
        out = np.full(len(self.start), self.years)
        last = np.nonzero(taken & self.final)[0]
        np.minimum.at(out, self.hazard[last], self.year[last].astype(np.int64))
        return out

    def brought(self, taken: Mask) -> Floats:
        """Say what each block brings by being completed."""
        lead = self.blocks.leading
        out = np.zeros(len(self.blocks.bonus))
        if lead is not None:
            out[: len(lead.labels)] = lead.brought(self.done(taken))
        return out

    def worth(self, taken: Mask) -> float:
        """Add up what arcs avert and what their hazards bring together."""
        total = float(self.benefit[taken].sum())
        blocks = self.blocks
        if blocks.free:
            return total
        done = self.done(taken)
        total += sum(float(c.brought(done).sum()) for c in (blocks.leading, *blocks.others) if c is not None)
        return total + sum(float(self.worked(p, taken).sum()) for p in blocks.pairs)

    def worked(self, pairs: Pairs, taken: Mask) -> Floats:
        """Say what each pair brings in each year, shape ``(pairs, years)``."""
        busy = np.zeros((len(self.start), self.years), bool)
        on = taken & pairs.works[self.origin]
        busy[self.hazard[on], self.year[on]] = True
        both = busy[pairs.ends[:, 0]] & busy[pairs.ends[:, 1]]
        return np.where(both, pairs.worth[:, None], 0.0)


@dataclass(frozen=True, kw_only=True)
class Together:
    """Bonuses as a matrix sees them: each is had when every one of its needs is met by an arc taken.

    Parameters
    ----------
    worth
        Of each bonus, shape ``(bonuses,)``.
    needs
        Which arcs meet each need, shape ``(needs, arcs)``.
    of
        Bonus that each need belongs to, shape ``(needs,)``.
    """

    worth: Floats
    needs: sparse.csr_array
    of: Ints

    def had(self, taken: Floats) -> Floats:
        """Say which bonuses are had, 1 or 0."""
        met = np.ones(len(self.worth))
        np.minimum.at(met, self.of, self.needs @ taken)
        return met


def together(arcs: Arcs, fixed: Mask, settled: Mask) -> Together:
    """Spell out the bonuses that arcs of hazards not settled can still bring.

    Parameters
    ----------
    arcs
        All arcs in play.
    fixed
        Arcs taken, of settled hazards.
    settled
        Hazards whose arcs are fixed.
    """
    parts = [_by_group(arcs, c, fixed, settled) for c in (arcs.blocks.leading, *arcs.blocks.others) if c]
    parts += [_by_pair(arcs, p, fixed, settled) for p in arcs.blocks.pairs]
    free = ~settled[arcs.hazard]
    if not parts:
        none = sparse.csr_array((0, int(free.sum())))
        return Together(worth=np.zeros(0), needs=none, of=np.zeros(0, np.int64))
    shift = np.cumsum([0, *(len(part.worth) for part in parts)])
    return Together(
        worth=np.concatenate([part.worth for part in parts]),
        needs=sparse.csr_array(sparse.vstack([part.needs for part in parts]))[:, free],
        of=np.concatenate([part.of + s for part, s in zip(parts, shift, strict=False)]),
    )


def _by_group(arcs: Arcs, completion: Completion, fixed: Mask, settled: Mask) -> Together:
    """By group and year up to which it may be complete: what is lost if it is so only a year later."""
    worth = completion.worth - np.column_stack([completion.worth[:, 1:], np.zeros(len(completion.labels))])
    held, years = completion.group >= 0, arcs.years
    known = held & settled
    last = np.zeros(len(worth), np.int64)
    np.maximum.at(last, completion.group[known], arcs.done(fixed)[known])
    open_ = np.nonzero(held & ~settled)[0]
    members = np.bincount(completion.group[open_], minlength=len(worth))
    able = (worth > 0) & (np.arange(years) >= last[:, None]) & (members > 0)[:, None]
    k = np.nonzero(arcs.final & held[arcs.hazard] & ~settled[arcs.hazard])[0]
    first = np.full(len(arcs.start), years)
    np.minimum.at(first, arcs.hazard[k], arcs.year[k].astype(np.int64))
    soonest = np.zeros(len(worth), np.int64)
    np.maximum.at(soonest, completion.group[open_], first[open_])
    able &= np.arange(years) >= soonest[:, None]
    group, by = np.nonzero(able)
    place = np.full(able.shape, -1)
    place[group, by] = np.arange(len(group))
    need = place[completion.group[open_]]
    row = np.full((len(arcs.start), years), -1)
    row[open_] = np.where(need >= 0, np.cumsum(need.ravel() >= 0).reshape(need.shape) - 1, -1)
    spread = row[arcs.hazard[k]]
    spread = np.where(np.arange(years) >= arcs.year[k][:, None], spread, -1)
    arc, at = np.nonzero(spread >= 0)
    shape = (int((need >= 0).sum()), len(arcs.benefit))
    entries = (np.ones(len(arc)), (spread[arc, at], k[arc]))
    needs = sparse.csr_array(sparse.coo_array(entries, shape=shape))
    return Together(worth=worth[group, by], needs=needs, of=need[need >= 0])


def _by_pair(arcs: Arcs, pairs: Pairs, fixed: Mask, settled: Mask) -> Together:
    """By pair and year: both worked on."""
    years, works = arcs.years, pairs.works[arcs.origin]
    busy = np.zeros((len(arcs.start), years), bool)
    k = np.nonzero(works & (fixed | ~settled[arcs.hazard]))[0]
    busy[arcs.hazard[k], arcs.year[k]] = True
    a, b = pairs.ends.T
    pair, year = np.nonzero(busy[a] & busy[b] & ~(settled[a] & settled[b])[:, None])
    need = np.stack([a[pair], b[pair]], axis=1)
    open_ = ~settled[need]
    of, side = np.nonzero(open_)
    wanted = need[of, side] * years + year[of]
    order = np.argsort(wanted, kind="stable")
    k = np.nonzero(works & ~settled[arcs.hazard])[0]
    have = arcs.hazard[k] * years + arcs.year[k]
    low, high = (np.searchsorted(wanted[order], have, side=s) for s in ("left", "right"))
    arc = np.repeat(k, high - low)
    begin = np.repeat(low - np.cumsum(high - low) + (high - low), high - low)
    row = order[begin + np.arange(len(arc))]
    entries = (np.ones(len(arc)), (row, arc))
    needs = sparse.csr_array(sparse.coo_array(entries, shape=(len(of), len(arcs.benefit))))
    return Together(worth=pairs.worth[pair], needs=needs, of=of)


def _shared_out(arcs: Arcs) -> Floats:
    """Promise each option its equal share of what it can bring with others: never less than comes of it."""
    extra = np.zeros(len(arcs.benefit))
    final = arcs.final
    for other in arcs.blocks.others:
        size = np.bincount(other.group[other.group >= 0], minlength=len(other.labels))
        group = other.group[arcs.hazard]
        which = np.nonzero(final & (group >= 0))[0]
        extra[which] += other.worth[group[which], arcs.year[which]] / size[group[which]]
    for pairs in arcs.blocks.pairs:
        half = np.zeros(len(arcs.start))
        for side in (0, 1):
            half += np.bincount(pairs.ends[:, side], weights=pairs.worth / 2, minlength=len(half))
        extra += np.where(pairs.works[arcs.origin], half[arcs.hazard], 0.0)
    return extra


def _flat_keys(model: Model) -> tuple[npt.NDArray[np.int32], Floats]:
    sizes = [f.pattern.shape[0] for f in model.families]
    offset = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    shape = (len(model.families), len(model.listing.benefit))
    keys, coefs = np.empty(shape, np.int32), np.empty(shape)
    for i, family in enumerate(model.families):
        keys[i] = np.where(family.key >= 0, family.key + offset[i], offset[-1])
        coefs[i] = np.where(family.key >= 0, family.coef, 0.0)
    return keys, coefs


def _bits(
    model: Model,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Give every hazard its own numbering of marks, so that few bits suffice."""
    listing = model.listing
    sets, asks = (np.zeros(len(listing.benefit), np.uint8) for _ in range(2))
    count, must = (np.zeros(len(listing.hazard_ids), np.uint8) for _ in range(2))
    for mark in model.marks:
        touched = mark.must.copy()
        touched[listing.hazard[mark.asks]] = True
        bit = np.left_shift(np.uint8(1), count)
        sets[mark.sets] |= bit[listing.hazard[mark.sets]]
        asks[mark.asks] |= bit[listing.hazard[mark.asks]]
        must[mark.must] |= bit[mark.must]
        count[touched] += 1
    return sets, asks, count, must
