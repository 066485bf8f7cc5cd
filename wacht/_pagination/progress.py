"""Where the progress of a walk goes: nowhere, to the caller's function or to a bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from importlib.util import find_spec
from threading import Lock
from time import localtime, strftime, time
from typing import Any

from attrs import evolve

from wacht._text import install_hint, safe_line, safe_repr
from wacht._threads import PerProcess
from wacht._waiting import RequestBudget
from wacht.errors import ConfigError, InvalidRequestError
from wacht.models import WalkProgress

Report = Callable[[WalkProgress], object]

_SPENT = ("requests", "retries", "waited")
_REASON_LENGTH = 25  # for which 80 columns have about room
_LAYOUT = "{n_fmt} contexts [{elapsed}, {rate_noinv_fmt}{postfix}]"  # without a total


def open_report(
    progress: bool | Report,  # noqa: FBT001 - a keyword of the methods
    total: int | None = None,
) -> AbstractContextManager[Report | None]:
    """Return what a walk reports to; `total` is the most contexts that it gives."""
    if callable(progress):
        return nullcontext(progress)
    if progress is False:
        return nullcontext()
    if progress is not True:
        raise InvalidRequestError(
            f"progress: expected True, False or a function, got {safe_repr(progress)}"
        )
    if find_spec("tqdm") is None:
        raise ConfigError(f"progress=True needs tqdm: {install_hint('notebook')}")
    return _Bar(total)


class Reporter:
    """Report the progress of one walk, one call at a time."""

    def __init__(self, report: Report | None) -> None:
        self.progress = WalkProgress()  # what was reported last
        self._report = report
        self._lock = PerProcess(Lock)  # the threads that prefetch report their waits

    def send(self, budget: RequestBudget, **news: Any) -> None:
        """Report what is new, and what was spent; it waits only if that is news."""
        if self._report is None:
            return
        with self._lock.get():
            spent = {name: getattr(budget, name) for name in _SPENT}
            news = {"waiting": None, "reason": None, **news, **spent}
            self.progress = evolve(self.progress, **news)
            self._report(self.progress)

    def wait(self, budget: RequestBudget, seconds: float, reason: str) -> None:
        self.send(budget, waiting=seconds, reason=reason)


@contextmanager
def reporting(
    open_report: AbstractContextManager[Report | None], deadline: float | None
) -> Generator[tuple[Reporter, RequestBudget]]:
    """Open the report of a walk, and its budget, which is spent when it ends."""
    with open_report as report:
        reporter = Reporter(report)
        budget = RequestBudget(deadline, reporter.wait)
        try:
            yield reporter, budget
        finally:
            budget.stopped.set()


class _Bar:
    """Draw progress with tqdm, whose errors never reach the walk."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._progress = WalkProgress()

    def __enter__(self) -> Report:
        from tqdm.auto import tqdm  # noqa: PLC0415 - an extra, and slow to import

        total, off = self._total, sys.stderr is None
        layout = _LAYOUT if total is None else None
        with suppress(Exception):
            self._bar: Any = tqdm(total=total, unit="", bar_format=layout, disable=off)
        return self.report

    def __exit__(self, error: type[BaseException] | None, *_rest: object) -> None:
        self.report(evolve(self._progress, waiting=None))
        whole = error is None or self._progress.complete  # left at the last context
        with suppress(Exception):
            if whole and self._total is not None:
                self._bar.total = self._bar.n  # the list may be shorter than the limit
            self._bar.close()
            # Only a notebook's bar has colours.
            self._bar.disp(bar_style="success" if whole else "danger")

    def report(self, progress: WalkProgress) -> None:
        self._progress = progress
        with suppress(Exception):
            self._bar.n = progress.contexts
            self._bar.set_postfix_str(_postfix(progress))


def _postfix(progress: WalkProgress) -> str:
    if progress.waiting is None:
        return f"{progress.pages} page{'s' * (progress.pages != 1)}"
    end = strftime("%H:%M:%S", localtime(time() + progress.waiting))
    return f"waiting until {end}: {safe_line(progress.reason or '', _REASON_LENGTH)}"
