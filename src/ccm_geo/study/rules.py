"""The rules and the money of a study: what each takes, and which columns of the facts they ask for."""

import inspect
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from ccm_geo import planning
from ccm_geo.errors import DataError

from .page import Page, listed, nearest

RULES: dict[str, Callable[..., Any]] = {
    rule.__name__: rule
    for rule in (
        planning.Budget,
        planning.Donors,
        planning.Capacity,
        planning.moving_teams,
        planning.Share,
        planning.Deadline,
        planning.Finish,
        planning.LockIn,
        planning.LockOut,
        planning.After,
        planning.Complete,
        planning.Compact,
    )
}
"""What makes rules, by the name that it has in a study."""

CUTS: dict[str, Callable[..., Any]] = {
    cut.__name__: cut for cut in (planning.BudgetCut, planning.Freeze, planning.DonorLeaves)
}
"""What may happen to money, by the name that it has in a study."""

WITHIN: dict[str, dict[str, Callable[..., Any]]] = {
    "Donors": {"Grant": planning.Grant},
    "Funding": CUTS,
    "halt": {"costs": planning.HaltCosts},
}
"""Tables that stand within another one, such as ``[[Donors.Grant]]``."""

_OF_SCENARIO = {"name": str, "probability": float}  # what a cut is given in a study, beside its own keys
_TABLES_ONLY = {(planning.Compact, "by")}  # takes a table of pairs, which a study cannot give
_STEPS = ("option_id", "hazard_id", "activity", "year", "state_now", "state_from", "state_to", "teams")
_NUMBERS = ("cost_usd", "team_months", "benefit", "people", "placeholder", "lon", "lat")
_AREAS = ("area_m2", "cancelled_m2", "reduced_m2", "cleared_m2", "left_m2")
_MADE = frozenset((*_STEPS, *_NUMBERS, *_AREAS))
"""Columns that options have of themselves, and never take from the facts."""


def parameters_of(make: Callable[..., Any]) -> dict[str, Any]:
    """Give what a rule takes, with the types; the grants of `Donors` are tables of their own."""
    if make is planning.Donors:
        return {"Grant": list[Any] | dict[str, Any], "name": str}
    if make is planning.HaltCosts:
        return {one.name: float | dict[str, Any] for one in fields(planning.HaltCosts)}
    return (_OF_SCENARIO if make in CUTS.values() else {}) | {
        one.name: one.annotation
        for one in inspect.signature(make).parameters.values()
        if one.name != "_" and (make, one.name) not in _TABLES_ONLY
    }


def needed_by(make: Callable[..., Any]) -> list[str]:
    """Name what a rule cannot do without."""
    if make is planning.Donors:
        return ["Grant"]
    if make is planning.HaltCosts:
        return []
    if make in CUTS.values():
        return ["name", *_without_default(make)]
    return _without_default(make)


def _without_default(make: Callable[..., Any]) -> list[str]:
    known = inspect.signature(make).parameters.values()
    return [one.name for one in known if one.default is one.empty and one.name != "_"]


def rules_of(tree: Mapping[str, Any], page: Page) -> tuple[planning.Rule, ...]:
    """Make the rules of a study.

    Raises
    ------
    DataError
        If a rule refuses what it is given; names the line of its table.
    """
    made: list[planning.Rule] = []
    grants = 0
    for name, make in RULES.items():
        for nth, row in enumerate(listed(tree.get(name, []))):
            if make is planning.Donors:
                rows = listed(row["Grant"])
                own = [
                    page.told("Donors.Grant", grants + at, planning.Grant, **spelled_out(planning.Grant, one))
                    for at, one in enumerate(rows)
                ]
                grants += len(rows)
                # grants alone are [[Donors.Grant]], and there is no line with [[Donors]]
                head = "Donors" if page.line("Donors", nth=nth) != "the file" else "Donors.Grant"
                made.append(page.told(head, nth, make, *own, name=row.get("name", "")))
            else:
                rule = page.told(name, nth, make, **spelled_out(make, row))
                made += [rule] if isinstance(rule, planning.Rule) else rule
    return tuple(made)


def funding_of(
    tree: Mapping[str, Any], rules: Iterable[planning.Rule], page: Page
) -> planning.Funding | None:
    """Make the scenarios of a study's money; None where it is certain.

    Raises
    ------
    DataError
        If there is no money, or the scenarios do not fit it; names the line of the table.
    """
    if "Funding" not in tree:
        return None
    given = {key: value for key, value in tree["Funding"].items() if key not in CUTS}
    chances: dict[str, float] = {}
    happens: dict[str, list[Any]] = {}
    for kind, rows in tree["Funding"].items():
        for nth, row in enumerate(listed(rows) if kind in CUTS else []):
            own = dict(row)
            name = own.pop("name")
            page.told(f"Funding.{kind}", nth, _note_chance, chances, name, own.pop("probability", None))
            happens.setdefault(name, []).append(page.told(f"Funding.{kind}", nth, CUTS[kind], **own))
    page.told("Funding", 0, _require_chances, happens, chances)
    cuts = {name: (chances[name], tuple(several)) for name, several in happens.items()}
    return page.told("Funding", 0, planning.Funding.around, filter(is_money, rules), cuts, **given)


def is_money(rule: planning.Rule) -> bool:
    """Tell whether a rule is money that may be cut."""
    return isinstance(rule, planning.Donors) or (isinstance(rule, planning.Budget) and rule.of == "cost_usd")


def _note_chance(chances: dict[str, float], name: str, probability: float | None) -> None:
    if probability is None:
        return
    if chances.setdefault(name, probability) != probability:
        raise DataError(
            f"scenario {name!r} has probability {chances[name]:g} and {probability:g}; rows of one name come "
            "together, so give it once"
        )


def _require_chances(happens: Iterable[str], chances: Mapping[str, float]) -> None:
    for name in happens:
        if name not in chances:
            raise DataError(f"scenario {name!r} has no probability; give it above 0 to 1")


def spelled_out(make: Callable[..., Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """Turn what TOML cannot say into what is meant: years as keys, and "" for nothing."""
    hints = parameters_of(make)
    out = {key: _meant(value, hints[key]) for key, value in row.items()}
    if out.get("by", "") is None and isinstance(out.get("amount"), dict):  # teams that work everywhere
        out["amount"] = _by_year(out["amount"])
    return out


def _meant(value: Any, hint: Any) -> Any:
    kinds = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    if value == "" and type(None) in kinds:
        return None
    if isinstance(value, dict):
        for kind in kinds:
            inner = typing.get_args(kind)
            if len(inner) == 2:
                below = {key: _meant(one, inner[1]) for key, one in value.items()}
                return _by_year(below) if inner[0] is int else below
    return value


def _by_year(value: dict[str, Any]) -> dict[Any, Any]:
    """Turn keys into years; TOML knows only text."""
    return {int(key) if key.isdecimal() else key: one for key, one in value.items()}


def columns_kept(rules: Iterable[Any], goals: Iterable[planning.Goal], facts: Iterable[str]) -> list[str]:
    """Name the columns of the facts that rules and goals ask for; see ``keep=`` of `list_options`.

    Examples
    --------
    >>> rules = [planning.Share("adm2", at_least=0.05), planning.Complete("road", bonus=1)]
    >>> columns_kept(rules, [], ["adm2", "road", "people_near"])
    ['adm2', 'road']
    """
    asked = [name for rule in rules for name in (*_sorted_by(rule), getattr(rule, "of", ""))]
    asked += [goal.column for goal in goals]
    there = set(facts) - _MADE
    return [name for name in dict.fromkeys(asked) if name in there]


def require_columns(rules: Iterable[Any], there: Iterable[str]) -> None:
    """Refuse rules that sort by a column that neither facts nor options have.

    Raises
    ------
    DataError
        Names each such column and the nearest one there is.
    """
    known = sorted(set(there) | _MADE)
    absent = [
        f"{rule.title}: there is no column {name!r}; {nearest(name, known)}"
        for rule in rules
        for name in dict.fromkeys(_sorted_by(rule))
        if name not in known
    ]
    if absent:
        raise DataError("rules: they sort by columns that the hazards do not have", absent)


def _sorted_by(rule: Any) -> Iterator[str]:
    """Name the columns by which a rule tells options apart."""
    for field in ("column", "by"):
        name = getattr(rule, field, None)
        if isinstance(name, str):
            yield name
    for field in ("where", "first", "then"):
        given = getattr(rule, field, None)
        if isinstance(given, Mapping):
            yield from map(str, given)
    for grant in getattr(rule, "grants", ()):
        yield from map(str, grant.where or ())
