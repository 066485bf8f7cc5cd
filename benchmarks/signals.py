"""
Exceptions that a signal handler raises anywhere: `python benchmarks/signals.py`.

Each ends the call that it interrupts and reaches the caller. The session works after
it: no call hangs, and no page is lost or wrong. `--signals N` sets how many are raised.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count, cycle
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from attrs import define, field
from urllib3 import Retry

import wacht
from wacht.sandbox.server import End, Pause, Response, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wacht.sandbox.server import Request, Step

IDS = [str(number) for number in range(350)]
HANG = 30  # seconds; a call takes some milliseconds
FAILS_EACH, SLOW_EACH = 7, 5  # requests
SINGLE = "/one-request-a-connection"
PAUSE = 0.003  # seconds
CHECK_EACH = 8  # calls; then one without a signal

numbers = count()
moments = random.Random()  # noqa: S311 - of the signals


class TimeIsUpError(Exception):
    """What a job runner raises in whatever code runs."""


def respond(request: Request) -> Iterator[Step]:
    """Answer with a page; every fifth is late, and every seventh fails."""
    number = next(numbers)
    if number % SLOW_EACH == 0:
        yield Pause(PAUSE)
    answer = Response(503) if number % FAILS_EACH == 0 else page(request.target)
    yield answer.head + answer.body
    if SINGLE in request.target:
        yield End.CLOSE


def page(target: str) -> Response:
    query = parse_qs(urlsplit(target).query)
    size = int(query["per_page"][0])
    start = (int(query["page"][0]) - 1) * size
    data = [{"id": id_, "title": "text" * 50} for id_ in IDS[start : start + size]]
    more = start + size < len(IDS)
    return Response(200, json.dumps({"data": data, "has_more": more}).encode())


@contextmanager
def server() -> Iterator[str]:
    """Run the server in a process of its own, which gets no signals."""
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@define
class Case:
    """A call that is interrupted; it returns the ids of all contexts, in order."""

    call: Callable[[], list[str | None]]
    longest: float = 0.02  # seconds; learnt from calls that aren't interrupted
    results: Counter[str] = field(factory=Counter)

    def check(self) -> None:
        """Call it without a signal."""
        begun = time.monotonic()
        assert self.call() == IDS, "a page is lost or wrong"
        self.longest += (time.monotonic() - begun - self.longest) / 4
        self.results["whole"] += 1

    def interrupt(self) -> None:
        """Call it, and raise an exception at any moment."""
        # Python loses exceptions while it frees what others left behind.
        signal.signal(signal.SIGALRM, signal.SIG_IGN)  # the last handler held it
        gc.collect()
        raised: list[TimeIsUpError] = []

        def handler(_signal: int, frame: Any) -> None:
            raised.append(TimeIsUpError(frame.f_code.co_qualname))
            raise raised[0]

        signal.signal(signal.SIGALRM, handler)
        try:
            signal.setitimer(signal.ITIMER_REAL, moments.uniform(1e-5, self.longest))
            ids = self.call()
            signal.setitimer(signal.ITIMER_REAL, 0)
        except TimeIsUpError:
            self.results["raised"] += 1
            return
        assert ids == IDS, "a page is lost or wrong"
        self.results["swallowed" if raised else "in time"] += 1
        for error in raised:
            print(f"swallowed in {error}", file=sys.stderr)


def fetch(session: wacht.Session) -> list[str | None]:
    """Fetch all pages one by one."""
    ids: list[str | None] = []
    for number in range(1, 5):
        page = session.fetch_execution_contexts(page=number, per_page=100)
        ids += [context.id for context in page]
    return ids


def walk(session: wacht.Session, prefetch: int) -> list[str | None]:
    return [c.id for c in session.iter_execution_contexts(prefetch=prefetch)]


def cases(stack: ExitStack, url: str) -> dict[str, Case]:
    """Return the calls: each spends most of its time in another place."""
    retry = Retry(9, status_forcelist=[503], backoff_factor=0.002, backoff_max=0.005)
    settings: dict[str, Any] = {"api_key": "k", "base_url": url, "retry": retry}
    free = stack.enter_context(wacht.Session(**settings, throttle=None))
    single = wacht.Session(**settings | {"base_url": url + SINGLE}, throttle=None)
    throttle = wacht.Throttle(per_second=200, per_minute=12_000)
    paced = stack.enter_context(wacht.Session(**settings, throttle=throttle))
    return {
        "connect": Case(partial(fetch, stack.enter_context(single))),
        "send and decode": Case(partial(fetch, free)),
        "wait for the throttle": Case(partial(fetch, paced)),
        "walk": Case(partial(walk, free, 0)),
        "read ahead": Case(partial(walk, free, 4)),
        "read ahead, paced": Case(partial(walk, paced, 4)),
    }


def measure(signals: int) -> None:
    """Interrupt one call after the other, until enough exceptions were raised."""
    with server() as url, ExitStack() as stack:
        named = cases(stack, url)
        for case in named.values():
            case.check()
        gc.freeze()
        for number, case in enumerate(cycle(named.values())):
            faulthandler.dump_traceback_later(HANG, exit=True)
            case.check() if number // len(named) % CHECK_EACH == 0 else case.interrupt()
            if sum(each.results["raised"] for each in named.values()) >= signals:
                break
        faulthandler.cancel_dump_traceback_later()
    kinds = ("raised", "swallowed", "in time", "whole")
    print("| interrupted |", *(f"{kind} |" for kind in kinds))
    print(f"|---|{'---|' * len(kinds)}")
    for name, case in named.items():
        print(f"| {name} |", *(f"{case.results[kind]} |" for kind in kinds))
    assert not any(case.results["swallowed"] for case in named.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--signals", type=int, default=20_000)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        print(Server(respond).url, flush=True)
        signal.pause()
    # Objects that an exception left half made complain when they are freed.
    sys.unraisablehook = lambda _: None
    measure(arguments.signals)


if __name__ == "__main__":
    main()
