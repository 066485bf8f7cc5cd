"""Contexts are written whole, page by page, and safely for any reader."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest
from attrs import evolve
from hypothesis import given, settings, strategies as st
from rich.cells import cell_len

from tests.strategies import decoded_contexts, texts
from wacht import AiExecutionContext
from wacht._contexts import TERMINAL_COLUMNS
from wacht.cli.formats import FORMATS, Style, escape_formulas
from wacht.models import FIELD_NAMES

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FIRST = AiExecutionContext(
    id="1" * 19, agent_id="2" * 19, created_at=NOON, status="failed", title="Refund"
)
SECOND = AiExecutionContext(id="3" * 19, title="x" * 100)
TERMINAL = Style(width=80)
STARTS_OF_FORMULAS = [*"=+-@\t\r\n\uff1d\uff0b\uff0d\uff20", "  @", "\xa0+", "\ufeff="]

Pages = list[list[AiExecutionContext]]
pages = st.lists(st.lists(decoded_contexts(), max_size=2), min_size=1, max_size=2)


def written(
    name: str, pages: Sequence[Sequence[AiExecutionContext]], style: Style | None = None
) -> str:
    return "".join(FORMATS[name](pages, style or Style()))


def csv_cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("style", [Style(), TERMINAL])
def test_format__streams(name: str, style: Style) -> None:
    def endless() -> Iterator[list[AiExecutionContext]]:
        for number in itertools.count():
            asked.append(number)
            yield [AiExecutionContext(id=str(number))]

    asked: list[int] = []
    pieces = FORMATS[name](endless(), style)
    while "0" not in next(pieces):
        pass
    assert asked == [0]


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=30)
@given(pages)
def test_format__safe_on_a_terminal(name: str, pages: Pages) -> None:
    for line in written(name, pages, TERMINAL).replace("\r\n", "\n").split("\n"):
        assert line.isprintable()


@pytest.mark.parametrize(
    ("name", "style", "text"),
    [
        ("json", Style(), "[]\n"),
        ("jsonl", Style(), ""),
        ("csv", Style(), ",".join([*FIELD_NAMES, "extra"]) + "\r\n"),
        ("table", Style(), "\t".join(TERMINAL_COLUMNS) + "\n"),
        ("table", TERMINAL, "no contexts\n"),
    ],
)
def test_format__nothing(name: str, style: Style, text: str) -> None:
    assert written(name, [], style) == written(name, [[], []], style) == text


def test_table__on_a_terminal() -> None:
    long = AiExecutionContext(id="4" * 50, agent_id="5", status="waiting_for_input")
    text = written("table", [[], [FIRST, SECOND], [long]], Style(width=100))
    assert text.splitlines() == [
        f"id{' ' * 19}agent_id{' ' * 13}created_at{' ' * 11}status     title",
        f"{'1' * 19}  {'2' * 19}  2026-03-01 12:00:00  failed     Refund",
        f"{'3' * 19}{' ' * 55}{'x' * 25}…",
        f"{'4' * 50}  5{' ' * 41}waiting_…",
    ]


def test_table__what_is_falsy_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TERMINAL_COLUMNS, "context", (5, 10))
    page = [AiExecutionContext(id="1", context=value) for value in (0, False)]
    _, *lines = written("table", [page], Style(width=200)).splitlines()
    assert [line.split() for line in lines] == [["1", "0"], ["1", "false"]]


@pytest.mark.parametrize(
    ("width", "columns"), [(86, 5), (80, 4), (61, 3), (40, 2), (30, 1)]
)
def test_table__narrow(width: int, columns: int) -> None:
    names, cells = written("table", [[FIRST]], Style(width=width)).splitlines()
    assert names.split() == [*TERMINAL_COLUMNS][:columns]
    assert cells.startswith("1" * 19)


@given(st.integers(19, 120), texts)  # some characters are two columns wide
def test_table__fits(width: int, title: str) -> None:
    page = [evolve(FIRST, title=title)]
    lines = written("table", [page], Style(width=width)).splitlines()
    assert max(map(cell_len, lines)) <= width


@given(pages)
def test_table__piped(pages: Pages) -> None:
    heading, *lines = written("table", pages).split("\n")[:-1]
    assert heading.split("\t") == [*TERMINAL_COLUMNS]
    assert len(lines) == sum(map(len, pages))
    assert {line.count("\t") for line in lines} <= {len(TERMINAL_COLUMNS) - 1}


@pytest.mark.parametrize("style", [Style(header=False), Style(width=80, header=False)])
@pytest.mark.parametrize("name", ["table", "csv"])
def test_header__left_out(name: str, style: Style) -> None:
    assert written(name, [[FIRST]], style).startswith("1" * 19)


@given(pages)
def test_json__is_what_to_dict_gives(pages: Pages) -> None:
    contexts = [context.to_dict() for page in pages for context in page]
    expected = json.loads(json.dumps(contexts))
    assert json.loads(written("json", pages)) == expected
    lines = written("jsonl", pages).splitlines()
    assert [json.loads(line) for line in lines] == expected


def test_csv__all_fields() -> None:
    context = AiExecutionContext(
        id="1",
        created_at=NOON,
        context={"a": [1, "ü"]},
        execution_state=0,
        extra={"new": None},
    )
    heading, row = csv_cells(written("csv", [[context]]))
    assert heading == [*FIELD_NAMES, "extra"]
    assert {name: cell for name, cell in zip(heading, row, strict=True) if cell} == {
        "id": "1",
        "created_at": context.to_dict()["created_at"],
        "context": '{"a":[1,"ü"]}',
        "execution_state": "0",
        "extra": '{"new":null}',
    }


@given(st.lists(texts | st.sampled_from(["a\nb", "a\rb", 'a"b', "a,b", "\r\n"])))
def test_csv__any_text(titles: list[str]) -> None:
    page = [AiExecutionContext(title=title) for title in titles]
    text = written("csv", [page], Style(escape=False))
    place = FIELD_NAMES.index("title")
    assert [row[place] for row in csv_cells(text)[1:]] == titles


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        *((f"{start}1+1", f"'{start}1+1") for start in STARTS_OF_FORMULAS),
        ("a;=1+1", "a;'=1+1"),
        (";@SUM(1)\t-1+1\n+1+1", ";'@SUM(1)\t'-1+1\n'+1+1"),
        ('; "=1+1";', '; "\'=1+1";'),
        ("=1;=1", "'=1;'=1"),
        *((text, text) for text in ["", " ", " a=1", "'", "-5", "+4.25", "-1e+99"]),
        *((text, text) for text in ["[-5]", "a\n- b\n + c", "a;b=1", "a,=1"]),
        (
            "a\n;\n=" + "\n" * 10**6,
            "a\n;\n'=" + "\n" * 10**6,
        ),  # in less than hours
    ],
)
def test_csv__formula(text: str, escaped: str) -> None:
    assert escape_formulas(text) == escaped


cells = st.lists(st.sampled_from([*"=@;,\t\n\r\"' a", "\\"])).map("".join)


@given(cells, cells)
def test_csv__no_cell_is_a_formula_for_any_separator(title: str, inner: str) -> None:
    page = [AiExecutionContext(title=title, context={inner: [inner]})]
    text = written("csv", [page])
    for separator in ",;\t":
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            assert not any(re.match("\\s*[=@]", cell) for cell in row)
    [_, row] = csv_cells(text)
    json.loads(row[FIELD_NAMES.index("context")])  # still JSON
