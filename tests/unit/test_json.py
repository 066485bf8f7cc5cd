"""JSON gives the same values with msgspec and without, within bounds."""

from __future__ import annotations

import json as standard
import runpy
import sys

import pytest
from hypothesis import given, strategies as st

from tests import strategies
from wacht._protocol import json
from wacht._protocol.json import MAX_VALUES, SchemaError, parse_json

MANY_TEXTS = b'["' + b'",",' * MAX_VALUES + b'"]'


def outcome(body: bytes) -> tuple[str, object]:
    try:
        # A repr tells 1 from 1.0 and True, and -0.0 from 0.0.
        return "value", repr(parse_json(body))
    except (ValueError, RecursionError) as error:
        return "error", type(error)


def outcome_without_msgspec(body: bytes) -> tuple[str, object]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json, "_fast_decode", None)
        return outcome(body)


@given(
    strategies.json_values().map(lambda value: standard.dumps(value).encode())
    | st.binary(max_size=40)
    | st.text('[]{}",:0123456789.eE+-\\u untrefalsN').map(str.encode)
)
def test_parse__any_bytes(body: bytes) -> None:
    assert outcome(body) == outcome_without_msgspec(body)


@pytest.mark.parametrize(
    "body",
    [
        *(b"123456789012345678901234567890", b"-9223372036854775809"),
        *(b"18446744073709551616", b"1e400", b"-0", b"-0.0", b"NaN", b"9" * 5000),
        *(b'"\\ud800"', b'{"a": 1, "a": 2}', b"[" * 200_000, b"\xef\xbb\xbf{}"),
        *(b'"\xff"', b'"\t"'),
    ],
)
def test_parse__what_parsers_disagree_about(body: bytes) -> None:
    assert outcome(body) == outcome_without_msgspec(body)


def test_parse__without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msgspec.json", None)
    names = runpy.run_path(json.__file__)
    assert names["_fast_decode"] is None
    assert names["parse_json"](b'\xef\xbb\xbf{"a": [1]}') == {"a": [1]}


def test_parse__exception_of_a_signal_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    """It passes; only what the fast parser itself raises leads to the other one."""

    def interrupted(_body: bytes) -> None:
        raise ValueError("time is up")

    monkeypatch.setattr(json, "_fast_decode", interrupted)
    with pytest.raises(ValueError, match="time is up"):
        parse_json(b"{}")


@pytest.mark.parametrize("number", ["NaN", "1e999", "-Infinity", f"{'9' * 70_000}.0"])
def test_number__not_finite(number: str) -> None:
    """Python would read an infinity, which isn't JSON on its way out."""
    with pytest.raises(SchemaError, match=f"finite numbers, got {number:.80}$"):
        parse_json(f'[1.5, {{"a": {number}}}]'.encode())


@pytest.mark.parametrize(
    "body", [b"[" + b"{}," * MAX_VALUES + b"{}]", b"[" * (MAX_VALUES + 1), MANY_TEXTS]
)
def test_values__too_many(body: bytes) -> None:
    with pytest.raises(SchemaError, match="expected at most 1,000,000 values"):
        parse_json(body)


def test_values__as_many_as_allowed() -> None:
    assert len(parse_json(b"[" + b"1," * (MAX_VALUES - 1) + b"1]")) == MAX_VALUES


@pytest.mark.parametrize("text", [b"," * MAX_VALUES, b'\\",' * MAX_VALUES])
def test_values__separators_in_text_are_none(text: bytes) -> None:
    assert len(parse_json(b'["' + text + b'"]')) == 1


@pytest.mark.parametrize("body", [b'"' * MAX_VALUES + b",", b'\\",' * (MAX_VALUES + 1)])
def test_values__of_text_without_end(body: bytes) -> None:
    """Counting doesn't take long, either."""
    with pytest.raises(ValueError, match=r"Expecting|Extra|Invalid"):
        parse_json(body)
