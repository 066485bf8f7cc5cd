"""
Fixtures for tests of code that uses wacht.

pytest imports this module at every start, and so it stands beside the package: wacht is
imported by the first test that uses a fixture.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wacht.sandbox import Sandbox


@pytest.fixture
def wacht_unpaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Wait neither for the rate limits nor before retries, also if an answer asks for it.

    A session with a `throttle` or `retry` of its own keeps it. The functions of the
    module get a default session of this test alone.
    """
    from attrs import evolve

    from wacht import Session
    from wacht._http.retry import Retries, decide, default_retry

    default = type(default_retry())

    def decide_at_once(retries: Retries, outcome: Any) -> Retries | None:
        following = decide(retries, outcome)
        if following and isinstance(following.policy, default):
            return evolve(following, wait=0.0)
        return following

    def no_throttle(*_arguments: object) -> None:
        pass

    def make_session(_service: str) -> Session:
        return Session()

    monkeypatch.setattr("wacht._http.endpoint.decide", decide_at_once)
    monkeypatch.setattr("wacht._http.endpoint.shared_throttle", no_throttle)
    monkeypatch.setattr("wacht._session_of", lru_cache(maxsize=1)(make_session))


@pytest.fixture
def wacht_sandbox(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    wacht_unpaced: None,  # noqa: ARG001 - for what it does
) -> Iterator[Sandbox]:
    """
    Return a fresh sandbox, and let the environment's session talk to it, unpaced.

    The arguments of `Sandbox` can be given by indirect parametrization.
    """
    from wacht.sandbox import Sandbox

    with Sandbox(**getattr(request, "param", {})) as sandbox:
        monkeypatch.setenv("WACHT_API_KEY", sandbox.api_key)
        monkeypatch.setenv("WACHT_BASE_URL", sandbox.url)
        yield sandbox
