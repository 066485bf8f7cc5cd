"""
A model of the service: both revisions and the older build, on a list that may move.

It stands where the transport stands, so that whatever is above the wire can be driven
through thousands of lists without a socket.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from concurrent.futures import Future
from contextlib import nullcontext
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen
from hypothesis import strategies as st

from wacht import (
    ExecutionContextListResponse,
    ListExecutionContextsOptions,
    _readahead,
)
from wacht._endpoint import Endpoint, Pagination
from wacht._paging import Walk
from wacht._reply import Reply
from wacht._secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from wacht import AiExecutionContext, WachtError, WalkProgress
    from wacht._paging import Fetch
    from wacht._readahead import FetchPage, Page
    from wacht._waiting import Watch

Revision = Literal["page", "offset", "older"]
Kind = Literal["add", "touch", "delete"]
Context = dict[str, Any]
Query = dict[str, str]

REVISIONS: tuple[Revision, ...] = ("page", "offset", "older")
# What a caller passes to whom the revision is known; the older build needs it.
FIXED: dict[Revision, Pagination] = {
    "page": "page",
    "offset": "offset",
    "older": "offset",
}
FILTERS = {
    "page": ("agent_id", "workflow_id"),
    "offset": ("status", "context_group"),
    "older": ("status", "context_group"),
}


def make_context(number: int) -> Context:
    """
    Make a context whose fields tell filters apart.
    """
    return {
        "id": f"c{number}",
        "agent_id": f"agent_{number % 2}",
        "workflow_id": f"workflow_{number % 3}",
        "status": ("idle", "failed")[number % 2],
        "context_group": f"group_{number % 3}",
    }


@frozen
class Move:
    """
    Something that happens to the list: to its top, or at a place counted in a ring.
    """

    kind: Kind
    place: int = 0


class Service:
    """
    The endpoint, in the place of a `Transport`.

    Args:
        contexts: How many there are, newest activity first.
        revision: Which revision to be.

    Attributes:
        contexts: The list as it is now.
        queries: What was asked, in order.
        faults: The error to raise for a request, by its number from 1.
        moves: What happens to the list just before a request, by its number from 1.
        given: The ids that the walk has given; its reader writes them down here.
        at_risk: The ids of which nothing is promised: those that left their place
            before they were given, and each that a deletion pulled over the border
            between what was read and what was not.
        risks: How many moves were of the kind that can hide a context.
    """

    def __init__(self, contexts: int = 250, revision: Revision = "page") -> None:
        self.contexts = [make_context(number) for number in range(contexts)]
        self.revision: Revision = revision
        self.queries: list[Query] = []
        self.faults: dict[int, WachtError] = {}
        self.moves: defaultdict[int, Sequence[Move]] = defaultdict(tuple)
        self.given: set[str | None] = set()
        self.at_risk: set[str] = set()
        self.risks = 0
        self._border = 0
        self._numbers = count(contexts)
        self._lock = threading.Lock()

    @property
    def ids(self) -> list[str]:
        """
        The ids of the list as it is now.
        """
        return [context["id"] for context in self.contexts]

    def get(self, query: Query, watch: Watch) -> tuple[Reply, int]:
        """
        Answer one request; all that is asked at once is answered one after another.
        """
        watch.remaining()
        watch.count_request(1)
        with self._lock:
            self.queries.append(query)
            number = len(self.queries)
            self.apply(*self.moves[number])
            if number in self.faults:
                raise self.faults[number]
            return reply(self._document(query)), 1

    def matching(self, **filters: str | None) -> list[str]:
        """
        The ids that some filters let through.
        """
        return [
            context["id"]
            for context in self.contexts
            if all(context[k] == v for k, v in filters.items() if v is not None)
        ]

    def _document(self, query: Query) -> dict[str, Any]:
        by_page = self.revision == "page"
        if by_page:
            limit = int(query.get("per_page", "20"))
            offset = (int(query.get("page", "1")) - 1) * limit
        else:
            limit, offset = int(query.get("limit", "50")), int(query.get("offset", "0"))
        known = {k: query.get(k) for k in FILTERS[self.revision]}
        chosen = set(self.matching(**known))
        listed = [context for context in self.contexts if context["id"] in chosen]
        data = listed[offset : offset + limit]
        if by_page or "limit" in query:  # else the answer is of no use to anybody
            self._border = offset + limit
        has_more = offset + limit < len(listed)
        echo = {"limit": limit, "offset": offset} if self.revision == "offset" else {}
        return {"data": data, "has_more": has_more, **echo}

    def apply(self, *moves: Move) -> None:
        """
        Let something happen to the list.
        """
        for move in moves:
            self._apply(move)

    def _apply(self, move: Move) -> None:
        if move.kind == "add":
            self.contexts.insert(0, make_context(next(self._numbers)))
            return
        if not self.contexts:
            return
        place = move.place % len(self.contexts)
        context = self.contexts.pop(place)
        unread = context["id"] not in self.given
        if unread:
            self.at_risk.add(context["id"])
        if move.kind == "touch":
            title = f"{context.get('title', '')}!"  # as activity changes a context
            self.contexts.insert(0, {**context, "title": title})
            self.risks += unread
        elif place < self._border:
            self.risks += 1
            self.at_risk |= set(self.ids[self._border - 1 :][:1]) - self.given


def reply(document: object) -> Reply:
    """
    Put a document on the wire.
    """
    body = json.dumps(document).encode()
    return Reply(status=200, headers={}, body=body, received=datetime.now(UTC))


def endpoint_of(transport: Any, pagination: Pagination = "auto") -> Endpoint:
    """
    Make an endpoint that asks a model.
    """
    return Endpoint(transport, Secret("wk_model"), pagination)


def walk_of(  # noqa: PLR0913 - all that a walk takes, by name
    source: Service | Fetch,
    options: ListExecutionContextsOptions | None = None,
    *,
    pagination: Pagination = "auto",
    prefetch: int = 0,
    deadline: float | None = None,
    report: Callable[[WalkProgress], object] | None = None,
) -> Walk:
    """
    Make a walk through a model, as a session does, or through what fetches a page.
    """
    if isinstance(source, Service):
        source = endpoint_of(source, pagination).page
    return Walk(
        source,
        options or ListExecutionContextsOptions(),
        prefetch=prefetch,
        deadline=deadline,
        reporting=nullcontext(report),
    )


def read(service: Service, walk: Walk) -> list[str | None]:
    """
    Walk to the end, and let the model know what was given.
    """
    ids: list[str | None] = []
    for context in walk.contexts():
        ids.append(context.id)
        service.given.add(context.id)
    return ids


def each_id(walk: Walk) -> Iterator[str | None]:
    """
    Walk, and read the ids off.
    """
    return (context.id for context in walk.contexts())


def ids_of(contexts: Iterable[AiExecutionContext]) -> list[str | None]:
    """
    Read the ids off.
    """
    return [context.id for context in contexts]


def moves(
    *kinds: Kind, requests: int = 20, at_once: int = 3
) -> st.SearchStrategy[dict[int, list[Move]]]:
    """
    Draw what happens before each of the first requests but the very first.
    """
    move = st.builds(Move, st.sampled_from(kinds), st.integers(0, 60))
    return st.dictionaries(
        st.integers(2, requests), st.lists(move, max_size=at_once), max_size=requests
    )


class _Turn(Future[ExecutionContextListResponse]):
    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__()
        self._scheduler = scheduler

    def result(self, timeout: float | None = None) -> ExecutionContextListResponse:
        while not self.done():
            self._scheduler.run_one()
        return super().result(timeout)


class Scheduler:
    """
    Play the threads of read-ahead in one: who is answered next is drawn.

    A request is answered at once and whole, so that the order of answers is all there
    is to tell two runs of real threads apart.
    """

    def __init__(self, data: st.DataObject) -> None:
        self._data = data
        self._waiting: list[tuple[Page, FetchPage, int]] = []

    def fetch_in_thread(self, fetch: FetchPage, number: int) -> Page:
        """
        Stand in for the function of this name.
        """
        turn = _Turn(self)
        self._waiting.append((turn, fetch, number))
        while self._waiting and self._goes_on():
            self.run_one()
        return turn

    def _goes_on(self) -> bool:
        return self._data.draw(st.booleans(), "answer one now")

    def run_one(self) -> None:
        """
        Answer one of those that wait.
        """
        last = len(self._waiting) - 1
        place = self._data.draw(st.integers(0, last), "who is answered")
        _readahead._fulfil(*self._waiting.pop(place))
