"""How far a reading of the list came."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from wacht._protocol.windows import Window

from .next_window import Search

if TYPE_CHECKING:
    from wacht._contexts import SortTime
    from wacht._protocol.windows import Batch

    from .coverage import Coverage, Interval

    Intervals = dict[SortTime, Interval]


@frozen
class Position:
    """
    What is covered, and where the next window is searched.

    Attributes:
        search: Where to read on.
        coverages: What is covered, for each time that the list may be sorted by. The
            first one decides; the others are there in case an answer contradicts it.
        is_overlapping: Whether answers have to join; else they are read side by side.
        begun: Whether there was an answer.
        ended: Whether the end of the list was read.
        incomplete_reason: Why contexts may be missing that no further answer brings.
        repeats: Contexts that came again on a later page.
        read_before_recheck: How many contexts had been given before the first recheck,
            where no time tells.
    """

    search: Search
    coverages: tuple[Coverage, ...] = ()
    is_overlapping: bool = False
    begun: bool = False
    ended: bool = False
    incomplete_reason: str = ""
    repeats: int = 0
    read_before_recheck: int = 0

    @property
    def leading(self) -> Coverage | None:
        """What is covered, if a time shows it."""
        return self.coverages[0] if self.coverages else None

    @property
    def covered_until(self) -> float:
        """The time down to which all was read."""
        if self.coverages:
            return self.coverages[0].covered_until
        return -inf if self.ended else inf

    @property
    def is_ambiguous(self) -> bool:
        """Whether contexts may be missing that no further answer brings."""
        leading = self.leading
        is_wide = leading is not None and leading.ambiguous_time is not None
        return is_wide or bool(self.incomplete_reason)

    def is_side_by_side(self, limit: int) -> bool:
        """Return whether the next answer only has to begin where the last one ended."""
        if not (self.is_overlapping and self.coverages):
            return True
        return self.coverages[0].is_too_wide(limit)

    def joins(self, batch: Batch, intervals: Intervals) -> bool:
        """Return whether nothing can be missing between the end and an answer."""
        if self.is_side_by_side(batch.window.limit):
            return batch.window.offset <= self.search.end
        leading = self.coverages[0]
        return not self.begun or leading.joins(intervals[leading.sort_time])

    def add(
        self,
        batch: Batch,
        intervals: Intervals,
        floor: float,
        *,
        is_gap: bool,
    ) -> Position:
        """Return the position behind an answer; below the floor, none is needed."""
        if self.coverages and not (self.begun or batch.contexts) and batch.has_more:
            return self  # an empty answer is no beginning
        position = evolve(self, begun=True, ended=not batch.has_more)
        if not self.coverages:
            end = max(self.search.end, batch.window.end)
            return evolve(position, search=evolve(self.search, end=end))
        leading, *others = self.coverages
        interval = intervals[leading.sort_time]
        joins = not (self.is_overlapping and self.begun) or leading.joins(interval)
        coverages = [leading if joins else leading.without_count()]
        coverages += [
            other
            for other in others
            if not self.begun or other.joins(intervals[other.sort_time])
        ]
        if interval.oldest <= leading.covered_until:
            search = self.search.behind(batch.window)
        else:
            is_lost = leading.ties_at_end == 0
            search = self.search.further_on(
                batch.window, is_lost=is_lost, is_gap=is_gap
            )
        added = (c.add(batch, intervals[c.sort_time], floor) for c in coverages)
        return evolve(position, search=search, coverages=tuple(added))

    def behind(self, window: Window) -> Position:
        """Return the position after a window that is answered in full."""
        return evolve(self, search=self.search.behind(window))

    def further_back(self, max_limit: int) -> Position:
        """Return the position after an answer that doesn't join."""
        return evolve(self, search=self.search.further_back(max_limit))

    def can_read_ahead(self, limit: int) -> bool:
        """Return whether windows that are read ahead will likely join."""
        if self.is_side_by_side(limit):
            return True
        return self.coverages[0].ties_at_end <= 1 + self.search.extra_overlap

    def without_proof(self, reason: str, size: int) -> Position:
        """Return the position to read on from page by page; the proof has ended."""
        end = self.search.end - self.search.end % size
        return evolve(
            self,
            search=Search(end),
            coverages=(),
            is_overlapping=False,
            incomplete_reason=reason,
        )

    def window(self, size: int, max_limit: int) -> Window:
        """Return the next window, with some new contexts; full in a wide group."""
        end = self.search.end
        if not (self.begun and self.is_overlapping and self.coverages):
            return Window(end, min(size, max_limit))
        if self.is_side_by_side(max_limit):
            return Window(end, max_limit)
        ties = self.coverages[0].ties_at_end
        overlap = min(max(ties, 1) + 1, max_limit - 1)
        is_full = ties == 0 or ties > size
        return self.search.window(max_limit if is_full else size, max_limit, overlap)
