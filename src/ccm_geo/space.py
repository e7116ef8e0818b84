"""Places and distances: the only module that projects, so that metres are metres everywhere.

Layers keep the CRS they came with. Whatever measures an area or a distance asks this module for the
study CRS: a Lambert azimuthal equal-area projection centred on the hazards. Areas in it are exact on the
ellipsoid; distances are within 0.1 % up to 570 km from the centre and within 0.5 % up to 1,270 km
(scale error c**2 / 8 for an angular distance c).
"""

from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely
from affine import Affine

from ._threads import in_chunks
from .errors import CRSError

STACKED = 5
"""So many points at one spot make it a seat, not a place."""

LONLAT = pyproj.CRS.from_epsg(4326)
"""Longitude and latitude on WGS 84, the CRS of web maps and of text coordinates."""

_SCALE_M = 10_000.0  # between such places the scale of a projection is taken as linear
_USE_MARGIN_DEG = 3.0  # a neighbouring UTM zone is in everyday use; another continent is a mistake


def require_crs(layer: gpd.GeoDataFrame | gpd.GeoSeries, table: str) -> pyproj.CRS:
    """Return the layer's CRS, or say what to do where it has none.

    Raises
    ------
    CRSError
        If the layer has no CRS. None is ever guessed.
    """
    if layer.crs is None:
        raise CRSError(
            f"{table}: the layer has no coordinate reference system; say which one it is with crs=, "
            "for example crs='EPSG:4326' for longitude and latitude"
        )
    return pyproj.CRS.from_user_input(layer.crs)


def require_place(layer: gpd.GeoDataFrame | gpd.GeoSeries, table: str) -> None:
    """Refuse a layer whose coordinates cannot be what its CRS says.

    Raises
    ------
    CRSError
        If the layer has no CRS, if longitudes and latitudes are out of range (metres, or axes swapped),
        or if the whole layer lies outside the area of use of its CRS.
    """
    crs = require_crs(layer, table)
    bounds = np.asarray(layer.total_bounds, dtype=float)
    if not np.isfinite(bounds).all():
        return  # nothing is located, so nothing is misplaced
    if crs.is_geographic:
        _require_degrees(bounds, table, crs)
    use = crs.area_of_use
    if use is None:
        return
    west, south, east, north = lonlat_bounds(bounds, crs)
    margin = _USE_MARGIN_DEG
    in_lat = south <= use.north + margin and north >= use.south - margin
    wraps = use.west > use.east  # areas that cross the antimeridian
    in_lon = wraps or (west <= use.east + margin and east >= use.west - margin)
    if not (np.isfinite([west, south, east, north]).all() and in_lat and in_lon):
        raise CRSError(
            f"{table}: the coordinates lie outside the area of use of {crs.name} ({use.name}); "
            f"the file's CRS is probably wrong: give the right one with crs="
        )


def _require_degrees(bounds: npt.NDArray[np.float64], table: str, crs: pyproj.CRS) -> None:
    west, south, east, north = bounds
    if west >= -180 and south >= -90 and east <= 360 and north <= 90:
        return
    extent = f"x {west:g} to {east:g}, y {south:g} to {north:g}"
    swapped = west >= -90 and east <= 90 and south >= -180 and north <= 180
    cure = (
        "latitude and longitude look swapped: exchange the two columns or axes"
        if swapped
        else "they look like metres: give the projected CRS with crs=, for example crs='EPSG:32648'"
    )
    raise CRSError(f"{table}: coordinates are not degrees as {crs.name} asks ({extent}); {cure}")


def require_overlap(
    first: npt.ArrayLike, second: npt.ArrayLike, names: tuple[str, str], *, reach_deg: float = 0.5
) -> None:
    """Refuse two layers that lie nowhere near each other.

    Parameters
    ----------
    first, second
        Extents as longitude and latitude, ``(west, south, east, north)``; see `lonlat_bounds`.
    names
        What to call the two layers.
    reach_deg
        How far apart they may be, degrees.

    Raises
    ------
    CRSError
        With both extents.
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return
    apart = (a[:2] > b[2:] + reach_deg).any() or (b[:2] > a[2:] + reach_deg).any()
    if apart:
        raise CRSError(
            f"{names[0]} and {names[1]} do not overlap: {names[0]} cover {_spoken(a)}, {names[1]} cover "
            f"{_spoken(b)}; check the CRS of both files and that they show the same country"
        )


def _spoken(bounds: npt.NDArray[np.float64]) -> str:
    west, south, east, north = bounds
    return f"longitude {west:.2f} to {east:.2f}, latitude {south:.2f} to {north:.2f}"


def lonlat_bounds(bounds: npt.ArrayLike, crs: pyproj.CRS) -> tuple[float, float, float, float]:
    """Give an extent as longitude and latitude, ``(west, south, east, north)``."""
    box = np.asarray(bounds, dtype=float)
    if not np.isfinite(box).all() or crs == LONLAT:
        return tuple(float(v) for v in box)  # type: ignore[return-value]
    change = pyproj.Transformer.from_crs(crs, LONLAT, always_xy=True)
    return change.transform_bounds(box[0], box[1], box[2], box[3], densify_pts=21)


def study_crs(layer: gpd.GeoDataFrame | gpd.GeoSeries) -> pyproj.CRS:
    """Choose the equal-area CRS in metres in which this layer is measured.

    Its centre is the median of the shapes' places, rounded to a quarter of a degree: neither a small edit
    of the layer nor one stray record moves it.
    """
    crs = require_crs(layer, "layer")
    boxes = shapely.bounds(layer.geometry.to_numpy())
    boxes = boxes[np.isfinite(boxes).all(axis=1)]
    middle = np.median(boxes, axis=0) if len(boxes) else np.zeros(4)
    box = lonlat_bounds(middle, crs)
    lon, lat = (round(2 * (box[i] + box[i + 2])) / 4 for i in (0, 1))
    return pyproj.CRS.from_dict({"proj": "laea", "lon_0": lon, "lat_0": lat, "datum": "WGS84", "units": "m"})


def project(layer: gpd.GeoDataFrame | gpd.GeoSeries, crs: pyproj.CRS) -> gpd.GeoSeries:
    """Give the layer's geometry in another CRS, on the same index."""
    geometry = layer.geometry
    if geometry.crs == crs:
        return geometry

    def moved(shapes: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return gpd.GeoSeries(shapes, crs=geometry.crs).to_crs(crs).to_numpy()

    return gpd.GeoSeries(in_chunks(moved, geometry.to_numpy()), geometry.index, crs, name=geometry.name)


def to_lonlat(layer: gpd.GeoDataFrame | gpd.GeoSeries) -> gpd.GeoSeries:
    """Give the layer's geometry as longitude and latitude, on the same index."""
    return project(layer, LONLAT)


def areas_m2(layer: gpd.GeoDataFrame | gpd.GeoSeries) -> npt.NDArray[np.float64]:
    """Measure the area of every geometry, square metres, shape ``(len(layer),)``; 0 where there is none."""
    flat = project(layer, study_crs(layer))
    return np.nan_to_num(shapely.area(flat.to_numpy()))


def lonlat_points(layer: gpd.GeoDataFrame | gpd.GeoSeries) -> npt.NDArray[np.float64]:
    """Give one point inside every geometry as lon and lat, shape ``(len(layer), 2)``; NaN where none."""
    inside = shapely.point_on_surface(to_lonlat(layer).to_numpy())
    return np.column_stack([shapely.get_x(inside), shapely.get_y(inside)])


def project_xy(
    xy: npt.NDArray[np.float64], source: pyproj.CRS, target: pyproj.CRS
) -> npt.NDArray[np.float64]:
    """Give bare coordinates in another CRS, shape ``(n, 2)``, x (or longitude) first in both.

    >>> project_xy(np.array([[105.0, 0.0]]), LONLAT, pyproj.CRS.from_epsg(32648)).round().tolist()
    [[500000.0, 0.0]]
    """
    if source == target:
        return xy
    change = pyproj.Transformer.from_crs(source, target, always_xy=True)
    return np.column_stack(change.transform(xy[:, 0], xy[:, 1]))


def stacked_spots(points: npt.NDArray[np.object_]) -> npt.NDArray[np.intp]:
    """Give the spots that `STACKED` or more points share the numbers 1, 2, ..., and all other points 0."""
    where = pd.factorize(shapely.to_wkb(points))[0] + 1  # 0 where there is no point
    where[shapely.is_empty(points)] = 0
    shared = np.bincount(where, minlength=1) >= STACKED
    shared[0] = False
    return np.asarray((np.cumsum(shared) * shared)[where], dtype=np.intp)


def metres_per_unit(crs: pyproj.CRS) -> float:
    """Say how many metres one unit of a CRS is; of a degree, along the meridian at its shortest."""
    factor = float(crs.axis_info[0].unit_conversion_factor)
    ellipsoid = crs.ellipsoid
    if not crs.is_geographic or ellipsoid is None:
        return factor
    return factor * ellipsoid.semi_minor_metre**2 / ellipsoid.semi_major_metre


def cell_areas_m2(
    crs: pyproj.CRS, transform: Affine, window: tuple[int, int, int, int]
) -> npt.NDArray[np.float64]:
    """Measure the cells of a raster on the ellipsoid, square metres.

    Parameters
    ----------
    crs, transform
        Of the raster.
    window
        First row, first column, number of rows, number of columns.

    Returns
    -------
    numpy.ndarray
        Shape ``(rows, 1)`` where rows follow parallels (exact), else ``(rows, columns)``: interpolated
        between places at most 10 km apart.

    Examples
    --------
    >>> degree = Affine(1, 0, 0, 0, -1, 60)  # one degree squares from 60 degrees north down
    >>> (cell_areas_m2(LONLAT, degree, (0, 0, 60, 1))[[0, 59], 0] / 1e6).round().tolist()
    [6310.0, 12308.0]
    """
    row, col, height, width = window
    unit = float(crs.axis_info[0].unit_conversion_factor)
    if crs.is_geographic and transform.b == 0 and transform.d == 0:
        edges = (transform.f + transform.e * (row + np.arange(height + 1))) * unit
        return (np.abs(np.diff(_zone(crs, edges))) * abs(transform.a) * unit)[:, None]
    side_m = abs(transform.determinant) ** 0.5 * metres_per_unit(crs)
    step = min(64, max(1, int(_SCALE_M / side_m)))
    rows, cols = (  # the same places for every window, so that the way a raster is cut changes nothing
        np.arange(first // step * step, first + n + step, step, dtype=float)
        for first, n in ((row, height), (col, width))
    )
    places = np.stack(np.meshgrid(cols, rows), axis=-1)
    a, _, c = ground_metric(crs, transform, places.reshape(-1, 2)).T
    plain = (a * c).reshape(places.shape[:2])
    at = [np.arange(n) + first + 0.5 for first, n in ((row, height), (col, width))]
    by_row = np.stack([np.interp(at[0], rows, column) for column in plain.T])
    return np.stack([np.interp(at[1], cols, line) for line in by_row.T])


def ground_metric(
    crs: pyproj.CRS, transform: Affine, places: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Say how far apart on the ground the cells of a raster are, at some places.

    Parameters
    ----------
    crs, transform
        Of the raster.
    places
        Column and row, shape ``(n, 2)``.

    Returns
    -------
    numpy.ndarray
        ``(a, b, c)`` in metres, shape ``(n, 3)``: steps of ``dc`` columns and ``dr`` rows lead
        ``((a dc + b dr)**2 + (c dr)**2)**0.5`` metres away on the ellipsoid, however the raster is turned.
    """
    t, half = transform, 0.5
    moved = []
    for dc, dr in ((-half, 0), (half, 0), (0, -half), (0, half)):
        col, row = places[:, 0] + dc, places[:, 1] + dr
        moved.append(_lonlat_radians(crs, t.a * col + t.b * row + t.c, t.d * col + t.e * row + t.f))
    lat = np.mean([m[1] for m in moved], axis=0)
    major, minor = _axes(crs)
    e2 = 1 - (minor / major) ** 2
    sine = np.sqrt(1 - e2 * np.sin(lat) ** 2)
    east, north = major / sine * np.cos(lat), major * (1 - e2) / sine**3
    by_col, by_row = (
        np.stack([(end[0] - start[0]) * east, (end[1] - start[1]) * north])
        for start, end in (moved[:2], moved[2:])
    )
    a = np.hypot(*by_col)
    b = (by_col * by_row).sum(axis=0) / a
    c = np.abs(by_col[0] * by_row[1] - by_col[1] * by_row[0]) / a
    return np.column_stack([a, b, c])


def _lonlat_radians(crs: pyproj.CRS, x: Any, y: Any) -> tuple[Any, Any]:
    if crs.is_geographic:
        unit = float(crs.axis_info[0].unit_conversion_factor)
        return x * unit, y * unit
    lon, lat = pyproj.Proj(crs)(x, y, inverse=True)
    return np.radians(lon), np.radians(lat)


def _zone(crs: pyproj.CRS, latitude: Any) -> npt.NDArray[np.float64]:
    """Area from the equator to a parallel (radians) over one radian of longitude, square metres."""
    a, b = _axes(crs)
    e2 = 1 - (b / a) ** 2
    sine = np.sin(np.clip(latitude, -np.pi / 2, np.pi / 2))
    if e2 <= 0:
        return a * a * sine
    e = np.sqrt(e2)
    return b * b / 2 * (sine / (1 - e2 * sine**2) + np.arctanh(e * sine) / e)


def _axes(crs: pyproj.CRS) -> tuple[float, float]:
    ellipsoid = crs.ellipsoid
    if ellipsoid is None:
        return 6_378_137.0, 6_356_752.314245  # WGS 84
    return ellipsoid.semi_major_metre, ellipsoid.semi_minor_metre
