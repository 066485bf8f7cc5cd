"""
The walk: from page to page until there is no more, each context once. No HTTP.
"""

from __future__ import annotations

from contextlib import closing
from threading import Lock
from typing import TYPE_CHECKING, Any

from attrs import evolve

from ._readahead import pages_in_order
from ._sieve import STRIKES, Sieve
from ._waiting import Watch, logger
from .errors import PaginationError, WachtError
from .models import MAX_PER_PAGE, ExecutionContextListResponse, WalkProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from .models import AiExecutionContext, ListExecutionContextsOptions

    Fetch = Callable[
        [ListExecutionContextsOptions, Watch], ExecutionContextListResponse
    ]
    Report = Callable[[WalkProgress], object]


class Walk:
    """
    One walk through all pages.

    Args:
        fetch: Fetches the page that some options mean.
        options: Where to start, how many at a time, and the filters.
        prefetch: How many pages to ask for ahead of their turn.
        deadline: Seconds for all of it; None for no limit.
        reporting: Opens what is told of the progress; None where nobody asks.

    """

    def __init__(
        self,
        fetch: Fetch,
        options: ListExecutionContextsOptions,
        *,
        prefetch: int,
        deadline: float | None,
        reporting: AbstractContextManager[Report | None],
    ) -> None:
        self._fetch = fetch
        self._options = evolve(options, per_page=options.per_page or MAX_PER_PAGE)
        self._number = options.page or 1
        self._prefetch = prefetch
        self._deadline = deadline
        self._reporting = reporting
        self._given = self._fruitful = 0
        self._progress = WalkProgress()
        self._lock = Lock()  # waits are told of from the threads of read-ahead

    def contexts(self) -> Generator[AiExecutionContext, None, None]:
        """
        Walk, context by context.
        """
        with closing(self.pages()) as pages:
            for page in pages:
                yield from page.data

    def pages(self) -> Generator[ExecutionContextListResponse, None, None]:
        """
        Walk, page by page; a page comes without what an earlier one had.
        """
        with self._reporting as self._report:
            self._watch = Watch(self._deadline, self._tell_of_wait)
            try:
                yield from self._once_each()
            except WachtError as error:
                error.resume = self._rest(error)
                raise
            finally:
                self._watch.stopped.set()

    def _once_each(self) -> Generator[ExecutionContextListResponse, None, None]:
        sieve = Sieve()
        for page in pages_in_order(self._fetch_page, self._number, self._prefetch):
            self._watch.remaining()
            fresh = sieve.sift(page)
            self._tell_of_page(len(fresh), sieve.duplicates, complete=not page.has_more)
            self._given += len(fresh)
            self._fruitful += bool(fresh)
            yield ExecutionContextListResponse(fresh, page.has_more)
            self._number += 1
        if sieve.duplicates:
            logger.info("dropped %d repeats during the walk", sieve.duplicates)

    def _rest(self, error: WachtError) -> ListExecutionContextsOptions:
        """
        Tell what is left for a next walk.

        Where one page was all that came before the walk went in circles, the service
        had its own mind about its size: it is counted from what it held.
        """
        circled = isinstance(error, PaginationError) and self._number > STRIKES
        if circled and self._fruitful == 1 and self._given <= MAX_PER_PAGE:
            return evolve(self._options, page=2, per_page=self._given)
        return evolve(self._options, page=self._number)

    def _fetch_page(self, number: int) -> ExecutionContextListResponse:
        return self._fetch(evolve(self._options, page=number), self._watch)

    def _tell_of_page(self, fresh: int, duplicates: int, *, complete: bool) -> None:
        self._tell(
            pages=self._progress.pages + 1,
            contexts=self._progress.contexts + fresh,
            duplicates=duplicates,
            waiting=None,
            reason=None,
            complete=complete,
        )

    def _tell_of_wait(self, seconds: float, reason: str) -> None:
        self._tell(waiting=seconds, reason=reason)

    def _tell(self, **news: Any) -> None:
        if self._report is None:
            return
        with self._lock:
            self._progress = evolve(
                self._progress,
                requests=self._watch.requests,
                retries=self._watch.retries,
                waited=self._watch.waited,
                **news,
            )
            self._report(self._progress)
