"""The price of a start, each in a process of its own: `python benchmarks/start.py`."""

from __future__ import annotations

import statistics
import subprocess
import sys

import pairs
import server

SCRIPT = """
import time
start = time.perf_counter()
{work}
print(time.perf_counter() - start)
"""
FIRST_PAGE = "wacht.Session('key', base_url='{url}').fetch_execution_contexts()"
ROUNDS = 21


def seconds(work: str) -> float:
    """Time some work in a new interpreter."""
    command = [sys.executable, "-c", SCRIPT.format(work=work)]
    return float(subprocess.run(command, capture_output=True, check=True).stdout)


def main() -> None:
    with server.running(1) as url:
        works = {
            "import requests": "import requests",
            "import requests, attrs": "import requests, attrs",
            "import wacht": "import wacht",
            "import wacht, Session()": "import wacht; wacht.Session('key')",
            "and the first page": f"import wacht; {FIRST_PAGE.format(url=url)}",
        }
        times: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(ROUNDS):
            for name, work in works.items():
                times[name].append(seconds(work))
    base = times["import requests"]
    print(pairs.heading("Start, against `import requests`", "requests", "attrs"))
    print("\n| work | ratio |\n|---|---|")
    for name, each in times.items():
        ratio = statistics.median(a / b for a, b in zip(each, base, strict=True))
        print(f"| {name} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
