"""A fair share for everyone: floors and ceilings by region or group, in money, area or people."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from ccm_geo.errors import DataError, PlanError
from ccm_geo.planning.engine.arcs import Arcs
from ccm_geo.planning.engine.prices import Rows, lowest_bound, richest_use
from ccm_geo.planning.listing import Floats, Listing, Mask, Where, leads_on, matching
from ccm_geo.planning.model import Compiled, Family, build
from ccm_geo.schemas import Note

from ._given import is_share, require_column, require_where
from .donors import Donors
from .limits import GIVEN, Budget, Capacity, Rule, joined, listed, rows_where, total, unnamed

_ROUNDING = 1e-9  # of sums of shares
LAND_RELEASED = ("cancelled_m2", "reduced_m2", "cleared_m2")


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
        What is shared out: ``cost_usd``, the money; ``area``, land released (cancelled, reduced and
        cleared, every square metre once); ``people`` within reach of hazards released, each hazard once,
        in the year of its last step; or any other column, added up over the options chosen.
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
            raise DataError("Share: give at_least= or at_most=, a share from 0 to 1")
        require_column(self.column, "Share", "column")
        require_column(self.of, self.title, "of")
        require_where(self.where, self.title)
        for word in ("at_least", "at_most"):
            given = getattr(self, word)
            shares = given.values() if isinstance(given, Mapping) else [0.0 if given is None else given]
            if not all(map(is_share, shares)):
                raise DataError(f"{self.title}: shares go from 0 to 1; {word} is {given!r}")

    @property
    def title(self) -> str:
        """Its name in messages and tables."""
        return self.name or f"Share of {self.column}"

    @property
    def spoken(self) -> str:
        """Its name with its shares."""
        parts = []
        for word, given in (("at_least", self.at_least), ("at_most", self.at_most)):
            if isinstance(given, Mapping):
                parts += [f"{word} {r}: {s:g}" for r, s in given.items()]
            elif given is not None:
                parts.append(f"{word} {given:g} each")
        return f"{self.title} ({listed(parts)})"

    def fitted(self, listing: Listing, rules: tuple[Rule, ...]) -> tuple["Share", list[Note]]:
        """Spell the shares out by region; hold no region to more than it could use."""
        if self.column not in listing.frame:
            raise DataError(
                f"{self.title}: no column {self.column!r}; the options have {listed(listing.frame.columns)}"
            )
        regions = sorted(listing.frame[self.column].dropna().unique().tolist(), key=str)
        floors, ceilings = (self._by_region(given, regions) for given in (self.at_least, self.at_most))
        asked = math.fsum(floors.values())
        if asked > 1 + _ROUNDING:
            raise PlanError(
                f"{self.title}: floors for {len(floors)} values of {self.column} add up to {asked:.0%}",
                conflict=[f"{self.title}: {asked:.0%} of one total"],
                cures=[f"at_least={math.floor(1e4 / len(floors)) / 1e4:g} for each, or fewer of them"],
            )
        self._require_room(floors, ceilings, listing)
        notes = [*unnamed(listing.frame[self.column], self.title), *self._counted_often(listing)]
        floors, said = self._usable(floors, listing, rules)
        return replace(self, at_least=floors or None, at_most=ceilings or None), [*notes, *said]

    def _require_room(self, floors: dict[str, float], ceilings: dict[str, float], listing: Listing) -> None:
        """Refuse ceilings that only a plan without any of it keeps."""
        crossed = [r for r, s in floors.items() if s > ceilings.get(r, 1.0) + _ROUNDING]
        if crossed:
            first = crossed[0]
            told = f"{first} is to get at least {floors[first]:.4g} and at most {ceilings[first]:.4g}"
            raise PlanError(
                f"{self.title}: {told} of the same total",
                conflict=[f"{self.title}: {told}"],
                cures=[f"at_most of {floors[first]:.4g} or more for {first}", f"a lower floor for {first}"],
            )
        held = matching(listing.frame, self.where, self.title)
        used = listing.frame.loc[held & (amounts_of(listing, self.of, self.title) > 0), self.column]
        regions = used.dropna().unique().tolist()
        whole = math.fsum(ceilings.get(r, 1.0) for r in regions)
        if regions and not used.isna().any() and whole < 1 - _ROUNDING:
            each = math.ceil(1e4 / len(regions)) / 1e4
            raise PlanError(
                f"{self.title}: ceilings for all {len(regions)} values of {self.column} add up to {whole:.0%}"
                "; nothing can be shared out so",
                conflict=[f"{self.title}: {whole:.0%} of one total"],
                cures=[f"at_most={each:g} or more for each", "no ceiling for one of them"],
            )

    def _counted_often(self, listing: Listing) -> list[Note]:
        """Say where a column counts the same land at every step that works on it."""
        if self.of not in ("area_m2", "left_m2") or "state_from" not in listing.frame:
            return []
        text = (
            f"{self.title}: {self.of} counts land again at every step; of='area' counts land released, once"
        )
        return [Note("plan", "advice", text)]

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
        own_amount = amounts_of(listing, self.of, self.title)
        amount = np.where(matching(listing.frame, self.where, self.title), own_amount, 0.0)
        use = richest_use(listing, amount, own_amount)
        codes, regions = pd.factorize(listing.frame[self.column])
        own = codes[listing.first[:-1]]
        if (codes != own[listing.hazard]).any():
            return floors, []  # not a column of hazards (activity, year): what it could use is not known
        most = dict(
            zip(regions, np.bincount(own + 1, weights=use, minlength=len(regions) + 1)[1:], strict=True)
        )
        whole = min([float(use.sum()), *(rule.spendable(self.of) for rule in rules)])
        if self.of != "cost_usd" and any(s * whole > most.get(r, 0.0) for r, s in floors.items()):
            whole = min(whole, _most_within_means(listing, amount, rules))
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
        coef = amounts_of(listing, self.of, self.title)
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
                    labels=tuple(
                        f"{self.title} {r}{'' if floor or not self.at_least else ', ceiling'}" for r in given
                    ),
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

    def cure(self, families: Sequence[Family], given: Floats, taken: Mask) -> str:
        """Name the shares that would do in the plan that needs them."""
        lines, at = [], 0
        for family in families:
            whole = float(family.coef[taken & (family.key >= 0)].sum())
            for label, share in zip(family.labels, family.shares, strict=True):  # type: ignore[arg-type]
                floor, more, at = bool(np.isinf(family.upper[0])), given[at], at + 1
                if more > GIVEN and whole > 0:
                    then = share - more / whole if floor else share + more / whole
                    word = "at_least" if floor else "at_most"
                    lines.append(f"{label} with {word} {max(then, 0):.4g} in place of {share:.4g}")
        return joined(lines)

    def faults(self, chosen: pd.DataFrame, options: pd.DataFrame) -> list[str]:
        """Add up each region and hold it against its share of the total."""
        rows = rows_where(chosen, self.where)
        amounts = brought(rows, options, self.of)
        whole = total(amounts)
        slack = 1e-7 * max(whole, 1e-9)
        found = []
        for given, floor in ((self.at_least, True), (self.at_most, False)):
            for region, share in given.items() if isinstance(given, Mapping) else ():
                got = total(amounts[rows[self.column] == region])
                if (got < share * whole - slack) if floor else (got > share * whole + slack):
                    word = "at least" if floor else "at most"
                    found.append(
                        f"{self.title}: {region} gets {got:,.2f} of {whole:,.2f}, not {word} {share:.2%}"
                    )
        return found


def _most_within_means(listing: Listing, amount: Floats, rules: tuple[Rule, ...]) -> float:
    """Bound what a plan can bring of an amount that is not money, with the money and teams there are."""
    means = [rule for rule in rules if isinstance(rule, (Budget, Capacity, Donors))]
    model = build(replace(listing, benefit=amount), means)
    return lowest_bound(Arcs.of(model), Rows.of(model), most_tries=40, seconds=5).bound


def amounts_of(listing: Listing, of: str, asker: str) -> Floats:
    """Return what each option brings of a column; of ``area`` and ``people`` everything counts once.

    ``area`` (where there is no such column) is land released: cancelled, reduced and cleared. ``people``
    count with the step that brings a hazard to its last state, not again with every step before it.
    """
    if of == "area" and of not in listing.frame:
        return np.sum([listing.numbers(part, asker) for part in LAND_RELEASED], axis=0)
    amounts = listing.numbers(of, asker)
    return np.where(closing_steps(listing), amounts, 0.0) if of == "people" else amounts


def closing_steps(listing: Listing) -> Mask:
    """Say which options bring their hazard to a state from which nothing leads on."""
    closing: Mask = (listing.src != listing.dst) & ~leads_on(listing)
    return closing


def brought(chosen: pd.DataFrame, options: pd.DataFrame, of: str) -> pd.Series:
    """Say the same of chosen rows, with plain look-ups."""
    if of == "area" and of not in chosen:
        return chosen[list(LAND_RELEASED)].sum(axis=1)
    return chosen[of].where(closes(chosen, options), 0) if of == "people" else chosen[of]


def closes(chosen: pd.DataFrame, options: pd.DataFrame) -> Any:
    """Say which chosen rows are the last step that their hazard can take."""
    if "state_from" not in chosen:
        return np.ones(len(chosen), bool)
    whose = "hazard_id" if "hazard_id" in chosen else "option_id"
    count = len(chosen)
    hazard, _ = pd.factorize(pd.concat([chosen[whose].astype(object), options[whose].astype(object)]))
    ends = [pd.concat([chosen[c], options[c]]).astype("category") for c in ("state_from", "state_to")]
    states = {str(s): i for i, s in enumerate(dict.fromkeys(s for e in ends for s in e.cat.categories))}
    before, after = (np.array([*(states[str(s)] for s in e.cat.categories), -1])[e.cat.codes] for e in ends)
    moves = before != after
    onward = (hazard * len(states) + before)[count:][moves[count:]]
    reached = (hazard * len(states) + after)[:count]
    return np.asarray(moves[:count] & ~np.isin(reached, onward), dtype=bool)
