"""What failed on the wire, in words; and which exceptions are the caller's own."""

from __future__ import annotations

import http.client
import math
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
REFUSED = exceptions.NewConnectionError(CONNECTION, "Failed (twice): refused")
NOT_IN_TIME = exceptions.ConnectTimeoutError(CONNECTION, "timed out")
UNRESOLVED = exceptions.NameResolutionError(
    "api.invalid", CONNECTION, socket.gaierror("unknown")
)


def redact(text: str) -> str:
    return text.replace("wk_secret", "[***]")


def gave_up(reason: Exception) -> requests.ConnectionError:
    return requests.ConnectionError(exceptions.MaxRetryError(POOL, "/", reason))


def broken(*arguments: Any) -> exceptions.ProtocolError:
    return exceptions.ProtocolError("Connection broken", *arguments)


PROXY = "(https_proxy, or proxies of your http session)"
WITHOUT_TLS = "the server doesn't speak TLS on this port, perhaps it is plain http"
CA_FILE = "a certificate file can't be used (REQUESTS_CA_BUNDLE, verify or cert)"
SLOW = SlowAnswerError("not in 9 s")
PROXY_REFUSES = OSError("Tunnel connection failed: 407 Who are you")
BAD_CA_FILE = ssl.SSLError(136, "[X509] PEM lib")
NO_DATA = exceptions.ReadTimeoutError(POOL, "/", "Read timed out.")
NO_SOCKS = "Unable to determine SOCKS version from socks9://{}host"

FAILURES: dict[str, Exception] = {
    "no connection: Failed (twice): refused": gave_up(REFUSED),
    "the host name doesn't resolve: Failed to resolve 'api.invalid' (unknown)": (
        gave_up(UNRESOLVED)
    ),
    "no connection in time: timed out": gave_up(NOT_IN_TIME),
    "no data in time: Read timed out.": requests.ReadTimeout(NO_DATA),
    "the connection broke: Connection reset by peer": (
        requests.ConnectionError(broken(RESET))
    ),
    "the body was cut off: IncompleteRead(2 bytes read, 3 more expected)": (
        broken(exceptions.IncompleteRead(2, 3))
    ),
    "the answer is too slow: not in 9 s": gave_up(exceptions.ProxyError("No.", SLOW)),
    "the body can't be decompressed: no gzip": (
        requests.exceptions.ContentDecodingError(exceptions.DecodeError("no gzip"))
    ),
    "the proxy failed: Failed (twice): refused": gave_up(
        exceptions.ProxyError("No.", REFUSED)
    ),
    f"the proxy can't be used {PROXY}: {NO_SOCKS.format('')}": (
        ValueError(NO_SOCKS.format("me:pw@"))
    ),
    f"the proxy refused {PROXY}: {PROXY_REFUSES}": (
        gave_up(exceptions.ProxyError("No.", PROXY_REFUSES))
    ),
    f"{CA_FILE}: [X509] PEM lib": gave_up(exceptions.SSLError(BAD_CA_FILE)),
    "the server's certificate isn't trusted: expired": (
        gave_up(exceptions.SSLError(ssl.SSLCertVerificationError(1, "expired")))
    ),
    f"{WITHOUT_TLS}: [SSL: WRONG_VERSION_NUMBER]": (
        gave_up(exceptions.SSLError(ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]")))
    ),
    "TLS failed: handshake failure": (
        gave_up(exceptions.SSLError(ssl.SSLError(1, "handshake failure")))
    ),
    "the connection broke: Pool is closed.": (
        requests.ConnectionError(exceptions.ClosedPoolError(POOL, "Pool is closed."))
    ),
    "the headers contradict each other: 3, 4": exceptions.InvalidHeader("3, 4"),
    "the body was cut off: ended early": (  # an adapter's
        requests.exceptions.ChunkedEncodingError("ended early")
    ),
    "the connection broke": ConnectionError(),
    "no answer in time": TimeoutError(),
    "the request failed: no host": requests.exceptions.InvalidURL("no host"),
}
COUNTED: dict[str, type[Exception]] = {
    "no connection: ": exceptions.NewConnectionError,
    "the host name": exceptions.NameResolutionError,
    "no connection in time": exceptions.ConnectTimeoutError,
    "no data": exceptions.ReadTimeoutError,
    "the proxy failed": exceptions.ProxyError,
    "a certificate file": exceptions.SSLError,
    "TLS": exceptions.SSLError,
}
MAX_ATTEMPTS = {
    "the host name": 2,
    "the proxy can't": 1,
    "the proxy refused": 1,
    "a certificate file": 1,
    "the server's certificate": 1,
    "the server doesn't": 1,
    "the request failed": 1,
}
MAY_BE_TOO_LARGE = ("the answer is too slow", "no data in time", "no answer in time")


def by_reason(table: dict[str, Any], reason: str) -> Any:
    return next((v for start, v in table.items() if reason.startswith(start)), None)


@pytest.mark.parametrize(("reason", "error"), FAILURES.items())
def test_failure(reason: str, error: Exception) -> None:
    """The policy counts by the error; some failures aren't worth all its attempts."""
    failure = failure_of(error, redact)
    assert failure.reason == reason
    counted = by_reason(COUNTED, reason)
    assert type(failure.error) is (counted or exceptions.ProtocolError)
    assert counted or str(failure.error) == reason
    assert failure.max_attempts == (by_reason(MAX_ATTEMPTS, reason) or math.inf)
    assert failure.slow is reason.startswith(MAY_BE_TOO_LARGE)


class JobTimeoutError(TimeoutError):
    """What a job runner raises in whatever code runs."""


def raised(error: Exception, module: str | None = __name__) -> Exception:
    """Raise and catch an error, so that its traceback ends in a module."""
    with pytest.raises(type(error)) as caught:
        exec("raise error", {"__name__": module, "error": error})  # noqa: S102
    return caught.value


FOREIGN = {
    "a bug": raised(ValueError("no")),
    "a bug in the stack": TypeError("no"),
    "a signal handler's": raised(TimeoutError("alarm")),
    "of code without a module": raised(TimeoutError("alarm"), None),
    "a module with a similar name": raised(OSError("no"), "sslmate"),
    "a job runner's": raised(JobTimeoutError("too long"), "ssl"),
    "of the library": raised(wacht.DeadlineExceededError("passed"), "wacht._waiting"),
}


@pytest.mark.parametrize("error", FOREIGN.values(), ids=FOREIGN)
def test_foreign__passes_unchanged(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        failure_of(error, redact)
    assert caught.value is error


@pytest.mark.parametrize("module", ["ssl", "http.client", "urllib3.util.ssl_", "socks"])
def test_foreign__not_what_the_stack_raises(module: str) -> None:
    for error in (OSError("no"), ValueError("no")):
        failure = failure_of(raised(error, module), redact)
        assert failure.reason == "the request failed: no"


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
    cause = failure_of(ConnectionResetError("wk_secret, //me:pw@proxy"), redact).cause
    assert type(cause) is requests.RequestException
    assert str(cause) == "ConnectionResetError: [***], //proxy"


def test_text__is_redacted_cut_and_printable() -> None:
    long = failure_of(ConnectionError("x" * 195 + " wk_secret" * 90), redact)
    assert "wk_s" not in long.reason
    assert len(long.reason) < 250
    odd = failure_of(ConnectionError("\x1b[31mEVIL\x07"), redact)
    assert f"{odd.reason}{odd.cause}".isprintable()


def test_text__is_redacted_before_it_is_quoted() -> None:
    """A key in an error within an error is found, however quotes would change it."""
    inner = http.client.BadStatusLine("it's \"wk'secret\"")
    outer = requests.ConnectionError(broken(inner))
    failure = failure_of(outer, ApiKey("wk'secret").redact_text)
    assert "secret" not in f"{failure.reason}{failure.cause!r}{failure!r}"


def test_text__is_redacted_before_a_password_is_removed() -> None:
    """Half a key wouldn't be found."""
    error = requests.ConnectionError("no such key: wk//half@secret")
    failure = failure_of(error, ApiKey("wk//half@secret").redact_text)
    assert failure.reason.endswith("no such key: [***]")
    assert str(failure.cause) == "no such key: [***]"


def test_tracebacks__are_dropped() -> None:
    """Their frames hold the connection, in a cycle that only the collector ends."""
    error: Exception = requests.ConnectionError("reset")
    try:
        raise error
    except requests.ConnectionError:
        failure = failure_of(error, redact)
    assert isinstance(failure, Failure)
    assert error.__traceback__ is None
