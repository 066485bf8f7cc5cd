"""The invented contexts are realistic, the same at every run, and change as asked."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from wacht._contexts import OFFSET_FIELDS, PAGE_FIELDS
from wacht.sandbox import Changes
from wacht.sandbox.data import REFERENCE, make_contexts, make_page_contexts
from wacht.sandbox.service import time_of

CONTEXTS = make_contexts(250)


def _values(field: str) -> list[Any]:
    return [context[field] for context in CONTEXTS if field in context]


def test_make_contexts__same_at_every_run() -> None:
    ids = _values("id")
    assert make_contexts(250) == CONTEXTS
    assert ids[0] == "1433106720158121984"
    assert len({*ids}) == len(CONTEXTS) == 250
    assert all(2**53 < int(id_) < 2**63 for id_ in ids)
    assert {*map(type, _values("parent_context_id"))} == {int, type(None)}


def test_make_contexts__newest_activity_first() -> None:
    active = [datetime.fromisoformat(c["last_activity_at"]) for c in CONTEXTS]
    created = [datetime.fromisoformat(c["created_at"]) for c in CONTEXTS]
    assert active == sorted(active, reverse=True)
    assert created != sorted(created, reverse=True)
    assert all(map(datetime.__lt__, created, active))
    assert set().union(*CONTEXTS) == {*OFFSET_FIELDS}


def test_make_contexts__recent_but_not_in_the_future() -> None:
    assert timedelta(hours=1) <= datetime.now(UTC) - REFERENCE < timedelta(days=1)
    ages = [REFERENCE - datetime.fromisoformat(v) for v in _values("created_at")]
    assert sum(age < timedelta(days=2) for age in ages) > 20


def test_make_page_contexts__newest_first() -> None:
    contexts = make_page_contexts(250)
    created = [datetime.fromisoformat(context["created_at"]) for context in contexts]
    assert created == sorted(created, reverse=True)
    assert set().union(*contexts) == {*PAGE_FIELDS}
    assert {context["id"] for context in contexts} == {*_values("id")}


def test_make_contexts__times_in_every_form() -> None:
    times = _values("created_at")
    fractions = [len(found[1]) for v in times if (found := re.search(r"\.(\d+)", v))]
    assert set(fractions) == set(range(1, 10))
    assert len(fractions) < len(times)
    zones = {time[-6:] for time in times if time[-1] != "Z"}
    assert zones == {"+02:00", "+05:30", "-03:30"}


def test_make_contexts__something_to_filter_by() -> None:
    assert None in _values("title")
    agents = [context["agent_id"] for context in make_page_contexts(250)]
    assert min(Counter(agents).values()) > 20
    assert min(Counter(_values("context_group")).values()) > 20
    statuses = {"idle", "running", "waiting_for_input", "interrupted"}
    assert set(_values("status")) == statuses | {"completed", "failed"}
    ended = {c["status"] for c in CONTEXTS if c["completed_at"] is not None}
    assert ended == {"completed", "failed"}


def _ids(contexts: list[Any]) -> list[str]:
    return [context["id"] for context in contexts]


def _changed(changes: Changes, *, times: int = 1) -> list[Any]:
    contexts: list[Any] = [*ORIGINAL]
    for _ in range(times):
        changes(contexts)
    return contexts


ORIGINAL = make_contexts(100)


def test_changes__active() -> None:
    contexts = _changed(Changes(active=2), times=50)
    assert sorted(_ids(contexts)) == sorted(_ids(ORIGINAL))
    times = [time_of(context, "last_activity_at") for context in contexts]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) == 100
    stayed = [context for context in contexts if context in ORIGINAL]
    assert 0 < len(stayed) < 60
    assert contexts[-len(stayed) :] == [c for c in ORIGINAL if c in stayed]


def test_changes__added() -> None:
    contexts = _changed(Changes(added=2), times=50)
    assert contexts[100:] == ORIGINAL
    assert all("status" in context for context in contexts)  # filters find them
    assert len(set(_ids(contexts))) == 200
    times = [time_of(context, "last_activity_at") for context in contexts]
    assert times == sorted(times, reverse=True)


def test_changes__removed() -> None:
    contexts = _changed(Changes(removed=3), times=10)
    assert contexts == [c for c in ORIGINAL if c in contexts]
    assert len(contexts) == 70
    assert _changed(Changes(removed=3, active=1), times=50) == []
    [new] = _changed(Changes(removed=150, added=1))  # the list had times of activity
    assert set(new) == {"id", "created_at", "last_activity_at"}


def test_changes__page_revision() -> None:
    """Its contexts don't show activity; new ones show that they are the newest."""
    empty: list[Any] = []
    Changes(active=1, added=1, removed=1)(empty)
    assert set(empty[0]) == {"id", "created_at"}
    original: list[Any] = make_page_contexts(100)
    contexts = original.copy()
    for _ in range(2):
        Changes(active=1, added=2)(contexts)
    assert contexts[4:] == original
    assert "last_activity_at" not in set().union(*contexts)
    times = [time_of(context, "created_at") for context in contexts]
    assert times == sorted(times, reverse=True)
    assert len(set(times[:5])) == 5


def test_changes__seed() -> None:
    lists = [_changed(Changes(active=2, removed=1, seed=seed)) for seed in (1, 1, 2)]
    assert lists[0] == lists[1] != lists[2]
