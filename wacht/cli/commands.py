"""The commands and their options."""

from __future__ import annotations

import re
import shutil
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import click

from wacht._contexts import MAX_PER_PAGE, STATUSES
from wacht._http.settings import Pagination
from wacht._keywords import MAX_PREFETCH
from wacht._text import safe_repr
from wacht._version import __version__
from wacht.errors import WachtError

from .formats import FORMATS, Style, table
from .listing import Listing
from .output import report

_DEMO_ROWS = 10
_LIST_HELP = """\b
Examples:
  wacht list
  wacht list --since 2d --limit 100
  wacht list --prefetch 4 --output contexts.csv
  wacht list --format jsonl --deadline 300 | jq -r .id

The API key comes from the environment variable WACHT_API_KEY. Set WACHT_BASE_URL if
the service isn't at https://api.wacht.dev. Options with (*) need the service's offset
revision, those with (+) the page revision. TIME is a date, a time (in UTC unless it has
a zone), or an age such as 2d or 12h. The table has some fields, other formats have all.
"""
_AGE = re.compile("([0-9]{1,5})([dhm])")
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
_POSITIVE = click.IntRange(min=1)
_PORT = click.IntRange(0, 65535)
_PER_PAGE = click.IntRange(1, MAX_PER_PAGE)
_PREFETCH = click.IntRange(0, MAX_PREFETCH)
_SECONDS = click.FloatRange(0, min_open=True)
_FORMATS = (*FORMATS, "parquet")
_PAGINATION = click.Choice(get_args(Pagination))
_REVISION = click.Choice(["page", "offset", "offset-without-echo"])


def _time(text: str) -> datetime | timedelta:
    if age := _AGE.fullmatch(text):
        return int(age[1]) * _UNITS[age[2]]
    try:
        moment = datetime.fromisoformat(text.upper().removesuffix(" UTC"))
    except ValueError:
        raise click.BadParameter(
            "expected a date, a time such as 2026-03-01T12:00:00Z, or an age such as "
            f"2d, 12h or 30m, got {text!r}"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _status(_: click.Context, _param: object, status: str | None) -> str | None:
    """Take any: the service gets new ones without notice."""
    if status not in (None, *STATUSES):
        known = ", ".join(STATUSES)
        report(f"no such status is known: {safe_repr(status)}; known are {known}")
    return status


def _format(ctx: click.Context, _param: click.Parameter, name: str | None) -> str:
    output: Path | None = ctx.params["output"]
    if output == Path("-"):  # the standard output
        output = ctx.params["output"] = None
    if name is None and output:
        name = output.suffix[1:].lower()
        if name not in _FORMATS or name == "table":
            raise click.BadParameter(
                f"{str(output)!r} doesn't end in .csv, .json, .jsonl or .parquet: "
                "rename it, or add --format",
                param_hint="--output",
            )
    if name == "parquet" and not output:
        raise click.BadParameter("parquet needs --output")
    if name == "parquet" and not all(map(find_spec, ("pandas", "pyarrow"))):
        raise click.BadParameter(
            "parquet needs pandas and pyarrow: pip install pandas pyarrow"
        )
    return name or "table"


# Each has its help as an argument: with `-OO`, there are no docstrings.
@click.group(
    help="List Wacht's AI execution contexts.",
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.version_option(__version__, "-V", "--version", message="wacht %(version)s")
def wacht() -> None:
    """Do what the subcommand does."""


@wacht.command("demo", help="List a sandbox's contexts, to see it run.")
def _demo() -> None:
    from wacht.sandbox import Sandbox  # noqa: PLC0415 - a listing needs no server

    start = time.perf_counter()
    with Sandbox() as sandbox, sandbox.session() as session:
        contexts = list(session.iter_execution_contexts())
    seconds = time.perf_counter() - start
    style = Style(width=shutil.get_terminal_size().columns)
    click.echo("".join(table([contexts[:_DEMO_ROWS]], style)), nl=False)
    click.echo(
        f"… {len(contexts) - _DEMO_ROWS:,} more contexts\n\n"
        f"{len(contexts):,} contexts with {len(sandbox.requests)} requests, in "
        f"{seconds:.2f} seconds"
    )


_STATUS = f"Only with this one, such as {', '.join(STATUSES)} (*)."
_SINCE = "Only those created then or later; filtered client-side."
_ACTIVE = "Only those active then or later, in as few requests as they fill (*)."
_EXHAUSTIVE = "Whether to prove that no context is missing, or to read plain pages."
_OUTPUT = "Replace this file when complete; the same command continues it until then."
_BY_SUFFIX = "by the suffix of --output, else table"
_PATH = click.Path(dir_okay=False, allow_dash=True, path_type=Path)


@wacht.command("list", help="List execution contexts, each once.", epilog=_LIST_HELP)
@click.option("--agent-id", metavar="ID", help="Only this agent's (+).")
@click.option("--workflow-id", metavar="ID", help="Only this workflow's (+).")
@click.option("--status", callback=_status, help=_STATUS)
@click.option("--context-group", metavar="GROUP", help="Only this group's (*).")
@click.option("--since", type=_time, metavar="TIME", help=_SINCE)
@click.option("--active-since", type=_time, metavar="TIME", help=_ACTIVE)
@click.option("--limit", type=_POSITIVE, help="At most this many.")
@click.option("--exhaustive/--no-exhaustive", default=True, help=_EXHAUSTIVE)
@click.option("--per-page", type=_PER_PAGE, help="100 if not set.")
@click.option("--page", type=_POSITIVE, help="Where to start.")
@click.option("--prefetch", type=_PREFETCH, default=0, help="Pages to request ahead.")
@click.option("--deadline", type=_SECONDS, help="Seconds for all, waits included.")
@click.option("--pagination", type=_PAGINATION, default="auto")
@click.option(
    "--format", type=click.Choice(_FORMATS), show_default=_BY_SUFFIX, callback=_format
)
@click.option("--no-header", is_flag=True, help="Table and CSV: no names of columns.")
@click.option("--no-escape", is_flag=True, help="CSV: leave formulas as they are.")
@click.option("--output", type=_PATH, is_eager=True, help=_OUTPUT)
@click.option("-v", "--verbose", is_flag=True, help="Report each wait on stderr.")
def _list(**params: Any) -> None:
    Listing(params).run()


@wacht.command("sandbox", help="Serve invented contexts on this machine, until Ctrl-C.")
@click.option("--port", type=_PORT, default=0, help="0: any free one.")
@click.option("--contexts", type=click.IntRange(0), default=250, help="How many.")
@click.option("--per-second", type=_POSITIVE, help="Requests to allow in any second.")
@click.option("--per-minute", type=_POSITIVE, help="Requests to allow in any minute.")
@click.option("--revision", type=_REVISION, default="page")
def _sandbox(**settings: Any) -> None:
    from wacht.sandbox import Sandbox  # noqa: PLC0415 - a listing needs no server

    try:
        service = Sandbox(**settings)
    except OSError as error:
        raise WachtError(f"port {settings['port']}: {error.strerror}") from error
    with service, suppress(KeyboardInterrupt):
        click.echo(
            f"{len(service.contexts):,} contexts on {service.url}, until Ctrl-C.\n"
            f"The key is {service.api_key}. In another shell:\n\n"
            f"export WACHT_BASE_URL={service.url}\n"
            f"export WACHT_API_KEY={service.api_key}"
        )
        while True:
            time.sleep(3600)
