"""Checks of arguments, for attrs fields; each raises the class it is given."""

from __future__ import annotations

from datetime import datetime
from threading import TIMEOUT_MAX
from typing import TYPE_CHECKING, Any, TypeGuard

from attrs.validators import and_

from ._text import safe_repr

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
        return (
            isinstance(value, int)
            and not isinstance(value, bool)
            and low <= value <= (high or value)
        )

    span = f"an integer from {low} to {high}" if high else "a positive integer"
    return expect(error, span, accepts)


def seconds(error: type[Exception]) -> Validator:
    """Accept a positive number of seconds that threads and sockets can wait."""
    what = f"seconds, a number above 0 and up to {TIMEOUT_MAX:.0f}"
    return expect(error, what, is_seconds)


def is_seconds(value: object) -> TypeGuard[float]:
    """Return whether a value is a number of seconds that can be waited for."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and 0 < value <= TIMEOUT_MAX
    )


def aware(error: type[Exception]) -> Validator:
    """Accept datetimes with a time zone."""

    def accepts(value: object) -> bool:
        return isinstance(value, datetime) and value.utcoffset() is not None

    return expect(error, "a datetime with a time zone", accepts)


def text(error: type[Exception]) -> Validator:
    """Accept non-empty strings that UTF-8 can encode."""
    return and_(
        expect(error, "a non-empty string", lambda v: isinstance(v, str) and v != ""),
        expect(error, "text that UTF-8 can encode", _is_encodable),
    )


def _is_encodable(value: Any) -> bool:
    return bool(value.encode(errors="ignore").decode() == value)


def choice(error: type[Exception], *choices: object) -> Validator:
    """Accept one of a few values; 1 is not True."""
    typed = [(type(choice), choice) for choice in choices]
    names = ", ".join(map(repr, choices))
    return expect(error, f"one of {names}", lambda v: (type(v), v) in typed)
