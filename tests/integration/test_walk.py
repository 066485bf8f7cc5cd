"""Walks over real sockets: what they ask for, how they end, what they leave behind."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

import wacht
from tests.model import ids_of, until_error
from tests.processes import output_of
from tests.servers import RawServer, Wire, page_of
from tests.waits import PATIENCE, settle
from wacht.sandbox import Changes, Sandbox


def ids_in(sandbox: Sandbox) -> list[str]:
    return [context["id"] for context in sandbox.contexts]


@pytest.mark.parametrize(
    ("name", "value"),
    [("page", 0), ("prefetch", -1), ("prefetch", True), ("deadline", 0), ("limit", 0)],
)
def test_walk__arguments(name: str, value: Any) -> None:
    """Arguments are checked at the call, and nothing is sent before the first next."""
    with Sandbox() as sandbox, sandbox.session() as session:
        for walk in (
            session.iter_execution_contexts,
            session.iter_execution_context_pages,
        ):
            with pytest.raises(wacht.InvalidRequestError, match=name):
                walk(**{name: value})
            walk(prefetch=8)
        assert sandbox.requests == []


@pytest.mark.parametrize("prefetch", [0, 4])
@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize(
    ("build", "setting"),
    [("page", "auto"), ("offset", "auto"), ("offset-without-echo", "offset")],
)
def test_walk__each_build(
    *, build: Any, setting: Any, live: bool, prefetch: int
) -> None:
    """
    Over sockets and in threads, nothing that stays is missed either.

    Without threads, one connection is kept alive.
    """
    changes = Changes(active=1, added=1) if live else None
    with (
        Sandbox(450, revision=build, live=changes) as sandbox,
        sandbox.session(pagination=setting) as session,
    ):
        for _ in range(2):
            before = ids_in(sandbox)
            walk = session.iter_execution_contexts(exhaustive=True, prefetch=prefetch)
            got = ids_of(walk)
            assert len(got) == len(set(got))
            assert set(before) & set(ids_in(sandbox)) <= set(got)
            assert live or got == before
        assert prefetch or sandbox._server.connections == 1


@pytest.mark.parametrize("revision", ["page", "offset"])
def test_walk__twelve_threads(revision: Any) -> None:
    with Sandbox(250, revision=revision) as sandbox, sandbox.session() as session:
        start = threading.Barrier(12)

        def walk(prefetch: int) -> list[str | None]:
            start.wait(PATIENCE)
            return ids_of(
                session.iter_execution_contexts(per_page=50, prefetch=prefetch)
            )

        with ThreadPoolExecutor(12) as pool:
            assert [*pool.map(walk, [0] * 12)] == [ids_in(sandbox)] * 12
            # By offset, each looks at the top again.
            assert len(sandbox.requests) == 12 * (5 if revision == "page" else 6)
            assert [*pool.map(walk, range(12))] == [ids_in(sandbox)] * 12


def test_prefetch__all_at_once() -> None:
    """
    With prefetch=8, eight requests are under way before any of them is answered.

    The throttle counts them from when they were sent, so it doesn't wait for answers.
    """
    throttle = wacht.Throttle(per_second=5, per_minute=1000)
    crowd = threading.Barrier(8)

    def script(wire: Wire) -> None:
        number = int(wire.query["page"])
        if 2 <= number <= 9:
            crowd.wait(PATIENCE)
        wire.answer(page_of([str(number)], has_more=number < 12))

    with RawServer(script) as server, server.session(throttle=throttle) as session:
        walk = session.iter_execution_contexts(prefetch=8)
        assert ids_of(walk) == [str(number) for number in range(1, 13)]
        settle()
        assert len(server.heads) <= 12 + 7


@pytest.mark.parametrize(("prefetch", "own"), [(0, False), (4, False), (0, True)])
def test_deadline__a_stalled_server(prefetch: int, *, own: bool) -> None:
    """A walk ends at its deadline, whatever it waits for, and can go on later."""
    stalled = threading.Event()

    def script(wire: Wire) -> None:
        number = int(wire.query["page"])
        if number > 1 and not stalled.is_set():
            wire.pause(600)
        wire.answer(page_of([str(number)], has_more=number < 3))

    http = requests.Session() if own else None
    with RawServer(script) as server, server.session(http=http) as session:
        start = time.monotonic()
        walk = session.iter_execution_contexts(prefetch=prefetch, deadline=0.5)
        got, error = until_error(walk)
        assert time.monotonic() - start < 20  # no read timeout of 30 s has passed
        assert isinstance(error, wacht.DeadlineExceededError)
        stalled.set()
        got += ids_of(session.iter_execution_contexts(error.resume))
        assert got == ["1", "2", "3"]


@pytest.mark.parametrize("close", [wacht.Session.close, id])
def test_session__left_during_a_walk(close: Callable[[wacht.Session], object]) -> None:
    """A walk goes on, though nobody but it remembers the session, closed or not."""
    with Sandbox(250) as sandbox:
        session = sandbox.session()
        walk = session.iter_execution_contexts(prefetch=2)
        first = next(walk)
        close(session)
        del session
        gc.collect()
        assert ids_of([first, *walk]) == ids_in(sandbox)


@pytest.mark.parametrize("by", ["session", "module"])
def test_updates__over_the_wire(by: str, wacht_sandbox: Sandbox) -> None:
    """The first run reads everything, and the next one what was active since."""
    with wacht.Session() as session:
        face: Any = session if by == "session" else wacht
        pages = [*face.iter_execution_context_updates(per_page=100)]
        assert {c.id for page in pages for c in page} == {*ids_in(wacht_sandbox)}
        following = next(face.iter_execution_context_updates(pages[-1].state))
    assert following.started_at > pages[0].started_at


FORKS = """
import os, sys, threading, wacht

throttle = wacht.Throttle(per_second=1_000, per_minute=100_000)
session = wacht.Session("wk_sandbox", base_url=sys.argv[1], throttle=throttle)
session.fetch_execution_contexts()
def ask():
    fresh = wacht.Session("wk_sandbox", base_url=sys.argv[1])
    while True:
        fresh.fetch_execution_contexts(per_page=1)
for _ in range(4):
    threading.Thread(target=ask, daemon=True).start()
for _ in range(30):
    child = os.fork()
    if not child:
        session.fetch_execution_contexts()
        with wacht.Session("wk_sandbox", base_url=sys.argv[1]) as another:
            os._exit(repr(another._endpoint._throttle)[0] != "T")
    if os.waitpid(child, 0)[1]:
        os._exit(1)
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no forks")
def test_fork__child_waits_for_no_thread_of_its_parent(sandbox: Sandbox) -> None:
    # Python warns of a fork beside threads; what then happens is tested here.
    output_of("-W", "ignore::DeprecationWarning", "-c", FORKS, sandbox.url)
