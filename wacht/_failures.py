"""
What broke on the wire, in words, and whether another attempt may end better.
"""

from __future__ import annotations

from ssl import SSLCertVerificationError
from typing import TYPE_CHECKING

import requests
from urllib3 import exceptions

from ._retry import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST = 200  # characters of an error's own words

# The first that fits; what stands nowhere here will not go away by itself.
_TRANSIENT: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.NameResolutionError, "the host's name does not resolve"),
    (exceptions.NewConnectionError, "no connection"),
    (exceptions.ConnectTimeoutError, "no connection in time"),
    (exceptions.ReadTimeoutError, "no data in time"),
    (exceptions.IncompleteRead, "the body was cut off"),
    (exceptions.InvalidChunkLength, "the body was cut off"),
    (exceptions.ProtocolError, "the connection broke"),
    (exceptions.DecodeError, "the body does not unpack"),
    (exceptions.ProxyError, "the proxy failed"),
    (exceptions.SSLError, "TLS failed"),
    (OSError, "the connection broke"),
)
# What requests raises without an error of urllib3 inside.
_TRANSIENT_IN_REQUESTS = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


def failure_of(error: Exception, redact: Callable[[str], str]) -> Failure:
    """
    Describe an attempt that ended in an exception, without what the exception holds.

    Args:
        error: What was raised; its request, and the key in that, stay behind.
        redact: Blacks out the key in a text.

    """
    inner = _innermost(error)
    words = redact(_words(inner))
    cause = _bare_copy(error, redact)
    for kind, phrase in _TRANSIENT:
        if isinstance(inner, kind) and _may_pass(error, inner):
            return Failure(f"{phrase}: {words}", _for_policy(inner), cause)
    return Failure(f"{type(inner).__name__}: {words}", None, cause)


def _innermost(error: Exception) -> Exception:
    first = error.args[0] if error.args else None
    inner = first if isinstance(first, Exception) else error
    reason = getattr(inner, "reason", None)
    return reason if isinstance(reason, Exception) else inner


def _may_pass(error: Exception, inner: Exception) -> bool:
    if isinstance(error, requests.RequestException) and not isinstance(
        error, _TRANSIENT_IN_REQUESTS
    ):
        return False
    return not any(isinstance(arg, SSLCertVerificationError) for arg in inner.args)


def _words(inner: Exception) -> str:
    text = str(inner.args[-1] if inner.args else inner)
    _, _, said = text.rpartition("): ")  # behind the connection that it is about
    return " ".join((said or text)[:_LONGEST].split())


def _for_policy(inner: Exception) -> exceptions.HTTPError:
    if not isinstance(inner, exceptions.HTTPError):
        return exceptions.ProtocolError(str(inner))
    inner.__traceback__ = inner.__cause__ = inner.__context__ = None
    return inner


def _bare_copy(error: Exception, redact: Callable[[str], str]) -> Exception:
    """
    Keep type and message: the request with its key hangs on all the rest.
    """
    said = redact(str(error))
    if isinstance(error, requests.RequestException):
        return type(error)(said)
    return requests.RequestException(f"{type(error).__qualname__}: {said}")
