"""The two revisions of the endpoint: how each writes a window, and reads an answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from attrs import frozen

from wacht._contexts import (
    FILTERS,
    MAX_PER_PAGE,
    OFFSET_FILTERS,
    OFFSET_SORT_TIMES,
    PAGE_FILTERS,
    PAGE_SORT_TIMES,
    Filter,
    SortTime,
)
from wacht._text import safe_repr
from wacht.errors import PaginationError

from .windows import Batch, Window

if TYPE_CHECKING:
    from wacht.models import ListExecutionContextsOptions

    from .answers import PageResponse

Query = dict[str, str]


@frozen
class Revision(ABC):
    """One way in which the endpoint is served."""

    name: ClassVar[
        Literal["page", "offset"]
    ]  # the value of `Session(pagination=…)` that fixes it
    filters: ClassVar[tuple[Filter, ...]]  # those that it applies; it ignores others
    sort_times: ClassVar[tuple[SortTime, ...]]  # the list may be sorted by one of them
    echoes: bool = False  # answers say which window was applied

    @abstractmethod
    def query(self, window: Window) -> dict[str, int]:
        """Write a window as query values."""

    @abstractmethod
    def window_at(self, window: Window, most: int = MAX_PER_PAGE) -> Window:
        """Return a window of at most `most` contexts that begins no later."""

    @abstractmethod
    def read(
        self,
        answer: PageResponse,
        window: Window,
        options: ListExecutionContextsOptions,
    ) -> Batch:
        """Return the batch that an answer gives; raise if a query value was ignored."""


@frozen
class PageRevision(Revision):
    """The revision with `page` and `per_page`; windows begin at multiples of it."""

    name: ClassVar[Literal["page", "offset"]] = "page"
    filters: ClassVar[tuple[Filter, ...]] = PAGE_FILTERS
    sort_times: ClassVar[tuple[SortTime, ...]] = PAGE_SORT_TIMES

    def query(self, window: Window) -> dict[str, int]:
        return {"page": window.offset // window.limit + 1, "per_page": window.limit}

    def window_at(self, window: Window, most: int = MAX_PER_PAGE) -> Window:
        """
        Return the smallest aligned window that covers the one asked for.

        If there is none, it is the one that begins no later and ends last.
        """
        offset, goal = window.offset, window.end
        if offset % window.limit == 0:  # as most are; to search takes time
            return window
        ends = {n: offset - offset % n + n for n in range(1, most + 1)}
        covering = (n for n, end in ends.items() if end >= goal)
        limit = next(covering, None) or max(ends, key=lambda n: ends[n])
        return Window(offset - offset % limit, limit)

    def read(
        self,
        answer: PageResponse,
        window: Window,
        options: ListExecutionContextsOptions,
    ) -> Batch:
        """Take the page as the one asked for, since the service doesn't say."""
        if answer.applied not in (None, window):
            raise PaginationError(
                f"asked for {window}, the service applied {answer.applied}: it seems "
                "to ignore `page`, as the offset revision does. Use pagination "
                '"offset" or "auto"'
            )
        _check_filters(answer, options, self)
        return Batch(window, answer.contexts, answer.has_more, answer.date)


@frozen
class OffsetRevision(Revision):
    """The revision with `limit` and `offset`; an older build doesn't echo them."""

    name: ClassVar[Literal["page", "offset"]] = "offset"
    filters: ClassVar[tuple[Filter, ...]] = OFFSET_FILTERS
    sort_times: ClassVar[tuple[SortTime, ...]] = OFFSET_SORT_TIMES
    echoes: bool = True

    def query(self, window: Window) -> dict[str, int]:
        return {"limit": window.limit, "offset": window.offset}

    def window_at(self, window: Window, most: int = MAX_PER_PAGE) -> Window:
        del most
        return window

    def read(
        self,
        answer: PageResponse,
        window: Window,
        options: ListExecutionContextsOptions,
    ) -> Batch:
        """Take as many contexts as came; the service may have a smaller limit."""
        applied = answer.applied
        if applied is None and self.echoes:
            raise PaginationError(
                f"asked for {window}, the service no longer says what it applied. It "
                "may have changed: try again, the next request finds out"
            )
        if applied is not None and applied.offset != window.offset:
            raise PaginationError(f"asked for {window}, the service applied {applied}")
        _check_filters(answer, options, self)
        if applied is not None:
            window = applied
        elif answer.has_more and answer.contexts:
            window = Window(window.offset, len(answer.contexts))
        return Batch(window, answer.contexts, answer.has_more, answer.date)


REVISIONS: dict[str, Revision] = {
    "page": PageRevision(),
    "offset": OffsetRevision(echoes=False),
}


def filters_of(options: ListExecutionContextsOptions) -> dict[str, str]:
    """Return the filters that are set, as text."""
    values = {name: getattr(options, name) for name in FILTERS}
    return {n: FILTERS[n].text(v) for n, v in values.items() if v is not None}


def write_query(place: dict[str, int], options: ListExecutionContextsOptions) -> Query:
    """Write query values as text."""
    numbers = {name: int.__repr__(value) for name, value in place.items()}
    return numbers | filters_of(options)


def _check_filters(
    answer: PageResponse, options: ListExecutionContextsOptions, revision: Revision
) -> None:
    """
    Compare the contexts with the filters: the service ignores those it doesn't know.

    A context may leave out a field. But if it isn't certain that the service knows the
    filter, it must be there: the page revision leaves out what it can't filter by.
    """
    uncertain = revision.name == "offset" and answer.applied is None
    for name in filters_of(options):
        wanted, known = getattr(options, name), FILTERS[name]
        supported = known in revision.filters
        may_lack = supported and not uncertain
        if mismatch := _first_mismatch(answer, known, wanted, may_lack=may_lack):
            reason = mismatch if supported else _unsupported(revision.name)
            raise PaginationError(
                f"the service ignored the filter {name}={safe_repr(wanted)}: {reason}"
            )


def _first_mismatch(
    answer: PageResponse, known: Filter, wanted: object, *, may_lack: bool
) -> str | None:
    # The value isn't shown: the key may be in it.
    for index, context in enumerate(answer.contexts):
        got = getattr(context, known.field)
        if got is None and not may_lack:
            return f"data[{index}].{known.field} is missing"
        if got is not None and not known.accepts(got, wanted):
            return f"data[{index}].{known.field} is another"
    return None


def _unsupported(revision: str) -> str:
    other = "offset" if revision == "page" else "page"
    return (
        f"its {revision} revision doesn't know it, only the {other} revision does "
        f'(pagination "{other}", if the service has that one)'
    )
