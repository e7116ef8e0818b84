"""What can be done on a hazard, what it costs and what it changes: numbers with their sources.

Land moves along four states: *suspected* (SHA), *confirmed* (CHA, or what non-technical survey leaves),
*surveyed* (what technical survey leaves) and *released*. Steps may be skipped. Marking and risk education
release nothing; they protect people for the year in which they are paid for.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ccm_geo.errors import DataError

STATES = ("suspected", "confirmed", "surveyed", "released")
"""States of land release, in their order."""

AREA_WORDS = {"confirmed": "cancelled_m2", "surveyed": "reduced_m2", "released": "cleared_m2"}
"""What land is called that leaves the hazard on the way to each state (IMAS 07.11)."""

_FIGURES = (
    "fixed_usd",
    "usd_per_m2",
    "usd_per_person",
    "fixed_team_months",
    "m2_per_team_month",
    "risk_removed",
    "area_left_share",
)
_UNITS = {
    "fixed_usd": "USD per hazard",
    "usd_per_m2": "USD per m2 worked on",
    "usd_per_person": "USD per person and year",
    "fixed_team_months": "team-months per hazard",
    "m2_per_team_month": "m2 per team-month",
    "risk_removed": "share of accidents",
    "area_left_share": "share of area",
}
_SOURCE_COLUMNS = ("source", "year", "country", "confidence", "placeholder")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number from outside, with where it comes from.

    Parameters
    ----------
    value
        The number, in the unit of the field that holds it.
    source, year, country
        Who states it, about when and where; ``""`` and None where it does not apply.
    confidence
        ``high``, ``medium``, ``low``, ``definition`` or ``none``.
    placeholder
        True where no source was found: the planner must put in a number of his or her own.
    """

    value: float
    source: str = "given by the planner"
    year: int | None = None
    country: str = ""
    confidence: str = ""
    placeholder: bool = False

    def __float__(self) -> float:
        return float(self.value)


@dataclass(frozen=True, kw_only=True)
class Activity:
    """One thing that can be done on a hazard in one year.

    Parameters
    ----------
    activity
        Its name: nts, ts, clearance, bac, marking, eore, or one of your own.
    leads_to
        State in which it leaves the land: ``confirmed``, ``surveyed`` or ``released``; from every
        earlier state, so that steps may be skipped. ``""`` for marking and risk education, which
        protect people for one year and change no state.
    ordnance, land_use
        Where the figures hold: only where every kind of ordnance recorded (or the land use) is named
        here; empty: anywhere. Of several rows with one name the most particular is taken.
    instead_of
        Name of an activity that is not offered where this one is.
    fixed_usd, usd_per_m2, usd_per_person
        Cost: per hazard, per square metre that is left when it begins, and per person within reach.
    fixed_team_months, m2_per_team_month
        Work: team-months per hazard, and square metres that one team does in a month.
    risk_removed
        Share of the accidents still expected that no longer happen. For an activity that leads to
        ``released``: share of the accidents expected today.
    area_left_share
        Share of the area that is still hazardous, or suspected to be, after it.

    A plain number in place of a `Figure` is the planner's own and counts as known.

    Examples
    --------
    >>> import dataclasses
    >>> own = [dataclasses.replace(a, usd_per_m2=0.4) if a.activity == "bac" else a for a in ACTIVITIES]
    >>> next(a for a in own if a.activity == "bac").usd_per_m2.source
    'given by the planner'
    """

    activity: str
    leads_to: str = ""
    ordnance: tuple[str, ...] = ()
    land_use: tuple[str, ...] = ()
    instead_of: str = ""
    fixed_usd: Figure | float = 0.0
    usd_per_m2: Figure | float = 0.0
    usd_per_person: Figure | float = 0.0
    fixed_team_months: Figure | float = 0.0
    m2_per_team_month: Figure | float = float("inf")
    risk_removed: Figure | float = 0.0
    area_left_share: Figure | float = 1.0

    def __post_init__(self) -> None:
        """Turn plain numbers into figures and refuse what cannot be."""
        for name in _FIGURES:
            given = getattr(self, name)
            if not isinstance(given, Figure):
                object.__setattr__(self, name, Figure(value=float(given)))
        for name in ("ordnance", "land_use"):
            given = getattr(self, name)
            object.__setattr__(self, name, (given,) if isinstance(given, str) else tuple(given))
        faults = self._faults()
        if faults:
            raise DataError(f"activity {self.activity!r}: {len(faults)} of its values cannot be", faults)

    def _faults(self) -> list[str]:
        faults = []
        if self.leads_to not in ("", *STATES[1:]):
            faults.append(f"leads_to {self.leads_to!r}: use one of {', '.join(STATES[1:])}, or ''")
        for name in _FIGURES:
            value = self.figure(name).value
            share = name in ("risk_removed", "area_left_share")
            if not value >= 0 or (share and value > 1):
                faults.append(f"{name} {value}: give {'a share from 0 to 1' if share else 'a number >= 0'}")
        if self.figure("m2_per_team_month").value == 0:
            faults.append("m2_per_team_month 0: give a number above 0")
        return faults

    def __deepcopy__(self, memo: Any) -> "Activity":
        """Return itself: pandas copies ``attrs`` deeply at every step, and an activity never changes."""
        return self

    def figure(self, name: str) -> Figure:
        """Return one of the numbers with its source."""
        found: Figure = getattr(self, name)
        return found

    @property
    def placeholders(self) -> tuple[str, ...]:
        """Names of the numbers that the planner must replace."""
        return tuple(name for name in _FIGURES if self.figure(name).placeholder)


def _guess(value: float, why: str) -> Figure:
    return Figure(value=value, source=f"placeholder: {why}", confidence="none", placeholder=True)


def _defined(value: float, why: str) -> Figure:
    return Figure(value=value, source=why, confidence="definition")


_NO_COST_FOUND = "no published figure was found; put in your programme's own"
_FINDS = _defined(0.0, "survey finds hazards and removes none (IMAS 08.10, 08.20); taken as nothing")
_CLEARS = _defined(1.0, "every hazard removed to the specified depth (IMAS 09.10); residual risk stays")
_NOTHING_LEFT = _defined(0.0, "the whole area left is worked on (IMAS 09.10)")


def _cambodia(left: float) -> Figure:
    said = "Landmine Monitor 2016: of land released 48 % was cancelled, 20 % reduced, 32 % cleared"
    return Figure(value=left, source=said, year=2015, country="Cambodia", confidence="medium")


_MINEFIELD = Figure(
    value=2.0,
    source="EPS Journal 28: 2 to 39 USD per m2 for minefields; the lower end is taken",
    year=2006,
    country="world",
    confidence="low",
)
_LAO_COST = Figure(
    value=0.35,
    source="Lao programme averages of 0.22 to 0.47 USD per m2 (laovoices.com, en.chinagate.cn); the middle",
    year=2017,
    country="Lao PDR",
    confidence="medium",
)
_LAO_OUTPUT = Figure(
    value=34_000,
    source="41 ha per team and year (laovoices.com, en.chinagate.cn)",
    year=2017,
    country="Lao PDR",
    confidence="medium",
)
_MANUAL_OUTPUT = Figure(
    value=890,
    source="40 to 45 m2 per manual team and day (SFOR Informer 113), 21 days a month",
    country="Bosnia and Herzegovina",
    confidence="low",
)
_TS_SHARE = "0.3 of the cost of clearance, where practice says 0.2 to 0.4; no published figure was found"

ACTIVITIES = (
    Activity(
        activity="nts",
        leads_to="confirmed",
        fixed_usd=Figure(
            value=800,
            source="about 800 USD per suspected community in national impact surveys (Gasser, JMU 15.1)",
            year=2011,
            country="world",
            confidence="medium",
        ),
        fixed_team_months=_guess(0.1, "two to three days of a survey team per hazard"),
        risk_removed=_FINDS,
        area_left_share=_cambodia(0.52),
    ),
    Activity(
        activity="ts",
        leads_to="surveyed",
        usd_per_m2=_guess(0.6, _TS_SHARE),
        m2_per_team_month=_guess(3_000, "about three times the output of clearance"),
        risk_removed=_FINDS,
        area_left_share=_cambodia(round(32 / 52, 3)),
    ),
    Activity(
        activity="ts",
        leads_to="surveyed",
        ordnance=("cluster", "uxo"),
        usd_per_m2=_guess(0.105, _TS_SHARE),
        m2_per_team_month=_guess(100_000, "about three times the output of battle area clearance"),
        risk_removed=_FINDS,
        area_left_share=_cambodia(round(32 / 52, 3)),
    ),
    Activity(
        activity="clearance",
        leads_to="released",
        usd_per_m2=_MINEFIELD,
        m2_per_team_month=_MANUAL_OUTPUT,
        risk_removed=_CLEARS,
        area_left_share=_NOTHING_LEFT,
    ),
    Activity(
        activity="bac",
        leads_to="released",
        ordnance=("cluster", "uxo"),
        instead_of="clearance",
        usd_per_m2=_LAO_COST,
        m2_per_team_month=_LAO_OUTPUT,
        risk_removed=_CLEARS,
        area_left_share=_NOTHING_LEFT,
    ),
    Activity(
        activity="marking",
        fixed_usd=_guess(600, _NO_COST_FOUND),
        usd_per_m2=_guess(0.005, _NO_COST_FOUND),
        fixed_team_months=_guess(0.1, _NO_COST_FOUND),
        risk_removed=_guess(0.2, "no measured effect was found; wide open"),
    ),
    Activity(
        activity="eore",
        fixed_usd=_guess(300, _NO_COST_FOUND),
        usd_per_person=_guess(1.5, _NO_COST_FOUND),
        fixed_team_months=_guess(0.05, _NO_COST_FOUND),
        risk_removed=_guess(0.15, "no measured effect was found; wide open"),
    ),
)
"""What can be done, to start from. Costs differ tenfold between countries: replace what you know better.

The clearance of minefields is never priced from cluster munition programmes: ``bac`` is offered where only
cluster munitions and unexploded ordnance are recorded, ``clearance`` everywhere else.
"""


def read_activities(given: Iterable[Activity] | pd.DataFrame) -> tuple[Activity, ...]:
    """Return activities from activities or from a table with their fields as columns.

    A table row takes what it leaves out (a missing column or an empty cell) from the first of
    `ACTIVITIES` with its name and ordnance, or with its name alone; its own numbers take the row's
    ``source``, ``year``, ``country``, ``confidence`` and ``placeholder``.

    Raises
    ------
    DataError
        If there is none, if a column is unknown, or if a value cannot be.
    """
    activities = _from_table(given) if isinstance(given, pd.DataFrame) else tuple(given)
    if not activities:
        raise DataError("activities: there is none; give at least one, for example ccm_geo.ACTIVITIES")
    for item in activities:
        if not isinstance(item, Activity):
            raise DataError(f"activities: {item!r} is not an Activity; give Activity(...) or a table")
    _require_one_way(activities)
    return activities


def _require_one_way(activities: tuple[Activity, ...]) -> None:
    """Refuse two activities that leave the same land in the same state with different areas."""
    left: dict[tuple[Any, ...], Activity] = {}
    for item in activities:
        if item.leads_to in STATES[1:-1]:
            key = (item.leads_to, item.ordnance, item.land_use)
            other = left.setdefault(key, item)
            same = all(
                other.figure(n).value == item.figure(n).value for n in ("area_left_share", "risk_removed")
            )
            if not same:
                raise DataError(
                    f"activities: {other.activity!r} and {item.activity!r} both lead to {item.leads_to!r} "
                    "but leave different shares of area or risk; give them the same shares"
                )


def _from_table(table: pd.DataFrame) -> tuple[Activity, ...]:
    fields = [f.name for f in dataclasses.fields(Activity)]
    unknown = [c for c in table.columns if c not in (*fields, *_SOURCE_COLUMNS)]
    if unknown or "activity" not in table.columns:
        wrong = f"unknown columns {unknown}" if unknown else "no column 'activity'"
        raise DataError(f"activities: {wrong}; known are {', '.join((*fields, *_SOURCE_COLUMNS))}")
    return tuple(_from_row({k: v for k, v in row.items() if _given(v)}) for row in table.to_dict("records"))


def _given(value: Any) -> bool:
    return not (
        value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value))
    )


def _from_row(row: Mapping[Any, Any]) -> Activity:
    told = {k: row[k] for k in _SOURCE_COLUMNS if k in row}
    if "year" in told:
        told["year"] = int(told["year"])
    values: dict[str, Any] = {}
    for name, value in row.items():
        if name in _FIGURES:
            values[name] = Figure(value=float(value), **told)
        elif name in ("ordnance", "land_use"):
            parts = value.split(";") if isinstance(value, str) else value
            values[name] = tuple(p.strip() for p in parts if p.strip())
        elif name not in _SOURCE_COLUMNS:
            values[name] = str(value)
    known = [a for a in ACTIVITIES if a.activity == values["activity"]]
    exact = [a for a in known if a.ordnance == values.get("ordnance", ())]
    pattern = next(iter(exact or known), None)
    return Activity(**values) if pattern is None else dataclasses.replace(pattern, **values)


def sources_table(activities: Iterable[Activity] | pd.DataFrame = ACTIVITIES) -> pd.DataFrame:
    """List every number behind the activities with where it comes from.

    Returns
    -------
    pandas.DataFrame
        Columns activity, ordnance, number, value, unit, source, year, country, confidence and
        placeholder; numbers that play no part (a cost of nothing, endless output) are left out.

    Examples
    --------
    >>> table = sources_table()
    >>> table.loc[(table.activity == "bac") & (table.number == "usd_per_m2"), ["value", "country"]].values
    array([[0.35, 'Lao PDR']], dtype=object)
    """
    rows = [
        {
            "activity": item.activity,
            "ordnance": "; ".join(item.ordnance) or "any",
            "number": name,
            "value": item.figure(name).value,
            "unit": _UNITS[name],
            **{k: getattr(item.figure(name), k) for k in _SOURCE_COLUMNS},
        }
        for item in read_activities(activities)
        for name in _FIGURES
        if item.figure(name) != Figure(value=_SILENT.get(name, 0.0))
    ]
    return pd.DataFrame(rows).astype({"year": "Int64"})


_SILENT = {"m2_per_team_month": float("inf"), "area_left_share": 1.0}
