"""The time that one request and its answer may take."""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from .failures import SlowAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


class ResponseTimer:
    """
    The time limits of one request and its answer.

    Args:
        connect: Seconds for connecting as a whole: all addresses, proxy and TLS.
        read: Seconds for one read.
        whole: Seconds for the headers, and as much again for the body.
        remaining: Seconds for all of it.
        on_sent: Called when the request was sent.

    """

    def __init__(
        self,
        *,
        connect: float,
        read: float,
        whole: float,
        remaining: float,
        on_sent: Callable[[], object],
    ) -> None:
        self.on_sent = on_sent
        # What requests takes: for the caller's adapters, which know no timer.
        self.timeout = (min(connect, remaining), min(read, remaining))
        self._connect = connect
        self._read = read
        self._whole = whole
        self._end = time.monotonic() + remaining
        self.start_part(connect)

    def start_part(self, seconds: float | None = None) -> None:
        """Start the time of the next part: connecting, the headers, or the body."""
        self._seconds = self._whole if seconds is None else seconds
        self._until = min(time.monotonic() + self._seconds, self._end)

    def start_connecting(self) -> None:
        """Start the time of connecting."""
        self.start_part(self._connect)

    def remaining(self) -> float:
        """
        Return the seconds that are left for the current part.

        Raises:
            SlowAnswerError: None are left.

        """
        remaining = self._until - time.monotonic()
        if remaining <= 0:
            raise SlowAnswerError(f"it didn't arrive within {self._seconds:g} s")
        return remaining

    def next_read(self) -> float:
        """
        Return the seconds that the next read may take.

        Raises:
            SlowAnswerError: None are left.

        """
        return min(self._read, self.remaining())

    @contextmanager
    def active(self) -> Generator[None]:
        """Make this the timer of the connections that this thread uses."""
        token = active_timer.set(self)
        try:
            yield
        finally:
            active_timer.reset(token)


active_timer: ContextVar[ResponseTimer] = ContextVar("wacht_response_timer")
