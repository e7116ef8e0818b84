"""Plans under money that may be cut: against every possible plan, against HiGHS on all at once, laws."""

import functools
import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccm_geo import DataError, PlanError
from ccm_geo.planning import (
    After,
    Budget,
    BudgetCut,
    Complete,
    DonorLeaves,
    Donors,
    Freeze,
    Funding,
    Grant,
    LockIn,
    Share,
    plan_under,
    prioritize,
)
from ccm_geo.planning.engine.matrix import optimize
from ccm_geo.planning.listing import Listing
from ccm_geo.planning.model import build
from ccm_geo.planning.money import adapt as engine
from ccm_geo.planning.money.extensive import whole_matrix
from ccm_geo.planning.money.futures import Aim, Futures, alone, asked, promises, sizes_of, together

YEARS = (2027, 2028)
STATES = ("suspected", "confirmed", "released")


def small_world(seed, hazards=3, years=YEARS):
    """Hazards with survey, clearance (from before and after survey) and risk education."""
    rng = np.random.default_rng(seed)
    rows = []
    for h in range(hazards):
        harm = rng.uniform(0.1, 1.0, len(years)).round(3)
        area = rng.uniform(1, 8)
        for t, year in enumerate(years):
            onward = harm[t:].sum()
            own = [
                ("nts", "suspected", "confirmed", 1.0, 0.05 * onward),
                ("clearance", "suspected", "released", area, onward),
                ("clearance", "confirmed", "released", 0.5 * area, 0.95 * onward),
                ("eore", "suspected", "suspected", 0.4, 0.1 * harm[t]),
            ]
            rows += [
                {
                    "option_id": f"H{h}:{activity}:{year}:{begin}",
                    "hazard_id": f"H{h}",
                    "activity": activity,
                    "year": year,
                    "state_from": begin,
                    "state_to": end,
                    "cost_usd": round(cost, 2),
                    "benefit": benefit,
                    "adm1": "north" if h % 2 else "south",
                }
                for activity, begin, end, cost, benefit in own
            ]
    return pd.DataFrame(rows)


def is_path(rows):
    state = "suspected"
    for year in sorted({r["year"] for r in rows}):
        now = [r for r in rows if r["year"] == year]
        moves = sorted(
            (r for r in now if r["state_from"] != r["state_to"]), key=lambda r: STATES.index(r["state_from"])
        )
        for row in moves:
            if row["state_from"] != state:
                return False
            state = row["state_to"]
        rest = [r for r in now if r["state_from"] == r["state_to"]]
        if len(rest) > 1 or any(r["state_from"] != state for r in rest):
            return False
    return True


def best_trees(options, funding, rules, worst=0.0, alpha=0.2):
    """Value of the best plan with shared first years, from every combination of paths of every hazard."""
    rows_of = [rows for _, rows in options.groupby("hazard_id", sort=False)]
    paths = []
    for rows in rows_of:
        records = rows.to_dict("records")
        subsets = (s for n in range(5) for s in itertools.combinations(range(len(records)), n))
        own = [tuple(rows.index[list(s)]) for s in subsets if is_path([records[i] for i in s])]
        alone = [r for r in rules if isinstance(r, After) and r.within]
        paths.append([p for p in own if not any(r.faults(options.loc[list(p)], options) for r in alone)])
    listing = Listing.of(options)
    exact = [build(listing, (*funding.money(n), *rules)).rules for n in funding.names]
    year, cost = options["year"].to_numpy(), options["cost_usd"].to_numpy()
    columns = [options["benefit"].to_numpy(), *(np.where(year == y, cost, 0.0) for y in YEARS)]
    value, *spent = (
        functools.reduce(
            lambda a, b: np.add.outer(a, b).ravel(),
            [np.array([c[list(p)].sum() for p in ps]) for ps in paths],
        )
        for c in columns
    )
    early = [
        np.unique(
            [hash(tuple(i for i in p if year[i] < funding.known_from)) for p in ps], return_inverse=True
        )[1]
        for ps in paths
    ]
    first = functools.reduce(lambda a, b: (a[:, None] * 1_000 + b[None]).ravel(), early)
    best = [_best_by_first(options, own, paths, value, spent, first) for own in exact]
    aim = Aim(chance=np.array(list(funding.probabilities.values())), worst=worst, alpha=alpha)
    common = set.intersection(*(set(table) for table in best))
    return max((aim.of(np.array([t[f] for t in best])) for f in common), default=-math.inf)


def _best_by_first(options, rules, paths, value, spent, first):
    """Best value of a scenario for each set of first decisions, from the most valuable combination down."""
    fits = np.ones(len(value), bool)
    for rule in rules:
        if isinstance(rule, Budget):
            for y, used in zip(YEARS, spent, strict=True):
                fits &= used <= rule.amount[y] + 1e-6
    others = [r for r in rules if not isinstance(r, Budget) and not getattr(r, "within", None)]
    table, sizes = {}, [len(p) for p in paths]
    for i in np.argsort(-value, kind="stable"):
        if fits[i] and first[i] not in table:
            pick = [ps[k] for ps, k in zip(paths, np.unravel_index(i, sizes), strict=True)]
            chosen = options.loc[[row for p in pick for row in p]]
            if not any(rule.faults(chosen, options) for rule in others):
                table[first[i]] = value[i]
    return table


def two_cuts(money=(5.0, 5.0)):
    return Funding.around(
        Budget(dict(zip(YEARS, money, strict=True))),
        {"half": (0.3, BudgetCut(0.5, since=2028)), "nothing": (0.2, BudgetCut(1.0, since=2028))},
        known_from=2028,
    )


RULES = {
    "no rule": (),
    "share": (Share("adm1", at_least=0.3),),
    "lock in": (LockIn("H0", activity="eore"),),
    "after": (After({"activity": "nts"}, {"activity": "clearance"}, within="hazard_id"),),
    "share and after": (
        Share("adm1", at_least=0.2),
        After({"activity": "nts"}, {"activity": "clearance"}, within="hazard_id"),
    ),
    "order of hazards": (After("H0", "H1"),),
}


@pytest.mark.parametrize(
    ("name", "worst"), [*((n, 0.0) for n in RULES), ("no rule", 0.6), ("share and after", 0.6)]
)
def test_plan_equals_the_best_of_all_plans(name, worst):
    many = 2 if name == "order of hazards" else 3
    options, funding = small_world(seed=len(name), hazards=many), two_cuts()
    plan = plan_under(options, funding, RULES[name], gap=0.0, seconds=4, worst_weight=worst, alpha=0.4)
    best = best_trees(options, funding, RULES[name], worst=worst, alpha=0.4)
    assert plan.objective == pytest.approx(best, rel=1e-7)
    assert plan.bound >= best - 1e-9


def futures_of(options, funding, rules=()):
    listing = Listing.of(options)
    models = [build(listing, (*funding.money(n), *rules)) for n in funding.names]
    return Futures.of(models, funding.known_from)


@pytest.mark.parametrize(("name", "worst"), [("no rule", 0.7), ("share", 0.0), ("after", 0.0)])
def test_price_engine_brackets_what_highs_finds_on_all_scenarios_at_once(name, worst, monkeypatch):
    options, funding = small_world(seed=4, hazards=14), two_cuts((9.0, 9.0))
    futures = futures_of(options, funding, RULES[name])
    aim = Aim(chance=np.array([0.5, 0.3, 0.2]), worst=worst, alpha=0.3)
    matrix, _ = whole_matrix(futures, aim)
    exact = optimize(matrix, gap=1e-6, seconds=20)
    best = float(matrix.benefit @ exact.values)  # noqa: PD011 - not a table
    monkeypatch.setattr(engine, "SMALL", 0)
    plan = plan_under(options, funding, RULES[name], gap=0.01, seconds=6, worst_weight=worst, alpha=0.3)
    assert plan.objective <= best * (1 + 1e-6)
    assert best <= plan.bound * (1 + 1e-6)
    assert plan.objective >= 0.9 * best


def test_completion_bonuses_count_in_every_scenario():
    options = small_world(seed=4, hazards=9)
    options["village"] = "v" + (options["hazard_id"].str[1:].astype(int) // 3).astype(str)
    funding, rule = two_cuts((8.0, 8.0)), Complete("village", bonus=1.5)
    matrix, _ = whole_matrix(
        futures_of(options, funding, (rule,)), Aim(chance=np.array([0.5, 0.3, 0.2]), worst=0.0, alpha=0.2)
    )
    best = float(matrix.benefit @ optimize(matrix, gap=1e-6, seconds=20).values)  # noqa: PD011 - not a table
    plan = plan_under(options, funding, [rule], gap=1e-3, seconds=4)
    assert 0.95 * best <= plan.objective <= best * (1 + 1e-6)
    assert best <= plan.bound * (1 + 1e-6)
    assert all(p.benefit == pytest.approx(p.averted + p.bonuses["bonus"].sum()) for p in plan.plans.values())


def test_any_prices_and_weights_bound_every_plan():
    options, funding = small_world(seed=2), two_cuts()
    futures, rng = futures_of(options, funding), np.random.default_rng(0)
    aim = Aim(chance=np.array([0.5, 0.3, 0.2]), worst=1.0, alpha=0.4)
    best = best_trees(options, funding, (), worst=1.0, alpha=0.4)
    for _ in range(20):
        prices = rng.exponential(0.1, sum(futures.sizes) + 2 * futures.sizes[1])
        weight = aim.tail_weights(rng.random(3))
        assert asked(futures, prices, weight, promises(futures)).bound >= best - 1e-9


def test_slope_of_the_bound_is_what_limits_leave():
    options, funding = small_world(seed=6, hazards=8), two_cuts()
    futures = futures_of(options, funding, RULES["share and after"])
    aim = Aim(chance=np.array([0.5, 0.3, 0.2]), worst=0.0, alpha=0.2)
    begin = np.array([a.prices for a in alone(futures, sizes_of(futures, aim), 1e12)])
    found, _ = together(futures, aim, begin, math.inf)
    for i in range(0, len(found.prices), 3):
        step = np.zeros(len(found.prices))
        step[i] = 1e-4 * np.sign(found.prices[i] or 1)
        ahead = asked(futures, found.prices + step, aim.chance, found.most).bound
        assert ahead >= found.bound + found.slope @ step - 1e-9  # convex: above its tangent


# -- worked out by hand ---------------------------------------------------------------------------------


def two_fields():
    """Field b is worth more, but only a fits what may be left in the second year."""
    return pd.DataFrame(
        {
            "option_id": ["a27", "a28", "b27", "b28"],
            "hazard_id": ["a", "a", "b", "b"],
            "year": [2027, 2028, 2027, 2028],
            "cost_usd": [2.0, 2.0, 3.0, 3.0],
            "benefit": [4.0, 3.0, 5.0, 4.5],
        }
    )


@pytest.fixture(scope="module")
def hedged():
    funding = Funding.around(
        Budget({2027: 3.0, 2028: 3.0}), {"cut": (0.5, BudgetCut(1 / 3, since=2028))}, known_from=2028
    )
    return plan_under(two_fields(), funding, seconds=4)


def test_the_dear_field_goes_first_where_its_money_may_not_come(hedged):
    assert list(hedged.first["option_id"]) == ["b27"]
    assert hedged.expected == hedged.expected_bound == 8.0
    assert [list(p.table["option_id"]) for p in hedged.plans.values()] == [["b27", "a28"]] * 2


def test_planning_as_if_the_promise_were_certain_loses_the_dear_field(hedged):
    assert list(hedged.naive_first["option_id"]) == ["a27"]
    assert hedged.naive_benefit == 8.5
    assert list(hedged.scenarios["naive_benefit"]) == [8.5, 4.0]
    assert list(hedged.scenarios["naive_loss"]) == [-0.5, 4.0]
    assert hedged.planning_worth == pytest.approx((1.75, 1.75, 1.75))


def test_story_says_what_to_do_and_what_caution_costs(hedged):
    said = str(hedged)
    assert "Whatever comes, before 2028: work on 1 hazards for 3 USD." in said
    assert "cut (50%): 8 benefit" in said
    assert "cut: 4, 4 less than here" in said
    assert "Being prepared costs 0.5 benefit if 'as promised' comes." in said
    assert "No plan with the same first decisions for all scenarios can expect more (proven)." in said
    assert "Planning for the cuts is worth 1.75 expected benefit (proven: from 1.75 to 1.75)" in said


def test_worst_cases_alone_lead_to_the_safest_first_year():
    funding = Funding(
        {"all": (0.9, Budget({2027: 3, 2028: 3})), "none": (0.1, Budget({2027: 3, 2028: 0}))}, known_from=2028
    )
    options = two_fields().assign(benefit=[4.0, 3.0, 5.0, 4.9])
    careful = plan_under(options, funding, seconds=4, worst_weight=1.0, alpha=0.1)
    assert (careful.worst, careful.tail) == (5.0, 5.0)
    hopeful = plan_under(options, funding, seconds=4)
    assert hopeful.expected == pytest.approx(0.9 * 8.9 + 0.1 * 4.0)
    assert hopeful.worst == 4.0


def test_freeze_and_leaving_donor_take_days_of_the_year():
    money = Budget({2027: 365.0, 2028: 366.0, 2029: 365.0})
    assert Freeze(0.5, days=90, year=2027).of(money).amount == {2027: 320.0, 2028: 366.0, 2029: 365.0}
    leaves = DonorLeaves(1.0, told_on="2028-01-01", notice_weeks=6)
    assert str(leaves.last_day) == "2028-02-12"
    assert leaves.of(money).amount == {2027: 365.0, 2028: 43.0, 2029: 0.0}
    assert BudgetCut(0.3, since=2028, until=2028).of(money).amount == {2027: 365.0, 2028: 256.2, 2029: 365.0}


def test_a_donor_that_leaves_takes_its_own_grant_only():
    donors = Donors(Grant("A", {2027: 3.0, 2028: 3.0}), Grant("B", {2027: 1.0, 2028: 1.0}))
    funding = Funding.around(
        donors, {"A leaves": (0.5, BudgetCut(1.0, since=2028, donor="A"))}, known_from=2028
    )
    left = funding.money("A leaves")[0].grants
    assert [g.amount[2028] for g in left] == [0.0, 1.0]
    plan = plan_under(two_fields(), funding, seconds=4)
    assert list(plan.first["option_id"]) == ["b27"]
    assert plan.plans["A leaves"].benefit == 5.0


# -- laws -------------------------------------------------------------------------------------------------


def test_one_scenario_is_an_ordinary_plan():
    options, money = small_world(seed=8, hazards=6), Budget({2027: 5.0, 2028: 4.0})
    alone_plan = prioritize(options, [money], exact=True)
    plan = plan_under(options, Funding({"sure": (1.0, money)}, known_from=2028), gap=0.0, seconds=5)
    assert plan.expected == pytest.approx(alone_plan.benefit)
    same = {"a": (0.5, money), "b": (0.5, money)}
    twice = plan_under(options, Funding(same, known_from=2028), gap=0.0, seconds=5)
    assert twice.expected == pytest.approx(alone_plan.benefit)
    assert twice.planning_worth[1] == pytest.approx(0.0, abs=1e-9)


@given(
    seed=st.integers(0, 10_000),
    chance=st.floats(0.05, 0.95),
    left=st.floats(0, 1),
    money=st.tuples(st.floats(0, 12), st.floats(0, 12)),
    worst=st.sampled_from([0.0, 0.5, 1.0]),
)
@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_laws_of_random_worlds(seed, chance, left, money, worst):
    options = small_world(seed=seed, hazards=2)
    base = Budget(dict(zip(YEARS, money, strict=True)))
    funding = Funding.around(base, {"less": (chance, BudgetCut(1 - left, since=2028))}, known_from=2028)
    plan = plan_under(options, funding, gap=0.0, seconds=3, worst_weight=worst, alpha=0.5)
    table = plan.scenarios
    assert plan.worst - 1e-9 <= plan.tail <= plan.expected + 1e-9 <= table["benefit"].max() + 1e-6
    assert plan.objective == pytest.approx(best_trees(options, funding, (), worst=worst, alpha=0.5), abs=1e-7)
    assert plan.planning_worth[0] <= plan.planning_worth[1] <= plan.planning_worth[2] + 1e-9
    assert plan.planning_worth[1] >= 0
    assert (table["benefit"] <= table["foresight_bound"] + 1e-9).all()
    for name, own in plan.plans.items():
        early = own.table[own.table["year"] < 2028]
        assert list(early["option_id"]) == list(plan.first["option_id"]), name


# -- what cannot be -----------------------------------------------------------------------------------------


def test_money_that_differs_before_it_is_known_is_planned_at_its_least():
    funding = Funding(
        {"full": (0.5, Budget({2027: 9, 2028: 9})), "half": (0.5, Budget({2027: 3, 2028: 9}))},
        known_from=2028,
    )
    plan = plan_under(two_fields(), funding, seconds=4)
    assert plan.first["cost_usd"].sum() <= 3
    assert any("only 3 is planned" in n.text for n in plan.notes)


@pytest.mark.parametrize(
    ("scenarios", "words"),
    [
        ({"a": (0.5, Budget({2027: 1}))}, "add up to 0.5, not to 1"),
        ({"a": (0.5, Budget({2027: 1})), "b": (0.5, Budget({2028: 1}))}, "'b' names other budgets"),
        ({"a": (1.0, Share("adm1", at_least=0.1))}, "needs a Budget or Donors"),
        ({"a": 1.0}, "needs \\(probability, Budget"),
        ({}, "at least one scenario"),
    ],
)
def test_funding_that_makes_no_sense_is_refused(scenarios, words):
    with pytest.raises(DataError, match=words):
        Funding(scenarios, known_from=2028)


def test_cuts_that_make_no_sense_are_refused():
    with pytest.raises(DataError, match="from 0 to 1"):
        BudgetCut(1.5, since=2028)
    with pytest.raises(DataError, match="write it like '2028-01-20'"):
        DonorLeaves(0.5, told_on="soon", notice_weeks=6)
    with pytest.raises(DataError, match="give it by year"):
        BudgetCut(0.5, since=2028).of(Budget(100.0))
    with pytest.raises(DataError, match="no money is called 'X'"):
        Funding.around(
            Budget({2027: 1}), {"c": (0.1, BudgetCut(0.5, since=2027, donor="X"))}, known_from=2028
        )


def test_nothing_to_share_is_refused():
    funding = Funding({"a": (1.0, Budget({2027: 1, 2028: 1}))}, known_from=2027)
    with pytest.raises(DataError, match="nothing is decided before"):
        plan_under(two_fields(), funding)


def test_a_promise_that_one_scenario_cannot_keep_is_named():
    funding = two_cuts((0.5, 3.0))
    with pytest.raises(PlanError, match="scenario 'half'"):
        plan_under(small_world(seed=1), funding, [LockIn("H0", activity="clearance")], seconds=3)


def test_story_tells_accidents_and_bonuses_apart():
    options = pd.DataFrame(
        {
            "option_id": ["a", "b"],
            "hazard_id": ["a", "b"],
            "year": [2027, 2028],
            "state_from": "confirmed",
            "state_to": "released",
            "village": ["A", "B"],
            "cost_usd": [1.0, 1.0],
            "benefit": [3.0, 1.0],
            "activity": "clearance",
        }
    )
    cut = {"cut": (0.5, BudgetCut(1, since=2028))}
    funding = Funding.around(Budget({2027: 1.0, 2028: 1.0}), cut, known_from=2028)
    plan = plan_under(options, funding, [Complete("village", bonus={"B": 2.0})])
    lines = str(plan).splitlines()
    assert "  as promised (50%): 6 in all: 4 accidents averted and 2 of bonuses for 2 USD" in lines
    assert "  cut (50%): 3 accidents averted for 1 USD" in lines
    assert any(line.startswith("Expected: 4.5 accidents averted and bonuses.") for line in lines)
    assert plan.scenarios["averted"].tolist() == [4.0, 3.0]


PROMISE = Budget({2027: 10.0, 2028: 10.0, 2029: 10.0})


@pytest.mark.parametrize("cut", [BudgetCut(0.5, since=2040), Freeze(0.5, days=90, year=2035)])
def test_cut_that_never_bites_is_refused(cut):
    with pytest.raises(DataError, match=r"'less' takes nothing off: .* years of the money, 2027, 2028, 2029"):
        Funding.around(PROMISE, {"less": (0.5, cut)}, known_from=2028)


def test_cut_that_ends_before_it_begins_is_refused():
    with pytest.raises(DataError, match="until 2028 lies before since 2029"):
        BudgetCut(0.5, since=2029, until=2028)


HALF = BudgetCut(0.5, since=2028)
WRONG_FUNDING = {
    "known_from must be a calendar year": lambda: Funding.around(
        PROMISE, {"a": (0.5, HALF)}, known_from="2028"
    ),
    "since must be a calendar year": lambda: BudgetCut(0.5, since="2028"),
    "share must be a number": lambda: BudgetCut("0.5", since=2028),
    "the probability of 'a' must be a number": lambda: Funding.around(
        PROMISE, {"a": ("0.5", HALF)}, known_from=2028
    ),
    "cuts go by name": lambda: Funding.around(PROMISE, [(0.5, HALF)], known_from=2028),
    "money must be a Budget or Donors": lambda: Funding.around(1e6, {"a": (0.5, HALF)}, known_from=2028),
    "funding must be a Funding": lambda: plan_under(small_world(seed=1), PROMISE),
    r"'a' needs \(probability": lambda: Funding({"a": (1.0, 1e6)}, known_from=2028),
}


@pytest.mark.parametrize("said", WRONG_FUNDING)
def test_funding_that_cannot_be_read_is_refused_by_name(said):
    with pytest.raises(DataError, match=said):
        WRONG_FUNDING[said]()
