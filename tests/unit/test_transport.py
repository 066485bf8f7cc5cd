"""
A session without a network: mocked with `responses`, as users do in tests of theirs.
"""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
import requests
import responses
from responses import matchers
from urllib3 import Retry

import wacht
from wacht import _waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

URL = "https://api.wacht.dev/ai/execution-contexts"
PAGE = {"data": [{"id": "1"}, {"id": "2"}], "has_more": False}


@pytest.fixture
def service() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as service:
        yield service


@pytest.fixture
def session() -> Iterator[wacht.Session]:
    with wacht.Session("wk_mocked", throttle=None) as session:
        yield session


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Do not wait, and list for how long."""
    waits: list[float] = []

    def listing(*_args: Any, **settings: Any) -> _waiting.Watch:
        return _waiting.Watch(sleep=waits.append)

    monkeypatch.setattr("wacht.session.Watch", listing)
    return waits


def test_responses__page(
    service: responses.RequestsMock, session: wacht.Session
) -> None:
    """A mocked answer is a page, and the mock sees the request as it is."""
    service.get(
        URL,
        json=PAGE,
        match=[
            matchers.query_param_matcher({"page": 3, "agent_id": "a&b"}),
            matchers.header_matcher({"Authorization": "Bearer wk_mocked"}),
        ],
    )
    page = session.fetch_execution_contexts(page=3, agent_id="a&b")
    assert [context.id for context in page] == ["1", "2"]


def test_responses__walk(
    service: responses.RequestsMock, session: wacht.Session
) -> None:
    """A walk over mocked pages takes them in their order."""
    service.get(URL, json=PAGE | {"has_more": True})
    service.get(URL, json={"data": [{"id": "3"}], "has_more": False})
    contexts = session.iter_execution_contexts()
    assert [context.id for context in contexts] == ["1", "2", "3"]


def test_responses__packed(
    service: responses.RequestsMock, session: wacht.Session
) -> None:
    """A mocked answer may be packed."""
    body = gzip.compress(json.dumps(PAGE).encode())
    service.get(URL, body=body, headers={"Content-Encoding": "gzip"})
    assert len(session.fetch_execution_contexts()) == 2


def test_responses__errors(
    service: responses.RequestsMock, session: wacht.Session
) -> None:
    """A mocked refusal is the typed error that it would be."""
    service.get(URL, status=403, body="Permission denied for this resource")
    with pytest.raises(wacht.PermissionDeniedError, match="Permission denied"):
        session.fetch_execution_contexts()


def test_responses__retries(
    service: responses.RequestsMock, session: wacht.Session, waits: list[float]
) -> None:
    """Mocked faults are retried, as the default policy has it."""
    service.get(URL, status=429, body="Rate limit exceeded. Retry after 42 seconds")
    service.get(URL, status=500)
    service.get(URL, body=requests.ConnectionError("mocked"))
    service.get(URL, json=PAGE)
    assert len(session.fetch_execution_contexts()) == 2
    asked, backed_off, also = waits
    assert 42 <= asked < 43
    assert 1 <= backed_off < also


def test_responses__for_ever(
    service: responses.RequestsMock, session: wacht.Session, waits: list[float]
) -> None:
    """By default there are six attempts, and the error says so."""
    fault = service.get(URL, status=503)
    with pytest.raises(wacht.ServerError, match="after 6 attempts") as caught:
        session.fetch_execution_contexts()
    assert caught.value.attempts == fault.call_count == 6
    assert len(waits) == 5


def test_responses__nothing_mocked(session: wacht.Session, waits: list[float]) -> None:
    """What is not mocked is refused by the mock, and ends in an error of ours."""
    with responses.RequestsMock(), pytest.raises(wacht.RequestError, match="refused"):
        session.fetch_execution_contexts()


def test_connections__in_the_child_of_a_fork(
    service: responses.RequestsMock,
    session: wacht.Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A child opens its own: on its parent's it would get the parent's pages."""
    service.get(URL, json=PAGE)
    session.fetch_execution_contexts()
    of_the_parent = session._transport._http
    monkeypatch.setattr("os.getpid", lambda: 1)
    session.fetch_execution_contexts()
    of_the_child = session._transport._http
    session.fetch_execution_contexts()
    assert session._transport._http is of_the_child is not of_the_parent


def test_log__of_a_policy_without_a_total(
    service: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    """Where a policy has no total, the log does not make one up."""
    caplog.set_level("INFO", "wacht")
    fault = requests.ConnectionError("mocked")
    service.get(URL, body=fault)
    service.get(URL, json=PAGE)
    retry = Retry(total=None, read=1)
    with wacht.Session("wk_mocked", throttle=None, retry=retry) as session:
        session.fetch_execution_contexts()
    assert [record.getMessage() for record in caplog.records] == [
        "waiting 0.00 s before attempt 2: the connection broke: mocked"
    ]
