"""The invented province is what its README says, and the readers find every fault that was put into it."""

import re
import tomllib
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely

import ccm_geo as ccm

DATA = Path(__file__).resolve().parents[1] / "sample_data"
STUDY = tomllib.loads((DATA / "study.toml").read_text(encoding="utf-8"))


def read(table, **more):
    given = {**STUDY[f"read_{table}"], **more}
    return getattr(ccm, f"read_{table}")(DATA / given.pop("source"), **given)


@pytest.fixture(scope="module")
def hazards():
    return read("hazards")


def found(table, kind, words):
    """How many records a note of that kind, with those words in it, concerns."""
    notes = [n for n in ccm.notes_of(table) if n.kind == kind and re.search(words, n.text)]
    assert len(notes) == 1, ccm.notes_of(table)
    return notes[0].affected


def test_sample_data_are_small():
    assert sum(file.stat().st_size for file in DATA.iterdir()) < 3_000_000


def test_hazards_keep_every_usable_record(hazards):
    assert len(gpd.read_file(DATA / "hazards.gpkg")) == 308
    assert len(hazards) == 299
    assert hazards["hazard_id"].is_unique
    assert shapely.is_valid(hazards.geometry.to_numpy()).all()
    assert hazards["status"].value_counts().to_dict() == {"open": 282, "closed": 13, "handed_over": 4}


@pytest.mark.parametrize(
    ("kind", "words", "count"),
    [
        ("set aside", "no geometry", 3),
        ("set aside", "geometry is empty", 2),
        ("repaired", "invalid polygon", 5),
        ("dropped", "repeats an earlier one in full", 4),
        ("repaired", "hazard_id repeats with other content", 1),
    ],
)
def test_faults_of_hazards_are_counted_as_the_readme_says(hazards, kind, words, count):
    assert found(hazards, kind, words) == count


def test_hazards_without_device_or_recorded_area_stay_unknown(hazards):
    assert hazards["ordnance"].isna().sum() == 12
    assert hazards["area_recorded_m2"].isna().sum() == 6


def test_hostile_names_come_in_as_they_are(hazards):
    names = hazards["name"].tolist()
    assert {"<img src=x onerror=alert(1)>", "{{7*7}}", "50{% of the area", "حقل ألغام ٣"} <= set(names)
    assert '=HYPERLINK("http://example.org","click")' in names


def test_sliver_is_noticed(hazards):
    assert (hazards["area_m2"] < 10).sum() == 1
    texts = [n.text for n in ccm.notes_of(hazards) if n.affected == 1]
    assert any(re.search("sliver|recorded area", text) for text in texts)


def test_names_of_victims_never_come_in_but_their_number_does():
    accidents = read("accidents")
    assert "victim_name" not in accidents
    assert not accidents.astype(str).apply(lambda c: c.str.contains("Invented Person")).any(axis=None)
    assert found(accidents, "dropped", "victim_name") == 0  # a column, no record
    assert found(accidents, "dropped", "repeats an earlier one in full") == 2
    assert found(accidents, "set aside", "geometry") == 2
    assert len(accidents) == 64
    assert accidents["injured"].isna().sum() == 2


def test_stray_accident_is_pointed_out():
    notes = [n for n in ccm.notes_of(read("accidents")) if n.rows == ("10",)]
    assert any("far from" in n.text or "far away" in n.text for n in notes), notes


def test_displacement_counts_the_last_round_once():
    moves = read("displacement", admin=read("admin"))
    raw = pd.read_csv(DATA / "displacement.csv", skiprows=[1])
    last = raw[raw["roundNumber"] == 3]
    assert len(moves) == 10  # 11 sites, one not assessed
    assert moves["people"].sum() == last["numPresentIdpInd"].sum()
    assert found(moves, "set aside", "people is blank") == 1
    assert found(moves, "unknown", "origin_code.* is not among the codes") == 1
    assert moves["origin"].isna().sum() == 2  # the strange code and the blank one


def test_facilities_are_read_from_degrees_minutes_and_seconds():
    facilities = read("facilities")
    assert len(facilities) == 21
    assert facilities["kind"].value_counts().to_dict() == {"clinic": 18, "hospital": 3}
    towns = gpd.read_file(DATA / "settlements.gpkg").geometry.to_numpy()[:2]
    assert (shapely.distance(facilities.geometry.to_numpy()[:2], towns) < 0.01).all()


def test_population_agrees_with_the_settlements():
    with rasterio.open(DATA / "population.tif") as raster:
        people = float(raster.read(1, masked=True).sum())
    places = ccm.read_population(DATA / "settlements.gpkg")
    assert places["people"].notna().sum() == 164  # of 168, four unknown
    assert places["people"].sum() < people < 1.1 * places["people"].sum()


def test_roads_lead_somewhere():
    roads = read("roads")
    assert len(roads) == 286
    assert roads["speed_kmh"].isna().sum() == 9
    assert set(roads["road_class"]) == {"primary", "secondary", "track"}


def test_districts_tile_the_province():
    districts = read("admin")
    assert len(districts) == 6
    flat = districts.geometry.to_numpy()
    assert shapely.area(shapely.union_all(flat)) == pytest.approx(shapely.area(flat).sum(), rel=1e-6)


def test_same_seed_makes_the_same_tables(tmp_path):
    import runpy  # noqa: PLC0415 - the script is no module

    runpy.run_path(str(DATA / "make_sample.py"))["make"](tmp_path)
    made = sorted(p.name for p in tmp_path.iterdir())
    assert made == sorted(p.name for p in DATA.iterdir() if p.suffix in {".gpkg", ".csv", ".xlsx", ".tif"})
    for name in made:
        if name.endswith(".gpkg"):
            one, two = gpd.read_file(DATA / name), gpd.read_file(tmp_path / name)
            pd.testing.assert_frame_equal(one.drop(columns="geometry"), two.drop(columns="geometry"))
            shapes = one.geometry.to_numpy(), two.geometry.to_numpy()
            there = ~shapely.is_missing(shapes[0])
            assert shapely.equals_exact(shapes[0][there], shapes[1][there], tolerance=1e-9).all()
        elif name.endswith(".tif"):
            with rasterio.open(DATA / name) as one, rasterio.open(tmp_path / name) as two:
                assert np.array_equal(one.read(1), two.read(1))
        elif name.endswith(".csv"):
            assert (DATA / name).read_bytes() == (tmp_path / name).read_bytes()
        else:
            pd.testing.assert_frame_equal(pd.read_excel(DATA / name), pd.read_excel(tmp_path / name))
