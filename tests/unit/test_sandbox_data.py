"""The invented contexts are realistic and the same at every run."""

import re
from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from wacht.sandbox.data import make_contexts

STATUSES = "completed failed idle interrupted running waiting_for_input"
PAGE_FIELDS = "id agent_id workflow_id user_id session_id context created_at"
TIME = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(?P<digits>\d{1,9}))?(?P<zone>Z|[+-]\d\d:\d\d)"
)


@pytest.fixture(scope="module")
def contexts() -> list[dict[str, Any]]:
    return make_contexts(250, all_fields=True)


def _values(contexts: list[dict[str, Any]], field: str) -> list[Any]:
    return [context[field] for context in contexts if field in context]


def test_make_contexts__same_at_every_run() -> None:
    first, *_ = contexts = make_contexts(30, all_fields=True)
    assert contexts == make_contexts(30, all_fields=True)
    assert first["id"] == "1433470680879333376"
    assert first["created_at"] == "2025-10-30T15:00:42.91Z"


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_make_contexts__ids(count: int) -> None:
    contexts = make_contexts(count, all_fields=True)
    ids = {context["id"] for context in contexts}
    assert len(ids) == len(contexts) == count
    assert all(2**53 < int(id_) < 2**63 for id_ in ids)
    parents = {type(value) for value in _values(contexts, "parent_context_id")}
    assert parents <= {int, type(None)}


def test_make_contexts__newest_activity_first(contexts: list[dict[str, Any]]) -> None:
    active = [datetime.fromisoformat(c["last_activity_at"]) for c in contexts]
    created = [datetime.fromisoformat(c["created_at"]) for c in contexts]
    assert active == sorted(active, reverse=True)
    assert created != sorted(created, reverse=True)
    assert all(map(datetime.__lt__, created, active))


def test_make_contexts__times_in_every_form(contexts: list[dict[str, Any]]) -> None:
    values = _values(contexts, "created_at")
    times = [match for value in values if (match := TIME.fullmatch(value))]
    assert len(times) == len(values)
    assert {len(time["digits"] or "") for time in times} == set(range(10))
    assert {time["zone"] for time in times} == {"Z", "+02:00", "+05:30", "-03:30"}


def test_make_contexts__something_to_filter_by(contexts: list[dict[str, Any]]) -> None:
    assert min(Counter(_values(contexts, "agent_id")).values()) > 20
    assert set(_values(contexts, "status")) == set(STATUSES.split())
    ended = {c["status"] for c in contexts if c["completed_at"] is not None}
    assert ended == {"completed", "failed"}


def test_make_contexts__gaps(contexts: list[dict[str, Any]]) -> None:
    for field in ("workflow_id", "user_id", "session_id", "title"):
        assert None in _values(contexts, field)
        assert len(_values(contexts, field)) < len(contexts)
    kinds = Counter(type(value) for value in _values(contexts, "context"))
    assert set(kinds) == {dict, list, str, type(None)}
    assert kinds.most_common(1)[0][0] is dict


def test_make_contexts__fields_of_the_page_revision() -> None:
    fields = set().union(*make_contexts(250, all_fields=False))
    assert fields == set(PAGE_FIELDS.split())
