"""District totals spread over where people live: over a raster, or over settlements.

Each cell or settlement of a district gets its share of the district's people in proportion to its weight,
so that what a district gives adds up to its total.
"""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from ccm_geo import io, space
from ccm_geo.errors import DataError
from ccm_geo.schemas import Note, PopulationRaster, notes_of

from . import _grids
from ._counts import counts, many

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Shapes = npt.NDArray[Any]

_WHOLE = 1 - 1e-6  # of a district: less is beside the raster
_APART = 1e-6  # of a total: less is rounding
_A_PERSON = 0.5  # fewer differ by rounding
_NAMES = ("name", "adm2", "adm1", "code")
_SHOWN = 5


class _Totals(NamedTuple):
    """Districts with the people to be spread."""

    shapes: Shapes
    people: Floats
    """Shape ``(districts, columns)``; NaN where unknown."""
    names: npt.NDArray[Any]
    columns: tuple[str, ...]


def split_people(
    districts: gpd.GeoDataFrame,
    over: PopulationRaster | gpd.GeoDataFrame,
    *,
    columns: str | Sequence[str] = "people",
    path: str | os.PathLike[str] | None = None,
    weight: str = "people",
    blank: Literal["unknown", "median"] = "unknown",
    without_weight: Literal["evenly", "unknown"] = "evenly",
) -> PopulationRaster | dict[str, PopulationRaster] | gpd.GeoDataFrame:
    """Spread the people of districts over a raster or over settlements, keeping every total.

    Parameters
    ----------
    districts
        Polygons in any CRS with their number of people; a blank is unknown, and stays so.
    over
        Where in a district people live: a raster from `read_population` whose cells are weights (another
        population raster, built-up land), or settlements (points; of areas a point inside counts). What is an
        intensity and not an amount, such as night light, is read with ``unit="people_per_km2"``, so that
        a larger cell weighs more.
    columns
        The column of `districts` with the people, or several, such as women, girls, boys and men; all are
        spread by the same weights.
    path
        The GeoTIFF to write, where `over` is a raster.
    weight
        The column of settlements that says how large they are.
    blank
        What becomes of settlements whose `weight` is blank: their people stay ``unknown`` and the others
        share the whole total; or they weigh as the ``median`` of those known in the district (of all, where
        none is; all alike, where none is at all). Where only towns have a number, the median makes towns of
        villages.
    without_weight
        What becomes of the people of districts without any weight inside: spread ``evenly`` over its land
        (among settlements the district itself is added, as an area), or left ``unknown``.

    Returns
    -------
    PopulationRaster, dict of str to PopulationRaster, or geopandas.GeoDataFrame
        Over a raster, the file at `path`, on the same grid, people per cell, no value where unknown; a
        mapping from column to raster (one band each) where `columns` is a list. Over settlements, the
        settlements with `columns`, on the same index, and columns ``split_weight`` (the weight used) and
        ``split_assumed`` (whether the weight was blank). What was assumed or left out stands in the notes.

    Raises
    ------
    DataError
        If a column is absent, not a number or below 0, or `path` is missing or out of place.
    CRSError
        If a layer has no CRS or the two lie apart.
    SourceError
        If a raster cannot be read or written.

    Notes
    -----
    With ``T_d`` the people of district ``d`` and ``s_cd`` the share of the area of cell ``c`` in it, the cell
    gets the sum over districts of ``T_d w_c s_cd / sum_k(w_k s_kd)``. What a district gives adds up to
    its total, and the sum over all cells to the sum of the totals (1e-6, cells are float32). A cell that a
    border cuts holds people of both sides, which nothing measured afterwards can tell apart: the notes
    say by how much a district then differs at most. A cell without a weight value stays without a value.
    Strips of at most 4 million cells (one row of 256-cell tiles, where that is more) are held at once.

    Examples
    --------
    >>> from shapely import Point, box
    >>> province = gpd.GeoDataFrame({"people": [90.0]}, geometry=[box(0, 0, 2, 2)], crs=4326)
    >>> villages = gpd.GeoDataFrame({"people": [1, 3, None]}, geometry=[Point(1, y) for y in (0.5, 1, 1.5)],
    ...                             crs=4326)
    >>> split_people(province, villages)["people"].tolist()
    [22.5, 67.5, nan]
    >>> split_people(province, villages, blank="median")["people"].tolist()
    [15.0, 45.0, 30.0]
    """
    one = isinstance(columns, str)
    names = (columns,) if isinstance(columns, str) else tuple(columns)
    totals, notes = _required(districts, over, names)
    for value, allowed, what in (
        (blank, ("unknown", "median"), "blank"),
        (without_weight, ("evenly", "unknown"), "without_weight"),
    ):
        if value not in allowed:
            raise DataError(
                f"districts: {what}={value!r} is unknown; it is {' or '.join(map(repr, allowed))}"
            )
    if isinstance(over, PopulationRaster):
        rasters = _over_raster(districts, totals, over, path, without_weight, notes)
        return rasters[names[0]] if one else rasters
    if path is not None:
        raise DataError("districts: path= is where a raster is written; settlements come back as a table")
    return _over_settlements(districts, totals, over, (weight, blank, without_weight), notes)


def _required(
    districts: gpd.GeoDataFrame, over: PopulationRaster | gpd.GeoDataFrame, columns: tuple[str, ...]
) -> tuple[_Totals, list[Note]]:
    """Check both layers, mend outlines, and tell what is unknown."""
    for layer, table in ((districts, "districts"), (over, "population")):
        if not isinstance(layer, (gpd.GeoDataFrame, PopulationRaster)):
            raise DataError(
                f"{table}: a table with geometry is needed, not {type(layer).__name__}; use read_*"
            )
    crs = space.require_crs(districts, "districts")
    theirs = (
        space.lonlat_bounds(over.bounds, over.crs)
        if isinstance(over, PopulationRaster)
        else space.lonlat_bounds(over.total_bounds, space.require_crs(over, "population"))
    )
    space.require_overlap(
        space.lonlat_bounds(districts.total_bounds, crs), theirs, ("districts", "population")
    )
    people = counts(districts, columns, "districts").to_numpy(dtype=float)
    name = next((one for one in _NAMES if one in districts.columns), None)
    names = (districts.index if name is None else districts[name]).to_numpy()
    shapes = districts.geometry.to_numpy().copy()
    bad = np.asarray(~(shapely.is_valid(shapes) | shapely.is_missing(shapes)))
    shapes[bad] = shapely.make_valid(shapes[bad], method="structure", keep_collapsed=False)
    totals = _Totals(shapes, people, names, columns)
    flat = np.asarray(shapely.area(shapes) > 0)
    notes: list[Note] = []
    _tell(notes, totals, bad, "repaired", "an invalid outline is made valid")
    _tell(notes, totals, ~flat, "set aside", "not an area: its people are not in the result")
    _tell(
        notes,
        totals,
        np.isnan(people).any(axis=1),
        "unknown",
        "the number of people is blank: it stays unknown",
    )
    return totals._replace(people=np.where(flat[:, None], people, np.nan)), notes


def _some(totals: _Totals) -> Mask:
    """Mark districts that have people to spread."""
    return np.asarray((np.nan_to_num(totals.people) > 0).any(axis=1))


def _tell(notes: list[Note], totals: _Totals, which: Mask, kind: str, text: str) -> None:
    """Note something about some districts, with their names and people."""
    count = int(which.sum())
    if not count:
        return
    shown = ", ".join(str(name) for name in totals.names[which][:_SHOWN])
    more = ", ..." if count > _SHOWN else ""
    people = np.nansum(totals.people[which, 0])
    who = f"{many(count, 'district')} ({shown}{more}) with {people:,.0f} {totals.columns[0]}"
    notes.append(Note("population", kind, f"{who}: {text}", count))


def _over_raster(
    districts: gpd.GeoDataFrame,
    totals: _Totals,
    over: PopulationRaster,
    path: str | os.PathLike[str] | None,
    without_weight: str,
    notes: list[Note],
) -> dict[str, PopulationRaster]:
    if path is None:
        raise DataError("districts: name the GeoTIFF to write with path=")
    _grids.require_writable(over, path)
    grid = _grids.grid(totals.shapes, space.require_crs(districts, "districts"), over)
    found = _grids.find(grid)
    known, beside = _some(totals), found.size <= 0
    bare = known & ~beside & (found.weight <= 0)
    evenly = bare & (without_weight == "evenly")
    _tell(
        notes, totals, known & beside, "set aside", "outside the raster: these people are not in the result"
    )
    _tell(notes, totals, evenly, "assumed", "no weight inside: spread evenly over the land")
    _tell(notes, totals, bare & ~evenly, "unknown", "no weight inside: left unknown, not in the result")
    partly = known & ~beside & (found.inside < _WHOLE)
    _tell(
        notes,
        totals,
        partly,
        "assumed",
        "partly outside the raster: all are spread over the part inside",
    )
    if found.negative:
        text = f"{many(found.negative, 'cell')} with a weight below 0: counted as no weight"
        notes.append(Note("population", "repaired", text, found.negative))
    if found.shared:
        text = f"districts overlap in {many(found.shared, 'cell')}: the people of each are counted there"
        notes.append(Note("population", "advice", text, found.shared))
    nobody = ~known & ~np.isnan(totals.people).any(axis=1) & (found.weight <= 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        by_weight = np.where((found.weight > 0)[:, None], totals.people / found.weight[:, None], np.nan)
        by_land = np.where((evenly | nobody)[:, None], totals.people / found.size[:, None], np.nan)
    measured = _grids.write(grid, path, totals.columns, by_weight, by_land)
    spread = ~np.isnan(by_weight) | ~np.isnan(by_land)
    _tell_apart(notes, totals, np.where(spread, measured, np.nan))
    kept = (*notes_of(districts, over), *notes)
    sources = (*districts.attrs.get("source", ()), *over.source)
    return {column: _described(path, band, kept, sources) for band, column in enumerate(totals.columns, 1)}


def _tell_apart(notes: list[Note], totals: _Totals, measured: Floats) -> None:
    """Note how many people are measured in another district than they came from, through cut cells."""
    total = totals.people[:, 0]
    apart = np.nan_to_num(np.abs(measured[:, 0] - total))
    many_apart = apart > _APART * np.nan_to_num(total)
    if apart.sum() < _A_PERSON:
        return
    worst = int(apart.argmax())
    text = (
        "cells cut by a border hold people of both sides: measured again, districts differ from their totals "
        f"by {apart.sum():,.0f} people in sum ({apart.sum() / np.nansum(total):.2%}), {totals.names[worst]} "
        f"most, by {apart[worst]:,.0f} of {total[worst]:,.0f}; the sum over all cells is that of the totals"
    )
    notes.append(Note("population", "advice", text, int(many_apart.sum())))


def _described(
    path: str | os.PathLike[str], band: int, notes: tuple[Note, ...], sources: tuple[dict[str, Any], ...]
) -> PopulationRaster:
    written = io.read_population(path, band=band)
    assert isinstance(written, PopulationRaster)  # noqa: S101 - for the type checker: a GeoTIFF is a raster
    return dataclasses.replace(written, notes=notes, source=(*written.source, *sources))


def _over_settlements(
    districts: gpd.GeoDataFrame,
    totals: _Totals,
    over: gpd.GeoDataFrame,
    chosen: tuple[str, str, str],
    notes: list[Note],
) -> gpd.GeoDataFrame:
    column, blank, without_weight = chosen
    weight = counts(over, [column], "population")[column].to_numpy()
    place, district = _inside(districts, totals, over)
    filled = weight.copy()
    unknown = np.isnan(weight)
    if blank == "median":
        filled = _filled(weight, place, district)
    given = np.nan_to_num(filled)
    sums = np.bincount(district, given[place], minlength=len(totals.shapes))
    share = np.divide(given[place], sums[district], out=np.zeros(len(place)), where=sums[district] > 0)
    people = _added(share[:, None] * totals.people[district], place, len(over))
    people[np.isnan(filled)] = np.nan
    bare = (sums <= 0) & _some(totals)
    evenly = bare & (without_weight == "evenly")
    _tell(notes, totals, evenly, "assumed", "no weight inside: spread evenly over the land, as an area")
    _tell(notes, totals, bare & ~evenly, "unknown", "no weight inside: left unknown, not in the result")
    _tell_places(notes, over, (unknown, np.isnan(filled)), place, people)
    fresh = dict(zip(totals.columns, people.T, strict=True))
    result = over.assign(**fresh, split_weight=filled, split_assumed=unknown & ~np.isnan(filled))
    if evenly.any():
        result = _with_areas(result, districts[evenly], totals.columns)
    result.attrs = {
        "notes": (*notes_of(districts, over), *notes),
        "source": [*districts.attrs.get("source", []), *over.attrs.get("source", [])],
    }
    return result


def _inside(
    districts: gpd.GeoDataFrame, totals: _Totals, over: gpd.GeoDataFrame
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Find the districts of every settlement, as pairs; one on a border lies in both."""
    spots = shapely.point_on_surface(space.project(over, districts.crs).to_numpy())
    place, district = shapely.STRtree(totals.shapes).query(spots, predicate="intersects")
    return place, district


def _filled(weight: Floats, place: npt.NDArray[np.int64], district: npt.NDArray[np.int64]) -> Floats:
    """Give blank weights the median of their district, or of all where the district knows none."""
    everywhere = np.nan if np.isnan(weight).all() else np.nanmedian(weight)
    middle = pd.Series(weight[place]).groupby(district).median()
    filled = weight.copy()
    blank = np.isnan(weight[place])
    filled[place[blank]] = middle.reindex(district[blank]).fillna(1.0 if np.isnan(everywhere) else everywhere)
    return filled


def _added(parts: Floats, place: npt.NDArray[np.int64], size: int) -> Floats:
    """Add up by settlement; unknown where nothing known is added."""
    frame = pd.DataFrame(parts).groupby(place).sum(min_count=1)
    return frame.reindex(range(size)).to_numpy(dtype=float, copy=True)


def _tell_places(
    notes: list[Note],
    over: gpd.GeoDataFrame,
    blank: tuple[Mask, Mask],
    place: npt.NDArray[np.int64],
    people: Floats,
) -> None:
    """Note settlements outside all districts, and those whose weight was blank."""
    outside = np.ones(len(over), dtype=bool)
    outside[place] = False
    assumed = blank[0] & ~blank[1]
    given = np.nansum(people[assumed, 0])
    for which, kind, text in (
        (outside, "unknown", "in no district: people unknown"),
        (
            assumed,
            "assumed",
            f"of blank weight, taken as the median of the district (else of all): {given:,.0f} people",
        ),
        (blank[1] & ~outside, "unknown", "of blank weight: people unknown, the others share the whole total"),
    ):
        if which.any():
            count = int(which.sum())
            notes.append(Note("population", kind, f"{many(count, 'settlement')} {text}", count))


def _with_areas(
    settlements: gpd.GeoDataFrame, districts: gpd.GeoDataFrame, columns: tuple[str, ...]
) -> gpd.GeoDataFrame:
    """Append districts, as areas, to their settlements."""
    areas = gpd.GeoDataFrame(districts[list(columns)], geometry=space.project(districts, settlements.crs))
    for name in _NAMES:
        if name in districts.columns and name in settlements.columns:
            areas[name] = districts[name]
    areas["split_weight"], areas["split_assumed"] = np.nan, False
    whole = pd.api.types.is_integer_dtype(settlements.index)
    start = int(settlements.index.max()) + 1 if whole and len(settlements) else 0
    areas.index = (
        pd.RangeIndex(start, start + len(areas))
        if whole
        else pd.Index([f"district {label}" for label in districts.index])
    )
    where = settlements.active_geometry_name
    areas = areas.rename(columns={"geometry": where}).set_geometry(where)
    return gpd.GeoDataFrame(pd.concat([settlements, areas]), geometry=where, crs=settlements.crs)
