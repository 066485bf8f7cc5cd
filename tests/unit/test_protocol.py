"""
The protocol: literals in, a page or one typed error out.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from enum import Enum, IntEnum
from typing import Any, Literal, get_args
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st

import wacht
from tests import strategies
from wacht import AiExecutionContext, ListExecutionContextsOptions
from wacht._protocol import (
    FILTERS,
    PATH,
    Answer,
    Echo,
    Revision,
    answer_of,
    check_filters,
    expected_echo,
    query_of,
)
from wacht._reply import Reply
from wacht._secret import Secret
from wacht.models import MAX_PAGE

KEY = "wk_live_0123456789abcdef"
NOW = datetime(2025, 3, 14, 12, 0, 0, tzinfo=UTC)
PAGE: dict[str, Any] = {"data": [], "has_more": False}

revisions = st.sampled_from(get_args(Revision))


class Pages(IntEnum):
    SECOND = 2

    def __str__(self) -> str:
        return "the second"


class Agents(str, Enum):  # noqa: UP042 - the one whose str() is not its value
    FIRST = "agent_123"


def _reply(body: Any, status: int = 200, cut_at: int | None = None) -> Reply:
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return Reply(status=status, headers={}, body=body, received=NOW, cut_at=cut_at)


def _answer(body: Any) -> Answer:
    return answer_of(_reply(body), attempts=1, secret=Secret(KEY))


def _decode_error(reply: Reply) -> wacht.DecodeError:
    with pytest.raises(wacht.DecodeError) as caught:
        answer_of(reply, attempts=1, secret=Secret(KEY))
    assert caught.value.__cause__ is caught.value.__context__ is None
    return caught.value


def _options(**fields: Any) -> ListExecutionContextsOptions:
    return ListExecutionContextsOptions(**fields)


def _context(**fields: Any) -> AiExecutionContext:
    return AiExecutionContext(**fields)


@pytest.mark.parametrize(
    ("options", "query"),
    [
        (_options(), {}),
        (_options(page=3), {"page": "3"}),
        (_options(per_page=7), {"per_page": "7"}),
        (
            _options(page=1, per_page=100, agent_id="a", workflow_id="w"),
            {"page": "1", "per_page": "100", "agent_id": "a", "workflow_id": "w"},
        ),
        (
            _options(status="failed", context_group="g"),
            {"status": "failed", "context_group": "g"},
        ),
        (_options(page=MAX_PAGE), {"page": "9223372036854775807"}),
    ],
)
def test_query__page_revision(
    options: ListExecutionContextsOptions, query: dict[str, str]
) -> None:
    """
    Options are sent by their own names, and what is left out is not sent.
    """
    assert query_of(options, "page") == query


@pytest.mark.parametrize(
    ("options", "query"),
    [
        (_options(), {"limit": "20", "offset": "0"}),
        (_options(page=1), {"limit": "20", "offset": "0"}),
        (_options(page=3), {"limit": "20", "offset": "40"}),
        (_options(per_page=100), {"limit": "100", "offset": "0"}),
        (_options(page=3, per_page=7), {"limit": "7", "offset": "14"}),
        (
            _options(status="failed", context_group="g", agent_id="a"),
            {
                "limit": "20",
                "offset": "0",
                "status": "failed",
                "context_group": "g",
                "agent_id": "a",
            },
        ),
    ],
)
def test_query__offset_revision(
    options: ListExecutionContextsOptions, query: dict[str, str]
) -> None:
    """
    A page becomes a limit and an offset; a page of 20 is the promised default.
    """
    assert query_of(options, "offset") == query


@pytest.mark.parametrize("revision", ["page", "offset"])
def test_query__enums_by_their_value(revision: Revision) -> None:
    """
    An enum is sent as the value it stands for, not as it prints.
    """
    options = _options(page=Pages.SECOND, per_page=Pages.SECOND, agent_id=Agents.FIRST)
    plain = _options(page=2, per_page=2, agent_id="agent_123")
    query = query_of(options, revision)
    assert query == query_of(plain, revision)
    assert {type(value) for value in query.values()} == {str}


@given(strategies.options(), revisions)
@example(_options(agent_id="a&b=c#d?e/f%20+ü \x00\n;"), "page")
def test_query__read_back_as_it_was(
    options: ListExecutionContextsOptions, revision: Revision
) -> None:
    """
    In the URL, each value is encoded so that a server reads what the caller wrote.
    """
    query = query_of(options, revision)
    prepared = requests.Request(
        "GET", f"https://api.wacht.dev{PATH}", params=query
    ).prepare()
    url = urlsplit(prepared.url or "")
    assert (url.path, url.fragment) == (PATH, "")
    assert url.query.isascii()
    read = parse_qs(
        url.query, keep_blank_values=True, strict_parsing=bool(query), errors="strict"
    )
    assert read == {name: [value] for name, value in query.items()}


@given(strategies.options())
def test_query__left_out_is_not_sent(options: ListExecutionContextsOptions) -> None:
    """
    Only what the caller gave is in the query, and nothing of it is missing.
    """
    fields = attrs.asdict(options)
    given = {name: str(value) for name, value in fields.items() if value is not None}
    assert query_of(options, "page") == given


@given(st.integers(1, MAX_PAGE), st.integers(1, 100))
def test_expected_echo__pages_join(page: int, per_page: int) -> None:
    """
    Where one page ends, the next begins.
    """
    here = expected_echo(_options(page=page, per_page=per_page))
    assert here.limit == per_page
    assert here.offset == (page - 1) * per_page


def test_echo__in_words() -> None:
    """
    An echo is told in one short line, however long its numbers.
    """
    assert str(Echo(50, 0)) == "limit=50, offset=0"
    assert len(str(Echo(10**4000, 10**5000))) < 200


def test_answer__page_revision() -> None:
    """
    An answer without an echo is a page, and nothing else.
    """
    answer = _answer({"data": [{"id": "1"}], "has_more": True})
    assert answer.page.data == [AiExecutionContext(id="1")]
    assert answer.page.has_more is True
    assert answer.echo is None


def test_answer__offset_revision() -> None:
    """
    An answer of the offset revision brings what was applied.
    """
    assert _answer({**PAGE, "limit": 50, "offset": 100}).echo == Echo(50, 100)


@pytest.mark.parametrize(
    "echo",
    [
        {"limit": 50},
        {"offset": 0},
        {"limit": "50", "offset": "0"},
        {"limit": None, "offset": None},
        {"limit": True, "offset": False},
        {"limit": 50.0, "offset": 0.0},
        {"limit": [], "offset": {}},
    ],
)
def test_answer__no_echo(echo: dict[str, Any]) -> None:
    """
    Two integers are an echo; other fields of these names are none.
    """
    assert _answer({**PAGE, **echo}).echo is None


@given(strategies.pages())
def test_answer__any_page(document: dict[str, Any]) -> None:
    """
    Whatever page the service sends is read, with its echo.
    """
    answer = _answer(document)
    assert len(answer.page) == len(document["data"])
    assert answer.page.has_more is document["has_more"]
    assert (answer.echo is None) == ("limit" not in document)


@pytest.mark.parametrize("status", [200, 201, 206, 299])
def test_answer__any_success(status: int) -> None:
    """
    Every 2xx is read as a page.
    """
    reply = _reply(PAGE, status)
    assert len(answer_of(reply, attempts=1, secret=Secret(KEY)).page) == 0


def test_answer__no_success() -> None:
    """
    Any other status raises its error, with the number of attempts.
    """
    with pytest.raises(wacht.NotFoundError, match="no such thing") as caught:
        answer_of(_reply(b"no such thing", 404), attempts=3, secret=Secret(KEY))
    assert caught.value.attempts == 3


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "the body: expected JSON, got nothing"),
        (b" ", "the body: expected JSON, got ' '"),
        (b"null", "the body: expected an object, got null"),
        (b"[]", "the body: expected an object, got an array"),
        (b"true", "the body: expected an object, got True"),
        (b'"text"', "the body: expected an object, got 'text'"),
        (
            b"<html><title>Welcome</title>",
            "the body: expected JSON, got '<html><title>We",
        ),
        (b"{'data': []}", "the body: expected JSON, got \"{'data': []}\""),
        (b'{"data": [', "the body: expected JSON, got '{\"data\": ['"),
        (b'{"data": []} {}', "the body: expected JSON, got '{\"data\": []} {}'"),
        (b'\xef\xbb\xbf{"data": []}', r"the body: expected JSON, got '\ufeff{"),
        (b'{"data": [{"id": "\xff"}]}', "the body: expected JSON, got '{"),
        (b'{"data": [{"id": "\xed\xa0\x80"}]}', "the body: expected JSON, got '{"),
        (
            b'{"data": NaN}',
            "the body: expected JSON, got '{\"data\": NaN}' (NaN is not",
        ),
        (b"-Infinity", "the body: expected JSON, got '-Infinity' (-Infinity is not"),
        (
            b"[" * 200_000,
            f"the body: expected JSON, got '{'[' * 78}… (nested too deep)",
        ),
        (b'{"a":' * 200_000, 'the body: expected JSON, got \'{"a":{"a":'),
        (
            b'{"data": [{"context": ' + b"[" * 200_000 + b"]" * 200_000 + b"}]}",
            'the body: expected JSON, got \'{"data": [{"context": [[[',
        ),
        (
            b"1" * 10_000,
            f"the body: expected JSON, got '{'1' * 78}… (Exceeds the limit",
        ),
        (
            b'{"data": [{"id": ' + b"1" * 10_000 + b'}], "has_more": true}',
            'the body: expected JSON, got \'{"data": [{"id": 111',
        ),
        (
            json.dumps(PAGE).encode("utf-16"),
            "the body: expected JSON, got '\ufffd\ufffd{",
        ),
        (b"\x1f\x8b\x08\x00", r"the body: expected JSON, got '\x1f"),
        (b"{}", "data: expected a value, got none (and 1 more)"),
        (
            b'{"data": [{}, {}, {}, {"created_at": "yesterday"}], "has_more": true}',
            "data[3].created_at: expected an RFC 3339 timestamp, got 'yesterday'",
        ),
        (
            b'{"errors": [{"message": "no", "code": 500}]}',
            "data: expected a value, got none (and 1 more)",
        ),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_answer__no_page(body: bytes, complaint: str) -> None:
    """
    A success that is no page is a `DecodeError` with the place and the body.
    """
    error = _decode_error(_reply(body))
    assert str(error).startswith(complaint)
    assert len(str(error)) < 500
    assert str(error).isprintable()
    assert error.body == body


def test_answer__cut() -> None:
    """
    A body beyond the limit is none, even where what was read of it is JSON.
    """
    body = json.dumps(PAGE).encode()
    error = _decode_error(_reply(body, cut_at=len(body)))
    assert str(error) == f"the body: expected at most {len(body)} bytes, got more"
    assert error.body == body


@pytest.mark.parametrize(
    "body",
    [
        KEY.encode(),
        b"x" * 70 + KEY.encode(),
        json.dumps({"data": KEY}).encode(),
        json.dumps(
            {"data": [{"created_at": "x" * 70 + KEY}], "has_more": True}
        ).encode(),
        json.dumps({"data": [{"title": {KEY: KEY}}], "has_more": KEY}).encode(),
    ],
    ids=lambda body: body[:20],
)
def test_decode_error__without_the_key(body: bytes) -> None:
    """
    A key that a server echoes is in no part of the error, not even its beginning.
    """
    error = _decode_error(_reply(body))
    assert KEY[:8] not in f"{error} {error!r} {error.args} {vars(error)}"
    assert error.body == body.replace(KEY.encode(), b"[***]")


@given(
    body=st.binary()
    | strategies.json_values().map(lambda value: json.dumps(value).encode())
    | strategies.pages().map(lambda page: json.dumps(page).encode()),
    status=st.sampled_from([200, 200, 204, 302, 429, 500]) | st.integers(),
    headers=st.dictionaries(
        st.sampled_from(["retry-after", "location", "x-request-id"]) | st.text(),
        st.text(st.characters(max_codepoint=0xFF)),
    ),
)
def test_answer__any_bytes_end_in_a_page_or_an_error(
    body: bytes, status: int, headers: dict[str, str]
) -> None:
    """
    Arbitrary bytes, statuses and headers give a page or one `WachtError`, short.
    """
    reply = Reply(status=status, headers=headers, body=body, received=NOW)
    said = _said(reply)
    assert said == "a page" or 0 < len(said) < 500
    assert said.isprintable()
    assert reply.succeeded or said != "a page"


def _said(reply: Reply) -> str:
    try:
        answer = answer_of(reply, attempts=1, secret=Secret(KEY))
    except (wacht.ApiError, wacht.DecodeError) as error:
        return str(error)
    assert isinstance(answer.page, wacht.ExecutionContextListResponse)
    return "a page"


@given(strategies.pages(), st.data())
def test_answer__a_page_cut_anywhere(
    document: dict[str, Any], data: st.DataObject
) -> None:
    """
    No beginning of a page is taken for the whole.
    """
    body = json.dumps(document).encode()
    cut = data.draw(st.integers(0, len(body) - 1))
    _decode_error(_reply(body[:cut]))


@pytest.mark.parametrize("deep", [100, 500, 900, 2000, 20_000])
def test_answer__as_deep_as_python_reads(deep: int) -> None:
    """
    A context nested deep is a page that can be shown, or a `DecodeError`.
    """
    context = b"[" * deep + b"]" * deep
    reply = _reply(b'{"data": [{"context": ' + context + b'}], "has_more": true}')
    said = _said(reply)
    assert said == "a page" or "nested too deep" in said
    if said == "a page":
        page = answer_of(reply, attempts=1, secret=Secret(KEY)).page
        assert len(repr(page[0])) < 200
        assert page[0].to_dict()["context"] == page[0].context


def test_answer__numbers_beyond_a_float() -> None:
    """
    A number that no float can hold does no harm, nor does one that is all zeros.
    """
    page = _answer(b'{"data": [{"context": [1e999, 1e-999]}], "has_more": false}').page
    assert page[0].context == [math.inf, 0.0]


def _answer_with(*contexts: wacht.AiExecutionContext, revision: Revision) -> Answer:
    echo = Echo(100, 0) if revision == "offset" else None
    return Answer(wacht.ExecutionContextListResponse([*contexts], has_more=False), echo)


@pytest.mark.parametrize(
    ("revision", "name"),
    [(revision, name) for revision, names in FILTERS.items() for name in names],
)
def test_check_filters__heeded(revision: Literal["page", "offset"], name: str) -> None:
    """
    Contexts that match the filter pass, and so does one that lacks the field.
    """
    answer = _answer_with(_context(**{name: "asked"}), _context(), revision=revision)
    check_filters(answer, _options(**{name: "asked"}), revision)
    check_filters(answer, _options(), revision)


@pytest.mark.parametrize(
    ("revision", "name"),
    [(revision, name) for revision, names in FILTERS.items() for name in names],
)
def test_check_filters__ignored(revision: Literal["page", "offset"], name: str) -> None:
    """
    A context of another's means that the filter was ignored: an error, not a result.
    """
    contexts = [_context(**{name: "asked"}), _context(**{name: "other"})]
    answer = _answer_with(*contexts, revision=revision)
    with pytest.raises(wacht.PaginationError) as caught:
        check_filters(answer, _options(**{name: "asked"}), revision)
    assert str(caught.value) == (
        f"the service ignored the filter {name}='asked': data[1].{name} is another"
    )


@pytest.mark.parametrize("name", FILTERS["offset"])
def test_check_filters__of_a_revision_in_doubt(name: str) -> None:
    """
    Where no echo bears out the offset revision, a missing field is a filter ignored.
    """
    answer = _answer_with(_context(**{name: "asked"}), _context(), revision="page")
    check_filters(answer, _options(), "offset")
    with pytest.raises(wacht.PaginationError, match=rf"data\[1\].{name} is missing"):
        check_filters(answer, _options(**{name: "asked"}), "offset")


@pytest.mark.parametrize(
    ("revision", "name", "other"),
    [
        ("page", "status", "offset"),
        ("page", "context_group", "offset"),
        ("offset", "agent_id", "page"),
        ("offset", "workflow_id", "page"),
    ],
)
def test_check_filters__unknown_to_the_revision(
    revision: Literal["page", "offset"], name: str, other: str
) -> None:
    """
    A filter that the revision does not know is an error as soon as contexts come.
    """
    options = _options(**{name: "asked"})
    check_filters(_answer_with(revision=revision), options, revision)
    answer = _answer_with(_context(**{name: "asked"}), revision=revision)
    with pytest.raises(wacht.PaginationError) as caught:
        check_filters(answer, options, revision)
    assert str(caught.value) == (
        f"the service ignored the filter {name}='asked': its {revision} revision does "
        f"not know it; only the {other} revision does (Session(pagination='{other}'), "
        "if yours is that one)"
    )


def test_check_filters__long_values() -> None:
    """
    The messages stay short, however long the values.
    """
    long = "x" * 10**6
    for revision in get_args(Revision):
        answer = _answer_with(_context(agent_id=f"{long}y"), revision=revision)
        with pytest.raises(wacht.PaginationError) as caught:
            check_filters(answer, _options(agent_id=long), revision)
        assert len(str(caught.value)) < 500


def test_check_filters__does_not_show_what_came() -> None:
    """
    What a server sends instead may be the key, so the message does not show it.
    """
    answer = _answer_with(_context(agent_id=KEY), revision="page")
    with pytest.raises(wacht.PaginationError) as caught:
        check_filters(answer, _options(agent_id="asked"), "page")
    assert KEY not in str(caught.value)
