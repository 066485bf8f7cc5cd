"""
Errors of the command are one line and a status, and its parts cost nothing unused.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import wacht
from wacht import cli

if TYPE_CHECKING:
    import argparse


def fail_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    def fail(_arguments: argparse.Namespace) -> None:
        raise error

    monkeypatch.setitem(cli._COMMANDS, "demo", fail)
    return cli.main(["demo"])


FROM_THE_ENVIRONMENT = (
    "the command takes key and URL from the environment, and `wacht demo` needs neither"
)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            wacht.ConfigError("no API key"),
            f"no API key; {FROM_THE_ENVIRONMENT}",
        ),
        (
            wacht.AuthenticationError(401, "unknown API key"),
            "401 Unauthorized: unknown API key; check WACHT_API_KEY",
        ),
        (
            wacht.PermissionDeniedError(403, "no"),
            "403 Forbidden: no; check what the key in WACHT_API_KEY may do",
        ),
        (
            wacht.NotFoundError(404, "Not found"),
            "404 Not Found: Not found; check WACHT_BASE_URL",
        ),
        (
            wacht.RequestError("no whole answer"),
            "no whole answer; check the network, and WACHT_BASE_URL",
        ),
        (wacht.ServerError(500, "trouble"), "500 Internal Server Error: trouble"),
        (wacht.WachtError("a\nb\x1b[2J"), "a\\nb\\x1b[2J"),
    ],
)
def test_main__error(
    error: wacht.WachtError,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An error is one line, with what to do where there is something, and status 1."""
    assert fail_with(error, monkeypatch) == 1
    assert capsys.readouterr() == ("", f"wacht: {line}\n")


def test_main__error_with_notes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A note on an error stands at the end of its line."""
    error = wacht.ServerError(500, "trouble")
    error.add_note("to go on: wacht list --page 3")
    assert fail_with(error, monkeypatch) == 1
    assert capsys.readouterr().err == (
        "wacht: 500 Internal Server Error: trouble; to go on: wacht list --page 3\n"
    )


def test_main__unusable_option(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An option that the library refuses has the status of a wrong command line."""
    assert fail_with(wacht.InvalidRequestError("agent_id: empty"), monkeypatch) == 2
    assert capsys.readouterr().err == "wacht: agent_id: empty\n"


def test_main__interrupted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C is one quiet line and the status that shells know it by."""
    assert fail_with(KeyboardInterrupt(), monkeypatch) == 130
    assert capsys.readouterr() == ("", "wacht: interrupted\n")


def test_main__unwritable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A full disk is an error as any other."""
    assert fail_with(OSError(28, "No space left on device"), monkeypatch) == 1
    assert capsys.readouterr().err == (
        "wacht: cannot write to the standard output: No space left on device\n"
    )


def test_main__reader_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reader who has read enough gets no complaint; the status is SIGPIPE's."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        monkeypatch.setitem(cli._COMMANDS, "demo", lambda _: sys.stdout.write("text"))
        status = cli.main(["demo"])
        monkeypatch.undo()
    assert status == 141
    assert capsys.readouterr().err == ""


def loaded_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)"
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(ran.stderr.split())


def test_import__without_command() -> None:
    """Who imports the library does not pay for the command."""
    modules = loaded_after("import wacht")
    assert "wacht.session" in modules
    assert not [name for name in modules if "cli" in name and "wacht" in name]


def test_import__without_extras() -> None:
    """The command starts without pandas, tqdm, IPython and the sandbox."""
    modules = loaded_after("from wacht.cli import main")
    assert "wacht.cli" in modules
    assert not modules & {"pandas", "tqdm", "IPython", "wacht.sandbox"}
