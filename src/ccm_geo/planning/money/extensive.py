"""All scenarios in one matrix for HiGHS: exact for small cases, and an oracle for the price engine."""

import numpy as np
from scipy import sparse

from ccm_geo.planning.engine.flows import with_flows
from ccm_geo.planning.engine.matrix import Matrix, compiled
from ccm_geo.planning.listing import Floats, Ints, Mask

from .futures import Aim, Futures


def columns(futures: Futures) -> int:
    """How many options there are, counted once for shared years and in every scenario after them."""
    return int(futures.shared.sum() + (~futures.shared).sum() * len(futures.models))


def whole_matrix(futures: Futures, aim: Aim) -> tuple[Matrix, Ints]:
    """Lay out all scenarios with their shared options once.

    Returns
    -------
    tuple
        The matrix, and the column of each arc in each scenario, shape ``(scenarios, arcs)``; -1 where it
        cannot be taken. Binary columns come first.
    """
    place = _places(futures)
    binary = int(place.max(initial=-1)) + 1
    blocks, lower, upper = [], [], []
    capped, positive = [np.zeros(binary, bool)], [np.zeros(binary, bool)]
    gains, width = [], binary
    for z, own in enumerate(futures.able):
        mine = futures.arcs.keep(own)
        one = with_flows(compiled(mine, futures.rows[z]), mine, futures.models[z])
        arcs = int(own.sum())
        extra = len(one.benefit) - arcs
        to = np.concatenate([place[z, own], width + np.arange(extra)])
        blocks.append((one.rows, to))
        gains.append((one.benefit, to))
        lower.append(one.lower)
        upper.append(one.upper)
        capped.append(_from(one.capped, arcs, extra))
        positive.append(_from(one.positive, arcs, extra))
        width += extra
    risky = aim.worst > 0
    total = width + (1 + len(gains)) * risky
    rows = [_moved(part, to, total) for part, to in blocks]
    objective = np.zeros(total)
    for share, (own_gain, to) in zip((1 - aim.worst) * aim.chance, gains, strict=True):
        objective[to] += share * own_gain
    if risky:
        objective[width] = aim.worst
        objective[width + 1 :] = -aim.worst * aim.chance / aim.alpha
        rows.append(_tail_rows(gains, width, total))
        lower.append(np.full(len(gains), -np.inf))
        upper.append(np.zeros(len(gains)))
    spot = np.arange(total)
    return (
        Matrix(
            benefit=objective,
            rows=sparse.csr_array(sparse.vstack(rows)),
            lower=np.concatenate(lower),
            upper=np.concatenate(upper),
            binary=spot < binary,
            positive=np.concatenate([*positive, spot[width:] > width]),
            capped=np.concatenate([*capped, np.zeros(total - width, bool)]),
            coupling=0,
            scale=np.zeros(0),
        ),
        place,
    )


def _from(mask: Mask | None, begin: int, count: int) -> Mask:
    """Take so many columns from some place on; none are marked where the mask ends."""
    own = np.zeros(0, bool) if mask is None else mask[begin:]
    return np.concatenate([own, np.zeros(count - len(own), bool)])


def _places(futures: Futures) -> Ints:
    """Give every column its number: shared arcs first, then the later ones of each scenario."""
    place = np.full(futures.able.shape, -1)
    shared = futures.shared & futures.able[0]
    place[:, shared] = np.arange(shared.sum())
    at = int(shared.sum())
    for z, own in enumerate(futures.able & ~futures.shared):
        place[z, own] = at + np.arange(own.sum())
        at += int(own.sum())
    return place


def _moved(part: sparse.csr_array, to: Ints, width: int) -> sparse.csr_array:
    return sparse.csr_array((part.data, to[part.indices], part.indptr), shape=(part.shape[0], width))


def _tail_rows(gains: list[tuple[Floats, Ints]], width: int, total: int) -> sparse.csr_array:
    """By scenario: value at risk, less what falls short of it, less what the scenario averts, at most 0."""
    rows = []
    for z, (own, to) in enumerate(gains):
        row = np.zeros(total)
        row[to] -= own
        row[width] = 1.0
        row[width + 1 + z] = -1.0
        rows.append(sparse.csr_array(row[None]))
    return sparse.csr_array(sparse.vstack(rows))


def trees_of(place: Ints, taken: Mask) -> Mask:
    """Turn chosen columns into arcs taken in each scenario."""
    return np.where(place >= 0, np.append(taken, False)[place], False)
