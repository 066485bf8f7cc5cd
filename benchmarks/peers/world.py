"""A list on loopback that misbehaves in one chosen way."""

from __future__ import annotations

import base64
import binascii
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SIZE = 100  # items a page, if the client can set it
PAGES = 5
KEY = "k" * 40
NETRC_PASSWORD = "of-the-netrc"  # noqa: S105 - invented
CAP = 80  # requests for a list, sixteen times as many as a calm one takes

SCENARIOS = {
    "calm": "nothing happens",
    "jumps": "after each answer the last item jumps to the top",
    "removals": "after each answer the first item is removed",
    "repeats": "each answer is the first page, with more to come",
    "alternates": "the first and the second page in turn, with more to come",
    "hole": "the third page is always empty, with more to come",
    "empty": "the third answer is empty, with more to come, but whole when asked again",
    "retry-after": "the second answer is a 429 with `Retry-After: 2.5`, once",
    "retry-after-day": "the second answer is a 429 with `Retry-After: 86400`, once",
    "cut": "the second answer ends in the middle of its body, once",
    "netrc": "the user has a `.netrc` that names the server",
    "redirect": "the second answer redirects to another host",
    "newline": "the key ends in a newline",
}
BROKEN = ("retry-after", "retry-after-day", "cut", "redirect")  # the second answer


class Request(NamedTuple):
    """What a service sees of a request."""

    path: str
    query: Mapping[str, str]
    body: Mapping[str, Any]
    url: str


class Page(NamedTuple):
    """A part of the list: positions `start` to `end`, and whether more follows."""

    items: list[int]
    start: int
    end: int
    more: bool
    total: int
    activity: Mapping[int, int]  # when each item was last active, in minutes

    @property
    def next(self) -> str | None:
        """Return a cursor for what follows, if anything does."""
        return str(self.end) if self.more else None


class Reply(NamedTuple):
    """An answer: JSON, or bytes as they are."""

    body: Any
    headers: Mapping[str, str] = {}
    status: int = 200


@dataclass
class World:
    """The items, newest first, and what is to go wrong with them."""

    scenario: str
    service: Callable[[Request, World], Any]
    size: int = SIZE
    pages: int = PAGES
    requests: int = 0
    waited: float | None = None  # seconds from the fault to the next request
    secrets: list[set[str]] = field(default_factory=list)  # of each request
    stayed: set[int] = field(default_factory=set)
    items: list[int] = field(default_factory=list)
    activity: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.items = list(range(self.size * self.pages, 0, -1))
        self.stayed = set(self.items)
        self.activity = {item: item for item in self.items}
        if self.scenario == "hole":
            self.stayed -= set(self.items[self._hole()])

    def note(self, headers: Mapping[str, str]) -> None:
        """Remember which secrets a request holds."""
        found: set[str] = set()
        for value in headers.values():
            text = value
            if value.startswith("Basic "):
                with contextlib.suppress(binascii.Error):
                    text = base64.b64decode(value[6:]).decode("latin-1")
            found |= {each for each in (KEY, NETRC_PASSWORD) if each in text}
        self.secrets.append(found)

    def _hole(self) -> slice:
        return slice(2 * self.size, 3 * self.size)

    def position(self, after: str | None) -> int:
        """Return where the list goes on after an item, for cursors that are ids."""
        return self.items.index(int(after.rpartition("-")[2])) + 1 if after else 0

    def page(self, start: int, size: int) -> Page:
        """Answer a request for a part of the list, then change the list."""
        self.requests += 1
        if self.scenario in ("repeats", "alternates"):
            start = 0
            if self.scenario == "alternates" and self.requests % 2 == 0:
                start = size
        end = min(start + size, len(self.items))
        found = self.items[start:end]
        if self.scenario == "hole":
            hidden = set(self.items[self._hole()])
            found = [item for item in found if item not in hidden]
        if self.scenario == "empty" and self.requests == 3:
            found = []
        more, total = end < len(self.items), len(self.items)
        if self.scenario in ("repeats", "alternates"):
            more = True
        page = Page(found, start, end, more, total, dict(self.activity))
        self._change()
        return page

    def _change(self) -> None:
        if self.scenario == "jumps":
            newest = max(self.activity.values())
            self.items.insert(0, self.items.pop())
            self.activity[self.items[0]] = newest + 1
        elif self.scenario == "removals":
            self.stayed.discard(self.items.pop(0))
