"""Times of signatures: serial numbers that wrap in 2106 and know no sign in 2038."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anchord.dnssec import times

WRAP = 1 << 32
NOVEMBER_2026 = int(datetime(2026, 11, 24, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("one", "other", "is_before"),
    [
        (1, 2, True),
        (2, 1, False),
        (2, 2, False),
        ((1 << 31) - 1, 1 << 31, True),  # 2038-01-19
        (1 << 31, (1 << 31) - 1, False),
        (WRAP - 1, 0, True),  # 2106-02-07
        (0, WRAP - 1, False),
        (WRAP - 1, WRAP, True),
        (0, (1 << 31) - 1, True),
        (0, 1 << 31, False),  # so far apart that neither is before the other
        (1 << 31, 0, False),
        (0, (1 << 31) + 1, False),
    ],
)
def test_before_is_a_matter_of_serial_numbers(one: int, other: int, is_before: bool) -> None:
    assert times.is_before(one, other) is is_before


@given(st.integers(0, 1 << 34), st.integers(-(1 << 31) + 1, (1 << 31) - 1))
def test_a_time_means_the_moment_nearest_to_now(now: int, distance: int) -> None:
    on_the_wire = (now + distance) % WRAP
    assert times.unwrapped(on_the_wire, now) == now + distance
    assert times.is_before(now, on_the_wire) is (distance > 0)
    if distance >= 0:
        assert times.until(on_the_wire, now) == distance


def test_times_are_told_in_utc() -> None:
    assert times.to_text(NOVEMBER_2026, NOVEMBER_2026) == "2026-11-24 00:00:00 UTC"
    in_2106 = int(datetime(2106, 2, 7, 6, 28, 17, tzinfo=UTC).timestamp())
    assert times.to_text(in_2106 % WRAP, in_2106 - 60) == "2106-02-07 06:28:17 UTC"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (119, "1 minute"),
        (120, "2 minutes"),
        (3600, "1 hour"),
        (7200, "2 hours"),
        (86399, "23 hours"),
        (86400, "1 day"),
        (10 * 86400, "10 days"),
        (WRAP + 5, "5 seconds"),
    ],
)
def test_lengths_of_time_are_told_in_their_largest_unit(seconds: int, text: str) -> None:
    assert times.ago_text(seconds) == text
