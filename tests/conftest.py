"""
What holds for every test: a clean environment, and no waiting in unit tests.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

UNIT_TESTS = Path(__file__).parent / "unit"
NETWORK_EVENTS = frozenset({"socket.connect", "socket.getaddrinfo"})
LOOKED_AT = frozenset(
    {"NETRC", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "COLUMNS", "LINES"}
)

# Who starts the tests in the background may have switched off Ctrl-C for them, and for
# the commands that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says nothing about whether it is right.
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


# An audit hook sees a sleep whichever way it is called, default arguments included,
# where a patch of `time.sleep` would not. It cannot be taken away again.
sys.addaudithook(_refuse_to_wait)


@pytest.fixture(autouse=True)
def _nothing_real_in_unit_tests(request: pytest.FixtureRequest) -> Iterator[None]:
    global _in_unit_test  # noqa: PLW0603 - what the hook looks at
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
            or name in LOOKED_AT
        ):
            monkeypatch.delenv(name)
    home = tmp_path_factory.getbasetemp()  # where there is no .netrc
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
