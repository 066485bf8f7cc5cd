"""
What the sandbox answers where nothing goes wrong: who may ask, how often, and for what.
"""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from .faults import Answer

Revision = Literal["page", "offset", "offset-without-echo"]
Context: TypeAlias = Mapping[str, Any]
Query: TypeAlias = Mapping[str, str]

PATH = "/ai/execution-contexts"

_MOST_A_PAGE = 100
_NUMBER = re.compile(r"[0-9]{1,18}")  # fits 64 bits whatever the digits


class Limits:
    """
    Sliding windows over the arrivals that were let in, each with a limit of its own.
    """

    def __init__(self, per_second: int | None, per_minute: int | None) -> None:
        windows = (per_second, 1.0), (per_minute, 60.0)
        self._windows = [(limit, span) for limit, span in windows if limit is not None]
        limits = [limit for limit, _ in self._windows]
        if any(limit < 1 for limit in limits):
            raise ValueError("per_second and per_minute: expected at least 1, or None")
        self._arrivals = deque[float](maxlen=max(limits, default=0))

    def count(self, now: float) -> None:
        self._arrivals.append(now)

    def admit(self, now: float) -> Answer | None:
        """
        Count an arrival that finds room, and return the answer to one that doesn't.
        """
        wait = self._wait(now)
        if wait > 0:
            return _rate_limited(wait)
        self.count(now)
        return None

    def _wait(self, now: float) -> float:
        arrivals = self._arrivals
        return max(
            (
                arrivals[-limit] + span - now
                for limit, span in self._windows
                if len(arrivals) >= limit
            ),
            default=0.0,
        )


def _rate_limited(wait: float) -> Answer:
    return _text(429, f"Rate limit exceeded. Retry after {math.ceil(wait)} seconds")


def refused(headers: Mapping[str, str], api_key: str) -> Answer | None:
    """
    Return the answer to a request without the key, None to one that has it.
    """
    scheme, _, key = headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not key:
        return _text(401, "Authorization header must be Bearer token")
    if key != api_key:
        return _text(401, "Authentication failed: unknown API key")
    return None


def listing(
    revision: Revision,
    contexts: Sequence[Context],
    method: str,
    path: str,
    query: Query,
) -> Answer:
    """
    Return what the endpoint says to a request that was let in.
    """
    if path != PATH:
        return _json(404, {"errors": [{"message": "Not found", "code": 404}]})
    if method != "GET":
        return Answer(405, headers={"Allow": "GET"})
    try:
        return _json(200, REVISIONS[revision](contexts, query))
    except _UnreadableError as error:
        return _text(400, f"Failed to deserialize query string: {error}")


class _UnreadableError(Exception):
    """
    A query value that isn't a number.
    """


def _number(query: Query, key: str, default: int) -> int:
    value = query.get(key, str(default))
    if not _NUMBER.fullmatch(value):
        raise _UnreadableError(f"{key}: invalid digit found in string")
    return int(value)


def _window(query: Query, key: str, default: int) -> int:
    return min(max(_number(query, key, default), 1), _MOST_A_PAGE)


def _filtered(
    contexts: Sequence[Context], query: Query, *keys: str
) -> Sequence[Context]:
    wanted = {key: query[key] for key in keys if key in query}
    return [
        context
        for context in contexts
        if all(context.get(key) == value for key, value in wanted.items())
    ]


def _by_page(contexts: Sequence[Context], query: Query) -> dict[str, Any]:
    page = max(_number(query, "page", 1), 1)
    per_page = _window(query, "per_page", 20)
    chosen = _filtered(contexts, query, "agent_id", "workflow_id")
    return _slice(chosen, (page - 1) * per_page, per_page)


def _by_offset(contexts: Sequence[Context], query: Query) -> dict[str, Any]:
    limit = _window(query, "limit", 50)
    offset = _number(query, "offset", 0)
    chosen = _filtered(contexts, query, "status", "context_group")
    return _slice(chosen, offset, limit) | {"limit": limit, "offset": offset}


def _without_echo(contexts: Sequence[Context], query: Query) -> dict[str, Any]:
    answer = _by_offset(contexts, query)
    return {key: answer[key] for key in ("data", "has_more")}


def _slice(contexts: Sequence[Context], start: int, length: int) -> dict[str, Any]:
    end = start + length
    # json knows dict alone, and a caller's context may be any mapping.
    data = [dict(context) for context in contexts[start:end]]
    return {"data": data, "has_more": end < len(contexts)}


REVISIONS: Mapping[Revision, Callable[[Sequence[Context], Query], dict[str, Any]]] = {
    "page": _by_page,
    "offset": _by_offset,
    "offset-without-echo": _without_echo,
}


def _json(status: int, value: Any) -> Answer:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    body = text.encode(errors="backslashreplace")  # as JSON escapes a lone surrogate
    return Answer(status, body, {"Content-Type": "application/json"})


def _text(status: int, text: str) -> Answer:
    return Answer(status, text.encode(), {"Content-Type": "text/plain; charset=utf-8"})
