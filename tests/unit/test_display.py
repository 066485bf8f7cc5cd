"""
What notebooks are given is our markup around their text, whatever the text is.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wacht._display import (
    _INLINE,
    _LEFT,
    ALWAYS,
    COLUMNS,
    card_html,
    columns,
    cut,
    is_id,
    is_set,
    printable,
    table_html,
)

TAGS = {
    "caption",
    "details",
    "div",
    "pre",
    "span",
    "style",
    "summary",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
}
ATTRIBUTES = {"class", "dir", "scope", "style"}
STYLES = {_LEFT.split('"')[1], *_INLINE.values()}
NOON = datetime(2026, 3, 1, 12, 34, 56, 123456, tzinfo=UTC)
HOSTILE = (
    "<script>alert(1)</script>",
    "</td></table></style></pre><img src=x onerror=alert(1)>",
    "\"' onmouseover='alert(1)' x=\"",
    "&lt;b&gt; &amp; &#60;",
    "<!-- <![CDATA[ <?php",
    "safe \u202egnp.exe",
    "\x1b]0;title\x07\x00\x9b31m",
    "lone \ud800 surrogate",
    "👩\u200d💻 ❤\ufe0f",
)

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=300)
    | st.sampled_from(HOSTILE)
    | st.datetimes(timezones=st.timezones()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
rows = st.dictionaries(st.sampled_from(COLUMNS), values)


class Reader(HTMLParser):
    """
    Read HTML as a browser would, and fail on what this package never writes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        for name, value in attrs:
            assert name in ATTRIBUTES
            assert name != "class" or str(value).startswith("wacht-")
            assert name != "style" or value in STYLES
        self.open.append(tag)
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        assert self.open
        if self.open[-1] != "style":
            self.texts.append((self.open[-1], data))

    def handle_comment(self, data: str) -> None:
        pytest.fail(f"a comment: {data}")

    def handle_decl(self, decl: str) -> None:
        pytest.fail(f"a declaration: {decl}")

    def handle_pi(self, data: str) -> None:
        pytest.fail(f"an instruction: {data}")

    def unknown_decl(self, data: str) -> None:
        pytest.fail(f"a declaration: {data}")


def read(markup: str) -> Reader:
    reader = Reader()
    reader.feed(markup)
    reader.close()
    assert not reader.open
    return reader


def text_of(markup: str) -> str:
    return "".join(text for _, text in read(markup).texts)


@given(st.dictionaries(st.text() | st.sampled_from(HOSTILE), values))
def test_card_html__any_values(fields: dict[str, Any]) -> None:
    """A card holds our tags and attributes alone, closed, and encodes as UTF-8."""
    markup = card_html(fields)
    markup.encode()
    read(markup)


@given(st.lists(rows, max_size=30), st.text())
def test_table_html__any_values(page: list[Mapping[str, object]], caption: str) -> None:
    """A table holds our tags and attributes alone, closed, and encodes as UTF-8."""
    markup = table_html(page, caption=caption)
    markup.encode()
    read(markup)


@pytest.mark.parametrize("text", HOSTILE[:5])
def test_html__markup_in_values(text: str) -> None:
    """Markup in any place is shown as the text that it is."""
    card = [shown for _, shown in read(card_html({"title": text, text: text})).texts]
    assert card[0] == card[-1] == text
    assert card[1] == text[:40]
    assert text_of(table_html([{"title": text}], caption=text)).count(text) == 2


@pytest.mark.parametrize("draw", [card_html, lambda fields: table_html([fields])])
def test_html__nothing_from_elsewhere(draw: Any) -> None:
    """Nothing is loaded, run or positioned outside: no script, URL or import."""
    markup = draw({"id": "1", "title": "Refund"}).lower()
    for word in ("script", "url(", "http", "@import", "src=", "href", "position:"):
        assert word not in markup


@pytest.mark.parametrize("draw", [card_html, lambda fields: table_html([fields])])
def test_html__style_is_scoped(draw: Any) -> None:
    """Each rule begins with a class of ours, so the notebook keeps its own looks."""
    style = draw({"id": "1"}).partition("<style>")[2].partition("</style>")[0]
    selectors = [rule.partition("{")[0].strip() for rule in style.split("}")[:-1]]
    assert selectors
    for selector in selectors:
        for one in selector.replace(":is(th,td)", "").split(","):
            assert one.startswith(".wacht-")


def test_html__bidirectional_controls() -> None:
    """An override that would turn text around is shown by its name instead."""
    markup = card_html({"title": "safe \u202egnp.exe", "note": "\u2066\u200f"})
    assert text_of(markup).startswith(r"safe \u202egnp.exe")
    assert not set("\u202e\u2066\u200f") & set(markup)


def test_html__joined_emoji() -> None:
    """A browser is given the joiners that make one picture of two."""
    assert "👩\u200d💻 ❤\ufe0f" in card_html({"title": "👩\u200d💻 ❤\ufe0f"})


def test_card_html__order() -> None:
    """The title comes first, the id below it, then the other fields as they come."""
    card = card_html({"id": "7", "agent_id": "a", "title": "Refund", "status": "idle"})
    texts = [text for _, text in read(card).texts]
    assert texts == ["Refund", "7", "agent_id", "a", "status", "idle"]


def test_card_html__no_title() -> None:
    """Without a title the id stands in its place."""
    assert read(card_html({"id": "7"})).texts == [("div", "7")]


@pytest.mark.parametrize("empty", [None, "", {}, []])
def test_card_html__nothing_set(empty: object) -> None:
    """A context of which nothing is set is a card that says so."""
    fields = dict.fromkeys((*COLUMNS, "more"), empty)
    assert read(card_html(fields)).texts == [("div", "untitled")]


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (False, "false"), (1.5, "1.5")])
def test_card_html__falsy(value: object, text: str) -> None:
    """Zero and false are values like others."""
    assert ("td", text) in read(card_html({"priority": value})).texts


def test_card_html__short_json() -> None:
    """JSON that takes one line is not folded."""
    assert ("td", '["a", "ü"]') in read(card_html({"tags": ["a", "ü"]})).texts


def test_card_html__long_json() -> None:
    """Longer JSON is folded: its beginning is the summary, all of it lies below."""
    texts = read(card_html({"context": {"keys": list(range(100))}})).texts
    summary = next(text for tag, text in texts if tag == "summary")
    full = next(text for tag, text in texts if tag == "pre")
    assert summary.startswith('{"keys": [0, 1, 2')
    assert full.startswith('{\n  "keys": [\n    0,\n    1')
    assert full.endswith("99\n  ]\n}")


def test_card_html__text_of_many_lines() -> None:
    """Lines of text are folded and stay lines."""
    texts = read(card_html({"system_instructions": "Be kind.\nBe brief."})).texts
    assert ("pre", "Be kind.\nBe brief.") in texts


def test_card_html__many_fields() -> None:
    """A card has an end, and says how much lies beyond."""
    card = card_html({f"field{number}": number for number in range(1_300)})
    reader = read(card)
    assert reader.tags.count("tr") == 100
    assert reader.texts[-1] == ("div", "… 1,200 more fields")


def test_table_html__columns() -> None:
    """A column is there if a row has something for it; three are there always."""
    table = table_html([{"title": None, "status": ""}, {"status": "idle"}])
    assert [text for tag, text in read(table).texts if tag == "th"] == [
        "id",
        "status",
        "agent_id",
        "created_at",
    ]


def test_table_html__time() -> None:
    """Times are shown to the second, in UTC."""
    east = NOON.astimezone(timezone(timedelta(hours=5)))
    table = table_html([{"created_at": east}])
    assert ("div", "2026-03-01 12:34:56 UTC") in read(table).texts


def test_table_html__few_rows() -> None:
    """A page that is shown whole says nothing of more."""
    reader = read(table_html([{"id": str(number)} for number in range(20)]))
    assert reader.tags.count("tr") == 21
    assert "more" not in reader.texts[-1][1]


def test_table_html__many_rows() -> None:
    """After twenty rows stands how many are not shown."""
    reader = read(table_html([{"id": str(number)} for number in range(100)]))
    assert reader.tags.count("tr") == 21
    assert reader.texts[-1] == ("div", "… 80 more rows")


def test_table_html__caption() -> None:
    """A caption stands above; without one there is no empty element."""
    assert ("caption", "one page") in read(table_html([], caption="one page")).texts
    assert "caption" not in read(table_html([])).tags


def test_table_html__long_text() -> None:
    """A cell holds 200 characters, and says below them how many are missing."""
    reader = read(table_html([{"title": "x" * 1_048_200}]))
    assert reader.texts[-2:] == [
        ("div", "x" * 200),
        ("div", "… 1,048,000 more characters"),
    ]


@pytest.mark.parametrize("name", ["id", "agent_id", "created_at"])
def test_table_html__whole_cells(name: str) -> None:
    """Ids and times are not clipped to a width."""
    table = table_html([{name: NOON if name == "created_at" else "7" * 19}])
    assert 'class="wacht-whole"' in table
    assert 'class="wacht-cut"' not in table


def test_html__large_values_stay_small() -> None:
    """What is large in any way makes a small card and a small table."""
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep]
    circle: list[Any] = []
    circle.append(circle)
    row: dict[str, object] = {
        "title": "<" * 1_000_000,
        "context": {"<" * 1_000_000: "<" * 1_000_000},
        "status": 10**4_000,
        "context_group": deep,
        "user_id": circle,
        "session_id": list(range(200_000)),
    }
    assert len(card_html(row)) < 200_000
    assert len(table_html([row] * 20)) < 200_000


def test_printable__plain() -> None:
    """Text of any script stays as it is."""
    assert printable("Überweisung 顧客 مرحبا 🚀") == "Überweisung 顧客 مرحبا 🚀"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\r\nlines\t.", r"two\r\nlines\t."),
        ("\x1b[31mred\x9b0m\x07", r"\x1b[31mred\x9b0m\x07"),
        ("\u202eevil\u2069\u200f", r"\u202eevil\u2069\u200f"),
        ("\u2028\x85\x0c", r"\u2028\x85\x0c"),
        ("lone \ud800", r"lone \ud800"),
        ("\U000e0001\ufeff", r"\U000e0001\ufeff"),
        ("no\xa0break\u3000wide", "no break wide"),
        ("👩\u200d💻 ❤\ufe0f", "👩💻 ❤"),
    ],
)
def test_printable__harmful(text: str, shown: str) -> None:
    """What a terminal would obey, or could not show, is named or left out."""
    assert printable(text) == shown


@given(st.text(st.characters()))
def test_printable__any_text(text: str) -> None:
    """All that comes out is printable, and encodes as UTF-8."""
    shown = printable(text)
    assert shown.isprintable()
    shown.encode()


@pytest.mark.parametrize(
    ("length", "shown"),
    [
        (5, "xxxxx"),
        (6, "xxxxx… 1 more character"),
        (1_005, "xxxxx… 1,000 more characters"),
    ],
)
def test_printable__limit(length: int, shown: str) -> None:
    """Beyond the limit stands how many characters are missing."""
    assert printable("x" * length, 5) == shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (float("nan"), "NaN"),
        (10**30, "1" + "0" * 30),
        ({"a": [1, "ü"]}, '{"a": [1, "ü"]}'),
        (b"bytes", "\"b'bytes'\""),
        ([10**5_000], "… (not JSON)"),
        ({(1, 2): 3}, "{… (not JSON)"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01 00:00:00 UTC"),
        (
            datetime.max.replace(tzinfo=timezone(timedelta(hours=-5))),
            "9999-12-31 23:59:59.999999-05:00",
        ),
    ],
)
def test_cut__whole(value: object, text: str) -> None:
    """Any value has a text, also those that JSON and the calendar do not know."""
    assert cut(value, None) == (text, "")


def test_cut__json_too_long() -> None:
    """JSON ends at the limit, and says that there is more."""
    assert cut([1, 2, 3], 9) == ("[1, 2, 3]", "")
    assert cut([1, 2, 3], 8) == ("[1, 2, 3", "… more")


def test_cut__json_no_further_than_shown() -> None:
    """Of a long list no more is read than what is shown of it."""

    class Long(list[int]):
        def __iter__(self) -> Iterator[int]:
            yield from range(10)
            pytest.fail("read too far")

    assert cut(Long([0]), 8) == ("[0, 1, 2", "… more")


def test_cut__json_without_end() -> None:
    """What holds itself is written until it is long, or until Python gives up."""
    circle: dict[str, Any] = {}
    circle["again"] = circle
    assert cut(circle, 24) == ('{"again": {"again": {"ag', "… more")
    assert cut(circle, None)[0].endswith("… (not JSON)")


def test_columns__none() -> None:
    """Without rows there are the columns that are always shown."""
    assert columns([]) == list(ALWAYS)


@pytest.mark.parametrize("value", ["0", 0, False, [None], {"": None}, NOON])
def test_is_set__something(value: object) -> None:
    """All but None and the empty ones is something to show."""
    assert is_set(value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("id", True), ("agent_id", True), ("paid", False), ("title", False)],
)
def test_is_id__names(name: str, expected: bool) -> None:  # noqa: FBT001 - a case
    """An id is told by its name."""
    assert is_id(name) is expected
