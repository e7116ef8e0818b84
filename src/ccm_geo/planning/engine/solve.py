"""The best plan and the proof of how good it is: prices first, then the few hazards near the price exactly.

1. `prices.lowest_bound` finds the prices of the rows and with them an upper bound.
2. A pool of choices near these prices (`choices`) sharpens the bound (`master`), what blocks do best being
   solved exactly where they break limits by themselves (`fitting`). It brings plans: what blocks and single
   hazards do is exchanged (`exchange`); few blocks are also decided one after the other (`dive`), and what
   they do in several plans is put together by a matrix of choices.
3. Hazards whose choice is clear at these prices are settled; the others go, with the rows, into a small
   matrix (`matrix`), around the best plan so far.
4. If plan and bound are still too far apart, every option whose best path falls short of the bound by more
   than that distance is dropped for good (it can be in no better plan) and the matrix of the rest is solved.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from ccm_geo.planning.listing import Floats, Ints, Mask
from ccm_geo.planning.model import Model

from . import matrix
from .arcs import Arcs
from .branching import branched
from .choices import MANY, Choices, more_choices, near_choices, nearly_tied
from .dive import dived
from .exchange import Ties, exchanged
from .fitting import fitting_answer
from .flows import with_flows
from .master import Master, best_of_pool, mastered
from .opening import opened_bound, whole
from .patches import best_patch
from .prices import Answer, Rows, answer, losses, nothing_below, too_large, use_by_key
from .single import cells_of
from .thrift import thrifty

Manner = tuple[float, float]  # heat and what is lent at first
SMALL = 4_000  # options that one matrix takes at once
_NEAR_PER_ROW = 60  # options near the price left open, for each row that couples hazards
_NEAR = (100, 1_500)  # at least and at most, on the first try; four times as many on the second
_NEAR_SECONDS = 8.0
_FEW_ROWS, _MANY_HAZARDS = 25, 8_000  # up to and from here options near the price bring a good plan at once
_EXCHANGES_PER_BLOCK = 4_000
_WIDE, _ROOM = 0.05, 0.25  # share of all keys that a row holds, of what it holds that is its room
_EXCHANGES = (200_000, 2_000_000)
_EXCHANGES_OF_FEW = 1_000_000  # from each beginning
_TIMID, _BOLD = ((0.002, 1.0), (0.002, 1.0)), ((0.002, 1.0), (0.05, 1.0))  # heat and what is lent at first
_CLOSER = (0.002, 0.0), (0.002, 1.0)  # around a plan
_NEARBY = (0.0005, 0.0), (0.01, 0.0)  # around what was decided block after block
_GREED = 1.0, 0.5, 2.0, 0.25  # of one dive after the other
_FEW = 500  # blocks; up to here dives and matrices of choices find better plans than exchange alone
_BOLD_UP_TO = 1_000  # blocks; with more, there are too few exchanges for each, and choices enough
_TURNS, _STALE = 50, 4  # turns of exchanges; so many without a better plan are enough
_PLANS, _PLANS_OF_MANY = 24, 8  # at prices off the best ones, from which choices are collected
_OFF = 0.02, 0.05, 0.1, 0.2  # by about these shares
_POLISH_WITH = 4  # of these plans whose choices of single hazards are tried as well
_CLOSE = 0.02  # of the gap: how near to the lowest one a bound is good enough
_FIRST_ROUNDS = 3, 4  # of choices that the linear program begins with
_QUESTIONS = 0.5  # share of the time that is left for them after whole turns among few blocks
_STARTS, _BOLDLY = 4, (0.005, 1.0)  # beginnings of exchange in each turn, with heat and what is lent
_TOGETHER, _SECONDS, _NO_LOSS = 16, 2.0, 1e-6  # plans put together, how long, with what of no loss
_SPLIT = 1e-6  # a share that is neither 0 nor 1
_TRIES_SMALL, _TRIES_LARGE = 60, 120
_TRIES_POOLED = 30  # where a pool of the choices of all blocks takes over
_MATRIX_GOOD = 6_000  # options; up to here one matrix beats several smaller ones
_MATRIX_UP_TO = 12_000  # options; beyond, HiGHS overruns its time and brings nothing
_MATRIX_HELPS_UP_TO = 30_000  # options; up to here matrices of some of them find better plans
_LOOKED_AT = 3  # plans of the pool that rows which are not laid out are looked for in
_OPENINGS = 8  # how often a search is done again with the rows that its plan broke unseen


@dataclass(frozen=True, kw_only=True)
class Solution:
    """A plan as rows of the listing, its benefit, and a bound that no plan exceeds.

    `prices` are those of `laid`, the model with the rows that came to light; None: the one that was given.
    `too_large` are options that break a limit by themselves: left among the others, they would be bought in
    part where prices are looked for, and lend their worth to money that cannot buy them.
    """

    taken: Mask = field(repr=False)
    benefit: float
    bound: float
    prices: Floats = field(repr=False)
    loss: Floats = field(repr=False)
    best: Floats = field(repr=False)
    laid: Model | None = field(default=None, repr=False)
    too_large: Mask | None = field(default=None, repr=False)

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
    arcs = Arcs.of(model)
    large = too_large(arcs, Rows.of(model))
    unfit = whole(arcs, large, len(model.allowed))
    found = _by_cuts(replace(model, allowed=model.allowed & ~unfit), gap, seconds / 2)
    if found is not None:
        laid = None if found.laid is None else replace(found.laid, allowed=model.allowed)
        found = replace(found, too_large=unfit, laid=laid)
        if found.gap <= gap or time.monotonic() > until:
            return found
        if laid is not None:
            model, arcs = laid, Arcs.of(laid)
    arcs = arcs.keep(~large)
    pooled = len(arcs.benefit) > SMALL and len(arcs.blocks.bonus) <= MANY
    tries = _TRIES_POOLED if pooled else _TRIES_SMALL if len(arcs.benefit) <= SMALL else _TRIES_LARGE
    close = max(1e-7, _CLOSE * gap)
    model, rows, priced = opened_bound(model, arcs, most_tries=tries, close=close, seconds=seconds / 2)
    if not np.isfinite(priced.best).all() or priced.bound < nothing_below(arcs):
        return None
    search = _Search(model=model, arcs=arcs, rows=rows, gap=gap, until=until, priced=priced)
    other = search.run()
    if other is not None:
        other = replace(other, too_large=unfit)
    if found is None or other is None:
        return found or other
    return replace(max(found, other, key=lambda s: s.benefit), bound=min(found.bound, other.bound))


def load(model: Model) -> None:
    """Run the compiled parts once, on a model whose blocks overdraw a row, before the clock of a plan runs.

    On a fresh machine they are compiled here, which takes longer than many a plan.
    """
    arcs, rows = Arcs.of(model), Rows.of(model)
    free = fitting_answer(arcs, rows, np.zeros(len(rows.lower)))
    losses(arcs, rows, free)
    alone = arcs.each_alone()
    pool = near_choices(alone, rows, free.prices, [free.taken])
    ties = Ties.of(arcs, pool, [free.taken])
    exchanged(pool, rows, free.prices, pool.first[:-1], ties, tries=1, seed=0, heat=0.5, lent=0.0)


def _by_cuts(model: Model, gap: float, seconds: float) -> Solution | None:
    """Solve a model of one option per hazard and pairs of neighbors; None where it is no such model."""
    until, laid = time.monotonic() + seconds, model
    found = _by_cuts_as_laid(model, gap, seconds)
    while found is not None and (wider := laid.opened(found.taken)) is not None:
        if wider.rows == laid.rows or time.monotonic() > until:
            return None
        laid, found = wider, _by_cuts_as_laid(wider, gap, until - time.monotonic())
    return found if found is None or laid is model else replace(found, laid=laid)


def _by_cuts_as_laid(model: Model, gap: float, seconds: float) -> Solution | None:
    cells = cells_of(model)
    patch = None if cells is None else best_patch(cells.field, gap=gap, seconds=seconds)
    if cells is None or patch is None:
        return None
    return Solution(
        taken=cells.taken(patch.taken),
        benefit=patch.benefit,
        bound=patch.bound,
        prices=patch.prices,
        loss=cells.loss(patch.spare),
        best=cells.best(patch.spare),
    )


class _Search:
    """What is known so far: a bound, and the best plan."""

    def __init__(
        self, *, model: Model, arcs: Arcs, rows: Rows, gap: float, until: float, priced: Answer
    ) -> None:
        self.model = model
        self.arcs, self.rows, self.gap, self.until, self.priced = arcs, rows, gap, until, priced
        self.bound = priced.bound + 1e-12 * abs(priced.bound)
        self.broken = np.zeros(len(rows.lower), bool)
        self.plan: Mask | None = None
        self.benefit = -np.inf
        self.loss, self.most = losses(arcs, rows, priced), priced.bound

    def run(self) -> Solution | None:
        """Search until the gap is small enough, time is up, or no plan is left to look for."""
        self.consider(self.priced.taken)
        if len(self.arcs.benefit) > SMALL:
            self.approach()
        if not self.done():
            self.opening(self.exactly, times=None)
        if self.plan is None and not self.arcs.must.any():
            self.consider(np.zeros(len(self.arcs.benefit), bool))  # to do nothing may keep all rules
        if self.plan is None:
            return None
        self.prune()
        count = len(self.model.allowed)
        taken = whole(self.arcs, self.plan, count)
        loss = np.full(count, np.inf)
        loss[self.arcs.origin] = self.loss
        return Solution(
            taken=taken,
            benefit=self.benefit,
            bound=max(self.bound, self.benefit),
            prices=self.priced.prices,
            loss=loss,
            best=self.priced.best,
            laid=self.model,
        )

    def approach(self) -> None:
        """Look for good plans in a pool of choices, then around the best plan, with ever more left open."""
        many = int(np.clip(_NEAR_PER_ROW * len(self.rows.lower), *_NEAR))
        few = len(self.rows.lower) <= _FEW_ROWS or self.model.hides
        if few and len(self.arcs.start) > _MANY_HAZARDS:
            wide = _MATRIX_GOOD if self.model.hides else many  # flows stand for rows, and need room
            self.opening(partial(self.near_the_price, wide))
        if not self.done() and len(self.rows.lower):
            self.opening(self.from_pool)
        if self.plan is None and not self.done():
            self.retreat()
        for widen in (1, 4, 4, 4):
            if not self.done() and self.hopeful().sum() > _MATRIX_GOOD:
                self.opening(partial(self.near_the_price, widen * many))

    def opening(self, search: Callable[[], None], times: int | None = _OPENINGS) -> None:
        """Do a search again with the rows that its plan broke unseen."""
        for _ in itertools.count() if times is None else range(times):
            before = self.model.rows
            search()
            if self.model.rows == before or self.done() or time.monotonic() > self.until:
                return

    def from_pool(self) -> None:
        """Lower the bound by a pool of choices of blocks, and exchange choices, in turns of ever new ones."""
        arcs, rows = self.arcs, self.rows
        pool = near_choices(arcs, rows, self.priced.prices, [self.priced.taken], rounds=_FIRST_ROUNDS)
        seen, until = self.tight(), self.most_of_the_time()
        if pool.lacks:  # promised work that breaks a limit in every choice seen
            fitting = fitting_answer(arcs, rows, self.priced.prices, until=until)
            pool = more_choices(arcs, rows, pool, [fitting.taken])
        if pool.lacks:
            return
        found = mastered(arcs, rows, self.priced, pool, seen=seen, close=0.2 * self.gap, until=until)
        self.priced = found.best
        self.bound = min(self.bound, self.priced.bound + 1e-12 * abs(self.priced.bound))
        if self.done():
            return
        self.loss, self.most = losses(arcs, rows, self.priced), self.priced.bound
        rounded, around = found.pool.taken(found.pool.highest(found.share)), self.around()
        for plan in (rounded, *around)[:_LOOKED_AT]:
            self.breaks_unseen(plan)
        if self.rows is not rows:
            return
        until = time.monotonic() + self.share_of_exchange() * (self.until - time.monotonic())
        if len(arcs.blocks.bonus) > _FEW:
            self.among_many(found, rounded, around, until)
            return
        self.among_few(found, rounded, around, until)
        if not self.done() and self.rows is rows:
            enough = self.benefit + self.gap * abs(self.bound)
            bound = branched(arcs, rows, found, enough=enough, until=until)
            self.bound = min(self.bound, bound + 1e-12 * abs(bound))

    def among_few(self, found: Master, rounded: Mask, around: list[Mask], until: float) -> None:
        """Dive, exchange choices from many beginnings, put the plans together and polish, in turns.

        Whole turns, as many as leave time for questions that sharpen the bound.
        """
        arcs, rows, plans, begin = self.arcs, self.rows, list[Mask](), rounded
        every, pool = np.ones(len(arcs.start), bool), more_choices(arcs, rows, found.pool, around)
        enough = until - _QUESTIONS * (until - time.monotonic())
        for turn in range(_TURNS):
            best, known = self.benefit, list[Mask]()
            if turn < len(_GREED):
                dive, known = dived(
                    arcs,
                    rows,
                    found.pool,
                    self.priced.prices,
                    seen=self.tight(),
                    greed=_GREED[turn],
                    until=until,
                )
                begin = rounded if dive is None else dive
                self.consider(begin)
                plans += self.polish([begin, begin], [], every, _NEARBY, turn, _EXCHANGES_OF_FEW)
            pool = more_choices(arcs, rows, pool, [begin, *known, *plans])
            starts = [(begin, _BOLDLY)] * _STARTS
            seed = 1 + _STARTS * turn
            plans += self.exchange(arcs, pool, Ties.none(pool), starts, seed, _EXCHANGES_OF_FEW)
            plans = sorted(plans, key=arcs.worth, reverse=True)[:_TOGETHER]
            if plans:
                plans += self.combined(found.pool, plans, until)
            two = [max(plans, key=arcs.worth, default=begin)] * 2
            for manners in (_CLOSER, _NEARBY):
                plans += self.polish(two, [], every, manners, turn, _EXCHANGES_OF_FEW)
            stale = self.benefit <= best and self.hopeful().sum() <= _MATRIX_UP_TO
            if stale or self.done() or self.rows is not rows or time.monotonic() > enough:
                return

    def share_of_exchange(self) -> float:
        """Say for how much of the time left choices are exchanged: less where a matrix can do better."""
        hopeful = self.hopeful().sum()
        return 0.4 if hopeful <= _MATRIX_UP_TO else 0.7 if hopeful <= _MATRIX_HELPS_UP_TO else 1.0

    def among_many(self, found: Master, begin: Mask, around: list[Mask], until: float) -> None:
        """Exchange choices of whole blocks, then of single hazards, until it helps no more or rows appear."""
        arcs, rows, best, stale = self.arcs, self.rows, self.benefit, 0
        shared = (found.share > _SPLIT) & (found.share < 1 - _SPLIT)
        split = np.zeros(len(arcs.blocks.bonus), bool)
        split[found.pool.blocks[found.pool.owner[shared]]] = True
        tied = nearly_tied(arcs.hazard, self.priced.taken, self.loss, len(arcs.start))
        pool = near_choices(arcs, rows, self.priced.prices, [begin, *around], before=found.pool)
        together = len(arcs.blocks.bonus) < len(arcs.start)
        for turn in range(_TURNS):
            bold = _BOLD if len(pool.blocks) < _BOLD_UP_TO else _TIMID
            plans = self.exchange(arcs, pool, Ties.none(pool), [(begin, m) for m in bold], 2 * turn + 1)
            if together and turn % 2 and not self.done() and self.rows is rows:
                two = plans[0] if plans else begin
                known, open_ = around[:_POLISH_WITH], tied | split[arcs.blocks.of]
                plans = self.polish([two, two], known, open_, _CLOSER, 2 * turn + 1)
            stale = 0 if self.benefit > best else stale + 1
            best = self.benefit
            if stale >= _STALE or time.monotonic() > until or self.done() or self.rows is not rows:
                break
            if plans:
                pool = more_choices(arcs, rows, pool, plans[:1])

    def polish(
        self,
        plans: list[Mask],
        known: list[Mask],
        open_: Mask,
        manners: Sequence[Manner],
        seed: int,
        tries: int | None = None,
    ) -> list[Mask]:
        """Exchange choices of single hazards, each plan in its own manner."""
        if self.done():
            return []
        alone, all_known = self.arcs.each_alone(), [*plans, *known, self.priced.taken]
        single = near_choices(alone, self.rows, self.priced.prices, all_known, open_=open_)
        ties = Ties.of(self.arcs, single, all_known[:-1])
        return self.exchange(alone, single, ties, list(zip(plans, manners, strict=True)), seed, tries)

    def combined(self, pool: Choices, plans: list[Mask], until: float) -> list[Mask]:
        """Put what blocks do in some plans, the best one first, or best at the prices, together anew."""
        prices, seen, seconds = self.priced.prices, self.tight(), min(_SECONDS, until - time.monotonic())
        if self.done() or seconds <= 0 or not self.knows(pool):
            return []
        pool = more_choices(self.arcs, self.rows, pool, plans)
        some = pool.losses(prices) <= _NO_LOSS * abs(self.bound)
        some[np.concatenate([pool.of_plan(self.arcs, plan) for plan in plans])] = True
        pool = pool.some(some)
        chosen = best_of_pool(
            pool.seeing(seen),
            self.rows.some(seen),
            pool.of_plan(self.arcs, plans[0]),
            slack=0.1 * self.gap * abs(self.bound),
            seconds=seconds,
        )
        plan = None if chosen is None else pool.taken(chosen)
        return [plan] if plan is not None and self.consider(plan) else []

    def exchange(
        self,
        arcs: Arcs,
        pool: Choices,
        ties: Ties,
        begin: list[tuple[Mask, Manner]],
        seed: int,
        tries: int | None = None,
    ) -> list[Mask]:
        """Exchange choices, beginning with some plans, side by side; return those that break no row."""
        if self.done() or not self.knows(pool):
            return []
        tries = tries or int(np.clip(_EXCHANGES_PER_BLOCK * len(pool.blocks), *_EXCHANGES))
        seen = self.tight()
        rows, near, prices = self.rows.some(seen), pool.seeing(seen), self.priced.prices[seen]

        def ask(turn: int) -> Ints:
            plan, (heat, lent) = begin[turn]
            start = pool.of_plan(arcs, plan)
            start = np.where(start >= 0, start, pool.first[:-1])
            found, _ = exchanged(
                near, rows, prices, start, ties, tries=tries, seed=seed + turn, heat=heat, lent=lent
            )
            return found

        with ThreadPoolExecutor(2) as threads:
            plans = [pool.taken(chosen) for chosen in threads.map(ask, range(len(begin)))]
        return sorted((p for p in plans if self.consider(p)), key=self.arcs.worth, reverse=True)

    def knows(self, pool: Choices) -> bool:
        """Say whether a pool tells what its choices use of every row, also of those that came to light."""
        return pool.use.shape[1] == len(self.rows.lower)

    def tight(self) -> Mask:
        """Leave out rows that hold nearly everything, have no price and much room, and that no plan broke.

        They cost most time. Where there are few blocks all rows matter.
        """
        if len(self.arcs.blocks.bonus) <= _FEW:
            return np.ones(len(self.rows.lower), bool)
        pattern, use = abs(self.rows.pattern), self.priced.use
        touched = pattern.T @ use_by_key(self.arcs, self.priced.taken, pattern.shape[0])
        room = np.minimum(self.rows.upper - use, use - self.rows.lower)
        wide = np.diff(pattern.tocsc().indptr) > _WIDE * pattern.shape[0]
        return np.asarray(~wide | (self.priced.prices != 0) | (room < _ROOM * touched) | self.broken)

    def around(self) -> list[Mask]:
        """Ask what hazards and blocks do at prices a little off the best ones: choices worth exchanging."""
        random, best = np.random.default_rng(0), self.priced.prices
        many = _PLANS if len(self.arcs.blocks.bonus) < _BOLD_UP_TO else _PLANS_OF_MANY
        off = [np.exp(random.normal(0, _OFF[k % len(_OFF)], len(best))) for k in range(many)]
        allowed = [self.rows.allowed(best * factor) for factor in off]
        return [fitting_answer(self.arcs, self.rows, p).taken for p in allowed]

    def most_of_the_time(self) -> float:
        """When most of the time that is left is over."""
        return 0.3 * time.monotonic() + 0.7 * self.until

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
            before = self.model
            self.consider(found.taken)
            if self.model is not before:
                prices = before.carried(prices, self.model)
                excess = self.rows.excess(answer(self.arcs, self.rows, prices).use)

    def consider(self, taken: Mask | None) -> bool:
        """Keep a plan if it does what is promised, breaks no row and is the best so far."""
        if taken is None or not self.arcs.fulfills(taken):
            return False
        if not self.keeps(taken) or self.breaks_unseen(taken):
            return False
        benefit = self.arcs.worth(taken)
        if benefit > self.benefit:
            self.plan, self.benefit = taken, benefit
        return True

    def keeps(self, taken: Mask) -> bool:
        """Say whether a plan breaks no row, up to rounding; keep those that it breaks in sight."""
        broken = self.rows.broken(self.rows.use_of(self.arcs, taken))
        self.broken |= broken
        return not broken.any()

    def breaks_unseen(self, taken: Mask) -> bool:
        """Say whether a plan breaks rows that are not laid out, and lay them out."""
        chosen = whole(self.arcs, taken, len(self.model.allowed))
        wider = self.model.opened(chosen)
        if wider is not None and wider.rows > self.model.rows:
            wider = wider.opened_nearly(chosen)
            prices = self.model.carried(self.priced.prices, wider)
            self.model, self.rows = wider, Rows.of(wider)
            self.broken = np.zeros(len(self.rows.lower), bool)
            self.priced = answer(self.arcs, self.rows, prices)
        return wider is not None

    def prune(self) -> None:
        """Spend nothing where a cheaper option does as well, or on what averts nothing and no rule needs."""
        if self.plan is None:
            return
        frame = self.model.listing.frame
        cost = np.asarray(frame["cost_usd"], float) if "cost_usd" in frame else np.zeros(len(frame))
        plan = thrifty(self.arcs, self.rows, self.plan, cost[self.arcs.origin])
        unseen = self.model.opened(whole(self.arcs, plan, len(self.model.allowed)))
        if unseen is None and self.keeps(plan) and self.arcs.worth(plan) >= self.benefit:
            self.plan, self.benefit = plan, self.arcs.worth(plan)

    def done(self) -> bool:
        """Whether the plan is good enough or time is up; without a plan, whether there can be none."""
        if self.plan is None:
            return self.bound == -np.inf
        return self.bound - self.benefit <= self.gap * abs(self.bound) or time.monotonic() > self.until

    def near_the_price(self, many: int) -> None:
        """Settle the hazards whose choice is clear as in the best plan, and solve the rest exactly."""
        base = self.priced.taken if self.plan is None else self.plan
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
            with_flows(matrix.compiled(arcs, self.rows, fixed), arcs, self.model, fixed),
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
        """Say which options can be in a better plan than the one at hand.

        Losses count from the bound at their prices, which may lie above one that came from elsewhere.
        """
        kept: Mask = self.loss <= self.most - self.benefit + 1e-9 * abs(self.most)
        return kept

    def exactly(self) -> None:
        """Drop what can be in no better plan and solve the rest."""
        keep = self.hopeful()
        if keep.sum() > _MATRIX_UP_TO and self.gap > 0 and self.plan is not None:
            return
        arcs = self.arcs.keep(keep)
        all_of_it = with_flows(matrix.compiled(arcs, self.rows), arcs, self.model)
        warm = None if self.plan is None else self.plan[keep]
        found = matrix.optimize(
            all_of_it, gap=0.99 * self.gap, seconds=self.until - time.monotonic(), warm=warm
        )
        if found.taken is not None:
            taken = np.zeros(len(keep), bool)
            taken[np.nonzero(keep)[0][found.taken]] = True
            self.consider(taken)
        least = min(self.bound, found.bound + 1e-9 * abs(found.bound))
        if least >= self.benefit - 1e-9 * abs(self.benefit):  # else a plan at hand proves the solver wrong
            self.bound = max(least, self.benefit)
