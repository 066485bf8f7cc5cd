"""
The attempt loop: send a request until a whole answer has come.
"""

from __future__ import annotations

import itertools
import os
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import requests

from .._protocol.answers import TooLargeError
from .._protocol.replies import Reply
from .._render.text import safe_repr
from .._settings import is_loopback
from .._version import __version__
from .._waiting import ThrottleWait, logger
from ..errors import ConfigError, RequestError
from .body import ACCEPTED, BodyReader
from .connections import ResponseTimer, TimedAdapter
from .failures import Failure, failure_of
from .retry import decide, default_retry, longest_wait, requested_wait

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from urllib3 import Retry

    from .._protocol.revisions import Query
    from .._settings import Settings
    from .._waiting import RequestBudget
    from ..throttle import SupportsSlot
    from .credentials import ApiKey

PATH = "/ai/execution-contexts"

_READS = 3  # read timeouts that all headers may take, and a whole body
_POOL_SIZE = 100  # connections; as many as a walk may request pages ahead


class Transport:
    """
    Send requests, each until it is answered in full or the policy gives up.

    Args:
        settings: The session's settings.
        api_key: The key.
        throttle: Paces the requests.

    """

    def __init__(
        self, settings: Settings, api_key: ApiKey, throttle: SupportsSlot
    ) -> None:
        self._settings = settings
        self._api_key = api_key
        self._throttle = throttle
        self._http = settings.http or _open_http()
        self._process = os.getpid()
        self.retry = settings.retry or default_retry()

    def close(self) -> None:
        """
        Close the connections, unless they are the caller's.
        """
        if self._settings.http is None:
            self._http.close()

    def get(
        self, query: Query, budget: RequestBudget, policy: Retry
    ) -> tuple[Reply, int]:
        """
        Ask until the answer is whole, as long as policy and budget allow.

        Returns:
            The last reply, whatever its status, and the number of attempts.

        Raises:
            RequestError: No attempt brought a whole answer.
            TooLargeError: The same, and a smaller page may succeed.
            DeadlineExceededError: The budget's deadline passed.

        """
        label = partial(_label, policy.total)
        for attempt in itertools.count(1):
            outcome = self._attempt(query, budget, attempt, label(attempt))
            self._apply_retry_after(policy, outcome)
            if isinstance(outcome, Failure):
                budget.remaining()  # it may have failed because time ran out
            elif outcome.succeeded:
                return outcome, attempt
            decision = decide(policy, outcome, attempt)
            if decision is None:
                return self._result(outcome, attempt)
            policy = decision.policy
            budget.wait(decision.wait, _reason(outcome), label(attempt + 1))
        raise AssertionError  # pragma: no cover - counting doesn't end

    def _result(self, outcome: Reply | Failure, attempts: int) -> tuple[Reply, int]:
        if isinstance(outcome, Reply):
            return outcome, attempts
        error = RequestError(
            f"no whole answer from {self._settings.base_url} after "
            f"{attempts} attempt{'s' * (attempts > 1)}: {outcome.reason}",
            attempts,
        )
        error.__cause__ = outcome.cause
        raise TooLargeError(error) if outcome.slow else error

    def _attempt(
        self, query: Query, budget: RequestBudget, attempt: int, label: str
    ) -> Reply | Failure:
        with _slot(self._throttle, ThrottleWait(budget, label)) as slot:
            timer = self._timer(budget.remaining(), slot)
            budget.count_request(attempt)
            try:
                return self._exchange(query, timer)
            except Exception as error:  # noqa: BLE001 - failure_of raises the caller's
                failed = error
        try:
            failure = failure_of(failed, self._api_key.redact_text)
        finally:
            del failed  # its traceback leads back to here
        logger.debug("GET %s %s: %s", PATH, query, failure.reason)
        return failure

    def _timer(self, remaining: float, slot: object) -> ResponseTimer:
        connect, read = self._settings.timeout
        return ResponseTimer(
            connect=connect,
            read=read,
            whole=_READS * read,
            remaining=remaining,
            on_sent=getattr(slot, "sent", _noop),
        )

    def _exchange(self, query: Query, timer: ResponseTimer) -> Reply:
        self._reopen_after_fork()
        template, environment = self._shared_parts()
        prepared = self._prepared(template, query)
        reader = BodyReader(self._settings.max_response_bytes, timer)
        prepared.hooks["response"].append(reader)
        with timer.active():
            response = self._send(prepared, timer.timeout, environment)
            reply = reader.reply or reader.read(response)
        logger.debug("GET %s %s: %d", PATH, query, reply.status)
        return reply

    def _reopen_after_fork(self) -> None:
        """
        Use connections of our own in the child of a fork.

        On connections shared with the parent, each would get the other's pages.
        """
        if self._process == os.getpid():
            return
        if self._settings.http is not None:
            raise ConfigError(
                "this process is a fork and shares the connections of your http "
                "session with its parent: make a new requests.Session and Session here"
            )
        self._http, self._process = _open_http(), os.getpid()
        self.__dict__.pop("_own_parts", None)

    def _prepared(
        self, template: requests.PreparedRequest, query: Query
    ) -> requests.PreparedRequest:
        prepared = template.copy()
        prepared.hooks = {event: [*hooks] for event, hooks in prepared.hooks.items()}
        if query:  # requests' own way to add it takes a twentieth of a page's time
            url = prepared.url or ""
            prepared.url = f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"
        prepared.headers["Authorization"] = self._api_key.authorization()
        return prepared

    def _shared_parts(self) -> tuple[requests.PreparedRequest, Mapping[str, Any]]:
        # A caller may change its own session at any time.
        return self._own_parts if self._settings.http is None else self._prepare_parts()

    @cached_property
    def _own_parts(self) -> tuple[requests.PreparedRequest, Mapping[str, Any]]:
        return self._prepare_parts()

    def _prepare_parts(self) -> tuple[requests.PreparedRequest, Mapping[str, Any]]:
        """
        Prepare what all requests share: everything but the query and the key.
        """
        headers = {"Accept": "application/json", "Accept-Encoding": ACCEPTED}
        headers |= _user_agent(self._http)
        url = self._settings.base_url + PATH
        request = requests.Request("GET", url, headers=headers, auth=_no_other_auth)
        return self._http.prepare_request(request), self._environment()

    def _environment(self) -> Mapping[str, Any]:
        """
        Find proxies and the CA bundle, in the session and in the environment.

        Requests to this machine never use a proxy: over plain http, the key would
        leave the machine unencrypted.
        """
        host = urlsplit(self._settings.base_url).hostname or ""
        return self._http.merge_environment_settings(
            self._settings.base_url,
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
            # A caller's hook raised for the status, which we report ourselves.
            if error.response is None or error.response.ok:
                raise
            return error.response

    def _apply_retry_after(self, policy: Retry, outcome: Reply | Failure) -> None:
        """
        Make all that share the throttle wait as long as a 429 says.
        """
        if not isinstance(outcome, Reply) or not outcome.rate_limited:
            return
        seconds = requested_wait(policy, outcome) or 0.0
        if seconds <= longest_wait(policy):
            getattr(self._throttle, "pause", _noop)(seconds)


@contextmanager
def _slot(throttle: SupportsSlot, wait: ThrottleWait) -> Generator[object]:
    """
    Hold a slot of a throttle, which may be the caller's and may fail.
    """
    inside: BaseException | None = None
    try:
        with throttle.slot(wait) as slot:
            try:
                yield slot
            except BaseException as error:
                inside = error
                raise
    except Exception as error:
        if error is inside or error is wait.error:
            raise
        raise RequestError(f"the throttle failed: {safe_repr(error)}") from error


def _open_http() -> requests.Session:
    """
    Open a session of requests that retries nothing, for use by many threads.
    """
    http = requests.Session()
    for scheme in ("https://", "http://"):
        http.mount(scheme, TimedAdapter(pool_maxsize=_POOL_SIZE))
    return http


def _user_agent(http: requests.Session) -> dict[str, str]:
    """
    Return our user agent, unless the caller's session has its own.
    """
    default = requests.utils.default_user_agent()
    headers = requests.structures.CaseInsensitiveDict(http.headers)
    if headers.get("User-Agent", default) not in ("", default):
        return {}
    return {"User-Agent": f"wacht/{__version__} {default}"}


def _no_other_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """
    Keep the auth of a session or a `.netrc` away from a request.
    """
    return request


def _noop(*_: object) -> None:
    pass


def _label(total: object, attempt: int) -> str:
    if not isinstance(total, int) or isinstance(total, bool):
        return f"attempt {attempt}"
    return f"attempt {attempt} of {total + 1}"


def _reason(outcome: Reply | Failure) -> str:
    if isinstance(outcome, Failure):
        return outcome.reason
    if outcome.rate_limited:
        return "rate limit (429)"
    return f"the service answered {outcome.status}"
