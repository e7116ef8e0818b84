"""Text of planners' own Folium layers stays text, and none of those layers reaches for the network.

Folium compiles what it has rendered as a template once more, so a hazard called ``{{ 7*7 }}`` would be
computed and one called ``50{% of area`` would stop the page; its popups and tooltips stand in JavaScript
template literals, where a backtick or ``${`` breaks out. For the time of one rendering every element
gets a stand-in for its template that marks the rendered text as literal, and loses it afterwards.
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from branca.element import Element, Html, Link, MacroElement
from folium import Popup, TileLayer, Tooltip
from folium.raster_layers import ImageOverlay

from ccm_geo.errors import SourceError
from ccm_geo.maps.assets import fetched, is_remote

_OPENINGS = ("{{", "{%", "{#")
_ADDRESSES = ("tiles", "url", "embed_link")


def literal(text: str) -> str:
    """Write text so that Jinja gives it back unchanged.

    >>> literal("50{% of {{ area")
    "50{{ '{%' }} of {{ '{{' }} area"
    """
    pieces, rest = [], text
    while found := [at for at in map(rest.find, _OPENINGS) if at >= 0]:
        at = min(found)
        pieces += [rest[:at], "{{ '", rest[at : at + 2], "' }}"]
        rest = rest[at + 2 :]
    # Jinja drops one newline at the very end of a template
    return "".join([*pieces, rest, "\n" if rest.endswith("\n") else ""])


def in_backticks(text: str) -> str:
    r"""Write text so that a JavaScript template literal gives it back unchanged.

    >>> print(in_backticks("`${x}` C:\\users"))
    \`\${x}\` C:\\users
    """
    return text.replace("\\", "\\\\").replace("`", "\\`").replace("${", "\\${")


class _Literal:
    """Stands in for a Folium template and marks what it renders as literal."""

    def __init__(self, template: Any) -> None:
        self._template = template

    def render(self, *args: Any, **kwargs: Any) -> str:
        return literal(str(self._template.render(*args, **kwargs)))

    @property
    def module(self) -> SimpleNamespace:
        found = vars(self._template.module)
        return SimpleNamespace(
            **{part: _marked(found[part]) for part in ("header", "html", "script") if part in found}
        )


def _marked(macro: Any) -> Any:
    return lambda *args: literal(str(macro(*args)))


def tree(element: Any) -> "OrderedDict[str, Any]":
    """Give the children of an element by name; branca offers them under a private name only."""
    return vars(element)["_children"]


def identity(element: Any) -> str:
    """Give the random part of an element's name."""
    return vars(element)["_id"]


def descendants(element: Any) -> Iterator[Any]:
    """Walk an element and all that hangs on it, popups' insides included."""
    yield element
    inside = [*tree(element).values(), *(tree(element.html).values() if isinstance(element, Popup) else ())]
    for child in inside:
        yield from descendants(child)


@contextmanager
def text_stays_text(root: Any) -> Iterator[None]:
    """Keep every text below `root` literal while it renders; leave the tree as it was found."""
    elements = list(descendants(root))
    before = [{**vars(element), "_children": tree(element).copy()} for element in elements]
    try:
        for element in elements:
            _escape_for_script(element)
            if isinstance(element, MacroElement):
                vars(element)["_template"] = _Literal(element._template)  # noqa: SLF001 - no other way to it
        yield
    finally:
        for element, state in zip(elements, before, strict=True):
            vars(element).clear()
            vars(element).update(state)


def _escape_for_script(element: Any) -> None:
    """Write texts that Folium puts between backticks so that they end there and nowhere before."""
    if isinstance(element, Tooltip):
        element.text = in_backticks(element.text)
    elif isinstance(element, Popup):
        for part in tree(element.html).values():
            if isinstance(part, Html):
                part.data = in_backticks(part.data.replace("\\`", "`"))  # Folium escaped these and no others


def require_offline(root: Any) -> None:
    """Refuse a layer that would ask the network for something.

    Raises
    ------
    SourceError
        Naming the layer, the address and what to do instead.
    """
    for element in descendants(root):
        for address in _addresses_of(element):
            raise SourceError(
                f"map: a {type(element).__name__} asks for {address}, which is on the network; this page "
                f"must open without one. {_cure(element)}"
            )


def _addresses_of(element: Element) -> Iterator[str]:
    given = vars(element)
    if not isinstance(element, Link):  # links are answered by assets.inlined
        yield from (given[name] for name in _ADDRESSES if is_remote(given.get(name)))
    options = given.get("options")
    if isinstance(options, dict):
        yield from (v for k, v in options.items() if str(k).lower().endswith("url") and is_remote(v))
        yield from _remote_in(options.get("html"))
    if isinstance(element, Tooltip):
        yield from _remote_in(element.text)
    elif isinstance(element, Html) and element.script:
        yield from _remote_in(element.data)


def _remote_in(html: object) -> Iterator[str]:
    if isinstance(html, str) and "<" in html:
        yield from (address for address in fetched(html) if is_remote(address))


def _cure(element: Element) -> str:
    if isinstance(element, TileLayer):
        return "Leave the background map out; districts and roads are drawn when you pass admin= and roads=."
    if isinstance(element, ImageOverlay):
        return "Give the picture as a file on this machine or as an array: Folium then puts it into the page."
    return "Save it once where there is internet and give the file, or leave it out."
