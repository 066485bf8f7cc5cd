"""Connecting: addresses, proxies, tunnels and TLS, all within one time limit."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests
from urllib3 import Retry

import wacht
from tests.leaks import leaks
from tests.servers import RawServer, Wire, page_of
from wacht.throttle import Slot

RETRIES = Retry(5, backoff_factor=0.01)
CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Resolve `service.invalid` to these addresses."""
    resolved: list[str] = []
    resolve = socket.getaddrinfo

    def getaddrinfo(host: str, *arguments: Any, **options: Any) -> Any:
        hosts = resolved if host == "service.invalid" else [host]
        return [info for each in hosts for info in resolve(each, *arguments, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return resolved


def session_at(url: str, **settings: Any) -> wacht.Session:
    settings |= {"allow_plain_http": True, "throttle": None}
    return wacht.Session("k", base_url=url, **settings)


def fetch_error(session: wacht.Session) -> wacht.RequestError:
    with session, pytest.raises(wacht.RequestError) as caught:
        session.fetch_execution_contexts()
    return caught.value


def test_addresses__the_next_one_if_one_refuses(addresses: list[str]) -> None:
    addresses += ["127.0.0.2", "127.0.0.1"]
    with RawServer() as server:
        url = server.url.replace("127.0.0.1", "service.invalid")
        with session_at(url) as session:
            assert len(session.fetch_execution_contexts()) == 20
        assert b"Host: service.invalid" in server.heads[0]


@pytest.mark.parametrize(
    "host", ["service.invalid", f"{'x' * 64}.invalid", "x..invalid"]
)
def test_host__that_does_not_resolve(host: str) -> None:
    session = session_at(f"https://{host}", retry=RETRIES)
    error = fetch_error(session)
    assert "the host name doesn't resolve" in str(error)
    assert error.attempts == 2


@pytest.fixture
def proxy_session(monkeypatch: pytest.MonkeyPatch) -> Any:
    def open_session(proxy: RawServer, **settings: Any) -> wacht.Session:
        monkeypatch.setenv("https_proxy", proxy.url)
        return wacht.Session("k", base_url="https://service.invalid", **settings)

    return open_session


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("status", ["407 Who are you", "403 No", "401 Who"])
def test_proxy__that_refuses(status: str, proxy_session: Any, *, own: bool) -> None:
    with (
        RawServer(lambda wire: wire.answer(b"", status=status)) as proxy,
        requests.Session() as http,
    ):
        settings = {"http": http} if own else {}
        session = proxy_session(proxy, retry=RETRIES, **settings)
        fetch_error(session)
        session.close()
        error = fetch_error(session)
        assert "the proxy refused (https_proxy, or " in str(error)
        assert (len(proxy.heads), error.attempts) == (2, 1)
        assert b"CONNECT service.invalid:443" in proxy.heads[0]


UNUSABLE_PROXIES = [
    *(f"{scheme}://me:secret@proxy.invalid" for scheme in ("socks9", "ftp", "")),
    *(f"http://me:secret{character}x@proxy.invalid" for character in "/?#[]\\\n"),
    *(f"http://me:secret@{rest}" for rest in ("", "h:99999", "h:x", "h/path", "[h]")),
    "http://me:secret%E2%82%AC@proxy.invalid",  # can't be sent
    "secret/@proxy.invalid",
]


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("url", UNUSABLE_PROXIES)
def test_proxy__that_cannot_be_used(
    url: str, monkeypatch: pytest.MonkeyPatch, *, own: bool
) -> None:
    """It isn't tried again, and no part of its URL is shown."""
    monkeypatch.setenv("https_proxy", url)
    with requests.Session() as http:
        session = wacht.Session("key", retry=RETRIES, http=http if own else None)
        error = fetch_error(session)
    assert "the proxy can't be used (https_proxy, or " in str(error)
    assert leaks(error, "secret") == leaks(error, "proxy.invalid") == []
    assert error.attempts == 1


def test_proxy__password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Characters that can't be mistaken need no `%XX`."""
    with RawServer(lambda wire: wire.answer(b"", status="407 No")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url.replace("//", "//me:a@ b:%2F!@"))
        fetch_error(session_at("https://service.invalid"))
    assert b64encode(b"me:a@ b:/!") in proxy.heads[0]


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 103 Hi\r\n\r\n" + CONNECTED])
def test_tunnel__is_within_the_time_of_connecting(
    head: bytes, proxy_session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow proxy, or a slow TLS handshake behind it; no request was sent yet."""
    sent: list[Slot] = []
    monkeypatch.setattr(Slot, "sent", sent.append)

    def script(wire: Wire) -> None:
        wire.send(head)
        wire.pause(60)

    with RawServer(script) as proxy:
        start = time.monotonic()
        fetch_error(proxy_session(proxy, retry=Retry(0), timeout=(0.5, 60)))
        with (
            proxy_session(proxy, timeout=60) as session,
            pytest.raises(wacht.DeadlineExceededError),
        ):
            next(session.iter_execution_contexts(deadline=0.5))
        assert time.monotonic() - start < 20
    assert sent == []


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Make a key and a certificate for `service.invalid`, in one file."""
    path = tmp_path / "service.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=service.invalid "
        f"-addext subjectAltName=DNS:service.invalid -keyout {path} -out {path}.crt"
    )
    try:
        subprocess.run(command.split(), check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs the program openssl")
    path.write_text(path.read_text() + (tmp_path / "service.pem.crt").read_text())
    return path


@pytest.mark.parametrize(
    ("bundle", "says"),
    [
        (None, "the server doesn't speak TLS on this port"),
        ("", "a certificate file can't be used"),
        ("no certificate", "a certificate file can't be used"),
        ("absent", "a certificate file can't be used"),
    ],
)
def test_tls__another_attempt_cannot_help(
    bundle: str | None, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if bundle is not None:
        path = tmp_path / "ca.pem"
        if bundle != "absent":
            path.write_text(bundle)
        monkeypatch.setenv("CURL_CA_BUNDLE", str(path))
    with RawServer() as server:  # of plain HTTP: it answers a handshake with a 400
        url = server.url.replace("http", "https")
        error = fetch_error(session_at(url, retry=RETRIES))
    assert says in str(error)
    assert error.attempts == 1


def serve_tls(listener: socket.socket, certificate: Path, *answers: bytes) -> None:
    """Give an answer to each request, on as many connections as it takes."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    left = list(answers)
    while left:
        connection, _ = listener.accept()
        try:
            tls = context.wrap_socket(connection, server_side=True)
        except OSError:  # the client doesn't trust the certificate
            connection.close()
            return
        with contextlib.suppress(OSError), tls:
            while left and tls.recv(9999):
                tls.sendall(left.pop(0))


@pytest.fixture
def tls_session(addresses: list[str], certificate: Path) -> Any:
    addresses += ["127.0.0.1"]

    @contextlib.contextmanager
    def open_session(*answers: bytes) -> Iterator[wacht.Session]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = Thread(target=serve_tls, args=(listener, certificate, *answers))
            thread.start()
            url = f"https://service.invalid:{listener.getsockname()[1]}"
            with session_at(url, retry=RETRIES) as session:
                yield session
            thread.join()

    return open_session


def whole(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def test_tls__checks_the_name(
    tls_session: Any, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does so although connections are opened by address."""
    with tls_session(whole(page_of([]))) as session:
        error = fetch_error(session)
    assert "the server's certificate isn't trusted" in str(error)
    assert error.attempts == 1
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with tls_session(whole(page_of([]))) as session:
        assert len(session.fetch_execution_contexts()) == 0


def test_tls__answer_that_nobody_asked_for(
    tls_session: Any, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left in the TLS layer isn't taken for the next page."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    first, smuggled = whole(page_of(["1"] * 900)), whole(page_of(["no"]))
    assert 8192 < len(first) < len(first + smuggled) < 2**14  # one record
    with tls_session(first + smuggled, whole(page_of(["2"]))) as session:
        pages = [session.fetch_execution_contexts() for _ in range(2)]
    assert [page[0].id for page in pages] == ["1", "2"]
