"""Everything that could be done: one row per activity, hazard and year, with its cost and what it averts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from ccm_geo import space
from ccm_geo.errors import DataError
from ccm_geo.schemas import Note, notes_of

from ._given import numbers_of, require_codes, require_harm, wanted_years, yearly_harm
from .activities import AREA_WORDS, STATES, Activity, read_activities
from .listing import require_table

_CARRIED = ("hazard_class", "ordnance", "land_use", "adm1", "adm2")
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def list_options(
    facts: pd.DataFrame,
    activities: Iterable[Activity] | pd.DataFrame,
    harm: pd.DataFrame,
    *,
    years: Iterable[int] | None = None,
    keep: Sequence[str] = (),
) -> pd.DataFrame:
    """List every activity that could be done on every open hazard in every year.

    An option's benefit is the number of accidents it averts from its year to the last year of `harm`,
    on top of what the steps before it avert; along a hazard's path the benefits add up. Work counts
    from the start of its year.

    Parameters
    ----------
    facts
        Hazards with ``hazard_id`` and ``area_m2`` (or ``area_recorded_m2``); ``hazard_class``,
        ``status``, ``ordnance`` and ``land_use`` where known. Geometry, if any, gives the place.
    activities
        What can be done; see `ACTIVITIES`. A table with the same fields will do.
    harm
        Accidents a year by hazard and year, from `expected_harm`: columns hazard_id, year, harm, and
        people where risk education is priced by person. A hazard whose harm is missing in a year that
        counts is unknown: it is left out, and a note names it.
    years
        Years in which work can be done; by default all years of `harm`.
    keep
        More columns of `facts` that rules will ask for.

    Returns
    -------
    pandas.DataFrame
        Columns option_id, hazard_id, activity, year, state_now, state_from, state_to, cost_usd,
        team_months, benefit, people, area_m2 (worked on) = cancelled_m2 + reduced_m2 + cleared_m2 +
        left_m2, placeholder, lon, lat, and of the hazard hazard_class, ordnance, land_use, adm1, adm2.
        ``.attrs`` has notes, benefit_unit (``accidents averted`` or ``relative``) and horizon.

    Raises
    ------
    DataError
        If a column is missing, if ids repeat, if hazard_class, status or ordnance hold an unknown code,
        if `harm` is a score or a rank, or if nothing is left.

    Notes
    -----
    With R(s) the share of accidents that no longer happen in state s, a step from s to s' in year t
    averts (R(s') - R(s)) times the harm of years t, t+1, ... of the horizon; marking and risk education
    in year t and state s avert (1 - R(s)) times their share of the harm of year t alone. With L(s) the
    share of the area left in state s, a step works on L(s) times the area and leaves L(s') times it.

    Examples
    --------
    >>> facts = pd.DataFrame({"hazard_id": ["A"], "hazard_class": ["SHA"], "ordnance": ["cluster"],
    ...                       "area_m2": [10_000.0]})
    >>> harm = pd.DataFrame({"hazard_id": "A", "year": [2027, 2028], "harm": [0.2, 0.1], "people": 50})
    >>> bac = Activity(activity="bac", leads_to="released", usd_per_m2=0.5, risk_removed=1, area_left_share=0)
    >>> list_options(facts, [bac], harm)[["year", "state_from", "cost_usd", "benefit"]].values.tolist()
    [[2027, 'suspected', 5000.0, 0.3...], [2028, 'suspected', 5000.0, 0.1]]
    """
    require_table(facts, "facts", "give the hazards of read_hazards, with the columns of their measures")
    if not isinstance(activities, Iterable) or isinstance(activities, (str, Mapping)):
        raise DataError(f"activities: {activities!r} is no list of activities; give ccm_geo.ACTIVITIES")
    if isinstance(keep, str):
        raise DataError(f"options: keep {keep!r} is no list of columns; give keep=[{keep!r}]")
    known = read_activities(activities)
    require_harm(harm)
    require_codes(facts, known)
    yearly = yearly_harm(harm)
    wanted = wanted_years(years, yearly)
    hazards, notes = _usable_hazards(facts, yearly, since=int(wanted[0]))
    grid = _HarmGrid.of(hazards, yearly, wanted)
    offered = _offered(known, hazards, peopled=grid.peopled)
    states = _state_values(known, offered, hazards)
    blocks = [
        _block(*step, hazards=hazards, grid=grid, states=states) for step in _steps(known, offered, hazards)
    ]
    if not blocks:
        raise DataError(
            "options: none of the activities fits any hazard; see the ordnance and land_use of each"
        )
    table = _assembled(blocks, hazards, grid, keep)
    relative = "relative" in harm.columns and bool(harm["relative"].any())
    table.attrs = {
        "notes": (
            *notes_of(facts, harm),
            *notes,
            *_unpeopled(known, hazards, grid),
            *_said_of(table, known, hazards, relative=relative),
        ),
        "benefit_unit": "relative" if relative else "accidents averted",
        "horizon": (int(grid.all_years[0]), int(grid.all_years[-1])),
        "activities": known,
    }
    return table


@dataclass(frozen=True, kw_only=True)
class _Hazards:
    """The hazards that can be planned for, as arrays."""

    table: pd.DataFrame
    area: Floats
    start: npt.NDArray[np.int8]
    unknown_ordnance: int


def _usable_hazards(facts: pd.DataFrame, harm: pd.DataFrame, *, since: int) -> tuple[_Hazards, list[Note]]:
    if "hazard_id" not in facts.columns or not ({"area_m2", "area_recorded_m2"} & set(facts.columns)):
        raise DataError(
            "facts: no column 'hazard_id' or no 'area_m2' and 'area_recorded_m2'; see read_hazards"
        )
    twice = facts["hazard_id"].duplicated()
    if twice.any():
        raise DataError(
            f"facts: hazard_id {facts.loc[twice, 'hazard_id'].iloc[0]!r} stands there more than once"
        )
    notes: list[Note] = []
    area, recorded = numbers_of(facts, "area_m2"), numbers_of(facts, "area_recorded_m2")
    measured = area > 0
    area = np.where(measured, area, recorded)
    closed = (
        facts["status"].isin(["closed", "handed_over"]).to_numpy()
        if "status" in facts
        else np.zeros(len(facts), bool)
    )
    harmless, gaps = _unknown_harm(facts["hazard_id"], harm, since)
    without = ~(area > 0)
    tell = [
        (closed, "set aside", "{} hazards are closed or handed over; nothing is planned for them"),
        (~closed & harmless, "unknown", "{} hazards have no expected harm; nothing can be planned for them"),
        (
            ~closed & gaps,
            "unknown",
            "{} hazards have no expected harm in some years; nothing can be planned for them",
        ),
        (
            ~closed & ~harmless & ~gaps & without,
            "unknown",
            "{} hazards have no area; nothing can be planned for them",
        ),
        (
            ~closed & ~harmless & ~gaps & ~without & ~measured,
            "assumed",
            "{} hazards are priced on their recorded area",
        ),
    ]
    for which, kind, text in tell:
        if which.any():
            notes.append(_note(kind, text, facts, which))
    keep = ~(closed | harmless | gaps | without)
    if not keep.any():
        raise DataError(
            "options: no hazard is open, has an area and a row in harm: " + "; ".join(n.text for n in notes)
        )
    table = facts[keep]
    surveyed = (
        (table["hazard_class"] == "CHA").to_numpy() if "hazard_class" in table else np.zeros(len(table), bool)
    )
    ordnance = table["ordnance"] if "ordnance" in table else pd.Series(pd.NA, index=table.index)
    unknown = ordnance.isna().to_numpy()
    if unknown.any():
        text = "{} hazards name no ordnance; they are planned as minefields, the careful and costly way"
        notes.append(_note("assumed", text, table, unknown))
    found = _Hazards(
        table=table,
        area=area[keep],
        start=np.where(surveyed, 1, 0).astype(np.int8),
        unknown_ordnance=int(unknown.sum()),
    )
    return found, notes


def _unknown_harm(ids: pd.Series, harm: pd.DataFrame, since: int) -> tuple[Mask, Mask]:
    """Say which hazards have no harm at all, and which miss that of a year that counts."""
    known = harm[harm["harm"].notna()]
    counted = known.loc[known["year"] >= since, "hazard_id"].value_counts()
    whole = counted.index[counted == harm.loc[harm["year"] >= since, "year"].nunique()]
    harmless = ~ids.isin(known["hazard_id"]).to_numpy()
    return harmless, ~harmless & ~ids.isin(whole).to_numpy()


def _note(kind: str, text: str, table: pd.DataFrame, which: Mask) -> Note:
    count = int(which.sum())
    return Note(
        "options",
        kind,
        text.format(f"{count:,}"),
        count,
        tuple(table.loc[which, "hazard_id"].astype(str)[:50]),
    )


@dataclass(frozen=True, kw_only=True)
class _HarmGrid:
    """Harm and people by hazard (rows) and year (columns)."""

    years: npt.NDArray[np.int16]
    all_years: npt.NDArray[np.int64]
    yearly: Floats
    onward: Floats
    people: Floats
    uncounted: Mask
    """Hazards of which the people are known in some of the years only."""

    @property
    def peopled(self) -> Mask:
        """Whether anybody is counted within reach of each hazard, and in every year."""
        return np.asarray((self.people > 0).any(axis=1) & ~self.uncounted, dtype=bool)

    @classmethod
    def of(cls, hazards: _Hazards, harm: pd.DataFrame, wanted: npt.NDArray[np.int64]) -> "_HarmGrid":
        all_years = np.unique(harm["year"].to_numpy())
        row = pd.Index(hazards.table["hazard_id"]).get_indexer(pd.Index(harm["hazard_id"]))
        column = np.searchsorted(all_years, harm["year"].to_numpy())
        shape = (len(hazards.table), len(all_years))
        yearly, people = np.full(shape, np.nan), np.full(shape, np.nan)
        for grid, name in ((yearly, "harm"), (people, "people")):
            grid[row[row >= 0], column[row >= 0]] = harm[name].to_numpy()[row >= 0]
        onward = np.cumsum(yearly[:, ::-1], axis=1)[:, ::-1]
        at = np.searchsorted(all_years, wanted)
        counted = np.isfinite(people[:, at])
        return cls(
            years=wanted.astype(np.int16),
            all_years=all_years,
            yearly=yearly[:, at],
            onward=onward[:, at],
            people=np.nan_to_num(people[:, at]),
            uncounted=counted.any(axis=1) & ~counted.all(axis=1),
        )


def _offered(activities: tuple[Activity, ...], hazards: _Hazards, *, peopled: Mask) -> list[Mask]:
    """Say for each activity on which hazards it is offered: the most particular row of each name.

    What is priced by person needs people who are known to be there; it would else seem to cost nothing.
    """
    fits = [_fits(item, hazards.table) for item in activities]
    fits = [
        fit & peopled if item.figure("usd_per_person").value > 0 else fit
        for item, fit in zip(activities, fits, strict=True)
    ]
    order = sorted(
        range(len(activities)), key=lambda i: -bool(activities[i].ordnance) - bool(activities[i].land_use)
    )
    taken: dict[str, Mask] = {}
    for i in order:
        before = taken.get(activities[i].activity, np.zeros(len(hazards.table), bool))
        fits[i] = fits[i] & ~before
        taken[activities[i].activity] = before | fits[i]
    for item, where in zip(activities, [f.copy() for f in fits], strict=True):
        for i, other in enumerate(activities):
            if item.instead_of and other.activity == item.instead_of:
                fits[i] = fits[i] & ~where
    return fits


def _fits(item: Activity, table: pd.DataFrame) -> Mask:
    good = np.ones(len(table), bool)
    for column in ("ordnance", "land_use"):
        allowed = set(getattr(item, column))
        if allowed:
            if column not in table:
                return np.zeros(len(table), bool)
            codes, kinds = pd.factorize(table[column])
            inside = [{p.strip() for p in str(k).split(";") if p.strip()} <= allowed for k in kinds]
            good &= np.array([*inside, False])[codes]
    return good


def _state_values(
    activities: tuple[Activity, ...], offered: list[Mask], hazards: _Hazards
) -> tuple[Floats, Floats]:
    """Area left and risk removed in each state: two arrays of shape ``(hazards, states)``."""
    count = len(hazards.table)
    left, risk = np.ones((count, len(STATES))), np.ones((count, len(STATES)))
    for s, state in enumerate(STATES[:-1]):
        if s == 0:
            continue
        step = np.ones((2, count))
        for item, where in zip(activities, offered, strict=True):
            if item.leads_to == state:
                step[0, where] = item.figure("area_left_share").value
                step[1, where] = 1 - item.figure("risk_removed").value
        step[:, hazards.start >= s] = 1.0
        left[:, s], risk[:, s] = left[:, s - 1] * step[0], risk[:, s - 1] * step[1]
    left[:, -1] = 0.0
    return left, 1 - risk


def _steps(
    activities: tuple[Activity, ...], offered: list[Mask], hazards: _Hazards
) -> Iterator[tuple[Activity, npt.NDArray[np.int64], int]]:
    """Go through activity, hazards and state it starts from; states no activity leads to are left out."""
    reached = {0: hazards.start == 0, 1: hazards.start == 1}
    reached[2] = np.zeros(len(hazards.table), bool)
    for item, where in zip(activities, offered, strict=True):
        if item.leads_to in STATES[:-1]:
            to = STATES.index(item.leads_to)
            reached[to] = reached[to] | (where & (hazards.start < to))
    for item, where in zip(activities, offered, strict=True):
        end = STATES.index(item.leads_to) if item.leads_to else len(STATES) - 1
        for begin in range(end):
            rows = np.nonzero(where & reached[begin])[0]
            if len(rows):
                yield item, rows, begin


@dataclass(frozen=True, kw_only=True)
class _Block:
    """Options of one activity from one state: hazards times years, flattened."""

    activity: str
    begin: int
    end: int
    hazard: npt.NDArray[np.int64]
    year: npt.NDArray[np.int64]
    numbers: dict[str, Floats] = field(repr=False)
    placeholder: bool


def _block(
    item: Activity,
    rows: npt.NDArray[np.int64],
    begin: int,
    *,
    hazards: _Hazards,
    grid: _HarmGrid,
    states: tuple[Floats, Floats],
) -> _Block:
    left, risk = states
    value = {
        n: item.figure(n).value for n in ("fixed_usd", "usd_per_m2", "usd_per_person", "fixed_team_months")
    }
    end = STATES.index(item.leads_to) if item.leads_to else begin
    last = len(STATES) - 1
    worked = hazards.area[rows] * left[rows, begin]
    share = item.figure("area_left_share").value
    remains = (
        worked
        if end == begin
        else hazards.area[rows] * (left[rows, end] if end < last else left[rows, begin] * share)
    )
    removed = item.figure("risk_removed").value
    if end == begin:
        averted = ((1 - risk[rows, begin]) * removed)[:, None] * grid.yearly[rows]
    else:
        after = risk[rows, end] if end < last else np.full(len(rows), removed)
        averted = (after - risk[rows, begin])[:, None] * grid.onward[rows]
    people = grid.people[rows]
    cost = (value["fixed_usd"] + value["usd_per_m2"] * worked)[:, None] + value["usd_per_person"] * people
    months = value["fixed_team_months"] + worked / item.figure("m2_per_team_month").value
    count = len(grid.years)
    numbers = {
        "cost_usd": np.round(cost, 2).ravel(),
        "team_months": np.repeat(months, count),
        "benefit": averted.ravel(),
        "people": people.ravel(),
        "area_m2": np.repeat(worked, count),
        "left_m2": np.repeat(remains, count),
    }
    hazard, year = np.repeat(rows, count), np.tile(np.arange(count), len(rows))
    return _Block(
        activity=item.activity,
        begin=begin,
        end=end,
        hazard=hazard,
        year=year,
        numbers=numbers,
        placeholder=bool(item.placeholders),
    )


def _assembled(blocks: list[_Block], hazards: _Hazards, grid: _HarmGrid, keep: Sequence[str]) -> pd.DataFrame:
    sizes = [len(b.hazard) for b in blocks]
    hazard, year = (np.concatenate([getattr(b, n) for b in blocks]) for n in ("hazard", "year"))
    which = np.repeat(np.arange(len(blocks)), sizes)
    rank = np.array([(b.begin == b.end) * 100 + b.begin * 10 + b.end for b in blocks])
    order = np.lexsort((rank[which], year, hazard))
    hazard, year, which = hazard[order], year[order], which[order]
    numbers = {n: np.concatenate([b.numbers[n] for b in blocks])[order] for n in blocks[0].numbers}
    begin, end = (np.array([getattr(b, n) for b in blocks], dtype=np.int8)[which] for n in ("begin", "end"))
    columns: dict[str, Any] = {
        "hazard_id": _category(hazards.table["hazard_id"].astype("str"), hazard),
        "activity": _category(pd.Series([b.activity for b in blocks]), which),
        "year": grid.years[year],
        **{
            n: pd.Categorical.from_codes(c, categories=pd.Index(STATES), ordered=True)
            for n, c in (("state_now", hazards.start[hazard]), ("state_from", begin), ("state_to", end))
        },
        **{n: numbers[n] for n in ("cost_usd", "team_months", "benefit", "people", "area_m2")},
        **_land(begin, end, numbers),
        "placeholder": np.array([b.placeholder for b in blocks])[which],
        **_place(hazards.table, hazard),
    }
    for name in dict.fromkeys((*_CARRIED, *keep)):
        if name in hazards.table.columns:
            columns[name] = _taken(hazards.table[name], hazard)
        elif name in keep:
            raise DataError(
                f"facts: no column {name!r} to keep; it has {', '.join(map(str, hazards.table.columns))}"
            )
    table = pd.DataFrame(columns)
    table.insert(0, "option_id", _option_ids(blocks, hazards, grid, which * len(grid.years) + year, hazard))
    return table


def _option_ids(
    blocks: list[_Block],
    hazards: _Hazards,
    grid: _HarmGrid,
    step: npt.NDArray[np.int64],
    hazard: npt.NDArray[np.int64],
) -> Any:
    """Join hazard, activity, year and state; the few different endings are written once."""
    ends = pd.Series(
        [f":{b.activity}:{y}:{STATES[b.begin]}" for b in blocks for y in grid.years], dtype="str"
    )
    names = hazards.table["hazard_id"].astype("str").array
    return names.take(hazard) + ends.array.take(step)


def _land(
    begin: npt.NDArray[np.int8], end: npt.NDArray[np.int8], numbers: dict[str, Floats]
) -> dict[str, Floats]:
    """Split the area worked on into cancelled, reduced, cleared and left; the four add up to it."""
    gone = numbers["area_m2"] - numbers["left_m2"]
    moved = begin != end
    words = {w: np.where(moved & (end == STATES.index(s)), gone, 0.0) for s, w in AREA_WORDS.items()}
    return {**words, "left_m2": numbers["left_m2"]}


def _place(table: pd.DataFrame, hazard: npt.NDArray[np.int64]) -> dict[str, Floats]:
    if isinstance(table, gpd.GeoDataFrame) and table.active_geometry_name and table.crs is not None:
        points = space.lonlat_points(table)
    else:
        points = np.column_stack([numbers_of(table, "lon"), numbers_of(table, "lat")])
    return {"lon": points[hazard, 0], "lat": points[hazard, 1]}


def _category(labels: pd.Series, rows: npt.NDArray[np.int64]) -> pd.Categorical:
    codes, kinds = pd.factorize(labels)
    return pd.Categorical.from_codes(codes[rows], categories=pd.Index(kinds))


def _taken(column: pd.Series, rows: npt.NDArray[np.int64]) -> Any:
    numeric = pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_datetime64_any_dtype(
        column.dtype
    )
    return column.to_numpy()[rows] if numeric else _category(column, rows)


def _unpeopled(activities: tuple[Activity, ...], hazards: _Hazards, grid: _HarmGrid) -> list[Note]:
    by_person = sorted({a.activity for a in activities if a.figure("usd_per_person").value > 0})
    nobody, some = ~grid.peopled & ~grid.uncounted, grid.uncounted
    told = [(nobody, "have nobody counted within reach"), (some, "have no number of people in some years")]
    end = ": " + ", ".join(by_person) + " is not offered there"
    return [
        _note("unknown", "{} hazards " + said + end, hazards.table, which)
        for which, said in told
        if by_person and which.any()
    ]


def _said_of(
    table: pd.DataFrame, activities: tuple[Activity, ...], hazards: _Hazards, *, relative: bool
) -> list[Note]:
    notes = []
    used = set(table["activity"].unique())
    guessed = [
        f"{a.activity} ({', '.join(a.placeholders)})"
        for a in activities
        if a.placeholders and a.activity in used
    ]
    if guessed:
        which = "; ".join(dict.fromkeys(guessed))
        text = f"numbers without a source stand behind {which}: replace them with your own"
        notes.append(Note("options", "assumed", text, int(table["placeholder"].sum())))
    if relative:
        text = "harm is relative: the plan says where more is averted, not how many accidents"
        notes.append(Note("options", "assumed", text, len(hazards.table)))
    return notes
