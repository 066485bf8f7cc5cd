"""
Every history of a small list: all that may happen to it after each answer of a walk.

Random lists come across some of them; here none is left out. An answer has only a few
contexts, or one would show all of the list. The walk is driven where it reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime
from functools import cache
from itertools import accumulate, product
from typing import Any, Literal

import pytest
from attrs import evolve, frozen
from coverage import Coverage

from tests.model import START, ids_of
from wacht import AiExecutionContext, ListExecutionContextsOptions, PaginationError
from wacht._keywords import WalkOptions
from wacht._pagination import position, state
from wacht._pagination.coverage import END, TOP
from wacht._pagination.reader import Reader
from wacht._pagination.readings import readings
from wacht._pagination.state import State
from wacht._protocol.answers import PageResponse
from wacht._protocol.revisions import OffsetRevision, PageRevision, Query, Revision
from wacht._protocol.windows import Window
from wacht._waiting import RequestBudget

Event = tuple[int, str, str]  # an answer's number, what happens after it, to what
Time = Literal["created", "active"]

pytestmark = pytest.mark.skipif(
    Coverage.current() is not None,
    reason="tens of thousands of walks take minutes where each branch is noted",
)

LATE = 1.9  # seconds before it becomes visible: what a change may be dated to
MOST_ANSWERS = 60
PER_PAGE = 3
PAGE, OFFSET = PageRevision(), OffsetRevision(echoes=True)
OPTIONS = ListExecutionContextsOptions()
SETTINGS = WalkOptions(
    limit=None, exhaustive=True, active_since=None, prefetch=0, deadline=None
)


@frozen
class Case:
    """A list, what happens to it, and how it is walked through."""

    revision: Revision = OFFSET
    # Seconds after the start; the look goes on for 30 s, or it would see all.
    times: tuple[float | None, ...] = (0, -40, -80, -120, -160)
    window: int = 3  # contexts of an answer, at most
    step: float = 1.0  # seconds that pass with each event
    cut: int = 0  # the walk ends behind this answer, and another one goes on
    order: Time | Literal["undated last"] = "active"
    has_date: bool = False  # whether answers tell the service's time
    events: tuple[Event, ...] = ()

    def longer(self, answers: int) -> Iterator[Case]:
        """Yield this case with one event more, after each of so many answers."""
        ids = {f"c{number}" for number in range(len(self.times))}
        ids |= {id_ for _, what, id_ in self.events if what == "add"}
        left = {id_ for _, what, id_ in self.events if what == "leave"}
        left -= {id_ for _, what, id_ in self.events if what == "come_back"}
        events = [*product(["leave"], ids - left), *product(["come_back"], left)]
        events += [("add", f"c{len(ids)}"), *[("turn", "")] * self.has_ties]
        if self.order != "created":
            events += product(["touch", "touch_late"], ids - left)
        earliest = self.events[-1][0] if self.events else 1
        for after, event in product(range(earliest, answers), sorted(events)):
            yield evolve(self, events=(*self.events, (after, *event)))

    @property
    def has_ties(self) -> bool:
        return len({*self.times}) < len(self.times)


class Service:
    """In the place of an endpoint: a list that changes after its answers."""

    service = "a small list"
    fixed = True

    def __init__(self, case: Case) -> None:
        self.revision = case.revision
        self.stayed = {f"c{number}" for number in range(len(case.times))}
        self.answers = 0
        self._case = case
        self._created = dict(zip(sorted(self.stayed), case.times, strict=True))
        self._active = dict(self._created)
        self._left: dict[str, float | None] = {}
        self._now = 0.0
        self._direction = 1

    def ask(self, query: Query, *_rest: Any, **_keywords: Any) -> PageResponse:
        """Answer a query, then change the list."""
        self.answers += 1
        assert self.answers < MOST_ANSWERS, "it doesn't end"
        limit = int(query.get("per_page") or query["limit"])
        offset = (int(query.get("page", 1)) - 1) * limit
        window = Window(int(query.get("offset", offset)), limit)
        ids = sorted(self._created, key=self._place)
        self.stayed.intersection_update(ids)
        contexts = [self._shown(id_) for id_ in ids[window.offset : window.end]]
        applied = window if self.revision is OFFSET else None
        date = at(self._now) if self._case.has_date else None
        self._change()
        header = date and format_datetime(date, usegmt=True)
        return PageResponse(contexts, window.end < len(ids), applied, header)

    def _place(self, id_: str) -> tuple[float, int]:
        """Return what sorts the list; `turn` turns round those of one time."""
        case = self._case
        time = (self._created if case.order == "created" else self._active)[id_]
        undated = TOP if case.order == "undated last" else END
        return undated if time is None else -time, self._direction * int(id_[1:])

    def _shown(self, id_: str) -> AiExecutionContext:
        active = self._active[id_] if self.revision is OFFSET else None
        return context(id_, self._created[id_], active)

    def _change(self) -> None:
        for after, what, id_ in self._case.events:
            if after == self.answers:
                self._now += self._case.step
                getattr(self, what)(id_)

    def touch(self, id_: str, late: float = 0.0) -> None:
        time, last = self._now - late, self._active[id_]
        self._active[id_] = time if last is None else max(time, last)

    def touch_late(self, id_: str) -> None:
        self.touch(id_, LATE)

    def leave(self, id_: str) -> None:
        self._left[id_] = self._created.pop(id_)

    def come_back(self, id_: str) -> None:
        self._created[id_], self._active[id_] = self._left.pop(id_), self._now

    def add(self, id_: str) -> None:
        self._created[id_] = self._active[id_] = self._now

    def turn(self, _id: str) -> None:
        self._direction = -self._direction


def at(seconds: float) -> Any:
    return START + timedelta(seconds=seconds)


@cache
def context(
    id_: str, created: float | None, active: float | None
) -> AiExecutionContext:
    times = [None if time is None else at(time) for time in (created, active)]
    return AiExecutionContext(id=id_, created_at=times[0], last_activity_at=times[1])


@frozen
class Walk:
    """What came of a case."""

    case: Case
    service: Service
    given: list[str | None]
    is_complete: bool
    fails: bool

    @property
    def fault(self) -> str:
        """Say which promise is broken, if one is."""
        missing = self.service.stayed.difference(self.given)
        faults = {
            "given twice": len({*self.given}) < len(self.given),
            "lost in silence": missing and self.is_complete,
            "neither complete nor an error": self.is_complete == self.fails,
            "an error at rest": self.fails
            and not self.case.events
            and self.case.order != "undated last",
        }
        return ", ".join(name for name, is_so in faults.items() if is_so)


def walked(case: Case) -> Walk:
    """Walk through a list; once more from where that was cut off."""
    service, budget, given = Service(case), RequestBudget(), []
    reader: Any = Reader(service, OPTIONS, budget)  # type: ignore[arg-type]
    first = Window(0, PER_PAGE)
    start, size = position.Position(), case.window
    walk = State(reader, SETTINGS, first, start, yielded=[], max_limit=size)
    try:
        for last in dict.fromkeys([case.cut, 0]):
            for number, part in enumerate(readings(walk), 1):
                walk.give(part)
                given += ids_of(part.contexts)
                if number == last:
                    walk.is_complete = False
                    break
            else:
                break
    except PaginationError:
        return Walk(case, service, given, walk.is_complete, fails=True)
    return Walk(case, service, given, walk.is_complete, fails=False)


def histories(case: Case, events: int) -> Iterator[Walk]:
    """Walk through all that may happen in at most so many events."""
    yield (walk := walked(case))
    for longer in case.longer(walk.service.answers) if events else ():
        yield from histories(longer, events - 1)


# All ways in which five contexts share times.
TIED = [(0, *accumulate(steps)) for steps in product((0, -40), repeat=4)]
FOUR, PAIRS = (0, -40, -80, -120), (0, 0, -40, -40, -80)
SEVEN, UNDATED = (*FOUR, -160, -200, -240), (None, None, -40, -80)
TWO_EVENTS = [
    Case(),
    Case(window=4),
    Case(times=PAIRS, window=4),
    Case(times=UNDATED),
    Case(times=(-40, -80, None, None), order="undated last"),
    Case(times=(0, -1, -2, -3)),
    Case(times=FOUR, step=100),
    Case(times=(-700, -701, -702, -703), has_date=True),
    *(Case(times=FOUR, cut=cut) for cut in (1, 2, 3)),
    Case(PAGE, window=3, order="created"),
    Case(PAGE, PAIRS, 4, order="created"),
    Case(PAGE, SEVEN, 5, order="created"),
    *(Case(PAGE, window=window, order="active") for window in (3, 4, 5)),
]
ONE_EVENT = [
    Case(revision, times, window, cut=cut, order=order)
    for revision, order in ((OFFSET, "active"), (PAGE, "created"))
    for times, window, cut in product(TIED, (3, 4), (0, 1, 2))
]
# Both counts miss the same context, as another one leaves, comes back and leaves again.
GONE_TWICE = Case(
    times=(0, 0, *[-40] * 5),
    events=((2, "leave", "c0"), (3, "come_back", "c0"), (5, "leave", "c0")),
)


@pytest.mark.parametrize(
    ("cases", "events"),
    [*(([case], 2) for case in TWO_EVENTS), (ONE_EVENT, 1), ([GONE_TWICE], 0)],
)
def test_every_history__nothing_lost_in_silence(
    cases: list[Case], events: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "_GROWTH", TOP)  # or windows become larger
    monkeypatch.setattr(position, "_STRIDE", PER_PAGE)
    walks = (walk for case in cases for walk in histories(case, events))
    wrong = next((walk for walk in walks if walk.fault), None)
    assert wrong is None, f"{wrong.fault}: {wrong}"
