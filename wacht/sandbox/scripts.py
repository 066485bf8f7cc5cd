"""
The scripts of the faults: answer in; bytes, pauses and the end of the connection out.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

from .answer import Answer
from .server import End, Pause, Step

Place: TypeAlias = Literal["request", "headers", "body"]
Script: TypeAlias = Callable[[Answer], Iterator[Step]]

_MEBIBYTE = 1 << 20


def whole(answer: Answer) -> Iterator[Step]:
    """
    Send the answer as it is.
    """
    # One write: two would meet Nagle's algorithm and the client's delayed ACK.
    yield answer.head + answer.body


def break_off(at: Place, end: End) -> Script:
    """
    End the connection before the answer, or within its headers or body.
    """

    def script(answer: Answer) -> Iterator[Step]:
        if part := _split(answer, at)[0]:
            yield part
        yield end

    return script


def stall(seconds: float, at: Place) -> Script:
    """
    Pause before the answer, or within its headers or body.
    """

    def script(answer: Answer) -> Iterator[Step]:
        before, after = _split(answer, at)
        if before:
            yield before
        yield Pause(seconds)
        yield after

    return script


def trickle(interval: float, at: Place) -> Script:
    """
    Send the headers or the body byte by byte, and the rest at once.
    """

    def script(answer: Answer) -> Iterator[Step]:
        if at == "headers":
            yield from _drops(answer.head, interval)
            yield answer.body
        else:
            yield answer.head
            yield from _drops(answer.body, interval)

    return script


def break_chunk(answer: Answer) -> Iterator[Step]:
    """
    Send half of the body in chunks, then a chunk with an unreadable size.
    """
    half = answer.body[: len(answer.body) // 2]
    yield _chunked(answer).head + _chunk(half) + b"not a size\r\n"
    yield End.CLOSE


def garble(answer: Answer) -> Iterator[Step]:
    """
    Announce gzip and send the body as it is.
    """
    return whole(answer.with_header("Content-Encoding", "gzip"))


def flood(answer: Answer) -> Iterator[Step]:
    """
    Send spaces without end.
    """
    yield _chunked(answer).head
    chunk = _chunk(b" " * 65536)
    while True:
        yield chunk


def bomb(size: int) -> Script:
    """
    Send `size` spaces, packed with gzip.
    """

    def script(answer: Answer) -> Iterator[Step]:
        yield _chunked(answer.with_header("Content-Encoding", "gzip")).head
        for packed in _gzip_of_spaces(size):
            yield _chunk(packed)
        yield b"0\r\n\r\n"

    return script


def _split(answer: Answer, at: Place) -> tuple[bytes, bytes]:
    positions = {
        "request": 0,
        "headers": len(answer.head) // 2,
        "body": len(answer.head) + len(answer.body) // 2,
    }
    data = answer.head + answer.body
    return data[: positions[at]], data[positions[at] :]


def _drops(data: bytes, interval: float) -> Iterator[Step]:
    for position in range(len(data)):
        yield Pause(interval)
        yield data[position : position + 1]


def _chunked(answer: Answer) -> Answer:
    return answer.with_header("Transfer-Encoding", "chunked")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _gzip_of_spaces(size: int) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    spaces = b" " * _MEBIBYTE
    for start in range(0, size, _MEBIBYTE):
        # An empty chunk would end the body, and zlib often holds all output back.
        if packed := packer.compress(spaces[: size - start]):
            yield packed
    yield packer.flush()
