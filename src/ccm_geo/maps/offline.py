"""A folium.Map that is saved as one file which opens with no network.

Folium's own page names scripts and styles on the network and is white without it. `OfflineMap` renders
Folium's elements once, puts Leaflet and our scripts into the page itself, lets only those scripts run that
were in it when it was written (by their hashes, so nothing that hides in a text can run) and forbids the
browser every request.
"""

import base64
import hashlib
import html
import os
import re
from pathlib import Path
from typing import Any, BinaryIO

import folium
from branca.element import Element, Figure, JavascriptLink, Link
from folium.template import Template

from ccm_geo.errors import SourceError
from ccm_geo.files import replace_atomically
from ccm_geo.maps.assets import (
    LEAFLET_CSS,
    LEAFLET_JS,
    fetched,
    inlined,
    leaflet_script,
    leaflet_style,
    own_text,
    scripts_in,
)
from ccm_geo.maps.guard import descendants, identity, require_offline, text_stays_text, tree
from ccm_geo.maps.payload import Scene
from ccm_geo.maps.picture import Box
from ccm_geo.maps.words import direction

_OWN_SCRIPTS = ("shim.js", "layer.js", "view.js", "panel.js")
_ID = re.compile(r"(?<=_)[0-9a-f]{32}(?![0-9a-f])")
_POLICY = (
    "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:; "
    "font-src data:; base-uri 'none'; form-action 'none'"
)


class _Page(Figure):
    """The figure around an offline map: writes the whole page, so that every way to show it is the same."""

    def __init__(self, shown: "OfflineMap") -> None:
        super().__init__(height="640px")
        self._shown = shown
        tree(self.header).clear()  # the page states its encoding itself
        self.add_child(shown)

    def render(self, **kwargs: Any) -> str:
        """Give the page as text.

        Raises
        ------
        SourceError
            If a layer needs the network.
        """
        require_offline(self)
        parts = (self.header, self.html, self.script)
        before = [tree(part).copy() for part in parts]
        try:
            with text_stays_text(self._shown):
                for child in tree(self).values():
                    child.render(**kwargs)
                names = {identity(element) for element in descendants(self)}
                head, body, script = (
                    _clean("\n".join(self._text_of(element) for element in tree(part).values()))
                    for part in parts
                )
        finally:
            for part, children in zip(parts, before, strict=True):
                tree(part).clear()
                tree(part).update(children)
        steady = _steady_names(names, head + body + script)
        head, body, script = (_ID.sub(lambda m: steady.get(m[0], m[0]), t) for t in (head, body, script))
        page = _composed(self._shown, head, body, script)
        _require_silent(page)
        return page

    def _text_of(self, element: Element) -> str:
        if not isinstance(element, Link):
            return str(element.render())
        if element.url in {LEAFLET_JS, LEAFLET_CSS}:
            return ""  # on board of every page
        text = inlined(element.url, self._shown.at_hand)
        return _script(text) if isinstance(element, JavascriptLink) else _style(text)


def _composed(shown: "OfflineMap", head: str, body: str, script: str) -> str:
    own = _clean("\n".join([leaflet_script(), *map(own_text, _OWN_SCRIPTS)]))
    styles = _style(leaflet_style()) + _style(own_text("style.css"))
    above, below = shown.scene.frame if shown.scene else ('<main class="ccm-plain">', "</main>")
    top, framed, bottom = styles + _script(own) + head, f"{above}{body}{below}", _script(script)
    allowed = " ".join(map(_hash, scripts_in(f"{top}<body>{framed}{bottom}")))
    policy = html.escape(_POLICY.format(scripts=allowed))
    data = shown.scene.element() if shown.scene else ""
    return f"""<!DOCTYPE html>
<html lang="{html.escape(shown.language)}" dir="{direction(shown.language)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(_clean(shown.title)) or "Map"}</title>
{top}</head>
<body>
{_clean(framed)}
{data}{bottom}</body>
</html>
"""


def _clean(text: str) -> str:
    """Write line ends as browsers read them, and no half letters, or a script's hash would not fit it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode("utf-8")


class OfflineMap(folium.Map):
    """A Folium map whose page opens with no network.

    Everything of Folium that needs nothing from the network can be added to it: markers, popups, tooltips,
    GeoJSON, feature groups, the layer control. A layer that needs the network is refused when the page is
    written. `at_hand` names files for addresses that plugins ask for, once a planner has saved them.

    Parameters
    ----------
    location
        Latitude and longitude of the middle; None lets Folium choose.
    title
        Title of the page; any text.
    language
        Language of the page, an IETF tag such as ``en`` or ``lo``.
    scene
        What our own layers show; None for a map of the planner's own layers only.
    box
        What to show first: west, south, east, north in degrees; None for `location` and ``zoom_start``.
    options
        Options of `folium.Map`, such as ``zoom_start``.

    Examples
    --------
    >>> import folium
    >>> m = OfflineMap(title="Minefields near {{ here }}")
    >>> _ = folium.Marker([18.0, 102.6], popup="Office").add_to(m)
    >>> "http-equiv" in m.get_root().render()
    True
    """

    default_js = [("leaflet", LEAFLET_JS)]  # noqa: RUF012 - Folium declares it so
    default_css = [("leaflet_css", LEAFLET_CSS)]  # noqa: RUF012 - as above
    _template = Template(
        """
        {% macro html(this, kwargs) %}
            <div class="folium-map" id={{ this.get_name()|tojson }}></div>
        {% endmacro %}
        {% macro script(this, kwargs) %}
            var {{ this.get_name() }} = ccm.map({{ this.get_name()|tojson }}, {
                center: {{ this.location|tojson }},
                crs: L.CRS.{{ this.crs }},
                ...{{ this.options|tojavascript }}
            }, {{ this.corners|tojson }});
        {% endmacro %}
        """
    )

    def __init__(
        self,
        location: tuple[float, float] | None = None,
        *,
        title: str = "",
        language: str = "en",
        scene: Scene | None = None,
        box: Box | None = None,
        **options: Any,
    ) -> None:
        super().__init__(location=location, tiles=None, **options)
        self.title = title
        self.language = language
        self.scene = scene
        self.corners = None if box is None else [[box[1], box[0]], [box[3], box[2]]]
        self.at_hand: dict[str, str | Path] = {}
        _Page(self)

    def save(
        self,
        outfile: str | bytes | Path | BinaryIO,
        close_file: bool = True,  # noqa: FBT001, FBT002 - Folium's signature
        **kwargs: Any,
    ) -> None:
        """Write the page.

        Parameters
        ----------
        outfile
            Path, or a binary file that is open for writing. A path gets the whole page or stays as it was.
        close_file
            Whether to close a file that was given open.

        Raises
        ------
        SourceError
            If a layer needs the network, or the file cannot be written.
        """
        page = self.get_root().render(**kwargs).encode("utf-8")
        if isinstance(outfile, str | bytes | os.PathLike):
            with replace_atomically(os.fsdecode(outfile)) as draft:
                draft.write_bytes(page)
            return
        outfile.write(page)
        if close_file:
            outfile.close()


def _steady_names(names: set[str], text: str) -> dict[str, str]:
    """Give Folium's random names numbers in the order they occur in, so that equal maps are equal files."""
    found = dict.fromkeys(name for name in _ID.findall(text) if name in names)
    return {name: f"{number:032x}" for number, name in enumerate(found, start=1)}


def _script(text: str) -> str:
    # inside a script these two would end it or hide its end; in its strings the backslash changes nothing
    safe = re.sub(r"</(script)", r"<\\/\1", text, flags=re.IGNORECASE).replace("<!--", "<\\!--")
    return f"<script>{safe}</script>\n"


def _style(text: str) -> str:
    inside = text.replace("</", "<\\/")
    return f"<style>{inside}</style>\n"


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode('utf-8')).digest()).decode('ascii')}'"


def _require_silent(page: str) -> None:
    asked = fetched(page)
    if asked:
        raise SourceError(
            f"map: the page would ask for {asked[0]}; it must open without a network. Take out the element "
            "of your own that names this address, or put its content into the page"
        )
