"""
Bytes that a walk keeps for each context: `python benchmarks/memory.py`.

10,000 contexts against 1,000,000 (or as many as the first argument says), so that what
a walk costs in any case does not count. The contexts themselves are dropped.
"""

from __future__ import annotations

import gc
import resource
import subprocess
import sys

import pairs
import server

import wacht


def peak(url: str) -> int:
    """Walk in this process, and give its peak of resident memory in bytes."""
    with wacht.Session("key", base_url=url, throttle=None) as session:
        count = sum(1 for _ in session.iter_execution_contexts())
    gc.collect()
    print(count, file=sys.stderr)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def peak_elsewhere(contexts: int) -> int:
    """Walk so many contexts in a process of its own."""
    with server.running(contexts // server.PER_PAGE) as url:
        command = [sys.executable, __file__, url]
        return int(subprocess.run(command, capture_output=True, check=True).stdout)


def main(many: int, few: int = 10_000) -> None:
    kept = (peak_elsewhere(many) - peak_elsewhere(few)) / (many - few)
    print(pairs.heading("Memory", "attrs"))
    print(f"\n{kept:.0f} bytes a context, of {many:,} against {few:,}")


if __name__ == "__main__":
    argument = sys.argv[1] if len(sys.argv) > 1 else "1000000"
    if argument.startswith("http"):
        print(peak(argument))
    else:
        main(int(argument))
