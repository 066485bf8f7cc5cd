"""What is listed of a walk, and how to go on where a listing broke."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from wacht import (
    AiExecutionContext,
    ExecutionContextListResponse,
    ListExecutionContextsOptions,
    WachtError,
)
from wacht.cli import listing as listing_module
from wacht.cli.commands import wacht as command
from wacht.cli.listing import Listing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def listing_of(*arguments: str) -> Listing:
    list_ = command.commands["list"]
    return Listing(list_.make_context("list", [*arguments]).params)


def listed(
    pages: Iterable[ExecutionContextListResponse], *arguments: str
) -> tuple[Listing, list[str]]:
    file = io.StringIO()
    listing = listing_of("--format", "jsonl", *arguments)
    listing.write(pages, file)
    return listing, [json.loads(line)["id"] for line in file.getvalue().splitlines()]


def walk(sizes: list[int], asked: list[int]) -> Iterator[ExecutionContextListResponse]:
    ids = iter(range(sum(sizes)))
    for number, size in enumerate(sizes):
        asked.append(number)
        data = [AiExecutionContext(id=str(next(ids))) for _ in range(size)]
        resume = ListExecutionContextsOptions(page=4, per_page=50)
        yield ExecutionContextListResponse(data, has_more=True, resume=resume)


@given(st.lists(st.integers(0, 4)), st.none() | st.integers(1, 12))
def test_listing__limit(sizes: list[int], limit: int | None) -> None:
    asked: list[int] = []
    options = [f"--limit={limit}"] if limit else []
    listing, ids = listed(walk(sizes, asked), *options)
    assert ids == [str(number) for number in range(sum(sizes))][:limit]
    assert listing.count == len(ids)
    assert sum(sizes[: len(asked) - 1]) < (limit or 1_000)


def test_listing__since() -> None:
    hour = timedelta(hours=1)
    times = {"a": NOON - hour, "b": NOON, "c": None, "d": NOON + hour}
    data = [AiExecutionContext(id=id_, created_at=at) for id_, at in times.items()]
    pages = [ExecutionContextListResponse(data, has_more=False)]
    listing, ids = listed(pages, "--since", "2026-03-01T12:00:00Z")
    assert ids == ["b", "d"]
    assert listing.count == 2


def test_listing__nested_too_deep() -> None:
    """Threads that read ahead can decode what the one that writes can't encode."""
    deep: Any = reduce(lambda inner, _: [inner], range(100_000), [])
    data = [AiExecutionContext(context=deep)]
    with pytest.raises(WachtError, match="nested too deep to be written"):
        listed([ExecutionContextListResponse(data, has_more=False)])


@pytest.mark.parametrize(
    ("sizes", "arguments", "notes"),
    [
        ([], [], []),
        ([1], [], ["1 context listed before that; a listing with --output can go on"]),
        ([1], ["--output=f"], ["nothing was written to f"]),
    ],
)
def test_notes__how_far_it_came(
    sizes: list[int], arguments: list[str], notes: list[str]
) -> None:
    listing, _ = listed(walk(sizes, []), *arguments)
    assert list(listing.notes()) == notes


def identity(*arguments: str) -> str:
    return listing_of("--since=2d", *arguments)._identity()


def test_identity__of_service_and_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version may write other columns."""
    seen = [identity()]
    for name in ("WACHT_API_KEY", "WACHT_BASE_URL"):
        monkeypatch.setenv(name, "other")
        seen.append(identity())
    monkeypatch.setattr(listing_module, "__version__", "0.0")
    assert len({*seen, identity()}) == 4


def test_identity__of_the_command() -> None:
    """An age is compared, not the time that it means today."""
    assert identity("--prefetch=2", "--deadline=3", "--verbose") == identity()
    for arguments in (["--since=49h"], ["--limit=9"], ["--no-escape"]):
        assert identity(*arguments) != identity()
