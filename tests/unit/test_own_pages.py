"""Services and mocks with pages of their own size: all is given, at little cost."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.model import START, StandIn, walk_of
from wacht import AiExecutionContext, PaginationError
from wacht._protocol.answers import PageResponse

if TYPE_CHECKING:
    from wacht._protocol.revisions import Query

CONTEXTS = 250


class OwnPages(StandIn):
    """Pages that don't follow `per_page`; without a gap, contexts have no times."""

    def __init__(self, size: int, gap: int | None, *, has_ids: bool) -> None:
        super().__init__("page")
        self.size = size
        self.contexts = [
            AiExecutionContext(
                id=f"c{number}" if has_ids else None,
                title=str(number),
                created_at=None if gap is None else START - timedelta(gap * number),
            )
            for number in range(CONTEXTS)
        ]

    def answer(self, query: Query) -> PageResponse:
        end = int(query["page"]) * self.size
        return PageResponse(self.contexts[end - self.size : end], end < CONTEXTS, None)


@pytest.mark.parametrize("size", [3, 20, 27, 50, 99, 100])
@pytest.mark.parametrize("gap", [1, 0, None])
@pytest.mark.parametrize("has_ids", [True, False])
def test_own_pages__exhaustive(size: int, gap: int | None, *, has_ids: bool) -> None:
    """Then comes a proof, or the error that there is none."""
    service = OwnPages(size, gap, has_ids=has_ids)
    got: list[AiExecutionContext] = []
    try:
        got.extend(walk_of(service, exhaustive=True).contexts())
    except PaginationError as error:
        assert "exhaustive=False accepts that" in str(error)  # noqa: PT017 - or none
    assert got == service.contexts
    assert len(service.queries) <= -(-CONTEXTS // size) + 8
