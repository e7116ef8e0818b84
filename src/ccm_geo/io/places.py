"""From text columns and CRS options to a layer with places that can be true."""

from collections.abc import Iterable
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from ccm_geo._columns import Table, plain
from ccm_geo.errors import CRSError, DataError
from ccm_geo.space import LONLAT, require_place

from . import coordinates
from .findings import Findings


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_LON = _words(
    "lon longitude long lng londd longitudedd decimallongitude gpslongitude sitelongitude longitud lond xlon "
    "довгота долгота geolongitude loncentroid"
)
_LAT = _words(
    "lat latitude latdd latitudedd decimallatitude gpslatitude sitelatitude latitud latd ylat широта "
    "geolatitude latcentroid"
)
_X = ("x", "xcoord", "coordx", "pointx", "easting", "utmx", "east")
_Y = ("y", "ycoord", "coordy", "pointy", "northing", "utmy", "north")
_WKT = ("wkt", "geometry", "geom", "thegeom", "wktgeom", "geometrywkt", "shapewkt", "geowkt")
_PAIR = (
    "coordinates",
    "coordinate",
    "coords",
    "latlon",
    "latlong",
    "latlng",
    "gps",
    "gpscoordinates",
    "accoordinates",
    "centroid",
    "geopoint",
    "location",
)


def located(
    frame: pd.DataFrame,
    spec: Table,
    columns: tuple[str | None, str | None, str | None],
    crs: Any,
    found: Findings,
) -> pd.DataFrame:
    """Give a table its geometry, from the columns named or from headings everyone uses.

    Parameters
    ----------
    frame
        The records, with or without geometry.
    spec
        What the table holds.
    columns
        Columns with longitude (or x), latitude (or y) and well-known text, as the planner named them.
    crs
        CRS of the coordinates; degrees named lon and lat are on WGS 84.
    found
        Where notes go.

    Raises
    ------
    DataError
        If a column named is absent, or none holds coordinates and the table needs places.
    CRSError
        If the CRS is unknown, contradicted or cannot be true.
    """
    asked = [name for name in columns if name is not None]
    absent = [name for name in asked if name not in frame.columns]
    if absent:
        there = ", ".join(repr(str(name)) for name in frame.columns)
        raise DataError(f"{found.table}: no column {', '.join(map(repr, absent))}; the columns are {there}")
    if not asked and isinstance(frame, gpd.GeoDataFrame):
        return _with_crs(frame, crs, found)
    if bool(columns[0]) != bool(columns[1]):
        raise DataError(f"{found.table}: give both lon= and lat=")
    if asked and isinstance(frame, gpd.GeoDataFrame):
        frame = pd.DataFrame(frame.drop(columns="geometry"))
    by_text = _by_columns(frame, columns, crs, found)
    if by_text is not None:
        return by_text
    if not spec.located:
        return frame
    there = ", ".join(repr(str(name)) for name in frame.columns)
    raise DataError(
        f"{found.table}: no geometry and no columns with coordinates; the columns are {there}: name them "
        "with lon= and lat=, or wkt=; a table without places can be joined by code to the frame of read_admin"
    )


def place_columns(frame: pd.DataFrame, columns: Iterable[str | None]) -> frozenset[str]:
    """Name the columns that hold places, so that none is taken for an address."""
    known = {*_LON, *_LAT, *_X, *_Y, *_WKT, *_PAIR}
    return frozenset(
        {
            *(str(name) for name in frame.columns if plain(name) in known),
            *(n for n in columns if n),
            "geometry",
        }
    )


def _by_columns(
    frame: pd.DataFrame, columns: tuple[str | None, str | None, str | None], crs: Any, found: Findings
) -> gpd.GeoDataFrame | None:
    lon, lat, wkt = columns
    if lon and lat:
        return _from_axes(frame, lon, lat, crs, found)
    wkt = wkt or _heading(frame, _WKT)
    if wkt:
        return _from_wkt(frame, wkt, crs, found)
    for east, north in ((_LON, _LAT), (_X, _Y)):
        lon, lat = _heading(frame, east), _heading(frame, north)
        if lon and lat:
            return _from_axes(frame, lon, lat, crs, found)
    pair = _heading(frame, _PAIR)
    return _from_pairs(frame, pair, crs, found) if pair else None


def _heading(frame: pd.DataFrame, known: tuple[str, ...]) -> str | None:
    bare = {plain(name): name for name in reversed(frame.columns)}
    return next((bare[word] for word in known if word in bare), None)


def _from_axes(frame: pd.DataFrame, lon: str, lat: str, crs: Any, found: Findings) -> gpd.GeoDataFrame:
    x, y = coordinates.degrees(frame[lon], "lon"), coordinates.degrees(frame[lat], "lat")
    unread = frame.index[(x.isna() & _filled(frame[lon])) | (y.isna() & _filled(frame[lat]))]
    if len(unread) and len(unread) == (_filled(frame[lon]) & _filled(frame[lat])).sum():
        swapped = (
            coordinates.degrees(frame[lat], "lon").notna() & coordinates.degrees(frame[lon], "lat").notna()
        )
        cure = (
            f"they look swapped: give lon={lat!r}, lat={lon!r}"
            if swapped.any()
            else "write them as 46.607 or N 46° 36' 25\", or name other columns with lon= and lat="
        )
        raise DataError(
            f"{found.table}: no coordinates can be read from {lon!r} and {lat!r} (such as "
            f"{str(frame[lon][unread[0]])[:40]!r}, {str(frame[lat][unread[0]])[:40]!r}); {cure}"
        )
    if len(unread):
        found.mend("set aside", f"coordinates in {lon!r} or {lat!r} cannot be read", unread)
    degrees = plain(lon) not in _X
    return _layer(frame, (lon, lat), (x, y), crs, found, degrees=degrees).drop(index=unread)


def _filled(series: pd.Series) -> "pd.Series[bool]":
    return series.notna() & (series.astype("str").str.strip() != "")


def _from_pairs(frame: pd.DataFrame, name: str, crs: Any, found: Findings) -> gpd.GeoDataFrame | None:
    both = coordinates.pairs(frame[name].astype("str").where(frame[name].notna(), None))
    unread = frame.index[both["lon"].isna() & _filled(frame[name])]
    if len(unread) == _filled(frame[name]).sum():
        return None
    if len(unread):
        found.mend("set aside", f"coordinates in {name!r} cannot be read", unread)
    order = "latitude first"
    if (both["lat"].abs() > 90).any() and not (both["lon"].abs() > 90).any():
        both, order = both.rename(columns={"lon": "lat", "lat": "lon"}), "longitude first"
    found.note("assumed", f"the pairs in {name!r} are read {order}")
    return _layer(frame, (name,), (both["lon"], both["lat"]), crs, found, degrees=True).drop(index=unread)


def _layer(
    frame: pd.DataFrame,
    used: tuple[str, ...],
    xy: tuple["pd.Series[float]", "pd.Series[float]"],
    crs: Any,
    found: Findings,
    *,
    degrees: bool,
) -> gpd.GeoDataFrame:
    """Make points; degrees are on WGS 84 where nothing else is said, metres are never guessed."""
    if crs is None:
        if not degrees:
            raise CRSError(
                f"{found.table}: {' and '.join(map(repr, used))} have no coordinate reference system; say "
                "which one with crs=, for example crs='EPSG:4326' for longitude and latitude"
            )
        found.note(
            "assumed", f"longitude and latitude in {' and '.join(map(repr, used))} are taken as WGS 84"
        )
    x, y = (one.to_numpy(dtype=float) for one in xy)
    whole = np.isfinite(x) & np.isfinite(y)
    shapes = np.full(len(frame), None, dtype=object)
    shapes[whole] = shapely.points(x[whole], y[whole])
    return gpd.GeoDataFrame(
        frame.drop(columns=list(used)), geometry=shapes, crs=_crs(crs, found.table) or LONLAT
    )


def _from_wkt(frame: pd.DataFrame, name: str, crs: Any, found: Findings) -> gpd.GeoDataFrame:
    shapes, named = coordinates.shapes_from_wkt(frame[name])
    unread = frame.index[shapely.is_missing(shapes) & _filled(frame[name]).to_numpy()]
    if len(frame) and len(unread) == len(frame):
        raise DataError(f"{found.table}: {name!r} holds no well-known text, such as POINT (33.2 46.6)")
    if len(unread):
        found.mend("set aside", f"well-known text in {name!r} cannot be read", unread)
    layer = gpd.GeoDataFrame(frame.drop(columns=name), geometry=shapes, crs=named)
    return _with_crs(layer, crs, found).drop(index=unread)


def _crs(crs: Any, table: str) -> pyproj.CRS | None:
    if crs is None:
        return None
    try:
        return pyproj.CRS.from_user_input(crs)
    except pyproj.exceptions.CRSError:
        raise CRSError(
            f"{table}: crs={crs!r} is no coordinate reference system; write it as 'EPSG:32648'"
        ) from None


def _with_crs(layer: gpd.GeoDataFrame, crs: Any, found: Findings) -> gpd.GeoDataFrame:
    """Give a layer the CRS that the planner names, unless its own says otherwise and can be true."""
    asked = _crs(crs, found.table)
    if asked is None or layer.crs is None:
        return layer if asked is None else layer.set_crs(asked)
    own = pyproj.CRS.from_user_input(layer.crs)
    if own.equals(asked, ignore_axis_order=True) or (
        own.to_epsg() is not None and own.to_epsg() == asked.to_epsg()
    ):
        return layer
    try:
        require_place(layer, found.table)
    except CRSError:
        found.note(
            "assumed", f"the file's CRS ({own.name}) cannot be true; {asked.name} is used, as crs= says"
        )
        return layer.set_crs(asked, allow_override=True)
    raise CRSError(
        f"{found.table}: the file says that its CRS is {own.name}, crs= says {asked.name}; leave crs= "
        "out, or, if the file is wrong, read it with geopandas, use set_crs(..., allow_override=True) "
        "and give that frame"
    )


def without_impossible(layer: gpd.GeoDataFrame, found: Findings) -> gpd.GeoDataFrame:
    """Set aside the few records whose coordinates cannot be; refuse a layer where they are many.

    Raises
    ------
    CRSError
        If the layer has no CRS or its coordinates cannot be what the CRS says.
    """
    box = layer.geometry.bounds.to_numpy()
    empty = np.isnan(box).all(axis=1)
    endless = ~empty & ~np.isfinite(box).all(axis=1)
    off = endless.copy()
    if layer.crs is not None and layer.crs.is_geographic:
        west, south, east, north = box.T
        off |= ~empty & ((west < -180) | (south < -90) | (east > 360) | (north > 90))
    null_island = ~empty & (box == 0).all(axis=1)
    if off.sum() * 2 <= (~empty).sum():
        for mask, what in (
            (off, "coordinates are out of range"),
            (null_island & ~off, "the point is at 0, 0"),
        ):
            if mask.any():
                found.mend("set aside", f"{what}: no place on the map", layer.index[mask])
        layer = layer[~(off | null_island)]
    require_place(layer, found.table)
    return layer
