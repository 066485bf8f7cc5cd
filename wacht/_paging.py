"""
The walk: from page to page until there is no more, each context once. No HTTP.
"""

from __future__ import annotations

from contextlib import closing
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

from attrs import evolve

from ._readahead import ReadAhead
from ._sieve import Sieve
from ._waiting import Watch, logger
from .errors import WachtError
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
        self._sieve = Sieve()
        self._first_size = 0
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
            watch = Watch(self._deadline, self._tell_of_wait)
            try:
                yield from self._once_each(watch)
            except WachtError as error:
                error.resume = self._rest()
                raise
            finally:
                watch.stopped.set()

    def _once_each(
        self, watch: Watch
    ) -> Generator[ExecutionContextListResponse, None, None]:
        pages = ReadAhead(
            partial(self._fetch_page, watch), self._number, self._prefetch
        )
        more = True
        while more:
            page = pages.take()
            watch.remaining()
            fresh = self._sieve.sift(page)
            more = page.has_more
            if more:
                pages.go_on(shifted=len(fresh) < len(page))
            self._first_size = self._first_size or len(page)
            self._tell_of_page(watch, len(fresh), complete=not more)
            yield ExecutionContextListResponse(fresh, more)
            self._number += 1
        if self._sieve.duplicates:
            logger.info("dropped %d repeats during the walk", self._sieve.duplicates)

    def _fetch_page(self, watch: Watch, number: int) -> ExecutionContextListResponse:
        return self._fetch(evolve(self._options, page=number), watch)

    def _rest(self) -> ListExecutionContextsOptions:
        """
        Tell what is left for a next walk.

        Where the first page came again and again, the service did not heed what was
        asked: it began at its beginning, with pages of a size that it chose. Where
        others did, they came in place of pages that are still to come.
        """
        sieve = self._sieve
        if sieve.stuck and sieve.leading_on == 1 and sieve.duplicates:
            if self._options.page not in (None, 1):
                return self._options
            size = min(self._first_size, MAX_PER_PAGE)
            return evolve(self._options, page=2, per_page=size)
        in_vain = max(sieve.barren - 1, 0) if sieve.stuck else 0
        return evolve(self._options, page=self._number - in_vain)

    def _tell_of_page(self, watch: Watch, fresh: int, *, complete: bool) -> None:
        self._tell(
            watch,
            pages=self._progress.pages + 1,
            contexts=self._progress.contexts + fresh,
            duplicates=self._sieve.duplicates,
            waiting=None,
            reason=None,
            complete=complete,
        )

    def _tell_of_wait(self, watch: Watch, seconds: float, reason: str) -> None:
        self._tell(watch, waiting=seconds, reason=reason)

    def _tell(self, watch: Watch, **news: Any) -> None:
        if self._report is None:
            return
        with self._lock:
            self._progress = evolve(
                self._progress,
                requests=watch.requests,
                retries=watch.retries,
                waited=watch.waited,
                **news,
            )
            self._report(self._progress)
