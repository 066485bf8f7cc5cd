"""The invented contexts are realistic and the same at every run."""

import re
from collections import Counter
from datetime import datetime
from typing import Any

from wacht.sandbox.data import make_contexts

TIME = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(?P<digits>\d{1,9}))?(?P<zone>Z|[+-]\d\d:\d\d)"
)


CONTEXTS = make_contexts(250, all_fields=True)


def _values(field: str) -> list[Any]:
    return [context[field] for context in CONTEXTS if field in context]


def test_make_contexts__same_at_every_run() -> None:
    first, *_ = contexts = make_contexts(30, all_fields=True)
    assert contexts == make_contexts(30, all_fields=True)
    assert first["id"] == "1433470680879333376"
    assert first["created_at"] == "2025-10-30T15:00:42.91Z"


def test_make_contexts__ids() -> None:
    ids = {context["id"] for context in CONTEXTS}
    assert len(ids) == len(CONTEXTS) == 250
    assert all(2**53 < int(id_) < 2**63 for id_ in ids)
    assert {*map(type, _values("parent_context_id"))} == {int, type(None)}
    assert make_contexts(0, all_fields=True) == []


def test_make_contexts__newest_activity_first() -> None:
    active = [datetime.fromisoformat(c["last_activity_at"]) for c in CONTEXTS]
    created = [datetime.fromisoformat(c["created_at"]) for c in CONTEXTS]
    assert active == sorted(active, reverse=True)
    assert created != sorted(created, reverse=True)
    assert all(map(datetime.__lt__, created, active))


def test_make_contexts__times_in_every_form() -> None:
    times = [match for v in _values("created_at") if (match := TIME.fullmatch(v))]
    assert len(times) == 250
    assert {len(time["digits"] or "") for time in times} == set(range(10))
    assert {time["zone"] for time in times} == {"Z", "+02:00", "+05:30", "-03:30"}


def test_make_contexts__something_to_filter_by() -> None:
    assert None in _values("title")
    assert min(Counter(_values("agent_id")).values()) > 20
    statuses = {"idle", "running", "waiting_for_input", "interrupted"}
    assert set(_values("status")) == statuses | {"completed", "failed"}
    ended = {c["status"] for c in CONTEXTS if c["completed_at"] is not None}
    assert ended == {"completed", "failed"}
