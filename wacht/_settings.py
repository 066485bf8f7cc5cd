"""
What a session is given, checked: the URL, the times and sizes.
"""

from __future__ import annotations

import os
from ipaddress import ip_address
from threading import TIMEOUT_MAX
from urllib.parse import urlsplit

from .errors import ConfigError, InvalidRequestError, shown

MAX_PREFETCH = 100  # what a minute allows
DEFAULT_BASE_URL = "https://api.wacht.dev"
_MAY_BE_SECRET = frozenset("@?#")  # what stands beside them; such a URL is not shown
_SECONDS = f"above 0 and up to {TIMEOUT_MAX:.0f}"
_NOT_IN_URLS = frozenset(' "<>\\^`{|}')  # RFC 3986; parsers disagree about some


def checked_base_url(given: str | None, *, allow_plain_http: bool) -> str:
    """
    Settle the base URL.

    Raises:
        ConfigError: It is no URL that a key may be sent to.

    """
    name = "base_url (from WACHT_BASE_URL)" if given is None else "base_url"
    url = _base_url_of_environment() if given is None else given
    if not isinstance(url, str):
        raise ConfigError(f"{name}: expected a string, got {shown(url)}")
    if not _MAY_BE_SECRET.isdisjoint(url):
        raise ConfigError(f"{name}: expected no user, query or fragment: no @, ? or #")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"{name}: not a URL: {shown(url)}") from None
    if parts.scheme not in ("https", "http") or not host or not _is_clean(url):
        raise ConfigError(
            f"{name}: expected something like {DEFAULT_BASE_URL}, got {shown(url)}"
        )
    if parts.scheme == "http" and not (allow_plain_http or is_loopback(host)):
        raise ConfigError(
            f"{name}: {shown(url)} would send the key in the clear; use https, or "
            "pass allow_plain_http=True if you must"
        )
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path}".rstrip("/")


def _base_url_of_environment() -> str:
    return os.environ.get("WACHT_BASE_URL", "").strip() or DEFAULT_BASE_URL


def _is_clean(url: str) -> bool:
    return url.isprintable() and _NOT_IN_URLS.isdisjoint(url)


def is_loopback(host: str) -> bool:
    """
    Tell whether a host is this machine.
    """
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def checked_timeout(given: float | tuple[float, float]) -> tuple[float, float]:
    """
    Settle the (connect, read) timeouts, in seconds.

    Raises:
        ConfigError: One is not a positive number.

    """
    pair = given if isinstance(given, tuple) else (given, given)
    if len(pair) != 2 or not all(map(is_positive_number, pair)):  # noqa: PLR2004
        raise ConfigError(
            f"timeout: expected seconds, a number {_SECONDS}, or (connect, read), "
            f"got {shown(given)}"
        )
    return pair


def is_positive_number(value: object) -> bool:
    """
    Tell whether a value counts seconds that threads and sockets can wait.
    """
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and 0 < value <= TIMEOUT_MAX
    )


def checked_size(given: int) -> int:
    """
    Settle `max_response_bytes`.

    Raises:
        ConfigError: It is not a positive integer.

    """
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise ConfigError(
            f"max_response_bytes: expected a positive integer, got {shown(given)}"
        )
    return given


def checked_prefetch(given: int) -> int:
    """
    Settle how many pages to be ahead.

    Raises:
        InvalidRequestError: It is not an integer from 0 to 100.

    """
    whole = isinstance(given, int) and not isinstance(given, bool)
    if not whole or not 0 <= given <= MAX_PREFETCH:
        raise InvalidRequestError(
            f"prefetch: expected an integer from 0 to {MAX_PREFETCH}, got "
            f"{shown(given)}"
        )
    return given


def checked_deadline(given: float | None) -> float | None:
    """
    Settle how long a walk may take.

    Raises:
        InvalidRequestError: It is not a positive number of seconds.

    """
    if given is not None and not is_positive_number(given):
        raise InvalidRequestError(
            f"deadline: expected seconds, a number {_SECONDS}, got {shown(given)}"
        )
    return given


def check_kind(name: str, given: object, kind: type) -> None:
    """
    Refuse what is neither None nor of a kind.

    Raises:
        ConfigError: It is something else.

    """
    if given is not None and not isinstance(given, kind):
        raise ConfigError(
            f"{name}: expected a {kind.__module__.partition('.')[0]}.{kind.__name__}, "
            f"got {shown(given)}"
        )


def check_throttle(given: object) -> None:
    """
    Refuse what hands out no slots; a class does not, its instances do.

    Raises:
        ConfigError: It is something else.

    """
    has_slots = callable(getattr(given, "slot", None)) and not isinstance(given, type)
    if given not in (None, "shared") and not has_slots:
        raise ConfigError(
            "throttle: expected a wacht.Throttle, None, or an object with its method "
            f"slot(), got {shown(given)}"
        )


def check_choice(name: str, given: object, choices: tuple[str, ...]) -> None:
    """
    Refuse what is not one of some words.

    Raises:
        ConfigError: It is something else.

    """
    if given not in choices:
        raise ConfigError(
            f"{name}: expected one of {', '.join(choices)}, got {shown(given)}"
        )
