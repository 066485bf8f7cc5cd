"""What the child of a fork must not share with its parent."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class PerProcess(Generic[T]):
    """
    A value of this process, such as a lock; the child of a fork makes its own.

    The parent's lock may be held by a thread that the child doesn't have.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._values = {os.getpid(): make()}

    def get(self) -> T:
        """Return the value; the same for all threads, even if they come at once."""
        process = os.getpid()
        if process not in self._values:
            self._values.setdefault(process, self._make())
        return self._values[process]


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
