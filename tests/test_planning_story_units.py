"""No number of the story stands without its unit, and floors and ceilings are told for what they are."""

import pandas as pd
import pytest

from ccm_geo.planning import Budget, Complete, Deadline, Share, prioritize


@pytest.fixture(scope="module")
def fields():
    """Six fields of one hectare: three in the north avert more than three in the south; 10 people each."""
    rows = [
        {
            "option_id": f"{region}{i}",
            "hazard_id": f"{region}{i}",
            "activity": "clearance",
            "year": 2027,
            "state_now": "confirmed",
            "state_from": "confirmed",
            "state_to": "released",
            "cost_usd": 100.0,
            "team_months": 1.0,
            "benefit": averted - i / 10,
            "people": 10.0,
            "area_m2": 10_000.0,
            "cancelled_m2": 0.0,
            "reduced_m2": 0.0,
            "cleared_m2": 10_000.0,
            "left_m2": 0.0,
            "adm1": region,
        }
        for region, averted in (("north", 4.0), ("south", 1.0))
        for i in range(3)
    ]
    return pd.DataFrame(rows)


def lines(plan, begin):
    return [line.strip() for line in str(plan).splitlines() if line.strip().startswith(begin)]


def test_a_floor_costs_and_a_ceiling_would_bring(fields):
    floor = prioritize(fields, [Budget(330.0), Share("adm1", at_least={"south": 0.4})], exact=True)
    (told,) = lines(floor, "Share of adm1 south")
    assert ": binds; 1 % more of the money for it costs " in told
    ceiling = prioritize(fields, [Budget(330.0), Share("adm1", at_most={"north": 0.6})], exact=True)
    (told,) = lines(ceiling, "Share of adm1 north")
    assert ": binds; 1 % more of the money for it would bring " in told


def test_a_share_of_people_or_land_is_told_in_people_or_land(fields):
    for of, what in (("people", "the people near land released"), ("area", "the land released")):
        plan = prioritize(fields, [Budget(330.0), Share("adm1", at_least={"south": 0.4}, of=of)], exact=True)
        (told,) = lines(plan, "Share of adm1 south")
        assert f"1 % more of {what} for it costs " in told
        cost = float(told.split(" costs ")[1].split()[0])
        assert 0 < cost < plan.benefit  # 1 % of 30 people, not of 300 USD


def test_a_region_with_floor_and_ceiling_has_two_names(fields):
    both = Share("adm1", at_least={"south": 0.1}, at_most={"south": 0.9, "north": 0.9})
    plan = prioritize(fields, [Budget(330.0), both], exact=True)
    rows = ["Share of adm1 south", "Share of adm1 south, ceiling", "Share of adm1 north, ceiling"]
    assert sorted(plan.use.loc[plan.use["rule"] == "Share of adm1", "row"]) == sorted(rows)


def test_money_is_told_in_dollars_and_other_limits_in_their_unit(fields):
    plan = prioritize(fields, [Budget(330.0), Budget(25.0, of="people", name="Reach")], exact=True)
    (money,) = lines(plan, "Budget:")
    (people,) = lines(plan, "Reach:")
    assert money.startswith("Budget: 200 of 330 USD used")
    assert people.startswith("Reach: 20 of 25 people used; another 1 people would bring about ")


def test_a_deadline_in_hectares_names_them_twice(fields):
    plan = prioritize(fields, [Budget(330.0), Deadline(2027, share=0.5)], exact=True)
    assert lines(plan, "Deadline 2027: 3 ha released in time, 3 ha asked for")


def test_a_bonus_is_worth_what_its_rule_says_in_the_unit_of_the_benefit(fields):
    plan = prioritize(fields, [Budget(330.0), Complete("adm1", bonus=0.5)], exact=True)
    (told,) = lines(plan, "Complete adm1")
    assert told == "Complete adm1: 1 of them, worth 0.5 accidents averted more, as the rule puts it."


def test_the_story_ends_with_where_the_plan_leaves_the_land(fields):
    plan = prioritize(fields, [Budget(330.0)], exact=True)
    assert lines(plan, "At the end") == ["At the end of 2027: 3 hazards released."]
    survey = fields[fields["hazard_id"].isin(["south0", "south1"])].assign(
        option_id=lambda t: t["hazard_id"] + " first",
        activity=["nts", "marking"],
        state_now="suspected",
        state_from="suspected",
        state_to=["confirmed", "suspected"],
        cost_usd=1.0,
        benefit=0.5,
        cleared_m2=0.0,
        left_m2=10_000.0,
    )
    rest = fields.assign(
        state_now=lambda t: t["hazard_id"].map({"south0": "suspected", "south1": "suspected"})
    )
    both = pd.concat([survey, rest.assign(state_now=rest["state_now"].fillna("confirmed"))])
    plan = prioritize(both.reset_index(drop=True), [Budget(303.0)], exact=True)
    (told,) = lines(plan, "At the end")
    left = "3 hazards released, 1 hazard on the way (confirmed), 1 hazard with marking only"
    assert told == f"At the end of 2027: {left}; plan.why(hazard_id) says why work stops there."
