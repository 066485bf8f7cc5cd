"""Options as JSON text, with how far a walk came, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from attrs import asdict, evolve, resolve_types

from wacht._contexts import OFFSET_SORT_TIMES, PAGE_SORT_TIMES, SortTime
from wacht._protocol.revisions import REVISIONS, Revision
from wacht._protocol.windows import Window
from wacht._render.text import safe_repr
from wacht.errors import InvalidRequestError
from wacht.models import OPTION_NAMES, ListExecutionContextsOptions as Options

from .checkpoint import Checkpoint
from .coverage import Coverage
from .next_window import Position

if TYPE_CHECKING:
    from cattrs import Converter

FORMAT = 1  # another number for each change that a reader of the text would notice
_START_ANEW = "or list from the start, without this text"
# What cattrs and the options raise for a document that doesn't fit.
_UNFIT = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def write(options: Options) -> str:
    """Write options as text; equal options give equal text."""
    content = {
        "options": {name: getattr(options, name) for name in OPTION_NAMES},
        "checkpoint": _converter().unstructure(options._checkpoint),  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - not for users
    }
    return _json({"format": FORMAT, "checksum": _checksum(content), **content})


def read(text: str) -> Options:
    """
    Read options from text that `write` wrote, perhaps spaced or sorted by a database.

    Raises:
        InvalidRequestError: It is any other text.

    """
    document = _parse(text)
    number = document.get("format")
    if type(number) is int and number != FORMAT:
        raise InvalidRequestError(
            f"from_json: the text has the unknown format {safe_repr(number)}: read it "
            f"with the version of wacht that wrote it, {_START_ANEW}"
        )
    with suppress(*_UNFIT, RecursionError):
        options = _structure(document)
        # cattrs converts what almost fits. But then it is written in another way.
        if write(options) == _json(document):
            return options
    raise InvalidRequestError(
        "from_json: expected the text that to_json() wrote, got something else: pass "
        f"that text, whole and unchanged, {_START_ANEW}"
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


def _structure(document: dict[str, Any]) -> Options:
    stored = document["checkpoint"]
    checkpoint = None if stored is None else _converter().structure(stored, Checkpoint)
    return Options(**document["options"], _checkpoint=checkpoint)


# How a value is written that JSON doesn't have or cattrs would convert, and read.


def _write_number(number: float) -> str:
    return repr(number)  # as text, because JSON has no infinite numbers


def _read_number(text: str, _type: object) -> float:
    return int(text) if text.removeprefix("-").isdecimal() else float(text)


def _write_revision(revision: Revision) -> dict[str, Any]:
    return {"name": revision.name, **asdict(revision)}


def _read_revision(values: dict[str, Any], _type: object) -> Revision:
    return evolve(REVISIONS[values["name"]], echoes=values["echoes"])


def _read_sort_time(values: dict[str, Any], _type: object) -> SortTime:
    sort_time = SortTime(**values)
    return {known: known for known in (*PAGE_SORT_TIMES, *OFFSET_SORT_TIMES)}[sort_time]


def _read_ids(ids: Iterable[object], _type: object) -> dict[str, None]:
    return dict.fromkeys(map(str, ids))


@cache
def _converter() -> Converter:
    """Make what converts a checkpoint, by the annotations of its classes."""
    from cattrs import Converter  # noqa: PLC0415 - most walks need no text
    from cattrs.gen import make_dict_unstructure_fn  # noqa: PLC0415

    classes = Revision, Window, Position, Coverage, SortTime, Checkpoint
    names = {cls.__name__: cls for cls in classes}
    for cls in classes:
        resolve_types(cls, localns={**names, "Iterable": Iterable})
    converter = Converter(detailed_validation=False)
    converter.register_unstructure_hook(float, _write_number)
    converter.register_structure_hook(float, _read_number)
    converter.register_unstructure_hook(Revision, _write_revision)
    converter.register_structure_hook(Revision, _read_revision)
    converter.register_structure_hook(SortTime, _read_sort_time)
    converter.register_structure_hook_func(lambda t: t == Iterable[str], _read_ids)
    write_all = make_dict_unstructure_fn(Checkpoint, converter)

    def write_checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
        return write_all(evolve(checkpoint, yielded=[*checkpoint.ids()]))

    converter.register_unstructure_hook(Checkpoint, write_checkpoint)
    return converter
