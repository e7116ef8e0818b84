import math
from dataclasses import FrozenInstanceError, replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from ccm_geo.errors import DataError
from ccm_geo.scoring import (
    DISPLACEMENT,
    RISK,
    CategoryScale,
    Factor,
    LinearScale,
    LogScale,
    Score,
    explain,
    score,
)


def _factor(name, weight, scale=None, **more):
    scale = scale or LinearScale(full_at=10)
    return Factor(name=name, column=name, weight=weight, scale=scale, reason="why", source="test", **more)


TWO = Score(name="two", factors=(_factor("a", 3), _factor("b", 1)), meaning="a test")


def _parts(table):
    return table.filter(regex="^from_").sum(axis=1, min_count=1)


def _random_facts(rows=200, seed=1):
    rng = np.random.default_rng(seed)
    facts = pd.DataFrame(
        {
            "hazard_id": [f"H{i}" for i in range(rows)],
            "people_near": rng.lognormal(6, 2, rows).round(),
            "accidents_near": rng.poisson(0.3, rows).astype(float),
            "arrivals": rng.lognormal(4, 2, rows),
            "hazard_class": rng.choice(["SHA", "CHA"], rows),
            "land_use": rng.choice(["crops", "forest", "village", "moor"], rows),
            "ordnance": rng.choice(["cluster", "uxo", "cluster;uxo"], rows),
        },
        index=pd.Index(rng.permutation(rows) * 3, name="fid"),
    )
    for column in facts.columns[1:]:
        facts.loc[rng.random(rows) < 0.2, column] = np.nan
    return facts


def test_score_is_the_weighted_mean_of_its_factors():
    table = score(pd.DataFrame({"a": [5.0], "b": [10.0]}), TWO)
    # (3 * 0.5 + 1 * 1.0) / 4 = 0.625
    assert table.loc[0, "score"] == 62.5
    assert table.loc[0, "from_a"] == 37.5
    assert table.loc[0, "from_b"] == 25.0
    assert table.loc[0, "class"] == "high"
    assert table.loc[0, "missing"] == ""
    assert table.loc[0, "score_low"] == table.loc[0, "score_high"] == 62.5


def test_log_scale_gives_half_at_the_root_of_full():
    # log(1 + 99) / log(1 + 9999) = 2 / 4
    assert LogScale(full_at=9_999).read(pd.Series([99.0]))[0] == pytest.approx(0.5, abs=1e-12)


def test_risk_worked_by_hand():
    facts = pd.DataFrame(
        {
            "people_near": [99.0],
            "accidents_near": [1.0],
            "hazard_class": ["SHA"],
            "land_use": ["Forest"],
            "ordnance": ["uxo"],
        }
    )
    # people 40 log(100)/log(10001); accidents 25 log(2)/log(11); class 15 * 0.2; land 10 * 0.3; uxo 7
    parts = [40 * math.log(100) / math.log(10_001), 25 * math.log(2) / math.log(11), 3.0, 3.0, 7.0]
    table = score(facts, RISK)
    assert table.filter(regex="^from_").loc[0].tolist() == pytest.approx(parts, abs=1e-9)
    assert table.loc[0, "score"] == pytest.approx(sum(parts), abs=1e-9)


def test_missing_input_is_named_and_left_out_of_the_weights():
    table = score(pd.DataFrame({"a": [5.0], "b": [np.nan]}), TWO)
    assert table.loc[0, "missing"] == "b"
    assert table.loc[0, "score"] == 50.0  # a alone: 3 * 0.5 / 3
    assert table.loc[0, "score_low"] == 37.5  # b at nothing: 3 * 0.5 / 4
    assert table.loc[0, "score_high"] == 62.5  # b in full: (1.5 + 1) / 4
    assert math.isnan(table.loc[0, "from_b"])


def test_absent_column_is_named_like_an_empty_one():
    absent = score(pd.DataFrame({"a": [5.0]}), TWO)
    empty = score(pd.DataFrame({"a": [5.0], "b": [None]}), TWO)
    pd.testing.assert_frame_equal(absent, empty, check_like=True)
    assert any("no column b" in note.text for note in absent.attrs["notes"])
    assert any("b is not known" in note.text and note.rows == ("1",) for note in empty.attrs["notes"])


def test_nothing_known_is_not_scored_rather_than_zero():
    table = score(pd.DataFrame({"a": [np.nan, 0.0], "b": [np.nan, 0.0]}), TWO)
    assert math.isnan(table.loc[0, "score"])
    assert math.isnan(table.loc[0, "rank"])
    assert table.loc[0, "class"] == "not scored"
    assert (table.loc[0, "score_low"], table.loc[0, "score_high"]) == (0.0, 100.0)
    assert table.loc[1, "score"] == 0.0
    assert table.loc[1, "class"] == "very low"


def test_displacement_without_arrivals_is_not_scored():
    facts = _random_facts().drop(columns="arrivals")
    table = score(facts, DISPLACEMENT)
    assert table["score"].isna().all()
    assert set(table["class"]) == {"not scored"}
    assert any("no column arrivals" in note.text for note in table.attrs["notes"])


@pytest.mark.parametrize("definition", [RISK, DISPLACEMENT, TWO], ids=lambda d: d.name)
def test_parts_add_up_and_the_score_lies_between_its_ends(definition):
    table = score(_random_facts().assign(a=3.0, b=np.nan), definition)
    known = table["score"].notna()
    assert (_parts(table) - table["score"])[known].abs().max() < 1e-9
    assert _parts(table)[~known].isna().all()
    inside = table["score"].between(table["score_low"] - 1e-9, table["score_high"] + 1e-9)
    assert inside[known].all()
    assert (
        table.loc[table["missing"] == "", ["score_low", "score_high"]]
        .sub(table["score"][table["missing"] == ""], axis=0)
        .abs()
        .to_numpy()
        .max(initial=0)
        < 1e-9
    )


def test_score_with_the_gap_filled_lies_between_low_and_high():
    facts = _random_facts()
    before = score(facts, RISK)
    for fill in (0.0, 1.0, 7.0, 1e6):
        after = score(facts.assign(accidents_near=facts["accidents_near"].fillna(fill)), RISK)
        assert (after["score_low"] >= before["score_low"] - 1e-9).all()
        assert (after["score_high"] <= before["score_high"] + 1e-9).all()


@given(
    st.floats(0, 1e6),
    st.floats(0, 1e6),
    st.floats(0, 50),
)
def test_more_of_a_measure_never_lowers_score_class_or_rank(low, more, accidents):
    facts = pd.DataFrame(
        {
            "people_near": [low, low + more],
            "accidents_near": accidents,
            "hazard_class": "CHA",
            "land_use": "crops",
            "ordnance": "uxo",
        }
    )
    table = score(facts, RISK)
    assert table.loc[1, "score"] >= table.loc[0, "score"] - 1e-9
    assert table.loc[1, "rank"] <= table.loc[0, "rank"]
    assert RISK.labels.index(table.loc[1, "class"]) >= RISK.labels.index(table.loc[0, "class"])


def test_classes_begin_at_their_breaks():
    facts = pd.DataFrame(
        {"a": [0, 1.9999, 2, 4, 6, 7.9999, 8, 10, 99], "b": [0, 1.9999, 2, 4, 6, 7.9999, 8, 10, 99]}
    )
    classes = score(facts, TWO)["class"].tolist()
    assert classes == [
        "very low", "very low", "low", "medium", "high", "high", "very high", "very high", "very high",
    ]  # fmt: skip


def test_equal_scores_share_the_better_rank():
    table = score(pd.DataFrame({"a": [1.0, 9.0, 9.0, 0.5], "b": [1.0, 9.0, 9.0, 0.5]}), TWO)
    assert table["rank"].tolist() == [3.0, 1.0, 1.0, 4.0]


def test_rounding_noise_makes_no_rank_and_no_class():
    noisy = 0.1 + 0.2  # 0.30000000000000004
    linear = replace(TWO, factors=(_factor("a", 1, LinearScale(full_at=1.5)),))
    table = score(pd.DataFrame({"a": [noisy, 0.3, np.nextafter(0.3, 0)]}), linear)
    assert table["rank"].tolist() == [1.0, 1.0, 1.0]
    assert table["class"].tolist() == ["low", "low", "low"]


def test_other_rows_and_their_order_do_not_move_a_score():
    facts = _random_facts()
    whole = score(facts, RISK)
    shuffled = score(facts.sample(frac=1, random_state=3), RISK).loc[facts.index]
    pd.testing.assert_frame_equal(whole, shuffled)
    alone = score(facts.iloc[7:8], RISK)
    pd.testing.assert_series_equal(alone["score"], whole["score"].iloc[7:8])


def test_rows_in_are_rows_out_and_facts_stay_as_they_were():
    facts = gpd.GeoDataFrame(_random_facts(5), geometry=[shapely.box(0, 0, 1, 1)] * 5, crs=4326)
    before = facts.copy()
    table = score(facts, RISK)
    assert type(table) is pd.DataFrame
    pd.testing.assert_index_equal(table.index, facts.index)
    pd.testing.assert_frame_equal(facts, before)


def test_empty_table_gives_an_empty_table_with_all_columns():
    table = score(_random_facts().iloc[:0], RISK)
    assert len(table) == 0
    assert {"score", "score_low", "score_high", "rank", "class", "from_people", "missing"} <= set(
        table.columns
    )


def test_weights_count_only_in_proportion():
    doubled = TWO.with_weights({"a": 6, "b": 2})
    facts = pd.DataFrame({"a": [1.0, 7.0], "b": [2.0, np.nan]})
    pd.testing.assert_frame_equal(score(facts, TWO), score(facts, doubled))


def test_factor_of_weight_zero_is_neither_shown_nor_missed():
    table = score(pd.DataFrame({"a": [5.0]}), TWO.with_weights({"b": 0}))
    assert "from_b" not in table
    assert table.loc[0, "missing"] == ""
    assert table.loc[0, ["score_low", "score", "score_high"]].tolist() == [50.0, 50.0, 50.0]


def test_weights_are_changed_with_plain_replace():
    a, b = TWO.factors
    ours = replace(TWO, factors=(replace(a, weight=1), b))
    assert score(pd.DataFrame({"a": [10.0], "b": [0.0]}), ours).loc[0, "score"] == 50.0
    assert TWO.shares == {"a": 0.75, "b": 0.25}
    with pytest.raises(FrozenInstanceError):
        TWO.name = "other"


def test_standing_of_the_weights_is_a_note():
    facts = pd.DataFrame({"a": [1.0], "b": [1.0]})
    first = score(facts, TWO).attrs["notes"][0]
    assert "national authority must set them" in first.text
    assert first.kind == "assumed"
    ours = TWO.with_weights({"a": 2}, standing="Set by the NMAA in 2026")
    assert "Set by the NMAA in 2026" in score(facts, ours).attrs["notes"][0].text
    assert (
        "Weights set in this study: a 2, b 1"
        in score(facts, TWO.with_weights({"a": 2})).attrs["notes"][0].text
    )


def test_attrs_carry_the_published_breaks():
    table = score(pd.DataFrame({"a": [1.0], "b": [1.0]}), TWO)
    assert table.attrs["score"] == "two"
    assert table.attrs["breaks"] == (20.0, 40.0, 60.0, 80.0)
    assert table.attrs["labels"] == ("very low", "low", "medium", "high", "very high")


def test_label_off_the_scale_is_unknown_and_named():
    facts = pd.DataFrame({"land_use": ["moor", "Crops "], "people_near": 5.0})
    table = score(facts, RISK)
    assert "land_use" in table.loc[0, "missing"]
    assert "land_use" not in table.loc[1, "missing"]
    note = next(n for n in table.attrs["notes"] if "moor" in n.text)
    assert "the scale knows village" in note.text
    assert note.rows == ("1",)


def test_of_several_ordnance_types_the_most_dangerous_counts():
    facts = pd.DataFrame({"ordnance": ["at_mine;cluster", "at_mine", "cluster"]})
    assert score(facts, RISK)["score"].tolist() == [100.0, 50.0, 100.0]


def test_numbers_as_text_are_read_and_words_are_refused():
    assert score(pd.DataFrame({"a": ["5"], "b": ["10"]}), TWO).loc[0, "score"] == 62.5
    with pytest.raises(DataError, match="row 2, a many is not a number"):
        score(pd.DataFrame({"a": ["5", "many"], "b": 1.0}), TWO)


def test_infinite_measure_is_refused_with_its_row():
    with pytest.raises(DataError, match="row 2, people_near inf is infinite"):
        score(pd.DataFrame({"people_near": [1.0, np.inf]}), RISK)


def test_negative_people_are_refused_with_their_row():
    with pytest.raises(DataError, match=r"row 1, people_near -5\.0 is below 0"):
        score(pd.DataFrame({"people_near": [-5.0, 1.0]}), RISK)


def test_rounding_below_zero_is_zero():
    assert score(pd.DataFrame({"people_near": [-6e-15, 0.0]}), RISK)["score"].tolist() == [0.0, 0.0]


def test_dates_are_refused_as_a_measure():
    with pytest.raises(DataError, match="cannot be scored"):
        score(pd.DataFrame({"a": pd.to_datetime(["2020-01-01"]), "b": 1.0}), TWO)


def test_doubled_column_is_refused():
    facts = pd.DataFrame([[1.0, 2.0, 3.0]], columns=["a", "a", "b"])
    with pytest.raises(DataError, match="the column a stands there twice"):
        score(facts, TWO)


@pytest.mark.parametrize("weight", [-1, math.nan, math.inf])
def test_bad_weight_is_refused(weight):
    with pytest.raises(DataError, match="factor a: the weight is"):
        TWO.with_weights({"a": weight})


def test_weights_that_are_all_zero_are_refused():
    with pytest.raises(DataError, match="no factor has a weight above 0"):
        TWO.with_weights({"a": 0, "b": 0})


def test_weight_for_an_unknown_factor_is_refused():
    with pytest.raises(DataError, match="'c': the factors are a, b"):
        TWO.with_weights({"c": 1})


def test_all_faults_of_a_score_come_at_once():
    with pytest.raises(DataError) as caught:
        Score(
            name="bad",
            factors=(_factor("a", 0), _factor("a", 0)),
            meaning="",
            breaks=(50, 20),
            labels=("x", "y"),
        )
    assert len(caught.value.failures) == 4


@pytest.mark.parametrize("full_at", [0, -1, math.inf, math.nan])
def test_log_scale_needs_a_positive_end(full_at):
    with pytest.raises(DataError, match="give a number above 0"):
        LogScale(full_at=full_at)


def test_linear_scale_needs_two_ends():
    with pytest.raises(DataError, match="give two numbers"):
        LinearScale(full_at=0)


def test_category_values_lie_in_zero_to_one():
    with pytest.raises(DataError, match="'x': 2"):
        CategoryScale(values={"x": 2, "y": 0.5})


def test_every_shipped_factor_says_why_and_where_from():
    for definition in (RISK, DISPLACEMENT):
        assert definition.standing
        assert definition.meaning
        for factor in definition.factors:
            assert factor.reason.endswith(".")
            assert factor.source
            assert factor.label


def test_explanation_names_parts_gaps_and_range():
    facts = pd.DataFrame({"hazard_id": ["A", "B"], "a": [5.0, 1.0], "b": [np.nan, 2.0]})
    assert explain(facts, TWO, "A").splitlines() == [
        "A, two: 50 of 100 (medium), rank 1 of 2.",
        "50 from a (5).",
        "Most of it comes from a: why",
        "Not known: b. Depending on it the score lies between 38 and 62.",
    ]


def test_spoken_parts_add_up_to_the_spoken_score():
    facts = _random_facts(60, seed=9)
    table = score(facts, RISK)
    for hazard_id, total in zip(facts["hazard_id"], table["score"], strict=True):
        lines = explain(facts, RISK, hazard_id).splitlines()
        if math.isfinite(total):
            spoken = [int(part.split(" from ")[0]) for part in lines[1].split(", ") if " from " in part]
            assert sum(spoken) == round(total)
        else:
            assert "not scored" in lines[0]


def test_shared_rank_is_said():
    facts = pd.DataFrame({"hazard_id": ["A", "B"], "a": 5.0, "b": 5.0})
    assert "rank 1 of 2, shared by 2" in explain(facts, TWO, "B")


def test_explaining_an_unscored_hazard_says_what_is_missing():
    facts = pd.DataFrame(
        {"hazard_id": ["A"], "hazard_class": ["CHA"], "people_near": 12.0, "land_use": "crops"}
    )
    text = explain(facts, DISPLACEMENT, "A")
    assert text.startswith("A, displacement: not scored")
    assert "Not known: people arriving within 1 km in 12 months." in text


@pytest.mark.parametrize(("wanted", "times"), [("Z", 0), ("A", 2)])
def test_explain_needs_one_hazard(wanted, times):
    facts = pd.DataFrame({"hazard_id": ["A", "A"], "a": 1.0, "b": 1.0})
    with pytest.raises(DataError, match=f"stands there {times} times"):
        explain(facts, TWO, wanted)
