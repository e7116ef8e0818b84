"""The page around the map: its regions, and what stands there where no script runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ccm_geo.maps.payload import text
from ccm_geo.maps.picture import SHADES, STEPS

_MARKED = 8  # years whose numbers fit under the slider


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What stands around the map.

    Parameters
    ----------
    title, subtitle, disclaimer
        Any text.
    warning
        What must be seen before anything else, also on a phone; "" for nothing.
    words
        All texts of the page.
    sources, notes
        Lines under "Sources" and "Notes on the data".
    layers
        Keys and labels of the background's switches.
    years
        Years of the plan, none for a map of scores.
    density
        Whether the map has a picture of where people live.
    first
        HTML for viewers that run no script.
    """

    title: str
    subtitle: str
    disclaimer: str
    warning: str
    words: Mapping[str, str]
    sources: Iterable[str]
    notes: Iterable[str]
    layers: Sequence[tuple[str, str]]
    years: Sequence[int]
    density: bool
    first: str


def skeleton(frame: Frame) -> tuple[str, str]:
    """Give the page's HTML before and after the map; every text in it is escaped."""
    w = {key: text(value) for key, value in frame.words.items()}
    return _panel(frame, w) + _main(w), _after(frame, w)


def _panel(frame: Frame, w: Mapping[str, str]) -> str:
    return f"""<a class="ccm-skip" href="#ccm-first">{w["skip"]}</a>
<aside class="ccm-panel" aria-label="{w["panel"]}">
<div class="ccm-head"><h1 dir="auto">{text(frame.title)}</h1>
<p class="ccm-sub" dir="auto">{text(frame.subtitle)}</p>
<div class="ccm-find"><label for="ccm-search">{w["search"]}</label>
<input id="ccm-search" type="text" inputmode="search" role="combobox" autocomplete="off"
 spellcheck="false" dir="auto"
 placeholder="{w["search"]}"
 aria-expanded="false" aria-controls="ccm-results" aria-autocomplete="list">
<ul id="ccm-results" role="listbox" aria-label="{w["search"]}" hidden></ul>
<p id="ccm-found" class="ccm-quiet" role="status"></p></div>
<button id="ccm-toggle" type="button" aria-expanded="false"
 aria-controls="ccm-body">{w["show_panel"]}</button>
{_warning(frame)}<p class="ccm-blank">{w["blank"]}</p></div>
<div id="ccm-body" class="ccm-body" tabindex="0" role="group" aria-label="{w["legend"]}">
<p id="ccm-trouble" class="ccm-trouble" hidden>{w["old_browser"]}</p>
<p class="ccm-loading">{w["loading"]}</p>
{_years(w, frame.years)}{_legend(frame, w)}
<section class="ccm-live-only ccm-extra"><h2>{w["also"]}</h2>
<ul class="ccm-layers">{_layers(frame.layers)}</ul></section>
<section class="ccm-live-only ccm-extra"><h2>{w["first_list"]}</h2>
<ol id="ccm-first" tabindex="-1"></ol></section>
<div class="ccm-static"><p>{w["no_script"]}</p>{frame.first}</div>
<section class="ccm-about"><h2>{w["about"]}</h2>
<h3>{w["sources"]}</h3>{_list(frame.sources)}{_notes(frame, w)}</section>
</div></aside>
"""


def _warning(frame: Frame) -> str:
    return f'<p class="ccm-warning" dir="auto">{text(frame.warning)}</p>' if frame.warning else ""


def _legend(frame: Frame, w: Mapping[str, str]) -> str:
    return f"""<section class="ccm-live-only"><h2>{w["legend"]}</h2>
<p class="ccm-pick"><label for="ccm-view">{w["color_by"]}</label> <select id="ccm-view"></select></p>
<ul id="ccm-legend" class="ccm-legend"></ul>
<p class="ccm-tools"><span id="ccm-shown"></span><button id="ccm-all" type="button">{w["show_all"]}</button>
<button id="ccm-none" type="button">{w["hide_all"]}</button></p>
<p id="ccm-level" class="ccm-quiet" role="status"></p><div id="ccm-shade" class="ccm-shade"></div>
<ul id="ccm-unshaded" class="ccm-legend"></ul>
{_density(w) if frame.density else ""}</section>
"""


def _main(w: Mapping[str, str]) -> str:
    return f'<main class="ccm-main" aria-label="{w["map"]}">\n'


def _after(frame: Frame, w: Mapping[str, str]) -> str:
    return f"""
<p class="ccm-north" title="{w["north"]}"><span aria-hidden="true">&#9650;</span>
<span>{w["north_short"]}</span></p>
<section id="ccm-card" class="ccm-card" aria-label="{w["details"]}" hidden>
<button id="ccm-card-close" type="button" aria-label="{w["close"]}">&#215;</button>
<div id="ccm-card-body" tabindex="0" role="group" aria-label="{w["details"]}"></div></section>
</main>
<footer class="ccm-foot" dir="auto">{text(frame.disclaimer)}</footer>"""


def _years(w: Mapping[str, str], years: Sequence[int]) -> str:
    if not years:
        return ""
    marks = "".join(f"<span>{year}</span>" for year in years) if len(years) <= _MARKED else ""
    return (
        f'<section class="ccm-live-only ccm-years"><h2>{w["totals"]}: <span id="ccm-year-now"></span></h2>'
        f'<div class="ccm-slide"><input id="ccm-year" type="range" min="0" max="{len(years) - 1}" step="1" '
        f'value="{len(years) - 1}" aria-label="{w["year"]}">'
        f'<button id="ccm-play" type="button" aria-label="{w["play"]}">&#9654;</button></div>'
        f'<div class="ccm-marks" aria-hidden="true">{marks}</div>'
        '<ul id="ccm-totals" class="ccm-totals"></ul></section>'
    )


def _layers(layers: Sequence[tuple[str, str]]) -> str:
    return "".join(
        f'<li><label><input type="checkbox" checked data-layer="{text(key)}"> {text(label)}</label></li>'
        for key, label in layers
    )


def _list(items: Iterable[str]) -> str:
    return "<ul>" + "".join(f'<li dir="auto">{text(item)}</li>' for item in items) + "</ul>"


def _notes(frame: Frame, w: Mapping[str, str]) -> str:
    told = list(frame.notes)
    return f"<h3>{w['notes']}</h3>{_list(told)}" if told else ""


def _density(w: Mapping[str, str]) -> str:
    boxes = "".join(
        f'<span class="ccm-step" dir="ltr" style="--color:{shade}">{step:,}+</span>'
        for step, shade in zip(STEPS, SHADES, strict=True)
    )
    key = f'<p class="ccm-quiet">{w["people_density"]}</p><div class="ccm-shade">{boxes}</div>'
    return f'<div id="ccm-density" hidden>{key}</div>'


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], caption: str) -> str:
    """Give a plain table for readers whose viewer runs no script."""
    top = "".join(f'<th scope="col">{text(cell)}</th>' for cell in head)
    lines = "".join(
        "<tr>" + "".join(f'<td dir="auto">{text(str(cell))}</td>' for cell in row) + "</tr>" for row in rows
    )
    parts = f"<caption>{text(caption)}</caption><thead><tr>{top}</tr></thead><tbody>{lines}</tbody>"
    return f"<table>{parts}</table>"
