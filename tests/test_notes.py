"""Notes of all rooms are written in one manner: a sentence without a period at its end."""

from pathlib import Path

import pytest

import ccm_geo as ccm

SAMPLE = Path(__file__).resolve().parents[1] / "sample_data"


@pytest.fixture(scope="module")
def notes():
    """Every note of a study of the sample data, from reading to the plan."""
    hazards = ccm.read_hazards(
        SAMPLE / "hazards.gpkg",
        rename={"Type": "hazard_class", "Device": "ordnance", "District": "adm2", "HA_Name": "name"},
        values={
            "hazard_class": {"S": "SHA", "C": "CHA"},
            "status": {"ACT": "open", "CLS": "closed", "HO": "handed_over"},
            "evidence": {"D": "direct", "I": "indirect"},
            "ordnance": {"CMR": "cluster", "APM": "ap_mine", "UXO": "uxo", "CMR;UXO": "cluster;uxo"},
        },
    )
    people = ccm.read_population(SAMPLE / "population.tif")
    admin = ccm.read_admin(SAMPLE / "districts.gpkg")
    accidents = ccm.read_accidents(SAMPLE / "accidents.csv")
    moves = ccm.read_displacement(SAMPLE / "displacement.csv", admin=admin)
    near = ccm.people_near(hazards, people)
    arrivals = ccm.arrivals_near(hazards, moves, people, return_share=0.5)
    facts = hazards.assign(people_near=near, arrivals=arrivals)
    facts["accidents_near"] = ccm.accidents_near(hazards, accidents)
    scores = [ccm.score(facts, recipe) for recipe in (ccm.RISK, ccm.DISPLACEMENT)]
    blank = ccm.score(facts[["hazard_id", "geometry"]].assign(people_near=float("nan")), ccm.RISK)
    counted = ccm.expected_harm(facts, years=[2027])
    harm = ccm.expected_harm(facts, years=[2027, 2028], accidents=accidents)
    without = ccm.expected_harm(facts.drop(columns=["accidents_near", "arrivals"]), years=[2027])
    options = ccm.list_options(facts, ccm.ACTIVITIES, harm)
    plan = ccm.prioritize(options, [ccm.Budget({2027: 1e5, 2028: 1e5})], gap=0.05)
    tables = (
        hazards,
        people,
        admin,
        accidents,
        moves,
        near,
        arrivals,
        *scores,
        blank,
        counted,
        harm,
        without,
    )
    return [note for table in (*tables, options, plan) for note in ccm.schemas.notes_of(table)]


def test_there_is_a_note_from_every_room(notes):
    assert {"hazards", "displacement", "scores", "harm", "options", "plan"} <= {note.table for note in notes}


def test_no_note_ends_with_a_period_or_a_space(notes):
    assert [note.text for note in notes if note.text.endswith((".", " ", ";", ":"))] == []
