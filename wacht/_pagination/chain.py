"""How the runs of one pass follow each other."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, ClassVar

from wacht._protocol.windows import Window
from wacht.models import MAX_PER_PAGE

if TYPE_CHECKING:
    from wacht._protocol.windows import Run


class Joint(Enum):
    """How a run follows the chain."""

    PROVEN = "it shares a context that hasn't moved"
    UNPROVEN = "it may follow, but equal times don't tell"
    APART = "contexts may be missing in between"


class Chain:
    """
    The runs that a pass over the list has read so far.

    This one has windows side by side: one request a page, and no proof that nothing is
    missing.

    Attributes:
        proves: Whether windows overlap, to prove that nothing is missing.
        start: The offset at which the pass begins.
        end: The offset behind the last run.
        moved: Whether contexts changed their place during the pass, or may have.
        unproven: The offsets of runs that were added without a proof.
        gaps: How many of them are apart.
        widest: The most equal times in a row that an overlap can reach over.
        outrun: Whether the list changes faster than it is read, so that its end can't
            come.

    """

    proves: ClassVar[bool] = False

    def __init__(self, start: int) -> None:
        self.start = start
        self.end = start
        self.moved = True
        self.unproven: list[int] = []
        self.gaps: int = 0
        self.widest: int = 1

    @property
    def outrun(self) -> bool:
        return False

    def joint(self, run: Run) -> Joint:
        """Return how a run follows the ones before it."""
        return Joint.PROVEN if run.window.offset <= self.end else Joint.APART

    def add(self, run: Run, joint: Joint) -> None:
        """Add a run at the end."""
        del joint
        self.end = max(self.end, run.window.end)

    def following(self, end: int, size: int, most: int = MAX_PER_PAGE) -> Window:
        """
        Return the window behind one that ends at `end`.

        Args:
            end: Where that ends.
            size: How many new contexts to ask for.
            most: How many contexts one request may ask for.

        """
        return Window(end, min(size, most))

    def bridge(self, apart: Window, size: int, most: int, step: int) -> Window:
        """
        Return the window to read before one that is apart.

        Args:
            apart: The window that is apart.
            size: How many new contexts to ask for.
            most: How many contexts one request may ask for.
            step: How many windows were read since the last joint.

        """
        del apart, step
        return self.following(self.end, size, most)
