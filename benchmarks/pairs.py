"""Ratios of paired runs: what is compared runs in turn, in one process."""

from __future__ import annotations

import platform
import statistics
import time
from importlib.metadata import version
from typing import TYPE_CHECKING
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager


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
) -> dict[str, float]:
    """Run ours after each of the others, in each round, and give the median ratios."""
    for work in (ours, *others.values()):
        work()
    ratios: dict[str, list[float]] = {name: [] for name in others}
    for _ in range(rounds):
        for name, work in others.items():
            theirs = seconds(work)
            ratios[name].append(seconds(ours) / theirs)
    return {name: statistics.median(each) for name, each in ratios.items()}


def without_msgspec() -> AbstractContextManager[object]:
    """Parse as on an installation without the extra `speed`."""
    return mock.patch("wacht._protocol.json._fast_decode", None)


def heading(title: str, *distributions: str) -> str:
    """Say what was measured, and with which versions."""
    versions = ", ".join(f"{name} {version(name)}" for name in distributions)
    return f"{title} (Python {platform.python_version()}, {versions})"


def table(title: str, ratios: Mapping[str, float]) -> str:
    """Write ratios as a Markdown table."""
    rows = "\n".join(f"| {name} | {ratio:.2f} |" for name, ratio in ratios.items())
    return f"{title}\n\n| ours against | ratio |\n|---|---|\n{rows}\n"
