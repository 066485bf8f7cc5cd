"""
Pages in their order, some of them asked for before their turn.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from contextvars import copy_context
from threading import Thread
from typing import TYPE_CHECKING

from .models import ExecutionContextListResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    FetchPage = Callable[[int], ExecutionContextListResponse]

Page = Future[ExecutionContextListResponse]


class ReadAhead:
    """
    Give pages in their order, and ask for some before their turn.

    The first page comes alone: it may settle how to ask for the others. From then on
    at most `depth` pages are under way or waiting for their turn, so that at most
    `depth - 1` are asked for in vain behind the last.

    Args:
        fetch: Fetches a page by its number; with a depth, from threads.
        first: The number of the first page.
        depth: How many pages to be ahead; with 0, each is fetched at its turn.

    """

    def __init__(self, fetch: FetchPage, first: int, depth: int) -> None:
        self._fetch = fetch
        self._next = first
        self._depth = self._reach = depth
        self._ahead: deque[Page] = deque()

    def take(self) -> ExecutionContextListResponse:
        """
        Give the page whose turn it is, or raise what came in its place.
        """
        if self._ahead:
            return self._ahead.popleft().result()
        return self._fetch(self._number())

    def go_on(self, *, shifted: bool) -> None:
        """
        Ask for the pages behind the one that was taken.

        What is asked for at once may be answered in any order. If contexts were added
        in between, one that went from a page to the next may be on neither. So all
        that was asked for together with a page which shows a shift is dropped and asked
        for again: one page first, then twice as many each time, as long as all is calm.

        Args:
            shifted: Whether the page had contexts that an earlier page had.

        """
        self._reach = min(self._depth, 1 if shifted else 2 * self._reach)
        if shifted:
            self._next -= len(self._ahead)
            self._ahead.clear()
        while len(self._ahead) < self._reach and not any(map(_ends, self._ahead)):
            self._ahead.append(_fetch_in_thread(self._fetch, self._number()))

    def _number(self) -> int:
        self._next += 1
        return self._next - 1


def _ends(page: Page) -> bool:
    """
    Tell whether no page behind this one can be needed.
    """
    return page.done() and (page.exception() is not None or not page.result().has_more)


def _fetch_in_thread(fetch: FetchPage, number: int) -> Page:
    """
    Fetch in a daemon thread, which does not keep the interpreter from leaving.
    """
    future: Page = Future()
    thread = Thread(
        target=copy_context().run,
        args=(_fulfil, future, fetch, number),
        name=f"wacht page {number}",
        daemon=True,
    )
    thread.start()
    return future


def _fulfil(future: Page, fetch: FetchPage, number: int) -> None:
    try:
        future.set_result(fetch(number))
    except BaseException as error:  # noqa: BLE001 - raised at the page's turn
        future.set_exception(error)
        del future  # the error holds this frame, which must not hold the error
