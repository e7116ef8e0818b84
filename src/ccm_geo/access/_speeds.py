"""How fast one drives: by the table, by the class of the road, or by a placeholder that says so."""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from ccm_geo.assumptions import Assumption
from ccm_geo.errors import DataError
from ccm_geo.schemas import Note

Floats: TypeAlias = npt.NDArray[np.float64]
Speed: TypeAlias = float | Assumption

_SOURCE = (
    "No source found for roads after a war; set below the OSRM car profile of open roads "
    "(primary 65, secondary 55, tertiary 40 km/h)"
)


def _placeholder(kmh: float) -> Assumption:
    return Assumption(value=kmh, unit="km/h", source=_SOURCE, confidence="none", placeholder=True)


SPEEDS: dict[str, Assumption] = {
    "motorway": _placeholder(80),
    "trunk": _placeholder(70),
    "primary": _placeholder(60),
    "secondary": _placeholder(40),
    "tertiary": _placeholder(30),
    "unclassified": _placeholder(25),
    "residential": _placeholder(20),
    "service": _placeholder(15),
    "track": _placeholder(15),
    "path": _placeholder(5),
    "footway": _placeholder(5),
}
"""Speed by class of road where the table gives none. All are placeholders: no published source was found for
poor roads after a war; they are set below the speeds of OSRM's car profile (Project OSRM, osrm-backend,
profiles/car.lua: motorway 90, trunk 85, primary 65, secondary 55, tertiary 40, unclassified and residential
25, service 15 km/h). Replace them with ``speeds=`` or a column ``speed_kmh``."""

OTHER_SPEED = _placeholder(20)
"""Speed on a road of any other class. Standing: placeholder, as `SPEEDS`."""


def require_positive(**numbers: float) -> None:
    """Refuse numbers that are not above 0, by name."""
    for name, value in numbers.items():
        if not value > 0:
            raise DataError(f"{name} must be a positive number, not {value}")


def speeds_of(roads: pd.DataFrame, given: Mapping[str, Speed]) -> tuple[Floats, tuple[Note, ...]]:
    """Give km/h by row, and say what was assumed and who says so."""
    said = {
        name: value if isinstance(value, Assumption) else Assumption(value=value, unit="km/h", source="")
        for name, value in given.items()
    }
    require_positive(**{f"speeds[{name!r}]": row.value for name, row in said.items()})
    kmh = np.full(len(roads), np.nan)
    if "speed_kmh" in roads:
        kmh = pd.to_numeric(roads["speed_kmh"], errors="coerce").to_numpy(dtype=float, na_value=np.nan).copy()
        kmh[~((kmh > 0) & np.isfinite(kmh))] = np.nan
    gap = np.isnan(kmh)
    if not gap.any():
        return kmh, ()
    blank = pd.Series(None, index=roads.index, dtype=object)
    classes = roads.get("road_class", blank)
    known = {**SPEEDS, **said}
    by_class = classes.map({name: row.value for name, row in known.items()})
    found = by_class.to_numpy(dtype=float, na_value=np.nan)
    unknown = gap & np.isnan(found)
    kmh = np.where(gap, np.where(unknown, OTHER_SPEED.value, found), kmh)
    return kmh, _assumed(classes[gap & ~unknown], int(unknown.sum()), known)


def _assumed(classes: pd.Series, unknown: int, known: Mapping[str, Assumption]) -> tuple[Note, ...]:
    notes = []
    count = classes.value_counts()
    for source in dict.fromkeys(known[name].source for name in count.index):
        named = [name for name in count.index if known[name].source == source]
        rows = int(count[named].sum())
        listed = ", ".join(f"{name} {known[name].value:g}" for name in named)
        if any(known[name].placeholder for name in named):
            text = (
                f"{rows} roads without speed: a placeholder by class ({listed} km/h); give speeds=. {source}"
            )
            notes.append(Note("roads", "assumed", text, rows))
        elif source:
            text = f"{rows} roads without speed: by class ({listed} km/h). {source}"
            notes.append(Note("roads", "assumed", text, rows))
    if unknown:
        text = (
            f"{unknown} roads without speed and known class: {OTHER_SPEED.value:g} km/h, a placeholder; "
            f"give speeds=. {_SOURCE}"
        )
        notes.append(Note("roads", "assumed", text, unknown))
    return tuple(notes)


def oneway_of(roads: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Say which roads lead only along their line."""
    if "oneway" not in roads:
        return np.zeros(len(roads), dtype=bool)
    return roads["oneway"].astype("boolean").fillna(False).to_numpy(dtype=bool)
