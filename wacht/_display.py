"""
Values as HTML for notebooks, and as text that is safe to show anywhere.
"""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime
from html import escape
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Row: TypeAlias = "Mapping[str, object]"

COLUMNS = (
    "id",
    "title",
    "status",
    "agent_id",
    "workflow_id",
    "user_id",
    "session_id",
    "created_at",
    "last_activity_at",
    "context_group",
    "context",
)
ALWAYS = ("id", "agent_id", "created_at")

_LABEL = 40
_BRIEF = 120
_CELL = 200
_DETAIL = 10_000
_MOST_ROWS = 20
_MOST_FIELDS = 100

# Terminals disagree about the width of what these join or restyle, but not about the
# width of the parts. A browser needs them for emoji and for Persian.
_JOINERS: dict[int, None] = dict.fromkeys((0x200C, 0x200D, 0xFE0E, 0xFE0F))
_KEPT_IN_HTML = "\n\r\t\u200c\u200d"

# JupyterLab's colours where it is the host, else the text's own: light and dark alike.
# JupyterLab drops it from a notebook that came from elsewhere, but not the style of an
# element: what no table can do without stands there.
_STYLE = """<style>
.wacht-view{overflow-x:auto;line-height:1.4;
--wacht-line:var(--jp-border-color2,color-mix(in srgb,currentColor 20%,transparent))}
.wacht-view .wacht-grid{border-collapse:collapse;margin:0;font-size:inherit}
.wacht-view caption{text-align:left;padding:0 0 .4em;opacity:.7}
.wacht-view thead tr,.wacht-view tbody tr:nth-child(n){background:none}
.wacht-view .wacht-grid :is(th,td){text-align:left;vertical-align:top;border:0;
border-top:1px solid var(--wacht-line);padding:.25em 1em .25em 0}
.wacht-view .wacht-grid th{font-weight:600;white-space:nowrap}
.wacht-whole{font-variant-numeric:tabular-nums}
.wacht-note{opacity:.65;font-size:.9em}
.wacht-card{display:inline-block;max-width:60em;padding:.6em 1em;
border:1px solid var(--wacht-line);border-radius:6px;overflow-wrap:anywhere}
.wacht-view .wacht-card .wacht-grid th{font-weight:400;opacity:.65}
.wacht-title{font-size:1.15em;font-weight:600}
.wacht-view pre{max-height:24em;overflow:auto;margin:.4em 0;white-space:pre-wrap}
</style>"""
_LEFT = 'style="text-align:left"'
_INLINE = {
    "whole": "text-align:left;white-space:nowrap",
    "cut": "text-align:left;white-space:nowrap;max-width:22em;overflow:hidden;"
    "text-overflow:ellipsis",
}


def card_html(fields: Row) -> str:
    """
    Draw one context: title and id on top, then the fields that are set.
    """
    shown = {name: value for name, value in fields.items() if is_set(value)}
    top = [
        _excerpt(shown.pop(name), _CELL) for name in ("title", "id") if name in shown
    ]
    heading, *below = top or ["untitled"]
    rows = "".join(
        f'<tr><th scope="row" {_LEFT}>{_excerpt(name, _LABEL)}</th>'
        f'<td dir="auto" {_LEFT}>{_field_html(value)}</td></tr>'
        for name, value in islice(shown.items(), _MOST_FIELDS)
    )
    return _view(
        f'<div class="wacht-card"><div class="wacht-title" dir="auto">{heading}</div>'
        f'<div class="wacht-note">{"".join(below)}</div>'
        f'<table class="wacht-grid"><tbody>{rows}</tbody></table>'
        f"{_more_html(len(shown) - _MOST_FIELDS, 'fields')}</div>"
    )


def table_html(rows: Sequence[Row], *, caption: str = "") -> str:
    """
    Draw the first rows, in the columns in which any of these has something.

    Args:
        rows: The contexts of a page.
        caption: A line above the table.

    """
    shown = rows[:_MOST_ROWS]
    names = columns(shown)
    title = f"<caption {_LEFT}>{_excerpt(caption, _CELL)}</caption>" if caption else ""
    head = "".join(f'<th scope="col" {_LEFT}>{name}</th>' for name in names)
    body = "".join(
        f"<tr>{''.join(_cell_html(name, row.get(name)) for name in names)}</tr>"
        for row in shown
    )
    return _view(
        f'<table class="wacht-grid">{title}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>{_more_html(len(rows) - len(shown), 'rows')}"
    )


def printable(text: str, limit: int | None = None) -> str:
    r"""
    Make text harmless on a terminal, and one line.

    Line breaks, control and escape characters, bidirectional controls and lone
    surrogates come out as escapes such as `\x1b`.

    Args:
        text: What somebody else wrote.
        limit: How many characters of it to show, all if None; the result then ends
            in how many more there are.

    """
    kept, note = cut(text, limit)
    return _visible(kept.translate(_JOINERS)) + note


def cut(value: object, limit: int | None, indent: int | None = None) -> tuple[str, str]:
    """
    Write a value as at most `limit` characters and a note on what is left out.

    A string stays what it is, a time is in UTC, all else is JSON. Not yet escaped.
    """
    if isinstance(value, str):
        more = 0 if limit is None else len(value) - limit
        characters = "character" if more == 1 else "characters"
        return value[:limit], f"… {more:,} more {characters}" if more > 0 else ""
    text = _time(value) if isinstance(value, datetime) else _json(value, limit, indent)
    return text[:limit], "… more" if len(text) > len(text[:limit]) else ""


def columns(rows: Sequence[Row]) -> list[str]:
    """
    Name the columns in which any row has something, and those always shown.
    """
    return [
        name
        for name in COLUMNS
        if name in ALWAYS or any(is_set(row.get(name)) for row in rows)
    ]


def is_set(value: object) -> bool:
    """
    Tell whether there is anything to show.
    """
    return value is not None and not (
        isinstance(value, str | dict | list) and not value
    )


def is_id(name: str) -> bool:
    """
    Tell whether a field is an id, which is worthless when cut.
    """
    return name == "id" or name.endswith("_id")


def _view(content: str) -> str:
    return f'<div class="wacht-view">{_STYLE}{content}</div>'


def _more_html(more: int, things: str) -> str:
    return f'<div class="wacht-note">… {more:,} more {things}</div>' if more > 0 else ""


def _cell_html(name: str, value: object) -> str:
    if not is_set(value):
        return "<td></td>"
    kind = "whole" if is_id(name) or isinstance(value, datetime) else "cut"
    kept, note = cut(value, _CELL)
    below = f'<div class="wacht-note">{note}</div>' if note else ""
    return (
        f'<td dir="auto"><div class="wacht-{kind}" style="{_INLINE[kind]}">'
        f"{_safe(kept)}</div>{below}</td>"
    )


def _field_html(value: object) -> str:
    brief, note = cut(value, _BRIEF)
    if not note and "\n" not in brief:
        return _safe(brief)
    return (
        f"<details><summary>{_excerpt(value, _BRIEF)}</summary>"
        f"<pre>{_excerpt(value, _DETAIL, indent=2)}</pre></details>"
    )


def _excerpt(value: object, limit: int, indent: int | None = None) -> str:
    kept, note = cut(value, limit, indent)
    return _safe(kept) + (f'<span class="wacht-note"> {note}</span>' if note else "")


def _safe(text: str) -> str:
    return escape(_visible(text, _KEPT_IN_HTML))


def _visible(text: str, kept: str = "") -> str:
    if text.isprintable():
        return text
    return "".join(c if c in kept else _shown(c) for c in text)


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    if unicodedata.category(character) == "Zs":
        return " "
    return character.encode("unicode_escape").decode("ascii")


def _time(value: datetime) -> str:
    try:
        value = value.astimezone(UTC)
    except OverflowError:  # within a day of the calendar's first or last
        return str(value)
    return f"{value.replace(tzinfo=None).isoformat(' ', 'seconds')} UTC"


def _json(value: object, limit: int | None, indent: int | None) -> str:
    # Piece by piece, so that a large value costs no more than what is shown of it;
    # for the same reason no circle is looked for: it ends where the limit does.
    encoder = json.JSONEncoder(
        ensure_ascii=False, check_circular=False, indent=indent, default=str
    )
    pieces: list[str] = []
    size = 0
    try:
        for piece in encoder.iterencode(value):
            pieces.append(piece)
            size += len(piece)
            if limit is not None and size > limit:
                break
    except (RecursionError, TypeError, ValueError):
        pieces.append("… (not JSON)")
    return "".join(pieces)
