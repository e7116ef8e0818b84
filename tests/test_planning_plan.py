"""Rules, plans and their proof: known optima, laws, wrong names, the story and the reasons."""

import csv
import html
import time
from dataclasses import replace

import highspy
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from ccm_geo import DataError, PlanError
from ccm_geo.planning import (
    ACTIVITIES,
    After,
    Budget,
    Capacity,
    Complete,
    Deadline,
    LockIn,
    LockOut,
    Share,
    list_options,
    prioritize,
)
from ccm_geo.planning.choose import checked_plan
from ccm_geo.planning.engine import matrix
from ccm_geo.planning.engine import solve as engine
from ccm_geo.planning.engine.arcs import Arcs
from ccm_geo.planning.engine.choices import near_choices
from ccm_geo.planning.engine.exchange import Ties, exchanged
from ccm_geo.planning.engine.master import mastered
from ccm_geo.planning.engine.prices import Rows, lowest_bound, use_by_key
from ccm_geo.planning.listing import Listing
from ccm_geo.planning.model import build

MONEY = {2027: 150_000.0, 2028: 100_000.0, 2029: 100_000.0}


@pytest.fixture(scope="module")
def world():
    """Options of an invented district: 60 hazards, 3 years, 3 regions."""
    return invented(60)


@pytest.fixture(scope="module")
def hamlet():
    """Options of a small place, solved to the end in no time."""
    return invented(14)


def invented(n):
    rng = np.random.default_rng(7)
    facts = pd.DataFrame(
        {
            "hazard_id": [f"H{i:02d}" for i in range(n)],
            "hazard_class": rng.choice(["SHA", "CHA"], n),
            "ordnance": rng.choice(["cluster", "ap_mine", "uxo"], n, p=[0.6, 0.1, 0.3]),
            "area_m2": np.exp(rng.uniform(np.log(2e3), np.log(2e5), n)).round(),
            "adm1": rng.choice(["north", "south", "west"], n),
            "lon": rng.uniform(100, 101, n),
            "lat": rng.uniform(18, 19, n),
        }
    )
    base = rng.lognormal(-3, 1, n)
    harm = pd.DataFrame(
        {
            "hazard_id": np.repeat(facts.hazard_id, 3),
            "year": np.tile([2027, 2028, 2029], n),
            "harm": np.repeat(base, 3),
            "people": np.repeat(rng.uniform(10, 900, n), 3),
        }
    )
    return list_options(facts, ACTIVITIES, harm)


@pytest.fixture(scope="module")
def plan(world):
    return prioritize(world, [Budget(MONEY), Share("adm1", at_least=0.1)], gap=2e-3, seconds=20)


# -- known optima -----------------------------------------------------------------------------------


def mkp_instances(text):
    numbers = iter([float(w) for w in text.split()])
    for _ in range(int(next(numbers))):
        n, m, optimum = int(next(numbers)), int(next(numbers)), next(numbers)
        profit = [next(numbers) for _ in range(n)]
        weights = [[next(numbers) for _ in range(n)] for _ in range(m)]
        yield optimum, profit, weights, [next(numbers) for _ in range(m)]


def mkp_table(profit, weights):
    columns = {f"w{i}": w for i, w in enumerate(weights)}
    return pd.DataFrame({"option_id": [f"x{j}" for j in range(len(profit))], "benefit": profit, **columns})


@pytest.mark.shared
def test_seven_knapsacks_with_several_budgets_reach_their_optima(shared_cases):
    found = []
    for _, profit, weights, limits in mkp_instances((shared_cases / "orlib_mkp/mknap1.txt").read_text()):
        rules = [Budget(b, of=f"w{i}") for i, b in enumerate(limits)]
        plan = prioritize(mkp_table(profit, weights), rules, exact=True, seconds=30)
        assert plan.gap == 0
        found.append(plan.benefit)
    assert found == pytest.approx([3800, 8706.1, 4015, 6120, 12400, 10618, 16537])


@pytest.mark.shared
def test_knapsacks_of_100_items_and_5_budgets_come_within_0_2_percent(shared_cases):
    best = [24381, 24274, 23551]
    instances = mkp_instances((shared_cases / "orlib_mkp/mknapcb1.txt").read_text())
    for optimum, (_, profit, weights, limits) in zip(best, instances, strict=False):
        rules = [Budget(b, of=f"w{i}") for i, b in enumerate(limits)]
        plan = prioritize(mkp_table(profit, weights), rules, gap=2e-3, seconds=5)
        assert optimum * (1 - 2e-3) <= plan.benefit <= optimum <= plan.bound + 1e-6


def kp_cases(folder):
    with (folder / "expected_computed.csv").open() as lines:
        for case in csv.DictReader(lines):
            if case["optimum_by_core_dp"] != "None" and (folder / case["file"]).exists():
                yield case["file"], int(case["optimum_by_core_dp"])


@pytest.mark.shared
def test_classic_knapsacks_come_within_a_hundred_thousandth(shared_cases):
    seen = 0
    for file, optimum in kp_cases(shared_cases / "kplib"):
        words = (shared_cases / "kplib" / file).read_text().split()
        table = pd.DataFrame(np.array(words[2:], dtype=float).reshape(-1, 2), columns=["benefit", "weight"])
        plan = prioritize(table, [Budget(float(words[1]), of="weight")], gap=1e-5, seconds=10)
        assert optimum * (1 - 1e-5) <= plan.benefit <= optimum <= plan.bound + 1e-6, file
        seen += 1
    assert seen >= 7


def test_hand_case_with_a_missing_cost_a_promise_and_an_exclusion():
    table = pd.DataFrame(
        {"option_id": list("abcd"), "cost_usd": [1, 2, 2, np.nan], "benefit": [9.0, 1.0, 1.0, 9.0]}
    )
    plan = prioritize(table, [Budget(4.23), LockIn("b"), LockOut("a")])
    assert list(plan.table.option_id) == ["b", "c"]
    assert any("1 options have no cost_usd" in n.text and n.rows == ("4",) for n in plan.notes)


# -- laws ---------------------------------------------------------------------------------------------


def test_more_money_never_lowers_the_proven_benefit(world):
    bounds = [
        prioritize(world, [Budget({y: f * m for y, m in MONEY.items()})], seconds=20) for f in (0.5, 1, 1.5)
    ]
    assert bounds[0].bound <= bounds[1].bound <= bounds[2].bound
    assert bounds[0].benefit <= bounds[1].bound


def test_relaxing_a_rule_never_lowers_the_bound(world, plan):
    without = prioritize(world, [Budget(MONEY)], seconds=20)
    assert without.bound >= plan.benefit
    carried = prioritize(world, [Budget(MONEY, carry_over=True)], seconds=20)
    assert carried.bound >= without.benefit


def test_order_of_rows_does_not_matter(hamlet):
    own = prioritize(hamlet, [Budget(MONEY)], exact=True)
    mixed = prioritize(hamlet.sample(frac=1, random_state=3), [Budget(MONEY)], exact=True)
    assert mixed.benefit == pytest.approx(own.benefit, rel=1e-9)


@pytest.mark.parametrize("times", [1e-9, 1e9])
def test_scaling_money_and_benefit_changes_nothing(hamlet, times):
    base = prioritize(hamlet, [Budget(MONEY)], exact=True)
    scaled = hamlet.assign(cost_usd=hamlet.cost_usd * 1_000, benefit=hamlet.benefit * times)
    other = prioritize(scaled, [Budget({y: 1_000 * m for y, m in MONEY.items()})], exact=True)
    assert other.benefit == pytest.approx(times * base.benefit, rel=1e-9)
    assert other.gap <= base.gap + 1e-9
    assert set(other.table.option_id) == set(base.table.option_id)


def test_benefits_of_a_billionth_are_planned_as_exactly_as_others():
    rng = np.random.default_rng(2)
    costs, benefits = rng.integers(20, 100, 40), rng.integers(20, 100, 40)
    region = rng.choice(["a", "b"], 40)
    table = pd.DataFrame(
        {"option_id": np.arange(40).astype(str), "cost_usd": costs.astype(float), "adm1": region}
    )
    rules = [Budget(500), Budget(300, where={"adm1": "a"}), Budget(300, where={"adm1": "b"})]
    plan, small = (prioritize(table.assign(benefit=benefits * f), rules, exact=True) for f in (1.0, 1e-10))
    assert small.benefit == pytest.approx(1e-10 * plan.benefit, rel=1e-9)
    assert small.gap <= 2e-9


def test_locked_in_plan_reproduces_itself(world, plan):
    keys = plan.table.groupby(["activity", "year"], observed=True).hazard_id
    locks = [LockIn(list(ids), activity=str(a), year=int(y)) for (a, y), ids in keys]
    again = prioritize(world, [Budget(MONEY), Share("adm1", at_least=0.1), *locks], seconds=20)
    assert set(plan.table.option_id) <= set(again.table.option_id) or again.benefit >= plan.benefit * (
        1 - 1e-9
    )


def test_plan_keeps_its_rules_and_its_proof(world, plan):
    assert plan.gap <= 2e-3
    assert plan.bound >= plan.benefit
    spent = plan.table.groupby("year").cost_usd.sum()
    assert all(spent[y] <= MONEY[y] for y in MONEY)
    by_region = plan.table.groupby("adm1", observed=True).cost_usd.sum()
    assert (by_region >= 0.1 * plan.cost_usd - 0.01).all()
    assert plan.table.year.is_monotonic_increasing


def test_land_of_every_hazard_is_conserved_over_the_plan(world, plan):
    steps = plan.table[plan.table.state_from != plan.table.state_to]
    for hazard, rows in steps.groupby("hazard_id", observed=True):
        area = rows.area_m2.max()
        released = rows[["cancelled_m2", "reduced_m2", "cleared_m2"]].to_numpy().sum()
        assert released + rows.left_m2.min() == pytest.approx(area), hazard


def test_both_engines_agree_within_the_gap(world, plan, monkeypatch):
    monkeypatch.setattr(engine, "SMALL", 0)
    priced = prioritize(world, [Budget(MONEY), Share("adm1", at_least=0.1)], gap=5e-3, seconds=20)
    assert priced.gap <= 5e-3
    assert priced.benefit <= plan.bound * (1 + 1e-9)
    assert plan.benefit <= priced.bound * (1 + 1e-9)


def test_random_exchange_finds_a_plan_that_keeps_the_rules_and_the_same_one_again(world):
    model = build(Listing.of(world), [Budget(MONEY), Share("adm1", at_least=0.1)])
    arcs, rows = Arcs.of(model), Rows.of(model)
    priced = lowest_bound(arcs, rows)
    pool = near_choices(arcs, rows, priced.prices, [priced.taken])
    start, ties = pool.of_plan(arcs, priced.taken), Ties.of(arcs, pool, [])
    found = [
        exchanged(pool, rows, priced.prices, start, ties, tries=200_000, seed=5, heat=0.002, lent=1.0)
        for _ in range(2)
    ]
    assert (found[0][0] == found[1][0]).all()
    assert found[0][1]
    taken = pool.taken(found[0][0])
    use = rows.pattern.T @ use_by_key(arcs, taken, rows.pattern.shape[0])
    assert abs(rows.excess(use)).max() < 1e-6
    assert 0.97 * priced.bound < arcs.benefit[taken].sum() <= priced.bound


def fields(*costs, benefit=1.0, **more):
    """One field that can be cleared at several costs, named by these."""
    return pd.DataFrame(
        {
            "option_id": [f"{c:g}" for c in costs],
            "hazard_id": "A",
            "activity": "clearance",
            "year": 2027,
            "state_from": "confirmed",
            "state_to": "released",
            "cost_usd": costs,
            "benefit": benefit,
            "adm1": "north",
            **more,
        }
    )


def test_of_two_ways_that_avert_the_same_the_cheaper_one_is_paid_for():
    for money in (100.0, 5_000.0):
        plan = prioritize(fields(90.0, 40.0, 60.0), [Budget(money)])
        assert plan.table["cost_usd"].tolist() == [40.0]
        assert plan.benefit == 1.0


def test_dearer_twin_stays_where_the_teams_of_the_cheaper_one_are_busy():
    near, other = fields(90.0, 40.0, team_months=[0.0, 3.0]), fields(50.0, benefit=2.0, team_months=3.0)
    options = pd.concat([near, other.assign(hazard_id="B")], ignore_index=True)
    plan = prioritize(options, [Budget(1_000.0), Capacity(3.0)])
    assert sorted(plan.table["cost_usd"]) == [50.0, 90.0]


def test_no_money_goes_to_what_averts_nothing_unless_it_was_promised():
    idle = fields(30.0, benefit=0.0).assign(hazard_id="Z", option_id="Z", adm1="south")
    options = pd.concat([fields(90.0), idle], ignore_index=True)
    assert prioritize(options, [Budget(1_000.0)]).table["hazard_id"].tolist() == ["A"]
    kept = prioritize(options, [Budget(1_000.0), LockIn("Z")])
    assert sorted(kept.table["hazard_id"]) == ["A", "Z"]


def test_pool_of_choices_lowers_the_bound_to_that_of_the_linear_relaxation(world):
    """Paths and single hazards: the relaxation over choices is as strong as that over options."""
    model = build(Listing.of(world), [Budget(MONEY), Share("adm1", at_least=0.1)])
    arcs, rows = Arcs.of(model), Rows.of(model)
    rough = lowest_bound(arcs, rows, most_tries=5)
    pool = near_choices(arcs, rows, rough.prices, [rough.taken])
    found = mastered(
        arcs, rows, rough, pool, seen=np.ones(len(rows.lower), bool), close=1e-9, until=time.monotonic() + 30
    )
    relaxed = matrix.optimize(matrix.compiled(arcs, rows), gap=0, seconds=30, relaxed=True)
    assert found.best.bound < rough.bound
    assert found.best.bound == pytest.approx(relaxed.bound, rel=1e-6)


def test_inputs_are_not_changed(world):
    before = world.copy()
    prioritize(world, [Budget(MONEY)], gap=0.05)
    pd.testing.assert_frame_equal(world, before)


def test_same_question_same_answer(world, plan):
    again = prioritize(world, [Budget(MONEY), Share("adm1", at_least=0.1)], gap=2e-3, seconds=20)
    assert again.run_id == plan.run_id
    assert list(again.table.option_id) == list(plan.table.option_id)
    assert len(plan.run_id) == 10


# -- rules --------------------------------------------------------------------------------------------


def test_years_without_money_are_named(world):
    plan = prioritize(world, [Budget({2027: 50_000})], gap=0.02)
    assert set(plan.table.year) == {2027}
    assert any("names no money for 2028, 2029" in n.text for n in plan.notes)


def test_carried_over_money_is_spent_later():
    table = pd.DataFrame({"option_id": ["a"], "year": [2028], "cost_usd": [8.0], "benefit": [1.0]})
    table = pd.concat([table, table.assign(option_id="b", year=2027, cost_usd=1.0)])
    assert len(prioritize(table, [Budget({2027: 5.0, 2028: 5.0})]).table) == 1
    assert len(prioritize(table, [Budget({2027: 5.0, 2028: 5.0}, carry_over=True)]).table) == 2


def test_budget_for_one_region_limits_only_that_region():
    table = pd.DataFrame(
        {"option_id": list("ab"), "adm1": ["n", "s"], "cost_usd": [5.0, 5.0], "benefit": [1.0, 1.0]}
    )
    plan = prioritize(table, [Budget(1.0, where={"adm1": "n"}, name="donor X")])
    assert list(plan.table.option_id) == ["b"]
    assert plan.use.to_dict("records")[0]["rule"] == "donor X"


def test_budgets_are_kept_to_the_cent():
    table = pd.DataFrame({"cost_usd": [0.1] * 10 + [0.7], "benefit": [1.0] * 10 + [6.5]})
    plan = prioritize(table, [Budget(0.3)])
    assert len(plan.table) == 3


def test_floor_that_a_region_cannot_use_is_lowered_and_said():
    table = pd.DataFrame(
        {
            "option_id": list("abc"),
            "adm1": ["n", "s", "s"],
            "cost_usd": [1.0, 60.0, 60.0],
            "benefit": [0.1, 5.0, 5.0],
        }
    )
    plan = prioritize(table, [Budget(100), Share("adm1", at_least=0.1)])
    assert set(plan.table.option_id) == {"a", "b"}
    assert any("n cannot use 10.0% of the total" in n.text and "1.00%" in n.text for n in plan.notes)


def test_ceiling_keeps_a_region_below_its_share():
    table = pd.DataFrame(
        {
            "option_id": list("abcd"),
            "adm1": list("nnss"),
            "cost_usd": [1.0] * 4,
            "benefit": [9.0, 9.0, 1.0, 1.0],
        }
    )
    plan = prioritize(table, [Budget(2), Share("adm1", at_most=0.5)])
    assert sorted(plan.table.adm1) == ["n", "s"]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda: Budget({2031: 1.0}), "no options in 2031"),
        (lambda: Budget(1.0, of="euros"), "no column 'euros'"),
        (lambda: Budget(-1.0), "numbers of 0 or more"),
        (lambda: Budget(1.0, where={"adm1": "east"}), "no option has adm1 'east'"),
        (lambda: Capacity({"east": 3.0}), "no option has adm1 'east'"),
        (lambda: Capacity(3.0, by="province"), "no column 'province'"),
        (lambda: Capacity({"north": 3.0}, by=None), "need by="),
        (lambda: Capacity(-3.0), "numbers of 0 or more"),
        (lambda: Share("province", at_least=0.1), "no column 'province'"),
        (lambda: Share("adm1", at_least={"east": 0.1}), "no option has adm1 'east'"),
        (lambda: Share("adm1", at_least=1.1), "shares go from 0 to 1"),
        (lambda: Share("adm1"), "at_least= or at_most="),
        (lambda: LockIn("H99"), "first 'H99'"),
        (lambda: LockIn("H01", activity="dance"), "no option has activity 'dance'"),
        (lambda: LockOut(["H01", "H99"]), "first 'H99'"),
        (lambda: After("H99", "H01"), "no option has hazard_id 'H99'"),
        (lambda: After("H00", "H01", within="adm1"), "within is None or 'hazard_id'"),
        (lambda: "Budget", "is not a rule"),
    ],
)
def test_wrong_names_in_a_rule_are_refused_with_what_there_is(world, rule, message):
    with pytest.raises(DataError, match=message):
        prioritize(world, [rule()])


def test_floors_above_the_whole_are_refused_with_the_most_that_works(world):
    with pytest.raises(PlanError, match="add up to 120%") as caught:
        prioritize(world, [Share("adm1", at_least=0.4)])
    assert caught.value.cures == ("at_least=0.3333 for each, or fewer of them",)


def test_hazard_both_locked_in_and_out_is_refused_by_name(world):
    with pytest.raises(PlanError, match="both locked in and locked out, first 'H03'"):
        prioritize(world, [LockIn(["H03", "H04"]), LockOut("H03")])


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([Budget(0)], "there is no money"),
        ([Budget(1e12)], "no limit"),
        ([Budget(1.0)], "no year's money pays for the cheapest option"),
    ],
)
def test_odd_money_brings_advice_not_an_error(world, rules, message):
    plan = prioritize(world, rules, gap=0.05, seconds=5)
    assert any(message in n.text and n.kind == "advice" for n in plan.notes)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame({"score": [1.0]}), "score puts hazards in order but does not add up"),
        (pd.DataFrame({"option_id": ["a", "a"], "benefit": [1.0, 1.0]}), "'a' stands there more than once"),
        (pd.DataFrame({"benefit": ["x"]}), "does not hold numbers"),
        (pd.DataFrame({"benefit": [np.inf]}), "infinite"),
        (pd.DataFrame({"benefit": [np.nan]}), "no row is complete"),
        (pd.DataFrame({"benefit": [], "cost_usd": []}), "table is empty"),
        (
            pd.DataFrame({"benefit": [1.0, 1.0], "state_from": ["a", "b"], "state_to": ["b", "a"]}),
            "run in a circle",
        ),
        (pd.DataFrame({"benefit": [1.0], "state_from": ["a"]}), "go together"),
    ],
)
def test_options_that_cannot_be_read_are_refused(table, message):
    with pytest.raises(DataError, match=message):
        prioritize(table, [])


@pytest.mark.parametrize("now", [{}, {"state_now": 1}], ids=["from the steps", "told"])
def test_states_may_be_numbers(now):
    step = {"hazard_id": ["X", "Y"], "benefit": 1.0, "state_from": 1, "state_to": 2, **now}
    assert prioritize(pd.DataFrame(step), []).table["hazard_id"].tolist() == ["X", "Y"]


@pytest.mark.parametrize("column", ["state_from", "state_to", "state_now"])
def test_options_of_unknown_state_are_left_out_and_told(column):
    """The land of hazard Y is in no known state: nothing can be planned there."""
    step = {"hazard_id": ["X", "Y"], "benefit": 1.0, "state_from": "a", "state_to": "b", "state_now": "a"}
    table = pd.DataFrame(step)
    table.loc[1, column] = None
    plan = prioritize(table, [])
    assert plan.table["hazard_id"].tolist() == ["X"]
    assert any(f"1 options have no {column}" in n.text for n in plan.notes)


# -- words --------------------------------------------------------------------------------------------


def test_story_tells_what_it_buys_what_rules_cost_and_what_to_beware_of(plan):
    story = str(plan)
    assert f"for {plan.cost_usd:,.0f} USD" in story
    assert "accidents averted in 2027 to 2029" in story
    assert "can be better" in story
    assert "Budget 2027:" in story
    assert "PLACEHOLDER NUMBERS" in story
    assert "not known to be safe" in story
    assert "ha cancelled by survey" in story


def test_no_survey_is_planned_that_leads_to_nothing(world, plan):
    table = plan.table.sort_values(["hazard_id", "year"], kind="stable")
    last = table[~table.hazard_id.duplicated(keep="last")]
    assert (last.benefit > 0).all()


def test_story_names_the_teams_that_are_short(world):
    short = str(
        prioritize(world, [Budget(MONEY), Capacity({"north": 3.0, "south": 500.0, "west": 500.0})], gap=0.02)
    )
    assert "of 9 limits bind" in short
    assert "Capacity north 2027: 3.0 of 3.0 team-months used; one more would bring about" in short
    ample = str(prioritize(world, [Budget(MONEY), Capacity(1e6)], gap=0.02))
    assert "no team is short" in ample


def test_every_hazard_has_a_reason(world, plan):
    reasons = plan.reasons
    assert set(reasons.index) == set(world.hazard_id)
    assert (reasons.chosen == reasons.index.isin(plan.table.hazard_id)).all()
    assert (reasons.price_gap >= 0).all()
    inside, outside = reasons[reasons.chosen], reasons[~reasons.chosen]
    assert inside.reason.str.startswith("in the plan: ").all()
    assert outside.reason.str.startswith("not in the plan: ").all()
    assert inside.first_year.notna().all()
    assert outside.first_year.isna().all()
    one = inside.index[0]
    assert plan.why(one) == f"{one}: {reasons.loc[one, 'reason']}"


def test_hazard_left_out_would_enter_at_the_cost_that_its_reason_names():
    table = pd.DataFrame(
        {
            "hazard_id": list("abc"),
            "cost_usd": [100.0, 100.0, 100.0],
            "benefit": [4.0, 2.0, 1.0],
            "activity": "x",
            "year": 2027,
        }
    )
    plan = prioritize(table, [Budget({2027: 150.0})])
    assert list(plan.table.hazard_id) == ["a"]
    assert "would avert 1 accidents for 100 USD" in plan.why("c")
    assert "averts about 2 elsewhere" in plan.why("c")
    assert "fell below about 50 USD" in plan.why("c")
    cheaper = table.assign(cost_usd=[100.0, 100.0, 49.0])
    assert "c" in set(prioritize(cheaper, [Budget({2027: 150.0})]).table.hazard_id)


def test_unknown_hazard_has_no_reason(plan):
    with pytest.raises(DataError, match="'X1' has no options"):
        plan.why("X1")


def test_locked_out_hazard_says_that_the_rules_leave_it_nothing(world):
    plan = prioritize(world, [Budget(MONEY), LockOut("H00")], gap=0.02, seconds=10)
    assert "the rules leave it no option" in plan.why("H00")


def test_ranked_list_never_beats_the_bound_and_keeps_the_budget(world, plan):
    comparison = plan.against_ranking()
    assert comparison.ranking_benefit <= plan.bound
    spent = comparison.table.groupby("year").cost_usd.sum()
    assert all(spent[y] <= MONEY[y] for y in spent.index)
    assert comparison.lost == pytest.approx(plan.benefit - comparison.ranking_benefit)
    assert "down the ranked list loses" in str(comparison)


def test_plan_and_list_are_compared_by_the_same_quantity_and_bonuses_stand_apart():
    table = pd.DataFrame(
        {
            "hazard_id": list("abcd"),
            "cost_usd": [10.0, 6.0, 4.0, 9.0],
            "benefit": [5.0, 2.0, 1.5, 4.0],
            "village": ["V1", "V2", "V2", "V3"],
        }
    )
    plan = prioritize(table, [Budget(10), Complete("village", bonus={"V2": 4.0})])
    told = plan.against_ranking()
    assert set(plan.table.hazard_id) == {"b", "c"}  # 3.5 and the bonus of 4, against 5 of a
    assert (told.plan_benefit, told.plan_bonus) == (3.5, 4.0)
    assert (told.ranking_benefit, told.ranking_bonus) == (5.0, 0.0)
    assert told.lost == -1.5
    assert "A ranked list comes to 1.5 benefit more, for 10 USD" in str(told)
    assert "not after bonuses" in str(told)
    assert next(x.split() for x in str(told).splitlines() if x.startswith("bonuses")) == ["bonuses", "4", "0"]
    both = prioritize(table, [Budget(20), Complete("village", bonus={"V2": 4.0})]).against_ranking()
    assert (both.plan_bonus, both.ranking_bonus) == (4.0, 0.0)
    assert both.lost == both.plan_benefit - both.ranking_benefit
    assert "bonuses" not in str(prioritize(table, [Budget(10)]).against_ranking())


def test_cents_beside_billions_in_one_budget_do_not_hide_the_plan_that_fits():
    table = pd.DataFrame(
        {
            "option_id": ["a", "b", "c"],
            "hazard_id": ["a", "b", "c"],
            "year": 2027,
            "cost_usd": [9.0, 0.03, 9e8],
            "benefit": [-0.00015, -0.0002, 0.0004],
        }
    )
    promised = [LockIn("a"), Deadline(2027, least=2, of="hazards"), Budget(900_000_000.03)]
    plan = prioritize(table, promised, gap=0)
    assert list(plan.table["option_id"]) == ["a", "b"]  # a and c together are 8.97 too dear


def test_a_plan_that_fills_a_budget_of_millions_to_the_last_cent_is_found():
    table = pd.DataFrame(
        {
            "option_id": ["a", "b", "c", "d"],
            "cost_usd": [5e6, 0.6, 900.0, 0.1],
            "benefit": [0.004, 2.0, 5e-9, 4e-9],
            "road": ["R1", "R2", "R1", "R1"],
        }
    )
    plan = prioritize(table, [Budget(5_000_000.6), Complete("road", bonus=1.0)], exact=True)
    assert set(plan.table["option_id"]) == {"a", "b"}
    assert plan.benefit == pytest.approx(3.004, rel=1e-12)


def test_what_rounding_leaves_of_shares_does_not_scale_a_row():
    """Shares leave 1e-10 of the costs of other districts; a row divided by that is refused by HiGHS."""
    rows = sparse.csr_array(np.array([[0.02, 60_000.0, 2e-10, 0.0], [3.0, 0.0, 5.0, 4.0]]))
    scale = matrix._scales(rows)
    assert 0.02 <= scale[0] <= 60_000
    assert 3.0 <= scale[1] <= 5.0


def test_floors_that_leave_a_plan_empty_are_named():
    table = pd.DataFrame(
        {"hazard_id": list("ab"), "adm1": ["N", "S"], "cost_usd": [5.0, 5.0], "benefit": [3.0, 1.0]}
    )
    shut = [Budget(10), LockOut("b"), Share("adm1", at_least=0.1)]
    assert "nothing is planned because of Share of adm1" in str(prioritize(table, shut))
    assert "without them 3 could be averted" in str(prioritize(table, shut))
    assert "nothing is planned because" not in str(
        prioritize(table, [Budget(10), Share("adm1", at_least=0.1)])
    )
    assert "nothing is planned because" not in str(
        prioritize(table, [Budget(0), Share("adm1", at_least=0.1)])
    )


def test_plans_that_differ_never_carry_the_same_number():
    table = pd.DataFrame({"hazard_id": list("ab"), "cost_usd": [1.0, 1.0], "benefit": [1.0, 1.0]})
    model = build(Listing.of(table), [Budget(1)])
    found = engine.solve(model, gap=0.0, seconds=5)
    one, other = (
        checked_plan(table, model, replace(found, taken=np.array(taken)), []).run_id
        for taken in ([True, False], [False, True])
    )
    assert one != other
    assert prioritize(table, [Budget(1)]).run_id in (one, other)


def test_ranking_by_own_scores_is_followed():
    table = pd.DataFrame({"hazard_id": list("abc"), "cost_usd": [10.0, 1.0, 1.0], "benefit": [1.0, 1.0, 1.0]})
    plan = prioritize(table, [Budget(10)])
    ranked = plan.against_ranking(pd.Series([3.0, 2.0, 1.0], index=list("abc")))
    assert list(ranked.table.hazard_id) == ["a"]
    assert (ranked.plan_benefit, ranked.ranking_benefit) == (2.0, 1.0)
    with pytest.raises(DataError, match="names none of the plan's hazards"):
        plan.against_ranking(pd.Series([1.0, 2.0]))


def test_relative_harm_is_not_told_as_accidents(world):
    relative = world.copy()
    relative.attrs = {**world.attrs, "benefit_unit": "relative"}
    story = str(prioritize(relative, [Budget(MONEY)], gap=0.05))
    assert "units of relative harm" in story
    assert "accidents averted" not in story


def test_notebook_view_escapes_hostile_names():
    evil = "<script>alert(1)</script>{{ 7*7 }}"
    table = pd.DataFrame(
        {
            "hazard_id": [evil],
            "activity": "x",
            "year": 2027,
            "cost_usd": 1.0,
            "benefit": 1.0,
            "lon": 1.0,
            "lat": 2.0,
        }
    )
    page = prioritize(table, [Budget({2027: 5.0})])._repr_html_()
    assert "<script>" not in page
    assert html.escape(evil) in page
    assert "<svg" in page


def test_empty_plan_is_told_as_such():
    table = pd.DataFrame({"cost_usd": [5.0], "benefit": [1.0]})
    assert "nothing can be done" in str(prioritize(table, [Budget(1)]))


def test_suspected_areas_cleared_unsurveyed_bring_advice(world):
    bold = world[world.activity.isin(["clearance", "bac"]) & (world.state_from == world.state_now)]
    plan = prioritize(bold, [Budget(MONEY)], gap=0.02, seconds=10)
    assert any("cleared unsurveyed" in n.text for n in plan.notes)


def test_rules_are_values():
    assert replace(Budget(5), amount=6) == Budget(6)
    assert Budget({2028: 1, 2027: 2}) == Budget({2027: 2, 2028: 1})


def test_hazard_without_harm_is_not_told_as_safe():
    options = pd.DataFrame(
        {
            "option_id": ["a", "b"],
            "hazard_id": ["A", "B"],
            "activity": "clearance",
            "year": 2027,
            "cost_usd": 10.0,
            "benefit": [1.0, 0.0],
        }
    )
    plan = prioritize(options, [Budget({2027: 100.0})])
    assert "does not make it safe" in plan.why("B")


def test_a_plan_that_leaves_a_promise_out_is_none():
    table = pd.DataFrame({"hazard_id": list("ab"), "cost_usd": [1.0, 1.0], "benefit": [1.0, 1.0]})
    arcs = Arcs.of(build(Listing.of(table), [Budget(1), LockIn("b")]))
    promised = arcs.hazard == 1
    assert arcs.fulfills(promised)
    assert not arcs.fulfills(~promised)


def test_a_solver_that_ends_in_an_error_is_asked_again_less_strictly(monkeypatch):
    class Shaky:
        def __init__(self, solver):
            self.solver, self.runs = solver, 0

        def run(self):
            self.runs += 1
            self.solver.run()

        def getModelStatus(self):  # noqa: N802 - as HiGHS names it
            return highspy.HighsModelStatus.kSolveError if self.runs < 2 else self.solver.getModelStatus()

        def __getattr__(self, name):
            return getattr(self.solver, name)

    table = pd.DataFrame({"option_id": list("abc"), "cost_usd": [2.0, 3.0, 4.0], "benefit": [3.0, 4.0, 6.0]})
    model = build(Listing.of(table), [Budget(6)])
    loaded = matrix._loaded
    monkeypatch.setattr(matrix, "_loaded", lambda *given, **more: Shaky(loaded(*given, **more)))
    found = matrix.optimize(matrix.compiled(Arcs.of(model), Rows.of(model)), gap=0.0, seconds=5)
    assert found.taken.tolist() == [True, False, True]
    assert found.bound == pytest.approx(9.0)
