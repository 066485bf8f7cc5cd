"""What `wacht list` does: walk, write, and say how to go on where that breaks."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import closing, contextmanager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING

from wacht._version import __version__
from wacht.errors import (
    BadRequestError,
    ConfigError,
    DecodeError,
    InvalidRequestError,
    PaginationError,
    WachtError,
)
from wacht.models import MAX_PER_PAGE, ListFilters
from wacht.session import Session

from .formats import FORMATS, Style, parquet
from .output import logged_waits, report, terminal_width, wait_display
from .partial import PartialFile, replacing

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from typing import TextIO

    import click

    from wacht.models import (
        AiExecutionContext,
        ExecutionContextListResponse,
        ListExecutionContextsOptions,
    )

# The same command would meet these again.
_LASTING_ERRORS = (
    BadRequestError,
    ConfigError,
    DecodeError,
    InvalidRequestError,
    PaginationError,
)
_WALK_OPTIONS = ("active_since", "exhaustive", "prefetch", "deadline")
_TIMES = ("since", "active_since")  # an age means another time at each call
# What may change in a command that goes on with a file.
_FREE = ("prefetch", "deadline", "verbose", *_TIMES)


class Listing:
    """One run of `wacht list`."""

    def __init__(self, ctx: click.Context) -> None:
        # Whether each context that the walk gave was written.
        self.listed: list[bool] = []
        self._ctx = ctx
        self._params = ctx.params
        self._partial: PartialFile | None = None
        self._resume: ListExecutionContextsOptions | None = None

    def run(self) -> None:
        """List what the options ask for; an error says how far that came."""
        with (
            logged_waits() if self._params["verbose"] else nullcontext(),
            Session(pagination=self._params["pagination"]) as session,
            self._opened() as file,
            closing(self._pages(session)) as pages,
        ):
            try:
                self.write(pages, file)
            except (WachtError, KeyboardInterrupt) as error:
                self._save(getattr(error, "resume", None))
                for note in self.notes(error):
                    error.add_note(note)
                raise

    @contextmanager
    def _opened(self) -> Generator[TextIO]:
        if not self._params["output"]:
            yield sys.stdout
            return
        with replacing(self._params["output"], self._secret()) as self._partial:
            if self._partial.state:
                count, times, self._resume = self._partial.state
                self.listed = [True] * count
                self._params.update(times)
                report(f"going on after {count:,} contexts")
            yield self._partial.file

    def _secret(self) -> bytes:
        """Return what only the same command with the same key has."""
        service = [os.environ.get(f"WACHT_{name}") for name in ("API_KEY", "BASE_URL")]
        given = {k: v for k, v in self._params.items() if k not in _FREE}
        return repr((service, __version__, given, self._ctx.meta)).encode()

    def _save(self, resume: ListExecutionContextsOptions | None) -> None:
        is_text = self._params["format"] != "parquet"
        if resume and self._partial and self.listed and is_text:
            times = {name: self._params[name] for name in _TIMES}
            self._partial.save((sum(self.listed), times, resume))

    def write(
        self, pages: Iterable[ExecutionContextListResponse], file: TextIO
    ) -> None:
        """Write pages in the format that was chosen."""
        continued = self._partial is not None and self._partial.state is not None
        style = Style(
            width=None if self._params["output"] else terminal_width(),
            header=not self._params["no_header"] and not continued,
            escape=not self._params["no_escape"],
            continued=continued,
        )
        chosen, name = self._chosen(pages, file), self._params["format"]
        if name == "parquet":
            file.buffer.write(parquet(chosen))
        else:
            file.writelines(FORMATS[name](chosen, style))

    def notes(self, error: BaseException) -> Generator[str]:
        """Say how far the listing came, and how to go on if that can help."""
        if output := self._params["output"]:
            yield f"nothing was written to {output}"
            lasting = isinstance(error, _LASTING_ERRORS)
            if self._partial and self._partial.state:
                count = self._partial.state[0]
                if lasting:
                    found = f"the {count:,} contexts that were found"
                    yield f"{found} are in {self._partial.file.name}"
                else:
                    yield f"the same command goes on after {count:,} contexts"
        elif self.listed:
            count = sum(self.listed)
            yield f"{count:,} context{'s' * (count != 1)} listed before that"
            if not isinstance(error, _LASTING_ERRORS):
                yield from self._rest()

    def _rest(self) -> Generator[str]:
        size: int = self._params["per_page"] or MAX_PER_PAGE
        skipped, repeated = divmod(len(self.listed), size)
        again = sum(self.listed[len(self.listed) - repeated :])
        left = self._left()
        changes = {
            "page": (self._params["page"] or 1) + skipped,
            "per_page": size,
            "limit": None if left is None else left + again,
            "no_header": self._params["format"] in {"csv", "table"} or None,
        }
        if again:
            yield f"the rest begins with {again} of them again"
        yield (
            "to go on (contexts that moved may be missing): "
            f"{command_line(self._ctx, **changes)}"
        )

    def _pages(
        self, session: Session
    ) -> Generator[ExecutionContextListResponse, None, None]:
        filters = () if self._resume else ListFilters.__optional_keys__
        walk = {name: self._params[name] for name in (*filters, *_WALK_OPTIONS)}
        if self._params["since"] is None:  # else it counts what passes the filter
            walk["limit"] = self._left()
        if not self._params["verbose"]:
            walk["progress"] = wait_display(to_file=self._params["output"] is not None)
        given = {name: value for name, value in walk.items() if value is not None}
        return session.iter_execution_context_pages(self._resume, **given)

    def _chosen(
        self, pages: Iterable[ExecutionContextListResponse], file: TextIO
    ) -> Generator[Sequence[AiExecutionContext]]:
        for number, page in enumerate(pages):
            if self._partial and not number:
                self._partial.begin()
            chosen = list(filter(self._is_recent, page))[: self._left()]
            yield chosen
            file.flush()  # its reader has the page before the next is requested
            written = {*map(id, chosen)}
            self.listed += [id(context) in written for context in page]
            if self._left() == 0:
                return
            self._save(page.resume)

    def _is_recent(self, context: AiExecutionContext) -> bool:
        since, created = self._params["since"], context.created_at
        return since is None or (created is not None and created >= since)

    def _left(self) -> int | None:
        limit = self._params["limit"]
        return None if limit is None else limit - sum(self.listed)


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
