"""Keywords of the public functions: which there are, and what they mean together."""

from __future__ import annotations

from difflib import get_close_matches
from inspect import signature
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from attrs import evolve, field, frozen
from attrs.validators import optional

from ._render.text import safe_repr
from ._validators import aware, choice, integer, seconds
from .errors import InvalidRequestError
from .models import OPTION_NAMES, ListExecutionContextsOptions, ListFilters

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    F = TypeVar("F", bound=Callable[..., object])

MAX_PREFETCH = 100  # pages; the service's limit of a minute


@frozen(kw_only=True)
class WalkOptions:
    """How to walk; see `Session.iter_execution_contexts`."""

    limit: int | None = field(validator=optional(integer(InvalidRequestError, 1)))
    exhaustive: bool | None = field(
        validator=choice(InvalidRequestError, None, True, False)  # noqa: FBT003
    )
    active_since: datetime | None = field(
        validator=optional(aware(InvalidRequestError))
    )
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


def shows_keywords_of(source: Callable[..., object]) -> Callable[[F], F]:
    """List the keywords of `source` in a signature, for `help()` and notebooks."""
    parameters = signature(source).parameters.values()
    shown = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.name[0] != "_"]

    def show(function: Any) -> Any:
        own = signature(function)
        *others, _ = own.parameters.values()
        function.__signature__ = own.replace(parameters=[*others, *shown])
        return function

    return show
