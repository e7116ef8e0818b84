"""The best path of every hazard at given prices: a small dynamic program, compiled, linear in the options.

Options ("arcs") of a hazard stand together, by year; within a year the steps in the order of their states,
then the interim options (those that change no state). A path starts in the hazard's state of today; each
step leads it on, and at the end of each year it may take one interim option in the state it has reached.

Up to six *marks* per hazard carry what a path has done: taking an arc sets the bits of ``sets``, and an
arc can be taken only where the bits of ``asks`` are set. A path must end with the bits of ``must``.
"""

from typing import Any, TypeAlias

import numba
import numpy as np
import numpy.typing as npt

A: TypeAlias = npt.NDArray[Any]

MOST_MARKS = 6
_WIDEST = 1 << MOST_MARKS


@numba.njit(cache=True)
def best_paths(  # noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 - one loop nest for the compiler
    first: A,
    start: A,
    low: A,
    marks: A,
    must: A,
    year: A,
    src: A,
    dst: A,
    sets: A,
    asks: A,
    value: A,
    keys: A,
    coefs: A,
    taken: A,
    best: A,
    use: A,
) -> None:
    """Fill `taken` (bool per arc) and `best` (value per hazard; -inf where no path keeps its marks).

    Adds to `use` what the taken arcs use, by key.
    """
    states = 1
    for k in range(len(src)):
        states = max(states, src[k] + 1, dst[k] + 1)
    for h in range(len(start)):
        states = max(states, start[h] + 1)
    worth = np.empty(states * _WIDEST)
    before = np.empty(_WIDEST)
    longest = 0
    for h in range(len(start)):
        longest = max(longest, first[h + 1] - first[h])
    better = np.empty(longest, dtype=np.uint64)
    one = np.uint64(1)
    for h in range(len(start)):
        lo, hi = first[h], first[h + 1]
        width = 1 << marks[h]
        for i in range(states * width):
            worth[i] = -np.inf
        worth[start[h] * width] = 0.0
        k = lo
        while k < hi:
            s = src[k]
            if dst[k] != s:
                better[k - lo] = 0
                t = dst[k]
                for b in range(width):
                    x = worth[s * width + b]
                    if x > -np.inf and (b & asks[k]) == asks[k]:
                        i = t * width + (b | sets[k])
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
        top, state, bits = -np.inf, -1, 0
        for s in range(low[h], states):
            for b in range(width):
                if (b & must[h]) == must[h] and worth[s * width + b] > top:
                    top, state, bits = worth[s * width + b], s, b
        best[h] = top
        for k in range(lo, hi):
            taken[k] = False
        if state < 0:
            continue
        k = hi - 1
        while k >= lo:
            came = -1
            if dst[k] == state and better[k - lo] != 0:
                for b in range(width):
                    if (better[k - lo] >> np.uint64(b)) & one and (b | sets[k]) == bits:
                        came = b
            if came < 0:
                k -= 1
                continue
            taken[k] = True
            for f in range(keys.shape[0]):
                use[keys[f, k]] += coefs[f, k]
            bits = came
            if src[k] != dst[k]:
                state = src[k]
                k -= 1
                continue
            now = year[k]
            while k >= lo and src[k] == state and dst[k] == state and year[k] == now:
                k -= 1


@numba.njit(cache=True)
def path_losses(  # noqa: C901, PLR0913, PLR0917 - one loop nest for the compiler
    first: A, start: A, low: A, marks: A, year: A, src: A, dst: A, value: A, best: A, loss: A
) -> None:
    """Fill `loss`: how much worse the best path through each arc is than the hazard's best path.

    Never negative; infinite where no path leads through the arc; 0 for all arcs of a hazard with marks
    (nothing is known about them).
    """
    states = 1
    for k in range(len(src)):
        states = max(states, src[k] + 1, dst[k] + 1)
    for h in range(len(start)):
        states = max(states, start[h] + 1)
    ahead, onward = np.empty(states), np.empty(states)
    for h in range(len(start)):
        lo, hi = first[h], first[h + 1]
        if marks[h] > 0:
            for k in range(lo, hi):
                loss[k] = 0.0
            continue
        for s in range(states):
            ahead[s] = -np.inf
            onward[s] = 0.0 if s >= low[h] else -np.inf
        ahead[start[h]] = 0.0
        k = lo
        while k < hi:
            s = src[k]
            loss[k] = ahead[s] + value[k]
            if dst[k] != s:
                ahead[dst[k]] = max(ahead[dst[k]], loss[k])
                k += 1
                continue
            now = year[k]
            top = ahead[s]
            while k < hi and src[k] == s and dst[k] == s and year[k] == now:
                loss[k] = ahead[s] + value[k]
                top = max(top, loss[k])
                k += 1
            ahead[s] = top
        k = hi - 1
        while k >= lo:
            s = src[k]
            if dst[k] != s:
                through = loss[k] + onward[dst[k]]
                onward[s] = max(onward[s], value[k] + onward[dst[k]])
                loss[k] = max(best[h] - through, 0.0)
                k -= 1
                continue
            now = year[k]
            gain = 0.0
            while k >= lo and src[k] == s and dst[k] == s and year[k] == now:
                gain = max(gain, value[k])
                loss[k] = max(best[h] - (loss[k] + onward[s]), 0.0)
                k -= 1
            onward[s] += gain


@numba.njit(cache=True)
def price_values(benefit: A, keys: A, coefs: A, prices: A, value: A) -> None:
    """Fill `value`: benefit less what each arc uses at its prices; the last price is 0, for "none"."""
    for k in range(len(benefit)):
        x = benefit[k]
        for f in range(keys.shape[0]):
            x -= coefs[f, k] * prices[keys[f, k]]
        value[k] = x
