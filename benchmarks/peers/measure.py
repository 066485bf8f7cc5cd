"""
What popular clients do with a list that misbehaves.

`python benchmarks/peers/measure.py stripe`, in an environment that has the client,
tries all scenarios, and `measure.py stripe cut redirect` two of them. Without a
client's name it tries all that are installed. Each run has its own server on loopback.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import services
from wire import Server
from world import CAP, KEY, NETRC_PASSWORD, SCENARIOS, World

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 25  # the most that one list may take
CLIENTS = {  # distribution: the function that lists, and its service
    "wacht": "wacht",
    "wacht (page)": "wacht_page",
    "wacht (page, exhaustive)": "wacht_exhaustive",
    "langsmith": "langsmith",
    "langsmith (list_runs)": "langsmith_list_runs",
    "langfuse": "langfuse",
    "mlflow": "mlflow",
    "wandb": "wandb",
    "opik": "opik",
    "arize-phoenix-client": "phoenix",
    "openai": "openai",
    "anthropic": "anthropic",
    "stripe": "stripe",
    "python-gitlab": "gitlab",
    "PyGithub": "github",
    "pyairtable": "airtable",
    "notion-client": "notion",
    "twilio": "twilio",
    "hcloud": "hcloud",
    "boto3": "aws",
    "slack-sdk": "slack",
    "huggingface_hub": "hub",
}
SERVICES = {  # where the names differ
    "wacht": services.wacht_offset,
    "wacht_exhaustive": services.wacht_page,
    "langsmith_list_runs": services.langsmith,
}


def run(name: str, scenario: str) -> str:
    """Let a client list once, and say what came of it."""
    service = SERVICES.get(name) or getattr(services, name)
    world = World(scenario, service)
    other = Server(World("calm", service))
    server = Server(world, other.url.replace("127.0.0.1", "localhost"))
    start = time.monotonic()
    try:
        result = _listed(name, server)
    finally:
        server.close()
        other.close()
    notes = [f"{world.requests} requests", f"{time.monotonic() - start:.0f} s"]
    if world.waited is not None:
        notes.append(f"asked again after {world.waited:.1f} s")
    notes += _leaks(world, other.world)
    return f"{_verdict(result, world)} ({', '.join(notes)})"


def _leaks(world: World, other: World) -> Iterator[str]:
    sent = set().union(*world.secrets)
    if NETRC_PASSWORD in sent:
        yield "the password of the .netrc is sent"
    if world.scenario == "netrc" and KEY not in sent:
        yield "the key is not sent"
    # Only the first one follows the redirect. Links may lead to the later ones.
    if other.secrets and KEY in other.secrets[0]:
        yield "the key follows the redirect"


def _listed(name: str, server: Server) -> dict[str, Any] | None:
    """Run the client in a process of its own, until it ends or has had enough."""
    program = str(Path(__file__).with_name("clients.py"))
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryFile("w+") as output:
        names = ("PATH", "LANG", "PYTHONPATH")
        env = {key: os.environ[key] for key in names if key in os.environ}
        key = KEY + "\n" * (server.world.scenario == "newline")
        env |= {"HOME": home, "NO_PROXY": "127.0.0.1,localhost", "KEY": key}
        if server.world.scenario == "netrc":
            netrc = f"machine 127.0.0.1 login user password {NETRC_PASSWORD}\n"
            Path(home, ".netrc").write_text(netrc, encoding="ascii")
        command = [sys.executable, program, name, server.url]
        with subprocess.Popen(
            command, stdout=output, stderr=output, env=env, start_new_session=True
        ) as child:
            ended = _wait(child, server.world)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # and what the client started
        output.seek(0)
        lines = [line for line in output if line.startswith("RESULT ")]
    if lines:
        return json.loads(lines[0].removeprefix("RESULT "))
    return {"ids": [], "error": "it died"} if ended else None


def _wait(child: subprocess.Popen[bytes], world: World) -> bool:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and world.requests <= CAP:
        if child.poll() is not None:
            return True
        time.sleep(0.1)
    return False


def _verdict(result: dict[str, Any] | None, world: World) -> str:
    if result is None:
        return "doesn't end" if world.requests > CAP else "waits"
    given = [int(item.rpartition("-")[2]) for item in result["ids"]]
    missing = len(world.stayed - set(given))
    again = len(given) - len(set(given))
    words = [f"{missing} missing"] * (missing > 0) + [f"{again} twice"] * (again > 0)
    found = ", ".join(words) or "all, once each"
    if result["error"]:
        shown = "the whole key in " * (KEY in result["error"])
        return f"{shown}{result['error'][:200]!r} after {len(given)}"
    return found


def installed(distribution: str) -> str | None:
    """Return a distribution's version, if it is here."""
    try:
        return version(distribution.partition(" ")[0])
    except PackageNotFoundError:
        return None


def main(*wanted: str) -> None:
    """Measure the clients or scenarios that were named, or all there are."""
    scenarios = [each for each in SCENARIOS if each in wanted] or list(SCENARIOS)
    wanted = tuple(each for each in wanted if each not in SCENARIOS)
    for distribution, name in CLIENTS.items():
        found = installed(distribution)
        if found and (not wanted or distribution in wanted):
            print(f"{distribution} {found}, Python {platform.python_version()}")
            for scenario in scenarios:
                print(f"  {scenario}: {run(name, scenario)}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
