"""One reading of the list: answers joined to what is covered, from a place down."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from attrs import evolve

from wacht._protocol.windows import Window
from wacht.models import MAX_PER_PAGE
from wacht.models import ExecutionContextListResponse as Page

from .prefetch import Prefetcher
from .state import key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wacht._protocol.windows import Slice
    from wacht.models import AiExecutionContext

    from .coverage import Coverage, Interval
    from .state import State

_SPARE = 5  # contexts that windows read ahead share beyond what joins them


class Pass:
    """One reading of the list, from what is covered down to a floor."""

    def __init__(
        self,
        state: State,
        coverage: Coverage,
        floor: float,
        *,
        size: int = MAX_PER_PAGE,
        prefetch: int = 0,
    ) -> None:
        self.coverage = evolve(coverage, spare=_SPARE if prefetch else 0)
        self.length = 0  # of the list at its end, counted from the walk's first context
        self.ids: dict[str, int] = {}  # what was read
        self._state = state
        self._floor = floor
        self._size = size
        self._ahead = Prefetcher(state.reader.read, prefetch)
        self._held: list[Slice] = []  # answers that don't join yet
        self._apart: Window | None = None  # the highest of them since the last join

    @property
    def is_done(self) -> bool:
        """Whether all that is needed is covered."""
        return self.coverage.low < self._floor or self.coverage.low == -inf

    def pages(self) -> Iterator[Page]:
        """Read on until all that is needed is covered; yield what is new."""
        while not self.is_done:
            self._held.append(latest := self._take())
            while (joining := self._joining()) is not None:
                part, interval = joining
                page = self._page(part, interval)
                apart = self._apart
                if apart and (self.coverage.tied or apart.offset <= self.coverage.end):
                    self._apart = None
                self._read_ahead(self._left - len(page))
                yield page
            if latest in self._held:
                self._note_gap(latest.window)

    @property
    def _left(self) -> int:
        """How many more contexts are wanted."""
        return self._state.left

    def _note_gap(self, window: Window) -> None:
        if self._apart is None:
            self.coverage = self.coverage.with_gap()
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
        self._state.budget.remaining()
        asked, part = self._ahead.take(self._window())
        self._state.note_size(asked, part)
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
            sizes = range(min(self._size, self._state.most), 0, -1)
            size = next(size for size in sizes if window.offset % size == 0)
            return Window(window.offset, size)  # the same size each time, if possible
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
        fresh = self._state.fresh(part, self.coverage.low)
        if not self.is_done:
            self.coverage = self.coverage.add(interval, self._floor)
        wanted = self._state.wanted(part.contexts)
        if part.contexts:
            start = self._state.first.offset
            self.length = part.window.offset + len(wanted) - start
        self._note_ids(wanted)
        return Page(fresh, part.has_more)

    def _note_ids(self, contexts: list[AiExecutionContext]) -> None:
        self.ids.update(dict.fromkeys(map(key, contexts), 0))
