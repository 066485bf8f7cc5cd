"""
Tables of a terminal are aligned, fit, keep ids whole, and obey nobody.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wacht._display import COLUMNS, is_id, printable
from wacht._terminal import (
    card_text,
    column_widths,
    header_text,
    omitted_text,
    row_text,
    table_text,
    text_width,
)

NOON = datetime(2026, 3, 1, 12, 34, 56, tzinfo=UTC)
ID = "719283746501928374"
ROW = {"id": ID, "title": "Refund", "agent_id": "agent_1", "created_at": NOON}
FULL = {**dict.fromkeys(COLUMNS, ID), "created_at": NOON, "last_activity_at": NOON}

values = st.recursive(
    st.none()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=60)
    | st.sampled_from(["\x1b[2J", "\u202e", "\r\n", "顧客", "e\u0301" * 50, "🚀" * 30])
    | st.datetimes(timezones=st.timezones()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
snowflakes = st.none() | st.integers(0, 2**63).map(str)
pages = st.lists(
    st.fixed_dictionaries(
        {"id": snowflakes, "agent_id": snowflakes},
        optional={name: values for name in COLUMNS if not name.endswith("id")}
        | {name: st.text(st.characters()) for name in ("workflow_id", "user_id")},
    ),
    max_size=6,
)


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("plain", 5),
        ("Überweisung", 11),
        ("顧客", 4),
        ("ｱ", 1),
        ("\uff21", 2),
        ("🚀", 2),
        ("한국어", 6),
        ("\u1112\u1161\u11ab", 2),
        ("e\u0301", 1),
        ("x\u20dd", 1),
        ("مرحبا", 5),
        ("", 0),
    ],
)
def test_text_width__scripts(text: str, width: int) -> None:
    """East Asian characters and emoji count two, what combines counts nothing."""
    assert text_width(text) == width


def test_table_text__aligned() -> None:
    """Each column begins at the same place, and no line ends in white space."""
    rows = [ROW, {**ROW, "title": "顧客", "status": "idle"}, {**ROW, "title": None}]
    assert table_text(rows, width=100).split("\n") == [
        "id                  title   status  agent_id  created_at",
        f"{ID}  Refund          agent_1   2026-03-01 12:34:56 UTC",
        f"{ID}  顧客    idle    agent_1   2026-03-01 12:34:56 UTC",
        f"{ID}                  agent_1   2026-03-01 12:34:56 UTC",
    ]


def test_table_text__fitted() -> None:
    """Text gives way to ids and times, with an ellipsis."""
    rows = [{**ROW, "title": "A long title of many words"}]
    header, line = table_text(rows, width=70).split("\n")
    assert line == f"{ID}  A long title o…  agent_1   2026-03-01 12:34:56 UTC"
    assert text_width(line) == 70
    assert header.index("agent_id") == line.index("agent_1")


def test_table_text__room_to_spare() -> None:
    """Where the width allows, text is as long as it is."""
    title = "A title of more than twenty-four characters " * 2
    assert title.strip() in table_text([{**ROW, "title": title.strip()}], width=150)


def test_table_text__columns_without_room() -> None:
    """What has no room is left out whole and named, the most important last."""
    *lines, note = table_text([FULL], width=80).split("\n")
    assert note.startswith("… no room for ")
    assert "created_at" in lines[0]
    assert "created_at" not in note
    assert text_width(note) <= 80


def test_table_text__narrow() -> None:
    """The id and the agent's id stay, even where they are too long."""
    header, line, note = table_text([FULL], width=30).split("\n")
    assert header.split() == ["id", "agent_id"]
    assert line.split() == [ID, ID]
    assert text_width(note) <= 30


def test_table_text__empty() -> None:
    """Without contexts there is the heading alone."""
    assert table_text([], width=80) == "id  agent_id  created_at"


@given(pages, st.integers(50, 250))
def test_table_text__fits(rows: list[Mapping[str, object]], width: int) -> None:
    """No line is longer than the terminal is wide, whatever the values hold."""
    lines = table_text(rows, width=width).split("\n")
    assert len(lines) - len(rows) in (1, 2)
    for line in lines:
        assert text_width(line) <= width
        assert line.isprintable()


@given(st.lists(st.text(st.characters()), min_size=1), st.integers(0, 100))
def test_table_text__ids_stay_whole(ids: list[str], width: int) -> None:
    """An id is never cut, however narrow the terminal is."""
    rows = [{"id": one, "agent_id": one} for one in ids]
    _, *lines = table_text(rows, width=width).split("\n")
    for one, line in zip(ids, lines, strict=False):
        assert line.startswith(printable(one).rstrip())
        assert line.endswith(printable(one).rstrip())


def test_table_text__one_monstrous_id() -> None:
    """A monstrous id makes its own line longer, and no other."""
    rows = [ROW, {**ROW, "id": "7" * 1_000}]
    _, usual, longer = table_text(rows, width=120).split("\n")
    assert text_width(usual) <= 120
    assert longer.startswith("7" * 1_000)


def test_table_text__pipe() -> None:
    """In a pipe there are all columns, in order, with tabs between, and nothing cut."""
    title = "A title\tof " * 100
    header, line = table_text([{**ROW, "title": title}]).split("\n")
    assert header.split("\t") == list(COLUMNS)
    cells = dict(zip(COLUMNS, line.split("\t"), strict=True))
    assert cells["id"] == ID
    assert cells["title"] == printable(title)
    assert cells["status"] == cells["context"] == ""
    assert cells["created_at"] == "2026-03-01 12:34:56 UTC"


@given(pages)
def test_table_text__pipe_any_values(rows: list[Mapping[str, object]]) -> None:
    """In a pipe each context is one line of as many cells as there are columns."""
    for line in table_text(rows).split("\n"):
        assert line.count("\t") == len(COLUMNS) - 1
        assert line.replace("\t", "").isprintable()


@given(pages, st.none() | st.integers(20, 250))
def test_row_text__same_as_table(
    rows: list[Mapping[str, object]], width: int | None
) -> None:
    """Lines made one at a time are those of the table."""
    widths = column_widths(rows, width)
    lines = [header_text(widths), *(row_text(row, widths) for row in rows)]
    assert table_text(rows, width=width).split("\n")[: len(lines)] == lines


def test_row_text__later_row() -> None:
    """A later row keeps to the widths that the first page was given."""
    widths = column_widths([{**ROW, "created_at": None}], 80)
    line = row_text({**ROW, "title": "Another title", "status": "idle"}, widths)
    assert "2026-03-01 12:34:56 UTC" in line
    assert "Anoth…" in line
    assert "idle" not in line


def test_omitted_text__none() -> None:
    """Where all columns have room, and in a pipe, there is nothing to say."""
    assert omitted_text([ROW], column_widths([ROW], 200)) == ""
    assert omitted_text([FULL], column_widths([FULL], None)) == ""


def test_omitted_text__later_rows() -> None:
    """A column that only later rows would need is named as well."""
    widths = column_widths([ROW], 200)
    assert omitted_text([{"status": "idle"}], widths) == "… no room for status"


def test_card_text__aligned() -> None:
    """A card has a line for each field that is set, names and values below another."""
    card = card_text({"id": ID, "title": None, "context": {"a": "\x1b"}}, width=80)
    assert card == f'id       {ID}\ncontext  {{"a": "\\u001b"}}'


def test_card_text__empty() -> None:
    """Of a context of which nothing is set there is nothing to write."""
    assert card_text({"id": None}) == ""


def test_card_text__fitted() -> None:
    """Values end where the terminal does, but ids do not, nor do those in a pipe."""
    fields = {"agent_id": "7" * 100, "title": "x" * 100}
    assert card_text(fields, width=30) == (
        f"agent_id  {'7' * 100}\ntitle     {'x' * 19}…"
    )
    assert card_text(fields) == f"agent_id  {'7' * 100}\ntitle     {'x' * 100}"


@given(
    st.dictionaries(
        st.text(st.characters()).filter(lambda name: not is_id(name)), values
    ),
    st.integers(40, 200),
)
def test_card_text__any_values(fields: dict[str, Any], width: int) -> None:
    """A card of any names and values fits, and obeys nobody."""
    for line in card_text(fields, width=width).split("\n"):
        assert line.isprintable()
        assert text_width(line) <= width
