"""Options and rules as arrays: what couples hazards, what a path must keep, what hazards bring together.

This module knows no solver. A rule turns into a `Compiled`: options ruled out, `Marks` that a hazard's own
path must keep, `Family` rows across hazards, and what several hazards bring together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from scipy import sparse

from ccm_geo.errors import PlanError
from ccm_geo.schemas import Note

from .listing import Floats, Ints, Listing, Mask

MOST_MARKS = 6


class Hidden(Protocol):
    """Rows of a family that are too many to lay out; some come to light once a plan breaks them.

    With some rows missing, what is proven of all plans (a bound, that there is none) holds all the more.
    """

    def opened(self, family: "Family", use: Floats) -> "Family | None":
        """Add rows that this use by key breaks; None where it breaks none, the same family if none is new."""

    def opened_nearly(self, family: "Family", use: Floats) -> "Family":
        """Add rows that this use by key nearly breaks."""

    def laid_like(self, family: "Family", other: "Hidden") -> "Family":
        """Add the rows that another one of the same rule has laid out."""

    def pay(self, use: Floats) -> bool:
        """Say whether this use by key breaks none of all rows."""

    def less(self, use: Floats, kept: Mask | None = None) -> "Hidden":
        """Take off what settled options use, by key; keep some of the rows that are laid out."""

    def eased(self, given: Floats) -> "Hidden":
        """Turn the knobs of the rule by so much."""

    @property
    def amounts(self) -> Floats:
        """Say at what the knobs of the rule stand."""

    @property
    def pipes(self) -> tuple[Mask, Floats, Floats]:
        """Say which pots pay which keys, shape ``(keys, pots)``; what is in pots; what keys have spent."""

    def sent(self, use: Floats) -> Floats:
        """Let what is used by key flow from pots, shape ``(keys, pots)``."""

    @property
    def complete(self) -> bool:
        """Whether all rows that can bind are laid out."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """Rows that one rule lays across hazards.

    Each option has at most one key and a coefficient; row r uses the sum over keys k of ``pattern[k, r]``
    times the coefficients of the chosen options of key k, and must lie between `lower` and `upper`.
    """

    rule: int
    labels: tuple[str, ...]
    key: Ints
    coef: Floats
    pattern: sparse.csr_array
    lower: Floats
    upper: Floats
    column: str = ""
    shares: Floats | None = None
    """Where rows hold a sum against a share of the total: the shares, shape ``(rows,)``."""
    hidden: Hidden | None = None
    """Rows that are not laid out; None: all are."""

    def by_key(self, chosen: Mask) -> Floats:
        """Add up each key for chosen options."""
        held = np.nonzero(chosen & (self.key >= 0))[0]
        use = np.bincount(self.key[held], weights=self.coef[held], minlength=self.pattern.shape[0])
        return use.astype(float)

    def use(self, chosen: Mask) -> Floats:
        """Add up each row for chosen options."""
        return np.asarray(self.pattern.T @ self.by_key(chosen))

    def opened(self, chosen: Mask) -> "Family | None":
        """Lay out rows that chosen options break unseen; None where they break none of these."""
        return None if self.hidden is None else self.hidden.opened(self, self.by_key(chosen))


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What a hazard's own path must have done: options that set the mark, options that ask for it.

    `must` names the hazards whose path must end with it.
    """

    rule: int
    sets: Mask
    asks: Mask
    must: Mask


@dataclass(frozen=True, kw_only=True)
class Completion:
    """What groups of hazards bring when the last one of each has reached its last state.

    Parameters
    ----------
    rule
        Place of the rule among the rules.
    labels
        Names of the groups.
    group
        Group of each hazard, -1 for none, shape ``(hazards,)``.
    worth
        What a group brings if its last hazard is done in that year, shape ``(groups, years)``; 0 or more
        and never more in a later year. Years run from the first to the last one of the listing.
    """

    rule: int
    labels: tuple[str, ...]
    group: Ints
    worth: Floats

    def brought(self, done: Ints) -> Floats:
        """Say what each group brings, given the year (from 0) in which each hazard is done; beyond: never."""
        held = self.group >= 0
        last = np.zeros(len(self.labels), np.int64)
        np.maximum.at(last, self.group[held], done[held])
        padded = np.column_stack([self.worth, np.zeros(len(self.labels))])
        gained: Floats = padded[np.arange(len(last)), np.minimum(last, self.worth.shape[1])]
        return gained


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """What two hazards bring in each year in which both are worked on.

    Parameters
    ----------
    rule
        Place of the rule among the rules.
    ends
        The two hazards of each pair, shape ``(pairs, 2)``.
    worth
        What each pair brings, 0 or more, shape ``(pairs,)``.
    works
        Options that count as work, shape ``(options,)``.
    """

    rule: int
    ends: Ints
    worth: Floats
    works: Mask


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """What a rule means for one listing."""

    families: tuple[Family, ...] = ()
    marks: tuple[Marks, ...] = ()
    forbidden: Mask | None = None
    completions: tuple[Completion, ...] = ()
    pairs: tuple[Pairs, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Model:
    """Listing and rules, ready for an engine."""

    listing: Listing
    rules: tuple[Any, ...]
    families: tuple[Family, ...]
    marks: tuple[Marks, ...]
    allowed: Mask
    notes: tuple[Note, ...] = ()
    completions: tuple[Completion, ...] = ()
    pairs: tuple[Pairs, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows couple hazards."""
        return sum(len(f.labels) for f in self.families)

    @property
    def hides(self) -> bool:
        """Whether there may be rows that are not laid out."""
        return any(f.hidden is not None and not f.hidden.complete for f in self.families)

    def opened(self, chosen: Mask) -> "Model | None":
        """Lay out rows that a plan breaks unseen; None where it breaks none of these.

        The model has as many rows as before where a plan breaks such rows by less than rounding.
        """
        wider = [f.opened(chosen) for f in self.families] if self.hides else []
        if all(f is None for f in wider):
            return None
        return self.relaid([new or old for new, old in zip(wider, self.families, strict=True)])

    def opened_nearly(self, chosen: Mask) -> "Model":
        """Lay out rows that a plan nearly breaks unseen."""
        wider = [
            f if f.hidden is None else f.hidden.opened_nearly(f, f.by_key(chosen)) for f in self.families
        ]
        return self.relaid(wider)

    def relaid(self, families: Sequence[Family]) -> "Model":
        """Take families with other rows laid out; the rules remember them."""
        rules = tuple(
            rule.knowing([f for f in families if f.rule == number]) for number, rule in enumerate(self.rules)
        )
        return replace(self, families=tuple(families), rules=rules)

    def by_family(self, prices: Floats) -> list[tuple[Family, Floats]]:
        """Give each family the prices of its own rows."""
        ends = np.cumsum([len(f.labels) for f in self.families])
        return list(zip(self.families, np.split(prices, ends)[:-1], strict=True)) if len(ends) else []

    def carried(self, prices: Floats, wider: "Model") -> Floats:
        """Give the rows that have come to light in a wider model a price of 0."""
        parts = [np.zeros(0)]
        for (old, own), new in zip(self.by_family(prices), wider.families, strict=True):
            parts += [own, np.zeros(len(new.labels) - len(old.labels))]
        return np.concatenate(parts)

    def own(self, prices: Floats, wider: "Model | None") -> Floats:
        """Keep the prices of rows that are laid out here, of those of a wider model."""
        if wider is None:
            return prices
        pairs = zip(self.families, wider.by_family(prices), strict=True)
        return np.concatenate([np.zeros(0), *(known[: len(old.labels)] for old, (_, known) in pairs)])


def build(listing: Listing, rules: Sequence[Any]) -> Model:
    """Lay the rules over the options.

    Raises
    ------
    DataError
        If a rule names something that the options do not have.
    PlanError
        If a rule cannot hold by itself.
    """
    notes = list(listing.notes)
    fitted = []
    for rule in rules:
        exact, said = rule.fitted(listing, tuple(rules))
        fitted.append(exact)
        notes += said
    parts = [rule.compiled(listing, number) for number, rule in enumerate(fitted)]
    allowed = np.ones(len(listing.frame), bool)
    for part in parts:
        if part.forbidden is not None:
            allowed &= ~part.forbidden
    model = Model(
        listing=listing,
        rules=tuple(fitted),
        families=tuple(f for part in parts for f in part.families if len(f.labels)),
        marks=tuple(m for part in parts for m in part.marks),
        allowed=allowed,
        notes=tuple(dict.fromkeys(notes)),
        completions=tuple(c for part in parts for c in part.completions),
        pairs=tuple(p for part in parts for p in part.pairs if len(p.worth)),
    )
    return _with_few_marks(model)


def _with_few_marks(model: Model) -> Model:
    """Turn end marks beyond what a path can carry into rows; refuse more asked-for marks than that."""
    listing = model.listing
    count = np.zeros(len(listing.hazard_ids), np.int64)
    kept, rows = [], []
    for mark in sorted(model.marks, key=lambda m: not m.asks.any()):
        over = mark.must & (count >= MOST_MARKS)
        if mark.asks.any() and (count[listing.hazard[mark.asks]] >= MOST_MARKS).any():
            raise PlanError(
                f"more than {MOST_MARKS} rules of the kind After(within='hazard_id') on one hazard"
            )
        if over.any():
            rows.append(_mark_rows(mark, over, listing))
        touched = mark.must & ~over
        touched[listing.hazard[mark.asks]] = True
        count += touched
        kept.append(replace(mark, must=mark.must & ~over, sets=mark.sets & touched[listing.hazard]))
    return replace(model, marks=tuple(kept), families=(*model.families, *rows))


def _mark_rows(mark: Marks, where: Mask, listing: Listing) -> Family:
    hazards = np.nonzero(where)[0]
    key = np.full(len(where), -1)
    key[hazards] = np.arange(len(hazards))
    return Family(
        rule=mark.rule,
        labels=tuple(f"hazard {listing.hazard_ids[h]}" for h in hazards),
        key=np.where(mark.sets, key[listing.hazard], -1),
        coef=np.ones(len(mark.sets)),
        pattern=sparse.csr_array(sparse.identity(len(hazards))),
        lower=np.ones(len(hazards)),
        upper=np.full(len(hazards), np.inf),
    )
