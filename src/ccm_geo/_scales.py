"""How a measure becomes 0 to 1: absolute and published, never relative to the other rows of a table."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real

import numpy as np
import numpy.typing as npt
import pandas as pd

from .errors import DataError

Array = npt.NDArray[np.float64]

_ROUNDING = 1e-6  # a sum of people over a raster may end this far below 0


@dataclass(frozen=True, kw_only=True)
class LogScale:
    """A count becomes 0 to 1 by its order of magnitude: each tenfold rise adds about as much.

    The value is ``log(1 + x) / log(1 + full_at)``, never above 1.

    Parameters
    ----------
    full_at
        The measure at which the factor counts in full, in the measure's own unit.

    Examples
    --------
    >>> LogScale(full_at=9_999).read(pd.Series([0, 99, 9_999, 50_000, None])).round(3).tolist()
    [0.0, 0.5, 1.0, 1.0, nan]
    """

    full_at: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.full_at) and self.full_at > 0):
            raise DataError(f"LogScale: full_at is {self.full_at}; give a number above 0")

    def read(self, measure: pd.Series) -> Array:
        """Give 0 to 1 for every row, shape ``(len(measure),)``; NaN where the measure is unknown."""
        values = _numbers(measure)
        _refuse(
            measure,
            values < -_ROUNDING,
            "is below 0",
            "a log scale counts from 0; give a LinearScale instead",
        )
        return np.clip(np.log1p(np.maximum(values, 0.0)) / math.log1p(self.full_at), 0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class LinearScale:
    """A measure becomes 0 to 1 in a straight line; beyond either end it stays at the end.

    Parameters
    ----------
    full_at
        The measure at which the factor counts in full.
    zero_at
        The measure at which it counts nothing. Above ``full_at`` where less of the measure is worse.

    Examples
    --------
    >>> LinearScale(zero_at=60, full_at=0).read(pd.Series([0, 15, 60, 90])).tolist()
    [1.0, 0.75, 0.0, 0.0]
    """

    full_at: float
    zero_at: float = 0.0

    def __post_init__(self) -> None:
        ends = (self.full_at, self.zero_at)
        if not all(map(math.isfinite, ends)) or self.full_at == self.zero_at:
            raise DataError(f"LinearScale: zero_at and full_at are {ends[1]} and {ends[0]}; give two numbers")

    def read(self, measure: pd.Series) -> Array:
        """Give 0 to 1 for every row, shape ``(len(measure),)``; NaN where the measure is unknown."""
        share = (_numbers(measure) - self.zero_at) / (self.full_at - self.zero_at)
        return np.clip(share, 0.0, 1.0) + 0.0  # + 0.0: no minus zero


@dataclass(frozen=True, kw_only=True)
class CategoryScale:
    """A label becomes 0 to 1 by a published list; a label that is not on the list is unknown, not zero.

    Parameters
    ----------
    values
        Label to 0..1. Capitals do not matter. Of several labels in one cell, ``"cluster;uxo"``, the highest
        counts.

    Examples
    --------
    >>> scale = CategoryScale(values={"SHA": 0.2, "CHA": 1})
    >>> scale.read(pd.Series(["SHA", "cha", "CHA;SHA", "somewhere", None])).tolist()
    [0.2, 1.0, 1.0, nan, nan]
    """

    values: Mapping[str, float]

    def __post_init__(self) -> None:
        bad = [f"{label!r}: {v}" for label, v in self.values.items() if not 0 <= v <= 1]
        if bad or not self.values:
            raise DataError("CategoryScale: every label needs a number from 0 to 1", bad)

    def read(self, measure: pd.Series) -> Array:
        """Give 0 to 1 for every row, shape ``(len(measure),)``; NaN where the label is unknown."""
        by_label = {cell: self._value(cell) for cell in measure.dropna().unique()}
        return measure.map(by_label).to_numpy(dtype=float, na_value=np.nan)

    def unlisted(self, measure: pd.Series) -> list[str]:
        """Name the labels that stand in the measure but not on the list."""
        cells = measure.dropna().unique()
        return sorted(str(cell) for cell in cells if math.isnan(self._value(cell)))

    def _value(self, cell: object) -> float:
        listed = {str(label).strip().casefold(): float(v) for label, v in self.values.items()}
        found = [listed[part] for part in _labels(cell) if part in listed]
        return max(found, default=math.nan)


def _labels(cell: object) -> list[str]:
    return [part.strip().casefold() for part in str(cell).split(";")]


Scale = LogScale | LinearScale | CategoryScale


def _numbers(measure: pd.Series) -> Array:
    if not (pd.api.types.is_numeric_dtype(measure.dtype) or measure.isna().all()):
        cells = [cell if isinstance(cell, (str, Real)) else math.nan for cell in measure]  # no dates
        turned = pd.to_numeric(pd.Series(cells, index=measure.index), errors="coerce")
        _refuse(measure, (turned.isna() & measure.notna()).to_numpy(), "is not a number", "give a number")
        measure = turned
    values = measure.to_numpy(dtype=float, na_value=np.nan)
    _refuse(measure, np.isinf(values), "is infinite", "give a number, or leave the cell empty if unknown")
    return values


def _refuse(measure: pd.Series, bad: npt.NDArray[np.bool_], fault: str, cure: str) -> None:
    if bad.any():
        where = np.flatnonzero(bad)
        rows = [f"row {i + 1}, {measure.name} {measure.iloc[i]} {fault}: {cure}" for i in where]
        raise DataError(f"facts: {len(where)} values of {measure.name} cannot be scored", rows)
