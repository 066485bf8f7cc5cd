"""
A DataFrame of contexts has the same columns and dtypes whatever they hold.
"""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wacht._dataframe import to_dataframe
from wacht.errors import ConfigError
from wacht.models import AiExecutionContext, ExecutionContextListResponse

COLUMNS = [
    "id",
    "title",
    "status",
    "agent_id",
    "workflow_id",
    "user_id",
    "session_id",
    "created_at",
    "updated_at",
    "last_activity_at",
    "completed_at",
    "deployment_id",
    "parent_context_id",
    "context_group",
    "external_context_id",
    "source",
    "system_instructions",
    "context",
    "execution_state",
    "external_resource_metadata",
    "completion_summary",
]
TIMES = ["created_at", "updated_at", "last_activity_at", "completed_at"]
JSON = [
    "context",
    "execution_state",
    "external_resource_metadata",
    "completion_summary",
]
DTYPES = {
    name: "datetime64[us, UTC]"
    if name in TIMES
    else "object"
    if name in JSON
    else "string"
    for name in COLUMNS
}
NOON = datetime(2026, 3, 1, 12, 34, 56, 123456, tzinfo=UTC)

text = st.none() | st.text(st.characters())
times = st.none() | st.datetimes(timezones=st.timezones())
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
    ),
    max_leaves=5,
)
keys = st.text(st.characters(), max_size=3) | st.sampled_from(
    [*COLUMNS, "context.a", "extra.id"]
)
contexts = st.builds(
    AiExecutionContext,
    **{name: text for name in COLUMNS if DTYPES[name] == "string"},
    **dict.fromkeys(TIMES, times),
    **dict.fromkeys(JSON, json_values | st.dictionaries(keys, json_values, max_size=3)),
    extra=st.dictionaries(keys, json_values, max_size=3),
)


def dtypes(frame: pd.DataFrame) -> dict[str, str]:
    return {str(name): str(dtype) for name, dtype in frame.dtypes.items()}


def test_columns__all_fields() -> None:
    """There is a column for each field that a context has."""
    fields = {one.name for one in attrs.fields(AiExecutionContext)}
    assert {*COLUMNS, "extra"} == fields


def test_to_dataframe__empty() -> None:
    """Without contexts there are all columns, with their dtypes, and no rows."""
    frame = to_dataframe([])
    assert list(frame.columns) == COLUMNS
    assert dtypes(frame) == DTYPES
    assert len(frame) == 0


def test_to_dataframe__nothing_set() -> None:
    """What is missing everywhere has the same dtype, and counts as missing."""
    frame = to_dataframe([AiExecutionContext(), AiExecutionContext()])
    assert dtypes(frame) == DTYPES
    assert frame.isna().all(axis=None)
    assert frame.loc[0, "id"] is pd.NA
    assert frame.loc[0, "created_at"] is pd.NaT
    assert frame.loc[0, "context"] is None


def test_to_dataframe__values() -> None:
    """Ids stay strings, times are moved to UTC, JSON stays what it is."""
    east = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    given_json = {"a": [1, 2]}
    frame = to_dataframe(
        [
            AiExecutionContext(id="0071", created_at=east, context=given_json),
            AiExecutionContext(id="2", context=[1, 2], completion_summary="done"),
        ]
    )
    assert dtypes(frame) == DTYPES
    assert frame["id"].tolist() == ["0071", "2"]
    assert frame.loc[0, "created_at"] == pd.Timestamp(NOON)
    assert frame["context"].tolist() == [given_json, [1, 2]]
    assert frame["completion_summary"].tolist() == [None, "done"]


def test_to_dataframe__ends_of_the_calendar() -> None:
    """The first and the last time that Python has are kept, in any time zone."""
    first = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))
    last = datetime.max.replace(tzinfo=timezone(timedelta(hours=-12)))
    frame = to_dataframe(
        [AiExecutionContext(created_at=first), AiExecutionContext(created_at=last)]
    )
    assert frame["created_at"].notna().all()
    span = (last - first) // timedelta(microseconds=1)
    stamps = frame["created_at"].astype("int64")
    assert stamps[1] - stamps[0] == span


def test_to_dataframe__page() -> None:
    """A page may be given as it came."""
    page = ExecutionContextListResponse([AiExecutionContext(id="1")], has_more=False)
    assert to_dataframe(page)["id"].tolist() == ["1"]


def test_to_dataframe__generator() -> None:
    """A generator is used up once, in its order."""

    def walk() -> Iterator[AiExecutionContext]:
        for number in range(3):
            yield AiExecutionContext(id=str(number), extra={f"field{number}": number})

    frame = to_dataframe(walk())
    assert frame["id"].tolist() == ["0", "1", "2"]
    assert frame["field1"].tolist() == [None, 1, None]
    assert frame.index.equals(pd.RangeIndex(3))


def test_to_dataframe__unknown_fields() -> None:
    """Unknown fields follow the known ones, in the order of their first appearance."""
    frame = to_dataframe(
        [
            AiExecutionContext(extra={"priority": 3}),
            AiExecutionContext(extra={"tags": ["a"], "priority": None}),
        ]
    )
    assert list(frame.columns) == [*COLUMNS, "priority", "tags"]
    assert frame["priority"].tolist() == [3, None]
    assert frame["tags"].tolist() == [None, ["a"]]
    assert dtypes(frame)["priority"] == "object"


def test_to_dataframe__unknown_field_of_a_known_name() -> None:
    """An unknown field never replaces a column."""
    context = AiExecutionContext(id="1", extra={"extra.id": 3, "id": 2})
    row = to_dataframe([context]).loc[0]
    assert row[["id", "extra.id", "extra.extra.id"]].tolist() == ["1", 3, 2]


def test_to_dataframe__flattened() -> None:
    """Keys of objects are columns too; what is no object stays where it was."""
    frame = to_dataframe(
        [
            AiExecutionContext(context={"a": 1, "b": {"c": 2}}),
            AiExecutionContext(context=[1, 2]),
            AiExecutionContext(context={"a": None}, extra={"priority": 1}),
        ],
        flatten_context=True,
    )
    assert list(frame.columns) == [*COLUMNS, "context.a", "context.b", "priority"]
    assert frame["context.a"].tolist() == [1, None, None]
    assert frame["context.b"].tolist() == [{"c": 2}, None, None]
    assert frame.loc[1, "context"] == [1, 2]
    assert dtypes(frame)["context.a"] == "object"


def test_to_dataframe__flattened_keys_that_clash() -> None:
    """Two things of one name are two columns."""
    context: dict[Any, int] = {1: 10, "1": 11, "title": 12}
    frame = to_dataframe(
        [AiExecutionContext(context=context, extra={"context.1": 13})],
        flatten_context=True,
    )
    assert frame.iloc[0, len(COLUMNS) :].to_dict() == {
        "context.1": 10,
        "context.context.1": 11,
        "context.title": 12,
        "extra.context.1": 13,
    }


def test_to_dataframe__not_flattened() -> None:
    """Unless it is asked for, a context is one column."""
    frame = to_dataframe([AiExecutionContext(context={"a": 1})])
    assert list(frame.columns) == COLUMNS


@given(st.lists(contexts, max_size=2), st.booleans())
def test_to_dataframe__any_contexts(
    rows: list[AiExecutionContext],
    flatten: bool,  # noqa: FBT001 - hypothesis passes it by name
) -> None:
    """Whatever contexts hold, known columns keep their dtypes and nothing is lost."""
    frame = to_dataframe(rows, flatten_context=flatten)
    assert len(frame) == len(rows)
    assert list(frame.columns)[: len(COLUMNS)] == COLUMNS
    assert {name: dtypes(frame)[name] for name in COLUMNS} == DTYPES
    objects = [row.context for row in rows if flatten and isinstance(row.context, dict)]
    names = {("context", key) for one in objects for key in one}
    names |= {("extra", key) for row in rows for key in row.extra}
    assert frame.columns.is_unique
    assert len(frame.columns) == len(COLUMNS) + len(names)
    for index, row in enumerate(rows):
        assert frame["context"][index] == row.context
        assert row.title is None or frame["title"][index] == row.title


@pytest.mark.parametrize(
    "wrong", [[{"id": "1"}], [ExecutionContextListResponse([], has_more=False)], "12"]
)
def test_to_dataframe__no_contexts(wrong: Any) -> None:
    """What is no context is refused, in words that say what would be one."""
    with pytest.raises(TypeError, match=r"expected contexts, .*, got "):
        to_dataframe(wrong)


def test_to_dataframe__without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pandas the error says what to install, and what went wrong."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigError, match=r"pip install 'wacht\[notebook\]'") as caught:
        to_dataframe([])
    assert isinstance(caught.value.__cause__, ImportError)


def test_import__without_pandas() -> None:
    """Importing the package does not import pandas."""
    code = "import sys, wacht._dataframe; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
