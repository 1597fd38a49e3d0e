"""A day in fast motion, with other names every hour: the memory of the resolver does not grow."""

import gc
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio

from anchord.config.anchors import read
from anchord.dnssec.anchors import trust_anchors
from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.model.question import ClientFlags
from anchord.resolver.resolver import Resolver, Settings
from anchord.resolver.routes import Routes
from anchord.resolver.special import SpecialNames
from support.lab import NOW, question
from support.restart import saved
from support.walk import Heard, MemoryUpstream, Said

DAY = 86_400
HOURS = 24
WARM = 4
"""Hours after which everything that is bounded has come to its bound."""

ZONES = 40
NAMES = 4000
"""Names in use in an hour; none of them is in use in another."""

SIZE = 1 << 20
GROWTH = 1.05


class Clock:
    """Moved by hand, both times alike."""

    now = 0.0

    def wall(self) -> int:
        return NOW + int(self.now)

    def monotonic(self) -> float:
        return self.now


def resident() -> float:
    """Octets of this process that are resident."""
    gc.collect()
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.long
@pytest.mark.parametrize("queries", [100_000, 1_000_000])
async def test_the_memory_of_a_day_is_flat(queries: int) -> None:
    plans = [Plan(".", "the root"), Plan("lab.", "a TLD")]
    for number in range(ZONES):
        signing: dict[str, Any] = {"algorithms": ()} if number % 2 else {}
        plans.append(Plan(f"z{number}.lab.", "one of many", records="*.w A 192.0.2.1", **signing))
    world, clock, chance = World(NOW, plans=plans), Clock(), Random(1)

    async def conduct(heard: Heard) -> Said:
        return world.answer(heard.query.question)

    upstream = MemoryUpstream(conduct)
    settings = Settings(
        trust_anchors(read(world.trust_anchors(), "lab")),
        cache_size=SIZE,
        serve_stale=DAY,
        prefetch=True,
    )
    seen = []
    async with trio.open_nursery() as nursery:
        routes, special = Routes([upstream]), SpecialNames([])
        resolver = Resolver(settings, routes, special, lambda _: None, clock, nursery)
        for hour in range(HOURS):
            for _ in range(queries // HOURS):
                clock.now += DAY / queries
                number = int(NAMES ** chance.random())
                asked = question(f"h{hour}-{number}.w.z{number % ZONES}.lab.")
                answer = await resolver.resolve(asked, ClientFlags(dnssec_ok=True))
                assert answer.answer
            upstream.heard.clear()
            saved(resolver, clock)
            seen.append(resident())
        counts = resolver.counts()
        nursery.cancel_scope.cancel()
    print(f"{[round(octets / 2**20, 1) for octets in seen]} MiB by the hour; {counts}")  # noqa: T201
    assert max(seen[WARM:]) <= GROWTH * seen[WARM]
