"""
Connections that bound the time of connecting, of headers and of bodies as a whole.

A socket's timeout is for each read alone: a server that sends a byte now and then, or
headers without end, could otherwise hold a client for hours.
"""

from __future__ import annotations

import io
import socket
import time
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from http.client import HTTPResponse, parse_headers
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.exceptions import HeaderParsingError, NameResolutionError
from urllib3.util.response import assert_header_parsing

from .failures import IncompleteAnswerError, SlowAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_SWITCHING_PROTOCOLS = 101
_FINAL = 200


class ResponseTimer:
    """
    The time limits of one request and its answer.

    Args:
        connect: Seconds for connecting as a whole: all addresses, proxy and TLS.
        read: Seconds for one read.
        whole: Seconds for the headers, and as much again for the body.
        remaining: Seconds for all of it.
        on_sent: Called when the request was sent.

    """

    def __init__(
        self,
        *,
        connect: float,
        read: float,
        whole: float,
        remaining: float,
        on_sent: Callable[[], object],
    ) -> None:
        self.on_sent = on_sent
        # What requests takes: for the caller's adapters, which know no timer.
        self.timeout = (min(connect, remaining), min(read, remaining))
        self._connect = connect
        self._read = read
        self._whole = whole
        self._end = time.monotonic() + remaining
        self.start_part(connect)

    def start_part(self, seconds: float | None = None) -> None:
        """
        Start the time of the next part: connecting, the headers, or the body.
        """
        self._seconds = self._whole if seconds is None else seconds
        self._until = min(time.monotonic() + self._seconds, self._end)

    def start_connecting(self) -> None:
        """
        Start the time of connecting.
        """
        self.start_part(self._connect)

    def remaining(self) -> float:
        """
        Return the seconds that are left for the current part.

        Raises:
            SlowAnswerError: None are left.

        """
        remaining = self._until - time.monotonic()
        if remaining <= 0:
            raise SlowAnswerError(f"it didn't arrive within {self._seconds:g} s")
        return remaining

    def next_read(self) -> float:
        """
        Return the seconds that the next read may take.

        Raises:
            SlowAnswerError: None are left.

        """
        return min(self._read, self.remaining())

    @contextmanager
    def active(self) -> Generator[None]:
        """
        Make this the timer of the connections that this thread uses.
        """
        token = _active.set(self)
        try:
            yield
        finally:
            _active.reset(token)


_active: ContextVar[ResponseTimer] = ContextVar("wacht_response_timer")


class TimedAdapter(HTTPAdapter):
    """
    Open connections, through proxies or not, that keep to the active timer.
    """

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """
        Return the pool of connections for a request.
        """
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = _timed(pool.ConnectionCls)
        return pool


@cache
def _timed(connection: Any) -> Any:
    if issubclass(connection, _TimedConnection):
        return connection
    return type(connection.__name__, (_TimedConnection, connection), {})


class _TimedConnection:
    """
    What is added to urllib3's connections, for HTTP and HTTPS alike.
    """

    host: str
    port: int
    timeout: float
    sock: socket.socket
    _dns_host: str

    def connect(self) -> None:
        _active.get().start_connecting()
        super().connect()  # type: ignore[misc]  # urllib3's, beside it in the class

    def _new_conn(self) -> socket.socket:
        """
        Try all addresses of the name, each for its share of the time that is left.
        """
        if hasattr(self, "_socks_options"):  # the proxy resolves the name
            return super()._new_conn()  # type: ignore[misc,no-any-return]
        timer = _active.get()
        name = self._dns_host
        addresses = self._resolve()
        try:
            for tries_left in range(len(addresses), 0, -1):
                self._dns_host = addresses[-tries_left]
                self.timeout = timer.remaining() / tries_left
                try:
                    connection: socket.socket = super()._new_conn()  # type: ignore[misc]
                except OSError:
                    if tries_left == 1:
                        raise
                else:
                    connection.settimeout(timer.remaining())  # for the TLS handshake
                    return connection
        finally:
            self._dns_host = name
        raise AssertionError  # pragma: no cover - the last try returned or raised

    def _resolve(self) -> list[str]:
        try:
            infos = socket.getaddrinfo(self._dns_host, self.port, 0, socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            reason = socket.gaierror(str(error))
            raise NameResolutionError(self.host, self, reason) from error  # type: ignore[arg-type]  # the class beside it
        return list(dict.fromkeys(str(address[0]) for *_, address in infos))

    def _tunnel(self) -> None:
        super()._tunnel()  # type: ignore[misc]
        self.sock.settimeout(_active.get().remaining())  # for the TLS handshake

    def getresponse(self) -> Any:
        timer = _active.get()
        timer.on_sent()
        timer.start_part()
        return super().getresponse()  # type: ignore[misc]


class _TimedResponse(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._wire = _Wire(self.fp.detach(), sock, _active.get())
        self.fp = io.BufferedReader(self._wire)

    def _read_status(self) -> tuple[str, int, str]:
        """
        Skip informational answers, such as 103; http.client skips only 100.
        """
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if status == _SWITCHING_PROTOCOLS:
                raise IncompleteAnswerError("it switched to a protocol nobody asked for")
            if status >= _FINAL:
                return version, status, reason
            parse_headers(self.fp)

    def begin(self) -> None:
        super().begin()
        # http.client takes the end of the connection for the end of the headers.
        if self._wire.ended:
            raise IncompleteAnswerError("the connection was closed in the headers")
        try:
            assert_header_parsing(self.headers)
        except HeaderParsingError:
            # urllib3 would go on without the rest of them, and log their content.
            raise IncompleteAnswerError("the headers can't be parsed") from None


_TimedConnection.response_class = _TimedResponse  # type: ignore[attr-defined]


class _Wire(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, sock: socket.socket, timer: ResponseTimer):
        self.ended = False
        self._raw = raw
        self._sock = sock
        self._timer = timer

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._timer.next_read())
        try:
            count = self._raw.readinto(buffer)
        except TimeoutError as error:
            timed_out = error
        else:
            self.ended = not count
            return count
        self._timer.remaining()  # raises if the whole is too slow, not this one read
        raise timed_out

    def close(self) -> None:
        self._raw.close()
        super().close()
