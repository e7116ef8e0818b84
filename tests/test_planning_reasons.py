"""Why an area is in the plan, left out, or left on its way: worked by hand, at the plan's own prices."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ccm_geo import DataError
from ccm_geo.planning import (
    After,
    Budget,
    Capacity,
    Complete,
    Deadline,
    Donors,
    Goal,
    Grant,
    LockIn,
    LockOut,
    Share,
    prioritize,
    prioritize_goals,
)
from ccm_geo.planning.engine.solve import solve
from ccm_geo.planning.listing import Listing
from ccm_geo.planning.model import build
from ccm_geo.planning.reasons import reasons_of, without_option
from ccm_geo.schemas import Note

STATES = {"nts": ("suspected", "confirmed"), "clearance": ("confirmed", "released")}


def step(hazard, activity, year, cost, benefit, months=1.0, region="north"):
    begin, end = STATES[activity]
    area, left = (100.0, 50.0) if activity == "nts" else (50.0, 0.0)
    return {
        "option_id": f"{hazard} {activity} {year}",
        "hazard_id": hazard,
        "activity": activity,
        "year": year,
        "state_now": "suspected",
        "state_from": begin,
        "state_to": end,
        "cost_usd": cost,
        "team_months": months,
        "benefit": benefit,
        "area_m2": area,
        "cancelled_m2": area - left if activity == "nts" else 0.0,
        "reduced_m2": 0.0,
        "cleared_m2": area - left if activity == "clearance" else 0.0,
        "left_m2": left,
        "adm1": region,
    }


def marking(hazard, year, cost, benefit, state="suspected"):
    row = step(hazard, "nts", year, cost, benefit, months=0.0)
    same = {"option_id": f"{hazard} marking {year}", "activity": "marking", "state_from": state}
    return row | same | {"state_to": state, "cancelled_m2": 0.0, "left_m2": row["area_m2"]}


def surveyed(*rows):
    return pd.DataFrame(rows)


SURVEY = After({"activity": "nts"}, {"activity": "clearance"}, within="hazard_id")


@pytest.fixture
def two_fields():
    """A averts 6 for 60 USD in all; B 2 for 40 USD, or 0.5 marked for 10."""
    return surveyed(
        step("A", "nts", 2027, 10.0, 0.0),
        step("A", "clearance", 2027, 50.0, 6.0),
        step("B", "nts", 2027, 10.0, 0.0),
        step("B", "clearance", 2027, 30.0, 2.0),
        marking("B", 2027, 10.0, 0.5),
    )


def test_an_area_left_on_its_way_says_what_the_rest_would_take_and_bring(two_fields):
    plan = prioritize(two_fields, [Budget(70.0)], exact=True)
    assert list(plan.table["option_id"]) == ["A nts 2027", "A clearance 2027", "B marking 2027"]
    told = plan.why("B")
    assert told.startswith(
        "B: in the plan: marking 2027 for 10 USD; averts 0.5 accidents; it stays suspected: "
    )
    assert (
        "the best way to have it released (nts 2027, clearance 2027) would avert 1.5 accidents more" in told
    )
    assert "for 30 USD more" in told


def test_what_the_rest_would_use_averts_more_elsewhere(two_fields):
    rivals = [step(f"C{i}", "nts", 2027, 10.0, 0.0) for i in range(3)]
    rivals += [step(f"C{i}", "clearance", 2027, 20.0, 4.0 - i) for i in range(3)]
    table = pd.concat([two_fields, surveyed(*rivals)], ignore_index=True)
    plan = prioritize(table, [Budget(130.0), SURVEY], exact=True)
    assert plan.reasons.loc["B", "activities"] == "marking 2027"
    found = re.search(r"more for 30 USD more; what that uses averts about ([\d.]+) elsewhere", plan.why("B"))
    assert found
    assert 1.5 < float(found[1]) <= 4.0


def test_a_released_area_has_nothing_left_to_tell(two_fields):
    plan = prioritize(two_fields, [Budget(70.0)], exact=True)
    assert plan.why("A") == "A: in the plan: nts 2027, clearance 2027 for 60 USD; averts 6 accidents"


def test_an_area_that_cannot_go_on_says_so(two_fields):
    plan = prioritize(two_fields, [Budget(500.0), LockOut("B", activity="clearance")], exact=True)
    told = "it stays suspected: the rules leave no way to its last state in these years: LockOut B clearance"
    assert plan.why("B").endswith(told)


def test_an_area_whose_clearance_no_team_can_do_in_a_year_says_so(two_fields):
    two_fields.loc[two_fields["option_id"] == "B clearance 2027", "team_months"] = 30.0
    plan = prioritize(two_fields, [Budget(500.0), Capacity(20.0)], exact=True)
    told = "in these years: clearance takes 30 team-months at least, Capacity north 2027 has 20"
    assert plan.why("B").endswith(told)
    assert "1 hazard takes more money or teams for the last step alone than any one year has" in str(plan)
    enough = prioritize(two_fields, [Budget(500.0), Capacity(40.0)], exact=True)
    assert "last step alone" not in str(enough)


def test_a_limit_of_nothing_and_a_rule_between_areas_are_told_as_what_they_are(two_fields):
    none = prioritize(two_fields, [Budget(500.0), Capacity({"north": 0.0})], exact=True)
    assert "clearance takes 1 team-months at least, Capacity north 2027 has none" in none.why("A")
    first = marking("M", 2027, 1.0, 0.5)
    table = pd.concat([two_fields, pd.DataFrame([first])], ignore_index=True)
    after = prioritize(table, [Budget(500.0), After("M", "A")], exact=True)
    assert after.why("A").endswith(": After M")
    assert "last step alone" not in str(after)


def test_survey_that_averts_nothing_names_the_deadline_it_counts_for():
    table = surveyed(step("A", "nts", 2027, 10.0, 0.0), step("B", "nts", 2027, 10.0, 0.0))
    plan = prioritize(table, [Budget(20.0), Deadline(2027, share=0.5)], exact=True)
    assert "averts 0 accidents by itself; it counts for Deadline 2027" in plan.why("A")
    assert "B: in the plan" in plan.why("B")


def test_clearance_that_averts_nothing_names_the_village_that_it_completes(two_fields):
    rows = [step("V", "nts", 2027, 1.0, 0.0), step("V", "clearance", 2027, 1.0, 0.0)]
    table = pd.concat([two_fields, surveyed(*rows)], ignore_index=True)
    table["community"] = table["hazard_id"].map({"A": "Hairu", "V": "Hairu", "B": "Melor"})
    plan = prioritize(table, [Budget(62.0), Complete("community", bonus=1.0)], exact=True)
    assert "averts 0 accidents by itself; it counts for Complete community: Hairu" in plan.why("V")


def test_work_for_a_floor_and_for_a_promise_names_them(two_fields):
    far = [step("S", "nts", 2027, 10.0, 0.0, region="south")]
    far += [step("S", "clearance", 2027, 900.0, 0.1, region="south")]  # beyond all money
    table = pd.concat([two_fields, surveyed(*far)], ignore_index=True)
    floor = prioritize(table, [Budget(80.0), Share("adm1", at_least={"south": 0.1})], exact=True)
    assert "it counts for Share of adm1 south" in floor.why("S")
    promise = prioritize(table, [Budget(80.0), LockIn("S")], exact=True)
    assert "by itself; it counts for LockIn S" in promise.why("S")


def test_an_area_that_is_locked_out_names_the_rule(two_fields):
    plan = prioritize(two_fields, [Budget(70.0), LockOut("A", name="No access")], exact=True)
    assert plan.why("A") == "A: not in the plan: the rules leave it no option that averts anything: No access"


def test_an_area_that_no_grant_may_pay_names_the_donors(two_fields):
    two_fields.loc[two_fields["hazard_id"] == "B", "adm1"] = "south"
    plan = prioritize(two_fields, [Donors(Grant("Norway", 100.0, where={"adm1": "north"}))], exact=True)
    assert plan.why("B").endswith("the rules leave it no option that averts anything: Donors")


def test_an_area_larger_than_a_limit_says_so(two_fields):
    plan = prioritize(two_fields, [Budget(9.0)], exact=True)
    assert plan.why("A").endswith("averts anything: clearance takes 50 USD at least, Budget has 9")


def test_where_teams_are_short_no_money_is_named_as_the_cure():
    rows = [step(h, "nts", 2027, 1.0, 0.0, months=0.0) for h in "ABC"]
    rows += [
        step(h, "clearance", 2027, 1.0, b, months=4.0) for h, b in zip("ABC", (5.0, 4.0, 2.0), strict=True)
    ]
    plan = prioritize(surveyed(*rows), [Budget(1e6), Capacity(8.0, name="Teams")], exact=True)
    told = plan.why("C")
    assert "Teams is short: it takes 4 team-months" in told
    assert "USD more" not in told


def test_survey_before_clearance_leaves_few_on_the_edge(two_fields):
    rivals = [
        row
        for i in range(8)
        for row in (step(f"C{i}", "nts", 2027, 5.0, 0.0), step(f"C{i}", "clearance", 2027, 25.0, 5.0 - i / 2))
    ]
    table = pd.concat([two_fields, surveyed(*rivals)], ignore_index=True)
    plan = prioritize(table, [Budget(180.0), SURVEY], exact=True)
    out = plan.reasons[~plan.reasons["chosen"]]
    assert len(out) >= 3
    assert out["reason"].str.contains("worth what it uses|lies on the edge|would fit and pay").sum() <= 1
    assert out.loc["C7", "reason"].startswith(
        "not in the plan: its best chance (nts 2027, clearance 2027) would avert 1.5 accidents for 30 USD"
    )


def test_years_in_a_row_are_told_as_one_span(two_fields):
    again = pd.DataFrame([marking("B", year, 1.0, 0.5) for year in (2028, 2029, 2031)])
    later = two_fields[two_fields["hazard_id"] == "A"].assign(
        option_id=lambda t: t["option_id"] + " late", year=2031, benefit=0.0
    )
    table = pd.concat([two_fields, again, later], ignore_index=True)
    plan = prioritize(table, [Budget(73.0)], exact=True)
    assert plan.reasons.loc["B", "activities"] == "marking 2027-2029, marking 2031"
    assert plan.reasons.loc["A", "activities"] == "nts 2027, clearance 2027"


def test_hazard_without_an_option_says_what_the_record_lacks():
    facts = pd.DataFrame(
        {
            "status": ["closed", "handed_over", "open", "open", "open", "open", None],
            "people_near": [None, 5, 5, None, None, 5, None],
            "accidents_near": [0, 0, 0, 0, 1, 0, None],
            "area_m2": [10.0, 10.0, None, 10.0, 10.0, 10.0, None],
            "area_recorded_m2": [None, None, 0.0, None, None, None, 10.0],
        },
        index=list("abcdefg"),
    )
    told = without_option(facts)
    assert list(told.index) == list("abcdefg")
    assert told["a"] == "closed in the record: nothing is planned for it"
    assert told["b"] == "handed over in the record: nothing is planned for it"
    assert told["c"] == "no option was offered for it: its area is not known"
    assert "the people near are not known" in told["d"]
    assert told["d"] == told["g"]
    assert told["d"].endswith("that does not make it safe")
    assert told["e"] == told["f"]
    assert "see the notes on the data" in told["f"]


def test_why_there_was_no_option_is_not_made_up_where_facts_are_few():
    told = without_option(pd.DataFrame({"hazard_id": ["x"]}))
    assert told.tolist() == [
        "no option was offered for it; see the notes on the data (in the workbook: Data problems)"
    ]
    assert without_option(pd.DataFrame({"hazard_id": []})).empty


def one_field_each(**columns):
    """Three fields without years and states: they avert 5, 2.5 and 2.4 for 3, 1 and 1 USD."""
    table = {"hazard_id": list("abc"), "cost_usd": [3.0, 1.0, 1.0], "benefit": [5.0, 2.5, 2.4]}
    return pd.DataFrame(table | columns)


def test_an_area_that_is_worth_its_money_and_does_not_fit_names_what_is_left():
    plan = prioritize(one_field_each(), [Budget(4.5)], exact=True)
    assert plan.table["hazard_id"].tolist() == ["a", "b"]
    assert plan.why("c").endswith("; it is worth what it uses, but Budget has 0.5 USD left, and that takes 1")
    teams = [Capacity(4.5, by=None, of="team_months", name="Teams")]
    plan = prioritize(one_field_each(team_months=[3.0, 1.0, 1.0]), teams, exact=True)
    assert plan.why("c").endswith("but Teams has 0.5 team-months left, and that takes 1")


def test_an_area_that_would_break_a_share_names_it():
    table = one_field_each(adm1=["north", "north", "south"], benefit=[5.0, 2.5, 0.001])
    plan = prioritize(table, [Share("adm1", at_most={"south": 0.2})], exact=True)
    assert plan.table["hazard_id"].tolist() == ["a", "b", "c"]
    dear = prioritize(
        table.assign(cost_usd=[3.0, 1.0, 1.1]), [Share("adm1", at_most={"south": 0.2})], exact=True
    )
    assert dear.table["hazard_id"].tolist() == ["a", "b"]
    assert "Share of adm1" in dear.why("c")


def test_an_area_left_out_for_a_later_goal_names_the_goal():
    goals = [Goal(tolerance=0.3), Goal("cost_usd", sense="least")]
    found = prioritize_goals(one_field_each(), [], goals, exact=True)
    (left,) = {"a", "b", "c"} - set(found.plan.table["hazard_id"])
    assert found.plan.why(left).endswith("; it would fit and pay: it is left out for least cost_usd")


def test_prices_that_are_off_by_a_millionth_do_not_change_a_reason():
    model = build(Listing.of(one_field_each()), (Budget(4.5),))
    found = solve(model, gap=0.0, seconds=5)
    told = [
        reasons_of(model, replace(found, prices=found.prices * factor))["reason"].tolist()
        for factor in (1 - 1e-6, 1.0, 1 + 1e-6)
    ]
    assert told[0] == told[1] == told[2]
    tie = reasons_of(model, replace(found, prices=np.array([2.4 * (1 + 1e-6)])))
    assert "it is worth what it uses, but Budget has" in tie.loc["c", "reason"]


def test_a_cost_below_which_an_area_pays_is_not_told_in_parts_of_a_dollar():
    table = one_field_each(benefit=[5.0, 2.5, 0.001])
    why = prioritize(table, [Budget(4.0)], exact=True).why("c")
    assert "0 USD" not in why


def test_hazard_without_options_is_told_from_its_record_or_the_notes():
    plan = prioritize(one_field_each(), [Budget(4.0)])
    facts = pd.DataFrame({"hazard_id": ["x", "y"], "status": ["closed", "open"], "area_m2": [1.0, None]})
    assert plan.why("x", facts=facts) == "x: closed in the record: nothing is planned for it"
    assert plan.why("y", facts=facts) == "y: no option was offered for it: its area is not known"
    assert plan.why("a", facts=facts) == plan.why("a")
    with pytest.raises(DataError, match=r"hazard 'z' has no options; .* facts= says what the record has"):
        plan.why("z", facts=facts)
    with pytest.raises(DataError, match="facts: no column 'hazard_id'"):
        plan.why("z", facts=facts[["status"]])
    table = one_field_each()
    table.attrs["notes"] = (Note("options", "set aside", "1 hazard is closed", 1, ("x",)),)
    noted = prioritize(table, [Budget(4.0)])
    assert noted.why("x") == "x: no option was offered for it (1 hazard is closed)"


def test_options_without_a_cost_are_not_said_to_cost_nothing():
    table = one_field_each(team_months=[3.0, 2.0, 1.0], benefit=[5.0, 2.5, 0.1]).drop(columns="cost_usd")
    plan = prioritize(table, [Budget(4.0, of="team_months", name="Teams")], exact=True)
    told = "\n".join(plan.reasons["reason"])
    assert "USD" not in told
    assert "for no stated cost" in plan.why("b")
    assert plan.why("b").endswith("Teams has no team-months left, and that takes 2")
