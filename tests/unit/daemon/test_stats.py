"""Counters of all parts at once."""

import os

import pytest

from anchord import __version__
from anchord.daemon.stats import Stats
from anchord.model.clock import SystemClock
from anchord.server.counters import Counters


class Hand(SystemClock):
    """A clock that is moved by hand."""

    time = 100.0

    def monotonic(self) -> float:
        return self.time


def test_a_snapshot_holds_the_daemon_and_every_part_as_it_is_now() -> None:
    clock = Hand()
    stats = Stats(clock)
    counters = Counters()
    stats.add("dns", counters.snapshot)
    clock.time += 61.9
    counters.udp_queries += 3
    snapshot = stats.snapshot()
    assert snapshot["daemon"] == {"version": __version__, "pid": os.getpid(), "uptime": 61}
    assert snapshot["dns"]["udp_queries"] == 3
    counters.udp_queries += 1
    assert snapshot["dns"]["udp_queries"] == 3
    assert stats.snapshot()["dns"]["udp_queries"] == 4


def test_a_part_has_a_name_of_its_own() -> None:
    stats = Stats(SystemClock())
    with pytest.raises(AssertionError):
        stats.add("daemon", dict)
