"""Downstream along river lines that are drawn in the direction in which they flow."""

from typing import TypeAlias

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import dijkstra
from shapely.ops import substring

from ccm_geo import space
from ccm_geo.access import road_graph

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

_KMH = 60.0  # at this speed a minute is a kilometre, so that a road graph serves as a graph of rivers


def carried(
    flooded: gpd.GeoDataFrame, rivers: gpd.GeoDataFrame, *, max_m: float, beside_m: float
) -> tuple[gpd.GeoDataFrame, Mask]:
    """Follow rivers from where hazards lie beside them.

    Returns
    -------
    stretches, begun
        As `flow.followed`, in a metric CRS.
    """
    crs = space.require_crs(rivers, "rivers")
    ours = space.lonlat_bounds(flooded.total_bounds, space.require_crs(flooded, "hazards"))
    space.require_overlap(ours, space.lonlat_bounds(rivers.total_bounds, crs), ("hazards", "rivers"))
    plain = gpd.GeoDataFrame(
        {"speed_kmh": _KMH, "oneway": True}, geometry=rivers.geometry, index=rivers.index
    )
    graph = road_graph(plain)
    edges = graph.edges
    lines, length = edges.geometry.to_numpy(), edges["length_m"].to_numpy()
    tail, head = (edges[c].to_numpy() for c in ("from_node", "to_node"))
    shapes = space.project(flooded, graph.crs).to_numpy()
    hazard, edge = shapely.STRtree(lines).query(shapes, predicate="dwithin", distance=beside_m)
    begun = np.zeros(len(shapes), dtype=bool)
    begun[hazard] = True
    touch = shapely.get_point(shapely.shortest_line(lines[edge], shapes[hazard]), 0)
    enter = shapely.line_locate_point(lines[edge], touch)
    far, source = _spread(tail, head, length, (head[edge], length[edge] - enter), len(graph.nodes), max_m)
    on = np.flatnonzero(np.isfinite(far[tail]))
    table = pd.DataFrame(
        {
            "hazard": np.concatenate([hazard, hazard[source[tail[on]]]]),
            "edge": np.concatenate([edge, on]),
            "start": np.concatenate([enter, np.zeros(len(on))]),
            "from_m": np.concatenate([np.zeros(len(edge)), far[tail[on]]]),
        }
    )
    table["end"] = np.minimum(length[table["edge"]], table["start"] + max_m - table["from_m"])
    table = table[table["end"] > table["start"]]
    whole = (table["start"] <= 0) & (table["end"] >= length[table["edge"]])
    drawn = lines[table["edge"]].copy()
    for k in np.flatnonzero(~whole):
        row = table.iloc[k]
        drawn[k] = substring(drawn[k], row["start"], row["end"])
    found = gpd.GeoDataFrame(
        {
            "hazard": table["hazard"].to_numpy(),
            "from_m": table["from_m"].to_numpy(),
            "to_m": (table["from_m"] + table["end"] - table["start"]).to_numpy(),
        },
        geometry=drawn,
        crs=graph.crs,
    )
    return found, begun


def _spread(
    tail: Ints, head: Ints, length: Floats, starts: tuple[Ints, Floats], size: int, max_m: float
) -> tuple[Floats, Ints]:
    """Give metres from the nearest start to every node, and which start that is (-1: none)."""
    node, offset = starts
    count = len(node)
    least = 1e-6  # csgraph takes 0 for a missing edge
    every = (
        np.concatenate([tail, size + np.arange(count)]),
        np.concatenate([head, node]),
        np.maximum(np.concatenate([length, offset]), least),
    )
    order = np.lexsort([every[2], every[1], every[0]])  # of parallel reaches the shortest counts
    row, col, weight = (part[order] for part in every)
    first = np.ones(len(row), dtype=bool)
    first[1:] = (row[1:] != row[:-1]) | (col[1:] != col[:-1])
    matrix = csr_array(coo_array((weight[first], (row[first], col[first])), shape=(size + count,) * 2))
    if not count:
        return np.full(size, np.inf), np.full(size, -1)
    far, _, source = dijkstra(
        matrix, indices=size + np.arange(count), min_only=True, limit=max_m, return_predecessors=True
    )
    return far[:size], np.where(np.isfinite(far[:size]), source[:size] - size, -1)
