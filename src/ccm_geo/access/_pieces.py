"""Edges split into pieces: where hazards cut them, and where points meet them."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from .graph import RoadGraph

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

_PER_M = 1_000  # places along an edge are kept in whole millimetres, so that equal ones are equal


class Pieces(NamedTuple):
    """Pieces of all edges, in the order of the edges and along each."""

    edge: Ints
    start: Ints
    """Millimetres along the edge."""
    stop: Ints
    share: Floats
    """Of the edge's length."""
    tail: Ints
    head: Ints
    breaks: tuple[Ints, Ints]
    """Edge and millimetres of the nodes that are added behind those of the graph."""
    marks: Ints
    """Node at each place that was asked for."""
    blocked: Ints
    """Piece of each pair of a piece and a hazard that cuts it, in the order of the pieces."""
    blocker: Ints
    """Hazard of each such pair."""

    @property
    def part(self) -> Mask:
        """Which pieces are less than their edge."""
        return self.share < 1

    def lines(self, graph: RoadGraph, which: Ints) -> npt.NDArray[Any]:
        """Draw some pieces."""
        out = graph.edges.geometry.to_numpy()[self.edge[which]]
        part = self.part[which]
        few = which[part]
        full = np.round(shapely.length(out[part]) * _PER_M).clip(1)
        scale = shapely.length(out[part]) / full  # rounding never leads beyond the end
        out[part] = _between(out[part], self.start[few] * scale, self.stop[few] * scale)
        return out

    def new_nodes(self, graph: RoadGraph) -> Floats:
        """Give the places of the added nodes, shape ``(added, 2)``."""
        edge, at = self.breaks
        spots = shapely.line_interpolate_point(graph.edges.geometry.to_numpy()[edge], at / _PER_M)
        return shapely.get_coordinates(spots).reshape(-1, 2)


def pieces_of(graph: RoadGraph, cuts: pd.DataFrame, mark_edge: Any = (), mark_m: Any = ()) -> Pieces:
    """Split edges at the ends of cuts and at marked places.

    Parameters
    ----------
    graph
        The roads.
    cuts
        ``hazard``, ``edge``, ``from_m``, ``to_m``.
    mark_edge, mark_m
        Places that must be nodes: edge, and metres along it.
    """
    full = np.maximum(np.round(graph.edges["length_m"].to_numpy() * _PER_M).astype(np.int64), 1)
    wide = int(full.max(initial=1)) + 2  # edge and place in one number, in order
    of_cut, mark_edge = cuts["edge"].to_numpy(), np.asarray(mark_edge, dtype=np.int64)
    begin, end = (_rounded(cuts[column].to_numpy(), full[of_cut]) for column in ("from_m", "to_m"))
    begin = np.minimum(begin, full[of_cut] - 1)
    end = np.maximum(end, begin + 1)
    mark = _rounded(np.asarray(mark_m, dtype=float), full[mark_edge])
    edge, at = np.concatenate([of_cut, of_cut, mark_edge]), np.concatenate([begin, end, mark])
    inner = np.unique((edge * wide + at)[(at > 0) & (at < full[edge])])
    key = np.sort(np.concatenate([np.arange(len(full)) * wide, inner]), kind="stable")
    edge, start = np.divmod(key, wide)
    stop = np.where(np.append(edge[1:], -1) == edge, np.append(start[1:], 0), full[edge])
    ends = graph.edges["from_node"].to_numpy(), graph.edges["to_node"].to_numpy()

    def node(edge: Ints, at: Ints) -> Ints:
        added = len(graph.nodes) + np.searchsorted(inner, edge * wide + at)
        return np.where(at == 0, ends[0][edge], np.where(at == full[edge], ends[1][edge], added))

    first, last = (np.searchsorted(key, of_cut * wide + at) for at in (begin, end))
    blocked, blocker = _pairs(first, last, cuts["hazard"].to_numpy())
    return Pieces(
        edge=edge, start=start, stop=stop, share=(stop - start) / full[edge],
        tail=node(edge, start), head=node(edge, stop), breaks=(inner // wide, inner % wide),
        marks=node(mark_edge, mark), blocked=blocked, blocker=blocker,
    )  # fmt: skip


def _rounded(metres: Floats, full: Ints) -> Ints:
    return np.clip(np.round(metres * _PER_M).astype(np.int64), 0, full)


def _pairs(first: Ints, last: Ints, hazard: Ints) -> tuple[Ints, Ints]:
    """List pieces ``first .. last - 1`` with their hazard, each pair once, in order."""
    size = last - first
    shift = np.cumsum(size) - size
    piece = np.arange(size.sum()) + np.repeat(first - shift, size)
    pair = np.unique(np.column_stack([piece, np.repeat(hazard, size)]), axis=0).reshape(-1, 2)
    return pair[:, 0], pair[:, 1]


def _between(lines: npt.NDArray[Any], start: Floats, stop: Floats) -> npt.NDArray[Any]:
    """Draw the part of each line between two places, metres along it."""
    if not len(lines):
        return lines
    xy, owner = shapely.get_coordinates(lines, return_index=True)
    step = np.hypot(*np.diff(xy, axis=0, prepend=xy[:1]).T)
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    step[first] = 0
    run = np.cumsum(step)
    run -= run[first][owner]
    inside = (run > start[owner]) & (run < stop[owner])
    rows = np.arange(len(lines))
    spots = [shapely.get_coordinates(shapely.line_interpolate_point(lines, at)) for at in (start, stop)]
    every = np.concatenate([spots[0], xy[inside], spots[1]])
    owners = np.concatenate([rows, owner[inside], rows])
    order = np.lexsort([np.concatenate([start, run[inside], stop]), owners])
    return np.asarray(shapely.linestrings(every[order], indices=owners[order]))
