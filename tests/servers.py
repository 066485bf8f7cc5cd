"""
A server on bare sockets, for what an honest HTTP server cannot be made to send.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

import wacht

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

KEY = "wk_raw_server"
PATH = "/ai/execution-contexts"
KEEP = object()
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # linger for no time at all


class Wire:
    """
    The server's end of a connection, once a request has come.

    Attributes:
        head: The request line and the headers.
    """

    def __init__(
        self, connection: socket.socket, head: bytes, closing: threading.Event
    ) -> None:
        self.head = head
        self._connection = connection
        self._closing = closing

    @property
    def query(self) -> dict[str, str]:
        """
        The query of the request.
        """
        target = self.head.split()[1].decode()
        return {
            name: values[-1]
            for name, values in parse_qs(urlsplit(target).query).items()
        }

    def send(self, data: bytes) -> None:
        """
        Send some bytes.
        """
        self._connection.sendall(data)

    def drip(self, data: bytes, interval: float) -> None:
        """
        Send a byte at a time, and each after a pause.
        """
        for position in range(len(data)):
            self.pause(interval)
            self.send(data[position : position + 1])

    def pause(self, seconds: float) -> None:
        """
        Send nothing for a while.
        """
        if self._closing.wait(seconds):
            raise ConnectionAbortedError("the server closes")

    def reset(self) -> None:
        """
        Make the connection end in a reset.
        """
        self._connection.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE
        )

    def answer(self, body: bytes, *headers: str, status: str = "200 OK") -> None:
        """
        Send a whole answer.
        """
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
        self.send("\r\n".join(lines).encode("latin-1") + body)


Script: TypeAlias = Callable[[Wire], object]


class RawServer:
    """
    Let a script answer requests, on loopback.

    A connection ends where its script does, unless that gives back `KEEP`.

    Args:
        script: Plays an answer.
        times: How many requests it is for; None for all. The others get pages.
        contexts: How many contexts there are.
        listening: Whether to be there at once; else from `listen` on.

    Attributes:
        heads: What each request began with.
        connections: How many connections came.
        ids: The ids of all contexts, in their order.
        url: Where it listens.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        times: int | None = None,
        contexts: int = 250,
        listening: bool = True,
    ) -> None:
        self.heads: list[bytes] = []
        self.connections = 0
        self.ids = [str(number) for number in range(contexts)]
        self._script = script
        self._times = (
            (0 if script is None else float("inf")) if times is None else times
        )
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        if listening:
            self.listen()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def listen(self) -> None:
        """
        Take connections; a second time changes nothing.
        """
        if not self._threads:
            self._listener.listen(128)
            self._start(self._accept)

    def close(self) -> None:
        """
        Stop, and break what is under way.
        """
        self._closing.set()
        with contextlib.suppress(OSError):  # it may never have listened
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):  # the client may be gone
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def session(self, **kw: Any) -> wacht.Session:
        """
        Return a session that talks to this server, and does not pace itself.
        """
        defaults = {"api_key": KEY, "base_url": self.url, "throttle": None}
        return wacht.Session(**(defaults | kw))

    def _start(self, target: Callable[..., object], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closing ends it
            while True:
                connection, _ = self._listener.accept()
                with self._lock:
                    self.connections += 1
                    self._open.add(connection)
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):  # the client goes when it likes
            while not self._closing.is_set() and self._exchange(connection):
                pass
        with self._lock:
            self._open.discard(connection)
        connection.close()

    def _exchange(self, connection: socket.socket) -> bool:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            data = connection.recv(2**16)
            if not data:
                return False
            head += data
            if not head[:1].isalpha():  # TLS, most likely
                return False
        with self._lock:
            self.heads.append(head)
            spoilt = len(self.heads) <= self._times
        wire = Wire(connection, head, self._closing)
        if spoilt and self._script is not None:
            return self._script(wire) is KEEP
        wire.answer(self._page(wire.query))
        return True

    def _page(self, query: dict[str, str]) -> bytes:
        size = int(query.get("per_page", "20"))
        start = (int(query.get("page", "1")) - 1) * size
        return page_of(
            self.ids[start : start + size], has_more=start + size < len(self.ids)
        )


def page_of(ids: list[str], *, has_more: bool = False) -> bytes:
    """
    Write a page of contexts that have an id and no more.
    """
    return json.dumps(
        {"data": [{"id": id_} for id_ in ids], "has_more": has_more}
    ).encode()
