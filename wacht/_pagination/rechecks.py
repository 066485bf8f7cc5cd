"""Rechecks: the top again for what moved there, and the whole list to count it."""

from __future__ import annotations

from itertools import count, islice
from math import inf
from typing import TYPE_CHECKING

from attrs import evolve

from wacht.errors import PaginationError
from wacht.models import ExecutionContextListResponse as Page

from .coverage import Coverage
from .next_window import Position
from .scan import Scan
from .state import key, new_in

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from wacht._contexts import SortTime
    from wacht._protocol.windows import Batch

    from .coverage import Intervals
    from .first_scan import FirstScan
    from .state import State

MAX_RECHECKS = 10
# A change is visible within this many microseconds of the time that it is dated to.
DELAY = 2_000_000
# Longer transactions are found as well, but not if others move during the recheck.
LONG_DELAY = 30_000_000

_TOO_FAST = (
    "contexts moved to the top of the list faster than they could be read; some may be "
    f"missing after {MAX_RECHECKS} looks"
)
_UNEXPLAINED = (
    "about {} contexts may be missing: {} came again on a later page, but {} are new "
    "at the top. The list may have no fixed order, or the service gave an old page, "
    "or some contexts twice. Try again, or filter by agent_id or workflow_id"
)


def rechecks(state: State, first: FirstScan) -> Iterator[Page]:
    """Read again what the first scan may have missed, unless it is complete."""
    if first.is_complete:
        return
    # A walk from a later page on doesn't cover the top.
    while state.first.offset == 0 and (proof := first.position.proof):
        reason = yield from _proven_top(state, first, proof)
        if not reason:
            break
        first.position = first.position.without(proof, reason)
    is_plain = first.position.proof is None and state.options.exhaustive is not False
    if state.first.offset == 0 and is_plain:
        yield from _plain_top(state, first)
    if reason := first.position.incomplete_reason or _ambiguity(state, first):
        raise PaginationError(reason)
    first.is_complete = state.first.offset == 0 and first.position.proof is not None


class _PlainTop(Scan):
    """A reading from the top, page by page, to a known page behind what is new."""

    def __init__(self, state: State, known: set[str], repeats: int) -> None:
        super().__init__(state, Position(), -inf)
        self.ids = dict[str, None]()
        self._size = state.first.limit
        self._seen = known
        self._repeats = repeats
        self._answers = 0

    @property
    def moved(self) -> int:
        """How many contexts are new at the top."""
        return len(self.ids.keys() - self._seen)

    def _page(self, batch: Batch, intervals: Intervals) -> Page:
        self._answers += 1
        page = super()._page(batch, intervals)
        self.ids |= dict.fromkeys(map(key, batch.contexts))
        is_enough = self.moved >= self._repeats or self._answers > MAX_RECHECKS
        if is_enough and not new_in(batch.contexts, self._seen):
            self.position = evolve(self.position, ended=True)
        yielded = self._state.yielded  # with digests of contexts without an id
        data = [context for context in page.data if key(context) not in yielded]
        return evolve(page, data=data)


def _plain_top(state: State, first: FirstScan) -> Iterator[Page]:
    """Read the top again if contexts came again, until as many are new there."""
    position = first.position
    # Where the proof has ended, nothing has to explain what comes again.
    repeats = 0 if state.options.exhaustive else max(position.repeats, 0)
    if not (repeats or position.incomplete_reason):
        return
    mark = position.yielded_before_recheck or len(state.yielded)
    first.position = evolve(position, yielded_before_recheck=mark)
    known = set(first.ids if first.is_rereading else islice(state.yielded, mark))
    top = _PlainTop(state, known, repeats)
    yield from top.pages()
    # Each context that comes above a page's end lets one come again on the next page.
    if top.moved < repeats:
        reason = _UNEXPLAINED.format(repeats - top.moved, repeats, top.moved)
        first.position = evolve(first.position, incomplete_reason=reason)


class _TopScan(Scan):
    """A reading from the top down to a floor, as long as a time proves it."""

    def __init__(
        self, state: State, sort_time: SortTime, floor: float, horizon: float
    ) -> None:
        position = Position(coverages=(Coverage(sort_time),), is_overlapping=True)
        super().__init__(state, position, max(floor, state.floor))
        self.ids = dict[str, None]()
        self.seen = set[tuple[int, str, float]]()  # what is newer than the horizon
        self.shows_all = False  # whether one answer had everything that is newer
        self._horizon = max(horizon, state.floor)

    @property
    def is_done(self) -> bool:
        return super().is_done or not self.position.coverages

    @property
    def newest(self) -> float:
        """The newest time that it saw first."""
        return max((c.newest_at_start for c in self.position.coverages), default=-inf)

    def _page(self, batch: Batch, intervals: Intervals) -> Page:
        page = super()._page(batch, intervals)
        for interval in intervals.values():
            is_top = interval.newest == inf
            self.shows_all |= is_top and interval.oldest <= self._horizon
            ids = [key(context) for context in self._state.wanted(batch.contexts)]
            self.ids |= dict.fromkeys(ids)
            places = zip(count(batch.window.offset), ids, interval.times, strict=False)
            self.seen.update(place for place in places if place[2] > self._horizon)
        return page


def _proven_top(
    state: State, first: FirstScan, proof: Coverage
) -> Generator[Page, None, str]:
    """Count where only that tells, and read the top; say if it has another order."""
    agrees = yield from _counts_agree(state, first, proof)
    top = yield from _at_top(state, proof)
    if top.position.proof is None:
        return top.position.incomplete_reason
    agrees = agrees and top.newest == proof.newest_at_start
    if top.position.ambiguous_time is not None:
        proof = evolve(proof, ambiguous_time=top.position.ambiguous_time)
    if agrees:
        proof = evolve(proof, ambiguous_time=None)
    first.position = evolve(first.position, coverages=(proof,))
    return ""


def _at_top(state: State, proof: Coverage) -> Generator[Page, None, _TopScan]:
    """Read the top until one answer, or two looks, show all that moved there."""
    sort_time, mark = proof.sort_time, proof.newest_at_start
    before: set[tuple[int, str, float]] | None = None
    for _ in range(MAX_RECHECKS):
        floor = mark - LONG_DELAY if sort_time.moves else mark
        top = _TopScan(state, sort_time, floor, mark - DELAY)
        yield from top.pages()
        is_calm = before is not None and top.seen <= before
        if top.shows_all or is_calm or top.position.is_open or not sort_time.moves:
            return top
        mark, before = top.newest, top.seen
    raise PaginationError(_TOO_FAST)


def _counts_agree(
    state: State, first: FirstScan, proof: Coverage
) -> Generator[Page, None, bool]:
    """Read all once more if only counts tell whether all was read, and compare."""
    if proof.ambiguous_time is None:
        return False
    sort_time, mark = proof.sort_time, proof.newest_at_start
    horizon = mark - DELAY if sort_time.moves else -inf
    one: FirstScan | _TopScan = first
    if first.is_continued:  # it hasn't counted the whole list
        one = _TopScan(state, sort_time, -inf, horizon)
        yield from one.pages()
        if one.newest != mark:
            return False
    if len(one.ids) != one.length:
        return False
    # Contexts that leave the list hide missing ones from one count, but not from two.
    known = {*one.ids}
    two = _TopScan(state, sort_time, -inf, horizon)
    yield from two.pages()
    is_same = two.newest == mark and two.length == len(two.ids) == one.length
    return is_same and all(id_ in known for _, id_, _ in two.seen)


def _ambiguity(state: State, first: FirstScan) -> str:
    """Say what may be missing because too many contexts share a time."""
    proof = first.position.proof
    if proof is None or proof.ambiguous_time is None:
        return ""
    missing = first.length - len(state.yielded)
    what = f"about {missing} contexts are" if missing > 0 else "contexts may be"
    shared = f"{proof.sort_time.field} {proof.shown(proof.ambiguous_time)}"
    filters = " or ".join(known.name for known in state.reader.revision.filters)
    return (
        f"{what} missing: too many have the {shared} to fit into one answer, and the "
        f"service lists them in no fixed order. Filter by {filters} to make the group "
        "smaller"
    )
