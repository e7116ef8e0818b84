"""Minimum cuts and random exchange on graphs of neighbors, compiled.

A graph is held by arcs: those of node i stand at ``first[i]`` to ``first[i + 1]``, lead to ``head`` and have
the arc back at ``back``. `room` is what an arc can still carry. `spare` says of each node what it still has
to give (positive) or can still take (negative). Carrying d from i to j takes d from `spare` of i and from
`room` of the arc, and adds d to `spare` of j and to `room` of the arc back, so a flow found at one price is
where the next one starts.
"""

from typing import Any, TypeAlias

import numba
import numpy as np
import numpy.typing as npt

A: TypeAlias = npt.NDArray[Any]

_ROOT, _ORPHAN, _NONE = -1, -2, -3
_FAR = 1 << 40


@numba.njit(cache=True)
def cut(  # noqa: C901, PLR0912, PLR0915 - one loop nest for the compiler
    first: A, head: A, back: A, room: A, spare: A, free: A, side: A
) -> None:
    """Carry as much as possible from nodes that give to nodes that take, over `free` nodes only.

    Changes `room` and `spare`; fills `side` of the free nodes: 1 where a giving node still reaches it (the
    smallest best set), 2 where it still reaches a taking node, 0 where neither (there are best sets with
    it and without it).

    Notes
    -----
    Two search trees grow from the giving and the taking nodes and are kept between augmentations
    (Boykov and Kolmogorov 2004, An experimental comparison of min-cut/max-flow algorithms, PAMI 26(9)).
    An augmentation takes the smallest room on its path from itself, which leaves exactly 0 in floats as
    well, so it ends.
    """
    n = len(spare)
    parent = np.full(n, _NONE, np.int64)
    stamp = np.zeros(n, np.int64)
    depth = np.zeros(n, np.int64)
    queued = np.zeros(n, np.bool_)
    queue = np.empty(n + 1, np.int64)
    begin, end = 0, 0
    orphans = np.empty(n, np.int64)
    for i in range(n):
        if not free[i]:
            continue
        side[i] = 0
        if spare[i] != 0.0:
            side[i] = 1 if spare[i] > 0 else 2
            parent[i] = _ROOT
            depth[i] = 1
            queue[end] = i
            end += 1
            queued[i] = True
    time = 0
    here = -1
    while True:
        i = here
        if i >= 0 and parent[i] == _NONE:
            i = -1
        while i < 0 and begin != end:
            i = queue[begin]
            begin = begin + 1 if begin < n else 0
            queued[i] = False
            if parent[i] == _NONE:
                i = -1
        if i < 0:
            break
        here = -1
        middle = -1
        own = side[i]
        for a in range(first[i], first[i + 1]):
            j = head[a]
            along = a if own == 1 else back[a]
            if not free[j] or room[along] <= 0.0:
                continue
            if parent[j] == _NONE:
                side[j] = own
                parent[j] = back[a]
                stamp[j] = stamp[i]
                depth[j] = depth[i] + 1
                if not queued[j]:
                    queued[j] = True
                    queue[end] = j
                    end = end + 1 if end < n else 0
            elif side[j] != own:
                middle = along
                break
            elif stamp[j] <= stamp[i] and depth[j] > depth[i]:
                parent[j] = back[a]
                stamp[j] = stamp[i]
                depth[j] = depth[i] + 1
        time += 1
        if middle < 0:
            continue
        here = i
        most = room[middle]
        k = head[back[middle]]
        while parent[k] != _ROOT:
            most = min(most, room[back[parent[k]]])
            k = head[parent[k]]
        most = min(most, spare[k])
        k = head[middle]
        while parent[k] != _ROOT:
            most = min(most, room[parent[k]])
            k = head[parent[k]]
        most = min(most, -spare[k])
        room[middle] -= most
        room[back[middle]] += most
        lost = 0
        k = head[back[middle]]
        while parent[k] != _ROOT:
            a = parent[k]
            room[a] += most
            room[back[a]] -= most
            if room[back[a]] <= 0.0:
                parent[k] = _ORPHAN
                orphans[lost] = k
                lost += 1
            k = head[a]
        spare[k] -= most
        if spare[k] <= 0.0:
            parent[k] = _ORPHAN
            orphans[lost] = k
            lost += 1
        k = head[middle]
        while parent[k] != _ROOT:
            a = parent[k]
            room[back[a]] += most
            room[a] -= most
            if room[a] <= 0.0:
                parent[k] = _ORPHAN
                orphans[lost] = k
                lost += 1
            k = head[a]
        spare[k] += most
        if spare[k] >= 0.0:
            parent[k] = _ORPHAN
            orphans[lost] = k
            lost += 1
        while lost > 0:
            lost -= 1
            o = orphans[lost]
            own = side[o]
            chosen, nearest = -1, _FAR
            for a in range(first[o], first[o + 1]):
                j = head[a]
                if parent[j] == _NONE or side[j] != own or room[back[a] if own == 1 else a] <= 0.0:
                    continue
                d = 0
                k = j
                while True:
                    if stamp[k] == time:
                        d += depth[k]
                        break
                    d += 1
                    if parent[k] == _ROOT:
                        stamp[k] = time
                        depth[k] = 1
                        break
                    if parent[k] == _ORPHAN:
                        d = _FAR
                        break
                    k = head[parent[k]]
                if d >= _FAR:
                    continue
                if d < nearest:
                    chosen, nearest = a, d
                k = j
                while stamp[k] != time:
                    stamp[k] = time
                    depth[k] = d
                    d -= 1
                    k = head[parent[k]]
            if chosen >= 0:
                parent[o] = chosen
                stamp[o] = time
                depth[o] = nearest + 1
                continue
            parent[o] = _NONE
            side[o] = 0
            for a in range(first[o], first[o + 1]):
                j = head[a]
                if parent[j] == _NONE or side[j] != own:
                    continue
                if room[back[a] if own == 1 else a] > 0.0 and not queued[j]:
                    queued[j] = True
                    queue[end] = j
                    end = end + 1 if end < n else 0
                if parent[j] >= 0 and head[parent[j]] == o:
                    parent[j] = _ORPHAN
                    orphans[lost] = j
                    lost += 1


@numba.njit(cache=True)
def exchange(  # noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 - one loop nest for the compiler
    first: A,
    head: A,
    weight: A,
    gain: A,
    taken: A,
    cells: A,
    block_first: A,
    block: A,
    row_first: A,
    row: A,
    coef: A,
    use: A,
    lower: A,
    upper: A,
    slack: A,
    firm: A,
    tries: int,
    hot: float,
    cold: float,
    seed: int,
    best: A,
) -> float:
    """Flip cells at random, ever more choosily, and keep the best patch that breaks no row in `best`.

    A flip is one cell, two cells of which one is taken, a cell with its neighbors of the same state, or all
    cells of a block that are in one state. `cells` may flip; all cells of blocks are among them.
    `gain` and `use` belong to `taken` and change with it. Breaking a row by d costs `firm` times d, from a
    thirtieth of it in the beginning. Returns by how much `best` is better than `taken` was; -inf if none was
    found.
    """
    np.random.seed(seed)  # noqa: NPY002 - compiled code has this generator only
    count = len(cells)
    own = np.zeros(len(gain), np.bool_)
    for i in cells:
        own[i] = True
    over = 0
    for r in range(len(use)):
        if use[r] > upper[r] + slack[r] or use[r] < lower[r] - slack[r]:
            over += 1
    value, top = 0.0, -np.inf
    if over == 0:
        top = 0.0
        best[:] = taken
    begun = taken.copy()
    blocks = len(block_first) - 1
    widest = 64
    for k in range(blocks):
        widest = max(widest, block_first[k + 1] - block_first[k])
    group = np.empty(widest, np.int64)
    cool = (cold / hot) ** (1.0 / tries)
    harden = 30.0 ** (1.0 / tries)
    heat, hard = hot, 1.0 / 30.0
    for _ in range(tries):
        heat *= cool
        hard *= harden
        i = cells[np.random.randint(count)]  # noqa: NPY002
        group[0] = i
        size = 1
        kind = np.random.random()  # noqa: NPY002
        if kind < 0.1 and blocks > 0:
            k = np.random.randint(blocks)  # noqa: NPY002
            goal = not taken[block[block_first[k] + np.random.randint(block_first[k + 1] - block_first[k])]]  # noqa: NPY002
            size = 0
            for g in range(block_first[k], block_first[k + 1]):
                if taken[block[g]] != goal:
                    group[size] = block[g]
                    size += 1
        elif kind < 0.6:
            j = cells[np.random.randint(count)]  # noqa: NPY002
            if taken[j] != taken[i]:
                group[1] = j
                size = 2
        elif kind < 0.75:
            for a in range(first[i], first[i + 1]):
                j = head[a]
                if own[j] and taken[j] == taken[i] and size < 64 and np.random.random() < 0.7:  # noqa: NPY002
                    group[size] = j
                    size += 1
        change, fine = 0.0, 0.0
        for g in range(size):
            j = group[g]
            sign = -1.0 if taken[j] else 1.0
            change += sign * gain[j]
            for a in range(first[j], first[j + 1]):
                gain[head[a]] += sign * weight[a]
            taken[j] = not taken[j]
            for k in range(row_first[j], row_first[j + 1]):
                r = row[k]
                before = max(use[r] - upper[r], 0.0) + max(lower[r] - use[r], 0.0)
                over -= use[r] > upper[r] + slack[r] or use[r] < lower[r] - slack[r]
                use[r] += sign * coef[k]
                over += use[r] > upper[r] + slack[r] or use[r] < lower[r] - slack[r]
                after = max(use[r] - upper[r], 0.0) + max(lower[r] - use[r], 0.0)
                fine += hard * firm[r] * (after - before)
        if change >= fine or np.random.random() < np.exp((change - fine) / heat):  # noqa: NPY002
            value += change
            if over == 0 and value > top:
                if top == -np.inf:
                    best[:] = begun
                top = value
                for j in cells:
                    best[j] = taken[j]
        else:
            for g in range(size):
                j = group[size - 1 - g]
                sign = -1.0 if taken[j] else 1.0
                for a in range(first[j], first[j + 1]):
                    gain[head[a]] += sign * weight[a]
                taken[j] = not taken[j]
                for k in range(row_first[j], row_first[j + 1]):
                    r = row[k]
                    over -= use[r] > upper[r] + slack[r] or use[r] < lower[r] - slack[r]
                    use[r] += sign * coef[k]
                    over += use[r] > upper[r] + slack[r] or use[r] < lower[r] - slack[r]
            continue
    return top


@numba.njit(cache=True)
def turns(first: A, head: A, weight: A, gain: A, taken: A, block_first: A, block: A, change: A) -> None:
    """Fill `change`, shape ``(blocks, 2)``: what dropping (0) or taking (1) the rest of a block brings."""
    member = np.zeros(len(gain), np.bool_)
    for k in range(len(block_first) - 1):
        for state in range(2):
            for g in range(block_first[k], block_first[k + 1]):
                member[block[g]] = taken[block[g]] != (state == 1)
            total = 0.0
            for g in range(block_first[k], block_first[k + 1]):
                i = block[g]
                if member[i]:
                    total += gain[i] if state == 1 else -gain[i]
                    for a in range(first[i], first[i + 1]):
                        if member[head[a]]:
                            total += weight[a] / 2
            change[k, state] = total
            for g in range(block_first[k], block_first[k + 1]):
                member[block[g]] = False
