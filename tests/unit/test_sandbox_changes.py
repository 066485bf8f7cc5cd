"""The changes of a list that moves while a client reads it."""

from typing import Any

from wacht.sandbox import Changes
from wacht.sandbox.data import make_contexts, make_page_contexts
from wacht.sandbox.service import time_of


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
