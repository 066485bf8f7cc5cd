"""Walks through lists that change after every answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from datetime import timedelta
from random import Random

import pytest
from attrs import evolve

from tests import random_lists
from tests.model import (
    CREATED,
    START,
    Service,
    given_by,
    known,
    once,
    until_error,
    walk_of,
)
from wacht import (
    AiExecutionContext,
    ListExecutionContextsOptions,
    PaginationError,
    WalkProgress,
)

Options = ListExecutionContextsOptions

MISSING = (
    "missing: too many have the last_activity_at {}.000000Z to fit into one answer, "
    "and the service lists them in no fixed order. Filter by status or context_group "
    "to make the group smaller"
)


def at(seconds: float, *ids: str | None) -> list[AiExecutionContext]:
    moment = START + timedelta(seconds=seconds)
    return [AiExecutionContext(id=id_, last_activity_at=moment) for id_ in ids]


@pytest.mark.parametrize("kind", random_lists.PROFILES)
def test_walk__keeps_its_promises(kind: str) -> None:
    """Whatever happens to the list: nothing is lost in silence, nothing comes twice."""
    for seed in range(300):
        outcome = random_lists.walk(seed, kind)
        assert not outcome.wrong, f"{kind} {seed}: {outcome}"


@pytest.mark.parametrize("hidden", [5, 20])
def test_walk__rows_that_are_left_out_of_pages(hidden: int) -> None:
    """The echo tells what was applied, so a short answer is no smaller limit."""
    service = known("offset", 3000)
    service.hidden = hidden
    service.change = lambda service: [service.touch(2900) for _ in range(2)]
    shown = {c.id for c in service.contexts if not service.leaves_out(c)}
    assert {*given_by(service)} == shown
    assert len(service.queries) <= 45


def test_walk__finds_long_transactions_as_well() -> None:
    """One that took 20 s: on a dense list, its time lies far below the top's 100."""
    service = known("offset", 600, gap=0.1)
    # What it touches stands further down than the walk is.
    service.change = once(6, lambda service: service.touch(590, late=20))
    got = given_by(service)
    assert {*service.stayed} <= {*got}


def test_walk__counts_that_agree_while_something_moved() -> None:
    """What came and what left balance each other, but the top is newer."""
    service = known("offset", 300, tied=300)
    replaced = [*service.contexts[1:], *at(9, "new")]
    # The fourth is the first of the second reading.
    service.change = once(4, lambda service: service.show(replaced))
    _, error = until_error(walk_of(service))
    assert "may be missing" in str(error)


def test_walk__from_a_page_on_a_count_proves_nothing() -> None:
    """What comes and leaves at its top can hide what is missing."""
    service = known("offset", 0)
    tied = at(-100, *(f"g{n}" for n in range(400)))
    service.contexts = [*at(0, "top"), *tied, *at(-200, "end")]
    leaving, new = {1: "g150", 5: "g151"}, {4: at(9, "new")}

    def change(service: Service) -> None:
        number = len(service.queries)
        kept = [c for c in service.contexts if c.id != leaving.get(number)]
        service.show(kept + new.get(number, []))

    service.change = change
    got, error = until_error(walk_of(service, Options(page=2)))
    assert "g199" not in got
    assert str(error).startswith("contexts may be missing")


def test_walk__says_that_the_top_never_rests() -> None:
    service, random = known("offset", 400), Random(0)
    service.change = lambda service: [
        service.touch(random.randrange(400))
        for _ in range(150 if len(service.queries) > 4 else 0)
    ]
    _, error = until_error(walk_of(service))
    assert "moved to the top of the list faster" in str(error)
    assert len(service.queries) < 150


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda service: service.contexts.pop(-1), id="removal"),
        pytest.param(lambda service: service.touch(399), id="activity"),
    ],
)
def test_walk__says_which_contexts_may_be_missing(
    change: Callable[[Service], object],
) -> None:
    """Where too many share one time, and the list moves, the count can't tell."""
    service = known("offset", 400, tied=200)
    service.change = change
    got, error = until_error(walk_of(service))
    assert str(error) == f"contexts may be {MISSING.format('2025-12-31T23:59:59')}"
    assert {*service.stayed} <= {*got}


@pytest.mark.parametrize("above", [0, 200])
def test_walk__says_how_many_contexts_are_missing(
    above: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal times come in another order each time, so some are never shown."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    service = known("offset", 300, tied=300, stable=False)
    service.show(
        [c for n in range(above) for c in at(n + 1, f"n{n}")] + service.contexts
    )
    got, error = until_error(walk_of(service))
    missing = f"about {300 + above - len(got)} contexts are "
    assert str(error) == missing + MISSING.format("2026-01-01T00:00:00")
    monkeypatch.undo()
    time.tzset()


def test_walk__a_look_at_a_list_in_another_order() -> None:
    service = known("offset", 250)

    def reverse(service: Service) -> None:
        if len(service.queries) == 3:
            service.contexts[:10] = service.contexts[9::-1]

    service.change = reverse
    got, error = until_error(walk_of(service))
    assert "isn't sorted by last_activity_at" in str(error)
    assert len(got) == 250


def test_plain_pages__claim_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """No second look, whatever came again; one line says so."""
    caplog.set_level("INFO", "wacht")
    service = known("page", 250)
    service.change = once(1, lambda service: [service.touch(249) for _ in range(30)])
    reports: list[WalkProgress] = []
    got = given_by(service, report=reports.append)
    assert got == service.ids[30:]
    assert [query["page"] for query in service.queries] == ["1", "2", "3"]
    assert (reports[-1].complete, reports[-1].duplicates) == (False, 30)
    [line] = caplog.messages
    assert line.startswith("complete is False: plain pages can't prove")


def test_plain_pages__go_on_after_the_list_grew_by_thirty_pages() -> None:
    """What was given before is new to this very walk."""
    service = known("page", 500)
    *_, last = walk_of(service, Options(per_page=10), limit=400).pages()
    service.add(300)
    service.step = 0
    rest = given_by(service, last.resume)
    assert rest == service.ids[-100:]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda service: service.contexts.pop(0), id="above"),
        # Of what was given, nothing is left to show where the walk began.
        pytest.param(
            once(1, lambda s: s.show(s.contexts[:100] + s.contexts[200:])), id="all"
        ),
    ],
)
def test_walk__from_a_page_on_loses_nothing_to_what_leaves(
    change: Callable[[Service], object],
) -> None:
    """What stood above that page at first isn't given."""
    service = known("offset", 400)
    above = {*service.ids[:100]}
    service.change = change
    got = given_by(service, Options(page=2))
    assert {*service.stayed} - above <= {*got}
    assert not above & {*got}


@pytest.mark.parametrize("sizes", [(100, 500), (200, 300), (100, 900), (99, 101, 400)])
@pytest.mark.parametrize("newest_first", [True, False])
def test_walk__by_page_bulk_imports(
    sizes: Iterable[int], *, newest_first: bool
) -> None:
    """All is given at rest; listed oldest first, without a proof."""
    service = known("page", sum(sizes), order=CREATED)
    days = [day for day, size in enumerate(sizes) for _ in range(size)]
    service.show(
        evolve(context, created_at=START + timedelta(days=day))
        for context, day in zip(service.contexts, days, strict=True)
    )
    if not newest_first:
        service.contexts.reverse()
    got: list[str | None] = []
    with nullcontext() if newest_first else pytest.raises(PaginationError) as caught:
        got.extend(c.id for c in walk_of(service, exhaustive=True).contexts())
    assert sorted(got, key=str) == sorted(service.ids, key=str)
    assert not caught or "isn't sorted by created_at" in str(caught.value)


@pytest.mark.parametrize(("hours", "most"), [(1, 34), (0, 100)])
def test_requests__contexts_that_a_job_touched_within_thirty_seconds(
    hours: float, most: int
) -> None:
    """An hour ago, nothing is on its way to a time before the newest."""
    service = known("offset", 3000, gap=0.01)
    service.says_date = True
    service.now += timedelta(hours=hours)
    assert given_by(service) == service.ids
    assert len(service.queries) <= most


def test_walk__counts_contexts_without_a_time() -> None:
    """PostgreSQL lists them first, and as equal."""
    service = known("offset", 300)
    undated = [evolve(c, last_activity_at=None) for c in service.contexts[:150]]
    service.contexts[:150] = undated
    assert given_by(service) == service.ids
    service.change = lambda service: service.contexts.pop(0)
    _, error = until_error(walk_of(service))
    assert "have the last_activity_at null" in str(error)
