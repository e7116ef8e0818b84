"""What stops bring, and the search for a good set of them.

Every place takes the best of the chosen stops. With the gain of a stop for a place (people it newly
covers, or person-minutes it saves), a set of stops is worth the sum over places of the largest gain among
them. Both goals, coverage and least travel, are this one problem.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numba
import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array, csr_array

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

_TINY = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """Choose stops (columns) so that the sum over places (rows) of the largest gain is largest.

    Parameters
    ----------
    gains
        Positive gains, shape ``(places, stops)``, by column.
    cost
        Of each stop, 0 or more.
    budget
        Most that the chosen stops may cost together.
    most
        Most stops that may be chosen.
    whole
        Every worth is a whole number, so bounds may be rounded down.
    """

    gains: csc_array
    cost: Floats
    budget: float
    most: int
    whole: bool = False

    def worth(self, chosen: Mask) -> float:
        """Add up what a set of stops brings."""
        return float(best_gains(*parts(self), np.flatnonzero(chosen), self.gains.shape[0]).sum())

    def allows(self, chosen: Mask) -> bool:
        """Say whether money and number of stops suffice."""
        return int(chosen.sum()) <= self.most and self.spent(chosen) <= self.budget * (1 + 1e-12)

    def spent(self, chosen: Mask) -> float:
        """Add up what a set of stops costs."""
        return float(self.cost[chosen].sum())

    def better_than(self, worth: float) -> float:
        """Give the least that a better set is worth, as far as rounding lets one tell."""
        return worth + 1 - 1e-6 if self.whole else worth * (1 + 1e-9) + 1e-9

    def given(self, chosen: Mask, kept: Ints) -> "Task":
        """Give the task that is left when some stops are settled and only those of `kept` are open."""
        base = best_gains(*parts(self), np.flatnonzero(chosen), self.gains.shape[0])
        rest = csc_array(self.gains[:, kept])
        data = rest.data - base[rest.indices]
        rows = csr_array(csc_array((np.maximum(data, 0), rest.indices, rest.indptr), shape=rest.shape))
        rows.eliminate_zeros()
        return replace(
            self,
            gains=merged(rows),
            cost=self.cost[kept],
            budget=self.budget - self.spent(chosen),
            most=self.most - int(chosen.sum()),
        )


def merged(rows: csr_array) -> csc_array:
    """Add places together that the same stops serve equally well, and leave out those that none serves."""
    rows.sort_indices()
    first, last = rows.indptr[:-1], rows.indptr[1:]
    some = np.flatnonzero(last > first)
    seen: dict[bytes, int] = {}
    group = np.empty(len(some), dtype=np.int64)
    indices, data = np.ascontiguousarray(rows.indices), rows.data
    for k, (a, b) in enumerate(zip(first[some].tolist(), last[some].tolist(), strict=True)):
        gain = data[a:b]
        level = gain.min() == gain.max()
        key = indices[a:b].tobytes() if level else b"\x00" * 3 + k.to_bytes(8, "little")
        group[k] = seen.setdefault(key, len(seen))
    picks = csr_array(
        (np.ones(len(some)), (group, some)), shape=(len(seen), rows.shape[0])
    )  # sums the rows of a group
    out = csc_array(picks @ rows)
    out.sort_indices()
    return out


def dominated(task: Task) -> Mask:
    """Say which stops another one beats: it costs no more and brings each place at least as much.

    Only pairs are looked at whose gains are of a kind (coverage); what is left is correct in any case.
    """
    gains = task.gains
    size = np.diff(gains.indptr)
    reach = csc_array((np.ones(gains.nnz), gains.indices, gains.indptr), shape=gains.shape)
    level = gains.max(axis=1).toarray().ravel()
    flat = bool((gains.data == level[gains.indices]).all())
    if not flat or gains.shape[1] > 3_000:
        return np.asarray(size == 0)
    shared = np.asarray((reach.T @ reach).todense())
    within = shared >= size[:, None]  # row's places are all among the column's
    cheaper = task.cost[None, :] <= task.cost[:, None]
    same = within & within.T & (task.cost[None, :] == task.cost[:, None])
    first = np.arange(len(size))[None, :] < np.arange(len(size))[:, None]
    beaten = within & cheaper & (~same | first)
    np.fill_diagonal(beaten, val=False)
    return np.asarray(beaten.any(axis=1) | (size == 0))


def searched(task: Task, start: Mask | None = None) -> Mask:
    """Find a good set: greedy by gain and by gain per cost, then swaps until none helps."""
    if start is not None:
        return _swapped(task, start)
    by_gain = _swapped(task, _greedy(task, np.ones(len(task.cost))))
    if not np.isfinite(task.budget) or np.ptp(task.cost) == 0:
        return by_gain
    by_rate = _swapped(task, _greedy(task, np.maximum(task.cost, _TINY)))
    return max(by_gain, by_rate, key=task.worth)


def repaired(task: Task, liked: Floats) -> Mask:
    """Take stops in order of liking as long as money and number allow."""
    chosen = np.zeros(len(liked), dtype=bool)
    left, many = task.budget, task.most
    for j in np.argsort(-liked, kind="stable"):
        if many and liked[j] > 0 and task.cost[j] <= left:
            chosen[j] = True
            left -= task.cost[j]
            many -= 1
    return chosen


def _greedy(task: Task, per: Floats) -> Mask:
    """Add the stop that brings most by its price, again and again."""
    chosen = np.zeros(len(task.cost), dtype=bool)
    best = np.zeros(task.gains.shape[0])
    left = task.budget
    for _ in range(min(task.most, len(chosen))):
        fits = ~chosen & (task.cost <= left)
        rate = np.where(fits, above(*parts(task), best) / per, -1.0)
        pick = int(np.argmax(rate))
        if rate[pick] <= 0:
            break
        chosen[pick] = True
        left -= task.cost[pick]
        best = best_gains(*parts(task), np.flatnonzero(chosen), len(best))
    return chosen


def _swapped(task: Task, chosen: Mask) -> Mask:
    """Exchange one stop for another, or add one, as long as it brings more."""
    chosen = chosen.copy()
    for _ in range(200):
        gain, inside = _best_swap(task, chosen)
        if gain <= _TINY * max(1.0, task.worth(chosen)):
            break
        out, new = inside
        if out >= 0:
            chosen[out] = False
        chosen[new] = True
    return chosen


def _best_swap(task: Task, chosen: Mask) -> tuple[float, tuple[int, int]]:
    held = np.flatnonzero(chosen)
    change = _changes(*parts(task), held, task.gains.shape[0])  # a column more: nothing goes out
    left = task.budget - task.spent(chosen)
    room = np.append(left + task.cost[held], left if len(held) < task.most else -1.0)
    fits = (task.cost[:, None] <= room[None, :]) & ~chosen[:, None]
    change = np.where(fits, change, -np.inf)
    new, out = np.unravel_index(int(np.argmax(change)), change.shape)
    leaves = int(held[out]) if out < len(held) else -1
    return float(change[new, out]), (leaves, int(new))


def parts(task: Task) -> tuple[Any, Any, Any]:
    return task.gains.indptr, task.gains.indices, task.gains.data


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile on first use and keep the result where a folder for it can be written."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:
        return numba.njit(nogil=True)(function)


@compiled
def best_gains(start: Any, row: Any, gain: Any, columns: Any, rows: int) -> Any:
    """Largest gain of each place among some stops."""
    best = np.zeros(rows)
    for j in columns:
        for k in range(start[j], start[j + 1]):
            best[row[k]] = max(best[row[k]], gain[k])
    return best


@compiled
def next_gains(start: Any, row: Any, gain: Any, columns: Any, rows: int) -> Any:
    """Largest, second and third gain of each place among some stops, shape ``(3, places)``."""
    best = np.zeros((3, rows))
    for j in columns:
        for k in range(start[j], start[j + 1]):
            i, g = row[k], gain[k]
            if g > best[0, i]:
                best[2, i], best[1, i], best[0, i] = best[1, i], best[0, i], g
            elif g > best[1, i]:
                best[2, i], best[1, i] = best[1, i], g
            elif g > best[2, i]:
                best[2, i] = g
    return best


@compiled
def above(start: Any, row: Any, gain: Any, level: Any) -> Any:
    """Add up by how much the gains of each stop exceed a level: the best so far, or the prices of places."""
    out = np.zeros(len(start) - 1)
    for j in range(len(out)):
        for k in range(start[j], start[j + 1]):
            more = gain[k] - level[row[k]]
            if more > 0:
                out[j] += more
    return out


@compiled
def _changes(  # noqa: C901 - one compiled loop
    start: Any, row: Any, gain: Any, held: Any, rows: int
) -> Any:
    """Change of worth when stop j (row) comes in for a held one (column), or for none (last column)."""
    first, second, whose = np.zeros(rows), np.zeros(rows), np.full(rows, -1)
    for h in range(len(held)):
        for k in range(start[held[h]], start[held[h] + 1]):
            i = row[k]
            if gain[k] > first[i]:
                second[i] = first[i]
                first[i] = gain[k]
                whose[i] = h
            elif gain[k] > second[i]:
                second[i] = gain[k]
    lost = np.zeros(len(held) + 1)
    for i in range(rows):
        if whose[i] >= 0:
            lost[whose[i]] += first[i] - second[i]
    out = np.empty((len(start) - 1, len(held) + 1))
    for j in range(len(start) - 1):
        added = 0.0
        saved = np.zeros(len(held) + 1)
        for k in range(start[j], start[j + 1]):
            i = row[k]
            if gain[k] > first[i]:
                added += gain[k] - first[i]
            if whose[i] >= 0 and gain[k] > second[i]:
                saved[whose[i]] += min(gain[k], first[i]) - second[i]
        for h in range(len(held) + 1):
            out[j, h] = added - lost[h] + saved[h]
    return out
