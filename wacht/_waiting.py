"""Deadlines and waits: the only place that sleeps."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from math import inf

from attrs import define

from ._threads import Event
from .errors import DeadlineExceededError

logger = logging.getLogger("wacht")

REPORTED_WAIT = 1.0  # seconds; progress callbacks aren't called for shorter waits


class StoppedError(Exception):
    """The walk that needed the result has ended. Never reaches a user."""


class RequestBudget:
    """What one call or walk may spend, and has spent; shared by its threads."""

    def __init__(
        self,
        deadline: float | None = None,  # seconds from now
        on_wait: Callable[[RequestBudget, float, str], object] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.stopped = Event()  # set when nobody needs the result any more
        self._deadline = inf if deadline is None else deadline
        self._expires = clock() + self._deadline
        self._clock = clock
        self._sleep = sleep
        self._on_wait = on_wait
        # Appending needs no lock, which a fork or a signal handler could leave closed.
        self._attempts: list[int] = []
        self._waits: list[float] = []

    @property
    def requests(self) -> int:
        return len(self._attempts)

    @property
    def retries(self) -> int:
        """How many requests repeated a failed one."""
        return sum(attempt > 1 for attempt in self._attempts)

    @property
    def waited(self) -> float:
        return sum(self._waits, 0.0)

    def remaining(self) -> float:
        """Return the seconds until the deadline, or raise as `wait` does."""
        if self.stopped.is_set():
            raise StoppedError
        remaining = self._expires - self._clock()
        if remaining <= 0:
            raise DeadlineExceededError(f"the deadline of {self._deadline:g} s passed")
        return remaining

    def count_request(self, attempt: int) -> None:
        self._attempts.append(attempt)

    def wait(self, seconds: float, reason: str, attempt: str) -> None:
        """Wait before an attempt; raise at once if the deadline comes first."""
        if seconds >= self.remaining():
            raise DeadlineExceededError(
                f"the deadline of {self._deadline:g} s would pass during a "
                f"wait of {seconds:.1f} s: {reason}"
            )
        logger.info("waiting %.2f s before %s: %s", seconds, attempt, reason)
        if self._on_wait is not None and seconds >= REPORTED_WAIT:
            self._on_wait(self, seconds, reason)
        self._pause(seconds)
        self._waits.append(seconds)

    def _pause(self, seconds: float) -> None:
        # Signals reach the main thread alone, and only a sleep ends at once for them
        # on every system. Other threads have to notice that the walk has ended.
        if threading.current_thread() is threading.main_thread():
            self._sleep(seconds)
        elif self.stopped.wait(seconds):
            raise StoppedError


@define
class ThrottleWait:
    """Wait for a throttle's slot, and keep what ended that early."""

    _budget: RequestBudget
    _attempt: str
    error: BaseException | None = None

    def __call__(self, seconds: float) -> None:
        try:
            self._budget.wait(seconds, "rate limit", self._attempt)
        except BaseException as error:
            self.error = error
            raise
