"""From their columns and codes to ours: renaming, known headings, code lists, types, filters."""

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd

from ccm_geo._columns import Column, Table, plain
from ccm_geo.errors import DataError
from ccm_geo.schemas import column_faults, refuse, spoken_rows

from . import values as reading
from .findings import Findings

Where = Mapping[str, Any] | Callable[[pd.DataFrame], Any]
"""Which records to keep: column -> allowed value or values, or a function that gives a mask."""
Values = Mapping[str, Mapping[Any, Any]]
"""Column -> {their code: ours}."""

_SHOWN = 200  # letters of a filter that a note repeats
_CUT = 10  # a shapefile keeps so many letters of a heading


def named(
    frame: pd.DataFrame, spec: Table, rename: Mapping[str, str] | None, found: Findings
) -> pd.DataFrame:
    """Give columns our names: as the planner says, then by the headings of known systems.

    Raises
    ------
    DataError
        If `rename` names a column that is not there.
    """
    frame = frame.rename(columns=_wanted(frame, rename or {}, found.table))
    known = _recognized(frame, spec)
    told = {theirs: ours for theirs, ours in known.items() if plain(theirs) != plain(ours)}
    if told:
        spoken = ", ".join(f"{theirs!r} as {ours}" for theirs, ours in told.items())
        found.note("assumed", f"columns read by their known headings: {spoken}")
    found.headings.update({ours: theirs for theirs, ours in {**(rename or {}), **known}.items()})
    return frame.rename(columns=known)


def _wanted(frame: pd.DataFrame, rename: Mapping[str, str], table: str) -> dict[str, str]:
    """Check a rename and make room for its new names."""
    faults = []
    for theirs in rename:
        if theirs not in frame.columns:
            close = difflib.get_close_matches(
                str(theirs), [str(name) for name in frame.columns], n=2, cutoff=0.5
            )
            hint = f"did you mean {' or '.join(map(repr, close))}?" if close else _there(frame)
            faults.append(
                f"rename= names {theirs!r}, which is no column of the file (or was dropped); {hint}"
            )
    again = [ours for ours in set(rename.values()) if list(rename.values()).count(ours) > 1]
    faults += [f"rename= gives {ours!r} to several columns; choose one" for ours in sorted(again)]
    refuse(table, faults)
    aside = {
        ours: f"{ours}_original" for ours in rename.values() if ours in frame.columns and ours not in rename
    }
    return {**aside, **rename}


def _there(frame: pd.DataFrame) -> str:
    return f"the columns are {', '.join(repr(str(name)) for name in frame.columns if name != 'geometry')}"


def _recognized(frame: pd.DataFrame, spec: Table) -> dict[str, str]:
    """Find, for our columns that are absent, the heading that known systems give them."""
    free = {name: plain(name) for name in frame.columns if name != "geometry" and name not in _own(spec)}
    known: dict[str, str] = {}
    for column in spec.columns:
        if column.name in frame.columns:
            continue
        for word in (plain(column.name), *column.aliases, plain(column.name[:_CUT])):
            theirs = next((name for name, bare in free.items() if bare == word and name not in known), None)
            cut = word != plain(column.name[:_CUT]) or len(column.name) <= _CUT
            if theirs is not None and (cut or len(str(theirs)) == _CUT):
                known[theirs] = column.name
                break
    return known


def _own(spec: Table) -> set[str]:
    return {column.name for column in spec.columns}


def filtered(
    frame: pd.DataFrame, where: Where | None, values: Values | None, spec: Table, found: Findings
) -> pd.DataFrame:
    """Keep the records that `where` asks for, and count the others in a note."""
    if where is None:
        return frame
    keep = _mask(frame, where, values or {}, spec, found)
    left = frame.index[~keep]
    if len(left):
        asked = _spoken_where(where)
        found.note("dropped", f"{len(left):,} records left out by where={asked}", left)
    return frame[keep]


def _mask(
    frame: pd.DataFrame, where: Where, values: Values, spec: Table, found: Findings
) -> "pd.Series[bool]":
    if callable(where):
        mask = pd.Series(where(frame), index=frame.index)
        if mask.dtype != bool:
            raise DataError(f"{found.table}: the function in where= must give True or False for every record")
        return mask
    ours = {theirs: ours for ours, theirs in found.headings.items()}
    where = {
        name if name in frame.columns else ours.get(name, name): allowed for name, allowed in where.items()
    }
    absent = [name for name in where if name not in frame.columns]
    refuse(found.table, [f"where= names {name!r}, which is no column; {_there(frame)}" for name in absent])
    keep = pd.Series(True, index=frame.index)
    for name, allowed in where.items():
        wanted = [allowed] if isinstance(allowed, str) or not isinstance(allowed, Iterable) else list(allowed)
        texts = {_as_text(value) for value in wanted}
        raw = frame[name].map(_as_text)
        translated = _translated(frame[name], name, values, spec).map(_as_text)
        keep &= raw.isin(texts) | translated.isin(texts)
    return keep


def _spoken_where(where: Where) -> str:
    text = "a function" if callable(where) else repr({str(name): value for name, value in where.items()})
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _as_text(value: object) -> str:
    """Compare codes as text, so that 1, 1.0 and "1" are one code."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _translated(series: pd.Series, name: str, values: Values, spec: Table) -> pd.Series:
    mapping = {_as_text(theirs): ours for theirs, ours in values.get(name, {}).items()}
    column = next((one for one in spec.columns if one.name == name), None)
    if column is not None and column.allowed:
        spelled = {**{plain(code): code for code in column.allowed}, **column.spelled}
        text = series.astype("str").str.strip()
        each = {
            one: _codes(one, mapping, spelled, several=column.kind == "codes")
            for one in text.dropna().unique()
        }
        return text.map(each).astype("str")
    if not mapping:
        return series
    return series.map(lambda value: mapping.get(_as_text(value), value), na_action="ignore")


def _codes(text: str, mapping: Mapping[str, Any], spelled: Mapping[str, str], *, several: bool) -> Any:
    """Translate one code, or each of several between semicolons, commas or plus signs."""
    if text in mapping:
        return mapping[text]
    if not text or text.casefold() in reading.NOTHING:
        return None
    if several and any(mark in text for mark in ";,+/|"):
        for mark in ",+/|":
            text = text.replace(mark, ";")
        parts = [part.strip() for part in text.split(";") if part.strip()]
        each = [_codes(part, mapping, spelled, several=False) for part in parts]
        return ";".join(dict.fromkeys(str(part) for part in each if part is not None)) or None
    return spelled.get(plain(text), text)


def assumed(frame: pd.DataFrame, assume: Mapping[str, Any] | None, found: Findings) -> pd.DataFrame:
    """Fill what the planner says holds for every record that does not say otherwise."""
    for name, value in (assume or {}).items():
        if name not in frame.columns:
            frame = frame.assign(**{name: value})
            found.note("assumed", f"{name} is {value!r} for every record, as assume= says")
            continue
        text = frame[name].astype("str").str.strip()
        blank = frame.index[text.isna() | (text == "")]
        if len(blank):
            frame = frame.assign(**{name: frame[name].astype(object).where(~frame.index.isin(blank), value)})
            found.note("assumed", f"{name} is {value!r} where the source has a blank, as assume= says", blank)
    return frame


def typed(frame: pd.DataFrame, spec: Table, values: Values | None, found: Findings) -> pd.DataFrame:
    """Turn the columns of a table into codes, numbers, dates and text, keeping every fault on the way.

    Parameters
    ----------
    frame
        Columns with our names, on the index of records.
    spec
        What the table holds.
    values
        The planner's code lists.
    found
        Where faults and notes go.
    """
    known = {column.name: column for column in spec.columns}
    refuse(
        found.table,
        [
            f"values= names {name!r}, which is no column; {_there(frame)}"
            for name in values or {}
            if name not in frame
        ],
    )
    told: dict[str, pd.Index] = {}
    fresh: dict[str, pd.Series] = {}
    for name in frame.columns:
        if name == "geometry":
            continue
        column = known.get(name)
        series = (
            _translated(frame[name], str(name), values or {}, spec)
            if column or name in (values or {})
            else frame[name]
        )
        if column is None:
            fresh[name] = _unblank(series)
            continue
        fresh[name], unread = _as_kind(series, column, found)
        if len(unread):
            told[name] = unread
    frame = frame.assign(**{str(name): series for name, series in fresh.items()})
    found.faults += column_faults(frame, _without_made(spec, frame), found.rows, told)
    return frame


def _without_made(spec: Table, frame: pd.DataFrame) -> Table:
    """Leave out of the check what is made later where it is absent."""
    kept = tuple(column for column in spec.columns if not (column.made and column.name not in frame.columns))
    return dataclasses.replace(spec, columns=kept)


def _unblank(series: pd.Series) -> pd.Series:
    if pd.api.types.is_string_dtype(series) and not pd.api.types.is_object_dtype(series):
        return series.mask(series == "")
    return series


def _as_kind(series: pd.Series, column: Column, found: Findings) -> tuple[pd.Series, pd.Index]:
    """Convert one column; name what cannot be read."""
    if column.kind in ("id", "text"):
        return _text(series), series.index[:0]
    if column.kind in ("code", "codes"):
        return series, series.index[:0]
    read = _READERS[column.kind](series)
    if read.assumed:
        found.note("assumed", f"{column.name}: {read.assumed}")
    unread = series.index[read.unread]
    if len(unread) and column.lenient:
        examples = ", ".join(map(repr, series[unread].astype(str).unique()[:3]))
        found.note("unknown", f"{column.name} cannot be read ({examples}) and counts as unknown", unread)
        return read.read, series.index[:0]
    for value, group in series[unread].astype(str).groupby(series[unread].astype(str), sort=False):
        rows = spoken_rows(found.rows(group.index))
        found.fault(f"{rows}, {column.name} {str(value)[:60]!r} {_CURES[column.kind]}")
    return read.read, unread


_READERS: Mapping[str, Callable[[pd.Series], reading.Reading]] = {
    "number": reading.numbers,
    "share": reading.numbers,
    "date": reading.dates,
    "flag": reading.flags,
}
_CURES = {
    "number": "is not a number; correct it, or leave the cell blank where it is unknown",
    "share": "is not a number; give a share from 0 to 1 or a percentage with %",
    "date": "is not a date; write it as 2026-12-31, or leave the cell blank where it is unknown",
    "flag": "is not yes or no; map it with values=",
}


def _text(series: pd.Series) -> pd.Series:
    """Give text without the decimals that a missing value forces on whole numbers."""
    if pd.api.types.is_float_dtype(series):
        whole = series.dropna() % 1 == 0
        if whole.all():
            series = series.astype("Int64")
    text = series.astype("str").str.strip()
    return text.mask(series.isna() | (text == ""))
