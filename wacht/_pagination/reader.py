"""Read windows of one list: in the revision that is served, as large as succeeds."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Protocol

from wacht._protocol.answers import Answer, TooLargeError
from wacht._protocol.revisions import (
    OFFSET_DEFAULT_LIMIT,
    OffsetRevision,
    PageRevision,
    write_query,
)
from wacht._protocol.windows import DEFAULT_PER_PAGE, Run, Window, window_of
from wacht.errors import ApiError, PaginationError, RequestError
from wacht.models import ExecutionContextListResponse

from .deduplication import identity
from .window_size import WindowSize

if TYPE_CHECKING:
    from wacht._protocol.revisions import Query, Revision
    from wacht._waiting import RequestBudget
    from wacht.models import ListExecutionContextsOptions


class SupportsAsk(Protocol):
    """The endpoint, as far as reading needs it."""

    revision: Revision | None
    fixed: bool

    def ask(self, query: Query, budget: RequestBudget, *, retry: bool = True) -> Answer:
        """Send a query and read its answer."""
        ...


class Reader:
    """
    Read windows of the list that some filters mean.

    Args:
        endpoint: Sends queries; keeps the revision for all calls of a session.
        options: The filters.
        budget: What the call may spend.

    Attributes:
        size: How many contexts to ask for.
        fruitless: How many windows were read since one had something new.

    """

    def __init__(
        self,
        endpoint: SupportsAsk,
        options: ListExecutionContextsOptions,
        budget: RequestBudget,
    ) -> None:
        self._endpoint = endpoint
        self._options = options
        self._budget = budget
        self.size = WindowSize()
        self.fruitless = 0

    @property
    def revision(self) -> Revision:
        """The revision that is served, as far as known."""
        return self._endpoint.revision or PageRevision()

    @property
    def is_known(self) -> bool:
        """Whether the revision is known."""
        return self._endpoint.revision is not None

    def assume(self, revision: Revision) -> None:
        """Read in another revision from now on, unless the caller fixed it."""
        if not self._endpoint.fixed:
            self._endpoint.revision = revision

    def use_alternative(self) -> None:
        """Read in the revision that is served if the current one is ignored."""
        self.assume(self.revision.alternative or self.revision)

    def may_be_cut(self, run: Run) -> bool:
        """
        Return whether a run has just the older build's default size, and isn't the end.

        That build ignores `page` and `per_page` and gives its first 50 contexts.
        """
        ignorable = not self._endpoint.fixed and self.revision.alternative is not None
        default = len(run.contexts) == OFFSET_DEFAULT_LIMIT
        return ignorable and default and run.has_more

    def page(self) -> ExecutionContextListResponse:
        """
        Read the page that `page` and `per_page` mean.

        Raises:
            WachtError: There is no such page.

        """
        known = self.is_known
        window = window_of(self._options, DEFAULT_PER_PAGE)
        names = ("page", "per_page")
        omitted = {name for name in names if getattr(self._options, name) is None}
        try:
            run = self._checked(self._ask(self.revision, window, omitted), window)
            if self.may_be_cut(run) and len(run.contexts) != window.limit:
                run = self._by_offset(window) or run
            elif not known and run.has_more and run.window.limit < window.limit:
                run = self._ask(self.revision, window)
        except TooLargeError as error:
            raise error.error from error.error.__cause__
        more = run.has_more or run.window.limit > window.limit
        most = window.limit if run.window != window else None
        return ExecutionContextListResponse(run.contexts[:most], more)

    def _by_offset(self, window: Window) -> Run | None:
        """Read a window by offset, if the service is the build that ignores pages."""
        revision = OffsetRevision(echoes=False)
        try:
            run = self._ask(revision, window, retry=False)
        except (TooLargeError, ApiError, RequestError, PaginationError):
            return None
        if run.has_more and len(run.contexts) != window.limit:
            return None
        self.assume(revision)
        return run

    def first(self, window: Window) -> Run:
        """Read the first window of a walk; the answer counts whatever its size."""
        try:
            return self._checked(self.read(window), window)
        except TooLargeError as error:
            raise error.error from error.error.__cause__

    def first_by_activity(self, window: Window) -> Run:
        """
        Read the first window of a walk that needs the newest activity first.

        Raises:
            PaginationError: The service doesn't list by activity.

        """
        revision = self._endpoint.revision or OffsetRevision(echoes=False)
        if revision.by_activity:
            run = self.read(window, revision)
            if self.revision.by_activity:
                return run
            if _is_by_activity(run, window):
                self.assume(revision)
                return run
        raise PaginationError(
            "active_since needs a list by activity, which only the offset revision of "
            "the service has; this service lists by page"
        )

    def read(self, window: Window, revision: Revision | None = None) -> Run:
        """
        Read a window, or only its beginning if all of it is too large or too slow.

        Args:
            window: The window.
            revision: The revision, if not the one that is known.

        """
        self.fruitless += 1
        try:
            run = self._ask(revision or self.revision, window)
        except TooLargeError as error:
            too_large = error.error
        else:
            self.size.succeeded(window.limit)
            return run
        self.size.failed(window.limit)
        for candidate in [revision] if revision else self._candidates():
            try:  # a service that is down must not cost another row of attempts
                run = self._ask(candidate, Window(window.offset, 1), retry=False)
            except (TooLargeError, ApiError, RequestError):
                continue
            if run.has_more and len(run.contexts) == 1:  # so it wasn't ignored
                self._endpoint.revision = self._endpoint.revision or candidate
            return run
        raise too_large from too_large.__cause__

    def _candidates(self) -> list[Revision]:
        """Return the revisions that may be served."""
        known = self._endpoint.revision
        return (
            [PageRevision(), OffsetRevision(echoes=False)] if known is None else [known]
        )

    def _ask(
        self,
        revision: Revision,
        window: Window,
        omitted: Collection[str] = (),
        *,
        retry: bool = True,
    ) -> Run:
        window = revision.window_at(window.offset, window.limit)
        place = revision.query(window)
        query = write_query(
            {name: place[name] for name in place if name not in omitted}, self._options
        )
        answer = self._endpoint.ask(query, self._budget, retry=retry)
        served = self._negotiated(revision, answer)
        if served.echoes and not revision.echoes and answer.applied:
            if answer.applied.offset != window.offset:
                return self._ask(served, window)
            revision = served
        run = revision.read(answer, window, self._options)
        self._budget.remaining()  # decoding takes time, too
        return run

    def _negotiated(self, revision: Revision, answer: Answer) -> Revision:
        """Learn from an answer which revision is served."""
        if self._endpoint.fixed:
            return revision
        if answer.applied is not None:
            self._endpoint.revision = OffsetRevision()
        elif revision.echoes:
            self._endpoint.revision = None  # for the next request to find out
        elif not revision.by_activity:
            self._endpoint.revision = self._endpoint.revision or revision
        return self.revision

    def _checked(self, run: Run, window: Window) -> Run:
        """Read again by offset if the service ignored which page was asked for."""
        if not window.offset or not self._is_first(run, window):
            return run
        self.use_alternative()
        return self._ask(self.revision, window)

    def _is_first(self, run: Run, window: Window) -> bool:
        """Return whether a run is the list's beginning, as far as it can show that."""
        if self._endpoint.fixed or self.revision.alternative is None:
            return False
        if len(run.contexts) > window.limit:
            return True
        if not self.may_be_cut(run) or len(run.contexts) == window.limit:
            return False
        return resembles(run, self._ask(self.revision, Window(0, window.limit)))


def resembles(run: Run, first: Run) -> bool:
    """Return whether a run is the first one again, some contexts apart that moved."""
    known = set(map(identity, first.contexts))
    shared = sum(identity(context) in known for context in run.contexts)
    return run.has_more and 2 * shared >= len(run.contexts) > 0


def _is_by_activity(run: Run, window: Window) -> bool:
    """Return whether a run without an echo can be one of the offset revision."""
    limited = not run.has_more or len(run.contexts) == window.limit
    return limited and all(context.last_activity_at for context in run.contexts)
