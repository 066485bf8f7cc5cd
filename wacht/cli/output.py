"""The command's streams: deliver all output, or say why that failed."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from math import inf
from pathlib import Path
from typing import TextIO

import click

from wacht._text import escape_controls
from wacht._waiting import REPORTED_WAIT
from wacht.models import WalkProgress


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
    try:
        click.echo(f"wacht: {escape_controls(message)}", err=True)
    except OSError:
        discard_buffer(sys.stderr)


def wait_notices(*, always: bool) -> Callable[[WalkProgress], None] | None:
    """Report each wait once, though prefetched pages wait too; none if nobody reads."""
    if not always and (sys.stderr is None or not sys.stderr.isatty()):
        return None
    reported = -inf  # when the wait that was reported last ends

    def notice(progress: WalkProgress) -> None:
        nonlocal reported
        if progress.waiting is None:
            return
        end = time.monotonic() + progress.waiting
        if end >= reported + REPORTED_WAIT:
            reported = end
            wait = f"waiting {progress.waiting:.0f} s: {progress.reason}"
            report(f"{wait}; {progress.contexts:,} contexts in this run")

    return notice
