"""What an answer without success means: its exception, with the key removed."""

from __future__ import annotations

import re
from contextlib import suppress
from html import unescape
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from wacht import errors
from wacht._text import safe_line, safe_repr

from .json import parse_json
from .replies import RawResponse, retry_after

if TYPE_CHECKING:
    from .credentials import ApiKey

EXCERPT_LENGTH = 64 * 1024  # bytes of a body that an error keeps

_ERRORS: dict[int, type[errors.ApiError]] = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    429: errors.RateLimitError,
    **dict.fromkeys(range(500, 600), errors.ServerError),
}
_REDIRECTS = (301, 302, 303, 307, 308)
_MESSAGE_LENGTH = 300
_HEAD_LENGTH = 4096  # looking for a title takes long where tags have no end
_HTML = re.compile(r"\s*(<!doctype html|<html|<head|<body)", re.IGNORECASE)
_TITLE = re.compile(r"<(title|h1)[^>]*>(.*?)</\1", re.IGNORECASE | re.DOTALL)


def api_error(
    reply: RawResponse, *, url: str, attempts: int, redactor: ApiKey
) -> errors.ApiError:
    body = excerpt(reply, redactor)
    details = None
    with suppress(ValueError, RecursionError):  # not JSON
        details = _redacted(parse_json(body), redactor)
    request_id = reply.headers.get("x-request-id")
    return _ERRORS.get(reply.status, errors.ApiError)(
        reply.status,
        _message(reply, body, details, redactor) + _advice(reply.status, url, redactor),
        details,
        body,
        None if request_id is None else redactor.redact_text(request_id),
        retry_after(reply),
        attempts,
    )


def excerpt(reply: RawResponse, redactor: ApiKey) -> bytes:
    """Return the first 64 KiB of a body, without the key."""
    body = reply.body[:EXCERPT_LENGTH]
    truncated = reply.truncated_at is not None or len(body) < len(reply.body)
    return redactor.redact(body, truncated=truncated)


def _redacted(value: Any, redactor: ApiKey) -> Any:
    """Remove the key from parsed JSON, which may have spelled it in another way."""
    if isinstance(value, str):
        return redactor.redact_text(value)
    if isinstance(value, list):
        items: list[Any] = value  # pyright: ignore[reportUnknownVariableType] - JSON
        return [_redacted(item, redactor) for item in items]
    if isinstance(value, dict):
        fields: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType] - JSON
        redact = redactor.redact_text
        return {redact(name): _redacted(fields[name], redactor) for name in fields}
    return value


def _message(reply: RawResponse, body: bytes, details: Any, redactor: ApiKey) -> str:
    location = reply.headers.get("location")
    if reply.status in _REDIRECTS and location:
        place = safe_line(redactor.redact_text(location), _MESSAGE_LENGTH)
        return f"redirect to {place} refused: the key must not follow it"
    text = body[: 4 * _MESSAGE_LENGTH].decode(errors="replace")
    message = _json_message(details) or html_heading(text) or text
    message = redactor.redact_text(message)  # HTML may spell it in yet another way
    return safe_line(message, _MESSAGE_LENGTH) or "the answer has no message"


def _advice(status: int, url: str, redactor: ApiKey) -> str:
    if status == HTTPStatus.UNAUTHORIZED:
        quotes = ": the key is in quotes" * redactor.is_quoted
        return f"; check WACHT_API_KEY or api_key{quotes}"
    if status == HTTPStatus.NOT_FOUND:
        return f"; {url} was asked: check WACHT_BASE_URL or base_url, and path"
    return ""


def _json_message(details: Any) -> str:
    try:
        return "; ".join(error["message"] for error in details["errors"])
    except (KeyError, TypeError):  # it isn't the service's
        return ""


def html_heading(text: str) -> str:
    """Say that a text is an HTML page, and which; return nothing if it isn't one."""
    if not _HTML.match(text):
        return ""
    title = _TITLE.search(text[:_HEAD_LENGTH])
    if not title:
        return "an HTML page"
    return f"an HTML page, {safe_repr(unescape(title[2]).strip())}"
