"""
A caller's own `requests.Session`: used for all that it holds, and left as it was.
"""

from __future__ import annotations

import copy
import io
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.auth import HTTPBasicAuth
from urllib3 import HTTPResponse, Retry

import wacht
from tests.servers import KEY, RawServer, Wire, page_of
from wacht.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NO_RETRY = Retry(total=0)
ONE_RETRY = Retry(total=1, backoff_factor=0.01)
ATTRIBUTES = requests.Session.__attrs__


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def http() -> Iterator[requests.Session]:
    """A session in which nothing is as it comes."""
    with requests.Session() as http:
        http.headers.update({"X-Team": "search", "Authorization": "Bearer other"})
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
    """Copy all that a session holds, in such a way that it can be compared."""
    held = {name: copy.copy(getattr(http, name)) for name in ATTRIBUTES}
    held["cookies"] = sorted(map(repr, http.cookies))
    held["hooks"] = {event: list(hooks) for event, hooks in http.hooks.items()}
    held["adapters"] = dict(http.adapters)
    held["retries"] = [repr(vars(a)["max_retries"]) for a in http.adapters.values()]
    return held


@pytest.mark.parametrize("spoil", [False, True])
def test_http__is_left_as_it_was(
    sandbox: Sandbox,
    http: requests.Session,
    spoil: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Whatever happens on the wire, a session of the caller's stays what it was."""
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
    """Headers, cookies and parameters go along; the key stands in for other auth."""
    with RawServer() as server, server.session(http=http) as session:
        session.fetch_execution_contexts(page=2)
    (head,) = server.heads
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
    ("given", "sent"),
    [
        (None, f"wacht/{wacht.__version__} {requests.utils.default_user_agent()}"),
        ("mine/1.0", "mine/1.0"),
        (b"mine/1.0", "mine/1.0"),
    ],
)
def test_user_agent(given: str | bytes | None, sent: str) -> None:
    """The library names itself, unless the caller's session has another name."""
    with requests.Session() as http, RawServer() as server:
        if given is not None:
            http.headers["User-Agent"] = given
        with server.session(http=http) as session:
            session.fetch_execution_contexts()
    assert f"User-Agent: {sent}" in server.heads[0].decode().splitlines()


def test_http__may_change_between_requests(sandbox: Sandbox) -> None:
    """What the caller's session learns later holds for the next request."""
    with requests.Session() as http, sandbox.session(http=http) as session:
        for token in ("1", "2"):
            http.headers["X-Token"] = token
            session.fetch_execution_contexts()
    sent = [request.headers["X-Token"] for request in sandbox.requests]
    assert sent == ["1", "2"]


def test_proxy__of_the_callers() -> None:
    """Requests go through the proxy that a session has."""
    with requests.Session() as http, RawServer() as proxy:
        http.proxies = {"http": proxy.url}
        url = "http://service.invalid"
        with proxy.session(http=http, base_url=url, allow_plain_http=True) as session:
            assert len(session.fetch_execution_contexts()) == 20
    assert proxy.heads[0].startswith(b"GET http://service.invalid/ai/")


def test_proxy__of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session of ours takes a proxy from the environment, and is timed there, too."""

    def script(wire: Wire) -> None:
        wire.drip(b"HTTP/1.1 200 OK\r\n" * 99, 0.02)

    with RawServer(script, times=1) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        settings = {"base_url": "http://service.invalid", "allow_plain_http": True}
        with proxy.session(**settings, timeout=(5, 0.4), retry=NO_RETRY) as session:
            with pytest.raises(wacht.RequestError, match=r"not arrive within 1\.2 s"):
                session.fetch_execution_contexts()
            assert len(session.fetch_execution_contexts()) == 20


def test_proxy__not_for_this_machine(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of the environment never sees what goes over plain http to loopback."""
    with RawServer(listening=False) as nobody, sandbox.session() as session:
        monkeypatch.setenv("http_proxy", nobody.url)
        assert len(session.fetch_execution_contexts()) == 20


def test_proxy__that_is_not_there() -> None:
    """Where the proxy fails, the error says that it is the proxy."""
    with requests.Session() as http, RawServer(listening=False) as nobody:
        http.proxies = {"https": nobody.url}
        with (
            wacht.Session("k", http=http, throttle=None, retry=ONE_RETRY) as session,
            pytest.raises(
                wacht.RequestError, match="2 attempts: the proxy failed"
            ) as e,
        ):
            session.fetch_execution_contexts()
    assert isinstance(e.value.__cause__, requests.exceptions.ProxyError)


def test_adapter__with_retries_of_its_own(sandbox: Sandbox) -> None:
    """An adapter that retries is the caller's affair: what it does is one attempt."""
    sandbox.answer(503, times=2)
    with requests.Session() as http:
        http.mount("http://", HTTPAdapter(max_retries=Retry(2, status_forcelist=[503])))
        with sandbox.session(http=http, retry=NO_RETRY) as session:
            assert len(session.fetch_execution_contexts()) == 20
    assert len(sandbox.requests) == 3


def test_hook__that_reads_the_content(sandbox: Sandbox) -> None:
    """A hook may read the content, the text and the JSON; the page is the same."""
    seen: list[Any] = []

    def hook(response: requests.Response, **_: Any) -> None:
        seen.append((response.content, response.text, response.json()))

    with requests.Session() as http:
        http.hooks["response"].append(hook)
        with sandbox.session(http=http) as session:
            page = session.fetch_execution_contexts()
    ((content, text, document),) = seen
    assert content.decode() == text
    assert [context["id"] for context in document["data"]] == [c.id for c in page]


def test_hook__that_reads_a_broken_body(sandbox: Sandbox) -> None:
    """What breaks under a hook's hands is retried like any other broken body."""
    sandbox.cut()
    sandbox.garble()
    sandbox.reset(at="body")
    with requests.Session() as http:
        http.hooks["response"].append(lambda response, **_: response.content and None)
        with sandbox.session(http=http, retry=Retry(total=3)) as session:
            assert len(session.fetch_execution_contexts()) == 20
    assert len(sandbox.requests) == 4


def test_hook__that_uses_the_body_up(sandbox: Sandbox) -> None:
    """A hook that streams the body away leaves nothing, and the error says so."""
    with requests.Session() as http:
        http.hooks["response"].append(
            lambda response, **_: list(response.iter_content(9)) and None
        )
        with (
            sandbox.session(http=http) as session,
            pytest.raises(
                wacht.RequestError, match=r"RuntimeError: .*consumed"
            ) as caught,
        ):
            session.fetch_execution_contexts()
    assert caught.value.attempts == 1


def test_hook__that_raises_for_a_status(sandbox: Sandbox) -> None:
    """A hook with `raise_for_status` hides neither the service's words nor a retry."""
    with requests.Session() as http:
        http.hooks["response"].append(lambda response, **_: response.raise_for_status())
        retry = Retry(total=1, status_forcelist=[500])
        with sandbox.session(http=http, retry=retry) as session:
            sandbox.answer(500)
            assert len(session.fetch_execution_contexts()) == 20
            sandbox.answer(404, '{"errors": [{"message": "nothing here"}]}')
            with pytest.raises(wacht.NotFoundError, match="nothing here"):
                session.fetch_execution_contexts()


class Unprintable(Exception):  # noqa: N818 - it is a test's
    """An error that does not even say what it is."""

    def __str__(self) -> str:
        raise RuntimeError


class Demanding(requests.RequestException):
    """An error that cannot be made from a message."""

    def __init__(self, *, code: int) -> None:
        super().__init__(f"code {code}")


RAISED: dict[str, Exception] = {
    "ValueError": ValueError("no"),
    "without a word": ZeroDivisionError(),
    "OSError": FileNotFoundError(2, "No such file", "mine.pem"),
    "HTTPError": requests.HTTPError("no"),
    "JSONDecodeError": requests.JSONDecodeError("no", "{", 1),
    "InvalidURL": requests.exceptions.InvalidURL("no"),
    "demanding": Demanding(code=5),
    "unprintable": Unprintable(object()),
    "a group": ExceptionGroup("no", [ValueError("no"), KeyError("no")]),
    "a loop": ValueError("no"),
}
RAISED["a loop"].args = (RAISED["a loop"],)
MAY_PASS: dict[str, Exception] = {
    "ConnectionError": requests.ConnectionError("no"),
    "Timeout": requests.Timeout("no"),
    "builtin ConnectionError": ConnectionResetError(104, "Connection reset by peer"),
    "builtin TimeoutError": TimeoutError("no"),
}
raised = pytest.mark.parametrize("error", RAISED.values(), ids=RAISED)
may_pass = pytest.mark.parametrize("error", MAY_PASS.values(), ids=MAY_PASS)


class Raising(HTTPAdapter):
    """An adapter that raises what it is given."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error
        self.asked = 0

    def send(self, *_args: Any, **_settings: Any) -> Any:
        self.asked += 1
        raise self.error


def with_adapter(adapter: BaseAdapter, retry: Retry = ONE_RETRY) -> wacht.Session:
    http = requests.Session()
    http.mount("https://", adapter)
    return wacht.Session(KEY, http=http, throttle=None, retry=retry)


@raised
def test_adapter__that_raises(error: Exception) -> None:
    """Whatever an adapter raises, an error of ours comes out, at once."""
    adapter = Raising(error)
    with pytest.raises(wacht.RequestError) as caught:
        with_adapter(adapter).fetch_execution_contexts()
    assert caught.value.attempts == adapter.asked == 1
    assert isinstance(caught.value.__cause__, requests.RequestException)
    assert type(error).__name__ in str(caught.value) + repr(caught.value.__cause__)


@may_pass
def test_adapter__that_raises_what_may_pass(error: Exception) -> None:
    """What an adapter raises of the wire is retried."""
    adapter = Raising(error)
    with pytest.raises(wacht.RequestError):
        with_adapter(adapter).fetch_execution_contexts()
    assert adapter.asked == 2


@raised
def test_hook__that_raises(sandbox: Sandbox, error: Exception) -> None:
    """Whatever a hook raises, an error of ours comes out, and is not retried."""

    def hook(response: requests.Response, **_: Any) -> None:
        raise error

    with requests.Session() as http:
        http.hooks["response"].append(hook)
        with (
            sandbox.session(http=http, retry=ONE_RETRY) as session,
            pytest.raises(wacht.RequestError),
        ):
            session.fetch_execution_contexts()
    assert len(sandbox.requests) == 1


def test_hook__that_raises_for_success(sandbox: Sandbox) -> None:
    """An HTTPError of a hook's own about a success counts."""

    def hook(response: requests.Response, **_: Any) -> None:
        raise requests.HTTPError("I do not like it", response=response)

    with requests.Session() as http:
        http.hooks["response"].append(hook)
        with (
            sandbox.session(http=http) as session,
            pytest.raises(wacht.RequestError, match="I do not like it"),
        ):
            session.fetch_execution_contexts()


def test_ca_bundle__that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    """A setting of the caller's that cannot work is not tried again and again."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    url = sandbox.url.replace("http", "https")
    with (
        sandbox.session(base_url=url) as session,
        pytest.raises(wacht.RequestError, match=r"1 attempt: .*/nowhere/ca.pem"),
    ):
        session.fetch_execution_contexts()


class Answering(BaseAdapter):
    """An adapter that needs no network."""

    def __init__(self, make: Callable[[], Any]) -> None:
        super().__init__()
        self._make = make

    def send(self, request: Any, *_args: Any, **_settings: Any) -> Any:
        response = self._make()
        if isinstance(response, requests.Response):
            response.request = request
            response.url = request.url
        return response

    def close(self) -> None:
        pass


def answered(status: int = 200, **attributes: Any) -> Callable[[], requests.Response]:
    def make() -> requests.Response:
        response = requests.Response()
        response.status_code = status
        for name, value in attributes.items():
            setattr(response, name, value() if callable(value) else value)
        return response

    return make


BODY = page_of(["1", "2", "3"])
ANSWERS = {
    "content": answered(_content=BODY),
    "a file": answered(raw=lambda: io.BytesIO(BODY)),
    "urllib3's": answered(
        raw=lambda: HTTPResponse(io.BytesIO(BODY), status=200, preload_content=False)
    ),
}


@pytest.mark.parametrize("make", ANSWERS.values(), ids=ANSWERS)
def test_adapter__that_answers_itself(make: Callable[[], Any]) -> None:
    """An answer may come from an adapter, in each way that requests takes it."""
    page = with_adapter(Answering(make)).fetch_execution_contexts()
    assert [context.id for context in page] == ["1", "2", "3"]


@pytest.mark.parametrize("status", [403, "403"])
def test_adapter__whose_answer_is_untidy(status: Any) -> None:
    """Where an adapter does not say it as http.client would, it is understood."""
    headers = {"Retry-After": 5, "X-Request-Id": None}
    make = answered(status, _content=b"no", headers=headers)
    with pytest.raises(wacht.PermissionDeniedError) as caught:
        with_adapter(Answering(make)).fetch_execution_contexts()
    assert caught.value.retry_after == 5


@pytest.mark.parametrize(
    "make",
    [lambda: None, lambda: "text", answered(), answered(raw=lambda: io.StringIO("{}"))],
)
def test_adapter__that_answers_rubbish(make: Callable[[], Any]) -> None:
    """What is no answer at all ends in an error of ours."""
    with pytest.raises(wacht.WachtError):
        with_adapter(Answering(make)).fetch_execution_contexts()


def test_adapter__whose_answer_is_too_long() -> None:
    """The limit holds for what an adapter brings, too."""
    make = answered(raw=lambda: io.BytesIO(b" " * 10**6))
    http = requests.Session()
    http.mount("https://", Answering(make))
    session = wacht.Session(KEY, http=http, throttle=None, max_response_bytes=1000)
    with pytest.raises(wacht.DecodeError, match="at most 1000 bytes"):
        session.fetch_execution_contexts()


class Hooked(requests.Session):
    """A session whose own `send` drops all hooks."""

    def send(self, request: requests.PreparedRequest, **settings: Any) -> Any:
        request.hooks = {"response": []}
        return super().send(request, **settings)


def test_http__that_drops_hooks(sandbox: Sandbox) -> None:
    """Even where a session's own class drops hooks, the answer is read in bounds."""
    with Hooked() as http, sandbox.session(http=http, max_response_bytes=20000) as s:
        assert len(s.fetch_execution_contexts()) == 20
        sandbox.flood()
        with pytest.raises(wacht.DecodeError, match="at most 20000 bytes"):
            s.fetch_execution_contexts()


def test_http__faults_on_the_callers_session(sandbox: Sandbox) -> None:
    """On a session of the caller's, broken answers are retried as on ours."""
    sandbox.reset()
    sandbox.reset(at="headers")
    sandbox.reset(at="body")
    sandbox.cut()
    sandbox.break_chunk()
    sandbox.garble()
    sandbox.trickle()
    retry = Retry(total=7, backoff_factor=0.001)
    with (
        requests.Session() as http,
        sandbox.session(http=http, retry=retry, timeout=(5, 0.4)) as session,
    ):
        contexts = list(session.iter_execution_contexts())
    assert [c.id for c in contexts] == [c["id"] for c in sandbox.contexts]
    assert len(sandbox.requests) == 3 + 7


def test_http__throttle_counts_until_the_answer(sandbox: Sandbox) -> None:
    """Where nobody tells when a request is sent, it counts as late as its answer."""
    sandbox.delay(0.2)
    throttle = wacht.Throttle(per_second=1, per_minute=100)
    with (
        requests.Session() as http,
        sandbox.session(http=http, throttle=throttle) as session,
    ):
        session.fetch_execution_contexts()
        session.fetch_execution_contexts()
    first, second = (request.at for request in sandbox.requests)
    assert second - first > 1.15


def test_throttle__of_the_callers(sandbox: Sandbox) -> None:
    """A throttle of the caller's paces, and needs no more than `slot`."""
    waits: list[float] = []

    class Mine:
        def slot(self, sleep: Callable[[float], None]) -> Any:
            sleep(0.01)
            waits.append(0.01)
            return nullcontext()

    with sandbox.session(throttle=Mine()) as session:
        session.fetch_execution_contexts()
    assert waits == [0.01]
