"""Both revisions: windows written as queries, and answers checked against them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from attrs import evolve
from hypothesis import example, given, strategies as st

import wacht
from tests import strategies
from tests.strategies import Agents, Sizes
from wacht import AiExecutionContext, ListExecutionContextsOptions
from wacht._contexts import FILTERS, MAX_PAGE
from wacht._protocol.answers import PageResponse
from wacht._protocol.revisions import (
    OffsetRevision,
    PageRevision,
    Revision,
    filters_of,
    write_query,
)
from wacht._protocol.windows import Batch, Window, window_of
from wacht.models import OPTION_NAMES

PAGE, ECHOING, SILENT = PageRevision(), OffsetRevision(), OffsetRevision(echoes=False)
WINDOW = Window(200, 100)


def options(**fields: Any) -> ListExecutionContextsOptions:
    return ListExecutionContextsOptions(**fields)


def answer(*contexts: dict[str, Any], applied: Window | None = None) -> PageResponse:
    return PageResponse([AiExecutionContext(**c) for c in contexts], True, applied)  # noqa: FBT003


def read(revision: Revision, answered: PageResponse, **filters: Any) -> Batch:
    return revision.read(answered, WINDOW, options(**filters))


def test_window__of_page_and_per_page() -> None:
    assert window_of(options(), 20) == Window(0, 20)
    assert window_of(options(page=3), 20) == Window(40, 20)
    assert window_of(options(page=3, per_page=7), 20) == Window(14, 7)


def test_query__of_each_revision() -> None:
    query = write_query(PAGE.query(Window(14, 7)), options())
    assert query == {"page": "3", "per_page": "7"}
    assert ECHOING.query(Window(14, 7)) == {"limit": 7, "offset": 14}


def test_query__has_the_values_of_enums() -> None:
    given = options(per_page=Sizes.SMALL, agent_id=Agents.FIRST)
    query = write_query({"limit": window_of(given, 20).limit}, given)
    assert query == {"limit": "7", "agent_id": "agent_123"}
    assert {type(value) for value in query.values()} == {str}


@given(strategies.options())
@example(options(agent_id="a&b=c#d?e/f%20+ü \x00\n;"))
@example(options(page=MAX_PAGE, per_page=100))
def test_query__arrives_as_the_caller_wrote_it(given_: Any) -> None:
    query = write_query({}, given_)
    assert query == filters_of(given_)
    read_back = parse_qs(urlencode(query), keep_blank_values=True, errors="strict")
    assert read_back == {name: [value] for name, value in query.items()}


@given(st.integers(0, 10**6), st.integers(1, 100), st.integers(1, 100))
def test_page_windows__are_pages(offset: int, limit: int, most: int) -> None:
    """The page revision can only express windows that begin at a multiple of limit."""
    window = PAGE.window_at(Window(offset, min(limit, most)), most)
    assert window.offset % window.limit == 0
    assert window.offset <= offset < window.end
    assert window.limit <= most


def test_page_windows__cover_what_is_asked_for() -> None:
    assert PAGE.window_at(Window(200, 100)) == Window(200, 100)
    assert PAGE.window_at(Window(199, 2)) == Window(198, 3)
    assert PAGE.window_at(Window(101, 99)) == Window(100, 100)
    assert PAGE.window_at(Window(50, 100)) == Window(50, 50)  # none covers it
    assert ECHOING.window_at(Window(199, 2)) == Window(199, 2)


def test_page_revision__takes_the_page_asked_for() -> None:
    run = read(PAGE, answer({"id": "1"}))
    assert (run.window, run.has_more) == (WINDOW, True)
    assert run.contexts == [AiExecutionContext(id="1")]
    assert read(PAGE, answer(applied=WINDOW)).window == WINDOW
    with pytest.raises(wacht.PaginationError) as caught:
        read(PAGE, answer(applied=Window(0, 50)))
    assert str(caught.value) == (
        "asked for limit=100, offset=200, the service applied limit=50, offset=0, as "
        'the offset revision does: use pagination "offset" or "auto"'
    )


def test_offset_revision__believes_the_limit_that_is_echoed() -> None:
    """A shorter answer leaves out contexts; without an echo, it shows the limit."""
    run = read(ECHOING, answer({"id": "1"}, applied=Window(200, 50)))
    assert (run.window, run.has_more) == (Window(200, 50), True)
    assert run.contexts == [AiExecutionContext(id="1")]
    assert read(ECHOING, answer(applied=WINDOW)).window == WINDOW
    assert read(SILENT, answer({"id": "1"})).window == Window(200, 1)
    last = evolve(answer({"id": "1"}, applied=WINDOW), has_more=False)
    assert read(ECHOING, last).window == WINDOW  # the list ends, that's no limit


def test_filters__are_all_options_but_the_page() -> None:
    assert [*OPTION_NAMES] == ["page", "per_page", *FILTERS]


def test_offset_revision__must_have_applied_the_offset() -> None:
    with pytest.raises(wacht.PaginationError, match="applied limit=100, offset=0"):
        read(ECHOING, answer(applied=Window(0, 100)))
    with pytest.raises(wacht.PaginationError, match=r"no longer says .* List from"):
        read(ECHOING, answer())


@pytest.mark.parametrize(
    ("revision", "name"),
    [(revision, f) for revision in (PAGE, ECHOING) for f in revision.filters],
)
def test_filter__that_was_ignored(revision: Revision, name: str) -> None:
    """Another's contexts are an error; it doesn't show the value: it may be the key."""
    applied = WINDOW if revision is ECHOING else None
    wanted, other = {name: "b"}, {name: "B"}
    read(revision, answer(wanted, {}, applied=applied), **wanted)
    with pytest.raises(wacht.PaginationError) as caught:
        read(revision, answer(wanted, other, applied=applied), **wanted)
    assert str(caught.value) == (
        f"the service ignored the filter {name}='b': data[1].{name} is another"
    )


def test_filter__without_an_echo_must_show() -> None:
    """A service that may be of the page revision must give the field."""
    with pytest.raises(wacht.PaginationError, match=r"data\[1\].status is missing"):
        read(SILENT, answer({"status": "failed"}, {}), status="failed")


def test_filter__that_an_older_build_lacks() -> None:
    """It looks like the page revision, but for fields which that doesn't give."""
    plain, other = {"id": "1"}, {"id": "2", "status": "idle"}
    read(PAGE, answer(plain), agent_id="a")
    with pytest.raises(wacht.PaginationError, match=r"data\[1\] is of an older build"):
        read(PAGE, answer(plain, other), agent_id="a")


@pytest.mark.parametrize(("revision", "name"), [(PAGE, "status"), (SILENT, "agent_id")])
def test_filter__that_the_revision_lacks(revision: Revision, name: str) -> None:
    wanted = {name: "x" * 10**6}
    read(revision, answer(wanted), **wanted)
    with pytest.raises(wacht.PaginationError) as caught:
        read(revision, answer(wanted, {}), **wanted)
    assert str(caught.value) == (
        f"the service ignored the filter {name}='{'x' * 78}…: it is of the "
        f"{revision.name} revision, which has no such filter; list without it"
    )
