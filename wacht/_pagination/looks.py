"""Second looks: at the top for what moved there, and at the whole list to count it."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from math import inf, nextafter
from sys import maxsize
from typing import TYPE_CHECKING

from wacht._protocol.windows import Window
from wacht.errors import PaginationError
from wacht.models import MAX_PER_PAGE, ExecutionContextListResponse

from .coverage import UNDATED
from .passes import Pass
from .state import key

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from wacht._protocol.windows import Slice

    from .coverage import Interval
    from .main_pass import MainPass
    from .state import State

    Page = ExecutionContextListResponse
    Seen = set[tuple[str, float]]  # ids, each with its time

MAX_LOOKS = 10
# A change is visible within this many seconds of the time that it is dated to.
DELAY = 2.0
# Longer transactions are found as well, but not if others move during the look.
LONG_DELAY = 30.0

_TOO_FAST = (
    "contexts moved to the top of the list faster than they could be read; some may be "
    f"missing after {MAX_LOOKS} looks"
)
_TAIL = 8  # contexts whose order tells that they haven't moved


def second_looks(state: State, main: MainPass) -> Iterator[Page]:
    """
    Look for what the first reading of the list may have missed.

    Raises:
        PaginationError: Contexts are missing, or may be.

    """
    is_top = state.first.offset == 0
    agrees = True
    if state.rule == "place":
        if is_top and main.coverage.repeated and state.options.exhaustive is None:
            yield from _down_to(state, state.first.limit, _has_nothing_new)
    elif state.rule == "order":
        if is_top:
            yield from _at_top_by_order(state)
    else:
        again = yield from _counted_again(state, main)
        agrees = again is not None
        if is_top:
            look = yield from _at_top_by_activity(state, main, again)
            agrees = agrees and look.coverage.newest == main.coverage.newest
            main.coverage = main.coverage.with_doubts_of(look.coverage)
    if main.coverage.doubt:
        raise PaginationError(main.coverage.doubt)
    if main.coverage.unproven is not None and not agrees:
        raise PaginationError(_missing(state, main, main.coverage.unproven))


class TopPass(Pass):
    """
    Read from the top of the list down to what was there before.

    Args:
        state: What the passes of a walk share.
        mark: The newest time before; None if no context had one.
        delay: How many seconds further down to read.

    Attributes:
        shows_all: Whether one answer showed everything newer at one moment.
        seen: Everything newer that was read, with its time.

    """

    def __init__(self, state: State, mark: float | None, delay: float) -> None:
        mark = -inf if mark is None else mark
        super().__init__(state, state.begin(), max(mark - delay, state.floor))
        self.shows_all = False
        self.seen: Seen = set()
        self._mark = max(mark - DELAY, nextafter(state.floor, -inf))

    @property
    def _left(self) -> int:
        return maxsize  # windows stay full, however few are new

    def _page(self, part: Slice, interval: Interval, *, is_latest: bool) -> Page:
        is_top = interval.newest >= UNDATED
        self.shows_all |= is_top and interval.oldest <= self._mark
        pairs = zip(map(key, part.contexts), interval.times, strict=True)
        self.seen.update(pair for pair in pairs if pair[1] > self._mark)
        return super()._page(part, interval, is_latest=is_latest)


def _at_top_by_activity(
    state: State, main: MainPass, again: TopPass | None
) -> Generator[Page, None, TopPass]:
    """
    Read the top until one answer shows all that became active; return the last look.

    If it took several, contexts may have moved between them: look again, until two
    looks have seen the same.
    """
    mark, before = main.coverage.newest, again.seen if again else None
    for _ in range(MAX_LOOKS):
        state.looks += 1
        look = TopPass(state, mark, DELAY if before else LONG_DELAY)
        yield from look.pages()
        newest = look.coverage.newest
        if look.shows_all or look.seen == before or newest is None:
            return look
        if look.coverage.doubt:
            return look
        mark, before = newest, look.seen if newest == mark else None
    raise PaginationError(_TOO_FAST)


def _at_top_by_order(state: State) -> Iterator[Page]:
    """Read the top until one answer ends with contexts that haven't moved."""
    for _ in range(MAX_LOOKS):
        answers = yield from _down_to(state, MAX_PER_PAGE, _ends_unmoved)
        if answers == 1:
            return
    raise PaginationError(_TOO_FAST)


def _down_to(
    state: State, size: int, is_last: Callable[[State, Slice], bool]
) -> Generator[Page, None, int]:
    """Read from the top, side by side; return how many answers that took."""
    state.looks += 1
    size = min(size, state.most)
    answers = 0
    while True:
        part = state.reader.read(Window(answers * size, size))
        answers += 1
        last = not part.has_more or is_last(state, part)
        yield ExecutionContextListResponse(state.fresh(part), part.has_more)
        if last:
            return answers


def _has_nothing_new(state: State, part: Slice) -> bool:
    return all(key(context) in state.given for context in part.contexts)


def _ends_unmoved(state: State, part: Slice) -> bool:
    """Return whether most of the last contexts follow each other as they did."""
    tail = part.contexts[-max(_TAIL, len(part.contexts) // 4) :]
    places = [state.given.get(key(context), -inf) for context in tail]
    unmoved = sum(b == a + 1 for a, b in pairwise(places))
    return unmoved >= max(_TAIL, len(tail)) // 2


def _counted_again(
    state: State, main: MainPass
) -> Generator[Page, None, TopPass | None]:
    """
    Read all once more if only the count tells whether all was read.

    Contexts that leave the list hide missing ones from one count, but not from two that
    agree.

    Returns:
        The second reading, if it agrees.

    """
    if main.coverage.unproven is None or len(main.ids) != main.length:
        return None
    again = TopPass(state, main.coverage.newest, inf)
    yield from again.pages()
    same = again.coverage.newest == main.coverage.newest
    same = same and again.length == len(again.ids) == main.length
    return again if same else None


def _missing(state: State, main: MainPass, time: float) -> str:
    missing = main.length - len(state.given)
    written = "null" if time == UNDATED else f"{datetime.fromtimestamp(time, UTC)}"
    return (
        f"{f'about {missing}' if missing > 0 else 'some'} contexts may be missing: so "
        f"many share the last_activity_at {written} that no answer spans them, and "
        "their order isn't fixed. A filter by status or context_group makes such a "
        "group smaller"
    )
