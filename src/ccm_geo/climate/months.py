"""In how many months of the year a hazard or a region cannot be worked: flood, snow, mud."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from ccm_geo import space
from ccm_geo.errors import DataError
from ccm_geo.schemas import Note, PopulationRaster

from .grids import Blank, Floats, Grid, as_measure, averaged, described
from .zones import in_zone

ByRegion: TypeAlias = Mapping[Any, float | Iterable[int]] | pd.Series

YEAR = 12


def months_blocked(
    hazards: gpd.GeoDataFrame,
    source: Grid | Sequence[Grid] | ByRegion,
    *,
    by: str = "adm1",
    at_least: float | None = None,
    classes: Iterable[float] | None = None,
    blank: Blank = "unknown",
    band: int = 1,
    crs: Any = None,
) -> "pd.Series[float]":
    """Measure in how many months of a year each hazard cannot be worked.

    Parameters
    ----------
    hazards
        Areas, in any CRS.
    source
        One of three. A table by region, ``{"P01": 4, "P02": [12, 1, 2]}``: a number of months, or which
        ones. A raster of months (0 to 12 by cell). Twelve rasters, or one of twelve bands, January first,
        with `at_least` or `classes` to say which cells are blocked.
    by
        Column of `hazards` that a table goes by.
    at_least, classes, blank
        Of twelve rasters, which cells are blocked in a month: as for `share_in_zone`. `blank` holds for a
        raster of months as well (``outside``: not blocked).
    band, crs
        As for `read_population`; of twelve bands, the first.

    Returns
    -------
    pandas.Series
        ``months_blocked``, 0 to 12, on the index of `hazards`; the mean over the hazard's land, so a hazard
        of which half is under water in June counts half a month for June. NaN where it is not known.

    Raises
    ------
    CRSError
        If a layer has no CRS or the two do not overlap.
    DataError
        If months are out of range, there are not twelve of them, or the column is not there.
    SourceError
        If a raster cannot be read.

    See Also
    --------
    blocked_by_month : The share of each hazard that is blocked in each month.
    workable_months : What a planner's capacity takes.

    Examples
    --------
    >>> from shapely import box
    >>> land = {"hazard_id": ["a", "b"], "adm1": ["P01", "P02"]}
    >>> hazards = gpd.GeoDataFrame(land, geometry=[box(0, 0, 1, 1)] * 2, crs=4326)
    >>> months_blocked(hazards, {"P01": 4, "P02": [12, 1, 2]}).tolist()
    [4.0, 3.0]
    """
    if isinstance(source, (Mapping, pd.Series)):
        return _from_table(hazards, source, by)
    stacked = at_least is not None or classes is not None
    if stacked or not isinstance(source, (str, os.PathLike, PopulationRaster)):
        by_month = blocked_by_month(
            hazards, source, at_least=at_least, classes=classes, blank=blank, band=band, crs=crs
        )
        total = by_month.sum(axis=1, skipna=False).to_numpy(dtype=float)
        return as_measure(total, hazards, "months_blocked", by_month.attrs["notes"])
    grid = described(source, what="months", band=band, crs=crs)
    values, notes = averaged(hazards, [grid], _months, blank, "months")
    return as_measure(np.clip(values[:, 0], 0, YEAR), hazards, "months_blocked", notes)


def blocked_by_month(
    hazards: gpd.GeoDataFrame,
    rasters: Grid | Sequence[Grid],
    *,
    at_least: float | None = None,
    classes: Iterable[float] | None = None,
    blank: Blank = "unknown",
    band: int = 1,
    crs: Any = None,
) -> pd.DataFrame:
    """Measure which share of each hazard is under water or snow in each month.

    Parameters
    ----------
    hazards, at_least, classes, blank, band, crs
        As for `months_blocked`.
    rasters
        Twelve rasters, January first, or one with twelve bands.

    Returns
    -------
    pandas.DataFrame
        Columns 1 to 12, shares from 0 to 1, on the index of `hazards`; NaN where not known.

    Raises
    ------
    CRSError, DataError, SourceError
        As `months_blocked`.
    """
    judge = in_zone(at_least, None if classes is None else list(classes))
    single = isinstance(rasters, (str, os.PathLike, PopulationRaster))
    asked = [(rasters, band + m) for m in range(YEAR)] if single else [(one, band) for one in rasters]  # type: ignore[union-attr]
    if len(asked) != YEAR:
        raise DataError(f"months: twelve rasters are needed, January first, not {len(asked)}")
    if isinstance(rasters, PopulationRaster):
        raise DataError("months: give the path of a raster with twelve bands, not one band of it")
    grids = [
        described(one, what=f"month {month}", band=number, crs=crs)  # type: ignore[arg-type]
        for month, (one, number) in enumerate(asked, start=1)
    ]
    values, notes = averaged(hazards, grids, judge, blank, "months")
    table = pd.DataFrame(np.clip(values, 0, 1), index=hazards.index, columns=range(1, YEAR + 1))
    table.attrs["notes"] = notes
    return table


def workable_months(
    hazards: gpd.GeoDataFrame,
    blocked: "pd.Series[float]",
    *,
    by: str = "adm1",
    unknown_blocked: float | None = None,
) -> dict[str, float]:
    """Give the months a year in which each region can be worked, as ``Capacity(season=...)`` takes them.

    Parameters
    ----------
    hazards
        Areas that will be worked on; each weighs by its area.
    blocked
        What `months_blocked` returned for them.
    by
        Column that names the region.
    unknown_blocked
        Months that count as blocked for hazards where they are unknown; None: they are left out, and a region
        of which nothing is known is an error.

    Returns
    -------
    dict
        Region to months, more than 0 and at most 12.

    Raises
    ------
    DataError
        If the column is not there, the index differs, nothing is known of a region, or a region can be
        worked in no month.

    Notes
    -----
    12 - sum(area x months blocked) / sum(area) over the hazards of the region.

    Examples
    --------
    >>> from shapely import box
    >>> places = [box(0, 0, 1, 1), box(1, 0, 2, 1), box(2, 0, 3, 1)]
    >>> hazards = gpd.GeoDataFrame({"adm1": ["P01", "P01", "P02"]}, geometry=places, crs=32648)
    >>> workable_months(hazards, pd.Series([6.0, 2.0, 0.0]))
    {'P01': 8.0, 'P02': 12.0}
    """
    _require_column(hazards, by)
    if not blocked.index.equals(hazards.index):
        raise DataError("months: they stand on another index than the hazards; measure the very same table")
    months = blocked.to_numpy(dtype=float, na_value=np.nan)
    if unknown_blocked is not None:
        months = np.where(np.isnan(months), unknown_blocked, months)
    if ((months < 0) | (months > YEAR)).any():
        raise DataError("months: they go from 0 to 12")
    area = space.areas_m2(hazards)
    known = ~np.isnan(months) & (area > 0)
    table = pd.DataFrame({"area": area * known, "blocked": area * np.nan_to_num(months) * known})
    sums = table.groupby(hazards[by].to_numpy(), sort=True).sum()
    dark = [str(region) for region in sums.index[sums["area"] <= 0]]
    if dark:
        raise DataError(
            f"months: nothing is known of {', '.join(dark[:10])}; say how many months count as "
            "blocked there with unknown_blocked="
        )
    found = YEAR - sums["blocked"] / sums["area"]
    shut = [str(region) for region in found.index[found <= 1e-6]]
    if shut:
        raise DataError(
            f"months: {', '.join(shut[:10])} can be worked in no month; give them no teams and "
            "leave their hazards out here"
        )
    return {region: round(float(value), 6) for region, value in found.items()}


def _from_table(hazards: gpd.GeoDataFrame, table: ByRegion, by: str) -> "pd.Series[float]":
    _require_column(hazards, by)
    months = {region: _number(region, value) for region, value in table.items()}
    values = hazards[by].map(months).to_numpy(dtype=float, na_value=np.nan)
    gap = np.isnan(values)
    notes: tuple[Note, ...] = ()
    if gap.any():
        missing = sorted(hazards.loc[gap, by].dropna().astype(str).unique())[:5]
        text = f"{int(gap.sum())} hazards in regions without months ({', '.join(missing) or 'region blank'})"
        notes = (Note("hazards", "unknown", text, int(gap.sum())),)
    return as_measure(values, hazards, "months_blocked", notes)


def _number(region: Any, value: Any) -> float:
    """Turn a number of months, or a list of them, into a number."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        listed = {int(month) for month in value}
        if not all(1 <= month <= YEAR for month in listed):
            raise DataError(f"months of {region!r}: {sorted(listed)} are not all from 1 to 12")
        return float(len(listed))
    number = float(value)
    if not (0 <= number <= YEAR or np.isnan(number)):
        raise DataError(f"months of {region!r}: {number:g} is not from 0 to 12")
    return number


def _require_column(hazards: gpd.GeoDataFrame, by: str) -> None:
    if by not in hazards:
        raise DataError(f"hazards: there is no column {by!r} that names the region; say which one with by=")


def _months(values: npt.NDArray[Any]) -> Floats:
    months = values.astype(float)
    if ((months < 0) | (months > YEAR)).any():
        raise DataError(
            "months: cells hold values outside 0 to 12; is it a raster of months? For twelve months as "
            "layers, say which cells are blocked with at_least= or classes="
        )
    return months
