"""
The readings of a walk: each is a scan, whose answers become parts for the user.

The first one reads from the first window, or from a checkpoint, to the end. Then the
top is read again, for what moved there; and the whole list, where only counts tell.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import count

from attrs import evolve, frozen

from wacht._waiting import logger
from wacht.errors import PaginationError

from .coverage import END, TOP, Coverage, Mark, shown
from .position import Position
from .scan import Scan
from .state import Part, State, key

Seen = set[tuple[int, str, int]]  # place, id and time of contexts

MAX_LOOKS = 10
# A change is visible within this many microseconds of the time that it is dated to.
DELAY = 2_000_000
# Longer transactions are found as well, but not if others move during the look.
LONG_DELAY = 30_000_000

_TOO_FAST = (
    "contexts moved to the top of the list faster than they could be read; some may be "
    f"missing after {MAX_LOOKS} looks"
)
_SUNK = (
    "contexts may be missing: the list isn't sorted by {}: nothing at the top is as "
    "new as {}, which was there at the start. exhaustive=False accepts that"
)
_UNPROVEN = (
    "complete is False: plain pages can't prove that no context moved between them; "
    "exhaustive=True can"
)


def readings(state: State) -> Iterator[Part]:
    """Read the list from the state's position on; raise if contexts may be missing."""
    prefetch, size = state.options.prefetch, state.first.limit
    start = state.go_on(state.position, prefetch)
    if not start.begun and state.first.offset % min(size, state.remaining) == 0:
        size = min(size, state.remaining)  # else a smaller page begins elsewhere
    first = Scan(state, start, state.floor, size, prefetch, lambda: state.remaining)
    while not first.is_done:
        for answer, contexts in first.answers():
            # One answer shows the whole list as it was at one moment.
            is_one = answer.is_top and answer.oldest <= state.floor and first.is_done
            state.is_complete |= is_one and state.first.offset == 0
            yield state.part(contexts, first.position, more=answer.batch.has_more)
    if state.is_complete:
        return
    end = first.position
    # A walk from a later page on doesn't cover the top.
    if end.coverage and state.first.offset == 0:
        end = yield from _rechecked(state, first, end.coverage)
    if reason := end.reason or _ambiguity(state, first, end.coverage):
        raise PaginationError(reason)
    state.position = end
    state.is_complete = end.coverage is not None and state.first.offset == 0
    if end.coverage is None:
        logger.info(_UNPROVEN)


def _rechecked(
    state: State, first: Scan, coverage: Coverage
) -> Generator[Part, None, Position]:
    """Count where only that tells, and read the top; return what that leaves."""
    counted = None
    if coverage.ambiguous_time is not None:
        counted = yield from _counted(state, first)
    look = yield from _at_top(state, first.position, coverage)
    if (top := look.scan.position.coverage) is None:
        return look.scan.position
    if not coverage.sort_time.moves and top.mark.time < coverage.mark.time:
        reason = _SUNK.format(coverage.sort_time.field, shown(coverage.mark.time))
        return first.position.in_pages(state.first.limit, reason)
    times = [top.ambiguous_time, coverage.ambiguous_time]
    doubts = [time for time in times if time is not None and top.mark.time != counted]
    coverage = evolve(coverage, ambiguous_time=doubts[0] if doubts else None)
    return evolve(first.position, coverage=coverage)


@frozen
class _Look:
    """What a reading from the top has shown."""

    scan: Scan
    seen: Seen  # what is newer than a horizon
    shows_all: bool  # whether one answer had all of that
    shows_lag: bool  # whether the mark isn't as old as it seems


def _look(
    state: State, end: Position, mark: Mark, floor: int, horizon: int
) -> Generator[Part, None, _Look]:
    """Read from the top down to a floor, as long as a time proves it."""
    coverage = Coverage(state.reader.revision.sort_time)
    scan = Scan(state, Position(coverage=coverage), max(floor, state.floor))
    horizon = max(horizon, state.floor)
    seen, shows_all, shows_lag = set[tuple[int, str, int]](), False, False
    for answer, contexts in scan.answers():
        shows_all |= answer.is_top and answer.oldest <= horizon
        shows_lag |= mark.is_old and answer.shows_lag(mark)
        places = zip(count(answer.batch.window.offset), contexts, answer.times)
        seen.update((n, key(c), time) for n, c, time in places if time > horizon)
        yield state.part(contexts, end, more=answer.batch.has_more)
    return _Look(scan, seen, shows_all, shows_lag)


def _at_top(
    state: State, end: Position, coverage: Coverage
) -> Generator[Part, None, _Look]:
    """Read the top until one answer, or two looks, show all that moved there."""
    mark, moves = coverage.mark, coverage.sort_time.moves
    before: Seen = set()
    for _ in range(MAX_LOOKS):
        # Nothing is on its way to a time before an old mark.
        long, delay = (LONG_DELAY, DELAY) if moves and not mark.is_old else (0, 0)
        look = yield from _look(state, end, mark, mark.time - long, mark.time - delay)
        top = look.scan.position.coverage
        if not moves or top is None or top.ambiguous_time is not None:
            return look
        if mark.is_old and look.shows_lag:
            mark = evolve(mark, is_old=False)
        elif look.shows_all or look.seen <= before:
            return look
        else:
            mark, before = top.mark, look.seen
    raise PaginationError(_TOO_FAST)


def _counted(state: State, first: Scan) -> Generator[Part, None, int | None]:
    """Read all again; return the newest time if two readings counted the same."""
    one, end = first, first.position
    if not one.is_whole:
        one = (yield from _look(state, end, Mark(), END, TOP)).scan
    if one.position.coverage is None or len(one.ids) != one.length:
        return None
    # Contexts that leave the list hide missing ones from one count, but not from two.
    two = (yield from _look(state, end, Mark(), END, TOP)).scan
    mark, newest = one.position.coverage.mark, two.position.coverage
    is_same = two.length == one.length and two.ids == one.ids
    return mark.time if is_same and newest and newest.mark.time == mark.time else None


def _ambiguity(state: State, first: Scan, coverage: Coverage | None) -> str:
    """Say what may be missing because too many contexts share a time."""
    if coverage is None or coverage.ambiguous_time is None:
        return ""
    missing = first.length - max(len(first.ids), len(state.yielded or ()))
    what = f"about {missing} contexts are" if missing > 0 else "contexts may be"
    time = f"{coverage.sort_time.field} {shown(coverage.ambiguous_time)}"
    filters = " or ".join(state.reader.revision.filters)
    return (
        f"{what} missing: too many have the {time} to fit into one answer, and the "
        f"service lists them in no fixed order. Filter by {filters} to make the group "
        "smaller"
    )
