"""The contexts that the sandbox invents: the same at every run, and believable."""

import re
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from wacht.sandbox.data import REFERENCE, make_contexts

STAMP = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(?P<digits>\d{1,9}))?(?P<zone>Z|[+-]\d\d:\d\d)"
)


@pytest.fixture(scope="module")
def contexts() -> list[dict[str, Any]]:
    return make_contexts(250, whole=True)


def _values(contexts: list[dict[str, Any]], field: str) -> list[Any]:
    return [context[field] for context in contexts if field in context]


def test_make_contexts__same_at_every_run() -> None:
    """Two runs invent the same contexts, on every version of Python."""
    first, *_ = contexts = make_contexts(30, whole=True)
    assert contexts == make_contexts(30, whole=True)
    assert first["id"] == "1433470680879333376"
    assert first["created_at"] == "2025-10-30T15:00:42.91Z"


@pytest.mark.parametrize("count", [0, 1, 7, 1000])
def test_make_contexts__as_many_as_asked_for(count: int) -> None:
    """The count is the count, and no two contexts share an id."""
    contexts = make_contexts(count, whole=True)
    assert len({context["id"] for context in contexts}) == len(contexts) == count


def test_make_contexts__ids_are_snowflakes_written_as_strings(
    contexts: list[dict[str, Any]],
) -> None:
    """Ids are strings of 64-bit numbers too large for a float."""
    numbers = [int(value) for value in _values(contexts, "id")]
    assert all(2**53 < number < 2**63 for number in numbers)


def test_make_contexts__parent_is_a_number(contexts: list[dict[str, Any]]) -> None:
    """The parent's id is a number or null, where other ids are strings."""
    kinds = {type(value) for value in _values(contexts, "parent_context_id")}
    assert kinds == {int, type(None)}


def test_make_contexts__newest_activity_first(contexts: list[dict[str, Any]]) -> None:
    """The order is that of the service, and creation alone doesn't give it."""
    active = [datetime.fromisoformat(c["last_activity_at"]) for c in contexts]
    created = [datetime.fromisoformat(c["created_at"]) for c in contexts]
    assert active == sorted(active, reverse=True)
    assert created != sorted(created, reverse=True)
    assert all(map(datetime.__lt__, created, active))


def test_make_contexts__spread_over_weeks(contexts: list[dict[str, Any]]) -> None:
    """The times count back from a fixed moment, over several weeks."""
    times = [datetime.fromisoformat(value) for value in _values(contexts, "created_at")]
    assert max(times) < REFERENCE
    assert timedelta(weeks=4) < max(times) - min(times) < timedelta(weeks=8)


def test_make_contexts__times_in_every_form(contexts: list[dict[str, Any]]) -> None:
    """Fractions have 0 to 9 digits, and zones are Z or an offset."""
    values = _values(contexts, "created_at")
    stamps = [stamp for value in values if (stamp := STAMP.fullmatch(value))]
    assert len(stamps) == len(values)
    assert {len(stamp["digits"] or "") for stamp in stamps} == set(range(10))
    assert {stamp["zone"] for stamp in stamps} == {"Z", "+02:00", "+05:30", "-03:30"}


def test_make_contexts__several_agents_and_workflows(
    contexts: list[dict[str, Any]],
) -> None:
    """There is something to filter by: each agent has enough for a page or more."""
    agents = Counter(_values(contexts, "agent_id"))
    workflows = set(_values(contexts, "workflow_id")) - {None}
    assert len(agents) == 4
    assert min(agents.values()) > 20
    assert len(workflows) > len(agents)


def test_make_contexts__every_status(contexts: list[dict[str, Any]]) -> None:
    """All the statuses of the service occur, and what ended has an end."""
    assert set(_values(contexts, "status")) == {
        "completed",
        "failed",
        "idle",
        "interrupted",
        "running",
        "waiting_for_input",
    }
    ended = {c["status"] for c in contexts if c["completed_at"] is not None}
    assert ended == {"completed", "failed"}


@pytest.mark.parametrize("field", ["workflow_id", "user_id", "session_id", "title"])
def test_make_contexts__fields_null_or_absent(
    contexts: list[dict[str, Any]], field: str
) -> None:
    """Some fields are null in some contexts, and absent from others."""
    values = _values(contexts, field)
    assert None in values
    assert len(values) < len(contexts)


def test_make_contexts__context_is_any_json(contexts: list[dict[str, Any]]) -> None:
    """What the caller stored is an object as a rule, and sometimes anything else."""
    kinds = Counter(type(value) for value in _values(contexts, "context"))
    assert set(kinds) == {dict, list, str, type(None)}
    assert kinds.most_common(1)[0][0] is dict


def test_make_contexts__page_revision_has_seven_fields(
    contexts: list[dict[str, Any]],
) -> None:
    """Without the whole, a context has the fields of the page revision alone."""
    fields = set().union(*make_contexts(250, whole=False))
    assert fields == {
        "id",
        "agent_id",
        "workflow_id",
        "user_id",
        "session_id",
        "context",
        "created_at",
    }
