"""How far a walk came, and its text: what another walk needs to go on from there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Any, Self

from attrs import evolve, field, frozen, resolve_types

from wacht._contexts import (
    FILTERS,
    MAX_PAGE,
    MAX_PER_PAGE,
    OFFSET_SORT_TIME,
    PAGE_SORT_TIME,
    SortTime,
)
from wacht._protocol.decoding import MAX_CONTEXTS
from wacht._protocol.revisions import REVISIONS, Revision, filters_of
from wacht._protocol.windows import Window
from wacht._text import safe_repr
from wacht.errors import InvalidRequestError
from wacht.models import ListExecutionContextsOptions as Options

from .coverage import BEFORE_ALL, UNDATED, Coverage, Mark, microseconds
from .position import MAX_EXTRA_OVERLAP, Position

if TYPE_CHECKING:
    from cattrs import Converter

    from .state import State

_FORMAT = 3  # another number for each change that a reader of the text would notice
# What cattrs and the options raise for a document that doesn't fit.
_UNFIT = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_MAX_NUMBER = MAX_PAGE * MAX_PER_PAGE
_LAST = microseconds(datetime.max.replace(tzinfo=UTC))
_SORT_TIMES = {known.field: known for known in (PAGE_SORT_TIME, OFFSET_SORT_TIME)}


@frozen
class Checkpoint:
    """What was handed to the user so far: ids, times and numbers, never a context."""

    service: str  # a digest that tells it, see `Endpoint`
    filters: dict[str, str]
    revision: Revision | None  # None as long as it isn't known
    first: Window
    position: Position
    yielded: Iterable[str] = field(repr=False)  # the walk goes on adding to it
    count: int  # how many of them had been given at this point

    @classmethod
    def of(cls, state: State, service: str, options: Options) -> Checkpoint:
        place = state.reader.known_revision, state.first, state.position
        ids = state.yielded or {}
        return cls(service, filters_of(options), *place, ids, len(ids))

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        values = (self.service, self.filters, self.revision, self.first, self.position)
        return type(self), (*values, self.ids(), self.count)

    def ids(self) -> dict[str, None]:
        """Return the ids that had been given, in order."""
        return dict.fromkeys(islice(self.yielded, self.count))

    @property
    def page(self) -> int:
        """The number of the page in which the walk ended."""
        return min(self.position.end // self.first.limit + 1, MAX_PAGE)

    def options(self, options: Options) -> Options:
        """Return the options for a walk that goes on from here."""
        size = self.first.limit
        return evolve(options, page=self.page, per_page=size, _checkpoint=self)


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

    @property
    def is_begun(self) -> bool:
        """Whether a run doesn't read everything from the top."""
        return self.position.begun or self.floor != Mark()

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
            _expect(
                _json(_converter().unstructure(copy)) == _json(document) or not is_same
            )
            _check(Window(0, MAX_PER_PAGE), copy.revision, copy.position)
            _expect(copy.floor.time < UNDATED and 0 <= copy.started_at < _LAST)
            if (copy.service, copy.filters) == (service, filters):
                return copy
            differs = "service" if copy.service != service else "list, by its filters"
            what = f"this state is of another {differs}"
        raise InvalidRequestError(f"state: {what}. Begin with state=None")


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
    checkpoint = options._checkpoint  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - not for users
    content = {
        "place": {"page": options.page, "per_page": options.per_page},
        "filters": filters_of(options),
        "checkpoint": _converter().unstructure(checkpoint),
    }
    return _signed({"format": _FORMAT, **content})


def read(text: str) -> Options:
    """
    Read options from text that `write` wrote, perhaps spaced or sorted by a database.

    Raises:
        InvalidRequestError: It is any other text.

    """
    document = _verified(text)
    number = document.get("format")
    if type(number) is int and number != _FORMAT:
        raise InvalidRequestError(
            f"from_json: the text has the unknown format {safe_repr(number)}: read it "
            "with the version of wacht that wrote it, or list from the start, without "
            "this text"
        )
    with suppress(*_UNFIT, RecursionError):
        return _options(document)
    raise InvalidRequestError(
        "from_json: expected the text that to_json() wrote, got something else: pass "
        "that text, whole and unchanged, or list from the start, without this text"
    )


def _options(document: dict[str, Any]) -> Options:
    stored: Any = document["checkpoint"]
    if stored is not None:
        stored = _converter().structure(stored, Checkpoint)
        _check(stored.first, stored.revision, stored.position)
    filters = {n: FILTERS[n].value(t) for n, t in document["filters"].items()}
    options = Options(**document["place"], **filters, _checkpoint=stored)
    # Nothing was added, left out or converted: it is written in the same way.
    _expect(_json(_verified(write(options))) == _json(document))
    return options


def _signed(content: dict[str, Any]) -> str:
    """Write a document as JSON with a checksum."""
    return _json({**content, "checksum": _checksum(content)})


def _verified(text: object) -> dict[str, Any]:
    """Return the document that `_signed` wrote; {} if it is any other text."""
    with suppress(RecursionError, TypeError, ValueError):
        document = {**json.loads(text)} if isinstance(text, str) else {}
        if document.pop("checksum", None) == _checksum(document):
            return document
    return {}


def _checksum(content: object) -> str:
    return sha256(_json(content).encode()).hexdigest()


def _json(document: object) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def _check(first: Window, revision: Revision | None, position: Position) -> None:
    """Raise a `ValueError` if the numbers of a stored place make no sense."""
    coverage = position.coverage
    _expect(first.offset >= 0)
    _expect(0 < first.limit <= MAX_PER_PAGE)
    _expect(0 <= position.end <= _MAX_NUMBER)
    _expect(abs(position.shift) <= _MAX_NUMBER)
    _expect(0 <= position.extra_overlap <= MAX_EXTRA_OVERLAP)
    if not position.begun:
        fresh = Position(first.offset, extra_overlap=position.extra_overlap)
        _expect(evolve(position, coverage=None) in (fresh, Position()))
        _expect(coverage in (None, *map(Coverage, _SORT_TIMES.values())))
        return
    _expect(not (coverage and (position.ended or position.reason)))
    if coverage and revision:
        _expect(coverage.sort_time == revision.sort_time)
        _expect(0 <= coverage.ties_at_end <= MAX_CONTEXTS)
        _expect(coverage.mark.time < UNDATED and coverage.covered_until < inf)
        _expect(coverage.ambiguous_time not in (inf, -inf))


def _expect(makes_sense: bool) -> None:  # noqa: FBT001 - as assert, which -O removes
    if not makes_sense:
        raise ValueError


@cache
def _converter() -> Converter:
    """Make what converts a checkpoint, by the annotations of its classes."""
    from cattrs import Converter  # noqa: PLC0415 - most walks need no text
    from cattrs.gen import make_dict_unstructure_fn  # noqa: PLC0415

    classes = (Revision, Window, Position, Coverage, Mark, SortTime, Checkpoint, Copy)
    names = {cls.__name__: cls for cls in classes}
    for cls in classes:
        resolve_types(cls, localns={"Iterable": Iterable, **names})
    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(float, _time)
    converter.register_unstructure_hook(
        float, lambda time: time if isinstance(time, int) else str(time)
    )
    converter.register_structure_hook(SortTime, lambda name, _: _SORT_TIMES[name])
    converter.register_unstructure_hook(SortTime, lambda sort_time: sort_time.field)
    converter.register_structure_hook(
        Revision,
        lambda it, _: evolve(REVISIONS[it["name"]], echoes=it["echoes"] is True),
    )
    converter.register_unstructure_hook(
        Revision, lambda it: {"name": it.name, "echoes": it.echoes}
    )
    converter.register_structure_hook_func(
        lambda kind: kind == Iterable[str],
        lambda ids, _: dict.fromkeys(converter.structure(ids, list[str])),
    )
    write_checkpoint = make_dict_unstructure_fn(Checkpoint, converter)
    converter.register_unstructure_hook(
        Checkpoint, lambda it: write_checkpoint(evolve(it, yielded=[*it.ids()]))
    )
    return converter


def _time(value: Any, _type: object) -> Any:
    """Return a time in microseconds; JSON has no infinite numbers."""
    if value in ("inf", "-inf"):
        return float(value)
    _expect(type(value) is int and (value == UNDATED or BEFORE_ALL <= value <= _LAST))
    return value
