"""
Values: what goes in is checked, what comes out is a value like any other.
"""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum, IntEnum, StrEnum
from typing import Any

import attrs
import pytest
from hypothesis import given

from tests import strategies
from wacht import (
    AiExecutionContext,
    ExecutionContextListResponse,
    InvalidRequestError,
    ListExecutionContextsOptions,
    WalkProgress,
)
from wacht.models import FIELD_NAMES, MAX_PAGE

NOON = datetime(2025, 3, 14, 12, 0, 0, 250_000, tzinfo=UTC)
CONTEXT = AiExecutionContext(
    id="7234501928374650881",
    agent_id="agent_123",
    context={"topic": "report"},
    created_at=NOON,
    extra={"retention_days": 30},
)
PAGE = ExecutionContextListResponse(
    [CONTEXT, AiExecutionContext(id="2"), AiExecutionContext(id="3")], has_more=True
)


class Pages(IntEnum):
    SECOND = 2


class Agents(str, Enum):  # noqa: UP042 - the one whose str() is not its value
    FIRST = "agent_123"


class Statuses(StrEnum):
    FAILED = "failed"


class BrokenRepr:
    def __repr__(self) -> str:
        raise RuntimeError("no repr today")


class BrokenInt(int):
    __repr__ = BrokenRepr.__repr__


class BrokenText(str):
    __slots__ = ()
    __repr__ = BrokenRepr.__repr__


@pytest.mark.parametrize("page", [1, 2, Pages.SECOND, MAX_PAGE])
def test_options__page_in_range(page: int) -> None:
    """
    A page is counted from 1, as far as 64 bits go; an enum's number is one too.
    """
    assert ListExecutionContextsOptions(page=page).page == page


@pytest.mark.parametrize("per_page", [1, 20, 100])
def test_options__per_page_in_range(per_page: int) -> None:
    """
    A page has 1 to 100 contexts.
    """
    assert ListExecutionContextsOptions(per_page=per_page).per_page == per_page


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-1, "-1"),
        (BrokenInt(-1), "<BrokenInt>"),
        (2**63, "9223372036854775808"),
        (10**5000, "<int>"),
        (-(10**5000), "<int>"),
        (True, "True"),
        (False, "False"),
        (1.0, "1.0"),
        (float("nan"), "nan"),
        ("1", "'1'"),
        (b"1", "b'1'"),
        ([1], "[1]"),
        (BrokenRepr(), "<BrokenRepr>"),
        ("9" * 10_000, f"'{'9' * 78}…"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_options__page_refused(value: Any, text: str) -> None:
    """
    What is no page's number is refused, by the option's name and its value.
    """
    with pytest.raises(InvalidRequestError) as caught:
        ListExecutionContextsOptions(page=value)
    assert str(caught.value) == (
        f"page: expected an integer from 1 to 9223372036854775807, got {text}"
    )


@pytest.mark.parametrize("value", [0, -5, 101, 10**400, True, 20.0, "20"])
def test_options__per_page_refused(value: Any) -> None:
    """
    What is no size of a page is refused, by the option's name.
    """
    with pytest.raises(
        InvalidRequestError, match=r"^per_page: expected an integer from 1 to 100, got "
    ):
        ListExecutionContextsOptions(per_page=value)


TEXT_OPTIONS = ["agent_id", "workflow_id", "status", "context_group"]


@pytest.mark.parametrize("name", TEXT_OPTIONS)
@pytest.mark.parametrize("value", ["a", " ", "a&b=c", "ü", Agents.FIRST, "x" * 10_000])
def test_options__text_accepted(name: str, value: str) -> None:
    """
    Any text that is not empty is a filter.
    """
    options = ListExecutionContextsOptions(**{name: value})  # type: ignore[arg-type] # any name
    assert getattr(options, name) == value


@pytest.mark.parametrize("name", TEXT_OPTIONS)
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", "''"),
        (BrokenText(), "''"),
        (3, "3"),
        (True, "True"),
        (b"agent", "b'agent'"),
        (["agent"], "['agent']"),
        (BrokenRepr(), "<BrokenRepr>"),
    ],
)
def test_options__text_refused(name: str, value: Any, text: str) -> None:
    """
    What is empty or no text is refused, by the option's name and its value.
    """
    with pytest.raises(InvalidRequestError) as caught:
        ListExecutionContextsOptions(**{name: value})
    assert str(caught.value) == f"{name}: expected a non-empty string, got {text}"


@pytest.mark.parametrize("name", TEXT_OPTIONS)
def test_options__lone_surrogate_refused(name: str) -> None:
    """
    A text that no URL can carry is refused before it is sent.
    """
    with pytest.raises(InvalidRequestError) as caught:
        ListExecutionContextsOptions(**{name: "a\udc80"})  # type: ignore[arg-type] # any name
    assert str(caught.value) == (
        rf"{name}: expected text that UTF-8 can carry, got 'a\udc80'"
    )
    assert caught.value.__cause__ is None


def test_options__all_may_be_left_out() -> None:
    """
    An option that is left out is None.
    """
    assert set(attrs.asdict(ListExecutionContextsOptions()).values()) == {None}


def test_options__checked_when_evolved() -> None:
    """
    A changed copy is checked as a new one is.
    """
    with pytest.raises(InvalidRequestError, match="page"):
        attrs.evolve(ListExecutionContextsOptions(page=1), page=0)


@given(strategies.options())
def test_options__are_values(options: ListExecutionContextsOptions) -> None:
    """
    Options are equal to their copy, have its hash, and pickle.
    """
    copy = pickle.loads(pickle.dumps(options))  # noqa: S301 - our own
    assert copy == options
    assert hash(copy) == hash(options)
    assert attrs.evolve(options) == options


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (ListExecutionContextsOptions(), "page"),
        (CONTEXT, "id"),
        (PAGE, "has_more"),
        (WalkProgress(), "pages"),
    ],
)
def test_values__frozen(value: object, name: str) -> None:
    """
    No value changes under the hands of whoever else holds it.
    """
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, name, 1)


@pytest.mark.parametrize("value", [CONTEXT, PAGE, WalkProgress(pages=2, reason="x")])
def test_values__pickle(value: object) -> None:
    """
    A value comes out of a pickle as it went in.
    """
    assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 - our own


@pytest.mark.parametrize(
    "kind", [ListExecutionContextsOptions, AiExecutionContext, WalkProgress]
)
def test_values__by_keyword_only(kind: Any) -> None:
    """
    Nobody depends on the order of fields, which may come and go.
    """
    with pytest.raises(TypeError, match="positional argument"):
        kind(1)


def test_progress__starts_with_nothing() -> None:
    """
    A walk that has not begun has read nothing, and waits for nothing.
    """
    assert attrs.astuple(WalkProgress()) == (0, 0, 0, 0, 0, 0.0, None, None, False)
    assert WalkProgress().complete is False


def test_context__all_fields_may_be_absent() -> None:
    """
    A context without anything is one, and has an empty `extra` of its own.
    """
    one, other = AiExecutionContext(), AiExecutionContext()
    assert {getattr(one, name) for name in FIELD_NAMES} == {None}
    assert one.extra == {}
    assert one.extra is not other.extra


def test_to_dict__all_fields() -> None:
    """
    The dict has every field, absent ones as None, and what is in `extra` beside them.
    """
    assert CONTEXT.to_dict() == {
        **dict.fromkeys(FIELD_NAMES),
        "id": "7234501928374650881",
        "agent_id": "agent_123",
        "context": {"topic": "report"},
        "created_at": "2025-03-14T12:00:00.250000Z",
        "retention_days": 30,
    }
    assert list(CONTEXT.to_dict()) == [*FIELD_NAMES, "retention_days"]


def test_to_dict__a_new_one_each_time() -> None:
    """
    A changed dict changes nothing in the context.
    """
    CONTEXT.to_dict()["id"] = "changed"
    assert CONTEXT.to_dict()["id"] == CONTEXT.id


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (NOON, "2025-03-14T12:00:00.250000Z"),
        (NOON.replace(microsecond=0), "2025-03-14T12:00:00Z"),
        (
            NOON.astimezone(timezone(timedelta(hours=5, minutes=30))),
            "2025-03-14T17:30:00.250000+05:30",
        ),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
    ],
)
def test_to_dict__times(time: datetime, text: str) -> None:
    """
    Times are written as RFC 3339, in the offset that they came with.
    """
    written = AiExecutionContext(created_at=time).to_dict()["created_at"]
    assert written == text
    assert datetime.fromisoformat(written) == time


def test_to_dict__is_json() -> None:
    """
    `json.dumps` takes the dict.
    """
    assert json.loads(json.dumps(CONTEXT.to_dict())) == CONTEXT.to_dict()


def test_context_repr__what_is_there() -> None:
    """
    The representation leaves out what is absent, and keeps what is only falsy.
    """
    context = AiExecutionContext(id="1", title="", context=[], execution_state=False)
    assert repr(context) == (
        "AiExecutionContext(id='1', context=[], title='', execution_state=False)"
    )
    assert repr(AiExecutionContext()) == "AiExecutionContext()"
    assert (
        repr(AiExecutionContext(extra={"a": 1})) == "AiExecutionContext(extra={'a': 1})"
    )


def test_context_str__card() -> None:
    """
    Printed, a context is a line for each field that is set, with nothing to obey.
    """
    context = AiExecutionContext(id="1", title="a\x1b[2Jb", extra={"new": 7})
    assert str(context) == "id     1\ntitle  a\\x1b[2Jb\nnew    7"
    assert str(AiExecutionContext()) == "AiExecutionContext()"


def test_context_hash__whatever_json() -> None:
    """
    Contexts can stand in a set, whatever JSON they hold, and equal ones stand once.
    """
    fields: dict[str, Any] = {"id": "1", "context": {"a": [1]}, "extra": {"b": {}}}
    one, other = AiExecutionContext(**fields), AiExecutionContext(**fields)
    assert {one, other} == {one}
    assert len({one, AiExecutionContext(id="1")}) == 2


def test_context_repr__bounded() -> None:
    """
    However much a context holds, its representation can be read.
    """
    fields: dict[str, Any] = dict.fromkeys(FIELD_NAMES, "x" * 10**5)
    extra = {str(number): number for number in range(10_000)}
    context = AiExecutionContext(**fields, extra=extra)
    assert len(repr(context)) < 120 * len(FIELD_NAMES)


def test_page__reaches_its_data() -> None:
    """
    Length, iteration, index and slice are those of `data`.
    """
    assert len(PAGE) == 3
    assert list(PAGE) == PAGE.data
    assert PAGE[0] is CONTEXT
    assert PAGE[-1].id == "3"
    assert PAGE[1:] == PAGE.data[1:]
    with pytest.raises(IndexError):
        PAGE[3]


def test_page__empty_is_falsy() -> None:
    """
    A page without contexts is false, as an empty list is.
    """
    assert not ExecutionContextListResponse([], has_more=True)
    assert PAGE


def test_page__repr_counts() -> None:
    """
    The representation of a page counts its contexts and does not list them.
    """
    assert repr(PAGE) == "<ExecutionContextListResponse of 3 contexts, has_more=True>"


def test_page__prints_as_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Printed, a page is a table with a line for each context, within the terminal.
    """
    monkeypatch.setenv("COLUMNS", "60")
    heading, *lines = str(PAGE).splitlines()
    assert heading.split()[0] == "id"
    assert [line.split()[0] for line in lines[:3]] == [context.id for context in PAGE]
    assert max(map(len, lines)) <= 60


def test_html__escaped() -> None:
    """
    In a notebook, a context and a page show what they hold, as text.
    """
    context = AiExecutionContext(id="1", title="<b>bold</b>", extra={"<i>": "new"})
    page = ExecutionContextListResponse([context], has_more=False)
    for html in (context._repr_html_(), page._repr_html_()):
        assert "&lt;b&gt;bold&lt;/b&gt;" in html
        assert "<b>" not in html
    assert "&lt;i&gt;" in context._repr_html_()


@pytest.mark.parametrize(
    ("has_more", "caption"),
    [
        (True, "3 execution contexts. There are further pages."),
        (False, "3 execution contexts."),
    ],
)
def test_html__page_says_whether_there_is_more(*, has_more: bool, caption: str) -> None:
    """
    A page's table says how many contexts it has, and whether there are more.
    """
    html = attrs.evolve(PAGE, has_more=has_more)._repr_html_()
    assert f"{caption}<" in html
