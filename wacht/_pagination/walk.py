"""The walk: pages and contexts of a list, each context once."""

from __future__ import annotations

from contextlib import AbstractContextManager, closing
from sys import maxsize
from typing import TYPE_CHECKING

from attrs import define, evolve, field

from wacht._contexts import MAX_PER_PAGE
from wacht._protocol.windows import window_of
from wacht.errors import WachtError
from wacht.models import ExecutionContextListResponse as Page

from .checkpoint import Checkpoint, checkpoint_of, resume_of
from .coverage import END, microseconds
from .position import Position
from .progress import Report, Reporter, reporting
from .reader import Reader
from .readings import readings
from .state import Part, State

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from wacht._http.endpoint import Endpoint
    from wacht._keywords import WalkOptions
    from wacht._waiting import RequestBudget
    from wacht.models import AiExecutionContext, ListExecutionContextsOptions


@define(eq=False)
class Walk:
    """One walk through a list. It reports its progress to what `open_report` opens."""

    _endpoint: Endpoint
    _filters: ListExecutionContextsOptions
    _options: WalkOptions
    _open_report: AbstractContextManager[Report | None]
    _checkpoint: Checkpoint | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._checkpoint = checkpoint_of(self._filters, self._endpoint.service)

    def contexts(self) -> Generator[AiExecutionContext, None, None]:
        with closing(self.pages()) as pages:
            for page in pages:
                yield from page.data

    def pages(self) -> Generator[Page, None, None]:
        """Walk, page by page; pages come without contexts that were given before."""
        with reporting(self._open_report, self._options.deadline) as (reporter, budget):
            state = self._state(budget)
            try:
                for number, part in enumerate(given(state, reporter)):
                    # An empty one repeats others, if it isn't all that there is.
                    if part.contexts or not (number or self._checkpoint):
                        yield Page(part.contexts, part.has_more, resume_of(state))
            except WachtError as error:
                error.resume = resume_of(state)
                raise

    def _state(self, budget: RequestBudget) -> State:
        endpoint, checkpoint = self._endpoint, self._checkpoint
        first = window_of(self._filters, MAX_PER_PAGE)
        position, since = Position(first.offset), self._options.active_since
        if checkpoint is not None:
            endpoint.revision = endpoint.revision or checkpoint.revision
            first = evolve(checkpoint.first, limit=first.limit)
            position = checkpoint.position
        return State(
            Reader(endpoint, self._filters, budget),
            self._options,
            first,
            position,
            floor=max(microseconds(since) - 1, END) if since else END,
            yielded=checkpoint.ids() if checkpoint else [],
            remaining=self._options.limit or maxsize,
        )


def given(state: State, reporter: Reporter) -> Iterator[Part]:
    """Read the list; report each part, and note it as given."""
    for number, part in enumerate(readings(state), 1):
        reporter.send(
            state.reader.budget,
            pages=number,
            contexts=reporter.progress.contexts + len(part.contexts),
            duplicates=state.duplicates,
            complete=state.is_complete,
        )
        state.give(part)
        yield part
        if not state.remaining:
            return
    if state.is_complete and not reporter.progress.complete:
        reporter.send(state.reader.budget, complete=True)
