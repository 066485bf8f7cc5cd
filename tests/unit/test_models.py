"""The values: checked, frozen, comparable and picklable; errors are readable, too."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest

import wacht
from wacht import (
    AiExecutionContext,
    ExecutionContextListResponse,
    InvalidRequestError,
    ListExecutionContextsOptions,
    WalkProgress,
    _contexts as facts,
)
from wacht.models import FIELD_NAMES, KINDS

NOON = datetime(2025, 3, 14, 12, 0, 0, 250_000, tzinfo=UTC)
INDIA = timezone(timedelta(hours=5, minutes=30))
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


def test_facts__are_those_of_the_classes() -> None:
    ids = {name for name in FIELD_NAMES if KINDS[name] == "Id"}
    assert {n for n in FIELD_NAMES if n.endswith("_id")} | {"id"} == ids
    shown = {*facts.TERMINAL_COLUMNS, *facts.NOTEBOOK_COLUMNS, *facts.FRAME_COLUMNS}
    assert {*FIELD_NAMES} > shown | {*facts.PAGE_FIELDS}
    assert {*facts.FILTERS} < {*FIELD_NAMES}


def options(**values: Any) -> ListExecutionContextsOptions:
    return ListExecutionContextsOptions(**values)


def refusal(**values: Any) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        options(**values)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "most"), [("page", "9223372036854775807"), ("per_page", "100")]
)
@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (2**63, f"{2**63}"), (True, "True"), (1.0, "1.0"), ("1", "'1'")],
)
def test_options__number_refused(name: str, most: str, value: Any, text: str) -> None:
    expected = f"{name}: expected an integer from 1 to {most}, got {text}"
    assert refusal(**{name: value}) == expected
    assert refusal(per_page=101).startswith("per_page: ")


@pytest.mark.parametrize("name", facts.FILTERS)
@pytest.mark.parametrize("value", ["", 3, "a\udc80"])
def test_options__text_refused(name: str, value: Any) -> None:
    expected = f"{name}: expected a non-empty string that UTF-8 can encode"
    assert refusal(**{name: value}) == f"{expected}, got {value!r}"


@pytest.mark.parametrize(
    "value", [options(page=1), CONTEXT, PAGE, WalkProgress(pages=2)]
)
def test_values__frozen_and_picklable(value: Any) -> None:
    assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 - our own
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        value.extra = {}


def test_values__start_with_nothing() -> None:
    assert attrs.astuple(WalkProgress()) == (0, 0, 0, 0, 0, 0.0, None, None, False)
    assert set(attrs.asdict(options()).values()) == {None}
    one, other = AiExecutionContext(), AiExecutionContext()
    assert {getattr(one, name) for name in FIELD_NAMES} == {None}
    assert one.extra == {}
    assert one.extra is not other.extra


def test_to_dict__all_fields_as_json() -> None:
    written = CONTEXT.to_dict()
    assert json.loads(json.dumps(written)) == {
        **dict.fromkeys(FIELD_NAMES),
        "id": "7234501928374650881",
        "agent_id": "agent_123",
        "context": {"topic": "report"},
        "created_at": "2025-03-14T12:00:00.250000Z",
        "retention_days": 30,
    }
    assert list(written) == [*FIELD_NAMES, "retention_days"]


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (NOON.replace(microsecond=0), "2025-03-14T12:00:00.000000Z"),
        (NOON.astimezone(INDIA), "2025-03-14T12:00:00.250000Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_to_dict__times_in_one_form(time: datetime, text: str) -> None:
    assert AiExecutionContext(created_at=time).to_dict()["created_at"] == text


def test_context_repr__what_is_there() -> None:
    context = AiExecutionContext(id="1", title="", context=[], execution_state=False)
    assert repr(context) == (
        "AiExecutionContext(id='1', context=[], title='', execution_state=False)"
    )
    extra = AiExecutionContext(extra={"a": 1})
    assert repr(extra) == "AiExecutionContext(extra={'a': 1})"
    times = AiExecutionContext(created_at=NOON, updated_at=NOON.replace(microsecond=0))
    assert repr(times) == (
        "AiExecutionContext(created_at=2025-03-14T12:00:00.250000Z, "
        "updated_at=2025-03-14T12:00:00Z)"
    )


def test_context_repr__bounded() -> None:
    fields: dict[str, Any] = dict.fromkeys(FIELD_NAMES, "x" * 10**5)
    extra = {str(number): number for number in range(10_000)}
    context = AiExecutionContext(**fields, extra=extra)
    assert len(repr(context)) < 120 * len(FIELD_NAMES)


def test_context_hash__whatever_json() -> None:
    fields: dict[str, Any] = {"id": "1", "context": {"a": [1]}, "extra": {"b": {}}}
    one, other = AiExecutionContext(**fields), AiExecutionContext(**fields)
    assert {one, other} == {one}
    assert len({one, AiExecutionContext(id="1")}) == 2


def test_page__reaches_its_data() -> None:
    assert len(PAGE) == 3
    assert list(PAGE) == PAGE.data
    assert PAGE[0] is CONTEXT
    assert PAGE[1:] == PAGE.data[1:]
    assert (
        repr(PAGE) == "ExecutionContextListResponse(data=[3 contexts], has_more=True)"
    )


def test_html__of_contexts_and_pages() -> None:
    assert "7234501928374650881" in PAGE._repr_html_()
    assert "3 execution contexts. There are further pages.<" in PAGE._repr_html_()
    last = attrs.evolve(PAGE, has_more=False)._repr_html_()
    assert "3 execution contexts.<" in last
    assert "retention_days" in CONTEXT._repr_html_()


REST = ListExecutionContextsOptions(page=7, per_page=100, agent_id="agent_123")
SAMPLES = (
    wacht.WachtError(),
    wacht.ConfigError("the API key is empty"),
    wacht.InvalidRequestError("page: expected an integer"),
    wacht.RequestError("no whole answer", attempts=6),
    wacht.DecodeError("data[3].id: expected a string", body=b'{"data": ['),
    wacht.PaginationError("the service repeats pages"),
    wacht.DeadlineExceededError("the deadline of 5 s passed"),
    *(
        kind(418, "no tea", {"errors": [1]}, b"body", "request-1", 2.5, attempts=3)
        for kind in (wacht.ApiError, *wacht.ApiError.__subclasses__())
    ),
)


each_error = pytest.mark.parametrize("error", SAMPLES, ids=lambda e: type(e).__name__)


def test_samples__every_class() -> None:
    public = {getattr(wacht, name) for name in wacht.__all__}
    kinds = {k for k in public if isinstance(k, type) and issubclass(k, Exception)}
    assert {type(error) for error in SAMPLES} == kinds


@each_error
def test_error__pickles_with_resume_and_notes(error: wacht.WachtError) -> None:
    travelling = copy.copy(error)
    travelling.resume = REST
    travelling.add_note("seen by a worker")
    back = pickle.loads(pickle.dumps(travelling))  # noqa: S301 - our own
    assert type(back) is type(error)
    assert (back.args, vars(back)) == (error.args, vars(travelling))
    assert error.resume is None


@each_error
def test_error__repr_has_class_and_message(error: wacht.WachtError) -> None:
    assert repr(error) == f"{type(error).__name__}({str(error)!r})"


def test_error__repr_is_bounded() -> None:
    assert len(repr(wacht.ServerError(500, "\\'\"" * 2000))) < 550


def test_error__is_the_builtin_it_resembles() -> None:
    assert issubclass(wacht.ConfigError, ValueError)
    assert issubclass(wacht.InvalidRequestError, ValueError)
    assert issubclass(wacht.DeadlineExceededError, TimeoutError)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (wacht.WachtError(), ""),
        (wacht.NotFoundError(404, "no such path"), "404 Not Found: no such path"),
        (wacht.ApiError(799, "odd", attempts=2), "799: odd (after 2 attempts)"),
        (
            wacht.ServerError(500, "no", retry_after=42.5, attempts=1),
            "500 Internal Server Error: no (the service asks to wait 42.5 s)",
        ),
        (
            wacht.ServerError(599, "no", retry_after=0, attempts=6),
            "599: no (after 6 attempts; the service asks to wait 0 s)",
        ),
    ],
)
def test_error__says(error: wacht.WachtError, text: str) -> None:
    assert str(error) == text
