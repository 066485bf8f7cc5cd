"""
The wire: one loop for every attempt, each with its whole answer.
"""

from __future__ import annotations

import itertools
import os
from contextlib import nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import requests
from urllib3 import Retry

from . import __version__
from ._body import ACCEPTED, BodyReader
from ._connection import Exchange, TimedAdapter
from ._failures import failure_of
from ._protocol import PATH
from ._reply import Reply
from ._retry import (
    Failure,
    asked_wait,
    default_retry,
    longest_wait,
    next_attempt,
)
from ._settings import MAX_PREFETCH, check_kind, is_loopback
from ._waiting import Pacing, logger
from .errors import RequestError
from .throttle import Slot, Throttle

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from ._protocol import Query
    from ._secret import Secret
    from ._waiting import Watch
    from .throttle import SupportsSlot

_PATIENCE = 3  # read timeouts that all headers may take, and a whole body


def _open_http() -> requests.Session:
    """
    Open a session of requests that many threads can use and that retries nothing.
    """
    http = requests.Session()
    for scheme in ("https://", "http://"):
        http.mount(scheme, TimedAdapter(pool_maxsize=MAX_PREFETCH))
    return http


def _user_agent(http: requests.Session) -> dict[str, str]:
    """
    Name ourselves, unless the caller's session has a name of its own.
    """
    default = requests.utils.default_user_agent()
    if http.headers.get("User-Agent", default) not in ("", default):
        return {}
    return {"User-Agent": f"wacht/{__version__} {default}"}


class Transport:
    """
    Send requests until one is answered in full, as far as the policy goes.

    Args:
        base_url: Where to.
        secret: The key.
        http: The caller's session of requests; None to open one.
        timeout: Seconds, (connect, read).
        retry: The caller's policy; None for the default.
        throttle: Paces the requests; None for no pacing.
        max_response_bytes: The longest body to accept, unpacked.

    Raises:
        ConfigError: `http` or `retry` is something else.

    """

    def __init__(  # noqa: PLR0913 - all that a session settles, by name
        self,
        *,
        base_url: str,
        secret: Secret,
        http: requests.Session | None,
        timeout: tuple[float, float],
        retry: Retry | None,
        throttle: SupportsSlot | None,
        max_response_bytes: int,
    ) -> None:
        check_kind("http", http, requests.Session)
        check_kind("retry", retry, Retry)
        self._own = http is None
        self._process = os.getpid()
        self._http = _open_http() if http is None else http
        self._base_url = base_url
        self._secret = secret
        self._timeout = timeout
        self._retry = default_retry() if retry is None else retry
        self._throttle = throttle
        self._max_bytes = max_response_bytes

    def close(self) -> None:
        """
        Close the connections, unless they are the caller's.
        """
        if self._own:
            self._http.close()

    def get(self, query: Query, watch: Watch) -> tuple[Reply, int]:
        """
        Ask, and ask again as long as the policy and the watch allow.

        Returns:
            The last reply, whatever its status, and the number of attempts.

        Raises:
            RequestError: No attempt brought a whole answer.
            DeadlineExceededError: The watch's deadline passed.

        """
        policy = self._retry
        for attempt in itertools.count(1):
            outcome = self._attempt(query, watch, attempt)
            self._heed(outcome)
            if isinstance(outcome, Failure):
                watch.remaining()  # it may have failed for want of time
            following = None if _succeeded(outcome) else next_attempt(policy, outcome)
            if following is None:
                return self._settled(outcome, attempt)
            policy = following.policy
            watch.wait(following.wait, _reason(outcome), self._label(attempt + 1))
        raise AssertionError  # pragma: no cover - counting does not end

    def _settled(self, outcome: Reply | Failure, attempts: int) -> tuple[Reply, int]:
        if isinstance(outcome, Reply):
            return outcome, attempts
        raise RequestError(
            f"no whole answer from {self._base_url} after {_times(attempts)}: "
            f"{outcome.reason}",
            attempts,
        ) from outcome.cause

    def _attempt(self, query: Query, watch: Watch, attempt: int) -> Reply | Failure:
        with self._slot(watch, attempt) as slot:
            remaining = watch.remaining()
            watch.count_request(attempt)
            try:
                return self._exchange(query, remaining, slot)
            except Exception as error:  # noqa: BLE001 - adapters raise what they like
                broken = error.with_traceback(None)  # that would lead back to here
        failure = failure_of(broken, self._secret.redact_text)
        logger.debug("GET %s %s: %s", PATH, query, failure.reason)
        return failure

    def _slot(self, watch: Watch, attempt: int) -> AbstractContextManager[object]:
        if self._throttle is None:
            return nullcontext()
        return self._throttle.slot(Pacing(watch, self._label(attempt)))

    def _exchange(self, query: Query, remaining: float, slot: object) -> Reply:
        if self._own and self._process != os.getpid():
            # On connections that it shares with its parent, a child of a fork would
            # get the parent's pages.
            self._http, self._process = _open_http(), os.getpid()
        template, environment = self._worked_out if self._own else self._work_out()
        prepared = self._prepared(template, query)
        connect, read = (min(seconds, remaining) for seconds in self._timeout)
        exchange = Exchange(
            read=read,
            whole=_PATIENCE * read,
            remaining=remaining,
            on_sent=slot.sent if isinstance(slot, Slot) else _nobody_asks,
        )
        reader = BodyReader(self._max_bytes, exchange)
        prepared.hooks["response"].append(reader)
        with exchange.under_way():
            response = self._send(prepared, (connect, read), environment)
            reply = reader.reply or reader.read(response)
        logger.debug("GET %s %s: %d", PATH, query, reply.status)
        return reply

    def _prepared(
        self, template: requests.PreparedRequest, query: Query
    ) -> requests.PreparedRequest:
        prepared = template.copy()
        prepared.hooks = {event: [*hooks] for event, hooks in prepared.hooks.items()}
        if query:  # requests' own way of adding it takes a twentieth of a page
            url = prepared.url or ""
            prepared.url = f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"
        prepared.headers["Authorization"] = f"Bearer {self._secret.reveal()}"
        return prepared

    @cached_property
    def _worked_out(self) -> tuple[requests.PreparedRequest, Mapping[str, Any]]:
        """
        The same for each request on a session of our own, that nobody else changes.
        """
        return self._work_out()

    def _work_out(self) -> tuple[requests.PreparedRequest, Mapping[str, Any]]:
        """
        Work out what requests have in common: all but query and key.
        """
        headers = {"Accept": "application/json", "Accept-Encoding": ACCEPTED}
        headers |= _user_agent(self._http)
        url = self._base_url + PATH
        request = requests.Request("GET", url, headers=headers, auth=_no_other_auth)
        return self._http.prepare_request(request), self._environment()

    def _environment(self) -> Mapping[str, Any]:
        """
        Find proxies and CA bundle, in the session and in the environment.

        What goes to this machine goes there directly, whatever proxy the environment
        names: over plain http the key would leave the machine in the clear.
        """
        host = urlsplit(self._base_url).hostname or ""
        return self._http.merge_environment_settings(
            self._base_url,
            {"no_proxy": host} if is_loopback(host) else {},
            True,  # noqa: FBT003 - its own signature
            None,
            None,
        )

    def _send(
        self,
        prepared: requests.PreparedRequest,
        timeout: tuple[float, float],
        environment: Mapping[str, Any],
    ) -> requests.Response:
        try:
            return self._http.send(
                prepared, timeout=timeout, allow_redirects=False, **environment
            )
        except requests.HTTPError as error:
            # Hooks like to raise for a status; what it says is said better by us.
            if error.response is None or error.response.ok:
                raise
            return error.response

    def _heed(self, outcome: Reply | Failure) -> None:
        """
        Make all who share our throttle wait as long as a 429 says.
        """
        if not isinstance(outcome, Reply) or not outcome.rate_limited:
            return
        asked = asked_wait(self._retry, outcome) or 0.0
        if asked <= longest_wait(self._retry) and isinstance(self._throttle, Throttle):
            self._throttle.pause(asked)

    def _label(self, attempt: int) -> str:
        total = self._retry.total
        if not isinstance(total, int):
            return f"attempt {attempt}"
        return f"attempt {attempt} of {total + 1}"


def _no_other_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """
    Keep the auth of a session or a `.netrc` away from a request.
    """
    return request


def _nobody_asks() -> None:
    """
    Take the news that a request is sent, where no throttle needs it.
    """


def _succeeded(outcome: Reply | Failure) -> bool:
    return isinstance(outcome, Reply) and outcome.succeeded


def _reason(outcome: Reply | Failure) -> str:
    if isinstance(outcome, Failure):
        return outcome.reason
    if outcome.rate_limited:
        return "rate limit (429)"
    return f"the service answered {outcome.status}"


def _times(attempts: int) -> str:
    return "1 attempt" if attempts == 1 else f"{attempts} attempts"
