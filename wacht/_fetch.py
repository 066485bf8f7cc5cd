"""One page, without a walk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._contexts import DEFAULT_PER_PAGE
from ._pagination.checkpoint import checkpoint_of
from ._pagination.reader import Reader
from ._protocol.windows import window_of
from ._waiting import RequestBudget
from .errors import PaginationError
from .models import ExecutionContextListResponse

if TYPE_CHECKING:
    from ._http.endpoint import Endpoint
    from .models import ListExecutionContextsOptions as Options


def fetch_page(endpoint: Endpoint, options: Options) -> ExecutionContextListResponse:
    """Read the page that `page` and `per_page` mean."""
    checkpoint_of(options, endpoint.service)  # raises if it is of another list
    reader = Reader(endpoint, options, RequestBudget())
    window = window_of(options, DEFAULT_PER_PAGE)
    omitted = {n for n in ("page", "per_page") if getattr(options, n) is None}
    known = endpoint.revision
    part = reader.ask(window, omitted)
    if known is None and part.has_more and part.window.limit < window.limit:
        part = reader.ask(window)  # the service has another default size
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
