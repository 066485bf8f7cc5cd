"""
Each context once, and an end to lists that lead nowhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import PaginationError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from .models import AiExecutionContext, ExecutionContextListResponse

STRIKES = 3  # pages that lead nowhere, before a walk gives up


class Sieve:
    """
    Let each context through once, and stop a walk that goes in circles.

    Repeats alone are no circle: where contexts were added while one reads, pages
    shift, and what has been read comes again in its old order. So a page without
    anything new counts against the service only if it is empty, or if it is an
    earlier page over again and not the one that should follow; three of these without
    anything new in between are enough. Beyond that, a walk goes no further through
    repeats than it has come before.

    Attributes:
        duplicates: How many repeats were dropped.
    """

    def __init__(self) -> None:
        self.duplicates = 0
        self._seen: set[Hashable] = set()
        self._places: dict[int, int] = {}
        self._last_place = -1
        self._strikes = 0
        self._barren = 0

    def sift(self, page: ExecutionContextListResponse) -> list[AiExecutionContext]:
        """
        Give what is new on a page; contexts without an id always are.

        Raises:
            PaginationError: The service goes in circles, or nowhere.

        """
        before = len(self._seen)
        fresh = [context for context in page.data if self._is_new(context)]
        self.duplicates += len(page.data) - len(fresh)
        self._judge(page, anything_new=len(self._seen) > before)
        return fresh

    def _is_new(self, context: AiExecutionContext) -> bool:
        if context.id is None:
            self._seen.add(("without an id", hash(str(context.to_dict()))))
            return True
        if context.id in self._seen:
            return False
        self._seen.add(context.id)
        return True

    def _judge(self, page: ExecutionContextListResponse, *, anything_new: bool) -> None:
        known_pages = len(self._places)
        content = hash(tuple(context.id for context in page.data))
        place = self._places.setdefault(content, known_pages)
        in_order = bool(page.data) and place in (self._last_place + 1, known_pages)
        self._last_place = place
        if anything_new:
            self._strikes = self._barren = 0
            return
        self._barren += 1
        self._strikes += not in_order
        too_far = self._barren > known_pages + STRIKES
        if page.has_more and (self._strikes >= STRIKES or too_far):
            raise PaginationError(self._complaint(page))

    def _complaint(self, page: ExecutionContextListResponse) -> str:
        seen = (
            f"nothing new on {self._barren} pages in a row, though the service says "
            "that there is more"
        )
        if not page.data:
            return f"{seen}: the last was empty"
        return (
            f"{seen}: it gave contexts that earlier pages had. It seems to ignore "
            "`page`, as the offset revision does; if yours is that one, pass "
            "Session(pagination='offset')"
        )
