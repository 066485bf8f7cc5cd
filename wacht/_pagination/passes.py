"""The passes of a walk: to the end of the list, then second looks as far as needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .chain import Chain
from .deduplication import Deduplicator
from .main_pass import MainPass
from .memory import Memory
from .second_looks import SecondLooks
from .state import WalkState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wacht._protocol.windows import Window

    from .options import WalkOptions
    from .reader import Reader
    from .state import Step


class Passes:
    """
    All passes of one walk.

    Args:
        reader: Reads windows.
        options: How to walk.
        window: The first window.
        memory: What a walk remembered that this one resumes.

    Attributes:
        state: What was read and given so far.
        complete: Whether all was read and nothing is missing.

    """

    def __init__(
        self,
        reader: Reader,
        options: WalkOptions,
        window: Window,
        memory: Memory | None,
    ) -> None:
        self.state = WalkState(
            reader,
            options,
            window.offset,
            window.limit,
            Chain(window.offset),
        )
        if memory is not None:
            self.state.start = memory.start
            self.state.given = Deduplicator(memory.seen)
            self.state.top = memory.top
        self.complete = False
        self._main = MainPass(self.state, memory)

    def steps(self) -> Iterator[Step]:
        """
        Read everything.

        Raises:
            PaginationError: The service repeats pages, or contexts may be missing.

        """
        yield from self._main.steps()
        self.complete = self._main.complete
        if self._main.looks_again:
            looks = SecondLooks(self.state)
            yield from looks.at_top()
            yield from looks.for_missing()
            self.complete = True

    def memory(self) -> Memory | None:
        """Return what is needed to resume the walk; None if nothing was read."""
        state = self.state
        if not state.given.seen:
            return None
        return Memory(
            state.reader.revision,
            state.given.seen,
            state.chain,
            state.top,
            state.start,
            self._main.doubtful_first,
        )
