"""Read windows of the list, in the revision that is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

from wacht._protocol.answers import PageResponse, SmallerPageMayHelp
from wacht._protocol.revisions import OffsetRevision, PageRevision, write_query
from wacht._protocol.windows import Batch, Window

if TYPE_CHECKING:
    from collections.abc import Collection

    from wacht._http.endpoint import Endpoint
    from wacht._http.retry import Retries
    from wacht._protocol.revisions import Revision
    from wacht._waiting import RequestBudget
    from wacht.models import ListExecutionContextsOptions as Options


@define(eq=False)
class Reader:
    """Read windows of the list that some filters mean. Threads may share one."""

    endpoint: Endpoint
    filters: Options
    budget: RequestBudget
    has_own_size: bool = False  # whether the service's pages aren't as long as asked

    @property
    def revision(self) -> Revision:
        """The revision that is served, or that is tried first."""
        return self.endpoint.revision or PageRevision()

    def read(self, window: Window) -> Batch:
        """Read a window, or only its beginning if all of it is too large or slow."""
        retries: Retries | None = None
        while True:
            try:
                # Nothing tells where parts of a service's own pages would begin.
                can_shrink = window.limit > 1 and not self.has_own_size
                return self.ask(window, retries=retries, can_shrink=can_shrink)
            except SmallerPageMayHelp as error:
                retries = error.retries
                window = Window(window.offset, max(1, window.limit // 4))

    def ask(
        self,
        window: Window,
        omitted: Collection[str] = (),
        *,
        retries: Retries | None = None,
        can_shrink: bool = False,
    ) -> Batch:
        """Ask for a window, and again if another revision turns out to be served."""
        revision = self.revision
        window = revision.window_at(window)
        place = revision.query(window)
        if retries and self.endpoint.revision is None:  # each ignores the other
            place |= OffsetRevision().query(window)
        place = {name: place[name] for name in place if name not in omitted}
        query = write_query(place, self.filters)
        answer = self.endpoint.ask(query, self.budget, retries, can_shrink=can_shrink)
        tried, revision = revision, self._negotiated(revision, answer)
        is_elsewhere = answer.applied and answer.applied.offset != window.offset
        if is_elsewhere and revision != tried:
            return self.ask(window, can_shrink=can_shrink)
        batch = revision.read(answer, window, self.filters)
        self.budget.remaining()  # decoding takes time, too
        return batch

    def _negotiated(self, revision: Revision, answer: PageResponse) -> Revision:
        """Learn from the echo which revision is served; return that of the answer."""
        if self.endpoint.fixed:
            return revision
        if answer.applied:
            revision = self.endpoint.revision = OffsetRevision()
        elif revision.echoes:
            self.endpoint.revision = None  # for the next request to find out
        elif revision.name == "page":
            self.endpoint.revision = self.endpoint.revision or revision
        return revision
