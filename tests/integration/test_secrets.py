"""The key reaches the service, and nothing else."""

from __future__ import annotations

import gc
import json
import logging
import pickle
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from urllib3 import Retry

import wacht
from tests.servers import RawServer, Wire
from wacht.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CORE = "c0re0fTheKey"
PLAIN = f"wk_live_{CORE}"
ODD = f'wk/"{CORE}"&<\\>'  # JSON, HTML and URLs write it in other ways

TESTS = str(Path(__file__).parents[1])
NO_RETRY = Retry(total=0)


def chain(error: BaseException) -> Iterator[BaseException]:
    """List an error with its causes and contexts."""
    known: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is not None and not any(link is other for other in known):
            known.append(link)
            waiting += [link.__cause__, link.__context__]
    yield from known


def texts(value: object, seen: dict[int, object]) -> Iterator[str]:
    """List all text in a value, its elements and its attributes."""
    if id(value) in seen or isinstance(value, type):
        return
    seen[id(value)] = value
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes | bytearray):
        yield value.decode("latin-1")
    elif isinstance(value, dict):
        for item in value.items():
            yield from texts(item, seen)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from texts(item, seen)
    else:
        yield repr(value)
        yield from texts(getattr(value, "__dict__", {}), seen)
        for kind in type(value).__mro__:
            for name in getattr(kind, "__slots__", ()):
                yield from texts(getattr(value, name, None), seen)


def locals_of(error: BaseException) -> Iterator[str]:
    """List what a debugger would show of the frames of an error, except the tests'."""
    traceback = error.__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        if not frame.f_code.co_filename.startswith(TESTS):
            yield from map(shown, frame.f_locals.values())
        traceback = traceback.tb_next


def shown(value: object) -> str:
    try:
        return repr(value)
    except AttributeError:  # of an object that is not made yet
        return ""


def leaks(error: BaseException) -> list[str]:
    """List the texts of an error that contain the key."""
    seen: dict[int, object] = {}
    found: list[str] = []
    for link in chain(error):
        parts = [str(link), repr(link), *map(repr, link.args), *locals_of(link)]
        parts += [text for arg in link.args for text in texts(arg, seen)]
        parts += list(texts(vars(link), seen))
        found += [part for part in parts if CORE in part]
    found += [text for text in [pickle.dumps(error).decode("latin-1")] if CORE in text]
    return found


def key_in(wire: Wire) -> str:
    (line,) = [x for x in wire.head.split(b"\r\n") if x.startswith(b"Authorization")]
    return line.decode().removeprefix("Authorization: Bearer ")


def says(text: str, *headers: str, status: str) -> Callable[[Wire], None]:
    """Answer with the key for `@`, and as JSON writes it for `@json`."""

    def script(wire: Wire) -> None:
        key = key_in(wire)

        def fill(part: str) -> str:
            return part.replace("@json", json.dumps(key)[1:-1]).replace("@", key)

        wire.answer(fill(text).encode(), *map(fill, headers), status=status)

    return script


def sends(text: str) -> Callable[[Wire], None]:
    return lambda wire: wire.send(text.replace("@", key_in(wire)).encode())


ECHOES: dict[str, tuple[Callable[[Wire], None], type[wacht.WachtError]]] = {
    "401": (says("no such key: @", status="401 No"), wacht.AuthenticationError),
    "429": (
        says("Bearer @", "Retry-After: @", "X-Request-Id: @", status="429 No"),
        wacht.RateLimitError,
    ),
    "500": (says("<html><title>@</title></html>", status="500 @"), wacht.ServerError),
    "redirect": (says("@", "Location: /?key=@", status="302 No"), wacht.ApiError),
    "200 deep": (
        says('{"data": [{"created_at": "@json"}], "has_more": 1}', status="200 OK"),
        wacht.DecodeError,
    ),
    "packing": (says("x", "Content-Encoding: @", status="200 OK"), wacht.RequestError),
}
BROKEN = {
    "status line": "@ 200 OK\r\n\r\n",
    "length": "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\nX: @\r\n\r\n",
    "header": "HTTP/1.1 200 OK\r\nno header but @\r\nContent-Length: 0\r\n\r\n",
    "chunk size": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n@\r\n",
    "cut": "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n@",
}
ECHOES |= {place: (sends(text), wacht.RequestError) for place, text in BROKEN.items()}


@pytest.mark.parametrize("walk", [False, True])
@pytest.mark.parametrize("key", [PLAIN, ODD])
@pytest.mark.parametrize(("script", "kind"), ECHOES.values(), ids=ECHOES)
def test_error__from_a_server_that_echoes_the_key(
    script: Callable[[Wire], None],
    kind: type[wacht.WachtError],
    key: str,
    walk: bool,  # noqa: FBT001 - a parameter of the test
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Wherever a server puts the key."""
    caplog.set_level(logging.DEBUG)
    with RawServer(script) as server, server.session(api_key=key, retry=NO_RETRY) as s:
        with pytest.raises(kind) as caught:
            next(s.iter_execution_contexts()) if walk else s.fetch_execution_contexts()
        assert CORE in server.heads[0].decode()
        assert leaks(caught.value) == []
    assert caplog.records
    assert CORE not in caplog.text


@pytest.mark.parametrize("walk", [False, True])
def test_error__about_a_filter_whose_contexts_echo_the_key(
    walk: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """The contexts that show an ignored filter aren't in the traceback's frames."""
    contexts = [{"id": "1", "agent_id": PLAIN, "title": PLAIN}]
    with Sandbox(contexts, api_key=PLAIN) as server, server.session() as session:
        server.answer(200, json.dumps({"data": contexts, "has_more": False}))
        fetch = session.fetch_execution_contexts
        iterate = session.iter_execution_contexts
        with pytest.raises(wacht.PaginationError) as caught:
            next(iterate(agent_id="asked")) if walk else fetch(agent_id="asked")
    assert leaks(caught.value) == []


def test_leaks__are_found() -> None:
    """The tests above find a key in attributes, causes and frames."""
    hidden: Any = wacht.RequestError("no")
    hidden.deep = [{"a": requests.Response()}]
    assert leaks(hidden) == []
    hidden.deep[0]["a"].request = requests.Request(headers={"Authorization": PLAIN})
    assert leaks(hidden)
    caused: Any = wacht.RequestError("no")
    caused.__cause__ = ValueError(PLAIN)
    assert leaks(caused)
    with pytest.raises(ValueError, match="Expecting") as caught:
        json.loads("{" + CORE)  # which json's own frames hold
    assert leaks(caught.value)


def test_interruption__while_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    """No frame has the header in clear while the connection is opened."""

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("urllib3.util.connection.create_connection", interrupted)
    session = wacht.Session(PLAIN, base_url="http://127.0.0.1:9", throttle=None)
    with session, pytest.raises(KeyboardInterrupt) as caught:
        session.fetch_execution_contexts()
    assert leaks(caught.value) == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect__is_not_followed(status: int) -> None:
    with RawServer() as elsewhere, Sandbox() as server:
        server.answer(status, headers={"Location": f"{elsewhere.url}/take"})
        with (
            server.session() as session,
            pytest.raises(wacht.ApiError, match=r"redirect to .*/take refused"),
        ):
            session.fetch_execution_contexts()
        assert elsewhere.heads == []


FAULTS: dict[str, Callable[[Sandbox], object]] = {
    "reset": lambda s: s.reset(),
    "cut": lambda s: s.cut(),
    "garble": lambda s: s.garble(),
    "stall": lambda s: s.stall(9, times=None),
    "stalled body": lambda s: s.stall(9, at="body", times=None),
    "trickle": lambda s: s.trickle(times=None),
    "500": lambda s: s.answer(500),
    "HTML": lambda s: s.answer(200, "<html>"),
    "empty page": lambda s: s.answer(200, '{"data": [], "has_more": true}', times=None),
    "closed": lambda s: s.close(),
}


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("spoil", FAULTS.values(), ids=FAULTS)
def test_error__from_a_fault(
    spoil: Callable[[Sandbox], object],
    own: bool,  # noqa: FBT001 - a parameter of the test
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The error keeps its cause, without the request."""
    caplog.set_level(logging.DEBUG)
    with Sandbox(api_key=PLAIN) as server, requests.Session() as http:
        settings: dict[str, Any] = {"retry": NO_RETRY, "timeout": 0.1}
        if own:
            settings["http"] = http
        with server.session(**settings) as session:
            spoil(server)
            with pytest.raises(wacht.WachtError) as caught:
                list(session.iter_execution_contexts())
    assert leaks(caught.value) == []
    assert CORE not in caplog.text
    if isinstance(caught.value, wacht.RequestError):
        assert isinstance(caught.value.__cause__, requests.RequestException)
        assert str(caught.value.__cause__)


def test_session__shows_no_key() -> None:
    with Sandbox(api_key=PLAIN) as server, server.session() as session:
        session.fetch_execution_contexts()
        list(session.iter_execution_contexts(prefetch=2))
        assert CORE not in repr(session)
        assert CORE not in repr(reachable(session))
        with pytest.raises(TypeError, match=r"can.t be pickled") as caught:
            pickle.dumps(session)
    assert CORE not in str(caught.value)


def reachable(value: Any, depth: int = 6) -> Any:
    """Show an object as `vars` does, and so what is in it."""
    if depth == 0 or not hasattr(value, "__dict__"):
        return repr(value)
    return {name: reachable(inner, depth - 1) for name, inner in vars(value).items()}


def test_netrc__never_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A `.netrc` for the host doesn't replace the key."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with Sandbox(api_key=PLAIN) as server:
        assert requests.get(server.url, timeout=5).request.headers["Authorization"]
        for http in (None, requests.Session()):
            with server.session(http=http) as session:
                assert len(session.fetch_execution_contexts()) == 20


def test_key__dies_with_its_session() -> None:
    with Sandbox(api_key=PLAIN) as server:
        session = wacht.Session(PLAIN, base_url=server.url)
        session.fetch_execution_contexts()
        watched = weakref.ref(session)
        secret = weakref.ref(session._endpoint._api_key)
        session.close()
        del session
        gc.collect()
    assert watched() is None
    assert secret() is None
