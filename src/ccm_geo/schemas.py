"""The tables, their columns and units, and what was found wrong in them."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely
from affine import Affine

from ._columns import TABLES, Column, Kind, Table
from .errors import DataError

_ROWS_NAMED = 10  # rows spelled out in one line of a message; the rest are counted


class Note(NamedTuple):
    """Something a reader must know about a table: repaired, dropped, assumed or unknown.

    Notes travel in ``table.attrs["notes"]`` as a tuple and reach the report's sheet "Data problems".
    """

    table: str
    """Which table it is about, for example ``hazards``."""
    kind: str
    """``repaired``, ``set aside``, ``dropped``, ``assumed``, ``unknown`` or ``advice``."""
    text: str
    """What was found and what was done about it, one sentence."""
    affected: int = 0
    """How many rows it concerns; 0 where it is about the whole table."""
    rows: tuple[str, ...] = ()
    """Which records of the source, counted from 1 (``"17"``; of several files ``"2005.json:17"``)."""

    def __deepcopy__(self, memo: Any) -> "Note":
        """Return itself: pandas copies ``attrs`` deeply at every step, and a note never changes."""
        return self


def notes_of(*tables: Any) -> tuple[Note, ...]:
    """Collect the notes that tables, series and rasters carry, each once, in order."""
    found: dict[Note, None] = {}
    for table in tables:
        carried = getattr(table, "notes", None) if not hasattr(table, "attrs") else table.attrs.get("notes")
        found.update(dict.fromkeys(carried or ()))
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class PopulationRaster:
    """Where people live, as a raster that is read only where and when it is measured.

    Parameters
    ----------
    path
        File that rasterio can open.
    band
        Which band, counted from 1.
    unit
        ``people`` (per cell, as WorldPop has it) or ``people_per_km2``.
    crs, transform, width, height, nodata
        As the file says, or as the reader was told.
    notes
        What was found wrong or assumed.
    source
        File name, hash and layer, for the report.
    """

    path: str
    crs: pyproj.CRS
    transform: Affine
    width: int
    height: int
    band: int = 1
    unit: Literal["people", "people_per_km2"] = "people"
    nodata: float | None = None
    notes: tuple[Note, ...] = ()
    source: tuple[dict[str, Any], ...] = ()

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Extent in the raster's own CRS, ``(left, bottom, right, top)``, also where it is rotated."""
        corners = [self.transform @ (c, r) for c in (0, self.width) for r in (0, self.height)]
        x, y = zip(*corners, strict=True)
        return min(x), min(y), max(x), max(y)


def table_named(name: str) -> Table:
    """Find what a table holds, by its name.

    Raises
    ------
    DataError
        If there is no such table; names those there are.
    """
    if name in TABLES:
        return TABLES[name]
    raise DataError(f"there is no table {name!r}; the tables are {', '.join(TABLES)}")


def describe(table: str) -> pd.DataFrame:
    """Tell what the columns of a table mean and may hold.

    Parameters
    ----------
    table
        ``hazards``, ``population``, ``accidents``, ``displacement``, ``roads``, ``facilities`` or ``admin``.

    Returns
    -------
    pandas.DataFrame
        Columns ``column, required, type, unit, allowed, meaning``, one row per column of the table,
        the geometry last.

    Raises
    ------
    DataError
        If there is no such table.

    Examples
    --------
    >>> describe("hazards").set_index("column").loc["status", "allowed"]
    'open, closed, handed_over'
    """
    spec = table_named(table)
    rows = [
        {
            "column": column.name,
            "required": "made if absent" if column.made else ("yes" if column.required else ""),
            "type": _TYPES[column.kind],
            "unit": column.unit,
            "allowed": _allowed(column),
            "meaning": column.meaning,
        }
        for column in spec.columns
    ]
    shape = {
        "column": "geometry",
        "required": "yes" if spec.located else "",
        "type": " or ".join(spec.shapes),
        "unit": "",
        "allowed": "",
        "meaning": "Where it is, in any coordinate reference system.",
    }
    return pd.DataFrame([*rows, shape])


_TYPES: Mapping[Kind, str] = MappingProxyType(
    {
        "id": "text",
        "text": "text",
        "code": "code",
        "codes": "codes",
        "number": "number",
        "share": "number",
        "date": "date",
        "flag": "yes or no",
    }
)


def _allowed(column: Column) -> str:
    if column.allowed:
        return ", ".join(column.allowed)
    low, high = column.minimum, column.maximum
    if math.isfinite(low) and math.isfinite(high):
        return f"{low:g} to {high:g}"
    return f"{low:g} or more" if math.isfinite(low) else ""


Rows = Callable[[pd.Index], Sequence[str]]
"""Gives the records of the source, counted from 1, that rows of a table came from."""


def validate(frame: pd.DataFrame, table: str) -> None:
    """Refuse a table that breaks its own rules, naming all faults at once.

    Parameters
    ----------
    frame
        The table, with the column names of ccm_geo and typed columns, as the ``read_*`` functions give it.
    table
        ``hazards``, ``population``, ``accidents``, ``displacement``, ``roads``, ``facilities`` or ``admin``.

    Raises
    ------
    DataError
        If a required column is absent or blank, a code is not in its list, a number is text or out of range,
        a date is not a date, a key or the index repeats, or the geometry is absent, invalid, without CRS or
        of the wrong kind. ``.failures`` has one line per fault with its rows, counted from 1, and its cure.

    Examples
    --------
    >>> people = pd.DataFrame({"place_id": ["a", "b"], "group": "idp", "people": [12.0, -3.0]})
    >>> validate(people, "displacement")
    Traceback (most recent call last):
        ...
    ccm_geo.errors.DataError: displacement: 1 fault
      row 2, people -3 is below 0; correct it in the source
    """
    spec = table_named(table)

    def rows(index: pd.Index) -> Sequence[str]:
        return [str(number + 1) for number in np.flatnonzero(frame.index.isin(index))]

    found = [
        *column_faults(frame, spec, rows),
        *_key_faults(frame, spec, rows),
        *_place_faults(frame, spec, rows),
    ]
    refuse(table, found)


def refuse(table: str, faults: Sequence[str]) -> None:
    """Raise one DataError with all faults, if there are any."""
    if faults:
        raise DataError(f"{table}: {len(faults)} fault{'s' if len(faults) > 1 else ''}", faults)


def spoken_rows(labels: Sequence[str]) -> str:
    """Name rows in a sentence: the first few spelled out, the rest counted.

    Examples
    --------
    >>> spoken_rows(["12"]), spoken_rows(["2", "5"])
    ('row 12', 'rows 2, 5')
    >>> spoken_rows([str(n) for n in range(1, 15)])
    'rows 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 4 more'
    """
    if len(labels) == 1:
        return f"row {labels[0]}"
    more = len(labels) - _ROWS_NAMED
    return f"rows {', '.join(labels[:_ROWS_NAMED])}" + (f" and {more:,} more" if more > 0 else "")


def column_faults(
    frame: pd.DataFrame, spec: Table, rows: Rows, told: Mapping[str, pd.Index] | None = None
) -> Iterator[str]:
    """Name what is wrong in the columns of a table, one line per fault.

    Parameters
    ----------
    frame
        Typed columns.
    spec
        What the table holds.
    rows
        How to name the records.
    told
        Rows whose fault in a column is known already.
    """
    if not frame.index.is_unique:
        yield "the index repeats; give frame.reset_index(drop=True)"
    for column in spec.columns:
        if column.name not in frame.columns:
            if column.required:
                yield _absent(frame, column)
            continue
        values = frame[column.name]
        if told and column.name in told:
            values = values.drop(told[column.name])
        blank = values.isna()
        if column.required and column.blank != "unknown" and blank.any():
            named = spoken_rows(rows(values.index[blank]))
            yield f"{named}, {column.name} is blank; fill it{_or_assume(column)}"
        yield from _CHECKS[column.kind](values[~blank], column, rows)


def _absent(frame: pd.DataFrame, column: Column) -> str:
    there = ", ".join(repr(str(name)) for name in frame.columns if name != "geometry")
    return (
        f"no column {column.name}; the columns are {there or 'none'}: name the one that holds it with "
        f"rename={{'...': {column.name!r}}}{_or_assume(column)}"
    )


def _or_assume(column: Column) -> str:
    if column.allowed:
        return f", or say what it is with assume={{{column.name!r}: {column.allowed[0]!r}}}"
    return ""


def _text_faults(values: pd.Series, column: Column, rows: Rows) -> Iterator[str]:
    if isinstance(values.dtype, pd.StringDtype):
        return
    strange = ~values.map(lambda value: isinstance(value, str))
    if strange.any():
        yield f"{spoken_rows(rows(values.index[strange]))}, {column.name} is not text; give it as text"


def _no_faults(values: pd.Series, column: Column, rows: Rows) -> Iterator[str]:
    del values, column, rows
    yield from ()


def _code_faults(values: pd.Series, column: Column, rows: Rows) -> Iterator[str]:
    parts = values.astype(str)
    strange = [text for text in parts.unique() if not _is_allowed(text, column)]
    if not strange:
        return
    parts = parts[parts.isin(strange)]
    if column.kind == "codes":
        parts = parts.str.split(";").explode()
    wrong = parts[~parts.isin(column.allowed)]
    *others, last = column.allowed
    listed = f"{', '.join(others)} or {last}"
    for value, group in wrong.groupby(wrong, sort=False):
        named, shown = spoken_rows(rows(group.index.unique())), _shown(value)
        alike = (a for a in column.allowed if str(a)[:1].lower() == str(value)[:1].lower())
        meant = next(alike, column.allowed[0])
        yield (
            f"{named}, {column.name} {shown} is not {listed}; map it with "
            f"values={{{column.name!r}: {{{shown}: {meant!r}}}}}, or another column with rename="
        )


def _is_allowed(text: str, column: Column) -> bool:
    parts = text.split(";") if column.kind == "codes" else [text]
    return all(part in column.allowed for part in parts)


def _number_faults(values: pd.Series, column: Column, rows: Rows) -> Iterator[str]:
    if not pd.api.types.is_numeric_dtype(values):
        if len(values):
            yield f"{spoken_rows(rows(values.index))}, {column.name} is not a number; give numbers"
        return
    number = values.astype(float)
    cure = "correct it in the source"
    if column.kind == "share":
        cure = "a share runs from 0 to 1: divide percentages by 100, or write them with %"
    for mask, side, limit in (
        (number < column.minimum, "below", column.minimum),
        (number > column.maximum, "above", column.maximum),
        (np.isinf(number), "not", "finite"),
    ):
        if mask.any():
            bad = number[mask]
            named = spoken_rows(rows(bad.index))
            limit_text = limit if isinstance(limit, str) else f"{limit:g}"
            yield f"{named}, {column.name} {bad.iloc[0]:g} is {side} {limit_text}; {cure}"


def _date_faults(values: pd.Series, column: Column, rows: Rows) -> Iterator[str]:
    if len(values) and not pd.api.types.is_datetime64_any_dtype(values):
        yield f"{spoken_rows(rows(values.index))}, {column.name} is not a date; use pandas.to_datetime"


def _flag_faults(values: pd.Series, column: Column, rows: Rows) -> Iterator[str]:
    strange = ~values.isin([True, False])
    if strange.any():
        named = spoken_rows(rows(values.index[strange]))
        yield f"{named}, {column.name} is not yes or no; give True or False"


_CHECKS: Mapping[Kind, Callable[[pd.Series, Column, Rows], Iterator[str]]] = MappingProxyType(
    {
        "id": _text_faults,
        "text": _no_faults,
        "code": _code_faults,
        "codes": _code_faults,
        "number": _number_faults,
        "share": _number_faults,
        "date": _date_faults,
        "flag": _flag_faults,
    }
)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:56]}...{text[0]}"


def _key_faults(frame: pd.DataFrame, spec: Table, rows: Rows) -> Iterator[str]:
    if spec.key and spec.key in frame.columns:
        key = frame[spec.key].dropna()
        again = key[key.duplicated(keep=False)]
        for value, group in again.groupby(again, sort=False):
            named = spoken_rows(rows(group.index))
            yield f"{named}, {spec.key} {_shown(value)} repeats; give each record its own"


def _place_faults(frame: pd.DataFrame, spec: Table, rows: Rows) -> Iterator[str]:
    if not isinstance(frame, gpd.GeoDataFrame) or frame.active_geometry_name is None:
        if spec.located:
            yield "no geometry; give a GeoDataFrame, or read the file with lon=, lat= or wkt="
        return
    if frame.crs is None:
        yield "the layer has no coordinate reference system; say which with frame.set_crs(...)"
    shapes = frame.geometry.to_numpy()
    missing = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    kinds = frame.geometry.geom_type.astype("str").str.removeprefix("Multi").to_numpy()
    wanted = " or ".join(spec.shapes)
    for mask, wrong, cure in (
        (missing & spec.located, "is missing or empty", "leave the row out"),
        (~missing & ~np.isin(kinds, spec.shapes), f"is not a {wanted}", "convert or leave it out"),
        (~missing & ~shapely.is_valid(shapes), "is not valid", "mend it with GeoSeries.make_valid"),
    ):
        if mask.any():
            yield f"{spoken_rows(rows(frame.index[mask]))}: the geometry {wrong}; {cure}"


def rows_of_kind(facilities: Any, kind: str | Iterable[str] | None) -> Any:
    """Keep the facilities of one kind or several, or all of them, or say which kinds there are.

    Raises
    ------
    DataError
        If the table has no column ``kind``, or no row of this kind.

    Examples
    --------
    >>> rows_of_kind(pd.DataFrame({"kind": ["clinic", "school"]}), "school").index.tolist()
    [1]
    """
    if kind is None:
        return facilities
    wanted = [kind] if isinstance(kind, str) else list(kind)
    if "kind" not in facilities:
        raise DataError("facilities: there is no column 'kind' to choose from; name it with rename=")
    chosen = facilities[facilities["kind"].isin(wanted)]
    if chosen.empty:
        there = sorted(facilities["kind"].dropna().astype(str).unique())
        raise DataError(f"facilities: none is of kind {', '.join(wanted)}; there are: {', '.join(there)}")
    return chosen
