"""The command's streams: deliver all output, or say why that failed."""

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

from wacht._text import escape_controls

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from wacht.models import WalkProgress

_NEW_WAIT = 5  # seconds; a wait that ends this much later gets a notice of its own


@contextmanager
def delivered_output() -> Generator[None]:
    """Make stdout accept any text, and flush it before leaving."""
    if sys.stdout is None:  # how Python represents a stdout closed from the start
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    stdout: TextIO = sys.stdout
    if isinstance(stdout, TextIOWrapper):
        # An empty newline keeps the line ends of the formats, on Windows too.
        stdout.reconfigure(errors="backslashreplace", newline="")
    try:
        yield
    except KeyboardInterrupt:
        discard_buffer(sys.stdout)  # its reader may have stopped reading
        raise
    finally:
        sys.stdout.flush()


def discard_buffer(stream: TextIO | None) -> None:
    """Drop what a stream still holds, which Python would try to write at exit."""
    if stream is not None:
        with suppress(OSError), Path(os.devnull).open("wb") as devnull:
            os.dup2(devnull.fileno(), stream.fileno())


def report(message: str) -> None:
    """Write one line to stderr, if anybody reads it."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(f"wacht: {escape_controls(message)}\n")
        sys.stderr.flush()
    except OSError:
        discard_buffer(sys.stderr)


def terminal_width() -> int | None:
    """Return the width of the terminal on stdout, None without a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


@contextmanager
def logged_waits() -> Generator[None]:
    """Write what the package logs to stderr."""
    logger = logging.getLogger("wacht")
    handler = _StderrHandler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


class _StderrHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        report(record.getMessage())


def wait_display(*, to_file: bool) -> bool | Callable[[WalkProgress], object]:
    """Choose the `progress` of a walk: nothing without a terminal, a bar or notices."""
    if sys.stderr is None or not sys.stderr.isatty():
        return False
    # A bar would spoil rows, or a pager, on the same terminal.
    if find_spec("tqdm") is not None and (to_file or _is_file(sys.stdout)):
        return True
    return wait_notices()


def _is_file(stream: TextIO) -> bool:
    with suppress(OSError):
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    return False


def wait_notices() -> Callable[[WalkProgress], None]:
    """Report each wait once, though prefetched pages wait side by side."""
    reported = -inf  # when the wait that was reported last ends

    def notice(progress: WalkProgress) -> None:
        nonlocal reported
        if progress.waiting is None:
            return
        now = time.monotonic()
        end = now + progress.waiting
        if now >= reported or end >= reported + _NEW_WAIT:
            reported = end
            report(f"waiting {progress.waiting:.0f} s: {progress.reason}")

    return notice
