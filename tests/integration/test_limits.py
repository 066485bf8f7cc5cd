"""Limits that sessions share, the throttle and Ctrl-C, in real time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from urllib3 import Retry

import wacht
from tests.servers import RawServer, Wire, page_of
from wacht.throttle import Slot

if TYPE_CHECKING:
    from wacht.sandbox import Sandbox


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """List when requests are sent; a busy machine notes arrivals unevenly."""
    sent: list[float] = []
    tell = Slot.sent

    def noting(slot: Slot) -> None:
        sent.append(time.monotonic())
        tell(slot)

    monkeypatch.setattr(Slot, "sent", noting)
    return sent


def most_in_a_second(times: list[float]) -> int:
    return max(sum(0 <= t - start <= 1 for t in times) for start in times)


def test_throttle__as_the_service_sees_it(sandbox: Sandbox, sent: list[float]) -> None:
    """Many threads on new connections keep to 20 in any second."""
    throttle = wacht.Throttle(per_second=20, per_minute=1000)
    opened = [sandbox.session(throttle=throttle) for _ in range(20)]
    with ThreadPoolExecutor(20) as pool:
        for number in range(80):
            pool.submit(opened[number % 20].fetch_execution_contexts)
    for session in opened:
        session.close()
    assert len(sent) == 80
    assert most_in_a_second(sent) <= 20


def test_throttle__slow_answers_do_not_slow_it_down() -> None:
    """The first answer comes when all requests are there."""
    all_there = threading.Event()

    def script(wire: Wire) -> None:
        if len(server.heads) == 10:
            all_there.set()
        assert all_there.wait(20)
        wire.answer(page_of([]))

    throttle = wacht.Throttle(per_second=5, per_minute=1000)
    with (
        RawServer(script) as server,
        server.session(throttle=throttle, retry=Retry(0)) as session,
        ThreadPoolExecutor(10) as pool,
    ):
        asked = [pool.submit(session.fetch_execution_contexts) for _ in range(10)]
        assert [len(answer.result()) for answer in asked] == [0] * 10
