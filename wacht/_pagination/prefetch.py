"""Read some windows ahead of their turn, in threads."""

from __future__ import annotations

import os
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from wacht._waiting import Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from wacht._protocol.windows import Run, Window

    Read = Callable[[Window], Run]
    Following = Callable[[int], Window]


class Prefetcher:
    """
    Give runs in the order of their windows, some of them read ahead.

    Args:
        read: Reads a window; called from threads.
        depth: How many windows to read ahead; with 0, each is read at its turn.

    """

    def __init__(self, read: Read, depth: int) -> None:
        self._read = read
        self._depth = self._reach = depth
        self._ahead: deque[tuple[Window, Task[Run]]] = deque()
        self._process = os.getpid()

    def take(self, window: Window, end: int) -> Run:
        """
        Return the run whose turn it is.

        Args:
            window: What to read if nothing was read ahead.
            end: Where the runs so far end; a window behind that has to wait.

        """
        if self._process != os.getpid():
            self._ahead.clear()  # the threads stayed in the parent of the fork
            self._process = os.getpid()
        while self._ahead and self._ahead[0][0].end <= end:
            self._ahead.popleft()  # what it holds was read otherwise
        if self._ahead and self._ahead[0][0].offset <= end:
            return self._ahead.popleft()[1].result()
        return self._read(window)

    def plan(self, end: int, following: Following, until: int) -> None:
        """
        Start to read ahead.

        Args:
            end: Where the runs so far end.
            following: Returns the window behind one that ends at an offset.
            until: The offset from which on nothing is needed.

        """
        if self._ahead:
            end = max(end, self._ahead[-1][0].end)
        while (
            len(self._ahead) < self._reach
            and end < until
            and not any(map(_ends_list, self._ahead))
        ):
            window = following(end)
            self._ahead.append((window, _read_in_thread(self._read, window)))
            end = window.end
        self._reach = min(self._depth, 2 * self._reach)

    def restart(self) -> None:
        """Forget what was read ahead, and read one window ahead first, then more."""
        self._ahead.clear()
        self._reach = min(self._depth, 1)


def _ends_list(ahead: tuple[Window, Task[Run]]) -> bool:
    """Return whether no window behind this one can be needed."""
    _, run = ahead
    return run.done() and (run.exception() is not None or not run.result().has_more)


def _read_in_thread(read: Read, window: Window) -> Task[Run]:
    return Task(f"wacht {window}", partial(read, window))
