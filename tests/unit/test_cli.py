"""The command line: what it accepts, and how it words errors."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
import pytest

import wacht
from wacht import cli
from wacht.cli.commands import wacht as command

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def parameters(*arguments: str) -> dict[str, Any]:
    return command.commands["list"].make_context("list", [*arguments]).params


def run_as_demo(monkeypatch: pytest.MonkeyPatch, body: Callable[[], object]) -> int:
    monkeypatch.setattr(command.commands["demo"], "callback", body)
    return cli.main(["demo"])


def fail_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    def fail() -> None:
        raise error

    return run_as_demo(monkeypatch, fail)


# Arguments


@pytest.mark.parametrize("option", ["--since", "--active-since"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T12:00:00", NOON),
        ("2026-03-01t12:00:00z", NOON),
        ("2026-03-01 14:00:00+02:00", NOON),
        ("2026-03-01 12:00:00 UTC", NOON),
    ],
)
def test_time__date_or_time(option: str, text: str, expected: datetime) -> None:
    assert parameters(option, text)[option[2:].replace("-", "_")] == expected


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("2d", timedelta(days=2)),
        ("12h", timedelta(hours=12)),
        ("030m", timedelta(minutes=30)),
    ],
)
def test_time__age(text: str, age: timedelta) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    since = parameters("--since", text)["since"]
    assert before <= since + age <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "table"),
        (["--output", "a.csv"], "csv"),
        (["--output", "a.b.JSONL"], "jsonl"),
        (["--output", "a.json"], "json"),
        (["--output", "a.parquet"], "parquet"),
        (["--format", "csv", "--output", "a.json"], "csv"),
        (["--output", "a.txt", "--format", "table"], "table"),
    ],
)
def test_format__chosen(arguments: list[str], expected: str) -> None:
    if expected == "parquet":
        pytest.importorskip("pyarrow")
    assert parameters(*arguments)["format"] == expected


@pytest.mark.parametrize("missing", ["pandas", "pyarrow"])
def test_format__parquet_without_its_packages(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(click.UsageError, match="pip install pandas pyarrow"):
        parameters("--output", "a.parquet")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list", "--since", "soon"], "'--since': expected a date, a time such as"),
        (["list", "--since", "2w"], "or an age such as 2d, 12h or 30m, got '2w'"),
        (["list", "--since", f"{10**9}d"], "or an age such as 2d, 12h or 30m, got '1"),
        (["list", "--since", f"{10**99}d"], "or an age such as 2d, 12h or 30m, got '1"),
        (["list", "--limit", "0"], "'--limit': 0 is not in the range"),
        (["list", "--limit", "ten"], "'--limit': 'ten' is not a valid integer"),
        (["list", "--per-page", "101"], "'--per-page': 101 is not in the range"),
        (["list", "--page", "0"], "'--page': 0 is not in the range"),
        (["list", "--deadline", "soon"], "'--deadline': 'soon' is not a valid float"),
        (["list", "--format", "xml"], "'--format': 'xml' is not one of 'table', 'js"),
        (["list", "--format", "parquet"], "'--format': parquet needs --output"),
        (["list", "--output", "a.xlsx"], "'a.xlsx' doesn't end in .csv, .json, "),
        (["list", "--output", "a"], "'a' doesn't end in .csv, "),
        (["list", "--output", "a.table"], "'a.table' doesn't end in .csv, "),
        (["list", "--agnt-id", "a"], "id you mean"),
        (["list", "a"], "unexpected extra argument"),
        (["list", "--output", "."], "'--output': File '.' is a directory"),
        (["sandbox", "--port", "65536"], "'--port': 65536 is not in the range"),
        (["sandbox", "--per-second", "0"], "'--per-second': 0 is not in the range"),
        (["sandbox", "--revision", "no"], "'--revision': 'no' is not one of"),
        (["lst"], "No such command 'lst'"),
        (["nothing"], "No such command 'nothing' (see wacht --help)"),
        (["--verison"], "--version"),
        ([], "Missing command (see wacht --help)"),
        (["list", "\x1b[2J\n"], r"\x1b[2J\n"),
    ],
)
def test_arguments__wrong(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    out, line = capsys.readouterr()
    assert out == ""
    assert words in line
    assert line.startswith("wacht: ")
    assert line.endswith("--help)\n")
    assert line[:-1].isprintable()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--api-key", "wk_live"],
        ["--api-key=wk_live", "list"],
        ["list", "--agent-id", "a", "--api-key=wk_live"],
        ["demo", "--api-key"],
        ["sandbox", "--api-key", "wk_live"],
    ],
)
def test_arguments__no_key(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    out, line = capsys.readouterr()
    assert "others on this machine can read arguments: set WACHT_API_KEY" in line
    assert "wk_live" not in out + line


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_arguments__version(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([option]) == 0
    assert capsys.readouterr() == (f"wacht {wacht.__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        ("wacht li", ["list"]),
        ("wacht list --wor", ["--workflow-id"]),
        ("wacht list --format js", ["json", "jsonl"]),
    ],
)
def test_completion__in_bash(
    words: str,
    completions: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("_WACHT_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    assert cli.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"plain,{word}" for word in completions]


@pytest.mark.parametrize("name", [None, "demo", "list", "sandbox"])
def test_help__examples(name: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([name, "--help"] if name else ["-h"]) == 0
    text = capsys.readouterr().out
    assert "api-key" not in text
    lines = [line.strip() for line in text.splitlines()]
    examples = [line for line in lines if line.startswith("wacht ")]
    assert examples
    for example in examples:
        _, subcommand, *words = shlex.split(example.partition("|")[0])
        command.commands[subcommand].make_context(subcommand, words)


# Errors


CASES: list[tuple[BaseException, int, str]] = [
    (
        wacht.ConfigError("no API key: set WACHT_API_KEY"),
        1,
        "no API key: set WACHT_API_KEY; `wacht demo` needs no key",
    ),
    (wacht.ConfigError("base_url: use https"), 1, "base_url: use https"),
    (
        wacht.RequestError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate (1)"),
        1,
        (
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate (1); if you trust its CA, "
            "set REQUESTS_CA_BUNDLE to a file with the certificate"
        ),
    ),
    (
        wacht.RequestError("no answer: connection refused"),
        1,
        "no answer: connection refused; check the network, and WACHT_BASE_URL",
    ),
    (
        wacht.AuthenticationError(401, "unknown API key"),
        1,
        "401 Unauthorized: unknown API key; check WACHT_API_KEY",
    ),
    (
        wacht.PaginationError("the service repeats pages"),
        1,
        "the service repeats pages; see --pagination and --exhaustive",
    ),
    (wacht.BadRequestError(400, "per_page=no"), 1, "400 Bad Request: per_page=no"),
    (
        wacht.InvalidRequestError("agent_id: expected a non-empty string"),
        2,
        "agent_id: expected a non-empty string",
    ),
    (wacht.WachtError("a\nb\x1b[2J"), 1, "a\\nb\\x1b[2J"),
    (KeyboardInterrupt(), 130, "interrupted"),
    (
        OSError(28, "No space left on device"),
        1,
        "cannot write to the standard output: No space left on device",
    ),
]


@pytest.mark.parametrize(("error", "status", "line"), CASES)
def test_main__error(
    error: BaseException,
    status: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert fail_with(error, monkeypatch) == status
    assert capsys.readouterr() == ("", f"wacht: {line}\n")


def test_main__error_with_notes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = wacht.ServerError(500, "trouble")
    error.add_note("to go on: wacht list --page 3")
    assert fail_with(error, monkeypatch) == 1
    assert capsys.readouterr().err == (
        "wacht: 500 Internal Server Error: trouble; to go on: wacht list --page 3\n"
    )


def test_main__reader_gone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        status = run_as_demo(monkeypatch, lambda: sys.stdout.write("text"))
        monkeypatch.undo()
    assert status == 141
    assert capsys.readouterr().err == ""


# Imports


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_import__without_the_extra(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [*sys.modules]:
        if name.startswith(("wacht.cli.", missing)):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    assert cli.main(["demo"]) == 1
    assert capsys.readouterr().err == (
        f"wacht: the command needs {missing}: install the extra `cli`, in a clone "
        "with pip install -e '.[cli]'\n"
    )


def test_import__another_module_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "wacht.cli.run")
    monkeypatch.setitem(sys.modules, "wacht.cli.output", None)
    with pytest.raises(ModuleNotFoundError, match=r"wacht\.cli\.output"):
        cli.main(["demo"])


def loaded_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)"
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(ran.stderr.split())


def test_import__without_command() -> None:
    modules = loaded_after("import wacht")
    assert "wacht.session" in modules
    assert not modules & {"wacht.cli", "click", "rich"}


def test_import__without_other_extras() -> None:
    modules = loaded_after("import wacht.cli.run")
    assert not modules & {"pandas", "tqdm", "IPython", "wacht.sandbox"}
