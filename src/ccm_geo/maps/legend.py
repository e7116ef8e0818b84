"""Legends: which class, year or activity every area belongs to, and how that is drawn."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise

import geopandas as gpd
import numpy as np
import pandas as pd

from ccm_geo.maps.payload import Column, Ints, coded
from ccm_geo.maps.scene import Parts
from ccm_geo.scoring import RISK

RAMP = ("#48154f", "#a23560", "#e2743b", "#f7bd6b", "#fcefcf")
"""Dark purple over orange to cream: apart under color blindness and in grey print; the palest is outlined."""
CATEGORIES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#5a5a5a")
"""Colors without an order that stay apart under color blindness (Okabe and Ito, 2008)."""
_CLOSED = "#6d7480"
_HANDED_OVER = "#8a6f4e"
_UNKNOWN = "#4d4d4d"
_LATER = "#8d5a86"
_INTERIM = "#0072b2"
_RELEASED = "released"
_NOT_PLANNED = "#b4b9c0"  # still a hazard, so still a surface; only without a year


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the legend.

    Parameters
    ----------
    label
        What it says.
    color
        Written ``#rrggbb``.
    detail
        What is added in grey, such as the class's breaks.
    kind
        ``fill``, ``hollow`` or ``hatch``.
    focus
        Whether the districts' shade counts it.
    keep
        Whether it stays in the legend with nothing to show.
    """

    label: str
    color: str
    detail: str = ""
    kind: str = "fill"
    focus: bool = False
    keep: bool = False


def ramp(count: int) -> list[str]:
    """Take so many colors from the ramp, darkest first, evenly apart.

    >>> ramp(2)
    ['#48154f', '#fcefcf']
    """
    stops = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in RAMP], dtype=float)
    at = np.linspace(0, len(RAMP) - 1, count) if count > 1 else np.zeros(1)
    mixed = np.column_stack([np.interp(at, range(len(RAMP)), stops[:, channel]) for channel in range(3)])
    return ["#" + "".join(f"{round(value):02x}" for value in color) for color in mixed]


@dataclass(frozen=True, kw_only=True)
class Legend:
    """A way to color the map.

    Parameters
    ----------
    label
        What the colors say.
    entries
        The lines, the most important first.
    codes
        Which line every area belongs to, shape ``(areas,)``.
    later
        Line for an area whose first year is still to come; None where years play no part.
    planned
        Whether the lines that the districts' shade counts are all areas that the plan works on.
    """

    label: str
    entries: Sequence[Entry]
    codes: Ints
    later: int | None = None
    planned: bool = False


def add_legends(parts: Parts, legends: Sequence[Legend | None]) -> None:
    """Add the ways to color the map; the first is shown first."""
    there = [legend for legend in legends if legend is not None]
    for place, legend in enumerate(there):
        parts.columns[f"view_{place}"] = Column(numbers=legend.codes)
    parts.content["views"] = [
        {
            "label": one.label,
            "entries": [asdict(entry) for entry in one.entries],
            "later": one.later,
            "planned": one.planned,
        }
        for one in there
    ]


def class_legend(scores: pd.DataFrame, closed: Ints, words: Mapping[str, str]) -> Legend:
    """Color by the class of the score, with its published breaks."""
    labels = [str(label) for label in scores.attrs.get("labels") or RISK.labels][::-1]
    colors = RAMP if len(labels) == len(RAMP) else ramp(len(labels))
    spans = _spans(scores.attrs.get("breaks", ()), len(labels))
    important = max(1, round(0.4 * len(labels)))
    entries = [
        Entry(label=label, color=color, detail=span, focus=place < important, keep=True)
        for place, (label, color, span) in enumerate(zip(labels, colors, spans, strict=True))
    ]
    entries.append(Entry(label=words["not_scored"], color=_UNKNOWN, kind="hollow"))
    at = {label: place for place, label in enumerate(labels)}
    codes = scores["class"].astype(str).map(at).fillna(len(labels)).to_numpy(dtype=np.int64)
    return _with_closed(words["class_of"], entries, codes, closed, words)


def _spans(breaks: Sequence[float], classes: int) -> list[str]:
    """Write the published breaks of the classes, high to low."""
    if classes != len(breaks) + 1:
        return [""] * classes
    return [f"{low:g}\u2013{high:g}" for low, high in pairwise([0.0, *breaks, 100.0])][::-1]


def recorded_legend(facts: gpd.GeoDataFrame, closed: Ints, words: Mapping[str, str]) -> Legend | None:
    """Color by what the area is recorded as, confirmed before suspected."""
    if "hazard_class" not in facts:
        return None
    names, found = coded(facts["hazard_class"])
    order = sorted(range(len(names)), key=lambda place: (names[place] != "CHA", names[place]))
    known = {"CHA": (words["cha"], RAMP[1]), "SHA": (words["sha"], RAMP[3])}
    entries = []
    for place, n in enumerate(order):
        label, color = known.get(names[n], (names[n], CATEGORIES[place % len(CATEGORIES)]))
        entries.append(Entry(label=label, color=color, focus=True))
    entries.append(Entry(label=words["unknown"], color=_UNKNOWN, kind="hollow"))
    line = np.array([*np.argsort(order), len(names)], dtype=np.int64)  # the last one answers -1, unknown
    return _with_closed(words["recorded_as"], entries, line[found.numbers], closed, words)


def year_legend(first: Ints, years: Sequence[int], closed: Ints, words: Mapping[str, str]) -> Legend:
    """Color by the first year in which the plan works on an area."""
    colors = ramp(len(years)) if len(years) > 1 else [RAMP[1]] * len(years)
    entries = [
        Entry(label=str(year), color=color, focus=True, keep=True)
        for year, color in zip(years, colors, strict=True)
    ]
    entries.append(Entry(label=words["plan_later"], color=_LATER, kind="hollow"))
    entries.append(Entry(label=words["not_in_plan"], color=_NOT_PLANNED))
    codes = np.where(first >= 0, first, len(entries) - 1)
    legend = _with_closed(words["year_plan"], entries, codes, closed, words)
    return replace(legend, later=len(years), planned=True)


def activity_legend(steps: pd.DataFrame, closed: Ints, words: Mapping[str, str]) -> Legend | None:
    """Color by what is done on an area, in order; rare combinations share one line."""
    if steps.empty:
        return None
    by_row: dict[int, dict[str, None]] = {}
    for row, name in zip(steps["row"].tolist(), steps["activity"].astype(str).tolist(), strict=True):
        by_row.setdefault(row, {})[words.get(f"activity_{name}", name)] = None
    done = {row: words["then"].join(names) for row, names in by_row.items()}
    shown = [name for name, _ in Counter(done.values()).most_common(len(CATEGORIES) - 1)]
    entries = [
        Entry(label=name, color=color, focus=True) for name, color in zip(shown, CATEGORIES, strict=False)
    ]
    entries.append(Entry(label=words["other_steps"], color=CATEGORIES[-1], focus=True))
    entries.append(Entry(label=words["not_in_plan"], color=_NOT_PLANNED))
    at = {name: place for place, name in enumerate(shown)}
    codes = np.full(len(closed), len(entries) - 1, dtype=np.int64)
    codes[list(done)] = [at.get(name, len(shown)) for name in done.values()]
    return replace(_with_closed(words["activities"], entries, codes, closed, words), planned=True)


def end_legend(steps: pd.DataFrame, closed: Ints, words: Mapping[str, str]) -> Legend | None:
    """Color by where the plan leaves an area: released, on its way, or without a step of land release."""
    if steps.empty or not {"state_from", "state_to"} <= set(steps.columns):
        return None
    end = steps["state_to"].astype(str)
    moves = steps[steps["state_from"].astype(str) != end]
    last = moves["row"].map(dict(zip(moves["row"], end[moves.index], strict=True)))
    left = dict(zip(moves["row"], last, strict=True))
    states = [s for s in _states(steps) if s in set(left.values())]
    year = str(int(steps["year"].max()))
    labels = [
        words["end_released"].replace("{year}", year)
        if state == _RELEASED
        else words["end_state"].replace("{state}", words.get(f"state_{state}", state))
        for state in states
    ]
    entries = [
        Entry(label=label, color=color, focus=state == _RELEASED)
        for label, color, state in zip(labels, ramp(max(len(states), 2)), states, strict=False)
    ]
    entries.append(Entry(label=words["end_interim"], color=_INTERIM, kind="hollow"))
    entries.append(Entry(label=words["not_in_plan"], color=_NOT_PLANNED))
    codes = np.full(len(closed), len(entries) - 1, dtype=np.int64)
    rows = steps["row"].unique()
    codes[rows] = [states.index(left[row]) if row in left else len(states) for row in rows.tolist()]
    return _with_closed(words["end_of_plan"], entries, codes, closed, words)


def _states(steps: pd.DataFrame) -> list[str]:
    """List the states that steps lead to, the last of land release first."""
    kind = steps["state_to"].dtype
    if isinstance(kind, pd.CategoricalDtype) and kind.ordered:
        return [str(s) for s in kind.categories[::-1]]
    return sorted(steps["state_to"].astype(str).unique(), key=lambda s: (s != _RELEASED, s))


def _with_closed(
    label: str, entries: list[Entry], codes: Ints, closed: Ints, words: Mapping[str, str]
) -> Legend:
    """Set apart what the record calls closed or handed over: hatched, and never in the shade."""
    finished = [
        Entry(label=words["closed"], color=_CLOSED, kind="hatch"),
        Entry(label=words["handed_over"], color=_HANDED_OVER, kind="hatch"),
    ]
    lines = np.where(closed > 0, len(entries) - 1 + closed, codes).astype(np.int64)
    return Legend(label=label, entries=[*entries, *finished], codes=lines)
