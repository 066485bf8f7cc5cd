"""
Contexts as lines of a terminal, or tab-separated for a pipe.
"""

from __future__ import annotations

import unicodedata
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

from ._display import COLUMNS, Row, columns, cut, is_id, is_set, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Columns of the terminal for each column of the table, in order. None: for a pipe.
Widths: TypeAlias = "Mapping[str, int | None]"

_GAP = "  "
_CELL = 200
_LEAST = 10
_SHARE = 24  # what a cell may take before the columns after it have had a chance
_LONGEST_ID = 40  # so that one monstrous id spoils its own line and no other
_TIME = len("2026-03-01 12:34:56 UTC")
_NEVER_DROPPED = ("id", "agent_id")
_IMPORTANT = (
    "id",
    "agent_id",
    "created_at",
    "title",
    "status",
    "workflow_id",
    "context",
)


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
    if width is not None and left_out:
        lines.append(_fitted(left_out, width))
    return "\n".join(lines)


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
    for name, given in widths.items():
        more = max(0, min(left, needs[name] - given))
        widths[name] = given + more
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
    cells = {name: _cell(name, row.get(name), widths[name]) for name in widths}
    if None in widths.values():
        return "\t".join(cells.values())
    padded = (_padded(text, widths[name] or 0) for name, text in cells.items())
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


def _importance(name: str) -> int:
    return _IMPORTANT.index(name) if name in _IMPORTANT else len(_IMPORTANT)


def _need(name: str, rows: Sequence[Row]) -> int:
    cells = (text_width(_cell(name, row.get(name), _CELL)) for row in rows)
    least = _TIME if name.endswith("_at") else len(name)
    need = max(least, *cells) if rows else least
    return min(need, _LONGEST_ID) if name in _NEVER_DROPPED else need


def _cell(name: str, value: object, width: int | None) -> str:
    if not is_set(value):
        return ""
    whole = width is None or is_id(name)
    kept, note = cut(value, None if whole else _CELL)
    text = printable(kept) + note
    return text if width is None or whole else _fitted(text, width)


def _fitted(text: str, width: int) -> str:
    if text_width(text) <= width:
        return text
    ends = accumulate(map(_character_width, text))
    return text[: sum(end < width for end in ends)] + "…"


def _padded(text: str, width: int) -> str:
    return text + " " * (width - text_width(text))


def _character_width(character: str) -> int:
    combines = unicodedata.category(character) in ("Mn", "Me")
    if combines or "\u1160" <= character <= "\u11ff":  # vowels of a Hangul syllable
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
