"""The way every table takes from its source to our columns: one order of steps for all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import geopandas as gpd
import pandas as pd

from ccm_geo._columns import Table
from ccm_geo.errors import DataError

from . import columns, personal, places, repair
from .findings import Findings
from .sources import Source, open_source
from .values import without_nothing


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What the planner says about a source; every field is a keyword of the ``read_*`` functions."""

    layer: str | None = None
    rename: Mapping[str, str] | None = None
    values: columns.Values | None = None
    crs: Any = None
    assume: Mapping[str, Any] | None = None
    where: columns.Where | None = None
    lon: str | None = None
    lat: str | None = None
    wkt: str | None = None
    radius_m: float | None = None
    repeats: Literal["drop", "keep"] | None = None
    strict: bool = False


Step = Callable[[pd.DataFrame, Findings], pd.DataFrame]


def read_table(
    source: Source,
    spec: Table,
    ask: Ask,
    *,
    reshape: Step | None = None,
    finish: Step | None = None,
) -> pd.DataFrame:
    """Read, rename, locate, filter, mend, type and check one table.

    Parameters
    ----------
    source
        What the planner named.
    spec
        What the table holds.
    ask
        What the planner says about it.
    reshape
        A step right after columns have their names, where records become several rows.
    finish
        A step at the end, on typed columns, before all faults are raised.

    Returns
    -------
    pandas.DataFrame
        A GeoDataFrame where there is a geometry, on a fresh index, with ``notes`` and ``source`` in
        ``attrs``.

    Raises
    ------
    DataError, CRSError, SourceError
        As the public functions say.
    """
    opened = open_source(source, spec.name, ask.layer)
    found = Findings(spec.name, [(file["file"], file["rows"]) for file in opened.files])
    for remark in opened.remarks:
        found.note("advice", remark)
    frame = _our_columns(opened.frame, spec, ask, found)
    if reshape is not None:
        frame = reshape(frame, found)
    frame = columns.filtered(frame, ask.where, ask.values, spec, found)
    frame = _placed(frame, spec, ask, found)
    frame = columns.assumed(frame, ask.assume, found)
    frame = _without_blanks(frame, spec, found)
    frame = columns.typed(frame, spec, ask.values, found)
    if not found.faults:
        frame = repair.with_ids(frame, _made(spec), found, unique=bool(spec.key))
        frame = finish(frame, found) if finish is not None else frame
    notes = found.close(strict=ask.strict)
    frame = _in_order(frame.reset_index(drop=True), spec)
    frame.attrs = {"notes": notes, "source": list(opened.files)}
    return frame


def _our_columns(frame: pd.DataFrame, spec: Table, ask: Ask, found: Findings) -> pd.DataFrame:
    place = (ask.lon, ask.lat, ask.wkt)
    frame, personally = personal.drop_personal(frame, spec.name, places.place_columns(frame, place))
    if personally:
        listed = ", ".join(map(repr, personally))
        found.note("dropped", f"columns with personal data are dropped at the door: {listed}")
    frame = places.located(frame, spec, place, ask.crs, found)
    return columns.named(frame, spec, ask.rename, found)


def _placed(frame: pd.DataFrame, spec: Table, ask: Ask, found: Findings) -> pd.DataFrame:
    """Mend the geometry; then drop what is repeated in full."""
    if not isinstance(frame, gpd.GeoDataFrame):
        return repair.without_repeats(frame, spec.key, found, ask.repeats)
    layer = repair.with_places(frame, found, needed=spec.located)
    layer = repair.flat(places.without_impossible(layer, found), found)
    layer = repair.without_repeats(layer, spec.key, found, ask.repeats)
    if ask.radius_m is not None:
        if not ask.radius_m > 0:
            raise DataError(f"{spec.name}: radius_m={ask.radius_m!r} must be above 0, in metres")
        layer = repair.buffered(layer, ask.radius_m, found)
    elif spec.name == "hazards" and len(layer) and layer.geom_type.isin(("Point", "MultiPoint")).all():
        raise DataError(
            "hazards: all records are points; say how far each reaches with radius_m=, metres, for "
            "example radius_m=250"
        )
    layer = repair.of_kind(layer, spec, found)
    return repair.valid(layer, found) if "Polygon" in spec.shapes else layer


def _made(spec: Table) -> str:
    return next((column.name for column in spec.columns if column.made), "")


def _without_blanks(frame: pd.DataFrame, spec: Table, found: Findings) -> pd.DataFrame:
    for column in spec.columns:
        if column.blank == "fault" or column.name not in frame.columns:
            continue
        blank = without_nothing(frame[column.name]).isna()
        if not blank.any():
            continue
        text = f"{column.name} is blank, which is unknown and not zero"
        if column.blank == "set aside":
            found.mend("set aside", text, frame.index[blank])
            frame = frame[~blank]
        else:
            found.note(
                "unknown", f"{text}: the record is kept as a place without a number", frame.index[blank]
            )
    return frame


def _in_order(frame: pd.DataFrame, spec: Table) -> pd.DataFrame:
    """Put our columns first, in the order of the table, and the geometry last."""
    ours = [column.name for column in spec.columns if column.name in frame.columns]
    rest = [name for name in frame.columns if name not in ours and name != "geometry"]
    last = ["geometry"] if "geometry" in frame.columns else []
    return frame[[*ours, *rest, *last]]
