"""Population rasters: described at once, read only where they are measured."""

import os
import warnings
import zipfile
from pathlib import Path
from typing import Any, Literal

import pyproj
import rasterio
import rasterio.errors

from ccm_geo.errors import CRSError, DataError, SourceError
from ccm_geo.schemas import Note, PopulationRaster
from ccm_geo.space import lonlat_bounds

from .sources import file_hash

# Formats that hold their cells themselves and point to nothing else; a file is opened as what its name says.
_DRIVERS = {".tif": "GTiff", ".tiff": "GTiff", ".asc": "AAIGrid", ".grd": "AAIGrid"}
_UNITS = ("people", "people_per_km2")


def is_raster(source: str | os.PathLike[str]) -> bool:
    """Tell whether a source is a raster, by its ending (or by what is inside an archive)."""
    path = Path(source)
    if path.suffix.lower() == ".zip" and path.is_file():
        return bool(_inside(path))
    return path.suffix.lower() in _DRIVERS


def _inside(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return [
                name
                for name in archive.namelist()
                if Path(name).suffix.lower() in _DRIVERS and ".." not in name
            ]
    except zipfile.BadZipFile:
        return []


def describe_raster(
    source: str | os.PathLike[str], *, unit: Literal["people", "people_per_km2"], band: int, crs: Any
) -> PopulationRaster:
    """Describe a population raster without reading its cells.

    Raises
    ------
    SourceError
        If the file is not there or is no raster of a known format.
    DataError
        If the unit is unknown or there is no such band.
    CRSError
        If there is no CRS, if `crs` contradicts it, or the cells lie where the CRS cannot be.
    """
    if unit not in _UNITS:
        raise DataError(
            f"population: unit {unit!r} is unknown; it is 'people' (per cell) or 'people_per_km2'"
        )
    path = Path(source)
    if not path.is_file():
        raise SourceError(f"population: there is no file {path.name!r}; check the folder and the spelling")
    address = str(path.absolute())
    if path.suffix.lower() == ".zip":
        inside = _inside(path)
        if len(inside) != 1:
            raise SourceError(
                f"population: {path.name} holds several rasters ({', '.join(inside)}); unpack the one needed"
            )
        address = f"/vsizip/{path.absolute().as_posix()}/{inside[0]}"
    return _described(address, path, unit, band, crs)


def _described(
    address: str, path: Path, unit: Literal["people", "people_per_km2"], band: int, crs: Any
) -> PopulationRaster:
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", rasterio.errors.NotGeoreferencedWarning
        )  # refused below, in plain words
        try:
            raster = rasterio.open(address, driver=_DRIVERS[Path(address).suffix.lower()])
        except rasterio.errors.RasterioIOError as error:
            reason = str(error).replace(address, path.name)
            raise SourceError(
                f"population: {path.name} cannot be read as GeoTIFF or ASCII grid ({reason})"
            ) from None
    with raster:
        if not 1 <= band <= raster.count:
            raise DataError(
                f"population: {path.name} has {raster.count} bands, band={band} is not one of them"
            )
        if raster.transform.is_identity:
            raise CRSError(
                f"population: {path.name} does not say where its cells lie; export it with georeference"
            )
        own = _own_crs(raster.crs)
        notes = [] if raster.count == 1 else [_of_bands(raster.count, band)]
        described = PopulationRaster(
            path=address,
            crs=_settled(own, crs, path.name),
            transform=raster.transform,
            width=raster.width,
            height=raster.height,
            band=band,
            unit=unit,
            nodata=raster.nodatavals[band - 1],
            notes=(*notes, *_without_nodata(raster.nodatavals[band - 1])),
            source=(
                {
                    "file": path.name,
                    "sha256": file_hash(path),
                    "rows": raster.height,
                    "layer": f"band {band}",
                },
            ),
        )
    _require_place(described, path.name)
    return described


def _own_crs(crs: rasterio.crs.CRS | None) -> pyproj.CRS | None:
    """Keep the authority's code, which knows the area of use."""
    if crs is None:
        return None
    authority = crs.to_authority(confidence_threshold=100)
    return pyproj.CRS.from_authority(*authority) if authority else pyproj.CRS.from_wkt(crs.to_wkt())


def _of_bands(count: int, band: int) -> Note:
    return Note("population", "assumed", f"the raster has {count} bands; band {band} holds the people")


def _without_nodata(nodata: float | None) -> list[Note]:
    if nodata is not None:
        return []
    text = "the raster names no value for cells without data; negative cells count as none"
    return [
        Note(
            "population",
            "unknown",
            text,
        )
    ]


def _settled(own: pyproj.CRS | None, asked: Any, name: str) -> pyproj.CRS:
    if asked is None:
        if own is None:
            raise CRSError(
                f"population: {name} has no coordinate reference system; say which one it is with crs=, "
                "for example crs='EPSG:4326' for longitude and latitude"
            )
        return own
    crs = pyproj.CRS.from_user_input(asked)
    same = own is None or own.equals(crs, ignore_axis_order=True) or (own.to_epsg() or 0) == crs.to_epsg()
    if not same and own is not None:
        raise CRSError(
            f"population: {name} says that its CRS is {own.name}, crs= says {crs.name}; leave crs= out"
        )
    return crs


def _require_place(raster: PopulationRaster, name: str) -> None:
    left, bottom, right, top = raster.bounds
    if raster.crs.is_geographic and (left < -181 or right > 361 or bottom < -91 or top > 91):
        raise CRSError(
            f"population: cells of {name} run from {left:g} to {right:g} and {bottom:g} to {top:g}, which "
            f"are no degrees as {raster.crs.name} asks; give the projected CRS with crs="
        )
    use = raster.crs.area_of_use
    if use is None or use.west > use.east:
        return
    west, south, east, north = lonlat_bounds(raster.bounds, raster.crs)
    apart = west > use.east + 3 or east < use.west - 3 or south > use.north + 3 or north < use.south - 3
    if apart:
        raise CRSError(
            f"population: {name} lies outside the area of use of {raster.crs.name} ({use.name}); the "
            "file's CRS is probably wrong: give the right one with crs="
        )
