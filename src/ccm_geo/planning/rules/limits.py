"""What a plan must keep within: money by year, teams by region.

Each rule is a value. It knows how to lay itself over the options as rows (`compiled`) and, apart from
that, how to test a finished plan with plain sums (`faults`).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from ccm_geo.errors import DataError
from ccm_geo.planning.listing import Floats, Listing, Mask, Where, matching
from ccm_geo.planning.model import Compiled, Family
from ccm_geo.schemas import Note

from ._given import (
    by_year,
    is_amount,
    require_column,
    require_flag,
    require_where,
    require_years_there,
    said,
)

_HALF_A_CENT = 0.005  # USD; what is planned comes within a tenth of a cent of a limit, at most
_FEW = 6  # regions that one line can hold
GIVEN = 1e-6  # a knob turned by less than this is not turned


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

    def kept(self, chosen: pd.DataFrame, options: pd.DataFrame) -> str:  # noqa: ARG002 - limits tell it by their prices
        """Say how chosen rows keep the rule, where it has no limit that could tell; nothing of `compiled`."""
        return ""

    @property
    def spoken(self) -> str:
        """Its name with its numbers, for the list of rules in conflict."""
        return self.title

    def spendable(self, of: str) -> float:  # noqa: ARG002 - most rules limit nothing in all
        """Return the most of a column that any plan under this rule can use in all."""
        return math.inf

    def knobs(self, families: Sequence[Family], listing: Listing) -> sparse.csr_array:  # noqa: ARG002 - some look at the options
        """Say what could be loosened: a column for each knob, what one unit of it gives each row."""
        return sparse.csr_array(sparse.identity(sum(len(f.labels) for f in families)))

    def cure(self, families: Sequence[Family], given: Floats, taken: Mask) -> str:  # noqa: ARG002 - shares look at the plan
        """Say how far each knob must be turned; `given` holds the units, `taken` the plan that needs them."""
        labels = [label for f in families for label in f.labels]
        return joined(
            f"{label} loosened by {g:g}" for label, g in zip(labels, given, strict=True) if g > GIVEN
        )

    def knowing(self, families: Sequence[Family]) -> "Rule":  # noqa: ARG002 - most rules lay out all rows
        """Return the rule with the rows remembered that came to light while planning."""
        return self

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
        if not amounts or not all(map(is_amount, amounts)):
            raise DataError(f"{self.title}: amounts must be numbers of 0 or more, not {self.amount!r}")
        require_column(self.of, self.title, "of")
        require_where(self.where, self.title)
        require_flag(self.carry_over, self.title, "carry_over")
        if isinstance(self.amount, Mapping):
            object.__setattr__(self, "amount", by_year(self.amount, self.title))

    def fitted(self, listing: Listing, rules: tuple[Rule, ...]) -> tuple["Budget", list[Note]]:  # noqa: ARG002 - as in Rule
        """Name every year of the options."""
        if not isinstance(self.amount, Mapping):
            return self, []
        if "year" not in listing.frame:
            raise DataError(
                f"{self.title}: it goes by year but the options have no column 'year'; give one amount"
            )
        years = [int(y) for y in listing.years]
        require_years_there(self.amount, years, self.title, dated=True)
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
            labels = tuple(f"{self.title} {'up to ' if self.carry_over else ''}{y}" for y in self.amount)
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

    @property
    def spoken(self) -> str:
        """Its name with its money."""
        given = self.amount
        by_year = (
            joined((f"{y}: {a:,.2f}" for y, a in given.items()), ", ") if isinstance(given, Mapping) else ""
        )
        return f"{self.title} ({by_year or f'{given:,.2f}'})"

    def spendable(self, of: str) -> float:
        """Add up the money, where it is the only money there is."""
        if of != self.of or self.where is not None:
            return math.inf
        return total(self.amount.values()) if isinstance(self.amount, Mapping) else float(self.amount)

    def knobs(self, families: Sequence[Family], listing: Listing) -> sparse.csr_array:  # noqa: ARG002 - some look at the options
        """One knob a year; with carry-over its money helps all later years too."""
        return sparse.csr_array(families[0].pattern.T)

    def cure(self, families: Sequence[Family], given: Floats, taken: Mask) -> str:  # noqa: ARG002 - as in Rule
        """Name the amounts that would do."""
        now = list(self.amount.values()) if isinstance(self.amount, Mapping) else [self.amount]
        return joined(
            f"{label} of {np.ceil(100 * (a + g) - 1e-4) / 100:,.2f} in place of {a:,.2f}"
            for label, a, g in zip(families[0].labels, now, given, strict=True)
            if g > GIVEN
        )

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
        Team-months of work that can be done in a year: by region, or one number for every region; for
        each year, or by year: ``{"P01": {2027: 24}}``. With `season` it is team-months under contract
        (teams times 12), of which the season's share can be worked. A region that is not named has no
        teams; a year that is not named has none either.
    by
        Column of the options that names the region; None for teams that work everywhere, whose
        amount is a number or goes by year.
    of
        Column of the options that is used up, here team-months.
    where
        Only options with these values count, for example ``{"activity": ["clearance", "bac"]}``. Of these,
        the ones that name no region have no teams either; a note names their hazards.
    season
        Months of 12 in which work is possible: by region, or one number. Every region with teams must
        be named; None: `amount` is what can be worked, whatever the season.
    name
        What to call it.

    Notes
    -----
    The limit of a region and year is amount * season / 12.

    Examples
    --------
    >>> Capacity({"P01": 24, "P02": 12}, season={"P01": 8, "P02": 12}).limit("P01", 24)
    16.0
    """

    amount: Mapping[Any, Mapping[int, float] | float] | float
    _: KW_ONLY
    by: str | None = "adm1"
    of: str = "team_months"
    where: Where | None = None
    season: Mapping[str, float] | float | None = None
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse amounts that are none, regions without a column, and seasons longer than a year."""
        regions = self.amount.values() if isinstance(self.amount, Mapping) else [self.amount]
        flat = [a for r in regions for a in (r.values() if isinstance(r, Mapping) else [r])]
        if not all(map(is_amount, flat)):
            raise DataError(f"{self.title}: amounts must be numbers of 0 or more, not {self.amount!r}")
        require_column(self.of, self.title, "of")
        require_where(self.where, self.title)
        if self.by is not None:
            require_column(self.by, self.title, "by")
        whole = isinstance(self.amount, Mapping) and set(self.amount) != {""}
        if self.by is None and whole and any(isinstance(y, str) and not y.isdecimal() for y in self.amount):  # type: ignore[union-attr]
            raise DataError(f"{self.title}: amounts by region need by=, the column that names the region")
        months = self.season.values() if isinstance(self.season, Mapping) else [self.season]
        if self.season is not None and not all(is_amount(m) and 0 < m <= 12 for m in months):  # type: ignore[operator]
            raise DataError(
                f"{self.title}: a season has more than 0 and at most 12 months, not {self.season!r}"
            )
        if self.by is None and isinstance(self.season, Mapping):
            raise DataError(f"{self.title}: seasons by region need by=, the column that names the region")
        if isinstance(self.amount, Mapping):
            object.__setattr__(self, "amount", self._dated(self.amount, whole=whole))

    def _dated(self, amount: Mapping[Any, Any], *, whole: bool) -> dict[Any, Any]:
        """Turn the names of years into years: the keys themselves, or those of each region."""
        if self.by is None and whole:
            return by_year(amount, self.title)
        return {
            r: by_year(a, f"{self.title} {r}".strip()) if isinstance(a, Mapping) else a
            for r, a in amount.items()
        }

    @property
    def spoken(self) -> str:
        """Its name with its teams, where they are few."""
        given = self.amount
        if not isinstance(given, Mapping):
            return f"{self.title} ({given:,g} a year)"
        few = len(given) <= _FEW
        return f"{self.title} ({listed(f'{r}: {a}' for r, a in given.items())})" if few else self.title

    def limit(self, region: str, amount: float) -> float:
        """Return what can be worked of an amount in the season of a region."""
        months = self.season.get(region, 12.0) if isinstance(self.season, Mapping) else self.season
        return float(amount) if months is None else amount * months / 12

    def fitted(self, listing: Listing, rules: tuple[Rule, ...]) -> tuple["Capacity", list[Note]]:  # noqa: ARG002 - as in Rule
        """Name every region and year of the options."""
        years = [int(y) for y in listing.years]
        if self.by is None:
            own = self.amount.get("", self.amount) if isinstance(self.amount, Mapping) else self.amount
            self._require_years({"": own}, listing)
            return replace(self, amount={"": _each_year(own, years)}), []
        if self.by not in listing.frame:
            told = listed(listing.frame.columns)
            raise DataError(f"{self.title}: no column {self.by!r}; the options have {told}")
        regions = sorted(listing.frame[self.by].dropna().unique().tolist(), key=str)
        given = self.amount if isinstance(self.amount, Mapping) else dict.fromkeys(regions, self.amount)
        for named in (given, self.season if isinstance(self.season, Mapping) else {}):
            absent = [r for r in named if r not in regions]
            if absent:
                raise DataError(
                    f"{self.title}: no option has {self.by} {absent[0]!r}; known are {listed(regions[:20])}"
                )
        if isinstance(self.season, Mapping) and (open_ := [r for r in given if r not in self.season]):
            raise DataError(
                f"{self.title}: season= names no months for {listed(open_[:10])}; 12 for all year"
            )
        self._require_years(given, listing)
        without = [r for r in regions if r not in given]
        kind = f"work with {said(self.where)}" if self.where else "work"
        text = f"{self.title} names no teams for {listed(without[:10])}: no {kind} is planned there"
        notes = [Note("plan", "assumed", text, len(without))] if without else []
        notes += self._nowhere(listing)
        return replace(self, amount={r: _each_year(given.get(r, 0.0), years) for r in regions}), notes

    def _homeless(self, listing: Listing) -> Mask:
        """Say which options take work but name no region, so that no region's teams can do it."""
        if self.by is None or not (blank := listing.frame[self.by].isna().to_numpy()).any():
            return np.zeros(len(listing.frame), bool)
        held = matching(listing.frame, self.where, self.title)
        out: Mask = held & blank & (listing.numbers(self.of, self.title) > 0)
        return out

    def _nowhere(self, listing: Listing) -> list[Note]:
        which = self._homeless(listing)
        if not which.any():
            return []
        ids = [str(listing.hazard_ids[h]) for h in np.unique(listing.hazard[which])]
        text = (
            f"{self.title}: {int(which.sum()):,} options name no {self.by}, so no region's teams do them and "
            f"they cannot be planned; fill in {self.by} of {listed(ids[:5])}"
            f"{' and others' if len(ids) > 5 else ''}"
        )
        return [Note("plan", "unknown", text, int(which.sum()), tuple(ids[:50]))]

    def _require_years(self, given: Mapping[Any, Any], listing: Listing) -> None:
        for region, amount in given.items():
            named = amount if isinstance(amount, Mapping) else ()
            asker = f"{self.title} {region}".strip()
            require_years_there(named, listing.years.tolist(), asker, dated="year" in listing.frame)

    def compiled(self, listing: Listing, number: int) -> Compiled:
        """One row per region and year."""
        held = matching(listing.frame, self.where, self.title)
        amount: dict[str, dict[int, float]] = self.amount  # type: ignore[assignment]
        years = listing.years
        region = np.zeros(len(held), np.int64)
        if self.by is not None:
            region = pd.Index(list(amount)).get_indexer(pd.Index(listing.frame[self.by].astype(object)))
        limits = [self.limit(r, a) for r, each in amount.items() for a in each.values()]
        labels = [
            " ".join(filter(None, (self.title, str(r), _said_year(y))))
            for r, ys in amount.items()
            for y in ys
        ]
        if (homeless := self._homeless(listing)).any():  # rows of a region that has no teams
            region = np.where(homeless, len(amount), region)
            limits += [0.0] * len(years)
            labels += [f"{self.title} without {self.by} {_said_year(y)}".strip() for y in years.tolist()]
        key = np.where(held & (region >= 0), region * len(years) + np.searchsorted(years, listing.year), -1)
        family = Family(
            rule=number,
            labels=tuple(labels),
            key=key,
            coef=listing.numbers(self.of, self.title),
            pattern=sparse.csr_array(sparse.identity(len(limits))),
            lower=np.full(len(limits), -np.inf),
            upper=np.array(limits),
            column=self.of,
        )
        return Compiled(families=(family,))

    def cure(self, families: Sequence[Family], given: Floats, taken: Mask) -> str:  # noqa: ARG002 - as in Rule
        """Name the work that teams would have to be able to do."""
        family, unit = families[0], self.of.replace("team_months", "team-months")
        season = " worked in season" if self.season is not None else ""
        return joined(
            f"{label} of {math.ceil(100 * (u + g) - 1e-4) / 100:,g} {unit}{season} in place of {u:,g}"
            for label, u, g in zip(family.labels, family.upper, given, strict=True)
            if g > GIVEN
        )

    def faults(self, chosen: pd.DataFrame, options: pd.DataFrame) -> list[str]:  # noqa: ARG002 - as in Rule
        """Add up the work of each region and year."""
        rows = rows_where(chosen, self.where)
        found = []
        for region, each in self.amount.items() if isinstance(self.amount, Mapping) else ():
            own = rows if self.by is None else rows[rows[self.by] == region]
            months = self.season.get(region, 12) if isinstance(self.season, Mapping) else self.season
            for year, amount in each.items() if isinstance(each, Mapping) else ():
                limit = amount if months is None else amount * months / 12
                used = own.loc[own["year"] == year, self.of] if "year" in own else own[self.of]
                if exceeds(used, limit):
                    place = " ".join(filter(None, (self.title, str(region), _said_year(year))))
                    found.append(f"{place}: {total(used):,.2f} of {limit:,.2f}")
        nowhere = rows.loc[rows[self.by].isna(), self.of] if self.by is not None else rows[self.of].iloc[:0]
        if exceeds(nowhere, 0.0):
            found.append(f"{self.title}: {total(nowhere):,.2f} where no {self.by} is named")
        return found


def _said_year(year: int) -> str:
    """Write a year; options without years stand in year 0, which nobody named."""
    return str(year) if year else ""


def _each_year(amount: Any, years: Sequence[int]) -> dict[int, float]:
    return {y: float(amount.get(y, 0.0) if isinstance(amount, Mapping) else amount) for y in years}


def total(amounts: Iterable[float]) -> float:
    """Add up without rounding errors."""
    return math.fsum(amounts)


def exceeds(amounts: pd.Series, limit: float) -> bool:
    """Say whether amounts add up to more than a limit; of money, half a cent in all is rounding."""
    slack = _HALF_A_CENT if str(amounts.name).endswith("_usd") else 1e-9 * max(abs(limit), 1.0)
    return total(amounts) > limit + slack


def rows_where(table: pd.DataFrame, where: Any) -> pd.DataFrame:
    """Keep the rows with the values that `where` names; nothing of the model's own `matching`."""
    for column, wanted in (where or {}).items():
        table = table[table[column].isin([wanted] if np.isscalar(wanted) else list(wanted))]
    return table


def listed(items: Iterable[Any]) -> str:
    """Write items one after the other."""
    return joined(items, ", ")


def joined(items: Iterable[Any], between: str = " and ") -> str:
    """Write items with a word between them."""
    return between.join(map(str, items))


def unnamed(column: pd.Series, title: str) -> list[Note]:
    """Count the rows that name no value."""
    count = int(column.isna().sum())
    text = f"{title}: {count:,} options name no {column.name}; they count in the total only"
    return [Note("plan", "unknown", text, count)] if count else []
