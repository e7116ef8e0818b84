"""Roads as a graph: where they meet, how long each stretch takes, and in how many pieces they fall.

Roads join where they share a vertex or an end; lines that merely cross do not, as a bridge does not join
the road below it.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ccm_geo import space
from ccm_geo.errors import DataError
from ccm_geo.schemas import Note, notes_of

from ._search import Links, links

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Edge: TypeAlias = tuple[int, int, dict[str, Any]]

SPEED_KMH = {
    "motorway": 80.0,
    "trunk": 70.0,
    "primary": 60.0,
    "secondary": 40.0,
    "tertiary": 30.0,
    "unclassified": 25.0,
    "residential": 20.0,
    "service": 15.0,
    "track": 15.0,
    "path": 5.0,
    "footway": 5.0,
}
"""Speed by class of road, km/h, where the table gives none. Standing: placeholder, set for poor roads after
a war and without a published source; replace it with ``speeds=`` or a column ``speed_kmh``."""

OTHER_KMH = 20.0
"""Speed on a road of any other class, km/h. Standing: placeholder, as `SPEED_KMH`."""

_LEAST_MIN = 1e-9  # csgraph takes a weight of 0 for a missing edge


@dataclass(frozen=True, kw_only=True, eq=False)
class RoadGraph:
    """Roads as nodes and edges with minutes, ready for shortest paths.

    Parameters
    ----------
    nodes
        Where roads end or meet, metres in `crs`, shape ``(nodes, 2)``.
    edges
        One row per stretch of road between two nodes: ``from_node``, ``to_node``, ``minutes`` along the
        line, ``back_minutes`` against it (infinite on a one-way road), ``length_m``, ``road`` (row of the
        road table, counted from 0) and the line in `crs`.
    crs
        Metric CRS of nodes and edges.
    notes
        What was assumed, left out, or found broken.

    Examples
    --------
    >>> from shapely import LineString
    >>> lines = [LineString([(0, 0), (0.1, 0)]), LineString([(0.1, 0), (0.1, 0.1)])]
    >>> graph = road_graph(gpd.GeoDataFrame({"speed_kmh": [60, 30]}, geometry=lines, crs=4326))
    >>> len(graph.nodes), graph.edges.minutes.round(1).tolist()
    (3, [11.1, 22.1])
    """

    nodes: Floats
    edges: gpd.GeoDataFrame
    crs: pyproj.CRS
    notes: tuple[Note, ...] = ()

    @cached_property
    def matrix(self) -> csr_array:
        """Minutes from node (row) to node (column); of parallel roads the quickest."""
        edges = self.edges
        tail = np.concatenate([edges["from_node"], edges["to_node"]])
        head = np.concatenate([edges["to_node"], edges["from_node"]])
        return quickest(
            tail, head, np.concatenate([edges["minutes"], edges["back_minutes"]]), len(self.nodes)
        )

    @cached_property
    def links(self) -> Links:
        """The same minutes as arcs grouped by the node that they lead to; parallel roads all stand there.

        Of ``e`` edges arc ``k`` is edge ``k`` along its line where ``k < e``, else edge ``k - e`` against it.
        """
        return links(*self._arcs, len(self.nodes))

    @cached_property
    def links_from(self) -> Links:
        """As `links`, the other way round: grouped by the node that arcs come from, to search forward."""
        tail, head, minutes = self._arcs
        return links(head, tail, minutes, len(self.nodes))

    @property
    def _arcs(self) -> tuple[Ints, Ints, Floats]:
        edges = self.edges
        tail, head = (
            np.concatenate([edges[a], edges[b]])
            for a, b in (("from_node", "to_node"), ("to_node", "from_node"))
        )
        return tail, head, np.concatenate([edges["minutes"], edges["back_minutes"]])

    @cached_property
    def tree(self) -> shapely.STRtree:
        """The lines of the edges, to find the nearest ones."""
        return shapely.STRtree(self.edges.geometry.to_numpy())

    @cached_property
    def piece(self) -> Ints:
        """Which connected piece each node belongs to, shape ``(nodes,)``; 0 is the one with most nodes."""
        _, label = connected_components(self.matrix, directed=False)
        order = np.argsort(-np.bincount(label), kind="stable")
        return np.argsort(order)[label].astype(np.int64)

    def to_networkx(self) -> Any:
        """Give a ``networkx.MultiDiGraph``: nodes with ``x`` and ``y``, edges with ``minutes``."""
        import networkx as nx  # noqa: PLC0415 - only at this door

        out = nx.MultiDiGraph(crs=self.crs.to_wkt())
        out.add_nodes_from((k, {"x": x, "y": y}) for k, (x, y) in enumerate(self.nodes.tolist()))
        columns = ("from_node", "to_node", "minutes", "back_minutes", "length_m")
        rows = zip(*(self.edges[c].tolist() for c in columns), self.edges.geometry, strict=True)
        for tail, head, minutes, back, length, line in rows:
            if np.isfinite(minutes):
                out.add_edge(tail, head, minutes=minutes, length=length, geometry=line)
            if np.isfinite(back):
                out.add_edge(head, tail, minutes=back, length=length, geometry=line.reverse())
        return out

    @classmethod
    def from_networkx(cls, graph: Any) -> "RoadGraph":
        """Take over a networkx graph, for example of OSMnx.

        Parameters
        ----------
        graph
            Directed or not. Nodes have ``x`` and ``y``; the graph has ``crs``; edges have ``minutes``, or
            ``travel_time`` in seconds, or ``length`` in metres with ``speed_kmh`` or ``speed_kph``.

        Raises
        ------
        CRSError
            If the graph has no ``crs``.
        DataError
            If an edge does not say how long it takes.
        """
        names = {node: k for k, node in enumerate(graph.nodes)}
        place = [(d.get("x", np.nan), d.get("y", np.nan)) for _, d in graph.nodes(data=True)]
        dots = gpd.GeoSeries(
            shapely.points(np.array(place, dtype=float).reshape(-1, 2)), crs=graph.graph.get("crs")
        )
        space.require_crs(dots, "roads")
        crs = space.study_crs(dots)
        nodes = shapely.get_coordinates(space.project(dots, crs).to_numpy())
        found, back_of = _both_ways([(names[u], names[v], d) for u, v, d in graph.edges(data=True)], graph)
        tail, head = np.array([f[:2] for f in found], dtype=np.int64).reshape(-1, 2).T
        minutes = np.array([_edge_minutes(d) for _, _, d in found], dtype=float)
        back = np.array([np.inf if d is None else _edge_minutes(d) for d in back_of], dtype=float)
        mute = int(np.isnan([minutes, back]).sum())
        if mute:
            raise DataError(
                f"roads: {mute} edges of the graph do not say how long they take; "
                "give them minutes, or travel_time in seconds, or length in metres with speed_kmh"
            )
        straight = shapely.linestrings(np.stack([nodes[tail], nodes[head]], axis=1))
        drawn = gpd.GeoSeries([d.get("geometry") for _, _, d in found], crs=dots.crs)
        lines = np.where(drawn.isna(), straight, space.project(drawn, crs).to_numpy())
        return _graph(nodes, tail, head, (minutes, back), lines, np.arange(len(tail)), crs, ())


def road_graph(
    roads: gpd.GeoDataFrame, *, snap_m: float = 1.0, speeds: dict[str, float] | None = None
) -> RoadGraph:
    """Make a graph of a table of roads.

    Parameters
    ----------
    roads
        Lines. ``speed_kmh`` gives the speed; where it is missing, ``road_class`` does (see `SPEED_KMH`).
        ``oneway`` true: only along the line.
    snap_m
        Ends of lines this near to another line's vertex are joined to it, metres; 0 joins only what
        coincides.
    speeds
        Speed by class, km/h, instead of `SPEED_KMH`; other classes keep theirs.

    Returns
    -------
    RoadGraph
        Nodes are ends of lines and vertices that lines share. ``.notes`` says which speeds were assumed,
        what was left out, and in how many pieces the roads fall.

    Raises
    ------
    CRSError
        If the layer has no CRS.
    DataError
        If there is no line in it, or `snap_m` is negative.

    Notes
    -----
    Lines that cross without a shared vertex do not join: bridges stay bridges. A side road that ends on a
    main road without a vertex there stays apart and shows up as a piece of its own.

    Examples
    --------
    >>> from shapely import LineString
    >>> main = LineString([(0, 0), (0.1, 0), (0.2, 0)])
    >>> side = LineString([(0.1, 0), (0.1, 0.1)])
    >>> table = gpd.GeoDataFrame({"road_class": ["primary", "track"]}, geometry=[main, side], crs=4326)
    >>> len(road_graph(table).edges)  # the main road is cut where the side road begins
    3
    """
    if not snap_m >= 0:
        raise DataError(f"snap_m must be 0 or a positive number of metres, not {snap_m}")
    space.require_crs(roads, "roads")
    crs = space.study_crs(roads)
    lines, row = shapely.get_parts(space.project(roads, crs).to_numpy(), return_index=True)
    usable = (shapely.get_type_id(lines) == shapely.GeometryType.LINESTRING) & (shapely.length(lines) > 0)
    lines, row = lines[usable], row[usable]
    if not len(lines):
        raise DataError("roads: the layer has no line in it; check that it is the layer of roads")
    kmh, notes = _speeds(roads, speeds or {})
    left_out = len(roads) - len(np.unique(row))
    if left_out:
        text = f"{left_out} of {len(roads)} roads without a line: left out"
        notes = (*notes, Note("roads", "set aside", text, left_out))
    xy, of_line = shapely.get_coordinates(lines, return_index=True)
    node, nodes = _nodes(xy, of_line, snap_m)
    start, end = _stretches(node, of_line)
    pieces = _lines(xy, start, end)
    length = shapely.length(pieces)
    origin = row[of_line[start]]
    minutes = np.maximum(length / 1_000 / kmh[origin] * 60, _LEAST_MIN)
    oneway = _oneway(roads)[origin]
    graph = _graph(
        nodes, node[start], node[end], (minutes, np.where(oneway, np.inf, minutes)), pieces, origin, crs,
        (*notes_of(roads), *notes),
    )  # fmt: skip
    return _with_pieces(graph)


def require_positive(**numbers: float) -> None:
    """Refuse numbers that are not above 0, by name."""
    for name, value in numbers.items():
        if not value > 0:
            raise DataError(f"{name} must be a positive number, not {value}")


def _speeds(roads: gpd.GeoDataFrame, given: dict[str, float]) -> tuple[Floats, tuple[Note, ...]]:
    """Give km/h by row, and say what was assumed."""
    require_positive(**{f"speeds[{name!r}]": value for name, value in given.items()})
    kmh = np.full(len(roads), np.nan)
    if "speed_kmh" in roads:
        kmh = pd.to_numeric(roads["speed_kmh"], errors="coerce").to_numpy(dtype=float, na_value=np.nan).copy()
        kmh[~(kmh > 0)] = np.nan
    gap = np.isnan(kmh)
    if not gap.any():
        return kmh, ()
    classes = (
        roads["road_class"] if "road_class" in roads else pd.Series(None, index=roads.index, dtype=object)
    )
    by_class = classes.map({**SPEED_KMH, **given}).to_numpy(dtype=float, na_value=np.nan)
    unknown = gap & np.isnan(by_class)
    kmh = np.where(gap, np.where(unknown, OTHER_KMH, by_class), kmh)
    notes = []
    assumed = gap & ~unknown & ~classes.isin(list(given)).to_numpy()
    if assumed.any():
        text = f"{assumed.sum()} roads without speed: a placeholder by class (SPEED_KMH); give speeds="
        notes.append(Note("roads", "assumed", text, int(assumed.sum())))
    if unknown.any():
        text = f"{unknown.sum()} roads without speed and known class: {OTHER_KMH:g} km/h, a placeholder"
        notes.append(Note("roads", "assumed", text, int(unknown.sum())))
    return kmh, tuple(notes)


def _oneway(roads: gpd.GeoDataFrame) -> npt.NDArray[np.bool_]:
    if "oneway" not in roads:
        return np.zeros(len(roads), dtype=bool)
    return roads["oneway"].astype("boolean").fillna(False).to_numpy(dtype=bool)


def _nodes(xy: Floats, of_line: Ints, snap_m: float) -> tuple[Ints, Floats]:
    """Give a number to each place where lines end or meet, and -1 to vertices in between."""
    spots, spot = np.unique(xy, axis=0, return_inverse=True)
    spot = spot.ravel()
    is_end = np.ones(len(xy), dtype=bool)
    is_end[1:-1] = (of_line[1:-1] != of_line[:-2]) | (of_line[1:-1] != of_line[2:])
    label = _joined(spots, np.unique(spot[is_end]), snap_m)[spot]
    times = np.bincount(label)
    times[label[is_end]] = 2  # an end is a node, whoever meets it
    is_node = times[label] > 1
    used, first, node = np.unique(label[is_node], return_index=True, return_inverse=True)
    out = np.full(len(xy), -1, dtype=np.int64)
    out[is_node] = node.ravel()
    return out, xy[is_node][first] if len(used) else np.empty((0, 2))


def _joined(spots: Floats, ends: Ints, snap_m: float) -> Ints:
    """Give the same label to an end and what lies within the tolerance of it."""
    if snap_m == 0 or len(spots) < 2:
        return np.arange(len(spots))
    near = min(8, len(spots))
    _, other = cKDTree(spots).query(spots[ends], k=near, distance_upper_bound=snap_m)
    tail, head = np.repeat(ends, near), other.ravel()
    found = head < len(spots)
    pairs = csr_array((np.ones(found.sum()), (tail[found], head[found])), shape=(len(spots),) * 2)
    return connected_components(pairs, directed=False)[1].astype(np.int64)


def _stretches(node: Ints, of_line: Ints) -> tuple[Ints, Ints]:
    """Give the first and last vertex of every stretch of line between two nodes."""
    at = np.flatnonzero(node >= 0)
    same = of_line[at[1:]] == of_line[at[:-1]]
    return at[:-1][same], at[1:][same]


def _lines(xy: Floats, start: Ints, end: Ints) -> npt.NDArray[Any]:
    size = end - start + 1
    first = np.cumsum(size) - size
    owner = np.repeat(np.arange(len(size)), size)
    return shapely.linestrings(xy[start[owner] + np.arange(len(owner)) - first[owner]], indices=owner)


def _graph(
    nodes: Floats, tail: Ints, head: Ints, minutes: tuple[Floats, Floats], lines: Any, row: Ints,
    crs: pyproj.CRS, notes: tuple[Note, ...],
) -> RoadGraph:  # fmt: skip
    edges = gpd.GeoDataFrame(
        {
            "from_node": tail,
            "to_node": head,
            "minutes": minutes[0],
            "back_minutes": minutes[1],
            "length_m": shapely.length(lines),
            "road": row,
        },
        geometry=gpd.GeoSeries(lines, crs=crs),
    )
    return RoadGraph(nodes=nodes, edges=edges, crs=crs, notes=notes)


def _with_pieces(graph: RoadGraph) -> RoadGraph:
    """Note in how many pieces the roads fall."""
    piece = graph.piece[graph.edges["from_node"].to_numpy()]
    count = int(graph.piece.max()) + 1
    if count == 1:
        return graph
    length = np.bincount(piece, weights=graph.edges["length_m"], minlength=count)
    share = 100 * length[0] / length.sum()
    text = (
        f"the roads fall in {count} pieces that do not meet, the largest with {share:.3g} % of the length; "
        "where they should meet, give their lines a shared vertex or a larger snap_m="
    )
    note = Note("roads", "advice", text, count - 1)
    return RoadGraph(nodes=graph.nodes, edges=graph.edges, crs=graph.crs, notes=(*graph.notes, note))


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


def _edge_minutes(edge: dict[str, Any]) -> float:
    if "minutes" in edge:
        return float(edge["minutes"])
    if "travel_time" in edge:
        return float(edge["travel_time"]) / 60
    kmh = edge.get("speed_kmh", edge.get("speed_kph"))
    if kmh is None or "length" not in edge:
        return float("nan")
    return float(edge["length"]) / 1_000 / float(kmh) * 60


def quickest(tail: Any, head: Any, minutes: Any, size: int) -> csr_array:
    """Make a sparse matrix in which the quickest of several edges between two nodes counts."""
    keep = np.isfinite(minutes) & (tail != head)
    tail, head, minutes = tail[keep], head[keep], np.maximum(minutes[keep], _LEAST_MIN)
    order = np.lexsort([minutes, head, tail])
    tail, head, minutes = tail[order], head[order], minutes[order]
    first = np.ones(len(tail), dtype=bool)
    first[1:] = (tail[1:] != tail[:-1]) | (head[1:] != head[:-1])
    return csr_array((minutes[first], (tail[first], head[first])), shape=(size, size))
