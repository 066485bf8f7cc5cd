"""The sandbox: its answers, its contexts, and how these change."""

import json
import re
from collections import Counter, UserDict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from wacht._contexts import OFFSET_FIELDS, PAGE_FIELDS
from wacht.sandbox import Changes, faults
from wacht.sandbox.data import REFERENCE, make_contexts, make_page_contexts
from wacht.sandbox.server import Pause, Response
from wacht.sandbox.service import (
    Limits,
    SandboxRevision,
    check_host,
    check_key,
    listing,
    time_of,
)

CONTEXTS = [
    {
        "id": str(number),
        "agent_id": "ab"[number % 2],
        "workflow_id": "xyz"[number % 3],
        "status": ("idle", "failed")[number % 2],
        "context_group": "gh"[number // 125],
    }
    for number in range(250)
]
OFFSET: list[SandboxRevision] = ["offset", "offset-without-echo"]
H_FAILED = range(125, 225, 2)
TEXT = {"Content-Type": "text/plain; charset=utf-8"}


def _ask(
    revision: SandboxRevision,
    query: dict[str, str],
    contexts: Sequence[Mapping[str, Any]] = CONTEXTS,
) -> dict[str, Any]:
    answer = listing(revision, contexts, query)
    assert answer.status == 200
    assert answer.headers == {"Content-Type": "application/json"}
    page: dict[str, Any] = json.loads(answer.body)
    return page


def _numbers(page: dict[str, Any]) -> list[int]:
    return [int(context["id"]) for context in page["data"]]


@pytest.mark.parametrize(
    ("revisions", "query", "expected", "has_more"),
    [
        (["page"], {}, range(20), True),
        (["page"], {"page": "0"}, range(20), True),
        (["page"], {"page": "13"}, range(240, 250), False),
        (["page"], {"page": "14"}, range(0), False),
        (["page"], {"page": "9" * 18}, range(0), False),
        (["page"], {"per_page": "101"}, range(100), True),
        (["page"], {"per_page": "0"}, range(1), True),
        (["page"], {"page": "5", "per_page": "50"}, range(200, 250), False),
        (["page"], {"agent_id": "a", "page": "2"}, range(40, 80, 2), True),
        (["page"], {"agent_id": "a", "workflow_id": "y"}, range(4, 124, 6), True),
        (["page"], {"limit": "7", "offset": "9", "status": "idle"}, range(20), True),
        (OFFSET, {}, range(50), True),
        (OFFSET, {"limit": "101"}, range(100), True),
        (OFFSET, {"limit": "0"}, range(1), True),
        (OFFSET, {"offset": "250"}, range(0), False),
        (OFFSET, {"limit": "3", "offset": "4"}, range(4, 7), True),
        (OFFSET, {"status": "failed", "context_group": "h"}, H_FAILED, True),
        (OFFSET, {"page": "2", "agent_id": "a", "x": "y"}, range(50), True),
    ],
)
def test_listing__query(
    revisions: list[SandboxRevision],
    query: dict[str, str],
    expected: range,
    *,
    has_more: bool,
) -> None:
    for revision in revisions:
        page = _ask(revision, query)
        assert set(page) - {"limit", "offset"} == {"data", "has_more"}
        assert (_numbers(page), page["has_more"]) == (list(expected), has_more)


def test_offset_revision__echo() -> None:
    page = _ask("offset", {"limit": "500", "offset": "200"})
    assert (page["limit"], page["offset"]) == (100, 200)
    assert {*_ask("offset-without-echo", {})} == {*_ask("page", {})}


@pytest.mark.parametrize("revision", ["page", *OFFSET])
def test_order__of_activity(revision: SandboxRevision) -> None:
    times = [
        None,
        "2026-01-01t11:59:60.5z",
        "not a time",
        "2026-01-01T14:00:01+02:00",
        "2026-01-01T12:00:00.500000Z",
        7,
        "2026-01-01T12:00:00.75",
    ]
    contexts = [{"id": str(i), "last_activity_at": at} for i, at in enumerate(times)]
    page = _ask(revision, {}, [*contexts, {"id": "7"}])
    expected = range(8) if revision == "page" else [0, 2, 5, 6, 7, 3, 4, 1]
    assert _numbers(page) == list(expected)


@pytest.mark.parametrize("key", ["page", "per_page", "limit", "offset"])
@pytest.mark.parametrize("value", ["", "abc", "-1", "+1", "1.5", " 1", "٣", "9" * 5000])
def test_number__unreadable(key: str, value: str) -> None:
    expected = f"Failed to deserialize query string: {key}: invalid digit found"
    answer = listing("page" if "page" in key else "offset", CONTEXTS, {key: value})
    assert answer == Response(400, f"{expected} in string".encode(), TEXT)


def test_listing__contexts_of_the_caller() -> None:
    contexts = [
        UserDict(id="1", title="Rückfrage \ud800"),
        {"id": "2", "agent_id": "a"},
    ]
    answer = listing("page", contexts, {"per_page": "1"})
    assert "Rückfrage \\ud800" in answer.body.decode()
    assert json.loads(answer.body)["data"] == [{"id": "1", "title": "Rückfrage \ud800"}]
    contexts += [{"id": "3", "agent_id": ["a"]}, {"id": "4", "agent_id": 5}]
    for wanted, numbers in {"a": [2], "5": [4], "['a']": []}.items():  # as we read them
        assert _numbers(_ask("page", {"agent_id": wanted}, contexts)) == numbers


def test_check_host__only_this_machine() -> None:
    for host in ("localhost", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080"):
        assert check_host(host) is None
    strange = ("rebound.example:8080", "127.0.0.1.rebound.example", "192.168.0.1")
    for host in (*strange, "", "["):
        answer = check_host(host)
        assert answer.status == 403


def test_check_key__rejected() -> None:
    malformed = Response(401, b"Authorization header must be Bearer token", TEXT)
    for credentials in ("", "Bearer", "key", "Basic key"):
        assert check_key(credentials, "key") == malformed
    unknown = Response(401, b"Authentication failed: unknown API key", TEXT)
    assert check_key("Bearer key2", "key") == unknown


@pytest.mark.parametrize(
    ("limits", "times", "accepted"),
    [
        ((None, 2**63), [0.0] * 100, [1] * 100),
        ((2, None), [0.0, 0.5, 0.9, 1.0, 1.25, 1.5], [1, 1, 0, 1, 0, 1]),
        ((2, 3), [0.0, 0.5, 0.6, 10.0, 20.0, 59.9, 60.0], [1, 1, 0, 1, 0, 0, 1]),
    ],
    ids=["none", "second", "both"],
)
def test_limits__windows(
    limits: tuple[Any, Any], times: list[float], accepted: list[int]
) -> None:
    windows = Limits(*limits)
    assert [windows.admit(now) is None for now in times] == accepted


def test_limits__retry_after() -> None:
    limits = Limits(None, 1)
    limits.count(0.0)
    for now, seconds in (0.0, 60), (0.5, 60), (1.0, 59), (59.999, 1):
        text = f"Rate limit exceeded. Retry after {seconds} seconds"
        assert limits.admit(now) == Response(429, text.encode(), TEXT)


ANSWER = Response(200, b"12345678", {"Content-Type": "text/plain"})
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\n"


def test_answer__may_say_how_its_body_is_framed() -> None:
    for own in ({"content-length": "9"}, {"TRANSFER-ENCODING": "chunked"}):
        assert b"Content-Length" not in Response(599, b"x", own).head


def test_scripts__pauses() -> None:
    steps = [HEAD + b"1234", Pause(7), b"5678"]
    assert list(faults._interrupted(ANSWER, "body", Pause(7))) == steps
    head = [step for byte in HEAD for step in (Pause(0.5), bytes([byte]))]
    assert list(faults._trickled(ANSWER, "headers", 0.5)) == [*head, b"12345678"]
    assert list(faults._trickled(ANSWER, "body", 0.5))[:2] == [HEAD, Pause(0.5)]


def test_answer__headers_beside_json() -> None:
    queue = faults.Faults()
    queue.answer(503, {"a": [1]}, headers={"Retry-After": "2"})
    headers = {"Content-Type": "application/json", "Retry-After": "2"}
    fault = faults.whole, Response(503, b'{"a":[1]}', headers)
    assert queue._next_fault() == fault


MADE = make_contexts(250)


def _values(field: str) -> list[Any]:
    return [context[field] for context in MADE if field in context]


def test_make_contexts__same_at_every_run() -> None:
    ids = _values("id")
    assert make_contexts(250) == MADE
    assert ids[0] == "1433106720158121984"
    assert len({*ids}) == len(MADE) == 250
    assert all(2**53 < int(id_) < 2**63 for id_ in ids)
    assert {*map(type, _values("parent_context_id"))} == {int, type(None)}


def test_make_contexts__newest_activity_first() -> None:
    active = [datetime.fromisoformat(c["last_activity_at"]) for c in MADE]
    created = [datetime.fromisoformat(c["created_at"]) for c in MADE]
    assert active == sorted(active, reverse=True)
    assert created != sorted(created, reverse=True)
    assert all(map(datetime.__lt__, created, active))
    assert set().union(*MADE) == {*OFFSET_FIELDS}


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
    ended = {c["status"] for c in MADE if c["completed_at"] is not None}
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
