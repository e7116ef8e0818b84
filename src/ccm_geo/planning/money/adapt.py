"""Looks for plans whose first years are the same whatever money comes, and whose later years adapt.

1. Prices over all scenarios (`futures`) bound what can be expected and say what each state of each hazard is
   worth once the money is known.
2. The shared years are planned by themselves with these worths (`stages.first_of`); other candidates are
   the first years of the plan made for the promise and of the one made for the worst case.
3. Given the first years, every scenario is an ordinary plan for the rest (`stages.rest_of`, `solve`).
Small cases go as one matrix to HiGHS (`extensive`).
"""

import time
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ccm_geo.planning.engine.arcs import Arcs
from ccm_geo.planning.engine.matrix import optimize
from ccm_geo.planning.engine.prices import Answer, nothing_below, use_by_key
from ccm_geo.planning.engine.solve import SMALL, solve
from ccm_geo.planning.listing import Floats, Mask
from ccm_geo.planning.model import Model

from .extensive import columns, trees_of, whole_matrix
from .futures import Aim, Futures, alone, asked, promises, repriced, sizes_of, together
from .stages import first_of, rest_of

_ALONE, _TOGETHER, _FIRST = 0.08, 0.2, 0.12  # shares of the time
_RANK_TRIES = 60
_SAME = 1e-9  # nearer than this share is the same number, rounded differently
_MATRIX_UP_TO = 20_000  # columns of one matrix, where nothing else finds a plan


@dataclass(frozen=True, kw_only=True)
class Trial:
    """First decisions and how each scenario goes on, as rows of the listing.

    `chosen` has shape ``(scenarios, options)``; `bounds` are what each scenario can avert at most after these
    first decisions.
    """

    shared: Mask = field(repr=False)
    chosen: Mask = field(repr=False)
    averted: Floats
    bounds: Floats
    prices: tuple[Floats, ...] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was found: the best trial, the naive one (None where it breaks a rule), and all bounds.

    `foresight` bounds each scenario as if one knew it; `naive_bounds` what the naive first decisions allow.
    """

    best: Trial
    naive: Trial | None
    naive_shared: Mask = field(repr=False)
    naive_benefit: float
    bound: float
    expected_bound: float
    foresight: Floats
    prices: Floats = field(repr=False)


class Search:
    """What is known so far: bounds, prices and the best trial."""

    def __init__(self, futures: Futures, aim: Aim, *, gap: float, seconds: float) -> None:
        self.futures, self.aim, self.gap = futures, aim, gap
        nothing = np.zeros(sum(futures.sizes) + (len(futures.models) - 1) * futures.sizes[1])
        asked(
            futures, nothing, aim.chance, promises(futures)
        )  # compiled code is loaded before the clock runs
        self.begun, self.until = time.monotonic(), time.monotonic() + seconds
        self.seconds = seconds
        self.shared_years = futures.models[0].listing.year < futures.known_from
        self.best: Trial | None = None
        self.unseen: npt.NDArray[np.bool_] | None = None  # plans by scenario that broke rows not laid out
        self.bound = self.expected_bound = np.inf
        self.size = sizes_of(futures, aim)

    def run(self) -> Outcome | None:
        """Search until the gap is small enough or time is up; None where no plan is found."""
        alone_found = alone(self.futures, self.size, self.moment(_ALONE))
        foresight = np.array([a.bound for a in alone_found])
        lowest = [nothing_below(Arcs.of(m)) for m in self.futures.models]
        if not all(
            np.isfinite(a.best).all() and a.bound >= n for a, n in zip(alone_found, lowest, strict=True)
        ):
            return None
        begin = np.array([a.prices for a in alone_found])
        expected, aimed = together(self.futures, self.aim, begin, self.moment(_ALONE + _TOGETHER))
        if not np.isfinite(aimed.best).all():
            return None
        self.reply = expected
        self.expected_bound = min(_up(expected.bound), float(self.aim.chance @ foresight))
        self.bound = min(_up(aimed.bound), self.aim.of(foresight))
        naive_whole, naive_benefit = self.naive()
        naive_shared = None if naive_whole is None else naive_whole & self.shared_years
        if columns(self.futures) <= SMALL:
            self.exactly(0.5)
        naive = None
        if naive_whole is not None and naive_shared is not None:
            naive = self.adapted(naive_shared, _Clock(self, 0.4), known=naive_whole)
        self.consider(naive)
        if not self.done():
            self.look(naive_shared)
        if self.best is None and columns(self.futures) <= _MATRIX_UP_TO:
            self.exactly(0.9)
        if self.best is None and self.unseen is None:
            naive = self.at_last(naive_whole)
        if self.best is None:
            return None
        return Outcome(
            best=self.best,
            naive=naive,
            naive_shared=self.best.shared if naive_shared is None else naive_shared,
            naive_benefit=naive_benefit if naive is None else max(naive_benefit, float(naive.averted[0])),
            bound=max(self.bound, self.aim.of(self.best.averted)),
            expected_bound=max(self.expected_bound, float(self.aim.chance @ self.best.averted)),
            foresight=np.maximum(foresight, self.best.averted),
            prices=self.futures.spread(self.reply.prices),
        )

    def moment(self, share: float) -> float:
        """When a share of the time is over."""
        return self.begun + share * self.seconds

    def left(self) -> float:
        """Seconds that are left."""
        return max(self.until - time.monotonic(), 0.2)

    def done(self) -> bool:
        """Whether the best trial is good enough, or time is up."""
        if self.best is None:
            return False
        short = self.bound - self.aim.of(self.best.averted)
        return short <= (self.gap + _SAME) * abs(self.bound) or time.monotonic() > self.until

    def consider(self, trial: Trial | None) -> None:
        """Keep a trial if it is the best so far."""
        if trial is None:
            return
        if self.best is None or self.aim.of(trial.averted) > self.aim.of(self.best.averted):
            self.best = trial

    def at_last(self, known: Mask | None) -> Trial | None:
        """Take as long again for any plan at all, from the naive first decisions: better late than never."""
        whole = self.naive(0.5)[0] if known is None else known
        if whole is None:
            return None
        each = _Clock(self, 1.0, least=1 / len(self.futures.models))
        trial = self.adapted(whole & self.shared_years, each, known=whole)
        self.consider(trial)
        return trial

    def naive(self, share: float = _FIRST) -> tuple[Mask | None, float]:
        """Plan as if the promise were certain, with the money of shared years that all scenarios have."""
        found = solve(self.tight(0), gap=self.gap / 4, seconds=max(share * self.seconds, 0.5))
        if found is None:
            return None, np.nan
        return found.taken, self.futures.worth(found.taken)

    def tight(self, scene: int) -> Model:
        """One scenario with the tightest limits of all in shared years."""
        model, rows, at, families = self.futures.models[scene], self.futures.rows[scene], 0, []
        for family in model.families:
            span = slice(at, at + len(family.labels))
            at = span.stop
            families.append(replace(family, lower=rows.lower[span], upper=rows.upper[span]))
        return replace(model, families=tuple(families))

    def look(self, naive_shared: Mask | None) -> None:
        """Try first years at the prices, and of the plan for the worst case; the most promising in full."""
        candidates = [self.priced_first()]
        worst = int(np.argmin([r.upper[np.isfinite(r.upper)].sum() for r in self.futures.rows]))
        if self.left() > 0.5 * self.seconds:
            found = solve(self.tight(worst), gap=self.gap / 4, seconds=_FIRST * self.seconds / 2)
            candidates.append(None if found is None else found.taken & self.shared_years)
        fresh = [c for c in candidates if c is not None]
        if naive_shared is not None:
            fresh = [c for c in fresh if (c != naive_shared).any()]
        ranked = sorted(((self.promise(c), i) for i, c in enumerate(fresh)), reverse=True)
        for place, (promise, i) in enumerate(ranked):
            good = self.best is None or promise > self.aim.of(self.best.averted)
            if good and not self.done():
                self.consider(self.adapted(fresh[i], _Clock(self, 0.7 if place == 0 else 0.9)))
        while not self.done() and self.best is not None:
            better = self.adapted(self.best.shared, _Clock(self, 1.0), self.best)
            if better is None or self.aim.of(better.averted) <= self.aim.of(self.best.averted) + 1e-12:
                break
            self.consider(better)

    def priced_first(self) -> Mask | None:
        """Plan the shared years with what their states are worth at the prices."""
        futures, reply = self.futures, self.reply
        settled = np.zeros(len(futures.arcs.start), bool)
        for _ in range(3):
            model = first_of(futures, reply, settled)
            found = solve(model, gap=self.gap / 10, seconds=max(_FIRST * self.seconds / 2, 0.5))
            if found is None:
                return None
            taken = np.zeros(len(self.shared_years), bool)
            own = ~settled[futures.arcs.hazard] | reply.taken[-1]
            keep = futures.whole(futures.shared & futures.able[0] & own)
            taken[np.nonzero(keep)[0][found.taken]] = True
            lost = self.lost(taken)
            if not lost.any():
                return taken
            settled |= lost
        return None

    def lost(self, taken: Mask) -> Mask:
        """Say which hazards can no longer do what they must after these first decisions."""
        out = np.zeros(len(self.futures.arcs.start), bool)
        if not self.futures.arcs.must.any():
            return out
        for model in self.futures.models:
            rest, _ = rest_of(model, self.shared_years, taken)
            if not len(rest.listing.benefit):
                for mark in rest.marks:
                    out |= mark.must
                continue
            found = repriced(
                replace(rest, families=()), np.zeros(0), np.zeros(0), most_tries=1, until=self.until
            )
            out |= ~np.isfinite(found.best)
        return out

    def promise(self, taken: Mask) -> float:
        """Bound what first decisions can come to."""
        found = [self.rest_priced(z, taken)[2] for z in range(len(self.futures.models))]
        later = np.array([0.0 if f is None else f.bound for f in found])
        return self.aim.of(later + self.futures.worth(taken))

    def rest_priced(self, scene: int, taken: Mask) -> tuple[Model, Mask, Answer | None]:
        """Return what is left of a scenario, with good prices; None where nothing can be done any more."""
        rest, kept = rest_of(self.futures.models[scene], self.shared_years, taken)
        if not len(rest.listing.benefit):
            return rest, kept, None
        chance = max(float(self.reply.weight[scene]), 1e-9)
        begin = self.futures.spread(self.reply.prices)[scene][kept] / chance
        size = self.size[scene][kept]
        until = min(self.until, time.monotonic() + 0.02 * self.seconds + 0.2)
        return rest, kept, repriced(rest, begin, size, most_tries=_RANK_TRIES, until=until)

    def adapted(
        self, taken: Mask, clock: "_Clock", before: Trial | None = None, known: Mask | None = None
    ) -> Trial | None:
        """Plan the rest of every scenario; None where one of them cannot keep the rules.

        `known` is a whole plan with these first decisions; it is taken where nothing better is found.
        """
        futures, chosen, values, bounds, prices = self.futures, [], [], [], []
        fixed = futures.worth(taken)
        scenes = range(len(futures.models))
        order = (
            list(scenes)
            if before is None
            else sorted(scenes, key=lambda z: -self.aim.chance[z] * (before.bounds[z] - before.averted[z]))
        )
        found: dict[int, tuple[Mask, float, float, Floats]] = {}
        for done, z in enumerate(order):
            seconds = clock.share(len(order) - done if before is None else min(3, len(order) - done))
            old = (
                None
                if before is None
                else (before.chosen[z], before.averted[z], before.bounds[z], before.prices[z])
            )
            if old is not None and (
                time.monotonic() > self.until or old[2] - old[1] <= 0.2 * self.gap * self.bound
            ):
                found[z] = old
                continue
            new = self.one_rest(z, taken, fixed, seconds)
            if new is None and old is None:
                return None
            found[z] = max((f for f in (new, old) if f is not None), key=lambda f: f[1])
        self.lend(found, known)
        for z in scenes:
            mask, value, bound, price = found[z]
            chosen.append(mask)
            values.append(value)
            bounds.append(bound)
            prices.append(price)
        return Trial(
            shared=taken,
            chosen=np.array(chosen),
            averted=np.array(values),
            bounds=np.array(bounds),
            prices=tuple(prices),
        )

    def lend(self, found: dict[int, tuple[Mask, float, float, Floats]], known: Mask | None) -> None:
        """Let scenarios take over each other's plans where these keep their limits and are better."""
        plans = [(own[0], own[1]) for own in found.values()]
        if known is not None:
            plans.append((known, self.futures.worth(known)))
        for z, (_, value, bound, price) in list(found.items()):
            for mask, other in sorted(plans, key=lambda p: -p[1]):
                if other <= value:
                    break
                if _keeps(self.futures, z, mask):
                    found[z] = (mask, other, max(bound, other), price)
                    break

    def one_rest(
        self, scene: int, taken: Mask, fixed: float, seconds: float
    ) -> tuple[Mask, float, float, Floats] | None:
        """Plan the rest of one scenario: rows chosen, what all of it averts, a bound on that, prices."""
        futures = self.futures
        rest, kept, priced = self.rest_priced(scene, taken)
        prices = np.zeros(len(kept))
        whole = taken.copy()
        bound = fixed
        if priced is not None:
            if not np.isfinite(priced.best).all():
                return None
            gap = min(0.3 * self.gap * abs(self.bound) / max(abs(priced.bound), 1e-12), 0.02)
            solution = solve(rest, gap=gap, seconds=seconds)
            bound, prices[kept] = fixed + _up(priced.bound), priced.prices
            if solution is not None:
                later = np.nonzero(~self.shared_years & futures.models[scene].allowed)[0]
                whole[later[solution.taken]] = True
                bound = min(bound, fixed + solution.bound)
                prices[kept] = rest.own(solution.prices, solution.laid)
        if not _keeps(futures, scene, whole):
            return None
        value = futures.worth(whole)
        return whole, value, max(bound, value), prices

    def exactly(self, share: float) -> None:
        """Solve all scenarios as one matrix."""
        matrix, place = whole_matrix(self.futures, self.aim)
        seconds = max(self.moment(share) - time.monotonic(), 0.5)
        found = optimize(matrix, gap=0.5 * self.gap, seconds=seconds)
        if found.infeasible:
            return
        self.bound = min(self.bound, _up(found.bound))
        if self.aim.worst == 0:
            self.expected_bound = min(self.expected_bound, self.bound)
        if found.taken is None:
            return
        trees = trees_of(place, found.taken)
        masks = np.array([self.futures.whole(t) for t in trees])
        if not all(_keeps(self.futures, z, m) for z, m in enumerate(masks)):
            self.unseen = masks
            return
        values = np.array([self.futures.worth(m) for m in masks])
        trial = Trial(
            shared=masks[0] & self.shared_years,
            chosen=masks,
            averted=values,
            bounds=np.full(len(values), np.inf),
            prices=tuple(np.zeros(len(self.futures.once)) for _ in values),
        )
        refined = self.adapted(trial.shared, _Clock(self, 0.95))
        if refined is not None:
            better = refined.averted >= values
            trial = replace(
                trial,
                chosen=np.where(better[:, None], refined.chosen, masks),
                averted=np.maximum(values, refined.averted),
                bounds=np.maximum(refined.bounds, values),
                prices=refined.prices,
            )
        self.consider(trial)


@dataclass(frozen=True)
class _Clock:
    """Shares what is left of the time, up to a moment, among the tasks to come; each gets a least share."""

    search: Search
    until: float
    least: float = 0.01

    def share(self, tasks: int) -> float:
        """Seconds for the next one of so many tasks."""
        left = self.search.moment(self.until) - time.monotonic()
        return max(left / max(tasks, 1), self.least * self.search.seconds, 0.2)


def _up(bound: float) -> float:
    """Allow for rounding of sums."""
    return bound + 1e-10 * abs(bound)


def _keeps(futures: Futures, scene: int, chosen: Mask) -> bool:
    """Say whether a plan breaks no row of a scenario, up to rounding, and does what it must."""
    arcs, rows, model = futures.arcs, futures.rows[scene], futures.models[scene]
    for mark in model.marks:
        done = np.zeros(len(mark.must), bool)
        done[model.listing.hazard[mark.sets & chosen]] = True
        if (mark.must & ~done).any():
            return False
    use = rows.pattern.T @ use_by_key(arcs, chosen[arcs.origin], futures.keys)
    return rows.keeps(use) and model.opened(chosen) is None
