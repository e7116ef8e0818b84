"""What rules refuse and what they count: fractions of a cent, years, regions, values that are none."""

import re

import numpy as np
import pandas as pd
import pytest

from ccm_geo import DataError, PlanError
from ccm_geo.planning import (
    After,
    Budget,
    Capacity,
    Compact,
    Complete,
    Deadline,
    Donors,
    Finish,
    Goal,
    Grant,
    LockIn,
    LockOut,
    Share,
    moving_teams,
    prioritize,
    priority_curve,
    visiting_teams,
)


def fields():
    """Five fields in two districts over three years."""
    table = pd.DataFrame(
        [
            ("A", "north", 0.30, 60_000.0, 6.0),
            ("B", "north", 0.20, 50_000.0, 4.0),
            ("C", "north", 0.10, 40_000.0, 4.0),
            ("D", "south", 0.08, 40_000.0, 3.0),
            ("E", "south", 0.05, 30_000.0, 2.0),
        ],
        columns=["hazard_id", "adm1", "a_year", "cost_usd", "team_months"],
    )
    years = pd.DataFrame({"year": [2027, 2028, 2029]})
    return table.merge(years, how="cross").assign(
        option_id=lambda t: t["hazard_id"] + " " + t["year"].astype(str),
        activity="clearance",
        state_from="confirmed",
        state_to="released",
        benefit=lambda t: t["a_year"] * (2030 - t["year"]),
    )


# --- fractions of a cent


def test_costs_in_fractions_of_a_cent_fill_a_budget():
    seven = pd.DataFrame(
        {"option_id": list("abcdefg"), "cost_usd": [1000 / 7] * 7, "benefit": np.arange(1.0, 8)}
    )
    assert len(prioritize(seven, [Budget(1000)]).table) == 7


@pytest.mark.parametrize("seed", range(12))
def test_tight_budgets_pass_their_own_check_whatever_the_cents(seed):
    rng = np.random.default_rng(seed)
    table = fields().assign(cost_usd=lambda t: 1000 / rng.integers(3, 60, len(t)))
    first = float(table.groupby("hazard_id")["cost_usd"].min().sample(3, random_state=seed).sum())
    for rule in (Budget(first), Budget({2027: first, 2028: first / 3}, carry_over=True)):
        plan = prioritize(table, [rule], exact=True)
        assert rule.faults(plan.table, table) == []
        assert plan.table["cost_usd"].sum() <= first * 4 / 3 + 1e-6
    assert priority_curve(table, [], amounts=[first / 2, first]).table["benefit"].is_monotonic_increasing


def test_a_cent_too_much_is_a_fault_and_less_than_half_of_one_is_rounding():
    spent = pd.DataFrame({"cost_usd": [500.0, 500.01], "year": 2027})
    assert Budget(1000).faults(spent, spent) == ["Budget: 1,000.01 of 1,000.00"]
    assert Budget(1000.004).faults(spent, spent) == ["Budget: 1,000.01 of 1,000.00"]
    assert Budget(1000.01).faults(spent, spent) == []
    assert Budget(1000).faults(spent.assign(cost_usd=[500.0, 500.004]), spent) == []


# --- teams of years and regions that match nothing


def test_years_of_teams_may_be_text():
    text = Capacity({"north": {"2028": 7, "2027": 12}, "south": 5})
    assert text == Capacity({"north": {2027: 12, 2028: 7}, "south": 5})
    assert Capacity({"2027": 12}, by=None) == Capacity({2027: 12}, by=None)


@pytest.mark.parametrize(
    ("teams", "message"),
    [
        (lambda: Capacity({"north": {2037: 12}, "south": 5}), "Capacity north: there are no options in 2037"),
        (lambda: Capacity({2037: 12}, by=None), "no options in 2037; options cover 2027 to 2029"),
        (lambda: Capacity({"north": {"next": 12}}), "'next' is no calendar year"),
        (lambda: Capacity({"north": {2027: 1, "2027": 2}}), "a year stands there twice"),
    ],
)
def test_teams_of_years_that_match_nothing_are_refused(teams, message):
    with pytest.raises(DataError, match=re.escape(message)):
        prioritize(fields(), [teams()])


def test_teams_by_year_need_options_with_years():
    table = fields().query("year == 2027").drop(columns="year")
    with pytest.raises(DataError, match="no column 'year'; give one amount"):
        prioritize(table, [Capacity({"north": {2027: 12}})])
    plan = prioritize(table, [Capacity({"north": 6})])
    assert prioritize(table, plan.rules).table["hazard_id"].tolist() == ["A"]


# --- hazards of no region


def test_hazards_of_no_region_have_no_teams_and_a_note_says_so():
    table = fields().assign(adm1=lambda t: t["adm1"].where(t["hazard_id"] != "A"))
    plan = prioritize(table, [Budget(1e6), Capacity({"north": 0, "south": 0})])
    assert plan.table.empty
    (note,) = [n for n in plan.notes if "name no adm1" in n.text]
    assert note.rows == ("A",)
    assert "they cannot be planned; fill in adm1 of A" in note.text
    teams = Capacity({"north": 12, "south": 12})
    assert set(prioritize(table, [teams]).table["hazard_id"]) == {"B", "C", "D", "E"}
    (fitted,) = prioritize(table, [teams]).rules
    assert fitted.faults(table[table["option_id"] == "A 2027"], table) == [
        "Capacity: 6.00 where no adm1 is named"
    ]


def test_hazards_of_no_region_are_free_where_they_take_no_work_or_teams_work_everywhere():
    table = fields().assign(adm1=lambda t: t["adm1"].where(t["hazard_id"] != "A"))
    assert "A" in set(prioritize(table, [Capacity(30, by=None)]).table["hazard_id"])
    idle = table.assign(team_months=lambda t: t["team_months"].where(t["hazard_id"] != "A", 0.0))
    plan = prioritize(idle, [Capacity({"north": 0, "south": 0})])
    assert plan.table["hazard_id"].tolist() == ["A"]
    assert not [n for n in plan.notes if "name no adm1" in n.text]


def test_a_promise_on_a_hazard_of_no_region_names_its_teams():
    table = fields().assign(adm1=lambda t: t["adm1"].where(t["hazard_id"] != "A"))
    with pytest.raises(PlanError, match="without adm1"):
        prioritize(table, [Capacity(12), LockIn("A")])


# --- teams that move


@pytest.mark.parametrize(
    "teams",
    [
        {"north": 12, "south": {2027: 12}},
        {"north": {2028: 6}, "south": 2},
        {"north": 4, "south": {"2027": 3, "2029": 3}},
        {"north": 12},
    ],
)
@pytest.mark.parametrize("season", [None, 6])
def test_teams_that_may_travel_never_do_less_than_at_home(teams, season):
    both = visiting_teams(fields(), usd_per_team_month=100.0)
    at_home = prioritize(fields(), [Capacity(teams, season=season)], exact=True)
    moving = prioritize(both, moving_teams(teams, season=season), exact=True)
    assert moving.benefit >= at_home.benefit - 1e-9


def test_all_teams_together_are_those_of_the_year_and_those_of_every_year():
    both = visiting_teams(fields(), usd_per_team_month=100.0)
    plan = prioritize(both, moving_teams({"north": 12, "south": {2027: 12}}))
    assert plan.rules[1].amount == {"": {2027: 24.0, 2028: 12.0, 2029: 12.0}}
    assert prioritize(both, plan.rules).benefit == plan.benefit


def test_a_region_without_own_teams_is_not_said_to_see_no_work():
    both = visiting_teams(fields(), usd_per_team_month=100.0)
    plan = prioritize(both, moving_teams({"south": 12}))
    assert "north" in set(plan.table["adm1"])
    (note,) = [n.text for n in plan.notes if "names no teams for" in n.text]
    assert note == "Teams at home names no teams for north: no work with teams own is planned there"


def test_moving_teams_go_by_region():
    for amount in (12, {}):
        with pytest.raises(DataError, match="give team-months by region"):
            moving_teams(amount)
    with pytest.raises(DataError, match="usd_per_team_month must be a number of 0 or more, not '5'"):
        visiting_teams(fields(), usd_per_team_month="5")


# --- shares that leave nothing


@pytest.mark.parametrize(
    ("share", "message"),
    [
        (lambda: Share("adm1", at_most=0.3), "ceilings for all 2 values of adm1 add up to 60%"),
        (lambda: Share("adm1", at_most={"north": 0.5, "south": 0.4}), "at_most=0.5 or more for each"),
        (
            lambda: Share("adm1", at_least={"south": 0.4}, at_most={"south": 0.3}),
            "south is to get at least 0.4 and at most 0.3",
        ),
        (lambda: Share("adm1", at_most=0.9, where={"adm1": "north"}), "ceilings for all 1 values"),
    ],
)
def test_shares_that_only_an_empty_plan_keeps_are_refused(share, message):
    with pytest.raises(PlanError) as error:
        prioritize(fields(), [Budget(150_000), share()])
    assert message in " ".join([str(error.value), *error.value.cures])


def test_ceilings_that_leave_room_are_kept():
    for share in (Share("adm1", at_most={"north": 0.6}), Share("adm1", at_most=0.6)):
        plan = prioritize(fields(), [Budget(150_000), share])
        spent = plan.table.groupby("adm1")["cost_usd"].sum()
        assert spent["north"] <= 0.6 * spent.sum() + 0.01
    blank = fields().assign(adm1=lambda t: t["adm1"].where(t["hazard_id"] != "E"))
    assert len(prioritize(blank, [Share("adm1", at_most=0.3)]).table)  # E counts in the total only


# --- what comes last, and first


def test_a_last_year_needs_options_with_years():
    table = fields().query("year == 2027").drop(columns="year")
    with pytest.raises(
        DataError, match="Finish A by 1999: by= is a year but the options have no column 'year'"
    ):
        prioritize(table, [Finish("A", by=1999)])


def test_what_waits_for_a_hazard_that_is_never_released_is_named():
    marking = (
        fields().query("hazard_id == 'A'").assign(activity="marking", state_to="confirmed", benefit=0.01)
    )
    table = pd.concat([marking, fields().query("hazard_id != 'A'")], ignore_index=True)
    plan = prioritize(table, [Budget(1e6), After("A", ["B", "C"])])
    assert not {"B", "C"} & set(plan.table["hazard_id"])
    (note,) = [n for n in plan.notes if n.text.startswith("After A")]
    assert "no option brings A to the last state (done, or not offered), so 2 hazards" in note.text
    assert note.rows == ("B", "C")
    assert not [n for n in prioritize(fields(), [After("A", "B")]).notes if n.text.startswith("After")]


def test_a_hazard_named_on_both_sides_waits_for_the_others_and_not_for_itself():
    both = prioritize(fields(), [After("A", ["A", "B"])], exact=True)
    assert both.benefit == prioritize(fields(), [After("A", "B")], exact=True).benefit
    half = fields().query("hazard_id == 'A' and year == 2027")
    survey = half.assign(option_id="survey of A", activity="ts", state_to="surveyed", benefit=9.0)
    rest = half.assign(option_id="rest of A", state_from="surveyed", year=2029)
    table = pd.concat([fields(), survey, rest], ignore_index=True)
    plan = prioritize(table, [After("A", ["A", "B"]), LockOut("A", activity="clearance")], exact=True)
    assert "survey of A" in set(plan.table["option_id"])
    assert "B" not in set(plan.table["hazard_id"])


def test_donors_refuse_costs_that_cents_cannot_be_counted_for():
    told = "Donors: option 'A 2027' costs 1e\\+17, more than cents are counted for"
    with pytest.raises(DataError, match=told):
        prioritize(fields().assign(cost_usd=1e17), [Donors(Grant("State", 1e6))])


def test_a_hazard_may_wait_for_columns_with_values():
    rule = After({"adm1": "south"}, "A")
    money = Budget({2027: 60_000, 2028: 60_000, 2029: 0})
    plan = prioritize(fields(), [money, rule], exact=True)
    when = plan.table.set_index("hazard_id")["year"]
    assert when["A"] == 2028
    assert plan.table.loc[plan.table["adm1"] == "south", "year"].min() == 2027
    assert rule.faults(fields().query("option_id == 'A 2027'"), fields()) == [
        "After adm1 south: 'A 2027' comes before it"
    ]


# --- values that are none


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Budget({"north": 5}), "Budget: 'north' is no calendar year"),
        (lambda: Budget({}), "amounts must be numbers of 0 or more"),
        (lambda: Budget(True), "amounts must be numbers of 0 or more, not True"),
        (lambda: Budget(1.0, carry_over="no"), "carry_over is True or False, not 'no'"),
        (lambda: Budget(1e5, where="north"), "where= names columns with their values, not 'north'"),
        (lambda: Budget(1e5, where=[("adm1", "north")]), "for example where={'adm1': ['P01', 'P02']}"),
        (lambda: Budget(1e5, of="adm1"), "column 'adm1' of the options does not hold numbers"),
        (lambda: Budget(1e5, of=["cost_usd"]), "of is the name of one column"),
        (lambda: Donors(Grant("a", {"first": 5})), "Grant a: 'first' is no calendar year"),
        (lambda: Donors(Grant("a", 1.0, where="north")), "Grant a: where= names columns"),
        (lambda: Donors(Grant("a", 1.0, carry_over="no")), "Grant a: carry_over is True or False"),
        (lambda: Donors(Grant("a", True)), "Grant a: amounts must be numbers"),
        (lambda: Donors(Grant("a", 1e17)), "Grant a: 1e+17 is more than cents are counted for"),
        (lambda: Capacity(5, season="6"), "a season has more than 0 and at most 12 months, not '6'"),
        (lambda: Capacity(5, of="adm1"), "column 'adm1' of the options does not hold numbers"),
        (lambda: Capacity(5, by=["adm1"]), "by is the name of one column"),
        (lambda: After("A", "A"), "first and then are the same"),
        (lambda: After("A", ("A", "A")), "first and then are the same"),
        (lambda: After({"hazard_id": ["A", "B"]}, {"hazard_id": "A"}), "then names no other options"),
        (lambda: After("A", []), "After: then names nothing"),
        (lambda: After(5, "A"), "After: first is 5; give one hazard id as text, or several in a list"),
        (lambda: LockIn(5), "LockIn: hazards is 5; give one hazard id"),
        (lambda: LockIn(None), "LockIn: hazards is None; give one hazard id"),
        (lambda: LockOut({"adm1": "north"}), "LockOut: hazards is {'adm1': 'north'}"),
        (lambda: LockOut("A", year=[2027, 2028]), "year is one calendar year, for example 2027, not [2027"),
        (lambda: Finish(5), "Finish: hazards is 5"),
        (lambda: Finish("A", by="2028"), "Finish: by is one calendar year, for example 2027, not '2028'"),
        (lambda: Deadline("2029"), "Deadline: year is one calendar year"),
        (lambda: Deadline(2029, share="0.7"), "share goes from 0 to 1, not '0.7'"),
        (lambda: Deadline(2029, where="north"), "Deadline 2029: where= names columns"),
        (lambda: Share("adm1", at_least="0.2"), "shares go from 0 to 1; at_least is '0.2'"),
        (lambda: Share(["adm1"], at_least=0.1), "Share: column is the name of one column"),
        (lambda: Share("adm1", at_least=0.1, where="north"), "Share of adm1: where= names columns"),
        (lambda: Compact(("D", "E"), worth=0.1), "'D' is no pair of two hazards; pairs are a list such as"),
        (lambda: Compact([("D",)], worth=0.1), "('D',) is no pair of two hazards"),
        (lambda: Compact(5, worth=0.1), "5 is no pair of two hazards"),
        (lambda: Compact([("D", "E", "x")], worth=0.1), "('D', 'E', 'x') is no pair of two hazards"),
        (lambda: Compact([("D", "E")], worth=0.1, where="x"), "Compact: where= names columns"),
        (lambda: Complete("adm1", bonus=1, by_year=[1, 0.8]), "for example {2027: 1, 2028: 0.8}, not [1"),
        (lambda: Complete(["adm1"], bonus=1), "Complete: column is the name of one column"),
        (lambda: Goal(tolerance="0.1"), "tolerance is a share from 0 to 1, not '0.1'"),
    ],
)
def test_values_that_are_none_are_refused_with_the_cure(make, message):
    with pytest.raises(DataError, match=re.escape(message)):
        prioritize(fields(), [make()])


def surveyed_then_cleared(**columns):
    """One area of 100 m2: survey cancels 40, the 60 that are left are cleared a year later."""
    table = {
        "option_id": ["survey", "clear"],
        "hazard_id": "h",
        "year": [2027, 2028],
        "state_from": ["suspected", "confirmed"],
        "state_to": ["confirmed", "released"],
        "cost_usd": [1.0, 2.0],
        "benefit": [1.0, 3.0],
        "area_m2": [100.0, 60.0],
        "cancelled_m2": [40.0, 0.0],
        "reduced_m2": 0.0,
        "cleared_m2": [0.0, 60.0],
        "left_m2": [60.0, 0.0],
    }
    return pd.DataFrame(table | columns)


def test_areas_that_contradict_each_other_between_rows_are_refused_with_both_rows():
    table = surveyed_then_cleared(area_m2=[100.0, 50.0], cleared_m2=[0.0, 50.0])
    said = (
        r"options: row 2, area_m2 is 50\.0, but row 1 leaves left_m2 60\.0 of the same hazard 'h' in state "
        "'confirmed'; make the two agree, or drop the column left_m2 where it is not known"
    )
    for order in (table, table.set_axis([7, 9]), table.drop(columns="year")):
        with pytest.raises(DataError, match=said):
            prioritize(order, [Budget(10)])
    with pytest.raises(DataError, match=r"row 1, area_m2 is 50\.0, but row 2 leaves"):
        prioritize(table[::-1], [Budget(10)])


def test_risk_education_that_names_another_area_than_survey_left_is_refused():
    table = surveyed_then_cleared()
    same = {"option_id": "eore", "state_from": "confirmed", "cleared_m2": 0.0, "benefit": 0.1, "year": 2027}
    wrong = table.iloc[[1]].assign(**same, state_to="confirmed", area_m2=70.0, left_m2=70.0)
    with pytest.raises(DataError, match=r"row 3, area_m2 is 70\.0, but row 1 leaves left_m2 60\.0"):
        prioritize(pd.concat([table, wrong]), [Budget(10)])
    right = wrong.assign(area_m2=60.0, left_m2=60.0)
    assert len(prioritize(pd.concat([table, right]), [Budget(10)]).table) == 3


def test_areas_of_rows_that_no_plan_holds_one_after_the_other_may_differ():
    """Clearance at once works on more than clearance after survey; of survey in 2029 nothing follows."""
    table = surveyed_then_cleared()
    at_once = table.iloc[[1]].assign(
        option_id="at once", state_from="suspected", area_m2=100.0, cleared_m2=100.0
    )
    late = table.iloc[[0]].assign(option_id="late", year=2029, cancelled_m2=10.0, left_m2=90.0)
    plan = prioritize(pd.concat([table, at_once, late]), [Budget(10)])
    assert plan.benefit == 4


def test_areas_below_nothing_are_refused():
    table = surveyed_then_cleared(cancelled_m2=[160.0, 0.0], left_m2=[-60.0, 0.0])
    with pytest.raises(DataError, match=r"row 1, left_m2 -60\.0 is below 0; give areas of 0 or more"):
        prioritize(table, [Budget(10)])
