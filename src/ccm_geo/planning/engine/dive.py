"""Plans by deciding one block after the other, those that bring most first, and pricing anew what is left.

The linear program over choices gives each choice a share. What has a large share and brings much is decided;
its rows then have less room, the other blocks are asked what they do best with what is left, and so on.
Few blocks with large hazards: rounding all shares at once, or exchange at random, loses the large ones.
"""

import time

import numpy as np

from ccm_geo.planning.listing import Floats, Ints, Mask

from .arcs import Arcs
from .choices import Choices, more_choices
from .fitting import fitting_answer
from .master import FINE, amounts, fines, relaxed
from .prices import Rows

_AT_ONCE = 0.2  # share of the open blocks that is decided before the others are asked again


def dived(
    arcs: Arcs, rows: Rows, pool: Choices, prices: Floats, *, seen: Mask, greed: float, until: float
) -> tuple[Mask | None, list[Mask]]:
    """Decide what the blocks do, a few at a time.

    Parameters
    ----------
    arcs, rows
        The model.
    pool
        Choices to begin with.
    prices
        Prices to begin with.
    seen
        Rows that the linear program holds.
    greed
        How much what a choice brings counts beside its share in what is decided first: 0 for not at all.
    until
        When to stop, by the monotonic clock.

    Returns
    -------
    tuple
        Arcs taken; they break no upper limit, but may miss lower ones. None where time is up or nothing
        that is left keeps the rules. And what the blocks did best on the way, with what was left: arcs taken.
    """
    size = 1e4 / max(float(np.abs(pool.benefit).max(initial=0.0)), 1e-300)
    scale, fine = amounts(pool)[seen], (FINE * fines(pool, prices))[seen]
    prices, known = prices.copy(), []
    while len(pool.blocks):
        left, open_ = rows.left(pool.spent), np.zeros(len(arcs.blocks.bonus), bool)
        open_[pool.blocks] = True
        asked = fitting_answer(arcs, left, rows.allowed(prices), open_=open_)
        pool = more_choices(arcs, left, pool, [asked.taken])
        known.append(asked.taken)
        if time.monotonic() > until or pool.lacks:
            return None, known
        near, share, _, _ = relaxed(pool.seeing(seen), rows.some(seen), fine, size, scale, None)
        if near is None:
            return None, known
        prices[seen] = near
        chosen = pool.highest(share)
        pool = pool.settle(_first(pool, left, chosen, share[chosen], prices, greed), chosen)
    return pool.settled, known


def _first(pool: Choices, left: Rows, chosen: Ints, share: Floats, prices: Floats, greed: float) -> Mask:
    """Say which blocks are decided now: those of largest share and gain that fit together."""
    gain = np.maximum(pool.benefit[chosen] - pool.use[chosen] @ prices, 0.0)
    weight = share * gain**greed
    order = np.lexsort((-share, -weight))
    out, room = np.zeros(len(chosen), bool), left.alone + left.room
    for block in order[: max(1, int(_AT_ONCE * len(chosen)))]:
        at = slice(*pool.use.indptr[chosen[block] : chosen[block] + 2])
        row, more = pool.use.indices[at], pool.use.data[at]
        if not out.any() or (more <= room[row]).all():
            out[block] = True
            room[row] -= more
    return out
