"""The two maps: what matters most, and what the plan does about it."""

import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from ccm_geo.errors import DataError
from ccm_geo.schemas import PopulationRaster, notes_of
from ccm_geo.scoring import DISPLACEMENT, RISK, score

from .frame import density_key, skeleton, table
from .offline import OfflineMap
from .payload import MISSING, Column, Ints, Scene, coded, measured
from .picture import SHADES, STEPS
from .scene import (
    CATEGORIES,
    CLOSED_COLOR,
    RAMP,
    UNKNOWN_COLOR,
    Entry,
    Parts,
    add_districts,
    add_hazards,
    add_places,
    add_population,
    add_roads,
    levels_of,
    ramp,
    require_facts,
    status_codes,
)
from .words import DISCLAIMER, wording

_NOT_PLANNED = "#b4b9c0"  # still an area, so still a surface; only without a year
_TOP = 50
_NOTES = 40

Profile = Literal["internal", "public"]
People = PopulationRaster | gpd.GeoDataFrame


def map_scores(
    facts: gpd.GeoDataFrame,
    scores: pd.DataFrame,
    *,
    title: str = "Priority areas",
    admin: gpd.GeoDataFrame | None = None,
    roads: gpd.GeoDataFrame | None = None,
    population: People | None = None,
    places: gpd.GeoDataFrame | None = None,
    sources: Iterable[Any] = (),
    disclaimer: str = DISCLAIMER,
    data_date: str | date | None = None,
    run_id: str | None = None,
    details: Sequence[str] = (),
    admin_name: str | None = None,
    places_name: str | None = None,
    language: str = "en",
    words: Mapping[str, str] | None = None,
    profile: Profile = "internal",
) -> OfflineMap:
    """Draw hazards by the class of their score, on a map that opens with no network.

    The map is a `folium.Map`: layers of your own are added as always, and ``.save(path)`` writes one file.
    What it shows is what is recorded; it never says that a place is free of explosive ordnance.

    Parameters
    ----------
    facts
        Hazards with their measures, polygons in any CRS; ``hazard_id`` is unique.
    scores
        What `score` returned for them, on the same index.
    title
        Any text; it is shown as it stands.
    admin
        Districts (polygons, any CRS). They carry the shade of the country view.
    roads, places
        Roads (lines) and settlements (points, with ``people`` and ``name`` where known) for context.
    population
        Raster, or polygons or points with ``people``; becomes a small picture under the areas.
    sources
        Tables whose files are named under "Sources" (anything that ``read_*`` returned), or plain texts.
    disclaimer
        Text at the foot of the page; the national authority's own, where it has one.
    data_date
        Date the data stand at; the latest ``surveyed_on`` where not given.
    run_id
        Short mark of the run; made from the scores where not given.
    details
        Further columns of facts to show in the panel of an area.
    admin_name, places_name
        Columns with the districts' and settlements' names, where not found by themselves.
    language, words
        Language of the page and texts in it, by the keys of ``ccm_geo.maps.WORDS``.
    profile
        ``public`` leaves out names, free text and exact places (areas become dots on a grid of about 5 km).

    Returns
    -------
    OfflineMap
        A `folium.Map`.

    Raises
    ------
    DataError
        If facts have no outlines or ids, or the scores belong to other hazards.
    CRSError
        If a layer has no CRS.
    SourceError
        On saving: if an added layer needs the network, or the file cannot be written.

    Examples
    --------
    >>> import geopandas as gpd, shapely, ccm_geo as ccm
    >>> square = shapely.box(102.60, 18.00, 102.61, 18.01)
    >>> facts = gpd.GeoDataFrame({"hazard_id": ["<b>7</b>"], "people_near": [120]}, geometry=[square], crs=4326)
    >>> m = map_scores(facts, ccm.score(facts, ccm.RISK), title="50{% of {{ Savannakhet }}")
    >>> "50{% of" in m.get_root().render()
    True
    """
    require_facts(facts)
    text = wording(words)
    parts = Parts()
    box = add_hazards(parts, facts, text, details, public=profile == "public")
    listed = _add_scores(parts, facts, scores)
    closed = status_codes(facts)
    rank = pd.to_numeric(scores["rank"]).to_numpy(dtype=float, na_value=np.nan)
    views = [_class_view(scores, listed, closed, text), _recorded_view(facts, closed, text)]
    _add_views(parts, [view for view in views if view])
    parts.content["top"] = _top(np.where(closed > 0, np.nan, -rank))
    box = _add_context(parts, box, admin, roads, population, places, admin_name, places_name)
    mark = (
        run_id
        or hashlib.sha256(pd.util.hash_pandas_object(scores, index=False).to_numpy().tobytes()).hexdigest()[
            :10
        ]
    )
    return _page(
        parts, facts, text, box, title=title, sources=(facts, scores, *sources), disclaimer=disclaimer,
        data_date=data_date, run_id=mark, language=language, years=(),
    )  # fmt: skip


def map_plan(
    facts: gpd.GeoDataFrame,
    plan: Any,
    *,
    title: str = "Clearance plan",
    scores: pd.DataFrame | None = None,
    admin: gpd.GeoDataFrame | None = None,
    roads: gpd.GeoDataFrame | None = None,
    population: People | None = None,
    places: gpd.GeoDataFrame | None = None,
    sources: Iterable[Any] = (),
    disclaimer: str = DISCLAIMER,
    data_date: str | date | None = None,
    details: Sequence[str] = (),
    admin_name: str | None = None,
    places_name: str | None = None,
    language: str = "en",
    words: Mapping[str, str] | None = None,
    profile: Profile = "internal",
) -> OfflineMap:
    """Draw a plan: which areas are worked on in which year, and why, on a map that opens with no network.

    A slider shows what is done by the end of each year. Parameters are those of `map_scores`, and:

    Parameters
    ----------
    facts
        Hazards with their measures, polygons in any CRS.
    plan
        What `prioritize` returned.
    title, admin, roads, population, places, sources, disclaimer, data_date, details, admin_name, \
places_name, language, words, profile
        As in `map_scores`.
    scores
        What `score` returned; where not given, scores are taken from the facts as far as they go.

    Returns
    -------
    OfflineMap
        A `folium.Map`.

    Raises
    ------
    DataError
        If facts have no outlines or ids, or none of the plan's hazards stands in facts.
    CRSError
        If a layer has no CRS.
    SourceError
        On saving: if an added layer needs the network, or the file cannot be written.
    """
    require_facts(facts)
    text = wording(words)
    parts = Parts()
    box = add_hazards(parts, facts, text, details, public=profile == "public")
    if scores is None:
        scores = _scores_at_hand(facts)
    listed = [] if scores is None else _add_scores(parts, facts, scores)
    closed = status_codes(facts)
    chosen = _chosen(facts, plan)
    years = sorted({int(year) for year in chosen["year"]})
    first = _add_plan(parts, facts, plan, chosen, years, text)
    views = [
        _year_view(first, years, closed, text),
        _activity_view(chosen, len(facts), closed, text),
        None if scores is None else _class_view(scores, listed, closed, text),
        _recorded_view(facts, closed, text),
    ]
    _add_views(parts, [view for view in views if view])
    worth = chosen.groupby("row")["benefit"].sum().reindex(range(len(facts)))
    parts.content["top"] = _top(worth.to_numpy(dtype=float))
    box = _add_context(parts, box, admin, roads, population, places, admin_name, places_name)
    tables = (facts, plan, *([] if scores is None else [scores]), *sources)
    return _page(
        parts, facts, text, box, title=title, sources=tables, disclaimer=disclaimer, data_date=data_date,
        run_id=str(getattr(plan, "run_id", "")), language=language, years=years,
    )  # fmt: skip


# ---- scores -----------------------------------------------------------------------------------------------


def _scores_at_hand(facts: gpd.GeoDataFrame) -> pd.DataFrame | None:
    """Score the facts by risk, else by displacement, where a measure for it is there."""
    for recipe, measure in ((RISK, "people_near"), (DISPLACEMENT, "arrivals")):
        if measure in facts:
            return score(facts, recipe)
    return None


def _add_scores(parts: Parts, facts: gpd.GeoDataFrame, scores: pd.DataFrame) -> list[str]:
    lacking = [name for name in ("score", "rank", "class") if name not in scores]
    if lacking:
        raise DataError(
            f"map: scores have no column {', '.join(lacking)}; give what score(facts, RISK) returns"
        )
    if len(scores) != len(facts) or not scores.index.equals(facts.index):
        raise DataError("map: scores stand on another index than facts; score the same table that is drawn")
    columns = [name for name in scores if str(name).startswith("from_")]
    number = {name: pd.to_numeric(scores[name]).to_numpy(dtype=float, na_value=np.nan) for name in columns}
    for place, name in enumerate(columns):
        parts.columns[f"part_{place}"] = measured(number[name], digits=2)
    for name in ("score", "score_low", "score_high", "rank"):
        values = scores[name] if name in scores else scores["score"]
        told = "score_rank" if name == "rank" else name
        parts.columns[told] = measured(values, digits=0 if name == "rank" else 2)
    missing = scores["missing"].replace("", None) if "missing" in scores else [None] * len(scores)
    lists, parts.columns["score_missing"] = coded(missing)
    parts.content["score"] = {
        "name": str(scores.attrs.get("score", "")),
        "parts": [{"label": str(name).removeprefix("from_").replace("_", " ")} for name in columns],
        "missing": [text.replace("_", " ") for text in lists],
        "ranked": int(scores["score"].notna().sum()),
        "widest": float(max((np.nanmax(v, initial=0.0) for v in number.values()), default=0.0)),
    }
    labels = scores.attrs.get("labels") or RISK.labels
    return [str(label) for label in labels]


def _spans(breaks: Sequence[float], classes: int) -> list[str]:
    """Write the published breaks of the classes, high to low."""
    if classes != len(breaks) + 1:
        return [""] * classes
    edges = [0.0, *breaks, 100.0]
    return [f"{low:g}\u2013{high:g}" for low, high in itertools.pairwise(edges)][::-1]


View = dict[str, Any]


def _class_view(scores: pd.DataFrame, labels: Sequence[str], closed: Ints, words: Mapping[str, str]) -> View:
    high = list(labels)[::-1]
    colors = list(RAMP) if len(high) == len(RAMP) else ramp(len(high))
    spans = _spans(scores.attrs.get("breaks", ()), len(high))
    focus = max(1, round(0.4 * len(high)))
    entries = [
        Entry(label=label, color=color, detail=span, focus=place < focus, keep=True)
        for place, (label, color, span) in enumerate(zip(high, colors, spans, strict=True))
    ]
    at = {label: place for place, label in enumerate(high)}
    codes = scores["class"].astype(str).map(at).fillna(len(high)).to_numpy(dtype=np.int64)
    entries.append(Entry(label=words["not_scored"], color=UNKNOWN_COLOR, kind="hollow"))
    return _with_closed(words["class_of"], entries, codes, closed, words)


def _recorded_view(facts: gpd.GeoDataFrame, closed: Ints, words: Mapping[str, str]) -> View | None:
    if "hazard_class" not in facts:
        return None
    lists, codes = coded(facts["hazard_class"])
    order = sorted(range(len(lists)), key=lambda place: (lists[place] != "CHA", lists[place]))
    at = np.array([order.index(place) for place in range(len(lists))] + [len(lists)], dtype=np.int64)
    names = {"CHA": words["cha"], "SHA": words["sha"]}
    colors = {"CHA": RAMP[1], "SHA": RAMP[3]}
    entries = [
        Entry(
            label=names.get(lists[place], lists[place]),
            color=colors.get(lists[place], CATEGORIES[n % len(CATEGORIES)]),
            focus=True,
        )
        for n, place in enumerate(order)
    ]
    entries.append(Entry(label=words["unknown"], color=UNKNOWN_COLOR, kind="hollow"))
    return _with_closed(words["recorded_as"], entries, at[codes.values], closed, words)


def _with_closed(
    label: str, entries: list[Entry], codes: npt.NDArray[np.int64], closed: Ints, words: Mapping[str, str]
) -> View:
    """Set apart what the record calls closed or handed over: hatched, and never in the shade."""
    finished = [
        Entry(label=words["closed"], color=CLOSED_COLOR, kind="hatch"),
        Entry(label=words["handed_over"], color="#8a6f4e", kind="hatch"),
    ]
    final = np.where(closed > 0, len(entries) - 1 + closed, codes)
    return {"label": label, "entries": [*entries, *finished], "codes": final}


def _add_views(parts: Parts, views: Sequence[View]) -> None:
    parts.content["views"] = []
    for place, view in enumerate(views):
        parts.columns[f"view_{place}"] = Column(values=np.asarray(view["codes"], dtype=np.int64))
        told = {"label": view["label"], "entries": [entry.told() for entry in view["entries"]]}
        if "later" in view:
            told["later"] = view["later"]
        parts.content["views"].append(told)


def _top(worth: npt.NDArray[np.float64]) -> list[int]:
    order = np.argsort(-np.where(np.isfinite(worth), worth, -np.inf), kind="stable")[:_TOP]
    return [int(row) for row in order if np.isfinite(worth[row])]


# ---- plan -------------------------------------------------------------------------------------------------


def _chosen(facts: gpd.GeoDataFrame, plan: Any) -> pd.DataFrame:
    """Give the chosen options with the row of facts that each is about."""
    table_ = plan.table
    if "hazard_id" not in table_:
        raise DataError(
            "map: the plan's options have no column hazard_id, so they cannot be placed on the map"
        )
    row = {str(name): place for place, name in enumerate(facts["hazard_id"])}
    chosen = table_.assign(row=table_["hazard_id"].astype(str).map(row))
    lost = chosen["row"].isna()
    if len(chosen) and lost.all():
        raise DataError(
            "map: none of the plan's hazards stands in facts; draw the facts that were planned on"
        )
    known = chosen.loc[~lost]
    return known.assign(row=known["row"].astype(np.int64)).sort_values(["row", "year"], kind="stable")


def _add_plan(
    parts: Parts,
    facts: gpd.GeoDataFrame,
    plan: Any,
    chosen: pd.DataFrame,
    years: list[int],
    words: Mapping[str, str],
) -> npt.NDArray[np.int64]:
    """Add the plan's steps, sums and reasons; give the first year of every area, counted from 0, or -1."""
    place = {year: at for at, year in enumerate(years)}
    step = chosen["year"].astype(int).map(place).to_numpy(dtype=np.int64)
    first = np.full(len(facts), -1, dtype=np.int64)
    first[chosen["row"].to_numpy()[::-1]] = step[::-1]
    done = chosen["activity"] if "activity" in chosen else pd.Series("work", chosen.index)
    lists, activity = coded(done.astype(str).map(lambda name: words.get(f"activity_{name}", name)))
    parts.columns |= {
        "plan_first": Column(values=first),
        "event_hazard": Column(values=chosen["row"].to_numpy(dtype=np.int64), delta=True),
        "event_year": Column(values=step),
        "event_activity": activity,
    }
    sums = []
    unit = str(getattr(plan, "options", chosen).attrs.get("benefit_unit", "accidents averted"))
    for key, label, kind, digits in (
        ("cancelled_m2", words["cancelled"], "m2", 0),
        ("reduced_m2", words["reduced"], "m2", 0),
        ("cleared_m2", words["cleared"], "m2", 0),
        ("benefit", words["relative"] if unit == "relative" else words["averted"], "", 2),
        ("cost_usd", "USD", "", 0),
    ):
        if key in chosen:
            parts.columns[f"event_{key}"] = measured(chosen[key], digits=4 if key == "benefit" else digits)
            sums.append({"key": key, "label": label, "unit": kind, "digits": digits})
    parts.content["plan"] = {
        "years": years,
        "activities": lists,
        "sums": sums,
        "hazards": int((first >= 0).sum()),
        "reasons": _add_reasons(parts, facts, plan),
    }
    return first


def _add_reasons(parts: Parts, facts: gpd.GeoDataFrame, plan: Any) -> list[str]:
    reasons = getattr(plan, "reasons", None)
    if reasons is None or "reason" not in reasons:
        return []
    by_id = reasons["reason"].copy()
    by_id.index = by_id.index.astype(str)
    told = by_id[~by_id.index.duplicated()].reindex(facts["hazard_id"].astype(str))
    lists, parts.columns["plan_reason"] = coded(told)
    return lists


def _year_view(
    first: npt.NDArray[np.int64], years: list[int], closed: Ints, words: Mapping[str, str]
) -> View:
    colors = ramp(len(years)) if len(years) > 1 else [RAMP[1]]
    entries = [
        Entry(label=str(year), color=color, focus=True, keep=True)
        for year, color in zip(years, colors, strict=True)
    ]
    later = len(entries)
    entries.append(Entry(label=words["plan_later"], color="#8d5a86", kind="hollow"))
    entries.append(Entry(label=words["not_in_plan"], color=_NOT_PLANNED))
    codes = np.where(first >= 0, first, len(entries) - 1)
    view = _with_closed(words["year_plan"], entries, codes, np.where(first >= 0, 0, closed), words)
    return {**view, "later": later}


def _activity_view(chosen: pd.DataFrame, count: int, closed: Ints, words: Mapping[str, str]) -> View | None:
    """Group areas by what is done on them, in order; rare combinations share one line."""
    if chosen.empty or "activity" not in chosen:
        return None
    steps = chosen.groupby("row")["activity"].agg(
        lambda names: words["then"].join(
            words.get(f"activity_{n}", n) for n in dict.fromkeys(map(str, names))
        )
    )
    common = steps.value_counts().index[: len(CATEGORIES) - 1].tolist()
    at = {name: place for place, name in enumerate(common)}
    entries = [Entry(label=name, color=CATEGORIES[place], focus=True) for name, place in at.items()]
    entries.append(Entry(label=words["other_steps"], color=CATEGORIES[-1], focus=True))
    entries.append(Entry(label=words["not_in_plan"], color=_NOT_PLANNED))
    codes = np.full(count, len(entries) - 1, dtype=np.int64)
    codes[steps.index.to_numpy(dtype=np.int64)] = steps.map(at).fillna(len(common)).to_numpy(dtype=np.int64)
    planned = np.zeros(count, dtype=bool)
    planned[steps.index.to_numpy(dtype=np.int64)] = True
    return _with_closed(words["activities"], entries, codes, np.where(planned, 0, closed), words)


# ---- page -------------------------------------------------------------------------------------------------


def _add_context(
    parts: Parts,
    box: tuple[float, float, float, float],
    admin: gpd.GeoDataFrame | None,
    roads: gpd.GeoDataFrame | None,
    population: People | None,
    places: gpd.GeoDataFrame | None,
    admin_name: str | None,
    places_name: str | None,
) -> tuple[float, float, float, float]:
    if admin is not None and len(admin):
        box = add_districts(parts, admin, box, name=admin_name)
    if places is not None and len(places):
        add_places(parts, places, box, name=places_name)
    if population is not None:
        add_population(parts, population, box)
    if roads is not None and len(roads):
        add_roads(parts, roads, box)
    return box


def _page(
    parts: Parts,
    facts: gpd.GeoDataFrame,
    words: Mapping[str, str],
    box: tuple[float, float, float, float],
    *,
    title: str,
    sources: Iterable[Any],
    disclaimer: str,
    data_date: str | date | None,
    run_id: str,
    language: str,
    years: Sequence[int],
) -> OfflineMap:
    tables = list(sources)
    known = _data_date(facts, data_date)
    made = datetime.now(tz=UTC).date().isoformat()
    told = [f"{len(facts):,} areas", words["data_of"].replace("{date}", known) if known else words["no_date"]]
    about = [*_provenance(tables), words["made_on"].replace("{date}", made)]
    if run_id:
        about.append(words["run"].replace("{run}", run_id))
    notes = [*parts.notes, *_note_texts(tables)]
    layers = [
        (key, words[label])
        for key, label, there in (
            ("districts", "districts", "districts" in parts.content),
            ("shade", "district_shade", "districts" in parts.content),
            ("roads", "roads", "roads" in parts.content),
            ("places", "places", "places" in parts.content),
            ("population", "population", "people" in parts.content),
        )
        if there
    ]
    top = parts.content["top"]
    parts.content |= {
        "language": language,
        "words": dict(words),
        "box": [round(edge, 5) for edge in box],
        "levels": levels_of(facts, box),
    }
    frame = skeleton(
        title=title,
        subtitle=" \u00b7 ".join(told),
        disclaimer=disclaimer,
        words={**words, "first_list": words["first_list"].replace("{n}", str(len(top)))},
        sources=about,
        notes=notes,
        layers=layers,
        years=years,
        density=density_key(words, STEPS, SHADES) if "people" in parts.content else "",
        first=_first_rows(parts, facts, words, top[:10]),
    )
    scene = Scene(content=parts.content, columns=parts.columns, pictures=parts.pictures, frame=frame)
    return OfflineMap(title=title, language=language, scene=scene, box=box)


def _first_rows(parts: Parts, facts: gpd.GeoDataFrame, words: Mapping[str, str], top: Sequence[int]) -> str:
    shown = [name for name in ("hazard_id", "adm1", "adm2", "people_near") if name in facts]
    head = [words.get(f"column_{name}", name.replace("_", " ")) for name in shown]
    rows = [["" if pd.isna(v) else v for v in facts[shown].iloc[row]] for row in top]
    if "score" in parts.columns:
        head.append(words["score"])
        points = parts.columns["score"]
        for cells, row in zip(rows, top, strict=True):
            value = int(points.values[row])
            cells.append("" if value == MISSING else f"{value * points.step:.1f}")
    return table(head, rows, words["first_list"].replace("{n}", str(len(top))))


def _data_date(facts: gpd.GeoDataFrame, given: str | date | None) -> str:
    if given is not None:
        return given if isinstance(given, str) else given.isoformat()
    if "surveyed_on" not in facts:
        return ""
    latest = pd.to_datetime(facts["surveyed_on"], errors="coerce").max()
    return "" if pd.isna(latest) else str(latest.date())


def _provenance(tables: Iterable[Any]) -> list[str]:
    lines: dict[str, None] = {}
    for one in tables:
        if isinstance(one, str):
            lines[one] = None
            continue
        carried = one.attrs.get("source", ()) if hasattr(one, "attrs") else getattr(one, "source", ())
        for source in carried or ():
            layer = f", layer {source['layer']}" if source.get("layer") else ""
            rows = f", {source['rows']:,} rows" if isinstance(source.get("rows"), int) else ""
            mark = f", sha256 {str(source['sha256'])[:12]}" if source.get("sha256") else ""
            lines[f"{source.get('file', '')}{layer}{rows}{mark}"] = None
    return list(lines)


def _note_texts(tables: Iterable[Any]) -> list[str]:
    texts = list(dict.fromkeys(
        f"{note.table}, {note.kind}: {note.text}" + (f" ({note.affected:,})" if note.affected else "")
        for note in notes_of(*(one for one in tables if not isinstance(one, str)))
    ))  # fmt: skip
    rest = len(texts) - _NOTES
    return [*texts[:_NOTES], *([f"and {rest} more in the workbook"] if rest > 0 else [])]
