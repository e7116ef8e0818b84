"""What a study file may hold, told from the library itself: its tables, their keys and what they mean."""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

from ccm_geo import planning
from ccm_geo.errors import DataError

from .page import nearest
from .rules import WITHIN, needed_by, parameters_of
from .settings import FUNCTIONS, LISTED, parameters

_OF_SCENARIO = {
    "name": "The scenario in which it happens; rows of one name come together.",
    "probability": "Of the scenario, above 0 to 1, in one of its rows; what is left of 1 is the promise's.",
}


def describe_study(name: str = "") -> pd.DataFrame:
    """Tell which tables a study file may have, or which keys one of them takes.

    Parameters
    ----------
    name
        Such as ``Budget``, ``Donors.Grant`` or ``people_near``; all tables are listed where not given.

    Returns
    -------
    pandas.DataFrame
        Columns table and meaning; or key, needed, default and meaning.

    Raises
    ------
    DataError
        If there is no such table.

    Examples
    --------
    >>> describe_study("Donors.Grant")["key"].tolist()
    ['name', 'amount', 'where', 'carry_over']
    >>> describe_study().iloc[0].tolist()
    ['[read_hazards]', 'Read recorded hazardous areas, mended, measured and checked.']
    """
    known = _tables()
    if not name:
        rows = [(_heading(table), _first_line(make)) for table, make in known.items()]
        return pd.DataFrame(rows, columns=["table", "meaning"])
    if name not in known:
        raise DataError(f"study: there is no [{name}]; {nearest(name, known)}")
    make = known[name]
    told, needed = dict(_parameters_told(make)), needed_by(make)
    own = parameters_of(make) if name in LISTED or "." in name else parameters(make)
    keys = [
        (
            key,
            "yes" if key in needed and key in own else "",
            _default(make, key),
            _elsewhere(name, key) or told.get(key, ""),
        )
        for key in dict.fromkeys([*own, *WITHIN.get(name, {})])
    ]
    return pd.DataFrame(keys, columns=["key", "needed", "default", "meaning"])


def _tables() -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = dict(FUNCTIONS)
    found |= LISTED
    return {
        name: call
        for around, make in found.items()
        for name, call in [
            (around, make),
            *((f"{around}.{own}", one) for own, one in WITHIN.get(around, {}).items()),
        ]
    }


def _heading(name: str) -> str:
    return f"[[{name}]]" if name in LISTED or _is_row(name) else f"[{name}]"


def _is_row(name: str) -> bool:
    """Tell whether a table within another one may stand there several times."""
    return "." in name and name != "halt.costs"


def _first_line(make: Callable[..., Any]) -> str:
    return (inspect.getdoc(make) or "").split("\n\n", 1)[0].replace("\n", " ").replace("`", "")


def _default(make: Callable[..., Any], key: str) -> str:
    if make is planning.HaltCosts:
        return f"{planning.HALT.value(key):g}, a placeholder"
    known = inspect.signature(make).parameters
    value = known[key].default if key in known else None
    blank = value is None or value is inspect.Parameter.empty or value in ("", ())
    if blank:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _elsewhere(name: str, key: str) -> str:
    around, _, own = name.partition(".")
    if key in WITHIN.get(name, {}):
        return f"In a table {_heading(f'{name}.{key}')} of its own."
    return _OF_SCENARIO.get(key, "") if around == "Funding" and own else ""


def _parameters_told(make: Callable[..., Any]) -> Iterator[tuple[str, str]]:
    """Read the section Parameters of a docstring: each name with its text."""
    text = inspect.getdoc(make) or ""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-{3,}\n|\Z)", text, re.DOTALL | re.MULTILINE)
    for entry in re.finditer(
        r"^(\S[^\n]*)\n((?:[ ]+[^\n]*\n?|\n(?=[ ]))+)", section[1] if section else "", re.MULTILINE
    ):
        words = re.sub(r"\s+", " ", entry[2]).strip().replace("`", "")
        for key in entry[1].split(" : ")[0].split(","):
            yield key.strip().lstrip("*"), words
