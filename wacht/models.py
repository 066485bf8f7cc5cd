"""The values: frozen, comparable, picklable attrs classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeAlias, TypedDict, overload

from attrs import field, fields, frozen
from attrs.validators import optional

from ._contexts import FILTERS, MAX_PAGE, MAX_PER_PAGE
from ._text import safe_repr, utc_text
from ._validators import integer, text
from .errors import InvalidRequestError


@frozen(kw_only=True)
class ListExecutionContextsOptions:
    """
    Which contexts to list. All options are optional; omitted options aren't sent.

    Attributes:
        page: The page's number, from 1. The service's default is 1.
        per_page: How many contexts a page has, 1 to 100. The service's default is
            20; a walk asks for 100.
        agent_id: Only contexts of this agent.
        workflow_id: Only contexts of this workflow.
        status: Only contexts with this status, such as `"failed"`; of the offset
            revision only.
        context_group: Only contexts of this group; of the offset revision only.

    Raises:
        InvalidRequestError: A value is out of its range or of a wrong type.

    """

    page: int | None = field(
        default=None, validator=optional(integer(InvalidRequestError, 1, MAX_PAGE))
    )
    per_page: int | None = field(
        default=None, validator=optional(integer(InvalidRequestError, 1, MAX_PER_PAGE))
    )
    agent_id: str | None = field(default=None, validator=optional(text))
    workflow_id: str | None = field(default=None, validator=optional(text))
    status: str | None = field(default=None, validator=optional(text))
    context_group: str | None = field(default=None, validator=optional(text))
    # How far a walk came, for the walk that goes on from there.
    _checkpoint: object = field(default=None, eq=False, repr=False, alias="_checkpoint")

    def to_json(self) -> str:
        """
        Write the options as text, to store them for `from_json`.

        Options for going on with a walk (`resume`) keep their place in it: the text
        contains ids, times and numbers, but no context. A digest in it tells the
        service; the API key isn't in it.
        """
        from ._pagination import checkpoint  # noqa: PLC0415 - it knows what it holds

        return checkpoint.write(self)

    @classmethod
    def from_json(cls, text: str) -> ListExecutionContextsOptions:
        """
        Read options that `to_json` wrote, in this version or an older one.

        Any other text is an `InvalidRequestError`.
        """
        from ._pagination import checkpoint  # noqa: PLC0415 - as above

        return checkpoint.read(text)


OPTION_NAMES = ("page", "per_page", *FILTERS)


class UpdateFilters(TypedDict, total=False):
    """What `Session.iter_execution_context_updates` takes to choose contexts."""

    per_page: int | None
    agent_id: str | None
    workflow_id: str | None
    status: str | None
    context_group: str | None


class ListFilters(UpdateFilters, total=False):
    """The fields of `ListExecutionContextsOptions`, as keywords of the methods."""

    page: int | None


class UpdateKeywords(UpdateFilters, total=False):
    """The keywords of `Session.iter_execution_context_updates`."""

    exhaustive: bool | None
    prefetch: int
    deadline: float | None
    progress: bool | Callable[[WalkProgress], object]


class WalkKeywords(ListFilters, UpdateKeywords, total=False):
    """The keywords of a walk; see `Session.iter_execution_contexts`."""

    limit: int | None
    active_since: datetime | None


Id: TypeAlias = str  # shown whole, and read from a number as well


@frozen(kw_only=True, repr=False, slots=False)  # decoding fills __dict__ directly
class AiExecutionContext:
    """
    One execution context: a conversation or a job of an agent.

    Any field may be None. Ids are strings, even if the service sends a number; times
    are aware datetimes in UTC. A notebook shows it as a card.

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
        status: One of idle, running, waiting_for_input, interrupted, completed,
            failed; new values come without notice.
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

    id: Id | None = None
    agent_id: Id | None = None
    workflow_id: Id | None = None
    user_id: Id | None = None
    session_id: Id | None = None
    context: Any = field(default=None, hash=False)  # it may hold dicts
    created_at: datetime | None = None
    deployment_id: Id | None = None
    title: str | None = None
    system_instructions: str | None = None
    context_group: str | None = None
    status: str | None = None
    source: str | None = None
    external_context_id: Id | None = None
    updated_at: datetime | None = None
    last_activity_at: datetime | None = None
    completed_at: datetime | None = None
    execution_state: Any = field(default=None, hash=False)
    external_resource_metadata: Any = field(default=None, hash=False)
    completion_summary: Any = field(default=None, hash=False)
    parent_context_id: Id | None = None
    extra: dict[str, Any] = field(factory=dict[str, Any], hash=False)

    def to_dict(self) -> dict[str, Any]:
        """
        Return all fields as JSON-ready values, with `extra` merged back in.

        Times look like `2026-01-15T10:30:00.123456Z`, absent fields are None. Nested
        values are the context's own, not copies.
        """
        return {
            name: utc_text(value) if isinstance(value, datetime) else value
            for name, value in _fields_of(self).items()
        }

    def __repr__(self) -> str:
        values = {n: getattr(self, n) for n in (*FIELD_NAMES, "extra")}
        given = {n: value for n, value in values.items() if value not in (None, {})}
        fields = (f"{name}={_repr_of(value)}" for name, value in given.items())
        return f"AiExecutionContext({', '.join(fields)})"

    def _repr_html_(self) -> str:
        from ._html import card_html  # noqa: PLC0415 - only notebooks need it

        return card_html(_fields_of(self))


# The kind of each field but `extra`, as annotated: str, Id, datetime, int, bool or Any.
KINDS = {
    known.name: str(known.type).removesuffix(" | None")
    for known in fields(AiExecutionContext)[:-1]
}
FIELD_NAMES = tuple(KINDS)

for _name in FIELD_NAMES:  # decoding sets only those that came
    setattr(AiExecutionContext, _name, None)


def _repr_of(value: object) -> str:
    if isinstance(value, datetime):
        return utc_text(value).replace(".000000", "")
    return safe_repr(value)


def _fields_of(context: AiExecutionContext) -> dict[str, Any]:
    known = {name: getattr(context, name) for name in FIELD_NAMES}
    return {**known, **context.extra}


@frozen
class ExecutionContextListResponse:
    """
    One page of contexts. `len()`, iteration and indexing reach `data`.

    A notebook shows it as a table.

    Attributes:
        data: The contexts of this page, in the service's order.
        has_more: Whether there are further pages.
        resume: If a walk gave this page: the options for a walk that goes on behind
            it. None for a page of `fetch_execution_contexts`.
    """

    data: list[AiExecutionContext] = field(repr=lambda data: f"[{len(data)} contexts]")
    has_more: bool
    resume: ListExecutionContextsOptions | None = field(
        default=None, eq=False, repr=False
    )

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

    def _repr_html_(self) -> str:
        from ._html import table_html  # noqa: PLC0415 - only notebooks need it

        more = " There are further pages." if self.has_more else ""
        rows = [_fields_of(context) for context in self.data]
        return table_html(rows, KINDS, caption=f"{len(rows)} execution contexts.{more}")


@frozen(kw_only=True)
class UpdatePage:
    """
    Contexts to write into a copy, and the state to store with them.

    Attributes:
        data: The contexts, perhaps none; one may come again on a later page.
        state: What to pass to the next call: JSON text of some 600 bytes, without ids.
        complete: Whether this is the last page of a run which proved that each context
            that stayed in the list is in the copy, at least as new as at its start.
        reads_all: Whether this run reads everything, or only what has changed.
        started_at: When this run began, by this machine's clock; the same on each of
            its pages, and later than that of the run before.
    """

    data: list[AiExecutionContext] = field(repr=lambda data: f"[{len(data)} contexts]")
    state: str = field(repr=False)
    complete: bool
    reads_all: bool
    started_at: datetime

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[AiExecutionContext]:
        return iter(self.data)


@frozen(kw_only=True)
class WalkProgress:
    """
    How far a walk has come.

    Attributes:
        pages: Pages read so far, second looks included.
        contexts: Contexts given so far, each once.
        duplicates: Repeated contexts that were dropped.
        requests: Requests sent, retries included.
        retries: Requests that repeated a failed one.
        waited: Seconds waited so far, for rate limits and before retries. With
            `prefetch` the waits of all threads are added up.
        waiting: Seconds of the wait that begins now; None if none does.
        reason: Why it waits; None if it doesn't.
        complete: Whether the walk is done, and it is proven that nothing is missing.
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
