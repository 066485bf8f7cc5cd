"""The scripts of the sandbox: which bytes, pauses and ends a fault is made of."""

import gzip
import itertools
from collections.abc import Iterator

import pytest

from wacht.sandbox import faults
from wacht.sandbox.faults import Answer, End, Pause, Script, Step

ANSWER = Answer(200, b"12345678", {"Content-Type": "text/plain"})
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\n"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
)


def _head(*headers: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", *headers, "", ""]).encode()


def test_head__says_how_long_the_body_is() -> None:
    """The length is added to the answer's own headers."""
    assert ANSWER.head == HEAD


@pytest.mark.parametrize(
    ("name", "value"), [("content-length", "99"), ("TRANSFER-ENCODING", "chunked")]
)
def test_head__leaves_framing_to_who_brings_it(name: str, value: str) -> None:
    """Where the headers frame the body, whatever their case, no length is added."""
    assert Answer(200, b"x", {name: value}).head == _head(f"{name}: {value}")


def test_head__unknown_status_has_no_phrase() -> None:
    """A status that the standard doesn't know has an empty phrase."""
    assert Answer(599).head == b"HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("script", "steps"),
    [
        (faults.whole, [HEAD + b"12345678"]),
        (faults.hang_up, [End.CLOSE]),
        (faults.cut, [HEAD + b"1234", End.CLOSE]),
        (faults.reset_request, [End.RESET]),
        (faults.reset_headers, [HEAD[: len(HEAD) // 2], End.RESET]),
        (faults.reset_body, [HEAD + b"1234", End.RESET]),
        (
            faults.break_chunk,
            [CHUNKED + b"4\r\n1234\r\nnot a size\r\n", End.CLOSE],
        ),
        (
            faults.garble,
            [
                _head(
                    "Content-Type: text/plain",
                    "Content-Encoding: gzip",
                    "Content-Length: 8",
                )
                + b"12345678"
            ],
        ),
        (faults.stall_headers(7), [Pause(7), HEAD + b"12345678"]),
        (faults.stall_body(7), [HEAD + b"1234", Pause(7), b"5678"]),
    ],
)
def test_script__steps(script: Script, steps: list[Step]) -> None:
    """A fault is exactly these bytes, pauses and end, in this order."""
    assert list(script(ANSWER)) == steps


def test_trickle_headers__a_byte_at_a_time() -> None:
    """The headers come byte by byte, each after a pause, and the body in one piece."""
    *drops, body = faults.trickle_headers(0.5)(ANSWER)
    assert drops[0::2] == [Pause(0.5)] * len(HEAD)
    assert drops[1::2] == [bytes([byte]) for byte in HEAD]
    assert body == b"12345678"


def test_trickle_body__a_byte_at_a_time() -> None:
    """The headers come in one piece, and the body byte by byte after pauses."""
    head, *drops = faults.trickle_body(0.5)(ANSWER)
    assert head == HEAD
    assert drops[0::2] == [Pause(0.5)] * 8
    assert drops[1::2] == [b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8"]


def test_flood__never_ends() -> None:
    """The body is a chunk of spaces after the other, for as long as one listens."""
    head, *chunks = itertools.islice(faults.flood(ANSWER), 1000)
    assert head == CHUNKED
    assert set(chunks) == {b"10000\r\n" + b" " * 65536 + b"\r\n"}


def _unchunked(data: bytes) -> Iterator[bytes]:
    while (size := int(data[: data.index(b"\r\n")], 16)) > 0:
        start = data.index(b"\r\n") + 2
        yield data[start : start + size]
        data = data[start + size + 2 :]
    assert data == b"0\r\n\r\n"


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 20_000_000])
def test_bomb__unpacks_to_its_size(size: int) -> None:
    """A bomb is whole chunks of one gzip stream of exactly that many spaces."""
    data = b"".join(
        step for step in faults.bomb(size)(ANSWER) if isinstance(step, bytes)
    )
    head, _, chunks = data.partition(b"\r\n\r\n")
    packed = b"".join(_unchunked(chunks))
    assert head.endswith(b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked")
    assert gzip.decompress(packed) == b" " * size
    assert len(packed) < 100 + size / 500
