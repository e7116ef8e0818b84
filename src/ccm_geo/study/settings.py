"""Reading ``study.toml``: its keys are the functions and parameters of ccm_geo, and nothing else.

A table ``[people_near]`` holds what is given to `people_near`, a table ``[[Budget]]`` makes a `Budget`, and
``title``, ``years`` and ``score`` stand at the top because several functions take them.
"""

import datetime as dt
import difflib
import functools
import inspect
import os
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ccm_geo import access, displacement, exposure, io, maps, planning, report, risk, scoring
from ccm_geo.assumptions import HARM, HarmNumbers
from ccm_geo.errors import DataError, SourceError
from ccm_geo.planning.activities import read_activities

from .page import Page, listed, nearest, parsed
from .rules import CUTS, RULES, WITHIN, funding_of, needed_by, parameters_of, rules_of

_GIVEN: dict[
    Callable[..., Any], tuple[str, ...]
] = {  # what the pipeline itself hands to each function, and a study therefore does not
    io.read_hazards: (),
    io.read_population: (),
    io.read_accidents: (),
    io.read_displacement: (),
    io.read_roads: (),
    io.read_facilities: (),
    io.read_admin: (),
    exposure.people_near: ("hazards", "people", "executor"),
    exposure.accidents_near: ("hazards", "accidents"),
    exposure.facilities_near: ("hazards", "facilities"),
    access.travel_time: ("places", "facilities", "roads"),
    access.routes_cut: ("hazards", "roads"),
    access.cut_roads: ("hazards", "roads"),
    access.trips_to: ("places", "facilities", "roads"),
    access.detour: ("trips", "released"),
    access.release_gain: ("trips", "released"),
    exposure.population_cells: ("people",),
    displacement.arrivals_near: ("hazards", "moves", "people", "roads"),
    risk.expected_harm: ("facts", "years", "accidents", "numbers"),
    planning.list_options: ("facts", "activities", "harm", "years"),
    planning.visiting_teams: ("options",),
    planning.prioritize: ("options", "rules"),
    planning.Funding.around: ("money", "cuts"),
    planning.plan_under: ("options", "funding", "rules"),
    planning.halt: ("plan", "costs", "harm"),
    maps.map_plan: ("facts", "plan", "scores", "admin", "roads", "population", "sources", "title"),
    report.write_report: (
        "plan",
        "facts",
        "path",
        "scores",
        "harm",
        "halt",
        "sources",
        "definitions",
        "title",
    ),
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Funding" if call == planning.Funding.around else call.__name__: call for call in _GIVEN
}
"""What a study calls, by the name of its table."""

LISTED: dict[str, Callable[..., Any]] = {**RULES, "Goal": planning.Goal}
"""What a study may give several times."""

_SCORES = {"RISK": scoring.RISK, "DISPLACEMENT": scoring.DISPLACEMENT}
_TOP = ("title", "years", "score")
_NEEDED = ("read_hazards", "read_population")
_FILES = ("source", "admin", "places")
_NARROWED = {"within_m": float}  # a column of facts holds one distance, not bands
_NEEDS = {  # what a measure or rule cannot be had without, beside what every plan needs
    "accidents_near": ("read_accidents",),
    "facilities_near": ("read_facilities",),
    "arrivals_near": ("read_displacement",),
    "travel_time": ("read_facilities", "read_roads"),
    "routes_cut": ("read_roads",),
    "detour": ("read_facilities", "read_roads"),
    "release_gain": ("read_facilities", "read_roads"),
    "moving_teams": ("visiting_teams",),
    "plan_under": ("Funding",),
}
_APART = {  # what one study cannot have both of, and why
    ("Funding", "Goal"): "plan_under has one goal, the benefit; take one away",
    ("Funding", "prioritize"): "call it [plan_under]",
}
_OWN = {  # a number of the study's own, as far as it does not say where it comes from
    "source": "given by the planner",
    "year": None,
    "country": "",
    "confidence": "low",
    "placeholder": False,
}
_KNOWN = (*_TOP, *FUNCTIONS, *LISTED, *_SCORES, "HARM", "Activity")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a study file asks for, checked, with all paths made absolute.

    Parameters
    ----------
    path
        The study file.
    title
        Of the map and the workbook.
    years
        Of the plan, rising.
    definitions
        The scores, the first of which orders the lists.
    numbers
        The numbers behind expected harm.
    activities
        What can be done on a hazard.
    rules
        What the plan must keep, and what hazards bring together.
    goals
        What to plan for, one after the other; the benefit alone where empty.
    funding
        What money may come; None where the money among the rules is certain.
    halt_costs
        What stopping costs, if the money stops.
    options
        Parameters by function name.
    """

    path: Path
    title: str
    years: tuple[int, ...]
    definitions: tuple[scoring.Score, ...]
    numbers: HarmNumbers = HARM
    activities: tuple[planning.Activity, ...] = planning.ACTIVITIES
    rules: tuple[planning.Rule, ...] = ()
    goals: tuple[planning.Goal, ...] = ()
    funding: planning.Funding | None = None
    halt_costs: planning.HaltCosts = planning.HALT
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def asks_for(self, function: str) -> bool:
        """Tell whether the study has a table of that name."""
        return function in self.options


def read_study(path: str | os.PathLike[str]) -> Settings:
    """Read and check a study file; nothing that it names is opened yet.

    Parameters
    ----------
    path
        The TOML file. Paths in it are taken from its folder; a ``source`` with ``*`` means every file that
        fits, in the order of their names.

    Raises
    ------
    SourceError
        If the file cannot be read, is no TOML (names the line), or files it names are not there.
    DataError
        If it has unknown keys or values of the wrong kind: all of them at once, each with its line and
        the nearest key there is.

    Examples
    --------
    >>> from ccm_geo.study import sample_folder
    >>> read_study(sample_folder() / "study.toml").years
    (2027, 2028, 2029)
    """
    file = Path(path)
    text, tree = parsed(file)
    page = Page(file, text)
    faults = [*_unknown(tree, page), *_absent(tree)]
    faults = faults or _out_of_place(tree, page)
    if faults:
        raise DataError(f"{file.name}: {len(faults)} fault{'s' if len(faults) > 1 else ''}", faults)
    options = {name: _outer(name, tree[name]) for name in FUNCTIONS if name in tree}
    rules = rules_of(tree, page)
    return Settings(
        path=file,
        title=tree.get("title", "Clearance plan"),
        years=tuple(tree["years"]),
        definitions=_definitions(tree, page),
        numbers=_numbers("HARM", tree.get("HARM", {}), HARM, page),
        activities=_activities(tree, page),
        rules=rules,
        goals=tuple(
            page.told("Goal", nth, planning.Goal, **row)
            for nth, row in enumerate(listed(tree.get("Goal", [])))
        ),
        funding=funding_of(tree, rules, page),
        halt_costs=_numbers("halt.costs", tree.get("halt", {}).get("costs", {}), planning.HALT, page),
        options={name: _located(given, file.parent, page, name) for name, given in options.items()},
    )


def parameters(call: Callable[..., Any]) -> dict[str, Any]:
    """Give the parameters that a study may set, with their types."""
    hidden = {*_GIVEN.get(call, ()), "_"}
    known = inspect.signature(call).parameters.values()
    return {
        one.name: Any if isinstance(one.annotation, str) else _NARROWED.get(one.name, one.annotation)
        for one in known
        if one.name not in hidden
    }


def _unknown(tree: Mapping[str, Any], page: Page) -> list[str]:
    faults: list[str] = []
    for name, value in tree.items():
        if name not in _KNOWN:
            line = page.line("", name) if _plain(value) else page.line(name)
            faults.append(f"{line}: there is no [{name}]; {nearest(name, _KNOWN)}")
        elif name in _TOP:
            faults += _misfits_at_top(name, value, page)
        elif name in FUNCTIONS:
            known = parameters(FUNCTIONS[name]) | WITHIN.get(name, {})
            faults += _misfits(name, _outer(name, value), known, page)
            faults += _lacking(name, value, page)
            faults += _misfits_within(name, value, page)
        elif name in LISTED:
            faults += _misfits_of_rule(name, listed(value), page)
        elif name in _SCORES:
            faults += _misfits(name, value, {"weights": dict[str, float], "standing": str | None}, page)
    return faults


def _outer(name: str, value: Any) -> Any:
    """Leave out the tables that stand within one."""
    within = WITHIN.get(name, {})
    return {k: v for k, v in value.items() if k not in within} if isinstance(value, dict) else value


def _misfits_within(name: str, value: Any, page: Page) -> list[str]:
    given = value if isinstance(value, dict) else {}
    return [
        fault
        for key, make in WITHIN.get(name, {}).items()
        for nth, row in enumerate(listed(given.get(key, [])))
        for fault in _misfits_and_gaps(f"{name}.{key}", make, row, page, nth)
    ]


def _plain(value: Any) -> bool:
    """Tell a key's value from a table or rows of tables."""
    return not any(isinstance(one, dict) for one in listed(value))


def _misfits(name: str, given: Any, known: Mapping[str, Any], page: Page, nth: int = 0) -> list[str]:
    if not isinstance(given, dict):
        return [f"{page.line('', name)}: {name} is a table; write [{name}] and its keys below"]
    faults = []
    for key, value in given.items():
        line = page.line(name, key, nth)
        if key not in known:
            line = line if _plain(value) else page.line(f"{name}.{key}")
            faults.append(f"{line}: [{name}] has no key {key}; {nearest(key, known)}")
        elif value == {} and key == "amount":
            cure = "give money by year, like {2027 = 1_000_000}"
            faults.append(f"{line}: [{name}] {key} is empty: {cure}")
        elif wrong := _misfit(value, str | list[str] if key in _FILES else known[key]):
            faults.append(f"{line}: [{name}] {key} = {value!r}: give {wrong}")
    return faults


def _misfits_of_rule(name: str, rows: list[Any], page: Page) -> list[str]:
    """Say what does not fit in a rule that may stand there several times, and what it lacks."""
    faults: list[str] = []
    grants = 0
    for nth, row in enumerate(rows):
        faults += _misfits_and_gaps(name, LISTED[name], row, page, nth)
        for grant in listed(row.get("Grant", [])) if name == "Donors" and isinstance(row, dict) else ():
            faults += _misfits_and_gaps("Donors.Grant", planning.Grant, grant, page, grants)
            grants += 1
    return faults


def _misfits_and_gaps(name: str, make: Callable[..., Any], row: Any, page: Page, nth: int) -> list[str]:
    known = parameters_of(make)
    faults = _misfits(name, row, known, page, nth)
    if not isinstance(row, dict) or not row.keys() <= known.keys():
        return faults  # what is lacking may be there under a misspelled name
    faults += [f"{page.line(name, key, nth)}: [{name}] {key}: {cure}" for key, cure in _slips(name, row)]
    absent = [key for key in needed_by(make) if row.get(key) in (None, [])]
    return faults + [f"{page.line(name, nth=nth)}: [{name}] has no {key}; it needs one" for key in absent]


def _slips(name: str, row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name what is of the right kind and yet cannot be meant, with its cure."""
    teams, pairs = row.get("amount"), row.get("pairs", [])
    flat = isinstance(teams, dict) and not any(isinstance(one, dict) for one in teams.values())
    if name == "Capacity" and "by" not in row and flat and teams and all(map(str.isdecimal, teams)):
        yield "amount", 'it goes by year, not by region; add by = "" for teams that work everywhere'
    if name == "Compact" and not all(isinstance(one, list) and len(one) in {2, 3} for one in listed(pairs)):
        yield "pairs", 'give lists of two hazards, like [["HA-1", "HA-2"]]'


def _lacking(name: str, given: Any, page: Page) -> list[str]:
    """Name the keys without which a function cannot be called; files are looked at elsewhere."""
    needed = set(needed_by(FUNCTIONS[name])) - {*_GIVEN[FUNCTIONS[name]], "source"}
    there = given if isinstance(given, dict) else {}
    return [f"{page.line(name)}: [{name}] has no {key}; it needs one" for key in sorted(needed - {*there})]


def _misfits_at_top(name: str, value: Any, page: Page) -> list[str]:
    line = page.line("", name)
    if name == "title":
        return [] if isinstance(value, str) else [f'{line}: title: give a text, for example title = "Plan"']
    rows = value if isinstance(value, list) else []
    if name == "years":
        whole = rows and all(isinstance(y, int) and not isinstance(y, bool) for y in rows)
        good = whole and rows == sorted(set(rows))
        return [] if good else [f"{line}: years: give calendar years that rise, like years = [2027, 2028]"]
    wrong = [str(one) for one in rows if one not in _SCORES]
    if rows and not wrong:
        return []
    return [
        f"{line}: score: give a list of {', '.join(_SCORES)}" + (f", not {', '.join(wrong)}" * bool(wrong))
    ]


_KINDS: tuple[tuple[type, Any, str], ...] = (
    (str, str, "a text"),
    (dt.date, dt.date, "a day without quotes, like 2028-07-01"),
    (bool, bool, "true or false"),
    (int, int, "a whole number"),
    (float, (int, float), "a number"),
    (Mapping, dict, "a table, like {a = 1}"),
    (Iterable, list, "a list, like [1, 2]"),
)
_ABSTRACT = (Mapping, Iterable)


def _misfit(value: Any, hint: Any) -> str:
    """Say what kind is asked for where `value` is of another; an empty text where it fits."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        tables = [one for one in inner if isinstance(value, dict) and len(typing.get_args(one)) == 2]
        wrongs = [_misfit(value, one) for one in tables or inner if one is not type(None)]
        return "" if "" in wrongs else " or ".join(dict.fromkeys(wrongs))
    if origin is typing.Literal:
        return "" if value in inner else " or ".join(repr(one) for one in inner)
    asked = origin if isinstance(origin, type) else hint
    for kind, fitting, words in _KINDS:
        if isinstance(asked, type) and (asked is kind or (kind in _ABSTRACT and issubclass(asked, kind))):
            number = isinstance(value, bool) and kind is not bool
            right = isinstance(value, fitting) and not number
            return words if not right else (_misfit_inside(value, inner) if len(inner) == 2 else "")
    return ""


def _misfit_inside(table: Mapping[str, Any], hints: tuple[Any, ...]) -> str:
    """Look at keys, which are years or texts, and at values."""
    if hints[0] is int and not all(key.isdecimal() for key in table):
        return "a table by year, like {2027 = 1}"
    wrongs = ((key, _misfit(value, hints[1])) for key, value in table.items())
    return next((f"{wrong} for {key}" for key, wrong in wrongs if wrong), "")


def _absent(tree: Mapping[str, Any]) -> list[str]:
    faults = [f"[{name}] is missing: a plan needs it" for name in _NEEDED if name not in tree]
    faults += [
        f"[{name}] has no source: name its file"
        for name in FUNCTIONS
        if name.startswith("read_") and isinstance(tree.get(name), dict) and "source" not in tree[name]
    ]
    faults += [
        f"[{name}] needs [{other}], which the study does not have"
        for name, others in _NEEDS.items()
        for other in others
        if name in tree and other not in tree
    ]
    faults += [
        f"[{one}] and [{other}] cannot stand in one study: {why}"
        for (one, other), why in _APART.items()
        if one in tree and other in tree
    ]
    if "years" not in tree:
        faults.append("years is missing: name the years of the plan, like years = [2027, 2028, 2029]")
    if not any(name in tree for name in RULES):
        faults.append("there is no rule: give at least [[Budget]] with its amount")
    return faults


def _out_of_place(tree: Mapping[str, Any], page: Page) -> list[str]:
    """Say what is of the right kind and yet cannot be, before anything is read or planned."""
    faults, years = [], tree["years"]
    funding, halt = tree.get("Funding"), tree.get("halt")
    if funding is not None:
        if not tree.keys() & {"Budget", "Donors"}:
            cure = "give [[Budget]] or [[Donors.Grant]]"
            faults.append(f"{page.line('Funding')}: [Funding] finds no money that could be cut; {cure}")
        if not any(map(funding.get, CUTS)):
            faults.append(f"{page.line('Funding')}: [Funding] has no {' or '.join(CUTS)}; it needs one")
        known = funding["known_from"]
        if not years[0] < known <= years[-1]:
            cure = f"give a year of the plan after the first one, {years[0]}"
            faults.append(f"{page.line('Funding', 'known_from')}: [Funding] known_from = {known}: {cure}")
    if halt is not None:
        if not years[0] <= halt["on"].year <= years[-1]:
            cure = f"give a day in the years of the plan, {years[0]} to {years[-1]}"
            faults.append(f"{page.line('halt', 'on')}: [halt] on = {halt['on']}: {cure}")
        faults += [
            f"{page.line('halt', key)}: [halt] {key} = {halt[key]}: give a number of 0 or more"
            for key in ("notice_weeks", "money")
            if not halt[key] >= 0
        ]
    return faults


def _definitions(tree: Mapping[str, Any], page: Page) -> tuple[scoring.Score, ...]:
    names = tree.get("score", ["RISK", "DISPLACEMENT"] if "read_displacement" in tree else ["RISK"])
    return tuple(
        page.told(name, 0, _SCORES[name].with_weights, **tree[name]) if name in tree else _SCORES[name]
        for name in names
    )


def _activities(tree: Mapping[str, Any], page: Page) -> tuple[planning.Activity, ...]:
    """Put the study's own rows in the place of those of the same name and ordnance, or behind the rest."""
    rows = tree.get("Activity", [])
    known = list(planning.ACTIVITIES)
    for nth, row in enumerate(rows if isinstance(rows, list) else [rows]):
        if not isinstance(row, dict) or "activity" not in row:
            raise DataError(
                f"{page.file.name}: {page.line('Activity', nth=nth)}: name the activity, "
                'for example activity = "clearance"'
            )
        flat = {k: ";".join(v) if isinstance(v, list) else v for k, v in row.items()}
        (own,) = page.told("Activity", nth, read_activities, given=pd.DataFrame([flat]))
        same = [
            i for i, one in enumerate(known) if (one.activity, one.ordnance) == (own.activity, own.ordnance)
        ]
        if same:
            known[same[0]] = own
        else:
            known.append(own)
    return tuple(known)


def _numbers(name: str, given: Any, known: Any, page: Page) -> Any:
    """Put the study's own numbers, each with its source, in the place of those that ship."""
    fields = [one for one in known.__dataclass_fields__ if one != "beliefs"]
    changed = {}
    for key, row in given.items() if isinstance(given, dict) else ():
        if key not in fields or not isinstance(row, (dict, int, float)):
            cure = (
                "give a number, or a table with value and source" if key in fields else nearest(key, fields)
            )
            raise DataError(f"{page.file.name}: {page.line(name, key)}: [{name}.{key}]: {cure}")
        own = row if isinstance(row, dict) else {"value": row}
        make = functools.partial(replace, getattr(known, key), **_OWN)
        changed[key] = page.told(f"{name}.{key}", 0, make, **own)
    return page.told(name, 0, functools.partial(replace, known), **changed)


def _located(given: Mapping[str, Any], folder: Path, page: Page, name: str) -> dict[str, Any]:
    return {
        key: _files(value, folder, f"{page.file.name}: {page.line(name, key)}, [{name}]")
        if key in _FILES
        else value
        for key, value in given.items()
    }


def _files(value: Any, folder: Path, where: str) -> Any:
    """Find the files a study names: from its own folder, ``*`` for several; addresses of databases stay."""
    if isinstance(value, list):
        found = [_files(one, folder, where) for one in value]
        return [one for several in found for one in (several if isinstance(several, list) else [several])]
    if not isinstance(value, str) or "://" in value:
        return value
    path = Path(value).expanduser()
    whole = path if path.is_absolute() else folder / path
    if "*" in path.name:
        several = sorted(whole.parent.glob(path.name))
        if not several:
            raise SourceError(f"{where}: no file fits {value!r} in {whole.parent}")
        return several
    if not whole.exists():
        there = [one.name for one in whole.parent.iterdir()] if whole.parent.is_dir() else []
        near = difflib.get_close_matches(whole.name, there, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise SourceError(f"{where}: there is no file {value!r} in {folder}{hint}")
    return whole
