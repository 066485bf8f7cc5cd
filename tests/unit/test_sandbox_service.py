"""What the sandbox answers where nothing goes wrong, and whom it refuses."""

import json
from collections import UserDict
from typing import Any

import pytest

from wacht.sandbox.service import Limits, Revision, listing, refused

CONTEXTS = [
    {
        "id": str(number),
        "agent_id": "ab"[number % 2],
        "workflow_id": "xyz"[number % 3],
        "status": ("idle", "failed")[number % 2],
        "context_group": "gh"[number // 125],
    }
    for number in range(250)
]
OFFSET_REVISIONS = ["offset", "offset-without-echo"]
TEXT = {"Content-Type": "text/plain; charset=utf-8"}


def _ask(revision: Revision, query: dict[str, str]) -> dict[str, Any]:
    answer = listing(revision, CONTEXTS, "GET", "/ai/execution-contexts", query)
    assert answer.status == 200
    assert answer.headers == {"Content-Type": "application/json"}
    page: dict[str, Any] = json.loads(answer.body)
    return page


def _numbers(page: dict[str, Any]) -> list[int]:
    return [int(context["id"]) for context in page["data"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, range(20)),
        ({"page": "1"}, range(20)),
        ({"page": "0"}, range(20)),
        ({"page": "2"}, range(20, 40)),
        ({"page": "13"}, range(240, 250)),
        ({"page": "14"}, range(0)),
        ({"per_page": "100"}, range(100)),
        ({"per_page": "101"}, range(100)),
        ({"per_page": "0"}, range(1)),
        ({"page": "3", "per_page": "100"}, range(200, 250)),
        ({"limit": "7", "offset": "9", "status": "idle", "x": "y"}, range(20)),
    ],
)
def test_page_revision__page_and_per_page(
    query: dict[str, str], expected: range
) -> None:
    """Pages count from 1 and have 1 to 100 contexts; unknown keys are ignored."""
    page = _ask("page", query)
    assert set(page) == {"data", "has_more"}
    assert _numbers(page) == list(expected)


@pytest.mark.parametrize("page", ["1", "2"])
def test_has_more__before_the_last_page(page: str) -> None:
    """A page with others behind it says so."""
    assert _ask("page", {"page": page, "per_page": "100"})["has_more"] is True


@pytest.mark.parametrize(("page", "per_page"), [("3", "100"), ("5", "50"), ("9", "50")])
def test_has_more__last_page(page: str, per_page: str) -> None:
    """The last page says that there are no more, full or not, and so do all beyond."""
    answer = _ask("page", {"page": page, "per_page": per_page})
    assert answer["has_more"] is False


def test_page_revision__filters() -> None:
    """Both filters hold, and pages are counted among what they leave."""
    page = _ask(
        "page",
        {"agent_id": "a", "workflow_id": "y", "page": "2", "per_page": "5"},
    )
    expected = [n for n in range(250) if n % 2 == 0 and n % 3 == 1]
    assert _numbers(page) == expected[5:10]


def test_page_revision__field_that_is_absent() -> None:
    """A context without the field is no match for a filter."""
    contexts = [{"id": "1"}]
    path, query = "/ai/execution-contexts", {"agent_id": "a"}
    answer = listing("page", contexts, "GET", path, query)
    assert json.loads(answer.body)["data"] == []


@pytest.mark.parametrize("revision", OFFSET_REVISIONS)
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, range(50)),
        ({"limit": "100"}, range(100)),
        ({"limit": "101"}, range(100)),
        ({"limit": "0"}, range(1)),
        ({"offset": "240"}, range(240, 250)),
        ({"offset": "250"}, range(0)),
        ({"limit": "3", "offset": "4"}, range(4, 7)),
        ({"page": "2", "per_page": "100", "agent_id": "a"}, range(50)),
        ({"workflow_id": "x"}, range(50)),
    ],
)
def test_offset_revisions__limit_and_offset(
    revision: Revision, query: dict[str, str], expected: range
) -> None:
    """They go by limit and offset, and ignore pages, agents and workflows."""
    assert _numbers(_ask(revision, query)) == list(expected)


@pytest.mark.parametrize("revision", OFFSET_REVISIONS)
def test_offset_revisions__filters(revision: Revision) -> None:
    """They filter by status and group."""
    page = _ask(
        revision,
        {"status": "failed", "context_group": "h", "limit": "4", "offset": "1"},
    )
    assert _numbers(page) == [127, 129, 131, 133]
    assert page["has_more"] is True


def test_offset_revision__echoes_what_was_applied() -> None:
    """The answer has limit and offset as numbers, after the limits of the limit."""
    page = _ask("offset", {"limit": "500", "offset": "200"})
    assert {key: page[key] for key in page if key != "data"} == {
        "has_more": False,
        "limit": 100,
        "offset": 200,
    }


def test_offset_without_echo__no_echo() -> None:
    """The older build has the two fields of the page revision alone."""
    assert set(_ask("offset-without-echo", {"limit": "5"})) == {"data", "has_more"}


@pytest.mark.parametrize(
    ("revision", "key"),
    [
        ("page", "page"),
        ("page", "per_page"),
        ("offset", "limit"),
        ("offset", "offset"),
        ("offset-without-echo", "offset"),
    ],
)
@pytest.mark.parametrize("value", ["", "abc", "-1", "+1", "1.5", " 1", "٣", "9" * 5000])
def test_number__unreadable(revision: Revision, key: str, value: str) -> None:
    """A value that isn't a number is a bad request, in the words of the service."""
    answer = listing(revision, CONTEXTS, "GET", "/ai/execution-contexts", {key: value})
    expected = f"Failed to deserialize query string: {key}: invalid digit found"
    assert (answer.status, answer.headers) == (400, TEXT)
    assert answer.body.decode() == f"{expected} in string"


def test_number__large() -> None:
    """A page far beyond the end is an empty one."""
    assert _ask("page", {"page": "9" * 18}) == {"data": [], "has_more": False}


def test_listing__mappings_of_any_kind() -> None:
    """A context may be any mapping, not a dict alone, and text isn't escaped."""
    contexts = [UserDict(id="1", title="Rückfrage")]
    path = "/ai/execution-contexts"
    answer = listing("page", contexts, "GET", path, {})
    assert '"title":"Rückfrage"' in answer.body.decode()
    assert json.loads(answer.body)["data"] == [{"id": "1", "title": "Rückfrage"}]


def test_listing__lone_surrogate() -> None:
    """Text that UTF-8 cannot carry is escaped, as JSON allows."""
    answer = listing("page", [{"title": "\ud800"}], "GET", "/ai/execution-contexts", {})
    assert json.loads(answer.body)["data"] == [{"title": "\ud800"}]


@pytest.mark.parametrize("path", ["/", "/ai/execution-contexts/", "/ai"])
def test_listing__other_path(path: str) -> None:
    """Elsewhere there is nothing, said in the JSON of the service's errors."""
    answer = listing("page", CONTEXTS, "GET", path, {})
    assert answer.status == 404
    assert answer.body == b'{"errors":[{"message":"Not found","code":404}]}'


@pytest.mark.parametrize("method", ["POST", "HEAD", "get"])
def test_listing__other_method(method: str) -> None:
    """Only GET is allowed, and other methods are told so."""
    answer = listing("page", CONTEXTS, method, "/ai/execution-contexts", {})
    assert (answer.status, answer.headers) == (405, {"Allow": "GET"})
    assert answer.body == b""


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (None, "Authorization header must be Bearer token"),
        ("", "Authorization header must be Bearer token"),
        ("Bearer", "Authorization header must be Bearer token"),
        ("key", "Authorization header must be Bearer token"),
        ("Basic key", "Authorization header must be Bearer token"),
        ("Bearer other", "Authentication failed: unknown API key"),
        ("Bearer key2", "Authentication failed: unknown API key"),
    ],
)
def test_refused__without_the_key(header: str | None, message: str) -> None:
    """Without the key, or with another, the answer is a 401 of text."""
    headers = {} if header is None else {"Authorization": header}
    answer = refused(headers, "key")
    assert answer is not None
    assert (answer.status, answer.headers) == (401, TEXT)
    assert answer.body.decode() == message


def test_refused__with_the_key() -> None:
    """Who has the key is let in."""
    assert refused({"Authorization": "Bearer key"}, "key") is None


def _let_in(limits: Limits, *times: float) -> list[bool]:
    return [limits.admit(now) is None for now in times]


def test_limits__second() -> None:
    """No second has more than its limit, and the window slides."""
    limits = Limits(2, None)
    assert _let_in(limits, 0.0, 0.5, 0.9, 1.0, 1.25, 1.5) == [1, 1, 0, 1, 0, 1]


def test_limits__minute() -> None:
    """No minute has more than its limit, whatever the second has."""
    limits = Limits(2, 3)
    times = 0.0, 0.5, 0.6, 10.0, 20.0, 59.9, 60.0, 60.25, 60.5
    assert _let_in(limits, *times) == [1, 1, 0, 1, 0, 0, 1, 0, 1]


def test_limits__none() -> None:
    """Without limits everything is let in."""
    assert all(_let_in(Limits(None, None), *[0.0] * 1000))


@pytest.mark.parametrize(
    ("now", "seconds"), [(0.0, 60), (0.5, 60), (1.0, 59), (59.5, 1), (59.999, 1)]
)
def test_limits__says_when_to_come_back(now: float, seconds: int) -> None:
    """The answer is text alone: the whole seconds, rounded up, until there is room."""
    limits = Limits(None, 1)
    limits.count(0.0)
    answer = limits.admit(now)
    assert answer is not None
    assert (answer.status, answer.headers) == (429, TEXT)
    text = f"Rate limit exceeded. Retry after {seconds} seconds"
    assert answer.body.decode() == text


def test_limits__refused_arrivals_take_no_room() -> None:
    """Who comes back too early doesn't have to wait any longer for that."""
    limits = Limits(1, None)
    assert _let_in(limits, 0.0, 0.25, 0.5, 0.75, 1.0) == [1, 0, 0, 0, 1]


def test_limits__counted_beyond_the_limit() -> None:
    """What counts without being asked makes the next wait until there is room."""
    limits = Limits(2, None)
    for now in (0.0, 0.25, 0.5, 0.75):
        limits.count(now)
    assert _let_in(limits, 1.0, 1.25, 1.5, 1.75) == [0, 0, 1, 1]


@pytest.mark.parametrize("limits", [(0, None), (None, 0), (-1, 5)])
def test_limits__below_one(limits: tuple[int | None, int | None]) -> None:
    """A limit that would let nothing in is a mistake."""
    with pytest.raises(ValueError, match="expected at least 1"):
        Limits(*limits)
