"""Roads as a graph: where they meet, how long each stretch takes, and in how many pieces they fall.

Roads join where they share a vertex or an end; lines that merely cross do not, as a bridge does not join
the road below it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from ccm_geo import space
from ccm_geo.errors import DataError
from ccm_geo.schemas import Note, notes_of

from ._joints import lines_between, nodes_of, stretches_of, with_joints
from ._networkx import taken_over
from ._search import Links, links
from ._speeds import Speed, oneway_of, speeds_of

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

_LEAST_MIN = 1e-9  # csgraph takes a weight of 0 for a missing edge
_STRAIGHT_M = 1_000.0  # a straight line of this length bends by 0.02 m times the tangent of the latitude


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
        return quickest(*self._arcs, len(self.nodes))

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
        ends = self.edges["from_node"].to_numpy(), self.edges["to_node"].to_numpy()
        ones = np.ones(len(self.edges), dtype=bool)
        met = csr_array((ones, ends), shape=(len(self.nodes),) * 2)
        _, label = connected_components(met, directed=False)
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
    def from_networkx(cls, graph: Any, *, speeds: Mapping[str, Speed] | None = None) -> "RoadGraph":
        """Take over a networkx graph, for example of OSMnx; `road_graph` does the same.

        Parameters
        ----------
        graph
            Directed or not. Nodes have ``x`` and ``y``; the graph has ``crs``; edges have ``minutes``, or
            ``travel_time`` in seconds, or ``length`` in metres with ``speed_kmh``, ``speed_kph`` or
            ``highway``. Directed edges there and back, of the same length, are one two-way road.
        speeds
            As for `road_graph`.

        Raises
        ------
        CRSError
            If the graph has no ``crs``.
        DataError
            If it has no edge, a node has no place, or an edge does not say how long it takes.
        """
        took = taken_over(graph, speeds or {})
        along = np.maximum(took.minutes, _LEAST_MIN), np.maximum(took.back, _LEAST_MIN)
        rows = np.arange(len(took.tail))
        made = _graph(took.nodes, took.tail, took.head, along, took.lines, rows, took.crs, took.notes)
        return _with_pieces(made)


def road_graph(roads: Any, *, snap_m: float = 1.0, speeds: Mapping[str, Speed] | None = None) -> RoadGraph:
    """Make a graph of a table of roads, or of a graph of networkx.

    Parameters
    ----------
    roads
        Lines. ``speed_kmh`` gives the speed; where it is missing, ``road_class`` does (see `SPEEDS`).
        ``oneway`` true: only along the line. Or a ``networkx`` graph such as OSMnx makes, see
        `RoadGraph.from_networkx`; its nodes are taken as they are.
    snap_m
        Ends of lines this near to another line are joined to it, metres; 0 joins only what coincides.
    speeds
        Speed by class, km/h, instead of `SPEEDS`; other classes keep theirs. An `Assumption` brings its
        source into the notes.

    Returns
    -------
    RoadGraph
        Nodes are ends of lines and vertices that lines share. ``.notes`` says which speeds were assumed,
        what was left out, which roads end on the middle of another one and were joined there, which stop
        just short of one, and in how many pieces the roads fall.

    Raises
    ------
    CRSError
        If the layer has no CRS.
    DataError
        If there is no line in it, or `snap_m` is negative.

    Notes
    -----
    Lines that cross without a shared vertex do not join: bridges stay bridges. A side road that ends on the
    middle of another road joins it there, although that road has no vertex at this place. Ends farther than
    `snap_m` but within 10 m (or ten times `snap_m`) of another road are left as they are and noted.

    Examples
    --------
    >>> from shapely import LineString
    >>> main = LineString([(0, 0), (0.2, 0)])
    >>> side = LineString([(0.1, 0), (0.1, 0.1)])
    >>> table = gpd.GeoDataFrame({"road_class": ["primary", "track"]}, geometry=[main, side], crs=4326)
    >>> graph = road_graph(table, speeds={"primary": 50, "track": 10})
    >>> len(graph.edges), graph.notes[0].text  # the main road is cut where the side road begins
    (3, '1 roads end on the middle of another road (within 1 m): joined there')
    """
    if hasattr(roads, "adj"):
        return RoadGraph.from_networkx(roads, speeds=speeds)
    if not snap_m >= 0:
        raise DataError(f"snap_m must be 0 or a positive number of metres, not {snap_m}")
    kmh, notes = speeds_of(roads, speeds or {})
    crs, lines, bent, row = _lines(roads)
    lines, met = with_joints(lines, bent, row, snap_m)
    xy, of_line = shapely.get_coordinates(lines, return_index=True)
    node, nodes = nodes_of(xy, of_line, snap_m)
    start, end = stretches_of(node, of_line)
    pieces = lines_between(xy, start, end)
    origin = row[of_line[start]]
    minutes = np.maximum(shapely.length(pieces) / 1_000 / kmh[origin] * 60, _LEAST_MIN)
    both = minutes, np.where(oneway_of(roads)[origin], np.inf, minutes)
    said = (*notes_of(roads), *notes, *_left_out(len(roads), row), *met)
    return _with_pieces(_graph(nodes, node[start], node[end], both, pieces, origin, crs, said))


def _lines(roads: gpd.GeoDataFrame) -> tuple[pyproj.CRS, Any, Any, Ints]:
    """Give the study CRS, single lines in it, the same with more vertices on long edges, and their rows."""
    own = space.require_crs(roads, "roads")
    crs = space.study_crs(roads)
    parts, row = shapely.get_parts(roads.geometry.to_numpy(), return_index=True)
    usable = (shapely.get_type_id(parts) == shapely.GeometryType.LINESTRING) & (shapely.length(parts) > 0)
    parts, row = parts[usable], row[usable]
    if not len(parts):
        raise DataError("roads: the layer has no line in it; check that it is the layer of roads")
    lines = space.project(gpd.GeoSeries(parts, crs=own), crs).to_numpy()
    long = shapely.length(lines) > _STRAIGHT_M
    if own == crs or not long.any():
        return crs, lines, lines, row
    bent = lines.copy()
    more = shapely.segmentize(parts[long], _STRAIGHT_M / space.metres_per_unit(own))
    bent[long] = space.project(gpd.GeoSeries(more, crs=own), crs).to_numpy()
    return crs, lines, bent, row


def _left_out(count: int, row: Ints) -> tuple[Note, ...]:
    lost = count - len(np.unique(row))
    if not lost:
        return ()
    return (Note("roads", "set aside", f"{lost} of {count} roads without a line: left out", lost),)


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


def quickest(tail: Any, head: Any, minutes: Any, size: int) -> csr_array:
    """Make a sparse matrix in which the quickest of several edges between two nodes counts."""
    keep = np.isfinite(minutes) & (tail != head)
    tail, head, minutes = tail[keep], head[keep], np.maximum(minutes[keep], _LEAST_MIN)
    order = np.lexsort([minutes, head, tail])
    tail, head, minutes = tail[order], head[order], minutes[order]
    first = np.ones(len(tail), dtype=bool)
    first[1:] = (tail[1:] != tail[:-1]) | (head[1:] != head[:-1])
    return csr_array((minutes[first], (tail[first], head[first])), shape=(size, size))
