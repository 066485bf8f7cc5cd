"""Waits that the service asks for, and the throttle, in real time."""

from __future__ import annotations

import functools
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from urllib3 import Retry
from urllib3.util import connection as connecting

import wacht
from wacht.sandbox import Sandbox
from wacht.throttle import Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIMITED = "Rate limit exceeded. Retry after {} seconds"
ONE_RETRY = Retry(total=1, status_forcelist=[429, 500, 503])


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


def http_date(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


ASKED: dict[str, tuple[int, Callable[[], str], str, float]] = {
    "seconds": (429, lambda: "1", "", 1),
    "decimals": (503, lambda: "0.5", "", 0.5),
    "date": (503, lambda: http_date(3), "", 0.8),  # a date has whole seconds
    "words": (429, str, LIMITED.format("1"), 1),
    "header longer than words": (429, lambda: "0.5", LIMITED.format("0.1"), 0.5),
    "words longer than header": (429, lambda: "0.1", LIMITED.format("1"), 1),
}


NOT_ASKED = ["soon", "-5", "0"]


def gap_after(answer: tuple[int, str, str]) -> float:
    status, header, body = answer
    with Sandbox() as sandbox:
        sandbox.answer(status, body, headers={"Retry-After": header})
        with sandbox.session(retry=ONE_RETRY) as session:
            session.fetch_execution_contexts()
        first, second = (request.at for request in sandbox.requests)
        return second - first


@functools.cache
def gaps() -> dict[str, float]:
    """Wait after all kinds of answers at the same time."""
    answers = {
        name: (s, header(), body) for name, (s, header, body, _) in ASKED.items()
    }
    answers |= {header: (500, header, "") for header in NOT_ASKED}
    with ThreadPoolExecutor(len(answers)) as pool:
        return dict(zip(answers, pool.map(gap_after, answers.values()), strict=True))


@pytest.mark.parametrize("name", ASKED)
def test_asked_wait__is_honoured_in_full(name: str) -> None:
    *_, least = ASKED[name]
    assert gaps()[name] >= least


@pytest.mark.parametrize("header", NOT_ASKED)
def test_no_asked_wait__backs_off(header: str) -> None:
    assert 0.25 <= gaps()[header] < 5


TOO_LONG: dict[str, tuple[int, Callable[[], str], str, float]] = {
    "seconds": (429, lambda: "121", "", 121),
    "hours": (503, lambda: "86400", "", 86400),
    "date": (503, lambda: http_date(3600), "", 3600),
    "words": (429, str, LIMITED.format(999), 999),
}


@pytest.mark.parametrize(
    ("status", "header", "body", "asked"), TOO_LONG.values(), ids=TOO_LONG
)
def test_asked_wait__beyond_the_cap(
    sandbox: Sandbox, status: int, header: Callable[[], str], body: str, asked: float
) -> None:
    sandbox.answer(status, body, headers={"Retry-After": header()}, times=None)
    with sandbox.session() as session, pytest.raises(wacht.ApiError) as caught:
        session.fetch_execution_contexts()
    assert caught.value.retry_after == pytest.approx(asked, abs=2)
    assert "the service asks to wait" in str(caught.value)
    assert len(sandbox.requests) == 1


def test_asked_wait__beyond_a_cap_of_the_callers(sandbox: Sandbox) -> None:
    sandbox.answer(429, LIMITED.format(2), times=None)
    retry = Retry(total=3, retry_after_max=1, status_forcelist=[429])
    with (
        sandbox.session(retry=retry) as session,
        pytest.raises(wacht.RateLimitError) as caught,
    ):
        session.fetch_execution_contexts()
    assert (caught.value.retry_after, len(sandbox.requests)) == (2, 1)


def test_wait__is_logged_in_one_line(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "wacht")
    sandbox.answer(429, LIMITED.format("0.2"))
    sandbox.answer(502)
    sandbox.hang_up()
    retry = Retry(total=5, status_forcelist=[502])
    with sandbox.session(retry=retry) as session:
        session.fetch_execution_contexts()
    lines = [record.getMessage() for record in caplog.records]
    patterns = [
        r"waiting 0\.\d\d s before attempt 2 of 6: rate limit \(429\)",
        r"waiting \d\.\d\d s before attempt 3 of 6: the service answered 502",
        r"waiting \d\.\d\d s before attempt 4 of 6: the connection broke: .+",
    ]
    assert len(lines) == len(patterns)
    for pattern, line in zip(patterns, lines, strict=True):
        assert re.fullmatch(pattern, line)


def test_throttle__wait_is_logged_in_one_line(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Once for each request."""
    caplog.set_level(logging.INFO, "wacht")
    throttle = wacht.Throttle(per_second=5, per_minute=100)
    with sandbox.session(throttle=throttle) as session:
        session.fetch_execution_contexts()
        with ThreadPoolExecutor(9) as pool:
            for _ in range(9):
                pool.submit(session.fetch_execution_contexts)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 5
    for line in lines:
        assert re.fullmatch(
            r"waiting [01]\.\d\d s before attempt 1 of 6: rate limit", line
        )


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


def test_429__beyond_the_cap_makes_nobody_wait(sandbox: Sandbox) -> None:
    sandbox.answer(429, LIMITED.format(999))
    throttle = wacht.Throttle()
    with sandbox.session(throttle=throttle) as session:
        with pytest.raises(wacht.RateLimitError):
            session.fetch_execution_contexts()
        assert len(session.fetch_execution_contexts()) == 20
    first, second = (request.at for request in sandbox.requests)
    assert second - first < 60


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
    assert most_in_a_second(sent) == 20


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
    with (
        sandbox.session(throttle=throttle, pagination="page") as session,
        ThreadPoolExecutor(5) as pool,
    ):
        for _ in range(10):
            pool.submit(session.fetch_execution_contexts)
    assert len(sent) == 10
    assert most_in_a_second(sent) == 5


def test_throttle__slow_answers_do_not_slow_it_down(
    sandbox: Sandbox, sent: list[float]
) -> None:
    sandbox.delay(1.9)
    throttle = wacht.Throttle(per_second=5, per_minute=1000)
    with (
        sandbox.session(throttle=throttle, pagination="page") as session,
        ThreadPoolExecutor(10) as pool,
    ):
        asked = [pool.submit(session.fetch_execution_contexts) for _ in range(10)]
        next(as_completed(asked))
        assert len(sent) == 10
    assert most_in_a_second(sent) == 5


def test_throttle__counts_every_attempt(sandbox: Sandbox, sent: list[float]) -> None:
    sandbox.reset(times=2)
    throttle = wacht.Throttle(per_second=2, per_minute=100)
    retry = Retry(total=2)
    with sandbox.session(throttle=throttle, retry=retry) as session:
        session.fetch_execution_contexts()
    assert len(sent) == 3
    assert most_in_a_second(sent) == 2


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
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        assert time.monotonic() - start < 2
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert process.returncode == -signal.SIGINT
