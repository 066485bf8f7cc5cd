"""
Walks through lists that change at random: `python tests/random_lists.py`.

Each seed is one list, with everything that the service may do to it. Prints each walk
that missed a context in silence, gave one twice or went on and on.
"""

from __future__ import annotations

import pickle
import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from attrs import frozen

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.model import Kind, Scheduler, Service, walk_of
from wacht import (
    ListExecutionContextsOptions,
    PaginationError,
    RequestError,
)

if TYPE_CHECKING:
    from datetime import datetime

    from wacht import AiExecutionContext

DELAY = 2.0  # seconds: how long after its time a change may become visible

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


class Changes:
    """
    Change a list after each answer, until it comes to rest.

    Args:
        random: Where the changes come from.
        kinds: Which there are.

    """

    def __init__(self, random: Random, kinds: tuple[str, ...]) -> None:
        self._random = random
        self._kinds = random.sample(kinds, random.randint(1, 3))
        self._most = random.choice([1, 2, 6])
        self._answers = random.choice([0, 3, 10, 30])
        self._away: list[AiExecutionContext] = []

    def __call__(self, service: Service) -> None:
        """Change the list once."""
        self._answers -= 1
        if self._answers < 0:
            return
        for _ in range(self._random.randint(0, self._most)):
            kind = self._random.choice(self._kinds)
            if service.contexts or kind in {"add", "enter"}:
                getattr(self, f"_{kind}")(service)

    def _any(self, service: Service) -> int:
        return self._random.randrange(len(service.contexts))

    def _touch(self, service: Service) -> None:
        service.touch(self._any(service))

    def _late(self, service: Service) -> None:
        service.touch(self._any(service), late=self._random.uniform(0, DELAY))

    def _add(self, service: Service) -> None:
        service.add()

    def _remove(self, service: Service) -> None:
        service.contexts.pop(self._any(service))

    def _leave(self, service: Service) -> None:
        self._away.append(service.contexts.pop(self._any(service)))

    def _enter(self, service: Service) -> None:
        if self._away:
            service.put_back(self._away.pop())

    def _burst(self, service: Service) -> None:
        number = self._random.choice([5, 20, 60])
        change = self._random.choice([self._touch, self._add, self._remove])
        for _ in range(number if self._random.random() < 0.2 else 0):
            if service.contexts:
                change(service)

    def _border(self, service: Service) -> None:
        """Change what stands at the border of the last window."""
        query = service.queries[-1]
        limit = int(query.get("limit") or query["per_page"])
        offset = int(query.get("offset") or (int(query["page"]) - 1) * limit)
        place = self._random.choice([offset, offset + limit]) + self._random.randint(
            -2, 2
        )
        if 0 <= place < len(service.contexts):
            if self._random.random() < 0.5:
                service.touch(place)
            else:
                service.contexts.pop(place)


def walk(seed: int, kind: Kind = "offset") -> Outcome:
    """Walk through the list of a seed, and on after each failure."""
    random = Random(seed)  # noqa: S311 - not a secret
    service = _service(random, kind)
    service.change = Changes(random, _BY_PAGE if kind == "page" else _KINDS)
    broken = random.sample(range(1, 30), random.choice([0, 0, 1, 3]))
    service.errors = {number: RequestError("refused") for number in broken}
    settings: dict[str, Any] = {"prefetch": random.choice([0, 0, 1, 3, 8])}
    if kind == "page":
        settings["exhaustive"] = True
    floor: datetime | None = None
    if kind != "page" and random.random() < 0.15 and service.contexts:
        floor = random.choice(service.contexts).last_activity_at
        settings["active_since"] = floor
    stayed = {
        c.id
        for c in service.contexts
        if floor is None or (c.last_activity_at and c.last_activity_at >= floor)
    }
    options: ListExecutionContextsOptions | None = ListExecutionContextsOptions(
        per_page=random.choice([1, 3, 7, 20, 100])
    )
    got: list[str | None] = []
    error = ""
    with pytest.MonkeyPatch.context() as patch:
        Scheduler(service, seed).install(patch)
        for _ in range(20):
            try:
                for page in walk_of(service, options, **settings).pages():
                    got += [context.id for context in page]
                    if random.random() < 0.02:  # killed, and started again
                        options = pickle.loads(pickle.dumps(page.resume))  # noqa: S301
                        break
                else:
                    break
            except RequestError as refused:
                options = pickle.loads(pickle.dumps(refused)).resume  # noqa: S301
            except PaginationError as found:
                error = str(found)
                break
        else:
            error = "it was broken too often"
    missed = (stayed & set(service.stayed)) - set(got)
    return Outcome(len(missed), len(got) - len(set(got)), error, len(service.queries))


def _service(random: Random, kind: Kind) -> Service:
    size = random.choice([0, 3, 30, 60, 150, 400])
    return Service(
        random.randint(0, size),
        kind,
        gap=random.choice([0.01, 0.1, 1, 10, 100]),
        tied=random.choice([1, 1, 1, 2, 5, 30, 90, 150]),
        stable=random.choice([True, False]),
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
