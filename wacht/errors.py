"""
The exceptions; in brackets, the second parent.

    WachtError
    ├── ConfigError (ValueError)
    ├── InvalidRequestError (ValueError)
    ├── RequestError
    ├── ApiError
    │   ├── BadRequestError
    │   ├── AuthenticationError
    │   ├── PermissionDeniedError
    │   ├── NotFoundError
    │   ├── RateLimitError
    │   └── ServerError
    ├── DecodeError
    ├── PaginationError
    └── DeadlineExceededError (TimeoutError)
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from attrs import define

from ._text import safe_repr

if TYPE_CHECKING:
    from .models import ListExecutionContextsOptions

_REPR_LENGTH = 500
_STATUS_LINES = {s.value: f"{s.value} {s.phrase}" for s in HTTPStatus}


class WachtError(Exception):
    """
    The base of every error of this package.

    Attributes:
        resume: If the error ended a walk: the options to pass to the next walk, so that
            the two together give each context once. None in any other error.
    """

    resume: ListExecutionContextsOptions | None = None

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({safe_repr(str(self), _REPR_LENGTH)})"


class ConfigError(WachtError, ValueError):
    """A setting cannot be used: the key, the URL, a timeout, a missing extra."""


class InvalidRequestError(WachtError, ValueError):
    """An option is out of its range; the message names it and the value."""


@define(slots=False, repr=False)
class RequestError(WachtError):
    """
    No whole answer arrived: refused, reset, timed out or cut off, each time.

    Attributes:
        message: What happened, the last time.
        attempts: How many requests were sent.
    """

    message: str
    attempts: int = 1


@define(slots=False, repr=False)
class ApiError(WachtError):
    """
    The service answered with an error status.

    Attributes:
        status: The HTTP status.
        message: What the service, or a proxy in between, said; and what to check, if
            that is known.
        details: The body's JSON, or None if it isn't JSON.
        body: The first 64 KiB of the body, without the key.
        request_id: The answer's `X-Request-Id`, or None.
        retry_after: The seconds that the service asked to wait, or None.
        attempts: How many requests were sent.
    """

    status: int
    message: str
    details: Any = None
    body: bytes = b""
    request_id: str | None = None
    retry_after: float | None = None
    attempts: int = 1

    def __str__(self) -> str:
        notes: list[str] = []
        if self.attempts > 1:
            notes.append(f"after {self.attempts} attempts")
        if self.retry_after is not None:
            notes.append(f"the service asks to wait {self.retry_after:.12g} s")
        postscript = f" ({'; '.join(notes)})" if notes else ""
        status = _STATUS_LINES.get(self.status, self.status)
        return f"{status}: {self.message}{postscript}"


class BadRequestError(ApiError):
    """400: a query value can't be parsed."""


class AuthenticationError(ApiError):
    """401: no key, or an unknown one."""


class PermissionDeniedError(ApiError):
    """403: the key lacks the permission, or the plan the feature."""


class NotFoundError(ApiError):
    """404: no such thing; check the base URL."""


class RateLimitError(ApiError):
    """429: too many requests for this key, from here or elsewhere."""


class ServerError(ApiError):
    """5xx: the service failed, or a proxy before it."""


@define(slots=False, repr=False)
class DecodeError(WachtError):
    """
    A 2xx answer without the promised shape.

    Attributes:
        message: Where, what was expected, and what came.
        body: The first 64 KiB of the body, without the key.
    """

    message: str
    body: bytes = b""


class PaginationError(WachtError):
    """The service repeats pages, ignores a filter, or contexts may be missing."""


class DeadlineExceededError(WachtError, TimeoutError):
    """The walk's deadline has passed, or would during the next wait."""
