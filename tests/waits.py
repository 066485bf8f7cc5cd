"""Waits of tests: for as long as it takes, up to what only a broken test needs."""

from __future__ import annotations

import threading

PATIENCE = 300  # seconds


def settle() -> None:
    """Wait until no thread that reads ahead is left."""
    for thread in threading.enumerate():
        if thread.name.startswith("wacht limit"):
            thread.join(PATIENCE)
