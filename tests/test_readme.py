"""What the README tells is what happens: its Python runs as it stands."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "sample_data", folder / "sample_data")
    code = "\n".join(re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL))
    (folder / "story.py").write_text(code, encoding="utf-8")
    command = [sys.executable, "-W", "error", "story.py"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_the_story_runs_and_writes_its_files(told):
    folder, _ = told
    assert (folder / "plan.html").stat().st_size > 100_000
    assert (folder / "plan.xlsx").stat().st_size > 50_000


def test_the_story_prints_what_the_readme_shows(told):
    _, printed = told
    for words in (
        "91 of 100 (very high), rank 1",
        "No plan under these rules",
        "MR-07-0040: ",
        "ranked list",
    ):
        assert words in printed


def test_every_file_the_readme_points_to_is_there():
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert targets
    assert [t for t in targets if not (ROOT / t).exists()] == []


def test_the_story_and_the_demo_rest_on_the_same_numbers():
    """The same years of observation, people inside, money and floor: so both print one plan."""
    study = tomllib.loads((ROOT / "sample_data" / "study.toml").read_text(encoding="utf-8"))
    (budget,), (share,) = study["Budget"], study["Share"]
    said = "{" + ", ".join(f"{year}: {amount:_}" for year, amount in budget["amount"].items()) + "}"
    for words in (
        f"observed_years={study['expected_harm']['observed_years']}",
        "people_inside=",
        f"ccm.Budget({said})",
        f'ccm.Share("{share["column"]}", at_least={share["at_least"]})',
    ):
        assert words in README
