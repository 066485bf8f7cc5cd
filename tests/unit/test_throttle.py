"""Two windows on a fake clock: never one request too many, and little time lost."""

from __future__ import annotations

import gc
import heapq
import random
import sys
import threading
import weakref
from bisect import bisect_left
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, strategies as st

from tests.clock import Clock
from wacht import ConfigError, Throttle
from wacht._protocol.credentials import ApiKey
from wacht.throttle import MARGIN, REACH, shared_throttle

SECOND, MINUTE = 1.0, 60.0


class Crowd:
    """Many threads on one clock, which moves when all of them sleep."""

    def __init__(self) -> None:
        self.now = 0.0
        self._lock = threading.Lock()
        self._awake = 0
        self._sleepers: list[tuple[float, int, threading.Event]] = []
        self._number = 0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        alarm = threading.Event()
        with self._lock:
            self._number += 1
            until = self.now + seconds
            heapq.heappush(self._sleepers, (until, self._number, alarm))
            self._leave()
        assert alarm.wait(60), "the clock stands still"

    def run(self, *bodies: Callable[[], None]) -> None:
        """Run them in threads, all at once."""

        def run(body: Callable[[], None]) -> None:
            try:
                body()
            finally:
                with self._lock:
                    self._leave()

        self._awake = len(bodies)
        with ThreadPoolExecutor(len(bodies)) as pool:
            for done in [pool.submit(run, body) for body in bodies]:
                done.result()

    def _leave(self) -> None:
        self._awake -= 1
        if self._awake == 0 and self._sleepers:
            self.now, _, alarm = heapq.heappop(self._sleepers)
            assert self.now < 10_000, "this doesn't end"
            self._awake = 1
            alarm.set()


@pytest.fixture
def one(clock: Clock) -> Throttle:
    return Throttle(per_second=1, clock=clock)


def most_within(seconds: float, times: list[float]) -> int:
    """Count the most times in any window of some seconds."""
    times = sorted(times)
    ends = (bisect_left(times, time + seconds) for time in times)
    return max(end - start for start, end in enumerate(ends))


def ideal(requests: int, limits: dict[float, int]) -> float:
    """Return how long a number of requests takes at least."""
    at: list[float] = []
    for number in range(requests):
        free = [at[number - n] + w for w, n in limits.items() if number >= n]
        at.append(max(free, default=0.0))
    return at[-1]


SHAPES: dict[str, tuple[int, Callable[[random.Random], tuple[float, float]]]] = {
    # Threads, and the seconds until a request is sent and then answered.
    "alone": (1, lambda _: (0.0, 0.0)),
    "at once": (40, lambda _: (0.0, 0.0)),
    "uneven": (40, lambda r: (0.0, r.expovariate(20))),
    "slow": (60, lambda r: (0.0, r.uniform(0.5, 3))),
    "cold": (40, lambda r: (r.choice([0.0, 0.3]), r.uniform(0, 0.2))),
    "stalled": (40, lambda r: (0.0, 30.0 if r.random() < 0.01 else 0.05)),
}
REQUESTS = 3000


@pytest.mark.parametrize(("threads", "trip"), SHAPES.values(), ids=SHAPES)
def test_throttle__many_requests(
    threads: int, trip: Callable[[random.Random], tuple[float, float]]
) -> None:
    clock = Crowd()
    throttle = Throttle(clock=clock)
    chance = random.Random(7)
    arrivals: list[float] = []
    left = iter(range(REQUESTS))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if next(left, None) is None:
                    return
                connect, answer = trip(chance)
                way = chance.uniform(0, min(answer, REACH))
            with throttle.slot(clock.sleep) as slot:
                if connect:
                    clock.sleep(connect)
                slot.sent()
                if way:
                    clock.sleep(way)
                arrivals.append(clock.now)
                if answer > way:
                    clock.sleep(answer - way)

    clock.run(*[work] * threads)
    assert len(arrivals) == REQUESTS
    assert most_within(SECOND, arrivals) <= 20
    assert most_within(MINUTE, arrivals) <= 100
    assert max(arrivals) <= 1.02 * ideal(REQUESTS, {SECOND: 20, MINUTE: 100})


@given(
    st.integers(1, 5),
    st.integers(1, 12),
    st.lists(
        st.tuples(st.floats(0, 3), st.floats(0, 0.04), st.booleans()),
        min_size=1,
        max_size=60,
    ),
)
def test_throttle__any_schedule(
    per_second: int, per_minute: int, schedule: list[tuple[float, float, bool]]
) -> None:
    clock = Clock()
    throttle = Throttle(per_second=per_second, per_minute=per_minute, clock=clock)
    arrivals: list[float] = []
    for pause, way, says in schedule:
        clock.now += pause
        with throttle.slot(clock.sleep) as slot:
            if says:
                slot.sent()
            clock.now += way
            arrivals.append(clock.now)
    assert most_within(SECOND, arrivals) <= per_second
    assert most_within(MINUTE, arrivals) <= per_minute


def test_throttle__asks_for_the_whole_wait(clock: Clock) -> None:
    """A thread further back learns at once how long it has to wait at least."""
    throttle = Throttle(per_second=2, per_minute=100, clock=clock)
    slots = [throttle.slot() for _ in range(8)]
    waits = [throttle._seconds_to_go(slot._ticket) for slot in slots]
    assert waits == pytest.approx([(1 + MARGIN) * (n // 2) for n in range(8)])


def test_slot__when_the_request_arrived(clock: Clock) -> None:
    """It arrived 50 ms after it was sent, or with its answer if that is earlier."""
    throttle = Throttle(clock=clock)
    for answered, arrived in ((0.02, 0.02), (3, 0.05)):
        begun = clock.now
        with throttle.slot(clock.sleep) as slot:
            slot.sent()
            clock.now += answered
        assert slot._ticket.at == pytest.approx(begun + arrived)


def give_up(seconds: float) -> None:
    raise InterruptedError(f"instead of waiting for {seconds:.2f} s")


def test_throttle__giving_up_twice(one: Throttle, clock: Clock) -> None:
    """
    They leave the line, although the error's traceback still holds the slot.

    A second signal's handler may raise while the first one's exception leaves.
    """

    def interrupt(frame: Any, event: str, _argument: object) -> None:
        if event == "call" and frame.f_globals["__name__"] == "wacht.throttle":
            raise InterruptedError

    def give_up_twice(_seconds: float) -> None:
        sys.setprofile(interrupt)
        raise TimeoutError

    with one.slot(clock.sleep):
        pass
    try:
        with pytest.raises((InterruptedError, TimeoutError)) as _held:
            one.slot(give_up_twice).__enter__()
    finally:
        sys.setprofile(None)
    with one.slot(clock.sleep):
        assert 1 <= clock.now < 1.01


def test_throttle__late_one_does_not_hold_up_others(
    one: Throttle, clock: Clock
) -> None:
    """
    A progress function may take long while its walk is first in line.

    Nobody polls for it: each of the others goes as if it had gone before.
    """

    def late(seconds: float) -> None:
        for _ in range(3):
            with one.slot(clock.sleep):
                pass
        clock.sleep(seconds)

    with one.slot(clock.sleep):
        pass
    with one.slot(late):
        assert clock.slept == pytest.approx([2 * (1 + MARGIN)] * 3 + [1 + MARGIN])


def test_pause__delays_who_waits_already(one: Throttle, clock: Clock) -> None:
    """A shorter pause doesn't end a longer one."""

    def sleep(seconds: float) -> None:
        if not clock.slept:
            one.pause(30)
            one.pause(5)
        clock.sleep(seconds)

    with one.slot(clock.sleep):
        pass
    with one.slot(sleep):
        assert clock.now == pytest.approx(30)
    assert len(clock.slept) == 2


@pytest.mark.parametrize("name", ["per_second", "per_minute"])
def test_limit__refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: expected a positive integer, got"):
        Throttle(**{name: 0})


@pytest.mark.parametrize("used", [True, False])
def test_shared__is_remembered_as_long_as_it_matters(*, used: bool) -> None:
    """Requests of users that are gone count for the next one; no user is kept."""
    user = ApiKey("k")
    watched = weakref.ref(user)
    throttle = shared_throttle(str(used), user)
    if used:
        with throttle.slot(pytest.fail):
            pass
    del user
    gc.collect()
    assert watched() is None
    shared_throttle("another", ApiKey("k"))
    assert (shared_throttle(str(used), ApiKey("k")) is throttle) is used


def test_idle__after_the_wider_window(clock: Clock) -> None:
    throttle = Throttle(clock=clock)
    assert throttle.idle
    with throttle.slot(clock.sleep):
        assert not throttle.idle
    clock.now = 59.9
    assert not throttle.idle
    clock.now = 60.4
    assert throttle.idle
    throttle.pause(1)
    assert not throttle.idle


def test_fork__child_does_not_wait_for_threads_of_its_parent(
    one: Throttle, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads with the lock or in line stayed in the parent; its requests count."""
    under_way, in_line = one.slot().__enter__(), one.slot()
    assert one._seconds_to_go(in_line._ticket) > 0
    with one._lock.get():
        monkeypatch.setattr("os.getpid", lambda: -1)
        assert not one.idle
        assert shared_throttle("one", one) is not one
        clock.now += 0.4
        with pytest.raises(InterruptedError, match=r"0\.6"), one.slot(give_up):
            pass
    del under_way


def test_slot__that_is_used_again(one: Throttle, clock: Clock) -> None:
    slot = one.slot(clock.sleep)
    for number in range(4):
        with slot:
            assert clock.now == pytest.approx(number * (1 + MARGIN))


def test_slot__that_is_never_left(clock: Clock) -> None:
    """A signal handler's exception may come before `__exit__`, or while it waits."""
    throttle = Throttle(per_second=2, clock=clock)
    for _ in range(2):
        throttle.slot(clock.sleep).__enter__()
    assert throttle._seconds_to_go(throttle.slot()._ticket) > 0
    with throttle.slot(clock.sleep):
        assert clock.now == pytest.approx(1 + MARGIN)
