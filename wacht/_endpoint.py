"""
The endpoint: from options to a page, in whichever of its two revisions it is served.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from . import _protocol
from .errors import PaginationError

if TYPE_CHECKING:
    from collections.abc import Generator

    from ._protocol import Answer, Echo, Revision
    from ._secret import Secret
    from ._transport import Transport
    from ._waiting import Watch
    from .models import ExecutionContextListResponse, ListExecutionContextsOptions

Pagination = Literal["auto", "page", "offset"]


class Endpoint:
    """
    Fetch pages, and find out with the first answer how to ask.

    Args:
        transport: Gets whole replies.
        secret: Blacks out the key in errors.
        pagination: The revision, or "auto" to find out.

    """

    def __init__(
        self, transport: Transport, secret: Secret, pagination: Pagination
    ) -> None:
        self._transport = transport
        self._secret = secret
        self._auto = pagination == "auto"
        self._revision: Revision | None = None if pagination == "auto" else pagination
        self._process = os.getpid()
        self._met = not self._auto  # whether somebody has asked already
        self._lock = threading.Lock()

    def page(
        self, options: ListExecutionContextsOptions, watch: Watch
    ) -> ExecutionContextListResponse:
        """
        Fetch the page that some options mean.

        At first, one thread asks and the others wait for what it learns. If it fails,
        each goes on by itself, all at once.

        Raises:
            WachtError: There is no such page to be had, for any reason.

        """
        # In the child of a fork, whoever held the lock is not there.
        if not self._met and self._process == os.getpid():
            with self._first_contact(watch):
                if not self._met:
                    return self._page(options, self._revision or "page", watch)
        return self._page(options, self._revision or "page", watch)

    @contextmanager
    def _first_contact(self, watch: Watch) -> Generator[None]:
        while not self._lock.acquire(timeout=_patience(watch)):
            pass
        try:
            yield
        finally:
            self._met = True
            self._lock.release()

    def _page(
        self,
        options: ListExecutionContextsOptions,
        revision: Revision,
        watch: Watch,
    ) -> ExecutionContextListResponse:
        answer = self._ask(options, revision, watch)
        if self._auto and revision == "page":
            revision = self._revision = "page" if answer.echo is None else "offset"
            if answer.echo not in (None, _protocol.expected_echo(options)):
                answer = self._ask(options, "offset", watch)
        self._check_echo(answer, options, revision)
        _protocol.check_filters(answer, options, revision)
        return answer.page

    def _ask(
        self,
        options: ListExecutionContextsOptions,
        revision: Revision,
        watch: Watch,
    ) -> Answer:
        query = _protocol.query_of(options, revision)
        reply, attempts = self._transport.get(query, watch)
        return _protocol.answer_of(reply, attempts=attempts, secret=self._secret)

    def _check_echo(
        self, answer: Answer, options: ListExecutionContextsOptions, revision: Revision
    ) -> None:
        """
        Hold what the service says it applied against what was asked.

        The page revision says nothing. Nor does the older build of the offset revision,
        and only a caller can know that it is that one.
        """
        expected = _protocol.expected_echo(options)
        silent = answer.echo is None and (revision == "page" or not self._auto)
        if silent or answer.echo == expected:
            return
        if answer.echo is None:
            self._revision = None  # for the next request to find out
        told = _told(expected, answer.echo, revision)
        raise PaginationError(f"asked for {expected}, the service {told}")


def _told(expected: Echo, echo: Echo | None, revision: Revision) -> str:
    if echo is None:
        return (
            "no longer says what it applied, so it may be of another revision than "
            "before: try again, the next request finds out"
        )
    if revision == "page":
        return (
            f"applied {echo}: it seems to ignore `page`, as the offset revision does: "
            "pass Session(pagination='offset'), or leave it out"
        )
    if 0 < echo.limit < expected.limit and echo.offset == expected.offset == 0:
        return f"applied {echo}: it has a smaller limit, pass per_page={echo.limit}"
    return f"applied {echo}: it is not what was asked for, and may be any part of all"


def _patience(watch: Watch) -> float:
    return min(watch.remaining(), threading.TIMEOUT_MAX)
