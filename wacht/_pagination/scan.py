"""One reading of the list, from a position down to a floor."""

from __future__ import annotations

from itertools import dropwhile
from math import gcd
from sys import maxsize
from typing import TYPE_CHECKING

from attrs import define, field

from wacht._contexts import DEFAULT_LIMIT, MAX_PER_PAGE
from wacht._protocol.windows import Batch, Window
from wacht.errors import PaginationError

from .coverage import END, Answer, Coverage
from .prefetch import Prefetcher
from .state import Contexts, State, key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wacht._protocol.revisions import Revision

    from .position import Position

_HINT = 'Set pagination="offset" for an older build of the offset revision, else "auto"'
_MAX_STALLED = 30  # answers in a row without a new context
_MAX_CREEPING = 3  # answers in a row that came no further than the list grew
_ALIGNMENT = 8  # contexts more than a page has, to begin where the revision can


@define(eq=False)
class Scan:
    """One reading of the list, from a position down to a floor."""

    _state: State
    position: Position  # how far it came
    _floor: int
    _size: int = MAX_PER_PAGE  # new contexts to ask for at once
    _prefetch: int = 0  # answers to read ahead
    _remaining: Callable[[], int] = lambda: maxsize  # contexts that are still wanted
    is_whole: bool = field(init=False)  # whether it reads all of the list
    ids: set[str] = field(init=False, factory=set[str])  # what it read, by id or digest
    length: int = field(init=False, default=0)  # of the list, from the walk's first on
    _revision: Revision = field(init=False)
    _ahead: Prefetcher = field(init=False)
    _stalled: int = field(init=False, default=0)  # answers without news, in a row
    _chosen: Window | None = field(init=False, default=None)  # not read ahead
    _creeping: int = field(init=False, default=0)  # of those, end where the last did
    _latest: Answer | None = field(init=False, default=None)
    _held: list[Answer] = field(init=False, factory=list[Answer])  # they don't join yet

    def __attrs_post_init__(self) -> None:
        self.is_whole = not self.position.begun
        self._revision = self._state.reader.revision
        self._ahead = Prefetcher(self._state.reader.read, self._prefetch)

    @property
    def is_done(self) -> bool:
        """Whether all that is needed is covered."""
        return self.position.covered_until <= self._floor

    def answers(self) -> Iterator[tuple[Answer, Contexts]]:
        """
        Read on, to the end or until the proof has ended; then call it again.

        Yield the answers as they join, with their contexts from the walk's start on.
        """
        is_plain = self.position.coverage is None
        while not self.is_done and (is_plain or self.position.coverage):
            if (latest := self._checked(self._take())) is None:
                continue
            self._latest = latest
            self._held.append(latest)
            while (joining := self._take_joining()) is not None:
                contexts = self._below_start(joining)
                new = self._add(joining, contexts)
                self._read_ahead(self._remaining() - new)
                yield joining, contexts

    def _take(self) -> Batch:
        state = self._state
        state.reader.budget.remaining()
        if self._stalled >= _MAX_STALLED + 2 * self._prefetch:  # ahead of a gap
            raise PaginationError(
                f"{self._stalled} answers in a row had nothing new, although the "
                f"service says that there is more. {_HINT}"
            )
        is_known = state.reader.endpoint.revision is not None
        asked, batch = self._ahead.take(self._window)
        if is_known:  # else the size may be the service's default
            state.note_size(asked, batch)
        if batch.has_more and not batch.contexts:  # once more: it may be a fault
            self._stalled += 1
            batch = state.reader.read(batch.window)
        self._stalled += 1
        self._revision = state.reader.revision
        if state.is_by_page and state.options.active_since:
            raise PaginationError(
                "active_since needs the offset revision; this service lists by page"
            )
        if batch.has_more and len(batch.contexts) < batch.window.limit:
            state.reader.has_own_size |= state.is_by_page
        if not self.position.begun:  # now the revision is known
            self.position = state.go_on(self.position, self._prefetch)
        return batch

    def _window(self) -> Window:
        if self._latest in self._held:
            self.position = self.position.further_back(self._state.max_limit)
        self._chosen = next(self._windows(None, self._remaining()))
        return self._chosen

    def _windows(self, last: Window | None, remaining: int) -> Iterator[Window]:
        """Return the windows behind one that was asked for, or behind the end."""
        until, max_limit = self.position.end + remaining, self._state.max_limit
        position = self.position if last is None else self.position.behind(last)
        is_too_wide = self._is_too_wide(position)
        while position.end < until:
            size = min(self._size, until - position.end)
            window = position.window(size, max_limit)
            beside = Window(position.end, max_limit)
            window = self._aligned(beside if is_too_wide else window, position)
            yield window
            position = position.behind(window)

    def _aligned(self, window: Window, position: Position) -> Window:
        max_limit = self._state.max_limit
        if self._revision.name == "page" and not position.coverage:
            return Window(window.offset, gcd(window.offset, min(self._size, max_limit)))
        is_back = position.shift < 0
        most = window.limit if is_back else max(window.limit, self._size + _ALIGNMENT)
        aligned = self._revision.window_at(window, min(most, max_limit))
        if is_back or aligned.end > position.end:  # else it would bring nothing new
            return aligned
        return self._revision.window_at(position.joining_window(), max_limit)

    def _read_ahead(self, remaining: int) -> None:
        """Ask for the next windows before the user has used up what came."""
        ready = not self._held and not self.is_done
        if ready and self.position.can_read_ahead():
            self._ahead.plan(self._windows(self._ahead.last, remaining))

    def _checked(self, batch: Batch) -> Answer | None:
        """Return an answer with what it covers; None to read on in another way."""
        position, coverage = self.position, self.position.coverage
        if not (coverage or position.reason) and self._floor > END:
            coverage = Coverage(self._revision.sort_time)  # it tells where to stop
        answer = Answer.of(batch, coverage.sort_time if coverage else None)
        if batch.is_whole or coverage is None:
            return answer
        is_odd = position.coverage and self._oddity(batch, coverage)
        reason = is_odd or coverage.misfit(answer)
        return self._without_proof(answer, reason) if reason else answer

    def _oddity(self, batch: Batch, coverage: Coverage) -> str:
        """Say why answers that overlap can't be compared; "" if they can."""
        asked, got = batch.window.limit, len(batch.contexts)
        if coverage.sort_time != self._revision.sort_time:
            return "the service has changed its revision"
        if self._revision.name == "page" and batch.has_more and got != asked:
            advice = f": if the service caps pages, use per_page={got}"
            is_new = got not in {0, self._size}
            return f"asked for {asked}, got {got} with more to come{advice * is_new}"
        ids = [context.id for context in batch.contexts]
        if None in ids:
            place = batch.window.offset + ids.index(None)
            return f"the context at place {place} has no id"
        return ""

    def _without_proof(self, answer: Answer, reason: str) -> Answer | None:
        """Go on page by page behind what is covered, as no time shows the order."""
        reason = f"contexts may be missing: {reason}. exhaustive=False accepts that"
        self.position = self.position.in_pages(self._size, reason)
        if not self.position.begun or self.is_done:
            return Answer.of(answer.batch, None)
        self._ahead.clear()
        self._held.clear()
        return None

    def _take_joining(self) -> Answer | None:
        """Take the highest answer that joins what is covered."""
        position = self.position
        for held in sorted(self._held, key=lambda held: held.batch.window.offset):
            is_beside = position.follows(held) and self._is_too_wide(position)
            if self.is_done or is_beside or position.joins(held):
                self._held.remove(held)
                return held
        return None

    def _is_too_wide(self, position: Position) -> bool:
        """Return whether windows can't get past the contexts that share a time."""
        most = 1 if position.is_doubtful else _MAX_CREEPING  # only counts can tell now
        is_stuck = self._creeping >= most
        return is_stuck or position.is_too_wide(self._revision, self._state.max_limit)

    def _add(self, answer: Answer, contexts: Contexts) -> int:
        """Note what an answer covers; return how many of its contexts are new."""
        batch, before = answer.batch, self.position
        if not self.is_done:
            is_known = bool(self._held)
            self.position = before.add(answer, self._floor, is_known_below=is_known)
        keys = [*map(key, self._state.above_floor(contexts))]
        new = sum(key not in self.ids for key in keys)
        is_page_1 = len(self.ids) == len(batch.contexts) >= DEFAULT_LIMIT
        if is_page_1 and not (before.coverage or new):
            raise PaginationError(f"the service gave page 1 again. {_HINT}")
        if self._chosen and batch.window.offset == self._chosen.offset:
            is_same = answer.oldest == before.covered_until and answer.ties_at_end > 1
            is_stuck = is_same and (before.is_doubtful or not new)
            self._creeping = self._creeping + 1 if is_stuck else 0
        # A new one at the top lets all others come again.
        is_new = new if before.coverage else 2 * new // max(1, len(keys))
        if is_new or self.position.covered_until < before.covered_until:
            self._stalled = 0
        self.ids.update(keys)
        if batch.contexts:
            offset = batch.window.offset - self._state.first.offset
            self.length = offset + len(self._state.above_floor(batch.contexts))
        return new

    def _below_start(self, answer: Answer) -> Contexts:
        """Drop new contexts above the place where the walk began."""
        coverage, contexts = self.position.coverage, answer.batch.contexts
        if coverage is None or answer.batch.window.offset >= self._state.first.offset:
            return contexts
        until, dated = coverage.covered_until, zip(answer.times, contexts, strict=True)
        rest = dropwhile(lambda c: c[0] > until and key(c[1]) not in self.ids, dated)
        return [context for _, context in rest]
