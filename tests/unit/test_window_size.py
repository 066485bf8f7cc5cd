"""How many contexts to ask for after a page was too large or too slow."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wacht._pagination.window_size import WindowSize
from wacht.models import MAX_PER_PAGE


def test_window_size__doubles_up_to_half_of_what_failed() -> None:
    size = WindowSize()
    size.failed(20)
    sizes = []
    for _ in range(7):
        sizes.append(size.most)
        size.succeeded(size.most)
    assert sizes == [1, 2, 4, 8, 10, 10, 10]


def test_window_size__tries_twice_as_much_after_a_while() -> None:
    size = WindowSize()
    size.failed(4)
    successes = 0
    while size.most <= 2:
        size.succeeded(size.most)
        successes += 1
    assert size.most == 4
    assert 8 <= successes <= 20


def test_window_size__smaller_windows_tell_nothing() -> None:
    size = WindowSize()
    size.failed(8)
    size.succeeded(1)
    for _ in range(20):
        size.succeeded(1)
    assert size.most == 2


@given(st.integers(1, 100))
def test_window_size__settles_below_what_fits(fits: int) -> None:
    """Most requests succeed, and the size is never far below what fits."""
    size = WindowSize()
    read = failures = 0
    while read < 1000:
        if size.most > fits:
            size.failed(size.most)
            failures += 1
            read += 1
        else:
            read += size.most
            size.succeeded(size.most)
        assert 1 <= size.most <= MAX_PER_PAGE
    assert failures <= 1000 / (4 * fits) + 2
