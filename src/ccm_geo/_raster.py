"""People of a population raster: inside areas, within a distance of them, once for all, and by blocks."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyproj
import shapely

from . import _coverage as coverage
from . import _reach as reach
from . import space
from .schemas import Note, PopulationRaster

Floats: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Shapes: TypeAlias = npt.NDArray[Any]
Names: TypeAlias = npt.NDArray[Any] | None
Measured: TypeAlias = tuple[Floats, tuple[Note, ...]]

_TINY = 1e-9  # of a cell: nothing but rounding
_EDGE_M = 5_000.0  # longer edges get vertices before they are moved to another CRS, where they may bend


def people_on(areas: Shapes, crs: pyproj.CRS, raster: PopulationRaster, names: Names) -> Measured:
    """Count the people inside each area.

    Parameters
    ----------
    areas
        Valid geometries; only their polygons hold people.
    crs
        Of the areas.
    raster
        Where people live.
    names
        What to call the areas in notes.

    Returns
    -------
    values, notes
        People by area, NaN where there is no geometry or it lies outside the raster.
    """
    found = coverage.outlines(_bendable(areas, crs, raster.crs), _to_pixels(raster, crs))
    sums = coverage.cell_sums([_layer(raster)], found)
    return _measured(sums, found.box, shapely.area(areas) > 0, nowhere(areas), raster, names)


def people_within(
    areas: Shapes, crs: pyproj.CRS, raster: PopulationRaster, within_m: float, names: Names
) -> Measured:
    """Count the people inside or within a distance of each area; parameters as of `people_on`."""
    areas = _bendable(areas, crs, raster.crs)
    large = _large(areas, crs)
    small = areas.copy()
    small[large] = None
    found = _traced(small, crs, raster, within_m)
    sums = reach.sums_within([_layer(raster)], found, within_m)
    box = reach.reach_boxes(found, within_m)
    if large.any():
        tiles, owner = _tiles(areas[large], crs)
        cut = _traced(tiles, crs, raster, within_m)
        whole = reach.sums_once([_layer(raster)], cut, within_m, owner)
        sums.total[large], sums.known[large] = whole.total, whole.known
        box[large] = _united(reach.reach_boxes(cut, within_m), owner)
    missing = nowhere(areas)
    return _measured(sums, box, ~missing, missing, raster, names)


def people_once(areas: Shapes, crs: pyproj.CRS, raster: PopulationRaster, within_m: float) -> float:
    """Count everyone inside or within a distance of any area; NaN where all lie outside the raster."""
    areas = _bendable(areas, crs, raster.crs)
    large = _large(areas, crs)
    tiles = _tiles(areas[large], crs)[0] if large.any() else areas[:0]
    found = _traced(np.concatenate([areas[~large], tiles]), crs, raster, within_m)
    outside, _ = _edges(reach.reach_boxes(found, within_m), raster)
    if outside.all():
        return float("nan")
    one = np.zeros(len(outside), dtype=np.int64)
    return float(reach.sums_once([_layer(raster)], found, within_m, one).total[0, 0])


def blocks(raster: PopulationRaster, cell_m: float) -> tuple[Floats, Floats]:
    """Sum a raster by square blocks of whole cells of about this size.

    Returns
    -------
    xy, people
        The middle of each block's people in the raster's CRS, shape ``(blocks, 2)``, and their number;
        blocks without people are left out.
    """
    middle = (raster.height // 2, raster.width // 2, 1, 1)
    size_m2 = float(np.mean(space.cell_areas_m2(raster.crs, raster.transform, middle)))
    block = max(1, round(cell_m / size_m2**0.5))
    starts = np.arange(0, raster.width, block)
    ends = np.minimum(starts + block, raster.width)
    found = []
    for row, sums in coverage.strips(_layer(raster), block):
        by_row = sums[:, ends] - sums[:, starts]
        people = by_row.sum(axis=0)
        some = np.flatnonzero(people > 0)
        rows = row + 0.5 + np.arange(len(sums)) @ by_row[:, some] / people[some]
        # by parts: people at column j, times (end - j), add up to the sum of the running sums to the end
        running = np.add.reduceat(sums[:, 1:].sum(axis=0), starts)
        reached = running - sums[:, starts].sum(axis=0) * (ends - starts)
        cols = ends[some] + 0.5 - reached[some] / people[some]
        found.append(np.column_stack([cols, rows, people[some]]))
    col, row_at, count = np.concatenate([np.empty((0, 3)), *found]).T
    t = raster.transform
    return np.column_stack([t.a * col + t.b * row_at + t.c, t.d * col + t.e * row_at + t.f]), count


def nowhere(shapes: Shapes) -> Mask:
    """Say which geometries are missing or empty."""
    return np.asarray(shapely.is_missing(shapes) | shapely.is_empty(shapes))


def many(count: Any, what: str) -> str:
    """Spell a number of things."""
    return f"{int(count)} {what}{'s' if count != 1 else ''}"


def named(names: Names, which: Mask, shown: int = 5) -> str:
    """Spell the first few of the things marked."""
    if names is None:
        return ""
    found = [str(n) for n in names[which][:shown]]
    return f" ({', '.join(found)}{', ...' if which.sum() > shown else ''})"


def _measured(
    sums: coverage.CellSums, box: Floats, wide: Mask, missing: Mask, raster: PopulationRaster, names: Names
) -> Measured:
    """Give people by area, and note what is unknown about them; `wide`: of some extent, so it has cells."""
    outside, partly = _edges(box, raster)
    lost = partly & (sums.known <= _TINY)  # beside the raster, or only over its empty margin
    outside, partly = (outside | lost) & ~missing, partly & ~lost
    unknown = wide & ~outside & ~missing & (sums.known <= _TINY)
    said = (
        (outside, "wholly outside the population raster", "people unknown"),
        (partly, "partly outside the population raster", "the known part counted"),
        (unknown, "over cells without a value", "no population data, counted as 0"),
    )
    notes = [
        Note(
            "hazards",
            "unknown",
            f"{many(who.sum(), 'hazard')} {what}{named(names, who)}: {then}",
            int(who.sum()),
        )
        for who, what, then in said
        if who.any()
    ]
    if sums.cells_negative:
        share = 100 * sums.cells_negative / sums.cells_read
        text = (
            f"{many(sums.cells_negative, 'cell')} below 0 ({share:.2g} % of those read): counted as no people"
        )
        notes.append(Note("population", "repaired", text, sums.cells_negative))
    return np.where(outside | missing, np.nan, sums.total[:, 0]), tuple(notes)


def _edges(box: Floats, raster: PopulationRaster) -> tuple[Mask, Mask]:
    """Say which areas lie wholly, and which partly outside the raster."""
    left, top, right, bottom = box.T
    outside = (right <= 0) | (bottom <= 0) | (left >= raster.width) | (top >= raster.height)
    inside = (left >= 0) & (top >= 0) & (right <= raster.width) & (bottom <= raster.height)
    return outside, ~outside & ~inside & ~np.isnan(left)


def _to_pixels(raster: PopulationRaster, crs: pyproj.CRS) -> Callable[[Floats], Floats]:
    back = ~raster.transform

    def move(xy: Floats) -> Floats:
        x, y = space.project_xy(xy, crs, raster.crs).T
        return np.column_stack([back.a * x + back.b * y + back.c, back.d * x + back.e * y + back.f])

    return move


def _traced(areas: Shapes, crs: pyproj.CRS, raster: PopulationRaster, within_m: float) -> reach.Traces:
    def metric(places: Floats) -> Floats:
        return space.ground_metric(raster.crs, raster.transform, places)

    return reach.traces(areas, within_m, _to_pixels(raster, crs), metric)


def _layer(raster: PopulationRaster) -> coverage.Layer:
    if raster.unit == "people":
        return coverage.Layer(raster)

    def km2(window: tuple[int, int, int, int]) -> Floats:
        return space.cell_areas_m2(raster.crs, raster.transform, window) / 1e6

    return coverage.Layer(raster, km2)


def _widths_m(areas: Shapes, crs: pyproj.CRS) -> Floats:
    left, bottom, right, top = shapely.bounds(areas).T
    return np.maximum(right - left, top - bottom) * space.metres_per_unit(crs)


def _bendable(areas: Shapes, crs: pyproj.CRS, target: pyproj.CRS) -> Shapes:
    """Give long edges more vertices where they are about to be moved to another CRS."""
    large = _widths_m(areas, crs) > _EDGE_M
    if crs == target or not large.any():
        return areas
    out = areas.copy()
    out[large] = shapely.segmentize(areas[large], _EDGE_M / space.metres_per_unit(crs))
    return out


def _large(areas: Shapes, crs: pyproj.CRS) -> Mask:
    return np.asarray(_widths_m(areas, crs) > reach.PLANE_M)


def _tiles(areas: Shapes, crs: pyproj.CRS) -> tuple[Shapes, npt.NDArray[np.int64]]:
    """Cut areas into tiles; what is near an area is near one of its tiles. Gives tiles and their owners."""
    side = reach.PLANE_M / 2 / space.metres_per_unit(crs)
    tiles: list[Any] = []
    owner: list[int] = []
    for k, area in enumerate(areas):
        left, bottom, right, top = area.bounds
        x, y = np.meshgrid(np.arange(left, right, side), np.arange(bottom, top, side))
        cut = shapely.intersection(
            area, shapely.box(x.ravel(), y.ravel(), x.ravel() + side, y.ravel() + side)
        )
        cut = cut[~shapely.is_empty(cut)]
        tiles.extend(cut)
        owner.extend([k] * len(cut))
    return np.array(tiles, dtype=object), np.array(owner, dtype=np.int64)


def _united(box: Floats, owner: npt.NDArray[np.int64]) -> Floats:
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    low, high = np.minimum.reduceat(box, first), np.maximum.reduceat(box, first)
    return np.column_stack([low[:, :2], high[:, 2:]])
