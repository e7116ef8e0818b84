"""The scripts that planners copy run as they stand, and say something sensible."""

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SAID = {
    "donor_leaves": (
        r"pay until 2028-02-26: 178,156 USD in 2028, then 45,000",
        r"Whatever comes, before 2028: work on \d+ hazards",
        r"Planning for the cuts is worth",
    ),
    "fair_shares": (
        r"3 plans; .* brings most: \d+\.\d+ accidents averted",
        r"without Share of adm2: (exactly|about) \d",
        r"hazards are in all of them",
    ),
    "first_map": (
        r"299 areas; [\d,]+ people live within 1 km",
        r"First of all: MR-07-\d{4}, risk: \d+ of 100",
    ),
    "budget_cut": (r"so (\d+\.\d+) more accidents must be expected", r"Areas that fall out of the plan: \d+"),
    "cut_off": (
        r"\d+ of 168 villages are cut off from the hospital: [\d,]+ people",
        r"All 5 together: [\d,]+ people",
    ),
    "where_to_send_the_mobile_clinic": (
        r"cut +[\d,]+ +[\d,]+ +[\d,]+",
        r"4 stops chosen.*\n[\d,]+ of 147,474 people",
    ),
    "who_lives_near": (
        r"[\d,]+ people live within 1 km of 282 open areas",
        r"2027 +[\d,]+\n +2028 +[\d,]+\n +2029 +[\d,]+\n +in all [\d,]+ people of [\d,]+\.",
    ),
    "five_years": (
        r"work on \d+ of 282 hazards for 2,(2[89]\d|300),\d{3} USD",
        r"Complete community: \d+ of them, worth [\d.]+ accidents averted more",
        r"Budget up to 2031: [\d,]+ of 2,300,000 USD used",
        r"At the end of 2031: \d+ hazards released, \d+ hazards on the way",
        r"Survey: kept on \d+ hazards",
        r"Teams: \d+ of 30 limits bind, as the season allows",
        r"Deadline 2031: 1,\d{3} ha released in time, 1,032 ha asked for",
        r"Finish MR-07-0063, MR-07-0103 by 2028: all brought to the last state",
        r"without LockIn MR-07-0063, MR-07-0103 ts 2027: (exactly|about) \d",
    ),
    "homecoming": (r"22,\d+ people are displaced", r"The areas that rise most:\n +hazard_id"),
    "why_not_my_village": (
        r"MR-07-\d{4}: not in the plan: its best chance",
        r"What money brings, in accidents averted:",
        r"MR-07-\d{4}: leaving it alone loses [\d.]+ accidents averted",
    ),
}


def test_every_example_is_tested_and_short():
    scripts = sorted((ROOT / "examples").glob("*.py"))
    assert {script.stem for script in scripts} == set(SAID)
    for script in scripts:
        assert len(script.read_text(encoding="utf-8").splitlines()) < 60, script.name


@pytest.fixture(scope="module", params=sorted(SAID))
def run(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    done = subprocess.run(
        [sys.executable, "-W", "error", ROOT / "examples" / f"{request.param}.py", ROOT / "sample_data"],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return request.param, folder, done.stdout


def test_example_says_what_it_found(run):
    name, _, said = run
    for pattern in SAID[name]:
        assert re.search(pattern, said), said
    assert not re.search(r"\b(nan|None|<NA>)\b", said)


def test_example_writes_one_offline_map(run):
    name, folder, said = run
    written = {p.name for p in (folder / "out").iterdir()}
    assert written - {f"{name}.xlsx"} == {f"{name}.html"}
    assert all(f"out/{file}" in said for file in written)
    page = (folder / "out" / f"{name}.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in html.unescape(page[:5_000])
    assert "(invented data)" in page


def test_less_money_averts_less_in_sum(run):
    name, _, said = run
    if name == "budget_cut":
        promised, cut = (float(n) for n in re.findall(r": (\d+\.\d+) (?:accidents )?averted", said))
        lost = float(re.search(r"so (\d+\.\d+) more", said)[1])
        assert 0 < lost < promised
        assert promised - cut == pytest.approx(lost, abs=0.011)
        changes = [float(n) for n in re.findall(r"^\w+ +(-?\d+\.\d+)$", said, re.MULTILINE)]
        assert sum(changes) == pytest.approx(-lost, abs=0.05)


def test_homecoming_raises_what_is_expected(run):
    name, _, said = run
    if name == "homecoming":
        without, with_them = (
            float(n) for n in re.search(r"(\d+\.\d+) without them, (\d+\.\d+)", said).groups()
        )
        assert with_them > without
