"""Errors pickle and stay readable."""

from __future__ import annotations

import copy
import pickle

import pytest

import wacht
from wacht import ListExecutionContextsOptions

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


def _name(value: object) -> str:
    return type(value).__name__


def test_samples__every_class() -> None:
    public = {getattr(wacht, name) for name in wacht.__all__}
    kinds = {k for k in public if isinstance(k, type) and issubclass(k, Exception)}
    assert {type(error) for error in SAMPLES} == kinds


@pytest.mark.parametrize("error", SAMPLES, ids=_name)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_error__pickles_with_all_attributes(
    error: wacht.WachtError, protocol: int
) -> None:
    """With `resume` and notes, too."""
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
def test_error__repr_has_class_and_message(error: wacht.WachtError) -> None:
    assert repr(error) == f"{type(error).__name__}({str(error)!r})"


def test_error__repr_is_bounded() -> None:
    assert len(repr(wacht.ServerError(500, "\\'\"" * 2000))) < 550


def test_error__without_arguments() -> None:
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
    with pytest.raises(builtin) as caught:
        raise kind("our message")
    assert str(caught.value) == "our message"


@pytest.mark.parametrize("kind", WITH_STATUS)
def test_api_error__says_status_and_message(kind: type[wacht.ApiError]) -> None:
    assert str(kind(404, "no such path")) == "404 Not Found: no such path"


def test_api_error__unknown_status() -> None:
    assert str(wacht.ApiError(799, "odd")) == "799: odd"


def test_api_error__says_attempts_and_wait() -> None:
    error = wacht.RateLimitError(429, "slow down", retry_after=42.5, attempts=6)
    assert str(error) == (
        "429 Too Many Requests: slow down "
        "(after 6 attempts; the service asks to wait 42.5 s)"
    )


def test_request_error__attributes() -> None:
    assert wacht.RequestError("reset", 6).attempts == 6
    assert wacht.RequestError("reset").attempts == 1


def test_decode_error__attributes() -> None:
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
    """All that an error has is in its arguments, so it pickles."""
    assert by_keyword.args == by_position.args
    back = pickle.loads(pickle.dumps(by_keyword))  # noqa: S301 - our own
    assert vars(back) == vars(by_position)
