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
from wacht._http.failures import failure_of
from wacht._http.timing import SlowAnswerError
from wacht._protocol.credentials import ApiKey

POOL: Any = HTTPConnectionPool("api.invalid")
CONNECTION: Any = "HTTPConnection(host='api.invalid', port=443)"


def redact(text: str) -> str:
    return text.replace("wk_secret", "[***]")


def gave_up(reason: Exception) -> requests.ConnectionError:
    return requests.ConnectionError(exceptions.MaxRetryError(POOL, "/", reason))


def by_proxy(reason: Exception) -> requests.ConnectionError:
    return gave_up(exceptions.ProxyError("No.", reason))


def by_tls(reason: Exception) -> requests.ConnectionError:
    return gave_up(exceptions.SSLError(reason))


def broken(*arguments: Any) -> exceptions.ProtocolError:
    return exceptions.ProtocolError("Connection broken", *arguments)


PROXY = "(https_proxy, or proxies of your http session)"
NO_TLS = "the server doesn't speak TLS on this port, perhaps it is plain http"
FILES = "REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, verify or cert"
CA_FILE = f"a certificate file can't be used ({FILES})"
ADDRESS = "; check WACHT_BASE_URL or base_url"
NO_FILE = exceptions.NewConnectionError(CONNECTION, "Too many open files")
REFUSED = exceptions.NewConnectionError(CONNECTION, "Failed (twice): refused")
NOT_IN_TIME = exceptions.ConnectTimeoutError(CONNECTION, "timed out")
UNRESOLVED = exceptions.NameResolutionError("h", CONNECTION, socket.gaierror("no"))
NO_DATA = exceptions.ReadTimeoutError(POOL, "/", "Read timed out.")
RESET = broken(ConnectionResetError(104, "reset by peer"))
CLOSED = exceptions.ClosedPoolError(POOL, "Pool is closed.")
NOT_GZIP = requests.exceptions.ContentDecodingError(exceptions.DecodeError("no"))
UNTRUSTED = by_tls(ssl.SSLCertVerificationError(1, "expired"))
NO_SOCKS = ValueError("no proxy: socks9://me:pw@host")
PROXY_REFUSES = OSError("Tunnel connection failed: 407 Who are you")

FAILURES: dict[str, Exception] = {
    f"no connection: Failed (twice): refused{ADDRESS}": gave_up(REFUSED),
    "no connection: Too many open files": gave_up(NO_FILE),
    f"the host name doesn't resolve: Failed to resolve 'h' (no){ADDRESS}": (
        gave_up(UNRESOLVED)
    ),
    "no connection in time: timed out": gave_up(NOT_IN_TIME),
    "no data in time: Read timed out.": requests.ReadTimeout(NO_DATA),
    "the connection broke: reset by peer": requests.ConnectionError(RESET),
    "the connection broke: Pool is closed.": requests.ConnectionError(CLOSED),
    "the connection broke": ConnectionError(),
    "the body was cut off: IncompleteRead(2 bytes read, 3 more expected)": (
        broken(exceptions.IncompleteRead(2, 3))
    ),
    "the body was cut off: early": requests.exceptions.ChunkedEncodingError("early"),
    "the body can't be decompressed: no": NOT_GZIP,
    "the answer is too slow: not in 9 s": by_proxy(SlowAnswerError("not in 9 s")),
    "the proxy failed: Failed (twice): refused": by_proxy(REFUSED),
    f"the proxy can't be used {PROXY}: no proxy: socks9://host": NO_SOCKS,
    f"the proxy refused {PROXY}: {PROXY_REFUSES}": by_proxy(PROXY_REFUSES),
    f"{CA_FILE}: [X509] PEM lib": by_tls(ssl.SSLError(136, "[X509] PEM lib")),
    "the server's certificate isn't trusted: expired": UNTRUSTED,
    f"{NO_TLS}: WRONG_VERSION_NUMBER": by_tls(ssl.SSLError(1, "WRONG_VERSION_NUMBER")),
    "TLS failed: handshake failure": by_tls(ssl.SSLError(1, "handshake failure")),
    "the headers contradict each other: 3, 4": exceptions.InvalidHeader("3, 4"),
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
ONCE = (
    *("the proxy can't", "the proxy refused", "a certificate file"),
    *("the server's certificate", "the server doesn't", "the request failed"),
)
MAY_BE_TOO_LARGE = ("the answer is too slow", "no data in time", "no answer in time")


@pytest.mark.parametrize(("reason", "error"), FAILURES.items())
def test_failure(reason: str, error: Exception) -> None:
    """The policy counts by the error; some failures aren't worth all its attempts."""
    failure = failure_of(error, redact)
    assert failure.reason == reason
    counted = [k for start, k in COUNTED.items() if reason.startswith(start)]
    assert [type(failure.error)] == (counted or [exceptions.ProtocolError])
    assert counted or str(failure.error) == reason
    twice = 2 if reason.startswith("the host name") else math.inf
    assert failure.max_attempts == (1 if reason.startswith(ONCE) else twice)
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
    caused, error = exceptions.ReadTimeoutError(POOL, "/", "no"), FOREIGN[name]
    caused.__cause__ = error
    for inner in (caused, broken(error)):
        with pytest.raises(TimeoutError) as caught:
            failure_of(requests.ConnectionError(inner), redact)
        assert caught.value is error


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
    error = raised(requests.ConnectionError("reset"))
    failure_of(error, redact)
    assert error.__traceback__ is None
