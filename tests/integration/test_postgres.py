"""Walks through a table of PostgreSQL that changes while it is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext, suppress
from typing import Any

import pytest

from tests.model import until_error, walk_of
from tests.postgres import (
    BY_PAGE,
    CASES,
    HARD,
    Case,
    PostgresService,
    plain_loop,
    programs,
    running_server,
)
from wacht import PaginationError

psycopg = pytest.importorskip("psycopg", reason="needs psycopg")
pytestmark = pytest.mark.skipif(programs() is None, reason="needs PostgreSQL")


@pytest.fixture(scope="module")
def connection() -> Iterator[Any]:
    with (
        running_server() as parameters,
        psycopg.connect(parameters, autocommit=True) as connection,
    ):
        yield connection


@pytest.mark.parametrize("prefetch", [0, 8])
@pytest.mark.parametrize(
    "case", [*CASES[:-1], *BY_PAGE, *HARD], ids=lambda case: case.title
)
def test_walk__misses_nothing_that_stayed(
    connection: Any, case: Case, prefetch: int
) -> None:
    service = PostgresService(connection, case)
    got: list[str | None] = []
    with suppress(PaginationError) if case.tied > 98 else nullcontext():
        walk = walk_of(service, exhaustive=True, prefetch=prefetch)
        got.extend(context.id for context in walk.contexts())
        assert service.stayed() <= set(got)
    assert len(got) == len(set(got))
    if not prefetch:
        assert service.requests <= case.most * service.least + 1


@pytest.mark.parametrize("prefetch", [0, 8])
def test_walk__says_how_many_are_missing(connection: Any, prefetch: int) -> None:
    """PostgreSQL orders equal times so that no window shows some of them."""
    service = PostgresService(connection, CASES[-1])
    got, error = until_error(walk_of(service, prefetch=prefetch))
    missing = len(service.stayed() - {*got})
    assert missing > 0
    assert f"about {missing} contexts are missing" in str(error)
    assert service.requests < 400
    # Otherwise this would prove nothing:
    assert service.stayed() - plain_loop(service)
