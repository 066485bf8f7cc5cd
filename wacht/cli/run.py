"""Run a command line: every error becomes one line and an exit status."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

import click
from click.shell_completion import shell_complete

from wacht import errors
from wacht._contexts import PATH
from wacht._http.settings import DEFAULT_BASE_URL

from .commands import wacht
from .output import delivered_output, discard_buffer, report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# What messages about the key advise, and the command refuses.
_AN_ARGUMENT = re.compile(" or (pass )?api_key")
_COMPLETE = "_WACHT_COMPLETE"
_INTERRUPTED = 130  # as a shell reports SIGINT
_READER_GONE = 141  # and SIGPIPE

# What to do about an error: the first one that fits its type and its message.
_HINTS: tuple[tuple[type[errors.WachtError], str, str], ...] = (
    (errors.ConfigError, "API key", "`wacht demo` needs no key"),
    (errors.AuthenticationError, "", "check WACHT_API_KEY"),
    (errors.PermissionDeniedError, "", "check what the key in WACHT_API_KEY may do"),
    (errors.NotFoundError, "", "check WACHT_BASE_URL; {url} was asked"),
    (errors.DecodeError, "", "check WACHT_BASE_URL"),
    (errors.RateLimitError, "", "try later: all users of the key share the limit"),
    (errors.PaginationError, "exhaustive=False", "the option is --no-exhaustive"),
    (errors.PaginationError, "pagination", "the option is --pagination"),
    (
        errors.RequestError,
        "CERTIFICATE_VERIFY_FAILED",
        "if you trust its CA, set REQUESTS_CA_BUNDLE to a file with the certificate",
    ),
    (errors.RequestError, "CA certificate bundle", "check REQUESTS_CA_BUNDLE"),
    (
        errors.RequestError,
        "407 ",
        "check the user and the password in HTTPS_PROXY=http://user:password@host:port",
    ),
    (errors.RequestError, "SOCKS support", "pip install PySocks"),
    (errors.RequestError, "", "check the network, and WACHT_BASE_URL"),
)


def run(argv: Sequence[str] | None) -> int:
    """Run a command line, that of the process if None, and return the exit status."""
    try:
        with delivered_output():
            return _invoke(sys.argv[1:] if argv is None else [*argv])
    except errors.WachtError as error:
        message = _AN_ARGUMENT.sub("", str(error))
        report(_with_notes(error, message, *_hint(error)))
        return 2 if isinstance(error, errors.InvalidRequestError) else 1
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "wacht"
        report(f"{error.format_message().rstrip('.')} (see {path} --help)")
        return 2
    except KeyboardInterrupt as error:
        report(_with_notes(error, "interrupted"))
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


def _with_notes(error: BaseException, *words: str) -> str:
    return "; ".join([*words, *getattr(error, "__notes__", [])])


def _hint(error: errors.WachtError) -> Iterator[str]:
    for kind, pattern, hint in _HINTS:
        if isinstance(error, kind) and pattern in str(error):
            yield hint.format(url=_url()) if "{url}" in hint else hint
            return


def _url() -> str:
    base = os.environ.get("WACHT_BASE_URL", "").strip() or DEFAULT_BASE_URL
    return base.rstrip("/") + PATH
