"""A session and a fork, as in a server that loads the program before it forks."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.waits import PATIENCE

if TYPE_CHECKING:
    from wacht.sandbox import Sandbox

if not hasattr(os, "fork"):
    pytest.skip("this system has no forks", allow_module_level=True)

SCRIPT = """
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


def test_fork__child_waits_for_no_thread_of_its_parent(sandbox: Sandbox) -> None:
    # Python warns of a fork beside threads; what then happens is tested here.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", SCRIPT]
    subprocess.run([*command, sandbox.url], check=True, timeout=PATIENCE)
