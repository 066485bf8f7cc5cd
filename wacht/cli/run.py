"""Run a command line: every error becomes one line and an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click
from click.shell_completion import shell_complete

from wacht import errors

from .commands import wacht
from .output import delivered_output, discard_buffer, report

_COMPLETE = "_WACHT_COMPLETE"
_INTERRUPTED = 130  # as a shell reports SIGINT
_READER_GONE = 141  # and SIGPIPE

# What to do about an error of each kind.
_HINTS: dict[type[BaseException], str] = {
    errors.PermissionDeniedError: "check what the key in WACHT_API_KEY may do",
    errors.RateLimitError: "try later: all users of the key share the limit",
    errors.RequestError: "check the network, HTTPS_PROXY and REQUESTS_CA_BUNDLE",
}
# What messages advise in Python, and its form in a command line.
_IN_PYTHON = {
    " or pass api_key": "; `wacht demo` needs no key",
    " or api_key": "",
    " or base_url, and path": "",
    " or base_url": "",
    "exhaustive=False": "--no-exhaustive",
    "pagination=": "--pagination=",
}


def run(argv: Sequence[str] | None) -> int:
    """Run a command line, that of the process if None, and return the exit status."""
    try:
        with delivered_output():
            return _invoke(sys.argv[1:] if argv is None else [*argv])
    except errors.WachtError as error:
        report(_explain(error))
        return 2 if isinstance(error, errors.InvalidRequestError) else 1
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "wacht"
        report(f"{error.format_message().rstrip('.')} (see {path} --help)")
        return 2
    except KeyboardInterrupt as error:
        report(_explain(error))
        return _INTERRUPTED
    except OSError as error:
        discard_buffer(sys.stdout)
        if isinstance(error, BrokenPipeError):
            return _READER_GONE
        report(f"cannot write to the standard output: {error.strerror}")
        return 1


def _invoke(arguments: list[str]) -> int:
    if task := os.environ.get(_COMPLETE):  # set by the shell, see click's documentation
        return shell_complete(wacht, {}, "wacht", _COMPLETE, task)
    if any(word.partition("=")[0] == "--api-key" for word in arguments):
        raise click.UsageError(
            "--api-key is refused, since others on this machine can read arguments: "
            "set WACHT_API_KEY in the environment"
        )
    try:  # not wacht.main(), which handles Ctrl-C and broken pipes in its own way
        with wacht.make_context("wacht", arguments or ["--help"]) as ctx:
            wacht.invoke(ctx)
    except click.exceptions.Exit as stop:  # after --help and --version
        return stop.exit_code
    return 0


def _explain(error: BaseException) -> str:
    message = str(error) or "interrupted"  # Ctrl-C has no message
    for python, option in _IN_PYTHON.items():
        message = message.replace(python, option)
    parts = [message, *filter(None, [_HINTS.get(type(error))])]
    return "; ".join([*parts, *getattr(error, "__notes__", [])])
