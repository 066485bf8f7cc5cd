"""
What is listed of a walk, and the command that goes on where a listing broke.
"""

from __future__ import annotations

import io
import shlex
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("click")
pytest.importorskip("rich")

from hypothesis import given
from hypothesis import strategies as st

from wacht import AiExecutionContext, ExecutionContextListResponse
from wacht.cli.commands import wacht as command
from wacht.cli.listing import Listing, command_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def context_of(*arguments: str) -> click.Context:
    return command.commands["list"].make_context("list", [*arguments])


def listing_of(*arguments: str) -> tuple[Listing, io.StringIO]:
    file = io.StringIO()
    params = context_of("--no-header", "--output", "unused", *arguments).params
    return Listing(params, file), file


def walk(sizes: list[int], asked: list[int]) -> Iterator[ExecutionContextListResponse]:
    ids = iter(range(sum(sizes)))
    for number, size in enumerate(sizes):
        asked.append(number)
        data = [AiExecutionContext(id=str(next(ids))) for _ in range(size)]
        yield ExecutionContextListResponse(data, has_more=True)


@given(st.lists(st.integers(0, 4)), st.none() | st.integers(1, 12))
def test_listing__limit(sizes: list[int], limit: int | None) -> None:
    """A limit lists the first contexts, and requests no page after them."""
    asked: list[int] = []
    listing, file = listing_of(*([f"--limit={limit}"] if limit else []))
    listing.write(walk(sizes, asked))
    ids = [line.split("\t")[0] for line in file.getvalue().splitlines()]
    assert ids == [str(number) for number in range(sum(sizes))][:limit]
    assert listing.listed == len(ids)
    assert listing.left == (None if limit is None else limit - len(ids))
    assert sum(sizes[: len(asked) - 1]) < (limit or 1_000)


def test_listing__since() -> None:
    """A time lists what was created then or later, not what has no time."""
    hour = timedelta(hours=1)
    times = {"a": NOON - hour, "b": NOON, "c": None, "d": NOON + hour}
    data = [AiExecutionContext(id=id_, created_at=at) for id_, at in times.items()]
    listing, file = listing_of("--since", "2026-03-01T12:00:00Z")
    listing.write([ExecutionContextListResponse(data, has_more=False)])
    assert [line[0] for line in file.getvalue().splitlines()] == ["b", "d"]
    assert (listing.received, listing.listed) == (4, 2)


def test_listing__flushes_each_page() -> None:
    """A page has reached its reader before the next is requested."""

    class File(io.StringIO):
        def flush(self) -> None:
            flushed.append(len(asked))

    asked: list[int] = []
    flushed: list[int] = []
    Listing(context_of("--format", "jsonl").params, File()).write(walk([1, 1], asked))
    assert flushed == [1, 2]


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
    """What is written for a shell has the options that it was written for."""
    ctx = context_of()
    words = shlex.split(command_line(ctx, **changes))
    assert words[:2] == ["wacht", "list"]
    assert context_of(*words[2:]).params == {**ctx.params, **changes}


def test_command_line__is_short() -> None:
    """Only options that were given, or have changed, are written."""
    ctx = context_of("--agent-id", "a 1", "-v", "--no-exhaustive", "--limit", "7")
    assert command_line(ctx, page=3, limit=None) == (
        "wacht list --agent-id 'a 1' --no-exhaustive --page 3 --verbose"
    )
