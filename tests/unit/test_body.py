"""Bodies in memory: read whole, decompressed and within the limit."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import Any

import pytest
import requests
from urllib3 import HTTPResponse
from urllib3.exceptions import DecodeError, ProtocolError

from wacht._http.body import BodyReader, _decompressed
from wacht._http.timing import ResponseTimer, SlowAnswerError
from wacht._protocol.replies import RawResponse

PAGE = b'{"data": [{"id": "1"}, {"id": "2"}], "has_more": false}'
PACKED = gzip.compress(PAGE)


class Body(io.BytesIO):
    """A body that may end with an error, and knows how much is read of it at once."""

    def __init__(self, data: bytes, error: Exception | None = None) -> None:
        super().__init__(data)
        self.sizes: list[int | None] = []
        self._error = error

    def read(self, size: int | None = -1, /) -> bytes:
        self.sizes.append(size)
        data = super().read(size)
        if self._error and not data:
            raise self._error
        return data


def response(
    body: Any = PAGE, status: Any = 200, encoding: str | None = None, **headers: Any
) -> requests.Response:
    made = requests.Response()
    made.status_code = status
    made.headers.update(headers | ({"Content-Encoding": encoding} if encoding else {}))
    file = io.BytesIO(body) if isinstance(body, bytes) else body
    made.raw = HTTPResponse(file, preload_content=False)
    return made


def read(
    response: requests.Response, *, max_bytes: int = 10**6, seconds: float = 60
) -> RawResponse:
    timer = ResponseTimer(5, 30, seconds, 60, lambda: None)
    return BodyReader(max_bytes, timer).read(response)


def test_reply() -> None:
    """Header names are in lower case, and values are text, whatever adapters say."""
    reply = read(response(status="200", Retry_After=5))
    assert reply == RawResponse(status=200, headers={"retry_after": "5"}, body=PAGE)


ENCODED = {
    "none": (PAGE, " Identity "),
    "gzip": (PACKED, "gzip"),
    "x-gzip": (PACKED, " X-GZIP"),
    "deflate": (zlib.compress(PAGE), "deflate"),
    "members": (b"".join(map(gzip.compress, (PAGE[:9], b"", PAGE[9:]))), "gzip"),
    "padding": (PACKED + bytes(99), "gzip"),
}


@pytest.mark.parametrize(("body", "encoding"), ENCODED.values(), ids=ENCODED)
def test_encoding(body: bytes, encoding: str) -> None:
    assert read(response(body, encoding=encoding)).body == PAGE


@pytest.mark.parametrize("size", [2**16 - 1, 2**16, 2**16 + 1, 3 * 2**16, 10**6])
def test_encoding__of_any_size(size: int) -> None:
    """Wherever the pieces end in which it is decompressed."""
    body = PAGE.ljust(size)
    assert read(response(gzip.compress(body), encoding="gzip")).body == body


def between_blocks() -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(PAGE) + packer.flush(zlib.Z_FULL_FLUSH)


CUT_OFF = "it is compressed, and cut off"
BROKEN = {
    "a byte less": (PACKED[:-1], "gzip", CUT_OFF),
    "no end": (PACKED[:-12], "gzip", CUT_OFF),
    "up to the end of a block": (between_blocks(), "gzip", CUT_OFF),
    "nothing": (b"", "gzip", CUT_OFF),
    "wrong sum": (PACKED[:-8] + bytes(8), "gzip", "Error -3 .* incorrect data check"),
    "no gzip": (PAGE, "gzip", "Error -3 .* incorrect header check"),
    "another": (PAGE, "br", "it is compressed as br, which wasn't asked for"),
}


@pytest.mark.parametrize(("body", "encoding", "message"), BROKEN.values(), ids=BROKEN)
def test_encoding__that_is_broken(body: bytes, encoding: str, message: str) -> None:
    with pytest.raises(DecodeError, match=f"^{message}"):
        read(response(body, encoding=encoding))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("status", [200, 500])
def test_limit__is_exact(status: int, *, packed: bool) -> None:
    """What is read of a larger body is kept."""
    encoding = "gzip" if packed else None
    for limit, truncated_at in ((len(PAGE), None), (20, 20), (1, 1)):
        made = response(PACKED if packed else PAGE, status, encoding)
        reply = read(made, max_bytes=limit)
        assert (reply.body, reply.truncated_at) == (PAGE[:limit], truncated_at)


@pytest.mark.parametrize("raw", [False, True])
def test_limit__reads_in_pieces(*, raw: bool) -> None:
    """No more than a piece is read, and decompressed, at once."""
    file = Body(bytes(10**6))
    made = response(b"" if raw else file)
    if raw:
        made.raw = file
    assert read(made, max_bytes=1).truncated_at == 1
    assert file.sizes == [2**16]
    pieces = [*_decompressed(iter([gzip.compress(bytes(10**6))]))]
    assert max(map(len, pieces)) == 2**16


def test_broken__does_not_matter_if_the_status_says_enough() -> None:
    made, refusal = (response(Body(PAGE, ProtocolError("no")), s) for s in (299, 300))
    with pytest.raises(ProtocolError):
        read(made)
    assert made.raw.closed
    reply = read(refusal)
    assert (reply.body, reply.truncated_at) == (PAGE, len(PAGE))


def test_broken__by_the_caller() -> None:
    """A signal handler's exception passes, also while an error is read."""
    error = RuntimeError("mine")
    with pytest.raises(RuntimeError) as caught:
        read(response(Body(b"", error), 500))
    assert caught.value is error


def test_slow() -> None:
    """The time of a body is limited as a whole, from its beginning on."""
    with pytest.raises(SlowAnswerError, match="within 0 s"):
        read(response(), seconds=0)


@pytest.mark.parametrize("content", [PAGE, b""])
def test_content__that_somebody_has_read(content: bytes) -> None:
    """It is taken, within the limit."""
    made = response(b"other")
    made._content = content
    assert read(made).body == content
    made._content = content
    assert read(made, max_bytes=9).body == content[:9]


def test_hook__reads_before_others() -> None:
    """What they see is the content; what they put in its place is read anew."""
    timer = ResponseTimer(5, 30, 60, 60, lambda: None)
    reader, made, other = BodyReader(10**6, timer), response(), response(b"other")
    reader(made)
    assert b"".join(made.iter_content(9)) == made.content == PAGE
    made._content = b"changed"
    assert reader.reply(made).body == PAGE
    assert reader.reply(other).body == b"other"
