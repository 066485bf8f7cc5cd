"""Large answers, compressed or not, are bounded in memory and time."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import weakref
from typing import TYPE_CHECKING

import pytest
import requests

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


@pytest.mark.parametrize("spoil", [Sandbox.flood, lambda s: s.bomb(256 * 2**20)])
def test_memory__stays_near_the_limit(
    spoil: Callable[[Sandbox], None], sandbox: Sandbox
) -> None:
    """An endless answer costs less than three times the limit, packed or not."""
    spoil(sandbox)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, sandbox.url, str(MAX_BYTES)],
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    name, length, peak = json.loads(done.stdout)
    assert (name, length) == ("DecodeError", 2**16)
    assert MAX_BYTES < peak < 3 * MAX_BYTES


def test_memory__of_an_answer_is_free_at_once(sandbox: Sandbox) -> None:
    """No cycle keeps the body until the garbage collector comes."""
    seen: list[weakref.ref[requests.Response]] = []
    with requests.Session() as http:
        http.hooks["response"].append(lambda r, **_: seen.append(weakref.ref(r)))
        with sandbox.session(http=http) as session:
            gc.disable()
            try:
                session.fetch_execution_contexts()
                (response,) = seen
                assert response() is None
            finally:
                gc.enable()
