"""What failed on the wire, in words; and which exceptions are the caller's own."""

from __future__ import annotations

import http.client
import socket
import ssl
from typing import Any

import pytest
import requests
from urllib3 import HTTPConnectionPool, exceptions

import wacht
from wacht._http.credentials import ApiKey
from wacht._http.failures import Failure, failure_of
from wacht._http.timing import SlowAnswerError

POOL: Any = HTTPConnectionPool("api.invalid")
CONNECTION: Any = "HTTPConnection(host='api.invalid', port=443)"
RESET = ConnectionResetError(104, "Connection reset by peer")
REFUSED = exceptions.NewConnectionError(CONNECTION, "Connection refused")
UNRESOLVED = exceptions.NameResolutionError(
    "api.invalid", CONNECTION, socket.gaierror("unknown")
)
UNTRUSTED = ssl.SSLCertVerificationError(1, "certificate verify failed: expired")
PLAIN = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")


def redact(text: str) -> str:
    return text.replace("wk_secret", "[***]")


def gave_up(reason: Exception) -> requests.ConnectionError:
    return requests.ConnectionError(exceptions.MaxRetryError(POOL, "/", reason))


def broken(*arguments: Any) -> exceptions.ProtocolError:
    return exceptions.ProtocolError("Connection broken", *arguments)


FAILURES: dict[str, tuple[Exception, str, type[Exception], int | None]] = {
    "refused": (
        gave_up(REFUSED),
        "no connection: Connection refused",
        exceptions.NewConnectionError,
        None,
    ),
    "unresolved": (
        gave_up(UNRESOLVED),
        "the host name doesn't resolve: Failed to resolve 'api.invalid' (unknown)",
        exceptions.NameResolutionError,
        2,
    ),
    "no connection in time": (
        gave_up(exceptions.ConnectTimeoutError(CONNECTION, "timed out")),
        "no connection in time: timed out",
        exceptions.ConnectTimeoutError,
        None,
    ),
    "no data in time": (
        requests.ReadTimeout(exceptions.ReadTimeoutError(POOL, "/", "Read timed out.")),
        "no data in time: Read timed out.",
        exceptions.ReadTimeoutError,
        None,
    ),
    "reset": (
        requests.ConnectionError(broken(RESET)),
        "the connection broke: Connection reset by peer",
        exceptions.ProtocolError,
        None,
    ),
    "cut off": (
        broken(exceptions.IncompleteRead(2, 3)),
        "the body was cut off: IncompleteRead(2 bytes read, 3 more expected)",
        exceptions.ProtocolError,
        None,
    ),
    "slow": (
        broken(SlowAnswerError("not in 9 s")),
        "the answer is too slow: not in 9 s",
        exceptions.ProtocolError,
        None,
    ),
    "slow, through a proxy": (
        gave_up(
            exceptions.ProxyError("Cannot connect.", SlowAnswerError("not in 9 s"))
        ),
        "the answer is too slow: not in 9 s",
        exceptions.ProtocolError,
        None,
    ),
    "not gzip": (
        requests.exceptions.ContentDecodingError(exceptions.DecodeError("no gzip")),
        "the body can't be decompressed: no gzip",
        exceptions.ProtocolError,
        None,
    ),
    "proxy": (
        gave_up(exceptions.ProxyError("Cannot connect to proxy.", REFUSED)),
        "the proxy failed: Connection refused",
        exceptions.ProxyError,
        None,
    ),
    "proxy's scheme": (
        ValueError("Unable to determine SOCKS version from socks9://me:pw@host"),
        (
            "the proxy can't be used (https_proxy, or proxies of your http session): "
            "Unable to determine SOCKS version from socks9://host"
        ),
        exceptions.ProtocolError,
        1,
    ),
    "certificate file": (
        gave_up(exceptions.SSLError(ssl.SSLError(136, "[X509] PEM lib"))),
        "a certificate file can't be used (REQUESTS_CA_BUNDLE, verify or cert): ",
        exceptions.SSLError,
        1,
    ),
    "proxy refuses": (
        gave_up(
            exceptions.ProxyError(
                "Cannot connect.",
                OSError("Tunnel connection failed: 407 Proxy Authentication Required"),
            )
        ),
        (
            "the proxy refused (https_proxy, or proxies of your http session): Tunnel "
            "connection failed: 407 Proxy Auth"
        ),
        exceptions.ProtocolError,
        1,
    ),
    "certificate": (
        gave_up(exceptions.SSLError(UNTRUSTED)),
        "the server's certificate isn't trusted: certificate verify failed: expired",
        exceptions.ProtocolError,
        1,
    ),
    "plain http": (
        gave_up(exceptions.SSLError(PLAIN)),
        "the server doesn't speak TLS on this port, perhaps it is plain http: [SSL",
        exceptions.ProtocolError,
        1,
    ),
    "TLS": (
        gave_up(exceptions.SSLError(ssl.SSLError(1, "handshake failure"))),
        "TLS failed: handshake failure",
        exceptions.SSLError,
        None,
    ),
    "no HTTP": (
        requests.ConnectionError(broken(http.client.BadStatusLine("SSH"))),
        "the connection broke: SSH",
        exceptions.ProtocolError,
        None,
    ),
    "closed pool": (
        requests.ConnectionError(exceptions.ClosedPoolError(POOL, "Pool is closed.")),
        "the connection broke: Pool is closed.",
        exceptions.ProtocolError,
        None,
    ),
    "an adapter's": (
        requests.exceptions.ChunkedEncodingError("ended early"),
        "the body was cut off: ended early",
        exceptions.ProtocolError,
        None,
    ),
    "no message": (
        ConnectionError(),
        "the connection broke",
        exceptions.ProtocolError,
        None,
    ),
    "URL": (
        requests.exceptions.InvalidURL("no host"),
        "the request failed: no host",
        exceptions.ProtocolError,
        1,
    ),
}


@pytest.mark.parametrize(
    ("error", "reason", "kind", "most_attempts"), FAILURES.values(), ids=FAILURES
)
def test_failure(
    error: Exception, reason: str, kind: type[Exception], most_attempts: int | None
) -> None:
    """The policy counts by the error; some failures aren't worth all its attempts."""
    failure = failure_of(error, redact)
    assert failure.reason.startswith(reason)
    assert type(failure.error) is kind
    assert failure.most_attempts == most_attempts
    assert failure.slow is ("too slow" in reason or "no data" in reason)


class JobTimeoutError(TimeoutError):
    """What a job runner raises in whatever code runs."""


def raised(error: Exception) -> Exception:
    """Raise and catch an error, so that its traceback ends in this module."""
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


FOREIGN = {
    "a bug": raised(ValueError("no")),
    "a bug in the stack": TypeError("no"),
    "a signal handler's": raised(TimeoutError("alarm")),
    "a job runner's": JobTimeoutError("too long"),
    "of the library": wacht.DeadlineExceededError("the deadline passed"),
}


@pytest.mark.parametrize("error", FOREIGN.values(), ids=FOREIGN)
def test_foreign__passes_unchanged(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        failure_of(error, redact)
    assert caught.value is error


@pytest.mark.parametrize("name", ["a signal handler's", "a job runner's"])
def test_foreign__passes_although_urllib3_wrapped_it(name: str) -> None:
    timeout = exceptions.ReadTimeoutError(POOL, "/", "Read timed out.")
    timeout.__cause__ = FOREIGN[name]
    for wrapped in (
        requests.ReadTimeout(timeout),
        requests.ConnectionError(broken(FOREIGN[name])),
    ):
        with pytest.raises(TimeoutError) as caught:
            failure_of(wrapped, redact)
        assert caught.value is FOREIGN[name]


def test_hook__that_raises_for_a_reason_of_its_own() -> None:
    """The cause of a requests error that a caller raised is the caller's affair."""
    error = raised(requests.HTTPError("I don't like it"))
    error.__cause__ = raised(TimeoutError("mine"))
    assert failure_of(error, redact).reason == "the request failed: I don't like it"


def test_cause__is_of_the_same_type_without_the_request() -> None:
    request: Any = requests.Request("GET", headers={"Authorization": "wk_secret"})
    error = requests.ReadTimeout("wk_secret timed out", request=request)
    cause: Any = failure_of(error, redact).cause
    assert type(cause) is requests.ReadTimeout
    assert str(cause) == "[***] timed out"
    assert cause.request is None
    assert cause.__traceback__ is cause.__cause__ is cause.__context__ is None


def test_cause__of_another_library() -> None:
    cause = failure_of(ConnectionResetError("wk_secret"), redact).cause
    assert type(cause) is requests.RequestException
    assert str(cause) == "ConnectionResetError: [***]"


def test_text__is_redacted_before_it_is_cut() -> None:
    assert (
        "wk_s"
        not in failure_of(ConnectionError("x" * 195 + " wk_secret"), redact).reason
    )
    assert len(failure_of(ConnectionError("x" * 1000), redact).reason) < 250


def test_text__is_redacted_before_it_is_quoted() -> None:
    """A key in an error within an error is found, however quotes would change it."""
    inner = http.client.BadStatusLine("it's \"wk'secret\"")
    outer = requests.ConnectionError(broken(inner))
    failure = failure_of(outer, ApiKey("wk'secret").redact_text)
    assert "secret" not in f"{failure.reason}{failure.cause!r}{failure!r}"


def test_tracebacks__are_dropped() -> None:
    """Their frames hold the connection, in a cycle that only the collector ends."""
    error: Exception = requests.ConnectionError("reset")
    try:
        raise error
    except requests.ConnectionError:
        failure = failure_of(error, redact)
    assert isinstance(failure, Failure)
    assert error.__traceback__ is None
