"""The exceptions."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ._text import safe_repr

if TYPE_CHECKING:
    from .models import ListExecutionContextsOptions

_REPR_LENGTH = 500


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


class RequestError(WachtError):
    """
    No whole answer arrived: refused, reset, timed out or cut off, each time.

    Attributes:
        attempts: How many requests were sent.
    """

    def __init__(self, message: str, attempts: int = 1) -> None:
        super().__init__(message, attempts)
        self.attempts = attempts


class ApiError(WachtError):
    """
    The service answered with an error status.

    Attributes:
        status: The HTTP status.
        message: What the service, or a proxy in between, said.
        details: The body's JSON, or None if it isn't JSON.
        body: The first 64 KiB of the body, without the key.
        request_id: The answer's `X-Request-Id`, or None.
        retry_after: The seconds that the service asked to wait, or None.
        attempts: How many requests were sent.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - positional, as pickle passes them
        self,
        status: int,
        message: str,
        details: Any = None,
        body: bytes = b"",
        request_id: str | None = None,
        retry_after: float | None = None,
        attempts: int = 1,
    ) -> None:
        super().__init__(
            status, message, details, body, request_id, retry_after, attempts
        )
        self.status = status
        self.message = message
        self.details = details
        self.body = body
        self.request_id = request_id
        self.retry_after = retry_after
        self.attempts = attempts

    def __str__(self) -> str:
        return f"{_status_line(self.status)}: {self.message}{self._postscript()}"

    def _postscript(self) -> str:
        notes: list[str] = []
        if self.attempts > 1:
            notes.append(f"after {self.attempts} attempts")
        if self.retry_after is not None:
            notes.append(f"the service asks to wait {self.retry_after:.12g} s")
        return f" ({'; '.join(notes)})" if notes else ""


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


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


class DecodeError(WachtError):
    """
    A 2xx answer without the promised shape; the message says where.

    Attributes:
        body: The first 64 KiB of the body, without the key.
    """

    def __init__(self, message: str, body: bytes = b"") -> None:
        super().__init__(message, body)
        self.body = body


class PaginationError(WachtError):
    """The service repeats pages, ignores a filter, or contexts may be missing."""


class DeadlineExceededError(WachtError, TimeoutError):
    """The walk's deadline has passed, or would during the next wait."""
