"""
What walks miss on a list that changes meanwhile: `python benchmarks/moving.py`.

The list is a table of a temporary PostgreSQL server, with the query of the reference
service; two contexts change after each answer. Needs PostgreSQL and psycopg.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

import psycopg

import wacht

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.model import walk_of
from tests.postgres import (
    BY_PAGE,
    CASES,
    HARD,
    Case,
    PostgresService,
    plain_loop,
    running_server,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

RUNS = 5


def with_walk(service: PostgresService, prefetch: int) -> tuple[set[str | None], bool]:
    got: set[str | None] = set()
    try:
        walk = walk_of(service, exhaustive=True, prefetch=prefetch)
        for context in walk.contexts():
            got.add(context.id)
    except wacht.PaginationError:
        return got, True
    return got, False


def measured(connection: psycopg.Connection, case: Case, prefetch: int | None) -> str:
    missed, requests, errors = [], [], 0
    for seed in range(RUNS):
        service = PostgresService(connection, case, seed)
        if prefetch is None:
            got = plain_loop(service)
        else:
            got, error = with_walk(service, prefetch)
            errors += error
        missed.append(len(service.stayed() - got))
        requests.append(service.requests)
    said = ", and says so" * (errors == RUNS) or f", {errors} errors" * (errors > 0)
    ratio = mean(requests) / service.least
    return f"{mean(missed):.0f}{said} | {mean(requests):.0f} | {ratio:.2f}"


def print_table(
    connection: psycopg.Connection, title: str, cases: Sequence[Case]
) -> None:
    counts = "requests | of the least"
    print(f"\n| {title} | plain loop | {counts} | walk | {counts} |", end="")
    print(f" walk, `prefetch=8` | {counts} |\n{'|---' * 10}|")
    for case in cases:
        cells = [measured(connection, case, n) for n in (None, 0, 8)]
        print(f"| {case.title} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    with running_server() as parameters:
        connection = psycopg.connect(parameters, autocommit=True)
        with connection:
            print_table(connection, "by offset", CASES)
            print_table(connection, "by page, `exhaustive=True`", BY_PAGE)
            print_table(connection, "by offset, harder lists", HARD)


if __name__ == "__main__":
    main()
