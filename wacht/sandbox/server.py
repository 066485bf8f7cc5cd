"""
The sandbox on the wire: requests in, scripts played; it knows nothing of contexts.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from .faults import End, Pause, Step

Respond: TypeAlias = Callable[[str, str, dict[str, str]], Iterator[Step]]

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # linger for no time at all
_POLL_SECONDS = 0.02  # how long closing may wait for the accepting thread


class _Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride] - its only one

    def handle(self) -> None:
        while self._exchange():
            pass

    def _exchange(self) -> bool:
        """
        Answer one request and return whether the connection lives on.
        """
        try:
            method, target, version = self._line().split()
            headers = dict(self._headers())
            self.rfile.read(int(headers.get("Content-Length", "0")))
        except ValueError:
            return False  # what came isn't HTTP
        wish = headers.get("Connection", "").lower()
        lasting = version != "HTTP/1.0" and wish != "close"
        return self._play(self.server.respond(method, target, headers)) and lasting

    def _line(self) -> str:
        line = self.rfile.readline()
        if not line:
            raise ConnectionError("the client is gone")
        return line.decode("latin-1").strip()

    def _headers(self) -> Iterator[tuple[str, str]]:
        while line := self._line():
            name, _, value = line.partition(":")
            yield name.strip().title(), value.strip()

    def _play(self, steps: Iterator[Step]) -> bool:
        for step in steps:
            if isinstance(step, bytes):
                self.request.sendall(step)
            elif isinstance(step, Pause):
                if self.server.closing.wait(step.seconds):
                    return False
            else:
                self._end(step)
                return False
        return True

    def _end(self, end: End) -> None:
        if end is End.RESET:
            connection = self.request
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            # Both, and now: socketserver would first send the FIN of a clean close.
            self.rfile.close()
            connection.close()


class Server(socketserver.ThreadingTCPServer):
    """
    Serve on loopback from construction until `close`, with a thread a connection.
    """

    allow_reuse_address = True
    request_queue_size = 128  # a benchmark's clients all arrive at once

    def __init__(self, port: int, respond: Respond) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.respond = respond
        self.closing = threading.Event()
        self._connections: dict[Any, threading.Thread] = {}
        self._accepting = threading.Thread(
            target=self.serve_forever, args=(_POLL_SECONDS,), daemon=True
        )
        self._accepting.start()

    def close(self) -> None:
        """
        Stop at once, whatever is under way; a second time does nothing.
        """
        self.closing.set()
        self.shutdown()
        self._accepting.join()
        self.server_close()
        for connection, thread in list(self._connections.items()):
            with contextlib.suppress(OSError):  # it may have ended by itself
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()

    def process_request(self, request: Any, client_address: Any) -> None:
        # Kept by us, since socketserver can only wait for threads that aren't daemons.
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            daemon=True,
        )
        self._connections[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self._connections.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that goes away, at whatever point, is nobody's mistake.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
