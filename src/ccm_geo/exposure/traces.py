"""Areas taken apart into plain arrays of vertices, in columns and rows of a raster."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import shapely

from ccm_geo._threads import in_chunks

from .kernels import compiled
from .notes import Floats, Ints, Shapes


class Traces(NamedTuple):
    """Outlines, lines and points in pixel coordinates: the shapes that travel to where a raster is read."""

    xy: Floats
    """Vertices, shape ``(vertices, 2)``."""
    part: Ints
    """Where each ring, line or point begins in `xy`, with the end appended, shape ``(parts + 1,)``."""
    sign: Floats
    """By part: +1 or -1 such that shells count positive and holes negative, 0 for lines and points."""
    area: Ints
    """Where each area begins in the parts, with the end appended, shape ``(areas + 1,)``."""


class Ground(NamedTuple):
    """What a cell measures on the ground at each area, and the area's extent in metres."""

    origin: Floats
    """Column and row from which metres are counted, shape ``(areas, 2)``."""
    metric: Floats
    """See `space.ground_metric`, shape ``(areas, 3)``."""
    extent: Floats
    """In metres from the origin ``(left, top, right, bottom)``, shape ``(areas, 4)``; NaN where none."""


def traced(shapes: Shapes, to_pixels: Callable[[Floats], Floats]) -> Traces:
    """Take geometries of any type apart.

    Parameters
    ----------
    shapes
        Valid geometries, shape ``(areas,)``; ``None`` and empty ones have no parts.
    to_pixels
        Moves vertices, shape ``(n, 2)``, to columns and rows of the raster.
    """
    plain = shapely.get_type_id(shapes) == shapely.GeometryType.POLYGON
    plain[plain] = shapely.get_num_interior_rings(shapes[plain]) == 0
    if plain.all():
        return _of_shells(shapes, to_pixels)
    rest = ~plain
    both = joined(_of_shells(shapes[plain], to_pixels), _of_any(shapes[rest], to_pixels))
    return taken(both, np.argsort(np.concatenate([np.flatnonzero(plain), np.flatnonzero(rest)])))


def _of_shells(shapes: Shapes, to_pixels: Callable[[Floats], Floats]) -> Traces:
    """Take polygons without holes apart, three times faster: their vertices are those of their shell."""
    xy = np.ascontiguousarray(to_pixels(shapely.get_coordinates(shapes)), dtype=np.float64)
    part = np.concatenate([[0], np.cumsum(shapely.get_num_coordinates(shapes))]).astype(np.int64)
    return Traces(xy, part, _turned(xy, part, np.ones(len(shapes))), np.arange(len(part)))


def _of_any(shapes: Shapes, to_pixels: Callable[[Floats], Floats]) -> Traces:
    """Take geometries of any type apart into rings, lines and points."""
    pieces, owner = shapely.get_parts(shapes, return_index=True)
    if (shapely.get_type_id(pieces) > shapely.GeometryType.POLYGON).any():  # collections hold multipolygons
        pieces, inner = shapely.get_parts(pieces, return_index=True)
        owner = owner[inner]
    is_area = shapely.get_type_id(pieces) == shapely.GeometryType.POLYGON
    rings, of = shapely.get_rings(pieces[is_area], return_index=True)
    sign = np.where(np.diff(of, prepend=-1) > 0, 1.0, -1.0)  # the first ring of a polygon is its shell
    parts, owner_of = rings, owner[is_area][of]
    if not is_area.all():
        parts = np.concatenate([rings, pieces[~is_area]])
        owner_of = np.concatenate([owner_of, owner[~is_area]])
        sign = np.concatenate([sign, np.zeros(len(parts) - len(rings))])
        order = np.argsort(owner_of, kind="stable")
        parts, owner_of, sign = parts[order], owner_of[order], sign[order]
    xy, of_part = shapely.get_coordinates(parts, return_index=True)
    xy = np.ascontiguousarray(to_pixels(xy), dtype=np.float64)
    part = np.searchsorted(of_part, np.arange(len(parts) + 1)).astype(np.int64)
    area = np.searchsorted(owner_of, np.arange(len(shapes) + 1)).astype(np.int64)
    return Traces(xy, part, _turned(xy, part, sign), area)


def boxes(found: Traces) -> Floats:
    """Give the extent of each area in cells ``(left, top, right, bottom)``; NaN where it has no vertices."""
    return _extents(found.xy, found.part[found.area])


def grounded(found: Traces, metric: Callable[[Floats], Floats]) -> Ground:
    """Measure what a cell is on the ground in the middle of each area.

    Parameters
    ----------
    found
        The areas, each small enough to do with one scale.
    metric
        Gives ``(a, b, c)`` at columns and rows, see `space.ground_metric`.
    """
    first = found.part[found.area]
    box = _extents(found.xy, first)
    some = np.flatnonzero(first[1:] > first[:-1])
    origin, scale = np.zeros((len(box), 2)), np.ones((len(box), 3))
    if len(some):
        origin[some] = (box[some, :2] + box[some, 2:]) / 2
        scale[some] = metric(origin[some])
    return Ground(origin, scale, _extents(_on_ground(found.xy, first, origin, scale), first))


def thinned(found: Traces, ground: Ground, within: float) -> Traces:
    """Leave out the vertices without which no outline moves by more than this many metres."""
    flat = _on_ground(found.xy, found.part[found.area], ground.origin, ground.metric)
    keep = in_chunks(
        lambda begin, end: _outstanding(flat, begin, end, within), found.part[:-1], found.part[1:]
    )
    return found._replace(xy=found.xy[keep], part=np.concatenate([[0], np.cumsum(keep)])[found.part])


def taken(found: Traces, members: Ints) -> Traces:
    """Give some of the areas, in this order."""
    return Traces(*_copied(*found, members))


def joined(first: Traces, then: Traces) -> Traces:
    """Give the areas of both, one after the other."""
    return Traces(
        np.concatenate([first.xy, then.xy]),
        np.concatenate([first.part, then.part[1:] + first.part[-1]]),
        np.concatenate([first.sign, then.sign]),
        np.concatenate([first.area, then.area[1:] + first.area[-1]]),
    )


@compiled
def _copied(xy: Any, part: Any, sign: Any, area: Any, members: Any) -> Any:
    """Copy the vertices and parts of some areas."""
    parts = vertices = 0
    for m in members:
        parts += area[m + 1] - area[m]
        vertices += part[area[m + 1]] - part[area[m]]
    new_xy, new_part = np.empty((vertices, 2)), np.empty(parts + 1, dtype=np.int64)
    new_sign, new_area = np.empty(parts), np.empty(len(members) + 1, dtype=np.int64)
    p = v = 0
    new_part[0] = new_area[0] = 0
    for k in range(len(members)):
        for old in range(area[members[k]], area[members[k] + 1]):
            for at in range(part[old], part[old + 1]):
                new_xy[v, 0], new_xy[v, 1] = xy[at, 0], xy[at, 1]
                v += 1
            new_sign[p] = sign[old]
            p += 1
            new_part[p] = v
        new_area[k + 1] = p
    return new_xy, new_part, new_sign, new_area


@compiled
def moved(xy: Any, a: float, b: float, c: float, d: float, e: float, f: float) -> Any:
    """Move coordinates by an affine transform."""
    out = np.empty((len(xy), 2))
    for v in range(len(xy)):
        x, y = xy[v, 0], xy[v, 1]
        out[v, 0], out[v, 1] = a * x + b * y + c, d * x + e * y + f
    return out


@compiled
def _turned(xy: Any, part: Any, sign: Any) -> Any:
    """Turn the sign of rings that do not run from x towards y."""
    out = sign.copy()
    for p in range(len(sign)):
        if sign[p] == 0.0 or part[p] == part[p + 1]:
            continue
        x0, y0 = xy[part[p]]
        twice = 0.0
        for i in range(part[p] + 1, part[p + 1] - 1):
            twice += (xy[i, 0] - x0) * (xy[i + 1, 1] - y0) - (xy[i, 1] - y0) * (xy[i + 1, 0] - x0)
        if twice <= 0.0:
            out[p] = -sign[p]
    return out


@compiled
def _extents(xy: Any, first: Any) -> Any:
    """Extent of each run of vertices; NaN where it is empty."""
    out = np.full((len(first) - 1, 4), np.nan)
    for k in range(len(out)):
        for v in range(first[k], first[k + 1]):
            x, y = xy[v, 0], xy[v, 1]
            if v == first[k]:
                out[k, 0] = out[k, 2] = x
                out[k, 1] = out[k, 3] = y
            else:
                out[k, 0], out[k, 2] = min(out[k, 0], x), max(out[k, 2], x)
                out[k, 1], out[k, 3] = min(out[k, 1], y), max(out[k, 3], y)
    return out


@compiled
def _on_ground(xy: Any, first: Any, origin: Any, metric: Any) -> Any:
    """Vertices in metres from each area's origin."""
    out = np.empty_like(xy)
    for k in range(len(origin)):
        for v in range(first[k], first[k + 1]):
            across, down = xy[v, 0] - origin[k, 0], xy[v, 1] - origin[k, 1]
            out[v, 0] = metric[k, 0] * across + metric[k, 1] * down
            out[v, 1] = metric[k, 2] * down
    return out


@compiled
def _outstanding(xy: Any, begin: Any, end: Any, within: float) -> Any:
    """Mark the vertices without which the outline would move by more than this (Douglas and Peucker).

    Parts follow on each other; the marks begin with the first one's.
    """
    if len(begin) == 0:
        return np.zeros(0, dtype=np.bool_)
    zero = begin[0]
    keep = np.zeros(end[-1] - zero, dtype=np.bool_)
    stack = np.empty((len(keep) + 1, 2), dtype=np.int64)
    for p in range(len(begin)):
        if begin[p] == end[p]:
            continue
        keep[begin[p] - zero] = keep[end[p] - 1 - zero] = True
        stack[0, 0], stack[0, 1] = begin[p], end[p] - 1
        depth = 1
        while depth > 0:
            depth -= 1
            first, last = stack[depth, 0], stack[depth, 1]
            dx, dy = xy[last, 0] - xy[first, 0], xy[last, 1] - xy[first, 1]
            square = dx * dx + dy * dy
            worst, which = within * within, -1
            for v in range(first + 1, last):
                ex, ey = xy[v, 0] - xy[first, 0], xy[v, 1] - xy[first, 1]
                along = min(1.0, max(0.0, (ex * dx + ey * dy) / square)) if square > 0.0 else 0.0
                off = (ex - along * dx) ** 2 + (ey - along * dy) ** 2
                if off > worst:
                    worst, which = off, v
            if which >= 0:
                keep[which - zero] = True
                stack[depth, 0], stack[depth, 1] = first, which
                stack[depth + 1, 0], stack[depth + 1, 1] = which, last
                depth += 2
    return keep
