"""
The methods of the sandbox that order faults.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Literal

import attrs

from wacht._render.text import safe_repr

from . import scripts
from .answer import Answer
from .server import End

if TYPE_CHECKING:
    from collections.abc import Mapping


@attrs.frozen
class Fault:
    """
    How to spoil an answer, and which one: None for the service's own.
    """

    script: scripts.Script
    answer: Answer | None = None


class Faults:
    """
    A queue of faults, each for a number of requests.

    All methods that add one take `times`: how many requests it spoils, 1 by default;
    None for all until `heal`.
    """

    def __init__(self) -> None:
        self._delay = 0.0
        self._faults = deque[tuple[Fault, int | None]]()
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

        Args:
            status: Any status, 200 included.
            body: Any bytes, or text to be sent as UTF-8.
            headers: Any headers. `Content-Length` is added, unless they say how the
                body is framed.
            times: How many requests; None for all until `heal`.
        """
        data = body.encode() if isinstance(body, str) else body
        self._add(scripts.whole, times, Answer(status, data, dict(headers or {})))

    def reset(
        self,
        *,
        at: Literal["request", "headers", "body"] = "request",
        times: int | None = 1,
    ) -> None:
        """
        Reset the connection before the answer, or in the middle of its headers or body.
        """
        _check_place(at, "request", "headers", "body")
        self._add(scripts.break_off(at, End.RESET), times)

    def hang_up(self, *, times: int | None = 1) -> None:
        """
        Close the connection cleanly, without a byte of an answer.
        """
        self._add(scripts.break_off("request", End.CLOSE), times)

    def cut(self, *, times: int | None = 1) -> None:
        """
        Close the connection cleanly after half of the announced body.
        """
        self._add(scripts.break_off("body", End.CLOSE), times)

    def break_chunk(self, *, times: int | None = 1) -> None:
        """
        Send half of the body in chunks, then a chunk with an unreadable size.
        """
        self._add(scripts.break_chunk, times)

    def garble(self, *, times: int | None = 1) -> None:
        """
        Announce a gzip body and send one that isn't.
        """
        self._add(scripts.garble, times)

    def stall(
        self,
        seconds: float,
        *,
        at: Literal["headers", "body"] = "headers",
        times: int | None = 1,
    ) -> None:
        """
        Pause before the headers or in the middle of the body, then send the rest.

        Closing the sandbox ends the pause.
        """
        _check_place(at, "headers", "body")
        place: scripts.Place = "request" if at == "headers" else "body"
        self._add(scripts.stall(seconds, place), times)

    def trickle(
        self,
        *,
        interval: float = 0.05,
        at: Literal["body", "headers"] = "body",
        times: int | None = 1,
    ) -> None:
        """
        Send the body, or the headers alone, byte by byte, so that no read times out.

        Args:
            interval: The seconds before each byte.
            at: What to send slowly.
            times: How many requests; None for all until `heal`.
        """
        _check_place(at, "headers", "body")
        self._add(scripts.trickle(interval, at), times)

    def flood(self, *, times: int | None = 1) -> None:
        """
        Send a body without end, until the client leaves.
        """
        self._add(scripts.flood, times)

    def bomb(self, size: int, *, times: int | None = 1) -> None:
        """
        Send a small gzip body that unpacks to `size` bytes, all spaces.
        """
        self._add(scripts.bomb(size), times)

    def delay(self, seconds: float) -> None:
        """
        Delay every answer from now on, like a slow network; 0 ends that.
        """
        self._delay = seconds

    def heal(self) -> None:
        """
        Drop the delay and the faults that haven't happened yet.
        """
        with self._lock:
            self._faults.clear()
            self._delay = 0.0

    def _add(
        self, script: scripts.Script, times: int | None, answer: Answer | None = None
    ) -> None:
        if times is not None and times < 1:
            raise ValueError(f"times: expected at least 1, or None, got {times}")
        with self._lock:
            self._faults.append((Fault(script, answer), times))

    def _next_fault(self) -> Fault | None:
        """
        Return the fault for the next request; call it with the lock held.
        """
        if not self._faults:
            return None
        fault, times = self._faults[0]
        if times == 1:
            self._faults.popleft()
        elif times is not None:
            self._faults[0] = fault, times - 1
        return fault


def _check_place(at: str, *places: str) -> None:
    if at not in places:
        expected = ", ".join(places)
        raise ValueError(f"at: expected one of {expected}, got {safe_repr(at)}")
