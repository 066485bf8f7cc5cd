"""Each fault is an exact sequence of bytes, pauses and ends."""

from functools import partial

import pytest

from wacht.sandbox import faults
from wacht.sandbox.faults import Script
from wacht.sandbox.server import Action, End, Pause, Response

ANSWER = Response(200, b"12345678", {"Content-Type": "text/plain"})
START = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
HEAD = START + b"Content-Length: 8\r\n\r\n"
HALF = len(HEAD) // 2
CHUNKED = START + b"Transfer-Encoding: chunked\r\n\r\n"
GZIP = START + b"Content-Encoding: gzip\r\nContent-Length: 8\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "head"),
    [
        (ANSWER, HEAD),
        (Response(599), b"HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n"),
        (
            Response(200, b"x", {"content-length": "9"}),
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n",
        ),
        (
            Response(200, b"x", {"TRANSFER-ENCODING": "chunked"}),
            b"HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: chunked\r\n\r\n",
        ),
    ],
    ids=["length added", "unknown status", "own length", "own encoding"],
)
def test_answer__head(answer: Response, head: bytes) -> None:
    assert answer.head == head


@pytest.mark.parametrize(
    ("script", "steps"),
    [
        (faults.whole, [HEAD + b"12345678"]),
        (
            partial(faults._interrupted, at="request", by=Pause(7)),
            [Pause(7), HEAD + b"12345678"],
        ),
        (
            partial(faults._interrupted, at="headers", by=End.RESET),
            [HEAD[:HALF], End.RESET, HEAD[HALF:] + b"12345678"],
        ),
        (
            partial(faults._interrupted, at="body", by=End.CLOSE),
            [HEAD + b"1234", End.CLOSE, b"5678"],
        ),
        (faults._broken_chunk, [CHUNKED + b"4\r\n1234\r\nnot a size\r\n", End.CLOSE]),
        (faults._garbled, [GZIP + b"12345678"]),
    ],
)
def test_script__steps(script: Script, steps: list[Action]) -> None:
    assert list(script(ANSWER)) == steps


def test_trickle__byte_by_byte() -> None:
    head = [step for byte in HEAD for step in (Pause(0.5), bytes([byte]))]
    body = [step for byte in b"12345678" for step in (Pause(0.5), bytes([byte]))]
    assert list(faults._trickled(ANSWER, "headers", 0.5)) == [*head, b"12345678"]
    assert list(faults._trickled(ANSWER, "body", 0.5)) == [HEAD, *body]


def test_answer__headers_beside_json() -> None:
    queue = faults.Faults()
    queue.answer(503, {"a": [1]}, headers={"Retry-After": "2"})
    headers = {"Content-Type": "application/json", "Retry-After": "2"}
    fault = faults.whole, Response(503, b'{"a":[1]}', headers)
    assert queue._next_fault() == fault
