"""What the page is made of besides data: Leaflet and our own scripts, which ask the network for nothing."""

import base64
import re
from functools import cache
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

from ccm_geo.errors import MissingDependency, SourceError

LEAFLET_JS = "https://cdn.jsdelivr.net/npm/leaflet@1.9.3/dist/leaflet.js"
"""Address under which Folium asks for the script that XStatic-Leaflet installs."""
LEAFLET_CSS = "https://cdn.jsdelivr.net/npm/leaflet@1.9.3/dist/leaflet.css"
"""Address under which Folium asks for the styles that XStatic-Leaflet installs."""

_PINS = {
    "iconUrl": "marker-icon.png",
    "iconRetinaUrl": "marker-icon-2x.png",
    "shadowUrl": "marker-shadow.png",
}
_REMOTE = re.compile(r"^\s*(?:(?:https?|ftp|wss?):)?//", re.IGNORECASE)
_STYLE_ADDRESS = re.compile(
    r"""url\(\s*["']?\s*(?!data:|blob:|#)([^"')\s]+)|@import\s+["']?([^"';\s]+)""", re.IGNORECASE
)
_SOURCE_MAP = re.compile(r"[#@]\s*sourceMappingURL\s*=\s*(?!data:)([^\s*]+)")
_FETCHING = {"src", "srcset", "poster", "background", "xlink:href"}
_FETCHING_HREF = {"link", "image", "use", "base", "feimage"}


def own_text(name: str) -> str:
    """Give the text of one of this package's own scripts or styles."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _leaflet(name: str) -> bytes:
    try:
        folder = files("xstatic.pkg.leaflet")
    except ModuleNotFoundError as error:
        raise MissingDependency(
            "maps need Leaflet from the package XStatic-Leaflet, which is not installed: "
            "pip install 'XStatic-Leaflet>=1.9.3,<1.10'"
        ) from error
    return folder.joinpath("data", name).read_bytes()


def data_address(content: bytes, kind: str) -> str:
    """Give bytes as an address that carries its own content, ``data:...``."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


@cache
def leaflet_script() -> str:
    """Give Leaflet, without its source map and with its three marker pictures on board."""
    script = _SOURCE_MAP.sub("", _leaflet("leaflet.js").decode("utf-8")).rstrip().removesuffix("//")
    pins = ",".join(
        f'{option}:"{data_address(_leaflet(f"images/{name}"), "image/png")}"'
        for option, name in _PINS.items()
    )
    return f"{script}\ndelete L.Icon.Default.prototype._getIconUrl;L.Icon.Default.mergeOptions({{{pins}}});"


@cache
def leaflet_style() -> str:
    """Give Leaflet's styles with their pictures on board, without the rule for Internet Explorer."""
    style = re.sub(r"[^{};]*url\(#default#VML\);", "", _leaflet("leaflet.css").decode("utf-8"))
    return re.sub(
        r"url\((images/[\w.-]+)\)",
        lambda found: f'url("{data_address(_leaflet(found[1]), "image/png")}")',
        style,
    )


def inlined(address: str, at_hand: dict[str, str | Path]) -> str:
    """Give the text behind an address that a layer asks for, from this machine.

    Parameters
    ----------
    address
        What Folium wrote into the page.
    at_hand
        Addresses and the files that a planner has saved for them.

    Raises
    ------
    SourceError
        If nothing at hand answers this address, or its file cannot be read.
    """
    if address == LEAFLET_JS:
        return leaflet_script()
    if address == LEAFLET_CSS:
        return leaflet_style()
    if address not in at_hand:
        raise SourceError(
            f"map: a layer needs {address}, which is on the network; this page must open without one. Leave "
            f"the layer out, or save that file once where there is internet and say where it lies: "
            f"m.at_hand[{address!r}] = 'the_file'"
        )
    try:
        return _SOURCE_MAP.sub("", Path(at_hand[address]).read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError(
            f"map: {at_hand[address]} cannot be read ({error.strerror}); at_hand names it for {address}"
        ) from error


class _Fetches(HTMLParser):
    """Collects what a piece of HTML would ask for, and the scripts that stand in it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.addresses: list[str] = []
        self.scripts: list[str] = []
        self._inside = ""
        self._runs = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._inside = tag if tag in {"script", "style"} else ""
        self._runs = given.get("type", "") in {"", "module", "text/javascript", "application/javascript"}
        if self._inside == "script" and "src" not in given:
            self.scripts.append("")
        for name, value in given.items():
            wanted = name in _FETCHING or (name == "href" and tag in _FETCHING_HREF)
            if wanted or (tag == "object" and name == "data"):
                self._note(value)
            elif name == "style":
                self._style(value)
        if tag == "meta" and given.get("http-equiv", "").lower() == "refresh":
            self.addresses.append(given.get("content", ""))

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - HTMLParser's signature
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self._style(data)
        elif self._inside == "script" and self.scripts:
            self.scripts[-1] += data if self._runs else ""
            self.addresses += _SOURCE_MAP.findall(data) if self._runs else []

    def _note(self, value: str) -> None:
        if not value.strip().lower().startswith(("data:", "blob:", "#", "about:")) and value.strip():
            self.addresses.append(value)

    def _style(self, text: str) -> None:
        self.addresses += [first or second for first, second in _STYLE_ADDRESS.findall(text)]


def fetched(html: str) -> list[str]:
    """List what a browser would ask for when it reads this HTML; plain links are not asked for."""
    reader = _Fetches()
    reader.feed(html)
    reader.close()
    return reader.addresses


def scripts_in(html: str) -> list[str]:
    """List the texts of the scripts that stand in this HTML and would run."""
    reader = _Fetches()
    reader.feed(html)
    reader.close()
    return [text for text in reader.scripts if text]


def is_remote(text: object) -> bool:
    """Say whether a value is an address on the network."""
    return isinstance(text, str) and _REMOTE.match(text) is not None
