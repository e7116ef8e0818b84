"""The door for graphs of networkx, such as those of OSMnx: what their nodes and edges say, as arrays."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely

from ccm_geo import space
from ccm_geo.errors import DataError
from ccm_geo.schemas import Note

from ._speeds import Speed, speeds_of

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Edge: TypeAlias = tuple[int, int, dict[str, Any]]


class Taken(NamedTuple):
    """A graph of networkx as arrays, one row per road, with both directions of a two-way road in one."""

    nodes: Floats
    tail: Ints
    head: Ints
    minutes: Floats
    back: Floats
    lines: npt.NDArray[Any]
    crs: pyproj.CRS
    notes: tuple[Note, ...]


def taken_over(graph: Any, speeds: Mapping[str, Speed]) -> Taken:
    """Read a graph of networkx.

    Raises
    ------
    CRSError
        If the graph has no ``crs``.
    DataError
        If it has no edge, a node has no place, or an edge does not say how long it takes.
    """
    names = {node: k for k, node in enumerate(graph.nodes)}
    place = np.array(
        [(d.get("x", np.nan), d.get("y", np.nan)) for _, d in graph.nodes(data=True)], dtype=float
    ).reshape(-1, 2)
    dots = gpd.GeoSeries(shapely.points(place), crs=graph.graph.get("crs"))
    space.require_crs(dots, "roads")
    found, back_of = _both_ways([(names[u], names[v], d) for u, v, d in graph.edges(data=True)], graph)
    if not found:
        raise DataError("roads: the graph has no edge; check that it is the graph of roads")
    tail, head = np.array([edge[:2] for edge in found], dtype=np.int64).T
    lost = int((~np.isfinite(place)).any(axis=1).sum())
    if lost:
        raise DataError(
            f"roads: {lost} nodes of the graph have no place; give them x and y, in the graph's crs"
        )
    along, notes = _minutes([edge for _, _, edge in found], speeds)
    back, _ = _minutes([edge for edge in back_of if edge is not None], speeds)
    both = np.full(len(found), np.inf)
    both[[edge is not None for edge in back_of]] = back
    bad = int((~(along >= 0)).sum() + (~(both >= 0)).sum())
    if bad:
        raise DataError(
            f"roads: {bad} edges of the graph do not say how long they take; give them minutes, or "
            "travel_time in seconds, or length in metres with speed_kmh, speed_kph or highway"
        )
    if not graph.is_directed():
        notes = (*notes, *_undirected(found))
    crs = space.study_crs(dots)
    nodes = shapely.get_coordinates(space.project(dots, crs).to_numpy())
    lines = _lines([edge for _, _, edge in found], nodes, tail, head, dots.crs, crs)
    return Taken(nodes, tail, head, along, both, lines, crs, notes)


def _lines(
    edges: list[dict[str, Any]], nodes: Floats, tail: Ints, head: Ints, source: Any, crs: pyproj.CRS
) -> npt.NDArray[Any]:
    straight = shapely.linestrings(np.stack([nodes[tail], nodes[head]], axis=1))
    drawn = gpd.GeoSeries([edge.get("geometry") for edge in edges], crs=source)
    lines = np.where(drawn.isna(), straight, space.project(drawn, crs).to_numpy())
    begin = shapely.get_coordinates(shapely.get_point(lines, 0))
    apart = [np.hypot(*(begin - nodes[end]).T) for end in (tail, head)]
    return np.where(apart[0] > apart[1], shapely.reverse(lines), lines)  # drawn from head to tail


def _undirected(found: list[Edge]) -> tuple[Note, ...]:
    count = sum(str(edge.get("oneway", False)).lower() in {"true", "yes", "1"} for _, _, edge in found)
    if not count:
        return ()
    text = f"{count} one-way edges in an undirected graph, which knows no direction: taken as two-way"
    return (Note("roads", "assumed", text, count),)


def _both_ways(found: list[Edge], graph: Any) -> tuple[list[Edge], list[dict[str, Any] | None]]:
    """Pair the two directions of a road, which a directed graph holds as two edges of the same length.

    A place on a two-way road can leave it either way; on two one-way edges it would be on one of them.
    """
    if not graph.is_directed():
        return found, [edge for _, _, edge in found]
    kept: list[Edge] = []
    back: list[dict[str, Any] | None] = []
    waiting: dict[tuple[int, int, float], list[int]] = {}
    for tail, head, edge in found:
        length = round(float(edge.get("length", 0.0)), 1)
        partner = waiting.get((head, tail, length))
        if partner:
            back[partner.pop()] = edge
            continue
        waiting.setdefault((tail, head, length), []).append(len(kept))
        kept.append((tail, head, edge))
        back.append(None)
    return kept, back


def _minutes(edges: list[dict[str, Any]], speeds: Mapping[str, Speed]) -> tuple[Floats, tuple[Note, ...]]:
    """Read how long each edge takes; by class of road where only its length is given. NaN where unknown."""
    minutes = np.array([_said(edge) for edge in edges], dtype=float)
    silent = np.flatnonzero(np.isnan(minutes))
    kind = [_first(edges[k].get("highway", edges[k].get("road_class"))) for k in silent]
    sized = np.array(
        [name is not None and "length" in edges[k] for k, name in zip(silent, kind, strict=True)], bool
    )
    some = silent[sized]
    if not len(some):
        return minutes, ()
    classes = pd.DataFrame({"road_class": [name for name, use in zip(kind, sized, strict=True) if use]})
    kmh, notes = speeds_of(classes, speeds)
    minutes[some] = [float(edges[k]["length"]) / 1_000 / v * 60 for k, v in zip(some, kmh, strict=True)]
    return minutes, notes


def _said(edge: dict[str, Any]) -> float:
    if "minutes" in edge:
        return float(edge["minutes"])
    if "travel_time" in edge:
        return float(edge["travel_time"]) / 60
    kmh = _first(edge.get("speed_kmh", edge.get("speed_kph")))
    if kmh is None or "length" not in edge or not float(kmh) > 0:
        return float("nan")
    return float(edge["length"]) / 1_000 / float(kmh) * 60


def _first(value: Any) -> Any:
    """OSMnx lists the values of ways that it has merged: the first one stands for all."""
    return value[0] if isinstance(value, (list, tuple)) and value else value
