"""A folium.Map that is saved as one file which opens with no network.

Folium's own page names scripts and styles on the network and is white without it. `OfflineMap` renders
Folium's elements once, puts Leaflet and our scripts into the page itself, lets only those scripts run that
were in it when it was written (by their hashes, so nothing that hides in a text can run) and forbids the
browser every request.
"""

import base64
import hashlib
import html
import re
import secrets
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import folium
from branca.element import CssLink, Element, Figure, JavascriptLink
from folium.template import Template

from ccm_geo.errors import SourceError

from .assets import (
    LEAFLET_CSS,
    LEAFLET_JS,
    fetched,
    inlined,
    leaflet_script,
    leaflet_style,
    own_text,
    scripts_in,
)
from .guard import descendants, require_offline, text_stays_text
from .payload import Scene
from .words import direction

_OWN_SCRIPTS = ("shim.js", "layer.js", "panel.js")
_ID = re.compile(r"(?<=_)[0-9a-f]{32}(?![0-9a-f])")
_POLICY = (
    "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
    "base-uri 'none'; form-action 'none'"
)


class _Page(Figure):  # type: ignore[misc]
    """The figure around an offline map: writes the whole page, so that every way to show it is the same."""

    def __init__(self, shown: "OfflineMap") -> None:
        super().__init__(height="640px")
        self._shown = shown
        self.header._children.clear()
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
        kept = [OrderedDict(part._children) for part in parts]
        try:
            with text_stays_text(self._shown):
                for child in self._children.values():
                    child.render(**kwargs)
                head, body, script = (
                    [self._given(element) for element in part._children.values()] for part in parts
                )
                names = {element._id for element in descendants(self)}
        finally:
            for part, children in zip(parts, kept, strict=True):
                part._children = children
        return self._compose("".join(head), "\n".join(body), "\n".join(script), names)

    def _given(self, element: Element) -> str:
        if isinstance(element, JavascriptLink):
            return "" if element.url == LEAFLET_JS else _script(inlined(element.url, self._shown.at_hand))
        if isinstance(element, CssLink):
            return "" if element.url == LEAFLET_CSS else _style(inlined(element.url, self._shown.at_hand))
        return str(element.render())

    def _compose(self, head: str, body: str, script: str, names: set[str]) -> str:
        shown = self._shown
        own = "\n".join([leaflet_script(), *map(own_text, _OWN_SCRIPTS)])
        steady = _steady_names(names, head + body + script)
        head, body, script = (
            _ID.sub(lambda found: steady.get(found[0], found[0]), t) for t in (head, body, script)
        )
        style = _style(leaflet_style()) + _style(own_text("style.css"))
        frame = shown.scene.framed(body) if shown.scene else f"<main>{body}</main>"
        content = f"{head}{style}</head>\n<body>\n{frame}\n"
        trailing = _script(own) + _script(
            f"(function () {{\n{script}\n}})();" if shown.scene is None else script
        )
        allowed = [_hash(text) for text in scripts_in(content + trailing)]
        payload = shown.scene.element() if shown.scene else ""
        title = html.escape(shown.title) or "Map"
        page = (
            f'<!DOCTYPE html>\n<html lang="{html.escape(shown.language)}" dir="{direction(shown.language)}">\n<head>\n'
            f'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="'
            f'{html.escape(_POLICY.format(scripts=" ".join(allowed)), quote=True)}">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta name="referrer" content="no-referrer">\n<title>{title}</title>\n'
            f"{content}{payload}{trailing}</body>\n</html>\n"
        )
        _require_silent(page)
        return page


class OfflineMap(folium.Map):  # type: ignore[misc]
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

    default_js: ClassVar[list[tuple[str, str]]] = [("leaflet", LEAFLET_JS)]
    default_css: ClassVar[list[tuple[str, str]]] = [("leaflet_css", LEAFLET_CSS)]
    _template = Template(
        """
        {% macro html(this, kwargs) %}
            <div class="folium-map" id={{ this.get_name()|tojson }}></div>
        {% endmacro %}
        {% macro script(this, kwargs) %}
            var {{ this.get_name() }} = ccm.map({{ this.get_name()|tojson }}, {
                center: {{ this.location|tojson }}, crs: L.CRS.{{ this.crs }}, ...{{ this.options|tojavascript }}
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
        box: tuple[float, float, float, float] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(location=location, tiles=None, **options)
        self.title = title
        self.language = language
        self.scene = scene
        self.corners = None if box is None else [[box[1], box[0]], [box[3], box[2]]]
        self.at_hand: dict[str, str | Path] = {}
        _Page(self)

    def save(self, outfile: str | bytes | Path | BinaryIO, close_file: bool = True, **kwargs: Any) -> None:
        """Write the page.

        Parameters
        ----------
        outfile
            Path, or a binary file that is open for writing. A path gets the whole page or stays as it was.
        close_file
            Whether to close a file that was given open.
        kwargs
            Handed to Folium's rendering.

        Raises
        ------
        SourceError
            If a layer needs the network, or the file cannot be written.
        """
        page = self.get_root().render(**kwargs).encode("utf-8", "replace")
        if isinstance(outfile, str | bytes | Path):
            _write(Path(outfile.decode() if isinstance(outfile, bytes) else outfile), page)
            return
        outfile.write(page)
        if close_file:
            outfile.close()


def _write(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        raise SourceError(
            f"map: {path} cannot be written ({error.strerror}); close the file where it is open, or choose "
            "another folder"
        ) from error
    finally:
        beside.unlink(missing_ok=True)


def _steady_names(names: set[str], text: str) -> dict[str, str]:
    """Number Folium's random names in the order in which they occur, so that equal maps are equal files."""
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
            f"map: the page would ask for {asked[0]}; it must open without a network. Take out the element of your "
            "own that names this address, or put its content into the page"
        )
