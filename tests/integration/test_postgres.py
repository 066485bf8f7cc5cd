"""Walks through a table of PostgreSQL that changes while it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.model import given_by, until_error, walk_of
from tests.postgres import (
    CASES,
    Case,
    PostgresService,
    plain_loop,
    programs,
    running_server,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

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
@pytest.mark.parametrize("case", CASES[:-1], ids=lambda case: case.title)
def test_walk__misses_nothing_that_stayed(
    connection: Any, case: Case, prefetch: int
) -> None:
    service = PostgresService(connection, case)
    got = given_by(service, prefetch=prefetch)
    assert len(got) == len(set(got))
    assert service.stayed() <= set(got)
    if case.tied == 1 and not prefetch:
        assert service.requests <= 1.15 * len(got) / 100 + 2


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
