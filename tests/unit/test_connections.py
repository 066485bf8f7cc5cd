"""How long an answer may take, on a fake clock; sockets are tested elsewhere."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError

from tests.clock import Clock
from wacht._http.client import _open_http
from wacht._http.connections import TimedAdapter, _Wire
from wacht._http.timing import ResponseTimer, SlowAnswerError, active_timer


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

    wire = _Wire(Mock(readinto=alarm), Mock(), timed)
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
