"""Options as text: what comes back, and what is refused."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from attrs import evolve, fields
from hypothesis import assume, example, given, strategies as st

from tests import strategies as our
from tests.model import REVISIONS
from wacht import InvalidRequestError, ListExecutionContextsOptions
from wacht._contexts import PAGE_SORT_TIMES, SortTime
from wacht._pagination import options_text
from wacht._pagination.checkpoint import Checkpoint
from wacht._pagination.coverage import Coverage
from wacht._pagination.next_window import Position
from wacht._protocol.windows import Window

Options = ListExecutionContextsOptions
FOREIGN = (
    "from_json: expected the text that to_json() wrote, got something else: pass that "
    "text, whole and unchanged, or list from the start, without this text"
)


st.register_type_strategy(SortTime, st.sampled_from(PAGE_SORT_TIMES))
st.register_type_strategy(float, st.integers() | st.floats(allow_nan=False))
options_text._converter()  # resolves the annotations that are drawn from


def any_of(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Any values of the types that a class names."""
    strategies = {field.name: st.from_type(field.type) for field in fields(kind)}
    return st.builds(kind, **strategies)


st.register_type_strategy(Coverage, any_of(Coverage))


def refusal_of(text: Any) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        Options.from_json(text)
    assert caught.value.__cause__ is caught.value.__context__ is None
    return str(caught.value)


@st.composite
def in_a_walk(draw: st.DrawFn) -> Options:
    """Options with a checkpoint; its fields have any values of their types."""
    given = dict.fromkeys(draw(st.lists(our.texts, unique=True, max_size=9)))
    checkpoint = Checkpoint(
        service=draw(our.texts),
        filters=draw(st.dictionaries(our.texts, our.texts, max_size=2)),
        revision=draw(st.sampled_from([None, *REVISIONS.values()])),
        first=draw(any_of(Window)),
        position=draw(any_of(Position)),
        yielded=given,
        count=draw(st.integers(0, len(given))),
    )
    return evolve(draw(our.options()), _checkpoint=checkpoint)


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


@given(our.options() | in_a_walk())
def test_options__come_back(options: Any) -> None:
    """The place in a walk too, even if a database spaced and sorted the text."""
    text = options.to_json()
    document = json.loads(text, parse_constant=refuse)
    stored = dict(sorted(document.items(), reverse=True))
    got: Any = Options.from_json(json.dumps(stored, indent=2))
    assert got == options
    assert got.to_json() == text
    if options._checkpoint:
        kept = evolve(options._checkpoint, yielded=options._checkpoint.ids())
        assert got._checkpoint == kept
        assert [*got._checkpoint.ids()] == [*kept.yielded]


@given(st.text() | our.json_values().map(json.dumps) | st.binary() | st.none())
@example("[" * 100_000)
@example("1" * 5000)
@example('{"format": NaN}')
@example('{"format": true}')
def test_from_json__anything_else(text: object) -> None:
    assert refusal_of(text) == FOREIGN


def test_from_json__of_another_version() -> None:
    text = Options().to_json().replace('"format":2', '"format":1')
    assert refusal_of(text) == (
        "from_json: the text has the unknown format 1: read it with the version of "
        "wacht that wrote it, or list from the start, without this text"
    )


def signed(document: dict[str, Any]) -> str:
    """Give a document the checksum that fits."""
    content = {name: document.get(name) for name in ("place", "filters", "checkpoint")}
    return options_text._json({**document, "checksum": options_text._checksum(content)})


def paths(value: Any) -> list[tuple[Any, ...]]:
    """Return where each value is in a JSON document."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return [()]
    inner = [(key, *path) for key, member in value.items() for path in paths(member)]
    return [(), *inner]


@given(in_a_walk(), our.json_values(), st.data(), st.booleans())
def test_from_json__another_value(
    options: Options, value: Any, data: st.DataObject, fits: bool
) -> None:
    """Nothing is converted, added or left out, even if the checksum fits."""
    root = {"": json.loads(options.to_json())}
    *path, last = "", *data.draw(st.sampled_from(paths(root[""])))
    place: Any = root
    for key in path:
        place = place[key]
    assume(repr(place[last]) != repr(value))
    place[last] = value
    document = root[""]
    fits = fits and isinstance(document, dict)
    text = signed(document) if fits else json.dumps(document)
    with suppress(InvalidRequestError):
        assert Options.from_json(text).to_json() == text
        assert fits


@given(in_a_walk(), st.data())
def test_from_json__cut_or_misspelt(options: Options, data: st.DataObject) -> None:
    text = options.to_json()
    place = data.draw(st.integers(0, len(text) - 1))
    assert refusal_of(text[:place]) == FOREIGN
    other = data.draw(st.characters().filter(lambda c: c != text[place]))
    with suppress(InvalidRequestError):
        got = Options.from_json(text[:place] + other + text[place + 1 :])
        assert got.to_json() == text
