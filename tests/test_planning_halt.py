"""The money stops: by hand, against every choice, and the laws a responsible halt must keep."""

import datetime as dt
import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ccm_geo import DataError
from ccm_geo.planning import (
    ACTIVITIES,
    HALT,
    Budget,
    HaltCosts,
    LockIn,
    LockOut,
    halt,
    list_options,
    prioritize,
)
from ccm_geo.planning.money import halts as module

STOP = dt.date(2027, 3, 15)  # 73 of 365 days are gone: a fifth of the year
COSTS = HaltCosts(
    close_usd=50.0,
    mark_usd_per_m2=0.01,
    mark_risk_removed=0.2,
    eore_usd=10.0,
    eore_usd_per_person=1.0,
    eore_risk_removed=0.5,
    handover_usd=0.0,
    staff_per_team=10.0,
    weekly_pay_usd=5.0,
    notice_due_weeks=4.0,
    severance_weeks=0.0,
    restart_usd_per_team=1_000.0,
    reopen_usd=7.0,
)


def field(hazard, harm, cost, area, people, region="north"):
    """Clearance of one confirmed hazard in 2027 or 2028; harm is a year's accidents."""
    return [
        {
            "option_id": f"{hazard}:{year}",
            "hazard_id": hazard,
            "activity": "clearance",
            "year": year,
            "state_from": "confirmed",
            "state_to": "released",
            "cost_usd": cost,
            "team_months": 6.0,
            "benefit": harm * (2029 - year),
            "people": people,
            "area_m2": area,
            "adm1": region,
        }
        for year in (2027, 2028)
    ]


@pytest.fixture(scope="module")
def plan():
    """A and B are cleared in 2027, C in 2028, D never."""
    rows = [
        *field("A", 1.0, 1_000.0, 2_000.0, 100.0),
        *field("B", 0.5, 400.0, 1_000.0, 20.0),
        *field("C", 0.4, 500.0, 500.0, 10.0, "south"),
        *field("D", 0.08, 900.0, 900.0, 5.0, "south"),
    ]
    rules = [LockIn(["A", "B"], year=2027), LockIn("C", year=2028), LockOut("D"), Budget(2_000.0)]
    return prioritize(pd.DataFrame(rows), rules)


def test_hand_case_with_little_money(plan):
    stop = halt(plan, on=STOP, notice_weeks=4, money=300.0, costs=COSTS)
    # close A 70, teach at A 110, teach at B 30, teach at C 20, close B 60: 290 USD, 1.1 accidents a year
    done = stop.actions.set_index(["hazard_id", "action"])
    assert done["cost_usd"].to_dict() == {
        ("A", "close and mark"): 70.0,
        ("B", "close and mark"): 60.0,
        ("A", "risk education"): 110.0,
        ("B", "risk education"): 30.0,
        ("C", "risk education"): 20.0,
    }
    assert done["averted"].to_list() == pytest.approx([0.2, 0.1, 0.4, 0.2, 0.2])
    assert done.loc[("A", "close and mark"), "done"] == pytest.approx(0.2)
    assert (stop.harm_idle, stop.harm_left, stop.left_over) == pytest.approx((1.98, 0.88, 10.0))
    assert stop.gap == 0.0
    left = stop.exposed.set_index("hazard_id")
    assert left["harm_left"].to_dict() == pytest.approx({"A": 0.4, "B": 0.2, "C": 0.2, "D": 0.08})
    assert left["standing"].to_dict() == {
        "A": "closed and marked",
        "B": "closed and marked",
        "C": "planned, not begun",
        "D": "not in the plan",
    }
    assert stop.by_region.set_index("adm1")["people"].to_dict() == {"north": 120.0, "south": 15.0}


def test_hand_case_with_ample_money_finishes_what_is_under_way(plan):
    stop = halt(plan, on=STOP, notice_weeks=4, money=5_000.0, costs=COSTS)
    finished = stop.actions[stop.actions["action"] == "finish"]
    assert finished.set_index("hazard_id")["cost_usd"].to_dict() == {"A": 800.0, "B": 320.0}
    assert stop.harm_left == pytest.approx(0.2 + 0.04)
    assert set(stop.exposed["hazard_id"]) == {"C", "D"}


def test_staff_and_handover_come_off_first_and_what_is_missing_is_told(plan):
    # one team of 10 at 5 USD a week: 2 of 4 weeks' notice are paid, 100 USD; two files of 20 USD
    costs = replace(COSTS, handover_usd=20.0, severance_weeks=1.0)
    stop = halt(plan, on=STOP, notice_weeks=2, money=100.0, costs=costs)
    now = stop.costs[stop.costs["when"] == "now"].set_index("item")["usd"]
    assert now.to_dict() == {"pay for notice not given": 100.0, "severance": 50.0, "handover": 40.0}
    assert stop.unpaid == 90.0
    assert set(stop.actions["action"]) == {"stays open"}
    assert stop.harm_left == stop.harm_idle == pytest.approx(1.98)
    later = stop.costs[stop.costs["when"] == "at restart"].set_index("item")["usd"]
    assert later.to_dict() == {"hiring and training teams again": 1_000.0, "opening sites again": 14.0}
    assert "90 USD of that are not covered" in str(stop)


def test_on_new_years_day_nothing_is_under_way_and_last_years_work_is_done(plan):
    stop = halt(plan, on=dt.date(2028, 1, 1), notice_weeks=4, money=0.0, costs=COSTS)
    assert stop.actions.empty
    assert set(stop.exposed["hazard_id"]) == {"C", "D"}
    assert "Work is under way on 0 areas" in str(stop)


def test_survey_before_clearance_in_one_year_ends_first(plan):
    facts = pd.DataFrame(
        {"hazard_id": ["S"], "hazard_class": "SHA", "ordnance": "cluster", "area_m2": 10_000.0}
    )
    harm = pd.DataFrame({"hazard_id": "S", "year": [2027, 2028], "harm": 0.5, "people": 40.0})
    options = list_options(facts, ACTIVITIES, harm)
    rules = [LockIn("S", activity="nts", year=2027), LockIn("S", activity="bac", year=2027)]
    surveyed = prioritize(options, [*rules, LockOut("S", activity="ts"), LockOut("S", activity="eore")])
    steps = surveyed.table[surveyed.table["state_from"].astype(str) != surveyed.table["state_to"].astype(str)]
    assert steps["activity"].tolist() == ["nts", "bac"]
    nts, bac = steps["cost_usd"]
    gone = 182 / 365
    stop = halt(surveyed, on=dt.date(2027, 7, 2), notice_weeks=0, money=1e6, costs=COSTS, harm=harm)
    site = stop.actions[stop.actions["action"] == "finish"].iloc[0]
    assert site["activity"] == "bac"
    assert site["done"] == pytest.approx((gone * (nts + bac) - nts) / bac)
    assert site["averted"] == pytest.approx(0.5)


def least_harm(plan, money, costs):
    """Every site open, finished or closed, every hazard warned or not."""
    base = {
        "A": (1.0, 800.0, 70.0, 100.0),
        "B": (0.5, 320.0, 60.0, 20.0),
        "C": (0.4, 0, 0, 10.0),
        "D": (0.08, 0, 0, 5.0),
    }
    best = np.inf
    for moves in itertools.product(["open", "finish", "close"], repeat=2):
        for taught in itertools.product([False, True], repeat=4):
            cost = left = 0.0
            for (h, (harm, finish, close, people)), eore in zip(base.items(), taught, strict=True):
                move = dict(zip("AB", moves, strict=True)).get(h, "open")
                cost += {"open": 0.0, "finish": finish, "close": close}[move] + eore * (10.0 + people)
                rest = harm * {"open": 1.0, "finish": 0.0, "close": 0.8}[move]
                left += rest * (0.5 if eore else 1.0)
            if cost <= money + 1e-9:
                best = min(best, left)
    return best


@pytest.mark.parametrize("money", [0, 25, 75, 140, 300, 420, 700, 1_000, 1_130, 1_200])
def test_no_other_choice_leaves_less_harm(plan, money):
    stop = halt(plan, on=STOP, notice_weeks=4, money=money, costs=COSTS)
    assert stop.harm_left == pytest.approx(least_harm(plan, money, COSTS))
    assert stop.harm_least <= stop.harm_left + 1e-12
    spent = stop.costs.loc[stop.costs["when"] == "now", "usd"].sum()
    assert spent + stop.left_over == pytest.approx(money)


def test_more_money_never_leaves_more_harm(plan):
    left = [halt(plan, on=STOP, notice_weeks=4, money=m, costs=COSTS).harm_left for m in range(0, 1_300, 100)]
    assert all(a >= b - 1e-12 for a, b in itertools.pairwise(left))


def test_more_notice_never_costs_more_nor_leaves_more_harm(plan):
    stops = [halt(plan, on=STOP, notice_weeks=w, money=300.0, costs=COSTS) for w in (0, 1, 2, 4, 8)]
    due = [s.costs.loc[s.costs["item"] == "pay for notice not given", "usd"].iloc[0] for s in stops]
    assert due == [200.0, 150.0, 100.0, 0.0, 0.0]
    assert all(a.harm_left >= b.harm_left - 1e-12 for a, b in itertools.pairwise(stops))


def test_left_over_money_closes_sites_that_would_stay_open(plan):
    costs = replace(COSTS, mark_risk_removed=0.0, eore_risk_removed=0.0)
    stop = halt(plan, on=STOP, notice_weeks=4, money=65.0, costs=costs)
    assert stop.actions["action"].tolist() == ["close and mark", "stays open"]
    assert stop.to_close == 70.0
    assert "1 of them stay as they are; to close and mark them takes 70 USD more (A)." in str(stop)
    assert stop.harm_left == pytest.approx(1.98)


def test_story_names_day_places_people_and_never_calls_land_safe(plan):
    stop = halt(plan, on=STOP, notice_weeks=4, money=200.0, costs=COSTS)
    story = str(stop)
    assert story.startswith("On 15 March 2027 the money stops, with 4 weeks' notice and 200 USD to stop.")
    assert "Start risk education at once near" in story
    assert "Left exposed: 135 people near 4 areas" in story
    assert "No other use of the money would leave less (proven)." in story
    assert "Only the national authority releases land" in story
    assert "safe" not in story.lower()
    assert "PLACEHOLDER" not in story
    assert stop.placeholder is False


def test_placeholders_are_flagged_in_story_and_notes(plan):
    stop = halt(plan, on=STOP, notice_weeks=4, money=200.0, costs=HALT)
    assert stop.placeholder
    assert "PLACEHOLDER NUMBERS" in str(stop)
    assert any("close_usd" in n.text for n in stop.notes)
    table = HALT.table()
    assert table["placeholder"].all()
    assert (table["source"] == "No source found; a placeholder").all()


def test_people_and_harm_that_are_not_known_stay_unknown(plan):
    options = plan.options.drop(columns="people")
    again = prioritize(options, plan.rules)
    stop = halt(again, on=STOP, notice_weeks=4, money=500.0, costs=COSTS)
    assert "risk education" not in set(stop.actions["action"])
    assert any("people near 4 hazards are not known" in n.text for n in stop.notes)
    partial = pd.DataFrame({"hazard_id": ["A", "B"], "year": 2027, "harm": [2.0, 1.0], "people": 10.0})
    stop = halt(plan, on=STOP, notice_weeks=4, money=0.0, costs=COSTS, harm=partial)
    left = stop.exposed.set_index("hazard_id")["harm_left"]
    assert left[["A", "B"]].tolist() == [2.0, 1.0]
    assert left[["C", "D"]].isna().all()
    assert any("harm of 2 hazards is not known" in n.text for n in stop.notes)


def test_large_halts_bring_a_proven_gap(plan, monkeypatch):
    monkeypatch.setattr(module, "_EXACT_UP_TO", 0)
    stop = halt(plan, on=STOP, notice_weeks=4, money=300.0, costs=COSTS)
    assert stop.harm_least <= stop.harm_left
    assert stop.gap < 0.01


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"on": dt.date(2030, 1, 1)}, "outside the plan's years, 2027 to 2028"),
        ({"on": "2027-03-15"}, "on must be a date"),
        ({"money": -1.0}, "money must be a number of 0 or more"),
        ({"notice_weeks": float("nan")}, "notice_weeks must be"),
    ],
)
def test_a_halt_that_cannot_be_is_refused(plan, change, message):
    given = {"on": STOP, "notice_weeks": 4, "money": 300.0, "costs": COSTS} | change
    with pytest.raises(DataError, match=message):
        halt(plan, **given)


def test_costs_that_cannot_be_are_all_named():
    with pytest.raises(DataError, match="2 of its values") as caught:
        replace(COSTS, mark_risk_removed=1.2, close_usd=-1.0)
    assert len(caught.value.failures) == 2


def test_inputs_are_not_changed(plan):
    before = plan.table.copy(), plan.options.copy()
    halt(plan, on=STOP, notice_weeks=4, money=300.0, costs=COSTS)
    pd.testing.assert_frame_equal(plan.table, before[0])
    pd.testing.assert_frame_equal(plan.options, before[1])


def test_hazards_without_people_are_not_told_as_harmless(plan):
    empty = pd.DataFrame(field("E", 0.0, 100.0, 100.0, 0.0))
    again = prioritize(pd.concat([plan.options, empty], ignore_index=True), plan.rules)
    stop = halt(again, on=STOP, notice_weeks=4, money=0.0, costs=COSTS)
    assert "E" not in set(stop.exposed["hazard_id"])
    assert stop.uncounted == 1
    assert "1 more area is hazardous though nobody is counted near them." in str(stop)


ASKED = {"on": STOP, "notice_weeks": 4, "money": 300.0, "costs": COSTS}
HARM = pd.DataFrame({"hazard_id": ["A"], "year": [2028], "harm": [1.0]})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"harm": HARM.drop(columns="hazard_id")}, "harm has no column 'hazard_id'"),
        ({"harm": HARM.drop(columns="harm")}, "harm has no column 'harm'"),
        ({"harm": HARM}, "harm has no rows for 2027"),
        ({"costs": None}, "costs must be HaltCosts"),
        ({"costs": {"close_usd": 5.0}}, "costs must be HaltCosts"),
        ({"money": "45000"}, "money must be a number"),
        ({"plan": object()}, "plan must be a plan from prioritize"),
    ],
)
def test_halt_that_cannot_be_read_is_refused_by_name(plan, change, said):
    with pytest.raises(DataError, match=said):
        halt(change.get("plan", plan), **(ASKED | {k: v for k, v in change.items() if k != "plan"}))


def test_cost_of_a_halt_in_words_is_refused_by_name():
    with pytest.raises(DataError, match="close_usd 'x': give a number, in USD per site"):
        replace(COSTS, close_usd="x")
