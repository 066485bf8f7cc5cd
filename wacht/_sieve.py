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
    shift, and what has been read comes again in its old order. So a page leads on if
    it ends with something new, or if it is all repeats that end further on than the
    page before did, by the order in which contexts were first seen. Three pages that
    do neither are enough, unless one in between ended with something new.

    What is new at the top alone does not count: a service that gives its first page
    again and again has that too, as long as contexts are added.

    Attributes:
        duplicates: How many repeats were dropped.
        leading_on: How many pages ended with something new.
        barren: How many pages there were since the last one that had something new.
    """

    def __init__(self) -> None:
        self.duplicates = 0
        self.leading_on = 0
        self.barren = 0
        self._seen: dict[Hashable, None] = {}  # a set that keeps its order
        self._end = -1  # the place of what the last page ended with
        self._strikes = 0
        self._in_vain = 0  # pages since one ended with something new

    @property
    def stuck(self) -> bool:
        """
        Whether too many pages have led nowhere.
        """
        return self._strikes >= STRIKES

    def sift(self, page: ExecutionContextListResponse) -> list[AiExecutionContext]:
        """
        Give what is new on a page; contexts without an id always are.

        Raises:
            PaginationError: The service goes in circles, or nowhere.

        """
        ends_with_news = bool(page.data) and _identity(page.data[-1]) not in self._seen
        fresh = [context for context in page.data if self._is_new(context)]
        self.duplicates += len(page.data) - len(fresh)
        self.barren = 0 if fresh else self.barren + 1
        if ends_with_news:
            self.leading_on += 1
            self._strikes = self._in_vain = 0
            self._end = len(self._seen) - 1
        else:
            end = self._place_of(page.data[-1]) if page.data else self._end
            self._strikes += bool(fresh) or end <= self._end
            self._in_vain += 1
            self._end = end
        if self.stuck and page.has_more:
            raise PaginationError(self._complaint(page))
        return fresh

    def _is_new(self, context: AiExecutionContext) -> bool:
        identity = _identity(context)
        if identity in self._seen:
            return context.id is None
        self._seen[identity] = None
        return True

    def _place_of(self, context: AiExecutionContext) -> int:
        identity = _identity(context)
        return next(place for place, seen in enumerate(self._seen) if seen == identity)

    def _complaint(self, page: ExecutionContextListResponse) -> str:
        seen = (
            f"the last {self._in_vain} pages led nowhere, though the service says that "
            "there is more: "
        )
        if not page.data:
            return f"{seen}the last one was empty"
        if self.leading_on > 1:
            return f"{seen}they ended with contexts that earlier pages had"
        return (
            f"{seen}they ended with contexts of the first page. It seems to ignore "
            "which `page` is asked for: pass Session(pagination='offset') if it is of "
            "that revision, and leave it out if you passed it"
        )


def _identity(context: AiExecutionContext) -> Hashable:
    return hash(str(context.to_dict())) if context.id is None else context.id
