"""Walks that go on where others broke."""

from __future__ import annotations

import pickle
from datetime import timedelta
from itertools import chain, islice
from typing import Any

import pytest
from attrs import evolve

from tests.model import (
    ACTIVITY,
    CREATED,
    KINDS,
    START,
    Kind,
    Service,
    given_by,
    given_in_parts,
    ids_of,
    known,
    once,
    travelled,
    until_error,
    walk_of,
)
from wacht import (
    InvalidRequestError,
    ListExecutionContextsOptions,
    RequestError,
    ServerError,
)
from wacht._protocol.revisions import OffsetRevision

Options = ListExecutionContextsOptions


@pytest.mark.parametrize("prefetch", [0, 4])
@pytest.mark.parametrize("exhaustive", [None, True, False])
@pytest.mark.parametrize("learned", [True, False])
@pytest.mark.parametrize("page", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_resume__at_each_request(
    *, kind: Kind, page: int, learned: bool, exhaustive: bool | None, prefetch: int
) -> None:
    if kind == "older" and not learned:
        pytest.skip('the older build needs pagination="offset"')
    walk = {"exhaustive": exhaustive, "prefetch": prefetch}
    for broken in [*([number] for number in range(1, 13)), range(2, 20, 2)]:
        service = known(kind, 55) if learned else Service(55, kind)
        service.errors = dict.fromkeys(broken, ServerError(503, "down"))
        got = given_in_parts(service, Options(page=page, per_page=10), **walk)
        assert [*got] == service.ids[(page - 1) * 10 :], broken


@pytest.mark.parametrize("fixed", [None, OffsetRevision(echoes=False)])
def test_resume__knows_the_revision(fixed: OffsetRevision | None) -> None:
    """A new session needs no request to find it out; a fixed one keeps its own."""
    service = known("offset", 55)
    service.errors[3] = RequestError("refused")
    got, error = until_error(walk_of(service, Options(per_page=10)))
    new = Service(55, "offset", revision=fixed)
    assert got + given_by(new, travelled(error)) == new.ids
    assert "offset" in new.queries[0]
    assert new.revision == (fixed or OffsetRevision())


@pytest.mark.parametrize("kind", ["page", "offset"])
@pytest.mark.parametrize("exhaustive", [True, False])
def test_resume__behind_a_limit(kind: Kind, *, exhaustive: bool) -> None:
    for limit in range(1, 13):
        service = known(kind, 12, order=CREATED if kind == "page" else ACTIVITY)
        options = Options(per_page=4)
        pages = [*walk_of(service, options, limit=limit, exhaustive=exhaustive).pages()]
        got = ids_of(chain(*pages))
        got += given_by(service, pages[-1].resume, exhaustive=exhaustive)
        assert got == service.ids


def test_resume__by_page_after_a_first_request_that_failed() -> None:
    """Nothing was given, so each page is a checkpoint as in any first walk."""
    service = known("page", 300)
    service.errors[1] = RequestError("refused")
    _, error = until_error(walk_of(service, exhaustive=True))
    *_, page, _ = walk_of(service, error.resume, exhaustive=True).pages()
    assert travelled(page).page == 3


def test_resume__with_an_earlier_time() -> None:
    """What wasn't wanted before wasn't given either."""
    service = known("offset", 250)
    since = START - timedelta(seconds=50)
    *_, last = walk_of(service, active_since=since).pages()
    got = given_by(service, last.resume, active_since=since - timedelta(seconds=99))
    assert got == service.ids[51:150]


def test_resume__holds_no_context() -> None:
    service = known("offset", 300)
    secret = "what the caller stored"
    service.contexts = [
        evolve(c, context=secret, title=secret) for c in service.contexts
    ]
    service.errors[3] = RequestError("refused")
    _, error = until_error(walk_of(service))
    assert secret.encode() not in pickle.dumps(error)
    assert len(pickle.dumps(error)) < 10_000


def test_resume__after_many_contexts_were_added() -> None:
    """The place is found in growing strides."""
    service = known("offset", 3000)
    service.errors[15] = RequestError("refused")
    got, error = until_error(walk_of(service))
    newer = known("offset", 8000, start=START + timedelta(days=1)).contexts
    service.contexts[:0] = [evolve(c, id=f"new{c.id}") for c in newer]
    sent = len(service.queries)
    rest = []
    for page in walk_of(service, travelled(error)).pages():
        rest += ids_of(page)
        if {*service.stayed} <= {*got, *rest}:
            break
    assert len(service.queries) - sent < 60
    assert len({*got, *rest}) == len(got) + len(rest)


@pytest.mark.parametrize("other", [{"status": "idle"}, {"agent_id": None}, {"page": 9}])
def test_resume__with_another_filter_is_another_list(other: Any) -> None:
    service = known("page", 55)
    service.errors[3] = RequestError("refused")
    _, error = until_error(walk_of(service, Options(agent_id="a", per_page=10)))
    resume = travelled(error)
    [name] = other
    with pytest.raises(InvalidRequestError, match=f"{name}: `resume` goes on with"):
        walk_of(service, evolve(resume, **other))
    walk_of(service, evolve(resume, agent_id="a"))
    given_by(service, evolve(resume, per_page=50))
    assert int(service.queries[-1]["per_page"]) > 10


@pytest.mark.parametrize("kind", ["page", "offset"])
@pytest.mark.parametrize("read", [5, 6])
def test_resume__finds_what_plain_pages_lost(kind: Kind, read: int) -> None:
    """Also after the last page, and where a new context stands before known ones."""
    service = known(kind, 600, order=CREATED if kind == "page" else ACTIVITY)
    service.change = once(3, lambda service: service.show(service.contexts[5:]))
    pages = [*islice(walk_of(service, exhaustive=False).pages(), read)]
    service.add()
    got = ids_of(chain(*pages))
    got += given_by(service, pages[-1].resume, exhaustive=True)
    assert {*service.ids} <= {*got}
    assert len(got) == len({*got})


@pytest.mark.parametrize("gone", [60, 450])
def test_resume__from_a_page_on_after_a_doubt(gone: int) -> None:
    """Where that page begins in the list of today is another place."""
    service = known("offset", 600, tied=150)
    pages = [*walk_of(service, Options(page=2), limit=250).pages()]
    del service.contexts[:gone]
    _, error = until_error(walk_of(service, pages[-1].resume))
    assert "may be missing" in str(error)


def test_resume__on_the_last_possible_page() -> None:
    options = Options(page=2**63 - 1, per_page=1)
    assert given_by(known("page", 3), options) == []


@pytest.mark.parametrize(("contexts", "tied"), [(400, 150), (4000, 4000)])
def test_resume__after_missing_contexts(contexts: int, tied: int) -> None:
    """On a list that has come to rest, the next walk is complete."""
    service = known("offset", contexts, tied=tied)
    service.change = lambda service: service.contexts.pop(-1)
    got, error = until_error(walk_of(service))
    assert "may be missing" in str(error)
    service.change = lambda service: None
    got += given_by(service, travelled(error))
    assert {*service.ids} <= {*got}


def test_resume__with_another_revision_ends_the_proof() -> None:
    """Its time would seem to sort the list, until contexts move."""
    by_page = known("page", 250, order=CREATED)
    first = next(walk_of(by_page, exhaustive=True).pages())
    _, error = until_error(walk_of(known("offset", 250), first.resume, exhaustive=True))
    assert "the service has changed its revision" in str(error)
    first = next(walk_of(known("offset", 250)).pages())
    [cut] = walk_of(known("page", 250), first.resume, limit=5).pages()
    assert travelled(cut).to_json() == cut.resume.to_json()  # of either, half and half


def test_resume__with_another_size_of_pages_that_the_service_caps() -> None:
    service = known("page", 300, cap=50)
    page = next(walk_of(service).pages())
    got = given_by(service, evolve(travelled(page), per_page=10))
    assert [*ids_of(page), *got] == service.ids
