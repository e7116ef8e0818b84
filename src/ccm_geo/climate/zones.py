"""Which share of a hazard lies in a flood or landslide zone."""

from collections.abc import Iterable
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from ccm_geo.errors import DataError

from .grids import Blank, Floats, Grid, Judge, as_measure, averaged, described


def share_in_zone(
    hazards: gpd.GeoDataFrame | gpd.GeoSeries,
    zone: Grid,
    *,
    at_least: float | None = None,
    classes: Iterable[float] | None = None,
    blank: Blank = "unknown",
    band: int = 1,
    crs: Any = None,
) -> "pd.Series[float]":
    """Measure which share of each hazard lies in a flood, landslide or other zone of a raster.

    Parameters
    ----------
    hazards
        Areas, in any CRS.
    zone
        A raster (GeoTIFF or ASCII grid): classes, depth of water, chance of a slide.
    at_least
        Cells with this value or more are in the zone, for example a depth of 0.1 metres.
    classes
        Cells with one of these values are in the zone. One of `at_least` and `classes` is given.
    blank
        What cells without a value are. ``unknown``: they say nothing. ``outside``: not in the zone, as in
        maps of depth that hold a value only where there is water; say so only where the map's maker does.
    band, crs
        As for `read_population`.

    Returns
    -------
    pandas.Series
        ``share_in_zone``, 0 to 1, on the index of `hazards`: area in the zone / area over known cells. NaN
        where none of it is known. ``.attrs["notes"]`` counts these, and hazards known in part only.

    Raises
    ------
    CRSError
        If a layer has no CRS or the two do not overlap.
    DataError
        If neither or both of `at_least` and `classes` are given, or there is no such band.
    SourceError
        If the raster cannot be read.

    Notes
    -----
    Each cell counts by the share of its area that the hazard covers, in square metres on the ellipsoid; the
    kernel is that of `people_near`. A share of 0 says that the map shows no water there, not that it floods
    never: the map has its own return period, resolution and date.

    Examples
    --------
    >>> import tempfile, rasterio
    >>> from pathlib import Path
    >>> from shapely import box
    >>> path = Path(tempfile.mkdtemp()) / "depth.tif"
    >>> shape = {"width": 2, "height": 1, "count": 1, "dtype": "float32", "crs": "EPSG:32648"}
    >>> place = rasterio.Affine(100, 0, 500_000, 0, -100, 2_000_100)
    >>> with rasterio.open(path, "w", driver="GTiff", transform=place, **shape) as file:
    ...     file.write(np.array([[[0.0, 1.5]]], dtype="float32"))
    >>> field = gpd.GeoSeries([box(500_025, 2_000_000, 500_125, 2_000_100)], crs=32648)
    >>> share_in_zone(field, path, at_least=0.5).round(3).tolist()
    [0.25]
    """
    grid = described(zone, what="zone", band=band, crs=crs)
    values, notes = averaged(hazards, [grid], in_zone(at_least, classes), blank, "zone")
    return as_measure(np.clip(values[:, 0], 0, 1), hazards, "share_in_zone", notes)


def in_zone(at_least: float | None, classes: Iterable[float] | None) -> Judge:
    """Give the test for cells in the zone.

    Raises
    ------
    DataError
        If neither or both are given.
    """
    if (at_least is None) == (classes is None):
        raise DataError(
            "zone: say which cells are in it, with at_least= (a value such as a depth) or with classes="
        )
    if at_least is not None and not np.isfinite(at_least):
        raise DataError(f"zone: at_least must be a number, not {at_least}")
    wanted = None if classes is None else np.array(list(classes), dtype=float)
    if wanted is not None and not len(wanted):
        raise DataError("zone: classes= is empty; name the values that are in the zone")

    def judge(values: npt.NDArray[Any]) -> Floats:
        inside = values >= at_least if wanted is None else np.isin(values, wanted)
        return inside.astype(float)

    return judge
