"""Quickest ways through a net of arcs, compiled: to many goals at once, and what opening some arcs changes.

All searches run backwards, from the goals to the places, over arcs grouped by the node that they lead to.
Nodes wait in buckets by their minutes, and a node whose minutes fall again is looked at again, so the result
is exact whatever the width of a bucket (U. Meyer and P. Sanders, Delta-stepping: a parallelizable shortest
path algorithm, Journal of Algorithms 49, 2003). Where arcs open, minutes can only fall: the search starts at
the ends of these arcs and touches only nodes whose minutes do fall (G. Ramalingam and T. Reps, An incremental
algorithm for a generalization of the shortest-path problem, Journal of Algorithms 21, 1996).
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numba
import numpy as np
import numpy.typing as npt

from ._enclaves import enclaves

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Small: TypeAlias = npt.NDArray[np.int32]
Nodes: TypeAlias = npt.NDArray[np.uint32]

OPEN = -1
"""State of an arc that may be used."""
SHUT = -2
"""State of an arc that no single release opens; any other state is the number of what opens it."""

_BUCKETS = 4096  # a power of two; they are used in turn, whatever the longest way

_NUMBA: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


class Links(NamedTuple):
    """Arcs, grouped by the node that they lead to."""

    first: Ints
    """Where the arcs into each node begin, with the end appended, shape ``(nodes + 1,)``."""
    tail: Nodes
    """The node that each arc comes from."""
    minutes: Floats
    order: Ints
    """Which arc of the list that the links were made of stands here."""


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile on first use and keep the result, or compile in each run where nothing can be written."""
    try:
        return numba.njit(cache=True, **_NUMBA)(function)
    except RuntimeError:  # no folder for the cache is writable
        return numba.njit(**_NUMBA)(function)


def links(tail: Any, head: Any, minutes: Any, size: int) -> Links:
    """Group arcs by the node that they lead to; arcs that take forever are left out."""
    some = np.flatnonzero(np.isfinite(minutes))
    first, order = _grouped(np.asarray(head, dtype=np.int64)[some], size)
    order = some[order]
    return Links(first, np.asarray(tail)[order].astype(np.uint32), np.asarray(minutes)[order], order)


def to_goals(net: Links, state: Small | None, nodes: Any, minutes: Any) -> Floats:
    """Give the minutes from every node to the nearest goal.

    Parameters
    ----------
    net
        Of the arcs.
    state
        By arc as it stands in `net`: only those that are `OPEN` are used. None where all are open.
    nodes, minutes
        Where the goals are, and how long it takes from there to each.

    Returns
    -------
    numpy.ndarray
        Shape ``(nodes,)``, infinite where there is no way.
    """
    size = len(net.first) - 1
    out = np.full(size, np.inf)
    used = np.full(len(net.tail), OPEN, dtype=np.int32) if state is None else state
    _spread_all(net[:3], used, np.asarray(nodes), np.asarray(minutes, dtype=float), out)
    return out


def from_each(net: Links, goals: tuple[Any, ...], ends: tuple[Any, ...], limit: float) -> Floats:
    """Give the minutes from ends to each goal, one search of limited reach for each goal.

    Parameters
    ----------
    net
        Of the arcs.
    goals, ends
        ``(node, minutes, node, minutes)``: the two nodes from which each is reached, and how long that takes.
    limit
        Longest way looked at, minutes.

    Returns
    -------
    numpy.ndarray
        Shape ``(goals, ends)``.
    """
    out = np.full((len(goals[0]), len(ends[0])), np.inf)

    def work(part: slice) -> None:
        seeds = tuple(np.ascontiguousarray(column[part]) for column in goals)
        _table(net[:3], seeds, ends, limit, out[part])

    _in_parts(work, len(out))
    return out


def gains(net: Links, state: Small, base: Floats, people: Floats, count: int) -> Floats:
    """Say what each single release changes, by a local search from the arcs that it opens.

    Parameters
    ----------
    net
        Of the arcs.
    state
        By arc as it stands in `net`: `OPEN`, `SHUT`, or the number of what opens it alone.
    base
        Minutes from each node with only the open arcs.
    people
        Who starts from each node; NaN where nobody is asked about.
    count
        How many releases there are.

    Returns
    -------
    numpy.ndarray
        Shape ``(count, 4)``: people and places that get a way; of those who had one, people-minutes saved
        and people whose way gets shorter.
    """
    single = np.flatnonzero(state >= 0)
    begin, order = _grouped(state[single].astype(np.int64), count)
    arcs = single[order]
    head = np.searchsorted(net.first, arcs, side="right") - 1
    out = np.zeros((count, 4))

    shut = tuple(enclaves(net.first, net.tail, state == OPEN, base, people))

    def work(part: slice) -> None:
        _release_each(net[:3], state, base, people, shut, begin, arcs, head, part.start, part.stop, out)

    _in_parts(work, count)
    return out


def _in_parts(work: Callable[[slice], None], count: int) -> None:
    """Work on parts of equal size in as many threads as there are cores."""
    cores = min(os.cpu_count() or 1, max(count, 1))
    edges = (
        np.linspace(0, count, 1 if cores == 1 else 8 * cores + 1).astype(int) if count else np.zeros(1, int)
    )
    if cores == 1:
        work(slice(0, count))
        return
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(work, (slice(a, b) for a, b in pairwise(edges.tolist()) if b > a)))


@compiled
def _grouped(key: Any, size: int) -> Any:
    """Sort by a small whole number, keeping the order within: where each group begins, and the order."""
    first = np.zeros(size + 1, np.int64)
    for k in range(len(key)):
        first[key[k] + 1] += 1
    for k in range(size):
        first[k + 1] += first[k]
    place = first.copy()
    order = np.empty(len(key), np.int64)
    for k in range(len(key)):
        order[place[key[k]]] = k
        place[key[k]] += 1
    return first, order


@compiled
def _queue(minutes: Any, size: int) -> Any:
    """Make an empty queue: the last entry by bucket, entries (one before, node), minutes, buckets a minute.

    A node may stand in several buckets; entries whose minutes are no longer the node's are passed over.
    """
    mean = minutes.mean() if len(minutes) else 1.0
    per_minute = 1 / mean if mean > 0 else 1.0
    room = len(minutes) + size + 1
    return np.full(_BUCKETS, -1, np.int32), np.empty((room, 2), np.int32), np.empty(room), per_minute


@compiled
def _tidied(queue: Any, now: Any) -> int:
    """Make room in a full queue by leaving out what is to be passed over anyway; how many entries remain."""
    last, entry, entry_minutes, per_minute = queue
    keep, keep_minutes = np.empty(len(now), np.int32), np.empty(len(now))
    count = 0
    for bucket in range(len(last)):
        at = last[bucket]
        while at >= 0:
            if entry_minutes[at] == now[entry[at, 1]]:
                keep[count], keep_minutes[count] = entry[at, 1], entry_minutes[at]
                count += 1
            at = entry[at, 0]
        last[bucket] = -1
    for k in range(count):
        bucket = int(keep_minutes[k] * per_minute) & (_BUCKETS - 1)
        entry[k, 0], entry[k, 1], entry_minutes[k] = last[bucket], keep[k], keep_minutes[k]
        last[bucket] = k
    return count


@compiled
def _seed(  # noqa: PLR0913, PLR0917 - compiled: plain arrays, no structures
    at: int, value: float, limit: float, base: Any, now: Any, queue: Any, used: int, touched: Any, met: int
) -> Any:
    """Let one node wait if its minutes fall; how many entries there are, and nodes fallen below `base`."""
    last, entry, entry_minutes, per_minute = queue
    if value < now[at] and value <= limit and used < len(entry):
        if base is not None and now[at] == base[at]:
            touched[met] = at
            met += 1
        now[at] = value
        bucket = int(value * per_minute) & (_BUCKETS - 1)
        entry[used, 0], entry[used, 1], entry_minutes[used] = last[bucket], at, value
        last[bucket] = used
        used += 1
    return used, met


@compiled
def _spread(  # noqa: PLR0913, PLR0917 - compiled: one loop, plain arrays
    net: Any,
    state: Any,
    opened: int,
    limit: float,
    base: Any,
    now: Any,
    queue: Any,
    begin: float,
    used: int,
    touched: Any,
    met: int,
) -> int:
    """Lower the minutes of all nodes that the waiting ones lead to; list those that fell below `base`."""
    into, tail, minutes = net
    last, entry, entry_minutes, per_minute = queue
    bucket, waiting = int(begin * per_minute) & (_BUCKETS - 1) if used else 0, used
    while waiting > 0:
        top = last[bucket]
        if top < 0:
            bucket = (bucket + 1) & (_BUCKETS - 1)
            continue
        last[bucket], at, best = entry[top, 0], entry[top, 1], entry_minutes[top]
        waiting -= 1
        if best > now[at]:
            continue
        for arc in range(into[at], into[at + 1]):
            if state[arc] != OPEN and state[arc] != opened:
                continue
            other, value = tail[arc], best + minutes[arc]
            if value < now[other] and value <= limit:
                if base is not None and now[other] == base[other]:
                    touched[met] = other
                    met += 1
                if used == len(entry):
                    used = _tidied(queue, now)
                    waiting = used
                now[other] = value
                place = int(value * per_minute) & (_BUCKETS - 1)
                entry[used, 0], entry[used, 1], entry_minutes[used] = last[place], other, value
                last[place] = used
                used += 1
                waiting += 1
    return met


@compiled
def _spread_all(net: Any, state: Any, nodes: Any, start: Any, out: Any) -> None:
    queue = _queue(net[2], len(out))
    used, begin = 0, np.inf
    for k in range(len(nodes)):
        begin = min(begin, start[k])
        used, _ = _seed(nodes[k], start[k], np.inf, None, out, queue, used, None, 0)
    _spread(net, state, OPEN, np.inf, None, out, queue, begin, used, None, 0)


@compiled
def _table(net: Any, goals: Any, ends: Any, limit: float, out: Any) -> None:
    size = len(net[0]) - 1
    a, from_a, b, from_b = goals
    end_a, to_a, end_b, to_b = ends
    queue = _queue(net[2], size)
    state = np.full(len(net[1]), OPEN, np.int32)
    base, now = np.full(size, np.inf), np.full(size, np.inf)
    touched = np.empty(size, np.int32)
    for goal in range(len(a)):
        used, met = _seed(a[goal], from_a[goal], limit, base, now, queue, 0, touched, 0)
        used, met = _seed(b[goal], from_b[goal], limit, base, now, queue, used, touched, met)
        begin = min(from_a[goal], from_b[goal])
        met = _spread(net, state, OPEN, limit, base, now, queue, begin, used, touched, met)
        for end in range(len(end_a)):
            out[goal, end] = min(now[end_a[end]] + to_a[end], now[end_b[end]] + to_b[end])
        for k in range(met):
            now[touched[k]] = np.inf


@compiled
def _opens_enclaves(  # noqa: PLR0913, PLR0917 - compiled: plain arrays, no structures
    begin: int,
    end: int,
    arcs: Any,
    head: Any,
    tail: Any,
    base: Any,
    shut: Any,
    seen: Any,
    mark: int,
    found: Any,
) -> bool:
    """Add up the enclaves that opened arcs join to a single connected node; False where that is not all."""
    of_node, people, places = shut
    door: Any = -1
    for k in range(begin, end):
        for at in (np.int64(tail[arcs[k]]), np.int64(head[k])):
            if not np.isinf(base[at]):
                if door >= 0 and door != at:
                    return False
                door = at
            elif of_node[at] < 0:
                return False
    more = door >= 0
    while more:
        more = False
        for k in range(begin, end):
            at, to = np.int64(tail[arcs[k]]), head[k]
            joined = to == door or (np.isinf(base[to]) and seen[of_node[to]] == mark)
            if joined and at != door and seen[of_node[at]] != mark:
                seen[of_node[at]] = mark
                found[0] += people[of_node[at]]
                found[1] += places[of_node[at]]
                more = True
    return True


@compiled
def _release_each(  # noqa: PLR0913, PLR0917 - compiled: plain arrays, no structures
    net: Any,
    state: Any,
    base: Any,
    people: Any,
    shut: Any,
    begin: Any,
    arcs: Any,
    head: Any,
    start: int,
    stop: int,
    out: Any,
) -> None:
    queue = _queue(net[2], len(base))
    now, touched = base.copy(), np.empty(len(base), np.int32)
    seen = np.full(len(shut[1]), -1, np.int64)
    for number in range(start, stop):
        first, last = begin[number], begin[number + 1]
        if _opens_enclaves(first, last, arcs, head, net[1], base, shut, seen, number, out[number]):
            continue
        used, met, soonest = 0, 0, np.inf
        for k in range(first, last):
            value = base[head[k]] + net[2][arcs[k]]
            soonest = min(soonest, value)
            at = net[1][arcs[k]]
            used, met = _seed(at, value, np.inf, base, now, queue, used, touched, met)
        met = _spread(net, state, number, np.inf, base, now, queue, soonest, used, touched, met)
        for k in range(met):
            at = touched[k]
            if not np.isnan(people[at]):
                if np.isinf(base[at]):
                    out[number, 0] += people[at]
                    out[number, 1] += 1
                else:
                    out[number, 2] += people[at] * (base[at] - now[at])
                    out[number, 3] += people[at]
            now[at] = base[at]
