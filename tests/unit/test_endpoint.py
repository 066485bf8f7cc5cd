"""The attempt loop, on answers that `responses` mocks as users do in their tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import Mock, call

import pytest
import requests
import responses
from attrs import Factory, define
from responses import matchers
from urllib3 import Retry

import wacht
from wacht._http.endpoint import Endpoint
from wacht._http.timing import ResponseTimer
from wacht._protocol.answers import SmallerPageMayHelp
from wacht._protocol.revisions import REVISIONS
from wacht._waiting import RequestBudget
from wacht.throttle import Slot

URL = "https://api.wacht.dev/ai/execution-contexts"
PAGE = {"data": [{"id": "1"}, {"id": "2"}], "has_more": False}


@pytest.fixture
def service() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as service:
        yield service


def endpoint(throttle: Any = None, **settings: Any) -> Endpoint:
    return wacht.Session("wk_mocked", throttle=throttle, **settings)._endpoint


def ask(asked: Endpoint, **budget: Any) -> list[str | None]:
    budget.setdefault("sleep", lambda _: None)
    answer = asked.ask({"page": "3"}, RequestBudget(**budget))
    return [context.id for context in answer.contexts]


def test_request__is_as_promised(service: responses.RequestsMock) -> None:
    agent = f"wacht/{wacht.__version__} {requests.utils.default_user_agent()}"
    headers = {
        "Authorization": "Bearer wk_mocked",
        "Accept": "application/json",
        "Cache-Control": "no-cache",
        "User-Agent": agent,
    }
    query = {"page": "3", "agent_id": "a&b ü"}
    expected = [matchers.query_param_matcher(query), matchers.header_matcher(headers)]
    service.get(URL, json=PAGE, match=expected)
    assert len(endpoint().ask(query, RequestBudget()).contexts) == 2


def test_retries__of_each_kind(
    service: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    """Each attempt and each wait is one line in the log."""
    caplog.set_level("DEBUG", "wacht")
    waits: list[float] = []
    service.get(URL, status=429, body="Rate limit exceeded. Retry after 42 seconds")
    service.get(URL, status=500)
    service.get(URL, body=requests.ConnectionError("mocked"))
    service.get(URL, json=PAGE)
    assert ask(endpoint(), sleep=waits.append) == ["1", "2"]
    asked, backed_off, also = waits
    assert 42 <= asked < 43
    assert 1 <= backed_off < also
    attempt = "GET /ai/execution-contexts {'page': '3'}"
    assert caplog.messages == [
        f"{attempt}: 429",
        f"waiting {asked:.2f} s before attempt 2 of 6: rate limit (429)",
        f"{attempt}: 500",
        f"waiting {backed_off:.2f} s before attempt 3 of 6: the service answered 500",
        f"{attempt}: the connection broke: mocked",
        f"waiting {also:.2f} s before attempt 4 of 6: the connection broke: mocked",
        f"{attempt}: 200",
    ]


@pytest.mark.parametrize(
    ("error", "policy", "attempts"),
    [
        (requests.ConnectionError("mocked"), Retry(1), "2 attempts: the connection"),
        (requests.ConnectionError("mocked"), Retry(None, read=1), "2 attempts: the "),
        (requests.ConnectionError("mocked"), None, "6 attempts: the connection"),
        (requests.ReadTimeout("stalled"), Retry(0), "1 attempt: "),
        (requests.HTTPError("mocked"), Retry(1), "1 attempt: the request failed"),
    ],
)
def test_retries__end(
    service: responses.RequestsMock, error: Any, policy: Retry | None, attempts: str
) -> None:
    fault = service.get(URL, body=error)
    budget = RequestBudget(sleep=lambda _: None)
    with pytest.raises(wacht.RequestError, match=f"dev after {attempts}") as caught:
        endpoint(retry=policy).ask({}, budget)
    assert caught.value.attempts == fault.call_count == budget.requests
    assert budget.retries == budget.requests - 1
    assert type(caught.value.__cause__) is type(error)


@pytest.mark.parametrize(
    "slow", [{"body": requests.ReadTimeout("slow")}, {"status": 504}]
)
def test_slow__twice_asks_for_a_smaller_page(
    service: responses.RequestsMock, slow: dict[str, Any]
) -> None:
    """Once is chance, and another 5xx isn't slow. It shares what is left to try."""
    faults = [slow, {"status": 500}, slow, slow, {"status": 500}, slow]
    for fault in faults:
        service.get(URL, **fault)
    asked, budget = endpoint(), RequestBudget(sleep=lambda _: None)
    with pytest.raises(SmallerPageMayHelp) as caught:
        asked.ask({}, budget, can_shrink=True)
    retries = caught.value.retries
    assert (budget.requests, retries.label) == (4, "attempt 5 of 6")
    with pytest.raises(wacht.WachtError, match="6 attempts"):
        asked.ask({}, budget, retries)
    assert (budget.requests, budget.retries) == (6, 5)


@pytest.mark.parametrize(("policy", "requests"), [(Retry(0), 1), (Retry(2), 3)])
def test_too_large__asks_for_smaller_pages_while_there_are_retries(
    service: responses.RequestsMock, policy: Retry, requests: int
) -> None:
    """Then the answer's own error counts them all."""
    fault = service.get(URL, json=PAGE)
    asked = endpoint(retry=policy, max_response_bytes=9)
    budget, retries = RequestBudget(), None
    for _ in range(requests - 1):
        with pytest.raises(SmallerPageMayHelp) as caught:
            asked.ask({}, budget, retries, can_shrink=True)
        retries = caught.value.retries
    with pytest.raises(wacht.DecodeError, match="at most 9 bytes"):
        asked.ask({}, budget, retries, can_shrink=True)
    assert fault.call_count == budget.requests == requests
    with pytest.raises(wacht.DecodeError):
        asked.ask({}, budget)


def test_deadline__passes_in_an_attempt(service: responses.RequestsMock) -> None:
    """A failure doesn't count if it comes after the deadline, even the last one."""
    clock = iter([0.0, 4.0, 5.0])
    service.get(URL, body=requests.ConnectionError("mocked"))
    with pytest.raises(wacht.DeadlineExceededError):
        ask(endpoint(retry=Retry(0)), deadline=5, clock=lambda: next(clock))


@define
class Throttle:
    """A caller's throttle, which fails at some place."""

    error: Exception | None = None
    late: bool = False
    given: Any = None
    pause: Any = Factory(Mock)

    @contextmanager
    def slot(self, sleep: Callable[[float], None]) -> Iterator[Any]:
        if self.error and not self.late:
            raise self.error
        sleep(50)
        yield self.given
        if self.error:
            raise self.error


@pytest.mark.parametrize("late", [False, True])
def test_throttle__that_fails(service: responses.RequestsMock, *, late: bool) -> None:
    """A dead Redis or a locked SQLite is an error of ours, with its cause."""
    service.assert_all_requests_are_fired = False
    service.get(URL, json=PAGE)
    error = OSError("database is locked")
    with pytest.raises(wacht.RequestError) as caught:
        ask(endpoint(Throttle(error, late=late)))
    assert str(caught.value) == f"the throttle failed: {error!r}"
    assert caught.value.attempts == 0
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("slot", [object(), Mock()])
def test_throttle__is_told_when_a_request_was_sent(
    slot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If its slot has that method. Headers and a body may each take three reads."""

    def send(_query: object, timer: ResponseTimer) -> None:
        assert (timer.connect, timer.read, timer.whole) == (5, 30, 90)
        timer.on_sent()
        raise requests.ConnectionError("mocked")

    asked = endpoint(Throttle(given=slot), timeout=(5, 30), retry=Retry(0))
    monkeypatch.setattr(asked._client, "send", send)
    with pytest.raises(wacht.RequestError, match="mocked"):
        ask(asked)
    assert type(slot) is object or slot.mock_calls == [call.sent()]


@pytest.mark.parametrize("pagination", ["auto", "page", "offset"])
def test_revision__fixed_by_the_setting(pagination: Any) -> None:
    asked = endpoint(pagination=pagination)
    assert asked.fixed is (pagination != "auto")
    assert asked.revision is REVISIONS.get(pagination)


def test_throttle__error_of_its_wait_is_not_its_own() -> None:
    def interrupt(_seconds: float) -> None:
        raise TimeoutError("alarm")

    with pytest.raises(TimeoutError, match="alarm"):
        ask(endpoint(Throttle()), sleep=interrupt)
    with pytest.raises(wacht.DeadlineExceededError, match="would pass during a wait"):
        ask(endpoint(Throttle()), deadline=40)


def test_throttle__of_ours_raises_only_what_a_signal_handler_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = RuntimeError("time is up")

    def interrupted(*_: Any) -> None:
        raise error

    monkeypatch.setattr(Slot, "__exit__", interrupted)
    with pytest.raises(RuntimeError) as caught:
        ask(endpoint(wacht.Throttle()), sleep=pytest.fail)
    assert caught.value is error


def test_throttle__pauses_as_long_as_a_429_says(
    service: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    """Not if nobody will wait that long."""
    caplog.set_level("INFO", "wacht")
    throttle = Throttle()
    service.get(URL, status=429, body="Retry after 7 seconds")
    service.get(URL, status=429, body="Retry after 120 seconds")
    service.get(URL, status=429)
    service.get(URL, status=429, body="Retry after 999 seconds")
    with pytest.raises(wacht.RateLimitError) as caught:
        ask(endpoint(throttle))
    assert caught.value.attempts == 4
    assert throttle.pause.mock_calls == [call(7), call(120)]
    waits = [line for line in caplog.messages if line.endswith(": rate limit")]
    assert waits[1] == "waiting 50.00 s before attempt 2 of 6: rate limit"


def test_fork__opens_new_connections(
    service: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.get(URL, json=PAGE)
    asked = endpoint()
    ask(asked)
    client = asked._client
    before = client._http
    monkeypatch.setattr("os.getpid", lambda: -1)
    ask(asked)
    assert client._http is not before


def test_fork__refuses_the_callers_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parent and child would get each other's pages; a new session changes nothing."""
    with requests.Session() as http:
        asked = endpoint(http=http)
        monkeypatch.setattr("os.getpid", lambda: -1)
        for use in (lambda: ask(asked), lambda: endpoint(http=http)):
            with pytest.raises(
                wacht.ConfigError, match=r"make a new requests\.Session"
            ):
                use()
