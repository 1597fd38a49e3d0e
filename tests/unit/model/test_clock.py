"""The two times: one to judge signatures by, one that never jumps."""

import time

from anchord.model.clock import Clock, FixedWallClock, SystemClock


def test_the_wall_clock_is_the_machines_or_the_one_that_was_set() -> None:
    before = int(time.time())
    assert before <= SystemClock().wall() <= int(time.time())
    assert FixedWallClock(1709186400).wall() == 1709186400


def test_the_other_time_runs_on_whatever_the_wall_clock_says() -> None:
    clocks: list[Clock] = [SystemClock(), FixedWallClock(0)]
    for clock in clocks:
        before = clock.monotonic()
        time.sleep(0.01)
        assert 0.01 <= clock.monotonic() - before < 60
    assert abs(clocks[0].monotonic() - clocks[1].monotonic()) < 60
