"""What the scans of one walk share."""

from __future__ import annotations

from hashlib import sha256
from math import inf
from sys import maxsize
from typing import TYPE_CHECKING

from attrs import define, field

from wacht._contexts import MAX_PER_PAGE
from wacht._text import safe_repr

from .coverage import Coverage, microseconds
from .next_window import Position

if TYPE_CHECKING:
    from collections.abc import Container

    from wacht._keywords import WalkOptions
    from wacht._protocol.windows import Batch, Window
    from wacht._waiting import RequestBudget
    from wacht.models import AiExecutionContext

    from .reader import Reader

_GROWTH = 8  # windows that must succeed before larger ones are tried
_EXTRA_OVERLAP = 5  # of windows that are read ahead
_COMPARED = 2**20  # characters of a context without an id


@define(eq=False)
class State:
    """What the scans of one walk share."""

    reader: Reader
    budget: RequestBudget
    options: WalkOptions
    first: Window  # the walk begins with it
    yielded: dict[str, None] = field(factory=dict[str, None])  # ids, in order
    remaining: int = maxsize  # contexts that the user still wants
    max_limit: int = MAX_PER_PAGE  # contexts that one request may ask for
    duplicates: int = 0  # repeats that were dropped
    _successes: int = 0

    @property
    def is_by_page(self) -> bool:
        """Whether the page revision is served, as far as known."""
        return self.reader.revision.name == "page"

    @property
    def is_exhaustive(self) -> bool:
        """Whether each answer has to join what is covered."""
        exhaustive = self.options.exhaustive
        return not self.is_by_page if exhaustive is None else exhaustive

    @property
    def floor(self) -> float:
        """Contexts that are newer than this are wanted."""
        since = self.options.active_since
        return -inf if since is None else microseconds(since) - 1

    def begin(self) -> Position:
        """Return the position of a walk that has read nothing yet."""
        is_by_time = self.is_exhaustive or self.options.active_since
        sort_times = self.reader.revision.sort_times if is_by_time else ()
        return Position(
            self.first.offset,
            extra_overlap=_EXTRA_OVERLAP if self.options.prefetch else 0,
            coverages=tuple(map(Coverage, sort_times)),
            is_overlapping=self.is_exhaustive,
        )

    def fresh(self, contexts: list[AiExecutionContext]) -> list[AiExecutionContext]:
        """Return the contexts that are wanted and weren't given yet."""
        fresh: dict[str | int, AiExecutionContext] = {}
        for number, context in enumerate(contexts):  # without an id, all count
            id_ = number if context.id is None else context.id
            if id_ not in self.yielded:
                fresh.setdefault(id_, context)
        self.duplicates += len(contexts) - len(fresh)
        return self.wanted([*fresh.values()])

    def wanted(self, contexts: list[AiExecutionContext]) -> list[AiExecutionContext]:
        """Return the contexts that are as new as the user wants them."""
        since = self.options.active_since
        if since is None:
            return contexts
        dated = ((context, context.last_activity_at) for context in contexts)
        return [context for context, time in dated if time and time >= since]

    def give(self, contexts: list[AiExecutionContext]) -> None:
        """Note that contexts were handed to the user."""
        self.yielded |= dict.fromkeys(map(key, contexts))
        self.remaining -= len(contexts)

    def note_size(self, asked: Window, batch: Batch) -> None:
        """Ask for less after a window that came in part, and later for more again."""
        self._successes += 1
        if batch.window.limit < asked.limit:
            self.max_limit, self._successes = batch.window.limit, 0
        elif self._successes >= _GROWTH:
            self.max_limit, self._successes = min(2 * self.max_limit, MAX_PER_PAGE), 0


def new_in(contexts: list[AiExecutionContext], ids: Container[str]) -> int:
    """Return how many contexts aren't among these."""
    return sum(key(context) not in ids for context in contexts)


def key(context: AiExecutionContext) -> str:
    """Return what makes a context the same: its id, or a digest of all of it."""
    if context.id is not None:
        return context.id
    text = safe_repr(context.to_dict(), _COMPARED)
    return sha256(text.encode()).hexdigest()
