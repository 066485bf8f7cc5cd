"""What the readings of one walk share: what was given, and the position behind it."""

from __future__ import annotations

from sys import maxsize
from typing import TYPE_CHECKING, TypeAlias

from attrs import define, field, frozen

from wacht._contexts import MAX_PER_PAGE
from wacht._text import safe_repr

from .coverage import END, Coverage, time_of
from .position import Position

if TYPE_CHECKING:
    from wacht._keywords import WalkOptions
    from wacht._protocol.windows import Batch, Window
    from wacht.models import AiExecutionContext

    from .reader import Reader

Contexts: TypeAlias = "list[AiExecutionContext]"

_GROWTH = 8  # windows that must succeed before larger ones are tried
_EXTRA_OVERLAP = 5  # of windows that are read ahead
_COMPARED = 2**20  # characters of a context without an id


@frozen
class Part:
    """What one answer brings."""

    contexts: Contexts = field(repr=False)  # those that are new
    has_more: bool
    position: Position  # of the first reading, behind it


@define(eq=False)
class State:
    """What the readings of one walk share."""

    reader: Reader
    options: WalkOptions
    first: Window  # the walk begins with it
    position: Position  # behind what was given
    floor: int = END  # contexts that are newer are wanted
    yielded: list[str] | None = None  # ids, in order; None: they may come twice
    is_complete: bool = False  # whether it is proven that nothing is missing
    remaining: int = maxsize  # contexts that the user still wants
    max_limit: int = MAX_PER_PAGE  # contexts that one request may ask for
    duplicates: int = 0  # repeats that were dropped
    _successes: int = 0
    _seen: set[str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._seen = {*(self.yielded or ())}

    @property
    def is_by_page(self) -> bool:
        """Whether the page revision is served, as far as known."""
        return self.reader.revision.name == "page"

    @property
    def is_exhaustive(self) -> bool:
        """Whether each answer has to join what is covered."""
        exhaustive = self.options.exhaustive
        return not self.is_by_page if exhaustive is None else exhaustive

    def go_on(self, position: Position, prefetch: int) -> Position:
        """Return where a scan goes on that came so far."""
        if self.is_by_page and position.size not in {0, self.first.limit}:
            position = Position(self.first.offset)
        if position.begun and not self.is_exhaustive:
            return position.in_pages(self.first.limit, "")
        # Only a reading of all can prove what plain pages have read.
        if position.begun and (position.coverage or position.reason):
            return position
        coverage = Coverage(self.reader.revision.sort_time)
        return Position(
            self.first.offset,
            extra_overlap=_EXTRA_OVERLAP if prefetch else 0,
            coverage=coverage if self.is_exhaustive else None,
        )

    def part(self, contexts: Contexts, position: Position, *, more: bool) -> Part:
        """Return what is new of an answer; a part that is cut proves nothing."""
        # If all was read, only a reading of all can settle a doubt.
        is_over = position.covered_until <= self.floor and position.is_doubtful
        if is_over or not position.begun:
            position = Position(self.first.offset)  # begin anew
        # What isn't wanted yet may become active, and be wanted then.
        fresh = self._fresh(self.wanted(contexts))
        if len(fresh) > self.remaining:  # the next walk reads them again
            position, self.is_complete = self.position, False
        return Part(fresh[: self.remaining], more, position)

    def _fresh(self, contexts: Contexts) -> Contexts:
        if self.yielded is None:
            return contexts
        fresh: Contexts = []
        for context in contexts:
            if context.id not in self._seen:
                fresh.append(context)
            if context.id is not None:  # without an id, all count
                self._seen.add(context.id)
        self.duplicates += len(contexts) - len(fresh)
        return fresh

    def wanted(self, contexts: Contexts) -> Contexts:
        """Return the contexts that are as new as the user wants them."""
        above = self.above_floor(contexts)
        since = self.options.active_since
        return [c for c in above if c.last_activity_at] if since else above

    def above_floor(self, contexts: Contexts) -> Contexts:
        """Return the contexts that are as new, and those without a time."""
        if self.floor == END:
            return contexts
        sort_time = self.reader.revision.sort_time
        return [c for c in contexts if time_of(c, sort_time) > self.floor]

    def give(self, part: Part) -> None:
        """Note that a part is handed to the user."""
        self.position = part.position
        if self.yielded is not None:
            self.yielded += [c.id for c in part.contexts if c.id is not None]
        self.remaining -= len(part.contexts)

    def note_size(self, asked: Window, batch: Batch) -> None:
        """Ask for less after a window that came in part, and later for more again."""
        self._successes += 1
        if batch.window.limit < asked.limit:
            self.max_limit, self._successes = batch.window.limit, 0
        elif self._successes >= _GROWTH:
            self.max_limit, self._successes = min(2 * self.max_limit, MAX_PER_PAGE), 0


def key(context: AiExecutionContext) -> str:
    """Return what tells a context apart: its id, or a digest of all of it."""
    if context.id is not None:
        return context.id
    return str(hash(safe_repr(context.to_dict(), _COMPARED)))
