"""The sandbox over real sockets: what it serves, spoils, records and closes."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

import pytest
import urllib3
from urllib3.exceptions import ProtocolError

from tests.waits import PATIENCE
from wacht import AiExecutionContext
from wacht.sandbox import Sandbox
from wacht.sandbox.server import _Connection

Ask: TypeAlias = Callable[..., tuple[int, bytes]]

PATH = "/ai/execution-contexts"
KEY = {"Authorization": "Bearer wk_sandbox"}
EMPTY = b'{"data":[],"has_more":false}'
REQUEST = b"GET / HTTP/1.1\r\n\r\n"
KEYED = b"GET / HTTP/1.1\r\nAuthorization: Bearer wk_sandbox\r\n\r\n"


@pytest.fixture
def ask(sandbox: Sandbox) -> Iterator[Ask]:
    with _asking(sandbox) as ask:
        yield ask


@contextlib.contextmanager
def _asking(sandbox: Sandbox) -> Iterator[Ask]:
    """Ask the sandbox on one connection that is kept alive: (status, body)."""

    def ask(
        path: str = PATH, headers: Mapping[str, str] = KEY, method: str = "GET"
    ) -> tuple[int, bytes]:
        body = b"not the start of a request" if method == "POST" else None
        answer = pool.urlopen(method, path, body, headers, decode_content=False)
        return answer.status, answer.data

    with urllib3.connection_from_url(
        sandbox.url, timeout=PATIENCE, retries=False
    ) as pool:
        yield ask


def _ids(ask: Ask) -> list[str]:
    return [context["id"] for context in json.loads(ask()[1])["data"]]


def _plain(sandbox: Sandbox, data: bytes = b"") -> socket.socket:
    address: Any = sandbox._server.server_address
    connection = socket.create_connection(address, timeout=PATIENCE)
    connection.sendall(data)
    return connection


def _rest(connection: socket.socket) -> bytes:
    """Read until the end of the connection, which may be a reset."""
    with contextlib.suppress(ConnectionResetError):
        return b"".join(iter(lambda: connection.recv(65536), b""))
    return b""


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.mark.parametrize("revision", ["page", "offset"])
def test_sandbox__revisions(revision: Any) -> None:
    with Sandbox(5, revision=revision) as sandbox, _asking(sandbox) as ask:
        assert json.loads(ask()[1])["data"] == sandbox.contexts
        assert repr(sandbox) == f"Sandbox('{sandbox.url}', revision={revision!r})"
    assert ("status" in sandbox.contexts[0]) is (revision == "offset")


JSON = r"^contexts\[[01]\]: expected a JSON object"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        *(
            ({"contexts": wrong}, JSON)
            for wrong in ("250", {"id": "1"}, [{}, []], [AiExecutionContext()])
        ),
        ({"contexts": [{"at": datetime.now(UTC)}]}, JSON),
        ({"revision": "cursor"}, "'page', 'offset', 'offset-without-echo'.*'cursor'"),
        ({"contexts": -1}, "contexts: expected 0 or more, got -1"),
        ({"per_second": 0}, "per_second and per_minute: expected at least 1"),
    ],
)
def test_sandbox__unusable_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError if message is JSON else ValueError, match=message):
        Sandbox(**settings)


def test_sandbox__port() -> None:
    with Sandbox() as first:
        _, port = first._server.server_address
        with _plain(first, b"GET / HTTP/1.0\r\n\r\n") as connection:
            _rest(connection)  # the side that closes first is the one that lingers
    with Sandbox(port=port) as second:
        assert second.url == first.url == f"http://127.0.0.1:{port}"


def test_session__arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wacht.session.Session", dict)
    with (
        Sandbox(api_key="wk_mine", path="/list") as sandbox,
        Sandbox(per_second=5) as limited,
    ):
        mine: Any = {"api_key": "wk_mine", "base_url": sandbox.url, "throttle": None}
        mine["path"] = "/list"
        assert sandbox.session() == mine
        assert sandbox.session(throttle="my own") == mine | {"throttle": "my own"}
        assert "throttle" not in limited.session()  # type: ignore[operator]  # a dict


def test_sandbox__live() -> None:
    with Sandbox(
        [{"id": "old"}], live=lambda list_: list_.insert(0, {"id": "new"})
    ) as sandbox:
        sandbox.answer(500)
        with _asking(sandbox) as ask:
            paths = PATH, "/elsewhere", PATH + "?page=x"
            assert [ask(path)[0] for path in paths] == [500, 404, 400]
            assert ask(headers={})[0] == 401
            assert [_ids(ask), _ids(ask)] == [["old"], ["new", "old"]]


def test_sandbox__rejections_keep_the_connection(sandbox: Sandbox, ask: Ask) -> None:
    sandbox.answer(500)
    statuses = [
        ask(headers=KEY | {"Host": "rebound.example"})[0],  # uses up no fault
        ask()[0],
        ask("/elsewhere")[0],
        ask(method="POST")[0],
        ask(PATH + "?page=x")[0],
        ask(headers={})[0],
        ask(method="HEAD")[0],
        ask()[0],
    ]
    assert statuses == [403, 500, 404, 405, 400, 401, 405, 200]
    assert statuses == [request.status for request in sandbox.requests]
    assert ask("/") == (404, b'{"errors":[{"message":"Not found","code":404}]}')
    assert sandbox._server.connections == 1


def test_sandbox__limits() -> None:
    """What has the key counts, and each fault."""
    with Sandbox(per_minute=2) as sandbox, _asking(sandbox) as ask:
        assert [ask(headers={})[0], ask()[0]] == [401, 200]
        sandbox.answer(500, times=2)
        assert [ask()[0] for _ in range(3)] == [500, 500, 429]


def test_requests__record(sandbox: Sandbox, ask: Ask) -> None:
    before = time.monotonic()
    ask(PATH + "?page=2&agent_id=a%26b+c&page=3&empty=", KEY | {"x-ODD-name": "a: b"})
    [request] = sandbox.requests
    assert (request.method, request.path, request.status) == ("GET", PATH, 200)
    assert request.query == {"page": "3", "agent_id": "a&b c", "empty": ""}
    assert request.headers["X-Odd-Name"] == "a: b"
    assert before <= request.at <= time.monotonic()


@pytest.mark.parametrize(
    ("sent", "recorded"),
    [
        ({"authorization": "Bearer wk_sandbox"}, "Bearer ***"),
        ({"Authorization": "bearer  two words"}, "bearer ***"),
        ({"Authorization": "wk_sandbox"}, "***"),
        ({}, None),
    ],
)
def test_requests__never_the_key(
    sandbox: Sandbox, ask: Ask, sent: dict[str, str], recorded: str | None
) -> None:
    ask(headers=sent)
    assert sandbox.requests[0].headers.get("Authorization") == recorded
    assert "wk_sandbox" not in repr(sandbox.requests)


@pytest.mark.parametrize(
    ("order", "outcome", "status"),
    [
        (lambda s: s.reset(times=2), "ConnectionResetError", None),
        (lambda s: s.reset(at="headers", times=2), "ConnectionResetError", 200),
        (lambda s: s.reset(at="body", times=2), "ConnectionResetError", 200),
        (lambda s: s.hang_up(times=2), "RemoteDisconnected", None),
        (lambda s: s.cut(times=2), "IncompleteRead", 200),
        (lambda s: s.break_chunk(times=2), "IncompleteRead", 200),
        (lambda s: s.garble(times=2), EMPTY, 200),
        (lambda s: s.stall(0.01, times=2), EMPTY, 200),
        (lambda s: s.trickle(1e-4, times=2), EMPTY, 200),
        (lambda s: s.answer(500, "größer", times=2), "größer".encode(), 500),
        (lambda s: s.answer(500, b"\xff", times=2), b"\xff", 500),
        (lambda s: s.answer(500, {"a": "ö"}, times=2), '{"a":"ö"}'.encode(), 500),
        (lambda s: s.answer(200, [], times=2), b"[]", 200),
    ],
)
def test_faults__outcome(
    sandbox: Sandbox,
    ask: Ask,
    order: Callable[[Sandbox], None],
    outcome: str | bytes,
    status: int | None,
) -> None:
    sandbox.contexts[:] = []
    order(sandbox)
    assert ask(headers={})[0] == 401  # the key is checked first
    for _ in range(2):
        if isinstance(outcome, bytes):
            assert ask() == (status, outcome)
        else:
            with pytest.raises(ProtocolError, match=outcome):
                ask()
    assert ask() == (200, EMPTY)
    statuses = [request.status for request in sandbox.requests]
    assert statuses == [401, status, status, 200]


def test_flood__until_the_client_leaves(
    sandbox: Sandbox, ask: Ask, capfd: pytest.CaptureFixture[str]
) -> None:
    sandbox.flood(times=2)
    with _plain(sandbox, KEYED) as connection:
        assert sum(len(connection.recv(65536)) for _ in range(200)) > 200
    with _plain(sandbox, KEYED) as connection:
        assert connection.recv(1)
        assert ask()[0] == 200
        sandbox.close()
        _rest(connection)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 1])
def test_bomb__unpacks_to_its_size(sandbox: Sandbox, ask: Ask, size: int) -> None:
    sandbox.bomb(size)
    status, packed = ask()
    assert (status, gzip.decompress(packed)) == (200, b" " * size)
    assert len(packed) < 100 + size / 500


def test_faults__queue(sandbox: Sandbox, ask: Ask) -> None:
    sandbox.answer(500)
    sandbox.hang_up()
    sandbox.answer(502, times=None)
    sandbox.answer(503)
    assert ask()[0] == 500
    with pytest.raises(ProtocolError):
        ask()
    assert [ask()[0] for _ in range(5)] == [502] * 5
    sandbox.delay(3600)
    sandbox.heal()
    assert ask()[0] == 200


def test_faults__unusable_arguments(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="at least 1, or None, got 0"):
        sandbox.cut(times=0)
    with pytest.raises(TypeError, match="datetime is not JSON serializable"):
        sandbox.answer(200, {"at": datetime.now(UTC)})
    with pytest.raises(TypeError):
        sandbox.answer(200, None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="can't encode"):
        sandbox.answer(200, headers={"X": "\u65e5"})
    for wrong in ({"data": []}, "no", 99, 1000, 200.0, True, None):
        with pytest.raises(ValueError, match=r"^status: expected a number, got"):
            sandbox.answer(wrong)  # type: ignore[arg-type]
    nowhere: Any = "header"
    for order in (sandbox.reset, sandbox.trickle):
        with pytest.raises(ValueError, match=r"headers.*, got 'header'"):
            order(at=nowhere)


def test_close__names_faults_that_never_came() -> None:
    with Sandbox() as sandbox, _asking(sandbox) as ask:
        sandbox.answer(500, times=2)
        sandbox.cut(times=None)
        ask()
        missed = r"came: answer \(1 of 2 times\), cut \(0 of all times\)$"
        with pytest.warns(UserWarning, match=missed) as warned:
            sandbox.close()
    assert [warning.filename for warning in warned] == [__file__]


def test_close__is_silent_if_all_came() -> None:
    with Sandbox() as sandbox, _asking(sandbox) as ask:
        sandbox.answer(500, times=None)
        ask()
    sandbox.heal()
    with contextlib.suppress(ZeroDivisionError), Sandbox() as sandbox:
        sandbox.cut()
        raise ZeroDivisionError


def test_path__of_another_service() -> None:
    with Sandbox(5, path="/list") as sandbox, _asking(sandbox) as ask:
        assert (ask()[0], ask("/list")[0]) == (404, 200)
        assert len([*sandbox.session().iter_execution_contexts()]) == 5
    with Sandbox(path="/%7eme/%c3%a4") as sandbox:
        assert len(sandbox.session().fetch_execution_contexts()) == 20
    with pytest.raises(ValueError, match=r"^path: "):
        Sandbox(path="list")


def test_connection__pipelined_and_closed(sandbox: Sandbox) -> None:
    close = b"GET /c HTTP/1.1\r\nconnection: Close\r\n\r\n"
    with _plain(sandbox, REQUEST + b"GET /b HTTP/1.1\n\n" + close) as connection:
        assert _rest(connection).count(b"HTTP/1.1 401 Unauthorized\r\n") == 3
    assert [request.path for request in sandbox.requests] == ["/", "/b", "/c"]
    _until(lambda: not sandbox._server._open)  # nothing is kept of a connection


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", b""),
        (b"rubbish\r\n\r\n", b"HTTP/1.1 400"),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"HTTP/1.1 400"),
        (b"GET / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n", b"HTTP/1.1 400"),
        (b"GET / HTTP/2.0\r\n\r\n", b"HTTP/1.1 505"),
        (b"G" * 65537, b"HTTP/1.1 431"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\n" * 101, b"HTTP/1.1 431"),
        (b"GET / HTTP/1.1\r\na: " + b"b" * 65535, b"HTTP/1.1 431"),
    ],
)
def test_connection__not_a_request(
    sandbox: Sandbox, sent: bytes, answer: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with _plain(sandbox, sent) as connection:
        connection.shutdown(socket.SHUT_WR)
        assert _rest(connection)[:12] == answer
    sandbox.close()
    assert sandbox.requests == []
    assert capfd.readouterr() == ("", "")


def test_connection__silent(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """It doesn't keep a thread for ever."""
    assert _Connection.timeout == 60
    monkeypatch.setattr(_Connection, "timeout", 0.01)
    with _plain(sandbox, b"GET / HTTP") as connection:
        assert _rest(connection) == b""


def test_connection__tls_handshake(sandbox: Sandbox) -> None:
    """A TLS client that is answered in plain text knows at once what is wrong."""
    with _plain(sandbox, b"\x16\x03\x01") as connection:
        assert _rest(connection)[:12] == b"HTTP/1.1 400"


def test_sandbox__mistake_in_the_list(
    sandbox: Sandbox, ask: Ask, capfd: pytest.CaptureFixture[str]
) -> None:
    sandbox.contexts.insert(0, {"id": {1, 2}})
    with pytest.raises(ProtocolError):
        ask()
    sandbox.close()
    error = capfd.readouterr().err
    assert "TypeError: Object of type set is not JSON serializable" in error


def test_close__leaves_nothing_behind() -> None:
    threads = set(threading.enumerate())
    with Sandbox() as sandbox, contextlib.ExitStack() as stack:
        idle = stack.enter_context(_plain(sandbox, REQUEST))
        assert idle.recv(65536)
        sandbox.delay(float("inf"))
        busy = stack.enter_context(_plain(sandbox, REQUEST))
        _until(lambda: len(sandbox.requests) == 2)
        half = stack.enter_context(_plain(sandbox, b"GET / HTTP"))
        sandbox.close()
        assert [_rest(connection) for connection in (idle, busy, half)] == [b""] * 3
        assert set(threading.enumerate()) == threads
        with pytest.raises(ConnectionRefusedError):
            _plain(sandbox)
