"""The walk: pages and contexts of a list, each context once."""

from __future__ import annotations

from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING

from attrs import define, evolve, field

from wacht._contexts import MAX_PER_PAGE
from wacht._protocol.revisions import filters_of
from wacht._protocol.windows import window_of
from wacht._waiting import RequestBudget, logger
from wacht.errors import WachtError
from wacht.models import ExecutionContextListResponse as Page

from .checkpoint import Checkpoint, checkpoint_of
from .first_scan import FirstScan
from .progress import Reporter
from .reader import Reader
from .rechecks import rechecks
from .state import State

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from contextlib import AbstractContextManager

    from wacht._http.endpoint import Endpoint
    from wacht._keywords import WalkOptions
    from wacht.models import AiExecutionContext, ListExecutionContextsOptions

    from .next_window import Position
    from .progress import Report

_UNPROVEN = (
    "complete is False: plain pages can't prove that no context moved between them; "
    "exhaustive=True can"
)


@define(eq=False)
class Walk:
    """One walk through a list. It reports its progress to what `open_report` opens."""

    _endpoint: Endpoint
    _filters: ListExecutionContextsOptions
    _options: WalkOptions
    _open_report: AbstractContextManager[Report | None]
    _checkpoint: Checkpoint | None = field(init=False)
    _position: Position = field(init=False)  # with what was handed over

    def __attrs_post_init__(self) -> None:
        self._checkpoint = checkpoint_of(self._filters, self._endpoint.service)

    def contexts(self) -> Generator[AiExecutionContext, None, None]:
        with closing(self.pages()) as pages:
            for page in pages:
                yield from page.data

    def pages(self) -> Generator[Page, None, None]:
        """Walk, page by page; pages come without contexts that were given before."""
        with self._open_report as report:
            reporter = Reporter(report)
            budget = RequestBudget(self._options.deadline, reporter.wait)
            state = self._state(budget)
            first = FirstScan(state, self._checkpoint)
            self._position = first.position
            try:
                yield from self._handed_over(state, first, reporter)
            except WachtError as error:
                # If all was read, only a reading of all can settle a doubt.
                anew = first.is_done and first.position.is_open
                if anew and state.first.offset == 0:
                    self._position = state.begin()
                error.resume = self._resume(state)
                raise
            finally:
                budget.stopped.set()

    def _state(self, budget: RequestBudget) -> State:
        endpoint, checkpoint = self._endpoint, self._checkpoint
        reader = Reader(endpoint, self._filters, budget)
        size = self._filters.per_page or MAX_PER_PAGE
        if checkpoint is None:
            first = window_of(self._filters, size)
            return State(reader, budget, self._options, first)
        endpoint.revision = endpoint.revision or checkpoint.revision
        first = evolve(checkpoint.first, limit=size)
        return State(reader, budget, self._options, first, checkpoint.ids())

    def _handed_over(
        self, state: State, first: FirstScan, reporter: Reporter
    ) -> Iterator[Page]:
        state.remaining = self._options.limit or state.remaining
        pages = chain(first.pages(), rechecks(state, first))
        for number, page in enumerate(pages, 1):
            data = page.data[: state.remaining]
            is_cut = len(data) < len(page.data)
            reporter.send(
                state.budget,
                pages=number,
                contexts=reporter.progress.contexts + len(data),
                duplicates=state.duplicates,
                complete=first.is_complete and not is_cut,
            )
            state.give(data)
            if is_cut:  # the next walk reads this page again
                repeats = self._position.repeats - len(data)
                self._position = evolve(self._position, repeats=repeats)
            # Without times, the next walk can't tell a second reading from the first.
            elif not first.is_rereading or first.position.coverage:
                self._position = first.position
            if data or (number == 1 and not self._checkpoint):  # else it repeats others
                yield Page(data, page.has_more, self._resume(state))
            if not state.remaining:
                return
        is_plain = first.position.proof is None and self._options.exhaustive is None
        if is_plain and not first.is_complete:
            logger.info(_UNPROVEN)
        elif first.is_complete and not reporter.progress.complete:
            reporter.send(state.budget, complete=True)

    def _resume(self, state: State) -> ListExecutionContextsOptions:
        checkpoint = Checkpoint(
            service=self._endpoint.service,
            filters=filters_of(self._filters),
            revision=state.reader.known_revision,
            first=state.first,
            position=self._position,
            yielded=state.yielded,
            count=len(state.yielded),
        )
        return checkpoint.options(self._filters)
