"""A clock for tests of one thread."""

from __future__ import annotations


class Clock:
    """Time that passes when something sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept.append(seconds)
        self.now += seconds
        assert self.now < 10_000, "this doesn't end"
