"""
The one home of waiting, on a clock that only moves when somebody waits.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import pytest

from wacht import DeadlineExceededError
from wacht._waiting import Pacing, StoppedError, Watch


class Clock:
    """Time that passes for those alone who sleep."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def watch_on(clock: Clock, *args: Any) -> Watch:
    return Watch(*args, clock=clock, sleep=clock.sleep)


def test_wait__waits_and_counts(clock: Clock) -> None:
    """A wait takes its seconds, and is added up."""
    watch = watch_on(clock)
    watch.wait(2, "rate limit", "attempt 2 of 6")
    watch.wait(0.5, "rate limit", "attempt 3 of 6")
    assert clock.slept == [2, 0.5]
    assert watch.waited == 2.5


def test_wait__is_logged_before_it(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says why, how long and which attempt, and no wait goes without it."""
    caplog.set_level(logging.DEBUG, "wacht")
    watch = Watch(clock=clock, sleep=lambda _: caplog.records.clear())
    watch.wait(1.234, "the service answered 503", "attempt 2 of 6")
    assert caplog.records == []  # cleared in the wait, so it came before
    watch = watch_on(clock)
    watch.wait(1.234, "the service answered 503", "attempt 2 of 6")
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("wacht", "INFO")
    assert record.getMessage() == (
        "waiting 1.23 s before attempt 2 of 6: the service answered 503"
    )


def test_wait__tells_who_watches(clock: Clock) -> None:
    """Who watches a walk hears of waits from a second on."""
    told: list[tuple[Watch, float, str]] = []
    watch = watch_on(clock, None, lambda *news: told.append(news))
    for seconds in (0.0, 0.999, 1.0, 30.0):
        watch.wait(seconds, "why", "attempt 2")
    assert told == [(watch, 1.0, "why"), (watch, 30.0, "why")]


def test_wait__that_was_told_of(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """What only adds to a wait is waited, and not told of once more."""
    caplog.set_level(logging.INFO, "wacht")
    told: list[float] = []
    watch = watch_on(clock, None, lambda seconds, _: told.append(seconds))
    watch.wait(5, "why", "attempt 2", told=True)
    assert (clock.slept, told, caplog.records) == ([5], [], [])


def test_deadline__counts_down(clock: Clock) -> None:
    """What remains is what has not passed; without a deadline it never ends."""
    watch = watch_on(clock, 10)
    clock.now += 4
    assert watch.remaining() == 6
    assert watch_on(clock).remaining() == float("inf")


@pytest.mark.parametrize("passed", [10, 10.5, 1000])
def test_deadline__passed(clock: Clock, passed: float) -> None:
    """A deadline that has passed is an error that says which."""
    watch = watch_on(clock, 10)
    clock.now += passed
    with pytest.raises(DeadlineExceededError, match="the deadline of 10 s passed"):
        watch.remaining()


def test_deadline__that_a_wait_would_pass(clock: Clock) -> None:
    """A wait that would end after the deadline is not begun."""
    watch = watch_on(clock, 10)
    watch.wait(9, "why", "attempt 2")
    with pytest.raises(
        DeadlineExceededError, match=r"would pass during a wait of 1\.0 s: why"
    ):
        watch.wait(1, "why", "attempt 3")
    assert clock.slept == [9]


def test_requests__are_counted(clock: Clock) -> None:
    """First attempts are requests, and further ones retries as well."""
    watch = watch_on(clock)
    for attempt in (1, 2, 3, 1):
        watch.count_request(attempt)
    assert (watch.requests, watch.retries) == (4, 2)


def test_stopped__in_any_thread(clock: Clock) -> None:
    """Once stopped, nobody waits and nobody goes on."""
    watch = watch_on(clock)
    watch.stopped.set()
    with pytest.raises(StoppedError):
        watch.remaining()
    with pytest.raises(StoppedError):
        watch.wait(1, "why", "attempt 2")
    assert clock.slept == []


def test_stopped__in_the_middle_of_a_wait() -> None:
    """A thread that waits is woken when nobody needs its result any more."""
    ended: list[BaseException] = []
    begun = threading.Event()
    watch = Watch(None, lambda *_: begun.set())

    def wait() -> None:
        try:
            watch.wait(3600, "why", "attempt 2")
        except StoppedError as error:
            ended.append(error)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    assert begun.wait(10)
    watch.stopped.set()
    thread.join(10)
    assert len(ended) == 1


def test_wait__in_a_thread_takes_its_time() -> None:
    """A thread that is not stopped waits to the end."""
    watch = Watch(sleep=pytest.fail)  # for the main thread alone
    thread = threading.Thread(target=watch.wait, args=(0.01, "why", "attempt 2"))
    begun = time.monotonic()
    thread.start()
    thread.join()
    assert time.monotonic() - begun >= 0.01
    assert watch.waited == 0.01


def test_pacing__tells_once(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Small waits that follow the first go untold; a long one is news again."""
    caplog.set_level(logging.INFO, "wacht")
    pacing = Pacing(watch_on(clock), "attempt 1 of 6")
    for seconds in (0.9, 0.05, 0.001, 30.0, 0.2):
        pacing(seconds)
    assert clock.slept == [0.9, 0.05, 0.001, 30.0, 0.2]
    assert [record.getMessage() for record in caplog.records] == [
        "waiting 0.90 s before attempt 1 of 6: rate limit",
        "waiting 30.00 s before attempt 1 of 6: rate limit",
    ]
