"""A session and a fork, as in a server that loads the program before it forks."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from wacht.sandbox import Sandbox

if not hasattr(os, "fork"):
    pytest.skip("this system has no forks", allow_module_level=True)

SESSION = """
import os, sys, threading, wacht

throttle = wacht.Throttle(per_second=1_000, per_minute=100_000)
session = wacht.Session("wk_sandbox", base_url=sys.argv[1], throttle=throttle)
session.fetch_execution_contexts()
def end(child):
    os._exit(os.waitpid(child, 0)[1] != 0 if child else 0)
"""
BOTH_ASK = """
child = os.fork()
page = 3 if child else 7
for _ in range(100):
    contexts = session.fetch_execution_contexts(page=page, per_page=10)
    if [int(context.id) // 10 + 1 for context in contexts] != [page] * 10:
        os._exit(1)
end(child)
"""


THREADS_ASK = """
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


def exit_status(script: str, url: str) -> int:
    # Python warns of a fork beside threads; what then happens is tested here.
    options = ["-W", "ignore::DeprecationWarning"]
    command = [sys.executable, *options, "-c", SESSION + script, url]
    return subprocess.run(command, timeout=30, check=False).returncode


@pytest.mark.parametrize("script", [BOTH_ASK, THREADS_ASK])
def test_fork__parent_and_child(script: str) -> None:
    """Each gets its own pages; none waits for a thread of the other."""
    with Sandbox([{"id": str(number)} for number in range(100)]) as sandbox:
        assert exit_status(script, sandbox.url) == 0
