"""Which runs join without a gap, and which window comes next."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.model import START
from wacht import AiExecutionContext
from wacht._pagination.chain import Chain, Joint
from wacht._pagination.overlapping import OverlappingChain
from wacht._protocol.windows import Run, Window


def context(number: int, *, age: float | None = None) -> AiExecutionContext:
    time = START - timedelta(seconds=number if age is None else age)
    return AiExecutionContext(id=str(number), last_activity_at=time)


def run(
    offset: int,
    numbers: list[int],
    *,
    tied: bool = False,
    timeless: bool = False,
    has_more: bool = True,
) -> Run:
    contexts = [
        AiExecutionContext(id=str(number))
        if timeless
        else context(number, age=0 if tied else None)
        for number in numbers
    ]
    return Run(Window(offset, len(numbers)), contexts, has_more)


def chain_of(*runs: Run, start: int = 0) -> OverlappingChain:
    chain = OverlappingChain(start)
    for added in runs:
        chain.add(added, chain.joint(added))
    return chain


@pytest.mark.parametrize(
    ("read", "following", "joint"),
    [
        pytest.param([0, 1, 2], run(2, [2, 3, 4]), Joint.PROVEN, id="the edge again"),
        pytest.param([0, 1, 2], run(1, [1, 2, 3]), Joint.PROVEN, id="two again"),
        pytest.param([0, 1, 2], run(3, [3, 4, 5]), Joint.APART, id="side by side"),
        pytest.param([0, 1, 2], run(2, [3, 4, 5]), Joint.APART, id="one was removed"),
        pytest.param([0, 1, 2], run(2, [1, 2, 3]), Joint.PROVEN, id="one was added"),
        pytest.param(
            [0, 1, 2], run(2, [], has_more=False), Joint.APART, id="the list shrank"
        ),
        pytest.param([0, 1, 2], run(2, []), Joint.PROVEN, id="an empty page"),
        pytest.param(
            [0, 1, 2], run(0, [7, 8]), Joint.PROVEN, id="the beginning of the list"
        ),
        pytest.param(
            [0, 1, 2],
            Run(Window(2, 2), [context(2, age=-1), context(3)], has_more=True),
            Joint.APART,
            id="the edge, which became active",
        ),
    ],
)
def test_joint__of_distinct_times(
    read: list[int], following: Run, joint: Joint
) -> None:
    assert chain_of(run(0, read)).joint(following) is joint


@pytest.mark.parametrize(
    ("size", "following", "joint"),
    [
        pytest.param(3, [2, 3, 4], Joint.APART, id="a small group"),
        pytest.param(60, [59, 60, 61], Joint.UNPROVEN, id="a large group"),
        pytest.param(60, [70, 71], Joint.UNPROVEN, id="no context of it again"),
    ],
)
def test_joint__of_equal_times(size: int, following: list[int], joint: Joint) -> None:
    """A border inside a group of equal times proves nothing."""
    chain = chain_of(run(0, [*range(size)], tied=True))
    assert chain.joint(run(size - 1, following, tied=True)) is joint


@pytest.mark.parametrize(
    ("following", "joint"),
    [
        pytest.param([2, 3, 4], Joint.PROVEN, id="the edge again"),
        pytest.param([3, 4], Joint.APART, id="side by side"),
    ],
)
def test_joint__without_times(following: list[int], joint: Joint) -> None:
    chain = chain_of(run(0, [0, 1, 2], timeless=True))
    assert chain.joint(run(2, following, timeless=True)) is joint


@pytest.mark.parametrize(
    ("following", "joint"),
    [
        pytest.param([4, 5, 6], Joint.APART, id="one again, which may have moved"),
        pytest.param([3, 4, 5], Joint.PROVEN, id="two again, in order"),
        pytest.param([4, 3, 5], Joint.APART, id="two again, in another order"),
    ],
)
def test_joint__without_times_on_a_list_that_moves(
    following: list[int], joint: Joint
) -> None:
    chain = chain_of(
        run(0, [0, 1, 2], timeless=True), run(2, [1, 2, 3, 4], timeless=True)
    )
    assert chain.moved
    assert chain.joint(run(5, following, timeless=True)) is joint


def test_joint__of_single_contexts() -> None:
    """Windows that had to be made that small can't overlap."""
    chain = chain_of(run(0, [0]))
    assert chain.joint(run(1, [1])) is Joint.UNPROVEN


def test_add__keeps_what_wasnt_proven() -> None:
    chain = chain_of(run(0, [0, 1, 2]), run(3, [4, 5]), run(5, [6, 7], has_more=False))
    assert (chain.gaps, chain.unproven, chain.end) == (2, [3, 5], 7)
    assert chain_of(run(0, [0, 1]), run(1, [1, 2])).unproven == []


def test_following__overlaps_by_one_on_a_calm_list() -> None:
    chain = chain_of(run(0, [0, 1, 2]))
    assert chain.following(chain.end, 10) == Window(2, 11)
    assert chain.following(chain.end, 100) == Window(2, 100)
    assert chain.following(chain.end, 100, 1) == Window(3, 1)


def test_following__overlaps_a_group_of_equal_times() -> None:
    chain = chain_of(run(0, [*range(7)], tied=True))
    assert chain.following(7, 10) == Window(0, 18)
    wide = chain_of(run(0, [*range(60)], tied=True))
    assert wide.following(60, 10) == Window(58, 12)


def test_following__begins_no_earlier_than_the_pass() -> None:
    chain = chain_of(run(20, [*range(3)], tied=True), start=20)
    assert chain.following(chain.end, 10) == Window(20, 14)


def test_following__overlaps_as_much_as_the_list_loses() -> None:
    runs = [run(0, [*range(20)]), run(15, [*range(19, 40)])]
    chain = chain_of(*runs)
    assert chain.moved
    assert chain.following(chain.end, 10) == Window(chain.end - 6, 16)


def test_bridge__steps_back_further_each_time() -> None:
    chain = chain_of(run(0, [*range(50)]))
    offsets = [chain.bridge(Window(49, 30), 30, 100, step).offset for step in range(7)]
    assert offsets == [48, 47, 45, 41, 33, 20, 20]
    assert chain.bridge(Window(90, 30), 30, 100, 0) == Window(49, 31)


def test_outrun__by_gaps() -> None:
    chain = chain_of(run(0, [0, 1]))
    for number in range(1, 12):
        assert not chain.outrun
        chain.add(run(10 * number, [10 * number]), Joint.APART)
    assert chain.outrun


def test_side_by_side() -> None:
    chain = Chain(20)
    assert chain.following(chain.end, 10, 7) == Window(20, 7)
    assert chain.joint(run(20, [0])) is Joint.PROVEN
    chain.add(run(20, [0, 1, 2]), Joint.PROVEN)
    assert chain.joint(run(30, [9])) is Joint.APART
    assert chain.bridge(Window(30, 10), 10, 100, 0) == Window(23, 10)
    assert (chain.proves, chain.unproven, chain.gaps) == (False, [], 0)
    assert not chain.outrun
