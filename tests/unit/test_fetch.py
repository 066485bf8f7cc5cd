"""Single pages: what is asked for, and what comes of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, example, given, strategies as st

from tests.model import KINDS, REVISIONS, TOO_SLOW, Kind, Service, ids_of
from wacht import (
    ExecutionContextListResponse,
    ListExecutionContextsOptions,
    PaginationError,
    ServerError,
)
from wacht._pagination.reader import fetch_page

Options = ListExecutionContextsOptions


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
