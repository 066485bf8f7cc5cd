"""Walks through lists that change at random after every answer."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model import KINDS, Kind, RandomChanges, Scheduler, Service, walk_of
from wacht import (
    ListExecutionContextsOptions,
    PaginationError,
    RequestError,
    WalkProgress,
)
from wacht._protocol.revisions import OffsetRevision

Options = ListExecutionContextsOptions

# hypothesis shrinks the list, not the changes.
seeds = st.integers(0, 2**32)
exhaustive: dict[Kind, bool | None] = {"page": True, "offset": None, "older": None}


@st.composite
def services(draw: st.DrawFn, kind: Kind) -> Service:
    """Draw a list, with equal times or not, and with a known revision or not."""
    contexts = draw(st.integers(0, 60))
    service = Service(
        contexts,
        kind,
        gap=draw(st.sampled_from([0.1, 1, 10, 100])),
        tied=draw(st.sampled_from([1, 1, 2, 5, 30])),
        stable=draw(st.booleans()),
    )
    if kind != "page" and draw(st.booleans()):
        service.revision = OffsetRevision(echoes=kind == "offset")
    return service


@st.composite
def changes(draw: st.DrawFn, seed: int, kind: Kind) -> RandomChanges:
    """Draw what happens to a list; it comes to rest at some time."""
    # Without times, nothing tells a late commit.
    known = ["touch", "add", "remove", *["late"] * (kind != "page")]
    kinds = draw(st.lists(st.sampled_from(known), min_size=1, max_size=4, unique=True))
    # Without times, many contexts that moved may pass for some that didn't.
    most = draw(st.integers(1, 2 if kind == "page" else 6))
    answers = draw(st.sampled_from([3, 10, 30]))
    return RandomChanges(seed, most, " ".join(kinds), answers)


def give(
    service: Service, got: list[str | None], **walk: Any
) -> PaginationError | None:
    """Walk; what is given is added to a list."""
    try:
        got.extend(context.id for context in walk_of(service, **walk).contexts())
    except PaginationError as error:
        return error
    return None


@settings(max_examples=300)
@given(st.data(), st.sampled_from(KINDS), seeds)
def test_walk__misses_nothing_that_stayed(
    data: st.DataObject, kind: Kind, seed: int
) -> None:
    """What stays from the first request to the last is given, or there is an error."""
    service = data.draw(services(kind))
    service.change = data.draw(changes(seed, kind))
    per_page, prefetch = data.draw(st.integers(1, 7)), data.draw(st.integers(0, 8))
    got: list[str | None] = []
    reports: list[WalkProgress] = []
    with pytest.MonkeyPatch.context() as patch:
        Scheduler(service, seed).install(patch)
        error = give(
            service,
            got,
            options=Options(per_page=per_page),
            prefetch=prefetch,
            exhaustive=exhaustive[kind],
            report=reports.append,
        )
    assert len(got) == len(set(got))
    assert error or set(service.stayed) <= set(got)
    assert (error is None) is reports[-1].complete
    assert error is None or error.resume is not None
    assert len(service.queries) < 1000


@settings(max_examples=200)
@given(st.data(), st.sampled_from(KINDS), st.integers(1, 12), seeds)
def test_resume__misses_nothing_that_stayed(
    data: st.DataObject, kind: Kind, broken: int, seed: int
) -> None:
    """The same holds for a walk that breaks somewhere and the next one together."""
    service = data.draw(services(kind))
    service.change = data.draw(changes(seed, kind))
    service.errors[broken] = RequestError("refused")
    per_page, prefetch = data.draw(st.integers(1, 7)), data.draw(st.integers(0, 8))
    got: list[str | None] = []
    options: Options | None = Options(per_page=per_page)
    error: PaginationError | None = None
    with pytest.MonkeyPatch.context() as patch:
        Scheduler(service, seed).install(patch)
        for _ in range(3):
            try:
                error = give(
                    service,
                    got,
                    options=options,
                    prefetch=prefetch,
                    exhaustive=exhaustive[kind],
                )
                break
            except RequestError as broke:
                options = pickle.loads(pickle.dumps(broke)).resume  # noqa: S301
    assert len(got) == len(set(got))
    assert error or set(service.stayed) <= set(got)


def test_walk__says_that_the_top_never_rests() -> None:
    service = Service(200)
    service.revision = OffsetRevision()

    def change(service: Service) -> None:
        number = len(service.queries)
        moves = 40 if number == 9 else 16 if number > 10 else 0
        for _ in range(moves):
            service.touch(len(service.contexts) - 1)

    service.change = change
    error = give(service, [], options=Options(per_page=20))
    assert "moved to the top of the list faster" in str(error)
    assert len(service.queries) < 150


def test_walk__says_how_many_may_be_missing() -> None:
    """Large groups of equal times can't be checked once others left the list."""
    errors = []
    for seed in range(10):
        service = Service(400, tied=200, stable=False)
        service.revision = OffsetRevision()
        service.change = RandomChanges(seed, 3, "remove")
        got: list[str | None] = []
        error = give(service, got, options=Options(per_page=30))
        assert error or set(service.stayed) <= set(got)
        errors.append(str(error))
    assert any(error.startswith("up to ") for error in errors)


@pytest.mark.parametrize("late", [0, 4])
def test_walk__finds_what_commits_late(late: float) -> None:
    """A change is dated to the start of its transaction."""
    service = Service(60, gap=0.5)
    service.revision = OffsetRevision()
    service.change = lambda service: service.touch(len(service.contexts) - 1, late=late)
    got: list[str | None] = []
    assert give(service, got, options=Options(per_page=20)) is None
    assert set(got) == set(service.stayed)
