"""How long an answer may take, on a fake clock; sockets are tested elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from wacht._http.connections import TimedAdapter
from wacht._http.failures import SlowAnswerError
from wacht._http.timing import ResponseTimer


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("wacht._http.timing.time", clock)
    return clock


def timer(remaining: float = float("inf")) -> ResponseTimer:
    return ResponseTimer(
        connect=5, read=30, whole=90, remaining=remaining, on_sent=lambda: None
    )


@pytest.mark.parametrize(("passed", "seconds"), [(59, 30), (70, 20)])
def test_read__within_the_part(clock: Clock, passed: float, seconds: float) -> None:
    timed = timer()
    timed.start_part()
    clock.now += passed
    assert timed.next_read() == seconds


@pytest.mark.parametrize("passed", [90, 91])
def test_read__too_late(clock: Clock, passed: float) -> None:
    timed = timer()
    timed.start_part()
    clock.now += passed
    with pytest.raises(SlowAnswerError, match="within 90 s"):
        timed.next_read()


def test_parts__have_time_of_their_own(clock: Clock) -> None:
    timed = timer()
    clock.now += 4
    assert timed.remaining() == 1  # for connecting
    timed.start_part()
    clock.now += 80
    timed.start_part()
    clock.now += 80
    assert timed.next_read() == 10
    timed.start_connecting()
    assert timed.remaining() == 5


def test_parts__end_with_the_deadline(clock: Clock) -> None:
    timed = timer(remaining=100)
    clock.now += 80
    timed.start_part()
    assert timed.next_read() == 20
    assert timer(remaining=3).timeout == (3, 3)
    assert timed.timeout == (5, 30)


@pytest.mark.parametrize("proxy", [None, "http://proxy.invalid"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_adapter__has_one_class_a_pool(scheme: str, proxy: str | None) -> None:
    adapter = TimedAdapter()
    request = requests.Request("GET", f"{scheme}://api.invalid").prepare()
    proxies = {scheme: proxy} if proxy else None

    def pool() -> Any:
        return adapter.get_connection_with_tls_context(
            request, verify=True, proxies=proxies
        )

    first = pool()
    timed = first.ConnectionCls
    assert issubclass(timed, type(first).ConnectionCls)
    assert timed is not type(first).ConnectionCls
    assert pool().ConnectionCls is timed
