"""What blocks do best at given prices of what breaks no limit by itself.

Most blocks fit as they are, most others are fitted by a short search (`_fitting`). Where that proves nothing,
because a community's large hazards share their teams, the block becomes a small matrix of its own.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from ccm_geo.planning.listing import Floats, Ints, Mask

from . import _fitting, matrix
from .arcs import Arcs
from .prices import PARTS, THREADS, Answer, Rows, answer, net_of, values_at

_LOOSE = 1e-6  # share of the bound by which a block may promise more than was found for it
_SECONDS = 2.0  # for the matrix of one block


def fitting_answer(
    arcs: Arcs,
    rows: Rows,
    prices: Floats,
    *,
    open_: Mask | None = None,
    until: float | None = None,
) -> Answer:
    """Let every block take its best choice that breaks no limit by itself: a lower bound, for more work.

    Parameters
    ----------
    arcs, rows, prices
        The model, and the price of each row.
    open_
        Blocks that must fit; by default all.
    until
        Solve exactly what this leaves open, up to this time by the monotonic clock; None: leave it open.
    """
    free = answer(arcs, rows, prices)
    loose = _LOOSE * abs(free.bound)
    part, limit = rows.filled, rows.alone
    net, use = net_of(arcs), _fitting.Use(arcs.keys, arcs.coefs, part.indptr, part.indices, part.data, limit)
    over = _fitting.overdrawn(net, use, free.taken)
    over = over if open_ is None else over & open_
    if not over.any():
        return free
    taken, best, gain, found = free.taken.copy(), free.best.copy(), free.gain.copy(), free.gain.copy()
    which, value = np.nonzero(over)[0], values_at(arcs, rows, prices)

    def fit(part: Ints) -> None:
        _fitting.fit(part, net, use, value, taken, best, gain, found)

    def settle(block: int) -> None:
        if until is None or time.monotonic() > until:
            return
        mine = arcs.arcs_of(block)
        warm = taken[mine] if found[block] > -np.inf else None
        proven = _best_choice(arcs.of_block(block, value[mine]), rows, 0.1 * loose, warm)
        bound = proven.bound + 0.1 * loose  # far more than a solver's rounding
        gain[block] = -np.inf if proven.infeasible else min(gain[block], bound)
        if proven.taken is not None:
            taken[mine] = proven.taken
            paths = np.bincount(arcs.hazard[mine], weights=np.where(proven.taken, value[mine], 0.0))
            hazards = np.unique(arcs.hazard[mine])
            best[hazards] = paths[hazards]

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(fit, np.array_split(which, min(PARTS, len(which)))))
        list(pool.map(settle, which[gain[which] > found[which] + loose].tolist()))
    used = rows.use_of(arcs, taken)
    return replace(
        free,
        bound=float(gain.sum()) + rows.price_of_limits(prices),
        taken=taken,
        best=best,
        gain=gain,
        use=used,
        slope=rows.slope(prices, used),
    )


def _best_choice(block: Arcs, rows: Rows, slack: float, warm: Mask | None) -> matrix.Found:
    """Solve for one block, under the limits that it could break."""
    limits = replace(rows, lower=np.full(len(rows.lower), -np.inf), upper=rows.alone)
    everything = limits.use_of(block, np.ones(len(block.benefit), bool))
    own = limits.some(everything > rows.alone)
    laid = matrix.compiled(block, own)
    return matrix.optimize(laid, gap=0.0, seconds=_SECONDS, slack=slack, warm=warm, plain=True)
