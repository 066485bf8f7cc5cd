"""
The command `wacht list`.
"""

from __future__ import annotations

import sys
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING

from attrs import fields_dict

from ._cli_arguments import command_line
from ._cli_console import log_told, progress_shown, terminal_width
from ._cli_export import FORMATS
from .errors import PaginationError, WachtError
from .models import ListExecutionContextsOptions
from .session import Session

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator, Iterable, Sequence
    from datetime import datetime

    from .models import AiExecutionContext, ExecutionContextListResponse


def list_contexts(arguments: argparse.Namespace) -> None:
    """
    List on stdout what the arguments ask for.

    Raises:
        WachtError: As a walk does; where some pages had come before, with a note on
            how to go on.

    """
    names = fields_dict(ListExecutionContextsOptions)
    options = ListExecutionContextsOptions(
        **{name: getattr(arguments, name) for name in names}
    )
    with (
        log_told() if arguments.verbose else nullcontext(),
        Session(pagination=arguments.pagination) as session,
        closing(
            session.iter_execution_context_pages(
                options,
                prefetch=arguments.prefetch,
                deadline=arguments.deadline,
                progress=not arguments.verbose and progress_shown(),
            )
        ) as pages,
    ):
        _write(arguments, pages)


def _write(
    arguments: argparse.Namespace, pages: Iterable[ExecutionContextListResponse]
) -> None:
    selection = Selection(arguments.since, arguments.limit)
    try:
        for text in FORMATS[arguments.format](selection.of(pages), terminal_width()):
            sys.stdout.write(text)
    except WachtError as error:
        if error.resume and error.resume.page != (arguments.page or 1):
            error.add_note(_listed(selection.listed))
            advice = _advice(arguments, error.resume, selection)
            if isinstance(error, PaginationError):  # else it would end as now
                advice = f"with that set right, {advice}"
            error.add_note(advice)
        raise


class Selection:
    """
    What is listed of a walk, page by page.

    Args:
        since: Only contexts that were created then or later; all if None.
        limit: At most so many; all if None.

    Attributes:
        listed: How many there have been.
        left: How many there may still be; None for any number.
    """

    def __init__(self, since: datetime | None, limit: int | None) -> None:
        self.listed = 0
        self.left = limit
        self._since = since

    def of(
        self, pages: Iterable[ExecutionContextListResponse]
    ) -> Generator[Sequence[AiExecutionContext]]:
        """
        Choose from each page, and see it delivered before the next is asked for.
        """
        for page in pages:
            chosen = list(filter(self._is_recent, page))[: self.left]
            yield chosen
            sys.stdout.flush()
            self.listed += len(chosen)
            if self.left is not None:
                self.left -= len(chosen)
            if self.left == 0:
                return

    def _is_recent(self, context: AiExecutionContext) -> bool:
        if self._since is None:
            return True
        return context.created_at is not None and context.created_at >= self._since


def _advice(
    arguments: argparse.Namespace,
    resume: ListExecutionContextsOptions,
    selection: Selection,
) -> str:
    command = command_line(
        arguments, page=resume.page, per_page=resume.per_page, limit=selection.left
    )
    return f"to go on: {command}"


def _listed(number: int) -> str:
    contexts = "1 context" if number == 1 else f"{number:,} contexts"
    return f"{contexts} listed before that"
