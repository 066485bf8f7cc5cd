"""
A model of the service: each revision, on a list that may change after each answer.

It stands where the endpoint stands, so that a walk can be driven through thousands of
lists without a socket or a thread.
"""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from copy import copy
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random
from typing import Any, Literal
from zlib import crc32

import pytest
from attrs import evolve, fields_dict, frozen

from wacht import (
    AiExecutionContext,
    DeadlineExceededError,
    ExecutionContextListResponse,
    ListExecutionContextsOptions,
    PaginationError,
    RequestError,
    ServerError,
    WachtError,
    WalkProgress,
)
from wacht._http.retry import Retries, default_retry
from wacht._keywords import WalkOptions
from wacht._pagination import prefetch as prefetching
from wacht._pagination.walk import Walk
from wacht._protocol.answers import PageResponse, SmallerPageMayHelp
from wacht._protocol.revisions import OffsetRevision, PageRevision, Query, Revision
from wacht._protocol.windows import Window
from wacht._waiting import RequestBudget

Contexts = list[AiExecutionContext]

Kind = Literal["page", "offset", "older"]

KINDS: tuple[Kind, ...] = ("page", "offset", "older")
AHEAD = (4e9, 4e9 + 1)  # seconds that a wrong clock is ahead
DELAY = 2.0  # seconds: how long after its time a change may become visible
START = datetime(2026, 1, 1, tzinfo=UTC)
TIMES = ("created_at", "last_activity_at")


@frozen
class Order:
    """
    How a list is sorted, the newest first, and which times its contexts show.

    PostgreSQL lists contexts without a time first, unless the query says NULLS LAST.
    """

    time: Literal["created_at", "last_activity_at"] = "last_activity_at"
    shows: tuple[str, ...] = TIMES
    undated_last: bool = False

    def sorted(self, contexts: Iterable[AiExecutionContext]) -> Contexts:
        """Sort contexts; equal times keep their order."""
        return sorted(contexts, key=self.key, reverse=True)

    def key(self, context: AiExecutionContext) -> tuple[bool, datetime]:
        """Return what contexts are sorted by."""
        time: datetime | None = getattr(context, self.time)
        return (time is None) != self.undated_last, time or START

    def shown(self, context: AiExecutionContext) -> AiExecutionContext:
        """Return a context without the times that aren't shown."""
        hidden = [name for name in TIMES if name not in self.shows]
        return evolve(context, **dict.fromkeys(hidden)) if hidden else context


ACTIVITY = Order()
CREATED = Order("created_at", ("created_at",))
# `created_at` seems to be the order until a context becomes active.
HIDDEN = Order(shows=("created_at",))


class TooSlowError(ServerError):
    """The answer took too long. A smaller window may help."""


TOO_SLOW = TooSlowError(504, "timeout")


class StandIn(ABC):
    """
    What stands in for an `Endpoint`: it notes what it is asked, and answers.

    Args:
        kind: Which revision to serve; "older" is the offset revision without an echo.
        cap: The most contexts that the service gives at once.
        revision: The revision that the caller fixed.

    Attributes:
        queries: What was asked, in order.

    """

    def __init__(
        self, kind: Kind = "offset", cap: int = 100, revision: Revision | None = None
    ) -> None:
        self.kind: Kind = kind
        self.cap = cap
        self.revision = revision
        self.fixed = revision is not None
        self.service = "stand-in"
        self.queries: list[Query] = []

    def ask(
        self,
        query: Query,
        budget: RequestBudget,
        retries: Retries | None = None,
        *,
        can_shrink: bool = False,
    ) -> PageResponse:
        """Answer a query, as `Endpoint.ask` does."""
        retries = retries or Retries(default_retry())
        budget.remaining()
        budget.count_request(retries.attempt)
        self.queries.append(query)
        try:
            return self.answer(query)
        except TooSlowError:
            if can_shrink and (left := retries.after_too_large()):
                raise SmallerPageMayHelp(left) from None
            raise

    def window(self, query: Query) -> Window:
        """Return the window that a query means."""
        if self.kind == "page":
            limit = min(int(query.get("per_page", "20")), self.cap)
            return Window((int(query.get("page", "1")) - 1) * limit, limit)
        limit = min(int(query.get("limit", "50")), self.cap)
        return Window(int(query.get("offset", "0")), limit)

    @abstractmethod
    def answer(self, query: Query) -> PageResponse:
        """Answer a query, or raise."""


class Service(StandIn):
    """
    The service, in the place of an `Endpoint`.

    Args:
        contexts: How many contexts there are.
        kind: As for any stand-in, and so are `cap` and `revision`.
        order: How the list is sorted; by default by activity, which pages don't show.
        gap: Seconds between the times of two contexts that follow each other.
        tied: How many contexts share each time.
        stable: Whether contexts of one time keep their order in every window.
        start: The newest time.

    Attributes:
        contexts: The list as it is now, with all its times.
        now: The service's clock.
        step: Seconds between two changes.
        says_date: Whether its answers have a `Date`.
        hidden: How many in a hundred contexts the service leaves out of its answers.
        errors: What to raise instead of an answer, by the number of the request from 1.
        change: Called with the service after each answer.
        alter: What comes in place of an answer.
        stayed: The ids that were in the list at every answer so far.
        shown: The ids that an answer had.

    """

    service = "a digest"

    def __init__(  # noqa: PLR0913 - each is a trait of the list
        self,
        contexts: int = 250,
        kind: Kind = "offset",
        *,
        order: Order | None = None,
        gap: float = 1.0,
        tied: int = 1,
        stable: bool = True,
        start: datetime = START,
        **traits: Any,
    ) -> None:
        super().__init__(kind, **traits)
        self.order = order or (HIDDEN if kind == "page" else ACTIVITY)
        self.stable = stable
        times = [start - timedelta(seconds=gap * (n // tied)) for n in range(contexts)]
        self.contexts = self.order.sorted(
            AiExecutionContext(id=f"c{number}", created_at=time, last_activity_at=time)
            for number, time in enumerate(times)
        )
        self.now = START
        self.step = 0.25
        self.says_date = False
        self.hidden = 0
        self.errors: dict[int, Exception] = {}
        self.change: Callable[[Service], object] = lambda _service: None
        self.alter: Callable[[PageResponse], PageResponse] = lambda answer: answer
        self.before_answer: Callable[[], object] = lambda: None
        self.stayed = self.ids
        self.shown: set[str | None] = set()
        self._added = 0

    @property
    def ids(self) -> list[str | None]:
        """The ids of the contexts, in order."""
        return [context.id for context in self.contexts]

    def answer(self, query: Query) -> PageResponse:
        """Answer a query, then change the list."""
        number = len(self.queries)
        self.before_answer()
        if error := self.errors.get(number):
            raise copy(error)  # or it would hold the frames
        answer = self.alter(self._answer(query))
        self.shown |= {*ids_of(answer.contexts)}
        present = set(self.ids)
        self.stayed = [id_ for id_ in self.stayed if id_ in present]
        self.change(self)
        return answer

    def touch(self, place: int, *, late: float = 0.0) -> None:
        """Let a context become active; a late commit is dated back."""
        context = self.contexts.pop(place)
        self._pass_step()
        time, last = self.now - timedelta(seconds=late), context.last_activity_at
        if last and time < last <= self.now:
            time = last
        self.show([evolve(context, last_activity_at=time), *self.contexts])

    def add(self, number: int = 1) -> None:
        """Add contexts."""
        for _ in range(number):
            self._added += 1
            self.put_back(AiExecutionContext(id=f"new{self._added}"))

    def put_back(self, context: AiExecutionContext) -> None:
        """Let a context that had left the list come back, as its status changed."""
        self._pass_step()
        times = {"created_at": context.created_at or self.now}
        new = evolve(context, **times, last_activity_at=self.now)
        self.show([new, *self.contexts])

    def show(self, contexts: Iterable[AiExecutionContext]) -> None:
        """Let the list be these from now on, in its order."""
        self.contexts = self.order.sorted(contexts)

    def leaves_out(self, context: AiExecutionContext) -> bool:
        """Return whether a context never shows, although pages count it."""
        return _number(context) % 100 < self.hidden

    def _answer(self, query: Query) -> PageResponse:
        window = self.window(query)
        listed = self._listed(window)[window.offset : window.end]
        contexts = [self.order.shown(c) for c in listed if not self.leaves_out(c)]
        applied = window if self.kind == "offset" else None
        date = format_datetime(self.now, usegmt=True) if self.says_date else None
        return PageResponse(contexts, window.end < len(self.contexts), applied, date)

    def _listed(self, window: Window) -> Contexts:
        if self.stable:
            return self.contexts
        # As PostgreSQL, which keeps limit + offset rows while it sorts.
        turn = 2 * window.end + 1
        contexts = sorted(self.contexts, key=lambda c: _number(c) * turn % 2**32)
        return self.order.sorted(contexts)

    def _pass_step(self) -> None:
        self.now += timedelta(seconds=self.step)


def _number(context: AiExecutionContext) -> int:
    return crc32(str(context.id).encode())


def once(
    number: int, change: Callable[[Service], object]
) -> Callable[[Service], object]:
    """Return a change that comes only after one answer: that of this number."""
    return lambda service: len(service.queries) == number and change(service)


REVISIONS: dict[Kind, Revision] = {
    "page": PageRevision(),
    "offset": OffsetRevision(),
    "older": OffsetRevision(echoes=False),
}


def known(kind: Kind, contexts: int, **settings: Any) -> Service:
    """Return a service whose revision the session has learned."""
    service = Service(contexts, kind, **settings)
    service.revision = REVISIONS[kind]
    return service


class Changes:
    """
    Change a list after each answer, until it comes to rest.

    Args:
        random: Where the changes come from.
        kinds: Which there are: the methods below.
        most: How many there are after one answer, at most.
        answers: After how many answers the list comes to rest.

    """

    def __init__(
        self, random: Random, kinds: Sequence[str], most: int, answers: int = 10**9
    ) -> None:
        self._random = random
        self._kinds = kinds
        self._most = most
        self._answers = answers
        self._away: list[AiExecutionContext] = []

    def __call__(self, service: Service) -> None:
        """Change the list once."""
        self._answers -= 1
        if self._answers >= 0:
            self.some(service, self._most)

    def some(self, service: Service, most: int) -> None:
        """Change the list at most so many times."""
        for _ in range(self._random.randint(0, most)):
            kind = self._random.choice(self._kinds)
            if service.contexts or kind in {"add", "enter"}:
                getattr(self, f"_{kind}")(service)

    def _any(self, service: Service) -> int:
        return self._random.randrange(len(service.contexts))

    def _touch(self, service: Service) -> None:
        service.touch(self._any(service))

    def _job(self, service: Service) -> None:
        """Touch the context that was created first, of those not touched so far."""
        if untouched := [
            n
            for n, c in enumerate(service.contexts)
            if c.last_activity_at == c.created_at
        ]:
            service.touch(untouched[-1])

    def _late(self, service: Service) -> None:
        service.touch(self._any(service), late=self._random.uniform(0, DELAY))

    def _ahead(self, service: Service) -> None:
        """Let a writer with a wrong clock touch a context."""
        service.touch(self._any(service), late=-self._random.choice(AHEAD))

    def _chase(self, service: Service) -> None:
        """Touch a context that no answer has shown, but the next one would."""
        end = service.window(service.queries[-1]).end
        near = [*enumerate(service.contexts)][end : end + service.cap]
        if unseen := [place for place, c in near if c.id not in service.shown]:
            late = self._random.choice([0, self._random.uniform(0, DELAY)])
            service.touch(self._random.choice(unseen), late=late)

    def _bury(self, service: Service) -> None:
        """Let as many contexts become active as an answer has."""
        for _ in range(service.cap if self._random.random() < 0.2 else 0):
            service.touch(len(service.contexts) - 1)

    def _slip(self, service: Service) -> None:
        """Let a context leave that an answer has shown, so that others slip up."""
        if shown := [n for n, id_ in enumerate(service.ids) if id_ in service.shown]:
            service.contexts.pop(self._random.choice(shown))

    def _add(self, service: Service) -> None:
        service.add()

    def _remove(self, service: Service) -> None:
        service.contexts.pop(self._any(service))

    def _leave(self, service: Service) -> None:
        self._away.append(service.contexts.pop(self._any(service)))

    def _enter(self, service: Service) -> None:
        if self._away:
            service.put_back(self._away.pop())

    def _burst(self, service: Service) -> None:
        number = self._random.choice([5, 20, 60])
        change = self._random.choice([self._touch, self._add, self._remove])
        for _ in range(number if self._random.random() < 0.2 else 0):
            if service.contexts:
                change(service)

    def _border(self, service: Service) -> None:
        """Change what stands at the border of the last window."""
        window = service.window(service.queries[-1])
        place = self._random.choice([window.offset, window.end])
        place += self._random.randint(-2, 2)
        if 0 <= place < len(service.contexts):
            if self._random.random() < 0.5:
                service.touch(place)
            else:
                service.contexts.pop(place)


class _Pending(Future[Any]):
    def __init__(self, answer: Callable[[], object]) -> None:
        super().__init__()
        self.answer = answer

    def result(self, timeout: float | None = None) -> Any:
        if not self.done():
            self.answer()
        return super().result(timeout)


class Scheduler:
    """
    Stand in for the threads that read ahead: answer what is under way in any order.

    Args:
        service: Answers.
        seed: Each seed gives another order; with None, each is answered at once.
        patch: Replaces the threads.

    """

    def __init__(
        self, service: Service, seed: int | None, patch: pytest.MonkeyPatch
    ) -> None:
        self._random = Random(seed)
        self._at_once = seed is None
        self._pending: list[_Pending] = []
        service.before_answer = self._answer_some
        patch.setattr(prefetching, "Task", self._read_later)

    def _answer_some(self) -> None:
        while self._pending and self._random.random() < 0.5:
            self._random.choice(self._pending).answer()

    def _read_later(self, _name: str, read: Callable[[], Any]) -> _Pending:
        def answer() -> None:
            self._pending.remove(pending)
            try:
                pending.set_result(read())
            except BaseException as error:  # noqa: BLE001 - raised at its turn
                pending.set_exception(error)

        pending = _Pending(answer)
        self._pending.append(pending)
        if self._at_once:
            pending.answer()
        return pending


def walk_of(
    service: Any,
    options: ListExecutionContextsOptions | None = None,
    *,
    report: Callable[[WalkProgress], object] | None = None,
    **settings: Any,
) -> Walk:
    """Return a walk through a service."""
    defaults = dict.fromkeys(fields_dict(WalkOptions)) | {"prefetch": 0}
    return Walk(
        service,
        options or ListExecutionContextsOptions(),
        WalkOptions(**(defaults | settings)),
        nullcontext(report),
    )


def given_by(
    service: Any, options: ListExecutionContextsOptions | None = None, **settings: Any
) -> list[str | None]:
    """Walk through a service; return the ids of what is given."""
    return ids_of(walk_of(service, options, **settings).contexts())


def ids_of(contexts: Iterable[AiExecutionContext]) -> list[str | None]:
    """Return the ids of contexts."""
    return [context.id for context in contexts]


def until_error(
    walk: Walk | Iterable[AiExecutionContext],
) -> tuple[list[str | None], WachtError]:
    """Walk into an error; return what came before it, and the error."""
    contexts = walk.contexts() if isinstance(walk, Walk) else walk
    got: list[str | None] = []
    with pytest.raises(WachtError) as caught:
        got.extend(context.id for context in contexts)
    return got, caught.value


def given_in_parts(
    service: Any,
    options: ListExecutionContextsOptions | None = None,
    *,
    killed: Callable[[], bool] = lambda: False,
    pause: Callable[[], object] = lambda: None,
    limit: int | None = None,
    **settings: Any,
) -> Iterator[str | None]:
    """Walk through a service, and on after each failure, or if it was killed."""
    for _ in range(20):
        try:
            for page in walk_of(service, options, limit=limit, **settings).pages():
                yield from ids_of(page)
                limit = limit and limit - len(page)
                if limit == 0:
                    return
                if killed():
                    options = travelled(page)
                    break
            else:
                return
        except (DeadlineExceededError, RequestError, ServerError) as error:
            options = travelled(error)
        pause()
    raise PaginationError("it was broken too often")


def travelled(
    holder: WachtError | ExecutionContextListResponse,
) -> ListExecutionContextsOptions:
    """Take `resume` out of an error or a page; send it to another process and back."""
    resume = pickle.loads(pickle.dumps(holder)).resume  # noqa: S301 - our own
    assert resume == holder.resume
    return ListExecutionContextsOptions.from_json(resume.to_json())
