"""What `wacht list` does: walk, write, and say how to go on where that breaks."""

from __future__ import annotations

import os
import sys
from contextlib import closing, contextmanager, nullcontext
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from wacht import errors
from wacht._version import __version__
from wacht.models import ListExecutionContextsOptions, ListFilters
from wacht.session import Session

from .formats import FORMATS, Style, parquet
from .output import logged_waits, report, terminal_width, wait_display
from .partial import PartialFile, replacing

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from typing import TextIO

    import click

    from wacht.models import AiExecutionContext, ExecutionContextListResponse

# The same command would meet these again.
_LASTING_ERRORS = (
    errors.BadRequestError,
    errors.ConfigError,
    errors.DecodeError,
    errors.InvalidRequestError,
    errors.PaginationError,
)
_WALK_OPTIONS = ("active_since", "exhaustive", "prefetch", "deadline")
_TIMES = ("since", "active_since")  # an age means another time at each call
# What may change in a command that goes on with a file.
_MAY_CHANGE = ("prefetch", "deadline", "verbose", *_TIMES)


class Listing:
    """One run of `wacht list`."""

    def __init__(self, ctx: click.Context) -> None:
        self.count = 0  # contexts written
        self._ctx = ctx
        self._params = ctx.params
        self._partial: PartialFile | None = None
        # Where a walk goes on; None before the first page.
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
            except (errors.WachtError, KeyboardInterrupt) as error:
                if self._resume and (resume := getattr(error, "resume", None)):
                    self._save(resume)
                for note in self.notes(error):
                    error.add_note(note)
                raise

    @contextmanager
    def _opened(self) -> Generator[TextIO]:
        if not self._params["output"]:
            yield sys.stdout
            return
        with replacing(self._params["output"], self._identity()) as self._partial:
            if self._partial.state:
                self._go_on(**self._partial.state)
            yield self._partial.file

    def _identity(self) -> str:
        """Return what tells the same command with the same key, without the key."""
        service = [os.environ.get(f"WACHT_{name}") for name in ("API_KEY", "BASE_URL")]
        given = {k: v for k, v in self._params.items() if k not in _MAY_CHANGE}
        command = repr((service, __version__, given, self._ctx.meta))
        return sha256(command.encode(errors="backslashreplace")).hexdigest()

    def _go_on(self, count: int, resume: str, **times: str | None) -> None:
        self.count = count
        self._resume = ListExecutionContextsOptions.from_json(resume)
        for name, time in times.items():
            self._params[name] = time and datetime.fromisoformat(time)
        report(f"going on after {count:,} contexts")

    def _save(self, resume: ListExecutionContextsOptions | None) -> None:
        self._resume = resume
        if self._partial and self._params["format"] != "parquet":
            moments = {name: self._params[name] for name in _TIMES}
            times = {name: at and at.isoformat() for name, at in moments.items()}
            self._partial.save({"count": self.count, "resume": resume, **times})

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
        contexts = f"{self.count:,} context{'s' * (self.count != 1)}"
        can_go_on = not isinstance(error, _LASTING_ERRORS)
        if output := self._params["output"]:
            yield f"nothing was written to {output}"
            if self._partial and self._partial.state and can_go_on:
                yield f"the same command goes on after {contexts}"
            elif self._partial and self._partial.state:
                yield f"the {contexts} that were found are in {self._partial.file.name}"
        elif self._resume:
            yield f"{contexts} listed before that"
            if can_go_on:
                page, size = self._resume.page, self._resume.per_page
                yield (
                    f"to go on, add --page={page} --per-page={size} (contexts that "
                    "moved may be missing or come again), or use --output, where the "
                    "same command goes on exactly"
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
            self.count += len(chosen)
            if self._left() == 0:
                return
            self._save(page.resume)

    def _is_recent(self, context: AiExecutionContext) -> bool:
        since, created = self._params["since"], context.created_at
        return since is None or (created is not None and created >= since)

    def _left(self) -> int | None:
        limit = self._params["limit"]
        return None if limit is None else limit - self.count
