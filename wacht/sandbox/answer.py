"""
An HTTP answer, as bytes.
"""

from __future__ import annotations

from http.client import responses as _PHRASES  # noqa: N812 - a table, and constant
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

_FRAMING = {"content-length", "transfer-encoding"}


@attrs.frozen
class Answer:
    """
    A complete answer.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])

    @property
    def head(self) -> bytes:
        """
        The status line and the headers, as bytes.
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
