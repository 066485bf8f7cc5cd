"""
Connections that hold a server to its time from the first byte of its headers on.

A socket's timeout is for each read alone: a server that sends a byte now and then, or
headers without end, could otherwise hold a client for hours.
"""

from __future__ import annotations

import io
import time
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.exceptions import HeaderParsingError
from urllib3.util.response import assert_header_parsing

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from socket import socket


class SlowAnswerError(ConnectionError):
    """
    An answer takes too long as a whole, whatever its parts do.
    """


class Exchange:
    """
    One request and its answer, against the clock.

    Args:
        read: Seconds that one read may take.
        whole: Seconds that the headers may take, and then once more the body.
        remaining: Seconds that all of it may take.
        on_sent: Called when the request is on the wire.

    """

    def __init__(
        self,
        *,
        read: float,
        whole: float,
        remaining: float,
        on_sent: Callable[[], object],
    ) -> None:
        self.on_sent = on_sent
        self._read = read
        self._whole = whole
        self._end = time.monotonic() + remaining
        self.start_part()

    def start_part(self) -> None:
        """
        Start the time of the headers, or that of the body.
        """
        self._until = min(time.monotonic() + self._whole, self._end)

    def next_read(self) -> float:
        """
        Tell how many seconds the next read may take.

        Raises:
            SlowAnswerError: No more, the time is up.

        """
        remaining = self._until - time.monotonic()
        if remaining <= 0:
            raise SlowAnswerError(f"it did not arrive within {self._whole:g} s")
        return min(self._read, remaining)

    @contextmanager
    def under_way(self) -> Generator[None]:
        """
        Make this the exchange that a connection of this thread goes by.
        """
        token = _under_way.set(self)
        try:
            yield
        finally:
            _under_way.reset(token)


_under_way: ContextVar[Exchange] = ContextVar("wacht_exchange")


class TimedAdapter(HTTPAdapter):
    """
    Open connections, through proxies or not, whose answers go by their exchange.
    """

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """
        Give the pool of connections for a request.
        """
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = _timed(pool.ConnectionCls)
        return pool


@cache
def _timed(connection: Any) -> Any:
    if issubclass(connection.response_class, _TimedResponse):
        return connection
    return type(connection.__name__, (connection,), {"response_class": _TimedResponse})


class _TimedResponse(HTTPResponse):
    def __init__(self, sock: socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        exchange = _under_way.get()
        exchange.on_sent()
        exchange.start_part()
        self._wire = _Wire(self.fp.detach(), sock, exchange)
        self.fp = io.BufferedReader(self._wire)

    def begin(self) -> None:
        super().begin()
        # http.client takes the end of the connection for that of the headers.
        if self._wire.ended:
            raise ConnectionError("it was closed in the middle of the headers")
        try:
            assert_header_parsing(self.headers)
        except HeaderParsingError:
            # urllib3 would go on without the rest of them, and log what stands there.
            raise ConnectionError("its headers cannot be read") from None


class _Wire(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, sock: socket, exchange: Exchange) -> None:
        self.ended = False
        self._raw = raw
        self._sock = sock
        self._exchange = exchange

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._exchange.next_read())
        try:
            count = self._raw.readinto(buffer)
        except TimeoutError:
            self._exchange.next_read()  # says so where it is the whole that is too slow
            raise
        self.ended = not count
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
