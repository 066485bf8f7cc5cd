"""The two revisions of the endpoint: how each writes a window, and reads an answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from attrs import frozen

from wacht import _contexts as facts
from wacht._text import safe_repr
from wacht.errors import PaginationError

from .windows import Batch, Window

if TYPE_CHECKING:
    from wacht.models import ListExecutionContextsOptions as Options

    from .answers import PageResponse

Query = dict[str, str]
_BY_OFFSET = {*facts.OFFSET_FIELDS}.difference(facts.PAGE_FIELDS)


@frozen
class Revision(ABC):
    """One way in which the endpoint is served."""

    name: ClassVar[Literal["page", "offset"]]  # as in `Session(pagination=…)`
    filters: ClassVar[tuple[str, ...]]  # it ignores others
    sort_time: ClassVar[facts.SortTime]  # the list is sorted by it
    echoes: bool = False  # answers say which window was applied

    @abstractmethod
    def query(self, window: Window) -> dict[str, int]:
        """Write a window as query values."""

    def window_at(self, window: Window, most: int = facts.MAX_PER_PAGE) -> Window:
        """Return a window of at most `most` contexts that begins no later."""
        del most
        return window

    def read(self, answer: PageResponse, window: Window, options: Options) -> Batch:
        """Return the batch that an answer gives; raise if a query value was ignored."""
        applied = self._applied(window, answer)
        self._check_filters(answer, options)
        return Batch(applied, answer.contexts, answer.has_more, answer.date)

    @abstractmethod
    def _applied(self, window: Window, answer: PageResponse) -> Window:
        """Return the window that was applied; raise if it is at another place."""

    def _check_filters(self, answer: PageResponse, options: Options) -> None:
        """Compare the contexts with the filters: the service ignores unknown ones."""
        # A context may leave out a field, if it's certain that the service knows the
        # filter: the page revision leaves out what it can't filter by.
        certain = self.name == "page" or answer.applied is not None
        for name, wanted in filters_of(options).items():
            supported = name in self.filters
            may_lack = supported and certain
            if reason := _first_mismatch(answer, name, wanted, may_lack=may_lack):
                if not supported:
                    reason = (
                        f"it is of the {self.name} revision, which has no such filter; "
                        "list without it"
                    )
                message = f"the service ignored the filter {name}={safe_repr(wanted)}"
                raise PaginationError(f"{message}: {reason}")


@frozen
class PageRevision(Revision):
    """The revision with `page` and `per_page`; windows begin at multiples of it."""

    name = "page"
    filters = facts.PAGE_FILTERS
    sort_time = facts.PAGE_SORT_TIME

    def query(self, window: Window) -> dict[str, int]:
        return {"page": window.offset // window.limit + 1, "per_page": window.limit}

    def window_at(self, window: Window, most: int = facts.MAX_PER_PAGE) -> Window:
        """Return the smallest aligned window that covers it, or else most of it."""
        offset, goal = window.offset, window.end
        if offset % window.limit == 0:  # as most are; to search takes time
            return window
        ends = {n: offset - offset % n + n for n in range(1, most + 1)}
        covering = (n for n, end in ends.items() if end >= goal)
        limit = next(covering, None) or max(ends, key=lambda n: ends[n])
        return Window(offset - offset % limit, limit)

    def _applied(self, window: Window, answer: PageResponse) -> Window:
        if answer.applied not in (None, window):
            raise PaginationError(
                f"asked for {window}, the service applied {answer.applied}, as the "
                'offset revision does: use pagination "offset" or "auto"'
            )
        return window


@frozen
class OffsetRevision(Revision):
    """The revision with `limit` and `offset`; an older build doesn't echo them."""

    name = "offset"
    filters = facts.OFFSET_FILTERS
    sort_time = facts.OFFSET_SORT_TIME
    echoes: bool = True

    def query(self, window: Window) -> dict[str, int]:
        return {"limit": window.limit, "offset": window.offset}

    def _applied(self, window: Window, answer: PageResponse) -> Window:
        """Believe the limit that is echoed: the service may have a smaller one."""
        if answer.applied is None:
            if self.echoes:
                raise PaginationError(
                    f"asked for {window}, the service no longer says what it applied: "
                    "it has changed. List from the start, without `resume`"
                )
            if answer.has_more and answer.contexts:
                return Window(window.offset, len(answer.contexts))
            return window
        if answer.applied.offset != window.offset:
            raise PaginationError(
                f"asked for {window}, the service applied {answer.applied}"
            )
        return answer.applied


REVISIONS: dict[str, Revision] = {
    "page": PageRevision(),
    "offset": OffsetRevision(echoes=False),
}


def filters_of(options: Options) -> dict[str, str]:
    """Return the filters that are set, as plain strings."""
    values = {name: getattr(options, name) for name in facts.FILTERS}
    # Not `str()`, which some enums define anew.
    return {n: str.__str__(v) for n, v in values.items() if v is not None}


def write_query(place: dict[str, int], options: Options) -> Query:
    numbers = {name: int.__repr__(value) for name, value in place.items()}
    return numbers | filters_of(options)


def _first_mismatch(
    answer: PageResponse, name: str, wanted: str, *, may_lack: bool
) -> str | None:
    # The value isn't shown: the key may be in it.
    for index, context in enumerate(answer.contexts):
        if getattr(context, name) is not None:
            if not facts.accepts(context, name, wanted):
                return f"data[{index}].{name} is another"
        elif not may_lack:
            return f"data[{index}].{name} is missing"
        elif answer.applied is None and any(getattr(context, n) for n in _BY_OFFSET):
            return (
                f"data[{index}] is of an older build of the offset revision, which has "
                'no such filter; list without it, and with pagination="offset"'
            )
    return None
