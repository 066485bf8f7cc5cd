"""How far a walk came, as text: what comes back, and what is refused."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from attrs import evolve
from hypothesis import assume, example, given, strategies as st

from tests import strategies as our
from tests.model import REVISIONS, known, walk_of
from wacht import InvalidRequestError, ListExecutionContextsOptions
from wacht._pagination import checkpoint as module
from wacht._pagination.checkpoint import Checkpoint
from wacht._pagination.coverage import END, UNDATED, Coverage, Mark
from wacht._pagination.position import Position
from wacht._protocol.windows import Window

Options = ListExecutionContextsOptions
FOREIGN = (
    "from_json: expected the text that to_json() wrote, got something else: pass that "
    "text, whole and unchanged, to the version of wacht that wrote it, or list from "
    "the start, without this text"
)


times = st.integers(0, 4 * 10**15) | st.just(END)
numbers = st.integers(0, 10**9)


@st.composite
def positions(draw: st.DrawFn, first: Window, revision: Any) -> Position:
    """Any positions that make sense."""
    extra, coverage = draw(st.integers(0, 16)), None
    if not draw(st.booleans()):
        return Position(first.offset)
    if revision and draw(st.booleans()):
        coverage = Coverage(
            revision.sort_time,
            covered_until=draw(times | st.just(UNDATED)),
            ties_at_end=draw(st.integers(0, 100)),
            mark=Mark(draw(times), draw(st.booleans())),
            ambiguous_time=draw(st.none() | numbers),
        )
    reason = "" if coverage else draw(our.texts)
    ended = coverage is None and draw(st.booleans())
    place = draw(numbers), draw(numbers), extra, coverage
    return Position(*place, begun=True, ended=ended, reason=reason)


def refusal_of(text: Any) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        Options.from_json(text)
    assert caught.value.__cause__ is caught.value.__context__ is None
    return str(caught.value)


@st.composite
def in_a_walk(draw: st.DrawFn) -> Options:
    """Options with a checkpoint."""
    first = Window(draw(numbers), draw(st.integers(1, 100)))
    revision = draw(st.sampled_from([None, *REVISIONS.values()]))
    given = draw(st.lists(our.texts, unique=True, max_size=9))
    checkpoint = Checkpoint(
        service=draw(our.texts),
        filters=draw(st.dictionaries(our.texts, our.texts, max_size=2)),
        revision=revision,
        first=first,
        position=draw(positions(first, revision)),
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


@given(st.text() | our.json_values().map(json.dumps) | st.binary() | st.none())
@example("[" * 100_000)
@example("1" * 5000)
@example('{"format": NaN}')
@example('{"format": true}')
def test_from_json__anything_else(text: object) -> None:
    assert refusal_of(text) == FOREIGN


def test_from_json__of_another_version() -> None:
    document = json.loads(Options().to_json())
    assert refusal_of(signed({**document, "format": 1})) == FOREIGN


def signed(document: dict[str, Any]) -> str:
    """Give a document the checksum that fits."""
    return module._signed({n: v for n, v in document.items() if n != "checksum"})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("first.limit", 0),
        ("first.limit", 101),
        ("first.offset", -100),
        ("position.end", -1),
        ("position.end", 10**40),
        ("position.begun", False),
        ("position.ended", True),
        ("position.reason", "none"),
        ("position.extra_overlap", 99),
        ("position.coverage.sort_time.field", "created_at"),
        ("position.coverage.covered_until", 10**18 + 1),
        ("position.coverage.ties_at_end", -5),
        ("position.coverage.ambiguous_time", END),
        ("position.coverage.mark.time", UNDATED),
        ("count", 99),
        ("yielded", "c1"),
    ],
)
def test_from_json__numbers_that_make_no_sense(path: str, value: object) -> None:
    """With the right checksum: anybody can compute it."""
    page = next(walk_of(known("offset", 250)).pages())
    document = json.loads(page.resume.to_json())
    assert Options.from_json(signed(document)) == page.resume
    *names, last = path.split(".")
    place = document["checkpoint"]
    for name in names:
        place = place[name]
    assert place[last] != value
    place[last] = value
    assert refusal_of(signed(document)) == FOREIGN


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
