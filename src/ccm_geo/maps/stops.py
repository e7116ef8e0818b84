"""The map of chosen stops: who is within the limit of one, who is not, and of whom it is not known."""

import html
from collections.abc import Iterator
from typing import Any

import folium
import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from branca.element import Element

from ccm_geo import space
from ccm_geo.errors import DataError
from ccm_geo.maps.offline import OfflineMap
from ccm_geo.maps.words import DISCLAIMER
from ccm_geo.outreach import Outreach

# reach -> fill, outline, words; they differ in grey print as well: full, ring, dark
_LOOKS = {
    "within": ("#4c9bd1", "#1b4f72", "within {limit}"),
    "served": ("#4c9bd1", "#1b4f72", "with a way to a stop"),
    "beyond": ("#ffffff", "#d1495b", "beyond {limit}"),
    "unknown": ("#111111", "#111111", "no way known: not known how far"),
}
_RADIUS = (3.0, 13.0)  # pixels, of the smallest and the largest place
_LAND = {"color": "#8a8f98", "weight": 1.2, "fill": False}
_ROADS = {"color": "#c2a878", "weight": 1.0}
_HAZARDS = {"color": "#5b4a3a", "weight": 1.0, "fillColor": "#8d7b68", "fillOpacity": 0.7}
_STYLE = """<style>
.ccm-plain{position:fixed;inset:0}
.folium-map{position:absolute;top:0;left:0;width:calc(100% - 356px)!important;height:100%;background:#fbfaf7}
.stops-box{position:fixed;z-index:900;top:0;right:0;bottom:0;width:356px;box-sizing:border-box;overflow:auto;
background:#fff;border-left:1px solid #777;padding:12px 16px 60px;color:#111;
font:15px/1.35 system-ui,sans-serif}
.stops-box h1{font-size:22px;margin:0 0 6px}
.stops-box h2{font-size:16px;margin:12px 0 4px}
.stops-box p{margin:6px 0}
.stops-box ul,.stops-box ol{margin:0;padding-left:20px}
.stops-box ul.k{list-style:none;padding:0}
.stops-box .d{display:inline-block;width:13px;height:13px;border-radius:50%;border:3px solid;
margin-right:7px;vertical-align:-4px}
.stops-box .q{color:#444;font-size:13px}
.stops-no{background:#fff;border:2px solid #000;font:bold 19px system-ui,sans-serif;width:28px;
text-align:center;margin:-14px 0 0 -14px}
.stops-there{width:22px;margin:-11px 0 0 -11px;font-size:16px;background:#000;color:#fff}
.stops-foot{position:fixed;z-index:901;left:0;right:0;bottom:0;background:#1d2330;color:#fff;
padding:5px 12px;font:13px system-ui,sans-serif}
@media (max-width:700px){.folium-map{width:100%!important;height:54vh}
.stops-box{left:0;width:auto;top:auto;height:46vh;border-top:1px solid #777}}
@media print{.stops-box{overflow:visible}}
</style>"""


def map_outreach(
    outreach: Outreach,
    *,
    title: str = "Where to stop",
    admin: gpd.GeoDataFrame | None = None,
    roads: gpd.GeoDataFrame | None = None,
    hazards: gpd.GeoDataFrame | None = None,
    existing: gpd.GeoDataFrame | None = None,
    disclaimer: str = DISCLAIMER,
) -> OfflineMap:
    """Draw the chosen stops and the places around them, on a map that opens with no network.

    Parameters
    ----------
    outreach
        What `site_outreach` returned.
    title
        Any text; it is shown as it stands.
    admin, roads, hazards
        Districts, roads and hazards for context, in any CRS.
    existing
        Facilities that were there already, the same as given to `site_outreach`.
    disclaimer
        Text at the foot of the page; the national authority's own, where it has one.

    Returns
    -------
    OfflineMap
        A `folium.Map`.

    Raises
    ------
    CRSError
        If a layer has no CRS.
    DataError
        If the places have no geometry, as those that `choose_stops` knows.
    SourceError
        On saving: if an added layer needs the network, or the file cannot be written.
    """
    places, sites = outreach.places, outreach.sites
    if not isinstance(places, gpd.GeoDataFrame) or not isinstance(sites, gpd.GeoDataFrame):
        raise DataError("map: the places have no geometry; draw what site_outreach returned")
    spots = space.to_lonlat(places)
    box = spots.total_bounds if admin is None else space.to_lonlat(admin).total_bounds
    west, south, east, north = (float(v) for v in box)
    chart = OfflineMap(title=title, box=(west, south, east, north), prefer_canvas=True)
    around: tuple[tuple[Any, dict[str, Any]], ...] = ((admin, _LAND), (roads, _ROADS), (hazards, _HAZARDS))
    for layer, look in around:
        if layer is not None:
            _add_shapes(chart, layer, look)
    _add_places(chart, outreach, spots)
    for point in [] if existing is None else space.to_lonlat(existing):
        _add_mark(chart, point, "+", "stops-no stops-there", "a facility that is there already")
    for rank, (label, point) in enumerate(space.to_lonlat(sites).items(), start=1):
        _add_mark(chart, point, str(rank), "stops-no", str(outreach.names[label]))
    page: Any = chart.get_root()
    page.html.add_child(Element(_literal(_STYLE + _panel(outreach, title, hazards, existing))))
    page.html.add_child(Element(_literal(f'<footer class="stops-foot">{html.escape(disclaimer)}</footer>')))
    return chart


def _literal(text: str) -> str:
    """Write text so that Jinja gives it back unchanged; braces are shown as they stand."""
    return "{% raw %}" + text.replace("{%", "&#123;%").replace("{{", "&#123;&#123;") + "{% endraw %}"


def _add_shapes(chart: OfflineMap, layer: gpd.GeoDataFrame, look: dict[str, Any]) -> None:
    shapes = space.to_lonlat(layer)
    shapes = shapes[~(shapely.is_missing(shapes.to_numpy()) | shapes.is_empty)]
    bare = gpd.GeoSeries(shapes.to_numpy(), crs=shapes.crs)
    folium.GeoJson(bare.to_json(), style_function=lambda _: look, interactive=False).add_to(chart)


def _add_places(chart: OfflineMap, outreach: Outreach, spots: gpd.GeoSeries) -> None:
    """Draw places as circles whose area grows with their people; a place of unknown number is small."""
    number = pd.to_numeric(outreach.places[outreach.who], errors="coerce").to_numpy(dtype=float)
    low, high = _RADIUS
    share = np.sqrt(np.nan_to_num(number) / max(float(np.nanmax(number, initial=0.0)), 1.0))
    spot = shapely.point_on_surface(spots.to_numpy())
    reach = outreach.places["reach"].to_numpy()
    told = [
        _of_place(outreach, row, many)
        for row, many in zip(outreach.places.to_dict("records"), number, strict=True)
    ]
    for kind in [k for k in _LOOKS if (reach == k).any()]:
        here = (reach == kind) & ~(shapely.is_missing(spot) | shapely.is_empty(spot))
        fill, line, _ = _LOOKS[kind]
        table = gpd.GeoDataFrame(
            {
                "told": np.array(told, dtype=object)[here],
                "radius": (low + (high - low) * share)[here].round(1),
            },
            geometry=spot[here],
            crs=spots.crs,
        )
        marker = folium.CircleMarker(color=line, weight=3, fill=True, fill_color=fill, fill_opacity=0.85)
        folium.GeoJson(
            table.to_json(),
            marker=marker,
            style_function=lambda feature: {"radius": feature["properties"]["radius"]},
            tooltip=folium.GeoJsonTooltip(fields=["told"], labels=False),
        ).add_to(chart)


def _of_place(outreach: Outreach, row: dict[Any, Any], number: float) -> str:
    name = row.get("name")
    who = f"{number:,.0f} {outreach.who}" if np.isfinite(number) else f"number of {outreach.who} unknown"
    said = [str(name)] if isinstance(name, str) else []
    trip = row["cost"]
    far = "no way known" if pd.isna(trip) else f"{trip:,.0f} {outreach.unit} to a stop"
    return html.escape(": ".join([*said, f"{who}, {far}"]))


def _add_mark(chart: OfflineMap, point: Any, text: str, style: str, told: str) -> None:
    if point is None or point.is_empty:
        return
    middle = shapely.point_on_surface(point)
    icon = folium.DivIcon(html=f'<div class="{style}">{text}</div>', icon_size=(0, 0), class_name="")
    folium.Marker([middle.y, middle.x], icon=icon, tooltip=html.escape(told)).add_to(chart)


def _panel(outreach: Outreach, title: str, hazards: Any, existing: Any) -> str:
    story = str(outreach).splitlines()
    said = [line for line in story if not line.startswith("  ")]
    parts = [f"<h1>{html.escape(title)}</h1>", *(f"<p>{html.escape(line)}</p>" for line in said[:3])]
    parts += ["<h2>Places</h2>", f'<ul class="k">{"".join(_keys(outreach, hazards, existing))}</ul>']
    listed = "".join(f"<li>{html.escape(line)}</li>" for line in _stops(outreach))
    parts += ["<h2>Stops</h2>", f"<ol>{listed}</ol>"]
    rest = "".join(f"<li>{html.escape(line)}</li>" for line in said[3:])
    return (
        f'<aside class="stops-box">{"".join(parts)}<h2>To bear in mind</h2><ul class="q">{rest}</ul></aside>'
    )


def _keys(outreach: Outreach, hazards: Any, existing: Any) -> Iterator[str]:
    limit = f"{outreach.within:g} {outreach.unit}" if outreach.within is not None else ""
    reach = outreach.places["reach"]
    for kind in [k for k in _LOOKS if (reach == k).any()]:
        fill, line, words = _LOOKS[kind]
        count = f"{outreach.people.get(kind, 0):,.0f} {outreach.who} in {int((reach == kind).sum())} places"
        look = f'<span class="d" style="background:{fill};border-color:{line}"></span>'
        yield f"<li>{look}{html.escape(words.format(limit=limit))}: {html.escape(count)}</li>"
    if existing is not None:
        yield "<li>&#9632; + a facility that is there already</li>"
    if hazards is not None:
        square = '<span style="color:#8d7b68">&#9632;</span>'
        yield f"<li>{square} recorded hazards; blank land is not safe land</li>"


def _stops(outreach: Outreach) -> Iterator[str]:
    for label, adds in outreach.sites["adds"].items():
        more = f"{adds:,.0f} more {outreach.who} within reach"
        if outreach.goal == "travel":
            more = f"{adds:,.3g} {outreach.unit} off the mean trip"
        yield f"{outreach.names[label]}: {more}"
