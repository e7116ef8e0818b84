"""The map can show where the plan leaves every area: released, on its way, or only marked."""

from types import SimpleNamespace

import geopandas as gpd
import pandas as pd
import shapely

from ccm_geo.maps.build import map_plan
from ccm_geo.maps.legend import end_legend
from ccm_geo.maps.words import WORDS

IDS = ["released", "surveyed", "marked", "outside", "closed"]


def world():
    squares = [shapely.box(102 + i / 50, 18, 102.01 + i / 50, 18.01) for i in range(5)]
    status = ["open", "open", "open", "open", "closed"]
    return gpd.GeoDataFrame(
        {"hazard_id": IDS, "status": status, "people_near": 10.0}, geometry=squares, crs=4326
    )


def chosen():
    rows = [
        ("released", "nts", 2027, "suspected", "confirmed"),
        ("released", "bac", 2028, "confirmed", "released"),
        ("surveyed", "ts", 2027, "suspected", "surveyed"),
        ("surveyed", "marking", 2028, "surveyed", "surveyed"),
        ("marked", "eore", 2028, "suspected", "suspected"),
    ]
    table = pd.DataFrame(rows, columns=["hazard_id", "activity", "year", "state_from", "state_to"])
    return table.assign(benefit=0.1, cost_usd=1.0)


def entries_by_area(steps):
    legend = end_legend(steps, pd.Series([0, 0, 0, 0, 1]).to_numpy(), WORDS)
    return {area: legend.entries[code].label for area, code in zip(IDS, legend.codes, strict=True)}


def test_every_area_is_told_by_where_the_plan_leaves_it():
    steps = chosen().assign(row=lambda t: t["hazard_id"].map({n: i for i, n in enumerate(IDS)}))
    assert entries_by_area(steps) == {
        "released": "To be released by the end of 2028",
        "surveyed": "To be left surveyed, not released",
        "marked": "Marking or risk education only",
        "outside": "Not in this plan",
        "closed": "Closed in the record",
    }


def test_a_plan_without_states_has_no_such_view():
    steps = chosen().drop(columns=["state_from", "state_to"]).assign(row=0)
    assert end_legend(steps, pd.Series([0]).to_numpy(), WORDS) is None
    assert end_legend(chosen().assign(row=0).iloc[:0], pd.Series([0]).to_numpy(), WORDS) is None


def test_the_view_stands_in_the_page():
    reasons = pd.DataFrame({"reason": IDS}, index=IDS)
    plan = SimpleNamespace(table=chosen(), options=chosen(), reasons=reasons, run_id="r", notes=())
    shown = map_plan(world(), plan)
    assert [view["label"] for view in shown.scene.content["views"]][:3] == [
        "First year of work",
        "Left by the plan",
        "Activities",
    ]


def test_a_measure_that_is_shown_anyway_is_not_shown_twice():
    facts = world().assign(office="north")
    shown = map_plan(
        facts,
        SimpleNamespace(table=chosen(), options=chosen(), run_id="r", notes=()),
        details=["people_near", "office", "office"],
    )
    labels = [told["label"] for told in shown.scene.content["texts"]]
    assert labels == ["Status in the record", "Office"]
    assert [told["label"] for told in shown.scene.content["numbers"]] == ["People near"]
