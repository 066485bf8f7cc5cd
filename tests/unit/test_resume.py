"""Walks that go on where others broke."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model import (
    KINDS,
    Kind,
    Service,
    ids_of,
    known,
    travelled,
    until_error,
    walk_of,
)
from wacht import (
    DeadlineExceededError,
    ListExecutionContextsOptions,
    RequestError,
    ServerError,
    WachtError,
)

from wacht._pagination.checkpoint import Checkpoint
from wacht._protocol.revisions import PageRevision
from wacht._protocol.windows import Run, Window, window_of

Options = ListExecutionContextsOptions


def broken_and_resumed(
    service: Service, broken: int, error: WachtError, **walk: Any
) -> list[str | None]:
    options = walk.pop("options", None)
    service.errors[broken] = error
    got: list[str | None] = []
    try:
        got.extend(
            context.id for context in walk_of(service, options, **walk).contexts()
        )
    except type(error) as caught:
        options = travelled(caught)
        got.extend(
            context.id for context in walk_of(service, options, **walk).contexts()
        )
    return got


@pytest.mark.parametrize("prefetch", [0, 4])
@pytest.mark.parametrize("exhaustive", [None, True, False])
@pytest.mark.parametrize("learned", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_resume__at_each_request(
    *, kind: Kind, learned: bool, exhaustive: bool | None, prefetch: int
) -> None:
    """The broken walk and the next one give each context once, in order."""
    walk = {"exhaustive": exhaustive, "prefetch": prefetch}
    for broken in range(1, 13):
        for error in (ServerError(503, "down"), DeadlineExceededError("too late")):
            service = known(kind, 55) if learned else Service(55, kind)
            options = Options(per_page=10)
            got = broken_and_resumed(service, broken, error, options=options, **walk)
            assert got == service.ids, broken


@pytest.mark.parametrize("kind", KINDS)
def test_resume__from_the_numbers_alone(kind: Kind) -> None:
    """Written down as numbers, `resume` loses nothing."""
    for broken in range(1, 7):
        service = known(kind, 55)
        service.errors[broken] = ServerError(503, "down")
        got, error = until_error(walk_of(service, Options(per_page=10)))
        resume = travelled(error)
        numbers = Options(page=resume.page, per_page=resume.per_page)
        got += ids_of(walk_of(service, numbers).contexts())
        assert set(got) == set(service.ids), broken


@pytest.mark.parametrize("kind", KINDS)
def test_resume__of_a_walk_that_began_further_down(kind: Kind) -> None:
    for broken in range(1, 9):
        service = known(kind, 55)
        options = Options(page=3, per_page=10)
        got = broken_and_resumed(
            service, broken, ServerError(503, "down"), options=options
        )
        assert got == service.ids[20:], broken


def test_resume__keeps_a_fixed_revision() -> None:
    service = Service(55, "page")
    service.errors[3] = RequestError("refused")
    _, error = until_error(walk_of(service, Options(per_page=10)))
    fixed = Service(55, "page", revision=PageRevision())
    ids = ids_of(walk_of(fixed, travelled(error)).contexts())
    assert ids == fixed.ids[20:]


def test_resume__of_a_walk_that_read_nothing() -> None:
    service = Service(55, "page")
    service.errors[1] = RequestError("refused")
    _, error = until_error(walk_of(service, Options(agent_id="a")))
    assert error.resume == Options(page=1, per_page=100, agent_id="a")


@pytest.mark.parametrize("kind", KINDS)
def test_resume__of_a_walk_that_was_resumed(kind: Kind) -> None:
    service = Service(55, kind)
    service.errors = {number: RequestError("refused") for number in range(2, 20, 2)}
    options: Options | None = Options(per_page=10)
    got: list[str | None] = []
    for _ in range(20):
        try:
            got.extend(context.id for context in walk_of(service, options).contexts())
            break
        except RequestError as error:
            options = travelled(error)
    assert got == service.ids


# As numbers


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
