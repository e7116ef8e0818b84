"""Who comes home, and where: people expected to arrive near each hazard over the coming 12 months.

What presses on contaminated land is arrivals, not the stock of displaced people. Nobody knows them; this is
an estimate from where people say they come from and want to return to, and every step of it is written down.
"""

import math
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, TypeAlias

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely

from . import space
from .access import RoadGraph, minutes_between, road_graph
from .assumptions import FIRST_YEAR_SHARE, Assumption
from .errors import DataError
from .exposure import people_in, people_near, population_cells
from .schemas import Note, PopulationRaster

Array: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.intp]
Shapes: TypeAlias = npt.NDArray[Any]
People: TypeAlias = PopulationRaster | gpd.GeoDataFrame
Roads: TypeAlias = gpd.GeoDataFrame | RoadGraph

MAY_RETURN = ("idp", "refugee")
"""Groups that may still come home; a ``returnee`` already has, and is counted among the residents."""

_GROUPS = (*MAY_RETURN, "returnee")
_EDGE_M = 5_000.0  # longer edges of a district get vertices before they are projected, where they may bend
_QUAD_SEGS = 8
_AROUND_DEG = 0.5
_BLOCK = 4_000_000  # pairs of site and place held at once: 32 MB


@dataclass(frozen=True, kw_only=True)
class Gravity:
    """How people of unknown origin are spread: many people near by draw more than few far away.

    Parameters
    ----------
    decay_min
        Minutes of travel over which the pull falls to 37 % (1/e).
    limit_min
        Nobody is expected farther away than this, minutes.
    straight_kmh
        Speed in a straight line where no roads are given, km/h.
    cell_m
        Side of the blocks of population that draw people, metres.

    Examples
    --------
    >>> from dataclasses import replace
    >>> near = replace(GRAVITY, decay_min=Assumption(value=30, unit="minutes", source="DTM interviews, 2026"))
    >>> near.decay_min.value
    30
    """

    decay_min: Assumption
    limit_min: Assumption
    straight_kmh: Assumption
    cell_m: Assumption

    def __post_init__(self) -> None:
        faults = [
            f"{f.name}: {value}; give a number above 0"
            for f in fields(self)
            if not 0 < (value := getattr(self, f.name).value) < math.inf
        ]
        if faults:
            raise DataError("gravity: some numbers cannot be used", faults)


_NONE = "No source found; a placeholder"

GRAVITY = Gravity(
    decay_min=Assumption(value=60, unit="minutes", source=_NONE, confidence="none", placeholder=True),
    limit_min=Assumption(value=240, unit="minutes", source=_NONE, confidence="none", placeholder=True),
    straight_kmh=Assumption(value=30, unit="km/h", source=_NONE, confidence="none", placeholder=True),
    cell_m=Assumption(
        value=5_000, unit="m", source="Choice: well below an hour's travel", confidence="medium"
    ),
)
"""Numbers for people of unknown origin, as shipped: placeholders, no source was found."""


class _Land(NamedTuple):
    """The hazards' valid shapes in a metric CRS, and how far their reach extends."""

    shapes: Shapes
    crs: pyproj.CRS
    within_m: float


class _Spread(NamedTuple):
    """People by hazard, how many of them found a place at all, and what is to be said about it."""

    people: Array
    placed: float
    notes: tuple[Note, ...]


def arrivals_near(
    hazards: gpd.GeoDataFrame,
    moves: gpd.GeoDataFrame,
    people: People,
    *,
    roads: Roads | None = None,
    within_m: float = 1_000,
    return_share: float | None = None,
    first_year_share: float = FIRST_YEAR_SHARE.value,
    gravity: Gravity = GRAVITY,
) -> "pd.Series[float]":
    """Estimate how many displaced people will come to live near each hazard in the coming 12 months.

    Parameters
    ----------
    hazards
        Areas, in any CRS.
    moves
        From `read_displacement`: ``group`` (idp, refugee, returnee), ``people``, ``intend_return_share``
        (0..1), a site point or None, and ``origin``, the district they come from as a polygon, or None.
    people
        Where people live: a raster, or points or polygons with ``people``; used as stand-in for where the
        displaced lived before.
    roads
        Roads or a graph made of them, for people of unknown origin; straight lines where not given.
    within_m
        Reach from the area's outline, metres; the same as that of ``people_near``.
    return_share
        Share of people who will return, 0..1, for rows without ``intend_return_share``. There is no default:
        no source was found for one.
    first_year_share
        Share of those who will return that comes in the coming 12 months. Set it to 1 where
        ``intend_return_share`` already speaks of the coming 12 months.
    gravity
        Numbers for people of unknown origin.

    Returns
    -------
    pandas.Series
        ``arrivals``, people, on the index of `hazards`: 0 where nobody is expected, NaN where the hazard has
        no geometry or its people are unknown. ``attrs["notes"]`` says how many were placed, and how. People
        expected near two hazards count for both.

    Raises
    ------
    CRSError
        If a layer has no CRS, or hazards and population lie apart.
    DataError
        If columns are absent, a value is impossible, or a row lacks ``intend_return_share`` and
        `return_share` is not given.

    Notes
    -----
    Each row of idp and refugee brings ``R = people * intend_return_share * first_year_share``. Returnees are
    home already and add nothing. Rows without a number of people are left out and counted in a note.

    *Origin known*: R spreads over district *d* as people live in it::

        arrivals_i = sum_d R_d * people(reach_i and d) / people(d)

    or as its area, where the population layer has nobody there.

    *Origin unknown*: R of site *s* spreads over blocks *j* of population (Huff's gravity)::

        R_sj = R_s * w_sj / sum_j(w_sj)
        w_sj = people_j * exp(-minutes_sj / decay_min),  0 where minutes_sj > limit_min

    and a hazard gets ``people(reach_i)`` times the arrivals per resident of the blocks whose middle lies
    within reach, or of the nearest block. Minutes are over the roads (sites more than half a degree outside
    the population layer then draw nobody), or straight at ``straight_kmh``.

    Standing: the shares are what people said; ``first_year_share`` stands in for an unknown (see
    `FIRST_YEAR_SHARE`), the numbers of `GRAVITY` are placeholders.

    Examples
    --------
    >>> from shapely import Point, box
    >>> village = [Point(5e5, 2e6), Point(5.1e5, 2e6)]
    >>> people = gpd.GeoDataFrame({"people": [300, 100]}, geometry=village, crs=32648)
    >>> moves = gpd.GeoDataFrame({"group": ["idp"], "people": [800], "intend_return_share": [0.5],
    ...     "origin": [box(4.9e5, 1.9e6, 5.2e5, 2.1e6)]}, geometry=[None], crs=32648)
    >>> areas = [box(500_500, 2e6, 500_600, 2_000_100), box(6e5, 2e6, 600_100, 2_000_100)]
    >>> hazards = gpd.GeoDataFrame({"hazard_id": ["A", "B"]}, geometry=areas, crs=32648)
    >>> arrivals_near(hazards, moves, people, first_year_share=0.8).tolist()  # 800 * 0.5 * 0.8 * 300 / 400
    [240.0, 0.0]
    """
    _require(moves, within_m, return_share, first_year_share)
    expected, notes = _expected(moves, return_share, first_year_share)
    values = np.zeros(len(hazards))
    if expected.sum() > 0:
        land = _land(hazards, within_m)
        origins = _origins(moves)
        known = ~shapely.is_missing(origins) & ~shapely.is_empty(origins)
        home = _home(land, space.require_crs(moves, "displacement"), origins[known], expected[known], people)
        sites = moves.geometry[~known]
        drawn = _drawn(land, sites, expected[~known], people, roads=roads, gravity=gravity)
        values = home.people + drawn.people
        notes = (*notes, *home.notes, *drawn.notes, *_placed(expected.sum(), home.placed, drawn.placed))
    gone = shapely.is_missing(hazards.geometry.to_numpy()) | hazards.geometry.is_empty.to_numpy()
    if np.isnan(values[~gone]).any():
        where = np.flatnonzero(np.isnan(values) & ~gone)
        text = "Arrivals are unknown: the hazard lies outside the population layer"
        notes = (*notes, Note("hazards", "unknown", text, len(where), tuple(str(i + 1) for i in where)))
    values = np.where(gone, np.nan, np.maximum(values, 0.0))  # no minus zero from rounding
    out = pd.Series(values, index=hazards.index, name="arrivals")
    out.attrs["notes"] = notes
    return out


def _require(moves: gpd.GeoDataFrame, within_m: float, share: float | None, first_year_share: float) -> None:
    if not isinstance(moves, gpd.GeoDataFrame):
        raise DataError("displacement: a table with geometry is needed; read it with read_displacement")
    faults = [f"no column {name}; name it with rename=" for name in ("group", "people") if name not in moves]
    if not 0 <= within_m < math.inf:
        faults.append(f"within_m: {within_m}; give a number of metres from 0")
    if share is not None and not 0 <= share <= 1:
        faults.append(f"return_share: {share}; give a share from 0 to 1")
    if not 0 < first_year_share <= 1:
        faults.append(f"first_year_share: {first_year_share}; give a share above 0 up to 1")
    if not faults:
        faults = _row_faults(moves)
    if faults:
        raise DataError("displacement: arrivals cannot be told from this", faults)


def _row_faults(moves: gpd.GeoDataFrame) -> list[str]:
    strange = ~moves["group"].isin(_GROUPS).to_numpy()
    heads, share = _numbers(moves, "people"), _numbers(moves, "intend_return_share")
    checks = (
        ("group", strange, f"use {', '.join(_GROUPS)}; map others with values="),
        ("people", (heads < 0) | np.isinf(heads), "give a number of people from 0, or leave it empty"),
        ("intend_return_share", (share < 0) | (share > 1), "give a share from 0 to 1, so 40 % is 0.4"),
    )
    return [
        f"row {i + 1}, {column} {moves[column].iloc[i]}: {cure}"
        for column, bad, cure in checks
        for i in np.flatnonzero(bad)
    ]


def _numbers(table: pd.DataFrame, column: str) -> Array:
    """Read a column of numbers; NaN where it is empty or absent."""
    if column not in table:
        return np.full(len(table), np.nan)
    try:
        return pd.to_numeric(table[column]).to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError) as why:
        raise DataError(f"displacement: the column {column} holds text that is not a number ({why})") from why


def _expected(
    moves: gpd.GeoDataFrame, return_share: float | None, first_year_share: float
) -> tuple[Array, tuple[Note, ...]]:
    """Say how many people of each row come home in the coming 12 months."""
    heads, share = _numbers(moves, "people"), _numbers(moves, "intend_return_share")
    may = moves["group"].isin(MAY_RETURN).to_numpy()
    blank, silent = may & np.isnan(heads), may & np.isnan(share) & ~np.isnan(heads)
    if silent.any() and return_share is None:
        raise DataError(
            f"displacement: {silent.sum()} of {may.sum()} rows of idp and refugee have no "
            "intend_return_share: say which share of people will return with return_share=. "
            "No source was found for a default",
            [f"row {i + 1}, intend_return_share is empty" for i in np.flatnonzero(silent)],
        )
    used = np.where(silent, math.nan if return_share is None else return_share, share)
    expected = np.where(may & ~blank, heads * used * first_year_share, 0.0)
    home = moves["group"].eq("returnee").to_numpy()
    said = (
        (blank, "unknown", "No number of people; the rows are left out, not counted as zero"),
        (silent, "assumed", f"No intend_return_share; return_share {return_share} was used"),
        (home, "advice", f"{np.nansum(heads[home]):,.0f} returnees are home already and are no arrivals"),
    )
    notes = [
        Note("displacement", kind, text, int(who.sum()), tuple(str(i + 1) for i in np.flatnonzero(who)))
        for who, kind, text in said
        if who.any()
    ]
    if expected.sum() == 0:
        notes.append(Note("displacement", "advice", "Nobody is expected to come home: arrivals are 0"))
    elif first_year_share == FIRST_YEAR_SHARE.value:
        text = f"first_year_share is {first_year_share:.3g}: {FIRST_YEAR_SHARE.source}"
        notes.append(Note("displacement", "assumed", text, int((expected > 0).sum())))
    return expected, tuple(notes)


def _placed(total: float, home: float, drawn: float) -> tuple[Note, ...]:
    lost = total - home - drawn
    text = (
        f"{total:,.0f} people are expected to come home in 12 months: {home:,.0f} to districts of origin, "
        f"{drawn:,.0f} by gravity"
    )
    if lost > 0.5:
        text += f"; {lost:,.0f} found no place (no origin, and no site or nobody living within range)"
    return (Note("displacement", "unknown" if lost > 0.5 else "advice", text),)


def _land(hazards: gpd.GeoDataFrame, within_m: float) -> _Land:
    space.require_crs(hazards, "hazards")
    crs = space.study_crs(hazards)
    shapes = space.project(hazards, crs).to_numpy().copy()
    bad = ~(shapely.is_valid(shapes) | shapely.is_missing(shapes))
    shapes[bad] = shapely.make_valid(shapes[bad])
    return _Land(shapes, crs, within_m)


def _origins(moves: gpd.GeoDataFrame) -> Shapes:
    """Give the district of origin of each row, None where unknown."""
    if "origin" not in moves:
        return np.full(len(moves), None)
    return np.array(
        [shape if isinstance(shape, shapely.Geometry) else None for shape in moves["origin"]], dtype=object
    )


def _home(land: _Land, crs: pyproj.CRS, origins: Shapes, expected: Array, people: People) -> _Spread:
    """Spread people over the district that they come from, as people live in it."""
    if not len(origins):
        return _Spread(np.zeros(len(land.shapes)), 0.0, ())
    _, first, which = np.unique(shapely.to_wkb(origins), return_index=True, return_inverse=True)
    returning = np.bincount(which.ravel(), weights=expected).astype(float)
    long = shapely.segmentize(shapely.make_valid(origins[first]), _EDGE_M / space.metres_per_unit(crs))
    districts = space.project(gpd.GeoSeries(long, crs=crs), land.crs).to_numpy()
    living = people_in(gpd.GeoSeries(districts, crs=land.crs), people)
    empty = ~(living > 0)
    hazard, district, share = _shares(land, districts, living, people)
    came = share * returning[district]
    values = np.bincount(hazard, weights=np.nan_to_num(came), minlength=len(land.shapes)).astype(float)
    told = np.bincount(hazard, weights=np.isfinite(came), minlength=len(land.shapes))
    touched = np.bincount(hazard, minlength=len(land.shapes))
    values = np.where((touched > 0) & (told == 0), np.nan, values)
    return _Spread(values, float(returning.sum()), _empty_districts(empty, returning))


def _empty_districts(empty: npt.NDArray[np.bool_], returning: Array) -> tuple[Note, ...]:
    if not empty.any():
        return ()
    text = (
        f"The population layer has nobody in {empty.sum()} districts of origin: "
        f"{returning[empty].sum():,.0f} people coming home were spread by area instead"
    )
    return (Note("displacement", "assumed", text, int(empty.sum())),)


def _shares(land: _Land, districts: Shapes, living: Array, people: People) -> tuple[Rows, Rows, Array]:
    """Say which share of which district each hazard reaches: hazard rows, district rows, shares.

    Most reaches lie inside one district, where `people_near` is the share of its people; only those over a
    border, or in a district without people, are drawn and cut.
    """
    borders = shapely.boundary(districts)
    shapely.prepare(borders)
    hazard, district = shapely.STRtree(districts).query(
        land.shapes, predicate="dwithin", distance=land.within_m
    )
    empty = ~(living > 0)
    cut = shapely.dwithin(borders[district], land.shapes[hazard], land.within_m) | empty[district]
    pieces = shapely.intersection(_reach(land, hazard[cut]), districts[district[cut]])
    share = np.zeros(len(hazard))
    share[cut] = _living(pieces, land.crs, people)
    share[~cut] = _near(land, hazard[~cut], people)
    share /= np.where(empty, 1.0, living)[district]
    bare = empty[district]
    share[bare] = shapely.area(pieces[bare[cut]]) / shapely.area(districts)[district[bare]]
    return hazard, district, share


def _reach(land: _Land, rows: Rows) -> Shapes:
    """Draw the land within reach of these hazards, each once, to about 1 % of the distance."""
    each, again = np.unique(rows, return_inverse=True)
    drawn = land.shapes[each]
    if land.within_m > 0:
        rough = shapely.simplify(drawn, 0.01 * land.within_m)
        drawn = shapely.buffer(rough, land.within_m, quad_segs=_QUAD_SEGS)
    return np.asarray(drawn[again.ravel()])


def _living(pieces: Shapes, crs: pyproj.CRS, people: People) -> Array:
    """Count the people on pieces of land; a mere touch holds nobody."""
    some = shapely.area(pieces) > 0
    count = np.zeros(len(pieces))
    if some.any():
        count[some] = people_in(gpd.GeoSeries(pieces[some], crs=crs), people)
    return count


def _near(land: _Land, rows: Rows, people: People) -> Array:
    if not len(rows):
        return np.zeros(0)
    return people_near(
        gpd.GeoSeries(land.shapes[rows], crs=land.crs), people, within_m=land.within_m
    ).to_numpy()


def _drawn(
    land: _Land,
    sites: gpd.GeoSeries,
    expected: Array,
    people: People,
    *,
    roads: Roads | None,
    gravity: Gravity,
) -> _Spread:
    """Spread people of unknown origin over where people live, by gravity from the site where they are."""
    nobody = _Spread(np.zeros(len(land.shapes)), 0.0, ())
    some = (expected > 0) & ~(sites.isna() | sites.is_empty).to_numpy()
    if not some.any():
        return nobody
    cells = population_cells(people, cell_m=gravity.cell_m.value)
    graph = roads if roads is None or isinstance(roads, RoadGraph) else road_graph(roads)
    coming = _huff(sites[some], expected[some], cells, graph, gravity)
    if not coming.any():
        return nobody
    spots = shapely.get_coordinates(space.project(cells, land.crs).to_numpy())
    rate = _per_resident(land, spots, coming, cells["people"].to_numpy())
    here = np.zeros(len(rate))
    here[rate > 0] = _near(land, np.flatnonzero(rate > 0), people)
    notes = (*(graph.notes if graph else ()), *_gravity_notes(int(some.sum()), graph, gravity))
    return _Spread(here * rate, float(coming.sum()), notes)


def _huff(
    sites: gpd.GeoSeries, expected: Array, cells: gpd.GeoDataFrame, graph: RoadGraph | None, gravity: Gravity
) -> Array:
    """Give the people drawn to each block of population; who has no block within range is left out."""
    _, first, which = np.unique(shapely.to_wkb(sites.to_numpy()), return_index=True, return_inverse=True)
    going, starts = np.bincount(which.ravel(), weights=expected), sites.iloc[first]
    if graph is not None:
        around = _around(starts, cells)
        going, starts = going[around], starts[around]
    pull = cells["people"].to_numpy()
    coming = np.zeros(len(cells))
    step = max(1, _BLOCK // max(len(cells), 1))
    for k in range(0, len(starts), step):
        minutes = _minutes(starts.iloc[k : k + step], cells, graph, gravity)
        near = minutes <= gravity.limit_min.value
        weight = np.where(near, pull * np.exp(-minutes / gravity.decay_min.value), 0)
        total = weight.sum(axis=1)
        coming += np.divide(going[k : k + step], total, out=np.zeros_like(total), where=total > 0) @ weight
    return coming


def _around(sites: gpd.GeoSeries, cells: gpd.GeoDataFrame) -> npt.NDArray[np.bool_]:
    """Say which sites lie in or around the country; no road of it leads to the others."""
    west, south, east, north = space.lonlat_bounds(cells.total_bounds, space.require_crs(cells, "population"))
    spot = shapely.centroid(space.to_lonlat(sites).to_numpy())
    x, y, far = shapely.get_x(spot), shapely.get_y(spot), _AROUND_DEG
    return np.asarray((x > west - far) & (x < east + far) & (y > south - far) & (y < north + far))


def _minutes(
    sites: gpd.GeoSeries, cells: gpd.GeoDataFrame, graph: RoadGraph | None, gravity: Gravity
) -> Array:
    limit = gravity.limit_min.value
    if graph is not None:
        return minutes_between(sites, cells, graph, limit_min=limit)
    crs = space.study_crs(cells)
    start, goal = (
        shapely.get_coordinates(shapely.centroid(space.project(t, crs).to_numpy())) for t in (sites, cells)
    )
    apart = np.hypot(start[:, None, 0] - goal[None, :, 0], start[:, None, 1] - goal[None, :, 1])
    return np.asarray(apart * 60 / 1_000 / gravity.straight_kmh.value)


def _per_resident(land: _Land, spots: Array, coming: Array, residents: Array) -> Array:
    """Give arrivals per resident of the blocks within reach of each hazard, or of the nearest block."""
    tree = shapely.STRtree(shapely.points(spots))
    shapes = land.shapes
    hazard, cell = tree.query(shapes, predicate="dwithin", distance=land.within_m)
    come = np.bincount(hazard, weights=coming[cell], minlength=len(shapes))
    live = np.bincount(hazard, weights=residents[cell], minlength=len(shapes))
    lone = np.flatnonzero((live == 0) & ~shapely.is_missing(shapes) & ~shapely.is_empty(shapes))
    if len(lone):
        nearest = tree.nearest(shapely.point_on_surface(shapes[lone]))
        come[lone], live[lone] = coming[nearest], residents[nearest]
    return np.divide(come, live, out=np.zeros(len(shapes)), where=live > 0)


def _gravity_notes(rows: int, graph: RoadGraph | None, gravity: Gravity) -> tuple[Note, ...]:
    way = "over the roads" if graph is not None else "in straight lines, as no roads were given"
    numbers = ((f.name, getattr(gravity, f.name)) for f in fields(gravity))
    used = [(name, n) for name, n in numbers if n.placeholder and (graph is None or name != "straight_kmh")]
    listed = ", ".join(f"{name} {n.value:g} {n.unit}" for name, n in used)
    text = (
        f"The origin is unknown or its district was not given (admin=): people were spread by gravity {way}"
    )
    text += f"; placeholders to replace: {listed}" if listed else ""
    return (Note("displacement", "assumed", text, rows),)
