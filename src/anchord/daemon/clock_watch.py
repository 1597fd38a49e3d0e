"""Notices that the wall clock was set: by hand, by whatever tells the machine the time, or asleep.

What was proven was proven as of a time, and that was another one. While a machine sleeps the other
clock stands still, and its connections die: they are made anew as well. Slow corrections are no
such thing: the offset between the two clocks is compared with that of the look before.
"""

import logging
from collections.abc import Awaitable, Callable

import trio

from anchord.model.clock import Clock

logger = logging.getLogger(__name__)

LOOK = 5.0
"""Seconds between two looks at the clock."""

JUMP = 2.0
"""Seconds by which the clock was set: less is no more than the rounding of whole seconds and a
correction in little steps, and no signature ends within it that one may rely on."""


async def watch(clock: Clock, was_set: Callable[[], Awaitable[None]]) -> None:
    """Calls `was_set` after each time that the clock was, until cancelled."""
    offset = clock.wall() - clock.monotonic()
    while True:
        await trio.sleep(LOOK)
        before, offset = offset, clock.wall() - clock.monotonic()
        if abs(offset - before) > JUMP:
            seconds = round(offset - before)
            logger.warning(
                "the clock was set, or this machine slept: all is proven anew",
                extra={"by_seconds": seconds},
            )
            await was_set()
