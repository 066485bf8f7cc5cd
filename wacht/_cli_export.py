"""
Contexts as text, page by page: a table, JSON or CSV, harmless wherever it is shown.
"""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any, TypeAlias

from ._display import COLUMNS, printable
from ._terminal import column_widths, header_text, omitted_text, row_text
from .models import FIELD_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from .models import AiExecutionContext

Pages: TypeAlias = "Iterable[Sequence[AiExecutionContext]]"
# Contexts, page by page, and the columns of the terminal, None if it is something else.
Format: TypeAlias = "Callable[[Pages, int | None], Iterator[str]]"

_CSV_FIELDS = (*FIELD_NAMES, "extra")
_JSON_FIELDS = (
    "context",
    "execution_state",
    "external_resource_metadata",
    "completion_summary",
    "extra",
)
# What spreadsheets take for the beginning of a formula, full-width forms included.
_FORMULA_STARTS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def table(pages: Pages, width: int | None) -> Iterator[str]:
    """
    Write a heading and a line for each context; the first rows decide the widths.
    """
    first: list[dict[str, object]] = []
    widths = column_widths(first, width)
    for page in pages:
        rows = [row_of(context) for context in page]
        if rows and not first:
            first = rows
            widths = column_widths(first, width)
            yield f"{header_text(widths)}\n"
        for row in rows:
            yield f"{row_text(row, widths)}\n"
    if not first:
        yield f"{header_text(widths)}\n" if width is None else "no contexts\n"
    elif width is not None and (left_out := omitted_text(first, widths)):
        yield f"{left_out}\n"


def row_of(context: AiExecutionContext) -> dict[str, object]:
    """
    Give the fields that a table may show.
    """
    return {name: getattr(context, name) for name in COLUMNS}


def json_array(pages: Pages, _width: int | None) -> Iterator[str]:
    """
    Write one array, a context a line, closed only if the pages came to their end.
    """
    before = "[\n"
    for page in pages:
        for context in page:
            yield before + _json(context.to_dict(), ensure_ascii=True)
            before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def json_lines(pages: Pages, _width: int | None) -> Iterator[str]:
    """
    Write an object a line.
    """
    for page in pages:
        for context in page:
            yield _json(context.to_dict(), ensure_ascii=True) + "\n"


def comma_separated(pages: Pages, width: int | None) -> Iterator[str]:
    """
    Write CSV as RFC 4180 has it: all fields, and `extra` as JSON behind them.
    """
    lines = csv.writer(_Echo())
    for number, page in enumerate(pages):
        if number == 0:
            yield lines.writerow(_CSV_FIELDS)
        for context in page:
            cells = _cells(context)
            shown = cells if width is None else map(printable, cells)
            yield lines.writerow(map(_harmless, shown))


def _cells(context: AiExecutionContext) -> Iterator[str]:
    fields: dict[str, Any] = {**context.to_dict(), "extra": context.extra or None}
    for name in _CSV_FIELDS:
        value = fields[name]
        if value is None:
            yield ""
        else:
            yield _json(value) if name in _JSON_FIELDS else value


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


class _Echo:
    def write(self, text: str) -> str:
        return text


def _json(value: Any, *, ensure_ascii: bool = False) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, separators=(",", ":"))


FORMATS: dict[str, Format] = {
    "table": table,
    "json": json_array,
    "jsonl": json_lines,
    "csv": comma_separated,
}
