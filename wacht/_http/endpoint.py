"""The endpoint: send a query until a whole answer has come, and read it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from wacht._protocol.answers import PageResponse, SmallerPageMayHelp, read_answer
from wacht._protocol.replies import RawResponse
from wacht._protocol.revisions import REVISIONS, Query, Revision
from wacht._text import safe_repr
from wacht._waiting import RequestBudget, ThrottleWait, logger
from wacht.errors import RequestError
from wacht.throttle import Throttle, shared_throttle

from .client import HttpClient
from .failures import Failure, clear_frames, failure_of
from .retry import Retries, decide, default_retry, longest_wait, requested_wait
from .timing import ResponseTimer

if TYPE_CHECKING:
    from urllib3 import Retry

    from wacht._http.settings import Settings
    from wacht._protocol.credentials import ApiKey

_READS = 3  # read timeouts that all headers may take, and a whole body


class Endpoint:
    """Ask the service for pages."""

    def __init__(self, settings: Settings, api_key: ApiKey) -> None:
        # The revision that the caller fixed or that an answer showed.
        self.revision: Revision | None = REVISIONS.get(settings.pagination)
        self.fixed = self.revision is not None
        self.service = api_key.service_digest(settings.base_url)
        self._settings = settings
        self._api_key = api_key
        throttle = settings.throttle
        if throttle == "shared":
            throttle = shared_throttle(self.service, api_key)
        self._throttle = throttle
        self._client = HttpClient(settings, api_key)
        self._retry = settings.retry or default_retry()

    def close(self) -> None:
        self._client.close()

    def ask(
        self,
        query: Query,
        budget: RequestBudget,
        retries: Retries | None = None,
        *,
        can_shrink: bool = False,
    ) -> PageResponse:
        """
        Send a query, again if it fails, and read its answer.

        If the caller `can_shrink` its window, and that may help, raise a
        `SmallerPageMayHelp` with the `retries` that are left for it.
        """
        retries = retries or Retries(self._retry)
        try:
            reply, sent = self._send(query, budget, retries, can_shrink=can_shrink)
            is_too_large = reply.truncated_at is not None and can_shrink
            if is_too_large and (rest := sent.after_too_large()):
                raise SmallerPageMayHelp(rest)  # noqa: TRY301 - as the others
            url, key = self._settings.url, self._api_key
            return read_answer(reply, url=url, attempts=sent.attempt, redactor=key)
        except BaseException as error:
            clear_frames(error)
            raise

    def _send(
        self,
        query: Query,
        budget: RequestBudget,
        retries: Retries,
        *,
        can_shrink: bool,
    ) -> tuple[RawResponse, Retries]:
        """Return the last reply, whatever its status, and with which try it came."""
        self._client.check()
        slow = retries.attempt > 1  # once is chance, twice is slow
        # The policy decides, this loop sends. urllib3's own loop sees neither a cut-off
        # body nor the wait that a 429 states in its text. Its attempts enter no slot of
        # the throttle. Its sleep knows no deadline.
        while True:
            outcome = self._attempt(query, budget, retries)
            came = getattr(outcome, "status", outcome.reason)
            logger.debug("GET %s %s: %s", self._settings.path, query, came)
            if isinstance(outcome, Failure):
                budget.remaining()  # it may have failed because time ran out
            elif outcome.succeeded:
                return outcome, retries
            else:
                self._apply_retry_after(retries.policy, outcome)
            following = decide(retries, outcome)
            if following is None:
                return self._result(outcome, retries)
            retries = following
            budget.wait(retries.wait, outcome.reason, retries.label)
            if outcome.slow and slow and can_shrink:
                raise SmallerPageMayHelp(retries)
            slow = outcome.slow

    def _result(
        self, outcome: RawResponse | Failure, retries: Retries
    ) -> tuple[RawResponse, Retries]:
        if isinstance(outcome, RawResponse):
            return outcome, retries
        attempts = retries.attempt
        raise RequestError(
            f"no whole answer from {self._settings.base_url} after "
            f"{attempts} attempt{'s' * (attempts > 1)}: {outcome.reason}",
            attempts,
        ) from outcome.cause

    def _attempt(
        self, query: Query, budget: RequestBudget, retries: Retries
    ) -> RawResponse | Failure:
        wait, throttle = ThrottleWait(budget, retries.label), self._throttle
        attempt = retries.attempt
        try:
            with nullcontext() if throttle is None else throttle.slot(wait) as slot:
                outcome = self._exchange(query, budget, attempt, slot)
        except Exception as error:
            if wait.error is not None:  # a deadline, or the caller's own exception
                raise wait.error  # noqa: B904 - nothing else happened
            # Ours raise nothing themselves: it comes from a signal handler.
            if isinstance(throttle, Throttle | None):
                raise
            message = f"the throttle failed: {safe_repr(error)}"
            raise RequestError(message, attempt - 1) from error
        if isinstance(outcome, RawResponse):
            return outcome
        return failure_of(outcome, self._api_key.redact_text)

    def _exchange(
        self, query: Query, budget: RequestBudget, attempt: int, slot: object
    ) -> RawResponse | Exception:
        """Send the request; keep its exceptions apart from the throttle's."""
        try:
            connect, read = self._settings.timeout
            total, on_sent = budget.remaining(), getattr(slot, "sent", lambda: None)
            timer = ResponseTimer(connect, read, _READS * read, total, on_sent)
            budget.count_request(attempt)
            return self._client.send(query, timer)
        except Exception as error:  # noqa: BLE001 - failure_of raises the caller's
            return error

    def _apply_retry_after(self, policy: Retry, reply: RawResponse) -> None:
        """Make all that share the throttle wait as long as a 429 says."""
        seconds = requested_wait(policy, reply) if reply.rate_limited else None
        pause = getattr(self._throttle, "pause", None)
        if pause and seconds is not None and seconds <= longest_wait(policy):
            pause(seconds)
