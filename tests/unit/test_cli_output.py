"""The command's streams: safe lines and broken streams."""

from __future__ import annotations

import io
import os
import sys
import time

import pytest

from wacht import WalkProgress
from wacht.cli.output import delivered_output, report, wait_notices


def test_report__one_safe_line(capsys: pytest.CaptureFixture[str]) -> None:
    report("no\r\nsuch \x1b[2J thing")
    assert capsys.readouterr().err == "wacht: no\\r\\nsuch \\x1b[2J thing\n"


def test_output__any_text(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\r\n")
    monkeypatch.setattr(sys, "stdout", stream)
    with delivered_output():
        sys.stdout.write("ü\ud800\n")
    assert stream.buffer.getvalue() == b"\\xfc\\ud800\n"  # type: ignore[attr-defined]


def test_output__interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(KeyboardInterrupt), delivered_output():  # noqa: PT012 - all of it
            stream.write("half a row")
            raise KeyboardInterrupt
        monkeypatch.undo()
    with os.fdopen(reading, "rb") as reader:
        assert reader.read() == b""


def test_notices__each_wait_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    notice = wait_notices(always=True)
    assert notice is not None
    notice(WalkProgress(pages=1))
    for seconds in (41.0, 41.9, 42.0):
        notice(WalkProgress(waiting=seconds, reason="rate limit", contexts=9_000))
    now = 142.0
    notice(WalkProgress(waiting=1.0, reason="the service answered 503"))
    assert capsys.readouterr().err == (
        "wacht: waiting 41 s: rate limit; 9,000 contexts in this run\n"
        "wacht: waiting 42 s: rate limit; 9,000 contexts in this run\n"
        "wacht: waiting 1 s: the service answered 503; 0 contexts in this run\n"
    )


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_notices__none_without_a_terminal(
    stream: io.StringIO | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    assert wait_notices(always=False) is None
