"""A clock that is set is noticed once; one that is corrected slowly, or stands still, is not."""

import math

import pytest
import trio

from anchord.daemon import clock_watch
from support.walk import TrioClock, in_fast_motion

NOW = 1_790_000_000


class Corrected(TrioClock):
    """A clock that gains so many seconds in each second."""

    gain = 0.0

    def wall(self) -> int:
        return super().wall() + int(self.gain * trio.current_time())


async def times_set(clock: TrioClock, *changes: float) -> int:
    """How often a watch tells of a clock that is set by these seconds, one after the other."""
    told: list[None] = []

    async def was_set() -> None:
        told.append(None)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(clock_watch.watch, clock, was_set)
        await trio.sleep(100)
        for seconds in changes:
            clock.at += math.floor(seconds)
            await trio.sleep(100)
        nursery.cancel_scope.cancel()
    return len(told)


@pytest.mark.parametrize("seconds", [3600, -3600, 5, -5, 10**9])
@in_fast_motion
async def test_a_clock_that_is_set_is_told_once(
    seconds: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert await times_set(TrioClock(NOW), seconds) == 1
    (record,) = caplog.records
    assert abs(vars(record)["by_seconds"] - seconds) <= 1


@in_fast_motion
async def test_each_setting_is_told() -> None:
    assert await times_set(TrioClock(NOW), 3600, -3600, 3600) == 3


@pytest.mark.parametrize("gain", [0.0, 0.0005, 0.1])
@in_fast_motion
async def test_a_clock_that_is_corrected_slowly_is_not(gain: float) -> None:
    clock = Corrected(NOW)
    clock.gain = gain
    assert await times_set(clock) == 0


@in_fast_motion
async def test_less_than_a_rounding_is_not() -> None:
    assert await times_set(TrioClock(NOW), 1) == 0
