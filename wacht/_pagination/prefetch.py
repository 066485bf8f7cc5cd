"""Read some windows ahead of their turn, in threads."""

from __future__ import annotations

import os
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from wacht._threads import Task
from wacht._waiting import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wacht._protocol.windows import Batch, Window


class Prefetcher:
    """Give batches in the order of their windows, some of them read ahead."""

    def __init__(self, read: Callable[[Window], Batch], depth: int) -> None:
        self._read = read
        self._depth = depth
        self._ahead: deque[tuple[Window, Task[Batch]]] = deque()
        self._process = os.getpid()

    def take(self, choose: Callable[[], Window]) -> tuple[Window, Batch]:
        """Return the window whose turn it is, or else the chosen one, and what came."""
        if self._process != os.getpid():
            self._ahead.clear()  # the threads stayed in the parent of the fork
            self._process = os.getpid()
        if not self._ahead:
            window = choose()
            return window, self._read(window)
        window = self._ahead[0][0]  # no name for the task: its error would hold it
        return window, self._ahead.popleft()[1].result()

    @property
    def last(self) -> Window | None:
        """The last window that was asked for, if it wasn't taken yet."""
        return self._ahead[-1][0] if self._ahead else None

    def plan(self, windows: Iterable[Window]) -> None:
        for window in windows:
            if len(self._ahead) >= self._depth or any(map(_ends_list, self._ahead)):
                break
            try:
                task = Task(f"wacht {window}", partial(self._read, window))
            except RuntimeError as error:
                logger.info("reading without prefetch: %s", error)
                self._depth = 0
                return
            self._ahead.append((window, task))

    def clear(self) -> None:
        self._ahead.clear()


def _ends_list(ahead: tuple[Window, Task[Batch]]) -> bool:
    """Return whether no window behind this one can be needed."""
    _, task = ahead
    return task.done() and (task.exception() is not None or not task.result().has_more)
