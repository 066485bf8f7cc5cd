"""
Contexts as a pandas DataFrame.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from .errors import ConfigError, shown
from .models import AiExecutionContext

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

_TEXT = "string[python]"  # the same with and without pyarrow, and it takes any str
_TIME = "datetime64[us, UTC]"  # holds every datetime that Python has
_DTYPES = {
    "id": _TEXT,
    "title": _TEXT,
    "status": _TEXT,
    "agent_id": _TEXT,
    "workflow_id": _TEXT,
    "user_id": _TEXT,
    "session_id": _TEXT,
    "created_at": _TIME,
    "updated_at": _TIME,
    "last_activity_at": _TIME,
    "completed_at": _TIME,
    "deployment_id": _TEXT,
    "parent_context_id": _TEXT,
    "context_group": _TEXT,
    "external_context_id": _TEXT,
    "source": _TEXT,
    "system_instructions": _TEXT,
    "context": "object",
    "execution_state": "object",
    "external_resource_metadata": "object",
    "completion_summary": "object",
}
_TIMES = [name for name, dtype in _DTYPES.items() if dtype == _TIME]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_dataframe(
    contexts: Iterable[AiExecutionContext], *, flatten_context: bool = False
) -> pd.DataFrame:
    """
    Make a pandas DataFrame of contexts, one row each, in their order.

    The columns and their dtypes are the same whatever the contexts hold, and if there
    are none: `string` for text, with `pandas.NA` where it is missing; `datetime64[us,
    UTC]` for times, with `NaT`; `object` for any JSON, with None. Fields that this
    version of the SDK does not know follow as `object` columns; one whose name is
    taken has `extra.` before it.

    Args:
        contexts: Any iterable: a page, a list, or a walk that is still to come.
        flatten_context: Whether each key of those `context` values that are objects
            is an `object` column of its own as well, `context.<key>`; where that is
            taken, it has one more `context.` before it.

    Returns:
        The DataFrame, with a `RangeIndex`.

    Raises:
        ConfigError: pandas is missing; it comes with the extra `notebook`.
        TypeError: Some of what is given is no context.

    """
    try:
        import pandas as pd  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise ConfigError(
            "to_dataframe needs pandas: pip install 'wacht[notebook]'"
        ) from error
    rows = [_checked(context) for context in contexts]
    columns = _columns(rows, flatten_context=flatten_context)
    # Times are whole microseconds until the last step: pandas takes those for any
    # year, in any time zone, and however many of them are missing.
    whole = dict.fromkeys(_TIMES, "Int64")
    return pd.DataFrame(columns, dtype="object").astype(whole).astype(_DTYPES)


def _checked(context: object) -> AiExecutionContext:
    if not isinstance(context, AiExecutionContext):
        raise TypeError(
            f"expected contexts, as a page has or iter_execution_contexts() gives, "
            f"got {shown(context)}"
        )
    return context


def _columns(
    rows: Sequence[AiExecutionContext], *, flatten_context: bool
) -> dict[str, list[Any]]:
    columns = {name: [getattr(row, name) for row in rows] for name in _DTYPES}
    for name in _TIMES:
        columns[name] = [_microseconds(time) for time in columns[name]]
    if flatten_context:
        objects = [_object(row.context) for row in rows]
        for key, values in _spread(objects).items():
            columns[_free_name(f"context.{key}", "context", columns)] = values
    for key, values in _spread([row.extra for row in rows]).items():
        columns[_free_name(key, "extra", columns)] = values
    return columns


def _microseconds(time: datetime | None) -> int | None:
    return None if time is None else (time - _EPOCH) // timedelta(microseconds=1)


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _spread(objects: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for index, fields in enumerate(objects):
        for key, value in fields.items():
            columns.setdefault(key, [None] * len(objects))[index] = value
    return columns


def _free_name(name: str, prefix: str, taken: Mapping[str, object]) -> str:
    while name in taken:
        name = f"{prefix}.{name}"
    return name
