"""Parts of the list: the window asked for, and the batch that came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

if TYPE_CHECKING:
    from wacht.models import AiExecutionContext, ListExecutionContextsOptions


@frozen
class Window:
    """The part of the list that has `limit` contexts, the first of them at `offset`."""

    offset: int
    limit: int

    @property
    def end(self) -> int:
        """The offset behind the last context."""
        return self.offset + self.limit

    def __str__(self) -> str:
        return f"limit={self.limit}, offset={self.offset}"


def window_of(options: ListExecutionContextsOptions, default_size: int) -> Window:
    """Return the window that `page` and `per_page` mean."""
    limit = options.per_page or default_size
    return Window(((options.page or 1) - 1) * limit, limit)


@frozen(eq=False)
class Batch:
    """Contexts that followed each other in the list at one moment."""

    window: Window  # where they were; the next window to read begins at its end
    contexts: list[AiExecutionContext] = field(repr=False)  # they may echo the key
    has_more: bool  # whether the list went on behind them
    date: str | None = None  # the header, if the service sent it

    @property
    def is_whole(self) -> bool:
        """Whether these are all contexts of the list."""
        return self.window.offset == 0 and not self.has_more
