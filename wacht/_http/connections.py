"""Connections with time limits as a whole; a socket's timeout is for each read."""

from __future__ import annotations

import io
import socket
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from http.client import HTTPResponse, parse_headers
from queue import SimpleQueue
from typing import Any, cast

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HeaderParsingError, HTTPError, NameResolutionError
from urllib3.util.response import assert_header_parsing

from wacht._protocol.credentials import plain_headers

from .failures import caller_exception
from .timing import ResponseTimer, active_timer

FINAL = 200  # a lower status announces that the answer is still to come


class TimedAdapter(HTTPAdapter):
    """Open connections, through proxies or not, that keep to the active timer."""

    _pool: Any = None  # of the one host

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _time_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        _time_pools(manager)
        return manager

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """Return the pool of the one host; to find it takes 7 % of a page's time."""
        return self._pool or super().get_connection_with_tls_context(*args, **kwargs)

    def cert_verify(self, conn: Any, *args: Any, **kwargs: Any) -> None:
        """Look for the files once; that swallows a signal handler's `OSError`."""
        if conn is not self._pool:
            super().cert_verify(conn, *args, **kwargs)
            self._pool = conn

    def close(self) -> None:
        super().close()
        self._pool = None


def _time_pools(manager: Any) -> None:
    manager.pool_classes_by_scheme = {
        scheme: _with(_TimedPool, pool)
        for scheme, pool in manager.pool_classes_by_scheme.items()
    }


@cache
def _with(addition: Any, base: Any) -> Any:
    if issubclass(base, addition):
        return base
    return type(base.__name__, (addition, base), {})


class _TimedPool:
    """What is added to urllib3's pools."""

    @staticmethod
    def QueueCls(_size: int) -> SimpleQueue[Any]:  # noqa: N802 - urllib3's name
        """Make a queue in C: a signal handler's exception leaves no lock closed."""
        return SimpleQueue()

    @property
    def ConnectionCls(self) -> Any:  # noqa: N802 - urllib3's name
        # vcrpy replaces urllib3's at any time.
        return _with(_TimedConnection, super().ConnectionCls)  # type: ignore[misc]  # urllib3's, beside it in the class


class _TimedMessage(HTTPResponse):
    fp: Any = None  # close() looks for it, even if a signal came before it was made

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        self._wire = _Wire(sock, active_timer.get())
        super().__init__(cast("Any", self._wire), *args, **kwargs)

    def _read_status(self) -> Any:
        """Skip informational answers, such as 103; http.client skips only 100."""
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if status >= FINAL or status == HTTPStatus.SWITCHING_PROTOCOLS:
                return version, status, reason
            parse_headers(self.fp)

    def begin(self) -> None:
        super().begin()
        # http.client takes the end of the connection for the end of the headers.
        if self._wire.ended:
            raise ConnectionError("the connection was closed in the headers")
        try:
            assert_header_parsing(self.headers)
        except HeaderParsingError:
            # urllib3 would go on without the rest of them, and log their content.
            raise ConnectionError("the headers can't be parsed") from None
        # requests would parse cookies that nobody keeps, and may warn of them.
        del self.headers["Set-Cookie"], self.headers["Set-Cookie2"]


class _TimedConnection:
    """What is added to urllib3's connections, for HTTP and HTTPS alike."""

    response_class = _TimedMessage
    host: str
    port: int
    timeout: float
    sock: Any  # a socket, or None
    _dns_host: str

    def request(self, *args: Any, headers: Mapping[str, Any], **kwargs: Any) -> None:
        """Send the request, with plain strings instead of masked ones."""
        super().request(*args, headers=plain_headers(headers), **kwargs)  # type: ignore[misc]  # urllib3's, beside it in the class

    def connect(self) -> None:
        try:
            super().connect()  # type: ignore[misc]
        except BaseException as error:
            # Python 3.11 copies what a signal handler raises in the codec of names.
            if isinstance(original := error.__cause__, type(error)):
                raise original  # noqa: B904 - as it was
            raise

    @property
    def is_connected(self) -> bool:
        # What is left in the TLS layer would be taken for the next answer.
        pending = getattr(self.sock, "pending", lambda: 0)
        return super().is_connected and not pending()  # type: ignore[misc]

    def _new_conn(self) -> Any:
        """Try all addresses of the name, each for its share of the time left."""
        if hasattr(self, "_socks_options"):  # pragma: no cover - needs such a proxy
            # It resolves the name.
            return super()._new_conn()  # type: ignore[misc]
        name = self._dns_host
        try:
            addresses = self._resolve()
            for tries_left in range(len(addresses), 1, -1):
                try:
                    return self._connect_to(addresses[-tries_left], tries_left)
                except HTTPError as error:
                    if caller_exception(error):
                        raise
            return self._connect_to(addresses[-1], 1)
        finally:
            self._dns_host = name

    def _connect_to(self, address: str, tries_left: int) -> socket.socket:
        timer = active_timer.get()
        self._dns_host = address
        self.timeout = timer.remaining() / tries_left
        connection = cast("socket.socket", super()._new_conn())  # type: ignore[misc]
        connection.settimeout(timer.remaining())  # for the TLS handshake
        return connection

    def _resolve(self) -> list[str]:
        try:
            infos = socket.getaddrinfo(self._dns_host, self.port, 0, socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            reason = socket.gaierror(str(error))
            raise NameResolutionError(self.host, self, reason) from reason  # type: ignore[arg-type]  # the class beside it
        return list(dict.fromkeys(str(address[0]) for *_, address in infos))

    def _tunnel(self) -> None:
        super()._tunnel()  # type: ignore[misc]
        self.sock.settimeout(active_timer.get().remaining())  # for the TLS handshake

    def getresponse(self) -> Any:
        timer = active_timer.get()
        timer.on_sent()
        timer.start_part()
        response = cast("Any", super().getresponse())  # type: ignore[misc]
        # vcrpy, which not every run of the tests has, puts its own in place of it.
        if response.__class__ is urllib3.HTTPResponse:  # pragma: no branch
            response.__class__ = TimedResponse
        return response


class TimedResponse(urllib3.HTTPResponse):
    def release_conn(self) -> None:
        """Let go of the connection before another request can take it."""
        # A signal handler's exception in between would make this response close it.
        connection, self._connection = self._connection, None
        if connection is not None and self._pool is not None:
            self._pool._put_conn(connection)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]

    def finish(self) -> None:
        """Be freed without running code, where a signal's exception gets lost."""
        cast("Any", self._fp).close()
        cast("Any", self).__class__ = _FinishedResponse


class _FinishedResponse(TimedResponse):
    closed = True  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]


class _Wire(io.RawIOBase):
    _raw: Any = None

    def __init__(self, sock: socket.socket, timer: ResponseTimer) -> None:
        self.ended = False
        self._sock = sock
        self._timer = timer
        self._raw = sock.makefile("rb", buffering=0)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return the file that http.client asks a socket for."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(min(self._timer.read, self._timer.remaining()))
        try:
            count: int | None = self._raw.readinto(buffer)
        except TimeoutError as error:
            if not caller_exception(error):
                self._timer.remaining()  # raises if not only this read is too slow
            raise
        self.ended = not count
        return count

    def close(self) -> None:
        if self._raw:
            self._raw.close()
        super().close()
