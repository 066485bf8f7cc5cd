"""A file that takes its name when it is complete; until then it can be continued."""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any, TextIO

from wacht.errors import WachtError

# How long a large state isn't stored again: this times as long as that took, less a
# second. So what is stored in 50 ms is stored after each page.
_PAUSE = 20
# Windows has neither of the two flags, nor user ids.
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_user_id: Callable[[], int] = getattr(os, "geteuid", int)


@contextmanager
def replacing(path: Path, command: str) -> Generator[PartialFile]:
    """Open a file; after a failure, the same command continues what was saved."""
    target = Path(os.path.realpath(path))  # so that a link is followed, not replaced
    part = target.with_name(f".{target.name}.part")
    try:
        _mode_of(path)  # not of the target: a pipe behind /dev/stdout has no path
        with open(part, "a", -1, "utf-8", "backslashreplace", "", opener=_own) as file:
            _lock(file, part)
            partial = PartialFile(file, part, command)
            try:
                yield partial
                partial.deliver(target)
            except BaseException:
                partial.keep()
                raise
    except WachtError:  # before OSError, which one of them is as well
        raise
    except BlockingIOError as error:
        raise WachtError(f"another process writes to {path}") from error
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        raise WachtError(f"cannot write to {path}: {error.strerror}{place}") from error


def _own(path: str, flags: int) -> int:
    """Open a private file of this user; others may have planted a link or theirs."""
    descriptor = os.open(path, flags | _NO_LINK, 0o600)
    info = os.fstat(descriptor)
    if stat.S_ISREG(info.st_mode) and (info.st_uid, info.st_nlink) == (_user_id(), 1):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EPERM, "a link, or another user's file; delete it", path)


def _lock(file: TextIO, path: Path) -> None:
    if sys.platform != "win32":  # pragma: no branch - Windows has no such lock
        import fcntl  # noqa: PLC0415 - as above

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(file.fileno()), path.lstat()):
            return
    raise BlockingIOError  # another process delivered it before we had the lock


def _mode_of(path: Path) -> int:
    """Return the mode of the file to replace, or else that of a new file."""
    with suppress(FileNotFoundError):
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            return stat.S_IMODE(mode)
        raise WachtError(f"cannot write to {path}: not a regular file")
    os.umask(umask := os.umask(0o077))  # to read it, one has to set it
    return 0o666 & ~umask


class PartialFile:
    """An open file, and a checkpoint beside it: how much of it counts, and a state."""

    def __init__(self, file: TextIO, part: Path, command: str) -> None:
        self.file = file
        # What was saved last; None if the file is new.
        self.state: dict[str, Any] | None = None
        self._part = part
        self._command = command
        self._checkpoint = part.with_suffix(".checkpoint")
        self._saved_size = 0
        self._due = 0.0  # when to store the next checkpoint
        with (
            suppress(FileNotFoundError, ValueError),  # the system crashed
            open(self._checkpoint, opener=_own) as checkpoint,
        ):
            saved_by, size, state = json.load(checkpoint)
            if saved_by == command and size <= file.seek(0, os.SEEK_END):
                file.truncate(size)
                self._saved_size, self.state = size, state

    def begin(self) -> None:
        """Drop what is there for another command, as soon as there is something new."""
        if self.state is None:
            self.file.truncate(0)
            self._checkpoint.unlink(missing_ok=True)

    def save(self, state: dict[str, Any]) -> None:
        """Keep what is written so far, and a state, for the next call."""
        self._saved_size, self.state = self.file.seek(0, os.SEEK_END), state
        start = monotonic()
        if start >= self._due:
            self._store()
            self._due = start + _PAUSE * (monotonic() - start) - 1

    def deliver(self, target: Path) -> None:
        """Give the file its name, as long as it is locked."""
        self.file.flush()
        self._part.chmod(_mode_of(target))
        self._close_on_windows()
        self._part.replace(target)
        self._checkpoint.unlink(missing_ok=True)

    def keep(self) -> None:
        """Leave what was saved for the next call, and nothing if nothing was."""
        if self.state is not None:
            self._store()
        elif not self._checkpoint.exists():
            self._close_on_windows()
            self._part.unlink(missing_ok=True)

    def _close_on_windows(self) -> None:
        if sys.platform == "win32":  # pragma: no cover - it moves no open file
            self.file.close()

    def _store(self) -> None:
        saved = self._command, self._saved_size, self.state
        text = json.dumps(saved, default=lambda value: value.to_json())
        new = self._part.with_suffix(".new")
        new.unlink(missing_ok=True)
        with open(new, "x", opener=_own) as file:
            file.write(text)
        new.replace(self._checkpoint)
