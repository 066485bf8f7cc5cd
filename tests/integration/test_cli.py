"""The command in a real process: at a terminal, in pipes, with a service that fails."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import runpy
import select
import shlex
import signal
import struct
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Event
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import wacht
from tests.servers import RawServer
from wacht import cli
from wacht.cli import commands
from wacht.models import FIELD_NAMES
from wacht.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = [sys.executable, "-m", "wacht"]
HOSTILE = (
    "\x1b[31mred\x1b]0;title\x07",
    "<script>alert(1)</script>",
    "=cmd|'/C calc'!A0",
    "a\nb\r\nc\rd",
    "\u202egnp.exe",
    "\N{FAMILY}\u200d\N{ROCKET} 日本語",
    "\ud800 and \udfff",
    "\x9b2J\x7f\x00",
    "",
)


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


def run(*arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | settings
    return subprocess.run(
        [*COMMAND, *arguments], text=True, check=False, timeout=60, **streams
    )


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ids(sandbox: Sandbox) -> list[str]:
    return [context["id"] for context in sandbox.contexts]


def hostile_body() -> str:
    data: list[dict[str, Any]] = [
        {
            "id": str(number),
            **dict.fromkeys(("agent_id", "title", "status", "user_id"), text),
            "context": {text: [text, None]},
            "new \x1b[1m": text,
        }
        for number, text in enumerate(HOSTILE)
    ]
    nothing: dict[str, Any] = dict.fromkeys(FIELD_NAMES)
    return json.dumps({"data": [*data, nothing, {}], "has_more": False})


# At a terminal


class Terminal:
    """A command at a pseudo-terminal of its own."""

    def __init__(
        self, *arguments: str, columns: int, stdout: int | None = None
    ) -> None:
        pty = pytest.importorskip("pty")
        fcntl = pytest.importorskip("fcntl")
        termios = pytest.importorskip("termios")
        self._ours, theirs = pty.openpty()
        size = struct.pack("HHHH", 40, columns, 0, 0)
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
            assert select.select([self._ours], [], [], 60)[0], "it says no more"
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
        return self.process.wait(60)


def test_terminal__table(sandbox: Sandbox) -> None:
    sandbox.contexts[:] = Sandbox(revision="offset").contexts
    terminal = Terminal("list", columns=100)
    heading, *rows = terminal.read_until().splitlines()
    assert terminal.close() == 0
    assert max(map(len, [heading, *rows])) <= 100
    assert heading.split() == ["id", "agent_id", "created_at", "status", "title"]
    assert [row.split()[0] for row in rows] == ids(sandbox)


@pytest.mark.parametrize("format_", ["table", "json", "jsonl", "csv"])
def test_terminal__hostile_values(format_: str, sandbox: Sandbox) -> None:
    sandbox.answer(200, hostile_body())
    terminal = Terminal("list", "--format", format_, columns=80)
    lines = terminal.read_until().splitlines()
    assert terminal.close() == 0
    assert lines
    for line in lines:
        assert line.isprintable()


def test_terminal__wait_and_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(per_minute=1) as sandbox:
        address(sandbox, monkeypatch)
        terminal = Terminal("list", columns=80)
        shown = terminal.read_until(b"(429)\r\n")
        assert re.search(r"\nwacht: waiting \d\d s: rate limit \(429\)\n$", shown)
        assert ids(sandbox)[99] in shown
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.read_until() == (
            "wacht: interrupted; 100 contexts listed before that; to go on, perhaps "
            "without contexts that moved: wacht list --per-page 100 --page 2 "
            "--no-header\n"
        )
        assert terminal.close() == 130


@pytest.mark.parametrize("option", [True, False])
def test_terminal__rows_to_a_file(
    *, option: bool, sandbox: Sandbox, tmp_path: Path
) -> None:
    pytest.importorskip("tqdm")
    path = tmp_path / "contexts.jsonl"
    arguments = ["list", "--format", "jsonl"]
    if option:
        terminal = Terminal(*arguments, "--output", str(path), columns=80)
    else:
        with path.open("w") as file:
            terminal = Terminal(*arguments, columns=80, stdout=file.fileno())
    shown = terminal.read_until()
    assert terminal.close() == 0
    assert "250" in shown
    assert "3 pages" in shown
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == ids(
        sandbox
    )


# In pipes


def test_pipe__first_page_comes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(per_minute=1) as sandbox:
        address(sandbox, monkeypatch)
        with running("list") as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(101)]
            assert lines[0].startswith("id\t")
            assert [line.split("\t")[0] for line in lines[1:]] == ids(sandbox)[:100]
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            out, message = process.communicate(timeout=60)
        assert out == ""
        assert message.startswith("wacht: interrupted")
        assert process.returncode == 130


@pytest.mark.parametrize("format_", ["table", "json", "jsonl", "csv"])
def test_pipe__reader_leaves(format_: str, sandbox: Sandbox) -> None:
    sandbox.contexts[:] = [
        {**context, "id": f"{copy} {context['id']}"}
        for copy in range(20)  # more pages than a pipe holds
        for context in sandbox.contexts
    ]
    with running("list", "--format", format_) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 141


# What is listed


@pytest.mark.parametrize("prefetch", ["0", "3"])
def test_list__whole(prefetch: str, sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "contexts.jsonl"
    arguments = ["list", "--format", "jsonl", "--per-page", "50"]
    ran = run(*arguments, "--prefetch", prefetch)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [json.loads(line)["id"] for line in ran.stdout.splitlines()] == ids(sandbox)
    assert {request.query["per_page"] for request in sandbox.requests} == {"50"}
    assert cli.main([*arguments, "--output", str(path)]) == 0
    assert path.read_text() == ran.stdout


def test_list__parquet(sandbox: Sandbox, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "contexts.parquet"
    assert cli.main(["list", "--output", str(path), "--limit", "120"]) == 0
    frame = pandas.read_parquet(path)
    assert frame["id"].tolist() == ids(sandbox)[:120]
    assert json.loads(frame["context"][0]) == sandbox.contexts[0]["context"]


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert cli.main(["list", "--format", "json", *arguments]) == 0
    contexts: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return contexts


def test_list__filters(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    agent = sandbox.contexts[0]["agent_id"]
    contexts = listed(
        capsys, "--agent-id", agent, "--since", "2025-10-20", "--limit", "5"
    )
    assert len(contexts) == 5
    assert {context["agent_id"] for context in contexts} == {agent}
    assert min(context["created_at"] for context in contexts) >= "2025-10-20"
    assert [request.query["agent_id"] for request in sandbox.requests] == [agent]


@pytest.mark.parametrize(
    ("name", "revision"),
    [("workflow_id", "page"), ("status", "offset"), ("context_group", "offset")],
)
def test_list__other_filters(
    name: str,
    revision: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Sandbox(revision=revision) as sandbox:
        address(sandbox, monkeypatch)
        value = next(context[name] for context in sandbox.contexts if context.get(name))
        contexts = listed(capsys, f"--{name.replace('_', '-')}", value)
    assert {context[name] for context in contexts} == {value}


def test_list__limit(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    contexts = listed(capsys, "--limit", "5", "--verbose")
    assert [context["id"] for context in contexts] == ids(sandbox)[:5]
    assert len(sandbox.requests) == 1


def test_list__active_since(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sandbox(revision="offset") as sandbox:
        address(sandbox, monkeypatch)
        since = sandbox.contexts[9]["last_activity_at"]
        contexts = listed(capsys, "--active-since", since, "--no-exhaustive")
        assert 10 <= len(contexts) < 100
        assert len(sandbox.requests) == 1


def test_list__goes_on(
    sandbox: Sandbox,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = ["list", "--format", "csv", "--per-page", "40", "--limit", "200"]
    with Sandbox(per_minute=2) as limited:
        address(limited, monkeypatch)
        assert cli.main([*arguments, "--deadline", "5"]) == 1
    out, message = capsys.readouterr()
    assert message.count("\n") == 1
    said, _, command = message.strip().partition(
        "; to go on, perhaps without contexts that moved: "
    )
    assert said.startswith("wacht: the deadline of 5 s would pass during a wait")
    assert said.endswith("; 80 contexts listed before that")
    assert command == (
        "wacht list --limit 120 --per-page 40 --page 3 --deadline 5.0 --format csv "
        "--no-header"
    )
    address(sandbox, monkeypatch)
    assert cli.main(shlex.split(command)[1:]) == 0
    out += capsys.readouterr().out
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    assert [row["id"] for row in rows] == ids(sandbox)[:200]


def stopped_at_request(
    number: int, sandbox: Sandbox, signal_: int, *arguments: str
) -> str:
    """Send a signal to a listing that waits for an answer; return what it says."""
    reached, sent = Event(), Event()

    def hold(_contexts: object) -> None:
        if len(sandbox.requests) == number:
            reached.set()
            assert sent.wait(60)

    sandbox._live = hold
    with running("list", *arguments) as process:
        assert reached.wait(60)
        process.send_signal(signal_)
        _, message = process.communicate(timeout=60)
        sandbox._live = None
        sent.set()
    return message


@pytest.mark.parametrize("revision", ["page", "offset"])
@pytest.mark.parametrize(
    ("format_", "signal_"),
    [
        ("table", signal.SIGTERM),
        ("json", signal.SIGINT),
        ("jsonl", signal.SIGTERM),
        ("csv", signal.SIGINT),
    ],
)
def test_output__same_command_goes_on(
    format_: str, signal_: int, revision: Any, sandbox: Sandbox, tmp_path: Path
) -> None:
    path, whole = tmp_path / "contexts", tmp_path / "whole"
    arguments = ["--format", format_, "--limit=240", "--output"]
    sandbox.revision = revision
    message = stopped_at_request(3, sandbox, signal_, *arguments, str(path))
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
    change: str,
    sandbox: Sandbox,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    arguments = ["list", "--output", str(tmp_path / "contexts.jsonl")]
    stopped_at_request(2, sandbox, signal.SIGTERM, *arguments[1:])
    for path in tmp_path.iterdir():
        assert sandbox.api_key.encode() not in path.read_bytes()
    if change == "WACHT_API_KEY":
        sandbox.api_key = "wk_another"
        monkeypatch.setenv(change, sandbox.api_key)
    else:
        arguments.append(change)
    assert cli.main(arguments) == 0
    assert capsys.readouterr().err == ""
    [path] = tmp_path.iterdir()
    wanted = ids(sandbox)[: 9 if change == "--limit=9" else None]
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == wanted


def test_output__parquet_starts_anew(sandbox: Sandbox, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "contexts.parquet"
    message = stopped_at_request(3, sandbox, signal.SIGINT, "--output", str(path))
    assert message == f"wacht: interrupted; nothing was written to {path}\n"
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
    name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import sys; sys.modules['socks'] = None; import wacht.__main__"
    with RawServer(lambda wire: wire.answer(b"", status="407 No")) as proxy:
        monkeypatch.setenv("WACHT_API_KEY", "wk_live")
        monkeypatch.setenv(name, proxy.url if value == "407" else value)
        ran = subprocess.run(
            [sys.executable, "-c", code, "list"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert words in ran.stderr


# The others


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


@pytest.mark.parametrize("revision", ["page", "offset", "offset-without-echo"])
def test_sandbox__serves_until_interrupted(
    revision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--contexts", "30", "--revision", revision, "--per-second", "3"]
    with running("sandbox", *options) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(5)]
        for line in lines[-2:]:
            export, _, setting = line.partition(" ")
            assert export == "export"
            monkeypatch.setenv(*setting.split("=", 1))
        assert f"30 contexts on {os.environ['WACHT_BASE_URL']}" in lines[0]
        pagination: Any = "page" if revision == "page" else "offset"
        with wacht.Session(pagination=pagination, throttle=None) as session:
            assert len(list(session.iter_execution_contexts())) == 30
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == ("", "")
        assert process.returncode == 0


def test_sandbox__closed_after_ctrl_c(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("time.sleep", interrupt)
        assert cli.main(["sandbox"]) == 0
    url = re.search(r"http://127\.0\.0\.1:\d+", capsys.readouterr().out)
    assert url is not None
    with (
        wacht.Session("wk_sandbox", base_url=url[0]) as session,
        pytest.raises(wacht.DeadlineExceededError, match="refused"),
    ):
        next(session.iter_execution_contexts(deadline=0.2))


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
