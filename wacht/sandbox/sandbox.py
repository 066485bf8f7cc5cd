"""
The service on loopback, for demos and for tests: contexts, limits and faults to order.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import attrs

from .data import make_contexts
from .faults import Answer, Fault, Pause, Step, whole
from .orders import FaultOrders
from .server import Server
from .service import REVISIONS, Limits, Revision, listing, refused
from .._render.text import safe_repr

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType
    from typing import Self

    from ..session import Session


@attrs.frozen
class SandboxRequest:
    """
    A request that the sandbox was sent.

    Attributes:
        method: `GET`, or whatever else was tried.
        path: The path, without the query.
        query: The query, decoded; of a repeated key the last value.
        headers: The headers, each name in the form `Content-Type`. The credentials in
            `Authorization` are replaced by `***`.
        at: The arrival, on the clock of `time.monotonic`.
        status: The status answered; None while there is no answer yet, and for good
            where the connection was broken before one was sent.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    at: float
    status: int | None = None


class Sandbox(FaultOrders):
    """
    Wacht's endpoint for execution contexts, served on loopback by this process.

    It serves from the moment it is made until `close`, or the end of a `with` block. A
    pytest fixture takes four lines:

        @pytest.fixture
        def sandbox():
            with Sandbox() as sandbox:
                yield sandbox

    and a test talks to it through a real session, over a real socket:

        def test_report__survives_a_broken_connection(sandbox):
            sandbox.reset(at="body")
            with sandbox.session() as session:
                assert len(list(session.iter_execution_contexts())) == 250
            assert len(sandbox.requests) == 4

    The methods named after faults spoil the next `times` requests, one unless you say
    otherwise. Faults wait in line: each begins where the one before it is used up, so
    nothing gets past one with `times=None`, which lasts until `heal`. A spoilt request
    is recorded and counts against the limits, but its key isn't checked.

    A request beyond a limit is answered with a 429, and doesn't count itself.

    Args:
        contexts: How many believable contexts to invent, the same at every run; or the
            contexts themselves, JSON objects that are served as they are.
        api_key: The only key that is let in.
        revision: Which revision of the endpoint to be. `"page"` takes `page` and
            `per_page`; `"offset"` takes `limit` and `offset`, and echoes them;
            `"offset-without-echo"` is an older build of that, which doesn't.
        per_second: How many requests to let in within any second; None for no limit.
        per_minute: How many requests to let in within any minute; None for no limit.
        port: The port to listen on; 0 for any free one.

    Attributes:
        contexts: The contexts served, newest activity first. Insert, remove or move
            some while a client walks through them: each request sees the list as it
            is then.
        api_key: The key that is let in.
        revision: The revision of the endpoint.
        url: Where it listens, for a session's `base_url`.

    Raises:
        ValueError: The revision is unknown, a limit is below 1, or the number of
            contexts below 0.
        TypeError: Some of the contexts are no JSON objects.
        OSError: The port is taken.
    """

    def __init__(  # noqa: PLR0913 - each is a setting of the service
        self,
        contexts: int | Iterable[Mapping[str, Any]] = 250,
        *,
        api_key: str = "wk_sandbox",
        revision: Revision = "page",
        per_second: int | None = None,
        per_minute: int | None = None,
        port: int = 0,
    ) -> None:
        super().__init__()
        if revision not in REVISIONS:
            raise ValueError(
                f"revision: expected one of {[*REVISIONS]}, got {safe_repr(revision)}"
            )
        if not isinstance(contexts, int):
            contexts = _checked(contexts)
        elif contexts >= 0:
            contexts = make_contexts(contexts, whole=revision != "page")
        else:
            raise ValueError(f"contexts: expected 0 or more, got {contexts}")
        self.contexts: list[Mapping[str, Any]] = list(contexts)
        self.api_key = api_key
        self.revision: Revision = revision
        self._limited = per_second is not None or per_minute is not None
        self._limits = Limits(per_second, per_minute)
        self._requests: list[SandboxRequest] = []
        self._server = Server(port, self._respond)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return (
            f"Sandbox({self.url!r}, contexts={len(self.contexts)}, "
            f"revision={self.revision!r})"
        )

    def close(self) -> None:
        """
        Stop serving and break what is under way; a second time does nothing.
        """
        self._server.close()

    def session(self, **kw: Any) -> Session:
        """
        Return a session that talks to this sandbox.

        It has the sandbox's key and URL. It doesn't pace itself if the sandbox has no
        limits, unless you pass a `throttle`.

        Args:
            **kw: Any other arguments of `wacht.Session`; they win over these.
        """
        from ..session import Session  # noqa: PLC0415 - serving alone needs no client

        defaults: dict[str, Any] = {"api_key": self.api_key, "base_url": self.url}
        if not self._limited:
            defaults["throttle"] = None
        return Session(**(defaults | kw))

    @property
    def requests(self) -> list[SandboxRequest]:
        """
        What the sandbox was sent until now, in order of arrival, refused ones included.

        Each access makes a new list.
        """
        return self._requests.copy()

    def _respond(
        self, method: str, target: str, headers: dict[str, str]
    ) -> Iterator[Step]:
        """
        Play one request: record it on arrival, and the status with the first bytes.
        """
        # The clock is read with the lock held: arrivals are in order, by any measure.
        with self._lock:
            request = _recorded(method, target, headers, time.monotonic())
            number = len(self._requests)
            self._requests.append(request)
            fault, refusal = self._admit(headers, request.at)
        answer = fault.answer or refusal or self._listing(request)
        if self._delay:
            yield Pause(self._delay)
        for step in fault.script(answer):
            if isinstance(step, bytes) and self._requests[number].status is None:
                self._requests[number] = attrs.evolve(request, status=answer.status)
            yield step

    def _admit(
        self, headers: Mapping[str, str], now: float
    ) -> tuple[Fault, Answer | None]:
        """
        Return what happens to a request, and the answer to one that isn't let in.
        """
        if fault := self._take():
            self._limits.count(now)
            return fault, None
        refusal = refused(headers, self.api_key) or self._limits.admit(now)
        return Fault(whole), refusal

    def _listing(self, request: SandboxRequest) -> Answer:
        # A copy, since the list may change under a request that is being answered.
        contexts = self.contexts.copy()
        return listing(
            self.revision, contexts, request.method, request.path, request.query
        )


def _checked(contexts: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    listed = list(contexts)
    for index, context in enumerate(listed):
        if not _is_json_object(context):
            raise TypeError(
                f"contexts[{index}]: expected a JSON object, as to_dict() gives, got "
                f"{safe_repr(context)}"
            )
    return listed


def _is_json_object(value: Any) -> bool:
    try:
        json.dumps(dict(value))
    except (TypeError, ValueError, RecursionError):
        return False
    return isinstance(value, Mapping)


def _recorded(
    method: str, target: str, headers: dict[str, str], at: float
) -> SandboxRequest:
    path, _, query = target.partition("?")
    pairs = dict(parse_qsl(query, keep_blank_values=True))
    return SandboxRequest(method, path, pairs, _without_credentials(headers), at)


def _without_credentials(headers: dict[str, str]) -> dict[str, str]:
    if "Authorization" not in headers:
        return headers
    scheme, space, _ = headers["Authorization"].partition(" ")
    # A lone word may well be the key.
    return headers | {"Authorization": f"{scheme} ***" if space else "***"}
