"""Options and rules as arrays: paths of hazards through states and years, and rows that couple them.

This module knows no solver. `Listing` is the table of options put in order; a rule turns into a
`Compiled`: options ruled out, `Marks` that a hazard's own path must keep, and `Family` rows across hazards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from ccm_geo.errors import DataError, PlanError
from ccm_geo.schemas import Note

from ._paths import MOST_MARKS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The table of options in the order of paths, with each hazard's states as ranks.

    Parameters
    ----------
    frame
        The options that can be planned, sorted by hazard, year, kind (steps before interim) and state.
    hazard_ids
        Names of the hazards, in the order of their rows.
    first
        Where each hazard's options begin, shape ``(hazards + 1,)``.
    hazard, year, src, dst
        Of each option: hazard, calendar year (0 where the table has none), rank of the state it
        starts from and leads to. Interim options have ``src == dst``.
    start
        Rank of each hazard's state of today.
    benefit
        Of each option.
    row
        Where each option stands in the table that was given.
    notes
        What was left out of the table and why.
    """

    frame: pd.DataFrame
    hazard_ids: pd.Index
    first: Ints
    hazard: Ints
    year: Ints
    src: npt.NDArray[np.int8]
    dst: npt.NDArray[np.int8]
    start: npt.NDArray[np.int8]
    benefit: Floats
    row: Ints
    notes: tuple[Note, ...]

    @classmethod
    def of(cls, options: pd.DataFrame) -> "Listing":
        """Check a table of options and put it in order.

        Raises
        ------
        DataError
            If ids repeat, a column is missing or is not a number, or the states run in a circle.
        """
        _require_columns(options)
        frame, kept, notes = _complete_rows(options)
        if "option_id" not in frame:
            frame.insert(0, "option_id", [f"option-{i + 1}" for i in frame.index])
        ids = frame["option_id"]
        if not ids.is_unique:
            raise DataError(
                f"options: option_id {ids[ids.duplicated()].iloc[0]!r} stands there more than once"
            )
        if "hazard_id" not in frame:
            frame["hazard_id"] = ids
        codes, names = pd.factorize(frame["hazard_id"])
        year = frame["year"].to_numpy(dtype=np.int64) if "year" in frame else np.zeros(len(frame), np.int64)
        src, dst, start = _states(frame, codes, len(names))
        order = np.lexsort((dst, src, src == dst, year, codes))
        if (order[1:] < order[:-1]).any():
            frame = frame.iloc[order].reset_index(drop=True)
        sizes = np.bincount(codes, minlength=len(names))
        return cls(
            frame=frame,
            hazard_ids=pd.Index(names),
            first=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            hazard=codes[order].astype(np.int64),
            year=year[order],
            src=src[order],
            dst=dst[order],
            start=start,
            benefit=frame["benefit"].to_numpy(dtype=float),
            row=kept[order],
            notes=tuple(notes),
        )

    @property
    def years(self) -> Ints:
        """Years in which there are options, ascending."""
        return np.unique(self.year)

    def numbers(self, column: str, asker: str) -> Floats:
        """Return a column as numbers, or say that it is not there.

        Raises
        ------
        DataError
            If there is no such column, or it holds something else than numbers of 0 or more.
        """
        if column not in self.frame:
            raise DataError(
                f"{asker}: options have no column {column!r}; they have {', '.join(self.frame.columns)}"
            )
        values = self.frame[column]
        if not pd.api.types.is_numeric_dtype(values.dtype):
            raise DataError(f"{asker}: column {column!r} of the options does not hold numbers")
        out = values.to_numpy(dtype=float, na_value=np.nan)
        if not (out >= 0).all():
            bad = self.frame.loc[~(out >= 0), "option_id"].iloc[0]
            raise DataError(f"{asker}: column {column!r} is missing or negative, first in option {bad!r}")
        return out


def _require_columns(options: pd.DataFrame) -> None:
    if "benefit" not in options.columns:
        scores = [c for c in ("score", "rank") if c in options.columns]
        why = f" ({scores[0]} puts hazards in order but does not add up)" if scores else ""
        raise DataError(
            f"options: no column 'benefit'{why}; give what each option averts, as list_options does"
        )
    if ("state_from" in options.columns) != ("state_to" in options.columns):
        raise DataError("options: state_from and state_to go together; give both or neither")
    for name in ("benefit", "cost_usd"):
        if name in options.columns and not pd.api.types.is_numeric_dtype(options[name].dtype):
            raise DataError(f"options: column {name!r} does not hold numbers")
    if not len(options):
        raise DataError("options: the table is empty; there is nothing to choose from")


def _complete_rows(options: pd.DataFrame) -> tuple[pd.DataFrame, Ints, list[Note]]:
    """Leave out the rows that no plan can hold, and say so; infinite numbers are refused."""
    notes: list[Note] = []
    keep = np.ones(len(options), bool)
    for name in ("benefit", "cost_usd", "year", "hazard_id", "state_from", "state_to"):
        if name not in options:
            continue
        missing = options[name].isna().to_numpy()
        if (
            pd.api.types.is_float_dtype(options[name].dtype)
            and np.isinf(options[name].to_numpy(dtype=float)).any()
        ):
            raise DataError(
                f"options: column {name!r} has infinite values; give numbers, or leave the rows out"
            )
        if missing.any():
            text = f"{int(missing.sum()):,} options have no {name}; they cannot be planned and are left out"
            rows = tuple(str(i + 1) for i in np.nonzero(missing)[0][:50])
            notes.append(Note("options", "unknown", text, int(missing.sum()), rows))
            keep &= ~missing
    frame = options.loc[keep].reset_index(drop=True) if not keep.all() else options.reset_index(drop=True)
    if not keep.any():
        raise DataError("options: no row is complete: " + "; ".join(n.text for n in notes))
    frame = frame.copy(deep=False)
    frame.attrs = {}
    return frame, np.nonzero(keep)[0], notes


def _states(
    frame: pd.DataFrame, hazard: Ints, count: int
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8], npt.NDArray[np.int8]]:
    """Rank the states so that steps lead upwards; without states each hazard takes one option at most."""
    if "state_from" not in frame:
        zero = np.zeros(len(frame), np.int8)
        return zero, zero + np.int8(1), np.zeros(count, np.int8)
    columns = [c for c in ("state_from", "state_to", "state_now") if c in frame]
    labels = {c: frame[c].astype("category") for c in columns}
    names = pd.Index(dict.fromkeys(str(s) for c in columns for s in labels[c].cat.categories))
    codes = {c: _codes(labels[c], names) for c in columns}
    rank = _ranks(codes["state_from"], codes["state_to"], names)
    src, dst = (rank[codes[c]] for c in ("state_from", "state_to"))
    if "state_now" in frame:
        now = rank[codes["state_now"]]
        start = np.zeros(count, np.int8)
        start[hazard] = now
        mixed = start[hazard] != now
        if mixed.any():
            raise DataError(
                f"options: hazard {frame.loc[mixed, 'hazard_id'].iloc[0]!r} has several states today"
            )
        return src, dst, start
    return src, dst, _beginnings(frame, hazard, count, src, dst)


def _codes(labels: pd.Series, names: pd.Index) -> Ints:
    place = names.get_indexer(pd.Index([str(s) for s in labels.cat.categories]))
    return place[labels.cat.codes.to_numpy()].astype(np.int64)


def _ranks(begin: Ints, end: Ints, names: pd.Index) -> npt.NDArray[np.int8]:
    """Sort the states topologically."""
    pairs = np.unique(begin * len(names) + end)
    links = {(p // len(names), p % len(names)) for p in pairs.tolist() if p // len(names) != p % len(names)}
    rank = np.full(len(names), -1, np.int8)
    for place in range(len(names)):
        free = [
            s for s in range(len(names)) if rank[s] < 0 and not any(b == s and rank[a] < 0 for a, b in links)
        ]
        if not free:
            round_trip = ", ".join(str(names[s]) for s in range(len(names)) if rank[s] < 0)
            raise DataError(f"options: the states {round_trip} run in a circle; land release leads one way")
        rank[free[0]] = place
    return rank


def _beginnings(
    frame: pd.DataFrame, hazard: Ints, count: int, src: npt.NDArray[np.int8], dst: npt.NDArray[np.int8]
) -> npt.NDArray[np.int8]:
    """Find the one state of each hazard that its options start from and none leads to."""
    states = int(max(src.max(), dst.max())) + 1
    entered = np.zeros((count, states), bool)
    step = src != dst
    entered[hazard[step], dst[step]] = True
    opening = ~entered[hazard, src]
    seen = np.zeros((count, states), bool)
    seen[hazard[opening], src[opening]] = True
    several = seen.sum(axis=1) > 1
    if several.any():
        name = frame["hazard_id"].iloc[int(np.nonzero(several[hazard])[0][0])]
        raise DataError(
            f"options: hazard {name!r} could start from several states; say which in a column state_now"
        )
    return seen.argmax(axis=1).astype(np.int8)


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

    def use(self, chosen: Mask) -> Floats:
        """Add up each row for chosen options."""
        held = chosen & (self.key >= 0)
        by_key = np.bincount(self.key[held], weights=self.coef[held], minlength=self.pattern.shape[0])
        return np.asarray(self.pattern.T @ by_key)


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
class Compiled:
    """What a rule means for one listing."""

    families: tuple[Family, ...] = ()
    marks: tuple[Marks, ...] = ()
    forbidden: Mask | None = None


@dataclass(frozen=True, kw_only=True)
class Model:
    """Listing and rules, ready for an engine."""

    listing: Listing
    rules: tuple[Any, ...]
    families: tuple[Family, ...]
    marks: tuple[Marks, ...]
    allowed: Mask
    notes: tuple[Note, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows couple hazards."""
        return sum(len(f.labels) for f in self.families)


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


@dataclass(frozen=True, kw_only=True)
class Arcs:
    """The options still in play, as flat arrays for the path engine.

    `keys` and `coefs` have shape ``(families, arcs)``; keys run through all families and the last one
    stands for "none". `origin` is each arc's row in the listing.
    """

    first: Ints
    start: npt.NDArray[np.int8]
    low: npt.NDArray[np.int8]
    marks: npt.NDArray[np.uint8]
    must: npt.NDArray[np.uint8]
    hazard: Ints
    year: npt.NDArray[np.int16]
    src: npt.NDArray[np.int8]
    dst: npt.NDArray[np.int8]
    sets: npt.NDArray[np.uint8]
    asks: npt.NDArray[np.uint8]
    benefit: Floats
    keys: npt.NDArray[np.int32]
    coefs: Floats
    origin: Ints = field(repr=False)

    @classmethod
    def of(cls, model: Model) -> "Arcs":
        """Take the options that the rules allow."""
        listing = model.listing
        sets, asks, marks, must = _bits(model)
        keys, coefs = _flat_keys(model)
        arcs = cls(
            first=listing.first,
            start=listing.start,
            low=listing.start,
            marks=marks,
            must=must,
            hazard=listing.hazard,
            year=(listing.year - listing.year.min()).astype(np.int16),
            src=listing.src,
            dst=listing.dst,
            sets=sets,
            asks=asks,
            benefit=listing.benefit,
            keys=keys,
            coefs=coefs,
            origin=np.arange(len(listing.benefit)),
        )
        return arcs if model.allowed.all() else arcs.keep(model.allowed)

    def keep(self, which: Mask) -> "Arcs":
        """Drop the other arcs; hazards stay, if need be without any."""
        sizes = np.bincount(self.hazard[which], minlength=len(self.start))
        per_arc = ("hazard", "year", "src", "dst", "sets", "asks", "benefit", "origin")
        return replace(
            self,
            first=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            keys=np.ascontiguousarray(self.keys[:, which]),
            coefs=np.ascontiguousarray(self.coefs[:, which]),
            **{name: getattr(self, name)[which] for name in per_arc},
        )


def _flat_keys(model: Model) -> tuple[npt.NDArray[np.int32], Floats]:
    sizes = [f.pattern.shape[0] for f in model.families]
    offset = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    shape = (len(model.families), len(model.listing.benefit))
    keys, coefs = np.empty(shape, np.int32), np.empty(shape)
    for i, family in enumerate(model.families):
        keys[i] = np.where(family.key >= 0, family.key + offset[i], offset[-1])
        coefs[i] = np.where(family.key >= 0, family.coef, 0.0)
    return keys, coefs


def _bits(
    model: Model,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Give every hazard its own numbering of marks, so that few bits suffice."""
    listing = model.listing
    sets, asks = (np.zeros(len(listing.benefit), np.uint8) for _ in range(2))
    count, must = (np.zeros(len(listing.hazard_ids), np.uint8) for _ in range(2))
    for mark in model.marks:
        touched = mark.must.copy()
        touched[listing.hazard[mark.asks]] = True
        bit = np.left_shift(np.uint8(1), count)
        sets[mark.sets] |= bit[listing.hazard[mark.sets]]
        asks[mark.asks] |= bit[listing.hazard[mark.asks]]
        must[mark.must] |= bit[mark.must]
        count[touched] += 1
    return sets, asks, count, must


Where = Mapping[str, Any]


def matching(frame: pd.DataFrame, where: Where | None, asker: str) -> Mask:
    """Say which rows have the values that `where` names: column to value, or to several values.

    Raises
    ------
    DataError
        If a column is not there, or a value stands in none of its rows.
    """
    keep = np.ones(len(frame), bool)
    for column, wanted in (where or {}).items():
        if column not in frame:
            raise DataError(
                f"{asker}: options have no column {column!r}; they have {', '.join(frame.columns)}"
            )
        values = [wanted] if isinstance(wanted, str) or not np.iterable(wanted) else list(wanted)
        found = frame[column].isin(values)
        absent = [v for v in values if not (frame[column] == v).any()]
        if absent:
            known = ", ".join(map(str, frame[column].dropna().unique()[:10]))
            raise DataError(f"{asker}: no option has {column} {absent[0]!r}; among the values are {known}")
        keep &= found.to_numpy()
    return keep


def leads_on(listing: Listing) -> Mask:
    """Say which options lead to a state from which their hazard has further steps."""
    states = int(max(listing.src.max(), listing.dst.max())) + 1
    open_ = np.zeros((len(listing.hazard_ids), states), bool)
    steps = listing.src != listing.dst
    open_[listing.hazard[steps], listing.src[steps]] = True
    onward: Mask = open_[listing.hazard, listing.dst]
    return onward
