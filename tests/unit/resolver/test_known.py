"""What can be answered without asking anybody: the same as `resolve` says, at once, or nothing."""

import pytest
import trio

from anchord.lab.plan import Plan
from anchord.model import rcodes
from anchord.model.question import ClientFlags, Question
from anchord.model.verdict import Answer, Status
from anchord.resolver.local import address_rrsets, local_answer
from anchord.resolver.resolver import Resolver
from support.lab import question, world_of
from support.walk import MemoryUpstream, ask, codes, honest, in_fast_motion, open_resolver

WORLD = world_of(
    Plan("good.lab.", "signed", records="@ A 192.0.2.1\nshort 10 A 192.0.2.3"),
    Plan("expired.lab.", "out of date", faults="expired"),
)


def known(resolver: Resolver, name: str, rdtype: str = "A", **flags: bool) -> Answer | None:
    """What is known; the entry that `fresh` tells is the one that it is from."""
    asked = question(name, rdtype)
    found = resolver.known(asked, ClientFlags(**flags))
    entry = resolver.fresh(asked)
    assert entry is (found.entry if found else None)
    return found.answer if found else None


@in_fast_motion
async def test_what_is_in_the_cache_is_known_as_long_as_it_is_fresh() -> None:
    upstream = MemoryUpstream(honest(WORLD))
    async with open_resolver(WORLD, upstream) as resolver:
        assert known(resolver, "short.good.lab") is None
        answer = await ask(resolver, "short.good.lab")
        assert known(resolver, "short.good.lab") == answer
        await trio.sleep(4)
        aged = known(resolver, "short.good.lab", dnssec_ok=True, recursion_desired=False)
        assert aged is not None
        assert (aged.ttl, aged.answer[0].rrset.ttl) == (6, 6)
        assert aged == await ask(resolver, "short.good.lab")
        await trio.sleep(6)
        assert known(resolver, "short.good.lab") is None


async def test_a_failure_is_known_and_says_that_it_is_remembered() -> None:
    async with open_resolver(WORLD, MemoryUpstream(honest(WORLD))) as resolver:
        await ask(resolver, "expired.lab")
        answer = known(resolver, "expired.lab")
        assert answer is not None
        assert answer.verdict.status is Status.BOGUS
        assert codes(answer) == [7, 13]


async def test_what_is_not_known_is_asked_of_nobody_and_counted_once() -> None:
    upstream = MemoryUpstream(honest(WORLD))
    async with open_resolver(WORLD, upstream) as resolver:
        assert known(resolver, "good.lab") is None
        assert known(resolver, "good.lab", recursion_desired=False) is None
        assert upstream.heard == []
        await ask(resolver, "good.lab")
        assert known(resolver, "good.lab")
        assert (resolver.cache.hits, resolver.cache.misses) == (2, 1)


@pytest.mark.parametrize("name", ["localhost", "printer.local", "1.0.0.127.in-addr.arpa"])
async def test_a_special_name_is_known_unless_its_proof_is_wanted(name: str) -> None:
    async with open_resolver(WORLD, MemoryUpstream(honest(WORLD))) as resolver:
        answer = known(resolver, name)
        assert answer is not None
        assert answer == await ask(resolver, name)
        with_proof = known(resolver, name, dnssec_ok=True)
        assert with_proof == (None if name == "printer.local" else answer)


async def test_a_single_label_of_which_only_the_root_knows_is_not_known() -> None:
    async with open_resolver(WORLD, MemoryUpstream(honest(WORLD))) as resolver:
        assert known(resolver, "printer") is None
        assert (await ask(resolver, "printer")).rcode == rcodes.NXDOMAIN


async def test_a_name_of_the_hosts_file_is_known() -> None:
    def hosts(asked: Question) -> Answer:
        addresses = address_rrsets(asked.name, [b"\x0a\0\0\1"], 1)
        return local_answer(asked, 0, "in the hosts file", ttl=1, answer=addresses)

    async with open_resolver(WORLD, MemoryUpstream(honest(WORLD)), hosts=hosts) as resolver:
        assert known(resolver, "good.lab") == await ask(resolver, "good.lab")
