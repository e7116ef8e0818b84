"""Completion: a community brings its bonus when its last hazard is dealt with, and not before."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_worlds import best_by_brute_force, paths_of, small_world

from ccm_geo import Budget, Capacity, Complete, DataError, LockIn, LockOut, PlanError, Share, prioritize
from ccm_geo.planning import After
from ccm_geo.planning.engine import fitting
from ccm_geo.planning.engine import solve as engine
from ccm_geo.planning.engine.arcs import Arcs
from ccm_geo.planning.engine.fitting import fitting_answer
from ccm_geo.planning.engine.prices import Rows, answer
from ccm_geo.planning.listing import Listing
from ccm_geo.planning.model import build


def world(seed, hazards=4):
    """Four hazards in two villages and one valley."""
    options = small_world(seed, hazards)
    number = options["hazard_id"].str[1:].astype(int)
    return options.assign(
        village=np.where(number < 2, "A", "B"),
        valley=np.where(number % 3 == 0, "V", None),
        team_months=(options.cost_usd * 0.6).round(2),
    )


VILLAGES = Complete("village", bonus=0.6, by_year={2027: 1.0, 2028: 0.7})
VALLEY = Complete("valley", bonus=0.5)
RULES = {
    "budget": Budget({2027: 6.0, 2028: 4.0}),
    "teams": Capacity(3.0),
    "share": Share("adm1", at_least=0.3),
    "lock in": LockIn("H0", activity="eore"),
    "lock out": LockOut("H1", year=2027),
    "after": After({"activity": "nts"}, {"activity": "clearance"}, within="hazard_id"),
}


@pytest.mark.parametrize("more", [(), *((n,) for n in RULES), tuple(RULES)], ids=" + ".join)
@pytest.mark.parametrize(
    "bonuses", [(VILLAGES,), (VILLAGES, VALLEY)], ids=["villages", "villages and valley"]
)
def test_plan_with_bonuses_equals_the_best_of_all_plans(more, bonuses):
    options = world(seed=3 + len(more), hazards=2)
    rules = [*bonuses, *(RULES[n] for n in more)]
    plan = prioritize(options, rules, exact=True)
    assert plan.benefit == pytest.approx(best_by_brute_force(options, rules, most_bonus=1.5), rel=1e-9)
    assert plan.benefit == pytest.approx(plan.averted + plan.bonuses["bonus"].sum())
    assert plan.bound >= plan.benefit - 1e-12


def test_two_villages_with_bonuses_equal_the_best_of_all_plans():
    options = world(seed=4, hazards=3)
    rules = [Complete("village", bonus={"A": 0.6, "B": 0.4}), RULES["budget"]]
    plan = prioritize(options, rules, exact=True)
    assert plan.benefit == pytest.approx(best_by_brute_force(options, rules, most_bonus=1.0), rel=1e-9)


@given(
    seed=st.integers(0, 10_000),
    money=st.floats(0.5, 14),
    bonus=st.floats(0, 1),
    names=st.sets(st.sampled_from(list(RULES))),
)
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_price_engine_brackets_the_best_plan_with_bonuses(seed, money, bonus, names):
    options = world(seed, hazards=2)
    rules = [Complete("village", bonus=bonus), VALLEY, Budget({2027: money, 2028: money / 2})]
    rules += [RULES[n] for n in sorted(names - {"budget", "lock in"})]
    best = best_by_brute_force(options, rules, most_bonus=bonus + 0.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "SMALL", 0)
        plan = prioritize(options, rules, gap=1e-3)
    assert plan.benefit <= best + 1e-9
    assert best <= plan.bound + 1e-9
    assert plan.benefit >= best * (1 - 1e-3) - 1e-9


def best_that_fits(options, prices, limits, bonus):
    """Most that one village can bring at prices, of all its plans within the limits by year."""
    years = np.array([2027, 2028])
    parts = []
    for _, rows in options.groupby("hazard_id", sort=False):
        part = []
        for path in paths_of(rows):
            own = rows.loc[path]
            cost = np.array([own.loc[own["year"] == y, "cost_usd"].sum() for y in years])
            part.append((own["benefit"].sum() - cost @ prices, *cost, (own["state_to"] == "released").any()))
        parts.append(np.array(part, float))
    total = parts[0]
    for part in parts[1:]:
        both = total[:, None, :] + part[None, :, :]
        total = both.reshape(-1, total.shape[1])
    value = total[:, 0] + np.where(total[:, 3] == len(parts), bonus, 0.0)
    fits = (total[:, 1:3] <= np.array(limits) + 1e-9).all(axis=1)
    return value[fits].max()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("limits", [(8.0, 5.0), (4.0, 9.0), (3.0, 2.0)])
def test_village_at_prices_does_its_best_of_what_fits_its_limits(seed, limits):
    options = world(seed, hazards=3).assign(village="Ban Na")
    rules = [Complete("village", bonus=2.0), Budget(dict(zip((2027, 2028), limits, strict=True)))]
    model = build(Listing.of(options), rules)
    arcs, rows = Arcs.of(model), Rows.of(model)
    for prices in np.array([[0.0, 0.0], [0.02, 0.01], [0.2, 0.1]]):
        free, found = answer(arcs, rows, prices), fitting_answer(arcs, rows, prices)
        best = best_that_fits(options, prices, limits, bonus=2.0)
        taken = found.taken
        at_prices = arcs.benefit[taken].sum() + arcs.brought(taken).sum() - found.use @ prices
        assert not rows.excess(found.use).any()
        assert at_prices <= best + 1e-9
        assert best <= found.gain.sum() + 1e-9 <= free.gain.sum() + 2e-9
        with pytest.MonkeyPatch.context() as patch:
            for _ in range(2):  # what the short search leaves open; and where it finds nothing at all
                exact = fitting_answer(arcs, rows, prices, until=np.inf)
                assert not rows.excess(exact.use).any()
                assert best - 1e-9 <= exact.gain.sum() <= best + 1e-6 * free.bound + 1e-9
                done = arcs.benefit[exact.taken].sum() + arcs.brought(exact.taken).sum() - exact.use @ prices
                assert best - 1e-6 * free.bound - 1e-9 <= done <= best + 1e-9
                patch.setattr(fitting._fitting, "fit", found_nothing)


def found_nothing(which, *arrays):
    arrays[-1][which] = -np.inf


def test_two_villages_one_of_which_is_solved_exactly():
    """A field outside any village stands first, so that hazards and blocks are numbered differently."""
    village = world(2, hazards=3).assign(village="Ban Na")
    other = world(5, hazards=3).assign(village="Ban Mai")
    alone = world(7, hazards=1).assign(village=None)
    parts = [alone.assign(hazard_id="A"), village, other.assign(hazard_id="Z" + other["hazard_id"])]
    options = pd.concat(parts, ignore_index=True)
    options["option_id"] = [f"O{i}" for i in range(len(options))]
    limits = (8.0, 5.0)
    rules = [Complete("village", bonus=2.0), Budget(dict(zip((2027, 2028), limits, strict=True)))]
    model = build(Listing.of(options), rules)
    arcs, rows = Arcs.of(model), Rows.of(model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting._fitting, "fit", found_nothing)
        found = fitting_answer(arcs, rows, np.array([0.02, 0.01]), until=np.inf)
    best = [best_that_fits(part, np.array([0.02, 0.01]), limits, bonus=2.0) for part in (village, other)]
    names = arcs.blocks.leading.labels
    both = {name.rpartition(": ")[2]: found.gain[b] for b, name in enumerate(names)}
    assert both == pytest.approx({"Ban Na": best[0], "Ban Mai": best[1]}, rel=1e-5)


def test_two_fields_that_fill_a_limit_up_to_rounding_fit_it():
    """0.1 and 0.2 add up to more than 0.3 in floating point; a third field must not drive them apart."""
    options = pd.DataFrame(
        {
            "hazard_id": ["A", "B", "C"],
            "option_id": ["A", "B", "C"],
            "year": 2027,
            "state_from": "confirmed",
            "state_to": "released",
            "cost_usd": [0.1, 0.2, 0.05],
            "benefit": [1.0, 1.0, 0.5],
            "village": "Ban Na",
        }
    )
    model = build(Listing.of(options), [Complete("village", bonus=0.1), Budget(0.3)])
    found = fitting_answer(Arcs.of(model), Rows.of(model), np.zeros(1))
    assert found.gain.sum() == pytest.approx(2.0, abs=1e-9)
    assert found.taken.tolist() == [True, True, False]


def test_village_that_cannot_keep_its_promises_has_no_plan():
    """Each promise fits the year alone, both do not; every other village could do anything."""
    options = world(3, hazards=3).assign(village="Ban Na")
    promised = options[(options["activity"] == "clearance") & (options["year"] == 2027)]
    cost = promised.groupby("hazard_id")["cost_usd"].min()
    rules = [Complete("village", bonus=1.0), LockIn(["H0", "H1"], activity="clearance", year=2027)]
    money = Budget({2027: cost[["H0", "H1"]].sum() - 0.01, 2028: 50.0})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "SMALL", 0)
        with pytest.raises(PlanError, match="LockIn H0, H1 clearance 2027"):
            prioritize(options, [*rules, money])
    model = build(Listing.of(options), [*rules, money])
    arcs, rows = Arcs.of(model), Rows.of(model)
    assert fitting_answer(arcs, rows, np.zeros(len(rows.lower))).bound == -np.inf


def two_fields(**more):
    """Two fields of one village, each cleared for 1; and one elsewhere that averts a little more."""
    rows = {"option_id": list("abc"), "cost_usd": [1.0, 1.0, 1.0], "benefit": [1.0, 1.0, 1.5]}
    return pd.DataFrame({**rows, "village": ["A", "A", "B"], **more})


def test_bonus_decides_when_it_outweighs_the_better_field():
    small, large = (
        prioritize(two_fields(), [Budget(2), Complete("village", bonus={"A": b})]) for b in (0.4, 0.6)
    )
    assert (sorted(small.table["option_id"]), small.benefit) == (["a", "c"], 2.5)
    assert (sorted(large.table["option_id"]), large.benefit) == (["a", "b"], 2.6)
    assert large.bonuses.to_numpy().tolist() == [["Complete village", "A", 0.6]]
    assert "Complete village: 1 of them" in str(large)


def test_village_half_done_brings_nothing():
    plan = prioritize(two_fields(), [Budget(1), Complete("village", bonus={"A": 9.0})])
    assert plan.bonuses.empty
    assert plan.benefit == 1.5


def test_bonus_fades_with_the_year_of_the_last_hazard():
    options = pd.concat([two_fields(year=2027), two_fields(year=2028, option_id=list("def"))])
    options = options.assign(hazard_id=list("XYZXYZ"))
    rules = [Budget({2027: 1, 2028: 1}), Complete("village", bonus={"A": 9.0}, by_year={2027: 1, 2028: 0.5})]
    plan = prioritize(options, rules, exact=True)
    assert plan.bonuses.to_numpy().tolist() == [["Complete village", "A by 2028", 4.5]]
    assert plan.benefit == 6.5


def test_hazards_without_a_name_belong_to_no_village():
    options = two_fields().assign(village=["A", "A", None])
    plan = prioritize(options, [Complete("village", bonus=0.5)])
    assert plan.benefit == 4.0


def test_village_that_cannot_be_released_is_named():
    options = world(seed=1)
    options = options[(options["hazard_id"] != "H0") | (options["activity"] == "eore")]
    plan = prioritize(options, [Complete("village", bonus=1.0)])
    assert any(
        "1 hold a hazard that no option can release" in n.text and n.rows == ("A",) for n in plan.notes
    )


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (lambda: Complete("road", bonus=1), "no column 'road'"),
        (lambda: Complete("village", bonus={"C": 1}), "no option has village 'C'; known are A, B"),
        (lambda: Complete("village", bonus=-1), "bonus must be numbers of 0 or more"),
        (lambda: Complete("village", bonus=1, by_year={2027: 0.5, 2028: 1}), "do not rise"),
        (lambda: Complete("village", bonus=1, by_year={2027: 1}), "by_year names no share for 2028"),
        (lambda: Complete("activity", bonus=1), "options of hazard 'H0' differ in 'activity'"),
    ],
)
def test_bonus_that_cannot_be_read_says_why(rule, says):
    with pytest.raises(DataError, match=says):
        prioritize(world(seed=1), [rule()])


def test_more_bonus_never_lowers_what_is_proven():
    bounds = [
        prioritize(world(2), [Budget(9), Complete("village", bonus=b)], exact=True).benefit
        for b in (0, 0.3, 1)
    ]
    assert bounds == pytest.approx(sorted(bounds), rel=1e-9)
