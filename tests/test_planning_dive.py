"""Villages decided one after the other: no limit is broken, and little is lost to the best plan."""

import itertools
import time

import numpy as np
import pandas as pd
import pytest
from small_worlds import small_world

from ccm_geo import Budget, Complete, LockIn, PlanError, Share, prioritize
from ccm_geo.planning import choose
from ccm_geo.planning.engine import _fitting, _paths, exchange
from ccm_geo.planning.engine import solve as engine
from ccm_geo.planning.engine.arcs import Arcs
from ccm_geo.planning.engine.choices import near_choices
from ccm_geo.planning.engine.dive import dived
from ccm_geo.planning.engine.master import best_of_pool, mastered
from ccm_geo.planning.engine.prices import Rows, lowest_bound
from ccm_geo.planning.listing import Listing
from ccm_geo.planning.model import build


def villages(seed, count=5):
    """Two hazards in each village."""
    options = small_world(seed, 2 * count)
    return options.assign(village="V" + (options["hazard_id"].str[1:].astype(int) // 2).astype(str))


def decided(options, rules, greed, seconds=30):
    model = build(Listing.of(options), rules)
    arcs, rows = Arcs.of(model), Rows.of(model)
    begin, seen = lowest_bound(arcs, rows), np.ones(len(rows.lower), bool)
    pool = near_choices(arcs, rows, begin.prices, [begin.taken])
    known = mastered(arcs, rows, begin, pool, seen=seen, close=1e-6, until=time.monotonic() + 30)
    until = time.monotonic() + seconds
    plan, _ = dived(arcs, rows, known.pool, known.best.prices, seen=seen, greed=greed, until=until)
    return arcs, rows, plan


@pytest.mark.parametrize("greed", [0.0, 0.5, 1.0, 2.0])
def test_villages_with_money_for_all_do_what_is_best(greed):
    options, rules = villages(1), [Complete("village", bonus=0.4), Budget(1e6)]
    arcs, _, plan = decided(options, rules, greed)
    assert arcs.worth(plan) == pytest.approx(prioritize(options, rules, exact=True).benefit)


def test_villages_decided_one_after_the_other_come_near_the_best_plan():
    reached = []
    for seed in range(10):
        options = villages(seed)
        rules = [Complete("village", bonus=0.4), Budget({2027: 7.0, 2028: 5.0})]
        best = prioritize(options, rules, exact=True).benefit
        for greed in (0.5, 1.0):
            arcs, rows, plan = decided(options, rules, greed)
            assert rows.keeps(rows.use_of(arcs, plan))
            assert arcs.worth(plan) <= best + 1e-9
            reached.append(arcs.worth(plan) / best)
    assert np.mean(reached) > 0.9


def pooled(seed):
    options = villages(seed, 4)
    rules = [Complete("village", bonus=0.4), Budget({2027: 7.0, 2028: 5.0}), Share("adm1", at_least=0.2)]
    model = build(Listing.of(options), rules)
    arcs, rows = Arcs.of(model), Rows.of(model)
    begin = lowest_bound(arcs, rows)
    return options, rules, arcs, rows, begin, near_choices(arcs, rows, begin.prices, [begin.taken])


@pytest.mark.parametrize("seed", range(6))
def test_choices_of_villages_are_put_together_as_well_as_any_that_fit(seed):
    """Against all combinations of the pool's choices."""
    _, _, arcs, rows, begin, pool = pooled(seed)
    pool = pool.some(pool.losses(begin.prices) <= np.quantile(pool.losses(begin.prices), 0.5))
    best = -np.inf
    for chosen in itertools.product(*(range(*pair) for pair in itertools.pairwise(pool.first.tolist()))):
        plan = pool.taken(np.array(chosen))
        if rows.keeps(rows.use_of(arcs, plan)):
            best = max(best, arcs.worth(plan))
    found = best_of_pool(pool, rows, None, slack=0.0, seconds=30)
    assert (found is None) == (best == -np.inf)
    if found is not None:
        plan = pool.taken(found)
        assert rows.keeps(rows.use_of(arcs, plan))
        assert arcs.worth(plan) == pytest.approx(best)
        again = best_of_pool(pool, rows, found, slack=0.0, seconds=30)
        assert arcs.worth(pool.taken(again)) == pytest.approx(best)


@pytest.mark.parametrize("seed", range(6))
def test_rows_that_the_linear_program_breaks_come_into_sight(seed):
    """Begun without a single row it ends at the same bound as with all of them."""
    options, rules, arcs, rows, begin, pool = pooled(seed)
    known = [
        mastered(
            arcs,
            rows,
            begin,
            pool,
            seen=np.full(len(rows.lower), see),
            close=1e-9,
            until=time.monotonic() + 30,
        ).best.bound
        for see in (True, False)
    ]
    assert known[1] == pytest.approx(known[0], rel=1e-6)
    assert known[0] >= prioritize(options, rules, exact=True).benefit - 1e-9


def test_promise_that_fits_no_more_ends_the_dive_without_a_plan():
    """The two promises fit the year alone, but not together."""
    options = villages(3)
    rules = [Complete("village", bonus=0.4), LockIn(["H0", "H2"], activity="clearance", year=2027)]
    due = options[(options["activity"] == "clearance") & (options["year"] == 2027)]
    cost = due.groupby("hazard_id")["cost_usd"].min()[["H0", "H2"]]
    money = Budget({2027: cost.sum() - 0.01, 2028: 50.0})
    assert decided(options, [*rules, money], 1.0)[2] is None


def test_no_plan_when_time_is_up():
    assert decided(villages(1), [Budget(5.0)], 1.0, seconds=-1)[2] is None


def test_search_is_compiled_before_the_clock_of_a_plan_runs():
    """What a plan needs is compiled by `_load`; a large plan compiles none of it again."""
    choose._load()
    parts = [_fitting.overdrawn, _fitting._priced, _fitting._branched, _paths.best_paths, _paths.path_losses]
    parts += [_paths.room_for, exchange._anneal]
    before = [len(p.signatures) for p in parts]
    options = pd.concat([villages(s, 20).assign(part=str(s)) for s in range(60)], ignore_index=True)
    for name in ("option_id", "hazard_id", "village"):
        options[name] = options["part"] + options[name]
    cost = float(options["cost_usd"].max())
    plan = prioritize(options, [Complete("village", bonus=0.4), Budget({2027: 3 * cost, 2028: 3 * cost})])
    assert len(options) > choose.SMALL
    assert plan.gap < 0.1
    assert min(before) > 0
    assert before == [len(p.signatures) for p in parts]


def test_no_option_of_a_better_plan_is_dropped_where_the_bound_comes_from_elsewhere():
    """Losses count from the bound at their prices; a lower one, of a matrix, says nothing of options."""
    undecided = 0
    for seed in range(6):
        options = villages(seed)
        rules = [Complete("village", bonus=0.4), Budget({2027: 7.0, 2028: 5.0})]
        best = prioritize(options, rules, exact=True)
        model = build(Listing.of(options), rules)
        arcs, rows = Arcs.of(model), Rows.of(model)
        search = engine._Search(
            model=model,
            arcs=arcs,
            rows=rows,
            gap=0.0,
            until=time.monotonic() + 30,
            priced=lowest_bound(arcs, rows),
        )
        undecided += search.bound > best.benefit * (1 + 1e-3)
        search.benefit, search.bound = (1 - 1e-4) * best.benefit, best.benefit
        chosen = np.isin(model.listing.frame["option_id"], best.table["option_id"])
        assert search.hopeful()[chosen[arcs.origin]].all()
    assert undecided > 2


def test_a_promise_in_a_municipality_that_can_do_little_of_its_work_is_kept():
    """All that it does best breaks a limit, and it may not do nothing: no choice was at hand."""
    rng, rows = np.random.default_rng(0), []
    for k in range(150):
        harm, cost = float(rng.uniform(0.1, 1)), float(rng.integers(5, 50)) * 1000
        rows += [
            {
                "option_id": f"f{k}.{i}.{year}",
                "hazard_id": f"f{k}",
                "municipality": "all",
                "year": year,
                "cost_usd": cost * (1 + i / 10),
                "benefit": harm * (2032 - year) * (1 + i / 50),
            }
            for year in range(2027, 2032)
            for i in range(6)
        ]
    rules = [Budget(dict.fromkeys(range(2027, 2032), 200_000)), Complete("municipality", bonus=0.5)]
    plan = prioritize(pd.DataFrame(rows), [*rules, LockIn("f0")], gap=1e-2, seconds=10)
    assert "f0" in set(plan.table["hazard_id"])
    assert plan.gap < 0.05


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_two_promises_that_clash_are_named_whatever_the_unit_of_benefit(scale):
    """Six team-months are promised where there are three; 1,400 fields that use none make the table large."""
    rng = np.random.default_rng(0)
    promised = [(h, kind, 3.0, 4.0, "c1") for h, kind in (("h0", "eore"), ("h2", "clearance"))]
    others = [
        (f"x{k}", kind, 0.0, rng.uniform(0.1, 1) / 20, f"z{k // 5}")
        for k in range(1_400)
        for kind in ("clearance", "ts", "nts")
    ]
    columns = ["hazard_id", "activity", "team_months", "benefit", "community"]
    table = pd.DataFrame(promised + others, columns=columns)
    table["option_id"] = table["hazard_id"] + "." + table["activity"]
    table = table.assign(year=2027, cost_usd=0.0, benefit=scale * table["benefit"])
    rules = [
        Complete("community", bonus={"c1": 7.5 * scale}),
        Budget({2027: 3.0}, of="team_months"),
        LockIn(["h0", "h2"]),
    ]
    with pytest.raises(PlanError) as trouble:
        prioritize(table, rules, gap=1e-3, seconds=4)
    said = str(trouble.value)
    assert "in conflict: LockIn h0, h2" in said
    assert "Budget 2027 of 6.00 in place of 3.00" in said
