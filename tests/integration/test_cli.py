"""
The command as a person meets it: at a terminal, in pipes, with a service that fails.
"""

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
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import wacht
from wacht import cli
from wacht.models import FIELD_NAMES
from wacht.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        """
        Read what it shows until there is what is wanted, or to the end.
        """
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
        """
        Wait for its end and return its status.
        """
        os.close(self._ours)
        return self.process.wait(60)


@pytest.mark.parametrize("columns", [80, 200])
def test_terminal__table_fits(columns: int, sandbox: Sandbox) -> None:
    """The table fits the terminal, ids stand whole, and what is left out is named."""
    sandbox.contexts[:] = Sandbox(revision="offset").contexts
    terminal = Terminal("list", columns=columns)
    heading, *rows, left_out = terminal.read_until().splitlines()
    assert terminal.close() == 0
    assert max(map(len, [heading, *rows])) <= columns
    assert [row.split()[0] for row in rows] == ids(sandbox)
    assert ("session_id" in heading) == (columns == 200)
    assert left_out.startswith("… no room for ")


@pytest.mark.parametrize("format_", ["table", "json", "jsonl", "csv"])
@pytest.mark.parametrize("columns", [80, 200])
def test_terminal__hostile_values(format_: str, columns: int, sandbox: Sandbox) -> None:
    """No control character of a server reaches a terminal, in any format."""
    sandbox.answer(200, hostile_body())
    terminal = Terminal("list", "--format", format_, columns=columns)
    lines = terminal.read_until().splitlines()
    assert terminal.close() == 0
    assert lines
    for line in lines:
        assert line.isprintable()


def test_terminal__wait_and_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait is told of, and Ctrl-C in the middle of it ends at once, in one line."""
    with Sandbox(per_minute=1) as sandbox:
        address(sandbox, monkeypatch)
        terminal = Terminal("list", columns=80)
        shown = terminal.read_until(b"(429)\r\n")
        assert re.search(r"\nwacht: waiting \d\d s: rate limit \(429\)\n$", shown)
        assert ids(sandbox)[99] in shown
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.read_until() == "wacht: interrupted\n"
        assert terminal.close() == 130


def test_terminal__rows_to_a_file(sandbox: Sandbox, tmp_path: Path) -> None:
    """While rows go to a file, a bar on the terminal tells how far it is."""
    pytest.importorskip("tqdm")
    with (tmp_path / "contexts.jsonl").open("w+") as file:
        terminal = Terminal(
            "list", "--format", "jsonl", columns=80, stdout=file.fileno()
        )
        shown = terminal.read_until()
        assert terminal.close() == 0
        assert "250" in shown
        assert "3 pages" in shown
        file.seek(0)
        assert [json.loads(line)["id"] for line in file] == ids(sandbox)


# In pipes


def test_pipe__first_page_comes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of a page are there while the next is still waited for; no word else."""
    with Sandbox(per_minute=1) as sandbox:
        address(sandbox, monkeypatch)
        with running("list") as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(101)]
            assert lines[0].startswith("id\t")
            assert [line.split("\t")[0] for line in lines[1:]] == ids(sandbox)[:100]
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            out, complaint = process.communicate(timeout=60)
        assert (out, complaint) == ("", "wacht: interrupted\n")
        assert process.returncode == 130


def test_pipe__verbose(monkeypatch: pytest.MonkeyPatch) -> None:
    """With -v each wait is a line on stderr, in a pipe too."""
    with Sandbox(per_minute=1) as sandbox:
        address(sandbox, monkeypatch)
        # A short page, which any pipe holds while nobody reads it.
        with running("list", "-v", "--format", "json", "--per-page", "1") as process:
            assert process.stderr is not None
            line = process.stderr.readline()
            process.send_signal(signal.SIGINT)
            out, complaint = process.communicate(timeout=60)
    assert re.fullmatch(r"wacht: waiting [\d.]+ s before .*: rate limit.*\n", line)
    assert complaint == "wacht: interrupted\n"
    assert [context["id"] for context in json.loads(f"{out}]")] == ids(sandbox)[:1]


@pytest.mark.parametrize("format_", ["table", "json", "jsonl", "csv"])
def test_pipe__reader_leaves(format_: str, sandbox: Sandbox) -> None:
    """A reader that takes one line and leaves, as head does, costs no complaint."""
    sandbox.contexts *= 20  # the same ids: more pages than a pipe holds
    for number, context in enumerate(sandbox.contexts):
        sandbox.contexts[number] = {**context, "id": str(number)}
    with running("list", "--format", format_) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 141


def test_pipe__help_unread(sandbox: Sandbox) -> None:
    """Help that nobody reads costs no complaint either."""
    reading, writing = os.pipe()
    os.close(reading)
    ran = run("list", "--help", stdout=writing)
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (141, "")


@pytest.mark.parametrize("arguments", [["demo"], ["list"], ["--help"]])
def test_pipe__full_disk(arguments: list[str], sandbox: Sandbox) -> None:
    """A full disk is an error in one line, whatever was to be written."""
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full on this system")
    with Path("/dev/full").open("w") as full:
        ran = run(*arguments, stdout=full)
    assert (ran.returncode, ran.stderr) == (
        1,
        "wacht: cannot write to the standard output: No space left on device\n",
    )


@pytest.mark.parametrize("closed", [">&-", "1</dev/null"])
def test_pipe__closed(closed: str, sandbox: Sandbox) -> None:
    """A stdout that is closed, or only for reading, is an error in one line."""
    script = f"{shlex.join(COMMAND)} list {closed}"
    ran = subprocess.run(
        ["/bin/sh", "-c", script], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (
        1,
        "wacht: cannot write to the standard output: Bad file descriptor\n",
    )


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
@pytest.mark.parametrize("format_", ["table", "json", "jsonl", "csv"])
def test_pipe__hostile_values(
    format_: str, encoding: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that a server sends makes a listing fail, in whatever encoding."""
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    sandbox.answer(200, hostile_body())
    ran = subprocess.run(
        [*COMMAND, "list", "--format", format_], capture_output=True, check=False
    )
    text = ran.stdout.decode(encoding)
    assert (ran.returncode, ran.stderr) == (0, b"")
    if format_ == "csv":
        rows = list(csv.reader(io.StringIO(text, newline="")))
        assert len(rows) == 1 + len(HOSTILE) + 2
        assert rows[3][FIELD_NAMES.index("title")] == "'=cmd|'/C calc'!A0"
        assert rows[4][FIELD_NAMES.index("title")] == "a\nb\r\nc\rd"
    elif format_ == "json":
        titles = [context["title"] for context in json.loads(text)]
        assert titles == [*HOSTILE, None, None]
    else:
        assert len(text.split("\n")[:-1]) == len(HOSTILE) + 2 + (format_ == "table")


# What is listed


@pytest.mark.parametrize("prefetch", ["0", "3"])
def test_list__whole(prefetch: str, sandbox: Sandbox) -> None:
    """A listing has each context once, in order, read ahead or not."""
    ran = run("list", "--format", "jsonl", "--per-page", "50", "--prefetch", prefetch)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [json.loads(line)["id"] for line in ran.stdout.splitlines()] == ids(sandbox)
    assert {request.query["per_page"] for request in sandbox.requests} == {"50"}


def test_list__filters(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """Filters are the service's, and a time and a limit are laid over them."""
    agent = sandbox.contexts[0]["agent_id"]
    arguments = ["--agent-id", agent, "--since", "2025-10-20", "--limit", "5"]
    assert cli.main(["list", *arguments, "--format", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert len(listed) == 5
    assert {context["agent_id"] for context in listed} == {agent}
    assert min(context["created_at"] for context in listed) >= "2025-10-20"
    assert [request.query["agent_id"] for request in sandbox.requests] == [agent]


@pytest.mark.parametrize("name", ["workflow_id", "status", "context_group"])
def test_list__other_filters(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each filter reaches the revision that knows it."""
    revision = "page" if name == "workflow_id" else "offset"
    with Sandbox(revision=revision) as sandbox:
        address(sandbox, monkeypatch)
        value = next(context[name] for context in sandbox.contexts if context.get(name))
        option = f"--{name.replace('_', '-')}"
        assert cli.main(["list", option, value, "--format", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed
    assert {context[name] for context in listed} == {value}


def test_list__revision(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old revision that cannot be told apart is listed when it is named."""
    with Sandbox(revision="offset-without-echo") as sandbox:
        address(sandbox, monkeypatch)
        assert cli.main(["list", "--format", "json"]) == 1
        assert "--pagination" in capsys.readouterr().err
        assert cli.main(["list", "--format", "json", "--pagination", "offset"]) == 0
        listed = json.loads(capsys.readouterr().out)
        assert [context["id"] for context in listed] == ids(sandbox)


def test_list__goes_on(
    sandbox: Sandbox,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What stderr says to type after an error lists the rest, and nothing twice."""
    arguments = ["list", "--format", "jsonl", "--per-page", "40", "--limit", "200"]
    with Sandbox(per_minute=2) as limited:
        address(limited, monkeypatch)
        assert cli.main([*arguments, "--deadline", "5"]) == 1
    out, complaint = capsys.readouterr()
    assert complaint.count("\n") == 1
    said, _, command = complaint.strip().partition("; to go on: ")
    assert said.startswith("wacht: the deadline of 5 s would pass during a wait")
    assert said.endswith("; 80 contexts listed before that")
    assert command == (
        "wacht list --limit 120 --per-page 40 --page 3 --deadline 5.0 --format jsonl"
    )
    address(sandbox, monkeypatch)
    assert cli.main(shlex.split(command)[1:]) == 0
    out += capsys.readouterr().out
    listed = [json.loads(line)["id"] for line in out.splitlines()]
    assert listed == ids(sandbox)[:200]


def test_list__one_listed_before(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The count is told in good English, and goes by what was listed."""
    with Sandbox(per_minute=1) as sandbox:
        address(sandbox, monkeypatch)
        assert cli.main(["list", "--per-page", "1", "--deadline", "5"]) == 1
    complaint = capsys.readouterr().err
    assert "; 1 context listed before that; to go on: " in complaint


def test_list__of_another_revision(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it takes an option to go on, stderr says so, and the rest is listed."""
    with Sandbox(revision="offset-without-echo") as sandbox:
        address(sandbox, monkeypatch)
        assert cli.main(["list", "--format", "jsonl"]) == 1
        out, complaint = capsys.readouterr()
        assert len(out.splitlines()) == 50
        said, _, command = complaint.strip().partition(", to go on: ")
        assert said.endswith(
            "; the revision is set with --pagination; 50 contexts listed before that; "
            "with that set right"
        )
        going_on = [*shlex.split(command)[1:], "--pagination", "offset"]
        assert cli.main(going_on) == 0
        out += capsys.readouterr().out
        assert [json.loads(line)["id"] for line in out.splitlines()] == ids(sandbox)


def test_list__broke_off_on_the_first_page(
    capsys: pytest.CaptureFixture[str], sandbox: Sandbox
) -> None:
    """Where nothing had come, there is nothing to go on with: the same once more."""
    sandbox.answer(200, "no JSON")
    assert cli.main(["list", "--page", "2"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_list__wrong_key(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong key is an error with advice, and nothing on stdout."""
    monkeypatch.setenv("WACHT_API_KEY", "wk_wrong")
    ran = run("list", "--format", "json")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        "wacht: 401 Unauthorized: Authentication failed: unknown API key; "
        "check WACHT_API_KEY\n"
    )


def test_list__no_key() -> None:
    """Without a key there is an error that says where it belongs."""
    ran = run("list")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("wacht: no API key: set WACHT_API_KEY")
    assert ran.stderr.count("\n") == 1


def test_list__service_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is not there is an error in one line, in time."""
    with Sandbox() as sandbox:
        address(sandbox, monkeypatch)
    ran = run("list", "--deadline", "1")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("wacht: the deadline of 1 s would pass")
    assert ran.stderr.count("\n") == 1


def test_list__unusable_option(sandbox: Sandbox) -> None:
    """An option that the library refuses is a wrong command line; nothing is sent."""
    ran = run("list", "--agent-id", "")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "wacht: agent_id: expected a non-empty string, got ''\n"
    assert sandbox.requests == []


# The others


def test_demo(capsys: pytest.CaptureFixture[str]) -> None:
    """The demo shows ten rows, how many more there are, and what it took."""
    assert cli.main(["demo"]) == 0
    out, complaint = capsys.readouterr()
    assert complaint == ""
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
    """The printed lines are all that a client needs, until Ctrl-C."""
    options = ["--contexts", "30", "--revision", revision, "--per-second", "3"]
    with running("sandbox", *options) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(5)]
        for line in lines[-2:]:
            export, _, setting = line.partition(" ")
            assert export == "export"
            monkeypatch.setenv(*setting.split("="))
        assert f"30 contexts on {os.environ['WACHT_BASE_URL']}" in lines[0]
        pagination = "page" if revision == "page" else "offset"
        with wacht.Session(pagination=pagination, throttle=None) as session:
            assert len(list(session.iter_execution_contexts())) == 30
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == ("", "wacht: interrupted\n")
        assert process.returncode == 130


def test_sandbox__in_process(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it is interrupted, the sandbox is closed."""

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("time.sleep", interrupt)
        assert cli.main(["sandbox"]) == 130
    url = re.search(r"http://127\.0\.0\.1:\d+", capsys.readouterr().out)
    assert url is not None
    with (
        wacht.Session("wk_sandbox", base_url=url[0]) as session,
        pytest.raises(wacht.DeadlineExceededError, match="Connection refused"),
    ):
        next(session.iter_execution_contexts(deadline=0.2))


def test_sandbox__port_taken(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """A port that is taken is an error in one line."""
    port = sandbox.url.rpartition(":")[2]
    assert cli.main(["sandbox", "--port", port]) == 1
    assert capsys.readouterr().err == f"wacht: port {port}: Address already in use\n"


def test_module__is_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python -m wacht` is the command, and its status that of the process."""
    monkeypatch.setattr(sys, "argv", ["__main__.py", "list"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("wacht", run_name="__main__")
    assert caught.value.code == 1
    assert capsys.readouterr().err.startswith("wacht: no API key")
