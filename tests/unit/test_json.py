"""
JSON gives the same values with msgspec and without.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import strategies
from wacht import _json

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def without_msgspec(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installation without the extra."""
    monkeypatch.setitem(sys.modules, "msgspec.json", None)
    _json._quick_parser.cache_clear()
    yield
    _json._quick_parser.cache_clear()


def outcome(body: bytes) -> tuple[Any, ...]:
    try:
        # A repr tells 1 from 1.0 and True, and -0.0 from 0.0.
        return ("value", repr(_json.parse_json(body)))
    except (ValueError, RecursionError) as error:
        return ("error", type(error))


def outcome_without(body: bytes) -> tuple[Any, ...]:
    quick, _json._quick_parser = _json._quick_parser, lambda: None  # type: ignore[assignment]
    try:
        return outcome(body)
    finally:
        _json._quick_parser = quick


@given(strategies.json_values())
def test_json__values_are_the_same(value: Any) -> None:
    """Any JSON gives the same values with msgspec and without."""
    body = json.dumps(value).encode()
    assert outcome(body) == outcome_without(body)


@given(
    st.binary(max_size=40)
    | st.text('[]{}",:0123456789.eE+-\\u untrefalsN').map(str.encode)
)
def test_json__refusals_are_the_same(body: bytes) -> None:
    """Any bytes are refused with msgspec and without, or by neither."""
    assert outcome(body) == outcome_without(body)


@pytest.mark.parametrize(
    "body",
    [
        b"123456789012345678901234567890",
        b"-9223372036854775809",
        b"18446744073709551616",
        b"0.1",
        b"1e400",
        b"-0",
        b"-0.0",
        b"1E5",
        b'"\\ud800"',
        b'{"a": 1, "a": 2}',
        b"NaN",
        b"[1, 2",
        b"9" * 5000,
        b"[" * 200_000,
        b"\xef\xbb\xbf{}",
        b'"\xff"',
        b'"\t"',
        b"",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_json__hard_cases_are_the_same(body: bytes) -> None:
    """What parsers like to disagree about is the same with msgspec and without."""
    assert outcome(body) == outcome_without(body)


@pytest.mark.usefixtures("without_msgspec")
def test_json__works_without_the_extra() -> None:
    """Without msgspec the standard library does the work."""
    assert _json._quick_parser() is None
    assert _json.parse_json(b'{"a": [1]}') == {"a": [1]}
