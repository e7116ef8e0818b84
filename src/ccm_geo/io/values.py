"""Numbers, dates and yes-or-no as planners' files write them."""

# ruff: noqa: RUF001, SIM905 - words of many scripts, and lists of words read best as words

import re
from typing import NamedTuple

import numpy as np
import pandas as pd

NOTHING = frozenset("na n/a n.a. #n/a nan null none nil - -- — ? unknown".split())
"""Words that stand for a blank."""
_SPACES = re.compile(r"[\s\u00a0\u202f\u2009'’_]")
_THOUSANDS = r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?"
_DOTTED_THOUSANDS = r"[+-]?\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?|[+-]?\d{1,3}(?:\.\d{3})+,\d+"
_YES = frozenset("yes y true t 1 1.0 si sí oui sim da да так نعم".split())
_NO = frozenset("no n false f 0 0.0 non não nao ne нет ні لا".split())


class Reading(NamedTuple):
    """Values as read, which of them could not be read, and what was assumed."""

    read: pd.Series
    unread: pd.Series
    assumed: str = ""


def without_nothing(values: pd.Series) -> pd.Series:
    """Blank the words that stand for nothing: ``n/a``, ``-``, ``null``, ``unknown``."""
    text = values.astype("str").str.strip()
    return text.mask(text.str.casefold().isin(NOTHING) | (text == ""))


def numbers(values: pd.Series) -> Reading:
    """Read numbers with any everyday grouping and decimal mark; ``12 %`` is 0.12.

    Examples
    --------
    >>> numbers(pd.Series(["1 200", "1,200", "1.200,5", "5 %", "n/a"])).read.tolist()
    [1200.0, 1200.0, 1200.5, 0.05, nan]
    """
    if pd.api.types.is_numeric_dtype(values):
        return Reading(values.astype(float), pd.Series(False, index=values.index))
    text = without_nothing(values)
    percent = text.str.endswith("%").fillna(False).astype(bool)
    bare = text.str.rstrip("%").str.replace(_SPACES.pattern, "", regex=True)
    comma = bare.str.contains(",", regex=False).fillna(False).astype(bool)
    grouped = bare.str.fullmatch(_THOUSANDS).fillna(False).astype(bool)
    dotted = bare.str.fullmatch(_DOTTED_THOUSANDS).fillna(False).astype(bool)
    # "1,234" is a thousand where every comma of the column could group thousands, else a decimal comma.
    by_comma = grouped & bool((grouped | dotted | ~comma).all())
    plain = bare.mask(by_comma, bare.str.replace(",", "", regex=False))
    plain = plain.mask(dotted, plain.str.replace(".", "", regex=False))
    plain = plain.str.replace(",", ".", regex=False)
    number = pd.to_numeric(plain, errors="coerce").astype(float)
    number = number.mask(percent, number / 100)
    assumed = "commas are read as thousands" if by_comma.any() else ""
    return Reading(number, text.notna() & number.isna(), assumed)


def flags(values: pd.Series) -> Reading:
    """Read yes and no in the languages of the field.

    Examples
    --------
    >>> flags(pd.Series(["yes", "No", None, "так"])).read.tolist()
    [True, False, <NA>, True]
    """
    if pd.api.types.is_bool_dtype(values):
        return Reading(values, pd.Series(False, index=values.index))
    text = without_nothing(values).str.casefold()
    found = pd.Series(None, index=values.index, dtype=object)
    found[text.isin(_YES)] = True
    found[text.isin(_NO)] = False
    unread = text.notna() & found.isna()
    return Reading(found.astype("boolean" if found.isna().any() else bool), unread)


_YEAR = re.compile(r"(?:1[89]|20|21)\d\d(?:\.0)?")
_SPLIT_DATE = r"^(\d{1,2})[./-](\d{1,2})[./-](\d{4}|\d{2})(?:[ T,].*)?$"


def dates(values: pd.Series) -> Reading:
    """Read days: ISO 8601, ``31.12.2024``, ``31/12/2024``, ``12/31/2024`` where the column shows it, years.

    Examples
    --------
    >>> dates(pd.Series(["2024-05-01", "31.12.2024", "2019", "soon"])).read.dt.strftime("%Y-%m-%d").tolist()
    ['2024-05-01', '2024-12-31', '2019-01-01', nan]
    """
    if pd.api.types.is_datetime64_any_dtype(values):
        return Reading(_naive(values), pd.Series(False, index=values.index))
    text = without_nothing(values)
    year = text.str.fullmatch(_YEAR.pattern).fillna(False).astype(bool)
    iso = text.mask(year, text.str[:4] + "-01-01")
    day = _naive(pd.to_datetime(iso, format="ISO8601", errors="coerce", utc=True))
    parts = text.str.extract(_SPLIT_DATE)
    split = day.isna() & parts[0].notna()
    assumed = ["only the year is known: dated 1 January"] if year.any() else []
    if split.any():
        read, told = _split_dates(parts[split].astype(int))
        day = day.where(~split, read.reindex(day.index))
        assumed += told
    if (words := day.isna() & text.notna() & ~split).any():
        day = day.where(~words, _worded(text[words]).reindex(day.index))
    day = day.where(day.dt.year.between(1900, 2100))
    return Reading(day, text.notna() & day.isna(), "; ".join(assumed))


def _naive(day: pd.Series) -> pd.Series:
    return (day.dt.tz_convert(None) if day.dt.tz is not None else day).astype("datetime64[ms]")


def _split_dates(parts: pd.DataFrame) -> tuple[pd.Series, list[str]]:
    """Decide for the whole column whether day or month stands first."""
    month_first = bool((parts[1] > 12).any() and not (parts[0] > 12).any())
    shows = bool((parts[[0, 1]] > 12).any(axis=None))
    day, month = (parts[1], parts[0]) if month_first else (parts[0], parts[1])
    year = parts[2].where(parts[2] >= 100, parts[2] + np.where(parts[2] < 70, 2000, 1900))
    frame = pd.DataFrame({"year": year, "month": month, "day": day})
    read = pd.to_datetime(frame, errors="coerce").astype("datetime64[ms]")
    return read, [] if shows else ["day before month is assumed in dates such as 03/04/2024"]


def _worded(text: pd.Series) -> pd.Series:
    """Read English dates with the month as a word."""
    read = pd.Series(pd.NaT, index=text.index, dtype="datetime64[ms]")
    for form in (
        "%d %B %Y",
        "%d %b %Y",
        "%d-%b-%Y",
        "%d-%b-%y",
        "%B %d, %Y",
        "%b %d, %Y",
        "%Y/%m/%d",
        "%Y.%m.%d",
    ):
        read = read.fillna(pd.to_datetime(text, format=form, errors="coerce").astype("datetime64[ms]"))
    return read
