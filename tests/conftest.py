"""For every test: a clean environment, and in unit tests no sleep and no network."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.clock import Clock
from wacht.sandbox import Sandbox

UNIT_TESTS = Path(__file__).parent / "unit"
NETWORK_EVENTS = frozenset({"socket.connect", "socket.getaddrinfo"})
READ_BY_LIBRARIES = {
    *("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"),
    *("TTY_INTERACTIVE", "NETRC", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),
}

# A shell that starts the tests in the background makes them ignore Ctrl-C, and with
# them the commands that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A slow machine makes no example wrong.
settings.register_profile(
    "wacht",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.register_profile("quick", settings.get_profile("wacht"), max_examples=15)
settings.load_profile("wacht")

_in_unit_test = False


def _refuse_to_wait(event: str, arguments: tuple[Any, ...]) -> None:
    if not _in_unit_test:
        return
    if event in NETWORK_EVENTS or (event == "time.sleep" and arguments[0] > 0):
        pytest.fail(f"{event}{arguments[:2]!r} in a unit test")


# An audit hook notices a sleep however it is called; a patch of `time.sleep` misses the
# default arguments that hold the function. A hook can't be removed, hence the flag.
sys.addaudithook(_refuse_to_wait)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Shorten the ids of long texts."""
    # Not `ids=`, which gives backslashes: mutmut couldn't find the test again.
    is_long = isinstance(val, str | bytes) and len(val) > 40
    return ascii(val)[:40] if is_long else None


@pytest.fixture(autouse=True)
def _nothing_real_in_unit_tests(request: pytest.FixtureRequest) -> Iterator[None]:
    global _in_unit_test  # noqa: PLW0603 - the hook takes no arguments of ours
    _in_unit_test = UNIT_TESTS in request.path.parents
    yield
    _in_unit_test = False


@pytest.fixture(autouse=True)
def _clean_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for name in os.environ:
        if (
            name.startswith(("WACHT_", "TQDM_"))
            or name.upper().endswith("_PROXY")
            or name in READ_BY_LIBRARIES
        ):
            monkeypatch.delenv(name)
    home = tmp_path_factory.getbasetemp()  # has no .netrc
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox
