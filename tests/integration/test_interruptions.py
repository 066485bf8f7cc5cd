"""Exceptions of the caller's own, from signal handlers, pass unchanged."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

import wacht
from tests.servers import RawServer, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "signals.py"


@contextlib.contextmanager
def on_signal(error: Exception, seconds: float = 0) -> Iterator[None]:
    """Raise an error in this thread at a signal, which may come after some time."""

    def handler(_signal: int, _frame: object) -> None:
        raise error

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
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

posix_main = pytest.mark.skipif(
    not hasattr(signal, "setitimer")
    or threading.current_thread() is not threading.main_thread(),
    reason="signals reach the main thread",
)


@posix_main
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("place", SCRIPTS)
def test_signal__ends_a_request(place: str, *, own: bool) -> None:
    """It passes unchanged, once; the throttle's slot and the connection are free."""
    error = TimeoutError("time is up")
    throttle = wacht.Throttle(per_second=2, per_minute=2)
    http = requests.Session() if own else None
    with (
        RawServer(SCRIPTS[place], times=1) as server,
        server.session(throttle=throttle, http=http) as session,
    ):
        start = time.monotonic()
        with on_signal(error), pytest.raises(TimeoutError) as caught:
            session.fetch_execution_contexts()
        assert caught.value is error
        assert time.monotonic() - start < 20
        assert len(server.heads) == 1
        assert all(slot.at is not None for slot in throttle._taken)
        if place != "back-off":
            assert len(session.fetch_execution_contexts()) == 20


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timer")
def test_signals__anywhere() -> None:
    """None hangs the session, gets lost, or costs or spoils a page."""
    command = [sys.executable, str(BENCHMARK), "--signals", "200"]
    subprocess.run(command, check=True, timeout=100, stdout=subprocess.DEVNULL)
