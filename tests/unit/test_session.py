"""A session: its arguments, and which throttle and connections it uses."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import Mock

import pytest
import responses

import wacht
from wacht._contexts import PATH
from wacht.models import OPTION_NAMES

CALLS: list[Callable[..., object]] = [
    wacht.Session.fetch_execution_contexts,
    wacht.Session.iter_execution_contexts,
    wacht.Session.iter_execution_context_pages,
]


@pytest.fixture
def session() -> Iterator[wacht.Session]:
    with wacht.Session("k", throttle=None) as session:
        yield session


@pytest.mark.parametrize(
    ("call", "keyword", "hint"),
    [
        *((call, "agnet_id", "did you mean 'agent_id'?") for call in CALLS),
        *((call, "prefech", "did you mean 'prefetch'?") for call in CALLS[1:]),
        (CALLS[0], "x", f"known: {', '.join(OPTION_NAMES)}"),
        (CALLS[0], "limit", "only the functions that list all contexts take it"),
    ],
)
def test_call__misspelt_option(
    call: Callable[..., Any], keyword: str, hint: str, session: Any
) -> None:
    with pytest.raises(TypeError) as caught:
        call(session, **{keyword: 4})
    assert str(caught.value) == f"unknown keyword {keyword!r}; {hint}"


@pytest.mark.parametrize("call", CALLS)
def test_call__options_of_another_kind(call: Callable[..., Any], session: Any) -> None:
    message = (
        "^expected ListExecutionContextsOptions, or its fields .*, got {'page': 1}$"
    )
    with pytest.raises(TypeError, match=message):
        call(session, {"page": 1})


def test_defaults__as_promised() -> None:
    parameters = inspect.signature(wacht.Session).parameters.values()
    assert {parameter.name: parameter.default for parameter in parameters} == {
        "api_key": None,
        "base_url": None,
        "timeout": (5.0, 30.0),
        "retry": None,
        "throttle": "shared",
        "http": None,
        "pagination": "auto",
        "max_response_bytes": 64 * 2**20,
        "allow_plain_http": False,
        "path": PATH,
    }


def test_throttle__shared_by_key_and_url() -> None:
    url = "https://one.example"
    one = wacht.Session("wk_one", base_url=url)
    same = wacht.Session(" wk_one", base_url=f"{url}/")
    other_key = wacht.Session("wk_two", base_url=url)
    other_url = wacht.Session("wk_one", base_url="https://two.example")
    throttles = [s._endpoint._throttle for s in (one, same, other_key, other_url)]
    assert throttles[0] is throttles[1]
    assert len({id(throttle) for throttle in throttles}) == 3
    assert repr(throttles[0]) == "Throttle(per_second=20, per_minute=100)"


def test_session__closes_what_is_ours() -> None:
    with wacht.Session("k") as session:
        http: Any = session._endpoint._client._http
        http.close = Mock()
    assert http.close.called


@responses.activate
def test_path__is_asked_and_named(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "wacht")
    url = "https://api.wacht.dev/ai-execution-context"
    responses.get(url, status=404)
    session = wacht.Session("k", throttle=None, path="/ai-execution-context")
    with pytest.raises(wacht.NotFoundError, match=f"{url} was asked: check WACHT_BAS"):
        session.fetch_execution_contexts()
    assert caplog.messages == ["GET /ai-execution-context {}: 404"]


@responses.activate
def test_keywords__override(session: wacht.Session) -> None:
    asked = {"page": 2, "per_page": 7, "agent_id": "a"}
    responses.get(
        f"https://api.wacht.dev{PATH}",
        json={"data": [], "has_more": False},
        match=[responses.matchers.query_param_matcher(asked)],
    )
    options = wacht.ListExecutionContextsOptions(page=1, per_page=7, agent_id="a")
    assert len(session.fetch_execution_contexts(options, page=2)) == 0
    assert list(session.iter_execution_contexts(options, page=2)) == []


@pytest.mark.parametrize("call", CALLS)
@responses.activate
def test_resume__belongs_to_one_service(call: Callable[..., Any]) -> None:
    """As text and as a pickle; neither holds the key."""
    responses.get(f"https://one.example{PATH}", json={"data": [], "has_more": False})
    url, key = "https://one.example", "wk_one"
    [page] = wacht.Session(key, base_url=url).iter_execution_context_pages()
    resume: Any = page.resume
    text, pickled = resume.to_json(), pickle.dumps(resume)
    assert key.encode() not in pickled + text.encode()
    for again in (resume.from_json(text), pickle.loads(pickled)):  # noqa: S301 - our own
        assert list(call(wacht.Session(key, base_url=f"{url}/"), again)) == []
        for other in (
            wacht.Session("wk_two", base_url=url),
            wacht.Session(key, base_url="https://two.example"),
        ):
            with pytest.raises(wacht.InvalidRequestError, match="another service: it"):
                call(other, again)


def test_session__shows_no_key(session: wacht.Session) -> None:
    assert repr(session) == "<wacht.Session for https://api.wacht.dev>"
    with pytest.raises(TypeError, match="make one where you need it"):
        pickle.dumps(session)


@pytest.mark.parametrize("echo", [{}, {"limit": 20, "offset": 0}])
@responses.activate
def test_pagination__is_what_an_answer_told(
    session: wacht.Session, echo: dict[str, int]
) -> None:
    responses.get(
        f"https://api.wacht.dev{PATH}", json={"data": [], "has_more": False} | echo
    )
    assert session.pagination == "auto"
    session.fetch_execution_contexts()
    assert session.pagination == ("offset" if echo else "page")
