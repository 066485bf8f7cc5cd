"""Keep to rate limits before the service enforces them: two sliding windows."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager  # noqa: TC003 - for `get_type_hints`
from math import inf
from threading import Lock
from typing import Protocol, Self
from weakref import WeakSet, ref

from attrs import Factory, define, field

from ._threads import PerProcess
from ._validators import integer
from .errors import ConfigError

# Seconds after it was sent at which a request counts as arrived, unless its answer came
# before: delays on the way may differ by this much.
REACH = 0.05
# The error of clocks and timers, as a part of each window.
MARGIN = 0.005

_LIMIT = integer(ConfigError, 1)
_LONGEST = 60.0  # seconds of the wider window
_TICK = 0.001  # the shortest wait: adding a shorter one might not change a float

Sleep = Callable[[float], None]


class SupportsSlot(Protocol):
    """
    An object that can pace a session.

    Two methods are optional: its `pause(seconds)`, called when a 429 says how long to
    wait, and a slot's `sent()`, called when the request is on the wire.
    """

    def slot(self, sleep: Sleep = ...) -> AbstractContextManager[object]:
        """
        Return a context manager; entering it waits until one request may be sent.

        Leaving it means that the answer has come, or that none will. `sleep` is called
        with the seconds of each wait; it may raise to give up.
        """
        ...


class _Ticket:
    """A slot's place in the line, and then the arrival of its request."""

    def __init__(self, slot: Slot) -> None:
        # The latest moment at which the request may have arrived at the service; None
        # while that is unknown, and minus infinity if it won't be sent.
        self.at: float | None = None
        self._slot = ref(slot)
        self._process = os.getpid()

    @property
    def abandoned(self) -> bool:
        """Whether a signal handler's exception or a fork keeps it from being left."""
        return self._slot() is None or self._process != os.getpid()


@define(eq=False, repr=False)
class Slot:
    """Permission to send one request, from entering it to leaving it."""

    # Not a generator: a signal handler's exception could leave one suspended.

    _seconds_to_go: Callable[[_Ticket], float]
    _clock: Callable[[], float]
    _sleep: Sleep
    _ticket: _Ticket = field(init=False, default=Factory(_Ticket, takes_self=True))

    def __enter__(self) -> Self:
        if self._ticket.at is not None:  # it is used again
            self._ticket = _Ticket(self)
        try:
            while wait := self._seconds_to_go(self._ticket):
                self._sleep(wait)
        except BaseException:
            # No call, at the start of which a second signal's handler may raise.
            self._ticket.at = -inf
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        now = self._clock()
        self._ticket.at = now if self._ticket.at is None else min(self._ticket.at, now)

    def sent(self) -> None:
        """Note that the request is on the wire; else it arrives with its answer."""
        self._ticket.at = self._clock() + REACH


@define(kw_only=True, eq=False, slots=False)
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
        ConfigError: A limit is not a positive integer.

    """

    per_second: int = field(default=20, validator=_LIMIT)
    per_minute: int = field(default=100, validator=_LIMIT)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)

    def __attrs_post_init__(self) -> None:
        self._lock = PerProcess(Lock)
        self._line: list[_Ticket] = []
        self._taken: list[_Ticket] = []
        self._closed_until = 0.0

    @property
    def idle(self) -> bool:
        """Whether a request could be sent now, and nothing is remembered."""
        with self._lock.get():
            now = self.clock()
            self._prune(now)
            return not (self._taken or self._line or self._closed_until > now)

    def pause(self, seconds: float) -> None:
        """Send nothing for a number of seconds, because the service asked for it."""
        with self._lock.get():
            self._closed_until = max(self._closed_until, self.clock() + seconds)

    def slot(self, sleep: Sleep = time.sleep) -> Slot:
        """Return a slot for a `with` block, as `SupportsSlot` describes it."""
        return Slot(self._seconds_to_go, self.clock, sleep)

    def _seconds_to_go(self, ticket: _Ticket) -> float:
        """Return how long a slot has to wait at least; 0 if it may go."""
        with self._lock.get():
            now = self.clock()
            self._prune(now)
            if ticket not in self._line:  # at once, or a burst would meet in the line
                self._line.append(ticket)
            place = self._line.index(ticket)
            wait = self._earliest_start(place, now) - now
            if wait > 0:
                return max(wait, _TICK)
            self._line.remove(ticket)
            self._taken.append(ticket)
            return 0.0

    def _earliest_start(self, place: int, now: float) -> float:
        """Return the earliest moment at which this place in the line may go."""
        arrivals = sorted(now if t.at is None else t.at for t in self._taken)
        start = self._closed_until
        for limit, window in ((self.per_second, 1.0), (self.per_minute, _LONGEST)):
            rounds, rest = divmod(place, limit)
            width = window * (1 + MARGIN)
            if len(arrivals) >= limit - rest:
                start = max(start, arrivals[rest - limit] + width * (1 + rounds))
        return start

    def _prune(self, now: float) -> None:
        """Forget what no window holds, and what was abandoned."""
        self._line = [t for t in self._line if t.at is None and not t.abandoned]
        for ticket in self._taken:
            if ticket.at is None and ticket.abandoned:
                ticket.at = now
        start = now - _LONGEST * (1 + MARGIN)
        self._taken = [t for t in self._taken if t.at is None or t.at > start]


_shared: dict[str, tuple[Throttle, WeakSet[object]]] = {}
_shared_lock = PerProcess(Lock)


def shared_throttle(service: str, user: object) -> Throttle:
    """Return the throttle of a service, kept while it has users or isn't idle."""
    with _shared_lock.get():
        for other, (throttle, users) in [*_shared.items()]:
            if not users and throttle.idle:
                del _shared[other]
        throttle, users = _shared.setdefault(service, (Throttle(), WeakSet()))
        users.add(user)
        return throttle
