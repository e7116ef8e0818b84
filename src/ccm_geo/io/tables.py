"""Reading the tables of a plan, whatever file they come in; faults are told, repairs are counted."""

import os
from collections.abc import Mapping
from typing import Any, Literal

import geopandas as gpd
import pandas as pd

from ccm_geo import _columns
from ccm_geo.schemas import PopulationRaster

from . import advice, rasters, repair, rounds
from .columns import Values, Where
from .findings import Findings
from .pipeline import Ask, read_table
from .sources import PathLike, Source

# ruff: noqa: PLR0913 - every option is one thing a planner may have to say about a file


def read_hazards(
    source: Source,
    *,
    layer: str | None = None,
    rename: Mapping[str, str] | None = None,
    values: Values | None = None,
    crs: Any = None,
    assume: Mapping[str, Any] | None = None,
    where: Where | None = None,
    radius_m: float | None = None,
    lon: str | None = None,
    lat: str | None = None,
    wkt: str | None = None,
    repeats: Literal["drop", "keep"] | None = None,
    strict: bool = False,
) -> gpd.GeoDataFrame:
    """Read recorded hazardous areas, mended, measured and checked.

    Parameters
    ----------
    source
        A path, a (path, layer) pair, a list of either, or a table in memory. GeoPackage, Shapefile, GeoJSON,
        TopoJSON, FlatGeobuf, KML and KMZ, file geodatabase, GeoParquet, SQLite, CSV and Excel, also zipped;
        or a PostGIS database, ``postgresql://user@host/database`` with ``layer="schema.table"``.
    layer
        Which layer or sheet, where the file has several.
    rename
        Their column -> ours. Headings of known systems (IMSMA, MACCA, IOM DTM, UNHCR, OCHA) need none.
    values
        Column -> {their code: ours}, for example ``{"hazard_class": {"Suspected": "SHA"}}``.
    crs
        Coordinate reference system, where the file has none.
    assume
        Column -> value that holds where the file does not say, for example
        ``{"hazard_class": "SHA", "status": "open"}``.
    where
        Column -> value or values to keep, or a function from the table to a mask. What it leaves out is
        counted.
    radius_m
        Turns points and lines into areas of that radius, metres.
    lon, lat, wkt
        Columns with longitude and latitude (or x and y) or well-known text, where their headings do not say
        so.
    repeats
        ``drop`` or ``keep`` records repeated in full. By default they are dropped, except single points
        without an id, where nothing tells a record written twice from two.
    strict
        Refuse what would be mended or set aside.

    Returns
    -------
    geopandas.GeoDataFrame
        Columns of ``describe("hazards")`` and all others of the file, and ``area_m2``, the measured area.
        Polygons are valid, their shells counter-clockwise. What was mended, set aside, dropped or assumed
        stands in ``.attrs["notes"]``, the files and their hashes in ``.attrs["source"]``.

    Raises
    ------
    DataError
        With all faults in ``.failures``: unknown codes, text for numbers, negative areas, unreadable dates,
        blank ids, missing columns.
    CRSError
        If the CRS is missing or cannot be true.
    SourceError
        If the file or layer cannot be read.

    Examples
    --------
    An outline that crosses itself is mended, and the note says so.

    >>> from shapely import Polygon
    >>> bow = Polygon([(18, 44), (18.001, 44.001), (18.001, 44), (18, 44.001)])
    >>> found = gpd.GeoDataFrame({"hazard_id": ["A"], "status": ["Open"]}, geometry=[bow], crs="EPSG:4326")
    >>> hazards = read_hazards(found, assume={"hazard_class": "SHA"})
    >>> hazards["status"][0], round(hazards["area_m2"][0])
    ('open', 4456)
    >>> [note.kind for note in hazards.attrs["notes"]]
    ['repaired', 'assumed']
    """
    ask = Ask(
        layer=layer,
        rename=rename,
        values=values,
        crs=crs,
        assume=assume,
        where=where,
        radius_m=radius_m,
        lon=lon,
        lat=lat,
        wkt=wkt,
        repeats=repeats,
        strict=strict,
    )
    return read_table(source, _columns.HAZARDS, ask, finish=_measured)


def _measured(frame: pd.DataFrame, found: Findings) -> pd.DataFrame:
    layer, metric = repair.sized(gpd.GeoDataFrame(frame), found)
    advice.on_hazards(layer, metric, found)
    advice.on_strays(layer, found)
    return layer


def read_population(
    source: Source,
    *,
    unit: Literal["people", "people_per_km2"] = "people",
    band: int = 1,
    layer: str | None = None,
    rename: Mapping[str, str] | None = None,
    values: Values | None = None,
    crs: Any = None,
    assume: Mapping[str, Any] | None = None,
    where: Where | None = None,
    lon: str | None = None,
    lat: str | None = None,
    wkt: str | None = None,
    strict: bool = False,
) -> PopulationRaster | gpd.GeoDataFrame:
    """Read where people live: a raster, or settlements or areas with a number of people.

    Parameters
    ----------
    source
        A GeoTIFF or ASCII grid, which is only described and read when it is measured; or a table as in
        `read_hazards`, with a column ``people``.
    unit
        What a raster's cells hold: ``people`` (per cell, as WorldPop has it) or ``people_per_km2``.
    band
        Which band of a raster, counted from 1.
    layer, rename, values, crs, assume, where, lon, lat, wkt, strict
        As in `read_hazards`. Of OpenStreetMap, keep settlements alone, for example
        ``where={"TAG": "place", "VALUE": ["city", "town", "village", "hamlet"]}``: places of country or
        region carry totals.

    Returns
    -------
    PopulationRaster or geopandas.GeoDataFrame
        A table has the column ``people``; a blank there stays unknown (NaN), since it is not zero.

    Raises
    ------
    DataError
        If a table has faults, the raster no such band, or the unit is unknown.
    CRSError
        If the CRS is missing or cannot be true.
    SourceError
        If the file cannot be read.

    Examples
    --------
    >>> table = pd.DataFrame({"lon": [18.1, 18.2], "lat": [44.1, 44.2], "population": ["1 200", ""]})
    >>> read_population(table)["people"].tolist()
    [1200.0, nan]
    """
    if isinstance(source, (str, os.PathLike)) and rasters.is_raster(source):
        return rasters.describe_raster(source, unit=unit, band=band, crs=crs)
    ask = Ask(
        layer=layer,
        rename=rename,
        values=values,
        crs=crs,
        assume=assume,
        where=where,
        lon=lon,
        lat=lat,
        wkt=wkt,
        repeats="drop",
        strict=strict,
    )
    return read_table(source, _columns.POPULATION, ask, finish=_peopled)


def _peopled(frame: pd.DataFrame, found: Findings) -> pd.DataFrame:
    advice.on_whole_population(frame["people"], found)
    advice.on_strays(gpd.GeoDataFrame(frame), found)
    return frame


def read_accidents(
    source: Source,
    *,
    admin: PathLike | tuple[PathLike, str] | gpd.GeoDataFrame | None = None,
    layer: str | None = None,
    rename: Mapping[str, str] | None = None,
    values: Values | None = None,
    crs: Any = None,
    assume: Mapping[str, Any] | None = None,
    where: Where | None = None,
    lon: str | None = None,
    lat: str | None = None,
    wkt: str | None = None,
    repeats: Literal["drop", "keep"] | None = None,
    strict: bool = False,
) -> gpd.GeoDataFrame:
    """Read accidents, without anything that names a victim.

    Parameters
    ----------
    source, layer, rename, values, crs, assume, where, lon, lat, wkt, repeats, strict
        As in `read_hazards`. Without an id, records repeated in full are kept unless ``repeats="drop"``: two
        accidents of a day at a municipal seat look like one written twice.
    admin
        Administrative areas; points outside all of them are counted in a note and kept.

    Returns
    -------
    geopandas.GeoDataFrame
        Columns of ``describe("accidents")`` and the others of the file, except those with personal data.

    Raises
    ------
    DataError, CRSError, SourceError
        As in `read_hazards`.

    Examples
    --------
    >>> table = pd.DataFrame({"lon": [18.1], "lat": [44.1], "killed": [1], "victim_name": ["N. N."]})
    >>> accidents = read_accidents(table)
    >>> "victim_name" in accidents, accidents.attrs["notes"][0].text
    (False, "columns with personal data are dropped at the door: 'victim_name'")
    """
    ask = Ask(
        layer=layer,
        rename=rename,
        values=values,
        crs=crs,
        assume=assume,
        where=where,
        lon=lon,
        lat=lat,
        wkt=wkt,
        repeats=repeats,
        strict=strict,
    )
    areas = None if admin is None else read_admin(admin)

    def finish(frame: pd.DataFrame, found: Findings) -> pd.DataFrame:
        layer = gpd.GeoDataFrame(frame)
        advice.on_points(layer, found)
        advice.on_strays(layer, found)
        if areas is not None:
            advice.on_admin(layer, areas, found)
        return frame

    return read_table(source, _columns.ACCIDENTS, ask, finish=finish)


def read_displacement(
    source: Source,
    *,
    admin: PathLike | tuple[PathLike, str] | gpd.GeoDataFrame | None = None,
    level: int | None = None,
    layer: str | None = None,
    rename: Mapping[str, str] | None = None,
    values: Values | None = None,
    crs: Any = None,
    assume: Mapping[str, Any] | None = None,
    where: Where | None = None,
    lon: str | None = None,
    lat: str | None = None,
    wkt: str | None = None,
    repeats: Literal["drop", "keep"] | None = None,
    strict: bool = False,
) -> gpd.GeoDataFrame:
    """Read displaced and returning people: one administrative level, the latest round of each operation.

    Parameters
    ----------
    source, layer, rename, values, crs, assume, where, lon, lat, wkt, repeats, strict
        As in `read_hazards`. Tables of IOM DTM and of UNHCR are known by their headings; the latter have a
        column per group and become one row per group.
    admin
        Administrative areas with a column of codes; they give the place of each ``origin_code``.
    level
        Administrative level to keep, where the table mixes levels; the deepest by default.

    Returns
    -------
    geopandas.GeoDataFrame
        Columns of ``describe("displacement")`` and the others of the source; ``geometry`` is the site, or
        None; with `admin`, ``origin`` is the area they come from, in the same CRS, None where the code is
        not there.

    Raises
    ------
    DataError, CRSError, SourceError
        As in `read_hazards`.

    Examples
    --------
    >>> table = pd.DataFrame({"place_id": "camp", "group": "idp", "people": [90, 60], "round": [1, 2]})
    >>> read_displacement(table)["people"].tolist()
    [60.0]
    """
    ask = Ask(
        layer=layer,
        rename=rename,
        values=values,
        crs=crs,
        assume=assume,
        where=where,
        lon=lon,
        lat=lat,
        wkt=wkt,
        repeats=repeats,
        strict=strict,
    )
    areas = None if admin is None else read_admin(admin)

    def finish(frame: pd.DataFrame, found: Findings) -> pd.DataFrame:
        return rounds.placed(rounds.latest(frame, level, found), areas, found)

    return read_table(source, _columns.DISPLACEMENT, ask, reshape=rounds.by_group, finish=finish)


def read_roads(
    source: Source,
    *,
    layer: str | None = None,
    rename: Mapping[str, str] | None = None,
    values: Values | None = None,
    crs: Any = None,
    assume: Mapping[str, Any] | None = None,
    where: Where | None = None,
    wkt: str | None = None,
    repeats: Literal["drop", "keep"] | None = None,
    strict: bool = False,
) -> gpd.GeoDataFrame:
    """Read roads and tracks.

    Parameters
    ----------
    source, layer, rename, values, crs, assume, where, wkt, repeats, strict
        As in `read_hazards`.

    Returns
    -------
    geopandas.GeoDataFrame
        Columns of ``describe("roads")`` and the others of the file; speeds that are no number are unknown.

    Raises
    ------
    DataError, CRSError, SourceError
        As in `read_hazards`.

    Examples
    --------
    >>> from shapely import LineString
    >>> line = LineString([(18, 44), (18.1, 44)])
    >>> found = gpd.GeoDataFrame({"highway": ["track"]}, geometry=[line], crs="EPSG:4326")
    >>> read_roads(found)["road_class"][0]
    'track'
    """
    ask = Ask(
        layer=layer,
        rename=rename,
        values=values,
        crs=crs,
        assume=assume,
        where=where,
        wkt=wkt,
        repeats=repeats,
        strict=strict,
    )
    return read_table(source, _columns.ROADS, ask)


def read_facilities(
    source: Source,
    *,
    layer: str | None = None,
    rename: Mapping[str, str] | None = None,
    values: Values | None = None,
    crs: Any = None,
    assume: Mapping[str, Any] | None = None,
    where: Where | None = None,
    lon: str | None = None,
    lat: str | None = None,
    wkt: str | None = None,
    repeats: Literal["drop", "keep"] | None = None,
    strict: bool = False,
) -> gpd.GeoDataFrame:
    """Read places that serve people: hospitals, clinics, schools, rehabilitation centres.

    Parameters
    ----------
    source, layer, rename, values, crs, assume, where, lon, lat, wkt, repeats, strict
        As in `read_hazards`.

    Returns
    -------
    geopandas.GeoDataFrame
        Columns of ``describe("facilities")`` and the others of the file, as points; a building counts as a
        point inside it.

    Raises
    ------
    DataError, CRSError, SourceError
        As in `read_hazards`.

    Examples
    --------
    >>> table = pd.DataFrame({"lat": ["N 46° 36' 0"], "lon": ["E 33° 12' 0"], "amenity": ["clinic"]})
    >>> read_facilities(table).geometry[0].wkt
    'POINT (33.2 46.6)'
    """
    ask = Ask(
        layer=layer,
        rename=rename,
        values=values,
        crs=crs,
        assume=assume,
        where=where,
        lon=lon,
        lat=lat,
        wkt=wkt,
        repeats=repeats,
        strict=strict,
    )

    def finish(frame: pd.DataFrame, found: Findings) -> pd.DataFrame:
        advice.on_strays(gpd.GeoDataFrame(frame), found)
        return frame

    return read_table(source, _columns.FACILITIES, ask, finish=finish)


def read_admin(
    source: Source,
    *,
    layer: str | None = None,
    rename: Mapping[str, str] | None = None,
    values: Values | None = None,
    crs: Any = None,
    assume: Mapping[str, Any] | None = None,
    where: Where | None = None,
    wkt: str | None = None,
    repeats: Literal["drop", "keep"] | None = None,
    strict: bool = False,
) -> gpd.GeoDataFrame:
    """Read administrative areas, with their codes as text.

    Parameters
    ----------
    source, layer, rename, values, crs, assume, where, wkt, repeats, strict
        As in `read_hazards`.

    Returns
    -------
    geopandas.GeoDataFrame
        Columns of ``describe("admin")`` and the others of the file. Join on ``code``: two areas may bear one
        name.

    Raises
    ------
    DataError, CRSError, SourceError
        As in `read_hazards`.

    Examples
    --------
    >>> from shapely import box
    >>> area = box(-75, 6, -74, 7)
    >>> read_admin(gpd.GeoDataFrame({"MPIO_CCNCT": ["05001"]}, geometry=[area], crs="EPSG:4326"))["code"][0]
    '05001'
    """
    ask = Ask(
        layer=layer,
        rename=rename,
        values=values,
        crs=crs,
        assume=assume,
        where=where,
        wkt=wkt,
        repeats=repeats,
        strict=strict,
    )

    def finish(frame: pd.DataFrame, found: Findings) -> pd.DataFrame:
        advice.on_admin_codes(frame, found)
        return frame

    return read_table(source, _columns.ADMIN, ask, finish=finish)
