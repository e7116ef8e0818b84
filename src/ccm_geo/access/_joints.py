"""Where roads meet: at shared vertices, at ends a little apart, where one ends on the middle of another."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ccm_geo.schemas import Note

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Lines: TypeAlias = npt.NDArray[Any]

_ON_LINE_M = 1e-3  # an end this near lies on the line, but for rounding
_MISS_M = 10.0  # an end this near, but not joined, is worth a look
_MISS_SNAPS = 10.0  # or this many tolerances


class _Near(NamedTuple):
    """Dead ends and the nearest place on another line."""

    end: Ints
    """Which dead end, as ``2 * line`` for the first vertex and ``2 * line + 1`` for the last."""
    line: Ints
    at_m: Floats
    apart_m: Floats


def with_joints(lines: Lines, bent: Lines, row: Ints, snap_m: float) -> tuple[Lines, tuple[Note, ...]]:
    """Give a vertex to each line on whose middle another line ends; note these, and ends just too far away.

    Parameters
    ----------
    lines
        In metres.
    bent
        The same with more vertices where a long straight edge of the source bends when it is projected.
    row
        Row of the road table that each line comes from.
    snap_m
        How far apart an end and a line may be, metres.
    """
    reach = max(_MISS_M, _MISS_SNAPS * snap_m)
    near = _nearest_lines(lines, bent, _dead_ends(lines, snap_m), reach)
    meets = near.apart_m <= max(snap_m, _ON_LINE_M)
    notes = []
    if meets.any():
        count = int(meets.sum())
        text = f"{count} roads end on the middle of another road (within {snap_m:g} m): joined there"
        notes.append(Note("roads", "repaired", text, count, _rows(near.end[meets], row)))
    missed = near.end[~meets]
    if len(missed):
        text = (
            f"{len(missed)} ends of roads stop between {snap_m:g} and {reach:g} m short of another road: not "
            "joined; where they meet on the ground, mend the lines or give a larger snap_m="
        )
        notes.append(Note("roads", "advice", text, len(missed), _rows(missed, row)))
    if not meets.any():
        return lines, tuple(notes)
    return _with_vertices(
        lines, _Near(near.end[meets], near.line[meets], near.at_m[meets], near.apart_m[meets])
    ), tuple(notes)


def _rows(end: Ints, row: Ints) -> tuple[str, ...]:
    return tuple(str(k + 1) for k in np.unique(row[end // 2]))


def _end_points(lines: Lines) -> Lines:
    return np.column_stack([shapely.get_point(lines, 0), shapely.get_point(lines, -1)]).ravel()


def _dead_ends(lines: Lines, snap_m: float) -> Ints:
    """Find the ends of lines that meet no vertex of another line."""
    xy, of_line = shapely.get_coordinates(lines, return_index=True)
    spots, spot = _unique(xy)
    first = np.searchsorted(of_line, np.arange(len(lines)))
    ends = np.column_stack([first, np.append(first[1:], len(xy)) - 1]).ravel()
    label = joined(spots, np.unique(spot[ends]), snap_m)[spot]
    return np.flatnonzero(np.bincount(label)[label[ends]] == 1)


def _nearest_lines(lines: Lines, bent: Lines, dead: Ints, reach_m: float) -> _Near:
    """Find the nearest other line of each dead end within reach; stubs shorter than the reach have none."""
    dead = dead[shapely.length(lines[dead // 2]) > reach_m]
    spots = _end_points(lines)
    who, line = shapely.STRtree(bent).query(spots[dead], predicate="dwithin", distance=reach_m)
    end = dead[who]
    other = end // 2 != line
    end, line = end[other], line[other]
    apart = shapely.distance(spots[end], bent[line])
    order = np.lexsort([apart, end])
    end, line, apart = end[order], line[order], apart[order]
    nearest = np.ones(len(end), dtype=bool)
    nearest[1:] = end[1:] != end[:-1]
    end, line, apart = end[nearest], line[nearest], apart[nearest]
    return _Near(end, line, shapely.line_locate_point(lines[line], spots[end]), apart)


def _with_vertices(lines: Lines, joint: _Near) -> Lines:
    """Lead lines through the ends that lie on them."""
    changed, place = np.unique(joint.line, return_inverse=True)
    xy, owner = shapely.get_coordinates(lines[changed], return_index=True)
    step = np.hypot(*np.diff(xy, axis=0, prepend=xy[:1]).T)
    step[np.flatnonzero(np.diff(owner, prepend=-1))] = 0
    run = np.cumsum(step)
    run -= run[np.searchsorted(owner, owner)]
    owners = np.concatenate([owner, place.ravel()])
    order = np.lexsort([np.concatenate([run, joint.at_m]), owners])
    every = np.concatenate([xy, shapely.get_coordinates(_end_points(lines)[joint.end])])
    out = lines.copy()
    out[changed] = shapely.linestrings(every[order], indices=owners[order])
    return out


def _unique(xy: Floats) -> tuple[Floats, Ints]:
    """As ``numpy.unique(xy, axis=0, return_inverse=True)``, several times as fast."""
    order = np.lexsort([xy[:, 1], xy[:, 0]])
    inorder = xy[order]
    new = np.ones(len(xy), dtype=bool)
    new[1:] = (inorder[1:] != inorder[:-1]).any(axis=1)
    spot = np.empty(len(xy), dtype=np.int64)
    spot[order] = np.cumsum(new) - 1
    return inorder[new], spot


def nodes_of(xy: Floats, of_line: Ints, snap_m: float) -> tuple[Ints, Floats]:
    """Give a number to each place where lines end or meet, and -1 to vertices in between."""
    spots, spot = _unique(xy)
    is_end = np.ones(len(xy), dtype=bool)
    is_end[1:-1] = (of_line[1:-1] != of_line[:-2]) | (of_line[1:-1] != of_line[2:])
    label = joined(spots, np.unique(spot[is_end]), snap_m)[spot]
    times = np.bincount(label)
    times[label[is_end]] = 2  # an end is a node, whoever meets it
    is_node = times[label] > 1
    used, first, node = np.unique(label[is_node], return_index=True, return_inverse=True)
    out = np.full(len(xy), -1, dtype=np.int64)
    out[is_node] = node.ravel()
    return out, xy[is_node][first] if len(used) else np.empty((0, 2))


def joined(spots: Floats, ends: Ints, snap_m: float) -> Ints:
    """Give the same label to an end and what lies within the tolerance of it."""
    if snap_m == 0 or len(spots) < 2:
        return np.arange(len(spots))
    near = min(8, len(spots))
    _, other = cKDTree(spots).query(spots[ends], k=near, distance_upper_bound=snap_m)
    tail, head = np.repeat(ends, near), other.ravel()
    found = head < len(spots)
    pairs = csr_array((np.ones(found.sum()), (tail[found], head[found])), shape=(len(spots),) * 2)
    return connected_components(pairs, directed=False)[1].astype(np.int64)


def stretches_of(node: Ints, of_line: Ints) -> tuple[Ints, Ints]:
    """Give the first and last vertex of every stretch of line between two nodes."""
    at = np.flatnonzero(node >= 0)
    same = of_line[at[1:]] == of_line[at[:-1]]
    return at[:-1][same], at[1:][same]


def lines_between(xy: Floats, start: Ints, end: Ints) -> Lines:
    """Draw the stretches between these vertices."""
    size = end - start + 1
    first = np.cumsum(size) - size
    owner = np.repeat(np.arange(len(size)), size)
    return np.asarray(
        shapely.linestrings(xy[start[owner] + np.arange(len(owner)) - first[owner]], indices=owner)
    )
