"""Exceptions of the caller's own, from signal handlers, hooks and adapters, pass."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
from requests.adapters import BaseAdapter

import wacht
from tests.servers import RawServer, Wire
from wacht.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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


@posix_main
def test_signal__ends_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next address isn't tried."""
    tried: list[Any] = []

    def connect(address: Any, *_: Any, **__: Any) -> Any:
        tried.append(address)
        signal.raise_signal(signal.SIGALRM)

    addresses = [(2, 1, 6, "", (f"127.0.0.{n}", 9)) for n in (1, 2)]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_: addresses)
    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    with (
        wacht.Session("k", base_url="http://localhost:9", throttle=None) as session,
        on_signal(TimeoutError("time is up")),
        pytest.raises(TimeoutError, match="time is up"),
    ):
        session.fetch_execution_contexts()
    assert len(tried) == 1


class Adapter(BaseAdapter):
    """An adapter of the caller's that fails."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error
        self.asked = 0

    def send(self, *_: Any, **__: Any) -> Any:
        self.asked += 1
        raise self._error

    def close(self) -> None:
        pass


def test_exception__of_a_hook_or_adapter_passes() -> None:
    error = TimeoutError("no")

    def hook(*_: Any, **__: Any) -> None:
        raise error

    adapter = Adapter(error)
    for place in ("hook", "adapter"):
        with Sandbox() as sandbox, requests.Session() as http:
            if place == "adapter":
                http.mount("http://", adapter)
            http.hooks["response"].append(hook)
            with (
                sandbox.session(http=http) as session,
                pytest.raises(TimeoutError) as e,
            ):
                session.fetch_execution_contexts()
        assert e.value is error
    assert adapter.asked == 1
