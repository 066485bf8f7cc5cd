"""
What is listed of a walk is what was asked for, and no page more is asked for.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from wacht import AiExecutionContext, ExecutionContextListResponse
from wacht._cli_list import Selection

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def walk(sizes: list[int], asked: list[int]) -> Iterator[ExecutionContextListResponse]:
    ids = iter(range(sum(sizes)))
    for number, size in enumerate(sizes):
        asked.append(number)
        data = [AiExecutionContext(id=str(next(ids))) for _ in range(size)]
        yield ExecutionContextListResponse(data, has_more=True)


@given(st.lists(st.integers(0, 4)), st.none() | st.integers(1, 12))
def test_selection__limit(sizes: list[int], limit: int | None) -> None:
    """A limit takes the first so many, and asks for no page after them."""
    asked: list[int] = []
    selection = Selection(None, limit)
    ids = [context.id for page in selection.of(walk(sizes, asked)) for context in page]
    assert ids == [str(number) for number in range(sum(sizes))][:limit]
    assert selection.listed == len(ids)
    assert selection.left == (None if limit is None else limit - len(ids))
    assert sum(sizes[: len(asked) - 1]) < (limit or 1_000)


def test_selection__since() -> None:
    """A time takes what was created then or later, not what has no time."""
    hour = timedelta(hours=1)
    times = [NOON - hour, NOON, None, NOON + hour]
    data = [AiExecutionContext(created_at=time) for time in times]
    pages = [ExecutionContextListResponse(data, has_more=False)]
    [chosen] = Selection(NOON, None).of(pages)
    assert [context.created_at for context in chosen] == [NOON, NOON + hour]


def test_selection__delivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page has left for its reader before the next is asked for."""

    class Stream:
        def flush(self) -> None:
            events.append("flush")

    def pages() -> Iterator[ExecutionContextListResponse]:
        for _ in range(2):
            events.append("ask")
            yield ExecutionContextListResponse([], has_more=True)

    events: list[str] = []
    monkeypatch.setattr("sys.stdout", Stream())
    events.extend("write" for _ in Selection(None, None).of(pages()))
    assert events == ["ask", "write", "flush"] * 2
