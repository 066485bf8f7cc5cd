"""A reply ends in a page of contexts, or in one typed error without the key."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given, strategies as st

import wacht
from tests import strategies
from wacht._protocol.answers import PageResponse, read_answer
from wacht._protocol.credentials import ApiKey
from wacht._protocol.replies import RawResponse
from wacht._protocol.windows import Window

KEY = "wk_live_0123456789abcdef"
URL = "https://wacht.example/ai/execution-contexts"
PAGE: dict[str, Any] = {"data": [], "has_more": False}


def reply(
    body: Any,
    status: int = 200,
    headers: dict[str, str] | None = None,
    truncated_at: int | None = None,
) -> RawResponse:
    if isinstance(body, str):
        body = body.encode()
    return RawResponse(
        status=status,
        headers=headers or {},
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        truncated_at=truncated_at,
    )


def read(body: Any, *arguments: Any, **fields: Any) -> PageResponse:
    answered = reply(body, *arguments, **fields)
    return read_answer(answered, url=URL, attempts=3, redactor=ApiKey(KEY))


def error_of(*arguments: Any, **fields: Any) -> Any:
    with pytest.raises(wacht.WachtError) as caught:
        read(*arguments, **fields)
    assert caught.value.__cause__ is caught.value.__context__ is None
    return caught.value


def test_page() -> None:
    answer = read({"data": [{"id": "1"}], "has_more": True}, 299)
    assert answer == PageResponse([wacht.AiExecutionContext(id="1")], True, None)  # noqa: FBT003
    echoing = read({**PAGE, "limit": 50, "offset": 100})
    assert echoing == PageResponse([], False, Window(100, 50))  # noqa: FBT003


@pytest.mark.parametrize(
    "echo",
    [
        {"limit": 50},
        {"offset": 0},
        {"limit": True, "offset": 5.0},
        {"limit": 50, "offset": -1},
        {"limit": 10**4000, "offset": 0},
    ],
)
def test_page__with_other_fields_of_these_names(echo: dict[str, Any]) -> None:
    assert read({**PAGE, **echo}).applied is None


@pytest.mark.parametrize(
    ("body", "got"),
    [
        (b"", "nothing"),
        (b"<html><title>Hi</title>", "an HTML page, 'Hi': check WACHT_BASE_URL or b"),
        (b"<html>" + b"<h1>" * 9999 + b"late</h1>", "an HTML page: check WACHT_BASE_U"),
        (b'{"data": [{"id": "\xff"}]}', "'{"),
        (b"[" * 200_000, f"'{'[' * 78}… (nested too deep)"),
        (b"1" * 9000, f"'{'1' * 78}… (Exceeds the limit"),
    ],
)
def test_no_page(body: bytes, got: str) -> None:
    error = error_of(body)
    assert type(error) is wacht.DecodeError
    assert str(error).startswith(f"the body: expected JSON, got {got}")
    assert len(str(error)) < 500
    assert error.body == body[: 64 * 1024]


def test_no_page__a_number_that_is_not_finite() -> None:
    """The message of the parser is as good as ours."""
    error = error_of(b'{"data": [], "has_more": 1e999}')
    assert str(error) == "the body: expected finite numbers, got 1e999"


def test_no_page__too_large() -> None:
    with pytest.raises(wacht.DecodeError) as caught:
        read(PAGE, truncated_at=30)
    assert "30 bytes (max_response_bytes), got more" in str(caught.value)


errors = st.builds(lambda it: {"errors": it}, strategies.json_values())


@given(
    body=st.lists(st.binary() | st.just(KEY.encode())).map(b"".join)
    | (strategies.almost_pages() | errors).map(lambda it: json.dumps(it).encode()),
    status=st.sampled_from([200, 200, 204, 302, 429, 500]) | st.integers(),
    headers=st.dictionaries(
        st.sampled_from(["retry-after", "location", "x-request-id"]) | st.text(),
        st.text(st.characters(max_codepoint=0xFF)) | st.just(KEY),
    ),
)
def test_any_bytes__end_in_a_page_or_an_error(
    body: bytes, status: int, headers: dict[str, str]
) -> None:
    ended: PageResponse | wacht.ApiError | wacht.DecodeError
    try:
        ended = read(body, status, headers)
    except (wacht.ApiError, wacht.DecodeError) as error:
        ended = error
    if isinstance(ended, PageResponse):
        assert len(ended.contexts) == len(json.loads(body)["data"])
        return
    assert isinstance(ended, wacht.DecodeError) is (200 <= status < 300)
    assert 0 < len(str(ended)) < 500
    assert str(ended).isprintable()
    assert KEY not in f"{ended} {ended!r} {vars(ended)}"
    copied = pickle.loads(pickle.dumps(ended))  # noqa: S301 - our own
    assert vars(copied) == vars(ended)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, wacht.BadRequestError),
        (401, wacht.AuthenticationError),
        (403, wacht.PermissionDeniedError),
        (404, wacht.NotFoundError),
        (429, wacht.RateLimitError),
        (500, wacht.ServerError),
        (599, wacht.ServerError),
        *((status, wacht.ApiError) for status in (199, 304, 418, 600)),
    ],
)
def test_status__has_its_class(status: int, kind: type[wacht.ApiError]) -> None:
    assert type(error_of(b"", status)) is kind


def test_api_error__carries_the_answer() -> None:
    body = b'{"errors":[{"message":"Something went wrong","code":500}]}'
    error = error_of(body, 503, {"x-request-id": "request-1", "retry-after": "2.5"})
    assert vars(error) == {
        "status": 503,
        "message": "Something went wrong",
        "details": json.loads(body),
        "body": body,
        "request_id": "request-1",
        "retry_after": 2.5,
        "attempts": 3,
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("Permission denied\n", "Permission denied"),
        ('{"errors":[{"message":"No key"},{"message":"No plan"}]}', "No key; No plan"),
        ('{"errors":[{"message":null}]}', '{"errors":[{"message":null}]}'),
        ('{"message":"a gateway\'s"}', '{"message":"a gateway\'s"}'),
        ("[1]", "[1]"),
        ("a\x1b[31m\u202eb", r"a\x1b[31m\u202eb"),
        (b"\xff", "\ufffd"),
        ("a" * 301, "a" * 299 + "…"),
        ("<html><title>502 Bad</title></head>...", "an HTML page, '502 Bad'"),
        ("\n<!DOCTYPE HTML>\n<H1 x>\nA &amp; B\n</H1>", "an HTML page, 'A & B'"),
        ("<html><body>nothing to say", "an HTML page"),
        (" \n ", "the answer has no message"),
    ],
)
def test_message(body: bytes | str, message: str) -> None:
    assert error_of(body, 502).message == message


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "no; check WACHT_API_KEY or api_key"),
        (404, f"no; {URL} was asked: check WACHT_BASE_URL or base_url, and path"),
        (403, "no"),
    ],
)
def test_message__says_what_to_check(status: int, message: str) -> None:
    assert error_of("no", status).message == message


@pytest.mark.parametrize("key", [f"'{KEY}'", f'"{KEY}"'])
def test_message__of_a_key_in_quotes(key: str) -> None:
    with pytest.raises(wacht.AuthenticationError, match=r"no \[\*\*\*\]; .* is in quo"):
        read_answer(reply(f"no {KEY}", 401), url=URL, attempts=1, redactor=ApiKey(key))


@pytest.mark.parametrize(
    ("status", "message"), [(301, "refused: the key"), (308, "refused"), (304, "body")]
)
def test_message__of_a_redirect(status: int, message: str) -> None:
    location = "https://other.example/\x1b" + "x" * 1000
    error = error_of(b"body", status, {"location": location})
    assert len(error.message) < 400
    assert message in error.message
    assert ("https://other.example/" in error.message) is (status != 304)
    assert error_of(b"body", 301).message == "body"


@pytest.mark.parametrize("body", ["text", "[" * 200_000])
def test_details__none_without_json(body: str) -> None:
    assert error_of(body, 500).details is None


def test_details__without_the_key_however_it_is_spelled() -> None:
    escaped = "".join(f"\\u{ord(char):04X}" for char in KEY)
    details = error_of(f'{{"a": ["{escaped}", 1], "{escaped}": null}}', 401).details
    assert details == {"a": ["[***]", 1], "[***]": None}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, f"Authentication failed: {KEY}"),
        (401, json.dumps({"errors": [{"message": f"unknown key {KEY}", "k": [KEY]}]})),
        (401, json.dumps({"message": "x" * 290 + KEY})),
        (401, f"<html><title>{'x' * 70} {KEY}</title>"),
        (401, "x" * (64 * 1024 - 9) + KEY),
        (200, "x" * 60 + KEY),
        (200, f"<html><title>{'x' * 70} {KEY}</title>"),
        (200, json.dumps({"data": [{"created_at": "x" * 60 + KEY}], "has_more": 1})),
    ],
)
def test_error__has_no_key(status: int, body: str) -> None:
    """A key that a server echoes is removed before anything is shortened."""
    headers = {"x-request-id": KEY, "location": f"https://other.example/?k={KEY}"}
    for error in (error_of(body, status, headers), error_of(body, 302, headers)):
        shown = f"{error} {error!r} {error.args} {vars(error)}"
        assert KEY[:9] not in shown


def test_error__without_the_beginning_of_a_key_that_was_cut_off() -> None:
    body = b"The key " + KEY[:9].encode()
    assert error_of(body, 401).body == body
    assert error_of(body, 401, truncated_at=len(body)).body == b"The key "
