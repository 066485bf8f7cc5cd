"""
Rate limits kept before they are met: two sliding windows, a lock and a clock.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Hashable
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol
from weakref import WeakSet

# A request counts as arrived with its answer, but no later than so many seconds after
# it was sent: so far may requests be delayed on their way, some more than others,
# without the service seeing them too close.
REACH = 0.05
# What clocks and timers get wrong, as a part of each window.
MARGIN = 0.005

_LONGEST = 60.0  # seconds of the wider window
_TICK = 0.001  # the shortest wait; in it, whoever stands in front wakes up and goes

Sleep = Callable[[float], None]


class SupportsSlot(Protocol):
    """
    Whatever can pace a session: one method.
    """

    def slot(self, sleep: Sleep = ...) -> AbstractContextManager[object]:
        """
        Wait for leave to send one request, and hold it while the request is under way.

        Args:
            sleep: Called with seconds, for each wait; it may raise to give up.

        Returns:
            A context manager: entering it waits, leaving it says that the answer
            has come, or that none will.

        """
        ...


class Slot:
    """
    Leave to send one request: what entering `Throttle.slot` gives.

    Attributes:
        at: The latest moment at which the request may have arrived at the service;
            None as long as nobody knows.
    """

    __slots__ = ("_clock", "at")

    def __init__(self, clock: Callable[[], float]) -> None:
        self.at: float | None = None
        self._clock = clock

    def sent(self) -> None:
        """
        Say that the request is on the wire, however long its connection took to open.

        Whoever does not know when that is says nothing: then a request counts as
        arriving when its answer comes.
        """
        self.at = self._clock() + REACH

    def answered(self) -> None:
        """
        Say that the answer has come, or that none will.
        """
        now = self._clock()
        self.at = now if self.at is None else min(self.at, now)


class Throttle:
    """
    Let requests go no faster than two limits allow, first come first served.

    Exact for both windows as the service sees requests arrive: never more than
    `per_second` in any second nor more than `per_minute` in any minute, whatever the
    number of threads and the time that connections take to open, as long as requests
    once sent are delayed on their way by at most 50 ms more or less than each other.
    Use one throttle for all that shares a key; sessions with the same key and base URL
    in one process do so by themselves.

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
        self._clock = clock
        self._lock = threading.Lock()
        self._line: deque[Slot] = deque()
        self._taken: list[Slot] = []
        self._closed_until = 0.0
        _throttles.add(self)

    def __repr__(self) -> str:
        (per_second, _), (per_minute, _) = self._limits
        return f"Throttle(per_second={per_second}, per_minute={per_minute})"

    @property
    def idle(self) -> bool:
        """
        Whether nothing is remembered that would make a request wait.
        """
        with self._lock:
            now = self._clock()
            self._forget_old(now)
            return not (self._taken or self._line or self._closed_until > now)

    def pause(self, seconds: float) -> None:
        """
        Let nobody go for so many seconds, since the service asked for it.
        """
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock() + seconds)

    @contextmanager
    def slot(self, sleep: Sleep = time.sleep) -> Generator[Slot]:
        """
        Wait for leave to send one request, and hold it while the request is under way.

        Args:
            sleep: Called with seconds, for each wait; it may raise to give up.

        Yields:
            The slot, to be told when the request is sent.

        """
        slot = Slot(self._clock)
        try:
            while wait := self._seconds_to_go(slot):
                sleep(wait)
            yield slot
        finally:
            self._leave(slot)

    def _seconds_to_go(self, slot: Slot) -> float:
        with self._lock:
            if slot not in self._line:  # at once, or a burst would meet in the line
                self._line.append(slot)
            now = self._clock()
            place = self._line.index(slot)
            wait = self._opening(place, now) - now
            if place or wait > 0:
                return max(wait, _TICK)
            self._taken.append(self._line.popleft())
            return 0.0

    def _leave(self, slot: Slot) -> None:
        with self._lock:
            if slot in self._line:
                self._line.remove(slot)
        slot.answered()

    def _opening(self, place: int, now: float) -> float:
        """
        Tell when whoever stands at this place in the line may go, at the earliest.
        """
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

    def forget_threads(self) -> None:
        """
        Forget, in the child of a fork, those who stand in line: they are not there.
        """
        self._lock = threading.Lock()
        self._line.clear()
        self._taken = [slot for slot in self._taken if slot.at is not None]


class _Shared:
    def __init__(self) -> None:
        self.forget_threads()
        self._known: dict[Hashable, tuple[Throttle, WeakSet[object]]] = {}

    def forget_threads(self) -> None:
        self._lock = threading.Lock()

    def get(self, identity: Hashable, user: object) -> Throttle:
        with self._lock:
            self._forget_unused()
            throttle, users = self._known.setdefault(identity, (Throttle(), WeakSet()))
            users.add(user)
            return throttle

    def _forget_unused(self) -> None:
        """
        Keep what has users, and what a next user would have to wait for.
        """
        self._known = {
            identity: (throttle, users)
            for identity, (throttle, users) in self._known.items()
            if users or not throttle.idle
        }


_shared = _Shared()
_throttles: WeakSet[Throttle] = WeakSet()


def _forget_threads() -> None:
    _shared.forget_threads()
    for throttle in list(_throttles):
        throttle.forget_threads()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no forks
    os.register_at_fork(after_in_child=_forget_threads)


def shared_throttle(identity: Hashable, user: object) -> Throttle:
    """
    Give the throttle that all users of one identity in this process share.

    Args:
        identity: What the limits count by. It is kept: no secret in it.
        user: Whoever will use the throttle; referred to weakly.

    """
    return _shared.get(identity, user)
