"""
The command line: what can be said, and how to say it again.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from . import __version__
from ._cli_export import FORMATS
from ._display import printable
from ._settings import MAX_PREFETCH
from .models import MAX_PAGE, MAX_PER_PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    AddCommand = Callable[..., argparse.ArgumentParser]

_EXAMPLES = """\
examples:
  wacht demo
  wacht list --agent-id agent_123 --limit 10
  wacht sandbox --port 8080
"""
_DEMO_EXAMPLES = "example:\n  wacht demo\n"
_LIST_EXAMPLES = """\
examples:
  wacht list
  wacht list --agent-id agent_123 --since 2026-03-01
  wacht list --format csv --prefetch 4 > contexts.csv
  wacht list --format jsonl --deadline 300 | jq -r .id

The API key comes from the environment alone: WACHT_API_KEY. WACHT_BASE_URL says where
the service is, if not at https://api.wacht.dev.

Rows come as the pages do. The table has some fields, one line a context; through a pipe
it is separated by tabs. The other formats have all fields. A JSON array that is not
closed tells that the listing broke off. In CSV, a cell that a spreadsheet could take
for a formula begins with an apostrophe.

The exit status is 0 for all that was asked for, 1 after an error, 2 for a wrong command
line, 130 after Ctrl-C and 141 if the reader of a pipe has left.
"""
_SANDBOX_EXAMPLES = """\
examples:
  wacht sandbox --port 8080
  wacht sandbox --contexts 10000 --per-second 20 --per-minute 100
  wacht sandbox --revision offset
"""
_MANY = 10**9
_SANDBOX_NUMBERS = (  # option, least, most, if unset, meaning
    ("--port", 0, 65535, 0, "where to listen; any free port if unset"),
    ("--contexts", 0, _MANY, 250, "how many to make up; 250 if unset"),
    ("--per-second", 1, _MANY, None, "requests to let in within any second"),
    ("--per-minute", 1, _MANY, None, "requests to let in within any minute"),
)


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """
    Read a command line, that of the process if None.

    Raises:
        SystemExit: It asked for help or the version, or it is wrong.

    """
    parser = _Parser(
        prog="wacht", description="Wacht's AI execution contexts.", epilog=_EXAMPLES
    )
    parser.add_argument("--version", action="version", version=f"wacht {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    for add in (_add_demo, _add_list, _add_sandbox):
        add(commands.add_parser)
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:  # argparse would name the help of the program, not of the command
        words = sys.argv[1:] if argv is None else argv
        ahead = unknown[0] in words[: words.index(arguments.command)]
        commands.choices[arguments.command].error(
            f"unrecognized arguments: {' '.join(unknown)}"
            f"{f'; what is for {arguments.command} goes behind it' if ahead else ''}"
        )
    return arguments


def command_line(arguments: argparse.Namespace, **changes: object) -> str:
    """
    Write the command that has these arguments, some of them changed.
    """
    words = ["wacht", arguments.command]
    usual = vars(parsed(words[1:]))
    for name, value in {**vars(arguments), **changes}.items():
        if value != usual[name]:
            words += _option(name, value)
    return shlex.join(words)


def _option(name: str, value: object) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if value is True:
        return [flag]
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]


class _Parser(argparse.ArgumentParser):
    """
    A parser that complains in one line, and takes no key.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            **settings,
        )
        self.add_argument(
            "--api-key", action=_KeyRefusal, nargs="?", help=argparse.SUPPRESS
        )

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {printable(message)} (see {self.prog} --help)\n")


class _KeyRefusal(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        parser.error(
            "no key as an argument, where others on the machine can read it: set "
            "WACHT_API_KEY in the environment"
        )


def _add_demo(add: AddCommand) -> None:
    add(
        "demo",
        help="list a sandbox's contexts, to see it run",
        description="Start a sandbox and list its contexts, over a real connection.",
        epilog=_DEMO_EXAMPLES,
    )


def _add_list(add: AddCommand) -> None:
    parser = add(
        "list",
        help="list execution contexts",
        description="List execution contexts, each once.",
        epilog=_LIST_EXAMPLES,
    )
    _add_choice(parser)
    _add_walk(parser)
    parser.add_argument(
        "--format", choices=FORMATS, default="table", help="%(choices)s; table if unset"
    )
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="tell of each wait on stderr, also where that is no terminal",
    )


def _add_choice(parser: argparse.ArgumentParser) -> None:
    which = parser.add_argument_group("which contexts")
    which.add_argument("--agent-id", metavar="ID", help="only this agent's")
    which.add_argument("--workflow-id", metavar="ID", help="only this workflow's")
    which.add_argument("--status", help="only with this status, such as failed (*)")
    which.add_argument("--context-group", metavar="GROUP", help="only this group's (*)")
    which.add_argument(
        "--since",
        metavar="TIME",
        type=_time,
        help="only those created then or later: RFC 3339 or a date, in UTC unless it "
        "says otherwise; chosen after they came, so it saves no request",
    )
    which.add_argument(
        "--limit", metavar="N", type=_whole_number(1, _MANY), help="at most so many"
    )
    which.description = "(*) understood by the service's offset revision alone"


def _add_walk(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("how to ask for them")
    how.add_argument(
        "--per-page",
        metavar="N",
        type=_whole_number(1, MAX_PER_PAGE),
        help="contexts a page, 1 to 100; 100 if unset",
    )
    how.add_argument(
        "--page",
        metavar="N",
        type=_whole_number(1, MAX_PAGE),
        help="the first page, to go on where a listing broke off",
    )
    how.add_argument(
        "--prefetch",
        metavar="N",
        type=_whole_number(0, MAX_PREFETCH),
        default=0,
        help="pages to ask for ahead of their turn; 0 if unset",
    )
    how.add_argument(
        "--deadline",
        metavar="SECONDS",
        type=float,
        help="for the whole listing, waits included",
    )
    how.add_argument(
        "--pagination",
        choices=("auto", "page", "offset"),
        default="auto",
        help="the service's revision; auto, if unset, learns it from the first answer",
    )


def _add_sandbox(add: AddCommand) -> None:
    parser = add(
        "sandbox",
        help="serve made-up contexts on this machine, until Ctrl-C",
        description="Be the service, for this machine alone, until Ctrl-C.",
        epilog=_SANDBOX_EXAMPLES,
    )
    for name, least, most, usual, meaning in _SANDBOX_NUMBERS:
        parser.add_argument(
            name,
            metavar="N",
            type=_whole_number(least, most),
            default=usual,
            help=meaning,
        )
    parser.add_argument(
        "--revision",
        choices=("page", "offset", "offset-without-echo"),
        default="page",
        help="of the endpoint; page if unset",
    )


def _whole_number(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(
                f"expected a whole number from {least} to {most:,}, got {text!r}"
            )
        return int(text)

    return number


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.upper().removesuffix(" UTC"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a time such as 2026-03-01T12:00:00Z, or a date, got {text!r}"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
