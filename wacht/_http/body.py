"""Read whole bodies, within limits of size and time."""

from __future__ import annotations

import zlib
from functools import partial
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import DecodeError, ProtocolError

from wacht._protocol.replies import RawResponse, is_success

from .connections import FINAL, TimedResponse
from .failures import caller_exception

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

    from .timing import ResponseTimer

ACCEPTED = "gzip"  # servers mean two things by "deflate"

_REPLY = "_wacht_reply"  # an attribute of a response that the reader has read
_CHUNK = 2**16
_PLAIN = frozenset({"", "identity"})
_COMPRESSED = frozenset({"gzip", "x-gzip", "deflate"})
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_GZIP_START = b"\x1f"


class BodyReader:
    """A response hook that reads a body before others do, who know no limit."""

    def __init__(self, max_bytes: int, timer: ResponseTimer) -> None:
        self._max_bytes = max_bytes
        self._timer = timer

    def __call__(self, response: requests.Response, **_settings: Any) -> None:
        """Read the body and leave it in the response, as requests does itself."""
        reply = self.read(response)
        response._content = reply.body  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - no other way
        response._content_consumed = True  # noqa: SLF001  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
        # Kept here, it would hold the body in a cycle: the request holds its hooks.
        setattr(response, _REPLY, reply)

    def reply(self, response: requests.Response) -> RawResponse:
        """Return the reply of a response, which a hook may have put in its place."""
        reply: RawResponse | None = getattr(response, _REPLY, None)
        return reply or self.read(response)

    def read(self, response: requests.Response) -> RawResponse:
        status = int(response.status_code)  # an adapter may say "200"
        if status < FINAL:
            response.close()
            raise ProtocolError(f"an informational answer, {status}, and no other")
        body = bytearray()
        try:
            whole = self._read_into(body, response, needed=is_success(status))
        finally:
            try:
                response.close()
            finally:  # a signal handler may raise in close()
                if isinstance(response.raw, TimedResponse):
                    response.raw.finish()
        return RawResponse(
            status=status,
            headers={name.lower(): str(v) for name, v in response.headers.items()},
            body=bytes(body),
            truncated_at=None if whole else len(body),
        )

    def _read_into(
        self, body: bytearray, response: requests.Response, *, needed: bool
    ) -> bool:
        """Return whether the body is whole."""
        self._timer.start_part()
        try:
            for chunk in _chunks(response):
                body += chunk
                if len(body) > self._max_bytes:
                    del body[self._max_bytes :]
                    return False
                self._timer.remaining()
        except Exception as error:
            # An error status counts even if its body is cut off.
            if needed or caller_exception(error):
                raise
            return False
        return True


def _chunks(response: requests.Response) -> Iterator[bytes]:
    raw = response.raw
    content = vars(response)["_content"]
    if content is not False or raw is None:  # a caller's hook or adapter has read it
        return iter((response.content or b"",))
    if not isinstance(raw, BaseHTTPResponse):  # an adapter's own file
        return iter(partial(raw.read, _CHUNK), b"")
    # A wrapper such as CacheControl's only sees what is read with read().
    own = isinstance(getattr(raw, "_fp", None), HTTPResponse)
    read = raw.read1 if own else raw.read
    wire = iter(partial(read, _CHUNK, decode_content=False), b"")
    encoding = response.headers.get("content-encoding", "").strip()
    if encoding.lower() in _PLAIN:
        return wire
    if encoding.lower() in _COMPRESSED:
        return _decompressed(wire)
    raise DecodeError(f"it is compressed as {encoding}, which wasn't asked for")


def _decompressed(wire: Iterator[bytes]) -> Iterator[bytes]:
    # urllib3 would read on while nothing comes of it, and accepts half a stream.
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
    for data in wire:
        rest = data
        while rest:
            if unpacker.eof:  # gzip may have several members, and padding after them
                if not rest.startswith(_GZIP_START):
                    break
                unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
            try:
                chunk = unpacker.decompress(rest, _CHUNK)
            except zlib.error as error:
                raise DecodeError(str(error)) from None
            rest = unpacker.unconsumed_tail or unpacker.unused_data
            yield chunk
    if not unpacker.eof:
        raise DecodeError("it is compressed, and cut off")
