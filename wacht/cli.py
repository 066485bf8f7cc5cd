"""
The command `wacht`: a demo, a listing, a sandbox.
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from typing import TYPE_CHECKING

from . import errors
from ._cli_arguments import parsed
from ._cli_console import delivered_output, silence, tell
from ._cli_export import row_of
from ._cli_list import list_contexts
from ._terminal import table_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from .models import WalkProgress

_DEMO_ROWS = 10
_LONG = 3600  # seconds

# What to do about an error, in the words of the command.
_HINTS: dict[type[errors.WachtError], str] = {
    errors.ConfigError: "the command takes key and URL from the environment, and "
    "`wacht demo` needs neither",
    errors.AuthenticationError: "check WACHT_API_KEY",
    errors.PermissionDeniedError: "check what the key in WACHT_API_KEY may do",
    errors.NotFoundError: "check WACHT_BASE_URL",
    errors.DecodeError: "check WACHT_BASE_URL",
    errors.RequestError: "check the network, and WACHT_BASE_URL",
    errors.RateLimitError: "try again later: the limit counts all that use the key",
    errors.PaginationError: "the revision is set with --pagination",
}


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command.

    Args:
        argv: The arguments; those of the process if None.

    Returns:
        The exit status: 0, or 1 after an error, 2 for options that cannot be used, 130
        after Ctrl-C, 141 where the reader of the output has left.

    Raises:
        SystemExit: The arguments ask for help alone, or make no sense.

    """
    try:
        with delivered_output():
            arguments = parsed(argv)
            _COMMANDS[arguments.command](arguments)
    except errors.WachtError as error:
        return _failed(error)
    except KeyboardInterrupt:
        tell("interrupted")
        return 128 + signal.SIGINT
    except OSError as error:
        return _undelivered(error)
    return 0


def _failed(error: errors.WachtError) -> int:
    hint = _HINTS.get(type(error))
    notes: list[str] = getattr(error, "__notes__", [])
    tell("; ".join([str(error), *([hint] if hint else []), *notes]))
    return 2 if isinstance(error, errors.InvalidRequestError) else 1


def _undelivered(error: OSError) -> int:
    silence(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return 141  # as after SIGPIPE, by which other programs end
    tell(f"cannot write to the standard output: {error.strerror}")
    return 1


def _demo(_arguments: argparse.Namespace) -> None:
    from .sandbox import Sandbox  # noqa: PLC0415 - a listing needs no server

    told: list[WalkProgress] = []
    start = time.perf_counter()
    with Sandbox() as sandbox, sandbox.session() as session:
        contexts = list(session.iter_execution_contexts(progress=told.append))
    seconds = time.perf_counter() - start
    rows = [row_of(context) for context in contexts[:_DEMO_ROWS]]
    print(table_text(rows, width=shutil.get_terminal_size().columns))
    print(f"… {len(contexts) - len(rows):,} more contexts\n")
    print(
        f"{told[-1].contexts:,} contexts on {told[-1].pages} pages, with "
        f"{told[-1].requests} requests, in {seconds:.2f} seconds"
    )


def _sandbox(arguments: argparse.Namespace) -> None:
    from .sandbox import Sandbox  # noqa: PLC0415 - a listing needs no server

    try:
        sandbox = Sandbox(
            arguments.contexts,
            revision=arguments.revision,
            per_second=arguments.per_second,
            per_minute=arguments.per_minute,
            port=arguments.port,
        )
    except OSError as error:
        raise errors.WachtError(f"port {arguments.port}: {error.strerror}") from error
    with sandbox:
        print(f"{arguments.contexts:,} contexts on {sandbox.url}, until Ctrl-C.")
        print(f"The key is {sandbox.api_key}. In another shell:\n")
        print(f"export WACHT_BASE_URL={sandbox.url}")
        print(f"export WACHT_API_KEY={sandbox.api_key}", flush=True)
        while True:
            time.sleep(_LONG)


_COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "demo": _demo,
    "list": list_contexts,
    "sandbox": _sandbox,
}
