"""Which window to ask for next: behind the end, further on, or further back."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from wacht._contexts import MAX_PER_PAGE
from wacht._protocol.windows import Window

if TYPE_CHECKING:
    from wacht._protocol.windows import Batch

    from .coverage import Coverage, Intervals

_STRIDE = MAX_PER_PAGE
_MAX_EXTRA_OVERLAP = 16


@frozen
class Position:
    """How far a reading came: what is covered, and where it reads on."""

    end: int = 0  # the offset behind what is covered, when it was last read
    shift: int = 0  # of the next window behind the end; negative: before it
    extra_overlap: int = 0  # contexts that windows share beyond what joins them
    # What is covered, for each time that may be the list's order. Without any, pages
    # are read in turn.
    coverages: tuple[Coverage, ...] = ()
    is_overlapping: bool = False  # whether answers have to join
    begun: bool = False  # whether there was an answer
    ended: bool = False  # whether the end of the list was read
    incomplete_reason: str = ""  # why contexts may be missing that no answer brings
    repeats: int = 0  # contexts that came again on a later page
    yielded_before_recheck: int = 0  # where no time tells: contexts until the first one

    @property
    def coverage(self) -> Coverage | None:
        """What tells whether all was read: of times that vary, one that can't move."""

        def rank(c: Coverage) -> tuple[bool, bool, bool]:
            # If it leaves a doubt, a time that moves may only seem to be the order.
            return not c.varies, c.sort_time.moves, c.ambiguous_time is None

        return min(self.coverages, key=rank, default=None)

    @property
    def covered_until(self) -> float:
        """The time down to which all was read."""
        if self.coverage is None:
            return -inf if self.ended else inf
        return self.coverage.covered_until

    @property
    def proof(self) -> Coverage | None:
        """What is covered, if answers have to join it."""
        return self.coverage if self.is_overlapping else None

    @property
    def ambiguous_time(self) -> float | None:
        """A time of which contexts may be missing."""
        return self.proof.ambiguous_time if self.proof else None

    @property
    def is_open(self) -> bool:
        """Whether contexts may be missing that no further answer brings."""
        return bool(self.incomplete_reason) or self.ambiguous_time is not None

    def joins(self, batch: Batch, intervals: Intervals) -> bool:
        """Return whether nothing can be missing between the end and an answer."""
        joinable = self._joinable(batch.window.limit)
        if not joinable:
            return batch.window.offset <= self.end
        return all(c.joins(intervals[c.sort_time]) for c in joinable)

    def add(
        self, batch: Batch, intervals: Intervals, floor: float, *, is_gap: bool
    ) -> Position:
        """Return the position behind an answer; `is_gap` if one below doesn't join."""
        position = evolve(self, begun=True, ended=self.ended or not batch.has_more)
        if not self.coverages:
            return evolve(position, end=max(self.end, batch.window.end))
        if not (self.begun or batch.contexts) and batch.has_more:
            return self  # an empty answer is no beginning
        joinable = self._joinable(batch.window.limit)
        is_above = not all(c.reaches(intervals[c.sort_time]) for c in joinable)
        return evolve(
            position,
            end=batch.window.end,
            shift=self._further_on(is_gap=is_gap) if is_above else 0,
            coverages=tuple(
                c.add(batch, intervals[c.sort_time], floor, must_join=self.begun)
                for c in self.coverages
            ),
        )

    def fitting(self, batch: Batch, intervals: Intervals) -> tuple[Position, str]:
        """Return the position with the times that fit an answer, or why none does."""
        is_behind = self.shift >= 0 and batch.window.end > self.end
        misfits = {
            c: c.misfit(batch, intervals[c.sort_time], is_behind=is_behind)
            for c in self.coverages
        }
        fitting = [c for c in self.coverages if not misfits[c]]
        reaching = [c for c in fitting if c.reaches(intervals[c.sort_time])]
        # Both directions fit as long as all times are equal: then one of them goes on.
        fields = {c.sort_time.field for c in reaching}
        apart = [c for c in fitting if c.sort_time.field not in fields]
        misfit = "" if fitting else misfits[self.coverages[0]]
        return evolve(self, coverages=(*reaching, *apart)), misfit

    def without(self, coverage: Coverage, reason: str) -> Position:
        """Return the position if a time isn't the order; if none is, for a reason."""
        others = tuple(other for other in self.coverages if other is not coverage)
        return evolve(
            self, coverages=others, incomplete_reason="" if others else reason
        )

    def _joinable(self, limit: int) -> list[Coverage]:
        """Return what a window of some contexts can join; else it begins at the end."""
        coverages = self.coverages if self.is_overlapping and self.begun else ()
        return [c for c in coverages if not c.is_too_wide(limit)]

    def behind(self, window: Window) -> Position:
        """Return the position after a window that is answered in full."""
        return evolve(self, end=window.end, shift=0)

    def _further_on(self, *, is_gap: bool) -> int:
        if is_gap:  # what is further down is known: halve a step that went too far
            return abs(self.shift) // 2 if abs(self.shift) > _STRIDE else 0
        was_above = any(c.ties_at_end == 0 for c in self.coverages)
        return max(2 * self.shift, _STRIDE) if was_above else 0

    def further_back(self, max_limit: int) -> Position:
        """Return the position after an answer that doesn't join; twice as far back."""
        if self.shift > 0:
            return evolve(self, shift=self.shift // 2 if self.shift > _STRIDE else 0)
        # Of the first window back, a quarter overlaps the answer that is apart.
        shift = min(2 * self.shift, -max(1, 3 * max_limit // 4))
        extra = self.extra_overlap
        if self.shift == 0:
            extra = min(max(2, 2 * extra), _MAX_EXTRA_OVERLAP)
        return evolve(self, shift=shift, extra_overlap=extra)

    def in_pages(self, size: int, reason: str) -> Position:
        """Return the position to read on from page by page, without a proof."""
        known = self.end % size  # these come again, and are no repeats
        return Position(
            self.end - known,
            begun=self.begun,
            ended=self.ended,
            incomplete_reason=reason,
            repeats=self.repeats - known,
            yielded_before_recheck=self.yielded_before_recheck,
        )

    def can_read_ahead(self, limit: int) -> bool:
        """Return whether windows that are read ahead will likely join."""
        ties = [c.ties_at_end for c in self._joinable(limit)]
        return max(ties, default=0) <= 1 + self.extra_overlap

    def window(self, size: int, max_limit: int) -> Window:
        """Return the next window, with some new contexts; it is full if it searches."""
        joinable = self._joinable(max_limit)
        if not joinable:
            is_wide = self.proof and self.begun
            return Window(self.end, max_limit if is_wide else min(size, max_limit))
        ties = max(c.ties_at_end for c in joinable)
        overlap = min(max(ties, 1) + 1, max_limit - 1)
        overlap += min(self.extra_overlap, (max_limit - overlap) // 8)
        offset = max(0, self.end + self.shift - overlap)
        if self.shift < 0:  # a service with pages of a fixed size shows itself
            return Window(offset, max(1, max_limit - 1))
        is_full = self.shift or ties == 0 or ties > size
        limit = max_limit if is_full else self.end + size - offset
        return Window(offset, min(limit, max_limit))
