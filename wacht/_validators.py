"""Checks of arguments, for attrs fields."""

from __future__ import annotations

from datetime import datetime
from threading import TIMEOUT_MAX
from typing import TYPE_CHECKING, Any, TypeGuard

from ._text import safe_repr
from .errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from attrs import Attribute

    Validator = Callable[[Any, Attribute[Any], Any], None]


def expect(
    error: type[Exception], what: str, accepts: Callable[[object], bool]
) -> Validator:
    """Raise an error that says what was expected, for values that aren't accepted."""

    def check(_instance: object, attribute: Attribute[Any], value: object) -> None:
        if not accepts(value):
            raise error(f"{attribute.name}: expected {what}, got {safe_repr(value)}")

    return check


def integer(error: type[Exception], low: int, high: int | None = None) -> Validator:
    """Accept integers from `low` to `high`, but no booleans."""

    def accepts(value: object) -> bool:
        return _is_number(value, int) and low <= value <= (high or value)

    span = f"an integer from {low} to {high}" if high else "a positive integer"
    return expect(error, span, accepts)


def choice(error: type[Exception], *choices: object) -> Validator:
    """Accept one of a few values; 1 is not True."""
    typed = [(type(choice), choice) for choice in choices]
    names = ", ".join(map(repr, choices))
    return expect(error, f"one of {names}", lambda v: (type(v), v) in typed)


def is_seconds(value: object) -> TypeGuard[float]:
    """Return whether a value is a number of seconds that can be waited for."""
    return _is_number(value, int | float) and 0 < value <= TIMEOUT_MAX


def _is_number(value: object, kind: Any) -> TypeGuard[Any]:
    return isinstance(value, kind) and not isinstance(value, bool)


_SECONDS = f"seconds, a number above 0 and up to {TIMEOUT_MAX:.0f}"
seconds = expect(InvalidRequestError, _SECONDS, is_seconds)
aware = expect(
    InvalidRequestError,
    "a datetime with a time zone",  # an offset, for which pandas' NaT can't be asked
    lambda v: (
        isinstance(v, datetime) and v.tzinfo is not None and v.utcoffset() is not None
    ),
)
text = expect(
    InvalidRequestError,
    "a non-empty string that UTF-8 can encode",
    lambda v: isinstance(v, str) and v.encode(errors="ignore").decode() == v != "",
)
