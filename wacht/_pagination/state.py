"""What the passes of one walk share."""

from __future__ import annotations

from hashlib import sha256
from itertools import dropwhile
from math import inf, nextafter
from sys import maxsize
from typing import TYPE_CHECKING

from attrs import define, field

from wacht._render.text import safe_repr
from wacht.errors import PaginationError
from wacht.models import MAX_PER_PAGE

from .coverage import Coverage, Interval, by_activity, by_order, time_of

if TYPE_CHECKING:
    from wacht._keywords import WalkOptions
    from wacht._protocol.windows import Slice, Window
    from wacht._waiting import RequestBudget
    from wacht.models import AiExecutionContext

    from .coverage import Rule
    from .reader import Reader

_GROWTH = 8  # windows that must succeed before larger ones are tried
_SPARE = 5  # contexts that windows read ahead share beyond what joins them
_COMPARED = 2**20  # characters of a context without an id


@define(eq=False)
class State:
    """What the passes of one walk share."""

    reader: Reader
    budget: RequestBudget
    options: WalkOptions
    first: Window  # the walk begins with it
    given: dict[str, None] = field(factory=dict[str, None])  # ids, in order
    order: dict[str, int] = field(factory=dict[str, int])  # where they were read
    left: int = maxsize  # contexts that the user still wants
    most: int = MAX_PER_PAGE  # contexts that one request may ask for
    cap: int = MAX_PER_PAGE  # contexts that the service gives at the most
    duplicates: int = 0  # repeats that were dropped
    looks: int = 0  # how often the top was read again
    steps_back: int = 0  # windows that were read because an answer didn't join
    _successes: int = 0

    @property
    def is_by_page(self) -> bool:
        """Whether the page revision is served, as far as known."""
        return not self.reader.revision.by_activity

    @property
    def rule(self) -> Rule:
        """What tells whether answers join."""
        if self.options.exhaustive is False:
            return "place"
        if not self.is_by_page:
            return "activity"
        return "order" if self.options.exhaustive else "place"

    @property
    def floor(self) -> float:
        """Contexts that are newer than this are wanted."""
        since = self.options.active_since
        return -inf if since is None else nextafter(since.timestamp(), -inf)

    def begin(self) -> Coverage:
        """Return the coverage of a walk that has read nothing yet."""
        spare = _SPARE if self.options.prefetch else 0
        return Coverage(self.first.offset, self.rule, spare=spare)

    def interval(self, part: Slice) -> Interval:
        """Return what an answer covers."""
        if not self.is_by_page:
            return by_activity(part)
        if self.rule == "order":
            return by_order(part, self.order)
        return Interval(part.window, inf, [], part.has_more)

    def fresh(self, part: Slice, low: float = -inf) -> list[AiExecutionContext]:
        """Return the contexts of an answer that are wanted and weren't given yet."""
        contexts, given = self._from_first(part, low), self.given
        if self.rule != "place" and any(context.id is None for context in contexts):
            raise PaginationError(
                "a context has no id, so overlapping answers can't be compared: walk "
                "with exhaustive=False"
            )
        if self.rule == "order":
            for context in contexts:
                self.order.setdefault(key(context), len(self.order))
        fresh: dict[str | int, AiExecutionContext] = {}
        for number, context in enumerate(contexts):  # without an id, all count
            id_ = number if context.id is None else context.id
            if id_ not in given:
                fresh.setdefault(id_, context)
        self.duplicates += len(contexts) - len(fresh)
        return self.wanted([*fresh.values()])

    def _from_first(self, part: Slice, low: float) -> list[AiExecutionContext]:
        """Drop new contexts above the place where the walk began, newer than `low`."""
        contexts, given = part.contexts, self.given
        if part.window.offset >= self.first.offset:
            return contexts
        below = dropwhile(lambda c: key(c) not in given and time_of(c) > low, contexts)
        # By page, only what was given tells; if nothing of it is left, give all.
        return [*below] or (contexts if self.is_by_page else [])

    def wanted(self, contexts: list[AiExecutionContext]) -> list[AiExecutionContext]:
        """Return the contexts that are as new as the user wants them."""
        if self.options.active_since is None:
            return contexts
        return [context for context in contexts if time_of(context) > self.floor]

    def give(self, contexts: list[AiExecutionContext]) -> None:
        """Note that contexts were handed to the user."""
        self.given |= dict.fromkeys(map(key, contexts))
        self.left -= len(contexts)

    def note_size(self, asked: Window, part: Slice) -> None:
        """Ask for less after a window that came in part, and later for more again."""
        self._successes += 1
        if part.window.limit < asked.limit:
            self.most, self._successes = part.window.limit, 0
        elif self._successes >= _GROWTH:
            self.most, self._successes = min(2 * self.most, self.cap), 0


def all_in(part: Slice, ids: dict[str, None] | set[str]) -> bool:
    """Return whether all contexts of an answer are among these."""
    return all(key(context) in ids for context in part.contexts)


def key(context: AiExecutionContext) -> str:
    """Return what makes a context the same: its id, or a digest of all of it."""
    if context.id is not None:
        return context.id
    text = safe_repr(context.to_dict(), _COMPARED)
    return sha256(text.encode()).hexdigest()
