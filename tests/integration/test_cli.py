"""The command in a real process: at a terminal, in pipes, with a service that fails."""

from __future__ import annotations

import json
import os
import re
import runpy
import select
import signal
import struct
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from urllib3 import Retry

import wacht
from tests.processes import stopped_at_request
from tests.servers import RawServer
from tests.waits import PATIENCE
from wacht import cli
from wacht.cli import commands
from wacht.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = [sys.executable, "-m", "wacht"]


@pytest.fixture(autouse=True)
def _usual_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


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


class Terminal:
    """A command at a pseudo-terminal of its own."""

    COLUMNS = 70

    def __init__(self, *arguments: str, stdout: int | None = None) -> None:
        pty = pytest.importorskip("pty")
        fcntl = pytest.importorskip("fcntl")
        termios = pytest.importorskip("termios")
        self._ours, theirs = pty.openpty()
        size = struct.pack("HHHH", 40, self.COLUMNS, 0, 0)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
        environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=theirs,
            stdout=theirs if stdout is None else stdout,
            stderr=theirs,
            env={**environment, "PYTHONIOENCODING": "utf-8", "TERM": "xterm"},
        )
        os.close(theirs)

    def read_until(self, wanted: bytes = b"") -> str:
        """Read what it shows until there is what is wanted, or to the end."""
        shown = b""
        while not wanted or wanted not in shown:
            assert select.select([self._ours], [], [], PATIENCE)[0], "it says no more"
            try:
                piece = os.read(self._ours, 65536)
            except OSError:  # how Linux tells that nobody has the other end open
                break
            if not piece:
                break
            shown += piece
        return shown.decode().replace("\r\n", "\n")

    def close(self) -> int:
        """Wait for its end and return its status."""
        os.close(self._ours)
        return self.process.wait(PATIENCE)


def test_terminal__wait_and_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its reader has a page before the wait for the next one."""
    reading, writing = os.pipe()
    with Sandbox(per_minute=1) as sandbox, os.fdopen(reading) as rows:
        address(sandbox, monkeypatch)
        terminal = Terminal("list", stdout=writing)
        os.close(writing)
        shown = terminal.read_until(b"(429)\r\n")
        assert re.search(r"^wacht: waiting \d\d s: rate limit \(429\)\n$", shown)
        heading, *lines = [rows.readline() for _ in range(101)]
        assert heading.startswith("id\t")
        assert [line.split("\t")[0] for line in lines] == ids(sandbox)[:100]
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.read_until() == (
            "wacht: interrupted; 100 contexts listed before that; to go on, perhaps "
            "without contexts that moved: wacht list --per-page 100 --page 2 "
            "--no-header\n"
        )
        assert terminal.close() == 130
        assert rows.read() == ""


def test_terminal__table(sandbox: Sandbox) -> None:
    terminal = Terminal("list")
    heading, *lines = terminal.read_until().splitlines()
    assert terminal.close() == 0
    assert heading.split() == ["id", "agent_id", "created_at"]
    assert max(map(len, [heading, *lines])) <= Terminal.COLUMNS
    assert [line.split()[0] for line in lines] == ids(sandbox)


def test_terminal__rows_to_a_file(sandbox: Sandbox, tmp_path: Path) -> None:
    pytest.importorskip("tqdm")
    path = tmp_path / "contexts.jsonl"
    terminal = Terminal("list", "--output", str(path))
    shown = terminal.read_until()
    assert terminal.close() == 0
    assert "250" in shown
    assert "3 pages" in shown
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == ids(
        sandbox
    )


def test_list__parquet(sandbox: Sandbox, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "contexts.parquet"
    assert cli.main(["list", "--output", str(path), "--limit", "120"]) == 0
    frame = pandas.read_parquet(path)
    assert frame["id"].tolist() == ids(sandbox)[:120]
    assert json.loads(frame["context"][0]) == sandbox.contexts[0]["context"]


@pytest.mark.parametrize(
    ("options", "queries"),
    [
        (
            "--agent-id=a --workflow-id=b --page=2 --per-page=7",
            ["page=2 per_page=7 agent_id=a workflow_id=b"],
        ),
        ("--limit=5", ["page=1 per_page=5"]),
        (
            "--pagination=offset --status=failed --context-group=g",
            ["limit=100 offset=0 status=failed context_group=g"],
        ),
        (
            "--pagination=offset --active-since=2025-10-31 --no-exhaustive",
            ["limit=100 offset=0"],
        ),
        (
            "--pagination=offset --no-exhaustive",
            [f"limit=100 offset={offset}" for offset in (0, 100, 200)],
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


@pytest.mark.parametrize("name", ["prefetch", "deadline"])
def test_list__option_that_the_walk_refuses(
    name: str, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["list", f"--{name}=-1"]) == 2
    assert capsys.readouterr().err.startswith(f"wacht: {name}: ")
    assert sandbox.requests == []


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
    arguments = ["--format", format_, "--limit=240", "--output"]
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
    again = sandbox.requests[before].query
    assert again == sandbox.requests[before - 1].query  # and none from before that
    assert cli.main(["list", *arguments, str(whole)]) == 0
    assert path.read_bytes() == whole.read_bytes()
    assert sorted(tmp_path.iterdir()) == [path, whole]


@pytest.mark.parametrize("status", [400, 403])
def test_output__goes_on_after_an_error(
    status: int,
    sandbox: Sandbox,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """An age still means the time that it meant at first."""
    path = tmp_path / "contexts.jsonl"
    arguments = ["list", "--output", str(path), "--since=16d"]
    now = datetime(2025, 10, 30, tzinfo=UTC)
    monkeypatch.setattr(commands, "datetime", SimpleNamespace(now=lambda _zone: now))
    sandbox._live = lambda _contexts: sandbox.answer(status, "not now")
    assert cli.main(arguments) == 1
    # The same command would meet a 400 again.
    note = "; the same command goes on after 97 contexts" if status == 403 else ""
    assert capsys.readouterr().err.endswith(f"; nothing was written to {path}{note}\n")
    sandbox._live = None
    sandbox.heal()
    now += timedelta(days=1)
    assert cli.main([*arguments, "--verbose"]) == 0
    assert capsys.readouterr().err == "wacht: going on after 97 contexts\n"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows
    assert [row["id"] for row in rows] == [
        context["id"]
        for context in sandbox.contexts
        if context["created_at"] >= "2025-10-14"
    ]


@pytest.mark.parametrize("change", ["--limit=9", "--no-escape", "WACHT_API_KEY"])
def test_output__another_command_starts_anew(
    change: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    arguments = ["list", "--output", str(tmp_path / "contexts.jsonl")]
    sandbox._live = lambda _contexts: sandbox.answer(403, "not now")
    assert cli.main(arguments) == 1
    part, checkpoint = sorted(tmp_path.iterdir(), reverse=True)
    assert part.stat().st_size
    assert sandbox.api_key.encode() not in checkpoint.read_bytes()
    sandbox._live = None
    sandbox.heal()
    if change == "WACHT_API_KEY":
        sandbox.api_key = "wk_another"
        monkeypatch.setenv(change, sandbox.api_key)
    else:
        arguments.append(change)
    before = len(sandbox.requests)
    assert cli.main(arguments) == 0
    assert sandbox.requests[before].query.get("page") in (None, "1")
    assert not part.exists()
    assert not checkpoint.exists()


def test_output__parquet_starts_anew(
    sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "contexts.parquet"
    sandbox._live = lambda _contexts: sandbox.answer(403, "not now")
    assert cli.main(["list", "--output", str(path)]) == 1
    assert capsys.readouterr().err.endswith(f"; nothing was written to {path}\n")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("WACHT_API_KEY", " ", "; `wacht demo` needs no key"),
        ("WACHT_BASE_URL", "http://example.com", "use https"),
        ("REQUESTS_CA_BUNDLE", "/no/file", "; check REQUESTS_CA_BUNDLE"),
        ("HTTPS_PROXY", "407", "; check the user and the password in HTTPS_PROXY="),
        ("HTTPS_PROXY", "socks5://127.0.0.1", "; pip install PySocks"),
    ],
)
def test_list__what_to_do(
    name: str,
    value: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if value.startswith("socks") and find_spec("socks"):
        pytest.skip("PySocks is there")
    with RawServer(lambda wire: wire.answer(b"", status="407 No")) as proxy:
        monkeypatch.setenv("WACHT_API_KEY", "wk_live")
        monkeypatch.setenv(name, proxy.url if value == "407" else value)
        assert cli.main(["list"]) == 1
    assert words in capsys.readouterr().err


def test_demo(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo"]) == 0
    out, message = capsys.readouterr()
    assert message == ""
    heading, *rows = out.splitlines()
    assert heading.split()[:3] == ["id", "agent_id", "created_at"]
    assert [row.split()[0] for row in rows[:10]] == ids(Sandbox())[:10]
    assert rows[-3] == "… 240 more contexts"
    assert re.fullmatch(
        r"250 contexts on 3 pages, with 3 requests, in \d+\.\d\d seconds", rows[-1]
    )


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
    with (
        wacht.Session(retry=Retry(total=0)) as session,
        pytest.raises(wacht.RequestError, match="refused"),
    ):
        session.fetch_execution_contexts()


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
