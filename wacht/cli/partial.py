"""A file that takes its name when it is complete; until then it can be continued."""

from __future__ import annotations

import hmac
import os
import pickle
import shutil
import sys
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, TextIO

from attrs import define, field

from wacht.errors import WachtError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_SIGNATURE = 32  # bytes
_QUICK = 0.05  # seconds: what is stored faster is stored after each page
_PAUSE = 20  # what is slower, after 20 times as long as it took to store it


@contextmanager
def replacing(path: Path, secret: bytes) -> Generator[PartialFile]:
    """
    Open a file that takes its name when it is complete.

    After a failure, what was saved stays for the next call with the same secret.

    Raises:
        WachtError: It can't be written, or another process writes it.

    """
    target = path.resolve()  # so that a link is followed, not replaced
    if target.exists() and not target.is_file():
        raise WachtError(f"cannot write to {path}: not a regular file")
    part = target.with_name(f".{target.name}.part")
    checkpoint = target.with_name(f".{target.name}.checkpoint")
    partial = None
    try:
        with part.open("a", -1, "utf-8", "backslashreplace", "") as file:
            _lock(file)
            partial = PartialFile(file, checkpoint, secret)
            try:
                yield partial
            except BaseException:
                partial.store()
                raise
        if target.exists():
            shutil.copymode(target, part)
        part.replace(target)
        checkpoint.unlink(missing_ok=True)
    except WachtError:  # before OSError, which one of them is as well
        raise
    except BlockingIOError as error:
        raise WachtError(f"another process writes to {path}") from error
    except OSError as error:
        raise WachtError(f"cannot write to {path}: {error.strerror}") from error
    finally:
        if partial and not checkpoint.exists():
            with suppress(OSError):
                part.unlink()


def _lock(file: TextIO) -> None:
    if sys.platform != "win32":  # pragma: no branch - Windows has no such lock
        import fcntl  # noqa: PLC0415 - as above

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@define
class PartialFile:
    """
    An open file, and a checkpoint beside it: how much of it counts, and a state.

    The checkpoint is signed with the secret: nobody without it can make us unpickle
    something else, and what was saved for another command isn't used.

    Attributes:
        file: What to write to.
        state: What was saved last; None if the file is new.
    """

    file: TextIO
    _checkpoint: Path
    _secret: bytes = field(repr=False)
    state: Any = field(default=None, init=False)
    _unstored: tuple[int, object] | None = field(default=None, init=False)
    _due: float = field(default=0.0, init=False)  # when to store the next checkpoint

    def __attrs_post_init__(self) -> None:
        size, self.state = self._saved()
        if self.size < size:  # the system crashed
            self.state = None
        if self.state is not None:
            self.file.truncate(size)

    def begin(self) -> None:
        """Drop what is there for another command, as soon as there is something new."""
        if self.state is None:
            self.file.truncate(0)
            self._checkpoint.unlink(missing_ok=True)

    @property
    def size(self) -> int:
        """How many bytes were written and flushed."""
        return os.fstat(self.file.fileno()).st_size

    def save(self, state: object) -> None:
        """
        Keep what is written so far, and a state, for the next call.

        A large one is stored now and then, and always if an exception ends the call.
        """
        self.file.flush()
        self.state, self._unstored = state, (self.size, state)
        if monotonic() >= self._due:
            self.store()

    def store(self) -> None:
        """Store what was saved last."""
        if self._unstored is None:
            return
        start = monotonic()
        saved = pickle.dumps(self._unstored)
        new = self._checkpoint.with_suffix(".new")
        new.write_bytes(self._sign(saved) + saved)
        new.replace(self._checkpoint)
        self._unstored = None
        took = monotonic() - start
        self._due = start + _PAUSE * took if took > _QUICK else start

    def _saved(self) -> tuple[int, Any]:
        with suppress(FileNotFoundError):
            content = self._checkpoint.read_bytes()
            signature, saved = content[:_SIGNATURE], content[_SIGNATURE:]
            if hmac.compare_digest(signature, self._sign(saved)):
                return pickle.loads(saved)  # type: ignore[no-any-return]  # noqa: S301 - signed
        return 0, None

    def _sign(self, saved: bytes) -> bytes:
        return hmac.digest(self._secret, saved, "sha256")
