"""
A reply off the wire, and what it says when it says no. No I/O.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from http import HTTPStatus
from math import isfinite
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from ._json import parse_json
from .errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._secret import Secret

_ERRORS: dict[int, type[ApiError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    429: RateLimitError,
}
_SERVER_ERRORS = range(500, 600)
_REDIRECTS = (301, 302, 303, 307, 308)

_MESSAGE_LENGTH = 300
_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)
_RETRY_TEXT = re.compile(rb"Retry after (\d+(?:\.\d+)?) seconds?", re.IGNORECASE)
_HTML = re.compile(r"\s*(<!doctype html|<html|<head|<body)", re.IGNORECASE)
_TITLE = re.compile(r"<(title|h1)[^>]*>(.*?)</\1", re.IGNORECASE | re.DOTALL)


@frozen(kw_only=True)
class Reply:
    """
    A whole answer off the wire.

    Attributes:
        status: The HTTP status.
        headers: The headers, names in lower case.
        body: The body, unpacked.
        received: When it came.
        cut_at: How many bytes of the body there are, where there should be more.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)  # either may echo the key
    body: bytes = field(repr=False)
    received: datetime
    cut_at: int | None = None

    @property
    def succeeded(self) -> bool:
        """
        Whether the status is one of success.
        """
        return is_success(self.status)

    @property
    def rate_limited(self) -> bool:
        """
        Whether the service says that there were too many requests.
        """
        return self.status == HTTPStatus.TOO_MANY_REQUESTS


def is_success(status: int) -> bool:
    """
    Tell whether a status is one of success.
    """
    return 200 <= status < 300  # noqa: PLR2004 - what HTTP calls success


def error_of(reply: Reply, *, attempts: int, secret: Secret) -> ApiError:
    """
    Turn a reply without success into the error of its status, the key blacked out.
    """
    reply = redacted(reply, secret)
    default = ServerError if reply.status in _SERVER_ERRORS else ApiError
    details = _json_or_none(reply.body)
    return _ERRORS.get(reply.status, default)(
        reply.status,
        _message(reply, details),
        details,
        reply.body,
        reply.headers.get("x-request-id"),
        retry_after_of(reply),
        attempts,
    )


def redacted(reply: Reply, secret: Secret) -> Reply:
    """
    Give the same reply, the key blacked out.
    """
    headers = {k: secret.redact_text(v) for k, v in reply.headers.items()}
    body = secret.redact(reply.body, cut=reply.cut_at is not None)
    return evolve(reply, headers=headers, body=body)


def _json_or_none(body: bytes) -> Any:
    try:
        return parse_json(body)
    except (ValueError, RecursionError):
        return None


def _message(reply: Reply, details: Any) -> str:
    location = reply.headers.get("location")
    if reply.status in _REDIRECTS and location:
        return f"redirect to {_printable(location)} refused: the key must not follow it"
    text = reply.body[: 4 * _MESSAGE_LENGTH].decode(errors="replace")
    said = _messages(details) or _heading(text) or text
    return _printable(said) or "no further word"


def _messages(details: Any) -> str:
    """
    Find the words in parsed JSON.

    The service sends `{"errors": [{"message": …}]}`; gateways send `{"error": …}`,
    `{"error": {"message": …}}` or `{"message": …}`.
    """
    errors = _get(details, "errors")
    items: list[Any] = [_get(details, "error"), details]
    if isinstance(errors, list):
        items = [*errors]
    words = [item if isinstance(item, str) else _get(item, "message") for item in items]
    return "; ".join(word for word in words if isinstance(word, str))


def _get(value: Any, name: str) -> Any:
    try:
        return value[name]
    except (KeyError, TypeError):
        return None


def _heading(text: str) -> str:
    if not _HTML.match(text):
        return ""
    title = _TITLE.search(text)
    if not title:
        return "HTML"
    return f"an HTML page, {shown(unescape(title[2]).strip())}"


def _printable(text: str) -> str:
    """
    Fit a server's words into one harmless line.
    """
    line = " ".join(text[: 2 * _MESSAGE_LENGTH].split())
    safe = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    return safe if len(safe) <= _MESSAGE_LENGTH else f"{safe[: _MESSAGE_LENGTH - 1]}…"


def retry_after_of(reply: Reply) -> float | None:
    """
    Find how many seconds the service asks to wait.

    It says so in the `Retry-After` header (seconds, decimals, or an HTTP date) or,
    with a 429, in the text of the body alone. The longer one counts.

    Returns:
        The seconds, or None where the service names no time that makes sense.

    """
    told = [_header_seconds(reply.headers.get("retry-after", ""), reply.received)]
    if reply.rate_limited:
        text = _RETRY_TEXT.search(reply.body[:_MESSAGE_LENGTH])
        told.append(_seconds(text[1].decode()) if text else None)
    return max((seconds for seconds in told if seconds is not None), default=None)


def _header_seconds(value: str, now: datetime) -> float | None:
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return _seconds(value)
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _seconds(digits: str) -> float | None:
    seconds = float(digits)
    return seconds if isfinite(seconds) else None
