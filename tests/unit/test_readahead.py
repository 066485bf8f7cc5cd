"""
Read-ahead: pages in order, some asked for before their turn, none too many.
"""

from __future__ import annotations

import gc
import threading
import weakref
from collections import defaultdict
from concurrent.futures import wait
from contextvars import ContextVar
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model import Scheduler
from wacht import ExecutionContextListResponse, RequestError, _readahead
from wacht._readahead import ReadAhead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 30  # seconds that only a broken test waits for

Page = ExecutionContextListResponse


class NumberedPage(Page):
    """A page that knows its number."""

    def __init__(self, number: int, *, has_more: bool) -> None:
        super().__init__([], has_more)
        object.__setattr__(self, "number", number)

    number: int


class Pages:
    """
    Fetch the pages of a list; hold some until they are released.

    Attributes:
        asked: The numbers asked for, in order.
    """

    def __init__(self, total: int = 1000, *, held: bool = False) -> None:
        self.asked: list[int] = []
        self.threads: list[threading.Thread] = []
        self._total = total
        self._gates: defaultdict[int, threading.Event] = defaultdict(threading.Event)
        self._held = held
        self._arrivals = threading.Semaphore(0)

    def __call__(self, number: int) -> Page:
        self.asked.append(number)
        self.threads.append(threading.current_thread())
        self._arrivals.release()
        if self._held and number > 1:
            assert self._gates[number].wait(PATIENCE)
        return NumberedPage(number, has_more=number < self._total)

    def release(self, *numbers: int) -> None:
        for number in numbers:
            self._gates[number].set()

    def release_all(self) -> None:
        self._held = False
        self.release(*self._gates)

    def expect(self, arrivals: int) -> None:
        """Wait until so many more have asked."""
        for _ in range(arrivals):
            assert self._arrivals.acquire(timeout=PATIENCE)


@pytest.fixture
def held() -> Iterator[Pages]:
    """Pages that are held, but no longer than the test."""
    pages = Pages(total=9, held=True)
    yield pages
    pages.release_all()
    for thread in pages.threads[1:]:
        thread.join(PATIENCE)


def taken(
    reader: ReadAhead, shifted: Callable[[int], bool] = lambda _number: False
) -> Iterator[NumberedPage]:
    more = True
    while more:
        page = reader.take()
        assert isinstance(page, NumberedPage)
        more = page.has_more
        if more:
            reader.go_on(shifted=shifted(page.number))
        yield page


def under_way(reader: ReadAhead) -> int:
    return len(reader._ahead)


@given(st.integers(1, 30), st.integers(0, 8), st.data())
def test_read_ahead__any_list(total: int, depth: int, data: st.DataObject) -> None:
    """All pages come in order; at most depth - 1 are asked for behind the last."""
    pages = Pages(total)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_readahead, "_fetch_in_thread", Scheduler(data).fetch_in_thread)
        got = [page.number for page in taken(ReadAhead(pages, 1, depth))]
    assert got == [*range(1, total + 1)]
    assert len(pages.asked) == len(set(pages.asked))
    assert max(pages.asked) <= total + max(0, depth - 1)


@pytest.mark.parametrize("first", [1, 7])
def test_read_ahead__without_depth(first: int) -> None:
    """Without a depth each page is fetched at its turn, in the caller's thread."""
    pages, got = Pages(total=9), []
    for page in taken(ReadAhead(pages, first, 0)):
        got.append(page.number)
        assert pages.asked == got
    assert got == [*range(first, 10)]
    assert set(pages.threads) == {threading.current_thread()}


def test_read_ahead__first_page_alone() -> None:
    """Nothing is asked for beside the first page, and that in the caller's thread."""
    pages = Pages()
    ReadAhead(pages, 1, 8).take()
    assert pages.asked == [1]
    assert pages.threads == [threading.current_thread()]


def test_read_ahead__one_page() -> None:
    """Behind a first page that is the last, nothing is asked for."""
    pages = Pages(total=1)
    assert len([*taken(ReadAhead(pages, 1, 8))]) == 1
    assert pages.asked == [1]


def test_read_ahead__never_more_than_depth_ahead(held: Pages) -> None:
    """As many pages as the depth are under way or waiting, and one more per page."""
    reader = ReadAhead(held, 1, 3)
    walk = taken(reader)
    next(walk)
    held.expect(1 + 3)
    assert sorted(held.asked) == [1, 2, 3, 4]
    held.release(2, 3, 4)
    wait(reader._ahead, PATIENCE)
    assert under_way(reader) == 3
    assert next(walk).number == 2
    held.expect(1)
    assert sorted(held.asked) == [1, 2, 3, 4, 5]


def test_read_ahead__does_not_wait_for_later_pages(held: Pages) -> None:
    """A page that is there is given, whatever became of those behind it."""
    walk = taken(ReadAhead(held, 1, 3))
    next(walk)
    held.release(2)
    assert next(walk).number == 2


def test_read_ahead__answers_in_any_order(held: Pages) -> None:
    """Pages come in their order, though the answers came in another."""
    reader = ReadAhead(held, 1, 3)
    walk = taken(reader)
    got = [next(walk).number]
    held.release(4)
    wait([reader._ahead[2]], PATIENCE)
    held.release(3)
    wait([reader._ahead[1]], PATIENCE)
    held.release(2)
    assert [*got, *(page.number for page in islice(walk, 3))] == [1, 2, 3, 4]


def test_read_ahead__nothing_past_a_known_end() -> None:
    """Once a page is known to be the last, nothing behind it is asked for."""
    pages = Pages(total=3)
    reader = ReadAhead(pages, 1, 2)
    walk = taken(reader)
    next(walk)
    wait(reader._ahead, PATIENCE)
    assert [page.number for page in walk] == [2, 3]
    assert sorted(pages.asked) == [1, 2, 3]


def test_read_ahead__an_error_in_its_place() -> None:
    """What failed is raised at its turn, and nothing behind it is asked for."""
    error = RequestError("refused")

    def fetch(number: int) -> Page:
        asked.append(number)
        if number == 3:
            raise error
        return NumberedPage(number, has_more=True)

    asked: list[int] = []
    reader = ReadAhead(fetch, 1, 2)
    walk = taken(reader)
    got = [next(walk).number]
    wait(reader._ahead, PATIENCE)
    got.append(next(walk).number)
    with pytest.raises(RequestError) as caught:
        next(walk)
    assert caught.value is error
    assert got == [1, 2]
    assert sorted(asked) == [1, 2, 3]


def test_read_ahead__a_shift() -> None:
    """What was asked for together with a shifted page is asked for again, after it."""
    pages = Pages(total=30)
    reader = ReadAhead(pages, 1, 4)
    walk = taken(reader, lambda number: number == 2)
    assert next(walk).number == 1
    pages.expect(1 + 4)
    assert next(walk).number == 2
    pages.expect(1)
    assert under_way(reader) == 1
    assert sorted(pages.asked) == [1, 2, 3, 3, 4, 5]


def test_read_ahead__calm_again() -> None:
    """After a shift it reads one page ahead, then twice as many with each page."""
    reader = ReadAhead(Pages(total=99), 1, 5)
    walk = taken(reader, lambda number: number in {3, 4})
    ahead = []
    for page in walk:
        ahead.append(under_way(reader))
        if page.number == 9:
            break
    assert ahead == [5, 5, 1, 1, 2, 4, 5, 5, 5]


def test_read_ahead__always_shifted() -> None:
    """On a list that never rests, no page is asked for twice."""
    pages = Pages(total=20)
    got = [page.number for page in taken(ReadAhead(pages, 1, 8), lambda _number: True)]
    assert got == [*range(1, 21)]
    assert sorted(pages.asked) == got


def test_read_ahead__as_fast_as_deep(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 8 at once, 30 pages take 5 times as long as one."""
    clock = Clock()
    monkeypatch.setattr(_readahead, "_fetch_in_thread", clock.fetch_in_thread)
    for _ in taken(ReadAhead(Pages(total=30), 1, 8)):
        pass
    assert clock.now == 4  # and the first, which comes alone and takes no thread


class Clock:
    """Time in which every answer takes one unit, and nothing else takes any."""

    def __init__(self) -> None:
        self.now = 0

    def fetch_in_thread(
        self, fetch: Callable[[int], Page], number: int
    ) -> _readahead.Page:
        future = _LateFuture(self, self.now + 1)
        future.set_result(fetch(number))
        return future


class _LateFuture(_readahead.Page):
    def __init__(self, clock: Clock, at: int) -> None:
        super().__init__()
        self._clock = clock
        self._at = at

    def done(self) -> bool:
        return self._clock.now >= self._at

    def result(self, timeout: float | None = None) -> Page:
        self._clock.now = max(self._clock.now, self._at)
        return super().result(timeout)


def test_fetch_in_thread__a_daemon() -> None:
    """The threads keep no interpreter from leaving, and have a telling name."""
    pages = Pages()
    _readahead._fetch_in_thread(pages, 7).result(PATIENCE)
    [thread] = pages.threads
    assert thread.daemon
    assert thread.name == "wacht page 7"


def test_fetch_in_thread__context_variables() -> None:
    """The caller's context variables reach the threads."""
    variable: ContextVar[int] = ContextVar("variable", default=0)
    variable.set(7)

    def fetch(_number: int) -> Page:
        seen.append(variable.get())
        return NumberedPage(1, has_more=False)

    seen: list[int] = []
    _readahead._fetch_in_thread(fetch, 1).result(PATIENCE)
    assert seen == [7]


def test_fulfil__no_reference_cycle() -> None:
    """An error that nobody asks for goes as soon as the last page does."""

    class Holder:
        def fetch(self, _number: int) -> Page:
            raise RequestError("refused")

    holder = Holder()
    reference = weakref.ref(holder)
    page: _readahead.Page = _readahead.Page()
    gc.disable()
    try:
        _readahead._fulfil(page, holder.fetch, 1)
        del holder, page
        assert reference() is None
    finally:
        gc.enable()
