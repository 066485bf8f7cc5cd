"""What a walk, or a single page, asks for and gives, on a list that stays as it is."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone
from itertools import chain
from math import ceil
from random import Random
from typing import Any

import pytest
from attrs import evolve
from hypothesis import assume, example, given, settings, strategies as st

from tests.model import (
    ACTIVITY,
    CREATED,
    KINDS,
    REVISIONS,
    START,
    TOO_SLOW,
    Changes,
    Kind,
    Scheduler,
    Service,
    given_by,
    ids_of,
    known,
    once,
    until_error,
    walk_of,
)
from tests.unit.test_coverage import FIRST_AND_LAST
from wacht import (
    ExecutionContextListResponse,
    InvalidRequestError,
    ListExecutionContextsOptions,
    PaginationError,
    ServerError,
    WalkProgress,
)
from wacht._fetch import fetch_page

Options = ListExecutionContextsOptions


@given(
    kind=st.sampled_from(KINDS),
    contexts=st.integers(0, 90),
    page=st.none() | st.integers(1, 4),
    per_page=st.none() | st.integers(1, 30),
    exhaustive=st.sampled_from([None, True, False]),
    learned=st.booleans(),
)
@example(kind="page", contexts=9, page=2, per_page=1, exhaustive=True, learned=True)
def test_walk__gives_each_context_once_in_order(  # noqa: PLR0913 - all it may depend on
    *,
    kind: Kind,
    contexts: int,
    page: int | None,
    per_page: int | None,
    exhaustive: bool | None,
    learned: bool,
) -> None:
    service = (known if learned else lambda k, n: Service(n, k))(kind, contexts)
    options = Options(page=page, per_page=per_page)
    start = ((page or 1) - 1) * (per_page or 100)
    assume(kind != "older" or learned)  # without an echo, it needs the setting
    got = given_by(service, options, exhaustive=exhaustive)
    assert got == service.ids[start:]


def test_walk__goes_on_from_a_first_answer_of_another_size() -> None:
    """The offset revision ignores `per_page` and gives 50."""
    service = Service(140, "offset")
    assert given_by(service) == service.ids
    assert service.queries[:2] == [
        {"page": "1", "per_page": "100"},
        {"limit": "100", "offset": "48"},
    ]


@pytest.mark.parametrize(
    ("kind", "limit", "sizes"),
    [
        ("page", None, [100, 100, 50]),
        ("page", 150, [100, 50]),
        ("offset", None, [100, 98, 52]),  # and no empty page of a second look
    ],
)
def test_walk__pages(kind: Kind, limit: int | None, sizes: list[int]) -> None:
    service = known(kind, 250)
    pages = [*walk_of(service, limit=limit).pages()]
    assert [len(page) for page in pages] == sizes
    assert ids_of(chain(*pages)) == service.ids[:limit]
    assert [len(page) for page in walk_of(known(kind, 0)).pages()] == [0]


@settings(max_examples=50)
@given(st.integers(0, 150), st.integers(1, 100))
def test_walk__by_page_sends_one_exact_request_a_page(
    contexts: int, per_page: int
) -> None:
    service = known("page", contexts)
    assert given_by(service, Options(per_page=per_page)) == service.ids
    pages = max(1, ceil(contexts / per_page))
    assert service.queries == [
        {"page": str(number), "per_page": str(per_page)}
        for number in range(1, pages + 1)
    ]


@pytest.mark.parametrize(
    ("contexts", "per_page"),
    [(0, 1), (1, 1), (60, 1), (300, 7), (700, 98), (1000, 100), (6000, 100)],
)
@pytest.mark.parametrize(("kind", "most"), [("offset", 1.03), ("page", 7 / 6)])
def test_walk__exhaustively_costs_little_more(
    kind: Kind, most: float, contexts: int, per_page: int
) -> None:
    service = known(kind, contexts)
    options = Options(per_page=per_page)
    assert given_by(service, options, exhaustive=True) == service.ids
    pages = max(1, ceil(contexts / per_page))
    assert len(service.queries) <= ceil(most * pages) + 1


@pytest.mark.parametrize(
    ("tied", "most"), [(2, 1.2), (7, 1.4), (40, 2.6), (98, 4), (99, 4), (1000, 4)]
)
def test_walk__by_offset_with_equal_times(tied: int, most: float) -> None:
    """Groups that no answer spans are read twice and counted: all there is no error."""
    service = known("offset", 1000, tied=tied)
    assert given_by(service) == service.ids
    assert len(service.queries) <= most * 10


def test_walk__windows_read_ahead_share_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some contexts may leave the list before they are answered."""
    service = known("offset", 400)
    Scheduler(service, 0, monkeypatch)
    given_by(service, prefetch=8)
    offsets = {int(query["offset"]) for query in service.queries}
    assert {0, 93, 186, 279, 372} <= offsets


def test_walk__looks_at_the_same_windows_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """At rest, whatever is read ahead, and in whatever order equal times are."""
    service = known("offset", 500, cap=50, tied=15, gap=0.01, stable=False)
    Scheduler(service, None, monkeypatch)
    assert {*given_by(service, prefetch=1)} == {*service.ids}


@pytest.mark.parametrize("kind", ["touch", "remove", "add"])
def test_walk__costs_fifteen_percent_more_on_a_moving_list(kind: str) -> None:
    for seed in range(2):
        service = known("offset", 3000)
        service.change = Changes(Random(seed), [kind], most=2)
        got = given_by(service)
        assert set(service.stayed) <= set(got)
        assert len(service.queries) <= 1.15 * 30 + 1


@given(
    st.sampled_from(KINDS),
    st.integers(1, 150),
    st.integers(1, 100),
    st.sampled_from([0, 2]),
    st.sampled_from([1, 3]),
)
def test_limit__asks_for_no_more_than_that_takes(
    kind: Kind, limit: int, per_page: int, prefetch: int, page: int
) -> None:
    start = (page - 1) * per_page
    service = known(kind, start + 100)
    options = Options(page=page, per_page=per_page)
    got = given_by(service, options, limit=limit, prefetch=prefetch)
    assert got == service.ids[start:][:limit]
    assert len(service.queries) <= 1.03 * ceil(min(limit, 100) / per_page) + 1
    if limit <= 100 and kind != "page":
        ends = [int(q["offset"]) + int(q["limit"]) for q in service.queries]
        assert max(ends) == start + limit


@settings(max_examples=40)
@given(
    active=st.integers(0, 90),
    per_page=st.integers(1, 100),
    kind=st.sampled_from(["offset", "older"]),
    learned=st.booleans(),
)
def test_active_since__asks_for_as_many_pages_as_they_fill(
    *, active: int, per_page: int, kind: Kind, learned: bool
) -> None:
    assume(kind != "older" or learned)  # without an echo, it needs the setting
    service = known(kind, 90) if learned else Service(90, kind)
    since = START - timedelta(seconds=active - 1)  # the time itself counts
    got = given_by(service, Options(per_page=per_page), active_since=since)
    assert got == service.ids[:active]
    most = 1.03 * ((active + 1) / per_page + 1) + 1
    assert len(service.queries) <= most + (not learned)


@pytest.mark.parametrize(
    ("options", "query"),
    [
        (Options(), {"page": "1", "per_page": "30"}),
        (Options(page=3, per_page=60), {"page": "5", "per_page": "30"}),
        (Options(page=3, per_page=100), {"page": "3", "per_page": "100"}),
    ],
)
def test_limit__asks_for_a_smaller_page(options: Options, query: object) -> None:
    """Unless that would begin elsewhere."""
    service = known("page", 250)
    given_by(service, options, limit=30)
    assert service.queries == [query]


@pytest.mark.parametrize("learned", [True, False])
def test_active_since__by_page(*, learned: bool) -> None:
    service = known("page", 250) if learned else Service(250, "page")
    _, error = until_error(walk_of(service, active_since=START))
    expected = "active_since needs the offset revision; this service lists by page"
    assert str(error) == expected
    assert len(service.queries) <= 1


def test_active_since__what_was_shown_before_it_became_active() -> None:
    """The last answer has contexts that are too old, and may not be for long."""
    service = known("offset", 250)
    service.change = once(2, lambda service: service.touch(180))
    got = given_by(service, active_since=START - timedelta(seconds=149))
    assert len(got) == 151
    assert "c180" in got


def test_active_since__in_plain_pages() -> None:
    service = known("offset", 3000)
    since = START - timedelta(seconds=249)
    got = given_by(service, active_since=since, exhaustive=False)
    assert got == service.ids[:250]
    assert [query["offset"] for query in service.queries] == ["0", "100", "200"]


@pytest.mark.parametrize("exhaustive", [None, False])
def test_active_since__a_list_in_another_order(*, exhaustive: bool | None) -> None:
    """All is given that is as new; then there is an error."""
    service = known("offset", 250)
    service.contexts.reverse()
    walk = walk_of(service, active_since=START, exhaustive=exhaustive)
    got, error = until_error(walk)
    assert got == ["c0"]
    assert "isn't sorted by last_activity_at: the context at place 1" in str(error)


def test_active_since__one_page_for_ever() -> None:
    """What is older isn't given, and is no progress either."""
    service = known("offset", 20)
    page = service.contexts[::-1]
    service.alter = lambda answer: evolve(answer, contexts=page, has_more=True)
    _, error = until_error(walk_of(service, active_since=START - timedelta(seconds=9)))
    assert "30 answers in a row had nothing new" in str(error)


def test_active_since__undated_contexts_above_a_group_that_is_counted() -> None:
    service = known("offset", 250, tied=150)
    newest = [evolve(c, last_activity_at=None) for c in service.contexts[:3]]
    service.contexts[:3] = newest
    assert given_by(service, active_since=START - timedelta(days=1)) == service.ids[3:]


@pytest.mark.parametrize("hours", [0, 10, -10])
@pytest.mark.parametrize("since", FIRST_AND_LAST)
def test_active_since__any_time(since: datetime, hours: int) -> None:
    """Undated contexts were active at no time."""
    service = known("offset", 250)
    service.contexts[0] = evolve(service.contexts[0], last_activity_at=None)
    since = since.replace(tzinfo=timezone(timedelta(hours=hours)))
    got = given_by(service, active_since=since)
    assert got == (service.ids[1:] if since.year == 1 else [])
    assert len(service.queries) <= 4


NotATime = type("NotATime", (datetime,), {"utcoffset": None})  # as pandas' `NaT`


@pytest.mark.parametrize("since", [START.replace(tzinfo=None), NotATime(1, 1, 1)])
def test_active_since__without_a_time_zone(since: datetime) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        walk_of(known("offset", 9), active_since=since)
    assert str(caught.value) == (
        f"active_since: expected a datetime with a time zone, got {since!r}"
    )


@pytest.mark.parametrize("page", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_summary__of_a_calm_list(
    kind: Kind, page: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Plain pages say that they prove nothing; by activity, none are."""
    with caplog.at_level(logging.INFO, "wacht"):
        given_by(known(kind, 30), Options(page=page, per_page=10))
    unproven = [m for m in caplog.messages if m.startswith("complete is False: ")]
    assert len(caplog.messages) == len(unproven) == (kind == "page")


def test_progress__after_each_page() -> None:
    """Before the page is given."""
    reports: list[WalkProgress] = []
    pages = walk_of(known("page", 250), report=reports.append).pages()
    assert [len(reports) for _ in pages] == [1, 2, 3]
    assert reports == [
        WalkProgress(pages=1, contexts=100, requests=1),
        WalkProgress(pages=2, contexts=200, requests=2),
        WalkProgress(pages=3, contexts=250, requests=3),
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("exhaustive", [None, True, False])
def test_progress__complete_means_that_the_guarantee_holds(
    *, kind: Kind, exhaustive: bool | None
) -> None:
    reports: list[WalkProgress] = []
    service = known(kind, 250, order=CREATED if kind == "page" else ACTIVITY)
    given_by(service, exhaustive=exhaustive, report=reports.append)
    proven = exhaustive or (kind != "page" and exhaustive is None)
    assert reports[-1].complete is bool(proven)
    assert not any(report.complete for report in reports[:-1])
    given_by(known(kind, 50), exhaustive=exhaustive, report=reports.append)
    assert reports[-1].complete  # one answer was the whole list


def test_progress__that_raises() -> None:
    """The error passes unchanged; one of ours remembers that nothing was given."""
    for error in (ZeroDivisionError(), PaginationError("of the caller")):

        def report(_progress: WalkProgress, error: Exception = error) -> None:
            raise error

        walk = walk_of(known("page", 250), report=report).contexts()
        with pytest.raises(type(error)) as caught:
            next(walk)
        assert caught.value is error
        assert [*walk] == []
    assert error.resume == Options(page=1, per_page=100)


def fetched(service: Service, **options: Any) -> ExecutionContextListResponse:
    return fetch_page(service, Options(**options))  # type: ignore[arg-type] - the model stands in for it


@given(
    kind=st.sampled_from(KINDS),
    page=st.none() | st.integers(1, 4),
    per_page=st.none() | st.integers(1, 100),
    learned=st.booleans(),
)
@example(kind="offset", page=1, per_page=50, learned=False)
@example(kind="offset", page=1, per_page=100, learned=False)
def test_fetch__a_page(
    *, kind: Kind, page: int | None, per_page: int | None, learned: bool
) -> None:
    assume(kind != "older" or learned)  # without an echo, it needs the setting
    service = Service(130, kind, revision=REVISIONS[kind] if learned else None)
    got = fetched(service, page=page, per_page=per_page)
    size = per_page or 20
    end = (page or 1) * size
    assert ids_of(got) == service.ids[end - size : end]
    assert got.has_more is (end < 130)
    is_other = page not in {None, 1} or size > 50  # than what it gives by default
    assert len(service.queries) == 1 + (kind == "offset" and not learned and is_other)


def test_fetch__sends_what_the_caller_gave() -> None:
    service = Service(130, "page")
    fetched(service)
    fetched(service, per_page=7)
    fetched(service, page=2)
    assert service.queries == [{}, {"per_page": "7"}, {"page": "2"}]
    assert service.revision == REVISIONS["page"]  # that there was no echo is learned


def test_fetch__as_many_as_the_service_gives() -> None:
    """It may have a smaller limit than what was asked for, or a larger default."""
    service = Service(130, cap=10, revision=REVISIONS["offset"])
    page = fetched(service, per_page=30)
    assert (len(page), page.has_more, len(service.queries)) == (10, True, 1)
    service = Service(130, "page")
    ask = service.ask
    service.ask = lambda query, *rest, **_: ask({"per_page": "50", **query}, *rest)  # type: ignore[method-assign]
    assert len(fetched(service)) == 50


def test_fetch__a_page_that_the_service_ignores() -> None:
    """More contexts than asked for show it."""
    with pytest.raises(PaginationError) as caught:
        fetched(Service(130, "older"), page=2, per_page=20)
    assert str(caught.value) == (
        "asked for 20 contexts, got 50: the service seems to ignore `page` and "
        "`per_page`. If it is an older build of the offset revision, set "
        'pagination="offset"'
    )
    page = fetched(Service(50, "older"), page=2, per_page=50)
    assert len(page) == 50  # nothing tells


def test_fetch__a_page_that_is_too_large() -> None:
    """A single page has to come as it was asked for."""
    service = Service(130, "page")
    service.errors[1] = TOO_SLOW
    with pytest.raises(ServerError):
        fetched(service)
    assert len(service.queries) == 1
