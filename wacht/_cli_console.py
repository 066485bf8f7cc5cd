"""
The streams of the command: what is said on them, and what becomes of a broken one.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import stat
import sys
import time
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from io import TextIOWrapper
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ._display import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from .models import WalkProgress

_MUCH_LONGER = 5  # seconds; a wait that ends later than that is told of anew


@contextmanager
def delivered_output() -> Generator[None]:
    """
    Make stdout take any text, and deliver all of it before leaving.

    Raises:
        OSError: It cannot be written to.

    """
    if sys.stdout is None:  # Python's way to say that it was closed from the start
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    _accept_any_text(sys.stdout)
    try:
        yield
    except KeyboardInterrupt:
        silence(sys.stdout)  # its reader may have stopped reading, for good
        raise
    finally:
        sys.stdout.flush()


def _accept_any_text(stream: TextIO) -> None:
    if isinstance(stream, TextIOWrapper):
        # Line ends stay as the formats have them, on Windows too.
        stream.reconfigure(errors="backslashreplace", newline="")


def silence(stream: TextIO | None) -> None:
    """
    Let go of what a stream still holds: Python would try to deliver it at its end.
    """
    if stream is not None:
        with suppress(OSError), Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())


def tell(message: str) -> None:
    """
    Say something on stderr, in one line; if nobody listens, so be it.
    """
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(f"wacht: {printable(message)}\n")
        sys.stderr.flush()
    except OSError:
        silence(sys.stderr)


def terminal_width() -> int | None:
    """
    Tell how many columns the terminal on stdout has, None if there is no terminal.
    """
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


@contextmanager
def log_told() -> Generator[None]:
    """
    Tell what the package logs.
    """
    logger = logging.getLogger("wacht")
    handler = _Teller()
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


class _Teller(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        tell(record.getMessage())


def progress_shown() -> bool | Callable[[WalkProgress], object]:
    """
    Choose what someone at a terminal sees of a walk; the `progress` of a walk.

    A bar needs the terminal for itself: beside rows, or beside what a pager draws, it
    would spoil both. So it is for rows that go to a file; else there are notices.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        return False
    if find_spec("tqdm") is not None and _is_file(sys.stdout):
        return True
    return WaitNotices()


def _is_file(stream: TextIO) -> bool:
    with suppress(OSError):
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    return False


class WaitNotices:
    """
    Tell of each wait once, though pages that are read ahead wait side by side.

    Args:
        clock: A monotonic clock, in seconds.

    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = -inf

    def __call__(self, progress: WalkProgress) -> None:
        if progress.waiting is None:
            return
        now = self._clock()
        until = now + progress.waiting
        if now >= self._until or until >= self._until + _MUCH_LONGER:
            self._until = until
            tell(f"waiting {progress.waiting:.0f} s: {progress.reason}")
