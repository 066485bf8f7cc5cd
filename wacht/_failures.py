"""
What broke on the wire, in words, and whether another attempt may end better.
"""

from __future__ import annotations

import http.client
from ssl import SSLCertVerificationError
from typing import TYPE_CHECKING

import requests
from urllib3 import exceptions

from ._connection import SlowAnswerError
from ._display import printable
from ._retry import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

# urllib3 counts a broken body as a failed read, but as its own error only.
_IN_A_BODY = (exceptions.IncompleteRead, exceptions.DecodeError)
_LONGEST = 200  # characters of an error's own words

# The first that fits; what stands nowhere here will not go away by itself.
_TRANSIENT: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.ProxyError, "the proxy failed"),
    (exceptions.NameResolutionError, "the host's name does not resolve"),
    (exceptions.NewConnectionError, "no connection"),
    (exceptions.ConnectTimeoutError, "no connection in time"),
    (SlowAnswerError, "the answer is too slow"),
    (exceptions.ReadTimeoutError, "no data in time"),
    (http.client.IncompleteRead, "the body was cut off"),
    (exceptions.DecodeError, "the body does not unpack"),
    (exceptions.InvalidHeader, "the headers contradict each other"),
    (exceptions.SSLError, "TLS failed"),
    (exceptions.ProtocolError, "the connection broke"),
    (ConnectionError, "the connection broke"),
    (TimeoutError, "no answer in time"),
    (requests.ConnectionError, "the connection broke"),
    (requests.Timeout, "no answer in time"),
    (requests.exceptions.ChunkedEncodingError, "the body was cut off"),
    (requests.exceptions.ContentDecodingError, "the body does not unpack"),
)


def failure_of(error: Exception, redact: Callable[[str], str]) -> Failure:
    """
    Describe an attempt that ended in an exception, without what the exception holds.

    What the service made it say comes out harmless on a terminal.

    Args:
        error: What was raised; its request, and the key in that, stay behind.
        redact: Blacks out the key in a text.

    """
    chain = _chain(error)
    for link in chain:  # before one is quoted within another
        link.args = tuple(redact(a) if isinstance(a, str) else a for a in link.args)
    words = printable(redact(_words(chain[-1])))[:_LONGEST]
    cause = _bare_copy(error, redact)
    if not any(isinstance(link, SSLCertVerificationError) for link in chain):
        for kind, phrase in _TRANSIENT:
            for link in chain:
                if isinstance(link, kind):
                    return Failure(_said(phrase, words), _for_policy(link), cause)
    return Failure(_said(type(chain[-1]).__name__, words), None, cause)


def _said(what: str, words: str) -> str:
    return f"{what}: {words}" if words else what


def _chain(error: Exception) -> list[Exception]:
    """
    List an error and those that it was made from, the outermost first.
    """
    chain = [error]
    for link in chain:
        inside = (getattr(link, "reason", None), *link.args)
        chain += [e for e in inside if isinstance(e, Exception) and e not in chain]
    return chain


def _words(error: Exception) -> str:
    said = error.args[-1] if error.args else None
    text = said if isinstance(said, str) else _text(error)
    _, _, behind = text.rpartition("): ")  # the connection that it is about
    return " ".join((behind or text).split())


def _text(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ must not replace the error
        return "no further word"


def _for_policy(error: Exception) -> exceptions.HTTPError:
    if not isinstance(error, exceptions.HTTPError) or isinstance(error, _IN_A_BODY):
        return exceptions.ProtocolError(_text(error))
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


def _bare_copy(error: Exception, redact: Callable[[str], str]) -> Exception:
    """
    Keep type and message: the request with its key hangs on all the rest.
    """
    said = printable(redact(_text(error)))
    if type(error).__init__ is requests.RequestException.__init__:
        return type(error)(said)
    return requests.RequestException(f"{type(error).__qualname__}: {said}")
