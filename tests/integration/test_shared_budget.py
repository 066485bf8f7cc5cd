"""The example of a budget that processes share, on a real file and a real Redis."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import wacht
from wacht.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

for module in ("filelock", "pyrate_limiter"):
    pytest.importorskip(module)
redis = pytest.importorskip("redis")

EXAMPLES = Path(__file__).parents[2] / "examples"
WORKERS = 2

# Until the sandbox has been sent enough, each worker prints when it may send.
SCRIPT = """
import sys
from pathlib import Path
from redis import Redis
import shared_budget
import wacht

def noted(put):
    def noting(item):
        if taken := put(item):
            print(item.timestamp, flush=True)
        return taken
    return noting

kind, place = sys.argv[1:]
if kind == "file":
    budget = shared_budget.budget_in_file(Path(place))
else:
    budget = shared_budget.budget_in_redis(Redis(unix_socket_path=place), "wacht:test")
budget._bucket.put = noted(budget._bucket.put)
with wacht.Session(throttle=budget) as session:
    for _ in range(60):
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


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the example."""
    monkeypatch.syspath_prepend(EXAMPLES)
    return pytest.importorskip("shared_budget")


def places(kind: str, store: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Return the milliseconds of each worker's places, while all of them work."""
    with Sandbox() as sandbox:
        monkeypatch.setenv("WACHT_BASE_URL", sandbox.url)
        monkeypatch.setenv("WACHT_API_KEY", "wk_sandbox")
        command = [sys.executable, "-c", SCRIPT, kind, str(store)]
        workers = [
            subprocess.Popen(command, cwd=EXAMPLES, stdout=subprocess.PIPE)
            for _ in range(WORKERS)
        ]
        while len(sandbox.requests) < 70 and all(w.poll() is None for w in workers):
            time.sleep(0.05)
        for worker in workers:
            worker.kill()
        printed = [worker.communicate(timeout=60)[0] for worker in workers]
    return [[int(line) for line in lines.split()] for lines in printed]


def assert_shared(places: list[list[int]]) -> None:
    together = sorted(place for worker in places for place in worker)
    assert len(together) >= 70
    for earlier, later in zip(together, together[20:], strict=False):
        assert later - earlier > 1_000
    # As long as both work, each gets places; a busy machine makes shares uneven.
    start = max(worker[0] for worker in places)
    assert all(worker[-1] > start for worker in places)


def test_budget__in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that share a file stay within the limit together."""
    assert_shared(places("file", tmp_path / "budget.sqlite", monkeypatch))


def test_budget__in_redis(redis_socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that share a Redis stay within the limit together."""
    assert_shared(places("redis", redis_socket, monkeypatch))


def test_budget__locked_file(tmp_path: Path, example: Any) -> None:
    """A locked file ends a walk with a RequestError that has a cause and `resume`."""
    path = tmp_path / "budget.sqlite"
    budget = example.budget_in_file(path)
    budget._bucket.conn.execute("PRAGMA busy_timeout = 0")
    with Sandbox() as sandbox, sandbox.session(throttle=budget) as session:
        walk = session.iter_execution_contexts()
        contexts = [next(walk)]
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(wacht.RequestError) as caught:
            contexts.extend(walk)
        other.close()
        assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
        contexts.extend(session.iter_execution_contexts(caught.value.resume))
    assert len({context.id for context in contexts}) == len(contexts) == 250
    budget._bucket.close()
