"""What is near a hazard: accidents and facilities; and where people live, as points."""

from collections.abc import Iterable

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from ccm_geo import space
from ccm_geo.errors import DataError
from ccm_geo.schemas import Note, PopulationRaster, notes_of, rows_of_kind

from . import rasters, tables
from .land import Areas, Land, in_metres, mended
from .near import People, require_near
from .notes import Floats, Ints, Notes, many, nowhere


def accidents_near(
    hazards: Areas, accidents: gpd.GeoDataFrame, *, within_m: float = 1_000
) -> "pd.Series[float]":
    """Count the accidents inside each hazard or within a distance of it.

    Parameters
    ----------
    hazards
        Areas, in any CRS.
    accidents
        Points, one row per accident.
    within_m
        Distance from the area's outline, metres; 0 counts the accidents inside.

    Returns
    -------
    pandas.Series
        ``accidents_near``, whole numbers as float, on the index of `hazards`; NaN where the hazard has no
        geometry. An accident near two hazards counts for both; ``.attrs["notes"]`` says how many are near
        none, or have no place.

    Raises
    ------
    CRSError
        If a layer has no CRS or the two lie apart.
    DataError
        If `within_m` is negative.

    Examples
    --------
    >>> from shapely import Point, box
    >>> place = [Point(5e5, 2e6), Point(6e5, 2e6)]
    >>> seen = gpd.GeoDataFrame({"accident_id": [1, 2]}, geometry=place, crs=32648)
    >>> field = gpd.GeoSeries([box(500_500, 2e6, 500_600, 2_000_100)], crs=32648)
    >>> accidents_near(field, seen).tolist()
    [1.0]
    """
    land, notes = _required(hazards, accidents, "accidents", within_m)
    hazard, accident = _pairs(land, accidents, within_m)
    counts = _counted(hazard, land)
    lost = int(nowhere(accidents.geometry.to_numpy()).sum())
    apart = len(accidents) - lost - len(np.unique(accident))
    if lost:
        text = f"{many(lost, 'accident')} without a place: near no hazard"
        notes = (*notes, Note("accidents", "unknown", text, lost))
    if apart:
        text = f"{many(apart, 'accident')} of {len(accidents)} near no hazard (within {within_m:g} m)"
        notes = (*notes, Note("accidents", "advice", text, apart))
    return _series(counts, hazards, "accidents_near", notes)


def facilities_near(
    hazards: Areas,
    facilities: gpd.GeoDataFrame,
    *,
    within_m: float = 5_000,
    kind: str | Iterable[str] | None = None,
) -> "pd.Series[float]":
    """Count the facilities, such as schools or clinics, inside each hazard or within a distance of it.

    Parameters
    ----------
    hazards
        Areas, in any CRS.
    facilities
        Points (or outlines), one row per facility.
    within_m
        Distance from the area's outline, metres.
    kind
        Count only this kind, or these kinds, of the column ``kind``.

    Returns
    -------
    pandas.Series
        ``facilities_near``, whole numbers as float, on the index of `hazards`; NaN where the hazard has no
        geometry.

    Raises
    ------
    CRSError
        If a layer has no CRS or the two lie apart.
    DataError
        If `within_m` is negative or no facility is of this kind.

    Examples
    --------
    >>> from shapely import Point, box
    >>> place = [Point(5e5, 2e6), Point(5e5, 2_000_500)]
    >>> found = gpd.GeoDataFrame({"kind": ["school", "clinic"]}, geometry=place, crs=32648)
    >>> field = gpd.GeoSeries([box(500_500, 2e6, 500_600, 2_000_100)], crs=32648)
    >>> facilities_near(field, found, within_m=1_000, kind="clinic").tolist()
    [1.0]
    """
    chosen = rows_of_kind(facilities, kind)
    land, notes = _required(hazards, chosen, "facilities", within_m)
    hazard, _ = _pairs(land, chosen, within_m)
    counts = _counted(hazard, land)
    return _series(counts, hazards, "facilities_near", notes)


def population_cells(people: People, *, cell_m: float = 5_000) -> gpd.GeoDataFrame:
    """Summarize where people live as one point per block of about this size.

    Parameters
    ----------
    people
        As for `people_near`.
    cell_m
        Side of a block, metres; a raster's block is the nearest whole number of cells.

    Returns
    -------
    geopandas.GeoDataFrame
        ``people`` and a point, the middle of the block's people, in the CRS of `people`; blocks without
        people are left out. The sum of ``people`` is that of the whole layer.

    Raises
    ------
    DataError
        If `cell_m` is not positive.

    Examples
    --------
    >>> from shapely import Point
    >>> place = [Point(5e5, 2e6), Point(500_010, 2e6)]
    >>> village = gpd.GeoDataFrame({"people": [30, 10]}, geometry=place, crs=32648)
    >>> population_cells(village).people.tolist()
    [40.0]
    """
    if not cell_m > 0:
        raise DataError(f"cell_m must be a positive number of metres, not {cell_m}")
    xy, count = (
        rasters.blocks(people, cell_m)
        if isinstance(people, PopulationRaster)
        else tables.bins(people, cell_m)
    )
    cells = gpd.GeoDataFrame({"people": count}, geometry=shapely.points(xy), crs=people.crs)
    cells.attrs["notes"] = notes_of(people)
    return cells


def _required(hazards: Areas, places: gpd.GeoDataFrame, name: str, within_m: float) -> tuple[Land, Notes]:
    """Refuse input on which the measure would be wrong, and mend the hazards."""
    if not within_m >= 0:
        raise DataError(f"within_m must be 0 (inside) or a positive number of metres, not {within_m}")
    space.require_crs(hazards, "hazards")
    require_near(hazards, places, name)
    return mended(hazards)


def _pairs(land: Land, places: gpd.GeoDataFrame, within_m: float) -> tuple[Ints, Ints]:
    flat, metric = in_metres(land)
    return tables.pairs(flat, space.project(places, metric).to_numpy(), within_m)


def _counted(hazard: Ints, land: Land) -> Floats:
    return np.where(land.missing, np.nan, np.bincount(hazard, minlength=len(land.shapes)).astype(float))


def _series(values: Floats, hazards: Areas, name: str, notes: Notes) -> "pd.Series[float]":
    out = pd.Series(values, index=hazards.index, name=name)
    out.attrs["notes"] = notes
    return out
