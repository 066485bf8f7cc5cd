"""Walks through replicas of different builds behind one balancer."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

import wacht
from wacht.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wacht.sandbox.service import SandboxRevision

NGINX = shutil.which("nginx") or ""
pytestmark = pytest.mark.skipif(not NGINX, reason="needs nginx")

PATIENCE = 30  # seconds that only a broken test waits for
CONTEXTS = 1000

CONFIGURATION = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream replicas {{ {servers} }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://replicas; proxy_set_header Host localhost; }}
    }}
}}
"""


@contextmanager
def balanced(folder: Path, builds: dict[SandboxRevision, int]) -> Iterator[str]:
    """
    Serve several builds behind nginx, which takes them in turn.

    Args:
        folder: Where nginx puts its files.
        builds: The weight of each.

    """
    with ExitStack() as stack:
        servers = []
        for build, weight in builds.items():
            sandbox = stack.enter_context(Sandbox(CONTEXTS, revision=build))
            address = sandbox.url.removeprefix("http://")
            servers.append(f"server {address} weight={weight};")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        configuration = CONFIGURATION.format(
            folder=folder, servers=" ".join(servers), port=port
        )
        (folder / "nginx.conf").write_text(configuration, encoding="utf-8")
        nginx = stack.enter_context(
            subprocess.Popen(
                [NGINX, "-p", folder, "-c", folder / "nginx.conf"],
                stderr=subprocess.DEVNULL,
            )
        )
        stack.callback(nginx.terminate)
        wait_for(port)
        yield f"http://127.0.0.1:{port}"


def wait_for(port: int) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.01)
        else:
            return


@pytest.mark.parametrize("weight", [1, 3])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("page", "offset-without-echo"),
        ("offset-without-echo", "page"),
        ("page", "offset"),
        ("offset", "page"),
        ("offset", "offset-without-echo"),
        ("offset-without-echo", "offset"),
    ],
)
def test_walk__misses_nothing_in_silence(
    tmp_path: Path, first: SandboxRevision, second: SandboxRevision, weight: int
) -> None:
    ids = {context["id"] for context in Sandbox(CONTEXTS).contexts}
    with balanced(tmp_path, {first: weight, second: 1}) as url:
        for prefetch in (0, 0, 0, 8):
            got: list[str | None] = []
            with wacht.Session("wk_sandbox", base_url=url, throttle=None) as session:
                walk = session.iter_execution_contexts(prefetch=prefetch)
                try:
                    got.extend(context.id for context in walk)
                except wacht.PaginationError:
                    continue
            assert len(got) == len(set(got))
            assert set(got) == ids
