"""What a map shows first of all: the areas, their texts and their numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from ccm_geo.errors import DataError
from ccm_geo.maps.payload import MISSING, Column, Ints, coded, degrees, measured, outlines, polygons
from ccm_geo.maps.picture import Box
from ccm_geo.space import lonlat_points, require_crs, to_lonlat

Floats = npt.NDArray[np.float64]

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
_MANY = 500
_CROWD = 300  # so many dots can always be told apart
_CROWDED_SHARE = 0.4


@dataclass(kw_only=True)
class Parts:
    """A scene while it is being put together."""

    content: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, Column] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


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
            f"map: facts are a {type(facts).__name__} without outlines; give the GeoDataFrame that "
            "read_hazards returned, with the measures as columns"
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
    return _box_of(shown)


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
    told = [] if public else [name for name in dict.fromkeys(details) if name not in (*_TEXTS, *_UNITS)]
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


def _box_of(layer: gpd.GeoDataFrame) -> Box:
    edges = shapely.bounds(to_lonlat(layer).to_numpy())
    known = edges[np.isfinite(edges).all(axis=1)]
    if not len(known):
        return (-180.0, -60.0, 180.0, 75.0)
    # one area with a wrong sign must not make the whole country a speck
    cut = 0.002 if len(known) > _MANY else 0.0
    low, high = np.quantile(known[:, :2], cut, axis=0), np.quantile(known[:, 2:], 1 - cut, axis=0)
    margin = np.maximum(0.05 * (high - low), 0.01)
    west, south = low - margin
    east, north = high + margin
    return (float(west), float(max(south, -84)), float(east), float(min(north, 84)))


def place_of(parts: Parts) -> Floats:
    """Give the point at which every area is drawn as a dot, shape ``(areas, 2)``; NaN where it has none."""
    told = (parts.columns[f"hazard_{axis}"] for axis in ("lon", "lat"))
    return np.column_stack([np.where(c.numbers == MISSING, np.nan, c.numbers * c.step) for c in told])


def status_codes(facts: gpd.GeoDataFrame) -> Ints:
    """Say which areas the record calls closed (1) or handed over (2); 0 for all others."""
    if "status" not in facts:
        return np.zeros(len(facts), dtype=np.int64)
    status = facts["status"].astype(str).str.lower()
    return np.where(status == "closed", 1, np.where(status == "handed_over", 2, 0)).astype(np.int64)


def levels_of(facts: gpd.GeoDataFrame, place: Floats) -> dict[str, float]:
    """Choose the zooms from which single dots and then outlines are drawn.

    Dots begin where most areas stand apart on the screen, outlines where half the areas are four pixels wide.

    Parameters
    ----------
    facts
        The areas.
    place
        A point in each, longitude and latitude, shape ``(areas, 2)``.
    """
    areas, _ = polygons(facts)
    known = place[np.isfinite(place).all(axis=1)]
    squeeze = np.cos(np.radians(np.median(known[:, 1]))) if len(known) else 1.0
    width = np.sqrt(np.median(shapely.area(areas)) / squeeze) if len(areas) else 0.002
    outlines_at = float(np.clip(np.ceil(2 * np.log2(4 * 360 / (256 * max(width, 1e-5)))) / 2, 8, 14))
    if len(known) < _CROWD:
        return {"dots": 0.0, "outlines": outlines_at}
    zooms = np.arange(4, outlines_at, 0.5)
    apart = (zoom for zoom in zooms if _crowded(known, squeeze, zoom) < _CROWDED_SHARE)
    return {"dots": float(next(apart, outlines_at)), "outlines": outlines_at}


def _crowded(place: Floats, squeeze: float, zoom: float) -> float:
    """Give the share of dots that touch three others or more, counted in cells of eight pixels."""
    cell = 8 * 360 / (256 * 2**zoom)
    at = np.floor(place / [cell, cell * squeeze]).astype(np.int64)
    _, which, count = np.unique(at, axis=0, return_inverse=True, return_counts=True)
    return float((count[which.reshape(-1)] > 3).mean())
