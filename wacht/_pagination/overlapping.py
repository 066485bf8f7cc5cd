"""
Prove that runs of contexts join without a gap, and choose the window to read next.

A run is contiguous: it has every context that was between its first and its last one
when the service answered. Contexts that haven't been active keep their order among
each other. So two runs that share such a context join without a gap, in whatever order
they were answered.
"""

from __future__ import annotations

from collections import deque
from itertools import groupby, islice, pairwise, takewhile
from typing import TYPE_CHECKING, ClassVar

from attrs import frozen

from wacht._protocol.windows import Window
from wacht.models import MAX_PER_PAGE

from .chain import Chain, Joint
from .deduplication import identity

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from wacht._protocol.windows import Run
    from wacht.models import AiExecutionContext

_REMEMBERED = 20 * MAX_PER_PAGE  # contexts; further back, runs are never joined
_WIDE = MAX_PER_PAGE // 2  # equal times; a larger group can't be overlapped
_RECENT_JOINTS = 16  # whose losses the overlap allows for
_MOST_GAPS = 10  # runs that are apart, before a pass gives up
_PATIENCE = 200  # runs before the growth of the list is judged


@frozen
class _Place:
    activity: datetime | None
    offset: int


class OverlappingChain(Chain):
    """Windows that overlap, so that runs prove that they join the ones before."""

    proves: ClassVar[bool] = True

    def __init__(self, start: int) -> None:
        super().__init__(start)
        self.moved = False
        self._ended = False
        self._blank = False  # whether the last run was empty
        self._places: dict[str, _Place] = {}
        self._edge: AiExecutionContext | None = None  # the furthest context
        self._tied = 1  # contexts at the edge with one last_activity_at
        self._losses: deque[int] = deque([0], maxlen=_RECENT_JOINTS)
        self._runs = 0
        self._growth = 0  # contexts that came in above the runs

    @property
    def outrun(self) -> bool:
        read = self.end - self.start
        grows = self._runs > _PATIENCE and self._growth >= read
        return grows or self.gaps > _MOST_GAPS

    @property
    def overlap(self) -> int:
        """
        How many contexts the next window must share with the last run.

        One is enough as long as the list is calm and all times differ. Otherwise the
        window reaches back beyond a group of equal times, and beyond as many contexts
        as the list lately lost between two answers.
        """
        base = 2 if self.moved or self.widest > 1 else 1
        tied = self._tied + 1 if 1 < self._tied <= _WIDE else 0
        return max(base, tied) + max(self._losses)

    def following(self, end: int, size: int, most: int = MAX_PER_PAGE) -> Window:
        overlap = self.overlap
        if end > self.end and self.widest > 1:  # read ahead: the edge isn't known yet
            overlap = max(overlap, self.widest + 1)
        limit = min(size + overlap, most)
        overlap = min(overlap, limit - 1)
        return Window(max(self.start, end - overlap), limit)

    def bridge(self, apart: Window, size: int, most: int, step: int) -> Window:
        following = self.following(self.end, size, most)
        if self.end < apart.offset:
            return following
        limit = following.limit
        back = min(self.overlap << step, max(limit - 2, 1))
        return Window(max(self.start, apart.offset - back), limit)

    def joint(self, run: Run) -> Joint:
        if self._edge is None or run.window.offset <= self.start:
            return Joint.PROVEN
        if not run.contexts:
            return Joint.PROVEN if self._ended or run.has_more else Joint.APART
        too_small = run.window.limit == 1 and run.window.offset >= self.end
        if too_small or self._blank:
            return Joint.UNPROVEN  # there is nothing to compare
        shared = [context for context in run.contexts if self._is_unmoved(context)]
        if self._proves_joint(run, shared):
            return Joint.PROVEN
        if self._tied > _WIDE and (shared or self._is_tied(run.contexts[0])):
            return Joint.UNPROVEN
        return Joint.APART

    def add(self, run: Run, joint: Joint) -> None:
        self.gaps += joint is Joint.APART
        if joint is not Joint.PROVEN:
            self.unproven.append(run.window.offset)
        self._runs += 1
        # A part of a window may end before the edge; else the new offsets count.
        behind = self.end if run.contexts and self._is_unmoved(run.contexts[-1]) else 0
        self._note_shift(run)
        self._note_ties(run)
        for offset, context in enumerate(run.contexts, run.window.offset):
            key = identity(context)
            self._places.pop(key, None)  # to the end of the dict
            self._places[key] = _Place(context.last_activity_at, offset)
        for key in list(islice(self._places, max(0, len(self._places) - _REMEMBERED))):
            del self._places[key]
        self.end = max(behind, run.window.end)
        self._ended = not run.has_more
        self._blank = not run.contexts

    @property
    def _edge_time(self) -> datetime | None:
        return None if self._edge is None else self._edge.last_activity_at

    def _is_unmoved(self, context: AiExecutionContext) -> bool:
        place = self._places.get(identity(context))
        return place is not None and place.activity == context.last_activity_at

    def _is_before_edge(self, context: AiExecutionContext) -> bool:
        edge = self._edge_time
        if edge is None or context.last_activity_at is None:
            return True  # without times, the order is all there is
        return context.last_activity_at > edge

    def _is_tied(self, context: AiExecutionContext) -> bool:
        edge = self._edge_time
        return edge is not None and context.last_activity_at == edge

    def _proves_joint(self, run: Run, shared: list[AiExecutionContext]) -> bool:
        if self._edge_time is None and self.moved:
            return self._shares_a_pair(run)
        return any(map(self._is_before_edge, shared)) or self._is_lone_edge(run)

    def _shares_a_pair(self, run: Run) -> bool:
        """
        Return whether a run has two contexts that follow each other as before.

        Without times, a single context may have moved.
        """
        places = [self._places.get(identity(context)) for context in run.contexts]
        return any(a and b and b.offset == a.offset + 1 for a, b in pairwise(places))

    def _is_lone_edge(self, run: Run) -> bool:
        """
        Return whether a run begins with the edge itself, at the place where it was.

        That is enough if no other context in sight has the same time.
        """
        edge = self._edge
        if edge is None or self.overlap > 1 or not self._is_unmoved(run.contexts[0]):
            return False
        tied = list(takewhile(self._is_tied, run.contexts))
        return len(tied) == 1 and identity(tied[0]) == identity(edge)

    def _note_shift(self, run: Run) -> None:
        shifts = [
            offset - self._places[identity(context)].offset
            for offset, context in enumerate(run.contexts, run.window.offset)
            if self._is_unmoved(context)
        ]
        if shifts:
            self.moved = self.moved or shifts[-1] != 0
            self._growth += max(0, shifts[-1])
            self._losses.append(max(0, -shifts[-1]))

    def _note_ties(self, run: Run) -> None:
        times = [context.last_activity_at for context in run.contexts]
        self.widest = max(self.widest, _widest_group(times))
        if not times or self._ends_before_edge(run.contexts[-1]):
            return
        tied = sum(1 for _ in takewhile(lambda time: time == times[-1], times[::-1]))
        continues = tied == len(times) and self._is_tied(run.contexts[-1])
        self._tied = max(tied, self._tied) if continues else tied
        self._edge = run.contexts[-1]

    def _ends_before_edge(self, last: AiExecutionContext) -> bool:
        return (
            self._edge is not None
            and last.last_activity_at is not None
            and self._is_before_edge(last)
        )


def _widest_group(times: Iterable[datetime | None]) -> int:
    """Return how many equal times follow each other; 2 for a group that is too wide."""
    groups = (sum(1 for _ in group) for time, group in groupby(times) if time)
    return max((size if size <= _WIDE else 2 for size in groups), default=1)
