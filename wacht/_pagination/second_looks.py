"""Look for what moved to the top of the list, and for what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, evolve, field

from wacht._protocol.windows import Run, Window
from wacht.errors import PaginationError
from wacht.models import MAX_PER_PAGE

from .deduplication import identity
from .memory import Top
from .overlapping import OverlappingChain
from .state import Step

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from wacht.models import AiExecutionContext

    from .state import WalkState

MAX_LOOKS = 10  # readings of the list's top in a row
MAX_REREADS = 20  # readings in search of missing contexts
MAX_FRUITLESS = 3  # of those in a row that found none
MIN_LOOK = 20  # contexts; a few can't show where the moved ones end
_SIZE_STEP = 7  # contexts by which rereads differ, so that equal times mix anew


@define
class _View:
    """
    What one look at the top saw.

    Attributes:
        top: The top.
        one_answer: Whether the first answer had all that moved since the look before.
        answers: How many answers it took to reach what changes may be dated back to.
        order: The order of the contexts.
    """

    top: Top
    one_answer: bool = False
    answers: int = 0
    order: dict[str, int] = field(factory=dict[str, int])

    def add(self, run: Run) -> None:
        self.answers += 1
        for context in run.contexts:
            self.order.setdefault(identity(context), len(self.order))


class SecondLooks:
    """
    Read parts of a list again.

    Args:
        state: What the passes share.

    """

    def __init__(self, state: WalkState) -> None:
        self._state = state

    def at_top(self) -> Iterator[Step]:
        """
        Read the top of the list until it reaches what was there at the beginning.

        If that takes several answers, contexts may have moved between them: look again.

        Raises:
            PaginationError: They move faster than they can be read.

        """
        state = self._state
        before, order = state.top, state.given.order()
        for _ in range(MAX_LOOKS):
            state.tally.looks += 1
            calm = state.tally.looks > 1 or not state.chain.moved
            view = yield from self._look(before, order, calm=calm)
            unchanged = before.is_unchanged(view.top)
            if state.start and before.newest is None and not unchanged:
                raise PaginationError(
                    "contexts moved to the top of the list, above the page where the "
                    "walk began; without times, nothing tells which of them are missing"
                )
            if view.one_answer or unchanged:
                return
            before, order = view.top, view.order
        raise PaginationError(
            "contexts moved to the top of the list faster than they could be read; "
            f"some may be missing after {MAX_LOOKS} looks"
        )

    def for_missing(self) -> Iterator[Step]:
        """
        Read again as long as contexts may be missing and rereads find some.

        Raises:
            PaginationError: Contexts are missing in the end, or may be.

        """
        state = self._state
        fruitless = 0
        while (
            self._in_doubt()
            and fruitless < MAX_FRUITLESS
            and state.tally.rereads < MAX_REREADS
        ):
            known = len(state.given.seen)
            state.tally.rereads += 1
            yield from self._reread()
            yield from self.at_top()
            fruitless = 0 if len(state.given.seen) > known else fruitless + 1
        if self._in_doubt():
            doubt = self._doubt()
            state.chain = OverlappingChain(state.start)  # to resume at the beginning
            raise PaginationError(doubt)

    def _look(
        self, before: Top, order: dict[str, int], *, calm: bool
    ) -> Generator[Step, None, _View]:
        state = self._state
        chain = state.new_chain(0)
        run = state.reader.read(Window(0, max(state.size, MIN_LOOK)))
        view = _View(Top.of(run))
        calm = calm and before.is_unchanged(view.top)
        while True:
            reached = False
            for linked, joined in state.linked(chain, run):
                view.add(linked)
                reached = joined and (calm or before.reached_by(linked, order))
                if view.answers == 1:
                    view.one_answer = reached or before.is_older(linked)
                yield self._look_step(linked, last=reached and view.answers == 1)
            if reached:
                return view
            run = state.reader.read(state.behind(chain))

    def _look_step(self, run: Run, *, last: bool) -> Step:
        if self._state.start:
            run = evolve(run, contexts=list(filter(self._belongs, run.contexts)))
        fresh = self._state.fresh(run)
        return Step(fresh, run.has_more, complete=last and not self._in_doubt())

    def _belongs(self, context: AiExecutionContext) -> bool:
        """Return whether a walk that began further down gives a context at the top."""
        time, newest = context.last_activity_at, self._state.top.newest
        moved = time is not None and newest is not None and time > newest
        return moved or self._state.given.is_known(context)

    def _reread(self) -> Iterator[Step]:
        """
        Read again from the first doubtful place on, with another window size.

        Equal times come in an order that depends on the window, so other contexts
        come to light.
        """
        state = self._state
        doubtful = min(state.chain.unproven, default=state.start) - MAX_PER_PAGE
        size = state.size - state.tally.rereads * _SIZE_STEP % (state.size // 2 + 1)
        start = max(state.start, doubtful)
        chain = state.chain = OverlappingChain(start)
        run = state.reader.read(Window(start, size))
        more = True
        while more:
            for linked, _ in state.linked(chain, run):
                more = linked.has_more
                yield Step(state.fresh(linked), has_more=more)
            if more:
                run = state.reader.read(state.behind(chain, size))

    @property
    def _surplus(self) -> int:
        """
        How many more contexts were given than the list had when its end was read.

        They left the list meanwhile. If it is negative, as many are missing.
        """
        state = self._state
        if not state.chain.proves or state.length is None or state.options.active_since:
            return 0
        return len(state.given.seen) - (state.length - state.start)

    def _in_doubt(self) -> bool:
        chain = self._state.chain
        uncounted = bool(chain.unproven) and self._surplus > 0
        return self._surplus < 0 or chain.gaps > 0 or uncounted

    def _doubt(self) -> str:
        state = self._state
        if self._surplus < 0:
            return (
                f"about {-self._surplus} contexts are missing: the list has "
                f"{state.length}, and {state.tally.rereads} more readings didn't show "
                "all of them"
            )
        if state.chain.gaps:
            return (
                "the list changed faster than it could be read: up to "
                f"{state.chain.gaps * state.size} contexts may be missing"
            )
        return (
            f"up to {self._surplus} contexts may be missing: as many left the list "
            "meanwhile, and too many share one last_activity_at to check the others"
        )
