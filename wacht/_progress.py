"""
Who is told how far a walk has come: nobody, a caller's function, or a bar.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from typing import TYPE_CHECKING

from .errors import ConfigError, InvalidRequestError, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from .models import WalkProgress

    Report = Callable[[WalkProgress], object]


def reporting_to(
    progress: bool | Report,  # noqa: FBT001 - a keyword of the methods
) -> AbstractContextManager[Report | None]:
    """
    Settle who is told.

    Raises:
        ConfigError: A bar was asked for, and tqdm is not installed.
        InvalidRequestError: It is neither True, False nor callable.

    """
    if callable(progress):
        return nullcontext(progress)
    if progress is False:
        return nullcontext()
    if progress is not True:
        raise InvalidRequestError(
            f"progress: expected True, False or a function, got {shown(progress)}"
        )
    if find_spec("tqdm") is None:
        raise ConfigError(
            "progress=True needs tqdm: python -m pip install 'wacht[notebook]'"
        )
    return _bar()


@contextmanager
def _bar() -> Generator[Report]:
    from tqdm.auto import tqdm  # noqa: PLC0415 - an extra, and slow to import

    layout = "{n_fmt} contexts [{elapsed}, {rate_fmt}{postfix}]"  # no total to show
    with tqdm(bar_format=layout, unit="") as bar:

        def show(progress: WalkProgress) -> None:
            bar.set_postfix_str(_postfix(progress), refresh=False)
            bar.update(progress.contexts - bar.n)
            bar.refresh()

        yield show


def _postfix(progress: WalkProgress) -> str:
    pages = f"{progress.pages} page{'s' * (progress.pages != 1)}"
    if progress.waiting is None:
        return pages
    return f"{pages}, waiting {progress.waiting:.0f} s: {progress.reason}"
