"""Areas in a table of options: each row adds up, and what one row leaves is what the next one works on."""

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from ccm_geo.errors import DataError
from ccm_geo.schemas import spoken_rows

if TYPE_CHECKING:
    from .listing import Listing

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_PARTS = ("cancelled_m2", "reduced_m2", "cleared_m2", "left_m2")  # of the area worked on
_SLACK = 1e-6  # share of an area: rounding of sums, as in the check of a plan
_YEARS = 10_000  # more than any calendar year
_BEFORE: Literal["left"] = "left"
_AFTER: Literal["right"] = "right"
_UNKNOWN = f"or drop the column {_PARTS[-1]} where it is not known"


def require_sums(options: pd.DataFrame) -> None:
    """Refuse rows whose areas are below 0 or do not add up.

    Raises
    ------
    DataError
        Names the rows, both numbers and the cure.
    """
    if not {"area_m2", *_PARTS} <= set(options.columns):
        return
    for name in ("area_m2", *_PARTS):
        if not pd.api.types.is_numeric_dtype(options[name].dtype):
            raise DataError(f"options: column {name!r} does not hold numbers")
    area = options["area_m2"].to_numpy(dtype=float, na_value=np.nan)
    for name in ("area_m2", *_PARTS):
        below = options[name].to_numpy(dtype=float, na_value=np.nan) < -_SLACK * np.abs(area)
        if below.any():
            value = options[name].iloc[int(below.argmax())]
            raise DataError(
                f"options: {_said(below)}, {name} {value:,.1f} is below 0; give areas of 0 or more"
            )
    parts = options[list(_PARTS)].sum(axis=1).to_numpy(dtype=float)
    wrong = np.abs(area - parts) > _SLACK * area
    if wrong.any():
        first = int(wrong.argmax())
        raise DataError(
            f"options: {_said(wrong)}, {' + '.join(_PARTS)} is {parts[first]:,.1f}, "
            f"area_m2 {area[first]:,.1f}; make them add up, {_UNKNOWN}"
        )


def require_one_land(listing: "Listing") -> None:
    """Refuse hazards of which one row works on another area than a row before it leaves in the same state.

    A row is held against those that lead to where it begins, in earlier years, or as a step in its own.

    Raises
    ------
    DataError
        Names both rows, both numbers and the cure.
    """
    frame = listing.frame
    if not {"area_m2", *_PARTS, "state_from"} <= set(frame.columns):
        return
    area, left = (frame[c].to_numpy(dtype=float, na_value=np.nan) for c in ("area_m2", "left_m2"))
    states = int(max(listing.src.max(), listing.dst.max())) + 1
    begins, ends = (listing.hazard * states + s for s in (listing.src, listing.dst))
    usual = np.full(len(listing.hazard_ids) * states, np.nan)
    usual[ends] = left
    if not (_differ(usual[ends], left) | _differ(usual[begins], area)).any():
        return
    moves, now = listing.src != listing.dst, begins * _YEARS + listing.year
    for steps in (True, False):  # in a year steps come before interim work
        earlier, side = (moves, _AFTER) if steps else (~moves, _BEFORE)
        order = np.flatnonzero(earlier & ~np.isnan(left))
        order = order[np.argsort(ends[order] * _YEARS + listing.year[order], kind="stable")]
        when = ends[order] * _YEARS + listing.year[order]
        since, until = np.searchsorted(when, begins * _YEARS), np.searchsorted(when, now, side=side)
        groups = pd.Series(left[order]).groupby(ends[order])
        wrong = np.zeros(len(area), bool)
        some = np.flatnonzero(until > since)
        for most in (groups.cummin(), groups.cummax()):
            wrong[some] |= _differ(most.to_numpy()[until[some] - 1], area[some])
        if wrong.any():
            first = int(wrong.argmax())
            own = order[since[first] : until[first]]
            raise _contradiction(listing, wrong, first, own[_differ(left[own], area[first])][0])


def _contradiction(listing: "Listing", wrong: Mask, row: int, before: int) -> DataError:
    """Say which area one row works on, and what an earlier one leaves."""
    frame, place, hazard = listing.frame, listing.row, str(listing.hazard_ids[listing.hazard[row]])
    count = int(wrong.sum())
    also = f" ({count - 1:,} more rows contradict others so)" if count > 1 else ""
    return DataError(
        f"options: row {place[row] + 1}, area_m2 is {frame['area_m2'].iloc[row]:,.1f}, but row "
        f"{place[before] + 1} leaves left_m2 {frame['left_m2'].iloc[before]:,.1f} of the same hazard "
        f"{hazard!r} in state {str(frame['state_from'].iloc[row])!r}{also}; "
        f"make the two agree, {_UNKNOWN}"
    )


def _differ(some: Floats, other: Floats) -> Mask:
    """Say which areas are not the same; what is not known differs from nothing."""
    return np.asarray(np.abs(some - other) > _SLACK * np.maximum(some, other))


def _said(which: Mask) -> str:
    return spoken_rows([str(row + 1) for row in np.flatnonzero(which)])
