"""Which window to ask for next: behind the end, further on, or further back."""

from __future__ import annotations

from attrs import evolve, frozen

from wacht._protocol.windows import Window
from wacht.models import MAX_PER_PAGE

_STRIDE = MAX_PER_PAGE
_MAX_EXTRA_OVERLAP = 16


@frozen
class Search:
    """Where the end of what is covered may be now, and where the next window begins."""

    end: int = 0  # the offset behind what is covered, when it was last read
    shift: int = 0  # how far behind the end the next window begins; negative: before it
    extra_overlap: int = 0  # contexts that windows share beyond what joins them

    def behind(self, window: Window) -> Search:
        """Go on behind an answer that reached the end."""
        return evolve(self, end=window.end, shift=0)

    def further_on(self, window: Window, *, is_lost: bool, is_gap: bool) -> Search:
        """Go on behind an answer that is all above the end: the list has grown."""
        stride = max(2 * self.shift, _STRIDE) if is_lost else 0
        if is_gap:  # an answer further down is known
            stride = max(self.shift, 0) // 2
        return evolve(self, end=window.end, shift=stride)

    def further_back(self, max_limit: int) -> Search:
        """Go back, twice as far as before, after an answer that doesn't join."""
        if self.shift > 0:
            closer = self.shift // 2 if self.shift > _STRIDE else 0
            return evolve(self, shift=closer)
        # Of the first window back, a quarter overlaps the answer that is apart.
        extra = min(max(2, 2 * self.extra_overlap), _MAX_EXTRA_OVERLAP)
        return Search(
            self.end,
            min(2 * self.shift, -max(1, 3 * max_limit // 4)),
            self.extra_overlap if self.shift else extra,
        )

    def window(self, size: int, max_limit: int, overlap: int) -> Window:
        """Return a window with some new contexts; it is full while it searches."""
        overlap += min(self.extra_overlap, (max_limit - overlap) // 8)
        offset = max(0, self.end + self.shift - overlap)
        if self.shift < 0:  # a service with pages of a fixed size shows itself
            return Window(offset, max(1, max_limit - 1))
        limit = max_limit if self.shift else self.end + size - offset
        return Window(offset, min(limit, max_limit))
