"""The sandbox: its settings, its list of contexts, and the requests it has received."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self, get_args
from urllib.parse import parse_qsl

import attrs

from wacht._contexts import PATH
from wacht._http.settings import checked_path
from wacht._text import safe_repr

from .data import make_contexts, make_page_contexts
from .faults import Faults, Script, check_choice, whole
from .server import Action, Pause, Request, Response, Server
from .service import (
    Context,
    Limits,
    SandboxRevision,
    check_endpoint,
    check_host,
    check_key,
    listing,
)

if TYPE_CHECKING:
    from wacht.session import Session


@attrs.define
class SandboxRequest:
    """
    A request that the sandbox received.

    Attributes:
        path: The path, without the query.
        query: The decoded query; of a repeated key, the last value.
        headers: The headers, each name in the form `Content-Type`. The credentials in
            `Authorization` are replaced by `***`.
        at: The time of arrival, from `time.monotonic`.
        status: The status of the answer; None until its first byte is sent.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    at: float
    status: int | None = None


class Sandbox(Faults):
    """
    Wacht's endpoint for execution contexts, served on loopback by this process.

    It serves from construction until `close` or the end of a `with` block:

        >>> from wacht.sandbox import Sandbox
        >>> with Sandbox() as sandbox, sandbox.session() as session:
        ...     sandbox.reset(at="body")
        ...     assert len(list(session.iter_execution_contexts())) == 250
        ...     assert len(sandbox.requests) == 4

    Each fault is a method, and applies to the next `times` requests: 1 by default, None
    for all until `heal`. More faults form a queue. Some happen `at` a place:
    `"request"` is before the answer, `"headers"` and `"body"` are the middle of each. A
    request with a fault is recorded and counts against the limits. One without the key
    gets a 401, and no fault; one beyond a limit gets a 429, and isn't counted. A
    `UserWarning` at `close` names the faults that never came, but for those that `heal`
    dropped.

    Args:
        contexts: How many contexts to make up, the same at every run but for their
            dates, with the fields that the revision has; or the contexts themselves,
            JSON objects that are served as they are.
        api_key: The only key that is accepted.
        revision: The revision of the endpoint. `"page"` takes `page` and `per_page`;
            `"offset"` takes `limit` and `offset`, and echoes them;
            `"offset-without-echo"` is an older build of that, without the echo.
        per_second: How many requests to accept within any second; None for no limit.
        per_minute: How many requests to accept within any minute; None for no limit.
        path: Where the list is.
        port: The port to listen on; 0 for any free one.
        live: Called with the list of contexts after each page that is listed, to
            change it in place: `Changes(active=2, removed=1)`, or your own function.

    Attributes:
        contexts: The contexts. Insert, remove or move some while a client reads them:
            each request sees the list as it is then. The page revision lists them in
            this order: those that the sandbox made up by `created_at`, newest first.
            The offset revisions sort by `last_activity_at`: undated ones, then newest.
        url: Where it listens, for a session's `base_url`.

    Raises:
        ValueError: The revision is unknown, a limit is below 1, the number of contexts
            is below 0, or the path can't be used.
        TypeError: Some of the contexts aren't JSON objects.
        OSError: The port is taken.
    """

    def __init__(  # noqa: PLR0913 - each is a setting of the service
        self,
        contexts: int | Iterable[Context] = 250,
        *,
        api_key: str = "wk_sandbox",
        revision: SandboxRevision = "page",
        per_second: int | None = None,
        per_minute: int | None = None,
        path: str = PATH,
        port: int = 0,
        live: Callable[[list[Context]], object] | None = None,
    ) -> None:
        super().__init__()
        check_choice("revision", revision, get_args(SandboxRevision))
        self.contexts: list[Context] = _contexts(contexts, revision)
        self.api_key = api_key
        self.path: str = checked_path(path)
        self.revision: SandboxRevision = revision
        self._live = live
        self._limits = Limits(per_second, per_minute)
        self._requests: list[SandboxRequest] = []
        self._server = Server(self._respond, port=port)
        self.url: str = self._server.url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: object, *_rest: object) -> None:
        if error:  # which says more than a fault that never came
            self.heal()
        self.close()

    def __repr__(self) -> str:
        return f"Sandbox({self.url!r}, revision={self.revision!r})"

    def close(self) -> None:
        """Stop serving, break all connections, and warn of faults that never came."""
        self._server.close()
        if missed := ", ".join(self._missed_faults()):
            self.heal()
            message = f"faults of the sandbox that never came: {missed}"
            warnings.warn(message, UserWarning, stacklevel=2)

    def session(self, **kw: Any) -> Session:
        """
        Return a session that talks to this sandbox.

        It has the sandbox's key, URL and path. If the sandbox has no limits, it has no
        throttle either. Any argument of `wacht.Session` overrides these.
        """
        from wacht.session import Session  # noqa: PLC0415 - serving needs no client

        defaults: dict[str, Any] = {"base_url": self.url, "path": self.path}
        defaults["api_key"] = self.api_key
        if not self._limits.windows:
            defaults["throttle"] = None
        return Session(**(defaults | kw))

    @property
    def requests(self) -> list[SandboxRequest]:
        """All requests so far in order of arrival, also those that were rejected."""
        return self._requests.copy()

    def _respond(self, request: Request) -> Iterator[Action]:
        # The lock keeps the records in order of arrival.
        with self._lock:
            received = _record(request)
            self._requests.append(received)
            script, answer = self._choose(request, received)
        yield Pause(self._delay)
        for action in script(answer):
            if isinstance(action, bytes):
                received.status = answer.status
            yield action

    def _choose(
        self, request: Request, received: SandboxRequest
    ) -> tuple[Script, Response]:
        """Return an answer and how to send it; call it with the lock held."""
        if rejection := check_host(request.headers.get("Host", "localhost")):
            return whole, rejection
        credentials = request.headers.get("Authorization", "")
        if rejection := check_key(credentials, self.api_key):
            return whole, rejection
        if fault := self._next_fault():
            self._limits.count(received.at)
            script, answer = fault
            return script, answer or self._answer(received)
        rejection = self._limits.admit(received.at)
        return whole, rejection or self._answer(received)

    def _answer(self, request: SandboxRequest) -> Response:
        if rejection := check_endpoint(request.method, request.path, self.path):
            return rejection
        answer = listing(self.revision, self.contexts, request.query)
        if self._live is not None and answer.status == HTTPStatus.OK:
            self._live(self.contexts)
        return answer


def _record(request: Request) -> SandboxRequest:
    path, _, query = request.path.partition("?")
    pairs = dict(parse_qsl(query, keep_blank_values=True))
    headers = {name.title(): value for name, value in request.headers.items()}
    if "Authorization" in headers:
        scheme, space, _ = headers["Authorization"].partition(" ")
        # A single word may be the key.
        headers["Authorization"] = f"{scheme} ***" if space else "***"
    return SandboxRequest(request.command, path, pairs, headers, time.monotonic())


def _contexts(
    contexts: int | Iterable[Context], revision: SandboxRevision
) -> list[Context]:
    if isinstance(contexts, int):
        if contexts < 0:
            raise ValueError(f"contexts: expected 0 or more, got {contexts}")
        make = make_page_contexts if revision == "page" else make_contexts
        return [*make(contexts)]
    listed = list(contexts)
    for index, context in enumerate(listed):
        try:
            json.dumps({**context})
        except (TypeError, ValueError, RecursionError):
            raise TypeError(
                f"contexts[{index}]: expected a JSON object, as to_dict() gives, got "
                f"{safe_repr(context)}"
            ) from None
    return listed
