"""What a process may run out of: memory, and file descriptors."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable

import pytest
import requests

from tests.processes import output_of
from wacht.sandbox import Sandbox

MAX_BYTES = 16 * 2**20


# In a process of its own, where nothing but the session takes memory.
SCRIPT = """
import json, sys, tracemalloc
import urllib3, wacht
import wacht._protocol.decoding

url, max_bytes = sys.argv[1], int(sys.argv[2])
session = wacht.Session(
    "wk_sandbox", base_url=url, throttle=None, max_response_bytes=max_bytes,
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
    spoil(sandbox)
    name, length, peak = json.loads(output_of("-c", SCRIPT, sandbox.url, MAX_BYTES))
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


WITHOUT_DESCRIPTORS = """
import contextlib, resource, sys
import urllib3, wacht

session = wacht.Session(
    "wk_sandbox", base_url=sys.argv[1], throttle=None, retry=urllib3.Retry(0)
)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
with contextlib.suppress(OSError):
    while True:
        held.append(open("/dev/null"))
try:
    session.fetch_execution_contexts()
except wacht.RequestError as error:
    print(error)
held.pop().close()
print(len(list(session.iter_execution_contexts())))
"""


def test_descriptors__none_or_one_is_free(sandbox: Sandbox) -> None:
    """One for the connection will do: nothing is imported after the session."""
    pytest.importorskip("resource")
    refusal, count = output_of("-c", WITHOUT_DESCRIPTORS, sandbox.url).splitlines()
    assert refusal.endswith("no connection: Too many open files")
    assert count == "250"
