"""What stands around a map: title, dates, sources, notes, disclaimer, and the page that holds it all."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import geopandas as gpd
import pandas as pd

from ccm_geo.maps.frame import Frame, skeleton, table
from ccm_geo.maps.offline import OfflineMap
from ccm_geo.maps.payload import MISSING, Scene
from ccm_geo.maps.picture import Box
from ccm_geo.maps.scene import Parts, levels_of, place_of
from ccm_geo.maps.sketch import sketch
from ccm_geo.schemas import notes_of

_NOTES = 40
_FIRST = 10
_LAYERS = (
    ("districts", "districts", "districts"),
    ("shade", "district_shade", "districts"),
    ("roads", "roads", "roads"),
    ("places", "places", "places"),
    ("population", "population", "people"),
)


@dataclass(frozen=True, kw_only=True)
class About:
    """What a page says about its map.

    Parameters
    ----------
    title, disclaimer
        Any text.
    language, words
        Language of the page and all its texts.
    data_date
        Date the data stand at; None takes the latest ``surveyed_on``.
    run_id
        Short mark of the run.
    tables
        Tables whose sources and notes are told, and plain texts.
    years
        Years of the plan.
    warning
        What a reader must know before anything else; "" for nothing.
    scenario
        Which of several plans is drawn; "" where there is one.
    """

    title: str
    disclaimer: str
    language: str
    words: Mapping[str, str]
    data_date: str | date | None
    run_id: str
    tables: Sequence[Any]
    years: Sequence[int] = ()
    warning: str = ""
    scenario: str = ""


def page_of(parts: Parts, facts: gpd.GeoDataFrame, box: Box, about: About) -> OfflineMap:
    """Put the scene and what stands around it together into a map."""
    words = about.words
    parts.content |= {
        "language": about.language,
        "words": dict(words),
        "box": [round(edge, 5) for edge in box],
        "levels": levels_of(facts, place_of(parts)),
    }
    top = parts.content["top"]
    frame = Frame(
        title=about.title,
        subtitle=_subtitle(facts, about),
        disclaimer=about.disclaimer,
        warning=about.warning,
        words={**words, "first_list": _first_title(about, len(top))},
        sources=_sources(about),
        notes=[*parts.notes, *_note_texts(about.tables)],
        layers=[(key, words[label]) for key, label, needs in _LAYERS if needs in parts.content],
        years=about.years,
        density="people" in parts.content,
        first=sketch(parts, box) + _first_rows(parts, facts, about, top[:_FIRST]),
    )
    scene = Scene(
        content=parts.content, columns=parts.columns, pictures=parts.pictures, frame=skeleton(frame)
    )
    return OfflineMap(title=about.title, language=about.language, scene=scene, box=box)


def _first_title(about: About, count: int) -> str:
    return about.words["first_benefit" if about.years else "first_list"].replace("{n}", str(count))


def _subtitle(facts: gpd.GeoDataFrame, about: About) -> str:
    known = _data_date(facts, about.data_date)
    dated = about.words["data_of"].replace("{date}", known) if known else about.words["no_date"]
    count = about.words["areas"].replace("{n}", f"{len(facts):,}")
    return " \u00b7 ".join(filter(None, (count, dated, about.scenario)))


def _data_date(facts: gpd.GeoDataFrame, given: str | date | None) -> str:
    if given is not None:
        return given if isinstance(given, str) else given.isoformat()
    if "surveyed_on" not in facts:
        return ""
    latest = pd.to_datetime(facts["surveyed_on"], errors="coerce").max()
    return "" if pd.isna(latest) else str(latest.date())


def _sources(about: About) -> list[str]:
    lines = dict.fromkeys(line for one in about.tables for line in _provenance(one))
    made = datetime.now(tz=UTC).date().isoformat()
    told = [*lines, about.words["made_on"].replace("{date}", made)]
    return [*told, about.words["run"].replace("{run}", about.run_id)] if about.run_id else told


def _provenance(one: Any) -> Iterable[str]:
    if isinstance(one, str):
        yield one
        return
    carried = one.attrs.get("source", ()) if hasattr(one, "attrs") else getattr(one, "source", ())
    for source in carried or ():
        layer = f", layer {source['layer']}" if source.get("layer") else ""
        rows = f", {source['rows']:,} rows" if isinstance(source.get("rows"), int) else ""
        mark = f", sha256 {str(source['sha256'])[:12]}" if source.get("sha256") else ""
        yield f"{source.get('file', '')}{layer}{rows}{mark}"


def _note_texts(tables: Iterable[Any]) -> list[str]:
    carried = notes_of(*(one for one in tables if not isinstance(one, str)))
    texts = list(dict.fromkeys(_told(note) for note in carried))
    rest = len(texts) - _NOTES
    return [*texts[:_NOTES], *([f"and {rest} more in the workbook"] if rest > 0 else [])]


def _told(note: Any) -> str:
    count = f" ({note.affected:,})" if note.affected else ""
    return f"{note.table}, {note.kind}: {note.text}{count}"


def _first_rows(parts: Parts, facts: gpd.GeoDataFrame, about: About, top: Sequence[int]) -> str:
    """Give the first areas as a table, for viewers that run no script."""
    shown = [name for name in ("hazard_id", "adm1", "adm2", "people_near") if name in facts]
    head = [about.words[f"column_{name}"] for name in shown]
    rows = [[_cell(value) for value in facts[shown].iloc[row]] for row in top]
    if "score" in parts.columns:
        head.append(about.words["score"])
        points = parts.columns["score"]
        for cells, row in zip(rows, top, strict=True):
            told = int(points.numbers[row])
            cells.append("" if told == MISSING else f"{told * points.step:.1f}")
    return table(head, rows, _first_title(about, len(top)))


def _cell(value: Any) -> str:
    if pd.isna(value):
        return ""
    return f"{value:,.0f}" if isinstance(value, float) else str(value)
