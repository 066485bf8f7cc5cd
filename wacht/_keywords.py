"""Keywords of the public functions: checked, merged, and shown in signatures."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from difflib import get_close_matches
from inspect import getdoc, signature
from typing import Any, TypeVar, Unpack

from attrs import evolve, field, fields_dict, frozen
from attrs.validators import optional

from ._text import safe_repr
from ._validators import aware, choice, integer, seconds
from .errors import InvalidRequestError
from .models import (
    OPTION_NAMES,
    ListExecutionContextsOptions,
    ListFilters,
    UpdateFilters,
)

F = TypeVar("F", bound=Callable[..., object])

MAX_PREFETCH = 100  # pages; the service's limit of a minute


@frozen
class WalkOptions:
    """How to walk; see `Session.iter_execution_contexts`."""

    limit: int | None = field(validator=optional(integer(InvalidRequestError, 1)))
    exhaustive: bool | None = field(
        validator=choice(InvalidRequestError, None, True, False)  # noqa: FBT003
    )
    active_since: datetime | None = field(validator=optional(aware))
    prefetch: int = field(validator=integer(InvalidRequestError, 0, MAX_PREFETCH))
    deadline: float | None = field(validator=optional(seconds))


WALK_KEYWORDS = (*fields_dict(WalkOptions), "progress")


def merge_filters(
    options: ListExecutionContextsOptions | None,
    others: tuple[str, ...] = (),
    /,
    **filters: Unpack[ListFilters],
) -> ListExecutionContextsOptions:
    """Return the options with the filters; `others` are keywords that may be meant."""
    if unknown := sorted(filters.keys() - set(OPTION_NAMES)):
        hint = _hint(unknown[0], (*OPTION_NAMES, *others))
        raise TypeError(f"unknown keyword {unknown[0]!r}; {hint}")
    if options is None:  # Jedi reads the keywords of all callers from this call
        return ListExecutionContextsOptions(**filters)
    if not isinstance(options, ListExecutionContextsOptions):
        raise TypeError(
            "expected ListExecutionContextsOptions, or its fields as keywords, got "
            f"{safe_repr(options)}"
        )
    return evolve(options, **filters)


def merge_update_filters(
    **filters: Unpack[UpdateFilters],
) -> ListExecutionContextsOptions:
    """Return the filters as options; a copy is always of the whole list."""
    if others := sorted(filters.keys() & {"page", *WALK_KEYWORDS}):
        raise TypeError(f"{others[0]}: a copy is always of the whole list")
    return merge_filters(None, **filters)


def _hint(name: str, known: tuple[str, ...]) -> str:
    if name in WALK_KEYWORDS:
        return "only the functions that list all contexts take it"
    similar = get_close_matches(name, known, n=1)
    return f"did you mean {similar[0]!r}?" if similar else f"known: {', '.join(known)}"


def with_keywords_of(
    source: Callable[..., object], without: str = ""
) -> Callable[[F], F]:
    """Show the keywords of `source`, and what it says of them, in `help()`."""
    named = signature(source).parameters.values()
    public = [p for p in named if p.kind is p.KEYWORD_ONLY and p.name[0] != "_"]
    shown = [p for p in public if p.name != without]
    _, heading, sections = (getdoc(source) or "").partition("\n\nArgs:")

    def show(function: Any) -> Any:
        own = signature(function)
        *others, _ = own.parameters.values()
        function.__signature__ = own.replace(parameters=[*others, *shown])
        function.__doc__ = f"{getdoc(function) or ''}{heading}{sections}"
        return function

    return show
