"""Spends no money for nothing: cheaper options that do the same, and no steps that avert nothing.

What a plan averts decides which plan is best; of plans that avert the same, the search may end with any.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from ccm_geo.planning.listing import Floats, Ints, Mask

from .arcs import Arcs
from .prices import Rows


def thrifty(arcs: Arcs, rows: Rows, plan: Mask, cost: Floats) -> Mask:
    """Take cheaper twins and leave out idle steps, one after the other, where no row is broken by it.

    Parameters
    ----------
    arcs, rows
        The model.
    plan
        Arcs taken.
    cost
        Of each arc.

    Returns
    -------
    numpy.ndarray
        A plan that averts as much or more, keeps the rows if `plan` does, and costs no more.
    """
    taken = plan.copy()
    use = rows.use_of(arcs, taken)
    for old, new in _twins(arcs, taken, cost):
        after = use - _use(arcs, rows, old) + _use(arcs, rows, new)
        if taken[old] and rows.keeps(after):
            taken[old], taken[new], use = False, True, after
    dropped = True
    while dropped:
        dropped = False
        for idle in _idle(arcs, taken):
            after = use - _use(arcs, rows, idle)
            if rows.keeps(after):
                taken[idle], use, dropped = False, after, True
    return taken


def _use(arcs: Arcs, rows: Rows, arc: int) -> Floats:
    """Say what an arc uses of each row."""
    return np.asarray(arcs.coefs[:, arc] @ rows.pattern[arcs.keys[:, arc]])


def _twins(arcs: Arcs, taken: Mask, cost: Floats) -> list[tuple[int, int]]:
    """Pair taken arcs with cheaper ones that do the same in the same year, largest saving first."""
    near = np.nonzero(np.isin(arcs.hazard, arcs.hazard[taken]))[0]
    same: list[npt.NDArray[Any]] = [arcs.hazard, arcs.year, arcs.src, arcs.dst, arcs.sets, arcs.asks]
    same += [pairs.works[arcs.origin] for pairs in arcs.blocks.pairs]
    told = np.zeros(len(near), np.int64)
    for part in same:
        told = told * (int(part.max(initial=0)) + 1) + part[near]
    _, group = np.unique(told, return_inverse=True)
    order = np.argsort(group, kind="stable")
    at = np.searchsorted(group[order], np.arange(group.max(initial=-1) + 2))
    least, found = np.full(len(at), np.inf), []
    np.minimum.at(least, group, cost[near])
    for old in np.nonzero(taken[near] & (least[group] < cost[near]))[0]:
        members = near[order[at[group[old]] : at[group[old] + 1]]]
        mine = near[old]
        better = members[(cost[members] < cost[mine]) & (arcs.benefit[members] >= arcs.benefit[mine])]
        found += [(float(cost[mine] - cost[new]), int(mine), int(new)) for new in better]
    return [(old, new) for _, old, new in sorted(found, key=lambda pair: -pair[0])]


def _idle(arcs: Arcs, taken: Mask) -> Ints:
    """Find arcs that avert nothing, that no arc stands on, and that bring nothing with other hazards."""
    which = np.nonzero(taken)[0]
    last = np.append(np.diff(arcs.hazard[which]) != 0, True)[: len(which)]
    steps = arcs.src[which] != arcs.dst[which]
    free = ~steps | (last & (arcs.src[which] >= arcs.low[arcs.hazard[which]]))
    tied = np.zeros(len(which), bool)
    for completion in (arcs.blocks.leading, *arcs.blocks.others):
        if completion is not None:
            tied |= arcs.final[which] & (completion.group[arcs.hazard[which]] >= 0)
    for pairs in arcs.blocks.pairs:
        tied |= pairs.works[arcs.origin[which]]
    nothing = (arcs.benefit[which] <= 0) & (arcs.sets[which] == 0)
    found: Ints = which[free & ~tied & nothing]
    return found
