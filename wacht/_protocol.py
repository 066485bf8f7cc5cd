"""
The service's protocol without any I/O: what to ask, and what an answer means.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from http import HTTPStatus
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, Protocol

from attrs import evolve, field, frozen

from ._convert import MisfitError, structure_page
from .errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    DecodeError,
    NotFoundError,
    PaginationError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .models import (
        AiExecutionContext,
        ExecutionContextListResponse,
        ListExecutionContextsOptions,
    )

Revision = Literal["page", "offset"]
Query = dict[str, str]


class Redactor(Protocol):
    """
    Blacks out the key.
    """

    def redact(self, data: bytes) -> bytes: ...
    def redact_text(self, text: str) -> str: ...


PATH = "/ai/execution-contexts"
PER_PAGE = 20  # the service's default

# The filters that each revision applies; it silently ignores the others.
FILTERS: dict[Revision, tuple[str, ...]] = {
    "page": ("agent_id", "workflow_id"),
    "offset": ("status", "context_group"),
}
_ALL_FILTERS = tuple(name for names in FILTERS.values() for name in names)

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
        cut_at: The limit in bytes that the body went beyond, where it did.
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
        return 200 <= self.status < 300  # noqa: PLR2004 - what HTTP calls success


@frozen
class Echo:
    """
    What the offset revision says it applied.
    """

    limit: int
    offset: int

    def __str__(self) -> str:
        return f"limit={self.limit}, offset={self.offset}"


@frozen
class Answer:
    """
    A page, and what came with it.
    """

    page: ExecutionContextListResponse
    echo: Echo | None


def query_of(options: ListExecutionContextsOptions, revision: Revision) -> Query:
    """
    Write options as a revision's query; what is left out is not sent.
    """
    place = _limits(options) if revision == "offset" else _page_numbers(options)
    filters = {name: getattr(options, name) for name in _ALL_FILTERS}
    return {k: str(v) for k, v in {**place, **filters}.items() if v is not None}


def _page_numbers(options: ListExecutionContextsOptions) -> dict[str, int | None]:
    return {"page": options.page, "per_page": options.per_page}


def _limits(options: ListExecutionContextsOptions) -> dict[str, int]:
    expected = expected_echo(options)
    return {"limit": expected.limit, "offset": expected.offset}


def expected_echo(options: ListExecutionContextsOptions) -> Echo:
    """
    Say which contexts a page means, in the words of the offset revision.
    """
    per_page = options.per_page or PER_PAGE
    return Echo(per_page, ((options.page or 1) - 1) * per_page)


def answer_of(reply: Reply, *, attempts: int, secret: Redactor) -> Answer:
    """
    Read a reply.

    Raises:
        ApiError: The status is not one of success.
        DecodeError: The body is not what was promised.

    """
    if not reply.succeeded:
        raise _error_of(_redacted(reply, secret), attempts)
    try:
        return _read(reply)
    except MisfitError as misfit:
        error = DecodeError(secret.redact_text(str(misfit)), secret.redact(reply.body))
    raise error


def _read(reply: Reply) -> Answer:
    document = _document(reply)
    return Answer(structure_page(document), _echo_of(document))


def _redacted(reply: Reply, secret: Redactor) -> Reply:
    headers = {k: secret.redact_text(v) for k, v in reply.headers.items()}
    return evolve(reply, headers=headers, body=secret.redact(reply.body))


def _document(reply: Reply) -> Any:
    if reply.cut_at is not None:
        raise MisfitError(f"the body: expected at most {reply.cut_at} bytes, got more")
    try:
        return json.loads(reply.body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        said = "nested too deep" if isinstance(error, RecursionError) else str(error)
    got = shown(reply.body.decode(errors="replace")) if reply.body else "nothing"
    raise MisfitError(f"the body: expected JSON, got {got} ({said[:_MESSAGE_LENGTH]})")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _echo_of(document: dict[str, Any]) -> Echo | None:
    limit, offset = document.get("limit"), document.get("offset")
    if type(limit) is int and type(offset) is int:
        return Echo(limit, offset)
    return None


def check_filters(
    contexts: list[AiExecutionContext],
    options: ListExecutionContextsOptions,
    revision: Revision,
) -> None:
    """
    Hold the contexts of a page against the filters that were asked for.

    Raises:
        PaginationError: The service ignored a filter.

    """
    for name in _ALL_FILTERS:
        asked = getattr(options, name)
        if asked is None or not contexts:
            continue
        if name not in FILTERS[revision]:
            raise PaginationError(_unsupported(name, asked, revision))
        for index, context in enumerate(contexts):
            if getattr(context, name) not in (asked, None):
                raise PaginationError(
                    f"the service ignored the filter {name}={shown(asked)}: "
                    f"data[{index}].{name} is {shown(getattr(context, name))}"
                )


def _unsupported(name: str, asked: str, revision: Revision) -> str:
    other = "offset" if revision == "page" else "page"
    return (
        f"the service ignored the filter {name}={shown(asked)}: its {revision} "
        f"revision does not know it; only the {other} revision does "
        f"(Session(pagination={other!r}), if yours is that one)"
    )


def _error_of(reply: Reply, attempts: int) -> ApiError:
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


def _json_or_none(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _message(reply: Reply, details: Any) -> str:
    location = reply.headers.get("location")
    if reply.status in _REDIRECTS and location:
        return f"redirect to {_printable(location)} refused: the key must not follow it"
    text = reply.body[: 4 * _MESSAGE_LENGTH].decode(errors="replace")
    said = _listed_errors(details) or _heading(text) or text
    return _printable(said) or _phrase(reply.status)


def _listed_errors(details: Any) -> str:
    try:
        messages: list[Any] = [item["message"] for item in details["errors"]]
    except (KeyError, TypeError):
        return ""
    return "; ".join(map(str, messages))


def _heading(text: str) -> str:
    if not _HTML.match(text):
        return ""
    title = _TITLE.search(text)
    return f"an HTML page, {shown(unescape(title[2]).strip())}" if title else "HTML"


def _printable(text: str) -> str:
    """
    Fit a server's words into one harmless line.
    """
    line = " ".join(text[: 2 * _MESSAGE_LENGTH].split())
    safe = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    return safe if len(safe) <= _MESSAGE_LENGTH else f"{safe[: _MESSAGE_LENGTH - 1]}…"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).description or "no further word"
    except ValueError:
        return "no further word"


def retry_after_of(reply: Reply) -> float | None:
    """
    Find how many seconds the service asks to wait.

    It says so in the `Retry-After` header (seconds, decimals, or an HTTP date) or,
    with a 429, in the text of the body alone. The longer one counts.

    Returns:
        The seconds, or None where the service names no time that makes sense.

    """
    told = [_header_seconds(reply.headers.get("retry-after", ""), reply.received)]
    if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
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
