"""Tests every finished plan from its rows alone, with plain sums; shares no code with the model."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

_AREA_SLACK = 1e-6  # share of an area: rounding of sums, nothing more


def faults_of(
    chosen: pd.DataFrame,
    options: pd.DataFrame,
    rules: Sequence[Any],
    *,
    benefit: float,
    rows: npt.NDArray[np.int64],
) -> list[str]:
    """Name everything that is wrong with a plan; an empty list where nothing is.

    Parameters
    ----------
    chosen
        Rows of the plan.
    options
        Rows that it was chosen from.
    rules
        The rules, spelled out; each is asked with its own ``faults``.
    benefit
        What the plan claims to avert.
    rows
        Where each chosen row stands among the options, counted from 0.
    """
    found = [*_rows_faults(chosen, options, rows), *_path_faults(chosen, options), *_area_faults(chosen)]
    again = math.fsum([*chosen["benefit"], *(b for r in rules for b in r.bonuses(chosen, options).values())])
    if not math.isclose(again, benefit, rel_tol=1e-9, abs_tol=1e-12):
        found.append(f"benefit adds up to {again!r}, not to {benefit!r}")
    for rule in rules:
        found += rule.faults(chosen, options)
    return found


def passed(chosen: pd.DataFrame, rules: Sequence[Any]) -> tuple[str, ...]:
    """Say what was tested, for the report."""
    lines = [
        f"{len(chosen):,} rows stand in the list of options, each once",
        "cost and benefit added up again",
        "every hazard follows one path of land release",
    ]
    if "left_m2" in chosen:
        lines.append("cancelled + reduced + cleared + left = area worked on, along every path")
    return (*lines, *(f"{rule.title}: kept" for rule in rules))


def _rows_faults(chosen: pd.DataFrame, options: pd.DataFrame, rows: npt.NDArray[np.int64]) -> list[str]:
    ids = chosen["option_id"]
    found = [f"option {i!r} is chosen twice" for i in ids[ids.duplicated()]]
    listed = options.iloc[rows]
    for name in ("option_id", "hazard_id", "activity", "year", "cost_usd", "benefit", "state_now"):
        if name in options:
            differs = listed[name].to_numpy() != chosen[name].to_numpy()
            found += [f"option {i!r} has another {name} than in the list" for i in ids[differs]]
    return found


def _path_faults(chosen: pd.DataFrame, options: pd.DataFrame) -> list[str]:
    """Walk through every hazard's rows: each starts in the state that the one before has left."""
    if "hazard_id" not in chosen:
        return []
    if "state_from" not in chosen:
        many = chosen["hazard_id"][chosen["hazard_id"].duplicated()]
        return [f"hazard {h!r} has more than one option" for h in many]
    today = _states_today(chosen, options)
    steps: dict[Any, list[tuple[float, str, str]]] = {}
    dated = chosen if "year" in chosen else chosen.assign(year=0)
    moves = [dated[c].astype(str).tolist() for c in ("state_from", "state_to")]
    for hazard, year, begin, end in zip(
        dated["hazard_id"].tolist(), dated["year"].tolist(), *moves, strict=True
    ):
        steps.setdefault(hazard, []).append((year, begin, end))
    return [fault for hazard, rows in steps.items() for fault in _walk(hazard, rows, today[hazard])]


def _walk(hazard: Any, rows: Iterable[tuple[float, str, str]], state: str) -> list[str]:
    waiting = list(rows)
    for year in sorted({row[0] for row in waiting}):
        now = [(a, b) for y, a, b in waiting if y == year]
        moves, interim = [m for m in now if m[0] != m[1]], [m for m in now if m[0] == m[1]]
        while moves:
            step = next((m for m in moves if m[0] == state), None)
            if step is None:
                return [
                    f"hazard {hazard!r}: {moves[0][0]} to {moves[0][1]} in {year} but the land is {state}"
                ]
            moves.remove(step)
            state = step[1]
        if len(interim) > 1:
            return [f"hazard {hazard!r}: {len(interim)} interim options in {year}"]
        if interim and interim[0][0] != state:
            return [
                f"hazard {hazard!r}: interim option for {interim[0][0]} in {year} but the land is {state}"
            ]
    return []


def _states_today(chosen: pd.DataFrame, options: pd.DataFrame) -> dict[Any, str]:
    if "state_now" in chosen:
        one = chosen.drop_duplicates("hazard_id")
        return dict(zip(one["hazard_id"].tolist(), one["state_now"].astype(str).tolist(), strict=True))
    rows = options[options["hazard_id"].isin(chosen["hazard_id"])]
    begins: dict[Any, set[str]] = {}
    entered: dict[Any, set[str]] = {}
    columns = (rows["hazard_id"], rows["state_from"].astype(str), rows["state_to"].astype(str))
    for hazard, begin, end in zip(*columns, strict=True):
        begins.setdefault(hazard, set()).add(begin)
        if begin != end:
            entered.setdefault(hazard, set()).add(end)
    return {h: next(iter(states - entered.get(h, set())), "") for h, states in begins.items()}


def _area_faults(chosen: pd.DataFrame) -> list[str]:
    parts = ["cancelled_m2", "reduced_m2", "cleared_m2", "left_m2"]
    if not {"area_m2", *parts} <= set(chosen.columns):
        return []
    area, after = chosen["area_m2"].to_numpy(), chosen[parts].sum(axis=1).to_numpy()
    wrong = abs(area - after) > _AREA_SLACK * area
    found = [f"option {i!r}: its areas do not add up" for i in chosen.loc[wrong, "option_id"]]
    if "state_from" not in chosen or "hazard_id" not in chosen:
        return found
    left: dict[Any, float] = {}
    by = ["year", "_worked"] if "year" in chosen else ["_worked"]
    order = chosen.assign(_worked=-area).sort_values(by, kind="stable")
    for hazard, worked, remains in zip(order["hazard_id"], order["area_m2"], order["left_m2"], strict=True):
        before = left.get(hazard, worked)
        if abs(before - worked) > _AREA_SLACK * max(before, worked):
            found.append(f"hazard {hazard!r}: {worked:,.0f} m2 worked on but {before:,.0f} m2 were left")
        left[hazard] = remains
    return found
