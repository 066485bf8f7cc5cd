"""The first pass over a list, to its end."""

from __future__ import annotations

import sys
from copy import deepcopy
from typing import TYPE_CHECKING

from attrs import evolve

from wacht._protocol.windows import Run, Window
from wacht.errors import PaginationError

from .chain import Joint
from .deduplication import MAX_STALLS, Deduplicator, StallDetector
from .memory import Memory, Top
from .prefetch import Prefetcher
from .reader import resembles
from .state import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .state import WalkState

MAX_WITHOUT_NEW = 50  # answers in a row without a new context
_FIRST_RETRIES = 5  # of the first page, if another one was longer
_RETRIES = 2  # of a window that a server of another build may have answered


class MainPass:
    """
    Read a list from the first window to its end.

    Args:
        state: What the passes share.
        memory: What a walk remembered that this one resumes.

    Attributes:
        one_answer: Whether one answer held the whole list.
        doubtful_first: The first run, as long as the service may have ignored its
            window.

    """

    def __init__(self, state: WalkState, memory: Memory | None) -> None:
        self.one_answer = False
        self.doubtful_first = memory.doubtful_first if memory else None
        self._state = state
        self._memory = memory
        self._already_given = len(state.given.seen)
        self._widest = 1  # when windows were requested ahead
        self._ahead = Prefetcher(state.reader.read, state.options.prefetch)
        self._stalls = self._stall_detector()

    def steps(self) -> Iterator[Step]:
        """
        Read the list.

        Raises:
            PaginationError: The service repeats pages.

        """
        state = self._state
        run = self._first_run()
        last = False
        while True:
            if state.reader.size.most >= state.size:  # else it is small on purpose
                run = self._leading_on(run)
                yield from self._completed_first(run)
                self._stalls.check(run)
            if state.reader.fruitless > MAX_WITHOUT_NEW + 2 * state.options.prefetch:
                raise PaginationError(
                    f"{state.reader.fruitless} answers in a row had nothing new, "
                    "although the service says that there is more"
                )
            for linked, joined in state.linked(state.chain, run):
                last = joined and state.is_last(linked)
                yield self._step(linked, last=last)
            if last:
                return
            run = self._ahead.take(self._following(state.chain.end), state.chain.end)

    @property
    def looks_again(self) -> bool:
        """Whether contexts may have moved, and the top has to be read again."""
        state = self._state
        if self.one_answer or state.options.exhaustive is False:
            return False
        repeated = state.given.duplicates > 0 and state.start == 0
        return state.chain.proves or repeated

    @property
    def complete(self) -> bool:
        """Whether nothing is missing at the end, even without second looks."""
        state = self._state
        moves = state.reader.revision.by_activity or state.given.duplicates > 0
        return self.one_answer or not (moves or state.chain.proves)

    def _step(self, run: Run, *, last: bool) -> Step:
        state = self._state
        duplicates = state.given.duplicates
        fresh = state.fresh(run)
        if not last:
            shifted = state.given.duplicates > duplicates and not state.chain.proves
            if shifted or state.chain.widest > self._widest:
                self._ahead.restart()  # what was asked for together may have a gap
                self._widest = state.chain.widest
            self._ahead.plan(state.chain.end, self._following, self._wanted_end())
        return Step(fresh, run.has_more, complete=last and self.complete)

    def _first_run(self) -> Run:
        if self._memory is not None:
            return self._resumed_run(self._memory)
        state, start = self._state, self._state.start
        window = Window(start, state.size)
        known = state.reader.is_known and state.new_chain(start).proves
        if start and known:
            self._read_top()
        run = self._read_first(window)
        self._begin_chain(start)
        if state.reader.may_be_cut(run):
            self.doubtful_first = run
        if not start:
            state.top = Top.of(run)
            self.one_answer = state.is_last(run)
        elif state.chain.proves and not known:
            self._read_top()
            return state.reader.read(window)
        return run

    def _read_top(self) -> None:
        """Read the top before a first page further down, to see what moves there."""
        self._state.top = Top.of(self._state.reader.read(Window(0, 1)))

    def _resumed_run(self, memory: Memory) -> Run:
        self._state.chain = deepcopy(memory.chain)
        self._state.reader.assume(memory.revision)
        self._stalls = self._stall_detector()
        return self._read_first(self._following(self._state.chain.end))

    def _read_first(self, window: Window) -> Run:
        if self._state.options.active_since is not None:
            return self._state.reader.first_by_activity(window)
        return self._state.reader.first(window)

    def _begin_chain(self, start: int) -> None:
        self._state.chain = self._state.new_chain(start)
        self._stalls = self._stall_detector()

    def _stall_detector(self) -> StallDetector:
        # Pages that were requested together may all show the same shift.
        overlapping = self._state.chain.proves
        most = MAX_STALLS + 2 * self._state.options.prefetch * overlapping
        return StallDetector(self._state.given, most, overlapping=overlapping)

    def _following(self, end: int) -> Window:
        state = self._state
        size = state.size
        if state.chain.proves and state.options.limit is not None:
            size = min(size, max(1, self._wanted_end() - end))
        window = state.chain.following(end, size, state.reader.size.most)
        return state.reader.revision.window_at(window.offset, window.limit)

    def _wanted_end(self) -> int:
        """Return the offset behind which nothing needs to be read."""
        state = self._state
        if state.options.limit is None:
            return sys.maxsize
        given = len(state.given.seen) - self._already_given
        return state.chain.end + state.options.limit - given

    def _leading_on(self, run: Run) -> Run:
        """Read a window again if it brought nothing new: it may be a stale answer."""
        reader, size, first = self._state.reader, self._state.size, self.doubtful_first
        window = Window(run.window.offset, max(run.window.limit, size))
        short = 0 < len(run.contexts) < size  # as servers of another build give
        for _ in range(_RETRIES if short else 1):
            again = first is not None and run is not first and resembles(run, first)
            if self._stalls.leads_on(run) and not again:
                return run
            run = reader.read(window)
            if first is not None and resembles(run, first):
                return self._switch(first)
        return run

    def _switch(self, first: Run) -> Run:
        """
        Go on by offset: the service ignores `page`, as an older build does.

        Raises:
            PaginationError: The first run was given, but another page was wanted.

        """
        self._state.reader.use_alternative()
        if first.window.offset:
            self._state.given = Deduplicator()  # nothing of what was wanted
            raise PaginationError(
                "the service ignores `page`, and gave the first page instead of the "
                "one that the walk began with. Walk again: now it is asked by offset"
            )
        self.doubtful_first = None
        self._ahead.restart()
        self._begin_chain(first.window.offset)
        read = Window(first.window.offset, len(first.contexts))
        self._state.chain.add(evolve(first, window=read), Joint.PROVEN)
        return self._state.reader.read(self._following(read.end))

    def _completed_first(self, second: Run) -> Iterator[Step]:
        """
        Read the first page again if the second shows that it was too short.

        Behind a balancer, one server may be of the older build that ignores `per_page`.
        """
        first, state = self.doubtful_first, self._state
        if first is None or second is first:
            return
        self.doubtful_first = None
        if state.chain.proves or len(second.contexts) <= len(first.contexts):
            return
        for _ in range(_FIRST_RETRIES):
            run = state.reader.read(first.window)
            if len(run.contexts) > len(first.contexts):
                yield Step(state.fresh(run), run.has_more)
                return
        raise PaginationError(
            f"the first page has {len(first.contexts)} contexts and the second "
            f"{len(second.contexts)}: contexts are missing in between"
        )
