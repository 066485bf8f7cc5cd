"""Everything that can end an attempt early, on real sockets: each once, and always."""

from __future__ import annotations

import functools
import gzip
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import requests
from attrs import frozen
from urllib3 import Retry

import wacht
from tests.leaks import leaks
from tests.model import ids_of
from tests.servers import KEEP, KEY, RawServer, Script, Wire, page_of

QUICK = {"backoff_factor": 0.01, "status_forcelist": [429, *range(500, 600)]}
ATTEMPTS = 2
# Seconds for a read. A busy machine may need some tenths of one for an answer.
PATIENT, HASTY = 30.0, 1.0

PAGE = page_of(["1", "2", "3"])
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
GZIP = "Content-Encoding: gzip"


@frozen
class Case:
    """A fault, and the error if it happens always."""

    script: Script
    says: str
    timeout: float = PATIENT


def late(script: Script, says: str = "the answer is too slow") -> Case:
    return Case(script, says, timeout=HASTY)


def sends(data: bytes, end: object = None) -> Script:
    """Send these bytes, and then close the connection or `KEEP` it."""

    def script(wire: Wire) -> object:
        wire.send(data)
        return end

    return script


def resets(data: bytes) -> Script:
    """Send these bytes, and reset the connection."""

    def script(wire: Wire) -> None:
        wire.send(data)
        wire.pause(0.02)  # what is under way when the reset comes may be lost with it
        wire.reset()

    return script


def goes_on(data: bytes, more: bytes, pause: float = 0.05) -> Script:
    """Send these bytes, and then more of them without end."""

    def script(wire: Wire) -> None:
        wire.send(data)
        while True:
            wire.pause(pause)
            wire.send(more)

    return script


def floods(data: bytes, more: bytes) -> Script:
    return goes_on(data, more, 0.001)  # leaves some time to others


def with_length(body: bytes, *headers: str) -> bytes:
    lines = [f"Content-Length: {len(body)}", *headers, "", ""]
    return OK + "\r\n".join(lines).encode() + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


EMPTY_GZIP_BLOCK = b"\x00\x00\x00\xff\xff"
GZIP_HEAD = gzip.compress(b"")[:10]

NO_DATA = "no data in time"
BROKEN = "the connection broke"
CUT = "the body was cut off"
NOT_GZIP = "the body can.t be decompressed"
HALF = with_length(PAGE)[:-9]

CASES = {
    "reset": Case(resets(b""), BROKEN),
    "closed without a byte": Case(sends(b""), BROKEN),
    "silent": late(lambda wire: wire.pause(9), NO_DATA),
    "not HTTP": Case(sends(b"SSH-2.0-OpenSSH_9.6\r\n"), BROKEN),
    "headers reset": Case(resets(OK + b"Content-Ty"), BROKEN),
    "headers cut": Case(sends(OK + b"Content-Ty"), BROKEN),
    "headers cut behind the length": Case(sends(OK + b"Content-Length: 0\r\n"), BROKEN),
    "headers without end": Case(floods(OK, b"X-More: of the same\r\n"), BROKEN),
    "headers unreadable": Case(
        sends(OK + b"no header\r\nContent-Length: 0\r\n\r\n"), "can.t be parsed"
    ),
    "header line without end": Case(floods(OK + b"X: ", b"x" * 999), BROKEN),
    "informational answers without end": late(
        floods(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n")
    ),
    "another protocol": Case(
        sends(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", KEEP), "informational answer"
    ),
    "headers trickle": late(goes_on(OK, b"X")),
    "lengths contradict": Case(
        sends(OK + b"Content-Length: 3, 4\r\n\r\n123"), "the headers contradict"
    ),
    "body cut": Case(sends(HALF), CUT),
    "body stalls": late(goes_on(HALF, b" ", 9), NO_DATA),
    "body trickles": late(goes_on(OK + b"Content-Length: 999\r\n\r\n", b" ")),
    "close-delimited body reset": Case(resets(OK + b"\r\n" + PAGE[:20]), BROKEN),
    "chunk broken": Case(sends(CHUNKED + b"no size\r\n"), CUT),
    "last chunk missing": Case(sends(CHUNKED + chunk(PAGE)), CUT),
    "chunk size trickles": late(goes_on(CHUNKED, b"0")),
    "trailers without end": late(
        floods(CHUNKED + chunk(PAGE) + b"0\r\n", b"X-More: of the same\r\n")
    ),
    "not compressed": Case(sends(with_length(PAGE, GZIP), KEEP), NOT_GZIP),
    "compressed body of nothing": late(
        goes_on(OK + f"{GZIP}\r\n\r\n".encode() + GZIP_HEAD, EMPTY_GZIP_BLOCK)
    ),
}


def session_at(server: RawServer, case: Case) -> wacht.Session:
    retry = Retry(total=ATTEMPTS - 1, **QUICK)
    return server.session(retry=retry, timeout=(5, case.timeout))


def once(case: Case) -> None:
    """It costs one more request, and no context."""
    with RawServer(case.script, times=1) as server, session_at(server, case) as session:
        assert ids_of(session.iter_execution_contexts()) == server.ids
        assert len(server.heads) == 4


def always(case: Case) -> None:
    """It is one typed error, when the attempts are used up."""
    start = time.monotonic()
    with RawServer(case.script) as server, session_at(server, case) as session:
        with pytest.raises(wacht.RequestError, match=case.says) as caught:
            session.fetch_execution_contexts()
        assert caught.value.attempts == len(server.heads) == ATTEMPTS
    assert leaks(caught.value, KEY) == []
    assert time.monotonic() - start < PATIENT  # no read took until its timeout


@functools.cache
def slow_checks() -> dict[Any, Future[None]]:
    """Run all slow cases at the same time."""
    slow = [name for name, case in CASES.items() if case.timeout is HASTY]
    keys = [(check, name) for name in slow for check in (once, always)]
    with ThreadPoolExecutor(len(keys)) as pool:
        return {key: pool.submit(key[0], CASES[key[1]]) for key in keys}


@pytest.mark.parametrize("check", [once, always])
@pytest.mark.parametrize("name", CASES)
def test_fault(name: str, check: Callable[[Case], None]) -> None:
    if CASES[name].timeout is HASTY:
        slow_checks()[check, name].result()
    else:
        check(CASES[name])


CHUNKS = b"".join(chunk(bytes([byte])) for byte in gzip.compress(PAGE))


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"\r\n" + PAGE,
        CHUNKED[:-2] + GZIP.encode() + b"\r\n\r\n" + CHUNKS + b"0\r\nX-Sum: 1\r\n\r\n",
    ],
    ids=["close-delimited", "gzip in chunks"],
)
def test_page__in_each_encoding(answer: bytes) -> None:
    with RawServer(lambda w: w.send(answer)) as server, server.session() as session:
        assert ids_of(iter(session.fetch_execution_contexts())) == ["1", "2", "3"]
        assert len(server.heads) == 1


@pytest.mark.parametrize("own", [False, True])
def test_informational_answer__is_no_answer(*, own: bool) -> None:
    """The answer behind it isn't given to the next request."""

    def script(wire: Wire) -> object:
        wire.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        wire.pause(0.05)
        wire.answer(page_of([wire.query["page"]]))
        return KEEP

    http = requests.Session() if own else None
    retry = Retry(1, **QUICK)
    with RawServer(script) as server, server.session(http=http, retry=retry) as session:
        for page in range(1, 4):
            try:
                contexts = session.fetch_execution_contexts(page=page)
            except wacht.RequestError as error:  # other connections can't skip it
                assert own
                assert "an informational answer" in str(error)  # noqa: PT017
            else:
                assert ids_of(iter(contexts)) == [str(page)]
        assert len(server.heads) == (6 if own else 3)


def test_slow_but_steady__is_fine() -> None:
    """Headers, and then a body, may take longer than a read, up to three times that."""
    head = OK + b"Content-Length: %d\r\n\r\n" % len(PAGE)

    def script(wire: Wire) -> None:
        for part in (head, PAGE):
            for start in range(0, len(part), len(part) // 8):
                wire.pause(0.2)  # a seventh of a read; a busy machine adds to it
                wire.send(part[start : start + len(part) // 8])

    with RawServer(script) as server, server.session(timeout=1.4) as session:
        assert len(session.fetch_execution_contexts()) == 3
        assert len(server.heads) == 1
