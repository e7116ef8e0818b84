"""Parts of the net that are cut off as a whole, so that who opens one need not search it.

An enclave is a set of nodes without a way to a goal, joined by open arcs. Where each of its nodes can reach
each other, nothing open leads into it, and its places have no arc to another enclave, one opened arc gives
a way to all of it or none. A release that opens arcs between enclaves and a single connected node can
shorten no way that exists: such a way would leave that node and come back to it.
"""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]


class Enclaves(NamedTuple):
    """Which nodes lie in which enclave, and who lives there."""

    of_node: Ints
    """Enclave of each node; -1 for nodes with a way, places, and what is not cut off as a whole."""
    people: Floats
    places: Floats


def enclaves(first: Ints, tail: Any, opened: npt.NDArray[np.bool_], base: Floats, people: Floats) -> Enclaves:
    """Find the enclaves of a net.

    Parameters
    ----------
    first, tail
        Arcs grouped by the node that they lead to, as in `Links`.
    opened
        Which arcs are open.
    base
        Minutes of each node over the open arcs, infinite where there is no way.
    people
        Who starts from each node; NaN where nobody is asked about.
    """
    size, off = len(base), np.isinf(base)
    leaf = np.diff(first) == 0  # places: arcs lead away from them only
    core = off & ~leaf
    tails, heads = tail[opened].astype(np.int64), np.repeat(np.arange(size), np.diff(first))[opened]
    into = core[heads]
    tails, heads = tails[into], heads[into]
    within = core[tails]
    net = csr_array((np.ones(within.sum(), bool), (tails[within], heads[within])), shape=(size, size))
    count, part = connected_components(net, directed=False)
    _, strong = connected_components(net, directed=True, connection="strong")
    whole = np.bincount(np.unique(np.column_stack([part, strong])[core], axis=0)[:, 0], minlength=count) == 1
    whole[part[heads[~off[tails]]]] = False
    lives = off & leaf
    pair = np.unique(np.column_stack([tails, part[heads]])[lives[tails]], axis=0).reshape(-1, 2)
    several = np.bincount(pair[:, 0], minlength=size) > 1
    whole[pair[several[pair[:, 0]], 1]] = False
    at = np.concatenate([pair, np.column_stack([np.flatnonzero(core), part[core]])])
    at = at[~np.isnan(people[at[:, 0]])]
    return Enclaves(
        of_node=np.where(core & whole[part], part, -1),
        people=np.bincount(at[:, 1], weights=people[at[:, 0]], minlength=count).astype(float),
        places=np.bincount(at[:, 1], minlength=count).astype(float),
    )
