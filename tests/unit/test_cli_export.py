"""
Contexts go out whole, page by page, and do no harm to terminals and spreadsheets.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import JSON_FIELDS, TEXTS, TIMES, json_values, texts
from wacht import AiExecutionContext
from wacht._cli_export import FORMATS
from wacht._display import COLUMNS
from wacht.models import FIELD_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRST = AiExecutionContext(
    id="1" * 18, agent_id="2" * 18, created_at=NOON, title="Refund", context={"a": 1}
)
SECOND = AiExecutionContext(id="3" * 18, title="x" * 100)

Pages = list[list[AiExecutionContext]]
contexts = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(TEXTS, texts),
        **dict.fromkeys(TIMES, st.datetimes(timezones=st.timezones())),
        **dict.fromkeys(JSON_FIELDS, json_values(4)),
        "extra": st.dictionaries(
            texts.filter(lambda name: name not in FIELD_NAMES), json_values(3)
        ),
    },
).map(lambda fields: AiExecutionContext(**fields))
pages = st.lists(st.lists(contexts, max_size=2), min_size=1, max_size=2)


def written(
    name: str, pages: Sequence[Sequence[AiExecutionContext]], width: int | None = None
) -> str:
    return "".join(FORMATS[name](pages, width))


def cells_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("name", FORMATS)
def test_format__streams(name: str) -> None:
    """The first page is written before the second is asked for, and none is kept."""

    def endless() -> Iterator[list[AiExecutionContext]]:
        for number in itertools.count():
            asked.append(number)
            yield [AiExecutionContext(id=str(number))]

    asked: list[int] = []
    texts = FORMATS[name](endless(), None)
    while "0" not in next(texts):
        pass
    assert asked == [0]


@pytest.mark.parametrize("name", FORMATS)
@given(pages)
def test_format__harmless_on_a_terminal(name: str, pages: Pages) -> None:
    """Whatever the contexts hold, a terminal gets lines of printable text."""
    for line in written(name, pages, 80).replace("\r\n", "\n").split("\n"):
        assert line.isprintable()


@pytest.mark.parametrize("name", FORMATS)
@given(pages)
def test_format__never_fails_to_encode(name: str, pages: Pages) -> None:
    """Lone surrogates, and what an encoding lacks, come out as escapes."""
    for encoding in ("utf-8", "ascii"):
        file = io.TextIOWrapper(io.BytesIO(), encoding, "backslashreplace", newline="")
        file.write(written(name, pages))
        file.flush()


def test_table__on_a_terminal() -> None:
    """The first page decides the widths, and an id stands whole on any page."""
    long = AiExecutionContext(id="4" * 40, user_id="user_1")
    heading, *rows = written("table", [[FIRST, SECOND], [long]], 100).splitlines()
    assert heading.split() == ["id", "title", "agent_id", "created_at", "context"]
    assert rows[0].startswith("111111111111111111  Refund ")
    assert rows[0].endswith('222222222222222222  2026-03-01 12:00:00 UTC  {"a": 1}')
    assert rows[1] == f"333333333333333333  {'x' * 24}…"
    assert rows[2] == "4444444444444444444444444444444444444444"
    assert heading.index("agent_id") == rows[0].index("2" * 18)


def test_table__narrow() -> None:
    """What finds no room is named at the end."""
    lines = written("table", [[FIRST], [SECOND]], 66).splitlines()
    assert lines[0].split() == ["id", "agent_id", "created_at"]
    assert lines[-1] == "… no room for title, context"


def test_table__first_page_without_rows() -> None:
    """The first page that has rows decides, not one of which nothing was chosen."""
    assert written("table", [[], [FIRST]], 80) == written("table", [[FIRST]], 80)


def test_table__nothing() -> None:
    """A terminal is told that there is nothing, a program gets the heading."""
    assert written("table", [[], []], 80) == "no contexts\n"
    assert written("table", [[]]) == "\t".join(COLUMNS) + "\n"


@given(pages)
def test_table__piped(pages: Pages) -> None:
    """Through a pipe every context is one line of the same columns."""
    heading, *lines = written("table", pages).split("\n")[:-1]
    assert heading.split("\t") == list(COLUMNS)
    ids = [context.id or "" for page in pages for context in page]
    assert len(lines) == len(ids)
    assert {line.count("\t") for line in lines} <= {len(COLUMNS) - 1}


@given(pages)
def test_json__is_what_to_dict_gives(pages: Pages) -> None:
    """The array, and the lines, are the contexts with all their fields, in order."""
    expected = [context.to_dict() for page in pages for context in page]
    text = written("json", pages)
    assert json.loads(text) == expected
    lines = written("jsonl", pages).splitlines()
    assert [json.loads(line) for line in lines] == expected
    assert text.endswith("]\n")


def test_json__broken_off() -> None:
    """An array that is not closed tells that contexts are missing."""

    def broken() -> Iterator[list[AiExecutionContext]]:
        yield [FIRST, SECOND]
        raise ConnectionError

    parts: list[str] = []
    with pytest.raises(ConnectionError):
        parts.extend(FORMATS["json"](broken(), None))
    text = "".join(parts)
    assert json.loads(text + "]") == [FIRST.to_dict(), SECOND.to_dict()]


def test_json__nothing() -> None:
    """No contexts are an empty array, and no lines."""
    assert written("json", [[]]) == "[]\n"
    assert written("jsonl", [[]]) == ""


def test_csv__all_fields() -> None:
    """A row has all fields, times as RFC 3339, any JSON compact, nothing for null."""
    context = AiExecutionContext(
        id="1", created_at=NOON, context={"a": [1, "ü"]}, extra={"new": None}
    )
    heading, row = cells_of(written("csv", [[context]]))
    assert heading == [*FIELD_NAMES, "extra"]
    assert {name: cell for name, cell in zip(heading, row, strict=True) if cell} == {
        "id": "1",
        "created_at": "2026-03-01T12:00:00Z",
        "context": '{"a":[1,"ü"]}',
        "extra": '{"new":null}',
    }


def test_csv__heading_alone() -> None:
    """No contexts are the heading alone, once for all pages."""
    assert cells_of(written("csv", [[], []])) == [[*FIELD_NAMES, "extra"]]


@given(st.lists(texts | st.sampled_from(["a\nb", "a\rb", 'a"b', "a,b", "\r\n"])))
def test_csv__any_text(titles: list[str]) -> None:
    """Line breaks, quotes and commas come back from a reader as they went in."""
    page = [AiExecutionContext(title=f"_{title}") for title in titles]
    _, *rows = cells_of(written("csv", [page]))
    place = FIELD_NAMES.index("title")
    assert [row[place] for row in rows] == [f"_{title}" for title in titles]


@pytest.mark.parametrize("width", [None, 80])
@given(pages)
def test_csv__no_formula(width: int | None, pages: Pages) -> None:
    """No cell begins as a formula does, on a terminal and off it."""
    for row in cells_of(written("csv", pages, width)):
        for cell in row:
            assert not cell.startswith(tuple("=+-@\t\r\n"))


@pytest.mark.parametrize("start", "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
def test_csv__apostrophe(start: str) -> None:
    """A cell that a spreadsheet would execute has an apostrophe before it."""
    title = f"{start}cmd|'/C calc'!A0"
    [_, row] = cells_of(written("csv", [[AiExecutionContext(title=title)]]))
    assert row[FIELD_NAMES.index("title")] == f"'{title}"


def test_csv__hidden_formula() -> None:
    """What a terminal is not shown does not hide the beginning of a formula."""
    context = AiExecutionContext(title="\u200d=1+1")
    [_, row] = cells_of(written("csv", [[context]], 80))
    assert row[FIELD_NAMES.index("title")] == "'=1+1"
