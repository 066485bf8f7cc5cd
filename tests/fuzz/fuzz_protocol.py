"""
Feed the protocol the bytes that coverage leads to, with atheris.

    python -m pip install atheris
    python tests/fuzz/fuzz_protocol.py -max_total_time=300

Pytest does not collect it. The arguments are libFuzzer's; what breaks a promise is
written to a file `crash-…`, whose path, as the argument, runs it again.
"""

from __future__ import annotations

import html
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

with atheris.instrument_imports(include=["wacht", "email"]):
    from wacht import ApiError, DecodeError
    from wacht._protocol.answers import read_answer
    from wacht._protocol.credentials import ApiKey
    from wacht._protocol.replies import RawResponse

KEY = 'wk_"live"/<0123&4567>\\%\'+'  # it looks different in JSON, HTML and URLs
SPELLINGS = (KEY, json.dumps(KEY)[1:-1], html.escape(KEY))
STATUSES = (200, 200, 200, 302, 400, 401, 403, 404, 429, 500, 503, None)
HEADERS = ("retry-after", "location", "x-request-id", "content-type")
PAYLOADS = Path(__file__).parents[1] / "payloads"
BODIES = (
    b'{"data": [{"created_at": "2025-03-14t12:00:60Z", "id": 1}], "has_more": true}',
    b'{"data": [], "has_more": false, "limit": 20, "offset": 0}',
    b'{"errors": [{"message": "no", "code": 400}]}',
    b'{"error": "bad key \x02"}',
    b"<!doctype html><title>bad key \x03 &amp;</title><h1>Nothing</h1>",
    b"Retry after 1.5 seconds \x01",
)


def test_one_input(data: bytes) -> None:
    """Check one reply against what is promised of all."""
    source = atheris.FuzzedDataProvider(data)
    reply = _reply(source)
    try:
        page = read_answer(reply, url="", attempts=1, redactor=ApiKey(KEY))
    except (ApiError, DecodeError) as error:
        _check_error(error, succeeded=reply.succeeded)
    else:
        assert reply.succeeded
        assert all(len(repr(context)) < 3000 for context in page.contexts)


def _reply(source: atheris.FuzzedDataProvider) -> RawResponse:
    """Take numbers from the end of the data, and bytes from its beginning."""
    status = STATUSES[source.ConsumeIntInRange(0, len(STATUSES) - 1)]
    if status is None:
        status = source.ConsumeIntInRange(-10, 1100)
    headers = {
        name: _with_key(source.ConsumeBytes(length)).decode("latin-1")
        for name in HEADERS
        if (length := source.ConsumeIntInRange(0, 60))
    }
    cut = source.ConsumeIntInRange(0, 20) == 1
    body = source.ConsumeBytes(source.remaining_bytes())
    return RawResponse(
        status=status,
        headers=headers,
        body=_with_key(body),
        truncated_at=len(body) if cut else None,
    )


def _with_key(data: bytes) -> bytes:
    """Put the key in place of some bytes: plain, or as JSON or HTML writes it."""
    for byte, spelling in enumerate(SPELLINGS, start=1):
        data = data.replace(bytes([byte]), spelling.encode())
    return data


def _check_error(error: ApiError | DecodeError, *, succeeded: bool) -> None:
    assert succeeded is isinstance(error, DecodeError)
    assert 0 < len(str(error)) < 500
    assert str(error).isprintable()
    said = f"{error} {error!r} {error.args!r} {vars(error)!r}"
    assert KEY not in said
    assert repr(KEY)[1:-1] not in said
    assert error.__cause__ is error.__context__ is None


def _main() -> None:
    with TemporaryDirectory() as directory:
        bodies = [*BODIES, *(path.read_bytes() for path in PAYLOADS.iterdir())]
        for name, start in _starts(bodies):
            Path(directory, name).write_bytes(start)
        atheris.Setup([sys.argv[0], directory, *sys.argv[1:]], test_one_input)
        atheris.Fuzz()


def _starts(bodies: list[bytes]) -> Iterator[tuple[str, bytes]]:
    """Write replies as `_reply` reads them: numbers from the end, the first last."""
    for number, body in enumerate(bodies):
        for status in range(len(STATUSES)):
            yield f"{number}-{status}", body + bytes([0, 0, 0, 0, 0, status])
    for number, header in enumerate((b"1.5", b"Fri, 14 Mar 2025 12:00:30 GMT")):
        numbers = bytes([0, 0, 0, 0, len(header), STATUSES.index(429)])
        yield f"header-{number}", header + b"body" + numbers


if __name__ == "__main__":
    _main()
