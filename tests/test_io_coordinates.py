# ruff: noqa: RUF001 - signs and letters of many scripts are what is tested

import math

import numpy as np
import pandas as pd
import pytest

from ccm_geo.io import coordinates
from ccm_geo.io.coordinates import degrees, pairs

LAT = 46 + 36 / 60 + 25 / 3600


@pytest.mark.parametrize(
    "text",
    [
        'N 46° 36’ 25"',
        "46°36′25″N",
        "46° 36' 25'' N",
        "46 36 25 N",
        "46:36:25",
        "46 deg 36 min 25 sec N",
        "46°36'25\" пн. ш.",
        "46º36´25“ с.ш.",
        "46°36'25\"С",
        "٤٦° ٣٦' ٢٥\" شمال",
        "46° 36,4166667' N",
        "46,6069444",
        "46.6069444",
        " +46.6069444° ",
        "nord 46.6069444",
    ],
)
def test_a_latitude_is_read_as_people_write_it(text):
    assert degrees(pd.Series([text]), "lat")[0] == pytest.approx(LAT, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("S 46° 36' 25\"", "lat"),
        ("-46° 36' 25\"", "lat"),
        ("−46.6069444", "lat"),
        ("46°36'25\" ю.ш.", "lat"),
        ("46°36'25\" пд. ш.", "lat"),
        ("46°36'25\" W", "lon"),
        ("46°36'25\" з.д.", "lon"),
        ("46°36'25\" зх. д.", "lon"),
        ("46°36'25\" oeste", "lon"),
        ("46°36'25\" غرب", "lon"),
    ],
)
def test_south_and_west_are_negative(text, axis):
    assert degrees(pd.Series([text]), axis)[0] == pytest.approx(-LAT, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("46° 61' 25\" N", "lat"),  # no such minute
        ("46° 36' 75\" N", "lat"),  # no such second
        ("46.5° 30' N", "lat"),  # a fraction and minutes
        ("E 46° 36'", "lat"),  # the other axis
        ("46° 36' O", "lon"),  # east in German, west in Spanish
        ("-46° 36' S", "lat"),  # south twice
        ("near the school", "lat"),
        ("46 36 25 1 N", "lat"),
        ("", "lat"),
    ],
)
def test_what_is_not_one_clear_coordinate_is_not_read(text, axis):
    assert math.isnan(degrees(pd.Series([text]), axis)[0])


def test_east_in_cyrillic_and_latin_letters_is_the_same():
    assert degrees(pd.Series(["E 33°", "Е 33°", "33° сх. д.", "33° в. д."]), "lon").tolist() == [33.0] * 4


def test_numbers_stay_numbers_on_their_index():
    found = degrees(pd.Series([1.5, np.nan], index=[7, 3]), "lon")
    assert found.index.tolist() == [7, 3]
    assert found[7] == 1.5
    assert math.isnan(found[3])


@pytest.mark.parametrize(
    "text",
    [
        "[10.5, 76.25]",
        "(10.5; 76.25)",
        "10.5 76.25",
        "10.5 76.25 312.4 4.8",
        "10°30'N, 76°15'E",
        "N 10° 30' E 76° 15'",
        "76°15'E 10°30'N",
    ],
)
def test_pairs_are_latitude_first_unless_letters_say_otherwise(text):
    assert pairs(pd.Series([text])).to_numpy().tolist() == [[76.25, 10.5]]


@pytest.mark.parametrize("text", ["somewhere", "10.5", "1 2 3 4 5", None])
def test_what_is_no_pair_is_not_read(text):
    assert pairs(pd.Series([text], dtype=object)).isna().all(axis=None)


def test_well_known_text_keeps_its_srid_where_all_agree():
    shapes, crs = coordinates.shapes_from_wkt(
        pd.Series(["SRID=32634;POINT (1 2)", "srid=32634; POINT (3 4)", None])
    )
    assert [shape.wkt if shape else None for shape in shapes] == ["POINT (1 2)", "POINT (3 4)", None]
    assert crs == "EPSG:32634"
    assert coordinates.shapes_from_wkt(pd.Series(["SRID=1;POINT (1 2)", "SRID=2;POINT (1 2)"]))[1] is None


def test_unreadable_well_known_text_is_no_geometry():
    shapes, crs = coordinates.shapes_from_wkt(pd.Series(["POINT 1 2", "POINT (1 2)"]))
    assert shapes[0] is None
    assert crs is None
