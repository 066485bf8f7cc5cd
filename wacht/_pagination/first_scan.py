"""The first reading of the list, from the first window or a checkpoint to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from wacht._contexts import DEFAULT_LIMIT
from wacht.errors import PaginationError
from wacht.models import ExecutionContextListResponse as Page

from .scan import HINT, Scan
from .state import key, new_in

if TYPE_CHECKING:
    from wacht._protocol.windows import Batch

    from .checkpoint import Checkpoint
    from .coverage import Intervals
    from .state import State

_ENDED = "contexts may be missing: the list ended behind a page that had nothing new"


class FirstScan(Scan):
    """The first reading, from the first window or a checkpoint to the list's end."""

    def __init__(self, state: State, checkpoint: Checkpoint | None) -> None:
        position = checkpoint.position if checkpoint else state.begin()
        unproven = not (position.is_overlapping or position.incomplete_reason)
        if state.is_exhaustive and unproven:  # only a reading of all can prove it
            position = state.begin()
        elif not state.is_exhaustive and state.is_by_page:
            position = position.in_pages(state.first.limit, "")
        elif not state.is_exhaustive:
            position = evolve(position, is_overlapping=False, incomplete_reason="")
        super().__init__(state, position, state.floor, state.options.prefetch)
        self._size = state.first.limit if checkpoint else _page_size(state)
        self.is_complete = False  # whether nothing is missing without a recheck
        self.is_continued = checkpoint is not None  # whether some was given before
        self.is_rereading = bool(state.yielded) and not position.begun
        self.ids = dict[str, None]() if self.is_rereading else state.yielded

    @property
    def _remaining(self) -> int:
        return self._state.remaining

    def _take(self) -> Batch:
        batch, state = super()._take(), self._state
        if state.is_by_page and state.options.active_since:
            raise PaginationError(
                "active_since needs the offset revision; this service lists by page"
            )
        if not self.position.begun:
            self.position = state.begin()  # now the revision is known
        return batch

    def _page(self, batch: Batch, intervals: Intervals) -> Page:
        before = self.position
        if not before.coverages:
            self._note_repeats(batch)
        page = super()._page(batch, intervals)
        if self.is_rereading:
            self.ids |= dict.fromkeys(map(key, batch.contexts))
        # One answer shows the whole list as it was at one moment.
        is_one = not before.begun and self.is_done
        self.is_complete = is_one and self._state.first.offset == 0
        return page

    def _note_repeats(self, batch: Batch) -> None:
        """Count what comes again on a later page, beyond what parts of pages share."""
        position, state = self.position, self._state
        ids = {context.id for context in batch.contexts if context.id is not None}
        shared = max(0, position.end - batch.window.offset)
        again = len(ids & self.ids.keys()) - shared
        is_page_1 = len(state.yielded) == len(batch.contexts) >= DEFAULT_LIMIT
        is_same = is_page_1 and not new_in(batch.contexts, state.yielded)
        if is_same and not self.is_continued:
            raise PaginationError(f"the service gave page 1 again. {HINT}")
        if self._stalled > 1 and not (batch.contexts or batch.has_more):
            self.position = evolve(position, incomplete_reason=_ENDED)
        if again > 0:
            self._restart()  # what was asked for together may have a gap
            self.position = evolve(self.position, repeats=position.repeats + again)


def _page_size(state: State) -> int:
    """Return how many contexts to ask for, so that no more is requested than needed."""
    start, size = state.first.offset, state.first.limit
    least = min(size, state.options.limit or size)
    return size if start % least else least  # a smaller page would begin elsewhere
