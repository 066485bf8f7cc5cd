"""
The Python SDK for Wacht's AI execution contexts: it reads the whole list.

By default, it proves that nothing is missing if the service lists by activity. By page,
that takes `exhaustive=True`; otherwise `complete` in the progress is False.

    >>> import wacht
    >>> for context in wacht.iter_execution_contexts():  # the key: WACHT_API_KEY
    ...     print(context.id, context.created_at)
"""

from __future__ import annotations

import logging
import os
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Unpack

from ._keywords import with_keywords_of as _with_keywords_of
from ._protocol.credentials import ApiKey as _ApiKey
from ._version import __version__ as __version__
from .dataframe import to_dataframe
from .errors import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    ConfigError,
    DeadlineExceededError,
    DecodeError,
    InvalidRequestError,
    NotFoundError,
    PaginationError,
    PermissionDeniedError,
    RateLimitError,
    RequestError,
    ServerError,
    WachtError,
)
from .models import (
    AiExecutionContext,
    ExecutionContextListResponse,
    ListExecutionContextsOptions,
    ListFilters,
    UpdateFilters,
    UpdateKeywords,
    UpdatePage,
    WalkKeywords,
    WalkProgress,
)
from .session import Session
from .throttle import SupportsSlot, Throttle

if TYPE_CHECKING:
    from collections.abc import Generator

    from . import sandbox as sandbox
else:  # out of sight of type checkers, for which any name would do

    def __getattr__(name: str) -> Any:
        if name == "sandbox":  # not at the start: most programs need no server
            return import_module(".sandbox", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return [*__all__, "__version__", "sandbox"]


__all__ = [
    "AiExecutionContext",
    "ApiError",
    "AuthenticationError",
    "BadRequestError",
    "ConfigError",
    "DeadlineExceededError",
    "DecodeError",
    "ExecutionContextListResponse",
    "InvalidRequestError",
    "ListExecutionContextsOptions",
    "ListFilters",
    "NotFoundError",
    "PaginationError",
    "PermissionDeniedError",
    "RateLimitError",
    "RequestError",
    "ServerError",
    "Session",
    "SupportsSlot",
    "Throttle",
    "UpdateFilters",
    "UpdateKeywords",
    "UpdatePage",
    "WachtError",
    "WalkKeywords",
    "WalkProgress",
    "fetch_execution_contexts",
    "iter_execution_context_pages",
    "iter_execution_context_updates",
    "iter_execution_contexts",
    "to_dataframe",
]

logging.getLogger("wacht").addHandler(logging.NullHandler())


@lru_cache(maxsize=1)
def _session_of(_service: str) -> Session:
    return Session()


def _default_session() -> Session:
    url = os.environ.get("WACHT_BASE_URL", "")
    return _session_of(_ApiKey(None).service_digest(url))


@_with_keywords_of(Session.fetch_execution_contexts)
def fetch_execution_contexts(
    options: ListExecutionContextsOptions | None = None,
    /,
    **filters: Unpack[ListFilters],
) -> ExecutionContextListResponse:
    """
    Fetch one page on the default session; see the method of `Session`.

    The session is made from the environment at first use, and again when
    `WACHT_API_KEY` or `WACHT_BASE_URL` has changed. Without a usable key, there is a
    `ConfigError`.
    """
    return _default_session().fetch_execution_contexts(options, **filters)


@_with_keywords_of(Session.iter_execution_contexts)
def iter_execution_contexts(
    options: ListExecutionContextsOptions | None = None,
    /,
    **keywords: Unpack[WalkKeywords],
) -> Generator[AiExecutionContext, None, None]:
    """Walk through all contexts on the default session; see the method of `Session`."""
    return _default_session().iter_execution_contexts(options, **keywords)


@_with_keywords_of(Session.iter_execution_context_pages)
def iter_execution_context_pages(
    options: ListExecutionContextsOptions | None = None,
    /,
    **keywords: Unpack[WalkKeywords],
) -> Generator[ExecutionContextListResponse, None, None]:
    """Walk through all pages on the default session; see the method of `Session`."""
    return _default_session().iter_execution_context_pages(options, **keywords)


@_with_keywords_of(Session.iter_execution_context_updates)
def iter_execution_context_updates(
    state: str | None = None, /, **keywords: Unpack[UpdateKeywords]
) -> Generator[UpdatePage, None, None]:
    """Bring a copy up to date on the default session; see the method of `Session`."""
    return _default_session().iter_execution_context_updates(state, **keywords)
