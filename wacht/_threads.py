"""What holds when a signal handler raises at any moment, or the process forks."""

from __future__ import annotations

import os
import threading
from _thread import start_new_thread
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")

START_SECONDS = 2.0  # to wait for a thread, which starts within a millisecond


class Event:
    """An event; a signal handler's exception would break that of `threading`."""

    def __init__(self) -> None:
        self._set = False
        self._gate = threading.Lock()
        self._gate.acquire()

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        with suppress(RuntimeError):  # it is open already
            self._gate.release()

    def wait(self, seconds: float = -1) -> bool:
        """Wait some seconds, or without end; return whether `set` was called."""
        if self._gate.acquire(timeout=seconds):
            self.set()  # let the next thread through
        return self._set


class Task(Generic[T]):
    """A call in a daemon thread; a `RuntimeError` if the system has no more threads."""

    def __init__(self, name: str, call: Callable[[], T]) -> None:
        self._done = Event()
        self._error: BaseException | None = None
        run, arguments = copy_context().run, (self._run, call)
        _start(partial(threading.Thread, None, run, name, arguments, daemon=True))

    def _run(self, call: Callable[[], T]) -> None:
        done = self._done
        try:
            self._value = call()
        except BaseException as error:  # noqa: BLE001 - raised by result()
            self._error = error
            del self  # the error holds this frame, which must not hold the error
        done.set()

    def done(self) -> bool:
        return self._done.is_set()

    def exception(self) -> BaseException | None:
        """Wait for the end, and return what the call raised."""
        self._done.wait()
        return self._error

    def result(self) -> T:
        """Wait for the end, and return the call's result or raise its error."""
        self._done.wait()
        if self._error is None:
            return self._value
        try:
            raise self._error
        finally:
            del self  # as above


def _start(make: Callable[[], threading.Thread]) -> None:
    """
    Make and start a thread in another thread.

    A signal handler's exception would break the event that `Thread.start` waits for,
    and would get lost in Python's code that frees a `Thread`. It comes only in the main
    thread.
    """
    started, errors = Event(), list[RuntimeError]()

    def start() -> None:  # pragma: no cover - coverage follows only `Thread.start`
        try:
            make().start()
        except RuntimeError as error:
            errors.append(error)
        started.set()

    start_new_thread(start, ())
    # Without memory, a thread ends before its first line, without a sign of it.
    if not started.wait(START_SECONDS):
        raise RuntimeError("a new thread doesn't start")
    if errors:
        raise errors[0]


class PerProcess(Generic[T]):
    """A value of this process, such as a lock; the child of a fork makes its own."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._values = {os.getpid(): make()}

    def get(self) -> T:
        """Return the value; the same for all threads, even if they come at once."""
        process = os.getpid()
        if process not in self._values:
            self._values.setdefault(process, self._make())
        return self._values[process]
