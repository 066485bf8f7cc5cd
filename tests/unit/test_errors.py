"""
Errors travel and stay readable.
"""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wacht
from tests import strategies
from wacht import ListExecutionContextsOptions
from wacht.errors import shown

if TYPE_CHECKING:
    from collections.abc import Callable

REST = ListExecutionContextsOptions(page=7, per_page=100, agent_id="agent_123")

WITH_STATUS = (
    wacht.ApiError,
    wacht.BadRequestError,
    wacht.AuthenticationError,
    wacht.PermissionDeniedError,
    wacht.NotFoundError,
    wacht.RateLimitError,
    wacht.ServerError,
)
SAMPLES = (
    wacht.WachtError("something"),
    wacht.ConfigError("the API key is empty"),
    wacht.InvalidRequestError("page: expected an integer"),
    wacht.RequestError("no whole answer", 6),
    wacht.DecodeError("data[3].id: expected a string, got an object", b'{"data": ['),
    wacht.PaginationError("the service repeats pages"),
    wacht.DeadlineExceededError("the deadline of 5 s passed"),
    *(
        kind(418, "no tea", {"errors": [1]}, b"body", "request-1", 2.5, 3)
        for kind in WITH_STATUS
    ),
)


class BrokenRepr:
    def __repr__(self) -> str:
        raise RuntimeError("no repr today")


class BrokenText(str):
    __slots__ = ()

    def __repr__(self) -> str:
        raise RuntimeError("no repr today")

    def __getitem__(self, index: object) -> str:
        raise RuntimeError("no slices either")


class TwoLines:
    def __repr__(self) -> str:
        return "two\nlines \x1b[2J"


def _deep_list() -> list[object]:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


def _name(value: object) -> str:
    return type(value).__name__


def test_samples__every_class() -> None:
    """
    The samples of this file leave out no error of the package.
    """
    public = {getattr(wacht, name) for name in wacht.__all__}
    kinds = {k for k in public if isinstance(k, type) and issubclass(k, Exception)}
    assert {type(error) for error in SAMPLES} == kinds


@pytest.mark.parametrize("error", SAMPLES, ids=_name)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_error__pickles_with_all_attributes(
    error: wacht.WachtError, protocol: int
) -> None:
    """
    An error comes out of a pickle as it went in, with `resume` and notes.
    """
    travelling = copy.copy(error)
    travelling.resume = REST
    travelling.add_note("seen by a worker")
    back = pickle.loads(pickle.dumps(travelling, protocol))  # noqa: S301 - our own
    assert type(back) is type(error)
    assert back.args == error.args
    assert vars(back) == vars(travelling)
    assert (str(back), repr(back)) == (str(error), repr(error))
    assert back.resume == REST
    assert error.resume is None


@pytest.mark.parametrize("error", SAMPLES, ids=_name)
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_error__copies(
    error: wacht.WachtError, copied: Callable[[wacht.WachtError], wacht.WachtError]
) -> None:
    """
    A copy of an error has what the error has.
    """
    back = copied(error)
    assert type(back) is type(error)
    assert (back.args, vars(back)) == (error.args, vars(error))


@pytest.mark.parametrize("error", SAMPLES, ids=_name)
def test_error__repr_has_class_and_message(error: wacht.WachtError) -> None:
    """
    The representation names the class and quotes the message.
    """
    assert repr(error) == f"{type(error).__name__}({str(error)!r})"


def test_error__repr_is_bounded() -> None:
    """
    A message that needs escapes makes no endless representation.
    """
    assert len(repr(wacht.ServerError(500, "\\'\"" * 2000))) < 550


def test_error__without_arguments() -> None:
    """
    An error that was raised without a message has an empty one.
    """
    assert (str(wacht.WachtError()), repr(wacht.WachtError())) == ("", "WachtError('')")


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (wacht.ConfigError, ValueError),
        (wacht.InvalidRequestError, ValueError),
        (wacht.DeadlineExceededError, TimeoutError),
    ],
)
def test_error__is_the_builtin_it_resembles(
    kind: type[wacht.WachtError], builtin: type[Exception]
) -> None:
    """
    Whoever catches the builtin catches ours, with our words.
    """
    with pytest.raises(builtin) as caught:
        raise kind("our words")
    assert str(caught.value) == "our words"


@pytest.mark.parametrize("kind", WITH_STATUS)
def test_api_error__says_status_and_message(kind: type[wacht.ApiError]) -> None:
    """
    The message names the status in words, and then what the service said.
    """
    assert str(kind(404, "no such path")) == "404 Not Found: no such path"


def test_api_error__unknown_status() -> None:
    """
    A status that has no name stands for itself.
    """
    assert str(wacht.ApiError(799, "odd")) == "799: odd"


def test_api_error__says_attempts_and_wait() -> None:
    """
    The message tells how often was asked, and how long the service asks to wait.
    """
    error = wacht.RateLimitError(429, "slow down", retry_after=42.5, attempts=6)
    assert str(error) == (
        "429 Too Many Requests: slow down "
        "(after 6 attempts; the service asks to wait 42.5 s)"
    )


def test_api_error__says_a_second_attempt() -> None:
    """
    One attempt is what everybody expects, and two are worth a word.
    """
    assert str(wacht.ApiError(500, "oops", attempts=1)).endswith("oops")
    assert str(wacht.ApiError(500, "oops", attempts=2)).endswith(" (after 2 attempts)")


@pytest.mark.parametrize("kind", WITH_STATUS)
def test_api_error__attributes(kind: type[wacht.ApiError]) -> None:
    """
    Each argument is an attribute; what the service did not send is None or empty.
    """
    error = kind(418, "no tea", [1], b"body", "request-1", 2.5, 3)
    assert (error.status, error.message, error.details) == (418, "no tea", [1])
    assert (error.body, error.request_id) == (b"body", "request-1")
    assert (error.retry_after, error.attempts) == (2.5, 3)
    error = kind(500, "oops")
    assert (error.details, error.request_id, error.retry_after) == (None, None, None)
    assert (error.body, error.attempts) == (b"", 1)


def test_request_error__attributes() -> None:
    """
    The error of the wire knows how often was asked.
    """
    assert wacht.RequestError("reset", 6).attempts == 6
    assert wacht.RequestError("reset").attempts == 1


def test_decode_error__attributes() -> None:
    """
    The error of a body has the body.
    """
    assert wacht.DecodeError("no page", b"body").body == b"body"
    assert wacht.DecodeError("no page").body == b""


@pytest.mark.parametrize(
    ("by_keyword", "by_position"),
    [
        (
            wacht.ApiError(status=500, message="oops", attempts=2),
            wacht.ApiError(500, "oops", None, b"", None, None, 2),
        ),
        (
            wacht.RequestError(message="reset", attempts=2),
            wacht.RequestError("reset", 2),
        ),
        (
            wacht.DecodeError(message="no page", body=b"x"),
            wacht.DecodeError("no page", b"x"),
        ),
    ],
    ids=_name,
)
def test_error__made_by_keyword(
    by_keyword: wacht.WachtError, by_position: wacht.WachtError
) -> None:
    """
    However an error was made, all that it has is in its arguments, so it pickles.
    """
    assert by_keyword.args == by_position.args
    back = pickle.loads(pickle.dumps(by_keyword))  # noqa: S301 - our own
    assert vars(back) == vars(by_position)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        ("ids", "'ids'"),
        (10**5000, "<int>"),
        (BrokenRepr(), "<BrokenRepr>"),
        (BrokenText("x"), "<BrokenText>"),
        (_deep_list(), "<list>"),
        (TwoLines(), r"'two\nlines \x1b[2J'"),
        ("\ud800", r"'\ud800'"),
        ("x" * 78, f"'{'x' * 78}'"),
        ("x" * 79, f"'{'x' * 78}…"),
        (b"x" * 10**6, f"b'{'x' * 77}…"),
    ],
    ids=lambda value: None if isinstance(value, str) else _name(value),
)
def test_shown__any_value(value: object, text: str) -> None:
    """
    Whatever a caller passes can be shown in one short line.
    """
    assert shown(value) == text


@given(strategies.json_values() | st.binary())
def test_shown__bounded_and_printable(value: object) -> None:
    """
    What is shown is printable and no longer than asked.
    """
    text = shown(value, 30)
    assert len(text) <= 30
    assert text.isprintable()
