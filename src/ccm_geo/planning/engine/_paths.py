"""The best path of every hazard at given prices: a small dynamic program, compiled, linear in the options.

Options ("arcs") of a hazard stand together, by year; within a year the steps in the order of their states,
then the interim options (those that change no state). A path starts in the hazard's state of today; each
step leads it on, and at the end of each year it may take one interim option in the state it has reached.

Up to six *marks* per hazard carry what a path has done: taking an arc sets the bits of ``sets``, and an
arc can be taken only where the bits of ``asks`` are set. A path must end with the bits of ``must``.

Hazards of a *block* decide together: it brings a bonus, by year, once all of them are done. For each year
(or never) every hazard of the block takes its best path that is done by then; the best year is kept.
"""

from typing import Any, NamedTuple, TypeAlias

import numba
import numpy as np
import numpy.typing as npt

from ccm_geo.planning.model import MOST_MARKS

A: TypeAlias = npt.NDArray[Any]

_WIDEST = 1 << MOST_MARKS


class Net(NamedTuple):
    """Arcs as kernels take them: of blocks, of hazards (`first` to `must`), of arcs (`year` to `asks`)."""

    blocks: A
    members: A
    bonus: A
    first: A
    start: A
    low: A
    ends: A
    marks: A
    must: A
    year: A
    src: A
    dst: A
    sets: A
    asks: A


@numba.njit(cache=True, nogil=True)
def best_paths(  # noqa: PLR0913, PLR0917 - one loop for the compiler
    begin: int, end: int, net: Net, value: A, keys: A, coefs: A, taken: A, best: A, gain: A, use: A
) -> None:
    """Fill, for the blocks from `begin` to `end`, what their hazards do and what it is worth.

    `taken` is a bool per arc, `best` the value of each hazard's path (-inf where none keeps its marks),
    `gain` that of each block with its bonus. Adds to `use` what the taken arcs use, by key.
    """
    room = room_for(net, begin, end)
    for b in range(begin, end):
        gain[b] = best_of_block(b, net, value, room, taken, best)
        for m in range(net.blocks[b], net.blocks[b + 1]):
            for k in range(net.first[net.members[m]], net.first[net.members[m] + 1]):
                if taken[k]:
                    for f in range(keys.shape[0]):
                        use[keys[f, k]] += coefs[f, k]


@numba.njit(cache=True, nogil=True)
def room_for(net: Net, begin: int, end: int) -> Any:
    """Make the arrays that `best_of_block` works in, large enough for the blocks from `begin` to `end`."""
    years, states = net.bonus.shape[1], _states(net.start, net.src, net.dst, net.ends)
    longest, widest = 0, 1
    for b in range(begin, end):
        size = 0
        for m in range(net.blocks[b], net.blocks[b + 1]):
            size += net.first[net.members[m] + 1] - net.first[net.members[m]]
        longest, widest = max(longest, size), max(widest, net.blocks[b + 1] - net.blocks[b])
    return (
        np.empty(states * _WIDEST),
        np.empty(_WIDEST),
        np.empty(longest, dtype=np.uint64),
        np.empty((widest, years + 1)),
        np.empty((widest, years + 1), np.int64),
    )


@numba.njit(cache=True, nogil=True)
def best_of_block(b: int, net: Net, value: A, room: Any, taken: A, best: A) -> float:
    """Let one block do what is worth most; returns what that is."""
    worth, before, better, top, node = room
    years, states = net.bonus.shape[1], len(worth) // _WIDEST
    together = net.bonus[b, 0] > 0.0
    at = 0
    for m in range(net.blocks[b], net.blocks[b + 1]):
        h, i = net.members[m], m - net.blocks[b]
        _forward(h, net, value, states, together, worth, before, better[at:], top[i], node[i])
        at += net.first[h + 1] - net.first[h]
    many = net.blocks[b + 1] - net.blocks[b]
    when, most = years, 0.0
    for i in range(many):
        most += top[i, years]
    if together:
        for t in range(years):
            total = net.bonus[b, t]
            for i in range(many):
                total += top[i, t]
            if total > most:
                when, most = t, total
    at = 0
    for m in range(net.blocks[b], net.blocks[b + 1]):
        h, i = net.members[m], m - net.blocks[b]
        best[h] = top[i, when]
        _trace(h, net, when, node[i, when], better[at:], taken)
        at += net.first[h + 1] - net.first[h]
    return float(most)


@numba.njit(cache=True, nogil=True)
def _states(start: A, src: A, dst: A, ends: A) -> int:
    states = 1
    for k in range(len(src)):
        states = max(states, src[k] + 1, dst[k] + 1)
    for h in range(len(start)):
        states = max(states, start[h] + 1)
        while ends[h] >> np.uint64(states):
            states += 1
    return states


@numba.njit(cache=True, nogil=True)
def _forward(  # noqa: C901, PLR0912, PLR0913, PLR0917 - one loop nest for the compiler
    h: int,
    net: Net,
    value: A,
    states: int,
    together: bool,  # noqa: FBT001 - compiled
    worth: A,
    before: A,
    better: A,
    top: A,
    node: A,
) -> None:
    """Fill the best value of the hazard done by each year, last that of all paths, and where they end."""
    lo, hi = net.first[h], net.first[h + 1]
    start, low, ends, marks, must = net.start, net.low, net.ends, net.marks, net.must
    year, src, dst, sets, asks = net.year, net.src, net.dst, net.sets, net.asks
    one = np.uint64(1)
    width, years = 1 << marks[h], len(top) - 1
    for i in range(states * width):
        worth[i] = -np.inf
    worth[start[h] * width] = 0.0
    t, k = 0, lo
    while k < hi:
        if together:
            while t < year[k]:
                top[t], node[t] = _top(worth, states, width, must[h], 0, ends[h])
                t += 1
        s = src[k]
        if dst[k] != s:
            better[k - lo] = 0
            for b in range(width):
                x = worth[s * width + b]
                if x > -np.inf and (b & asks[k]) == asks[k]:
                    i = dst[k] * width + (b | sets[k])
                    if x + value[k] > worth[i]:
                        worth[i] = x + value[k]
                        better[k - lo] |= one << np.uint64(b)
            k += 1
            continue
        for b in range(width):
            before[b] = worth[s * width + b]
        now = year[k]
        while k < hi and src[k] == s and dst[k] == s and year[k] == now:
            better[k - lo] = 0
            for b in range(width):
                x = before[b]
                if x > -np.inf and (b & asks[k]) == asks[k]:
                    i = s * width + (b | sets[k])
                    if x + value[k] > worth[i]:
                        worth[i] = x + value[k]
                        better[k - lo] |= one << np.uint64(b)
            k += 1
    if together:
        while t < years:
            top[t], node[t] = _top(worth, states, width, must[h], 0, ends[h])
            t += 1
    top[years], node[years] = _top(worth, states, width, must[h], low[h], ~np.uint64(0))


@numba.njit(cache=True, nogil=True)
def _top(worth: A, states: int, width: int, must: int, low: int, allowed: Any) -> tuple[float, int]:
    """Find the best value over the states allowed, with the marks that there must be, and its place."""
    top, place = -np.inf, -1
    for s in range(low, states):
        if (allowed >> np.uint64(s)) & np.uint64(1):
            for b in range(width):
                if (b & must) == must and worth[s * width + b] > top:
                    top, place = worth[s * width + b], s * width + b
    return top, place


@numba.njit(cache=True, nogil=True)
def _trace(h: int, net: Net, when: int, node: int, better: A, taken: A) -> None:
    """Walk back from where the best path ends and mark its arcs."""
    lo, hi = net.first[h], net.first[h + 1]
    year, src, dst, sets = net.year, net.src, net.dst, net.sets
    one, width = np.uint64(1), 1 << net.marks[h]
    for k in range(lo, hi):
        taken[k] = False
    if node < 0:
        return
    state, bits = node // width, node % width
    k = hi - 1
    while k >= lo:
        came = -1
        if dst[k] == state and better[k - lo] != 0 and year[k] <= when:
            for b in range(width):
                if (better[k - lo] >> np.uint64(b)) & one and (b | sets[k]) == bits:
                    came = b
        if came < 0:
            k -= 1
            continue
        taken[k] = True
        bits = came
        if src[k] != dst[k]:
            state = src[k]
            k -= 1
            continue
        now = year[k]
        while k >= lo and src[k] == state and dst[k] == state and year[k] == now:
            k -= 1


@numba.njit(cache=True, nogil=True)
def path_losses(  # noqa: C901, PLR0912 - one loop nest for the compiler
    net: Net, value: A, loss: A
) -> None:
    """Fill `loss`: how much worse a block's best choice with each arc is than its best choice.

    Never negative and never too large; infinite where no path leads through the arc; for arcs of hazards
    with marks and of blocks that hold one only 0 (nothing is known about them).
    """
    blocks, members, bonus, first, start = net.blocks, net.members, net.bonus, net.first, net.start
    low, ends, marks, year, src, dst = net.low, net.ends, net.marks, net.year, net.src, net.dst
    years, states = bonus.shape[1], _states(start, src, dst, ends)
    widest = 1
    for b in range(len(blocks) - 1):
        widest = max(widest, blocks[b + 1] - blocks[b])
    ahead, onward, top = np.empty(states), np.empty(states), np.empty((widest, years + 1))
    short = np.empty(years + 1)
    for b in range(len(blocks) - 1):
        marked = False
        for m in range(blocks[b], blocks[b + 1]):
            h = members[m]
            marked = marked or marks[h] > 0
            for k in range(first[h], first[h + 1]):
                loss[k] = np.inf
        if marked:
            for m in range(blocks[b], blocks[b + 1]):
                h = members[m]
                for k in range(first[h], first[h + 1]):
                    loss[k] = 0.0
            continue
        together = bonus[b, 0] > 0.0
        begin = 0 if together else years
        for t in range(begin, years + 1):
            short[t] = bonus[b, t] if t < years else 0.0
            for m in range(blocks[b], blocks[b + 1]):
                h, i = members[m], m - blocks[b]
                _ahead(first[h], first[h + 1], start[h], year, src, dst, value, t, ahead)
                top[i, t] = -np.inf
                for s in range(states):
                    fits = (ends[h] >> np.uint64(s)) & np.uint64(1) if t < years else np.uint64(s >= low[h])
                    if fits:
                        top[i, t] = max(top[i, t], ahead[s])
                short[t] += top[i, t]
        most = -np.inf
        for t in range(begin, years + 1):
            most = max(most, short[t])
        for t in range(begin, years + 1):
            if short[t] == -np.inf:
                continue
            for m in range(blocks[b], blocks[b + 1]):
                h, i = members[m], m - blocks[b]
                for s in range(states):
                    fits = (ends[h] >> np.uint64(s)) & np.uint64(1) if t < years else np.uint64(s >= low[h])
                    onward[s] = 0.0 if fits else -np.inf
                _through(
                    first[h], first[h + 1], start[h], year, src, dst, value, t, ahead, onward,
                    top[i, t] + most - short[t], loss,
                )  # fmt: skip


@numba.njit(cache=True, nogil=True)
def _ahead(  # noqa: PLR0913, PLR0917 - one loop for the compiler
    lo: int, hi: int, start: int, year: A, src: A, dst: A, value: A, when: int, ahead: A
) -> None:
    """Fill the best value with which each state is reached up to a year."""
    ahead[:] = -np.inf
    ahead[start] = 0.0
    k = lo
    while k < hi and year[k] <= when:
        s = src[k]
        if dst[k] != s:
            ahead[dst[k]] = max(ahead[dst[k]], ahead[s] + value[k])
            k += 1
            continue
        now, gain = year[k], 0.0
        while k < hi and src[k] == s and dst[k] == s and year[k] == now:
            gain = max(gain, value[k])
            k += 1
        ahead[s] += gain


@numba.njit(cache=True, nogil=True)
def _through(  # noqa: PLR0913, PLR0917 - one loop nest for the compiler
    lo: int,
    hi: int,
    start: int,
    year: A,
    src: A,
    dst: A,
    value: A,
    when: int,
    ahead: A,
    onward: A,
    goal: float,
    loss: A,
) -> None:
    """Lower `loss` of each arc to what its best path up to a year falls short of `goal`."""
    through = np.full(hi - lo, -np.inf)
    ahead[:] = -np.inf
    ahead[start] = 0.0
    k = lo
    while k < hi and year[k] <= when:
        s = src[k]
        if dst[k] != s:
            through[k - lo] = ahead[s] + value[k]
            ahead[dst[k]] = max(ahead[dst[k]], through[k - lo])
            k += 1
            continue
        now, gain = year[k], 0.0
        while k < hi and src[k] == s and dst[k] == s and year[k] == now:
            through[k - lo] = ahead[s] + value[k]
            gain = max(gain, value[k])
            k += 1
        ahead[s] += gain
    k -= 1
    while k >= lo:
        s = src[k]
        if dst[k] != s:
            x = through[k - lo] + onward[dst[k]]
            onward[s] = max(onward[s], value[k] + onward[dst[k]])
            loss[k] = min(loss[k], max(goal - x, 0.0))
            k -= 1
            continue
        now, gain = year[k], 0.0
        while k >= lo and src[k] == s and dst[k] == s and year[k] == now:
            gain = max(gain, value[k])
            loss[k] = min(loss[k], max(goal - (through[k - lo] + onward[s]), 0.0))
            k -= 1
        onward[s] += gain


@numba.njit(cache=True, nogil=True)
def price_values(begin: int, end: int, benefit: A, keys: A, coefs: A, prices: A, value: A) -> None:
    """Fill `value`: benefit less what each arc uses at its prices; the last price is 0, for "none"."""
    for k in range(begin, end):
        x = benefit[k]
        for f in range(keys.shape[0]):
            x -= coefs[f, k] * prices[keys[f, k]]
        value[k] = x
