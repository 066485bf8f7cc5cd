"""The proof: what an answer covers, and which answers join. Each is a literal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import inf

import pytest
from attrs import evolve

from wacht import AiExecutionContext
from wacht._contexts import OFFSET_SORT_TIMES, PAGE_SORT_TIMES, SortTime
from wacht._pagination.coverage import (
    UNDATED,
    Coverage,
    Interval,
    interval_of,
    time_of,
)
from wacht._protocol.windows import Batch, Window

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
[ACTIVITY] = OFFSET_SORT_TIMES
NEWEST, OLDEST, _ = PAGE_SORT_TIMES


def batch(
    *times: float | None, offset: int = 0, more: bool = True, date: str | None = None
) -> Batch:
    """Return an answer whose contexts have these times, in microseconds."""
    moments = [t if t is None else EPOCH + timedelta(microseconds=t) for t in times]
    contexts = [AiExecutionContext(created_at=m, last_activity_at=m) for m in moments]
    return Batch(Window(offset, len(times)), contexts, more, date)


def interval(*times: float | None, offset: int = 0, more: bool = True) -> Interval:
    return interval_of(batch(*times, offset=offset, more=more), ACTIVITY)


def misfit(coverage: Coverage, *times: float | None, offset: int = 0) -> str:
    answer = batch(*times, offset=offset)
    interval = interval_of(answer, coverage.sort_time)
    return coverage.misfit(answer, interval, is_behind=True)


def covering(
    answer: Batch, coverage: Coverage | None = None, *, must_join: bool = False
) -> Coverage:
    coverage = coverage or Coverage(ACTIVITY)
    interval = interval_of(answer, coverage.sort_time)
    return coverage.add(answer, interval, -inf, must_join=must_join)


TOP = covering(batch(9, 8, 7))


def test_interval__between_the_first_and_the_last_time() -> None:
    part = interval(8, 7, 7, offset=5)
    assert (part.newest, part.oldest, part.ties_at_end) == (8, 7, 2)


def test_interval__of_the_top_and_of_the_end() -> None:
    assert interval(5).newest == inf
    assert interval(5, more=False).oldest == -inf
    empty = interval(offset=2)
    assert (empty.newest, empty.oldest, empty.ties_at_end) == (-inf, inf, 0)


@pytest.mark.parametrize("moment", [EPOCH, datetime.max.replace(tzinfo=UTC), None])
@pytest.mark.parametrize("sort_time", [NEWEST, OLDEST, ACTIVITY])
def test_time__to_a_number_and_to_text(
    moment: datetime | None, sort_time: SortTime
) -> None:
    """Exactly, the last one that there is included."""
    context = AiExecutionContext(created_at=moment, last_activity_at=moment)
    shown = Coverage(sort_time).shown(time_of(context, sort_time))
    assert shown == (context.to_dict()["created_at"] or "null")


def test_time__grows_towards_the_top() -> None:
    assert interval_of(batch(1, 2, offset=1), OLDEST).times == [-1, -2]
    assert interval(None, 2).times == [UNDATED, 2]


@pytest.mark.parametrize(("newest", "joins"), [(8, True), (7, False), (6, False)])
def test_join__needs_a_newer_first_context(newest: float, *, joins: bool) -> None:
    """At the very time of the last one, more may stand than the answer showed."""
    assert TOP.joins(interval(newest, 1, offset=2)) is joins


def test_join__of_the_top() -> None:
    assert TOP.joins(interval(3, 2))


def test_add__covers_down_to_the_last_context() -> None:
    coverage = covering(batch(8, 7, 6, 5, 5, offset=1), TOP)
    assert (coverage.covered_until, coverage.ties_at_end) == (5, 2)
    assert covering(batch(8, 7, offset=1, more=False), TOP).covered_until == -inf


def test_add__an_answer_above_the_end_covers_nothing_more() -> None:
    coverage = covering(batch(20, 10, offset=2), TOP)
    assert (coverage.covered_until, coverage.ties_at_end) == (7, 0)


def test_add__stops_above_what_is_not_wanted() -> None:
    """Contexts below the floor weren't given, so they aren't covered."""
    answer = batch(8, 7, 6, 2, offset=1)
    assert (
        TOP.add(answer, interval_of(answer, ACTIVITY), 5, must_join=True).covered_until
        == 5
    )


def test_mark__is_the_newest_time_of_the_first_answer_that_has_one() -> None:
    assert TOP.newest_at_start == 9
    assert covering(batch(99, 6), TOP).newest_at_start == 9
    undated = covering(batch(None))
    assert undated.newest_at_start == -inf
    assert covering(batch(None, 4), undated).newest_at_start == 4


@pytest.mark.parametrize("date", ["Thu, 01 Jan 1970 00:00:05 GMT", None])
def test_mark__is_no_time_ahead_of_the_clock(date: str | None) -> None:
    """That of the service, if it says which time it has."""
    ahead = 9e15 if date is None else 5_000_001
    coverage = covering(batch(9e16, ahead, 5_000_000, 4, date=date))
    assert coverage.newest_at_start == 5_000_000


@pytest.mark.parametrize("date", ["", "soon", "Thu, 99 Foo 1970 00:00:05 GMT"])
def test_mark__with_a_date_that_cant_be_read(date: str) -> None:
    assert covering(batch(5_000_000, date=date)).newest_at_start == 5_000_000


def test_misfit__a_context_newer_than_the_one_before() -> None:
    assert misfit(TOP, 9, 8, 8, 7) == ""
    text = (
        "the context at place {} has {} 1970-01-01T00:00:00.00000{}Z, {} than the one"
    )
    newer = text.format(12, "last_activity_at", 5, "newer")
    assert misfit(TOP, 8, 3, 5, offset=10) == f"{newer} before it"
    older = text.format(2, "created_at", 4, "older")
    assert misfit(Coverage(OLDEST), 3, 5, 4) == f"{older} before it"


def test_misfit__undated_contexts() -> None:
    """PostgreSQL has them first. Behind dated ones, the list has another order."""
    assert misfit(TOP, None, None) == ""
    assert misfit(Coverage(ACTIVITY), None, None, offset=2) == ""
    undated = "the context at place {} has {} null"
    assert misfit(TOP, None, None, offset=2) == undated.format(2, "last_activity_at")
    assert misfit(Coverage(NEWEST), 9, None) == undated.format(1, "created_at")


@pytest.mark.parametrize(("ties", "is_wide"), [(97, False), (98, False), (99, True)])
def test_wide__a_group_with_no_room_on_either_side(ties: int, *, is_wide: bool) -> None:
    assert covering(batch(9, *[8] * ties)).is_too_wide(100) is is_wide


def test_wide__a_group_in_which_three_answers_end() -> None:
    """The list grows as fast as the answers reach down."""
    coverage = covering(batch(9, 8, 8))
    creeping = []
    for _ in range(4):
        creeping.append(coverage.is_too_wide(100))
        coverage = covering(batch(9, 8, 8, offset=1), coverage)
    assert creeping == [False, False, False, True]
    assert not covering(batch(9, 8, 7, offset=1), coverage).is_too_wide(100)


def test_wide__may_miss_contexts_of_its_time() -> None:
    group = covering(batch(9, *[8] * 99))
    wide = covering(batch(8, 8, offset=100), group, must_join=True)
    assert wide.ambiguous_time == 8
    assert evolve(wide, ties_at_end=1).is_too_wide(100)
