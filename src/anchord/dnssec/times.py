"""Times of signatures: 32 bits that wrap, serial numbers (RFC 4034 section 3.1.5)."""

from datetime import UTC, datetime, timedelta

_HALF = 1 << 31
_WHOLE = 1 << 32
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_before(one: int, other: int) -> bool:
    """Whether `one` lies before `other` (RFC 1982 section 3.2)."""
    return 0 < (other - one) % _WHOLE < _HALF


def until(time: int, now: int) -> int:
    """Seconds from `now` to `time`; more than half of all that there are where it lies before."""
    return (time - now) % _WHOLE


def unwrapped(time: int, now: int) -> int:
    """The seconds since 1970 that a 32-bit time means, seen from `now`."""
    return now + (time - now + _HALF) % _WHOLE - _HALF


def to_text(time: int, now: int) -> str:
    """A time for people, in UTC."""
    return f"{_EPOCH + timedelta(seconds=unwrapped(time, now)):%Y-%m-%d %H:%M:%S} UTC"


def ago_text(seconds: int) -> str:
    """A length of time for people, in its largest unit."""
    seconds %= _WHOLE
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"
