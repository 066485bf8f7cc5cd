"""
Exceptions of the wire, in words: which may pass, and what is kept of them.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from typing import Any

import pytest
import requests
from urllib3 import HTTPConnectionPool, exceptions

from wacht._connection import SlowAnswerError
from wacht._failures import failure_of

POOL: Any = HTTPConnectionPool("api.invalid")
CONNECTION: Any = "HTTPConnection(host='api.invalid', port=443)"
RESET = ConnectionResetError(104, "Connection reset by peer")
REFUSED = exceptions.NewConnectionError(CONNECTION, "Connection refused")
UNRESOLVED = exceptions.NameResolutionError(
    "api.invalid", CONNECTION, socket.gaierror("unknown")
)
UNTRUSTED = ssl.SSLCertVerificationError(1, "certificate verify failed: expired")


def redact(text: str) -> str:
    return text.replace("wk_secret", "[***]")


def given_up(reason: Exception) -> exceptions.MaxRetryError:
    return exceptions.MaxRetryError(POOL, "/", reason)


TRANSIENT: dict[str, tuple[Exception, str, type[Exception]]] = {
    "refused": (
        requests.ConnectionError(given_up(REFUSED)),
        "no connection: Connection refused",
        exceptions.NewConnectionError,
    ),
    "unresolved": (
        requests.ConnectionError(given_up(UNRESOLVED)),
        "the host's name does not resolve: Failed to resolve 'api.invalid' (unknown)",
        exceptions.NameResolutionError,
    ),
    "no connection in time": (
        requests.ConnectTimeout(
            given_up(exceptions.ConnectTimeoutError(CONNECTION, "timed out"))
        ),
        "no connection in time: timed out",
        exceptions.ConnectTimeoutError,
    ),
    "no data in time": (
        requests.ReadTimeout(exceptions.ReadTimeoutError(POOL, "/", "Read timed out.")),
        "no data in time: Read timed out.",
        exceptions.ReadTimeoutError,
    ),
    "reset": (
        requests.ConnectionError(
            exceptions.ProtocolError("Connection aborted.", RESET)
        ),
        "the connection broke: Connection reset by peer",
        exceptions.ProtocolError,
    ),
    "cut": (
        exceptions.ProtocolError("Connection broken", exceptions.IncompleteRead(2, 3)),
        "the body was cut off: IncompleteRead(2 bytes read, 3 more expected)",
        exceptions.ProtocolError,
    ),
    "chunk": (
        exceptions.ProtocolError("Connection broken", http.client.IncompleteRead(b"")),
        "the body was cut off: IncompleteRead(0 bytes read)",
        exceptions.ProtocolError,
    ),
    "slow": (
        exceptions.ProtocolError("Connection broken", SlowAnswerError("not in 9 s")),
        "the answer is too slow: not in 9 s",
        exceptions.ProtocolError,
    ),
    "garbled": (
        exceptions.DecodeError("no gzip"),
        "the body does not unpack: no gzip",
        exceptions.ProtocolError,
    ),
    "garbled, to a hook": (
        requests.exceptions.ContentDecodingError(exceptions.DecodeError("no gzip")),
        "the body does not unpack: no gzip",
        exceptions.ProtocolError,
    ),
    "proxy": (
        requests.exceptions.ProxyError(
            given_up(exceptions.ProxyError("Cannot connect to proxy.", REFUSED))
        ),
        "the proxy failed: Connection refused",
        exceptions.ProxyError,
    ),
    "TLS": (
        requests.exceptions.SSLError(
            given_up(exceptions.SSLError(ssl.SSLError(1, "wrong version number")))
        ),
        "TLS failed: wrong version number",
        exceptions.SSLError,
    ),
    "contradiction": (
        requests.exceptions.InvalidHeader(exceptions.InvalidHeader("1, 2")),
        "the headers contradict each other: 1, 2",
        exceptions.InvalidHeader,
    ),
    "closed pool": (
        requests.ConnectionError(exceptions.ClosedPoolError(POOL, "Pool is closed.")),
        "the connection broke: Pool is closed.",
        exceptions.ProtocolError,
    ),
    "requests' own": (
        requests.exceptions.ChunkedEncodingError("ended early"),
        "the body was cut off: ended early",
        exceptions.ProtocolError,
    ),
    "without a word": (
        ConnectionError(),
        "the connection broke",
        exceptions.ProtocolError,
    ),
}


@pytest.mark.parametrize(("error", "reason", "kind"), TRANSIENT.values(), ids=TRANSIENT)
def test_failure__that_may_pass(
    error: Exception, reason: str, kind: type[Exception]
) -> None:
    """What the network does may pass, and the policy gets to know which it was."""
    failure = failure_of(error, redact)
    assert failure.reason == reason
    assert type(failure.error) is kind


LASTING: dict[str, tuple[Exception, str]] = {
    "certificate": (
        requests.exceptions.SSLError(given_up(exceptions.SSLError(UNTRUSTED))),
        "SSLCertVerificationError: certificate verify failed: expired",
    ),
    "URL": (requests.exceptions.InvalidURL("no host"), "InvalidURL: no host"),
    "header": (requests.exceptions.InvalidHeader("bad"), "InvalidHeader: bad"),
    "adapter gave up": (
        requests.exceptions.RetryError(given_up(exceptions.ResponseError("too many"))),
        "ResponseError: too many",
    ),
    "file": (FileNotFoundError(2, "No such file"), "FileNotFoundError: No such file"),
    "bug": (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
}


@pytest.mark.parametrize(("error", "reason"), LASTING.values(), ids=LASTING)
def test_failure__that_stays(error: Exception, reason: str) -> None:
    """What another attempt would not change has no error for the policy."""
    failure = failure_of(error, redact)
    assert failure.reason == reason
    assert failure.error is None


def test_cause__is_of_the_same_type_without_the_request() -> None:
    """The copy of a requests error has its words, and nothing of what it held."""
    request: Any = requests.Request("GET", headers={"Authorization": "wk_secret"})
    error = requests.ReadTimeout("wk_secret timed out", request=request)
    cause: Any = failure_of(error, redact).cause
    assert type(cause) is requests.ReadTimeout
    assert str(cause) == "[***] timed out"
    assert cause.request is None
    assert cause.__traceback__ is cause.__cause__ is cause.__context__ is None


def test_cause__of_another_library() -> None:
    """The type of an error that is not of requests stands in the words of its copy."""
    cause = failure_of(KeyError("wk_secret"), redact).cause
    assert type(cause) is requests.RequestException
    assert str(cause) == "KeyError: '[***]'"


def test_cause__that_words_itself() -> None:
    """Words that an error makes up when it is asked are redacted as well."""

    class Wordy(Exception):  # noqa: N818 - it is a test's
        def __str__(self) -> str:
            return "no, wk_secret"

    failure = failure_of(Wordy(), redact)
    assert failure.reason == "Wordy: no, [***]"
    assert str(failure.cause).endswith("Wordy: no, [***]")


def test_words__are_redacted_before_they_are_cut() -> None:
    """A key at the end of long words is not cut in two and missed."""
    error = ConnectionError("x" * 195 + " wk_secret")
    assert "wk_s" not in failure_of(error, redact).reason
    long = failure_of(ConnectionError("x" * 1000), redact).reason
    assert len(long) < 250


def test_words__are_redacted_before_they_are_quoted() -> None:
    """A key in an error within an error is found, whatever quotes would make of it."""
    inner = http.client.BadStatusLine("it's \"wk'secret\"")
    outer = requests.ConnectionError(exceptions.ProtocolError("aborted", inner))
    failure = failure_of(outer, lambda text: text.replace("wk'secret", "[***]"))
    assert "[***]" in failure.reason
    assert "[***]" in str(failure.cause)
    assert "secret" not in f"{failure.cause!r}{failure.error!r}"
