"""Any value becomes text that is safe to show."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from wacht._html import _plain_text
from wacht._text import escape_controls, safe_line, safe_repr

any_text = st.text(st.characters())


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError


@given(any_text, st.none() | any_text | st.binary() | st.lists(any_text))
def test_any_text__is_safe(text: str, value: object) -> None:
    for shown in (escape_controls(text), safe_line(text, 9), safe_repr(value, 9)):
        assert shown.isprintable()
        shown.encode()
    assert max(len(safe_line(text, 9)), len(safe_repr(value, 9))) <= 9


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\r\nlines\t.", r"two\r\nlines\t."),
        ("\x1b[31mred\x9b0m\x07", r"\x1b[31mred\x9b0m\x07"),
        ("\u202eevil\u2069\u200f", r"\u202eevil\u2069\u200f"),
        ("lone \ud800", r"lone \ud800"),
        ("no\xa0break\u3000wide", "no break wide"),
    ],
)
def test_escape_controls__cases(text: str, shown: str) -> None:
    assert escape_controls(text) == shown


def test_escape_controls__keep() -> None:
    assert escape_controls("ü a\nb\tc", keep="\n") == "ü a\nb\\tc"


def test_safe_line__white_space_and_joiners() -> None:
    assert safe_line(" two\r\n lines ", 9) == "two lines"
    assert safe_line("👩\u200d💻 ❤\ufe0f", 9) == "👩💻 ❤"


@pytest.mark.parametrize(
    ("value", "shown"),
    [("a\n", r"'a\n'"), (Broken(), "<Broken>"), ([10**5_000], "<list>")],
)
def test_safe_repr__cases(value: object, shown: str) -> None:
    assert safe_repr(value) == shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("text\n", "text\n"),
        (None, "null"),
        ({"a": [1, "ü"]}, '{"a": [1, "ü"]}'),
        (b"bytes", "\"b'bytes'\""),
        ([10**5_000], "<list>"),
        ({(1, 2): 3}, "{(1, 2): 3}"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01 00:00:00 UTC"),
        (datetime.fromisoformat("2026-03-01T12:00:00.1+05"), "2026-03-01 07:00:00 UTC"),
    ],
)
def test_plain_text__cases(value: object, text: str) -> None:
    assert _plain_text(value, 80) == text
