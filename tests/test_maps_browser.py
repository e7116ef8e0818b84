"""The saved page in a browser without a network: it opens, draws and answers, and no text in it runs."""

import json
import time
from types import SimpleNamespace

import folium
import folium.plugins
import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from ccm_geo.maps import OfflineMap, map_plan, map_scores
from ccm_geo.maps.legend import RAMP
from ccm_geo.scoring import RISK, score

pytestmark = pytest.mark.browser

NAMES = [
    "<img src=x onerror=window.ran=1>",
    "</script><script>window.ran=1</script>",
    "`${window.ran=1}` {{ 7*7 }} 50{% of",
    "ບ້ານ ໂພນສະຫວັນ",
    "حقل ألغام",
    "Žepče north",
]
GROUND = """
const data = [...document.querySelectorAll(".leaflet-ccm-ground-pane canvas")].map((canvas) => {
  const frame = canvas.getBoundingClientRect();
  const at = ccmPage.map.latLngToContainerPoint(arguments[0]).subtract([frame.left, frame.top])
    .add([ccmPage.map.getContainer().getBoundingClientRect().left, 0]);
  if (at.x < 0 || at.y < 0 || at.x >= frame.width - 16 || at.y >= frame.height - 16) return [];
  const k = canvas.width / frame.width;
  return [...canvas.getContext("2d").getImageData(at.x * k, at.y * k, 16 * k, 16 * k).data];
}).flat();
const colors = new Set();
for (let i = 0; i < data.length; i += 4) colors.add(data.slice(i, i + 4).join());
return [...colors];
"""
DRAWN = """
const wanted = arguments[0].map((color) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16)));
const seen = wanted.map(() => 0);
for (const canvas of document.querySelectorAll(".leaflet-ccm-hazards-pane canvas")) {
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] < 200) continue;
    wanted.forEach((color, c) => { seen[c] += color.every((part, k) => Math.abs(part - data[i + k]) < 3); });
  }
}
return seen;
"""


def hazards(count=60):
    rng = np.random.default_rng(7)
    corners = rng.uniform([102, 17], [103, 18], (count, 2))
    return gpd.GeoDataFrame(
        {
            "hazard_id": [f"HA-{i:03d}" for i in range(count)],
            "name": [NAMES[i % len(NAMES)] for i in range(count)],
            "hazard_class": ["CHA" if i % 3 else "SHA" for i in range(count)],
            "status": ["closed" if i % 20 == 19 else "open" for i in range(count)],
            "people_near": np.geomspace(1, 30_000, count),
        },
        geometry=[shapely.box(x, y, x + 0.02, y + 0.02) for x, y in corners],
        crs=4326,
    )


def planned(facts):
    chosen = facts.iloc[[10, 11, 12, 13]]
    table = pd.DataFrame(
        {
            "hazard_id": [*chosen["hazard_id"], chosen["hazard_id"].iloc[0]],
            "activity": ["nts", "clearance", "clearance", "eore", "clearance"],
            "year": [2027, 2027, 2028, 2029, 2028],
            "cost_usd": [2_000.0, 100_000.0, 200_000.0, 500.0, 50_000.0],
            "benefit": [0.5, 1.0, 2.0, 0.25, 4.0],
            "cleared_m2": [0.0, 30_000.0, 40_000.0, 0.0, 10_000.0],
        }
    )
    reasons = pd.DataFrame({"reason": "Because <b>it</b> is near."}, index=facts["hazard_id"])
    return SimpleNamespace(table=table, options=table, reasons=reasons, run_id="r1", notes=())


def districts():
    halves = [shapely.box(101.9, 16.9, 102.5, 18.1), shapely.box(102.5, 16.9, 103.1, 18.1)]
    return gpd.GeoDataFrame({"adm2": ["<i>West</i>", "East"]}, geometry=halves, crs=4326)


def wait_for(browser, expression, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if browser.execute_script(f"return !!({expression})"):
            return
        time.sleep(0.02)
    raise AssertionError(f"not reached: {expression}; {browser.get_log('browser')}")


def opened(browser, shown, path):
    shown.save(path)
    browser.get_log("performance")
    browser.get_log("browser")
    browser.get(path.as_uri())
    if shown.scene:
        wait_for(browser, "window.ccmPage")
    return browser


@pytest.fixture
def plan_page(browser, tmp_path):
    facts = hazards()
    shown = map_plan(facts, planned(facts), title=" ".join(NAMES), admin=districts())
    yield opened(browser, shown, tmp_path / "plan.html")
    assert told_to_the_console(browser) == []
    assert browser.execute_script("return window.ran") is None


def told_to_the_console(browser, *, besides=()):
    """List what the page has told the console; advice on how these tests read pixels does not count."""
    return [line for line in browser.get_log("browser") if line["source"] not in {"rendering", *besides}]


def requests_of(browser):
    for entry in browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            yield message["params"]["request"]["url"]


def text_of(browser, selector):
    return browser.execute_script("return document.querySelector(arguments[0]).textContent", selector)


def test_the_page_opens_with_no_request_but_for_itself(plan_page):
    within = ("data:", "blob:", "chrome:")  # parts of the page and of the browser itself
    asked = [url for url in requests_of(plan_page) if not url.startswith(within)]
    assert len(asked) == 1
    assert asked[0].endswith("/plan.html")


def test_the_policy_of_the_page_stops_requests_and_foreign_scripts(browser, tmp_path):
    page = opened(browser, OfflineMap(title="closed"), tmp_path / "map.html")
    stopped = page.execute_async_script("""
        const [done, seen] = [arguments[0], []];
        document.addEventListener("securitypolicyviolation", (event) => seen.push(event.effectiveDirective));
        document.body.insertAdjacentHTML("beforeend",
          "<img src='https://example.com/a.png'><b onclick='1'></b>");
        document.querySelector("b").click();
        const script = document.createElement("script");
        script.textContent = "window.ran = 1";
        document.body.append(script);
        fetch("https://example.com/").catch(() => setTimeout(() => done(seen), 50));
    """)
    assert {"img-src", "connect-src", "script-src-elem", "script-src-attr"} <= set(stopped)
    assert page.execute_script("return window.ran") is None
    page.get_log("browser")


def test_title_and_names_show_literally(plan_page):
    assert plan_page.title == " ".join(NAMES)
    assert text_of(plan_page, "h1") == " ".join(NAMES)
    for row in range(6):
        plan_page.execute_script("ccmPage.select(arguments[0], true)", row)
        assert text_of(plan_page, "#ccm-card .ccm-name-of") == NAMES[row]
    assert "Because <b>it</b> is near." in text_of(plan_page, "#ccm-card-body")


def test_every_class_is_really_drawn_in_its_color(browser, tmp_path):
    facts = hazards()
    scores = score(facts[["hazard_id", "people_near"]], RISK)
    page = opened(browser, map_scores(facts, scores, title="Scores"), tmp_path / "map.html")
    counts = page.execute_script("return ccmPage.model.counts")
    page.execute_script("ccmPage.map.setView([17.5, 102.5], 9, {animate: false})")
    for pixels, count in zip(page.execute_script(DRAWN, RAMP), counts, strict=False):
        assert count > 0
        assert pixels > 5 * count


def test_outlines_are_drawn_where_the_areas_lie(plan_page):
    plan_page.execute_script("ccmPage.map.setView([17.5, 102.5], 13, {animate: false})")
    plan_page.execute_script("ccmPage.select(30, true)")
    assert plan_page.execute_script("return ccmPage.model.level()") == "outlines"
    drawn, beside = plan_page.execute_script("""
        const {model: {hazards}, map} = ccmPage, at = (x, y) => {
          const frame = map.getContainer().getBoundingClientRect();
          const point = map.latLngToContainerPoint(ccm.toLatLng(x, y)).add([frame.left, frame.top]);
          for (const canvas of document.querySelectorAll(".leaflet-ccm-hazards-pane canvas")) {
            const box = canvas.getBoundingClientRect();
            const [dx, dy] = [point.x - box.left, point.y - box.top];
            if (dx < 0 || dx >= box.width || dy < 0 || dy >= box.height) continue;
            const k = canvas.width / box.width;
            return canvas.getContext("2d").getImageData(dx * k, dy * k, 1, 1).data[3];
          }
          return -1;
        };
        const b = hazards.area.box.slice(120, 124), middle = [(b[0] + b[2]) / 2, (b[1] + b[3]) / 2];
        return [at(...middle), at(middle[0], b[1] - (b[3] - b[1]) * 0.15)];
    """)
    assert drawn > 150
    assert beside >= 0


def test_nothing_is_drawn_of_a_class_that_is_switched_off(plan_page):
    before = plan_page.execute_script("return ccmPage.model.counts")
    assert plan_page.execute_script(DRAWN, [RAMP[0]])[0] > 10
    plan_page.execute_script("document.querySelector('[data-entry=\"0\"]').click()")
    assert plan_page.execute_script(DRAWN, [RAMP[0]]) == [0]
    assert (
        plan_page.execute_script("return document.querySelector('[data-entry=\"0\"]').ariaPressed") == "false"
    )
    shown = sum(before) - before[0]
    assert text_of(plan_page, "#ccm-shown") == f"{shown} shown"


def test_the_legend_counts_every_area_once(plan_page):
    counts = plan_page.execute_script("return ccmPage.model.counts")
    assert sum(counts) == 60
    assert counts[:3] == [2, 1, 1]


def test_the_slider_shows_what_is_done_by_each_year(plan_page):
    def slide(place):
        plan_page.execute_script(
            "const s = document.getElementById('ccm-year'); s.value = arguments[0];"
            "s.dispatchEvent(new Event('input'))",
            place,
        )
        items = plan_page.execute_script(
            "return [...document.querySelectorAll('#ccm-totals strong')].map((n) => n.textContent)"
        )
        return items, plan_page.execute_script("return ccmPage.model.counts.slice(0, 5)")

    assert slide(0) == (["2", "3.0 ha", "1.5", "102,000"], [2, 0, 0, 2, 53])
    assert slide(1) == (["3", "8.0 ha", "7.5", "352,000"], [2, 1, 0, 1, 53])
    assert slide(2) == (["4", "8.0 ha", "7.8", "352,500"], [2, 1, 1, 0, 53])
    assert "2029" in text_of(plan_page, "#ccm-year-now")


def test_land_is_told_in_hectares_and_what_surveys_will_find_as_an_expectation(browser, tmp_path):
    facts = hazards().assign(area_m2=2_503_394.0)
    plan = planned(facts)
    plan.table = plan.table.assign(
        cancelled_m2=[0, 878_530_000, 0, 0, 0], cleared_m2=[30_000, 749_500, 0, 0, 0]
    )
    page = opened(browser, map_plan(facts, plan), tmp_path / "plan.html")
    totals = page.execute_script(
        "return [...document.querySelectorAll('#ccm-totals li')].map((n) => n.textContent)"
    )
    assert totals[1:3] == [
        "about 87,900 ha expected to be cancelled by non-technical survey",
        "78.0 ha to be cleared",
    ]
    page.execute_script("ccmPage.select(11, true)")
    told = text_of(page, "#ccm-card-body")
    assert "about 87,900 ha expected to be cancelled by non-technical survey, 75.0 ha to be cleared" in told
    assert "250.3 ha" in told
    assert "km" not in told


def hover(page, lat, lon):
    """Point at a place and give the lines of what appears there."""
    return page.execute_async_script(
        """
        const [lat, lon, done] = arguments;
        const latlng = L.latLng(lat, lon), containerPoint = ccmPage.map.latLngToContainerPoint(latlng);
        ccmPage.map.fire("mousemove", {latlng, containerPoint, originalEvent: {target: document.body}});
        requestAnimationFrame(() => requestAnimationFrame(() => {
          const tip = document.querySelector(".ccm-tip");
          done(tip.hidden ? null : [...tip.children].map((line) => line.textContent));
        }));
        """,
        lat,
        lon,
    )


def in_rows(count=800):
    """Give many areas close together, half of them in the second district: the map opens with the shade."""
    facts = hazards(count)
    lon, lat = np.divmod(np.arange(count), 20)
    corners = np.column_stack([102.0 + lon * 0.006, 17.0 + lat * 0.006])
    corners[count // 2 :, 0] += 0.6
    return facts.set_geometry([shapely.box(x, y, x + 0.002, y + 0.002) for x, y in corners], crs=4326)


def three_districts():
    """Give a district with work, one with records alone, one without any record."""
    edges = zip([101.9, 102.4, 102.9], [102.4, 102.9, 103.1], strict=True)
    bands = [shapely.box(west, 16.9, east, 17.3) for west, east in edges]
    return gpd.GeoDataFrame({"adm2": ["Worked", "Recorded", "Blank"]}, geometry=bands, crs=4326)


@pytest.fixture
def shaded_page(browser, tmp_path):
    facts = in_rows()
    yield opened(browser, map_plan(facts, planned(facts), admin=three_districts()), tmp_path / "shaded.html")
    assert told_to_the_console(browser) == []


def test_a_district_tells_its_recorded_areas_and_how_many_are_worked_on(shaded_page):
    assert shaded_page.execute_script("return ccmPage.model.level()") == "shade"
    assert hover(shaded_page, 17.2, 102.3) == [
        "Worked",
        "Worked on in the plan: 4 of 400 recorded areas",
        "Closed or handed over in the record: 20",
    ]
    assert hover(shaded_page, 17.2, 102.5)[1] == "Worked on in the plan: 0 of 400 recorded areas"
    assert hover(shaded_page, 17.2, 103.0) == ["Blank", "No record, so nothing is known"]
    shaded_page.execute_script(
        "const s = document.getElementById('ccm-year'); s.value = 0; s.dispatchEvent(new Event('input'))"
    )
    assert hover(shaded_page, 17.2, 102.3)[1] == "Worked on by the end of 2027: 2 of 400 recorded areas"


def test_a_map_of_scores_tells_the_recorded_areas_of_a_district(browser, tmp_path):
    facts = in_rows().assign(status="open")
    scores = score(facts[["hazard_id", "people_near"]], RISK)
    page = opened(browser, map_scores(facts, scores, admin=three_districts()), tmp_path / "scores.html")
    name, recorded, shade = hover(page, 17.2, 102.3)
    counted = int((scores["class"].astype(str).str.contains("high").to_numpy()[:400]).sum())
    assert (name, recorded) == ("Worked", "400 recorded areas")
    assert shade == f"In the shade: {counted} under \u201cvery high\u201d and \u201chigh\u201d"


def test_records_without_work_never_look_like_no_record(shaded_page):
    worked, recorded, blank = (
        shaded_page.execute_script(GROUND, place) for place in ([17.2, 102.3], [17.2, 102.5], [17.2, 103.0])
    )
    assert len(worked) == 1
    assert len(recorded) > 2
    assert len(blank) == 1
    assert not {*worked, *blank} & set(recorded)
    assert worked != blank
    told = text_of(shaded_page, "#ccm-unshaded")
    assert told == "Recorded areas, none worked onBlank: no record, so nothing is known"


def test_the_sentence_names_what_the_shade_counts_in_every_view(shaded_page):
    def told(view):
        shaded_page.execute_script(
            "const p = document.getElementById('ccm-view'); p.value = arguments[0];"
            "p.dispatchEvent(new Event('change'))",
            view,
        )
        return text_of(shaded_page, "#ccm-level").split(". ")[0]

    names = shaded_page.execute_script(
        "return [...document.getElementById('ccm-view').options].map((o) => o.textContent)"
    )
    sentences = dict(zip(names, map(told, range(len(names))), strict=True))
    assert sentences["First year of work"] == "Shade: number of areas worked on in the plan"
    assert sentences["Activities"] == "Shade: number of areas worked on in the plan"
    assert sentences["Class"] == "Shade: number of areas under \u201cvery high\u201d and \u201chigh\u201d"
    told(0)
    shaded_page.execute_script("document.querySelector('[data-entry=\"0\"]').click()")
    assert text_of(shaded_page, "#ccm-level").startswith(
        "Shade: number of areas under \u201c2028\u201d and \u201c2029\u201d."
    )


def test_nothing_of_the_map_is_told_through_a_button_that_lies_on_it(shaded_page):
    told = shaded_page.execute_async_script("""
        const [done, {map}] = [arguments[0], ccmPage];
        const button = document.querySelector(".leaflet-control-zoom-in");
        const {left, top} = button.getBoundingClientRect();
        const under = map.mouseEventToContainerPoint({clientX: left + 9, clientY: top + 9});
        map.panBy(map.latLngToContainerPoint([17.2, 102.3]).subtract(under), {animate: false});
        const tip = document.querySelector(".ccm-tip");
        const seen = [];
        const over = (node) => {
          const at = {bubbles: true, clientX: left + 9, clientY: top + 9};
          node.dispatchEvent(new MouseEvent("mousemove", at));
          requestAnimationFrame(() => requestAnimationFrame(() => {
            seen.push(!tip.hidden);
            if (seen.length === 1) over(button); else done(seen);
          }));
        };
        over(map.getContainer());
    """)
    assert told == [True, False]


def test_specks_have_the_color_of_their_class(browser, tmp_path):
    people = np.where(np.arange(800) < 60, 1e5, 0.0)  # the first are all "very high", the rest "very low"
    facts = in_rows().assign(status="open", people_near=people)
    scores = score(facts[["hazard_id", "people_near"]], RISK)
    page = opened(browser, map_scores(facts, scores, admin=three_districts()), tmp_path / "specks.html")
    assert page.execute_script("return ccmPage.model.level()") == "shade"
    page.execute_script("document.querySelector('[data-entry=\"0\"]').click()")
    very_high, *_, very_low = page.execute_script(DRAWN, RAMP)
    assert very_high == 0
    assert very_low > 200


def test_crowded_specks_show_every_class_as_often_as_it_is(browser, tmp_path):
    people = np.where(np.random.default_rng(3).random(800) < 0.5, 1e5, 0.0)  # "very high" or "very low"
    facts = in_rows().assign(status="open", people_near=people)
    corners = shapely.bounds(facts.geometry)[:, :2] / [1, 2] + [0, 8.5]  # closer than specks are wide
    facts = facts.set_geometry([shapely.box(x, y, x + 0.001, y + 0.001) for x, y in corners], crs=4326)
    scores = score(facts[["hazard_id", "people_near"]], RISK)
    page = opened(browser, map_scores(facts, scores, admin=three_districts()), tmp_path / "specks.html")
    assert page.execute_script("return ccmPage.model.level()") == "shade"
    page.execute_script("ccmPage.model.content.top.length = 0; ccmPage.model.tally()")
    page.execute_script("document.querySelector('#ccm-all').click()")
    very_high, *_, very_low = page.execute_script(DRAWN, RAMP)
    assert very_low == pytest.approx(very_high, rel=0.25)


def test_areas_are_found_by_id_or_name_with_the_keyboard_alone(plan_page):
    from selenium.webdriver.common.keys import Keys  # noqa: PLC0415 - only where a browser is at hand

    field = plan_page.find_element("id", "ccm-search")
    field.send_keys("zepce")
    assert text_of(plan_page, "#ccm-found") == "10 results"
    field.clear()
    field.send_keys("onerror")
    field.send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ENTER)
    assert text_of(plan_page, "#ccm-card-title") == "HA-006"
    assert plan_page.execute_script("return document.activeElement.id") == "ccm-card-title"
    field.send_keys("ha-042", Keys.ENTER)
    assert text_of(plan_page, "#ccm-card-title") == "HA-042"
    field.send_keys("ບ້ານ")
    assert text_of(plan_page, "#ccm-found") == "10 results"
    field.send_keys("nowhere")
    assert text_of(plan_page, "#ccm-found") == "Nothing found"


def test_the_panel_tells_the_parts_of_the_score_and_the_steps_of_the_plan(plan_page):
    plan_page.execute_script("ccmPage.select(10, true)")
    told = text_of(plan_page, "#ccm-card-body")
    for part in ("2027: non-technical survey", "2028: clearance", "people", "of 100", "rank", "People near"):
        assert part in told
    widths = plan_page.execute_script(
        "return [...document.querySelectorAll('.ccm-bar')].map((b) => b.style.getPropertyValue('--share'))"
    )
    assert any(float(width.rstrip("%")) > 10 for width in widths)


def test_a_click_on_an_area_opens_it_and_a_click_beside_closes_it(plan_page):
    plan_page.execute_script("ccmPage.select(30, true)")
    plan_page.execute_script("""
        const {map, model: {hazards}} = ccmPage;
        ccmPage.select(-1);
        map.fire("click", {latlng: L.latLng(ccm.toLatLng(hazards.at.x[30], hazards.at.y[30]))});
    """)
    assert text_of(plan_page, "#ccm-card-title") == "HA-030"
    plan_page.execute_script("ccmPage.map.fire('click', {latlng: L.latLng(10, 90)})")
    assert plan_page.execute_script("return document.getElementById('ccm-card').hidden")


def test_a_planners_own_layers_work_beside_ours(browser, tmp_path):
    facts = hazards()
    shown = map_scores(facts, score(facts, RISK), title="Own layers")
    group = folium.FeatureGroup(name="Offices {{ 7*7 }}").add_to(shown)
    hostile = "<b>Office</b> `tick` ${window.ran=1} {{ 7*7 }} C:\\users 50{% of"
    folium.Marker([17.5, 102.5], popup=hostile, tooltip=hostile).add_to(group)
    folium.Marker(
        [17.6, 102.5], icon=folium.Icon(color="red"), popup="<img src=x onerror='window.ran=1'>"
    ).add_to(group)
    folium.GeoJson(
        facts[["name", "geometry"]].head(6), tooltip=folium.GeoJsonTooltip(["name"]), name="Mine"
    ).add_to(shown)
    folium.LayerControl(collapsed=False).add_to(shown)
    page = opened(browser, shown, tmp_path / "own.html")
    assert page.execute_script("return document.querySelectorAll('.leaflet-marker-icon').length") == 2
    assert page.execute_script("return document.querySelector('img.leaflet-marker-icon').naturalWidth") > 0
    page.execute_script("document.querySelector('img.leaflet-marker-icon').click()")
    wait_for(page, "document.querySelector('.leaflet-popup-content b')")
    told = text_of(page, ".leaflet-popup-content")
    assert told.strip() == "Office `tick` ${window.ran=1} {{ 7*7 }} C:\\users 50{% of"
    assert page.execute_script("return document.querySelectorAll('path.leaflet-interactive').length") == 6
    assert "Offices {{ 7*7 }}" in text_of(page, ".leaflet-control-layers")
    page.execute_script("document.querySelector('.ccm-pin').click()")
    wait_for(page, "document.querySelector('.leaflet-popup-content img')")
    assert page.execute_script("return window.ran") is None
    assert told_to_the_console(page, besides=["security"]) == []  # the policy says what it stopped


def test_the_static_part_gives_way_to_the_map(plan_page):
    shown = "return getComputedStyle(document.querySelector(arguments[0])).display"
    assert plan_page.execute_script(shown, ".ccm-static") == "none"
    assert plan_page.execute_script(shown, "#ccm-legend") != "none"


def test_on_a_phone_the_map_has_room_and_the_panel_opens_over_it(browser, tmp_path):
    facts = hazards()
    before = browser.get_window_size()
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 390, "height": 800, "deviceScaleFactor": 2, "mobile": True},
    )
    try:
        plan = planned(facts)
        plan.placeholder = True
        page = opened(browser, map_plan(facts, plan, title="Phone"), tmp_path / "phone.html")
        size = page.execute_script("const b = ccmPage.map.getSize(); return [b.x, b.y]")
        assert size[0] == 390
        assert size[1] > 500
        assert page.execute_script("return document.documentElement.scrollWidth") <= 390
        for selector in (".ccm-warning", ".ccm-blank"):
            top, bottom, left, right = page.execute_script(
                "const b = document.querySelector(arguments[0]).getBoundingClientRect();"
                "return [b.top, b.bottom, b.left, b.right]",
                selector,
            )
            assert 0 < top < bottom < 300
            assert 0 <= left < right <= 390
        page.execute_script("document.getElementById('ccm-toggle').click()")
        assert (
            page.execute_script("return getComputedStyle(document.getElementById('ccm-body')).display")
            == "block"
        )
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.set_window_size(before["width"], before["height"])


def test_on_a_low_screen_the_legend_can_be_reached(browser, tmp_path):
    facts = hazards()
    metrics = {"width": 844, "height": 390, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        page = opened(browser, map_plan(facts, planned(facts), title="Long " * 20), tmp_path / "low.html")
        seen = page.execute_script("""
            const entry = document.querySelector("#ccm-legend button");
            entry.scrollIntoView({block: "center"});
            const box = entry.getBoundingClientRect();
            return entry.contains(document.elementFromPoint(box.left + 9, box.top + 9));
        """)
        assert seen
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_an_empty_plan_and_an_empty_table_open_as_well(browser, tmp_path):
    facts = hazards()
    nothing = planned(facts)
    nothing.table = nothing.table.iloc[:0]
    page = opened(browser, map_plan(facts, nothing, admin=districts()), tmp_path / "nothing.html")
    assert "Not in this plan" in text_of(page, "#ccm-legend")
    none = facts.iloc[:0]
    page = opened(browser, map_scores(none, score(none, RISK)), tmp_path / "none.html")
    assert text_of(page, "#ccm-shown") == "0 shown"
    assert told_to_the_console(page) == []


def test_paper_shows_the_whole_view(plan_page):
    before = plan_page.execute_script("return ccmPage.map.getBounds().toBBoxString()")
    inside = plan_page.execute_script("""
        const screen = ccmPage.map.getBounds();
        dispatchEvent(new Event("beforeprint"));
        const tiles = [...document.querySelectorAll(".leaflet-ccm-hazards-pane canvas")];
        const seen = tiles.some((tile) => getComputedStyle(tile).visibility === "visible");
        const whole = ccmPage.map.getBounds().pad(0.01).contains(screen);
        dispatchEvent(new Event("afterprint"));
        return [whole, seen];
    """)
    assert inside == [True, True]
    assert plan_page.execute_script("return ccmPage.map.getBounds().toBBoxString()") == before


def test_the_page_has_a_language_landmarks_labels_and_free_zoom(plan_page):
    found = plan_page.execute_script("""
        const all = (s) => [...document.querySelectorAll(s)];
        const named = (n) => n.ariaLabel || n.textContent.trim() || n.labels?.length || n.title;
        return {
          lang: document.documentElement.lang,
          landmarks: ["main", "aside", "footer", "h1"].map((s) => all(s).length),
          unnamed: all("button, input, select, [role=listbox]").filter((n) => !named(n)).map((n) => n.id),
          viewport: document.querySelector("meta[name=viewport]").content,
          ids: all("[id]").length - new Set(all("[id]").map((n) => n.id)).size,
          outside: all("body > :not(main, aside, footer, script, .ccm-skip)").length,
        };
    """)
    assert found["lang"] == "en"
    assert found["landmarks"] == [1, 1, 1, 1]
    assert found["unnamed"] == []
    assert "maximum-scale" not in found["viewport"]
    assert found["ids"] == 0
    assert found["outside"] == 0
