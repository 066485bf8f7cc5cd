"""Progress goes nowhere, to the caller's function or to a bar."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest
from tqdm.auto import tqdm

import wacht
from wacht import WalkProgress
from wacht._pagination import progress as progress_module
from wacht._pagination.progress import open_report

NOON = 1_800_000_000.0


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what the bar has shown, without repeats and times."""
    shown = [line.rstrip() for line in capsys.readouterr().err.split("\r")]
    texts = [line.partition("/s, ")[2].rstrip("]\n") for line in shown if "/s" in line]
    return [text for text in dict.fromkeys(texts) if text]


@pytest.mark.parametrize(("progress", "expected"), [(False, None), (print, print)])
def test_open_report__off_and_function(progress: Any, expected: object) -> None:
    with open_report(progress) as report:
        assert report is expected


@pytest.mark.parametrize("progress", [None, 0, 1, "yes"])
def test_open_report__wrong_type(progress: Any) -> None:
    with pytest.raises(wacht.InvalidRequestError, match=r"^progress: expected "):
        open_report(progress)


def test_open_report__without_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(wacht.ConfigError, match="tqdm: install the extra `notebook`"):
        open_report(progress=True)


def test_bar__shows_contexts_pages_and_waits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_module, "time", lambda: NOON)
    with open_report(progress=True) as report:
        report(WalkProgress(pages=1, contexts=100))
        report(WalkProgress(pages=2, waiting=41.3, reason=f"a\nb{'c' * 30}"))
    end = time.strftime("%H:%M:%S", time.localtime(NOON + 41))
    waiting = f"waiting until {end}: a b{'c' * 21}…"
    assert lines(capsys) == ["1 page", waiting, "2 pages"]


def test_bar__with_a_total(capsys: pytest.CaptureFixture[str]) -> None:
    with open_report(progress=True, total=400) as report:
        report(WalkProgress(pages=1, contexts=100))
        report(WalkProgress(pages=2, contexts=150, complete=True))
    shown = capsys.readouterr().err
    assert " 25%|" in shown
    assert "| 100/400 [" in shown
    assert shown.rpartition("\r")[2].startswith("100%|")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # in the oldest ipywidgets
@pytest.mark.parametrize("total", [None, 100, 400])
@pytest.mark.parametrize(
    ("error", "complete", "style"),
    [
        (None, False, "success"),  # at its limit, or begun at a later page
        (GeneratorExit, True, "success"),
        (GeneratorExit, False, "danger"),
        (wacht.RequestError, False, "danger"),
    ],
)
def test_bar__colour_in_a_notebook(
    error: type[BaseException] | None,
    complete: bool,
    style: str,
    total: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("IPython")
    notebook = pytest.importorskip("tqdm.notebook")
    monkeypatch.setattr("tqdm.auto.tqdm", notebook.tqdm)
    opening = open_report(progress=True, total=total)
    report = opening.__enter__()
    bar = report.__self__._bar  # type: ignore[attr-defined]
    report(WalkProgress(pages=1, contexts=100, complete=complete))
    opening.__exit__(error, error and error("broken"), None)
    assert bar.container.children[1].bar_style == style


def test_bar__errors_do_not_reach_the_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_report(progress=True) as report, monkeypatch.context() as patch:
        patch.setattr(tqdm, "refresh", "no function")
        report(WalkProgress(pages=2, contexts=150))


# tqdm's finalizer fails, too, and says so on the same stream.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("stderr", [None, "broken"])
def test_bar__draws_nothing_without_stderr(
    stderr: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", stderr)
    with open_report(progress=True) as report:
        report(WalkProgress(pages=2, contexts=150))
