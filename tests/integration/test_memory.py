"""Large answers, compressed or not, are bounded in memory and time."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import weakref
import zlib
from typing import TYPE_CHECKING

import pytest
import requests

from tests.servers import RawServer, Wire
from wacht.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES = 16 * 2**20

# In a process of its own, where nothing but the session takes memory.
SCRIPT = """
import json, sys, tracemalloc
import urllib3, wacht
import wacht._protocol.decoding

url, max_bytes = sys.argv[1], int(sys.argv[2])
session = wacht.Session(
    "k", base_url=url, throttle=None, max_response_bytes=max_bytes,
    retry=urllib3.Retry(total=0),
)
tracemalloc.start()
try:
    session.fetch_execution_contexts()
except wacht.WachtError as error:
    _, peak = tracemalloc.get_traced_memory()
    print(json.dumps([type(error).__name__, len(error.body), peak]))
"""


def endless(status: str) -> Callable[[Wire], None]:
    def script(wire: Wire) -> None:
        wire.send(f"HTTP/1.1 {status}\r\n\r\n".encode())
        while True:
            wire.send(b" " * 2**16)

    return script


def bomb(wire: Wire) -> None:
    """Send 256 mebibytes of spaces, compressed to a quarter of one."""
    packer = zlib.compressobj(wbits=31)
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
    for _ in range(256):
        wire.send(packer.compress(b" " * 2**20))
    wire.send(packer.flush())


CASES = {
    "endless": (endless("200 OK"), "DecodeError"),
    "endless error": (endless("500 No"), "ServerError"),
    "bomb": (bomb, "DecodeError"),
}


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
