"""A caller's own `requests.Session`: all of it is used, and nothing is changed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from urllib3 import Retry

import wacht
from tests.servers import KEY, RawServer, page_of
from wacht.sandbox import Sandbox

OURS = f"wacht/{wacht.__version__} python-requests"
ATTRIBUTES = requests.Session.__attrs__


@pytest.fixture
def http() -> Iterator[requests.Session]:
    """A session without any default left."""
    with requests.Session() as http:
        http.headers.update({"X-Team": "other", "Authorization": "Bearer other"})
        http.headers["Accept-Encoding"] = "br"
        http.auth = HTTPBasicAuth("someone", "else")
        http.params = {"tenant": "7"}
        http.cookies.set("flavour", "plain", domain="127.0.0.1", path="/")
        http.hooks["response"].append(lambda response, **_: response)
        http.trust_env = False
        http.verify = False
        http.max_redirects = 3
        http.mount("https://", HTTPAdapter(max_retries=2))
        yield http


def state(http: requests.Session) -> dict[str, Any]:
    """Copy all that a session holds, so that it can be compared."""
    held = {name: copy.copy(getattr(http, name)) for name in ATTRIBUTES}
    held["cookies"] = sorted(map(repr, http.cookies))
    held["hooks"] = {event: list(hooks) for event, hooks in http.hooks.items()}
    held["adapters"] = dict(http.adapters)
    held["retries"] = [repr(vars(a)["max_retries"]) for a in http.adapters.values()]
    return held


@pytest.mark.parametrize("spoil", [False, True])
def test_http__is_left_as_it_was(
    sandbox: Sandbox, http: requests.Session, spoil: bool
) -> None:
    """Whatever happens on the wire."""
    cookie = {"Set-Cookie": "mark=me; Path=/"}
    before = state(http)
    if spoil:
        sandbox.answer(500, headers=cookie)
        sandbox.reset(at="body")
        sandbox.answer(302, headers=cookie | {"Location": "/elsewhere"})
    else:
        sandbox.answer(200, page_of(["1"], has_more=True), headers=cookie)
    retry = Retry(total=2, status_forcelist=[500], backoff_factor=0.001)
    session = sandbox.session(http=http, retry=retry)
    with pytest.raises(wacht.ApiError, match="redirect") if spoil else nullcontext():
        list(session.iter_execution_contexts(prefetch=2))
    session.close()
    assert state(http) == before
    pools: Any = http.get_adapter(sandbox.url)
    assert len(pools.poolmanager.pools) == 1  # closing would have let it go
    assert http.get(sandbox.url, timeout=5).status_code == 401  # with its own auth


def test_http__is_used(http: requests.Session) -> None:
    """The key replaces other auth; a change holds for the next request."""
    with RawServer() as server, server.session(http=http) as session:
        session.fetch_execution_contexts(page=1)
        http.headers["X-Team"] = "search"
        session.fetch_execution_contexts(page=2)
    _, head = server.heads
    assert b"tenant=7" in head.splitlines()[0]
    assert b"page=2" in head.splitlines()[0]
    lines = head.decode().splitlines()
    assert "X-Team: search" in lines
    assert "Cookie: flavour=plain" in lines
    assert "Accept-Encoding: gzip" in lines  # what is unpacked in bounds
    assert [line for line in lines if line.startswith("Authorization")] == [
        f"Authorization: Bearer {KEY}"
    ]


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        (requests.utils.default_headers(), OURS),
        ({}, OURS),  # of another kind
        ({"user-agent": "mine/1.0"}, "mine/1.0"),
        ({"User-Agent": b"mine/1.0"}, "mine/1.0"),
    ],
)
def test_user_agent(headers: Any, sent: str) -> None:
    with requests.Session() as http, RawServer() as server:
        http.headers = headers
        with server.session(http=http) as session:
            session.fetch_execution_contexts()
    assert f"user-agent: {sent}" in server.heads[0].decode().lower()


def test_proxy__of_the_callers() -> None:
    with requests.Session() as http, RawServer() as proxy:
        http.proxies = {"http": proxy.url}
        url = "http://service.invalid"
        with proxy.session(http=http, base_url=url, allow_plain_http=True) as session:
            assert len(session.fetch_execution_contexts()) == 20
    assert proxy.heads[0].startswith(b"GET http://service.invalid/ai/")


def test_proxy__not_for_this_machine(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer() as proxy, sandbox.session() as session:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert len(session.fetch_execution_contexts()) == 20
        assert proxy.heads == []


@pytest.mark.parametrize("own", [False, True])
def test_cookies__that_python_warns_of(sandbox: Sandbox, *, own: bool) -> None:
    """Warnings are errors here, as with `-W error`; no one else reads the cookies."""
    cookies = {"Set-Cookie": "a=b", "Set-Cookie2": "a=b; max-age"}
    sandbox.answer(200, page_of(["1"]), headers=cookies)
    http = requests.Session() if own else None
    expected = pytest.raises(wacht.RequestError, match="request failed")
    with sandbox.session(http=http) as session, expected if own else nullcontext():
        assert len(session.fetch_execution_contexts()) == 1


def test_hook__that_raises_for_a_status(sandbox: Sandbox) -> None:
    """It hides neither the service's message nor a retry."""
    with requests.Session() as http:
        http.hooks["response"].append(lambda response, **_: response.raise_for_status())
        retry = Retry(total=1, status_forcelist=[500])
        with sandbox.session(http=http, retry=retry) as session:
            sandbox.answer(500)
            assert len(session.fetch_execution_contexts()) == 20
            sandbox.answer(404, '{"errors": [{"message": "nothing here"}]}')
            with pytest.raises(wacht.NotFoundError, match="nothing here"):
                session.fetch_execution_contexts()


def test_http__faults_on_the_callers_session(sandbox: Sandbox) -> None:
    """Broken answers are retried, also if a hook reads the body."""
    sandbox.cut()
    sandbox.answer(200, b"no size\r\n", headers={"Transfer-Encoding": "chunked"})
    sandbox.answer(200, b"no gzip", headers={"Content-Encoding": "gzip"})
    sandbox.reset()
    sandbox.reset(at="headers")
    sandbox.reset(at="body")
    retry = Retry(total=6, backoff_factor=0.001)
    with requests.Session() as http, sandbox.session(http=http, retry=retry) as session:
        http.hooks["response"].append(lambda response, **_: response.content and None)
        contexts = list(session.iter_execution_contexts())
    assert [c.id for c in contexts] == [c["id"] for c in sandbox.contexts]
    assert len(sandbox.requests) == 3 + 6
