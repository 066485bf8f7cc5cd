"""Contexts as a pandas DataFrame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from json import dumps
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from ._contexts import FRAME_COLUMNS
from ._text import install_hint, safe_repr
from .errors import ConfigError, InvalidRequestError
from .models import KINDS, AiExecutionContext

if TYPE_CHECKING:
    import pandas as pd

Columns: TypeAlias = "dict[str, list[Any]]"

_TEXT = "string[python]"  # the same with and without pyarrow, and it takes any str
_JSON = "object"
_OF_KIND = {
    "str": _TEXT,
    "Id": _TEXT,
    "datetime": "datetime64[us, UTC]",  # holds every datetime that Python has
    "int": "Int64",
    "bool": "boolean",
    "Any": _JSON,
}
_DTYPES = {name: _OF_KIND[KINDS[name]] for name in (*FRAME_COLUMNS, *KINDS)}
_EXPECTED = (
    "expected contexts, as in to_dataframe(page) or "
    "to_dataframe(iter_execution_contexts()), got "
)


def to_dataframe(
    contexts: Iterable[AiExecutionContext],
    *,
    flatten_context: bool = False,
    json: Literal["objects", "text"] = "objects",
) -> pd.DataFrame:
    """
    Make a pandas DataFrame of contexts, with one row each, in their order.

    Every field has a column, with the same dtype and at the same place for any
    contexts: `string` for text, with `pandas.NA` where it is missing;
    `datetime64[us, UTC]` for times, with `NaT`; `object` for JSON, with None. `id`,
    `agent_id`, `created_at`, `status` and `title` come first.

    Fields that this version of the SDK does not know come last, in `object` columns.
    If their name is taken, it is prefixed with `extra.`.

    Args:
        contexts: Any iterable: a page, a list or a walk.
        flatten_context: Add a column `context.<key>` for each key of the `context`
            values that are objects. If the name is taken, it is prefixed with
            `context.` once more.
        json: `"objects"` keeps JSON as Python objects. `"text"` writes it as JSON text
            in `string` columns, which Parquet, Arrow, polars and DuckDB can read. Lone
            surrogates, which UTF-8 can't encode, are then written as escapes.

    Raises:
        ConfigError: pandas is missing.
        InvalidRequestError: `json` is neither `"objects"` nor `"text"`.
        TypeError: `contexts` isn't an iterable of contexts.

    """
    if json not in ("objects", "text"):
        raise InvalidRequestError(
            f"json: expected 'objects' or 'text', got {safe_repr(json)}"
        )
    try:
        import pandas as pd  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise ConfigError(
            f"to_dataframe() needs pandas: {install_hint('notebook')}"
        ) from error
    rows = [*_checked(contexts)]
    columns = _columns(rows, flatten_context=flatten_context)
    dtypes = {name: _DTYPES.get(name, _JSON) for name in columns}
    if json == "text":
        columns = {n: _as_text(c, dtypes[n]) for n, c in columns.items()}
        dtypes = {n: _TEXT if d == _JSON else d for n, d in dtypes.items()}
    return pd.DataFrame(columns, dtype="object").astype(dtypes)


def _checked(contexts: object) -> Iterator[AiExecutionContext]:
    if not isinstance(contexts, Iterable):
        raise TypeError(_EXPECTED + safe_repr(contexts))
    for context in cast("Iterable[object]", contexts):
        if not isinstance(context, AiExecutionContext):
            raise TypeError(_EXPECTED + safe_repr(context))
        yield context


def _columns(rows: Sequence[AiExecutionContext], *, flatten_context: bool) -> Columns:
    columns: Columns = {n: [getattr(row, n) for row in rows] for n in _DTYPES}
    if flatten_context:
        values = [row.context for row in rows]
        objects: list[Any] = [v if isinstance(v, dict) else {} for v in values]
        _add_keys(columns, objects, "context")
    _add_keys(columns, [row.extra for row in rows], "extra")
    return columns


def _add_keys(columns: Columns, objects: Sequence[dict[str, Any]], prefix: str) -> None:
    """Add a column for each key of some objects, one object a row."""
    added: dict[str, dict[int, Any]] = {}  # by row
    for row, fields in enumerate(objects):
        for key, value in fields.items():
            added.setdefault(key, {})[row] = value
    for key, values in added.items():
        # pandas may keep names in Arrow, which is UTF-8. Callers may use other keys.
        safe = _encodable(key) if isinstance(key, str) else key
        name = f"context.{safe}" if prefix == "context" else safe
        while name in columns:
            name = f"{prefix}.{name}"
        columns[name] = [values.get(row) for row in range(len(objects))]


def _as_text(values: list[Any], dtype: str) -> list[Any]:
    if dtype == _JSON:
        values = [v if v is None else dumps(v, ensure_ascii=False) for v in values]
    return [_encodable(v) if isinstance(v, str) else v for v in values]


def _encodable(text: str) -> str:
    """Escape lone surrogates, which UTF-8 can't encode."""
    return text.encode("utf-8", "backslashreplace").decode()
