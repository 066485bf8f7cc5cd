"""Which window comes next: behind the end, further on, or further back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve
from hypothesis import given, strategies as st

from wacht import AiExecutionContext
from wacht._contexts import OFFSET_SORT_TIMES, PAGE_SORT_TIMES
from wacht._pagination.coverage import Coverage, intervals_of
from wacht._pagination.next_window import Position
from wacht._protocol.windows import Batch, Window

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
[ACTIVITY] = OFFSET_SORT_TIMES
CREATED, OLDEST, _ = PAGE_SORT_TIMES


def batch(*times: float, offset: int = 0, limit: int | None = None) -> Batch:
    """Return an answer with more to come; its times are microseconds."""
    moments = [EPOCH + timedelta(microseconds=time) for time in times]
    contexts = [AiExecutionContext(created_at=m, last_activity_at=m) for m in moments]
    return Batch(Window(offset, limit or len(times)), contexts, has_more=True)


def behind(answer: Batch, position: Position, *, is_gap: bool = False) -> Position:
    intervals = intervals_of(answer, position.coverages)
    assert position.joins(answer, intervals)
    return position.add(answer, intervals, 0, is_gap=is_gap)


START = Position(coverages=(Coverage(ACTIVITY),), is_overlapping=True)
TOP = behind(batch(9, 8, 7, limit=100), START)


def test_window__overlaps_by_two() -> None:
    assert START.window(20, 100) == Window(0, 20)
    assert TOP.window(100, 100) == Window(98, 100)
    assert TOP.window(20, 100) == Window(98, 22)


def test_window__reaches_back_over_equal_times() -> None:
    position = behind(batch(*[9] * 50, *[8] * 7, limit=100), START)
    assert position.window(100, 100) == Window(92, 100)
    assert position.window(6, 100) == Window(92, 100)  # enough for a wider group


def test_window__back_reaches_twice_as_far_each_time() -> None:
    """A quarter of the first one overlaps the answer that doesn't join."""
    position, offsets = evolve(TOP, end=1000), []
    for _ in range(5):
        position = position.further_back(100)
        offsets.append(position.window(100, 100).offset)
    assert offsets == [921, 846, 696, 396, 0]
    # A service with pages of a fixed size shows itself.
    assert position.window(100, 100).limit == 99


def test_window__further_on_strides_where_the_list_has_grown() -> None:
    """Behind an answer that doesn't come down to the end, everything is covered."""
    position, offsets = TOP, []
    for _ in range(4):
        window = position.window(100, 100)
        offsets.append(window.offset)
        position = behind(batch(20, 10, offset=window.offset, limit=100), position)
    assert offsets == [98, 196, 394, 692]
    assert position.covered_until == 7


def test_window__halves_a_stride_that_was_too_long() -> None:
    position, shifts = evolve(TOP, shift=800), []
    for _ in range(5):
        position = position.further_back(100)
        shifts.append(position.shift)
    assert shifts == [400, 200, 100, 0, -75]
    above = batch(20, 10, offset=400, limit=100)
    for shift in (400, -400):
        assert behind(above, evolve(TOP, shift=shift), is_gap=True).shift == 200


def test_gaps__let_windows_share_more() -> None:
    """Up to an eighth of what is new in each."""
    position, offsets = TOP, []
    for _ in range(5):
        position = position.further_back(100).behind(Window(0, 100))
        offsets.append(position.window(100, 100).offset)
    assert offsets == [96, 94, 90, 86, 86]
    assert position.window(20, 22).offset == 96


def test_join__across_more_equal_times_than_an_answer_holds() -> None:
    """They are read side by side, and noted; a hole in the places still counts."""
    wide = behind(batch(9, *[8] * 99), START)
    assert wide.window(3, 100) == Window(100, 100)
    beside = batch(*[8] * 100, offset=100)
    assert behind(beside, wide).ambiguous_time == 8
    apart = batch(*[8] * 100, offset=101)
    assert not wide.joins(apart, intervals_of(apart, wide.coverages))


def test_join__of_98_equal_times_is_proven() -> None:
    """One more on either side fits into a window of 100."""
    position = behind(batch(9, 9, *[8] * 98), START)
    assert position.window(100, 100) == Window(1, 100)
    position = behind(batch(9, *[8] * 98, 7, offset=1), position)
    assert (position.covered_until, position.ambiguous_time) == (7, None)


@pytest.mark.parametrize(
    ("ties", "extra", "may"), [(1, 0, 1), (2, 0, 0), (6, 5, 1), (7, 5, 0), (99, 0, 1)]
)
def test_read_ahead__if_windows_will_join(ties: int, extra: int, may: int) -> None:
    """Or if they needn't, between equal times that no window spans."""
    coverage = Coverage(ACTIVITY, ties_at_end=ties)
    position = evolve(TOP, coverages=(coverage,), extra_overlap=extra)
    assert position.can_read_ahead(100) is bool(may)


@given(st.integers(1, 100), st.integers(0, 100), st.integers(1, 100))
def test_windows__always_have_something_new(
    size: int, ties: int, max_limit: int
) -> None:
    coverage = Coverage(ACTIVITY, covered_until=8, ties_at_end=ties)
    position = evolve(TOP, coverages=(coverage,), extra_overlap=16)
    window = position.window(size, max_limit)
    assert window.end > position.end
    assert window.limit <= max_limit


@pytest.mark.parametrize(("activity", "joins"), [(15, True), (30, False)])
def test_times__an_answer_joins_by_all_that_fit(activity: int, *, joins: bool) -> None:
    answer = batch(20, 10, offset=98)
    coverages = (Coverage(CREATED, 15), Coverage(ACTIVITY, activity))
    position = evolve(TOP, coverages=coverages)
    assert position.joins(answer, intervals_of(answer, coverages)) is joins


def test_times__one_with_a_gap_leaves_a_doubt_while_it_fits() -> None:
    """If the list is sorted by it, a time that moves may seem to be the order."""
    times = (CREATED, OLDEST, ACTIVITY)
    newest, oldest, moving = (Coverage(time, varies=True) for time in times)
    wide = evolve(oldest, ambiguous_time=30)
    position = evolve(TOP, coverages=(newest, wide, moving))
    assert position.is_open
    assert not position.without(wide, "").is_open
    wide = evolve(moving, ambiguous_time=30)
    assert not evolve(TOP, coverages=(newest, wide)).is_open


def test_times__one_that_is_the_same_everywhere_tells_nothing() -> None:
    """Contexts that were imported at one moment, and are listed by activity."""
    start = evolve(START, coverages=(Coverage(CREATED), Coverage(ACTIVITY)))
    contexts = [evolve(c, created_at=EPOCH) for c in batch(*range(9, 0, -1)).contexts]
    varying = behind(evolve(batch(*[9] * 100), contexts=contexts), start)
    assert varying.coverage == varying.coverages[1]


def test_times__one_direction_goes_on_where_the_other_only_grew() -> None:
    coverages = (Coverage(CREATED, 7), Coverage(OLDEST, -7), Coverage(ACTIVITY, 7))
    equal = evolve(TOP, coverages=coverages)
    answer = batch(8, 8, offset=100)
    fitting, _ = equal.fitting(answer, intervals_of(answer, coverages))
    assert {c.sort_time for c in fitting.coverages} == {OLDEST, ACTIVITY}


def test_times__the_oldest_first_only_a_window_further_back_may_be_above() -> None:
    oldest = evolve(TOP, coverages=(Coverage(OLDEST, -7, newest_at_start=-3),))
    intervals = intervals_of(batch(5, 5), oldest.coverages)
    _, misfit = oldest.fitting(batch(5, 5, offset=100), intervals)
    assert "place 100" in misfit
    for offset, shift in [(100, -75), (98, 0)]:
        answer = batch(5, 5, offset=offset)
        assert evolve(oldest, shift=shift).fitting(answer, intervals)[1] == ""
