"""Fetch one page, in the revision that is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wacht._contexts import DEFAULT_PER_PAGE
from wacht._protocol.answers import SmallerPageMayHelp
from wacht._protocol.windows import window_of
from wacht._waiting import RequestBudget
from wacht.errors import PaginationError
from wacht.models import ExecutionContextListResponse

from .checkpoint import checkpoint_of
from .reader import Reader

if TYPE_CHECKING:
    from wacht._http.endpoint import Endpoint
    from wacht.models import ListExecutionContextsOptions as Options


def fetch_page(endpoint: Endpoint, options: Options) -> ExecutionContextListResponse:
    """Read the page that `page` and `per_page` mean."""
    checkpoint_of(options, endpoint.service)  # raises if it is of another list
    reader = Reader(endpoint, options, RequestBudget())
    window = window_of(options, DEFAULT_PER_PAGE)
    names = ("page", "per_page")
    omitted = {name for name in names if getattr(options, name) is None}
    known = reader.known_revision
    try:
        part = reader.ask(window, omitted)
        if known is None and part.has_more and part.window.limit < window.limit:
            part = reader.ask(window)  # the service has another default size
    except SmallerPageMayHelp as error:
        raise error.error from error.error.__cause__
    if window.offset and len(part.contexts) > window.limit:
        raise PaginationError(
            f"asked for {window.limit} contexts, got {len(part.contexts)}: the service "
            "seems to ignore `page` and `per_page`. If it is an older build of the "
            'offset revision, set pagination="offset"'
        )
    # Without `per_page`, the service may have a larger default.
    most = window.limit if options.per_page or part.window != window else None
    contexts = part.contexts[:most]
    more = part.has_more or len(contexts) < len(part.contexts)
    return ExecutionContextListResponse(contexts, more)
