"""One reading of the list, from what is covered down to a floor."""

from __future__ import annotations

from itertools import dropwhile
from math import gcd
from sys import maxsize
from typing import TYPE_CHECKING

from attrs import evolve

from wacht._protocol.windows import Window
from wacht.errors import PaginationError
from wacht.models import MAX_PER_PAGE, ExecutionContextListResponse as Page

from .coverage import interval_of, moment_of, time_of
from .prefetch import Prefetcher
from .state import all_in, key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wacht._protocol.windows import Batch
    from wacht.models import AiExecutionContext

    from .coverage import Coverage
    from .position import Intervals, Position
    from .state import State

_ALIGNMENT = 8  # contexts more than a page has, to begin where the revision can
MAX_STALLED = 30  # answers in a row without a new context
HINT = 'Set pagination="offset" for an older build of the offset revision, else "auto"'


class Scan:
    """One reading of the list, from what is covered down to a floor."""

    def __init__(
        self, state: State, position: Position, floor: float, prefetch: int = 0
    ) -> None:
        self.position = position
        self.ids = state.yielded  # what it read, and maybe more
        self.length = 0  # of the list at its end, counted from the walk's first context
        self._state = state
        self._floor = floor
        self._size = MAX_PER_PAGE
        self._ahead = Prefetcher(state.reader.read, prefetch)
        self._stalled = 0  # answers without anything new, in a row
        self._max_stalled = MAX_STALLED + 2 * state.options.prefetch  # ahead of a gap
        self._known = len(state.yielded)  # contexts that it may read once more
        self._held: list[tuple[Batch, Intervals]] = []  # answers that don't join yet
        self._is_apart = False  # whether the last answer is one of them

    @property
    def is_done(self) -> bool:
        """Whether all that is needed is covered."""
        return self.position.covered_until <= self._floor

    def pages(self) -> Iterator[Page]:
        """Read on until all that is needed is covered; yield what is new."""
        while not self.is_done:
            batch = self._with_server_limit(self._take())
            if batch is None or (intervals := self._intervals(batch)) is None:
                continue
            self._held.append((batch, intervals))
            self._is_apart = True
            while (joining := self._take_joining()) is not None:
                self._is_apart = self._is_apart and joining[0] is not batch
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
        if state.is_by_page and batch.has_more:
            is_short = len(batch.contexts) < batch.window.limit
            state.reader.has_own_size = state.reader.has_own_size or is_short
        self._stalled += 1
        return batch

    def _window(self) -> Window:
        if self._is_apart:
            self._state.steps_back += 1
            self._is_apart = False
            self.position = self.position.further_back(self._state.max_limit)
        return next(self._windows(None, self._remaining))

    def _windows(self, last: Window | None, remaining: int) -> Iterator[Window]:
        """Return the windows behind one that was asked for, or behind the end."""
        until = self.position.search.end + remaining
        position = self.position if last is None else self.position.behind(last)
        while position.search.end < until:
            size = min(self._size, until - position.search.end)
            window = self._aligned(position.window(size, self._state.max_limit))
            yield window
            position = position.behind(window)

    def _aligned(self, window: Window) -> Window:
        state = self._state
        if state.is_by_page and not self.position.coverages:
            size = min(self._size, state.max_limit)  # the same each time, if possible
            return Window(window.offset, gcd(window.offset, size))
        most = max(window.limit, self._size + _ALIGNMENT)
        if self.position.search.shift < 0:
            most = window.limit
        return state.reader.revision.window_at(window, min(most, state.max_limit))

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

    def _with_server_limit(self, batch: Batch) -> Batch | None:
        """Use smaller windows, once, if the service caps pages; None to ask again."""
        state, got = self._state, len(batch.contexts)
        is_short = batch.has_more and 0 < got < batch.window.limit
        is_known = state.server_limit < MAX_PER_PAGE
        if not (state.is_by_page and self.position.coverages and is_short) or is_known:
            return batch
        state.server_limit = state.max_limit = got
        if self.position.begun:
            self._restart()
            return None
        return batch if batch.window.offset else evolve(batch, window=Window(0, got))

    def _intervals(self, batch: Batch) -> Intervals | None:
        """Return what an answer covers; None if it ends the proof."""
        position, state = self.position, self._state
        intervals = {
            coverage.sort_time: interval_of(batch, coverage.sort_time)
            for coverage in position.coverages
        }
        if not position.coverages or batch.is_whole:
            return intervals
        fitting, reason = self._fitting(batch, intervals)
        if fitting:
            self.position = evolve(position, coverages=fitting)
            return intervals
        self.position = position.without_proof(
            f"contexts may be missing: {reason}. exhaustive=False accepts that",
            self._size,
        )
        state.max_limit = state.server_limit = MAX_PER_PAGE
        if self.is_done or not position.begun:
            return {}
        self._restart()
        return None

    def _fitting(
        self, batch: Batch, intervals: Intervals
    ) -> tuple[tuple[Coverage, ...], str]:
        """Return what an answer leaves of the proof, or why it leaves nothing."""
        coverages, state = self.position.coverages, self._state
        asked, got = batch.window.limit, len(batch.contexts)
        if state.is_by_page and batch.has_more and got != asked:
            return (), (
                f"asked for {asked}, got {got} with more to come: if the service caps "
                f"pages, use per_page={got}"
            )
        ids = [context.id for context in batch.contexts]
        if None in ids and self.position.is_overlapping:
            place = batch.window.offset + ids.index(None)
            return (), f"the context at place {place} has no id"
        misfits = [c.misfit(intervals[c.sort_time]) for c in coverages]
        fitting = [
            c for c, index in zip(coverages, misfits, strict=True) if index is None
        ]
        if not self.position.begun:  # one that differs shows more than one that doesn't
            fitting.sort(key=lambda c: len({*intervals[c.sort_time].times}) == 1)
        if not fitting and misfits[0] is not None:
            fields = dict.fromkeys(t.field for t in state.reader.revision.sort_times)
            misfit = _misfit(batch, coverages[0], intervals, misfits[0])
            return (), f"the list isn't sorted by {' or '.join(fields)}: {misfit}"
        return tuple(fitting), ""

    def _take_joining(self) -> tuple[Batch, Intervals] | None:
        """Take the highest answer that joins what is covered."""
        for held in sorted(self._held, key=lambda held: held[0].window.offset):
            if self.is_done or self.position.joins(*held):
                self._held.remove(held)
                return held
        return None

    def _page(self, batch: Batch, intervals: Intervals) -> Page:
        state, before = self._state, self.position
        contexts = self._from_first(batch)
        fresh = state.fresh(evolve(batch, contexts=contexts))
        if not self.is_done:
            is_gap = bool(self._held)
            self.position = before.add(batch, intervals, self._floor, is_gap=is_gap)
        progress = self.position.covered_until < before.covered_until
        is_known = all_in(batch, state.yielded)
        if not before.coverages:  # a new one at the top lets all others come again
            is_known = 2 * len(fresh) < len(batch.contexts)
        stalled = (is_known or not fresh) and not progress
        if stalled:
            self._known -= len(batch.contexts)
        if not stalled or (batch.contexts and self._known >= 0):
            self._stalled = 0
        if batch.contexts:
            wanted = len(state.wanted(batch.contexts))
            self.length = batch.window.offset + wanted - state.first.offset
        return Page(fresh, batch.has_more)

    def _from_first(self, batch: Batch) -> list[AiExecutionContext]:
        """Drop new contexts above the place where the walk began."""
        leading, yielded = self.position.leading, self._state.yielded
        if leading is None or batch.window.offset >= self._state.first.offset:
            return batch.contexts

        def is_above(context: AiExecutionContext) -> bool:
            time = time_of(context, leading.sort_time)
            return key(context) not in yielded and time > leading.covered_until

        return [*dropwhile(is_above, batch.contexts)]


def _misfit(batch: Batch, coverage: Coverage, intervals: Intervals, index: int) -> str:
    sort_time = coverage.sort_time
    moment = moment_of(intervals[sort_time].times[index], sort_time)
    context = f"the context at place {batch.window.offset + index}"
    if moment is None:
        return f"{context} has no {sort_time.field}"
    relation = "newer" if sort_time.newest_first else "older"
    shown = f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"
    return f"{context} has {sort_time.field} {shown}, {relation} than the one before it"
