"""Deadlines and waits on a fake clock; events that wake all, and calls in threads."""

from __future__ import annotations

import gc
import logging
import threading
import weakref
from contextvars import ContextVar
from typing import Any

import pytest

from tests.clock import Clock
from tests.waits import PATIENCE
from wacht import DeadlineExceededError
from wacht._threads import Event, Task
from wacht._waiting import RequestBudget, StoppedError


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


def test_event__wakes_all_threads() -> None:
    event = Event()
    assert not event.wait(0.001)
    assert not event.is_set()
    tasks = [Task("wait", event.wait) for _ in range(3)]
    event.set()
    assert [task._done.wait(PATIENCE) and task._value for task in tasks] == [True] * 3
    assert event.is_set()


def test_task__gives_the_result_or_the_error() -> None:
    task = Task("name", lambda: 7)
    assert task.result() == 7
    assert task.done()
    assert task.exception() is None
    error = KeyError("no")

    def fail() -> None:
        raise error

    with pytest.raises(KeyError) as caught:
        Task("name", fail).result()
    assert caught.value is error


def test_task__runs_in_a_daemon_thread_with_the_context_of_the_caller() -> None:
    variable: ContextVar[int] = ContextVar("variable")
    token = variable.set(7)

    def call() -> tuple[int, str, bool]:
        thread = threading.current_thread()
        return variable.get(), thread.name, thread.daemon

    task = Task("name", call)
    variable.reset(token)
    assert task.result() == (7, "name", True)


def test_task__makes_no_thread_object_in_this_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python code frees it, in which a signal handler's exception gets lost."""
    makers: list[int] = []

    class Thread(threading.Thread):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            makers.append(threading.get_ident())
            super().__init__(*args, **kwargs)

    monkeypatch.setattr("threading.Thread", Thread)
    Task("name", lambda: None).result()
    assert len(makers) == 1
    assert threading.get_ident() not in makers


def test_task__without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="can't start"):
        Task("name", pytest.fail)


def test_task__whose_thread_never_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wacht._threads.start_new_thread", lambda *_: None)
    monkeypatch.setattr("wacht._threads.START_SECONDS", 0.01)
    with pytest.raises(RuntimeError, match="doesn't start"):
        Task("name", pytest.fail)


def test_task__leaves_no_reference_cycle() -> None:
    class Holder:
        def call(self) -> None:
            raise KeyError

    holder = Holder()
    reference = weakref.ref(holder)
    gc.disable()
    try:
        with pytest.raises(KeyError):
            Task("name", holder.call).result()
        del holder
        assert reference() is None
    finally:
        gc.enable()
