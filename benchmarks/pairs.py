"""Ratios of paired runs: what is compared runs in turn, in one process."""

from __future__ import annotations

import platform
import statistics
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager


class Pair(NamedTuple):
    """The median ratio of paired runs, and the median seconds of each side."""

    ratio: float
    ours: float
    theirs: float


def seconds(work: Callable[[], object]) -> float:
    """Time one run."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(
    ours: Callable[[], object],
    others: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 15,
) -> dict[str, Pair]:
    """Run ours after each of the others, in each round, and give the medians."""
    for work in (ours, *others.values()):
        work()
    runs: dict[str, list[Pair]] = {name: [] for name in others}
    for _ in range(rounds):
        for name, work in others.items():
            theirs, own = seconds(work), seconds(ours)
            runs[name].append(Pair(own / theirs, own, theirs))
    median = statistics.median
    return {
        name: Pair(*map(median, zip(*each, strict=True))) for name, each in runs.items()
    }


def without_msgspec() -> AbstractContextManager[object]:
    """Parse as on an installation without the extra `speed`."""
    return mock.patch("wacht._protocol.json._fast_decode", None)


def heading(title: str, *distributions: str) -> str:
    """Say what was measured, and with which versions."""
    versions = ", ".join(f"{name} {version(name)}" for name in distributions)
    return f"{title} (Python {platform.python_version()}, {versions})"


def table(title: str, pairs: Mapping[str, Pair]) -> str:
    """Write ratios and milliseconds as a Markdown table."""
    rows = "\n".join(
        f"| {name} | {ratio:.2f} | {_ms(ours)} | {_ms(theirs)} |"
        for name, (ratio, ours, theirs) in pairs.items()
    )
    head = "| ours against | ratio | ours, ms | theirs, ms |\n|---|---|---|---|"
    return f"{title}\n\n{head}\n{rows}\n"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.{0 if seconds >= 0.01 else 2}f}"
