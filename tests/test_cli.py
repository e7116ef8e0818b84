"""The command line speaks plainly: what it did, where it is, what went wrong, and an exit code."""

import subprocess
import sys
import time
from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from typer.testing import CliRunner

from ccm_geo.cli import app
from ccm_geo.study import describe_study, sample_folder

SAMPLE = sample_folder()
RENAMES = ["--rename", "Type=hazard_class", "--rename", "Device=ordnance"]
CODES = [
    *("--values", "hazard_class:S=SHA", "--values", "hazard_class:C=CHA"),
    *("--values", "status:ACT=open", "--values", "status:CLS=closed", "--values", "status:HO=handed_over"),
    *("--values", "evidence:D=direct", "--values", "evidence:I=indirect"),
    *("--values", "ordnance:CMR;UXO=cluster;uxo"),
]


def ccm_geo(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def clean(tmp_path):
    path = tmp_path / "clean.gpkg"
    gpd.GeoDataFrame(
        {"hazard_id": ["A"], "hazard_class": "CHA", "status": "open"},
        geometry=[shapely.box(102, 18, 102.001, 18.001)],
        crs="EPSG:4326",
    ).to_file(path)
    return path


def test_help_names_every_command_and_is_quick():
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "ccm_geo", "--help"],
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    assert time.perf_counter() - begun < 5  # a fifth of it on an idle machine
    for command in ("demo", "run", "check", "init", "schema"):
        assert f"  {command} " in done.stdout


def test_help_loads_none_of_the_heavy_packages():
    code = (
        "import sys; from typer.testing import CliRunner; from ccm_geo.cli import app; "
        "CliRunner().invoke(app, ['--help']); "
        "print([m for m in ('geopandas', 'pandas', 'numpy', 'folium', 'numba') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_schema_prints_columns_with_units_and_codes():
    told = ccm_geo("schema", "hazards")
    assert told.exit_code == 0
    for word in ("hazard_class", "SHA, CHA", "area_recorded_m2", "m2", "made if absent"):
        assert word in told.output
    listed = ccm_geo("schema").output
    assert all(name in listed for name in ("hazards", "population", "displacement", "admin"))


def test_schema_of_no_table_names_the_tables():
    told = ccm_geo("schema", "hazard")
    assert told.exit_code == 1
    assert "there is no table 'hazard'; the tables are hazards, population" in told.output


def test_schema_lists_what_a_study_may_hold():
    listed = ccm_geo("schema").output
    assert all(name in listed for name in ("[people_near]", "[[Budget]]", "[[Donors.Grant]]", "[[Complete]]"))


def test_schema_of_a_rule_prints_its_keys_with_their_meaning():
    told = ccm_geo("schema", "[[Deadline]]")
    assert told.exit_code == 0
    for words in ("year", "Calendar year at whose end it counts.", "least", 'is written {P01 = 24}, and ""'):
        assert words in told.output


def test_schema_of_a_misspelled_rule_names_the_nearest_one():
    told = ccm_geo("schema", "Budgett")
    assert told.exit_code == 1
    assert "there is no [Budgett]; did you mean Budget?" in told.output


@pytest.mark.parametrize("name", describe_study()["table"].str.strip("[]"))
def test_every_key_of_a_study_has_a_meaning(name):
    assert (describe_study(name)["meaning"] != "").all()


def test_check_of_a_clean_file_ends_with_0(clean):
    told = ccm_geo("check", clean)
    assert told.exit_code == 0, told.output
    assert "nothing is wrong" in told.output or "no faults" in told.output


def test_check_of_a_dirty_file_names_kinds_and_rows_and_ends_with_1():
    told = ccm_geo("check", SAMPLE / "hazards.gpkg", *RENAMES, *CODES)
    assert told.exit_code == 1
    assert "kinds of faults" in told.output
    assert "set aside" in told.output
    assert "71, 112, 195" in told.output
    assert "invalid polygon" in told.output


def test_check_of_a_file_that_needs_renaming_shows_every_cure():
    told = ccm_geo("check", SAMPLE / "hazards.gpkg")
    assert told.exit_code == 1
    assert "hazard_class" in told.output
    assert "rename=" in told.output
    assert "Traceback" not in told.output


def test_check_of_what_is_not_there_ends_with_2(tmp_path, clean):
    told = ccm_geo("check", tmp_path / "none.gpkg")
    assert told.exit_code == 2
    assert "none.gpkg" in told.output
    (tmp_path / "broken.gpkg").write_bytes(b"not a database")
    told = ccm_geo("check", clean, tmp_path / "broken.gpkg")
    assert told.exit_code == 2
    assert "broken.gpkg" in told.output


def test_check_reads_other_tables_and_whole_studies():
    told = ccm_geo("check", "--table", "accidents", SAMPLE / "accidents.csv")
    assert told.exit_code == 1
    assert "victim_name" in told.output
    assert "Invented Person" not in told.output
    told = ccm_geo("check", SAMPLE / "study.toml")
    assert told.exit_code == 1
    assert "victim_name" in told.output
    assert "no geometry" in told.output


def test_check_with_options_that_cannot_be_read_says_how_to_write_them(clean):
    assert "write it as THEIRS=OURS" in ccm_geo("check", clean, "--rename", "a").output
    assert "write it as COLUMN:THEIRS=OURS" in ccm_geo("check", clean, "--values", "a=b").output
    assert ccm_geo("check", clean, "--table", "hazard").exit_code == 1


def test_init_writes_a_study_once(tmp_path):
    told = ccm_geo("init", tmp_path / "new")
    assert told.exit_code == 0
    assert "ccm-geo run" in told.output
    assert (tmp_path / "new" / "study.toml").is_file()
    again = ccm_geo("init", tmp_path / "new")
    assert again.exit_code == 2
    assert "is there already" in again.output
    assert ccm_geo("init", tmp_path / "new", "--force", "-q").output == ""


def test_run_of_a_fresh_template_names_the_files_to_bring(tmp_path):
    ccm_geo("init", tmp_path)
    told = ccm_geo("run", tmp_path / "study.toml")
    assert told.exit_code == 2
    assert "there is no file 'hazards.gpkg'" in told.output
    assert "Traceback" not in told.output


def test_run_of_a_broken_study_ends_with_2_and_its_line(tmp_path):
    (tmp_path / "study.toml").write_text('title = "a"\nyears = [2027\n\nscore = 3\n', encoding="utf-8")
    told = ccm_geo("run", tmp_path / "study.toml")
    assert told.exit_code == 2
    assert "is not TOML" in told.output
    assert "line 2" in told.output


def test_run_of_a_faulty_study_lists_all_faults_and_ends_with_1(tmp_path):
    faulty = "".join(f"[nonsense_{i}]\n" for i in range(30))
    (tmp_path / "study.toml").write_text(faulty, encoding="utf-8")
    told = ccm_geo("run", tmp_path / "study.toml")
    assert told.exit_code == 1
    assert "there is no [nonsense_29]" in told.output


def test_run_that_no_plan_can_satisfy_names_the_rules_and_ends_with_1(clean):
    text = (
        'years = [2027]\n[read_hazards]\nsource = "clean.gpkg"\n[read_population]\nsource = "people.gpkg"\n'
        '[[Budget]]\namount = {2027 = 1e6}\n[[LockIn]]\nhazards = ["A"]\n[[LockOut]]\nhazards = ["A"]\n'
    )
    (clean.parent / "study.toml").write_text(text, encoding="utf-8")
    point = gpd.points_from_xy([102.0], [18.0], crs="EPSG:4326")
    gpd.GeoDataFrame({"people": [50]}, geometry=point).to_file(clean.parent / "people.gpkg")
    told = ccm_geo("run", clean.parent / "study.toml", "--out", clean.parent / "out")
    assert told.exit_code == 1
    assert "A" in told.output
    assert "Traceback" not in told.output
    assert not (clean.parent / "out").exists()


def test_missing_column_is_named_with_its_cure(clean):
    gpd.read_file(clean).drop(columns="hazard_class").to_file(clean)
    told = ccm_geo("check", clean)
    assert told.exit_code == 1
    assert "no column hazard_class" in told.output
    assert "assume=" in told.output


def test_debug_shows_where_an_error_arose(tmp_path):
    told = ccm_geo("run", tmp_path / "none.toml", "--debug")
    assert told.exception is not None
    assert type(told.exception).__name__ == "SourceError"


def test_fault_of_the_program_asks_for_a_report(monkeypatch):
    def broken(_):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("ccm_geo.schemas.describe", broken)
    told = ccm_geo("schema", "hazards")
    assert told.exit_code == 3
    assert "ZeroDivisionError: division by zero" in told.output
    assert "--debug" in told.output


def test_demo_runs_from_any_folder_and_says_where_the_files_are(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "ccm_geo", "demo", "--out", str(Path("out", "demo")), "--verbose"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name in ("plan.html", "plan.xlsx", "plan.gpkg"):
        assert (tmp_path / "out" / "demo" / name).stat().st_size > 10_000
        assert str(Path("out", "demo", name)) in done.stdout
    assert "accidents averted" in done.stdout
    assert " s  workbook" in done.stderr
    assert "Warning" not in done.stderr
