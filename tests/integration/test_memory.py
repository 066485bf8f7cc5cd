"""Large answers, compressed or not, are bounded in memory and time."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
import tracemalloc
import weakref
import zlib
from typing import TYPE_CHECKING

import pytest
import requests
from urllib3 import Retry

import wacht
from tests.servers import RawServer, Wire
from wacht.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES = 16 * 2**20
GIB = 2**30
CHUNKED = "Transfer-Encoding: chunked"

# In a process of its own, where nothing but the session takes memory.
SCRIPT = """
import json, sys, tracemalloc
import urllib3, wacht

url, max_bytes = sys.argv[1], int(sys.argv[2])
session = wacht.Session(
    "k", base_url=url, throttle=None, max_response_bytes=max_bytes,
    retry=urllib3.Retry(total=0),
)
try:
    session.fetch_execution_contexts(page=2)
except wacht.NotFoundError:
    tracemalloc.start()
try:
    session.fetch_execution_contexts()
except wacht.WachtError as error:
    _, peak = tracemalloc.get_traced_memory()
    print(json.dumps([type(error).__name__, len(error.body), peak]))
"""


def warmed_up(wire: Wire) -> bool:
    """Answer the first request, which only loads modules."""
    is_first = wire.query.get("page") == "2"
    if is_first:
        wire.answer(b"", "Connection: close", status="404 Not Found")
    return is_first


def endless(
    filler: bytes, status: str = "200 OK", *headers: str
) -> Callable[[Wire], None]:
    head = "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode()

    def script(wire: Wire) -> None:
        if warmed_up(wire):
            return
        wire.send(head)
        while True:
            wire.send(filler)

    return script


def bomb(level: int) -> Callable[[Wire], None]:
    """Send two gibibytes of spaces, compressed to two mebibytes or less."""

    def script(wire: Wire) -> None:
        if warmed_up(wire):
            return
        packer = zlib.compressobj(level, wbits=31)
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
        for _ in range(2 * GIB // 2**20):
            wire.send(packer.compress(b" " * 2**20))
        wire.send(packer.flush())

    return script


CASES = {
    "endless": (endless(b" " * 2**16), "DecodeError"),
    "endless list": (endless(b'{"data":[' * 2**12), "DecodeError"),
    "endless error": (endless(b"x" * 2**16, "500 No"), "ServerError"),
    "endless redirect": (endless(b"x" * 2**16, "302 No", "Location: /"), "ApiError"),
    "endless chunks": (
        endless(b"8000\r\n%b\r\n" % (b" " * 2**15), "200 OK", CHUNKED),
        "DecodeError",
    ),
    "bomb": (bomb(9), "DecodeError"),
}  # fmt: skip


@pytest.mark.parametrize(("script", "kind"), CASES.values(), ids=CASES)
def test_memory__stays_near_the_limit(
    script: Callable[[Wire], None], kind: str
) -> None:
    """An endless answer costs less than three times the limit."""
    with RawServer(script) as server:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, server.url, str(MAX_BYTES)],
            stdout=subprocess.PIPE,
            check=True,
            timeout=60,
        )
    name, length, peak = json.loads(done.stdout)
    assert (name, length) == (kind, 2**16)
    assert MAX_BYTES < peak < 3 * MAX_BYTES


def test_limit__is_exact() -> None:
    with Sandbox(1) as server:
        with server.session() as session:
            session.fetch_execution_contexts()
        body = json.dumps({"data": server.contexts, "has_more": False})
        server.answer(200, body, times=2)
        with server.session(max_response_bytes=len(body)) as session:
            assert len(session.fetch_execution_contexts()) == 1
        with (
            server.session(max_response_bytes=len(body) - 1) as session,
            pytest.raises(wacht.DecodeError, match=r"at most .* bytes, got more"),
        ):
            session.fetch_execution_contexts()


@pytest.mark.parametrize("fault", ["flood", "bomb"])
def test_limit__is_one_request(fault: str) -> None:
    """A page that is too large isn't asked for again."""
    with Sandbox() as server:
        if fault == "flood":
            server.flood(times=None)
        else:
            server.bomb(2 * GIB, times=None)
        with (
            server.session(max_response_bytes=2**20) as session,
            pytest.raises(wacht.DecodeError),
        ):
            session.fetch_execution_contexts()
        assert len(server.requests) == 1


def test_limit__in_a_walk() -> None:
    with Sandbox() as server, server.session(max_response_bytes=2**20) as session:
        walk = session.iter_execution_contexts(per_page=100)
        first = [next(walk) for _ in range(100)]
        server.flood(times=None)
        with pytest.raises(wacht.DecodeError) as caught:
            next(walk)
        server.heal()
        rest = list(session.iter_execution_contexts(caught.value.resume))
    assert [context.id for context in first + rest] == [
        context["id"] for context in server.contexts
    ]


def test_limit__of_values() -> None:
    """A small gzip of millions of contexts is an error before they are built."""
    packer = zlib.compressobj(wbits=31)
    many = b'{"data": [' + b"{}," * 19_000_000 + b'{}], "has_more": true}'
    body = packer.compress(many) + packer.flush()
    del many
    assert len(body) < 2**18
    with (
        RawServer(lambda wire: wire.answer(body, "Content-Encoding: gzip")) as server,
        server.session() as session,
    ):
        start = time.monotonic()
        with pytest.raises(wacht.DecodeError, match="at most 1,000,000 values"):
            list(session.iter_execution_contexts())
        assert time.monotonic() - start < 5
        assert len(server.heads) == 1


def test_error__with_a_large_body() -> None:
    """60 MB of escapes cost little time, and the error keeps 64 KiB."""
    body = b"&#38;" * 12_000_000
    with (
        RawServer(lambda wire: wire.answer(body, status="400 No")) as server,
        server.session() as session,
    ):
        start = time.process_time()
        with pytest.raises(wacht.BadRequestError) as caught:
            session.fetch_execution_contexts()
        assert time.process_time() - start < 1
        assert len(caught.value.body) == 2**16


def test_memory__of_an_answer_is_free_at_once() -> None:
    """No cycle keeps the body until the garbage collector comes."""
    seen: list[weakref.ref[requests.Response]] = []
    with Sandbox() as server, requests.Session() as http:
        http.hooks["response"].append(lambda r, **_: seen.append(weakref.ref(r)))
        with server.session(http=http) as session:
            gc.disable()
            try:
                session.fetch_execution_contexts()
                (response,) = seen
                assert response() is None
            finally:
                gc.enable()


def test_memory__of_a_walk_does_not_grow_with_its_pages() -> None:
    """A walk keeps ids, but no pages."""
    with Sandbox(5000) as server, server.session(retry=Retry(total=0)) as session:
        walk = session.iter_execution_contexts()
        for _ in range(1000):
            next(walk)
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(3500):
            next(walk)
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        walk.close()
    assert after - before < 3500 * 500  # bytes; a context alone takes three times that
