"""The first reading of the list, from the first window or a checkpoint to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from wacht.errors import PaginationError
from wacht.models import ExecutionContextListResponse as Page

from .scan import HINT, Scan
from .state import all_in

if TYPE_CHECKING:
    from wacht._protocol.windows import Batch

    from .checkpoint import Checkpoint
    from .position import Intervals
    from .state import State

_ENDED = "contexts may be missing: the list ended behind a page that had nothing new"
_OLDER_SIZE = 50  # of the pages of the older build, which ignores `page`


class FirstScan(Scan):
    """The first reading, from the first window or a checkpoint to the list's end."""

    def __init__(self, state: State, checkpoint: Checkpoint | None) -> None:
        position = checkpoint.position if checkpoint else state.begin()
        unproven = not (position.is_overlapping or position.incomplete_reason)
        if state.is_exhaustive and unproven:  # only a reading of all can prove it
            position = state.begin()
        elif position.is_overlapping and not state.is_exhaustive:
            position = position.without_proof("", state.first.limit)
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
        batch = super()._take()
        state = self._state
        if state.is_by_page and state.options.active_since:
            raise PaginationError(
                "active_since needs the offset revision; this service lists by page"
            )
        if not self.position.begun:  # now the revision is known
            self.position = state.begin()
        return self._reread_if_stale(batch)

    def _reread_if_stale(self, batch: Batch) -> Batch:
        """Ask again for a page that has nothing new: it may be a stale answer."""
        state = self._state
        if self.position.coverages or not (batch.has_more and all_in(batch, self.ids)):
            return batch
        self._stalled += 1
        batch = state.reader.read(batch.window)
        is_page_1 = len(state.yielded) == len(batch.contexts) >= _OLDER_SIZE
        if is_page_1 and all_in(batch, state.yielded) and not self.is_continued:
            raise PaginationError(f"the service gave page 1 again and again. {HINT}")
        return batch

    def _page(self, batch: Batch, intervals: Intervals) -> Page:
        state, before = self._state, self.position
        plain = not before.coverages
        if plain and self._stalled > 1 and not (batch.contexts or batch.has_more):
            self.position = evolve(before, incomplete_reason=_ENDED)
        page = super()._page(batch, intervals)
        if plain and (again := self._repeats(batch, before.search.end)) > 0:
            self._restart()  # what was asked for together may have a gap
            self.position = evolve(self.position, repeats=before.repeats + again)
        # One answer shows the whole list as it was at one moment.
        is_one = self.is_done and not before.begun
        self.is_complete = is_one and state.first.offset == 0
        return page

    def _repeats(self, batch: Batch, end: int) -> int:
        """Note what is read; count what comes again, beyond what answers share."""
        ids = {context.id: None for context in batch.contexts if context.id is not None}
        known = len(ids.keys() & self.ids.keys())
        if self.is_rereading:
            self.ids |= ids
        return known - max(0, end - batch.window.offset)


def _page_size(state: State) -> int:
    """Return how many contexts to ask for, so that no more is requested than needed."""
    start, size = state.first.offset, state.first.limit
    least = min(size, state.options.limit or size)
    return size if start % least else least  # a smaller page would begin elsewhere
