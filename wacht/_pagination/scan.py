"""One reading of the list, from what is covered down to a floor."""

from __future__ import annotations

from itertools import dropwhile
from math import gcd
from sys import maxsize
from typing import TYPE_CHECKING

from wacht._contexts import MAX_PER_PAGE
from wacht._protocol.windows import Window
from wacht.errors import PaginationError
from wacht.models import ExecutionContextListResponse as Page

from .coverage import intervals_of, time_of
from .prefetch import Prefetcher
from .state import key, new_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wacht._protocol.windows import Batch
    from wacht.models import AiExecutionContext

    from .coverage import Intervals
    from .next_window import Position
    from .state import State

HINT = 'Set pagination="offset" for an older build of the offset revision, else "auto"'
_MAX_STALLED = 30  # answers in a row without a new context
_ALIGNMENT = 8  # contexts more than a page has, to begin where the revision can


class Scan:
    """One reading of the list, from what is covered down to a floor."""

    def __init__(
        self, state: State, position: Position, floor: float, prefetch: int = 0
    ) -> None:
        self.position = position
        self.ids = state.yielded  # what it read, and maybe more
        self.length = 0  # of the list at its end, counted from the walk's first context
        self._state = state
        self._revision = state.reader.revision
        self._floor = floor
        self._size = MAX_PER_PAGE
        self._ahead = Prefetcher(state.reader.read, prefetch)
        self._stalled = 0  # answers without anything new, in a row
        self._max_stalled = _MAX_STALLED + 2 * state.options.prefetch  # ahead of a gap
        self._held: list[tuple[Batch, Intervals]] = []  # they don't join yet
        self._is_apart = False  # whether the last answer is one of them

    @property
    def is_done(self) -> bool:
        """Whether all that is needed is covered."""
        return self.position.covered_until <= self._floor

    def pages(self) -> Iterator[Page]:
        """Read on until all that is needed is covered; yield what is new."""
        while not self.is_done:
            if (latest := self._checked(self._take())) is None:
                continue
            self._held.append(latest)
            self._is_apart = True
            while (joining := self._take_joining()) is not None:
                self._is_apart = self._is_apart and joining is not latest
                page = self._page(*joining)
                self._read_ahead(self._remaining - len(page))
                yield page

    @property
    def _remaining(self) -> int:
        """How many more contexts to ask for."""
        return maxsize

    def _take(self) -> Batch:
        state = self._state
        state.budget.remaining()
        if self._stalled >= self._max_stalled:
            raise PaginationError(
                f"{self._stalled} answers in a row had nothing new, although the "
                f"service says that there is more. {HINT}"
            )
        known = state.reader.known_revision
        asked, batch = self._ahead.take(self._window)
        if known is not None:  # else the size may be the service's default
            state.note_size(asked, batch)
        if batch.has_more and not batch.contexts:  # once more: it may be a fault
            self._stalled += 1
            batch = state.reader.read(batch.window)
        self._stalled += 1
        self._revision = state.reader.revision
        if batch.has_more and len(batch.contexts) < batch.window.limit:
            state.reader.has_own_size |= self._revision.name == "page"
        return batch

    def _window(self) -> Window:
        if self._is_apart:
            self._is_apart = False
            self.position = self.position.further_back(self._state.max_limit)
        return next(self._windows(None, self._remaining))

    def _windows(self, last: Window | None, remaining: int) -> Iterator[Window]:
        """Return the windows behind one that was asked for, or behind the end."""
        until = self.position.end + remaining
        position = self.position if last is None else self.position.behind(last)
        while position.end < until:
            size = min(self._size, until - position.end)
            window = self._aligned(position.window(size, self._state.max_limit))
            yield window
            position = position.behind(window)

    def _aligned(self, window: Window) -> Window:
        most = max(window.limit, self._size + _ALIGNMENT)
        if self._revision.name == "page" and not self.position.coverages:
            size = min(self._size, self._state.max_limit)  # the same, if possible
            return Window(window.offset, gcd(window.offset, size))
        if self.position.shift < 0:
            most = window.limit
        return self._revision.window_at(window, min(most, self._state.max_limit))

    def _read_ahead(self, remaining: int) -> None:
        """Ask for the next windows before the user has used up what came."""
        ready = not self._held and not self.is_done
        if ready and self.position.can_read_ahead(self._state.max_limit):
            self._ahead.plan(self._windows(self._ahead.last, remaining))

    def _restart(self) -> None:
        """Forget what was read but not handed over."""
        self._ahead.restart()
        self._held.clear()
        self._is_apart = False

    def _checked(self, batch: Batch) -> tuple[Batch, Intervals] | None:
        """Return an answer and what it covers; None to read on in another way."""
        position = self.position
        intervals = intervals_of(batch, position.coverages)
        if batch.is_whole or not position.coverages:
            return batch, intervals
        fitting, misfit = position.fitting(batch, intervals)
        reason = self._oddity(batch)
        if misfit and not reason:
            sort_times = self._revision.sort_times
            fields = " or ".join(dict.fromkeys(t.field for t in sort_times))
            reason = f"the list isn't sorted by {fields}: {misfit}"
        if reason:
            return self._without_proof(batch, reason)
        self.position = fitting
        return batch, intervals

    def _oddity(self, batch: Batch) -> str:
        """Say why overlapping answers can't be compared, or nothing."""
        asked, got = batch.window.limit, len(batch.contexts)
        if self._revision.name == "page" and batch.has_more and got != asked:
            advice = f": if the service caps pages, use per_page={got}"
            is_new = got not in {0, self._size}
            return f"asked for {asked}, got {got} with more to come{advice * is_new}"
        ids = [context.id for context in batch.contexts]
        if None in ids and self.position.is_overlapping:
            place = batch.window.offset + ids.index(None)
            return f"the context at place {place} has no id"
        return ""

    def _without_proof(
        self, batch: Batch, reason: str
    ) -> tuple[Batch, Intervals] | None:
        """Go on page by page behind what is covered, as no time shows the order."""
        begun = self.position.begun
        reason = f"contexts may be missing: {reason}. exhaustive=False accepts that"
        self.position = self.position.in_pages(self._size, reason)
        if not begun or self.is_done:
            return batch, {}
        self._restart()
        return None

    def _take_joining(self) -> tuple[Batch, Intervals] | None:
        """Take the highest answer that joins what is covered."""
        for held in sorted(self._held, key=lambda held: held[0].window.offset):
            if self.position.joins(*held) or self.is_done:
                self._held.remove(held)
                return held
        return None

    def _page(self, batch: Batch, intervals: Intervals) -> Page:
        state, before = self._state, self.position
        fresh = state.fresh(self._from_first(batch))
        if not self.is_done:
            is_gap = bool(self._held)
            self.position = before.add(batch, intervals, self._floor, is_gap=is_gap)
        wanted = state.wanted(batch.contexts)
        new = new_in(wanted, self.ids)
        if not intervals:  # a new one at the top lets all others come again
            new = 2 * new // max(1, len(batch.contexts))
        if new or self.position.covered_until < before.covered_until:
            self._stalled = 0
        if batch.contexts:
            self.length = batch.window.offset + len(wanted) - state.first.offset
        return Page(fresh, batch.has_more)

    def _from_first(self, batch: Batch) -> list[AiExecutionContext]:
        """Drop new contexts above the place where the walk began."""
        coverages, yielded = self.position.coverages, self._state.yielded
        if not coverages or batch.window.offset >= self._state.first.offset:
            return batch.contexts

        def is_above(context: AiExecutionContext) -> bool:
            return key(context) not in yielded and all(
                time_of(context, c.sort_time) > c.covered_until for c in coverages
            )

        return [*dropwhile(is_above, batch.contexts)]
