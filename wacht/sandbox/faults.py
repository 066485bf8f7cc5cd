"""The methods of the sandbox that add faults, and what each fault sends."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import repeat
from typing import Any, Literal, TypeAlias, get_args

import attrs

from wacht._text import safe_repr

from .server import Action, End, Pause, Response
from .service import json_response

Place: TypeAlias = Literal["request", "headers", "body"]
Script: TypeAlias = Callable[[Response], Iterator[Action]]
# How to send an answer, and which one: None for the service's own.
Fault: TypeAlias = tuple[Script, Response | None]

_MEBIBYTE = 1 << 20
_GZIP = {"Content-Encoding": "gzip"}


@attrs.define
class _Planned:
    """A fault, and how many requests it is for; None for all from then on."""

    name: str  # of the method
    fault: Fault
    times: int | None
    came: int = 0


class Faults:
    """A queue of faults, each for a number of requests."""

    def __init__(self) -> None:
        self._delay = 0.0
        self._faults: list[_Planned] = []
        self._lock = threading.RLock()  # a `live` function may add faults

    def answer(
        self,
        status: int,
        body: bytes | str | dict[str, Any] | list[Any] = b"",
        *,
        headers: Mapping[str, str] | None = None,
        times: int | None = 1,
    ) -> None:
        """
        Answer with this status and body instead of the service's own.

        Bytes and text are sent as they are, a dict or a list as JSON. `Content-Length`
        is added, unless the headers say how the body is framed.
        """
        if status not in range(100, 1000) or isinstance(status, float):
            raise ValueError(f"status: expected a number, got {safe_repr(status)}")
        if isinstance(body, dict | list):
            answer = json_response(status, body)
        else:
            answer = Response(status, body.encode() if isinstance(body, str) else body)
        answer = answer.with_headers(headers or {})
        next(whole(answer))  # raises here, and not in the server's thread
        self._add("answer", (whole, answer), times)

    def reset(self, *, at: Place = "request", times: int | None = 1) -> None:
        """Reset the connection."""
        self._interrupt("reset", at, End.RESET, times)

    def hang_up(self, *, times: int | None = 1) -> None:
        """Close the connection cleanly, without a byte of an answer."""
        self._interrupt("hang_up", "request", End.CLOSE, times)

    def cut(self, *, times: int | None = 1) -> None:
        """Close the connection cleanly after half of the announced body."""
        self._interrupt("cut", "body", End.CLOSE, times)

    def break_chunk(self, *, times: int | None = 1) -> None:
        """Send half of the body in chunks, then a chunk with an unreadable size."""
        self._add("break_chunk", (_broken_chunk, None), times)

    def garble(self, *, times: int | None = 1) -> None:
        """Announce a gzip body and send one that isn't."""
        self._add("garble", (lambda a: whole(a.with_headers(_GZIP)), None), times)

    def stall(
        self, seconds: float, *, at: Place = "request", times: int | None = 1
    ) -> None:
        """Pause, then send the rest."""
        self._interrupt("stall", at, Pause(seconds), times)

    def trickle(
        self,
        interval: float = 0.05,
        *,
        at: Literal["headers", "body"] = "body",
        times: int | None = 1,
    ) -> None:
        """Send the headers or the body byte by byte, each after `interval` seconds."""
        check_choice("at", at, ("headers", "body"))
        script = partial(_trickled, at=at, interval=interval)
        self._add("trickle", (script, None), times)

    def flood(self, *, times: int | None = 1) -> None:
        """Send a body without end, until the client leaves."""
        self._add("flood", (_flooded, None), times)

    def bomb(self, size: int, *, times: int | None = 1) -> None:
        """Send a small gzip body that unpacks to `size` bytes, all spaces."""
        count, rest = divmod(size, _MEBIBYTE)
        packed = gzip.compress(b" " * _MEBIBYTE) * count + gzip.compress(b" " * rest)
        self.answer(200, packed, headers=_GZIP, times=times)

    def delay(self, seconds: float) -> None:
        """Delay every answer from now on, until `heal`, as a slow network does."""
        self._delay = seconds

    def heal(self) -> None:
        """Drop the delay and the faults that haven't happened yet."""
        with self._lock:
            self._faults.clear()
            self._delay = 0.0

    def _interrupt(self, name: str, at: Place, by: Action, times: int | None) -> None:
        check_choice("at", at, get_args(Place))
        self._add(name, (partial(_interrupted, at=at, by=by), None), times)

    def _add(self, name: str, fault: Fault, times: int | None) -> None:
        if times is not None and times < 1:
            raise ValueError(f"times: expected at least 1, or None, got {times}")
        with self._lock:
            self._faults.append(_Planned(name, fault, times))

    def _next_fault(self) -> Fault | None:
        """Return the fault for the next request; call it with the lock held."""
        for planned in self._faults:
            if planned.times is None or planned.came < planned.times:
                planned.came += 1
                return planned.fault
        return None

    def _missed_faults(self) -> list[str]:
        """Name the faults that came fewer times than they should, and how often."""
        with self._lock:
            return [
                f"{p.name} ({p.came} of {p.times or 'all'} times)"
                for p in self._faults
                if p.came < (p.times or 1)
            ]


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse a value that isn't one of these."""
    if value not in choices:
        raise ValueError(f"{name}: expected one of {choices}, got {safe_repr(value)}")


def whole(answer: Response) -> Iterator[Action]:
    """Send the answer as it is."""
    # One write: two would meet Nagle's algorithm and the client's delayed ACK.
    yield answer.head + answer.body


def _interrupted(answer: Response, at: str, by: Action) -> Iterator[Action]:
    """Perform an action before the answer, or within its headers or body."""
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


def _trickled(answer: Response, at: str, interval: float) -> Iterator[Action]:
    """Send the headers or the body byte by byte, and the rest at once."""
    for place, data in (("headers", answer.head), ("body", answer.body)):
        if place == at:
            for byte in data:
                yield from (Pause(interval), bytes([byte]))
        else:
            yield data


def _broken_chunk(answer: Response) -> Iterator[Action]:
    half = answer.body[: len(answer.body) // 2]
    head = answer.with_headers({"Transfer-Encoding": "chunked"}).head
    yield head + b"%x\r\n%b\r\n" % (len(half), half) + b"not a size\r\n"
    yield End.CLOSE


def _flooded(answer: Response) -> Iterator[Action]:
    yield answer.with_headers({"Transfer-Encoding": "chunked"}).head
    yield from repeat(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
