"""Attempts that brought no whole answer: what failed, and how often to try again."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from typing import TYPE_CHECKING

import requests
from attrs import field, frozen
from urllib3 import exceptions

from wacht._render.text import safe_line
from wacht.errors import WachtError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType


class SlowAnswerError(ConnectionError):
    """An answer takes too long as a whole, although each read is in time."""


class IncompleteAnswerError(ConnectionError):
    """The connection ended, or broke HTTP, in the middle of the headers."""


@frozen
class Failure:
    """
    An attempt without a whole answer.

    Attributes:
        reason: What happened, in words.
        error: The same as a urllib3 exception, which the retry policy counts by.
        cause: A copy of the error, without the request and the key that it held.
        most_attempts: How many attempts make sense, if not as many as the policy has.
        slow: Whether the service took too long, so that a smaller page may succeed.
    """

    reason: str
    error: exceptions.HTTPError = field(repr=False)
    cause: Exception = field(repr=False)
    most_attempts: int | None = None
    slow: bool = False


@frozen
class _Kind:
    phrase: str
    types: tuple[type[Exception], ...]
    pattern: str = ""  # what the message must contain
    most_attempts: int | None = None
    slow: bool = False


_PLAIN_HTTP = "WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|HTTP_REQUEST"
# The first kind that fits an error, or one of those that it was made from.
_KINDS = (
    _Kind(
        "the server's certificate isn't trusted",
        (ssl.SSLCertVerificationError,),
        most_attempts=1,
    ),
    _Kind(
        "the server doesn't speak TLS on this port, perhaps it is plain http",
        (ssl.SSLError,),
        pattern=_PLAIN_HTTP,
        most_attempts=1,
    ),
    _Kind(
        "the proxy refused",
        (OSError,),
        pattern=r"Tunnel connection failed: (403|407)",
        most_attempts=1,
    ),
    _Kind("the answer is too slow", (SlowAnswerError,), slow=True),
    _Kind("the proxy failed", (exceptions.ProxyError,)),
    _Kind(
        "the host name doesn't resolve",
        (exceptions.NameResolutionError,),
        most_attempts=2,
    ),
    _Kind("no connection", (exceptions.NewConnectionError,)),
    _Kind("no connection in time", (exceptions.ConnectTimeoutError,)),
    _Kind("no data in time", (exceptions.ReadTimeoutError,), slow=True),
    _Kind("the body was cut off", (http.client.IncompleteRead,)),
    _Kind("the body can't be decompressed", (exceptions.DecodeError,)),
    _Kind("the headers contradict each other", (exceptions.InvalidHeader,)),
    _Kind("TLS failed", (exceptions.SSLError,)),
    _Kind("the connection broke", (exceptions.ProtocolError, ConnectionError)),
    _Kind("no answer in time", (TimeoutError, requests.Timeout), slow=True),
    _Kind("the connection broke", (requests.ConnectionError,)),
    _Kind("the body was cut off", (requests.exceptions.ChunkedEncodingError,)),
    _Kind(
        "the body can't be decompressed", (requests.exceptions.ContentDecodingError,)
    ),
    _Kind("the request failed", (Exception,), most_attempts=1),
)
_STACK_ERRORS = (
    requests.RequestException,
    exceptions.HTTPError,
    http.client.HTTPException,
    socket.gaierror,
    ssl.SSLError,
)
_STACK_MODULES = re.compile(
    r"(wacht|requests|urllib3|http\.client|socket|ssl|builtins"
    r"|socks|truststore|gevent|eventlet)(\.|$)"
)
# urllib3's policy counts a broken body as a failed read, but only as its own error.
_BODY_ERRORS = (exceptions.IncompleteRead, exceptions.DecodeError)
_TEXT_LENGTH = 200


def failure_of(error: Exception, redact: Callable[[str], str]) -> Failure:
    """
    Describe an attempt that ended in an exception.

    Only exceptions of the HTTP stack are failures of the wire. The caller's own, such
    as one that a signal handler raised, are raised again unchanged.

    Args:
        error: What was raised.
        redact: Removes the key from a text.

    """
    if foreign := foreign_error(error):
        raise foreign
    chain = _chain(error)
    kind, link = next(_matches(chain))
    origin = link if isinstance(link, SlowAnswerError) else chain[-1]
    details = safe_line(redact(_details(origin)), _TEXT_LENGTH)
    for past in chain:  # the frames of a traceback hold connections, in a cycle
        past.__traceback__ = past.__context__ = None
    return Failure(
        f"{kind.phrase}: {details}" if details else kind.phrase,
        _for_policy(link),
        _bare_copy(error, redact),
        kind.most_attempts,
        kind.slow,
    )


def foreign_error(error: Exception) -> Exception | None:
    """
    Return the exception of the caller that an error is, or was made from.

    Returns:
        None if the HTTP stack itself raised the error.

    """
    return next((link for link in _chain(error) if not _is_of_stack(link)), None)


def _chain(error: Exception) -> list[Exception]:
    """
    Return an error and those that the HTTP stack made it from, the original one last.

    The implicit `__context__` is left out: it may be what the caller is handling.
    """
    chain = [error]
    for link in chain:
        if _may_wrap(link):
            inner = (getattr(link, "reason", None), *link.args, link.__cause__)
            # urllib3 wraps no other builtin exceptions than these.
            chain += [
                e
                for e in inner
                if isinstance(e, (OSError, *_STACK_ERRORS)) and e not in chain
            ]
    return chain


def _may_wrap(error: Exception) -> bool:
    if isinstance(error, requests.RequestException):  # a caller's hook may raise it
        return _stack_raised(error)
    return _is_of_stack(error)


def _is_of_stack(error: Exception) -> bool:
    if isinstance(error, WachtError):
        return False
    if isinstance(error, _STACK_ERRORS):
        return True
    known = _STACK_MODULES.match(type(error).__module__)
    return isinstance(error, OSError) and bool(known) and _stack_raised(error)


def _stack_raised(error: Exception) -> bool:
    return _STACK_MODULES.match(_raising_module(error.__traceback__)) is not None


def _raising_module(traceback: TracebackType | None) -> str:
    module = "wacht"  # an error without a traceback was never raised, but passed on
    while traceback is not None:
        module = traceback.tb_frame.f_globals.get("__name__", "")
        traceback = traceback.tb_next
    return module


def _matches(chain: list[Exception]) -> Iterator[tuple[_Kind, Exception]]:
    for kind in _KINDS:  # pragma: no branch - the last kind always matches
        for link in chain:
            if isinstance(link, kind.types) and re.search(kind.pattern, _text(link)):
                yield kind, link


def _details(error: Exception) -> str:
    last = error.args[-1] if error.args else None
    text = last if isinstance(last, str) else _text(error)
    _, _, message = text.rpartition("): ")  # behind the connection's repr
    return message or text


def _text(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ must not replace the error
        return type(error).__name__


def _for_policy(error: Exception) -> exceptions.HTTPError:
    if not isinstance(error, exceptions.HTTPError) or isinstance(error, _BODY_ERRORS):
        return exceptions.ProtocolError(_text(error))
    return error


def _bare_copy(error: Exception, redact: Callable[[str], str]) -> Exception:
    """Keep type and message; the request with the key hangs on the rest."""
    text = safe_line(redact(_text(error)))
    if type(error).__init__ is requests.RequestException.__init__:
        return type(error)(text)
    return requests.RequestException(f"{type(error).__qualname__}: {text}")
