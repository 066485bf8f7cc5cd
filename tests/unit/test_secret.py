"""
The key: what can be one, that nothing shows it, and that it is blacked out.
"""

from __future__ import annotations

import copy
import html
import json
import pickle
import traceback
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import wacht
from tests import strategies
from wacht import ConfigError
from wacht._secret import Secret, environment_digest
from wacht.errors import shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

KEY = "wk_live_0123456789abcdef"
UNUSABLE_KEYS = [
    f"{KEY[:9]}\n{KEY[9:]}",
    f"{KEY[:9]} {KEY[9:]}",
    f"{KEY}\tx",
    f"{KEY}\rx",
    f"{KEY}\x7f",
    f"{KEY}é",
    f"{KEY}\N{ZERO WIDTH SPACE}",
    f"\N{BYTE ORDER MARK}{KEY}",
    f"{KEY}\udc80",
    f"{KEY}\N{NO-BREAK SPACE}x",
    f"{KEY}\N{EM DASH}",
]


def _frames_of_ours(error: BaseException) -> list[FrameType]:
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return [f for f in frames if f.f_globals["__name__"].partition(".")[0] == "wacht"]


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain


def _all_that_is_shown(error: BaseException) -> str:
    """
    Tell what a traceback with local variables would show of our frames, and more.
    """
    texts: list[str] = []
    for link in _chain(error):
        texts += [str(link), repr(link), repr(link.args), repr(vars(link))]
        for frame in _frames_of_ours(link):
            texts += [shown(value, 10**6) for value in frame.f_locals.values()]
    return "\n".join(texts)


def _check_that_nothing_shows(error: ConfigError) -> None:
    assert "the API key holds white space" in str(error)
    assert _frames_of_ours(error)
    assert KEY[:9] not in _all_that_is_shown(error)


@pytest.mark.parametrize("key", [*UNUSABLE_KEYS, f"{KEY}\x00x"], ids=ascii)
def test_api_key__refused_without_being_shown(key: str) -> None:
    """
    A key that cannot be sent is shown nowhere: not in the error, its chain, our frames.
    """
    with pytest.raises(ConfigError) as caught:
        wacht.Session(key)
    _check_that_nothing_shows(caught.value)


@pytest.mark.parametrize("key", UNUSABLE_KEYS, ids=ascii)
def test_api_key__of_environment_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """
    Where such a key stands in the environment, it is not shown either.
    """
    monkeypatch.setenv("WACHT_API_KEY", key)
    with pytest.raises(ConfigError) as caught:
        wacht.Session()
    _check_that_nothing_shows(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "ftp://x"},
        {"timeout": 0},
        {"http": "no session"},
        {"retry": 3},
        {"throttle": 5},
        {"pagination": "cursor"},
        {"max_response_bytes": 0},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_api_key__not_shown_by_another_error(wrong: dict[str, Any]) -> None:
    """
    Where another setting is refused, a good key is not shown either.
    """
    with pytest.raises(ConfigError) as caught:
        wacht.Session(KEY, **wrong)
    assert KEY not in _all_that_is_shown(caught.value)
    assert str(caught.value).startswith(f"{next(iter(wrong))}: ")


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "the API key is empty: check WACHT_API_KEY or api_key"),
        (" \n\t", "the API key is empty: check WACHT_API_KEY or api_key"),
        (KEY.encode(), "api_key: expected a string, got bytes"),
        (12345, "api_key: expected a string, got int"),
    ],
)
def test_api_key__none_to_speak_of(key: Any, message: str) -> None:
    """
    An empty key is refused, and so is one that is no string.
    """
    with pytest.raises(ConfigError) as caught:
        wacht.Session(key)
    assert str(caught.value) == message
    assert str(key) not in repr(caught.value) or not str(key).strip()


def test_api_key__missing() -> None:
    """
    Without a key anywhere, the error says where to put one.
    """
    with pytest.raises(ConfigError, match="WACHT_API_KEY in the environment, or pass"):
        wacht.Session()


@pytest.mark.parametrize("space", [" ", "\n", "\r\n", "\t", "\N{NO-BREAK SPACE}"])
def test_api_key__surrounding_space_dropped(
    monkeypatch: pytest.MonkeyPatch, space: str
) -> None:
    """
    White space around a key, as files and clipboards add it, is dropped.
    """
    monkeypatch.setenv("WACHT_API_KEY", f"{space}{KEY}{space}")
    for secret in (Secret(f"{space}{KEY}{space}"), Secret(None)):
        secret.check()
        assert secret.reveal() == KEY


def test_api_key__given_one_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The environment is asked only where no key is given.
    """
    monkeypatch.setenv("WACHT_API_KEY", "of the environment")
    assert Secret(KEY).reveal() == KEY


@given(strategies.api_keys)
def test_secret__printable_ascii_accepted(key: str) -> None:
    """
    A key of printable ASCII is usable, and goes out as it came in.
    """
    secret = Secret(key)
    secret.check()
    assert secret.reveal() == key


def test_secret__shows_nothing() -> None:
    """
    The secret has no representation of use, no dict, and does not pickle or copy.
    """
    secret = Secret(KEY)
    assert repr(secret) == str(secret) == f"{secret}" == "<Secret>"
    assert not hasattr(secret, "__dict__")
    for carry in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match=r"^an API key does not travel"):
            carry(secret)


def test_secret__digest_tells_keys_apart() -> None:
    """
    Equal keys have equal digests, others have others, and none betrays the key.
    """
    assert Secret(KEY).digest() == Secret(f" {KEY}").digest()
    assert Secret(KEY).digest() != Secret(f"{KEY}0").digest()
    assert KEY.encode() not in Secret(KEY).digest()
    assert Secret(KEY).digest() != blake2b(KEY.encode()).digest()  # or one could guess


def test_environment_digest__tells_environments_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Another key or base URL is another environment; nothing else is, and none shows.
    """
    seen = [environment_digest()]
    for name in ("WACHT_API_KEY", "WACHT_BASE_URL"):
        for value in ("one", "other"):
            monkeypatch.setenv(name, value)
            seen.append(environment_digest())
    assert len({*seen}) == len(seen)
    monkeypatch.setenv("WACHT_SOMETHING", "else")
    assert environment_digest() == seen[-1]
    assert environment_digest() != blake2b(repr(("other", "other")).encode()).digest()


@given(strategies.api_keys)
@example('wk_"quoted"')
@example("wk_back\\slash\\")
@example("wk/with+and=&<>'")
@example("\\" * 8)
def test_redact__every_spelling(key: str) -> None:
    """
    A key is blacked out as it is, and as JSON, HTML and URLs spell it.
    """
    in_json = json.dumps(key)[1:-1]
    for spelling in (
        key,
        in_json,
        in_json.replace("/", "\\/"),
        html.escape(key),
        quote(key),
        quote(key, safe=""),
    ):
        assert Secret(key).redact(spelling.encode()) == b"[***]"


@given(st.binary(), st.binary())
def test_redact__nothing_else(before: bytes, after: bytes) -> None:
    """
    What stands around a key stays as it is, text or not.
    """
    key = KEY.encode()
    redacted = Secret(KEY).redact(before + key + after)
    assert redacted == before + b"[***]" + after


def test_redact__every_occurrence() -> None:
    """
    However often a key stands in a text, each time is blacked out.
    """
    text = f"{KEY}, {KEY} and ü\ud800"
    assert Secret(KEY).redact_text(text) == "[***], [***] and ü\ud800"


DISGUISES = {
    "JSON escapes": "".join(f"\\u{ord(c):04x}" for c in KEY),
    "one JSON escape": KEY.replace("l", "\\u006C"),
    "percent": "".join(f"%{ord(c):02x}" for c in KEY),
    "an entity": KEY.replace("_", "&lowbar;"),
    "numbered entities": "".join(f"&#{ord(c)};" for c in KEY),
    "JSON around HTML": KEY.replace("_", "\\u0026#x0000005F;"),
}


@pytest.mark.parametrize("before", [0, 2**16 - 9, 2**17])
@pytest.mark.parametrize("disguise", DISGUISES.values(), ids=DISGUISES)
def test_redact__in_disguise(disguise: str, before: int) -> None:
    """
    A text that spells the key in a way that nobody foresaw is withheld.
    """
    redacted = Secret(KEY).redact(b" " * before + disguise.encode())
    assert redacted.startswith(b"[withheld")


@pytest.mark.parametrize("digits", [7, 8, 4300, 5000])
def test_redact__a_number_with_zeros(digits: int) -> None:
    """
    A reference may begin with more zeros than Python reads.
    """
    text = KEY.replace("_", f"&#{ord('_'):0{digits}};")
    assert Secret(KEY).redact_text(text).startswith("[withheld")


@pytest.mark.parametrize("digits", [7, 8, 4300, 5000])
def test_redact__a_number_of_no_character(digits: int) -> None:
    """
    A reference to no character, of more digits than Python reads, hides nothing.
    """
    text = f"&#{'1' * digits};"
    assert Secret(KEY).redact_text(f"{text} {KEY}") == f"{text} [***]"


@pytest.mark.parametrize("length", range(1, len(KEY) + 1))
def test_redact__cut_within_the_key(length: int) -> None:
    """
    Where a limit cut the key in two, what came of it goes too.
    """
    data = b"no such key: " + KEY[:length].encode()
    assert KEY[:length].encode() not in Secret(KEY).redact(data, cut=True)
    assert Secret(KEY).redact(b"no such page", cut=True) == b"no such page"


@pytest.mark.parametrize(
    "spell", [quote, html.escape, lambda key: json.dumps(key)[1:-1]]
)
def test_redact__cut_within_a_spelling(spell: Callable[[str], str]) -> None:
    """
    Where the key is spelled in another way and cut in two, what came goes as well.
    """
    key = 'wk_+&"key'
    secret, spelled = Secret(key), spell(key).encode()
    for length in range(1, len(spelled) + 1):
        left = secret.redact(b"no such key: " + spelled[:length], cut=True)
        assert left in {b"no such key: ", b"no such key: [***]"}


@pytest.mark.parametrize("key", ["k", "key", "[", "e", "wk"])
def test_redact__twice(key: str) -> None:
    """
    What is blacked out stays legible when it is blacked out once more.
    """
    secret = Secret(key)
    once = secret.redact_text("unknown host: key")
    assert secret.redact_text(once) == once or key == "["
