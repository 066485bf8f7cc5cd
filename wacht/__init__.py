"""
Wacht's AI execution contexts: every context once, or a clear word why not.

    >>> import wacht
    >>> for context in wacht.iter_execution_contexts():  # the key: WACHT_API_KEY
    ...     print(context.id, context.agent_id, context.created_at)
"""

from __future__ import annotations

import logging
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Unpack

from . import _secret
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
    WalkProgress,
)
from .session import Session
from .throttle import SupportsSlot, Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from . import sandbox as sandbox
else:  # out of sight of type checkers, for which any name would do

    def __getattr__(name: str) -> Any:
        if name == "sandbox":  # not at the start: most programs need no server
            return import_module(".sandbox", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), "sandbox"})


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
    "WachtError",
    "WalkProgress",
    "fetch_execution_contexts",
    "iter_execution_contexts",
    "to_dataframe",
]
__version__ = "0.1.0"

logging.getLogger("wacht").addHandler(logging.NullHandler())


@lru_cache(maxsize=1)
def _session_of(_environment: bytes) -> Session:
    return Session()


def _default_session() -> Session:
    return _session_of(_secret.environment_digest())


def fetch_execution_contexts(
    options: ListExecutionContextsOptions | None = None,
    /,
    **filters: Unpack[ListFilters],
) -> ExecutionContextListResponse:
    """
    Fetch one page on a default session.

    It is made from the environment at first use, and anew when `WACHT_API_KEY` or
    `WACHT_BASE_URL` has changed. Args and errors are those of
    `Session.fetch_execution_contexts`, and `ConfigError` where the environment has no
    usable key.
    """
    return _default_session().fetch_execution_contexts(options, **filters)


def iter_execution_contexts(
    options: ListExecutionContextsOptions | None = None,
    /,
    *,
    prefetch: int = 0,
    deadline: float | None = None,
    progress: bool | Callable[[WalkProgress], object] = False,
    **filters: Unpack[ListFilters],
) -> Generator[AiExecutionContext, None, None]:
    """
    Walk through all contexts on a default session, as `fetch_execution_contexts` has.

    Args and errors are those of `Session.iter_execution_contexts`, and `ConfigError`
    where the environment has no usable key.
    """
    return _default_session().iter_execution_contexts(
        options, prefetch=prefetch, deadline=deadline, progress=progress, **filters
    )
