"""Parse JSON strictly: UTF-8, finite numbers, and a bounded number of values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from math import isfinite
from typing import Any, NoReturn

_fast_decode: Callable[[bytes], Any] | None = None
_refusals: tuple[type[Exception], ...] = (RecursionError, UnicodeDecodeError)
with suppress(ImportError):  # an extra; later, no file descriptor may be free
    from msgspec import DecodeError
    from msgspec.json import Decoder

    _fast_decode = Decoder().decode
    _refusals += (DecodeError,)

# Parsed values take some 100 bytes each: an answer of 64 MiB could need gigabytes.
MAX_VALUES = 1_000_000
# It matches whatever follows a quote: if it could fail, it would try again and again.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_SEPARATORS = (b",", b"[", b"{")


class SchemaError(ValueError):
    """An answer doesn't have the promised shape; the message says where."""


def parse_json(body: bytes) -> Any:
    """
    Parse JSON, with msgspec if it is installed; raise as `json` does, or `SchemaError`.

    `json` parses what msgspec refuses, so the same bytes give the same values with and
    without it. (orjson wouldn't do: it turns large integers into floats.)
    """
    if len(body) > MAX_VALUES and _count_values(body) > MAX_VALUES:
        raise SchemaError(f"the body: expected at most {MAX_VALUES:,} values, got more")
    if _fast_decode:
        with suppress(*_refusals):
            return _fast_decode(body)
    return _STRICT.decode(body.decode("utf-8-sig"))


def _count_values(body: bytes) -> int:
    """Return an upper bound of the nested values; exact enough if it is too high."""
    count = sum(map(body.count, _SEPARATORS))
    if count > MAX_VALUES:  # text has commas, too
        rest = _STRING.sub(b"", body, count=2 * MAX_VALUES)  # a name and a value each
        count = sum(map(rest.count, _SEPARATORS))
    return count


def _refuse(text: str) -> NoReturn:
    raise SchemaError(f"the body: expected finite numbers, got {text:.80}")


def _finite_float(text: str) -> float:
    number = float(text)
    return number if isfinite(number) else _refuse(text)


_STRICT = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite_float)
