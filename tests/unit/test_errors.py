"""Errors pickle and stay readable."""

from __future__ import annotations

import copy
import pickle

import pytest

import wacht
from wacht import ListExecutionContextsOptions

REST = ListExecutionContextsOptions(page=7, per_page=100, agent_id="agent_123")
SAMPLES = (
    wacht.WachtError(),
    wacht.ConfigError("the API key is empty"),
    wacht.InvalidRequestError("page: expected an integer"),
    wacht.RequestError("no whole answer", attempts=6),
    wacht.DecodeError("data[3].id: expected a string", body=b'{"data": ['),
    wacht.PaginationError("the service repeats pages"),
    wacht.DeadlineExceededError("the deadline of 5 s passed"),
    *(
        kind(418, "no tea", {"errors": [1]}, b"body", "request-1", 2.5, attempts=3)
        for kind in (wacht.ApiError, *wacht.ApiError.__subclasses__())
    ),
)


each_error = pytest.mark.parametrize("error", SAMPLES, ids=lambda e: type(e).__name__)


def test_samples__every_class() -> None:
    public = {getattr(wacht, name) for name in wacht.__all__}
    kinds = {k for k in public if isinstance(k, type) and issubclass(k, Exception)}
    assert {type(error) for error in SAMPLES} == kinds


@each_error
def test_error__pickles_with_resume_and_notes(error: wacht.WachtError) -> None:
    travelling = copy.copy(error)
    travelling.resume = REST
    travelling.add_note("seen by a worker")
    back = pickle.loads(pickle.dumps(travelling))  # noqa: S301 - our own
    assert type(back) is type(error)
    assert (back.args, vars(back)) == (error.args, vars(travelling))
    assert error.resume is None


@each_error
def test_error__repr_has_class_and_message(error: wacht.WachtError) -> None:
    assert repr(error) == f"{type(error).__name__}({str(error)!r})"


def test_error__repr_is_bounded() -> None:
    assert len(repr(wacht.ServerError(500, "\\'\"" * 2000))) < 550


def test_error__is_the_builtin_it_resembles() -> None:
    assert issubclass(wacht.ConfigError, ValueError)
    assert issubclass(wacht.InvalidRequestError, ValueError)
    assert issubclass(wacht.DeadlineExceededError, TimeoutError)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (wacht.WachtError(), ""),
        (wacht.NotFoundError(404, "no such path"), "404 Not Found: no such path"),
        (wacht.ApiError(799, "odd", attempts=2), "799: odd (after 2 attempts)"),
        (
            wacht.ServerError(500, "no", retry_after=42.5, attempts=1),
            "500 Internal Server Error: no (the service asks to wait 42.5 s)",
        ),
        (
            wacht.ServerError(599, "no", retry_after=0, attempts=6),
            "599: no (after 6 attempts; the service asks to wait 0 s)",
        ),
    ],
)
def test_error__says(error: wacht.WachtError, text: str) -> None:
    assert str(error) == text
