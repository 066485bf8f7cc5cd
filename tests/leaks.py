"""Where an error holds a secret: in its chain, its attributes or its frames."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

TESTS = str(Path(__file__).parent)


def leaks(error: BaseException, secret: str) -> list[str]:
    """List the texts of an error, its causes and contexts that contain a secret."""
    seen: dict[int, object] = {}
    found = [pickle.dumps(error).decode("latin-1")]
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is not None and id(link) not in seen:
            waiting += [link.__cause__, link.__context__]
            found += [str(link), *_locals(link)]
            found += _texts([link, *link.args], seen)
    return [text for text in found if secret in text]


def _texts(value: object, seen: dict[int, object]) -> Iterator[str]:
    """List all text in a value, its elements and its attributes."""
    if id(value) in seen or isinstance(value, type):
        return
    seen[id(value)] = value
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes | bytearray):
        yield value.decode("latin-1")
    elif isinstance(value, dict):
        yield from _texts([*value.items()], seen)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _texts(item, seen)
    else:
        yield repr(value)
        yield from _texts(getattr(value, "__dict__", {}), seen)
        for kind in type(value).__mro__:
            for name in getattr(kind, "__slots__", ()):
                yield from _texts(getattr(value, name, None), seen)


def _locals(error: BaseException) -> Iterator[str]:
    """List what a debugger would show of the frames of an error, except the tests'."""
    traceback = error.__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        if not frame.f_code.co_filename.startswith(TESTS):
            yield from map(_shown, frame.f_locals.values())
        traceback = traceback.tb_next


def _shown(value: object) -> str:
    try:
        return repr(value)
    except AttributeError:  # of an object that is not made yet
        return ""
