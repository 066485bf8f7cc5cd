"""
Rate limits kept before they are met: two sliding windows, a lock and a clock.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Hashable
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol
from weakref import WeakSet

# A request reaches the service some time after it is let go. It is counted as late
# as its answer, but no later than this many seconds: so far may requests be delayed
# on their way, some more than others, without the service seeing them too close.
REACH = 0.05
# What clocks and timers get wrong, as a part of each window.
MARGIN = 0.005

_HANDOVER = 0.001  # seconds in which whoever stands in front wakes up and goes

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


class _Slot:
    __slots__ = ("at",)

    def __init__(self) -> None:
        self.at = float("inf")


class Throttle:
    """
    Let requests go no faster than two limits allow, first come first served.

    Exact for both windows as the service sees requests arrive: never more than
    `per_second` in any second nor more than `per_minute` in any minute, whatever the
    number of threads, as long as requests are delayed on their way by at most 50 ms
    more or less than each other. Use one throttle for all that shares a key; sessions
    with the same key and base URL in one process do so by themselves.

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
        for limit in (per_second, per_minute):
            if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
                raise ValueError(f"expected a positive integer as limit, got {limit!r}")
        self._limits = ((per_second, 1.0), (per_minute, 60.0))
        self._clock = clock
        self._lock = threading.Lock()
        self._line: deque[_Slot] = deque()
        self._taken: deque[_Slot] = deque(maxlen=max(per_second, per_minute))
        self._closed_until = 0.0

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
            recent = any(slot.at > now - 60 * (1 + MARGIN) for slot in self._taken)
            return not (recent or self._line or self._closed_until > now)

    def pause(self, seconds: float) -> None:
        """
        Let nobody go for so many seconds, since the service asked for it.
        """
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock() + seconds)

    @contextmanager
    def slot(self, sleep: Sleep = time.sleep) -> Generator[None]:
        """
        Wait for leave to send one request, and hold it while the request is under way.

        Args:
            sleep: Called with seconds, for each wait; it may raise to give up.

        """
        slot = _Slot()
        with self._lock:
            self._line.append(slot)
        try:
            while seconds := self._seconds_to_go(slot):
                sleep(seconds)
        except BaseException:
            with self._lock:
                self._line.remove(slot)
            raise
        try:
            yield
        finally:
            with self._lock:
                slot.at = min(slot.at, self._clock())

    def _seconds_to_go(self, slot: _Slot) -> float:
        with self._lock:
            now = self._clock()
            place = self._line.index(slot)
            wait = self._opening(place) - now
            if place:
                return max(wait, _HANDOVER)
            if wait > 0:
                return wait
            slot.at = now + REACH
            self._taken.append(self._line.popleft())
            return 0.0

    def _opening(self, place: int) -> float:
        """
        Tell when whoever stands at this place in the line may go, at the earliest.
        """
        arrivals = sorted(slot.at for slot in self._taken)
        opening = self._closed_until
        for limit, window in self._limits:
            rounds, rest = divmod(place, limit)
            width = window * (1 + MARGIN)
            if len(arrivals) >= limit - rest:
                opening = max(opening, arrivals[rest - limit] + width * (1 + rounds))
        return opening


class _Shared:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Hashable, tuple[Throttle, WeakSet[object]]] = {}

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


def shared_throttle(identity: Hashable, user: object) -> Throttle:
    """
    Give the throttle that all users of one identity in this process share.

    Args:
        identity: What the limits count by. It is kept: no secret in it.
        user: Whoever will use the throttle; referred to weakly.

    """
    return _shared.get(identity, user)
