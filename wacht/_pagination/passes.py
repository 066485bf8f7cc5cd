"""Readings of the list: answers joined to what is covered, from a place down."""

from __future__ import annotations

from itertools import count
from math import gcd
from sys import maxsize
from typing import TYPE_CHECKING

from attrs import evolve

from wacht._protocol.windows import Slice, Window
from wacht.errors import PaginationError
from wacht.models import MAX_PER_PAGE
from wacht.models import ExecutionContextListResponse as Page

from .prefetch import Prefetcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .checkpoint import Checkpoint
    from .coverage import Coverage, Interval
    from .state import State

MAX_STALLED = 30  # answers in a row without a new context

_OLDER_SIZE = 50  # of the pages of the older build, which ignores `page`
_HINT = 'Set pagination="offset" for an older build of the offset revision, else "auto"'


class Pass:
    """One reading of the list, from what is covered down to a floor."""

    def __init__(self, state: State, coverage: Coverage, floor: float) -> None:
        self.coverage = coverage
        self.ids = state.given  # what it read, and maybe more
        self.length = 0  # of the list at its end, counted from the walk's first context
        self._state = state
        self._floor = floor
        self._size = MAX_PER_PAGE
        self._ahead = Prefetcher(state.reader.read, 0)
        self._stalled = 0  # answers without anything new, in a row
        self._known = len(state.given)  # contexts that it may read once more
        self._held: list[Slice] = []  # answers that don't join yet
        self._apart: Window | None = None  # the highest of them since the last join

    @property
    def is_done(self) -> bool:
        """Whether all that is needed is covered."""
        return self.coverage.low <= self._floor

    def pages(self) -> Iterator[Page]:
        """Read on until all that is needed is covered; yield what is new."""
        while not self.is_done:
            self._held.append(latest := self._take())
            while (joining := self._joining()) is not None:
                page = self._page(*joining)
                if self._apart and self._apart.offset <= self.coverage.end:
                    self._apart = None
                self._read_ahead(self._left - len(page))
                yield page
            if latest in self._held:
                self._note_gap(latest.window)

    @property
    def _left(self) -> int:
        """How many more contexts to ask for."""
        return maxsize

    def _note_gap(self, window: Window) -> None:
        if self._apart is None:
            self.coverage = self.coverage.with_gap(len(self._state.order))
        if self._apart is None or window.offset < self._apart.offset:
            self._apart = window

    def _restart(self) -> None:
        """Forget what was read but not handed over."""
        self._ahead.restart()
        self._held.clear()
        self._apart = None

    def _read_ahead(self, left: int) -> None:
        """Ask for the next windows before the user has used up what came."""
        joined = not self._held and not self.is_done
        if joined and self.coverage.can_read_ahead(self._state.most):
            self._ahead.plan(self._windows(self._ahead.last, left))

    def _take(self) -> Slice:
        state = self._state
        state.budget.remaining()
        known = state.reader.known_revision
        asked, part = self._ahead.take(self._window())
        if known is not None:  # else the size may be the service's default
            state.note_size(asked, part)
        self._check_progress()
        return part

    def _check_progress(self) -> None:
        # What was read ahead comes before the answer that closes a gap.
        most = MAX_STALLED + 2 * self._state.options.prefetch
        self._stalled += 1
        if self._stalled == most // 2:
            self.coverage = self.coverage.side_by_side()
        if self._stalled > most:
            raise PaginationError(
                f"{self._stalled} answers in a row had nothing new, although the "
                f"service says that there is more. {_HINT}"
            )

    def _window(self) -> Window:
        if self._apart is None:
            return next(self._windows(None, self._left))
        self._state.steps_back += 1
        return self._aligned(self.coverage.between(self._apart, self._state.most))

    def _windows(self, last: Window | None, left: int) -> Iterator[Window]:
        """Return the windows behind one that was asked for, or behind the end."""
        until = self.coverage.end + left
        coverage = self.coverage if last is None else self.coverage.expecting(last)
        while coverage.end < until:
            size = min(self._size, until - coverage.end)
            window = self._aligned(coverage.following(size, self._state.most))
            yield window
            coverage = coverage.expecting(window)

    def _aligned(self, window: Window) -> Window:
        if self._state.is_by_page and self._state.rule == "place":
            size = min(self._size, self._state.most)  # the same each time, if possible
            return Window(window.offset, gcd(window.offset, size))
        return self._state.reader.revision.window_at(window, self._state.most)

    def _joining(self) -> tuple[Slice, Interval] | None:
        """Take the highest answer that joins what is covered."""
        for part in sorted(self._held, key=lambda held: held.window.offset):
            interval = self._state.interval(part)
            if self.is_done or self.coverage.joins(interval):
                self._held.remove(part)
                return part, interval
        return None

    def _page(self, part: Slice, interval: Interval) -> Page:
        state, low = self._state, self.coverage.low
        fresh = state.fresh(part, low)
        if not self.is_done:
            self.coverage = self.coverage.add(interval, self._floor)
        stalled = (state.knows(part) or not fresh) and self.coverage.low == low
        if stalled:
            self._known -= len(part.contexts)
        if not stalled or (part.contexts and self._known >= 0):
            self._stalled = 0
        if part.contexts:
            wanted = len(state.wanted(part.contexts))
            self.length = part.window.offset + wanted - state.first.offset
        return Page(fresh, part.has_more)


class MainPass(Pass):
    """The first reading, from the first window or a checkpoint to the list's end."""

    def __init__(self, state: State, checkpoint: Checkpoint | None) -> None:
        coverage = checkpoint.coverage if checkpoint else state.begin()
        if state.reader.known_revision and coverage.rule != state.rule:
            coverage = state.begin()
        if coverage.begun and coverage.rule == "order":
            state.order.update(zip(state.given, count(), strict=False))
        super().__init__(state, coverage, state.floor)
        self._size = state.first.limit if checkpoint else _page_size(state)
        self._ahead = Prefetcher(state.reader.read, state.options.prefetch)
        self.is_complete = False  # whether nothing is missing without a second look
        self.is_part = checkpoint is not None  # whether some was given before
        self.is_anew = False  # whether it reads again what was given before
        if self.is_part and not coverage.begun:
            self._begin_anew()

    @property
    def _left(self) -> int:
        return self._state.left

    def _take(self) -> Slice:
        state, begun = self._state, self.coverage.begun
        part = super()._take()
        if state.is_by_page and state.options.active_since:
            raise PaginationError(
                "active_since needs a list by activity, which only the offset revision "
                "of the service has; this service lists by page"
            )
        if self.coverage.rule != state.rule:
            self.coverage = state.begin()
            if begun:  # what another rule covered doesn't count by this one
                self._begin_anew()
                self._restart()
                return self._take()
        return self._checked(self._as_it_came(part))

    def _begin_anew(self) -> None:
        self.is_part = self.is_anew = True
        self.ids = dict[str, None]()

    def _as_it_came(self, part: Slice) -> Slice:
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

    def _checked(self, part: Slice) -> Slice:
        """Ask again for a page that has nothing new: it may be a stale answer."""
        state = self._state
        if state.rule != "place" or not (part.has_more and state.knows(part)):
            return part
        self._stalled += 1
        part = state.reader.read(part.window)
        is_page_1 = len(state.given) == len(part.contexts) >= _OLDER_SIZE
        if is_page_1 and state.knows(part) and not self.is_part:
            raise PaginationError(f"the service gave page 1 again and again. {_HINT}")
        return part

    def _page(self, part: Slice, interval: Interval) -> Page:
        state, before = self._state, self.coverage
        places = state.rule == "place"
        page = super()._page(part, interval)
        if places and (again := self._repeats(part, before.end)) > 0:
            self._restart()  # what was asked for together may have a gap
            self.coverage = evolve(self.coverage, repeats=before.repeats + again)
        calm = places and state.is_by_page and not self.coverage.repeats
        is_whole = self.is_done and not state.first.offset
        self.is_complete = is_whole and (calm or not before.begun)
        return page

    def _repeats(self, part: Slice, end: int) -> int:
        """Count what this reading had before, beyond what answers share anyway."""
        ids = {context.id: None for context in part.contexts if context.id is not None}
        known = len(ids.keys() & self.ids.keys())
        if self.is_anew:
            self.ids |= ids
        return known - max(0, end - part.window.offset)


def _page_size(state: State) -> int:
    """Return how many contexts to ask for, so that no more is requested than needed."""
    start, size = state.first.offset, state.first.limit
    least = min(size, state.options.limit or size)
    return size if start % least else least  # a smaller page would begin elsewhere
