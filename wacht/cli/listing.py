"""
What `wacht list` does: walk, write, and say how to go on where that breaks.
"""

from __future__ import annotations

import shlex
import sys
from contextlib import closing, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

from attrs import fields_dict

from wacht.errors import PaginationError, WachtError
from wacht.models import MAX_PER_PAGE, ListExecutionContextsOptions
from wacht.session import Session

from .formats import FORMATS, Style
from .output import logged_waits, replacing, terminal_width, wait_display

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    import click

    from wacht.models import AiExecutionContext, ExecutionContextListResponse

_FILTERS = tuple(fields_dict(ListExecutionContextsOptions))
_WALK_OPTIONS = (*_FILTERS, "active_since", "exhaustive", "prefetch", "deadline")


def list_contexts(ctx: click.Context) -> None:
    """
    List what the options of the command ask for.

    Raises:
        WachtError: As a walk does; with notes on what was listed and how to go on.

    """
    output = ctx.params["output"]
    with (
        logged_waits() if ctx.params["verbose"] else nullcontext(),
        Session(pagination=ctx.params["pagination"]) as session,
        closing(session.iter_execution_context_pages(**_walk(ctx.params))) as pages,
        replacing(output) if output else nullcontext(sys.stdout) as file,
    ):
        listing = Listing(ctx.params, file)
        try:
            listing.write(pages)
        except (WachtError, KeyboardInterrupt) as error:
            for note in _notes(ctx, listing, error):
                error.add_note(note)
            raise


def _walk(params: dict[str, Any]) -> dict[str, Any]:
    walk = {name: params[name] for name in _WALK_OPTIONS}
    if params["since"] is None:  # else the limit counts what is left after filtering
        walk["limit"] = params["limit"]
    if not params["verbose"]:
        walk["progress"] = wait_display(to_file=params["output"] is not None)
    return {name: value for name, value in walk.items() if value is not None}


class Listing:
    """
    The contexts of a walk on their way to a file.

    Args:
        params: The options of the command.
        file: Where to write.

    Attributes:
        received: How many contexts the walk gave, in pages that were written.
        listed: How many of them were written.
    """

    def __init__(self, params: dict[str, Any], file: TextIO) -> None:
        self.received = 0
        self.listed = 0
        self._params = params
        self._file = file

    @property
    def left(self) -> int | None:
        """
        How many contexts may still be listed; None without a limit.
        """
        limit = self._params["limit"]
        return None if limit is None else limit - self.listed

    def write(self, pages: Iterable[ExecutionContextListResponse]) -> None:
        """
        Write the pages in the format that was chosen.
        """
        style = Style(
            width=None if self._params["output"] else terminal_width(),
            header=not self._params["no_header"],
            escape=not self._params["no_escape"],
        )
        for text in FORMATS[self._params["format"]](self._chosen(pages), style):
            self._file.write(text)

    def _chosen(
        self, pages: Iterable[ExecutionContextListResponse]
    ) -> Generator[Sequence[AiExecutionContext]]:
        for page in pages:
            chosen = list(filter(self._is_recent, page))[: self.left]
            yield chosen
            self._file.flush()  # its reader has the page before the next is requested
            self.received += len(page)
            self.listed += len(chosen)
            if self.left == 0:
                return

    def _is_recent(self, context: AiExecutionContext) -> bool:
        since = self._params["since"]
        return since is None or (
            context.created_at is not None and context.created_at >= since
        )


def _notes(
    ctx: click.Context, listing: Listing, error: BaseException
) -> Generator[str]:
    if output := ctx.params["output"]:
        yield f"nothing was written to {output}"
    elif listing.received:
        contexts = "context" if listing.listed == 1 else "contexts"
        yield f"{listing.listed:,} {contexts} listed before that"
        resume = getattr(error, "resume", None)
        if isinstance(error, KeyboardInterrupt):
            resume = _next_page(ctx.params, listing.received)
        if resume:
            yield _advice(ctx, listing, error, resume)


def _next_page(params: dict[str, Any], received: int) -> ListExecutionContextsOptions:
    # Only whole pages are left out: a few contexts may come again, none is missing.
    per_page: int = params["per_page"] or MAX_PER_PAGE
    page = (params["page"] or 1) + received // per_page
    return ListExecutionContextsOptions(page=page, per_page=per_page)


def _advice(
    ctx: click.Context,
    listing: Listing,
    error: BaseException,
    resume: ListExecutionContextsOptions,
) -> str:
    changes = {
        "page": resume.page,
        "per_page": resume.per_page,
        "limit": listing.left,
        "no_header": ctx.params["format"] in {"csv", "table"} or None,
    }
    # After a PaginationError, the command as it is would end in the same way.
    once = " once that is set right" if isinstance(error, PaginationError) else ""
    return f"to go on{once}: {command_line(ctx, **changes)}"


def command_line(ctx: click.Context, **changes: object) -> str:
    """
    Write the command with the options it was given, some of them changed.
    """
    words = ["wacht", "list"]
    for param in ctx.command.params:
        name = param.name or ""
        source = ctx.get_parameter_source(name)
        given = ctx.params[name] if source and source.name == "COMMANDLINE" else None
        words += _option(param, changes.get(name, given))
    return shlex.join(words)


def _option(param: click.Parameter, value: object) -> list[str]:
    flag = param.opts[-1]
    if value is None:
        return []
    if isinstance(value, bool):
        return [flag] if value else param.secondary_opts[:1]
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]
