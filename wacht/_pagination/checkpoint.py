"""How far a walk came: what another walk needs to go on from there."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Self

from attrs import evolve, field, frozen

from wacht._contexts import MAX_PAGE
from wacht._protocol.revisions import filters_of
from wacht.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wacht._protocol.revisions import Revision
    from wacht._protocol.windows import Window
    from wacht.models import ListExecutionContextsOptions as Options

    from .next_window import Position


@frozen
class Checkpoint:
    """What was handed to the user so far: ids, times and numbers, never a context."""

    service: str  # a digest that tells it, see `Endpoint`
    filters: dict[str, str]
    revision: Revision | None  # None as long as it isn't known
    first: Window
    position: Position
    yielded: Iterable[str] = field(repr=False)  # the walk goes on adding to it
    count: int  # how many of them had been given at this point

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        values = (self.service, self.filters, self.revision, self.first, self.position)
        return type(self), (*values, self.ids(), self.count)

    def ids(self) -> dict[str, None]:
        """Return the ids that had been given, in order."""
        return dict.fromkeys(islice(self.yielded, self.count))

    @property
    def page(self) -> int:
        """The number of the page in which the walk ended."""
        return min(self.position.end // self.first.limit + 1, MAX_PAGE)

    def options(self, options: Options) -> Options:
        """Return the options for a walk that goes on from here."""
        size = self.first.limit
        return evolve(options, page=self.page, per_page=size, _checkpoint=self)


def checkpoint_of(options: Options, service: str) -> Checkpoint | None:
    """Return the checkpoint that options go on from; raise if it is of another list."""
    checkpoint = options._checkpoint  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - not for users
    if not isinstance(checkpoint, Checkpoint):
        return None
    if checkpoint.service != service:
        raise InvalidRequestError(
            "`resume` belongs to another service: it was made with another base URL or "
            "API key. Use a session that has those, or list from the start, without it"
        )
    wanted = {"page": checkpoint.page, **checkpoint.filters}
    found = {"page": options.page, **filters_of(options)}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise InvalidRequestError(
                f"{name}: `resume` goes on with the list that it comes from, and can't "
                f"be used with another {name}. Pass it as it is, or make new options"
            )
    return checkpoint
