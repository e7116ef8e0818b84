"""The best tree of every hazard: one path through the shared years, then one for each scenario.

Options stand as in `_paths`: those of a hazard together, by year; within a year the steps in the order of
their states, then the interim options. The first options of each hazard, up to `split`, are decided before
the money is known and are the same in all scenarios; from there every scenario goes its own way. Worked
out backwards: what is best from each state on, in each scenario; their sum is what a state is worth at
the end of the shared years.
"""

from typing import Any, TypeAlias

import numba
import numpy as np
import numpy.typing as npt

A: TypeAlias = npt.NDArray[Any]

_WIDEST = 64  # sets of marks of one hazard, as in `_paths`


@numba.njit(cache=True)
def _sweep(  # noqa: C901, PLR0913, PLR0917 - one loop for the compiler
    lo: int, hi: int, width: int, year: A, src: A, dst: A, sets: A, asks: A, value: A, worth: A, better: A
) -> None:
    """Go back from `hi` to `lo`: `worth` is that of each state (times marks), after and then before.

    Sets a bit of ``better[k]`` for every set of marks with which option k is worth taking.
    """
    before = np.empty(_WIDEST)
    one = np.uint64(1)
    k = hi - 1
    while k >= lo:
        s = src[k]
        if dst[k] != s:
            better[k] = 0
            for b in range(width):
                if (b & asks[k]) == asks[k]:
                    x = worth[dst[k] * width + (b | sets[k])] + value[k]
                    if x > worth[s * width + b]:
                        worth[s * width + b] = x
                        better[k] |= one << np.uint64(b)
            k -= 1
            continue
        for b in range(width):
            before[b] = worth[s * width + b]
        now = year[k]
        while k >= lo and src[k] == s and dst[k] == s and year[k] == now:
            better[k] = 0
            for b in range(width):
                if (b & asks[k]) == asks[k]:
                    x = before[b | sets[k]] + value[k]
                    if x > worth[s * width + b]:
                        worth[s * width + b] = x
                        better[k] |= one << np.uint64(b)
            k -= 1


@numba.njit(cache=True)
def _trace(  # noqa: PLR0913, PLR0917 - one loop for the compiler
    lo: int, hi: int, state: int, bits: int, year: A, src: A, dst: A, sets: A, better: A, taken: A
) -> tuple[int, int]:
    """Follow the best path from a state with marks; fill `taken` and return state and marks at its end."""
    one = np.uint64(1)
    k = lo
    while k < hi:
        taken[k] = False
        if src[k] != state or (better[k] >> np.uint64(bits)) & one == 0:
            k += 1
            continue
        taken[k] = True
        bits |= sets[k]
        if dst[k] != state:
            state = dst[k]
            k += 1
            continue
        now = year[k]
        k += 1
        while k < hi and src[k] == state and dst[k] == state and year[k] == now:
            taken[k] = False
            k += 1
    return state, bits


@numba.njit(cache=True)
def best_trees(  # noqa: C901, PLR0912, PLR0913, PLR0917 - one loop nest for the compiler
    first: A,
    split: A,
    start: A,
    low: A,
    marks: A,
    must: A,
    year: A,
    src: A,
    dst: A,
    sets: A,
    asks: A,
    gain: A,
    keys: A,
    coefs: A,
    price: A,
    taken: A,
    best: A,
    use: A,
    onward: A,
) -> None:
    """Fill `taken` and `best`, add to `use`, and fill `onward`.

    `gain` says what each option brings in each scenario, by its weight, and in its last row what it brings
    in all of them, for options of shared years; -inf where it cannot be taken. `taken`, `price` and `use`
    have rows in the same order; the latter two go by key. `onward` gets, by hazard and state, what is best
    from there on after the shared years, with the marks that the hazard can have there; -inf where it
    cannot be.
    """
    scenes = len(gain) - 1
    states = onward.shape[1]
    after, worth = np.empty(states * _WIDEST), np.empty(states * _WIDEST)
    can = np.empty(states * _WIDEST, np.bool_)
    longest = 0
    for h in range(len(start)):
        longest = max(longest, first[h + 1] - first[h])
    better = np.zeros((scenes + 1, longest), np.uint64)
    value = np.empty(longest)
    year_, src_, dst_ = np.empty(longest, np.int64), np.empty(longest, np.int64), np.empty(longest, np.int64)
    sets_, asks_ = np.empty(longest, np.int64), np.empty(longest, np.int64)
    chosen = np.zeros(longest, np.bool_)
    for h in range(len(start)):
        lo, many = first[h], first[h + 1] - first[h]
        mid, width = split[h] - first[h], 1 << marks[h]
        size = states * width
        for i in range(many):
            year_[i], src_[i], dst_[i] = year[lo + i], src[lo + i], dst[lo + i]
            sets_[i], asks_[i] = sets[lo + i], asks[lo + i]
        after[:size] = 0.0
        for z in range(scenes + 1):
            begin, end = (mid, many) if z < scenes else (0, mid)
            for i in range(begin, end):
                x = gain[z, lo + i]
                for f in range(keys.shape[0]):
                    x -= coefs[f, lo + i] * price[z, keys[f, lo + i]]
                value[i] = x
            if z < scenes:
                for s in range(states):
                    for b in range(width):
                        fine = s >= low[h] and (b & must[h]) == must[h]
                        worth[s * width + b] = 0.0 if fine else -np.inf
                _sweep(begin, end, width, year_, src_, dst_, sets_, asks_, value, worth, better[z])
                for i in range(size):
                    after[i] += worth[i]
            else:
                worth[:size] = after[:size]
                _sweep(begin, end, width, year_, src_, dst_, sets_, asks_, value, worth, better[z])
        for i in range(size):
            can[i] = False
        can[start[h] * width] = True
        for i in range(mid):
            for b in range(width):
                if can[src_[i] * width + b] and (b & asks_[i]) == asks_[i]:
                    can[dst_[i] * width + (b | sets_[i])] = True
        for s in range(states):
            onward[h, s] = -np.inf
            for b in range(width):
                if can[s * width + b]:
                    onward[h, s] = max(onward[h, s], after[s * width + b])
        best[h] = worth[start[h] * width]
        if best[h] == -np.inf:
            for z in range(scenes + 1):
                taken[z, lo : lo + many] = False
            continue
        state, bits = _trace(0, mid, start[h], 0, year_, src_, dst_, sets_, better[scenes], chosen)
        for i in range(mid):
            taken[scenes, lo + i] = chosen[i]
            if chosen[i]:
                for f in range(keys.shape[0]):
                    use[scenes, keys[f, lo + i]] += coefs[f, lo + i]
        for z in range(scenes):
            _trace(mid, many, state, bits, year_, src_, dst_, sets_, better[z], chosen)
            for i in range(mid, many):
                taken[z, lo + i] = chosen[i]
                if chosen[i]:
                    for f in range(keys.shape[0]):
                        use[z, keys[f, lo + i]] += coefs[f, lo + i]
