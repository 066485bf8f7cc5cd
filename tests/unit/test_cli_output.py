"""
The command's streams: safe lines, broken streams, files that are complete or absent.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from typing import TYPE_CHECKING

import pytest

from wacht import WachtError, WalkProgress
from wacht.cli.output import (
    delivered_output,
    discard_buffer,
    logged_waits,
    replacing,
    report,
    terminal_width,
    wait_display,
    wait_notices,
)

if TYPE_CHECKING:
    from pathlib import Path


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class FullDisk(io.StringIO):
    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def test_report__one_safe_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A message is one line on stderr, without control characters."""
    report("no\r\nsuch \x1b[2J thing")
    assert capsys.readouterr().err == "wacht: no\\r\\nsuch \\x1b[2J thing\n"


@pytest.mark.parametrize("stream", [None, FullDisk()])
def test_report__no_reader(
    stream: io.StringIO | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stderr that is closed or full raises nothing."""
    monkeypatch.setattr(sys, "stderr", stream)
    report("nothing")


def test_discard_buffer__broken_pipe() -> None:
    """What a stream to a broken pipe still holds causes no error at its end."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        stream.write("text")
        os.close(reading)
        discard_buffer(stream)
    discard_buffer(None)  # closed from the start


def test_output__any_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any text can be written, whatever the encoding; line ends don't change."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\r\n")
    monkeypatch.setattr(sys, "stdout", stream)
    with delivered_output():
        sys.stdout.write("ü\ud800\n")
    assert stream.buffer.getvalue() == b"\\xfc\\ud800\n"  # type: ignore[attr-defined]


def test_output__closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stdout that was closed from the start is an error before anything is done."""
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OSError, match="Bad file descriptor"), delivered_output():
        pytest.fail("went on")


def test_output__full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output that can't be flushed is an error at once, not at Python's exit."""
    monkeypatch.setattr(sys, "stdout", FullDisk())
    with pytest.raises(OSError, match="No space left"), delivered_output():
        pass


def interrupted_while_writing() -> None:
    sys.stdout.write("half a row")
    raise KeyboardInterrupt


def test_output__interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C nothing waits for a reader that has stopped reading."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(KeyboardInterrupt), delivered_output():
            interrupted_while_writing()
        monkeypatch.undo()
    with os.fdopen(reading, "rb") as reader:
        assert reader.read() == b""


def test_replacing__complete(tmp_path: Path) -> None:
    """A complete file takes its name, keeps its mode, and leaves nothing beside it."""
    path = tmp_path / "contexts.csv"
    path.write_text("old")
    path.chmod(0o600)
    with replacing(path) as file:
        file.write("ü\ud800\r\n")
        assert path.read_text() == "old"
    assert path.read_bytes() == b"\xc3\xbc\\ud800\r\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), WachtError("broken")])
def test_replacing__broken(error: BaseException, tmp_path: Path) -> None:
    """A listing that breaks changes no file."""
    path = tmp_path / "contexts.csv"
    with pytest.raises(type(error)), replacing(path) as file:  # noqa: PT012 - both
        file.write("half a row")
        raise error
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [("absent/file", "No such file or directory"), (os.devnull, "not a regular file")],
)
def test_replacing__unusable(name: str, reason: str, tmp_path: Path) -> None:
    """A file that can't be written or replaced is an error that names it."""
    path = tmp_path / name
    with pytest.raises(WachtError, match=reason) as caught, replacing(path):
        pytest.fail("went on")
    assert str(path) in str(caught.value)


def test_terminal_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal has a width; a pipe or a file has none."""
    monkeypatch.setenv("COLUMNS", "123")
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert terminal_width() == 123
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert terminal_width() is None


def test_logged_waits__within_the_block(capsys: pytest.CaptureFixture[str]) -> None:
    """INFO lines are written within the block and not after it."""
    logger = logging.getLogger("wacht")
    before = logger.level, logger.handlers.copy()
    with logged_waits():
        logger.info("waiting %d s", 41)
        logger.debug("detail")
    logger.info("after")
    assert capsys.readouterr().err == "wacht: waiting 41 s\n"
    assert (logger.level, logger.handlers) == before


def test_notices__each_wait_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Threads that wait side by side are one wait; a later one is another."""
    now = 100.0
    notice = wait_notices(lambda: now)
    for seconds in (41.0, 41.2, 43.0):
        notice(WalkProgress(waiting=seconds, reason="rate limit"))
    notice(WalkProgress(pages=1))
    now = 141.0
    notice(WalkProgress(waiting=1.0, reason="the service answered 503"))
    notice(WalkProgress(waiting=30.0, reason="rate limit"))
    assert capsys.readouterr().err == (
        "wacht: waiting 41 s: rate limit\n"
        "wacht: waiting 1 s: the service answered 503\n"
        "wacht: waiting 30 s: rate limit\n"
    )


@pytest.mark.parametrize("stderr", [None, io.StringIO()])
def test_wait_display__no_terminal(
    stderr: io.StringIO | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal there is no display."""
    monkeypatch.setattr(sys, "stderr", stderr)
    assert wait_display(to_file=True) is False


def test_wait_display__rows_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside rows there are notices."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert callable(wait_display(to_file=False))


def test_wait_display__rows_into_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe may end at a pager, so there are notices as well."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stdout, os.fdopen(reading):
        monkeypatch.setattr(sys, "stderr", Terminal())
        monkeypatch.setattr(sys, "stdout", stdout)
        assert callable(wait_display(to_file=False))
        monkeypatch.undo()


@pytest.mark.parametrize("to_file", [True, False])
def test_wait_display__rows_into_a_file(
    *, to_file: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """For rows that go to a file there is a bar, if tqdm is installed."""
    pytest.importorskip("tqdm")
    with (tmp_path / "rows").open("w") as stdout:
        monkeypatch.setattr(sys, "stderr", Terminal())
        monkeypatch.setattr(sys, "stdout", Terminal() if to_file else stdout)
        assert wait_display(to_file=to_file) is True
        monkeypatch.setitem(sys.modules, "tqdm", None)
        assert callable(wait_display(to_file=to_file))
        monkeypatch.undo()
