"""Contexts as text, page by page: a table, JSON or CSV; or as a Parquet file."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from types import SimpleNamespace
from typing import Any, TypeAlias

from attrs import frozen
from rich.cells import cell_len
from rich.text import Text

from wacht._contexts import ALWAYS_SHOWN, TERMINAL_COLUMNS
from wacht._text import escape_controls
from wacht.dataframe import to_dataframe
from wacht.models import FIELD_NAMES, KINDS, AiExecutionContext

Pages: TypeAlias = Iterable[Sequence[AiExecutionContext]]

_CSV_FIELDS = (*FIELD_NAMES, "extra")
_COMPACT = (",", ":")
# What starts a formula in a spreadsheet, full-width forms and spaces before it
# included; a number doesn't. A byte order mark isn't part of the first cell.
_FORMULA = re.compile("[\t\r\n\ufeff]|\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-][0-9]+(\.[0-9]+)?(e[+-][0-9]+)?")
# And inside a cell, for a spreadsheet that separates by semicolons or tabs, and so ends
# cells there and at line breaks. Lists in texts have a space behind the dash. It also
# matches what has no formula behind it, or it would try again from each line break.
_INNER_FORMULA = re.compile(
    "([;\t\r\n][;\\s\"']*+)([=@\uff1d\uff20]|[+\\-\uff0b\uff0d](?! ))?"
)

_GAP = 2  # between two columns
_SECONDS = len("2026-01-15T10:30:00")


@frozen
class Style:
    """How to write."""

    width: int | None = None  # that of the terminal, if there is one
    header: bool = True  # whether to write the names of columns
    escape: bool = True  # whether to escape formulas
    continued: bool = False  # whether contexts were written before


def table(pages: Pages, style: Style) -> Iterator[str]:
    """Write a line for each context: columns on a terminal, else separated by tabs."""
    if style.width is not None:
        return _terminal_table(pages, style.width, header=style.header)
    header = "\t".join(TERMINAL_COLUMNS) + "\n" if style.header else ""
    return _lines(pages, header, lambda c: "\t".join(_cells(c).values()) + "\n")


def _lines(
    pages: Pages, header: str, line: Callable[[AiExecutionContext], str]
) -> Iterator[str]:
    for page in pages:  # the header comes with the first page, not ahead of an error
        yield header
        header = ""
        for context in page:
            yield line(context)
    yield header


def _cells(context: AiExecutionContext) -> dict[str, str]:
    fields = context.to_dict()
    return {n: escape_controls(_cell(fields[n], n)) for n in TERMINAL_COLUMNS}


def _cell(value: Any, name: str) -> str:
    if value is None or (isinstance(value, str) and KINDS[name] != "Any"):
        return value or ""
    return json.dumps(value, ensure_ascii=False, separators=_COMPACT)


def _terminal_table(pages: Pages, width: int, *, header: bool) -> Iterator[str]:
    widths: dict[str, int] = {}
    for page in filter(len, pages):
        rows = [_cells(context) for context in page]
        for row in rows:
            row["created_at"] = row["created_at"][:_SECONDS].replace("T", " ")
        if not widths:
            widths = _column_widths(rows, width)
            if header:
                yield _line({name: name for name in widths}, widths)
        for row in rows:
            yield _line(row, widths)
    if not widths:
        yield "no contexts\n"


def _column_widths(rows: list[dict[str, str]], width: int) -> dict[str, int]:
    """Choose the columns that fit, and their widths, from the first rows."""
    widths: dict[str, int] = {}
    for name, (least, most) in TERMINAL_COLUMNS.items():
        longest = max(cell_len(row[name]) for row in rows)
        if longest or name in ALWAYS_SHOWN:
            widths[name] = min(max(least, longest), most)
    while len(widths) > 1 and sum(widths.values()) + _GAP * len(widths) > width + _GAP:
        widths.popitem()
    last, _ = widths.popitem()  # it takes the rest
    return widths | {last: width - sum(widths.values()) - _GAP * len(widths)}


def _line(row: dict[str, str], widths: dict[str, int]) -> str:
    cells: list[str] = []
    for name, width in widths.items():
        cell = Text(row[name])
        room = max(width, cell.cell_len) if KINDS[name] == "Id" else width  # never cut
        cell.truncate(room, overflow="ellipsis", pad=True)
        cells.append(cell.plain)
    return (" " * _GAP).join(cells).rstrip() + "\n"


def json_array(pages: Pages, style: Style) -> Iterator[str]:
    """Write one array, a context a line, closed only if the listing is complete."""
    before = ",\n" if style.continued else "[\n"
    for page in pages:
        for context in page:
            yield before + _json(context)
            before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def json_lines(pages: Pages, _style: Style) -> Iterator[str]:
    """Write an object a line."""
    return _lines(pages, "", lambda context: _json(context) + "\n")


def _json(context: AiExecutionContext) -> str:
    return json.dumps(context.to_dict(), separators=_COMPACT)


def csv_rows(pages: Pages, style: Style) -> Iterator[str]:
    """Write CSV as in RFC 4180: all fields, and `extra` as JSON at the end."""
    echo: Any = SimpleNamespace(write=str)  # `writerow` returns what `write` returns
    write = csv.writer(echo).writerow
    header = write(_CSV_FIELDS) if style.header else ""
    return _lines(pages, header, lambda context: write(_csv_cells(context, style)))


def _csv_cells(context: AiExecutionContext, style: Style) -> Iterator[str]:
    fields: dict[str, Any] = {**context.to_dict(), "extra": context.extra or None}
    for name in _CSV_FIELDS:
        cell = _cell(fields[name], name)
        shown = cell if style.width is None else escape_controls(cell)
        yield escape_formulas(shown) if style.escape else shown


def parquet(pages: Pages) -> bytes:
    """Make a Parquet file of all contexts, with their JSON as text."""
    frame = to_dataframe(chain.from_iterable(pages), json="text")
    return frame.to_parquet(index=False)


def escape_formulas(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would run as a formula."""
    is_formula = _FORMULA.match(text) and not _NUMBER.fullmatch(text)
    inner = _INNER_FORMULA.sub(lambda m: f"{m[1]}'{m[2]}" if m[2] else m[0], text)
    return "'" * bool(is_formula) + inner


FORMATS: dict[str, Callable[[Pages, Style], Iterator[str]]] = {
    "table": table,
    "json": json_array,
    "jsonl": json_lines,
    "csv": csv_rows,
}
