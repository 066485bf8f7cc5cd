"""The command's streams: safe lines and broken streams."""

from __future__ import annotations

import io
import logging
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from wacht import WalkProgress
from wacht.cli.output import (
    delivered_output,
    discard_buffer,
    logged_waits,
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
    report("no\r\nsuch \x1b[2J thing")
    assert capsys.readouterr().err == "wacht: no\\r\\nsuch \\x1b[2J thing\n"


@pytest.mark.parametrize("stream", [None, FullDisk()])
def test_report__no_reader(
    stream: io.StringIO | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    report("nothing")


def test_discard_buffer__broken_pipe() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        stream.write("text")
        os.close(reading)
        discard_buffer(stream)
    discard_buffer(None)  # closed from the start


def test_output__any_text(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\r\n")
    monkeypatch.setattr(sys, "stdout", stream)
    with delivered_output():
        sys.stdout.write("ü\ud800\n")
    assert stream.buffer.getvalue() == b"\\xfc\\ud800\n"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("stream", "words"), [(None, "Bad file descriptor"), (FullDisk(), "No space left")]
)
def test_output__unusable(
    stream: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(OSError, match=words), delivered_output():
        assert stream, "went on"


def interrupted_while_writing() -> None:
    sys.stdout.write("half a row")
    raise KeyboardInterrupt


def test_output__interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(KeyboardInterrupt), delivered_output():
            interrupted_while_writing()
        monkeypatch.undo()
    with os.fdopen(reading, "rb") as reader:
        assert reader.read() == b""


def test_terminal_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "123")
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert terminal_width() == 123
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert terminal_width() is None


def test_logged_waits__within_the_block(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("wacht")
    before = logger.level, logger.handlers.copy()
    with logged_waits():
        logger.info("waiting %d s", 41)
        logger.debug("detail")
    logger.info("after")
    assert capsys.readouterr().err == "wacht: waiting 41 s\n"
    assert (logger.level, logger.handlers) == before


def test_notices__each_wait_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    notice = wait_notices()
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


@pytest.mark.parametrize(
    "case",
    [
        (None, True, "file", False),
        (io.StringIO(), True, "file", False),
        (Terminal(), True, "terminal", True),
        (Terminal(), False, "file", True),
        (Terminal(), False, "terminal", callable),
    ],
)
def test_wait_display__where_nothing_else_is_written(
    case: tuple[Any, bool, str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stderr, to_file, stdout, expected = case
    pytest.importorskip("tqdm")
    with (tmp_path / "rows").open("w") as file:
        monkeypatch.setattr(sys, "stderr", stderr)
        monkeypatch.setattr(sys, "stdout", file if stdout == "file" else Terminal())
        display = wait_display(to_file=to_file)
        monkeypatch.setitem(sys.modules, "tqdm", None)
        without_tqdm = wait_display(to_file=to_file)
        monkeypatch.undo()
    assert callable(display) if expected is callable else display is expected
    assert callable(without_tqdm) == bool(expected)
