"""The tables, their columns and units, and what was found wrong in them."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import pyproj
from affine import Affine


class Note(NamedTuple):
    """Something a reader must know about a table: repaired, dropped, assumed or unknown.

    Notes travel in ``table.attrs["notes"]`` as a tuple and reach the report's sheet "Data problems".
    """

    table: str
    """Which table it is about, for example ``hazards``."""
    kind: str
    """``repaired``, ``set aside``, ``dropped``, ``assumed``, ``unknown`` or ``advice``."""
    text: str
    """What was found and what was done about it, one sentence."""
    affected: int = 0
    """How many rows it concerns; 0 where it is about the whole table."""
    rows: tuple[str, ...] = ()
    """Which records of the source, counted from 1 (``"17"``; of several files ``"2005.json:17"``)."""

    def __deepcopy__(self, memo: Any) -> "Note":
        """Return itself: pandas copies ``attrs`` deeply at every step, and a note never changes."""
        return self


def notes_of(*tables: Any) -> tuple[Note, ...]:
    """Collect the notes that tables, series and rasters carry, each once, in order."""
    found: dict[Note, None] = {}
    for table in tables:
        carried = getattr(table, "notes", None) if not hasattr(table, "attrs") else table.attrs.get("notes")
        found.update(dict.fromkeys(carried or ()))
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class PopulationRaster:
    """Where people live, as a raster that is read only where and when it is measured.

    Parameters
    ----------
    path
        File that rasterio can open.
    band
        Which band, counted from 1.
    unit
        ``people`` (per cell, as WorldPop has it) or ``people_per_km2``.
    crs, transform, width, height, nodata
        As the file says, or as the reader was told.
    notes
        What was found wrong or assumed.
    source
        File name, hash and layer, for the report.
    """

    path: str
    crs: pyproj.CRS
    transform: Affine
    width: int
    height: int
    band: int = 1
    unit: Literal["people", "people_per_km2"] = "people"
    nodata: float | None = None
    notes: tuple[Note, ...] = ()
    source: tuple[dict[str, Any], ...] = ()

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Extent in the raster's own CRS, ``(left, bottom, right, top)``, also where it is rotated."""
        corners = [self.transform @ (c, r) for c in (0, self.width) for r in (0, self.height)]
        x, y = zip(*corners, strict=True)
        return min(x), min(y), max(x), max(y)
