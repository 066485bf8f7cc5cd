"""What the passes of a walk share: what was given, and how runs are joined."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from attrs import define, evolve, field, frozen

from wacht._protocol.windows import Window
from wacht.errors import PaginationError

from .chain import Chain, Joint
from .deduplication import Deduplicator
from .memory import Top
from .overlapping import OverlappingChain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wacht._protocol.windows import Run
    from wacht.models import AiExecutionContext

    from .options import WalkOptions
    from .reader import Reader

MAX_STEPS = 12  # windows that may be read to join one run


@frozen
class Step:
    """
    One run that a walk has read.

    Attributes:
        fresh: Its contexts that weren't given before.
        has_more: Whether the list went on.
        complete: Whether the walk is done and nothing is missing.
    """

    fresh: list[AiExecutionContext]
    has_more: bool
    complete: bool = False


@define
class Tally:
    """What a walk read beyond one request a page."""

    steps_back: int = 0
    looks: int = 0
    rereads: int = 0


@define(eq=False)
class WalkState:
    """
    What the passes of a walk share.

    Attributes:
        reader: Reads windows.
        options: How to walk.
        start: The offset at which the walk began.
        size: How many contexts to ask for at once.
        chain: The runs that the current pass has read.
        given: What was given.
        top: The top of the list at the beginning.
        length: How many contexts the list had when its end was read.
        tally: What was read beyond one request a page.
    """

    reader: Reader
    options: WalkOptions
    start: int
    size: int
    chain: Chain
    given: Deduplicator = field(factory=Deduplicator)
    top: Top = field(factory=lambda: Top(None, None))
    length: int | None = None
    tally: Tally = field(factory=Tally)

    def new_chain(self, start: int) -> Chain:
        """Return a chain for a pass that begins at an offset."""
        overlap = self.options.exhaustive
        if overlap is None:
            overlap = self.reader.revision.by_activity
        return OverlappingChain(start) if overlap else Chain(start)

    def fresh(self, run: Run) -> list[AiExecutionContext]:
        """
        Return what a run gives to the user, and remember it.

        Raises:
            PaginationError: `active_since` is set, and the order doesn't fit.

        """
        if not run.has_more and run.contexts:
            self.length = run.window.offset + len(run.contexts)
        if self.chain.proves:
            _check_ids(run)
        since = self.options.active_since
        if since is not None:
            _check_order(run)
        fresh = self.given.fresh(run)
        if fresh:
            self.reader.fruitless = 0
        if since is None:
            return fresh
        return [c for c in fresh if c.last_activity_at and c.last_activity_at >= since]

    def is_last(self, run: Run) -> bool:
        """Return whether nothing behind a run is wanted."""
        since = self.options.active_since
        if not run.has_more or since is None or not run.contexts:
            return not run.has_more
        time = run.contexts[-1].last_activity_at
        return time is not None and time < since

    def behind(self, chain: Chain, size: int | None = None) -> Window:
        """Return the window to read next."""
        return chain.following(chain.end, size or self.size, self.reader.size.most)

    def linked(self, chain: Chain, run: Run) -> Iterator[tuple[Run, bool]]:
        """
        Add a run to a chain, after those that have to be read to join it.

        Yields:
            Each run that was added, and whether it is the last of them.

        """
        waiting = [_cut(run, chain.start)]
        bridged = False
        steps = 0
        while waiting:
            joint = chain.joint(waiting[-1])
            if joint is Joint.APART and steps < MAX_STEPS:
                if bridged:  # the list has changed since this run was answered
                    waiting.pop()
                bridge = self.reader.read(self._bridge(chain, waiting, steps))
                waiting.append(_cut(bridge, chain.start))
                bridged = False
                steps += 1
                self.tally.steps_back += 1
                continue
            run = waiting.pop()
            chain.add(run, joint)
            if chain.outrun:
                raise PaginationError(
                    "the list changes faster than it can be read: contexts may be "
                    "missing"
                )
            yield run, not waiting
            bridged = bool(waiting) and chain.end > waiting[-1].window.offset

    def _bridge(self, chain: Chain, waiting: list[Run], step: int) -> Window:
        if not waiting:
            return self.behind(chain)
        most = self.reader.size.most
        return chain.bridge(waiting[-1].window, self.size, most, step)


def _cut(run: Run, start: int) -> Run:
    """Drop what stands before the start: page numbers can't begin a window anywhere."""
    before = start - run.window.offset
    if before <= 0:
        return run
    window = Window(start, max(1, run.window.limit - before))
    return evolve(run, window=window, contexts=run.contexts[before:])


def _check_ids(run: Run) -> None:
    if any(context.id is None for context in run.contexts):
        raise PaginationError(
            "a context has no id, so overlapping answers can't be compared: walk with "
            "exhaustive=False"
        )


def _check_order(run: Run) -> None:
    times = [c.last_activity_at for c in run.contexts if c.last_activity_at]
    if any(before < after for before, after in pairwise(times)):
        raise PaginationError(
            "active_since needs a list with the newest activity first, and this one "
            "isn't in that order"
        )
