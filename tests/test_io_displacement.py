import geopandas as gpd
import pandas as pd
import pytest
import shapely

from ccm_geo.errors import DataError
from ccm_geo.io import read_displacement
from ccm_geo.schemas import notes_of, validate

DISTRICTS = gpd.GeoDataFrame(
    {"ADM2_PCODE": ["05001", "05002", "05003"], "ADM2_EN": ["Novi Grad", "Novi Grad", "Stari Grad"]},
    geometry=[shapely.box(n, 0, n + 1, 1) for n in range(3)],
    crs="EPSG:4326",
)


def moves(**columns):
    fresh = {"place_id": ["a", "b"], "group": ["idp", "returnee"], "people": ["10", "20"]}
    return pd.DataFrame({**fresh, **columns})


def kinds(frame):
    return [(note.kind, note.rows) for note in notes_of(frame) if note.rows]


def texts(frame):
    return [note.text for note in notes_of(frame)]


def test_a_table_without_places_has_empty_places():
    read = read_displacement(moves())
    validate(read, "displacement")
    assert read.geometry.isna().all()
    assert read["people"].tolist() == [10, 20]


def test_only_the_latest_round_of_each_operation_counts():
    new = moves(operation=["north", "south"], round=["3", "7"])
    old = moves(operation=["north", "south"], round=["2", "6"])
    read = read_displacement(pd.concat([new, old]))
    assert read[["operation", "round"]].to_numpy().tolist() == [["north", 3], ["south", 7]]
    assert ("dropped", ("3", "4")) in kinds(read)
    assert any("several operations (north, south) are added up" in text for text in texts(read))


def test_without_rounds_the_latest_date_of_each_place_and_group_counts():
    frame = pd.DataFrame(
        {
            "place_id": ["a", "a", "b", "a"],
            "group": ["idp", "idp", "idp", "returnee"],
            "people": [1, 2, 4, 8],
            "date": ["2026-01-01", "2026-02-01", "2025-06-01", "2024-01-01"],
        }
    )
    assert read_displacement(frame)["people"].tolist() == [2, 4, 8]


def test_a_dtm_table_keeps_one_level_and_does_not_triple_people():
    table = pd.DataFrame(
        {
            "operation": "Flood",
            "admin0Pcode": "XX",
            "admin1Pcode": [None, "XX01", "XX01", "XX02"],
            "admin2Pcode": [None, None, "XX0101", "XX0201"],
            "numPresentIdpInd": [90, 50, 50, 40],
            "reportingDate": "2026-03-01T00:00:00",
            "roundNumber": 4,
        }
    )
    read = read_displacement(table)
    assert read["people"].sum() == 90
    assert read["place_id"].tolist() == ["XX0101", "XX0201"]
    assert read["group"].unique().tolist() == ["idp"]
    assert ("dropped", ("1", "2")) in kinds(read)
    assert read_displacement(table, level=1)["place_id"].tolist() == ["XX01"]
    with pytest.raises(DataError, match="there is no record of level 3; the levels are 0, 1, 2"):
        read_displacement(table, level=3)


def test_a_unhcr_table_becomes_one_row_per_group():
    table = pd.DataFrame(
        {
            "year": [2023, 2024, 2024],
            "coo": ["SYR", "SYR", "AFG"],
            "coa": ["LBN", "LBN", "AFG"],
            "refugees": [5, 7, 0],
            "returned_refugees": ["", 3, 11],
            "idps": [0, 0, 900],
            "stateless": [1, 1, 1],
        }
    )
    read = read_displacement(table)
    rows = read[["place_id", "origin_code", "group", "people"]].to_numpy().tolist()
    assert sorted(rows) == [
        ["AFG", "AFG", "idp", 900],
        ["AFG", "AFG", "returnee", 11],
        ["LBN", "SYR", "refugee", 7],
        ["LBN", "SYR", "returnee", 3],
    ]
    assert ("dropped", ("1",)) in kinds(read)


def test_origins_are_the_areas_of_their_codes_with_leading_zeros():
    frame = moves(origin_code=["05001", "99999"], lon=[0.5, 0.6], lat=[0.5, 0.5])
    read = read_displacement(frame, admin=DISTRICTS)
    assert read["origin"][0].equals(DISTRICTS.geometry[0])
    assert read["origin"][1] is None
    assert read["origin"].crs == read.crs
    assert ("unknown", ("2",)) in kinds(read)
    assert any("'99999'" in text for text in texts(read))


def test_a_name_that_two_districts_bear_is_not_guessed():
    read = read_displacement(moves(origin_code=["Novi Grad", "Stari Grad"]), admin=DISTRICTS)
    assert read["origin"][0] is None
    assert read["origin"][1].equals(DISTRICTS.geometry[2])
    assert any("several areas of admin= are called 'Novi Grad'" in text for text in texts(read))


def test_parts_of_one_district_are_joined():
    parts = pd.concat([DISTRICTS, DISTRICTS.iloc[[1]].assign(ADM2_PCODE="05001")], ignore_index=True)
    read = read_displacement(moves(origin_code=["05001", "05002"]), admin=parts)
    assert read["origin"][0].area == pytest.approx(2)


def test_origins_come_in_the_crs_of_the_sites():
    sites = moves(origin_code=["05001", "05002"], x=[500_000, 500_100], y=[10_000, 10_000])
    read = read_displacement(sites, admin=DISTRICTS, crs="EPSG:32631")
    assert read.crs == read["origin"].crs == "EPSG:32631"
    assert read["origin"][0].area > 1e9


def test_a_place_without_coordinates_lies_in_the_district_of_its_code():
    read = read_displacement(moves(place_id=["05002", "camp"]), admin=DISTRICTS)
    assert DISTRICTS.geometry[1].contains(read.geometry[0])
    assert read.geometry[1] is None
    assert ("assumed", ("1",)) in kinds(read)


def test_blank_people_are_set_aside_and_negative_ones_are_faults():
    assert read_displacement(moves(people=["", "20"]))["people"].tolist() == [20]
    with pytest.raises(DataError, match="row 2, people -1 is below 0"):
        read_displacement(moves(people=[1, -1]))


def test_shares_are_read_from_percentages_and_refused_above_one():
    assert read_displacement(moves(intend_return_share=["45 %", "0,5"]))["intend_return_share"].tolist() == [
        0.45,
        0.5,
    ]
    with pytest.raises(DataError, match="row 1, intend_return_share 45 is above 1"):
        read_displacement(moves(intend_return_share=[45, 0.5]))


def test_the_same_site_may_hold_several_groups_and_origins():
    read = read_displacement(moves(place_id=["a", "a"]))
    assert read["place_id"].tolist() == ["a", "a"]
