"""
Copies kept over runs while the list moves: `python benchmarks/copies.py`.

A sandbox lists by activity; two contexts change after each answer. Counted is what a
copy lacks, or has in an older version, after a last run on the list at rest.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any

import wacht
from wacht.sandbox import Sandbox

CONTEXTS, RUNS, SEEDS = 2_000, 10, 20
HOUR, NO_TIME = timedelta(hours=1), timedelta(0)

Copy = dict[str | None, wacht.AiExecutionContext]
Run = Callable[[wacht.Session, Any, Copy], Any]  # takes a state, returns the next


def by_cursor(lag: timedelta, session: wacht.Session, cursor: Any, copy: Copy) -> Any:
    """Read what is newer than the newest time of all runs before, less a lag."""
    newest, number, more = cursor, 0, True
    while more:
        number += 1
        page = session.fetch_execution_contexts(page=number, per_page=100)
        for context in page:
            at = context.last_activity_at
            assert at is not None
            if cursor and at < cursor - lag:
                return newest
            copy[context.id], newest = context, max(newest or at, at)
        more = page.has_more
    return newest


def by_updates(session: wacht.Session, state: Any, copy: Copy) -> Any:
    for page in session.iter_execution_context_updates(state):
        copy.update((context.id, context) for context in page)
        state = page.state
    return state


def move(random: Random, trial: str, contexts: list[dict[str, Any]]) -> None:
    """Let one context become active as usual, and another thing happen."""
    late = timedelta(seconds=random.uniform(0, 240))  # shown so long after its time
    ahead = -720 * HOUR if random.random() < 1 / 20 else NO_TIME
    for ago in (NO_TIME, {"late": late, "ahead": ahead}.get(trial, NO_TIME)):
        at = (datetime.now(UTC) - ago).isoformat()
        random.choice(contexts)["last_activity_at"] = at
    if trial == "removals":
        del contexts[random.randrange(len(contexts))]


def wrong(run: Run, trial: str, seed: int) -> int:
    start, copy, state = datetime.now(UTC), Copy(), None
    times = [(start - n * HOUR).isoformat() for n in range(CONTEXTS)]
    contexts = [{"id": f"{n}", "last_activity_at": at} for n, at in enumerate(times)]
    live = partial(move, Random(seed), trial)  # noqa: S311 - no secret
    with Sandbox(contexts, revision="offset", live=live) as it:
        session = it.session(pagination="offset")  # no request to find that out
        for number in range(RUNS + 1):
            it._live = live if number < RUNS else None  # noqa: SLF001 - no other way
            state = run(session, state, copy)
        rest = list(session.iter_execution_contexts())
    return sum(copy.get(context.id) != context for context in rest)


if __name__ == "__main__":
    by_lag = partial(by_cursor, HOUR / 12)
    for run in (partial(by_cursor, NO_TIME), by_lag, by_updates):
        for trial in ("late", "ahead", "removals"):
            each = [wrong(run, trial, seed) for seed in range(SEEDS)]
            print(run, trial, f"{sum(each) / SEEDS:.1f}, at most {max(each)}")
