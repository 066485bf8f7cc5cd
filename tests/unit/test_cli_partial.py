"""Files that take their name when they are complete, and checkpoints beside them."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO

import pytest

from tests.clock import Clock
from wacht import WachtError
from wacht.cli import partial as partial_module
from wacht.cli.partial import replacing


def test_replacing__complete(tmp_path: Path) -> None:
    path = tmp_path / "contexts.csv"
    path.write_text("old")
    with replacing(path, "") as partial:
        partial.file.write("ü\ud800\r\n")
        assert path.read_text() == "old"
    assert path.read_bytes() == b"\xc3\xbc\\ud800\r\n"
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("mode", [None, 0o600, 0o640])
def test_replacing__private_until_delivered(mode: int | None, tmp_path: Path) -> None:
    """Then it has the mode of the file that it replaces, or that of a new one."""
    path, like = tmp_path / "contexts.csv", tmp_path / "like"
    if mode:
        path.touch(mode)
    interrupt(path)
    hidden = {*tmp_path.iterdir()} - {path}
    assert {file.stat().st_mode & 0o777 for file in hidden} == {0o600}
    with replacing(path, "command"):
        pass
    like.touch(mode or 0o666)
    assert path.stat().st_mode == like.stat().st_mode


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("absent/file", "No such file or directory"),
        ("loop", "Too many levels of symbolic links"),
        ("x" * 300, "File name too long"),
        (os.devnull, "not a regular file"),
        ("/dev/fd/{}", "not a regular file"),  # of a pipe, as /dev/stdout may be
    ],
)
def test_replacing__unusable(name: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    ends = os.pipe()
    path = tmp_path / name.format(ends[1])
    assert str(path) in refusal(path, reason)
    assert [file.name for file in tmp_path.iterdir()] == ["loop"]
    for end in ends:
        os.close(end)


def refusal(path: Path, reason: str) -> str:
    with pytest.raises(WachtError, match=reason) as caught, replacing(path, ""):
        pytest.fail("went on")
    return str(caught.value)


def interrupt(path: Path, command: str = "command") -> None:
    """Write a line, save it, write half of another one, and break off."""
    with pytest.raises(KeyboardInterrupt), replacing(path, command) as partial:  # noqa: PT012 - all of it
        partial.file.write("ü\n")
        partial.save({"any": "state"})
        partial.file.write("half a r")
        raise KeyboardInterrupt


def test_replacing__goes_on_behind_what_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "contexts.csv"
    interrupt(path)
    assert not path.exists()
    interrupt(path)
    with replacing(path, "command") as partial:
        assert partial.state == {"any": "state"}
        partial.file.write("end\n")
    assert path.read_text(encoding="utf-8") == "ü\nü\nend\n"
    assert [*tmp_path.iterdir()] == [path]


def test_replacing__stores_large_states_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """And the last one, if an exception ends the call."""
    monkeypatch.setattr(partial_module, "monotonic", clock)
    path = tmp_path / "contexts.csv"
    slow = SimpleNamespace(to_json=lambda: f"{clock.sleep(1)} {clock.now}")
    stored: set[bytes] = set()
    with pytest.raises(KeyboardInterrupt), replacing(path, "") as partial:  # noqa: PT012 - all of it
        for _ in range(50):
            partial.file.write("row\n")
            partial.save({"any": slow})
            stored.add((tmp_path / ".contexts.csv.checkpoint").read_bytes())
            clock.sleep(1)
        raise KeyboardInterrupt
    assert len(stored) == 3
    with replacing(path, ""):
        pass
    assert path.read_text() == "row\n" * 50


@pytest.mark.parametrize("change", ["command", "checkpoint", "rows"])
def test_replacing__starts_anew(change: str, tmp_path: Path) -> None:
    """Another command, a forged checkpoint, and rows lost in a crash of the system."""
    path = tmp_path / "contexts.csv"
    interrupt(path)
    checkpoint, part = sorted(tmp_path.iterdir())
    if change == "checkpoint":
        checkpoint.write_bytes(checkpoint.read_bytes()[:-1] + b"!")
    elif change == "rows":
        os.truncate(part, 1)
    with replacing(path, "command" * (1 + (change == "command"))) as partial:
        assert partial.state is None
        partial.begin()
        assert [*tmp_path.iterdir()] == [part]
        partial.file.write("new")
    assert path.read_text() == "new"


@pytest.mark.parametrize(
    "plant", [Path.symlink_to, Path.hardlink_to, lambda path, _: os.mkfifo(path)]
)
@pytest.mark.parametrize("suffix", ["part", "checkpoint"])
def test_replacing__what_others_planted(
    suffix: str, plant: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    """Nothing is read from it, or written to it."""
    path, victim = tmp_path / "contexts.csv", tmp_path / "victim"
    victim.write_text("theirs")
    plant(path.with_name(f".{path.name}.{suffix}"), victim)
    refusal(path, rf"contexts\.csv: .*\(.*\.{suffix}\)")
    assert victim.read_text() == "theirs"


def test_replacing__planted_where_a_checkpoint_is_written(tmp_path: Path) -> None:
    path, victim = tmp_path / "contexts.csv", tmp_path / "victim"
    victim.write_text("theirs")
    path.with_name(f".{path.name}.new").symlink_to(victim)
    interrupt(path)
    assert victim.read_text() == "theirs"


def test_replacing__delivered_by_another_process_before_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    path, lock = tmp_path / "contexts.csv", fcntl.flock

    def deliver_and_lock(file: TextIO, how: int) -> None:
        path.with_name(".contexts.csv.part").replace(path)
        path.write_text("whole")
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", deliver_and_lock)
    refusal(path, "another process writes to")
    assert path.read_text() == "whole"


@pytest.mark.parametrize(
    ("act", "error"), [("replace", None), ("unlink", WachtError())]
)
def test_replacing__locked_until_it_is_delivered_or_deleted(
    act: str, error: Exception | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fcntl")
    path, do = tmp_path / "contexts.csv", getattr(Path, act)

    def after_another_try(*arguments: Any, **settings: Any) -> None:
        refusal(path, "another process writes to")
        do(*arguments, **settings)
        left.append([*tmp_path.iterdir()])

    left: list[list[Path]] = []
    with suppress(WachtError), replacing(path, ""):
        monkeypatch.setattr(Path, act, after_another_try)
        if error:
            raise error
    assert left == [[] if error else [path]]
