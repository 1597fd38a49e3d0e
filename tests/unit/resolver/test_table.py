"""Every row of the lab's table through the resolver: cold and warm, with checking and without."""

import pytest
import trio

from anchord.lab.plan import Case
from anchord.lab.table import CASES
from anchord.lab.world import World
from anchord.model.ede import EdeCode
from anchord.model.question import ClientFlags
from anchord.model.verdict import Answer, Status
from anchord.resolver.resolver import Resolver
from support.lab import NOW
from support.walk import MemoryUpstream, codes, honest, in_fast_motion, open_resolver, texts

WORLD = World(NOW)


@pytest.mark.parametrize("checking_disabled", [False, True], ids=["CD=0", "CD=1"])
@pytest.mark.parametrize("case", CASES, ids=str)
@in_fast_motion
async def test_cold_and_from_the_cache(case: Case, *, checking_disabled: bool) -> None:
    async with open_resolver(WORLD, MemoryUpstream(honest(WORLD))) as resolver:
        await _check_twice(case, resolver, checking_disabled=checking_disabled)


@in_fast_motion
async def test_with_everything_known_that_the_table_asks_for() -> None:
    async with open_resolver(WORLD, MemoryUpstream(honest(WORLD))) as resolver:
        for case in CASES:
            await _check_twice(case, resolver, checking_disabled=False)
            resolver.cache.flush()  # the proven zones stay


async def _check_twice(case: Case, resolver: Resolver, *, checking_disabled: bool) -> None:
    flags = ClientFlags(dnssec_ok=True, checking_disabled=checking_disabled)
    first = await resolver.resolve(case.question, flags)
    _check(case, first)
    await trio.sleep(1)  # asking again may go on for a client that has got its data already
    again = await resolver.resolve(case.question, flags)
    _check(case, again)
    if case.status.is_failure and first.ttl:
        assert 13 in codes(again)


def _check(case: Case, answer: Answer) -> None:
    """An answer that follows from what is known is the same but for saying so."""
    told = [code for code in codes(answer) if code != EdeCode.SYNTHESIZED]
    assert answer.verdict.status is case.status, (str(case), texts(answer))
    if case.status.is_failure:
        assert told, str(case)
    else:
        assert answer.rcode == case.rcode, str(case)
    assert told[:1] == [code for code in told[:1] if code in case.codes], (str(case), texts(answer))
    assert bool(told) == bool(case.codes), (str(case), texts(answer))
    if answer.verdict.status is Status.UNOBTAINABLE:
        assert 5 in told or told[0] == 6, str(case)
