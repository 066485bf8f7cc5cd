"""The fixture `wacht_unpaced`: nothing waits, and what is the caller's stays so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import responses
from urllib3 import Retry

import wacht

URL = "https://api.wacht.dev/ai/execution-contexts"
PAGE = {"data": [{"id": "1"}], "has_more": False}


@pytest.fixture
def mock(monkeypatch: pytest.MonkeyPatch) -> Iterator[responses.RequestsMock]:
    monkeypatch.setenv("WACHT_API_KEY", "wk_test")
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.mark.usefixtures("wacht_unpaced")
def test_unpaced__more_requests_than_a_minute_allows(
    mock: responses.RequestsMock,
) -> None:
    mock.get(URL, json=PAGE)
    with wacht.Session() as session:
        for _ in range(105):
            wacht.fetch_execution_contexts()
            session.fetch_execution_contexts()


@pytest.mark.usefixtures("wacht_unpaced")
def test_unpaced__no_wait_before_a_retry(mock: responses.RequestsMock) -> None:
    mock.get(URL, status=503)
    mock.get(URL, status=429, body="Rate limit exceeded. Retry after 42 seconds")
    mock.get(URL, body=requests.ConnectionError())
    mock.get(URL, status=429, headers={"Retry-After": "121"})  # too long a wait
    with pytest.raises(wacht.RateLimitError) as caught:
        wacht.fetch_execution_contexts()
    assert caught.value.attempts == 4


@pytest.mark.usefixtures("wacht_unpaced")
@pytest.mark.parametrize(
    ("status", "own"),
    [
        (200, {"throttle": wacht.Throttle(per_minute=1)}),
        (503, {"retry": Retry(1, status_forcelist=[503])}),
    ],
)
def test_unpaced__not_what_the_caller_chose(
    mock: responses.RequestsMock, status: int, own: dict[str, Any]
) -> None:
    mock.get(URL, status=200, json=PAGE)
    mock.get(URL, status=status, json=PAGE, headers={"Retry-After": "60"})
    with wacht.Session(**own) as session:
        session.fetch_execution_contexts()
        contexts = session.iter_execution_contexts(deadline=30)
        with pytest.raises(wacht.DeadlineExceededError, match="during a wait"):
            list(contexts)


def test_unpaced__new_default_session(
    mock: responses.RequestsMock, request: pytest.FixtureRequest
) -> None:
    before = wacht._default_session()
    request.getfixturevalue("wacht_unpaced")
    during = wacht._default_session()
    assert during is wacht._default_session() is not before
