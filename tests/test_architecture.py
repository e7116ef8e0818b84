"""The house keeps its shape: imports go down only, one module projects, the package stays light."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[1] / "src" / "ccm_geo"
FLOORS = [
    {"errors"},
    {"_columns", "_threads", "files"},
    {"schemas"},
    {"space", "_scales", "_accident_rate", "assumptions"},
    {"io", "_coverage"},
    {"exposure", "access", "demography"},
    {"displacement", "risk", "scoring", "planning", "outreach", "climate"},
    {"maps", "report"},
    {"study"},
    {"cli"},
]
FLOOR_OF = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
PLANNING = [
    {"_given", "activities", "land", "listing", "model", "options"},
    {"engine"},
    {"rules"},
    {
        "_priced",
        "bonuses",
        "check",
        "choose",
        "conflicts",
        "findings",
        "floors",
        "needed",
        "plan",
        "ranking",
        "reasons",
        "story",
        "ways",
    },
    {"answers", "money"},
]
PLANNING_FLOOR_OF = {room: level for level, rooms in enumerate(PLANNING) for room in rooms}


def modules():
    return [p for p in sorted(SRC.rglob("*.py")) if p.parent != SRC or p.stem not in {"__init__", "__main__"}]


def room(path):
    return path.relative_to(SRC).parts[0].removesuffix(".py")


def imported_rooms(path):
    """Every room of the house that a file imports, absolute or relative."""
    depth = len(path.relative_to(SRC).parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            names = [node.module.split(".")[0]] if node.module else [a.name for a in node.names]
            yield from names
        elif (
            isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").startswith("ccm_geo")
        ):
            parts = node.module.split(".")
            yield from [parts[1]] if len(parts) > 1 else [a.name for a in node.names]


def planning_rooms():
    """Every file of the plan with the rooms of the plan that it imports when it runs."""
    base = SRC / "planning"
    for path in sorted(base.rglob("*.py")):
        parts = path.relative_to(base).parts
        if parts[0] == "__init__.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        typing_only = {id(n) for w in ast.walk(tree) if isinstance(w, ast.If) for n in ast.walk(w)}
        names = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and id(node) not in typing_only:
                module = (node.module or "").split(".")
                if module[:2] == ["ccm_geo", "planning"]:
                    names |= set(module[2:3]) or {a.name for a in node.names}
                elif node.level == len(parts):
                    names |= {module[0]} if node.module else {a.name for a in node.names}
        yield path, parts[0].removesuffix(".py"), names


def calls(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SRC)))
def test_imports_go_down_only(path):
    here = FLOOR_OF[room(path)]
    wrong = [
        name
        for name in imported_rooms(path)
        if name in FLOOR_OF and name != room(path) and FLOOR_OF[name] >= here
    ]
    assert not wrong, f"{path.relative_to(SRC)} imports {wrong} from its own floor or above"


def test_every_room_has_a_floor():
    assert {room(p) for p in modules()} <= set(FLOOR_OF)
    assert {here for _, here, _ in planning_rooms()} == set(PLANNING_FLOOR_OF)


def test_imports_within_the_plan_go_down_only():
    wrong = [
        f"{path.relative_to(SRC)} imports {name}"
        for path, here, names in planning_rooms()
        for name in names & set(PLANNING_FLOOR_OF)
        if PLANNING_FLOOR_OF[name] > PLANNING_FLOOR_OF[here]
    ]
    assert not wrong


def test_only_space_projects():
    assert [p.name for p in modules() if p.stem != "space" and "to_crs" in set(calls(p))] == []


def test_no_module_grows_beyond_600_lines():
    long = {p.name: n for p in modules() if (n := len(p.read_text(encoding="utf-8").splitlines())) > 600}
    assert not long, f"look for the second noun: {long}"


def test_no_public_function_bears_its_modules_name():
    import ccm_geo  # noqa: PLC0415 - only its list of names is wanted

    assert not {p.stem for p in modules()} & set(ccm_geo.__all__)


def run_python(code, cwd):
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=env, cwd=cwd
    )
    return done.stdout.split()


def test_import_loads_none_of_the_heavy_packages(tmp_path):
    heavy = "folium", "numba", "highspy", "matplotlib", "networkx", "scipy", "rasterio", "typer", "xlsxwriter"
    code = (
        "import geopandas, sys; had = set(sys.modules); import ccm_geo; "
        f"print(*[m for m in {heavy!r} if m in set(sys.modules) - had])"
    )
    assert run_python(code, tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_every_public_name_loads_and_is_typed():
    import ccm_geo  # noqa: PLC0415 - the point of the test

    for name in ccm_geo.__all__:
        assert getattr(ccm_geo, name) is not None
    tree = ast.parse((SRC / "__init__.py").read_text(encoding="utf-8"))
    typed = {
        a.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for a in node.names
        if a.asname
    }
    assert typed == set(ccm_geo.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = ccm_geo.nonsense
