"""What flows from pots to needs as columns of a matrix, in place of rows that are too many to lay out."""

from dataclasses import replace

import numpy as np
from scipy import sparse

from ccm_geo.planning.listing import Floats, Ints, Mask
from ccm_geo.planning.model import Hidden, Model

from .arcs import Arcs
from .matrix import Matrix

_MOST_PIPES = 20_000  # columns; of more, rows that come to light are less work


def with_flows(laid: Matrix, arcs: Arcs, model: Model, fixed: Mask | None = None) -> Matrix:
    r"""Add flows that pay for what arcs use, where not all rows of a family are laid out.

    Parameters
    ----------
    laid
        Matrix of these arcs.
    arcs, fixed
        As in `matrix.compiled`.
    model
        Options and rules.

    Notes
    -----
    A column for each need k and pot p that may pay it, :math:`y_{kp} \ge 0`, and the rows
    :math:`\sum_j c_j x_j \le \sum_p y_{kp}` for each need, :math:`\sum_k y_{kp} \le m_p` for each pot.
    """
    at = 0
    for number, family in enumerate(model.families):
        hidden = family.hidden
        if hidden is not None and not hidden.complete and hidden.pipes[0].sum() <= _MOST_PIPES:
            laid = _with_family(laid, arcs, (number, at), hidden, fixed)
        at += family.pattern.shape[0]
    return laid


def _with_family(
    laid: Matrix, arcs: Arcs, place: tuple[int, int], hidden: Hidden, fixed: Mask | None
) -> Matrix:
    may, money, spent = hidden.pipes
    needs, pots = may.shape
    taken = np.zeros(len(arcs.benefit), bool) if fixed is None else fixed
    settled = np.zeros(len(arcs.start), bool)
    settled[arcs.hazard[taken]] = True
    free = np.nonzero(~settled[arcs.hazard])[0]
    spent = spent + _by_need(arcs, np.nonzero(taken)[0], place, needs)
    cost = arcs.coefs[place[0], free]
    key = arcs.keys[place[0], free].astype(np.int64) - place[1]
    held = np.nonzero((key >= 0) & (key < needs) & (cost != 0))[0]
    unit = float(np.quantile(cost[held], 0.05)) if len(held) else 1.0
    need, pot = np.nonzero(may)
    pipes, width = len(need), laid.rows.shape[1]
    each = np.arange(pipes)
    asks = sparse.csr_array((cost[held] / unit, (key[held], held)), shape=(needs, width))
    pays = sparse.csr_array((-np.ones(pipes), (need, each)), shape=(needs, pipes))
    takes = sparse.csr_array((np.ones(pipes), (pot, each)), shape=(pots, pipes))
    blocks = [[laid.rows, None], [asks, pays], [None, takes]]

    def poured(chosen: Mask) -> Floats:
        more = _by_need(arcs, free[chosen], place, needs)
        return hidden.sent(more + spent - hidden.pipes[2])[need, pot] / unit

    return replace(
        laid,
        benefit=np.concatenate([laid.benefit, np.zeros(pipes)]),
        rows=sparse.csr_array(sparse.block_array(blocks)),
        lower=np.concatenate([laid.lower, np.full(needs + pots, -np.inf)]),
        upper=np.concatenate([laid.upper, -spent / unit, money / unit]),
        binary=np.concatenate([laid.binary, np.zeros(pipes, bool)]),
        positive=np.arange(width + pipes) >= width
        if laid.positive is None
        else _longer(laid.positive, pipes),
        behind=(*laid.behind, poured),
    )


def _longer(positive: Mask, more: int) -> Mask:
    return np.concatenate([positive, np.ones(more, bool)])


def _by_need(arcs: Arcs, which: Ints, place: tuple[int, int], needs: int) -> Floats:
    """Add up what arcs use of each need of a family."""
    key = arcs.keys[place[0], which].astype(np.int64) - place[1]
    held = (key >= 0) & (key < needs)
    return np.bincount(key[held], weights=arcs.coefs[place[0], which[held]], minlength=needs).astype(float)
