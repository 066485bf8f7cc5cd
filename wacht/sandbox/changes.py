"""Changes for a list that moves while a client reads it."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import attrs

from .data import REFERENCE, snowflake, utc_text
from .service import NEVER, Context, last_activity

if TYPE_CHECKING:
    from collections.abc import Iterable

_STEP = timedelta(milliseconds=250)


@attrs.define(kw_only=True, slots=False)
class Changes:
    """
    Change a list of contexts at random, the same way at every run.

    Pass one to a sandbox as `live`, and a new one to each sandbox.

    Args:
        active: How many contexts become active: each moves to the front and, if the
            list has times of activity, gets a `last_activity_at` newer than all others.
        added: How many new contexts appear at the front.
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
        self._with_activity = False

    def __call__(self, contexts: list[Context]) -> None:
        """Change a list once, in place."""
        newest = max(map(last_activity, contexts), default=NEVER)
        self._with_activity |= newest > NEVER
        self._now = max(self._now, newest)
        for _ in range(min(self.removed, len(contexts))):
            self._take(contexts)
        for _ in range(min(self.active, len(contexts))):
            contexts.insert(0, {**self._take(contexts), **self._activity()})
        for _ in range(self.added):
            # A copy of another, so that filters find it as well.
            pattern: Context = self._random.choice(contexts) if contexts else {}
            activity = self._activity()
            new = {
                "id": str(snowflake(self._now, 0)),
                "created_at": utc_text(self._now),
            }
            contexts.insert(0, {**pattern, **new, **activity})

    def _take(self, contexts: list[Context]) -> Context:
        return contexts.pop(self._random.randrange(len(contexts)))

    def _activity(self) -> dict[str, Any]:
        self._now += _STEP
        return {"last_activity_at": utc_text(self._now)} if self._with_activity else {}


def with_ties(contexts: Iterable[Context], size: int) -> list[Context]:
    """Order contexts by activity and let each `size` of them share one time."""
    ordered = sorted(contexts, key=last_activity, reverse=True)
    times = [context.get("last_activity_at") for context in ordered[::size]]
    return [
        {**context, "last_activity_at": times[index // size]}
        for index, context in enumerate(ordered)
    ]
