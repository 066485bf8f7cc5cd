"""
Copies kept up to date over many runs: `python tests/random_copies.py 0 1000`.

Each seed is one list, which changes while it is read and between the runs. A process
that keeps the copy may be killed at any moment, store states late, or find an old one.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, nullcontext
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from multiprocessing import Pool
from pathlib import Path
from random import Random
from typing import Any

import pytest
from attrs import define, evolve, field, frozen

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests import model
from tests.model import ACTIVITY, CREATED, START, Service
from wacht import (
    AiExecutionContext,
    ListExecutionContextsOptions,
    PaginationError,
    UpdatePage,
)
from wacht._keywords import WalkOptions
from wacht._pagination.updates import Updates
from wacht._protocol.answers import PageResponse

_KINDS = ("touch", "late", "add", "remove", "leave", "enter", "burst", "ahead")
_AHEAD = (120.0, 30 * 86400.0)  # seconds
_LATE = 240  # seconds that a long transaction takes
_PAUSES = (1, 60, 3600, 14 * 86400)  # seconds
_MAX_REQUESTS = 2000  # of one call


class _Changes(model.Changes):
    def _ahead(self, service: Service) -> None:
        service.touch(self._any(service), late=-self._random.choice(_AHEAD))

    def later(self, service: Service) -> None:
        """Show a change that was made long before."""
        if service.contexts and self._random.random() < 0.3:
            place, late = self._any(service), self._random.uniform(0, _LATE)
            last = service.contexts[place].last_activity_at
            if not last or last <= service.now:  # else its time would go back
                service.touch(place, late=late)


@frozen
class _Start:
    """The list when a run began: the times of its contexts."""

    answers: int  # there had been
    times: dict[str | None, datetime | None]


@define
class _Copy:
    """A copy, and what its process has stored."""

    rows: dict[str | None, tuple[AiExecutionContext, datetime]] = field(factory=dict)
    state: str | None = None
    old: list[str | None] = field(factory=lambda: [None])
    starts: dict[datetime, _Start] = field(factory=dict)
    known: set[str | None] = field(factory=set)
    absent: dict[str | None, int] = field(factory=dict)  # the last answer without it

    def write(self, page: UpdatePage) -> None:
        for context in page:
            self.rows[context.id] = (context, page.started_at)
        if page.complete and page.reads_all:
            kept = {i: r for i, r in self.rows.items() if r[1] >= page.started_at}
            self.rows = kept


def _service(random: Random) -> Service:
    kind: model.Kind = random.choice(["offset", "offset", "offset", "page"])
    service = Service(
        random.randint(0, random.choice([60, 250, 700])),
        kind,
        order=ACTIVITY if kind == "offset" else CREATED,
        gap=random.choice([0.01, 1, 100]),
        tied=random.choice([1, 1, 1, 2, 30, 80, 97, 120, 180]),
        stable=random.choice([True, False]),
        cap=random.choice([100, 100, 50]) if kind == "offset" else 100,
    )
    trait = random.choice(["", "", "", "ahead", "undated"])
    time = None if trait == "undated" else START + timedelta(seconds=_AHEAD[0])
    number = random.choice([1, 20, 120])
    if trait and not (trait == "undated" and kind == "page"):
        name = service.order.time
        changed = [evolve(c, **{name: time}) for c in service.contexts[:number]]
        service.show(changed + service.contexts[number:])
    return service


def _altered(service: Service, copy: _Copy, answer: PageResponse) -> PageResponse:
    """Note which contexts aren't in the list, and date an answer."""
    copy.known |= {*service.ids}
    away = copy.known - {*service.ids}
    copy.absent |= dict.fromkeys(away, len(service.queries))
    date = format_datetime(service.now.astimezone(UTC), usegmt=True)
    return evolve(answer, date=date)


def call(service: Any, state: str | None, random: Random) -> Iterator[UpdatePage]:
    """Return the pages of one call, perhaps by another process."""
    service.revision = random.choice([None, service.revision])
    exhaustive = random.choice([None, True])
    options = WalkOptions(None, exhaustive, None, random.choice([0, 0, 3]), None)
    filters = ListExecutionContextsOptions(per_page=random.choice([None, 7, 100]))
    return Updates(service, filters, options, nullcontext(), state).pages()


def keep(seed: int) -> str:
    """Keep a copy of the list of a seed; return what went wrong, or ""."""
    random = Random(f"copies {seed}")
    service, copy = _service(random), _Copy()
    names = random.sample(_KINDS, random.randint(1, 3))
    most = random.choice([1, 2, 6])
    changes = _Changes(random, names, most)
    calm = random.random() < 0.3
    service.change = lambda it: None if calm else changes(it)
    service.alter = lambda answer: _altered(service, copy, answer)
    late = random.choice([0, 0, 3])  # pages whose state isn't stored
    deaths, few = random.choice([0, 0.02, 0.2]), random.choice([None, None, 5])
    with pytest.MonkeyPatch.context() as patch:
        model.Scheduler(service, seed, patch)
        for _ in range(random.randint(2, 6)):
            if problem := _call(service, copy, random, late, deaths, few):
                return problem
            service.now += timedelta(seconds=random.choice(_PAUSES))
            changes.some(service, random.choice([0, 10, 100]))
            changes.later(service)
            if random.random() < 0.1 and len(copy.old) > 1:
                copy.state = random.choice(copy.old)  # once, as from a backup
                copy.old.clear()
            if random.random() < 0.05:
                _turn(service)
        return _at_rest(service, copy, random)


def _turn(service: Service) -> None:
    """Serve the other revision from now on."""
    service.kind = "page" if service.kind == "offset" else "offset"
    service.order = CREATED if service.kind == "page" else ACTIVITY
    service.cap = 100
    dated = [evolve(c, created_at=c.created_at or START) for c in service.contexts]
    service.show(dated)


def _call(  # noqa: PLR0913, PLR0917
    service: Service,
    copy: _Copy,
    random: Random,
    late: int,
    deaths: float,
    few: int | None,
) -> str:
    """Bring the copy up to date once, or be killed; return what is wrong with it."""
    time, asked = service.order.time, len(service.queries)
    times = {c.id: getattr(c, time) for c in service.contexts}
    copy.known |= times.keys()
    start = _Start(asked, {i: t for i, t in times.items() if not t or t <= service.now})
    try:
        with closing(call(service, copy.state, random)) as pages:
            for number, page in enumerate(pages, 1):
                copy.write(page)
                start = copy.starts.setdefault(page.started_at, start)
                if late and number % (late + 1) and not page.complete:
                    continue
                copy.state = page.state
                copy.old.append(page.state)
                if len(page.state) > 1500:
                    return "a long state"
                if page.complete:
                    return _wrong(service, copy, start)
                if number == few or random.random() < deaths:
                    break
                if len(service.queries) - asked > _MAX_REQUESTS:
                    return "doesn't end"
    except PaginationError:
        pass
    return ""


def _wrong(service: Service, copy: _Copy, start: _Start) -> str:
    """Say what is wrong with a copy whose run is complete."""
    for context in service.contexts:
        stayed = copy.absent.get(context.id, -1) <= start.answers
        if context.id not in start.times or not stayed:
            continue
        if context.id not in copy.rows:
            return f"{context.id} is missing"
        row, was = copy.rows[context.id][0], start.times[context.id]
        time = getattr(row, service.order.time)
        if was and time and time < was and row != context:
            return f"{context.id} is older than when the run began"
    return ""


def _at_rest(service: Service, copy: _Copy, random: Random) -> str:
    """Bring the copy up to date on a list at rest; say if that fails, or is wrong."""
    service.change = lambda _: None
    service.now += timedelta(seconds=10)
    errors: list[str] = []
    runs = 0
    for turn in range(60):
        few = random.choice([None, 5]) if turn < 40 else None
        try:
            with closing(call(service, copy.state, random)) as pages:
                for number, page in enumerate(pages, 1):
                    copy.write(page)
                    copy.state = page.state
                    if number == few:
                        break
                else:
                    # The first may have begun before a change that was dated back
                    # minutes: only the run after that has to find it.
                    runs += 1
                    if runs > 1 and (page.complete or service.kind == "page"):
                        # Plain pages claim nothing where equal times have no order.
                        is_sure = page.complete or service.stable
                        return _differs(service, copy) if is_sure else ""
        except PaginationError as error:
            errors.append(str(error))
            if len(errors) > 3:
                is_wide = "too many" in errors[-1] and not service.stable
                return "" if is_wide else f"fails for ever: {error}"
    return "never complete"


def _differs(service: Service, copy: _Copy) -> str:
    listed = {c.id: service.order.shown(c) for c in service.contexts}
    missing = listed.keys() - copy.rows.keys()
    stale = [i for i, c in listed.items() if i in copy.rows and copy.rows[i][0] != c]
    return f"at rest: {missing=} {stale=}" if missing or stale else ""


def main() -> None:
    first, last = map(int, sys.argv[1:])
    ends: Counter[str] = Counter()
    with Pool(2) as pool:
        seeds = range(first, last)
        for seed, problem in zip(seeds, pool.imap(keep, seeds, 20), strict=True):
            ends["wrong" if problem else "right"] += 1
            if problem:
                print(f"{seed}: {problem[:300]}", flush=True)
    print(dict(ends))


if __name__ == "__main__":
    main()
