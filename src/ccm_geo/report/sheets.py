"""Tables as worksheets: every text stays text, every number has a format, every page prints.

XlsxWriter makes the book with its formats, widths and print setup; the rows themselves are put into its
sheets as XML column by column, which for a country's million of cells takes a tenth of the time.
"""

import io
import math
import re
import zipfile
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pandas as pd
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

MOST_ROWS = 1_048_576  # of a worksheet, header included (Excel's specifications and limits)
MOST_LETTERS = 32_767  # of a cell, counted in UTF-16 units (ditto)
_A4 = 9
_CHUNK = 4_000  # rows put together at a time
_EPOCH = pd.Timestamp("1899-12-30")  # day 0 of Excel's calendar, as far as it counts right
_FIRST_DAY = pd.Timestamp("1900-03-01")  # before it, Excel's calendar has a day that never was
_WIDEST, _NARROWEST = 60, 8
_SAMPLE = 400  # rows looked at for a column's width
_WRAPPED = re.compile(r"reason|text|source|rows|meaning|in_words|scale|limits|note")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_FORMATS = (
    (re.compile(r"(^|_)year$|^(rank|band|rows|affected)$"), "0"),
    (re.compile(r"share|^(p_|percent)|_pct$"), "0.0%"),
    (re.compile(r"^price|_price"), "0.000E+00"),
    (re.compile(r"usd_per"), "#,##0.00"),
    (re.compile(r"score|(^|: )from_|team_months|_min$|weight"), "0.0"),
    (re.compile(r"usd|_m2|m2_per|people|arrivals|accidents_near|population"), "#,##0"),
    (re.compile(r"harm|benefit"), "#,##0.0000"),
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


def write_book(path: str, sheets: Sequence[Sheet], *, title: str, footer: str, created: datetime) -> None:
    """Write the sheets into one XLSX file.

    Nothing in it is a formula or a link, whatever the texts look like; control characters are removed
    and texts and tables that exceed what Excel can hold end with a remark.
    """
    frame = io.BytesIO()
    columns = [
        [_Cells.of(sheet.table.iloc[: _room(), at]) for at in range(sheet.table.shape[1])] for sheet in sheets
    ]
    with xlsxwriter.Workbook(frame, {"in_memory": True}) as book:
        book.set_properties({"title": clean_text(title), "created": created.replace(tzinfo=None)})
        formats = _Formats(book)
        for sheet, cells in zip(sheets, columns, strict=True):
            _lay_out(book.add_worksheet(sheet.name), sheet, cells, formats, title, footer)
    with (
        zipfile.ZipFile(frame) as empty,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as filled,
    ):
        at = {f"xl/worksheets/sheet{n}.xml": n - 1 for n in range(1, len(sheets) + 1)}
        for part in empty.infolist():
            text = empty.read(part)
            if part.filename not in at:
                filled.writestr(part, text)
                continue
            number = at[part.filename]
            with filled.open(part.filename, "w", force_zip64=True) as page:
                for piece in _filled(text.decode("utf-8"), sheets[number], columns[number]):
                    page.write(piece.encode("utf-8"))


def _room() -> int:
    return MOST_ROWS - 2


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
    text = without_control(value)
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


@dataclass(frozen=True)
class _Cells:
    """One column as pieces of XML: what stands in each cell, and which of the kinds it is."""

    inner: list[str]
    """``<v>12</v>`` or an inline text; empty where nothing is known."""
    kind: np.ndarray[Any, np.dtype[np.int8]]
    """Position in `_KINDS`."""
    widest: float
    """Letters that the usual cell needs."""

    @classmethod
    def of(cls, values: "pd.Series[Any]") -> "_Cells":
        """Turn a column of a table into cells."""
        dtype = values.dtype
        if pd.api.types.is_bool_dtype(dtype):
            values = values.astype(object)
        elif pd.api.types.is_numeric_dtype(dtype):
            return cls._numbers(values.to_numpy(dtype=float, na_value=np.nan))
        elif pd.api.types.is_datetime64_any_dtype(dtype):
            values = values.dt.tz_localize(None).astype(object)
        plain = values.astype(object)
        if pd.api.types.infer_dtype(plain, skipna=True).startswith(
            "mixed"
        ):  # 1 equals True, lists have no hash
            codes, unlike = np.arange(len(plain)), plain.where(plain.notna(), "").to_numpy()
        else:
            codes, unlike = pd.factorize(plain, use_na_sentinel=True)
        told = [_told(value) for value in unlike]
        inner = np.array([*[piece for piece, *_ in told], ""], dtype=object)[codes].tolist()
        kind = np.array([*[kind for _, kind, _ in told], _TEXT], dtype=np.int8)[codes]
        widths = np.array([*[width for *_, width in told], 0.0])[codes[:_SAMPLE]]
        return cls(inner, kind, float(np.percentile(widths, 95)) if len(widths) else 0.0)

    @classmethod
    def _numbers(cls, values: np.ndarray[Any, np.dtype[np.float64]]) -> "_Cells":
        inner = [f"<v>{value:.12g}</v>" if math.isfinite(value) else _odd(value) for value in values.tolist()]
        kind = np.where(np.isinf(values), _TEXT, _NUMBER).astype(np.int8)
        sample = values[:_SAMPLE][np.isfinite(values[:_SAMPLE])]
        return cls(inner, kind, len(f"{np.abs(sample).max():,.0f}") + 3.0 if len(sample) else 0.0)


_KINDS = ("number", "text", "day")
_NUMBER, _TEXT, _DAY = range(3)


def _odd(value: float) -> str:
    if math.isnan(value):
        return ""
    return _inline("unlimited" if value > 0 else "minus unlimited")


def _inline(value: object) -> str:
    """Write a text into a cell: Excel reads _x0041_ as a letter, unless its first sign is escaped."""
    text = _ESCAPE.sub(r"_x005F\1", clean_text(value).replace("\r\n", "\n").replace("\r", "\n"))
    return f'<is><t xml:space="preserve">{escape(text)}</t></is>'


_ESCAPE = re.compile(r"(_x[0-9a-fA-F]{4}_)")


def _told(value: Any) -> tuple[str, int, float]:
    """Give the XML of one value, its kind, and the letters that it needs."""
    if isinstance(value, (bool, np.bool_)):
        return _inline("yes" if value else "no"), _TEXT, 3
    if isinstance(value, (int, float, np.integer, np.floating)):
        number = float(value)
        finite = math.isfinite(number)
        return (f"<v>{number:.12g}</v>", _NUMBER, 10) if finite else (_odd(number), _TEXT, 10)
    if isinstance(value, date):
        moment = pd.Timestamp(value).tz_localize(None)
        if moment < _FIRST_DAY:
            return _inline(moment.date().isoformat()), _TEXT, 10
        return f"<v>{(moment - _EPOCH) / pd.Timedelta(days=1):.12g}</v>", _DAY, 11
    text = str(value)
    return (_inline(text), _TEXT, len(text) + 1) if text else ("", _TEXT, 0)


def _lay_out(
    page: Worksheet, sheet: Sheet, cells: list[_Cells], formats: "_Formats", title: str, footer: str
) -> None:
    """Set up all of a sheet but its rows: a pattern of empty cells holds the formats of each column."""
    count = min(len(sheet.table), _room())
    top = _top(sheet)
    if sheet.heading:
        page.write_row(0, 0, [clean_text(c) for c in sheet.table.columns], formats.header)
        page.freeze_panes(1, 1)
        page.repeat_rows(0)
        page.autofilter(0, 0, max(count, 1), max(len(cells) - 1, 0))
    for at, (name, column) in enumerate(zip(sheet.table.columns, cells, strict=True)):
        shown, wrap = number_format(name), bool(_WRAPPED.search(str(name)))
        for step, bold in enumerate((False, True)):
            looks = {"number": shown, "text": "General" if wrap else "@", "day": "yyyy-mm-dd"}
            for place, kind in enumerate(_KINDS):
                look = formats.of(looks[kind], bold=bold, wrap=wrap and kind == "text")
                page.write_blank(top + 3 * step + place, at, None, look)
        heading = len(str(name)) * 0.7 + 3 if sheet.heading else 0
        exponent = 11 if "E+" in shown else 0
        page.set_column(at, at, min(max(column.widest, heading, exponent, _NARROWEST), _WIDEST))
    if sheet.totals:
        page.set_row(top, None, None, {"level": 1})
    page.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})
    _set_print(page, f"{title}: {sheet.name}. {sheet.about}", footer)


def _top(sheet: Sheet) -> int:
    return 1 if sheet.heading else 0


def _filled(text: str, sheet: Sheet, cells: list[_Cells]) -> Iterator[str]:
    """Put the rows into a sheet's XML, in the place of its pattern."""
    top, count = _top(sheet), min(len(sheet.table), _room())
    before, after = text.split("<sheetData>", 1)
    pattern, after = after.split("</sheetData>", 1)
    looks = {(int(r), c): s for c, r, s in re.findall(r'<c r="([A-Z]+)(\d+)" s="(\d+)"', pattern)}
    letters = [xl_col_to_name(at) for at in range(len(cells))]
    last = f"{letters[-1]}{max(count + top, 1)}" if letters else "A1"
    yield re.sub(r'<dimension ref="[^"]*"/>', f'<dimension ref="A1:{last}"/>', before) + "<sheetData>"
    if sheet.heading:
        yield pattern[: pattern.index("</row>") + len("</row>")]
    styles = [
        [[looks[top + 3 * bold + kind + 1, letter] for kind in range(3)] for bold in range(2)]
        for letter in letters
    ]
    for begin in range(0, count, _CHUNK):
        yield _rows(sheet, cells, styles, letters, range(begin, min(begin + _CHUNK, count)))
    if len(sheet.table) > count:
        remark = _inline(f"{len(sheet.table) - count:,} more rows do not fit into a sheet of Excel")
        number = count + top + 1
        yield f'<row r="{number}"><c r="A{number}" t="inlineStr">{remark}</c></row>'
    yield "</sheetData>" + after


def _rows(
    sheet: Sheet, cells: list[_Cells], styles: list[list[list[str]]], letters: list[str], rows: range
) -> str:
    top = _top(sheet)
    numbers = range(rows.start + top + 1, rows.stop + top + 1)
    bold = np.isin(np.arange(rows.start, rows.stop), list(sheet.totals)).astype(int)
    columns = []
    for column, style, letter in zip(cells, styles, letters, strict=True):
        kind = column.kind[rows.start : rows.stop]
        opened = np.array(
            [
                f'" s="{s}"{" t=" + chr(34) + "inlineStr" + chr(34) if k == _TEXT else ""}>'
                for b in style
                for k, s in enumerate(b)
            ],
            dtype=object,
        )[3 * bold + kind]
        columns.append(
            [
                f'<c r="{letter}{n}{begin}{inner}</c>' if inner else ""
                for n, begin, inner in zip(
                    numbers, opened.tolist(), column.inner[rows.start : rows.stop], strict=True
                )
            ]
        )
    levels = ['"' if not sheet.totals or total else '" outlineLevel="1"' for total in bold.tolist()]
    lines = zip(*columns, strict=True) if columns else [()] * len(rows)
    return "".join(
        f'<row r="{n}{level}>{"".join(line)}</row>'
        for n, level, line in zip(numbers, levels, lines, strict=True)
    )


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
