"""Reading ahead: runs in order, some of them requested before their turn."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from wacht import RequestError
from wacht._pagination import prefetch
from wacht._pagination.prefetch import Prefetcher
from wacht._protocol.windows import Run, Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from wacht._waiting import Task

PATIENCE = 30  # seconds that only a broken test waits for
SIZE = 10


def following(end: int) -> Window:
    return Window(end, SIZE)


class Source:
    """
    Answer windows of a list.

    Attributes:
        asked: The offsets asked for, in order.

    """

    def __init__(self, length: int = 1000) -> None:
        self.asked: list[int] = []
        self.threads: list[threading.Thread] = []
        self._length = length

    def __call__(self, window: Window) -> Run:
        self.asked.append(window.offset)
        self.threads.append(threading.current_thread())
        return Run(window, [], window.end < self._length)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer what is read ahead at once, as threads with all the time they need."""
    start = prefetch._read_in_thread

    def read(read: Callable[[Window], Run], window: Window) -> Task[Run]:
        task = start(read, window)
        task.exception()
        return task

    monkeypatch.setattr(prefetch, "_read_in_thread", read)


def read_all(ahead: Prefetcher, until: int = 10**9) -> list[int]:
    offsets: list[int] = []
    run = ahead.take(following(0), 0)
    while True:
        offsets.append(run.window.offset)
        if not run.has_more:
            return offsets
        ahead.plan(run.window.end, following, until)
        run = ahead.take(following(run.window.end), run.window.end)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("depth", [0, 1, 3, 8])
def test_prefetch__gives_all_in_order(depth: int) -> None:
    source = Source(length=200)
    assert read_all(Prefetcher(source, depth)) == [*range(0, 200, SIZE)]
    assert len(source.asked) == len(set(source.asked))
    assert max(source.asked) < 200 + SIZE * depth


def test_prefetch__without_depth_stays_in_the_callers_thread() -> None:
    source = Source(length=30)
    read_all(Prefetcher(source, 0))
    assert set(source.threads) == {threading.current_thread()}


@pytest.mark.usefixtures("at_once")
def test_prefetch__requests_as_many_as_its_depth() -> None:
    source = Source()
    ahead = Prefetcher(source, 3)
    ahead.take(following(0), 0)
    assert source.asked == [0]
    ahead.plan(SIZE, following, 10**9)
    assert source.asked == [0, 10, 20, 30]
    ahead.take(following(10), 10)
    ahead.plan(2 * SIZE, following, 10**9)
    assert source.asked == [0, 10, 20, 30, 40]


@pytest.mark.usefixtures("at_once")
def test_prefetch__stops_where_nothing_is_needed() -> None:
    source = Source()
    Prefetcher(source, 8).plan(SIZE, following, 25)
    assert source.asked == [10, 20]
    short = Source(length=30)
    Prefetcher(short, 8).plan(SIZE, following, 10**9)
    assert short.asked == [10, 20]


@pytest.mark.usefixtures("at_once")
def test_prefetch__drops_what_was_read_otherwise() -> None:
    source = Source()
    ahead = Prefetcher(source, 3)
    ahead.plan(SIZE, following, 10**9)
    assert ahead.take(following(0), 25).window.offset == 20
    assert source.asked == [10, 20, 30]
    assert ahead.take(following(22), 22).window.offset == 22  # not from 30 on


@pytest.mark.usefixtures("at_once")
def test_prefetch__restarts_with_one_and_doubles() -> None:
    source = Source()
    ahead = Prefetcher(source, 5)
    ahead.restart()
    counts = []
    for end in range(10, 60, SIZE):
        ahead.plan(end, following, 10**9)
        counts.append(len(ahead._ahead))
        ahead.take(following(end), end)
    assert counts == [1, 2, 4, 5, 5]


@pytest.mark.usefixtures("at_once")
def test_prefetch__raises_an_error_at_its_turn() -> None:
    error = RequestError("refused")
    asked: list[int] = []

    def read(window: Window) -> Run:
        asked.append(window.offset)
        if window.offset == 20:
            raise error
        return Run(window, [], has_more=True)

    ahead = Prefetcher(read, 8)
    ahead.plan(SIZE, following, 10**9)
    assert asked == [10, 20]
    ahead.take(following(10), 10)
    with pytest.raises(RequestError) as caught:
        ahead.take(following(20), 20)
    assert caught.value is error


@pytest.mark.usefixtures("at_once")
def test_prefetch__after_a_fork_reads_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = Source()
    ahead = Prefetcher(source, 2)
    ahead.plan(SIZE, following, 10**9)
    monkeypatch.setattr("os.getpid", lambda: -1)
    ahead.take(following(10), 10)
    assert source.asked == [10, 20, 10]
