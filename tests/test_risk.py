import math
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from scipy import stats

from ccm_geo._accident_rate import country_rate
from ccm_geo.assumptions import COMPLETENESS, FIRST_YEAR_SHARE, HARM, Assumption, Belief
from ccm_geo.errors import CRSError, DataError
from ccm_geo.risk import expected_harm, p_contaminated

UTM = "EPSG:32648"


def _facts(**columns):
    rows = max((len(v) for v in columns.values() if isinstance(v, list)), default=1)
    base = {"hazard_id": [f"H{i}" for i in range(rows)], "hazard_class": "CHA", "people_near": 1_000.0}
    return pd.DataFrame({**base, **columns})


def _harm(facts, *, years=(2027,), **options):
    options = {"observed_years": 10, "completeness": 0.5, **options}
    return expected_harm(facts, years=years, **options)


def _country(residents, areas, accidents, *, prior_rate):
    arrays = [np.array(values, dtype=float) for values in (residents, areas, accidents)]
    return country_rate(*arrays, shape=1.0, prior_rate=prior_rate, weight=1.0)


def _random_facts(rows, seed=1):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "hazard_id": [f"H{i}" for i in range(rows)],
            "hazard_class": rng.choice(["SHA", "CHA"], rows),
            "evidence": rng.choice(["direct", "indirect", None], rows),
            "people_near": rng.lognormal(5, 1.5, rows),
            "people_inside": rng.lognormal(1, 1, rows),
            "accidents_near": rng.poisson(0.2, rows).astype(float),
            "arrivals": rng.lognormal(3, 1, rows),
        }
    )


def _squares(*lefts, size=100.0):
    shapes = [shapely.box(500_000 + x, 2_000_000, 500_000 + x + size, 2_000_000 + size) for x in lefts]
    facts = _facts(people_near=[1_000.0] * len(lefts))
    return gpd.GeoDataFrame(facts, geometry=shapes, crs=UTM)


def _points(*xs, dates=None):
    place = [shapely.Point(500_000 + x, 2_000_050) for x in xs]
    return gpd.GeoDataFrame({"accident_id": range(len(xs)), "date": dates}, geometry=place, crs=UTM)


def test_chance_of_contamination_by_class_and_evidence():
    facts = pd.DataFrame(
        {
            "hazard_class": ["SHA", "SHA", "SHA", "CHA", "CHA", "CHA"],
            "evidence": ["indirect", None, "direct", "indirect", None, "direct"],
        }
    )
    # Beta means: 1/20, 1/20, 2/4, 2/4, 9/10, 9/10
    assert p_contaminated(facts)["p_contaminated"].tolist() == [0.05, 0.05, 0.5, 0.5, 0.9, 0.9]


def test_interval_of_the_chance_is_that_of_the_beta_distribution():
    table = p_contaminated(pd.DataFrame({"hazard_class": ["CHA"], "accidents_near": [1.0]}))
    # found 9 + 2, empty 1
    assert table.loc[0, "p_contaminated"] == pytest.approx(11 / 12)
    assert table.loc[0, "p_low"] == pytest.approx(stats.beta(11, 1).ppf(0.1))
    assert table.loc[0, "p_high"] == pytest.approx(stats.beta(11, 1).ppf(0.9))


def test_no_accident_is_no_evidence_of_safety():
    facts = pd.DataFrame({"hazard_class": ["SHA", "SHA"], "accidents_near": [0.0, np.nan]})
    assert p_contaminated(facts)["p_contaminated"].tolist() == [0.05, 0.05]


def test_accidents_raise_the_chance():
    facts = pd.DataFrame({"hazard_class": "SHA", "accidents_near": [0.0, 1.0, 5.0]})
    # (1 + 2 a) / (20 + 2 a)
    assert p_contaminated(facts)["p_contaminated"].tolist() == pytest.approx([1 / 20, 3 / 22, 11 / 30])


def test_class_without_a_belief_is_refused_with_its_row():
    with pytest.raises(DataError, match=r"row 2, XYZ : there are beliefs for SHA indirect, SHA \(blank\)"):
        p_contaminated(pd.DataFrame({"hazard_class": ["SHA", "XYZ"]}))
    with pytest.raises(DataError, match="no column hazard_class"):
        p_contaminated(pd.DataFrame({"other": [1]}))


def test_harm_worked_by_hand():
    # two alike, three accidents each in ten years: nothing tells residents and those who pass apart
    facts = _facts(hazard_class=["SHA", "SHA"], accidents_near=[3.0, 3.0], people_near=[400.0, 400.0])
    p = (1 + 2 * 3) / (20 + 2 * 3)  # 7/26
    country = _country([400.0, 400.0], [p * 10] * 2, [3.0, 3.0], prior_rate=2.4e-4 / 1.5 / p)
    expected = p * 10 * (country.passing + 400 * country.resident)
    each = (1 + 3) * expected / (1 + expected)  # the record drawn towards the country's rate
    assert _harm(facts)["harm"].tolist() == pytest.approx([each / 10 / 0.5] * 2, rel=1e-12)
    assert each == pytest.approx(3, rel=0.05)


def test_harm_of_several_hazards_is_that_of_a_blind_search():
    facts = _facts(hazard_class=["CHA", "SHA", "SHA"], accidents_near=[3.0, 0.0, 1.0])
    facts["people_near"] = [1_000.0, 200.0, 0.0]
    p = np.array([15 / 16, 1 / 20, 3 / 22])
    people, seen = facts["people_near"].to_numpy(), np.array([3, 0, 1])
    prior = 2.4e-4 / 1.5 / (p @ people / people.sum())
    a, b = np.meshgrid(np.geomspace(1e-4, 10, 1_500), np.geomspace(1e-6, 1e-2, 1_500), indexing="ij")
    likely = np.log(b) - b / prior + 0.5 * (np.log(a) - a * p.sum() * 10 / 4)
    for i in range(3):
        mean = p[i] * 10 * (a + b * people[i])
        likely += seen[i] * np.log(mean) - (1 + seen[i]) * np.log1p(mean)
    best = np.unravel_index(likely.argmax(), likely.shape)
    mean = p * 10 * (a[best] + b[best] * people)
    harm = (1 + seen) * mean / (1 + mean) / 10 / 0.5
    assert _harm(facts)["harm"].tolist() == pytest.approx(harm.tolist(), rel=0.01)


def test_without_any_accident_the_rate_stays_at_the_figure_from_afghanistan():
    # one accident's weight against 1000 people for a tiny time: 2.4e-4 casualties / 1.5 * 1000 people / 0.5
    harm = _harm(_facts(accidents_near=[0.0]), observed_years=1e-9)
    assert harm.loc[0, "harm"] == pytest.approx(2.4e-4 / 1.5 * 1_000 / 0.5, rel=1e-6)


def test_residents_inside_count_with_their_contact():
    far = Assumption(value=1e-9, unit="", source="test")  # an endless prior: the rate stays as it is
    numbers = replace(HARM, spread=far, prior_accidents=replace(far, value=1e12))
    facts = _facts(people_near=[1_000.0, 1_000.0], people_inside=[0.0, 100.0], accidents_near=[0.0, 0.0])
    harm = _harm(facts, numbers=numbers)
    # 900 near + 5 x 100 inside = 1400 against 1000
    assert harm.loc[1, "harm"] / harm.loc[0, "harm"] == pytest.approx(1.4)
    assert harm["people"].tolist() == [1_000.0, 1_000.0]


def test_arrivals_come_front_loaded_and_stay():
    facts = _facts(arrivals=[60.0])
    table = expected_harm(facts, years=[2027, 2028, 2030], first_year_share=0.6)
    # of 100 in all 60 come in the first year, 0.6 x 0.4 x 100 = 24 in the second, then 9.6 and 3.84
    assert table["people"].tolist() == pytest.approx([1_060, 1_084, 1_097.44])


def test_people_in_the_year_they_arrive_may_count_more():
    numbers = replace(HARM, contact_newcomer=Assumption(value=3, unit="times", source="test"))
    facts = _facts(arrivals=[60.0])
    plain = expected_harm(facts, years=[2027, 2028], first_year_share=0.6)["harm"]
    more = expected_harm(facts, years=[2027, 2028], first_year_share=0.6, numbers=numbers)["harm"]
    # contact: 1000 + 3*60 against 1000 + 60; then 1000 + 60 + 3*24 against 1000 + 60 + 24
    assert (more / plain).tolist() == pytest.approx([1_180 / 1_060, 1_132 / 1_084])


def test_without_accidents_harm_is_relative_and_says_so():
    facts = _facts(hazard_class=["CHA", "SHA"], people_near=[1_000.0, 500.0])
    table = expected_harm(facts, years=[2027])
    assert table["relative"].all()
    assert table.attrs["unit"] == "relative"
    assert any("harm is relative" in note.text for note in table.attrs["notes"])
    assert table["harm"].tolist() == pytest.approx([0.9 * 1_000, 0.05 * 500])  # p x people, no rate in it
    blank = expected_harm(facts.assign(accidents_near=np.nan), years=[2027])
    assert blank["relative"].all()


def test_with_accidents_harm_is_in_accidents_a_year():
    table = _harm(_facts(accidents_near=[1.0]))
    assert not table["relative"].any()
    assert table.attrs["unit"] == "accidents a year"


def test_unknown_people_give_unknown_harm_and_are_named():
    facts = _facts(people_near=[np.nan, 10.0], accidents_near=[0.0, 1.0])
    table = _harm(facts)
    assert math.isnan(table.loc[0, "harm"])
    assert math.isnan(table.loc[0, "people"])
    assert table.loc[1, "harm"] > 0
    assert any(
        "not known (H0): no harm is given" in n.text and n.rows == ("1",) for n in table.attrs["notes"]
    )


def test_unknown_accidents_of_one_hazard_take_the_rate_of_the_country():
    facts = _facts(people_near=[1_000.0, 1_000.0], accidents_near=[2.0, np.nan])
    p = [13 / 14, 0.9]
    prior = 2.4e-4 / 1.5 / ((p[0] + p[1]) / 2)
    country = _country([1_000.0], [p[0] * 10], [2.0], prior_rate=prior)
    reported = p[1] * (country.passing + country.resident * 1_000)
    assert _harm(facts).loc[1, "harm"] == pytest.approx(reported / 0.5)


def test_unknown_arrivals_are_noted_and_count_residents_only():
    table = _harm(_facts(accidents_near=[0.0, 0.0], people_near=[5.0, 5.0], arrivals=[np.nan, 0.0]))
    assert table["people"].tolist() == [5.0, 5.0]
    assert any("Arrivals are not known" in n.text and n.rows == ("1",) for n in table.attrs["notes"])


def test_no_accident_is_not_no_harm():
    table = _harm(_facts(accidents_near=[0.0, 4.0], people_near=[10.0, 1e5]))
    assert (table["harm_low"] > 0).all()
    assert (table["harm"] > 0).all()


def test_no_people_no_harm_where_no_accident_is_recorded_anywhere():
    table = _harm(_facts(people_near=[0.0, 10.0], accidents_near=[0.0, 0.0]))
    assert table.loc[0, ["harm", "harm_low", "harm_high"]].tolist() == [0.0, 0.0, 0.0]
    assert table.loc[1, "harm"] > 0
    assert any("nothing tells how many people pass" in n.text for n in table.attrs["notes"])


def test_no_people_is_little_harm_where_accidents_tell_of_people_who_pass():
    table = _harm(_facts(people_near=[0.0, 10.0, 400.0], accidents_near=[0.0, 0.0, 3.0]))
    assert 0 < table.loc[0, "harm_low"] < table.loc[0, "harm"] < table.loc[1, "harm"] < table.loc[2, "harm"]
    (note,) = [n for n in table.attrs["notes"] if "People pass where few live" in n.text]
    assert (note.affected, note.rows) == (1, ("1",))
    assert table["people"].tolist() == [0.0, 10.0, 400.0]  # who passes is not counted as living there


def test_rounding_below_zero_is_nobody():
    below, nobody = (
        _harm(_facts(people_near=[people, 10.0], accidents_near=[0.0, 1.0])) for people in (-6e-15, 0.0)
    )
    assert below["harm"].tolist() == nobody["harm"].tolist()
    assert below["people"].tolist() == [0.0, 10.0]


@pytest.mark.parametrize("column", ["people_near", "people_inside", "arrivals", "accidents_near"])
@pytest.mark.parametrize("seed", range(5))
def test_more_people_or_accidents_never_lower_the_harm_of_a_hazard(column, seed):
    facts = _random_facts(12, seed)
    if column == "people_inside":  # moving inside: they stay within reach
        facts["people_near"] += 1_000
    before = _harm(facts, years=[2027, 2028])
    for row, step in ((0, 0.5), (3, 7.0), (7, 900.0)):
        more = facts.copy()
        more.loc[row, column] += step
        after = _harm(more, years=[2027, 2028])
        mine = before["hazard_id"] == f"H{row}"
        assert (after["harm"][mine] >= before["harm"][mine] * (1 - 1e-12)).all()


def test_expected_reports_add_up_to_the_accidents_seen_where_data_are_plenty():
    rng = np.random.default_rng(5)
    people = rng.lognormal(9, 1, 300)
    seen = rng.poisson(rng.gamma(1, 1, 300) * 5e-5 * people * 20)
    facts = _facts(people_near=people.tolist(), accidents_near=seen.astype(float).tolist())
    table = _harm(facts, observed_years=20, completeness=0.4)
    reported = table["harm"].sum() * 0.4 * 20
    assert reported == pytest.approx(seen.sum(), rel=0.01)


def test_expected_reports_add_up_also_where_accidents_are_where_people_are_few():
    rng = np.random.default_rng(6)
    facts = _facts(
        people_near=rng.lognormal(6, 2, 3_000).tolist(), accidents_near=rng.poisson(0.1, 3_000).tolist()
    )
    seen = facts["accidents_near"].sum()
    assert _harm(facts)["harm"].sum() * 0.5 * 10 == pytest.approx(seen, rel=0.01)


def test_order_of_rows_does_not_matter():
    facts = _random_facts(50)
    table = _harm(facts, years=[2027, 2028]).set_index(["hazard_id", "year"])
    mixed = _harm(facts.sample(frac=1, random_state=2), years=[2027, 2028]).set_index(["hazard_id", "year"])
    pd.testing.assert_frame_equal(table, mixed.loc[table.index], rtol=1e-12)


def test_facts_stay_as_they_were():
    facts = _random_facts(5)
    before = facts.copy()
    _harm(facts)
    pd.testing.assert_frame_equal(facts, before)


def test_less_complete_reporting_raises_harm_in_proportion():
    facts = _facts(accidents_near=[2.0])
    assert _harm(facts, completeness=0.25).loc[0, "harm"] == pytest.approx(2 * _harm(facts).loc[0, "harm"])


def _drawn(facts, completeness, *, years=10, n=100_000):
    """Draw harm from the whole posterior, over a grid of both rates of the country."""
    rng = np.random.default_rng(1)
    table = p_contaminated(facts)
    p, seen, people = table["p_contaminated"].to_numpy(), facts["accidents_near"], facts["people_near"]
    prior = 2.4e-4 / 1.5 / (p @ people / people.sum())
    grid = np.linspace(-12, 12, 241)
    most = seen.sum() / p.sum() / years if seen.any() else 1e-200
    log_a, log_b = np.meshgrid(np.log(most) + grid, np.log(prior) + grid, indexing="ij")
    a, b = np.exp(log_a), np.exp(log_b)
    likely = log_b - b / prior + 0.5 * (log_a - a / most)
    for i in range(len(p)):
        mean = p[i] * years * (a + b * people[i])
        likely += seen[i] * np.log(mean) - (1 + seen[i]) * np.log1p(mean)
    weight = np.exp(likely - likely.max()).ravel()
    picked = rng.choice(weight.size, n, p=weight / weight.sum())
    a, b = a.ravel()[picked], b.ravel()[picked]
    spread = math.log1p(0.6**2) if completeness < 1 else 0.0
    unseen = np.exp(rng.normal(-math.log(completeness) - spread / 2, spread**0.5, n))
    for i in range(len(p)):
        mean = p[i] * years * (a + b * people[i])
        reports = rng.gamma(1 + seen[i], 1.0, n) * mean / (1 + mean) / years
        yield rng.beta(table["found"][i], table["empty"][i], n) / p[i] * reports * unseen


@pytest.mark.parametrize("completeness", [0.42, 1.0])
@pytest.mark.parametrize(
    ("kinds", "people", "accidents"),
    [
        (["SHA"], [1_000], [2]),
        (["CHA"], [1_000], [12]),
        (["SHA", "CHA", "SHA"], [0, 1_000, 50], [2, 1, 0]),
        (["SHA", "CHA", "SHA"], [0, 1_000, 50], [0, 9, 0]),
        (["SHA"] * 12, [0] * 6 + [100] * 3 + [3_000] * 3, [1, 0, 0, 0, 0, 0, 1, 0, 0, 3, 1, 0]),
    ],
)
def test_eighty_percent_interval_holds_eighty_percent_of_random_draws(kinds, people, accidents, completeness):
    facts = _facts(hazard_class=kinds, accidents_near=[float(y) for y in accidents])
    facts["people_near"] = [float(n) for n in people]
    table = _harm(facts, completeness=completeness)
    for row, harm in zip(table.itertuples(), _drawn(facts, completeness), strict=True):
        assert row.harm == pytest.approx(harm.mean(), rel=0.1)
        inside = ((harm >= row.harm_low) & (harm <= row.harm_high)).mean()
        assert 0.77 < inside < 0.83
        assert row.harm_low < row.harm < row.harm_high


def test_accident_near_two_hazards_counts_once_for_the_country():
    facts = _squares(0, 150, 90_000)
    p = p_contaminated(facts, accidents=_points(125))["found"].tolist()
    assert p == [9 + 2 * 0.5, 9 + 2 * 0.5, 9]  # half an accident each, none for the far one


def test_expected_accidents_do_not_multiply_where_hazards_overlap():
    # the same land recorded once or four times; many accidents, so that the data decide
    accidents = _points(*([50] * 400))
    facts = _facts(people_near=[100_000.0])
    alone = gpd.GeoDataFrame(facts, geometry=_squares(0).geometry.to_numpy(), crs=UTM)
    four = pd.concat([alone.assign(hazard_id=f"H{i}") for i in range(4)], ignore_index=True)
    totals = [_harm(t, accidents=accidents)["harm"].sum() for t in (alone, four)]
    assert totals[0] == pytest.approx(400 / 10 / 0.5, rel=0.02)
    assert totals[1] == pytest.approx(totals[0], rel=0.03)


def test_bare_counts_are_shared_out_over_the_hazards_close_by():
    facts = _squares(0, 150, 90_000).assign(accidents_near=[2.0, 2.0, 1.0])
    table = p_contaminated(facts)
    assert table["found"].tolist() == [9 + 2 * 1.0, 9 + 2 * 1.0, 9 + 2 * 1.0]
    assert any("shared out by the hazards close by" in note.text for note in table.attrs["notes"])


def test_bare_counts_without_geometry_say_that_they_may_count_twice():
    notes = _harm(_facts(accidents_near=[2.0])).attrs["notes"]
    assert any("near several hazards counts for each of them" in note.text for note in notes)


def test_years_of_observation_come_from_the_dates():
    dates = ["2010-01-01", "2015-01-01", "2020-01-01"]
    table = expected_harm(_squares(0), years=[2027], accidents=_points(50, 50, 50, dates=dates))
    # ten years between first and last; three dates spread evenly span half of the time
    assert any(
        "recorded over 20 years, taken from the accidents' dates" in n.text for n in table.attrs["notes"]
    )
    given = expected_harm(
        _squares(0), years=[2027], accidents=_points(50, 50, 50), observed_years=3_652 / 365.25 * 2
    )
    assert table["harm"].tolist() == pytest.approx(given["harm"].tolist())


def test_years_of_observation_are_assumed_where_no_dates_are_at_hand():
    for table in (
        expected_harm(_squares(0), years=[2027], accidents=_points(50)),
        expected_harm(_facts(accidents_near=[1.0]), years=[2027]),
    ):
        assert any("recorded over 10 years, assumed" in note.text for note in table.attrs["notes"])


def test_accidents_near_no_hazard_are_counted_in_a_note():
    table = _harm(_squares(0), accidents=_points(50, 30_000))
    assert any(n.kind == "advice" and "1 of 2 accidents" in n.text for n in table.attrs["notes"])


def test_accidents_without_any_place_are_no_accidents_known():
    nowhere = gpd.GeoDataFrame({"accident_id": [1]}, geometry=[None], crs=UTM)
    table = _harm(_squares(0), accidents=nowhere)
    assert table["relative"].all()
    assert any("No accident has a place" in note.text for note in table.attrs["notes"])


def test_table_of_accidents_that_is_empty_says_none_was_reported():
    table = _harm(_squares(0), accidents=_points(50).iloc[:0])
    assert not table["relative"].any()
    assert table.loc[0, "harm"] > 0


def test_accidents_of_another_country_are_refused():
    elsewhere = gpd.GeoDataFrame(geometry=[shapely.Point(17, 44)], crs=4326)
    with pytest.raises(CRSError, match="hazards and accidents do not overlap"):
        _harm(_squares(0), accidents=elsewhere)


def test_accident_points_need_the_hazards_geometry():
    with pytest.raises(DataError, match="needs the hazards' geometry"):
        _harm(_facts(), accidents=_points(1))


def test_assumptions_are_noted():
    table = expected_harm(_facts(accidents_near=[1.0], arrivals=[5.0]), years=[2027])
    text = " ".join(note.text for note in table.attrs["notes"])
    assert "completeness is 0.42: Printed for Afghanistan's surveillance" in text
    assert "first_year_share is 0.77: Stand-in: 438 of 569" in text
    assert "CHA evidence unknown 0.9" in text
    assert "SHA" not in text  # no such area here
    ours = _harm(_facts(accidents_near=[1.0]), completeness=0.8).attrs["notes"]
    assert any("completeness is 0.8: set in this study" in note.text for note in ours)


def test_numbers_that_were_replaced_are_placeholders_no_longer():
    rows = {
        name: replace(row, placeholder=False)
        for name, row in vars(HARM).items()
        if isinstance(row, Assumption)
    }
    ours = replace(HARM, **rows, beliefs=tuple(replace(b, placeholder=False) for b in HARM.beliefs))
    notes = _harm(_facts(accidents_near=[1.0]), numbers=ours).attrs["notes"]
    assert not any("placeholder" in note.text for note in notes)
    assert not ours.table()["placeholder"].any()


def test_every_number_has_a_source_and_a_unit():
    table = HARM.table()
    assert (table["source"] != "").all()
    assert (table["unit"] != "").all()
    assert len(table) == len(HARM.beliefs) + 9
    for row in (COMPLETENESS, FIRST_YEAR_SHARE):
        assert row.placeholder
        assert row.source
    assert FIRST_YEAR_SHARE.value == pytest.approx(0.7698, abs=1e-4)


def test_all_bad_values_are_told_at_once():
    facts = _facts(people_near=[-1.0, np.inf, 3.0], accidents_near=["x", "1", "2"])
    with pytest.raises(DataError) as caught:
        expected_harm(facts, years=[2027], completeness=0, first_year_share=1.5, observed_years=-1)
    text = "\n".join(caught.value.failures)
    assert len(caught.value.failures) == 6
    assert "row 1, people_near -1.0: give a number from 0" in text
    assert "row 1, accidents_near x" in text
    assert "completeness: 0; give a share above 0 up to 1" in text


def test_absent_columns_are_named_with_the_cure():
    with pytest.raises(DataError, match="no column people_near; make it with people_near"):
        expected_harm(pd.DataFrame({"hazard_id": ["A"], "hazard_class": ["SHA"]}), years=[2027])


@pytest.mark.parametrize("years", [[], [2028, 2027], [2027, 2027], [2027.5], ["2027"], [True]])
def test_years_must_rise(years):
    with pytest.raises(DataError, match="give one calendar year or several that rise"):
        expected_harm(_facts(), years=years)


def test_impossible_numbers_are_refused():
    with pytest.raises(DataError, match=r"contact_inside: 0\.5; give a number from 1"):
        replace(HARM, contact_inside=Assumption(value=0.5, unit="", source=""))
    with pytest.raises(DataError, match="spread: 0; give a number above 0"):
        replace(HARM, spread=Assumption(value=0, unit="", source=""))
    with pytest.raises(DataError, match="found and empty must be numbers above 0"):
        Belief(hazard_class="SHA", evidence="", found=0, empty=1, source="")


def test_empty_table_gives_an_empty_table():
    table = expected_harm(_facts().iloc[:0], years=[2027])
    assert len(table) == 0
    assert {
        "hazard_id",
        "year",
        "people",
        "p_contaminated",
        "harm",
        "harm_low",
        "harm_high",
        "relative",
    } == set(table)


def test_accidents_where_nobody_lives_are_not_counted_away():
    facts = _facts(people_near=[0.0, 500.0], accidents_near=[4.0, 2.0])
    table = _harm(facts, years=[2027], observed_years=8, completeness=0.5)
    # the record, four in eight years, half told, drawn a little towards the country's three
    assert 3.5 / 8 / 0.5 < table["harm"].iloc[0] < 4 / 8 / 0.5
    assert table["harm_low"].iloc[0] < 1.0 < table["harm_high"].iloc[0]
    note = next(n for n in table.attrs["notes"] if "no resident" in n.text)
    assert (note.affected, note.rows) == (1, ("1",))


def test_areas_alike_where_nobody_lives_keep_their_record():
    table = _harm(_facts(people_near=[0.0] * 3, accidents_near=[2.0] * 3), observed_years=8)
    assert table["harm"].tolist() == pytest.approx([2 / 8 / 0.5] * 3)


def _one_among_many(people, accidents=1.0):
    """A thousand areas with 500 residents each and twenty accidents in all; the first one is given."""
    facts = _facts(hazard_class=["SHA"] * 1_000, people_near=500.0, accidents_near=0.0)
    facts.loc[1:20, "accidents_near"] = 1.0
    facts.loc[0, ["people_near", "accidents_near"]] = [people, accidents]
    return _harm(facts)["harm"]


def test_first_resident_is_no_cliff():
    harm = [_one_among_many(people)[0] for people in (0, 1e-9, 1, 5, 50, 500, 5_000)]
    assert harm[1] == pytest.approx(harm[0], rel=1e-9)
    assert harm[2] == pytest.approx(harm[0], rel=0.01)
    assert harm == sorted(harm)
    assert harm[0] > 1 / 10 / 0.5 / 20  # the record, drawn towards a country with an accident at one in fifty


def test_another_accident_where_nobody_lives_raises_harm():
    harm = [_one_among_many(0, accidents)[0] for accidents in (0, 0.1, 1, 2, 10)]
    assert harm == sorted(set(harm))


@pytest.mark.parametrize("seed", range(6))
def test_more_people_or_accidents_never_lower_harm_where_few_live(seed):
    rng = np.random.default_rng(seed)
    facts = _random_facts(40, seed).drop(columns=["people_inside", "arrivals"])
    facts["people_near"] *= rng.choice([0, 0, 0.001, 1], 40)
    before = _harm(facts)["harm"]
    for row, step in ((0, 1e-6), (1, 1.0), (2, 30.0), (3, 5_000.0)):
        for column, more in (("people_near", step), ("accidents_near", min(step, 3.0))):
            raised = facts.copy()
            raised.loc[row, column] += more
            assert _harm(raised)["harm"][row] >= before[row] * (1 - 1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_in_a_country_of_a_few_areas_more_people_lower_harm_by_a_hair_at_most(seed):
    rng = np.random.default_rng(seed)
    for _ in range(10):
        facts = _random_facts(3, int(rng.integers(1e6))).drop(columns=["people_inside", "arrivals"])
        facts["people_near"] *= rng.choice([0, 0.01, 1], 3)
        facts["accidents_near"] = rng.choice([0.0, 1.0, 6.0], 3)
        raised = facts.copy()
        raised.loc[0, "people_near"] += float(rng.choice([1, 30, 900]))
        assert _harm(raised)["harm"][0] >= _harm(facts)["harm"][0] * 0.995


def test_accidents_where_nobody_lives_tell_of_people_who_pass_and_not_of_residents():
    facts = _facts(people_near=[500.0, 0.0, 40.0], accidents_near=[2.0, 1.0, 0.0])
    more = facts.assign(accidents_near=[2.0, 9.0, 0.0])

    def of_a_resident(table):
        with_one = _harm(table.assign(arrivals=[0.0, 0.0, 1.0]), first_year_share=1)["harm"]
        return with_one[2] - _harm(table)["harm"][2]

    assert _harm(more)["harm"][2] > _harm(facts)["harm"][2]
    assert of_a_resident(more) <= of_a_resident(facts)


def test_people_who_come_home_to_an_empty_area_raise_its_harm():
    facts = _facts(people_near=[0.0, 300.0, 0.0], accidents_near=[1.0, 2.0, 0.0], arrivals=[0.0, 0.0, 200.0])
    harm = [_harm(facts.assign(arrivals=[0.0, 0.0, come]))["harm"][2] for come in (0.0, 1.0, 200.0)]
    assert 0 < harm[0] < harm[1] < harm[2]


def test_spots_that_bear_many_accidents_are_named_with_their_hazards():
    seat = _harm(_squares(0, 90_000), accidents=_points(*([50] * 5), 90_050))
    (note,) = [n for n in seat.attrs["notes"] if "seat of a municipality" in n.text]
    assert note.text.startswith("5 or more accidents near hazards share one position (1 such positions)")
    assert note.text.endswith("harm rests on it at H0")
    assert (note.affected, note.rows) == (1, ("1",))
    apart = _harm(_squares(0, 90_000), accidents=_points(48, 49, 50, 51, 52, 90_050))
    assert not any("seat" in n.text for n in apart.attrs["notes"])


def test_unknown_people_with_accidents_have_the_recorded_harm():
    facts = _facts(people_near=[None, None, 500.0], accidents_near=[4.0, 0.0, 2.0])
    harm = _harm(facts, observed_years=8, completeness=0.5)["harm"]
    assert harm.iloc[0] == pytest.approx(4 / 8 / 0.5)
    assert np.isnan(harm.iloc[1])


def test_harm_by_number_of_people_is_that_of_a_known_world():
    rng = np.random.default_rng(11)
    people = np.where(rng.random(3_000) < 0.4, 0, rng.lognormal(4.5, 2, 3_000))
    truth = 0.9 * rng.gamma(1, 1, 3_000) * (people + 300) * 1e-5  # a year; those who pass weigh as 300
    seen = rng.poisson(truth * 20).astype(float)
    facts = _facts(people_near=people.tolist(), accidents_near=seen.tolist())
    table = _harm(facts, observed_years=20, completeness=1)
    for low, high in ((-1, 0), (0, 30), (30, 300), (300, 1e9)):
        here = (people > low) & (people <= high)
        assert table["harm"][here].sum() == pytest.approx(truth[here].sum(), rel=0.2)
    plain = truth.mean() * np.abs(truth / truth.mean() - 1).mean()
    assert np.abs(table["harm"] - truth).mean() < 0.75 * plain
    (note,) = [n for n in table.attrs["notes"] if "People pass where few live" in n.text]
    assert 200 < float(note.text.split("weigh as ")[1].split()[0]) < 450


def test_without_accidents_known_nobody_passes():
    facts = _facts(people_near=[0.0, 10.0])
    table = expected_harm(facts, years=[2027])
    assert table["harm"].tolist() == pytest.approx([0, 0.9 * 10])
    assert not any("pass" in note.text for note in table.attrs["notes"])
