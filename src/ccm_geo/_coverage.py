"""Sums of raster cells under areas, each cell counted by the share of it that an area covers.

By Green's theorem the sum over an area is a line integral along its outline: with the running sum of a
raster row from the left, ``F(x)``, it is the integral of ``F dy``. So the work follows the outline's
length, not its area. ``F`` is linear inside a cell, hence exact at the middle of each piece of an edge
that lies in one cell. Rasters are never resampled: outlines are moved into fractional pixel coordinates,
and because that map is affine the covered shares stay what they are, in a rotated raster too.

A raster is read once, in strips of rows and only where areas lie, so memory is bounded by the strip.
The compiled loops release the interpreter lock; they are kept in numba's cache, so only the first call
after installation pays a few seconds for compiling.
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue
from typing import Any, NamedTuple, Self

import numba
import numpy as np
import numpy.typing as npt
import rasterio
import shapely
from rasterio.enums import MaskFlags
from rasterio.windows import Window

from .errors import SourceError
from .schemas import PopulationRaster

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STRIP_BYTES = 48 * 2**20  # of rows held at once by a thread
_ALL_STRIPS = 4  # so many strips are worked on at a time at most
_BLOCK_STRIPS = 6  # a strip may be this many times larger where one row of blocks is that large
_RUN_CELLS = 256  # columns are skipped in runs of at least this many, a common block width
_CACHED_CELLS = 16 * 2**20  # decoded cells that a file may hold before it is closed and opened again
_SMALL_DTYPES = ("float32", "int16", "uint16", "int8", "uint8")  # exact as float32


class Outlines(NamedTuple):
    """Areas as closed rings in pixel coordinates (column, row), ready for the line integral."""

    xy: Floats
    """Vertices of all rings, shape ``(vertices, 2)``."""
    ring: Ints
    """Where each ring begins in `xy`, with the end appended, shape ``(rings + 1,)``."""
    sign: Floats
    """+1 or -1 by ring, such that shells count positive and holes negative, shape ``(rings,)``."""
    area: Ints
    """Where each area begins in the rings, with the end appended, shape ``(areas + 1,)``."""
    box: Floats
    """Extent by area ``(left, top, right, bottom)`` in cells, shape ``(areas, 4)``; NaN where none."""


class CellSums(NamedTuple):
    """What lies under each area, and what was odd in the cells read."""

    total: Floats
    """Sum of the cells' values, shape ``(areas, layers)``; nodata, NaN and negative cells count 0."""
    known: Floats
    """Cells with a value under each area, in cells (fractions count), shape ``(areas,)``."""
    cells_read: int
    cells_negative: int


class Layer(NamedTuple):
    """One band to be summed."""

    raster: PopulationRaster
    weight: Callable[[tuple[int, int, int, int]], Floats] | None = None
    """Gives what cells' values are multiplied with, for a window ``(row, col, height, width)``, in a shape
    that broadcasts to it."""


class Strip(NamedTuple):
    """Some rows of the raster as running sums, and the areas that lie in them."""

    row: int
    col: int
    members: Ints
    sums: Floats
    """Running sums from the left of each row, shape ``(rows, columns + 1, layers)``."""
    counts: npt.NDArray[np.int32]
    """Running count of the cells with a value, shape ``(rows, columns + 1)``."""


class _Task(NamedTuple):
    """A window of the raster and the areas that lie in its rows; carries where to read, not what."""

    row: int
    col: int
    height: int
    width: int
    members: Ints


def outlines(shapes: npt.NDArray[Any], to_pixels: Callable[[Floats], Floats]) -> Outlines:
    """Take the polygons of an array of geometries apart into rings in pixel coordinates.

    Parameters
    ----------
    shapes
        Valid polygons, multipolygons or collections, shape ``(areas,)``; ``None``, empty geometries, points
        and lines cover nothing.
    to_pixels
        Moves vertices, shape ``(n, 2)``, to columns and rows of the raster.
    """
    parts, owner = shapely.get_parts(shapes, return_index=True)
    if (shapely.get_type_id(parts) > shapely.GeometryType.POLYGON).any():  # collections hold multipolygons
        parts, inner = shapely.get_parts(parts, return_index=True)
        owner = owner[inner]
    flat = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
    parts, owner = parts[flat], owner[flat]
    rings, polygon = shapely.get_rings(parts, return_index=True)
    xy, of_ring = shapely.get_coordinates(rings, return_index=True)
    xy = np.ascontiguousarray(to_pixels(xy), dtype=np.float64)
    ring = np.searchsorted(of_ring, np.arange(len(rings) + 1)).astype(np.int64)
    is_shell = np.ones(len(rings), dtype=bool)
    is_shell[1:] = polygon[1:] != polygon[:-1]
    turned = _ring_areas(xy, ring)
    sign = np.where((turned > 0) == is_shell, 1.0, -1.0)
    area = np.searchsorted(owner[polygon], np.arange(len(shapes) + 1)).astype(np.int64)
    return Outlines(xy, ring, sign, area, _boxes(xy, ring, area))


def _boxes(xy: Floats, ring: Ints, area: Ints) -> Floats:
    box = np.full((len(area) - 1, 4), np.nan)
    first = ring[area]  # where the vertices of each area begin
    some = np.flatnonzero(first[1:] > first[:-1])
    if len(some):
        box[some, :2] = np.minimum.reduceat(xy, first[some], axis=0)
        box[some, 2:] = np.maximum.reduceat(xy, first[some], axis=0)
    return box


def cell_sums(layers: Sequence[Layer], areas: Outlines, *, strip_bytes: int = STRIP_BYTES) -> CellSums:
    """Sum the cells of one or several rasters of the same grid under each area.

    Parameters
    ----------
    layers
        Rasters with the same size and transform.
    areas
        In pixel coordinates of these rasters; what lies outside of them covers nothing.
    strip_bytes
        Memory for one strip; how it is chosen changes the result by rounding only (1e-12).

    Raises
    ------
    SourceError
        If a raster cannot be read.
    """

    def work(strip: Strip) -> tuple[Ints, Floats, Floats]:
        total, known = np.zeros((len(strip.members), len(layers))), np.zeros(len(strip.members))
        left = np.floor(areas.box[strip.members, 0]).astype(np.int64) - strip.col
        anchor = np.clip(left, 0, strip.sums.shape[1] - 1)  # so that rounding stays the area's own size
        _integrate(
            areas.xy, areas.ring, areas.sign, areas.area, strip.members, anchor, strip.sums, strip.counts,
            strip.row, strip.col, total, known,
        )  # fmt: skip
        return strip.members, total, known

    return sweep(layers, areas.box, work, size=len(areas.box), strip_bytes=strip_bytes)


def sweep(
    layers: Sequence[Layer],
    box: Floats,
    work: Callable[[Strip], tuple[Ints, Floats, Floats]],
    *,
    size: int,
    strip_bytes: int = STRIP_BYTES,
) -> CellSums:
    """Go through the raster once, strip by strip, where areas lie, and add up what `work` finds there.

    Strips are read and worked on in a few threads, and added up in their order, so that the result does
    not depend on which is ready first.

    Parameters
    ----------
    layers, strip_bytes
        As for `cell_sums`.
    box
        Extent of each area in cells, shape ``(areas, 4)``.
    work
        Gives for one strip which results to add to, the sums ``(results, layers)``, and the known cells.
    size
        Number of results.
    """
    total, known = np.zeros((size, len(layers))), np.zeros(size)
    read = negative = 0
    rasters = [layer.raster for layer in layers]
    with _Files(rasters) as first:
        blocks = first.opened[0]
        step = _strip_rows(blocks, len(layers), strip_bytes)
        room = _ALL_STRIPS * STRIP_BYTES // (step * _row_bytes(blocks, len(layers)))
        threads = max(1, min(os.cpu_count() or 1, room))
        tasks = list(_tasks(blocks, box, step))
    with ExitStack() as stack:
        idle: SimpleQueue[_Files] = SimpleQueue()  # an open file serves one thread at a time
        for _ in range(threads):
            idle.put(stack.enter_context(_Files(rasters)))

        def run(task: _Task) -> tuple[tuple[Ints, Floats, Floats], int]:
            files = idle.get()
            try:
                sums, counts, bad = _strip(files, layers, task)
            finally:
                idle.put(files)
            return work(Strip(task.row, task.col, task.members, sums, counts)), bad

        pool = stack.enter_context(ThreadPoolExecutor(threads))
        for task, ((which, part, part_known), bad) in zip(tasks, pool.map(run, tasks), strict=True):
            total[which] += part
            known[which] += part_known
            read += task.height * task.width
            negative += bad
    return CellSums(total, known, read, negative)


def strips(layer: Layer, rows: int) -> Iterator[tuple[int, Floats]]:
    """Read a whole raster in strips of at most `rows` rows: the first row, and the running sums by row."""
    raster = layer.raster
    with _Files([raster]) as files:
        for row in range(0, raster.height, rows):
            task = _Task(row, 0, min(rows, raster.height - row), raster.width, np.empty(0, np.int64))
            yield row, _strip(files, [layer], task)[0][:, :, 0]


class _Files:
    """Open rasters that forget decoded blocks: else GDAL keeps up to 5 % of the machine's memory in them."""

    def __init__(self, rasters: Sequence[PopulationRaster]) -> None:
        self.rasters = rasters
        self.opened: list[Any] = []
        self.cells = 0

    def __enter__(self) -> Self:
        self.opened = [_opened(raster) for raster in self.rasters]
        self.cells = 0
        return self

    def __exit__(self, *_: object) -> None:
        for file in self.opened:
            file.close()

    def used(self, cells: int) -> None:
        """Say how many cells were read; closing a file is what frees its blocks."""
        self.cells += cells
        if self.cells * len(self.opened) > _CACHED_CELLS:
            self.__exit__()
            self.__enter__()


def _opened(raster: PopulationRaster) -> Any:
    try:
        return rasterio.open(raster.path)
    except rasterio.errors.RasterioIOError as error:
        raise SourceError(f"population: the raster {raster.path} cannot be opened: {error}") from error


def _row_bytes(file: Any, layers: int) -> int:
    """Memory for one row while its strip is worked on: raw values, running sums, count of known cells."""
    return int(file.width) * (8 + 8 * layers + 4)


def _strip_rows(file: Any, layers: int, strip_bytes: int) -> int:
    """Give the number of rows of a strip: whole blocks where memory allows, as a block is decoded whole."""
    block = int(file.block_shapes[0][0])
    row = _row_bytes(file, layers)
    step = max(1, strip_bytes // row)
    if step >= block:
        return step - step % block
    return block if block * row <= _BLOCK_STRIPS * strip_bytes else step


def _tasks(file: Any, box: Floats, step: int) -> Iterator[_Task]:
    """Cut the raster into strips, and strips into the runs of columns that areas touch."""
    block = int(file.block_shapes[0][1])
    left, top, right, bottom = box.T
    touched = (right > 0) & (bottom > 0) & (left < file.width) & (top < file.height)
    run = max(_RUN_CELLS, block if block <= 4 * _RUN_CELLS else 0)
    for row in range(0, file.height, step):
        rows = min(step, file.height - row)
        members = np.flatnonzero(touched & (bottom > row) & (top < row + rows))
        first = np.clip(left[members], 0, file.width - 1).astype(np.int64) // run
        last = np.clip(right[members], 0, file.width - 1).astype(np.int64) // run
        for low, high in _merged(first, last):
            inside = (first >= low) & (last <= high)
            col = low * run
            yield _Task(row, col, rows, min((high + 1) * run, file.width) - col, members[inside])


def _merged(first: Ints, last: Ints) -> Iterator[tuple[int, int]]:
    """Merge closed intervals of whole numbers that share a number."""
    if not len(first):
        return
    steps = np.zeros(int(last.max()) + 2, dtype=np.int64)
    np.add.at(steps, first, 1)
    np.add.at(steps, last + 1, -1)
    open_at = np.cumsum(steps) > 0
    ends = np.flatnonzero(np.diff(np.concatenate([[False], open_at]).astype(np.int8)))
    yield from zip(ends[::2].tolist(), (ends[1::2] - 1).tolist(), strict=True)


def _strip(files: _Files, layers: Sequence[Layer], task: _Task) -> tuple[Floats, Any, int]:
    """Read one window of every layer as running sums along its rows, and count the cells with a value."""
    window = Window(task.col, task.row, task.width, task.height)
    sums = np.empty((task.height, task.width + 1, len(layers)))
    counts = np.empty((task.height, task.width + 1), dtype=np.int32)
    negative = 0
    for k, (file, layer) in enumerate(zip(files.opened, layers, strict=True)):
        values, nodata = _values(file, layer.raster, window)
        if layer.weight is None:
            weight = np.ones((1, 1))
        else:
            weight = np.ascontiguousarray(np.atleast_2d(layer.weight(task[:4])), dtype=np.float64)
        negative += _running_sums(values, nodata, weight, sums, counts, k)
    files.used(task.height * task.width)
    return sums, counts, negative


def _values(file: Any, raster: PopulationRaster, window: Window) -> tuple[npt.NDArray[Any], float]:
    """Read one window as float32 or float64, and the value that stands for "not known" in it."""
    name = file.dtypes[raster.band - 1]
    dtype = np.float32 if name in _SMALL_DTYPES else np.float64
    try:
        values = file.read(raster.band, window=window, out_dtype=dtype)
    except rasterio.errors.RasterioIOError as error:
        raise SourceError(f"population: rows {window.row_off} and on of {raster.path}: {error}") from error
    nodata = math.nan if raster.nodata is None else float(dtype(raster.nodata))
    if MaskFlags.per_dataset in file.mask_flag_enums[raster.band - 1]:
        values[file.read_masks(raster.band, window=window) == 0] = np.nan
    scale, offset = file.scales[raster.band - 1], file.offsets[raster.band - 1]
    if (scale, offset) != (1.0, 0.0):
        values = np.where(values == nodata, np.nan, values * scale + offset).astype(np.float64)
    return values, nodata


_NUMBA: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
}  # no test for division by zero: less to compile


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile on first use and keep the result, or compile in each run where nothing can be written."""
    try:
        return numba.njit(cache=True, **_NUMBA)(function)
    except RuntimeError:  # no folder for the cache is writable
        return numba.njit(**_NUMBA)(function)


@compiled
def _ring_areas(xy: Any, ring: Any) -> Any:
    """Signed area of each ring, positive where it runs from x towards y."""
    out = np.zeros(len(ring) - 1)
    for k in range(len(out)):
        x0, y0 = xy[ring[k]]
        for i in range(ring[k] + 1, ring[k + 1] - 1):
            ax, ay, bx, by = xy[i, 0] - x0, xy[i, 1] - y0, xy[i + 1, 0] - x0, xy[i + 1, 1] - y0
            out[k] += 0.5 * (ax * by - bx * ay)
    return out


@compiled
def _running_sums(values: Any, nodata: float, weight: Any, sums: Any, counts: Any, k: int) -> int:
    """Fill running sums and counts from the left of each row; return how many cells are negative."""
    negative = 0
    tall, wide = weight.shape[0] > 1, weight.shape[1] > 1
    for i in range(values.shape[0]):
        total = 0.0
        seen = 0
        sums[i, 0, k] = 0.0
        counts[i, 0] = 0
        for j in range(values.shape[1]):
            value = float(values[i, j])
            if value != nodata and math.isfinite(value):
                if value >= 0.0:
                    total += value * weight[i if tall else 0, j if wide else 0]
                    seen += 1
                else:
                    negative += 1
            sums[i, j + 1, k] = total
            if k == 0:
                counts[i, j + 1] = seen
    return negative


@compiled
def _integrate(  # noqa: C901, PLR0912, PLR0913, PLR0917 - one compiled loop; calls with arrays cost more inside
    xy: Any, ring: Any, sign: Any, area: Any, members: Any, anchor: Any,
    sums: Any, counts: Any, row0: int, col0: int, total: Any, known: Any,
) -> None:  # fmt: skip
    """Add the line integral of the running sums along the outlines, as far as they lie in these rows."""
    height, width, layers = sums.shape[0], sums.shape[1] - 1, sums.shape[2]
    for m in range(len(members)):
        j0 = anchor[m]
        for r in range(area[members[m]], area[members[m] + 1]):
            for v in range(ring[r], ring[r + 1] - 1):
                x0, y0 = xy[v, 0] - col0, xy[v, 1] - row0
                x1, y1 = xy[v + 1, 0] - col0, xy[v + 1, 1] - row0
                turn = sign[r]
                if y0 > y1:
                    x0, y0, x1, y1, turn = x1, y1, x0, y0, -turn
                if y0 == y1 or y1 <= 0.0 or y0 >= height:
                    continue
                slope = (x1 - x0) / (y1 - y0)
                low, high = min(x0, x1), max(x0, x1)
                for i in range(max(0, math.floor(y0)), min(height, math.ceil(y1))):
                    ya, yb = max(y0, i), min(y1, i + 1)
                    xa = min(max(x0 + (ya - y0) * slope, low), high)
                    xb = x1 if yb == y1 else min(max(x0 + (yb - y0) * slope, low), high)
                    if xa > xb:
                        xa, xb = xb, xa
                    dy = turn * (yb - ya)
                    span = xb - xa
                    x = xa
                    while True:  # one round per cell that this piece of the edge runs through
                        c = math.floor(x)
                        if c < 0:
                            stop = min(0.0, xb)
                        elif c >= width:
                            stop = xb
                        else:
                            stop = min(c + 1.0, xb)
                        part = dy * ((stop - x) / span) if span > 0.0 else dy
                        if c < 0:
                            for k in range(layers):
                                total[m, k] -= part * sums[i, j0, k]
                            known[m] -= part * counts[i, j0]
                        elif c >= width:
                            for k in range(layers):
                                total[m, k] += part * (sums[i, width, k] - sums[i, j0, k])
                            known[m] += part * (counts[i, width] - counts[i, j0])
                        else:
                            share = 0.5 * (x + stop) - c
                            for k in range(layers):
                                here = sums[i, c, k]
                                total[m, k] += part * (
                                    here - sums[i, j0, k] + share * (sums[i, c + 1, k] - here)
                                )
                            here_n = counts[i, c]
                            known[m] += part * (here_n - counts[i, j0] + share * (counts[i, c + 1] - here_n))
                        if stop >= xb:
                            break
                        x = stop
