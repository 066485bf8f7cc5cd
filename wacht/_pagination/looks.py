"""Second looks: at the top for what moved there, and at the whole list to count it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from itertools import count, islice, pairwise
from math import inf, nan
from typing import TYPE_CHECKING

from attrs import evolve

from wacht.errors import PaginationError
from wacht.models import MAX_PER_PAGE, ExecutionContextListResponse as Page

from .coverage import UNDATED
from .passes import Pass
from .state import State, all_in, key

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from wacht._protocol.windows import Slice

    from .coverage import Coverage, Interval
    from .main_pass import MainPass

MAX_LOOKS = 10
# A change is visible within this many seconds of the time that it is dated to.
DELAY = 2.0
# Longer transactions are found as well, but not if others move during the look.
LONG_DELAY = 30.0

_TOO_FAST = (
    "contexts moved to the top of the list faster than they could be read; some may be "
    f"missing after {MAX_LOOKS} looks"
)
_UNEXPLAINED = (
    "about {} contexts may be missing: {} came again on a later page, but {} are new "
    "at the top. The list may have no fixed order, or the service gave an old page, "
    "or some contexts twice. Try again, or filter by agent_id or workflow_id"
)
_UNMOVED = 8  # contexts whose order tells that they haven't moved


def second_looks(state: State, main: MainPass) -> Iterator[Page]:
    """Look for what the first reading may have missed, unless it is complete."""
    if main.is_complete:
        return
    if state.first.offset == 0:  # a walk from a later page on doesn't cover the top
        yield from _LOOKS[state.rule](state, main)
    doubt, unproven = main.coverage.doubt, main.coverage.unproven
    if unproven is not None:
        doubt = doubt or _missing(state, main, unproven)
    if doubt:
        raise PaginationError(doubt)
    main.is_complete = state.looks > 0


class _Look(Pass):
    """A reading from the top, side by side, down to an answer that is the last."""

    def __init__(
        self, state: State, size: int, is_last: Callable[[Slice], bool]
    ) -> None:
        super().__init__(state, evolve(state.begin(), rule="place"), -inf)
        state.looks += 1
        self.ids = dict[str, None]()
        self.answers = 0
        self._size = size
        self._is_last = is_last

    def _page(self, part: Slice, interval: Interval) -> Page:
        self.answers += 1
        self.ids |= dict.fromkeys(map(key, part.contexts))
        if self._is_last(part):
            self.coverage = evolve(self.coverage, low=-inf)
        return super()._page(part, interval)


def _by_place(state: State, main: MainPass) -> Iterator[Page]:
    """Read down to a known page, once all repeats are explained or after ten pages."""
    if not main.coverage.repeats or state.options.exhaustive is False:
        return
    mark = main.coverage.mark or len(state.given)
    main.coverage = evolve(main.coverage, mark=mark)
    before = set(main.ids if main.is_rereading else islice(state.given, mark))
    repeats = main.coverage.repeats

    def is_last(part: Slice) -> bool:
        explained = len(look.ids.keys() - before) >= repeats or look.answers > MAX_LOOKS
        return explained and all_in(part, before)

    look = _Look(state, state.first.limit, is_last)
    yield from look.pages()
    # Each context that comes above a page's end lets one come again on the next page.
    if (moved := len(look.ids.keys() - before)) < repeats:
        doubt = _UNEXPLAINED.format(repeats - moved, repeats, moved)
        main.coverage = evolve(main.coverage, doubt=doubt)


def _by_order(state: State, main: MainPass) -> Iterator[Page]:
    """Read the top until one answer ends with contexts that haven't moved."""
    mark = main.coverage.mark or len(state.order)
    for _ in range(MAX_LOOKS):
        main.coverage = evolve(main.coverage, mark=mark)
        look = _Look(state, MAX_PER_PAGE, partial(_ends_unmoved, state.order, mark))
        yield from look.pages()
        mark = len(state.order)
        if look.answers == 1 or main.coverage.doubt:
            return
    raise PaginationError(_TOO_FAST)


def _ends_unmoved(order: Mapping[str, int], mark: int, part: Slice) -> bool:
    """Return whether most of the last contexts follow each other as they did."""
    tail = part.contexts[-_UNMOVED:]
    places = [order.get(key(context), nan) for context in tail]
    unmoved = sum(b == a + 1 < mark for a, b in pairwise(places))
    return unmoved >= max(1, len(tail) // 2)


class _TopPass(Pass):
    """A reading from the top down to some time before a mark, or of the whole list."""

    def __init__(self, state: State, mark: float = -inf) -> None:
        super().__init__(state, state.begin(), max(mark - LONG_DELAY, state.floor))
        self.ids = dict[str, None]()
        self.seen = set[tuple[int, str, float]]()  # what is newer than the horizon
        self.shows_all = False  # whether one answer had everything that is newer
        self._horizon = max(mark - DELAY, state.floor)  # this pass may read further

    def _page(self, part: Slice, interval: Interval) -> Page:
        is_top = part.window.offset == 0
        self.shows_all |= is_top and interval.oldest <= self._horizon
        ids = [key(context) for context in self._state.wanted(part.contexts)]
        self.ids |= dict.fromkeys(ids)
        places = zip(count(part.window.offset), ids, interval.times, strict=False)
        self.seen.update(place for place in places if place[2] > self._horizon)
        return super()._page(part, interval)


def _by_activity(state: State, main: MainPass) -> Iterator[Page]:
    """Count where only that tells, and read what became active."""
    agrees = yield from _counts_agree(state, main)
    read = main.coverage
    look = yield from _at_top(state, read.newest)
    unproven = read.unproven if look.unproven is None else look.unproven
    if agrees and look.newest == read.newest:
        unproven = None
    main.coverage = evolve(read, unproven=unproven, doubt=read.doubt or look.doubt)


def _at_top(state: State, mark: float) -> Generator[Page, None, Coverage]:
    """Read the top until one answer, or two looks, show all that became active."""
    before: set[tuple[int, str, float]] | None = None
    for _ in range(MAX_LOOKS):
        state.looks += 1
        look = _TopPass(state, mark)
        yield from look.pages()
        calm = before is not None and look.seen <= before
        if look.shows_all or calm or look.coverage.is_doubtful:
            return look.coverage
        mark, before = look.coverage.newest, look.seen
    raise PaginationError(_TOO_FAST)


def _counts_agree(state: State, main: MainPass) -> Generator[Page, None, bool]:
    """Read all once more if only counts tell whether all was read, and compare."""
    if main.coverage.unproven is None:
        return False
    first: Pass = main
    if main.is_continued:  # it hasn't counted the whole list
        first = _TopPass(state)
        yield from first.pages()
    if len(first.ids) != first.length:
        return False
    # Contexts that leave the list hide missing ones from one count, but not from two.
    again = _TopPass(state)
    yield from again.pages()
    newest = {again.coverage.newest, first.coverage.newest, main.coverage.newest}
    return len(newest) == 1 and again.length == len(again.ids) == first.length


def _missing(state: State, main: MainPass, time: float) -> str:
    missing = main.length - len(state.given)
    what = f"about {missing} contexts are" if missing > 0 else "contexts may be"
    shared = "null"
    if time != UNDATED:
        shared = f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    return (
        f"{what} missing: too many have the last_activity_at {shared} to fit into one "
        "answer, and the service lists them in no fixed order. Filter by status or "
        "context_group to make the group smaller"
    )


_LOOKS = {"place": _by_place, "order": _by_order, "activity": _by_activity}
