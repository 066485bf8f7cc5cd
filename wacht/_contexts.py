"""The facts about the list of execution contexts, as data."""

from __future__ import annotations

from attrs import frozen


@frozen
class SortTime:
    """
    A time that the list may be sorted by.

    Attributes:
        field: The field of a context that has it.
        newest_first: Whether the newest one is at the top, or the oldest one.
        moves: Whether it changes, which moves the context to the top.
        undated_first: Whether contexts without it are at the top; else each has it.
    """

    field: str
    newest_first: bool = True
    moves: bool = False
    undated_first: bool = False


# Those that don't change come first: where two of them agree, they are the safer one.
PAGE_SORT_TIMES = (
    SortTime("created_at"),
    SortTime("created_at", newest_first=False),
    SortTime("last_activity_at", moves=True),
)
OFFSET_SORT_TIMES = (SortTime("last_activity_at", moves=True, undated_first=True),)
