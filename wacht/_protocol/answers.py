"""Read a reply: a page of contexts, or an exception."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from wacht._contexts import MAX_PAGE
from wacht._text import safe_repr
from wacht.errors import DecodeError

from .api_errors import api_error, excerpt, html_heading
from .decoding import structure_page
from .json import SchemaError, parse_json
from .windows import Window

if TYPE_CHECKING:
    from wacht.models import AiExecutionContext

    from .credentials import ApiKey
    from .replies import RawResponse


@define
class SmallerPageMayHelp(Exception):  # noqa: N818 - what it says, not what it is
    """An answer is too large or too slow. Never reaches a user."""

    retries: Any = None  # what is left of them


@frozen
class PageResponse:
    contexts: list[AiExecutionContext] = field(repr=False)  # they may echo the key
    has_more: bool
    applied: Window | None  # if the service echoes it, as the offset revision does
    date: str | None = None  # the header


def read_answer(
    reply: RawResponse, *, url: str, attempts: int, redactor: ApiKey
) -> PageResponse:
    """Read a page; raise an `ApiError` or a `DecodeError` if the reply isn't one."""
    if not reply.succeeded:
        raise api_error(reply, url=url, attempts=attempts, redactor=redactor)
    try:
        document = _document(reply, redactor)
        page = structure_page(document, redactor.redact_text)
    except SchemaError as mismatch:
        message = redactor.redact_text(str(mismatch))
    else:
        applied, date = _applied_window(document), reply.headers.get("date")
        return PageResponse(page.data, page.has_more, applied, date)
    raise DecodeError(message, excerpt(reply, redactor))


def _document(reply: RawResponse, redactor: ApiKey) -> Any:
    if reply.truncated_at is not None:
        limit = f"at most {reply.truncated_at} bytes (max_response_bytes)"
        raise SchemaError(f"the body: expected {limit}, got more")
    try:
        return parse_json(reply.body)
    except SchemaError:
        raise
    except RecursionError:
        reason = "nested too deep"
    except ValueError as error:
        reason = str(error)
    text = excerpt(reply, redactor).decode(errors="replace")
    if page := html_heading(text):
        page += ": check WACHT_BASE_URL or base_url"
        raise SchemaError(f"the body: expected JSON, got {page}")
    got = safe_repr(text) if text else "nothing"
    raise SchemaError(f"the body: expected JSON, got {got} ({reason})")


def _applied_window(document: dict[str, Any]) -> Window | None:
    echo: tuple[Any, Any] = document.get("offset"), document.get("limit")
    if all(type(number) is int and 0 <= number <= MAX_PAGE for number in echo):
        return Window(*echo)
    return None
