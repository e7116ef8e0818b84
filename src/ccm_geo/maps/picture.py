"""Where people live, as a small picture that lies rightly under a web map."""

import struct
import zlib
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pyproj
import rasterio
from affine import Affine
from rasterio.enums import Resampling
from rasterio.features import rasterize
from rasterio.warp import reproject
from rasterio.windows import Window
from rasterio.windows import from_bounds as window_of

from ccm_geo.maps.payload import polygons
from ccm_geo.schemas import PopulationRaster
from ccm_geo.space import lonlat_bounds, project

_WEB = pyproj.CRS.from_epsg(3857)
_LONLAT = pyproj.CRS.from_epsg(4326)
_LARGEST = 800  # pixels along the longer side: about 100 kB
STEPS = (1, 10, 50, 250, 1_000, 5_000)
"""People per square kilometre at which the next shade begins."""
SHADES = ("#e4efe9", "#c9e1d8", "#a2cbc1", "#6fada8", "#3f8389", "#1f5a66")
"""One shade for each step: green-blue, apart from everything that hazards are drawn in."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A PNG and the box it covers, ``(west, south, east, north)`` in degrees."""

    png: bytes
    box: Box


def population_picture(people: PopulationRaster | gpd.GeoDataFrame, box: Box) -> Picture | None:
    """Draw people per square kilometre inside a box; None where the data do not reach into it.

    Parameters
    ----------
    people
        A raster, or polygons with the column ``people``.
    box
        West, south, east, north in degrees.
    """
    frame, shape = _canvas(box)
    density = _of_raster(people, frame, shape) if isinstance(people, PopulationRaster) else None
    if density is None and not isinstance(people, PopulationRaster):
        density = _of_polygons(people, frame, shape)
    if density is None or not (density >= STEPS[0]).any():
        return None
    shade = np.searchsorted(STEPS, np.nan_to_num(density), side="right").astype(np.uint8)
    return Picture(png=indexed_png(shade, ("#ffffff", *SHADES)), box=box)


def _canvas(box: Box) -> tuple[Affine, tuple[int, int]]:
    change = pyproj.Transformer.from_crs(_LONLAT, _WEB, always_xy=True)
    west, south = change.transform(box[0], box[1])
    east, north = change.transform(box[2], box[3])
    pixel = max(east - west, north - south) / _LARGEST
    width, height = max(1, round((east - west) / pixel)), max(1, round((north - south) / pixel))
    sized = Affine.translation(west, north) @ Affine.scale((east - west) / width, (south - north) / height)
    return sized, (height, width)


def _of_raster(
    people: PopulationRaster, frame: Affine, shape: tuple[int, int]
) -> npt.NDArray[np.float64] | None:
    """Read the raster no finer than the picture needs, as a density, and bring it into Web Mercator."""
    box = rasterio.transform.array_bounds(*shape, frame)
    web = pyproj.Transformer.from_crs(_WEB, people.crs, always_xy=True)
    here = web.transform_bounds(box[0], box[1], box[2], box[3], densify_pts=21)
    whole = Window(0, 0, people.width, people.height)
    rotated = people.transform.b != 0 or people.transform.d != 0
    try:
        window = whole if rotated else window_of(*here, people.transform).intersection(whole)
    except rasterio.errors.WindowError:
        return None
    step = max(1, int(min(window.width / shape[1], window.height / shape[0])))
    size = (max(1, round(window.height / step)), max(1, round(window.width / step)))
    with rasterio.open(people.path) as source:
        values = source.read(
            people.band, window=window, out_shape=size, resampling=Resampling.average, masked=True
        ).astype(float)
    nodata = people.nodata
    density = np.where(values.mask | (values.data == nodata) | (values.data < 0), np.nan, values.data)
    corner = people.transform @ Affine.translation(window.col_off, window.row_off)
    scaled = corner @ Affine.scale(window.width / size[1], window.height / size[0])
    if people.unit == "people":
        density = density / _cell_km2(people, scaled, size)
    warped = np.full(shape, np.nan)
    reproject(
        density,
        warped,
        src_transform=scaled,
        src_crs=people.crs,
        src_nodata=np.nan,
        dst_transform=frame,
        dst_crs=_WEB,
        dst_nodata=np.nan,
        resampling=Resampling.average,  # so that no village falls between two pixels
    )
    return warped


def _cell_km2(people: PopulationRaster, scaled: Affine, size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Area of one cell of the raster itself, by row of the picture, shape ``(rows, 1)``."""
    cell = abs(people.transform.determinant)
    if not people.crs.is_geographic:
        unit = people.crs.axis_info[0].unit_conversion_factor
        return np.full((size[0], 1), cell * unit**2 / 1e6)
    latitude = scaled.f + scaled.e * (np.arange(size[0]) + 0.5)
    km_per_degree = 111.32
    area: npt.NDArray[np.float64] = cell * km_per_degree**2 * np.cos(np.radians(latitude))
    return area[:, None]


def _of_polygons(
    people: gpd.GeoDataFrame, frame: Affine, shape: tuple[int, int]
) -> npt.NDArray[np.float64] | None:
    areas, rows = polygons(people)
    if not len(areas):
        return None
    km2 = gpd.GeoSeries(areas, crs=_LONLAT)
    flat = project(km2, pyproj.CRS.from_epsg(6933)).area.to_numpy() / 1e6
    per_row = np.bincount(rows, weights=flat, minlength=len(people))
    density = people["people"].to_numpy(dtype=float) / np.where(per_row > 0, per_row, np.nan)
    drawn = project(km2, _WEB)
    shapes = [(area, d) for area, d in zip(drawn, density[rows], strict=True) if np.isfinite(d)]
    if not shapes:
        return None
    return rasterize(shapes, out_shape=shape, transform=frame, fill=np.nan, dtype="float64")


def raster_box(people: PopulationRaster) -> Box:
    """Extent of a raster, ``(west, south, east, north)`` in degrees."""
    return lonlat_bounds(people.bounds, people.crs)


def indexed_png(shade: npt.NDArray[np.uint8], colors: tuple[str, ...]) -> bytes:
    """Write a picture of few colors as PNG; color 0 is clear.

    Parameters
    ----------
    shade
        Number of the color at every pixel, shape ``(height, width)``, first row north.
    colors
        Written ``#rrggbb``.
    """
    height, width = shade.shape
    palette = b"".join(bytes.fromhex(color.lstrip("#")) for color in colors)
    rows = np.zeros((height, width + 1), dtype=np.uint8)  # each row begins with its filter, 0 = none
    rows[:, 1:] = shade
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = [
        (b"IHDR", header),
        (b"PLTE", palette),
        (b"tRNS", b"\x00"),
        (b"IDAT", zlib.compress(rows.tobytes(), 6)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
