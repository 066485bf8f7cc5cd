"""The walk: pages and contexts of a list, each context once."""

from __future__ import annotations

from contextlib import closing
from threading import Lock
from typing import TYPE_CHECKING, Any

from attrs import evolve

from wacht._forks import PerProcess
from wacht._protocol.windows import Window
from wacht._waiting import Deadline, RequestBudget, logger
from wacht.errors import WachtError
from wacht.models import MAX_PER_PAGE, ExecutionContextListResponse, WalkProgress

from .memory import Memory, resume_options
from .passes import Passes
from .reader import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from wacht.models import AiExecutionContext, ListExecutionContextsOptions

    from .options import WalkOptions
    from .reader import SupportsAsk
    from .state import Step, WalkState

    Report = Callable[[WalkProgress], object]


class Walk:
    """
    One walk through a list.

    Args:
        endpoint: Answers queries.
        filters: Where to start, how many contexts a page has, and the filters.
        options: How to walk.
        report: Opens what the progress is reported to; None for nothing.

    """

    def __init__(
        self,
        endpoint: SupportsAsk,
        filters: ListExecutionContextsOptions,
        options: WalkOptions,
        report: AbstractContextManager[Report | None],
    ) -> None:
        self._endpoint = endpoint
        self._filters = filters
        self._options = options
        self._open_report = report
        self._per_page = filters.per_page or MAX_PER_PAGE
        self._progress = WalkProgress()
        self._lock = PerProcess(Lock)  # the threads that prefetch report their waits

    def contexts(self) -> Generator[AiExecutionContext, None, None]:
        """Walk, context by context."""
        with closing(self.pages()) as pages:
            for page in pages:
                yield from page.data

    def pages(self) -> Generator[ExecutionContextListResponse, None, None]:
        """Walk, page by page; pages come without contexts that were given before."""
        with self._open_report as self._report:
            deadline = Deadline(self._options.deadline)
            self._budget = RequestBudget(deadline, self._report_wait)
            passes = self._passes()
            try:
                yield from self._limited(passes)
            except WachtError as error:
                error.resume = resume_options(
                    self._filters, passes.memory(), self._per_page
                )
                raise
            finally:
                self._budget.stopped.set()
                del self._budget  # it refers back to the walk
            _log_summary(passes.state)

    def _passes(self) -> Passes:
        start = ((self._filters.page or 1) - 1) * self._per_page
        size = min(self._per_page, self._options.limit or self._per_page)
        if start % size:  # a smaller page would begin elsewhere
            size = self._per_page
        memory = self._filters._memory  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - not for users
        return Passes(
            Reader(self._endpoint, self._filters, self._budget),
            self._options,
            Window(start, size),
            memory if isinstance(memory, Memory) else None,
        )

    def _limited(
        self, passes: Passes
    ) -> Generator[ExecutionContextListResponse, None, None]:
        left = self._options.limit
        for number, step in enumerate(passes.steps(), 1):
            data = step.fresh[:left]
            self._report_page(number, len(data), passes, step)
            if data or not passes.state.tally.looks:  # second looks often bring nothing
                yield ExecutionContextListResponse(data, step.has_more)
            if left is not None:
                left -= len(data)
                if left == 0:
                    return
            self._budget.remaining()  # only now: what was read has been given
        if passes.complete and not self._progress.complete:
            self._send_report(complete=True)

    def _report_page(self, number: int, given: int, passes: Passes, step: Step) -> None:
        self._send_report(
            pages=number,
            contexts=self._progress.contexts + given,
            duplicates=passes.state.given.duplicates,
            waiting=None,
            reason=None,
            complete=step.complete,
        )

    def _report_wait(self, seconds: float, reason: str) -> None:
        self._send_report(waiting=seconds, reason=reason)

    def _send_report(self, **news: Any) -> None:
        if self._report is None:
            return
        with self._lock.get():
            self._progress = evolve(
                self._progress,
                requests=self._budget.requests,
                retries=self._budget.retries,
                waited=self._budget.waited,
                **news,
            )
            self._report(self._progress)


def _log_summary(state: WalkState) -> None:
    tally, duplicates = state.tally, state.given.duplicates
    shifted = duplicates > 0 and not state.chain.proves
    if shifted or tally.steps_back or tally.rereads or tally.looks > 1:
        logger.info(
            "the list changed during the walk: dropped %d repeats, stepped back %d "
            "times, looked at the top %d times, reread %d times",
            duplicates,
            tally.steps_back,
            tally.looks,
            tally.rereads,
        )
