"""Limits that sessions share, the throttle and Ctrl-C, in real time."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from urllib3 import Retry
from urllib3.util import connection as connecting

import wacht
from tests.servers import RawServer, Wire, page_of
from wacht.sandbox import Sandbox
from wacht.throttle import Slot

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMITED = "Rate limit exceeded. Retry after {} seconds"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


def test_429__makes_all_that_share_a_throttle_wait(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """A 429 also delays the other sessions with the same key and URL."""
    caplog.set_level(logging.INFO, "wacht")
    sandbox.answer(429, LIMITED.format(1))
    shared: dict[str, Any] = {"api_key": sandbox.api_key, "base_url": sandbox.url}
    with wacht.Session(**shared) as one, wacht.Session(**shared) as other:
        first = threading.Thread(target=one.fetch_execution_contexts)
        first.start()
        while not caplog.records:  # until it waits
            time.sleep(0.001)
        other.fetch_execution_contexts()
        first.join()
    start, *others = [request.at for request in sandbox.requests]
    assert len(others) == 2
    assert min(others) - start >= 1


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


def test_throttle__slow_to_connect(
    sandbox: Sandbox, sent: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that had to connect first counts as late as it was sent."""
    connect: Any = connecting.create_connection

    def slowly(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.3)
        return connect(*args, **kwargs)

    monkeypatch.setattr(connecting, "create_connection", slowly)
    throttle = wacht.Throttle(per_second=5, per_minute=1000)
    with sandbox.session(throttle=throttle) as session, ThreadPoolExecutor(5) as pool:
        for _ in range(10):
            pool.submit(session.fetch_execution_contexts)
    assert len(sent) == 10
    assert most_in_a_second(sent) <= 5


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


def test_throttle__counts_every_attempt(sandbox: Sandbox, sent: list[float]) -> None:
    sandbox.reset(times=2)
    throttle = wacht.Throttle(per_second=2, per_minute=100)
    retry = Retry(total=2)
    with sandbox.session(throttle=throttle, retry=retry) as session:
        session.fetch_execution_contexts()
    assert len(sent) == 3
    assert most_in_a_second(sent) <= 2


WAITING = """
import logging, sys
import wacht

logging.basicConfig(format="%(message)s", stream=sys.stdout)
logging.getLogger("wacht").setLevel(logging.INFO)
options = {{"base_url": sys.argv[1], "throttle": None}} | {options}
with wacht.Session("wk_sandbox", **options) as session:
    for _ in session.iter_execution_contexts(per_page=20, prefetch={prefetch}):
        pass
"""


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent in another way")
@pytest.mark.parametrize(
    ("options", "prefetch"),
    [
        ("{}", 0),
        ("{'throttle': wacht.Throttle(per_second=1, per_minute=2)}", 0),
        ("{'throttle': wacht.Throttle(per_second=1, per_minute=2)}", 3),
    ],
)
def test_wait__ends_at_once_on_ctrl_c(
    sandbox: Sandbox, options: str, prefetch: int
) -> None:
    if options == "{}":
        sandbox.answer(429, LIMITED.format(100), times=None)
    script = WAITING.format(options=options, prefetch=prefetch)
    with subprocess.Popen(
        [sys.executable, "-c", script, sandbox.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            seconds = re.match(r"waiting ([\d.]+) s", line)
            if seconds and float(seconds[1]) > 30:
                break
        time.sleep(0.1)  # the line comes before the wait
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert process.returncode == -signal.SIGINT
