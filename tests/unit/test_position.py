"""How far a reading came: which window is next, and which answers join."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given, strategies as st

from tests.unit.test_coverage import answer
from wacht._contexts import OFFSET_SORT_TIME as ACTIVITY
from wacht._pagination.coverage import END, TOP, Answer, Coverage
from wacht._pagination.position import Position
from wacht._protocol.revisions import OffsetRevision, PageRevision
from wacht._protocol.windows import Window


def behind(
    answer: Answer, position: Position, *, floor: float = END, is_below: bool = False
) -> Position:
    return position.add(answer, floor, is_known_below=is_below)


def is_too_wide(position: Position) -> bool:
    return position.is_too_wide(OffsetRevision(), 100)


START = Position(coverage=Coverage(ACTIVITY))
FIRST = behind(answer(9, 8, 7, limit=100), START)
PLAIN = Position()


def test_window__overlaps_by_two() -> None:
    assert START.window(20, 100) == Window(0, 20)
    assert FIRST.window(100, 100) == Window(98, 100)
    assert FIRST.window(20, 100) == Window(98, 22)


def test_window__reaches_back_over_equal_times() -> None:
    position = behind(answer(*[9] * 50, *[8] * 7, limit=100), START)
    assert position.window(100, 100) == Window(92, 100)
    assert position.window(6, 100) == Window(92, 100)  # enough for a wider group


def test_window__back_reaches_twice_as_far_each_time() -> None:
    """A quarter of the first one overlaps the answer that doesn't join."""
    position, offsets = evolve(FIRST, end=1000), []
    for _ in range(5):
        position = position.further_back(100)
        offsets.append(position.window(100, 100).offset)
    assert offsets == [921, 846, 696, 396, 0]
    # A service with pages of a fixed size shows itself.
    assert position.window(100, 100).limit == 99


def test_window__further_on_strides_where_the_list_has_grown() -> None:
    """Behind an answer that doesn't come down to the end, everything is covered."""
    position, offsets = FIRST, []
    for _ in range(4):
        window = position.window(100, 100)
        offsets.append(window.offset)
        position = behind(answer(20, 10, offset=window.offset, limit=100), position)
    assert offsets == [98, 197, 395, 693]
    assert position.covered_until == 7


def test_window__halves_a_stride_that_was_too_long() -> None:
    position, shifts = evolve(FIRST, shift=800), []
    for _ in range(5):
        position = position.further_back(100)
        shifts.append(position.shift)
    assert shifts == [400, 200, 100, 0, -75]
    above = answer(20, 10, offset=400, limit=100)
    for shift in (400, -400):
        assert behind(above, evolve(FIRST, shift=shift), is_below=True).shift == 200


def test_gaps__let_windows_share_more() -> None:
    """Up to an eighth of what is new in each."""
    position, offsets = FIRST, []
    for _ in range(5):
        position = position.further_back(100).behind(Window(0, 100))
        offsets.append(position.window(100, 100).offset)
    assert offsets == [96, 94, 90, 86, 86]
    assert position.window(20, 22).offset == 96


@pytest.mark.parametrize(("ties", "is_wide"), [(97, False), (98, False), (99, True)])
def test_wide__a_group_with_no_room_on_either_side(ties: int, *, is_wide: bool) -> None:
    group = behind(answer(9, *[8] * ties), START)
    assert is_too_wide(group) is is_wide
    assert not is_too_wide(START)


@pytest.mark.parametrize(("end", "is_wide"), [(80, False), (100, True)])
def test_wide__by_page_depends_on_the_place(end: int, *, is_wide: bool) -> None:
    """Aligned windows hold 60 with one more on either side, or don't."""
    coverage = Coverage(ACTIVITY, covered_until=8, ties_at_end=60)
    group = Position(end, coverage=coverage, begun=True)
    assert group.is_too_wide(PageRevision(), 100) is is_wide


def test_wide__is_read_side_by_side_and_noted() -> None:
    """A hole in the places still counts."""
    wide = behind(answer(9, *[8] * 99), START)
    beside = answer(*[8] * 100, offset=100)
    assert not wide.joins(beside)
    assert wide.follows(beside)
    noted = behind(beside, wide)
    assert noted.coverage
    assert noted.coverage.ambiguous_time == 8
    assert noted.is_doubtful
    assert is_too_wide(noted)
    assert not wide.follows(answer(*[8] * 100, offset=101))


def test_join__of_98_equal_times_is_proven() -> None:
    """One more on either side fits into a window of 100."""
    position = behind(answer(9, 9, *[8] * 98), START)
    assert position.window(100, 100) == Window(1, 100)
    position = behind(answer(9, *[8] * 98, 7, offset=1), position)
    assert position.covered_until == 7
    assert not position.is_doubtful


@pytest.mark.parametrize(
    ("ties", "extra", "may"), [(1, 0, 1), (2, 0, 0), (6, 5, 1), (7, 5, 0), (99, 0, 0)]
)
def test_read_ahead__if_windows_will_join(ties: int, extra: int, may: int) -> None:
    coverage = Coverage(ACTIVITY, ties_at_end=ties)
    position = evolve(FIRST, coverage=coverage, extra_overlap=extra)
    assert position.can_read_ahead() is bool(may)


@given(st.integers(1, 100), st.integers(0, 98), st.integers(1, 100))
def test_windows__always_have_something_new(
    size: int, ties: int, max_limit: int
) -> None:
    """By offset, unless a group is too wide."""
    coverage = Coverage(ACTIVITY, covered_until=8, ties_at_end=ties)
    position = evolve(FIRST, coverage=coverage, extra_overlap=16)
    is_wide = position.is_too_wide(OffsetRevision(), max_limit)
    window = position.window(size, max_limit)
    assert is_wide or window.end > position.end
    assert window.limit <= max_limit


def test_empty__answer_is_no_beginning() -> None:
    assert behind(answer(), START) is START
    assert behind(answer(more=False), START).covered_until == END


def test_plain__goes_on_until_the_end_or_what_is_older() -> None:
    page = behind(answer(9, 8), PLAIN)
    assert (page.end, page.covered_until) == (2, TOP)
    assert page.joins(answer(3, offset=2))
    assert not page.joins(answer(3, offset=3))
    assert behind(answer(7, offset=2, more=False), page).covered_until == END
    assert behind(answer(7, 3, offset=2), page, floor=5).covered_until == END


def test_plain__behind_a_proof_begins_at_a_page() -> None:
    position = evolve(FIRST, end=250).in_pages(100, "no proof")
    assert position == Position(200, begun=True, reason="no proof")
    assert position.is_doubtful
