"""What the child of a fork must not share with its parent."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Generic, TypeVar

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
