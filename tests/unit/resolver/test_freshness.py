"""Failures that come back, answers that are over, names in use, and flushes."""

from collections.abc import Iterable
from typing import Any

import pytest
import trio

from anchord.cache.policy import FORGIVEN_AFTER, LONGEST_FAILURE_TTL, RECHECK
from anchord.dnssec.anchors import NegativeAnchor
from anchord.lab.plan import Plan
from anchord.lab.world import World
from anchord.model import names, rcodes
from anchord.model.ede import Ede
from anchord.model.question import ClientFlags
from anchord.model.response import Response
from anchord.model.verdict import Answer, Status
from anchord.resolver.memory import POPULAR
from anchord.resolver.resolver import CLIENT_TIMER, Resolver
from support.lab import NOW, question, world_of
from support.walk import (
    Conduct,
    Heard,
    MemoryUpstream,
    Said,
    always,
    ask,
    changed,
    codes,
    honest,
    in_fast_motion,
    open_resolver,
    silent,
    stripped,
    texts,
    unreachable,
)

RECORDS = """
    @      A     192.0.2.1
    @      MX    10 www
    www    A     192.0.2.2
    short  5 A   192.0.2.3
    hour   3600 A 192.0.2.4
    @      CAA   0 issue "ca.example"
    @      SSHFP 4 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
    @      TLSA  3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
    @      OPENPGPKEY AAAA
    @      SMIMEA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
"""
WORLD = world_of(
    Plan("good.lab.", "signed", records=RECORDS),
    Plan("loose.lab.", "unsigned", algorithms=(), records="@ A 192.0.2.5"),
    Plan("expired.lab.", "out of date", faults="expired"),
    Plan("dying.lab.", "signatures end", records="@ 60 A 192.0.2.6", faults="expires-in 1000 A"),
)
TTL = 300
"""Of what says nothing else here."""
DAY = 86_400.0


class Changing:
    """An upstream whose conduct changes."""

    def __init__(self, conduct: Conduct | None = None) -> None:
        self.now = conduct or honest(WORLD)

    async def __call__(self, heard: Heard) -> Said:
        return await self.now(heard)


def both(conduct: Conduct | None = None) -> tuple[Changing, MemoryUpstream]:
    changing = Changing(conduct)
    return changing, MemoryUpstream(changing)


def address(answer: Answer) -> bytes:
    return answer.answer[0].rrset.rdatas[0]


# ------------ Failures that come back (RFC 9520) ------------


async def times_asked(
    resolver: Resolver, one: MemoryUpstream, name: str, seconds: int
) -> list[int]:
    """The seconds at which a client that asks every second is not told what is remembered."""
    asked = []
    began = trio.current_time()
    for second in range(seconds):
        await trio.sleep_until(began + second)
        one.heard.clear()
        answer = await ask(resolver, name)
        assert answer.verdict.status.is_failure
        assert (13 in codes(answer)) == (not one.heard)
        if one.heard:
            asked.append(second)
    return asked


@pytest.mark.parametrize(
    ("name", "conduct", "expected"),
    [
        ("expired.lab", honest(WORLD), [0, 15, 45, 105, 165]),
        ("good.lab", changed(WORLD, stripped), [0, 15, 45, 105, 165]),
        ("good.lab", always(rcodes.SERVFAIL), [0, 5, 15, 35, 75, 135, 195]),
        ("good.lab", unreachable, [*range(0, 200, 5)]),
    ],
    ids=["bogus", "stripped", "refused", "out of reach"],
)
@in_fast_motion
async def test_a_failure_is_kept_twice_as_long_each_time_that_it_comes_back(
    name: str, conduct: Conduct, expected: list[int]
) -> None:
    """But no longer than a minute, and not where it is the network's."""
    one = MemoryUpstream(conduct)
    async with open_resolver(WORLD, one) as resolver:
        assert await times_asked(resolver, one, name, 200) == expected


@in_fast_motion
async def test_the_reasons_are_told_again_each_time() -> None:
    async with open_resolver(WORLD, MemoryUpstream(honest(WORLD))) as resolver:
        first = await ask(resolver, "expired.lab")
        again = await ask(resolver, "expired.lab")
        assert codes(again) == [*codes(first), 13]
        assert texts(again)[-1] == "remembered for another 15 seconds"


@pytest.mark.parametrize("is_forgiven", [True, False])
@in_fast_motion
async def test_a_failure_that_does_not_come_back_is_forgiven(*, is_forgiven: bool) -> None:
    one = MemoryUpstream(always(rcodes.SERVFAIL))
    async with open_resolver(WORLD, one) as resolver:
        await ask(resolver, "good.lab")
        await trio.sleep(5 + FORGIVEN_AFTER - (0 if is_forgiven else 1))
        await ask(resolver, "good.lab")
        again = await ask(resolver, "good.lab")
        assert again.ttl == (5 if is_forgiven else 10)


@in_fast_motion
async def test_an_answer_ends_a_failure_and_its_count() -> None:
    conduct, one = both(always(rcodes.SERVFAIL))
    async with open_resolver(WORLD, one) as resolver:
        await ask(resolver, "short.good.lab")
        conduct.now = honest(WORLD)
        await trio.sleep(5)
        assert (await ask(resolver, "short.good.lab")).verdict.status is Status.SECURE
        conduct.now = always(rcodes.SERVFAIL)
        await trio.sleep(5)
        await ask(resolver, "short.good.lab")
        assert (await ask(resolver, "short.good.lab")).ttl == 5


def test_no_failure_is_kept_longer_than_the_standard_allows() -> None:
    assert 1 <= LONGEST_FAILURE_TTL <= 300


# ------------ Answers that are over (RFC 8767) ------------


@in_fast_motion
async def test_where_nobody_answers_what_was_said_before_is_told_with_its_verdict() -> None:
    conduct, one = both()
    async with open_resolver(WORLD, one, serve_stale=DAY) as resolver:
        fresh = await ask(resolver, "good.lab", dnssec_ok=True)
        conduct.now = unreachable
        await trio.sleep(fresh.ttl)
        answer = await ask(resolver, "good.lab", dnssec_ok=True)
        assert answer.verdict == fresh.verdict
        assert (answer.ttl, address(answer)) == (30, address(fresh))
        assert {(c.rrset.ttl, c.rrset.signature_ttl) for c in answer.answer} == {(30, 30)}
        assert codes(answer) == [3]
        assert resolver.counts()["stale"] == 1


@in_fast_motion
async def test_a_name_that_did_not_exist_says_so_with_a_code_of_its_own() -> None:
    conduct, one = both()
    async with open_resolver(WORLD, one, serve_stale=DAY) as resolver:
        fresh = await ask(resolver, "nx.good.lab")
        conduct.now = unreachable
        await trio.sleep(fresh.ttl)
        answer = await ask(resolver, "nx.good.lab")
        assert (answer.rcode, codes(answer)) == (rcodes.NXDOMAIN, [19])


@in_fast_motion
async def test_a_client_waits_no_longer_than_its_timer() -> None:
    conduct, one = both()
    async with open_resolver(WORLD, one, serve_stale=DAY) as resolver:
        await ask(resolver, "good.lab")
        await trio.sleep(TTL)
        conduct.now = silent
        began = trio.current_time()
        assert codes(await ask(resolver, "good.lab")) == [3]
        assert trio.current_time() - began == pytest.approx(CLIENT_TIMER)
        assert codes(await ask(resolver, "good.lab")) == [3]  # the timer is the inquiry's
        assert trio.current_time() - began == pytest.approx(CLIENT_TIMER)


@in_fast_motion
async def test_a_late_answer_is_for_those_who_ask_later() -> None:
    conduct, one = both()
    async with open_resolver(WORLD, one, serve_stale=DAY) as resolver:
        await ask(resolver, "good.lab")
        await trio.sleep(TTL)
        conduct.now = honest(WORLD, delay=CLIENT_TIMER + 0.2)
        assert codes(await ask(resolver, "good.lab")) == [3]
        await trio.sleep(3)
        one.heard.clear()
        assert codes(await ask(resolver, "good.lab")) == []
        assert one.heard == []


@in_fast_motion
async def test_after_a_failure_nobody_is_asked_again_for_half_a_minute() -> None:
    conduct, one = both()
    async with open_resolver(WORLD, one, serve_stale=DAY) as resolver:
        await ask(resolver, "good.lab")
        conduct.now = unreachable
        await trio.sleep(TTL)
        await ask(resolver, "good.lab")
        one.heard.clear()
        await trio.sleep(RECHECK - 1)
        found = resolver.known(question("good.lab"), ClientFlags())
        assert found is not None
        assert (codes(found.answer), found.entry) == ([3], None)
        assert one.heard == []
        await trio.sleep(1)
        assert resolver.known(question("good.lab"), ClientFlags()) is None
        conduct.now = honest(WORLD)
        assert codes(await ask(resolver, "good.lab")) == []


@pytest.mark.parametrize("seconds", [0.0, 100.0])
@in_fast_motion
async def test_nothing_is_told_longer_than_is_configured(seconds: float) -> None:
    conduct, one = both()
    async with open_resolver(WORLD, one, serve_stale=seconds) as resolver:
        await ask(resolver, "good.lab")
        conduct.now = unreachable
        if seconds:
            await trio.sleep(TTL + seconds - 1)
            assert codes(await ask(resolver, "good.lab")) == [3]
            await trio.sleep(RECHECK)
        else:
            await trio.sleep(TTL)
        assert (await ask(resolver, "good.lab")).verdict.status is Status.UNOBTAINABLE


@in_fast_motion
async def test_nothing_outlives_its_signatures() -> None:
    conduct, one = both()
    async with open_resolver(WORLD, one, serve_stale=DAY) as resolver:
        await ask(resolver, "dying.lab")
        conduct.now = unreachable
        await trio.sleep(990)
        answer = await ask(resolver, "dying.lab")
        assert (codes(answer), answer.ttl) == ([3], 10)
        await trio.sleep(11)
        answer = await ask(resolver, "dying.lab")
        assert answer.verdict.status is Status.UNOBTAINABLE
        assert answer.answer == ()


@in_fast_motion
async def test_nor_does_what_a_negative_anchor_has_exempted_outlive_the_anchor() -> None:
    conduct, one = both()
    negative = [NegativeAnchor(names.from_text("good.lab"), until=NOW + 1000)]
    async with open_resolver(WORLD, one, serve_stale=DAY, negative=negative) as resolver:
        assert codes(await ask(resolver, "good.lab")) == [33]
        conduct.now = unreachable
        await trio.sleep(TTL)
        assert codes(await ask(resolver, "good.lab")) == [33, 3]
        await trio.sleep(1000)
        assert (await ask(resolver, "good.lab")).verdict.status is Status.UNOBTAINABLE


@pytest.mark.parametrize("rdtype", ["TLSA", "SMIMEA", "OPENPGPKEY", "SSHFP", "CAA", "DS", "DNSKEY"])
@in_fast_motion
async def test_what_says_whom_to_trust_is_never_stale(rdtype: str) -> None:
    conduct, one = both()
    async with open_resolver(WORLD, one, serve_stale=DAY) as resolver:
        fresh = await ask(resolver, "good.lab", rdtype)
        assert fresh.answer
        conduct.now = unreachable
        await trio.sleep(DAY / 2)
        answer = await ask(resolver, "good.lab", rdtype)
        assert answer.verdict.status is Status.UNOBTAINABLE


@pytest.mark.parametrize(
    ("flags", "is_told"),
    [({}, True), ({"dnssec_ok": True}, False), ({"authentic_data": True}, False)],
)
@in_fast_motion
async def test_mail_exchangers_that_are_to_be_authentic_are_never_stale(
    flags: dict[str, bool], *, is_told: bool
) -> None:
    conduct, one = both()
    async with open_resolver(WORLD, one, serve_stale=DAY) as resolver:
        await ask(resolver, "good.lab", "MX")
        conduct.now = unreachable
        await trio.sleep(DAY / 2)
        for _ in range(2):
            answer = await ask(resolver, "good.lab", "MX", **flags)
            assert answer.verdict.status is (Status.SECURE if is_told else Status.UNOBTAINABLE)


@pytest.mark.parametrize(
    ("conduct", "first"),
    [(changed(WORLD, stripped), 10), (always(rcodes.SERVFAIL, Ede(17)), 15)],
    ids=["stripped", "filtered"],
)
@in_fast_motion
async def test_evidence_against_a_name_and_filters_are_no_reason_to_tell_what_was_before(
    conduct: Conduct, first: int
) -> None:
    changing, one = both()
    async with open_resolver(WORLD, one, serve_stale=DAY) as resolver:
        await ask(resolver, "good.lab")
        changing.now = conduct
        await trio.sleep(TTL)
        for _ in range(2):
            answer = await ask(resolver, "good.lab")
            assert answer.verdict.status.is_failure
            assert first in codes(answer)


@in_fast_motion
async def test_a_name_that_is_gone_is_not_told_of_any_more() -> None:
    conduct, one = both()
    async with open_resolver(WORLD, one, serve_stale=DAY) as resolver:
        await ask(resolver, "www.good.lab")
        conduct.now = honest(world_of(Plan("good.lab.", "signed", records="@ A 192.0.2.1")))
        await trio.sleep(TTL)
        gone = await ask(resolver, "www.good.lab")
        assert gone.rcode == rcodes.NXDOMAIN
        conduct.now = unreachable
        await trio.sleep(gone.ttl)
        assert codes(await ask(resolver, "www.good.lab")) == [19]


@in_fast_motion
async def test_who_keeps_the_upstream_from_us_cannot_downgrade_a_signed_name() -> None:
    """For two days, every ten minutes: what was proven, or nothing."""
    conduct, one = both()
    async with open_resolver(WORLD, one, serve_stale=DAY) as resolver:
        fresh = await ask(resolver, "good.lab", dnssec_ok=True)
        conduct.now = unreachable
        told = []
        for _ in range(288):
            await trio.sleep(600)
            answer = await ask(resolver, "good.lab", dnssec_ok=True)
            told.append(answer.verdict.status)
            assert answer.verdict.status in {Status.SECURE, Status.UNOBTAINABLE}
            assert address(answer) == address(fresh) if answer.answer else answer.rcode == 2
        assert told == sorted(told)
        assert told.count(Status.SECURE) == 144


@in_fast_motion
async def test_in_another_network_everybody_is_asked_again() -> None:
    conduct, one = both(always(rcodes.SERVFAIL))
    async with open_resolver(WORLD, one, serve_stale=DAY) as resolver:
        await ask(resolver, "loose.lab")
        conduct.now = honest(WORLD)
        await ask(resolver, "good.lab")
        conduct.now = unreachable
        await trio.sleep(TTL)
        assert codes(await ask(resolver, "good.lab")) == [3]
        await ask(resolver, "www.loose.lab")
        conduct.now = honest(WORLD)
        resolver.forget_network()
        for name in ("good.lab", "www.loose.lab", "loose.lab"):
            assert codes(await ask(resolver, name)) == []


# ------------ Names in use ------------


async def use(resolver: Resolver, name: str, at: Iterable[float]) -> None:
    """Asks for a name at these seconds from now."""
    began = trio.current_time()
    for second in at:
        await trio.sleep_until(began + second)
        await ask(resolver, name)


@in_fast_motion
async def test_a_name_in_use_is_asked_for_again_before_its_time_is_over() -> None:
    one = MemoryUpstream(honest(WORLD, delay=0.1))
    async with open_resolver(WORLD, one, prefetch=True) as resolver:
        await use(resolver, "good.lab", range(0, 250, 50))
        await trio.sleep(69)
        one.heard.clear()
        await ask(resolver, "good.lab")
        assert one.heard == []  # it is not yet in its last tenth
        await trio.sleep(2)
        began = trio.current_time()
        assert (await ask(resolver, "good.lab")).ttl <= TTL / 10
        await ask(resolver, "good.lab")
        assert trio.current_time() == began  # nobody waits for it
        await trio.sleep(1)
        assert one.asked.count("good.lab. A") == 1
        assert (await ask(resolver, "good.lab")).ttl > TTL - 2
        assert resolver.counts()["prefetches"] == 1


@pytest.mark.parametrize(
    ("name", "uses", "settings"),
    [
        ("good.lab", POPULAR - 1, {"prefetch": True}),
        ("good.lab", 10, {}),
        ("short.good.lab", 10, {"prefetch": True}),
    ],
    ids=["hardly in use", "not wanted", "too short a time"],
)
@in_fast_motion
async def test_other_names_are_not(name: str, uses: int, settings: dict[str, Any]) -> None:
    one = MemoryUpstream(honest(WORLD))
    async with open_resolver(WORLD, one, **settings) as resolver:
        ttl = (await ask(resolver, name)).ttl
        for _ in range(uses):
            await ask(resolver, name)
        await trio.sleep(ttl - 0.2)
        one.heard.clear()
        await ask(resolver, name)
        await trio.sleep(0.1)
        assert one.heard == []


@in_fast_motion
async def test_an_attempt_that_fails_ends_nothing_and_is_made_once() -> None:
    conduct, one = both()
    async with open_resolver(WORLD, one, prefetch=True) as resolver:
        await use(resolver, "good.lab", [*range(0, 250, 50), 260])
        conduct.now = always(rcodes.SERVFAIL)
        one.heard.clear()
        for _ in range(20):
            await trio.sleep(1)
            assert (await ask(resolver, "good.lab")).verdict.status is Status.SECURE
        assert resolver.counts()["prefetches"] == 1
        assert "good.lab. A" in one.asked


@in_fast_motion
async def test_an_upstream_that_has_too_much_to_do_is_not_asked_in_advance() -> None:
    conduct, one = both()
    async with open_resolver(WORLD, one, prefetch=True) as resolver:
        await use(resolver, "good.lab", range(0, 250, 50))
        await trio.sleep(80)
        conduct.now = always(rcodes.REFUSED)
        await ask(resolver, "www.loose.lab")  # its guesses are refused
        one.heard.clear()
        await ask(resolver, "good.lab")
        await trio.sleep(1)
        assert "good.lab. A" not in one.asked


@pytest.mark.parametrize("zone", ["good.lab", "loose.lab"])
@in_fast_motion
async def test_a_chain_in_use_is_proven_again_before_its_time_is_over(zone: str) -> None:
    one = MemoryUpstream(honest(WORLD, delay=0.1))
    async with open_resolver(WORLD, one, prefetch=True) as resolver:
        await ask(resolver, f"first.{zone}", "TXT")
        held = {trust.zone: until for trust, until in resolver._zone_cache.held()}
        apex = names.from_text(zone)
        await trio.sleep(held[apex] - trio.current_time() - 20)
        one.heard.clear()
        await ask(resolver, f"second.{zone}", "TXT")
        await trio.sleep(1)
        assert f"{zone}. DS" in one.asked
        again = {trust.zone: until for trust, until in resolver._zone_cache.held()}
        assert again[apex] > held[apex] + 20
        assert again.keys() == held.keys()
        assert resolver.counts()["renewals"] == 1
        one.heard.clear()
        await trio.sleep(30)  # the first proof would be over
        await ask(resolver, f"third.{zone}", "TXT")
        assert one.asked == [f"third.{zone}. TXT"]


# ------------ A flush ------------


@pytest.mark.parametrize("flushed", [None, "good.lab", "www.good.lab"])
@in_fast_motion
async def test_what_is_under_way_at_a_flush_is_told_and_forgotten(flushed: str | None) -> None:
    one = MemoryUpstream(honest(WORLD, delay=0.5))
    told: list[Answer] = []

    async with open_resolver(WORLD, one) as resolver, trio.open_nursery() as nursery:

        async def wait() -> None:
            told.append(await ask(resolver, "www.good.lab"))

        nursery.start_soon(wait)
        await trio.sleep(0.3)
        resolver.flush(names.from_text(flushed) if flushed else None)
        nursery.start_soon(wait)  # begins anew
        await trio.sleep(0.1)
        assert one.asked.count("www.good.lab. A") == 2
        await trio.sleep(0.3)
        counts = resolver.counts()
        assert (counts["answers"], counts["proofs"], counts["zones"]) == (0, 0, 0)
        await trio.sleep(5)
        assert [answer.verdict.status for answer in told] == [Status.SECURE] * 2
        counts = resolver.counts()
        assert (counts["answers"], counts["zones"]) == (1, 3)
        one.heard.clear()
        await ask(resolver, "www.good.lab")
        assert one.heard == []


@in_fast_motion
async def test_a_flush_ends_answers_that_are_over_and_failures_too() -> None:
    conduct, one = both()
    async with open_resolver(WORLD, one, serve_stale=DAY) as resolver:
        await ask(resolver, "good.lab")
        conduct.now = unreachable
        await ask(resolver, "loose.lab")
        await trio.sleep(TTL)
        assert resolver.flush(names.from_text("lab")) == 2
        answer = await ask(resolver, "good.lab")
        assert answer.verdict.status is Status.UNOBTAINABLE
        assert 13 not in codes(await ask(resolver, "loose.lab"))


# ------------ Counts ------------


@in_fast_motion
async def test_what_is_kept_and_how_it_served_is_counted() -> None:
    conduct, one = both()
    async with open_resolver(WORLD, one, serve_stale=DAY, prefetch=True) as resolver:
        await ask(resolver, "good.lab")
        await trio.sleep(10)
        for name in ("nx.good.lab", "nx.good.lab", "good.lab", "ny.good.lab"):
            await ask(resolver, name)
        await ask(resolver, "good.lab", "DNSKEY")
        await ask(resolver, "expired.lab")
        await ask(resolver, "expired.lab")
        conduct.now = unreachable
        counts = resolver.counts()
        expected = {
            "answers": 3, "proofs": 2, "hits": 2, "denial_hits": 1, "failure_hits": 1, "misses": 3,
            "stale": 0, "synthesized": 1, "from_chain": 1, "prefetches": 0, "renewals": 0,
            "evictions": 0, "oldest": 10, "mean_age": 5, "capacity": 64 << 20,
        }  # fmt: skip
        assert {name: counts[name] for name in expected} == expected
        assert 0 < counts["bytes"] < 20_000
        await trio.sleep(TTL)
        await ask(resolver, "good.lab")
        await ask(resolver, "good.lab")
        counts = resolver.counts()
        assert (counts["stale"], counts["hits"], counts["oldest"]) == (2, 2, 0)


def test_worlds_have_the_ttl_that_these_tests_mean() -> None:
    answer = World.answer(WORLD, question("good.lab"))
    assert isinstance(answer, Response)
    assert answer.answer[0].ttl == TTL
