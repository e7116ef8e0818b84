"""The workbook: what a plan buys, why, and what it rests on, for people who decide in a spreadsheet."""

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
from xlsxwriter.exceptions import XlsxWriterException

from ccm_geo.assumptions import COMPLETENESS, FIRST_YEAR_SHARE, HARM, HarmNumbers
from ccm_geo.errors import DataError, SourceError
from ccm_geo.files import replace_atomically
from ccm_geo.planning import AdaptivePlan, GoalPlan, Halt, HaltCosts, Plan
from ccm_geo.planning.activities import sources_table
from ccm_geo.planning.reasons import without_option
from ccm_geo.schemas import Note, describe, notes_of
from ccm_geo.scoring import Score

from .money_sheets import halt_sheets, halt_told, scenario_sheets, scenario_shown
from .plan_sheets import AREAS, plain_facts, there, years_sheet
from .rule_sheets import goals_sheet, rule_numbers, rules_sheet, together_sheets
from .sheets import Sheet, write_book

DISCLAIMER = (
    "Only the national mine action authority releases land. Blank is not safe: an area that is missing here, "
    "or has a low score or no place in the plan, has not been declared free of explosive ordnance."
)
"""Stands on the first sheet of every workbook."""

_PACKAGES = ("ccm_geo", "geopandas", "shapely", "pyproj", "rasterio", "numpy", "pandas", "highspy")
_WHO = ("hazard_id", "name", "hazard_class", "status", "evidence", "ordnance", "land_use", "adm1", "adm2")
_ORDER = ("dropped", "set aside", "repaired", "assumed", "unknown", "advice")
_MEANINGS = {
    "rank": "1 is the highest score; hazards with the same score share the better rank",
    "score": "0 to 100, the sum of its from_... columns; it orders areas and does not add up over them",
    "score_low": "the score if everything that is not known were at its lowest",
    "score_high": "the score if everything that is not known were at its highest",
    "class": "fixed, published classes of the score",
    "missing": "inputs that are not known for this hazard; they are not counted as zero",
    "people_inside": "people living on the recorded area",
    "people_near": "people living within the distance chosen (1 km unless said otherwise), the area "
    "included; a person near two hazards counts for both",
    "accidents_near": "recorded accidents within the distance chosen",
    "facilities_near": "clinics, schools and the like within the distance chosen",
    "arrivals": "displaced people expected to arrive within reach in the coming 12 months",
    "travel_min": "minutes by road to the nearest facility of the kind chosen",
    "road_km_cut": "kilometers of road that the hazard cuts",
    "road_km_alone": "kilometers of road that no other open hazard cuts: releasing this one opens them",
    "roads_cut": "roads that the hazard cuts",
    "detour_min": "minutes that the way to the nearest facility is longer because hazards cut roads",
    "detour_state": "reached, delayed, cut off (a way only where hazards are released), no way, or unknown",
    "people_reconnected": "people cut off who would have a way again if this hazard alone were released",
    "places_reconnected": "places cut off that would have a way again if this hazard alone were released",
    "person_min_saved": "minutes saved on one trip of everyone, if this hazard alone were released; such "
    "gains do not add up over hazards",
    "people_sooner": "people whose trip would get shorter if this hazard alone were released",
    "area_m2": "area of the outline, square metres, measured in an equal-area projection",
    "area_recorded_m2": "area as the record has it, square metres",
    "harm": "expected accidents a year, the mean of the model",
    "harm_low": "lower end of the 80 % interval of expected accidents a year",
    "harm_high": "upper end of the 80 % interval of expected accidents a year",
    "activities": "what the plan does there, and when",
    "first_year": "the first year in which the plan does something there",
    "reason": "why the plan takes it or leaves it",
    "cost_usd": "cost of the activity, US dollars",
    "teams": "own teams of the region, or teams visiting from elsewhere",
    "team_months": "work of one team for a month",
    "benefit": "accidents averted over the years of the plan; it adds up",
    "cancelled_m2": "land released by non-technical survey, square metres",
    "reduced_m2": "land released by technical survey, square metres",
    "cleared_m2": "land released by clearance, square metres",
    "left_m2": "recorded land still there after the activity, square metres",
    "limit": "what the rule allows, or asks for at least (deadlines, floors)",
    "used": "what the plan takes of it, or reaches",
    "unit": "what limit and used are counted in",
    "grant": "the grant that pays",
    "paid_usd": "what the grant pays of these activities, US dollars",
    "bonus": "what hazards bring together beyond the benefit of each, in the unit of the benefit",
    "price": "what one more unit of the limit would add to the benefit",
    "price_gap": "benefit that the area lacks, at the plan's prices, to be worth its cost",
    "probability": "how likely the scenario was said to be",
    "money_usd": "money of the scenario in all years, US dollars",
    "naive": "yes where planning as if the promise were certain decides the same",
    "naive_benefit": "what the plan made for the promise averts here, if only its later years adapt",
    "naive_loss": "how much less that is",
    "foresight_bound": "nobody can avert more, who knows from the start which scenario comes",
    "action": "finish, close and mark, leave open, or risk education at once",
    "done": "share of the step that is worked on that day",
    "averted": "accidents a year that the action takes off",
    "standing": "where the hazard stands after these actions",
    "harm_left": "accidents a year that are left; empty where they are not known",
    "reached": "what the goal came to when it was its turn",
    "bound": "no plan that keeps what goals before it keep can have more, or less",
    "final": "what the plan has of it",
    "given_up": "share of what was reached that later goals took",
    "tolerance": "share of it that they may take",
    "placeholder": "yes where a number behind the row is a placeholder that must be replaced",
}


def write_report(  # noqa: PLR0913 - every table that the book tells of is one keyword
    plan: Plan | GoalPlan | AdaptivePlan,
    facts: pd.DataFrame,
    path: str | os.PathLike[str],
    *,
    scores: pd.DataFrame | Mapping[str, pd.DataFrame] | None = None,
    harm: pd.DataFrame | None = None,
    halt: Halt | None = None,
    sources: Iterable[Any] = (),
    definitions: Sequence[Score | HarmNumbers | HaltCosts] = (),
    title: str = "Clearance plan",
) -> Path:
    """Write the workbook that goes with a plan.

    Sheets: Read me, Ranked list (every hazard), Score parts, Plan by year, What each rule costs, Not in the
    plan, Data problems, Assumptions and sources. Where there is something to tell also Scenarios, Decided now
    and By scenario (of `plan_under`); Goals (of `prioritize_goals`); Who pays (with `Donors`), Bonuses; If
    the money stops, Cost of stopping and Left exposed (of `halt`). The file is written whole or not at all;
    nothing in it is a formula or a link, whatever the names in the data look like; a missing value is an
    empty cell.

    Parameters
    ----------
    plan
        The result of `prioritize`, `prioritize_goals` or `plan_under`. Of the last one, sheets that show one
        plan show that of the first scenario, the promise.
    facts
        Hazards with their measures, one row each, with ``hazard_id``.
    path
        The XLSX file; an old one is replaced.
    scores
        Scores on the index of `facts`, or several by name; the first one gives the ranked list its order.
    harm
        Expected harm as `expected_harm` gives it, accidents a year.
    halt
        What to do when the money stops.
    sources
        Further tables that were read (people, accidents, roads, ...), whose notes and origin are listed.
    definitions
        The `Score` objects behind `scores`, the `HarmNumbers` behind `harm`, the `HaltCosts` behind `halt`;
        their numbers are listed with reasons and sources. Where none is given for `harm`, those that ccm_geo
        ships are listed.
    title
        On the first sheet and every printed page.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    DataError
        If `facts` has no ``hazard_id``, or scores stand on another index.
    SourceError
        If the file cannot be written, for example because it is open in Excel.

    Examples
    --------
    >>> import tempfile, openpyxl, ccm_geo as ccm
    >>> facts = pd.DataFrame({"hazard_id": ["A"], "name": ["=1+1"], "hazard_class": ["CHA"],
    ...     "ordnance": ["cluster"], "area_m2": [9_000.0], "people_near": [120.0], "accidents_near": [2.0]})
    >>> harm = ccm.expected_harm(facts, years=[2027], observed_years=10)
    >>> plan = ccm.prioritize(ccm.list_options(facts, ccm.ACTIVITIES, harm), [ccm.Budget({2027: 9e3})])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     book = openpyxl.load_workbook(write_report(plan, facts, Path(folder, "plan.xlsx"), harm=harm))
    >>> book["Ranked list"]["B2"].value, book["Ranked list"]["B2"].data_type
    ('=1+1', 's')
    """
    if "hazard_id" not in facts:
        raise DataError("facts: there is no column hazard_id; the workbook names every hazard by it")
    tables = _by_name(scores)
    for name, table in tables.items():
        _require_same_rows(facts, table, name)
    when = datetime.now(UTC)
    shown = plan.plan if isinstance(plan, (AdaptivePlan, GoalPlan)) else plan
    run = getattr(plan, "run_id", shown.run_id)
    sheets = [
        _ranked(shown, facts, tables, harm),
        _parts(facts, tables),
        *(scenario_sheets(plan, facts) if isinstance(plan, AdaptivePlan) else []),
        years_sheet(shown, facts),
        *([goals_sheet(plan)] if isinstance(plan, GoalPlan) else []),
        rules_sheet(shown),
        *together_sheets(shown),
        *([] if halt is None else halt_sheets(halt, facts)),
        _not_in_plan(shown, facts, tables),
        _problems(notes_of(facts, *sources, *tables.values(), harm, shown, plan, halt)),
        _assumptions(shown, definitions, harm),
    ]
    stories = {"The plan": str(plan)}
    if isinstance(plan, AdaptivePlan):
        stories["Scenario shown"] = scenario_shown(plan)
    if halt is not None:
        stories["If the money stops"] = halt_told(halt, plan)
    stories["Checked"] = "\n".join(shown.checked)
    opening = [("Made on", when.strftime("%Y-%m-%d %H:%M %Z").strip()), ("Run", run), *_placeholders(shown)]
    first = _read_me(title, opening, stories, sheets, [facts, *sources])
    target = Path(path)
    footer = f"Run {run}. {DISCLAIMER}"
    with replace_atomically(target) as draft:
        try:
            write_book(str(draft), [first, *sheets], title=title, footer=footer, created=when)
        except XlsxWriterException as reason:
            raise SourceError(f"{target}: cannot be written ({reason})") from reason
    return target


def _by_name(scores: pd.DataFrame | Mapping[str, pd.DataFrame] | None) -> dict[str, pd.DataFrame]:
    if scores is None:
        return {}
    if isinstance(scores, pd.DataFrame):
        return {str(scores.attrs.get("score", "score")): scores}
    return {str(name): table for name, table in scores.items()}


def _require_same_rows(facts: pd.DataFrame, table: pd.DataFrame, name: str) -> None:
    if not table.index.equals(facts.index):
        raise DataError(
            f"scores {name}: its rows are not those of facts ({len(table):,} and {len(facts):,}); "
            "score the same table that goes into the report"
        )


def _measures(facts: pd.DataFrame) -> list[str]:
    elsewhere = (*_WHO, *AREAS, "area_recorded_m2", "people_inside")
    names = facts.select_dtypes("number").columns
    return [name for name in names if name not in elsewhere and not str(name).startswith("from_")]


def _reasons(plan: Plan, facts: pd.DataFrame) -> pd.DataFrame:
    """Give the plan's words on every hazard of `facts`, on its index."""
    said = plan.reasons.reindex(facts["hazard_id"])
    said.index = facts.index
    return said


def _ranked(
    plan: Plan, facts: pd.DataFrame, scores: Mapping[str, pd.DataFrame], harm: pd.DataFrame | None
) -> Sheet:
    plain = plain_facts(facts)
    parts: list[pd.DataFrame] = []
    for number, (name, table) in enumerate(scores.items()):
        wanted = ("rank", "score", "class") if number == 0 else ("score",)
        shown = table[there(table, wanted)]
        parts.append(shown if number == 0 else shown.add_prefix(f"{name}: "))
    parts.append(plain[there(plain, _WHO)])
    if harm is not None:
        parts.append(_first_year_of(harm, facts))
    parts.append(plain[[*_measures(plain), *there(plain, ("detour_state", "area_m2"))]])
    said = _reasons(plan, facts)
    parts.append(said[there(said, ("activities", "first_year", "reason"))])
    table = pd.concat(parts, axis=1)
    if scores:
        order = ["rank", "hazard_id"] if "rank" in table else ["hazard_id"]
        table = table.sort_values(order, na_position="last", kind="stable")
        about = "Every hazard in the order of its score."
    else:
        about = "Every hazard in the order of the data; no score was given."
    front = there(table, ("rank", "hazard_id", "name"))
    table = table[[*front, *[c for c in table.columns if c not in front]]]
    return Sheet(name="Ranked list", table=table, about=f"{about} An empty cell means not known.")


def _first_year_of(harm: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
    first = harm[harm["year"] == harm["year"].min()].drop_duplicates("hazard_id").set_index("hazard_id")
    found = first[there(first, ("harm", "harm_low", "harm_high"))]
    found = found.reindex(facts["hazard_id"])
    found.index = facts.index
    return found


def _parts(facts: pd.DataFrame, scores: Mapping[str, pd.DataFrame]) -> Sheet:
    plain = plain_facts(facts)
    table = plain[there(plain, ("hazard_id", "name"))]
    for name, scored in scores.items():
        parts = [c for c in scored if str(c).startswith("from_")]
        bounds = ["score_low", "score_high", "missing"] if (scored["missing"] != "").any() else []
        shown = scored[there(scored, ["score", *parts, *bounds])]
        table = pd.concat([table, shown if len(scores) == 1 else shown.add_prefix(f"{name}: ")], axis=1)
    about = "What each factor gives to the score: the from_ columns of a row add up to its score."
    if not any("missing" in str(c) for c in table.columns):
        about += " No input is missing."
    if not scores:
        table = pd.DataFrame({"note": ["No score was given to the report."]})
    return Sheet(name="Score parts", table=table, about=about)


def _not_in_plan(plan: Plan, facts: pd.DataFrame, scores: Mapping[str, pd.DataFrame]) -> Sheet:
    plain = plain_facts(facts)
    said = _reasons(plan, facts)
    chosen = said["chosen"].eq(True)
    table = plain[there(plain, ("hazard_id", "name", "hazard_class", "status", "adm1", "adm2"))]
    for name, scored in list(scores.items())[:1]:
        shown = scored[there(scored, ("score", "class"))]
        table = pd.concat([table, shown], axis=1)
        table.attrs = {"order": name}
    table = pd.concat(
        [table, plain[there(plain, ("people_near", "accidents_near", "arrivals", "area_m2"))]], axis=1
    )
    table = table.assign(reason=said["reason"].where(said["reason"].notna(), without_option(facts)))
    if "price_gap" in said:
        table = table.assign(price_gap=said["price_gap"])
    left = table[~chosen].assign(_open=said["chosen"].notna())
    keys = ["_open", *[c for c in ("score", "people_near") if c in left][:1]]
    left = left.sort_values(keys, ascending=False, na_position="last", kind="stable").drop(columns="_open")
    about = (
        "Hazards on which the plan does nothing, and what would bring them in. Not in the plan is not safe."
    )
    return Sheet(name="Not in the plan", table=left, about=about)


def _problems(notes: Sequence[Note]) -> Sheet:
    rank = {kind: place for place, kind in enumerate(_ORDER)}
    rows = sorted(notes, key=lambda note: rank.get(note.kind, len(rank)))
    table = pd.DataFrame(
        [(n.table, n.kind, n.text, n.affected or None, ", ".join(n.rows) or None) for n in rows],
        columns=["table", "kind", "text", "affected", "rows"],
    )
    if not len(table):
        table = pd.DataFrame({"note": ["Nothing was found wrong."]})
    about = "What was found in the data and what was done about it; rows are counted from 1."
    return Sheet(name="Data problems", table=table, about=about)


def _assumptions(
    plan: Plan, definitions: Sequence[Score | HarmNumbers | HaltCosts], harm: pd.DataFrame | None
) -> Sheet:
    known = plan.options.attrs.get("activities")
    blocks = [] if known is None else [sources_table(known).rename(columns={"activity": "of"})]
    blocks = [block.assign(about="activity") for block in blocks]
    own = rule_numbers(plan)
    blocks += [own] if len(own) else []
    blocks += [_score_rows(recipe) for recipe in definitions if isinstance(recipe, Score)]
    if harm is not None:
        given = [numbers for numbers in definitions if isinstance(numbers, HarmNumbers)]
        blocks += [_harm_rows(numbers) for numbers in given or [HARM]]
    blocks += [
        one.table().reset_index().assign(about="halt") for one in definitions if isinstance(one, HaltCosts)
    ]
    if not blocks:
        blocks = [pd.DataFrame({"note": ["The plan was made from a table of options without sources."]})]
    whole = pd.concat([b.astype(object) for b in blocks], ignore_index=True)
    front = there(whole, ("about", "of", "ordnance", "number", "value", "unit", "placeholder"))
    whole = whole[[*front, *[c for c in whole.columns if c not in front]]]
    about = "Every number from outside and where it comes from; placeholders must be replaced."
    return Sheet(name="Assumptions and sources", table=whole, about=about)


def _harm_rows(numbers: HarmNumbers) -> pd.DataFrame:
    defaults = {"completeness": COMPLETENESS, "first_year_share": FIRST_YEAR_SHARE}
    columns = ("value", "unit", "source", "year", "country", "confidence", "placeholder")
    shipped = [
        {"number": f"{name}, where not given", **{c: getattr(one, c) for c in columns}}
        for name, one in defaults.items()
    ]
    table = pd.concat([numbers.table().reset_index().astype(object), pd.DataFrame(shipped).astype(object)])
    return table.assign(about="expected harm")


def _score_rows(recipe: Score) -> pd.DataFrame:
    shares = recipe.shares
    return pd.DataFrame(
        [
            {
                "about": f"score {recipe.name}",
                "of": factor.column,
                "number": "weight",
                "value": round(100 * shares[factor.name], 1),
                "unit": "points of 100",
                "source": factor.source,
                "reason": factor.reason,
            }
            for factor in recipe.factors
        ]
    )


def _placeholders(plan: Plan) -> list[tuple[str, str]]:
    """Warn where numbers without a source stand behind activities."""
    if "placeholder" not in plan.table or not plan.table["placeholder"].astype(bool).any():
        return []
    warning = (
        f"{int(plan.table['placeholder'].astype(bool).sum()):,} of {len(plan.table):,} activities rest on "
        "placeholder numbers, marked in Assumptions and sources: replace them before you decide on this plan."
    )
    return [("Placeholders", warning)]


def _read_me(
    title: str,
    opening: Sequence[tuple[str, str]],
    stories: Mapping[str, str],
    sheets: Sequence[Sheet],
    origin: Sequence[Any],
) -> Sheet:
    rows: list[tuple[str, Any]] = [(title, None), ("", None), ("Please note", DISCLAIMER), *opening]
    for name, story in stories.items():
        rows.append(("", None))
        rows += [(name if i == 0 else "", line) for i, line in enumerate(filter(None, story.splitlines()))]
    rows.append(("", None))
    rows += [(sheet.name, sheet.about) for sheet in sheets]
    rows += [("", None), ("Inputs", "file, rows, layer, SHA-256 of the file")]
    rows += [("", line) for line in _origins(origin)]
    rows += [("", None), ("Software", ", ".join(_versions())), ("", None), ("Columns", None)]
    rows += list(_meanings(sheets).items())
    table = pd.DataFrame(rows, columns=["what", "text"])
    about = "What this workbook is, and what it rests on."
    return Sheet(name="Read me", table=table, about=about, heading=False, totals=frozenset())


def _origins(tables: Sequence[Any]) -> list[str]:
    found: dict[str, None] = {}
    for table in tables:
        carried = getattr(table, "source", None) if not hasattr(table, "attrs") else table.attrs.get("source")
        for one in carried or ():
            layer = f", layer {one['layer']}" if one.get("layer") else ""
            count = f", {one['rows']:,} rows" if one.get("rows") is not None else ""
            digest = f", {one['sha256']}" if one.get("sha256") else ""
            found[f"{one.get('file', '(in memory)')}{count}{layer}{digest}"] = None
    return list(found) or ["tables in memory, whose origin is not known"]


def _versions() -> list[str]:
    found = [f"Python {platform.python_version()}"]
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found


def _meanings(sheets: Sequence[Sheet]) -> dict[str, str]:
    known = {**dict(describe("hazards")[["column", "meaning"]].itertuples(index=False)), **_MEANINGS}
    used = dict.fromkeys(str(c) for sheet in sheets for c in sheet.table.columns)
    plain = {name: name.split(" (", 1)[0] for name in used}  # a heading may name its unit
    return {name: known[own] for name, own in plain.items() if own in known}
