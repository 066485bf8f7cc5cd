"""
The one home of waiting: deadlines, the log, and whoever wants to be told.
"""

from __future__ import annotations

import logging
import threading
import time
from math import inf
from typing import TYPE_CHECKING

from .errors import DeadlineExceededError

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("wacht")

WORTH_TELLING = 1.0  # seconds; who watches a walk is not told of shorter waits


class StoppedError(Exception):
    """
    Whoever the work was for has left. Never reaches a user.
    """


class Watch:
    """
    What one call, or one walk, may spend and has spent; shared by its threads.

    Args:
        deadline: Seconds from now that all of it may take; None for no limit.
        on_wait: Called before a wait of a second or more, with this watch, the wait's
            seconds, and its reason.
        clock: A monotonic clock, in seconds.
        sleep: Waits for so many seconds.

    """

    def __init__(
        self,
        deadline: float | None = None,
        on_wait: Callable[[Watch, float, str], None] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self.requests = 0
        self.retries = 0
        self.waited = 0.0
        self.stopped = threading.Event()
        self._sleep = sleep
        self._deadline = deadline
        self._until = inf if deadline is None else clock() + deadline
        self._on_wait = on_wait
        self._lock = threading.Lock()

    def remaining(self) -> float:
        """
        Tell how many seconds are left until the deadline.

        Raises:
            DeadlineExceededError: None are.
            StoppedError: Nobody needs the result any more.

        """
        if self.stopped.is_set():
            raise StoppedError
        remaining = self._until - self._clock()
        if remaining <= 0:
            raise DeadlineExceededError(f"the deadline of {self._deadline:g} s passed")
        return remaining

    def count_request(self, attempt: int) -> None:
        """
        Count a request that is about to be sent.
        """
        with self._lock:
            self.requests += 1
            self.retries += attempt > 1

    def wait(
        self, seconds: float, reason: str, attempt: str, *, told: bool = False
    ) -> None:
        """
        Wait, or say at once that the deadline does not allow it.

        Args:
            seconds: How long.
            reason: Why.
            attempt: What follows, such as "attempt 2 of 6".
            told: Whether this only adds to a wait that was told of.

        Raises:
            DeadlineExceededError: The wait would end after the deadline.
            StoppedError: Nobody needs the result any more.

        """
        if seconds >= self.remaining():
            raise DeadlineExceededError(
                f"the deadline of {self._deadline:g} s would pass during a wait of "
                f"{seconds:.1f} s: {reason}"
            )
        if not told:
            self._tell(seconds, reason, attempt)
        self._pause(seconds)
        with self._lock:
            self.waited += seconds

    def _tell(self, seconds: float, reason: str, attempt: str) -> None:
        logger.info("waiting %.2f s before %s: %s", seconds, attempt, reason)
        if self._on_wait is not None and seconds >= WORTH_TELLING:
            self._on_wait(self, seconds, reason)

    def _pause(self, seconds: float) -> None:
        # Signals reach the main thread alone, and only a sleep ends at once for them
        # on every system; another thread has to hear that it should stop.
        if threading.current_thread() is threading.main_thread():
            self._sleep(seconds)
        elif self.stopped.wait(seconds):
            raise StoppedError


class Pacing:
    """
    Wait for leave to send, and tell of it once, though it may take more than one wait.

    Args:
        watch: Does the waiting.
        attempt: What follows, such as "attempt 1 of 6".

    """

    def __init__(self, watch: Watch, attempt: str) -> None:
        self._watch = watch
        self._attempt = attempt
        self._told = False

    def __call__(self, seconds: float) -> None:
        """
        Wait for so many seconds, as `Watch.wait` does.
        """
        told = self._told and seconds < WORTH_TELLING
        self._told = True
        self._watch.wait(seconds, "rate limit", self._attempt, told=told)
