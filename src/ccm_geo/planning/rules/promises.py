"""What a plan must do, must leave alone, and in what order: promises, exclusions, what comes first."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from ccm_geo.errors import DataError
from ccm_geo.planning.listing import Floats, Ints, Listing, Mask, Where, leads_on, matching
from ccm_geo.planning.model import Compiled, Family, Marks
from ccm_geo.schemas import Note

from ._given import require_where, require_year, said
from .limits import Rule, listed, rows_where


def named_hazards(listing: Listing, hazards: Sequence[str], asker: str) -> Ints:
    """Find hazards by name.

    Raises
    ------
    DataError
        If one has no options.
    """
    at = listing.hazard_ids.get_indexer(pd.Index(hazards))
    unknown = [h for h, i in zip(hazards, at, strict=True) if i < 0]
    if unknown:
        raise DataError(
            f"{asker}: {len(unknown)} of the hazards have no options (closed, misspelled, no harm), "
            f"first {unknown[0]!r}"
        )
    return np.asarray(at, dtype=np.int64)


def _names(given: Any, asker: str, parameter: str) -> tuple[str, ...]:
    """Make one name a list of one, and every name stand there once."""
    if isinstance(given, str):
        return (given,)
    if isinstance(given, Mapping) or not isinstance(given, Iterable):
        cure = "give one hazard id as text, or several in a list"
        raise DataError(f"{asker}: {parameter} is {given!r}; {cure}")
    return tuple(dict.fromkeys(given))


@dataclass(frozen=True)
class ByName(Rule):
    """Hazards, named one by one."""

    hazards: str | Sequence[str]

    def __post_init__(self) -> None:
        """Make one name a list of one."""
        object.__setattr__(self, "hazards", _names(self.hazards, type(self).__name__, "hazards"))

    @property
    def who(self) -> str:
        """The hazards in words."""
        return f"{len(self.hazards)} hazards" if len(self.hazards) > 3 else listed(self.hazards)


@dataclass(frozen=True)
class _Named(ByName):
    """Which options of the hazards are meant."""

    _: KW_ONLY
    activity: str | None = None
    year: int | None = None
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no year."""
        super().__post_init__()
        require_year(self.year, type(self).__name__, "year")

    @property
    def title(self) -> str:
        """Its name in messages and tables."""
        what = " ".join(str(w) for w in (self.activity, self.year) if w is not None)
        return self.name or f"{type(self).__name__} {self.who}{' ' + what if what else ''}"

    def _meant(self, listing: Listing) -> Mask:
        at = named_hazards(listing, self.hazards, self.title)
        which = np.zeros(len(listing.hazard_ids), bool)
        which[at] = True
        where = {n: v for n, v in (("activity", self.activity), ("year", self.year)) if v is not None}
        return which[listing.hazard] & matching(listing.frame, where, self.title)

    def _rows(self, table: pd.DataFrame) -> pd.DataFrame:
        ids = table["hazard_id"] if "hazard_id" in table else table["option_id"]
        rows = table[ids.isin(list(self.hazards))]
        if self.activity is not None:
            rows = rows[rows["activity"] == self.activity]
        return rows if self.year is None else rows[rows["year"] == self.year]


@dataclass(frozen=True)
class LockIn(_Named):
    """Something is done on each of these hazards, whatever it costs: work promised or under way.

    Parameters
    ----------
    hazards
        One hazard id or several. In a table of options without ``hazard_id``: option ids.
    activity, year
        Which activity, in which year; by default any.
    name
        What to call it.

    Examples
    --------
    >>> LockIn("HA-7", activity="clearance", year=2028).title
    'LockIn HA-7 clearance 2028'
    """

    def compiled(self, listing: Listing, number: int) -> Compiled:
        """One mark that the paths of these hazards must end with."""
        meant = self._meant(listing)
        must = np.zeros(len(listing.hazard_ids), bool)
        must[listing.hazard_ids.get_indexer(pd.Index(self.hazards))] = True
        none = must.copy()
        none[listing.hazard[meant]] = False
        if none.any():
            raise DataError(f"{self.title}: hazard {listing.hazard_ids[none.argmax()]!r} has no such option")
        return Compiled(marks=(Marks(rule=number, sets=meant, asks=np.zeros(len(meant), bool), must=must),))

    def faults(self, chosen: pd.DataFrame, options: pd.DataFrame) -> list[str]:  # noqa: ARG002 - as in Rule
        """Look for a row of each hazard."""
        rows = self._rows(chosen)
        there = set(rows["hazard_id"] if "hazard_id" in rows else rows["option_id"])
        return [f"{self.title}: nothing is planned for {h!r}" for h in self.hazards if h not in there]

    def kept(self, chosen: pd.DataFrame, options: pd.DataFrame) -> str:  # noqa: ARG002 - as in Rule
        """Say what keeps the promise, and what it takes."""
        return f"kept by {_work(self._rows(chosen))}"


@dataclass(frozen=True)
class LockOut(_Named):
    """Nothing is done on these hazards: no access, a dispute, someone else's task.

    Parameters
    ----------
    hazards
        One hazard id or several. In a table of options without ``hazard_id``: option ids.
    activity, year
        Which activity, in which year; by default any.
    name
        What to call it.

    Examples
    --------
    >>> LockOut(["HA-1", "HA-2"], year=2027).title
    'LockOut HA-1, HA-2 2027'
    """

    def compiled(self, listing: Listing, number: int) -> Compiled:  # noqa: ARG002 - as in Rule
        """Take the options away."""
        return Compiled(forbidden=self._meant(listing))

    def faults(self, chosen: pd.DataFrame, options: pd.DataFrame) -> list[str]:  # noqa: ARG002 - as in Rule
        """Look for rows of these hazards."""
        rows = self._rows(chosen)
        return [f"{self.title}: {i!r} is planned" for i in rows["option_id"]]

    def kept(self, chosen: pd.DataFrame, options: pd.DataFrame) -> str:  # noqa: ARG002 - as in Rule
        """Say what is left alone, and what else is done there."""
        other = with_ids(chosen)
        other = other[other["hazard_id"].isin(list(self.hazards))]
        what = "nothing" if self.activity is None else f"no {self.activity}"
        said = f"kept: {what} is planned there{'' if self.year is None else f' in {self.year}'}"
        return f"{said}; other work there: {_work(other)}" if len(other) else said


@dataclass(frozen=True)
class After(Rule):
    """Something comes first: survey before clearance, the access route before the field behind it.

    Parameters
    ----------
    first, then
        Hazard ids: survey and clearance on `then` begin only when every hazard of `first` has been
        brought to its last state, in the same year or earlier; interim options (risk education, marking)
        may come before; a hazard named on both sides waits for the others. Or columns with values, for
        example ``{"activity": "nts"}``: options `then` are taken only with or after an option `first`.
    within
        With ``"hazard_id"``, each hazard by itself: ``After({"activity": ["nts", "ts"]},
        {"activity": "clearance"}, within="hazard_id")``. A hazard that has no `first` among
        its options is free, and a note says so.
    name
        What to call it.

    Examples
    --------
    >>> After("ROUTE-9", ["HA-1", "HA-2"]).title
    'After ROUTE-9'
    >>> After({"activity": ["nts", "ts"]}, {"activity": "clearance"}, within="hazard_id").title
    'After activity nts or ts'
    """

    first: str | Sequence[str] | Where
    then: str | Sequence[str] | Where
    _: KW_ONLY
    within: str | None = None
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.within not in (None, "hazard_id"):
            raise DataError(f"{self.title}: within is None or 'hazard_id', not {self.within!r}")
        if self.within and not (isinstance(self.first, Mapping) and isinstance(self.then, Mapping)):
            raise DataError(f"{self.title}: within a hazard, first and then are columns with values")
        for side in ("first", "then"):
            given = getattr(self, side)
            if isinstance(given, Mapping):
                require_where(given, f"After, {side}")
            else:
                object.__setattr__(self, side, _names(given, "After", side))
            if not getattr(self, side):
                raise DataError(f"After: {side} names nothing; leave the rule out")
        if self.first == self.then:
            raise DataError(f"{self.title}: first and then are the same; nothing else waits for it")

    @property
    def title(self) -> str:
        """Its name in messages and tables."""
        side = self.first
        return self.name or f"After {said(side) if isinstance(side, Mapping) else listed(side)}"

    def fitted(self, listing: Listing, rules: tuple[Rule, ...]) -> tuple["After", list[Note]]:  # noqa: ARG002 - as in Rule
        """Say which hazards are free of it, and which can never begin."""
        first, then = self._sides(listing)
        if self.within is None:
            return self, self._barred(listing, first, then)
        free = np.setdiff1d(listing.hazard[then], listing.hazard[first])
        text = (
            f"{self.title}: {len(free):,} hazards have no such option (done, or not offered); they are free"
        )
        ids = tuple(str(listing.hazard_ids[h]) for h in free[:50])
        return self, [Note("plan", "assumed", text, len(free), ids)] if len(free) else []

    def _barred(self, listing: Listing, first: Mask, then: Mask) -> list[Note]:
        """Say that nothing can begin where no option ends what comes first."""
        if isinstance(self.first, Mapping):
            return []
        ended = set(listing.hazard_ids[listing.hazard[first]])
        never = [h for h in self.first if h not in ended]
        waits = np.setdiff1d(listing.hazard[then], listing.hazard_ids.get_indexer(pd.Index(never[:1])))
        if not never or not len(waits):
            return []
        ids = tuple(str(listing.hazard_ids[h]) for h in waits[:50])
        text = (
            f"{self.title}: no option brings {listed(never[:5])} to the last state (done, or not offered), "
            f"so {len(waits):,} hazards that wait for it cannot be planned; leave it out where it is done"
        )
        return [Note("plan", "advice", text, len(waits), ids)]

    def _sides(self, listing: Listing) -> tuple[Mask, Mask]:
        moves = listing.src != listing.dst
        sides = []
        for given in (self.first, self.then):
            if isinstance(given, Mapping):
                sides.append(matching(listing.frame, given, self.title))
            else:
                named = matching(listing.frame, {"hazard_id": given}, self.title)
                sides.append(named & moves)
        if not isinstance(self.first, Mapping):
            sides[0] &= ~leads_on(listing)
        return sides[0], sides[1]

    def compiled(self, listing: Listing, number: int) -> Compiled:
        """Within a hazard a mark that `then` asks for; between hazards cumulative rows."""
        first, then = self._sides(listing)
        if self.within is not None:
            has = np.zeros(len(listing.hazard_ids), bool)
            has[listing.hazard[first]] = True
            asks = then & has[listing.hazard]
            return Compiled(marks=(Marks(rule=number, sets=first, asks=asks, must=np.zeros(len(has), bool)),))
        if isinstance(self.first, Mapping):
            waiting = [(first, then & ~first)]
        else:
            own = [(listing.frame["hazard_id"] == h).to_numpy() for h in self.first]
            waiting = [(first & of, then & ~of) for of in own]  # a hazard does not wait for itself
        families = tuple(self._rows(listing, number, group, late) for group, late in waiting if late.any())
        if not families:
            what = "no other options than first"
            if not isinstance(self.then, Mapping):
                what = "hazards without survey or clearance of their own to wait"
            raise DataError(f"{self.title}: then names {what}; nothing waits for it, leave the rule out")
        return Compiled(families=families)

    def _rows(self, listing: Listing, number: int, first: Mask, then: Mask) -> Family:
        """By `then` class and year: taken so far, less `first` taken so far, at most 0.

        A class holds options of which a path can take one at most: steps into one state, or
        interim options of one year.
        """
        moves = listing.src != listing.dst
        rows = np.nonzero(then)[0]
        kinds = np.column_stack(
            [
                listing.hazard[rows],
                np.where(moves[rows], listing.dst[rows], -1),
                np.where(moves[rows], 0, listing.year[rows]),
            ]
        )
        classes, of = np.unique(kinds, axis=0, return_inverse=True)
        years = listing.years
        first_rows = np.nonzero(first)[0]
        key = np.full(len(then), -1, np.int64)
        key[rows] = np.arange(len(rows))
        key[first_rows] = len(rows) + np.arange(len(first_rows))
        by_then = np.searchsorted(years, listing.year[rows])
        by_first = np.searchsorted(years, listing.year[first_rows])
        late = ~moves[first_rows]
        grid: list[tuple[Ints, Ints, Floats]] = []
        row_labels, row = [], 0
        for c in range(len(classes)):
            members = np.nonzero(of.ravel() == c)[0]
            for y in np.unique(by_then[members]):
                own = members[by_then[members] <= y]
                ahead = np.nonzero(by_first + late <= y)[0]
                grid.append((own, np.full(len(own), row), np.ones(len(own))))
                grid.append((len(rows) + ahead, np.full(len(ahead), row), -np.ones(len(ahead))))
                row_labels.append(f"{self.title}: {listing.hazard_ids[classes[c, 0]]} {years[y]}")
                row += 1
        at, to, values = (np.concatenate(parts) for parts in zip(*grid, strict=True))
        shape = (len(rows) + len(first_rows), row)
        return Family(
            rule=number,
            labels=tuple(row_labels),
            key=key,
            coef=np.ones(len(then)),
            pattern=sparse.csr_array(sparse.coo_array((values, (at, to)), shape=shape)),
            lower=np.full(row, -np.inf),
            upper=np.zeros(row),
        )

    def faults(self, chosen: pd.DataFrame, options: pd.DataFrame) -> list[str]:
        """Walk through the chosen rows and look for what should have come first."""
        table = with_ids(options)
        plan = with_ids(chosen)
        if self.within is not None:
            able = set(rows_where(table, self.first)["hazard_id"])
            done, late = (rows_where(plan, side) for side in (self.first, self.then))
            since: dict[str, tuple[float, int]] = {}
            for hazard, moment in zip(done["hazard_id"], _moments(done), strict=True):
                since[hazard] = min(moment, since.get(hazard, moment))
            columns = (late["hazard_id"], late["option_id"], _moments(late))
            return [
                f"{self.title}: {option!r} comes before it"
                for hazard, option, moment in zip(*columns, strict=True)
                if hazard in able and moment < since.get(hazard, (math.inf, 0))
            ]
        if isinstance(self.first, Mapping):
            return self._early(rows_where(plan, self.first), self._waiting(plan))
        found = []
        late = self._waiting(plan)
        for hazard in self.first:
            ends = _last_steps(table[table["hazard_id"] == hazard])
            done = plan[plan["option_id"].isin(ends)]
            found += self._early(done, late[late["hazard_id"] != hazard])
        return found

    def kept(self, chosen: pd.DataFrame, options: pd.DataFrame) -> str:
        """Say how much waits for what comes first, and since when."""
        plan = with_ids(chosen)
        late = self._waiting(plan)
        if late.empty:
            return "kept: nothing planned waits for it"
        waits = set(late["hazard_id"])
        if self.within is None:
            waiting = f"{_work(late)} {'waits' if len(late) == 1 else 'wait'} for it"
            return f"kept: it is done{_when(self._done(plan, with_ids(options)))}; {waiting}"
        free = len(waits - set(rows_where(with_ids(options), self.first)["hazard_id"]))
        held = len(waits) - free
        rest = f"; {free:,} more have no such option and are free" if free else ""
        return f"kept on {held:,} hazard{'' if held == 1 else 's'}{rest}"

    def _done(self, plan: pd.DataFrame, options: pd.DataFrame) -> pd.DataFrame:
        """Rows with which what comes first is done."""
        if isinstance(self.first, Mapping):
            rows = rows_where(plan, self.first)
            return rows[rows["year"] == rows["year"].min()] if "year" in rows else rows
        ends = [_last_steps(options[options["hazard_id"] == hazard]) for hazard in self.first]
        return plan[plan["option_id"].isin(set().union(*ends))]

    def _waiting(self, plan: pd.DataFrame) -> pd.DataFrame:
        """Rows that something must come before."""
        if isinstance(self.then, Mapping):
            return rows_where(plan, self.then)
        late = plan[plan["hazard_id"].isin(list(self.then))]
        return late[_steps_only(late)]

    def _early(self, done: pd.DataFrame, late: pd.DataFrame) -> list[str]:
        since = min(_moments(done), default=(math.inf, 0))
        return [
            f"{self.title}: {option!r} comes before it"
            for option, moment in zip(late["option_id"], _moments(late), strict=True)
            if moment < since
        ]


def _work(rows: pd.DataFrame) -> str:
    """Count rows of a plan in words, with their years and money."""
    one, many = ("activity", "activities") if "activity" in rows else ("option", "options")
    money = f" for {rows['cost_usd'].sum():,.0f} USD" if "cost_usd" in rows else ""
    return f"{len(rows):,} {one if len(rows) == 1 else many}{_when(rows)}{money}"


def _when(rows: pd.DataFrame) -> str:
    if "year" not in rows:
        return ""
    first, last = int(rows["year"].min()), int(rows["year"].max())
    return f" in {first}" if first == last else f" in {first}-{last}"


def with_ids(table: pd.DataFrame) -> pd.DataFrame:
    """Name each option's hazard; without any, an option is its own."""
    return table if "hazard_id" in table else table.assign(hazard_id=table["option_id"])


def _steps_only(table: pd.DataFrame) -> Any:
    if "state_from" not in table:
        return np.ones(len(table), bool)
    return (table["state_from"].astype(str) != table["state_to"].astype(str)).to_numpy()


def _last_steps(table: pd.DataFrame) -> set[str]:
    """Options of one hazard that lead to a state from which nothing leads on."""
    if "state_from" not in table:
        return set(table["option_id"])
    steps = table[_steps_only(table)]
    onward = set(steps["state_from"].astype(str))
    return set(steps.loc[~steps["state_to"].astype(str).isin(onward), "option_id"])


def _moments(table: pd.DataFrame) -> list[tuple[float, int]]:
    """When each row happens: its year; interim options at the end of it."""
    years = table["year"] if "year" in table else pd.Series(0, index=table.index)
    return [(float(y), 0 if step else 1) for y, step in zip(years, _steps_only(table), strict=True)]
