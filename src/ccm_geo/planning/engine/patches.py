"""The best patch of neighbors that the money allows, with a bound that no patch exceeds.

`cuts` brings prices, the bound and the best patches on both sides of the price. From there:

1. Slightly other prices and benefits show which cells turn *together* (blocks).
2. Of the cells and blocks that cost least to turn and do not touch each other, the best set that fits the
   money is found exactly, by matching two lists of sums. That nearly always suffices for one budget.
3. With several rows cells and blocks turn at random, ever more choosily (simulated annealing).
4. Where the bound is still too far off, HiGHS solves the cells near the price, then all cells that a
   better patch could decide otherwise, which also brings its own bound.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ccm_geo.planning.listing import Floats, Ints, Mask

from . import _flow, matrix
from .cuts import Cuts, Field, Patches, Row, many_prices, one_price

_HALF = 13  # changes in each of the two lists that are matched: 8,192 sums each
_WINDOWS = 6  # how many choices of changes are matched each time
_CORE = (400, 2_000)  # cells near the price that change at random
_TRIES = 500  # by cell
_FIRM = (20.0, 60.0, 300.0)  # what breaking a row costs in the end, in prices; a thirtieth at first
_SHIFTS = (1e-4, 1e-3), (4e-3, 0.015, 0.05)  # shares by which prices are moved to see what turns together
_NOISE = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # the same for noise on the benefits, in losses near the price
_ROUNDS = 10
_CELLS_ASKED = 50_000  # in each round with noise; small fields get more rounds
_WIDEST = 300  # cells that turn together at most
_BLOCKS = 600
_BLOCKS_EXCHANGED = 120
_RETREATS = 40
_NEAR = 150  # cells that HiGHS takes on the first try
_NEAR_SECONDS = 3.0
_FEW = 40  # cells that HiGHS solves sooner than a random search
_MATRIX_UP_TO = 4_000  # cells and pairs


@dataclass(frozen=True, kw_only=True)
class Patch:
    """The cells taken, what they bring, and the proof of how good that is.

    Parameters
    ----------
    taken
        Cells taken, shape ``(cells,)``.
    benefit
        Benefit of the cells and worth of the pairs, added up again.
    bound
        No patch that keeps the rows brings more.
    prices
        What one unit more of each limit brings, shape ``(rows,)``.
    spare
        What each cell brings, with its share of the pairs, beyond its cost at the prices, shape ``(cells,)``.
        Positive for cells worth their price. Deciding a cell against its sign costs that much of the bound.
    cuts
        Minimum cuts asked for.
    """

    taken: Mask = field(repr=False)
    benefit: float
    bound: float
    prices: Floats
    spare: Floats = field(repr=False)
    cuts: int

    @property
    def gap(self) -> float:
        """How much better another patch could be at most, as a share of the bound."""
        short = self.bound - self.benefit
        return max(0.0, short / abs(self.bound)) if self.bound else 0.0


def best_compact(
    benefit: npt.ArrayLike,
    cost: npt.ArrayLike,
    pairs: npt.ArrayLike,
    worth: npt.ArrayLike,
    budget: float,
    *,
    fixed: npt.ArrayLike | None = None,
    gap: float = 1e-4,
    seconds: float = 10.0,
) -> Patch | None:
    """Take the cells that bring most within a budget, where neighbors taken together bring more.

    Parameters
    ----------
    benefit
        What each cell brings by itself, shape ``(cells,)``; may be negative. For a saving on boundary
        length take the boundary off here (benefit - price x perimeter) and give it back as worth
        (2 x price x shared length of each pair).
    cost
        What each cell costs, 0 or more.
    pairs, worth
        Neighbors as places of cells, shape ``(pairs, 2)``, and what both bring together, 0 or more.
    budget
        Most that is spent.
    fixed
        1 for cells that must be taken, 0 for those that must not, -1 for the others.
    gap
        Distance from the bound that is good enough, as a share; 0 for a proven best patch, where time allows.
    seconds
        When to stop looking.

    Returns
    -------
    Patch or None
        None where the cells that must be taken cost more than the budget.

    Raises
    ------
    DataError
        If shapes differ, numbers are missing, or a worth is negative.

    Examples
    --------
    Two neighbors beat the two best cells:

    >>> patch = best_compact([3.0, 2.0, 2.5], [1, 1, 1], [[0, 1]], [1.0], 2)
    >>> patch.taken.tolist(), patch.benefit, f"{patch.bound:.6f}"
    ([True, True, False], 6.0, '6.000000')
    """
    return best_compact_rows(
        benefit, pairs, worth, [(cost, -np.inf, budget)], fixed=fixed, gap=gap, seconds=seconds
    )


def best_compact_rows(
    benefit: npt.ArrayLike,
    pairs: npt.ArrayLike,
    worth: npt.ArrayLike,
    rows: Sequence[Row],
    *,
    fixed: npt.ArrayLike | None = None,
    gap: float = 1e-4,
    seconds: float = 10.0,
) -> Patch | None:
    """Do the same under several rows: budgets, capacities, floors.

    Parameters
    ----------
    benefit, pairs, worth, fixed, gap, seconds
        As in `best_compact`.
    rows
        Of each row the coefficients of the cells (any sign) and its lower and upper limit.

    Returns
    -------
    Patch or None
        None where no patch keeps the rows, or none was found in time.

    Raises
    ------
    DataError
        If shapes differ, numbers are missing, or a worth is negative.
    """
    return best_patch(Field.of(benefit, pairs, worth, rows, fixed), gap=gap, seconds=seconds)


def best_patch(cells: Field, *, gap: float, seconds: float) -> Patch | None:
    """Do the same for a field."""
    until = time.monotonic() + seconds
    cuts = Cuts(cells)
    single = len(cells.lower) == 1 and np.isinf(cells.lower[0]) and (cells.rows.data >= 0).all()
    priced = one_price(cuts, until=until) if single else many_prices(cuts, until=until)
    if priced is None:
        return None
    search = _Search(cuts, priced, gap=gap, until=until)
    search.run(single=bool(single))
    if search.plan is None:
        return None
    value = cells.value(search.plan)
    bound = max(search.bound, value)
    return Patch(
        taken=search.plan,
        benefit=value,
        bound=bound,
        prices=priced.prices,
        spare=priced.spare,
        cuts=cuts.asked,
    )


class _Search:
    """What is known so far: a bound, and the best patch."""

    def __init__(self, cuts: Cuts, priced: Patches, *, gap: float, until: float) -> None:
        self.cuts, self.field, self.priced, self.gap, self.until = cuts, cuts.field, priced, gap, until
        self.bound = priced.bound
        self.plan: Mask | None = None
        self.benefit = -np.inf
        weights = self.field.weights
        self.graph = weights.indptr, weights.indices, weights.data
        self.turning: list[Ints] = []
        self.found: dict[bytes, tuple[float, Ints]] = {}
        self.proven = False
        self.columns = sparse.csc_array(self.field.rows)
        self.order = np.argsort(priced.loss, kind="stable")[: int(cuts.free.sum())]

    def run(self, *, single: bool) -> None:
        """Search until the gap is small enough, time is up, or no better patch is left to look for."""
        self.consider(self.priced.least)
        self.consider(self.priced.most)
        if not len(self.order):
            self.bound = self.benefit
            return
        if self.plan is None and len(self.order) > _FEW:
            self.retreat()
        for costs in self.other_costs():
            if self.done() or self.few():
                break
            self.learn_blocks(costs)
            if single:
                self.matched()
        if not self.done() and not self.few():
            self.exchanged()
            if single:
                self.matched()
            if not self.done() and len(self.order) > _NEAR:
                self.exactly(self.order[:_NEAR], proof=False)
        if not self.done():
            self.exactly(self.hopeful(), proof=True)

    def few(self) -> bool:
        """Say whether so few cells are open that HiGHS solves them sooner than anything else."""
        return len(self.hopeful()) <= _FEW

    def consider(self, taken: Mask) -> bool:
        """Keep a patch if it breaks no row and is the best so far."""
        if not self.field.keeps(taken):
            return False
        value = self.field.value(taken)
        if value > self.benefit:
            self.plan, self.benefit = taken.copy(), value
        return True

    def done(self) -> bool:
        """Say whether the patch is good enough or time is up."""
        if self.proven or time.monotonic() > self.until:
            return True
        return self.plan is not None and self.bound - self.benefit <= self.gap * abs(self.bound)

    def retreat(self) -> None:
        """Raise the prices of rows that are broken until a patch comes out that breaks none."""
        cells, limits = self.field, self.field.limits()
        prices = self.priced.prices
        typical = np.where(prices != 0, np.abs(prices), float(np.abs(prices).mean()))
        wanted, patch = cells.fixed == 1, self.priced.least
        for step in range(_RETREATS):
            excess = limits.excess(cells.rows @ patch.astype(float))
            if self.done() or self.consider(patch):
                return
            prices = limits.allowed(prices + 0.01 * 1.15**step * typical * np.sign(excess))
            patch = self.cuts.ask(np.asarray(cells.rows.T @ prices), self.cuts.free)[0] | wanted

    def exchanged(self) -> None:
        """Let cells near the price change at random, from both sides of the price."""
        cells = self.order[: int(np.clip(len(self.order) // 10, *_CORE))]
        block_first, block = self._flat()
        block_first = block_first[: _BLOCKS_EXCHANGED + 1]
        block = block[: block_first[-1]]
        tries = _TRIES * len(cells)
        cells = np.union1d(cells, block)
        prices = np.abs(self.priced.prices)
        price = np.where(prices > 0, prices, prices.mean() if prices.any() else 1.0)
        hot = float(self.priced.loss[self.order[: _CORE[0]]].mean())
        hot = max(hot, 1e-9 * max(abs(self.bound), 1e-300))
        for seed, firm in enumerate(_FIRM):
            for start in (self.priced.least, self.priced.most if self.plan is None else self.plan):
                if self.done():
                    return
                taken, best = start.copy(), start.copy()
                use = self.field.rows @ taken.astype(float)
                found = _flow.exchange(
                    *self.graph, self.field.gains(taken), taken, cells, block_first, block,
                    self.columns.indptr, self.columns.indices, self.columns.data, use,
                    self.field.lower, self.field.upper, self.field.slack() / 2, firm * price,
                    tries, hot, hot / 300, seed, best,
                )  # fmt: skip
                if found > -np.inf:
                    self.consider(best)

    def other_costs(self) -> Iterator[list[Floats]]:
        """Costs slightly other than at the prices, round by round: scaled, then with noise."""
        cost = np.asarray(self.field.rows.T @ self.priced.prices)
        yield []
        for shifts in _SHIFTS if cost.any() else ():
            yield [(1 + sign * shift) * cost for shift in shifts for sign in (1, -1)]
        rng = np.random.default_rng(1)
        typical = float(self.priced.loss[self.order[: _CORE[0]]].mean())
        for _ in range(int(np.clip(_CELLS_ASKED // max(len(cost), 1), 1, _ROUNDS))):
            yield [cost + noise * typical * rng.standard_normal(len(cost)) for noise in _NOISE]

    def learn_blocks(self, costs: list[Floats]) -> None:
        """Find sets of connected cells that turn together at other costs."""
        base, prices = self.priced.least, self.priced.prices
        short = np.asarray(self.field.rows.T @ prices) - self.field.gains(base)
        short = np.where(base, -short, short)
        for cost in costs:
            if self.done():
                break
            for patch in self.cuts.ask(cost, self.cuts.free):
                for part in self._parts((patch | (self.field.fixed == 1)) ^ base):
                    if 1 < len(part) <= _WIDEST and part.tobytes() not in self.found:
                        inner = self.field.weights[part][:, part].sum() / 2
                        self.found[part.tobytes()] = float(short[part].sum() - inner), part
        self.turning = [part for _, part in sorted(self.found.values(), key=lambda f: f[0])[:_BLOCKS]]

    def _parts(self, changed: Mask) -> list[Ints]:
        at = np.nonzero(changed)[0]
        inside = changed[self.field.pairs].all(axis=1)
        ends = np.searchsorted(at, self.field.pairs[inside])
        graph = sparse.coo_array((np.ones(len(ends)), ends.T), shape=(len(at), len(at)))
        _, label = sparse.csgraph.connected_components(graph, directed=False)
        order = np.argsort(label, kind="stable")
        return np.split(at[order], np.nonzero(np.diff(label[order]))[0] + 1) if len(at) else []

    def matched(self) -> None:
        """Choose the best of many small changes that do not touch each other, exactly.

        Of two lists of changes every sum of cost and of gain is made; for each sum of the first list the best
        sum of the second that still fits is looked up.
        """
        rng = np.random.default_rng(1)
        cost = self.field.rows.toarray()[0]
        budget = float(self.field.upper[0])
        for window in range(_WINDOWS):
            if self.done() or self.plan is None:
                return
            plan = self.plan
            changes = self._changes(plan, 3 * _HALF * (1 + window))
            dearer = np.array([np.where(plan[c], -cost[c], cost[c]).sum() for c, _ in changes])
            gains = np.array([g for _, g in changes])
            order = np.argsort(self.priced.prices[0] * dearer - gains, kind="stable")[
                : 2 * _HALF * (1 + window)
            ]
            picked = self._apart(changes, order if not window else rng.permutation(order))
            best = _matched(dearer[picked], gains[picked], budget - float(cost[plan].sum()))
            changed = plan.copy()
            for k in picked[best]:
                changed[changes[k][0]] ^= True
            self.consider(changed)

    def _changes(self, plan: Mask, many: int) -> list[tuple[Ints, float]]:
        """Single cells and parts of blocks that can turn, and what each alone brings."""
        cells = self.field
        gain = cells.gains(plan)
        cost = np.asarray(cells.rows.T @ self.priced.prices)
        short = np.where(plan, gain - cost, cost - gain)
        short[cells.fixed >= 0] = np.inf
        many = min(many, len(self.order))
        single = np.argpartition(short, many - 1)[:many] if many else np.zeros(0, np.int64)
        out = [(np.array([i]), float(-gain[i] if plan[i] else gain[i])) for i in single]
        change = np.empty((len(self.turning), 2))
        _flow.turns(*self.graph, gain, plan, *self._flat(), change)
        for k, block in enumerate(self.turning):
            for state in (0, 1):
                part = block[plan[block] != bool(state)]
                if len(part) > 1:
                    out.append((part, float(change[k, state])))
        return out

    def _flat(self) -> tuple[Ints, Ints]:
        first = np.concatenate([[0], np.cumsum([len(b) for b in self.turning])])
        return first.astype(np.int64), np.concatenate([*self.turning, np.zeros(0, np.int64)]).astype(np.int64)

    def _apart(self, changes: list[tuple[Ints, float]], order: Ints) -> Ints:
        """Take changes one after the other that neither share cells nor neighbor each other."""
        weights = self.field.weights
        beside = np.zeros(len(self.field.benefit), bool)
        out: list[int] = []
        for k in order.tolist():
            part = changes[k][0]
            if not beside[part].any():
                out.append(k)
                beside[part] = True
                for i in part:
                    beside[weights.indices[weights.indptr[i] : weights.indptr[i + 1]]] = True
            if len(out) == 2 * _HALF:
                break
        return np.array(out, dtype=np.int64)

    def hopeful(self) -> Ints:
        """Name the cells that a better patch can decide otherwise than the prices do."""
        left = self.priced.loss[self.order] <= self.priced.bound - self.benefit
        return self.order[left]

    def exactly(self, open_: Ints, *, proof: bool) -> None:
        """Solve the cells `open_` with HiGHS, the others as they are.

        With `proof` the others are as the prices decide them and the bound found holds for all patches: one
        that decides any of them otherwise brings no more than the patch at hand.
        """
        base = self.priced.sure if proof or self.plan is None else self.plan
        free = np.zeros(len(base), bool)
        free[open_] = True
        inside: Mask = np.asarray(free[self.field.pairs].all(axis=1))
        if len(open_) + inside.sum() > _MATRIX_UP_TO:
            return
        small, settled = _matrix(self.field, base & ~free, free, inside)
        warm = None
        if self.plan is not None and not proof:
            kept = self.plan[free]
            warm = np.concatenate([kept, self.plan[self.field.pairs[inside]].all(axis=1)])
        left = self.until - time.monotonic()
        found = matrix.optimize(
            small,
            gap=0.5 * self.gap if proof else 0.0,
            seconds=left if proof else min(left / 3, _NEAR_SECONDS),
            target=None if proof else (1 - 0.5 * self.gap) * self.bound - settled,
            warm=warm,
        )
        if found.taken is not None:
            taken = base & ~free
            taken[np.nonzero(free)[0]] = found.taken
            self.consider(taken)
        self.proven = proof
        if proof and found.infeasible:
            self.bound = self.benefit
        elif proof and np.isfinite(found.bound):
            self.bound = max(min(self.bound, found.bound + settled + 1e-9 * abs(found.bound)), self.benefit)


def _matched(cost: Floats, gain: Floats, room: float) -> Mask:
    half = len(cost) // 2
    sides = []
    for part in (slice(None, half), slice(half, None)):
        bits = (np.arange(1 << len(cost[part]))[:, None] >> np.arange(len(cost[part]))) & 1
        sides.append((bits.astype(bool), bits @ cost[part], bits @ gain[part]))
    (left, spent, won), (right, spent_too, won_too) = sides
    order = np.argsort(spent_too, kind="stable")
    top = np.maximum.accumulate(won_too[order])
    at = np.searchsorted(spent_too[order], room - spent, side="right") - 1
    both = np.where(at >= 0, won + top[np.maximum(at, 0)], -np.inf)
    i = int(both.argmax())
    if not np.isfinite(both[i]):
        return np.zeros(len(cost), bool)
    j = int(won_too[order][: at[i] + 1].argmax())
    return np.concatenate([left[i], right[order[j]]])


def _matrix(cells: Field, settled: Mask, free: Mask, inside: Mask) -> tuple[matrix.Matrix, float]:
    """Lay out the free cells and the pairs among them; what is settled goes into benefits and limits."""
    ends = (np.cumsum(free) - 1)[cells.pairs[inside]]
    count, many = int(free.sum()), int(inside.sum())
    use = cells.rows @ settled.astype(float)
    coupling = cells.rows[:, np.nonzero(free)[0]]
    scale = (
        np.maximum(np.abs(coupling).max(axis=1).toarray().ravel(), 1e-300)
        if coupling.nnz
        else np.ones(len(use))
    )
    held = sparse.hstack([sparse.diags_array(1 / scale) @ coupling, sparse.csr_array((len(use), many))])
    row, ones = np.tile(np.arange(many), 2), np.repeat((1.0, -1.0), many)
    columns = [np.concatenate([count + row[:many], ends[:, side]]) for side in (0, 1)]
    below = [sparse.csr_array((ones, (row, at)), shape=(many, count + many)) for at in columns]
    binary = np.arange(count + many) < count
    slack = cells.slack()
    made = matrix.Matrix(
        benefit=np.concatenate([cells.gains(settled)[free], cells.worth[inside]]),
        rows=sparse.csr_array(sparse.vstack([held, *below])),
        lower=np.concatenate([(cells.lower - slack - use) / scale, np.full(2 * many, -np.inf)]),
        upper=np.concatenate([(cells.upper + slack - use) / scale, np.zeros(2 * many)]),
        binary=binary,
        coupling=len(use),
        scale=scale,
        positive=~binary,
    )
    return made, cells.value(settled)
