"""Worth that neighbors bring together: given the price of money the best patch is a minimum cut.

Cells (hazards, or squares of a grid) are taken or not. Taking one brings its benefit, taking both ends of a
pair brings the worth of the pair, and rows (budgets, capacities, floors) limit what is taken:

    maximize   sum b_i x_i + sum w_ij x_i x_j     with   lower <= A x <= upper,  x_i in {0, 1},  w_ij >= 0

Put a price p_r on each row. With c_i = sum_r p_r A_ri, and any *flow* f_ij = -f_ji, |f_ij| <= w_ij / 2,

    w_ij x_i x_j  =  w_ij (x_i + x_j) / 2 - w_ij |x_i - x_j| / 2  <=  w_ij (x_i + x_j) / 2 + f_ij (x_j - x_i)

so for every x that keeps the rows

    benefit  <=  sum_i max(0, u_i - c_i) + limits at their prices,   u_i = b_i + sum_j (w_ij / 2 - f_ij)

whatever prices and flow are. The maximum flow makes it an equality for the best x at these prices
(max flow = min cut). `Cuts.priced` evaluates the right-hand side from the flow itself, clipped to what pairs
can carry, so it holds even if the flow were wrong; a margin of 1e-13 of all that is added covers the rounding
of the sums.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ccm_geo.errors import DataError
from ccm_geo.planning.listing import Floats, Ints, Mask

from . import _flow
from .descent import along, lowered
from .prices import Rows

_MARGIN = 1e-13  # share of everything added up; pairwise sums of doubles err by less than 1e-14
_ROOM = 1e-12  # by what share a limit may be exceeded: rounding of sums, nothing more
_MOST_CUTS = 200
Row = tuple[npt.ArrayLike, float, float]
"""Coefficients of the cells, lower and upper limit (infinite for none)."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """Cells, pairs of neighbours and rows.

    Parameters
    ----------
    benefit
        What each cell brings by itself, shape ``(cells,)``; may be negative.
    pairs, worth
        Two different cells each, shape ``(pairs, 2)``, each pair once; what they bring together, above 0.
    rows, lower, upper
        Coefficients, shape ``(rows, cells)``, and limits.
    fixed
        1 for cells that must be taken, 0 for those that must not, -1 for the others.
    weights
        Worth of each pair of neighbours as a symmetric matrix.
    """

    benefit: Floats
    pairs: Ints
    worth: Floats
    rows: sparse.csr_array
    lower: Floats
    upper: Floats
    fixed: npt.NDArray[np.int8]
    weights: sparse.csr_array = field(repr=False)

    @classmethod
    def of(
        cls,
        benefit: npt.ArrayLike,
        pairs: npt.ArrayLike,
        worth: npt.ArrayLike,
        rows: Sequence[Row],
        fixed: npt.ArrayLike | None = None,
    ) -> "Field":
        """Check what is given; add up pairs that stand there more than once.

        Raises
        ------
        DataError
            If shapes differ, numbers are not finite, a worth is negative, or a cell neighbors itself.
        """
        coefs = [np.asarray(r[0], dtype=float).ravel() for r in rows]
        b = np.array(benefit, dtype=float).ravel()
        if any(len(c) != len(b) for c in coefs):
            raise DataError(f"compact: every row must have one number for each of {len(b)} cells")
        return cls.over(
            benefit=b,
            pairs=np.array(pairs, dtype=np.int64).reshape(-1, 2),
            worth=np.asarray(worth, dtype=float),
            rows=sparse.csr_array(np.array(coefs)) if coefs else sparse.csr_array((0, len(b))),
            lower=np.array([r[1] for r in rows], dtype=float),
            upper=np.array([r[2] for r in rows], dtype=float),
            fixed=np.full(len(b), -1, np.int8) if fixed is None else np.array(fixed, dtype=np.int8).ravel(),
        )

    @classmethod
    def over(
        cls,
        *,
        benefit: Floats,
        pairs: Ints,
        worth: Floats,
        rows: sparse.csr_array,
        lower: Floats,
        upper: Floats,
        fixed: npt.NDArray[np.int8],
    ) -> "Field":
        """Do the same from arrays and rows at hand."""
        w = np.broadcast_to(worth, len(pairs))
        count = len(benefit)
        _require(benefit, pairs, w, rows, fixed)
        both = np.concatenate([w, w]), np.hstack([pairs.T, pairs.T[::-1]])
        weights = sparse.csr_array(sparse.coo_array(both, (count, count)))
        weights.sum_duplicates()
        weights.eliminate_zeros()
        once = sparse.coo_array(sparse.triu(weights, format="coo"))
        return cls(
            benefit=benefit,
            pairs=np.column_stack(once.coords).astype(np.int64),
            worth=np.asarray(once.data, dtype=float),
            rows=rows,
            lower=lower,
            upper=upper,
            fixed=fixed,
            weights=weights,
        )

    def value(self, taken: Mask) -> float:
        """Add up benefit and worth."""
        x = taken.astype(float)
        return float((x * (self.benefit + (self.weights @ x) / 2)).sum())

    def gains(self, taken: Mask) -> Floats:
        """Say what each cell brings beside the others that are taken."""
        return np.asarray(self.benefit + self.weights @ taken.astype(float))

    def keeps(self, taken: Mask) -> bool:
        """Say whether a patch breaks no row and holds what is fixed, up to rounding."""
        if (taken[self.fixed >= 0] != (self.fixed[self.fixed >= 0] == 1)).any():
            return False
        use = self.rows @ taken.astype(float)
        room = self.slack()
        return bool((use <= self.upper + room).all() and (use >= self.lower - room).all())

    def slack(self) -> Floats:
        """By how much each row may be broken by rounding."""
        ends = np.maximum(*(np.where(np.isfinite(v), np.abs(v), 0.0) for v in (self.lower, self.upper)))
        most = np.abs(self.rows).sum(axis=1)
        return _ROOM * np.minimum(np.maximum(1.0, ends), np.maximum(most, ends))

    def limits(self) -> Rows:
        """Give the limits in the form that prices are set in."""
        none = sparse.csr_array((1, len(self.lower)))
        return Rows(pattern=none, lower=self.lower, upper=self.upper)


def _require(b: Floats, ends: Ints, w: Floats, rows: sparse.csr_array, fixed: npt.NDArray[np.int8]) -> None:
    if not all(np.isfinite(v).all() for v in (b, w, rows.data)):
        raise DataError("compact: benefit, worth and rows must be finite numbers")
    if (w < 0).any():
        raise DataError("compact: the worth of a pair cannot be negative; a cut finds no best patch then")
    if len(fixed) != len(b):
        raise DataError(f"compact: fixed= must have one number for each of {len(b)} cells")
    if len(ends) and (ends.min() < 0 or ends.max() >= len(b)):
        raise DataError(f"compact: pairs must name cells 0 to {len(b) - 1}")
    if (ends[:, 0] == ends[:, 1]).any():
        raise DataError("compact: a cell cannot be its own neighbor")


@dataclass(frozen=True, kw_only=True)
class Patches:
    """What is best at given prices.

    `least` and `most` are the smallest and the largest best patch. `loss` says by how much the bound falls if
    a cell is decided otherwise than `sure` does (infinite where fixed). `spare` is what each cell brings,
    with its share of the pairs, beyond its cost at the prices.
    """

    prices: Floats
    bound: float
    slope: Floats = field(repr=False)
    least: Mask = field(repr=False)
    most: Mask = field(repr=False)
    loss: Floats = field(repr=False)
    sure: Mask = field(repr=False)
    spare: Floats = field(repr=False)


class Cuts:
    """The flow on one field, carried on from one price to the next."""

    def __init__(self, cells: Field) -> None:
        self.field = cells
        weights = cells.weights
        self.first, self.head = weights.indptr.astype(np.int64), weights.indices.astype(np.int64)
        count = len(cells.benefit)
        self.tail = np.repeat(np.arange(count), np.diff(self.first))
        places = sparse.csr_array((np.arange(len(self.head)), self.head, self.first), shape=weights.shape)
        self.back = places.tocsc().data.astype(np.int64)
        self.half = weights.data / 2
        self.room = self.half.copy()
        self.free: Mask = cells.fixed < 0
        wanted = cells.fixed == 1
        away = (self.free[self.head] & wanted[self.tail]) | (self._out(self.head) & ~self._out(self.tail))
        self.room[away] = 0.0
        self.room[self.back[away]] = weights.data[away]
        self.base = self.reduced()
        self.asked = 0

    def _out(self, cells: Ints) -> Mask:
        out: Mask = self.field.fixed[cells] == 0
        return out

    def reduced(self) -> Floats:
        """Say what each cell is worth with its share of the pairs as the flow divides them: u_i above."""
        forward = self.tail < self.head
        at, to, half = self.tail[forward], self.head[forward], self.half[forward]
        carried = np.clip(half - self.room[forward], -half, half)
        count = len(self.field.benefit)
        shares = np.bincount(at, half - carried, count) + np.bincount(to, half + carried, count)
        return self.field.benefit + shares

    def ask(self, cost: Floats, among: Mask) -> tuple[Mask, Mask]:
        """Find the smallest and the largest best patch of the cells `among`, each at its cost."""
        self.asked += 1
        spare = self.base - cost
        side = np.zeros(len(spare), np.int8)
        _flow.cut(self.first, self.head, self.back, self.room, spare, among, side)
        self.base = np.where(among, spare + cost, self.base)
        return among & (side == 1), among & (side != 2)

    def priced(self, prices: Floats, least: Mask, most: Mask) -> Patches:
        """Evaluate the bound from the flow."""
        cost = np.asarray(self.field.rows.T @ prices)
        reduced = self.reduced()
        spare = reduced - cost
        loss = np.where(self.field.fixed < 0, np.abs(spare), np.inf)
        taken = np.where(
            self.field.fixed < 0, np.maximum(spare, 0.0), np.where(self.field.fixed == 1, spare, 0.0)
        )
        limits = self.field.limits().price_of_limits(prices)
        added = np.abs(self.field.benefit).sum() + self.field.worth.sum() + np.abs(cost).sum() + abs(limits)
        bound = float(taken.sum()) + limits + _MARGIN * added
        sure = np.where(self.field.fixed < 0, spare > 0, self.field.fixed == 1)
        slope = self.field.limits().slope(prices, np.asarray(self.field.rows @ least.astype(float)))
        return Patches(
            prices=prices,
            bound=bound,
            slope=slope,
            least=least,
            most=most,
            loss=loss,
            sure=sure,
            spare=spare,
        )


def one_price(cuts: Cuts, *, until: float = np.inf) -> Patches | None:
    """Find the price of a single budget and the nested best patches on its sides; None where none fits.

    As the price falls best patches only grow. What is taken at a higher price, and what is left at a lower
    one, stays so, and each cut looks only at the cells between. The next price is where the two patches
    at hand are worth the same; when nothing beats them there, it is the price sought.
    """
    cells = cuts.field
    cost, budget = cells.rows.toarray()[0], float(cells.upper[0])
    room = float(cells.slack()[0])
    base: Mask = cells.fixed == 1
    if float(cost[base].sum()) > budget + room:
        return None
    least, most = (patch | base for patch in cuts.ask(np.zeros(len(cost)), cuts.free))
    if float(cost[least].sum()) <= budget + room:
        return cuts.priced(np.zeros(1), least, most)
    inner, outer, open_, price = base, least, least & ~base, 0.0
    while cuts.asked < _MOST_CUTS and time.monotonic() < until:
        more, dearer = cells.value(outer) - cells.value(inner), float(cost[outer & ~inner].sum())
        price = max(more, 0.0) / dearer
        least, most = (patch | inner for patch in cuts.ask(price * cost, open_))
        if float(cost[least].sum()) > budget + room:
            same, outer = bool((least == outer).all()), least
        elif float(cost[most].sum()) <= budget + room:
            same, inner = bool((most == inner).all()), most
        else:
            inner, outer, same = least, most, True
        if same:
            break
        open_ = outer & ~inner
    return cuts.priced(np.array([price]), inner, outer)


def many_prices(cuts: Cuts, *, until: float = np.inf, most_cuts: int = 150) -> Patches | None:
    """Find the prices of several rows at which the bound is lowest; None where it proves that nothing fits.

    The bound is convex in the prices. A common price for all limits overdrawn is found by halving, then
    L-BFGS-B goes on from there; each cut begins with the flow of the one before. Any prices give a valid
    bound, so stopping early costs tightness only.
    """
    cells, rows = cuts.field, cuts.field.limits()
    base: Mask = cells.fixed == 1
    lowest = float(cells.benefit[base].sum() + np.minimum(cells.benefit[~base], 0.0).sum())
    lowest -= 1e-6 * float(np.abs(cells.benefit).sum())

    def ask(prices: Floats) -> Patches:
        allowed = rows.allowed(prices)
        least, most = cuts.ask(np.asarray(cells.rows.T @ allowed), cuts.free)
        return cuts.priced(allowed, least | base, most | base)

    best = ask(np.zeros(len(cells.lower)))
    excess = rows.excess(np.asarray(cells.rows @ best.least.astype(float)))
    if excess.any():
        size = rows.sizes(np.asarray(np.abs(cells.rows).sum(axis=1), dtype=float))
        begin = along(ask, best, np.where(excess > 0, 1.0 / size, 0.0), until=until, halvings=40, close=1.05)
        best = lowered(
            ask,
            begin.prices,
            size,
            rows.sides,
            most_tries=most_cuts - cuts.asked,
            close=1e-6,
            until=until,
            enough=lowest,
        )
    return None if best.bound < lowest else best
