"""Prices for the rows that couple hazards: given them, every hazard finds its best path by itself.

For any prices the sum of the best paths, plus the limits at their prices, is an upper bound on what any
plan can avert (Lagrange). This module looks for the prices at which that bound is lowest.
"""

import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
from scipy import sparse

from ccm_geo.planning.listing import Floats, Listing, Mask
from ccm_geo.planning.model import Model

from . import _paths
from .arcs import Arcs
from .descent import along, lowered

T = TypeVar("T")
PARTS, THREADS = 8, 2
_ABOUT = 1.2  # up to which factor the one price is looked for that a search begins with
_ALONE_UP_TO = 50_000  # options; below, threads cost more than they bring


@dataclass(frozen=True, kw_only=True)
class Rows:
    """All rows of a model, one after the other.

    `pattern` has shape ``(keys + 1, rows)``; the last key is "none".
    """

    pattern: sparse.csr_array
    lower: Floats
    upper: Floats

    @classmethod
    def of(cls, model: Model) -> "Rows":
        """Collect the rows of all families."""
        blocks = [f.pattern for f in model.families]
        none = sparse.csr_array((1, 0))
        joined = sparse.csr_array(sparse.block_diag([*blocks, none])) if blocks else sparse.csr_array((1, 0))
        empty = np.zeros(0)
        return cls(
            pattern=joined,
            lower=np.concatenate([*(f.lower for f in model.families), empty]),
            upper=np.concatenate([*(f.upper for f in model.families), empty]),
        )

    def price_of_limits(self, prices: Floats) -> float:
        """Sum limits times prices: upper limits where a price is positive, lower ones where negative."""
        up, down = prices > 0, prices < 0
        return float(self.upper[up] @ prices[up] + self.lower[down] @ prices[down])

    def allowed(self, prices: Floats) -> Floats:
        """Set prices to 0 whose sign has no limit to stand for."""
        out = np.where((prices > 0) & np.isinf(self.upper), 0.0, prices)
        return np.where((out < 0) & np.isinf(self.lower), 0.0, out)

    @cached_property
    def alone(self) -> Floats:
        """What one block may use of each row: its upper limit, where every option adds to it; else inf."""
        adds = np.asarray(self.pattern.min(axis=0).todense()).ravel() >= 0
        limit: Floats = np.where(adds & np.isfinite(self.upper), self.upper, np.inf)
        return limit

    @cached_property
    def filled(self) -> sparse.csr_array:
        """The part of `pattern` in rows that one block could overdraw."""
        return sparse.csr_array(self.pattern @ sparse.diags_array(np.isfinite(self.alone).astype(float)))

    @property
    def sides(self) -> list[tuple[float | None, float | None]]:
        """Between what each price may lie: from 0 where a row has one limit only."""
        finite = zip(np.isfinite(self.lower), np.isfinite(self.upper), strict=True)
        return [(None if low else 0.0, None if up else 0.0) for low, up in finite]

    def slope(self, prices: Floats, use: Floats) -> Floats:
        """Subgradient of the bound: the limit that a price stands for, less the use."""
        upper = (prices > 0) | ((prices == 0) & np.isfinite(self.upper))
        return np.where(upper, self.upper, self.lower) - use

    def sizes(self, wish: Floats) -> Floats:
        """How large each row is, for a search: its limit; where that is 0 or missing, a tenth of `wish`."""
        limit = np.where(
            np.isfinite(self.upper), self.upper, np.where(np.isfinite(self.lower), self.lower, 0.0)
        )
        size = np.where(np.abs(limit) > 0, np.abs(limit), wish / 10)
        return np.where(size > 0, size, 1.0)

    @property
    def room(self) -> Floats:
        """How far a row may be overdrawn by rounding alone: less than half a cent of any amount."""
        size = np.maximum(1.0, np.abs(np.where(np.isfinite(self.upper), self.upper, 0.0)))
        return np.asarray(np.minimum(1e-9 * size, 1e-3))

    def broken(self, use: Floats) -> Mask:
        """Say which rows are broken by more than rounding."""
        return np.asarray(np.abs(self.excess(use)) > self.room)

    def keeps(self, use: Floats) -> bool:
        """Say whether no row is broken, up to rounding."""
        return not self.broken(use).any()

    def some(self, which: Mask) -> "Rows":
        """Keep some rows."""
        pattern = sparse.csr_array(self.pattern[:, np.nonzero(which)[0]])
        return Rows(pattern=pattern, lower=self.lower[which], upper=self.upper[which])

    def use_of(self, arcs: Arcs, taken: Mask) -> Floats:
        """Add up what taken arcs use of each row."""
        return np.asarray(self.pattern.T @ use_by_key(arcs, taken, self.pattern.shape[0]))

    def left(self, spent: Floats) -> "Rows":
        """Say what is left of each row once something has been spent."""
        upper = self.upper - spent
        upper = np.where(np.isfinite(self.alone), np.maximum(upper, 0.0), upper)
        return replace(self, lower=self.lower - spent, upper=upper)

    def excess(self, use: Floats) -> Floats:
        """By how much each row is broken: above its upper limit (positive) or below its lower (negative)."""
        return np.maximum(use - self.upper, 0) + np.minimum(use - self.lower, 0)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the hazards do at given prices; `best` is the value of each path, `gain` that of each block.

    `slope` says how the bound changes with the prices.
    """

    prices: Floats
    bound: float
    taken: Mask = field(repr=False)
    best: Floats = field(repr=False)
    gain: Floats = field(repr=False)
    use: Floats = field(repr=False)
    slope: Floats = field(repr=False)


def answer(arcs: Arcs, rows: Rows, prices: Floats) -> Answer:
    """Let every hazard take its best path at these prices, blocks what is best for all their hazards."""
    taken, best, gain, by_key = _asked(arcs, values_at(arcs, rows, prices), rows.pattern.shape[0])
    bound = float(gain.sum()) + rows.price_of_limits(prices)
    use = rows.pattern.T @ by_key
    slope = rows.slope(prices, use)
    return Answer(prices=prices, bound=bound, taken=taken, best=best, gain=gain, use=use, slope=slope)


def walk(arcs: Arcs, value: Floats, keys: int) -> tuple[Mask, Floats, Floats]:
    """Let every hazard take its most valuable path, blocks what is most valuable for all their hazards.

    Returns
    -------
    tuple
        Arcs taken; value of each hazard's path, -inf where none keeps its marks; use by key, of which
        there are `keys`, the last ("none") always 0.
    """
    taken, best, _, use = _asked(arcs, value, keys)
    return taken, best, use


def net_of(arcs: Arcs) -> _paths.Net:
    """Give arcs to the kernels."""
    blocks = arcs.blocks
    return _paths.Net(
        blocks.first, blocks.members, blocks.bonus, arcs.first, arcs.start, arcs.low, arcs.ends, arcs.marks,
        arcs.must, arcs.year, arcs.src, arcs.dst, arcs.sets, arcs.asks,
    )  # fmt: skip


def _asked(arcs: Arcs, value: Floats, keys: int) -> tuple[Mask, Floats, Floats, Floats]:
    """Ask the blocks, in equal parts side by side; sums come out the same on any number of processors."""
    net = net_of(arcs)
    taken, best = np.empty(len(value), bool), np.empty(len(arcs.start))
    gain = np.empty(len(net.bonus))

    def ask(span: tuple[int, int]) -> Floats:
        use = np.zeros(keys)
        _paths.best_paths(*span, net, value, arcs.keys, arcs.coefs, taken, best, gain, use)
        return use

    use = np.sum(_side_by_side(ask, len(gain), len(value)), axis=0)
    use[-1] = 0.0
    return taken, best, gain, use


def _side_by_side(task: Callable[[tuple[int, int]], T], count: int, work: int) -> list[T]:
    """Do a task for parts of 0 to `count`, in two threads where there is much work."""
    parts = PARTS if work > _ALONE_UP_TO else 1
    at = np.linspace(0, count, parts + 1).astype(int).tolist()
    spans = list(itertools.pairwise(at))
    if parts == 1:
        return [task(span) for span in spans]
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(task, spans))


def values_at(arcs: Arcs, rows: Rows, prices: Floats) -> Floats:
    """Most that every arc can bring, less what it uses at its prices."""
    by_key = rows.pattern @ prices
    by_key[-1] = 0.0
    value = np.empty(len(arcs.benefit))

    def price(span: tuple[int, int]) -> None:
        _paths.price_values(*span, arcs.most, arcs.keys, arcs.coefs, by_key, value)

    _side_by_side(price, len(value), len(value))
    return value


def too_large(arcs: Arcs, rows: Rows) -> Mask:
    """Say which arcs alone break an upper limit, of a row to which every option adds; no plan takes them."""
    if not len(rows.lower):
        return np.zeros(len(arcs.benefit), bool)
    limit = rows.alone
    room = np.full(rows.pattern.shape[0], np.inf)
    key = np.repeat(np.arange(len(room)), np.diff(rows.pattern.indptr))
    step, row = rows.pattern.data, rows.pattern.indices
    adds = step > 0
    np.minimum.at(room, key[adds], limit[row[adds]] / step[adds])
    room[-1] = np.inf
    slack = 1e-9 * np.maximum(np.where(np.isfinite(room), np.abs(room), 0.0), 1.0)
    return np.asarray((arcs.coefs > (room + slack)[arcs.keys]).any(axis=0))


def use_by_key(arcs: Arcs, taken: Mask, keys: int) -> Floats:
    """Add up what taken arcs use, by key; the last key ("none") stays 0."""
    use = np.zeros(keys)
    for key, coef in zip(arcs.keys[:, taken], arcs.coefs[:, taken], strict=True):
        use += np.bincount(key, weights=coef, minlength=keys)
    use[-1] = 0.0
    return use


def losses(arcs: Arcs, rows: Rows, found: Answer) -> Floats:
    """How much worse than its block's best choice the best choice with each arc is; see `_paths`."""
    value = values_at(arcs, rows, found.prices)
    _, _, gain, _ = _asked(arcs, value, rows.pattern.shape[0])
    lower = (gain - found.gain)[arcs.blocks.of[arcs.hazard]]
    return np.maximum(losses_at(arcs, value) - lower, 0.0)


def losses_at(arcs: Arcs, value: Floats) -> Floats:
    """Say the same for values at hand."""
    loss = np.empty(len(value))
    _paths.path_losses(net_of(arcs), value, loss)
    return loss


def richest_use(listing: Listing, amount: Floats, cost: Floats) -> Floats:
    """Say what each hazard takes of `amount` where nothing is short and nothing wasted, by hazard."""
    arcs = Arcs.of(plain(listing))
    top, dear = float(listing.benefit.max(initial=0.0)), float(cost.max(initial=0.0))
    thrift = 1e-9 * top / dear if dear > 0 else 0.0
    taken, _, _ = walk(arcs, listing.benefit - thrift * cost, 1)
    weights = np.where(taken, amount, 0.0)
    return np.bincount(listing.hazard, weights=weights, minlength=len(arcs.start)).astype(float)


def plain(listing: Listing, allowed: Mask | None = None) -> Model:
    """Make a model without rules, of all options or of some."""
    every = np.ones(len(listing.benefit), bool) if allowed is None else allowed
    return Model(listing=listing, rules=(), families=(), marks=(), allowed=every)


def lowest_bound(
    arcs: Arcs, rows: Rows, *, most_tries: int = 150, close: float = 1e-6, seconds: float = 30.0
) -> Answer:
    """Look for the prices at which the bound is lowest.

    The bound is convex in the prices and, over many hazards, nearly smooth: a quasi-Newton method with
    bounds (L-BFGS-B) on rows scaled to their limits comes within 0.001 % in about a hundred tries. Any prices
    give a valid bound, so stopping early costs tightness only.

    Parameters
    ----------
    arcs, rows
        The model.
    most_tries
        How many times the hazards are asked.
    close
        Stop where a round of tries lowers the bound by less than this share.
    seconds
        Stop at this time.
    """
    until = time.monotonic() + seconds
    free = answer(arcs, rows, np.zeros(len(rows.lower)))
    if not len(rows.lower) or not rows.excess(free.use).any():
        return free
    size = rows.sizes(abs(rows.pattern).T @ use_by_key(arcs, free.taken, rows.pattern.shape[0]))
    begin = _along_one_price(arcs, rows, size, free, until)
    return lowered(
        lambda prices: answer(arcs, rows, rows.allowed(prices)),
        begin.prices,
        size,
        rows.sides,
        most_tries=most_tries,
        close=close,
        until=until,
        enough=nothing_below(arcs),
    )


def nothing_below(arcs: Arcs) -> float:
    """Return what every plan averts at least; a bound below it proves that there is no plan."""
    worst = np.minimum(arcs.benefit, 0.0).sum()
    return float(worst - 1e-6 * np.abs(arcs.benefit).max(initial=0.0))


def _along_one_price(arcs: Arcs, rows: Rows, size: Floats, free: Answer, until: float) -> Answer:
    """Begin with one price for all limits, found by halving, where some are overdrawn if everything is free.

    Pricing only those would push work into limits that are not overdrawn yet, as of later years.
    """
    limited = np.isfinite(rows.upper) & (rows.upper > 0)
    over = (rows.excess(free.use) > 0) & limited
    rays = [np.where(which, 1.0 / size, 0.0) for which in ((over, limited) if over.any() else ())]

    def ask(prices: Floats) -> Answer:
        return answer(arcs, rows, rows.allowed(prices))

    found = [along(ask, free, ray, until=until, close=_ABOUT) for ray in rays]
    return min(free, *found, key=lambda a: a.bound) if found else free
