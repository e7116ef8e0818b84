"""What the planner's page tells is what happens: its Python runs and prints what is shown."""

import contextlib
import io
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = (DOCS / "planning.md").read_text(encoding="utf-8")
PIECE = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)
RULES = [
    "Budget",
    "Donors",
    "Capacity",
    "Share",
    "After",
    "Complete",
    "Compact",
    "LockIn",
    "LockOut",
    "Finish",
    "Deadline",
]


def told(text):
    """Lines as printed, without what rests on prices (which may differ where several prove the same)."""
    return [line.split("; what it uses")[0].rstrip() for line in text.rstrip().splitlines()]


def test_the_page_prints_what_it_shows():
    world = {}
    for code, shown in PIECE.findall(PAGE):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "planning.md", "exec"), world)  # noqa: S102 - our own page
        assert told(printed.getvalue()) == told(shown), code


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_an_example(rule):
    assert re.search(rf"ccm\.{rule}\(", PAGE)


def test_every_picture_and_page_it_points_to_is_there():
    targets = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert sum(t.endswith(".svg") for t in targets) >= 13
    assert [t for t in targets if not (DOCS / t).exists()] == []


def test_every_picture_has_its_drawing_and_its_place_on_the_page():
    drawn = set(re.findall(r'@picture\("(\w+)"', (DOCS / "pictures" / "draw.py").read_text(encoding="utf-8")))
    assert drawn == {picture.stem for picture in (DOCS / "pictures").glob("*.svg")}
    assert drawn == set(re.findall(r"pictures/(\w+)\.svg", PAGE))


def test_every_picture_has_words_and_tells_nothing_by_color():
    for picture in (DOCS / "pictures").glob("*.svg"):
        drawn = picture.read_text(encoding="utf-8")
        assert "<text" in drawn
        for color in re.findall(r"#([0-9a-f]{6})", drawn):
            assert len({color[:2], color[2:4], color[4:]}) == 1, f"{picture.name}: {color}"
