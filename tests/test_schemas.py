import copy

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from ccm_geo import _columns, schemas
from ccm_geo.errors import DataError
from ccm_geo.schemas import Note, describe, notes_of, validate


def hazards(**columns):
    fresh = {
        "hazard_id": ["A", "B"],
        "hazard_class": ["SHA", "CHA"],
        "status": ["open", "closed"],
        "geometry": [shapely.box(18, 44, 18.01, 44.01), shapely.box(18.1, 44, 18.11, 44.01)],
    }
    return gpd.GeoDataFrame({**fresh, **columns}, crs="EPSG:4326")


def faults(frame, table="hazards"):
    with pytest.raises(DataError) as caught:
        validate(frame, table)
    return caught.value.failures


def test_a_good_table_passes():
    validate(
        hazards(ordnance=["cluster;uxo", None], surveyed_on=pd.to_datetime(["2020-01-01", None])), "hazards"
    )


def test_all_faults_come_at_once_each_with_its_row_and_cure():
    found = faults(
        hazards(
            hazard_id=["A", "A"],
            hazard_class=["Suspected", "CHA"],
            status=["open", None],
            area_recorded_m2=[5.0, -1.0],
        )
    )
    assert found[0] == (
        "row 1, hazard_class 'Suspected' is not SHA or CHA; map it with values="
        "{'hazard_class': {'Suspected': 'SHA'}}, or another column with rename="
    )
    assert found[1:] == (
        "row 2, status is blank; fill it, or say what it is with assume={'status': 'open'}",
        "row 2, area_recorded_m2 -1 is below 0; correct it in the source",
        "rows 1, 2, hazard_id 'A' repeats; give each record its own",
    )


def test_each_of_several_codes_is_checked():
    assert "ordnance 'rocket' is not" in faults(hazards(ordnance=["cluster;rocket", "uxo"]))[0]


def test_a_missing_column_is_named_with_two_cures():
    (fault,) = faults(hazards().drop(columns="status"))
    assert fault.startswith(
        "no column status; the columns are 'hazard_id', 'hazard_class': name the one that holds"
    )
    assert "rename={'...': 'status'}" in fault
    assert "assume={'status': 'open'}" in fault


@pytest.mark.parametrize(
    ("column", "values", "fault"),
    [
        ("area_recorded_m2", ["12", "13"], "rows 1, 2, area_recorded_m2 is not a number; give numbers"),
        (
            "area_recorded_m2",
            [np.inf, 1.0],
            "row 1, area_recorded_m2 inf is not finite; correct it in the source",
        ),
        ("surveyed_on", ["2020-01-01", None], "row 1, surveyed_on is not a date; use pandas.to_datetime"),
        ("hazard_id", [1, 2], "rows 1, 2, hazard_id is not text; give it as text"),
    ],
)
def test_a_column_of_the_wrong_kind_is_a_fault(column, values, fault):
    assert faults(hazards(**{column: values})) == (fault,)


def test_a_share_above_one_says_what_to_do_about_percentages():
    frame = pd.DataFrame(
        {"place_id": ["a"], "group": ["idp"], "people": [5.0], "intend_return_share": [45.0]}
    )
    (fault,) = faults(frame, "displacement")
    assert fault == (
        "row 1, intend_return_share 45 is above 1; a share runs from 0 to 1: divide percentages by 100, "
        "or write them with %"
    )


def test_a_flag_that_is_no_boolean_is_a_fault():
    line = [shapely.LineString([(0, 0), (1, 1)])]
    frame = gpd.GeoDataFrame({"road_id": ["1"], "oneway": ["maybe"]}, geometry=line, crs="EPSG:4326")
    assert faults(frame, "roads") == ("row 1, oneway is not yes or no; give True or False",)


def test_geometry_missing_invalid_or_of_the_wrong_kind_is_a_fault():
    bow = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    shapes = [None, shapely.Point(1, 1), bow, shapely.Polygon()]
    frame = gpd.GeoDataFrame(
        {"hazard_id": list("abcd"), "hazard_class": "SHA", "status": "open"}, geometry=shapes, crs="EPSG:4326"
    )
    assert faults(frame) == (
        "rows 1, 4: the geometry is missing or empty; leave the row out",
        "row 2: the geometry is not a Polygon; convert or leave it out",
        "row 3: the geometry is not valid; mend it with GeoSeries.make_valid",
    )


def test_a_table_without_geometry_or_crs_is_a_fault():
    assert "no geometry" in faults(pd.DataFrame(hazards().drop(columns="geometry")))[0]
    assert "no coordinate reference system" in faults(hazards().set_crs(None, allow_override=True))[0]


def test_a_repeated_index_is_a_fault():
    assert faults(hazards().set_index(pd.Index([0, 0])))[0].startswith("the index repeats")


def test_an_unknown_table_names_the_known_ones():
    with pytest.raises(DataError, match="there is no table 'villages'; the tables are hazards, population"):
        validate(hazards(), "villages")


def test_describe_has_one_row_per_column_and_the_geometry():
    for name, spec in _columns.TABLES.items():
        told = describe(name)
        assert list(told.columns) == ["column", "required", "type", "unit", "allowed", "meaning"]
        assert told["column"].tolist() == [*(column.name for column in spec.columns), "geometry"]
        assert told["meaning"].str.endswith(".").all()


def test_units_stand_in_the_names_of_columns():
    suffix = {"m2": "_m2", "m": "_m", "km/h": "_kmh"}
    for spec in _columns.TABLES.values():
        for column in spec.columns:
            assert column.name.endswith(suffix.get(column.unit, ""))


def test_no_heading_stands_for_two_columns_of_one_table():
    for spec in _columns.TABLES.values():
        words = [word for column in spec.columns for word in {*column.aliases, _columns.plain(column.name)}]
        assert len(words) == len(set(words)), spec.name
        assert all(word == _columns.plain(word) for word in words)


def test_every_spelling_of_a_code_stands_for_a_code_that_is_allowed():
    for spec in _columns.TABLES.values():
        for column in spec.columns:
            assert set(column.spelled.values()) <= set(column.allowed)


def test_long_lists_of_rows_are_counted():
    assert schemas.spoken_rows([str(n) for n in range(1_000)]).endswith("8, 9 and 990 more")


def test_notes_are_collected_once_and_in_order():
    first, second = Note("hazards", "advice", "a"), Note("accidents", "advice", "b")
    one, two = pd.DataFrame({"x": [1]}), pd.Series([1])
    one.attrs["notes"], two.attrs["notes"] = (first, second), (second,)
    assert notes_of(one, two, None, pd.DataFrame()) == (first, second)


def test_a_note_is_not_copied_when_pandas_copies_attrs():
    note = Note("hazards", "advice", "a", 1, ("1",))
    assert copy.deepcopy({"notes": (note,)})["notes"][0] is note
