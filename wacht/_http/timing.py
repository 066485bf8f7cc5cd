"""The time that one request and its answer may take."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from attrs import define


class SlowAnswerError(ConnectionError):
    """An answer takes too long as a whole, although each read is in time."""


@define(slots=False, eq=False)
class ResponseTimer:
    """The time limits of one request and its answer, in seconds."""

    connect: float  # as a whole: all addresses, proxy and TLS
    read: float  # each
    whole: float  # for the headers, and as much again for the body
    total: float
    on_sent: Callable[[], object]  # called when the request was sent

    def __attrs_post_init__(self) -> None:
        self._end = time.monotonic() + self.total
        self.start_part(self.connect)

    @property
    def timeout(self) -> tuple[float, float]:
        """What requests takes: for the caller's adapters, which know no timer."""
        return min(self.connect, self.total), min(self.read, self.total)

    def start_part(self, seconds: float | None = None) -> None:
        """Start the time of the next part: connecting, the headers, or the body."""
        now = time.monotonic()
        part = self.whole if seconds is None else seconds
        self._seconds = min(part, self._end - now)
        self._until = now + self._seconds

    def remaining(self) -> float:
        """Return the seconds that are left for the current part, or raise."""
        remaining = self._until - time.monotonic()
        if remaining <= 0:
            raise SlowAnswerError(
                f"it didn't arrive within {round(self._seconds, 1):g} s"
            )
        return remaining


# The timer that the connections of this thread keep to; None outside of a request.
active_timer: ContextVar[Any] = ContextVar("wacht_response_timer")
