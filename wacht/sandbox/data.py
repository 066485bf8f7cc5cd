"""Made-up contexts, realistic and the same at every run, but for their dates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

from wacht._contexts import OFFSET_FIELDS, PAGE_FIELDS, PAGE_SORT_TIME
from wacht._text import utc_text

from .service import Context, newest_first

# All times count back from here. Changes count forward, and need an hour for that: no
# time may be in the future. Whole seconds, or cut fractions would differ between runs.
REFERENCE = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)

_OLDEST = timedelta(weeks=2)
_LONGEST_LIFE = timedelta(days=5)
_SNOWFLAKES_SINCE = REFERENCE - timedelta(weeks=565)  # the ids are always the same
_SEQUENCE_BITS = 22

_OFTEN_MISSING = ("workflow_id", "user_id", "session_id", "title", "context_group")
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


def make_contexts(
    count: int, fields: tuple[str, ...] = OFFSET_FIELDS
) -> list[dict[str, Any]]:
    """Make this many contexts of the offset revision, newest activity first."""
    chance = Random(3)  # noqa: S311 - not a secret
    ages = sorted(_OLDEST * chance.random() for _ in range(count))
    made = [_context(n, REFERENCE - age, chance) for n, age in enumerate(ages)]
    return [{name: c[name] for name in c if name in fields} for c in made]


def make_page_contexts(count: int) -> list[Context]:
    """Make contexts as the page revision lists them: other fields, newest first."""
    return newest_first(make_contexts(count, PAGE_FIELDS), PAGE_SORT_TIME.field)


def _context(number: int, active: datetime, chance: Random) -> dict[str, Any]:
    agent_id, group, *titles = chance.choice(_AGENTS)
    created = active - timedelta(minutes=1) - _LONGEST_LIFE * chance.random() ** 4
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


def _rfc3339(when: datetime, chance: Random) -> str:
    """Write a time with 0 to 9 fractional digits and, now and then, an offset."""
    zone = timezone(timedelta(minutes=chance.choice(_OFFSET_MINUTES)))
    nanoseconds = when.microsecond * 1000 + chance.randrange(1000)
    fraction = f".{nanoseconds:09}"[: chance.choice(_DIGITS) + 1].rstrip(".")
    text = when.astimezone(zone).isoformat(timespec="seconds")
    return (text[:19] + fraction + text[19:]).replace("+00:00", "Z")
