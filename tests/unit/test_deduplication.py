"""Each context once, and pages without progress."""

from __future__ import annotations

import pytest

from wacht import AiExecutionContext, PaginationError
from wacht._pagination.deduplication import Deduplicator, StallDetector
from wacht._protocol.windows import Run, Window


def run(ids: str, *, has_more: bool = True) -> Run:
    contexts = [AiExecutionContext(id=id_) for id_ in ids]
    return Run(Window(0, 10), contexts, has_more)


def test_deduplicator__gives_each_id_once() -> None:
    given = Deduplicator()
    assert given.fresh(run("abca")) == run("abc").contexts
    assert given.fresh(run("cd")) == run("d").contexts
    assert given.duplicates == 2
    assert given.order() == {"a": 0, "b": 1, "c": 2, "d": 3}


def test_deduplicator__gives_contexts_without_an_id_each_time() -> None:
    """Two that are alike may be two."""
    given = Deduplicator()
    contexts = [AiExecutionContext(title="x"), AiExecutionContext(title="x")]
    assert given.fresh(Run(Window(0, 2), contexts, has_more=False)) == contexts
    assert given.duplicates == 0
    assert given.is_known(AiExecutionContext(title="x"))
    assert not given.is_known(AiExecutionContext(title="y"))


def test_deduplicator__of_a_resumed_walk_copies_what_was_given() -> None:
    seen = {"a": None}
    given = Deduplicator(seen)
    assert given.fresh(run("ab")) == run("b").contexts
    assert seen == {"a": None}


def check(pages: list[str], *, most: int = 3, overlapping: bool = False) -> None:
    given = Deduplicator()
    stalls = StallDetector(given, most, overlapping=overlapping)
    for page in pages:
        stalls.check(run(page))
        given.fresh(run(page))


@pytest.mark.parametrize(
    "pages",
    [
        pytest.param(["ab", "cd", "ef"], id="all new"),
        pytest.param(["abc", "bcd", "cde"], id="shifted by one"),
        pytest.param(["abcdef", "ab", "cd", "ef", "gh"], id="all old, in their order"),
        pytest.param(["ab", "", "", "cd"], id="two empty pages"),
        pytest.param(["ab", "ab", "ab", "bc"], id="repeats that end"),
    ],
)
def test_stalls__that_lead_on(pages: list[str]) -> None:
    check(pages)


@pytest.mark.parametrize(
    ("pages", "message"),
    [
        (["ab", "ab", "ab", "ab", "ab"], "had contexts of earlier pages"),
        (["ab", "cd", "ab", "cd", "ab", "cd", "ab"], "had contexts of earlier pages"),
        (["ab", "", "", "", ""], "were empty"),
        (["abcd", "ab", "ef"], "repeated a page and then skipped one"),
    ],
)
def test_stalls__that_dont(pages: list[str], message: str) -> None:
    with pytest.raises(PaginationError, match=message):
        check(pages)


def test_stalls__of_overlapping_windows() -> None:
    """Any new context is enough, wherever it stands."""
    check(["abcd", "eab", "fab", "gab", "hab"], overlapping=True)
    with pytest.raises(PaginationError):
        check(["abcd", "ab", "ab", "ab"], overlapping=True)


def test_stalls__the_last_page_may_repeat() -> None:
    given = Deduplicator()
    stalls = StallDetector(given, 1, overlapping=False)
    given.fresh(run("ab"))
    stalls.check(run("ab", has_more=False))
