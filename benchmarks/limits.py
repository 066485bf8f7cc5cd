"""
300 pages against a server that enforces the limits: `python benchmarks/limits.py`.

Time is scaled down, for the server's windows as for the throttle's.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pairs
import requests
import server

import wacht

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

PAGES = 300
SCALE = 5.0
LEAST = 2 * 60 + 4  # seconds: 100 in each minute, and 20 in each second of the last


class Scaled:
    """A throttle whose time runs faster."""

    def __init__(self) -> None:
        self._throttle = wacht.Throttle(clock=lambda: time.monotonic() * SCALE)

    @contextmanager
    def slot(self, sleep: Callable[[float], None] = time.sleep) -> Generator[None]:
        """Wait for a slot."""
        with self._throttle.slot(lambda seconds: sleep(seconds / SCALE)):
            yield


def walk(url: str, depth: int) -> None:
    with wacht.Session("key", base_url=url, throttle=Scaled()) as session:
        contexts = session.iter_execution_contexts(prefetch=depth)
        assert sum(1 for _ in contexts) == PAGES * server.PER_PAGE


def main() -> None:
    print(pairs.heading(f"Limits, time scaled by {SCALE:g}", "requests"))
    print("\n| prefetch | against the least possible | refused |\n|---|---|---|")
    for depth in (0, 4, 8):
        with server.running(PAGES, scale=SCALE) as url:
            ratio = pairs.seconds(partial(walk, url, depth)) * SCALE / LEAST
            refused = requests.get(f"{url}/refused", timeout=5).text
        print(f"| {depth} | {ratio:.3f} | {refused} |", flush=True)


if __name__ == "__main__":
    main()
