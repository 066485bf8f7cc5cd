"""The example of a budget that workers share, on a real file and a real Redis."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from wacht.sandbox import Sandbox

for module in ("filelock", "pyrate_limiter"):
    pytest.importorskip(module)
redis = pytest.importorskip("redis")

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def redis_socket(tmp_path: Path) -> Iterator[str]:
    """A redis-server of this test's own, on a Unix socket."""
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("there is no redis-server on this machine")
    socket = str(tmp_path / "redis.sock")
    options = ["--port", "0", "--unixsocket", socket, "--save", ""]
    with subprocess.Popen([server, *options], stdout=subprocess.DEVNULL) as process:
        while not Path(socket).exists():
            assert process.poll() is None
            time.sleep(0.05)
        yield socket
        process.terminate()


@pytest.fixture(params=["file", "redis"])
def open_budget(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Any]:
    """What opens the same budget once more, as another worker does."""
    monkeypatch.syspath_prepend(EXAMPLES)
    example = importlib.import_module("shared_budget")
    if request.param == "file":
        return lambda: example.budget_in_file(tmp_path / "budget.sqlite")
    socket = request.getfixturevalue("redis_socket")
    return lambda: example.budget_in_redis(redis.Redis(unix_socket_path=socket), "test")


def test_budget__is_shared(open_budget: Callable[[], Any], sandbox: Sandbox) -> None:
    def work(budget: Any) -> list[int]:
        """Walk, reserve more places, and return the milliseconds of all of them."""
        put, taken = budget._bucket.put, []

        def noting(item: Any) -> bool:
            if free := put(item):
                taken.append(item.timestamp)
            return bool(free)

        budget._bucket.put = noting
        with sandbox.session(throttle=budget) as session:
            assert len([*session.iter_execution_contexts()]) == 250
        for _ in range(40):
            with budget.slot(lambda _: None):
                pass
        return taken

    with ThreadPoolExecutor() as pool:
        budgets = [open_budget(), open_budget()]
        together = sorted(sum(pool.map(work, budgets), []))  # noqa: RUF017 - two lists
    for budget in budgets:
        budget._bucket.close()
    assert len(together) == 2 * (3 + 40)
    for earlier, later in zip(together, together[20:], strict=False):
        assert later - earlier > 1_000
