"""Whose turn it is between the steps of long work."""

import pytest
import trio
import trio.lowlevel
import trio.testing

from anchord.model.steps import Steps, at_once
from anchord.resolver import turns
from anchord.resolver.turns import Turns


def counting(number: int) -> Steps[int]:
    for _ in range(number):
        yield
    return number


def test_work_can_be_done_at_once() -> None:
    assert at_once(counting(0)) == 0
    assert at_once(counting(3)) == 3


async def test_whoever_is_at_a_door_is_served_before_each_step() -> None:
    served = []
    between = Turns()
    with between.serving(lambda: served.append("one")):
        with between.serving(lambda: served.append("other")):
            assert await between.run(counting(2)) == 2
        await between.give_way()
    await between.give_way()
    assert served == ["one", "other", "one", "other", "one"]


async def test_a_door_is_closed_by_an_accident_too() -> None:
    served = []
    between = Turns()
    with pytest.raises(OSError, match="lost"), between.serving(lambda: served.append("late")):
        raise OSError("lost")
    await between.give_way()
    assert not served


async def test_everything_else_has_its_turn_when_a_stint_is_over(
    autojump_clock: trio.testing.MockClock,
) -> None:
    between = Turns()
    passes = 0

    async def others() -> None:
        nonlocal passes
        while True:
            await trio.lowlevel.checkpoint()
            passes += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        await between.give_way()
        begun = passes
        await between.run(counting(100))
        assert passes == begun
        for _ in range(10):
            autojump_clock.jump(turns.STINT)
            await between.run(counting(100))
        assert 10 <= passes - begun + 1 <= 11  # who is first in a pass is up to chance
        nursery.cancel_scope.cancel()


async def test_only_one_goes_on_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are at work, everything else has a turn after the step of one of them."""
    monkeypatch.setattr(turns, "STINT", 0.0)
    between = Turns()
    steps = passes = 0

    async def others() -> None:
        nonlocal passes
        while True:
            await trio.lowlevel.checkpoint()
            passes += 1

    async def work() -> None:
        nonlocal steps
        for _ in range(10):
            await between.give_way()
            steps += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        async with trio.open_nursery() as workers:
            for _ in range(8):
                workers.start_soon(work)
        nursery.cancel_scope.cancel()
    assert steps == 80
    assert passes >= steps - 1


async def test_work_that_is_given_up_lets_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "STINT", 0.0)
    between = Turns()
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(between.run, counting(10**6))
        await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert await between.run(counting(2)) == 2
