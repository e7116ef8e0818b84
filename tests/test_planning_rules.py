"""Donors, seasons, moving teams, deadlines, tasks to finish, fair shares: against every plan, and by hand."""

import functools
import itertools
import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from ccm_geo import DataError, PlanError
from ccm_geo.planning import (
    After,
    Budget,
    Capacity,
    Deadline,
    Donors,
    Finish,
    Grant,
    LockIn,
    LockOut,
    Share,
    conflicts,
    look_over,
    moving_teams,
    paid_by,
    prioritize,
    visiting_teams,
)
from ccm_geo.planning.engine import solve as engine
from ccm_geo.planning.listing import Listing
from ccm_geo.planning.model import build

YEARS = (2027, 2028)
STATES = ("suspected", "confirmed", "released")


def small_world(seed=1, hazards=3):
    """Survey, clearance from before and after it, and risk education, over two years and two regions."""
    rng = np.random.default_rng(seed)
    rows = []
    for h in range(hazards):
        area, people = float(rng.integers(2, 9)), float(rng.integers(10, 90))
        harm = rng.uniform(0.1, 1.0, len(YEARS)).round(3)
        for t, year in enumerate(YEARS):
            onward = harm[t:].sum()
            own = [
                ("nts", 0, 1, 1.0, 0.05 * onward, area, 0.4 * area, 0.0),
                ("clearance", 0, 2, area, onward, area, 0.0, area),
                ("clearance", 1, 2, 0.6 * area, 0.95 * onward, 0.6 * area, 0.0, 0.6 * area),
                ("eore", 0, 0, 0.4, 0.1 * harm[t], area, 0.0, 0.0),
            ]
            rows.extend(
                {
                    "option_id": f"H{h}:{activity}:{year}:{STATES[begin]}",
                    "hazard_id": f"H{h}",
                    "activity": activity,
                    "year": year,
                    "state_from": STATES[begin],
                    "state_to": STATES[end],
                    "cost_usd": round(cost, 2),
                    "team_months": round(0.5 * cost, 2),
                    "benefit": benefit,
                    "people": people + t,
                    "area_m2": worked,
                    "cancelled_m2": cancelled,
                    "reduced_m2": 0.0,
                    "cleared_m2": cleared,
                    "left_m2": worked - cancelled - cleared,
                    "adm1": "north" if h % 2 else "south",
                    "group": "displaced" if h == 1 else "host",
                }
                for activity, begin, end, cost, benefit, worked, cancelled, cleared in own
            )
    return pd.DataFrame(rows)


def is_path(rows):
    state = "suspected"
    for year in YEARS:
        now = [r for r in rows if r["year"] == year]
        moves = [r for r in now if r["state_from"] != r["state_to"]]
        for row in sorted(moves, key=lambda r: STATES.index(r["state_from"])):
            if row["state_from"] != state:
                return False
            state = row["state_to"]
        rest = [r for r in now if r["state_from"] == r["state_to"]]
        if len(rest) > 1 or any(r["state_from"] != state for r in rest):
            return False
    return True


def paths_of(rows):
    records = rows.to_dict("records")
    subsets = (s for size in range(4) for s in itertools.combinations(range(len(records)), size))
    return [rows.index[list(s)] for s in subsets if is_path([records[i] for i in s])]


def best_by_brute_force(options, rules):
    """Benefit of the best plan that breaks no rule, from the most valuable combination of paths down."""
    rules = build(Listing.of(options), rules).rules
    paths = [paths_of(rows) for _, rows in options.groupby("hazard_id", sort=False)]
    benefit = options["benefit"].to_numpy()
    sums = [np.array([benefit[p].sum() for p in ps]) for ps in paths]
    value = functools.reduce(lambda a, b: np.add.outer(a, b).ravel(), sums)
    for i in np.argsort(-value, kind="stable"):
        pick = [ps[k] for ps, k in zip(paths, np.unravel_index(i, [len(p) for p in paths]), strict=True)]
        chosen = options.loc[[row for p in pick for row in p]]
        if not any(rule.faults(chosen, options) for rule in rules):
            return value[i]
    return -math.inf


GRANTS = (
    Grant("North", {2027: 2.0, 2028: 3.0}, where={"adm1": "north"}),
    Grant("Survey", 1.5, where={"activity": ["nts", "eore"]}),
    Grant("Any", {2027: 2.0, 2028: 1.0}, carry_over=True),
)
RULES = {
    "donors": lambda: Donors(*GRANTS),
    "season": lambda: Capacity({"north": 5.0, "south": 8.0}, season={"north": 6, "south": 9}),
    "deadline area": lambda: Deadline(2027, share=0.3),
    "deadline hazards": lambda: Deadline(2028, least=2, of="hazards"),
    "finish": lambda: Finish("H0", by=2028),
    "people": lambda: Share("group", at_least={"displaced": 0.3}, of="people"),
    "land": lambda: Share("adm1", at_most={"south": 0.7}, of="area"),
    "budget": lambda: Budget({2027: 6.0, 2028: 6.0}),
}
PAIRS = list(itertools.combinations(RULES, 2))


@pytest.mark.parametrize("names", PAIRS, ids=" + ".join)
def test_every_pair_of_rules_equals_the_best_of_all_plans(names):
    options = small_world(seed=sum(map(len, names)), hazards=2)
    rules = [RULES[n]() for n in names]
    best = best_by_brute_force(options, rules)
    if best == -math.inf:
        with pytest.raises(PlanError):
            prioritize(options, rules, exact=True)
        return
    plan = prioritize(options, rules, exact=True)
    assert plan.benefit == pytest.approx(best, rel=1e-9)
    assert plan.bound >= plan.benefit - 1e-12


@pytest.mark.parametrize(
    "names",
    [("donors", "season", "land"), ("deadline area", "people", "budget"), ("finish", "season", "budget")],
    ids=" + ".join,
)
def test_three_rules_stay_between_best_and_bound_in_the_price_engine(names, monkeypatch):
    options = small_world(seed=4, hazards=2)
    rules = [RULES[n]() for n in names]
    monkeypatch.setattr(engine, "SMALL", 0)
    plan = prioritize(options, rules, gap=1e-3)
    best = best_by_brute_force(options, rules)
    assert best * (1 - 1e-3) - 1e-9 <= plan.benefit <= best + 1e-9 <= plan.bound + 2e-9


# -- donors ---------------------------------------------------------------------------------------------


def can_pay(grants, chosen):
    """Whether money can flow from grants to chosen options, as a linear program of its own."""
    pots = [
        (g, y, a)
        for g in grants
        for y, a in (g.amount.items() if isinstance(g.amount, dict) else [(None, g.amount)])
    ]
    costs = chosen.to_dict("records")
    pipes = [
        (p, o)
        for p, (g, y, _) in enumerate(pots)
        for o, row in enumerate(costs)
        if all(row[c] in ([v] if isinstance(v, str) else v) for c, v in (g.where or {}).items())
        and (y is None or y == row["year"] or (g.carry_over and y < row["year"]))
    ]
    if not costs:
        return True
    if not pipes:
        return all(row["cost_usd"] == 0 for row in costs)
    full = np.array([[float(o == k) for _, o in pipes] for k in range(len(costs))])
    most = np.array([[float(p == k) for p, _ in pipes] for k in range(len(pots))])
    need = [row["cost_usd"] for row in costs]
    found = linprog(np.zeros(len(pipes)), most, [a for _, _, a in pots], full, need, method="highs")
    return found.status == 0


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 9), st.sampled_from(YEARS), st.sampled_from("nsw"), st.sampled_from("ab")),
        min_size=1,
        max_size=6,
    ),
    purposes=st.lists(
        st.tuples(
            st.sampled_from([None, "n", "s", "ns"]),
            st.sampled_from([None, "a", "b"]),
            st.sampled_from(["all", "by year", "carried"]),
            st.integers(0, 12),
            st.integers(0, 12),
        ),
        min_size=1,
        max_size=4,
    ),
)
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_rows_of_donors_hold_exactly_where_money_can_flow(rows, purposes):
    chosen = pd.DataFrame(rows, columns=["cost_usd", "year", "adm1", "activity"]).astype({"cost_usd": float})
    every = pd.DataFrame([(1.0, y, r, a) for y in YEARS for r in "nsw" for a in "ab"], columns=chosen.columns)
    table = pd.concat([chosen, every], ignore_index=True).assign(benefit=1.0)
    grants = []
    for i, (regions, activity, kind, one, two) in enumerate(purposes):
        where = {"adm1": list(regions)} if regions else {}
        where |= {"activity": activity} if activity else {}
        amount = float(one) if kind == "all" else {2027: float(one), 2028: float(two)}
        grants.append(Grant(f"G{i}", amount, where=where or None, carry_over=kind == "carried"))
    rule = Donors(*grants)
    model = build(Listing.of(table.assign(option_id=[f"o{i}" for i in range(len(table))])), [rule])
    order = model.listing.frame["option_id"].str[1:].astype(int).to_numpy()
    taken = order < len(chosen)
    (family,) = model.families
    kept = (family.use(taken) <= family.upper + 1e-9).all() and model.allowed[taken].all()
    flows = can_pay(grants, chosen)
    assert kept == flows
    assert (rule.faults(chosen, table) == []) == flows


def test_money_for_one_region_frees_the_open_grant_for_the_other():
    table = pd.DataFrame(
        {
            "option_id": list("abc"),
            "adm1": ["north", "south", "west"],
            "cost_usd": [6.0, 6.0, 1.0],
            "benefit": [1.0, 1.0, 9.0],
        }
    )
    north, rest = (
        Grant("Norway", 6.0, where={"adm1": "north"}),
        Grant("Fund", 6.0, where={"adm1": ["north", "south"]}),
    )
    plan = prioritize(table, [Donors(north, rest)])
    assert list(plan.table["option_id"]) == ["a", "b"]
    assert any("no grant may pay 1 options" in n.text for n in plan.notes)
    assert list(prioritize(table, [Donors(rest)]).table["option_id"]) in (["a"], ["b"])


def test_carried_money_waits_and_other_money_lapses():
    table = pd.DataFrame(
        {"option_id": ["a", "b"], "year": [2027, 2028], "cost_usd": [1.0, 8.0], "benefit": 1.0}
    )
    money = {2027: 5.0, 2028: 4.0}
    assert len(prioritize(table, [Donors(Grant("Fund", money, carry_over=True))]).table) == 2
    assert len(prioritize(table, [Donors(Grant("Fund", money))]).table) == 1
    assert len(prioritize(table, [Donors(Grant("Fund", 9.0))]).table) == 2


def test_split_of_costs_adds_up_to_the_cent_and_keeps_every_grant_to_its_purpose():
    options = small_world(seed=2, hazards=4)
    plan = prioritize(options, [Donors(*GRANTS)], exact=True)
    split = paid_by(plan, by=["year", "activity", "adm1"])
    assert round(split["paid_usd"].sum(), 2) == round(plan.cost_usd, 2)
    assert set(split.loc[split["grant"] == "North", "adm1"]) <= {"north"}
    assert set(split.loc[split["grant"] == "Survey", "activity"]) <= {"nts", "eore"}
    spent = split.groupby("grant")["paid_usd"].sum()
    for grant in GRANTS:
        left = split.attrs["left_usd"][grant.name]
        assert left >= 0
        assert spent.get(grant.name, 0.0) + left == pytest.approx(grant.total)
    parts = split.groupby(["year", "activity", "adm1"])["paid_usd"].sum()
    costs = plan.table.groupby(["year", "activity", "adm1"])["cost_usd"].sum()
    pd.testing.assert_series_equal(parts, costs, check_names=False)


def test_narrow_money_is_spent_before_open_money():
    table = pd.DataFrame({"option_id": ["a"], "adm1": ["north"], "cost_usd": [5.0], "benefit": [1.0]})
    plan = prioritize(table, [Donors(Grant("Fund", 9.0), Grant("Norway", 3.0, where={"adm1": "north"}))])
    assert paid_by(plan, by=[]).set_index("grant")["paid_usd"].to_dict() == {"Fund": 2.0, "Norway": 3.0}


def test_grants_that_overlap_in_thousands_of_ways_are_planned():
    kinds = [f"k{i:02d}" for i in range(12)]
    table = pd.DataFrame({"option_id": kinds, "kind": kinds, "cost_usd": 1.0, "benefit": 1.0})
    table = pd.concat([table, table.assign(option_id=[f"{k} again" for k in kinds])], ignore_index=True)
    grants = [Grant("open", 5.0), *(Grant(k, 1.0, where={"kind": k}) for k in kinds)]
    plan = prioritize(table, [Donors(*grants)], exact=True)
    assert (plan.benefit, plan.bound) == (17.0, 17.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Donors, "give one Grant"),
        (lambda: Donors("Norway"), "not 'Norway'"),
        (lambda: Donors(Grant("A", 1.0), Grant("A", 2.0)), "two grants are called 'A'"),
        (lambda: Donors(Grant("A", {2031: 1.0})), "Grant A: there are no options in 2031"),
        (lambda: Donors(Grant("A", 1.0, where={"adm1": "east"})), "Grant A: no option has adm1 'east'"),
        (lambda: Grant("A", -1.0), "numbers of 0 or more"),
        (lambda: Grant("", 1.0), "needs a name"),
        (lambda: Capacity({"north": 1.0}, season={"south": 3}), "names no months for north"),
        (lambda: Capacity(1.0, season=13), "at most 12 months"),
        (lambda: Capacity(1.0, by=None, season={"north": 3}), "need by="),
        (lambda: Deadline(2031), "options cover 2027 to 2028"),
        (lambda: Deadline(2028, share=87), "share goes from 0 to 1"),
        (lambda: Deadline(2028, of="people"), "'area' or 'hazards'"),
        (lambda: Deadline(2028, least=-1.0), "least must be"),
        (lambda: Finish("H99"), "no options"),
    ],
)
def test_wrong_rules_are_refused_with_the_cure(make, message):
    with pytest.raises(DataError, match=message):
        prioritize(small_world(), [make()])


def test_what_a_plan_without_donors_was_paid_by_is_refused():
    plan = prioritize(small_world(), [Budget(3.0)])
    with pytest.raises(DataError, match="0 rules of the kind Donors"):
        paid_by(plan)


# -- teams ----------------------------------------------------------------------------------------------


def test_a_season_of_six_months_halves_what_teams_can_do():
    options = small_world(seed=3, hazards=2)
    half = prioritize(options, [Capacity({"north": 4.0, "south": 4.0}, season={"north": 6, "south": 12})])
    again = prioritize(options, [Capacity({"north": 2.0, "south": 4.0})])
    assert half.benefit == again.benefit
    assert half.use["limit"].tolist() == [2.0, 2.0, 4.0, 4.0]
    refitted = half.rules[0].fitted(Listing.of(options), ())[0]
    assert refitted == half.rules[0]


def test_teams_for_all_regions_may_go_by_year():
    plan = prioritize(small_world(), [Capacity({2027: 1.0}, by=None)])
    assert set(plan.table["year"]) == {2027}


def extra_cost(chosen, teams, usd):
    """What visits cost at least, over every split of each year's steps into own and visiting ones."""
    extra = 0.0
    for year in YEARS:
        now = chosen[chosen["year"] == year]
        moves = (now["state_from"] != now["state_to"]).to_numpy()
        cheapest = math.inf
        for away in itertools.product([False, True], repeat=int(moves.sum())):
            visiting = np.zeros(len(now), bool)
            visiting[moves] = away
            at_home = now[~visiting].groupby("adm1")["team_months"].sum()
            within = all(months <= teams[r] + 1e-9 for r, months in at_home.items())
            if within and now["team_months"].sum() <= sum(teams.values()) + 1e-9:
                cheapest = min(cheapest, (usd * now.loc[visiting, "team_months"]).round(2).sum())
        extra += cheapest
    return extra


def best_with_moving_teams(options, teams, usd, money):
    """Best plan where each region's teams work at home first; what is left over works anywhere, dearer."""
    paths = [paths_of(rows) for _, rows in options.groupby("hazard_id", sort=False)]
    benefit, cost = (options[c].to_numpy() for c in ("benefit", "cost_usd"))
    picks = [[row for p in pick for row in p] for pick in itertools.product(*paths)]
    for pick in sorted(picks, key=lambda p: -benefit[p].sum()):
        if (
            cost[pick].sum() <= money
            and cost[pick].sum() + extra_cost(options.loc[pick], teams, usd) <= money + 1e-9
        ):
            return benefit[pick].sum()
    return 0.0


@pytest.mark.parametrize("teams", [{"north": 3.0, "south": 1.0}, {"north": 0.5, "south": 4.0}])
def test_moving_teams_equal_brute_force(teams):
    options = small_world(seed=5, hazards=2)
    both = visiting_teams(options, usd_per_team_month=0.7)
    rules = [*moving_teams(teams), Budget(11.0)]
    plan = prioritize(both, rules, exact=True)
    assert plan.benefit == pytest.approx(best_with_moving_teams(options, teams, 0.7, 11.0), rel=1e-9)
    assert plan.benefit > prioritize(options, [Capacity(teams), Budget(11.0)], exact=True).benefit


def test_visiting_teams_leave_interim_options_and_inputs_alone():
    options = small_world()
    before = options.copy()
    both = visiting_teams(options, usd_per_team_month=1.0, usd_per_visit=0.5, placeholder=True)
    pd.testing.assert_frame_equal(options, before)
    assert both["option_id"].is_unique
    assert set(both.loc[both["teams"] == "visiting", "activity"]) == {"nts", "clearance"}
    own = both[both["teams"] == "own"].drop(columns="teams").reset_index(drop=True)
    pd.testing.assert_frame_equal(own, options)
    dearer = both.set_index("option_id")["cost_usd"]
    assert dearer["H0:nts:2027:suspected:visiting"] == dearer["H0:nts:2027:suspected"] + 1.0 * 0.5 + 0.5
    assert "has no source" in both.attrs["notes"][-1].text
    with pytest.raises(DataError, match="'teams' already"):
        visiting_teams(both, usd_per_team_month=1.0)


# -- what must be done -----------------------------------------------------------------------------------


def test_deadline_counts_land_cancelled_and_cleared_up_to_its_year():
    options = small_world(seed=6, hazards=3)
    money = Budget({2027: 9.0, 2028: 50.0})
    plan = prioritize(options, [money, Deadline(2027, share=0.4)], exact=True)
    whole = options.groupby("hazard_id")["area_m2"].max().sum()
    early = plan.table[plan.table["year"] <= 2027]
    released = early[["cancelled_m2", "reduced_m2", "cleared_m2"]].to_numpy().sum()
    assert released >= 0.4 * whole * (1 - 1e-9)
    assert plan.use.set_index("row").loc["Deadline 2027", "limit"] == pytest.approx(0.4 * whole)


def test_deadline_for_all_hazards_releases_every_one():
    plan = prioritize(small_world(seed=6, hazards=4), [Deadline(2028, of="hazards")], exact=True)
    ended = plan.table[plan.table["state_to"] == "released"]
    assert set(ended["hazard_id"]) == {"H0", "H1", "H2", "H3"}


def test_deadline_beyond_what_options_can_do_names_the_share_that_works():
    options = small_world(seed=6, hazards=3)
    survey = options[(options["activity"] == "nts") | (options["hazard_id"] == "H0")]
    with pytest.raises(PlanError, match="cannot release more than") as caught:
        prioritize(survey, [Deadline(2028, share=0.99)])
    can = float(caught.value.cures[0].split(" at ")[1].split(" %")[0]) / 100
    assert prioritize(survey, [Deadline(2028, share=can)]).benefit > 0
    with pytest.raises(PlanError):
        prioritize(survey, [Deadline(2028, share=can + 2e-4)])


def test_work_under_way_is_finished_in_time():
    options = small_world(seed=7, hazards=3)
    plan = prioritize(options, [Finish(["H0", "H2"], by=2027), Budget(40.0)], exact=True)
    ended = plan.table[(plan.table["state_to"] == "released") & (plan.table["year"] == 2027)]
    assert {"H0", "H2"} <= set(ended["hazard_id"])
    with pytest.raises(
        PlanError, match="1 of the hazards have no step to their last state by 2027, first 'H1'"
    ):
        prioritize(
            options[(options["hazard_id"] != "H1") | (options["year"] == 2028)], [Finish("H1", by=2027)]
        )


def test_people_count_once_a_hazard_and_only_with_its_last_step():
    options = small_world(seed=8, hazards=4)
    floor = Share("group", at_least={"displaced": 0.6}, of="people")
    plan = prioritize(options, [Budget(9.0), floor], exact=True)
    ended = plan.table[plan.table["state_to"] == "released"]
    assert ended["hazard_id"].is_unique
    shares = ended.groupby("group")["people"].sum() / ended["people"].sum()
    held = plan.rules[1].at_least["displaced"]
    assert shares["displaced"] >= held - 1e-9
    assert 0.36 < held <= 0.6


def test_a_floor_in_people_that_a_group_cannot_use_is_held_to_all_its_people():
    options = small_world(seed=8, hazards=4)
    plan = prioritize(options, [Share("group", at_least={"displaced": 0.6}, of="people")], exact=True)
    assert plan.table.loc[plan.table["state_to"] == "released", "hazard_id"].nunique() == 4
    assert any("displaced cannot use 60.0% of the total" in n.text for n in plan.notes)


def test_area_worked_on_is_flagged_as_counted_at_every_step():
    plan = prioritize(small_world(), [Share("adm1", at_least=0.1, of="area_m2")])
    assert any("counts land again at every step" in n.text for n in plan.notes)


# -- conflicts --------------------------------------------------------------------------------------------


def two_fields():
    """Two hazards of 10 and 30 m2, released in 2027 or 2028 for 10 and 30 USD by 1 and 3 team-months."""
    rows = [
        {
            "option_id": f"{h}{y}",
            "hazard_id": h,
            "year": y,
            "adm1": region,
            "state_from": "confirmed",
            "state_to": "released",
        }
        | {"cost_usd": size, "area_m2": size, "cleared_m2": size, "team_months": size / 10, "benefit": 1.0}
        for h, size, region in (("A", 10.0, "north"), ("B", 30.0, "south"))
        for y in YEARS
    ]
    return pd.DataFrame(rows).assign(activity="clearance", cancelled_m2=0.0, reduced_m2=0.0, left_m2=0.0)


CLASHES = [
    (
        [Budget({2027: 5.0, 2028: 20.0}), Deadline(2028, share=0.9)],
        ["Budget (2027: 5.00, 2028: 20.00)", "Deadline 2028 (90 % of the area)"],
        [15.0, "Deadline 2028 at 25 % in place of 90 %"],
    ),
    (
        [Budget({2027: 5.0, 2028: 20.0}, carry_over=True), Deadline(2028, of="hazards")],
        ["Budget (2027: 5.00, 2028: 20.00)", "Deadline 2028 (100 % of the hazards)"],
        [15.0, "Deadline 2028 at 50 % in place of 100 %"],
    ),
    (
        [
            Capacity({"north": 1.0, "south": {2028: 2.5}}),
            Deadline(2028, least=40),
            Share("adm1", at_least=0.1),
        ],
        ["Capacity (north: 1.0, south: {2028: 2.5})", "Deadline 2028 (40 m2)"],
        [
            "Capacity south 2028 of 3 team-months in place of 2.5",
            "Deadline 2028 at 0 m2 in place of 40 m2",
        ],
    ),
    (
        [Capacity(5.0, season={"north": 12, "south": 6}), LockIn("B", year=2027), LockOut("A")],
        ["Capacity (5 a year)", "LockIn B 2027"],
        ["Capacity south 2027 of 3 team-months worked in season in place of 2.5"],
    ),
    (
        [
            Donors(Grant("Norway", 12.0, where={"adm1": "south"}), Grant("Fund", {2027: 9.0, 2028: 9.0})),
            Finish(["A", "B"]),
        ],
        ["Donors (Norway: 12.00, Fund: 18.00)", "Finish A, B"],
        [10.0],
    ),
    (
        [Share("adm1", at_most={"south": 0.5}), Finish("B")],
        ["Share of adm1 (at_most south: 0.5)", "Finish B"],
        ["Share of adm1 south with at_most 0.75 in place of 0.5"],
    ),
]


def money_given(cure):
    """What a cure adds in all: the sum of "a in place of b"."""
    pairs = re.findall(r"of ([\d,.]+) in place of ([\d,.]+\d)", cure)
    return sum(float(a.replace(",", "")) - float(b.replace(",", "")) for a, b in pairs)


@pytest.mark.parametrize(("rules", "conflict", "cures"), CLASHES, ids=[c[1][0] for c in CLASHES])
def test_rules_in_conflict_are_named_with_the_cheapest_way_out(rules, conflict, cures):
    with pytest.raises(PlanError, match="no plan keeps all rules") as caught:
        prioritize(two_fields(), rules)
    assert list(caught.value.conflict) == conflict
    assert len(caught.value.cures) == len(cures)
    for said, wanted in zip(caught.value.cures, cures, strict=True):
        if isinstance(wanted, str):
            assert said == wanted
        else:
            assert money_given(said) == pytest.approx(wanted)


def test_cure_of_one_clash_says_that_it_is_not_enough_where_there_are_two():
    two = [Budget(5.0), LockIn("A"), Finish("B"), LockOut("B")]
    with pytest.raises(PlanError) as caught:
        prioritize(two_fields(), two)
    assert caught.value.conflict == ("Finish B", "LockOut B")
    part = "(for this clash; more may remain)"
    assert caught.value.cures == (f"drop Finish B {part}", f"drop LockOut B {part}")


def test_cure_makes_a_plan_possible_under_all_rules_not_only_those_named():
    rules = [
        Capacity({"north": 1.0, "south": {2028: 2.5}}),
        Deadline(2028, least=40),
        Share("adm1", at_least=0.1),
    ]
    with pytest.raises(PlanError) as caught:
        prioritize(two_fields(), rules)
    assert len(caught.value.conflict) == 2
    for least in re.findall(r"Deadline 2028 at (\d+) m2", "; ".join(caught.value.cures)):
        prioritize(two_fields(), [rules[0], Deadline(2028, least=float(least)), rules[2]])


def test_large_cases_are_told_about_how_far_each_rule_must_give(monkeypatch):
    monkeypatch.setattr(conflicts, "_MATRIX_UP_TO", 0)
    with pytest.raises(PlanError) as caught:
        prioritize(two_fields(), [Budget({2027: 5.0, 2028: 20.0}), Deadline(2028, share=0.9)])
    money, goal = caught.value.cures
    needed = [float(usd) for usd in re.findall(r"20\d\d of ([\d.]+) in place", money)]
    assert money.startswith("about Budget 2027 of ")
    wider = prioritize(
        two_fields(), [Budget(dict(zip(YEARS, needed, strict=True))), Deadline(2028, share=0.9)]
    )
    assert wider.benefit == 2.0
    assert goal == "about Deadline 2028 at 25 % in place of 90 %"


# -- findings ---------------------------------------------------------------------------------------------


def codes(options, rules=()):
    return look_over(options, rules).set_index("code")


ODD = [
    (lambda t: (t, [Budget({2027: 0.004})]), "no-money", "warning"),
    (lambda t: (t, [Budget(1e9)]), "more-than-all-costs", "advice"),
    (lambda t: (t, [Budget(0.5)]), "less-than-any-cost", "warning"),
    (lambda t: (t, [LockIn("A"), LockOut("A")]), "locked-in-and-out", "error"),
    (
        lambda t: (t, [Budget(100.0), Share("adm1", at_least={"north": 0.9})]),
        "floor-above-all-costs",
        "warning",
    ),
    (lambda t: (t.assign(cost_usd=t.cost_usd * 1e6), []), "cost-per-m2", "warning"),
    (lambda t: (t.assign(benefit=[1e12, *t.benefit[1:]]), []), "magnitude", "warning"),
    (lambda t: (t.assign(benefit=-1.0), []), "negative-benefit", "advice"),
    (lambda t: (t.assign(benefit=0.0), []), "no-benefit", "warning"),
    (lambda t: (t.assign(year=t.year * 2 - 2027), []), "year-without-options", "warning"),
    (lambda t: (t, [Capacity({"north": 9.0, "south": 1.0})]), "ample-teams", "advice"),
    (
        lambda t: (t, [Capacity({"north": 9.0, "south": 1.0}, where={"hazard_id": "B"})]),
        "idle-teams",
        "advice",
    ),
    (lambda t: (t.assign(team_months=0.0), [Capacity(1.0)]), "nothing-to-do", "warning"),
    (lambda t: (t, [Finish("A", by=2026)]), "cannot-hold", "error"),
    (
        lambda t: (t[t.hazard_id == "A"].assign(left_m2=5.0, cleared_m2=5.0), [Deadline(2028)]),
        "cannot-hold",
        "error",
    ),
    (lambda t: (t, [Budget(1.0, of="euros")]), "does-not-fit", "error"),
    (lambda t: (t, [Donors(Grant("Rich", 1e6)), Budget(9.0)]), "more-than-all-costs", "advice"),
    (lambda t: (t, [Donors(Grant("Poor", 0.0), Grant("Fund", 9.0))]), "no-money", "warning"),
]


@pytest.mark.parametrize(
    ("make", "code", "severity"), ODD, ids=[f"{c}-{i}" for i, (_, c, _s) in enumerate(ODD)]
)
def test_odd_input_is_found_before_solving(make, code, severity):
    found = codes(*make(two_fields()))
    assert code in found.index
    assert found.loc[[code], "severity"].iloc[0] == severity
    assert (found["cause"].str.len() > 5).all()
    assert (found["cure"].str.len() > 5).all()


def test_nothing_odd_leaves_an_empty_table():
    table = look_over(two_fields(), [Budget({2027: 20.0, 2028: 20.0}), Share("adm1", at_least=0.1)])
    assert table.empty
    assert list(table.columns) == ["severity", "code", "about", "cause", "cure", "affected"]


def test_ranks_and_scores_are_not_taken_for_benefit():
    rank = pd.DataFrame({"option_id": range(30), "cost_usd": 1.0, "benefit": np.arange(1.0, 31.0)})
    assert "looks like a rank" in codes(rank).loc["not-additive", "cause"]
    score = rank.assign(benefit=np.linspace(0.5, 97.3, 30))
    assert "looks like a score" in codes(score).loc["not-additive", "cause"]
    assert "not-additive" not in codes(rank.assign(benefit=np.linspace(0.01, 2.3, 30))).index


def fields_by_year(benefit):
    """Twenty fields that can be released in each of three years, with a benefit by field and year."""
    rows = [(f"{h}:{y}", h, 2027 + y, benefit(h, y)) for h in range(20) for y in range(3)]
    table = pd.DataFrame(rows, columns=["option_id", "hazard_id", "year", "benefit"])
    return table.assign(state_from="confirmed", state_to="released", cost_usd=1.0)


@pytest.mark.parametrize(
    ("benefit", "kind"),
    [
        (lambda h, _: 20.0 - h, "looks like a rank"),
        (lambda h, y: np.linspace(5, 98, 60)[3 * h + y], "looks like a score"),
        (lambda h, _: np.linspace(5, 98, 20)[h], "looks like a score"),
    ],
)
def test_ranks_and_scores_are_seen_in_a_table_with_states(benefit, kind):
    assert kind in codes(fields_by_year(benefit)).loc["not-additive", "cause"]


def test_five_ranked_fields_are_seen():
    table = fields_by_year(lambda h, _: 5.0 - h).query("hazard_id < 5")
    assert "from 1 to 5: it looks like a rank" in codes(table).loc["not-additive", "cause"]


@pytest.mark.parametrize(
    "benefit",
    [
        lambda h, y: (3 - y) * (h + 1.0),
        lambda h, y: np.linspace(5, 98, 20)[h] * (3 - y) / 3,
        lambda h, _: 40.0 * (h + 1),
    ],
)
def test_benefits_that_fall_by_year_or_count_people_are_no_scores(benefit):
    assert "not-additive" not in codes(fields_by_year(benefit)).index


def test_more_accidents_than_the_world_has_are_questioned():
    table = two_fields()
    table.attrs["benefit_unit"] = "accidents averted"
    assert "too-many-accidents" not in codes(table).index
    table["benefit"] = 1e4
    assert "more than the world has" in codes(table).loc["too-many-accidents", "cause"]


def test_errors_stand_first_and_every_rule_is_looked_at():
    rules = [Budget(1e9), Capacity(1.0, by="province"), Deadline(2031), Share("adm1", at_least=0.9)]
    table = look_over(two_fields(), rules)
    assert table["severity"].tolist() == ["error"] * 3 + ["warning", "advice"]
    assert table["about"].tolist()[:3] == ["Capacity", "Deadline 2031", "Share of adm1"]


def test_warnings_reach_the_plan_as_one_line_of_advice():
    plan = prioritize(two_fields(), [Budget(1e9)])
    (note,) = [n for n in plan.notes if n.kind == "advice"]
    assert note.text == "Budget: 1,000,000,000 exceeds all that options can cost (40); it is no limit"


@pytest.mark.parametrize(
    ("years", "message"),
    [
        (pd.to_datetime(["2027-01-01", "2028-01-01"]), "rows 1, 2, year .* of dates with .dt.year"),
        (["2027", "2028"], "options: rows 1, 2, year '2027' is not a whole number"),
        ([2027, 2027.5], "options: row 2, year '2027.5' is not a whole number"),
        ([2027, 20280101], "options: row 2, year '20280101' is not a whole number"),
        ([2027, "later"], "options: row 2, year 'later' is not a whole number"),
    ],
)
def test_years_that_are_no_whole_numbers_are_refused_by_row(years, message):
    table = pd.DataFrame({"option_id": ["a", "b"], "year": years, "cost_usd": 1.0, "benefit": 1.0})
    with pytest.raises(DataError, match=message):
        prioritize(table, [Budget(1.0)])


def test_whole_years_as_decimals_are_years():
    table = pd.DataFrame({"option_id": ["a", "b"], "year": [2027.0, 2028.0], "cost_usd": 1.0, "benefit": 1.0})
    assert prioritize(table, [Budget({2027: 1.0, 2028: 0.0})]).table["option_id"].tolist() == ["a"]


@pytest.mark.parametrize("known", ["bac", "clearance"])
def test_a_value_of_several_that_no_option_has_is_a_note(known):
    table = two_fields().assign(activity=known)
    survey = table.assign(
        option_id=table["option_id"] + "s", activity="ts", state_to="surveyed", cost_usd=1.0
    )
    later = table.assign(option_id=table["option_id"] + "l", state_from="surveyed")
    options = pd.concat([table, survey, later], ignore_index=True).drop(columns=["area_m2", "cleared_m2"])
    after = After({"activity": ["nts", "ts"]}, {"activity": ["clearance", "bac"]}, within="hazard_id")
    teams = Capacity(5.0, where={"activity": ["clearance", "bac"]})
    plan = prioritize(options, [after, teams])
    assert (plan.table["activity"] == "ts").sum() == 2
    gone = "clearance" if known == "bac" else "bac"
    texts = [n.text for n in plan.notes if "check the spelling" in n.text]
    assert sum(f"no option has activity {gone};" in t for t in texts) == 2
    assert sum("no option has activity nts;" in t for t in texts) == 1


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Capacity(5.0, where={"adm1": "east"}), "no option has adm1 'east'"),
        (Capacity(5.0, where={"adm1": ["east"]}), "no option has adm1 'east'"),
        (Capacity(5.0, where={"adm1": ["east", "west"]}), "no option has adm1 'east'"),
        (After(["A", "Z"], "B"), "no option has hazard_id 'Z'"),
    ],
)
def test_a_value_that_nothing_else_stands_for_is_refused(rule, message):
    with pytest.raises(DataError, match=message):
        prioritize(two_fields(), [rule])


NO_TABLE = "options: this is no table but"


@pytest.mark.parametrize("ask", [prioritize, look_over])
@pytest.mark.parametrize(
    ("options", "rules", "message"),
    [
        (two_fields(), Budget(5.0), r"rules: Budget is no list of rules; give \[Budget\(...\)\]"),
        (two_fields(), None, "rules: None is no list of rules"),
        (two_fields(), [5], "rules: 5 is not a rule"),
        (None, [], NO_TABLE),
        ([1], [], NO_TABLE),
        ({"benefit": [1.0]}, [], NO_TABLE),
        (
            two_fields().rename(columns={"cost_usd": "benefit"}),
            [],
            "options: two columns are named 'benefit'",
        ),
    ],
)
def test_what_is_no_table_or_no_list_of_rules_is_refused(ask, options, rules, message):
    with pytest.raises(DataError, match=message):
        ask(options, rules)


@pytest.mark.parametrize("name", ["gap", "seconds"])
def test_gap_and_seconds_are_numbers(name):
    with pytest.raises(DataError, match=f"{name} '0.1' is not a number; give {name}=0.1"):
        prioritize(two_fields(), [], **{name: "0.1"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"left_m2": 5.0},
            r"options: rows 1, 2, 3, 4, cancelled_m2 \+ .* is 15.0, area_m2 10.0; make them add up",
        ),
        ({"left_m2": [0.0, 0.0, 5.0, 0.0]}, "options: row 3, cancelled_m2 .* is 35.0, area_m2 30.0"),
        ({"left_m2": "none"}, "options: column 'left_m2' does not hold numbers"),
        ({"option_id": ["a", None, "c", "d"]}, "options: row 2, option_id is missing; give each row its own"),
    ],
)
def test_rows_that_no_plan_may_hold_are_refused_before_planning(change, message):
    table = two_fields().assign(cancelled_m2=0.0, reduced_m2=0.0, left_m2=0.0)
    assert len(prioritize(table, []).table) == 2
    with pytest.raises(DataError, match=message):
        prioritize(table.assign(**change), [])
