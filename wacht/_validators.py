"""Checks of arguments, for attrs fields; each raises the class it is given."""

from __future__ import annotations

from datetime import datetime
from threading import TIMEOUT_MAX
from typing import TYPE_CHECKING, Any, TypeGuard

from ._render.text import safe_repr

if TYPE_CHECKING:
    from collections.abc import Callable

    from attrs import Attribute

    Validator = Callable[[Any, Attribute[Any], Any], None]


def integer(error: type[Exception], low: int, high: int | None = None) -> Validator:
    """Accept integers from `low` to `high`, but no booleans."""
    span = f"an integer from {low} to {high}" if high else "a positive integer"

    def check(_instance: object, attribute: Attribute[Any], value: object) -> None:
        if (
            not isinstance(value, int)
            or isinstance(value, bool)
            or not low <= value <= (high or value)
        ):
            raise error(f"{attribute.name}: expected {span}, got {safe_repr(value)}")

    return check


def seconds(error: type[Exception]) -> Validator:
    """Accept a positive number of seconds that threads and sockets can wait."""

    def check(_instance: object, attribute: Attribute[Any], value: object) -> None:
        if not is_seconds(value):
            raise error(
                f"{attribute.name}: expected seconds, a number above 0 and up to "
                f"{TIMEOUT_MAX:.0f}, got {safe_repr(value)}"
            )

    return check


def is_seconds(value: object) -> TypeGuard[float]:
    """Return whether a value is a number of seconds that can be waited for."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and 0 < value <= TIMEOUT_MAX
    )


def aware(error: type[Exception]) -> Validator:
    """Accept datetimes with a time zone."""

    def check(_instance: object, attribute: Attribute[Any], value: object) -> None:
        if not isinstance(value, datetime) or value.utcoffset() is None:
            raise error(
                f"{attribute.name}: expected a datetime with a time zone, got "
                f"{safe_repr(value)}"
            )

    return check


def text(error: type[Exception]) -> Validator:
    """Accept non-empty strings that UTF-8 can encode."""

    def check(_instance: object, attribute: Attribute[Any], value: object) -> None:
        if not isinstance(value, str) or not value:
            raise error(
                f"{attribute.name}: expected a non-empty string, got {safe_repr(value)}"
            )
        try:
            value.encode()
        except UnicodeEncodeError:
            raise error(
                f"{attribute.name}: expected text that UTF-8 can encode, got "
                f"{safe_repr(value)}"
            ) from None

    return check


def choice(error: type[Exception], *choices: object) -> Validator:
    """Accept one of a few values."""
    names = ", ".join(map(repr, choices))

    def check(_instance: object, attribute: Attribute[Any], value: object) -> None:
        if not any(
            value is c or (type(value) is type(c) and value == c) for c in choices
        ):
            raise error(
                f"{attribute.name}: expected one of {names}, got {safe_repr(value)}"
            )

    return check
