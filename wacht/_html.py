"""Contexts as HTML for notebooks: a card for one, a table for a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import starmap
from typing import TypeAlias

from ._contexts import ALWAYS_SHOWN, NOTEBOOK_COLUMNS
from ._text import JOINERS, escape_controls, safe_repr, truncate

Row: TypeAlias = "Mapping[str, object]"

_NAME_LENGTH = 40
_LINE_LENGTH = 120
_CELL_LENGTH = 200
_BLOCK_LENGTH = 10_000
_MAX_ROWS = 20

# The colours come from JupyterLab or from the surrounding text, so they fit light and
# dark themes. JupyterLab drops this element from notebooks that it doesn't trust, but
# keeps `style` attributes: those hold what a table can't do without.
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
_WHOLE = 'class="wacht-whole" style="text-align:left;white-space:nowrap"'
_CUT = (
    'class="wacht-cut" style="text-align:left;white-space:nowrap;max-width:22em;'
    'overflow:hidden;text-overflow:ellipsis"'
)


def card_html(fields: Row) -> str:
    """Draw one context: title and id on top, then the fields that are set."""
    shown = {name: value for name, value in fields.items() if _is_set(value)}
    names = [name for name in ("title", "id") if name in shown]
    top = [_safe(shown.pop(name), _CELL_LENGTH) for name in names]
    heading, *below = top or ["untitled"]
    rows = "".join(starmap(_field_html, shown.items()))
    return _view(
        f'<div class="wacht-card"><div class="wacht-title" dir="auto">{heading}</div>'
        f'<div class="wacht-note">{"".join(below)}</div>'
        f'<table class="wacht-grid"><tbody>{rows}</tbody></table></div>'
    )


def table_html(rows: Sequence[Row], kinds: Mapping[str, str], *, caption: str) -> str:
    """Draw the first rows of a page, without the columns that are empty in them."""
    shown = rows[:_MAX_ROWS]
    names = [
        name
        for name in NOTEBOOK_COLUMNS
        if name in ALWAYS_SHOWN or any(_is_set(row.get(name)) for row in shown)
    ]
    more = len(rows) - len(shown)
    note = f'<div class="wacht-note">… {more:,} more rows</div>' if more else ""
    title = f"<caption {_LEFT}>{_safe(caption, _CELL_LENGTH)}</caption>"
    head = "".join(f'<th scope="col" {_LEFT}>{name}</th>' for name in names)
    body = "".join(
        f"<tr>{''.join(_cell_html(row.get(name), kinds[name]) for name in names)}</tr>"
        for row in shown
    )
    return _view(
        f'<table class="wacht-grid">{title}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>{note}"
    )


def _is_set(value: object) -> bool:
    return value is not None and value not in ("", {}, [])


def _view(content: str) -> str:
    # MathJax, in its versions 3 and 2, mustn't take "$1 and $2" for a formula.
    classes = "wacht-view mathjax_ignore tex2jax_ignore"
    return f'<div class="{classes}">{_STYLE}{content}</div>'


def _cell_html(value: object, kind: str) -> str:
    if not _is_set(value):
        return "<td></td>"
    # An id that is cut is of no use.
    style = _CUT if kind in ("str", "Any") else _WHOLE
    return f'<td dir="auto"><div {style}>{_safe(value, _CELL_LENGTH)}</div></td>'


def _field_html(name: str, value: object) -> str:
    text, shown = _plain_text(value, _LINE_LENGTH + 1), _safe(value, _LINE_LENGTH)
    if len(text) > _LINE_LENGTH or "\n" in text:
        whole = f"<pre>{_safe(value, _BLOCK_LENGTH, indent=2)}</pre>"
        shown = f"<details><summary>{shown}</summary>{whole}</details>"
    return (
        f'<tr><th scope="row" {_LEFT}>{_safe(name, _NAME_LENGTH)}</th>'
        f'<td dir="auto" {_LEFT}>{shown}</td></tr>'
    )


def _safe(value: object, limit: int, indent: int | None = None) -> str:
    text = _plain_text(value, limit, indent)
    return escape(escape_controls(text, keep=f"\n\r\t{JOINERS}"))


def _plain_text(value: object, limit: int, indent: int | None = None) -> str:
    """Write a value in at most `limit` characters; but for text and times, as JSON."""
    if isinstance(value, str):
        return truncate(value, limit)
    if isinstance(value, datetime):
        return f"{str(value.astimezone(UTC))[:19]} UTC"  # to the second
    try:
        text = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    except (RecursionError, TypeError, ValueError):  # no JSON
        return safe_repr(value, limit)
    return truncate(text, limit)
