"""
Exceptions that a signal handler raises anywhere: `python benchmarks/signals.py`.

Each ends the call that it interrupts and reaches the caller unchanged, whatever its
class is. The session works after it: no call hangs, and no page is lost or wrong.
`--signals N` sets how many are raised. The calls over TLS need the program openssl.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import json
import os
import random
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count, cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from attrs import define, field
from urllib3 import Retry

import wacht
from wacht.sandbox.server import End, Pause, Response, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wacht.sandbox.server import Action, Request

IDS = [str(number) for number in range(350)]
HANG = 30  # seconds; a call takes some milliseconds
FAILS_EACH, SLOW_EACH = 7, 5  # requests
SINGLE = "/one-request-a-connection"
PAUSE = 0.003  # seconds
CHECK_EACH = 8  # calls; then one without a signal
SHOWN_FRAMES = 4

numbers = count()
moments = random.Random()  # noqa: S311 - of the signals


class TimeIsUpError(Exception):
    """What a job runner raises in whatever code runs."""


class JobEndedError(BaseException):
    """What a job runner raises that nobody should catch."""


class JobTimeoutError(OSError):
    """What a job runner raises that looks like a failure of the network."""


KINDS = (TimeIsUpError, JobEndedError, TimeoutError, JobTimeoutError)


def respond(request: Request) -> Iterator[Action]:
    """Answer with a page; every fifth is late, and every seventh fails."""
    number = next(numbers)
    if number % SLOW_EACH == 0:
        yield Pause(PAUSE)
    answer = Response(503) if number % FAILS_EACH == 0 else page(request.path)
    yield answer.head + answer.body
    if SINGLE in request.path:
        yield End.CLOSE


def page(target: str) -> Response:
    query = parse_qs(urlsplit(target).query)
    size = int(query["per_page"][0])
    start = (int(query["page"][0]) - 1) * size
    data = [{"id": id_, "title": "text" * 50} for id_ in IDS[start : start + size]]
    more = start + size < len(IDS)
    return Response(200, json.dumps({"data": data, "has_more": more}).encode())


class TlsServer(Server):
    """The server, behind TLS."""

    def finish_request(self, request: Any, client_address: Any) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(os.environ["REQUESTS_CA_BUNDLE"])
        with context.wrap_socket(request, server_side=True) as tls:
            super().finish_request(tls, client_address)


@contextmanager
def certificate() -> Iterator[None]:
    """Make a key and a certificate for this machine, in one file that is trusted."""
    with tempfile.TemporaryDirectory() as folder:
        key, path = Path(folder, "key.pem"), Path(folder, "both.pem")
        command = (
            "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 "
            f"-addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {path}"
        )
        subprocess.run(command.split(), check=True, capture_output=True)
        path.write_bytes(path.read_bytes() + key.read_bytes())
        os.environ["REQUESTS_CA_BUNDLE"] = str(path)
        yield


@contextmanager
def server(scheme: str) -> Iterator[str]:
    """Run the server in a process of its own, which gets no signals."""
    command = [sys.executable, __file__, "--serve", scheme]
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

    def interrupt(self, kind: type[BaseException]) -> None:
        """Call it, and raise an exception at any moment."""
        # Python loses exceptions while it frees what others left behind.
        signal.signal(signal.SIGALRM, signal.SIG_IGN)  # the last handler held it
        gc.collect()
        raised: list[BaseException] = []

        def handler(_signal: int, frame: Any) -> None:
            raised.append(kind(place(frame)))
            raise raised[0]

        signal.signal(signal.SIGALRM, handler)
        try:
            signal.setitimer(signal.ITIMER_REAL, moments.uniform(1e-5, self.longest))
            ids = self.call()
            signal.setitimer(signal.ITIMER_REAL, 0)
        except BaseException as error:
            if not raised:
                raise
            if error is raised[0]:
                self.results["raised"] += 1
                return
            ids = IDS  # another error came in its place
        assert ids == IDS, "a page is lost or wrong"
        self.results["lost" if raised else "in time"] += 1
        for error in raised:
            print(f"lost: {error!r}", file=sys.stderr)


def place(frame: Any) -> str:
    """Return where a signal came: the innermost functions."""
    names: list[str] = []
    while frame and len(names) < SHOWN_FRAMES:
        names.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
        frame = frame.f_back
    return " < ".join(names)


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
    calls = {
        "connect": partial(fetch, stack.enter_context(single)),
        "send and decode": partial(fetch, free),
        "wait for the throttle": partial(fetch, paced),
        "walk": partial(walk, free, 0),
        "read ahead": partial(walk, free, 4),
        "read ahead, paced": partial(walk, paced, 4),
    }
    scheme = urlsplit(url).scheme
    return {f"{scheme}, {name}": Case(call) for name, call in calls.items()}


def measure(signals: int) -> None:
    """Interrupt one call after the other, until enough exceptions were raised."""
    with certificate(), ExitStack() as stack:
        urls = [stack.enter_context(server(scheme)) for scheme in ("http", "https")]
        named = {n: case for url in urls for n, case in cases(stack, url).items()}
        for case in named.values():
            case.check()
        gc.freeze()
        for number, case in enumerate(cycle(named.values())):
            faulthandler.dump_traceback_later(HANG, exit=True)
            turn = number // len(named)
            if turn % CHECK_EACH == 0:
                case.check()
            else:
                case.interrupt(KINDS[turn % len(KINDS)])
            if sum(each.results["raised"] for each in named.values()) >= signals:
                break
        faulthandler.cancel_dump_traceback_later()
    kinds = ("raised", "lost", "in time", "whole")
    print("| interrupted |", *(f"{kind} |" for kind in kinds))
    print(f"|---|{'---|' * len(kinds)}")
    for name, case in named.items():
        print(f"| {name} |", *(f"{case.results[kind]} |" for kind in kinds))
    assert not any(case.results["lost"] for case in named.values())


def serve(scheme: str) -> None:
    """Serve until this process is ended."""
    url = (TlsServer if scheme == "https" else Server)(respond).url
    print(url.replace("http", scheme), flush=True)
    signal.pause()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--signals", type=int, default=20_000)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
    # Objects that an exception left half made complain when they are freed.
    sys.unraisablehook = lambda _: None
    measure(arguments.signals)


if __name__ == "__main__":
    main()
