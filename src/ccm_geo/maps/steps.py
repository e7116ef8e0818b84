"""The plan's steps: what is done on which area in which year, what that gives, and why."""

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from ccm_geo.errors import DataError
from ccm_geo.maps.payload import Column, Ints, coded, measured
from ccm_geo.maps.scene import Parts
from ccm_geo.planning.reasons import without_option

_EXPECTED = ("cancelled_m2", "reduced_m2")


def chosen_steps(facts: gpd.GeoDataFrame, plan: Any) -> pd.DataFrame:
    """Give the chosen options with the row of facts that each is about, by row and year.

    Raises
    ------
    DataError
        If the options say nothing about hazards or years, or about none of these hazards.
    """
    chosen = plan.table
    lacking = [name for name in ("hazard_id", "year", "activity", "benefit") if name not in chosen]
    if lacking:
        raise DataError(f"map: the plan's options have no column {', '.join(lacking)}; they cannot be placed")
    row = {str(name): place for place, name in enumerate(facts["hazard_id"])}
    steps = chosen.assign(row=chosen["hazard_id"].astype(str).map(row))
    known = steps["row"].notna()
    if len(steps) and not known.any():
        raise DataError(
            "map: none of the plan's hazards stands in facts; draw the facts that were planned on"
        )
    steps = steps.loc[known]
    return steps.assign(row=steps["row"].astype(np.int64)).sort_values(["row", "year"], kind="stable")


def add_steps(
    parts: Parts, facts: gpd.GeoDataFrame, plan: Any, steps: pd.DataFrame, words: Mapping[str, str]
) -> tuple[Ints, list[int]]:
    """Add the plan's steps, sums and reasons.

    Returns
    -------
    tuple
        The first year of every area, as a place in the years, or -1; and the years.
    """
    years = sorted({int(year) for year in steps["year"]})
    year = np.searchsorted(years, steps["year"].to_numpy(dtype=np.int64)).astype(np.int64)
    row = steps["row"].to_numpy(dtype=np.int64)
    first = np.full(len(facts), -1, dtype=np.int64)
    first[row[::-1]] = year[::-1]
    named = steps["activity"].astype(str).map(lambda name: words.get(f"activity_{name}", name))
    activities, activity = coded(named)
    parts.columns |= {
        "plan_first": Column(numbers=first),
        "event_hazard": Column(numbers=row, delta=True),
        "event_year": Column(numbers=year),
        "event_activity": activity,
    }
    parts.content["plan"] = {
        "years": years,
        "activities": activities,
        "sums": _add_sums(parts, plan, steps, words),
        "hazards": int((first >= 0).sum()),
        "reasons": _add_reasons(parts, facts, plan),
    }
    return first, years


def _add_sums(parts: Parts, plan: Any, steps: pd.DataFrame, words: Mapping[str, str]) -> list[dict[str, Any]]:
    """Add what every step gives; released land by kind, never as one sum called cleared.

    What survey will cancel and reduce is an expectation until somebody has been there: told as ``about``.
    """
    relative = getattr(plan, "benefit_unit", "") == "relative"
    told = (
        ("cancelled_m2", words["cancelled"], "m2", 0),
        ("reduced_m2", words["reduced"], "m2", 0),
        ("cleared_m2", words["cleared"], "m2", 0),
        ("benefit", words["relative" if relative else "averted"], "", _digits(steps["benefit"])),
        ("cost_usd", words["usd"], "", 0),
    )
    there = [one for one in told if one[0] in steps]
    for key, _, _, digits in there:
        parts.columns[f"event_{key}"] = measured(steps[key], digits=digits)
    return [
        {"key": key, "label": label, "unit": unit, "digits": min(digits, 1), "about": key in _EXPECTED}
        for key, label, unit, digits in there
    ]


def _digits(values: pd.Series) -> int:
    """Say how many decimals the sum of many small values needs, to be right to a part in ten thousand."""
    total = abs(float(values.sum()))
    rounding = 0.5 * len(values)
    return 4 if total == 0 else int(np.clip(np.ceil(np.log10(rounding / (1e-4 * total))), 4, 9))


def _add_reasons(parts: Parts, facts: gpd.GeoDataFrame, plan: Any) -> list[str]:
    """Add the plan's reasons, and for hazards without an option why there was none."""
    reasons = getattr(plan, "reasons", None)
    if reasons is None or "reason" not in reasons:
        return []
    by_id = reasons["reason"].copy()
    by_id.index = by_id.index.astype(str)
    told = by_id[~by_id.index.duplicated()].reindex(facts["hazard_id"].astype(str))
    told.index = facts.index
    lists, parts.columns["plan_reason"] = coded(told.where(told.notna(), without_option(facts)))
    return lists
