"""The facts about the list of execution contexts, as data. Nothing else knows one."""

from __future__ import annotations

from typing import Any

from attrs import frozen

PATH = "/ai/execution-contexts"
MAX_PER_PAGE = 100
MAX_PAGE = 2**63 - 1  # what a 64-bit service can parse
DEFAULT_PER_PAGE = 20  # of the page revision
DEFAULT_LIMIT = 50  # of the offset revision, and always that of its older build

# The filters that each revision applies, each named as the field that it compares.
PAGE_FILTERS = ("agent_id", "workflow_id")
OFFSET_FILTERS = ("status", "context_group")
FILTERS = (*PAGE_FILTERS, *OFFSET_FILTERS)


def accepts(context: Any, name: str, wanted: str) -> bool:
    """Compare a context with a filter, for the client and the sandbox."""
    return bool(getattr(context, name) == wanted)


@frozen
class SortTime:
    """The time that the list is sorted by, the newest first."""

    field: str  # of a context
    moves: bool = False  # whether it changes, which moves the context to the top
    undated_first: bool = False  # whether the top has contexts without it, or none does


PAGE_SORT_TIME = SortTime("created_at")
OFFSET_SORT_TIME = SortTime("last_activity_at", moves=True, undated_first=True)

# The fields that each revision gives.
PAGE_FIELDS = (
    *("id", "agent_id", "workflow_id", "user_id", "session_id"),
    *("context", "created_at"),
)
OFFSET_FIELDS = (
    *("id", "created_at", "deployment_id", "title", "system_instructions"),
    *("context_group", "status", "source", "external_context_id", "updated_at"),
    *("last_activity_at", "completed_at", "execution_state"),
    *("external_resource_metadata", "completion_summary", "parent_context_id"),
)
# Of a context; new ones come without notice.
STATUSES = (
    *("idle", "running", "waiting_for_input", "interrupted"),
    *("completed", "failed"),
)

# What comes first where people look: the columns of a terminal, with the least and the
# most characters of each, and of a notebook. A snowflake has 19 digits.
TERMINAL_COLUMNS = {
    "id": (19, 40),
    "agent_id": (8, 40),
    "created_at": (19, 19),
    "status": (9, 20),
    "title": (10, 10),
}
NOTEBOOK_COLUMNS = (
    *("id", "agent_id", "created_at", "status", "title"),
    *("workflow_id", "user_id", "session_id"),
    *("last_activity_at", "context_group", "context"),
)
ALWAYS_SHOWN = ("id", "created_at")
# The first columns of a data frame, in the files of users too: they must not change.
FRAME_COLUMNS = ("id", "agent_id", "created_at", "status", "title")
