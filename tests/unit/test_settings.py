"""The settings of a session: usable, or refused without showing a secret."""

from __future__ import annotations

import contextlib
import decimal
import threading
from typing import Any

import pytest
import requests
import urllib3
from hypothesis import example, given
from hypothesis import strategies as st

import wacht
from wacht import ConfigError
from wacht._settings import Settings


def settings(**values: Any) -> Settings:
    defaults: dict[str, Any] = {
        "allow_plain_http": False,
        "base_url": None,
        "timeout": 5,
        "retry": None,
        "throttle": None,
        "http": None,
        "pagination": "auto",
        "max_response_bytes": 1,
    }
    return Settings(**(defaults | values))


def base_url(url: Any, *, allow_plain_http: bool = False) -> str:
    return settings(base_url=url, allow_plain_http=allow_plain_http).base_url


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
        ("https://192.0.2.1:443/x", "https://192.0.2.1/x"),
        ("http://localhost:80", "http://localhost"),
        ("https://[2001:db8::443]", "https://[2001:db8::443]"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://LOCALHOST/", "http://localhost"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://127.8.9.10", "http://127.8.9.10"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://wächter.example", "https://wächter.example"),
    ],
)
def test_base_url__settled(given_url: str, settled: str) -> None:
    """The host is in lower case; a default port and the last slash are dropped."""
    assert base_url(given_url) == settled


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
    """Only clean `http` and `https` URLs are accepted."""
    with pytest.raises(ConfigError) as caught:
        base_url(url, allow_plain_http=True)
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
    """A URL that can't be parsed is refused as well."""
    with pytest.raises(ConfigError) as caught:
        base_url(url)
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
    """User info, a query or a fragment may be a secret, and isn't shown."""
    with pytest.raises(ConfigError) as caught:
        base_url(url)
    assert str(caught.value) == (
        "base_url: expected no user, query or fragment: no @, ? or #"
    )
    assert "pass" not in _all_that_is_shown_by(caught.value)


def _all_that_is_shown_by(error: BaseException) -> str:
    return f"{error} {error!r} {error.__cause__!r} {error.__context__!r}"


@pytest.mark.parametrize("url", [b"https://api.wacht.dev", 0, False, [], object()])
def test_base_url__no_string(url: Any) -> None:
    """A falsy value isn't taken for an omitted one."""
    with pytest.raises(ConfigError, match=r"^base_url: expected a string, got "):
        base_url(url)


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
    """The key stays on this machine, unless the caller allows more."""
    with pytest.raises(ConfigError) as caught:
        base_url(url)
    assert str(caught.value) == (
        f"base_url: {url!r} would send the key unencrypted; use https "
        "(or, in Python, allow_plain_http=True)"
    )
    assert base_url(url, allow_plain_http=True) == url


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
    """Without an argument, `WACHT_BASE_URL` counts; if that is empty, the default."""
    if in_environment is not None:
        monkeypatch.setenv("WACHT_BASE_URL", in_environment)
    assert base_url(None) == settled


def test_base_url__from_environment_and_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The message names the variable."""
    monkeypatch.setenv("WACHT_BASE_URL", "localhost:8080")
    with pytest.raises(
        ConfigError, match=r"^base_url \(from WACHT_BASE_URL\): expected"
    ):
        base_url(None)


def test_base_url__given_one_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument overrides the environment."""
    monkeypatch.setenv("WACHT_BASE_URL", "https://staging.example")
    url = "https://other.example"
    assert base_url(url) == url


def test_base_url__long_ones_are_cut_in_messages() -> None:
    with pytest.raises(ConfigError) as caught:
        base_url("http://" + "x" * 10**6)
    assert len(str(caught.value)) < 300


@given(st.text(st.characters(exclude_categories=())), st.booleans())
@example("https://[::ffff:127.0.0.1%25x]", False)  # noqa: FBT003 - by position, as given does
def test_base_url__any_text(text: str, plain: bool) -> None:  # noqa: FBT001 - from hypothesis
    """Any text is normalized in a way that doesn't change again, or refused."""
    for url in (text, f"https://{text}", f"http://localhost{text}"):
        with contextlib.suppress(ConfigError):
            settled = base_url(url, allow_plain_http=plain)
            assert base_url(settled, allow_plain_http=plain) == settled
            assert not settled.endswith("/")


@pytest.mark.parametrize(
    ("timeout", "pair"),
    [
        (0.5, (0.5, 0.5)),
        ((5.0, 30.0), (5.0, 30.0)),
        (threading.TIMEOUT_MAX, (threading.TIMEOUT_MAX,) * 2),
    ],
)
def test_timeout(timeout: Any, pair: tuple[float, float]) -> None:
    assert settings(timeout=timeout).timeout == pair


@not_seconds
def test_timeout__refused(seconds: Any) -> None:
    for timeout in (seconds, (seconds, 30.0), (5.0, seconds)):
        with pytest.raises(ConfigError, match=r"^timeout: expected positive seconds, "):
            settings(timeout=timeout)


@pytest.mark.parametrize("timeout", [None, (), (5.0,), (1.0, 2.0, 3.0), [5.0, 30.0]])
def test_timeout__of_another_shape(timeout: Any) -> None:
    with pytest.raises(ConfigError, match=r"^timeout: expected positive seconds, "):
        settings(timeout=timeout)


class Mine:
    def slot(self, sleep: Any) -> Any:
        del sleep


@pytest.mark.parametrize(
    "values",
    [
        {"retry": urllib3.Retry(3)},
        {"http": requests.Session()},
        {"throttle": wacht.Throttle()},
        {"throttle": Mine()},
        {"throttle": "shared"},
        {"pagination": "offset"},
        {"max_response_bytes": 1},
    ],
    ids=lambda values: next(iter(values)),
)
def test_setting__accepted(values: dict[str, Any]) -> None:
    settings(**values)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("retry", 3, "a urllib3.Retry, got 3"),
        ("http", requests.Session, "a requests.Session, got <class"),
        (
            "throttle",
            wacht.Throttle,
            "a wacht.Throttle, None, or an object with its me",
        ),
        (
            "throttle",
            5,
            "a wacht.Throttle, None, or an object with its method slot(), g",
        ),
        ("pagination", "cursor", "one of 'auto', 'page', 'offset', got 'cursor'"),
        ("max_response_bytes", 0, "a positive integer, got 0"),
        ("max_response_bytes", True, "a positive integer, got True"),
        ("allow_plain_http", "no", "True or False, got 'no'"),
    ],
)
def test_setting__refused(name: str, value: Any, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(**{name: value})
    assert str(caught.value).startswith(f"{name}: expected {expected}")
