"""
The proof that a walk misses nothing: each answer covers an interval of time.

Call a context quiet if it stays in the list and isn't touched during the walk. The list
has the newest activity first, so an answer has every quiet context that is newer than
its last context and older than its first. The top of the list is newer than any time,
and its end is older. An answer joins what is covered if its first context is newer than
the last one that is covered: between two of the same time, others may stand.

Without times, the place in the order in which contexts were read stands in for them.
"""

from __future__ import annotations

from itertools import count, groupby, pairwise
from math import inf
from sys import float_info
from typing import TYPE_CHECKING, Literal

from attrs import evolve, frozen

from wacht._protocol.windows import Window
from wacht.models import MAX_PER_PAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wacht._protocol.windows import Slice
    from wacht.models import AiExecutionContext

# What tells whether answers join: times, the order of contexts, or only their place.
Rule = Literal["activity", "order", "place"]

UNDATED = float_info.max  # PostgreSQL lists contexts without a time first

_MOST_SPARE = 16  # contexts that answers share beyond what joins them
_UNJOINED = "contexts may be missing: answers are too small or change too fast to join"
_DISORDERED = "contexts may be missing: the list doesn't have the newest activity first"


@frozen
class Interval:
    """What one answer covers: the time between its first and its last context."""

    window: Window
    newest: float  # it covers contexts that are older than this
    times: list[float]  # of its contexts, in seconds
    has_more: bool

    @property
    def oldest(self) -> float:
        """It covers contexts newer than this."""
        return min(self.times, default=inf) if self.has_more else -inf

    @property
    def tied(self) -> int:
        """How many contexts at its end share one time."""
        return next((len([*group]) for _, group in groupby(self.times[::-1])), 0)

    @property
    def is_ordered(self) -> bool:
        """Whether no context is newer than the one before it."""
        return all(before >= after for before, after in pairwise(self.times))


def by_activity(part: Slice) -> Interval:
    """Return what an answer covers in a list with the newest activity first."""
    times = [time_of(context) for context in part.contexts]
    newest = inf if part.window.offset == 0 else max(times, default=-inf)
    return Interval(part.window, newest, times, part.has_more)


def by_order(part: Slice, order: Mapping[str, int]) -> Interval:
    """Return what an answer covers, by the order in which contexts were read."""
    new = count(len(order))
    ids = [context.id or "" for context in part.contexts]
    places = [order[id_] if id_ in order else next(new) for id_ in ids]
    # Two neighbours that were read so are good evidence. One alone may have moved.
    evidence = (-a for a, b in pairwise(places) if b == a + 1 < len(order))
    newest = inf if part.window.offset == 0 else max(evidence, default=-inf)
    times = sorted((-float(place) for place in places), reverse=True)
    return Interval(part.window, newest, times, part.has_more)


def time_of(context: AiExecutionContext) -> float:
    """Return a context's last activity in seconds."""
    time = context.last_activity_at
    return UNDATED if time is None else time.timestamp()


@frozen
class Coverage:
    """What the answers so far cover, and which window comes next."""

    end: int = 0  # the offset behind what is covered, when it was last read
    rule: Rule = "activity"
    begun: bool = False  # whether there was an answer
    low: float = inf  # everything newer than this is covered
    newest: float = -inf  # the newest time in the first answer that had one
    tied: int = 0  # contexts of one time at the end; 0 if the last answer ended above
    stride: int = 0  # how far behind the end the next window begins
    spare: int = 0  # contexts that answers share beyond what joins them
    repeats: int = 0  # contexts that came again, read side by side
    mark: int = 0  # so many contexts were read before the first look or gap
    unproven: float | None = None  # a time that more contexts share than answers span
    doubt: str = ""  # why contexts may be missing, if no answer and no count can tell

    @property
    def proves(self) -> bool:
        """Whether answers have to join; else they are read side by side."""
        return self.rule != "place" and not self.doubt

    @property
    def is_doubtful(self) -> bool:
        """Whether contexts may be missing that no further answer brings."""
        return self.unproven is not None or bool(self.doubt)

    def joins(self, interval: Interval) -> bool:
        """Return whether nothing can be missing between the end and an answer."""
        unspanned = self._is_unspanned(interval.window.limit)
        if not self.proves or unspanned or not interval.is_ordered:
            return interval.window.offset <= self.end
        return self._is_overlapped(interval)

    def add(self, interval: Interval, floor: float = -inf) -> Coverage:
        """Return what is covered with an answer; below the floor, nothing has to be."""
        joins = not self.proves or self._is_overlapped(interval)
        base = self if joins else self.without_proof()
        dated = (time for time in interval.times if time != UNDATED)
        end = interval.window.end if self.proves else max(self.end, interval.window.end)
        reaches = not self.proves or interval.oldest <= self.low
        stride = 2 * self.stride or MAX_PER_PAGE * (self.tied == 0)
        oldest = max(interval.oldest, floor)
        doubt = base.doubt if interval.is_ordered else _DISORDERED
        if doubt and interval.has_more:
            oldest = inf  # nothing tells what is behind it
        return evolve(
            base,
            end=end,
            begun=True,
            low=min(self.low, oldest),
            newest=max(dated, default=-inf) if self.newest == -inf else self.newest,
            tied=interval.tied if reaches else 0,
            stride=0 if reaches else stride,
            doubt=doubt,
        )

    def without_proof(self) -> Coverage:
        """Return the same, but what comes next needn't join: some may be missing."""
        if self.rule == "order":
            return evolve(self, doubt=_UNJOINED)
        dated = self.rule == "activity" and self.low < inf
        return evolve(self, unproven=self.low) if dated else self

    def with_gap(self, read: int) -> Coverage:
        """Return the same after an answer didn't join: the next ones share more."""
        spare = min(2 * self.spare or 2, _MOST_SPARE)
        return evolve(self, spare=spare, mark=self.mark or read)

    def following(self, size: int, most: int) -> Window:
        """Return the next window: `size` new contexts, and `most` at the most."""
        start = self.end + self.stride
        offset = max(0, start - self._overlap(most))
        lost = self.proves and self.begun and not self.tied
        wide = self.proves and self.tied > size
        full = most if lost or wide else start + size - offset
        return Window(offset, min(full, most))

    def between(self, apart: Window, most: int) -> Window:
        """Return the window to read before one that doesn't join."""
        back = self.end - apart.offset
        if back >= 0:  # contexts left: reach back twice as far as before
            offset = min(apart.offset - 3 * most // 4, self.end - 2 * back)
        elif -back <= most - self._overlap(most):
            offset = self.end - self._overlap(most)
        else:
            offset = self.end - back // 2
        return Window(max(0, offset), most)

    def expecting(self, window: Window) -> Coverage:
        """Return what will be covered if a window is answered in full."""
        return evolve(self, end=window.end, stride=0)

    def can_read_ahead(self, most: int) -> bool:
        """Return whether windows that are read ahead will likely join."""
        return self.tied <= 1 + self.spare or self._is_unspanned(most)

    def _is_overlapped(self, interval: Interval) -> bool:
        return not self.begun or interval.newest > self.low or interval.newest == inf

    def _is_unspanned(self, limit: int) -> bool:
        """Return whether more contexts share the last time than a window can span."""
        return self.tied >= max(limit - 1, 1) or self.low == self.unproven

    def _overlap(self, most: int) -> int:
        if not self.proves or not self.begun or self._is_unspanned(most):
            return 0
        least = min(max(self.tied, 1) + 1, most - 1)
        return least + min(self.spare, (most - least) // 8)
