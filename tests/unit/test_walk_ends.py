"""How walks end before the list does: errors, `resume`, deadlines, and leaving."""

from __future__ import annotations

import contextlib
import gc
import threading
import tracemalloc
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from functools import partial
from itertools import chain, cycle
from typing import Any

import pytest
from attrs import evolve
from hypothesis import example, given, settings, strategies as st

from tests.clock import Clock
from tests.model import (
    CREATED,
    KINDS,
    START,
    TOO_SLOW,
    Kind,
    Service,
    StandIn,
    given_by,
    ids_of,
    known,
    once,
    travelled,
    until_error,
    walk_of,
)
from tests.waits import PATIENCE, settle
from wacht import (
    AiExecutionContext,
    DeadlineExceededError,
    ListExecutionContextsOptions,
    PaginationError,
    RequestError,
    ServerError,
    WalkProgress,
)
from wacht._pagination import progress as progress_module
from wacht._pagination.walk import Walk
from wacht._protocol.answers import PageResponse
from wacht._protocol.revisions import PageRevision, Query, Revision
from wacht._protocol.windows import Window
from wacht._waiting import RequestBudget, StoppedError

Options = ListExecutionContextsOptions

OLDER = 'Set pagination="offset" for an older build of the offset revision, else "auto"'


class Scripted(StandIn):
    """A service whose pages a function makes."""

    def __init__(
        self,
        page: Callable[[int], Sequence[str]],
        *,
        pages: int = 10**9,
        revision: Revision | None = None,
    ) -> None:
        super().__init__(revision=revision)
        self._page = page
        self._pages = pages

    def answer(self, query: Query) -> PageResponse:
        assert len(self.queries) < 1000, "the walk doesn't end"
        number = int(query["page"]) if "page" in query else len(self.queries)
        contexts = [AiExecutionContext(id=id_) for id_ in self._page(number)]
        return PageResponse(contexts, number < self._pages, applied=None)


@settings(max_examples=80)
@given(
    pages=st.lists(st.text("abcdefgh", max_size=3), min_size=1, max_size=5),
    exhaustive=st.sampled_from([None, True, False]),
    prefetch=st.sampled_from([0, 4]),
)
@example(pages=["", "bc", "a"], exhaustive=True, prefetch=0)
@example(pages=["ab"], exhaustive=None, prefetch=0)
@example(pages=["ab", ""], exhaustive=None, prefetch=4)
def test_walk__ends_in_any_circle(
    *, pages: list[str], exhaustive: bool | None, prefetch: int
) -> None:
    turn = cycle(pages)
    endpoint = Scripted(lambda _number: next(turn))
    walk = walk_of(endpoint, exhaustive=exhaustive, prefetch=prefetch)
    got, error = until_error(walk)
    assert isinstance(error, PaginationError)
    assert len(got) == len(set(got))
    assert len(endpoint.queries) < (500 if exhaustive else 50 + 10 * prefetch)


@given(
    sizes=st.lists(st.integers(0, 3), min_size=1, max_size=6),
    prefetch=st.sampled_from([0, 4]),
)
def test_walk__pages_of_a_mock(*, sizes: list[int], prefetch: int) -> None:
    """Mocks often serve fixed pages, shorter than `per_page`, or even empty ones."""
    pages = [[f"{n} of {page}" for n in range(s)] for page, s in enumerate(sizes)]
    endpoint = Scripted(lambda number: pages[number - 1], pages=len(pages))
    walk = walk_of(endpoint, Options(per_page=100), prefetch=prefetch)
    assert ids_of(walk.contexts()) == [*chain(*pages)]
    empty = sizes[:-1].count(0)
    assert len(endpoint.queries) <= len(pages) + empty
    assert {query["per_page"] for query in endpoint.queries} == {"100"}


@pytest.mark.parametrize("size", [3, 20, 27, 50, 99, 100])
@pytest.mark.parametrize("gap", [1, 0, None])
@pytest.mark.parametrize("has_ids", [True, False])
def test_walk__pages_that_do_not_follow_per_page(
    size: int, gap: int | None, *, has_ids: bool
) -> None:
    """All is given. Then comes a proof, or the error that there is none."""
    service = Service(250, "page", order=CREATED, gap=gap or 0)
    service.window = lambda query: Window((int(query["page"]) - 1) * size, size)  # type: ignore[method-assign]
    has = {"last_activity_at": False, "created_at": gap is not None, "id": has_ids}
    absent = [name for name, is_there in has.items() if not is_there]
    service.contexts = [
        evolve(context, title=context.id, **dict.fromkeys(absent))
        for context in service.contexts
    ]
    got: list[AiExecutionContext] = []
    try:
        got.extend(walk_of(service, exhaustive=True).contexts())
    except PaginationError as error:
        assert "exhaustive=False accepts that" in str(error)  # noqa: PT017 - or none
    assert got == service.contexts
    assert len(service.queries) <= -(-250 // size) + 8


def test_walk__the_older_build_without_the_setting() -> None:
    service = Service(250, "older")
    got, error = until_error(walk_of(service))
    assert str(error) == f"the service gave page 1 again. {OLDER}"
    assert (len(got), len(service.queries)) == (50, 2)


def test_walk__the_older_build_on_a_busy_list() -> None:
    """Each answer is page 1 again, with a new context."""
    service = Service(250, "older")
    service.change = lambda service: service.add()
    _, error = until_error(walk_of(service))
    assert str(error).endswith(OLDER)
    assert len(service.queries) < 40


def refusing(
    service: Service, is_too_large: Callable[[Sequence[AiExecutionContext]], bool]
) -> Service:
    """Let answers with such contexts take too long."""

    def alter(answer: PageResponse) -> PageResponse:
        if is_too_large(answer.contexts):
            raise copy(TOO_SLOW)
        return answer

    service.alter = alter
    return service


@pytest.mark.parametrize("most", [1, 2, 7, 60])
@pytest.mark.parametrize("kind", KINDS)
def test_walk__asks_for_smaller_parts(kind: Kind, most: int) -> None:
    service = refusing(known(kind, 130), lambda contexts: len(contexts) > most)
    assert given_by(service) == service.ids
    # Windows of one or two can't overlap: the list is counted by a second reading.
    assert len(service.queries) <= 5 * 130 / most + 60


@pytest.mark.parametrize("kind", ["page", "offset"])
def test_walk__asks_a_service_that_it_does_not_know_for_smaller_parts(
    kind: Kind,
) -> None:
    """Each revision ignores the numbers of the other."""
    service = refusing(Service(130, kind), lambda contexts: len(contexts) > 20)
    assert given_by(service) == service.ids
    both = {"page": "1", "per_page": "25", "limit": "25", "offset": "0"}
    assert service.queries[1] == both


def test_walk__from_a_later_page_asks_for_smaller_parts() -> None:
    """Also if the first answer only shows which revision is served."""
    service = refusing(Service(250, "offset"), lambda contexts: len(contexts) > 60)
    assert given_by(service, Options(page=2)) == service.ids[100:]


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        ("offset", [100, 100, *[25] * 9, *[50] * 8, *[100] * 5, 100]),
        ("page", [100, 100, *[25] * 10, *[50] * 7, *[100] * 4]),
    ],
)
def test_walk__asks_for_larger_parts_again(kind: Kind, sizes: list[int]) -> None:
    service = known(kind, 1100)
    service.errors[2] = TOO_SLOW
    assert given_by(service) == service.ids
    asked = [query.get("limit") or query["per_page"] for query in service.queries]
    assert [*map(int, asked)] == sizes


@pytest.mark.parametrize("kind", KINDS)
def test_walk__one_context_that_is_too_large(kind: Kind) -> None:
    """The error stands, and everything before that context was given."""
    service = refusing(known(kind, 130), lambda contexts: "c77" in ids_of(contexts))
    got, error = until_error(walk_of(service))
    assert isinstance(error, ServerError)
    assert got == service.ids[: len(got)]
    service.alter = lambda answer: answer
    got += given_by(service, travelled(error))
    assert got == service.ids


def test_walk__no_parts_of_pages_of_another_size() -> None:
    """Nothing tells where a part would begin."""

    def page(number: int) -> str:
        if number == 2:
            raise copy(TOO_SLOW)
        return "ab"

    endpoint = Scripted(page)
    got, error = until_error(walk_of(endpoint))
    assert (got, len(endpoint.queries)) == (["a", "b"], 2)
    assert str(error).startswith("504")


def test_walk__a_service_that_is_down() -> None:
    service = refusing(Service(130, "page"), lambda _contexts: True)
    _, error = until_error(walk_of(service))
    assert isinstance(error, ServerError)
    assert [query["per_page"] for query in service.queries] == ["100", "25", "6", "1"]


def test_walk__contexts_without_ids_cant_be_compared() -> None:
    service = known("offset", 250)
    service.contexts = [  # all of a context counts, even what UTF-8 can't express
        evolve(context, id=None, last_activity_at=START, title=f"\ud800{number:09999}")
        for number, context in enumerate(service.contexts)
    ]
    got: list[AiExecutionContext] = []
    message = "the context at place 0 has no id. exhaustive=False accepts that"
    with pytest.raises(PaginationError, match=message):
        got.extend(walk_of(service).contexts())
    assert got == service.contexts
    assert len(service.queries) == 3
    assert [*walk_of(service, exhaustive=False).contexts()] == service.contexts


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    budget = partial(RequestBudget, clock=clock, sleep=clock.sleep)
    monkeypatch.setattr(progress_module, "RequestBudget", budget)
    return clock


@pytest.mark.parametrize("prefetch", [0, 2])
def test_deadline__includes_what_the_reader_does(clock: Clock, prefetch: int) -> None:
    """It takes 6 s a page. The time before the first `next()` doesn't count."""
    walk = walk_of(Service(250, "page"), prefetch=prefetch, deadline=10).contexts()
    clock.sleep(60)
    got, error = until_error(clock.sleep(0.06) or context for context in walk)
    assert isinstance(error, DeadlineExceededError)
    assert "10 s passed" in str(error)
    assert len(got) == 200
    assert error.resume == Options(page=3, per_page=100)


class Waiting(Service):
    """A service that asks for waits."""

    waits: Iterable[float] = ()

    def ask(
        self, query: Query, budget: RequestBudget, *args: Any, **settings: Any
    ) -> PageResponse:
        for wait in self.waits:
            budget.wait(wait, "rate limit", "attempt 2 of 6")
        return super().ask(query, budget, *args, **settings)


@pytest.mark.usefixtures("clock")
def test_progress__before_each_wait_of_a_second_or_more() -> None:
    service = Waiting(5, "page")
    service.waits = [0.5, 42]
    reports: list[WalkProgress] = []
    assert len([*walk_of(service, report=reports.append).contexts()]) == 5
    assert reports == [
        WalkProgress(waited=0.5, waiting=42, reason="rate limit"),
        WalkProgress(pages=1, contexts=5, requests=1, waited=42.5, complete=True),
    ]


class Stalled(Scripted):
    """A first page, and behind it pages that come only when they are released."""

    def __init__(self) -> None:
        super().__init__(lambda number: [str(number)], revision=PageRevision())
        self.budgets: list[RequestBudget] = []
        self.arrivals = threading.Semaphore(0)
        self.release = threading.Event()

    def ask(
        self, query: Query, budget: RequestBudget, *args: Any, **settings: Any
    ) -> PageResponse:
        self.budgets.append(budget)
        if query["page"] != "1":
            self.arrivals.release()
            assert self.release.wait(PATIENCE)
        return super().ask(query, budget, *args, **settings)  # as each further attempt


@pytest.fixture
def stalled() -> Iterator[Stalled]:
    stalled = Stalled()
    yield stalled
    stalled.release.set()
    settle()


def leave_by_throw(walk: Walk) -> BaseException:
    contexts = walk.contexts()
    next(contexts)
    with pytest.raises(ZeroDivisionError) as caught:
        contexts.throw(ZeroDivisionError())
    return caught.value  # which holds the frames


@pytest.mark.parametrize(
    "leave",
    [
        pytest.param(lambda walk: next(walk.contexts()), id="break"),
        pytest.param(lambda walk: next(walk.pages()), id="pages"),
        leave_by_throw,
    ],
)
def test_leaving__stops_reading_ahead(stalled: Stalled, leave: Any) -> None:
    _left = leave(walk_of(stalled, prefetch=3))
    for _ in range(3):
        assert stalled.arrivals.acquire(timeout=PATIENCE)
    with pytest.raises(StoppedError):
        stalled.budgets[0].remaining()
    stalled.release.set()
    settle()
    assert len(stalled.budgets) == 4


@pytest.mark.parametrize("prefetch", [0, 3])
@pytest.mark.parametrize("end", ["complete", "left", "error"])
def test_memory__no_reference_cycle(end: str, prefetch: int) -> None:
    """Once a walk is over, nothing but its user holds what it walked on."""
    service = Service(250, "page")
    if end == "error":
        service.errors[2] = RequestError("refused")
    reference = weakref.ref(service)
    gc.disable()
    try:
        contexts = walk_of(service, prefetch=prefetch).contexts()
        with contextlib.suppress(RequestError):
            assert next(contexts)
            assert end == "left" or len([*contexts]) == 249
        settle()
        del contexts, service
        assert reference() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("prefetch", [0, 2])
def test_memory__one_page_at_a_time(prefetch: int) -> None:
    """What was given isn't kept: of a walk's 16 MB, few are held at once."""
    service = Service(4000, "page")
    service.alter = lambda answer: evolve(
        answer,
        contexts=[evolve(c, context="x" * 4096 + str(c.id)) for c in answer.contexts],
    )
    tracemalloc.start()
    try:
        walk = walk_of(service, prefetch=prefetch)
        assert sum(1 for _ in walk.contexts()) == 4_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * 2**20


def test_walk__repeats_that_go_on() -> None:
    """Each page ends further down than the one before, but none has anything new."""
    first = [f"c{number}" for number in range(100)]
    endpoint = Scripted(
        lambda number: first if number == 1 else [f"c{number}", f"n{min(number, 2)}"]
    )
    _, error = until_error(walk_of(endpoint))
    assert str(error) == (
        "30 answers in a row had nothing new, although the service says that there is "
        f"more. {OLDER}"
    )
    assert len(endpoint.queries) == 32


def test_walk__an_echo_that_is_gone() -> None:
    """The next request finds out what the service is now, and the walk goes on."""
    service = known("offset", 250)
    walk = walk_of(service).pages()
    got = ids_of(next(walk))
    service.kind = "page"
    with pytest.raises(PaginationError, match="no longer says") as caught:
        next(walk)
    assert service.revision is None
    service.revision = None
    got += given_by(service, travelled(caught.value))
    assert got == service.ids


def test_proof__ends_if_older_contexts_stand_where_the_newest_stood() -> None:
    service = known("page", 250, order=CREATED)
    service.change = once(2, lambda service: service.contexts.pop(0))
    got, error = until_error(walk_of(service, exhaustive=True))
    assert len(got) == 250
    assert "nothing at the top is as new as 2026-01-01T00:00:00.000000Z" in str(error)
