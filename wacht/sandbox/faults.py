"""
What an answer of the sandbox is made of, and the ways it can go wrong: no sockets.
"""

from __future__ import annotations

import enum
import zlib
from collections.abc import Callable, Iterator, Mapping
from http.client import responses as _PHRASES  # noqa: N812 - a table, and constant
from typing import TypeAlias

import attrs

_MEBIBYTE = 1 << 20


@attrs.frozen
class Answer:
    """
    A whole answer, as it goes out where nothing goes wrong.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])

    @property
    def head(self) -> bytes:
        """
        Return the status line and the headers, ready for the wire.
        """
        headers = dict(self.headers)
        if not {name.lower() for name in headers} & _FRAMING:
            headers["Content-Length"] = str(len(self.body))
        lines = [f"HTTP/1.1 {self.status} {_PHRASES.get(self.status, '')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def with_header(self, name: str, value: str) -> Answer:
        """
        Return this answer with one more header.
        """
        return attrs.evolve(self, headers={**self.headers, name: value})


_FRAMING = {"content-length", "transfer-encoding"}


@attrs.frozen
class Pause:
    """
    A step of a script: wait this many seconds, or until the sandbox closes.
    """

    seconds: float


class End(enum.Enum):
    """
    A step of a script, and the last one: what becomes of the connection.
    """

    CLOSE = "close"
    RESET = "reset"


Step: TypeAlias = bytes | Pause | End
Script: TypeAlias = Callable[[Answer], Iterator[Step]]


@attrs.frozen
class Fault:
    """
    How to spoil an answer, and the answer to spoil: None for the service's own.
    """

    script: Script
    answer: Answer | None = None


def whole(answer: Answer) -> Iterator[Step]:
    # One piece: two writes would meet Nagle's algorithm and the client's delayed ack.
    yield answer.head + answer.body


def hang_up(_answer: Answer) -> Iterator[Step]:
    yield End.CLOSE


def cut(answer: Answer) -> Iterator[Step]:
    yield _first_part(answer)
    yield End.CLOSE


def reset_request(_answer: Answer) -> Iterator[Step]:
    yield End.RESET


def reset_headers(answer: Answer) -> Iterator[Step]:
    yield answer.head[: len(answer.head) // 2]
    yield End.RESET


def reset_body(answer: Answer) -> Iterator[Step]:
    yield _first_part(answer)
    yield End.RESET


def break_chunk(answer: Answer) -> Iterator[Step]:
    half = answer.body[: len(answer.body) // 2]
    yield _chunked(answer).head + _chunk(half) + b"not a size\r\n"
    yield End.CLOSE


def garble(answer: Answer) -> Iterator[Step]:
    return whole(answer.with_header("Content-Encoding", "gzip"))


def flood(answer: Answer) -> Iterator[Step]:
    yield _chunked(answer).head
    chunk = _chunk(b" " * 65536)
    while True:
        yield chunk


def bomb(size: int) -> Script:
    def script(answer: Answer) -> Iterator[Step]:
        yield _chunked(answer.with_header("Content-Encoding", "gzip")).head
        for packed in _gzip_of_spaces(size):
            yield _chunk(packed)
        yield b"0\r\n\r\n"

    return script


def stall_headers(seconds: float) -> Script:
    def script(answer: Answer) -> Iterator[Step]:
        yield Pause(seconds)
        yield from whole(answer)

    return script


def stall_body(seconds: float) -> Script:
    def script(answer: Answer) -> Iterator[Step]:
        yield _first_part(answer)
        yield Pause(seconds)
        yield answer.body[len(answer.body) // 2 :]

    return script


def trickle_headers(interval: float) -> Script:
    def script(answer: Answer) -> Iterator[Step]:
        yield from _drops(answer.head, interval)
        yield answer.body

    return script


def trickle_body(interval: float) -> Script:
    def script(answer: Answer) -> Iterator[Step]:
        yield answer.head
        yield from _drops(answer.body, interval)

    return script


def _first_part(answer: Answer) -> bytes:
    return answer.head + answer.body[: len(answer.body) // 2]


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
        # An empty chunk would end the body, and the packer often keeps all to itself.
        if packed := packer.compress(spaces[: size - start]):
            yield packed
    yield packer.flush()
