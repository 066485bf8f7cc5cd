"""
The values that go in and come out: frozen, comparable, picklable attrs classes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, TypedDict, overload

from attrs import field, fields, frozen

from . import _display, _terminal
from .errors import InvalidRequestError, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attrs import Attribute

MAX_PER_PAGE = 100
MAX_PAGE = 2**63 - 1  # what a 64-bit service can parse


class _IntegerBetween:
    def __init__(self, low: int, high: int) -> None:
        self.low = low
        self.high = high

    def __call__(
        self, _instance: object, attribute: Attribute[Any], value: object
    ) -> None:
        if value is None:
            return
        if (
            not isinstance(value, int)
            or isinstance(value, bool)
            or not self.low <= value <= self.high
        ):
            raise InvalidRequestError(
                f"{attribute.name}: expected an integer from {self.low} to "
                f"{self.high}, got {shown(value)}"
            )


def _non_empty_string(
    _instance: object, attribute: Attribute[Any], value: object
) -> None:
    if value is None:
        return
    if not isinstance(value, str) or not value:
        raise InvalidRequestError(
            f"{attribute.name}: expected a non-empty string, got {shown(value)}"
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidRequestError(
            f"{attribute.name}: expected text that UTF-8 can carry, got {shown(value)}"
        ) from None


@frozen(kw_only=True)
class ListExecutionContextsOptions:
    """
    What to list. Each option may be left out, and what is left out is not sent.

    Attributes:
        page: The page's number, from 1. The service's default is 1.
        per_page: How many contexts a page has, 1 to 100. The service's default is
            20; a walk asks for 100.
        agent_id: Only contexts of this agent.
        workflow_id: Only contexts of this workflow.
        status: Only contexts with this status, such as `"failed"`. Understood by the
            offset revision of the service alone.
        context_group: Only contexts of this group. Understood by the offset revision
            of the service alone.

    Raises:
        InvalidRequestError: A value is out of its range or of a wrong type.

    """

    page: int | None = field(default=None, validator=_IntegerBetween(1, MAX_PAGE))
    per_page: int | None = field(
        default=None, validator=_IntegerBetween(1, MAX_PER_PAGE)
    )
    agent_id: str | None = field(default=None, validator=_non_empty_string)
    workflow_id: str | None = field(default=None, validator=_non_empty_string)
    status: str | None = field(default=None, validator=_non_empty_string)
    context_group: str | None = field(default=None, validator=_non_empty_string)


class ListFilters(TypedDict, total=False):
    """
    The fields of `ListExecutionContextsOptions`, as keywords of the methods.
    """

    page: int | None
    per_page: int | None
    agent_id: str | None
    workflow_id: str | None
    status: str | None
    context_group: str | None


@frozen(kw_only=True, repr=False, slots=False)  # quicker to make, see _convert
class AiExecutionContext:
    """
    One execution context: a conversation or a job of an agent.

    Any field may be None: the service leaves out what it does not have. Ids are
    strings, whatever the service sends; times are aware datetimes. Printed, or in a
    notebook, it is a card of the fields that are set.

    Attributes:
        id: The context's id, a 64-bit snowflake written as a string.
        agent_id: The agent that runs it.
        workflow_id: The workflow that it belongs to.
        user_id: The user it was started for.
        session_id: The session it belongs to.
        context: Whatever JSON the caller stored, usually an object.
        created_at: When it was created.
        deployment_id: The deployment that it runs in.
        title: Its title.
        system_instructions: The instructions that the agent was given.
        context_group: The group that the caller filed it under.
        status: Today one of idle, running, waiting_for_input, interrupted,
            completed, failed; new values come without notice.
        source: Where it came from.
        external_context_id: The caller's own id for it.
        updated_at: When it was last changed.
        last_activity_at: When something last happened in it.
        completed_at: When it was completed.
        execution_state: The state of its run, any JSON.
        external_resource_metadata: Data about outside resources, any JSON.
        completion_summary: The summary of its outcome, any JSON.
        parent_context_id: The context that started this one.
        extra: The fields that this version of the SDK does not know.
    """

    id: str | None = None
    agent_id: str | None = None
    workflow_id: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    context: Any = field(default=None, hash=False)  # it may hold dicts
    created_at: datetime | None = None
    deployment_id: str | None = None
    title: str | None = None
    system_instructions: str | None = None
    context_group: str | None = None
    status: str | None = None
    source: str | None = None
    external_context_id: str | None = None
    updated_at: datetime | None = None
    last_activity_at: datetime | None = None
    completed_at: datetime | None = None
    execution_state: Any = field(default=None, hash=False)
    external_resource_metadata: Any = field(default=None, hash=False)
    completion_summary: Any = field(default=None, hash=False)
    parent_context_id: str | None = None
    extra: dict[str, Any] = field(factory=dict[str, Any], hash=False)

    def to_dict(self) -> dict[str, Any]:
        """
        Give JSON back: a new dict of all fields, with `extra` laid into it.

        Returns:
            A dict that `json.dumps` takes; times in RFC 3339, absent fields None. What
            is nested in it is the context's own, not a copy.

        """
        known = {name: _to_json(getattr(self, name)) for name in FIELD_NAMES}
        return {**known, **self.extra}

    def __repr__(self) -> str:
        values = ((name, getattr(self, name)) for name in (*FIELD_NAMES, "extra"))
        told = (f"{n}={shown(value)}" for n, value in values if value not in (None, {}))
        return f"AiExecutionContext({', '.join(told)})"

    def __str__(self) -> str:
        card = _terminal.card_text(
            _shown_fields(self), width=get_terminal_size().columns
        )
        return card or repr(self)

    def _repr_html_(self) -> str:
        return _display.card_html(_shown_fields(self))


FIELD_NAMES = tuple(
    known.name for known in fields(AiExecutionContext) if known.name != "extra"
)
for _name in FIELD_NAMES:  # for what did not come, the class answers; see _convert
    setattr(AiExecutionContext, _name, None)


def _to_json(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    text = value.isoformat()
    return f"{text[:-6]}Z" if value.tzinfo is UTC else text


def _shown_fields(context: AiExecutionContext) -> dict[str, object]:
    known = {name: getattr(context, name) for name in FIELD_NAMES}
    return {**known, **context.extra}


@frozen(repr=False)
class ExecutionContextListResponse:
    """
    One page of contexts. `len()`, iteration and indexing reach `data`.

    Printed, it is a table as wide as the terminal; in a notebook, a table too.

    Attributes:
        data: The contexts of this page, in the service's order.
        has_more: Whether there are further pages.
    """

    data: list[AiExecutionContext]
    has_more: bool

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[AiExecutionContext]:
        return iter(self.data)

    @overload
    def __getitem__(self, index: int) -> AiExecutionContext: ...
    @overload
    def __getitem__(self, index: slice) -> list[AiExecutionContext]: ...
    def __getitem__(
        self, index: int | slice
    ) -> AiExecutionContext | list[AiExecutionContext]:
        return self.data[index]

    def __repr__(self) -> str:
        return (
            f"<ExecutionContextListResponse of {len(self.data)} contexts, "
            f"has_more={self.has_more}>"
        )

    def __str__(self) -> str:
        rows = [_shown_fields(context) for context in self.data]
        return _terminal.table_text(rows, width=get_terminal_size().columns)

    def _repr_html_(self) -> str:
        more = " There are further pages." if self.has_more else ""
        caption = f"{len(self.data)} execution contexts.{more}"
        return _display.table_html(
            [_shown_fields(context) for context in self.data], caption=caption
        )


@frozen(kw_only=True)
class WalkProgress:
    """
    How far a walk has come.

    Attributes:
        pages: Pages read so far.
        contexts: Contexts given so far, each once.
        duplicates: Repeats dropped so far.
        requests: Requests sent, retries included.
        retries: Requests that repeated a failed one.
        waited: Seconds waited so far, for rate limits and before retries; with
            `prefetch`, added up over the threads that wait side by side.
        waiting: Seconds of the wait that begins now; None if none does.
        reason: Why it waits; None if it does not.
        complete: Whether the last page has been read.
    """

    pages: int = 0
    contexts: int = 0
    duplicates: int = 0
    requests: int = 0
    retries: int = 0
    waited: float = 0.0
    waiting: float | None = None
    reason: str | None = None
    complete: bool = False
