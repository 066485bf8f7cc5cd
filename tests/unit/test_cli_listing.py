"""What is listed of a walk, and the command that goes on where a listing broke."""

from __future__ import annotations

import io
import json
import shlex
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from wacht import (
    AiExecutionContext,
    ExecutionContextListResponse,
    PaginationError,
    ServerError,
)
from wacht.cli.commands import wacht as command
from wacht.cli.listing import Listing, command_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import click

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def context_of(*arguments: str) -> click.Context:
    return command.commands["list"].make_context("list", [*arguments])


def listed(
    pages: Iterable[ExecutionContextListResponse], *arguments: str
) -> tuple[Listing, list[str]]:
    file = io.StringIO()
    listing = Listing(context_of("--format", "jsonl", *arguments))
    listing.write(pages, file)
    return listing, [json.loads(line)["id"] for line in file.getvalue().splitlines()]


def walk(sizes: list[int], asked: list[int]) -> Iterator[ExecutionContextListResponse]:
    ids = iter(range(sum(sizes)))
    for number, size in enumerate(sizes):
        asked.append(number)
        data = [AiExecutionContext(id=str(next(ids))) for _ in range(size)]
        yield ExecutionContextListResponse(data, has_more=True)


@given(st.lists(st.integers(0, 4)), st.none() | st.integers(1, 12))
def test_listing__limit(sizes: list[int], limit: int | None) -> None:
    asked: list[int] = []
    options = [f"--limit={limit}"] if limit else []
    listing, ids = listed(walk(sizes, asked), *options)
    assert ids == [str(number) for number in range(sum(sizes))][:limit]
    assert sum(listing.listed) == len(ids)
    assert sum(sizes[: len(asked) - 1]) < (limit or 1_000)


def test_listing__since() -> None:
    hour = timedelta(hours=1)
    times = {"a": NOON - hour, "b": NOON, "c": None, "d": NOON + hour}
    data = [AiExecutionContext(id=id_, created_at=at) for id_, at in times.items()]
    pages = [ExecutionContextListResponse(data, has_more=False)]
    listing, ids = listed(pages, "--since", "2026-03-01T12:00:00Z")
    assert ids == ["b", "d"]
    assert listing.listed == [False, True, False, True]


@pytest.mark.parametrize(
    ("arguments", "size", "again", "command"),
    [
        ([], 200, 0, "--per-page 100 --page 3 --format jsonl"),
        (["--page=2"], 100, 0, "--per-page 100 --page 3 --format jsonl"),
        (["--page=2"], 101, 1, "--per-page 100 --page 3 --format jsonl"),
        (["--per-page=10"], 11, 1, "--per-page 10 --page 2 --format jsonl"),
        (["--limit=2000"], 143, 43, "--limit 1900 --per-page 100 --page 2 --format"),
        (["--format=csv"], 1, 1, "--per-page 100 --page 1 --format csv --no-header"),
    ],
)
@pytest.mark.parametrize("error", [KeyboardInterrupt(), ServerError(500, "trouble")])
def test_notes__command(
    error: BaseException, arguments: list[str], size: int, again: int, command: str
) -> None:
    listing = Listing(context_of("--format=jsonl", *arguments))
    listing.write(walk([size], []), io.StringIO())
    count, *repeated, note = listing.notes(error)
    assert count == f"{size} context{'s' * (size != 1)} listed before that"
    assert repeated == [f"the rest begins with {again} of them again"] * bool(again)
    start = "to go on (contexts that moved may be missing): wacht list "
    assert note.startswith(f"{start}{command}")


@pytest.mark.parametrize(
    ("error", "size", "arguments", "notes"),
    [
        (KeyboardInterrupt(), 0, [], []),
        (PaginationError("in circles"), 2, [], ["2 contexts listed before that"]),
        (KeyboardInterrupt(), 1, ["--output=f"], ["nothing was written to f"]),
    ],
)
def test_notes__no_command(
    error: BaseException, size: int, arguments: list[str], notes: list[str]
) -> None:
    listing, _ = listed(walk([size], []), *arguments)
    assert list(listing.notes(error)) == notes


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
times = st.datetimes(
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-3, minutes=-30))])
)
changes = st.fixed_dictionaries(
    {},
    optional={
        "agent_id": texts,
        "status": texts | st.sampled_from(["-x", "--page", "a b", "it's"]),
        "since": times,
        "active_since": times,
        "limit": st.integers(1, 500),
        "page": st.integers(1, 500),
        "per_page": st.integers(1, 100),
        "deadline": st.floats(0.1, 1e6),
        "exhaustive": st.booleans(),
        "format": st.sampled_from(["table", "json", "jsonl", "csv"]),
        "no_header": st.just(value=True),
        "verbose": st.booleans(),
    },
)


@given(changes)
def test_command_line__means_the_same(changes: dict[str, Any]) -> None:
    ctx = context_of()
    words = shlex.split(command_line(ctx, **changes))
    assert words[:2] == ["wacht", "list"]
    assert context_of(*words[2:]).params == {**ctx.params, **changes}


def test_command_line__is_short() -> None:
    ctx = context_of("--agent-id", "a 1", "-v", "--no-exhaustive", "--limit", "7")
    assert command_line(ctx, page=3, limit=None) == (
        "wacht list --agent-id 'a 1' --no-exhaustive --page 3 --verbose"
    )
