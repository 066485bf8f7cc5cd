"""The settings of a session: usable, or refused without showing a secret."""

from __future__ import annotations

import contextlib
import decimal
import math
from typing import Any

import pytest
import requests
from hypothesis import example, given, strategies as st

import wacht
from wacht import ConfigError
from wacht._http.settings import Settings


def settings(**values: Any) -> Settings:
    return wacht.Session("k", **({"throttle": None} | values))._endpoint._settings


def base_url(url: Any, *, allow_plain_http: bool = False) -> str:
    return settings(base_url=url, allow_plain_http=allow_plain_http).base_url


@pytest.mark.parametrize(
    ("given_url", "settled"),
    [
        ("https://API.Wacht.Dev//", "https://api.wacht.dev"),
        ("HTTPS://api.wacht.dev:8443/Base/v1/", "https://api.wacht.dev:8443/Base/v1"),
        ("https://192.0.2.1:443/x", "https://192.0.2.1/x"),
        ("https://w\xe4chter.example", "https://w\xe4chter.example"),
        ("http://localhost:80", "http://localhost"),
        ("http://LOCALHOST:8000/", "http://localhost:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_base_url__settled(given_url: str, settled: str) -> None:
    assert base_url(given_url) == settled


NO_URL = "expected something like https://api.wacht.dev, got {!r}"
NOT_PARSED = "not a URL: {!r}"
MAY_BE_SECRET = "expected no user, query or fragment: no @, ? or #"  # so it isn't shown
UNENCRYPTED = (
    "{!r} would send the key unencrypted; use https "
    "(or, in Python, allow_plain_http=True)"
)
REFUSED = {
    "": NO_URL,
    "api.wacht.dev": NO_URL,
    "https:///path": NO_URL,
    "ftp://api.wacht.dev": NO_URL,
    "https://api wacht.dev": NO_URL,
    "https://api.wacht.dev\n": NO_URL,
    "https://api.wacht.dev/\u202e": NO_URL,
    "https://api.wacht.dev/<x>": NO_URL,
    "https://[nonsense]": NOT_PARSED,
    "https://api.wacht.dev:70000": NOT_PARSED,
    "https://api.wacht.dev\r\nHost: other": NOT_PARSED,
    "https://user:secret@api.wacht.dev": MAY_BE_SECRET,
    "https://user:se/cret@api.wacht.dev:port": MAY_BE_SECRET,
    "https://api.wacht.dev?key=secret": MAY_BE_SECRET,
    "https://api.wacht.dev#secret": MAY_BE_SECRET,
    "http://api.wacht.dev": UNENCRYPTED,
    "http://localhost.example": UNENCRYPTED,
    "http://128.0.0.1": UNENCRYPTED,
    "http://0.0.0.0": UNENCRYPTED,
}


@pytest.mark.parametrize(("url", "message"), REFUSED.items(), ids=ascii)
def test_base_url__refused(url: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        base_url(url)
    assert str(caught.value) == f"base_url: {message.format(url)}"
    assert "secret" not in f"{caught.value!r} {caught.value.__context__!r}"
    if message is UNENCRYPTED:
        assert base_url(url, allow_plain_http=True) == url


def test_base_url__from_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert base_url(None) == "https://api.wacht.dev"
    monkeypatch.setenv("WACHT_BASE_URL", " \n")
    assert base_url(None) == "https://api.wacht.dev"
    monkeypatch.setenv("WACHT_BASE_URL", " https://staging.example/\n")
    assert base_url(None) == "https://staging.example"
    assert base_url("https://other.example") == "https://other.example"
    monkeypatch.setenv("WACHT_BASE_URL", "localhost:8080")
    with pytest.raises(ConfigError, match=r"^base_url \(from WACHT_BASE_URL\): exp"):
        base_url(None)


def test_base_url__long_ones_are_cut_in_messages() -> None:
    with pytest.raises(ConfigError) as caught:
        base_url("http://" + "x" * 10**6)
    assert len(str(caught.value)) < 300


@given(st.text(st.characters(exclude_categories=())), st.booleans())
@example("https://[::ffff:127.0.0.1%25x]", False)  # noqa: FBT003 - by position, as given does
def test_base_url__any_text(text: str, plain: bool) -> None:
    """Any text is normalized in a way that doesn't change again, or refused."""
    for url in (text, f"https://{text}", f"http://localhost{text}"):
        with contextlib.suppress(ConfigError):
            settled = base_url(url, allow_plain_http=plain)
            assert base_url(settled, allow_plain_http=plain) == settled
            assert not settled.endswith("/")


NO_PATHS = [
    *("", "x", "/x?secret", "/x#secret", "/x/../y", "/x/%2E%2e/y"),
    *("/x y", "/\xfc", "/x\n", "/x\\y", b"/x", None),
]


@pytest.mark.parametrize("path", NO_PATHS)
def test_path__refused(path: Any) -> None:
    """What would be another path when it is sent, or more than a path."""
    with pytest.raises(ConfigError, match=r"^path: expected something like /ai/") as no:
        settings(path=path)
    assert "secret" not in str(no.value)
    url = settings(path="/..a/%20@/", base_url="https://a.example/v1/").url
    assert url == "https://a.example/v1/..a/%20@/"


@pytest.mark.parametrize("seconds", [0.5, 2_147_483])
def test_timeout(seconds: Any) -> None:
    assert settings(timeout=seconds).timeout == (seconds, seconds)
    assert settings(timeout=(5.0, seconds)).timeout == (5.0, seconds)


@pytest.mark.parametrize(
    "seconds",
    [0, -1, math.nan, math.inf, 2**31, 10**400, True, "5", decimal.Decimal(5), None],
    ids=lambda value: f"{type(value).__name__} {str(value)[:5]}",
)
def test_timeout__refused(seconds: Any) -> None:
    for timeout in (seconds, (seconds, 30.0), (5.0, seconds), (1, 2, seconds)):
        with pytest.raises(ConfigError, match=r"^timeout: expected positive seconds"):
            settings(timeout=timeout)
    with pytest.raises(ConfigError, match=r"got \(1, 2, 3\)"):
        settings(timeout=(1, 2, 3))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        *(("base_url", url, "a string, got ") for url in (b"https://x", 0, False, [])),
        ("retry", 3, "a urllib3.Retry, got 3"),
        ("http", requests.Session, "a requests.Session, got <class"),
        ("throttle", wacht.Throttle, "a wacht.Throttle, None, or an object with its "),
        ("throttle", 5, "a wacht.Throttle, None, or an object with its method slot()"),
        ("pagination", "cursor", "one of 'auto', 'page', 'offset', got 'cursor'"),
        ("max_response_bytes", 0, "a positive integer, got 0"),
        ("max_response_bytes", True, "a positive integer, got True"),
        ("allow_plain_http", "no", "True or False, got 'no'"),
    ],
)
def test_setting__refused(name: str, value: Any, expected: str) -> None:
    """A falsy value isn't taken for an omitted one."""
    with pytest.raises(ConfigError) as caught:
        settings(**{name: value})
    assert str(caught.value).startswith(f"{name}: expected {expected}")
