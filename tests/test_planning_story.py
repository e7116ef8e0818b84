"""The story tells, in one line each, who pays, what is ended by when, and which teams are short."""

import html
import re

import pandas as pd
import pytest

from ccm_geo.planning import (
    After,
    Budget,
    Capacity,
    Complete,
    Deadline,
    Donors,
    Finish,
    Goal,
    Grant,
    LockIn,
    LockOut,
    prioritize,
    prioritize_goals,
)

MONEY = Budget({2027: 60.0, 2028: 60.0})


@pytest.fixture(scope="module")
def village():
    """Three fields of 1 ha, 40 USD each; the first averts most, the third least; two years."""
    fields = [("A", "north", 8.0), ("B", "north", 5.0), ("C", "south", 2.0)]
    rows = [
        {
            "option_id": f"{field} {year}",
            "hazard_id": field,
            "activity": "clearance",
            "year": year,
            "state_from": "confirmed",
            "state_to": "released",
            "cost_usd": 40.0,
            "team_months": 4.0,
            "benefit": averted / (year - 2026),
            "area_m2": 10_000.0,
            "cancelled_m2": 0.0,
            "reduced_m2": 0.0,
            "cleared_m2": 10_000.0,
            "adm1": region,
        }
        for field, region, averted in fields
        for year in (2027, 2028)
    ]
    return pd.DataFrame(rows)


def line_of(plan, title):
    (line,) = [line for line in str(plan).splitlines() if line.startswith(f"  {title}: ")]
    return line.removeprefix(f"  {title}: ")


def test_money_carried_over_is_told_up_to_each_year_and_helps_all_later_ones(village):
    money = Budget({2027: 60.0, 2028: 10.0}, carry_over=True)  # A at once; a quarter of B must wait
    plan = prioritize(village, [money])
    assert line_of(plan, "Budget up to 2027").startswith("40 of 60 USD used")
    assert line_of(plan, "Budget up to 2028").startswith(
        "40 of 70 USD used; another 1 USD would bring about 0.0"
    )
    first, second = (float(p) for p in re.findall(r"would bring about ([\d.]+) more", str(plan)))
    assert first >= second > 0


def test_donors_are_told_by_what_each_pays(village):
    norway = Grant("Norway", 50.0, where={"adm1": "south"})
    plan = prioritize(village, [Donors(norway, Grant("Fund", 100.0))])
    assert (
        line_of(plan, "Donors")
        == "Norway pays 40 of 50 USD, Fund pays 80 of 100 USD; a little more of it would bring nothing"
    )


def test_a_grant_that_is_short_is_named_with_what_more_of_it_brings(village):
    short = Grant("Fund", 60.0)
    plan = prioritize(village, [Donors(Grant("Norway", 40.0, where={"adm1": "south"}), short)])
    assert "Fund pays 40 of 60 USD; another 1 USD from Fund would bring about" in line_of(plan, "Donors")


def test_grants_that_are_short_together_are_told_with_or(village):
    grants = [Grant("Norway", 30.0, where={"adm1": "north"}), Grant("Fund", 30.0)]
    assert "another 1 USD from Norway or Fund would bring" in line_of(
        prioritize(village, [Donors(*grants)]), "Donors"
    )


def test_with_two_sets_of_donors_only_what_is_short_is_told(village):
    rules = [Donors(Grant("A", 200.0), name="Cash"), Donors(Grant("B", 200.0), name="Pledges")]
    plan = prioritize(village, rules)
    assert line_of(plan, "Cash") == line_of(plan, "Pledges") == "a little more of it would bring nothing"


def test_many_grants_are_told_in_one_line(village):
    plan = prioritize(village, [Donors(*(Grant(f"Donor {i}", 100.0 - i) for i in range(9)))])
    assert "Donor 5 pays" in line_of(plan, "Donors")
    assert "Donor 6 pays" not in line_of(plan, "Donors")
    assert ", 3 more grants; " in line_of(plan, "Donors")


def test_a_deadline_that_the_best_plan_keeps_costs_nothing(village):
    plan = prioritize(village, [MONEY, Deadline(2028, share=0.6)])
    assert line_of(plan, "Deadline 2028") == (
        "2 ha released in time, 1.8 ha asked for; costs nothing, the best plan keeps it anyway"
    )


def test_a_deadline_that_binds_tells_what_a_hundredth_more_costs(village):
    # 60 USD buy one field and a half; the deadline asks for a field of the south, which averts less
    south = Deadline(2027, share=1.0, of="hazards", where={"adm1": "south"}, name="South first")
    plan = prioritize(village, [MONEY, south])
    told = r"1 hazard released in time, 1 asked for; binds, 1 % more costs 0\.\d+ accidents averted"
    assert re.fullmatch(told, line_of(plan, "South first"))


def test_tasks_to_finish_are_told_with_their_last_year(village):
    plan = prioritize(village, [MONEY, Finish("C", by=2027), Finish(["A", "C"])])
    assert line_of(plan, "Finish C by 2027") == "brought to the last state, the last work in 2027"
    assert line_of(plan, "Finish A, C") == "all brought to the last state, the last work in 2028"


def test_teams_that_are_short_are_told_with_their_season(village):
    teams = Capacity({"north": 12.0, "south": 12.0}, season=6)
    short = prioritize(village, [teams])
    assert line_of(short, "Capacity") == "1 of 4 limits bind, as the season allows"
    assert line_of(short, "Capacity north 2027").startswith(
        "4.0 of 6.0 team-months used; one more would bring about"
    )


def test_more_than_six_teams_that_are_short_are_counted(village):
    both = village[village["hazard_id"].isin(["A", "B"]) & (village["year"] == 2027)]
    copies = [both.assign(hazard_id=both["hazard_id"] + f"{i}", adm1=f"P{i}") for i in range(9)]
    table = pd.concat(copies, ignore_index=True)
    plan = prioritize(table.assign(option_id=table["hazard_id"]), [Capacity(6.0)])
    assert line_of(plan, "Capacity") == "9 of 9 limits bind"
    assert "  ... and 3 more of these" in str(plan)


def test_a_plan_that_can_do_nothing_still_tells_its_rules(village):
    plan = prioritize(village, [MONEY, LockOut(["A", "B", "C"])])
    assert "nothing can be done under these rules" in str(plan)
    assert "Budget 2027: 0 of 60 USD used" in str(plan)


def test_a_promise_is_told_with_what_keeps_it(village):
    plan = prioritize(village, [MONEY, LockIn("C", year=2028), LockIn(["A", "C"], activity="clearance")])
    assert line_of(plan, "LockIn C 2028") == "kept by 1 activity in 2028 for 40 USD"
    both = "kept by 2 activities in 2027-2028 for 80 USD"
    assert line_of(plan, "LockIn A, C clearance") == both


def test_what_is_left_alone_is_told_with_other_work_there(village):
    plan = prioritize(village, [MONEY, LockOut("A", year=2027), LockOut("C", activity="clearance")])
    told = "kept: nothing is planned there in 2027; other work there: 1 activity in 2028 for 40 USD"
    assert line_of(plan, "LockOut A 2027") == told
    assert line_of(plan, "LockOut C clearance") == "kept: no clearance is planned there"


def test_what_comes_first_is_told_with_what_waits_for_it(village):
    plan = prioritize(village, [MONEY, After("C", "A"), LockOut("B")], exact=True)
    # 60 USD a year pay one field: A is worth 8 in 2027 and 4 in 2028, but must wait for C (2 in 2027)
    told = "kept: it is done in 2027; 1 activity in 2028 for 40 USD waits for it"
    assert line_of(plan, "After C") == told
    idle = prioritize(village, [Budget({2027: 30.0, 2028: 60.0}), After("C", "A"), LockOut("C")])
    assert line_of(idle, "After C") == "kept: nothing planned waits for it"


def test_order_by_kind_of_work_is_told_with_the_first_of_it(village):
    order = After({"adm1": "south"}, {"adm1": "north"})
    plan = prioritize(village, [Budget(200.0), order])
    told = "kept: it is done in 2027; 2 activities in 2027 for 80 USD wait for it"
    assert line_of(plan, "After adm1 south") == told


def test_survey_before_clearance_is_told_with_the_hazards_that_are_free_of_it(village):
    survey = village[village["hazard_id"] == "A"].assign(
        option_id=lambda t: "survey " + t["option_id"],
        activity="nts",
        state_from="suspected",
        state_to="confirmed",
        cost_usd=5.0,
        benefit=0.0,
    )
    order = After({"activity": "nts"}, {"activity": "clearance"}, within="hazard_id")
    plan = prioritize(pd.concat([survey, village]), [Budget(200.0), order])
    assert line_of(plan, "After activity nts") == "kept on 1 hazard; 2 more have no such option and are free"


def test_promises_are_told_of_options_without_years_and_activities():
    options = pd.DataFrame(
        {"option_id": list("abc"), "cost_usd": [1.0, 2.0, 2.0], "benefit": [3.0, 4.0, 3.0]}
    )
    plan = prioritize(options, [Budget(4.0), LockIn("c"), LockOut("a")])
    assert line_of(plan, "LockIn c") == "kept by 1 option for 2 USD"
    assert line_of(plan, "LockOut a") == "kept: nothing is planned there"


def test_a_bonus_that_nobody_earns_is_told(village):
    plan = prioritize(village, [Budget({2027: 60.0, 2028: 0.0}), Complete("adm1", bonus={"north": 1.0})])
    assert "Complete adm1: none of them." in str(plan)


def test_what_earlier_goals_keep_is_told_with_its_limit(village):
    goals = [Goal(tolerance=0.5), Goal("cost_usd", sense="least", tolerance=0.0)]
    found = prioritize_goals(village, [MONEY], goals, exact=True)
    # A in 2027 and B in 2028 avert 8 + 2.5; half of that, 5.25, takes A alone
    assert line_of(found.plan, "keep most benefit") == "8, at least 5.25 asked for"
    assert found.plan.cost_usd == 40
    plan = prioritize_goals(village, [MONEY, Complete("adm1", bonus=1.0)], goals, exact=True).plan
    assert line_of(plan, "keep what is complete").startswith("kept: ")


def test_a_notebook_shows_the_words_of_the_story_and_what_is_bonuses(village):
    village = village.assign(activity=["bac", "clearance"] * 3)
    plan = prioritize(village, [MONEY, Complete("adm1", bonus=0.25)])
    assert "bac: battle area clearance" in str(plan)
    page = plan._repr_html_()
    for line in str(plan).splitlines():
        assert html.escape(line) in page
    assert "<td>battle area clearance</td>" in page
    assert "<td>bac</td>" not in page
    assert "benefit (accidents averted)" in page
    assert "cost (USD)" in page
    assert len(plan.bonuses) > 0
    assert "bonus (counted like accidents averted)" in page
    assert "bonus" not in prioritize(village, [MONEY])._repr_html_()
