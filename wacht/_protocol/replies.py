"""A whole answer off the wire, before anything is known about its content."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from attrs import field, frozen

_SECONDS = re.compile(r"\d{1,308}(\.\d+)?", re.ASCII)  # a finite float
_RETRY_TEXT = re.compile(rb"Retry after (\d+(?:\.\d+)?) seconds?", re.IGNORECASE)
_RETRY_TEXT_LENGTH = 300


@frozen(kw_only=True)
class RawResponse:
    """A whole answer off the wire; its headers and its body may echo the key."""

    status: int
    headers: Mapping[str, str] = field(repr=False)  # names in lower case
    body: bytes = field(repr=False)  # decompressed
    truncated_at: int | None = None  # the number of bytes read, if there were more

    @property
    def succeeded(self) -> bool:
        return is_success(self.status)

    @property
    def rate_limited(self) -> bool:
        return self.status == HTTPStatus.TOO_MANY_REQUESTS

    @property
    def slow(self) -> bool:
        """Whether a smaller page may succeed."""
        return self.status == HTTPStatus.GATEWAY_TIMEOUT

    @property
    def reason(self) -> str:
        """Why there is another attempt."""
        if self.rate_limited:
            return "rate limit (429)"
        return f"the service answered {self.status}"


def is_success(status: int) -> bool:
    return 200 <= status < 300  # noqa: PLR2004 - what HTTP calls success


def retry_after(reply: RawResponse) -> float | None:
    """Return the seconds that the service asks to wait; the longer time counts."""
    # In the header as seconds, decimals or an HTTP date; of a 429 also in the text.
    waits = [_header_seconds(reply)]
    text = _RETRY_TEXT.search(reply.body[:_RETRY_TEXT_LENGTH])
    if text and reply.rate_limited:
        waits.append(float(text[1]))
    return max((seconds for seconds in waits if seconds is not None), default=None)


def _header_seconds(reply: RawResponse) -> float | None:
    value = reply.headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    if not (moment := http_date(value)):
        return None
    now = http_date(reply.headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (moment - now).total_seconds())


def http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC)
