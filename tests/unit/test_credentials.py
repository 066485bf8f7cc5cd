"""The key: what is accepted, that nothing shows it, how it is removed."""

from __future__ import annotations

import copy
import html
import json
import pickle
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, strategies as st

import wacht
from tests import strategies
from tests.leaks import leaks
from wacht import ConfigError
from wacht._protocol.credentials import ApiKey, plain_headers

KEY = "wk_live_0123456789abcdef"
UNUSABLE = [
    f"{KEY[:9]}{character}{KEY[9:]}"
    for character in "\n \t\r\0\x7fé\N{ZERO WIDTH SPACE}\udc80\N{NO-BREAK SPACE}"
]


@pytest.mark.parametrize("key", UNUSABLE, ids=ascii)
def test_key__refused_without_being_shown(key: str) -> None:
    with pytest.raises(ConfigError, match="the API key contains white space") as caught:
        wacht.Session(key)
    assert leaks(caught.value, KEY[:9]) == []


@pytest.mark.parametrize(
    "wrong", [{"base_url": "ftp://x"}, {"timeout": 0}, {"http": 5}, {"throttle": 5}]
)
def test_key__not_shown_by_the_error_of_another_setting(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        wacht.Session(KEY, **wrong)
    assert leaks(caught.value, KEY) == []


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "the API key is empty: check WACHT_API_KEY or api_key"),
        (" \n\t", "the API key is empty: check WACHT_API_KEY or api_key"),
        (b"wk", "api_key: expected a string, got bytes"),
        (None, "no API key: set WACHT_API_KEY or pass api_key"),
    ],
)
def test_key__missing(key: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        wacht.Session(key)
    assert str(caught.value) == message


@pytest.mark.parametrize("space", [" ", "\r\n", "\t", "\N{NO-BREAK SPACE}"])
def test_key__without_surrounding_space(
    monkeypatch: pytest.MonkeyPatch, space: str
) -> None:
    monkeypatch.setenv("WACHT_API_KEY", f"{space}{KEY}{space}")
    for key in (ApiKey(f"{space}{KEY}{space}"), ApiKey(None)):
        key.check()
        assert key.authorization() == f"Bearer {KEY}"
    assert ApiKey("given").authorization() == "Bearer given"


@given(strategies.api_keys)
def test_key__of_printable_ascii(key: str) -> None:
    ApiKey(key).check()
    assert ApiKey(key).authorization() == f"Bearer {key}"


def test_key__shows_nothing() -> None:
    key = ApiKey(KEY)
    assert repr(key) == f"{key}" == "<ApiKey>"
    assert not hasattr(key, "__dict__")
    for carry in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="can't be pickled"):
            carry(key)


def test_header__is_masked_until_it_is_sent() -> None:
    headers = {"Authorization": ApiKey(KEY).authorization(), "Accept": b"*/*"}
    assert KEY not in repr(headers)
    plain = plain_headers(headers)
    assert plain == {"Authorization": f"Bearer {KEY}", "Accept": b"*/*"}
    assert type(plain["Authorization"]) is str


def test_service_digest__the_same_in_each_process() -> None:
    """It is in files that are read years later."""
    url = "https://wacht.example"
    digest = ApiKey("wk_test").service_digest(url)
    assert digest == "2d5b46be7d9ad020ddfc161ffbb67eaf"
    assert ApiKey("wk_test2").service_digest(url) != digest
    assert ApiKey("wk_test").service_digest(f"{url}/2") != digest


SPELLINGS: list[Callable[[str], str]] = [
    str,
    lambda key: json.dumps(key)[1:-1],
    lambda key: json.dumps(key)[1:-1].replace("/", "\\/"),
    html.escape,
    quote,
    lambda key: quote(key, safe=""),
    lambda key: re.sub("%..", lambda c: c[0].lower(), quote(key, safe="")),
]


@given(strategies.api_keys)
@example('wk_"quoted"')
@example("wk_back\\slash\\")
@example("wk/with+and=&<>'")
@example("\\" * 8)
def test_redact__every_spelling(key: str) -> None:
    for spell in SPELLINGS:
        assert ApiKey(key).redact(spell(key).encode()) == b"[***]"


@given(st.from_regex("wk_(live|test)_[A-Za-z0-9_-]+", fullmatch=True))
def test_redact__usual_keys_have_one_spelling(key: str) -> None:
    """In Go's JSON and in Jinja's HTML, too, which aren't looked for."""
    in_go = re.sub("[<>&]", lambda c: f"\\u{ord(c[0]):04x}", json.dumps(key)[1:-1])
    in_jinja = re.sub("[<>&'\"]", lambda c: f"&#{ord(c[0])};", key)
    assert [in_go] == [in_jinja] == ApiKey(key)._spellings()


def test_redact__short_keys_where_they_stand_alone() -> None:
    """They may be part of any word; eight characters aren't."""
    redact = ApiKey("test").redact
    assert redact(b"the latest testimony") == b"the latest testimony"
    assert redact(b'test "test"?k=test&_test') == b'[***] "[***]"?k=[***]&_test'
    assert redact(redact(b"a test")) == b"a [***]"
    assert ApiKey("12345678").redact(b"0123456789") == b"0[***]9"


@given(st.binary(), st.binary())
def test_redact__nothing_else(before: bytes, after: bytes) -> None:
    redacted = ApiKey(KEY).redact(KEY.encode().join([before, after, b""]))
    assert redacted == b"[***]".join([before, after, b""])


@pytest.mark.parametrize("spell", SPELLINGS)
def test_redact__truncated_within_the_key(spell: Callable[[str], str]) -> None:
    key = ApiKey('wk_+&"key')
    spelled = spell('wk_+&"key').encode()
    for length in range(1, len(spelled) + 1):
        left = key.redact(b"no such key: " + spelled[:length], truncated=True)
        assert left in {b"no such key: ", b"no such key: [***]"}
    assert key.redact(b"no such page", truncated=True) == b"no such page"


def test_redact__any_text() -> None:
    assert ApiKey(KEY).redact_text(f"{KEY} and ü\ud800") == "[***] and ü\ud800"
    redacted = ApiKey(KEY).redact_text("x" * (2**16 - 9) + KEY)
    assert redacted == "x" * (2**16 - 9)
