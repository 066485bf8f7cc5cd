"""
The endpoint: which revision it is, what options mean on it, and what it ignored.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model import FIXED, REVISIONS, Revision, Service, endpoint_of, reply
from wacht import (
    DeadlineExceededError,
    ListExecutionContextsOptions,
    PaginationError,
    RequestError,
    ServerError,
)
from wacht._reply import Reply
from wacht._waiting import Watch

if TYPE_CHECKING:
    from wacht import ExecutionContextListResponse
    from wacht._endpoint import Endpoint, Pagination

PATIENCE = 30  # seconds that only a broken test waits for


def fetch(endpoint: Endpoint, **options: Any) -> ExecutionContextListResponse:
    return endpoint.page(ListExecutionContextsOptions(**options), Watch())


def ids(page: ExecutionContextListResponse) -> list[str | None]:
    return [context.id for context in page]


class Script:
    """A service that gives the documents of a script, one a request."""

    def __init__(self, *documents: dict[str, Any]) -> None:
        self.queries: list[dict[str, str]] = []
        self._documents = iter(documents)

    def get(self, query: dict[str, str], watch: Watch) -> tuple[Any, int]:
        self.queries.append(query)
        return reply(next(self._documents)), 1


@given(
    st.sampled_from(REVISIONS),
    st.integers(1, 12) | st.none(),
    st.integers(1, 100) | st.none(),
)
def test_page__same_meaning(
    revision: Revision, number: int | None, per_page: int | None
) -> None:
    """`page` and `per_page` mean the same contexts, whatever the revision."""
    service = Service(250, revision)
    pagination: Pagination = "auto" if revision != "older" else "offset"
    page = fetch(endpoint_of(service, pagination), page=number, per_page=per_page)
    size = per_page or 20
    start = ((number or 1) - 1) * size
    assert ids(page) == service.ids[start : start + size]
    assert page.has_more == (start + size < 250)


def test_page__page_revision() -> None:
    """An answer without an echo is one of the page revision; nothing is asked twice."""
    service = Service()
    endpoint = endpoint_of(service)
    fetch(endpoint)
    fetch(endpoint, page=2, per_page=7)
    assert service.queries == [{}, {"page": "2", "per_page": "7"}]


def test_page__offset_revision() -> None:
    """An echo of other contexts costs one more request; then it is known."""
    service = Service(revision="offset")
    endpoint = endpoint_of(service)
    fetch(endpoint)
    fetch(endpoint, page=2, per_page=7)
    assert service.queries == [
        {},
        {"limit": "20", "offset": "0"},
        {"limit": "7", "offset": "7"},
    ]


def test_page__echo_of_what_was_asked() -> None:
    """An echo of the very contexts that were asked for costs nothing."""
    service = Service(revision="offset")
    endpoint = endpoint_of(service)
    fetch(endpoint, page=1, per_page=50)
    fetch(endpoint, page=2, per_page=50)
    assert service.queries == [
        {"page": "1", "per_page": "50"},
        {"limit": "50", "offset": "50"},
    ]


def test_page__another_revision_of_late() -> None:
    """A service that becomes one of the offset revision is followed."""
    service = Service()
    endpoint = endpoint_of(service)
    fetch(endpoint)
    service.revision = "offset"
    assert ids(fetch(endpoint, page=3)) == service.ids[40:60]
    assert ids(fetch(endpoint, page=4)) == service.ids[60:80]
    assert len(service.queries) == 4


def test_page__the_page_revision_again() -> None:
    """A service that no longer says what it applied is not trusted."""
    service = Service(revision="offset")
    endpoint = endpoint_of(service)
    fetch(endpoint)
    service.revision = "page"
    with pytest.raises(
        PaginationError,
        match=r"^asked for limit=20, offset=20, the service no longer says what it "
        r"applied, so .* try again, the next request finds out$",
    ):
        fetch(endpoint, page=2)
    assert ids(fetch(endpoint, page=2)) == service.ids[20:40]


@pytest.mark.parametrize("revision", REVISIONS)
def test_page__fixed(revision: Revision) -> None:
    """A revision that the caller fixed is never asked for in another way."""
    service = Service(revision=revision)
    endpoint = endpoint_of(service, FIXED[revision])
    assert ids(fetch(endpoint, page=2)) == service.ids[20:40]
    assert len(service.queries) == 1


def test_page__fixed_to_the_wrong_one() -> None:
    """An echo shows that `page` was ignored, and the error says what to set."""
    endpoint = endpoint_of(Service(revision="offset"), "page")
    with pytest.raises(
        PaginationError,
        match=r"limit=20, offset=20, the service applied limit=50, offset=0: "
        r"it seems to ignore `page`, as the offset revision does: "
        r"pass Session\(pagination='offset'\), or leave it out$",
    ):
        fetch(endpoint, page=2)


def test_page__fixed_to_the_wrong_one_by_luck() -> None:
    """An echo of the very contexts that were asked for is no reason to complain."""
    service = Service(revision="offset")
    page = fetch(endpoint_of(service, "page"), per_page=50)
    assert ids(page) == service.ids[:50]


@pytest.mark.parametrize("limit", [1, 25])
@pytest.mark.parametrize("pagination", ["auto", "offset"])
def test_page__another_limit(pagination: Pagination, limit: int) -> None:
    """A service with a smaller limit than was asked for is told of, with what to do."""
    answer = {"data": [], "has_more": True, "limit": limit, "offset": 0}
    endpoint = endpoint_of(Script(answer, answer), pagination)
    with pytest.raises(
        PaginationError,
        match=rf"^asked for limit=100, offset=0, the service applied limit={limit}, "
        rf"offset=0: it has a smaller limit, pass per_page={limit}$",
    ):
        fetch(endpoint, per_page=100)


@pytest.mark.parametrize(
    ("limit", "offset"), [(100, 7), (50, 7), (101, 0), (0, 0), (-1, 0)]
)
def test_page__another_place(limit: int, offset: int) -> None:
    """A service that applied what nobody asked for is not trusted."""
    answer = {"data": [], "has_more": True, "limit": limit, "offset": offset}
    endpoint = endpoint_of(Script(answer, answer), "offset")
    with pytest.raises(
        PaginationError,
        match=rf"the service applied limit={limit}, offset={offset}: it is not what ",
    ):
        fetch(endpoint, per_page=100)


@pytest.mark.parametrize(
    ("revision", "name"),
    [
        ("page", "status"),
        ("page", "context_group"),
        ("offset", "agent_id"),
        ("offset", "workflow_id"),
    ],
)
def test_page__a_filter_of_the_other_revision(revision: Revision, name: str) -> None:
    """A filter that the revision does not know is an error as soon as contexts come."""
    for contexts in (1, 250):
        with pytest.raises(PaginationError, match=rf"the filter {name}='x'"):
            fetch(endpoint_of(Service(contexts, revision)), **{name: "x"})
    assert ids(fetch(endpoint_of(Service(0, revision)), **{name: "x"})) == []


@pytest.mark.parametrize("pagination", ["auto", "page", "offset"])
def test_page__a_filter_of_the_other_revision_that_fits(pagination: Pagination) -> None:
    """It is an error even where all contexts happen to have the value."""
    asked = {"agent_id": "a", "workflow_id": "b", "status": "c", "context_group": "d"}
    endpoint = endpoint_of(Script({"data": [asked], "has_more": False}), pagination)
    with pytest.raises(PaginationError, match="the service ignored the filter"):
        fetch(endpoint, **asked)


@pytest.mark.parametrize("name", ["agent_id", "workflow_id"])
def test_page__an_ignored_filter(name: str) -> None:
    """A context that shows another value is an error which names filter and place."""
    data = [{name: "x"}, {}, {name: None}, {name: "y"}]
    endpoint = endpoint_of(Script({"data": data, "has_more": False}))
    with pytest.raises(
        PaginationError, match=rf"the filter {name}='x': data\[3\].{name} is "
    ):
        fetch(endpoint, **{name: "x"})


def test_page__a_filter_on_the_older_build() -> None:
    """The older build passes for the page revision, and still gives no superset."""
    with pytest.raises(PaginationError, match="the filter agent_id='agent_0'"):
        fetch(endpoint_of(Service(revision="older")), agent_id="agent_0")


class Crowd(Service):
    """
    A service whose first answer comes when all others wait for it.

    From then on no answer comes before all of them have asked.
    """

    def __init__(self, revision: Revision, others: int) -> None:
        super().__init__(revision=revision)
        self.asked = threading.Event()
        self.waiting = threading.Semaphore(0)
        self._others = others
        self._negotiating = 1 + (revision == "offset")
        self._all = threading.Barrier(others)

    def get(self, query: dict[str, str], watch: Watch) -> Any:
        if len(self.queries) >= self._negotiating:
            self._all.wait(PATIENCE)
        elif not self.queries:
            self.asked.set()
            for _ in range(self._others):
                assert self.waiting.acquire(timeout=PATIENCE)
        return super().get(query, watch)

    def clock(self) -> float:
        """Tell the time, and that somebody is about to wait."""
        self.waiting.release()
        return 0.0


@pytest.mark.parametrize("revision", ["page", "offset"])
def test_page__first_contact_of_twelve_threads(revision: Revision) -> None:
    """One negotiates and the others wait; then they ask, all at once."""
    crowd = Crowd(revision, others=11)
    endpoint = endpoint_of(crowd)

    def other(number: int) -> ExecutionContextListResponse:
        options = ListExecutionContextsOptions(page=number, per_page=10)
        return endpoint.page(options, Watch(clock=crowd.clock))

    with ThreadPoolExecutor(12) as pool:
        first = pool.submit(fetch, endpoint, page=1, per_page=10)
        assert crowd.asked.wait(PATIENCE)
        pages = [*pool.map(other, range(2, 13))]
    assert [*chain.from_iterable(map(ids, [first.result(), *pages]))] == crowd.ids[:120]
    assert len(crowd.queries) == 12 + (revision == "offset")


def test_page__first_contact_that_fails() -> None:
    """An error settles nothing: the next caller finds out."""
    service = Service(revision="offset")
    service.faults[1] = RequestError("refused")
    endpoint = endpoint_of(service)
    with pytest.raises(RequestError):
        fetch(endpoint)
    assert len(fetch(endpoint)) == 20
    assert len(service.queries) == 3


def test_page__nobody_waits_for_a_second_failure() -> None:
    """Where the first contact has failed, the others do not queue for their own."""
    service = Service(revision="offset")
    service.faults[1] = RequestError("refused")
    endpoint = endpoint_of(service)
    with pytest.raises(RequestError):
        fetch(endpoint)
    with endpoint._lock:
        assert len(fetch(endpoint)) == 20


@pytest.mark.parametrize("revision", REVISIONS)
def test_page__nobody_waits_where_the_revision_is_fixed(revision: Revision) -> None:
    """Where there is nothing to find out, nobody waits for a first answer."""
    endpoint = endpoint_of(Service(revision=revision), FIXED[revision])
    with endpoint._lock:
        assert len(fetch(endpoint)) == 20


def test_page__error_counts_attempts() -> None:
    """What the service refuses carries the number of attempts that it took."""

    class Refusing:
        def get(self, query: dict[str, str], watch: Watch) -> tuple[Reply, int]:
            now = datetime.now(UTC)
            return Reply(status=500, headers={}, body=b"", received=now), 6

    with pytest.raises(ServerError) as caught:
        fetch(endpoint_of(Refusing()))
    assert caught.value.attempts == 6


def test_page__in_the_child_of_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that stayed with the parent holds nobody up."""
    endpoint = endpoint_of(Service())
    monkeypatch.setattr("os.getpid", lambda: 1)
    with endpoint._lock:
        assert len(fetch(endpoint)) == 20


def test_page__deadline_during_first_contact() -> None:
    """Whoever waits for another's first answer waits no longer than its deadline."""
    times = iter([0.0, 4.999, 5.0])
    endpoint = endpoint_of(Service())
    with endpoint._lock, pytest.raises(DeadlineExceededError):
        endpoint.page(
            ListExecutionContextsOptions(), Watch(5.0, clock=lambda: next(times))
        )
