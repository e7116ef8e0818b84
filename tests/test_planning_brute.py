"""The planner against every possible plan: small worlds, every combination of rules, both engines."""

import itertools

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_worlds import best_by_brute_force, small_world

from ccm_geo import PlanError
from ccm_geo.planning import After, Budget, Capacity, LockIn, LockOut, Share, prioritize
from ccm_geo.planning.check import faults_of
from ccm_geo.planning.engine import solve as engine
from ccm_geo.planning.listing import Listing
from ccm_geo.planning.model import build

RULES = {
    "budget": lambda: Budget({2027: 6.0, 2028: 4.0}),
    "share": lambda: Share("adm1", at_least=0.3),
    "lock in": lambda: LockIn("H0", activity="eore"),
    "lock out": lambda: LockOut("H1", year=2027),
    "after": lambda: After({"activity": "nts"}, {"activity": "clearance"}, within="hazard_id"),
}
SUBSETS = [s for n in range(len(RULES) + 1) for s in itertools.combinations(RULES, n)]


@pytest.mark.parametrize("names", SUBSETS, ids=lambda s: " + ".join(s) or "no rule")
def test_plan_equals_the_best_of_all_plans(names):
    options = small_world(seed=len(names) * 7 + sum(map(len, names)), hazards=3)
    rules = [RULES[n]() for n in names]
    plan = prioritize(options, rules, exact=True)
    assert plan.benefit == pytest.approx(best_by_brute_force(options, rules), rel=1e-9)
    assert plan.bound >= plan.benefit - 1e-12


@pytest.mark.parametrize("names", SUBSETS[::3], ids=lambda s: " + ".join(s) or "no rule")
def test_price_engine_brackets_the_best_plan(names, monkeypatch):
    options = small_world(seed=3, hazards=3)
    rules = [RULES[n]() for n in names]
    monkeypatch.setattr(engine, "SMALL", 0)
    plan = prioritize(options, rules, gap=1e-3)
    best = best_by_brute_force(options, rules)
    assert plan.benefit <= best + 1e-9
    assert best <= plan.bound + 1e-9
    assert plan.benefit >= best * (1 - 1e-3) - 1e-9


@pytest.mark.parametrize("more", [(), ("budget",), ("budget", "share"), ("lock out", "after")], ids=" ".join)
@pytest.mark.parametrize(
    "teams",
    [
        Capacity({"north": 2.0, "south": {2027: 0.0, 2028: 3.0}}),
        Capacity(2.5, by=None),
        Capacity({"north": 4.0}, where={"activity": "clearance"}),
    ],
    ids=["by region", "everywhere", "one region without teams"],
)
def test_teams_by_region_and_year_equal_brute_force(teams, more):
    options = small_world(seed=5, hazards=3).assign(team_months=lambda t: (t.cost_usd * 0.6).round(2))
    rules = [teams, *(RULES[n]() for n in more)]
    plan = prioritize(options, rules, exact=True)
    assert plan.benefit == pytest.approx(best_by_brute_force(options, rules), rel=1e-9)


ROUTES = [
    (After("H0", ["H1", "H2"]), "route before fields"),
    (After(["H0", "H1"], "H2"), "two routes"),
    (After({"hazard_id": "H0", "activity": "nts"}, {"hazard_id": "H1"}), "survey elsewhere first"),
    (
        After({"activity": "eore"}, {"activity": "clearance"}, within="hazard_id"),
        "education before clearance",
    ),
]


@pytest.mark.parametrize(("rule", "_"), ROUTES, ids=[name for _, name in ROUTES])
@pytest.mark.parametrize("more", [("budget",), ("budget", "share"), ("lock in", "budget")], ids=" ".join)
def test_order_between_hazards_equals_brute_force(rule, _, more):
    options = small_world(seed=11, hazards=3)
    rules = [rule, *(RULES[n]() for n in more)]
    plan = prioritize(options, rules, exact=True)
    assert plan.benefit == pytest.approx(best_by_brute_force(options, rules), rel=1e-9)


@given(
    data=st.lists(
        st.tuples(st.integers(0, 3), st.integers(1, 9), st.integers(1, 20), st.sampled_from(["n", "s"])),
        min_size=1,
        max_size=9,
    ),
    money=st.integers(0, 30),
    floor=st.sampled_from([0.0, 0.2, 0.5]),
    states=st.booleans(),
)
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_random_tables_without_states_equal_brute_force(data, money, floor, states):
    frame = pd.DataFrame(data, columns=["hazard_id", "cost_usd", "benefit", "adm1"]).astype(
        {"benefit": float}
    )
    frame["adm1"] = frame.groupby("hazard_id")["adm1"].transform("first")
    rules = [Budget(money), Share("adm1", at_least=floor)]
    plan = prioritize(frame, rules, exact=True)
    model = build(Listing.of(frame), rules)
    best = 0.0
    groups = [[None, *rows.index] for _, rows in frame.groupby("hazard_id")]
    for pick in itertools.product(*groups):
        chosen = frame.loc[[i for i in pick if i is not None]]
        if not any(rule.faults(chosen, frame) for rule in model.rules):
            best = max(best, chosen["benefit"].sum())
    assert plan.benefit == pytest.approx(best)


def test_check_finds_every_kind_of_broken_plan():
    options = small_world(seed=1)
    by_id = options.set_index("option_id", drop=False)

    def faults(ids, rules=(), benefit=None):
        chosen = by_id.loc[ids].reset_index(drop=True)
        claimed = chosen["benefit"].sum() if benefit is None else benefit
        rows = options.index.get_indexer([options.index[options["option_id"] == i][0] for i in ids])
        return faults_of(chosen, options, rules, benefit=claimed, rows=rows)

    fine = ["H0:nts:2027:suspected", "H0:clearance:2028:confirmed"]
    assert faults(fine) == []
    assert "adds up" in faults(fine, benefit=99.0)[0]
    assert "but the land is suspected" in faults(["H0:clearance:2028:confirmed"])[0]
    assert "but the land is confirmed" in faults(["H0:nts:2027:suspected", "H0:eore:2027:suspected"])[0]
    assert "chosen twice" in faults(["H0:nts:2027:suspected"] * 2)[0]
    assert faults(fine, [Budget({2027: 0.5, 2028: 100})]) == ["Budget 2027: 1.00 of 0.50"]
    assert "nothing is planned for 'H1'" in faults(fine, [LockIn("H1")])[0]
    assert "'H0:nts:2027:suspected' is planned" in faults(fine, [LockOut("H0", activity="nts")])[0]
    first = After({"activity": "nts"}, {"activity": "clearance"}, within="hazard_id")
    assert faults(fine, [first]) == []
    assert "comes before it" in faults(["H0:clearance:2027:suspected"], [first])[0]
    assert "south gets" in faults(["H1:nts:2027:suspected"], [Share("adm1", at_least={"south": 0.1})])[0]


def test_infeasible_rules_are_named_with_the_smallest_budget_that_works():
    options = small_world(seed=1)
    cheapest = options.loc[options["option_id"].str.startswith("H0:clearance:2027"), "cost_usd"].min()
    rules = [Budget({2027: 0.25, 2028: 50.0}), LockIn("H0", activity="clearance", year=2027), LockOut("H3")]
    with pytest.raises(PlanError, match="no plan keeps all rules") as caught:
        prioritize(options, rules)
    assert len(caught.value.conflict) == 2
    assert caught.value.conflict[0].startswith("Budget")
    assert caught.value.conflict[1] == "LockIn H0 clearance 2027"
    assert len(caught.value.cures) == 1
    with_survey = options.set_index("option_id")["cost_usd"]
    least = min(cheapest + 1.0, with_survey["H0:clearance:2027:suspected"])
    assert caught.value.cures[0] == f"Budget 2027 of {least:,.2f} in place of 0.25"


def test_infeasible_floor_names_the_share_that_works():
    options = pd.DataFrame(
        {
            "option_id": list("abc"),
            "cost_usd": [8.0, 1.0, 1.0],
            "benefit": [1.0, 2.0, 3.0],
            "adm1": ["n", "s", "s"],
        }
    )
    with pytest.raises(PlanError) as caught:
        prioritize(options, [LockIn("a"), Share("adm1", at_least={"s": 0.2}), LockOut("b")])
    assert [c.split()[0] for c in caught.value.conflict] == ["LockIn", "Share", "LockOut"]
    assert "at_least 0.1111 in place of 0.2" in caught.value.cures[0]
