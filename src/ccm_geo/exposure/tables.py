"""People of tables of places, points or polygons: near each area, and once for all."""

from collections.abc import Sequence
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from ccm_geo import space
from ccm_geo.errors import DataError

from .land import Land, in_metres, unions
from .notes import Floats, Ints, Mask, Notes, Shapes, nowhere, unknown

_SEGMENTS = 16  # of a quarter of a circle: 0.16 % of its area is cut off
_CHUNK = 20_000


class _Places(NamedTuple):
    """Places with people in the CRS of the land: points count wholly or not at all, polygons by share."""

    points: Shapes
    """None where the place is a polygon."""
    areas: Shapes
    """None where the place is a point."""
    people: Floats
    blank: Mask
    """Which have no number of people."""


def people_near_each(
    land: Land, people: gpd.GeoDataFrame, distances: Sequence[float]
) -> tuple[Floats, Notes]:
    """Count the people of places inside or within distances of each area.

    Returns
    -------
    values, notes
        People, shape ``(areas, distances)``; NaN where there is no geometry, and where only places without
        a number of people are near.
    """
    flat, metric = in_metres(land)
    places = _placed(people, metric)
    values, notes = np.empty((len(flat), len(distances))), dict.fromkeys(Notes())
    for d, within_m in enumerate(distances):
        total, uncounted = _summed(flat, places, within_m)
        blank, partly = (uncounted > 0) & (total == 0), (uncounted > 0) & (total > 0)
        reached = f" (within {within_m:g} m)" if len(distances) > 1 else ""
        said = (
            (blank, f"near places without a number of people only{reached}", "people unknown"),
            (
                partly,
                f"near places of which some have no number of people{reached}",
                "the known ones counted",
            ),
        )
        notes.update(dict.fromkeys(unknown(land.names, said)))
        values[:, d] = np.where(land.missing | blank, np.nan, total)
    return values, tuple(notes)


def people_once(
    land: Land,
    group: Ints,
    groups: int,
    people: gpd.GeoDataFrame,
    distances: Sequence[float],
    *,
    first: bool = False,
) -> Floats:
    """Count the people of places near any area of a group, each once, shape ``(groups, distances)``.

    Parameters as of `rasters.people_once`.
    """
    flat, metric = in_metres(land)
    places = _placed(people, metric)
    values = np.zeros((groups, len(distances)))
    for d, within_m in enumerate(distances):
        hazard, place = pairs(flat, places.points, within_m)
        mine = group[hazard]
        if first:
            lowest = np.full(len(places.points), groups)
            np.minimum.at(lowest, place, mine)
            (place,) = np.nonzero(lowest < groups)
            mine = lowest[place]
        else:
            mine, place = np.unique(np.stack([mine, place]), axis=1)
        values[:, d] = np.bincount(mine, weights=places.people[place], minlength=groups)
        if not shapely.is_missing(places.areas).all():
            merged = unions(_drawn(flat, within_m), group, groups, first=first)
            shares = _shares(merged, places.areas, places.people)
            values[:, d] += np.diff(shares, prepend=0) if first else shares
    return values


def people_of(people: gpd.GeoDataFrame) -> Floats:
    """Give the number of people of each place; 0 where it is blank.

    Raises
    ------
    DataError
        If there is no column ``people``, or it holds numbers below 0.
    """
    if "people" not in people:
        raise DataError("population: there is no column 'people'; name it with rename=")
    count = pd.to_numeric(people["people"], errors="coerce").to_numpy(dtype=float)
    if (count < 0).any():
        raise DataError(f"population: {int((count < 0).sum())} rows have fewer than 0 people; correct them")
    return np.asarray(np.nan_to_num(count))


def pairs(land: Shapes, places: Shapes, within_m: float) -> tuple[Ints, Ints]:
    """Find every pair of an area and a place within the distance, as row numbers."""
    found = shapely.STRtree(places).query(land, predicate="dwithin", distance=within_m)
    return found[0], found[1]


def _placed(people: gpd.GeoDataFrame, metric: pyproj.CRS) -> _Places:
    flat = space.project(people, metric).to_numpy()
    has_area = shapely.get_dimensions(flat) == 2
    points, areas = flat.copy(), flat.copy()
    points[has_area], areas[~has_area] = None, None
    return _Places(points, areas, people_of(people), people["people"].isna().to_numpy())


def _summed(flat: Shapes, places: _Places, within_m: float) -> tuple[Floats, Floats]:
    """Give the people near each area, and how many places without a number of people are."""
    hazard, place = pairs(flat, places.points, within_m)
    out = [
        np.bincount(hazard, weights=of[place], minlength=len(flat)).astype(float)
        for of in (places.people, places.blank.astype(float))
    ]
    if not shapely.is_missing(places.areas).all():
        land = _drawn(flat, within_m)
        out[0] += _shares(land, places.areas, places.people)
        out[1] += _shares(land, places.areas, places.blank.astype(float))
    return out[0], out[1]


def _drawn(flat: Shapes, within_m: float) -> Shapes:
    return flat if within_m == 0 else np.asarray(shapely.buffer(flat, within_m, quad_segs=_SEGMENTS))


def _shares(land: Shapes, areas: Shapes, count: Floats) -> Floats:
    """Sum the people of polygons by the share of their area that is covered."""
    parts, owner = shapely.get_parts(land, return_index=True)
    size = shapely.area(areas)
    part, place = shapely.STRtree(areas).query(parts, predicate="intersects")
    total = np.zeros(len(land))
    for k in range(0, len(part), _CHUNK):
        a, p = part[k : k + _CHUNK], place[k : k + _CHUNK]
        covered = shapely.area(shapely.intersection(parts[a], areas[p]))
        known = np.where(size[p] > 0, size[p], 1)
        np.add.at(total, owner[a], np.where(size[p] > 0, count[p] * covered / known, 0))
    return total


def bins(people: gpd.GeoDataFrame, cell_m: float) -> tuple[Floats, Floats]:
    """Sum a table of places by squares; give the middle of each square's people and their number."""
    crs = space.require_crs(people, "population")
    metric = space.study_crs(people)
    spot = shapely.point_on_surface(space.project(people, metric).to_numpy())
    count = people_of(people)
    keep = ~nowhere(spot) & (count > 0)
    xy, count = shapely.get_coordinates(spot[keep]), count[keep]
    _, square = np.unique(np.floor(xy / cell_m), axis=0, return_inverse=True)
    total = np.bincount(square.ravel(), weights=count).astype(np.float64)
    middle = [np.bincount(square.ravel(), weights=count * v) / total for v in xy.T]
    return space.project_xy(np.column_stack(middle).reshape(-1, 2), metric, crs), total
