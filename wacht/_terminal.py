"""
Contexts as lines of a terminal, or tab-separated for a pipe.
"""

from __future__ import annotations

import unicodedata
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

from ._display import COLUMNS, Row, columns, cut, is_id, is_set, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Columns of the terminal for each column of the table, in order. None: for a pipe.
Widths: TypeAlias = "Mapping[str, int | None]"

_GAP = "  "
_CELL = 200
_LEAST = 10
_SHARE = 24  # what a cell may take before the columns after it have had a chance
_LONGEST_ID = 40  # so that one monstrous id spoils its own line and no other
_NEVER_DROPPED = ("id", "agent_id")
_BY_IMPORTANCE = (*_NEVER_DROPPED, "created_at", "title", "status", "workflow_id")


def card_text(fields: Row, *, width: int | None = None) -> str:
    """
    Write one context as lines of a name and a value, for the fields that are set.
    """
    shown = {name: value for name, value in fields.items() if is_set(value)}
    names = {name: _fitted(printable(name, _SHARE), _SHARE) for name in shown}
    margin = max(map(text_width, names.values()), default=0)
    room = None if width is None else max(_LEAST, width - margin - len(_GAP))
    return "\n".join(
        _padded(names[name], margin) + _GAP + _cell(name, value, room)
        for name, value in shown.items()
    )


def table_text(rows: Sequence[Row], *, width: int | None = None) -> str:
    """
    Write contexts as a heading and one line each, and what found no room.

    Args:
        rows: The contexts.
        width: Columns of the terminal; None for a pipe, see `column_widths`.

    """
    widths = column_widths(rows, width)
    lines = [header_text(widths), *(row_text(row, widths) for row in rows)]
    left_out = omitted_text(rows, widths)
    return "\n".join([*lines, left_out] if left_out else lines)


def column_widths(rows: Sequence[Row], width: int | None) -> dict[str, int | None]:
    """
    Choose columns and their widths, from the first rows of many.

    An id is shown whole or its column not at all; the other columns share what is
    left. Without a width there are all columns, always the same, for programs that
    read them by position.
    """
    if width is None:
        return dict.fromkeys(COLUMNS)
    needs = {name: _need(name, rows) for name in columns(rows)}
    widths: dict[str, int] = {}
    left = width + len(_GAP)
    for name in sorted(needs, key=_importance):
        least = needs[name] if is_id(name) else min(needs[name], _LEAST)
        wish = max(least, min(needs[name], _SHARE, left - len(_GAP)))
        if name in _NEVER_DROPPED or wish + len(_GAP) <= left:
            widths[name] = wish
            left -= wish + len(_GAP)
    for name in widths:
        more = max(0, min(left, needs[name] - widths[name]))
        widths[name] += more
        left -= more
    return {name: widths[name] for name in needs if name in widths}


def header_text(widths: Widths) -> str:
    """
    Write the heading of a table.
    """
    return row_text({name: name for name in widths}, widths)


def row_text(row: Row, widths: Widths) -> str:
    """
    Write one row of a table: one line, whatever the values hold.
    """
    cells = [_cell(name, row.get(name), widths[name]) for name in widths]
    if None in widths.values():
        return "\t".join(cells)
    padded = map(_padded, cells, widths.values())
    return _GAP.join(padded).rstrip()


def omitted_text(rows: Sequence[Row], widths: Widths) -> str:
    """
    Name the columns that found no room, or nothing if all did.
    """
    names = [name for name in columns(rows) if name not in widths]
    return f"… no room for {', '.join(names)}" if names else ""


def text_width(text: str) -> int:
    """
    Count the columns that text takes on a terminal.
    """
    return len(text) if text.isascii() else sum(map(_character_width, text))


def _character_width(character: str) -> int:
    combines = unicodedata.category(character) in ("Mn", "Me")
    if combines or "\u1160" <= character <= "\u11ff":  # vowels of a Hangul syllable
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
