"""Which share of each raster cell an area covers, exactly, from the pieces of its outline.

An edge of the outline is cut where it passes from cell to cell. A piece that goes down by ``dy`` rows inside
a cell covers, of the cells to its right in that row, the share ``dy``, and of its own cell what lies right of
the piece's middle; pieces that go up take away. Running sums along the row give all shares, so the work
follows the outline and the rows it spans. The map to pixels is affine: shares hold in a turned raster too.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import shapely

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_ROUNDING = 1e-9  # of a cell: less than that is covered by rounding alone


class Outline(NamedTuple):
    """The pieces of one area's outline, by row of the raster."""

    row: Ints
    """Rows in ascending order, shape ``(pieces,)``."""
    col: Ints
    own: Floats
    """What a piece adds to its own cell, in cells."""
    next: Floats
    """What it adds, beyond that, to every cell on the right."""
    cells: float
    """Area in cells, also outside the raster."""


class Block(NamedTuple):
    """Some cells of a strip of rows, and the share of each that an area covers."""

    rows: slice
    cols: slice
    share: Floats


def outline(shape: shapely.Geometry | None, to_pixels: Callable[[Floats], Floats]) -> Outline:
    """Cut an area's outline into pieces that lie in one cell each.

    Parameters
    ----------
    shape
        Valid polygon, multipolygon or collection; None and what has no area covers nothing.
    to_pixels
        Moves vertices, shape ``(n, 2)``, to columns and rows of the raster.
    """
    polygons = [part for part in _parts(shape) if shapely.get_dimensions(part) == 2]
    moved = shapely.transform(np.array(polygons, dtype=object), to_pixels)
    rings = shapely.get_rings(shapely.orient_polygons(moved))
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    edge = np.flatnonzero((np.diff(ring) == 0) & (np.diff(xy[:, 1]) != 0))
    x, y = _cut(xy[edge], xy[edge + 1])
    middle = (x[0] + x[1]) / 2
    row = np.floor((y[0] + y[1]) / 2).astype(np.int64)
    col = np.floor(middle).astype(np.int64)
    down = y[0] - y[1]
    order = np.argsort(row, kind="stable")
    beyond = down * (middle - col)
    size = float(shapely.area(moved).sum())
    return Outline(row[order], col[order], (down - beyond)[order], beyond[order], size)


def _parts(shape: shapely.Geometry | None) -> list[Any]:
    parts = shapely.get_parts([shape])
    return [leaf for part in parts for leaf in (_parts(part) if hasattr(part, "geoms") else [part])]


def _cut(start: Floats, end: Floats) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Cut edges where they cross the lines between cells; give x and y at both ends of every piece."""
    edges = np.arange(len(start))
    of_edge, at = [edges, edges], [np.zeros(len(edges)), np.ones(len(edges))]
    for axis in (0, 1):
        a, b = start[:, axis], end[:, axis]
        low, high = np.minimum(a, b), np.maximum(a, b)
        first = np.floor(low).astype(np.int64) + 1
        count = np.maximum(np.ceil(high).astype(np.int64) - first, 0)
        which = np.repeat(edges, count)
        line = first[which] + np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
        of_edge.append(which)
        at.append((line - a[which]) / (b[which] - a[which]))
    edge, along = np.concatenate(of_edge), np.concatenate(at)
    order = np.lexsort((along, edge))
    edge, along = edge[order], along[order]
    same = np.flatnonzero(np.diff(edge) == 0)
    xy = start[edge] + along[:, None] * (end[edge] - start[edge])
    xy = np.where((along == 1)[:, None], end[edge], xy)  # so that pieces end where the next edge begins
    x, y = xy.T
    return (x[same], x[same + 1]), (y[same], y[same + 1])


def covered(area: Outline, row: int, height: int, width: int) -> Block | None:
    """Give the share of each cell that an area covers, in some rows of a raster; None where it has none.

    Parameters
    ----------
    area
        Its outline.
    row, height
        First row and number of rows.
    width
        Columns of the raster.

    Returns
    -------
    Block
        Rows counted from `row`, and shares from 0 to 1.
    """
    first, last = np.searchsorted(area.row, (row, row + height))
    if first == last:
        return None
    rows, cols = area.row[first:last] - row, area.col[first:last]
    own, beyond = area.own[first:last], area.next[first:last]
    left, right = (int(np.clip(at, 0, width)) for at in (cols.min(), cols.max() + 1))
    if left >= right:
        return None
    top, bottom, wide = int(rows[0]), int(rows[-1]) + 1, right - left + 1
    before, inside = cols < left, cols < right
    own, beyond = np.where(before, own + beyond, own), np.where(before, 0.0, beyond)
    cell = (rows - top) * wide + np.maximum(cols - left, 0)
    size = (bottom - top) * wide
    steps = np.bincount(cell[inside], own[inside], size) + np.bincount(cell[inside] + 1, beyond[inside], size)
    share = np.cumsum(steps.reshape(-1, wide), axis=1)[:, :-1]
    share[np.abs(share) < _ROUNDING] = 0.0
    share[np.abs(share - 1) < _ROUNDING] = 1.0
    return Block(slice(top, bottom), slice(left, right), share)
