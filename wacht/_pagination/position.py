"""How far a reading came, and which window is next: answers in, windows out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, frozen

from wacht._contexts import MAX_PER_PAGE
from wacht._protocol.windows import Window

from .coverage import END, TOP, Answer, Coverage

if TYPE_CHECKING:
    from wacht._protocol.revisions import Revision


_STRIDE = MAX_PER_PAGE
MAX_EXTRA_OVERLAP = 16


@frozen
class Position:
    """How far a reading came: what is covered, and where it reads on."""

    end: int = 0  # the offset behind what is covered, when it was last read
    shift: int = 0  # of the next window: > 0 as the list grew above the end, < 0 back
    extra_overlap: int = 0  # contexts that windows share beyond what joins them
    coverage: Coverage | None = None  # answers must join it; None: plain pages
    begun: bool = False  # whether there was an answer
    ended: bool = False  # whether plain pages came to the end
    reason: str = ""  # why the proof has ended
    size: int = 0  # of pages that came shorter; with another, they end elsewhere

    @property
    def covered_until(self) -> int:
        """The time down to which all was read."""
        if self.coverage is None:
            return END if self.ended else TOP
        return self.coverage.covered_until

    @property
    def is_doubtful(self) -> bool:
        """Whether contexts may be missing that no further answer brings."""
        ambiguous = self.coverage and self.coverage.ambiguous_time is not None
        return bool(self.reason or ambiguous)

    def joins(self, answer: Answer) -> bool:
        """Return whether nothing can be missing between the end and an answer."""
        if self.coverage and self.begun:
            return self.coverage.joins(answer)
        return self.follows(answer)

    def follows(self, answer: Answer) -> bool:
        """Return whether an answer begins where what is covered ended, or above."""
        return answer.batch.window.offset <= self.end

    def is_too_wide(self, revision: Revision, max_limit: int) -> bool:
        """Return whether more contexts share the last time than a window spans."""
        if not (self.coverage and self.begun) or self.shift > 0:
            return False
        window = revision.window_at(self.joining_window(), max_limit)
        is_full = window.limit > max_limit or window.end <= self.end
        return is_full or self.coverage.is_in_group

    def joining_window(self) -> Window:
        """Return the smallest window that joins the end and goes on behind it."""
        ties = self.coverage.ties_at_end if self.coverage else 0
        offset = max(0, self.end - ties - 1)
        return Window(offset, self.end + 1 - offset)

    def add(self, answer: Answer, floor: int, *, is_known_below: bool) -> Position:
        """Return the position behind an answer."""
        batch, is_gap = answer.batch, not self.joins(answer)
        if self.coverage is None:
            ended = self.ended or answer.oldest <= floor
            end = max(self.end, batch.window.end)
            is_short = batch.has_more and len(batch.contexts) < batch.window.limit
            size = batch.window.limit if is_short else self.size
            return evolve(self, end=end, begun=True, ended=ended, size=size)
        if not (self.begun or batch.contexts) and batch.has_more:
            return self  # an empty answer is no beginning
        shift = 0
        is_near = self.coverage.is_in_group or self.coverage.reaches(answer)
        if self.begun and not is_near:  # the list grew above the end
            further = max(2 * self.shift, _STRIDE) if self.shift > 0 else 1
            shift = max(1, self._half_as_far()) if is_known_below else further
        return evolve(
            self,
            end=batch.window.end,
            shift=shift,
            coverage=self.coverage.add(answer, floor, is_gap=is_gap),
            begun=True,
        )

    def behind(self, window: Window) -> Position:
        """Return the position after a window that is answered in full."""
        return evolve(self, end=window.end, shift=int(self.shift > 0))

    def _half_as_far(self) -> int:
        return abs(self.shift) // 2 if abs(self.shift) > _STRIDE else 0

    def further_back(self, max_limit: int) -> Position:
        """Return the position after an answer that doesn't join; twice as far back."""
        if self.shift > 1:
            return evolve(self, shift=self._half_as_far())
        # Of the first window back, a quarter overlaps the answer that is apart.
        shift = min(2 * self.shift, -max(1, 3 * max_limit // 4))
        extra = self.extra_overlap
        if self.shift >= 0:
            extra = min(max(2, 2 * extra), MAX_EXTRA_OVERLAP)
        return evolve(self, shift=shift, extra_overlap=extra)

    def in_pages(self, size: int, reason: str) -> Position:
        """Return the position to read on from page by page, without a proof."""
        end, ended = self.end - self.end % size, self.covered_until == END
        return Position(
            end, begun=self.begun, ended=ended, reason=reason, size=self.size
        )

    def can_read_ahead(self) -> bool:
        """Return whether windows that are read ahead will likely join."""
        ties = self.coverage.ties_at_end if self.coverage else 0
        return ties <= 1 + self.extra_overlap

    def window(self, size: int, max_limit: int) -> Window:
        """Return the next window, with some new contexts; it is full if it searches."""
        if not (self.coverage and self.begun):
            return Window(self.end, min(size, max_limit))
        ties = self.coverage.ties_at_end
        overlap = min(ties + 1, max_limit - 1)
        overlap += min(self.extra_overlap, (max_limit - overlap) // 8)
        offset = max(0, self.end + self.shift - overlap)
        if self.shift < 0:  # a service with pages of a fixed size shows itself
            return Window(offset, max(1, max_limit - 1))
        limit = max_limit if self.shift or ties > size else self.end + size - offset
        return Window(offset, min(limit, max_limit))
