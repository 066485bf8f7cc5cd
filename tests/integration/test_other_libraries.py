"""Libraries that people put around requests work with a session."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

import wacht
from wacht.sandbox import Sandbox

PAGE = {"data": [{"id": "1"}], "has_more": False}


def walked(session: wacht.Session) -> int:
    return len(list(session.iter_execution_contexts()))


def test_requests_cache(sandbox: Sandbox) -> None:
    """Each answer is a new one: those of a cache would hide what has moved."""
    requests_cache = pytest.importorskip("requests_cache")
    http = requests_cache.CachedSession(backend="memory")
    with http, sandbox.session(http=http) as session:
        assert walked(session) == walked(session) == 250
        assert len(sandbox.requests) == 3 + 3
        sandbox.answer(401, "no")
        with pytest.raises(wacht.AuthenticationError):
            session.fetch_execution_contexts(page=9)


def test_cache_control(sandbox: Sandbox) -> None:
    cachecontrol = pytest.importorskip("cachecontrol")
    sandbox.answer(200, json.dumps(PAGE), headers={"Cache-Control": "max-age=9"})
    with (
        cachecontrol.CacheControl(requests.Session()) as http,
        sandbox.session(http=http) as session,
    ):
        assert len(session.fetch_execution_contexts()) == 1
        assert walked(session) == 250


@pytest.mark.parametrize("own", [False, True])
def test_vcrpy(sandbox: Sandbox, tmp_path: Path, *, own: bool) -> None:
    """A session outlives a cassette, plays another, and asks the server after it."""
    vcr = pytest.importorskip("vcr")
    path = str(tmp_path / "walk.yaml")
    http = requests.Session() if own else None
    with sandbox.session(http=http) as session:
        with vcr.use_cassette(path):
            assert walked(session) == 250
        with vcr.use_cassette(path, record_mode="none") as cassette:
            assert walked(session) == 250
            assert cassette.play_count == len(sandbox.requests) == 3
        assert walked(session) == 250
    assert len(sandbox.requests) == 6
