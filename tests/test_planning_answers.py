"""What is asked of a plan, against every possible plan: importance, rule costs, curve, nesting, goals."""

import functools
import itertools
import math
import re

import numpy as np
import pandas as pd
import pytest

from ccm_geo import DataError, PlanError
from ccm_geo.planning import After, Budget, Capacity, LockIn, LockOut, Share, prioritize
from ccm_geo.planning.answers.curve import priority_curve
from ccm_geo.planning.answers.goals import Goal, prioritize_goals
from ccm_geo.planning.answers.near_best import alternatives, difference
from ccm_geo.planning.answers.nested import nested_order
from ccm_geo.planning.answers.side_by_side import compare
from ccm_geo.planning.answers.stakes import importance
from ccm_geo.planning.answers.worth import RuleCosts, rule_costs
from ccm_geo.planning.listing import Listing
from ccm_geo.planning.model import build
from ccm_geo.planning.rules.compact import Compact
from ccm_geo.planning.rules.complete import Complete

YEARS = (2027, 2028)


def small_world(seed, hazards=3):
    """Survey, clearance (from before and after survey) and risk education in two years."""
    rng = np.random.default_rng(seed)
    rows = []
    for h in range(hazards):
        harm, area = rng.uniform(0.1, 1.0, len(YEARS)).round(3), rng.uniform(1, 10)
        for t, year in enumerate(YEARS):
            onward = harm[t:].sum()
            rows += [
                (h, "nts", year, "suspected", "confirmed", 1.0, 0.05 * onward),
                (h, "clearance", year, "suspected", "released", area, onward),
                (h, "clearance", year, "confirmed", "released", 0.5 * area, 0.95 * onward),
                (h, "eore", year, "suspected", "suspected", 0.4, 0.1 * harm[t]),
            ]
    columns = ["h", "activity", "year", "state_from", "state_to", "cost_usd", "benefit"]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(0, "hazard_id", "H" + table.pop("h").astype(str))
    table.insert(0, "option_id", table.hazard_id + ":" + table.activity + ":" + table.year.astype(str))
    table["option_id"] += ":" + table.state_from
    table["adm1"] = np.where(table.hazard_id.isin(["H0", "H2"]), "south", "north")
    table["village"] = np.where(table.hazard_id.isin(["H0", "H1"]), "A", "B")
    table["team_months"] = (0.6 * table.cost_usd).round(2)
    table["people"] = 100.0 + 10 * table.hazard_id.str[1:].astype(int)
    return table.round({"cost_usd": 2})


@functools.cache
def plans_of(seed):
    """Every plan of a small world that follows paths: as tuples of rows, and as a table of yes and no."""
    options = small_world(seed)
    by_hazard = [paths_of(rows) for _, rows in options.groupby("hazard_id", sort=False)]
    plans = [tuple(itertools.chain(*pick)) for pick in itertools.product(*by_hazard)]
    taken = np.zeros((len(plans), len(options)), bool)
    for i, plan in enumerate(plans):
        taken[i, list(plan)] = True
    return plans, taken


def paths_of(rows):
    records = rows.to_dict("records")
    subsets = (s for size in range(5) for s in itertools.combinations(range(len(records)), size))
    return [tuple(rows.index[list(s)]) for s in subsets if is_path([records[i] for i in s])]


def is_path(rows):
    state = "suspected"
    for year in YEARS:
        now = [r for r in rows if r["year"] == year]
        moves = [r for r in now if r["state_from"] != r["state_to"]]
        for row in sorted(moves, key=lambda r: ("suspected", "confirmed").index(r["state_from"])):
            if row["state_from"] != state:
                return False
            state = row["state_to"]
        rest = [r for r in now if r["state_from"] == r["state_to"]]
        if len(rest) > 1 or any(r["state_from"] != state for r in rest):
            return False
    return True


def best_of(seed, rules, known={}):  # noqa: B006 - remembers what it has tried
    """Benefit with bonuses of the best of all plans that keep the rules; -inf where there is none."""
    key = seed, repr(rules)
    if key not in known:
        known[key] = tried(seed, rules)
    return known[key]


def plainly(rule, options, taken, spent):
    """Say which plans may keep a rule."""
    fine = np.ones(len(taken), bool)
    if isinstance(rule, Budget):
        for year in YEARS:
            fine &= spent[:, options["year"] == year].sum(axis=1) <= rule.amount[year] + 1e-6
    if isinstance(rule, Share):
        for region, share in rule.at_least.items():
            own = spent[:, options["adm1"] == region].sum(axis=1)
            fine &= own >= share * spent.sum(axis=1) - 1e-6
    if isinstance(rule, LockOut):
        fine &= ~taken[:, options["hazard_id"].isin(rule.hazards)].any(axis=1)
    return fine


def tried(seed, rules):
    options = small_world(seed)
    fitted = build(Listing.of(options), rules).rules
    plans, taken = plans_of(seed)
    benefit, spent = taken @ options["benefit"].to_numpy(), taken * options["cost_usd"].to_numpy()
    fits = np.ones(len(plans), bool)
    for rule in fitted:  # plain sums first; whatever is left is asked rule by rule
        fits &= plainly(rule, options, taken, spent)
    bonus = sum(sum(r.bonus.values()) for r in fitted if isinstance(r, Complete))
    best = -math.inf
    for i in np.argsort(-benefit, kind="stable"):
        if benefit[i] + bonus <= best:
            break
        if fits[i]:
            chosen = options.loc[list(plans[i])]
            if not any(rule.faults(chosen, options) for rule in fitted):
                brought = sum(sum(r.bonuses(chosen, options).values()) for r in fitted)
                best = max(best, benefit[i] + brought)
    return best


MONEY = Budget({2027: 6.0, 2028: 4.0})
WORLDS = {
    "money": (MONEY,),
    "a floor": (MONEY, Share("adm1", at_least=0.3)),
    "a promise": (MONEY, LockIn("H0", activity="eore")),
    "survey first": (MONEY, After({"activity": "nts"}, {"activity": "clearance"}, within="hazard_id")),
    "one after another": (MONEY, After("H0", "H1")),
    "teams": (MONEY, Capacity({"north": 2.0, "south": 3.0})),
    "communities": (MONEY, Complete("village", bonus=0.3)),
    "communities and a floor": (MONEY, Complete("village", bonus={"A": 0.5}), Share("adm1", at_least=0.3)),
}
EVERY = pytest.mark.parametrize("rules", WORLDS.values(), ids=WORLDS)


def close(value):
    return pytest.approx(value, rel=1e-7, abs=1e-9)


# -- importance -------------------------------------------------------------------------------------------


@EVERY
@pytest.mark.parametrize("seed", [0, 2])
def test_true_loss_of_every_hazard_lies_within_its_interval(rules, seed):
    options = small_world(seed)
    found = importance(prioritize(options, rules, exact=True)).table
    for hazard in ("H0", "H1", "H2"):
        promised = any(isinstance(r, LockIn) and hazard in r.hazards for r in rules)
        without = -math.inf if promised else best_of(seed, (*rules, LockOut(hazard)))
        true, row = best_of(seed, rules) - without, found.loc[hazard]
        assert row.loss_low <= true + 1e-7
        assert true <= row.loss_high + 1e-7
        assert row.loss_low <= row.loss <= row.loss_high
    assert found.loc["H1", "loss"] >= 0


@EVERY
def test_exact_importance_equals_brute_force(rules):
    options = small_world(1)
    found = importance(prioritize(options, rules, gap=0.3), exact="H2").table
    true = best_of(1, rules) - best_of(1, (*rules, LockOut("H2")))
    assert found.loc["H2", "loss"] == pytest.approx(true, abs=1e-6)
    assert found.loc["H2", "exact"]


def test_interval_holds_though_the_plan_is_far_from_the_best():
    table = pd.DataFrame(
        {"hazard_id": list("abcd"), "cost_usd": [1.0, 1.0, 1.0, 1.0], "benefit": [9.0, 5.0, 3.0, 1.0]}
    )
    best = prioritize(table, [Budget(2)], exact=True)
    poor = type(best)(**{**vars(best), "table": table.assign(option_id=list("wxyz")).head(0), "benefit": 0.0})
    found = importance(poor).table
    assert (found["loss_low"] <= [4.0 + 1e-9 if h == "a" else 2.0 for h in found.index]).all()
    assert found.loc["a", "loss_high"] >= 6.0  # 14 with a, 8 without


def test_hazard_with_a_stand_in_matters_little_and_one_without_matters_most():
    table = pd.DataFrame({"hazard_id": list("abc"), "cost_usd": [1.0, 1.0, 5.0], "benefit": [10.0, 9.9, 3.0]})
    found = importance(prioritize(table, [Budget(1)], exact=True), exact=True).table
    assert found.loc["a", "loss"] == close(0.1)
    assert found.loc["c", "loss"] == 0.0
    assert found.index[0] == "a"


def test_promised_hazard_cannot_be_spared_and_it_is_said():
    table = pd.DataFrame({"hazard_id": list("ab"), "cost_usd": [1.0, 1.0], "benefit": [1.0, 9.0]})
    found = importance(prioritize(table, [Budget(2), LockIn("a")]))
    assert np.isinf(found.table.loc["a", "loss"])
    assert found.of("a") == "a: a rule asks for work on it"
    assert "leaving it alone loses 9" in found.of("b")
    assert "Importance of 2 hazards" in str(found)
    with pytest.raises(DataError, match="'x' has no options"):
        found.of("x")
    with pytest.raises(DataError, match="first 'x'"):
        importance(prioritize(table, [Budget(2)]), exact="x")


def test_importance_of_a_table_without_rules_is_what_each_option_brings():
    table = pd.DataFrame({"hazard_id": list("ab"), "benefit": [1.0, 9.0]})
    found = importance(prioritize(table, [])).table
    assert found["loss"].to_dict() == {"b": 9.0, "a": 1.0}
    assert found["exact"].all()


# -- rules ------------------------------------------------------------------------------------------------


@EVERY
def test_cost_of_every_rule_equals_brute_force(rules):
    options = small_world(1)
    plan = prioritize(options, rules, exact=True)
    quick, exact = rule_costs(plan).table, rule_costs(plan, exact=True).table
    for i in range(len(rules)):
        true = best_of(1, (*rules[:i], *rules[i + 1 :])) - best_of(1, rules)
        if isinstance(rules[i], Complete):
            true = max(true, 0.0)  # without the rule its bonus is gone: it costs nothing
        assert exact.loc[i, "lost"] == pytest.approx(true, abs=1e-6)
        assert quick.loc[i, "lost_low"] <= true + 1e-6
        assert true <= quick.loc[i, "lost_high"] + 1e-6


def test_price_of_a_budget_is_what_one_more_dollar_brings():
    table = pd.DataFrame({"option_id": list("abc"), "cost_usd": [4.0, 2.0, 2.0], "benefit": [8.0, 3.0, 2.0]})
    costs = rule_costs(prioritize(table, [Budget(5)], exact=True))
    assert costs.rows.loc[0, "price"] == close(1.5)
    assert "Budget" in str(costs)
    assert costs.table.loc[0, "lost_high"] == close(13.0 - 8.0)
    with pytest.raises(DataError, match="no rule is called 'Money'"):
        rule_costs(prioritize(table, [Budget(5)]), exact="Money")


# -- curve and nested order -------------------------------------------------------------------------------


@EVERY
def test_curve_never_falls_and_its_bounds_hold(rules):
    options = small_world(1)
    curve = priority_curve(options, rules, shares=[0.8, 1.6], gap=0.02, seconds=20)
    table = curve.table
    assert (table["benefit"].diff().dropna() >= 0).all()
    for row in table.to_dict("records"):
        money = Budget({y: round(a * row["share"], 2) for y, a in MONEY.amount.items()})
        best = best_of(1, (money, *rules[1:]))
        assert row["benefit"] <= best + 1e-9
        assert best <= row["bound"] + 1e-9
        assert best <= curve.bound_at(row["amount_usd"]) + 1e-9


def test_bound_between_the_points_of_a_curve_holds_too():
    options = small_world(2)
    curve = priority_curve(options, [MONEY], shares=[0.5, 1.5], gap=0.0, seconds=10)
    for share in (0.6, 0.9, 1.2):
        best = best_of(2, (Budget({y: round(a * share, 2) for y, a in MONEY.amount.items()}),))
        assert best <= curve.bound_at(10 * share) + 1e-9
    heights = [curve.bound_at(a) for a in np.linspace(5, 15, 11)]
    assert (np.diff(heights, 2) <= 1e-9).all()


def test_plan_for_less_money_stands_in_where_it_is_better(monkeypatch):
    from ccm_geo.planning.answers import curve as module  # noqa: PLC0415 - replaced in this test only

    real = module.solve

    def lazy(model, **knobs):
        found = real(model, **knobs)
        rich = model.rules[0].amount == 3
        return type(found)(**{**vars(found), "taken": found.taken & False, "benefit": 0.0}) if rich else found

    monkeypatch.setattr(module, "solve", lazy)
    table = pd.DataFrame({"option_id": list("ab"), "cost_usd": [1.0, 2.0], "benefit": [5.0, 3.0]})
    curve = priority_curve(table, [Budget(1)], amounts=[1, 3])
    assert curve.table["benefit"].tolist() == [5.0, 5.0]
    assert curve.table["carried"].tolist() == [False, True]
    assert curve.table.loc[1, "bound"] == close(8.0)


def test_curve_says_when_a_hazard_comes_in_and_draws_itself():
    table = pd.DataFrame({"hazard_id": list("abc"), "cost_usd": [1.0, 2.0, 9.0], "benefit": [5.0, 3.0, 1.0]})
    curve = priority_curve(table, [], amounts=[0, 1, 3])
    assert [curve.first_in(h) for h in "abc"] == [1.0, 3.0, math.inf]
    assert curve.table["hazards"].tolist() == [0, 1, 2]
    assert "3 USD: 8 on 2 hazards" in str(curve)
    assert "<svg" in curve._repr_html_()
    with pytest.raises(DataError, match="'x' has no options"):
        curve.first_in("x")


@pytest.mark.parametrize(
    ("rules", "knobs", "message"),
    [
        ([], {}, "give amounts="),
        ([Budget(1)], {"amounts": [1], "shares": [1]}, "not both"),
        ([Budget(1)], {"amounts": [-1]}, "0 or more"),
        ([Budget(1)], {"amounts": []}, "0 or more"),
        ([Budget(1, name="A"), Budget(1, name="B")], {}, "there are A, B"),
        ([Budget(1)], {"budget": "C"}, "there are Budget"),
        ([Budget(0)], {"amounts": [1]}, "names no money"),
    ],
)
def test_money_that_cannot_be_varied_is_refused(rules, knobs, message):
    table = pd.DataFrame({"option_id": list("ab"), "cost_usd": [1.0, 2.0], "benefit": [5.0, 3.0]})
    with pytest.raises(DataError, match=message):
        priority_curve(table, rules, **knobs)


def test_amounts_that_allow_no_plan_are_left_out_and_said():
    table = pd.DataFrame({"hazard_id": list("ab"), "cost_usd": [2.0, 1.0], "benefit": [5.0, 3.0]})
    curve = priority_curve(table, [Budget(4), LockIn("a")], amounts=[1, 2])
    assert curve.table["amount_usd"].tolist() == [2.0]
    assert any("no plan was found for 1 USD" in n.text for n in curve.notes)
    with pytest.raises(PlanError, match="none of these amounts"):
        priority_curve(table, [Budget(4), LockIn("a")], amounts=[1])


@EVERY
def test_nested_plans_hold_each_other_and_are_never_better_than_free_ones(rules):
    options = small_world(1)
    shares = [0.8, 1.6]
    nested = nested_order(options, rules, shares=shares, gap=0.0, seconds=20)
    table = nested.table
    assert (table["benefit"] <= table["free_benefit"] + 1e-9).all()
    assert (table["benefit"].diff().dropna() >= -1e-9).all()
    for row, share in zip(table.to_dict("records"), shares, strict=True):
        money = Budget({y: round(a * share, 2) for y, a in MONEY.amount.items()})
        best = best_of(1, (money, *rules[1:]))
        assert row["free_benefit"] == pytest.approx(best, abs=1e-6)
        assert row["lost"] == pytest.approx(1 - row["benefit"] / best, abs=1e-6)
        assert row["lost_at_most"] >= row["lost"] - 1e-9
    assert nested.order["enters_usd"].is_monotonic_increasing
    assert nested.order["hazard_id"].is_unique


def test_nested_order_puts_hazards_in_by_what_they_bring_for_the_money():
    table = pd.DataFrame(
        {"hazard_id": list("abcd"), "cost_usd": [1.0, 1.0, 1.0, 1.0], "benefit": [2.0, 9.0, 4.0, 7.0]}
    )
    nested = nested_order(table, [Budget(1)], amounts=[1, 2, 3, 4])
    assert nested.order["hazard_id"].tolist() == list("bdca")
    assert nested.order["enters_usd"].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert nested.table["lost"].tolist() == [0.0] * 4
    assert "An order of 4 hazards" in str(nested)


# -- alternatives, comparison -----------------------------------------------------------------------------


def many(n=12):
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "hazard_id": [f"H{i:02d}" for i in range(n)],
            "cost_usd": rng.integers(3, 9, n).astype(float),
            "benefit": rng.uniform(4, 6, n).round(3),
        }
    )


def test_alternatives_keep_the_rules_and_really_differ():
    options, rules = many(), [Budget(30.0)]
    best = prioritize(options, rules, exact=True)
    found = alternatives(best, k=4, differ_by=0.3, within=0.15, gap=0.0)
    assert len(found.plans) > 1
    for a, b in itertools.combinations(found.plans, 2):
        assert difference(a, b) >= 0.3 - 1e-9
    for plan in found.plans:
        assert plan.benefit >= 0.85 * best.benefit
        assert plan.cost_usd <= 30
    inside = [set(p.table["hazard_id"]) for p in found.plans]
    assert set(found.core) == set.intersection(*inside)
    assert set(found.choice) == set.union(*inside) - set.intersection(*inside)
    assert "plans, each nearly as good as the first" in str(found)


def test_second_plan_is_the_best_of_all_that_differ_enough():
    options, rules = many(9), [Budget(20.0)]
    best = prioritize(options, rules, exact=True)
    found = alternatives(best, k=2, differ_by=0.4, within=0.5, gap=0.0)
    mine = options["hazard_id"].isin(best.table["hazard_id"]).to_numpy()
    cost, benefit = options["cost_usd"].to_numpy(), options["benefit"].to_numpy()
    second = max(
        benefit[list(s)].sum()
        for size in range(1, 8)
        for s in itertools.combinations(range(9), size)
        if cost[list(s)].sum() <= 20 and cost[[i for i in s if mine[i]]].sum() <= 0.6 * best.cost_usd + 1e-9
    )
    assert found.plans[1].benefit == close(second)


def test_where_no_plan_this_good_differs_it_is_said_and_the_core_is_proven():
    table = pd.DataFrame({"hazard_id": list("abc"), "cost_usd": [5.0, 5.0, 5.0], "benefit": [9.0, 8.0, 1.0]})
    found = alternatives(prioritize(table, [Budget(10)], exact=True), within=0.05)
    assert len(found.plans) == 1
    assert found.said == "No further plan that differs so much is this good (proven)."
    assert found.hazards["proven"].to_dict() == {"a": "in every plan", "b": "in every plan"}
    assert found.core == ("a", "b")


def test_wrong_wishes_for_alternatives_are_refused():
    plan = prioritize(many(), [Budget(30.0)])
    for knobs in ({"k": 0}, {"differ_by": 0}, {"within": 1}):
        with pytest.raises(DataError, match="alternatives: k from 1"):
            alternatives(plan, **knobs)
    with pytest.raises(DataError, match="no column 'euros'"):
        alternatives(plan, of="euros")
    with pytest.raises(DataError, match="does nothing"):
        alternatives(prioritize(many(), [Budget(0.0)]))


def test_plans_side_by_side_say_what_differs():
    options = small_world(1)
    rich, poor = (prioritize(options, [Budget(m)], exact=True) for m in (12.0, 4.0))
    both = compare({"rich": rich, "poor": poor})
    assert both.table.loc["benefit"].tolist() == [rich.benefit, poor.benefit]
    assert both.table.loc["cost_usd 2027"].sum() + both.table.loc["cost_usd 2028"].sum() == close(
        rich.cost_usd + poor.cost_usd
    )
    assert both.hazards.loc["H0", "rich"] == rich.reasons.loc["H0", "activities"]
    inside = rich.reasons["chosen"].astype(int) + poor.reasons["chosen"]
    assert both.hazards["in"].tolist() == [["none", "some", "all"][n] for n in inside]
    assert set(both.differing().index) == {
        h for h in both.hazards.index if both.hazards.loc[h, "rich"] != both.hazards.loc[h, "poor"]
    }
    benefit = both.groups.xs("benefit", level="figure")["poor"]
    assert benefit.sum() == close(poor.benefit)
    assert "rich brings most" in str(both)
    assert "less in" in str(both)


def test_plans_in_different_units_are_not_compared():
    options = small_world(1)
    relative = options.copy()
    relative.attrs["benefit_unit"] = "relative"
    plans = {"a": prioritize(options, [Budget(5)]), "b": prioritize(relative, [Budget(5)])}
    with pytest.raises(DataError, match="different units"):
        compare(plans)
    with pytest.raises(DataError, match="give one plan at least"):
        compare({})
    with pytest.raises(DataError, match="have a column 'province'"):
        compare({"a": plans["a"]}, by="province")


# -- goals ------------------------------------------------------------------------------------------------


@EVERY
def test_goals_in_their_order_equal_brute_force(rules):
    options = small_world(1)
    goals = [
        Goal(tolerance=0.1),
        Goal("people", counted="release", tolerance=0),
        Goal("cost_usd", sense="least"),
    ]
    found = prioritize_goals(options, rules, goals, exact=True)
    fitted = build(Listing.of(options), rules).rules
    plans, taken = plans_of(1)
    benefit, spent = taken @ options["benefit"].to_numpy(), taken * options["cost_usd"].to_numpy()
    spent = [spent[:, options["year"] == year].sum(axis=1) for year in YEARS]
    first = best_of(1, rules)
    complete = any(isinstance(r, Complete) for r in rules)
    assert found.table.loc[0, "reached"] == close(first)
    able = []
    bonus = sum(sum(r.bonus.values()) for r in fitted if isinstance(r, Complete))
    cheap = (spent[0] <= 6 + 1e-6) & (spent[1] <= 4 + 1e-6)
    for i in np.nonzero(cheap & (benefit + bonus >= 0.9 * first - 1e-9))[0]:
        chosen = options.loc[list(plans[i])]
        if not any(r.faults(chosen, options) for r in fitted):
            brought = sum(sum(r.bonuses(chosen, options).values()) for r in fitted)
            people = chosen.loc[chosen["state_to"] == "released", "people"].sum()
            able.append((benefit[i] + brought, people, chosen["cost_usd"].sum()))
    able = [a for a in able if a[0] >= 0.9 * first - 1e-9]
    second = max(a[1] for a in able)
    third = min(a[2] for a in able if a[1] >= second - 1e-9)
    if complete:  # communities that are complete must stay so: other plans are not looked at
        assert found.plan.benefit >= 0.9 * first - 1e-9
        assert found.table.loc[1, "reached"] <= second + 1e-9
        return
    assert found.table.loc[1, "reached"] == close(second)
    assert found.table.loc[2, "reached"] == close(third)
    assert found.plan.cost_usd == close(third)
    assert found.table.loc[0, "given_up"] <= 0.1 + 1e-9
    assert found.plan.bound >= max(a[0] for a in able) - 1e-9


def test_goal_that_comes_first_is_not_touched_where_nothing_may_be_given_up():
    table = pd.DataFrame({"hazard_id": list("abc"), "cost_usd": [2.0, 1.0, 1.0], "benefit": [5.0, 3.0, 2.0]})
    found = prioritize_goals(
        table, [Budget(2)], [Goal(tolerance=0), Goal("cost_usd", sense="least")], exact=True
    )
    assert found.table["final"].tolist() == [5.0, 2.0]
    assert "Goals, one after the other" in str(found)
    turned = prioritize_goals(
        table, [Budget(2)], [Goal("cost_usd", sense="least", tolerance=0), Goal()], exact=True
    )
    assert turned.plan.table.empty


@pytest.mark.parametrize("column", ["score", "risk_score", "rank", "from_people", "travel_min", "risk_index"])
def test_goal_that_does_not_add_up_is_refused_by_name(column):
    with pytest.raises(DataError, match="does not add up"):
        Goal(column)


def test_goal_that_does_not_add_up_is_refused_by_its_values():
    options = small_world(1)
    with pytest.raises(DataError, match="would count it twice"):
        prioritize_goals(options, [MONEY], [Goal("people")])
    ranked = pd.DataFrame({"benefit": np.ones(25), "place_on_list": np.arange(1, 26)[::-1].astype(float)})
    with pytest.raises(DataError, match="a rank does not add up"):
        prioritize_goals(ranked, [], [Goal("place_on_list")])
    with pytest.raises(DataError, match="no column 'joy'"):
        prioritize_goals(options, [MONEY], [Goal("joy")])
    with pytest.raises(DataError, match="one goal at least"):
        prioritize_goals(options, [MONEY], [])
    with pytest.raises(DataError, match="tolerance is a share"):
        Goal(tolerance=2)
    with pytest.raises(DataError, match="sense is most or least"):
        Goal(sense="max")


def test_rules_that_clash_are_named_before_any_goal_is_looked_at():
    options = small_world(1)
    with pytest.raises(PlanError, match="no plan keeps all rules"):
        prioritize_goals(options, [Budget({2027: 0.1, 2028: 0.1}), LockIn("H0")], [Goal()])


def test_neighbors_worked_on_together_widen_the_interval_and_do_not_break_it():
    options = pd.DataFrame(
        {
            "hazard_id": list("abcd"),
            "year": 2027,
            "cost_usd": [2.0, 2.0, 2.0, 3.0],
            "benefit": [5.0, 4.0, 3.9, 5.5],
        }
    )
    rules = [Budget({2027: 5.0}), Compact([("a", "b"), ("b", "c")], worth=2.0)]

    def best(without):
        able = [h for h in "abcd" if h != without]
        sets = [set(s) for n in range(4) for s in itertools.combinations(able, n)]
        cost, benefit = (dict(zip("abcd", options[c], strict=True)) for c in ("cost_usd", "benefit"))
        return max(
            sum(benefit[h] for h in s) + 2.0 * ({"a", "b"} <= s) + 2.0 * ({"b", "c"} <= s)
            for s in sets
            if sum(cost[h] for h in s) <= 5.0
        )

    found = importance(prioritize(options, rules, exact=True)).table
    for hazard, row in found.iterrows():
        true = best("") - best(hazard)
        assert row.loss_low <= true + 1e-7
        assert true <= row.loss_high + 1e-7


def world_with_a_bonus():
    """Releasing both of y is worth less than x, but for the bonus: 3 averted and 2 of bonus against 4."""
    return pd.DataFrame(
        {
            "option_id": ["x", "y1", "y2"],
            "hazard_id": ["x", "y1", "y2"],
            "year": 2027,
            "activity": "clearance",
            "community": ["X", "Y", "Y"],
            "state_from": "confirmed",
            "state_to": "released",
            "cost_usd": [2.0, 1.0, 1.0],
            "benefit": [4.0, 1.5, 1.5],
        }
    )


BONUS = Complete("community", bonus={"Y": 2.0})
BOTH = "5 in all: 3 accidents averted and 2 of bonuses"


def test_plans_side_by_side_do_not_count_bonuses_as_accidents():
    options = world_with_a_bonus()
    plain = prioritize(options, [Budget(2)], exact=True)
    side = compare({"with": prioritize(options, [Budget(2), BONUS], exact=True), "without": plain})
    first, second, third, *_ = str(side).splitlines()
    assert first == "2 plans; without brings most: 4 accidents averted."
    assert second == f"With bonuses, with comes to most: {BOTH}."
    assert third == "  with: 3 and 2 of bonuses on 2 hazards for 2 USD, 25.00% less"
    assert side.table.loc["benefit"].tolist() == [5.0, 4.0]
    assert side.table.loc["averted"].tolist() == [3.0, 4.0]


def test_cost_of_a_rule_that_gives_bonuses_is_told_in_accidents_and_in_bonuses():
    plan = prioritize(world_with_a_bonus(), [Budget(2), BONUS], exact=True)
    costs = rule_costs(plan, exact=True)
    lines = str(costs).splitlines()
    assert lines[0] == f"What the rules cost, of {BOTH}:"
    assert "  without Complete community: accidents averted +1, bonuses -2" in lines
    assert "  without Budget: exactly 4 more in all (accidents averted +4, bonuses 0)" in lines
    assert costs.table["lost"].tolist() == [4.0, 0.0]
    assert costs.table["averted_more"].tolist() == [4.0, 1.0]
    bounded = rule_costs(plan)
    assert bounded.table.loc[1, "averted_most"] >= 1.0
    assert "without Complete community: at most 1 more accidents averted" in str(bounded)


def test_importance_alternatives_curve_and_order_say_what_of_them_is_bonuses():
    options, rules = world_with_a_bonus(), [Budget(2), BONUS]
    plan = prioritize(options, rules, exact=True)
    worth = str(importance(plan, exact=True))
    assert f"The plan brings {BOTH} (gap" in worth
    assert "y1: leaving it alone loses 1 accidents averted and bonuses, exactly" in worth
    assert "plan 1: 5 in all, 3 accidents averted and 2 of bonuses (100.00% of" in str(alternatives(plan))
    curve = priority_curve(options, rules, shares=[1.0])
    assert str(curve).splitlines()[0] == "What money brings, in accidents averted and bonuses:"
    assert "2 USD: 5 (3 averted, 2 of bonuses) on 2 hazards" in str(curve)
    assert curve.table[["benefit", "averted"]].to_numpy().tolist() == [[5.0, 3.0]]
    assert f"2 hazards, {BOTH};" in str(nested_order(options, rules, shares=[1.0]))


def test_story_of_prices_says_where_bonuses_are_counted_in():
    plan = prioritize(world_with_a_bonus(), [Budget(1.5), BONUS], exact=True)
    assert plan.use["price"].iloc[0] > 0
    assert "more accidents averted and bonuses" in str(plan)


def test_curve_does_not_promise_that_more_money_brings_nothing_where_options_were_too_dear():
    """Five fields in three years; of 100,000 USD the first year has too little for any but the least."""
    harm, cost = (0.3, 0.2, 0.1, 0.08, 0.05), (60_000, 50_000, 40_000, 40_000, 30_000)
    fields = pd.DataFrame({"hazard_id": list("ABCDE"), "a_year": harm, "cost_usd": cost})
    options = fields.merge(pd.DataFrame({"year": [2027, 2028, 2029]}), how="cross").assign(
        option_id=lambda t: t["hazard_id"] + t["year"].astype(str),
        benefit=lambda t: t["a_year"] * (2030 - t["year"]),
    )
    money = {2027: 60_000, 2028: 50_000, 2029: 50_000}
    lines = str(priority_curve(options, [Budget(money)], amounts=[1e5, 1.3e5])).splitlines()
    assert lines[1].endswith("; a little more money brings nothing, 130,000 USD does")
    plan = prioritize(options, [Budget({2027: 37_500, 2028: 31_250, 2029: 31_250})])
    assert str(plan).count("used; a little more would bring nothing") == len(money)


def both_in():
    return prioritize(world_with_a_bonus(), [Budget(2)])


WRONG_QUESTIONS = {
    "rule costs: exact is True, a title": lambda: rule_costs(both_in(), exact=3),
    "rule costs: seconds '3' is not a number": lambda: rule_costs(both_in(), seconds="3"),
    "importance: exact is True, a hazard": lambda: importance(both_in(), exact=3),
    "importance: gap 0.0 must be .* seconds -1": lambda: importance(both_in(), seconds=-1),
    "alternatives: k counts plans": lambda: alternatives(both_in(), k=2.5),
    "alternatives: k must be a number, not True": lambda: alternatives(both_in(), k=True),
    "alternatives: seconds None is not": lambda: alternatives(both_in(), seconds=None),
    "compare: 'a' is no plan of prioritize but str": lambda: compare({"a": "plan"}),
    "compare: by is a column": lambda: compare({"a": both_in()}, by=3),
    "curve: gap 2 must be a share": lambda: priority_curve(world_with_a_bonus(), [Budget(2)], gap=2),
    "rules: Budget is no list of rules": lambda: priority_curve(world_with_a_bonus(), Budget(2)),
    "rules: None is no list": lambda: nested_order(world_with_a_bonus(), None, amounts=[1]),
    "nested order: gap 'x' is not": lambda: nested_order(world_with_a_bonus(), [], amounts=[1], gap="x"),
    "amounts must be a list of .*True": lambda: priority_curve(
        world_with_a_bonus(), [Budget(2)], amounts=[True]
    ),
    "goals: None is not a goal": lambda: prioritize_goals(world_with_a_bonus(), [Budget(2)], None),
    "goals: gap 0.001 must be .* seconds 0": lambda: prioritize_goals(
        world_with_a_bonus(), [Budget(2)], Goal(), seconds=0
    ),
    "rules: Share of adm1 is no list": lambda: prioritize_goals(
        world_with_a_bonus(), Share("adm1", at_least=0.1), Goal()
    ),
    "'benefit' is not a goal": lambda: prioritize_goals(world_with_a_bonus(), [Budget(2)], ["benefit"]),
    "column must be the name": lambda: Goal(None),
    "has no options; give the id of one hazard": lambda: both_in().why(["x"]),
    "scores by hazard id, .* not a dict": lambda: both_in().against_ranking({"x": 1}),
    "scores must be numbers": lambda: both_in().against_ranking(pd.Series({"x": "high"})),
    "amounts must be a list of numbers": lambda: priority_curve(
        world_with_a_bonus(), [Budget(2)], amounts=100_000
    ),
    "amounts must be a list of .*'1'": lambda: nested_order(world_with_a_bonus(), [Budget(2)], amounts=["1"]),
    "k must be a number": lambda: alternatives(both_in(), k="2"),
    "give plans by name": lambda: compare([both_in()]),
    "give a plan from prioritize, not a DataFrame": lambda: rule_costs(world_with_a_bonus()),
    "a plan from prioritize, not a Data.rame": lambda: importance(world_with_a_bonus()),
}


@pytest.mark.parametrize("said", WRONG_QUESTIONS)
def test_question_that_cannot_be_read_is_refused_by_name(said):
    with pytest.raises(DataError, match=said):
        WRONG_QUESTIONS[said]()


def test_one_goal_needs_no_list():
    assert prioritize_goals(world_with_a_bonus(), [Budget(2)], Goal()).plan.averted == 4.0


def test_an_area_too_dear_for_all_the_money_lends_it_no_price():
    """One area of 60 USD, one of 500: with 100 USD the second is not bought, not even in part."""
    table = pd.DataFrame({"hazard_id": list("ab"), "cost_usd": [60.0, 500.0], "benefit": [3.0, 4.0]})
    curve = priority_curve(table, [Budget(100)], amounts=[50, 100, 300, 600])
    assert curve.table["benefit"].tolist() == [0, 3, 3, 7]
    assert curve.table["next_usd"].tolist() == [math.inf] * 4
    told = str(curve).splitlines()[1:]
    later = ("nothing, 100 USD does", "nothing, 600 USD does", "nothing, 600 USD does", "nothing")
    assert all(
        line.endswith(f"; a little more money brings {end}") for line, end in zip(told, later, strict=True)
    )
    plan = prioritize(table, [Budget(100)])
    assert "Budget: 60 of 100 USD used; a little more would bring nothing" in str(plan)
    assert "1 hazard takes more money or teams than there is, so no plan under these rules has it" in str(
        plan
    )


def test_the_bound_of_a_curve_holds_where_areas_too_dear_come_into_reach():
    table = pd.DataFrame({"hazard_id": list("ab"), "cost_usd": [60.0, 500.0], "benefit": [3.0, 4.0]})
    curve = priority_curve(table, [Budget(100)], amounts=[50, 100])
    assert curve.bound_at(80) == close(3)
    for amount, best in ((500, 4), (560, 7), (1000, 7)):
        assert curve.bound_at(amount) >= best - 1e-9
    assert curve.bound_at(120) < 4


def test_what_is_lost_by_a_budget_counts_areas_too_dear_for_it_in_full():
    table = pd.DataFrame({"hazard_id": list("ab"), "cost_usd": [60.0, 500.0], "benefit": [3.0, 4.0]})
    costs = rule_costs(prioritize(table, [Budget(100)]))
    assert costs.table["lost"].tolist() == close([4.0])


def test_goals_tell_accidents_and_bonuses_apart():
    goals = [Goal(tolerance=0), Goal("cost_usd", sense="least")]
    found = prioritize_goals(world_with_a_bonus(), [Budget(2), BONUS], goals, exact=True)
    _, first, second, *_ = str(found).splitlines()
    assert first == f"  1. most benefit: {BOTH} (by itself 5, bonuses counted in, gap 0.00%)"
    assert second == "  2. least cost_usd: 2 (by itself 2, gap 0.00%)"
    assert found.table["bonus"].tolist() == [2.0, 0.0]
    plain = prioritize_goals(world_with_a_bonus(), [Budget(2)], goals, exact=True)
    assert "  1. most benefit: 4 (by itself 4, gap 0.00%)" in str(plain)


def test_reasons_and_answers_of_relative_harm_name_no_accidents():
    table = world_with_a_bonus()
    table.attrs["benefit_unit"] = "relative"
    plan = prioritize(table, [Budget(2)], exact=True)
    assert "averts 4 units of relative harm" in plan.why("x")
    assert "would avert 1.5 units of relative harm" in plan.why("y1")
    costs = str(rule_costs(plan))
    assert costs.startswith("What the rules cost, of 4 units of relative harm averted:")
    curve = str(priority_curve(table, [Budget(2)], amounts=[2]))
    assert curve.startswith("What money brings, in units of relative harm averted:")
    told = "\n".join([str(plan), costs, curve, *plan.reasons["reason"]])
    assert not re.search(r"\d accidents|relative (and|for)\b", told)


def test_one_plan_and_one_hazard_are_not_told_in_the_plural():
    plan = prioritize(world_with_a_bonus(), [Budget(2)], exact=True)
    assert str(compare({"only": plan})).startswith("1 plan: 4 accidents averted.")
    alone = str(alternatives(plan, k=1))
    assert alone.startswith("The plan given, and no other:")
    assert "1 hazard is in all of them" in alone


def test_an_interval_that_closes_in_its_digits_is_told_as_one_number():
    row = {"lost": 16.31, "lost_low": 16.29, "lost_high": 16.33, "rule": "Budget"}
    costs = RuleCosts(
        table=pd.DataFrame([row]), rows=pd.DataFrame({"rule": []}), benefit=47.9, benefit_unit="x"
    )
    assert "  without Budget: 16.3 more (proven)" in str(costs)
