"""
The example of a budget that processes share, on a real file and a real Redis.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wacht.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.importorskip("pyrate_limiter")
redis = pytest.importorskip("redis")

EXAMPLES = Path(__file__).parents[2] / "examples"
PROCESSES = 3
REQUESTS = 15

SCRIPT = """
import sys
from pathlib import Path
from redis import Redis
import shared_budget
import wacht

def noted(put):
    def noting(item):
        if taken := put(item):
            print(item.timestamp)
        return taken
    return noting

kind, place = sys.argv[1:]
if kind == "file":
    budget = shared_budget.budget_in_file(Path(place))
else:
    budget = shared_budget.budget_in_redis(Redis(unix_socket_path=place), "wacht:test")
budget._bucket.put = noted(budget._bucket.put)
with wacht.Session(throttle=budget) as session:
    for _ in range({requests}):
        session.fetch_execution_contexts()
"""


@pytest.fixture
def redis_socket(tmp_path: Path) -> Iterator[Path]:
    """A redis-server of this test's own, on a Unix socket."""
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("there is no redis-server on this machine")
    socket = tmp_path / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(socket), "--save", ""]
    with subprocess.Popen([server, *options], stdout=subprocess.DEVNULL) as process:
        client = redis.Redis(unix_socket_path=str(socket))
        for _ in range(100):
            try:
                client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.05)
        yield socket
        client.close()
        process.terminate()


def taken(kind: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Tell at which millisecond each place in the budget was taken."""
    with Sandbox() as sandbox:
        monkeypatch.setenv("WACHT_BASE_URL", sandbox.url)
        monkeypatch.setenv("WACHT_API_KEY", "wk_sandbox")
        command = [sys.executable, "-c", SCRIPT.format(requests=REQUESTS)]
        processes = [
            subprocess.Popen(
                [*command, kind, str(place)], cwd=EXAMPLES, stdout=subprocess.PIPE
            )
            for _ in range(PROCESSES)
        ]
        said = [process.communicate(timeout=60)[0] for process in processes]
        assert [process.returncode for process in processes] == [0] * PROCESSES
        assert len(sandbox.requests) == PROCESSES * REQUESTS
    return sorted(map(int, b"".join(said).split()))


def assert_within_limits(times: list[int]) -> None:
    assert len(times) == PROCESSES * REQUESTS
    for earlier, later in zip(times, times[20:], strict=False):
        assert later - earlier > 1_000


def test_budget__in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that share a file send at most 20 requests in any second together."""
    assert_within_limits(taken("file", tmp_path / "budget.sqlite", monkeypatch))


def test_budget__in_redis(redis_socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines that share a Redis send at most 20 requests in any second together."""
    assert_within_limits(taken("redis", redis_socket, monkeypatch))
