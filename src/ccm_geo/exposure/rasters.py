"""People of population rasters: inside areas, within distances of them, once for all, and by blocks."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyproj
import shapely

from ccm_geo import space
from ccm_geo.errors import CRSError, DataError
from ccm_geo.schemas import Note, PopulationRaster

from . import reach, tiles, traces
from .land import Land, chosen, in_metres, unions
from .notes import Floats, Ints, Mask, Notes, Shapes, many, unknown

Rasters: TypeAlias = Mapping[str, PopulationRaster]
Measured: TypeAlias = tuple[Floats, Notes]

_TINY = 1e-9  # of a cell: nothing but rounding
_EDGE_M = 5_000.0  # longer edges get vertices before they are moved to another CRS, where they may bend
_EXACT_SEGS = 128  # of a quarter of a circle: cuts 0.003 % of its area off


def require_grid(rasters: Rasters) -> None:
    """Refuse rasters that cannot be summed in one pass.

    Raises
    ------
    CRSError
        If one has no CRS.
    DataError
        If their cells are not the same; names the first that differs.
    """
    first_name, first = next(iter(rasters.items()))
    for name, raster in rasters.items():
        if raster.crs is None:
            raise CRSError(
                f"population: the raster {name!r} has no coordinate reference system; read it with "
                "read_population(..., crs=), for example crs='EPSG:4326' for longitude and latitude"
            )
        corners = np.array([(0, 0), (first.width, 0), (0, first.height)])
        moved = [~first.transform @ (raster.transform @ tuple(corner)) for corner in corners]
        same_size = (raster.width, raster.height) == (first.width, first.height)
        if not same_size or np.abs(np.array(moved) - corners).max() > 1e-3 or raster.crs != first.crs:
            raise DataError(
                f"population: the cells of raster {name!r} ({_grid(raster)}) are not those of {first_name!r} "
                f"({_grid(first)}); bring them onto one grid (for example gdalwarp -t_srs -te -tr with sums "
                "kept, -r sum), or measure each in its own call"
            )


def _grid(raster: PopulationRaster) -> str:
    t = raster.transform
    cells = f"{raster.width} x {raster.height} cells of {t.a:g} x {t.e:g}"
    return f"{cells} from {t.c:g}, {t.f:g}, {raster.crs.name}"


def people_near_each(
    land: Land,
    rasters: Rasters,
    distances: Sequence[float],
    *,
    exact: bool = False,
    executor: Executor | None = None,
) -> Measured:
    """Count the people inside or within distances of each area, in one pass over the rasters.

    Parameters
    ----------
    land
        The areas.
    rasters
        Where people live, by name; of the same grid.
    distances
        Metres; 0 for inside.
    exact
        Draw the land within a distance instead of finding the sum without drawing it.
    executor
        See `tiles.sum_cells`.

    Returns
    -------
    values, notes
        People, shape ``(areas, distances, rasters)``; NaN where there is no geometry or it lies outside.
    """
    questions = list(_of_each(land, _first(rasters), distances, exact=exact))
    found = _summed(rasters, questions, executor)
    shape = (len(land.shapes), len(distances))
    total, known = np.zeros((2, *shape, len(rasters)))
    box = np.full((*shape, 4), np.nan)
    for (ask, d, rows), sums in zip(questions, found.sums, strict=True):
        total[rows, d], known[rows, d] = sums
        box[rows, d] = ask.box if ask.group is None else _united(ask.box, ask.group)
    outside, partly = _edges(box, _first(rasters))
    of_area, missing = shapely.area(land.shapes) > 0, land.missing[:, None]
    wide = np.column_stack([of_area if d == 0 else ~land.missing for d in distances])
    lost = partly[..., None] & (known <= _TINY)  # beside the raster, or only over its empty margin
    outside = (outside[..., None] | lost) & ~missing[..., None]
    partly = partly[..., None] & ~lost
    empty = wide[..., None] & ~outside & (known <= _TINY)
    notes = (*_of_land(land, rasters, distances, outside, partly, empty), *_of_cells(found, rasters))
    return np.where(outside | missing[..., None], np.nan, total), notes


def people_once(
    land: Land,
    group: Ints,
    groups: int,
    rasters: Rasters,
    distances: Sequence[float],
    *,
    first: bool = False,
    executor: Executor | None = None,
) -> Measured:
    """Count everyone inside or within distances of any area of a group, once, in one pass over the rasters.

    Parameters
    ----------
    land
        The areas.
    group
        Which group each area belongs to, from 0.
    groups
        How many there are.
    rasters, distances, executor
        As for `people_near_each`.
    first
        Count everyone in the lowest of the groups that reach them, and in no other.

    Returns
    -------
    values, notes
        People, shape ``(groups, distances, rasters)``; NaN where all of the group lies outside.
    """
    keep = ~land.missing
    here = chosen(land, keep)
    questions = list(_of_groups(here, group[keep], groups, _first(rasters), distances, first=first))
    found = _summed(rasters, questions, executor)
    values = np.zeros((groups, len(distances), len(rasters)))
    for (ask, d, _), sums in zip(questions, found.sums, strict=True):
        part = np.diff(sums.total, axis=0, prepend=0) if first and ask.ground is None else sums.total
        values[: len(part), d] = part
        outside, _ = _edges(ask.box, _first(rasters))
        owner = np.arange(groups) if ask.group is None else ask.group
        apart = np.bincount(owner, ~outside, groups) == 0
        values[apart & (np.bincount(owner, minlength=groups) > 0), d] = np.nan
    return values, _of_cells(found, rasters)


class _Question(NamedTuple):
    """An `Ask`, which of the distances it is about, and whose results it gives."""

    ask: tiles.Ask
    distance: int
    rows: Ints


def _first(rasters: Rasters) -> PopulationRaster:
    return next(iter(rasters.values()))


def _summed(rasters: Rasters, questions: Sequence[_Question], executor: Executor | None) -> tiles.Found:
    layers = [tiles.layer_of(raster) for raster in rasters.values()]
    return tiles.sum_cells(layers, [question.ask for question in questions], executor=executor)


def _of_each(
    land: Land, raster: PopulationRaster, distances: Sequence[float], *, exact: bool
) -> Iterator[_Question]:
    """Ask what is near each area; outlines are traced once for all distances."""
    shapes = _bendable(land.shapes, land.crs, raster.crs)
    everyone = np.arange(len(shapes))
    outlines = traces.traced(shapes, _to_pixels(raster, land.crs))
    near = [(d, within_m) for d, within_m in enumerate(distances) if within_m > 0]
    for d in (d for d, within_m in enumerate(distances) if within_m == 0):
        yield _Question(tiles.Ask(outlines, traces.boxes(outlines)), d, everyone)
    if exact:
        flat, metric = in_metres(land)
        for d, within_m in near:
            drawn = _bendable(shapely.buffer(flat, within_m, quad_segs=_EXACT_SEGS), metric, raster.crs)
            found = traces.traced(drawn, _to_pixels(raster, metric))
            yield _Question(tiles.Ask(found, traces.boxes(found)), d, everyone)
    elif near:
        large = _large(shapes, land.crs)
        rest = np.flatnonzero(~large)
        small = outlines if not large.any() else traces.taken(outlines, rest)
        yield from (_Question(ask, d, rest) for d, ask in _within(small, raster, near))
        if large.any():
            cut, owner = _tiles(shapes[large], land.crs)
            pieces = traces.traced(cut, _to_pixels(raster, land.crs))
            rows = np.flatnonzero(large)
            yield from (_Question(ask, d, rows) for d, ask in _within(pieces, raster, near, owner))


def _of_groups(
    land: Land,
    group: Ints,
    size: int,
    raster: PopulationRaster,
    distances: Sequence[float],
    *,
    first: bool,
) -> Iterator[_Question]:
    """Ask what is near any area of a group."""
    near = [(d, within_m) for d, within_m in enumerate(distances) if within_m > 0]
    rows = np.arange(size)
    for d in (d for d, within_m in enumerate(distances) if within_m == 0):
        joined = _bendable(unions(land.shapes, group, size, first=first), land.crs, raster.crs)
        outlines = traces.traced(joined, _to_pixels(raster, land.crs))
        yield _Question(tiles.Ask(outlines, traces.boxes(outlines)), d, rows)
    if not near:
        return
    shapes = _bendable(land.shapes, land.crs, raster.crs)
    large = _large(shapes, land.crs)
    if large.any():
        cut, owner = _tiles(shapes[large], land.crs)
        shapes = np.concatenate([shapes[~large], cut])
        group = np.concatenate([group[~large], group[large][owner]])
    outlines = traces.traced(shapes, _to_pixels(raster, land.crs))
    for d, ask in _within(outlines, raster, near, group, first=first):
        yield _Question(ask, d, rows)


def _within(
    outlines: traces.Traces,
    raster: PopulationRaster,
    near: Iterable[tuple[int, float]],
    group: Ints | None = None,
    *,
    first: bool = False,
) -> Iterator[tuple[int, tiles.Ask]]:
    """Ask what is within distances of outlines, or of any outline of a group."""

    def metric(places: Floats) -> Floats:
        return space.ground_metric(raster.crs, raster.transform, places)

    ground = traces.grounded(outlines, metric)
    deepest = float(ground.metric[:, 2].max(initial=1.0))
    for d, within_m in near:
        yield (
            d,
            tiles.Ask(
                traces.thinned(outlines, ground, within_m * reach.THIN),
                reach.reach_boxes(ground, within_m),
                within_m,
                ground,
                group,
                first,
                reach.lines_of(deepest, within_m),
            ),
        )


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
    for row, sums in tiles.strips(raster, block):
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


def _of_land(
    land: Land, rasters: Rasters, distances: Sequence[float], outside: Mask, partly: Mask, empty: Mask
) -> Notes:
    """Note what is unknown about areas; masks of shape ``(areas, distances, rasters)``."""
    order = {name: k for k, name in enumerate(rasters)}
    notes: dict[Note, None] = {}
    for d, within_m in enumerate(distances):
        reached = f" within {within_m:g} m" if len(distances) > 1 else ""

        def said(name: str, d: int = d, reached: str = reached) -> Notes:
            k, which = order.get(name, 0), f" {name!r}" if name else ""
            raster = f"outside the population raster{which}{reached}"
            cells = f"over cells{which} without a value{reached}"
            return unknown(
                land.names,
                (
                    (outside[:, d, k], f"wholly {raster}", "people unknown"),
                    (partly[:, d, k], f"partly {raster}", "the known part counted"),
                    (empty[:, d, k], cells, "no population data, counted as 0"),
                ),
            )

        same = all((mask[:, d] == mask[:, d, :1]).all() for mask in (outside, partly, empty))
        notes.update(dict.fromkeys(note for name in ([""] if same else order) for note in said(name)))
    return tuple(notes)


def _of_cells(found: tiles.Found, rasters: Rasters) -> Notes:
    """Note what is wrong with the cells read."""
    notes = []
    for name, negative, known in zip(rasters, found.cells_negative, found.cells_known, strict=True):
        which = f" of {name!r}" if len(rasters) > 1 else ""
        if negative:
            share = 100 * negative / found.cells_read
            text = (
                f"{many(negative, 'cell')}{which} below 0 ({share:.2g} % of those read): counted as no people"
            )
            notes.append(Note("population", "repaired", text, int(negative)))
        if found.cells_read and not known:
            text = (
                f"none of the {found.cells_read:,} cells read{which} has a value: nobody is counted; check "
                "the raster's value for no data, and that it shows this country"
            )
            notes.append(Note("population", "unknown", text, found.cells_read))
    return tuple(notes)


def _edges(box: Floats, raster: PopulationRaster) -> tuple[Mask, Mask]:
    """Say which areas lie wholly, and which partly outside the raster."""
    left, top, right, bottom = np.moveaxis(box, -1, 0)
    outside = (right <= 0) | (bottom <= 0) | (left >= raster.width) | (top >= raster.height)
    inside = (left >= 0) & (top >= 0) & (right <= raster.width) & (bottom <= raster.height)
    return outside, ~outside & ~inside & ~np.isnan(left)


def _to_pixels(raster: PopulationRaster, crs: pyproj.CRS) -> Callable[[Floats], Floats]:
    back = ~raster.transform

    def move(xy: Floats) -> Floats:
        flat = np.ascontiguousarray(space.project_xy(xy, crs, raster.crs))
        return np.asarray(traces.moved(flat, *back[:6]))

    return move


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


def _tiles(areas: Shapes, crs: pyproj.CRS) -> tuple[Shapes, Ints]:
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


def _united(box: Floats, owner: Ints) -> Floats:
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    low, high = np.minimum.reduceat(box, first), np.maximum.reduceat(box, first)
    return np.column_stack([low[:, :2], high[:, 2:]])
