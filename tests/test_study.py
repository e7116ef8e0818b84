"""A study file speaks the language of the library, and running it makes everything that was promised."""

import datetime as dt
import html
import re
import shutil
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest
import shapely

import ccm_geo as ccm
from ccm_geo.errors import DataError, PlanError, SourceError
from ccm_geo.study import read_study, run_study, sample_folder, summary, write_template

SAMPLE = sample_folder()
LEAST = """\
years = [2027, 2028]

[read_hazards]
source = "hazards.gpkg"

[read_population]
source = "people.gpkg"

[[Budget]]
amount = {2027 = 10_000, 2028 = 10_000}
"""


@pytest.fixture
def world(tmp_path):
    """Four areas and four villages, all clean."""
    at = [102.0, 102.1, 102.2, 102.3]
    gpd.GeoDataFrame(
        {
            "hazard_id": ["A", "B", "C", "D"],
            "hazard_class": ["CHA", "SHA", "CHA", "SHA"],
            "status": "open",
            "ordnance": "cluster",
            "adm2": ["North", "North", "South", "South"],
        },
        geometry=shapely.box(at, 18.0, [x + 0.001 for x in at], 18.001),
        crs="EPSG:4326",
    ).to_file(tmp_path / "hazards.gpkg")
    gpd.GeoDataFrame(
        {"people": [900.0, 50.0, 400.0, 3_000.0]},
        geometry=gpd.points_from_xy(at, [18.002] * 4),
        crs="EPSG:4326",
    ).to_file(tmp_path / "people.gpkg")
    return tmp_path


def study(folder, text=LEAST, name="study.toml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def faults_of(folder, text):
    with pytest.raises(DataError) as caught:
        read_study(study(folder, text))
    return caught.value.failures


def test_unknown_key_names_its_line_and_the_nearest_key(world):
    text = LEAST + "\n[people_near]\nwithin = 500\n"
    assert faults_of(world, text) == ("line 13: [people_near] has no key within; did you mean within_m?",)


def test_unknown_table_names_the_nearest_one(world):
    text = LEAST + '\n[read_accident]\nsource = "a.csv"\n'
    assert faults_of(world, text) == ("line 12: there is no [read_accident]; did you mean read_accidents?",)
    text = LEAST.replace("[[Budget]]", "[[budget]]")
    assert "line 9: there is no [budget]; did you mean Budget?" in faults_of(world, text)


def test_all_faults_come_at_once_each_with_its_line(world):
    text = LEAST.replace("[2027, 2028]", '["2027"]') + (
        '\n[people_near]\nwithin_m = "1 km"\n\n[[Share]]\ncolum = "adm2"\nat_least = "much"\n'
        "\n[expected_harm]\nfacts = 3\n"
    )
    own = "within_m, observed_years, completeness, first_year_share"
    assert faults_of(world, text) == (
        "line 1: years: give calendar years that rise, like years = [2027, 2028]",
        "line 13: [people_near] within_m = '1 km': give a number",
        "line 16: [Share] has no key colum; did you mean column?",
        "line 17: [Share] at_least = 'much': give a table, like {a = 1} or a number",
        f"line 20: [expected_harm] has no key facts; there are {own}",
    )


def test_what_a_plan_cannot_do_without_is_asked_for(world):
    assert faults_of(world, 'title = "x"\n') == (
        "[read_hazards] is missing: a plan needs it",
        "[read_population] is missing: a plan needs it",
        "years is missing: name the years of the plan, like years = [2027, 2028, 2029]",
        "there is no rule: give at least [[Budget]] with its amount",
    )


def test_broken_toml_names_the_line(world):
    with pytest.raises(SourceError, match=r"study\.toml: is not TOML: .*line 3"):
        read_study(study(world, "years = [2027]\n\n[read_hazards\n"))


def test_backslashes_of_windows_paths_bring_a_hint(world):
    with pytest.raises(SourceError, match="write paths with / or in single quotes"):
        read_study(study(world, 'x = "C:\\Users\\me\\hazards.gpkg"\n'))


def test_study_that_is_not_there_or_not_utf8_is_named(world):
    with pytest.raises(SourceError, match=r"none\.toml: cannot be read"):
        read_study(world / "none.toml")
    (world / "latin.toml").write_bytes('title = "Año"'.encode("latin-1"))
    with pytest.raises(SourceError, match="is not UTF-8 text; save it as UTF-8"):
        read_study(world / "latin.toml")


def test_byte_order_mark_of_a_windows_editor_does_no_harm(world):
    (world / "bom.toml").write_bytes(b"\xef\xbb\xbf" + LEAST.encode())
    assert read_study(world / "bom.toml").years == (2027, 2028)


def test_missing_input_file_names_line_and_nearest_file(world):
    with pytest.raises(
        SourceError,
        match=r"study\.toml: line 4, \[read_hazards\]: there is no file 'hazard\.gpkg' in .*; "
        r"did you mean hazards\.gpkg\?",
    ):
        read_study(study(world, LEAST.replace("hazards.gpkg", "hazard.gpkg")))


def test_star_stands_for_all_files_in_order_of_their_names(world):
    for year in (2006, 2005):
        shutil.copy(world / "hazards.gpkg", world / f"h{year}.gpkg")
    settings = read_study(study(world, LEAST.replace("hazards.gpkg", "h20*.gpkg")))
    assert [p.name for p in settings.options["read_hazards"]["source"]] == ["h2005.gpkg", "h2006.gpkg"]
    with pytest.raises(SourceError, match="no file fits 'x"):
        read_study(study(world, LEAST.replace("hazards.gpkg", "x*.gpkg")))


def test_budget_without_money_or_of_wrong_years_is_refused(world):
    with pytest.raises(DataError, match=r"line 9, \[Budget\]: .*amounts must be numbers of 0 or more"):
        read_study(study(world, LEAST.replace("2027 = 10_000", "2027 = -1")))
    assert faults_of(world, LEAST.replace("{2027 = 10_000, 2028 = 10_000}", "{}")) == (
        "line 10: [Budget] amount is empty: give money by year, like {2027 = 1_000_000}",
    )


def test_weights_harm_numbers_and_activities_are_the_studys_own(world):
    text = LEAST + (
        '\n[RISK]\nweights = {people = 60}\nstanding = "Set by the NMAA"\n'
        '\n[HARM.contact_inside]\nvalue = 8\nsource = "Village survey"\n'
        '\n[[Activity]]\nactivity = "bac"\nordnance = ["cluster", "uxo"]\nusd_per_m2 = 0.5\nsource = "ours"\n'
        '\n[[Activity]]\nactivity = "drone survey"\nleads_to = "surveyed"\nordnance = ["cluster"]\n'
        "area_left_share = 0.615\n"
    )
    settings = read_study(study(world, text))
    assert settings.definitions[0].standing == "Set by the NMAA"
    assert settings.definitions[0].shares["people"] == pytest.approx(60 / 120)
    own = settings.numbers.contact_inside
    assert (own.value, own.source, own.placeholder) == (8, "Village survey", False)
    bac = [a for a in settings.activities if a.activity == "bac"]
    assert len(bac) == 1
    assert bac[0].usd_per_m2.value == 0.5
    assert bac[0].usd_per_m2.source == "ours"
    assert (
        bac[0].m2_per_team_month == next(a for a in ccm.ACTIVITIES if a.activity == "bac").m2_per_team_month
    )
    assert settings.activities[-1].activity == "drone survey"
    assert len(settings.activities) == len(ccm.ACTIVITIES) + 1


def test_wrong_weight_or_number_says_where(world):
    with pytest.raises(DataError, match=r"line 12, \[RISK\]: score risk: weights for factors"):
        read_study(study(world, LEAST + "\n[RISK]\nweights = {peopel = 1}\n"))
    with pytest.raises(DataError, match=r"\[HARM.contact_insid\]: did you mean contact_inside\?"):
        read_study(study(world, LEAST + "\n[HARM.contact_insid]\nvalue = 8\n"))
    with pytest.raises(DataError, match=r"line 12: name the activity"):
        read_study(study(world, LEAST + "\n[[Activity]]\nusd_per_m2 = 8\n"))


def test_template_is_a_study_also_with_every_line_switched_on(tmp_path):
    path = write_template(tmp_path)
    text = path.read_text(encoding="utf-8")
    for name in ("hazards.gpkg", "population.tif", "accidents.csv", "districts.gpkg", "displacement.csv"):
        (tmp_path / name).touch()
    for name in ("roads.gpkg", "facilities.xlsx", "settlements.gpkg"):
        (tmp_path / name).touch()
    assert read_study(path).years == (2027, 2028, 2029)
    on = "\n".join(
        line[2:] if line.startswith("# ") and _is_toml(line[2:]) else line for line in text.splitlines()
    )
    assert faults_of(tmp_path, on) == (
        "[Funding] and [Goal] cannot stand in one study: plan_under has one goal, the benefit; take one away",
        "[Funding] and [prioritize] cannot stand in one study: call it [plan_under]",
    )
    uncertain = read_study(study(tmp_path, _without(on, "[Goal]", "[prioritize]"), "uncertain.toml"))
    assert uncertain.funding.probabilities == {
        "as promised": 0.5,
        "Norway leaves": 0.1,
        "Norway freezes 90 days": 0.2,
        "A third less for good": 0.2,
    }
    assert uncertain.options["plan_under"]["worst_weight"] == 0.3
    assert uncertain.options["halt"]["on"] == dt.date(2028, 7, 1)
    assert uncertain.halt_costs.close_usd.source == "Programme accounts, 2025"
    certain = _without(on, "[Funding", "[plan_under]", "[halt")
    settings = read_study(study(tmp_path, certain, "certain.toml"))
    kinds = ["Budget", "Donors", "Capacity", "Capacity", "Capacity", "Share", "Deadline", "Finish", "LockIn"]
    kinds += ["LockOut", "After", "Complete", "Compact"]
    assert [type(rule).__name__ for rule in settings.rules] == kinds
    assert [goal.column for goal in settings.goals] == ["benefit", "arrivals"]
    assert len(settings.options) == 22
    assert settings.options["map_plan"]["profile"] == "public"


def _without(text, *heads):
    """Leave out the tables whose headings begin so."""
    parts = re.split(r"(?m)^(?=\[)", text)
    return "".join(
        part for part in parts if not part.lstrip("[").startswith(tuple(h.strip("[") for h in heads))
    )


def _is_toml(line):
    import tomllib  # noqa: PLC0415 - only here

    try:
        return bool(tomllib.loads(line))
    except tomllib.TOMLDecodeError:
        return False


def test_template_never_overwrites_unasked(tmp_path):
    write_template(tmp_path)
    with pytest.raises(SourceError, match="is there already"):
        write_template(tmp_path)
    write_template(tmp_path, replace=True)


AGREED = (
    LEAST.replace("[[Budget]]\namount = {2027 = 10_000, 2028 = 10_000}\n", "")
    + """
[[Donors]]
name = "Donors"

[[Donors.Grant]]
name = "Norway"
amount = {2027 = 9_000, 2028 = 9_000}
where = {adm2 = ["North"]}
carry_over = true

[[Donors.Grant]]
name = "Pooled fund"
amount = 12_000

[[Capacity]]
amount = {2027 = 24, 2028 = 12}
by = ""

[[Deadline]]
year = 2028
least = 10_000

[[Finish]]
hazards = "A"
by = 2027

[[Complete]]
column = "1001"
bonus = {"12" = 0.2, "13" = 0.4}
by_year = {2027 = 1, 2028 = 0.5}

[[Compact]]
within_m = 20_000
worth = 0.01
"""
)


def test_rules_of_a_study_are_those_that_a_script_would_write(world):
    donors, teams, deadline, finish, complete, compact = read_study(study(world, AGREED)).rules
    assert donors == ccm.Donors(
        ccm.Grant("Norway", {2027: 9_000, 2028: 9_000}, where={"adm2": ["North"]}, carry_over=True),
        ccm.Grant("Pooled fund", 12_000),
        name="Donors",
    )
    assert teams == ccm.Capacity({2027: 24, 2028: 12}, by=None)
    assert deadline == ccm.Deadline(2028, least=10_000)
    assert finish == ccm.Finish("A", by=2027)
    assert complete == ccm.Complete("1001", bonus={"12": 0.2, "13": 0.4}, by_year={2027: 1, 2028: 0.5})
    assert compact == ccm.Compact(within_m=20_000, worth=0.01)


def test_regions_named_by_numbers_stay_texts_and_their_years_do_not(world):
    text = (
        LEAST + '\n[[Capacity]]\nby = "adm2"\namount = {"12" = {2027 = 3, 2028 = 4}}\nseason = {"12" = 8}\n'
    )
    (_, teams) = read_study(study(world, text)).rules
    assert teams.amount == {"12": {2027: 3, 2028: 4}}
    assert teams.season == {"12": 8}


def test_columns_that_rules_ask_for_are_kept_by_themselves(world):
    layer = gpd.read_file(world / "hazards.gpkg").assign(**{"1001": ["12", "12", "13", "13"]})
    layer.to_file(world / "hazards.gpkg")
    plan = run_study(read_study(study(world, AGREED)), world / "out").plan
    assert plan.bonuses["rule"].tolist()[:1] == ["Complete 1001"]
    assert plan.options["1001"].isin(["12", "13"]).all()
    assert ccm.paid_by(plan)["paid_usd"].sum() == pytest.approx(plan.cost_usd)
    assert "A" in set(plan.table.loc[plan.table["state_to"] == "released", "hazard_id"])


def test_column_that_no_hazard_has_is_named_with_the_nearest_one(world):
    with pytest.raises(DataError) as caught:
        run_study(read_study(study(world, AGREED.replace('"1001"', '"adm_2"'))), world / "out")
    assert caught.value.failures == ("Complete adm_2: there is no column 'adm_2'; did you mean adm2?",)


def test_faults_in_rules_name_line_and_nearest_key(world):
    start = len(LEAST.splitlines())
    text = LEAST + (
        '\n[[Donors]]\nname = "D"\n\n[[Donors.Grant]]\nname = "N"\namount = {soon = 3}\n'
        '\n[[Donors.Grant]]\nname = "M"\namout = 3\n\n[[Complete]]\ncolumn = "adm2"\n'
        '\n[[Capacity]]\namount = {North = {2027 = "many"}}\n\n[[moving_teams]]\namount = {North = 3}\n'
        "\n[visiting_teams]\nusd_per_visit = 3\n\n[detour]\n"
    )
    many = "{'North': {'2027': 'many'}}"
    assert faults_of(world, text) == (
        f"line {start + 7}: [Donors.Grant] amount = {{'soon': 3}}: give a table by year, like {{2027 = 1}}",
        f"line {start + 11}: [Donors.Grant] has no key amout; did you mean amount?",
        f"line {start + 13}: [Complete] has no bonus; it needs one",
        f"line {start + 17}: [Capacity] amount = {many}: give a number for 2027 for North",
        f"line {start + 22}: [visiting_teams] has no usd_per_team_month; it needs one",
        "[detour] needs [read_facilities], which the study does not have",
        "[detour] needs [read_roads], which the study does not have",
    )


def test_fault_that_a_rule_finds_itself_names_the_table_it_stands_in(world):
    text = AGREED.replace("amount = 12_000", "amount = -1")
    line = text.splitlines().index('name = "Pooled fund"')
    with pytest.raises(
        DataError, match=rf"line {line}, \[Donors.Grant\]: Grant Pooled fund: amounts must be"
    ):
        read_study(study(world, text))
    with pytest.raises(DataError, match=r"line \d+, \[Compact\]: Compact: give pairs= or within_m="):
        read_study(study(world, AGREED.replace("within_m = 20_000", "")))


def test_donors_without_grants_and_grants_without_money_are_refused(world):
    line = len(LEAST.splitlines()) + 2
    assert faults_of(world, LEAST + '\n[[Donors]]\nname = "D"\n') == (
        f"line {line}: [Donors] has no Grant; it needs one",
    )
    assert faults_of(world, LEAST + '\n[[Donors.Grant]]\nname = "N"\n') == (
        f"line {line}: [Donors.Grant] has no amount; it needs one",
    )


def test_slips_that_cannot_be_meant_come_with_their_cure(world):
    start = len(LEAST.splitlines())
    text = LEAST + '\n[[Capacity]]\namount = {2027 = 3}\n\n[[Compact]]\nworth = 1\npairs = ["A", "B"]\n'
    cure = 'it goes by year, not by region; add by = "" for teams that work everywhere'
    assert faults_of(world, text) == (
        f"line {start + 3}: [Capacity] amount: {cure}",
        f'line {start + 7}: [Compact] pairs: give lists of two hazards, like [["HA-1", "HA-2"]]',
    )


def test_grants_may_stand_without_their_heading(world):
    text = LEAST + '\n[[Donors.Grant]]\nname = "N"\namount = 3_000\n'
    assert read_study(study(world, text)).rules[1] == ccm.Donors(ccm.Grant("N", 3_000))


def test_roads_that_hazards_cut_become_facts_where_asked_for(world):
    road = shapely.LineString([(101.95, 18.0005), (102.35, 18.0005)])
    gpd.GeoDataFrame({"road_id": ["R"], "speed_kmh": [30.0]}, geometry=[road], crs=4326).to_file(
        world / "roads.gpkg"
    )
    clinic = gpd.points_from_xy([101.95], [18.0005])
    gpd.GeoDataFrame({"facility_id": ["F"], "kind": ["clinic"]}, geometry=clinic, crs=4326).to_file(
        world / "facilities.gpkg"
    )
    text = LEAST + (
        '\n[read_roads]\nsource = "roads.gpkg"\n\n[read_facilities]\nsource = "facilities.gpkg"\n'
        '\n[routes_cut]\n\n[detour]\n\n[release_gain]\n\n[trips_to]\nkind = "clinic"\n'
    )
    facts = run_study(read_study(study(world, text)), world / "out").facts
    assert facts["road_km_cut"].tolist() == pytest.approx([0.106] * 4, abs=1e-3)
    assert facts["detour_state"].tolist()[1:] == ["cut off"] * 3
    assert facts["people_reconnected"].notna().all()
    assert any("do not add up" in note.text for note in ccm.notes_of(facts))
    head = next(openpyxl.load_workbook(world / "out" / "plan.xlsx")["Ranked list"].values)
    assert {"road_km_cut", "detour_state", "people_reconnected"} <= set(head)


def test_teams_of_a_study_may_work_away_from_home(world):
    text = LEAST + (
        '\n[[moving_teams]]\nby = "adm2"\namount = {North = 6, South = 0}\n'
        "\n[visiting_teams]\nusd_per_team_month = 100\n"
    )
    plan = run_study(read_study(study(world, text)), world / "out").plan
    own = plan.table[plan.table["teams"] == "own"]
    assert set(own.loc[own["team_months"] > 0, "adm2"]) <= {"North"}
    assert (plan.table["teams"] == "visiting").any()


def test_goals_of_a_study_are_planned_for_one_after_the_other(world):
    text = LEAST + '\n[[Goal]]\ntolerance = 0.05\n\n[[Goal]]\ncolumn = "people_near"\ncounted = "release"\n'
    outcome = run_study(read_study(study(world, text)), world / "out")
    assert outcome.found.table["goal"].tolist() == ["most benefit", "most people_near"]
    assert outcome.found.plan is outcome.plan
    assert summary(outcome, start=world).startswith("Goals, one after the other:")


def test_smallest_study_runs_and_names_what_is_missing(world):
    told = []
    outcome = run_study(read_study(study(world)), world / "out", watch=lambda *it: told.append(it))
    assert sorted(p.name for p in (world / "out").iterdir()) == ["plan.gpkg", "plan.html", "plan.xlsx"]
    assert told[0] == ("reading",)
    assert told[1::2] == list(outcome.seconds.items())
    assert told[-1][0] == "GeoPackage"
    assert outcome.facts["people_near"].tolist() == [900, 50, 400, 3_000]
    assert bool(outcome.harm["relative"].all())
    text = summary(outcome, start=world)
    assert "accidents: harm is relative" in text
    assert "displaced people: nobody is expected to come home" in text
    assert str(Path("out", "plan.html")) in text
    assert str(world) not in text


def test_same_study_gives_the_same_plan_as_the_same_calls(world):
    outcome = run_study(read_study(study(world)), world / "out")
    hazards = ccm.read_hazards(world / "hazards.gpkg")
    people = ccm.read_population(world / "people.gpkg")
    facts = hazards.assign(
        people_inside=ccm.people_near(hazards, people, within_m=0),
        people_near=ccm.people_near(hazards, people),
    )
    harm = ccm.expected_harm(facts, years=[2027, 2028])
    options = ccm.list_options(facts, ccm.ACTIVITIES, harm)
    plan = ccm.prioritize(options, [ccm.Budget({2027: 10_000, 2028: 10_000})])
    assert outcome.plan.run_id == plan.run_id
    pd.testing.assert_frame_equal(outcome.plan.table, plan.table)


def test_rules_that_cannot_hold_together_are_named(world):
    text = LEAST + '\n[[LockIn]]\nhazards = ["A"]\n\n[[LockOut]]\nhazards = ["A"]\n'
    with pytest.raises(PlanError):
        run_study(read_study(study(world, text)), world / "out")
    assert not (world / "out").exists()


UNCERTAIN = (
    LEAST
    + """
[Funding]
known_from = 2028

[[Funding.BudgetCut]]
name = "half <b>gone</b>"
probability = 0.25
share = 0.5
since = 2028

[plan_under]
gap = 0.0

[halt]
on = 2028-07-01
notice_weeks = 6
money = 4_000

[halt.costs]
weekly_pay_usd = 180
close_usd = {value = 1_200, source = "Accounts, 2025"}
"""
)


def test_funding_of_a_study_is_that_which_a_script_would_write(world):
    settings = read_study(study(world, UNCERTAIN))
    money = ccm.Budget({2027: 10_000, 2028: 10_000})
    cuts = {"half <b>gone</b>": (0.25, ccm.BudgetCut(0.5, since=2028))}
    assert settings.funding == ccm.Funding.around(money, cuts, known_from=2028)
    assert settings.options["halt"] == {"on": dt.date(2028, 7, 1), "notice_weeks": 6, "money": 4_000}
    pay, close = settings.halt_costs.weekly_pay_usd, settings.halt_costs.close_usd
    assert (pay.value, pay.source, pay.placeholder) == (180, "given by the planner", False)
    assert (close.value, close.source, close.placeholder) == (1_200, "Accounts, 2025", False)
    assert settings.halt_costs.eore_usd == ccm.HALT.eore_usd


def test_cuts_of_one_name_come_together(world):
    text = UNCERTAIN + (
        '\n[[Funding.DonorLeaves]]\nname = "half <b>gone</b>"\nshare = 1.0\ntold_on = "2028-01-15"\n'
        'notice_weeks = 6\ndonor = "Budget"\n'
    )
    leaves = ccm.DonorLeaves(1.0, told_on=dt.date(2028, 1, 15), notice_weeks=6, donor="Budget")
    (left,) = read_study(study(world, text)).funding.money("half <b>gone</b>")
    assert left.amount[2028] == pytest.approx(10_000 * 0.5 * (1 - leaves.lost(2028)), abs=0.01)
    freeze = '[[Funding.Freeze]]\nname = "x"\nshare = 1.0\ndays = 9\nyear = 2028\n'
    text = UNCERTAIN.replace("[plan_under]", f"{freeze}[plan_under]")
    with pytest.raises(DataError, match=r"line 12, \[Funding\]: scenario 'x' has no probability"):
        read_study(study(world, text))
    text = text.replace('name = "x"', 'name = "half <b>gone</b>"\nprobability = 0.5')
    words = r"line 21, \[Funding.Freeze\]: scenario .* has probability 0.25 and 0.5; .* give it once"
    with pytest.raises(DataError, match=words):
        read_study(study(world, text))


def test_uncertain_study_gives_the_same_plan_as_the_same_calls(world):
    outcome = run_study(read_study(study(world, UNCERTAIN)), world / "out")
    plan = ccm.plan_under(outcome.plan.options, read_study(study(world, UNCERTAIN)).funding, gap=0.0)
    assert outcome.found.run_id == plan.run_id
    assert outcome.plan is outcome.found.plans["as promised"]
    pd.testing.assert_frame_equal(outcome.found.first, plan.first)
    costs = replace(ccm.HALT, weekly_pay_usd=180.0, close_usd=1_200.0)
    stop = ccm.halt(
        plan.plan, on=dt.date(2028, 7, 1), notice_weeks=6, money=4_000, costs=costs, harm=outcome.harm
    )
    pd.testing.assert_frame_equal(outcome.halt.actions, stop.actions)
    assert outcome.halt.harm_left == pytest.approx(stop.harm_left)


def test_uncertain_study_tells_scenarios_and_halt_everywhere(world):
    outcome = run_study(read_study(study(world, UNCERTAIN)), world / "out")
    text = summary(outcome, start=world)
    assert text.startswith("Plan under 2 scenarios of money")
    for words in (
        "half <b>gone</b> (25%)",
        "If 'as promised' comes: The same money spent",
        "If 'as promised' comes, and the money then stops:\nOn 1 July 2028 the money stops, with 6 weeks'",
    ):
        assert words in text
    book = openpyxl.load_workbook(world / "out" / "plan.xlsx")
    told = [
        "Scenarios",
        "Decided now",
        "By scenario",
        "If the money stops",
        "Cost of stopping",
        "Left exposed",
    ]
    assert [name for name in book.sheetnames if name in told] == told
    page = (world / "out" / "plan.html").read_text(encoding="utf-8")
    assert "Drawn: the plan if" in page
    assert "as promised" in page
    assert outcome.found.run_id in page


def test_halt_stops_a_plan_of_certain_money_and_of_goals_too(world):
    stop = "\n[halt]\non = 2027-07-01\nnotice_weeks = 6\nmoney = 4_000\n"
    outcome = run_study(read_study(study(world, LEAST + "\n[[Goal]]\n" + stop)), world / "out")
    text = summary(outcome, start=world)
    assert "\nOn 1 July 2027 the money stops" in text
    assert "and the money then stops" not in text
    assert "Goals" in openpyxl.load_workbook(world / "out" / "plan.xlsx").sheetnames


def test_faults_in_uncertain_money_and_halt_name_table_key_and_cure(world):
    start = len(LEAST.splitlines())
    text = LEAST + (
        "\n[Funding]\nknown_form = 2028\n"
        '\n[[Funding.BudgetCut]]\nname = "a"\nprobability = "likely"\nshare = 0.5\n'
        '\n[[Funding.Frezze]]\nname = "b"\n'
        "\n[[Funding.BudgetCut]]\nshare = 0.5\nsinc = 2028\n"
        '\n[halt]\non = "2028-07-01"\nnotice_weeks = 6\n'
        '\n[halt.costs]\nweekly_pay = 180\nclose_usd = "much"\n'
    )
    assert faults_of(world, text) == (
        f"line {start + 3}: [Funding] has no key known_form; did you mean known_from?",
        f"line {start + 10}: [Funding] has no key Frezze; did you mean Freeze?",
        f"line {start + 2}: [Funding] has no known_from; it needs one",
        f"line {start + 7}: [Funding.BudgetCut] probability = 'likely': give a number",
        f"line {start + 5}: [Funding.BudgetCut] has no since; it needs one",
        f"line {start + 15}: [Funding.BudgetCut] has no key sinc; did you mean since?",
        f"line {start + 18}: [halt] on = '2028-07-01': give a day without quotes, like 2028-07-01",
        f"line {start + 17}: [halt] has no money; it needs one",
        f"line {start + 22}: [halt.costs] has no key weekly_pay; did you mean weekly_pay_usd?",
        f"line {start + 23}: [halt.costs] close_usd = 'much': give a number or a table, like {{a = 1}}",
    )


def test_years_and_money_that_cannot_be_meant_are_refused_before_anything_is_read(world):
    text = UNCERTAIN.replace("known_from = 2028", "known_from = 2027").replace("2028-07-01", "2030-07-01")
    text = text.replace("money = 4_000", "money = -1")
    assert faults_of(world, text) == (
        "line 13: [Funding] known_from = 2027: give a year of the plan after the first one, 2027",
        "line 25: [halt] on = 2030-07-01: give a day in the years of the plan, 2027 to 2028",
        "line 27: [halt] money = -1: give a number of 0 or more",
    )
    bare = LEAST + "\n[Funding]\nknown_from = 2028\n"
    assert faults_of(world, bare) == (
        "line 12: [Funding] has no BudgetCut or Freeze or DonorLeaves; it needs one",
    )
    assert faults_of(world, LEAST + "\n[plan_under]\n") == (
        "[plan_under] needs [Funding], which the study does not have",
    )


def test_money_that_funding_itself_refuses_names_its_table(world):
    with pytest.raises(DataError, match=r"line 15, \[Funding.BudgetCut\]: BudgetCut: a share goes from 0"):
        read_study(study(world, UNCERTAIN.replace("share = 0.5", "share = 1.5")))
    with pytest.raises(
        DataError, match=r"line 12, \[Funding\]: .*no money is called 'Norway'; known are Budget"
    ):
        read_study(study(world, UNCERTAIN.replace("since = 2028", 'since = 2028\ndonor = "Norway"')))
    with pytest.raises(DataError, match=r"line 12, \[Funding\]: .*one amount for all years; give it by year"):
        read_study(study(world, UNCERTAIN.replace("{2027 = 10_000, 2028 = 10_000}", "20_000")))
    only = UNCERTAIN.replace(
        "[[Budget]]\namount = {2027 = 10_000, 2028 = 10_000}", '[[Share]]\ncolumn = "adm2"\nat_least = 0.1'
    )
    cure = "give [[Budget]] or [[Donors.Grant]]"
    assert faults_of(world, only) == (f"line 13: [Funding] finds no money that could be cut; {cure}",)
    with pytest.raises(DataError, match=r"\[halt.costs\]: HaltCosts: 1 of its values cannot be") as caught:
        read_study(study(world, UNCERTAIN.replace("weekly_pay_usd = 180", "eore_risk_removed = 1.5")))
    assert caught.value.failures == ("eore_risk_removed 1.5: give a share from 0 to 1",)


@pytest.mark.parametrize("page", ["planning.md", "funding.md"])
def test_study_files_in_the_docs_can_be_read(world, page):
    told = (SAMPLE.parent / "docs" / page).read_text(encoding="utf-8")
    pieces = re.findall(r"```toml\n(.*?)```", told, flags=re.DOTALL)
    assert pieces
    least = LEAST.replace("[2027, 2028]", "[2027, 2028, 2029]")
    settings = read_study(study(world, least + "\n".join(pieces)))
    assert settings.asks_for("halt") or settings.funding


def test_sample_of_uncertain_money_runs_whole(tmp_path):
    settings = read_study(SAMPLE / "uncertain_money.toml")
    settings = replace(settings, options={**settings.options, "plan_under": {"gap": 0.02, "seconds": 60}})
    outcome = run_study(settings, tmp_path / "out")
    assert outcome.found.gap <= 0.02
    assert outcome.found.first["year"].eq(2027).all()
    assert outcome.halt.unpaid == 0
    assert {"finish", "close and mark", "stays open"} & set(outcome.halt.actions["action"])


@pytest.fixture(scope="module")
def sample_run(tmp_path_factory):
    out = tmp_path_factory.mktemp("sample") / "out"
    return run_study(read_study(SAMPLE / "study.toml"), out), out


def test_sample_study_measures_everything(sample_run):
    outcome, _ = sample_run
    assert outcome.missing == ()
    measures = ["people_inside", "people_near", "accidents_near", "facilities_near", "travel_min", "arrivals"]
    assert outcome.facts[measures].notna().all(axis=None)
    assert outcome.facts["travel_min"].between(0, 240).all()
    assert (outcome.facts["people_inside"] <= outcome.facts["people_near"]).all()
    assert not outcome.harm["relative"].any()
    assert list(outcome.scores) == ["risk", "displacement"]


def test_sample_plan_keeps_its_budgets_and_floors_and_proves_itself(sample_run):
    plan = sample_run[0].plan
    spent = plan.table.groupby("year")["cost_usd"].sum()
    assert (spent <= pd.Series({2027: 600_000, 2028: 450_000, 2029: 450_000})).all()
    shares = plan.table.groupby("adm2", observed=True)["cost_usd"].sum() / plan.table["cost_usd"].sum()
    assert len(shares) == 6
    assert shares.min() >= 0.05 - 1e-9
    assert plan.gap <= 1e-3
    assert plan.benefit <= plan.bound * (1 + 1e-9)


def test_sample_plan_beats_the_ranked_list_and_says_by_how_much(sample_run):
    outcome, out = sample_run
    assert outcome.comparison.ranking_benefit < outcome.plan.benefit
    assert "spent down the ranked list loses" in summary(outcome, start=out.parent)
    freer = replace(outcome.comparison, ranking_benefit=outcome.plan.benefit + 2)
    told = summary(replace(outcome, comparison=freer), start=out.parent)
    assert "A ranked list comes to 2 accidents averted more, for" in told
    assert "it is held to fewer rules than the plan" in told


def test_sample_workbook_tells_all_problems_and_every_hazard(sample_run):
    outcome, out = sample_run
    book = openpyxl.load_workbook(out / "plan.xlsx", read_only=True)
    problems = "\n".join(str(row) for row in book["Data problems"].iter_rows(values_only=True))
    for words in ("victim_name", "no geometry", "repeats", "HXL", "MR0799"):
        assert words in problems
    assert book["Ranked list"].max_row == 300
    left = {row[0] for row in book["Not in the plan"].iter_rows(min_row=2, values_only=True)}
    chosen = set(outcome.plan.table["hazard_id"].astype(str))
    assert left | chosen == set(outcome.facts["hazard_id"])
    assert not left & chosen


def test_sample_layers_open_with_scores_and_plan(sample_run):
    outcome, out = sample_run
    layer = gpd.read_file(out / "plan.gpkg", layer="hazards")
    assert len(layer) == 299
    assert layer["in_plan"].sum() == outcome.plan.table["hazard_id"].nunique()
    assert {"risk_class", "displacement_class", "plan_first_year"} <= set(layer)


def test_sample_map_asks_for_nothing_from_the_net(sample_run):
    page = (sample_run[1] / "plan.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in html.unescape(page[:5_000])
    assert 'src="http' not in page
    assert len(page) < 3_000_000
