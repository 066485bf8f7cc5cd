"""Deadlines and waits, on a clock that only moves when something waits."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from tests.waits import PATIENCE
from wacht import DeadlineExceededError
from wacht._threads import Event, Task
from wacht._waiting import RequestBudget, StoppedError, ThrottleWait

if TYPE_CHECKING:
    from tests.clock import Clock


def budget_on(clock: Clock, seconds: float | None = None, *args: Any) -> RequestBudget:
    return RequestBudget(seconds, *args, clock=clock, sleep=clock.sleep)


def test_wait__is_logged_before_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "wacht")
    said: list[str] = []
    budget = RequestBudget(sleep=lambda _: said.extend(caplog.messages))
    budget.wait(1.234, "the service answered 503", "attempt 2 of 6")
    assert said == ["waiting 1.23 s before attempt 2 of 6: the service answered 503"]
    assert caplog.record_tuples == [("wacht", logging.INFO, *said)]


def test_wait__is_reported_from_a_second_on(clock: Clock) -> None:
    reports: list[tuple[object, float, str]] = []
    budget = budget_on(clock, None, lambda *news: reports.append(news))
    for seconds in (0.0, 0.999, 1.0, 30.0):
        budget.wait(seconds, "why", "attempt 2")
    assert reports == [(budget, 1.0, "why"), (budget, 30.0, "why")]


def test_deadline__passed(clock: Clock) -> None:
    budget = budget_on(clock, 10)
    clock.now = 4
    assert budget.remaining() == 6
    clock.now = 10
    with pytest.raises(DeadlineExceededError, match="the deadline of 10 s passed"):
        budget.remaining()


def test_deadline__that_a_wait_would_pass(clock: Clock) -> None:
    budget = budget_on(clock, 10)
    budget.wait(9, "why", "attempt 2")
    with pytest.raises(
        DeadlineExceededError, match=r"would pass during a wait of 1\.0 s: why"
    ):
        budget.wait(1, "why", "attempt 3")
    assert clock.slept == [9]


def test_stopped__in_any_thread(clock: Clock) -> None:
    budget = budget_on(clock)
    budget.stopped.set()
    with pytest.raises(StoppedError):
        budget.remaining()
    with pytest.raises(StoppedError):
        budget.wait(1, "why", "attempt 2")
    assert clock.slept == []


def test_stopped__in_the_middle_of_a_wait() -> None:
    begun = Event()
    budget = RequestBudget(None, lambda *_: begun.set())
    task = Task("wait", lambda: budget.wait(3600, "why", "attempt 2"))
    assert begun.wait(PATIENCE)
    budget.stopped.set()
    assert task._done.wait(PATIENCE)
    assert type(task.exception()) is StoppedError


def test_throttle_wait__is_logged(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "wacht")
    budget = budget_on(clock)
    waiting = ThrottleWait(budget, "attempt 1 of 6")
    for seconds in (0.9, 1.0):
        waiting(seconds)
    assert clock.slept == [0.9, 1.0]
    assert budget.waited == sum(clock.slept)
    assert caplog.messages == [
        "waiting 0.90 s before attempt 1 of 6: rate limit",
        "waiting 1.00 s before attempt 1 of 6: rate limit",
    ]
