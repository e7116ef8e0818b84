"""Prices and plans from a pool of choices: a linear program over choices, asked for ever better ones.

The bound is lowest where no block has a choice that pays more than those it has in the pool (Dantzig and
Wolfe). Few blocks, many rows: here the bound has kinks at which a descent gets stuck, and this does not.
"""

import time
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
from scipy import sparse

from ccm_geo.planning.listing import Floats, Ints, Mask

from . import matrix
from .arcs import Arcs
from .choices import Choices, more_choices
from .fitting import fitting_answer
from .prices import Answer, Rows

_ROUNDS = 60
_LITTLE = 0.1  # new choices per block; once there are no more, blocks are solved exactly
FINE = 30.0  # what breaking a row costs in the linear program, in prices


@dataclass(frozen=True, kw_only=True)
class Master:
    """What a pool of choices says: the best answer to prices, the pool, and each choice's share."""

    best: Answer
    pool: Choices
    share: Floats


def mastered(
    arcs: Arcs, rows: Rows, priced: Answer, pool: Choices, *, seen: Mask, close: float, until: float
) -> Master:
    """Lower the bound by asking for choices that pay at the prices of the pool.

    Parameters
    ----------
    arcs, rows
        The model.
    priced
        The best answer so far.
    pool
        Choices to begin with.
    seen
        Rows that the linear program holds at first; the others are added where it breaks them.
    close
        Stop where pool and bound are nearer than this share.
    until
        When to stop, by the monotonic clock.
    """
    best = priced
    size = 1e4 / max(float(np.abs(pool.benefit).max(initial=0.0)), 1e-300)
    scale, fine = amounts(pool), FINE * fines(pool, priced.prices)
    share, settled = np.zeros(len(pool.benefit)), arcs.worth(pool.settled)
    basis, exact = None, None
    for _ in range(_ROUNDS):
        near, share, reached, basis = relaxed(
            pool.seeing(seen), rows.some(seen), fine[seen], size, scale[seen], basis
        )
        unseen = ~seen & rows.broken(pool.spent + pool.use.T @ share)
        if near is not None and unseen.any():
            seen, basis = seen | unseen, None
            continue
        if (
            near is None
            or best.bound - settled - reached <= close * abs(best.bound)
            or time.monotonic() > until
        ):
            break
        prices = np.zeros(len(seen))
        prices[seen] = near
        between = rows.allowed(0.5 * (prices + best.prices))
        found = [
            fitting_answer(arcs, rows, rows.allowed(prices), until=exact),
            fitting_answer(arcs, rows, between),
        ]
        best = min(best, *found, key=lambda a: a.bound)
        wider = more_choices(arcs, rows, pool, [f.taken for f in found])
        many = len(wider.benefit) - len(pool.benefit)
        if many == 0 and exact:
            break
        if many <= _LITTLE * len(pool.blocks):
            exact = until
        pool = wider
    if len(share) != len(pool.benefit):
        _, share, _, _ = relaxed(pool.seeing(seen), rows.some(seen), fine[seen], size, scale[seen], basis)
    return Master(best=best, pool=pool, share=share)


def best_of_pool(
    pool: Choices, rows: Rows, warm: Ints | None, *, slack: float, seconds: float
) -> Ints | None:
    """Choose one choice of each open block so that no row is broken and benefit is highest, with HiGHS.

    Parameters
    ----------
    pool, rows
        Choices, and the rows that they use.
    warm
        Choices to begin with, if known.
    slack
        Stop where the best choices are this near, in benefit.
    seconds
        Stop at this time.
    """
    count, blocks, scale = len(pool.benefit), len(pool.blocks), amounts(pool)
    one = sparse.csr_array((np.ones(count), (pool.owner, np.arange(count))), shape=(blocks, count))
    limits = [np.append((d - pool.spent) / scale, np.ones(blocks)) for d in (rows.lower, rows.upper)]
    laid = matrix.Matrix(
        benefit=pool.benefit,
        rows=sparse.csr_array(sparse.vstack([(pool.use @ sparse.diags_array(1 / scale)).T, one])),
        lower=limits[0],
        upper=limits[1],
        binary=np.ones(count, bool),
        coupling=len(scale),
        scale=scale,
    )
    begin = None if warm is None else np.isin(np.arange(count), warm)
    found = matrix.optimize(laid, gap=0.0, seconds=seconds, warm=begin, slack=slack)
    return None if found.taken is None else pool.highest(found.taken.astype(float))


def amounts(pool: Choices) -> Floats:
    """Say how much a choice uses of each row on average, where it uses any."""
    count = np.bincount(pool.use.indices, minlength=pool.use.shape[1])
    total = np.bincount(pool.use.indices, weights=np.abs(pool.use.data), minlength=pool.use.shape[1])
    return np.where(total > 0, total / np.maximum(count, 1), 1.0)


def fines(pool: Choices, prices: Floats) -> Floats:
    """Say what breaking each row by one unit should cost at least, so that no plan wants to.

    The price of the row; where that is low, a quarter of what a row is paid on average in all, spread over
    what the best choices use of the row.
    """
    best = pool.use[pool.highest(pool.benefit - pool.use @ prices)]
    used = np.abs(pool.spent) + np.asarray(abs(best).sum(axis=0)).ravel()
    used = np.where(used > 0, used, amounts(pool))
    bill = np.abs(prices) * used
    each = float(np.abs(pool.benefit).sum()) / max(len(used), 1)
    typical = float(bill[bill > 0].mean()) if bill.any() else each
    return np.asarray(np.maximum(np.abs(prices), 0.25 * typical / used))


def relaxed(
    pool: Choices, rows: Rows, fine: Floats, size: float, scale: Floats, basis: Any
) -> tuple[Floats | None, Floats, float, Any]:
    """Solve the linear program over shares of choices: prices, shares, what it reaches, where it ended."""
    solver = _loaded(pool, rows, size, scale, fine)
    if basis is not None:
        solver.setBasis(_widened(basis, pool))
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None, np.zeros(len(pool.benefit)), -np.inf, None
    solution = solver.getSolution()
    dual = np.asarray(solution.row_dual)[: len(scale)]
    value = np.asarray(solution.col_value)
    reached = -solver.getInfo().objective_function_value / size
    return -dual / size / scale, value[: len(pool.benefit)], reached, solver.getBasis()


def _widened(basis: Any, pool: Choices) -> Any:
    """Let a linear program over a wider pool begin where that over the narrower one has ended."""
    before = np.array([int(s) for s in basis.col_status])
    old = len(pool.benefit) and int(pool.born.max()) + 1
    columns = np.concatenate([np.where(pool.born >= 0, before[np.maximum(pool.born, 0)], 0), before[old:]])
    statuses = [highspy.HighsBasisStatus(i) for i in range(5)]
    out = highspy.HighsBasis()
    out.col_status, out.row_status = [statuses[i] for i in columns], list(basis.row_status)
    out.valid = True
    return out


def _loaded(pool: Choices, rows: Rows, size: float, scale: Floats, fine: Floats) -> Any:
    """One row per coupling row, then one per open block; columns are choices, then what breaks a row."""
    count, blocks = len(pool.benefit), len(pool.blocks)
    below, above = (np.nonzero(np.isfinite(limit))[0] for limit in (rows.lower, rows.upper))
    use = sparse.csr_array(pool.use @ sparse.diags_array(1 / scale))
    one = sparse.csr_array((np.ones(count), (np.arange(count), pool.owner)), shape=(count, blocks))
    body = sparse.csr_array(sparse.hstack([use, one]))
    soft = np.concatenate([below, above])
    sign = np.concatenate([np.ones(len(below)), -np.ones(len(above))])
    give = sparse.csr_array((sign, (np.arange(len(soft)), soft)), shape=(len(soft), body.shape[1]))
    body = sparse.csr_array(sparse.vstack([body, give]))
    cost = np.concatenate([-pool.benefit * size, fine[soft] * scale[soft] * size])
    upper = np.concatenate([np.ones(count), np.full(len(soft), highspy.kHighsInf)])
    solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = body.shape
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost, np.zeros(len(cost)), upper
    limits = [
        np.concatenate([(limit - pool.spent) / scale, np.ones(blocks)]) for limit in (rows.lower, rows.upper)
    ]
    lp.row_lower_, lp.row_upper_ = (np.clip(x, -highspy.kHighsInf, highspy.kHighsInf) for x in limits)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = body.indptr.astype(np.int32)
    lp.a_matrix_.index_ = body.indices.astype(np.int32)
    lp.a_matrix_.value_ = body.data
    solver.passModel(lp)
    return solver
