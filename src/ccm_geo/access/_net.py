"""One net of everything on which a trip can go: roads in pieces, walks to them, walks all the way."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import shapely
from scipy.spatial import cKDTree

from ._pieces import Pieces, pieces_of
from ._search import OPEN, SHUT, Links, Small, links, to_goals
from ._snap import OnRoad, as_points, legs, snapped
from .cuts import CutRoads
from .graph import RoadGraph

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

_ON_FOOT = 8  # so many of the nearest goals may be walked to all the way


@dataclass(frozen=True, kw_only=True)
class Walks:
    """Where people walk, how far, and how fast."""

    start: Floats
    """Places, metres, shape ``(places, 2)``; NaN where there is none."""
    goal: Floats
    max_m: float
    min_per_m: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Net:
    """Arcs of all roads and walks, and which hazards close them.

    Parameters
    ----------
    links
        The arcs.
    blocked, blocker
        Pairs of an arc, as it stands in `links`, and a hazard that closes it.
    place, goal
        Node of each place and of each goal.
    far_goals
        Which goals lie farther from any road than people walk.
    through
        Which places' way to their own road leads through an open hazard.
    """

    links: Links
    blocked: Ints
    blocker: Ints
    place: Ints
    goal: Ints
    far_goals: Mask
    through: Mask

    def state(self, released: Mask) -> Small:
        """Say which arcs are open, and which hazard alone would open the others, by arc."""
        still = ~released[self.blocker]
        arc = self.blocked[still]
        out = np.full(len(self.links.tail), OPEN, dtype=np.int32)
        out[arc] = self.blocker[still]
        out[np.bincount(arc, minlength=len(out)) > 1] = SHUT
        return out

    def minutes(self, goals: Ints, released: Mask | None) -> Floats:
        """Minutes from every node to the nearest of some goals; None: as if no hazard cut anything."""
        state = None if released is None else self.state(released)
        return to_goals(self.links, state, self.goal[goals], np.zeros(len(goals)))


@dataclass(frozen=True, kw_only=True)
class _Way:
    """Walks from points, by row, to places on edges; and the hazards that close them."""

    row: Ints
    edge: Ints
    at_m: Floats
    off_m: Floats
    blocked: Ints
    blocker: Ints


def net_of(cut: CutRoads, walks: Walks, paired: Ints | None) -> Net:
    """Put roads and walks together.

    Every point has a way to its own road: the nearest one that leads to a goal where nothing is cut. It is
    taken as in use and is not closed. A second way leads straight to the nearest road that is open today,
    and a third one all the way on foot; hazards close these where they lie across, but not those in which
    the point itself lies.

    Parameters
    ----------
    cut
        The roads.
    walks
        Places and goals.
    paired
        The one goal that each place goes to; None where all go to the nearest.
    """
    graph = cut.graph
    at_goal = snapped(walks.goal, graph, walks.max_m)
    own = snapped(walks.start, graph, walks.max_m, _leads(graph, at_goal, walks))
    tree = shapely.STRtree(cut.shapes)
    ways = [_own(graph, at_goal), _own(graph, own), *_others(cut, walks, tree)]
    edge, at_m = (np.concatenate([getattr(way, name) for way in ways]) for name in ("edge", "at_m"))
    pieces = pieces_of(graph, cut.cuts, edge, at_m)
    marks = np.split(pieces.marks, np.cumsum([len(way.row) for way in ways])[:-1])
    spots = as_points(walks.start)
    met = own.edge >= 0
    lines = _straight(walks.start[met], _spots(graph, own.edge[met], ways[1].at_m))
    crossed, _ = _across(lines, np.flatnonzero(met), spots, tree)
    through = np.zeros(len(spots), dtype=bool)
    through[np.flatnonzero(met)[crossed]] = True
    base = len(graph.nodes) + len(pieces.breaks[0])
    place = base + np.arange(len(walks.start))
    goal = base + len(place) + np.arange(len(walks.goal))
    foot = _on_foot(walks, paired)
    lists = [
        *_driven(cut, pieces),
        *(
            _Arcs(mark, node[way.row], way.off_m * walks.min_per_m, way.blocked, way.blocker)
            if node is goal
            else _Arcs(node[way.row], mark, way.off_m * walks.min_per_m, way.blocked, way.blocker)
            for way, mark, node in zip(ways, marks, (goal, place, goal, place), strict=True)
        ),
        _Arcs(
            place[foot[0]], goal[foot[1]], foot[2] * walks.min_per_m,
            *_across(_straight(walks.start[foot[0]], walks.goal[foot[1]]), foot[0], spots, tree),
        ),
    ]  # fmt: skip
    net, blocked, blocker = _together(lists, base + len(place) + len(goal))
    far = (at_goal.edge < 0) & np.isfinite(walks.goal).all(axis=1)
    return Net(
        links=net, blocked=blocked, blocker=blocker, place=place, goal=goal, far_goals=far, through=through
    )


class _Arcs(NamedTuple):
    tail: Ints
    head: Ints
    minutes: Floats
    blocked: Ints
    blocker: Ints


def _leads(graph: RoadGraph, at_goal: OnRoad, walks: Walks) -> Mask:
    """Say which edges lead to a goal."""
    tail, from_tail, head, from_head = legs(graph, at_goal, walks.min_per_m, leaving=False)
    nodes, minutes = np.concatenate([tail, head]), np.concatenate([from_tail, from_head])
    there = np.isfinite(to_goals(graph.links, None, nodes, minutes))
    return there[graph.edges["from_node"].to_numpy()] | there[graph.edges["to_node"].to_numpy()]


def _own(graph: RoadGraph, on: OnRoad) -> _Way:
    row = np.flatnonzero(on.edge >= 0)
    edge, none = on.edge[row], np.empty(0, dtype=np.int64)
    at = on.share[row] * graph.edges["length_m"].to_numpy()[edge]
    return _Way(row=row, edge=edge, at_m=at, off_m=on.off_m[row], blocked=none, blocker=none)


def _others(cut: CutRoads, walks: Walks, tree: shapely.STRtree) -> list[_Way]:
    """Find the ways of goals and of places to the nearest road that is open today and leads to a goal."""
    if cut.today is None:
        none = np.empty(0, dtype=np.int64)
        way = _Way(row=none, edge=none, at_m=np.empty(0), off_m=np.empty(0), blocked=none, blocker=none)
        return [way, way]
    today, piece = cut.today
    at_goal = snapped(walks.goal, today, walks.max_m)
    at_start = snapped(walks.start, today, walks.max_m, _leads(today, at_goal, walks))
    out = []
    for xy, on in ((walks.goal, at_goal), (walks.start, at_start)):
        way = _own(today, on)
        on_whole = cut.pieces.start[piece[way.edge]] / 1_000 + way.at_m
        lines = _straight(xy[way.row], _spots(today, way.edge, way.at_m))
        blocked, blocker = _across(lines, way.row, as_points(xy), tree)
        whole = cut.pieces.edge[piece[way.edge]]
        out.append(replace(way, edge=whole, at_m=on_whole, blocked=blocked, blocker=blocker))
    return out


def _spots(graph: RoadGraph, edge: Ints, at_m: Floats) -> Floats:
    lines = graph.edges.geometry.to_numpy()[edge]
    return shapely.get_coordinates(shapely.line_interpolate_point(lines, at_m)).reshape(-1, 2)


def _straight(start: Floats, end: Floats) -> npt.NDArray[Any]:
    return np.asarray(shapely.linestrings(np.stack([start, end], axis=1)))


def _across(
    lines: npt.NDArray[Any], row: Ints, spots: npt.NDArray[Any], tree: shapely.STRtree
) -> tuple[Ints, Ints]:
    """Pair lines with the hazards that lie across them, but not those in which the line's own point lies."""
    line, hazard = tree.query(lines, predicate="intersects")
    point, around = tree.query(spots, predicate="intersects")
    wide = len(tree.geometries) + 1
    other = ~np.isin(row[line] * wide + hazard, point * wide + around)
    return line[other], hazard[other]


def _on_foot(walks: Walks, paired: Ints | None) -> tuple[Ints, Ints, Floats]:
    """List walks all the way: place, goal, metres."""
    start = np.flatnonzero(np.isfinite(walks.start).all(axis=1))
    known = np.flatnonzero(np.isfinite(walks.goal).all(axis=1))
    if paired is not None:
        goal = paired[start]
        apart = np.hypot(*(walks.start[start] - walks.goal[goal]).T)
        near = apart <= walks.max_m
        return start[near], goal[near], apart[near]
    count = min(_ON_FOOT, len(known))
    tree = cKDTree(walks.goal[known])
    apart, which = tree.query(walks.start[start], k=range(1, count + 1), distance_upper_bound=walks.max_m)
    row, column = np.nonzero(np.isfinite(apart))
    return start[row], known[which[row, column]], apart[row, column]


def _driven(cut: CutRoads, pieces: Pieces) -> list[_Arcs]:
    along, back = (
        cut.graph.edges[name].to_numpy()[pieces.edge] * pieces.share for name in ("minutes", "back_minutes")
    )
    return [
        _Arcs(pieces.tail, pieces.head, along, pieces.blocked, pieces.blocker),
        _Arcs(pieces.head, pieces.tail, back, pieces.blocked, pieces.blocker),
    ]


def _together(lists: list[_Arcs], size: int) -> tuple[Links, Ints, Ints]:
    """Group all arcs, and say where in the groups the closed ones stand."""
    before = np.cumsum([0, *(len(arcs.tail) for arcs in lists)])
    tail, head, minutes, blocker = (
        np.concatenate([getattr(arcs, name) for arcs in lists])
        for name in ("tail", "head", "minutes", "blocker")
    )
    blocked = np.concatenate([arcs.blocked + first for arcs, first in zip(lists, before, strict=False)])
    net = links(tail, head, minutes, size)
    where = np.full(len(tail), -1, dtype=np.int64)
    where[net.order] = np.arange(len(net.order))
    there = where[blocked] >= 0  # arcs that take forever are not there
    return net, where[blocked][there], blocker[there]
