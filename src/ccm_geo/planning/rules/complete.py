"""What a community, a road or a municipality brings once its last hazard is dealt with."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace

import numpy as np
import pandas as pd

from ccm_geo.errors import DataError
from ccm_geo.planning.listing import Ints, Listing, last_states
from ccm_geo.planning.model import Compiled, Completion
from ccm_geo.schemas import Note

from ._given import by_year, is_amount, is_share, require_column
from .limits import Rule, listed
from .shares import closes


@dataclass(frozen=True)
class Complete(Rule):
    """A community, road or municipality brings a bonus when its last hazard is dealt with.

    Dealt with means brought to its last state (released). Hazards that are not among the options, because
    they are closed or because no harm is expected there, do not count.

    Parameters
    ----------
    column
        Column of the options that names the community, road or municipality; see ``keep=`` of
        `list_options`. Hazards without a name in it belong to none.
    bonus
        What completing one is worth, in the unit of the benefit (accidents averted): one number, or by
        name; names left out bring nothing. There is no default: no source puts a number to it.
    by_year
        Share of the bonus that is left if the last hazard is done in that year, for example
        ``{2027: 1, 2028: 0.8}``; it must not rise. By default all of it in every year.
    name
        What to call it.

    Notes
    -----
    Gains follow complete, not partial clearance: in Colombia the economy grew after full humanitarian
    clearance of a municipality and not after partial clearance (see *References*).

    References
    ----------
    CEPR Discussion Paper 18975.

    Examples
    --------
    >>> Complete("community", bonus=0.2).title
    'Complete community'
    """

    column: str
    _: KW_ONLY
    bonus: Mapping[str, float] | float
    by_year: Mapping[int, float] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse bonuses that are none, and shares that rise."""
        require_column(self.column, "Complete", "column")
        given = self.bonus.values() if isinstance(self.bonus, Mapping) else [self.bonus]
        if not all(map(is_amount, given)):
            raise DataError(f"{self.title}: bonus must be numbers of 0 or more, not {self.bonus!r}")
        if self.by_year is None:
            return
        told = "by_year holds shares from 0 to 1 by calendar year"
        if not isinstance(self.by_year, Mapping) or not all(map(is_share, self.by_year.values())):
            cure = "for example {2027: 1, 2028: 0.8}"
            raise DataError(f"{self.title}: {told}, {cure}, not {self.by_year!r}")
        object.__setattr__(self, "by_year", by_year(self.by_year, self.title))
        shares = list(self.by_year.values())
        if sorted(shares, reverse=True) != shares:
            raise DataError(f"{self.title}: {told} that do not rise, not {shares}")

    @property
    def title(self) -> str:
        """Its name in messages and tables."""
        return self.name or f"Complete {self.column}"

    def fitted(self, listing: Listing, rules: tuple[Rule, ...]) -> tuple["Complete", list[Note]]:  # noqa: ARG002 - as in Rule
        """Spell the bonus out by name and the shares by year; say which groups cannot be completed."""
        group, names = self._groups(listing)
        given = self.bonus if isinstance(self.bonus, Mapping) else dict.fromkeys(names, self.bonus)
        absent = [n for n in given if n not in set(names)]
        if absent:
            told = f"no option has {self.column} {absent[0]!r}; known are {listed(names[:20])}"
            raise DataError(f"{self.title}: {told}")
        years = [int(y) for y in listing.years]
        silent = [y for y in years if self.by_year is not None and y not in self.by_year]
        if silent:
            raise DataError(f"{self.title}: by_year names no share for {listed(silent)}")
        ends = last_states(listing)
        loops = listing.src == listing.dst
        stays = loops & ((ends[listing.hazard] >> listing.src.astype(np.uint64)) & np.uint64(1) == 1)
        if stays.any():
            option = listing.frame["option_id"].iloc[int(stays.argmax())]
            raise DataError(f"{self.title}: option {option!r} follows the last state of its hazard; drop it")
        never = np.unique(group[(group >= 0) & (ends == 0)])
        notes = []
        if len(never):
            text = f"{self.title}: {len(never):,} hold a hazard that no option can release; never complete"
            notes.append(Note("plan", "advice", text, len(never), tuple(str(names[g]) for g in never[:50])))
        shares = {y: 1.0 if self.by_year is None else float(self.by_year[y]) for y in years}
        bonus = {n: float(given.get(n, 0.0)) for n in names}
        return replace(self, bonus=bonus, by_year=shares), notes

    def _groups(self, listing: Listing) -> tuple[Ints, list[str]]:
        """Group of each hazard, -1 for none, and the groups' names."""
        if self.column not in listing.frame:
            told = f"the options have {listed(listing.frame.columns)}; see keep= of list_options"
            raise DataError(f"{self.title}: no column {self.column!r}; {told}")
        codes, names = pd.factorize(listing.frame[self.column])
        group = codes[listing.first[:-1]].astype(np.int64)
        mixed = codes != group[listing.hazard]
        if mixed.any():
            hazard = listing.hazard_ids[listing.hazard[int(mixed.argmax())]]
            raise DataError(f"{self.title}: options of hazard {hazard!r} differ in {self.column!r}")
        return group, list(names)

    def compiled(self, listing: Listing, number: int) -> Compiled:
        """One completion."""
        group, names = self._groups(listing)
        first = int(listing.year.min())
        share = np.zeros(int(listing.year.max()) - first + 1)
        for year, value in (self.by_year or {}).items():
            share[year - first] = value
        share = np.maximum.accumulate(share[::-1])[::-1]  # a year without options counts like the next one
        amount = np.array([self.bonus[n] for n in names]) if isinstance(self.bonus, Mapping) else np.zeros(0)
        worth = amount[:, None] * share
        labels = tuple(f"{self.title}: {n}" for n in names)
        return Compiled(completions=(Completion(rule=number, labels=labels, group=group, worth=worth),))

    def faults(self, chosen: pd.DataFrame, options: pd.DataFrame) -> list[str]:  # noqa: ARG002 - as in Rule
        """Nothing can break a bonus."""
        return []

    def bonuses(self, chosen: pd.DataFrame, options: pd.DataFrame) -> dict[str, float]:
        """Look for groups of which every hazard has reached its last state, and when."""
        needed = ("benefit", "cost_usd", "year", "hazard_id", "state_from", "state_to")
        options = options.dropna(subset=[self.column, *(c for c in needed if c in options)])
        hazard = "hazard_id" if "hazard_id" in options else "option_id"
        size = options.groupby(self.column, observed=True)[hazard].nunique()
        last = chosen[closes(chosen, options)]
        last = last.dropna(subset=[self.column])
        done = last.groupby(self.column, observed=True)[hazard].nunique()
        when = last.groupby(self.column, observed=True)["year"].max() if "year" in last else None
        gained = {}
        for group in done.index[done == size.reindex(done.index)]:
            share = 1.0 if when is None else (self.by_year or {}).get(int(when[group]), 1.0)
            amount = (self.bonus.get(group, 0.0) if isinstance(self.bonus, Mapping) else self.bonus) * share
            if amount > 0:
                gained[f"{group}" if when is None else f"{group} by {int(when[group])}"] = amount
        return gained
