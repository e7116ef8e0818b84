"""Where mobile services should stop: the choice that reaches most people, or makes their trips shortest."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from ccm_geo import space
from ccm_geo.access import (
    OFFROAD_KMH,
    OFFROAD_MAX_M,
    CutRoads,
    RoadGraph,
    minutes_between,
    road_graph,
    trips_to,
)
from ccm_geo.errors import DataError
from ccm_geo.schemas import Note, PopulationRaster, notes_of

from .case import Case, Floats, chosen
from .places import counted, located
from .result import Goal, Outreach

_NO_END_MIN = 1e6  # two years: every way that there is counts


def choose_stops(  # noqa: PLR0913 - every limit and every unit is one keyword
    costs: pd.DataFrame | npt.ArrayLike,
    *,
    goal: Goal,
    weights: "pd.Series[float] | npt.ArrayLike | None" = None,
    within: float | None = None,
    sites: int | None = None,
    budget_usd: float | None = None,
    cost_usd: "pd.Series[float] | npt.ArrayLike | None" = None,
    existing: Sequence[Any] = (),
    must: Sequence[Any] = (),
    beyond: float | None = None,
    unit: str = "minutes",
    who: str = "people",
    gap: float = 1e-3,
    seconds: float = 60.0,
) -> Outreach:
    """Choose the best stops from a ready table of travel costs.

    Parameters
    ----------
    costs
        Minutes (or kilometres, or anything that is 0 or more) from every place (row) to every possible stop
        (column), shape ``(places, stops)``. NaN or infinite: no way.
    goal
        ``coverage``: most people within the limit `within` of a stop. ``travel``: the least mean cost to the
        nearest stop (the p-median).
    weights
        People of each place; a missing number stays unknown: the place is counted in a note, not as people.
        None: every place counts 1.
    within
        The limit, in the unit of `costs`. Needed for coverage; for travel it is only reported.
    sites
        At most so many new stops.
    budget_usd
        New stops may cost so much together.
    cost_usd
        Of each stop, USD. Needed with a budget.
    existing
        Labels of stops that are there already: they serve people, cost nothing and take no place.
    must
        Labels of stops that must be among the chosen.
    beyond
        For travel: a place that no chosen stop reaches counts as if its trip cost this much. None: the
        largest cost in the table.
    unit, who
        What costs count, and who is counted, in words.
    gap
        Distance from the proven bound that is good enough, as a share of the goal; 0 for the best
        choice, proven.
    seconds
        When to stop looking, about; the gap that is left is reported.

    Returns
    -------
    Outreach
        The chosen stops, who goes where, and how good the choice is proven to be.

    Raises
    ------
    DataError
        If a number is out of range, labels repeat or are not there, neither `sites` nor `budget_usd`
        is given, the budget pays for no stop, or no place is within the limit of any stop.

    Notes
    -----
    Coverage: maximize ``sum_i w_i y_i`` with ``y_i <= sum of x_j over stops j within the limit of i``.
    Travel: minimize ``sum_i w_i min(beyond, min over chosen j of d_ij)``. Both with
    ``sum_j c_j x_j <= budget``, ``sum_j x_j <= sites``, x binary. Both are one problem: see the
    page on outreach in the documentation.

    References
    ----------
    R. Church and C. ReVelle, The maximal covering location problem, Papers of the Regional Science
    Association 32 (1974); S. L. Hakimi, Optimum locations of switching centers, Operations Research 12
    (1964).

    Examples
    --------
    >>> minutes = pd.DataFrame({"North": [10, 90, np.inf], "South": [80, 20, np.inf]})
    >>> best = choose_stops(minutes, goal="coverage", weights=[300, 500, 40], within=60, sites=1)
    >>> print(best)
    1 stop chosen, at most 1 stop.
    500 of 840 people (59.5%) are then within 60 minutes of a stop; 0 are today.
    300 people stay beyond 60 minutes.
      1. South: adds 500 people within reach; nearest stop for 500 people
    No other choice within these limits can be better (proven).
    Beware: no way to any stop is known from 1 of 3 places (40 people): how long the trip takes is unknown,
    not short.
    """
    table = costs if isinstance(costs, pd.DataFrame) else pd.DataFrame(np.atleast_2d(np.asarray(costs)))
    if goal not in {"coverage", "travel"}:
        raise DataError(f"goal {goal!r} is unknown; it is 'coverage' or 'travel'")
    weight, notes = counted(weights, table.index, who)
    stops = table.columns
    _require(stops, (existing, must), sites=sites, budget=budget_usd)
    price, more = _prices(cost_usd, stops, budget_usd, stops.isin(list(existing)))
    case = Case(
        costs=_checked(table),
        weight=weight,
        price=price,
        existing=np.asarray(stops.isin(list(existing))),
        must=np.asarray(stops.isin(list(must))),
        places=table.index,
        stops=stops,
        goal=goal,
        within=within,
        beyond=np.inf if beyond is None else beyond,
        sites=sites,
        budget=budget_usd,
        unit=unit,
        who=who,
        notes=(*notes, *more),
    )
    return chosen(case, gap=gap, seconds=seconds)


def site_outreach(  # noqa: PLR0913 - every limit is one keyword
    people: PopulationRaster | gpd.GeoDataFrame,
    candidates: gpd.GeoDataFrame,
    roads: gpd.GeoDataFrame | RoadGraph | CutRoads,
    *,
    goal: Goal = "coverage",
    within_min: float | None = None,
    sites: int | None = None,
    budget_usd: float | None = None,
    existing: gpd.GeoDataFrame | None = None,
    must: Sequence[Any] = (),
    who: str = "people",
    name: str | None = None,
    beyond_min: float | None = None,
    cell_m: float = 5_000,
    offroad_kmh: float = OFFROAD_KMH,
    offroad_max_m: float = OFFROAD_MAX_M,
    gap: float = 1e-3,
    seconds: float = 60.0,
) -> Outreach:
    """Choose where mobile services should stop, or new points open, so that most people are in reach.

    Parameters
    ----------
    people
        Settlements (points or areas) with a column ``people``, or ``survivors``, see `who`; or a raster,
        taken together in blocks of `cell_m`.
    candidates
        Where a stop is possible: points (or areas). With a budget they have ``cost_usd``.
    roads
        A table of roads or, to use it more than once, a graph made by `road_graph`; or roads with what
        hazards cut of them, made by `cut_roads`: then no trip, walk or drive, leads through a hazard,
        as in `service_reach`; this takes one search for each candidate (see the documentation for times).
    goal
        ``coverage``: most people within `within_min` of a stop. ``travel``: the shortest trip on average.
    within_min
        The limit, minutes; needed for coverage. The Lancet Commission on Global Surgery counts two hours
        to essential surgery as access (Meara et al. 2015).
    sites, budget_usd, must, gap, seconds
        As for `choose_stops`; `must` holds labels of the index of `candidates`.
    existing
        Facilities that give the service already.
    who
        Column that is counted.
    name
        Column of `candidates` to call the stops by in texts.
    beyond_min
        For travel: what a trip counts where no chosen stop is reached, minutes; None: the longest there is.
    cell_m
        Size of a block of a raster, metres.
    offroad_kmh, offroad_max_m
        As for `travel_time`.

    Returns
    -------
    Outreach
        As `choose_stops`; ``sites`` has the columns and the geometry of `candidates`, ``places`` those of the
        places, so both can be drawn.

    Raises
    ------
    CRSError
        If a layer has no CRS or layers lie apart.
    DataError
        As `choose_stops`.

    Examples
    --------
    >>> from shapely import LineString, Point
    >>> road = gpd.GeoDataFrame({"speed_kmh": [30]}, geometry=[LineString([(0, 0), (0.9, 0)])], crs=4326)
    >>> homes = gpd.GeoDataFrame({"people": [80, 300]}, geometry=[Point(0, 0), Point(0.9, 0)], crs=4326)
    >>> best = site_outreach(homes, homes, road, within_min=60, sites=1)
    >>> best.sites.index.tolist(), best.value, best.gap
    ([1], 300.0, 0.0)
    """
    way: RoadGraph | CutRoads = roads if isinstance(roads, (RoadGraph, CutRoads)) else road_graph(roads)
    places, notes = located(people, who, cell_m)
    stops = candidates.set_axis(pd.Index(candidates.index))
    there = (
        None
        if existing is None
        else existing.geometry[
            ~(shapely.is_missing(existing.geometry.to_numpy()) | existing.geometry.is_empty)
        ]
    )
    spots = stops.geometry if there is None else _together(stops.geometry, there)
    minutes = pd.DataFrame(
        _minutes(places, spots, way, offroad_kmh, offroad_max_m), index=places.index, columns=spots.index
    )
    labels = spots.index[len(stops) :]
    price = stops.get("cost_usd")
    found = choose_stops(
        minutes,
        goal=goal,
        weights=places[who],
        within=within_min,
        sites=sites,
        budget_usd=budget_usd,
        cost_usd=None if price is None else price.reindex(spots.index),
        existing=list(labels),
        must=must,
        beyond=beyond_min,
        who=who,
        gap=gap,
        seconds=seconds,
    )
    own = [c for c in stops.columns if c not in {*found.sites.columns}]
    named = stops.index.astype(str) if name is None else stops[name].astype("string").fillna("without a name")
    return replace(
        found,
        sites=stops.loc[found.sites.index, own].join(found.sites),
        places=places.drop(columns=[c for c in found.places if c in places]).join(found.places),
        names=pd.Series(np.asarray(named, dtype=object), index=stops.index),
        notes=tuple(dict.fromkeys((*notes, *notes_of(candidates, way), *found.notes))),
    )


def _minutes(
    places: gpd.GeoDataFrame, spots: gpd.GeoSeries, way: RoadGraph | CutRoads, kmh: float, max_m: float
) -> Floats:
    """Give minutes from every place to every spot, infinite where there is no way."""
    if isinstance(way, RoadGraph):
        return minutes_between(
            places, spots, way, limit_min=_NO_END_MIN, offroad_kmh=kmh, offroad_max_m=max_m
        )
    none = np.zeros(len(way.placed), dtype=bool)
    bare = gpd.GeoSeries(
        places.geometry.to_numpy(), crs=places.crs
    )  # notes on the table are copied at every step
    out = np.full((len(places), len(spots)), np.inf)
    for k in np.flatnonzero(~(shapely.is_missing(spots.to_numpy()) | spots.is_empty.to_numpy())):
        trips = trips_to(bare, spots.iloc[[k]], way, offroad_kmh=kmh, offroad_max_m=max_m)
        out[:, k] = trips.minutes(none)
    return out


def _together(stops: gpd.GeoSeries, there: gpd.GeoSeries) -> gpd.GeoSeries:
    """Put existing facilities behind the candidates, under labels of their own."""
    space.require_crs(there, "existing")
    crs = space.require_crs(stops, "candidates")
    labels = [f"existing {label}" for label in there.index]
    moved = space.project(there, crs)
    return gpd.GeoSeries(
        np.concatenate([stops.to_numpy(), moved.to_numpy()]),
        index=pd.Index([*stops.index, *labels], dtype=object),
        crs=crs,
    )


def _require(
    stops: pd.Index, named: Sequence[Sequence[Any]], *, sites: int | None, budget: float | None
) -> None:
    """Refuse limits and labels that cannot be meant."""
    if not stops.is_unique:
        raise DataError("stops: labels repeat; give each candidate its own (reset_index(drop=True))")
    if sites is None and budget is None:
        raise DataError("say how many stops there may be with sites=, or what they may cost with budget_usd=")
    if sites is not None and not (isinstance(sites, (int, np.integer)) and sites >= 1):
        raise DataError(f"sites={sites!r}: give a whole number of 1 or more")
    if budget is not None and not 0 < budget < np.inf:
        raise DataError(f"budget_usd={budget!r}: give an amount above 0")
    absent = [label for labels in named for label in labels if label not in stops]
    if absent:
        raise DataError(f"stops: there is none labeled {', '.join(map(repr, absent[:5]))}")


def _checked(table: pd.DataFrame) -> Floats:
    if table.empty:
        raise DataError(
            "costs: the table is empty; it needs a row for every place and a column for every stop"
        )
    costs = table.to_numpy(dtype=float, na_value=np.nan).copy()
    costs[np.isnan(costs)] = np.inf
    if (costs < 0).any():
        raise DataError(f"costs: {int((costs < 0).sum())} are below 0; correct them")
    return costs


def _prices(
    given: Any, stops: pd.Index, budget: float | None, existing: npt.NDArray[np.bool_]
) -> tuple[Floats, tuple[Note, ...]]:
    """Give the cost of every stop, NaN where it is unknown; existing ones cost nothing."""
    if given is None:
        if budget is not None:
            raise DataError("stops: a budget needs cost_usd, what each candidate costs")
        return np.where(existing, 0.0, np.nan), ()
    price = (
        pd.to_numeric(pd.Series(np.asarray(given), index=stops), errors="coerce").to_numpy(dtype=float).copy()
    )
    price[existing] = 0.0
    if (price < 0).any():
        raise DataError(f"stops: {int((price < 0).sum())} have a cost_usd below 0; correct them")
    unknown = int(np.isnan(price).sum())
    if not unknown or budget is None:
        return price, ()
    text = f"{unknown} candidates without cost_usd cannot be chosen under a budget"
    return price, (Note("candidates", "unknown", text, unknown),)
