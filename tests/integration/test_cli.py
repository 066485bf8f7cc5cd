"""The command on a real service: at a terminal, in pipes, and where that fails."""

from __future__ import annotations

import io
import json
import os
import re
import runpy
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import wacht
from tests.processes import run, stopped_at_request
from wacht import cli
from wacht.cli import commands, listing
from wacht.sandbox import Sandbox
from wacht.sandbox.data import REFERENCE, make_contexts


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        address(sandbox, monkeypatch)
        yield sandbox


def address(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WACHT_BASE_URL", sandbox.url)
    monkeypatch.setenv("WACHT_API_KEY", sandbox.api_key)


def ids(sandbox: Sandbox) -> list[str]:
    return [context["id"] for context in sandbox.contexts]


def ids_in(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_terminal__wait_and_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its reader has a page before the wait for the next one."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)  # without rows, it fails at once
    rows: list[str] = []

    class Interrupting(Terminal):
        def write(self, text: str) -> int:
            if re.search(r"^wacht: waiting \d\d s: rate limit \(429\)", text):
                with suppress(BlockingIOError):
                    rows.extend(os.read(reading, 65536).decode().splitlines())
                raise KeyboardInterrupt
            return super().write(text)

    with Sandbox(per_minute=1) as sandbox, os.fdopen(writing, "w") as stdout:
        address(sandbox, monkeypatch)
        monkeypatch.setattr(sys, "stdout", stdout)
        monkeypatch.setattr(sys, "stderr", shown := Interrupting())
        assert cli.main(["list"]) == 130
        monkeypatch.undo()
    assert [row.split("\t")[0] for row in rows] == ["id", *ids(sandbox)[:100]]
    assert shown.getvalue() == (
        "wacht: interrupted; 100 contexts listed before that; a listing with --output "
        "can go on\n"
    )
    assert os.read(reading, 1) == b""
    os.close(reading)


def test_terminal__table(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.setattr(sys, "stdout", shown := Terminal())
    assert cli.main(["list"]) == 0
    heading, *lines = shown.getvalue().splitlines()
    assert heading.split() == ["id", "agent_id", "created_at"]
    assert [line.split()[0] for line in lines] == ids(sandbox)


def test_output__parquet(sandbox: Sandbox, tmp_path: Path) -> None:
    """It starts anew after an error."""
    pytest.importorskip("pyarrow")
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "contexts.parquet"
    arguments = ["list", "--output", str(path), "--limit", "120"]
    with broken_off(sandbox):
        assert cli.main(arguments) == 1
    assert [*tmp_path.iterdir()] == []
    assert cli.main(arguments) == 0
    frame = pandas.read_parquet(path)
    assert frame["id"].tolist() == ids(sandbox)[:120]
    assert json.loads(frame["context"][0]) == sandbox.contexts[0]["context"]


@pytest.mark.parametrize(
    ("options", "queries"),
    [
        (
            "--agent-id=a --workflow-id=b --page=2 --per-page=7 --no-exhaustive",
            ["page=2 per_page=7 agent_id=a workflow_id=b"],
        ),
        ("--limit=5 --no-exhaustive", ["page=1 per_page=5"]),
        ("--limit=5 --no-exhaustive --since=1999-01-01", ["page=1 per_page=100"]),
        (
            "--pagination=offset --status=failed --context-group=g",
            ["limit=100 offset=0 status=failed context_group=g"],
        ),
        (
            "--pagination=offset --active-since=2d --no-exhaustive",
            ["limit=100 offset=0"],
        ),
    ],
)
def test_list__options(options: str, queries: list[str], sandbox: Sandbox) -> None:
    if "offset" in options:
        sandbox.contexts[:] = Sandbox(revision="offset").contexts
        sandbox.revision = "offset"
    assert cli.main(["list", *options.split()]) == 0
    sent = [request.query.items() for request in sandbox.requests]
    assert [" ".join(map("=".join, query)) for query in sent] == queries


@pytest.mark.parametrize(
    ("format_", "signal_", "revision"),
    [
        ("table", signal.SIGTERM, "page"),
        ("json", signal.SIGINT, "page"),
        ("jsonl", signal.SIGTERM, "offset"),
        ("csv", signal.SIGINT, "offset"),
    ],
)
def test_output__same_command_goes_on(
    format_: str, signal_: int, revision: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    path, whole = tmp_path / "contexts", tmp_path / "whole"
    arguments = ["--format", format_, "--page=1", "--limit=240", "--output"]
    sandbox.revision = revision
    message = stopped_at_request(
        3, sandbox, signal_, "-m", "wacht", "list", *arguments, path
    )
    if signal_ == signal.SIGINT:
        assert message.startswith(
            f"wacht: interrupted; nothing was written to {path}; the same command goes "
            "on after "
        )
    assert not path.exists()
    before = len(sandbox.requests)
    assert cli.main(["list", *arguments, str(path)]) == 0
    # Where the disk is slow, not each page's checkpoint is stored: the first one is.
    begun = [request.query for request in sandbox.requests[1:before]]
    assert sandbox.requests[before].query in begun
    assert cli.main(["list", *arguments, str(whole)]) == 0
    assert path.read_bytes() == whole.read_bytes()
    assert sorted(tmp_path.iterdir()) == [path, whole]


def test_output__goes_on_after_an_error(
    sandbox: Sandbox,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """An age still means the time that it meant at first."""
    path = tmp_path / "contexts.jsonl"
    arguments = ["list", "--output", str(path), "--since=7d", "--no-exhaustive"]
    made = make_contexts(250)
    sandbox.contexts[:] = made[::2] + made[1::2]  # recent ones on the first two pages
    now, oldest = REFERENCE, REFERENCE - timedelta(days=7)
    clock = SimpleNamespace(now=lambda _: now, fromisoformat=datetime.fromisoformat)
    monkeypatch.setattr(listing, "datetime", clock)
    with broken_off(sandbox):
        assert cli.main(arguments) == 1
    part, checkpoint = sorted(tmp_path.iterdir(), reverse=True)
    assert capsys.readouterr().err.endswith(
        f"; nothing was written to {path}; the same command goes on after 55 contexts, "
        f"which are in {part}\n"
    )
    assert sandbox.api_key.encode() not in checkpoint.read_bytes()
    now += timedelta(days=1)
    assert cli.main([*arguments, "--verbose"]) == 0
    assert capsys.readouterr().err == "wacht: going on after 55 contexts\n"
    assert ids_in(path) == [
        context["id"]
        for context in sandbox.contexts
        if datetime.fromisoformat(context["created_at"]) >= oldest
    ]


def test_output__goes_on_after_a_list_came_to_rest(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """What the error says is read again; the last page alone would fail again."""
    path = tmp_path / "contexts.jsonl"
    arguments = ["list", "--output", str(path)]
    at_rest = sandbox.contexts.copy()
    sandbox.contexts[:] = at_rest[::2] + at_rest[1::2]
    assert cli.main(arguments) == 1
    sandbox.contexts[:] = at_rest
    assert cli.main(arguments) == 0
    assert sorted(ids_in(path)) == sorted(ids(sandbox))


def test_output__another_command_starts_anew(sandbox: Sandbox, tmp_path: Path) -> None:
    """At its first page; until then, what the first one saved stays."""
    path = tmp_path / "contexts.jsonl"
    first = ["list", "--output", str(path)]
    with broken_off(sandbox):
        assert cli.main(first) == 1
    saved = {file: file.read_bytes() for file in tmp_path.iterdir()}
    sandbox.answer(403, "not now")
    assert cli.main([*first, "--limit=5"]) == 1
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == saved
    assert cli.main([*first, "--limit=5"]) == 0
    assert ids_in(path) == ids(sandbox)[:5]


def test_output__goes_on_before_the_first_row(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "contexts.json"
    arguments = ["list", "--output", str(path), "--since=1m"]  # none is so new
    with broken_off(sandbox):
        assert cli.main(arguments) == 1
    assert cli.main(arguments) == 0
    assert json.loads(path.read_text()) == []


@contextmanager
def broken_off(sandbox: Sandbox) -> Iterator[None]:
    """Answer one request with a page, and the next with an error."""
    sandbox._live = lambda _contexts: sandbox.answer(403, "not now")
    yield
    sandbox._live = None
    sandbox.heal()


@pytest.mark.parametrize("module", ["attrs", "click"])
def test_interrupt__while_it_is_loaded(module: str, tmp_path: Path) -> None:
    """Without a traceback, and with the status of Ctrl-C."""
    interrupt = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
    (tmp_path / f"{module}.py").write_text(interrupt)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    code = "import wacht_command; wacht_command.main()"
    done = run("-c", code, env=environment)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


def test_interrupt__ignored_if_a_shell_says_so() -> None:
    code = (
        "import sys, wacht_command; from signal import *; sys.argv[1:] = ['-V'];"
        "signal(SIGINT, SIG_IGN); wacht_command.main();"
        "assert getsignal(SIGINT) is SIG_IGN"
    )
    assert run("-c", code).returncode == 0


def test_help__without_docstrings() -> None:
    shown, compact = (
        run(*flags, "-m", "wacht", "list", "--help").stdout for flags in ([], ["-OO"])
    )
    assert shown == compact


def test_demo(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo"]) == 0
    out, message = capsys.readouterr()
    assert message == ""
    heading, *rows = out.splitlines()
    assert heading.split()[:3] == ["id", "agent_id", "created_at"]
    assert [row.split()[0] for row in rows[:10]] == ids(Sandbox())[:10]
    assert rows[-3] == "… 240 more contexts"
    assert re.fullmatch(r"250 contexts with 3 requests, in \d+\.\d\d seconds", rows[-1])


def test_sandbox__serves_until_interrupted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def walk_and_interrupt(_seconds: float) -> None:
        *lines, address, key = capsys.readouterr().out.splitlines()
        for line in (address, key):
            export, _, setting = line.partition(" ")
            assert export == "export"
            monkeypatch.setenv(*setting.split("=", 1))
        assert f"30 contexts on {os.environ['WACHT_BASE_URL']}" in lines[0]
        with wacht.Session(pagination="offset", throttle=None) as session:
            assert len(list(session.iter_execution_contexts())) == 30
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "time", SimpleNamespace(sleep=walk_and_interrupt))
    options = ["--contexts", "30", "--revision", "offset-without-echo"]
    assert cli.main(["sandbox", *options, "--per-second", "3"]) == 0


def test_sandbox__port_taken(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    port = sandbox.url.rpartition(":")[2]
    assert cli.main(["sandbox", "--port", port]) == 1
    assert capsys.readouterr().err == f"wacht: port {port}: Address already in use\n"


def test_module__is_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["__main__.py", "lst"])
    with pytest.raises(SystemExit) as caught:
        # By its path: pytest's loader, which plugins get, can't run a module by name.
        runpy.run_path(f"{wacht.__path__[0]}/__main__.py", run_name="__main__")
    assert caught.value.code == 2
    assert "No such command 'lst'" in capsys.readouterr().err
