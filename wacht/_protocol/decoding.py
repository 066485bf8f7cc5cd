"""Turn parsed JSON into values, strictly, and say where it doesn't fit."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from attrs import fields, resolve_types
from cattrs import (
    BaseValidationError,
    Converter,
    IterableValidationError,
    IterableValidationNote,
    transform_error,
)
from cattrs.gen import make_dict_structure_fn, override

from wacht._render.text import safe_repr
from wacht.models import FIELD_NAMES, AiExecutionContext, ExecutionContextListResponse

from .json import ShapeError

if TYPE_CHECKING:
    from collections.abc import Callable

    Hook = Callable[[Any, Any], Any]
    RedactText = Callable[[str], str]

_IDS = [name for name in FIELD_NAMES if name == "id" or name.endswith("_id")]
_ID_BITS = 64
MAX_CONTEXTS = 1000  # ten times what a request may ask for
_KINDS: tuple[tuple[type, str], ...] = (
    (type(None), "null"),
    (list, "an array"),
    (dict, "an object"),
)
_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_LEAP_SECOND = re.compile(r"(?<=\d\d:\d\d):60(\.\d+)?(?=[Z+-])", re.ASCII)


class _WrongValueError(ValueError):
    def __init__(self, expected: str, got: object) -> None:
        super().__init__(expected, got)
        self.expected = expected
        self.got = got

    def message(self, redact: RedactText) -> str:
        for kind, name in _KINDS:
            if isinstance(self.got, kind):
                return f"expected {self.expected}, got {name}"
        # Redact before shortening: half a key must not remain.
        got = redact(self.got) if isinstance(self.got, str) else self.got
        return f"expected {self.expected}, got {safe_repr(got)}"


def structure_page(
    document: object, redact: RedactText
) -> ExecutionContextListResponse:
    """
    Turn a parsed answer into a page.

    The fast converter comes first. Only if it fails, the one that keeps track of
    places looks for the first mismatch.

    Args:
        document: The parsed answer.
        redact: Removes the key from a text.

    Raises:
        ShapeError: The document doesn't have the promised shape.

    """
    try:
        return _converter(detailed=False).structure(
            document, ExecutionContextListResponse
        )
    except (KeyError, _WrongValueError, BaseValidationError):
        message = _first_mismatch(document, redact)
    raise ShapeError(message)


def _first_mismatch(document: object, redact: RedactText) -> str:
    messages: list[str] = []
    try:
        _converter(detailed=True).structure(document, ExecutionContextListResponse)
    except (BaseValidationError, _WrongValueError) as error:
        messages = transform_error(error, "", partial(_message, redact))
    first, *others = messages
    expected, _, place = first.rpartition(" @ ")
    more = f" (and {len(others)} more)" if others else ""
    return f"{place.removeprefix('.') or 'the body'}: {expected}{more}"


def _message(redact: RedactText, error: BaseException, _type: object) -> str:
    if isinstance(error, _WrongValueError):
        return error.message(redact)
    return "expected a value, got none"  # a KeyError


def _string(value: Any, _type: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise _WrongValueError("a string", value)


def _id(value: Any, _type: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, int) or isinstance(value, bool):
        raise _WrongValueError("a string", value)
    if value.bit_length() > _ID_BITS:
        raise _WrongValueError(f"an id of at most {_ID_BITS} bits", value)
    return str(value)


def _timestamp(value: Any, _type: object) -> datetime | None:
    if value is None:
        return None
    text = value
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        text = _usual_form(value)
    try:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _WrongValueError("an RFC 3339 timestamp", value) from None


def _usual_form(value: Any) -> str:
    """
    Write a timestamp that RFC 3339 allows and Python doesn't read in another form.

    That is one with a lower-case "t" or "z", a space, or a leap second, which becomes
    the last microsecond before it.
    """
    if isinstance(value, str):
        text = _LEAP_SECOND.sub(":59.999999", value.upper().replace(" ", "T", 1))
        if _RFC_3339.fullmatch(text):
            return text
    raise _WrongValueError("an RFC 3339 timestamp with an offset", value)


def _boolean(value: Any, _type: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _WrongValueError("a boolean", value)


def _unchanged(value: Any, _type: object) -> Any:
    return value


@cache
def _converter(*, detailed: bool) -> Converter:
    converter = Converter(detailed_validation=detailed)
    converter.register_structure_hook(bool, _boolean)
    converter.register_structure_hook(str | None, _string)
    converter.register_structure_hook(datetime | None, _timestamp)
    context = _detailed_hook(converter) if detailed else _fast_hook(converter)
    page = make_dict_structure_fn(
        ExecutionContextListResponse,
        converter,
        data=override(struct_hook=_only(list, "an array", _each(context))),
    )
    converter.register_structure_hook(
        ExecutionContextListResponse, _only(dict, "an object", page)
    )
    return converter


def _only(kind: type, expected: str, hook: Hook) -> Hook:
    def structure(value: Any, type_: Any) -> Any:
        if not isinstance(value, kind):
            raise _WrongValueError(expected, value)
        return hook(value, type_)

    return structure


def _each(hook: Hook) -> Hook:
    """
    Structure a list up to the first item that doesn't fit.

    cattrs would collect the errors of all items, and there may be millions.
    """

    def structure(items: list[Any], _type: Any) -> list[Any]:
        if len(items) > MAX_CONTEXTS:
            raise _WrongValueError(f"at most {MAX_CONTEXTS:,} contexts", len(items))
        done: list[Any] = []
        try:
            for item in items:
                done.append(hook(item, AiExecutionContext))  # noqa: PERF401 - for len(done)
        except (BaseValidationError, _WrongValueError) as error:
            index = len(done)
            error.add_note(IterableValidationNote(f"item {index}", index, None))
            raise IterableValidationError(
                "mismatch",
                [error],
                list,  # pyright: ignore[reportCallIssue] - what its __new__ takes
            ) from None
        return done

    return structure


def _detailed_hook(converter: Converter) -> Hook:
    """Make the hook that finds mismatches; its contexts aren't used."""
    overrides: dict[str, Any] = {name: override(struct_hook=_id) for name in _IDS}
    overrides["extra"] = override(struct_hook=_unchanged)  # a field of that name
    known = make_dict_structure_fn(AiExecutionContext, converter, **overrides)
    return _only(dict, "an object", known)


def _fast_hook(converter: Converter) -> Hook:
    """
    Make a hook that loops once over the fields that came, most of which are strings.

    cattrs' own code looks up every field that might have come, and attrs' `__init__`
    sets each of them: together that takes twice as long.
    """
    attributes = fields(resolve_types(AiExecutionContext))
    hooks = {a.name: converter.get_structure_hook(a.type) for a in attributes}
    hooks |= dict.fromkeys(_IDS, _id)
    del hooks["extra"]
    strings = {name for name, hook in hooks.items() if hook in (_id, _string)}
    anything = {a.name for a in attributes if a.type is Any}
    if [a.name for a in attributes if hasattr(a.default, "factory")] != ["extra"]:
        raise TypeError("a field other than `extra` has a factory: set it below")

    def structure(value: Any, _type: object) -> AiExecutionContext:
        if type(value) is not dict:
            raise _WrongValueError("an object", value)
        context = object.__new__(AiExecutionContext)
        values = context.__dict__
        extra: dict[str, Any] = {}
        values["extra"] = extra
        given: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType] - JSON
        for name, item in given.items():
            if (type(item) is str and name in strings) or name in anything:
                values[name] = item
            elif name not in hooks:
                extra[name] = item
            elif item is not None:
                values[name] = hooks[name](item, None)
        return context

    return structure
