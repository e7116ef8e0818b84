"""Where flood water may have carried items: the water downstream of flooded hazards, for re-survey.

Mines and cluster munition remnants move with floods and slides. What lies downstream of a flooded hazard,
within a stated distance, is flagged for re-survey. It is a flag, not a finding: it says where to look
again, and says nothing about the land it does not name.
"""

from typing import Any, TypeAlias

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from ccm_geo import space
from ccm_geo.assumptions import Assumption
from ccm_geo.errors import DataError
from ccm_geo.schemas import Note

from .flow import CODINGS, followed
from .grids import Grid, described
from .rivers import carried

Floats: TypeAlias = npt.NDArray[np.float64]

DRIFT_MAX = Assumption(
    value=14_000,
    unit="m",
    source="Farthest that a mine is reported to have moved in the floods of May 2014 (Borgen Magazine, "
    "Landmines and flooding in Bosnia and Herzegovina; see also Geosciences 2023, 13, 178). One flood of "
    "one country: steeper or larger rivers may carry items farther",
    year=2014,
    country="Bosnia and Herzegovina",
)
"""How far downstream items are looked for, metres along the water."""

_NOT_A_FINDING = "land outside the drift zone is not known to be free of explosive ordnance"


def drift_paths(
    flooded: gpd.GeoDataFrame,
    flow: Grid | gpd.GeoDataFrame,
    *,
    max_m: float = DRIFT_MAX.value,
    coding: str | None = None,
    beside_m: float | None = None,
    band: int = 1,
    crs: Any = None,
) -> gpd.GeoDataFrame:
    """Follow the water downstream from flooded hazards.

    Parameters
    ----------
    flooded
        Hazards that were, or may be, under water: for example those of a `share_in_zone` above 0.
    flow
        A raster of flow directions (D8), or river lines drawn in the direction in which they flow.
    max_m
        How far, metres along the water; see `DRIFT_MAX`.
    coding
        Of a raster, how its numbers name directions: ``esri`` (1 east, 2 southeast, 4 south ... 128
        northeast, as HydroSHEDS and MERIT Hydro), ``taudem`` (1 east, 2 northeast ... 8 southeast),
        ``grass`` (1 northeast, 2 north ... 8 east) or ``pcraster`` (the keys of a number pad, 5 a pit).
    beside_m
        Of river lines, how near to one a hazard's items enter it, metres.
    band, crs
        Of a raster, as for `read_population`.

    Returns
    -------
    geopandas.GeoDataFrame
        Stretches of water in the CRS of `flooded`: ``hazard_id`` of the nearest flooded hazard upstream (its
        index label where the table has none), ``from_m`` and ``to_m``, metres along the water from it to both
        ends, and the line. Hazards from which no water leads are counted in ``.attrs["notes"]``.

    Raises
    ------
    CRSError
        If a layer has no CRS or the layers lie apart.
    DataError
        If the coding or a distance is missing or wrong, or no water leads from any of the hazards.
    SourceError
        If the raster cannot be read.

    References
    ----------
    Flow directions: J. F. O'Callaghan and D. M. Mark, Computer Vision, Graphics, and Image
    Processing 28 (1984).

    Examples
    --------
    >>> from shapely import LineString, box
    >>> river = gpd.GeoDataFrame(geometry=[LineString([(500_000, 0), (530_000, 0)])], crs=32648)
    >>> field = gpd.GeoDataFrame({"hazard_id": ["a"]}, geometry=[box(500_000, 50, 500_100, 150)], crs=32648)
    >>> path = drift_paths(field, river, beside_m=200)
    >>> path[["hazard_id", "from_m", "to_m"]].round(-2).values.tolist()
    [['a', 0.0, 14000.0]]
    """
    if not 0 < max_m < np.inf:
        raise DataError(f"max_m must be a positive number of metres, not {max_m}")
    own = space.require_crs(flooded, "hazards")
    if isinstance(flow, gpd.GeoDataFrame):
        if beside_m is None or not beside_m > 0:
            raise DataError(
                "rivers: say with beside_m= how near to a river a hazard's items may enter it, metres; "
                "take the width of the flooded land where it is known"
            )
        found, begun = carried(flooded, flow, max_m=max_m, beside_m=beside_m)
    else:
        grid = described(flow, what="flow", band=band, crs=crs)
        found, begun = followed(flooded, grid, max_m=max_m, steps=_steps(coding))
    names = np.asarray(flooded.get("hazard_id", flooded.index), dtype=object)
    if not len(found):
        raise DataError(
            "no water leads from any of the flooded hazards; check the direction, coding= and CRS"
        )
    out = gpd.GeoDataFrame(
        {"hazard_id": names[found["hazard"].to_numpy()], "from_m": found["from_m"], "to_m": found["to_m"]},
        geometry=space.project(found, own).to_numpy(),
        crs=own,
    )
    out.attrs["notes"] = _said(begun, max_m)
    return out


def resurvey_downstream(
    places: gpd.GeoDataFrame | gpd.GeoSeries, paths: gpd.GeoDataFrame, *, beside_m: float
) -> pd.DataFrame:
    """Flag places and hazards to survey again, as flood water may have carried items to them.

    Parameters
    ----------
    places
        Hazards, settlements, fields or roads, in any CRS.
    paths
        What `drift_paths` returned.
    beside_m
        How far from the water items may lie, metres: the width of the flooded land. No source gives one
        number for it.

    Returns
    -------
    pandas.DataFrame
        On the index of `places`: ``resurvey`` (true, false, missing without geometry), ``downstream_m``,
        metres along the water from the nearest flooded hazard (0 at that hazard itself), and
        ``from_hazard``.

    Raises
    ------
    CRSError
        If a layer has no CRS or the two lie apart.
    DataError
        If `beside_m` is negative.

    Examples
    --------
    >>> from shapely import LineString, Point
    >>> water = {"hazard_id": ["a"], "from_m": [0.0], "to_m": [9_000.0]}
    >>> line = LineString([(500_000, 1_000_000), (509_000, 1_000_000)])
    >>> path = gpd.GeoDataFrame(water, geometry=[line], crs=32648)
    >>> homes = gpd.GeoSeries([Point(504_000, 1_000_100), Point(504_000, 1_003_000)], crs=32648)
    >>> resurvey_downstream(homes, path, beside_m=500).round(-2).values.tolist()
    [[True, 4000.0, 'a'], [False, nan, None]]
    """
    if not beside_m >= 0:
        raise DataError(f"beside_m must be 0 or a positive number of metres, not {beside_m}")
    boxes = [
        space.lonlat_bounds(t.total_bounds, space.require_crs(t, n))
        for t, n in ((places, "places"), (paths, "paths"))
    ]
    space.require_overlap(boxes[0], boxes[1], ("places", "drift paths"))
    metric = space.study_crs(paths)
    lines, shapes = (space.project(t, metric).to_numpy() for t in (paths, places))
    place, path = shapely.STRtree(lines).query(shapes, predicate="dwithin", distance=beside_m)
    there = paths["from_m"].to_numpy()[path] + _along(lines[path], shapes[place], paths.iloc[path])
    order = np.lexsort([there, place])
    place, path, there = place[order], path[order], there[order]
    first = np.unique(place, return_index=True)[1]
    missing = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    flag = pd.array(np.isin(np.arange(len(shapes)), place), dtype="boolean")
    flag[missing] = pd.NA
    out = pd.DataFrame({"resurvey": flag, "downstream_m": np.nan, "from_hazard": None}, index=places.index)
    out["from_hazard"] = out["from_hazard"].astype(object)
    rows = place[first]
    out.iloc[rows, 1] = there[first]
    out.iloc[rows, 2] = paths["hazard_id"].to_numpy(dtype=object)[path[first]]
    text = f"{len(rows)} places to survey again, within {beside_m:g} m of the water; {_NOT_A_FINDING}"
    out.attrs["notes"] = (*paths.attrs.get("notes", ()), Note("hazards", "advice", text, len(rows)))
    return out


def drift_land(paths: gpd.GeoDataFrame, *, beside_m: float, band_m: float = 1_000.0) -> gpd.GeoDataFrame:
    """Draw the land beside the water downstream, to be surveyed again.

    Parameters
    ----------
    paths
        What `drift_paths` returned.
    beside_m
        How far from the water items may lie, metres.
    band_m
        Land is told apart by distance in steps of so many metres.

    Returns
    -------
    geopandas.GeoDataFrame
        One row for each flooded hazard and step: ``hazard_id``, ``from_m``, ``to_m`` and the land, in the CRS
        of `paths`. Land of two steps may overlap at their common end.

    Raises
    ------
    DataError
        If a distance is not positive.
    """
    if not (beside_m > 0 and band_m > 0):
        raise DataError("beside_m and band_m must be positive numbers of metres")
    own, metric = space.require_crs(paths, "paths"), space.study_crs(paths)
    cut = pd.DataFrame(
        {"hazard_id": paths["hazard_id"].to_numpy(), "step": (paths["from_m"] // band_m).to_numpy()}
    )
    number = cut.groupby(["hazard_id", "step"], sort=True, observed=True).ngroup().to_numpy()
    order = np.argsort(number, kind="stable")
    lines = shapely.multilinestrings(space.project(paths, metric).to_numpy()[order], indices=number[order])
    first = order[np.unique(number[order], return_index=True)[1]]
    land = gpd.GeoSeries(shapely.buffer(shapely.line_merge(lines), beside_m, quad_segs=8), crs=metric)
    step = cut["step"].to_numpy()[first] * band_m
    upper = pd.Series(paths["to_m"].to_numpy()).groupby(number).max().to_numpy()
    out = gpd.GeoDataFrame(
        {"hazard_id": cut["hazard_id"].to_numpy()[first], "from_m": step, "to_m": np.maximum(upper, step)},
        geometry=space.project(land, own).to_numpy(),
        crs=own,
    )
    out.attrs["notes"] = (*paths.attrs.get("notes", ()), Note("hazards", "advice", _NOT_A_FINDING))
    return out


def _steps(coding: str | None) -> dict[int, tuple[int, int]]:
    if coding is None or coding not in CODINGS:
        raise DataError(
            f"flow: coding {coding!r} is unknown; say how the raster names directions with coding=, one of "
            f"{', '.join(CODINGS)}"
        )
    return CODINGS[coding]


def _along(lines: npt.NDArray[Any], shapes: npt.NDArray[Any], rows: gpd.GeoDataFrame) -> Floats:
    """Give the metres along each stretch to the point nearest to the shape."""
    if not len(lines):
        return np.zeros(0)
    touch = shapely.get_point(shapely.shortest_line(lines, shapes), 0)
    share = shapely.line_locate_point(lines, touch, normalized=True)
    return np.asarray(share * (rows["to_m"] - rows["from_m"]).to_numpy())


def _said(begun: npt.NDArray[np.bool_], max_m: float) -> tuple[Note, ...]:
    """Say how far was looked, and from how many hazards no water leads."""
    notes = [Note("hazards", "assumed", f"items are looked for up to {max_m:g} m along the water downstream")]
    still = int((~begun).sum())
    if still:
        text = f"{still} of {len(begun)} flooded hazards have no water that leads from them: drift unknown"
        notes.append(Note("hazards", "unknown", text, still))
    return tuple(notes)
