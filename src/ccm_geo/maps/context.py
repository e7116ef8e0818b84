"""The land around the areas: districts, roads, settlements and where people live."""

from dataclasses import dataclass
from typing import TypeAlias

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from ccm_geo.errors import DataError
from ccm_geo.maps.payload import Column, degrees, polygons, ringed
from ccm_geo.maps.picture import Box, population_picture
from ccm_geo.maps.scene import Parts, place_of
from ccm_geo.schemas import PopulationRaster
from ccm_geo.space import lonlat_points, require_crs, to_lonlat

_NAMES = ("adm2", "name", "NAME", "adm1", "code")
_ROAD_POINTS = 160_000
_PLACES = 4_000


_ROAD_BEND_DEG = 2e-4
_ROAD_ORDER = ("motorway", "trunk", "primary", "national", "secondary", "provincial", "tertiary", "district")

People: TypeAlias = PopulationRaster | gpd.GeoDataFrame


@dataclass(frozen=True)
class Surroundings:
    """The layers around the areas; any may be None."""

    admin: gpd.GeoDataFrame | None
    roads: gpd.GeoDataFrame | None
    population: People | None
    places: gpd.GeoDataFrame | None
    admin_name: str | None
    places_name: str | None


def add_surroundings(parts: Parts, around: Surroundings, box: Box) -> Box:
    """Add what is there of the surroundings; give the box that the map shows first."""
    if around.admin is not None and len(around.admin):
        box = add_districts(parts, around.admin, box, name=around.admin_name)
    if around.places is not None and len(around.places):
        add_places(parts, around.places, box, name=around.places_name)
    if around.population is not None:
        add_population(parts, around.population, box)
    if around.roads is not None and len(around.roads):
        add_roads(parts, around.roads, box)
    return box


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
    places = shapely.points(place_of(parts))
    areas, rows = polygons(kept)
    member = np.full(len(places), -1, dtype=np.int64)
    which, part = shapely.STRtree(areas).query(places, predicate="intersects")
    member[which[::-1]] = rows[part[::-1]]
    parts.columns["hazard_district"] = Column(numbers=member)
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
    rings, part = shapely.get_rings(areas[solid], return_index=True)
    return ringed(rings, rows[solid][part], len(layer))


def add_roads(parts: Parts, roads: gpd.GeoDataFrame, box: Box) -> None:
    """Add roads near the areas, the more important ones first, as many as the page can carry."""
    require_crs(roads, "roads")
    lines = to_lonlat(roads).to_numpy()
    kind = _column(roads, "road_class", "road").astype(str).to_numpy()
    near = shapely.intersects(lines, shapely.box(*_wider(box, 0.3)))
    speed = pd.to_numeric(_column(roads, "speed_kmh", 0.0), errors="coerce").fillna(0.0)
    order = _road_order(kind[near], speed.to_numpy(dtype=float)[near])
    drawn: list[npt.NDArray[np.object_]] = []
    room = _ROAD_POINTS
    for name in order:
        joined = _joined(lines[near & (kind == name)])
        room -= int(shapely.get_num_coordinates(joined).sum())
        if room < 0 and drawn:
            left_out = ", ".join(order[len(drawn) :])
            parts.notes.append(f"Roads of class {left_out} are left out to keep the page small.")
            break
        drawn.append(joined)
    if not sum(map(len, drawn)):
        return
    every = np.concatenate(drawn)
    columns = ringed(every, np.arange(len(every)), len(every))
    parts.columns |= {f"road_{name}": column for name, column in columns.items()}
    parts.columns["road_class"] = Column(numbers=np.repeat(np.arange(len(drawn)), [len(d) for d in drawn]))
    parts.content["roads"] = {"classes": len(drawn)}


def _column(table: gpd.GeoDataFrame, name: str, otherwise: object) -> pd.Series:
    return table[name] if name in table else pd.Series(otherwise, index=table.index)


def _joined(lines: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """Join pieces that meet end to end, and leave out bends of less than about 20 m."""
    parts = shapely.get_parts(lines)
    whole = shapely.get_parts(shapely.line_merge(shapely.multilinestrings(parts))) if len(parts) else parts
    return shapely.simplify(whole, _ROAD_BEND_DEG)


def _road_order(kind: npt.NDArray[np.object_], speed: npt.NDArray[np.float64]) -> list[str]:
    """Fastest class first; where no speed is known, by what the class is called."""
    known = {name: place for place, name in enumerate(_ROAD_ORDER)}
    usual = {name: float(np.median(speed[kind == name])) for name in np.unique(kind)}
    return sorted(usual, key=lambda name: (-usual[name], known.get(name.lower(), len(known)), name))


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


def add_population(parts: Parts, people: People, box: Box) -> None:
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
