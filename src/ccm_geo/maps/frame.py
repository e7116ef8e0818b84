"""The page around the map: its regions, and what stands there where no script runs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .payload import text


def skeleton(
    *,
    title: str,
    subtitle: str,
    disclaimer: str,
    words: Mapping[str, str],
    sources: Iterable[str],
    notes: Iterable[str],
    layers: Sequence[tuple[str, str]],
    years: Sequence[int],
    density: str,
    first: str,
) -> str:
    """Give the page's HTML with ``{map}`` where the map goes; every text in it is escaped."""
    w = {key: text(value).replace("{", "&#123;").replace("}", "&#125;") for key, value in words.items()}
    body = f"""<a class="ccm-skip" href="#ccm-first">{w["skip"]}</a>
<aside class="ccm-panel" aria-label="{w["panel"]}">
<div class="ccm-head"><h1 dir="auto">{_plain(title)}</h1>
<p class="ccm-sub" dir="auto">{_plain(subtitle)}</p>
<div class="ccm-find"><label for="ccm-search">{w["search"]}</label>
<input id="ccm-search" type="search" role="combobox" autocomplete="off" spellcheck="false" dir="auto"
 aria-expanded="false" aria-controls="ccm-results" aria-autocomplete="list">
<ul id="ccm-results" role="listbox" aria-label="{w["search"]}" hidden></ul>
<p id="ccm-found" class="ccm-quiet" role="status"></p></div>
<button id="ccm-toggle" type="button" aria-expanded="false" aria-controls="ccm-body">{w["show_panel"]}</button></div>
<div id="ccm-body" class="ccm-body" tabindex="0" role="group" aria-label="{w["legend"]}">
<p id="ccm-trouble" class="ccm-trouble" hidden>{w["old_browser"]}</p>
<p class="ccm-loading">{w["loading"]}</p>
{_years(w, years)}
<section class="ccm-live-only"><h2>{w["legend"]}</h2>
<p class="ccm-pick"><label for="ccm-view">{w["color_by"]}</label> <select id="ccm-view"></select></p>
<ul id="ccm-legend" class="ccm-legend"></ul>
<p class="ccm-tools"><span id="ccm-shown"></span><button id="ccm-all" type="button">{w["show_all"]}</button>
<button id="ccm-none" type="button">{w["hide_all"]}</button></p>
<p id="ccm-level" class="ccm-quiet" role="status"></p><div id="ccm-shade" class="ccm-shade"></div>
{density}
<p class="ccm-blank">{w["blank"]}</p></section>
<section class="ccm-live-only"><h2>{w["also"]}</h2><ul class="ccm-layers">{_layers(layers)}</ul></section>
<section class="ccm-live-only"><h2 id="ccm-first-title">{w["first_list"]}</h2><ol id="ccm-first" tabindex="-1"></ol></section>
<div class="ccm-static"><p>{w["no_script"]}</p>{first}</div>
<section><h2>{w["about"]}</h2><h3>{w["sources"]}</h3>{_list(sources)}{_notes(w, notes)}</section>
</div></aside>
<main class="ccm-main" aria-label="{w["map"]}">
{{map}}
<p class="ccm-north" title="{w["north"]}"><span aria-hidden="true">&#9650;</span> <span>{w["north_short"]}</span></p>
<section id="ccm-card" class="ccm-card" aria-label="{w["details"]}" hidden>
<button id="ccm-card-close" type="button" aria-label="{w["close"]}">&#215;</button>
<div id="ccm-card-body" tabindex="0" role="group" aria-label="{w["details"]}"></div></section>
</main>
<footer class="ccm-foot" dir="auto">{_plain(disclaimer)}</footer>"""
    before, after = body.split("{map}")
    return before + "{map}" + after


def _plain(value: str) -> str:
    # a brace of the user's own must not look like the place of the map
    return text(value).replace("{", "&#123;").replace("}", "&#125;")


def _years(w: Mapping[str, str], years: Sequence[int]) -> str:
    if not years:
        return ""
    marks = "".join(f"<span>{year}</span>" for year in years) if len(years) <= 8 else ""
    return (
        f'<section class="ccm-live-only ccm-years"><h2>{w["totals"]}: <span id="ccm-year-now"></span></h2>'
        f'<div class="ccm-slide"><input id="ccm-year" type="range" min="0" max="{len(years) - 1}" step="1" '
        f'value="{len(years) - 1}" aria-label="{w["year"]}">'
        f'<button id="ccm-play" type="button" aria-label="{w["play"]}">&#9654;</button></div>'
        f'<div class="ccm-marks" aria-hidden="true">{marks}</div><ul id="ccm-totals" class="ccm-totals"></ul></section>'
    )


def _layers(layers: Sequence[tuple[str, str]]) -> str:
    return "".join(
        f'<li><label><input type="checkbox" checked data-layer="{text(key)}"> {_plain(label)}</label></li>'
        for key, label in layers
    )


def _list(items: Iterable[str]) -> str:
    return "<ul>" + "".join(f'<li dir="auto">{_plain(item)}</li>' for item in items) + "</ul>"


def _notes(w: Mapping[str, str], notes: Iterable[str]) -> str:
    told = list(notes)
    return f"<h3>{w['notes']}</h3>{_list(told)}" if told else ""


def density_key(words: Mapping[str, str], steps: Sequence[int], shades: Sequence[str]) -> str:
    """Give the legend of the population picture."""
    boxes = "".join(
        f'<span class="ccm-step" style="--color:{shade}">{step:,}+</span>'
        for step, shade in zip(steps, shades, strict=True)
    )
    return (
        f'<div id="ccm-density" hidden><p class="ccm-quiet">{_plain(words["people_density"])}</p>'
        f'<div class="ccm-shade">{boxes}</div></div>'
    )


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], caption: str) -> str:
    """Give a plain table for readers whose viewer runs no script."""
    top = "".join(f'<th scope="col">{_plain(cell)}</th>' for cell in head)
    lines = "".join(
        "<tr>" + "".join(f'<td dir="auto">{_plain(str(cell))}</td>' for cell in row) + "</tr>" for row in rows
    )
    return f"<table><caption>{_plain(caption)}</caption><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"
