"""
A copy brought up to date: runs of the walk, with a state that has no ids.

A run reads everything, or what was active since the run before began. It may take
several calls: each goes on where the state says. A look at the top can't keep a place:
where it was all that was left of a run, and is broken off, the next run reads what was
active since the first reading began.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from attrs import define, evolve, field

from wacht._contexts import MAX_PER_PAGE
from wacht._protocol.revisions import filters_of
from wacht._protocol.windows import Window
from wacht.errors import PaginationError
from wacht.models import AiExecutionContext, ListExecutionContextsOptions, UpdatePage

from .checkpoint import Copy
from .coverage import END, Mark, microseconds, moment_of
from .position import Position
from .progress import Report, Reporter, reporting
from .reader import Reader
from .state import State
from .walk import given

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from contextlib import AbstractContextManager

    from wacht._http.endpoint import Endpoint
    from wacht._keywords import WalkOptions
    from wacht._waiting import RequestBudget

# Microseconds before the newest time of a run that the next one reads again: longer
# transactions than that are rare.
_OVERLAP = 300_000_000


@define(eq=False)
class Updates:
    """One call that brings a copy up to date."""

    _endpoint: Endpoint
    _filters: ListExecutionContextsOptions
    _options: WalkOptions
    _open_report: AbstractContextManager[Report | None]
    _text: str | None
    _stored: Copy | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        if self._text is not None:
            service, filters = self._endpoint.service, filters_of(self._filters)
            self._stored = Copy.from_text(self._text, service, filters)

    def pages(self) -> Generator[UpdatePage, None, None]:
        """Go on with the run of the state, or begin one; yield what to write."""
        stored, endpoint = self._stored, self._endpoint
        with reporting(self._open_report, self._options.deadline) as (reporter, budget):
            goes_on = stored and (stored.position.begun or stored.floor != Mark())
            if stored and goes_on and endpoint.revision is None:
                endpoint.revision = stored.revision
            copy = self._continued(stored)
            try:
                yield from self._run(copy, reporter, budget)
            except PaginationError:
                if not goes_on:
                    raise
            else:
                return
            yield from self._run(self._next_run(copy), reporter, budget)

    def _continued(self, stored: Copy | None) -> Copy:
        """Return the run to go on with."""
        if stored is None or not stored.position.begun or self._has_changed(stored):
            return self._next_run(stored)
        return stored

    def _next_run(self, last: Copy | None) -> Copy:
        started_at, floor = microseconds(datetime.now(UTC)), Mark()
        if last is not None:
            started_at = max(started_at, last.started_at + 1)
            # Only a list by activity tells what has changed, and only with a proof.
            is_proof = self._options.exhaustive is not False
            if last.revision and last.revision.sort_time.moves and is_proof:
                floor = Mark() if self._has_changed(last) else last.floor
        revision = self._endpoint.revision
        service, filters = self._endpoint.service, filters_of(self._filters)
        reads_all = floor == Mark()
        return Copy(service, filters, started_at, reads_all, floor, revision)

    def _has_changed(self, copy: Copy) -> bool:
        """Return whether another revision is served than a copy has met."""
        served = self._endpoint.revision
        return (
            served is None or copy.revision is None or served.name != copy.revision.name
        )

    def _run(
        self, copy: Copy, reporter: Reporter, budget: RequestBudget
    ) -> Iterator[UpdatePage]:
        state = self._state(copy, budget)
        read = state.position.covered_until <= state.floor and state.position.coverage
        for part in given(state, reporter):
            if copy.revision and self._has_changed(copy):
                raise PaginationError("the service lists in another way than before")
            revision, position = self._endpoint.revision, state.position
            copy = evolve(copy, revision=revision, position=position)
            if read:
                copy = evolve(copy, floor=read.mark, position=Position())
            if part.contexts:
                yield _page(copy, part.contexts)
        coverage = state.position.coverage if state.is_complete else None
        moves = coverage is not None and coverage.sort_time.moves
        floor = coverage.mark if coverage and moves else Mark()
        copy = evolve(copy, floor=floor, position=Position())
        yield _page(copy, [], complete=state.is_complete)

    def _state(self, copy: Copy, budget: RequestBudget) -> State:
        first = Window(0, self._filters.per_page or MAX_PER_PAGE)
        reader = Reader(self._endpoint, self._filters, budget)
        overlap = 0 if copy.floor.is_old else _OVERLAP
        floor = max(copy.floor.time - overlap, END)
        return State(reader, self._options, first, copy.position, floor)


def _page(
    copy: Copy, contexts: list[AiExecutionContext], *, complete: bool = False
) -> UpdatePage:
    return UpdatePage(
        data=contexts,
        state=copy.to_text(),
        complete=complete,
        reads_all=copy.reads_all,
        started_at=moment_of(copy.started_at),
    )
