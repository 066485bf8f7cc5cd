"""
How the runs of one pass follow each other.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

from wacht._protocol.windows import Window
from wacht.models import MAX_PER_PAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wacht._protocol.windows import Run


class Joint(Enum):
    """
    How a run follows the chain.
    """

    PROVEN = "it shares a context that hasn't moved"
    UNPROVEN = "it may follow, but equal times don't tell"
    APART = "contexts may be missing in between"


class Chain(Protocol):
    """
    The runs that a pass over the list has read so far.
    """

    @property
    def proves(self) -> bool:
        """
        Whether the windows overlap, to prove that nothing is missing.
        """
        ...

    @property
    def start(self) -> int:
        """
        The offset at which the pass begins.
        """
        ...

    @property
    def end(self) -> int:
        """
        The offset behind the last run.
        """
        ...

    @property
    def moved(self) -> bool:
        """
        Whether contexts changed their place during the pass, or may have.
        """
        ...

    @property
    def unproven(self) -> Sequence[int]:
        """
        The offsets of runs that were added without a proof.
        """
        ...

    @property
    def outrun(self) -> bool:
        """
        Whether the list changes faster than it is read, so that the end can't come.
        """
        ...

    @property
    def gaps(self) -> int:
        """
        How many runs were added although they are apart.
        """
        ...

    def joint(self, run: Run) -> Joint:
        """
        Return how a run follows the ones before it.
        """
        ...

    def add(self, run: Run, joint: Joint) -> None:
        """
        Add a run at the end.

        Args:
            run: The run.
            joint: How it follows the ones before it.

        """
        ...

    def following(self, end: int, size: int, most: int = MAX_PER_PAGE) -> Window:
        """
        Return the window behind one that ends at `end`.

        Args:
            end: Where that ends.
            size: How many new contexts to ask for.
            most: How many contexts one request may ask for.

        """
        ...

    def bridge(self, apart: Window, size: int, most: int, step: int) -> Window:
        """
        Return the window to read before one that is apart.

        Args:
            apart: The window that is apart.
            size: How many new contexts to ask for.
            most: How many contexts one request may ask for.
            step: How many windows were read in vain since the last joint.

        """
        ...


class DisjointChain:
    """
    Windows side by side: one request a page, and no proof that nothing is missing.

    Args:
        start: The offset at which the pass begins.

    """

    proves = False
    moved = True
    unproven: Sequence[int] = ()
    outrun = False
    gaps = 0

    def __init__(self, start: int) -> None:
        self.start = start
        self.end = start

    def joint(self, run: Run) -> Joint:
        """
        Return APART if a run begins behind the end, as after a shorter page.
        """
        return Joint.PROVEN if run.window.offset <= self.end else Joint.APART

    def add(self, run: Run, joint: Joint) -> None:
        """
        Add a run at the end.
        """
        del joint
        self.end = run.window.end

    def following(self, end: int, size: int, most: int = MAX_PER_PAGE) -> Window:
        """
        Return the window that begins where the last one ended.
        """
        return Window(end, min(size, most))

    def bridge(self, apart: Window, size: int, most: int, step: int) -> Window:
        """
        Return the window that begins at the chain's end.
        """
        del apart, step
        return self.following(self.end, size, most)
