"""What the measures of exposure say about hazards whose people they do not know."""

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import shapely

from ccm_geo.schemas import Note

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Shapes: TypeAlias = npt.NDArray[Any]
Names: TypeAlias = npt.NDArray[Any]
Notes: TypeAlias = tuple[Note, ...]


def nowhere(shapes: Shapes) -> Mask:
    """Say which geometries are missing or empty."""
    return np.asarray(shapely.is_missing(shapes) | shapely.is_empty(shapes))


def many(count: Any, what: str) -> str:
    """Spell a number of things."""
    return f"{int(count)} {what}{'s' if count != 1 else ''}"


def named(names: Names, which: Mask, shown: int = 5) -> str:
    """Spell the first few of the things marked."""
    found = [str(n) for n in names[which][:shown]]
    return f" ({', '.join(found)}{', ...' if which.sum() > shown else ''})"


def unknown(names: Names, said: Iterable[tuple[Mask, str, str]]) -> Notes:
    """Note which hazards something is unknown about: which, what, and what was done then."""
    return tuple(
        Note(
            "hazards",
            "unknown",
            f"{many(who.sum(), 'hazard')} {what}{named(names, who)}: {then}",
            int(who.sum()),
        )
        for who, what, then in said
        if who.any()
    )
