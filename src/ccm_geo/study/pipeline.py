"""From a study's files to its map, workbook and GeoPackage, one stage after the other."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import geopandas as gpd
import pandas as pd

from ccm_geo import access, displacement, exposure, io, maps, planning, report, risk, scoring
from ccm_geo.schemas import Note, notes_of

from .rules import columns_kept, is_money, require_columns
from .settings import Settings


class Watch(Protocol):
    """Is told when a stage begins, and again when it has ended with the seconds that it took."""

    def __call__(self, name: str, seconds: float | None = None) -> None:
        """Take the stage's name, a few words."""


def _unwatched(name: str, seconds: float | None = None) -> None:
    del name, seconds


Found = planning.Plan | planning.GoalPlan | planning.AdaptivePlan

_FILES = {"map": "plan.html", "workbook": "plan.xlsx", "geopackage": "plan.gpkg"}
_ABSENT = {
    "read_accidents": "accidents: harm is relative, so it orders areas but counts nothing",
    "read_displacement": "displaced people: nobody is expected to come home",
    "read_roads": "roads: people come home by distance, and no travel time is known",
    "read_facilities": "facilities: neither their number nor the way to them is known",
    "read_admin": "districts: the map has no borders, and people's origin is not known",
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a study came to.

    Parameters
    ----------
    found
        What was planned: a `Plan`, a `GoalPlan` where the study has goals, an `AdaptivePlan` where its money
        is uncertain.
    facts, scores, harm
        The tables; see `score` and `expected_harm`.
    halt
        What to do when the money stops; None where the study does not ask.
    comparison
        The same money spent down the list of the first score; see `Plan.against_ranking`.
    files
        What was written, by kind: map, workbook, geopackage.
    missing
        Optional inputs that the study does not name, and what follows from it.
    notes
        Everything that was repaired, set aside, dropped, assumed or is unknown.
    seconds
        How long every stage took.
    """

    found: Found
    facts: gpd.GeoDataFrame
    scores: Mapping[str, pd.DataFrame]
    harm: pd.DataFrame
    halt: planning.Halt | None
    comparison: planning.Comparison
    files: Mapping[str, Path]
    missing: tuple[str, ...]
    notes: tuple[Note, ...]
    seconds: Mapping[str, float]

    @property
    def plan(self) -> planning.Plan:
        """The plan that map and tables show: where money is uncertain, that of the first scenario."""
        return self.found if isinstance(self.found, planning.Plan) else self.found.plan


@dataclass
class _Stages:
    """Tells what begins and keeps how long it took."""

    watch: Watch
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        self.watch(name)
        begun = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - begun
        self.watch(name, self.seconds[name])


def run_study(settings: Settings, out: Path, *, watch: Watch = _unwatched) -> Outcome:
    """Run a study: read, measure, score, plan, and write map, workbook and GeoPackage.

    Parameters
    ----------
    settings
        From `read_study`.
    out
        The folder to write into; made if it is not there.
    watch
        Called when a stage begins, and again with its seconds when it ends.

    Raises
    ------
    CcmGeoError
        What any stage raises: `DataError`, `SourceError`, `PlanError`.
    """
    stage = _Stages(watch)
    with stage("reading"):
        tables = read_tables(settings)
    facts = _measured(settings, tables, stage)
    with stage("scores"):
        scores = {recipe.name: scoring.score(facts, recipe) for recipe in settings.definitions}
    with stage("expected harm"):
        harm = risk.expected_harm(
            facts,
            years=settings.years,
            accidents=tables.get("accidents"),
            numbers=settings.numbers,
            **settings.options.get("expected_harm", {}),
        )
    with stage("options"):
        options = _options(settings, facts, harm)
    with stage("plan"):
        found = _planned(settings, options)
    plan = found if isinstance(found, planning.Plan) else found.plan
    with stage("ranked list"):
        first = next(iter(scores.values()))["score"]
        comparison = plan.against_ranking(first.set_axis(facts["hazard_id"]))
    halt = None
    if settings.asks_for("halt"):
        with stage("halt"):
            asked = settings.options["halt"]
            halt = planning.halt(plan, costs=settings.halt_costs, harm=harm, **asked)
    outcome = Outcome(
        found=found,
        facts=facts,
        scores=scores,
        harm=harm,
        halt=halt,
        comparison=comparison,
        files={kind: out / name for kind, name in _FILES.items()},
        missing=tuple(text for name, text in _ABSENT.items() if not settings.asks_for(name)),
        notes=notes_of(facts, *tables.values(), *scores.values(), harm, options, plan, found, halt),
        seconds=stage.seconds,
    )
    _write(settings, tables, outcome, stage)
    return outcome


def read_tables(settings: Settings) -> dict[str, Any]:
    """Read every table that a study names, by the table's name.

    Raises
    ------
    SourceError
        If a file cannot be opened.
    DataError
        If a table cannot be used as it stands.
    """
    tables: dict[str, Any] = {}
    for name in ("hazards", "population", "accidents", "admin", "displacement", "roads", "facilities"):
        if not settings.asks_for(f"read_{name}"):
            continue
        given = dict(settings.options[f"read_{name}"])
        if name == "displacement" and "admin" in tables:
            given.setdefault("admin", tables["admin"])
        tables[name] = getattr(io, f"read_{name}")(given.pop("source"), **given)
    return tables


def _options(settings: Settings, facts: gpd.GeoDataFrame, harm: pd.DataFrame) -> pd.DataFrame:
    """List the options with the columns that rules and goals ask for."""
    given = dict(settings.options.get("list_options", {}))
    require_columns(settings.rules, map(str, facts.columns))
    asked = columns_kept(settings.rules, settings.goals, facts.columns)
    given["keep"] = list(dict.fromkeys([*given.get("keep", ()), *asked]))
    options = planning.list_options(facts, settings.activities, harm, years=settings.years, **given)
    if settings.asks_for("visiting_teams"):
        options = planning.visiting_teams(options, **settings.options["visiting_teams"])
    return options


def _planned(settings: Settings, options: pd.DataFrame) -> Found:
    def given(function: str) -> Mapping[str, Any]:
        return settings.options.get(function, {})

    if settings.funding is not None:
        rules = [rule for rule in settings.rules if not is_money(rule)]
        return planning.plan_under(options, settings.funding, rules, **given("plan_under"))
    if settings.goals:
        return planning.prioritize_goals(options, settings.rules, settings.goals, **given("prioritize"))
    return planning.prioritize(options, settings.rules, **given("prioritize"))


def _measured(settings: Settings, tables: Mapping[str, Any], stage: _Stages) -> gpd.GeoDataFrame:
    hazards, people = tables["hazards"], tables["population"]
    accidents, moves, roads, facilities = (
        tables.get(name) for name in ("accidents", "displacement", "roads", "facilities")
    )

    def given(function: str) -> dict[str, Any]:
        return dict(settings.options.get(function, {}))

    measures: dict[str, pd.Series[float]] = {}
    with stage("people"):
        measures["people_inside"] = exposure.people_near(hazards, people, within_m=0)
        measures["people_near"] = exposure.people_near(hazards, people, **given("people_near"))
    if accidents is not None:
        with stage("accidents"):
            measures["accidents_near"] = exposure.accidents_near(
                hazards, accidents, **given("accidents_near")
            )
    if facilities is not None:
        with stage("facilities"):
            measures["facilities_near"] = exposure.facilities_near(
                hazards, facilities, **given("facilities_near")
            )
    if facilities is not None and roads is not None:
        with stage("travel time"):
            measures["travel_min"] = access.travel_time(hazards, facilities, roads, **given("travel_time"))
    if moves is not None:
        with stage("arrivals"):
            measures["arrivals"] = displacement.arrivals_near(
                hazards, moves, people, roads=roads, **given("arrivals_near")
            )
    cut: list[pd.DataFrame] = []
    if roads is not None and any(map(settings.asks_for, ("routes_cut", "detour", "release_gain"))):
        with stage("roads cut"):
            cut = list(_cut_off(settings, hazards, people, roads, facilities))
    facts = hazards.assign(**measures, **{str(name): table[name] for table in cut for name in table})
    facts.attrs = {**hazards.attrs, "notes": notes_of(hazards, *measures.values(), *cut)}
    return facts


def _cut_off(
    settings: Settings, hazards: gpd.GeoDataFrame, people: Any, roads: gpd.GeoDataFrame, facilities: Any
) -> Iterator[pd.DataFrame]:
    """Measure what hazards do to roads: what they cut, the detours, what releasing each would bring."""

    def given(function: str) -> dict[str, Any]:
        return dict(settings.options.get(function, {}))

    graph = access.road_graph(roads)
    if settings.asks_for("routes_cut"):
        yield access.routes_cut(hazards, graph, **given("routes_cut"))
    if not (settings.asks_for("detour") or settings.asks_for("release_gain")):
        return
    cut = access.cut_roads(hazards, graph, **given("cut_roads"))
    if settings.asks_for("detour"):
        trips = access.trips_to(hazards, facilities, cut, **given("trips_to"))
        longer = access.detour(trips, **given("detour"))
        shown = longer[["detour_min", "state"]].rename(columns={"state": "detour_state"})
        shown.attrs = longer.attrs
        yield shown
    if settings.asks_for("release_gain"):
        homes = exposure.population_cells(people, **given("population_cells"))
        trips = access.trips_to(homes, facilities, cut, **given("trips_to"))
        yield access.release_gain(trips, **given("release_gain"))


def _write(settings: Settings, tables: Mapping[str, Any], made: Outcome, stage: _Stages) -> None:
    sources = [table for name, table in tables.items() if name != "hazards"]
    with stage("map"):
        shown = dict(settings.options.get("map_plan", {}))
        if isinstance(shown.get("places"), (Path, list)):
            shown["places"] = io.read_population(shown["places"])
        drawn = maps.map_plan(
            made.facts,
            made.found,
            title=settings.title,
            scores=next(iter(made.scores.values())),
            admin=tables.get("admin"),
            roads=tables.get("roads"),
            population=tables["population"],
            sources=sources,
            **shown,
        )
        drawn.save(made.files["map"])
    with stage("workbook"):
        costs = [] if made.halt is None else [settings.halt_costs]
        report.write_report(
            made.found,
            made.facts,
            made.files["workbook"],
            scores=made.scores,
            harm=made.harm,
            halt=made.halt,
            sources=sources,
            definitions=(*settings.definitions, settings.numbers, *costs),
            title=settings.title,
        )
    with stage("GeoPackage"):
        report.write_gpkg(made.facts, made.files["geopackage"], plan=made.found, scores=made.scores)


def summary(outcome: Outcome, *, start: Path | None = None) -> str:
    """Say in plain words what the plan buys, what is missing, and where the files are.

    Parameters
    ----------
    outcome
        From `run_study`.
    start
        Folder from which the files' paths are given; the current one where not given.
    """
    lines = [str(outcome.found), "", _beside(outcome), ""]
    if outcome.halt is not None:
        lines += [report.halt_told(outcome.halt, outcome.found), ""]
    if outcome.missing:
        lines += ["Not given to this study:", *[f"  {text}" for text in outcome.missing], ""]
    found = [note for note in outcome.notes if note.kind in {"repaired", "set aside", "dropped"}]
    if found:
        told = f"In the data {len(found)} kinds of faults were mended or set aside"
        lines += [f"{told}; the sheet Data problems lists them with their rows.", ""]
    words = {
        "map": "The map, opens in any browser without internet",
        "workbook": "The workbook, with every area and its reason",
        "geopackage": "The layers for QGIS, with their styles",
    }
    lines += [f"{words[kind]}:\n  {_near(path, start)}" for kind, path in outcome.files.items()]
    return "\n".join(lines)


def _beside(outcome: Outcome) -> str:
    """Say how the same money spent down a ranked list compares."""
    said = outcome.comparison.verdict
    if outcome.comparison.lost >= 0 and isinstance(outcome.found, planning.AdaptivePlan):
        return f"If '{outcome.found.funding.names[0]}' comes: {said}"
    return said


def _near(path: Path, start: Path | None) -> str:
    whole, here = path.resolve(), (start or Path.cwd()).resolve()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(path)
