"""What floors hold back: a region that can do little keeps the whole plan small, and it is told."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ccm_geo.planning import (
    Budget,
    Capacity,
    Complete,
    Donors,
    Grant,
    LockOut,
    Share,
    prioritize,
)
from ccm_geo.planning.engine.solve import solve
from ccm_geo.planning.floors import stopped
from ccm_geo.planning.listing import Listing
from ccm_geo.planning.model import build

MONEY = Budget({2027: 60_000, 2028: 60_000})


@pytest.fixture(scope="module")
def districts():
    """Ten fields in the north, four in the south, each of 10,000 USD and two team-months."""
    fields = [("north", i) for i in range(10)] + [("south", i) for i in range(4)]
    return pd.DataFrame(
        [
            {
                "option_id": f"{district}{i}.{year}",
                "hazard_id": f"{district}{i}",
                "adm1": district,
                "year": year,
                "activity": "clearance",
                "cost_usd": 10_000.0,
                "team_months": 2.0,
                "benefit": (1 + i / 10) * (2029 - year),
                "people": 50.0,
            }
            for district, i in fields
            for year in (2027, 2028)
        ]
    )


def told(plan):
    return [note.text for note in plan.notes if "the whole plan is held to" in note.text]


def test_teams_of_one_region_and_its_floor_hold_the_whole_plan_and_it_is_told(districts):
    """One field a year in the south is 20,000 USD; that is 30 % of 66,667."""
    rules = [MONEY, Capacity({"north": 24, "south": 2}), Share("adm1", at_least={"south": 0.3})]
    plan = prioritize(districts, rules, exact=True)
    assert plan.cost_usd == 60_000
    (text,) = told(plan)
    assert text == (
        "Share of adm1: south can take 20,000 USD at most (Capacity), and that must be 30.00% of the whole: "
        "the whole plan is held to 66,667 USD at most, where the other rules allow up to 120,000; lower the "
        "floor to about 16.66%, or raise the teams there"
    )
    assert text in str(plan)


def test_the_floor_that_is_named_as_cure_holds_nothing_back(districts):
    rules = [MONEY, Capacity({"north": 24, "south": 2}), Share("adm1", at_least={"south": 0.1666})]
    plan = prioritize(districts, rules, exact=True)
    assert plan.cost_usd == 120_000
    assert told(plan) == []


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (LockOut(["south0", "south1", "south2"]), r"10,000 USD at most \(LockOut south0.*held to 33,333 USD"),
        (
            Donors(
                Grant("North", {2027: 60_000, 2028: 40_000}, where={"adm1": "north"}),
                Grant("Pool", {2027: 10_000}),
            ),
            r"10,000 USD at most \(Donors\).*held to 33,333 USD",
        ),
        (
            Budget(10_000, where={"adm1": "south"}, name="South fund"),
            r"10,000 USD at most \(South fund\).*held to 33,333 USD",
        ),
    ],
)
def test_what_keeps_a_region_from_its_floor_is_named(districts, rule, words):
    plan = prioritize(districts, [MONEY, rule, Share("adm1", at_least={"south": 0.3})], exact=True)
    assert plan.cost_usd <= 33_334
    (text,) = told(plan)
    assert re.search(words, text)
    assert re.search(r"lower the floor to about (9\.09|10\.00)%, or let more be done there$", text)


def test_a_region_that_can_do_nothing_is_named_where_the_plan_ends_empty(districts):
    shut = LockOut([f"south{i}" for i in range(4)])
    plan = prioritize(districts, [MONEY, shut, Share("adm1", at_least={"south": 0.3})])
    assert plan.table.empty
    (text,) = told(plan)
    assert "south can take 0 USD at most (LockOut" in text
    assert text.endswith("drop the floor, or let more be done there")


def test_floors_that_hold_nothing_back_are_not_told(districts):
    assert told(prioritize(districts, [MONEY, Share("adm1", at_least={"south": 0.3})])) == []
    small = Capacity({"north": 2, "south": 2})  # teams are short everywhere
    assert told(prioritize(districts, [small, Share("adm1", at_least={"south": 0.5})])) == []


def test_floors_in_people_are_told_in_people(districts):
    rules = [MONEY, Capacity({"north": 24, "south": 2}), Share("adm1", at_least={"south": 0.3}, of="people")]
    (text,) = told(prioritize(districts, rules, exact=True))
    assert "south can take 100 people at most (Capacity), and that must be 30.00% of the whole" in text
    assert "held to 333 people at most, where the other rules allow up to 600" in text


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("linear", [True, False])
def test_no_plan_spends_more_than_it_is_said_to_be_held_to(seed, linear, monkeypatch):
    """Small tables are bounded by a linear program, large ones by prices; both hold."""
    from ccm_geo.planning import floors  # noqa: PLC0415 - changed in this test only

    monkeypatch.setattr(floors, "_LINEAR_UP_TO", 5_000 if linear else 0)
    rng = np.random.default_rng(seed)
    rows = [
        {
            "option_id": f"{h}.{year}.{kind}",
            "hazard_id": f"h{h}",
            "adm1": "south" if h % 3 == 0 else "north",
            "village": f"v{h // 4}",
            "year": year,
            "activity": kind,
            "cost_usd": float(rng.integers(5, 50)) * 1_000,
            "team_months": float(rng.uniform(1, 6)),
            "benefit": float(rng.uniform(0.1, 1)),
        }
        for h in range(30)
        for year in (2027, 2028)
        for kind in ("clearance", "bac")
    ]
    teams = Capacity({"north": 60, "south": 2})
    rules = [Budget(6e5), teams, Share("adm1", at_least={"south": 0.5}), Complete("village", bonus=0.2)]
    plan = prioritize(pd.DataFrame(rows), rules, gap=0.01, seconds=5)
    texts = told(plan)
    assert texts or not linear
    for text in texts:
        held = float(re.search(r"held to ([\d,]+) USD", text)[1].replace(",", ""))
        assert plan.cost_usd <= held + 1


def test_an_empty_plan_that_is_not_proven_is_not_blamed_on_the_floors(districts):
    rules = (MONEY, Share("adm1", at_least={"south": 0.3}))
    listing = Listing.of(districts)
    found = solve(build(listing, rules), gap=0.0, seconds=5)
    empty = replace(found, taken=found.taken & False, benefit=0.0)
    (note,) = stopped(listing, rules, empty, 5.0)
    assert note.text.startswith(
        "no plan but one that does nothing was found in 5 seconds, and none was ruled out"
    )
    (proven,) = stopped(listing, rules, replace(empty, bound=0.0), 5.0)
    assert proven.text.startswith("nothing is planned because of Share of adm1")


def test_the_story_of_an_empty_plan_says_that_nothing_can_be_done_only_where_it_is_proven(districts):
    shut = LockOut([f"south{i}" for i in range(4)])
    plan = prioritize(districts, [MONEY, shut, Share("adm1", at_least={"south": 0.3})])
    assert "nothing can be done under these rules." in str(replace(plan, bound=0.0))
    assert "that none can be planned under these rules is not proven." in str(replace(plan, bound=1.0))
