"""Which window comes next: behind the end, further on, or further back."""

from __future__ import annotations

from hypothesis import given, strategies as st

from wacht._pagination.next_window import Search
from wacht._protocol.windows import Window


def test_window__overlaps_what_is_covered() -> None:
    assert Search(100).window(100, 100, 2) == Window(98, 100)
    assert Search(100).window(20, 100, 2) == Window(98, 22)
    assert Search(100).window(100, 100, 8) == Window(92, 100)


def test_window__back_reaches_twice_as_far_each_time() -> None:
    """A quarter of the first one overlaps the answer that doesn't join."""
    search, offsets = Search(1000), []
    for _ in range(5):
        search = search.further_back(100)
        offsets.append(search.window(100, 100, 2).offset)
    assert offsets == [921, 846, 696, 396, 0]
    # A service with pages of a fixed size shows itself.
    assert search.window(100, 100, 2).limit == 99


def test_window__further_on_strides() -> None:
    """Behind an answer that doesn't come down to the end, everything is covered."""
    search, offsets = Search(100), []
    for is_lost in (False, True, True, True):
        window = search.window(100, 100, 2)
        offsets.append(window.offset)
        search = search.further_on(window, is_lost=is_lost, is_gap=False)
    assert offsets == [98, 196, 394, 692]


def test_window__halves_a_stride_that_was_too_long() -> None:
    search, shifts = Search(100, shift=800), []
    for _ in range(5):
        search = search.further_back(100)
        shifts.append(search.shift)
    assert shifts == [400, 200, 100, 0, -75]
    search = Search(100, shift=400).further_on(
        Window(500, 100), is_lost=True, is_gap=True
    )
    assert (search.end, search.shift) == (600, 200)


def test_window__behind_an_answer_that_joins() -> None:
    search = Search(100, shift=-75, extra_overlap=4)
    assert search.behind(Window(25, 99)) == Search(124, extra_overlap=4)


def test_gaps__let_windows_share_more() -> None:
    """Up to an eighth of what is new in each."""
    search, offsets = Search(100), []
    for _ in range(5):
        search = search.further_back(100).behind(Window(0, 100))
        offsets.append(search.window(100, 100, 2).offset)
    assert offsets == [96, 94, 90, 86, 86]
    assert search.window(20, 22, 2).offset == 96


@given(st.integers(1, 100), st.integers(0, 99), st.integers(1, 100))
def test_windows__always_have_something_new(
    size: int, overlap: int, max_limit: int
) -> None:
    overlap = min(overlap, max_limit - 1)
    search = Search(1000, extra_overlap=16)
    window = search.window(size, max_limit, overlap)
    assert window.end > search.end
    assert window.limit <= max_limit
