"""Many donors whose purposes overlap: rows that come to light, against all rows and against all plans."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from ccm_geo import PlanError
from ccm_geo.planning import (
    Budget,
    Complete,
    DonorLeaves,
    Donors,
    Finish,
    Funding,
    Grant,
    LockOut,
    importance,
    nested_order,
    paid_by,
    plan_under,
    prioritize,
)
from ccm_geo.planning._priced import Priced
from ccm_geo.planning.engine import solve as engine
from ccm_geo.planning.listing import Listing
from ccm_geo.planning.model import build
from ccm_geo.planning.rules import _pots, donors

YEARS = (2027, 2028, 2029)
REGIONS = ("north", "south", "west")
ACTIVITIES = ("nts", "clearance")


@pytest.fixture
def hidden_rows(monkeypatch):
    """Lay out no row in advance but those of all money up to each year."""
    monkeypatch.setattr(donors, "ALL_UP_TO", 0)


def world(seed, hazards):
    """Hazards that can be surveyed or cleared in any of three years, later for less."""
    rng = np.random.default_rng(seed)
    rows = []
    for h in range(hazards):
        region, size, worth = REGIONS[h % 3], float(rng.integers(2, 9)), float(rng.uniform(1, 9))
        for t, year in enumerate(YEARS):
            for activity, part, gain in (("nts", 0.25, 0.2), ("clearance", 1.0, 1.0)):
                rows.append(
                    {
                        "option_id": f"H{h}:{activity}:{year}",
                        "hazard_id": f"H{h}",
                        "activity": activity,
                        "year": year,
                        "adm1": region,
                        "cost_usd": round(size * part, 2),
                        "benefit": round(worth * gain * (1 - 0.2 * t), 3),
                    }
                )
    return pd.DataFrame(rows)


def drawn(seed, count, total):
    """Grants that overlap in regions and activities, by year or in all, some carried over."""
    rng = np.random.default_rng(100 + seed)
    out = []
    for g in range(count):
        where = {}
        if rng.random() < 0.7:
            where["adm1"] = sorted(rng.choice(REGIONS, rng.integers(1, 3), replace=False).tolist())
        if rng.random() < 0.4:
            where["activity"] = str(rng.choice(ACTIVITIES))
        part = total / count
        amount = {y: round(float(a), 2) for y, a in zip(YEARS, part / 3 * rng.uniform(0, 2, 3), strict=True)}
        kind = rng.integers(3)
        out.append(
            Grant(f"G{g}", part if kind == 0 else amount, where=where or None, carry_over=bool(kind == 1))
        )
    return out


def can_pay(grants, chosen):
    """Say by a linear program whether grants can pay the rows chosen."""
    rows = list(chosen[["cost_usd", "year", "adm1", "activity"]].itertuples(index=False))
    pots = [
        (g, came, amount)
        for g in grants
        for came, amount in (g.amount.items() if isinstance(g.amount, dict) else [(None, g.amount)])
    ]

    def pays(grant, came, row):
        fits = all(
            getattr(row, c) in ([v] if isinstance(v, str) else v) for c, v in (grant.where or {}).items()
        )
        return fits and (came is None or came == row.year or (grant.carry_over and came < row.year))

    pipes = [
        (k, p) for k, row in enumerate(rows) for p, (g, came, _) in enumerate(pots) if pays(g, came, row)
    ]
    if not rows:
        return True
    if not pipes:
        return False
    into = np.array([[float(k == n) for k, _ in pipes] for n in range(len(rows))])
    out = np.array([[float(p == n) for _, p in pipes] for n in range(len(pots))])
    limits = [a for _, _, a in pots]
    costs = [r.cost_usd for r in rows]
    found = linprog(np.zeros(len(pipes)), A_ub=out, b_ub=limits, A_eq=into, b_eq=costs, method="highs")
    return found.status == 0


def best_of_all(table, grants):
    """Try every plan: nothing or one option of each hazard."""
    choices = [[None, *own.index] for _, own in table.groupby("hazard_id")]
    plans = sorted(
        ([i for i in plan if i is not None] for plan in itertools.product(*choices)),
        key=lambda p: -table.loc[p, "benefit"].sum(),
    )
    return next(table.loc[p, "benefit"].sum() for p in plans if can_pay(grants, table.loc[p]))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.usefixtures("hidden_rows")
def test_no_plan_of_all_that_grants_can_pay_is_better(seed):
    table = world(seed, 3)
    grants = drawn(seed, 3 + seed % 3, 6.0)
    plan = prioritize(table, [Donors(*grants)], exact=True)
    assert plan.benefit == pytest.approx(best_of_all(table, grants), rel=1e-9)
    assert plan.bound >= plan.benefit
    assert plan.gap <= 1e-8


@pytest.mark.parametrize("seed", range(8))
def test_rows_that_come_to_light_and_all_rows_give_the_same_optimum(seed, monkeypatch):
    table, rule = world(seed, 10), Donors(*drawn(seed, 4, 15.0))
    monkeypatch.setattr(donors, "ALL_UP_TO", 5_000)
    whole = prioritize(table, [rule], exact=True)
    monkeypatch.setattr(donors, "ALL_UP_TO", 0)
    lazy = prioritize(table, [rule], exact=True)
    assert lazy.benefit == pytest.approx(whole.benefit, rel=1e-8)
    assert lazy.bound == pytest.approx(whole.bound, rel=1e-8)
    assert len(lazy.use) < len(whole.use)


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=7),
    st.lists(st.integers(0, 30), min_size=1, max_size=6),
    st.integers(0, 2**42 - 1),
)
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_money_flows_as_far_as_halls_condition_says_and_sets_shown_fall_short(needs, pots, bits):
    demand, money = np.array(needs, dtype=np.int64), np.array(pots, dtype=np.int64)
    may = np.array([[bool(bits >> (k * 6 + p) & 1) for p in range(len(pots))] for k in range(len(needs))])
    short = 0  # the most that any set of needs asks beyond the money of the pots that may pay one of them
    for which in itertools.product([False, True], repeat=len(needs)):
        own = np.array(which)
        short = max(short, int(demand[own].sum() - money[may[own].any(axis=0)].sum()))
    sent, due = _pots.poured(demand, money, may)
    assert (sent >= 0).all()
    assert (sent.sum(axis=0) <= money).all()
    assert not sent[~may].any()
    assert (sent.sum(axis=1) + due == demand).all()
    assert due.sum() == short
    hidden = _pots.Pots(
        may=may,
        money=money,
        spent=np.zeros(len(needs), np.int64),
        sets=np.zeros((0, len(pots)), bool),
        named=str,
        complete=False,
    )
    assert hidden.pay(demand / 100) == (short == 0)
    for own in hidden._short(sent, due).values():
        inside = ~(may & ~own).any(axis=1)
        assert demand[inside].sum() > money[own].sum()


@pytest.mark.usefixtures("hidden_rows")
def test_a_plan_remembers_its_rows_so_that_its_prices_can_be_used_again():
    table, rule = world(3, 40), Donors(*drawn(3, 5, 60.0))
    plan = prioritize(table, [rule, Budget(50.0)], gap=0.0)
    priced = Priced.of(plan)
    assert len(priced.rows.lower) == len(plan.use)
    assert [label for f in priced.model.families for label in f.labels] == plan.use["row"].tolist()
    assert (plan.use["used"] <= plan.use["limit"] + 1e-6).all()
    again = prioritize(table, plan.rules, gap=0.0)
    assert again.run_id == plan.run_id
    assert again.benefit == pytest.approx(plan.benefit)


@pytest.mark.usefixtures("hidden_rows")
def test_what_is_paid_adds_up_and_no_grant_pays_more_than_it_has():
    grants = drawn(5, 6, 50.0)
    plan = prioritize(world(5, 30), [Donors(*grants)], gap=1e-3)
    split = paid_by(plan, by=["year", "adm1", "activity"])
    assert round(split["paid_usd"].sum(), 2) == round(plan.cost_usd, 2)
    assert min(split.attrs["left_usd"].values()) >= 0


@pytest.mark.usefixtures("hidden_rows")
def test_rules_in_conflict_name_the_grants_and_the_cheapest_cure():
    table = world(1, 5).assign(cost_usd=4.0, adm1="north", activity="clearance")
    grants = [
        Grant("Norway", 12.0, where={"adm1": "north"}),
        Grant("Fund", {2027: 1.0, 2028: 1.0}, carry_over=True),
    ]
    with pytest.raises(PlanError) as told:
        prioritize(table, [Donors(*grants), Finish([f"H{h}" for h in range(5)])])
    assert any("Donors (Norway: 12.00, Fund: 2.00)" in rule for rule in told.value.conflict)
    (cure,) = [c for c in told.value.cures if "in place of" in c]
    more = sum(
        float(part.split(" of ")[1].split(" in place")[0].replace(",", ""))
        - float(part.split("in place of ")[1].replace(",", ""))
        for part in cure.split(" and ")
    )
    assert more == pytest.approx(6.0, abs=0.05)


@pytest.mark.usefixtures("hidden_rows")
def test_one_donor_may_leave_and_every_scenario_is_paid_for():
    table = world(2, 12)
    grants = [
        Grant("Norway", dict.fromkeys(YEARS, 6.0), where={"adm1": ["north", "south"]}, carry_over=True),
        Grant("Fund", dict.fromkeys(YEARS, 5.0), where={"adm1": ["south", "west"]}, carry_over=True),
        Grant("State", dict.fromkeys(YEARS, 3.0), where={"activity": "clearance"}),
    ]
    leaves = DonorLeaves(1.0, told_on="2027-12-01", notice_weeks=4, donor="Norway")
    funding = Funding.around(Donors(*grants), {"Norway leaves": (0.4, leaves)}, known_from=2028)
    plan = plan_under(table, funding, gap=5e-3, seconds=10)
    assert plan.gap <= 5e-3
    for name, own in plan.plans.items():
        (rule,) = funding.money(name)
        assert can_pay(rule.grants, own.table)
    promise, without = funding.names
    assert plan.plans[without].benefit <= plan.plans[promise].benefit + 1e-9


@pytest.mark.usefixtures("hidden_rows")
def test_importance_holds_what_planning_again_without_a_hazard_shows():
    table, rule = world(7, 9), Donors(*drawn(7, 4, 15.0))
    plan = prioritize(table, [rule], exact=True)
    told = importance(plan).table
    for hazard in table["hazard_id"].unique():
        lost = plan.benefit - prioritize(table, [rule, LockOut(hazard)], exact=True).benefit
        assert told.loc[hazard, "loss_low"] - 1e-6 <= lost <= told.loc[hazard, "loss_high"] + 1e-6


def many_grants():
    """150 fields in 12 provinces, six years, and twelve grants whose purposes overlap."""
    years = range(2027, 2033)
    rng = np.random.default_rng(4)
    regions = [f"P{i:02d}" for i in range(12)]
    table = pd.DataFrame(
        [
            (f"H{h}", f"H{h}:{y}", y, regions[h % 12], c, b * (1 - 0.03 * (y - 2027)))
            for h, (c, b) in enumerate(zip(rng.integers(5, 50, 150), rng.uniform(1, 9, 150), strict=True))
            for y in years
        ],
        columns=["hazard_id", "option_id", "year", "adm1", "cost_usd", "benefit"],
    ).astype({"cost_usd": float})
    grants = [
        Grant(
            f"G{g}",
            dict.fromkeys(years, 30.0 + g),
            where={"adm1": regions[g : g + 5]},
            carry_over=g % 2 == 0,
        )
        for g in range(8)
    ] + [Grant(f"A{g}", 300.0, where={"adm1": regions[g::3]}) for g in range(3)]
    return table, Donors(*grants, Grant("open", 200.0))


def test_twelve_grants_that_overlap_over_six_years_are_planned():
    table, rule = many_grants()
    plan = prioritize(table, [rule], gap=1e-2, seconds=30)
    assert plan.gap <= 1e-2
    assert len(plan.use) < 300
    model = build(Listing.of(table), plan.rules)
    assert model.opened(np.isin(model.listing.frame["option_id"], plan.table["option_id"])) is None


@pytest.mark.usefixtures("hidden_rows")
def test_rows_that_come_to_light_while_plans_of_few_villages_are_looked_for(monkeypatch):
    """The search begins anew with them; its pool of choices knows nothing of what they hold."""
    table, rule = many_grants()
    table = table.assign(activity="clearance", state_from="confirmed", state_to="released")
    village = "V" + (table["hazard_id"].str[1:].astype(int) // 3).astype(str)
    rules = [rule, Complete("village", bonus=2.0)]
    grown = []
    monkeypatch.setattr(engine, "SMALL", 0)
    search = engine._Search.among_few

    def watched(self, *args):
        rows = self.rows
        search(self, *args)
        grown.append(len(self.rows.lower) - len(rows.lower))

    monkeypatch.setattr(engine._Search, "among_few", watched)
    monkeypatch.setattr(engine, "_LOOKED_AT", 0)
    plan = prioritize(table.assign(village=village), rules, gap=0.04, seconds=5)
    assert max(grown) > 0
    assert can_pay(rule.grants, plan.table)
    assert plan.benefit > 0


@pytest.mark.usefixtures("hidden_rows")
def test_a_nested_order_keeps_to_the_grants():
    table = world(9, 8)
    grants = drawn(9, 4, 20.0)
    order = nested_order(table, [Donors(*grants), Budget(16.0)], shares=[0.4, 0.7, 1.0])
    assert len(order.table)


@pytest.mark.usefixtures("hidden_rows")
def test_a_bound_with_rows_missing_is_still_a_bound():
    table, rule = world(11, 8), Donors(*drawn(11, 4, 12.0))
    best = prioritize(table, [rule], exact=True).benefit
    model = build(Listing.of(table), [rule])
    found = engine.solve(model, gap=0.2, seconds=5)
    assert found.bound >= best - 1e-9
    assert found.benefit <= best + 1e-9


def test_one_column_to_split_by_needs_no_list():
    columns = {"option_id": ["a"], "adm1": ["P01"], "cost_usd": [5.0], "benefit": [1.0]}
    plan = prioritize(pd.DataFrame(columns), [Donors(Grant("Fund", 9.0))])
    assert paid_by(plan, by="adm1").to_numpy().tolist() == [["Fund", "P01", 5.0]]
