"""Where points meet the roads, and how long it takes from there to both ends of that road."""

from dataclasses import dataclass
from typing import TypeAlias

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely

from ccm_geo import space

from .graph import RoadGraph

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Places: TypeAlias = gpd.GeoDataFrame | gpd.GeoSeries

_BAND_M = 5_000.0
_AT_END = 1e-9  # share of a road's length: the point is on the node and may take any road from there


@dataclass(frozen=True, kw_only=True)
class OnRoad:
    """Where points meet the roads: edge, share of its length, metres from the road; edge -1 where too far."""

    edge: Ints
    share: Floats
    off_m: Floats


def points_in(layer: Places, crs: pyproj.CRS) -> Floats:
    """Give one point per row in a metric CRS, shape ``(rows, 2)``; NaN where there is none."""
    spot = shapely.point_on_surface(space.project(layer, crs).to_numpy())
    return np.column_stack([shapely.get_x(spot), shapely.get_y(spot)])


def as_points(xy: Floats) -> npt.NDArray[np.object_]:
    """Give points, None where a coordinate is missing."""
    known = np.isfinite(xy).all(axis=1)
    spots = np.full(len(xy), None, dtype=object)
    spots[known] = shapely.points(xy[known])
    return spots


def snapped(xy: Floats, graph: RoadGraph, max_m: float, usable: Mask | None = None) -> OnRoad:
    """Find the nearest stretch of road for each point, among the usable ones."""
    lines = graph.edges.geometry.to_numpy()
    spots = as_points(xy)
    edge, off = _nearest(graph.tree, spots, max_m)
    if usable is not None and not usable.all():
        again = np.flatnonzero((edge >= 0) & ~usable[edge])
        if len(again):
            tree = shapely.STRtree(np.where(usable, lines, None))
            edge[again], off[again] = _nearest(tree, spots[again], max_m)
    share = np.zeros(len(xy))
    met = edge >= 0
    share[met] = shapely.line_locate_point(lines[edge[met]], spots[met], normalized=True)
    return OnRoad(edge=edge, share=share, off_m=off)


def _nearest(tree: shapely.STRtree, spots: npt.NDArray[np.object_], max_m: float) -> tuple[Ints, Floats]:
    edge, off = np.full(len(spots), -1, dtype=np.int64), np.full(len(spots), np.inf)
    known = np.flatnonzero(~shapely.is_missing(spots))
    if not len(known) or not len(tree):
        return edge, off
    x, y = shapely.get_x(spots[known]), shapely.get_y(spots[known])
    known = known[np.lexsort([y, np.floor(x / _BAND_M)])]  # neighbours in turn find the tree in the cache
    line = tree.nearest(spots[known])
    apart = shapely.distance(spots[known], tree.geometries[line])
    near = apart <= max_m
    edge[known[near]], off[known[near]] = line[near], apart[near]
    return edge, off


def legs(graph: RoadGraph, on: OnRoad, walk: float, *, leaving: bool) -> tuple[Ints, Floats, Ints, Floats]:
    """Give the two ends of each point's road and the minutes to them (leaving), or from them."""
    edges = graph.edges
    row = np.maximum(on.edge, 0)
    tail, head, along, back = (
        edges[c].to_numpy()[row] for c in ("from_node", "to_node", "minutes", "back_minutes")
    )
    off = np.where(on.edge >= 0, on.off_m * walk, np.inf)
    by_tail, by_head = (back, along) if leaving else (along, back)
    return tail, off + _part_of(on.share, by_tail), head, off + _part_of(1 - on.share, by_head)


def _part_of(share: Floats, minutes: Floats) -> Floats:
    """Minutes along a part of an edge: none at its very end, endless where it is closed that way."""
    opened = np.isfinite(minutes)
    return np.where(share < _AT_END, 0.0, np.where(opened, share * np.where(opened, minutes, 0), np.inf))


def same_edge(graph: RoadGraph, start: OnRoad, goal: OnRoad, walk: float) -> tuple[Ints, Ints, Floats]:
    """Give minutes for pairs of a start and a goal on the same stretch of road, which pass no node."""
    left = pd.DataFrame({"edge": start.edge, "s": np.arange(len(start.edge))})
    right = pd.DataFrame({"edge": goal.edge, "g": np.arange(len(goal.edge))})
    pair = left[left["edge"] >= 0].merge(right, on="edge")
    s, g, e = (pair[c].to_numpy() for c in ("s", "g", "edge"))
    ahead = goal.share[g] - start.share[s]
    along, back = (graph.edges[c].to_numpy()[e] for c in ("minutes", "back_minutes"))
    drive = _part_of(np.abs(ahead), np.where(ahead >= 0, along, back))
    return s, g, drive + (start.off_m[s] + goal.off_m[g]) * walk
