"""
The proof that a walk misses nothing: each answer covers an interval of time.

The list is sorted by a time that its contexts show. Call a context quiet if it stays in
the list, and its time stays the same, from the first request to the last.

1. An answer has every quiet context between the time of its first and the time of its
   last one: when it was made, nothing else stood between. The top of the list counts
   as newer than any time, and its end as older. So the answer covers an interval.
2. An answer joins what is covered if it begins at a newer time than that ends at. At
   the very same time, more contexts may stand than the two answers have.
3. If answers join from the top down to a time, each quiet context above it was read.

Times are numbers that grow towards the top of the list.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from math import inf
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from wacht._protocol.replies import service_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wacht._contexts import SortTime
    from wacht._protocol.windows import Batch
    from wacht.models import AiExecutionContext

    Intervals = dict[SortTime, "Interval"]

UNDATED = 10.0**18  # newer than any time that there is
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MAX_CREEPING = 3  # answers in a row that may end at the same time


@frozen
class Interval:
    """What one answer covers: every quiet context between two times."""

    newest: float
    oldest: float
    times: list[float]  # of its contexts

    @property
    def ties_at_end(self) -> int:
        """How many contexts at its end share one time."""
        return next((len([*group]) for _, group in groupby(self.times[::-1])), 0)


def intervals_of(batch: Batch, coverages: Iterable[Coverage]) -> Intervals:
    """Return what an answer covers, for each time that may be the list's order."""
    sort_times = [coverage.sort_time for coverage in coverages]
    return {sort_time: interval_of(batch, sort_time) for sort_time in sort_times}


def interval_of(batch: Batch, sort_time: SortTime) -> Interval:
    """Return what an answer covers in a list that is sorted by a time."""
    times = [time_of(context, sort_time) for context in batch.contexts]
    newest = inf if batch.window.offset == 0 else max(times, default=-inf)
    oldest = min(times, default=inf) if batch.has_more else -inf
    return Interval(newest, oldest, times)


def time_of(context: AiExecutionContext, sort_time: SortTime) -> float:
    """Return a context's time in microseconds, negative if the oldest is at the top."""
    moment: datetime | None = getattr(context, sort_time.field)
    if moment is None:
        return UNDATED
    return microseconds(moment) if sort_time.newest_first else -microseconds(moment)


def microseconds(moment: datetime) -> int:
    """Return a time in microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


@frozen
class Coverage:
    """What the answers so far cover, if the list is sorted by a time."""

    sort_time: SortTime
    covered_until: float = inf  # every quiet context that is newer was read
    ties_at_end: int = 0  # contexts of that time at the end; 0: it is above
    varies: bool = False  # whether not all contexts so far have the same time
    creeping: int = 0  # answers in a row that ended at the same time
    newest_at_start: float = -inf  # the newest time in the first answer
    ambiguous_time: float | None = None  # shared by more contexts than an answer spans

    def joins(self, interval: Interval) -> bool:
        """Return whether no quiet context is missing between the end and an answer."""
        return interval.newest > self.covered_until or interval.newest == inf

    def reaches(self, interval: Interval) -> bool:
        """Return whether an answer comes down to the end, or the list grew above it."""
        return interval.oldest <= self.covered_until

    def is_too_wide(self, limit: int) -> bool:
        """Return whether more contexts share the last time than a window spans."""
        return (
            self.ties_at_end >= limit - 1
            or self.creeping >= (_MAX_CREEPING if self.ambiguous_time is None else 1)
            or self.covered_until == self.ambiguous_time
        )

    def add(
        self, batch: Batch, interval: Interval, floor: float, *, must_join: bool
    ) -> Coverage:
        """Return what is covered with an answer; below the floor, nothing has to be."""
        is_gap = must_join and not self.joins(interval)
        creeps = interval.oldest == self.covered_until
        mark = self.newest_at_start
        times = {*interval.times, self.covered_until} - {inf}
        return evolve(
            self,
            varies=self.varies or len(times) > 1,
            ambiguous_time=self.covered_until if is_gap else self.ambiguous_time,
            covered_until=min(self.covered_until, max(interval.oldest, floor)),
            ties_at_end=interval.ties_at_end if self.reaches(interval) else 0,
            creeping=self.creeping + 1 if creeps else 0,
            newest_at_start=self._mark(batch, interval) if mark == -inf else mark,
        )

    def _mark(self, batch: Batch, interval: Interval) -> float:
        if interval.newest != inf and not self.sort_time.newest_first:
            return inf  # older ones are above the place where the walk began
        # What is dated ahead of the service says nothing.
        now = microseconds(service_time(batch.date))
        return max((time for time in interval.times if time <= now), default=-inf)

    def misfit(self, batch: Batch, interval: Interval, *, is_behind: bool) -> str:
        """
        Say which context shows that the list isn't sorted so; "" if none does.

        `is_behind` if the answer was to be behind what is covered.
        """
        times, is_top = interval.times, interval.newest == inf
        pairs = enumerate(pairwise(times), 1)
        index = next((n for n, (upper, lower) in pairs if lower > upper), None)
        ends_undated = times[-1:] == [UNDATED] and self.covered_until < UNDATED
        is_odd = (ends_undated and not is_top) or not self.sort_time.undated_first
        if UNDATED in times and is_odd:
            index = times.index(UNDATED)
        if not self.sort_time.newest_first and self.newest_at_start != -inf:
            above = (n for n, t in enumerate(times) if t > self.newest_at_start)
            index = next(above, index)  # nothing comes above what was the oldest
            if is_behind and min(times, default=-inf) > self.covered_until:
                index = 0
        if index is None:
            return ""
        newer = "newer" if self.sort_time.newest_first else "older"
        relation = f", {newer} than the one before it" * (times[index] != UNDATED)
        return (
            f"the context at place {batch.window.offset + index} has "
            f"{self.sort_time.field} {self.shown(times[index])}{relation}"
        )

    def shown(self, time: float) -> str:
        if time == UNDATED:
            return "null"
        since = int(time if self.sort_time.newest_first else -time) * _MICROSECOND
        return f"{_EPOCH + since:%Y-%m-%dT%H:%M:%S.%fZ}"
