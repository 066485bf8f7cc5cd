"""
The proof that a walk misses nothing: each answer covers an interval of time.

The list is sorted by a time that its contexts show, the newest first. Call a context
quiet if it stays in the list, and its time stays the same, from the first request to
the last.

1. An answer has every quiet context between the time of its first and the time of its
   last one: when it was made, nothing else stood between. The top of the list counts
   as newer than any time, and its end as older. So the answer covers an interval.
2. An answer joins what is covered if it begins at a newer time than that ends at. At
   the very same time, more contexts may stand than the two answers have.
3. If answers join from the top down to a time, each quiet context above it was read.

Times are microseconds since 1970, or one of the three constants.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from wacht._contexts import SortTime  # noqa: TC001 - cattrs reads the annotation
from wacht._protocol.replies import http_date
from wacht._text import utc_text

if TYPE_CHECKING:
    from wacht._protocol.windows import Batch
    from wacht.models import AiExecutionContext

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LONG_AGO = 600_000_000  # no transaction takes ten minutes


def microseconds(moment: datetime) -> int:
    """Return a time in microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


END = microseconds(datetime.min.replace(tzinfo=UTC)) - 1  # older than any time
UNDATED = microseconds(datetime.max.replace(tzinfo=UTC)) + 1  # newer than any time
TOP = UNDATED + 1


def moment_of(time: int) -> datetime:
    """Return a time in microseconds as a datetime."""
    return _EPOCH + time * _MICROSECOND


def shown(time: int) -> str:
    """Write a time as the service does."""
    return "null" if time == UNDATED else utc_text(moment_of(time))


def time_of(context: AiExecutionContext, sort_time: SortTime) -> int:
    """Return the time that a context is sorted by."""
    moment: datetime | None = getattr(context, sort_time.field)
    return UNDATED if moment is None else microseconds(moment)


@frozen
class Answer:
    """A batch, and the interval that it covers."""

    batch: Batch
    times: list[int]  # of its contexts; none where nothing is compared
    newest: int
    oldest: int
    date: int  # the header; END without one

    @classmethod
    def of(cls, batch: Batch, sort_time: SortTime | None) -> Answer:
        times = [time_of(c, sort_time) for c in batch.contexts] if sort_time else []
        newest = TOP if batch.window.offset == 0 else max(times, default=END)
        oldest = min(times, default=TOP) if batch.has_more else END
        date = http_date(batch.date or "") if sort_time else None
        return cls(batch, times, newest, oldest, microseconds(date) if date else END)

    @property
    def is_top(self) -> bool:
        """Whether it begins at the top of the list."""
        return self.newest == TOP

    @property
    def ties_at_end(self) -> int:
        """How many contexts at its end share one time."""
        return next((len([*group]) for _, group in groupby(self.times[::-1])), 0)

    def shows_lag(self, mark: Mark) -> bool:
        """Return whether a time is newer than the mark, and yet long ago."""
        return any(mark.time < time < self.date - _LONG_AGO for time in self.times)


@frozen
class Mark:
    """The newest time in an answer that isn't ahead of the service's clock."""

    time: int = END  # if there is none
    is_old: bool = False  # so that no change is on its way to a time before it

    @classmethod
    def of(cls, answer: Answer) -> Mark:
        now = microseconds(datetime.now(UTC)) if answer.date == END else answer.date
        time = max((time for time in answer.times if time <= now), default=END)
        return cls(time, END < time < answer.date - _LONG_AGO)


@frozen
class Coverage:
    """What the answers so far cover."""

    sort_time: SortTime
    covered_until: int = TOP  # every quiet context that is newer was read
    ties_at_end: int = 0  # contexts of that time in the answer that came down to it
    mark: Mark = field(factory=Mark)  # of the first answer that came down to the end
    ambiguous_time: int | None = None  # shared by more contexts than an answer spans

    @property
    def is_in_group(self) -> bool:
        """Whether it ends among contexts of which some may be missing."""
        return self.covered_until == self.ambiguous_time

    def joins(self, answer: Answer) -> bool:
        """Return whether no quiet context is missing between the end and an answer."""
        return answer.newest > self.covered_until

    def reaches(self, answer: Answer) -> bool:
        """Return whether an answer comes down to the end, or the list grew above it."""
        return answer.oldest <= self.covered_until

    def add(self, answer: Answer, floor: int, *, is_gap: bool) -> Coverage:
        """Return what is covered with an answer; below the floor, nothing has to be."""
        reaches = self.reaches(answer)
        has_mark = self.mark.time > END or not reaches
        return evolve(
            self,
            covered_until=min(self.covered_until, max(answer.oldest, floor)),
            ties_at_end=answer.ties_at_end if reaches else self.ties_at_end,
            mark=self.mark if has_mark else Mark.of(answer),
            ambiguous_time=self.covered_until if is_gap else self.ambiguous_time,
        )

    def misfit(self, answer: Answer) -> str:
        """Say which context shows that the list isn't sorted so; "" if none does."""
        index = self._first_misfit(answer)
        if index is None:
            return ""
        place = answer.batch.window.offset + index
        return (
            f"the list isn't sorted by {self.sort_time.field}: the context at place "
            f"{place}, with {shown(answer.times[index])}, is out of order"
        )

    def _first_misfit(self, answer: Answer) -> int | None:
        times, sort_time = answer.times, self.sort_time
        ends_undated = times[-1:] == [UNDATED] and self.covered_until < UNDATED
        is_odd = ends_undated and not answer.is_top
        if UNDATED in times and (is_odd or not sort_time.undated_first):
            return times.index(UNDATED)
        # Bulk imports that are listed oldest first look like a list that has grown.
        is_below = not (sort_time.moves or answer.is_top)
        if is_below and min(times, default=END) > self.mark.time > END:
            return 0
        pairs = enumerate(pairwise(times), 1)
        return next((n for n, (upper, lower) in pairs if lower > upper), None)
