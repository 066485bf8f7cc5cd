"""Attempts that brought no whole answer: what failed, and how often to try again."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from contextlib import suppress
from math import inf
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, NamedTuple

import requests
from attrs import field, frozen
from urllib3 import exceptions
from urllib3.exceptions import ProtocolError

from wacht._text import safe_line
from wacht.errors import WachtError

from .timing import SlowAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


@frozen
class Failure:
    """An attempt without a whole answer."""

    reason: str
    error: exceptions.HTTPError = field(repr=False)  # the retry policy counts by it
    cause: Exception = field(repr=False)  # a copy, without the request and its key
    max_attempts: float = inf  # that make sense, if the policy has more
    slow: bool = False  # a smaller page may succeed


class _Kind(NamedTuple):
    phrase: str
    types: Any
    pattern: str = ""  # what the message must contain
    max_attempts: float = inf
    slow: bool = False
    advice: str = ""


_UNTRUSTED = ssl.SSLCertVerificationError
_NO_NAME = "the host name doesn't resolve"
_NO_TLS = "the server doesn't speak TLS on this port, perhaps it is plain http"
_PLAIN_HTTP = "WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|HTTP_REQUEST"
_UNUSABLE_FILE = r"X509|PEM|\[Errno (2|13|21)\]"  # missing, forbidden, or a folder
_FILES = "REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, verify or cert"
_CA_FILE = f"a certificate file can't be used ({_FILES})"
_REFUSED = "Tunnel connection failed: (401|403|407)"
_PROXY = "(https_proxy, or proxies of your http session)"
_CUT_OFF = (http.client.IncompleteRead, requests.exceptions.ChunkedEncodingError)
_ADDRESS = "; check WACHT_BASE_URL or base_url"
_BROKEN = (ProtocolError, ConnectionError, requests.ConnectionError)
# The first kind that fits an error, or one of those that it was made from.
_KINDS = (
    _Kind("the server's certificate isn't trusted", _UNTRUSTED, "", 1),
    _Kind(_NO_TLS, ssl.SSLError, _PLAIN_HTTP, 1),
    _Kind(_CA_FILE, exceptions.SSLError, _UNUSABLE_FILE, 1),
    _Kind(_CA_FILE, OSError, "Could not find .* TLS", 1),
    _Kind(f"the proxy can't be used {_PROXY}", ValueError, "(?i)proxy|socks", 1),
    _Kind(f"the proxy refused {_PROXY}", OSError, _REFUSED, 1),
    _Kind("the answer is too slow", SlowAnswerError, slow=True),
    _Kind("the proxy failed", exceptions.ProxyError),
    _Kind(_NO_NAME, exceptions.NameResolutionError, "", 2, advice=_ADDRESS),
    _Kind("no connection", exceptions.NewConnectionError, "refused", advice=_ADDRESS),
    _Kind("no connection", exceptions.NewConnectionError),
    _Kind("no connection in time", exceptions.ConnectTimeoutError),
    _Kind("no data in time", exceptions.ReadTimeoutError, slow=True),
    _Kind("the body was cut off", _CUT_OFF),
    _Kind("the body can't be decompressed", exceptions.DecodeError),
    _Kind("the headers contradict each other", exceptions.InvalidHeader),
    _Kind("TLS failed", exceptions.SSLError),
    _Kind("no answer in time", (TimeoutError, requests.Timeout), slow=True),
    _Kind("the connection broke", _BROKEN),
    _Kind("the request failed", Exception, "", 1),
)
_STACK_ERRORS = (
    *(requests.RequestException, exceptions.HTTPError, http.client.HTTPException),
    *(socket.gaierror, ssl.SSLError),
)
_STACK_MODULES = re.compile(
    r"(wacht|requests|urllib3|http\.(client|cookiejar)|socket|ssl|builtins"
    r"|socks|truststore|gevent|eventlet)(\.|$)"
)
_MAY_HOLD_KEY = re.compile(
    r"(wacht|requests|urllib3|http|socket|ssl|re|json|html|urllib)(\.|$)"
)
# urllib3's policy counts these by kind; others count as a failed read.
_COUNTED = (exceptions.TimeoutError, exceptions.ProxyError, exceptions.SSLError)
_PASSWORD = re.compile(r"(?<=//)[^/@\s]+@")  # of a proxy
_TEXT_LENGTH = 200


def failure_of(error: Exception, redact: Callable[[str], str]) -> Failure:
    """Describe an exception of the HTTP stack; raise the caller's own unchanged."""
    if theirs := caller_exception(error):
        raise theirs
    chain = _chain(error)
    matches = ((k, e) for k in _KINDS for e in chain if isinstance(e, k.types))
    kind, link = next((k, e) for k, e in matches if re.search(k.pattern, str(e)))
    details = _details(chain[-1], redact)
    reason = f"{kind.phrase}: {details}" if details else kind.phrase
    reason += kind.advice
    counted = link if isinstance(link, _COUNTED) else ProtocolError(reason)
    cause = _sanitized_copy(error, redact)
    for past in chain:  # the frames of a traceback hold connections, in a cycle
        past.__traceback__ = past.__context__ = None
    return Failure(reason, counted, cause, kind.max_attempts, kind.slow)


def caller_exception(error: Exception) -> Exception | None:
    """Return the exception of the caller that an error is, or was made from."""
    return next((link for link in _chain(error) if _is_callers(link)), None)


def clear_frames(error: BaseException) -> None:
    """Forget the variables in the frames of a traceback that may hold the key."""
    link: BaseException | None = error
    while link is not None:
        for frame, _ in walk_tb(link.__traceback__):
            if _MAY_HOLD_KEY.match(_module(frame)):
                with suppress(RuntimeError):  # it hasn't ended yet
                    frame.clear()
        link = link.__context__


def _is_callers(error: Exception) -> bool:
    if isinstance(error, WachtError):
        return True
    if isinstance(error, _STACK_ERRORS):  # also if a mock raises them
        return False
    known = _STACK_MODULES.match(type(error).__module__) and _raised_by_stack(error)
    return not (known and isinstance(error, (OSError, ValueError, UserWarning)))


def _chain(error: Exception) -> list[Exception]:
    """Return an error and those that the stack made it from, the original one last."""
    # Without the implicit `__context__`, which may be what the caller is handling.
    chain = [error]
    for link in chain:
        # urllib3 raises its errors with the traceback of the original one.
        if isinstance(link, exceptions.HTTPError) or _raised_by_stack(link):
            inner = (getattr(link, "reason", None), *link.args, link.__cause__)
            # urllib3 wraps no other builtin exceptions than these.
            wrapped = [e for e in inner if isinstance(e, (OSError, *_STACK_ERRORS))]
            chain += [e for e in wrapped if e not in chain]
    return chain


def _raised_by_stack(error: Exception) -> bool:
    module = "wacht"  # an error without a traceback was never raised, but passed on
    for frame, _ in walk_tb(error.__traceback__):
        module = _module(frame)
    return _STACK_MODULES.match(module) is not None


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))


def _details(error: Exception, redact: Callable[[str], str]) -> str:
    last = error.args[-1] if error.args else None
    text = last if isinstance(last, str) else str(error)
    _, _, message = text.partition("): ")  # behind the connection's repr
    return safe_line(_PASSWORD.sub("", redact(message or text)), _TEXT_LENGTH)


def _sanitized_copy(error: Exception, redact: Callable[[str], str]) -> Exception:
    """Keep type and message; the request with the key hangs on the rest."""
    text = safe_line(_PASSWORD.sub("", redact(str(error))), _TEXT_LENGTH)
    if type(error).__init__ is requests.RequestException.__init__:
        return type(error)(text)
    return requests.RequestException(f"{type(error).__qualname__}: {text}")
