"""
What a session is given: usable, or refused in words that give no key away.
"""

from __future__ import annotations

import contextlib
import decimal
import threading
from typing import TYPE_CHECKING, Any

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st

import wacht
from wacht import ConfigError, InvalidRequestError, _settings
from wacht._settings import check_throttle, checked_base_url

if TYPE_CHECKING:
    from collections.abc import Callable

not_seconds = pytest.mark.parametrize(
    "seconds",
    [
        0,
        -1,
        -0.0,
        float("nan"),
        float("inf"),
        float("-inf"),
        10**400,
        1e300,
        True,
        "5",
        b"5",
        decimal.Decimal(5),
        [5.0, 30.0],
        {},
    ],
    ids=lambda value: f"{type(value).__name__} {str(value)[:5]}",
)


@pytest.mark.parametrize(
    ("given_url", "settled"),
    [
        ("https://api.wacht.dev", "https://api.wacht.dev"),
        ("https://api.wacht.dev/", "https://api.wacht.dev"),
        ("https://API.Wacht.Dev//", "https://api.wacht.dev"),
        ("HTTPS://api.wacht.dev:8443/Base/v1/", "https://api.wacht.dev:8443/Base/v1"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("https://192.0.2.1", "https://192.0.2.1"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://LOCALHOST/", "http://localhost"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://127.8.9.10", "http://127.8.9.10"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://wächter.example", "https://wächter.example"),
    ],
)
def test_base_url__settled(given_url: str, settled: str) -> None:
    """
    A URL is taken with its path, its host in lower case and without a last slash.
    """
    assert checked_base_url(given_url, allow_plain_http=False) == settled


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "api.wacht.dev",
        "//api.wacht.dev",
        "https://",
        "https:///path",
        "https:api.wacht.dev",
        "ftp://api.wacht.dev",
        "file:///etc/hosts",
        "javascript:alert(1)",
        "https://api wacht.dev",
        "https://api.wacht.dev ",
        " https://api.wacht.dev",
        "https://api.wacht.dev\n",
        "https://api\twacht.dev",
        "https://api.wacht.dev\\other",
        "https://api.wacht.dev/\x00",
        "https://api.wacht.dev/\u202e",
        "https://api.wacht.dev/<x>",
        "https://\ud800",
    ],
    ids=ascii,
)
def test_base_url__no_url(url: str) -> None:
    """
    What is no clean `http` or `https` URL is refused, and shown.
    """
    with pytest.raises(ConfigError) as caught:
        checked_base_url(url, allow_plain_http=True)
    assert str(caught.value) == (
        f"base_url: expected something like https://api.wacht.dev, got {url!r}"
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://[::1",
        "https://[nonsense]",
        "https://api.wacht.dev:port",
        "https://api.wacht.dev:70000",
        "https://api.wacht.dev:-1",
        "https://api.wacht.dev\r\nHost: other",
        "https://a\u2100b.dev",
    ],
    ids=ascii,
)
def test_base_url__not_parsed(url: str) -> None:
    """
    What cannot even be taken apart is refused, and shown.
    """
    with pytest.raises(ConfigError) as caught:
        checked_base_url(url, allow_plain_http=False)
    assert str(caught.value) == f"base_url: not a URL: {url!r}"
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "url",
    [
        "https://user:password@api.wacht.dev",
        "https://password@api.wacht.dev",
        "https://@api.wacht.dev",
        "https://user:pass/word@api.wacht.dev:port",
        "ftp://user:password@api.wacht.dev",
        "https://api.wacht.dev?key=password",
        "https://api.wacht.dev/?",
        "https://api.wacht.dev#password",
        "https://api.wacht.dev:port/#password",
        "http://api.wacht.dev/base?password",
        "https://api.wacht.dev\\@password",
    ],
)
def test_base_url__more_than_a_place(url: str) -> None:
    """
    User info, a query or a fragment is refused, and not shown: it may be a secret.
    """
    with pytest.raises(ConfigError) as caught:
        checked_base_url(url, allow_plain_http=False)
    assert str(caught.value) == (
        "base_url: expected no user, query or fragment: no @, ? or #"
    )
    assert "pass" not in _all_that_is_shown_by(caught.value)


def _all_that_is_shown_by(error: BaseException) -> str:
    return f"{error} {error!r} {error.__cause__!r} {error.__context__!r}"


@pytest.mark.parametrize("url", [b"https://api.wacht.dev", 0, False, [], object()])
def test_base_url__no_string(url: Any) -> None:
    """
    What is no string is refused, and never taken for one that was left out.
    """
    with pytest.raises(ConfigError, match=r"^base_url: expected a string, got "):
        checked_base_url(url, allow_plain_http=False)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.wacht.dev",
        "http://localhost.example",
        "http://127.0.0.1.example",
        "http://128.0.0.1",
        "http://0.0.0.0",
        "http://192.168.0.1",
        "http://[::2]",
        "http://2130706433",
    ],
)
def test_base_url__plain_http_to_another_host(url: str) -> None:
    """
    The key goes in the clear to this machine alone, unless the caller allows more.
    """
    with pytest.raises(ConfigError) as caught:
        checked_base_url(url, allow_plain_http=False)
    assert str(caught.value) == (
        f"base_url: {url!r} would send the key in the clear; use https, or pass "
        "allow_plain_http=True if you must"
    )
    assert checked_base_url(url, allow_plain_http=True) == url


@pytest.mark.parametrize(
    ("in_environment", "settled"),
    [
        (None, "https://api.wacht.dev"),
        ("", "https://api.wacht.dev"),
        (" \n", "https://api.wacht.dev"),
        (" https://staging.example/\n", "https://staging.example"),
    ],
)
def test_base_url__from_environment(
    monkeypatch: pytest.MonkeyPatch, in_environment: str | None, settled: str
) -> None:
    """
    Where none is given, `WACHT_BASE_URL` counts, and where that is empty, the default.
    """
    if in_environment is not None:
        monkeypatch.setenv("WACHT_BASE_URL", in_environment)
    assert checked_base_url(None, allow_plain_http=False) == settled


def test_base_url__from_environment_and_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    A URL from the environment is refused by the name that it has there.
    """
    monkeypatch.setenv("WACHT_BASE_URL", "localhost:8080")
    with pytest.raises(
        ConfigError, match=r"^base_url \(from WACHT_BASE_URL\): expected"
    ):
        checked_base_url(None, allow_plain_http=False)


@pytest.mark.parametrize("wrong", [wacht.Throttle, object(), 5, "none"])
def test_throttle__refused(wrong: Any) -> None:
    """
    What has no slots to hand out is refused at once, a class too.
    """
    with pytest.raises(ConfigError, match=r"^throttle: expected a wacht\.Throttle"):
        check_throttle(wrong)


def test_base_url__given_one_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The environment is asked only where no URL is given.
    """
    monkeypatch.setenv("WACHT_BASE_URL", "https://staging.example")
    url = "https://other.example"
    assert checked_base_url(url, allow_plain_http=False) == url


def test_base_url__long_ones_are_cut_in_messages() -> None:
    """
    A message stays short, however long the URL.
    """
    with pytest.raises(ConfigError) as caught:
        checked_base_url("http://" + "x" * 10**6, allow_plain_http=False)
    assert len(str(caught.value)) < 300


@given(st.text(st.characters(exclude_categories=())), st.booleans())
@example("https://[::ffff:127.0.0.1%25x]", False)  # noqa: FBT003 - by position, as given does
def test_base_url__any_text(text: str, plain: bool) -> None:  # noqa: FBT001 - from hypothesis
    """
    Whatever text is given, it is settled once and for all, or a `ConfigError`.
    """
    for url in (text, f"https://{text}", f"http://localhost{text}"):
        with contextlib.suppress(ConfigError):
            settled = checked_base_url(url, allow_plain_http=plain)
            assert checked_base_url(settled, allow_plain_http=plain) == settled
            assert not settled.endswith("/")


@pytest.mark.parametrize(
    ("timeout", "pair"),
    [
        (5, (5, 5)),
        (0.5, (0.5, 0.5)),
        ((5.0, 30.0), (5.0, 30.0)),
        (threading.TIMEOUT_MAX, (threading.TIMEOUT_MAX, threading.TIMEOUT_MAX)),
    ],
)
def test_timeout__settled(
    timeout: float | tuple[float, float], pair: tuple[float, float]
) -> None:
    """
    One number counts for connecting and for reading.
    """
    assert _settings.checked_timeout(timeout) == pair


@not_seconds
def test_timeout__refused(seconds: Any) -> None:
    """
    A timeout that no socket can keep is refused, alone or as one of a pair.
    """
    for timeout in (seconds, (seconds, 30.0), (5.0, seconds)):
        with pytest.raises(ConfigError, match=r"^timeout: expected seconds, a num"):
            _settings.checked_timeout(timeout)


@pytest.mark.parametrize("timeout", [None, (), (5.0,), (1.0, 2.0, 3.0), (5.0, None)])
def test_timeout__never_none(timeout: Any) -> None:
    """
    There is always a timeout, for connecting and for reading.
    """
    with pytest.raises(ConfigError, match=r"^timeout: "):
        _settings.checked_timeout(timeout)


@pytest.mark.parametrize("seconds", [None, 1, 0.001, 86_400])
def test_deadline__settled(seconds: float | None) -> None:
    """
    A deadline is a positive number of seconds, or None.
    """
    assert _settings.checked_deadline(seconds) == seconds


@not_seconds
def test_deadline__refused(seconds: Any) -> None:
    """
    A deadline that is no time to wait is refused.
    """
    with pytest.raises(InvalidRequestError, match=r"^deadline: expected seconds"):
        _settings.checked_deadline(seconds)


@pytest.mark.parametrize(
    ("check", "good"),
    [
        (_settings.checked_size, [1, 64 * 2**20, 10**400]),
        (_settings.checked_prefetch, [0, 1, 100]),
    ],
)
def test_count__settled(check: Callable[[int], int], good: list[int]) -> None:
    """
    A size and a number of pages in range are taken as they are.
    """
    assert [check(number) for number in good] == good


@pytest.mark.parametrize("size", [0, -1, True, 1.5, "64", None, float("inf")])
def test_size__refused(size: Any) -> None:
    """
    An answer's size is bounded by a positive integer.
    """
    with pytest.raises(ConfigError, match=r"^max_response_bytes: expected a positive"):
        _settings.checked_size(size)


@pytest.mark.parametrize("number", [-1, 101, 10**400, True, 1.0, "1", None])
def test_prefetch__refused(number: Any) -> None:
    """
    Pages ahead are an integer from 0 to what a minute allows.
    """
    with pytest.raises(InvalidRequestError, match=r"^prefetch: expected an integer"):
        _settings.checked_prefetch(number)


def test_check_kind__names_what_was_expected() -> None:
    """
    The message names the setting, the class that it wants, and what came.
    """
    _settings.check_kind("http", None, requests.Session)
    _settings.check_kind("http", requests.Session(), requests.Session)
    with pytest.raises(ConfigError) as caught:
        _settings.check_kind("http", "x", requests.Session)
    assert str(caught.value) == "http: expected a requests.Session, got 'x'"


def test_check_choice__lists_the_choices() -> None:
    """
    The message lists the words that there are.
    """
    _settings.check_choice("pagination", "page", ("auto", "page"))
    with pytest.raises(ConfigError) as caught:
        _settings.check_choice("pagination", "cursor", ("auto", "page"))
    assert str(caught.value) == "pagination: expected one of auto, page, got 'cursor'"
