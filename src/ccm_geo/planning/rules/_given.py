"""What rules are given: amounts, calendar years, shares, columns with values; what is none is refused."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ccm_geo.errors import DataError


def is_amount(value: Any) -> bool:
    """Say whether a value is a number of 0 or more; yes and no are none."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number)):
        return False
    return 0 <= float(value) < math.inf


def is_share(value: Any) -> bool:
    """Say whether a value is a number from 0 to 1."""
    return is_amount(value) and value <= 1


def by_year(given: Mapping[Any, float], asker: str) -> dict[int, float]:
    """Return amounts by calendar year, in the order of years; a year may be text, as in TOML.

    Raises
    ------
    DataError
        If a key is no year, or a year stands there twice.
    """
    years = [_year(key) for key in given]
    wrong = [key for key, year in zip(given, years, strict=True) if year is None]
    if wrong:
        cure = "amounts go by year, for example {2027: 12}; where= says for which region or activity"
        raise DataError(f"{asker}: {wrong[0]!r} is no calendar year; {cure}")
    if len(set(years)) < len(years):
        raise DataError(f"{asker}: a year stands there twice, as a number and as text; give it once")
    return {y: float(a) for y, a in sorted(zip(years, given.values(), strict=True))}  # type: ignore[misc]


def _year(key: Any) -> int | None:
    if isinstance(key, (bool, np.bool_)):
        return None
    if isinstance(key, str):
        return int(key) if key.strip().isdecimal() else None
    whole = isinstance(key, (int, float, np.number)) and math.isfinite(key) and key == int(key)
    return int(key) if whole else None


def require_year(year: Any, asker: str, parameter: str) -> None:
    """Refuse what is not one calendar year; None is no year."""
    if year is not None and (isinstance(year, str) or _year(year) is None):
        cure = "for several, give the rule once for each"
        raise DataError(f"{asker}: {parameter} is one calendar year, for example 2027, not {year!r}; {cure}")


def require_years_there(named: Iterable[int], years: Iterable[int], asker: str, *, dated: bool) -> None:
    """Refuse years in which there are no options; `dated` says whether the options have years at all."""
    years = sorted(years)
    extra = [y for y in dict.fromkeys(named) if y not in years]
    if extra and not dated:
        told = "it goes by year but the options have no column 'year'; give one amount"
        raise DataError(f"{asker}: {told}")
    if extra:
        told = f"options cover {years[0]} to {years[-1]}"
        raise DataError(f"{asker}: there are no options in {', '.join(map(str, extra))}; {told}")


def require_where(where: Any, asker: str) -> None:
    """Refuse what does not name columns with values."""
    if where is None or (isinstance(where, Mapping) and all(isinstance(c, str) for c in where)):
        return
    cure = "for example where={'adm1': ['P01', 'P02']}"
    raise DataError(f"{asker}: where= names columns with their values, not {where!r}; {cure}")


def require_column(column: Any, asker: str, parameter: str) -> None:
    """Refuse what is not the name of one column."""
    if not isinstance(column, str):
        raise DataError(f"{asker}: {parameter} is the name of one column of the options, not {column!r}")


def require_flag(value: Any, asker: str, parameter: str) -> None:
    """Refuse what is neither True nor False: any text would count as yes."""
    if not isinstance(value, (bool, np.bool_)):
        raise DataError(f"{asker}: {parameter} is True or False, not {value!r}")


def said(where: Mapping[str, Any]) -> str:
    """Write columns with the values asked for in words: ``activity nts or ts, adm1 P01``."""
    return ", ".join(f"{c} {' or '.join(map(str, [v] if np.isscalar(v) else v))}" for c, v in where.items())
