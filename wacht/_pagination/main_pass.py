"""The first reading of the list, which learns what the service is like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from wacht._protocol.windows import Slice, Window
from wacht.errors import PaginationError
from wacht.models import MAX_PER_PAGE

from .passes import Pass
from .state import key

if TYPE_CHECKING:
    from wacht.models import AiExecutionContext
    from wacht.models import ExecutionContextListResponse as Page

    from .checkpoint import Checkpoint
    from .coverage import Interval
    from .state import State

MAX_STALLED = 30  # answers in a row without a new context

_HINT = ' If it is an older build of the offset revision, set pagination="offset".'
_SKIPPED = (
    "the service repeated a page, and what came next doesn't continue the page before "
    "it: contexts may be missing in between"
)


class MainPass(Pass):
    """Read a list from the first window, or from a checkpoint, to its end."""

    def __init__(self, state: State, checkpoint: Checkpoint | None) -> None:
        super().__init__(
            state,
            checkpoint.coverage if checkpoint else state.begin(),
            state.floor,
            size=state.first.limit if checkpoint else _page_size(state),
            prefetch=state.options.prefetch,
        )
        self.is_complete = False  # whether nothing is missing without a second look
        self.is_part = self.coverage.begun  # whether an earlier walk read the beginning
        self._is_new = checkpoint is None
        if self._is_new:
            self.ids = state.given
        self._answers = 0
        self._stalled = 0  # answers without anything new, in a row
        self._tail: str | None = None  # the last context of a page without

    def _take(self) -> Slice:
        state, begun = self._state, self.coverage.begun
        known = state.reader.known_revision
        part = super()._take()
        if state.is_by_page and state.options.active_since:
            raise PaginationError(
                "active_since needs a list by activity, which only the offset revision "
                "of the service has; this service lists by page"
            )
        if self.coverage.rule != state.rule:
            self.coverage, self.is_part = state.begin(), False
            if begun:  # what another rule covered doesn't count by this one
                self._restart()
                return self._take()
        if not state.is_by_page and known is None:
            state.most = MAX_PER_PAGE  # what came is the service's default
        if state.is_by_page and (state.rule == "order" or not begun):
            part = self._as_it_came(part)
        return self._checked(part)

    def _as_it_came(self, part: Slice) -> Slice:
        """Go on with smaller pages if the service has a smaller limit."""
        state, size = self._state, len(part.contexts)
        if not part.has_more or not 0 < size < part.window.limit:
            return part
        window = Window(part.window.offset // part.window.limit * size, size)
        state.most = state.cap = size
        if not self.coverage.begun:
            state.first, self._size = window, size
        return evolve(part, window=window)

    def _checked(self, part: Slice) -> Slice:
        """Ask again for a page that doesn't lead on: it may be a stale answer."""
        state, is_behind = self._state, part.contexts and part.window.offset > 0
        is_second = self._answers == 1 and self._is_new and state.is_by_page
        doubtful = state.rule == "place" or (is_second and is_behind)
        if doubtful and self._is_stalled(part):
            part = state.reader.read(part.window)
            self._stalled += 1
        self._answers += 1
        self._stalled += 1
        if self._is_stalled(part) and is_second and is_behind:
            raise PaginationError(
                "the service gave page 1 again instead of page 2: it ignores `page`."
                + _HINT
            )
        if self._stalled >= MAX_STALLED + state.options.prefetch:
            raise PaginationError(
                f"{self._stalled} answers in a row had nothing new, although the "
                f"service says that there is more.{_HINT * state.is_by_page}"
            )
        return part

    def _is_stalled(self, part: Slice) -> bool:
        return part.has_more and not self._has_news(part)

    def _has_news(self, part: Slice) -> bool:
        return any(key(context) not in self.ids for context in part.contexts)

    def _page(self, part: Slice, interval: Interval) -> Page:
        state, begun = self._state, self.coverage.begun
        places, duplicates = state.rule == "place", state.duplicates
        news = self._has_news(part) or not part.has_more
        if places and self._skips(part):
            self.coverage = evolve(self.coverage, doubt=_SKIPPED)
        page = super()._page(part, interval)
        if news and (page.data or not self._is_new or not part.has_more):
            self._stalled = 0
        if places and state.duplicates > duplicates:
            self._restart()  # what was asked for together may have a gap
            self.coverage = evolve(self.coverage, repeated=True)
        calm = places and state.is_by_page and not self.coverage.repeated
        at_once = not begun and self.is_done
        self.is_complete = self.is_done and not state.first.offset and (calm or at_once)
        return page

    def _note_ids(self, contexts: list[AiExecutionContext]) -> None:
        if not self._is_new:  # else the walk notes what it gives
            super()._note_ids(contexts)

    def _skips(self, part: Slice) -> bool:
        """Return whether a page doesn't continue what came before repeated ones."""
        tail, self._tail = self._tail, None
        if part.contexts and not self._has_news(part):
            self._tail = key(part.contexts[-1])
        if tail is None or not part.contexts:
            return tail is not None and not part.has_more
        edge = next(reversed(self.ids), None)
        return tail != edge and key(part.contexts[0]) not in self.ids


def _page_size(state: State) -> int:
    """Return how many contexts to ask for, so that no more is requested than needed."""
    start, size = state.first.offset, state.first.limit
    least = min(size, state.options.limit or size)
    return size if start % least else least  # a smaller page would begin elsewhere
