"""A small HTTP server on loopback. What it sends, and when, is up to its caller."""

from __future__ import annotations

import contextlib
import enum
import re
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from http.client import responses as _PHRASES  # noqa: N812 - a table, and constant
from http.server import BaseHTTPRequestHandler
from typing import Any, NoReturn, TypeAlias

import attrs

_FRAMING = {"content-length", "transfer-encoding"}
_RESET_ON_CLOSE = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
_MAX_LINE = 64 * 1024  # bytes
_LENGTH = re.compile("[0-9]{1,5}")  # of a request's body; a GET has none
_POLL_SECONDS = 0.02  # how long closing may wait for the accepting thread


@attrs.frozen
class Response:
    """A complete answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])

    def with_headers(self, headers: Mapping[str, str]) -> Response:
        """Return the same answer with other headers, or with more of them."""
        return attrs.evolve(self, headers={**self.headers, **headers})

    @property
    def head(self) -> bytes:
        """The status line and the headers, as bytes."""
        headers = dict(self.headers)
        if not {name.lower() for name in headers} & _FRAMING:
            headers["Content-Length"] = str(len(self.body))
        lines = [f"HTTP/1.1 {self.status} {_PHRASES.get(self.status, '')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


@attrs.frozen
class Pause:
    """Wait this many seconds, or until the server closes."""

    seconds: float


class End(enum.Enum):
    """End the connection."""

    CLOSE = "close"
    RESET = "reset"


Action: TypeAlias = bytes | Pause | End
Request: TypeAlias = BaseHTTPRequestHandler  # its `command`, `path` and `headers`
Respond: TypeAlias = Callable[[Request], Iterable[Action]]


class _Connection(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True
    protocol_version = "HTTP/1.1"  # keeps connections
    timeout = 60  # seconds; a client that sends nothing for so long has gone
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride] - its only one

    def handle_one_request(self) -> None:
        self.close_connection = True  # the parser knows better
        if first := self.rfile.read(1):  # else the client has left
            self._receive(first)
            for action in self.server.respond(self):
                self._perform(action)
                if isinstance(action, End):
                    break

    def _receive(self, first: bytes) -> None:
        if not first.isalpha():  # a TLS handshake, which has no lines
            self.send_error(400)
        self.raw_requestline = first + self.rfile.readline(_MAX_LINE)
        if len(self.raw_requestline) > _MAX_LINE:
            self.send_error(431)
        self.parse_request()
        length = self.headers.get("Content-Length", "0")
        if not _LENGTH.fullmatch(length):
            self.send_error(400)
        self.rfile.read(int(length))

    def send_error(self, code: int, *_words: object, **_more: object) -> NoReturn:
        self.request.sendall(Response(code).head)
        raise ConnectionAbortedError("the request was refused")

    def _perform(self, action: Action) -> None:
        if isinstance(action, bytes):
            self.request.sendall(action)
        elif isinstance(action, Pause):
            if self.server.closing.wait(min(action.seconds, threading.TIMEOUT_MAX)):
                raise ConnectionAbortedError("the server closes")
        else:
            self.close_connection = True
            if action is End.RESET:
                self.request.setsockopt(*_RESET_ON_CLOSE)
                # Both, and now: socketserver would first send the FIN of a clean close.
                self.rfile.close()
                self.request.close()


class Server(socketserver.ThreadingTCPServer):
    """
    Serve on loopback until `close`, with one thread a connection.

    `respond` returns the actions that answer a request. The connection stays open after
    them, unless one is an `End` or the client wants it closed. Port 0 is any free one.
    """

    allow_reuse_address = True
    request_queue_size = 128  # the clients of a benchmark arrive all at once

    def __init__(self, respond: Respond, *, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.respond = respond
        self.closing: threading.Event = threading.Event()
        self.connections: int = 0  # that it has accepted
        self.url: str = f"http://127.0.0.1:{self.server_address[1]}"
        self._open: dict[Any, threading.Thread] = {}
        self._accepting = threading.Thread(
            None, self.serve_forever, args=(_POLL_SECONDS,), daemon=True
        )
        self._accepting.start()

    def close(self) -> None:
        """Stop at once and break all connections; does nothing the second time."""
        self.closing.set()
        self.shutdown()
        self._accepting.join()
        self.server_close()
        for connection, thread in list(self._open.items()):
            with contextlib.suppress(OSError):  # it may have ended by itself
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection."""
        # socketserver can only wait for threads that aren't daemons, so keep our own.
        start = self.process_request_thread
        arguments = request, client_address
        self.connections += 1
        self._open[request] = threading.Thread(None, start, args=arguments, daemon=True)
        self._open[request].start()

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        super().shutdown_request(request)
        self._open.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print the error, unless the connection broke: it may do so at any point."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
