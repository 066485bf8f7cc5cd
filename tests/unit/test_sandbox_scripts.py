"""Each fault is an exact sequence of bytes, pauses and ends."""

import gzip
import itertools
from collections.abc import Iterator
from typing import Literal

import pytest

from wacht.sandbox import scripts
from wacht.sandbox.answer import Answer
from wacht.sandbox.scripts import Script
from wacht.sandbox.server import End, Pause, Step

ANSWER = Answer(200, b"12345678", {"Content-Type": "text/plain"})
START = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
HEAD = START + b"Content-Length: 8\r\n\r\n"
CHUNKED = START + b"Transfer-Encoding: chunked\r\n\r\n"
GZIP = START + b"Content-Encoding: gzip\r\nContent-Length: 8\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "head"),
    [
        (ANSWER, HEAD),
        (Answer(599), b"HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n"),
        (
            Answer(200, b"x", {"content-length": "9"}),
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n",
        ),
        (
            Answer(200, b"x", {"TRANSFER-ENCODING": "chunked"}),
            b"HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: chunked\r\n\r\n",
        ),
    ],
    ids=["length added", "unknown status", "own length", "own encoding"],
)
def test_answer__head(answer: Answer, head: bytes) -> None:
    """The length is added, unless the headers frame the body."""
    assert answer.head == head


@pytest.mark.parametrize(
    ("script", "steps"),
    [
        (scripts.whole, [HEAD + b"12345678"]),
        (scripts.break_off("request", End.CLOSE), [End.CLOSE]),
        (
            scripts.break_off("headers", End.RESET),
            [HEAD[: len(HEAD) // 2], End.RESET],
        ),
        (scripts.break_off("body", End.RESET), [HEAD + b"1234", End.RESET]),
        (
            scripts.break_chunk,
            [CHUNKED + b"4\r\n1234\r\nnot a size\r\n", End.CLOSE],
        ),
        (scripts.garble, [GZIP + b"12345678"]),
        (scripts.stall(7, "request"), [Pause(7), HEAD + b"12345678"]),
        (scripts.stall(7, "body"), [HEAD + b"1234", Pause(7), b"5678"]),
    ],
)
def test_script__steps(script: Script, steps: list[Step]) -> None:
    """A script is exactly these steps."""
    assert list(script(ANSWER)) == steps


@pytest.mark.parametrize("at", ["headers", "body"])
def test_trickle__byte_by_byte(at: Literal["headers", "body"]) -> None:
    """The headers or the body come byte by byte, each after a pause."""
    steps = list(scripts.trickle(0.5, at)(ANSWER))
    slow = HEAD if at == "headers" else b"12345678"
    drops = steps[:-1] if at == "headers" else steps[1:]
    assert drops == [step for byte in slow for step in (Pause(0.5), bytes([byte]))]
    whole = [*drops, b"12345678"] if at == "headers" else [HEAD, *drops]
    assert steps == whole


def test_flood__never_ends() -> None:
    """The body is one chunk of spaces after another."""
    head, *chunks = itertools.islice(scripts.flood(ANSWER), 1000)
    assert head == CHUNKED
    assert set(chunks) == {b"10000\r\n" + b" " * 65536 + b"\r\n"}


def _unchunked(data: bytes) -> Iterator[bytes]:
    while (size := int(data[: data.index(b"\r\n")], 16)) > 0:
        start = data.index(b"\r\n") + 2
        yield data[start : start + size]
        data = data[start + size + 2 :]
    assert data == b"0\r\n\r\n"


@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 1, 20_000_000])
def test_bomb__unpacks_to_its_size(size: int) -> None:
    """A bomb is one gzip stream in chunks, and much smaller than what it unpacks to."""
    steps = scripts.bomb(size)(ANSWER)
    data = b"".join(step for step in steps if isinstance(step, bytes))
    head, _, chunks = data.partition(b"\r\n\r\n")
    packed = b"".join(_unchunked(chunks))
    assert head.endswith(b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked")
    assert gzip.decompress(packed) == b" " * size
    assert len(packed) < 100 + size / 500
