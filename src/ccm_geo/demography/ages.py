"""Ages recounted by other bands: IMSMA, UNHCR and WorldPop cut the years of life at different places.

Rule: within a band people are spread evenly by year of age, or as a profile of single years says. A band
from `a` to `b` holds the years a, a+1, ..., b whole: 5 to 12 is from the fifth birthday to the day before
the thirteenth.
"""

# ruff: noqa: SIM905 - lists of words read best as words

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from ccm_geo.errors import DataError
from ccm_geo.schemas import Note, notes_of, refuse

from ._counts import counts, many

Floats: TypeAlias = npt.NDArray[np.float64]
Band: TypeAlias = tuple[int, int | None]
"""First and last year of age, both included; None where the band is open-ended."""

AGE_BANDS: Mapping[str, tuple[Band, ...]] = MappingProxyType(
    {
        "imsma": ((5, 12), (13, 17), (18, None)),
        "unhcr": ((0, 4), (5, 11), (12, 17), (18, 59), (60, None)),
        "worldpop": ((0, 0), (1, 4), *((age, age + 4) for age in range(5, 80, 5)), (80, None)),
    }
)
"""Bands of IMSMA's risk-education form, of UNHCR's demographics, and of WorldPop's age and sex rasters.

References
----------
IMSMA Core, Syria risk-education form: ``male_5_12, ..., female_18_plus`` (repository GICHD/Syria). UNHCR
Refugee Data Finder, demographics: 0-4, 5-11, 12-17, 18-59, 60 and more. WorldPop, age and sex structures:
0, 1 to 4, then five years each, 80 and more.
"""

_OLDEST = 130  # a number above it in a heading is no age
_SEXES = MappingProxyType(
    {
        word: sex
        for sex, words in (
            ("male", "male males m man men boy boys hombre hombres masculino masculin homme hommes homens"),
            (
                "female",
                "female females f w woman women girl girls mujer mujeres femenino femme femmes mulheres",
            ),
            ("people", "people persons person population pop total both all t"),
        )
        for word in words.split()
    }
)
_AGE_WORDS = frozenset(
    "age aged ages year years yr yrs y yo old a to and edad anos ans group agegroup child children adult "
    "adults elderly enfant enfants adulte adultes agee agees âgées niños ninos adultos mayores crianças "
    "idosos".split()
)
_OPEN = r"(?:\+|plus|and(?:over|above|more|older)|or(?:over|above|more|older)|over|above|older|more|up)"
_TOKEN = re.compile(rf"\d+|{_OPEN}|under|lessthan|<|[^\W\d_]+")
_END = re.compile(r"_(?:near|inside)$")
_NO_AGE = re.compile(r"\d\s*k?m\b|\bm2\b")  # metres, square metres
_YEARS = range(1900, 2101)
_BELOW = frozenset(("under", "lessthan", "<", "u"))
_SPACED = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])|_")
_TWO_WORDS = re.compile(r"\b(and|or|less)\s+(over|above|more|older|than)\b")


class _Source(NamedTuple):
    """One column of people of an age band."""

    column: str
    sex: str
    first: int
    last: int | None
    end: str = ""
    """What the heading ends with: ``_near`` or ``_inside``, as measures do."""


def recount_ages(
    table: pd.DataFrame,
    *,
    to: Literal["imsma", "unhcr", "worldpop"] | Sequence[Band],
    columns: Mapping[str, tuple[str, int, int | None]] | None = None,
    oldest: int | None = None,
    profile: "pd.Series[float] | None" = None,
) -> pd.DataFrame:
    """Recount people by other age bands; nobody is lost and what is unknown stays so.

    Parameters
    ----------
    table
        One row per place, hazard or session, with a column per age band and, where known, sex:
        ``male_5_12``, ``F_60+``, ``women 18 and over``, ``under_5``, ``0-4``; or by first year alone, as
        WorldPop has it: ``f_0, f_1, f_5, ..., f_80``, where a band ends before the next begins and the last
        is open-ended. A measure's ``_near`` or ``_inside`` at the end is kept. Other columns are kept.
    to
        ``imsma``, ``unhcr``, ``worldpop`` (see `AGE_BANDS`), or bands as (first, last) years of age, both
        included, the last one None where it is open-ended: ``[(0, 17), (18, None)]``.
    columns
        Column -> (``male``, ``female`` or ``people``, first, last), where the headings do not say it.
        Only these are recounted then.
    oldest
        Last year of age of open-ended bands. Needed only where `to` cuts one, and no `profile` is given.
    profile
        People by single year of age, index 0, 1, 2, ...: within a band, people are spread in proportion to
        it. Its last year is the oldest.

    Returns
    -------
    pandas.DataFrame
        The table on the same index with ``<sex>_<first>_<last>`` (``people_...`` where the sex is not
        said) instead of the columns recounted, and ``<sex>_other_ages``, those in none of the bands, unless
        the bands hold every age. A number is NaN where one that it is made of is unknown, or where the
        table tells of none of its years. A note in ``.attrs["notes"]`` says what was assumed, and for how
        many people.

    Raises
    ------
    DataError
        If no column tells an age band, bands overlap or run backwards, a number is below 0 or not a number,
        or an open-ended band is cut and `oldest` is not given.

    Notes
    -----
    With ``n_b`` the people of band ``b`` of the table and ``g(y)`` the profile (1 without one), the new band
    ``t`` has the sum over ``b`` of ``n_b * sum of g(y), y in both / sum of g(y), y in b``. Where
    the table tells of only a part of the years of a new band, those are counted, and a note says so.

    Examples
    --------
    >>> session = pd.DataFrame({"male_5_12": [80.0], "male_13_17": [25], "male_18_plus": [40]})
    >>> recount_ages(session, to=[(5, 11), (12, 17), (18, None)]).to_numpy().tolist()
    [[70.0, 35.0, 40.0, 0.0]]
    """
    bands = _bands(to)
    sources = _told(table, columns) if columns is not None else _recognized(table)
    _require_apart(sources)
    years = _years(profile, oldest, sources, bands)
    people = counts(table, [source.column for source in sources], "ages")
    fresh: dict[str, Floats] = {}
    moved = np.zeros(len(table), dtype=float)
    part_of: list[str] = []
    for own in _groups(sources):
        shares = _shares(own, bands, years)
        numbers = people[[source.column for source in own]].to_numpy()
        names = _names(own[0], bands)
        fresh |= _recounted(numbers, shares, names)
        moved += np.nansum(numbers[:, (shares > 0).sum(axis=1) > 1], axis=1)
        part_of += _partly(own, bands, names, years)
    notes = [*_notes(people, moved, part_of, profile, oldest), *_unread(table, sources)]
    rest = table.drop(columns=[source.column for source in sources])
    clash = [name for name in fresh if name in rest.columns]
    refuse("ages", [f"there is a column {name!r} that is not recounted; rename it" for name in clash])
    result = rest.assign(**fresh)
    result.attrs = {**table.attrs, "notes": (*notes_of(table), *notes)}
    return result


def _unread(table: pd.DataFrame, sources: list[_Source]) -> list[Note]:
    """Name columns of a sex without an age: totals, or people of unknown age."""
    used = {source.column for source in sources}
    left = [str(column) for column in table.columns if column not in used and _names_a_sex(str(column))]
    if not left:
        return []
    text = f"columns of a sex without an age in years are kept as they are: {', '.join(map(repr, left))}"
    return [Note("population", "advice", text)]


def _names_a_sex(heading: str) -> bool:
    tokens = _TOKEN.findall(_SPACED.sub(" ", heading.casefold()))
    distance = _NO_AGE.search(heading.casefold())
    return bool(tokens) and _SEXES.get(tokens[0]) in {"male", "female"} and not distance


def _groups(sources: list[_Source]) -> list[list[_Source]]:
    """Keep apart what is counted apart: sexes, and measures of different kinds."""
    kinds = dict.fromkeys((source.sex, source.end) for source in sources)
    return [[source for source in sources if (source.sex, source.end) == kind] for kind in kinds]


def _names(of: _Source, bands: tuple[Band, ...]) -> list[str]:
    """Name the new columns; the last, those in none of the bands, only where there can be any."""
    names = [f"{first}_{'plus' if last is None else last}" for first, last in bands]
    if not _every_age(bands):
        names.append("other_ages")
    return [f"{of.sex}_{name}{of.end}" for name in names]


def _bands(to: str | Sequence[Band]) -> tuple[Band, ...]:
    """Check the bands asked for."""
    if isinstance(to, str):
        if to not in AGE_BANDS:
            raise DataError(f"ages: to={to!r} is unknown; it is {', '.join(map(repr, AGE_BANDS))}, or bands")
        return AGE_BANDS[to]
    bands = tuple((first, last) for first, last in to)
    faults = [
        f"the band {first} to {last} runs backwards; give (first, last) years of age"
        for first, last in bands
        if first < 0 or (last is not None and last < first)
    ]
    for (_, end), (start, _) in pairwise(sorted(bands, key=_start)):
        if end is None or end >= start:
            faults.append(f"two bands of to= share the age {start}; let each year of age be in one")
    if not bands:
        faults.append("to= has no bands; give at least one")
    refuse("ages", faults)
    return bands


def _start(band: Band) -> int:
    return band[0]


def _told(table: pd.DataFrame, columns: Mapping[str, tuple[str, int, int | None]]) -> list[_Source]:
    sources = [_Source(column, *band) for column, band in columns.items()]
    faults = [f"there is no column {one.column!r}" for one in sources if one.column not in table.columns]
    faults += [
        f"{one.column!r}: the sex is male, female or people, not {one.sex!r}"
        for one in sources
        if one.sex not in _SEXES.values()
    ]
    refuse("ages", faults)
    return sources


def _recognized(table: pd.DataFrame) -> list[_Source]:
    """Find the columns that tell an age band by their heading."""
    read = {str(column): _read(_END.sub("", str(column))) for column in table.columns}
    found = [(column, *band) for column, band in read.items() if band is not None]
    if not found:
        there = ", ".join(repr(str(name)) for name in table.columns if name != "geometry")
        raise DataError(
            f"ages: no column tells an age band, such as 'male_5_12'; the columns are {there}: name them "
            "with columns={'...': ('male', 5, 12)}"
        )
    return _closed(found)


def _read(heading: str) -> tuple[str, int, int | Literal["next"] | None] | None:
    """Read sex and band from a heading; ``next`` where only the first year is said."""
    tokens = _TOKEN.findall(_TWO_WORDS.sub(r"\1\2", _SPACED.sub(" ", heading.casefold())))
    ages = [int(token) for token in tokens if token.isdigit() and int(token) not in _YEARS]
    is_open = any(re.fullmatch(_OPEN, token) for token in tokens)
    is_below = not _BELOW.isdisjoint(tokens)
    words = {
        token
        for token in tokens
        if not token.isdigit() and token not in _BELOW and not re.fullmatch(_OPEN, token)
    }
    sexes = {_SEXES[word] for word in words & set(_SEXES)} - {"people"}
    strange = words - set(_SEXES) - _AGE_WORDS
    if strange or len(sexes) > 1 or any(age > _OLDEST for age in ages) or _NO_AGE.search(heading.casefold()):
        return None
    sex = next(iter(sexes), "people")
    match ages, is_below, is_open:
        case [first, last], False, False:
            return sex, first, last
        case [end], True, False:
            return sex, 0, end - 1
        case [first], False, True:
            return sex, first, None
        case [first], False, False if words:
            return sex, first, "next"
    return None


def _ending(column: str) -> str:
    found = _END.search(column)
    return found[0] if found else ""


def _closed(found: list[tuple[str, str, int, int | Literal["next"] | None]]) -> list[_Source]:
    """End bands of which only the first year is said before the next one begins."""
    sources = []
    for column, sex, first, last in found:
        end = _ending(column)
        if last == "next":
            alike = [one for one in found if one[1] == sex and _ending(one[0]) == end]
            later = [one[2] for one in alike if one[2] > first]
            last = min(later) - 1 if later else None  # noqa: PLW2901 - the band as it is meant
        sources.append(_Source(column, sex, first, last, end))
    return sources


def _require_apart(sources: list[_Source]) -> None:
    faults = [
        f"{one.column!r} runs from {one.first} to {one.last}; correct the heading, or name it with columns="
        for one in sources
        if one.last is not None and one.last < one.first
    ]
    for own in _groups(sources):
        for one, other in pairwise(sorted(own, key=lambda source: source.first)):
            if one.last is None or one.last >= other.first:
                faults.append(
                    f"{one.column!r} and {other.column!r} share the age {other.first}; name with columns= "
                    "those to count"
                )
    refuse("ages", faults)


def _years(
    profile: "pd.Series[float] | None", oldest: int | None, sources: list[_Source], bands: tuple[Band, ...]
) -> Floats:
    """Give the weight of every year of age; the last stands for itself and all above it."""
    edges = [edge for first, last in bands for edge in (first, -1 if last is None else last + 1)]
    edges += [edge for one in sources for edge in (one.first, -1 if one.last is None else one.last + 1)]
    top = max(edges)
    if profile is not None:
        return _profile_years(profile, top)
    cut = [
        one.column
        for one in sources
        if one.last is None and any(edge > one.first for band in bands for edge in _inner(band))
    ]
    if not cut:
        return np.ones(top + 1)
    if oldest is None:
        raise DataError(
            f"ages: {cut[0]!r} is open-ended and the new bands cut it: say with oldest= the last year of "
            "age, for example oldest=89, or give a profile="
        )
    if oldest + 1 < top:
        raise DataError(f"ages: oldest={oldest}, but a band begins or ends at {top}; give a higher age")
    return np.ones(oldest + 1)


def _inner(band: Band) -> tuple[int, ...]:
    return (band[0],) if band[1] is None else (band[0], band[1] + 1)


def _profile_years(profile: "pd.Series[float]", top: int) -> Floats:
    weights = pd.to_numeric(profile, errors="coerce").astype(float)
    if (
        profile.index.tolist() != list(range(len(profile)))
        or not (np.isfinite(weights) & (weights >= 0)).all()
    ):
        raise DataError(
            "ages: profile= is people by single year of age, on an index 0, 1, 2, ..., none below 0"
        )
    if len(profile) < top:
        raise DataError(f"ages: profile= ends at {len(profile) - 1}, but a band begins or ends at {top}")
    return weights.to_numpy()


def _within(first: int, last: int | None, size: int) -> Floats:
    """Mark the years of a band, shape ``(size,)``."""
    age = np.arange(size)
    return ((age >= first) & (age <= (size if last is None else last))).astype(float)


def _shares(own: list[_Source], bands: tuple[Band, ...], years: Floats) -> Floats:
    """Give the share of each band of the table in each new one; the last column is those in none."""
    masks = np.stack([_within(*band, len(years)) for band in bands])
    masks = np.vstack([masks, 1 - masks.sum(axis=0)])
    shares = np.empty((len(own), len(masks)))
    for at, one in enumerate(own):
        inside = _within(one.first, one.last, len(years))
        weight = inside * years if (inside * years).sum() > 0 else inside  # no profile here: evenly
        shares[at] = masks @ weight / weight.sum()
    return shares


def _recounted(numbers: Floats, shares: Floats, names: list[str]) -> dict[str, Floats]:
    """Add up by new band; NaN where something that goes in is unknown, or nothing does."""
    goes = shares > 0
    sums = np.nan_to_num(numbers) @ shares
    unknown = np.isnan(numbers).astype(float) @ goes > 0
    sums[unknown] = np.nan
    told = np.asarray(goes.any(axis=0))
    told[-1] = True  # nobody of other ages is a number, not a gap
    sums[:, ~told] = np.nan
    return dict(zip(names, sums.T, strict=False))


def _every_age(bands: tuple[Band, ...]) -> bool:
    ordered = sorted(bands, key=_start)
    joined = all(end is not None and end + 1 == start for (_, end), (start, _) in pairwise(ordered))
    return ordered[0][0] == 0 and ordered[-1][1] is None and joined


def _partly(own: list[_Source], bands: tuple[Band, ...], names: list[str], years: Floats) -> list[str]:
    """Name the new bands of which the table tells only some years, or none."""
    covered = np.sum([_within(one.first, one.last, len(years)) for one in own], axis=0)
    texts = []
    for name, (first, last) in zip(names, bands, strict=False):
        wanted = _within(first, last, len(years))
        known = np.flatnonzero(wanted * covered)
        if not len(known):
            texts.append(f"{name}: the table tells of none of these ages, so it is unknown")
        elif len(known) < wanted.sum():
            texts.append(f"{name}: the table tells of only {len(known)} years of it, and those are counted")
    return texts


def _notes(
    people: pd.DataFrame,
    moved: Floats,
    part_of: list[str],
    profile: "pd.Series[float] | None",
    oldest: int | None,
) -> list[Note]:
    notes = []
    if moved.any():
        how = "evenly by year of age" if profile is None else "by the profile of single years"
        end = f", open-ended bands up to {oldest}" if oldest is not None and profile is None else ""
        text = (
            f"ages are recounted by other bands, people spread {how} within a band{end}: "
            f"{moved.sum():,.0f} of {np.nansum(people.to_numpy()):,.0f} people are in bands that are cut"
        )
        notes.append(Note("population", "assumed", text, int((moved > 0).sum())))
    blank = int(people.isna().any(axis=1).sum())
    if blank:
        text = f"{many(blank, 'row')} with a blank age band: the bands made of it are unknown"
        notes.append(Note("population", "unknown", text, blank))
    return [*notes, *(Note("population", "unknown", text) for text in part_of)]
