"""
The sandbox's server in a process of its own, answering from memory.

It pages the same contexts in the way of each client that is compared. It can answer
late, or enforce the service's limits in scaled time.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from wacht._contexts import DEFAULT_LIMIT, OFFSET_FIELDS
from wacht.sandbox.server import Pause, Server

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from wacht.sandbox.server import Action, Request

PER_PAGE = 100
FIRST_ID = 1_329_980_420_571_430_000
NUMBER = re.compile(r"[?&](?:page|after|starting_after)=([0-9]+)")
NEWEST = datetime(2026, 3, 1, 12, 34, 56, 123456, UTC)


def context(number: int, *, whole: bool = False) -> dict[str, Any]:
    """
    Make a context as the service sends it: seven fields, or all twenty-one.

    Context 0 is the newest, and each has a time of its own.
    """
    seven = {
        "id": str(FIRST_ID + number),
        "agent_id": "1329980420571420001",
        "workflow_id": None if number % 3 else "1329980420571420002",
        "user_id": f"user_{number}",
        "session_id": f"session_{number}",
        "context": {"topic": "a billing question", "turns": number, "tags": ["a", "b"]},
        "created_at": _time(number),
    }
    return {**seven, **_more(number)} if whole else seven


def _time(number: int) -> str:
    return (NEWEST - timedelta(seconds=number)).isoformat()


def _more(number: int) -> dict[str, Any]:
    return {
        "deployment_id": "1329980420571420003",
        "title": f"A billing question, number {number}",
        "system_instructions": "Answer briefly.",
        "context_group": "support",
        "status": "idle",
        "source": "api",
        "external_context_id": None,
        "updated_at": _time(number),
        "last_activity_at": _time(number),
        "completed_at": None,
        "execution_state": {"step": 3},
        "external_resource_metadata": None,
        "completion_summary": None,
        "parent_context_id": FIRST_ID - 1 - number,
    }


@cache
def answer(shape: str, page: int, pages: int) -> bytes:
    """Write the whole answer for a page in the shape of a client's paging."""
    data = [context(number) for number in range((page - 1) * PER_PAGE, page * PER_PAGE)]
    body: Any = {"data": data, "has_more": page < pages}
    links = b""
    if shape == "openai":
        body["object"] = "list"
    elif shape == "stripe":
        objects = [{**item, "object": "customer"} for item in data]
        body |= {"object": "list", "url": "/v1/customers", "data": objects}
    elif shape == "gitlab":
        body = data
        following = f"{page + 1}" if page < pages else ""
        links = f"X-Next-Page: {following}\r\nX-Page: {page}\r\n".encode()
        if following:
            link = f'Link: <http://{{host}}/api/v4/topics?page={following}>; rel="next"'
            links += link.encode() + b"\r\n"
    return _framed(json.dumps(body).encode(), links)


@cache
def offset_answer(offset: int, limit: int, contexts: int) -> bytes:
    """Write the whole answer for a window of the offset revision."""
    end = min(offset + limit, contexts)
    whole = [context(number, whole=True) for number in range(offset, end)]
    data = [{field: each[field] for field in OFFSET_FIELDS} for each in whole]
    body = {"data": data, "has_more": end < contexts, "limit": limit, "offset": offset}
    return _framed(json.dumps(body).encode())


def _framed(body: bytes, headers: bytes = b"", status: bytes = b"200 OK") -> bytes:
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    kind = b"Content-Type: application/json\r\n"
    return b"HTTP/1.1 " + status + b"\r\n" + kind + headers + length + body


SHAPES = {
    "/ai/execution-contexts": "page",
    "/v1/files": "openai",
    "/v1/customers": "stripe",
    "/api/v4/topics": "gitlab",
    "/offset": "offset",
}


def respond(request: Request, pages: int) -> bytes:
    """Answer a request."""
    shape = SHAPES[request.path.partition("?")[0]]
    if shape == "offset":
        query = dict(parse_qsl(request.path.partition("?")[2]))
        offset = int(query.get("offset", "0"))
        limit = int(query.get("limit", DEFAULT_LIMIT))
        return offset_answer(offset, limit, pages * PER_PAGE)
    number = NUMBER.search(request.path)
    asked = int(number[1]) if number else 1
    page = (asked - FIRST_ID) // PER_PAGE + 2 if asked >= FIRST_ID else asked
    whole = answer(shape, page, pages)
    if shape == "gitlab":
        whole = whole.replace(b"{host}", request.headers["Host"].encode())
    return whole


class Limits:
    """The service's two sliding windows, in seconds that may be scaled down."""

    def __init__(self, scale: float) -> None:
        self.refused = 0
        self._windows = ((20, 1 / scale), (100, 60 / scale))
        self._arrivals: deque[float] = deque(maxlen=100)
        self._lock = threading.Lock()

    def admit(self) -> bool:
        """Let a request in, or count it as refused."""
        with self._lock:
            now = time.monotonic()
            for limit, seconds in self._windows:
                recent = sum(arrival > now - seconds for arrival in self._arrivals)
                if recent >= limit:
                    self.refused += 1
                    return False
            self._arrivals.append(now)
            return True


def main(pages: int, latency: float, scale: float) -> None:
    """Print the URL, and serve until the process is ended."""
    limits = Limits(scale) if scale else None

    def play(request: Request) -> Iterator[Action]:
        if request.path == "/refused":
            yield _framed(str(limits.refused if limits else 0).encode())
        elif limits and not limits.admit():
            text = b"Rate limit exceeded. Retry after 1 seconds"
            yield _framed(text, status=b"429 Too Many Requests")
        else:
            yield Pause(latency)
            yield respond(request, pages)

    print(Server(play).url, flush=True)
    threading.Event().wait()


@contextmanager
def running(pages: int, *, latency: float = 0.0, scale: float = 0.0) -> Generator[str]:
    """Run the server in a process of its own, and give its URL."""
    command = [sys.executable, __file__, str(pages), str(latency), str(scale)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().strip()
        finally:
            process.kill()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
