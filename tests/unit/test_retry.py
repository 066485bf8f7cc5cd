"""The policy: which outcome is followed by another attempt, and after how long."""

from __future__ import annotations

import math
import threading
from typing import Any

import pytest
from hypothesis import given, strategies as st
from urllib3 import HTTPResponse, Retry
from urllib3.exceptions import ConnectTimeoutError, DecodeError, ProtocolError

from wacht._contexts import PATH
from wacht._http.failures import Failure
from wacht._http.retry import (
    FIRST_WAIT,
    LONGEST_WAIT,
    Retries,
    decide,
    default_retry,
    longest_wait,
)
from wacht._protocol.replies import RawResponse

SHORTEST, LONGEST_FIRST = FIRST_WAIT
DEAF: Any = {"respect_retry_after_header": False}
WORDS = b"Rate limit exceeded. Retry after 42 seconds"


def reply(status: int, body: bytes = b"", **headers: str) -> RawResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return RawResponse(status=status, headers=named, body=body)


def failure(error: Any = None, max_attempts: float = math.inf) -> Failure:
    error = error or ProtocolError("it broke")
    return Failure("it broke", error, ValueError("no"), max_attempts)


def waits(policy: Retry, outcome: RawResponse | Failure) -> list[float]:
    """List the waits between attempts that all end in the same way."""
    found: list[float] = []
    retries = Retries(policy)
    while following := decide(retries, outcome):
        retries = following
        found.append(retries.wait)
    return found


ANSWERS = [429, 500, 501, 502, 503, 504, 520, 599]
FAILURES = [
    failure(ProtocolError("reset")),
    failure(ConnectTimeoutError("late")),
    failure(DecodeError("garbled")),
]


@pytest.mark.parametrize("outcome", [*map(reply, ANSWERS), *FAILURES])
def test_default__six_attempts(outcome: RawResponse | Failure) -> None:
    assert len(waits(default_retry(), outcome)) == 5


@pytest.mark.parametrize("status", [100, 301, 302, 400, 401, 403, 404, 409, 413, 600])
def test_default__what_will_not_pass(status: int) -> None:
    assert waits(default_retry(), reply(status)) == []


@pytest.mark.parametrize("attempts", [1, 2])
def test_default__what_another_attempt_will_not_change(attempts: int) -> None:
    """Nor after attempts that failed in another way."""
    assert len(waits(default_retry(), failure(max_attempts=attempts))) == attempts - 1
    assert decide(Retries(default_retry(), 3), failure(max_attempts=attempts)) is None


@pytest.mark.parametrize("status", ANSWERS)
def test_wait__after_an_answer_is_never_none(status: int) -> None:
    first, *others = waits(default_retry(), reply(status))
    assert SHORTEST <= first <= LONGEST_FIRST
    assert_backed_off(others)


def test_wait__after_a_failure() -> None:
    """The first retry after a broken connection comes at once, the others back off."""
    first, *others = waits(default_retry(), failure())
    assert first == 0
    assert_backed_off(others)


def assert_backed_off(waits: list[float]) -> None:
    for wait, least in zip(waits, (1, 2, 4, 8), strict=True):
        assert least <= wait <= least + 0.5


def test_wait__has_jitter() -> None:
    """Clients that failed together don't come back together."""
    outcomes = (reply(500), reply(429, WORDS), failure())
    for outcome in outcomes:
        assert len({tuple(waits(default_retry(), outcome)) for _ in range(9)}) == 9


def test_wait__no_longer_than_the_policy_allows() -> None:
    policy = Retry(5, backoff_max=0.01, retry_after_max=7, status_forcelist=[500])
    assert all(wait <= 0.01 for wait in waits(policy, reply(500)))
    assert waits(policy, reply(429, retry_after="7")) == [7] * 5


def test_wait__after_very_many_failures() -> None:
    """A policy without a total backs off without end, but not beyond its bound."""
    retries = Retries(Retry(None, backoff_factor=0.5, backoff_max=5))
    for _ in range(1_030):
        retries = decide(retries, failure()) or retries
    assert retries.attempt == 1_031
    assert retries.wait == 5


@given(st.floats(0, LONGEST_WAIT).map(lambda x: round(x, 3)))
def test_requested_wait__is_never_shortened(seconds: float) -> None:
    for wait in waits(default_retry(), reply(429, retry_after=str(seconds))):
        assert seconds <= wait <= seconds + LONGEST_FIRST


@pytest.mark.parametrize("seconds", ["120.001", "121", "99999"])
def test_requested_wait__beyond_the_cap(seconds: str) -> None:
    assert decide(Retries(default_retry()), reply(429, retry_after=seconds)) is None
    of_callers = Retry(3, retry_after_max=41, status_forcelist=[429])
    assert decide(Retries(of_callers), reply(429, WORDS)) is None


def test_longest_wait() -> None:
    """urllib3's default, six hours, counts as not set."""
    assert longest_wait(default_retry()) == longest_wait(Retry()) == LONGEST_WAIT
    for seconds in (7, 3600):
        assert longest_wait(Retry(retry_after_max=seconds)) == seconds
    assert longest_wait(Retry(retry_after_max=math.inf)) == threading.TIMEOUT_MAX


@pytest.mark.parametrize(
    ("policy", "outcome", "expected"),
    [
        # urllib3's bare policy retries the answers that say for how long to wait.
        (Retry(3), reply(429, retry_after="1"), 3),
        (Retry(3), reply(429, WORDS), 3),
        (Retry(3), reply(500), 0),
        (Retry(3), failure(), 3),
        (Retry(0), failure(), 0),
        (Retry(False), failure(), 0),  # noqa: FBT003 - urllib3's way to say never
        (Retry(None, read=2), failure(), 2),
        (Retry(5, read=False), failure(), 0),
        (Retry(5, connect=1), failure(ConnectTimeoutError("late")), 1),
        (Retry(5, connect=1), failure(), 5),
        (Retry(5, other=2), failure(DecodeError("garbled")), 2),
        (Retry(5, status=1, status_forcelist=[500]), reply(500), 1),
        (Retry(5, allowed_methods=["PUT"], status_forcelist=[500]), reply(500), 0),
        (Retry(5, status_forcelist=[404]), reply(404), 5),
        # Too long a wait, if it were respected.
        (Retry(5, status_forcelist=[429], **DEAF), reply(429, retry_after="999"), 5),
    ],
)
def test_policy__of_the_callers(
    policy: Retry, outcome: RawResponse | Failure, expected: int
) -> None:
    assert len(waits(policy, outcome)) == expected


def test_decide__frees_no_response(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python code runs then, in which a signal handler's exception gets lost."""
    freed: list[HTTPResponse] = []
    monkeypatch.setattr(HTTPResponse, "closed", property(freed.append))
    assert decide(Retries(default_retry()), reply(503))
    assert freed == []


def test_policy__that_looks_at_the_request() -> None:
    """It gets method and URL, as urllib3 would pass them."""

    class Once(Retry):
        def is_retry(self, method: str, status_code: int, *_: Any, **__: Any) -> bool:
            return (method, status_code, self.history) == ("GET", 409, ())

    for outcome in (reply(409), failure()):
        decision = decide(Retries(Once(5)), outcome)
        (past,) = decision.policy.history
        assert (past.method, past.url) == ("GET", PATH)
        assert decide(decision, reply(409)) is None


def test_failure__repr_without_its_error() -> None:
    """The error may echo the key."""
    assert "secret" not in repr(failure(ProtocolError("secret")))
