"""
Faults by call: the part of the sandbox that takes the orders.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Literal, TypeVar

from . import faults

if TYPE_CHECKING:
    from collections.abc import Mapping

Chosen = TypeVar("Chosen")


class FaultOrders:
    """
    Faults in the order of the calls, each for the next so many requests.
    """

    def __init__(self) -> None:
        self._delay = 0.0
        self._faults = deque[tuple[faults.Fault, int | None]]()
        self._lock = threading.Lock()

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
        answer = faults.Answer(status, data, dict(headers or {}))
        self._add(faults.whole, times, answer)

    def reset(
        self,
        *,
        at: Literal["request", "headers", "body"] = "request",
        times: int | None = 1,
    ) -> None:
        """
        Reset the connection.

        Args:
            at: When: before any answer, in the middle of the headers or in that of the
                body.
            times: How many requests; None for all until `heal`.
        """
        scripts = {
            "request": faults.reset_request,
            "headers": faults.reset_headers,
            "body": faults.reset_body,
        }
        self._add(_chosen(scripts, at), times)

    def hang_up(self, *, times: int | None = 1) -> None:
        """
        Close the connection cleanly, without a byte of an answer.

        Args:
            times: How many requests; None for all until `heal`.
        """
        self._add(faults.hang_up, times)

    def cut(self, *, times: int | None = 1) -> None:
        """
        Close the connection cleanly after half of the body that was announced.

        Args:
            times: How many requests; None for all until `heal`.
        """
        self._add(faults.cut, times)

    def break_chunk(self, *, times: int | None = 1) -> None:
        """
        Send half of the body in chunks, then a chunk whose size can't be read.

        Args:
            times: How many requests; None for all until `heal`.
        """
        self._add(faults.break_chunk, times)

    def garble(self, *, times: int | None = 1) -> None:
        """
        Announce a body in gzip and send one that isn't.

        Args:
            times: How many requests; None for all until `heal`.
        """
        self._add(faults.garble, times)

    def stall(
        self,
        seconds: float,
        *,
        at: Literal["headers", "body"] = "headers",
        times: int | None = 1,
    ) -> None:
        """
        Send nothing for a while, then what was due. Closing the sandbox ends it.

        Args:
            seconds: How long.
            at: When: before the headers or in the middle of the body.
            times: How many requests; None for all until `heal`.
        """
        scripts = {"headers": faults.stall_headers, "body": faults.stall_body}
        self._add(_chosen(scripts, at)(seconds), times)

    def trickle(
        self,
        *,
        interval: float = 0.05,
        at: Literal["body", "headers"] = "body",
        times: int | None = 1,
    ) -> None:
        """
        Send a byte at a time, so that no single read ever times out.

        Args:
            interval: The seconds before each byte.
            at: What trickles: the body, or the headers alone.
            times: How many requests; None for all until `heal`.
        """
        scripts = {"headers": faults.trickle_headers, "body": faults.trickle_body}
        self._add(_chosen(scripts, at)(interval), times)

    def flood(self, *, times: int | None = 1) -> None:
        """
        Send a body without end, until the client goes away.

        Args:
            times: How many requests; None for all until `heal`.
        """
        self._add(faults.flood, times)

    def bomb(self, size: int, *, times: int | None = 1) -> None:
        """
        Send a small gzip body that unpacks to a large one, all spaces.

        Args:
            size: How many bytes it unpacks to.
            times: How many requests; None for all until `heal`.
        """
        self._add(faults.bomb(size), times)

    def delay(self, seconds: float) -> None:
        """
        Make every answer wait from now on, as a slow network would.

        Args:
            seconds: How long; 0 to answer at once again.
        """
        self._delay = seconds

    def heal(self) -> None:
        """
        Forget the faults that have not happened yet, and the delay.
        """
        with self._lock:
            self._faults.clear()
            self._delay = 0.0

    def _add(
        self,
        script: faults.Script,
        times: int | None,
        answer: faults.Answer | None = None,
    ) -> None:
        if times is not None and times < 1:
            raise ValueError(f"times: expected at least 1, or None, got {times}")
        with self._lock:
            self._faults.append((faults.Fault(script, answer), times))

    def _take(self) -> faults.Fault | None:
        """
        Return the fault for the request that has just come; call it with the lock held.
        """
        if not self._faults:
            return None
        fault, times = self._faults[0]
        if times == 1:
            self._faults.popleft()
        elif times is not None:
            self._faults[0] = fault, times - 1
        return fault


def _chosen(scripts: Mapping[str, Chosen], at: str) -> Chosen:
    if at not in scripts:
        raise ValueError(f"at: expected one of {', '.join(scripts)}, got {at!r}")
    return scripts[at]
