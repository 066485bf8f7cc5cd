"""
The one converter: from parsed JSON to values, strictly, with the place of a misfit.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from cattrs import BaseValidationError, Converter, transform_error
from cattrs.gen import make_dict_structure_fn, override

from .errors import shown
from .models import FIELD_NAMES, AiExecutionContext, ExecutionContextListResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    Hook = Callable[[Any, Any], Any]

_KNOWN = frozenset(FIELD_NAMES)
_IDS = [name for name in FIELD_NAMES if name == "id" or name.endswith("_id")]
_ID_BITS = 64
_KINDS: tuple[tuple[type, str], ...] = (
    (type(None), "null"),
    (list, "an array"),
    (dict, "an object"),
)


class MisfitError(ValueError):
    """
    Some JSON is not what was promised; the message says where.
    """


def structure_page(document: object) -> ExecutionContextListResponse:
    """
    Turn a parsed answer into a page.

    The quick converter comes first; only when it stumbles does the one that keeps
    track of places look for where.

    Raises:
        MisfitError: The document has another shape than the service promises.

    """
    try:
        return _converter(detailed=False).structure(
            document, ExecutionContextListResponse
        )
    except (KeyError, MisfitError):
        message = _first_misfit(document)
    raise MisfitError(message)


def misfit(expected: str, got: object) -> MisfitError:
    for kind, name in _KINDS:
        if isinstance(got, kind):
            return MisfitError(f"expected {expected}, got {name}")
    return MisfitError(f"expected {expected}, got {shown(got)}")


def _first_misfit(document: object) -> str:
    said: list[str] = []
    try:
        _converter(detailed=True).structure(document, ExecutionContextListResponse)
    except (BaseValidationError, MisfitError) as error:
        said = transform_error(error, "", _said)
    first, *others = said
    expected, _, place = first.rpartition(" @ ")
    more = f" (and {len(others)} more places)" if others else ""
    return f"{place.removeprefix('.') or 'the body'}: {expected}{more}"


def _said(error: BaseException, _type: object) -> str:
    return "expected a value, got none" if isinstance(error, KeyError) else str(error)


def _string(value: Any, _type: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise misfit("a string", value)


def _id(value: Any, _type: object) -> str | None:
    if isinstance(value, str):
        return value
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise misfit("a string", value)
    if value.bit_length() > _ID_BITS:
        raise misfit(f"an id of at most {_ID_BITS} bits", value)
    return str(value)


def _timestamp(value: Any, _type: object) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise misfit("an RFC 3339 timestamp", value) from None
    if moment.tzinfo is None:
        raise misfit("an RFC 3339 timestamp with an offset", value)
    return moment


def _boolean(value: Any, _type: object) -> bool:
    if isinstance(value, bool):
        return value
    raise misfit("a boolean", value)


def _as_it_is(value: Any, _type: object) -> Any:
    return value


@cache
def _converter(*, detailed: bool) -> Converter:
    converter = Converter(detailed_validation=detailed)
    converter.register_structure_hook(bool, _boolean)
    converter.register_structure_hook(str | None, _string)
    converter.register_structure_hook(datetime | None, _timestamp)
    converter.register_structure_hook(AiExecutionContext, _context_hook(converter))
    contexts = converter.get_structure_hook(list[AiExecutionContext])
    page = make_dict_structure_fn(
        ExecutionContextListResponse,
        converter,
        data=override(struct_hook=_only(list, "an array", contexts)),
    )
    converter.register_structure_hook(
        ExecutionContextListResponse, _only(dict, "an object", page)
    )
    return converter


def _only(kind: type, expected: str, hook: Hook) -> Hook:
    def structure(value: Any, type_: Any) -> Any:
        if not isinstance(value, kind):
            raise misfit(expected, value)
        return hook(value, type_)

    return structure


def _context_hook(converter: Converter) -> Hook:
    overrides: dict[str, Any] = {name: override(struct_hook=_id) for name in _IDS}
    overrides["extra"] = override(struct_hook=_as_it_is)
    known = make_dict_structure_fn(AiExecutionContext, converter, **overrides)

    def structure(value: Any, type_: Any) -> AiExecutionContext:
        if value.keys() <= _KNOWN:
            return known(value, type_)
        extra = {name: value[name] for name in value if name not in _KNOWN}
        return known({**value, "extra": extra}, type_)

    return _only(dict, "an object", structure)
