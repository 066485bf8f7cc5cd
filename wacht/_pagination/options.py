"""The arguments of a walk, checked."""

from __future__ import annotations

from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Unpack

from attrs import evolve, field, frozen
from attrs.validators import optional

from wacht._render.text import safe_repr
from wacht._validators import choice, integer, seconds
from wacht.errors import InvalidRequestError
from wacht.models import OPTION_NAMES, ListExecutionContextsOptions, ListFilters

if TYPE_CHECKING:
    from attrs import Attribute

MAX_PREFETCH = 100  # pages; the service's limit of a minute


def _aware(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise InvalidRequestError(
            f"{attribute.name}: expected a datetime with a time zone, got "
            f"{safe_repr(value)}"
        )


@frozen(kw_only=True)
class WalkOptions:
    """How to walk; see `Session.iter_execution_contexts`."""

    limit: int | None = field(validator=optional(integer(InvalidRequestError, 1)))
    exhaustive: bool | None = field(
        validator=choice(InvalidRequestError, None, True, False)  # noqa: FBT003
    )
    active_since: datetime | None = field(validator=optional(_aware))
    prefetch: int = field(validator=integer(InvalidRequestError, 0, MAX_PREFETCH))
    deadline: float | None = field(validator=optional(seconds(InvalidRequestError)))


def merge_filters(
    options: ListExecutionContextsOptions | None,
    keywords: tuple[str, ...] = (),
    /,
    **filters: Unpack[ListFilters],
) -> ListExecutionContextsOptions:
    """Return the options with the filters; `keywords` are others that may be meant."""
    for name in filters.keys() - set(OPTION_NAMES):
        raise TypeError(_unknown(name, (*OPTION_NAMES, *keywords)))
    if options is None:  # by this call, Jedi knows the keywords of all callers
        return ListExecutionContextsOptions(**filters)
    if not isinstance(options, ListExecutionContextsOptions):
        raise TypeError(
            "expected ListExecutionContextsOptions, or its fields as keywords, got "
            f"{safe_repr(options)}"
        )
    return evolve(options, **filters)


def _unknown(name: str, known: tuple[str, ...]) -> str:
    similar = get_close_matches(name, known, n=1)
    hint = f"did you mean {similar[0]!r}?" if similar else f"known: {', '.join(known)}"
    return f"unknown keyword {name!r}; {hint}"
