"""The proof: what an answer covers, and which answers join. Each is a literal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from wacht import AiExecutionContext
from wacht._contexts import OFFSET_SORT_TIME as ACTIVITY, PAGE_SORT_TIME as CREATED
from wacht._pagination.coverage import (
    END,
    TOP,
    UNDATED,
    Answer,
    Coverage,
    Mark,
    shown,
    time_of,
)
from wacht._protocol.windows import Batch, Window

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE = 60_000_000


def answer(
    *times: float | None,
    offset: int = 0,
    limit: int | None = None,
    more: bool = True,
    date: str | None = None,
) -> Answer:
    """Return an answer whose contexts have these times, in microseconds."""
    moments = [t if t is None else EPOCH + timedelta(microseconds=t) for t in times]
    contexts = [AiExecutionContext(last_activity_at=m) for m in moments]
    window = Window(offset, limit or len(times))
    return Answer.of(Batch(window, contexts, more, date), ACTIVITY)


def covering(
    answer: Answer, coverage: Coverage | None = None, *, is_gap: bool = False
) -> Coverage:
    return (coverage or Coverage(ACTIVITY)).add(answer, END, is_gap=is_gap)


FIRST = covering(answer(9, 8, 7))


def test_answer__between_the_first_and_the_last_time() -> None:
    part = answer(8, 7, 7, offset=5)
    assert (part.newest, part.oldest, part.ties_at_end) == (8, 7, 2)
    assert answer(None, 2).times == [UNDATED, 2]


def test_answer__of_the_top_and_of_the_end() -> None:
    assert answer(5).newest == TOP
    assert answer(5, more=False).oldest == END
    empty = answer(offset=2)
    assert (empty.newest, empty.oldest, empty.ties_at_end) == (END, TOP, 0)


FIRST_AND_LAST = [t.replace(tzinfo=UTC) for t in (datetime.min, datetime.max)]  # noqa: DTZ901


@pytest.mark.parametrize("moment", [EPOCH, *FIRST_AND_LAST, None])
def test_time__to_a_number_and_to_text(moment: datetime | None) -> None:
    """Exactly, the first and the last one that there are included."""
    context = AiExecutionContext(last_activity_at=moment)
    text = context.to_dict()["last_activity_at"] or "null"
    assert shown(time_of(context, ACTIVITY)) == text


@pytest.mark.parametrize(("newest", "joins"), [(8, True), (7, False), (6, False)])
def test_join__needs_a_newer_first_context(newest: float, *, joins: bool) -> None:
    """At the very time of the last one, more may stand than the answer showed."""
    assert FIRST.joins(answer(newest, 1, offset=2)) is joins


def test_join__of_the_top() -> None:
    assert FIRST.joins(answer(3, 2))


def test_add__covers_down_to_the_last_context() -> None:
    coverage = covering(answer(8, 7, 6, 5, 5, offset=1), FIRST)
    assert (coverage.covered_until, coverage.ties_at_end) == (5, 2)
    assert covering(answer(8, 7, offset=1, more=False), FIRST).covered_until == END


def test_add__an_answer_above_the_end_covers_nothing_more() -> None:
    coverage = covering(answer(20, 10, offset=2), FIRST)
    assert (coverage.covered_until, coverage.ties_at_end) == (7, 1)


def test_add__stops_above_what_is_not_wanted() -> None:
    """Contexts below the floor weren't given, so they aren't covered."""
    assert FIRST.add(answer(8, 7, 6, 2, offset=1), 5, is_gap=False).covered_until == 5


def test_add__across_a_gap_leaves_a_doubt() -> None:
    assert covering(answer(7, 7, offset=3), FIRST, is_gap=True).ambiguous_time == 7


def test_mark__is_that_of_the_first_answer_that_has_one() -> None:
    assert FIRST.mark.time == 9
    assert covering(answer(99, 6), FIRST).mark.time == 9
    undated = covering(answer(None))
    assert undated.mark == Mark()
    assert covering(answer(None, 4), undated).mark.time == 4


def test_mark__is_of_no_answer_above_the_end() -> None:
    """Between that one and the end, there is more that nothing has read."""
    ahead = covering(answer(100, 50, date="Thu, 01 Jan 1970 00:00:00 GMT"))
    above = covering(answer(80, 70), ahead)
    assert above.mark == ahead.mark == Mark()
    assert covering(answer(80, 4), above).mark.time == 80


@pytest.mark.parametrize("date", ["Thu, 01 Jan 1970 00:00:05 GMT", None])
def test_mark__is_no_time_ahead_of_the_clock(date: str | None) -> None:
    """That of the service, if it says which time it has."""
    ahead = 9e15 if date is None else 5_000_001
    mark = Mark.of(answer(9e16, ahead, 5_000_000, 4, date=date))
    assert mark.time == 5_000_000


@pytest.mark.parametrize("date", ["", "soon", "Thu, 99 Foo 1970 00:00:05 GMT"])
def test_mark__with_a_date_that_cant_be_read(date: str) -> None:
    assert Mark.of(answer(5_000_000, date=date)) == Mark(5_000_000)


@pytest.mark.parametrize(
    ("time", "is_old"), [(10 * MINUTE - 1, True), (10 * MINUTE, False), (None, False)]
)
def test_mark__is_old_after_ten_minutes(time: float | None, *, is_old: bool) -> None:
    date = "Thu, 01 Jan 1970 00:20:00 GMT"
    assert Mark.of(answer(time, date=date)).is_old is is_old
    assert not Mark.of(answer(time)).is_old


@pytest.mark.parametrize(("time", "lags"), [(5, False), (6, True), (11e8, False)])
def test_lag__shows_in_a_new_time_that_is_long_ago(time: float, *, lags: bool) -> None:
    """The clock of who wrote it isn't that of who says the date."""
    date = "Thu, 01 Jan 1970 00:20:00 GMT"
    assert answer(time, date=date).shows_lag(Mark(5)) is lags
    assert not answer(time).shows_lag(Mark(5))


def test_misfit__a_context_newer_than_the_one_before() -> None:
    assert FIRST.misfit(answer(9, 8, 8, 7)) == ""
    assert FIRST.misfit(answer(8, 3, 5, offset=10)) == (
        "the list isn't sorted by last_activity_at: the context at place 12, with "
        "1970-01-01T00:00:00.000005Z, is out of order"
    )


def test_misfit__undated_contexts() -> None:
    """PostgreSQL has them first. Behind dated ones, the list has another order."""
    assert FIRST.misfit(answer(None, None)) == ""
    assert Coverage(ACTIVITY).misfit(answer(None, None, offset=2)) == ""
    text = FIRST.misfit(answer(None, None, offset=2))
    assert text.endswith("the context at place 2, with null, is out of order")
    text = Coverage(CREATED).misfit(answer(9, None))
    assert text.endswith("the context at place 1, with null, is out of order")


@pytest.mark.parametrize(("oldest", "fits"), [(8, True), (9, True), (10, False)])
def test_misfit__by_page_all_newer_than_the_mark(oldest: float, *, fits: bool) -> None:
    """Below the top: bulk imports that are listed oldest first look like growth."""
    created = covering(answer(9, 8, 7), Coverage(CREATED))
    below = answer(11, oldest, offset=2)
    assert (created.misfit(below) == "") is fits
    assert created.misfit(answer(11, oldest)) == FIRST.misfit(below) == ""
