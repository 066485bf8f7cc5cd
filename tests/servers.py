"""The sandbox's server with a raw script for each request."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self, TypeAlias
from urllib.parse import parse_qsl, urlsplit

import wacht
from wacht.sandbox.server import Action, End, Pause, Server, _Connection
from wacht.sandbox.service import listing

KEY = "wk_raw_server"
KEEP = object()


class Wire(_Connection):
    """The server's end of a connection, which a script uses once a request has come."""

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.path).query))

    def send(self, data: bytes) -> None:
        self._perform(data)

    def pause(self, seconds: float) -> None:
        self._perform(Pause(seconds))

    def reset(self) -> None:
        self._perform(End.RESET)

    def answer(self, body: bytes, *headers: str, status: str = "200 OK") -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
        self.send("\r\n".join(lines).encode("latin-1") + body)


Script: TypeAlias = Callable[[Wire], object]


class RawServer:
    """
    Answer requests with a script.

    A connection ends after its script, unless that returns `KEEP`. After so many
    `times`, requests get pages.
    """

    def __init__(
        self, script: Script | None = None, *, times: int | None = None
    ) -> None:
        self.heads: list[bytes] = []
        self.ids = [str(number) for number in range(250)]
        self._script = script
        self._times = float("inf") if times is None else times
        self._lock = threading.Lock()
        self._server = Server(self._respond)
        self._server.RequestHandlerClass = Wire
        self.url = self._server.url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.close()

    def session(self, **kw: Any) -> wacht.Session:
        """Return a session for this server, without a throttle."""
        defaults = {"api_key": KEY, "base_url": self.url, "throttle": None}
        return wacht.Session(**(defaults | kw))

    def _respond(self, wire: Any) -> Iterator[Action]:
        with self._lock:
            self.heads.append(f"{wire.requestline}\n{wire.headers}".encode("latin-1"))
            scripted = len(self.heads) <= self._times
        if self._script is None or not scripted:
            contexts = [{"id": id_} for id_ in self.ids]
            wire.answer(listing("page", contexts, wire.query).body)
        elif self._script(wire) is not KEEP:
            yield End.CLOSE


def page_of(ids: list[str], *, has_more: bool = False) -> bytes:
    """Write a page of contexts that only have an id."""
    page = {"data": [{"id": id_} for id_ in ids], "has_more": has_more}
    return json.dumps(page).encode()
