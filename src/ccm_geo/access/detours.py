"""What cut roads do to trips: who is cut off or delayed, and what releasing an area or a set would bring."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from ccm_geo.errors import DataError
from ccm_geo.schemas import Note, notes_of, rows_of_kind

from ._net import Net, Walks, net_of
from ._search import gains
from ._snap import Places, points_in
from ._speeds import require_positive
from .cuts import CutRoads
from .times import OFFROAD_KMH, OFFROAD_MAX_M, placed, require_near, walking_notes

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

_SAME_MIN = 1e-6  # minutes; smaller differences are rounding
_GAINS = ("people_reconnected", "places_reconnected", "person_min_saved", "people_sooner")


@dataclass(frozen=True, kw_only=True, eq=False)
class Trips:
    """Trips from places to facilities over roads that hazards cut; made by `trips_to` or `trips_between`.

    Parameters
    ----------
    cut
        The roads.
    net
        All ways on which a trip can go.
    legs
        Groups of goals and of the places that go to the nearest of them: ``(goals, places)``, row numbers.
    index
        Of the places.
    located
        Which places have a geometry.
    people
        Who makes each trip; None where the places do not say.
    notes
        Of the places, facilities, roads and hazards, and what was assumed about the walks.
    """

    cut: CutRoads
    net: Net
    legs: tuple[tuple[Ints, Ints], ...]
    index: pd.Index
    located: Mask
    people: Floats | None
    notes: tuple[Note, ...]

    def minutes(self, released: Mask | None) -> Floats:
        """Minutes from each place with these hazards released; None: as if no hazard cut anything."""
        out = np.full(len(self.index), np.inf)
        for goals, places in self.legs:
            out[places] = self.net.minutes(goals, released)[self.net.place[places]]
        return out

    def counted(self) -> Floats:
        """Give the people of each place, 0 where they are unknown.

        Raises
        ------
        DataError
            If the places do not say how many people they have.
        """
        if self.people is None:
            raise DataError(
                "places: no column people, so gains cannot be counted; name it with rename=, "
                "or give population_cells(people)"
            )
        return np.nan_to_num(self.people)


def trips_to(
    places: Places,
    facilities: Places,
    roads: CutRoads,
    *,
    kind: str | Iterable[str] | None = None,
    offroad_kmh: float = OFFROAD_KMH,
    offroad_max_m: float = OFFROAD_MAX_M,
) -> Trips:
    """Prepare trips from places to the nearest facility, for `detour`, `release_gain` and `joint_gain`.

    Parameters
    ----------
    places
        Settlements, hazards, or the people of a raster as `population_cells` gives them, in any CRS; a column
        ``people`` says who makes the trip.
    facilities
        Points, in any CRS.
    roads
        Made by `cut_roads`.
    kind
        Only facilities of this kind, or these kinds.
    offroad_kmh, offroad_max_m
        As for `travel_time`.

    Returns
    -------
    Trips
        What the other functions take.

    Raises
    ------
    CRSError
        If a layer has no CRS or the layers lie apart.
    DataError
        If there are no facilities of this kind, or a number is not positive.

    Notes
    -----
    A place has up to three ways to set out. Its *own* way goes straight to the nearest road that leads to a
    facility where nothing is cut, as in `travel_time`; it is taken as in use today and hazards do not close
    it. A *second* way goes straight to the nearest road that is open today and leads to a facility. A place
    may also walk *all the way* to one of the eight nearest facilities. Hazards close the latter two where
    they lie across the straight line, unless the place lies in the hazard. None is longer than
    `offroad_max_m`. Facilities have the first two as well. As the ways are the same whatever is released,
    more land released never makes a trip longer.

    Examples
    --------
    >>> from shapely import LineString, Point, box
    >>> from ccm_geo.access import cut_roads
    >>> road = gpd.GeoDataFrame({"speed_kmh": [60]}, geometry=[LineString([(4e5, 0), (4.3e5, 0)])], crs=32648)
    >>> area = gpd.GeoDataFrame({"hazard_id": ["A"]}, geometry=[box(4.1e5, -99, 4.11e5, 99)], crs=32648)
    >>> clinic = gpd.GeoSeries([Point(4e5, 0)], crs=32648)
    >>> village = gpd.GeoDataFrame({"people": [70]}, geometry=[Point(4.3e5, 0)], crs=32648)
    >>> trips = trips_to(village, clinic, cut_roads(area, road))
    >>> detour(trips)["state"].tolist(), release_gain(trips)["people_reconnected"].tolist()
    (['cut off'], [70.0])
    """
    chosen = placed(rows_of_kind(facilities, kind))
    return _trips(places, chosen, roads, None, offroad_kmh, offroad_max_m)


def trips_between(
    places: Places,
    targets: Places,
    roads: CutRoads,
    *,
    offroad_kmh: float = OFFROAD_KMH,
    offroad_max_m: float = OFFROAD_MAX_M,
) -> Trips:
    """Prepare trips between given pairs: from the first place to the first target, and so on.

    Parameters
    ----------
    places, targets
        As many targets as places, such as each village and its market; in any CRS.
    roads, offroad_kmh, offroad_max_m
        As for `trips_to`.

    Returns
    -------
    Trips
        As from `trips_to`. Work grows with the number of different targets.

    Raises
    ------
    CRSError
        If a layer has no CRS or the layers lie apart.
    DataError
        If there are not as many targets as places, or a number is not positive.
    """
    if len(places) != len(targets):
        raise DataError(f"targets: {len(targets)} for {len(places)} places; give one for each, in order")
    return _trips(places, targets, roads, np.arange(len(places)), offroad_kmh, offroad_max_m)


def detour(trips: Trips, *, released: Iterable[Any] = (), delayed_min: float = 30.0) -> pd.DataFrame:
    """Measure how much longer each trip is because hazards cut roads.

    Parameters
    ----------
    trips
        From `trips_to` or `trips_between`.
    released
        Ids of hazards taken as released: the roads that only they cut are open again.
    delayed_min
        From which detour a place counts as delayed, minutes. The default, half an hour, is a choice for
        reporting; nothing is computed with it.

    Returns
    -------
    pandas.DataFrame
        On the index of the places: ``open_min``, minutes as if no hazard cut a road; ``cut_min``, minutes
        with the cut roads; ``detour_min``, the difference; NaN where there is no way. ``state``: ``reached``,
        ``delayed``, ``cut off`` (there is a way only where hazards are released), ``no way`` (not even
        then) or ``unknown`` (no geometry). A note sums up places and people.

    Raises
    ------
    DataError
        If an id is not among the hazards, or `delayed_min` is not positive.
    """
    require_positive(delayed_min=delayed_min)
    free, now = trips.minutes(None), trips.minutes(trips.cut.rows_of(released))
    longer = np.where(np.isfinite(now), now, np.nan) - free
    longer[longer < _SAME_MIN] = 0.0
    state = np.select(
        [~trips.located, np.isinf(free), np.isinf(now), longer >= delayed_min],
        ["unknown", "no way", "cut off", "delayed"],
        "reached",
    )
    columns = {"open_min": free, "cut_min": now, "detour_min": longer}
    out = pd.DataFrame(
        {name: np.where(np.isfinite(column), column, np.nan) for name, column in columns.items()},
        index=trips.index,
    )
    out["state"] = state
    out.attrs["notes"] = (*trips.notes, *_summed(trips, state, delayed_min))
    return out


def release_gain(trips: Trips, *, released: Iterable[Any] = ()) -> pd.DataFrame:
    """Measure what releasing each hazard alone would bring to the trips.

    Parameters
    ----------
    trips
        From `trips_to` or `trips_between`; the places need a column ``people``.
    released
        Ids of hazards taken as released already, such as those of a plan's first year.

    Returns
    -------
    pandas.DataFrame
        On the index of the hazards: ``people_reconnected`` and ``places_reconnected``, which are cut off and
        would have a way again; ``person_min_saved``, minutes saved on one trip of everyone who has a way
        already; ``people_sooner``, those whose trip gets shorter. 0 where nothing changes (or the hazard is
        not open), NaN where the hazard has no geometry.

    Raises
    ------
    DataError
        If the places have no column ``people``, or an id is not among the hazards.

    Notes
    -----
    With ``d(v)`` the minutes of place ``v`` over the arcs that are open today, and ``d_h(v)`` those with the
    arcs that hazard ``h`` alone closes: ``person_min_saved = sum of people(v) * (d(v) - d_h(v))`` over places
    with finite ``d(v)``, and ``people_reconnected`` the people of places where only ``d_h(v)`` is finite.
    Both are exact. A stretch that two open hazards cut stays closed when one of them is released.

    Gains of single hazards do not add up: two hazards on one road bring nothing alone and everything
    together, two on parallel roads bring twice alone what they bring together. `joint_gain` gives the exact
    gain of a set. As benefits in a plan they are an approximation; check the plan with `joint_gain`.
    """
    people, size = trips.counted(), len(trips.cut.hazard_id)
    done = trips.cut.rows_of(released)
    state = trips.net.state(done)
    total = np.zeros((size, 4))
    for goals, places in trips.legs:
        base = trips.net.minutes(goals, done)
        asked = np.full(len(base), np.nan)
        asked[trips.net.place[places]] = people[places]
        total += gains(trips.net.links, state, base, asked, size)
    columns = {name: np.where(trips.cut.placed, total[:, k], np.nan) for k, name in enumerate(_GAINS)}
    out = pd.DataFrame(columns, index=trips.cut.hazard_id.index)
    text = "gains of single hazards do not add up; joint_gain gives that of a set"
    out.attrs["notes"] = (*trips.notes, Note("hazards", "advice", text))
    return out


def joint_gain(trips: Trips, together: Iterable[Any], *, released: Iterable[Any] = ()) -> "pd.Series[float]":
    """Measure what releasing a set of hazards together would bring to the trips, exactly.

    Parameters
    ----------
    trips
        As for `release_gain`.
    together
        Ids of the hazards that are released.
    released
        Ids of hazards taken as released before them.

    Returns
    -------
    pandas.Series
        The same measures as `release_gain` gives for one hazard.

    Raises
    ------
    DataError
        If the places have no column ``people``, or an id is not among the hazards.
    """
    people = trips.counted()
    done = trips.cut.rows_of(released)
    before, after = trips.minutes(done), trips.minutes(done | trips.cut.rows_of(together))
    back = np.isinf(before) & np.isfinite(after)
    saved = np.where(np.isfinite(before), before, 0.0) - np.where(np.isfinite(before), after, 0.0)
    values = people[back].sum(), back.sum(), (people * saved).sum(), people[saved > 0].sum()
    out = pd.Series(values, index=list(_GAINS), dtype=float, name="joint_gain")
    out.attrs["notes"] = trips.notes
    return out


def _trips(
    places: Places, goals: Places, cut: CutRoads, paired: Ints | None, kmh: float, max_m: float
) -> Trips:
    require_positive(offroad_kmh=kmh, offroad_max_m=max_m)
    if not isinstance(cut, CutRoads):
        raise DataError("roads: say first what hazards cut, with cut_roads(hazards, roads)")
    require_near(places, goals, cut.graph)
    start, goal = (points_in(layer, cut.graph.crs) for layer in (places, goals))
    known, located = (np.isfinite(xy).all(axis=1) for xy in (goal, start))
    groups: tuple[tuple[Ints, Ints], ...] = ((np.flatnonzero(known), np.arange(len(start))),)
    if paired is not None:
        goal, paired = np.unique(goal, axis=0, return_inverse=True)
        paired = paired.ravel()
        groups = tuple((np.array([k]), np.flatnonzero(paired == k)) for k in range(len(goal)))
    net = net_of(cut, Walks(start=start, goal=goal, max_m=max_m, min_per_m=60 / 1_000 / kmh), paired)
    people = _people(places)
    notes = (*notes_of(places, goals), *cut.notes, *walking_notes(kmh, max_m), *_said(net, len(goal), max_m))
    if people is not None and np.isnan(people).any():
        blank = int(np.isnan(people).sum())
        text = f"{blank} places without a number of people: their trips are looked at, nobody is counted"
        notes = (*notes, Note("places", "unknown", text, blank))
    return Trips(
        cut=cut, net=net, legs=groups, index=places.index,
        located=np.asarray(located), people=people, notes=tuple(dict.fromkeys(notes)),
    )  # fmt: skip


def _people(places: Places) -> Floats | None:
    if not isinstance(places, gpd.GeoDataFrame) or "people" not in places:
        return None
    count = pd.to_numeric(places["people"], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    if (count < 0).any() or np.isinf(count).any():
        raise DataError("places: people must be a number from 0, or empty where unknown")
    return count


def _said(net: Net, goals: int, max_m: float) -> tuple[Note, ...]:
    notes = []
    far = int(net.far_goals.sum())
    if far:
        text = f"{far} of {goals} facilities lie more than {max_m:g} m from any road: reached on foot only"
        notes.append(Note("facilities", "unknown", text, far, _numbered(net.far_goals)))
    through = int(net.through.sum())
    if through:
        text = (
            f"the straight way of {through} places to their own road leads through an open hazard: taken as "
            "in use today, not as safe"
        )
        notes.append(Note("places", "assumed", text, through, _numbered(net.through)))
    return tuple(notes)


def _numbered(which: Mask) -> tuple[str, ...]:
    return tuple(str(k + 1) for k in np.flatnonzero(which))


def _summed(trips: Trips, state: npt.NDArray[Any], delayed_min: float) -> tuple[Note, ...]:
    words = {
        "cut off": "are cut off by open hazards",
        "delayed": f"need {delayed_min:g} minutes more or longer because of open hazards",
        "no way": "have no way even with all roads open",
        "unknown": "have no geometry: not looked at",
    }
    notes = []
    for name, said in words.items():
        which = state == name
        if which.any():
            people = "" if trips.people is None else f" with {np.nansum(trips.people[which]):,.0f} people"
            kind = "unknown" if name in {"no way", "unknown"} else "advice"
            text = f"{which.sum()} of {len(state)} places{people} {said}"
            notes.append(Note("places", kind, text, int(which.sum()), _numbered(which)))
    return tuple(notes)
