"""What a map shows: areas, their numbers and texts, and the land around them, made ready for the page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from ccm_geo.errors import DataError
from ccm_geo.schemas import PopulationRaster
from ccm_geo.space import lonlat_points, require_crs, to_lonlat

from .payload import Column, Ints, coded, degrees, measured, outlines, polygons, ringed
from .picture import Box, population_picture

RAMP = ("#48154f", "#a23560", "#e2743b", "#f7bd6b", "#fcefcf")
"""Dark purple over orange to cream: apart under color blindness and in grey print; the palest is outlined."""
CATEGORIES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#5a5a5a")
"""Colors without an order that stay apart under color blindness (Okabe and Ito, 2008)."""
CLOSED_COLOR = "#6d7480"
UNKNOWN_COLOR = "#4d4d4d"

_TEXTS = ("hazard_class", "status", "evidence", "ordnance", "land_use", "adm1", "adm2", "surveyed_on")
_UNITS = {
    "area_m2": ("m2", 0),
    "area_recorded_m2": ("m2", 0),
    "people_inside": ("people", 0),
    "people_near": ("people", 0),
    "accidents_near": ("", 0),
    "arrivals": ("people", 0),
    "facilities_near": ("", 0),
    "travel_min": ("min", 0),
    "detour_min": ("min", 0),
}
_NAMES = ("adm2", "name", "NAME", "adm1", "code")
_ROAD_POINTS = 160_000
_PLACES = 4_000
_CROWD = 5_000  # areas on one screen above which dots run into one mass
_SCREEN = 1000 * 700  # pixels
_ROAD_ORDER = ("motorway", "trunk", "primary", "national", "secondary", "provincial", "tertiary", "district")


@dataclass(kw_only=True)
class Parts:
    """A scene while it is being put together."""

    content: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, Column] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the legend.

    Parameters
    ----------
    label
        What it says.
    color
        Written ``#rrggbb``.
    detail
        What is added in grey, such as the class's breaks.
    kind
        ``fill``, ``hollow`` or ``hatch``.
    focus
        Whether the districts' shade counts it.
    keep
        Whether it stays in the legend with nothing to show.
    """

    label: str
    color: str
    detail: str = ""
    kind: str = "fill"
    focus: bool = False
    keep: bool = False

    def told(self) -> dict[str, Any]:
        """Give the entry as JSON."""
        return vars(self)


def ramp(count: int) -> list[str]:
    """Take so many colors from the ramp, darkest first, evenly apart.

    >>> ramp(2)
    ['#48154f', '#fcefcf']
    """
    stops = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in RAMP], dtype=float)
    at = np.linspace(0, len(RAMP) - 1, count) if count > 1 else np.zeros(1)
    mixed = np.column_stack([np.interp(at, range(len(RAMP)), stops[:, channel]) for channel in range(3)])
    return ["#" + "".join(f"{round(value):02x}" for value in color) for color in mixed]


def require_facts(facts: Any) -> None:
    """Refuse what cannot be drawn.

    Raises
    ------
    DataError
        If it is no GeoDataFrame, or has no ``hazard_id``, or repeats one.
    CRSError
        If its CRS is not known.
    """
    if not isinstance(facts, gpd.GeoDataFrame):
        raise DataError(
            f"map: facts are a {type(facts).__name__} without outlines; give the GeoDataFrame that read_hazards "
            "returned, with the measures as columns"
        )
    require_crs(facts, "facts")
    if "hazard_id" not in facts:
        raise DataError("map: facts have no column hazard_id; name it with read_hazards(rename=...)")
    repeated = facts["hazard_id"].astype(str).duplicated()
    if repeated.any():
        raise DataError(
            f"map: {int(repeated.sum())} hazard_id stand in facts more than once",
            [f"row {i + 1}, hazard_id {facts['hazard_id'].iloc[i]!r}" for i in np.flatnonzero(repeated)],
        )


def add_hazards(
    parts: Parts, facts: gpd.GeoDataFrame, words: Mapping[str, str], details: Sequence[str], *, public: bool
) -> Box:
    """Add the areas, their texts and their numbers; give the box they lie in."""
    shown = facts.assign(geometry=_coarse(facts)) if public else facts
    areas = outlines(shown)
    parts.columns |= {f"hazard_{name}": column for name, column in areas.items()}
    place = lonlat_points(shown)
    parts.columns["hazard_lon"], parts.columns["hazard_lat"] = (degrees(v) for v in place.T)
    parts.content["ids"] = facts["hazard_id"].astype(str).tolist()
    nowhere = int((~np.isfinite(place).all(axis=1)).sum())
    if nowhere:
        parts.notes.append(words["no_geometry"].replace("{n}", f"{nowhere:,}"))
    if "name" in facts and not public:
        names, parts.columns["name"] = coded(facts["name"])
        parts.content["name"] = {"list": names}
    _add_texts(parts, facts, words, details, public=public)
    _add_numbers(parts, facts, words)
    return _box_of(place)


def _coarse(facts: gpd.GeoDataFrame) -> gpd.GeoSeries:
    """Put every area onto a point of a grid of about 5 km: where roughly, and no more."""
    place = np.round(lonlat_points(facts) / 0.05) * 0.05
    return gpd.GeoSeries(shapely.points(place), index=facts.index, crs=4326)


def _add_texts(
    parts: Parts, facts: gpd.GeoDataFrame, words: Mapping[str, str], details: Sequence[str], *, public: bool
) -> None:
    lacking = [name for name in details if name not in facts]
    if lacking:
        raise DataError(f"map: facts have no column {', '.join(lacking)}, which details= names")
    told = [] if public else [name for name in details if name not in _TEXTS]
    parts.content["texts"] = []
    for place, name in enumerate(name for name in (*_TEXTS, *told) if name in facts):
        values = facts[name]
        if pd.api.types.is_datetime64_any_dtype(values):
            values = values.dt.strftime("%Y-%m-%d")
        listed, parts.columns[f"text_{place}"] = coded(values)
        parts.content["texts"].append({"label": words.get(f"column_{name}", _spoken(name)), "list": listed})


def _add_numbers(parts: Parts, facts: gpd.GeoDataFrame, words: Mapping[str, str]) -> None:
    parts.content["numbers"] = []
    ours = [name for name in _UNITS if name in facts]
    for place, name in enumerate(ours):
        unit, digits = _UNITS[name]
        parts.columns[f"number_{place}"] = measured(
            pd.to_numeric(facts[name], errors="coerce"), digits=digits
        )
        label = words.get(f"column_{name}", _spoken(name))
        parts.content["numbers"].append(
            {"label": label, "unit": words.get(f"unit_{unit}", unit), "digits": digits}
        )


def _spoken(column: str) -> str:
    return column.replace("_", " ").strip().capitalize()


def _box_of(place: npt.NDArray[np.float64]) -> Box:
    known = place[np.isfinite(place).all(axis=1)]
    if not len(known):
        return (-180.0, -60.0, 180.0, 75.0)
    # one point with a wrong sign must not make the whole country a speck
    cut = 0.002 if len(known) > 500 else 0.0
    low, high = np.quantile(known, [cut, 1 - cut], axis=0)
    margin = np.maximum(0.06 * (high - low), 0.01)
    (west, south), (east, north) = low - margin, high + margin
    return (float(west), float(max(south, -84)), float(east), float(min(north, 84)))


def add_districts(parts: Parts, admin: gpd.GeoDataFrame, box: Box, *, name: str | None) -> Box:
    """Add districts near the areas and the district of every area; give the box that shows both."""
    require_crs(admin, "admin")
    label = name or next((column for column in _NAMES if column in admin), None)
    if label is None or label not in admin:
        raise DataError("map: no column of admin gives the districts' names; say which one with admin_name=")
    lonlat = to_lonlat(admin)
    near = shapely.intersects(lonlat.to_numpy(), shapely.box(*_wider(box, 0.5)))
    kept = gpd.GeoDataFrame(
        {"label": admin[label].to_numpy()[near]}, geometry=lonlat.to_numpy()[near], crs=4326
    )
    if kept.empty:
        parts.notes.append("The districts given do not reach the areas and are not drawn.")
        return box
    size = max(box[2] - box[0], box[3] - box[1])
    parts.columns |= {f"district_{k}": c for k, c in _shared_outlines(kept, min(0.003, size / 4000)).items()}
    middle = lonlat_points(kept)
    parts.content["districts"] = {
        "names": ["" if pd.isna(value) else str(value) for value in kept["label"]],
        "lonlat": np.round(middle, 4).tolist(),
    }
    lon, lat = (parts.columns[f"hazard_{axis}"] for axis in ("lon", "lat"))
    places = shapely.points(lon.values * lon.step, lat.values * lat.step)
    areas, rows = polygons(kept)
    member = np.full(len(places), -1, dtype=np.int64)
    which, part = shapely.STRtree(areas).query(places, predicate="intersects")
    member[which[::-1]] = rows[part[::-1]]
    parts.columns["hazard_district"] = Column(values=member)
    used = areas[np.isin(rows, member)]
    return _around(box, used) if len(used) else box


def _wider(box: Box, share: float) -> Box:
    dx, dy = share * (box[2] - box[0]), share * (box[3] - box[1])
    return (box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy)


def _around(box: Box, areas: npt.NDArray[np.object_]) -> Box:
    west, south, east, north = shapely.total_bounds(areas)
    limit = _wider(box, 0.25)
    return (max(west, limit[0]), max(south, limit[1]), min(east, limit[2]), min(north, limit[3]))


def _shared_outlines(layer: gpd.GeoDataFrame, simpler_deg: float) -> dict[str, Column]:
    """Simplify neighbors together, so that no gap opens between them."""
    areas, rows = polygons(layer)
    if shapely.coverage_is_valid(areas):
        areas = shapely.coverage_simplify(areas, simpler_deg)
    else:
        areas = shapely.simplify(areas, simpler_deg)
    solid = ~shapely.is_empty(areas)
    return ringed(*shapely.get_rings(areas[solid], return_index=True), rows[solid], len(layer))


def add_roads(parts: Parts, roads: gpd.GeoDataFrame, box: Box) -> None:
    """Add roads near the areas, the more important ones first, as many as the page can carry."""
    require_crs(roads, "roads")
    lines = to_lonlat(roads).to_numpy()
    kind = roads["road_class"].astype(str) if "road_class" in roads else pd.Series("road", index=roads.index)
    speed = (
        pd.to_numeric(roads["speed_kmh"], errors="coerce")
        if "speed_kmh" in roads
        else pd.Series(0.0, roads.index)
    )
    near = shapely.intersects(lines, shapely.box(*_wider(box, 0.3)))
    order = _road_order(kind[near], speed[near])
    merged, classes, points, left_out = [], [], 0, []
    for place, name in enumerate(order):
        group = shapely.line_merge(shapely.union_all(lines[near & (kind == name).to_numpy()], grid_size=1e-5))
        simple = shapely.get_parts(shapely.simplify(group, 2e-4))
        points += int(shapely.get_num_coordinates(simple).sum())
        if points > _ROAD_POINTS and merged:
            left_out = list(order[place:])
            break
        merged.append(simple)
        classes.append(np.full(len(simple), place, dtype=np.int64))
    if left_out:
        parts.notes.append(f"Roads of class {', '.join(left_out)} are left out to keep the page small.")
    if not merged or not points:
        return
    all_lines = np.concatenate(merged)
    rows = np.arange(len(all_lines))
    parts.columns |= {f"road_{k}": c for k, c in ringed(all_lines, rows, rows, len(all_lines)).items()}
    parts.columns["road_class"] = Column(values=np.concatenate(classes))
    parts.content["roads"] = {"classes": len(merged)}


def _road_order(kind: pd.Series, speed: pd.Series) -> list[str]:
    """Fastest class first; where no speed is known, by what the class is called."""
    known = {name: place for place, name in enumerate(_ROAD_ORDER)}
    usual = speed.fillna(0).groupby(kind).median()
    return sorted(
        usual.index, key=lambda name: (-usual[name], known.get(str(name).lower(), len(known)), str(name))
    )


def add_places(parts: Parts, places: gpd.GeoDataFrame, box: Box, *, name: str | None) -> None:
    """Add settlements near the areas, the largest first, with their names where they have any."""
    require_crs(places, "places")
    spot = lonlat_points(places)
    wide = _wider(box, 0.3)
    near = (
        (spot[:, 0] >= wide[0]) & (spot[:, 0] <= wide[2]) & (spot[:, 1] >= wide[1]) & (spot[:, 1] <= wide[3])
    )
    people = (
        pd.to_numeric(places["people"], errors="coerce")
        if "people" in places
        else pd.Series(0.0, places.index)
    )
    size = people.fillna(0).to_numpy()
    rows = np.flatnonzero(near)
    rows = rows[np.argsort(-size[rows], kind="stable")][:_PLACES]
    if int(near.sum()) > _PLACES:
        parts.notes.append(f"The {_PLACES:,} largest of {int(near.sum()):,} settlements are drawn.")
    if not len(rows):
        return
    label = name or next((column for column in ("name", "NAME", "place_name") if column in places), None)
    if label is not None and label not in places:
        raise DataError(f"map: places have no column {label}, which places_name= names")
    names = [] if label is None else ["" if pd.isna(v) else str(v) for v in places[label].iloc[rows]]
    parts.columns["place_lon"], parts.columns["place_lat"] = (degrees(v) for v in spot[rows].T)
    parts.content["places"] = {"names": names}


def add_population(parts: Parts, people: PopulationRaster | gpd.GeoDataFrame, box: Box) -> None:
    """Add people as a picture; settlements given as points are added as settlements instead."""
    if isinstance(people, gpd.GeoDataFrame):
        require_crs(people, "population")
        if not len(polygons(people)[0]):
            if "places" not in parts.content:
                add_places(parts, people, box, name=None)
            return
    picture = population_picture(people, _wider(box, 0.15))
    if picture is not None:
        parts.pictures["people"] = picture.png
        parts.content["people"] = {"box": [round(edge, 6) for edge in picture.box]}


def status_codes(facts: gpd.GeoDataFrame) -> Ints:
    """Say which areas the record calls closed (1) or handed over (2); 0 for all others."""
    if "status" not in facts:
        return np.zeros(len(facts), dtype=np.int64)
    status = facts["status"].astype(str).str.lower()
    return np.where(status == "closed", 1, np.where(status == "handed_over", 2, 0)).astype(np.int64)


def levels_of(facts: gpd.GeoDataFrame, box: Box) -> dict[str, float]:
    """Choose the zooms from which single dots and then outlines are drawn.

    Dots begin where about 5,000 areas share a screen, outlines where half the areas are four pixels wide.
    """
    areas, _ = polygons(facts)
    squeeze = np.cos(np.radians((box[1] + box[3]) / 2))
    width = np.sqrt(np.median(shapely.area(areas)) / squeeze) if len(areas) else 0.002
    outlines_at = float(np.clip(_half(np.log2(4 * 360 / (256 * max(width, 1e-5)))), 8, 14))
    if len(facts) < _CROWD:
        return {"dots": 0.0, "outlines": outlines_at}
    country = (box[2] - box[0]) * (box[3] - box[1]) / squeeze
    pixels_per_degree = np.sqrt(_SCREEN * len(facts) / (_CROWD * country))
    dots_at = float(np.clip(_half(np.log2(pixels_per_degree * 360 / 256)), 0, outlines_at))
    return {"dots": dots_at, "outlines": outlines_at}


def _half(zoom: float) -> float:
    return float(np.ceil(2 * zoom) / 2)


def labels_of(values: Iterable[Any]) -> list[str]:
    """Give different texts in the order in which they first occur."""
    return list(dict.fromkeys(str(value) for value in values))
