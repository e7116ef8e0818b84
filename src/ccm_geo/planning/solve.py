"""The best plan and the proof of how good it is: prices first, then the few hazards near the price exactly.

1. `prices.lowest_bound` finds the prices of the rows and with them an upper bound.
2. Hazards whose choice is clear at these prices are settled; the others go, with the rows, into a small
   matrix (`matrix`), which brings a plan.
3. If plan and bound are still too far apart, every option whose best path falls short of the bound by more
   than that distance is dropped for good (it can be in no better plan) and the matrix of the rest is solved.
"""

import time
from dataclasses import dataclass, field

import numpy as np

from . import matrix
from .arcs import Arcs
from .exchange import exchanged
from .listing import Floats, Mask
from .model import Model
from .prices import Answer, Rows, answer, losses, lowest_bound, nothing_below, use_by_key

SMALL = 4_000  # options that one matrix takes at once
_RELAXED_UP_TO = 30_000  # options; up to here the linear relaxation takes a second and its prices are exact
_NEAR_PER_ROW = 60  # options near the price left open, for each row that couples hazards
_NEAR = (100, 1_500)  # at least and at most, on the first try; four times as many on the second
_NEAR_SECONDS = 8.0
_EXCHANGE_UP_TO = 200_000  # hazards
_TRIES_PER_HAZARD = 5_000
_TRIES = (500_000, 6_000_000)
_MATRIX_GOOD = 6_000  # options; up to here one matrix beats several smaller ones
_MATRIX_UP_TO = 12_000  # options; beyond, HiGHS overruns its time and brings nothing


@dataclass(frozen=True, kw_only=True)
class Solution:
    """A plan as rows of the listing, its benefit, and a bound that no plan exceeds."""

    taken: Mask = field(repr=False)
    benefit: float
    bound: float
    prices: Floats = field(repr=False)
    loss: Floats = field(repr=False)
    best: Floats = field(repr=False)

    @property
    def gap(self) -> float:
        """How much better another plan could be at most, as a share of the bound."""
        return max(0.0, (self.bound - self.benefit) / self.bound) if self.bound > 0 else 0.0


def solve(model: Model, *, gap: float, seconds: float) -> Solution | None:
    """Find a plan within `gap` of the best; None where no plan keeps all the rules.

    Parameters
    ----------
    model
        Options and rules.
    gap
        Distance from the bound that is good enough, as a share; 0 for a proven best plan.
    seconds
        When to stop looking; the gap that is left is reported.
    """
    until = time.monotonic() + seconds
    arcs, rows = Arcs.of(model), Rows.of(model)
    small = len(arcs.benefit) <= SMALL
    priced = lowest_bound(arcs, rows, most_tries=60 if small else 250, close=1e-7, seconds=seconds / 2)
    if not np.isfinite(priced.best).all() or priced.bound < nothing_below(arcs):
        return None
    if len(arcs.benefit) <= _RELAXED_UP_TO and len(rows.lower):
        priced = _repriced(arcs, rows, priced, until)
    search = _Search(arcs=arcs, rows=rows, gap=gap, until=until, priced=priced)
    return search.run(len(model.listing.benefit))


def _repriced(arcs: Arcs, rows: Rows, priced: Answer, until: float) -> Answer:
    """Take the prices of the linear relaxation where they are better."""
    found = matrix.optimize(
        matrix.compiled(arcs, rows), gap=0, seconds=until - time.monotonic(), relaxed=True
    )
    other = answer(arcs, rows, rows.allowed(found.prices))
    return min(priced, other, key=lambda a: a.bound)


class _Search:
    """What is known so far: a bound, and the best plan."""

    def __init__(self, *, arcs: Arcs, rows: Rows, gap: float, until: float, priced: Answer) -> None:
        self.arcs, self.rows, self.gap, self.until, self.priced = arcs, rows, gap, until, priced
        self.bound = priced.bound + 1e-12 * abs(priced.bound)
        self.plan: Mask | None = None
        self.benefit = -np.inf
        self.loss = losses(arcs, rows, priced)

    def run(self, count: int) -> Solution | None:
        """Search until the gap is small enough, time is up, or no plan is left to look for."""
        self.consider(self.priced.taken)
        if len(self.arcs.benefit) > SMALL:
            self.approach()
        if not self.done():
            self.exactly()
        if self.plan is None:
            return None
        self.prune()
        taken = np.zeros(count, bool)
        taken[self.arcs.origin[self.plan]] = True
        loss = np.full(count, np.inf)
        loss[self.arcs.origin] = self.loss
        return Solution(
            taken=taken,
            benefit=self.benefit,
            bound=max(self.bound, self.benefit),
            prices=self.priced.prices,
            loss=loss,
            best=self.priced.best,
        )

    def approach(self) -> None:
        """Look for good plans around the prices, then around the best plan, with ever more left open."""
        many = int(np.clip(_NEAR_PER_ROW * len(self.rows.lower), *_NEAR))
        if not self.done() and len(self.arcs.start) <= _EXCHANGE_UP_TO:
            self.exchange()
        if not self.done():
            self.near_the_price(many, self.priced.taken if self.plan is None else self.plan)
        if self.plan is None:
            self.retreat()
        for _ in range(3):
            if not self.done() and self.hopeful().sum() > _MATRIX_GOOD:
                self.near_the_price(4 * many, self.priced.taken if self.plan is None else self.plan)

    def retreat(self) -> None:
        """Raise the prices of rows that are broken until a plan comes out that breaks none."""
        prices = self.priced.prices.copy()
        excess = self.rows.excess(self.priced.use)
        typical = float(np.abs(prices[prices != 0]).mean()) if prices.any() else 1.0
        for step in range(30):
            if not excess.any() or self.plan is not None:
                return
            push = 0.005 * 1.25**step * np.where(prices != 0, np.abs(prices), typical)
            prices = self.rows.allowed(prices + push * np.sign(excess))
            found = answer(self.arcs, self.rows, prices)
            excess = self.rows.excess(found.use)
            self.consider(found.taken)

    def consider(self, taken: Mask | None) -> bool:
        """Keep a plan if it breaks no row and is the best so far."""
        if taken is None:
            return False
        if not self.keeps(taken):
            return False
        benefit = self.arcs.worth(taken)
        if benefit > self.benefit:
            self.plan, self.benefit = taken, benefit
        return True

    def keeps(self, taken: Mask) -> bool:
        """Say whether a plan breaks no row, up to rounding."""
        use = self.rows.pattern.T @ use_by_key(self.arcs, taken, self.rows.pattern.shape[0])
        room = 1e-9 * np.maximum(1.0, np.abs(np.where(np.isfinite(self.rows.upper), self.rows.upper, 0)))
        return not (np.abs(self.rows.excess(use)) > room).any()

    def prune(self) -> None:
        """Drop last steps that avert nothing (survey without clearance), where no rule needs them."""
        plan = self.plan
        while plan is not None:
            rows = np.nonzero(plan)[0]
            last = np.append(np.diff(self.arcs.hazard[rows]) != 0, True)[: len(rows)]
            idle = rows[last & (self.arcs.benefit[rows] <= 0) & (self.arcs.sets[rows] == 0)]
            shorter = plan.copy()
            shorter[idle] = False
            if not len(idle) or not self.keeps(shorter) or self.arcs.worth(shorter) < self.benefit:
                break
            plan = shorter
        if plan is not None:
            self.plan, self.benefit = plan, self.arcs.worth(plan)

    def done(self) -> bool:
        if self.plan is None:
            return False
        return self.bound - self.benefit <= self.gap * abs(self.bound) or time.monotonic() > self.until

    def exchange(self) -> None:
        """Let hazards change paths at random, from what they would do at the prices."""
        tries = int(np.clip(_TRIES_PER_HAZARD * len(self.arcs.start), *_TRIES))
        prices = self.priced.prices
        self.consider(exchanged(self.arcs, self.rows, prices, self.priced.taken, tries=tries, seed=1))

    def near_the_price(self, many: int, base: Mask) -> None:
        """Settle the hazards whose choice is clear as in `base`, and solve the rest exactly."""
        extra = np.where(base, np.inf, self.loss)
        order = np.argpartition(extra, min(many, len(extra)) - 1)[:many]
        order = order[np.isfinite(extra[order])]
        near = base.copy()
        near[order] = True
        block = self.arcs.blocks.of
        open_block = np.zeros(len(self.arcs.blocks.bonus), bool)
        open_block[block[self.arcs.hazard[order]]] = True
        open_block |= self.priced.gain <= float(extra[order].max(initial=0.0))
        arcs = self.arcs.keep(near)
        fixed = base[near] & ~open_block[block[arcs.hazard]]
        settled = np.zeros(len(self.arcs.start), bool)
        settled[arcs.hazard[fixed]] = True
        free = np.nonzero(near)[0][~settled[arcs.hazard]]
        goal = self.bound - 0.5 * self.gap * abs(self.bound) - arcs.worth(fixed)
        found = matrix.optimize(
            matrix.compiled(arcs, self.rows, fixed),
            gap=0.0,
            seconds=min(0.6 * (self.until - time.monotonic()), _NEAR_SECONDS),
            target=goal,
            warm=base[free] if base is self.plan else None,
        )
        if found.taken is not None:
            taken = base & settled[self.arcs.hazard]
            taken[free[found.taken]] = True
            self.consider(taken)

    def hopeful(self) -> Mask:
        """Say which options can be in a better plan than the one at hand."""
        kept: Mask = self.loss <= self.bound - self.benefit + 1e-9 * abs(self.bound)
        return kept

    def exactly(self) -> None:
        """Drop what can be in no better plan and solve the rest."""
        keep = self.hopeful()
        if keep.sum() > _MATRIX_UP_TO and self.gap > 0 and self.plan is not None:
            return
        arcs = self.arcs.keep(keep)
        all_of_it = matrix.compiled(arcs, self.rows)
        warm = None if self.plan is None else self.plan[keep]
        found = matrix.optimize(
            all_of_it, gap=0.99 * self.gap, seconds=self.until - time.monotonic(), warm=warm
        )
        if found.taken is not None:
            taken = np.zeros(len(keep), bool)
            taken[np.nonzero(keep)[0][found.taken]] = True
            self.consider(taken)
        self.bound = max(min(self.bound, found.bound + 1e-9 * abs(found.bound)), self.benefit)
