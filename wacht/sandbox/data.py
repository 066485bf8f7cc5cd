"""
Invented contexts, realistic and the same at every run.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

import attrs

# All times count back from here, so that every run is the same.
REFERENCE = datetime(2025, 11, 3, 16, 20, tzinfo=UTC)

_HOURS = 6 * 7 * 24
_SATURDAY = 5
_LONGEST_LIFE_SECONDS = 5 * 24 * 60 * 60
_SNOWFLAKES_SINCE = datetime(2015, 1, 1, tzinfo=UTC)
_SEQUENCE_BITS = 22
_DEPLOYMENT_ID = "1260340761985941504"

_PAGE_FIELDS = (
    "id",
    "agent_id",
    "workflow_id",
    "user_id",
    "session_id",
    "context",
    "created_at",
)
_OFTEN_MISSING = ("workflow_id", "user_id", "session_id", "title", "context_group")
_STATUSES = {
    "completed": 12,
    "failed": 2,
    "idle": 4,
    "interrupted": 1,
    "running": 3,
    "waiting_for_input": 3,
}
_ENDED = ("completed", "failed")
_DIGITS = (0, 1, 2, 3, 3, 4, 5, 6, 6, 6, 6, 7, 8, 9, 9, 9)
_OFFSET_MINUTES = (*[0] * 12, 120, 330, -210)


@attrs.frozen
class _Agent:
    id: str
    workflow_ids: tuple[str, ...]
    group: str
    titles: tuple[str, ...]
    subject: str


_AGENTS = (
    _Agent(
        "1316205947013939201",
        ("1316207117400571904", "1316207311890415617"),
        "support",
        ("Refund for order {}", "Where is parcel {}?", "Rückfrage zu Bestellung {}"),
        "order",
    ),
    _Agent(
        "1329980420571430914",
        ("1329981004611584003",),
        "billing",
        ("Reconcile invoice {}", "Chase overdue invoice {}", "請求書 {} の確認"),
        "invoice",
    ),
    _Agent(
        "1341552089147543555",
        ("1341552533148139520", "1341553190399770625"),
        "operations",
        ("Roll back build {}", "Triage alert {}", "Raise the quota, request {}"),
        "ticket",
    ),
    _Agent(
        "1358113377095319556",
        ("1358114008463908866",),
        "research",
        ("Summarise report {}", "Compare the tenders in file {}"),
        "document",
    ),
)


def make_contexts(count: int, *, all_fields: bool) -> list[dict[str, Any]]:
    """
    Make this many contexts, newest activity first.

    Args:
        count: How many.
        all_fields: Whether to add the fields that only the offset revision has.
    """
    chance = Random(3)  # noqa: S311 - not a secret
    contexts = [
        _context(number, active, chance)
        for number, active in enumerate(_activity(count, chance))
    ]
    if all_fields:
        return contexts
    return [
        {field: context[field] for field in _PAGE_FIELDS if field in context}
        for context in contexts
    ]


def _activity(count: int, chance: Random) -> list[datetime]:
    """
    Return this many times, latest first, mostly in working hours.
    """
    hours = [REFERENCE - timedelta(hours=number + 1) for number in range(_HOURS)]
    weights = [_busy(hour) for hour in hours]
    chosen = chance.choices(hours, weights, k=count)
    return sorted(
        (hour + timedelta(hours=chance.random()) for hour in chosen), reverse=True
    )


def _busy(when: datetime) -> int:
    at_work = when.weekday() < _SATURDAY and 7 <= when.hour < 18  # noqa: PLR2004
    return 12 if at_work else 1


def _context(number: int, active: datetime, chance: Random) -> dict[str, Any]:
    agent = chance.choice(_AGENTS)
    created = active - timedelta(seconds=chance.randrange(60, _LONGEST_LIFE_SECONDS))
    case = chance.randrange(10_000, 100_000)
    context = {
        "id": str(snowflake(created, number)),
        "deployment_id": _DEPLOYMENT_ID,
        "agent_id": agent.id,
        "workflow_id": chance.choice(agent.workflow_ids),
        "user_id": f"user_{chance.randrange(40)}",
        "session_id": str(snowflake(created - timedelta(minutes=5), number)),
        "title": chance.choice(agent.titles).format(case),
        "system_instructions": chance.choice((None, "Answer in two sentences.")),
        "context_group": agent.group,
        "context": _stored(agent.subject, case, chance),
        "created_at": _rfc3339(created, chance),
        "updated_at": _rfc3339(active, chance),
        "last_activity_at": f"{active:%Y-%m-%dT%H:%M:%S.%fZ}",
        **_origin(created, number, chance),
        **_progress(active, chance),
    }
    return _with_gaps(context, chance)


def snowflake(when: datetime, number: int) -> int:
    """
    Return a 64-bit id, unique per kind: the millisecond, then a sequence number.
    """
    milliseconds = (when - _SNOWFLAKES_SINCE) // timedelta(milliseconds=1)
    return milliseconds << _SEQUENCE_BITS | number % (1 << _SEQUENCE_BITS)


def _stored(subject: str, case: int, chance: Random) -> Any:
    """
    Return what the caller stored: usually an object, sometimes other JSON.
    """
    details = {
        subject: case,
        "language": chance.choice(("de", "en", "ja")),
        "urgent": chance.random() < 1 / 6,
        "steps": ["read", "look up", "draft", "send"][: chance.randrange(5)],
    }
    kinds = (None, f"{subject} {case}", [subject, case], *[details] * 17)
    return chance.choice(kinds)


def _origin(created: datetime, number: int, chance: Random) -> dict[str, Any]:
    parent = snowflake(created - timedelta(hours=2), number)
    outside = chance.random() < 1 / 4
    return {
        "source": chance.choice(("api", "console", "schedule")),
        "external_context_id": f"case-{number}" if outside else None,
        "external_resource_metadata": {"attempt": 1} if outside else None,
        # A number where all other ids are strings, as the service has it.
        "parent_context_id": chance.choice((None, None, None, parent)),
    }


def _progress(active: datetime, chance: Random) -> dict[str, Any]:
    [status] = chance.choices([*_STATUSES], weights=[*_STATUSES.values()])
    step = chance.randrange(1, 9)
    ended = status in _ENDED
    return {
        "status": status,
        "completed_at": _rfc3339(active, chance) if ended else None,
        "execution_state": None if ended else {"step": step, "retries": 0},
        "completion_summary": {"outcome": status, "steps": step} if ended else None,
    }


def _with_gaps(context: dict[str, Any], chance: Random) -> dict[str, Any]:
    for field in _OFTEN_MISSING:
        fate = chance.randrange(10)
        if fate == 0:
            del context[field]
        elif fate == 1:
            context[field] = None
    return context


def _rfc3339(when: datetime, chance: Random) -> str:
    """
    Write a time with 0 to 9 fractional digits and, now and then, an offset.
    """
    zone = timezone(timedelta(minutes=chance.choice(_OFFSET_MINUTES)))
    nanoseconds = when.microsecond * 1000 + chance.randrange(1000)
    fraction = f".{nanoseconds:09}"[: chance.choice(_DIGITS) + 1].rstrip(".")
    text = when.astimezone(zone).isoformat(timespec="seconds")
    return (text[:19] + fraction + text[19:]).replace("+00:00", "Z")
