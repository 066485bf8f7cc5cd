"""A DataFrame of contexts has the same columns and dtypes whatever they hold."""

import json
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Literal

import attrs
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from tests.strategies import decoded_contexts, json_values, texts
from wacht import dataframe
from wacht.dataframe import to_dataframe
from wacht.errors import ConfigError, InvalidRequestError
from wacht.models import (
    FIELD_NAMES,
    KINDS,
    AiExecutionContext,
    ExecutionContextListResponse,
    ListExecutionContextsOptions,
)

FIRST = ["id", "agent_id", "created_at", "status", "title"]
ORDER = [*FIRST, *(name for name in FIELD_NAMES if name not in FIRST)]
FIELDS = {*FIELD_NAMES}
DTYPES = {"str": "string", "Id": "string", "datetime": "datetime64[us, UTC]"}
DTYPES |= {"int": "Int64", "bool": "boolean"}
LAST = datetime.max.replace(tzinfo=UTC)
MIXED = [
    AiExecutionContext(id="1", title="lone \ud800", created_at=LAST, context={}),
    AiExecutionContext(id="2", context={"a": "ü\ud800"}, extra={"tags": "b", "ID": 3}),
    AiExecutionContext(context=1.5, execution_state=False, extra={"tags": ["a"]}),
]

keys = texts | st.sampled_from([*sorted(FIELDS), "context.a", "extra.id"])
objects = st.dictionaries(keys, json_values(3), max_size=3)
contexts = decoded_contexts() | st.builds(
    attrs.evolve, decoded_contexts(), context=objects, extra=objects
)


def dtypes(frame: pd.DataFrame) -> dict[str, str]:
    return {str(name): str(dtype) for name, dtype in frame.dtypes.items()}


@settings(max_examples=40)
@given(
    st.lists(contexts, max_size=2), st.booleans(), st.sampled_from(["objects", "text"])
)
def test_to_dataframe__any_contexts(
    rows: list[AiExecutionContext], flatten: bool, form: Literal["objects", "text"]
) -> None:
    frame = to_dataframe(rows, flatten_context=flatten, json=form)
    assert list(frame.columns)[: len(FIELDS)] == ORDER
    of_kind = DTYPES | {"Any": "object" if form == "objects" else "string"}
    expected = {name: of_kind[kind] for name, kind in KINDS.items()}
    assert dtypes(frame) | expected == dtypes(frame)
    flat = [row.context for row in rows if flatten and isinstance(row.context, dict)]
    names = {("context", key) for one in flat for key in one}
    names |= {("extra", key) for row in rows for key in row.extra}
    assert frame.columns.is_unique
    assert len(frame.columns) == len(FIELDS) + len(names)
    read = json.loads if form == "text" else lambda value: value
    for shown, row in zip(frame["context"], rows, strict=True):
        assert row.context is None or read(shown) == row.context


def test_to_dataframe__values() -> None:
    east = LAST.replace(tzinfo=timezone(timedelta(hours=5, minutes=30)))
    context = AiExecutionContext(id="0071", created_at=east, context={"a": [1, 2]})
    old = AiExecutionContext(created_at=datetime(1, 1, 1, 1, 2, 3, 456789, UTC))
    frame = to_dataframe(iter([context, old, AiExecutionContext()]))
    assert frame.index.equals(pd.RangeIndex(3))
    assert frame["created_at"].tolist() == [east, old.created_at, pd.NaT]
    row, nothing = frame.loc[0], frame.loc[2]
    assert nothing.isna().all()
    assert nothing["id"] is pd.NA
    assert nothing["context"] is None
    assert row["id"] == "0071"
    assert row["context"] is context.context


def test_to_dataframe__numbers_and_booleans(monkeypatch: pytest.MonkeyPatch) -> None:
    context, nothing = AiExecutionContext(), AiExecutionContext()
    for kind, value in (("int", 0), ("bool", False)):
        monkeypatch.setitem(dataframe._DTYPES, "new", dataframe._OF_KIND[kind])
        vars(context)["new"], vars(nothing)["new"] = value, None
        column = to_dataframe([context, nothing], json="text")["new"]
        assert (str(column.dtype), column.tolist()) == (DTYPES[kind], [value, pd.NA])


def test_to_dataframe__names_that_clash() -> None:
    fields: dict[Any, int] = {1: 10, "1": 11, "title": 12}
    extra = {"context.1": 13, "extra.id": 3, "id": 2}
    context = AiExecutionContext(id="1", context=fields, extra=extra)
    frame = to_dataframe([context], flatten_context=True)
    row = frame.loc[0]
    assert row["id"] == "1"
    added = {
        "context.1": 10,
        "context.context.1": 11,
        "context.title": 12,
        "extra.context.1": 13,
        "extra.id": 3,
        "extra.extra.id": 2,
    }
    assert row[list(added)].to_dict() == added
    assert list(frame.columns)[-len(added) :] == list(added)


def test_to_dataframe__json_text() -> None:
    frame = to_dataframe(MIXED, json="text", flatten_context=True)
    assert "object" not in dtypes(frame).values()
    assert frame["context"].tolist() == ["{}", '{"a": "ü\\ud800"}', "1.5"]
    assert frame["context.a"].tolist() == [pd.NA, '"ü\\ud800"', pd.NA]
    assert frame["tags"].tolist() == [pd.NA, '"b"', '["a"]']
    assert frame["execution_state"].tolist() == [pd.NA, pd.NA, "false"]
    assert frame["title"].tolist() == [r"lone \ud800", pd.NA, pd.NA]


@pytest.mark.parametrize("flatten", [False, True])
@pytest.mark.parametrize("rows", [MIXED, []])
def test_to_dataframe__other_tools(
    flatten: bool, rows: list[AiExecutionContext], tmp_path: Path
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    polars = pytest.importorskip("polars")
    duckdb = pytest.importorskip("duckdb")
    frame = to_dataframe(rows, flatten_context=flatten, json="text")
    file = tmp_path / "contexts.parquet"
    frame.to_parquet(file)
    assert frame.equals(pd.read_parquet(file).astype(frame.dtypes))
    expected = [row.id for row in rows]
    assert pyarrow.Table.from_pandas(frame)["id"].to_pylist() == expected
    assert polars.from_pandas(frame)["id"].to_list() == expected
    for source in ("frame", f"'{file}'"):
        found = duckdb.sql(f"SELECT id, context FROM {source}").fetchall()  # noqa: S608
        assert [number for number, _ in found] == expected


@pytest.mark.parametrize(
    "wrong",
    [
        *([{"id": "1"}], [ExecutionContextListResponse([], has_more=False)], "12"),
        *(AiExecutionContext(id="1"), ListExecutionContextsOptions(), None),
    ],
)
def test_to_dataframe__no_contexts(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"as in to_dataframe\(page\) or .*, got "):
        to_dataframe(wrong)


@pytest.mark.parametrize("wrong", ["strings", None, True, ["text"]])
def test_to_dataframe__wrong_json(wrong: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"^json: expected .*, got "):
        to_dataframe([], json=wrong)


def test_to_dataframe__without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigError, match=r"pip install -e '\.\[notebook\]'$"):
        to_dataframe([])
