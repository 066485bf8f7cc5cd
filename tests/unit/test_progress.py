"""
Who is told of the progress: nobody, a caller's function, or a bar.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from tqdm.auto import tqdm

from tests.model import Service, endpoint_of
from wacht import (
    ConfigError,
    ExecutionContextListResponse,
    InvalidRequestError,
    ListExecutionContextsOptions,
    RequestError,
    WalkProgress,
)
from wacht._paging import Walk
from wacht._progress import reporting_to

if TYPE_CHECKING:
    from wacht._waiting import Watch


def bars() -> int:
    """Count the bars that are open."""
    return len(tqdm._instances)


def test_reporting_to__nobody() -> None:
    """Without progress there is nobody to tell."""
    with reporting_to(progress=False) as report:
        assert report is None


def test_reporting_to__a_function() -> None:
    """A caller's function is told as it is."""
    told: list[WalkProgress] = []
    with reporting_to(told.append) as report:
        assert report == told.append


@pytest.mark.parametrize("progress", [None, 0, 1, "yes", [True]])
def test_reporting_to__anything_else(progress: Any) -> None:
    """What is neither True, False nor callable is refused, at once."""
    with pytest.raises(InvalidRequestError, match=r"^progress: expected .*, got "):
        reporting_to(progress)


def test_reporting_to__without_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where tqdm is missing, the error says which extra to install, at once."""
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ConfigError, match=r"python -m pip install 'wacht\[notebook\]'"):
        reporting_to(progress=True)


def test_bar__not_before_the_walk() -> None:
    """The bar appears with the first page that is asked for, not at the call."""
    reporting = reporting_to(progress=True)
    assert bars() == 0
    with reporting:
        assert bars() == 1


def test_bar__what_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    """The bar shows contexts and pages, and why it waits, and no wait that is over."""
    with reporting_to(progress=True) as report:
        assert report is not None
        report(WalkProgress(pages=1, contexts=100))
        report(
            WalkProgress(pages=1, contexts=100, waiting=42.3, reason="rate limit (429)")
        )
        report(WalkProgress(pages=2, contexts=150, complete=True))
    shown = [line for line in capsys.readouterr().err.split("\r") if ", " in line]
    _, first, waiting, *_, last = shown
    assert first.startswith("100 contexts [")
    assert first.rstrip().endswith(", 1 page]")
    assert ", 1 page, waiting 42 s: rate limit (429)]" in waiting
    assert last.startswith("150 contexts [")
    assert last.rstrip().endswith(", 2 pages]")


@pytest.mark.parametrize("end", ["complete", "left", "error"])
def test_bar__closed(end: str, capsys: pytest.CaptureFixture[str]) -> None:
    """However the walk ends, the bar is closed behind it, on a line of its own."""
    fetch = endpoint_of(Service(250)).page

    def failing(
        options: ListExecutionContextsOptions, watch: Watch
    ) -> ExecutionContextListResponse:
        if end == "error" and options.page == 2:
            raise RequestError("refused")
        return fetch(options, watch)

    whole = Walk(  # by which the bar is still referred to when it should be closed
        failing,
        ListExecutionContextsOptions(),
        prefetch=0,
        deadline=None,
        reporting=reporting_to(progress=True),
    )
    walk = whole.contexts()
    next(walk)
    assert bars() == 1
    if end == "left":
        walk.close()
    elif end == "error":
        with pytest.raises(RequestError):
            next(contexts for contexts in walk if contexts is None)
    else:
        assert len([*walk]) == 249
    assert bars() == 0
    assert capsys.readouterr().err.endswith("\n")
