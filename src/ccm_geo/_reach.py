"""Sums of raster cells within a distance of areas, without drawing the outlines of that land.

On a line of constant row, the land within a distance of an edge is one interval (the edge with a half disc
at either end is convex), so what is near an area is the union of its edges' intervals and of its inside,
found in closed form. Between the lines it is integrated by Gauss's rule, rows and the land's ends being
breaks; along them the running sums of the row make it exact. Distances are true on the ellipsoid: near one
area the raster is a plane with its own scale, which for areas up to `PLANE_M` across bends distances by
0.3 % at most at 45 degrees. Nothing is cut off from the circle's arc, as a drawn buffer does.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import shapely

from ._coverage import STRIP_BYTES, CellSums, Floats, Ints, Layer, Strip, compiled, sweep

PLANE_M = 40_000.0
"""Across larger areas one scale does not do; their buffers are drawn."""

_STEPS = 6.0  # pieces of rows per distance, at least
_MIDDLE = 30.0  # rows so many times lower than the distance do with the line in their middle
_THIN = 0.002  # of the distance: 2 m at 1 km
_GAUSS = 0.5 - 0.5 / math.sqrt(3.0)  # the two points of Gauss's rule lie this far from the ends of a piece


class Traces(NamedTuple):
    """Outlines, lines and points in pixel coordinates, with what a cell measures on the ground there."""

    xy: Floats
    """Vertices, shape ``(vertices, 2)``."""
    part: Ints
    """Where each ring, line or point begins, with the end appended."""
    closed: npt.NDArray[np.bool_]
    """Whether a part is the ring of a polygon."""
    area: Ints
    """Where each area begins in the parts, with the end appended."""
    origin: Floats
    """Column and row from which metres are counted, shape ``(areas, 2)``."""
    metric: Floats
    """See `space.ground_metric`, shape ``(areas, 3)``."""
    extent: Floats
    """In metres from the origin ``(left, top, right, bottom)``, shape ``(areas, 4)``; NaN where none."""


def traces(
    shapes: npt.NDArray[Any],
    within_m: float,
    to_pixels: Callable[[Floats], Floats],
    metric: Callable[[Floats], Floats],
) -> Traces:
    """Take geometries of any type apart.

    Parameters
    ----------
    shapes
        Valid geometries, shape ``(areas,)``.
    within_m
        The distance that will be asked for: vertices that move the outline by less than a
        five-hundredth of it are left out.
    to_pixels
        Moves vertices, shape ``(n, 2)``, to columns and rows.
    metric
        Gives ``(a, b, c)`` at columns and rows.
    """
    pieces, owner = shapely.get_parts(shapes, return_index=True)
    if (shapely.get_type_id(pieces) > shapely.GeometryType.POLYGON).any():
        pieces, inner = shapely.get_parts(pieces, return_index=True)
        owner = owner[inner]
    is_area = shapely.get_type_id(pieces) == shapely.GeometryType.POLYGON
    rings, of = shapely.get_rings(pieces[is_area], return_index=True)
    parts = np.concatenate([rings, pieces[~is_area]])
    owner = np.concatenate([owner[is_area][of], owner[~is_area]])
    closed = np.arange(len(parts)) < len(rings)
    order = np.argsort(owner, kind="stable")
    parts, owner, closed = parts[order], owner[order], closed[order]
    xy, of_part = shapely.get_coordinates(parts, return_index=True)
    xy = np.ascontiguousarray(to_pixels(xy), dtype=np.float64)
    part = np.searchsorted(of_part, np.arange(len(parts) + 1)).astype(np.int64)
    area = np.searchsorted(owner, np.arange(len(shapes) + 1)).astype(np.int64)
    first = part[area]
    some = np.flatnonzero(first[1:] > first[:-1])
    origin, scale = np.zeros((len(shapes), 2)), np.ones((len(shapes), 3))
    extent = np.full((len(shapes), 4), np.nan)
    if len(some):
        low, high = (f.reduceat(xy, first[some], axis=0) for f in (np.minimum, np.maximum))
        origin[some] = (low + high) / 2
        scale[some] = metric(origin[some])
        ground = _on_ground(xy, np.repeat(some, np.diff(first)[some]), origin, scale)
        low, high = (f.reduceat(ground, first[some], axis=0) for f in (np.minimum, np.maximum))
        extent[some] = np.column_stack([low, high])
        keep = _outstanding(ground, part, within_m * _THIN)
        xy = xy[keep]
        part = np.concatenate([[0], np.cumsum(keep)])[part]
    return Traces(xy, part, closed, area, origin, scale, extent)


def _on_ground(xy: Floats, owner: Ints, origin: Floats, scale: Floats) -> Floats:
    step = xy - origin[owner]
    return np.column_stack(
        [scale[owner, 0] * step[:, 0] + scale[owner, 1] * step[:, 1], scale[owner, 2] * step[:, 1]]
    )


def reach_boxes(found: Traces, within_m: float) -> Floats:
    """Give the extent in cells of the land within a distance, shape ``(areas, 4)``."""
    a, b, c = found.metric.T
    left, top, right, bottom = (found.extent + within_m * np.array([-1, -1, 1, 1])).T
    rows = np.stack([top / c, bottom / c])
    lean = np.sort(-b * rows / a, axis=0)
    return np.column_stack([left / a + lean[0], rows[0], right / a + lean[1], rows[1]]) + np.tile(
        found.origin, 2
    )


def sums_within(
    layers: Sequence[Layer], found: Traces, within_m: float, *, strip_bytes: int = STRIP_BYTES
) -> CellSums:
    """Sum the cells of one or several rasters of the same grid inside or within a distance of each area.

    Parameters
    ----------
    layers, strip_bytes
        As for `_coverage.cell_sums`.
    found
        The areas, each at most about `PLANE_M` across.
    within_m
        Metres on the ground, above 0.
    """

    def work(strip: Strip) -> tuple[Ints, Floats, Floats]:
        total, known = np.zeros((len(strip.members), len(layers))), np.zeros(len(strip.members))
        _add_near(
            found.xy, found.part, found.closed, found.area, strip.members, found.origin, found.metric,
            found.extent, within_m, strip.sums, strip.counts, strip.row, strip.col, total, known,
        )  # fmt: skip
        return strip.members, total, known

    box = reach_boxes(found, within_m)
    return sweep(layers, box, work, size=len(box), strip_bytes=strip_bytes)


def sums_once(
    layers: Sequence[Layer],
    found: Traces,
    within_m: float,
    group: Ints,
    *,
    strip_bytes: int = STRIP_BYTES,
) -> CellSums:
    """Sum the cells inside or within a distance of any area of a group, each place once.

    Parameters
    ----------
    layers, found, within_m, strip_bytes
        As for `sums_within`.
    group
        Which result each area belongs to, from 0, shape ``(areas,)``.
    """
    groups = int(group.max()) + 1 if len(group) else 0
    everyone = np.arange(groups)

    def work(strip: Strip) -> tuple[Ints, Floats, Floats]:
        total, known = np.zeros((groups, len(layers))), np.zeros(groups)
        height, lines = len(strip.sums), _lines(found.metric[strip.members, 2].max(), within_m)
        key, spans = _all_spans(
            found.xy, found.part, found.closed, found.area, strip.members, found.origin, found.metric,
            found.extent, within_m, group, height, lines, strip.row, strip.col,
        )  # fmt: skip
        order = np.lexsort((spans[:, 0], key))
        _add_merged(key[order], spans[order], lines, strip.sums, strip.counts, total, known)
        return everyone, total, known

    return sweep(layers, reach_boxes(found, within_m), work, size=groups, strip_bytes=strip_bytes)


@compiled
def _outstanding(xy: Any, part: Any, within: float) -> Any:
    """Mark the vertices without which the outline would move by more than this (Douglas and Peucker)."""
    keep = np.zeros(len(xy), dtype=np.bool_)
    stack = np.empty((len(xy) + 1, 2), dtype=np.int64)
    for p in range(len(part) - 1):
        if part[p] == part[p + 1]:
            continue
        keep[part[p]] = keep[part[p + 1] - 1] = True
        stack[0, 0], stack[0, 1] = part[p], part[p + 1] - 1
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
                keep[which] = True
                stack[depth, 0], stack[depth, 1] = first, which
                stack[depth + 1, 0], stack[depth + 1, 1] = which, last
                depth += 2
    return keep


@compiled
def _load(xy: Any, part: Any, closed: Any, p0: int, p1: int, origin: Any, metric: Any) -> Any:
    """Give one area's edges in metres: start, direction, length, 1 where of a ring; shape ``(edges, 6)``."""
    size = 0
    for p in range(p0, p1):
        size += max(1, part[p + 1] - part[p] - 1)
    edges = np.empty((size, 6))
    k = 0
    for p in range(p0, p1):
        last = part[p + 1] - 1
        for v in range(part[p], max(last, part[p] + 1)):
            w = min(v + 1, last)
            y0, y1 = xy[v, 1] - origin[1], xy[w, 1] - origin[1]
            x0 = metric[0] * (xy[v, 0] - origin[0]) + metric[1] * y0
            x1 = metric[0] * (xy[w, 0] - origin[0]) + metric[1] * y1
            y0, y1 = metric[2] * y0, metric[2] * y1
            length = math.hypot(x1 - x0, y1 - y0)
            edges[k, 0], edges[k, 1], edges[k, 4] = x0, y0, length
            edges[k, 2] = (x1 - x0) / length if length > 0 else 0.0
            edges[k, 3] = (y1 - y0) / length if length > 0 else 0.0
            edges[k, 5] = 1.0 if closed[p] else 0.0
            k += 1
    return edges


@compiled
def _spans(  # noqa: C901, PLR0912 - one compiled loop over the cases of a plane figure
    edges: Any, y: float, reach: float, deep: int, spans: Any
) -> int:
    """Fill the intervals of the line at `y` that lie within reach, merged and in order; return how many."""
    count = 0
    for k in range(len(edges)):
        x0, dy, tx, ty, length = edges[k, 0], y - edges[k, 1], edges[k, 2], edges[k, 3], edges[k, 4]
        rise = ty * length
        if dy - max(rise, 0.0) > reach or dy - min(rise, 0.0) < -reach:
            continue
        low, high = math.inf, -math.inf
        if abs(dy) <= reach:
            half = math.sqrt(reach * reach - dy * dy)
            low, high = -half, half
        if abs(dy - rise) <= reach:
            half = math.sqrt(reach * reach - (dy - rise) ** 2)
            low, high = min(low, tx * length - half), max(high, tx * length + half)
        left, right = -math.inf, math.inf
        if ty != 0.0:
            left, right = (tx * dy - reach) / ty, (tx * dy + reach) / ty
            if ty < 0.0:
                left, right = right, left
        if tx != 0.0:
            near, far = -ty * dy / tx, (length - ty * dy) / tx
            left, right = max(left, min(near, far)), min(right, max(near, far))
        elif ty * dy < 0.0 or ty * dy > length:
            right = -math.inf
        if left <= right and length > 0.0:
            low, high = min(low, left), max(high, right)
        if low > high:
            continue
        low, high = x0 + low, x0 + high
        if count > 0 and low <= spans[count - 1, 1] and high >= spans[count - 1, 0]:
            spans[count - 1, 0] = min(low, spans[count - 1, 0])
            spans[count - 1, 1] = max(high, spans[count - 1, 1])
        else:
            spans[count, 0], spans[count, 1] = low, high
            count += 1
    if deep:
        count = _inside(edges, y, spans, count)
    return _merge(spans, count)


@compiled
def _inside(edges: Any, y: float, spans: Any, count: int) -> int:
    """Add the intervals of the line at `y` that lie inside the rings."""
    crossings = np.empty(len(edges))
    found = 0
    for k in range(len(edges)):
        y0 = edges[k, 1]
        y1 = y0 + edges[k, 3] * edges[k, 4]
        if edges[k, 5] > 0.0 and (y0 <= y) != (y1 <= y):
            crossings[found] = edges[k, 0] + (y - y0) * edges[k, 2] / edges[k, 3]
            found += 1
    for i in range(1, found):  # few: sorted by insertion
        here, j = crossings[i], i - 1
        while j >= 0 and crossings[j] > here:
            crossings[j + 1] = crossings[j]
            j -= 1
        crossings[j + 1] = here
    for k in range(0, found - 1, 2):
        spans[count, 0], spans[count, 1] = crossings[k], crossings[k + 1]
        count += 1
    return count


@compiled
def _merge(spans: Any, count: int) -> int:
    """Sort intervals by their start and merge those that meet; return how many are left."""
    for i in range(1, count):
        low, high = spans[i, 0], spans[i, 1]
        j = i - 1
        while j >= 0 and spans[j, 0] > low:
            spans[j + 1, 0], spans[j + 1, 1] = spans[j, 0], spans[j, 1]
            j -= 1
        spans[j + 1, 0], spans[j + 1, 1] = low, high
    kept = 0
    for i in range(1, count):
        if spans[i, 0] <= spans[kept, 1]:
            spans[kept, 1] = max(spans[kept, 1], spans[i, 1])
        else:
            kept += 1
            spans[kept, 0], spans[kept, 1] = spans[i, 0], spans[i, 1]
    return kept + 1 if count else 0


@compiled
def _upto(sums: Any, i: int, k: int, x: float) -> float:
    """Sum of a row from the left up to a fractional column."""
    width = sums.shape[1] - 1
    if x <= 0.0:
        return 0.0
    if x >= width:
        return sums[i, width, k]
    c = int(x)
    return sums[i, c, k] + (x - c) * (sums[i, c + 1, k] - sums[i, c, k])


@compiled
def _known_upto(counts: Any, i: int, x: float) -> float:
    width = counts.shape[1] - 1
    if x <= 0.0:
        return 0.0
    if x >= width:
        return float(counts[i, width])
    c = int(x)
    return counts[i, c] + (x - c) * (counts[i, c + 1] - counts[i, c])


@compiled
def _lines(height_m: float, reach: float) -> int:
    """Give on how many lines a stretch of a row is integrated: its middle, or two for each piece of it."""
    if height_m * _MIDDLE <= reach:
        return 1
    return 2 * max(1, math.ceil(height_m * _STEPS / reach))


@compiled
def _line(begin: float, end: float, lines: int, q: int) -> float:
    """Give where the line `q` of a stretch of a row lies."""
    if lines == 1:
        return 0.5 * (begin + end)
    return begin + (end - begin) / lines * 2 * (q // 2 + (_GAUSS if q % 2 == 0 else 1.0 - _GAUSS))


@compiled
def _add_near(  # noqa: PLR0913, PLR0917 - compiled: plain arrays, no structures
    xy: Any, part: Any, closed: Any, area: Any, members: Any, origin: Any, metric: Any, extent: Any,
    reach: float, sums: Any, counts: Any, row0: int, col0: int, total: Any, known: Any,
) -> None:  # fmt: skip
    """Add what lies inside or within reach of each area, as far as it is in these rows."""
    for m in range(len(members)):
        p = members[m]
        a, b, c = metric[p, 0], metric[p, 1], metric[p, 2]
        edges = _load(xy, part, closed, area[p], area[p + 1], origin[p], metric[p])
        spans = np.empty((len(edges) + len(edges) // 2 + 1, 2))
        deep = int(min(extent[p, 2] - extent[p, 0], extent[p, 3] - extent[p, 1]) > 2 * reach)
        begin = (extent[p, 1] - reach) / c + origin[p, 1] - row0
        end = (extent[p, 3] + reach) / c + origin[p, 1] - row0
        for i in range(max(0, math.floor(begin)), min(sums.shape[0], math.ceil(end))):
            top, bottom = max(begin, float(i)), min(end, i + 1.0)
            lines = _lines((bottom - top) * c, reach)
            height = (bottom - top) / lines
            for q in range(lines):
                dr = _line(top, bottom, lines, q) + row0 - origin[p, 1]
                shift = origin[p, 0] - col0 - b * dr / a
                for s in range(_spans(edges, c * dr, reach, deep, spans)):
                    left, right = spans[s, 0] / a + shift, spans[s, 1] / a + shift
                    for k in range(sums.shape[2]):
                        total[m, k] += height * (_upto(sums, i, k, right) - _upto(sums, i, k, left))
                    known[m] += height * (_known_upto(counts, i, right) - _known_upto(counts, i, left))


@compiled
def _all_spans(  # noqa: PLR0913, PLR0917 - compiled: plain arrays, no structures
    xy: Any, part: Any, closed: Any, area: Any, members: Any, origin: Any, metric: Any, extent: Any,
    reach: float, group: Any, height: int, lines: int, row0: int, col0: int,
) -> Any:  # fmt: skip
    """Give all intervals in these rows, in columns, and for each a key of group, row and line."""
    key, found = np.empty(1024, dtype=np.int64), np.empty((1024, 2))
    size = 0
    for p in members:
        a, b, c = metric[p, 0], metric[p, 1], metric[p, 2]
        edges = _load(xy, part, closed, area[p], area[p + 1], origin[p], metric[p])
        spans = np.empty((len(edges) + len(edges) // 2 + 1, 2))
        deep = int(min(extent[p, 2] - extent[p, 0], extent[p, 3] - extent[p, 1]) > 2 * reach)
        begin = (extent[p, 1] - reach) / c + origin[p, 1] - row0
        end = (extent[p, 3] + reach) / c + origin[p, 1] - row0
        for i in range(max(0, math.floor(begin)), min(height, math.ceil(end))):
            for q in range(lines):
                dr = _line(float(i), i + 1.0, lines, q) + row0 - origin[p, 1]
                shift = origin[p, 0] - col0 - b * dr / a
                count = _spans(edges, c * dr, reach, deep, spans)
                if size + count > len(key):
                    more_key, more = (
                        np.empty(2 * (size + count), dtype=np.int64),
                        np.empty((2 * (size + count), 2)),
                    )
                    for s in range(size):
                        more_key[s], more[s, 0], more[s, 1] = key[s], found[s, 0], found[s, 1]
                    key, found = more_key, more
                for s in range(count):
                    key[size] = (group[p] * height + i) * lines + q
                    found[size, 0], found[size, 1] = spans[s, 0] / a + shift, spans[s, 1] / a + shift
                    size += 1
    return key[:size], found[:size]


@compiled
def _add_merged(key: Any, found: Any, lines: int, sums: Any, counts: Any, total: Any, known: Any) -> None:
    """Add intervals, sorted by key and start, so that what several of them cover counts once."""
    height = 1.0 / lines
    first = 0
    while first < len(key):
        last, low, high = first + 1, found[first, 0], found[first, 1]
        while last < len(key) and key[last] == key[first] and found[last, 0] <= high:
            high = max(high, found[last, 1])
            last += 1
        g, i = divmod(key[first] // lines, sums.shape[0])
        for k in range(sums.shape[2]):
            total[g, k] += height * (_upto(sums, i, k, high) - _upto(sums, i, k, low))
        known[g] += height * (_known_upto(counts, i, high) - _known_upto(counts, i, low))
        first = last
