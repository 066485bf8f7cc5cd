"""The first reading of the list, from the first window or a checkpoint to its end."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from attrs import evolve

from wacht._protocol.windows import Slice, Window
from wacht.errors import PaginationError
from wacht.models import ExecutionContextListResponse as Page

from .passes import HINT, Pass
from .state import all_in

if TYPE_CHECKING:
    from .checkpoint import Checkpoint
    from .coverage import Interval
    from .state import State

_ENDED = "contexts may be missing: the list ended behind a page that had nothing new"
_OLDER_SIZE = 50  # of the pages of the older build, which ignores `page`


class MainPass(Pass):
    """The first reading, from the first window or a checkpoint to the list's end."""

    def __init__(self, state: State, checkpoint: Checkpoint | None) -> None:
        coverage = checkpoint.coverage if checkpoint else state.begin()
        if state.reader.known_revision and coverage.rule != state.rule:
            coverage = state.begin()
        if coverage.begun and coverage.rule == "order":
            state.order.update(zip(state.given, count(), strict=False))
        super().__init__(state, coverage, state.floor, state.options.prefetch)
        self._size = state.first.limit if checkpoint else _page_size(state)
        self.is_complete = False  # whether nothing is missing without a second look
        self.is_continued = checkpoint is not None  # whether some was given before
        self.is_rereading = bool(state.given) and not coverage.begun
        self.ids = dict[str, None]() if self.is_rereading else state.given

    @property
    def _left(self) -> int:
        return self._state.left

    def _take(self) -> Slice:
        state, begun = self._state, self.coverage.begun
        part = super()._take()
        if state.is_by_page and state.options.active_since:
            raise PaginationError(
                "active_since needs the offset revision; this service lists by page"
            )
        if self.coverage.rule != state.rule:
            self.coverage = state.begin()
            if begun:  # what another rule covered doesn't count by this one
                self.is_continued, self.is_rereading, self.ids = True, True, {}
                self._restart()
                return self._take()
        return self._reread_if_stale(self._with_served_size(part))

    def _with_served_size(self, part: Slice) -> Slice:
        """Go on with smaller pages if the service has a smaller limit."""
        state, size, begun = self._state, len(part.contexts), self.coverage.begun
        is_whole = begun and state.rule == "place"
        is_short = part.has_more and 0 < size < part.window.limit
        if is_whole or not is_short or not state.is_by_page:
            return part
        window = Window(part.window.offset // part.window.limit * size, size)
        state.most = state.cap = size
        if not begun:
            state.first, self._size = window, size
        return evolve(part, window=window)

    def _reread_if_stale(self, part: Slice) -> Slice:
        """Ask again for a page that has nothing new: it may be a stale answer."""
        state = self._state
        if state.rule != "place" or not (part.has_more and all_in(part, self.ids)):
            return part
        self._stalled += 1
        part = state.reader.read(part.window)
        is_page_1 = len(state.given) == len(part.contexts) >= _OLDER_SIZE
        if is_page_1 and all_in(part, state.given) and not self.is_continued:
            raise PaginationError(f"the service gave page 1 again and again. {HINT}")
        return part

    def _page(self, part: Slice, interval: Interval) -> Page:
        state, before = self._state, self.coverage
        places = state.rule == "place"
        if places and self._stalled > 1 and not (part.contexts or part.has_more):
            self.coverage = evolve(before, doubt=_ENDED)
        page = super()._page(part, interval)
        if places and (again := self._repeats(part, before.end)) > 0:
            self._restart()  # what was asked for together may have a gap
            self.coverage = evolve(self.coverage, repeats=before.repeats + again)
        calm = places and state.is_by_page and not self.coverage.repeats
        is_whole = self.is_done and not (state.first.offset or self.coverage.doubt)
        self.is_complete = is_whole and (calm or not before.begun)
        return page

    def _repeats(self, part: Slice, end: int) -> int:
        """Note what is read; count what comes again, beyond what answers share."""
        ids = {context.id: None for context in part.contexts if context.id is not None}
        known = len(ids.keys() & self.ids.keys())
        if self.is_rereading:
            self.ids |= ids
        return known - max(0, end - part.window.offset)


def _page_size(state: State) -> int:
    """Return how many contexts to ask for, so that no more is requested than needed."""
    start, size = state.first.offset, state.first.limit
    least = min(size, state.options.limit or size)
    return size if start % least else least  # a smaller page would begin elsewhere
