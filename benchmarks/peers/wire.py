"""A server on loopback for a world, which breaks the answer that is to break."""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from world import BROKEN, CAP, Reply, Request

if TYPE_CHECKING:
    from world import World

TOO_MANY = {  # the shapes of all services together: some clients retry by the code only
    "object": "error",
    "status": 429,
    "code": "rate_limited",
    "message": "slow down",
    "error": {"code": "rate_limit_exceeded", "message": "slow down", "type": "rate"},
}


class Handler(BaseHTTPRequestHandler):
    """Answer with what the service of the compared client would send."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """Answer, or break the answer."""
        world = self.server.world
        if world.requests > CAP:
            self.server.closing.wait()
            return
        world.note(self.headers)
        before = world.requests
        reply = world.service(self._request(), world)
        self._send(reply if isinstance(reply, Reply) else Reply(reply), before)

    do_POST = do_GET  # noqa: N815 - http.server names it

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        is_json = raw[:1] == b"{"
        body = json.loads(raw) if is_json else dict(parse_qsl(raw.decode()))
        url = f"http://{self.headers['Host']}"
        return Request(parts.path, dict(parse_qsl(parts.query)), body, url)

    def _send(self, reply: Reply, before: int) -> None:
        world = self.server.world
        faulty = (before, world.requests) == (1, 2) and self.server.fault()
        if faulty and world.scenario.startswith("retry-after"):
            seconds = "2.5" if world.scenario == "retry-after" else "86400"
            world.requests = 1
            reply = Reply(TOO_MANY, {"Retry-After": seconds}, 429)
        if faulty and world.scenario == "redirect":
            target = {"Location": f"{self.server.elsewhere}{self.path}"}
            reply = Reply({}, target, 307)
        raw = reply.body if isinstance(reply.body, bytes) else _json(reply.body)
        self.send_response(reply.status)
        headers = {"Content-Type": "application/json", **reply.headers}
        for name, value in {**headers, "Content-Length": str(len(raw))}.items():
            self.send_header(name, value)
        self.end_headers()
        if faulty and world.scenario == "cut":
            world.requests = 1
            self.close_connection = True
            raw = raw[: len(raw) // 2]
        self.wfile.write(raw)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


class Server(ThreadingHTTPServer):
    """Serve a world on loopback, in background threads."""

    daemon_threads = True

    def __init__(self, world: World, elsewhere: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.world = world
        self.elsewhere = elsewhere
        self.closing = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._faults = 1 if world.scenario in BROKEN else 0
        self._broken_at: float | None = None
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def fault(self) -> bool:
        """Say whether to break this answer: the first time only."""
        self._faults -= 1
        if self._faults == 0:
            self._broken_at = time.monotonic()
        elif self._broken_at and self.world.waited is None:
            self.world.waited = time.monotonic() - self._broken_at
        return self._faults == 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print the error, unless the client has left: it may do so at any point."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        """Let go of the clients that never end, and stop."""
        self.closing.set()
        self.shutdown()
        self.server_close()
