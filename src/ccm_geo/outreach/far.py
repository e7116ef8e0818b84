"""Who is far from help: people and survivors by how long the way to each kind of service takes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

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
    road_graph,
    travel_time,
    trips_to,
)
from ccm_geo.errors import DataError
from ccm_geo.schemas import Note, PopulationRaster, notes_of, rows_of_kind

from .places import counted, located

Floats: TypeAlias = npt.NDArray[np.float64]
Roads: TypeAlias = gpd.GeoDataFrame | RoadGraph
Trips: TypeAlias = dict[str, Floats]
Ways: TypeAlias = CutRoads | dict[str, RoadGraph]

LIMITS_MIN = (60.0, 120.0, 240.0)
"""Minutes by which reach is told. Two hours to essential surgery is the measure of the Lancet Commission on
Global Surgery (J. G. Meara et al., Global Surgery 2030, The Lancet 386, 2015); half and twice of it are a
choice. No figure was found for rehabilitation and prosthetics."""

_FEW = 5  # counts of people below this may tell who they are: common practice in statistics of health


def service_reach(  # noqa: PLR0913 - every limit is one keyword
    people: PopulationRaster | gpd.GeoDataFrame,
    facilities: gpd.GeoDataFrame,
    roads: Roads | CutRoads,
    *,
    kinds: str | Iterable[str] | None = None,
    limits_min: Sequence[float] = LIMITS_MIN,
    survivors: gpd.GeoDataFrame | None = None,
    cut: Roads | None = None,
    by: str | None = None,
    admin: gpd.GeoDataFrame | None = None,
    cell_m: float = 5_000,
    offroad_kmh: float = OFFROAD_KMH,
    offroad_max_m: float = OFFROAD_MAX_M,
) -> pd.DataFrame:
    """Count who is within and beyond 60, 120 and 240 minutes of services, with and without cut roads.

    For victim assistance the kinds are, for example, rehabilitation, surgery and prosthetics; for risk
    education the bases of teams.

    Parameters
    ----------
    people
        Settlements with ``people``; or a raster, taken together in blocks of `cell_m`. A column ``survivors``
        is counted as well.
    facilities
        Points with ``kind``.
    roads
        A table of roads, or a graph made by `road_graph`; or roads with what hazards cut of them, made by
        `cut_roads`: then every row stands twice, without and with the cuts.
    kinds
        Kinds of facilities to look at, each for itself; None: all there are.
    limits_min
        Limits, minutes; see `LIMITS_MIN`.
    survivors
        Points with a column ``survivors``, how many live there: no other column is looked at. They are
        counted beside the people.
    cut
        Where `roads` are whole, the same without those that are cut (or a graph of them), for cuts by other
        things than hazards, such as floods or broken bridges: then every row stands twice as well.
    by
        Column that names the district: of `people` and `survivors`, or of `admin` where it is given.
    admin
        Districts (polygons) that give each place its `by`.
    cell_m
        Size of a block of a raster, metres.
    offroad_kmh, offroad_max_m
        As for `travel_time`.

    Returns
    -------
    pandas.DataFrame
        One row for each district (where `by` is given), kind, ``who`` (people, survivors), ``roads`` (open,
        cut) and limit ``minutes``: numbers ``within`` and ``beyond`` the limit, ``cut_off`` (a way over the
        open roads, none over the cut ones), ``unknown`` (no way is known at all), ``total`` of these four,
        and ``places_uncounted``, places whose number is not known, which stand in none of them.

    Raises
    ------
    CRSError
        If a layer has no CRS or layers lie apart.
    DataError
        If there is no facility of a kind, a limit is not positive, or a column is not there.

    Notes
    -----
    A place counts wholly, by the way from it to the nearest facility, see `travel_time`. Neither the room
    nor the quality of a service is looked at: within reach is not served. Without a known way the time is
    unknown, and stands for itself. On one-way roads a team's way out may differ from the way in.

    Examples
    --------
    >>> from shapely import LineString, Point
    >>> road = gpd.GeoDataFrame({"speed_kmh": [30]}, geometry=[LineString([(0, 0), (0.9, 0)])], crs=4326)
    >>> homes = gpd.GeoDataFrame({"people": [80, 300]}, geometry=[Point(0, 0), Point(0.9, 0)], crs=4326)
    >>> ward = gpd.GeoDataFrame({"kind": ["surgery"]}, geometry=[Point(0, 0)], crs=4326)
    >>> service_reach(homes, ward, road)[["kind", "minutes", "within", "beyond", "unknown"]]
          kind  minutes  within  beyond  unknown
    0  surgery     60.0    80.0   300.0      0.0
    1  surgery    120.0    80.0   300.0      0.0
    2  surgery    240.0   380.0     0.0      0.0
    """
    limits = _limits(limits_min)
    groups, notes = _groups(people, survivors, cell_m)
    if by is not None:
        groups = [_with_district(g, by, admin) for g in groups]
    if isinstance(roads, CutRoads) and cut is not None:
        raise DataError("roads hold what hazards cut of them already; leave cut= out")
    ways: Ways = roads if isinstance(roads, CutRoads) else _graphs(roads, cut)
    walk = {"offroad_kmh": offroad_kmh, "offroad_max_m": offroad_max_m}
    found: list[pd.DataFrame] = []
    for kind in _kinds(facilities, kinds):
        chosen = rows_of_kind(facilities, kind)
        for group in groups:
            trips, said = _trips(group, chosen, ways, walk)
            notes += [n._replace(text=f"{kind}, {n.text}") for n in said]
            found += [_counts(group, kind, name, trips, limits, by) for name in trips]
    notes += notes_of(*([ways] if isinstance(ways, CutRoads) else ways.values()))
    out = pd.concat(found, ignore_index=True)
    if by is not None:
        out = out.sort_values(by, kind="stable", na_position="last").reset_index(drop=True)
        notes += _telling(out)
    out.attrs["notes"] = tuple(dict.fromkeys(notes))
    return out


@dataclass(frozen=True, kw_only=True, eq=False)
class _Group:
    """Places with a number of one kind of people, NaN where it is unknown."""

    who: str
    places: gpd.GeoDataFrame
    number: Floats
    district: npt.NDArray[np.object_] | None = None


def _limits(limits_min: Sequence[float]) -> list[float]:
    limits = sorted({float(v) for v in limits_min})
    if not limits or not all(0 < v < np.inf for v in limits):
        raise DataError(f"limits_min must be minutes above 0, not {list(limits_min)}")
    return limits


def _graphs(roads: Roads, cut: Roads | None) -> dict[str, RoadGraph]:
    given = {"open": roads} | ({} if cut is None else {"cut": cut})
    return {name: r if isinstance(r, RoadGraph) else road_graph(r) for name, r in given.items()}


def _trips(
    group: _Group, facilities: gpd.GeoDataFrame, ways: Ways, walk: dict[str, float]
) -> tuple[Trips, list[Note]]:
    """Give minutes from each place to the nearest facility, NaN where no way is known, by state of roads."""
    if isinstance(ways, CutRoads):
        return _trips_over(group, facilities, ways, walk)
    out: Trips = {}
    said: list[Note] = []
    for name, graph in ways.items():
        trip = travel_time(
            group.places,
            facilities,
            graph,
            offroad_kmh=walk["offroad_kmh"],
            offroad_max_m=walk["offroad_max_m"],
        )
        out[name] = trip.to_numpy()
        fresh = [n for n in trip.attrs["notes"] if n not in graph.notes]
        said += [n._replace(text=f"roads {name}: {n.text}") for n in fresh]
    return out, said


def _trips_over(
    group: _Group, facilities: gpd.GeoDataFrame, roads: CutRoads, walk: dict[str, float]
) -> tuple[Trips, list[Note]]:
    """Give the minutes as if no hazard cut a road, and with all cuts of today."""
    trips = trips_to(
        group.places, facilities, roads, offroad_kmh=walk["offroad_kmh"], offroad_max_m=walk["offroad_max_m"]
    )
    none = np.zeros(len(roads.placed), dtype=bool)
    out: Trips = {}
    said: list[Note] = []
    for name, minutes in (("open", trips.minutes(None)), ("cut", trips.minutes(none))):
        there = np.isfinite(minutes)
        out[name] = np.where(there, minutes, np.nan)
        lost = int((~there).sum())
        if lost:
            text = f"roads {name}: {lost} of {len(there)} places have no way to a facility"
            said.append(Note("places", "unknown", text, lost))
    return out, said


def _kinds(facilities: gpd.GeoDataFrame, kinds: str | Iterable[str] | None) -> list[str]:
    if "kind" not in facilities:
        raise DataError("facilities: there is no column 'kind'; name it with rename=")
    if kinds is None:
        found = sorted(facilities["kind"].dropna().astype(str).unique())
        if not found:
            raise DataError("facilities: 'kind' is blank everywhere; say what each facility gives")
        return found
    return [kinds] if isinstance(kinds, str) else list(kinds)


def _groups(
    people: PopulationRaster | gpd.GeoDataFrame, survivors: gpd.GeoDataFrame | None, cell_m: float
) -> tuple[list[_Group], list[Note]]:
    """Give everyone who is counted: people, and survivors of the same or of their own table."""
    tables = [(people, "people")]
    if survivors is not None:
        tables.append((survivors, "survivors"))
    elif not isinstance(people, PopulationRaster) and "survivors" in people:
        tables.append((people, "survivors"))
    groups, notes = [], []
    for table, who in tables:
        places, said = located(table, who, cell_m)
        number, more = counted(places[who], places.index, who)
        groups.append(_Group(who=who, places=places, number=number))
        notes += [*said, *more]
    return groups, notes


def _with_district(group: _Group, by: str, admin: gpd.GeoDataFrame | None) -> _Group:
    """Say in which district each place lies; missing where in none."""
    if admin is None:
        if by not in group.places:
            raise DataError(
                f"{group.who}: there is no column {by!r}; name it with rename=, or give districts with admin="
            )
        district = group.places[by]
        named = district.astype(object).where(district.notna(), None).to_numpy()
        return _Group(who=group.who, places=group.places, number=group.number, district=named)
    if by not in admin:
        raise DataError(f"admin: there is no column {by!r}; the columns are {', '.join(map(str, admin))}")
    crs = space.require_crs(admin, "admin")
    spots = shapely.point_on_surface(space.project(group.places, crs).to_numpy())
    place, area = shapely.STRtree(admin.geometry.to_numpy()).query(spots, predicate="intersects")
    first = np.unique(place, return_index=True)[1]
    named = np.full(len(spots), None, dtype=object)
    named[place[first]] = admin[by].astype(object).to_numpy()[area[first]]
    return _Group(who=group.who, places=group.places, number=group.number, district=named)


def _counts(
    group: _Group, kind: str, roads: str, trips: Trips, limits: list[float], by: str | None
) -> pd.DataFrame:
    """Count one group by district and limit."""
    trip = trips[roads]
    unknown = np.isnan(trips["open"]) & np.isnan(trip)
    lost = np.isnan(trip) & ~unknown
    districts = [(None, np.ones(len(trip), dtype=bool))] if by is None else list(_by(group.district))
    rows = []
    for district, here in districts:
        number = np.where(here, np.nan_to_num(group.number), 0.0)
        for limit in limits:
            sums = [number[m].sum() for m in (trip <= limit, trip > limit, lost, unknown)]
            blank = int((here & np.isnan(group.number)).sum())
            rows.append((district, kind, group.who, roads, limit, *sums, sum(sums), blank))
    columns = ["kind", "who", "roads", "minutes", "within", "beyond", "cut_off", "unknown", "total"]
    table = pd.DataFrame(rows, columns=[by or "district", *columns, "places_uncounted"])
    return table if by is not None else table.drop(columns="district")


def _by(district: npt.NDArray[np.object_] | None) -> Iterator[tuple[object, npt.NDArray[np.bool_]]]:
    names = pd.Series(district, dtype=object)
    for name in sorted(names.dropna().unique(), key=str):
        yield name, (names == name).to_numpy(dtype=bool)
    if names.isna().any():
        yield None, names.isna().to_numpy()


def _telling(out: pd.DataFrame) -> list[Note]:
    """Warn of rows so small that they may tell who is meant."""
    few = out[out["who"] == "survivors"]
    parts = few[["within", "beyond", "cut_off", "unknown"]]
    small = int(((parts > 0) & (parts < _FEW)).any(axis=1).sum())
    if not small:
        return []
    text = f"{small} rows count fewer than {_FEW} survivors: do not publish them, people may be recognized"
    return [Note("survivors", "advice", text, small)]
