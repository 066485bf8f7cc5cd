"""Turn parsed JSON into values, strictly, and say where it doesn't fit."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from attrs import define, fields, resolve_types
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, override

from wacht._contexts import IDS, JSON, TIMES
from wacht._text import safe_repr
from wacht.models import (
    FIELD_NAMES,
    AiExecutionContext,
    ExecutionContextListResponse,
)

from .json import SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable

    Hook = Callable[[Any, Any], Any]
    RedactText = Callable[[str], str]

_STRINGS = {*FIELD_NAMES} - {*TIMES, *JSON}
_ID_BITS = 64
MAX_CONTEXTS = 1000  # ten times what a request may ask for
_KINDS: dict[type, str] = {type(None): "null", list: "an array", dict: "an object"}
_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_LEAP_SECOND = re.compile(r"(?<=\d\d:\d\d):60(\.\d+)?(?=[Z+-])", re.ASCII)


@define
class _WrongValueError(ValueError):
    """A value that doesn't fit, and its place, which grows on the way out."""

    expected: str
    got: object
    place: str = ""

    def message(self, redact: RedactText) -> str:
        # Redact before shortening: half a key must not remain.
        got = redact(self.got) if isinstance(self.got, str) else self.got
        text = _KINDS.get(type(got)) or safe_repr(got)
        return f"{self.place or 'the body'}: expected {self.expected}, got {text}"


def structure_page(
    document: object, redact: RedactText
) -> ExecutionContextListResponse:
    """Turn a parsed answer into a page; raise `SchemaError` if it isn't one."""
    try:
        if not isinstance(document, dict):
            raise _WrongValueError("an object", document)  # noqa: TRY301 - caught below
        return _converter().structure(document, ExecutionContextListResponse)
    except KeyError as missing:
        message = f"{missing.args[0]}: expected a value, got none"
    except _WrongValueError as error:
        message = error.message(redact)
    raise SchemaError(message)  # here, or its context would hold the document


# The hooks of a context's fields get neither null nor, for texts and ids, a string.


def _string(value: Any, _type: object) -> NoReturn:
    raise _WrongValueError("a string", value)


def _id(value: Any, _type: object) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _WrongValueError("a string", value)
    if value.bit_length() > _ID_BITS:
        raise _WrongValueError(f"an id of at most {_ID_BITS} bits", value)
    return str(value)


def _timestamp(value: Any, _type: object) -> datetime:
    text = value if isinstance(value, str) else ""
    if not _RFC_3339.fullmatch(text):
        # What RFC 3339 allows and Python doesn't read: lower case, and leap seconds,
        # which become the last microsecond before them.
        text = _LEAP_SECOND.sub(":59.999999", text.upper().replace(" ", "T"))
        if not _RFC_3339.fullmatch(text):
            raise _WrongValueError("an RFC 3339 timestamp with an offset", value)
    try:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _WrongValueError("an RFC 3339 timestamp", value) from None


def _has_more(value: Any, _type: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _WrongValueError("a boolean", value, "has_more")


@cache
def _converter() -> Converter:
    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(str | None, _string)
    converter.register_structure_hook(datetime | None, _timestamp)
    page = make_dict_structure_fn(
        ExecutionContextListResponse,
        converter,
        data=override(struct_hook=_contexts),
        has_more=override(struct_hook=_has_more),
        resume=override(omit=True),  # ours, whatever a service calls so
    )
    converter.register_structure_hook(ExecutionContextListResponse, page)
    return converter


@cache
def _field_hooks() -> dict[str, Hook]:
    attributes = fields(resolve_types(AiExecutionContext))
    hooks = {a.name: _converter().get_structure_hook(a.type) for a in attributes}
    return {name: hooks[name] for name in FIELD_NAMES} | dict.fromkeys(IDS, _id)


def _contexts(data: Any, _type: object) -> list[AiExecutionContext]:
    if not isinstance(data, list):
        raise _WrongValueError("an array", data, "data")
    items: list[Any] = data  # pyright: ignore[reportUnknownVariableType] - JSON
    if len(items) > MAX_CONTEXTS:
        expected = f"at most {MAX_CONTEXTS:,} contexts"
        raise _WrongValueError(expected, len(items), "data")
    hooks = _field_hooks()
    contexts: list[AiExecutionContext] = []
    for index, item in enumerate(items):
        try:
            contexts.append(_context(item, hooks))
        except _WrongValueError as error:
            error.place = f"data[{index}]{error.place}"
            raise
    return contexts


def _context(value: Any, hooks: dict[str, Hook]) -> AiExecutionContext:
    """
    Loop once over the fields that came, most of which are strings.

    cattrs' own code looks up every field that might have come, and attrs' `__init__`
    sets each of them: together that takes twice as long.
    """
    if type(value) is not dict:
        raise _WrongValueError("an object", value)
    context = object.__new__(AiExecutionContext)
    values = context.__dict__
    extra: dict[str, Any] = {}
    values["extra"] = extra
    given: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType] - JSON
    for name, item in given.items():
        if type(item) is str and name in _STRINGS:
            values[name] = item
        elif name not in hooks:
            extra[name] = item
        elif item is not None:
            try:
                values[name] = hooks[name](item, None)
            except _WrongValueError as error:
                error.place = f".{name}"
                raise
    return context
