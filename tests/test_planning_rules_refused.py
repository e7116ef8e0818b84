"""What rules refuse and what they count: fractions of a cent, years, regions, values that are none."""

import numpy as np
import pandas as pd
import pytest

from ccm_geo.planning import Budget, prioritize, priority_curve


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
