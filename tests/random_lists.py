"""
Walks through lists that change at random: `python tests/random_lists.py`.

Each seed is one list, with everything that the service may do to it. Prints each walk
that missed a context in silence, gave one twice or went on and on.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from attrs import frozen

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.model import (
    REVISIONS,
    Changes,
    Kind,
    Scheduler,
    Service,
    given_in_parts,
)
from wacht import ListExecutionContextsOptions, PaginationError, RequestError

if TYPE_CHECKING:
    from datetime import datetime

    from wacht import AiExecutionContext


_KINDS = ("touch", "late", "add", "remove", "leave", "enter", "burst", "border")
_BY_PAGE = ("touch", "add", "remove")  # the others need times


@frozen
class Outcome:
    """
    What a walk came to.

    Attributes:
        missed: Contexts that stayed in the list and weren't given.
        twice: Contexts that were given twice.
        error: The kind of error that ended it, or "".
        requests: How many it took.

    """

    missed: int
    twice: int
    error: str
    requests: int

    @property
    def is_wrong(self) -> bool:
        """Whether it broke its promise."""
        silent = self.missed > 0 and not self.error
        return silent or self.twice > 0 or self.requests > 2000


def walk(seed: int, kind: Kind = "offset") -> Outcome:
    """Walk through the list of a seed, and on after each failure."""
    random = Random(seed)
    service = _service(random, kind)
    kinds = random.sample(_BY_PAGE if kind == "page" else _KINDS, random.randint(1, 3))
    most, answers = random.choice([1, 2, 6]), random.choice([0, 3, 10, 30])
    service.change = Changes(random, kinds, most, answers)
    broken = random.sample(range(1, 30), random.choice([0, 0, 1, 3]))
    service.errors = {number: RequestError("refused") for number in broken}
    settings: dict[str, Any] = {"prefetch": random.choice([0, 0, 1, 3, 8])}
    if kind == "page":
        settings["exhaustive"] = True
    elif random.random() < 0.15 and service.contexts:
        settings["active_since"] = _time(random.choice(service.contexts))
    options = ListExecutionContextsOptions(
        page=random.choice([1, 1, 1, 2, 3]),
        per_page=random.choice([1, 3, 7, 20, 100]),
    )
    wanted = _wanted(service, options, settings.get("active_since"))
    got: list[str | None] = []
    error = ""
    with pytest.MonkeyPatch.context() as patch:
        Scheduler(service, seed, patch)
        settings["killed"] = lambda: random.random() < 0.02  # and started again
        try:
            got.extend(given_in_parts(service, options, **settings))
        except PaginationError as found:
            error = str(found)
    if options.page != 1:  # what became active has left this part of the list
        wanted = [context for context in wanted if context in service.contexts]
    missed = {context.id for context in wanted} & set(service.stayed) - set(got)
    return Outcome(len(missed), len(got) - len(set(got)), error, len(service.queries))


def _wanted(
    service: Service, options: ListExecutionContextsOptions, since: datetime | None
) -> list[AiExecutionContext]:
    """Return the contexts that a walk gives if they stay."""
    page, per_page = options.page or 1, options.per_page or 100
    wanted = [c for c in service.contexts if since is None or _time(c) >= since]
    if page > 1:
        # Otherwise the second request would say what stands on page 2.
        service.revision = REVISIONS[service.kind]
        above = service.contexts[: (page - 1) * per_page]
        wanted = [c for c in wanted if c not in above]
        if not service.stable:  # which of the equal times are above differs
            wanted = [c for c in wanted if _time(c) < _time(above[-1])]
    return wanted


def _time(context: AiExecutionContext) -> datetime:
    assert context.last_activity_at
    return context.last_activity_at


def _service(random: Random, kind: Kind) -> Service:
    size = random.choice([0, 3, 30, 60, 150, 400])
    return Service(
        random.randint(0, size),
        kind,
        gap=random.choice([0.01, 0.1, 1, 10, 100]),
        tied=random.choice([1, 1, 1, 2, 5, 30, 90, 150]),
        stable=random.choice([True, False]) or kind == "page",  # no proof otherwise
        cap=random.choice([100, 100, 100, 50, 10]) if kind == "offset" else 100,
    )


def main() -> None:
    first, last = (*map(int, sys.argv[1:]), *[0, sys.maxsize][len(sys.argv) - 1 :])
    ends: Counter[str] = Counter()
    for seed in range(first, last):
        outcome = walk(seed)
        needless = outcome.error != "" and outcome.missed == 0
        ends["needless error" if needless else "error" * bool(outcome.error)] += 1
        if outcome.is_wrong:
            print(f"seed {seed}: {outcome}", flush=True)
        if seed % 1000 == 999:
            print(f"{seed + 1 - first} walks: {dict(ends)}", flush=True)


if __name__ == "__main__":
    main()
