"""
Calls that are wrong in themselves are Python's TypeErrors, and say what would be right.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest

import wacht

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CALLS: list[Callable[..., object]] = [
    wacht.Session.fetch_execution_contexts,
    wacht.Session.iter_execution_contexts,
    wacht.Session.iter_execution_context_pages,
]


@pytest.fixture
def session() -> Iterator[wacht.Session]:
    """A session that nobody will send anything with."""
    with wacht.Session("k", throttle=None) as session:
        yield session


@pytest.mark.parametrize("call", CALLS)
def test_call__misspelt_option(call: Callable[..., Any], session: Any) -> None:
    """An option that does not exist is refused at the call, with those that do."""
    with pytest.raises(TypeError, match=r"'agnet_id'; the options are page, per_page"):
        call(session, agnet_id="agent_123")


@pytest.mark.parametrize("call", CALLS[1:])
def test_walk__misspelt_option(call: Callable[..., Any], session: Any) -> None:
    """A walk names the options that it alone has, too."""
    with pytest.raises(TypeError, match=r"'prefech'; .* prefetch, deadline, progress"):
        call(session, prefech=4)


@pytest.mark.parametrize("call", CALLS)
def test_call__options_of_another_kind(call: Callable[..., Any], session: Any) -> None:
    """Options are `ListExecutionContextsOptions`, and no dict."""
    with pytest.raises(TypeError, match=r"its fields by keyword, got \{'page': 1\}"):
        call(session, {"page": 1})


def test_keywords__laid_over_options(session: wacht.Session) -> None:
    """Keywords are checked as the options are, over which they are laid."""
    options = wacht.ListExecutionContextsOptions(page=3)
    with pytest.raises(wacht.InvalidRequestError, match="per_page"):
        session.fetch_execution_contexts(options, per_page=101)


def test_session__does_not_pickle(session: wacht.Session) -> None:
    """A session holds a key, and does not travel."""
    with pytest.raises(TypeError, match="make one where you need it"):
        pickle.dumps(session)
