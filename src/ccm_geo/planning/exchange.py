"""Improves a plan where few hazards share many limits: blocks change choices at random, ever more choosily.

Simulated annealing over what whole blocks do (a hazard's path, or the paths of hazards that are completed
together). Breaking a limit costs several times its price, so the search walks
through plans that are slightly too dear and comes back. It proves nothing; it finds good plans quickly.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numba
import numpy as np
import numpy.typing as npt

from .arcs import Arcs
from .listing import Floats, Ints, Mask
from .prices import Rows, losses_at, values_at, walk

A: TypeAlias = npt.NDArray[Any]
_HEAT = 0.04, 0.0005  # quantile of what choices fall short of their price: how bold the search begins
_FIRM = (
    (2.0,),
    (1.0, 4.0, 16.0),
)  # what breaking a row costs at first, in prices; in the end thirty times that
_ROUNDS = 40  # rounds of candidates, each through a block's next nearest option in turn
_OPEN = 8_000  # blocks that may change; of more, those whose next best choice falls short by least
_ROUNDS_OF_MANY = 8
_MOST_NUMBERS = 40_000_000  # candidates times rows: 320 MB


@dataclass(frozen=True, kw_only=True)
class _Choices:
    """Candidate choices, those of a block together; the first of each block is to do nothing.

    `arc` and `choice` say which arcs each choice takes.
    """

    first: Ints
    benefit: Floats
    use: Floats
    arc: Ints
    choice: Ints
    begin: Ints


def exchanged(arcs: Arcs, rows: Rows, prices: Floats, start: Mask, *, tries: int, seed: int) -> Mask | None:
    """Look for a better plan by random exchange; None where there would be too much to keep in memory.

    Parameters
    ----------
    arcs, rows
        The model; blocks with a marked hazard keep what they have.
    prices
        Prices of the rows, which say what breaking them costs.
    start
        Arcs taken to begin with; they may break rows.
    tries
        How many exchanges are tried.
    seed
        Where the random numbers begin.
    """
    found = _candidates(arcs, rows, prices, start)
    if found is None:
        return None
    paid = np.abs(prices)
    typical = float(paid[paid > 0].mean()) if paid.any() else 1.0
    blocks = len(arcs.blocks.bonus)
    many = int(blocks > _OPEN)  # few blocks need bold steps, of many a small one always fits
    gains = np.abs(found.benefit - found.use @ prices)
    heat = float(np.quantile(gains[gains > 0], _HEAT[many])) if (gains > 0).any() else 1.0
    room = 1e-10 * np.maximum(np.abs(np.where(np.isfinite(rows.upper), rows.upper, 0.0)), 1.0)
    best = np.empty(blocks, np.int64)
    for firm in _FIRM[many]:
        weight = firm * np.maximum(paid, 0.25 * typical)
        limits = rows.lower, rows.upper, weight, room
        if _anneal(found.first, found.benefit, found.use, *limits, found.begin, tries, heat, seed, best):
            break
    else:
        return None
    taken = np.zeros(len(arcs.benefit), bool)
    chosen = np.zeros(len(found.benefit), bool)
    chosen[best] = True
    taken[found.arc[chosen[found.choice]]] = True
    return taken


def _candidates(arcs: Arcs, rows: Rows, prices: Floats, start: Mask) -> _Choices | None:
    """Collect each block's best choices through its options of least loss, doing nothing, and today's choice."""
    value = values_at(arcs, rows, prices)
    keys, block = rows.pattern.shape[0], arcs.blocks.of[arcs.hazard]
    taken, _, _ = walk(arcs, value, keys)
    loss = losses_at(arcs, value)
    rank = _ranks(block, loss)
    blocks = len(arcs.blocks.bonus)
    if blocks * len(rows.lower) * 10 > _MOST_NUMBERS:
        return None
    pull = 1.0 + 2.0 * np.bincount(block, weights=np.abs(value), minlength=blocks) + arcs.blocks.bonus[:, 0]
    short = np.full(blocks, np.inf)
    np.minimum.at(short, block, np.where(taken, np.inf, loss))
    settled = np.zeros(blocks, bool)
    settled[arcs.blocks.of[arcs.marks > 0]] = True
    if blocks > _OPEN:
        settled = settled | (short > np.partition(short, _OPEN)[_OPEN])
    fixed = settled[block]
    found = [start & ~fixed, taken & ~fixed]
    rounds = _ROUNDS if blocks <= _OPEN else _ROUNDS_OF_MANY
    for turn in range(min(rounds, int(rank.max(initial=-1)) + 1)):
        forced = (rank == turn) & np.isfinite(loss)
        through, _, _ = walk(arcs, value + np.where(forced, pull[block], 0.0), keys)
        hit = np.bincount(block[forced & through], minlength=blocks) > 0
        found.append(through & hit[block] & ~fixed)
    return _distinct(arcs, rows, found, start & fixed)


def _ranks(block: Ints, loss: Floats) -> Ints:
    """Put the options of each block in the order of their loss, from 0."""
    order = np.lexsort((loss, block))
    first = np.concatenate([[0], np.cumsum(np.bincount(block))])
    rank = np.empty(len(loss), np.int64)
    rank[order] = np.arange(len(loss)) - first[block[order]]
    return rank


def _distinct(arcs: Arcs, rows: Rows, found: list[Mask], fixed: Mask) -> _Choices | None:
    block = arcs.blocks.of[arcs.hazard]
    blocks, count = len(arcs.blocks.bonus), len(arcs.benefit)
    noise = np.random.default_rng(0).integers(1, 2**62, count, dtype=np.int64)
    prints = [np.zeros(blocks, np.int64) for _ in found]
    for p, t in zip(prints, found, strict=True):
        np.bitwise_xor.at(p, block[t], noise[t])
    bonus = np.stack([np.zeros(blocks), *(arcs.brought(t) for t in found)])
    owner = np.concatenate([np.arange(blocks), *(np.arange(blocks) for _ in found)])
    mark = np.concatenate([np.zeros(blocks, np.int64), *prints])
    turn = np.repeat(np.arange(-1, len(found)), blocks)
    _, unique = np.unique(np.column_stack([owner, mark]), axis=0, return_index=True)
    unique = unique[np.lexsort((turn[unique], owner[unique]))]
    owner, turn = owner[unique], turn[unique]
    if len(unique) * max(len(rows.lower), 1) > _MOST_NUMBERS:
        return None
    place = np.full((blocks, len(found) + 1), -1, np.int64)
    place[owner, turn + 1] = np.arange(len(unique))
    arc, choice = [], []
    for i, t in enumerate(found):
        which = np.nonzero(t)[0]
        to = place[block[which], i + 1]
        arc.append(which[to >= 0])
        choice.append(to[to >= 0])
    settled = np.nonzero(fixed)[0]
    arc.append(settled)
    choice.append(place[block[settled], 0])  # a settled block's only choice stands where "nothing" would
    arcs_of, choice_of = np.concatenate(arc), np.concatenate(choice)
    benefit = np.bincount(choice_of, weights=arcs.benefit[arcs_of], minlength=len(unique)).astype(float)
    held = np.unique(block[fixed])
    bonus[0, held] = arcs.brought(fixed)[held]
    benefit += bonus[turn + 1, owner]
    keys = rows.pattern.shape[0]
    use = np.zeros((len(unique), len(rows.lower)))
    for key, coef in zip(arcs.keys, arcs.coefs, strict=True):
        share = rows.pattern[np.minimum(key[arcs_of], keys - 1)] * coef[arcs_of][:, None]
        np.add.at(use, choice_of, np.asarray(share.todense()))
    begin = np.where(place[:, 1] >= 0, place[:, 1], place[:, 0])
    begin[held] = place[held, 0]
    first = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=blocks))])
    return _Choices(first=first, benefit=benefit, use=use, arc=arcs_of, choice=choice_of, begin=begin)


@numba.njit(cache=True)
def _anneal(  # noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 - one loop for the compiler
    first: A,
    benefit: A,
    use: A,
    lower: A,
    upper: A,
    weight: A,
    room: A,
    begin: A,
    tries: int,
    heat: float,
    seed: int,
    best: A,
) -> bool:
    """Fill `best` with a path per hazard; says whether a plan was found that breaks no row."""
    hazards, count = len(first) - 1, use.shape[1]
    now = begin.copy()
    total = np.zeros(count)
    gained = 0.0
    for h in range(hazards):
        gained += benefit[now[h]]
        for r in range(count):
            total[r] += use[now[h], r]
    top, found = -np.inf, False
    state = np.uint64(seed * 2654435761 + 88172645463325252)
    cooling, firmer = 1e-3 ** (1.0 / max(tries, 1)), 30.0 ** (1.0 / max(tries, 1))
    firm = 1.0
    free = np.nonzero(first[1:] - first[:-1] > 1)[0]
    if len(free) == 0:
        tries = 0
    moves, paths = np.empty(2, np.int64), np.empty(2, np.int64)
    best[:] = now
    changed, is_changed, many_changed = np.empty(hazards, np.int64), np.zeros(hazards, np.bool_), 0
    for _ in range(tries):
        heat *= cooling
        firm *= firmer
        change, many = 0.0, 0
        for _ in range(2):
            state ^= state << np.uint64(13)
            state ^= state >> np.uint64(7)
            state ^= state << np.uint64(17)
            h = free[int((state >> np.uint64(33)) % np.uint64(len(free)))]
            choices = first[h + 1] - first[h]
            p = first[h] + int((state & np.uint64(0xFFFF)) % np.uint64(choices))
            if p == now[h] or (many == 1 and h == moves[0]):
                continue
            moves[many], paths[many] = h, p
            change += benefit[p] - benefit[now[h]]
            many += 1
            if state & np.uint64(1 << 20):
                break
        if many == 0:
            continue
        gain, broken = change, False
        for r in range(count):
            step = 0.0
            for i in range(many):
                step += use[paths[i], r] - use[now[moves[i]], r]
            after = total[r] + step
            if step != 0.0:
                old = max(total[r] - upper[r], 0.0) + max(lower[r] - total[r], 0.0)
                new = max(after - upper[r], 0.0) + max(lower[r] - after, 0.0)
                change -= firm * weight[r] * (new - old)
            if after > upper[r] + room[r] or after < lower[r] - room[r]:
                broken = True
        if change < 0.0:
            dice = float(state >> np.uint64(11)) / 9007199254740992.0
            if dice >= np.exp(change / heat):
                continue
        gained += gain
        for i in range(many):
            for r in range(count):
                total[r] += use[paths[i], r] - use[now[moves[i]], r]
            now[moves[i]] = paths[i]
            if not is_changed[moves[i]]:
                is_changed[moves[i]] = True
                changed[many_changed] = moves[i]
                many_changed += 1
        if not broken and gained > top:
            top, found = gained, True
            for i in range(many_changed):
                best[changed[i]] = now[changed[i]]
                is_changed[changed[i]] = False
            many_changed = 0
    return found
