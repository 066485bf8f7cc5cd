"""
The policy: which outcome is followed by another attempt, and after how long.
"""

from __future__ import annotations

import math
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import Retry
from urllib3.exceptions import ConnectTimeoutError, DecodeError, ProtocolError

from wacht._protocol import PATH
from wacht._reply import Reply
from wacht._retry import (
    FIRST_WAIT,
    LONGEST_WAIT,
    Failure,
    asked_wait,
    default_retry,
    longest_wait,
    next_attempt,
)

SHORTEST, LONGEST_FIRST = FIRST_WAIT
WORDS = b"Rate limit exceeded. Retry after 42 seconds"


def reply(status: int, body: bytes = b"", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, headers=named, body=body, received=datetime.now(UTC))


def failure(error: Any = None) -> Failure:
    return Failure("it broke", error or ProtocolError("it broke"), ValueError("no"))


def waits(policy: Retry, outcome: Reply | Failure) -> list[float]:
    """List the waits between attempts that all end in the same way."""
    found: list[float] = []
    following = next_attempt(policy, outcome)
    while following is not None:
        found.append(following.wait)
        following = next_attempt(following.policy, outcome)
    return found


ANSWERS = [429, 500, 501, 502, 503, 504, 520, 599]
FAILURES = [
    failure(ProtocolError("reset")),
    failure(ConnectTimeoutError("late")),
    failure(DecodeError("garbled")),
]


@pytest.mark.parametrize("outcome", [*map(reply, ANSWERS), *FAILURES])
def test_default__six_attempts(outcome: Reply | Failure) -> None:
    """By default there are five more attempts for whatever may pass."""
    assert len(waits(default_retry(), outcome)) == 5


@pytest.mark.parametrize("status", [100, 301, 302, 400, 401, 403, 404, 409, 413, 600])
def test_default__what_will_not_pass(status: int) -> None:
    """What the service refuses for good is not asked again."""
    assert waits(default_retry(), reply(status)) == []


def test_default__what_another_attempt_would_not_change() -> None:
    """A failure without an error for the policy is the last one."""
    assert waits(default_retry(), Failure("no", None, ValueError("no"))) == []


@pytest.mark.parametrize("status", ANSWERS)
def test_wait__after_an_answer_is_never_none(status: int) -> None:
    """The service gets a pause after each error, the first included."""
    first, *others = waits(default_retry(), reply(status))
    assert SHORTEST <= first <= LONGEST_FIRST
    assert all(wait >= 1 for wait in others)


def test_wait__after_a_failure() -> None:
    """A broken connection is tried anew at once, and from then on with a back-off."""
    first, *others = waits(default_retry(), failure())
    assert first == 0
    assert [1 <= others[0] <= 1.5, others == sorted(others)] == [True, True]


def test_wait__has_jitter() -> None:
    """Clients that failed together do not come back together."""
    outcomes = (reply(500), reply(429, WORDS), failure())
    for outcome in outcomes:
        assert len({tuple(waits(default_retry(), outcome)) for _ in range(9)}) == 9


def test_wait__no_longer_than_the_policy_allows() -> None:
    """Our jitter goes no further than the policy's own bounds."""
    policy = Retry(5, backoff_max=0.01, retry_after_max=7, status_forcelist=[500])
    assert all(wait <= 0.01 for wait in waits(policy, reply(500)))
    assert waits(policy, reply(429, retry_after="7")) == [7] * 5


def test_wait__after_very_many_failures() -> None:
    """A policy without a total backs off for ever, and no further than its bound."""
    policy = Retry(None, backoff_factor=0.5, backoff_max=5)
    for _ in range(1_030):
        following = next_attempt(policy, failure())
        assert following is not None
        policy = following.policy
    assert following.wait == 5


@given(st.floats(0, LONGEST_WAIT).map(lambda x: round(x, 3)))
def test_asked_wait__is_never_shortened(seconds: float) -> None:
    """What the service asks for is waited in full, and little longer."""
    for wait in waits(default_retry(), reply(429, retry_after=str(seconds))):
        assert seconds <= wait <= seconds + LONGEST_FIRST


def test_asked_wait__in_words() -> None:
    """A 429 that says its wait in the body alone is heeded as well."""
    following = next_attempt(default_retry(), reply(429, WORDS))
    assert following is not None
    assert following.wait >= 42


@pytest.mark.parametrize("seconds", ["120.001", "121", "99999"])
def test_asked_wait__beyond_the_cap(seconds: str) -> None:
    """Nobody waits longer than the policy allows: there is no further attempt."""
    assert next_attempt(default_retry(), reply(429, retry_after=seconds)) is None


@pytest.mark.parametrize(
    ("policy", "cap"),
    [
        (default_retry(), LONGEST_WAIT),
        (Retry(), LONGEST_WAIT),  # urllib3's own six hours count as not set
        (Retry(retry_after_max=7), 7),
        (Retry(retry_after_max=3600), 3600),
        (Retry(retry_after_max=math.inf), threading.TIMEOUT_MAX),
    ],
)
def test_longest_wait(policy: Retry, cap: float) -> None:
    """The policy sets the cap."""
    assert longest_wait(policy) == cap


def test_policy__that_does_not_respect_retry_after() -> None:
    """A policy that wants to ignore what the service asks for does so."""
    policy = Retry(5, status_forcelist=[429], respect_retry_after_header=False)
    asks = reply(429, retry_after="60")
    assert asked_wait(policy, asks) is None
    first, *_ = waits(policy, asks)
    assert first < 1


def test_policy__without_a_list() -> None:
    """A bare policy of urllib3 retries the answers that say for how long to wait."""
    policy = Retry(3)
    assert len(waits(policy, reply(429, retry_after="1"))) == 3
    assert len(waits(policy, reply(429, WORDS))) == 3
    assert waits(policy, reply(500)) == []
    assert len(waits(policy, failure())) == 3


@pytest.mark.parametrize(
    ("policy", "outcome", "expected"),
    [
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
    ],
)
def test_policy__of_the_callers(
    policy: Retry, outcome: Reply | Failure, expected: int
) -> None:
    """Each of urllib3's counters counts what it is for."""
    assert len(waits(policy, outcome)) == expected


class Watching(Retry):
    """A policy of the caller's that decides for itself."""

    def is_retry(self, method: str, status_code: int, *_: Any, **__: Any) -> bool:
        """Retry what stands in no list, once."""
        return (method, status_code, self.history) == ("GET", 409, ())


def test_policy__that_looks_at_the_request() -> None:
    """A policy is told what was asked for, as urllib3 would tell it."""
    following = next_attempt(Watching(5), reply(409))
    assert following is not None
    assert [(past.method, past.url) for past in following.policy.history] == [
        ("GET", PATH)
    ]
    assert next_attempt(following.policy, reply(409)) is None


def test_default__longest_wait() -> None:
    """Whoever prints the policy of a session sees the cap that it keeps to."""
    assert default_retry().retry_after_max == LONGEST_WAIT


def test_failure__shows_nothing_of_its_error() -> None:
    """What a debugger shows of a failure is our words, not the wire's."""
    assert "secret" not in repr(failure(ProtocolError("secret")))
