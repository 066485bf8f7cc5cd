"""Made-up contexts, realistic and the same at every run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

# All times count back from here, so that every run is the same.
REFERENCE = datetime(2025, 11, 3, 16, 20, tzinfo=UTC)

_HOURS = range(1, 6 * 7 * 24)
_WORKDAYS, _WORKING_HOURS = range(5), range(7, 18)
_LONGEST_LIFE_SECONDS = 5 * 24 * 60 * 60
_SNOWFLAKES_SINCE = datetime(2015, 1, 1, tzinfo=UTC)
_SEQUENCE_BITS = 22

_OFTEN_MISSING = ("workflow_id", "user_id", "session_id", "title", "context_group")
_PAGE_FIELDS = {"id", "agent_id", "context", "created_at", *_OFTEN_MISSING[:3]}
_UNFINISHED = ("idle", "idle", "running", "waiting_for_input", "interrupted")
_STATUSES = (*_UNFINISHED, "failed", *["completed"] * 4)
_DIGITS = (0, 1, 2, 3, 3, 4, 5, 6, 6, 6, 6, 7, 8, 9, 9, 9)
_OFFSET_MINUTES = (*[0] * 12, 120, 330, -210)
# Id, group and titles of each agent; the ids are those of the documentation.
_AGENTS = (
    ("agent_123", "support", "Refund for order {}", "Rückfrage zu {}"),
    ("agent_456", "billing", "Chase overdue invoice {}", "請求書 {} の確認"),
    ("agent_789", "operations", "Roll back build {}", "Triage alert {}"),
    ("agent_999", "research", "Summarise report {}", "Compare tenders {}"),
)


def make_contexts(count: int, *, all_fields: bool) -> list[dict[str, Any]]:
    """
    Make this many contexts, newest activity first, mostly in working hours.

    Args:
        count: How many.
        all_fields: Whether to add the fields that only the offset revision has.
    """
    chance = Random(3)  # noqa: S311 - not a secret
    hours = [REFERENCE - timedelta(hours=number) for number in _HOURS]
    weights = [
        12 if hour.weekday() in _WORKDAYS and hour.hour in _WORKING_HOURS else 1
        for hour in hours
    ]
    chosen = chance.choices(hours, weights, k=count)
    times = [hour + timedelta(hours=chance.random()) for hour in chosen]
    made = [_context(n, t, chance) for n, t in enumerate(sorted(times, reverse=True))]
    return made if all_fields else [_page_fields(context) for context in made]


def _page_fields(context: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in context.items() if name in _PAGE_FIELDS}


def _context(number: int, active: datetime, chance: Random) -> dict[str, Any]:
    agent_id, group, *titles = chance.choice(_AGENTS)
    created = active - timedelta(seconds=chance.randrange(60, _LONGEST_LIFE_SECONDS))
    case = chance.randrange(10_000, 100_000)
    status = chance.choice(_STATUSES)
    ended = status not in _UNFINISHED
    started = {"case": case, "language": chance.choice(("de", "en", "ja"))}
    context = {
        "id": str(snowflake(created, number)),
        "deployment_id": "1260340761985941504",
        "agent_id": agent_id,
        "workflow_id": f"workflow_{chance.choice('12')}",
        "user_id": f"user_{chance.randrange(40)}",
        "session_id": str(snowflake(created - timedelta(minutes=5), number)),
        "title": chance.choice(titles).format(case),
        "system_instructions": chance.choice((None, "Answer in two sentences.")),
        "context_group": group,
        # What the caller stored: usually an object, sometimes other JSON.
        "context": chance.choice((None, f"case {case}", [case], *[started] * 17)),
        "created_at": _rfc3339(created, chance),
        "updated_at": _rfc3339(active, chance),
        "last_activity_at": utc_text(active),
        "completed_at": _rfc3339(active, chance) if ended else None,
        "status": status,
        "source": chance.choice(("api", "console", "schedule")),
        "external_context_id": chance.choice((None, f"case-{number}")),
        "external_resource_metadata": chance.choice((None, {"attempt": 1})),
        # The service sends this id as a number, and all others as strings.
        "parent_context_id": chance.choice((None, snowflake(created, number) - 1)),
        "execution_state": None if ended else {"step": chance.randrange(1, 9)},
        "completion_summary": {"outcome": status} if ended else None,
    }
    for field in _OFTEN_MISSING:
        tenth = chance.randrange(10)
        if tenth == 0:
            del context[field]
        elif tenth == 1:
            context[field] = None
    return context


def snowflake(when: datetime, number: int) -> int:
    """Return a 64-bit id: the millisecond, then a sequence number."""
    milliseconds = (when - _SNOWFLAKES_SINCE) // timedelta(milliseconds=1)
    return milliseconds << _SEQUENCE_BITS | number % (1 << _SEQUENCE_BITS)


def utc_text(when: datetime) -> str:
    """Write a time as the service does: in UTC, with microseconds."""
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _rfc3339(when: datetime, chance: Random) -> str:
    """Write a time with 0 to 9 fractional digits and, now and then, an offset."""
    zone = timezone(timedelta(minutes=chance.choice(_OFFSET_MINUTES)))
    nanoseconds = when.microsecond * 1000 + chance.randrange(1000)
    fraction = f".{nanoseconds:09}"[: chance.choice(_DIGITS) + 1].rstrip(".")
    text = when.astimezone(zone).isoformat(timespec="seconds")
    return (text[:19] + fraction + text[19:]).replace("+00:00", "Z")
