"""What can be done: figures with sources, options by hand, land conserved, silly input refused."""

import dataclasses

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from ccm_geo import DataError
from ccm_geo.planning import ACTIVITIES, Activity, Figure, list_options, sources_table
from ccm_geo.planning.activities import read_activities


def facts(**columns):
    base = {"hazard_id": ["A"], "hazard_class": ["SHA"], "ordnance": ["cluster"], "area_m2": [10_000.0]}
    return pd.DataFrame({**base, **columns})


def harm_of(frame, values=(0.2, 0.1), people=50.0, **more):
    rows = [
        {"hazard_id": h, "year": 2027 + i, "harm": v, "people": people}
        for h in frame["hazard_id"]
        for i, v in enumerate(values)
    ]
    return pd.DataFrame(rows).assign(**more)


NTS = Activity(activity="nts", leads_to="confirmed", fixed_usd=800, risk_removed=0.1, area_left_share=0.5)
TS = Activity(activity="ts", leads_to="surveyed", usd_per_m2=0.1, risk_removed=0.2, area_left_share=0.6)
CLEAR = Activity(
    activity="clearance",
    leads_to="released",
    usd_per_m2=0.5,
    m2_per_team_month=2_000,
    risk_removed=0.98,
    area_left_share=0,
)
EORE = Activity(activity="eore", fixed_usd=100, usd_per_person=2, risk_removed=0.25)


def row(options, activity, year, state):
    found = options[(options.activity == activity) & (options.year == year) & (options.state_from == state)]
    assert len(found) == 1
    return found.iloc[0]


def test_options_equal_the_hand_calculation():
    frame = facts()
    options = list_options(frame, [NTS, TS, CLEAR, EORE], harm_of(frame))
    assert len(options) == 2 * (1 + 2 + 3 + 3)
    nts = row(options, "nts", 2027, "suspected")
    assert (nts.cost_usd, nts.cancelled_m2, nts.left_m2) == (800, 5_000, 5_000)
    assert nts.benefit == pytest.approx(0.1 * 0.3)
    ts = row(options, "ts", 2028, "confirmed")
    assert (ts.cost_usd, ts.reduced_m2, ts.left_m2) == pytest.approx((500, 2_000, 3_000))
    assert ts.benefit == pytest.approx((0.9 - 0.9 * 0.8) * 0.1)
    clear = row(options, "clearance", 2027, "surveyed")
    assert (clear.cost_usd, clear.cleared_m2, clear.left_m2) == pytest.approx((1_500, 3_000, 0))
    assert clear.benefit == pytest.approx((0.98 - 0.28) * 0.3)
    assert clear.team_months == pytest.approx(1.5)
    bold = row(options, "clearance", 2028, "suspected")
    assert (bold.cost_usd, bold.cleared_m2) == (5_000, 10_000)
    assert bold.benefit == pytest.approx(0.98 * 0.1)
    eore = row(options, "eore", 2028, "surveyed")
    assert (eore.cost_usd, eore.area_m2, eore.left_m2) == pytest.approx((200, 3_000, 3_000))
    assert eore.benefit == pytest.approx(0.72 * 0.25 * 0.1)


def test_technical_survey_may_skip_the_non_technical_one_and_narrows_to_the_same_area():
    frame = facts()
    options = list_options(frame, [NTS, TS, CLEAR], harm_of(frame))
    skip = row(options, "ts", 2027, "suspected")
    assert (skip.area_m2, skip.reduced_m2, skip.left_m2) == pytest.approx((10_000, 7_000, 3_000))


def test_benefits_add_up_along_every_path():
    frame = facts()
    options = list_options(frame, [NTS, TS, CLEAR], harm_of(frame))
    for path in (
        ["nts:2027:suspected", "ts:2027:confirmed", "clearance:2027:surveyed"],
        ["clearance:2027:suspected"],
    ):
        own = options[options.option_id.isin([f"A:{p}" for p in path])]
        assert own.benefit.sum() == pytest.approx(0.98 * 0.3)


def test_land_is_conserved_in_every_row():
    frame = pd.concat(
        [facts(hazard_id=["A"]), facts(hazard_id=["B"], hazard_class=["CHA"])], ignore_index=True
    )
    options = list_options(frame, ACTIVITIES, harm_of(frame))
    parts = options[["cancelled_m2", "reduced_m2", "cleared_m2", "left_m2"]].sum(axis=1)
    np.testing.assert_allclose(parts, options.area_m2, rtol=1e-12)


def test_confirmed_area_is_not_surveyed_again():
    frame = facts(hazard_class=["CHA"])
    options = list_options(frame, [NTS, TS, CLEAR], harm_of(frame))
    assert set(options.activity) == {"ts", "clearance"}
    assert set(options.state_now) == {"confirmed"}
    assert row(options, "ts", 2027, "confirmed").area_m2 == 10_000


def test_minefields_are_never_priced_as_battle_areas():
    kinds = ["cluster", "uxo", "cluster;uxo", "ap_mine", "cluster;ap_mine", None]
    frame = pd.DataFrame({"hazard_id": list("abcdef"), "ordnance": kinds, "area_m2": 1_000.0})
    options = list_options(frame, ACTIVITIES, harm_of(frame))
    released = options[options.state_to == "released"].groupby("hazard_id", observed=True).activity.unique()
    assert [list(released[h]) for h in "abcdef"] == [["bac"]] * 3 + [["clearance"]] * 3
    assert any("1 hazards name no ordnance" in n.text for n in options.attrs["notes"])


def test_what_cannot_be_planned_is_left_out_and_counted():
    frame = pd.DataFrame(
        {
            "hazard_id": list("abcd"),
            "status": ["open", "closed", "open", "open"],
            "area_m2": [100.0, 100.0, np.nan, 100.0],
            "area_recorded_m2": [90.0, 90.0, np.nan, 90.0],
        }
    )
    harm = harm_of(frame[frame.hazard_id != "d"])
    options = list_options(frame, [CLEAR], harm)
    assert set(options.hazard_id) == {"a"}
    said = {n.rows: n.text for n in options.attrs["notes"]}
    assert "closed" in said[("b",)]
    assert "no area" in said[("c",)]
    assert "no expected harm" in said[("d",)]


def test_recorded_area_stands_in_where_none_is_measured():
    frame = pd.DataFrame({"hazard_id": ["a"], "area_recorded_m2": [400.0]})
    options = list_options(frame, [CLEAR], harm_of(frame))
    assert set(options.area_m2) == {400.0}
    assert any("recorded area" in n.text for n in options.attrs["notes"])


def test_points_come_from_geometry():
    shapes = gpd.GeoSeries([shapely.box(100, 18, 100.1, 18.1)], crs="EPSG:4326")
    frame = gpd.GeoDataFrame(facts(), geometry=shapes)
    options = list_options(frame, [CLEAR], harm_of(frame))
    assert options[["lon", "lat"]].iloc[0].tolist() == pytest.approx([100.05, 18.05], abs=0.05)


def test_order_of_hazards_and_of_harm_does_not_matter():
    frame = pd.DataFrame(
        {"hazard_id": list("abc"), "area_m2": [1e4, 2e4, 3e4], "ordnance": ["uxo", "ap_mine", "uxo"]}
    )
    harm = harm_of(frame)
    one = list_options(frame, ACTIVITIES, harm).set_index("option_id").sort_index()
    two = (
        list_options(frame.iloc[::-1], ACTIVITIES, harm.sample(frac=1, random_state=1))
        .set_index("option_id")
        .sort_index()
    )
    columns = ["cost_usd", "benefit", "area_m2", "left_m2", "year"]
    pd.testing.assert_frame_equal(one[columns], two[columns])


def test_inputs_are_not_changed():
    frame = facts()
    harm = harm_of(frame)
    before = frame.copy(), harm.copy()
    list_options(frame, ACTIVITIES, harm)
    pd.testing.assert_frame_equal(frame, before[0])
    pd.testing.assert_frame_equal(harm, before[1])


def test_years_choose_when_work_is_done_and_harm_says_how_long_it_counts():
    frame = facts()
    options = list_options(frame, [CLEAR], harm_of(frame, (0.2, 0.1, 0.4)), years=[2028])
    assert set(options.year) == {2028}
    assert set(options.benefit.round(9)) == {round(0.98 * 0.5, 9)}
    assert options.attrs["horizon"] == (2027, 2029)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f, h: (f, h.rename(columns={"harm": "score"})), "a score or a rank does not"),
        (lambda f, h: (f, h.assign(rank=1)), "table of scores"),
        (lambda f, h: (f, pd.concat([h, h])), "rows repeat, first 'A' in 2027"),
        (lambda f, h: (f, h.assign(harm=-1.0)), "negative"),
        (lambda f, h: (pd.concat([f, f]), h), "'A' stands there more than once"),
        (lambda f, h: (f.drop(columns="area_m2"), h), "no 'area_m2'"),
        (lambda f, h: (f.assign(status="closed"), h), "no hazard is open"),
    ],
)
def test_input_that_cannot_be_planned_is_refused_with_the_cure(change, message):
    frame, harm = change(facts(), harm_of(facts()))
    with pytest.raises(DataError, match=message):
        list_options(frame, [CLEAR], harm)


@pytest.mark.parametrize(
    ("column", "value", "known"),
    [
        ("status", "CLOSED", "open, closed or handed_over"),
        ("status", "CLS", "open, closed or handed_over"),
        ("hazard_class", "Confirmed", "SHA or CHA"),
        ("hazard_class", "cha", "SHA or CHA"),
        ("ordnance", "Cluster", "cluster, ap_mine, at_mine, uxo or ied"),
        ("ordnance", "", "cluster, ap_mine, at_mine, uxo or ied"),
    ],
)
def test_unknown_codes_are_refused_by_row_with_those_allowed(column, value, known):
    frame = pd.DataFrame({"hazard_id": ["A", "B"], "area_m2": 1e4, "ordnance": "cluster"}, index=[7, 7])
    good = {"status": "open", "hazard_class": "SHA", "ordnance": "cluster"}[column]
    with pytest.raises(DataError, match="facts: 1 unknown code") as told:
        list_options(frame.assign(**{column: [good, value]}), ACTIVITIES, harm_of(frame))
    (line,) = told.value.failures
    assert line.startswith(f"row 2, {column} {value!r} is not {known}; read the table with read_hazards")
    assert f"values={{{column!r}: {{{value!r}:" in line


def test_codes_may_be_missing_parted_by_blanks_or_named_by_an_activity():
    frame = facts(hazard_class=[None], status=[None], ordnance=["cluster; uxo;"])
    assert "bac" in set(list_options(frame, ACTIVITIES, harm_of(frame)).activity)
    ours = dataclasses.replace(CLEAR, ordnance=("rocket",))
    frame = facts(ordnance=["rocket"])
    assert set(list_options(frame, [ours], harm_of(frame)).activity) == {"clearance"}


def two_hazards():
    frame = pd.DataFrame(
        {"hazard_id": ["S1", "S2"], "ordnance": ["cluster", "ap_mine"], "area_m2": [1e5, 2e4]}
    )
    rows = {"hazard_id": ["S1", "S1", "S2", "S2"], "year": [2027, 2028] * 2, "harm": [0.2, 0.2, 0.1, 0.1]}
    return frame, pd.DataFrame({**rows, "people": 300.0})


@pytest.mark.parametrize(
    "gap", [lambda h: h.assign(harm=[np.nan, 0.2, 0.1, 0.1]), lambda h: h.iloc[[0, 2, 3]]]
)
def test_harm_that_is_missing_in_a_year_is_unknown_and_not_zero(gap):
    frame, harm = two_hazards()
    options = list_options(frame, ACTIVITIES, gap(harm))
    assert set(options.hazard_id) == {"S2"}
    (note,) = (n for n in options.attrs["notes"] if "no expected harm in some years" in n.text)
    assert (note.kind, note.rows, note.affected) == ("unknown", ("S1",), 1)


def test_harm_that_is_missing_before_the_first_year_of_work_does_not_count():
    frame, harm = two_hazards()
    whole = list_options(frame, ACTIVITIES, harm, years=[2028])
    gap = list_options(frame, ACTIVITIES, harm.assign(harm=[np.nan, 0.2, 0.1, 0.1]), years=[2028])
    pd.testing.assert_frame_equal(whole, gap)


def test_people_who_are_missing_in_a_year_are_not_taught_for_nothing():
    frame, harm = two_hazards()
    options = list_options(frame, ACTIVITIES, harm.assign(people=[np.nan, 300.0, 300.0, 300.0]))
    assert set(options.loc[options.activity == "eore", "hazard_id"]) == {"S2"}
    assert any("no number of people in some years: eore" in n.text for n in options.attrs["notes"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f, h: (f, h.assign(year=[2027, np.nan] * 2)), "harm: rows 2, 4, year 'nan' is not a whole"),
        (
            lambda f, h: (f, h.assign(year=pd.to_datetime(["2027-01-01", "2028-01-01"] * 2))),
            "of dates with .dt.year",
        ),
        (
            lambda f, h: (f, h.assign(year=["a", "b"] * 2)),
            "harm: rows 1, 2, 3, 4, year 'a' is not a whole number",
        ),
        (lambda f, h: (f, h.assign(year=[2027, 2027.5] * 2)), "harm: rows 2, 4, year '2027.5'"),
        (
            lambda f, h: (f, h.assign(harm=[np.inf, 1, 1, 1])),
            "harm: row 1, harm 'inf' is not a finite number",
        ),
        (lambda f, h: (f, h.assign(harm=["much", 1, 1, 1])), "harm: row 1, harm 'much' is not a finite"),
        (lambda f, h: (f, h.assign(people=["many", 1, 1, 1])), "harm: row 1, people 'many' is not"),
        (lambda f, h: (f.assign(area_m2=[1.0, np.inf]), h), "facts: row 2, area_m2 'inf' is not a finite"),
        (lambda f, h: (f.assign(area_m2=["big", 1.0]), h), "facts: row 1, area_m2 'big' is not a finite"),
    ],
)
def test_what_is_no_year_or_no_number_is_refused_by_row(change, message):
    frame, harm = change(*two_hazards())
    with pytest.raises(DataError, match=message):
        list_options(frame, ACTIVITIES, harm)


@pytest.mark.parametrize("years", [2027, "2027", [2027.5], [2040], []])
def test_years_of_work_are_a_list_of_years_that_harm_covers(years):
    frame, harm = two_hazards()
    with pytest.raises(DataError, match="years"):
        list_options(frame, ACTIVITIES, harm, years=years)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"facts": None}, "facts: this is no table but NoneType; give the hazards"),
        (
            {"facts": pd.concat([facts(), facts()[["area_m2"]]], axis=1)},
            "facts: two columns are named 'area_m2'",
        ),
        ({"activities": None}, "activities: None is no list of activities; give ccm_geo.ACTIVITIES"),
        ({"activities": CLEAR}, "is no list of activities"),
        ({"harm": None}, "expected_harm"),
        ({"keep": "adm1"}, r"keep 'adm1' is no list of columns; give keep=\['adm1'\]"),
    ],
)
def test_what_is_no_table_or_no_list_is_refused_with_the_cure(change, message):
    given = {"facts": facts(adm1="N"), "activities": [CLEAR], "harm": harm_of(facts()), **change}
    with pytest.raises(DataError, match=message):
        list_options(**given)


def test_relative_harm_is_said():
    frame = facts()
    options = list_options(frame, [CLEAR], harm_of(frame, relative=True))
    assert options.attrs["benefit_unit"] == "relative"
    assert any("harm is relative" in n.text for n in options.attrs["notes"])


def test_every_default_number_has_a_source_or_is_a_placeholder():
    table = sources_table()
    assert (table.source.str.len() > 10).all()
    assert (table.source.str.startswith("placeholder") == table.placeholder).all()
    assert not table[table.activity.isin(["bac", "clearance"])].placeholder.any()
    assert table[table.activity.isin(["eore", "marking"])].placeholder.all()


def test_rows_with_placeholders_are_flagged_and_own_numbers_are_not():
    frame = facts()
    options = list_options(frame, ACTIVITIES, harm_of(frame))
    flagged = options.groupby("activity", observed=True).placeholder.first()
    assert flagged.to_dict() == {"nts": True, "ts": True, "bac": False, "marking": True, "eore": True}
    own = [dataclasses.replace(a, fixed_team_months=0.2) if a.activity == "nts" else a for a in ACTIVITIES]
    options = list_options(frame, own, harm_of(frame))
    assert not options[options.activity == "nts"].placeholder.any()


def test_activities_as_a_table_take_the_rest_from_the_defaults():
    table = pd.DataFrame({"activity": ["bac"], "usd_per_m2": [0.5], "source": ["our books"], "year": [2025]})
    bac = read_activities(table)[0]
    assert (bac.leads_to, bac.instead_of) == ("released", "clearance")
    assert bac.usd_per_m2 == Figure(value=0.5, source="our books", year=2025)
    assert bac.m2_per_team_month.country == "Lao PDR"


def test_the_most_particular_row_of_an_activity_is_taken():
    steep = dataclasses.replace(CLEAR, usd_per_m2=9.0, land_use=("forest",))
    frame = pd.DataFrame({"hazard_id": ["a", "b"], "area_m2": 100.0, "land_use": ["forest", "crops"]})
    options = list_options(frame, [CLEAR, steep], harm_of(frame))
    assert options.groupby("hazard_id", observed=True).cost_usd.first().to_dict() == {"a": 900.0, "b": 50.0}


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Activity(activity="x", leads_to="cleared"), "use one of confirmed, surveyed, released"),
        (lambda: Activity(activity="x", risk_removed=1.2), "a share from 0 to 1"),
        (lambda: Activity(activity="x", fixed_usd=-1), "a number >= 0"),
        (lambda: read_activities([]), "there is none"),
        (lambda: read_activities(["nts"]), "is not an Activity"),
        (lambda: read_activities(pd.DataFrame({"activity": ["nts"], "price": [1]})), "unknown columns"),
        (
            lambda: read_activities([TS, dataclasses.replace(TS, activity="ts2", area_left_share=0.1)]),
            "both lead to",
        ),
    ],
)
def test_wrong_activities_are_refused(build, message):
    with pytest.raises(DataError, match=message):
        build()


def test_risk_education_is_not_offered_where_nobody_is_counted():
    facts = pd.DataFrame(
        {"hazard_id": ["A", "B"], "hazard_class": "CHA", "ordnance": "ap_mine", "area_m2": 5e3}
    )
    harm = pd.DataFrame({"hazard_id": ["A", "B"], "year": 2027, "harm": 0.2, "people": [0.0, 40.0]})
    table = list_options(facts, ACTIVITIES, harm)
    assert set(table.loc[table["activity"] == "eore", "hazard_id"]) == {"B"}
    (note,) = [n for n in table.attrs["notes"] if "nobody counted within reach" in n.text]
    assert (note.affected, note.rows) == (1, ("A",))
