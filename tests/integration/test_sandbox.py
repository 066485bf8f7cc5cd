"""The sandbox over real sockets: what it serves, spoils, records and lets go of."""

from __future__ import annotations

import contextlib
import functools
import gzip
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

import attrs
import pytest

from wacht import AiExecutionContext
from wacht.sandbox import Sandbox, SandboxRequest

Ask: TypeAlias = Callable[..., tuple[int, bytes]]

PATH = "/ai/execution-contexts"
KEY = {"Authorization": "Bearer wk_sandbox"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def ask(sandbox: Sandbox) -> Iterator[Ask]:
    """Ask the sandbox on one connection that is kept alive: (status, body)."""
    with _connected(sandbox) as connection:
        yield functools.partial(_ask, connection)


def _address(sandbox: Sandbox) -> tuple[str, int]:
    host, port = sandbox.url.removeprefix("http://").split(":")
    return host, int(port)


def _connected(
    sandbox: Sandbox,
) -> contextlib.closing[http.client.HTTPConnection]:
    host, port = _address(sandbox)
    return contextlib.closing(http.client.HTTPConnection(host, port, timeout=30))


def _ask(
    connection: http.client.HTTPConnection,
    path: str = PATH,
    headers: Mapping[str, str] = KEY,
    method: str = "GET",
    body: bytes | None = None,
) -> tuple[int, bytes]:
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        connection.close()  # the next request opens a new one
        raise


def _plain(sandbox: Sandbox) -> socket.socket:
    """Open a socket on which nothing has been asked yet."""
    return socket.create_connection(_address(sandbox), timeout=30)


def _listen(connection: socket.socket) -> bytes:
    """Read until the end of the connection, which a reset is as well."""
    with contextlib.suppress(ConnectionResetError):
        return b"".join(iter(lambda: connection.recv(65536), b""))
    return b""


def _statuses(sandbox: Sandbox) -> list[int | None]:
    return [request.status for request in sandbox.requests]


def test_sandbox__serves_on_construction() -> None:
    """It listens from the moment it is made, with or without a `with` block."""
    sandbox = Sandbox(3)
    try:
        with _connected(sandbox) as connection:
            status, body = _ask(connection)
    finally:
        sandbox.close()
    assert status == 200
    assert json.loads(body) == {"data": sandbox.contexts, "has_more": False}


def test_sandbox__contexts_of_the_caller() -> None:
    """A caller's own contexts are served as they are, from any iterable."""
    mine: list[dict[str, Any]]
    mine = [{"id": 7, "novel": {"deep": [None]}}, {"title": "Rückfrage"}, {}]
    with Sandbox(iter(mine)) as sandbox, _connected(sandbox) as connection:
        assert json.loads(_ask(connection)[1])["data"] == mine


@pytest.mark.parametrize(
    ("revision", "extra"),
    [
        ("page", {}),
        ("offset", {"limit": 50, "offset": 0}),
        ("offset-without-echo", {}),
    ],
)
def test_sandbox__revision(revision: Any, extra: dict[str, int]) -> None:
    """Each revision answers in its own way, with the fields that it has."""
    with Sandbox(5, revision=revision) as sandbox, _connected(sandbox) as connection:
        answer = json.loads(_ask(connection)[1])
    assert answer == {"data": sandbox.contexts, "has_more": False} | extra
    assert ("status" in answer["data"][0]) is (revision != "page")


def test_sandbox__unknown_revision() -> None:
    """A revision that doesn't exist is named a mistake, with those that do."""
    with pytest.raises(ValueError, match="'page', 'offset', 'offset-without-echo'"):
        Sandbox(revision="cursor")  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize(
    "wrong",
    ["250", {"id": "1"}, [{}, []], [AiExecutionContext()], [{"at": datetime.now(UTC)}]],
    ids=["text", "one", "a list", "values", "a time"],
)
def test_sandbox__no_json_to_serve(wrong: Any) -> None:
    """What it couldn't serve is refused at once, with its place."""
    with pytest.raises(TypeError, match=r"^contexts\[[01]\]: expected a JSON object"):
        Sandbox(wrong)


def test_sandbox__port_of_choice() -> None:
    """It listens on the port it is given, again right after it was in use."""
    with Sandbox() as first:
        _, port = _address(first)
        with _plain(first) as connection:
            # The side that closes first is the one whose port lingers.
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            _listen(connection)
    with Sandbox(port=port) as second:
        assert second.url == first.url == f"http://127.0.0.1:{port}"
        with pytest.raises(OSError, match="in use"):
            Sandbox(port=port)


def test_sandbox__changes_show_in_the_next_answer(sandbox: Sandbox, ask: Ask) -> None:
    """The list is live: a context inserted at the front moves the others on."""
    before = json.loads(ask()[1])["data"]
    sandbox.contexts.insert(0, {"id": "new"})
    del sandbox.contexts[2]
    after = json.loads(ask()[1])["data"]
    assert after[:3] == [{"id": "new"}, before[0], before[2]]


def test_sandbox__repr(sandbox: Sandbox) -> None:
    """The repr shows URL, number of contexts and revision, and not the key."""
    sandbox.contexts.pop()
    expected = f"Sandbox('{sandbox.url}', contexts=249, revision='page')"
    assert repr(sandbox) == expected


def test_sandbox__session(sandbox: Sandbox) -> None:
    """A session of the sandbox has its key and URL, and meets its contexts."""
    with sandbox.session() as session:
        page = session.fetch_execution_contexts()
    assert [c.id for c in page] == [c["id"] for c in sandbox.contexts[:20]]


@pytest.mark.parametrize(
    ("limits", "given", "added"),
    [
        ({}, {}, {"throttle": None}),
        ({}, {"throttle": "mine", "api_key": "x"}, {"throttle": "mine"}),
        ({"per_second": 5}, {}, {}),
        ({"per_minute": 5}, {}, {}),
        ({"per_minute": 5}, {"throttle": None}, {"throttle": None}),
    ],
)
def test_session__arguments(
    monkeypatch: pytest.MonkeyPatch,
    limits: dict[str, Any],
    given: dict[str, Any],
    added: dict[str, Any],
) -> None:
    """Arguments are handed on and win; without limits there is no throttle."""
    monkeypatch.setattr("wacht.session.Session", dict)
    with Sandbox(api_key="wk_mine", **limits) as sandbox:
        key = given.get("api_key", "wk_mine")
        expected = {"api_key": key, "base_url": sandbox.url} | added
        received: Any = sandbox.session(**given)
        assert received == expected


def test_sandbox__own_key() -> None:
    """The key that it is given is the only one that it lets in."""
    mine = {"Authorization": "Bearer wk_mine"}
    with Sandbox(api_key="wk_mine") as sandbox, _connected(sandbox) as connection:
        assert _ask(connection, headers=mine)[0] == 200
        assert _ask(connection, headers=KEY)[0] == 401
        assert _ask(connection, headers={})[0] == 401


def test_sandbox__refusals_keep_the_connection(sandbox: Sandbox, ask: Ask) -> None:
    """After each refusal the same connection takes the next request."""
    with _connected(sandbox) as connection:
        statuses = [
            _ask(connection, "/elsewhere")[0],
            _ask(connection, method="POST", body=b"not to be taken for a request")[0],
            _ask(connection, PATH + "?page=x")[0],
            _ask(connection, headers={})[0],
            _ask(connection, method="HEAD")[0],
            _ask(connection)[0],
        ]
    assert statuses == _statuses(sandbox) == [404, 405, 400, 401, 405, 200]


def test_sandbox__limits() -> None:
    """Beyond the limit there is a 429 in text, with no header that says when."""
    with Sandbox(per_minute=2) as sandbox, _connected(sandbox) as connection:
        assert [_ask(connection)[0] for _ in range(2)] == [200, 200]
        connection.request("GET", PATH, headers=KEY)
        answer = connection.getresponse()
        text = answer.read().decode()
        assert answer.status == 429
        assert answer.headers["Retry-After"] is None
        assert text.startswith("Rate limit exceeded. Retry after ")


def test_sandbox__strangers_take_no_room() -> None:
    """Requests without the key don't use up what the key may ask."""
    with Sandbox(per_minute=1) as sandbox, _connected(sandbox) as connection:
        keys = "Bearer", "Bearer other", "Bearer wk_sandbox", "Bearer wk_sandbox"
        headers = [{"Authorization": key} for key in keys]
        statuses = [_ask(connection, headers=header)[0] for header in headers]
    assert statuses == [401, 401, 200, 429]


def test_requests__what_was_asked(sandbox: Sandbox, ask: Ask) -> None:
    """A request is recorded with its parts, decoded, and the status it was given."""
    before = time.monotonic()
    ask(PATH + "?page=2&agent_id=a%26b+c&page=3&empty=", KEY | {"x-ODD-name": "a: b"})
    [request] = sandbox.requests
    assert (request.method, request.path, request.status) == ("GET", PATH, 200)
    assert request.query == {"page": "3", "agent_id": "a&b c", "empty": ""}
    assert request.headers["X-Odd-Name"] == "a: b"
    assert request.headers["Host"] == sandbox.url.removeprefix("http://")
    assert before <= request.at <= time.monotonic()


def test_requests__frozen(sandbox: Sandbox, ask: Ask) -> None:
    """A record is a value, and a list once taken doesn't change."""
    ask()
    taken = sandbox.requests
    ask()
    assert len(taken) == 1
    assert taken == sandbox.requests[:1]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        taken[0].status = 201  # type: ignore[misc]  # on purpose


def test_requests__in_order_of_arrival(sandbox: Sandbox) -> None:
    """From many threads, all are recorded, in the order of their arrival."""

    def work() -> None:
        with _connected(sandbox) as connection:
            for _ in range(25):
                _ask(connection)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    arrivals = [request.at for request in sandbox.requests]
    assert arrivals == sorted(arrivals)
    assert _statuses(sandbox) == [200] * 200


@pytest.mark.parametrize(
    ("sent", "recorded"),
    [
        ("Bearer wk_sandbox", "Bearer ***"),
        ("bearer  two words", "bearer ***"),
        ("Basic c2VjcmV0", "Basic ***"),
        ("wk_sandbox", "***"),
    ],
)
def test_requests__never_the_key(
    sandbox: Sandbox, ask: Ask, sent: str, recorded: str
) -> None:
    """Of the credentials the scheme alone is kept, in whatever shape they came."""
    ask(headers={"authorization": sent})
    [request] = sandbox.requests
    assert request.headers["Authorization"] == recorded
    assert "wk_sandbox" not in repr(sandbox.requests)


def test_requests__no_authorization(sandbox: Sandbox, ask: Ask) -> None:
    """Where no credentials came, none are recorded."""
    ask(headers={})
    assert "Authorization" not in sandbox.requests[0].headers


def test_answer__instead_of_the_service(sandbox: Sandbox, ask: Ask) -> None:
    """Any status, bytes and headers are answered, and then all is as before."""
    sandbox.answer(503, b"\xff\x00", headers={"X-Request-Id": "r1"})
    with _connected(sandbox) as connection:
        connection.request("GET", PATH, headers=KEY)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (503, b"\xff\x00")
        assert answer.headers["X-Request-Id"] == "r1"
        assert _ask(connection)[0] == 200


def test_answer__text(sandbox: Sandbox, ask: Ask) -> None:
    """A body of text goes out as UTF-8, an empty one as nothing."""
    sandbox.answer(200, "größer")
    sandbox.answer(502)
    assert ask() == (200, "größer".encode())
    assert ask() == (502, b"")


@pytest.mark.parametrize("at", ["request", "headers", "body"])
def test_reset__wherever(sandbox: Sandbox, ask: Ask, at: Any) -> None:
    """The connection is reset, which a clean close is not."""
    sandbox.reset(at=at)
    with pytest.raises(ConnectionResetError):
        ask()
    assert _statuses(sandbox) == [None if at == "request" else 200]
    assert ask()[0] == 200


def test_hang_up__without_a_byte(sandbox: Sandbox) -> None:
    """The connection ends cleanly before anything is answered."""
    sandbox.hang_up()
    with _plain(sandbox) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert _listen(connection) == b""
    assert _statuses(sandbox) == [None]


def test_cut__half_of_the_body(sandbox: Sandbox, ask: Ask) -> None:
    """The connection ends cleanly, with half of what was announced still due."""
    _, whole = ask()
    sandbox.cut()
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask()
    assert caught.value.partial == whole[: len(whole) // 2]
    assert _statuses(sandbox) == [200, 200]


def test_break_chunk__not_a_size(sandbox: Sandbox, ask: Ask) -> None:
    """A body in chunks breaks off at a chunk whose size is no number."""
    _, whole = ask()
    sandbox.break_chunk()
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask()
    assert caught.value.partial == whole[: len(whole) // 2]


def test_garble__not_gzip(sandbox: Sandbox, ask: Ask) -> None:
    """The header says gzip, and the body is plain."""
    sandbox.garble()
    with _connected(sandbox) as connection:
        connection.request("GET", PATH, headers=KEY)
        answer = connection.getresponse()
        body = answer.read()
    assert answer.headers["Content-Encoding"] == "gzip"
    assert body == ask()[1]


@pytest.mark.parametrize("at", ["headers", "body"])
def test_stall__then_the_whole_answer(sandbox: Sandbox, ask: Ask, at: Any) -> None:
    """After the wait the answer is whole."""
    sandbox.stall(0.01, at=at)
    assert ask() == ask()


def test_stall__headers_hold_the_status_back(sandbox: Sandbox) -> None:
    """While nothing has been answered there is no status, and closing ends the wait."""
    sandbox.stall(3600)
    with _plain(sandbox) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        _until_asked(sandbox, 1)
        sandbox.close()
        assert _listen(connection) == b""
    assert _statuses(sandbox) == [None]


def test_stall__in_the_middle_of_the_body(sandbox: Sandbox) -> None:
    """Half of the body is there at once, and closing ends the wait for the rest."""
    sandbox.contexts[:] = []
    sandbox.stall(3600, at="body")
    with _plain(sandbox) as connection, connection.makefile("rb") as stream:
        connection.sendall(f"GET {PATH} HTTP/1.1\r\n\r\n".encode())
        http.client.parse_headers(stream)
        assert stream.read(14) == b'{"data":[],"ha'
        sandbox.close()
        assert stream.read() == b""
    assert _statuses(sandbox) == [200]


@pytest.mark.parametrize("at", ["headers", "body"])
def test_trickle__the_whole_answer(sandbox: Sandbox, ask: Ask, at: Any) -> None:
    """What trickles is the ordinary answer, in the end."""
    sandbox.contexts[:] = [{"id": "1"}]
    sandbox.trickle(interval=0.0001, at=at)
    assert ask() == (200, b'{"data":[{"id":"1"}],"has_more":false}')


def test_flood__until_the_client_goes_away(sandbox: Sandbox, ask: Ask) -> None:
    """The body doesn't end, and the sandbox lives on when its client has had enough."""
    sandbox.flood()
    with _plain(sandbox) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert sum(len(connection.recv(65536)) for _ in range(200)) > 200
    assert ask()[0] == 200


def test_flood__closing_frees_the_sender(sandbox: Sandbox) -> None:
    """A sandbox that can't send, as its client doesn't read, closes all the same."""
    sandbox.flood()
    with _plain(sandbox) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert connection.recv(1)
        sandbox.close()
        with contextlib.suppress(ConnectionResetError):
            _listen(connection)


def test_bomb__unpacks_to_its_size(sandbox: Sandbox, ask: Ask) -> None:
    """A small body unpacks to a large one."""
    sandbox.bomb(5_000_000)
    status, body = ask()
    assert status == 200
    assert len(body) < 10_000
    assert gzip.decompress(body) == b" " * 5_000_000


def test_faults__in_the_order_of_the_calls(sandbox: Sandbox, ask: Ask) -> None:
    """Each fault lasts for its number of requests, and then the next one begins."""
    sandbox.answer(500, times=2)
    sandbox.hang_up()
    sandbox.answer(502)
    assert [ask()[0] for _ in range(2)] == [500, 500]
    with pytest.raises(http.client.RemoteDisconnected):
        ask()
    assert [ask()[0] for _ in range(2)] == [502, 200]
    assert _statuses(sandbox) == [500, 500, None, 502, 200]


@pytest.mark.parametrize(
    "call",
    [
        lambda sandbox: sandbox.reset(times=2),
        lambda sandbox: sandbox.hang_up(times=2),
        lambda sandbox: sandbox.cut(times=2),
        lambda sandbox: sandbox.break_chunk(times=2),
        lambda sandbox: sandbox.answer(500, times=2),
        lambda sandbox: sandbox.garble(times=2),
        lambda sandbox: sandbox.stall(0.01, times=2),
        lambda sandbox: sandbox.trickle(interval=0, times=2),
        lambda sandbox: sandbox.flood(times=2),
        lambda sandbox: sandbox.bomb(1, times=2),
    ],
)
def test_faults__as_often_as_asked(
    sandbox: Sandbox, call: Callable[[Sandbox], None]
) -> None:
    """Every fault takes `times`, and spoils so many requests and no more."""
    call(sandbox)
    sandbox.contexts[:] = []
    ordinary = b'{"data":[],"has_more":false}'
    assert _first_bytes(sandbox) == _first_bytes(sandbox)
    with _connected(sandbox) as connection:
        assert _ask(connection) == (200, ordinary)
    assert len(sandbox.requests) == 3


def _first_bytes(sandbox: Sandbox) -> bytes | None:
    with _plain(sandbox) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        try:
            return connection.recv(1)
        except ConnectionResetError:
            return None


def test_faults__until_healed(sandbox: Sandbox, ask: Ask) -> None:
    """A fault without a number lasts until it is healed, with all behind it."""
    sandbox.answer(500, times=None)
    sandbox.answer(502)
    sandbox.delay(3600)
    sandbox.delay(0)
    assert [ask()[0] for _ in range(5)] == [500] * 5
    sandbox.delay(3600)
    sandbox.heal()
    assert ask()[0] == 200


def test_faults__at_no_such_place(sandbox: Sandbox) -> None:
    """A place that doesn't exist is named a mistake, with those that do."""
    nowhere: Any = "header"
    for order in (sandbox.reset, sandbox.trickle, functools.partial(sandbox.stall, 1)):
        with pytest.raises(ValueError, match=r"headers.*, got 'header'"):
            order(at=nowhere)


def test_sandbox__less_than_no_contexts() -> None:
    """A number of contexts below zero is a mistake."""
    with pytest.raises(ValueError, match="contexts: expected 0 or more, got -1"):
        Sandbox(-1)


@pytest.mark.parametrize("times", [0, -1])
def test_faults__no_times_at_all(sandbox: Sandbox, times: int) -> None:
    """A fault that would never happen is a mistake."""
    with pytest.raises(ValueError, match=f"at least 1, or None, got {times}"):
        sandbox.cut(times=times)


def test_faults__key_is_not_checked(sandbox: Sandbox, ask: Ask) -> None:
    """A spoilt request needs no key: it gets what the endpoint says, spoilt."""
    sandbox.garble()
    sandbox.answer(500)
    assert [ask(headers={})[0] for _ in range(3)] == [200, 500, 401]


def test_faults__count_against_the_limits() -> None:
    """Spoilt requests take the room of others, and come through where there is none."""
    with Sandbox(per_minute=2) as sandbox, _connected(sandbox) as connection:
        sandbox.answer(500, times=3)
        statuses = [_ask(connection)[0] for _ in range(4)]
    assert statuses == [500, 500, 500, 429]


def test_delay__holds_every_answer_back(sandbox: Sandbox) -> None:
    """A delay comes before any answer, faults too, and ends with the sandbox."""
    sandbox.delay(3600)
    sandbox.answer(500)
    with _plain(sandbox) as first, _plain(sandbox) as second:
        first.sendall(b"GET / HTTP/1.1\r\n\r\n")
        second.sendall(b"GET / HTTP/1.1\r\n\r\n")
        _until_asked(sandbox, 2)
        sandbox.close()
        assert _listen(first) == _listen(second) == b""
    assert _statuses(sandbox) == [None, None]


def test_delay__then_the_answer(sandbox: Sandbox, ask: Ask) -> None:
    """After the delay the answer is whole."""
    sandbox.delay(0.01)
    assert ask()[0] == 200


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def _until_asked(sandbox: Sandbox, count: int) -> None:
    _until(lambda: len(sandbox.requests) == count)


def test_connection__is_kept_alive(sandbox: Sandbox) -> None:
    """Requests on one connection are answered one after the other, pipelined too."""
    with _plain(sandbox) as connection:
        connection.sendall(b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        assert _listen(connection).count(b"HTTP/1.1 401 ") == 2
    assert [request.path for request in sandbox.requests] == ["/a", "/b"]


@pytest.mark.parametrize(
    "request_",
    [b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nconnection: Close\r\n\r\n"],
)
def test_connection__closed_where_the_client_says_so(
    sandbox: Sandbox, request_: bytes
) -> None:
    """A client of HTTP/1.0, or one that asks for it, sees the end of the connection."""
    with _plain(sandbox) as connection:
        connection.sendall(request_)
        assert _listen(connection).startswith(b"HTTP/1.1 401 Unauthorized\r\n")


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\r\n\r\n",
        b"rubbish\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n",
    ],
)
def test_connection__not_a_request(
    sandbox: Sandbox, sent: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    """What isn't a whole request is hung up on, without record and without noise."""
    with _plain(sandbox) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        assert _listen(connection) == b""
    sandbox.close()
    assert sandbox.requests == []
    assert capfd.readouterr() == ("", "")


def test_connection__is_forgotten_at_its_end(sandbox: Sandbox) -> None:
    """However many clients come and go, however they end, nothing of them is kept."""
    sandbox.reset()
    for _ in range(5):
        _first_bytes(sandbox)
    _until(lambda: not sandbox._server._connections)
    assert len(sandbox.requests) == 5


def test_sandbox__is_quiet(
    sandbox: Sandbox, ask: Ask, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither a request nor a client that goes away in the middle is worth a word."""
    ask()
    ask("/elsewhere")
    sandbox.flood()
    with _plain(sandbox) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert connection.recv(1)
    sandbox.reset()
    with pytest.raises(ConnectionResetError):
        ask()
    sandbox.close()
    assert capfd.readouterr() == ("", "")


def test_sandbox__context_that_is_not_json(
    sandbox: Sandbox, ask: Ask, capfd: pytest.CaptureFixture[str]
) -> None:
    """A mistake in the caller's own contexts isn't hidden: it shows on stderr."""
    sandbox.contexts.insert(0, {"id": {1, 2}})
    with pytest.raises(http.client.RemoteDisconnected):
        ask()
    sandbox.close()
    error = capfd.readouterr().err
    assert "TypeError: Object of type set is not JSON serializable" in error


def test_close__twice(sandbox: Sandbox) -> None:
    """Closing is safe at any time, any number of times."""
    sandbox.close()
    sandbox.close()
    with pytest.raises(ConnectionRefusedError):
        _plain(sandbox)


def test_close__leaves_nothing_behind() -> None:
    """Idle, busy and half-asked connections end, and no thread of theirs stays."""
    threads = set(threading.enumerate())
    with Sandbox() as sandbox, contextlib.ExitStack() as stack:
        sandbox.stall(3600)
        idle, busy, half = [stack.enter_context(_plain(sandbox)) for _ in range(3)]
        busy.sendall(b"GET / HTTP/1.1\r\n\r\n")
        _until_asked(sandbox, 1)
        idle.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert idle.recv(65536)
        half.sendall(b"GET / HTTP")
        sandbox.close()
        assert [_listen(connection) for connection in (idle, busy, half)] == [b""] * 3
        assert set(threading.enumerate()) == threads


def test_sandbox_request__is_a_value() -> None:
    """Records compare by their fields, so that a test can state one whole."""
    one = SandboxRequest("GET", "/", {}, {}, 1.5)
    assert one == SandboxRequest("GET", "/", query={}, headers={}, at=1.5, status=None)
