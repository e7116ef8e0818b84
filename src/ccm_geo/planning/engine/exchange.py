"""Improves a plan where few hazards share many limits: they change choices at random, ever more choosily.

Simulated annealing over choices of whole blocks, or over paths of single hazards, of which one or two change
at a time, or all that are completed together. Breaking a limit costs more the longer it stays broken, so the
search walks through plans that are slightly too dear and comes back. What a choice does not use is at first
worth its price to it, later nothing: so room is made for what needs much of it before others fill it. It
proves nothing; it finds good plans quickly.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numba
import numpy as np
import numpy.typing as npt

from ccm_geo.planning.listing import Floats, Ints, Mask

from .arcs import Arcs
from .choices import Choices
from .master import fines
from .prices import Rows

A: TypeAlias = npt.NDArray[Any]
_SETTLE = 0.2  # share of the exchanges that only fill what is left, after a repair
_EPOCHS = 400  # how often what it costs to break a row is set anew
_RISE = 30.0  # what breaking a row costs beyond its price in the end, in prices
_DEARER, _CHEAPER = 1.25, 0.94  # for rows that are broken, and for those that are not


@dataclass(frozen=True, kw_only=True)
class Ties:
    """What choices of several hazards bring together, as the exchange needs it.

    Parameters
    ----------
    done
        Year from 0 in which each choice has its hazard done, shape ``(choices,)``.
    block
        Block of each open hazard; -1 where it brings nothing with others.
    first, members
        Open hazards of block b: ``members[first[b] : first[b + 1]]``.
    bonus
        By block and year, with a last year "never" of 0; less what settled hazards of the block delay.
    begin, moves
        Choices of a whole block that are tried together: ``moves[begin[s] : begin[s + 1]]``.
    """

    done: Ints
    block: Ints
    first: Ints
    members: Ints
    bonus: Floats
    begin: Ints
    moves: Ints

    @classmethod
    def none(cls, pool: Choices) -> "Ties":
        """Leave every choice to itself: what whole blocks bring is in their benefit."""
        nothing = np.zeros(0, np.int64)
        return cls(
            done=np.zeros(len(pool.benefit), np.int64),
            block=np.full(len(pool.blocks), -1),
            first=np.zeros(1, np.int64),
            members=nothing,
            bonus=np.zeros((0, 2)),
            begin=np.zeros(1, np.int64),
            moves=nothing,
        )

    @classmethod
    def of(cls, arcs: Arcs, pool: Choices, plans: Iterable[Mask]) -> "Ties":
        """Look up completions; whole blocks are moved to what they do in some plans.

        Parameters
        ----------
        arcs
            With the blocks that decide together.
        pool
            Choices of single hazards.
        plans
            Arcs taken, by plan.
        """
        years, blocks = arcs.years, arcs.blocks
        entry = np.repeat(np.arange(len(pool.benefit)), np.diff(pool.arcs.indptr))
        arc = pool.arcs.indices
        done = np.full(len(pool.benefit), years)
        last = arcs.final[arc]
        np.minimum.at(done, entry[last], arcs.year[arc[last]].astype(np.int64))
        together = blocks.bonus[:, 0] > 0
        block = np.where(together[blocks.of], blocks.of, -1)
        settled = np.ones(len(block), bool)
        settled[pool.blocks] = False
        late = np.zeros(len(together), np.int64)
        known = settled & (block >= 0)
        np.maximum.at(late, block[known], arcs.done(pool.settled)[known])
        bonus = np.column_stack([blocks.bonus, np.zeros(len(together))])
        bonus = bonus[np.arange(len(together))[:, None], np.maximum(np.arange(years + 1), late[:, None])]
        own = block[pool.blocks]
        order = np.argsort(own, kind="stable")
        order = order[own[order] >= 0]
        first = np.searchsorted(own[order], np.arange(len(together) + 1))
        begin, moves = _block_moves(arcs, pool, own, plans)
        return cls(done=done, block=own, first=first, members=order, bonus=bonus, begin=begin, moves=moves)


def _block_moves(arcs: Arcs, pool: Choices, own: Ints, plans: Iterable[Mask]) -> tuple[Ints, Ints]:
    alone = arcs.each_alone()
    sizes, moves = [], []
    for plan in plans:
        choice = pool.of_plan(alone, plan)
        use = np.nonzero((own >= 0) & (choice >= 0))[0]
        use = use[np.argsort(own[use], kind="stable")]
        moves.append(choice[use])
        sizes.append(np.unique(own[use], return_counts=True)[1])
    if not moves:
        return np.zeros(1, np.int64), np.zeros(0, np.int64)
    return np.concatenate([[0], np.cumsum(np.concatenate(sizes))]), np.concatenate(moves)


def exchanged(  # noqa: PLR0913 - where it begins, how long and how boldly it looks
    pool: Choices,
    rows: Rows,
    prices: Floats,
    start: Ints,
    ties: Ties,
    *,
    tries: int,
    seed: int,
    heat: float,
    lent: float,
) -> tuple[Ints, bool]:
    """Look for a better plan by random exchange.

    Parameters
    ----------
    pool, rows
        Choices of blocks or of single hazards, and rows.
    prices
        Prices of the rows, which say what breaking them costs.
    start
        Choice of each owner to begin with; together they may break rows.
    ties
        What choices bring together.
    tries
        How many exchanges are tried.
    seed
        Where the random numbers begin.
    heat
        How bold the search begins: a quantile of what choices fall short of their price.
    lent
        Share of its price that what a choice does not use is worth at first: 1 to make room for large
        changes, 0 to stay near the start.

    Returns
    -------
    tuple
        Choice of each owner; whether they break no row.
    """
    hazards = len(pool.blocks)
    gains = np.abs(pool.benefit - pool.use @ prices)
    warmth = float(np.quantile(gains[gains > 0], heat)) if (gains > 0).any() else 1.0
    limits = np.concatenate([rows.upper, rows.lower])
    size = np.abs(np.where(np.isfinite(limits), limits, 0.0)).reshape(2, -1).max(axis=0)
    room, charge = np.minimum(1e-10 * np.maximum(size, 1.0), 1e-4), fines(pool, prices)
    best = np.empty(hazards, np.int64)
    good = _anneal(
        pool.first, pool.owner, pool.benefit, pool.use.indptr, pool.use.indices, pool.use.data,
        pool.spent.copy(), rows.lower, rows.upper, charge, room, pool.use @ prices, ties.done, ties.block,
        ties.first, ties.members, ties.bonus, ties.begin, ties.moves, start.copy(), tries, lent, warmth,
        seed, best,
    )  # fmt: skip
    return best, good


@numba.njit(cache=True, nogil=True)
def _anneal(  # noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 - one loop for the compiler
    first: A,
    owner: A,
    benefit: A,
    at: A,
    row: A,
    use: A,
    total: A,
    lower: A,
    upper: A,
    weight: A,
    room: A,
    paid: A,
    done: A,
    block: A,
    block_first: A,
    members: A,
    bonus: A,
    set_first: A,
    sets: A,
    now: A,
    tries: int,
    lent: float,
    heat: float,
    seed: int,
    best: A,
) -> bool:
    """Fill `best` with a choice per hazard; says whether a plan was found that breaks no row."""
    hazards, gained, broken = len(first) - 1, 0.0, 0
    had, longest = np.zeros(len(bonus)), 2
    for h in range(hazards):
        gained += benefit[now[h]]
        for j in range(at[now[h]], at[now[h] + 1]):
            total[row[j]] += use[j]
    for b in range(len(bonus)):
        longest = max(longest, block_first[b + 1] - block_first[b])
        had[b] = _brought(b, block_first, members, now, done, bonus)
        gained += had[b]
    for r in range(len(total)):
        broken += int(total[r] > upper[r] + room[r] or total[r] < lower[r] - room[r])
    step, touched = np.zeros(len(total)), np.empty(len(total), np.int64)
    is_touched = np.zeros(len(total), np.bool_)
    top, found = -np.inf, False
    state = np.uint64(seed * 2654435761 + 88172645463325252)
    settle = tries - int(_SETTLE * tries)
    cooling, epoch, charge = 1e-3 ** (1.0 / max(tries, 1)), max(tries // _EPOCHS, 1), weight.copy()
    free = np.nonzero(first[1:] - first[:-1] > 1)[0]
    if len(free) == 0:
        tries = 0
    best[:] = now
    if broken == 0:
        top, found = gained, True
    changed, is_changed, many_changed = np.empty(hazards, np.int64), np.zeros(hazards, np.bool_), 0
    moves, into, then = np.empty(longest, np.int64), np.empty(longest, np.int64), now.copy()
    for turn in range(tries):
        heat *= cooling
        if turn == settle:
            _repair(owner, benefit, at, row, use, total, lower, upper, weight, room, now)
            gained, broken = 0.0, 0
            for h in range(hazards):
                gained += benefit[now[h]]
                then[h] = now[h]
            for b in range(len(bonus)):
                had[b] = _brought(b, block_first, members, now, done, bonus)
                gained += had[b]
            for r in range(len(total)):
                broken += int(total[r] > upper[r] + room[r] or total[r] < lower[r] - room[r])
                charge[r] = max(charge[r], 1e3 * weight[r])
            is_changed[:] = False
            many_changed = 0
            if broken == 0 and gained > top:
                top, found = gained, True
                best[:] = now
            else:
                for h in range(hazards):
                    changed[h], is_changed[h] = h, True
                many_changed = hazards
        elif turn % epoch == 0 and turn < settle:
            for r in range(len(total)):
                level = weight[r] * (1.0 + _RISE * (turn / settle) ** 4)
                if total[r] > upper[r] + room[r] or total[r] < lower[r] - room[r]:
                    charge[r] = max(charge[r] * _DEARER, level)
                else:
                    charge[r] = max(charge[r] * _CHEAPER, level)
        gain, many = 0.0, 0
        if len(set_first) > 1 and turn % 3 == 0:
            state = _next(state)
            s = int((state >> np.uint64(33)) % np.uint64(len(set_first) - 1))
            for j in range(set_first[s], set_first[s + 1]):
                h = owner[sets[j]]
                if sets[j] != now[h]:
                    moves[many], into[many] = h, sets[j]
                    many += 1
        else:
            for _ in range(2):
                state = _next(state)
                h = free[int((state >> np.uint64(33)) % np.uint64(len(free)))]
                p = first[h] + int((state & np.uint64(0xFFFF)) % np.uint64(first[h + 1] - first[h]))
                if p == now[h] or (many == 1 and h == moves[0]):
                    continue
                moves[many], into[many] = h, p
                many += 1
                if state & np.uint64(1 << 20):
                    break
        if many == 0:
            continue
        some = 0
        for i in range(many):
            h = moves[i]
            gain += benefit[into[i]] - benefit[now[h]]
            then[h] = into[i]
            for side in range(2):
                p = into[i] if side == 0 else now[h]
                for j in range(at[p], at[p + 1]):
                    r = row[j]
                    if not is_touched[r]:
                        is_touched[r] = True
                        touched[some] = r
                        step[r] = 0.0
                        some += 1
                    step[r] += use[j] if side == 0 else -use[j]
        for i in range(many):
            b = block[moves[i]]
            if b >= 0 and (i == 0 or b != block[moves[i - 1]]):
                gain += _brought(b, block_first, members, then, done, bonus) - had[b]
        change, more_broken = gain, 0
        if turn < settle:
            credit = lent * (1.0 - turn / settle)
            for i in range(many):
                change -= credit * (paid[into[i]] - paid[now[moves[i]]])
        for i in range(some):
            r = touched[i]
            is_touched[r] = False
            x, y = total[r], total[r] + step[r]
            old, new = max(x - upper[r], lower[r] - x, 0.0), max(y - upper[r], lower[r] - y, 0.0)
            change -= charge[r] * (new - old)
            more_broken += int(new > room[r]) - int(old > room[r])
        dice = 0.0
        if change < 0.0:
            state = _next(state)
            dice = float(state >> np.uint64(11)) / 9007199254740992.0
        if turn >= settle:
            refused = change < 0.0 or more_broken > 0
        else:
            refused = change < 0.0 and dice >= np.exp(change / heat)
        if refused:
            for i in range(many):
                then[moves[i]] = now[moves[i]]
            continue
        gained += gain
        broken += more_broken
        for i in range(some):
            total[touched[i]] += step[touched[i]]
        for i in range(many):
            h = moves[i]
            now[h] = into[i]
            if not is_changed[h]:
                is_changed[h] = True
                changed[many_changed] = h
                many_changed += 1
        for i in range(many):
            b = block[moves[i]]
            if b >= 0:
                had[b] = _brought(b, block_first, members, now, done, bonus)
        if broken == 0 and gained > top:
            top, found = gained, True
            for i in range(many_changed):
                best[changed[i]] = now[changed[i]]
                is_changed[changed[i]] = False
            many_changed = 0
    if not found:
        best[:] = now
    return found


@numba.njit(cache=True, nogil=True)
def _repair(  # noqa: C901, PLR0912, PLR0913, PLR0917 - one loop for the compiler
    owner: A,
    benefit: A,
    at: A,
    row: A,
    use: A,
    total: A,
    lower: A,
    upper: A,
    weight: A,
    room: A,
    now: A,
) -> None:
    """Change choices, least loss for most relief first, until no row is broken or nothing relieves."""
    step = np.zeros(len(total))
    for _ in range(2 * len(total) + len(now) // 4):
        ill = 0
        for r in range(len(total)):
            ill += int(total[r] > upper[r] + room[r] or total[r] < lower[r] - room[r])
        if ill == 0:
            return
        best, which = np.inf, -1
        for p in range(len(owner)):
            old = now[owner[p]]
            if p == old:
                continue
            for j in range(at[p], at[p + 1]):
                step[row[j]] += use[j]
            for j in range(at[old], at[old + 1]):
                step[row[j]] -= use[j]
            relief = 0.0
            for side in range(2):
                q = p if side == 0 else old
                for j in range(at[q], at[q + 1]):
                    r = row[j]
                    if step[r] != 0.0:
                        x, y = total[r], total[r] + step[r]
                        before = max(x - upper[r], lower[r] - x, 0.0)
                        after = max(y - upper[r], lower[r] - y, 0.0)
                        relief += weight[r] * (before - after)
                        if after > before and before <= room[r]:
                            relief -= np.inf
                        step[r] = 0.0
            if relief > 0.0:
                lost = max(benefit[old] - benefit[p], 0.0) / relief
                if lost < best:
                    best, which = lost, p
        if which < 0:
            return
        old = now[owner[which]]
        for j in range(at[which], at[which + 1]):
            total[row[j]] += use[j]
        for j in range(at[old], at[old + 1]):
            total[row[j]] -= use[j]
        now[owner[which]] = which


@numba.njit(cache=True, nogil=True)
def _next(state: Any) -> Any:
    """Draw the next of a row of random numbers (xorshift)."""
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    state ^= state << np.uint64(17)
    return state


@numba.njit(cache=True, nogil=True)
def _brought(b: int, first: A, members: A, choice: A, done: A, bonus: A) -> float:
    """Say what a block brings if its hazards choose so."""
    last = 0
    for m in range(first[b], first[b + 1]):
        last = max(last, done[choice[members[m]]])
    return float(bonus[b, last]) if first[b + 1] > first[b] else 0.0
