"""
Pages in their order, some of them asked for before their turn.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from contextvars import copy_context
from itertools import count
from threading import Thread
from typing import TYPE_CHECKING

from .models import ExecutionContextListResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    FetchPage = Callable[[int], ExecutionContextListResponse]

Page = Future[ExecutionContextListResponse]


def pages_in_order(
    fetch: FetchPage, first: int, depth: int
) -> Generator[ExecutionContextListResponse, None, None]:
    """
    Fetch pages until one has no more behind it.

    The first page comes alone: it may settle how to ask for the others. From then on
    at most `depth` pages are under way or waiting for their turn, so that at most
    `depth - 1` are asked for in vain behind the last.

    Args:
        fetch: Fetches a page by its number; with a depth, from threads.
        first: The number of the first page.
        depth: How many pages to be ahead; with 0, each is fetched at its turn.

    """
    numbers = count(first)
    ahead: deque[Page] = deque()
    page = fetch(next(numbers))
    while page.has_more:
        while len(ahead) < depth and not any(map(_is_last, ahead)):
            ahead.append(_fetch_in_thread(fetch, next(numbers)))
        yield page
        page = ahead.popleft().result() if ahead else fetch(next(numbers))
    yield page


def _is_last(page: Page) -> bool:
    return page.done() and page.exception() is None and not page.result().has_more


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
