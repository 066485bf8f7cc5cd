"""Read windows of the list, in the revision that is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

from wacht._contexts import DEFAULT_PER_PAGE
from wacht._protocol.answers import SmallerPageMayHelp
from wacht._protocol.revisions import OffsetRevision, PageRevision, write_query
from wacht._protocol.windows import Window, window_of
from wacht._waiting import RequestBudget
from wacht.errors import PaginationError
from wacht.models import ExecutionContextListResponse

from .checkpoint import checkpoint_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from wacht._http.endpoint import Endpoint
    from wacht._http.retry import Retries
    from wacht._protocol.answers import PageResponse
    from wacht._protocol.revisions import Revision
    from wacht._protocol.windows import Batch
    from wacht.models import ListExecutionContextsOptions as Options


@define(eq=False)
class Reader:
    """Read windows of the list that some filters mean. Threads may share one."""

    _endpoint: Endpoint
    _options: Options
    _budget: RequestBudget
    has_own_size: bool = False  # whether the service's pages aren't as long as asked

    @property
    def revision(self) -> Revision:
        """The revision that is served, as far as known."""
        return self._endpoint.revision or PageRevision()

    @property
    def known_revision(self) -> Revision | None:
        """The revision that is served; None as long as it isn't known."""
        return self._endpoint.revision

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
        if retries and self.known_revision is None:  # each ignores the other
            place |= OffsetRevision().query(window)
        query = write_query(
            {name: place[name] for name in place if name not in omitted}, self._options
        )
        budget, endpoint = self._budget, self._endpoint
        answer = endpoint.ask(query, budget, retries, can_shrink=can_shrink)
        served = self._negotiated(revision, answer)
        if served.echoes and not revision.echoes and answer.applied:
            if answer.applied.offset != window.offset:
                return self.ask(window)
            revision = served
        batch = revision.read(answer, window, self._options)
        self._budget.remaining()  # decoding takes time, too
        return batch

    def _negotiated(self, revision: Revision, answer: PageResponse) -> Revision:
        """Learn from the echo which revision is served; return it, if it's known."""
        if self._endpoint.fixed:
            return revision
        if answer.applied is not None:
            self._endpoint.revision = OffsetRevision()
        elif revision.echoes:
            self._endpoint.revision = None  # for the next request to find out
        elif revision.name == "page":
            self._endpoint.revision = self._endpoint.revision or revision
        return revision if revision.name == "offset" else self.revision


def fetch_page(endpoint: Endpoint, options: Options) -> ExecutionContextListResponse:
    """Read the page that `page` and `per_page` mean."""
    checkpoint_of(options, endpoint.service)  # raises if it is of another list
    reader = Reader(endpoint, options, RequestBudget())
    window = window_of(options, DEFAULT_PER_PAGE)
    omitted = {n for n in ("page", "per_page") if getattr(options, n) is None}
    known = reader.known_revision
    part = reader.ask(window, omitted)
    if known is None and part.has_more and part.window.limit < window.limit:
        part = reader.ask(window)  # the service has another default size
    if window.offset and len(part.contexts) > window.limit:
        raise PaginationError(
            f"asked for {window.limit} contexts, got {len(part.contexts)}: the service "
            "seems to ignore `page` and `per_page`. If it is an older build of the "
            'offset revision, set pagination="offset"'
        )
    # Without `per_page`, the service may have a larger default.
    most = window.limit if options.per_page or part.window != window else None
    contexts = part.contexts[:most]
    more = part.has_more or len(contexts) < len(part.contexts)
    return ExecutionContextListResponse(contexts, more)
