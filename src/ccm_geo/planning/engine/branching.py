"""Sharpens the bound by questions: every plan has an area surveyed or released by some year, or it has not.

A linear program over choices fills a floor or a year's teams with parts of large areas, and its bound is as
much too high. Where few communities share many limits a handful of such questions about the largest of them
takes a good part of that away. Each half of a question is the same problem with options ruled out or asked
for, so its own prices and choices give it a bound of its own; the highest of them holds for all plans.
"""

import heapq
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ccm_geo.planning.listing import Floats, Ints

from .arcs import Arcs
from .choices import Choices, more_choices
from .fitting import fitting_answer
from .master import FINE, Master, amounts, fines, mastered, relaxed
from .prices import Rows, values_at

_ASKED = 4  # questions that are tried out on the choices at hand before one is asked
_SPLIT = 1e-4  # a share that is neither 0 nor 1
_LITTLE = 1e-6  # of the bound: what a half lowers the bound by, at least, when questions are compared
_MOST_MARKS = 6  # that the paths of a hazard can carry


@dataclass(frozen=True, kw_only=True)
class Question:
    """Whether a hazard takes one of some steps; `weight` says what is undecided about it, in benefit."""

    hazard: int
    steps: Ints
    weight: float

    def answered(self, arcs: Arcs, *, yes: bool) -> Arcs:
        """Ask for one of the steps by a mark of its own, or rule them all out by a mark that nothing sets."""
        bit = np.uint8(1 << arcs.marks[self.hazard])
        sets, asks, must, marks = (np.copy(x) for x in (arcs.sets, arcs.asks, arcs.must, arcs.marks))
        marks[self.hazard] += 1
        if yes:
            sets[self.steps] |= bit
            must[self.hazard] |= bit
        else:
            asks[self.steps] |= bit
        return replace(arcs, sets=sets, asks=asks, must=must, marks=marks)

    def agreeing(self, arcs: Arcs, pool: Choices, *, yes: bool) -> Choices:
        """Keep the choices of a pool that answer the question so."""
        steps = np.zeros(pool.arcs.shape[1])
        steps[self.steps] = 1.0
        other = pool.blocks[pool.owner] != arcs.blocks.of[self.hazard]
        return pool.some(other | ((pool.arcs @ steps > 0) == yes))


def branched(arcs: Arcs, rows: Rows, found: Master, *, enough: float, until: float) -> float:
    """Ask about the half with the highest bound, again and again; return the bound that holds for all plans.

    Parameters
    ----------
    arcs, rows
        The model.
    found
        Prices, choices and shares to begin with; no block is settled.
    enough
        Stop at this bound.
    until
        When to stop, by the monotonic clock.
    """
    number, answered = itertools.count(), -np.inf
    open_ = [(-found.best.bound, next(number), arcs, found)]
    while open_ and -open_[0][0] > max(enough, answered) and time.monotonic() < until:
        _, _, half, known = heapq.heappop(open_)
        question = _best_question(half, rows, known)
        if question is None:
            answered = max(answered, known.best.bound)
            continue
        for yes in (True, False):
            part = question.answered(half, yes=yes)
            better = _priced(part, rows, known, question.agreeing(half, known.pool, yes=yes), until)
            if better.pool.lacks:
                answered = max(answered, better.best.bound)
            elif better.best.bound > -np.inf:
                heapq.heappush(open_, (-better.best.bound, next(number), part, better))
    return max([answered, *(-half[0] for half in open_)])


def _priced(arcs: Arcs, rows: Rows, known: Master, pool: Choices, until: float) -> Master:
    """Find prices and choices for one half."""
    asked = fitting_answer(arcs, rows, known.best.prices)
    best = min(known.best, asked, key=lambda a: a.bound)
    pool = more_choices(arcs, rows, pool, [asked.taken])
    if pool.lacks:
        return Master(best=best, pool=pool, share=np.zeros(len(pool.benefit)))
    every = np.ones(len(rows.lower), bool)
    return mastered(arcs, rows, best, pool, seen=every, close=1e-5, until=until)


def _best_question(arcs: Arcs, rows: Rows, known: Master) -> Question | None:
    """Choose the question that lowers the program most on both sides, of those about the dearest steps."""
    asked = sorted(_questions(arcs, rows, known), key=lambda q: -q.weight)[:_ASKED]
    if len(asked) < 2:
        return asked[0] if asked else None
    pool, prices = known.pool, known.best.prices
    size = 1e4 / max(float(np.abs(pool.benefit).max(initial=0.0)), 1e-300)
    scale, fine = amounts(pool), FINE * fines(pool, prices)
    little, best = _LITTLE * abs(known.best.bound), known.best.bound

    def lowered(question: Question) -> float:
        out = 1.0
        for yes in (True, False):
            part = question.agreeing(arcs, pool, yes=yes)
            reached = -np.inf if part.lacks else relaxed(part, rows, fine, size, scale, None)[2]
            out *= float(np.clip(best - reached, little, 1e3 * little))
        return out

    return max(asked, key=lowered)


def _questions(arcs: Arcs, rows: Rows, known: Master) -> Iterator[Question]:
    """Ask of each hazard that the program is undecided about whether it comes into a state by a year."""
    pool, share = known.pool, known.share
    split = (share > _SPLIT) & (share < 1 - _SPLIT)
    taken: Floats = pool.arcs[split].T @ share[split]
    cost = np.abs(arcs.most - values_at(arcs, rows, known.best.prices))
    undecided = (taken > _SPLIT) & (taken < 1 - _SPLIT)
    for hazard in np.unique(arcs.hazard[undecided]):
        if arcs.marks[hazard] >= _MOST_MARKS:
            continue
        mine = np.arange(arcs.first[hazard], arcs.first[hazard + 1])
        mine = mine[arcs.src[mine] != arcs.dst[mine]]
        for state, year in itertools.product(np.unique(arcs.dst[mine]), range(arcs.years)):
            steps = mine[(arcs.dst[mine] == state) & (arcs.year[mine] <= year)]
            part = float(taken[steps].sum())
            if _SPLIT < part < 1 - _SPLIT:
                yield Question(
                    hazard=int(hazard), steps=steps, weight=min(part, 1 - part) * float(cost[steps].max())
                )
