"""Time: the wall clock for signatures, and a clock that never jumps for TTLs and timers."""

import time
from typing import Protocol

import msgspec


class Clock(Protocol):
    """The two times that a resolver needs."""

    def wall(self) -> int:
        """Seconds since 1970, UTC: for signature windows and trust anchors only."""

    def monotonic(self) -> float:
        """Seconds of a clock that never jumps and counts sleep: for TTLs and timers."""


class SystemClock:
    """The machine's clocks."""

    def wall(self) -> int:
        """Seconds since 1970."""
        return int(time.time())

    def monotonic(self) -> float:
        """CLOCK_BOOTTIME where there is one, since a suspended laptop's TTLs run on."""
        return _boot_time()


class FixedWallClock(msgspec.Struct, frozen=True):
    """`dnssec.time`: signatures are judged as of `at`, seconds since 1970; all else runs on."""

    at: int

    def wall(self) -> int:
        """The fixed time."""
        return self.at

    def monotonic(self) -> float:
        """The machine's clock."""
        return _boot_time()


if hasattr(time, "CLOCK_BOOTTIME"):

    def _boot_time() -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
else:
    _boot_time = time.monotonic
