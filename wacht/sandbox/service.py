"""The rules of the service: keys, limits, and what each revision lists."""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias
from urllib.parse import unquote, urlsplit

from wacht import _contexts as facts
from wacht._http.settings import is_loopback
from wacht._protocol.decoding import read_context
from wacht.models import AiExecutionContext

from .server import Response

SandboxRevision = Literal["page", "offset", "offset-without-echo"]
Context: TypeAlias = Mapping[str, Any]
Query: TypeAlias = Mapping[str, str]

_LATEST = datetime.max.replace(tzinfo=UTC)
_NUMBER = re.compile(r"[0-9]{1,18}")  # always fits 64 bits


class Limits:
    """Two sliding windows over the accepted requests, each with its own limit."""

    def __init__(self, per_second: int | None, per_minute: int | None) -> None:
        given = {1.0: per_second, 60.0: per_minute}
        limits = {span: n for span, n in given.items() if n is not None}
        if min(limits.values(), default=1) < 1:
            raise ValueError("per_second and per_minute: expected at least 1, or None")
        self.windows: dict[float, int] = limits  # the limit of each, by its seconds
        self._arrivals = deque[float](maxlen=min(max([0, *limits.values()]), 2**31))

    def count(self, now: float) -> None:
        """Count a request, whether there is room for it or not."""
        self._arrivals.append(now)

    def admit(self, now: float) -> Response | None:
        """Count a request if there is room; otherwise return the 429."""
        full = [(s, n) for s, n in self.windows.items() if len(self._arrivals) >= n]
        wait = max((self._arrivals[-n] + span - now for span, n in full), default=0)
        if wait > 0:
            seconds = math.ceil(wait)
            return _text(429, f"Rate limit exceeded. Retry after {seconds} seconds")
        self.count(now)
        return None


def check_host(host: str) -> Response | None:
    """Return the 403 for a request that names a host other than this machine."""
    # A web page can give its own name this machine's address: DNS rebinding.
    with suppress(ValueError):
        if is_loopback(urlsplit(f"//{host}").hostname or ""):
            return None
    return _text(403, "The sandbox only answers requests to localhost or 127.0.0.1")


def check_key(credentials: str, api_key: str) -> Response | None:
    """Return the 401 for a request without the key, None for one that has it."""
    scheme, _, key = credentials.partition(" ")
    if scheme != "Bearer" or not key:
        return _text(401, "Authorization header must be Bearer token")
    if key != api_key:
        return _text(401, "Authentication failed: unknown API key")
    return None


def check_endpoint(method: str, path: str, served: str) -> Response | None:
    """Return the 404 or 405 for any request that isn't one for the list."""
    if unquote(path) != unquote(served):  # clients spell escapes anew
        return json_response(404, {"errors": [{"message": "Not found", "code": 404}]})
    if method != "GET":
        return Response(405, headers={"Allow": "GET"})
    return None


def listing(
    revision: SandboxRevision, contexts: Iterable[Context], query: Query
) -> Response:
    """Return the page of contexts for a query."""
    filters = facts.PAGE_FILTERS if revision == "page" else facts.OFFSET_FILTERS
    try:
        start, size = _window(revision, query)
    except ValueError as error:
        return _text(400, f"Failed to deserialize query string: {error}")
    listed = [*contexts]  # a copy, for another thread may change the list
    if revision != "page":
        listed = newest_first(listed, facts.OFFSET_SORT_TIME.field)
    for name in query.keys() & {*filters}:
        wanted = query[name]
        listed = [c for c in listed if facts.accepts(_read(c, name), name, wanted)]
    end = start + size
    # json only takes dicts, and a caller's context may be any mapping.
    data = [dict(context) for context in listed[start:end]]
    echo = {"limit": size, "offset": start} if revision == "offset" else {}
    return json_response(200, {"data": data, "has_more": end < len(listed)} | echo)


def _read(context: Context, name: str) -> AiExecutionContext:
    """Read a field as the client does; what it can't read is absent."""
    with suppress(ValueError):
        return read_context({name: context.get(name)})
    return AiExecutionContext()


def _window(revision: SandboxRevision, query: Query) -> tuple[int, int]:
    """Return how many contexts come before a page, and how many it holds at most."""
    if revision != "page":
        return _number(query, "offset", 0), _size(query, "limit", facts.DEFAULT_LIMIT)
    per_page = _size(query, "per_page", facts.DEFAULT_PER_PAGE)
    return (max(_number(query, "page", 1), 1) - 1) * per_page, per_page


def newest_first(contexts: Iterable[Context], field: str) -> list[Context]:
    """Sort contexts by the time in a field, those without one first, as PostgreSQL."""
    return sorted(contexts, key=lambda c: time_of(c, field) or _LATEST, reverse=True)


def time_of(context: Context, field: str) -> datetime | None:
    """Return the time in a field, as the client reads it; None if it can't."""
    time: datetime | None = getattr(_read(context, field), field)
    return time


def _number(query: Query, key: str, default: int) -> int:
    value = query.get(key, str(default))
    if not _NUMBER.fullmatch(value):
        raise ValueError(f"{key}: invalid digit found in string")
    return int(value)


def _size(query: Query, key: str, default: int) -> int:
    return min(max(_number(query, key, default), 1), facts.MAX_PER_PAGE)


def json_response(status: int, value: object) -> Response:
    """Return an answer that holds a value as JSON."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    body = text.encode(errors="backslashreplace")  # as JSON escapes a lone surrogate
    return Response(status, body, {"Content-Type": "application/json"})


def _text(status: int, text: str) -> Response:
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    return Response(status, text.encode(), headers)
