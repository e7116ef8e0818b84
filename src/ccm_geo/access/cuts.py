"""Roads that hazards cut: which stretches run through open areas, and which hazards would open them again."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from ccm_geo import space
from ccm_geo.errors import DataError
from ccm_geo.schemas import Note, notes_of

from ._pieces import Pieces, pieces_of
from .graph import RoadGraph, road_graph

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Shapes: TypeAlias = npt.NDArray[Any]
Areas: TypeAlias = gpd.GeoDataFrame | gpd.GeoSeries

_SEGS = 16  # segments of a quarter of a circle: 0.16 % of its area is cut off


@dataclass(frozen=True, kw_only=True, eq=False)
class CutRoads:
    """Roads with the stretches of them that open hazards cut; made by `cut_roads`.

    Parameters
    ----------
    graph
        The roads.
    hazard_id
        Name of each hazard: its ``hazard_id``, or its index label where there is none; on their index.
    shapes
        The land on which roads are cut, in the graph's CRS; None where a hazard cuts nothing, as it is not
        open or has no place.
    placed
        Which hazards have a place.
    cuts
        One row per stretch of an edge within reach of one hazard: ``hazard`` and ``edge`` (row numbers),
        ``from_m`` and ``to_m`` along the edge.
    within_m
        Reach of the hazards, metres.
    notes
        Of the roads, and what was assumed about the hazards.
    """

    graph: RoadGraph
    hazard_id: "pd.Series[Any]"
    shapes: Shapes
    placed: Mask
    cuts: pd.DataFrame
    within_m: float
    notes: tuple[Note, ...] = ()

    @cached_property
    def pieces(self) -> Pieces:
        """The edges, split where they are cut."""
        return pieces_of(self.graph, self.cuts)

    def rows_of(self, released: Iterable[Any]) -> Mask:
        """Say which hazards bear these ids.

        Raises
        ------
        DataError
            If an id is not known.
        """
        wanted = pd.Index([released] if isinstance(released, str) else list(released))
        unknown = wanted[~wanted.isin(self.hazard_id)]
        if len(unknown):
            named = ", ".join(repr(name) for name in unknown[:5])
            raise DataError(f"released: {len(unknown)} ids are not among the hazards: {named}")
        return self.hazard_id.isin(wanted).to_numpy()

    def by_hazard(self) -> pd.DataFrame:
        """Measure the road that each hazard cuts; see `routes_cut`."""
        pieces, size = self.pieces, len(self.hazard_id)
        km = (pieces.share * self.graph.edges["length_m"].to_numpy()[pieces.edge] / 1_000)[pieces.blocked]
        alone = np.bincount(pieces.blocked, minlength=len(pieces.edge))[pieces.blocked] == 1
        road = self.graph.edges["road"].to_numpy()[pieces.edge[pieces.blocked]]
        pair = pd.DataFrame({"hazard": pieces.blocker, "road": road}).drop_duplicates()
        columns = {
            "road_km_cut": np.bincount(pieces.blocker, weights=km, minlength=size),
            "road_km_alone": np.bincount(pieces.blocker, weights=km * alone, minlength=size),
            "roads_cut": np.bincount(pair["hazard"], minlength=size),
        }
        out = pd.DataFrame(
            {name: np.where(self.placed, column, np.nan) for name, column in columns.items()},
            index=self.hazard_id.index,
        )
        out.attrs["notes"] = self.notes
        return out

    def stretches(self) -> gpd.GeoDataFrame:
        """List the stretches of road that are cut, for a map or a field team.

        Returns
        -------
        geopandas.GeoDataFrame
            One line per stretch, in the graph's CRS: ``road`` (row of the road table, counted from 0),
            ``km``, ``hazards`` (how many cut it: it opens once all of them are released) and ``hazard_id``
            (their ids, separated by "; ").
        """
        pieces, edges = self.pieces, self.graph.edges
        count = np.bincount(pieces.blocked, minlength=len(pieces.edge))
        cut = np.flatnonzero(count)
        names = pd.Series(self.hazard_id.astype(str).to_numpy()[pieces.blocker], dtype=object)
        table = {
            "road": edges["road"].to_numpy()[pieces.edge[cut]],
            "km": (pieces.share * edges["length_m"].to_numpy()[pieces.edge])[cut] / 1_000,
            "hazards": count[cut],
            "hazard_id": names.groupby(pieces.blocked).agg("; ".join).to_numpy(),
        }
        lines = pieces.lines(self.graph, cut)
        out = gpd.GeoDataFrame(table, geometry=gpd.GeoSeries(lines, crs=self.graph.crs))
        out.attrs["notes"] = self.notes
        return out

    def passable(self, released: Iterable[Any] = ()) -> RoadGraph:
        """Give the roads without the stretches that are cut, for `travel_time` and `minutes_between`.

        Walks off the road are then not looked at: they may lead through an open hazard. `trips_to` looks
        at them.

        Parameters
        ----------
        released
            Ids of hazards whose stretches are open again.

        Raises
        ------
        DataError
            If an id is not known, or no road is left.
        """
        still = ~self.rows_of(released)
        if self._left(still).size == 0:
            raise DataError("roads: hazards cut every road and none is left; is within_m too large?")
        return self._roads_of(self._left(still))

    @cached_property
    def today(self) -> tuple[RoadGraph, Ints] | None:
        """The roads that are open while nothing is released, and the piece of each; None if none is."""
        left = self._left(np.ones(len(self.hazard_id), dtype=bool))
        return (self._roads_of(left), left) if left.size else None

    def _left(self, still: Mask) -> Ints:
        """Say which pieces are not cut by these hazards."""
        opened = np.ones(len(self.pieces.edge), dtype=bool)
        opened[self.pieces.blocked[still[self.pieces.blocker]]] = False
        return np.flatnonzero(opened)

    def _roads_of(self, left: Ints) -> RoadGraph:
        pieces, graph = self.pieces, self.graph
        edges = {name: graph.edges[name].to_numpy()[pieces.edge[left]] for name in graph.edges.columns[:-1]}
        share = pieces.share[left]
        edges |= {name: edges[name] * share for name in ("minutes", "back_minutes", "length_m")}
        edges |= {"from_node": pieces.tail[left], "to_node": pieces.head[left]}
        lines = gpd.GeoSeries(pieces.lines(graph, left), crs=graph.crs)
        nodes = np.concatenate([graph.nodes, pieces.new_nodes(graph)])
        table = gpd.GeoDataFrame(edges, geometry=lines)
        return RoadGraph(nodes=nodes, edges=table, crs=graph.crs, notes=self.notes)


def cut_roads(hazards: Areas, roads: Any, *, within_m: float = 0.0) -> CutRoads:
    """Find the stretches of road that open hazards cut.

    Parameters
    ----------
    hazards
        Areas, in any CRS. Only those whose ``status`` is ``open`` or unknown cut roads, or all of them where
        there is no such column.
    roads
        A table of roads, a graph of networkx, or a graph made by `road_graph`.
    within_m
        How near to an area a road is cut, metres. 0, the default, needs no number from outside: a road is
        cut where it runs through the recorded area itself. Give the accuracy of the outlines and of the
        roads, or the authority's safety distance, where there is one.

    Returns
    -------
    CutRoads
        For `routes_cut`, `trips_to` and maps; ``.passable()`` gives the roads that are left.

    Raises
    ------
    CRSError
        If a layer has no CRS or the layers lie apart.
    DataError
        If `within_m` is negative.

    Examples
    --------
    >>> from shapely import LineString, box
    >>> road = gpd.GeoDataFrame({"speed_kmh": [30]}, geometry=[LineString([(0, 0), (9_000, 0)])], crs=32648)
    >>> area = gpd.GeoDataFrame({"hazard_id": ["A"]}, geometry=[box(2_000, 5, 2_500, 99)], crs=32648)
    >>> [len(cut_roads(area, road, within_m=reach).stretches()) for reach in (0, 10)]
    [0, 1]
    """
    if not (within_m >= 0 and np.isfinite(within_m)):
        raise DataError(f"within_m must be 0 (the area itself) or a number of metres, not {within_m}")
    own = space.require_crs(hazards, "hazards")
    graph = roads if isinstance(roads, RoadGraph) else road_graph(roads)
    road_box = space.lonlat_bounds(graph.edges.total_bounds, graph.crs)
    space.require_overlap(space.lonlat_bounds(hazards.total_bounds, own), road_box, ("hazards", "roads"))
    shapes, placed, notes = _open_land(hazards, graph, within_m)
    cuts = _cuts(shapes, graph)
    if cuts.empty:
        text = f"no road runs within {within_m:g} m of an open hazard: nothing is cut"
        notes = (*notes, Note("roads", "advice", text))
    ids = hazards.get("hazard_id") if isinstance(hazards, gpd.GeoDataFrame) else None
    names = pd.Series(hazards.index, index=hazards.index) if ids is None else ids
    return CutRoads(
        graph=graph, hazard_id=names, shapes=shapes, placed=placed, cuts=cuts, within_m=within_m,
        notes=(*notes_of(hazards), *graph.notes, *notes),
    )  # fmt: skip


def routes_cut(hazards: Areas, roads: Any, *, within_m: float = 0.0) -> pd.DataFrame:
    """Measure the road that each hazard cuts.

    Parameters
    ----------
    hazards, roads, within_m
        As for `cut_roads`.

    Returns
    -------
    pandas.DataFrame
        On the index of `hazards`: ``road_km_cut``, km of road within reach; ``road_km_alone``, km of it that
        no other open hazard cuts, so that releasing this one alone opens them; ``roads_cut``, roads (rows of
        the table) that it cuts. 0 where a hazard cuts nothing or is not open, NaN where it has no geometry.

    Raises
    ------
    CRSError, DataError
        As `cut_roads`.

    Examples
    --------
    >>> from shapely import LineString, box
    >>> road = gpd.GeoDataFrame({"speed_kmh": [30]}, geometry=[LineString([(0, 0), (9_000, 0)])], crs=32648)
    >>> areas = [box(2_000, -50, 2_500, 50), box(2_400, -50, 2_600, 50)]
    >>> hazards = gpd.GeoDataFrame({"hazard_id": ["A", "B"]}, geometry=areas, crs=32648)
    >>> routes_cut(hazards, road).round(2)
       road_km_cut  road_km_alone  roads_cut
    0          0.5            0.4        1.0
    1          0.2            0.1        1.0
    """
    return cut_roads(hazards, roads, within_m=within_m).by_hazard()


def _open_land(hazards: Areas, graph: RoadGraph, within_m: float) -> tuple[Shapes, Mask, tuple[Note, ...]]:
    """Give the land on which roads are cut, which hazards have a place, and what was assumed."""
    shapes = space.project(hazards, graph.crs).to_numpy().copy()
    notes = []
    placed = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    if not placed.all():
        count = int((~placed).sum())
        text = f"{count} hazards without geometry: what they cut is unknown"
        notes.append(Note("hazards", "unknown", text, count))
    bad = placed & ~shapely.is_valid(shapes)
    if bad.any():
        shapes[bad] = shapely.make_valid(shapes[bad])
        text = f"{bad.sum()} hazards with an invalid outline: roads looked at after repair"
        notes.append(Note("hazards", "repaired", text, int(bad.sum())))
    status = hazards.get("status") if isinstance(hazards, gpd.GeoDataFrame) else None
    if status is None:
        text = "hazards have no column status: all of them count as open and cut roads"
        notes.append(Note("hazards", "assumed", text, len(hazards)))
        status = pd.Series("open", index=hazards.index)
    blank = status.isna().to_numpy()
    if blank.any():
        text = f"{blank.sum()} hazards without status: they count as open and cut roads"
        notes.append(Note("hazards", "assumed", text, int(blank.sum())))
    cutting = placed & (blank | status.eq("open").fillna(value=False).to_numpy(dtype=bool))
    shapes[~cutting] = None
    if within_m > 0:
        shapes = shapely.buffer(shapes, within_m, quad_segs=_SEGS)
    return shapes, placed, tuple(notes)


def _cuts(shapes: Shapes, graph: RoadGraph) -> pd.DataFrame:
    """Find where edges run through these shapes."""
    lines = graph.edges.geometry.to_numpy()
    hazard, edge = graph.tree.query(shapes, predicate="intersects")
    inside, pair = shapely.get_parts(shapely.intersection(lines[edge], shapes[hazard]), return_index=True)
    length = shapely.length(inside)
    real = length > 0
    inside, pair, half = inside[real], pair[real], length[real] / 2
    middle = shapely.line_interpolate_point(inside, 0.5, normalized=True)  # safe on closed lines, unlike ends
    at = shapely.line_locate_point(lines[edge[pair]], middle)
    columns = {"hazard": hazard[pair], "edge": edge[pair], "from_m": at - half, "to_m": at + half}
    return pd.DataFrame(columns)
