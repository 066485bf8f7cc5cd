"""Exceptions of the caller's own, from signal handlers, pass unchanged."""

from __future__ import annotations

import contextlib
import gc
import itertools
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest
import requests

import wacht
from tests.processes import output_of
from tests.servers import RawServer, Wire

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "signals.py"


@contextlib.contextmanager
def on_signal(error: Exception) -> Iterator[None]:
    """Raise an error in this thread at a signal."""

    def handler(_signal: int, _frame: object) -> None:
        raise error

    before = signal.signal(signal.SIGALRM, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)


def sends(data: bytes) -> Callable[[Wire], None]:
    """Send some bytes, interrupt the client, and go on too late."""

    def script(wire: Wire) -> None:
        wire.send(data)
        wire.pause(0.1)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)
        wire.pause(60)

    return script


SCRIPTS = {
    "answer": sends(b""),
    "headers": sends(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "body": sends(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"data'),
    "body of an error": sends(b"HTTP/1.1 404 No\r\nContent-Length: 99\r\n\r\nno"),
    "back-off": sends(
        b"HTTP/1.1 429 No\r\nRetry-After: 99\r\nContent-Length: 0\r\n\r\n"
    ),
}


class JobTimeoutError(OSError):
    """What a job runner raises that looks like a failure of the network."""


@pytest.mark.skipif(
    not hasattr(signal, "SIGALRM")
    or threading.current_thread() is not threading.main_thread(),
    reason="signals reach the main thread",
)
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("kind", [TimeoutError, JobTimeoutError])
@pytest.mark.parametrize("place", SCRIPTS)
def test_signal__ends_a_request(place: str, kind: type[OSError], *, own: bool) -> None:
    """It passes unchanged, once; the throttle's slot and the connection are free."""
    error = kind("time is up")
    throttle = wacht.Throttle(per_second=2, per_minute=2)
    http = requests.Session() if own else None
    with (
        RawServer(SCRIPTS[place], times=1) as server,
        server.session(throttle=throttle, http=http) as session,
    ):
        start = time.monotonic()
        with on_signal(error), pytest.raises(kind) as caught:
            session.fetch_execution_contexts()
        assert caught.value is error
        assert time.monotonic() - start < 20
        assert len(server.heads) == 1
        assert all(slot.at is not None for slot in throttle._taken)
        if place != "back-off":
            assert len(session.fetch_execution_contexts()) == 20


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timer")
@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the program openssl")
def test_signals__anywhere() -> None:
    """None hangs the session, gets lost, or costs or spoils a page."""
    output_of(BENCHMARK, "--signals", 100)


class HoldingThrottle:
    """Hold exceptions until the next request is on the wire."""

    def __init__(self) -> None:
        self.held: list[BaseException] = []

    def slot(self, _sleep: object) -> Any:
        return contextlib.nullcontext(self)

    def sent(self) -> None:
        self.held.clear()
        gc.collect()


def interrupt_at(number: int, call: Callable[[], object]) -> BaseException | None:
    """Raise an exception at some call or return in the modules about the request."""
    ours = {"wacht._http.client", "wacht._http.connections", "wacht._http.timing"}
    modules = {*ours, "contextlib", "http.client"}
    left = iter(range(number))

    def interrupt(frame: Any, *_: object) -> None:
        if frame.f_globals.get("__name__") in modules and next(left, None) is None:
            raise KeyboardInterrupt

    sys.setprofile(interrupt)
    try:
        call()
    except KeyboardInterrupt as error:
        return error
    finally:
        sys.setprofile(None)
    return None


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_exception__at_any_call_does_not_spoil_the_next_request() -> None:
    """Not even if what it holds is freed in the middle of it. Nothing is printed."""
    throttle = HoldingThrottle()
    with RawServer() as server, server.session(throttle=throttle) as session:
        fetch = session.fetch_execution_contexts

        def is_interrupted(number: int) -> bool:
            if error := interrupt_at(number, fetch):
                throttle.held.append(error)
            assert len(fetch()) == 20
            return error is not None

        numbers = itertools.count(1)
        gc.freeze()  # what is there already makes each collection slow
        # An own context each: variables mustn't have what an earlier call left.
        while Context().run(is_interrupted, next(numbers)):
            pass
        gc.unfreeze()
        assert next(numbers) > 20
