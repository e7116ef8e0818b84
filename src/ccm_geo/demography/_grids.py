"""People of districts spread over the cells of a raster, strip by strip, with bounded memory."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyproj
import rasterio
import shapely
from rasterio.enums import MaskFlags
from rasterio.windows import Window

from ccm_geo import space
from ccm_geo._threads import in_chunks
from ccm_geo.errors import DataError, SourceError
from ccm_geo.files import replace_atomically
from ccm_geo.schemas import PopulationRaster

from ._cells import Block, Outline, covered, outline

Floats = npt.NDArray[np.float64]

NODATA = -99_999.0
"""Cells without a value in the rasters written, as WorldPop has it."""

_BLOCK = 256  # rows and columns of a tile of the file written; strips are whole tiles, each written once
_STRIP_CELLS = 4 * 2**20
_CACHE_MB = 64  # of decoded blocks, else GDAL keeps up to 5 % of the machine's memory
_EDGE_M = 5_000.0  # longer edges get vertices before they are moved to another CRS, where they may bend


class Found(NamedTuple):
    """What lies under each district."""

    weight: Floats
    """Sum of the weights, shape ``(districts,)``."""
    size: Floats
    """Land inside the raster, square metres."""
    inside: Floats
    """Share of the district that lies inside the raster, 0 to 1."""
    negative: int
    """Cells with a weight below 0, which count as 0."""
    shared: int
    """Cells that several districts cover more than once."""


class Grid(NamedTuple):
    """Districts over a raster of weights."""

    raster: PopulationRaster
    areas: tuple[Outline, ...]


def grid(shapes: npt.NDArray[Any], crs: pyproj.CRS, raster: PopulationRaster) -> Grid:
    """Lay the outlines of districts over a raster."""
    if crs != raster.crs:
        unit = space.metres_per_unit(crs)
        shapes = in_chunks(lambda part: shapely.segmentize(part, _EDGE_M / unit), shapes)
    back = ~raster.transform

    def to_pixels(xy: Floats) -> Floats:
        x, y = space.project_xy(xy, crs, raster.crs).T
        return np.column_stack([back.a * x + back.b * y + back.c, back.d * x + back.e * y + back.f])

    return Grid(raster, tuple(outline(shape, to_pixels) for shape in shapes))


def find(over: Grid) -> Found:
    """Sum the weights and the land under each district.

    Raises
    ------
    SourceError
        If the raster cannot be read.
    """
    many = len(over.areas)
    weight, size, cells = np.zeros(many), np.zeros(many), np.zeros(many)
    negative = shared = 0
    with _opened(over.raster) as file:
        for row, height in _strips(over.raster):
            values, below = _weights(file, over.raster, row, height)
            land = _land(over.raster, row, height)
            known = np.nan_to_num(values)
            cover = np.zeros(values.shape)
            for at, block in _blocks(over, row, height):
                where = block.rows, block.cols
                weight[at] += (known[where] * block.share).sum()
                size[at] += (_part(land, block) * block.share).sum()
                cells[at] += block.share.sum()
                cover[where] += block.share
            negative += below
            shared += int((cover > 1 + 1e-6).sum())
    whole = np.array([area.cells for area in over.areas])
    inside = np.divide(cells, whole, out=np.zeros(many), where=whole > 0)
    return Found(weight, size, inside, negative, shared)


def write(
    over: Grid, path: str | os.PathLike[str], names: tuple[str, ...], by_weight: Floats, by_land: Floats
) -> Floats:
    """Write the people of every cell, one band per column of totals.

    Parameters
    ----------
    over
        Districts and weights.
    path
        The file to write.
    names
        Of the columns, for the bands.
    by_weight, by_land
        People per unit of weight and per square metre, shape ``(districts, columns)``; NaN where that
        district's people are not spread that way.

    Returns
    -------
    numpy.ndarray
        People inside each district as they are measured in the result, shape ``(districts, columns)``:
        cells cut by a border hold people of both sides.

    Raises
    ------
    SourceError
        If the weights cannot be read or the file not written.
    """
    raster = over.raster
    measured = np.zeros(by_weight.shape)
    profile = {
        "driver": "GTiff", "dtype": "float32", "count": len(names), "nodata": NODATA,
        "width": raster.width, "height": raster.height, "transform": raster.transform,
        "crs": raster.crs.to_wkt(), "tiled": True, "blockxsize": _BLOCK, "blockysize": _BLOCK,
        "interleave": "band", "compress": "deflate", "predictor": 3, "BIGTIFF": "IF_SAFER",
    }  # fmt: skip
    with replace_atomically(path) as draft, _opened(raster) as file:
        try:
            with rasterio.open(draft, "w", **profile) as out:
                for band, name in enumerate(names, 1):
                    out.set_band_description(band, name)
                for row, height in _strips(raster):
                    people = _people(over, file, (row, height), by_weight, by_land)
                    for at, block in _blocks(over, row, height):
                        part = np.nan_to_num(people[:, block.rows, block.cols])
                        measured[at] += (part * block.share).sum(axis=(1, 2))
                    cells = np.where(np.isnan(people), NODATA, people).astype(np.float32)
                    out.write(cells, window=Window(0, row, raster.width, height))
        except rasterio.errors.RasterioIOError as error:
            raise SourceError(f"population: the raster cannot be written: {error}") from error
    return measured


def _people(
    over: Grid, file: Any, strip: tuple[int, int], by_weight: Floats, by_land: Floats
) -> npt.NDArray[np.float64]:
    """Give the people of every cell of a strip, shape ``(columns, rows, width)``; NaN where not known."""
    values, _ = _weights(file, over.raster, *strip)
    land = _land(over.raster, *strip)
    valued, amount = ~np.isnan(values), np.nan_to_num(values)
    people = np.zeros((by_weight.shape[1], *values.shape))
    known = np.zeros(people.shape, dtype=bool)
    for at, block in _blocks(over, *strip):
        where = block.rows, block.cols
        touched = block.share > 0
        for rates, given, here in (
            (by_weight[at], amount[where], touched & valued[where]),
            (by_land[at], _part(land, block), touched),
        ):
            for column in np.flatnonzero(~np.isnan(rates)):
                people[column][where] += given * block.share * rates[column]
                known[column][where] |= here
    people[~known] = np.nan
    return people


def _blocks(over: Grid, row: int, height: int) -> Iterator[tuple[int, Block]]:
    for at, area in enumerate(over.areas):
        block = covered(area, row, height, over.raster.width)
        if block is not None:
            yield at, block


def _strips(raster: PopulationRaster) -> Iterator[tuple[int, int]]:
    """Cut a raster into strips of whole rows of tiles: the first row and the number of rows."""
    step = _BLOCK * max(1, _STRIP_CELLS // (_BLOCK * raster.width))
    for row in range(0, raster.height, step):
        yield row, min(step, raster.height - row)


def _land(raster: PopulationRaster, row: int, height: int) -> Floats:
    return space.cell_areas_m2(raster.crs, raster.transform, (row, 0, height, raster.width))


def _part(land: Floats, block: Block) -> Floats:
    """Cut the land of a strip, which may have one column for all, to a block."""
    part = land[block.rows] if land.shape[1] == 1 else land[block.rows, block.cols]
    return np.broadcast_to(part, block.share.shape)


def _weights(file: Any, raster: PopulationRaster, row: int, height: int) -> tuple[Floats, int]:
    """Read some rows of weights, NaN where there is no value, and count those below 0, which become 0."""
    window = Window(0, row, raster.width, height)
    try:
        values = file.read(raster.band, window=window)
        masked = MaskFlags.per_dataset in file.mask_flag_enums[raster.band - 1]
        hidden = file.read_masks(raster.band, window=window) == 0 if masked else None
    except rasterio.errors.RasterioIOError as error:
        raise SourceError(f"population: rows {row + 1} and on of the raster: {error}") from error
    unknown = ~np.isfinite(values)
    if raster.nodata is not None and not math.isnan(raster.nodata):
        unknown |= values == np.float64(raster.nodata).astype(values.dtype)
    if hidden is not None:
        unknown |= hidden
    scale, offset = file.scales[raster.band - 1], file.offsets[raster.band - 1]
    values = np.where(unknown, np.nan, values.astype(np.float64) * scale + offset)
    below = values < 0
    values[below] = 0.0
    if raster.unit == "people_per_km2":
        values = values * _land(raster, row, height) / 1e6
    return values, int(below.sum())


@contextmanager
def _opened(raster: PopulationRaster) -> Iterator[Any]:
    """Open a raster with a small cache of decoded blocks."""
    with rasterio.Env(GDAL_CACHEMAX=_CACHE_MB):
        try:
            file = rasterio.open(raster.path)
        except rasterio.errors.RasterioIOError as error:
            raise SourceError(f"population: the raster cannot be opened: {error}") from error
        with file:
            yield file


def require_writable(raster: PopulationRaster, path: str | os.PathLike[str]) -> None:
    """Refuse a file that is no GeoTIFF by its name, or is the raster that is read.

    Raises
    ------
    DataError
        In both cases.
    """
    target = Path(path)
    if target.suffix.lower() not in (".tif", ".tiff"):
        raise DataError(f"districts: path= names {target.name!r}; a GeoTIFF is written: let it end in .tif")
    if target.exists() and Path(raster.path).exists() and target.samefile(raster.path):
        raise DataError(
            f"districts: path= names {target.name!r}, over which people are spread; choose another"
        )
