"""Worth of neighbors worked in the same year: against every plan, against the cuts, and by hand."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from small_worlds import best_by_brute_force, small_world

from ccm_geo import DataError, schemas
from ccm_geo.planning import (
    After,
    Budget,
    Capacity,
    Compact,
    Complete,
    LockIn,
    LockOut,
    Share,
    neighbors,
    prioritize,
)
from ccm_geo.planning.engine.patches import best_patch
from ccm_geo.planning.engine.single import cells_of
from ccm_geo.planning.listing import Listing
from ccm_geo.planning.model import build

CHAIN = [("H0", "H1"), ("H1", "H2")]
OTHERS = {
    "alone": list,
    "budget": lambda: [Budget({2027: 6.0, 2028: 4.0})],
    "share": lambda: [Budget({2027: 6.0, 2028: 4.0}), Share("adm1", at_least=0.3)],
    "survey first": lambda: [
        Budget({2027: 6.0, 2028: 6.0}),
        After({"activity": "nts"}, {"activity": "clearance"}, within="hazard_id"),
    ],
    "route first": lambda: [Budget({2027: 7.0, 2028: 7.0}), After("H0", ["H1", "H2"])],
    "locks": lambda: [
        Budget({2027: 9.0, 2028: 9.0}),
        LockIn("H0", activity="eore"),
        LockOut("H1", year=2027),
    ],
}


@pytest.mark.parametrize("worth", [0.03, 0.15])
@pytest.mark.parametrize("name", OTHERS)
def test_plan_equals_the_best_of_all_plans(name, worth):
    options = small_world(seed=len(name), hazards=3)
    rules = [Compact(CHAIN, worth=worth), *OTHERS[name]()]
    plan = prioritize(options, rules, exact=True)
    best = best_by_brute_force(options, rules, most_bonus=4 * worth)
    assert plan.benefit == pytest.approx(best, rel=1e-9)
    assert plan.bound >= best - 1e-12


@pytest.mark.parametrize("where", [None, {"activity": "clearance"}], ids=["any step", "clearance"])
def test_shares_of_pairs_and_kinds_of_work_equal_brute_force(where):
    options = small_world(seed=9, hazards=3)
    rules = [
        Compact([("H0", "H1", 2.0), ("H0", "H2", 0.3)], worth=0.1, where=where),
        Budget({2027: 8.0, 2028: 3.0}),
    ]
    plan = prioritize(options, rules, exact=True)
    assert plan.benefit == pytest.approx(best_by_brute_force(options, rules, most_bonus=0.46), rel=1e-9)


def test_neighbors_and_completion_together_equal_brute_force():
    options = small_world(seed=4, hazards=3)
    rules = [Compact(CHAIN, worth=0.1), Complete("adm1", bonus=0.1), Budget({2027: 8.0, 2028: 5.0})]
    plan = prioritize(options, rules, exact=True)
    assert plan.benefit == pytest.approx(best_by_brute_force(options, rules, most_bonus=0.6), rel=1e-9)


def test_capacity_and_neighbors_equal_brute_force():
    options = small_world(seed=6, hazards=3).assign(team_months=lambda t: (t.cost_usd * 0.6).round(2))
    rules = [Compact(CHAIN, worth=0.15), Capacity({"north": 2.0, "south": 3.0})]
    plan = prioritize(options, rules, exact=True)
    assert plan.benefit == pytest.approx(best_by_brute_force(options, rules, most_bonus=0.6), rel=1e-9)


def three_in_a_row():
    return pd.DataFrame(
        {
            "hazard_id": list("abc"),
            "cost_usd": [1.0, 1.0, 1.0],
            "benefit": [3.0, 2.0, 2.5],
            "lon": [105.0, 105.001, 105.01],
            "lat": [15.0, 15.0, 15.0],
        }
    )


def test_two_neighbors_beat_the_two_best_hazards_and_the_plan_says_so():
    plan = prioritize(three_in_a_row(), [Budget(2), Compact([("a", "b")], worth=1.0)], exact=True)
    assert set(plan.table["hazard_id"]) == {"a", "b"}
    assert plan.benefit == 6.0
    assert plan.bonuses[["what", "bonus"]].to_numpy().tolist() == [["a and b", 1.0]]


def test_distance_makes_the_same_pairs():
    near = prioritize(three_in_a_row(), [Budget(2), Compact(within_m=200, worth=1.0)], exact=True)
    assert near.benefit == 6.0
    assert any("1 pairs of hazards lie within 200 m" in n.text for n in near.notes)
    none = prioritize(three_in_a_row(), [Budget(2), Compact(within_m=50, worth=1.0)], exact=True)
    assert none.benefit == 5.5


def test_a_hazard_without_a_place_neighbors_none():
    options = three_in_a_row()
    options.loc[1, "lon"] = np.nan
    plan = prioritize(options, [Budget(2), Compact(within_m=200, worth=1.0)], exact=True)
    assert plan.benefit == 5.5
    assert any("1 hazards have no place" in n.text for n in plan.notes)


def test_same_pair_in_two_years_counts_in_each():
    rule = Compact([("H0", "H1")], worth=0.5)
    chosen = small_world(seed=1, hazards=2).query(
        "activity == 'nts' | (activity == 'clearance' & year == 2028)"
    )
    chosen = chosen[(chosen.activity != "nts") | (chosen.year == 2027)]
    assert rule.bonuses(chosen, chosen) == {"H0 and H1 in 2027": 0.5, "H0 and H1 in 2028": 0.5}
    education = small_world(seed=1, hazards=2).query("activity == 'eore'")
    assert rule.bonuses(education, education) == {}


def single_years(seed, count=9):
    """Hazards with one option each, in two years."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "option_id": [f"O{i}" for i in range(count)],
            "hazard_id": [f"H{i}" for i in range(count)],
            "activity": "clearance",
            "year": rng.integers(2027, 2029, count),
            "cost_usd": rng.integers(1, 9, count).astype(float),
            "benefit": rng.random(count).round(3),
            "adm1": rng.choice(["n", "s"], count),
        }
    )


def brute(options, rules):
    fitted = build(Listing.of(options), rules).rules
    best = -np.inf
    for bits in range(1 << len(options)):
        chosen = options[[bool(bits >> i & 1) for i in range(len(options))]]
        if not any(r.faults(chosen, options) for r in fitted):
            bonus = sum(b for r in fitted for b in r.bonuses(chosen, options).values())
            best = max(best, chosen["benefit"].sum() + bonus)
    return best


@pytest.mark.parametrize("seed", range(4))
def test_hazards_with_one_option_each_are_cells_of_a_field(seed):
    options = single_years(seed, count=8)
    rng = np.random.default_rng(seed)
    pairs = [
        (f"H{i}", f"H{j}", float(rng.integers(1, 4)))
        for i in range(8)
        for j in range(i)
        if rng.random() < 0.5
    ]
    rules = [
        Compact(pairs, worth=0.2),
        Budget({2027: 9.0, 2028: 7.0}),
        Share("adm1", at_least=0.2),
        LockOut("H3"),
        LockIn("H4"),
    ]
    cells = cells_of(build(Listing.of(options), rules))
    patch = best_patch(cells.field, gap=0.0, seconds=20)
    best = brute(options, rules)
    assert patch.benefit == pytest.approx(best)
    assert patch.bound >= best - 1e-12
    listing = Listing.of(options)
    chosen = listing.frame[cells.taken(patch.taken)]
    assert not any(r.faults(chosen, options) for r in rules[1:2])
    loss, highest = cells.loss(patch.spare), cells.best(patch.spare)
    assert np.isinf(loss[3])
    assert ((loss == 0) | (highest[listing.hazard] == 0)).all()
    assert prioritize(options, rules, exact=True).benefit == pytest.approx(best)


def test_more_than_one_option_or_other_bonuses_are_no_field():
    options = small_world(seed=1, hazards=3)
    assert cells_of(build(Listing.of(options), [Compact(CHAIN, worth=1.0)])) is None
    one = single_years(1)
    assert cells_of(build(Listing.of(one), [Budget({2027: 1, 2028: 1})])) is None
    both = [Compact(CHAIN, worth=1.0), Complete("adm1", bonus=1.0)]
    assert cells_of(build(Listing.of(one), both)) is None


def test_marks_of_a_single_option_fix_it():
    options = single_years(2, count=4).assign(activity=["nts", "clearance", "clearance", "nts"])
    extra = pd.concat(
        [options, options.iloc[[1]].assign(option_id="O9", activity="nts", year=2028)], ignore_index=True
    )
    after = After({"activity": "nts"}, {"activity": "clearance"}, within="hazard_id")
    rules = [Compact([("H0", "H1")], worth=1.0), after, LockOut("H1", activity="nts"), LockIn("H3")]
    cells = cells_of(build(Listing.of(extra), rules))
    assert cells.field.fixed.tolist() == [-1, 0, -1, 1]  # H1 may not be cleared without its survey


def squares():
    """Four squares of a thousandth of a degree: three in a row, one apart; and one without a place."""
    boxes = [shapely.box(105 + x, 15, 105.001 + x, 15.001) for x in (0, 0.001, 0.002, 0.0045)]
    return gpd.GeoDataFrame({"hazard_id": list("dcbae")}, geometry=[*boxes, None], crs="EPSG:4326")


def test_touching_hazards_are_neighbors_with_their_shared_boundary():
    table = neighbors(squares())
    assert table[["hazard_id", "neighbor_id"]].to_numpy().tolist() == [["d", "c"], ["c", "b"]]
    assert table["distance_m"].max() < 0.01
    assert table["shared_m"].to_numpy() == pytest.approx([110.6, 110.6], rel=2e-3)
    assert "1 hazards have no geometry" in schemas.notes_of(table)[0].text


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32648"])
def test_distance_is_in_metres_in_any_crs(crs):
    layer = squares().to_crs(crs)
    near = neighbors(layer, within_m=170)
    assert near.iloc[-1][["hazard_id", "neighbor_id"]].tolist() == ["b", "a"]
    assert near.iloc[-1]["distance_m"] == pytest.approx(161.2, rel=5e-3)
    assert len(neighbors(layer, within_m=150)) == 3


def test_a_table_of_neighbors_gives_worth_by_shared_boundary():
    table = pd.DataFrame({"hazard_id": ["b"], "neighbor_id": ["a"], "shared_m": [120.0]})
    assert Compact(table, worth=0.01, by="shared_m").pairs == (("a", "b", 120.0),)
    assert Compact(table, worth=0.01).pairs == (("a", "b", 1.0),)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"pairs": [("a", "b")], "worth": -1.0}, "worth must be a number of 0 or more"),
        ({"worth": 1.0}, "give pairs= or within_m="),
        ({"pairs": [("a", "b")], "within_m": 5.0, "worth": 1.0}, "one of the two"),
        ({"within_m": -5.0, "worth": 1.0}, "metres of 0 or more"),
        ({"pairs": [("a", "a")], "worth": 1.0}, "no pair of two hazards"),
        ({"pairs": [("a", "b"), ("b", "a", 2.0)], "worth": 1.0}, "two shares"),
        ({"pairs": [("a", "b")], "by": "shared_m", "worth": 1.0}, "pairs must be a table"),
        ({"pairs": pd.DataFrame({"hazard_id": ["a"]}), "worth": 1.0}, "no column 'neighbor_id'"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(given, said):
    with pytest.raises(DataError, match=said):
        Compact(**given)


def test_unknown_hazards_are_noted_and_only_unknown_ones_refused():
    options = three_in_a_row()
    plan = prioritize(options, [Budget(2), Compact([("a", "b"), ("a", "z")], worth=1.0)], exact=True)
    assert plan.benefit == 6.0
    assert any("1 pairs have a hazard without options" in n.text for n in plan.notes)
    with pytest.raises(DataError, match="none of the pairs has options"):
        prioritize(options, [Compact([("y", "z")], worth=1.0)])
    with pytest.raises(DataError, match="no column 'lon'"):
        prioritize(options.drop(columns="lon"), [Compact(within_m=5.0, worth=1.0)])
