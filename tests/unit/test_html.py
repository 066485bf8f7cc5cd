"""Any value becomes text that is safe to show, in lines, cards and tables."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given, strategies as st

from tests.strategies import json_values, texts
from wacht._contexts import NOTEBOOK_COLUMNS as COLUMNS
from wacht._html import _plain_text, card_html, table_html
from wacht._text import escape_controls, safe_line, safe_repr
from wacht.models import KINDS

TAGS = {
    *("div", "pre", "style", "details", "summary"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {"class", "dir", "scope", "style"}
MARKUP = (
    "<script>alert(1)</script>",
    "</td></table></style></pre><img src=x onerror=alert(1)>",
    "\"' onmouseover='alert(1)' x=\"",
    "&lt;b&gt; &amp; &#60;",
    "<!-- <![CDATA[ <?php",
)

markup = st.sampled_from(MARKUP)
values = json_values() | markup | st.text(st.characters(), max_size=300)
fields = st.dictionaries(texts | markup | st.sampled_from(COLUMNS), values, max_size=4)


def read(html: str) -> list[Element]:
    """Read HTML, and fail on what this package never writes."""
    elements = [*fromstring(html).iter()]  # noqa: S314 - no document from outside
    for element in elements:
        assert element.tag in TAGS
        assert not (element.tail or "").strip()
        for name, value in element.items():
            assert name in ATTRIBUTES
            assert name != "class" or value.startswith("wacht-")
            assert name != "style" or value.startswith("text-align:left")
    return [element for element in elements if element.tag != "style"]


def shown(html: str) -> list[str]:
    return [element.text for element in read(html) if element.text]


def table(*page: Mapping[str, object]) -> str:
    return table_html(page, KINDS, caption="one page")


@given(st.lists(fields, min_size=1, max_size=3), texts | markup)
def test_html__any_values(page: list[Mapping[str, object]], caption: str) -> None:
    for html in (card_html(page[0]), table_html(page, KINDS, caption=caption)):
        html.encode()
        read(html)


@pytest.mark.parametrize("text", [*MARKUP, "👩\u200d💻 ❤\ufe0f"])
def test_html__text_in_values(text: str) -> None:
    assert shown(card_html({"title": text, text[:30]: text})) == [text, text[:30], text]
    assert shown(table_html([{"title": text}], KINDS, caption=text)).count(text) == 2
    assert shown(card_html({"title": "\u202egnp.exe"})) == [r"\u202egnp.exe"]


@pytest.mark.parametrize("draw", [card_html, table])
def test_html__loads_nothing_and_styles_nothing_else(draw: Any) -> None:
    markup = draw({"id": "1", "title": "Refund"}).lower()
    for word in ("script", "url(", "http", "@import", "src=", "href", "position:"):
        assert word not in markup
    assert ' mathjax_ignore tex2jax_ignore">' in markup  # "$1 to $2" is no formula
    style = markup.partition("<style>")[2].partition("</style>")[0]
    for rule in style.split("}")[:-1]:
        for selector in rule.partition("{")[0].replace(":is(th,td)", "").split(","):
            assert selector.strip().startswith(".wacht-")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"id": "7", "agent_id": "a", "title": "Refund", "n": 0},
            ["Refund", "7", "agent_id", "a", "n", "0"],
        ),
        ({"id": "7"}, ["7"]),
        ({"title": None, "status": "", "context": {}, "more": []}, ["untitled"]),
    ],
)
def test_card_html__fields(fields: dict[str, object], expected: list[str]) -> None:
    assert shown(card_html(fields)) == expected


@pytest.mark.parametrize(
    ("value", "summary", "block"),
    [
        ("Be kind.\nBe brief.", "Be kind.\nBe brief.", "Be kind.\nBe brief."),
        (list(range(99)), "[0, 1, ", "[\n  0,\n  1,"),
    ],
)
def test_card_html__long_values(value: object, summary: str, block: str) -> None:
    parts = {e.tag: e.text or "" for e in read(card_html({"context": value}))}
    assert parts["summary"].startswith(summary)
    assert parts["pre"].startswith(block)


def test_table_html__columns() -> None:
    elements = read(table({"title": None, "context": ""}, {"status": "idle"}))
    headings = [element.text for element in elements if element.tag == "th"]
    assert headings == ["id", "created_at", "status"]
    assert [e.text for e in elements if e.tag == "caption"] == ["one page"]


@pytest.mark.parametrize(("count", "last"), [(20, "19"), (100, "… 80 more rows")])
def test_table_html__rows(count: int, last: str) -> None:
    html = table(*({"id": str(number)} for number in range(count)))
    assert html.count("<tr>") == 21
    assert shown(html)[-1] == last


def test_table_html__whole_and_cut_cells() -> None:
    whole = table({"id": "7" * 19, "created_at": datetime(2026, 3, 1, tzinfo=UTC)})
    assert shown(whole)[-2:] == ["7" * 19, "2026-03-01 00:00:00 UTC"]
    assert 'class="wacht-cut"' not in whole
    assert 'class="wacht-cut"' in table({"title": "x"})
    assert shown(table({"context": False}, {"context": 0}))[-2:] == ["false", "0"]


def test_html__large_values_stay_small() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    row: dict[str, object] = {
        "title": "<" * 1_000_000,
        "context": {"<" * 1_000_000: "<" * 1_000_000},
        "status": 10**4_000,
        "context_group": deep,
        "session_id": list(range(200_000)),
    }
    assert len(card_html(row)) < 200_000
    assert len(table(*[row] * 20)) < 200_000


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
