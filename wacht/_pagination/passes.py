"""
Read a list to its end, then look for what moved meanwhile.
"""

from __future__ import annotations

import sys
from copy import deepcopy
from itertools import count, pairwise
from typing import TYPE_CHECKING

from attrs import define, evolve, field, frozen

from .._protocol.windows import Run, Window
from ..errors import PaginationError
from ..models import MAX_PER_PAGE
from .chain import Chain, DisjointChain, Joint, OverlappingChain
from .deduplication import MAX_STALLS, Deduplicator, StallDetector, identity
from .memory import Memory, Top
from .prefetch import Prefetcher

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from ..models import AiExecutionContext
    from .options import WalkOptions
    from .reader import Reader

MAX_STEPS = 12  # windows read in vain to join one run
MAX_LOOKS = 10  # readings of the list's top
MAX_REREADS = 20  # readings in search of missing contexts
MAX_FRUITLESS = 3  # of those in a row that found none
_STALL_READS = 2  # times to read a window again that another build may have answered
_SIZE_STEP = 7  # contexts by which rereads differ, so that equal times mix anew


@frozen
class Step:
    """
    One run that a walk has read.

    Attributes:
        fresh: Its contexts that weren't given before.
        has_more: Whether the list went on.
        complete: Whether the walk is done and nothing is missing.
    """

    fresh: list[AiExecutionContext]
    has_more: bool
    complete: bool


@define
class Tally:
    """
    What a walk read beyond one request a page.
    """

    steps_back: int = 0
    looks: int = 0
    rereads: int = 0


@define
class _View:
    """
    What one look at the top saw.
    """

    top: Top
    answers: int = 0
    order: dict[str, int] = field(factory=dict[str, int])

    def add(self, run: Run) -> None:
        self.answers += 1
        for context in run.contexts:
            self.order.setdefault(identity(context), len(self.order))


class Passes:
    """
    The passes of one walk over a list: to its end, its top again, missing parts again.

    Args:
        reader: Reads windows.
        options: How to walk.
        window: The first window.
        memory: What a walk remembered that this one resumes.

    Attributes:
        given: What was given.
        tally: What was read beyond one request a page.

    """

    def __init__(
        self, reader: Reader, options: WalkOptions, window: Window, memory: Memory | None
    ) -> None:
        self.given = Deduplicator(memory.seen if memory else None)
        self.tally = Tally()
        self._reader = reader
        self._options = options
        self._memory = memory
        self._start = memory.start if memory else window.offset
        self._size = window.limit
        self._already_given = len(self.given.seen)
        self._ahead = Prefetcher(reader.read, options.prefetch)
        self._chain: Chain = DisjointChain(window.offset)
        self._stalls = self._stall_detector()
        self._top = memory.top if memory else Top(None, None)
        self._doubtful_first = memory.doubtful_first if memory else None
        self._length: int | None = None  # of the whole list, when its end was read
        self._one_answer = False  # whether one answer held the whole list

    def steps(self) -> Iterator[Step]:
        """
        Read everything.

        Raises:
            PaginationError: The service repeats pages, or contexts may be missing.

        """
        yield from self._read_to_end()
        if not self._looks_again():
            return
        yield from self._look_at_top()
        yield from self._search_missing()

    def memory(self) -> Memory | None:
        """
        Return what a walk must know that resumes this one; None if nothing was read.
        """
        if not self.given.seen:
            return None
        return Memory(
            self._reader.revision,
            self.given.seen,
            self._chain,
            self._top,
            self._start,
            self._doubtful_first,
        )

    @property
    def unusual(self) -> bool:
        """
        Whether anything was read beyond what a calm list needs.
        """
        repeats = self.given.duplicates and not self._chain.proves
        tally = self.tally
        return bool(repeats or tally.steps_back or tally.rereads or tally.looks > 1)

    def _read_to_end(self) -> Iterator[Step]:
        run = self._first_run()
        while True:
            run = self._leading_on(run)
            if self._doubtful_first not in (None, run):
                yield from self._first_again(self._doubtful_first, run)
                self._doubtful_first = None
            self._stalls.check(run)
            last = False
            for linked, joined in self._linked(self._chain, run):
                last = joined and self._is_last(linked)
                yield self._main_step(linked, last=last)
            if last:
                return
            run = self._ahead.take(self._following(self._chain.end), self._chain.end)

    def _first_run(self) -> Run:
        run = self._read_first()
        if self._memory is not None:
            return run
        if self._reader.may_be_cut(run):
            self._doubtful_first = run
        start = self._start
        self._begin_chain(start)
        if self._chain.proves and start:
            # Read the top before the first page that counts, to tell what moves there.
            self._top = Top.of(self._reader.read(Window(0, 1)))
            return self._reader.read(Window(start, self._size))
        self._top = Top.of(run)
        self._one_answer = not start and self._is_last(run)
        return run

    def _read_first(self) -> Run:
        window = Window(self._start, self._size)
        if self._memory is not None:
            self._chain = deepcopy(self._memory.chain)
            self._stalls = self._stall_detector()
            self._reader.assume(self._memory.revision)
            window = self._following(self._chain.end)
        if self._options.active_since is not None:
            return self._reader.first_by_activity(window)
        return self._reader.first(window)

    def _begin_chain(self, start: int) -> None:
        self._chain = self._new_chain(start)
        self._stalls = self._stall_detector()

    def _stall_detector(self) -> StallDetector:
        # Pages that were requested together may all show the same shift.
        overlapping = self._chain.proves
        most = MAX_STALLS + self._options.prefetch * overlapping
        return StallDetector(self.given, most, overlapping=overlapping)

    def _new_chain(self, start: int) -> Chain:
        overlap = self._options.exhaustive
        if overlap is None:
            overlap = self._reader.revision.by_activity
        return OverlappingChain(start) if overlap else DisjointChain(start)

    def _first_again(self, first: Run, second: Run) -> Iterator[Step]:
        """
        Read the first page again if the second shows that it was too short.

        Behind a balancer, one server may be of the older build that ignores `per_page`.
        """
        for _ in range(_STALL_READS):
            if self._chain.proves or len(second.contexts) <= len(first.contexts):
                return
            run = self._reader.read(first.window)
            if len(run.contexts) > len(first.contexts):
                yield Step(self._fresh(run), run.has_more, complete=False)
                return

    def _leading_on(self, run: Run) -> Run:
        """
        Read a window again if it brought nothing new: it may be a stale answer.
        """
        window = Window(run.window.offset, max(run.window.limit, self._size))
        short = 0 < len(run.contexts) < self._size  # as servers of another build give
        first = self._doubtful_first
        for _ in range(_STALL_READS if short else 1):
            if self._stalls.leads_on(run):
                return run
            run = self._reader.read(window)
            if first is not None and run.contexts == first.contexts:
                return self._switch(first)
        return run

    def _switch(self, first: Run) -> Run:
        """
        Go on by offset: the service ignores `page`, as an older build does.
        """
        self._reader.use_alternative()
        self._doubtful_first = None
        self._ahead.restart()
        self._begin_chain(first.window.offset)
        read = Window(first.window.offset, len(first.contexts))
        self._chain.add(evolve(first, window=read), gap=False)
        return self._reader.read(self._following(read.end))

    def _linked(self, chain: Chain, run: Run) -> Iterator[tuple[Run, bool]]:
        """
        Add a run to the chain, after those that have to be read to join it.

        Yields:
            Each run that was added, and whether it is the last of them.

        """
        waiting = [run]
        bridged = False
        for step in count():
            apart = chain.joint(waiting[-1]) is Joint.APART
            if apart and step < MAX_STEPS:
                self.tally.steps_back += 1
                if bridged:  # the list has changed since this run was answered
                    waiting.pop()
                waiting.append(self._bridge(chain, waiting, step))
                bridged = False
                continue
            run = waiting.pop()
            chain.add(run, gap=apart)
            bridged = chain.end > waiting[-1].window.offset if waiting else False
            yield run, not waiting
            if not waiting:
                return

    def _bridge(self, chain: Chain, waiting: list[Run], step: int) -> Run:
        if not waiting:
            return self._reader.read(self._behind(chain, self._size))
        most = self._reader.size.most
        apart = waiting[-1].window
        return self._reader.read(chain.bridge(apart, self._size, most, step))

    def _following(self, end: int) -> Window:
        size = self._size
        if self._chain.proves and self._options.limit is not None:
            size = min(size, max(1, self._planned_end() - end))
        window = self._chain.following(end, size, self._reader.size.most)
        return self._reader.revision.window_at(window.offset, window.limit)

    def _behind(self, chain: Chain, size: int) -> Window:
        return chain.following(chain.end, size, self._reader.size.most)

    def _planned_end(self) -> int:
        """
        Return the offset behind which nothing needs to be read ahead.
        """
        if self._options.limit is None:
            return sys.maxsize
        given = len(self.given.seen) - self._already_given
        return self._chain.end + self._options.limit - given

    def _is_last(self, run: Run) -> bool:
        since = self._options.active_since
        if not run.has_more or since is None or not run.contexts:
            return not run.has_more
        time = run.contexts[-1].last_activity_at
        return time is not None and time < since

    def _main_step(self, run: Run, *, last: bool) -> Step:
        duplicates = self.given.duplicates
        fresh = self._fresh(run)
        if not last:
            if self.given.duplicates > duplicates and not self._chain.proves:
                self._ahead.restart()  # what was asked for together may have a gap
            end = self._chain.end
            self._ahead.plan(end, self._following, self._planned_end())
        return Step(fresh, run.has_more, complete=last and not self._looks_again())

    def _fresh(self, run: Run) -> list[AiExecutionContext]:
        if not run.has_more and run.contexts:
            self._length = run.window.offset + len(run.contexts)
        fresh = self.given.fresh(run)
        since = self._options.active_since
        if since is None:
            return fresh
        check_order(run)
        return [c for c in fresh if c.last_activity_at and c.last_activity_at >= since]

    def _looks_again(self) -> bool:
        if self._one_answer or self._options.exhaustive is False:
            return False
        moved = self.given.duplicates > 0 and self._start == 0
        return self._chain.proves or moved

    def _look_at_top(self) -> Iterator[Step]:
        """
        Read the top of the list until it reaches what was there at the beginning.

        If that takes several answers, contexts may have moved between them: look again.
        """
        before, order = self._top, self.given.order()
        for _ in range(MAX_LOOKS):
            self.tally.looks += 1
            calm = self.tally.looks > 1 or not self._chain.moved
            view = yield from self._look(before, order, calm=calm)
            if view.answers == 1 or before.is_unchanged(view.top):
                return
            before, order = view.top, view.order
        raise PaginationError(
            f"contexts moved to the top of the list faster than {MAX_LOOKS} looks could "
            "read them; some may be missing"
        )

    def _look(
        self, before: Top, order: dict[str, int], *, calm: bool
    ) -> Generator[Step, None, _View]:
        chain = self._new_chain(0)
        run = self._reader.read(Window(0, self._size))
        view = _View(Top.of(run))
        calm = calm and before.is_unchanged(view.top)
        while True:
            reached = False
            for linked, joined in self._linked(chain, run):
                view.add(linked)
                reached = joined and (calm or before.reached_by(linked, order))
                yield self._look_step(linked, last=reached and view.answers == 1)
            if reached:
                return view
            run = self._reader.read(self._behind(chain, self._size))

    def _look_step(self, run: Run, *, last: bool) -> Step:
        if self._start:
            run = evolve(run, contexts=list(filter(self._belongs, run.contexts)))
        fresh = self._fresh(run)
        return Step(fresh, run.has_more, complete=last and not self._in_doubt())

    def _belongs(self, context: AiExecutionContext) -> bool:
        """
        Return whether a context at the top belongs to a walk that began further down.
        """
        time, newest = context.last_activity_at, self._top and self._top.newest
        moved = time is not None and newest is not None and time > newest
        return moved or self.given.is_known(context)

    def _search_missing(self) -> Iterator[Step]:
        """
        Read again as long as contexts may be missing and rereads find some.
        """
        fruitless = 0
        while (
            self._in_doubt()
            and fruitless < MAX_FRUITLESS
            and self.tally.rereads < MAX_REREADS
        ):
            known = len(self.given.seen)
            self.tally.rereads += 1
            yield from self._reread()
            yield from self._look_at_top()
            fruitless = 0 if len(self.given.seen) > known else fruitless + 1
        if self._in_doubt():
            reason = self._doubt()
            self._chain = OverlappingChain(self._start)  # to resume at the beginning
            raise PaginationError(reason)

    def _reread(self) -> Iterator[Step]:
        """
        Read again from the first doubtful place on, with another window size.

        Equal times come in an order that depends on the window, so other contexts
        come to light.
        """
        doubtful = min(self._chain.unproven, default=self._start) - MAX_PER_PAGE
        size = self._size - self.tally.rereads * _SIZE_STEP % (self._size // 2 + 1)
        start = max(self._start, doubtful)
        chain = self._chain = OverlappingChain(start)
        run = self._reader.read(Window(start, size))
        more = True
        while more:
            for linked, _ in self._linked(chain, run):
                more = linked.has_more
                yield Step(self._fresh(linked), has_more=more, complete=False)
            if more:
                run = self._reader.read(self._behind(chain, size))

    @property
    def _surplus(self) -> int:
        """
        How many more contexts were given than the list had when its end was read.

        They left the list meanwhile. If it is negative, as many are missing.
        """
        if not self._chain.proves or self._length is None or self._options.active_since:
            return 0
        return len(self.given.seen) - (self._length - self._start)

    def _in_doubt(self) -> bool:
        uncounted = bool(self._chain.unproven) and self._surplus > 0
        return self._surplus < 0 or self._chain.gaps > 0 or uncounted

    def _doubt(self) -> str:
        if self._surplus < 0:
            return (
                f"about {-self._surplus} contexts are missing: the list has "
                f"{self._length}, and {self.tally.rereads} more readings didn't show all"
            )
        if self._chain.gaps:
            return (
                "the list changed faster than it could be read: up to "
                f"{self._chain.gaps * self._size} contexts may be missing"
            )
        return (
            f"up to {self._surplus} contexts may be missing: as many left the list while "
            "it was read, and too many share one last_activity_at to check the others"
        )


def check_order(run: Run) -> None:
    """
    Check that a run has the newest activity first.

    Raises:
        PaginationError: It hasn't.

    """
    times = [c.last_activity_at for c in run.contexts if c.last_activity_at]
    if any(before < after for before, after in pairwise(times)):
        raise PaginationError(
            "active_since needs a list with the newest activity first, and this one "
            "isn't in that order"
        )
