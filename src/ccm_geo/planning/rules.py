"""What a plan must keep within: money by year, teams by region, a fair share for everyone.

Each rule is a value. It knows how to lay itself over the options as rows (`compiled`) and, apart from
that, how to test a finished plan with plain sums (`faults`).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from ccm_geo.errors import DataError, PlanError
from ccm_geo.schemas import Note

from .model import Compiled, Family, Listing, Where, matching
from .prices import richest_use


class Rule(ABC):
    """What all rules share."""

    @property
    def title(self) -> str:
        """Its name in messages and tables."""
        return getattr(self, "name", "") or type(self).__name__

    def fitted(self, listing: Listing, rules: tuple["Rule", ...]) -> tuple["Rule", list[Note]]:  # noqa: ARG002 - some look at the other rules
        """Return the rule with everything spelled out for these options, and what that assumed."""
        return self, []

    @abstractmethod
    def compiled(self, listing: Listing, number: int) -> Compiled:
        """Lay the rule over the options; `number` is its place among the rules."""

    @abstractmethod
    def faults(self, chosen: pd.DataFrame, options: pd.DataFrame) -> list[str]:
        """Name every way in which chosen rows break the rule; plain sums, nothing of `compiled`."""

    def bonuses(self, chosen: pd.DataFrame, options: pd.DataFrame) -> dict[str, float]:  # noqa: ARG002 - most bring none
        """Say what chosen rows bring together, beyond the benefit of each; nothing of `compiled`."""
        return {}


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
            raise DataError(f"{self.title}: there are no options in {listed(extra)}; {told}")
        silent = [y for y in years if y not in self.amount]
        notes = []
        if silent and not (self.carry_over and min(silent) > min(self.amount)):
            text = f"{self.title} names no money for {listed(silent)}: nothing is spent in those years"
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
        rows = rows_where(chosen, self.where)
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


@dataclass(frozen=True)
class Capacity(Rule):
    """At most so much work is done by the teams of each region in each year.

    Parameters
    ----------
    amount
        By region, or one number for every region; for each year, or by year: ``{"P01": {2027: 24}}``.
        A region that is not named has no teams; a year that is not named has none either.
    by
        Column of the options that names the region; None for teams that work everywhere.
    of
        Column of the options that is used up, here team-months.
    where
        Only options with these values count, for example ``{"activity": ["clearance", "bac"]}``.
    name
        What to call it.

    Examples
    --------
    >>> Capacity({"P01": 24, "P02": 12}).title
    'Capacity'
    """

    amount: Mapping[str, Mapping[int, float] | float] | float
    _: KW_ONLY
    by: str | None = "adm1"
    of: str = "team_months"
    where: Where | None = None
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse amounts that are none, and regions without a column."""
        regions = self.amount.values() if isinstance(self.amount, Mapping) else [self.amount]
        flat = [a for r in regions for a in (r.values() if isinstance(r, Mapping) else [r])]
        if not all(isinstance(a, (int, float, np.number)) and a >= 0 and math.isfinite(a) for a in flat):
            raise DataError(f"{self.title}: amounts must be numbers of 0 or more, not {self.amount!r}")
        if self.by is None and isinstance(self.amount, Mapping) and set(self.amount) != {""}:
            raise DataError(f"{self.title}: amounts by region need by=, the column that names the region")

    def fitted(self, listing: Listing, rules: tuple[Rule, ...]) -> tuple["Capacity", list[Note]]:  # noqa: ARG002 - as in Rule
        """Name every region and year of the options."""
        years = [int(y) for y in listing.years]
        if self.by is None:
            return replace(self, amount={"": dict.fromkeys(years, float(self.amount))}), []  # type: ignore[arg-type]
        if self.by not in listing.frame:
            told = listed(listing.frame.columns)
            raise DataError(f"{self.title}: no column {self.by!r}; the options have {told}")
        regions = sorted(listing.frame[self.by].dropna().unique().tolist(), key=str)
        given = self.amount if isinstance(self.amount, Mapping) else dict.fromkeys(regions, self.amount)
        absent = [r for r in given if r not in regions]
        if absent:
            raise DataError(
                f"{self.title}: no option has {self.by} {absent[0]!r}; known are {listed(regions[:20])}"
            )
        without = [r for r in regions if r not in given]
        text = f"{self.title} names no teams for {listed(without[:10])}: no work is planned there"
        notes = [Note("plan", "assumed", text, len(without))] if without else []
        notes += _unnamed(listing.frame[self.by], self.title)
        amount = {}
        for region in regions:
            own = given.get(region, 0.0)
            amount[region] = {y: float(own.get(y, 0.0) if isinstance(own, Mapping) else own) for y in years}
        return replace(self, amount=amount), notes

    def compiled(self, listing: Listing, number: int) -> Compiled:
        """One row per region and year."""
        held = matching(listing.frame, self.where, self.title)
        amount: dict[str, dict[int, float]] = self.amount  # type: ignore[assignment]
        years = listing.years
        region = np.zeros(len(held), np.int64)
        if self.by is not None:
            region = pd.Index(list(amount)).get_indexer(pd.Index(listing.frame[self.by].astype(object)))
        key = np.where(held & (region >= 0), region * len(years) + np.searchsorted(years, listing.year), -1)
        limits = np.array([a for by_year in amount.values() for a in by_year.values()])
        family = Family(
            rule=number,
            labels=tuple(
                " ".join(filter(None, (self.title, r, str(y)))) for r, ys in amount.items() for y in ys
            ),
            key=key,
            coef=listing.numbers(self.of, self.title),
            pattern=sparse.csr_array(sparse.identity(len(limits))),
            lower=np.full(len(limits), -np.inf),
            upper=limits,
            column=self.of,
        )
        return Compiled(families=(family,))

    def faults(self, chosen: pd.DataFrame, options: pd.DataFrame) -> list[str]:  # noqa: ARG002 - as in Rule
        """Add up the work of each region and year."""
        rows = rows_where(chosen, self.where)
        found = []
        for region, by_year in self.amount.items() if isinstance(self.amount, Mapping) else ():
            own = rows if self.by is None else rows[rows[self.by] == region]
            for year, limit in by_year.items() if isinstance(by_year, Mapping) else ():
                used = own.loc[own["year"] == year, self.of] if "year" in own else own[self.of]
                if exceeds(used, limit):
                    found.append(f"{self.title} {region} {year}: {total(used):,.2f} of {limit:,.2f}")
        return found


def total(amounts: Iterable[float]) -> float:
    """Add up without rounding errors."""
    return math.fsum(amounts)


def exceeds(amounts: pd.Series, limit: float) -> bool:
    """Say whether amounts add up to more than a limit: to the cent where they are money."""
    if str(amounts.name).endswith("_usd"):
        return sum(round(100 * a) for a in amounts) > round(100 * limit + 1e-4)
    return total(amounts) > limit + 1e-9 * max(abs(limit), 1.0)


def rows_where(table: pd.DataFrame, where: Any) -> pd.DataFrame:
    """Keep the rows with the values that `where` names; nothing of the model's own `matching`."""
    for column, wanted in (where or {}).items():
        table = table[table[column].isin([wanted] if np.isscalar(wanted) else list(wanted))]
    return table


def listed(items: Iterable[Any]) -> str:
    """Write items one after the other."""
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
                f"{self.title}: no column {self.column!r}; the options have {listed(listing.frame.columns)}"
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
                f"{self.title}: no option has {self.column} {absent[0]!r}; known are {listed(regions[:20])}"
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
        rows = rows_where(chosen, self.where)
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
