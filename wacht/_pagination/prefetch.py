"""Read some windows ahead of their turn, in threads."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future
from contextvars import copy_context
from threading import Thread
from typing import TYPE_CHECKING

from wacht._waiting import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wacht._protocol.windows import Slice, Window

    Read = Callable[[Window], Slice]


class Prefetcher:
    """
    Give slices in the order of their windows, some of them read ahead.

    Args:
        read: Reads a window; called from threads.
        depth: How many windows to read ahead; with 0, each is read at its turn.

    """

    def __init__(self, read: Read, depth: int) -> None:
        self._read = read
        self._depth = self._reach = depth
        self._ahead: deque[tuple[Window, Future[Slice]]] = deque()
        self._process = os.getpid()

    def take(self, window: Window) -> tuple[Window, Slice]:
        """
        Return the window whose turn it is, and what came.

        Args:
            window: The window to read if none was read ahead.

        """
        if self._process != os.getpid():
            self._ahead.clear()  # the threads stayed in the parent of the fork
            self._process = os.getpid()
        if self._ahead:
            window, part = self._ahead.popleft()
            return window, part.result()
        return window, self._read(window)

    def plan(self, windows: Callable[[Window | None], Iterable[Window]]) -> None:
        """
        Start to read ahead.

        Args:
            windows: Returns the windows behind the last one that was asked for, or
                behind what was taken if there is none.

        """
        free = self._reach - len(self._ahead)
        last = self._ahead[-1][0] if self._ahead else None
        for window in windows(last):
            if free <= 0 or any(map(_ends_list, self._ahead)):
                break
            future = _read_in_thread(self._read, window)
            if future is None:
                self._depth = self._reach = 0
                return
            self._ahead.append((window, future))
            free -= 1
        self._reach = min(self._depth, 2 * self._reach)

    def restart(self) -> None:
        """Forget what was read ahead, and read one window ahead first, then more."""
        self._ahead.clear()
        self._reach = min(self._depth, 1)


def _ends_list(ahead: tuple[Window, Future[Slice]]) -> bool:
    """Return whether no window behind this one can be needed."""
    _, part = ahead
    return part.done() and (part.exception() is not None or not part.result().has_more)


def _read_in_thread(read: Read, window: Window) -> Future[Slice] | None:
    """Read in a daemon thread, which doesn't keep the interpreter from exiting."""
    future: Future[Slice] = Future()
    thread = Thread(
        target=copy_context().run,
        args=(_fulfil, future, read, window),
        name=f"wacht {window}",
        daemon=True,
    )
    try:
        thread.start()
    except RuntimeError as error:
        logger.info("reading without prefetch: %s", error)
        return None
    return future


def _fulfil(future: Future[Slice], read: Read, window: Window) -> None:
    try:
        future.set_result(read(window))
    except BaseException as error:  # noqa: BLE001 - raised at the window's turn
        future.set_exception(error)
        del future  # the error holds this frame, which must not hold the error
