"""What a plan must keep to: money by year, a fair share for every region, promises, and order.

Each rule is a value. It knows how to lay itself over the options as rows (`compiled`) and, apart from
that, how to test a finished plan with plain sums (`faults`).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from ccm_geo.errors import DataError, PlanError
from ccm_geo.schemas import Note

from .model import Compiled, Family, Floats, Ints, Listing, Marks, Mask, Where, leads_on, matching
from .prices import richest_use


class Rule:
    """What all rules share."""

    @property
    def title(self) -> str:
        """Its name in messages and tables."""
        return getattr(self, "name", "") or type(self).__name__

    def fitted(self, listing: Listing, rules: tuple["Rule", ...]) -> tuple["Rule", list[Note]]:  # noqa: ARG002 - some look at the other rules
        """Return the rule with everything spelled out for these options, and what that assumed."""
        return self, []

    def compiled(self, listing: Listing, number: int) -> Compiled:
        """Lay the rule over the options; `number` is its place among the rules."""
        raise NotImplementedError

    def faults(self, chosen: pd.DataFrame, options: pd.DataFrame) -> list[str]:
        """Name every way in which chosen rows break the rule; plain sums, nothing of `compiled`."""
        raise NotImplementedError


@dataclass(frozen=True)
class Budget(Rule):
    """At most so much is spent: in each year, or in all.

    Parameters
    ----------
    amount
        By calendar year, or one number for all years together. A year that is not named has no money.
    of
        Column of the options that is spent.
    where
        Only options with these values count, for example ``{"adm1": ["P01", "P02"]}``.
    carry_over
        What is left of a year can be spent in later ones.
    name
        What to call it, for example the donor.

    Examples
    --------
    >>> Budget({2027: 2e6, 2028: 1.5e6}).amount[2028]
    1500000.0
    """

    amount: Mapping[int, float] | float
    _: KW_ONLY
    of: str = "cost_usd"
    where: Where | None = None
    carry_over: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse amounts that are none."""
        amounts = self.amount.values() if isinstance(self.amount, Mapping) else [self.amount]
        if not all(isinstance(a, (int, float, np.number)) and a >= 0 and math.isfinite(a) for a in amounts):
            raise DataError(f"{self.title}: amounts must be numbers of 0 or more, not {self.amount!r}")
        if isinstance(self.amount, Mapping):
            object.__setattr__(self, "amount", {int(y): float(a) for y, a in sorted(self.amount.items())})

    def fitted(self, listing: Listing, rules: tuple[Rule, ...]) -> tuple["Budget", list[Note]]:  # noqa: ARG002 - as in Rule
        """Name every year of the options."""
        if not isinstance(self.amount, Mapping):
            return self, []
        if "year" not in listing.frame:
            raise DataError(
                f"{self.title}: it goes by year but the options have no column 'year'; give one amount"
            )
        years = [int(y) for y in listing.years]
        extra = [y for y in self.amount if y not in years]
        if extra:
            told = f"options cover {years[0]} to {years[-1]}"
            raise DataError(f"{self.title}: there are no options in {_listed(extra)}; {told}")
        silent = [y for y in years if y not in self.amount]
        notes = []
        if silent and not (self.carry_over and min(silent) > min(self.amount)):
            text = f"{self.title} names no money for {_listed(silent)}: nothing is spent in those years"
            notes.append(Note("plan", "assumed", text))
        return replace(self, amount={y: self.amount.get(y, 0.0) for y in years}), notes

    def compiled(self, listing: Listing, number: int) -> Compiled:
        """One row per year (up to that year, with carry-over), or one in all."""
        held = matching(listing.frame, self.where, self.title)
        coef = listing.numbers(self.of, self.title)
        if not isinstance(self.amount, Mapping):
            labels: tuple[str, ...] = (self.title,)
            key, limits = np.zeros(len(held), np.int64), [self.amount]
        else:
            labels = tuple(f"{self.title} {y}" for y in self.amount)
            key, limits = np.searchsorted(list(self.amount), listing.year), list(self.amount.values())
        upper = np.cumsum(limits) if self.carry_over else np.array(limits, dtype=float)
        span = np.triu(np.ones((len(limits), len(limits)))) if self.carry_over else np.eye(len(limits))
        family = Family(
            rule=number,
            labels=labels,
            key=np.where(held, key, -1),
            coef=coef,
            pattern=sparse.csr_array(span),
            lower=np.full(len(limits), -np.inf),
            upper=upper,
            column=self.of,
        )
        return Compiled(families=(family,))

    def faults(self, chosen: pd.DataFrame, options: pd.DataFrame) -> list[str]:  # noqa: ARG002 - as in Rule
        """Add up what is spent, year by year."""
        rows = chosen
        for column, wanted in (self.where or {}).items():
            rows = rows[rows[column].isin([wanted] if np.isscalar(wanted) else list(wanted))]
        if not isinstance(self.amount, Mapping):
            parts = {self.title: (rows[self.of], self.amount)}
        elif self.carry_over:
            parts = {
                f"{self.title} up to {y}": (
                    rows.loc[rows["year"] <= y, self.of],
                    math.fsum(a for t, a in self.amount.items() if t <= y),
                )
                for y in self.amount
            }
        else:
            parts = {
                f"{self.title} {y}": (rows.loc[rows["year"] == y, self.of], a) for y, a in self.amount.items()
            }
        return [
            f"{label}: {total(spent):,.2f} of {limit:,.2f}"
            for label, (spent, limit) in parts.items()
            if exceeds(spent, limit)
        ]


def total(amounts: Iterable[float]) -> float:
    """Add up without rounding errors."""
    return math.fsum(amounts)


def exceeds(amounts: pd.Series, limit: float) -> bool:
    """Say whether amounts add up to more than a limit: to the cent where they are money."""
    if str(amounts.name).endswith("_usd"):
        return sum(round(100 * a) for a in amounts) > round(100 * limit + 1e-4)
    return total(amounts) > limit + 1e-9 * max(abs(limit), 1.0)


def _listed(items: Iterable[Any]) -> str:
    return ", ".join(map(str, items))


@dataclass(frozen=True)
class Share(Rule):
    """Every region, or group, gets at least or at most a share of what the plan spends.

    Parameters
    ----------
    column
        Column of the options that names the region or group.
    at_least, at_most
        Share from 0 to 1 of the plan's total, for every value of the column, or by value.
        A region that could not use its share, with all its areas released, is held to
        what it could use; a note says so.
    of
        Column that is shared out: money, area, people.
    where
        Only options with these values count, in the region and in the total.
    name
        What to call it.

    Examples
    --------
    >>> Share("adm1", at_least=0.05)
    Share(column='adm1', at_least=0.05, at_most=None, of='cost_usd', where=None, name='')
    """

    column: str
    _: KW_ONLY
    at_least: Mapping[str, float] | float | None = None
    at_most: Mapping[str, float] | float | None = None
    of: str = "cost_usd"
    where: Where | None = None
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse shares that are none."""
        if self.at_least is None and self.at_most is None:
            raise DataError(f"{self.title}: give at_least= or at_most=, a share from 0 to 1")
        for given in (self.at_least, self.at_most):
            shares = given.values() if isinstance(given, Mapping) else [0.0 if given is None else given]
            if not all(0 <= s <= 1 for s in shares):
                raise DataError(f"{self.title}: shares go from 0 to 1, not {given!r}")

    @property
    def title(self) -> str:
        """Its name in messages and tables."""
        return self.name or f"Share of {self.column}"

    def fitted(self, listing: Listing, rules: tuple[Rule, ...]) -> tuple["Share", list[Note]]:
        """Spell the shares out by region; hold no region to more than it could use."""
        if self.column not in listing.frame:
            raise DataError(
                f"{self.title}: no column {self.column!r}; the options have {_listed(listing.frame.columns)}"
            )
        regions = sorted(listing.frame[self.column].dropna().unique().tolist(), key=str)
        floors, ceilings = (self._by_region(given, regions) for given in (self.at_least, self.at_most))
        asked = math.fsum(floors.values())
        if asked > 1 + 1e-9:
            raise PlanError(
                f"{self.title}: floors for {len(floors)} values of {self.column} add up to {asked:.0%}",
                conflict=[f"{self.title}: {asked:.0%} of one total"],
                cures=[f"at_least={math.floor(1e4 / len(floors)) / 1e4:g} for each, or fewer of them"],
            )
        notes = _unnamed(listing.frame[self.column], self.title)
        floors, said = self._usable(floors, listing, rules)
        return replace(self, at_least=floors or None, at_most=ceilings or None), [*notes, *said]

    def _by_region(self, given: Mapping[str, float] | float | None, regions: list[str]) -> dict[str, float]:
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            return dict.fromkeys(regions, float(given))
        absent = [r for r in given if r not in regions]
        if absent:
            raise DataError(
                f"{self.title}: no option has {self.column} {absent[0]!r}; known are {_listed(regions[:20])}"
            )
        return {r: float(s) for r, s in given.items()}

    def _usable(
        self, floors: dict[str, float], listing: Listing, rules: tuple[Rule, ...]
    ) -> tuple[dict[str, float], list[Note]]:
        if not floors:
            return floors, []
        amount = np.where(
            matching(listing.frame, self.where, self.title), listing.numbers(self.of, self.title), 0.0
        )
        use = richest_use(listing, amount, listing.numbers(self.of, self.title))
        codes, regions = pd.factorize(listing.frame[self.column])
        own = codes[listing.first[:-1]]
        if (codes != own[listing.hazard]).any():
            return floors, []  # not a column of hazards (activity, year): what it could use is not known
        most = dict(
            zip(regions, np.bincount(own + 1, weights=use, minlength=len(regions) + 1)[1:], strict=True)
        )
        money = [
            math.fsum(r.amount.values()) if isinstance(r.amount, Mapping) else r.amount
            for r in rules
            if isinstance(r, Budget) and r.of == self.of and r.where is None
        ]
        whole = min([float(use.sum()), *money])
        notes, held = [], dict(floors)
        for region, share in floors.items():
            can = float(most.get(region, 0.0))
            if share * whole > can:
                held[region] = can / whole * (1 - 1e-9)
                text = (
                    f"{self.title}: {region} cannot use {share:.1%} of the total; all its areas take "
                    f"{held[region]:.2%}, and that is its floor"
                )
                notes.append(Note("plan", "advice", text))
        return held, notes

    def compiled(self, listing: Listing, number: int) -> Compiled:
        """Two sets of rows: region's sum less its share of the total, at least 0 or at most 0."""
        held = matching(listing.frame, self.where, self.title)
        coef = listing.numbers(self.of, self.title)
        codes, regions = pd.factorize(listing.frame[self.column])
        codes = np.where(codes < 0, len(regions), codes)  # no region: counts in the total only
        place = {r: i for i, r in enumerate(regions)}
        families = []
        for given, floor in ((self.at_least, True), (self.at_most, False)):
            if not isinstance(given, Mapping):
                continue
            shares = np.array(list(given.values()), dtype=float)
            own = np.zeros((len(regions) + 1, len(shares)))
            own[[place[r] for r in given], np.arange(len(shares))] = 1.0
            families.append(
                Family(
                    rule=number,
                    labels=tuple(f"{self.title} {r}" for r in given),
                    key=np.where(held, codes, -1),
                    coef=coef,
                    pattern=sparse.csr_array(own - shares),
                    lower=np.full(len(shares), 0.0 if floor else -np.inf),
                    upper=np.full(len(shares), np.inf if floor else 0.0),
                    column=self.of,
                    shares=shares,
                )
            )
        return Compiled(families=tuple(families))

    def faults(self, chosen: pd.DataFrame, options: pd.DataFrame) -> list[str]:  # noqa: ARG002 - as in Rule
        """Add up each region and hold it against its share of the total."""
        rows = chosen
        for column, wanted in (self.where or {}).items():
            rows = rows[rows[column].isin([wanted] if np.isscalar(wanted) else list(wanted))]
        whole = total(rows[self.of])
        slack = 1e-7 * max(whole, 1e-9)
        found = []
        for given, floor in ((self.at_least, True), (self.at_most, False)):
            for region, share in given.items() if isinstance(given, Mapping) else ():
                got = total(rows.loc[rows[self.column] == region, self.of])
                if (got < share * whole - slack) if floor else (got > share * whole + slack):
                    word = "at least" if floor else "at most"
                    found.append(
                        f"{self.title}: {region} gets {got:,.2f} of {whole:,.2f}, not {word} {share:.2%}"
                    )
        return found


def _unnamed(column: pd.Series, title: str) -> list[Note]:
    count = int(column.isna().sum())
    text = f"{title}: {count:,} options name no {column.name}; they count in the total only"
    return [Note("plan", "unknown", text, count)] if count else []


@dataclass(frozen=True)
class _Named(Rule):
    """Hazards, named one by one, and which of their options are meant."""

    hazards: str | Sequence[str]
    _: KW_ONLY
    activity: str | None = None
    year: int | None = None
    name: str = ""

    def __post_init__(self) -> None:
        """Make one name a list of one."""
        given = (self.hazards,) if isinstance(self.hazards, str) else tuple(dict.fromkeys(self.hazards))
        object.__setattr__(self, "hazards", given)

    @property
    def title(self) -> str:
        """Its name in messages and tables."""
        what = " ".join(str(w) for w in (self.activity, self.year) if w is not None)
        several = f"{len(self.hazards)} hazards" if len(self.hazards) > 3 else _listed(self.hazards)
        return self.name or f"{type(self).__name__} {several}{' ' + what if what else ''}"

    def _meant(self, listing: Listing) -> Mask:
        at = listing.hazard_ids.get_indexer(pd.Index(self.hazards))
        if (at < 0).any():
            unknown = [h for h, i in zip(self.hazards, at, strict=True) if i < 0]
            raise DataError(
                f"{self.title}: {len(unknown)} of the hazards have no options (closed, misspelled, no harm), "
                f"first {unknown[0]!r}"
            )
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


@dataclass(frozen=True)
class After(Rule):
    """Something comes first: survey before clearance, the access route before the field behind it.

    Parameters
    ----------
    first, then
        Hazard ids: survey and clearance on `then` begin only when every hazard of `first` has been
        brought to its last state, in the same year or earlier; interim options (risk education, marking)
        may come before. Or columns with values, for example ``{"activity": "nts"}``: options `then`
        are taken only with or after an option `first`.
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
            if not isinstance(given, Mapping):
                object.__setattr__(self, side, (given,) if isinstance(given, str) else tuple(given))

    @property
    def title(self) -> str:
        """Its name in messages and tables."""
        side = self.first
        said = _listed(f"{k} {v}" for k, v in side.items()) if isinstance(side, Mapping) else _listed(side)
        return self.name or f"After {said}"

    def fitted(self, listing: Listing, rules: tuple[Rule, ...]) -> tuple["After", list[Note]]:  # noqa: ARG002 - as in Rule
        """Say which hazards are free of it."""
        if self.within is None:
            return self, []
        first, then = self._sides(listing)
        free = np.setdiff1d(listing.hazard[then], listing.hazard[first])
        text = (
            f"{self.title}: {len(free):,} hazards have no such option (done, or not offered); they are free"
        )
        ids = tuple(str(listing.hazard_ids[h]) for h in free[:50])
        return self, [Note("plan", "assumed", text, len(free), ids)] if len(free) else []

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
            groups = [first]
        else:
            groups = [first & (listing.frame["hazard_id"] == h).to_numpy() for h in self.first]
        families = tuple(self._rows(listing, number, group, then & ~group) for group in groups)
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
        table = _with_ids(options)
        plan = _with_ids(chosen)
        if self.within is not None:
            able = set(_where_rows(table, self.first)["hazard_id"])
            found = []
            for hazard, rows in plan.groupby("hazard_id", observed=True, sort=False):
                if hazard in able:
                    found += self._early(_where_rows(rows, self.first), _where_rows(rows, self.then))
            return found
        if isinstance(self.first, Mapping):
            return self._early(_where_rows(plan, self.first), _where_rows(plan, self.then))
        found = []
        late = (
            plan[plan["hazard_id"].isin(list(self.then))]
            if not isinstance(self.then, Mapping)
            else _where_rows(plan, self.then)
        )
        late = late if isinstance(self.then, Mapping) else late[_steps_only(late)]
        for hazard in self.first:
            ends = _last_steps(table[table["hazard_id"] == hazard])
            done = plan[plan["option_id"].isin(ends)]
            found += self._early(done, late[late["hazard_id"] != hazard])
        return found

    def _early(self, done: pd.DataFrame, late: pd.DataFrame) -> list[str]:
        since = min(_moments(done), default=(math.inf, 0))
        return [
            f"{self.title}: {option!r} comes before it"
            for option, moment in zip(late["option_id"], _moments(late), strict=True)
            if moment < since
        ]


def _with_ids(table: pd.DataFrame) -> pd.DataFrame:
    return table if "hazard_id" in table else table.assign(hazard_id=table["option_id"])


def _where_rows(table: pd.DataFrame, where: Any) -> pd.DataFrame:
    for column, wanted in where.items():
        table = table[table[column].isin([wanted] if np.isscalar(wanted) else list(wanted))]
    return table


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
