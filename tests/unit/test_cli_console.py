"""
The command's words reach whoever listens, and a stream that is gone is no catastrophe.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from typing import TYPE_CHECKING

import pytest

from wacht import WalkProgress
from wacht._cli_console import (
    WaitNotices,
    delivered_output,
    log_told,
    progress_shown,
    silence,
    tell,
    terminal_width,
)

if TYPE_CHECKING:
    from pathlib import Path


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class FullDisk(io.StringIO):
    def flush(self) -> None:
        raise OSError(28, "No space left on device")


def test_tell__one_harmless_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is told, stderr gets one line without control characters."""
    tell("no\r\nsuch \x1b[2J thing")
    assert capsys.readouterr().err == "wacht: no\\r\\nsuch \\x1b[2J thing\n"


@pytest.mark.parametrize("stream", [None, FullDisk()])
def test_tell__nobody_listens(
    stream: io.StringIO | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where stderr is closed or full, nothing is told and nothing raised."""
    monkeypatch.setattr(sys, "stderr", stream)
    tell("nothing")


def test_silence__drops_what_is_left() -> None:
    """What a stream to a broken pipe still holds makes no trouble at its end."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        stream.write("text")
        os.close(reading)
        silence(stream)


def test_silence__closed_stream() -> None:
    """A stream that was closed from the start has nothing to say."""
    silence(None)


def test_output__any_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any text can be written, whatever the encoding; line ends stay as they are."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\r\n")
    monkeypatch.setattr(sys, "stdout", stream)
    with delivered_output():
        sys.stdout.write("ü\ud800\n")
    assert stream.buffer.getvalue() == b"\\xfc\\ud800\n"  # type: ignore[attr-defined]


def test_output__any_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that has no encoding is taken as it is."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    with delivered_output():
        sys.stdout.write("text")
    assert stream.getvalue() == "text"


def test_output__closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stdout that was closed from the start is an error before anything is done."""
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OSError, match="Bad file descriptor"), delivered_output():
        pytest.fail("went on")


def test_output__full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be delivered is an error, not something for Python's end."""
    monkeypatch.setattr(sys, "stdout", FullDisk())
    with pytest.raises(OSError, match="No space left"), delivered_output():
        pass


def interrupted_while_writing() -> None:
    sys.stdout.write("half a row")
    raise KeyboardInterrupt


def test_output__interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C nothing waits for a reader who has stopped reading."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(KeyboardInterrupt), delivered_output():
            interrupted_while_writing()
        monkeypatch.undo()
    with os.fdopen(reading, "rb") as reader:
        assert reader.read() == b""


def test_terminal_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal has columns; a pipe or a file has none."""
    monkeypatch.setenv("COLUMNS", "123")
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert terminal_width() == 123
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert terminal_width() is None


def test_log_told__within_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """What is logged as INFO is told, within the block and not after it."""
    logger = logging.getLogger("wacht")
    before = logger.level, logger.handlers.copy()
    with log_told():
        logger.info("waiting %d s", 41)
        logger.debug("detail")
    logger.info("after")
    assert capsys.readouterr().err == "wacht: waiting 41 s\n"
    assert (logger.level, logger.handlers) == before


def test_notices__each_wait_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Threads that wait side by side are one wait to tell of; the next is another."""
    now = 100.0
    notices = WaitNotices(lambda: now)
    for seconds in (41.0, 41.2, 43.0):
        notices(WalkProgress(waiting=seconds, reason="rate limit"))
    notices(WalkProgress(pages=1))
    now = 141.0
    notices(WalkProgress(waiting=1.0, reason="the service answered 503"))
    notices(WalkProgress(waiting=30.0, reason="rate limit"))
    assert capsys.readouterr().err == (
        "wacht: waiting 41 s: rate limit\n"
        "wacht: waiting 1 s: the service answered 503\n"
        "wacht: waiting 30 s: rate limit\n"
    )


@pytest.mark.parametrize("stderr", [None, io.StringIO()])
def test_progress__no_terminal(
    stderr: io.StringIO | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where stderr is no terminal, it stays quiet."""
    monkeypatch.setattr(sys, "stderr", stderr)
    assert progress_shown() is False


def test_progress__rows_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside rows, or a pager, there is no bar but notices."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert isinstance(progress_shown(), WaitNotices)


def test_progress__rows_into_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe may end at a pager, so it is notices there too."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stdout, os.fdopen(reading):
        monkeypatch.setattr(sys, "stderr", Terminal())
        monkeypatch.setattr(sys, "stdout", stdout)
        assert isinstance(progress_shown(), WaitNotices)
        monkeypatch.undo()


def test_progress__rows_into_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """For rows that go to a file there is a bar, if tqdm is there, else notices."""
    pytest.importorskip("tqdm")
    with (tmp_path / "rows").open("w") as stdout:
        monkeypatch.setattr(sys, "stderr", Terminal())
        monkeypatch.setattr(sys, "stdout", stdout)
        assert progress_shown() is True
        monkeypatch.setitem(sys.modules, "tqdm", None)
        assert isinstance(progress_shown(), WaitNotices)
        monkeypatch.undo()
