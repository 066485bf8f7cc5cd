"""Limits that sessions share, the throttle and Ctrl-C, in real time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from urllib3 import Retry

import wacht
from tests.servers import RawServer, Wire, page_of


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
