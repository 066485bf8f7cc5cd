"""The values: checked, frozen, comparable and picklable."""

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
    assert ListExecutionContextsOptions(page=page).page == page


@pytest.mark.parametrize("per_page", [1, 20, 100])
def test_options__per_page_in_range(per_page: int) -> None:
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
    """The message names the option and the value."""
    with pytest.raises(InvalidRequestError) as caught:
        ListExecutionContextsOptions(page=value)
    assert str(caught.value) == (
        f"page: expected an integer from 1 to 9223372036854775807, got {text}"
    )


@pytest.mark.parametrize("value", [0, -5, 101, 10**400, True, 20.0, "20"])
def test_options__per_page_refused(value: Any) -> None:
    with pytest.raises(
        InvalidRequestError, match=r"^per_page: expected an integer from 1 to 100, got "
    ):
        ListExecutionContextsOptions(per_page=value)


TEXT_OPTIONS = ["agent_id", "workflow_id", "status", "context_group"]


@pytest.mark.parametrize("name", TEXT_OPTIONS)
@pytest.mark.parametrize("value", ["a", " ", "a&b=c", "ü", Agents.FIRST, "x" * 10_000])
def test_options__text_accepted(name: str, value: str) -> None:
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
    """The message names the option and the value."""
    with pytest.raises(InvalidRequestError) as caught:
        ListExecutionContextsOptions(**{name: value})
    assert str(caught.value) == f"{name}: expected a non-empty string, got {text}"


@pytest.mark.parametrize("name", TEXT_OPTIONS)
def test_options__lone_surrogate_refused(name: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        ListExecutionContextsOptions(**{name: "a\udc80"})  # type: ignore[arg-type] # any name
    assert str(caught.value) == (
        rf"{name}: expected text that UTF-8 can encode, got 'a\udc80'"
    )
    assert caught.value.__cause__ is None


def test_options__all_may_be_left_out() -> None:
    assert set(attrs.asdict(ListExecutionContextsOptions()).values()) == {None}


def test_options__checked_when_evolved() -> None:
    with pytest.raises(InvalidRequestError, match="page"):
        attrs.evolve(ListExecutionContextsOptions(page=1), page=0)


@given(strategies.options())
def test_options__are_values(options: ListExecutionContextsOptions) -> None:
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
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, name, 1)


@pytest.mark.parametrize("value", [CONTEXT, PAGE, WalkProgress(pages=2, reason="x")])
def test_values__pickle(value: object) -> None:
    assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 - our own


@pytest.mark.parametrize(
    "kind", [ListExecutionContextsOptions, AiExecutionContext, WalkProgress]
)
def test_values__by_keyword_only(kind: Any) -> None:
    """Fields may be added, so their order isn't promised."""
    with pytest.raises(TypeError, match="positional argument"):
        kind(1)


def test_progress__starts_with_nothing() -> None:
    assert attrs.astuple(WalkProgress()) == (0, 0, 0, 0, 0, 0.0, None, None, False)
    assert WalkProgress().complete is False


def test_context__all_fields_may_be_absent() -> None:
    one, other = AiExecutionContext(), AiExecutionContext()
    assert {getattr(one, name) for name in FIELD_NAMES} == {None}
    assert one.extra == {}
    assert one.extra is not other.extra


def test_to_dict__all_fields() -> None:
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
    CONTEXT.to_dict()["id"] = "changed"
    assert CONTEXT.to_dict()["id"] == CONTEXT.id


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (NOON, "2025-03-14T12:00:00.250000Z"),
        (NOON.replace(microsecond=0), "2025-03-14T12:00:00.000000Z"),
        (
            NOON.astimezone(timezone(timedelta(hours=5, minutes=30))),
            "2025-03-14T12:00:00.250000Z",
        ),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_to_dict__times(time: datetime, text: str) -> None:
    """Times are written in one form, in UTC."""
    written = AiExecutionContext(created_at=time).to_dict()["created_at"]
    assert written == text
    assert datetime.fromisoformat(written) == time


def test_to_dict__is_json() -> None:
    assert json.loads(json.dumps(CONTEXT.to_dict())) == CONTEXT.to_dict()


def test_context_repr__what_is_there() -> None:
    """Absent fields are left out, falsy ones aren't."""
    context = AiExecutionContext(id="1", title="", context=[], execution_state=False)
    assert repr(context) == (
        "AiExecutionContext(id='1', context=[], title='', execution_state=False)"
    )
    assert repr(AiExecutionContext()) == "AiExecutionContext()"
    assert (
        repr(AiExecutionContext(extra={"a": 1})) == "AiExecutionContext(extra={'a': 1})"
    )


def test_context_hash__whatever_json() -> None:
    """Contexts can be in a set, whatever JSON they hold."""
    fields: dict[str, Any] = {"id": "1", "context": {"a": [1]}, "extra": {"b": {}}}
    one, other = AiExecutionContext(**fields), AiExecutionContext(**fields)
    assert {one, other} == {one}
    assert len({one, AiExecutionContext(id="1")}) == 2


def test_context_repr__bounded() -> None:
    fields: dict[str, Any] = dict.fromkeys(FIELD_NAMES, "x" * 10**5)
    extra = {str(number): number for number in range(10_000)}
    context = AiExecutionContext(**fields, extra=extra)
    assert len(repr(context)) < 120 * len(FIELD_NAMES)


def test_page__reaches_its_data() -> None:
    assert len(PAGE) == 3
    assert list(PAGE) == PAGE.data
    assert PAGE[0] is CONTEXT
    assert PAGE[-1].id == "3"
    assert PAGE[1:] == PAGE.data[1:]
    with pytest.raises(IndexError):
        PAGE[3]


def test_page__empty_is_falsy() -> None:
    assert not ExecutionContextListResponse([], has_more=True)
    assert PAGE


def test_page__repr_counts() -> None:
    assert repr(PAGE) == "<ExecutionContextListResponse of 3 contexts, has_more=True>"


def test_html__escaped() -> None:
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
    html = attrs.evolve(PAGE, has_more=has_more)._repr_html_()
    assert f"{caption}<" in html
