"""Tables of text: CSV in any everyday encoding and delimiter, and Excel workbooks. All cells stay text."""

import csv
import datetime as dt
import io
import itertools
from typing import Any

import pandas as pd

from ccm_geo.errors import DataError, SourceError

_DELIMITERS = ";,\t|"
_SNIFFED = 50  # lines looked at to find the delimiter


def read_csv(content: bytes, name: str) -> tuple[pd.DataFrame, list[str]]:
    """Read delimited text as a table of text, with remarks on what was assumed.

    Parameters
    ----------
    content
        The file.
    name
        What to call it in messages.

    Raises
    ------
    DataError
        If a line has more fields than the header.
    """
    text, remarks = _decoded(content)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    delimiter = _delimiter(text)
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=delimiter,
            dtype=str,
            keep_default_na=False,
            na_values=[""],
            index_col=False,
        )
    except pd.errors.EmptyDataError:
        raise DataError(f"{name}: the file is empty") from None
    except pd.errors.ParserError as error:
        raise DataError(
            f"{name}: a line does not fit the header ({str(error).strip()}); look for a delimiter inside "
            "a text that is not quoted"
        ) from None
    return _tidy(frame, remarks)


def _decoded(content: bytes) -> tuple[str, list[str]]:
    for bom, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(bom):
            return content.decode(encoding), []
    try:
        return content.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        pass
    remark = "the file is not UTF-8, read as Windows-1252; if letters look wrong, save it again as UTF-8"
    try:
        return content.decode("cp1252"), [remark]
    except UnicodeDecodeError:
        return content.decode("latin-1"), [remark.replace("Windows-1252", "Latin-1")]


def _delimiter(text: str) -> str:
    """Choose the delimiter whose lines are most often as wide as the header, the widest at a tie."""
    lines = list(itertools.islice(io.StringIO(text), _SNIFFED))

    def fit(delimiter: str) -> tuple[float, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        if not widths or widths[0] < 2:
            return 0.0, 0
        return round(sum(w == widths[0] for w in widths) / len(widths), 1), widths[0]

    return max(_DELIMITERS, key=fit) if max(map(fit, _DELIMITERS)) > (0.0, 0) else ","


def read_sheet(content: bytes, name: str, sheet: str | None) -> tuple[pd.DataFrame, list[str]]:
    """Read one sheet of a workbook as a table of text; the first row is the header.

    Raises
    ------
    SourceError
        If the workbook cannot be opened, has no such sheet, or has several and none is named.
    """
    import openpyxl  # noqa: PLC0415 - slow to import, and few tables are workbooks

    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except Exception as error:  # noqa: BLE001 - openpyxl lets errors of zipfile, XML and its own through
        raise SourceError(f"{name}: cannot be read as a workbook ({error})") from None
    try:
        filled = {page.title: _cells(page) for page in book.worksheets}
    finally:
        book.close()
    named = [title for title, rows in filled.items() if len(rows) > 1]
    if sheet is None:
        if len(named) != 1:
            raise SourceError(f"{name}: sheets with data are {_listed(named)}; name one with layer=")
        sheet = named[0]
    elif sheet not in filled:
        raise SourceError(f"{name}: there is no sheet {sheet!r}; the sheets are {_listed(list(filled))}")
    header, *rows = filled[sheet] or [[]]
    width = max((len(row) for row in [header, *rows]), default=0)
    names = [cell or f"Unnamed: {at}" for at, cell in enumerate(header + [None] * (width - len(header)))]
    frame = pd.DataFrame([row + [None] * (width - len(row)) for row in rows], columns=names, dtype="str")
    return _tidy(frame, [])


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"


def _cells(page: Any) -> list[list[str | None]]:
    if not hasattr(page, "iter_rows"):
        return []  # a sheet that is only a chart
    page.reset_dimensions()  # many writers store a wrong size
    rows = [[_cell_text(value) for value in row] for row in page.iter_rows(values_only=True)]
    while rows and not any(rows[-1]):
        rows.pop()
    return rows


def _cell_text(value: object) -> str | None:
    """Write a cell as text: 5001.0 as 5001, a day without its midnight."""
    if value is None or value == "":
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, dt.datetime):
        day_only = value.time() == dt.time()
        return value.date().isoformat() if day_only else value.isoformat(sep=" ")
    return str(value)


def _tidy(frame: pd.DataFrame, remarks: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Leave out the HXL row, nameless empty columns and rows with nothing in them at the end."""
    frame.columns = pd.Index([str(name).strip() for name in frame.columns])
    keep = [
        not (name.startswith("Unnamed:") and frame.iloc[:, at].isna().all())
        for at, name in enumerate(frame.columns)
    ]
    frame = frame.loc[:, keep]
    if len(frame) and _is_hxl(frame.iloc[0]):
        frame = frame.iloc[1:].reset_index(drop=True)
        remarks = [*remarks, "the second line holds HXL tags and is left out"]
    filled = frame.notna().any(axis=1).to_numpy()
    last = len(filled) - filled[::-1].argmax() if filled.any() else 0
    return frame.iloc[:last].reset_index(drop=True), remarks


def _is_hxl(row: pd.Series) -> bool:
    tags = row.dropna().astype(str).str.strip()
    return len(tags) > 0 and bool(tags.str.match(r"#[a-z]").all())
