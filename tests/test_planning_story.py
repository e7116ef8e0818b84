"""The story tells, in one line each, who pays, what is ended by when, and which teams are short."""

import re

import pandas as pd
import pytest

from ccm_geo.planning import (
    Budget,
    Capacity,
    Deadline,
    Donors,
    Finish,
    Grant,
    LockOut,
    prioritize,
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
    assert line_of(plan, "Budget up to 2027").startswith("40 of 60 used")
    assert line_of(plan, "Budget up to 2028").startswith("40 of 70 used; another 1 would bring about 0.0")
    first, second = (float(p) for p in re.findall(r"would bring about ([\d.]+) more", str(plan)))
    assert first >= second > 0


def test_donors_are_told_by_what_each_pays(village):
    norway = Grant("Norway", 50.0, where={"adm1": "south"})
    plan = prioritize(village, [Donors(norway, Grant("Fund", 100.0))])
    assert (
        line_of(plan, "Donors") == "Norway pays 40 of 50, Fund pays 80 of 100; more of it would bring nothing"
    )


def test_a_grant_that_is_short_is_named_with_what_more_of_it_brings(village):
    short = Grant("Fund", 60.0)
    plan = prioritize(village, [Donors(Grant("Norway", 40.0, where={"adm1": "south"}), short)])
    assert "Fund pays 40 of 60; another 1 from Fund would bring about" in line_of(plan, "Donors")


def test_grants_that_are_short_together_are_told_with_or(village):
    grants = [Grant("Norway", 30.0, where={"adm1": "north"}), Grant("Fund", 30.0)]
    assert "another 1 from Norway or Fund would bring" in line_of(
        prioritize(village, [Donors(*grants)]), "Donors"
    )


def test_with_two_sets_of_donors_only_what_is_short_is_told(village):
    rules = [Donors(Grant("A", 200.0), name="Cash"), Donors(Grant("B", 200.0), name="Pledges")]
    plan = prioritize(village, rules)
    assert line_of(plan, "Cash") == line_of(plan, "Pledges") == "more of it would bring nothing"


def test_many_grants_are_told_in_one_line(village):
    plan = prioritize(village, [Donors(*(Grant(f"Donor {i}", 100.0 - i) for i in range(9)))])
    assert "Donor 5 pays" in line_of(plan, "Donors")
    assert "Donor 6 pays" not in line_of(plan, "Donors")
    assert ", 3 more grants; " in line_of(plan, "Donors")


def test_a_deadline_that_the_best_plan_keeps_costs_nothing(village):
    plan = prioritize(village, [MONEY, Deadline(2028, share=0.6)])
    assert line_of(plan, "Deadline 2028") == (
        "2 ha released in time, 1.8 asked for; costs nothing, the best plan keeps it anyway"
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
    assert line_of(short, "Capacity north 2027").startswith("4.0 of 6.0 used; one more would bring about")


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
    assert "Budget 2027: 0 of 60 used" in str(plan)
