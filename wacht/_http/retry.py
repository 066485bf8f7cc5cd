"""Whether there is another attempt, and when: `urllib3.Retry` is the policy."""

from __future__ import annotations

import random
from functools import cache
from threading import TIMEOUT_MAX

from attrs import frozen
from urllib3 import HTTPResponse, Retry
from urllib3.exceptions import HTTPError

from wacht._contexts import PATH
from wacht._protocol.replies import RawResponse, retry_after

from .failures import Failure

LONGEST_WAIT = 120  # seconds
# Seconds before the first retry after a 429 or 5xx, for which urllib3 wouldn't wait.
# As much again, at most, is added to a wait that the service asked for.
FIRST_WAIT = (0.25, 0.5)


@frozen
class Retries:
    """The next attempt for one window, and what the policy still allows after it."""

    policy: Retry
    attempt: int = 1  # its number
    wait: float = 0.0  # seconds before it

    @property
    def label(self) -> str:
        """The attempt, in words."""
        total = self.policy.total
        of_total = f" of {self.attempt + total}" if type(total) is int else ""
        return f"attempt {self.attempt}{of_total}"

    def after_too_large(self) -> Retries | None:
        """Return what is left if a smaller window is asked for; None if nothing is."""
        try:
            return Retries(self.policy.increment("GET", PATH), self.attempt + 1)
        except HTTPError:
            return None


class _DefaultRetry(Retry):
    # urllib3 adds 413, but the same GET would be too large again.
    RETRY_AFTER_STATUS_CODES = frozenset({429, 503})


def default_retry() -> Retry:
    """Return a policy of 6 attempts, for 429, every 5xx and broken answers."""
    return _DefaultRetry(
        total=5,
        backoff_factor=0.5,
        backoff_jitter=0.5,
        status_forcelist=frozenset({429, *range(500, 600)}),
    )


def decide(retries: Retries, outcome: RawResponse | Failure) -> Retries | None:
    """Return the next attempt; None if the policy has no more, or it can't help."""
    try:
        if not isinstance(outcome, Failure):
            return _after_reply(retries, outcome)
        if retries.attempt >= outcome.max_attempts:
            return None
        rest = retries.policy.increment("GET", PATH, error=outcome.error)
        return Retries(rest, retries.attempt + 1, _backoff(rest))
    except HTTPError:  # the policy has no more: the error itself, or MaxRetryError
        return None


def _after_reply(retries: Retries, reply: RawResponse) -> Retries | None:
    policy = retries.policy
    requested = requested_wait(policy, reply)
    if not policy.is_retry("GET", reply.status, has_retry_after=requested is not None):
        return None
    if requested is not None and requested > longest_wait(policy):
        return None
    rest = policy.increment("GET", PATH, response=_response(reply.status))
    return Retries(rest, retries.attempt + 1, _retry_delay(rest, requested))


@cache  # a signal handler's exception gets lost while Python frees a response
def _response(status: int) -> HTTPResponse:
    return HTTPResponse(status=status)


def requested_wait(policy: Retry, reply: RawResponse) -> float | None:
    """Return the seconds that the service asks to wait, if the policy respects them."""
    return retry_after(reply) if policy.respect_retry_after_header else None


def _retry_delay(policy: Retry, requested: float | None) -> float:
    jitter = random.uniform(*FIRST_WAIT)  # noqa: S311 - spreads clients, hides nothing
    if requested is not None:
        return max(requested, min(requested + jitter, longest_wait(policy)))
    return max(_backoff(policy), min(jitter, policy.backoff_max))


def _backoff(policy: Retry) -> float:
    try:
        return policy.get_backoff_time()
    except OverflowError:  # it doubles with each failure, and is bounded too late
        return policy.backoff_max


def longest_wait(policy: Retry) -> float:
    # urllib3's default, six hours, counts as not set.
    if policy.retry_after_max == Retry.DEFAULT_RETRY_AFTER_MAX:
        return LONGEST_WAIT
    return min(policy.retry_after_max, TIMEOUT_MAX)
