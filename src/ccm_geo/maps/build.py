"""The two maps: what matters most, and what the plan does about it."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd

from ccm_geo.errors import DataError
from ccm_geo.maps.about import About, page_of
from ccm_geo.maps.context import People, Surroundings, add_surroundings
from ccm_geo.maps.legend import (
    activity_legend,
    add_legends,
    class_legend,
    end_legend,
    recorded_legend,
    year_legend,
)
from ccm_geo.maps.offline import OfflineMap
from ccm_geo.maps.payload import coded, measured
from ccm_geo.maps.scene import Floats, Parts, add_hazards, require_facts, status_codes
from ccm_geo.maps.steps import add_steps, chosen_steps
from ccm_geo.maps.words import DISCLAIMER, wording
from ccm_geo.scoring import DISPLACEMENT, RISK, score

_TOP = 50

Profile = Literal["internal", "public"]


def map_scores(  # noqa: PLR0913 - every layer and every text of the page is one keyword
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
    >>> table = {"hazard_id": ["<b>7</b>"], "people_near": [120]}
    >>> facts = gpd.GeoDataFrame(table, geometry=[square], crs=4326)
    >>> m = map_scores(facts, ccm.score(facts, ccm.RISK), title="50{% of {{ Savannakhet }}")
    >>> "50{% of" in m.get_root().render()
    True
    """
    require_facts(facts)
    text = wording(words)
    parts = Parts()
    box = add_hazards(parts, facts, text, details, public=profile == "public")
    _add_scores(parts, facts, scores)
    closed = status_codes(facts)
    add_legends(parts, [class_legend(scores, closed, text), recorded_legend(facts, closed, text)])
    rank = pd.to_numeric(scores["rank"]).to_numpy(dtype=float, na_value=np.nan)
    parts.content["top"] = _top(np.where(closed > 0, np.nan, -rank))
    around = Surroundings(admin, roads, population, places, admin_name, places_name)
    box = add_surroundings(parts, around, box)
    about = About(
        title=title,
        language=language,
        words=text,
        disclaimer=disclaimer,
        data_date=data_date,
        run_id=run_id or _mark(scores),
        tables=(facts, scores, *sources),
    )
    return page_of(parts, facts, box, about)


def map_plan(  # noqa: PLR0913 - as map_scores
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
        What `prioritize`, `prioritize_goals` or `plan_under` returned; of the last one the plan for the first
        scenario is drawn, and the page says so.
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
    whole, plan = plan, getattr(plan, "plan", plan)
    steps = chosen_steps(facts, plan)
    first, years = add_steps(parts, facts, plan, steps, text)
    scores = _scores_at_hand(facts) if scores is None else scores
    if scores is not None:
        _add_scores(parts, facts, scores)
    closed = np.where(first >= 0, 0, status_codes(facts))
    add_legends(
        parts,
        [
            year_legend(first, years, closed, text),
            end_legend(steps, closed, text),
            activity_legend(steps, closed, text),
            None if scores is None else class_legend(scores, closed, text),
            recorded_legend(facts, closed, text),
        ],
    )
    worth = steps.groupby("row")["benefit"].sum().reindex(range(len(facts)))
    parts.content["top"] = _top(worth.to_numpy(dtype=float))
    around = Surroundings(admin, roads, population, places, admin_name, places_name)
    box = add_surroundings(parts, around, box)
    about = About(
        title=title,
        language=language,
        words=text,
        disclaimer=disclaimer,
        data_date=data_date,
        run_id=str(getattr(whole, "run_id", getattr(plan, "run_id", ""))),
        tables=(facts, plan, *([] if scores is None else [scores]), *sources, *_proof((whole, plan), text)),
        years=years,
        warning=text["placeholders"] if getattr(plan, "placeholder", False) else "",
        scenario=_scenario(getattr(whole, "funding", None), text),
    )
    return page_of(parts, facts, box, about)


def _scores_at_hand(facts: gpd.GeoDataFrame) -> pd.DataFrame | None:
    """Score the facts by risk, else by displacement, where a measure for it is there."""
    for recipe, measure in ((RISK, "people_near"), (DISPLACEMENT, "arrivals")):
        if measure in facts:
            return score(facts, recipe)
    return None


def _add_scores(parts: Parts, facts: gpd.GeoDataFrame, scores: pd.DataFrame) -> None:
    """Add the score, its range, its rank, its parts and what it lacks."""
    _require_scores(facts, scores)
    names = [str(name) for name in scores if str(name).startswith("from_")]
    points = {name: pd.to_numeric(scores[name]).to_numpy(dtype=float, na_value=np.nan) for name in names}
    for place, name in enumerate(names):
        parts.columns[f"part_{place}"] = measured(points[name], digits=2)
    for name, told, digits in (
        ("score", "score", 2),
        ("score_low", "score_low", 2),
        ("score_high", "score_high", 2),
        ("rank", "score_rank", 0),
    ):
        parts.columns[told] = measured(scores[name if name in scores else "score"], digits=digits)
    missing = scores["missing"].replace("", None) if "missing" in scores else [None] * len(scores)
    lists, parts.columns["score_missing"] = coded(missing)
    parts.content["score"] = {
        "name": str(scores.attrs.get("score", "")),
        "parts": [{"label": name.removeprefix("from_").replace("_", " ")} for name in names],
        "missing": [text.replace("_", " ") for text in lists],
        "ranked": int(scores["score"].notna().sum()),
        "widest": max((float(np.nanmax(v, initial=0.0)) for v in points.values()), default=0.0),
    }


def _require_scores(facts: gpd.GeoDataFrame, scores: pd.DataFrame) -> None:
    lacking = [name for name in ("score", "rank", "class") if name not in scores]
    if lacking:
        raise DataError(
            f"map: scores have no column {', '.join(lacking)}; give what score(facts, RISK) returns"
        )
    if not scores.index.equals(facts.index):
        raise DataError(
            "map: scores stand on another index than facts; give the scores of the very table that is drawn"
        )


def _mark(scores: pd.DataFrame) -> str:
    """Give a short mark that changes when any score does."""
    rows = pd.util.hash_pandas_object(scores, index=False).to_numpy()
    return hashlib.sha256(rows.tobytes()).hexdigest()[:10]


def _proof(plans: Iterable[Any], words: Mapping[str, str]) -> list[str]:
    """Say how good the plan is proven to be, as a whole where it has several scenarios."""
    gaps = [plan.gap for plan in plans if getattr(plan, "gap", None) is not None]
    return [words["proof"].replace("{gap}", f"{100 * gap:.2g}") for gap in gaps[:1]]


def _scenario(funding: Any, words: Mapping[str, str]) -> str:
    """Say which scenario's plan is drawn, where money is uncertain."""
    if funding is None:
        return ""
    name = funding.names[0]
    said = words["scenario"].replace("{chance}", f"{funding.probabilities[name]:.0%}")
    return said.replace("{year}", str(funding.known_from)).replace("{name}", name)


def _top(worth: Floats) -> list[int]:
    """Give the rows of the first areas, the worthiest first; unknown worth is left out."""
    order = np.argsort(-np.where(np.isfinite(worth), worth, -np.inf), kind="stable")[:_TOP]
    return [int(row) for row in order if np.isfinite(worth[row])]
