"""
The one converter: from parsed JSON to values, strictly, with the place of a misfit.
"""

from __future__ import annotations

import re
from datetime import datetime
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

from ._json import MisfitError
from .errors import shown
from .models import FIELD_NAMES, AiExecutionContext, ExecutionContextListResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    Hook = Callable[[Any, Any], Any]
    Redact = Callable[[str], str]

_IDS = [name for name in FIELD_NAMES if name == "id" or name.endswith("_id")]
_ID_BITS = 64
_KINDS: tuple[tuple[type, str], ...] = (
    (type(None), "null"),
    (list, "an array"),
    (dict, "an object"),
)
_LEAP_SECOND = re.compile(r"(?<=:\d\d):60(\.\d+)?(?=[Z+-])", re.ASCII)


class _WrongValueError(ValueError):
    def __init__(self, expected: str, got: object) -> None:
        super().__init__(expected, got)
        self.expected = expected
        self.got = got

    def told(self, redact: Redact) -> str:
        for kind, name in _KINDS:
            if isinstance(self.got, kind):
                return f"expected {self.expected}, got {name}"
        # The key first, then the cut: half a key is too much of it.
        got = redact(self.got) if isinstance(self.got, str) else self.got
        return f"expected {self.expected}, got {shown(got)}"


def structure_page(document: object, redact: Redact) -> ExecutionContextListResponse:
    """
    Turn a parsed answer into a page.

    The quick converter comes first; only when it stumbles does the one that keeps
    track of places look for where.

    Args:
        document: The parsed answer.
        redact: Blacks out the key in a text.

    Raises:
        MisfitError: The document has another shape than the service promises.

    """
    try:
        return _converter(detailed=False).structure(
            document, ExecutionContextListResponse
        )
    except (KeyError, _WrongValueError, BaseValidationError):
        message = _first_misfit(document, redact)
    raise MisfitError(message)


def _first_misfit(document: object, redact: Redact) -> str:
    said: list[str] = []
    try:
        _converter(detailed=True).structure(document, ExecutionContextListResponse)
    except (BaseValidationError, _WrongValueError) as error:
        said = transform_error(error, "", partial(_said, redact))
    first, *others = said
    expected, _, place = first.rpartition(" @ ")
    more = f" (and {len(others)} more)" if others else ""
    return f"{place.removeprefix('.') or 'the body'}: {expected}{more}"


def _said(redact: Redact, error: BaseException, _type: object) -> str:
    if isinstance(error, _WrongValueError):
        return error.told(redact)
    return "expected a value, got none"  # a KeyError


def _string(value: Any, _type: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise _WrongValueError("a string", value)


def _id(value: Any, _type: object) -> str | None:
    if isinstance(value, str):
        return value
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise _WrongValueError("a string", value)
    if value.bit_length() > _ID_BITS:
        raise _WrongValueError(f"an id of at most {_ID_BITS} bits", value)
    return str(value)


def _timestamp(value: Any, _type: object) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = _unusual_moment(value)
    if moment.tzinfo is None:
        raise _WrongValueError("an RFC 3339 timestamp with an offset", value)
    return moment


def _unusual_moment(value: Any) -> datetime:
    """
    Read what RFC 3339 has beyond what Python reads.

    That is a lower-case `t` and `z`, and leap seconds, for which a datetime has no
    room: they become the last microsecond before them, on the same day.
    """
    try:
        return datetime.fromisoformat(_LEAP_SECOND.sub(":59.999999", value.upper()))
    except (AttributeError, TypeError, ValueError):
        raise _WrongValueError("an RFC 3339 timestamp", value) from None


def _boolean(value: Any, _type: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _WrongValueError("a boolean", value)


def _as_it_is(value: Any, _type: object) -> Any:
    return value


@cache
def _converter(*, detailed: bool) -> Converter:
    converter = Converter(detailed_validation=detailed)
    converter.register_structure_hook(bool, _boolean)
    converter.register_structure_hook(str | None, _string)
    converter.register_structure_hook(datetime | None, _timestamp)
    context = _context_hook(converter) if detailed else _quick_context_hook(converter)
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
    Structure a list up to the first item that does not fit.

    cattrs would collect what is wrong with each, and a body has room for millions.
    """

    def structure(items: list[Any], _type: Any) -> list[Any]:
        done: list[Any] = []
        try:
            for item in items:
                done.append(hook(item, AiExecutionContext))  # noqa: PERF401 - for len(done)
        except (BaseValidationError, _WrongValueError) as error:
            index = len(done)
            error.add_note(IterableValidationNote(f"item {index}", index, None))
            raise IterableValidationError(
                "misfit",
                [error],
                list,  # pyright: ignore[reportCallIssue] - what its __new__ takes
            ) from None
        return done

    return structure


def _context_hook(converter: Converter) -> Hook:
    """
    Make what looks for misfits; the contexts that it gives, nobody uses.
    """
    overrides: dict[str, Any] = {name: override(struct_hook=_id) for name in _IDS}
    overrides["extra"] = override(struct_hook=_as_it_is)  # whatever has that name
    known = make_dict_structure_fn(AiExecutionContext, converter, **overrides)
    return _only(dict, "an object", known)


def _quick_context_hook(converter: Converter) -> Hook:
    """
    Make the same in one loop over what came, most of which is strings.

    cattrs' own code looks for each field that might have come, and attrs' `__init__`
    sets each of them: together that takes more than twice as long. What did not come
    is not set at all, and the class has None for it.
    """
    types = {
        known.name: known.type for known in fields(resolve_types(AiExecutionContext))
    }
    hooks = {name: converter.get_structure_hook(types[name]) for name in FIELD_NAMES}
    hooks |= dict.fromkeys(_IDS, _id)
    texts = {name for name, hook in hooks.items() if hook in (_id, _string)}

    def structure(value: Any, _type: object) -> AiExecutionContext:
        if type(value) is not dict:
            raise _WrongValueError("an object", value)
        context = object.__new__(AiExecutionContext)
        extra: dict[str, Any] = {}
        values = context.__dict__
        values["extra"] = extra
        given: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType] - JSON
        for name, item in given.items():
            if type(item) is str and name in texts:
                values[name] = item
            elif name not in hooks:
                extra[name] = item
            elif item is not None:
                values[name] = hooks[name](item, None)
        return context

    return structure
