"""Places written as text: decimal degrees, degrees-minutes-seconds in many scripts, pairs and WKT."""

# ruff: noqa: RUF001, RUF002 - signs and letters of many scripts are what this module reads

import math
import re

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

_DEGREE = dict.fromkeys("°º˚∘⁰", "°")
_MINUTE = dict.fromkeys("'’‘′ʹ´`ʼ＇‛", "'")
_SECOND = dict.fromkeys('"”“″„‟＂ʺ', '"')
_MINUS = dict.fromkeys("−–‒", "-")
_SIGNS = str.maketrans({**_DEGREE, **_MINUTE, **_SECOND, **_MINUS, "\xa0": " ", "\u202f": " ", "\u2009": " "})
_FILLER = re.compile(r"deg(?:rees?)?|grad(?:os)?|min(?:utes?)?|sec(?:onds?)?|[+°'\".,:;\s]")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")

# Latin "o" is west in Spanish and French and east in German: it is refused and not guessed.
_HEMISPHERES = {
    word: (axis, sign)
    for axis, sign, words in (
        ("lat", 1, "n north nord norte n.lat с сш север північ пн пнш شمال شمالا"),
        ("lat", -1, "s south sud sur sul ѕ ю юш юг південь пд пдш جنوب جنوبا"),
        ("lon", 1, "e east est este leste е в вд восток схід сх схд شرق شرقا"),
        ("lon", -1, "w west oeste ouest з зд запад захід зх зхд غرب غربا"),
    )
    for word in words.split()
}


def degrees(values: pd.Series, axis: str) -> pd.Series:
    r"""Read one coordinate per row as decimal degrees or metres; NaN where blank or unreadable.

    Parameters
    ----------
    values
        Numbers or text: ``46.607``, ``46,607``, ``N 46° 36’ 25"``, ``46°36'25"N``, ``46 36 25 пн. ш.``
    axis
        ``lon`` or ``lat``: a hemisphere letter of the other axis makes a value unreadable.

    Returns
    -------
    pandas.Series
        Floats on the same index.

    Examples
    --------
    >>> degrees(pd.Series(['N 46° 30’ 36"', "46,51", "E 33°"]), "lat").tolist()
    [46.51, 46.51, nan]
    """
    if pd.api.types.is_numeric_dtype(values):
        return values.astype(float)
    text = values.astype("str").str.strip()
    number = pd.to_numeric(text.str.replace(",", ".", regex=False), errors="coerce").astype(float)
    rest = number.isna() & text.notna()
    number.loc[rest] = [_sexagesimal(one, axis) for one in text[rest]]
    return number


def _sexagesimal(text: str, axis: str) -> float:
    sign_axis = _hemisphere(text)
    if sign_axis is None:
        return math.nan
    found, sign = sign_axis
    plain = text.translate(_SIGNS).replace("''", '"')
    parts = _NUMBER.findall(plain)
    minus = plain.lstrip().startswith("-") or re.match(r"^[^\d]*-\s*\d", plain) is not None
    if found not in ("", axis) or not 1 <= len(parts) <= 3 or (found and minus):
        return math.nan
    values = [float(part.replace(",", ".")) for part in parts]
    whole_above = all(value.is_integer() for value in values[:-1])
    if not whole_above or any(value >= 60 for value in values[1:]):
        return math.nan
    size = sum(value / 60**power for power, value in enumerate(values))
    return -size if minus or sign < 0 else size


def _hemisphere(text: str) -> tuple[str, int] | None:
    """Find the hemisphere a text names: axis ("" where it names none) and sign; None where unclear."""
    letters = _NUMBER.sub("", text.translate(_SIGNS).casefold())
    letters = _FILLER.sub("", letters).replace("-", "")
    return _HEMISPHERES.get(letters) if letters else ("", 1)


_BRACKETS = re.compile(r"^[\s\[({]+|[\s\])}]+$")
_LETTER = "NSEWnsew"
_TWO_LAST = re.compile(rf"^(.*?\d.*?[{_LETTER}])[\s,;/]+([^{_LETTER}]*\d[^{_LETTER}]*[{_LETTER}])$")
_TWO_FIRST = re.compile(rf"^([{_LETTER}][^{_LETTER}]*\d[^{_LETTER}]*?)[\s,;/]*([{_LETTER}][^{_LETTER}]*)$")


def pairs(values: pd.Series) -> pd.DataFrame:
    """Read two coordinates per row from one text, latitude first as ISO 6709 has it.

    ``[10.44, 76.27]``, ``10.44 76.27`` (also with height and accuracy behind), ``46°36'N, 33°12'E``. Where
    the letters name the hemispheres, the order is theirs.

    Returns
    -------
    pandas.DataFrame
        Columns ``lon`` and ``lat`` on the same index, NaN where blank or unreadable.

    Examples
    --------
    >>> pairs(pd.Series(["[10.5, 76.25]", "E 33° 30', N 46°"])).to_numpy().tolist()
    [[76.25, 10.5], [33.5, 46.0]]
    """
    rows = [_pair(text) if isinstance(text, str) else (math.nan, math.nan) for text in values]
    return pd.DataFrame(rows, columns=["lon", "lat"], index=values.index, dtype=float)


def _pair(text: str) -> tuple[float, float]:
    bare = _BRACKETS.sub("", text)
    spelled = _TWO_LAST.match(bare) or _TWO_FIRST.match(bare)
    if spelled:
        first, second = spelled.groups()
    else:
        parts = [part for part in re.split(r"[,;]\s*|\s+", bare) if part]
        if not 2 <= len(parts) <= 4:
            return math.nan, math.nan
        first, second = parts[:2]
    lat_first = degrees(pd.Series([first]), "lat").iloc[0], degrees(pd.Series([second]), "lon").iloc[0]
    if not np.isnan(lat_first).any():
        return float(lat_first[1]), float(lat_first[0])
    lon, lat = degrees(pd.Series([first]), "lon").iloc[0], degrees(pd.Series([second]), "lat").iloc[0]
    return (float(lon), float(lat)) if not np.isnan([lon, lat]).any() else (math.nan, math.nan)


_SRID = re.compile(r"^\s*SRID\s*=\s*(\d+)\s*;\s*", re.IGNORECASE)


def shapes_from_wkt(values: pd.Series) -> tuple[npt.NDArray[np.object_], str | None]:
    """Read well-known text, with or without ``SRID=...;``; None where blank or unreadable.

    Returns
    -------
    numpy.ndarray, str or None
        Geometries, and the CRS that the texts name where all name the same.
    """
    text = values.astype("str")
    codes = text.str.extract(_SRID.pattern, flags=re.IGNORECASE)[0].dropna().unique()
    bare = text.str.replace(_SRID.pattern, "", flags=re.IGNORECASE, regex=True)
    given = np.array([one if isinstance(one, str) else None for one in bare], dtype=object)
    shapes = shapely.from_wkt(given, on_invalid="ignore")
    return shapes, f"EPSG:{codes[0]}" if len(codes) == 1 else None
