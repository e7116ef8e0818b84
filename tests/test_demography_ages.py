"""Ages recounted by other bands: worked by hand, by law, and on a real table."""

from itertools import pairwise

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Point

from ccm_geo.demography import AGE_BANDS, recount_ages
from ccm_geo.demography.ages import _read
from ccm_geo.errors import DataError
from ccm_geo.schemas import notes_of


def texts(found):
    return [note.text for note in notes_of(found)]


def table(**columns):
    return pd.DataFrame({name: [float(v) for v in np.atleast_1d(value)] for name, value in columns.items()})


def test_imsma_from_unhcr_worked_by_hand():
    camp = table(male_0_4=100, male_5_11=70, male_12_17=60, male_18_59=210, male_60_plus=20)
    found = recount_ages(camp, to="imsma")
    # of 12-17 one year of six goes to 5-12: 10 of 60
    assert found.loc[0].to_dict() == {
        "male_5_12": 80, "male_13_17": 50, "male_18_plus": 230, "male_other_ages": 100,
    }  # fmt: skip
    (note,) = notes_of(found)
    assert (note.kind, note.affected) == ("assumed", 1)
    assert note.text == (
        "ages are recounted by other bands, people spread evenly by year of age within a band: 60 of 460 "
        "people are in bands that are cut"
    )


def test_unhcr_from_imsma_needs_an_oldest_age_and_leaves_the_youngest_unknown():
    session = table(female_5_12=80, female_13_17=25, female_18_plus=71)
    with pytest.raises(DataError, match="'female_18_plus' is open-ended and the new bands cut it"):
        recount_ages(session, to="unhcr")
    found = recount_ages(session, to="unhcr", oldest=88)  # 71 years from 18 to 88, 29 of them from 60 on
    assert found.loc[0].to_dict() == pytest.approx(
        {
            "female_0_4": np.nan, "female_5_11": 70, "female_12_17": 35,
            "female_18_59": 42, "female_60_plus": 29,
        }, nan_ok=True,
    )  # fmt: skip
    assert [note.text for note in notes_of(found)][1:] == [
        "female_0_4: the table tells of none of these ages, so it is unknown"
    ]
    assert "open-ended bands up to 88" in notes_of(found)[0].text


def test_a_profile_of_single_years_replaces_the_even_spread():
    profile = pd.Series([3.0, 2, 1, 0, 0])
    found = recount_ages(table(f_0_3=60, f_4_plus=5), to=[(0, 0), (1, None)], profile=profile)
    assert found.loc[0].tolist() == [30, 35]  # nobody of 4 is in the profile: that band is spread evenly
    assert "by the profile of single years" in notes_of(found)[0].text
    with pytest.raises(DataError, match="profile= ends at 4, but a band begins or ends at 60"):
        recount_ages(table(f_0_4=60), to="unhcr", profile=profile)
    with pytest.raises(DataError, match="on an index 0, 1, 2"):
        recount_ages(table(f_0_4=60), to="unhcr", profile=profile.set_axis(list("abcde")))


@pytest.mark.parametrize(
    ("heading", "meant"),
    [
        ("male_5_12", ("male", 5, 12)),
        ("female_18_plus", ("female", 18, None)),
        ("M_0_4", ("male", 0, 4)),
        ("F: 60 +", ("female", 60, None)),
        ("f60+", ("female", 60, None)),
        ("women 18 and over", ("female", 18, None)),
        ("Girls 5-11 years", ("female", 5, 11)),
        ("boys_under_5", ("male", 0, 4)),
        ("Less than 5", ("people", 0, 4)),
        ("60 or more", ("people", 60, None)),
        ("pop_0_14_2020", ("people", 0, 14)),
        ("0-4", ("people", 0, 4)),
        ("t_05", ("people", 5, "next")),
        ("f_0_2020", ("female", 0, "next")),
        ("hombres_18_59", ("male", 18, 59)),
        ("m2", None),
        ("people_0_100m", None),
        ("men_0_5km", None),
        ("people_100_500", None),
        ("area_m2", None),
        ("2020", None),
        ("5", None),
        ("adm1", None),
        ("people_near_0_500", None),
        ("male_female_0_4", None),
        ("0_59_months", None),
        ("under 5 and over 60", None),
        ("male", None),
        ("female_other", None),
    ],
)
def test_headings_of_known_sources_are_read(heading, meant):
    assert _read(heading) == meant


def test_bands_by_their_first_year_alone_as_worldpop_has_them():
    ages = [0, 1, *range(5, 85, 5)]
    found = recount_ages(table(**{f"f_{age}": 10 for age in ages}), to="unhcr")
    assert found.loc[0].tolist() == pytest.approx([20, 14, 12, 84, 50])
    again = recount_ages(
        found.rename(columns=lambda name: name.replace("female", "f")), to="worldpop", oldest=84
    )
    assert list(again)[:3] == ["female_0_0", "female_1_4", "female_5_9"]
    assert list(again)[-1] == "female_80_plus"
    assert again.loc[0].sum() == pytest.approx(180)


def test_measures_by_age_are_recounted_apart_and_keep_their_ending():
    facts = table(m_0_4_near=5, m_5_17_near=26, m_0_4_inside=1, m_5_17_inside=13, people_0_100m=3)
    found = recount_ages(facts, to=[(0, 4), (5, 12), (13, 17)])
    assert found.loc[0].to_dict() == {
        "people_0_100m": 3,
        "male_0_4_near": 5, "male_5_12_near": 16, "male_13_17_near": 10, "male_other_ages_near": 0,
        "male_0_4_inside": 1, "male_5_12_inside": 8, "male_13_17_inside": 5, "male_other_ages_inside": 0,
    }  # fmt: skip


def test_other_columns_index_and_input_stay_as_they_are():
    places = gpd.GeoDataFrame(
        {"name": ["a", "b"], "adm1": ["x", "y"], "m2": [5, 6], "year": 2020, "male_0_17": [9, None]},
        geometry=[Point(0, 0), Point(1, 1)], crs="EPSG:4326", index=[7, 3],
    )  # fmt: skip
    before = places.copy(deep=True)
    found = recount_ages(places, to=[(0, 5), (6, 17)])
    assert list(found) == [
        "name",
        "adm1",
        "m2",
        "year",
        "geometry",
        "male_0_5",
        "male_6_17",
        "male_other_ages",
    ]
    assert found.index.tolist() == [7, 3]
    assert found.crs == places.crs
    assert found["male_0_5"].tolist() == pytest.approx([3, np.nan], nan_ok=True)
    assert "1 row with a blank age band: the bands made of it are unknown" in texts(found)
    pd.testing.assert_frame_equal(places, before)


def test_an_unknown_band_spoils_only_what_is_made_of_it():
    found = recount_ages(table(f_0_4=[np.nan, 5], f_5_17=[26, 26], f_18_plus=[1, 1]), to="imsma")
    assert found["female_5_12"].tolist() == [16, 16]
    assert found["female_13_17"].tolist() == [10, 10]
    assert found["female_other_ages"].tolist() == pytest.approx([np.nan, 5], nan_ok=True)


def test_columns_of_a_sex_without_an_age_are_named():
    found = recount_ages(table(f_0_4=1, f_other=2, f_adulte=3, area_m2=4, people_0_100m=5), to=[(0, 4)])
    assert texts(found) == [
        "columns of a sex without an age in years are kept as they are: 'f_other', 'f_adulte'"
    ]
    assert found.loc[0, "f_other"] == 2


@pytest.mark.shared
def test_ages_of_the_central_african_republic(shared_data):
    file = shared_data / "ocha-admin-tables" / "download-caf-admpop-adm2-2015-v2.csv"
    people = pd.read_csv(file, encoding="latin-1")
    bands = ["Enfants_00_18", "Adultes_19_59", "Agees_60plus"]
    found = recount_ages(people, to="imsma")
    fresh = ["people_5_12", "people_13_17", "people_18_plus", "people_other_ages"]
    assert found["people_5_12"].sum() == pytest.approx(people["Enfants_00_18"].sum() * 8 / 19)
    assert found[fresh].sum().sum() == pytest.approx(people[bands].sum().sum())
    assert found["Adm2_Pcode"].equals(people["Adm2_Pcode"])


def test_a_band_told_in_part_is_counted_and_said():
    found = recount_ages(table(male_5_17=[13]), to=[(0, 17)])
    assert found["male_0_17"].tolist() == [13]
    assert texts(found) == ["male_0_17: the table tells of only 13 years of it, and those are counted"]


def test_columns_can_be_named_and_text_is_read():
    found = recount_ages(
        pd.DataFrame({"H1": ["1 200", ""], "H2": ["5", "6"]}),
        to=[(0, 5), (6, None)],
        columns={"H1": ("male", 0, 5), "H2": ("male", 6, None)},
    )
    assert found["male_0_5"].tolist() == pytest.approx([1_200, np.nan], nan_ok=True)
    assert found["male_6_plus"].tolist() == [5, 6]


@pytest.mark.parametrize(
    ("frame", "asked", "said"),
    [
        ({"people_near": 4}, {}, "no column tells an age band, such as 'male_5_12'"),
        ({"m_0_17": 4, "m_5_12": 4}, {}, "'m_0_17' and 'm_5_12' share the age 5; name with columns="),
        ({"m_12_5": 4}, {}, "'m_12_5' runs from 12 to 5"),
        ({"m_0_4": -4}, {}, "row 1, m_0_4 is below 0"),
        ({"m_0_4": 4}, {"to": "dtm"}, "to='dtm' is unknown; it is 'imsma', 'unhcr', 'worldpop', or bands"),
        ({"m_0_4": 4}, {"to": [(0, 5), (5, 9)]}, "two bands of to= share the age 5"),
        ({"m_0_4": 4}, {"to": [(5, 2)]}, "the band 5 to 2 runs backwards"),
        ({"m_0_4": 4}, {"to": []}, "to= has no bands"),
        ({"m_0_4": 4}, {"columns": {"x": ("male", 0, 4)}}, "there is no column 'x'"),
        ({"m_0_4": 4}, {"columns": {"m_0_4": ("boys", 0, 4)}}, "is male, female or people, not 'boys'"),
        ({"m_18_plus": 4}, {"to": [(0, 89), (90, None)], "oldest": 70}, "oldest=70, but a band"),
        ({"m_0_7": 4, "male_0_4": 4}, {"columns": {"m_0_7": ("male", 0, 7)}}, "a column 'male_0_4' that"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(frame, asked, said):
    with pytest.raises(DataError) as caught:
        recount_ages(table(**frame), **{"to": "unhcr", **asked})
    assert said in str(caught.value)


BANDS = st.lists(st.integers(0, 95), min_size=2, max_size=8, unique=True).map(sorted)


@given(BANDS, BANDS, st.integers(0, 2**32), st.booleans())
@settings(max_examples=80, deadline=None)
def test_law_nobody_is_lost_or_made(source, target, seed, is_open):
    rng = np.random.default_rng(seed)
    ends = [*(start - 1 for start in source[1:]), None if is_open else source[-1] + 4]
    columns = {
        f"c{k}": ("female", start, end) for k, (start, end) in enumerate(zip(source, ends, strict=True))
    }
    frame = pd.DataFrame({name: rng.uniform(0, 1e6, 3) for name in columns})
    to = [*((start, end - 1) for start, end in pairwise(target))]
    found = recount_ages(frame, to=to, columns=columns, oldest=100)
    assert found.sum(axis=1).to_numpy() == pytest.approx(frame.sum(axis=1).to_numpy())
    assert (found.fillna(0) >= 0).all(axis=None)


def test_bands_that_are_joined_again_are_what_they_were():
    camp = table(m_0_4=11, m_5_11=12, m_12_17=13, m_18_59=14, m_60_plus=15)
    fine = recount_ages(camp, to=[(age, age) for age in range(60)] + [(60, None)])
    assert recount_ages(fine, to="unhcr").loc[0].tolist() == pytest.approx([11, 12, 13, 14, 15])
    assert recount_ages(camp, to=AGE_BANDS["unhcr"]).loc[0].tolist() == [11, 12, 13, 14, 15]
    assert texts(recount_ages(camp, to="unhcr")) == []
