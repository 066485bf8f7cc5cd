"""
The sieve: each context once, and an end to lists that lead nowhere.
"""

from __future__ import annotations

from itertools import chain, count, cycle, repeat
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wacht import AiExecutionContext, ExecutionContextListResponse, PaginationError
from wacht._sieve import Sieve

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# A page by its ids: "abc" holds three contexts.
PAGES = st.text("abcdefgh", max_size=4)


def page(ids: Sequence[str], *, has_more: bool = True) -> ExecutionContextListResponse:
    return ExecutionContextListResponse(
        [AiExecutionContext(id=i) for i in ids], has_more
    )


def sift(pages: Iterable[Sequence[str]]) -> tuple[str, Sieve]:
    """Sift pages that all promise more; give the ids that came through."""
    sieve = Sieve()
    return "".join(str(c.id) for ids in pages for c in sieve.sift(page(ids))), sieve


def pages_until_error(pages: Iterable[Sequence[str]]) -> tuple[int, str]:
    """Sift pages until the sieve complains; tell how many it took, and what it said."""
    sieve = Sieve()
    for number, ids in enumerate(pages, start=1):
        try:
            sieve.sift(page(ids))
        except PaginationError as error:
            return number, str(error)
    raise AssertionError("the sieve let everything through")


@given(st.lists(st.integers(), unique=True), st.data())
def test_sift__any_split(numbers: list[int], data: st.DataObject) -> None:
    """Any split of different contexts into pages comes through as it is, in order."""
    sieve, rest, given_ids = Sieve(), list(map(str, numbers)), []
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        given_ids += [c.id for c in sieve.sift(page(rest[:size]))]
        rest = rest[size:]
    assert given_ids == list(map(str, numbers))
    assert sieve.duplicates == 0


@given(st.lists(PAGES))
def test_sift__whatever_comes(pages: list[str]) -> None:
    """Each id comes through at most once, in the order of its first appearance."""
    fresh, sieve = "", Sieve()
    for ids in pages:
        fresh += "".join(str(c.id) for c in sieve.sift(page(ids, has_more=False)))
    assert fresh == "".join(dict.fromkeys("".join(pages)))
    assert sieve.duplicates == len("".join(pages)) - len(fresh)


@pytest.mark.parametrize(
    "pages",
    [
        ["abc", "", "def"],
        ["", "abc"],
        ["abc", "", "", "def"],
        ["abc", "abc", "def"],
        ["abc", "abc", "abc", "def"],
        ["abc", "", "def", "", "ghi", "", "jkl", "", "mno"],
    ],
)
def test_sift__a_bad_page_in_the_middle(pages: list[str]) -> None:
    """An empty page, or one full of repeats, is walked over; the next one counts."""
    fresh, _ = sift(pages)
    assert fresh == "".join(dict.fromkeys("".join(pages)))


def test_sift__repeats_in_their_old_order() -> None:
    """Many additions at once bring all back that was read, and that is no circle."""
    read = ["ab", "cd", "ef", "gh", "ij", "kl"]
    fresh, sieve = sift([*read, *read[1:], "mn"])
    assert fresh == "abcdefghijklmn"
    assert sieve.duplicates == 10


def test_sift__twice_many_additions() -> None:
    """A walk that was thrown back twice still goes on."""
    fresh, _ = sift(["ab", "cd", "ef", "ab", "cd", "ab", "cd", "ef", "gh"])
    assert fresh == "abcdefgh"


@pytest.mark.parametrize(
    ("pages", "requests"),
    [
        (["abc"], 4),  # `page` is ignored
        (["abc", "def"], 7),
        (["abc", "def", "ghi"], 10),
        (["abc", ""], 4),
        ([""], 3),
        (["a", "b"], 7),
        (["abc", "bca", "cab"], 8),
    ],
)
def test_sift__a_circle(pages: list[str], requests: int) -> None:
    """A circle of pages is noticed after a few requests, whatever its length."""
    assert pages_until_error(cycle(pages))[0] == requests


@given(st.lists(PAGES, min_size=1, max_size=6))
def test_sift__any_circle(pages: list[str]) -> None:
    """No circle is walked through more than four times."""
    assert pages_until_error(cycle(pages))[0] <= max(4 * len(pages), 4)


@given(st.data())
def test_sift__a_shuffled_page(data: st.DataObject) -> None:
    """A service that gives the same contexts in ever new orders is left, too."""
    shuffled = (data.draw(st.permutations("abcdef")) for _ in count())
    assert pages_until_error(shuffled)[0] <= 1 + 3 * 6


@pytest.mark.parametrize("added", range(1, 8))
def test_sift__first_page_of_a_busy_list(added: int) -> None:
    """The first page again and again, with new contexts at its top, leads nowhere."""
    contexts = [str(number) for number in range(1000, 0, -1)]
    views = (contexts[-8 - added * n :][:8] for n in count())
    requests, said = pages_until_error(views)
    assert requests == 4
    assert "It seems to ignore which `page` is asked for" in said


def test_sift__stuck_at_the_end() -> None:
    """The last page over and over, after many pages, takes three requests to notice."""
    pages = [[str(number)] for number in range(500)]
    assert pages_until_error(chain(pages, repeat(pages[-1])))[0] == 503


def test_sift__the_last_page() -> None:
    """What has nothing behind it is never a circle."""
    sieve = Sieve()
    for _ in range(2):
        sieve.sift(page("abc"))
    for _ in range(9):
        assert sieve.sift(page("abc", has_more=False)) == []
    assert sieve.duplicates == 30


IGNORED = (
    "they ended with contexts of the first page. It seems to ignore which `page` is "
    "asked for: pass Session(pagination='offset') if it is of that revision, and leave "
    "it out if you passed it"
)


@pytest.mark.parametrize(
    ("pages", "number", "said"),
    [
        (["abc", "", "", ""], 3, "the last one was empty"),
        (["", "", ""], 3, "the last one was empty"),
        (["abc"] * 4, 3, IGNORED),
        (["abc", "def"] * 4, 5, "they ended with contexts that earlier pages had"),
    ],
)
def test_sift__what_it_says(pages: list[str], number: int, said: str) -> None:
    """The error tells what was seen and, where `page` was ignored, what to set."""
    assert pages_until_error(pages)[1] == (
        f"the last {number} pages led nowhere, though the service says that there is "
        f"more: {said}"
    )


def test_sift__same_id_other_content() -> None:
    """A context that has changed since it was given is no other context."""
    before = AiExecutionContext(id="1", title="before")
    after = AiExecutionContext(id="1", title="after")
    sieve = Sieve()
    for context, fresh in ((before, [before]), (after, [])):
        page = ExecutionContextListResponse([context], has_more=True)
        assert sieve.sift(page) == fresh


def test_sift__many_pages_without_ids() -> None:
    """A list without ids goes on as long as its contexts differ."""
    sieve = Sieve()
    for number in range(99):
        context = AiExecutionContext(title=str(number))
        page = ExecutionContextListResponse([context], has_more=True)
        assert sieve.sift(page) == [context]


def test_sift__without_ids() -> None:
    """Contexts without an id all come through, alike or not."""
    some = [AiExecutionContext(title="a"), AiExecutionContext(title="b")]
    sieve = Sieve()
    for _ in range(2):
        assert sieve.sift(ExecutionContextListResponse(some, has_more=True)) == some
    assert sieve.duplicates == 0


def test_sift__a_circle_without_ids() -> None:
    """A circle is noticed by the content of its contexts, if they have no ids."""
    page = ExecutionContextListResponse([AiExecutionContext(title="a")], has_more=True)
    sieve = Sieve()
    for _ in range(3):
        sieve.sift(page)
    with pytest.raises(PaginationError, match="led nowhere"):
        sieve.sift(page)
