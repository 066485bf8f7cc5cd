"""
JSON as its standard has it: in UTF-8, and without NaN and Infinity.
"""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable


class MisfitError(ValueError):
    """
    Some JSON is not what was promised; the message says where.
    """


def parse_json(body: bytes) -> Any:
    """
    Parse JSON, quickly where msgspec is installed.

    What msgspec refuses is left to `json`, so that the same bytes give the same values
    with it and without. (orjson would not do: it turns long integers into floats.)

    Raises:
        ValueError: It is none, or holds an integer with too many digits for Python.
        RecursionError: It is nested too deep for Python.

    """
    quick = _quick_parser()
    if quick is not None:
        with suppress(Exception):  # its own, and RecursionError
            return quick(body)
    return json.loads(body.decode(), parse_constant=_refuse_constant)


@cache
def _quick_parser() -> Callable[[bytes], Any] | None:
    try:
        from msgspec.json import Decoder  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    return Decoder().decode


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
