"""The rules of a study: which there are, what each takes, and which columns of the facts they ask for."""

import inspect
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
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
    return {
        one.name: one.annotation
        for one in inspect.signature(make).parameters.values()
        if one.name != "_" and (make, one.name) not in _TABLES_ONLY
    }


def needed_by(make: Callable[..., Any]) -> list[str]:
    """Name what a rule cannot do without."""
    if make is planning.Donors:
        return ["Grant"]
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
