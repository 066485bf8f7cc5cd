"""
How long an answer may take, on a clock of our own; the sockets are tested elsewhere.
"""

from __future__ import annotations

from typing import Any

import pytest
import requests

from wacht._connection import Exchange, SlowAnswerError, TimedAdapter


class Clock:
    """Time that stands still."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("wacht._connection.time", clock)
    return clock


def exchange(**times: float) -> Exchange:
    given: Any = {"read": 30, "whole": 90, "remaining": float("inf")} | times
    return Exchange(on_sent=lambda: None, **given)


def test_next_read__is_no_longer_than_a_read(clock: Clock) -> None:
    """As long as there is time, a read may take its own timeout."""
    exchanged = exchange()
    clock.now += 59
    assert exchanged.next_read() == 30


def test_next_read__is_no_longer_than_what_is_left(clock: Clock) -> None:
    """The last read does not go beyond the time of the whole."""
    exchanged = exchange()
    clock.now += 70
    assert exchanged.next_read() == 20


@pytest.mark.parametrize("passed", [90, 91])
def test_next_read__when_the_time_is_up(clock: Clock, passed: float) -> None:
    """A read that would begin too late is an error that says how long it took."""
    exchanged = exchange()
    clock.now += passed
    with pytest.raises(SlowAnswerError, match="within 90 s"):
        exchanged.next_read()


def test_part__has_time_of_its_own(clock: Clock) -> None:
    """The body has as long as the headers had, however long they took."""
    exchanged = exchange()
    clock.now += 80
    exchanged.start_part()
    clock.now += 80
    assert exchanged.next_read() == 10


def test_part__ends_with_all_of_it(clock: Clock) -> None:
    """No part goes beyond the time that remains for all of them."""
    exchanged = exchange(remaining=100)
    clock.now += 80
    exchanged.start_part()
    assert exchanged.next_read() == 20


@pytest.mark.parametrize("proxy", [None, "http://proxy.invalid"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_adapter__times_each_pool_once(scheme: str, proxy: str | None) -> None:
    """A pool is timed from its first use on, and by one class, however often used."""
    adapter = TimedAdapter()
    request = requests.Request("GET", f"{scheme}://api.invalid").prepare()
    proxies = {scheme: proxy} if proxy else None

    def pool() -> Any:
        return adapter.get_connection_with_tls_context(
            request, verify=True, proxies=proxies
        )

    plain = type(pool())
    timed = pool().ConnectionCls
    assert issubclass(timed, plain.ConnectionCls)
    assert timed is not plain.ConnectionCls
    assert pool().ConnectionCls is timed


def test_adapter__leaves_others_alone() -> None:
    """What is timed is ours alone: urllib3's own classes stay as they are."""
    other: Any = requests.adapters.HTTPAdapter()
    request = requests.Request("GET", "https://api.invalid").prepare()
    TimedAdapter().get_connection_with_tls_context(request, verify=True)
    pool = other.get_connection_with_tls_context(request, verify=True)
    assert pool.ConnectionCls is type(pool).ConnectionCls
