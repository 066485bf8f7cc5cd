"""The proof: which answers join, and which window comes next. Each is a literal."""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf

import pytest
from attrs import evolve
from hypothesis import given, strategies as st

from wacht import AiExecutionContext
from wacht._pagination.coverage import (
    UNDATED,
    Coverage,
    Interval,
    by_activity,
    by_order,
)
from wacht._protocol.windows import Slice, Window


def interval(
    times: list[float], *, offset: int = 0, limit: int | None = None, more: bool = True
) -> Interval:
    newest = inf if offset == 0 else max(times[:1], default=-inf)
    window = Window(offset, len(times) if limit is None else limit)
    return Interval(window, newest, times, more)


def covering(*intervals: Interval) -> Coverage:
    coverage = Coverage()
    for part in intervals:
        assert coverage.joins(part)
        coverage = coverage.add(part)
    return coverage


TOP = covering(interval([9, 8, 7], limit=100))


def test_interval__of_an_answer() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    contexts = [AiExecutionContext(), AiExecutionContext(last_activity_at=moment)]
    part = by_activity(Slice(Window(5, 2), contexts, has_more=True))
    assert part.times == [UNDATED, moment.timestamp()]
    assert (part.newest, part.oldest) == (UNDATED, moment.timestamp())


def test_interval__of_the_top_and_of_the_end() -> None:
    assert by_activity(Slice(Window(0, 2), [], has_more=False)).newest == inf
    assert by_activity(Slice(Window(2, 2), [], has_more=False)).newest == -inf
    assert interval([5], more=False).oldest == -inf


def test_interval__by_order() -> None:
    """Two known neighbours are evidence; one alone, or two apart, are not."""
    known = {"a": 0, "b": 1, "c": 2}

    def newest(ids: str) -> float:
        contexts = [AiExecutionContext(id=id_) for id_ in ids]
        return by_order(Slice(Window(1, 9), contexts, has_more=True), known).newest

    assert by_order(Slice(Window(0, 9), [], has_more=True), known).newest == inf
    assert newest("bcx") == -1
    assert newest("xab") == 0
    assert [newest(ids) for ids in ("cx", "acx", "cbx", "xyz")] == [-inf] * 4


@pytest.mark.parametrize(
    ("newest", "joins"), [(7.001, True), (7, False), (6.999, False)]
)
def test_join__needs_a_newer_first_context(newest: float, *, joins: bool) -> None:
    """At the very time of the last one, more may stand than the answer showed."""
    assert TOP.joins(interval([newest, 1], offset=2, limit=100)) is joins


def test_join__of_the_top_and_of_the_first_answer() -> None:
    assert TOP.joins(interval([3, 2], limit=100))
    assert Coverage(40).joins(interval([3, 2], offset=40, limit=100))


def test_join__across_more_equal_times_than_an_answer_holds() -> None:
    """They are read side by side, and noted; a hole in the places still counts."""
    wide = covering(interval([9] + [8] * 99))
    assert wide.tied == 99
    assert wide.following(100, 100) == Window(100, 100)
    assert wide.joins(interval([8] * 100, offset=100))
    assert not wide.joins(interval([8] * 100, offset=101))
    assert wide.add(interval([8] * 100, offset=100)).unproven == 8


def test_join__of_98_equal_times_is_proven() -> None:
    """One more on either side fits into a window of 100."""
    coverage = covering(interval([9, 9] + [8] * 98))
    assert coverage.following(100, 100) == Window(1, 100)
    part = interval([9] + [8] * 98 + [7], offset=1)
    assert coverage.joins(part)
    assert coverage.add(part).low == 7
    assert coverage.add(part).unproven is None


def test_join__of_times_out_of_order() -> None:
    """From there on, the list is read side by side, and the walk says so."""
    coverage = TOP.add(interval([8, 3, 5], offset=1, limit=100))
    assert "newest activity" in coverage.doubt
    assert coverage.joins(interval([99], offset=101, limit=100))
    assert coverage.low == 7  # nothing is covered any more


def test_add__reaches_down_to_the_last_context() -> None:
    coverage = TOP.add(interval([8, 7, 6, 5, 5], offset=1, limit=99))
    assert (coverage.low, coverage.end, coverage.tied) == (5, 100, 2)
    assert TOP.add(interval([8, 7], offset=1, more=False)).low == -inf


def test_add__stops_above_what_is_not_wanted() -> None:
    """Contexts below the floor weren't given, so they aren't covered."""
    coverage = TOP.add(interval([8, 7, 6, 2], offset=1, limit=99), 5)
    assert coverage.low == 5


def test_add__keeps_the_first_newest_time() -> None:
    assert TOP.newest == 9
    assert TOP.add(interval([99, 6], limit=100)).newest == 9
    assert covering(interval([UNDATED, 4], limit=100)).newest == 4


def test_following__overlaps_by_two() -> None:
    assert TOP.following(100, 100) == Window(98, 100)
    assert TOP.following(20, 100) == Window(98, 22)
    assert Coverage().following(20, 100) == Window(0, 20)


def test_following__reaches_back_over_equal_times() -> None:
    coverage = covering(interval([9] * 50 + [8] * 7, limit=100))
    assert coverage.following(100, 100) == Window(92, 100)


def test_following__strides_where_the_list_has_grown() -> None:
    """Behind an answer that doesn't come down to the end, everything is covered."""
    coverage = TOP
    offsets = []
    for _ in range(4):
        window = coverage.following(100, 100)
        offsets.append(window.offset)
        coverage = coverage.add(interval([20, 10], offset=window.offset, limit=100))
    assert offsets == [98, 196, 394, 692]
    assert coverage.low == 7


def test_between__reaches_back_twice_as_far_each_time() -> None:
    """As contexts left the list above, the answer began too far down."""
    coverage = covering(interval([9, 8], offset=0, limit=1000))
    offsets = [998]
    for _ in range(4):
        offsets.append(coverage.between(Window(offsets[-1], 100), 100).offset)
    assert offsets == [998, 923, 846, 692, 384]
    assert coverage.between(Window(384, 100), 100) == Window(0, 100)


@pytest.mark.parametrize(
    ("apart", "offset"), [(100, 25), (150, 98), (198, 98), (200, 150), (1100, 600)]
)
def test_between__bisects_behind_the_end(apart: int, offset: int) -> None:
    """If nothing left the list, it reaches back to the end, or half the way to it."""
    assert TOP.between(Window(apart, 100), 100) == Window(offset, 100)


def test_windows__read_ahead_follow_each_other() -> None:
    """However large the strides are."""
    coverage = evolve(TOP, stride=400).expecting(Window(498, 100))
    assert coverage.following(100, 100) == Window(596, 100)


def test_gaps__let_windows_share_more() -> None:
    """Up to an eighth of what is new in each."""
    coverage, offsets = TOP, []
    for _ in range(5):
        coverage = coverage.with_gap(0)
        offsets.append(coverage.following(100, 100).offset)
    assert offsets == [96, 94, 90, 86, 86]
    assert coverage.following(20, 22).offset == 96


@pytest.mark.parametrize(
    ("tied", "spare", "may"), [(1, 0, 1), (2, 0, 0), (6, 5, 1), (7, 5, 0), (99, 0, 1)]
)
def test_read_ahead__if_windows_will_join(tied: int, spare: int, may: int) -> None:
    """Or if they needn't, between equal times that no window spans."""
    coverage = evolve(TOP, tied=tied, spare=spare)
    assert coverage.can_read_ahead(100) is bool(may)


@given(st.integers(1, 100), st.integers(0, 100), st.integers(3, 100))
def test_windows__always_have_something_new(size: int, tied: int, most: int) -> None:
    coverage = covering(interval([9] * 100 + [8] * max(tied, 1)))
    window = coverage.following(size, most)
    assert window.end > coverage.end
    assert window.limit <= most
