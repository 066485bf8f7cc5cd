"""The key reaches the service, and nothing else."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from urllib3 import Retry

import wacht
from tests.leaks import leaks
from tests.servers import RawServer
from wacht.sandbox import Sandbox

CORE = "c0re0fTheKey"
PLAIN = f"wk_live_{CORE}"
ODD = f'wk/"{CORE}"&<\\>'  # JSON, HTML and URLs write it in other ways


# The answers of a server that puts the key wherever there is an `@`.
ECHOES = {
    "429": "HTTP/1.1 429 @\r\nRetry-After: @\r\nX-Request-Id: @\r\n\r\n@",
    "deep": 'HTTP/1.1 200 OK\r\n\r\n{"data": [{"created_at": "@"}], "has_more": 1}',
    "packing": "HTTP/1.1 200 OK\r\nContent-Encoding: @\r\n\r\nx",
    "status line": "@ 200 OK\r\n\r\n",
    "length": "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\nX: @\r\n\r\n",
    "header": "HTTP/1.1 200 OK\r\nno header but @\r\nContent-Length: 0\r\n\r\n",
    "chunk size": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n@\r\n",
}


@pytest.mark.parametrize("key", [PLAIN, ODD])
@pytest.mark.parametrize("answer", ECHOES.values(), ids=ECHOES)
def test_error__from_a_server_that_echoes_the_key(
    answer: str, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = answer.replace("@", key).encode()
    with (
        RawServer(lambda wire: wire.send(echo)) as server,
        server.session(api_key=key, retry=Retry(0)) as s,
    ):
        with pytest.raises(wacht.WachtError) as caught:
            next(s.iter_execution_contexts())
        assert CORE in server.heads[0].decode()
    assert leaks(caught.value, CORE) == []
    assert caplog.records
    assert CORE not in caplog.text


def test_error__about_a_filter_whose_contexts_echo_the_key() -> None:
    """The contexts that show an ignored filter aren't in the traceback's frames."""
    contexts = [{"id": "1", "agent_id": PLAIN, "title": PLAIN}]
    with Sandbox(contexts, api_key=PLAIN) as server, server.session() as session:
        server.answer(200, json.dumps({"data": contexts, "has_more": False}))
        with pytest.raises(wacht.PaginationError) as caught:
            next(session.iter_execution_contexts(agent_id="asked"))
    assert leaks(caught.value, CORE) == []


@pytest.mark.parametrize("kind", [KeyboardInterrupt, TimeoutError])
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("place", ["putheader", "send", "_spellings"])
def test_interruption__where_frames_have_the_key(
    place: str, kind: type[BaseException], *, own: bool
) -> None:
    """Their variables are cleared; those of the caller's functions are kept."""

    def interrupt(frame: Any, event: str, _argument: object) -> None:
        mine = "mine"
        if frame.f_code.co_name == place and event == "return":
            raise kind(mine)

    with (
        RawServer(lambda wire: wire.answer(b"", status="404 No")) as server,
        requests.Session() as http,
        server.session(api_key=ODD, http=http if own else None) as session,
    ):
        sys.setprofile(interrupt)
        try:
            with pytest.raises(kind) as caught:
                session.fetch_execution_contexts()
        finally:
            sys.setprofile(None)
    assert leaks(caught.value, CORE) == []
    assert caught.traceback[-1].frame.f_locals["mine"] == "mine"


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


def test_netrc__never_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with Sandbox(api_key=PLAIN) as server:
        assert requests.get(server.url, timeout=5).request.headers["Authorization"]
        for http in (None, requests.Session()):
            with server.session(http=http) as session:
                assert len(session.fetch_execution_contexts()) == 20
