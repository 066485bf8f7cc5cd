"""
Replies that say no: their error, their words, and how long they ask to wait.
"""

from __future__ import annotations

import json
import math
import pickle
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wacht
from tests import strategies
from wacht._json import parse_json
from wacht._reply import Reply, error_of, retry_after_of
from wacht._secret import Secret

KEY = "wk_live_0123456789abcdef"
NOW = datetime(2025, 3, 14, 12, 0, 0, tzinfo=UTC)

header_values = st.text(st.characters(max_codepoint=0xFF))
replies = st.builds(
    lambda **fields: Reply(received=NOW, **fields),
    status=st.integers(100, 599) | st.integers(),
    headers=st.dictionaries(
        st.sampled_from(["retry-after", "location", "x-request-id", "content-type"]),
        header_values | st.integers().map(str) | st.floats().map(str),
    ),
    body=st.binary() | strategies.json_values().map(lambda v: json.dumps(v).encode()),
)


def _reply(
    status: int = 500, body: bytes | str = b"", headers: dict[str, str] | None = None
) -> Reply:
    body = body.encode() if isinstance(body, str) else body
    return Reply(status=status, headers=headers or {}, body=body, received=NOW)


def _error(
    status: int = 500, body: bytes | str = b"", headers: dict[str, str] | None = None
) -> wacht.ApiError:
    return error_of(_reply(status, body, headers), attempts=1, secret=Secret(KEY))


def _retry_after(
    value: str | None = None, *, status: int = 429, body: bytes = b""
) -> float | None:
    headers = {} if value is None else {"retry-after": value}
    return retry_after_of(_reply(status, body, headers))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, wacht.BadRequestError),
        (401, wacht.AuthenticationError),
        (403, wacht.PermissionDeniedError),
        (404, wacht.NotFoundError),
        (429, wacht.RateLimitError),
        (500, wacht.ServerError),
        (502, wacht.ServerError),
        (504, wacht.ServerError),
        (599, wacht.ServerError),
        (199, wacht.ApiError),
        (304, wacht.ApiError),
        (409, wacht.ApiError),
        (418, wacht.ApiError),
        (600, wacht.ApiError),
    ],
)
def test_error__class_by_status(status: int, kind: type[wacht.ApiError]) -> None:
    """
    Each status has its class, and what has none of its own is an `ApiError`.
    """
    error = _error(status)
    assert type(error) is kind
    assert error.status == status


def test_error__carries_what_came() -> None:
    """
    The error holds the answer: its words, JSON, body, id and wait.
    """
    body = b'{"errors":[{"message":"Something went wrong","code":500}]}'
    headers = {"x-request-id": "request-1", "retry-after": "2.5"}
    error = error_of(_reply(503, body, headers), attempts=6, secret=Secret(KEY))
    assert (error.status, error.message) == (503, "Something went wrong")
    assert error.details == {
        "errors": [{"message": "Something went wrong", "code": 500}]
    }
    assert error.body == body
    assert (error.request_id, error.retry_after) == ("request-1", 2.5)
    assert error.attempts == 6


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (
            400,
            "Failed to deserialize query string: page: invalid digit found in string",
            "Failed to deserialize query string: page: invalid digit found in string",
        ),
        (
            401,
            "Authorization header must be Bearer token",
            "Authorization header must be Bearer token",
        ),
        (
            403,
            "Permission denied for this resource\n",
            "Permission denied for this resource",
        ),
        (
            429,
            "Rate limit exceeded. Retry after 42 seconds",
            "Rate limit exceeded. Retry after 42 seconds",
        ),
        (
            500,
            '{"errors":[{"message":"Something went wrong","code":500}]}',
            "Something went wrong",
        ),
        (
            403,
            '{"errors":[{"message":"No permission"},{"message":"No plan"}]}',
            "No permission; No plan",
        ),
        (500, '{"errors":["one","two"]}', "one; two"),
        (500, '{"errors":[{"code":1},{"message":"two"},null,3,[]]}', "two"),
        (403, '{"message":"Forbidden by the gateway"}', "Forbidden by the gateway"),
        (403, '{"error":"Forbidden"}', "Forbidden"),
        (403, '{"error":{"message":"Forbidden","code":7}}', "Forbidden"),
        (404, '{"error":"Not Found","message":"no route"}', "Not Found; no route"),
        (422, '{"errors":{"page":["bad"]},"message":"invalid"}', "invalid"),
        (500, '{"errors":[]}', '{"errors":[]}'),
        (500, '{"errors":[{"message":null}]}', '{"errors":[{"message":null}]}'),
        (500, '{"error":false}', '{"error":false}'),
        (500, '["errors"]', '["errors"]'),
        (500, '"only a string"', "only a string"),
        (500, "5", "5"),
        (500, '{"detail":"who knows"}', '{"detail":"who knows"}'),
        (500, '{"message":"\\ud800\\u001b[2J\\n a\\tb"}', "\ufffd\ufffd[2J a b"),
        (500, "x\x00y\x1b[31m\u202ez", "x\ufffdy\ufffd[31m\ufffdz"),
        (500, b"\xff\xfe", "\ufffd\ufffd"),
        (500, "a" * 300, "a" * 300),
        (500, "a" * 301, "a" * 299 + "…"),
        (
            502,
            "<html><head><title>502 Bad Gateway</title></head>...",
            "an HTML page, '502 Bad Gateway'",
        ),
        (
            504,
            "\n<!DOCTYPE HTML>\n<HTML><body><H1 class=x>\nTime &amp; out\n</H1>",
            "an HTML page, 'Time & out'",
        ),
        (502, f"<html><title>{'x' * 900}</title>", f"an HTML page, '{'x' * 78}…"),
        (502, "<html><body>nothing to say", "HTML"),
        (502, "<html><title></title>", "an HTML page, ''"),
        (502, "<b>not a page</b>", "<b>not a page</b>"),
        (500, "", "no further word"),
        (502, " \n ", "no further word"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_message__what_was_said(status: int, body: bytes | str, message: str) -> None:
    """
    The message is what the service or a proxy said, in one harmless line.
    """
    assert _error(status, body).message == message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_message__redirect(status: int) -> None:
    """
    A redirect is an error that says where it led, and why nobody followed.
    """
    error = _error(status, b"Moved", {"location": "https://other.example/\x1b"})
    assert type(error) is wacht.ApiError
    assert error.message == (
        "redirect to https://other.example/\ufffd refused: the key must not follow it"
    )


@pytest.mark.parametrize(
    ("status", "headers"),
    [(302, {}), (304, {"location": "x"}), (500, {"location": "x"})],
)
def test_message__no_redirect(status: int, headers: dict[str, str]) -> None:
    """
    Without a target, or with another status, the body speaks.
    """
    assert _error(status, b"the body", headers).message == "the body"


@pytest.mark.parametrize(
    ("body", "details"),
    [
        ('{"errors":[]}', {"errors": []}),
        (" [1.5, null] ", [1.5, None]),
        ("null", None),
        ("text", None),
        ("", None),
        ('{"retry": NaN}', None),
        ("[Infinity, -Infinity]", None),
        (b'{"a": "\xff"}', None),
        ('{"a": 1}'.encode("utf-16"), None),
        ("[" * 200_000, None),
        ("[" * 200_000 + "]" * 200_000, None),
        ("1" * 10_000, None),
        ('{"a": ', None),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_details__json_or_none(body: bytes | str, details: Any) -> None:
    """
    `details` is the body where that is JSON: in UTF-8, finite and no deeper than that.
    """
    assert _error(500, body).details == details


def test_details__deep_ones_do_no_harm() -> None:
    """
    JSON as deep as Python reads it has its words found, or none.
    """
    for depth in (100, 300, 900, 5000):
        body = b'{"errors":[{"message":' + b"[" * depth + b"]" * depth + b"}]}"
        assert len(str(_error(500, body))) < 500


@pytest.mark.parametrize("name", ["location", "x-request-id", "retry-after"])
def test_headers__very_long(name: str) -> None:
    """
    A header of any length makes no long message, and is no wait.
    """
    for value in ("9" * 65_536, "x " * 32_768, "Wed, " * 10_000):
        error = _error(302, b"", {name: value})
        assert len(str(error)) < 500
        assert error.retry_after is None
        assert error.request_id == (value if name == "x-request-id" else None)


@pytest.mark.parametrize(
    "body",
    [
        f"Authentication failed: {KEY}",
        json.dumps({"errors": [{"message": f"unknown key {KEY}", "key": KEY}]}),
        json.dumps({"message": "x" * 290 + KEY}),
        f"<html><title>{'x' * 70} {KEY}</title>",
        "x" * (1200 - 10) + KEY,
    ],
    ids=lambda body: body[:20],
)
def test_error__without_the_key(body: str) -> None:
    """
    A key that a server echoes is blacked out, before anything is cut.
    """
    headers = {"x-request-id": KEY, "location": f"https://other.example/?k={KEY}"}
    for status in (302, 401):
        error = _error(status, body, headers)
        shown = f"{error} {error!r} {error.args} {vars(error)}"
        assert KEY[:12] not in shown
        assert "[***]" in shown
        assert b"[***]" in error.body


@given(replies)
def test_error__whatever_came(reply: Reply) -> None:
    """
    Any reply makes an error that is short, printable and pickles.
    """
    error = error_of(reply, attempts=6, secret=Secret(KEY))
    assert len(str(error)) < 500
    assert len(repr(error)) < 550
    assert str(error).isprintable()
    assert vars(pickle.loads(pickle.dumps(error))) == vars(error)  # noqa: S301 - our own
    assert error.body == reply.body


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("42", 42.0),
        (" 42 ", 42.0),
        ("007", 7.0),
        ("0.5", 0.5),
        ("2.50", 2.5),
        ("120000", 120_000.0),
        ("1" + "0" * 300, 1e300),
    ],
)
def test_retry_after__seconds(value: str, seconds: float) -> None:
    """
    Seconds count, with decimals too.
    """
    assert _retry_after(value) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("Fri, 14 Mar 2025 12:00:30 GMT", 30.0),
        ("Fri, 14 Mar 2025 13:00:30 +0100", 30.0),
        ("Fri, 14 Mar 2025 12:00:30 -0000", 30.0),
        ("Friday, 14-Mar-25 12:00:30 GMT", 30.0),
        ("Fri Mar 14 12:00:30 2025", 30.0),
        ("Fri, 14 Mar 2025 12:00:00 GMT", 0.0),
        ("Fri, 14 Mar 2025 11:59:00 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
def test_retry_after__date(value: str, seconds: float) -> None:
    """
    An HTTP date counts from when the answer came; one that has passed is no wait.
    """
    assert _retry_after(value) == seconds


@given(st.integers(-(10**9), 10**9))
def test_retry_after__any_date(seconds: int) -> None:
    """
    Any date is as many seconds away as it is, and never less than none.
    """
    value = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert _retry_after(value) == max(0.0, seconds)


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "soon",
        "-5",
        "+5",
        "-0.5",
        "nan",
        "inf",
        "-inf",
        "Infinity",
        "1e3",
        "0x10",
        "1_000",
        "5s",
        "5 seconds",
        "5, 10",
        "2.",
        ".5",
        "1.2.3",
        "٤٢",
        "9" * 400,
        "9" * 10_000,
        "0." + "9" * 10 + "e400",
        "Fri, 99 Mar 2025 12:00:30 GMT",
        "Fri, 14 Mar 99999 12:00:30 GMT",
        "Fri, 14 Mar 2025 12:00:30 +99999999999999",
        "2025-03-14T12:00:30Z",
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_retry_after__rubbish(value: str) -> None:
    """
    What is no time makes no wait: the policy's own back-off counts.
    """
    assert _retry_after(value) is None
    assert _retry_after(value, body=b"Retry after 7 seconds") == 7.0


def test_retry_after__none() -> None:
    """
    A reply that names no time asks for none.
    """
    assert _retry_after() is None


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (b"Rate limit exceeded. Retry after 42 seconds", 42.0),
        (b"Rate limit exceeded. Retry after 1 second", 1.0),
        (b"rate limit exceeded. retry after 0.25 SECONDS!", 0.25),
        (b'{"errors":[{"message":"Retry after 42 seconds"}]}', 42.0),
        (b"\xff\xfe Retry after 42 seconds", 42.0),
        (b"Retry after -5 seconds", None),
        (b"Retry after nan seconds", None),
        (b"Retry after  seconds", None),
        (b"Retry after 5 minutes", None),
        (b"Retry after " + b"9" * 10_000 + b" seconds", None),
        (b"x" * 1000 + b"Retry after 42 seconds", None),
        (b"", None),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_retry_after__text_of_a_429(body: bytes, seconds: float | None) -> None:
    """
    With a 429 the service says it in the text of the body alone.
    """
    assert _retry_after(body=body) == seconds


@pytest.mark.parametrize("status", [200, 400, 500, 503])
def test_retry_after__text_of_another_status(status: int) -> None:
    """
    The text of any other reply is not about waiting; its header may be.
    """
    body = b"Retry after 42 seconds"
    assert _retry_after(status=status, body=body) is None
    assert _retry_after("7", status=status, body=body) == 7.0


@pytest.mark.parametrize(
    ("value", "body", "seconds"),
    [
        ("10", b"Retry after 42 seconds", 42.0),
        ("60", b"Retry after 42 seconds", 60.0),
        ("Fri, 14 Mar 2025 12:01:00 GMT", b"Retry after 42 seconds", 60.0),
        ("Fri, 14 Mar 2025 11:00:00 GMT", b"Retry after 42 seconds", 42.0),
    ],
)
def test_retry_after__the_longer_counts(
    value: str, body: bytes, seconds: float
) -> None:
    """
    Where header and text differ, the longer wait is the safe one.
    """
    assert _retry_after(value, body=body) == seconds


@given(replies)
def test_retry_after__whatever_came(reply: Reply) -> None:
    """
    Any reply asks for a finite wait, or for none.
    """
    seconds = retry_after_of(reply)
    assert seconds is None or (seconds >= 0 and math.isfinite(seconds))


@pytest.mark.parametrize(
    ("status", "succeeded"),
    [(199, False), (200, True), (204, True), (299, True), (300, False), (500, False)],
)
def test_reply__succeeded(status: int, *, succeeded: bool) -> None:
    """
    Success is 2xx, and nothing else.
    """
    assert _reply(status).succeeded is succeeded


def test_reply__repr_without_what_may_echo_the_key() -> None:
    """
    The representation of a reply has neither headers nor body.
    """
    assert KEY not in repr(_reply(200, KEY, {"x-echo": KEY}))


@given(strategies.json_values())
def test_parse_json__gives_back(value: Any) -> None:
    """
    What JSON can say is read as it was written.
    """
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"error": "no: KEY"}),
        json.dumps({"error": "no", "KEY": ["KEY"]}),
        "<html><title>no: KEY</title>",
    ],
)
def test_error__without_a_key_in_escapes(body: str) -> None:
    """
    A key is blacked out too where a server wrote it in escapes of JSON or HTML.
    """
    escape = "&#{};" if body.startswith("<") else "\\u{:04x}"
    escaped = "".join(escape.format(ord(character)) for character in KEY)
    error = _error(401, body.replace("KEY", escaped))
    assert KEY not in f"{error} {error!r} {error.args} {error.details}"
    assert "no" in str(error)
