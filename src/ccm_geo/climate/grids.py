"""Rasters of floods, landslides, months and flow: described without reading, averaged over areas exactly.

A cell counts by the share of its area that an area covers, on the ellipsoid: the sums are those of the
coverage kernel behind `people_near`, on a raster that holds the judged cells.
"""

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, TypeAlias

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import rasterio
from rasterio.windows import Window

from ccm_geo import space
from ccm_geo.errors import CRSError, DataError, SourceError
from ccm_geo.exposure import people_near
from ccm_geo.io.rasters import describe_raster
from ccm_geo.schemas import Note, PopulationRaster

Grid: TypeAlias = str | os.PathLike[str] | PopulationRaster
Blank: TypeAlias = Literal["unknown", "outside"]
Floats: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Judge: TypeAlias = Callable[[npt.NDArray[Any]], Floats]

_BLOCK = 512
_WHOLE = 0.999  # share of an area over known cells below which a part of it counts as unknown


def described(grid: Grid, *, what: str, band: int = 1, crs: Any = None) -> PopulationRaster:
    """Say where a raster lies, or what is wrong with it.

    Raises
    ------
    CRSError, DataError, SourceError
        As for population rasters, naming what the raster is.
    """
    if isinstance(grid, PopulationRaster):
        return grid
    try:
        return describe_raster(grid, unit="people", band=band, crs=crs)
    except (CRSError, DataError, SourceError) as error:
        raise type(error)(str(error).replace("population:", f"{what}:", 1)) from None


def averaged(
    areas: gpd.GeoDataFrame | gpd.GeoSeries,
    grids: Sequence[PopulationRaster],
    judge: Judge,
    blank: Blank,
    what: str,
) -> tuple[Floats, tuple[Note, ...]]:
    """Average what `judge` makes of the cells over each area, by the area of land that each cell covers.

    Parameters
    ----------
    areas
        Polygons, in any CRS.
    grids
        One or several rasters; those of the same cells are read in one pass.
    judge
        Turns values of cells into numbers of 0 or more.
    blank
        What cells without a value are: not known, or outside the zone (0).
    what
        What to call the rasters.

    Returns
    -------
    values, notes
        Means, shape ``(areas, grids)``, NaN where no cell under the area has a value or it has no geometry;
        what is unknown.

    Raises
    ------
    CRSError
        If a layer has no CRS or the two do not overlap.
    """
    if blank not in {"unknown", "outside"}:
        raise DataError(f"blank {blank!r} is unknown; cells without a value are 'unknown' or 'outside'")
    crs = space.require_crs(areas, "hazards")
    ours = space.lonlat_bounds(areas.total_bounds, crs)
    for grid in grids:
        theirs = space.lonlat_bounds(grid.bounds, grid.crs)
        space.require_overlap(ours, theirs, ("hazards", what), reach_deg=0.0)
    shapes = gpd.GeoSeries(areas.geometry.to_numpy(), crs=crs)
    alike: dict[Any, list[int]] = {}
    for k, grid in enumerate(grids):
        alike.setdefault((grid.crs.to_wkt(), grid.transform, grid.width, grid.height), []).append(k)
    mean, known = np.full((len(shapes), len(grids)), np.nan), np.zeros((len(shapes), len(grids)))
    for members in alike.values():
        mean[:, members], known[:, members] = _means(shapes, [grids[k] for k in members], judge, blank)
    size = space.areas_m2(shapes) / 1e6
    return mean, _unknown(areas, size, known, mean, what)


def _means(
    shapes: gpd.GeoSeries, grids: list[PopulationRaster], judge: Judge, blank: Blank
) -> tuple[Floats, Floats]:
    """Average several rasters of the same cells; give the means and the known land, square kilometres."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "judged.tif"
        _judge_all(shapes, grids, judge, blank, path)
        first = grids[0]
        layers = {
            str(band): PopulationRaster(
                path=str(path), crs=first.crs, transform=first.transform, width=first.width,
                height=first.height, band=band, unit="people_per_km2",
            )
            for band in range(1, 2 * len(grids) + 1)
        }  # fmt: skip
        sums = np.nan_to_num(people_near(shapes, layers, within_m=0).to_numpy())
    total, known = sums[:, 0::2], sums[:, 1::2]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(known > 1e-12, total / known, np.nan), known


def _unknown(areas: Any, size: Floats, known: Floats, mean: Floats, what: str) -> tuple[Note, ...]:
    """Note the areas that a raster does not know, wholly or in part."""
    named = isinstance(areas, gpd.GeoDataFrame) and "hazard_id" in areas
    names = (areas["hazard_id"] if named else areas.index).astype(str).to_numpy()
    lost = np.isnan(mean).any(axis=1)
    partly = ~lost & (known < _WHOLE * size[:, None]).any(axis=1)
    notes = []
    for mask, text in (
        (lost, f"no value of the {what} raster is known"),
        (partly, f"the {what} raster knows a part of the area only, which stands for the whole"),
    ):
        if mask.any():
            few = ", ".join(names[mask][:5]) + (", ..." if mask.sum() > 5 else "")
            count = f"{int(mask.sum())} hazard{'s' if mask.sum() != 1 else ''}"
            notes.append(Note("hazards", "unknown", f"{count} ({few}): {text}", int(mask.sum())))
    return tuple(notes)


def _judge_all(
    shapes: gpd.GeoSeries, grids: list[PopulationRaster], judge: Judge, blank: Blank, path: Path
) -> None:
    """Write, for each raster, what is judged of the cells near the areas and which of them have a value."""
    grid = grids[0]
    profile = {
        "driver": "GTiff", "width": grid.width, "height": grid.height, "count": 2 * len(grids),
        "dtype": "float32", "crs": grid.crs.to_wkt(), "transform": grid.transform, "tiled": True,
        "blockxsize": _BLOCK, "blockysize": _BLOCK, "interleave": "band",
        "SPARSE_OK": True, "BIGTIFF": "IF_SAFER",
    }  # fmt: skip
    with ExitStack() as stack:
        try:
            out = stack.enter_context(rasterio.open(path, "w", **profile))
            files = [stack.enter_context(rasterio.open(one.path)) for one in grids]
            for window in _windows(shapes, grid):
                for k, (file, one) in enumerate(zip(files, grids, strict=True)):
                    values, there = cells(file, one, window)
                    worth = np.where(there, judge(np.where(there, values, 0)), 0.0)
                    known = there | (blank == "outside")
                    out.write(worth.astype(np.float32), 2 * k + 1, window=window)
                    out.write(known.astype(np.float32), 2 * k + 2, window=window)
        except rasterio.errors.RasterioIOError as error:
            raise SourceError(f"a raster cannot be read: {error}") from error


def cells(file: Any, grid: PopulationRaster, window: Window) -> tuple[npt.NDArray[Any], Mask]:
    """Read the values of a window, and say which of them are known."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        values = file.read(grid.band, window=window)
        there = file.read_masks(grid.band, window=window) > 0
    if grid.nodata is not None and np.isfinite(grid.nodata):
        there &= values != grid.nodata
    if np.issubdtype(values.dtype, np.floating):
        there &= np.isfinite(values)
    return values, there


def _windows(shapes: gpd.GeoSeries, grid: PopulationRaster) -> Iterator[Window]:
    """Give the blocks of the raster that areas may touch."""
    box = _pixel_boxes(shapes, grid)
    box = box[np.isfinite(box).all(axis=1)]
    low = np.floor(box[:, :2] / _BLOCK).astype(np.int64)
    high = np.floor(box[:, 2:] / _BLOCK).astype(np.int64)
    many = np.array([-(-grid.width // _BLOCK), -(-grid.height // _BLOCK)])
    low, high = np.clip(low, 0, many - 1), np.clip(high, 0, many - 1)
    touched = np.zeros(many, dtype=bool)
    for (c0, r0), (c1, r1) in zip(low.tolist(), high.tolist(), strict=True):
        touched[c0 : c1 + 1, r0 : r1 + 1] = True
    for col, row in np.argwhere(touched).tolist():
        left, top = col * _BLOCK, row * _BLOCK
        yield Window(left, top, min(_BLOCK, grid.width - left), min(_BLOCK, grid.height - top))


def _pixel_boxes(shapes: gpd.GeoSeries, grid: PopulationRaster) -> Floats:
    """Give the extent of each area in columns and rows, shape ``(areas, 4)``."""
    box = space.project(shapes, grid.crs).bounds.to_numpy()
    back = ~grid.transform
    corners = [back @ (box[:, i], box[:, j]) for i in (0, 2) for j in (1, 3)]
    cols, rows = (np.stack([np.asarray(c[k]) for c in corners]) for k in (0, 1))
    margin = 2.0  # edges may bend a little between projections
    return np.column_stack(
        [
            cols.min(axis=0) - margin,
            rows.min(axis=0) - margin,
            cols.max(axis=0) + margin,
            rows.max(axis=0) + margin,
        ]
    )


def as_measure(values: Floats, areas: Any, name: str, notes: tuple[Note, ...]) -> "pd.Series[float]":
    """Give a measure on the index of the areas, with its notes."""
    out = pd.Series(values, index=areas.index, name=name, dtype=float)
    out.attrs["notes"] = notes
    return out
