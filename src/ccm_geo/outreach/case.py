"""One case of choosing stops: its costs, the task that they make, and the answer as tables."""

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csc_array

from ccm_geo.errors import DataError
from ccm_geo.schemas import Note

from ._exact import best_stops
from ._gains import Task
from .result import Goal, Outreach

Floats: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """Costs from every place (row) to every stop (column), infinite where there is no way."""

    costs: Floats
    weight: Floats
    price: Floats
    existing: Mask
    must: Mask
    places: pd.Index
    stops: pd.Index
    goal: Goal
    within: float | None
    beyond: float
    sites: int | None
    budget: float | None
    unit: str
    who: str
    notes: tuple[Note, ...]

    @property
    def today(self) -> Floats:
        """Cost to the nearest stop that is there already."""
        return np.asarray(self.costs[:, self.existing].min(axis=1, initial=np.inf))

    @property
    def unknown(self) -> Mask:
        """Places from which no way to any stop is known."""
        return np.asarray(~np.isfinite(self.costs).any(axis=1))

    @property
    def number(self) -> Floats:
        """People by place, 0 where the number is unknown (a note counts these)."""
        return np.nan_to_num(self.weight)


def chosen(case: Case, *, gap: float, seconds: float) -> Outreach:
    """Choose stops and lay the choice out; whatever the solver says, it is evaluated from the costs alone."""
    case = _with_limits(case)
    gains, offset = _coverage(case) if case.goal == "coverage" else _travel(case)
    gains[:, case.existing] = 0.0
    if not gains.any():
        text = "no candidate brings more than what is there already"
        case = replace(case, notes=(*case.notes, Note("candidates", "unknown", text)))
    task = _task(case, gains)
    first = case.must & ~case.existing
    _require_affordable(case, first, task.most)
    barred = np.isnan(case.price) if case.budget is not None else np.zeros(len(case.price), dtype=bool)
    open_to = np.flatnonzero(~case.existing & ~first & ~barred)
    done = task.worth(first)
    found = best_stops(task.given(first, open_to), offset=offset - done, gap=gap, seconds=seconds)
    taken = first.copy()
    taken[open_to[found.chosen]] = True
    exact = found.bound <= found.worth
    return _told(case, taken, None if exact else abs(offset - done - found.bound))


def _with_limits(case: Case) -> Case:
    """Refuse limits under which nothing can be chosen, and note candidates that lead nowhere."""
    new = ~case.existing
    finite = np.isfinite(case.costs)
    notes = list(case.notes)
    idle = int((new & ~finite.any(axis=0)).sum())
    if idle == new.sum():
        raise DataError(
            "no candidate has a way to any place; check that candidates, places and roads belong together"
        )
    if idle:
        text = f"{idle} of {int(new.sum())} candidates have no way to any place"
        notes.append(Note("candidates", "unknown", text, idle))
    lost = int(case.unknown.sum())
    if lost:
        who = f"{case.number[case.unknown].sum():,.0f} {case.who}"
        text = (
            f"no way to any stop is known from {lost} of {len(case.costs)} places ({who}): how long the trip "
            "takes is unknown, not short"
        )
        notes.append(Note("places", "unknown", text, lost))
    if case.within is not None and not case.within > 0:
        raise DataError(f"the limit (within=, within_min=) must be above 0, not {case.within!r}")
    beyond = case.beyond
    if case.goal == "travel":
        beyond = beyond if np.isfinite(beyond) else float(case.costs[finite].max())
        if not beyond > 0:
            raise DataError(f"beyond must be above 0, not {beyond:g}")
        if not finite[~case.unknown].all():
            text = f"a trip that leads to no chosen stop counts {beyond:,.4g} {case.unit}"
            notes.append(Note("places", "assumed", text))
    return replace(case, notes=tuple(notes), beyond=beyond)


def _coverage(case: Case) -> tuple[Floats, float]:
    """Give what each stop newly covers, and minus what is covered today."""
    limit = case.within
    if limit is None:
        raise DataError("coverage needs a limit: within= (within_min=)")
    inside = case.costs <= limit
    new = ~case.existing
    if not inside[:, new].any():
        nearest = float(case.costs[:, new].min())
        raise DataError(
            f"no place is within {limit:g} {case.unit} of any candidate (the nearest: {nearest:,.4g}); "
            "check that candidates, places and roads belong together, or raise the limit"
        )
    covered = case.today <= limit
    worth = np.where(covered, 0.0, case.number)
    return np.where(inside, worth[:, None], 0.0), -float(case.number[covered].sum())


def _travel(case: Case) -> tuple[Floats, float]:
    """Give what each stop saves on all trips, and what they cost without new stops."""
    cap = np.minimum(case.today, case.beyond)
    saved = np.maximum(cap[:, None] - np.minimum(case.costs, case.beyond), 0.0)
    worth = np.where(case.unknown, 0.0, case.number)
    return saved * worth[:, None], float((worth * cap).sum())


def _task(case: Case, gains: Floats) -> Task:
    number = case.number
    return Task(
        gains=csc_array(gains),
        cost=np.nan_to_num(case.price) if case.budget is not None else np.zeros(len(case.stops)),
        budget=np.inf if case.budget is None else case.budget,
        most=len(case.stops) if case.sites is None else case.sites,
        whole=case.goal == "coverage" and bool((number == np.floor(number)).all()),
    )


def _require_affordable(case: Case, first: Mask, most: int) -> None:
    if first.sum() > most:
        raise DataError(f"must= names {int(first.sum())} stops, sites= allows {most}")
    if case.budget is None:
        return
    if np.isnan(case.price[first]).any():
        raise DataError("must= names stops without cost_usd; a budget needs it")
    spent = float(case.price[first].sum())
    if spent > case.budget:
        raise DataError(f"the stops of must= cost {spent:,.0f} USD, the budget is {case.budget:,.0f}")
    known = case.price[~case.existing & ~np.isnan(case.price)]
    if known.min(initial=np.inf) > case.budget:
        told = f"the cheapest costs {known.min():,.0f}" if len(known) else "none has a known cost_usd"
        raise DataError(f"a budget of {case.budget:,.0f} USD pays for no candidate: {told}")


def _told(case: Case, taken: Mask, bound: float | None) -> Outreach:
    """Lay a choice out as tables, from the costs alone; `bound` None: it is proven best."""
    places = _places(case, taken)
    reach, number = places["reach"].to_numpy(), case.number
    kinds = ("served", "unknown") if case.within is None else ("within", "beyond", "unknown")
    people = {kind: float(number[reach == kind].sum()) for kind in kinds}
    people["within before"] = 0.0 if case.within is None else float(number[case.today <= case.within].sum())
    if case.goal == "coverage":
        value = people["within"]
        bound = value if bound is None else max(bound, value)
    else:
        trip = case.costs[:, taken | case.existing].min(axis=1, initial=np.inf)
        value = _mean_trip(case, trip)
        bound = value if bound is None else min(bound / _mass(case), value)
    return Outreach(
        goal=case.goal,
        sites=_sites(case, taken, places),
        places=places,
        value=value,
        bound=bound,
        people=pd.Series(people, name=case.who),
        cost_usd=float(case.price[taken].sum()),
        limits=_limits(case),
        names=pd.Series(case.stops.astype(str), index=case.stops, dtype=object),
        within=case.within,
        unit=case.unit,
        who=case.who,
        notes=case.notes,
    )


def _places(case: Case, taken: Mask) -> pd.DataFrame:
    """Say for every place which stop is nearest, how far it is, and whether that is within the limit."""
    serving = np.flatnonzero(taken | case.existing)
    stop = np.full(len(case.costs), None, dtype=object)
    cost = np.full(len(case.costs), np.nan)
    if len(serving):
        nearest = case.costs[:, serving].argmin(axis=1)
        trip = case.costs[np.arange(len(cost)), serving[nearest]]
        there = np.isfinite(trip)
        stop[there] = np.asarray(case.stops, dtype=object)[serving[nearest[there]]]
        cost[there] = trip[there]
    known = "served" if case.within is None else np.where(cost <= case.within, "within", "beyond")
    reach = np.where(case.unknown, "unknown", known).astype(object)
    return pd.DataFrame({"stop": stop, "cost": cost, "reach": reach}, index=case.places)


def _mass(case: Case) -> float:
    return max(float(case.number[~case.unknown].sum()), 1e-300)


def _mean_trip(case: Case, trip: Floats) -> float:
    counted = (case.number * np.minimum(trip, case.beyond))[~case.unknown]
    return math.fsum(counted.tolist()) / _mass(case)


def _limits(case: Case) -> str:
    said = []
    if case.sites is not None:
        said.append(f"at most {case.sites} stop{'s' if case.sites != 1 else ''}")
    if case.budget is not None:
        said.append(f"a budget of {case.budget:,.0f} USD")
    return " and ".join(said)


def _sites(case: Case, taken: Mask, places: pd.DataFrame) -> pd.DataFrame:
    """List the chosen stops by what they add to those above them."""

    def worth(trip: Floats) -> float:
        if case.goal == "coverage" and case.within is not None:
            return float(case.number[trip <= case.within].sum())
        return -_mean_trip(case, trip)

    left = np.flatnonzero(taken).tolist()
    best = case.today
    rows = []
    mine = places["stop"].where(places["reach"] != "beyond")
    while left:
        now = worth(best)
        adds = [worth(np.minimum(best, case.costs[:, j])) - now for j in left]
        at = int(np.argmax(adds))
        j = left.pop(at)
        best = np.minimum(best, case.costs[:, j])
        own = (mine == case.stops[j]).to_numpy(dtype=bool)
        rows.append((case.stops[j], case.price[j], adds[at], float(case.number[own].sum()), int(own.sum())))
    table = pd.DataFrame(rows, columns=["stop", "cost_usd", "adds", "people", "places"])
    return table.set_index("stop")
