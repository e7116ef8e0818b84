"""Tables as worksheets: every text stays text, every number has a format, every page prints."""

import math
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

MOST_ROWS = 1_048_576  # of a worksheet, header included (Excel's specifications and limits)
MOST_LETTERS = 32_767  # of a cell, counted in UTF-16 units (ditto)
_A4 = 9
_WIDEST, _NARROWEST = 60, 8
_SAMPLE = 400  # rows looked at for a column's width
_WRAPPED = re.compile(r"reason|text|source|rows|meaning|in_words|scale|limits|note")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_FORMATS = (
    (re.compile(r"(^|_)year$|^(rank|band|rows|affected)$"), "0"),
    (re.compile(r"share|^(p_|percent)|_pct$|^(probability|done|gap|tolerance|given_up)$"), "0.0%"),
    (re.compile(r"^price|_price"), "0.000E+00"),
    (re.compile(r"usd_per"), "#,##0.00"),
    (re.compile(r"^(limit|used)$"), "#,##0.0"),
    (re.compile(r"score|(^|: )from_|team_months|_min$|weight|road_km"), "0.0"),
    (re.compile(r"usd|_m2|m2_per|people|arrivals|accidents_near|population|person_min"), "#,##0"),
    (re.compile(r"harm|benefit|bonus|averted|naive|foresight"), "#,##0.0000"),
    (re.compile(r"^(reached|bound|final)$"), "#,##0.00"),
)


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One table of the workbook.

    Parameters
    ----------
    name
        The tab, at most 31 letters.
    table
        The rows; a missing value becomes an empty cell.
    about
        One sentence for the reader, printed on every page.
    totals
        Positions of rows that sum up others: bold, and the rows above fold away under them.
    heading
        Whether the column names make a header row that stays in sight.
    """

    name: str
    table: pd.DataFrame
    about: str
    totals: frozenset[int] = field(default_factory=frozenset)
    heading: bool = True


def with_totals(
    name: str, about: str, blocks: Sequence[tuple[pd.DataFrame, Mapping[str, Any]]], *, empty: str = ""
) -> Sheet:
    """Put a line of totals under each block of rows; without any block the sheet says `empty`."""
    parts: list[pd.DataFrame] = []
    totals: set[int] = set()
    at = 0
    for rows, total in blocks:
        at += len(rows)
        totals.add(at)
        at += 1
        line = pd.DataFrame([{column: total.get(column) for column in rows.columns}])
        parts += [rows.astype(object), line.astype(object)]
    if not parts:
        return Sheet(name=name, table=pd.DataFrame({"note": [empty]}), about=about)
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return Sheet(name=name, table=table, about=about, totals=frozenset(totals))


def write_book(path: str, sheets: Sequence[Sheet], *, title: str, footer: str, created: datetime) -> None:
    """Write the sheets into one XLSX file.

    Nothing in it is a formula or a link, whatever the texts look like; control characters are removed
    and texts and tables that exceed what Excel can hold end with a remark.
    """
    options = {
        "constant_memory": True,  # rows go to disk as they are written, in order
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "nan_inf_to_errors": False,
        "remove_timezone": True,
    }
    with xlsxwriter.Workbook(path, options) as book:
        book.set_properties({"title": clean_text(title), "created": created.replace(tzinfo=None)})
        formats = _Formats(book)
        for sheet in sheets:
            _write_sheet(book.add_worksheet(sheet.name), sheet, formats, title, footer)


def without_control(value: object) -> str:
    """Give a text without control characters and half characters, which end or break files."""
    return _CONTROL.sub("", str(value))


def clean_text(value: object) -> str:
    r"""Give a text that a cell can hold.

    Examples
    --------
    >>> clean_text("mine\x00field")
    'minefield'
    >>> len(clean_text("x" * 40_000)), clean_text("x" * 40_000)[-12:]
    (32767, 'x [cut here]')
    """
    text = without_control(value).replace("\r\n", "\n").replace("\r", "\n")
    if len(text) * 2 <= MOST_LETTERS or len(text.encode("utf-16-le")) // 2 <= MOST_LETTERS:
        return text
    end = " [cut here]"
    whole = text.encode("utf-16-le")[: 2 * (MOST_LETTERS - len(end))]
    return whole.decode("utf-16-le", errors="ignore") + end


def number_format(column: Hashable) -> str:
    """Choose how the numbers of a column are shown, by its name.

    Examples
    --------
    >>> number_format("cost_usd"), number_format("first_year"), number_format("score")
    ('#,##0', '0', '0.0')
    """
    name = str(column)
    return next((shown for pattern, shown in _FORMATS if pattern.search(name)), "General")


class _Formats:
    """The cell formats of one workbook, each made once."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self._book = book
        self._made: dict[tuple[str, bool, bool], Format] = {}
        self.header = book.add_format(
            {"bold": True, "text_wrap": True, "valign": "top", "bg_color": "#E7E6E6", "bottom": 1}
        )

    def of(self, shown: str, *, bold: bool = False, wrap: bool = False) -> Format:
        key = (shown, bold, wrap)
        if key not in self._made:
            look: dict[str, Any] = {"num_format": shown, "valign": "top", "text_wrap": wrap, "bold": bold}
            if bold:
                look["top"] = 1
            self._made[key] = self._book.add_format(look)
        return self._made[key]


def _write_sheet(page: Worksheet, sheet: Sheet, formats: _Formats, title: str, footer: str) -> None:
    room = MOST_ROWS - 2
    table = sheet.table.iloc[:room]
    top = 1 if sheet.heading else 0
    if sheet.heading:
        page.write_row(0, 0, [clean_text(c) for c in table.columns], formats.header)
        page.freeze_panes(1, 1)
        page.repeat_rows(0)
        page.autofilter(0, 0, max(len(table), 1), max(table.shape[1] - 1, 0))
    columns = [_cells(table.iloc[:, at]) for at in range(table.shape[1])]
    looks = [_looks(str(name), formats) for name in table.columns]
    put = {float: page.write_number, str: page.write_string, datetime: page.write_datetime}
    for row, cells in enumerate(zip(*columns, strict=True)):
        strong = row in sheet.totals
        if sheet.totals:
            page.set_row(row + top, None, None, {} if strong else {"level": 1})
        for at, cell in enumerate(cells):
            if cell is not None:
                kind = type(cell)
                put[kind](row + top, at, cell, looks[at][strong][kind])
    for at, (name, column) in enumerate(zip(table.columns, columns, strict=True)):
        heading = str(name) if sheet.heading else ""
        page.set_column(at, at, _width(heading, column, number_format(name)))
    if len(sheet.table) > room:
        page.write_string(
            room + top, 0, f"{len(sheet.table) - room:,} more rows do not fit into a sheet of Excel"
        )
    page.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
    _set_print(page, f"{title}: {sheet.name}. {sheet.about}", footer)


def _set_print(page: Worksheet, header: str, footer: str) -> None:
    page.set_landscape()
    page.set_paper(_A4)
    page.fit_to_pages(1, 0)
    page.set_margins(left=0.4, right=0.4, top=0.8, bottom=0.6)
    page.set_header("&L" + _page_text(header, 240))
    page.set_footer("&L" + _page_text(footer, 200) + "&RPage &P of &N")


def _page_text(text: str, most: int) -> str:
    """Double the ampersands, which are codes in headers and footers, and keep to their 255 letters."""
    return re.sub(r"\s+", " ", clean_text(text))[: most // 2].replace("&", "&&")


def _looks(name: str, formats: _Formats) -> tuple[dict[type, Format], dict[type, Format]]:
    """Give the formats of a column's cells by their kind: in plain rows and in rows of totals."""
    wrap = bool(_WRAPPED.search(name))
    plain, bold = (
        {
            float: formats.of(number_format(name), bold=strong),
            str: formats.of("General" if wrap else "@", bold=strong, wrap=wrap),
            datetime: formats.of("yyyy-mm-dd", bold=strong),
        }
        for strong in (False, True)
    )
    return plain, bold


def _width(name: str, cells: Sequence[object], shown: str) -> float:
    sample = cells[:_SAMPLE]
    texts = [len(c) for c in sample if isinstance(c, str)]
    numbers = [len(f"{c:,.0f}") + 3 for c in sample if isinstance(c, float)]
    usual = float(np.percentile(texts, 95)) if texts else 0.0
    days = 11 if any(isinstance(c, datetime) for c in sample) else 0
    exponent = 10 if "E+" in shown else 0
    return min(max(usual + 1, len(name) * 0.7 + 3, *numbers, days, exponent, _NARROWEST), _WIDEST)


def _cells(values: pd.Series) -> list[str | float | datetime | None]:
    """Turn a column into what a cell can hold; None where nothing is known."""
    kind = values.dtype
    if pd.api.types.is_bool_dtype(kind):
        return [None if pd.isna(v) else ("yes" if v else "no") for v in values]
    if pd.api.types.is_numeric_dtype(kind):
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        return [_number(v) for v in numbers.tolist()]
    return [_cell(v) for v in values.tolist()]


def _number(value: float) -> str | float | None:
    if math.isfinite(value):
        return value
    return None if math.isnan(value) else ("unlimited" if value > 0 else "minus unlimited")


def _cell(value: Any) -> str | float | datetime | None:
    if value is None or value is pd.NaT or value is pd.NA or value == "":
        return None
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, float, np.integer, np.floating)):
        return _number(float(value))
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)  # noqa: DTZ001 - a day has no zone
    if isinstance(value, datetime):
        moment = pd.Timestamp(value).to_pydatetime(warn=False).replace(tzinfo=None)
        return moment if moment.year > 1900 else moment.date().isoformat()  # Excel's calendar starts there
    return clean_text(value)
