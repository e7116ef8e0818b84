"""The text of a study file, and the words for what is wrong in it: the line, and the nearest key there is."""

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ccm_geo.errors import CcmGeoError, DataError, SourceError


@dataclass(frozen=True)
class Page:
    """The text of the study, to find the line that a fault stands in."""

    file: Path
    text: str

    def line(self, table: str, key: str = "", nth: int = 0) -> str:
        """Name the line of a key, or of its table where the key does not begin a line."""
        here, times, head = "", {"": 1}, 0
        for number, text in enumerate(self.text.splitlines(), 1):
            if opened := re.match(r"\s*\[+\s*(.+?)\s*\]+", text):
                here = opened[1].strip("\"'")
                times[here] = times.get(here, 0) + 1
            if here != table or times[here] != nth + 1:
                continue
            head = head or number
            if key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", text):
                return f"line {number}"
        if not head and "." in table:  # it may be written as a key of the table around it
            around, _, own = table.rpartition(".")
            return self.line(around, own)
        return f"line {head}" if head and table else "the file"

    def told(self, name: str, nth: int, make: Callable[..., Any], /, *rows: Any, **given: Any) -> Any:
        """Make a value of the study; an error says which table it stands in."""
        try:
            return make(*rows, **given)
        except CcmGeoError as reason:
            failures = getattr(reason, "failures", ())
            first = str(reason).split("\n", 1)[0]
            raise DataError(
                f"{self.file.name}: {self.line(name, nth=nth)}, [{name}]: {first}", failures
            ) from reason
        except (TypeError, ValueError) as reason:
            raise DataError(f"{self.file.name}: {self.line(name, nth=nth)}, [{name}]: {reason}") from reason


def parsed(file: Path) -> tuple[str, dict[str, Any]]:
    """Read a study's text and the tables in it.

    Raises
    ------
    SourceError
        If it cannot be read, or is no TOML; names the line.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as reason:
        raise SourceError(f"{file}: is not UTF-8 text; save it as UTF-8") from reason
    except OSError as reason:
        raise SourceError(f"{file}: cannot be read ({reason.strerror}); check the path") from reason
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as reason:
        paths = "\\" in text and re.search("hex|escape", str(reason))
        hint = "; write paths with / or in single quotes" if paths else ""
        if "nclosed" in str(reason) or "end of document" in str(reason):
            hint = f"; what begins in line {_unclosed(text)} is not closed"
        raise SourceError(f"{file.name}: is not TOML: {reason}{hint}") from reason


def _unclosed(text: str) -> int:
    """Find the line in which something begins that never ends: the one after the longest sound beginning."""
    lines = text.splitlines()
    for count in range(len(lines) - 1, -1, -1):
        try:
            tomllib.loads("\n".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue
        return count + 1
    return 1


def nearest(key: str, known: Iterable[str]) -> str:
    """Ask for the known key that is most like this one; list them all where none is."""
    listed = list(known)
    close = difflib.get_close_matches(key, listed, 1, 0.5)
    low = {name.lower(): name for name in listed}
    if key.lower() in low:
        close = [low[key.lower()]]
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(listed)}"


def listed(value: Any) -> list[Any]:
    """Give the rows of a ``[[Table]]``; one that was written ``[Table]`` counts as the only row."""
    return value if isinstance(value, list) else [value]
