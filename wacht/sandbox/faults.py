"""The methods of the sandbox that order faults, and how each fault is played."""

from __future__ import annotations

import gzip
import threading
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs

from wacht._render.text import safe_repr

from .server import Answer, End, Pause, Step

if TYPE_CHECKING:
    from collections.abc import Mapping

Part: TypeAlias = Literal["headers", "body"]
Script: TypeAlias = Callable[[Answer], Iterator[Step]]
# How to spoil an answer, and which one: None for the service's own.
Fault: TypeAlias = tuple[Script, Answer | None]

_MEBIBYTE = 1 << 20


class Faults:
    """
    A queue of faults, each for a number of requests.

    All methods that add one take `times`: how many requests it spoils, 1 by default;
    None for all until `heal`.
    """

    def __init__(self) -> None:
        self._delay = 0.0
        self._faults = deque[Iterator[Fault]]()
        self._lock = threading.RLock()  # a `live` function may order faults

    def answer(
        self,
        status: int,
        body: bytes | str = b"",
        *,
        headers: Mapping[str, str] | None = None,
        times: int | None = 1,
    ) -> None:
        """
        Answer with this status and body instead of the service's own.

        `Content-Length` is added, unless the headers say how the body is framed.
        """
        data = body.encode() if isinstance(body, str) else body
        self._add(whole, times, Answer(status, data, dict(headers or {})))

    def reset(
        self, *, at: Literal["request", Part] = "request", times: int | None = 1
    ) -> None:
        """Reset the connection before the answer, or within its headers or body."""
        _check_place(at, "request", "headers", "body")
        self._add(partial(_interrupted, at=at, by=End.RESET), times)

    def hang_up(self, *, times: int | None = 1) -> None:
        """Close the connection cleanly, without a byte of an answer."""
        self._add(partial(_interrupted, at="request", by=End.CLOSE), times)

    def cut(self, *, times: int | None = 1) -> None:
        """Close the connection cleanly after half of the announced body."""
        self._add(partial(_interrupted, at="body", by=End.CLOSE), times)

    def break_chunk(self, *, times: int | None = 1) -> None:
        """Send half of the body in chunks, then a chunk with an unreadable size."""
        self._add(_broken_chunk, times)

    def garble(self, *, times: int | None = 1) -> None:
        """Announce a gzip body and send one that isn't."""
        self._add(_garbled, times)

    def stall(
        self, seconds: float, *, at: Part = "headers", times: int | None = 1
    ) -> None:
        """Pause before the headers or in the middle of the body, then send the rest."""
        _check_place(at, "headers", "body")
        place = "request" if at == "headers" else at
        self._add(partial(_interrupted, at=place, by=Pause(seconds)), times)

    def trickle(
        self, *, interval: float = 0.05, at: Part = "body", times: int | None = 1
    ) -> None:
        """
        Send the body or the headers byte by byte, so that no read times out.

        `interval` is the seconds before each byte.
        """
        _check_place(at, "headers", "body")
        self._add(partial(_trickled, at=at, interval=interval), times)

    def flood(self, *, times: int | None = 1) -> None:
        """Send a body without end, until the client leaves."""
        self._add(_flooded, times)

    def bomb(self, size: int, *, times: int | None = 1) -> None:
        """Send a small gzip body that unpacks to `size` bytes, all spaces."""
        count, rest = divmod(size, _MEBIBYTE)
        packed = gzip.compress(b" " * _MEBIBYTE) * count + gzip.compress(b" " * rest)
        self.answer(200, packed, headers={"Content-Encoding": "gzip"}, times=times)

    def delay(self, seconds: float) -> None:
        """Delay every answer from now on, like a slow network; 0 ends that."""
        self._delay = seconds

    def heal(self) -> None:
        """Drop the delay and the faults that haven't happened yet."""
        with self._lock:
            self._faults.clear()
            self._delay = 0.0

    def _add(
        self, script: Script, times: int | None, answer: Answer | None = None
    ) -> None:
        if times is not None and times < 1:
            raise ValueError(f"times: expected at least 1, or None, got {times}")
        fault: Fault = script, answer
        faults = repeat(fault) if times is None else repeat(fault, times)
        with self._lock:
            self._faults.append(faults)

    def _next_fault(self) -> Fault | None:
        """Return the fault for the next request; call it with the lock held."""
        while self._faults:
            for fault in self._faults[0]:
                return fault
            self._faults.popleft()
        return None


def _check_place(at: str, *places: str) -> None:
    if at not in places:
        expected = ", ".join(places)
        raise ValueError(f"at: expected one of {expected}, got {safe_repr(at)}")


def whole(answer: Answer) -> Iterator[Step]:
    """Send the answer as it is."""
    # One write: two would meet Nagle's algorithm and the client's delayed ACK.
    yield answer.head + answer.body


def _interrupted(answer: Answer, at: str, by: Step) -> Iterator[Step]:
    """Take a step before the answer, or within its headers or body."""
    positions = {
        "request": 0,
        "headers": len(answer.head) // 2,
        "body": len(answer.head) + len(answer.body) // 2,
    }
    data, position = answer.head + answer.body, positions[at]
    if position:
        yield data[:position]
    yield by
    yield data[position:]


def _trickled(answer: Answer, at: str, interval: float) -> Iterator[Step]:
    """Send the headers or the body byte by byte, and the rest at once."""
    for place, data in (("headers", answer.head), ("body", answer.body)):
        if place == at:
            for byte in data:
                yield from (Pause(interval), bytes([byte]))
        else:
            yield data


def _broken_chunk(answer: Answer) -> Iterator[Step]:
    half = answer.body[: len(answer.body) // 2]
    yield _chunked_head(answer) + _chunk(half) + b"not a size\r\n"
    yield End.CLOSE


def _garbled(answer: Answer) -> Iterator[Step]:
    return whole(_with_header(answer, "Content-Encoding", "gzip"))


def _flooded(answer: Answer) -> Iterator[Step]:
    yield _chunked_head(answer)
    yield from repeat(_chunk(b" " * 65536))


def _with_header(answer: Answer, name: str, value: str) -> Answer:
    return attrs.evolve(answer, headers={**answer.headers, name: value})


def _chunked_head(answer: Answer) -> bytes:
    return _with_header(answer, "Transfer-Encoding", "chunked").head


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
