"""
Walks through lists that change at random: `python tests/random_lists.py 0 1000 chase`.

Each seed is one list, with everything that the service may do to it. Prints each walk
that broke a promise, and for each kind of list how its walks ended.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import repeat
from multiprocessing import Pool
from pathlib import Path
from random import Random
from typing import Any

import pytest
from attrs import evolve, frozen

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests import model
from tests.model import ACTIVITY, CREATED, HIDDEN, START, TIMES, Service
from wacht import (
    ListExecutionContextsOptions as Options,
    PaginationError,
    RequestError,
    WalkProgress,
)
from wacht._protocol.answers import PageResponse

_CHANGES = ("touch", "late", "add", "remove", "leave", "enter", "burst", "border")
_AHEAD = (
    datetime.max.replace(tzinfo=UTC),
    *(START + timedelta(seconds=s) for s in (4e9, 120)),
)
_BOTH = evolve(CREATED, shows=TIMES)
_NULLS_LAST = evolve(ACTIVITY, undated_last=True)


@frozen
class Profile:
    """A kind of list, and how it is read: what each trait may be."""

    revision: model.Kind = "offset"
    orders: Sequence[model.Order] = (ACTIVITY,)
    exhaustive: Sequence[bool | None] = (True,)
    proves: bool = True  # a walk that ends without an error has missed nothing
    fair: bool = True  # it can be proven, so that errors are few
    odd: bool = True  # odd times and answers, failures, a limit, a later first page
    changes: Sequence[str] = _CHANGES
    most: Sequence[int] = (1, 2, 6)  # changes after an answer
    answers: Sequence[int] = (0, 1, 3, 10, 30)  # until the list comes to rest
    sizes: Sequence[int] = (3, 30, 60, 150, 400)
    gaps: Sequence[float] = (0.01, 0.1, 1, 10, 100)
    ties: Sequence[int] = (1, 1, 1, 2, 5, 30, 90, 97, 98, 99, 100, 120, 150)
    caps: Sequence[int] = (100,)
    paces: Sequence[float] = (0, 0.01, 0.1, 1)  # seconds that an answer takes
    prefetch: Sequence[int] = (0, 0, 1, 3, 8)
    deaths: Sequence[float] = (0, 0, 0.02, 0.2)  # of a walk, after each page
    traits: Sequence[str] = (*[""] * 6, "ahead", "undated", "other")  # of odd lists


_PAGE = Profile("page", caps=(100,) * 15 + (10,))
_HIDDEN = evolve(_PAGE, orders=(HIDDEN,), fair=False, sizes=(60, 150, 400))
_ALL = (HIDDEN, CREATED, _BOTH, ACTIVITY)
_CALM = Profile(  # groups that windows span, read ahead at rest: never an error
    odd=False,
    answers=(0,),
    sizes=(150, 400),
    ties=(1, 2, 5, 20, 30, 48, 95, 97, 98),
    prefetch=(0, 3, 8, 16),
)
PROFILES = {
    "offset": Profile(exhaustive=(None, True), caps=(100, 100, 100, 50, 10)),
    "chase": Profile(  # what a look hasn't reached yet is touched again
        odd=False,
        changes=("chase", "chase", "bury", "late", "burst"),
        answers=(10, 30, 100),
        sizes=(60, 100),
        gaps=(0.05, 0.1, 0.15, 1),
        ties=(1,),
        caps=(10, 25),
        paces=(0, 0.01, 0.3),
    ),
    "groups": Profile(  # that only counts can prove
        odd=False,
        changes=("slip", "slip", "add"),
        most=(1,),
        answers=(3, 10),
        sizes=(13,),
        gaps=(1, 100),
        ties=(7, 8, 9, 12),
        caps=(5, 6),
    ),
    "older": Profile("older", caps=(100, 50, 10)),
    "unset": Profile("older", exhaustive=(None,), proves=False, fair=False),
    "disorder": Profile(orders=(_BOTH, _NULLS_LAST), fair=False),
    "page": evolve(_PAGE, orders=_ALL, exhaustive=(None, False), proves=False),
    "created": evolve(_PAGE, orders=(CREATED, _BOTH)),
    "hidden": _HIDDEN,
    "job": evolve(  # that touches all contexts, the oldest first
        _HIDDEN,
        odd=False,
        changes=("job",) * 3,
        most=(1, 2, 6, 20),
        answers=(10**9,),
        caps=(100,),
        ties=(1,),
    ),
    "calm": _CALM,
    "calm page": evolve(
        _CALM, revision="page", orders=(CREATED,), ties=(1, 2, 5, 20, 30, 48)
    ),
    "ahead": Profile(traits=("ahead",), deaths=(0.2,), sizes=(400,)),
}
_AT_REST = (PROFILES["calm"], PROFILES["calm page"])


@frozen
class Outcome:
    """What a walk came to."""

    wrong: str  # the promise that it broke, or ""
    missed: int  # contexts that stayed in the list and weren't given
    error: str  # what ended it, or ""
    requests: int
    fair: bool  # whether an error is needless if nothing was missed


class _List:
    """A list that changes, and what a walk says of it."""

    def __init__(self, random: Random, kind: str) -> None:
        self.random, self.profile = random, (profile := PROFILES[kind])
        self.since, self.at_top = None, []  # what was wanted when the top was read
        self.service = service = Service(
            random.randint(0, random.choice(profile.sizes)),
            profile.revision,
            order=random.choice(profile.orders),
            gap=random.choice(profile.gaps),
            tied=random.choice(profile.ties),
            stable=kind != "groups" and random.choice([True, False]),
            cap=random.choice(profile.caps),
        )
        self.is_whole = self.is_complete = False  # one answer; and if the walk says so
        self.pace, self.deaths = random.choice(profile.paces), 0
        if profile.odd:
            self.deaths = random.choice(profile.deaths)
        self.short = random.sample(range(2, 12), self.odd(*[0] * 9, 3))
        broken = random.sample(range(1, 30), self.odd(0, 0, 1, 3))
        service.errors = {number: RequestError("refused") for number in broken}
        service.hidden = self.odd(*[0] * 18, 5, 20)
        service.says_date = random.choice([True, False])
        trait = random.choice(profile.traits) if profile.odd else ""
        if kind in {"hidden", "disorder"}:
            trait = "undated" if service.order.undated_last else "other"
        self._vary(trait)
        service.now += timedelta(seconds=random.choice([0, 0, 3600]))
        names = random.sample(profile.changes, random.randint(1, 3))
        names += ["ahead"] * (trait == "ahead")
        most, answers = random.choice(profile.most), random.choice(profile.answers)
        self.changes = model.Changes(random, names, most, answers)
        unfair = service.hidden or self.short or service.cap < 100 or trait == "undated"
        self.is_fair = profile.fair and not (profile.revision == "page" and unfair)
        service.change, service.alter = self.change, self.alter

    def odd(self, usual: Any, *others: Any) -> Any:
        """Return the first value, or any of them if the list may be odd."""
        return self.random.choice([usual, *others]) if self.profile.odd else usual

    def _vary(self, trait: str) -> None:
        """Give contexts other times than those that go with their places."""
        random, service, name = self.random, self.service, self.service.order.time
        contexts = service.contexts
        number = random.choice([1, 3, 20, 97, 98, 99, 100, 120])
        number = min(number, len(contexts))
        places: Sequence[int] = random.sample(range(len(contexts)), number)
        # Without a `Date`, our clock counts, which is not the model's.
        ahead = random.choice(_AHEAD[: 2 + service.says_date])
        times: Any = repeat(ahead if trait == "ahead" else None)
        if trait == "other":  # which the list isn't sorted by
            [name] = {*TIMES} - {name}
            places = range(len(contexts))
            values = [getattr(context, name) for context in contexts]
            times = random.sample(values, len(values))
        for place, time in zip(places if trait else [], times, strict=False):
            contexts[place] = evolve(contexts[place], **{name: time})
        service.show(contexts)
        if contexts and random.random() < 0.5:  # one is much newer than the others
            service.now += timedelta(seconds=99)
            service.touch(0)
        service.stayed = service.ids

    def change(self, service: Service) -> None:
        """Let time pass, and change the list."""
        service.step = self.random.choice([0, 0.001, self.pace / 4])
        service.now += timedelta(seconds=self.random.choice([0, self.pace]))
        self.changes(service)

    def alter(self, answer: PageResponse) -> PageResponse:
        """Cut some answers short, or leave them empty, although the list goes on."""
        queries = self.service.queries
        assert len(queries) < 2000, "the walk doesn't end"
        at_top = self.service.window(queries[-1]).offset == 0
        self.is_whole |= at_top and not answer.has_more
        self.at_top = self.wanted(Options()) if at_top else self.at_top
        if len(queries) not in self.short or not answer.has_more:
            return answer
        number = self.random.choice([0, self.random.randint(0, 99)])
        return evolve(answer, contexts=answer.contexts[:number])

    def pause(self) -> None:
        """Let time pass, and much happen, before a walk goes on."""
        self.service.now += timedelta(seconds=self.random.choice([0, 1, 60, 3600]))
        self.changes.some(self.service, self.random.choice([0, 0, 10, 100]))

    def note(self, progress: WalkProgress) -> None:
        """Note what a walk says of itself."""
        self.is_complete |= progress.complete

    def wanted(self, options: Options) -> list[Any]:
        """Return the contexts that a walk gives if they stay."""
        service, key = self.service, self.service.order.key
        start = ((options.page or 1) - 1) * (options.per_page or 100)
        wanted = [c for c in service.contexts[start:] if not service.leaves_out(c)]
        if start and wanted and not service.stable:  # which equal times are above?
            wanted = [c for c in wanted if key(c) != key(service.contexts[start - 1])]
        if not (since := self.since):
            return wanted
        return [c for c in wanted if c.last_activity_at and c.last_activity_at >= since]

    def broken_promise(
        self, *, twice: int, missed: int, error: str, silent: bool
    ) -> str:
        """Return which promise a walk broke."""
        unproven = self.is_complete and not (self.profile.proves or self.is_whole)
        promises = {
            "gave contexts twice": twice,
            "ends in an error at rest": error and self.profile in _AT_REST,
            "called complete, and isn't": self.is_complete and missed,
            "called complete without a proof": unproven,
            "lost in silence": self.profile.proves and missed and silent,
        }
        return next((name for name, broken in promises.items() if broken), "")


def walk(seed: int, kind: str = "offset") -> Outcome:
    """Walk through the list of a seed, and on after each failure."""
    random = Random(f"{kind} {seed}")
    listed = _List(random, kind)
    service, profile = listed.service, listed.profile
    own_size = service.kind == "page" and service.cap < 100  # where does page 2 begin?
    options = Options(
        page=1 if own_size else listed.odd(1, 1, 1, 2, 3),
        per_page=random.choice([1, 3, 7, 20, 100]),
    )
    times = [c.last_activity_at or service.now for c in service.contexts]
    in_order = profile.fair and profile.revision == "offset"
    if in_order and times and listed.odd(0, 0, 1):
        # What is dated ahead falls to this time at most when it is touched.
        until = service.now - timedelta(seconds=model.DELAY)
        listed.since = min(until, random.choice(times))
    limit = listed.odd(*[None] * 7, 1, 10, 99, 250)
    if kind == "older" or options.page != 1 or random.random() < 0.5:
        # Else the second request would say what stands on page 2.
        service.revision = None if kind == "unset" else model.REVISIONS[service.kind]
    if options.page != 1:  # where that page begins shows in the first answer
        service.errors.pop(1, None)
    wanted = listed.wanted(options)
    got: list[str | None] = []
    error = crash = ""
    with pytest.MonkeyPatch.context() as patch:
        model.Scheduler(service, seed, patch)
        parts = model.given_in_parts(
            service,
            options,
            killed=lambda: random.random() < listed.deaths,
            pause=listed.pause,
            limit=limit,
            report=listed.note,
            exhaustive=random.choice(profile.exhaustive),
            active_since=listed.since,
            prefetch=random.choice(profile.prefetch),
        )
        try:
            got.extend(parts)
        except Exception as found:  # noqa: BLE001 - a bare one is what we look for
            error = str(found)
            crash = "" if isinstance(found, PaginationError) else repr(found)
    if options.page != 1:  # what became active has left this part of the list
        wanted = [context for context in wanted if context in service.contexts]
    elif listed.since:  # what became active is wanted, too
        wanted += listed.at_top
    missed = len({c.id for c in wanted} & {*service.stayed} - {*got})
    wrong = crash or listed.broken_promise(
        twice=len(got) - len({*got}),
        missed=missed,
        error=error,
        silent=not error and len(got) != limit,
    )
    return Outcome(wrong, missed, error, len(service.queries), listed.is_fair)


def main() -> None:
    first, last, *kinds = sys.argv[1:]
    seeds = range(int(first), int(last))
    with Pool(2) as pool:
        for kind in kinds or PROFILES:
            ends: Counter[str] = Counter()
            outcomes = pool.imap(partial(walk, kind=kind), seeds, chunksize=50)
            for seed, outcome in zip(seeds, outcomes, strict=True):
                ends["requests"] += outcome.requests
                ends["wrong"] += bool(outcome.wrong)
                ends["rightly"] += bool(outcome.error and outcome.missed)
                ends["needless"] += bool(
                    outcome.error and outcome.fair and not outcome.missed
                )
                if outcome.wrong:
                    print(f"{kind} {seed}: {outcome}", flush=True)
            shares = {name: f"{100 * ends[name] / len(seeds):.2f}" for name in ends}
            print(
                f"{kind}: {ends['wrong']} wrong; errors: {shares['rightly']} % with "
                f"contexts missing, {shares['needless']} % needless; "
                f"{ends['requests'] / len(seeds):.1f} requests on average"
            )


if __name__ == "__main__":
    main()
