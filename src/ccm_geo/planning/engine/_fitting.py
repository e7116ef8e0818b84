"""What blocks do best of what breaks no limit by itself: large hazards together may need two years' teams.

A block whose best choice overdraws a row gets prices of its own on its rows, which bring it near what fits.
Then branch and bound: where a choice breaks a row, one of the hazards that fill it must do with arcs that
use less of it; if the largest arc of each does not fill it, one of all their arcs must go.
"""

from typing import Any, NamedTuple, TypeAlias

import numba
import numpy as np
import numpy.typing as npt

from ._paths import Net, best_of_block, room_for

A: TypeAlias = npt.NDArray[Any]
_PRICINGS, _NODES = 20, 80  # how often own prices are set anew; branches looked into
_PATIENCE = 4  # pricings without a lower bound, before own prices change by less
_NEARLY = 1e-3  # share of what was found that a better choice must bring at least


class Use(NamedTuple):
    """What arcs use of rows that have a limit: ``coefs * step[j]`` of ``row[j]``, j from ``at[key]``."""

    keys: A
    coefs: A
    at: A
    row: A
    step: A
    limit: A


class _Task(NamedTuple):
    """One block to be fitted, and the arrays that this works in.

    `kept` are the values of the block's arcs, one after the other, `value` those at its own prices. `taken`
    and `best` are what it does now, `chosen` and `paths` its best choice so far, `total` is 0 between uses.
    """

    number: int
    hazards: A
    kept: A
    net: Net
    use: Use
    value: A
    room: Any
    taken: A
    best: A
    own: A
    total: A
    chosen: A
    paths: A


@numba.njit(cache=True, nogil=True)
def overdrawn(net: Net, use: Use, taken: A) -> A:
    """Say which blocks break a limit by themselves."""
    out, total = np.zeros(len(net.bonus), np.bool_), np.zeros(len(use.limit))
    for b in range(len(out)):
        hazards = net.members[net.blocks[b] : net.blocks[b + 1]]
        _add(hazards, net, use, taken, total, 1.0)
        out[b] = _fullest(hazards, net, use, taken, total) >= 0
        _add(hazards, net, use, taken, total, 0.0)
    return out


def fit(which: A, net: Net, use: Use, value: A, taken: A, best: A, gain: A, found: A) -> None:
    """Put the best choice that fits into `taken` and `best`, for some blocks, and its value into `found`.

    `gain` is what no choice that fits exceeds: more than was found where the search gets long. Where no
    choice was found `found` is -inf, and the choice stays one that does not fit.
    """
    for b in which.tolist():
        hazards = net.members[net.blocks[b] : net.blocks[b + 1]]
        arcs = np.concatenate([np.arange(net.first[h], net.first[h + 1]) for h in hazards])
        task = _Task(
            b, hazards, value[arcs], net, use, value, room_for(net, b, b + 1), taken, best,
            np.zeros(len(use.limit)), np.zeros(len(use.limit)), np.zeros(len(arcs), bool),
            np.empty(len(hazards)),
        )  # fmt: skip
        free = taken[arcs].copy()
        least, reached = _priced(task, gain[b])
        least, reached = _branched(task, least, reached)
        if task.own.any() and least > _enough(reached):
            task.own[:] = 0.0
            plain, reached = _branched(task, gain[b], reached)
            least = min(least, plain)
        gain[b], found[b] = max(least, reached), reached
        value[arcs], taken[arcs] = task.kept, task.chosen if reached > -np.inf else free
        if reached > -np.inf:
            best[hazards] = task.paths


@numba.njit(cache=True, nogil=True)
def _priced(task: _Task, least: float) -> tuple[float, float]:
    """Find own prices at which the bound is low (subgradient); returns bound and best that fits."""
    net, use, total, limit = task.net, task.use, task.total, task.use.limit
    found, stride, stale, now = -np.inf, 1.0, 0, np.zeros(len(limit))
    off = np.zeros(len(limit))
    for _ in range(_PRICINGS):
        extra = _charge(task, now)
        worth = best_of_block(task.number, net, task.value, task.room, task.taken, task.best)
        gain = worth + extra
        stale += 1
        if gain < least:
            least, stale = gain, 0
            task.own[:] = now
        _add(task.hazards, net, use, task.taken, total, 1.0)
        fits = _fullest(task.hazards, net, use, task.taken, total) < 0
        length = 0.0
        for r in range(len(limit)):
            off[r] = 0.0
            if total[r] > limit[r] or now[r] > 0.0:
                off[r] = total[r] / max(limit[r], 1e-9) - 1.0
                length += off[r] ** 2
        _add(task.hazards, net, use, task.taken, total, 0.0)
        if fits:
            found = _noted(task, worth, found)
        if least <= _enough(found) or length == 0.0:
            break
        if stale >= _PATIENCE:
            stride, stale = 0.5 * stride, 0
        goal = found if found > -np.inf else least - 0.1 * abs(least)
        far = stride * max(gain - goal, 1e-9 * abs(gain)) / length
        for r in range(len(limit)):
            now[r] = max(now[r] + far * off[r] / max(limit[r], 1e-9), 0.0)
    return least, found


@numba.njit(cache=True, nogil=True)
def _branched(task: _Task, least: float, found: float) -> tuple[float, float]:
    """Search on at the block's own prices; returns what no choice that fits exceeds, and the best found."""
    bound, parent = np.empty(_NODES), np.full(_NODES, -1)
    bans, above = np.empty((_NODES, 2), np.int64), np.empty(_NODES)
    bound[0], nodes, born, ceiling = least, 1, 0, -np.inf
    while True:
        n = born + int(np.argmax(bound[born:nodes]))
        if bound[n] <= max(_enough(found), ceiling):
            n = int(np.argmax(bound[:nodes]))
        if bound[n] <= max(_enough(found), ceiling):
            break
        worth, extra = _asked(task, n, parent, bans, above)
        gain = min(worth + extra, bound[n])
        bound[n] = -np.inf
        _add(task.hazards, task.net, task.use, task.taken, task.total, 1.0)
        r = _fullest(task.hazards, task.net, task.use, task.taken, task.total)
        _add(task.hazards, task.net, task.use, task.taken, task.total, 0.0)
        if r < 0:
            found = _noted(task, worth, found)
            if gain > _enough(found):
                ceiling = max(ceiling, gain)
            continue
        born, nodes = nodes, _divided(task, r, n, nodes, parent, bans, above)
        if nodes < 0:
            nodes, ceiling = born, max(ceiling, gain)
            break
        for child in range(born, nodes):
            worth, extra = _asked(task, child, parent, bans, above)
            bound[child] = min(worth + extra, gain)
    return max(found, ceiling, float(bound[:nodes].max())), found


@numba.njit(cache=True, nogil=True)
def _asked(task: _Task, n: int, parent: A, bans: A, above: A) -> tuple[float, float]:
    """Let the block do its best under the bans of a branch and of those it grew from."""
    extra, first = _charge(task, task.own), task.net.first
    while parent[n] >= 0:
        h, r = bans[n, 0], bans[n, 1]
        if h < 0:
            task.value[r] = -np.inf
        else:
            for k in range(first[h], first[h + 1]):
                if _uses(k, r, task.use) >= above[n]:
                    task.value[k] = -np.inf
        n = parent[n]
    return best_of_block(task.number, task.net, task.value, task.room, task.taken, task.best), extra


@numba.njit(cache=True, nogil=True)
def _divided(  # noqa: C901 - one loop for the compiler
    task: _Task, r: int, n: int, nodes: int, parent: A, bans: A, above: A
) -> int:
    """Grow the branches of which one must hold where row `r` is overdrawn; -1 where there is no room."""
    hazards, first, use = task.hazards, task.net.first, task.use
    load, many, least = np.zeros(len(hazards)), 0, -_slack(use.limit[r])
    rest = use.limit[r]
    for i in range(len(hazards)):
        for k in range(first[hazards[i]], first[hazards[i] + 1]):
            if task.taken[k]:
                load[i] = max(load[i], _uses(k, r, use))
                many += 1
        rest -= load[i]
    if nodes + many > len(parent):
        return -1
    if rest < least:
        rest = use.limit[r]
        while rest >= least:
            i = 0
            for j in range(1, len(hazards)):
                if load[j] > load[i]:
                    i = j
            parent[nodes], bans[nodes, 0], bans[nodes, 1], above[nodes] = n, hazards[i], r, load[i]
            nodes += 1
            rest -= load[i]
            load[i] = -1.0
        return nodes
    for h in hazards:
        for k in range(first[h], first[h + 1]):
            if task.taken[k] and _uses(k, r, use) > 0.0:
                parent[nodes], bans[nodes, 0], bans[nodes, 1], above[nodes] = n, -1, k, 0.0
                nodes += 1
    return nodes


@numba.njit(cache=True, nogil=True)
def _charge(task: _Task, own: A) -> float:
    """Take what arcs use, at own prices, off their values; returns the limits at these prices."""
    at, use = 0, task.use
    for h in task.hazards:
        for k in range(task.net.first[h], task.net.first[h + 1]):
            x = task.kept[at]
            for f in range(use.keys.shape[0]):
                key = use.keys[f, k]
                for j in range(use.at[key], use.at[key + 1]):
                    x -= use.step[j] * use.coefs[f, k] * own[use.row[j]]
            task.value[k] = x
            at += 1
    extra = 0.0
    for r in range(len(own)):
        if own[r] > 0.0:
            extra += own[r] * use.limit[r]
    return extra


@numba.njit(cache=True, nogil=True)
def _noted(task: _Task, gain: float, found: float) -> float:
    """Keep a choice of value `gain` at the block's own prices, if it is the best so far; return the best."""
    at, first = 0, task.net.first
    for h in task.hazards:
        for k in range(first[h], first[h + 1]):
            if task.taken[k]:
                gain += task.kept[at] - task.value[k]
            at += 1
    if gain <= found:
        return found
    at = 0
    for i in range(len(task.paths)):
        h = task.hazards[i]
        task.paths[i] = task.best[h]
        for k in range(first[h], first[h + 1]):
            task.chosen[at] = task.taken[k]
            at += 1
    return gain


@numba.njit(cache=True, nogil=True)
def _slack(limit: float) -> float:
    """Say by how much a limit may be exceeded by rounding alone."""
    return 1e-9 * max(limit, 1.0)


@numba.njit(cache=True, nogil=True)
def _enough(found: float) -> float:
    """Say up to what a bound is as good as what was found."""
    return found + _NEARLY * abs(found) if found > -np.inf else found


@numba.njit(cache=True, nogil=True)
def _add(hazards: A, net: Net, use: Use, taken: A, total: A, sign: float) -> None:
    """Add what hazards use to `total`; with `sign` 0 set it back to 0."""
    for h in hazards:
        for k in range(net.first[h], net.first[h + 1]):
            if taken[k]:
                for f in range(use.keys.shape[0]):
                    key = use.keys[f, k]
                    for j in range(use.at[key], use.at[key + 1]):
                        more = total[use.row[j]] + use.step[j] * use.coefs[f, k]
                        total[use.row[j]] = sign * more


@numba.njit(cache=True, nogil=True)
def _fullest(hazards: A, net: Net, use: Use, taken: A, total: A) -> int:
    """Return the row whose limit is broken by most for its size; -1 where none is broken."""
    worst, which = 1.0, -1
    for h in hazards:
        for k in range(net.first[h], net.first[h + 1]):
            if taken[k]:
                for f in range(use.keys.shape[0]):
                    key = use.keys[f, k]
                    for j in range(use.at[key], use.at[key + 1]):
                        r = use.row[j]
                        over = total[r] - _slack(use.limit[r])
                        if over > worst * use.limit[r]:
                            worst, which = over / use.limit[r] if use.limit[r] > 0.0 else np.inf, r
    return which


@numba.njit(cache=True, nogil=True)
def _uses(k: int, r: int, use: Use) -> float:
    """Say what an arc uses of a row."""
    total = 0.0
    for f in range(use.keys.shape[0]):
        key = use.keys[f, k]
        for j in range(use.at[key], use.at[key + 1]):
            if use.row[j] == r:
                total += use.step[j] * use.coefs[f, k]
    return total
