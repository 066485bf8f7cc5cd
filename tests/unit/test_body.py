"""Bodies in memory, read whole and in bounds; and how long an answer may take."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import Any
from unittest.mock import Mock

import pytest
import requests
from attrs import evolve
from urllib3 import HTTPConnectionPool, HTTPResponse
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, DecodeError, ProtocolError

from tests.clock import Clock
from wacht._http.body import BodyReader, _decompressed
from wacht._http.client import _open_http
from wacht._http.connections import TimedAdapter, _Wire
from wacht._http.timing import ResponseTimer, SlowAnswerError, active_timer
from wacht._protocol.replies import RawResponse

PAGE = b'{"data": [{"id": "1"}, {"id": "2"}], "has_more": false}'
PACKED = gzip.compress(PAGE)


class Body(io.BytesIO):
    """A body that may end with an error, and knows how much is read of it at once."""

    def __init__(self, data: bytes, error: Exception | None = None) -> None:
        super().__init__(data)
        self.sizes: list[int | None] = []
        self._error = error

    def read(self, size: int | None = -1, /) -> bytes:
        self.sizes.append(size)
        data = super().read(size)
        if self._error and not data:
            raise self._error
        return data


def response(
    body: Any = PAGE, status: Any = 200, encoding: str | None = None, **headers: Any
) -> requests.Response:
    made = requests.Response()
    made.status_code = status
    made.headers.update(headers | ({"Content-Encoding": encoding} if encoding else {}))
    file = io.BytesIO(body) if isinstance(body, bytes) else body
    made.raw = HTTPResponse(file, preload_content=False)
    return made


def read(
    response: requests.Response, *, max_bytes: int = 10**6, seconds: float = 60
) -> RawResponse:
    timer = ResponseTimer(5, 30, seconds, 60, lambda: None)
    return BodyReader(max_bytes, timer).read(response)


def test_reply() -> None:
    """Header names are in lower case, and values are text, whatever adapters say."""
    made = response(status="200", Retry_After=5)
    expected = RawResponse(status=200, headers={"retry_after": "5"}, body=PAGE)
    assert read(made) == expected
    made.raw = None  # it may have no body
    assert read(made) == evolve(expected, body=b"")


ENCODED = {
    "none": (PAGE, " Identity "),
    "gzip": (PACKED, "gzip"),
    "x-gzip": (PACKED, " X-GZIP"),
    "deflate": (zlib.compress(PAGE), "deflate"),
    "members": (b"".join(map(gzip.compress, (PAGE[:9], b"", PAGE[9:]))), "gzip"),
    "padding": (PACKED + bytes(99), "gzip"),
}


@pytest.mark.parametrize(("body", "encoding"), ENCODED.values(), ids=ENCODED)
def test_encoding(body: bytes, encoding: str) -> None:
    assert read(response(body, encoding=encoding)).body == PAGE


@pytest.mark.parametrize("size", [2**16 - 1, 2**16, 2**16 + 1, 3 * 2**16, 10**6])
def test_encoding__of_any_size(size: int) -> None:
    """Wherever the pieces end in which it is decompressed."""
    body = PAGE.ljust(size)
    assert read(response(gzip.compress(body), encoding="gzip")).body == body


def between_blocks() -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(PAGE) + packer.flush(zlib.Z_FULL_FLUSH)


CUT_OFF = "it is compressed, and cut off"
BROKEN = {
    "a byte less": (PACKED[:-1], "gzip", CUT_OFF),
    "no end": (PACKED[:-12], "gzip", CUT_OFF),
    "up to the end of a block": (between_blocks(), "gzip", CUT_OFF),
    "nothing": (b"", "gzip", CUT_OFF),
    "wrong sum": (PACKED[:-8] + bytes(8), "gzip", "Error -3 .* incorrect data check"),
    "no gzip": (PAGE, "gzip", "Error -3 .* incorrect header check"),
    "another": (PAGE, "br", "it is compressed as br, which wasn't asked for"),
}


@pytest.mark.parametrize(("body", "encoding", "message"), BROKEN.values(), ids=BROKEN)
def test_encoding__that_is_broken(body: bytes, encoding: str, message: str) -> None:
    with pytest.raises(DecodeError, match=f"^{message}"):
        read(response(body, encoding=encoding))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("status", [200, 500])
def test_limit__is_exact(status: int, *, packed: bool) -> None:
    """What is read of a larger body is kept."""
    encoding = "gzip" if packed else None
    for limit, truncated_at in ((len(PAGE), None), (20, 20), (1, 1)):
        made = response(PACKED if packed else PAGE, status, encoding)
        reply = read(made, max_bytes=limit)
        assert (reply.body, reply.truncated_at) == (PAGE[:limit], truncated_at)


@pytest.mark.parametrize("raw", [False, True])
def test_limit__reads_in_pieces(*, raw: bool) -> None:
    """No more than a piece is read, and decompressed, at once."""
    file = Body(bytes(10**6))
    made = response(b"" if raw else file)
    if raw:
        made.raw = file
    assert read(made, max_bytes=1).truncated_at == 1
    assert file.sizes == [2**16]
    pieces = [*_decompressed(iter([gzip.compress(bytes(10**6))]))]
    assert max(map(len, pieces)) == 2**16


def test_broken__does_not_matter_if_the_status_says_enough() -> None:
    made, refusal = (response(Body(PAGE, ProtocolError("no")), s) for s in (299, 300))
    with pytest.raises(ProtocolError):
        read(made)
    assert made.raw.closed
    reply = read(refusal)
    assert (reply.body, reply.truncated_at) == (PAGE, len(PAGE))


def test_broken__by_the_caller() -> None:
    """A signal handler's exception passes, also while an error is read."""
    error = RuntimeError("mine")
    with pytest.raises(RuntimeError) as caught:
        read(response(Body(b"", error), 500))
    assert caught.value is error


def test_slow() -> None:
    """The time of a body is limited as a whole, from its beginning on."""
    with pytest.raises(SlowAnswerError, match="within 0 s"):
        read(response(), seconds=0)


@pytest.mark.parametrize("content", [PAGE, b""])
def test_content__that_somebody_has_read(content: bytes) -> None:
    """It is taken, within the limit."""
    made = response(b"other")
    made._content = content
    assert read(made).body == content
    made._content = content
    assert read(made, max_bytes=9).body == content[:9]


def test_hook__reads_before_others() -> None:
    """What they see is the content; what they put in its place is read anew."""
    timer = ResponseTimer(5, 30, 60, 60, lambda: None)
    reader, made, other = BodyReader(10**6, timer), response(), response(b"other")
    reader(made)
    assert b"".join(made.iter_content(9)) == made.content == PAGE
    made._content = b"changed"
    assert reader.reply(made).body == PAGE
    assert reader.reply(other).body == b"other"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.monotonic", clock)
    return clock


def timer(remaining: float = float("inf")) -> ResponseTimer:
    return ResponseTimer(
        connect=5, read=30, whole=90, total=remaining, on_sent=lambda: None
    )


def test_parts__have_time_of_their_own(clock: Clock) -> None:
    timed = timer()
    clock.now += 4
    assert timed.remaining() == 1  # for connecting
    timed.start_part()
    clock.now += 59
    assert timed.remaining() == 31
    timed.start_part()
    clock.now += 90
    with pytest.raises(SlowAnswerError, match="within 90 s"):
        timed.remaining()


def test_parts__end_with_the_deadline(clock: Clock) -> None:
    timed = timer(remaining=100)
    clock.now += 80
    timed.start_part()
    assert timed.remaining() == 20
    clock.now += 20
    with pytest.raises(SlowAnswerError, match="within 20 s"):
        timed.remaining()
    assert timer(remaining=3).timeout == (3, 3)
    assert timed.timeout == (5, 30)


@pytest.mark.parametrize(
    ("error", "timeouts"), [(ConnectTimeoutError, [1, 1, 2]), (TimeoutError, [1])]
)
def test_connecting__addresses_share_the_time(
    error: type[Exception],
    timeouts: list[float],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second one fails at once; none comes after an exception of the caller's."""
    tried: list[tuple[str, float]] = []

    def connect(address: tuple[str, int], timeout: float, **_: Any) -> None:
        tried.append((address[0], timeout))
        clock.sleep(0 if len(tried) == 2 else timeout)
        raise error

    addresses = [f"127.0.0.{number}" for number in range(3)]
    infos = [(2, 1, 6, "", (address, 80)) for address in addresses]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_: infos)
    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    pool: Any = TimedAdapter().poolmanager.connection_from_url("http://api.invalid")
    active_timer.set(timer(remaining=3))
    with pytest.raises(ConnectTimeoutError):
        pool._new_conn().connect()
    assert tried == [*zip(addresses, timeouts, strict=False)]


def test_connecting__exception_that_a_codec_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python 3.11 does that to what a signal handler raises while it encodes a name."""
    original, copied = TimeoutError("alarm"), TimeoutError("encoding failed")
    copied.__cause__ = original
    monkeypatch.setattr("socket.getaddrinfo", Mock(side_effect=copied))
    pool: Any = TimedAdapter().poolmanager.connection_from_url("http://api.invalid")
    active_timer.set(timer(remaining=3))
    with pytest.raises(TimeoutError) as caught:
        pool._new_conn().connect()
    assert caught.value is original


def test_reading__alarm_at_the_end_of_the_time(clock: Clock) -> None:
    """A caller's `TimeoutError` isn't taken for that of the socket."""
    timed = timer(remaining=30)

    def alarm(_buffer: bytearray) -> None:
        clock.now += 30
        raise TimeoutError("alarm")

    wire = _Wire(Mock(**{"makefile.return_value.readinto": alarm}), timed)
    with pytest.raises(TimeoutError, match="alarm"):
        wire.readinto(bytearray(1))


def test_adapter__times_connections_through_a_proxy() -> None:
    manager = TimedAdapter().proxy_manager_for("http://proxy.invalid")
    timed = manager.connection_from_url("http://api.invalid").ConnectionCls
    assert timed.getresponse is not HTTPConnection.getresponse


def test_adapter__makes_the_class_at_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Libraries such as vcrpy replace it while a pool exists."""

    class Replaced(HTTPConnection):
        pass

    pool: Any = TimedAdapter().poolmanager.connection_from_url("http://api.invalid")
    timed = pool.ConnectionCls
    with monkeypatch.context() as patch:
        patch.setattr(HTTPConnectionPool, "ConnectionCls", Replaced)
        assert isinstance(pool._new_conn(), Replaced)
    assert type(pool._new_conn()) is timed


def test_pool__opens_a_connection_only_if_none_is_free() -> None:
    adapter: Any = _open_http().get_adapter("http://api.invalid")
    pool = adapter.poolmanager.connection_from_url("http://api.invalid")
    connections = [pool._get_conn() for _ in range(200)]
    for connection in connections:
        pool._put_conn(connection)
    assert {pool._get_conn() for _ in connections} == {*connections}
    assert pool._get_conn() not in connections
