"""What `wacht list` does: walk, write, and say how to go on where that breaks."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Generator, Sequence
from contextlib import closing, nullcontext
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TextIO

from wacht._version import __version__
from wacht.errors import WachtError
from wacht.models import ListExecutionContextsOptions, ListFilters
from wacht.session import Session

from .formats import FORMATS, Style, parquet
from .output import report, wait_notices
from .partial import PartialFile, replacing

if TYPE_CHECKING:
    from wacht.models import AiExecutionContext, ExecutionContextListResponse

    Walk = Generator[ExecutionContextListResponse, None, None]

_WALK_OPTIONS = ("active_since", "exhaustive", "prefetch", "deadline")
# What may change in a command that goes on with a file.
_MAY_CHANGE = ("prefetch", "deadline", "verbose")


class Listing:
    """One run of `wacht list`, with its options."""

    def __init__(self, params: dict[str, Any]) -> None:
        self.count: int = 0  # contexts written
        self._params = params
        self._start = datetime.now(UTC)  # ages count back from here
        self._partial: PartialFile | None = None
        # Where another run with the same file stopped.
        self._resume: ListExecutionContextsOptions | None = None

    def run(self) -> None:
        """List what the options ask for; an error says how far that came."""
        output = self._params["output"]
        opened = replacing(output, self._identity()) if output else nullcontext()
        with (
            Session(pagination=self._params["pagination"]) as session,
            opened as self._partial,
            closing(self._pages(session)) as pages,
        ):
            try:
                self.write(pages, self._partial.file if self._partial else sys.stdout)
            except (WachtError, KeyboardInterrupt) as error:
                if self._partial and self._partial.state:
                    self._save(getattr(error, "resume", None))
                for note in self.notes():
                    error.add_note(note)
                raise

    def _identity(self) -> str:
        """Return what tells the same command with the same key, without the key."""
        service = [os.environ.get(f"WACHT_{name}") for name in ("API_KEY", "BASE_URL")]
        given = {k: v for k, v in self._params.items() if k not in _MAY_CHANGE}
        command = repr((service, __version__, given))
        return sha256(command.encode(errors="backslashreplace")).hexdigest()

    def write(self, pages: Walk, file: TextIO) -> None:
        """Write pages in the format that was chosen."""
        is_shown = not self._params["output"] and sys.stdout.isatty()
        style = Style(
            width=shutil.get_terminal_size().columns if is_shown else None,
            header=not self._params["no_header"] and self._resume is None,
            escape=not self._params["no_escape"],
            continued=self.count > 0,
        )
        chosen, name = self._chosen(pages, file), self._params["format"]
        try:
            if name == "parquet":
                file.buffer.write(parquet(chosen))
            else:
                file.writelines(FORMATS[name](chosen, style))
        except RecursionError as error:  # threads that read ahead can decode more
            raise WachtError("a context is nested too deep to be written") from error

    def notes(self) -> Generator[str]:
        """Say how far the listing came, and how to go on."""
        contexts = f"{self.count:,} context{'s' * (self.count != 1)}"
        if output := self._params["output"]:
            yield f"nothing was written to {output}"
        elif self.count:
            yield f"{contexts} listed before that; a listing with --output can go on"
        if self._partial and self._partial.state:
            place = self._partial.file.name
            yield f"the same command goes on after {contexts}, which are in {place}"

    def _pages(self, session: Session) -> Walk:
        if self._partial and (state := self._partial.state):
            self.count = state["count"]
            self._resume = ListExecutionContextsOptions.from_json(state["resume"])
            self._start = datetime.fromisoformat(state["start"])
            report(f"going on after {self.count:,} contexts")
        filters = () if self._resume else ListFilters.__optional_keys__
        walk = {name: self._value(name) for name in (*filters, *_WALK_OPTIONS)}
        if self._params["since"] is None:  # else it counts what passes the filter
            walk["limit"] = self._left()
        walk["progress"] = wait_notices(always=self._params["verbose"])
        given = {name: value for name, value in walk.items() if value is not None}
        return session.iter_execution_context_pages(self._resume, **given)

    def _value(self, name: str) -> Any:
        """Return the value of an option; an age becomes a time."""
        value = self._params[name]
        return self._start - value if isinstance(value, timedelta) else value

    def _chosen(
        self, pages: Walk, file: TextIO
    ) -> Generator[Sequence[AiExecutionContext]]:
        for page in pages:
            if self._partial:
                self._partial.begin()
            chosen = list(filter(self._is_recent, page))[: self._left()]
            yield chosen
            file.flush()  # its reader has the page before the next is requested
            self.count += len(chosen)
            if self._left() == 0:
                return
            self._save(page.resume)

    def _save(self, resume: ListExecutionContextsOptions | None) -> None:
        if self._partial and self._params["format"] != "parquet" and resume:
            start = self._start.isoformat()
            state = {"count": self.count, "resume": resume, "start": start}
            self._partial.save(state)

    def _is_recent(self, context: AiExecutionContext) -> bool:
        since, created = self._value("since"), context.created_at
        return since is None or (created is not None and created >= since)

    def _left(self) -> int | None:
        limit = self._params["limit"]
        return None if limit is None else limit - self.count
