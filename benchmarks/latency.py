"""
A walk of slow pages, read ahead: `python benchmarks/latency.py`.

Against the least time possible: that of the pages one behind the other, the first
alone, or that of the rate limits, whichever is longer.
"""

from __future__ import annotations

from functools import partial
from math import ceil
from typing import Any

import pairs
import server

import wacht

PAGES = 60
LATENCIES = (0.005, 0.05, 0.1, 0.3)
DEPTHS = (0, 2, 4, 8)


def walk(url: str, depth: int, **settings: Any) -> None:
    with wacht.Session("key", base_url=url, **settings) as session:
        contexts = session.iter_execution_contexts(prefetch=depth)
        assert sum(1 for _ in contexts) == PAGES * server.PER_PAGE


def least(latency: float, depth: int, *, throttled: bool) -> float:
    """
    Tell the least time.

    The first page goes alone and then `depth` at a time. Under the limits, each goes a
    second after the one 20 pages before it.
    """
    at_a_time = max(depth, 1)
    pages_of_a_second = min(PAGES, 20)
    sent = ceil((pages_of_a_second - 1) / at_a_time) * latency
    floor = sent + (ceil(PAGES / 20) - 1) + latency if throttled else 0.0
    return max(floor, (1 + ceil((PAGES - 1) / at_a_time)) * latency)


def main() -> None:
    print(pairs.heading("Latency: seconds, and against the least possible", "requests"))
    print("\n| latency | prefetch | free | ratio | throttled | ratio |")
    print("|---|---|---|---|---|---|")
    for latency in LATENCIES:
        with server.running(PAGES, latency=latency) as url:
            for depth in DEPTHS:
                free = pairs.seconds(partial(walk, url, depth, throttle=None))
                own = wacht.Throttle()
                paced = pairs.seconds(partial(walk, url, depth, throttle=own))
                against_free = free / least(latency, depth, throttled=False)
                against_paced = paced / least(latency, depth, throttled=True)
                print(
                    f"| {latency * 1000:.0f} ms | {depth} | {free:.2f} "
                    f"| {against_free:.2f} | {paced:.2f} | {against_paced:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
