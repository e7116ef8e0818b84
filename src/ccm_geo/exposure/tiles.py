"""Reading rasters once, tile by tile, only where areas lie, and summing there what is asked.

A task says where to read (path, band, window) and carries the outlines that lie there, never cells. So it
can go to a thread, to another process or to another machine, and memory is bounded by the tile. Results are
added up in the order of the tiles: they do not depend on which is ready first, nor on who computed them.
"""

import math
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyproj
import rasterio
from affine import Affine
from rasterio.enums import MaskFlags
from rasterio.windows import Window

from ccm_geo import space
from ccm_geo.errors import SourceError
from ccm_geo.schemas import PopulationRaster

from .inside import add_inside, running_sums
from .notes import Floats, Ints
from .reach import add_first, add_near, add_once, all_spans
from .traces import Ground, Traces, taken

TILE_BYTES = 24 * 2**20  # of cells held at once by a worker
_THREADS = 8  # reading from one disk keeps no more of them busy
_LARGE_BLOCK = 6  # a tile may be this many times larger where one block of the file is that large
_TILE_ROWS = 256  # at least, where rows of blocks are lower
_RUN_COLS = 256  # columns are skipped in runs of at least this many
_AHEAD = 1_000  # tasks handed out and not yet collected
_SMALL_DTYPES = ("float32", "int16", "uint16", "int8", "uint8")  # exact as float32


class Layer(NamedTuple):
    """One band to be summed: where it is, not what is in it."""

    path: str
    band: int
    nodata: float | None
    crs: str | None
    """As text, of a raster of people per km2: its cells are multiplied with their areas; else None."""
    transform: tuple[float, ...]


class Ask(NamedTuple):
    """What is to be summed: inside areas, near each area, or near any area of a group."""

    traces: Traces
    box: Floats
    """Extent in cells of the land asked about, by area, shape ``(areas, 4)``."""
    within_m: float = 0.0
    """Metres; 0 for inside."""
    ground: Ground | None = None
    """Where `within_m` is above 0."""
    group: Ints | None = None
    """Which result each area belongs to, each place counting once; None where each area has its own."""
    first: bool = False
    """Whether a place counts for the lowest of its groups alone."""
    lines: int = 1
    """On how many lines each row is integrated for groups: the same wherever the raster is cut."""

    @property
    def results(self) -> int:
        """How many sums there will be."""
        return len(self.box) if self.group is None else int(self.group.max(initial=-1)) + 1


class Sums(NamedTuple):
    """What lies in the land of one `Ask`, shape ``(results, layers)`` each."""

    total: Floats
    """Sum of the cells' values; nodata, NaN and negative cells count 0."""
    known: Floats
    """Cells with a value, in cells (fractions count)."""


class Found(NamedTuple):
    """The sums of every `Ask`, and what was odd in the cells read."""

    sums: tuple[Sums, ...]
    cells_read: int
    cells_known: Ints
    """By layer."""
    cells_negative: Ints
    """By layer."""


class Task(NamedTuple):
    """A window ``(row, col, height, width)`` of the layers, and the asks cut down to it."""

    window: tuple[int, int, int, int]
    layers: tuple[Layer, ...]
    asks: tuple[Ask, ...]


class Part(NamedTuple):
    """What one task found: the sums of its asks, and how many cells are known and negative, by layer."""

    sums: tuple[Sums, ...]
    known: Ints
    negative: Ints


def layer_of(raster: PopulationRaster) -> Layer:
    """Say where a raster is read."""
    crs = raster.crs.to_wkt() if raster.unit == "people_per_km2" else None
    return Layer(raster.path, raster.band, raster.nodata, crs, tuple(raster.transform)[:6])


def sum_cells(
    layers: Sequence[Layer],
    asks: Sequence[Ask],
    *,
    executor: Executor | None = None,
    tile_bytes: int | None = None,
) -> Found:
    """Go once through rasters of the same grid, where areas lie, and sum what is asked.

    Parameters
    ----------
    layers
        Bands with the same size and transform.
    asks
        What to sum, in pixel coordinates of the rasters; what lies outside of them holds nothing.
    executor
        Where the tiles are read and summed; by default in a few threads.
    tile_bytes
        Memory for one tile, `TILE_BYTES` by default; it changes the result by rounding only (1e-12).

    Raises
    ------
    SourceError
        If a raster cannot be read.
    """
    out = tuple(Sums(*np.zeros((2, ask.results, len(layers)))) for ask in asks)
    read, known, negative = 0, np.zeros(len(layers), np.int64), np.zeros(len(layers), np.int64)
    with ExitStack() as stack:
        if executor is None:
            threads = max(1, min(os.cpu_count() or 1, _THREADS))
            executor = stack.enter_context(ThreadPoolExecutor(threads))
        for task, which, part in _in_order(executor, _tasks(layers, asks, tile_bytes or TILE_BYTES)):
            for sums, rows, found in zip(out, which, part.sums, strict=True):
                sums.total[rows] += found.total
                sums.known[rows] += found.known
            read += task.window[2] * task.window[3]
            known += part.known
            negative += part.negative
    return Found(out, read, known, negative)


def _in_order(
    executor: Executor, tasks: Iterable[tuple[Task, tuple[Ints, ...]]]
) -> Iterator[tuple[Task, tuple[Ints, ...], Part]]:
    """Hand tasks out, not too many at a time, and give them with their results in their own order."""
    waiting: deque[tuple[Task, tuple[Ints, ...], Future[Part]]] = deque()

    def oldest() -> tuple[Task, tuple[Ints, ...], Part]:
        task, which, future = waiting.popleft()
        return task, which, future.result()

    try:
        for task, which in tasks:
            waiting.append((task, which, executor.submit(sum_tile, task)))
            while waiting and (len(waiting) > _AHEAD or waiting[0][2].done()):
                yield oldest()
        while waiting:
            yield oldest()
    finally:
        for *_, future in waiting:
            future.cancel()


def _tasks(
    layers: Sequence[Layer], asks: Sequence[Ask], tile_bytes: int
) -> Iterator[tuple[Task, tuple[Ints, ...]]]:
    """Cut the raster into tiles where areas lie; give for each the rows of every result that it adds to."""
    with _opened(layers[0].path) as file:
        shape, block = (file.height, file.width), file.block_shapes[layers[0].band - 1]
    cells = max(1, tile_bytes // (12 * len(layers) + 8))  # running sums and counts; raw values, and masks
    box = np.concatenate([ask.box for ask in asks]) if asks else np.empty((0, 4))
    begin = np.cumsum([0, *(len(ask.box) for ask in asks)])
    for window, members in _windows(shape, block, box, cells):
        cut = np.searchsorted(members, begin)
        small, which = [], []
        for nth, ask in enumerate(asks):
            ask_part, rows = _cut_down(ask, members[cut[nth] : cut[nth + 1]] - begin[nth])
            small.append(ask_part)
            which.append(rows)
        yield Task(window, tuple(layers), tuple(small)), tuple(which)


def _cut_down(ask: Ask, members: Ints) -> tuple[Ask, Ints]:
    """Give the question for some of the areas, and which of its results it is about."""
    ground = None if ask.ground is None else Ground(*(column[members] for column in ask.ground))
    rows, group = members, None
    if ask.group is not None:
        rows, group = np.unique(ask.group[members], return_inverse=True)
    part = ask._replace(traces=taken(ask.traces, members), box=ask.box[members], ground=ground, group=group)
    return part, rows


def _windows(
    shape: tuple[int, int], block: tuple[int, int], box: Floats, cells: int
) -> Iterator[tuple[tuple[int, int, int, int], Ints]]:
    """Cut a raster into windows of whole blocks, where memory allows, that areas touch; and say which do."""
    height, width = shape
    tall, wide = (min(a, b) for a, b in zip(block, shape, strict=True))
    if tall * wide > _LARGE_BLOCK * cells:
        tall, wide = 1, 1
    if wide * 2 > width:  # stripes: a row of the file is decoded whole
        rows, most = max(tall, cells // width // tall * tall), width
    else:
        rows = tall * math.ceil(min(_TILE_ROWS, max(tall, cells // wide)) / tall)
        most = max(wide, cells // rows // wide * wide)
    run = wide if _RUN_COLS <= wide <= 4 * _RUN_COLS else _RUN_COLS
    most = max(1, min(width, most if most < run else most // run * run))
    left, top, right, bottom = box.T
    touched = (right > 0) & (bottom > 0) & (left < width) & (top < height)
    for row in range(0, height, rows):
        deep = min(rows, height - row)
        members = np.flatnonzero(touched & (bottom > row) & (top < row + deep))
        if not len(members):
            continue
        first = np.clip(left[members], 0, width - 1).astype(np.int64) // run
        last = np.clip(right[members], 0, width - 1).astype(np.int64) // run
        for low, high in _merged(first, last):
            end = min((high + 1) * run, width)
            for col in range(low * run, end, most):
                stop = min(col + most, end)
                here = members[(left[members] < stop) & (right[members] > col)]
                if len(here):
                    yield (row, col, deep, stop - col), here


def _merged(first: Ints, last: Ints) -> Iterator[tuple[int, int]]:
    """Merge closed intervals of whole numbers that share a number."""
    steps = np.zeros(int(last.max()) + 2, dtype=np.int64)
    np.add.at(steps, first, 1)
    np.add.at(steps, last + 1, -1)
    open_at = np.cumsum(steps) > 0
    ends = np.flatnonzero(np.diff(np.concatenate([[False], open_at]).astype(np.int8)))
    yield from zip(ends[::2].tolist(), (ends[1::2] - 1).tolist(), strict=True)


def sum_tile(task: Task) -> Part:
    """Read one window of every layer and sum there what is asked."""
    with _files(task.layers) as files:
        sums, counts, negative = _read(task.window, task.layers, files)
    found = tuple(_answer(ask, task.window, sums, counts) for ask in task.asks)
    return Part(found, counts[:, :, -1].sum(axis=1, dtype=np.int64), negative)


def _answer(ask: Ask, window: tuple[int, int, int, int], sums: Any, counts: Any) -> Sums:
    row, col, height, width = window
    out = Sums(*np.zeros((2, ask.results, len(sums))))
    if ask.ground is None:
        anchor = np.clip(np.nan_to_num(np.floor(ask.box[:, 0])) - col, 0, width).astype(np.int64)
        add_inside(*ask.traces, anchor, sums, counts, row, col, *out)
    elif ask.group is None:
        add_near(*ask.traces, *ask.ground, ask.within_m, sums, counts, row, col, *out)
    elif len(ask.group):
        spans, where = all_spans(*ask.traces, *ask.ground, ask.within_m, height, width, ask.lines, row, col)
        group = ask.group[where[:, 0]]
        key = where[:, 1] if ask.first else where[:, 1] + group * height * ask.lines
        order = np.lexsort((spans[:, 0], key))
        if ask.first:
            add_first(spans[order], key[order], group[order], ask.lines, sums, counts, *out)
        else:
            add_once(spans[order], key[order], ask.lines, sums, counts, *out)
    return out


def _read(
    window: tuple[int, int, int, int], layers: Sequence[Layer], files: dict[str, Any]
) -> tuple[Any, Any, Ints]:
    """Read a window as running sums and counts of known cells, ``(layers, rows, columns + 1)``."""
    shape = (len(layers), window[2], window[3] + 1)
    sums, counts = np.empty(shape), np.empty(shape, dtype=np.int32)
    negative = np.zeros(len(layers), dtype=np.int64)
    for k, layer in enumerate(layers):
        values, nodata = _values(files[layer.path], layer, window)
        negative[k] = running_sums(values, nodata, _weight(layer, window), sums[k], counts[k])
    return sums, counts, negative


@contextmanager
def _files(layers: Sequence[Layer]) -> Iterator[dict[str, Any]]:
    """Open each file once, and close it soon: that is what frees the blocks that GDAL keeps of it."""
    with ExitStack() as stack:
        yield {path: stack.enter_context(_opened(path)) for path in {layer.path for layer in layers}}


def _weight(layer: Layer, window: tuple[int, int, int, int]) -> Floats:
    """Give what cells are multiplied with: their area where they hold people per km2."""
    if layer.crs is None:
        return np.ones((1, 1))
    areas = space.cell_areas_m2(_crs(layer.crs), Affine(*layer.transform), window)
    return np.ascontiguousarray(areas / 1e6)


@lru_cache(maxsize=8)
def _crs(wkt: str) -> pyproj.CRS:
    return pyproj.CRS.from_wkt(wkt)


def _opened(path: str) -> Any:
    try:
        return rasterio.open(path)
    except rasterio.errors.RasterioIOError as error:
        raise SourceError(f"population: the raster {path} cannot be opened: {error}") from error


def _values(file: Any, layer: Layer, window: tuple[int, int, int, int]) -> tuple[npt.NDArray[Any], float]:
    """Read one window as float32 or float64, and the value that stands for "not known" in it."""
    row, col, height, width = window
    where, nth = Window(col, row, width, height), layer.band - 1
    dtype = np.float32 if file.dtypes[nth] in _SMALL_DTYPES else np.float64
    try:
        values = file.read(layer.band, window=where, out_dtype=dtype)
    except rasterio.errors.RasterioIOError as error:
        raise SourceError(f"population: rows {row} and on of {layer.path}: {error}") from error
    nodata = math.nan if layer.nodata is None else float(dtype(layer.nodata))
    if MaskFlags.per_dataset in file.mask_flag_enums[nth]:
        values[file.read_masks(layer.band, window=where) == 0] = np.nan
    scale, offset = file.scales[nth], file.offsets[nth]
    if (scale, offset) != (1.0, 0.0):
        values = np.where(values == nodata, np.nan, values * scale + offset).astype(np.float64)
    return values, nodata


def strips(raster: PopulationRaster, rows: int) -> Iterator[tuple[int, Floats]]:
    """Read a whole raster in strips of at most `rows` rows: the first row, and the running sums by row."""
    layer = layer_of(raster)
    served = rows * max(1, 512 // rows)  # by one opening of the file
    for start in range(0, raster.height, served):
        with _files([layer]) as files:
            for row in range(start, min(start + served, raster.height), rows):
                window = (row, 0, min(rows, raster.height - row), raster.width)
                yield row, _read(window, [layer], files)[0][0]
