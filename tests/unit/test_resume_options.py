"""The options that resume a walk, as numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wacht import ListExecutionContextsOptions
from wacht._pagination.chain import Chain
from wacht._pagination.memory import Memory, Top, resume_options
from wacht._protocol.revisions import PageRevision
from wacht._protocol.windows import Run, Window, window_of

Options = ListExecutionContextsOptions


def memory(end: int, first: Run | None = None) -> Memory:
    return Memory(PageRevision(), {}, Chain(end), Top(None, None), 0, first)


@given(st.integers(0, 10_000), st.integers(1, 100))
def test_resume_options__begin_at_or_a_little_before_the_end(
    end: int, size: int
) -> None:
    resume = resume_options(Options(page=9, status="idle"), memory(end), size)
    window = window_of(resume, 100)
    assert window.offset <= end < window.offset + size
    assert resume.status == "idle"


@pytest.mark.parametrize(
    ("end", "size", "page", "per_page"),
    [(200, 100, 3, 100), (297, 100, 4, 99), (0, 7, 1, 7)],
)
def test_resume_options__fit_page_numbers_exactly_if_they_can(
    end: int, size: int, page: int, per_page: int
) -> None:
    resume = resume_options(Options(), memory(end), size)
    assert (resume.page, resume.per_page) == (page, per_page)


def test_resume_options__behind_a_doubtful_first_page() -> None:
    """The service may have ignored `per_page`, and the list goes on behind 50."""
    first = Run(Window(0, 100), [], has_more=True)
    resume = resume_options(Options(), memory(100, first), 100)
    assert window_of(resume, 100).offset == 0


def test_resume_options__of_a_walk_that_read_nothing() -> None:
    assert resume_options(Options(page=3), None, 20) == Options(page=3, per_page=20)
