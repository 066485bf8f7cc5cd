"""Options as JSON text, with how far a walk came, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from attrs import asdict, evolve, resolve_types

from wacht._contexts import FILTERS, SortTime
from wacht._protocol.revisions import REVISIONS, Revision, filters_of
from wacht._protocol.windows import Window
from wacht._text import safe_repr
from wacht.errors import InvalidRequestError
from wacht.models import ListExecutionContextsOptions as Options

from .checkpoint import Checkpoint
from .coverage import Coverage
from .next_window import Position

if TYPE_CHECKING:
    from cattrs import Converter

_FORMAT = 2  # another number for each change that a reader of the text would notice
_STORED: Any = Checkpoint | None
_CLASSES = Revision, Window, Position, Coverage, SortTime, Checkpoint
_NAMES = {cls.__name__: cls for cls in _CLASSES}
# What cattrs and the options raise for a document that doesn't fit.
_UNFIT = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def write(options: Options) -> str:
    """Write options as text; equal options give equal text."""
    checkpoint = options._checkpoint  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - not for users
    content = {
        "place": {"page": options.page, "per_page": options.per_page},
        "filters": filters_of(options),
        "checkpoint": _converter().unstructure(checkpoint),
    }
    return _json({"format": _FORMAT, "checksum": _checksum(content), **content})


def read(text: str) -> Options:
    """
    Read options from text that `write` wrote, perhaps spaced or sorted by a database.

    Raises:
        InvalidRequestError: It is any other text.

    """
    document = _parse(text)
    number = document.get("format")
    if type(number) is int and number != _FORMAT:
        raise InvalidRequestError(
            f"from_json: the text has the unknown format {safe_repr(number)}: read it "
            "with the version of wacht that wrote it, or list from the start, without "
            "this text"
        )
    with suppress(*_UNFIT, RecursionError):
        stored = _converter().structure(document["checkpoint"], _STORED)
        filters = {n: FILTERS[n].value(t) for n, t in document["filters"].items()}
        options = Options(**document["place"], **filters, _checkpoint=stored)
        # cattrs converts what almost fits. But then it is written in another way.
        if write(options) == _json(document):
            return options
    raise InvalidRequestError(
        "from_json: expected the text that to_json() wrote, got something else: pass "
        "that text, whole and unchanged, or list from the start, without this text"
    )


def _checksum(content: object) -> str:
    return sha256(_json(content).encode()).hexdigest()


def _json(document: object) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def _parse(text: object) -> dict[str, Any]:
    """Return what is in a JSON object, and nothing if the text isn't one."""
    with suppress(RecursionError, TypeError, ValueError):
        if isinstance(text, str):
            return {**json.loads(text)}
    return {}


@cache
def _converter() -> Converter:
    """Make what converts a checkpoint, by the annotations of its classes."""
    from cattrs import Converter  # noqa: PLC0415 - most walks need no text
    from cattrs.gen import make_dict_unstructure_fn  # noqa: PLC0415

    for cls in _CLASSES:
        resolve_types(cls, localns={"Iterable": Iterable, **_NAMES})
    converter = Converter(detailed_validation=False)
    converter.register_unstructure_hook(float, repr)  # JSON has no infinite numbers
    converter.register_structure_hook(float, _number)
    converter.register_unstructure_hook(
        Revision, lambda revision: {"name": revision.name, **asdict(revision)}
    )
    converter.register_structure_hook(Revision, _revision)
    converter.register_structure_hook_func(
        lambda kind: kind == Iterable[str],
        lambda ids, _: dict.fromkeys(map(str, ids)),
    )
    write_checkpoint = make_dict_unstructure_fn(Checkpoint, converter)
    converter.register_unstructure_hook(
        Checkpoint, lambda it: write_checkpoint(evolve(it, yielded=[*it.ids()]))
    )
    return converter


def _number(text: str, _type: object) -> float:
    return int(text) if text.removeprefix("-").isdecimal() else float(text)


def _revision(values: dict[str, Any], _type: object) -> Revision:
    return evolve(REVISIONS[values["name"]], echoes=values["echoes"])
