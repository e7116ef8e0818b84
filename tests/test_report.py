"""The workbook and the GeoPackage say all there is to say, and texts in them stay texts."""

import datetime as dt
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest
import shapely

from ccm_geo.errors import CRSError, DataError, SourceError
from ccm_geo.planning import (
    HALT,
    Budget,
    BudgetCut,
    Compact,
    Complete,
    Deadline,
    Donors,
    Finish,
    Funding,
    Goal,
    Grant,
    LockOut,
    halt,
    plan_under,
    prioritize,
    prioritize_goals,
)
from ccm_geo.report import write_gpkg, write_report
from ccm_geo.report.rule_sheets import _spoken_limit
from ccm_geo.report.sheets import MOST_LETTERS, Sheet, clean_text, number_format, write_book
from ccm_geo.schemas import Note
from ccm_geo.scoring import DISPLACEMENT, RISK, score

HOSTILE = [
    '=HYPERLINK("http://example.org","click")',
    "<img src=x onerror=alert(1)>",
    "{{7*7}}",
    "@SUM(1+1)",
    "+1-1",
    "ບ້ານ\x00 ໂພນ\x0bສະຫວັນ",
    "https://example.org",
    "_x0041_ &P &D",
]


@pytest.fixture
def facts():
    return make_facts()


def make_facts():
    n = len(HOSTILE)
    table = gpd.GeoDataFrame(
        {
            "hazard_id": [f"{i:03d}" for i in range(1, n + 1)],
            "name": HOSTILE,
            "hazard_class": ["CHA", "SHA"] * (n // 2),
            "status": "open",
            "ordnance": "cluster",
            "land_use": "crops",
            "adm1": "Upper Talva",
            "surveyed_on": pd.to_datetime(["2020-02-03", None, "1850-01-01", *["2021-01-01"] * (n - 3)]),
            "people_near": [100.0, np.nan, 5_000.0, 0.0, 10.0, 20.0, 30.0, np.inf],
            "accidents_near": [1.0, 0, 4, 0, 0, 0, 0, 0],
            "area_m2": 10_000.0,
            "marked": [True, False] * (n // 2),
        },
        geometry=shapely.box(np.arange(n), 10.0, np.arange(n) + 0.01, 10.01),
        crs="EPSG:4326",
    )
    table.attrs["notes"] = (
        Note("hazards", "repaired", "1 outline crosses itself; mended.", 1, ("3",)),
        Note("hazards", "dropped", "Column victim_name is personal; dropped."),
    )
    table.attrs["source"] = [
        {"file": "hazards.gpkg", "sha256": "0123456789abcdef", "rows": 8, "layer": "hazards"}
    ]
    return table


def story():
    return "3 activities on 2 of 8 hazards.\nGap at most 0.1 %."


class Told(SimpleNamespace):
    def __str__(self):
        return story()


@pytest.fixture
def plan(facts):
    return make_plan(facts)


def make_plan(facts):
    table = pd.DataFrame(
        {
            "option_id": ["a", "b", "c"],
            "hazard_id": pd.Categorical(["001", "003", "003"]),
            "activity": ["nts", "nts", "bac"],
            "year": [2027, 2027, 2028],
            "cost_usd": [800.0, 800.0, 4_000.5],
            "team_months": [0.1, 0.1, 0.5],
            "benefit": [0.0, 0.0, 0.25],
            "area_m2": [10_000.0, 10_000.0, 5_200.0],
            "cancelled_m2": [4_800.0, 4_800.0, 0.0],
            "reduced_m2": 0.0,
            "cleared_m2": [0.0, 0.0, 5_200.0],
            "left_m2": [5_200.0, 5_200.0, 0.0],
            "placeholder": [True, True, False],
            "adm1": "Upper Talva",
            "lon": [0.005, 2.005, np.nan],
            "lat": [10.005, 10.005, np.nan],
        }
    )
    ids = facts["hazard_id"].tolist()[:7]  # no option was offered for the last one
    chosen = [i in {"001", "003"} for i in ids]
    reasons = pd.DataFrame(
        {
            "chosen": chosen,
            "activities": ["nts 2027", None, "nts 2027, bac 2028", None, None, None, None],
            "first_year": [2027, np.nan, 2027, *[np.nan] * 4],
            "last_year": [2027, np.nan, 2028, *[np.nan] * 4],
            "reason": [f"because of {i}" for i in ids],
            "price_gap": [0.0, 0.1, 0.0, 0.2, 0.3, 0.4, 0.5],
        },
        index=pd.Index(ids, name="hazard_id"),
    )
    use = pd.DataFrame(
        {
            "rule": ["Budget", "Budget"],
            "row": ["Budget 2027", "Budget 2028"],
            "limit": [2_000.0, 5_000.0],
            "used": [1_600.0, 4_000.5],
            "price": [2e-5, 0.0],
        }
    )
    return Told(
        table=table,
        options=table,
        rules=(SimpleNamespace(title="Budget", of="cost_usd"),),
        benefit_unit="accidents averted",
        benefit=0.25,
        bound=0.25,
        gap=0.0,
        cost_usd=5_600.5,
        use=use,
        bonuses=pd.DataFrame(columns=["rule", "what", "bonus"]),
        notes=(Note("plan", "advice", "Two years are short."),),
        checked=("every budget added up again",),
        run_id="abc123",
        reasons=reasons,
    )


def rows_of(path, sheet):
    page = openpyxl.load_workbook(path)[sheet]
    head, *body = [[cell.value for cell in row] for row in page.iter_rows()]
    return [dict(zip(head, row, strict=True)) for row in body]


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    facts, tmp_path = make_facts(), tmp_path_factory.mktemp("book")
    plan = make_plan(facts)
    known = facts.assign(people_near=facts["people_near"].replace(np.inf, 40.0))
    scores = {"risk": score(known, RISK), "displacement": score(known.assign(arrivals=5.0), DISPLACEMENT)}
    known.attrs = facts.attrs
    return write_report(plan, known, tmp_path / "out" / "plan.xlsx", scores=scores, definitions=(RISK,))


def test_workbook_has_its_sheets_in_order(book):
    assert openpyxl.load_workbook(book).sheetnames == [
        "Read me",
        "Ranked list",
        "Score parts",
        "Plan by year",
        "What each rule costs",
        "Not in the plan",
        "Data problems",
        "Assumptions and sources",
    ]


def test_nothing_in_the_workbook_is_a_formula_or_a_link(book):
    for page in openpyxl.load_workbook(book):
        assert not page._hyperlinks
        assert {cell.data_type for row in page.iter_rows() for cell in row} <= {"s", "n", "d"}


def test_hostile_names_come_back_as_they_were_without_control_characters(book):
    names = {row["hazard_id"]: row["name"] for row in rows_of(book, "Ranked list")}
    assert [names[f"{i:03d}"] for i in range(1, 6)] == HOSTILE[:5]
    assert names["006"] == "ບ້ານ ໂພນສະຫວັນ"
    assert names["008"] in {HOSTILE[7], "_x005F" + HOSTILE[7]}  # Excel's own escape; openpyxl may leave it in


def test_ranked_list_holds_every_hazard_in_order_of_rank(book):
    rows = rows_of(book, "Ranked list")
    assert sorted(row["hazard_id"] for row in rows) == [f"{i:03d}" for i in range(1, 9)]
    ranks = [row["rank"] for row in rows]
    assert ranks == sorted(ranks)
    top = rows[0]
    assert (top["hazard_id"], top["rank"], top["first_year"]) == ("003", 1, 2027)
    assert top["activities"] == "nts 2027, bac 2028"
    assert "displacement: score" in top


def test_missing_value_is_an_empty_cell_and_never_zero(book):
    row = next(row for row in rows_of(book, "Ranked list") if row["hazard_id"] == "002")
    assert row["people_near"] is None
    parts = next(row for row in rows_of(book, "Score parts") if row["hazard_id"] == "002")
    assert parts["risk: from_people"] is None
    assert "people_near" in parts["risk: missing"]


def test_score_parts_of_a_row_add_up_to_its_score(book):
    for row in rows_of(book, "Score parts"):
        given = [v for k, v in row.items() if k.startswith("risk: from_") and v is not None]
        assert sum(given) == pytest.approx(row["risk: score"])


def test_years_have_totals_with_money_used_of_the_budget(book):
    rows = rows_of(book, "Plan by year")
    assert [row["hazard_id"] for row in rows] == [
        "001",
        "003",
        "Total 2027: 2 activities, 1,600 of 2,000 USD (80.0%)",
        "003",
        "Total 2028: 1 activity, 4,000 of 5,000 USD (80.0%)",
        "Total of all years",
    ]
    assert [row["cost_usd"] for row in rows] == [800, 800, 1600, 4000.5, 4000.5, 5600.5]
    last = rows[-1]
    assert (last["cancelled_m2"], last["cleared_m2"], last["left_m2"]) == (9_600, 5_200, 5_200)
    assert last["benefit"] == 0.25


def test_rules_say_in_words_what_more_money_would_bring(book):
    words = [row["in_words"] for row in rows_of(book, "What each rule costs")]
    assert words == [
        "100,000 USD more here would bring about 2 accidents averted",
        "costs nothing: a little more or less of it changes nothing",
    ]


def test_hazards_left_out_stand_with_their_reason(book):
    rows = {row["hazard_id"]: row for row in rows_of(book, "Not in the plan")}
    assert set(rows) == {"002", "004", "005", "006", "007", "008"}
    assert rows["004"]["reason"] == "because of 004"
    assert rows["008"]["reason"].startswith("no option was offered for it")
    assert rows["002"]["price_gap"] == 0.1


def test_closed_hazards_say_why_nothing_is_planned(tmp_path, plan, facts):
    closed = facts.assign(status=["open"] * 7 + ["handed_over"])
    rows = rows_of(write_report(plan, closed, tmp_path / "plan.xlsx"), "Not in the plan")
    assert rows[-1]["hazard_id"] == "008"  # behind those that have options
    assert rows[-1]["reason"] == "handed over in the record: nothing is planned for it"


def test_floor_that_binds_says_what_it_costs(tmp_path, plan, facts):
    plan.use = plan.use.assign(
        rule=["Share of adm2", "Teams"], row=["Share of adm2 North", "Teams"], price=[-1e-6, 0.5]
    )
    plan.rules = (
        SimpleNamespace(title="Share of adm2", of="cost_usd"),
        SimpleNamespace(title="Teams", of="team_months"),
    )
    rows = rows_of(write_report(plan, facts, tmp_path / "plan.xlsx"), "What each rule costs")
    assert [row["in_words"] for row in rows] == [
        "100,000 USD more here would cost about 0.1 accidents averted",
        "1 team-month more here would bring about 0.5 accidents averted",
    ]
    assert [row["unit"] for row in rows] == ["USD", "team-months"]
    assert [row["price (accidents averted per unit)"] for row in rows] == [-1e-6, 0.5]


def test_data_problems_collects_notes_of_facts_and_plan(book):
    rows = rows_of(book, "Data problems")
    assert [row["kind"] for row in rows[:2]] == ["dropped", "repaired"]
    assert rows[1] == {
        "table": "hazards",
        "kind": "repaired",
        "text": "1 outline crosses itself; mended.",
        "affected": 1,
        "rows": "3",
    }
    assert "Two years are short." in [row["text"] for row in rows]


def test_read_me_warns_and_names_run_inputs_and_columns(book):
    page = openpyxl.load_workbook(book)["Read me"]
    text = "\n".join(str(c.value) for row in page.iter_rows() for c in row if c.value)
    for part in (
        "Only the national mine action authority releases land. Blank is not safe",
        "abc123",
        "every budget added up again",
        "2 of 3 activities rest on placeholder numbers",
        "3 activities on 2 of 8 hazards.",
        "hazards.gpkg, 8 rows, layer hazards, 0123456789abcdef",
        "ccm_geo",
        "people living within the distance chosen",
    ):
        assert part in text


def test_assumptions_list_weights_with_their_reasons(book):
    rows = rows_of(book, "Assumptions and sources")
    people = next(row for row in rows if row["of"] == "people_near")
    assert people["value"] == 40
    assert "anyone be hurt" in people["reason"]


def test_sheets_freeze_filter_and_print_on_landscape_pages(book):
    page = openpyxl.load_workbook(book)["Ranked list"]
    assert page.freeze_panes == "B2"
    assert page.auto_filter.ref.startswith("A1:")
    assert page.page_setup.orientation == "landscape"
    assert page.page_setup.fitToHeight == 0
    assert page.print_title_rows == "$1:$1"
    assert "abc123" in page.oddFooter.left.text
    plans = openpyxl.load_workbook(book)["Plan by year"]
    assert [plans.row_dimensions[i].outlineLevel for i in (2, 3, 4, 5, 6)] == [1, 1, 0, 1, 0]


def test_inputs_of_the_report_are_not_changed(tmp_path, plan, facts):
    before, chosen = facts.copy(), plan.table.copy()
    write_report(plan, facts, tmp_path / "plan.xlsx")
    write_gpkg(facts, tmp_path / "plan.gpkg", plan=plan)
    pd.testing.assert_frame_equal(pd.DataFrame(facts), pd.DataFrame(before))
    pd.testing.assert_frame_equal(plan.table, chosen)


def test_report_without_scores_says_so(tmp_path, plan, facts):
    path = write_report(plan, facts, tmp_path / "plan.xlsx")
    assert [r["hazard_id"] for r in rows_of(path, "Ranked list")] == facts["hazard_id"].tolist()
    assert rows_of(path, "Score parts") == [{"note": "No score was given to the report."}]
    assert rows_of(path, "Ranked list")[-1]["people_near"] == "unlimited"


def test_plan_that_does_nothing_still_makes_a_report(tmp_path, plan, facts):
    plan.table = plan.table.iloc[:0]
    plan.reasons = plan.reasons.assign(chosen=False)
    path = write_report(plan, facts, tmp_path / "plan.xlsx")
    assert [r["hazard_id"] for r in rows_of(path, "Plan by year")] == ["Total of all years"]
    assert len(rows_of(path, "Not in the plan")) == 8


def test_scores_of_another_table_are_refused(tmp_path, plan, facts):
    other = score(facts.iloc[:3].assign(people_near=1.0), RISK)
    with pytest.raises(DataError, match=r"scores risk: its rows are not those of facts \(3 and 8\)"):
        write_report(plan, facts, tmp_path / "plan.xlsx", scores=other)
    with pytest.raises(DataError, match="scores risk: its rows are not those of facts"):
        write_gpkg(facts, tmp_path / "plan.gpkg", scores=other)
    assert list(tmp_path.iterdir()) == []


def test_report_that_cannot_be_written_names_the_file(tmp_path, plan, facts):
    with pytest.raises(SourceError, match="this is a folder"):
        write_report(plan, facts, tmp_path)


def test_text_longer_than_a_cell_is_cut_by_utf16_units():
    long = "🚧" * 20_000  # two units each
    cut = clean_text(long)
    assert cut.endswith(" [cut here]")
    assert len(cut.encode("utf-16-le")) // 2 <= MOST_LETTERS
    assert clean_text("a\ud800b\ufffe") == "ab"


def test_table_longer_than_a_sheet_ends_with_a_remark(tmp_path, monkeypatch):
    monkeypatch.setattr("ccm_geo.report.sheets.MOST_ROWS", 5)
    sheet = Sheet(name="Long", table=pd.DataFrame({"year": range(10)}), about="")
    path = tmp_path / "long.xlsx"
    write_book(str(path), [sheet], title="t", footer="f", created=datetime(2026, 1, 1, tzinfo=UTC))
    assert [list(row.values())[0] for row in rows_of(path, "Long")] == [  # noqa: RUF015 - one column
        0,
        1,
        2,
        "7 more rows do not fit into a sheet of Excel",
    ]


def test_every_kind_of_value_finds_its_cell(tmp_path):
    table = pd.DataFrame(
        {
            "mixed": [1, True, [1, 2], None, 2.5, "01", np.nan, pd.NaT],
            "flag": pd.array([True, False, None, True] * 2, dtype="boolean"),
            "count": pd.array([1, None, 3, 4] * 2, dtype="Int64"),
            "day": pd.to_datetime(["2026-08-01", None, "1900-02-28", "1900-03-01"] * 2).tz_localize(
                "Asia/Vientiane"
            ),
            "year": [-np.inf, np.inf, 0.1, 12_345_678.91, 1e-7, np.nan, 0, 1],
            "text": ["a\r\nb", " c ", "", None, "_x0041_", "<&>", "=1+1", "x"],
        }
    )
    path = tmp_path / "kinds.xlsx"
    made = datetime(2026, 1, 1, tzinfo=UTC)
    write_book(str(path), [Sheet(name="Kinds", table=table, about="")], title="t", footer="f", created=made)
    rows = rows_of(path, "Kinds")
    assert [row["mixed"] for row in rows] == [1, "yes", "[1, 2]", None, 2.5, "01", None, None]
    assert [row["flag"] for row in rows[:4]] == ["yes", "no", None, "yes"]
    assert [row["count"] for row in rows[:4]] == [1, None, 3, 4]
    days = [row["day"] for row in rows[:4]]
    assert days == [datetime(2026, 8, 1), None, "1900-02-28", "1900-03-01"]  # noqa: DTZ001
    assert [row["year"] for row in rows] == [
        "minus unlimited",
        "unlimited",
        0.1,
        12_345_678.91,
        1e-7,
        None,
        0,
        1,
    ]
    assert [row["text"] for row in rows[:4]] == ["a\nb", " c ", None, None]
    assert [row["text"] for row in rows[5:]] == ["<&>", "=1+1", "x"]


@pytest.mark.parametrize(
    ("column", "shown"),
    [
        ("cost_usd", "#,##0"),
        ("usd_per_m2", "#,##0.00"),
        ("year", "0"),
        ("first_year", "0"),
        ("p_contaminated", "0.0%"),
        ("risk: from_people", "0.0"),
        ("name", "General"),
        ("harm", "#,##0.0000"),
    ],
)
def test_numbers_are_shown_as_their_unit_asks(column, shown):
    assert number_format(column) == shown


def test_gpkg_holds_hazards_with_scores_and_plan(tmp_path, plan, facts):
    known = facts.assign(people_near=5.0)
    path = write_gpkg(known, tmp_path / "plan.gpkg", plan=plan, scores=score(known, RISK))
    assert {name for name, _ in pyogrio.list_layers(path)} == {"hazards", "plan", "layer_styles"}
    layer = gpd.read_file(path, layer="hazards")
    assert layer["name"].tolist() == [name.replace("\x00", "").replace("\x0b", "") for name in HOSTILE]
    assert layer.crs == facts.crs
    assert layer.geom_type.unique().tolist() == ["MultiPolygon"]
    assert layer["in_plan"].tolist() == [True, False, True, *[False] * 5]
    assert layer.loc[2, ["plan_first_year", "plan_last_year"]].tolist() == [2027, 2028]
    assert layer["risk_score"].notna().all()
    rows = gpd.read_file(path, layer="plan")
    assert rows["activity"].tolist() == ["nts", "nts", "bac"]
    assert rows.geometry.isna().tolist() == [False, False, True]


def test_gpkg_styles_are_complete_and_registered(tmp_path, plan, facts):
    known = facts.assign(people_near=5.0, arrivals=3.0)
    scores = {"risk": score(known, RISK), "displacement": score(known, DISPLACEMENT)}
    path = write_gpkg(known, tmp_path / "plan.gpkg", plan=plan, scores=scores)
    with closing(sqlite3.connect(path)) as base:
        kind = base.execute("select data_type from gpkg_contents where table_name='layer_styles'").fetchall()
        rows = base.execute(
            "select f_table_name, f_geometry_column, styleName, styleQML, useAsDefault from layer_styles"
        ).fetchall()
        geometry = dict(base.execute("select table_name, column_name from gpkg_geometry_columns").fetchall())
        assert base.execute("pragma integrity_check").fetchone() == ("ok",)
    assert kind == [("attributes",)]
    assert [(r[0], r[2], r[4]) for r in rows] == [
        ("hazards", "risk class", 1),
        ("hazards", "displacement class", 0),
        ("hazards", "year of plan", 0),
        ("plan", "by year", 1),
    ]
    assert {r[0]: r[1] for r in rows} == geometry
    for _, _, _, qml, _ in rows:
        tree = ET.fromstring(qml.split("\n", 1)[1])  # noqa: S314 - our own text
        symbols = {s.get("name") for s in tree.iter("symbol")}
        assert {c.get("symbol") for c in tree.iter("category")} == symbols
    classes = ET.fromstring(rows[0][3].split("\n", 1)[1])  # noqa: S314
    assert classes.find("renderer-v2").get("attr") == "risk_class"
    assert [c.get("value") for c in classes.iter("category")] == [*reversed(RISK.labels), ""]


def test_score_labels_with_markup_make_a_sound_style(tmp_path, facts):
    named = replace(RISK, labels=('"low" & <lower>', "b", "c", "d", "e"))
    path = write_gpkg(facts, tmp_path / "a.gpkg", scores=score(facts.assign(people_near=5.0), named))
    with closing(sqlite3.connect(path)) as base:
        (qml,) = base.execute("select styleQML from layer_styles").fetchone()
    tree = ET.fromstring(qml.split("\n", 1)[1])  # noqa: S314
    assert '"low" & <lower>' in [c.get("value") for c in tree.iter("category")]


def test_gpkg_takes_awkward_columns(tmp_path, facts):
    awkward = facts.assign(
        fid=range(8),
        Name="again",
        mixed=[1, "a", None, 2.5, [1], {"k": 1}, True, b"x"],
        kind=pd.Categorical(["a", "b"] * 4),
        span=pd.to_timedelta(range(8), unit="D"),
        origin=facts.geometry,  # a second geometry
    )
    layer = gpd.read_file(write_gpkg(awkward, tmp_path / "a.gpkg"))
    assert layer["fid_"].tolist() == list(range(8))
    assert layer["Name_"].tolist() == ["again"] * 8
    assert layer["mixed"].tolist()[:2] == ["1", "a"]
    assert "origin" not in layer


def test_gpkg_without_crs_is_refused_with_the_cure(tmp_path, facts):
    with pytest.raises(CRSError, match="say which one it is with crs="):
        write_gpkg(facts.set_crs(None, allow_override=True), tmp_path / "a.gpkg")


def test_gpkg_replaces_an_old_one_whole(tmp_path, plan, facts):
    path = write_gpkg(facts, tmp_path / "a.gpkg", plan=plan)
    write_gpkg(facts.iloc[:2], path)
    assert [name for name, _ in pyogrio.list_layers(path)] == ["hazards"]
    assert [p.name for p in tmp_path.iterdir()] == ["a.gpkg"]


@pytest.fixture(scope="module")
def agreed(tmp_path_factory):
    """A workbook of three hazards that two donors pay, with a deadline, a promise and bonuses."""
    options = pd.DataFrame(
        {
            "option_id": list("abc"),
            "hazard_id": ["001", "002", "003"],
            "year": 2027,
            "activity": "bac",
            "state_from": "confirmed",
            "state_to": "released",
            "cost_usd": [300.0, 500.0, 900.0],
            "benefit": [1.0, 2.0, 1.0],
            "village": ["=1+1", "=1+1", "Orka"],
            "area_m2": 10_000.0,
            "cleared_m2": 10_000.0,
            "cancelled_m2": 0.0,
            "reduced_m2": 0.0,
        }
    )
    rules = [
        Donors(Grant("@Norway", 400.0, where={"hazard_id": "001"}), Grant("Pooled fund", {2027: 700.0})),
        Deadline(2027, least=20_000.0),
        Finish("001"),
        LockOut("003"),
        Complete("village", bonus=0.25),
        Compact([("001", "002")], worth=0.5),
    ]
    path = tmp_path_factory.mktemp("agreed") / "plan.xlsx"
    return write_report(prioritize(options, rules), make_facts(), path)


def test_sheet_who_pays_adds_up_by_grant(agreed):
    rows = [(r["grant"], r["paid_usd"]) for r in rows_of(agreed, "Who pays")]
    assert rows == [
        ("@Norway", 300),
        ("Total @Norway: 300.00 of 400.00 USD, 100.00 not needed", 300),
        ("Pooled fund", 500),
        ("Total Pooled fund: 500.00 of 700.00 USD, 200.00 not needed", 500),
        ("Total of all grants", 800),
    ]


def test_sheet_bonuses_lists_what_hazards_bring_together(agreed):
    assert [(r["what"], r["bonus"]) for r in rows_of(agreed, "Bonuses")] == [
        ("=1+1 by 2027", 0.25),
        (None, 0.25),
        ("001 and 002 in 2027", 0.5),
        (None, 0.5),
    ]
    (cell,) = [
        c for row in openpyxl.load_workbook(agreed)["Bonuses"] for c in row if c.value == "=1+1 by 2027"
    ]
    assert cell.data_type == "s"


def test_every_rule_of_a_plan_says_how_it_stands(agreed):
    words = {row["rule"]: row["in_words"] for row in rows_of(agreed, "What each rule costs")}
    assert words["Deadline 2027"] == "2.0 ha released by the end of 2027, 2.0 asked for: costs nothing"
    assert words["Finish 001"] == "brought to the last state, the last work in 2027"
    assert words["LockOut 003"] == "kept: nothing is planned there"
    assert words["Complete village"] == "1 of 2 earned: 0.25 of bonuses in all, as the rule puts it"
    assert words["Compact"] == "1 earned: 0.5 of bonuses in all, as the rule puts it"


def test_prices_that_count_bonuses_in_say_so_in_their_heading(agreed):
    rows = rows_of(agreed, "What each rule costs")
    assert "price (accidents averted and bonuses per unit)" in rows[0]
    units = {row["rule"]: row["unit"] for row in rows}
    assert units["Deadline 2027"] == "m2"


def test_deadline_that_binds_says_what_a_percent_more_would_cost():
    row = {"rule": "D", "limit": 4e6, "used": 4e6, "price": -1e-5}
    state = "400.0 ha released by the end of 2029, 400.0 asked for"
    words = f"{state}: it binds; 1 % more would cost about 0.4 accidents"
    assert _spoken_limit(row, Deadline(2029, share=0.5), "accidents") == words
    words = "3 hazards released by the end of 2029, 3 asked for: costs nothing"
    row = {"rule": "D", "limit": 3.0, "used": 3.0, "price": 0.0}
    assert _spoken_limit(row, Deadline(2029, least=3, of="hazards"), "accidents") == words


def test_bonuses_stand_among_the_numbers_that_have_no_source(agreed):
    rows = [r for r in rows_of(agreed, "Assumptions and sources") if r["about"] == "rule"]
    assert [(r["of"], r["number"], r["value"]) for r in rows] == [
        ("Complete village", "bonus", 0.25),
        ("Compact", "worth", 0.5),
    ]
    assert all("no source" in r["source"] for r in rows)


def test_plan_without_donors_and_bonuses_has_no_sheets_for_them(book):
    assert not {"Who pays", "Bonuses"} & set(openpyxl.load_workbook(book).sheetnames)


@pytest.fixture(scope="module")
def fields():
    """Three areas of 400 USD each that can be cleared in 2027 or, for half the benefit, in 2028."""
    rows = [
        {
            "option_id": f"{hazard} {year}",
            "hazard_id": hazard,
            "activity": "clearance",
            "year": year,
            "state_from": "confirmed",
            "state_to": "released",
            "cost_usd": 400.0,
            "team_months": 6.0,
            "benefit": averted / (year - 2026),
            "people": people,
            "area_m2": 10_000.0,
            "cancelled_m2": 0.0,
            "reduced_m2": 0.0,
            "cleared_m2": 10_000.0,
            "left_m2": 0.0,
            "adm1": region,
        }
        for hazard, averted, people, region in (
            ("001", 8.0, 90.0, "North"),
            ("002", 4.0, 50.0, "North"),
            ("003", 2.0, 70.0, None),
        )
        for year in (2027, 2028)
    ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def uncertain(tmp_path_factory, fields):
    """A workbook of a plan whose second year may bring nothing, and that is stopped in it."""
    cuts = {"=1+1": (0.25, BudgetCut(1.0, since=2028))}
    funding = Funding.around(Budget({2027: 400.0, 2028: 800.0}), cuts, known_from=2028)
    found = plan_under(fields, funding, gap=0.0)
    stop = halt(found.plan, on=dt.date(2028, 7, 1), notice_weeks=4, money=7_250.0, costs=HALT)
    path = tmp_path_factory.mktemp("uncertain") / "plan.xlsx"
    return write_report(found, make_facts(), path, halt=stop, definitions=(HALT,))


def test_sheet_scenarios_lists_what_may_come_and_what_is_expected(uncertain):
    rows = rows_of(uncertain, "Scenarios")
    assert [(r["scenario"], r["probability"], r["money_usd 2028"], r["benefit"]) for r in rows] == [
        ("as promised", 0.75, 800, 11),
        ("=1+1", 0.25, 0, 8),
        ("Expected", 1, 600, 10.25),
        ("Mean of the worst 20%", None, None, 8),
    ]
    (cell,) = [c for row in openpyxl.load_workbook(uncertain)["Scenarios"] for c in row if c.value == "=1+1"]
    assert cell.data_type == "s"


def test_sheets_tell_what_is_decided_now_and_what_changes_by_scenario(uncertain):
    now = rows_of(uncertain, "Decided now")
    assert [(r["hazard_id"], r["naive"], r["cost_usd"]) for r in now] == [
        ("001", "yes", 400),
        ("Total 2027: 1 activity, 400 of 400 USD (100.0%)", None, 400),
        ("Total of all years", None, 400),
    ]
    rows = rows_of(uncertain, "By scenario")
    assert [(r["hazard_id"], r["as promised (75%)"], r["=1+1 (25%)"]) for r in rows] == [
        ("002", "clearance 2028", "not in the plan"),
        ("003", "clearance 2028", "not in the plan"),
    ]
    assert [r["hazard_id"] for r in rows_of(uncertain, "Plan by year")][:4] == [
        "001",
        "Total 2027: 1 activity, 400 of 400 USD (100.0%)",
        "002",
        "003",
    ]


def test_read_me_of_an_uncertain_plan_says_which_scenario_is_shown(uncertain):
    page = openpyxl.load_workbook(uncertain)["Read me"]
    text = "\n".join(str(c.value) for row in page.iter_rows() for c in row if c.value)
    for words in (
        "Plan under 2 scenarios of money",
        "show the one for 'as promised' (75%); before 2028 it is the same whatever comes",
        "If 'as promised' comes, and the money then stops:",
        "On 1 July 2028 the money stops, with 4 weeks' notice and 7,250 USD to stop.",
        "yes where planning as if the promise were certain decides the same",
    ):
        assert words in text


def test_sheets_of_a_halt_add_up(uncertain):
    actions = rows_of(uncertain, "If the money stops")
    totals = [r for r in actions if r["action"].startswith("Total")]
    assert sum(r["cost_usd"] for r in totals) == sum(r["cost_usd"] for r in actions if r not in totals)
    costs = rows_of(uncertain, "Cost of stopping")
    (now,) = [r["usd"] for r in costs if r["item"] == "Total now"]
    assert now == pytest.approx(sum(r["usd"] for r in costs if r["when"] == "now"))
    assert sum(r["cost_usd"] for r in totals) <= now <= 7_250
    left = [(r["adm1"], r["hazard_id"], r["people"]) for r in rows_of(uncertain, "Left exposed")]
    assert left == [(None, "003", 70), ("Total no region: 1 area", None, 70)]
    numbers = [r["number"] for r in rows_of(uncertain, "Assumptions and sources") if r["about"] == "halt"]
    assert len(numbers) == 13


def test_sheet_goals_says_what_later_goals_took(tmp_path, fields):
    goals = [Goal(tolerance=0.5), Goal("people", counted="release", tolerance=0.0)]
    found = prioritize_goals(fields, [Budget({2027: 800.0, 2028: 0.0})], goals, exact=True)
    rows = rows_of(write_report(found, make_facts(), tmp_path / "plan.xlsx"), "Goals")
    # 001 and 002 avert 12; 001 and 003 avert 10 and are worth 20 people more
    assert [(r["rank"], r["goal"], r["reached"], r["final"]) for r in rows] == [
        (1, "most benefit", 12, 10),
        (2, "most people", 160, 160),
    ]
    assert rows[0]["in_words"] == (
        "when it was its turn within 0.00% of the best (proven); later goals took 16.67% of it and may take "
        "50.00%"
    )


def test_sheet_goals_tells_bonuses_apart(tmp_path, fields):
    rules = [Budget({2027: 800.0, 2028: 0.0}), Complete("hazard_id", bonus={"001": 0.5})]
    found = prioritize_goals(fields, rules, [Goal()], exact=True)
    (row,) = rows_of(write_report(found, make_facts(), tmp_path / "plan.xlsx"), "Goals")
    assert row["bonus"] == 0.5
    assert row["in_words"].endswith("; the plan has 12.5 in all: 12 accidents averted and 0.5 of bonuses")


def test_layers_of_an_uncertain_plan_are_those_of_its_promise(tmp_path, fields):
    cuts = {"cut": (0.5, BudgetCut(1.0, since=2028))}
    funding = Funding.around(Budget({2027: 400.0, 2028: 400.0}), cuts, known_from=2028)
    found = plan_under(fields, funding, gap=0.0)
    path = write_gpkg(make_facts(), tmp_path / "plan.gpkg", plan=found)
    assert gpd.read_file(path, layer="plan")["option_id"].tolist() == found.plan.table["option_id"].tolist()
