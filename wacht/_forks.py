"""Reset state in the child of a fork, where the threads that held locks don't exist."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Resettable(Protocol):
    """An object whose state doesn't survive a fork."""

    def reset_after_fork(self) -> None:
        """Make the object usable in the child: new locks, no waiting threads."""
        ...


_registered: WeakSet[Resettable] = WeakSet()


def register(thing: Resettable) -> None:
    """Have an object's `reset_after_fork` called in each child of a fork."""
    _registered.add(thing)


def _reset_all() -> None:
    for thing in list(_registered):
        thing.reset_after_fork()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no forks
    os.register_at_fork(after_in_child=_reset_all)
