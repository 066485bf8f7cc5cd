"""Changes for a list that moves while a client reads it."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import attrs

from wacht._contexts import OFFSET_SORT_TIME, PAGE_SORT_TIME
from wacht._text import utc_text

from .data import REFERENCE, snowflake
from .service import Context, time_of

_STEP = timedelta(milliseconds=25)

CREATED, ACTIVE = PAGE_SORT_TIME.field, OFFSET_SORT_TIME.field


@attrs.define(kw_only=True, slots=False)
class Changes:
    """
    Change a list of contexts at random, the same way at every run.

    Pass one to a sandbox as `live`, and a new one to each sandbox.

    Args:
        active: How many contexts become active: each moves to the front, with a
            `last_activity_at` newer than all others. A list without that field, as the
            page revision's, stays as it is.
        added: How many new contexts appear at the front, with times newer than all
            others.
        removed: How many contexts disappear.
        seed: Each seed gives other changes.
    """

    active: int = 0
    added: int = 0
    removed: int = 0
    seed: int = 0

    def __attrs_post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311 - not a secret
        self._now = REFERENCE

    def __call__(self, contexts: list[Context]) -> None:
        """Change a list once, in place."""
        times = [time_of(c, name) for c in contexts for name in (CREATED, ACTIVE)]
        self._now = max([self._now, *filter(None, times)])
        shows_activity = any(context.get(ACTIVE) for context in contexts)
        for _ in range(min(self.removed, len(contexts))):
            self._take(contexts)
        for _ in range(min(self.active, len(contexts)) if shows_activity else 0):
            active = self._take(contexts)
            contexts.insert(0, {**active, ACTIVE: self._tick()})
        for _ in range(self.added):
            # A copy of another, so that filters find it as well.
            pattern: Context = self._random.choice(contexts) if contexts else {}
            now = self._tick()
            new = {"id": str(snowflake(self._now, 0)), CREATED: now}
            active = {ACTIVE: now} if shows_activity else {}
            contexts.insert(0, {**pattern, **new, **active})

    def _take(self, contexts: list[Context]) -> Context:
        return contexts.pop(self._random.randrange(len(contexts)))

    def _tick(self) -> str:
        self._now += _STEP
        return utc_text(self._now)
