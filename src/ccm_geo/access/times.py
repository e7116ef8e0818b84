"""How long it takes to get somewhere: a road graph, and minutes over it to the nearest facility.

A trip walks straight to the nearest road, drives along it, and walks from the road to its end; or walks
all the way where that is shorter. Roads join where they share a vertex or an end; lines that merely cross
do not, as a bridge does not join the road below it.
"""

from collections.abc import Iterable

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from ccm_geo import space
from ccm_geo.errors import DataError
from ccm_geo.schemas import Note, rows_of_kind

from ._search import from_each, to_goals
from ._snap import Floats, OnRoad, Places, legs, points_in, same_edge, snapped
from ._speeds import require_positive
from .graph import RoadGraph, road_graph

OFFROAD_KMH = 3.0
"""Walking where there is no road, km/h: Tobler's hiking function gives 6 exp(-3.5 x 0.05) = 5.0 km/h on
level ground, times his factor 0.6 off the path (W. Tobler, Three presentations on geographical analysis and
modeling, NCGIA report 93-1, 1993)."""

OFFROAD_MAX_M = 10_000.0
"""Longest way to or from a road, metres. Standing: placeholder, about three hours on foot."""

_BLOCK = 1_000_000  # pairs measured in a straight line at once: 32 MB


def travel_time(
    places: Places,
    facilities: Places,
    roads: gpd.GeoDataFrame | RoadGraph,
    *,
    kind: str | Iterable[str] | None = None,
    offroad_kmh: float = OFFROAD_KMH,
    offroad_max_m: float = OFFROAD_MAX_M,
) -> "pd.Series[float]":
    """Measure how long it takes from each place to the nearest facility.

    Parameters
    ----------
    places
        Hazards, settlements or any points, in any CRS; an area starts from a point inside it.
    facilities
        Points, in any CRS.
    roads
        A table of roads or, to use it more than once, a graph made by `road_graph`.
    kind
        Only facilities of this kind, or these kinds, of the column ``kind``.
    offroad_kmh
        Walking speed to, from and without a road, km/h; see `OFFROAD_KMH`.
    offroad_max_m
        Longest way off the road, metres; see `OFFROAD_MAX_M`.

    Returns
    -------
    pandas.Series
        ``travel_min``, minutes, on the index of `places`. NaN where there is no geometry or no way; a note
        in ``.attrs["notes"]`` counts these, and facilities too far from any road.

    Raises
    ------
    CRSError
        If a layer has no CRS or the layers lie apart.
    DataError
        If there are no facilities of this kind, or a number is not positive.

    Notes
    -----
    Minutes = off-road distance / walking speed + shortest path over the roads + the facility's own way off
    the road; or the straight way on foot where that is shorter than `offroad_max_m` and quicker. A place
    starts on the nearest road that leads to a facility.

    Examples
    --------
    >>> from shapely import LineString, Point
    >>> road = gpd.GeoDataFrame({"speed_kmh": [30]}, geometry=[LineString([(0, 0), (0.3, 0)])], crs=4326)
    >>> clinic = gpd.GeoDataFrame({"kind": ["clinic"]}, geometry=[Point(0, 0)], crs=4326)
    >>> travel_time(gpd.GeoSeries([Point(0.3, 0), None], crs=4326), clinic, road).round(1).tolist()
    [66.8, nan]
    """
    require_positive(offroad_kmh=offroad_kmh, offroad_max_m=offroad_max_m)
    chosen = placed(rows_of_kind(facilities, kind))
    graph = roads if isinstance(roads, RoadGraph) else road_graph(roads)
    require_near(places, chosen, graph)
    start, goal = (points_in(layer, graph.crs) for layer in (places, chosen))
    walk = 60 / 1_000 / offroad_kmh
    at_goal = snapped(goal, graph, offroad_max_m)
    to_goal = _to_nearest(graph, at_goal, walk)
    ends = to_goal[graph.edges[["from_node", "to_node"]].to_numpy()]
    at_start = snapped(start, graph, offroad_max_m, np.isfinite(ends).any(axis=1))
    minutes = np.minimum(_by_road(graph, at_start, to_goal, walk), _along(graph, at_start, at_goal, walk))
    minutes = np.minimum(minutes, _on_foot(start, goal, offroad_max_m, walk))
    minutes[~np.isfinite(minutes)] = np.nan
    out = pd.Series(minutes, index=places.index, name="travel_min")
    found = _unreached(start, goal, minutes, at_goal, offroad_max_m)
    out.attrs["notes"] = (*graph.notes, *walking_notes(offroad_kmh, offroad_max_m), *found)
    return out


def minutes_between(
    origins: Places,
    targets: Places,
    graph: RoadGraph,
    *,
    limit_min: float = 240.0,
    offroad_kmh: float = OFFROAD_KMH,
    offroad_max_m: float = OFFROAD_MAX_M,
) -> Floats:
    """Measure how long it takes from each origin to each target.

    Parameters
    ----------
    origins, targets
        Points (of areas, a point inside), in any CRS.
    graph
        Made by `road_graph`.
    limit_min
        Longest trip looked at, minutes.
    offroad_kmh, offroad_max_m
        As for `travel_time`.

    Returns
    -------
    numpy.ndarray
        Minutes, shape ``(len(origins), len(targets))``; infinite where there is no way within the limit.

    Raises
    ------
    CRSError
        If a layer has no CRS or the layers lie apart.
    DataError
        If a number is not positive.

    Examples
    --------
    >>> from shapely import LineString, Point
    >>> road = gpd.GeoDataFrame({"speed_kmh": [30]}, geometry=[LineString([(0, 0), (0.3, 0)])], crs=4326)
    >>> ends = gpd.GeoSeries([Point(0, 0), Point(0.3, 0)], crs=4326)
    >>> minutes_between(ends, ends, road_graph(road)).round(1)
    array([[ 0. , 66.8],
           [66.8,  0. ]])
    """
    require_positive(offroad_kmh=offroad_kmh, offroad_max_m=offroad_max_m, limit_min=limit_min)
    require_near(origins, targets, graph)
    start, goal = (points_in(layer, graph.crs) for layer in (origins, targets))
    walk = 60 / 1_000 / offroad_kmh
    at_start, at_goal = (snapped(xy, graph, offroad_max_m) for xy in (start, goal))
    leave, arrive = legs(graph, at_start, walk, leaving=True), legs(graph, at_goal, walk, leaving=False)
    if len(goal) <= len(start):  # one search for each row of the shorter side
        out = np.ascontiguousarray(from_each(graph.links, arrive, leave, limit_min).T)
    else:
        out = from_each(graph.links_from, leave, arrive, limit_min)
    step = max(1, _BLOCK // (len(goal) + 1))
    for k in range(0, len(start), step):
        block = slice(k, k + step)
        apart = np.hypot(*(start[block, None, :] - goal[None, :, :]).transpose(2, 0, 1))
        out[block] = np.fmin(out[block], np.where(apart <= offroad_max_m, apart * walk, np.inf))
    same_start, same_goal, minutes = same_edge(graph, at_start, at_goal, walk)
    np.minimum.at(out, (same_start, same_goal), minutes)
    out[out > limit_min] = np.inf
    return out


def placed(facilities: Places) -> Places:
    """Refuse facilities of which none has a place."""
    if not facilities.geometry.notna().any():
        raise DataError("facilities: there is none with a place; travel time needs at least one")
    return facilities


def require_near(first: Places, second: Places, graph: RoadGraph) -> None:
    """Refuse layers that lie apart."""
    boxes = []
    for layer, name in ((first, "places"), (second, "facilities")):
        crs = space.require_crs(layer, name)
        boxes.append(space.lonlat_bounds(layer.total_bounds, crs))
    road = space.lonlat_bounds(graph.edges.total_bounds, graph.crs)
    for box, name in zip(boxes, ("places", "facilities"), strict=True):
        space.require_overlap(box, road, (name, "roads"))


def walking_notes(kmh: float, max_m: float) -> tuple[Note, ...]:
    """Say how fast and how far people are taken to walk off the road, and who says so."""
    notes = []
    if kmh == OFFROAD_KMH:
        text = f"walking off the road at {kmh:g} km/h: Tobler's hiking function, level ground, off the path"
        notes.append(Note("roads", "assumed", f"{text} (NCGIA report 93-1, 1993)"))
    if max_m == OFFROAD_MAX_M:
        text = f"people walk up to {max_m:g} m to a road: a placeholder; give offroad_max_m="
        notes.append(Note("roads", "assumed", text))
    return tuple(notes)


def _to_nearest(graph: RoadGraph, goals: OnRoad, walk: float) -> Floats:
    """Minutes from every node to the nearest goal."""
    tail, from_tail, head, from_head = legs(graph, goals, walk, leaving=False)
    return to_goals(graph.links, None, np.concatenate([tail, head]), np.concatenate([from_tail, from_head]))


def _by_road(graph: RoadGraph, at: OnRoad, to_goal: Floats, walk: float) -> Floats:
    tail, to_tail, head, to_head = legs(graph, at, walk, leaving=True)
    return np.minimum(to_tail + to_goal[tail], to_head + to_goal[head])


def _along(graph: RoadGraph, start: OnRoad, goal: OnRoad, walk: float) -> Floats:
    out = np.full(len(start.edge), np.inf)
    s, _, minutes = same_edge(graph, start, goal, walk)
    np.minimum.at(out, s, minutes)
    return out


def _on_foot(start: Floats, goal: Floats, max_m: float, walk: float) -> Floats:
    """Minutes straight to the nearest goal, infinite where it is too far to walk."""
    known = np.isfinite(start).all(axis=1)
    out = np.full(len(start), np.inf)
    tree = cKDTree(goal[np.isfinite(goal).all(axis=1)])
    out[known] = tree.query(start[known], distance_upper_bound=max_m)[0] * walk
    return out


def _unreached(
    start: Floats, goal: Floats, minutes: Floats, at_goal: OnRoad, max_m: float
) -> tuple[Note, ...]:
    notes = []
    placed = np.isfinite(start).all(axis=1)
    lost = int((np.isnan(minutes) & placed).sum())
    if lost:
        way = f"a road within {max_m:g} m that leads there"
        text = f"{lost} of {len(start)} places have no way to a facility ({way})"
        notes.append(Note("roads", "unknown", text, lost))
    if not placed.all():
        nowhere = int((~placed).sum())
        notes.append(Note("places", "unknown", f"{nowhere} places without geometry: no travel time", nowhere))
    alone = (at_goal.edge < 0) & np.isfinite(goal).all(axis=1)
    far = int(alone.sum())
    if far:
        text = (
            f"{far} of {len(goal)} facilities lie more than {max_m:g} m from any road: reached on foot only"
        )
        rows = tuple(str(k + 1) for k in np.flatnonzero(alone))
        notes.append(Note("facilities", "unknown", text, far, rows))
    return tuple(notes)
