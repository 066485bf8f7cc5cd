"""What a walk remembers, and how a broken one is resumed."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from attrs import define, evolve, field

from wacht.models import MAX_PER_PAGE

from .deduplication import identity

if TYPE_CHECKING:
    from wacht._protocol.revisions import Revision
    from wacht._protocol.windows import Run
    from wacht.models import AiExecutionContext, ListExecutionContextsOptions

    from .chain import Chain

# A transaction dates its change to its own start, and may commit seconds later.
COMMIT_DELAY = timedelta(seconds=5)
MIN_TAIL = 8  # contexts; so many that moved are in their old order once in 40,320 times


@define
class Top:
    """
    The beginning of the list as a pass found it.

    Attributes:
        first: The list's first context; None if the list was empty.
        newest: The newest `last_activity_at`; None if contexts have none.
    """

    first: AiExecutionContext | None
    newest: datetime | None

    @classmethod
    def of(cls, run: Run) -> Top:
        """Take the beginning of the list from its first run."""
        times = (context.last_activity_at for context in run.contexts)
        newest = max((time for time in times if time is not None), default=None)
        return cls(run.contexts[0] if run.contexts else None, newest)

    def is_unchanged(self, now: Top) -> bool:
        """Return whether nothing has moved to the top of the list."""
        if self.newest is not None and now.newest is not None:
            return now.newest <= self.newest
        if self.first is None or now.first is None:
            return self.first is now.first
        return identity(self.first) == identity(now.first)

    def is_older(self, run: Run) -> bool:
        """Return whether a run ends with a context older than the top's newest one."""
        time = run.contexts[-1].last_activity_at if run.contexts else None
        return time is not None and self.newest is not None and time <= self.newest

    def reached_by(self, run: Run, order: dict[str, int]) -> bool:
        """
        Return whether a run from the top reaches contexts that were there before.

        What moved to the top stands above what kept its place.

        Args:
            run: The run.
            order: The order that the contexts had.

        """
        if not run.has_more or not run.contexts:
            return True
        time = run.contexts[-1].last_activity_at
        if time is not None and self.newest is not None:
            return time <= self.newest - COMMIT_DELAY
        tail = run.contexts[-max(MIN_TAIL, len(run.contexts) // 4) :]
        places = [order.get(identity(context), -1) for context in tail]
        ordered = -1 not in places and all(a < b for a, b in pairwise(places))
        return ordered and len(places) >= MIN_TAIL


@define
class Memory:
    """
    What a walk that resumes a broken one has to know.

    Attributes:
        revision: The revision that was walked.
        seen: What was given.
        chain: The runs that were read.
        top: The top of the list at the beginning.
        start: The offset at which the first walk began.
        doubtful_first: The first run, if the service may have ignored its window.
    """

    revision: Revision
    seen: dict[str, datetime | None] = field(repr=False)
    chain: Chain = field(repr=False)
    top: Top = field(repr=False)
    start: int
    doubtful_first: Run | None = field(default=None, repr=False)


def resume_options(
    options: ListExecutionContextsOptions, memory: Memory | None, size: int
) -> ListExecutionContextsOptions:
    """
    Return the options for a walk that goes on where one broke.

    The page begins at the first context that wasn't given, or as little before it as
    page numbers can express. The memory makes it exact.

    Args:
        options: The options of the broken walk.
        memory: What it remembers; None if it has read nothing.
        size: How many contexts it asked for at once.

    """
    if memory is None:
        return evolve(options, page=options.page or 1, per_page=size, _memory=None)
    first = memory.doubtful_first
    offset = memory.chain.end if first is None else len(first.contexts)
    sizes = range(min(size, MAX_PER_PAGE), size // 2, -1)
    per_page = max(sizes, key=lambda n: offset - offset % n)
    return evolve(
        options, page=offset // per_page + 1, per_page=per_page, _memory=memory
    )
