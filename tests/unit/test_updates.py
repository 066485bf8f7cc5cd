"""A copy brought up to date: runs, their states, and what a copy has at their end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from tests.model import ACTIVITY, CREATED, REVISIONS, START, Kind, Service, once
from tests.random_copies import keep
from tests.unit.test_checkpoint import signed
from wacht import (
    InvalidRequestError,
    ListExecutionContextsOptions,
    PaginationError,
    UpdatePage,
)
from wacht._keywords import WalkOptions
from wacht._pagination.coverage import UNDATED
from wacht._pagination.updates import Updates
from wacht.sandbox import Sandbox

REFUSED = "Begin with state=None"


def service_of(contexts: int = 250, kind: Kind = "offset", **traits: Any) -> Service:
    order = CREATED if kind == "page" else ACTIVITY
    service = Service(contexts, kind, order=order, **traits)
    service.revision, service.says_date = REVISIONS[kind], True
    return service


def updates(
    service: Any,
    state: str | None = None,
    filters: ListExecutionContextsOptions | None = None,
    **settings: Any,
) -> Iterator[UpdatePage]:
    names = ("limit", "exhaustive", "active_since", "prefetch", "deadline")
    options = WalkOptions(**(dict.fromkeys(names) | {"prefetch": 0} | settings))
    filters = filters or ListExecutionContextsOptions()
    return Updates(service, filters, options, nullcontext(), state).pages()


def last_of(service: Any, state: str | None = None, **settings: Any) -> UpdatePage:
    *_, last = updates(service, state, **settings)
    return last


@pytest.mark.parametrize("first", range(0, 150, 30))
def test_copies__are_right_after_each_complete_run(first: int) -> None:
    wrong = {seed: keep(seed) for seed in range(first, first + 30)}
    assert not {seed: problem for seed, problem in wrong.items() if problem}


@pytest.mark.parametrize(("minutes", "given"), [(1, 250), (60, 0)])
def test_run__in_which_nothing_is_new_takes_few_requests(
    minutes: int, given: int
) -> None:
    """All were touched just before the first run; nothing is on its way later."""
    service = service_of(gap=0.01)
    service.now += timedelta(minutes=minutes)
    first = last_of(service)
    asked = len(service.queries)
    pages = [*updates(service, first.state)]
    assert {context.id for page in pages for context in page} == set(
        service.ids[:given]
    )
    assert len(service.queries) - asked == (1 if minutes == 60 else 9)
    assert pages[-1].complete
    assert not pages[-1].reads_all


def test_run__reads_again_what_was_active_five_minutes_before() -> None:
    service = service_of(gap=60.0)
    pages = updates(service, last_of(service).state)
    assert [context.id for page in pages for context in page] == service.ids[:5]


def test_run__is_known_by_when_it_began() -> None:
    service = service_of()
    first, *_ = updates(service)
    second, *_ = updates(service, first.state)
    assert (second.started_at, second.reads_all) == (first.started_at, True)
    whole = last_of(service, second.state)
    assert (whole.started_at, whole.complete) == (first.started_at, True)
    following = last_of(service, whole.state)
    assert following.started_at > first.started_at
    assert not following.reads_all


def test_run__by_page_reads_everything_and_proves_it_if_asked() -> None:
    service = service_of(kind="page")
    plain = last_of(service)
    proven = last_of(service, plain.state, exhaustive=True)
    assert (plain.complete, proven.complete) == (False, True)
    again = [*updates(service, proven.state)]
    assert sum(map(len, again)) == 250
    assert again[-1].reads_all


def test_call__that_ends_gives_a_page() -> None:
    assert last_of(service_of(0)).complete


def test_position__of_another_revision_begins_a_new_run() -> None:
    first, *_ = updates(service_of())
    pages = [*updates(service_of(kind="page"), first.state)]
    assert sum(map(len, pages)) == 250
    assert pages[-1].started_at > first.started_at


def test_error__begins_the_run_anew_once() -> None:
    service = service_of()
    state = last_of(service).state
    service.queries.clear()
    service.alter = lambda it: evolve(
        it, contexts=[evolve(it.contexts[0], id=None), *it.contexts[1:]]
    )
    with pytest.raises(PaginationError, match="has no id") as error:
        last_of(service, state)
    assert error.value.resume is None
    assert [query["offset"] for query in service.queries].count("0") == 2


def test_look__that_was_broken_off_is_followed_by_a_run_that_keeps_its_place() -> None:
    """Else calls of few pages would begin the same look for ever."""
    service = service_of(1000)
    service.change = once(
        11, lambda it: [it.touch(len(it.contexts) - 1) for _ in range(600)]
    )
    state = None
    for _ in range(20):
        for number, page in enumerate(updates(service, state), 1):
            state = page.state
            if page.complete or number == 3:
                break
        if page.complete:
            break
    assert page.complete


def test_state__has_no_ids_and_stays_small() -> None:
    service = service_of(3000)
    assert max(len(page.state) for page in updates(service)) < 700


def test_state__keeps_its_floor_if_the_format_of_places_has_changed() -> None:
    service = service_of(gap=60.0)
    document = json.loads(last_of(service).state)
    document |= {"format": 99, "position": {"something": "else"}}
    assert sum(map(len, updates(service, signed(document)))) == 5


@pytest.mark.parametrize("state", ["", "{}", "null", "[1]", "x" * 99, 7, b"{}"])
def test_state__that_is_any_other_text(state: Any) -> None:
    with pytest.raises(InvalidRequestError, match=REFUSED):
        updates(service_of(), state)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("started_at", UNDATED - 1),
        ("started_at", True),
        ("floor", {"time": 10**18, "is_old": False}),
        ("floor", {"time": 0.5, "is_old": False}),
        ("position", {"begun": True, "end": -1}),
        ("revision", {"name": "other", "echoes": True}),
    ],
)
def test_state__with_numbers_that_make_no_sense(name: str, value: object) -> None:
    document = json.loads(last_of(service_of()).state) | {name: value}
    with pytest.raises(InvalidRequestError, match=REFUSED):
        updates(service_of(), signed(document))


def test_state__of_another_copy_sends_nothing() -> None:
    state = last_of(service_of()).state
    service = service_of()
    filters = ListExecutionContextsOptions(status="idle")
    with pytest.raises(InvalidRequestError, match=f"filters. {REFUSED}"):
        updates(service, state, filters=filters)
    service.service = "another digest"
    with pytest.raises(InvalidRequestError, match=f"service. {REFUSED}"):
        updates(service, state)
    assert service.queries == []


@pytest.mark.parametrize("name", ["page", "limit", "active_since"])
def test_keywords__a_copy_is_of_the_whole_list(name: str) -> None:
    keywords: Any = {name: None}
    with (
        Sandbox() as sandbox,
        sandbox.session() as session,
        pytest.raises(TypeError, match="a copy is always of the whole list"),
    ):
        session.iter_execution_context_updates(**keywords)


def test_page__is_its_contexts() -> None:
    page = next(iter(updates(service_of(3))))
    assert len(page) == len([*page]) == len(page.data) == 3
    assert "data=[3 contexts]" in repr(page)
    assert page.started_at > START
