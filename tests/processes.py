"""Programs that run to their end, or are stopped in the middle of a walk."""

from __future__ import annotations

import subprocess
import sys
from threading import Event
from typing import Any

from tests.waits import PATIENCE
from wacht.sandbox import Sandbox


def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments."""
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        **options,
    )


def output_of(*arguments: object, **options: Any) -> str:
    """Run Python to its end without an error, and return what it prints."""
    ran = run(*arguments, **options)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def stopped_at_request(
    number: int, sandbox: Sandbox, signal: int, *arguments: object, **options: Any
) -> str:
    """Send a signal to a Python program that waits for an answer; return its stderr."""
    reached, sent = Event(), Event()

    def hold(_contexts: object) -> None:
        if len(sandbox.requests) == number:
            reached.set()
            assert sent.wait(PATIENCE)

    sandbox._live = hold
    command = [sys.executable, *map(str, arguments)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options) as it:
        try:
            assert reached.wait(PATIENCE)
            it.send_signal(signal)
            _, message = it.communicate(timeout=PATIENCE)
        finally:
            it.kill()
            sandbox._live = None
            sent.set()
    assert it.returncode
    return message
