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
_PRICINGS = 60  # how often a block's own prices are set anew
_PATIENCE = 4  # of these without a lower bound, before they change by less
_NODES = 400  # branches looked into
_NEARLY = 1e-3  # share of what was found that a better choice must bring at least


class Use(NamedTuple):
    """What arcs use of rows that have a limit: ``coefs * step[j]`` of ``row[j]``, j from ``at[key]``."""

    keys: A
    coefs: A
    at: A
    row: A
    step: A
    limit: A


class _Block(NamedTuple):
    """One block: its number, hazards, and the value of its arcs, one after the other."""

    number: int
    hazards: A
    kept: A


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


def fit(which: A, net: Net, use: Use, value: A, taken: A, best: A, gain: A) -> None:
    """Put the best choice that fits into `taken` and `best`, for some blocks, and its value into `gain`.

    Where the search gets long, `gain` is what no choice that fits exceeds. Where no choice fits it is -inf,
    and the choice stays one that does not.
    """
    for b in which.tolist():
        hazards = net.members[net.blocks[b] : net.blocks[b + 1]]
        arcs = np.concatenate([np.arange(net.first[h], net.first[h + 1]) for h in hazards])
        block, room = _Block(b, hazards, value[arcs]), room_for(net, b, b + 1)
        own, total = np.zeros(len(use.limit)), np.zeros(len(use.limit))
        chosen, paths = np.zeros(len(arcs), bool), np.empty(len(hazards))
        scratch = net, use, value, room, taken, best, own, total, chosen, paths
        least, found = _priced(block, *scratch, gain[b])
        least, found = _branched(block, *scratch, least, found)
        if own.any() and least > _enough(found):
            own[:] = 0.0
            plain, found = _branched(block, *scratch, gain[b], found)
            least = min(least, plain)
        gain[b] = max(least, found)
        value[arcs] = block.kept
        if found > -np.inf:
            taken[arcs], best[hazards] = chosen, paths


@numba.njit(cache=True, nogil=True)
def _priced(  # noqa: C901, PLR0913, PLR0917 - one loop for the compiler
    block: _Block,
    net: Net,
    use: Use,
    value: A,
    room: Any,
    taken: A,
    best: A,
    own: A,
    total: A,
    chosen: A,
    paths: A,
    least: float,
) -> tuple[float, float]:
    """Fill `own` with prices at which the bound is low (subgradient); returns bound and best that fits."""
    found, stride, stale = -np.inf, 1.0, 0
    now, limit = np.zeros(len(own)), use.limit
    for _ in range(_PRICINGS):
        extra = _charge(block, net, use, now, value)
        worth = best_of_block(block.number, net, value, room, taken, best)
        gain = worth + extra
        stale += 1
        if gain < least:
            least, stale = gain, 0
            own[:] = now
        _add(block.hazards, net, use, taken, total, 1.0)
        if _fullest(block.hazards, net, use, taken, total) < 0:
            found = _noted(block, net, value, taken, best, chosen, paths, worth, found)
        if least <= _enough(found):
            _add(block.hazards, net, use, taken, total, 0.0)
            break
        if stale >= _PATIENCE:
            stride, stale = 0.5 * stride, 0
        length = 0.0
        for r in range(len(now)):
            if total[r] > limit[r] or now[r] > 0.0:
                length += (total[r] / limit[r] - 1.0) ** 2
        if gain == -np.inf:
            return gain, found
        goal = found if found > -np.inf else least - 0.1 * abs(least)
        far = stride * max(gain - goal, 1e-9 * abs(gain)) / length if length > 0.0 else 0.0
        for r in range(len(now)):
            if total[r] > limit[r] or now[r] > 0.0:
                now[r] = max(now[r] + far * (total[r] / limit[r] - 1.0) / limit[r], 0.0)
        _add(block.hazards, net, use, taken, total, 0.0)
    return least, found


@numba.njit(cache=True, nogil=True)
def _branched(  # noqa: PLR0913, PLR0917 - one search for the compiler
    block: _Block,
    net: Net,
    use: Use,
    value: A,
    room: Any,
    taken: A,
    best: A,
    own: A,
    total: A,
    chosen: A,
    paths: A,
    least: float,
    found: float,
) -> tuple[float, float]:
    """Search on at the block's own prices; returns what no choice that fits exceeds, and the best found."""
    hazards = block.hazards
    bound, parent = np.empty(_NODES), np.full(_NODES, -1)
    bans = np.empty((_NODES, 2), np.int64)
    above = np.empty(_NODES)
    bound[0], nodes, born, ceiling = least, 1, 0, -np.inf
    while True:
        n = born + int(np.argmax(bound[born:nodes]))
        if bound[n] <= max(_enough(found), ceiling):
            n = int(np.argmax(bound[:nodes]))
        if bound[n] <= max(_enough(found), ceiling):
            break
        worth, extra = _asked(n, block, net, use, value, room, taken, best, own, parent, bans, above)
        gain = min(worth + extra, bound[n])
        bound[n] = -np.inf
        _add(hazards, net, use, taken, total, 1.0)
        r = _fullest(hazards, net, use, taken, total)
        _add(hazards, net, use, taken, total, 0.0)
        if r < 0:
            found = _noted(block, net, value, taken, best, chosen, paths, worth, found)
            if gain > _enough(found):
                ceiling = max(ceiling, gain)
            continue
        born, nodes = nodes, _divided(hazards, net, use, taken, r, n, nodes, parent, bans, above)
        if nodes < 0:
            nodes, ceiling = born, max(ceiling, gain)
            break
        for child in range(born, nodes):
            worth, extra = _asked(child, block, net, use, value, room, taken, best, own, parent, bans, above)
            bound[child] = min(worth + extra, gain)
    return max(found, ceiling, float(bound[:nodes].max())), found


@numba.njit(cache=True, nogil=True)
def _asked(  # noqa: PLR0913, PLR0917 - one loop for the compiler
    n: int,
    block: _Block,
    net: Net,
    use: Use,
    value: A,
    room: Any,
    taken: A,
    best: A,
    own: A,
    parent: A,
    bans: A,
    above: A,
) -> tuple[float, float]:
    """Let the block do its best under the bans of a branch and of those it grew from."""
    extra = _charge(block, net, use, own, value)
    while parent[n] >= 0:
        h, r = bans[n, 0], bans[n, 1]
        if h < 0:
            value[r] = -np.inf
        else:
            for k in range(net.first[h], net.first[h + 1]):
                if _uses(k, r, use) >= above[n]:
                    value[k] = -np.inf
        n = parent[n]
    return best_of_block(block.number, net, value, room, taken, best), extra


@numba.njit(cache=True, nogil=True)
def _divided(  # noqa: C901, PLR0913, PLR0917 - one loop for the compiler
    hazards: A, net: Net, use: Use, taken: A, r: int, n: int, nodes: int, parent: A, bans: A, above: A
) -> int:
    """Grow the branches of which one must hold where row `r` is overdrawn; -1 where there is no room."""
    load, many, rest = np.zeros(len(hazards)), 0, use.limit[r]
    for i in range(len(hazards)):
        for k in range(net.first[hazards[i]], net.first[hazards[i] + 1]):
            if taken[k]:
                load[i] = max(load[i], _uses(k, r, use))
                many += 1
        rest -= load[i]
    if nodes + many > len(parent):
        return -1
    if rest < 0.0:
        rest = use.limit[r]
        while rest >= 0.0:
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
        for k in range(net.first[h], net.first[h + 1]):
            if taken[k] and _uses(k, r, use) > 0.0:
                parent[nodes], bans[nodes, 0], bans[nodes, 1], above[nodes] = n, -1, k, 0.0
                nodes += 1
    return nodes


@numba.njit(cache=True, nogil=True)
def _charge(block: _Block, net: Net, use: Use, own: A, value: A) -> float:
    """Take what arcs use, at the block's own prices, off their values; returns the limits at these prices."""
    at = 0
    for h in block.hazards:
        for k in range(net.first[h], net.first[h + 1]):
            x = block.kept[at]
            for f in range(use.keys.shape[0]):
                key = use.keys[f, k]
                for j in range(use.at[key], use.at[key + 1]):
                    x -= use.step[j] * use.coefs[f, k] * own[use.row[j]]
            value[k] = x
            at += 1
    extra = 0.0
    for r in range(len(own)):
        if own[r] > 0.0:
            extra += own[r] * use.limit[r]
    return extra


@numba.njit(cache=True, nogil=True)
def _noted(  # noqa: PLR0913, PLR0917 - one loop for the compiler
    block: _Block, net: Net, value: A, taken: A, best: A, chosen: A, paths: A, gain: float, found: float
) -> float:
    """Keep a choice of value `gain` at the block's own prices, if it is the best so far; return the best."""
    at = 0
    for h in block.hazards:
        for k in range(net.first[h], net.first[h + 1]):
            if taken[k]:
                gain += block.kept[at] - value[k]
            at += 1
    if gain <= found:
        return found
    at = 0
    for i in range(len(paths)):
        h = block.hazards[i]
        paths[i] = best[h]
        for k in range(net.first[h], net.first[h + 1]):
            chosen[at] = taken[k]
            at += 1
    return gain


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
                        over = total[r] - 1e-9 * max(use.limit[r], 1.0)
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
