"""Questions that sharpen the bound: every path answers one way or the other, no plan exceeds what is left."""

import time

import numpy as np
import pandas as pd
import pytest
from small_worlds import small_world

from ccm_geo import Budget, Complete, LockIn, Share, prioritize
from ccm_geo.planning.engine import branching
from ccm_geo.planning.engine import solve as engine
from ccm_geo.planning.engine.arcs import Arcs
from ccm_geo.planning.engine.branching import Question, branched
from ccm_geo.planning.engine.choices import near_choices
from ccm_geo.planning.engine.master import mastered
from ccm_geo.planning.engine.prices import Rows, lowest_bound, walk
from ccm_geo.planning.listing import Listing
from ccm_geo.planning.model import build

RULES = [Complete("village", bonus=0.4), Budget({2027: 7.0, 2028: 5.0})]


def villages(seed, count=5):
    """Two hazards in each village, in two districts."""
    options = small_world(seed, 2 * count)
    number = options["hazard_id"].str[1:].astype(int)
    return options.assign(
        village="V" + (number // 2).astype(str), district=np.where(number % 3, "east", "west")
    )


def known(options, rules):
    model = build(Listing.of(options), rules)
    arcs, rows = Arcs.of(model), Rows.of(model)
    begin, seen = lowest_bound(arcs, rows), np.ones(len(rows.lower), bool)
    pool = near_choices(arcs, rows, begin.prices, [begin.taken])
    found = mastered(arcs, rows, begin, pool, seen=seen, close=1e-9, until=time.monotonic() + 30)
    return arcs, rows, found


def worth(arcs, value):
    """What all hazards bring at most; -inf where one of them has no path."""
    taken, best, _ = walk(arcs, value, int(arcs.keys.max(initial=0)) + 1)
    return float(value[taken].sum() + arcs.brought(taken).sum()) if np.isfinite(best).all() else -np.inf


@pytest.mark.parametrize("seed", range(4))
def test_every_best_choice_answers_one_way_or_the_other(seed):
    arcs, _, _ = known(villages(seed), RULES)
    random = np.random.default_rng(seed)
    for hazard in range(0, len(arcs.start), 3):
        mine = np.nonzero((arcs.hazard == hazard) & (arcs.src != arcs.dst))[0]
        steps = random.choice(mine, max(1, len(mine) // 3), replace=False)
        question = Question(hazard=hazard, steps=steps, weight=1.0)
        value = random.normal(0.0, 1.0, len(arcs.benefit))
        yes, no = (worth(question.answered(arcs, yes=answer), value) for answer in (True, False))
        assert max(yes, no) == pytest.approx(worth(arcs, value))
        taken, _, _ = walk(question.answered(arcs, yes=True), value, int(arcs.keys.max()) + 1)
        assert taken[steps].any()
        taken, _, _ = walk(question.answered(arcs, yes=False), value, int(arcs.keys.max()) + 1)
        assert not taken[steps].any()


def test_a_pool_is_divided_between_the_answers():
    arcs, _, found = known(villages(2), RULES)
    hazard = int(arcs.hazard[found.pool.arcs.indices[0]])
    steps = np.nonzero((arcs.hazard == hazard) & (arcs.src != arcs.dst))[0]
    question = Question(hazard=hazard, steps=steps, weight=1.0)
    yes, no = (question.agreeing(arcs, found.pool, yes=answer) for answer in (True, False))
    block = arcs.blocks.of[hazard]
    own = [set(p.prints[p.blocks[p.owner] == block].tolist()) for p in (yes, no, found.pool)]
    assert own[0]
    assert own[1]
    assert not own[0] & own[1]
    assert own[0] | own[1] == own[2]
    others = [int((p.blocks[p.owner] != block).sum()) for p in (yes, no, found.pool)]
    assert others == [others[2]] * 3


@pytest.mark.parametrize("more", [[], [Share("district", at_least=0.3)], [LockIn("H1"), LockIn("H4")]])
def test_the_bound_comes_down_and_stays_above_the_best_plan(more):
    before, after = [], []
    for seed in range(4):
        options, rules = villages(seed), [*RULES, *more]
        best = prioritize(options, rules, exact=True).benefit
        arcs, rows, found = known(options, rules)
        bound = branched(arcs, rows, found, enough=best, until=time.monotonic() + 20)
        assert bound >= best * (1 - 1e-9)
        assert bound <= found.best.bound
        before.append(found.best.bound / best - 1)
        after.append(bound / best - 1)
    assert np.mean(before) > 1e-3
    assert np.mean(after) < 0.25 * np.mean(before)


def test_time_that_is_up_leaves_the_bound_as_it_was():
    arcs, rows, found = known(villages(1), RULES)
    assert branched(arcs, rows, found, enough=0.0, until=time.monotonic() - 1) == found.best.bound


def test_a_plan_that_is_good_enough_ends_the_questions(monkeypatch):
    arcs, rows, found = known(villages(1), RULES)
    monkeypatch.setattr(branching, "mastered", None)
    bound = found.best.bound
    assert branched(arcs, rows, found, enough=bound, until=time.monotonic() + 30) == bound


def test_the_search_reports_the_sharper_bound(monkeypatch):
    monkeypatch.setattr(engine, "SMALL", 0)
    monkeypatch.setattr(engine, "_MATRIX_UP_TO", 0)
    monkeypatch.setattr(engine, "_TURNS", 1)
    monkeypatch.setattr(engine, "_EXCHANGES_OF_FEW", 5_000)
    asked = []

    def watched(arcs, rows, found, **keywords):
        asked.append((found.best.bound, branched(arcs, rows, found, **keywords)))
        return asked[-1][1]

    monkeypatch.setattr(engine, "branched", watched)
    worlds = [villages(seed, 10).assign(world=seed) for seed in range(3)]
    options = pd.concat(
        w.assign(**{c: w[c] + f"-{w['world'].iloc[0]}" for c in ("hazard_id", "option_id", "village")})
        for w in worlds
    )
    rules = [
        Complete("village", bonus=0.4),
        Budget({2027: 20.0, 2028: 15.0}),
        Share("district", at_least=0.3),
    ]
    plan = prioritize(options, rules, gap=1e-6, seconds=25)
    (before, after), *_ = asked
    assert after < before
    assert plan.benefit <= plan.bound <= after * (1 + 1e-9)
