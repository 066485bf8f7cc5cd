"""What a reply says besides its content: success, and how long to wait."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from attrs import evolve
from hypothesis import given, strategies as st

from wacht._protocol.replies import RawResponse, retry_after

NOON = "Fri, 14 Mar 2025 12:00:00 GMT"
TEXT = b"Rate limit exceeded. Retry after 42 seconds"


def reply(
    status: int = 429, body: bytes = b"", header: str | None = None
) -> RawResponse:
    headers = {} if header is None else {"retry-after": header, "date": NOON}
    return RawResponse(status=status, headers=headers, body=body)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        (" 42 ", 42),
        ("0.5", 0.5),
        ("1" + "0" * 300, 1e300),
        ("Fri, 14 Mar 2025 12:00:30 GMT", 30),
        ("Fri, 14 Mar 2025 13:00:30 +0100", 30),
        ("Friday, 14-Mar-25 12:00:30 GMT", 30),
        ("Fri Mar 14 12:00:30 2025", 30),
        ("Fri, 14 Mar 2025 11:59:00 GMT", 0),
    ],
)
def test_header(header: str, seconds: float) -> None:
    """Seconds may have decimals, and a date counts by the clock of the service."""
    assert retry_after(reply(503, header=header)) == seconds


@pytest.mark.parametrize("date", [{}, {"date": "soon"}])
def test_header__date_without_a_clock_of_the_service(date: dict[str, str]) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(minutes=5))
    seconds = retry_after(evolve(reply(), headers={"retry-after": soon, **date}))
    assert 0 < seconds <= 300


@pytest.mark.parametrize(
    "header",
    [
        *("", "soon", "-5", "nan", "inf", "1e3", "1_000", "5 seconds", "5, 10", "2."),
        *("٤٢", "9" * 10_000, "Wed, " * 10_000),
        "Fri, 99 Mar 2025 12:00:30 GMT",
        "Fri, 14 Mar 99999 12:00:30 GMT",
        "Fri, 14 Mar 2025 12:00:30 +99999999999999",
        "2025-03-14T12:00:30Z",
    ],
)
def test_header__unusable(header: str) -> None:
    assert retry_after(reply(header=header)) is None
    assert retry_after(reply(body=TEXT, header=header)) == 42


@given(st.text(st.characters(max_codepoint=0xFF)), st.binary())
def test_any_reply__a_finite_wait_or_none(header: str, body: bytes) -> None:
    seconds = retry_after(reply(body=body, header=header))
    assert seconds is None or (seconds >= 0 and math.isfinite(seconds))


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (TEXT, 42),
        (b"retry after 0.25 SECONDS!", 0.25),
        (b"\xff Retry after 1 second", 1),
        (b'{"errors":[{"message":"Retry after 42 seconds"}]}', 42),
        (b"Retry after -5 seconds", None),
        (b"Retry after 5 minutes", None),
        (b"Retry after " + b"9" * 10_000 + b" seconds", None),
        (b"x" * 1000 + TEXT, None),
        (b"", None),
    ],
)
def test_text__of_a_429(body: bytes, seconds: float | None) -> None:
    """With a 429 the service says the wait in the text of the body alone."""
    assert retry_after(reply(body=body)) == seconds
    assert retry_after(reply(503, body)) is None


@pytest.mark.parametrize(("header", "seconds"), [("10", 42), ("60", 60)])
def test_header_and_text__the_longer_counts(header: str, seconds: float) -> None:
    assert retry_after(reply(body=TEXT, header=header)) == seconds


def test_repr__without_what_may_echo_the_key() -> None:
    assert "secret" not in repr(reply(body=b"secret", header="secret"))
