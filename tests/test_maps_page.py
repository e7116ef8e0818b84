"""The page asks the network for nothing, and no text in it is ever anything but text."""

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import folium
import folium.plugins
import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from ccm_geo.errors import CRSError, DataError, SourceError
from ccm_geo.maps import WORDS, OfflineMap, map_plan, map_scores
from ccm_geo.maps.assets import fetched
from ccm_geo.planning.reasons import without_option
from ccm_geo.schemas import Note
from ccm_geo.scoring import RISK, score

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "{{ cycler.__init__.__globals__.os.getpid() }}",
    "50{% of area",
    "{# note #}",
    "`${alert(1)}`",
    "</script><script>alert(1)</script>",
    "<!-- <script>",
    'O\'Brien "quoted" \\u0041 \\',
    "line\u2028separator\u2029\r\n\x00",
    "حقل ألغام \u202e",
    "ບ້ານ ໂພນສະຫວັນ",
    "javascript:alert(1)",
    "&lt;b&gt; &amp;",
    '<img src="https://example.com/x.png">',
]

HALF_A_LETTER = "half \ud800 letter"  # text columns of pandas cannot hold it, titles can


def hazards(count=14, names=HOSTILE):
    rng = np.random.default_rng(4)
    squares = [
        shapely.box(x, y, x + 0.01, y + 0.01) for x, y in rng.uniform([102, 17], [104, 19], (count, 2))
    ]
    return gpd.GeoDataFrame(
        {
            "hazard_id": [f"HA-{i:04d}" for i in range(count)],
            "name": [names[i % len(names)] for i in range(count)],
            "hazard_class": ["CHA" if i % 3 else "SHA" for i in range(count)],
            "status": ["closed" if i == 1 else "handed_over" if i == 2 else "open" for i in range(count)],
            "people_near": rng.uniform(0, 5_000, count),
            "surveyed_on": pd.Timestamp("2024-05-06"),
        },
        geometry=squares,
        crs=4326,
    )


def planned(facts, years=(2027, 2028), **more):
    """Give what the map needs of a plan, made by hand."""
    ids = facts["hazard_id"].tolist()
    table = pd.DataFrame(
        {
            "hazard_id": [ids[0], ids[0], ids[3], ids[4]],
            "activity": ["nts", "clearance", "clearance", "eore"],
            "year": [years[0], years[-1], years[0], years[-1]],
            "cost_usd": [2_000.0, 300_000.0, 100_000.0, 500.0],
            "benefit": [0.01, 0.2, 0.3, 0.05],
            "cancelled_m2": [40_000.0, 0.0, 0.0, 0.0],
            "reduced_m2": 0.0,
            "cleared_m2": [0.0, 60_000.0, 50_000.0, 0.0],
        }
    )
    reasons = pd.DataFrame({"reason": [f"Because of {text}" for text in facts["name"]]}, index=ids)
    return SimpleNamespace(table=table, options=table, reasons=reasons, run_id="abc123", notes=(), **more)


def page_of(shown):
    return shown.get_root().render()


class Reader(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.scripts, self.texts, self.inside = [], [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag if "type" not in dict(attrs) or tag != "script" else "data"

    def handle_endtag(self, _tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts.append(data)
        elif self.inside != "data":
            self.texts.append(data)


def policy_of(page):
    metas = [attrs for tag, attrs in Reader(page).tags if tag == "meta"]
    return next(attrs["content"] for attrs in metas if attrs.get("http-equiv") == "Content-Security-Policy")


@pytest.fixture(scope="module")
def hostile_page():
    facts = hazards()
    facts.attrs["notes"] = (Note("hazards", "repaired", HOSTILE[5], 3),)
    facts.attrs["source"] = [{"file": HOSTILE[0], "sha256": "ab" * 32, "rows": 3, "layer": HOSTILE[1]}]
    around = gpd.GeoDataFrame(
        {"name": [HOSTILE[5]], "people": [900]}, geometry=[shapely.Point(103, 18)], crs=4326
    )
    districts = gpd.GeoDataFrame({"adm2": [HOSTILE[0]]}, geometry=[shapely.box(101, 16, 105, 20)], crs=4326)
    shown = map_plan(
        facts,
        planned(facts),
        title=" ".join([*HOSTILE, HALF_A_LETTER]),
        admin=districts,
        places=around,
        sources=[*HOSTILE, HALF_A_LETTER],
        disclaimer=" ".join([*HOSTILE, HALF_A_LETTER]),
        words={"legend": HOSTILE[5], "search": HOSTILE[7]},
    )
    return page_of(shown)


# ---- nothing is asked for ---------------------------------------------------------------------------------


def test_the_page_names_nothing_that_a_browser_would_fetch(hostile_page):
    assert fetched(hostile_page) == []
    assert "sourceMappingURL" not in hostile_page


def test_the_policy_forbids_every_request_and_every_script_but_those_of_the_page(hostile_page):
    policy = policy_of(hostile_page)
    assert policy.startswith("default-src 'none'; ")
    scripts = re.search(r"script-src ([^;]*)", policy)[1].split()
    told = [
        base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in Reader(hostile_page).scripts
    ]
    assert sorted(scripts) == sorted(f"'sha256-{hash_}'" for hash_ in told)
    assert len(told) == 2


def test_the_policy_stands_before_anything_it_must_rule(hostile_page):
    tags = [tag for tag, _ in Reader(hostile_page).tags]
    assert tags[:4] == ["html", "head", "meta", "meta"]


def test_the_encoding_is_told_where_browsers_look_for_it(hostile_page):
    assert b"charset" in hostile_page.encode()[:1024]


def test_only_leaflet_comes_along_of_what_folium_wants(hostile_page):
    assert "Leaflet 1.9" in hostile_page
    assert not any(name in hostile_page.lower() for name in ("bootstrap.min", "jquery-3", "fontawesome"))


def test_two_thousand_areas_stay_below_a_megabyte():
    rng = np.random.default_rng(1)
    rounds = shapely.buffer(shapely.points(rng.uniform([102, 17], [104, 19], (2_000, 2))), 0.004, quad_segs=6)
    facts = hazards(2_000).set_geometry(rounds, crs=4326)
    assert len(page_of(map_scores(facts, score(facts, RISK)))) < 1e6


# ---- text is text -----------------------------------------------------------------------------------------


def test_hostile_texts_add_no_element_and_no_script(hostile_page):
    reader = Reader(hostile_page)
    assert [tag for tag, _ in reader.tags].count("script") == 3  # ours, Folium's and the data
    assert not any(tag == "img" for tag, _ in reader.tags)
    assert not any(name.startswith("on") for _, attrs in reader.tags for name in attrs)


def test_hostile_texts_stand_literally_in_title_and_foot(hostile_page):
    texts = " ".join(Reader(hostile_page).texts)
    for text in (
        "<img src=x onerror=alert(1)>",
        "50{% of area",
        "`${alert(1)}`",
        "</script><script>alert(1)",
    ):
        assert texts.count(text) >= 3


def test_templates_in_texts_are_not_computed(hostile_page):
    assert "{{ cycler.__init__" in hostile_page
    assert str(__import__("os").getpid()) not in "".join(Reader(hostile_page).texts)


def test_texts_of_a_planners_own_layers_are_not_computed_and_break_nothing():
    shown = OfflineMap()
    frame = hazards()[["hazard_id", "name", "geometry"]].iloc[:11]
    folium.GeoJson(frame, name="{{ 7*7 }}", tooltip=folium.GeoJsonTooltip(["name"])).add_to(shown)
    for text in HOSTILE[:7]:
        folium.Marker([18, 103], popup=text, tooltip=text).add_to(shown)
    folium.LayerControl().add_to(shown)
    script = Reader(page_of(shown)).scripts[-1]
    assert "{{ 7*7 }}" in script
    assert "{{ cycler.__init__.__globals__.os.getpid() }}" in script
    assert "50{% of area" in script
    assert "\\`\\${alert(1)}\\`" in script
    assert "<\\/script>" in script


def test_no_text_of_the_page_calls_land_safe():
    told = {key: text for key, text in WORDS.items() if "safe" in text.lower()}
    assert list(told) == ["blank"]
    assert told["blank"].startswith("Blank is not safe")


def test_the_page_says_who_releases_land_and_what_blank_means(hostile_page):
    facts = hazards()
    texts = " ".join(Reader(page_of(map_scores(facts, score(facts, RISK)))).texts)
    assert "Only the national mine action authority releases land" in texts
    assert "not known to be free of explosive ordnance" in texts
    assert "do not imply official endorsement" in texts


# ---- a real folium.Map ------------------------------------------------------------------------------------


def test_the_map_is_folium_s_and_shows_in_notebooks():
    facts = hazards()
    shown = map_scores(facts, score(facts, RISK))
    assert isinstance(shown, folium.Map)
    assert "Content-Security-Policy" in shown._repr_html_()


def test_equal_maps_are_equal_files_however_often_they_are_saved(tmp_path):
    facts = hazards()
    contents = set()
    for name in "ab":
        shown = map_plan(facts, planned(facts))
        folium.Marker([18, 103], popup="here", icon=folium.Icon(color="red")).add_to(shown)
        folium.LayerControl().add_to(shown)
        for _ in range(2):
            shown.save(tmp_path / f"{name}.html")
            contents.add((tmp_path / f"{name}.html").read_bytes())
    assert len(contents) == 1


def test_rendering_leaves_the_planners_elements_as_they_were():
    shown = OfflineMap()
    popup = folium.Popup("`tick`")
    marker = folium.Marker([18, 103], popup=popup, tooltip="`tock`").add_to(shown)
    shown.get_root().header.add_child(folium.Element("<style>b { color: red }</style>"), name="own")
    before = page_of(shown)
    assert "b { color: red }" in before
    assert len(marker._children) == 2
    assert "_template" not in vars(marker)
    assert page_of(shown) == before


def test_the_map_can_be_written_into_an_open_file():
    target = io.BytesIO()
    OfflineMap(title="Open").save(target, close_file=False)
    assert target.getvalue().startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("layer", "address"),
    [
        (folium.TileLayer("OpenStreetMap"), "https://tile.openstreetmap.org/{z}/{x}/{y}.png"),
        (folium.WmsTileLayer("http://example.com/wms", layers="a"), "http://example.com/wms"),
        (
            folium.raster_layers.ImageOverlay("https://example.com/a.png", [[0, 0], [1, 1]]),
            "https://example.com/a.png",
        ),
        (folium.Marker([1, 1], popup="<img src='https://example.com/b.png'>"), "https://example.com/b.png"),
        (folium.Marker([1, 1], tooltip="<img src=//example.com/c.png>"), "//example.com/c.png"),
        (
            folium.Marker([1, 1], icon=folium.CustomIcon("https://example.com/d.png")),
            "https://example.com/d.png",
        ),
        (folium.Marker([1, 1], icon=folium.DivIcon("<img src='http://e.com/e.png'>")), "http://e.com/e.png"),
        (folium.plugins.MarkerCluster([[1, 1]]), "leaflet.markercluster"),
    ],
)
def test_a_layer_that_needs_the_network_is_refused_with_its_address(layer, address, tmp_path):
    shown = OfflineMap()
    layer.add_to(folium.FeatureGroup().add_to(shown) if isinstance(layer, folium.Marker) else shown)
    with pytest.raises(SourceError, match="network") as refused:
        shown.save(tmp_path / "map.html")
    assert address in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_plain_links_are_no_requests(tmp_path):
    shown = OfflineMap()
    folium.Marker([1, 1], popup="<a href='https://example.com'>the authority</a>").add_to(shown)
    assert "https://example.com" in page_of(shown)


def test_markup_of_a_planners_own_that_would_fetch_is_refused():
    shown = OfflineMap()
    shown.get_root().html.add_child(folium.Element("<img src='https://example.com/logo.png'>"))
    with pytest.raises(SourceError, match=re.escape("https://example.com/logo.png")):
        page_of(shown)


def test_a_plugin_whose_files_are_at_hand_is_taken_in(tmp_path):
    shown = OfflineMap()
    folium.plugins.MarkerCluster([[1, 1]]).add_to(shown)
    for number, (_, address) in enumerate(
        [*folium.plugins.MarkerCluster.default_js, *folium.plugins.MarkerCluster.default_css]
    ):
        saved = tmp_path / f"{number}"
        saved.write_text(f"/* file {number} */\n//# sourceMappingURL=gone.map", encoding="utf-8")
        shown.at_hand[address] = saved
    page = page_of(shown)
    assert "/* file 0 */" in page
    assert "sourceMappingURL" not in page


def test_a_file_at_hand_that_is_gone_is_named():
    shown = OfflineMap()
    folium.plugins.MarkerCluster([[1, 1]]).add_to(shown)
    for _, address in [*folium.plugins.MarkerCluster.default_js, *folium.plugins.MarkerCluster.default_css]:
        shown.at_hand[address] = "gone.js"
    with pytest.raises(SourceError, match=r"gone\.js cannot be read"):
        page_of(shown)


def test_a_save_that_fails_leaves_the_old_file(tmp_path):
    target = tmp_path / "map.html"
    target.write_text("old")
    shown = OfflineMap()
    folium.TileLayer("OpenStreetMap").add_to(shown)
    with pytest.raises(SourceError):
        shown.save(target)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


# ---- what is drawn ----------------------------------------------------------------------------------------


def content_of(shown):
    columns = {name: column.numbers for name, column in shown.scene.columns.items()}
    return shown.scene.content, columns


def legend_counts(shown, view=0):
    content, columns = content_of(shown)
    labels = [entry["label"] for entry in content["views"][view]["entries"]]
    return {
        labels[code]: int(count) for code, count in enumerate(np.bincount(columns[f"view_{view}"])) if count
    }


def test_scores_are_drawn_by_their_published_classes_and_closed_areas_apart():
    facts = hazards(6, names=["a"]).assign(people_near=[1e5, 1e5, 1e5, 0, np.nan, 1e5])
    scores = score(facts[["hazard_id", "people_near"]], RISK)
    shown = map_scores(facts, scores)
    assert legend_counts(shown) == {
        "very high": 2,
        "very low": 1,
        "No score": 1,
        "Closed in the record": 1,
        "Handed over in the record": 1,
    }
    details = [entry["detail"] for entry in content_of(shown)[0]["views"][0]["entries"][:5]]
    assert details == ["80\u2013100", "60\u201380", "40\u201360", "20\u201340", "0\u201320"]


def test_the_first_list_holds_open_areas_by_rank():
    facts = hazards(6, names=["a"]).assign(people_near=[10, 99, 98, 50, 40, 60], hazard_class="CHA")
    shown = map_scores(facts, score(facts, RISK))
    assert content_of(shown)[0]["top"] == [5, 3, 4, 0]


def test_a_plan_is_drawn_by_first_year_and_by_what_is_done_in_order():
    facts = hazards(8, names=["a"])
    shown = map_plan(facts, planned(facts))
    assert legend_counts(shown) == {
        "2027": 2,
        "2028": 1,
        "Not in this plan": 3,
        "Closed in the record": 1,
        "Handed over in the record": 1,
    }
    assert legend_counts(shown, view=1) == {
        "clearance": 1,
        "risk education": 1,
        "non-technical survey, then clearance": 1,
        "Not in this plan": 3,
        "Closed in the record": 1,
        "Handed over in the record": 1,
    }


def test_a_plan_carries_its_sums_its_reasons_and_its_first_years():
    facts = hazards(8, names=["a", "b"])
    content, columns = content_of(map_plan(facts, planned(facts)))
    plan = content["plan"]
    assert [one["key"] for one in plan["sums"]] == [
        "cancelled_m2",
        "reduced_m2",
        "cleared_m2",
        "benefit",
        "cost_usd",
    ]
    assert columns["event_cleared_m2"].sum() == 110_000
    assert plan["hazards"] == 3
    assert [plan["reasons"][code] for code in columns["plan_reason"][:2]] == ["Because of a", "Because of b"]
    assert columns["plan_first"].tolist() == [0, -1, -1, 0, 1, -1, -1, -1]


def test_the_map_adds_up_many_small_benefits_to_what_the_story_tells():
    facts = hazards(8)
    plan = planned(facts)
    small = pd.concat(
        [plan.table.tail(1).assign(benefit=0.00026, hazard_id=facts["hazard_id"].iloc[5])] * 4_000
    )
    plan.table = small.assign(year=[2027, 2028] * 2_000)
    told = map_plan(facts, plan).scene.columns["event_benefit"]
    assert told.numbers.sum() * told.step == pytest.approx(4_000 * 0.00026, rel=1e-4)


def test_an_area_without_options_says_why_in_the_words_of_the_workbook():
    facts = hazards(8, names=["a"])
    facts.loc[5, "people_near"] = np.nan
    plan = planned(facts)
    plan.reasons = plan.reasons.drop(facts["hazard_id"].iloc[[1, 5, 6]])
    content, columns = content_of(map_plan(facts, plan))
    told = [content["plan"]["reasons"][code] for code in columns["plan_reason"]]
    assert told[0] == "Because of a"
    assert [told[row] for row in (1, 5, 6)] == without_option(facts).iloc[[1, 5, 6]].tolist()
    assert "people near are not known" in told[5]


def test_a_plan_without_scores_takes_risk_from_the_facts():
    facts = hazards(8)
    assert content_of(map_plan(facts, planned(facts)))[0]["score"]["name"] == RISK.name
    assert "score" not in content_of(map_plan(facts.drop(columns="people_near"), planned(facts)))[0]


def test_a_plan_made_with_placeholders_says_so_on_its_face():
    facts = hazards()
    assert WORDS["placeholders"] in page_of(map_plan(facts, planned(facts, placeholder=True)))
    assert (
        WORDS["placeholders"]
        not in page_of(map_plan(facts, planned(facts, placeholder=False))).split("ccm-data")[0]
    )


def test_areas_without_an_outline_are_counted_and_not_lost():
    facts = hazards(4)
    facts.loc[1, "geometry"] = None
    shown = map_scores(facts, score(facts, RISK))
    assert len(content_of(shown)[0]["ids"]) == 4
    assert "1 areas have no outline" in " ".join(Reader(page_of(shown)).texts)


def test_every_area_belongs_to_the_district_around_it():
    facts = hazards(12)
    west, east = shapely.box(101, 16, 103, 20), shapely.box(103, 16, 105, 20)
    districts = gpd.GeoDataFrame({"adm2": ["West", "East"]}, geometry=[west, east], crs=4326)
    _, columns = content_of(map_scores(facts, score(facts, RISK), admin=districts.to_crs(32648)))
    middle = shapely.get_x(shapely.point_on_surface(facts.geometry.to_numpy()))
    assert columns["hazard_district"].tolist() == [int(x > 103) for x in middle]


def test_the_public_profile_leaves_out_names_notes_and_exact_places():
    facts = hazards(6, names=["secret"]).assign(contact="Ms. Private")
    shown = map_scores(facts, score(facts, RISK), profile="public", details=["contact"])
    content, columns = content_of(shown)
    assert "secret" not in json.dumps(content)
    assert "Private" not in json.dumps(content)
    assert columns["hazard_rings"].sum() == 0
    assert set(columns["hazard_lon"] % 5_000) == {0}


def test_sources_notes_and_run_are_told():
    facts = hazards()
    facts.attrs["source"] = [
        {"file": "ha.gpkg", "sha256": "0123456789abcdef", "rows": 1200, "layer": "areas"}
    ]
    facts.attrs["notes"] = (Note("hazards", "set aside", "No geometry", 7),)
    texts = " ".join(Reader(page_of(map_plan(facts, planned(facts), sources=["Census 2020"]))).texts)
    assert "ha.gpkg, layer areas, 1,200 rows, sha256 0123456789ab" in texts
    assert "hazards, set aside: No geometry (7)" in texts
    assert "Census 2020" in texts
    assert "Run abc123" in texts
    assert "Data of 2024-05-06" in texts


def test_texts_can_be_given_in_a_national_language_from_right_to_left():
    facts = hazards()
    shown = map_scores(facts, score(facts, RISK), language="ar", words={"legend": "مفتاح الخريطة"})
    assert '<html lang="ar" dir="rtl">' in page_of(shown)
    assert "مفتاح الخريطة" in page_of(shown)


def test_inputs_are_left_as_they_were():
    facts = hazards()
    scores = score(facts, RISK)
    before = facts.copy(), scores.copy()
    map_scores(facts, scores)
    map_plan(facts, planned(facts), scores=scores)
    pd.testing.assert_frame_equal(pd.DataFrame(facts), pd.DataFrame(before[0]))
    pd.testing.assert_frame_equal(scores, before[1])


# ---- what is refused --------------------------------------------------------------------------------------


def test_facts_that_cannot_be_drawn_are_refused_with_the_cure():
    facts = hazards()
    scores = score(facts, RISK)
    with pytest.raises(DataError, match="without outlines"):
        map_scores(pd.DataFrame(facts.drop(columns="geometry")), scores)
    with pytest.raises(DataError, match="no column hazard_id"):
        map_scores(facts.drop(columns="hazard_id"), scores)
    with pytest.raises(DataError, match=r"row 2, hazard_id 'HA-0000'"):
        map_scores(facts.assign(hazard_id="HA-0000"), scores)
    with pytest.raises(CRSError, match="facts"):
        map_scores(facts.set_crs(None, allow_override=True), scores)


def test_scores_of_another_table_are_refused():
    facts = hazards()
    with pytest.raises(DataError, match="another index"):
        map_scores(facts, score(facts, RISK).iloc[::-1])
    with pytest.raises(DataError, match="no column rank"):
        map_scores(facts, score(facts, RISK).drop(columns="rank"))


def test_a_plan_of_other_hazards_is_refused():
    facts = hazards()
    with pytest.raises(DataError, match="none of the plan's hazards"):
        map_plan(facts.assign(hazard_id=[f"X{i}" for i in range(len(facts))]), planned(facts))
    nameless = planned(facts)
    nameless.table = nameless.table.drop(columns="hazard_id")
    with pytest.raises(DataError, match="no column hazard_id"):
        map_plan(facts, nameless)


def test_columns_that_are_not_there_are_named():
    facts = hazards()
    scores = score(facts, RISK)
    districts = gpd.GeoDataFrame({"x": ["a"]}, geometry=[shapely.box(101, 16, 105, 20)], crs=4326)
    with pytest.raises(DataError, match="details="):
        map_scores(facts, scores, details=["nowhere"])
    with pytest.raises(DataError, match="admin_name="):
        map_scores(facts, scores, admin=districts)
    with pytest.raises(DataError, match="no text called nonsense"):
        map_scores(facts, scores, words={"nonsense": "x"})


def test_an_empty_table_makes_an_empty_map():
    facts = hazards().iloc[:0]
    assert "0 areas" in page_of(map_scores(facts, score(facts, RISK)))
