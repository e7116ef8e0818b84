# ruff: noqa: INP001 - a script beside its pictures, no package
"""Draw the pictures of docs/planning.md: shapes and words, for grey print, nothing told by color alone.

Run it from anywhere; it writes its SVG files beside itself. The numbers are those of the page's examples.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Rectangle

HERE = Path(__file__).parent
DARK, MID, PALE, PAPER = "#222222", "#8a8a8a", "#d9d9d9", "#ffffff"
PICTURES: dict[str, tuple[float, float, Callable[[Axes], None]]] = {}


def picture(
    name: str, width: float, height: float
) -> Callable[[Callable[[Axes], None]], Callable[[Axes], None]]:
    """Register a drawing under its file's name; width and height in units of its own plane."""

    def kept(draw: Callable[[Axes], None]) -> Callable[[Axes], None]:
        PICTURES[name] = (width, height, draw)
        return draw

    return kept


def box(
    ax: Axes, x: float, y: float, w: float, h: float, words: str = "", *, fill: str = PAPER, hatch: str = ""
) -> None:
    """Draw a box with words in it."""
    edge = MID if hatch else DARK
    ax.add_patch(
        Rectangle((x, y), w, h, facecolor=fill, edgecolor=edge, hatch=hatch, linewidth=0 if hatch else 1.2)
    )
    ax.add_patch(Rectangle((x, y), w, h, facecolor="none", edgecolor=DARK, linewidth=1.2))
    ink = PAPER if fill == DARK else DARK
    around = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.5} if hatch else None
    ax.text(x + w / 2, y + h / 2, words, ha="center", va="center", color=ink, fontsize=10, bbox=around)


def arrow(
    ax: Axes, a: tuple[float, float], b: tuple[float, float], *, bend: float = 0.0, dashed: bool = False
) -> None:
    """Draw an arrow from a to b, bent to one side."""
    ax.add_patch(
        FancyArrowPatch(
            a,
            b,
            arrowstyle="-|>",
            mutation_scale=13,
            connectionstyle=f"arc3,rad={bend}",
            linestyle="--" if dashed else "-",
            color=DARK,
            linewidth=1.2,
            shrinkA=0,
            shrinkB=0,
        )
    )


def say(
    ax: Axes, x: float, y: float, words: str, *, align: str = "center", bold: bool = False, size: float = 10
) -> None:
    """Write words at a point."""
    ax.text(
        x, y, words, ha=align, va="center", color=DARK, fontsize=size, fontweight="bold" if bold else "normal"
    )


def bars(
    ax: Axes, x: float, y: float, parts: Sequence[tuple[float, str, str, str]], *, high: float = 0.9
) -> None:
    """Lay boxes side by side: width, words, fill, hatch."""
    for width, words, fill, hatch in parts:
        box(ax, x, y, width, high, words, fill=fill, hatch=hatch)
        x += width


@picture("paths", 13, 5)
def paths(ax: Axes) -> None:
    """States as boxes, steps as arrows to the right, interim work as loops."""
    places = {"suspected\n(SHA)": 0.2, "confirmed\n(CHA)": 3.8, "surveyed": 7.4, "released": 11.0}
    for i, (state, x) in enumerate(places.items()):
        box(ax, x, 1.8, 1.8, 1.0, state, fill=PALE if i == 3 else PAPER)
    xs = list(places.values())
    for i, words in enumerate(("non-technical\nsurvey", "technical\nsurvey", "clearance")):
        arrow(ax, (xs[i] + 1.8, 2.3), (xs[i + 1], 2.3))
        say(ax, xs[i] + 2.7, 2.72, words, size=8.5)
    arrow(ax, (xs[0] + 0.9, 2.8), (xs[3] + 0.9, 2.8), bend=-0.28)
    arrow(ax, (xs[1] + 0.9, 2.8), (xs[3] + 0.5, 2.8), bend=-0.22)
    say(ax, 6.3, 4.65, "steps may be skipped (clearance without survey: a note says so)", size=9)
    for x in xs[:3]:
        arrow(ax, (x + 0.6, 1.8), (x + 1.2, 1.8), bend=1.6)
    say(ax, 5.0, 0.75, "marking, risk education: one year, the land stays as it is", size=9)
    say(ax, 5.0, 0.25, "area: cancelled + reduced + cleared + left = area worked on", size=9)


@picture("budget", 13, 5.6)
def budget(ax: Axes) -> None:
    """Money by year without and with carry-over."""
    for x, title in ((0, "each year for itself"), (6.9, "with carry-over")):
        say(ax, x + 3, 5.3, title, bold=True)
    rows = ((2027, 9.0, [(9.0, "B, C")]), (2028, 3.0, [(3.0, "E")]), (2029, 6.0, [(6.0, "A")]))
    for i, (year, money, parts) in enumerate(rows):
        y = 3.9 - 1.5 * i
        say(ax, 0.45, y + 0.45, str(year))
        bars(ax, 1.0, y, [(0.5 * w, t, PALE, "") for w, t in parts])
        say(ax, 1.0, y - 0.22, f"{money * 10:.0f},000 USD", align="left", size=8.5)
    say(ax, 7.35, 4.35, "2027")
    bars(ax, 7.9, 3.9, [(3.0, "A", PALE, ""), (1.5, "30 left", PAPER, "///")])
    say(ax, 7.35, 2.85, "2028")
    bars(ax, 7.9, 2.4, [(2.5, "B: 30 carried + 20", PALE, ""), (0.5, "", PAPER, "///")])
    say(ax, 7.35, 1.35, "2029")
    bars(ax, 7.9, 0.9, [(3.5, "C, E: 10 carried + 60", PALE, "")])
    arrow(ax, (11.7, 3.9), (10.7, 3.3))
    arrow(ax, (10.75, 2.4), (10.9, 1.8))
    say(ax, 3.2, 0.25, "1.30 accidents averted")
    say(ax, 9.6, 0.25, "1.45 accidents averted")


@picture("donors", 13, 4.4)
def donors(ax: Axes) -> None:
    """Grants to the left, districts to the right, pipes between."""
    box(ax, 0.3, 2.7, 3.6, 1.1, "Norway: 100,000\nfor the north only", fill=PALE)
    box(ax, 0.3, 0.5, 3.6, 1.1, "Fund: 80,000\nfor anything", fill=PAPER)
    box(ax, 8.7, 2.7, 3.6, 1.1, "north: A, B, C\n150,000")
    box(ax, 8.7, 0.5, 3.6, 1.1, "south: E\n30,000")
    for a, b, words, at in (
        ((3.9, 3.25), (8.7, 3.25), "100,000", (6.3, 3.55)),
        ((3.9, 1.25), (8.7, 2.9), "50,000", (6.1, 2.42)),
        ((3.9, 0.9), (8.7, 0.9), "30,000", (6.3, 0.6)),
    ):
        arrow(ax, a, b)
        say(ax, *at, words, size=9)
    say(ax, 6.3, 4.1, "every dollar of work is paid by a grant whose purpose it fits", size=9)


@picture("capacity", 13, 4.6)
def capacity(ax: Axes) -> None:
    """Twelve months of a team, of which the season leaves six; and a visiting team."""
    say(ax, 0.2, 4.2, "north: 12 team-months under contract, season of 6 months", align="left", bold=True)
    for month in range(12):
        on = 3 <= month < 9
        box(ax, 0.2 + 0.62 * month, 3.0, 0.62, 0.8, "", fill=PALE if on else PAPER, hatch="" if on else "///")
    say(ax, 3.9, 2.65, "months 4 to 9: work (6 team-months); hatched: none", size=9)
    box(ax, 9.0, 2.9, 3.7, 1.2, "2028: B by own teams,\nC by a visiting team:\n4 months, + 2,000 USD")
    say(ax, 0.2, 1.9, "south: 3 team-months, all year", align="left", bold=True)
    bars(ax, 0.2, 0.7, [(0.62, "", PALE, "")] * 3, high=0.8)
    say(ax, 2.3, 1.1, "free in 2028", align="left", size=9)
    arrow(ax, (4.3, 1.1), (10.2, 2.9), dashed=True)
    say(ax, 8.0, 1.75, "goes north", align="left", size=9)


@picture("share", 13, 3.6)
def share(ax: Axes) -> None:
    """Money by district without and with a floor."""
    unit = 9.0 / 150
    for y, title, south, averted in ((2.1, "no floor", 0, "1.40"), (0.5, "floor of 25 %", 40, "1.38")):
        say(ax, 1.9, y + 0.45, title, align="right", bold=True)
        parts = [((150 - south) * unit, f"north {150 - south},000", PALE, "")]
        parts += [(south * unit, f"south {south},000", PAPER, "///")] if south else []
        bars(ax, 2.1, y, parts)
        say(ax, 11.25, y + 0.6, averted, align="left")
        say(ax, 11.25, y + 0.25, "averted", align="left", size=8.5)
    ax.plot([2.1 + 0.75 * 9] * 2, [0.3, 3.2], color=DARK, linestyle="--", linewidth=1.2)
    say(ax, 2.1 + 0.75 * 9, 3.38, "a quarter to the right", size=9)


@picture("after", 13, 3.6)
def after(ax: Axes) -> None:
    """Draw a road that leads through one field to another."""
    ax.plot([0.4, 11.2], [1.4, 1.4], color=MID, linewidth=5, solid_capstyle="round", zorder=0)
    say(ax, 0.9, 0.95, "road", size=9)
    box(ax, 4.0, 0.8, 2.6, 1.2, "D\nfirst: 2028", fill=PALE)
    box(ax, 9.4, 0.8, 2.8, 1.2, "A\nthen: 2029")
    arrow(ax, (5.3, 2.0), (10.8, 2.0), bend=-0.25)
    say(ax, 8.05, 2.95, 'After("D", "A"): the same year or later', size=9)


@picture("complete", 13, 4.2)
def complete(ax: Axes) -> None:
    """Villages with their fields; the bonus where all are released."""
    for x, village, fields_, words in (
        (0.2, "Hairu", (("A", True), ("B", False)), "one is left:\nno bonus"),
        (4.8, "Kalum", (("C", False),), "nothing done:\nno bonus"),
        (8.6, "Melor", (("D", True), ("E", True)), "all released by 2029:\nbonus of 0.3"),
    ):
        width = 0.4 + 1.7 * len(fields_)
        box(ax, x, 1.1, width, 2.0)
        say(ax, x + width / 2, 3.4, village, bold=True)
        for i, (name, done) in enumerate(fields_):
            box(
                ax,
                x + 0.3 + 1.7 * i,
                1.5,
                1.4,
                1.2,
                name,
                fill=PALE if done else PAPER,
                hatch="" if done else "///",
            )
        say(ax, x + width / 2, 0.55, words, size=9)
    say(ax, 6.4, 4.0, "plain: released in the plan; hatched: not", size=9)


@picture("compact", 13, 3.8)
def compact(ax: Axes) -> None:
    """Two fields side by side, and their years."""
    for x, title, years, words in (
        (0.4, "apart", ("2028", "2029"), "two camps; 1.81 averted"),
        (7.0, "together", ("2029", "2029"), "one camp; 1.73 averted, and 0.15 for the pair"),
    ):
        say(ax, x + 2.5, 3.5, title, bold=True)
        same = years[0] == years[1]
        for i, (name, year) in enumerate(zip("DE", years, strict=True)):
            box(ax, x + 0.3 + 2.2 * i, 1.2, 2.2, 1.6, f"{name}\n{year}", fill=PALE if same or i else PAPER)
        if same:
            ax.add_patch(
                Rectangle((x + 0.15, 1.05), 4.7, 1.9, facecolor="none", edgecolor=DARK, linewidth=2.5)
            )
        say(ax, x + 2.5, 0.55, words, size=9)


@picture("promises", 13, 4.6)
def promises(ax: Axes) -> None:
    """Draw a calendar: rows are fields, columns years."""
    for i, year in enumerate((2027, 2028, 2029)):
        say(ax, 5.7 + 2.4 * i, 4.3, str(year), bold=True)
    rows = (
        ("E   LockIn 2027", ("must be", "", "")),
        ("A   LockOut 2028", ("", "must not be", "planned")),
        ("D   Finish by 2028", ("", "ended", "too late")),
    )
    for r, (name, cells) in enumerate(rows):
        y = 2.9 - 1.25 * r
        say(ax, 0.3, y + 0.5, name, align="left")
        for c, words in enumerate(cells):
            no = words in ("must not be", "too late")
            done = words in ("must be", "planned", "ended")
            box(
                ax, 4.5 + 2.4 * c, y, 2.4, 1.0, words, fill=PALE if done else PAPER, hatch="///" if no else ""
            )


@picture("deadline", 13, 5)
def deadline(ax: Axes) -> None:
    """Hectares released by the end of each year, as steps, and the goal."""
    left, unit, up = 2.2, 2.9, 0.22
    ax.plot([left, left + 3 * unit], [0.8, 0.8], color=DARK, linewidth=1.2)
    for style, mark, heights in (("-", "o", (4, 7, 13)), ("--", "s", (4, 10, 15))):
        xs = [left + unit * (i + 0.5) for i in range(3)]
        ax.plot(xs, [0.8 + up * h for h in heights], color=DARK, linestyle=style, marker=mark, linewidth=1.5)
    ax.plot([left, left + 3 * unit], [0.8 + up * 14] * 2, color=MID, linestyle=":", linewidth=2)
    say(ax, left - 0.2, 0.8 + up * 14, "14 ha\n(70 %)", align="right", size=9)
    for i, year in enumerate((2027, 2028, 2029)):
        say(ax, left + unit * (i + 0.5), 0.4, f"end of {year}", size=9)
    end = left + 2.5 * unit + 0.3
    say(ax, end, 0.8 + up * 16.4, "with it: 15 ha,\n1.18 averted", align="left", size=9)
    say(ax, end, 0.8 + up * 11.2, "without: 13 ha,\n1.40 averted", align="left", size=9)


@picture("goals", 13, 3.6)
def goals(ax: Axes) -> None:
    """Goals in their order."""
    steps = (
        ("1  accidents averted", "most: 1.40\nmay give up 5 %"),
        ("2  people", "most within that:\n1,800 in place of 1,700"),
        ("3  money", "least within that:\n140,000 USD"),
    )
    for i, (title, words) in enumerate(steps):
        x = 0.2 + 4.35 * i
        say(ax, x + 1.75, 2.9, title, bold=True)
        box(ax, x, 0.9, 3.5, 1.5, words, fill=(PALE, PAPER, PAPER)[i])
        if i < 2:
            arrow(ax, (x + 3.5, 1.65), (x + 4.35, 1.65))


@picture("funding", 13, 4.4)
def funding(ax: Axes) -> None:
    """Draw a trunk and two branches."""
    box(ax, 0.3, 1.6, 3.2, 1.2, "2027: A\ndecided now", fill=PALE)
    for y, title, cells in (
        (2.9, "as promised (0.6)", ("2028: B", "2029: C")),
        (0.4, "half for good (0.4)", ("2028: E", "2029: nothing fits")),
    ):
        arrow(ax, (3.5, 2.2), (5.3, y + 0.5))
        for i, words in enumerate(cells):
            box(ax, 5.3 + 2.6 * i, y, 2.4, 1.0, words)
        say(ax, 10.6, y + 0.5, title, align="left", size=9)
    say(ax, 4.2, 3.55, "now it is known", size=9)


@picture("halt", 13, 4.6)
def halt(ax: Axes) -> None:
    """Draw a year, the day the money stops, and what becomes of each field."""
    left, day, end = 2.0, 6.0, 10.0
    ax.plot([day, day], [0.3, 4.1], color=DARK, linewidth=2)
    say(ax, day, 4.35, "2 July: the money stops", bold=True)
    for y, name, done, fate in (
        (3.0, "B", "worked", "finish"),
        (1.8, "C", "worked", "close and mark: as hazardous as before"),
        (0.6, "A, D, E", "not begun", "risk education; people stay exposed"),
    ):
        say(ax, left - 0.3, y + 0.35, name, align="right", bold=True)
        begun = done == "worked"
        box(ax, left, y, day - left, 0.7, done, fill=PALE if begun else PAPER)
        box(ax, day, y, end - day, 0.7, "" if name != "B" else "finish", hatch="" if name == "B" else "///")
        if name == "B":
            say(ax, end + 0.15, y + 0.35, "the rest is paid", align="left", size=9)
        else:
            say(ax, day + 0.3, y - 0.2, fate, align="left", size=9)


def main() -> None:
    """Draw them all."""
    mpl.use("svg")
    mpl.rcParams.update(
        {
            "svg.hashsalt": "ccm_geo",
            "svg.fonttype": "none",
            "font.family": "DejaVu Sans",
            "hatch.linewidth": 0.6,
        }
    )
    for name, (width, height, draw) in PICTURES.items():
        figure = plt.figure(figsize=(width * 0.6, height * 0.6), facecolor=PAPER)
        ax = figure.add_axes((0, 0, 1, 1))
        ax.set(xlim=(0, width), ylim=(0, height))
        ax.axis("off")
        draw(ax)
        figure.savefig(HERE / f"{name}.svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)


if __name__ == "__main__":
    main()
