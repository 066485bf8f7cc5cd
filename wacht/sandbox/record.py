"""
The record of a request, without the key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import attrs

if TYPE_CHECKING:
    from .server import Request


@attrs.frozen
class SandboxRequest:
    """
    A request that the sandbox received.

    Attributes:
        method: Usually `GET`.
        path: The path, without the query.
        query: The decoded query; of a repeated key, the last value.
        headers: The headers, each name in the form `Content-Type`. The credentials in
            `Authorization` are replaced by `***`.
        at: The time of arrival, from `time.monotonic`.
        status: The status of the answer; None until its first byte is sent, and for
            good if the connection breaks before that.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    at: float
    status: int | None = None


def record(request: Request, at: float) -> SandboxRequest:
    """
    Make the record of a request that arrived at a time.
    """
    path, _, query = request.target.partition("?")
    pairs = dict(parse_qsl(query, keep_blank_values=True))
    headers = _without_credentials(request.headers)
    return SandboxRequest(request.method, path, pairs, headers, at)


def _without_credentials(headers: dict[str, str]) -> dict[str, str]:
    if "Authorization" not in headers:
        return headers
    scheme, space, _ = headers["Authorization"].partition(" ")
    # A single word may be the key.
    return headers | {"Authorization": f"{scheme} ***" if space else "***"}
