"""Decoding: strict where the service promises something; errors point."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import fields
from hypothesis import given

from tests import strategies
from wacht import AiExecutionContext
from wacht._protocol import decoding
from wacht._protocol.decoding import structure_page
from wacht._protocol.json import SchemaError
from wacht.models import FIELD_NAMES, KINDS

PAYLOADS = Path(__file__).parents[1] / "payloads"
PAGE = {"data": [], "has_more": True}
WIDE_TWO = "\N{FULLWIDTH DIGIT TWO}"
IDS = [name for name in FIELD_NAMES if KINDS[name] == "Id"]


def unchanged(text: str) -> str:
    return text


def structured(*contexts: Any) -> list[AiExecutionContext]:
    return structure_page({"data": [*contexts], "has_more": False}, unchanged).data


def context(**values: Any) -> AiExecutionContext:
    [only] = structured(values)
    return only


def mismatch(document: object) -> str:
    with pytest.raises(SchemaError) as caught:
        structure_page(document, unchanged)
    assert caught.value.__cause__ is caught.value.__context__ is None
    return str(caught.value)


def mismatch_of(**values: Any) -> str:
    return mismatch({"data": [{}, {}, {}, values], "has_more": True})


@pytest.mark.parametrize("name", ["page_revision", "offset_revision", "hostile"])
def test_payload(name: str) -> None:
    document = json.loads((PAYLOADS / f"{name}.json").read_bytes())
    page = structure_page(document, unchanged)
    for each, sent in zip(page, document["data"], strict=True):
        assert {*sent} <= {*each.to_dict()}
        assert json.loads(json.dumps(each.to_dict())) == each.to_dict()
        assert repr(each).isprintable()


def test_fast_path__sets_what_init_would() -> None:
    """Decoding doesn't call `__init__`; a field's default must hold all the same."""
    empty = context()
    assert empty == AiExecutionContext()
    for attribute in fields(AiExecutionContext):
        assert getattr(empty, attribute.name) == getattr(
            AiExecutionContext(), attribute.name
        )
    assert context().extra is not empty.extra


@given(strategies.timestamps_and_times())
def test_timestamp__every_form(pair: tuple[str, datetime]) -> None:
    text, expected = pair
    created_at = context(created_at=text).created_at
    assert created_at == expected
    assert created_at.tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["2016-12-31T23:59:60.5Z", "2017-01-01t05:29:60.25+05:30"]
)
def test_timestamp__leap_second(text: str) -> None:
    """It becomes the last microsecond before it."""
    last = datetime(2016, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert context(created_at=text).created_at == last


TIMESTAMP = "expected an RFC 3339 timestamp"
NO_TIMESTAMPS = (
    "2025-03-14",
    "2025-03-14T09:26:53",
    "2025-03-14T23:60+00:00",
    f"{WIDE_TWO}025-03-14T09:26:53Z",
    "2025-03-14T09:26:53Z\n",
    1741944413,
)
NO_SUCH_TIMES = (
    "2025-03-14T24:30:00Z",
    "2025-03-14T09:26:53+24:00",
    "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59-00:01",
)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        *(
            (value, f"{TIMESTAMP} with an offset, got {value!r}")
            for value in NO_TIMESTAMPS
        ),
        ({"$date": 0}, f"{TIMESTAMP} with an offset, got an object"),
        ("x" * 10**6, f"{TIMESTAMP} with an offset, got '{'x' * 78}…"),
        *((value, f"{TIMESTAMP}, got {value!r}") for value in NO_SUCH_TIMES),
    ],
)
def test_timestamp__that_is_none(value: Any, message: str) -> None:
    assert mismatch_of(completed_at=value) == f"data[3].completed_at: {message}"


@pytest.mark.parametrize("name", IDS)
def test_id__string_number_or_null(name: str) -> None:
    values = ("72", 2**64 - 1, -1, "", None)
    read = [getattr(context(**{name: value}), name) for value in values]
    assert read == ["72", "18446744073709551615", "-1", "", None]


@pytest.mark.parametrize("name", [*IDS, "title", "status"])
def test_text__of_another_kind(name: str) -> None:
    """Nothing but a number in place of an id is turned into text."""
    for value, got in ((True, "True"), (1e18, "1e+18"), ([], "an array")):
        expected = f"data[3].{name}: expected a string, got {got}"
        assert mismatch_of(**{name: value}) == expected
    kind = "an id of at most 64 bits" if name in IDS else "a string"
    assert mismatch_of(**{name: 2**64}) == (
        f"data[3].{name}: expected {kind}, got {2**64}"
    )


@pytest.mark.parametrize(
    ("kind", "values", "expected", "refused"),
    [
        ("int", [0, -7, None], "an integer", ["7", 7.0, True]),
        ("int", [-(2**63)], "a signed 64-bit integer", [2**63, -(2**63) - 1]),
        ("bool", [False, True, None], "a boolean", ["false", 0]),
    ],
)
def test_number_and_boolean__strict(
    kind: str, values: Any, expected: str, refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(decoding._FIELDS, "new", decoding._READERS[kind])
    for value in values:
        read = vars(context(new=value)).get("new")
        assert (type(read), read) == (type(value), value)
    for value in refused:
        message = f"data[3].new: expected {expected}, got {value!r}"
        assert mismatch_of(new=value) == message


@given(strategies.pages(), strategies.json_values())
def test_unknown_fields__of_a_page(document: dict[str, Any], value: Any) -> None:
    page = structure_page({**document, "total": value, "resume": value}, unchanged)
    assert page == structure_page(document, unchanged)
    assert page.resume is None


@given(strategies.contexts())
def test_structure__is_the_inverse_of_to_dict(document: dict[str, Any]) -> None:
    """Beside times and numeric ids, the JSON is as it came."""
    [first] = structured(document)
    back = json.loads(json.dumps(first.to_dict()))
    assert structured(back) == [first]
    for name, value in document.items():
        if KINDS.get(name) == "Id" and value is not None:
            assert back[name] == str(value)
        elif KINDS.get(name) != "datetime":
            assert back[name] == value
    assert {back[name] for name in FIELD_NAMES if name not in document} <= {None}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (None, "the body: expected an object, got null"),
        ("page", "the body: expected an object, got 'page'"),
        ({}, "data: expected a value, got none"),
        ({"data": []}, "has_more: expected a value, got none"),
        (PAGE | {"data": {}}, "data: expected an array, got an object"),
        (PAGE | {"has_more": None}, "has_more: expected a boolean, got null"),
        (PAGE | {"has_more": "false"}, "has_more: expected a boolean, got 'false'"),
        (PAGE | {"data": [{}, [[]]]}, "data[1]: expected an object, got an array"),
        ({"data": [{}] * 1001}, "data: expected at most 1,000 contexts, got 1001"),
        ({"data": [{}, *[1] * 999]}, "data[1]: expected an object, got 1"),
    ],
)
def test_page__of_another_shape(document: Any, expected: str) -> None:
    assert mismatch(document) == expected
