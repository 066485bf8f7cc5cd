"""A small HTTP server on loopback that plays scripts; it knows nothing of contexts."""

from __future__ import annotations

import contextlib
import enum
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from http.client import responses as _PHRASES  # noqa: N812 - a table, and constant
from typing import Any, TypeAlias

import attrs

_FRAMING = {"content-length", "transfer-encoding"}
_RESET_ON_CLOSE = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
_POLL_SECONDS = 0.02  # how long closing may wait for the accepting thread


@attrs.frozen
class Answer:
    """A complete answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])

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
    """A step of a script: wait this many seconds, or until the server closes."""

    seconds: float


class End(enum.Enum):
    """The last step of a script: how the connection ends."""

    CLOSE = "close"
    RESET = "reset"


Step: TypeAlias = bytes | Pause | End


@attrs.frozen
class Request:
    """
    A request as it came.

    Attributes:
        head: The request line and the headers, as bytes.
        headers: The headers, each name in the form `Content-Type`.
        perform: Takes one step now, for scripts that aren't generators.
    """

    head: bytes
    method: str
    target: str
    headers: dict[str, str]
    perform: Callable[[Step], None]


Respond: TypeAlias = Callable[[Request], Iterable[Step]]


class _Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride] - its only one
    _ended = False

    def handle(self) -> None:
        while not self._ended:
            try:
                request = self._receive()
            except ValueError:
                return  # not HTTP
            for step in self.server.respond(request):
                self._perform(step)
                if isinstance(step, End):
                    break

    def _receive(self) -> Request:
        lines = [self.rfile.read(1)]
        if not lines[0].isalpha():
            if lines[0]:  # a TLS handshake, for example, which has no lines
                self.request.sendall(Answer(400).head)
            raise ValueError("this isn't HTTP")
        lines[0] += self.rfile.readline()
        while lines[-1].strip():
            lines.append(self.rfile.readline())
        if not lines[-1]:
            raise ValueError("the client has left")
        method, target, version = lines[0].decode("latin-1").split()
        headers = dict(map(_header, lines[1:-1]))
        self.rfile.read(int(headers.get("Content-Length", "0")))
        wish = headers.get("Connection", "").lower()
        self._ended = version == "HTTP/1.0" or wish == "close"
        return Request(b"".join(lines), method, target, headers, self._perform)

    def _perform(self, step: Step) -> None:
        if isinstance(step, bytes):
            self.request.sendall(step)
        elif isinstance(step, Pause):
            if self.server.closing.wait(step.seconds):
                raise ConnectionAbortedError("the server closes")
        else:
            self._ended = True
            if step is End.RESET:
                self.request.setsockopt(*_RESET_ON_CLOSE)
                # Both, and now: socketserver would first send the FIN of a clean close.
                self.rfile.close()
                self.request.close()


def _header(line: bytes) -> tuple[str, str]:
    name, _, value = line.decode("latin-1").partition(":")
    return name.strip().title(), value.strip()


class Server(socketserver.ThreadingTCPServer):
    """
    Serve on loopback until `close`, with one thread a connection.

    Args:
        respond: Returns the steps that answer a request. The connection stays open
            after them, unless one is an `End` or the client wants it closed.
        port: The port to listen on; 0 for any free one.
        listening: Whether to listen at once; otherwise call `listen`.

    Attributes:
        url: The URL of the server.
        connections: How many connections it has accepted.
        closing: Set as soon as the server closes.
    """

    allow_reuse_address = True
    request_queue_size = 128  # the clients of a benchmark arrive all at once

    def __init__(
        self, respond: Respond, *, port: int = 0, listening: bool = True
    ) -> None:
        super().__init__(("127.0.0.1", port), _Connection, bind_and_activate=listening)
        self.respond = respond
        self.closing: threading.Event = threading.Event()
        self.connections: int = 0
        self._open: dict[Any, threading.Thread] = {}
        serve = self.serve_forever
        self._accepting = threading.Thread(
            None, serve, args=(_POLL_SECONDS,), daemon=True
        )
        if listening:
            self._accepting.start()
        else:
            self.server_bind()
        self.url: str = f"http://127.0.0.1:{self.server_address[1]}"

    def listen(self) -> None:
        """Accept connections from now on."""
        self.server_activate()
        self._accepting.start()

    def close(self) -> None:
        """Stop at once and break all connections; does nothing the second time."""
        self.closing.set()
        if self._accepting.ident is not None:
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
        """Print the error, unless the client has left: it may do so at any point."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
