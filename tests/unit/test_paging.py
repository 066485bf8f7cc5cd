"""
The walk: exact on a list that rests, and on one that moves exactly what is promised.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import pickle
import threading
import tracemalloc
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from tests.model import (
    FILTERS,
    FIXED,
    REVISIONS,
    Move,
    Revision,
    Scheduler,
    Service,
    each_id,
    endpoint_of,
    ids_of,
    make_context,
    moves,
    read,
    walk_of,
)
from wacht import (
    AiExecutionContext,
    DeadlineExceededError,
    DecodeError,
    ExecutionContextListResponse,
    ListExecutionContextsOptions,
    PaginationError,
    RequestError,
    ServerError,
    WachtError,
    WalkProgress,
    _paging,
    _readahead,
)
from wacht._readahead import Page
from wacht._waiting import StoppedError, Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wacht._endpoint import Pagination
    from wacht._paging import Walk
    from wacht._readahead import FetchPage

PATIENCE = 30  # seconds that only a broken test waits for

PAGINATIONS: dict[Revision, list[Pagination]] = {
    "page": ["auto", "page"],
    "offset": ["auto", "offset"],
    "older": ["offset"],
}
FAULTS: st.SearchStrategy[WachtError] = st.sampled_from(
    [
        RequestError("refused"),
        ServerError(503, "come back later"),
        DecodeError("data[3].id: expected a string, got a number"),
    ]
).map(copy)
Options = ListExecutionContextsOptions


@st.composite
def filters(draw: st.DrawFn, revision: Revision) -> dict[str, str]:
    """Draw some of the filters that a revision knows."""
    number = draw(st.integers(0, 5))
    names = draw(st.sets(st.sampled_from(FILTERS[revision])))
    return {name: make_context(number)[name] for name in names}


def travelled(error: WachtError) -> Options:
    """Take `resume` out of an error that was in another process."""
    resume = pickle.loads(pickle.dumps(error)).resume  # noqa: S301 - our own
    assert resume == error.resume
    assert isinstance(resume, Options)
    return resume


def read_and_resume(
    service: Service, options: Options, **settings: Any
) -> list[str | None]:
    """Walk, and walk on from each error, until there is no more."""
    got: list[str | None] = []
    for _ in range(20):  # there are fewer faults
        try:
            got.extend(each_id(walk_of(service, options, **settings)))
        except WachtError as error:
            options = travelled(error)
        else:
            return got
    raise AssertionError("it does not get any further")


def until_error(walk: Walk) -> tuple[list[str | None], WachtError]:
    """Walk into an error; give what came before it, and the error."""
    got: list[str | None] = []
    with pytest.raises(WachtError) as caught:
        got.extend(each_id(walk))
    return got, caught.value


# A list that rests


@settings(max_examples=200)
@given(st.sampled_from(REVISIONS), st.data())
def test_walk__any_list_at_rest(revision: Revision, data: st.DataObject) -> None:
    """Whatever is asked for and whatever fails: what is given is the exact list."""
    service = Service(data.draw(st.integers(0, 60), "contexts"), revision)
    service.faults = data.draw(st.dictionaries(st.integers(1, 12), FAULTS), "faults")
    known = data.draw(filters(revision), "filters")
    options = Options(
        page=data.draw(st.none() | st.integers(1, 4), "page"),
        per_page=data.draw(st.none() | st.integers(1, 20), "per_page"),
        **known,
    )
    got = read_and_resume(
        service,
        options,
        pagination=data.draw(st.sampled_from(PAGINATIONS[revision]), "pagination"),
        prefetch=data.draw(st.integers(0, 8), "prefetch"),
    )
    start = ((options.page or 1) - 1) * (options.per_page or 100)
    assert got == service.matching(**known)[start:]


@given(
    revision=st.sampled_from(REVISIONS),
    contexts=st.integers(0, 300),
    per_page=st.integers(1, 100) | st.none(),
    fixed=st.booleans(),
)
def test_walk__number_of_requests(
    revision: Revision, contexts: int, per_page: int | None, *, fixed: bool
) -> None:
    """A walk costs one request a page, and at most one to negotiate."""
    service = Service(contexts, revision)
    fixed = fixed or revision == "older"
    endpoint = endpoint_of(service, FIXED[revision] if fixed else "auto")
    pages = max(1, ceil(contexts / (per_page or 100)))
    negotiating = revision == "offset" and not fixed and per_page != 50
    for walked in (1, 2):
        got = [*each_id(walk_of(endpoint.page, Options(per_page=per_page)))]
        assert got == service.ids
        assert len(service.queries) == walked * pages + negotiating


@given(st.sampled_from(REVISIONS), st.integers(0, 100), st.integers(1, 8))
def test_walk__number_of_requests_ahead(
    revision: Revision, contexts: int, prefetch: int
) -> None:
    """Reading ahead costs at most prefetch - 1 requests behind the last page."""
    service = Service(contexts, revision)
    walk = walk_of(
        service, Options(per_page=7), pagination=FIXED[revision], prefetch=prefetch
    )
    assert ids_of(walk.contexts()) == service.ids
    pages = max(1, ceil(contexts / 7))
    assert pages <= len(service.queries) <= pages + prefetch - 1
    assert Counter(map(str, service.queries)).most_common(1)[0][1] == 1


@pytest.mark.parametrize("prefetch", [0, 3])
@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("killed", range(1, 7))
def test_walk__killed_at_each_page(
    killed: int, revision: Revision, prefetch: int
) -> None:
    """An error at any page carries the options that give the rest, exactly."""
    service = Service(55, revision)
    fetch = endpoint_of(service, FIXED[revision]).page

    def failing(options: Options, watch: Watch) -> ExecutionContextListResponse:
        if options.page == killed:
            raise ServerError(503, "killed")
        return fetch(options, watch)

    walk = walk_of(failing, Options(per_page=10), prefetch=prefetch)
    got, error = until_error(walk)
    assert got == service.ids[: 10 * (killed - 1)]
    assert isinstance(error, ServerError)
    rest = walk_of(fetch, travelled(error), prefetch=prefetch)
    assert [*got, *each_id(rest)] == service.ids


def test_walk__left_early() -> None:
    """Five contexts of 250 cost one request; and none is sent before the first."""
    service = Service(250)
    walk = walk_of(service).contexts()
    assert service.queries == []
    assert [next(walk).id for _ in range(5)] == service.ids[:5]
    walk.close()
    assert len(service.queries) == 1


def test_walk__pages() -> None:
    """Pages and contexts are one walk, in two cuts."""
    service = Service(250)
    pages = [*walk_of(service).pages()]
    assert [len(page) for page in pages] == [100, 100, 50]
    assert [page.has_more for page in pages] == [True, True, False]
    assert ids_of(context for page in pages for context in page) == service.ids


@pytest.mark.parametrize("revision", ["page", "offset"])
def test_walk__a_filter_that_is_ignored(revision: Revision) -> None:
    """It is an error with nothing given, and the walk may be taken up elsewhere."""
    unknown = set(FILTERS["page"] + FILTERS["offset"]) - set(FILTERS[revision])
    for name in unknown:
        asked: dict[str, Any] = {name: "x"}
        with pytest.raises(PaginationError, match=f"the filter {name}=") as caught:
            next(walk_of(Service(revision=revision), Options(**asked)).contexts())
        assert caught.value.resume == Options(page=1, per_page=100, **asked)


def test_walk__twelve_threads() -> None:
    """Twelve threads walk on one endpoint at once, and each gets the exact list."""
    service = Service(250, "offset")
    endpoint = endpoint_of(service)
    start = threading.Barrier(12)

    def one(prefetch: int) -> list[str | None]:
        start.wait(PATIENCE)
        return ids_of(
            walk_of(endpoint.page, Options(per_page=25), prefetch=prefetch).contexts()
        )

    with ThreadPoolExecutor(12) as pool:
        lists = [*pool.map(one, [0, 0, 0, 0, 1, 1, 2, 2, 4, 4, 8, 8])]
    assert lists == [service.ids] * 12
    assert sum("page" in query for query in service.queries) == 1


# A list that moves


@settings(max_examples=200)
@given(st.data(), st.sampled_from(REVISIONS), st.integers(0, 40), st.integers(1, 7))
def test_walk__any_moving_list(
    data: st.DataObject, revision: Revision, contexts: int, per_page: int
) -> None:
    """
    What keeps its place is given, and nothing twice; or there is an error.

    It may be missed only if it moves to the top before its turn, if it is deleted, or
    if a deletion among what was read before pulls it over the border of a page; and
    each such move hides one context at the most.
    """
    service = Service(contexts, revision)
    service.moves.update(data.draw(moves("add", "touch", "delete"), "moves"))
    start = service.ids
    walk = walk_of(service, Options(per_page=per_page), pagination=FIXED[revision])
    try:
        got = read(service, walk)
    except PaginationError:
        reject()
    assert len(got) == len(set(got))
    missed = set(start) & set(service.ids) - set(got)
    assert missed <= service.at_risk
    assert len(missed) <= service.risks


@settings(max_examples=200)
@given(st.data(), st.sampled_from(REVISIONS), st.integers(1, 30), st.integers(1, 6))
def test_walk__a_growing_list(
    data: st.DataObject, revision: Revision, contexts: int, per_page: int
) -> None:
    """Where less than a page is added between requests, all is given and no error."""
    service = Service(contexts, revision)
    service.moves.update(
        data.draw(moves("add", requests=60, at_once=per_page - 1), "moves")
    )
    start = service.ids
    walk = walk_of(service, Options(per_page=per_page), pagination=FIXED[revision])
    assert read(service, walk) == start


@given(
    st.integers(1, 6),
    st.integers(2, 9),
    st.integers(0, 60),
    st.sampled_from([0, 1, 4]),
)
def test_walk__much_added_at_once(
    per_page: int, when: int, added: int, prefetch: int
) -> None:
    """However much is added while the reader is slow, what was there is given."""
    service = Service(30)
    start = service.ids
    got: list[str | None] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_readahead, "_fetch_in_thread", fetch_at_once)
        pages = walk_of(service, Options(per_page=per_page), prefetch=prefetch).pages()
        for number, page in enumerate(pages, start=2):
            got += ids_of(page)
            if number == when:
                service.apply(*[Move("add")] * added)
    assert len(got) == len(set(got))
    assert [context for context in got if context in start] == start


def fetch_at_once(fetch: FetchPage, number: int) -> Page:
    """Stand in for threads that have all the time they need."""
    page: Page = Page()
    _readahead._fulfil(page, fetch, number)
    return page


@settings(max_examples=200)
@given(
    st.data(),
    st.sampled_from(["page", "offset"]),
    st.integers(0, 40),
    st.integers(1, 7),
    st.integers(1, 8),
)
def test_walk__a_moving_list_read_ahead(
    data: st.DataObject,
    revision: Revision,
    contexts: int,
    per_page: int,
    prefetch: int,
) -> None:
    """
    The same holds with read-ahead, in whatever order the answers were made.

    That is, where no more comes to the top during the walk than fits on two pages.
    """
    service = Service(contexts, revision)
    drawn = data.draw(moves("add", "touch"), "moves")
    assume(sum(map(len, drawn.values())) < 2 * per_page)
    service.moves.update(drawn)
    start = service.ids
    walk = walk_of(service, Options(per_page=per_page), prefetch=prefetch)
    scheduler = Scheduler(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_readahead, "_fetch_in_thread", scheduler.fetch_in_thread)
        try:
            got = read(service, walk)
        except PaginationError:
            reject()
    assert len(got) == len(set(got))
    assert set(start) - set(got) <= service.at_risk


@settings(max_examples=200)
@given(st.data(), st.integers(0, 40), st.integers(1, 7), st.integers(1, 8))
def test_walk__any_moving_list_in_real_threads(
    data: st.DataObject, contexts: int, per_page: int, prefetch: int
) -> None:
    """Whatever moves and whatever fails: nothing twice, and all where nothing does."""
    service = Service(contexts, "offset")
    start = service.ids
    service.moves.update(data.draw(moves("add", "touch", "delete"), "moves"))
    service.faults = data.draw(st.dictionaries(st.integers(1, 12), FAULTS), "faults")
    walk = walk_of(service, Options(per_page=per_page), prefetch=prefetch)
    got: list[str | None] = []
    with contextlib.suppress(WachtError):
        got.extend(each_id(walk))
    assert len(got) == len(set(got))
    assert any(service.moves.values()) or service.faults or got == start


def test_walk__a_shift_in_flight() -> None:
    """
    A context that slipped between two answers is not lost.

    Page 3 was answered before a context was added, and page 2 after: what went from
    page 2 to page 3 meanwhile is on neither.
    """
    service = Service(6)
    fetch = endpoint_of(service, "page").page
    third_is_there = threading.Event()
    requests: list[int | None] = []

    def out_of_order(options: Options, watch: Watch) -> ExecutionContextListResponse:
        requests.append(options.page)
        if options.page == 2:
            assert third_is_there.wait(PATIENCE)
            service.apply(Move("add"))
        page = fetch(options, watch)
        if options.page == 3:
            third_is_there.set()
        return page

    walk = walk_of(out_of_order, Options(per_page=2), prefetch=2)
    assert ids_of(walk.contexts()) == service.ids[1:]
    assert sorted(map(str, requests)) == ["1", "2", "3", "3", "4"]


def test_walk__duplicates_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """One INFO line at the end says how many repeats were dropped."""
    service = Service(6)
    service.moves.update({2: [Move("add")], 3: [Move("add")]})
    with caplog.at_level(logging.INFO, "wacht"):
        assert [*each_id(walk_of(service, Options(per_page=2)))] == [*service.ids[2:]]
    assert [record.getMessage() for record in caplog.records] == [
        "dropped 2 repeats during the walk"
    ]


def test_walk__no_duplicates(caplog: pytest.LogCaptureFixture) -> None:
    """A walk without repeats says nothing."""
    with caplog.at_level(logging.INFO, "wacht"):
        assert len([*walk_of(Service(6), Options(per_page=2)).contexts()]) == 6
    assert caplog.records == []


# A service that leads nowhere


@pytest.mark.parametrize("prefetch", [0, 4])
@pytest.mark.parametrize("per_page", [None, 20, 50])
def test_walk__the_older_build(per_page: int | None, prefetch: int) -> None:
    """A `page` that is ignored is noticed; the rest is to be had by offset."""
    service = Service(250, "older")
    walk = walk_of(service, Options(per_page=per_page), prefetch=prefetch)
    got, error = until_error(walk)
    assert got == service.ids[:50]
    assert isinstance(error, PaginationError)
    assert "pagination='offset'" in str(error)
    assert len(service.queries) <= 4 + max(0, prefetch - 1)
    rest = walk_of(service, travelled(error), pagination="offset")
    assert [*got, *each_id(rest)] == service.ids


def test_walk__the_older_build_on_a_busy_list() -> None:
    """It is noticed as well where each answer has something new at its top."""
    service = Service(250, "older")
    start = service.ids
    service.moves.update({number: [Move("add")] * 5 for number in range(2, 99)})
    got, error = until_error(walk_of(service))
    assert "pagination='offset'" in str(error)
    assert len(service.queries) == 4
    service.moves.clear()
    rest = walk_of(service, travelled(error), pagination="offset")
    assert {*start} <= {*got, *each_id(rest)}


def test_walk__by_offset_where_it_is_by_page() -> None:
    """An `offset` that is ignored is noticed too; `resume` knows the page's size."""
    service = Service(250)
    got, error = until_error(walk_of(service, pagination="offset"))
    assert got == service.ids[:20]
    assert "leave it out if you passed it" in str(error)
    assert [*got, *each_id(walk_of(service, travelled(error)))] == service.ids


@given(
    st.lists(st.lists(st.integers(0, 9), max_size=3), min_size=1, max_size=5),
    st.integers(0, 8),
)
def test_walk__any_circle(pages: list[list[int]], prefetch: int) -> None:
    """A circle of pages, empty ones among them, ends in an error before long."""
    asked: list[int] = []

    def fetch(options: Options, watch: Watch) -> ExecutionContextListResponse:
        watch.remaining()
        number = options.page or 1
        asked.append(number)
        ids = pages[(number - 1) % len(pages)]
        contexts = [AiExecutionContext(id=str(i)) for i in ids]
        return ExecutionContextListResponse(contexts, has_more=True)

    got, error = until_error(walk_of(fetch, prefetch=prefetch))
    assert isinstance(error, PaginationError)
    assert "led nowhere" in str(error)
    all_ids = [*dict.fromkeys(str(i) for ids in pages for i in ids)]
    assert got == all_ids[: len(got)]
    assert max(asked) <= max(4 * len(pages), 4) + prefetch
    assert error.resume is not None


@pytest.mark.parametrize("stale", ["the page before", "an empty one"])
def test_walk__resume_behind_pages_that_led_nowhere(stale: str) -> None:
    """What came for a while in place of some pages does not stand for them."""
    service = Service(600)
    fetch = endpoint_of(service).page

    def forgetful(options: Options, watch: Watch) -> ExecutionContextListResponse:
        if (options.page or 1) <= 2:
            return fetch(options, watch)
        if stale == "an empty one":
            return ExecutionContextListResponse([], has_more=True)
        return fetch(evolve(options, page=2), watch)

    got, error = until_error(walk_of(forgetful))
    assert isinstance(error, PaginationError)
    assert error.resume == Options(page=3, per_page=100)
    assert [*got, *each_id(walk_of(service, travelled(error)))] == service.ids


def test_walk__resume_behind_empty_pages() -> None:
    """Pages that came empty for a while, after one only, are asked for again."""
    service = Service(300)
    fetch = endpoint_of(service).page

    def empty(options: Options, watch: Watch) -> ExecutionContextListResponse:
        if options.page == 2:
            return fetch(options, watch)
        return ExecutionContextListResponse([], has_more=True)

    got, error = until_error(walk_of(empty, Options(page=2)))
    assert error.resume == Options(page=3, per_page=100)
    assert [*got, *each_id(walk_of(service, travelled(error)))] == service.ids[100:]


def test_walk__resume_behind_repeats() -> None:
    """Pages that came over again, before another error, count as read."""
    pages = ["abcd", "ab", "abc"]

    def fetch(options: Options, watch: Watch) -> ExecutionContextListResponse:
        watch.remaining()
        if (options.page or 1) > len(pages):
            raise RequestError("no whole answer")
        contexts = [AiExecutionContext(id=i) for i in pages[(options.page or 1) - 1]]
        return ExecutionContextListResponse(contexts, has_more=True)

    got, error = until_error(walk_of(fetch))
    assert got == [*"abcd"]
    assert error.resume == Options(page=4, per_page=100)


def test_walk__resume_at_a_page_with_news_that_led_nowhere() -> None:
    """What was new on the last page was not given out: the next walk starts there."""
    pages = ["ab", "cd", "eb", "fb", "gb"]

    def fetch(options: Options, watch: Watch) -> ExecutionContextListResponse:
        watch.remaining()
        contexts = [AiExecutionContext(id=i) for i in pages[(options.page or 1) - 1]]
        return ExecutionContextListResponse(contexts, has_more=True)

    got, error = until_error(walk_of(fetch))
    assert got == [*"abcdef"]
    assert error.resume == Options(page=5, per_page=100)


def test_walk__resume_behind_a_filter_error() -> None:
    """An error of the second page does not pass for a circle."""
    fetch = endpoint_of(Service(250)).page

    def ignoring(options: Options, watch: Watch) -> ExecutionContextListResponse:
        if options.page == 2:
            raise PaginationError("the service ignored the filter")
        return fetch(options, watch)

    _, error = until_error(walk_of(ignoring, Options(per_page=30)))
    assert error.resume == Options(page=2, per_page=30)


def test_walk__a_large_first_page_again() -> None:
    """Where the service's own page has more than can be asked for, nothing is lost."""
    page = ExecutionContextListResponse(
        [AiExecutionContext(id=str(number)) for number in range(150)], has_more=True
    )
    for asked in (Options(), Options(page=1)):
        _, error = until_error(walk_of(lambda _options, _watch: page, asked))
        assert error.resume == Options(page=2, per_page=100)


def test_walk__first_page_in_place_of_a_later_one() -> None:
    """Where it began elsewhere than asked, a next walk begins where it was asked to."""
    page = ExecutionContextListResponse([AiExecutionContext(id="1")], has_more=True)
    for number in (2, 4):
        asked = Options(page=number, per_page=50)
        _, error = until_error(walk_of(lambda _options, _watch: page, asked))
        assert error.resume == asked


# Deadline, progress, and leaving


class Hourglass:
    """A clock that goes on by what is waited, and by what a test says."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def turn(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Hourglass:
    clock = Hourglass()
    watch = partial(Watch, clock=clock, sleep=clock.turn)
    monkeypatch.setattr(_paging, "Watch", watch)
    return clock


@pytest.mark.parametrize("prefetch", [0, 2])
def test_deadline__a_slow_reader(clock: Hourglass, prefetch: int) -> None:
    """The deadline is for the whole walk, with what the reader does in between."""
    walk, sizes = walk_of(Service(250), prefetch=prefetch, deadline=10), []

    def read_slowly() -> None:
        for page in walk.pages():
            sizes.append(len(page))
            clock.turn(6)

    with pytest.raises(DeadlineExceededError, match="10 s passed") as caught:
        read_slowly()
    assert sizes == [100, 100]
    assert caught.value.resume == Options(page=3, per_page=100)
    assert isinstance(caught.value, TimeoutError)


def test_deadline__starts_with_the_walk(clock: Hourglass) -> None:
    """What goes by before the first page is asked for does not count."""
    walk = walk_of(Service(50), deadline=10).contexts()
    clock.turn(60)
    assert len([*walk]) == 50


def test_deadline__includes_waits(clock: Hourglass) -> None:
    """A wait that the deadline does not allow is not begun."""
    fetch = endpoint_of(Service(250)).page

    def waiting(options: Options, watch: Watch) -> ExecutionContextListResponse:
        watch.wait(4, "rate limit", "attempt 1 of 6")
        return fetch(options, watch)

    got, error = until_error(walk_of(waiting, deadline=10))
    assert len(got) == 200
    assert clock.now == 8
    assert isinstance(error, DeadlineExceededError)
    assert "would pass during a wait of 4.0 s: rate limit" in str(error)
    assert error.resume == Options(page=3, per_page=100)


@pytest.mark.usefixtures("clock")
def test_progress__pages_and_waits() -> None:
    """Who asks is told after each page, and before each wait of a second or more."""
    service = Service(250)
    service.moves[3] = [Move("add")]
    fetch = endpoint_of(service).page

    def waiting(options: Options, watch: Watch) -> ExecutionContextListResponse:
        watch.wait(0.5, "rate limit", "attempt 1 of 6")
        if options.page == 2:
            watch.count_request(1)
            watch.wait(42, "rate limit (429)", "attempt 2 of 6")
            watch.count_request(2)
        return fetch(options, watch)

    told: list[WalkProgress] = []
    for _ in walk_of(waiting, report=told.append).contexts():
        pass
    assert told == [
        WalkProgress(pages=1, contexts=100, requests=1, waited=0.5),
        WalkProgress(
            pages=1,
            contexts=100,
            requests=2,
            waited=1.0,
            waiting=42,
            reason="rate limit (429)",
        ),
        WalkProgress(pages=2, contexts=200, requests=4, retries=1, waited=43.0),
        WalkProgress(
            pages=3,
            contexts=250,
            duplicates=1,
            requests=5,
            retries=1,
            waited=43.5,
            complete=True,
        ),
    ]


def test_progress__told_before_the_page_is_given() -> None:
    """The reader of a page knows what was told of it."""
    told: list[WalkProgress] = []
    for number, _page in enumerate(walk_of(Service(250), report=told.append).pages()):
        assert len(told) == number + 1


def test_progress__that_raises() -> None:
    """What a caller's function raises comes out of the walk as it is."""

    def report(_progress: WalkProgress) -> None:
        raise ZeroDivisionError

    walk = walk_of(Service(250), report=report).contexts()
    with pytest.raises(ZeroDivisionError):
        next(walk)
    assert [*walk] == []


def test_progress__off() -> None:
    """Where nobody asks, nothing is reckoned."""
    walk = walk_of(Service(250))
    assert len([*walk.contexts()]) == 250
    assert walk._progress == WalkProgress()


def settle() -> None:
    """Wait until no thread of read-ahead is left."""
    for thread in threading.enumerate():
        if thread.name.startswith("wacht page"):
            thread.join(PATIENCE)


class Stalled:
    """A first page, and behind it pages that come only when they are released."""

    def __init__(self) -> None:
        self.watches: list[Watch] = []
        self.arrivals = threading.Semaphore(0)
        self.release = threading.Event()
        self.ends: list[BaseException | None] = []

    def __call__(self, options: Options, watch: Watch) -> ExecutionContextListResponse:
        number = options.page or 1
        self.watches.append(watch)
        if number > 1:
            self.arrivals.release()
            assert self.release.wait(PATIENCE)
            watch.remaining()  # as before each further attempt
        contexts = [AiExecutionContext(id=f"{number}.{i}") for i in range(3)]
        return ExecutionContextListResponse(contexts, has_more=True)


@pytest.fixture
def stalled() -> Iterator[Stalled]:
    stalled = Stalled()
    yield stalled
    stalled.release.set()
    settle()


def leave_by_break(walk: Walk) -> None:
    for _ in walk.contexts():
        break


def leave_by_error(walk: Walk) -> None:
    with contextlib.suppress(ZeroDivisionError):
        for _ in walk.contexts():
            raise ZeroDivisionError


def leave_by_close(walk: Walk) -> None:
    contexts = walk.contexts()
    next(contexts)
    contexts.close()


def leave_by_throw(walk: Walk) -> BaseException:
    contexts = walk.contexts()
    next(contexts)
    with pytest.raises(ZeroDivisionError) as caught:
        contexts.throw(ZeroDivisionError())
    return caught.value  # which holds the frames


def leave_as_garbage(walk: Walk) -> None:
    next(walk.contexts())


def leave_pages(walk: Walk) -> None:
    next(walk.pages())


@pytest.mark.parametrize(
    "leave",
    [
        leave_by_break,
        leave_by_error,
        leave_by_close,
        leave_by_throw,
        leave_as_garbage,
        leave_pages,
    ],
)
def test_leaving__stops_read_ahead(stalled: Stalled, leave: Any) -> None:
    """Whichever way the loop is left, it is left at once, and no work goes on."""
    _left = leave(walk_of(stalled, prefetch=3))
    for _ in range(3):
        assert stalled.arrivals.acquire(timeout=PATIENCE)
    assert all(watch.stopped.is_set() for watch in stalled.watches)
    with pytest.raises(StoppedError):
        stalled.watches[0].remaining()
    stalled.release.set()
    settle()
    assert len(stalled.watches) == 4


def test_leaving__ends_a_wait(stalled: Stalled) -> None:
    """A thread that waits, for a rate limit or a retry, hears that nobody needs it."""
    ended = threading.Event()

    def waiting(options: Options, watch: Watch) -> ExecutionContextListResponse:
        if options.page == 1:
            return stalled(options, watch)
        stalled.arrivals.release()
        try:
            watch.wait(600, "rate limit", "attempt 2 of 6")
        finally:
            ended.set()
        raise AssertionError

    contexts = walk_of(waiting, prefetch=1).contexts()
    next(contexts)
    assert stalled.arrivals.acquire(timeout=PATIENCE)
    contexts.close()
    assert ended.wait(PATIENCE)


@pytest.mark.parametrize("prefetch", [0, 3])
@pytest.mark.parametrize("end", ["complete", "left", "error"])
def test_memory__no_reference_cycle(end: str, prefetch: int) -> None:
    """Once a walk is over, nothing but its user holds what it walked on."""
    service = Service(250)
    fetch = endpoint_of(service).page

    class Holder:
        def page(self, options: Options, watch: Watch) -> ExecutionContextListResponse:
            if end == "error" and options.page == 2:
                raise RequestError("refused")
            return fetch(options, watch)

    def report(_progress: WalkProgress, _holder: Holder) -> None: ...

    holder = Holder()
    reference = weakref.ref(holder)
    gc.disable()
    try:
        told = partial(report, _holder=holder)
        contexts = walk_of(holder.page, prefetch=prefetch, report=told).contexts()
        with contextlib.suppress(RequestError):
            assert next(contexts)
            assert end == "left" or len([*contexts]) == 249
        settle()
        del contexts, holder, told
        assert reference() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("prefetch", [0, 2])
def test_memory__one_page_at_a_time(prefetch: int) -> None:
    """What was given is not kept: of a walk's 40 MB, few are held at once."""

    def fetch(options: Options, watch: Watch) -> ExecutionContextListResponse:
        number = options.page or 1
        contexts = [
            AiExecutionContext(id=f"{number}.{i}", context="x" * 4096 + str(i))
            for i in range(100)
        ]
        return ExecutionContextListResponse(contexts, has_more=number < 100)

    walk = walk_of(fetch, prefetch=prefetch)
    tracemalloc.start()
    try:
        assert sum(1 for _ in walk.contexts()) == 10_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2**20
