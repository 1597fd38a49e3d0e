"""Every row of the lab's table through the resolver: cold and warm, with checking and without."""

import pytest

from anchord.lab.plan import Case
from anchord.lab.table import CASES
from anchord.lab.world import World
from support.lab import NOW
from support.walk import MemoryUpstream, check_twice, honest, in_fast_motion, open_resolver

WORLD = World(NOW)


@pytest.mark.parametrize("checking_disabled", [False, True], ids=["CD=0", "CD=1"])
@pytest.mark.parametrize("case", CASES, ids=str)
@in_fast_motion
async def test_cold_and_from_the_cache(case: Case, *, checking_disabled: bool) -> None:
    async with open_resolver(WORLD, MemoryUpstream(honest(WORLD))) as resolver:
        await check_twice(case, resolver, checking_disabled=checking_disabled)


@in_fast_motion
async def test_with_everything_known_that_the_table_asks_for() -> None:
    async with open_resolver(WORLD, MemoryUpstream(honest(WORLD))) as resolver:
        for case in CASES:
            await check_twice(case, resolver, checking_disabled=False)
            resolver.cache.flush()  # the proven zones stay
