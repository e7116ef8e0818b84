"""Hazards and harm as they are given: reads numbers, years and codes, and refuses what they cannot be."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ccm_geo.errors import DataError
from ccm_geo.schemas import column_faults, spoken_rows, table_named

from .activities import Activity
from .listing import Floats, require_table, whole_years

_CODED = ("hazard_class", "status", "ordnance")  # columns whose codes decide what is planned


def require_search(asker: str, *, gap: float = 0.0, seconds: float = 1.0) -> None:
    """Refuse a distance from the best that is no share, and a time that is none."""
    for name, value in (("gap", gap), ("seconds", seconds)):
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise DataError(f"{asker}: {name} {value!r} is not a number; give {name}=0.1 without quotes")
    if not 0 <= gap < 1 or not seconds > 0:
        raise DataError(f"{asker}: gap {gap} must be a share from 0 to 1 and seconds {seconds} above 0")


def require_harm(harm: pd.DataFrame) -> None:
    """Refuse what is no table of harm by hazard and year."""
    if not isinstance(harm, pd.DataFrame) or "harm" not in harm.columns:
        raise DataError(
            "options: the benefit must be accidents averted, which add up; a score or a rank does not. "
            "Give the table of expected_harm(facts, years=...)"
        )
    require_table(harm, "harm", "give the table of expected_harm(facts, years=...)")
    missing = [c for c in ("hazard_id", "year") if c not in harm.columns]
    if missing:
        raise DataError(f"harm: no column {missing}; give the table of expected_harm(facts, years=...)")
    if "score" in harm.columns or "rank" in harm.columns or "score" in harm.attrs:
        raise DataError("harm: this is a table of scores; give the table of expected_harm(facts, years=...)")
    twice = harm.duplicated(["hazard_id", "year"])
    if twice.any():
        first = harm.loc[twice].iloc[0]
        raise DataError(
            f"harm: {int(twice.sum())} rows repeat, first {first['hazard_id']!r} in {first['year']}"
        )


def yearly_harm(harm: pd.DataFrame) -> pd.DataFrame:
    """Read hazard, year, harm and people as what they are; a missing number stays missing."""
    found = pd.DataFrame(
        {
            "hazard_id": harm["hazard_id"].to_numpy(),
            "year": whole_years(harm["year"], "harm"),
            **{name: numbers_of(harm, name, "harm") for name in ("harm", "people")},
        }
    )
    if (found["harm"] < 0).any():
        raise DataError("harm: negative values; accidents a year are 0 or more")
    return found


def wanted_years(years: Iterable[int] | None, harm: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Read the years in which work can be done; by default all that harm covers."""
    covered = np.unique(harm["year"].to_numpy(dtype=np.int64))
    if years is None:
        return covered
    if isinstance(years, str) or not isinstance(years, Iterable):
        raise DataError(f"options: years {years!r} is not a list of years; give years=[2027, 2028]")
    wanted = np.unique(whole_years(pd.Series(list(years), dtype=object), "years"))
    beyond = sorted(set(wanted.tolist()) - set(covered.tolist()))
    if beyond or not len(wanted):
        raise DataError(f"options: years {beyond} have no expected harm; harm covers {covered.tolist()}")
    return wanted


def require_codes(facts: pd.DataFrame, activities: tuple[Activity, ...]) -> None:
    """Refuse codes that nobody knows: an unknown status would be open, an unknown class suspected land.

    An activity of the planner's own may name ordnance of its own.
    """
    spec = table_named("hazards")
    coded = []
    for name in _CODED:
        own = {code for a in activities for code in a.ordnance} if name == "ordnance" else set()
        allowed = tuple(dict.fromkeys((*spec[name].allowed, *sorted(own))))
        coded.append(replace(spec[name], allowed=allowed, required=False))
    held = pd.DataFrame({c: facts[c].to_numpy() for c in _CODED if c in facts.columns})
    if "ordnance" in held:
        held["ordnance"] = held["ordnance"].map(_parted, na_action="ignore")
    faults = [
        line.replace("; map it with ", "; read the table with read_hazards, and map it with ")
        for line in column_faults(held, replace(spec, columns=tuple(coded)), _numbered)
    ]
    if faults:
        raise DataError(f"facts: {len(faults)} unknown code{'s' if len(faults) > 1 else ''}", faults)


def _parted(codes: Any) -> str:
    """Write several codes with semicolons and without the blanks around them."""
    return ";".join(part.strip() for part in str(codes).strip().strip(";").split(";"))


def _numbered(index: pd.Index) -> Sequence[str]:
    """Count rows from 1."""
    return [str(int(row) + 1) for row in index]


def numbers_of(table: pd.DataFrame, name: str, title: str = "facts") -> Floats:
    """Read a column as numbers; what is missing is NaN, what is no number or has no end is refused."""
    if name not in table.columns:
        return np.full(len(table), np.nan)
    column = table[name]
    dated = pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column)
    numbers = pd.Series(np.nan, column.index) if dated else pd.to_numeric(column, errors="coerce")
    values = numbers.to_numpy(dtype=float, na_value=np.nan)
    wrong = np.isinf(values) | (np.isnan(values) & column.notna().to_numpy())
    if wrong.any():
        at = np.flatnonzero(wrong)
        named, value = spoken_rows([str(row + 1) for row in at]), str(column.iloc[at[0]])
        raise DataError(
            f"{title}: {named}, {name} {value!r} is not a finite number; "
            "correct it, or leave the cell empty where it is unknown"
        )
    return values
