"""Keep to rate limits before the service enforces them: two sliding windows."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, Self
from weakref import WeakSet

from . import _forks

# Seconds after it was sent at which a request counts as arrived, unless its answer came
# before: delays on the way may differ by this much.
REACH = 0.05
# The error of clocks and timers, as a part of each window.
MARGIN = 0.005

_LONGEST = 60.0  # seconds of the wider window
_TICK = 0.001  # the shortest wait, in which the thread in front can go

Sleep = Callable[[float], None]


class SupportsSlot(Protocol):
    """
    An object that can pace a session.

    Two methods are optional: its `pause(seconds)`, called when a 429 says how long to
    wait, and a slot's `sent()`, called when the request is on the wire.
    """

    def slot(self, sleep: Sleep = ...) -> AbstractContextManager[object]:
        """
        Wait until one request may be sent, and hold a slot while it is under way.

        Args:
            sleep: Called with the seconds of each wait; it may raise to give up.

        Returns:
            A context manager: entering it waits; leaving it means that the answer has
            come, or that none will.

        """
        ...


class Slot:
    """
    Permission to send one request, from entering it to leaving it.

    Not a generator: a signal handler's exception could leave one suspended.

    Attributes:
        at: The latest moment at which the request may have arrived at the service;
            None while that is unknown.
    """

    __slots__ = ("_sleep", "_throttle", "at")

    def __init__(self, throttle: Throttle, sleep: Sleep) -> None:
        self.at: float | None = None
        self._throttle = throttle
        self._sleep = sleep

    def __enter__(self) -> Self:
        try:
            while wait := self._throttle.seconds_to_go(self):
                self._sleep(wait)
        except BaseException:
            self._throttle.leave(self)
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._throttle.leave(self)

    def sent(self) -> None:
        """
        Note that the request is on the wire, however long connecting took.

        Without this call, a request counts as arriving when its answer comes.
        """
        self.at = self._throttle.clock() + REACH


class Throttle:
    """
    Limit requests to two rates, first come, first served.

    It is exact for both windows as the service sees requests arrive: never more than
    `per_second` in any second, nor more than `per_minute` in any minute, with any
    number of threads and however long connections take to open. That assumes that the
    delays of requests on their way differ by at most 50 ms. Sessions with the same key
    and base URL in one process share a throttle by default.

    The defaults are the service's documented limits for reads: 100 requests a minute,
    at most 20 in any second.

    Args:
        per_second: Requests in any second.
        per_minute: Requests in any minute.
        clock: A monotonic clock, in seconds.

    Raises:
        ValueError: A limit is not a positive integer.

    """

    def __init__(
        self,
        *,
        per_second: int = 20,
        per_minute: int = 100,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        limits = {"per_second": per_second, "per_minute": per_minute}
        for name, limit in limits.items():
            if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
                raise ValueError(f"{name}: expected a positive integer, got {limit!r}")
        self._limits = ((per_second, 1.0), (per_minute, _LONGEST))
        self.clock = clock
        self._lock = threading.Lock()
        self._line: deque[Slot] = deque()
        self._taken: list[Slot] = []
        self._closed_until = 0.0
        _forks.register(self)

    def __repr__(self) -> str:
        (per_second, _), (per_minute, _) = self._limits
        return f"Throttle(per_second={per_second}, per_minute={per_minute})"

    @property
    def idle(self) -> bool:
        """Whether a request could be sent now, and nothing is remembered."""
        with self._lock:
            now = self.clock()
            self._forget_old(now)
            return not (self._taken or self._line or self._closed_until > now)

    def pause(self, seconds: float) -> None:
        """Send nothing for a number of seconds, because the service asked for it."""
        with self._lock:
            self._closed_until = max(self._closed_until, self.clock() + seconds)

    def slot(self, sleep: Sleep = time.sleep) -> Slot:
        """
        Wait until one request may be sent, and hold a slot while it is under way.

        Args:
            sleep: Called with the seconds of each wait; it may raise to give up.

        Returns:
            The slot, to use in a `with` block. Call its `sent()` when the request is
            on the wire.

        """
        return Slot(self, sleep)

    def seconds_to_go(self, slot: Slot) -> float:
        """Return how long a slot has to wait at least; 0 if it is its turn."""
        with self._lock:
            if slot not in self._line:  # at once, or a burst would meet in the line
                self._line.append(slot)
            now = self.clock()
            place = self._line.index(slot)
            wait = self._opening(place, now) - now
            if place or wait > 0:
                return max(wait, _TICK)
            self._taken.append(self._line.popleft())
            return 0.0

    def leave(self, slot: Slot) -> None:
        """Note that the answer to a slot's request has come, or that none will."""
        now = self.clock()
        slot.at = now if slot.at is None else min(slot.at, now)
        with self._lock:
            if slot in self._line:
                self._line.remove(slot)

    def _opening(self, place: int, now: float) -> float:
        """Return the earliest moment at which this place in the line may go."""
        self._forget_old(now)
        arrivals = sorted(now if slot.at is None else slot.at for slot in self._taken)
        opening = self._closed_until
        for limit, window in self._limits:
            rounds, rest = divmod(place, limit)
            width = window * (1 + MARGIN)
            if len(arrivals) >= limit - rest:
                opening = max(opening, arrivals[rest - limit] + width * (1 + rounds))
        return opening

    def _forget_old(self, now: float) -> None:
        start = now - _LONGEST * (1 + MARGIN)
        self._taken = [s for s in self._taken if s.at is None or s.at > start]

    def reset_after_fork(self) -> None:
        """Drop the threads that were waiting: a child doesn't have them."""
        self._lock = threading.Lock()
        self._line.clear()
        self._taken = [slot for slot in self._taken if slot.at is not None]


class Unlimited:
    """A throttle that never makes a request wait."""

    def slot(self, sleep: Sleep = time.sleep) -> AbstractContextManager[object]:
        """Let a request go at once."""
        del sleep
        return nullcontext()


class _Registry:
    """The throttles that sessions of this process share."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[Throttle, WeakSet[object]]] = {}
        self.reset_after_fork()
        _forks.register(self)

    def reset_after_fork(self) -> None:
        self._lock = threading.Lock()

    def get(self, identity: Hashable, user: object) -> Throttle:
        """
        Return the throttle that all users of one identity in this process share.

        Args:
            identity: What the limits count by. It is kept: no secret in it.
            user: What will use the throttle; referred to weakly.

        """
        with self._lock:
            self._drop_unused()
            throttle, users = self._known.setdefault(identity, (Throttle(), WeakSet()))
            users.add(user)
            return throttle

    def _drop_unused(self) -> None:
        """Keep throttles with users, and those that make a next user wait."""
        self._known = {
            identity: (throttle, users)
            for identity, (throttle, users) in self._known.items()
            if users or not throttle.idle
        }


shared_throttle: Callable[[Hashable, object], Throttle] = _Registry().get
