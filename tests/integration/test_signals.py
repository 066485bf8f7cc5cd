"""Exceptions of a signal handler, anywhere: the benchmark's short form."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "signals.py"


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timer")
def test_signals__anywhere() -> None:
    """None hangs the session, gets lost, or costs or spoils a page."""
    command = [sys.executable, str(SCRIPT), "--signals", "200"]
    subprocess.run(command, check=True, timeout=100, stdout=subprocess.DEVNULL)
