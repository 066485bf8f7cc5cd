"""How far a walk came, and its text: what another walk needs to go on from there."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Self

from attrs import evolve, field, frozen

from wacht._contexts import MAX_PAGE, MAX_PER_PAGE
from wacht._protocol.decoding import MAX_CONTEXTS
from wacht._protocol.revisions import REVISIONS, Revision, filters_of
from wacht._protocol.windows import Window
from wacht.errors import InvalidRequestError
from wacht.models import ListExecutionContextsOptions as Options

from .coverage import END, UNDATED, Mark
from .position import MAX_EXTRA_OVERLAP, Position

if TYPE_CHECKING:
    from cattrs import Converter

    from .state import State

_FORMAT = 5  # another number for each change that a reader of the text would notice
# What cattrs and the options raise for a document that doesn't fit.
_UNFIT = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_MAX_NUMBER = MAX_PAGE * MAX_PER_PAGE


@frozen
class Checkpoint:
    """What was handed to the user so far: ids, times and numbers, never a context."""

    service: str  # a digest that tells it, see `Endpoint`
    filters: dict[str, str]
    revision: Revision | None  # None as long as it isn't known
    first: Window
    position: Position
    yielded: list[str] = field(repr=False)  # the walk goes on adding to it
    count: int  # how many of them had been given at this point

    def ids(self) -> list[str]:
        """Return the ids that had been given, in order."""
        return self.yielded[: self.count]

    @property
    def page(self) -> int:
        """The number of the page in which the walk ended."""
        return min(self.position.end // self.first.limit + 1, MAX_PAGE)


@frozen
class Copy:
    """How far a copy came: what its state holds. No ids: it may get one twice."""

    service: str
    filters: dict[str, str]
    started_at: int  # when the run began, in microseconds
    reads_all: bool  # whether that reads everything
    floor: Mark = field(factory=Mark)  # down to which it reads; or those after it
    revision: Revision | None = None
    position: Position = field(factory=Position)  # not begun: there is another run

    def to_text(self) -> str:
        return _signed({"format": _FORMAT, **_converter().unstructure(self)})

    @classmethod
    def from_text(cls, text: object, service: str, filters: dict[str, str]) -> Self:
        """Read a state; raise an `InvalidRequestError` if it is of another copy."""
        what = "this text isn't a state that `UpdatePage.state` gave"
        with suppress(*_UNFIT, RecursionError):
            document = _verified(text)
            is_same = document.pop("format") == _FORMAT
            if not is_same:
                document["position"] = {}  # the floor is worth keeping
            copy = _converter().structure(document, cls)
            again = _converter().unstructure(copy)
            _expect(_json(again) == _json(document) or not is_same)
            _check(copy.position, Window(0, MAX_PER_PAGE))
            _expect(copy.floor.time < UNDATED and 0 <= copy.started_at < UNDATED - 1)
            if (copy.service, copy.filters) == (service, filters):
                return copy
            differs = "service" if copy.service != service else "list, by its filters"
            what = f"this state is of another {differs}"
        raise InvalidRequestError(f"state: {what}. Begin with state=None")


def resume_of(state: State) -> Options:
    """Return the options for a walk that goes on behind what was given."""
    endpoint, options, first = state.reader.endpoint, state.reader.filters, state.first
    ids = state.yielded or []
    place = endpoint.revision, first, state.position, ids, len(ids)
    checkpoint = Checkpoint(endpoint.service, filters_of(options), *place)
    page, size = checkpoint.page, first.limit
    return evolve(options, page=page, per_page=size, _checkpoint=checkpoint)


def checkpoint_of(options: Options, service: str) -> Checkpoint | None:
    """Return the checkpoint that options go on from; raise if it is of another list."""
    checkpoint = options._checkpoint  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - not for users
    if not isinstance(checkpoint, Checkpoint):
        return None
    if checkpoint.service != service:
        raise InvalidRequestError(
            "`resume` belongs to another service: it was made with another base URL or "
            "API key. Use a session that has those, or list from the start, without it"
        )
    wanted = {"page": checkpoint.page, **checkpoint.filters}
    found = {"page": options.page, **filters_of(options)}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise InvalidRequestError(
                f"{name}: `resume` goes on with the list that it comes from, and can't "
                f"be used with another {name}. Pass it as it is, or make new options"
            )
    return checkpoint


def write(options: Options) -> str:
    """Write options as text; equal options give equal text."""
    checkpoint: Any = options._checkpoint  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - not for users
    if checkpoint is not None:
        checkpoint = evolve(checkpoint, yielded=checkpoint.ids())
    content = {
        "format": _FORMAT,
        "place": {"page": options.page, "per_page": options.per_page},
        "filters": filters_of(options),
        "checkpoint": _converter().unstructure(checkpoint),
    }
    return _signed(content)


def read(text: str) -> Options:
    """Read options from text that `write` wrote, perhaps sorted by a database."""
    with suppress(*_UNFIT, RecursionError):
        document = _verified(text)
        stored = document["checkpoint"]
        if stored is not None:
            stored = _converter().structure(stored, Checkpoint)
            _expect(stored.count == len(stored.yielded))
            _check(stored.position, stored.first)
        filters = document["filters"]
        options = Options(**document["place"], **filters, _checkpoint=stored)
        # Nothing was added, left out or converted: it is written in the same way.
        _expect(_json(_verified(write(options))) == _json(document))
        return options
    raise InvalidRequestError(
        "from_json: expected the text that to_json() wrote, got something else: pass "
        "that text, whole and unchanged, to the version of wacht that wrote it, or "
        "list from the start, without this text"
    )


def _signed(content: dict[str, Any]) -> str:
    """Write a document as JSON with a checksum."""
    return _json({**content, "checksum": _checksum(content)})


def _verified(text: object) -> dict[str, Any]:
    """Return the document that `_signed` wrote; raise if it is any other text."""
    _expect(isinstance(text, str))
    document = {**json.loads(str(text))}
    _expect(document.pop("checksum") == _checksum(document))
    return document


def _checksum(content: object) -> str:
    return sha256(_json(content).encode()).hexdigest()


def _json(document: object) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def _check(position: Position, first: Window) -> None:
    """Raise a `ValueError` if the numbers of a stored place make no sense."""
    coverage = position.coverage
    _expect(first.offset >= 0)
    _expect(0 < first.limit <= MAX_PER_PAGE)
    _expect(0 <= position.end <= _MAX_NUMBER)
    _expect(abs(position.shift) <= _MAX_NUMBER)
    _expect(0 <= position.size <= MAX_PER_PAGE)
    _expect(0 <= position.extra_overlap <= MAX_EXTRA_OVERLAP)
    if not position.begun:
        _expect(position == Position(first.offset))
    elif coverage:
        _expect(coverage.sort_time in [it.sort_time for it in REVISIONS.values()])
        _expect(not (position.ended or position.reason))
        _expect(0 <= coverage.ties_at_end <= MAX_CONTEXTS)
        _expect(END <= coverage.mark.time < UNDATED)
        _expect(END <= coverage.covered_until <= UNDATED)
        _expect(END < (coverage.ambiguous_time or 0) <= UNDATED)


def _expect(makes_sense: bool) -> None:  # noqa: FBT001 - as assert, which -O removes
    if not makes_sense:
        raise ValueError


@cache
def _converter() -> Converter:
    """Make what converts a checkpoint, by the annotations of its classes."""
    from cattrs import Converter  # noqa: PLC0415 - most walks need no text

    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(
        Revision,
        lambda it, _: evolve(REVISIONS[it["name"]], echoes=it["echoes"] is True),
    )
    converter.register_unstructure_hook(
        Revision, lambda it: {"name": it.name, "echoes": it.echoes}
    )
    return converter
