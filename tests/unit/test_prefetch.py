"""Reading ahead: slices in order, some of them requested before their turn."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from wacht._pagination import prefetch
from wacht._pagination.prefetch import Prefetcher
from wacht._protocol.windows import Batch, Window
from wacht._threads import Task

SIZE = 10


class Source:
    """
    Answer windows of a list.

    Attributes:
        asked: The offsets asked for, in order.

    """

    def __init__(self, length: int = 1000) -> None:
        self.asked: list[int] = []
        self.threads: list[threading.Thread] = []
        self.errors: dict[int, Exception] = {}
        self._length = length

    def __call__(self, window: Window) -> Batch:
        self.asked.append(window.offset)
        self.threads.append(threading.current_thread())
        if error := self.errors.get(window.offset):
            raise error
        return Batch(window, [], window.end < self._length)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer what is read ahead at once, as threads with all the time they need."""

    def start(name: str, call: Callable[[], Batch]) -> Task[Batch]:
        task = Task(name, call)
        task.exception()
        return task

    monkeypatch.setattr(prefetch, "Task", start)


def behind(end: int, until: int = 10**9) -> Iterator[Window]:
    return (Window(offset, SIZE) for offset in range(end, until, SIZE))


def read_all(ahead: Prefetcher) -> list[int]:
    offsets: list[int] = []
    while True:
        _, part = ahead.take(lambda: Window(len(offsets) * SIZE, SIZE))
        offsets.append(part.window.offset)
        if not part.has_more:
            return offsets
        ahead.plan(behind(ahead.last.end if ahead.last else part.window.end))


@pytest.mark.parametrize("depth", [0, 1, 3, 8])
def test_prefetch__gives_all_in_order(depth: int) -> None:
    source = Source(length=200)
    assert read_all(Prefetcher(source, depth)) == [*range(0, 200, SIZE)]
    assert len(source.asked) == len(set(source.asked))
    assert max(source.asked) < 200 + SIZE * depth
    assert depth or {*source.threads} == {threading.current_thread()}


def test_prefetch__requests_as_many_as_its_depth() -> None:
    source = Source()
    ahead = Prefetcher(source, 3)
    ahead.take(lambda: Window(0, SIZE))
    assert source.asked == [0]
    ahead.plan(behind(SIZE))
    assert source.asked == [0, 10, 20, 30]
    ahead.take(lambda: Window(10, SIZE))
    ahead.plan(behind(40))
    assert source.asked == [0, 10, 20, 30, 40]


def test_prefetch__stops_where_nothing_is_needed() -> None:
    source = Source()
    Prefetcher(source, 8).plan(behind(SIZE, until=25))
    assert source.asked == [10, 20]
    short = Source(length=30)
    Prefetcher(short, 8).plan(behind(SIZE))
    assert short.asked == [10, 20]


def test_prefetch__without_threads_reads_in_turn(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(prefetch, "Task", refuse)
    with caplog.at_level("INFO", "wacht"):
        assert read_all(Prefetcher(Source(length=30), 8)) == [0, 10, 20]
    assert caplog.messages == ["reading without prefetch: can't start new thread"]


def test_prefetch__after_a_fork_reads_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = Source()
    ahead = Prefetcher(source, 2)
    ahead.plan(behind(SIZE))
    monkeypatch.setattr("os.getpid", lambda: -1)
    ahead.take(lambda: Window(10, SIZE))
    assert source.asked == [10, 20, 10]
