"""The table of options in the order of paths: hazards, years, states as ranks."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ccm_geo.errors import DataError
from ccm_geo.schemas import Note, spoken_rows

from .land import require_one_land, require_sums

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Where = Mapping[str, Any]
_NAMES = ("hazard_id", "option_id")  # columns whose values each name one thing
_LAST_YEAR = 9999  # what lies beyond is a date without its hyphens, or another mistake


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
            If ids repeat, a column is missing or is not a number, areas contradict each other, or the states
            run in a circle.
        """
        _require_columns(options)
        _require_names(options)
        require_sums(options)
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
        year = np.zeros(len(frame), np.int64)
        if "year" in frame:
            year = whole_years(frame["year"], "options", kept)
        src, dst, start = _states(frame, codes, len(names))
        order = np.lexsort((dst, src, src == dst, year, codes))
        if (order[1:] < order[:-1]).any():
            frame = frame.iloc[order].reset_index(drop=True)
        sizes = np.bincount(codes, minlength=len(names))
        listing = cls(
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
        require_one_land(listing)
        return listing

    @cached_property
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


def require_table(table: Any, title: str, cure: str) -> None:
    """Refuse what is no table, and a table with two columns of one name.

    Raises
    ------
    DataError
        Names the table and the cure.
    """
    if not isinstance(table, pd.DataFrame):
        raise DataError(f"{title}: this is no table but {type(table).__name__}; {cure}")
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise DataError(f"{title}: two columns are named {twice[0]!r}; rename or drop one")


def _require_names(options: pd.DataFrame) -> None:
    """Refuse rows without a name of their own."""
    if "option_id" in options and (nameless := options["option_id"].isna().to_numpy()).any():
        rows = spoken_rows([str(row + 1) for row in np.flatnonzero(nameless)])
        raise DataError(f"options: {rows}, option_id is missing; give each row its own")


def _require_columns(options: pd.DataFrame) -> None:
    require_table(options, "options", "give the table of list_options, or a pandas.DataFrame of your own")
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
    for name in ("benefit", "cost_usd", "year", "hazard_id", "state_from", "state_to", "state_now"):
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


def whole_years(years: pd.Series, title: str, rows: Ints | None = None) -> Ints:
    """Read years as whole numbers; `rows` says where they stand in the table given, counted from 0.

    Raises
    ------
    DataError
        If one is missing, a date, a text, not whole, or not from 0 to 9999; names its rows.

    Examples
    --------
    >>> whole_years(pd.Series([2027.0, 2028.0]), "options")
    array([2027, 2028])
    >>> whole_years(pd.Series([2027.0, 2027.5]), "options")
    Traceback (most recent call last):
        ...
    ccm_geo.errors.DataError: options: row 2, year '2027.5' is not a whole number; give years as numbers...
    """
    codes, kinds = pd.factorize(years)
    good = np.array([*map(_is_year, kinds), False])[codes]
    if not good.all():
        at = np.flatnonzero(~good)
        named = spoken_rows([str(row + 1) for row in (at if rows is None else rows[at])])
        value = years.iloc[at[0]]
        dates = ", of dates with .dt.year" if hasattr(value, "year") else ""
        raise DataError(
            f"{title}: {named}, year {str(value)!r} is not a whole number; "
            f"give years as numbers such as 2027{dates}"
        )
    return np.array([int(kind) for kind in kinds], dtype=np.int64)[codes]


def _is_year(value: Any) -> bool:
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    return bool(number and 0 <= value <= _LAST_YEAR and value == int(value))


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


def matching(frame: pd.DataFrame, where: Where | None, asker: str) -> Mask:
    """Say which rows have the values that `where` names: column to value, or to several values.

    Of several values some may stand in no row ("clearance or bac" where all land is for bac); hazards and
    options are named one by one, so each of them must be there.

    Raises
    ------
    DataError
        If a column is not there, if none of its values stands in any row, or if a hazard or option does not.
    """
    keep = np.ones(len(frame), bool)
    for column, wanted in (where or {}).items():
        if column not in frame:
            raise DataError(
                f"{asker}: options have no column {column!r}; they have {', '.join(frame.columns)}"
            )
        values = [wanted] if isinstance(wanted, str) or not np.iterable(wanted) else list(wanted)
        found = frame[column].isin(values)
        absent = absent_values(frame, column, wanted)
        if absent and (len(absent) == len(values) or column in _NAMES):
            known = ", ".join(map(str, frame[column].dropna().unique()[:10]))
            raise DataError(f"{asker}: no option has {column} {absent[0]!r}; among the values are {known}")
        keep &= found.to_numpy()
    return keep


def absent_values(frame: pd.DataFrame, column: str, wanted: Any) -> list[Any]:
    """List the values, of one or of several wanted, that stand in no row of a column."""
    values = [wanted] if isinstance(wanted, str) or not np.iterable(wanted) else list(wanted)
    return [v for v in values if not (frame[column] == v).any()]


def leads_on(listing: Listing) -> Mask:
    """Say which options lead to a state from which their hazard has further steps."""
    states = int(max(listing.src.max(), listing.dst.max())) + 1
    open_ = np.zeros((len(listing.hazard_ids), states), bool)
    steps = listing.src != listing.dst
    open_[listing.hazard[steps], listing.src[steps]] = True
    onward: Mask = open_[listing.hazard, listing.dst]
    return onward


def last_states(listing: Listing) -> npt.NDArray[np.uint64]:
    """Say for each hazard which states its land release can end in, as bits: entered, and never left."""
    states = int(max(listing.src.max(initial=0), listing.dst.max(initial=0))) + 1
    entered, left = (np.zeros((len(listing.hazard_ids), states), bool) for _ in range(2))
    steps = listing.src != listing.dst
    entered[listing.hazard[steps], listing.dst[steps]] = True
    left[listing.hazard[steps], listing.src[steps]] = True
    bits: npt.NDArray[np.uint64] = (entered & ~left) @ (np.uint64(1) << np.arange(states, dtype=np.uint64))
    return bits


def by_hazard(listing: Listing, which: Mask, values: Floats) -> Floats:
    """Add up values of some options by hazard."""
    weights = np.where(which, values, 0.0)
    return np.bincount(listing.hazard, weights=weights, minlength=len(listing.hazard_ids)).astype(float)


def money_of(listing: Listing) -> Floats:
    """Cost of every option; 0 where the table names none."""
    if "cost_usd" not in listing.frame:
        return np.zeros(len(listing.benefit))
    return listing.frame["cost_usd"].to_numpy(dtype=float)


def measured_in(column: str) -> str:
    """Name the unit of a column of options.

    Examples
    --------
    >>> measured_in("cost_usd"), measured_in("team_months"), measured_in("dog_days")
    ('USD', 'team-months', 'dog days')
    """
    known = {"cost_usd": "USD", "team_months": "team-months", "people": "people"}
    area = "m2" if column.endswith("_m2") else ""
    return known.get(column) or area or column.replace("_", " ") or "units"


def of_one(unit: str) -> str:
    """Name the unit of one, where it is spoken of in the plural.

    Examples
    --------
    >>> of_one("team-months"), of_one("USD")
    ('team-month', 'USD')
    """
    return unit.removesuffix("s") if unit.endswith("months") else unit


def activities_of(listing: Listing, which: Mask) -> pd.Series:
    """Write "marking 2027-2028, clearance 2029" for each hazard; empty where none of its options is taken."""
    rows = listing.frame[which]
    name = rows["activity"].astype("str") if "activity" in rows else rows["option_id"].astype("str")
    years = rows["year"].tolist() if "year" in rows else [None] * len(rows)
    spans: list[list[tuple[str, int | None, int | None]]] = [[] for _ in listing.hazard_ids]
    for hazard, one, year in zip(listing.hazard[which].tolist(), name.tolist(), years, strict=True):
        before = spans[hazard][-1] if spans[hazard] else ("", None, None)
        if year is not None and before[0] == one and before[2] == year - 1:
            spans[hazard][-1] = (one, before[1], year)
        else:
            spans[hazard].append((one, year, year))
    return pd.Series([", ".join(_span(*part) for part in parts) for parts in spans], dtype=object)


def _span(name: str, first: int | None, last: int | None) -> str:
    """Write an activity with its year, or with the first and last of several in a row."""
    if first is None:
        return name
    return f"{name} {first}" if first == last else f"{name} {first}-{last}"
