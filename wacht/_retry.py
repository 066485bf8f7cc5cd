"""
Whether there is another attempt, and when: `urllib3.Retry` as the policy.
"""

from __future__ import annotations

import random
from threading import TIMEOUT_MAX

from attrs import field, frozen
from urllib3 import HTTPResponse, Retry
from urllib3.exceptions import HTTPError

from ._protocol import PATH
from ._reply import Reply, retry_after_of

LONGEST_WAIT = 120  # seconds
# Seconds before the first retry after a 429 or 5xx, where urllib3 would wait for none;
# the same again at the most on top of a wait that the service asked for.
FIRST_WAIT = (0.25, 0.5)


@frozen
class Failure:
    """
    An attempt without a whole answer.

    Attributes:
        reason: What happened, in words.
        error: The same as urllib3 has it, which its policy counts by; None where
            another attempt would end in the same way.
        cause: A copy of the error without the request that it held.
    """

    reason: str
    error: HTTPError | None = field(repr=False)
    cause: Exception


@frozen
class Next:
    """
    What is left of the policy, and the seconds to wait before the next attempt.
    """

    policy: Retry
    wait: float


def default_retry() -> Retry:
    """
    Make the default policy: 6 attempts in all, for 429, every 5xx and broken answers.
    """
    return Retry(
        total=5,
        backoff_factor=0.5,
        backoff_jitter=0.5,
        retry_after_max=LONGEST_WAIT,
        status_forcelist=frozenset({429, *range(500, 600)}),
    )


def next_attempt(policy: Retry, outcome: Reply | Failure) -> Next | None:
    """
    Ask the policy for another attempt after one that failed.

    Returns:
        None where the policy has no more, or where the service asks for a longer wait
        than the policy allows.

    """
    if isinstance(outcome, Failure):
        return _after_failure(policy, outcome)
    return _after_reply(policy, outcome)


def _after_failure(policy: Retry, failure: Failure) -> Next | None:
    if failure.error is None:
        return None
    left = _increment(policy, error=failure.error)
    return None if left is None else Next(left, _backoff(left))


def _after_reply(policy: Retry, reply: Reply) -> Next | None:
    asked = asked_wait(policy, reply)
    if not policy.is_retry("GET", reply.status, has_retry_after=asked is not None):
        return None
    if asked is not None and asked > longest_wait(policy):
        return None
    left = _increment(policy, response=HTTPResponse(status=reply.status))
    return None if left is None else Next(left, _polite_wait(left, asked))


def asked_wait(policy: Retry, reply: Reply) -> float | None:
    """
    Tell how long the service asks to wait, where the policy heeds that.
    """
    return retry_after_of(reply) if policy.respect_retry_after_header else None


def _polite_wait(policy: Retry, asked: float | None) -> float:
    jitter = random.uniform(*FIRST_WAIT)  # noqa: S311 - spreads clients, hides nothing
    if asked is not None:
        return max(asked, min(asked + jitter, longest_wait(policy)))
    return max(_backoff(policy), min(jitter, policy.backoff_max))


def _backoff(policy: Retry) -> float:
    try:
        return policy.get_backoff_time()
    except OverflowError:  # it doubles with each failure, and is bounded too late
        return policy.backoff_max


def longest_wait(policy: Retry) -> float:
    """
    Tell the longest wait of a policy, in seconds.

    urllib3's default for `retry_after_max`, six hours, counts as not set.
    """
    if policy.retry_after_max == Retry.DEFAULT_RETRY_AFTER_MAX:
        return LONGEST_WAIT
    return min(policy.retry_after_max, TIMEOUT_MAX)


def _increment(
    policy: Retry,
    *,
    response: HTTPResponse | None = None,
    error: HTTPError | None = None,
) -> Retry | None:
    try:
        return policy.increment("GET", PATH, response=response, error=error)
    except HTTPError:  # the error itself or MaxRetryError: there is no more
        return None
