"""Make any value safe to show: in messages, on terminals and in HTML."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

REPR_LENGTH = 80
# Invisible characters that join or restyle their neighbours. Browsers need them for
# emoji and for Persian; terminals disagree about the width of the result.
JOINERS = "\u200c\u200d\ufe0e\ufe0f"

_DROP_JOINERS = dict.fromkeys(map(ord, JOINERS))


def safe_repr(value: object, limit: int = REPR_LENGTH) -> str:
    """Represent any value in at most `limit` printable characters."""
    try:
        text = repr(value[:limit] if isinstance(value, str | bytes) else value)
    except Exception:  # noqa: BLE001 - a broken repr must not replace the message
        text = f"<{type(value).__name__}>"
    return truncate(escape_controls(text), limit)


def safe_line(text: str, limit: int) -> str:
    """Fold text into one printable line of at most `limit` characters."""
    line = " ".join(text[: 2 * limit].split()).translate(_DROP_JOINERS)
    return truncate(escape_controls(line), limit)


def escape_controls(text: str, keep: str = "") -> str:
    r"""Escape what isn't printable, as `\x1b`; keep `keep`. Odd spaces become plain."""
    if text.isprintable():
        return text
    return "".join(c if c in keep else _escape(c) for c in text)


def utc_text(time: datetime) -> str:
    """Write a time as the service does: in UTC, with microseconds."""
    moment = time.astimezone(UTC) if time.tzinfo else time
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def install_hint(extra: str) -> str:
    """Say how to install an extra; there is no release yet."""
    return f"install the extra `{extra}`, in a clone with pip install -e '.[{extra}]'"


def truncate(text: str, limit: int) -> str:
    """Shorten text to `limit` characters, the last of which then is an ellipsis."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _escape(character: str) -> str:
    if character.isprintable():
        return character
    if unicodedata.category(character) == "Zs":
        return " "
    return character.encode("unicode_escape").decode("ascii")
