"""Readings of the list: answers joined to what is covered, from a place down."""

from __future__ import annotations

from math import gcd
from sys import maxsize
from typing import TYPE_CHECKING

from wacht._protocol.windows import Window
from wacht.errors import PaginationError
from wacht.models import MAX_PER_PAGE, ExecutionContextListResponse as Page

from .prefetch import Prefetcher
from .state import all_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wacht._protocol.windows import Slice

    from .coverage import Coverage, Interval
    from .state import State

MAX_STALLED = 30  # answers in a row without a new context
HINT = 'Set pagination="offset" for an older build of the offset revision, else "auto"'


class Pass:
    """One reading of the list, from what is covered down to a floor."""

    def __init__(
        self, state: State, coverage: Coverage, floor: float, prefetch: int = 0
    ) -> None:
        self.coverage = coverage
        self.ids = state.given  # what it read, and maybe more
        self.length = 0  # of the list at its end, counted from the walk's first context
        self._state = state
        self._floor = floor
        self._size = MAX_PER_PAGE
        self._ahead = Prefetcher(state.reader.read, prefetch)
        self._stalled = 0  # answers without anything new, in a row
        self._most_stalled = MAX_STALLED + 2 * state.options.prefetch  # ahead of a gap
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
            while (joining := self._take_joining()) is not None:
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
        if self._stalled >= self._most_stalled:
            raise PaginationError(
                f"{self._stalled} answers in a row had nothing new, although the "
                f"service says that there is more. {HINT}"
            )
        known = state.reader.known_revision
        asked, part = self._ahead.take(self._window())
        if known is not None:  # else the size may be the service's default
            state.note_size(asked, part)
        self._stalled += 1
        if self._stalled == self._most_stalled // 2:
            self.coverage = self.coverage.without_proof()
        return part

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

    def _take_joining(self) -> tuple[Slice, Interval] | None:
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
        stalled = (all_in(part, state.given) or not fresh) and self.coverage.low == low
        if stalled:
            self._known -= len(part.contexts)
        if not stalled or (part.contexts and self._known >= 0):
            self._stalled = 0
        if part.contexts:
            wanted = len(state.wanted(part.contexts))
            self.length = part.window.offset + wanted - state.first.offset
        return Page(fresh, part.has_more)
