"""Cards and tables hold our markup around any text of other people."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given, strategies as st

from tests.strategies import json_values, texts
from wacht._contexts import NOTEBOOK_COLUMNS as COLUMNS
from wacht._html import card_html, table_html
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
