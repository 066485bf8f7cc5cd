"""
Whole bodies, in bounds: of bytes once unpacked, and of time.
"""

from __future__ import annotations

import io
import zlib
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import DecodeError

from ._reply import Reply, is_success

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

    from ._connection import Exchange

ACCEPTED = "gzip"  # by "deflate", servers mean two things

_CHUNK = 2**16
_PLAIN = frozenset({"", "identity"})
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_GZIP_START = b"\x1f"


class BodyReader:
    """
    A hook that reads a whole body, in bounds, before requests acts upon the answer.

    Left alone, requests would read a redirect's body without any bound, and keep the
    service's cookies in a session that may be the caller's.
    """

    def __init__(self, max_bytes: int, exchange: Exchange) -> None:
        self.reply: Reply | None = None
        self._max_bytes = max_bytes
        self._exchange = exchange

    def __call__(self, response: requests.Response, **_settings: Any) -> None:
        self.reply = self.read(response)
        response.headers.pop("location", None)
        response.raw = io.BytesIO(self.reply.body)

    def read(self, response: requests.Response) -> Reply:
        status = int(response.status_code)  # an adapter may say "200"
        body = bytearray()
        with closing(response):
            whole = self._read_into(body, response, needed=is_success(status))
        return Reply(
            status=status,
            headers={name.lower(): str(v) for name, v in response.headers.items()},
            body=bytes(body),
            received=datetime.now(UTC),
            cut_at=None if whole else len(body),
        )

    def _read_into(
        self, body: bytearray, response: requests.Response, *, needed: bool
    ) -> bool:
        """
        Read the body, and tell whether it is whole.

        Where it is not needed, it may break off: the status and the headers count.
        """
        self._exchange.start_part()
        try:
            for piece in _pieces(response):
                body += piece
                if len(body) > self._max_bytes:
                    del body[self._max_bytes :]
                    return False
                self._exchange.next_read()
        except Exception:
            if needed:
                raise
            return False
        return True


def _pieces(response: requests.Response) -> Iterator[bytes]:
    raw = response.raw
    was_read = getattr(response, "_content_consumed", False)  # by a caller's hook
    if was_read or getattr(response, "_content", False) is not False:  # or an adapter
        return iter((response.content,))
    if not isinstance(raw, BaseHTTPResponse):  # an adapter's own file, never packed
        return iter(partial(raw.read, _CHUNK), b"")
    wire = iter(partial(raw.read1, _CHUNK, decode_content=False), b"")
    encoding = response.headers.get("content-encoding", "").strip()
    if encoding.lower() in _PLAIN:
        return wire
    if encoding.lower() in _PACKED:
        return _unpacked(wire)
    raise DecodeError(f"it is packed as {encoding}, which was not asked for")


def _unpacked(wire: Iterator[bytes]) -> Iterator[bytes]:
    """
    Unpack in small pieces, one for each read at the least.

    urllib3 would unpack too, but reads on as long as nothing comes of it, and takes a
    stream for whole that ends in its middle.
    """
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
    begun = False
    for data in wire:
        begun, rest = True, data
        while rest:
            if unpacker.eof:  # gzip may have many members, and padding behind them
                if not rest.startswith(_GZIP_START):
                    break
                unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
            try:
                piece = unpacker.decompress(rest, _CHUNK)
            except zlib.error as error:
                raise DecodeError(str(error)) from error
            rest = unpacker.unconsumed_tail or unpacker.unused_data
            yield piece
    if begun and not unpacker.eof:
        raise DecodeError("it is packed, and cut off")
