"""What `wacht list` does: walk, write, and say how to go on where that breaks."""

from __future__ import annotations

import shlex
import sys
from contextlib import closing, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any

from wacht.errors import WachtError
from wacht.models import MAX_PER_PAGE, ListExecutionContextsOptions, ListFilters
from wacht.session import Session

from .formats import FORMATS, Style, parquet
from .output import logged_waits, replacing, terminal_width, wait_display

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from typing import TextIO

    import click

    from wacht.models import AiExecutionContext, ExecutionContextListResponse

_WALK_OPTIONS = ("active_since", "exhaustive", "prefetch", "deadline")


class Listing:
    """One run of `wacht list`."""

    def __init__(self, ctx: click.Context) -> None:
        self.received: int = 0  # contexts that the walk gave
        self.listed: int = 0  # those of them that were written
        self._ctx = ctx
        self._params = ctx.params

    def run(self) -> None:
        """List what the options ask for; an error says how far that came."""
        output = self._params["output"]
        with (
            logged_waits() if self._params["verbose"] else nullcontext(),
            Session(pagination=self._params["pagination"]) as session,
            closing(session.iter_execution_context_pages(**self._walk())) as pages,
            replacing(output) if output else nullcontext(sys.stdout) as file,
        ):
            try:
                self.write(pages, file)
            except (WachtError, KeyboardInterrupt) as error:
                for note in self.notes(error):
                    error.add_note(note)
                raise

    def write(
        self, pages: Iterable[ExecutionContextListResponse], file: TextIO
    ) -> None:
        """Write pages in the format that was chosen."""
        style = Style(
            width=None if self._params["output"] else terminal_width(),
            header=not self._params["no_header"],
            escape=not self._params["no_escape"],
        )
        chosen, name = self._chosen(pages, file), self._params["format"]
        if name == "parquet":
            file.buffer.write(parquet(chosen))
        else:
            file.writelines(FORMATS[name](chosen, style))

    def notes(self, error: BaseException) -> Generator[str]:
        """Say how far the listing came, and how to go on after an error."""
        if output := self._params["output"]:
            yield f"nothing was written to {output}"
        elif self.received:
            contexts = "context" if self.listed == 1 else "contexts"
            yield f"{self.listed:,} {contexts} listed before that"
            size: int = self._params["per_page"] or MAX_PER_PAGE
            end = ((self._params["page"] or 1) - 1) * size + self.received
            whole = ListExecutionContextsOptions(page=end // size + 1, per_page=size)
            if resume := error.resume if isinstance(error, WachtError) else whole:
                start = ((resume.page or 1) - 1) * (resume.per_page or MAX_PER_PAGE)
                again = f", with {end - start} of them again" if end > start else ""
                yield f"to go on{again}: {self._command(resume)}"

    def _walk(self) -> dict[str, Any]:
        names = (*ListFilters.__optional_keys__, *_WALK_OPTIONS)
        walk = {name: self._params[name] for name in names}
        if self._params["since"] is None:  # else it counts what is left by the filter
            walk["limit"] = self._params["limit"]
        if not self._params["verbose"]:
            walk["progress"] = wait_display(to_file=self._params["output"] is not None)
        return {name: value for name, value in walk.items() if value is not None}

    def _chosen(
        self, pages: Iterable[ExecutionContextListResponse], file: TextIO
    ) -> Generator[Sequence[AiExecutionContext]]:
        for page in pages:
            chosen = list(filter(self._is_recent, page))[: self._left()]
            yield chosen
            file.flush()  # its reader has the page before the next is requested
            self.received += len(page)
            self.listed += len(chosen)
            if self._left() == 0:
                return

    def _is_recent(self, context: AiExecutionContext) -> bool:
        since, created = self._params["since"], context.created_at
        return since is None or (created is not None and created >= since)

    def _left(self) -> int | None:
        limit = self._params["limit"]
        return None if limit is None else limit - self.listed

    def _command(self, resume: ListExecutionContextsOptions) -> str:
        changes = {
            "page": resume.page,
            "per_page": resume.per_page,
            "limit": self._left(),
            "no_header": self._params["format"] in {"csv", "table"} or None,
        }
        return command_line(self._ctx, **changes)


def command_line(ctx: click.Context, **changes: object) -> str:
    """Write the command with the options it was given, some of them changed."""
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
