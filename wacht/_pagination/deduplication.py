"""Give each context once, and notice when pages bring nothing new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wacht.errors import PaginationError

if TYPE_CHECKING:
    from datetime import datetime

    from wacht._protocol.windows import Run
    from wacht.models import AiExecutionContext

MAX_STALLS = 3  # pages without progress, before a walk gives up


def identity(context: AiExecutionContext) -> str:
    """Return what makes a context the same: its id, or all of it if it has none."""
    return str(context.to_dict()) if context.id is None else context.id


class Deduplicator:
    """
    The contexts that a walk has given.

    Args:
        seen: Those that an earlier walk gave, which this one resumes.

    Attributes:
        seen: The `last_activity_at` of each context when it was last read, in the
            order in which the contexts were given.
        duplicates: How many repeats were dropped.

    """

    def __init__(self, seen: dict[str, datetime | None] | None = None) -> None:
        self.seen = {} if seen is None else dict(seen)
        self.duplicates = 0

    def fresh(self, run: Run) -> list[AiExecutionContext]:
        """Return the contexts of a run that weren't given yet, and remember all."""
        fresh = [context for context in run.contexts if self._is_new(context)]
        self.duplicates += len(run.contexts) - len(fresh)
        return fresh

    def is_known(self, context: AiExecutionContext) -> bool:
        """Return whether a context was given."""
        return identity(context) in self.seen

    def order(self) -> dict[str, int]:
        """Return the place of each context among those that were given."""
        return {key: place for place, key in enumerate(self.seen)}

    def place(self, context: AiExecutionContext) -> int:
        """Return how many contexts were given before this one."""
        return self.order()[identity(context)]

    def _is_new(self, context: AiExecutionContext) -> bool:
        key = identity(context)
        new = key not in self.seen
        self.seen[key] = context.last_activity_at
        return new or context.id is None  # two alike may be two


class StallDetector:
    """
    Stop a walk whose pages repeat or are empty.

    Repeats alone are no stall: if contexts were added, pages shift and old contexts
    come again in their old order. So a page leads on if it ends with a new context, or
    with a repeat that is further down the list than the end of the page before it. If
    windows overlap, any new context is enough, since joints are checked elsewhere.

    Args:
        given: What the walk has given.
        most: How many pages may bring no progress.
        overlapping: Whether windows overlap.

    """

    def __init__(self, given: Deduplicator, most: int, *, overlapping: bool) -> None:
        self._given = given
        self._most = most
        self._overlapping = overlapping
        self._end: int | None = None  # the last page's end, if it didn't lead on
        self._stalls = 0
        self._must_connect = False

    def leads_on(self, run: Run) -> bool:
        """Return whether a run ends the list, or brings something new."""
        if not run.has_more:
            return True
        decisive = run.contexts if self._overlapping else run.contexts[-1:]
        return not all(map(self._given.is_known, decisive))

    def check(self, run: Run) -> None:
        """
        Check a run before it is given.

        Raises:
            PaginationError: Too many pages brought no progress, or contexts are missing
                between this page and the one before.

        """
        if self._must_connect and run.contexts and self._is_new(run.contexts[0]):
            raise PaginationError(
                "the service repeated a page and then skipped one: contexts are "
                "missing in between"
            )
        if self.leads_on(run):
            self._stalls = 0
            self._end = None
            self._must_connect = False
        else:
            self._count_stall(run)

    def _is_new(self, context: AiExecutionContext) -> bool:
        return not self._given.is_known(context)

    def _count_stall(self, run: Run) -> None:
        newest = len(self._given.seen) - 1
        before = newest if self._end is None else self._end
        self._end = self._given.place(run.contexts[-1]) if run.contexts else before
        self._stalls += self._end <= before
        # Behind repeats, the next page begins with a repeat too, until all have come.
        repeats_follow = bool(run.contexts) and self._end < newest
        self._must_connect = repeats_follow and not self._overlapping
        if self._stalls >= self._most:
            reason = "had contexts of earlier pages" if run.contexts else "were empty"
            raise PaginationError(
                f"the last {self._stalls} pages {reason}, although the service says "
                "that there are more"
            )
