"""Run a command line: every error becomes one line and an exit status."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

import click
from click.shell_completion import shell_complete

from wacht import errors

from .commands import wacht
from .output import delivered_output, discard_buffer, report

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMPLETE = "_WACHT_COMPLETE"
_INTERRUPTED = 130  # as a shell reports SIGINT
_READER_GONE = 141  # and SIGPIPE

# What to do about an error, in the words of the command.
_HINTS: dict[type[errors.WachtError], str] = {
    errors.ConfigError: "`wacht demo` needs neither key nor URL",
    errors.AuthenticationError: "check WACHT_API_KEY",
    errors.PermissionDeniedError: "check what the key in WACHT_API_KEY may do",
    errors.NotFoundError: "check WACHT_BASE_URL",
    errors.DecodeError: "check WACHT_BASE_URL",
    errors.RequestError: "check the network, and WACHT_BASE_URL",
    errors.RateLimitError: "try again later: all users of the key share the limit",
    errors.PaginationError: "see --pagination and --exhaustive",
}
# Arguments of the library that the command doesn't have, and those that it has.
_NO_OPTION = r",? \(?or (pass )?(api_key|allow_plain_http)(=True)?(,? if you must)?\)?"
_OPTION = r"(?:Session\()?\b(pagination|per_page)(?:=['\"]?| ['\"])(\w+)['\"]?\)?"


def run(argv: Sequence[str] | None) -> int:
    """Run a command line, that of the process if None, and return the exit status."""
    try:
        with delivered_output():
            return _invoke(sys.argv[1:] if argv is None else [*argv])
    except errors.WachtError as error:
        words = [message_of(error), _HINTS.get(type(error), ""), *_notes(error)]
        report("; ".join(filter(None, words)))
        return 2 if isinstance(error, errors.InvalidRequestError) else 1
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "wacht"
        report(f"{error.format_message().rstrip('.')} (see {path} --help)")
        return 2
    except KeyboardInterrupt as error:
        report("; ".join(["interrupted", *_notes(error)]))
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
        with wacht.make_context("wacht", arguments) as ctx:
            wacht.invoke(ctx)
    except click.exceptions.Exit as stop:  # after --help and --version
        return stop.exit_code
    return 0


def _notes(error: BaseException) -> list[str]:
    return getattr(error, "__notes__", [])


def message_of(error: errors.WachtError) -> str:
    """Word the library's message for someone who has options instead of arguments."""
    text = str(error)
    if isinstance(error, errors.ApiError):  # the service's words
        return text
    name, colon, rest = text.partition(":")
    if isinstance(error, errors.InvalidRequestError) and name.isidentifier():
        return f"--{name.replace('_', '-')}{colon}{rest}"
    text = re.sub(_NO_OPTION, "", text).replace("active_since", "--active-since")
    return re.sub(_OPTION, _as_option, text)


def _as_option(argument: re.Match[str]) -> str:
    return f"--{argument[1].replace('_', '-')} {argument[2]}"
